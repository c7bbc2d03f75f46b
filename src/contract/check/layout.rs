//! How files of text are written: what the standard has a key for, and `customProperties` of the server for the rest.

use encoding_rs::Encoding;

use crate::contract::locate::{Node, Value};
use crate::contract::model::{Format, NumberMarks, TextLayout};
use crate::contract::shape::{Findings, quote};

/// The properties of ours that a server may have.
pub const PROPERTIES: [&str; 3] = ["meshgateDecimalMark", "meshgateDelimiter", "meshgateHeader"];

/// What the server says of its files. JSON values are told apart by the files themselves, so `delimiter` decides nothing.
pub fn check(server: &Node, format: Option<Format>, findings: &mut Findings<'_>) -> TextLayout {
    let mut layout = TextLayout::default();
    if let Some(node) = server.get("encoding")
        && let Some(text) = node.text()
    {
        match Encoding::for_label(text.as_bytes()) {
            Some(encoding) => layout.encoding = encoding.name().to_ascii_lowercase(),
            None => findings.unsupported(
                node.at,
                format!("unsupported encoding `{}`", quote(text)),
                "use a label of the WHATWG Encoding Standard, such as `utf-8` or `windows-1252`",
            ),
        }
    }
    for item in server.list("customProperties") {
        let Some((at, name)) = item.get("property").and_then(|node| Some((node.at, node.text()?))) else { continue };
        if !PROPERTIES.contains(&name) {
            continue;
        }
        let Some(value) = item.get("value") else { continue };
        if !matches!(format, Some(Format::Csv)) && (name != "meshgateDecimalMark" || format != Some(Format::Json)) {
            findings.error(at, format!("`{name}` has no meaning for this format"), "it is about files of text");
            continue;
        }
        match (name, &value.value) {
            ("meshgateDelimiter", Value::Text(text)) if delimiter(text).is_some() => {
                layout.delimiter = delimiter(text).unwrap_or(layout.delimiter);
            }
            ("meshgateDelimiter", _) => {
                findings.error(value.at, "the delimiter is not one character", "write one ASCII character, or `tab`");
            }
            ("meshgateHeader", Value::Bool(header)) => layout.header = *header,
            ("meshgateHeader", _) => {
                findings.error(
                    value.at,
                    "`meshgateHeader` is `true` or `false`",
                    "false where the files have no names",
                );
            }
            (_, Value::Text(mark)) if mark == "," => layout.marks = NumberMarks::DecimalComma,
            (_, Value::Text(mark)) if mark == "." => layout.marks = NumberMarks::DecimalPoint,
            _ => findings.error(value.at, "the decimal mark is neither `.` nor `,`", "put it in quotes"),
        }
    }
    layout
}

/// One byte that can stand between fields.
fn delimiter(text: &str) -> Option<u8> {
    match text.as_bytes() {
        _ if text == "tab" => Some(b'\t'),
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\n' | b'\r') => {
            Some(*byte)
        }
        _ => None,
    }
}
