//! The members of JSON objects, as the text that stands in the file, so that no digit is lost on the way to a decimal.

use std::borrow::Cow;

use datafusion::arrow::datatypes::{DataType, Fields};
use serde::de::IgnoredAny;

/// What no JSON has, but many writers write for floats.
const CONSTANTS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];

/// What an object says under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said<'a> {
    Nothing,
    Once(&'a str),
    /// Two members of one name mean no one thing (RFC 8259, section 4).
    Twice,
}

/// An object, by its members in order.
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// Those of an object that is valid JSON, but for constants.
    pub fn of(object: &'a str) -> Self {
        let mut members = Vec::new();
        let mut rest = object.get(1..).unwrap_or_default().trim_start();
        while rest.starts_with('"') {
            let (key, after) = rest.split_at(value_length(rest));
            let after = after.trim_start().strip_prefix(':').unwrap_or_default().trim_start();
            let (value, after) = after.split_at(value_length(after));
            let key = match key.trim_matches('"') {
                plain if !key.contains('\\') => Cow::Borrowed(plain),
                _ => Cow::Owned(serde_json::from_str(key).unwrap_or_default()),
            };
            members.push((key, value));
            rest = after.trim_start().strip_prefix(',').unwrap_or_default().trim_start();
        }
        Self(members)
    }

    pub fn say(&self, name: &str) -> Said<'a> {
        let mut named = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| *value);
        match (named.next(), named.next()) {
            (None, _) => Said::Nothing,
            (Some(value), None) => Said::Once(value),
            (Some(_), Some(_)) => Said::Twice,
        }
    }
}

/// Those of an array that is valid JSON, but for constants.
pub(super) fn elements(array: &str) -> Vec<&str> {
    let mut elements = Vec::new();
    let mut rest = array.get(1..).unwrap_or_default().trim_start();
    while !rest.is_empty() && !rest.starts_with(']') {
        let (element, after) = rest.split_at(value_length(rest));
        if element.is_empty() {
            break;
        }
        elements.push(element);
        rest = after.trim_start().strip_prefix(',').unwrap_or_default().trim_start();
    }
    elements
}

pub(super) fn is_constant(value: &str) -> bool {
    CONSTANTS.contains(&value)
}

/// `NaN` and the infinities as texts, so that the rest can be looked at as JSON.
pub(super) fn quoted_constants(text: &str) -> String {
    let (mut out, mut rest, mut quoted, mut escaped) = (String::with_capacity(text.len() + 16), text, false, false);
    while let Some(first) = rest.chars().next() {
        let constant = CONSTANTS.into_iter().find(|word| !quoted && rest.starts_with(word));
        if let Some(word) = constant {
            out.push('"');
            out.push_str(word);
            out.push('"');
            rest = rest.get(word.len()..).unwrap_or_default();
            continue;
        }
        quoted ^= first == '"' && !escaped;
        escaped = quoted && first == '\\' && !escaped;
        out.push(first);
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    out
}

/// The type of a text that is the JSON of a value, in the types that [`with_one_meaning`] takes.
pub(super) const JSON: DataType = DataType::LargeUtf8;

/// A value as JSON in which a promised type finds one meaning: constants are texts where floats are promised, and values are texts of
/// their JSON where [`JSON`] is. What has none is `null`: two members of a promised name, a constant where no float is promised. True
/// where that is so of some part.
pub(super) fn with_one_meaning<'a>(value: &'a str, to: &DataType) -> (Cow<'a, str>, bool) {
    match to {
        DataType::List(item) if value.starts_with('[') && (has_parts(item.data_type()) || has_constants(value)) => {
            let elements = elements(value).into_iter().map(|element| with_one_meaning(element, item.data_type()));
            let (elements, lost): (Vec<_>, Vec<bool>) = elements.unzip();
            let is_same = !lost.contains(&true) && elements.iter().all(|element| matches!(element, Cow::Borrowed(_)));
            let value = if is_same { Cow::Borrowed(value) } else { Cow::Owned(format!("[{}]", elements.join(","))) };
            (value, lost.contains(&true))
        }
        DataType::Struct(fields) if value.starts_with('{') => object(value, fields),
        to if *to == JSON && value.starts_with(['{', '[']) => {
            let is_json = serde_json::from_str::<IgnoredAny>(value).is_ok();
            if is_json { (Cow::Owned(serde_json::Value::from(value).to_string()), false) } else { (NULL, true) }
        }
        to if is_constant(value) && to.is_floating() => (Cow::Owned(format!("\"{value}\"")), false),
        _ if is_constant(value) => (NULL, true),
        _ => (Cow::Borrowed(value), false),
    }
}

const NULL: Cow<'static, str> = Cow::Borrowed("null");

fn object<'a>(value: &'a str, fields: &Fields) -> (Cow<'a, str>, bool) {
    let members = Members::of(value);
    // A reader of JSON takes no constant, not even where nobody asks for it.
    let (mut out, mut is_same, mut is_lost) = (Vec::new(), !has_constants(value), false);
    for field in fields {
        let (value, lost) = match members.say(field.name()) {
            Said::Nothing => continue,
            Said::Twice => (NULL, true),
            Said::Once(value) => with_one_meaning(value, field.data_type()),
        };
        is_lost |= lost;
        is_same &= !lost && matches!(value, Cow::Borrowed(_));
        out.push(format!("{}:{value}", serde_json::Value::from(field.name().as_str())));
    }
    (if is_same { Cow::Borrowed(value) } else { Cow::Owned(format!("{{{}}}", out.join(","))) }, is_lost)
}

fn has_constants(value: &str) -> bool {
    CONSTANTS.iter().any(|word| value.contains(word))
}

/// True for a type that a reader of JSON does not take in every form in which it may stand.
fn has_parts(to: &DataType) -> bool {
    match to {
        DataType::List(item) => has_parts(item.data_type()),
        to => matches!(to, DataType::Struct(_)) || *to == JSON,
    }
}

/// Bytes of the value at the start of valid JSON text. All structure is ASCII, so the length is a character boundary.
fn value_length(text: &str) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (i, byte) in text.bytes().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    quoted = false;
                    if depth == 0 {
                        return i + 1;
                    }
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return i,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return i + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::Field;

    use super::*;

    #[test]
    fn promised_names_and_constants_have_one_meaning() {
        let members = Members::of(r#"{"a": 1, "b": "x", "\u0061": 2, "c" : [1, {"d": NaN}]}"#);
        assert_eq!(members.say("a"), Said::Twice);
        assert_eq!(members.say("b"), Said::Once("\"x\""));
        assert_eq!(members.say("c"), Said::Once("[1, {\"d\": NaN}]"));
        assert_eq!(members.say("d"), Said::Nothing);
        let list = |item: DataType| DataType::new_list(item, true);
        let fields = [Field::new("n", DataType::Float64, true), Field::new("t", DataType::Utf8, true)];
        let objects = || list(DataType::Struct(Fields::from(fields.to_vec())));
        for (value, to, meaning, lost) in [
            ("[1, NaN]", list(DataType::Float64), "[1,\"NaN\"]", false),
            ("[1, NaN]", list(DataType::Utf8), "[1,null]", true),
            ("[\"NaN\"]", list(DataType::Utf8), "[\"NaN\"]", false),
            ("[[-Infinity], []]", list(list(DataType::Float32)), "[[\"-Infinity\"],[]]", false),
            (r#"[{"n": 1, "t": "x", "u": NaN, "u": 1}]"#, objects(), r#"[{"n":1,"t":"x"}]"#, false),
            (r#"[{"n": NaN, "t": "x"}]"#, objects(), r#"[{"n":"NaN","t":"x"}]"#, false),
            (r#"[{"n": 1, "t": NaN}]"#, objects(), r#"[{"n":1,"t":null}]"#, true),
            (r#"[{"n": 1}, {"n": 1, "n": 1}]"#, objects(), r#"[{"n": 1},{"n":null}]"#, true),
            ("17", objects(), "17", false),
            (r#"["x", {"a": "b"}, 7, [1]]"#, list(JSON), r#"["x","{\"a\": \"b\"}",7,"[1]"]"#, false),
            (r#"[{"a": NaN}, {}]"#, list(JSON), r#"[null,"{}"]"#, true),
        ] {
            let (found, is_lost) = with_one_meaning(value, &to);
            assert_eq!((found.as_ref(), is_lost), (meaning, lost), "{value} as {to}");
        }
    }
}
