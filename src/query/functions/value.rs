//! One value's width: of a type, a literal, and what a function makes of others.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;

use super::check::literal_size;
use super::names::LARGEST;
use crate::diagnostic::{Diagnostic, Kind, Result};

/// A text or list of unknown length.
pub(super) const USUAL: u64 = 32;
/// Elements of a list of unknown length.
const ELEMENTS: u64 = 8;
/// What a gathered value counts as, and how many elements it has, where it is made longer [`MANY`] times or more.
pub(super) const GATHERED: u64 = 1 << 20;
const GATHERED_ELEMENTS: u64 = 1 << 17;
const MANY: u64 = 16;

/// What one value may take, and how many elements it has where it is a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Width {
    pub bytes: u64,
    pub elements: u64,
    /// Made of many rows by an aggregate, so nobody knows how long it is.
    pub gathered: bool,
}

impl Width {
    pub fn of(bytes: u64) -> Self {
        Self { bytes, elements: 1, gathered: false }
    }

    pub fn usual(data_type: &DataType) -> Self {
        match data_type.primitive_width() {
            Some(bytes) => Self::of(bytes as u64),
            None if data_type.is_nested() => Self::of(USUAL * ELEMENTS).list(ELEMENTS),
            None => Self::of(USUAL),
        }
    }

    pub fn times(self, count: u64) -> Self {
        let bytes = if self.gathered && count >= MANY { self.bytes.max(GATHERED) } else { self.bytes };
        Self { bytes: bytes.saturating_mul(count), ..self }
    }

    pub fn max(self, other: Self) -> Self {
        Self { bytes: self.bytes.max(other.bytes), ..self }.with(other)
    }

    /// As many elements as the longer of both, and gathered where one is.
    pub fn with(self, other: Self) -> Self {
        let elements = self.elements.max(other.elements);
        Self { elements, gathered: self.gathered || other.gathered, ..self }
    }

    /// Both in one value, which is no list of both.
    pub fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), ..self }.with(other)
    }

    pub fn list(self, elements: u64) -> Self {
        Self { elements, ..self }
    }

    /// How many elements a function over the list may meet.
    pub fn count(self) -> u64 {
        if self.gathered { self.elements.max(GATHERED_ELEMENTS) } else { self.elements }
    }

    /// Of one element of a list.
    pub fn element(self) -> Self {
        Self { bytes: self.bytes / self.elements.max(1), elements: 1, ..self }
    }
}

pub(super) fn literal(value: &ScalarValue) -> Width {
    let bytes = match value {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            text.as_ref().map_or(0, String::len)
        }
        other => other.data_type().primitive_width().unwrap_or_else(|| other.size()),
    };
    Width::of(bytes as u64)
}

/// A list as text has the digits of its elements.
pub(super) fn cast_to(width: Width, to: &DataType) -> Width {
    if width.elements > 1 && !to.is_nested() { width.times(4) } else { width }
}

/// Functions that compare each part of one value with each of another, and do not stop for a deadline in between.
const QUADRATIC: &[&str] =
    &["levenshtein", "array_has_all", "list_has_all", "array_has_any", "list_has_any", "arrays_overlap"];
/// Comparisons that one call may make: about a second.
const COMPARISONS: u64 = 100_000_000;

/// # Errors
/// `Exhausted` for a call that could keep a processor beyond any deadline.
pub(super) fn costs(name: &str, args: &[Width]) -> Result<()> {
    if !QUADRATIC.contains(&name) {
        return Ok(());
    }
    let parts = |arg: &Width| {
        if name == "levenshtein" { arg.bytes.max(if arg.gathered { GATHERED } else { 0 }) } else { arg.count() }
    };
    let product = args.iter().map(parts).fold(1_u64, u64::saturating_mul);
    if product > COMPARISONS {
        return Err(Diagnostic::error(
            Kind::Exhausted,
            format!("`{name}` could make more than {COMPARISONS} comparisons for one row"),
        )
        .hint("give it shorter texts or lists"));
    }
    Ok(())
}

/// What a function makes of values of these widths; most make no more than they are given.
pub(super) fn made(name: &str, args: &[Width], exprs: &[Expr]) -> Width {
    let at = |place: usize| args.get(place).copied().unwrap_or(Width::of(USUAL));
    let size = |place: usize| exprs.get(place).and_then(literal_size).map_or(LARGEST, magnitude);
    let sum = args.iter().copied().fold(Width::of(0), Width::plus).max(Width::of(USUAL));
    let all = args.iter().fold(0_u64, |sum, arg| sum.saturating_add(arg.elements));
    match name {
        "repeat" => at(0).times(size(1)),
        "array_repeat" | "list_repeat" => at(0).times(size(1)).list(size(1)),
        "lpad" | "rpad" => Width::of(size(1)).max(at(0)),
        "array_resize" | "list_resize" => {
            let given = args.get(2).copied().unwrap_or(Width::of(8)).max(at(0).element());
            given.max(Width::of(8)).times(size(1)).list(size(1))
        }
        "range" | "generate_series" => {
            let ends: Vec<i128> = exprs.iter().take(2).filter_map(literal_size).collect();
            let count = match ends.as_slice() {
                [stop] => magnitude(*stop),
                [start, stop] => magnitude(stop.saturating_sub(*start)),
                _ => LARGEST,
            };
            Width::of(8).times(count.saturating_add(1)).list(count)
        }
        // Each letter may become the other text.
        "replace" | "regexp_replace" | "translate" => at(0).times(at(2).bytes.max(1)).max(sum),
        // Each element, or argument, brings the separator again.
        "array_to_string" | "list_to_string" | "array_join" | "list_join" => {
            let elements = at(0).count().max(at(0).bytes / 8);
            let bytes = at(0).times(4).bytes.saturating_add(elements.saturating_mul(at(1).bytes));
            Width { bytes, elements: 1, ..at(0) }
        }
        "concat_ws" => sum.plus(at(0).times(args.len() as u64)),
        "string_to_array" | "string_to_list" | "regexp_match" => at(0).times(16).list(at(0).bytes),
        "encode" | "to_hex" => sum.times(3),
        "make_array" | "make_list" => sum.list(args.len() as u64),
        "flatten" => sum.list(sum.bytes / 8),
        "array_concat" | "array_cat" | "list_concat" | "list_cat" | "array_union" | "list_union" | "array_append"
        | "list_append" | "array_push_back" | "list_push_back" | "array_prepend" | "list_prepend"
        | "array_push_front" | "list_push_front" => sum.list(all),
        _ => sum,
    }
}

fn magnitude(size: i128) -> u64 {
    u64::try_from(size.unsigned_abs()).unwrap_or(u64::MAX)
}
