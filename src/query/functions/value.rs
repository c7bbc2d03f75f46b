//! One value's width: of a type, a literal, and what a function makes of others.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;

use super::check::literal_size;
use super::names::LARGEST;
use super::series::steps;
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
        .of_type(data_type)
    }

    /// At least what a value of the type takes even if it is NULL. What is refused as a type counts as too wide.
    pub fn of_type(self, data_type: &DataType) -> Self {
        let bytes = fixed(data_type).unwrap_or(u64::MAX);
        let elements = match data_type {
            DataType::FixedSizeList(_, size) => u64::try_from(*size).unwrap_or(u64::MAX),
            _ => 1,
        };
        Self { bytes: self.bytes.max(bytes), elements: self.elements.max(elements), ..self }
    }

    pub fn times(self, count: u64) -> Self {
        let many = self.gathered && (count >= MANY || self.bytes.saturating_mul(count) >= USUAL * MANY);
        let bytes = if many { self.bytes.max(GATHERED) } else { self.bytes };
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
        let width = Self { bytes: self.bytes.saturating_add(other.bytes), ..self }.with(other);
        let many = width.gathered && width.bytes >= USUAL * MANY;
        if many { Self { bytes: width.bytes.max(GATHERED), ..width } } else { width }
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

/// Bytes of a fixed size that values inside others may have: no more than what they hold instead of it.
const SMALL_PART: u64 = 64;

/// Bytes that a value of the type takes even if it is NULL; none for a type that is not offered.
///
/// Arrays of such types have no offsets, and no bound that comes with those.
pub(super) fn fixed(data_type: &DataType) -> Option<u64> {
    use DataType as T;
    // Inside another: how many there are is not known, so they are small.
    let inside = |part: &DataType| fixed(part).filter(|bytes| *bytes <= SMALL_PART).map(|_| 0);
    match data_type {
        T::FixedSizeBinary(size) => u64::try_from(*size).ok(),
        T::FixedSizeList(item, size) => {
            let item = item.data_type();
            let bytes = match item {
                T::Struct(_) => return None,
                item => fixed(item)?.max(item.primitive_width().map_or(USUAL, |bytes| bytes as u64)),
            };
            Some(bytes.saturating_mul(u64::try_from(*size).ok()?))
        }
        T::List(item) | T::LargeList(item) | T::ListView(item) | T::LargeListView(item) | T::Map(item, _) => {
            inside(item.data_type())
        }
        T::Struct(fields) => fields.iter().try_fold(0, |_, field| inside(field.data_type())),
        T::Dictionary(_, values) => inside(values),
        T::RunEndEncoded(ends, values) => {
            let ends = matches!(ends.data_type(), T::Int16 | T::Int32 | T::Int64);
            if ends && !values.data_type().is_nested() { inside(values.data_type()) } else { None }
        }
        T::Union(..) => None,
        _ => Some(0),
    }
}

/// Whether arrays of the type, or of one in it, can be longer than the two gigabytes that all others stop at.
pub(super) fn is_boundless(data_type: &DataType) -> bool {
    use DataType as T;
    match data_type {
        T::LargeUtf8 | T::LargeBinary | T::LargeList(_) | T::LargeListView(_) | T::Utf8View | T::BinaryView => true,
        T::List(item) | T::ListView(item) | T::FixedSizeList(item, _) | T::Map(item, _) => {
            is_boundless(item.data_type())
        }
        T::Struct(fields) => fields.iter().any(|field| is_boundless(field.data_type())),
        T::Dictionary(_, values) => is_boundless(values),
        T::RunEndEncoded(_, values) => is_boundless(values.data_type()),
        T::Union(fields, _) => fields.iter().any(|(_, field)| is_boundless(field.data_type())),
        _ => false,
    }
}

/// What a value of a boundless type, made of columns, may count as: more was multiplied.
pub(super) fn most_of_columns(data_type: &DataType) -> u64 {
    if data_type.is_nested() { USUAL * ELEMENTS * MANY } else { USUAL * MANY }
}

pub(super) fn literal(value: &ScalarValue) -> Width {
    let bytes = match value {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            text.as_ref().map_or(0, String::len)
        }
        ScalarValue::Null => 0,
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
        // Beside the elements stands where each comes from.
        "array_repeat" | "list_repeat" => at(0).plus(Width::of(16)).times(size(1)).list(size(1)),
        "lpad" | "rpad" => Width::of(size(1)).max(at(0)),
        "array_resize" | "list_resize" => {
            let given = args.get(2).copied().unwrap_or(Width::of(8)).max(at(0).element());
            given.max(Width::of(8)).times(size(1)).list(size(1))
        }
        "range" | "generate_series" => {
            let count = steps(exprs).map_or(LARGEST, magnitude);
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
