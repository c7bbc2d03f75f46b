//! Values that break what is not total, and arrays of them.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The types that a contract can give to a column.
pub fn contract_types() -> Vec<DataType> {
    let mut types = vec![
        DataType::Boolean,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
        DataType::Date32,
        DataType::Utf8,
        DataType::Binary,
        DataType::Time64(TimeUnit::Microsecond),
    ];
    types.extend([(1, 0), (5, 2), (38, 0), (38, 10), (38, 38)].map(|(p, s)| DataType::Decimal128(p, s)));
    types.extend([None, Some("UTC".into())].map(|zone| DataType::Timestamp(TimeUnit::Microsecond, zone)));
    types
}

/// Types that the engine knows besides.
pub fn engine_types() -> Vec<DataType> {
    let mut types = vec![
        DataType::Utf8View,
        DataType::LargeUtf8,
        DataType::BinaryView,
        DataType::LargeBinary,
        DataType::FixedSizeBinary(3),
        DataType::Date64,
        DataType::Decimal256(76, 3),
        DataType::Time32(TimeUnit::Second),
        DataType::Timestamp(TimeUnit::Nanosecond, Some("+02:00".into())),
        DataType::Timestamp(TimeUnit::Second, None),
        DataType::Duration(TimeUnit::Nanosecond),
    ];
    for value in [DataType::Utf8, DataType::Int64] {
        types.push(DataType::Dictionary(Box::new(DataType::Int32), Box::new(value)));
    }
    types
}

const TEXTS: [&str; 12] = [
    "",
    "%",
    "_",
    "\0",
    "NaN",
    "12O",
    "' OR 1=1 --",
    "\u{202e}turned",
    "ß@ß",
    "a text that is longer than twelve bytes",
    "👩‍👩‍👧‍👦 family",
    "2026-02-30",
];

const NUMBERS: [i64; 9] = [i64::MIN, i64::MAX, 0, -1, 1, 5, i64::MIN + 1, 86_400_000_000, 1_763_683_200_000_001];

/// One value of `data_type` or NULL.
pub fn value(rng: &mut ChaCha8Rng, data_type: &DataType) -> ScalarValue {
    if rng.random_range(0..5) == 0 {
        return ScalarValue::try_new_null(data_type).unwrap();
    }
    let number = if rng.random() { NUMBERS[rng.random_range(0..NUMBERS.len())] } else { rng.random_range(-50..50) };
    let text = TEXTS[rng.random_range(0..TEXTS.len())];
    #[expect(clippy::cast_possible_truncation, reason = "any value will do")]
    match data_type {
        DataType::Boolean => ScalarValue::from(rng.random::<bool>()),
        DataType::Int8 => ScalarValue::from([i8::MIN, i8::MAX, number as i8][rng.random_range(0..3)]),
        DataType::Int16 => ScalarValue::from([i16::MIN, i16::MAX, number as i16][rng.random_range(0..3)]),
        DataType::Int32 => ScalarValue::from([i32::MIN, i32::MAX, number as i32][rng.random_range(0..3)]),
        DataType::Int64 => ScalarValue::from(number),
        DataType::UInt8 => ScalarValue::from(number.cast_unsigned() as u8),
        DataType::UInt16 => ScalarValue::from(number.cast_unsigned() as u16),
        DataType::UInt32 => ScalarValue::from(number.cast_unsigned() as u32),
        DataType::UInt64 => ScalarValue::from(number.cast_unsigned()),
        DataType::Float32 => ScalarValue::from(float(rng, number) as f32),
        DataType::Float64 => ScalarValue::from(float(rng, number)),
        DataType::Date32 => {
            ScalarValue::Date32(Some([i32::MIN, i32::MAX, number as i32 % 50_000][rng.random_range(0..3)]))
        }
        DataType::Date64 => ScalarValue::Date64(Some(number)),
        DataType::Time32(_) => ScalarValue::Time32Second(Some(number as i32)),
        DataType::Time64(_) => ScalarValue::Time64Microsecond(Some(number)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            ScalarValue::TimestampMicrosecond(Some(number), zone.clone())
        }
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => ScalarValue::TimestampNanosecond(Some(number), zone.clone()),
        DataType::Timestamp(TimeUnit::Second, zone) => ScalarValue::TimestampSecond(Some(number), zone.clone()),
        DataType::Duration(_) => ScalarValue::DurationNanosecond(Some(number)),
        DataType::Decimal128(precision, scale) => {
            let most = 10_i128.pow(u32::from(*precision)) - 1;
            let within = i128::from(number) % (most + 1);
            ScalarValue::Decimal128(Some([most, -most, within][rng.random_range(0..3)]), *precision, *scale)
        }
        DataType::Decimal256(precision, scale) => {
            ScalarValue::Decimal256(Some(arrow::datatypes::i256::from(number)), *precision, *scale)
        }
        DataType::Utf8 => ScalarValue::Utf8(Some(text.to_owned())),
        DataType::LargeUtf8 => ScalarValue::LargeUtf8(Some(text.to_owned())),
        DataType::Utf8View => ScalarValue::Utf8View(Some(text.to_owned())),
        DataType::Binary => ScalarValue::Binary(Some(text.as_bytes().to_vec())),
        DataType::LargeBinary => ScalarValue::LargeBinary(Some([0xff].repeat(text.len()))),
        DataType::BinaryView => ScalarValue::BinaryView(Some(text.as_bytes().to_vec())),
        DataType::FixedSizeBinary(width) => {
            ScalarValue::FixedSizeBinary(*width, Some(vec![number.cast_unsigned() as u8; 3]))
        }
        DataType::Dictionary(key, inner) => ScalarValue::Dictionary(key.clone(), Box::new(value(rng, inner))),
        other => unreachable!("{other} has no values here"),
    }
}

fn float(rng: &mut ChaCha8Rng, number: i64) -> f64 {
    const ODD: [f64; 8] =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 0.1];
    #[expect(clippy::cast_precision_loss, reason = "any value will do")]
    let plain = number as f64 / 4.0;
    match rng.random_range(0..10) {
        0 => -f64::NAN,
        1..=6 => ODD[rng.random_range(0..ODD.len())],
        _ => plain,
    }
}

/// `values` as a slice of a longer array: what lies before and behind is somebody else's.
pub fn sliced(rng: &mut ChaCha8Rng, data_type: &DataType, values: &[ScalarValue]) -> ArrayRef {
    let (before, after) = (rng.random_range(0..9), rng.random_range(0..3));
    let mut all: Vec<ScalarValue> = (0..before).map(|_| value(rng, data_type)).collect();
    all.extend_from_slice(values);
    all.extend((0..after).map(|_| value(rng, data_type)));
    if all.is_empty() {
        return arrow::array::new_empty_array(data_type);
    }
    let whole = ScalarValue::iter_to_array(all).unwrap();
    assert_eq!(whole.data_type(), data_type);
    Arc::clone(&whole).slice(before, values.len())
}
