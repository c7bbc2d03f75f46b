//! One value as text that is safe to show: no control characters, a known width.

use std::borrow::Cow;

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use arrow::util::display::FormatOptions;
use unicode_width::UnicodeWidthStr;

/// A cell longer than this is cut before it is measured; no terminal shows more.
const MAX_CHARS: usize = 4_000;
/// Lines of one value that are shown; a plan of a large query has about this many.
const MAX_LINES: usize = 100;

/// How values look in tables.
pub(super) fn options() -> FormatOptions<'static> {
    FormatOptions::new()
        .with_display_error(true)
        .with_null("NULL")
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f%:z"))
        .with_datetime_format(Some("%Y-%m-%d %H:%M:%S%.f"))
}

/// Escapes what could move the cursor, change colours or reorder the line. Data never reaches the terminal
/// without this.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) && text.len() <= MAX_CHARS {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().min(MAX_CHARS) + 8);
    for (index, c) in text.chars().enumerate() {
        if index == MAX_CHARS {
            out.push('…');
            break;
        }
        push_plain(&mut out, c);
    }
    Cow::Owned(out)
}

/// A value of a result: its lines stay lines, few enough that one cell is no flood.
pub(super) fn value(text: &str) -> Cow<'_, str> {
    if !text.contains('\n') {
        return plain(text);
    }
    let mut lines: Vec<_> = text.trim_end_matches('\n').split('\n').take(MAX_LINES + 1).map(plain).collect();
    if lines.len() > MAX_LINES {
        lines.truncate(MAX_LINES);
        lines.push(Cow::Borrowed("…"));
    }
    Cow::Owned(lines.join("\n"))
}

/// The same, for text of several lines, such as an error.
pub(super) fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// The same, however long.
pub(super) fn plain_all(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push_plain(&mut out, c));
    out
}

fn push_plain(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_unsafe(c) => out.extend(c.escape_unicode()),
        c => out.push(c),
    }
}

/// Control characters, and the marks that reverse the direction of text. Joiners stay: emoji and some scripts need them.
pub(super) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

pub(super) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// At most `max` columns wide, the end replaced by `…` where it must be.
pub(super) fn shorten(text: &str, max: usize) -> Cow<'_, str> {
    if width(text) <= max {
        return Cow::Borrowed(text);
    }
    let room = max.saturating_sub(1);
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        // A character that combines with the ones before it is measured together with them.
        if width(text.get(..next).unwrap_or_default()) > room {
            break;
        }
        end = next;
    }
    let kept = text.get(..end).unwrap_or_default();
    Cow::Owned(if max == 0 { String::new() } else { format!("{kept}…") })
}

pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// A value that would lie if its end were missing.
pub(super) fn is_short_and_whole(data_type: &DataType) -> bool {
    data_type.is_numeric() || data_type.is_temporal() || *data_type == DataType::Boolean
}

/// The SQL word for a type.
pub(super) fn type_name(data_type: &DataType) -> String {
    let word = match data_type {
        DataType::Null => "null",
        DataType::Boolean => "boolean",
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "int",
        DataType::Int64 => "bigint",
        DataType::UInt8 => "tinyint unsigned",
        DataType::UInt16 => "smallint unsigned",
        DataType::UInt32 => "int unsigned",
        DataType::UInt64 => "bigint unsigned",
        DataType::Float16 => "half",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "binary",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "timestamp(9)",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamptz",
        DataType::Duration(_) => "duration",
        DataType::Interval(IntervalUnit::YearMonth) => "interval year to month",
        DataType::Interval(_) => "interval",
        DataType::FixedSizeBinary(size) => return format!("binary({size})"),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => return format!("decimal({precision},{scale})"),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => return format!("{}[]", type_name(item.data_type())),
        DataType::Dictionary(_, value) => return type_name(value),
        DataType::RunEndEncoded(_, value) => return type_name(value.data_type()),
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields.iter().map(|field| named(field)).collect();
            return format!("struct({})", fields.join(", "));
        }
        DataType::Map(entries, _) => {
            return match entries.data_type() {
                DataType::Struct(fields) => {
                    let types: Vec<String> = fields.iter().map(|field| type_name(field.data_type())).collect();
                    format!("map({})", types.join(", "))
                }
                _ => "map".to_owned(),
            };
        }
        DataType::Union(..) => "union",
    };
    word.to_owned()
}

fn named(field: &Field) -> String {
    format!("{} {}", plain(field.name()), type_name(field.data_type()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_drive_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mred\u{7}\n\t\u{9b}2J"), "a\\u{1b}[31mred\\u{7}\\n\\t\\u{9b}2J");
        assert_eq!(plain("price \u{202e}001"), "price \\u{202e}001");
        assert_eq!(plain("Zürich 東京 👩‍👩‍👧"), "Zürich 東京 👩‍👩‍👧");
        assert_eq!(plain_lines("a\nb\u{1b}c"), "a\nb\\u{1b}c");
    }

    #[test]
    fn lines_of_a_value_stay_lines_and_are_bounded() {
        assert_eq!(value("a\n  b\u{1b}c\n"), "a\n  b\\u{1b}c");
        assert_eq!(value("a\r\tb"), "a\\r\\tb");
        let long = value(&"x\n".repeat(1_000)).into_owned();
        assert_eq!(long.lines().count(), MAX_LINES + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn a_huge_cell_is_cut() {
        assert_eq!(plain(&"x".repeat(1_000_000)).chars().count(), MAX_CHARS + 1);
    }

    #[test]
    fn shortening_counts_columns_not_characters() {
        assert_eq!(shorten("hello", 5), "hello");
        assert_eq!(shorten("hello", 4), "hel…");
        assert_eq!(shorten("東京都", 4), "東…");
        assert_eq!(shorten("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(shorten("hello", 1), "…");
        assert_eq!(shorten("hello", 0), "");
    }

    #[test]
    fn types_are_called_as_in_sql() {
        let street = Field::new("street", DataType::Utf8, true);
        assert_eq!(type_name(&DataType::Struct(vec![street].into())), "struct(street text)");
        assert_eq!(type_name(&DataType::Decimal128(12, 2)), "decimal(12,2)");
        assert_eq!(type_name(&DataType::new_list(DataType::Int64, true)), "bigint[]");
    }
}
