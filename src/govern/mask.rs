//! Masks over columns. Total: none fails on any input.
//!
//! Every result is built afresh from the values it shows: no view, slice or null slot keeps a byte of the original.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, StringArray, new_null_array};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use chrono::{DateTime, Datelike, NaiveDate};
use std::sync::Arc;

use super::exposure::Shown;
use super::hash::HashKey;
use super::text::{date, text};
use crate::policy::Mask;

const REDACTED: &str = "***";

/// What `shown` makes of the chosen rows, in the array's own type or, with `as_text`, as text; the other rows are NULL.
pub(super) fn apply(
    shown: Shown,
    array: &ArrayRef,
    chosen: &dyn Fn(usize) -> bool,
    key: &HashKey,
    as_text: bool,
) -> ArrayRef {
    let masked = masked(shown.mask, array, chosen);
    if !as_text {
        // A hash makes its column text; without that it has no place to go.
        return if shown.hashed { new_null_array(array.data_type(), array.len()) } else { masked };
    }
    let text = text(&masked);
    let keep = |i: usize| text.is_valid(i) && chosen(i);
    let value = |i: usize| keep(i).then(|| text.value(i));
    let rows = 0..text.len();
    let out: StringArray = match (shown.hashed, key.hash()) {
        (false, _) => rows.map(value).collect(),
        (true, Some(hash)) => rows.map(|i| value(i).map(&hash)).collect(),
        (true, None) => StringArray::new_null(text.len()),
    };
    Arc::new(out)
}

fn masked(mask: Mask, array: &ArrayRef, chosen: &dyn Fn(usize) -> bool) -> ArrayRef {
    let nothing = || new_null_array(array.data_type(), array.len());
    match mask {
        // The caller copies what it keeps.
        Mask::Clear => Arc::clone(array),
        Mask::First(n) => strings(array, chosen, |value| ends(value, n.0, true)),
        Mask::Last(n) => strings(array, chosen, |value| ends(value, n.0, false)),
        Mask::EmailDomain => strings(array, chosen, email_domain),
        Mask::Redact => strings(array, chosen, |_| REDACTED),
        Mask::Month => start_of(array, chosen, |at| at.with_day(1)),
        Mask::Year => start_of(array, chosen, |at| at.with_day(1)?.with_month(1)),
        Mask::Bucket(k) => bucket(array, chosen, k),
        Mask::Hash | Mask::Null | Mask::Hidden => nothing(),
    }
}

fn strings<'a>(array: &'a ArrayRef, chosen: &dyn Fn(usize) -> bool, show: impl Fn(&'a str) -> &'a str) -> ArrayRef {
    let Some(values) = array.as_string_opt::<i32>() else { return new_null_array(array.data_type(), array.len()) };
    let shown = values.iter().enumerate().map(|(i, value)| value.filter(|_| chosen(i)).map(&show));
    Arc::new(shown.collect::<StringArray>())
}

/// The first or last `n` characters of a value that is longer.
fn ends(value: &str, n: u32, first: bool) -> &str {
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    let cut = if first {
        value.char_indices().nth(n).and_then(|(at, _)| value.get(..at))
    } else {
        let last = value.char_indices().rev().nth(n.saturating_sub(1)).filter(|(at, _)| *at > 0);
        last.and_then(|(at, _)| value.get(at..))
    };
    cut.unwrap_or(REDACTED)
}

/// What stands behind the last `@`, if something stands on both sides of it.
fn email_domain(value: &str) -> &str {
    match value.rsplit_once('@') {
        Some((local, domain)) if !local.is_empty() && !domain.is_empty() => domain,
        _ => REDACTED,
    }
}

fn primitives<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    chosen: &dyn Fn(usize) -> bool,
    show: impl Fn(T::Native) -> Option<T::Native>,
) -> ArrayRef {
    let Some(values) = array.as_primitive_opt::<T>() else { return new_null_array(array.data_type(), array.len()) };
    let shown = values.iter().enumerate().map(|(i, value)| value.filter(|_| chosen(i)).and_then(&show));
    Arc::new(shown.collect::<PrimitiveArray<T>>().with_data_type(array.data_type().clone()))
}

/// The start of the month or year; NULL beyond the calendar.
fn start_of(
    array: &ArrayRef,
    chosen: &dyn Fn(usize) -> bool,
    floor: impl Fn(NaiveDate) -> Option<NaiveDate>,
) -> ArrayRef {
    match array.data_type() {
        DataType::Date32 => primitives::<Date32Type>(array, chosen, |days| Some(floor(date(days)?)?.to_epoch_days())),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            primitives::<TimestampMicrosecondType>(array, chosen, |micros| {
                let at = DateTime::from_timestamp_micros(micros)?.date_naive();
                i64::from(floor(at)?.to_epoch_days()).checked_mul(86_400_000_000)
            })
        }
        _ => new_null_array(array.data_type(), array.len()),
    }
}

/// Floor to a multiple of `k`; where that lies below the type's range, the range's end stands for the bucket.
fn bucket(array: &ArrayRef, chosen: &dyn Fn(usize) -> bool, k: u64) -> ArrayRef {
    let k = i128::from(k.max(1));
    macro_rules! integers {
        ($($type:ident => $native:ty),*) => {
            match array.data_type() {
                $(&<$type as ArrowPrimitiveType>::DATA_TYPE => primitives::<$type>(array, chosen, |value| {
                    let value = i128::from(value);
                    Some(<$native>::try_from(value - value.rem_euclid(k)).unwrap_or(<$native>::MIN))
                }),)*
                DataType::Decimal128(precision, scale) => decimals(array, chosen, k, *precision, *scale),
                DataType::Float32 => primitives::<Float32Type>(array, chosen, |value| {
                    // The bucket is found in double precision; the nearest single may lie above the value only by rounding.
                    #[expect(clippy::cast_possible_truncation, reason = "a float column keeps its type")]
                    Some(floor(f64::from(value), k) as f32)
                }),
                DataType::Float64 => primitives::<Float64Type>(array, chosen, |value| Some(floor(value, k))),
                _ => new_null_array(array.data_type(), array.len()),
            }
        };
    }
    integers!(
        Int8Type => i8, Int16Type => i16, Int32Type => i32, Int64Type => i64,
        UInt8Type => u8, UInt16Type => u16, UInt32Type => u32, UInt64Type => u64
    )
}

fn decimals(array: &ArrayRef, chosen: &dyn Fn(usize) -> bool, k: i128, precision: u8, scale: i8) -> ArrayRef {
    let smallest = 1 - 10_i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
    let ten = |exponent: u32| 10_i128.checked_pow(exponent);
    let power = u32::from(scale.unsigned_abs());
    // In units of the column. A negative scale counts in tens, and a bucket finer than that is the value itself.
    let unit = if scale >= 0 {
        ten(power).and_then(|tens| k.checked_mul(tens))
    } else {
        ten(power).map(|tens| if k % tens == 0 { k / tens } else { k })
    };
    primitives::<Decimal128Type>(array, chosen, |value| match unit {
        Some(unit) => Some(value.checked_sub(value.rem_euclid(unit)).map_or(smallest, |floor| floor.max(smallest))),
        None => Some(if value >= 0 { 0 } else { smallest }),
    })
}

fn floor(value: f64, k: i128) -> f64 {
    if value.is_nan() {
        // One NaN for all: its payload may carry something.
        return f64::NAN;
    }
    #[expect(clippy::cast_precision_loss, reason = "buckets of a float are floats")]
    let k = k as f64;
    let floor = (value / k).floor() * k;
    let floor = if floor > value { floor - k } else { floor };
    // Near the ends of the range, the product may round to an infinity.
    if value.is_finite() { floor.clamp(f64::MIN, f64::MAX) } else { floor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::*;
    use arrow::util::display::array_value_to_string;
    use proptest::prelude::*;

    fn key() -> HashKey {
        HashKey::new(Some("key".to_owned().into()))
    }

    fn show(mask: &str, array: impl Array + 'static) -> Vec<String> {
        let array: ArrayRef = Arc::new(array);
        let masked = apply(Shown { mask: mask.parse().unwrap(), hashed: false }, &array, &|_| true, &key(), false);
        assert_eq!(masked.data_type(), array.data_type());
        (0..masked.len()).map(|i| array_value_to_string(&masked, i).unwrap()).collect()
    }

    #[test]
    fn text_masks_count_characters() {
        let text = || StringArray::from(vec![Some("Ärger"), Some("ab"), Some(""), None, Some("a@b@ß.de"), Some("@x")]);
        assert_eq!(show("first(2)", text()), ["Är", "***", "***", "", "a@", "***"]);
        assert_eq!(show("last(2)", text()), ["er", "***", "***", "", "de", "***"]);
        assert_eq!(show("email_domain", text()), ["***", "***", "***", "", "ß.de", "***"]);
        assert_eq!(show("redact", text()), ["***", "***", "***", "", "***", "***"]);
        assert_eq!(show("null", text()), ["", "", "", "", "", ""]);
        assert_eq!(show("bucket(2)", text()), ["", "", "", "", "", ""], "what does not fit shows nothing");
    }

    #[test]
    fn calendars_floor_and_extremes_are_null() {
        let dates = Date32Array::from(vec![Some(0), Some(-1), Some(20_412), None, Some(i32::MAX), Some(i32::MIN)]);
        assert_eq!(show("month", dates.clone()), ["1970-01-01", "1969-12-01", "2025-11-01", "", "", ""]);
        assert_eq!(show("year", dates), ["1970-01-01", "1969-01-01", "2025-01-01", "", "", ""]);
        let times = TimestampMicrosecondArray::from(vec![
            Some(-1),
            Some(i64::MAX),
            Some(i64::MIN),
            Some(1_763_683_200_000_001),
        ]);
        let shown = show("month", times.with_timezone("UTC"));
        assert_eq!(shown[0], "1969-12-01T00:00:00Z");
        assert_eq!((shown[2].as_str(), shown[3].as_str()), ("", "2025-11-01T00:00:00Z"));
    }

    #[test]
    fn buckets_floor_in_every_number() {
        assert_eq!(show("bucket(10)", Int8Array::from(vec![-128, -1, 0, 19, 127])), ["-128", "-10", "0", "10", "120"]);
        assert_eq!(show("bucket(1000)", Int8Array::from(vec![-1, 1])), ["-128", "0"]);
        assert_eq!(
            show("bucket(10)", Int64Array::from(vec![i64::MIN, i64::MAX])),
            ["-9223372036854775808", "9223372036854775800"]
        );
        assert_eq!(show("bucket(10)", UInt64Array::from(vec![u64::MAX])), ["18446744073709551610"]);
        let money =
            Decimal128Array::from(vec![Some(1_234_567), Some(-1), None]).with_precision_and_scale(12, 2).unwrap();
        assert_eq!(show("bucket(10000)", money), ["10000.00", "-10000.00", ""]);
        let tight = Decimal128Array::from(vec![-9_999, 9_999]).with_precision_and_scale(4, 2).unwrap();
        assert_eq!(show("bucket(1000)", tight), ["-99.99", "0.00"]);
        let floats = Float64Array::from(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.5, 29.9, f64::MAX]);
        assert_eq!(show("bucket(10)", floats)[..5], ["NaN", "inf", "-inf", "-10.0", "20.0"]);
    }

    #[test]
    fn hashes_are_of_what_the_offer_shows_and_of_every_scalar() {
        let hash = |mask: &str, array: ArrayRef| -> Vec<Option<String>> {
            let shown = Shown { mask: mask.parse().unwrap(), hashed: true };
            let text = apply(shown, &array, &|_| true, &key(), true);
            text.as_string::<i32>().iter().map(|v| v.map(str::to_owned)).collect()
        };
        let small = hash("clear", Arc::new(Int8Array::from(vec![Some(5), None])));
        let large = hash("clear", Arc::new(Int64Array::from(vec![5])));
        assert_eq!(small[0], large[0], "equal values stay joinable");
        assert_eq!((small[0].as_ref().unwrap().len(), &small[1]), (64, &None));
        let buckets = hash("bucket(10)", Arc::new(Int64Array::from(vec![11, 19, 20])));
        assert!(buckets[0] == buckets[1] && buckets[1] != buckets[2]);
        assert_eq!(buckets[0], hash("clear", Arc::new(Int64Array::from(vec![10])))[0]);
        let scalars: Vec<ArrayRef> = vec![
            Arc::new(BooleanArray::from(vec![true])),
            Arc::new(BinaryArray::from(vec![b"x".as_slice()])),
            Arc::new(Time64MicrosecondArray::from(vec![i64::MAX])),
            Arc::new(Date32Array::from(vec![i32::MIN])),
            Arc::new(Float32Array::from(vec![f32::NAN])),
        ];
        for array in scalars {
            assert_eq!(hash("clear", Arc::clone(&array))[0].as_ref().unwrap().len(), 64, "{}", array.data_type());
        }
        let missing = apply(
            Shown { hashed: true, ..Shown::CLEAR },
            &(Arc::new(Int8Array::from(vec![1])) as ArrayRef),
            &|_| true,
            &HashKey::new(None),
            true,
        );
        assert_eq!(missing.null_count(), 1);
    }

    #[test]
    fn clear_cells_of_a_text_column_print_as_sql_does() {
        let print = |array: ArrayRef| {
            let shown = apply(Shown::CLEAR, &array, &|_| true, &key(), true);
            shown.as_string::<i32>().value(0).to_owned()
        };
        let micros = TimestampMicrosecondArray::from(vec![1_500_000]);
        assert_eq!(print(Arc::new(micros.clone())), "1970-01-01T00:00:01.500");
        assert_eq!(print(Arc::new(micros.with_timezone("UTC"))), "1970-01-01T00:00:01.500Z");
        assert_eq!(
            print(Arc::new(Decimal128Array::from(vec![-1_250]).with_precision_and_scale(12, 2).unwrap())),
            "-12.50"
        );
        assert_eq!(print(Arc::new(Float64Array::from(vec![-0.0]))), "0.0");
        assert_eq!(print(Arc::new(Date32Array::from(vec![20_412]))), "2025-11-20");
    }

    #[test]
    fn nothing_of_the_original_stays_behind() {
        let secret: ArrayRef = Arc::new(StringArray::from(vec!["a-very-secret-value-1234", "other-secret-value"]));
        for mask in ["last(4)", "redact", "email_domain", "null"] {
            let out = apply(Shown { mask: mask.parse().unwrap(), hashed: false }, &secret, &|i| i == 0, &key(), false);
            for buffer in out.to_data().buffers() {
                let bytes = String::from_utf8_lossy(buffer.as_slice()).into_owned();
                assert!(!bytes.contains("secret"), "{mask}: {bytes}");
            }
        }
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![0x5EC4, 0x5EC4]));
        let out = apply(Shown { mask: Mask::Bucket(1), hashed: false }, &numbers, &|i| i == 0, &key(), false);
        assert_eq!(out.as_primitive::<Int64Type>().values()[1], 0, "a slot under NULL is zero");
    }

    fn any_mask() -> impl Strategy<Value = Mask> {
        prop_oneof![
            Just(Mask::Clear),
            Just(Mask::EmailDomain),
            Just(Mask::Month),
            Just(Mask::Year),
            Just(Mask::Redact),
            Just(Mask::Null),
            (1..=u32::MAX).prop_map(|n| Mask::First(crate::policy::Revealing(n))),
            (1_u32..4).prop_map(|n| Mask::Last(crate::policy::Revealing(n))),
            (1..=i64::MAX.unsigned_abs()).prop_map(Mask::Bucket),
            (1_u64..20).prop_map(Mask::Bucket),
        ]
    }

    #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
    fn any_array() -> impl Strategy<Value = ArrayRef> {
        let integers = prop::collection::vec(
            prop::option::of(prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -9_i64..9]),
            0..9,
        );
        let floats = prop::collection::vec(prop::option::of(any::<f64>()), 0..9);
        let strings = prop::collection::vec(prop::option::of("\\PC{0,40}|.{0,3}@.{0,3}"), 0..9);
        let integers = (integers, 0..9_u8).prop_map(|(v, kind)| -> ArrayRef {
            match kind {
                0 => Arc::new(Int64Array::from(v)),
                1 => Arc::new(v.iter().map(|v| v.map(|v| v as i8)).collect::<Int8Array>()),
                2 => Arc::new(v.iter().map(|v| v.map(i64::cast_unsigned)).collect::<UInt64Array>()),
                3 => Arc::new(v.iter().map(|v| v.map(|v| v as i32)).collect::<Date32Array>()),
                4 => Arc::new(TimestampMicrosecondArray::from(v)),
                5 => Arc::new(TimestampMicrosecondArray::from(v).with_timezone("UTC")),
                6 => Arc::new(Time64MicrosecondArray::from(v)),
                7 => Arc::new(
                    v.iter()
                        .map(|v| v.map(i128::from))
                        .collect::<Decimal128Array>()
                        .with_data_type(DataType::Decimal128(3, 2)),
                ),
                _ => Arc::new(
                    v.iter()
                        .map(|v| v.map(|v| i128::from(v) << 64))
                        .collect::<Decimal128Array>()
                        .with_data_type(DataType::Decimal128(38, 10)),
                ),
            }
        });
        prop_oneof![
            3 => integers,
            1 => floats.clone().prop_map(|v| Arc::new(Float64Array::from(v)) as ArrayRef),
            1 => floats.prop_map(|v| Arc::new(v.iter().map(|v| v.map(|v| v as f32)).collect::<Float32Array>()) as ArrayRef),
            2 => strings.prop_map(|v| Arc::new(StringArray::from(v)) as ArrayRef),
        ]
    }

    proptest! {
        #[test]
        fn masks_never_fail(mask in any_mask(), array in any_array(), hashed: bool, as_text: bool) {
            let out = apply(Shown { mask, hashed }, &array, &|i| i % 2 == 0, &key(), as_text);
            prop_assert_eq!(out.len(), array.len());
            let expected = if as_text { &DataType::Utf8 } else { array.data_type() };
            prop_assert_eq!(out.data_type(), expected);
            out.to_data().validate_full().ok();
        }
    }
}
