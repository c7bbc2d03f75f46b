//! Values as files hold them → values as they are promised, at every depth.
//!
//! Nothing in a file can make a conversion fail: it runs below the policy, and an error would tell of a hidden row. A value that has no
//! meaning as promised is NULL and counts as lost.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, Float64Array, ListArray, PrimitiveArray, StringArray,
    StructArray, new_null_array,
};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DecimalType, Field, FieldRef, Fields, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use datafusion::arrow::error::ArrowError;

type Result<T> = std::result::Result<T, ArrowError>;

/// Which values had no meaning as promised.
#[derive(Debug, Clone)]
pub(super) enum Lost {
    None,
    Rows(BooleanBuffer),
    Fields(Vec<(String, Self)>),
}

impl Lost {
    /// Rows in which something at `path` was lost, or below it.
    pub(super) fn rows(&self, path: &[String], length: usize) -> BooleanArray {
        BooleanArray::new(self.below(path).unwrap_or_else(|| BooleanBuffer::new_unset(length)), None)
    }

    fn below(&self, path: &[String]) -> Option<BooleanBuffer> {
        match (self, path) {
            (Self::None, _) => None,
            (Self::Rows(rows), _) => Some(rows.clone()),
            (Self::Fields(fields), [first, rest @ ..]) => fields.iter().find(|(name, _)| name == first)?.1.below(rest),
            (Self::Fields(fields), []) => {
                fields.iter().filter_map(|(_, lost)| lost.below(path)).reduce(|one, other| &one | &other)
            }
        }
    }

    /// Without what stands where there is nothing.
    fn under(self, parent: Option<&NullBuffer>) -> Self {
        match (self, parent) {
            (Self::Rows(rows), Some(parent)) => Self::Rows(&rows & parent.inner()),
            (Self::Fields(fields), Some(_)) => {
                Self::Fields(fields.into_iter().map(|(name, lost)| (name, lost.under(parent))).collect())
            }
            (lost, _) => lost,
        }
    }
}

/// Values of the type `to`, whose structs have the names that files use. A field that a file lacks is NULL.
///
/// # Errors
/// Only where the types have nothing to do with each other, which is checked before files are read.
pub(super) fn convert(array: &ArrayRef, to: &DataType) -> Result<(ArrayRef, Lost)> {
    match (array.data_type(), to) {
        (from, to) if from == to => Ok((Arc::clone(array), Lost::None)),
        (DataType::Null, to) => Ok((new_null_array(to, array.len()), Lost::None)),
        (DataType::Dictionary(_, values), to) => convert(&safe_cast(array, values)?, to),
        (DataType::Struct(_), DataType::Struct(fields)) => structure(array.as_struct(), fields),
        (_, DataType::List(item)) => list(array, item),
        (_, to) => leaf(array, to),
    }
}

fn structure(array: &StructArray, to: &Fields) -> Result<(ArrayRef, Lost)> {
    let (mut arrays, mut losses) = (Vec::new(), Vec::new());
    for field in to {
        let (values, lost) = match array.column_by_name(field.name()) {
            Some(found) => convert(found, field.data_type())?,
            None => (new_null_array(field.data_type(), array.len()), Lost::None),
        };
        arrays.push(values);
        losses.push((field.name().clone(), lost.under(array.nulls())));
    }
    let values = StructArray::try_new_with_length(to.clone(), arrays, array.nulls().cloned(), array.len())?;
    Ok((Arc::new(values), Lost::Fields(losses)))
}

fn list(array: &ArrayRef, item: &FieldRef) -> Result<(ArrayRef, Lost)> {
    let (offsets, values, nulls) = match array.data_type() {
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            (lists.offsets().clone(), Arc::clone(lists.values()), lists.nulls().cloned())
        }
        DataType::Map(..) => {
            let maps = array.as_map();
            (maps.offsets().clone(), pairs(maps.entries(), item.data_type())?, maps.nulls().cloned())
        }
        DataType::LargeList(inner)
        | DataType::FixedSizeList(inner, _)
        | DataType::ListView(inner)
        | DataType::LargeListView(inner) => {
            let plain = DataType::new_list(inner.data_type().clone(), true);
            return list(&safe_cast(array, &plain)?, item);
        }
        other => return Err(ArrowError::CastError(format!("{other} is no list"))),
    };
    let (values, lost) = convert(&values, item.data_type())?;
    let lost = lost.below(&[]).map_or(Lost::None, |lost| Lost::Rows(in_rows(&lost, &offsets)));
    let lost = lost.under(nulls.as_ref());
    Ok((Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, nulls)?), lost))
}

/// Lists of which some element is marked.
fn in_rows(elements: &BooleanBuffer, offsets: &OffsetBuffer<i32>) -> BooleanBuffer {
    let at = |offset: i32| usize::try_from(offset).unwrap_or(0);
    let rows = offsets.iter().zip(offsets.iter().skip(1));
    rows.map(|(from, to)| (at(*from)..at(*to)).any(|i| elements.value(i))).collect()
}

/// The entries of maps under the names that the promised struct gives to key and value.
fn pairs(entries: &StructArray, to: &DataType) -> Result<ArrayRef> {
    let (DataType::Struct(fields), [key, value]) = (to, entries.columns()) else {
        return Err(ArrowError::CastError(format!("a map does not become a list of {to}")));
    };
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = fields
        .iter()
        .zip([key, value])
        .map(|(field, values)| (Field::new(field.name(), values.data_type().clone(), true), Arc::clone(values)))
        .unzip();
    Ok(Arc::new(StructArray::try_new(fields.into(), columns, entries.nulls().cloned())?))
}

fn leaf(array: &ArrayRef, to: &DataType) -> Result<(ArrayRef, Lost)> {
    use DataType as T;
    let values: ArrayRef = match (array.data_type(), to) {
        (T::FixedSizeBinary(16), T::Utf8) => Arc::new(uuids(array.as_fixed_size_binary())),
        (T::Timestamp(unit, _), T::Timestamp(TimeUnit::Microsecond, zone)) => {
            Arc::new(micros(array, *unit).with_timezone_opt(zone.clone()))
        }
        (T::Date64, T::Date32) => Arc::new(
            array
                .as_primitive::<Date64Type>()
                .unary_opt::<_, Date32Type>(|millis| i32::try_from(millis.div_euclid(86_400_000)).ok()),
        ),
        (T::UInt64, T::Int64) => {
            Arc::new(array.as_primitive::<UInt64Type>().unary_opt::<_, Int64Type>(|value| i64::try_from(value).ok()))
        }
        (T::Int64, T::Float64) => {
            Arc::new(array.as_primitive::<Int64Type>().unary_opt::<_, Float64Type>(|value| whole(value.into())))
        }
        (T::UInt64, T::Float64) => {
            Arc::new(array.as_primitive::<UInt64Type>().unary_opt::<_, Float64Type>(|value| whole(value.into())))
        }
        (T::Decimal32(..), T::Float64) => Arc::new(floats::<Decimal32Type>(array)),
        (T::Decimal64(..), T::Float64) => Arc::new(floats::<Decimal64Type>(array)),
        (T::Decimal128(..), T::Float64) => Arc::new(floats::<Decimal128Type>(array)),
        (T::Decimal256(..), T::Float64) => Arc::new(floats::<Decimal256Type>(array)),
        (_, to) => safe_cast(array, to)?,
    };
    let lost = match (array.logical_nulls(), values.logical_nulls()) {
        (_, None) => Lost::None,
        (None, Some(after)) => Lost::Rows(!after.inner()),
        (Some(before), Some(after)) if before.null_count() == after.null_count() => Lost::None,
        (Some(before), Some(after)) => Lost::Rows(before.inner() & &!after.inner()),
    };
    Ok((values, lost))
}

fn safe_cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    cast_with_options(array, to, &CastOptions { safe: true, ..CastOptions::default() })
}

/// Down to the microsecond, before 1970 as after: the end of a day stays in its day.
fn micros(array: &ArrayRef, unit: TimeUnit) -> PrimitiveArray<TimestampMicrosecondType> {
    fn each<T: ArrowPrimitiveType<Native = i64>>(
        array: &ArrayRef,
        micros: impl Fn(i64) -> Option<i64>,
    ) -> PrimitiveArray<TimestampMicrosecondType> {
        array.as_primitive::<T>().unary_opt(micros)
    }
    match unit {
        TimeUnit::Second => each::<TimestampSecondType>(array, |value| value.checked_mul(1_000_000)),
        TimeUnit::Millisecond => each::<TimestampMillisecondType>(array, |value| value.checked_mul(1_000)),
        TimeUnit::Microsecond => each::<TimestampMicrosecondType>(array, Some),
        TimeUnit::Nanosecond => each::<TimestampNanosecondType>(array, |value| Some(value.div_euclid(1_000))),
    }
}

/// Sixteen bytes as people write a UUID (RFC 9562).
fn uuids(array: &FixedSizeBinaryArray) -> StringArray {
    let text = |bytes: &[u8]| {
        let digits = format!("{:032x}", u128::from_be_bytes(bytes.try_into().ok()?));
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
        Some(parts.join("-"))
    };
    array.iter().map(|bytes| bytes.and_then(text)).collect()
}

/// The number if a float can express it.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "what is lost is looked at")]
fn whole(value: i128) -> Option<f64> {
    let float = value as f64;
    (float as i128 == value).then_some(float)
}

/// Decimals as the floats that are written like them; none where no float is.
fn floats<T: DecimalType + ArrowPrimitiveType>(array: &ArrayRef) -> Float64Array {
    let decimals = array.as_primitive::<T>();
    (0..decimals.len()).map(|i| decimals.is_valid(i).then(|| float(&decimals.value_as_string(i))).flatten()).collect()
}

fn float(decimal: &str) -> Option<f64> {
    let short = match decimal.split_once('.') {
        Some((_, digits)) if digits.bytes().all(|b| b == b'0') => decimal.split('.').next().unwrap_or_default(),
        Some(_) => decimal.trim_end_matches('0'),
        None => decimal,
    };
    if let Ok(value) = short.parse::<i128>() {
        return whole(value);
    }
    // The shortest text that makes a float again is its own.
    let float: f64 = short.parse().ok()?;
    (float.to_string() == short).then_some(float)
}

/// The same values under other names: both types have one shape.
///
/// # Errors
/// Where they have not.
pub(super) fn rename(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    Ok(match (array.data_type(), to) {
        (from, to) if from == to => Arc::clone(array),
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let array = array.as_struct();
            let columns = array.columns().iter().zip(fields).map(|(values, field)| rename(values, field.data_type()));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns, array.nulls().cloned(), array.len())?)
        }
        (DataType::List(_), DataType::List(item)) => {
            let array = array.as_list::<i32>();
            let values = rename(array.values(), item.data_type())?;
            Arc::new(ListArray::try_new(Arc::clone(item), array.offsets().clone(), values, array.nulls().cloned())?)
        }
        (from, to) => return Err(ArrowError::CastError(format!("{from} is not {to} under other names"))),
    })
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{
        BinaryArray, Decimal128Array, Int64Array, TimestampNanosecondArray, UInt64Array, types::Int32Type,
    };
    use datafusion::arrow::array::{DictionaryArray, Int32Array, MapBuilder, StringBuilder};
    use datafusion::arrow::util::display::array_value_to_string;

    use super::*;

    fn check(array: impl Array + 'static, to: &DataType, values: &[&str], lost: &[bool]) {
        let array: ArrayRef = Arc::new(array);
        let (found, marks) = convert(&array, to).unwrap();
        assert_eq!(found.data_type(), to);
        let shown: Vec<String> = (0..found.len()).map(|i| array_value_to_string(&found, i).unwrap()).collect();
        assert_eq!(shown, values);
        let marks = marks.rows(&[], found.len());
        assert_eq!(marks.iter().map(|mark| mark == Some(true)).collect::<Vec<_>>(), lost);
    }

    fn moment() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, None)
    }

    #[test]
    fn nanoseconds_are_cut_down() {
        let times = TimestampNanosecondArray::from(vec![Some(-1), Some(-1_000), Some(1_999), None]);
        let values = ["1969-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999", "1970-01-01T00:00:00.000001", ""];
        check(times.clone(), &moment(), &values, &[false; 4]);
        let lists = ListArray::try_new(
            Arc::new(Field::new("element", DataType::Timestamp(TimeUnit::Nanosecond, None), false)),
            OffsetBuffer::from_lengths([2]),
            Arc::new(times.slice(0, 2)),
            None,
        );
        let values = ["[1969-12-31T23:59:59.999999, 1969-12-31T23:59:59.999999]"];
        check(lists.unwrap(), &DataType::new_list(moment(), true), &values, &[false]);
    }

    #[test]
    fn numbers_become_floats_without_loss() {
        let large = [Some(3), Some(1 << 60), Some((1 << 60) + 1), None];
        check(
            Int64Array::from(large.to_vec()),
            &DataType::Float64,
            &["3.0", "1.152921504606847e18", "", ""],
            &[false, false, true, false],
        );
        check(UInt64Array::from(vec![u64::MAX]), &DataType::Float64, &[""], &[true]);
        check(UInt64Array::from(vec![7, u64::MAX]), &DataType::Int64, &["7", ""], &[false, true]);
        let decimals = Decimal128Array::from(vec![110, 0, -5, 12_345_678_901_234_567_890_123]);
        let decimals = decimals.with_precision_and_scale(38, 2).unwrap();
        check(decimals, &DataType::Float64, &["1.1", "0.0", "-0.05", ""], &[false, false, false, true]);
    }

    #[test]
    fn bytes_become_text_where_they_are() {
        let bytes = BinaryArray::from(vec![Some(b"OPEN".as_slice()), Some(b"\xff"), None]);
        check(bytes, &DataType::Utf8, &["OPEN", "", ""], &[false, true, false]);
        let ids = FixedSizeBinaryArray::try_from_iter([[0x9a; 16]].into_iter()).unwrap();
        check(ids, &DataType::Utf8, &["9a9a9a9a-9a9a-9a9a-9a9a-9a9a9a9a9a9a"], &[false]);
        let words: DictionaryArray<Int32Type> = ["a", "b"].into_iter().collect();
        check(words, &DataType::Utf8, &["a", "b"], &[false, false]);
    }

    #[test]
    fn what_is_lost_is_marked_by_its_path() {
        let inner =
            DataType::Struct(vec![Field::new("at", moment(), true), Field::new("new", DataType::Utf8, true)].into());
        let times: ArrayRef = Arc::new(PrimitiveArray::<TimestampMillisecondType>::from(vec![1, i64::MAX, i64::MAX]));
        let field = Arc::new(Field::new("at", times.data_type().clone(), true));
        let nulls = NullBuffer::from(vec![true, true, false]);
        let array: ArrayRef = Arc::new(StructArray::new(vec![field].into(), vec![times], Some(nulls)));
        let (_, lost) = convert(&array, &inner).unwrap();
        let at = |path: &str| lost.rows(&[path.to_owned()], 3).iter().flatten().collect::<Vec<_>>();
        assert_eq!(at("at"), [false, true, false], "what stands under NULL is not there");
        assert_eq!(at("new"), [false; 3]);
        check(array, &inner, &["{at: 1970-01-01T00:00:00.001, new: }", "{at: , new: }", ""], &[false, true, false]);
    }

    #[test]
    fn maps_become_lists_of_pairs() {
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Array::builder(2));
        maps.keys().append_value("a");
        maps.values().append_value(1);
        maps.append(true).unwrap();
        maps.append(false).unwrap();
        let pair = DataType::Struct(
            vec![Field::new("k", DataType::Utf8, true), Field::new("v", DataType::Int64, true)].into(),
        );
        check(maps.finish(), &DataType::new_list(pair, true), &["[{k: a, v: 1}]", ""], &[false, false]);
    }
}
