//! How large the values of an argument are, read from offsets and not from the values.

use arrow::array::{Array, ArrayRef, AsArray as _, Int64Array};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

use super::pattern::Patterns;

/// One value, or the largest of several in each respect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ValueSize {
    pub bytes: u64,
    /// As [`Self::bytes`], but of the shortest.
    pub least_bytes: u64,
    /// How many elements a list has; 1 for everything else.
    pub elements: u64,
    /// Bytes that one of its elements can have as text, beyond its own.
    pub element_text: u64,
    /// The magnitude of a whole number.
    pub number: u64,
    /// States of a pattern once its repetitions are written out.
    pub states: u64,
}

impl ValueSize {
    fn widened(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            least_bytes: self.least_bytes.min(other.least_bytes),
            elements: self.elements.max(other.elements),
            element_text: self.element_text.max(other.element_text),
            number: self.number.max(other.number),
            states: self.states.max(other.states),
        }
    }
}

/// The sizes of one argument, row by row.
pub(super) struct ArgumentSizes {
    array: ArrayRef,
    numbers: Option<Int64Array>,
    patterns: Option<Patterns>,
    element_text: u64,
    is_constant: bool,
}

impl ArgumentSizes {
    /// Reads an argument. Where it is a pattern, its states are counted as `patterns` say.
    pub fn read(argument: &ColumnarValue, pattern: Option<super::pattern::Dialect>) -> Result<Self> {
        let (array, is_constant) = match argument {
            ColumnarValue::Array(array) => (ArrayRef::clone(array), false),
            ColumnarValue::Scalar(value) => (value.to_array_of_size(1)?, true),
        };
        let numbers = array.data_type().is_integer().then(|| cast(&array, &DataType::Int64)).transpose()?;
        let numbers = numbers.map(|numbers| numbers.as_primitive::<Int64Type>().clone());
        let patterns = pattern.map(|dialect| Patterns::read(&array, dialect)).transpose()?;
        let element_text = element_of(array.data_type()).map_or(0, text_of);
        Ok(Self { array, numbers, patterns, element_text, is_constant })
    }

    /// The size of the value in this row.
    pub fn size(&self, row: usize) -> ValueSize {
        let row = if self.is_constant { 0 } else { row };
        if self.array.is_null(row) {
            return ValueSize::default();
        }
        let bytes = bytes_between(self.array.as_ref(), row, row + 1);
        ValueSize {
            bytes,
            least_bytes: bytes,
            elements: elements(self.array.as_ref(), row),
            element_text: self.element_text,
            number: self.numbers.as_ref().map_or(0, |numbers| numbers.value(row).unsigned_abs()),
            states: self.patterns.as_ref().map_or(0, |patterns| patterns.states(row)),
        }
    }

    /// The largest of all rows, in each respect.
    pub fn largest(&self) -> ValueSize {
        let rows = if self.is_constant { 1 } else { self.array.len() };
        let Some((least_bytes, bytes)) = self.extremes().filter(|_| rows > 1) else {
            return (0..rows).map(|row| self.size(row)).reduce(ValueSize::widened).unwrap_or_default();
        };
        let number = self.numbers.as_ref().map_or(0, |numbers| {
            let ends = [min(numbers), max(numbers)].into_iter().flatten();
            ends.map(i64::unsigned_abs).max().unwrap_or(0)
        });
        let states = self.patterns.as_ref().map_or(0, Patterns::most);
        ValueSize { bytes, least_bytes, elements: 1, element_text: 0, number, states }
    }

    /// The bytes of the shortest and of the longest value, where a look at each row can be spared.
    fn extremes(&self) -> Option<(u64, u64)> {
        let array = &self.array;
        let between = |offsets: &[i32]| {
            let lengths = offsets.iter().zip(offsets.iter().skip(1)).map(|(from, to)| to.saturating_sub(*from));
            let (least, most) =
                lengths.fold((i32::MAX, 0), |(least, most), length| (least.min(length), most.max(length)));
            Some((u64::try_from(least).ok()?, u64::try_from(most).ok()?))
        };
        match array.data_type() {
            DataType::Utf8 => between(array.as_string::<i32>().value_offsets()),
            DataType::Binary => between(array.as_binary::<i32>().value_offsets()),
            other => other.primitive_width().map(|width| (width as u64, width as u64)),
        }
    }
}

/// The type of what a list holds.
fn element_of(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => Some(item.data_type()),
        _ => None,
    }
}

/// Bytes that a value of the type can have as text, beyond its own: the largest float has 309 digits.
fn text_of(data_type: &DataType) -> u64 {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => 0,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => 340,
        DataType::Decimal128(..) | DataType::Decimal256(..) => 120,
        _ => match element_of(data_type) {
            Some(item) => text_of(item),
            None => 48,
        },
    }
}

fn elements(array: &dyn Array, row: usize) -> u64 {
    let count = match array.data_type() {
        DataType::List(_) => usize::try_from(array.as_list::<i32>().value_length(row)).unwrap_or(0),
        DataType::LargeList(_) => usize::try_from(array.as_list::<i64>().value_length(row)).unwrap_or(0),
        DataType::FixedSizeList(_, size) => usize::try_from(*size).unwrap_or(0),
        _ => 1,
    };
    count as u64
}

/// Bytes of the values in rows `start..end`, those of lists with all that they hold.
pub(in crate::engine) fn bytes_between(array: &dyn Array, start: usize, end: usize) -> u64 {
    let rows = end.saturating_sub(start) as u64;
    let whole = |from: Option<&i32>, to: Option<&i32>| {
        let ends = from.zip(to).map(|(from, to)| to.saturating_sub(*from));
        ends.and_then(|length| u64::try_from(length).ok()).unwrap_or(0)
    };
    let large = |from: Option<&i64>, to: Option<&i64>| {
        let ends = from.zip(to).map(|(from, to)| to.saturating_sub(*from));
        ends.and_then(|length| u64::try_from(length).ok()).unwrap_or(0)
    };
    let inside = |item: &ArrayRef, from: Option<usize>, to: Option<usize>| {
        from.zip(to).map_or(0, |(from, to)| bytes_between(item.as_ref(), from, to)).saturating_add(4 * rows)
    };
    match array.data_type() {
        DataType::Utf8 => {
            let offsets = array.as_string::<i32>().value_offsets();
            whole(offsets.get(start), offsets.get(end))
        }
        DataType::Binary => {
            let offsets = array.as_binary::<i32>().value_offsets();
            whole(offsets.get(start), offsets.get(end))
        }
        DataType::LargeUtf8 => {
            let offsets = array.as_string::<i64>().value_offsets();
            large(offsets.get(start), offsets.get(end))
        }
        DataType::LargeBinary => {
            let offsets = array.as_binary::<i64>().value_offsets();
            large(offsets.get(start), offsets.get(end))
        }
        // The length of a view is its lowest 32 bits.
        DataType::Utf8View => views(array.as_string_view().views(), start, end),
        DataType::BinaryView => views(array.as_binary_view().views(), start, end),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let at = |place: usize| list.value_offsets().get(place).and_then(|offset| usize::try_from(*offset).ok());
            inside(list.values(), at(start), at(end))
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let at = |place: usize| list.value_offsets().get(place).and_then(|offset| usize::try_from(*offset).ok());
            inside(list.values(), at(start), at(end))
        }
        DataType::FixedSizeList(_, size) => {
            let size = usize::try_from(*size).unwrap_or(0);
            let list = array.as_fixed_size_list();
            inside(list.values(), Some(start.saturating_mul(size)), Some(end.saturating_mul(size)))
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns.map(|column| bytes_between(column.as_ref(), start, end)).fold(0, u64::saturating_add)
        }
        DataType::Boolean => rows,
        other => match other.primitive_width() {
            Some(width) => rows.saturating_mul(width as u64),
            None => average(array).saturating_mul(rows),
        },
    }
}

fn views(views: &[u128], start: usize, end: usize) -> u64 {
    let views = views.get(start..end).unwrap_or_default();
    views.iter().map(|view| u64::try_from(*view & u128::from(u32::MAX)).unwrap_or(0)).fold(0, u64::saturating_add)
}

/// Dictionaries, maps and unions: nothing here makes them longer.
fn average(array: &dyn Array) -> u64 {
    (array.get_array_memory_size() / array.len().max(1)) as u64
}
