//! Invariant 11: masks never fail, and show what they declare and not more. What they declare is written here once more, by other
//! means than in the code.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::physical_expr::create_physical_expr;
use datafusion::physical_expr::execution_props::ExecutionProps;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::super::cell::show;
use super::super::exposure::Shown;
use super::super::hash::HashKey;
use super::adversarial::{contract_types, sliced, value};
use crate::policy::{Mask, Revealing};

const KEY: &[u8] = b"key of the domain";
const DAY: i64 = 86_400_000_000;

fn step(rng: &mut ChaCha8Rng) -> Shown {
    let n = [1, 2, 3, 12, u32::MAX][rng.random_range(0..5)];
    let k = [1, 2, 7, 10, 1_000, i64::MAX.unsigned_abs()][rng.random_range(0..6)];
    let masks = [
        Mask::Clear,
        Mask::First(Revealing(n)),
        Mask::Last(Revealing(n)),
        Mask::EmailDomain,
        Mask::Month,
        Mask::Year,
        Mask::Bucket(k),
        Mask::Redact,
        Mask::Null,
    ];
    Shown { mask: masks[rng.random_range(0..masks.len())], hashed: rng.random_range(0..4) == 0 }
}

/// What a text shows.
fn text(mask: Mask, raw: &str) -> Option<String> {
    let letters: Vec<char> = raw.chars().collect();
    let part = |n: Revealing, from_the_end: bool| {
        let n = n.0 as usize;
        if letters.len() <= n {
            return "***".to_owned();
        }
        let start = if from_the_end { letters.len() - n } else { 0 };
        letters[start..start + n].iter().collect()
    };
    Some(match mask {
        Mask::Clear => raw.to_owned(),
        Mask::First(n) => part(n, false),
        Mask::Last(n) => part(n, true),
        Mask::EmailDomain => {
            let parts: Vec<&str> = raw.split('@').collect();
            match parts.as_slice() {
                [local @ .., domain] if !local.concat().is_empty() && !domain.is_empty() => (*domain).to_owned(),
                // `@@x` has something before its last sign: the sign itself.
                [_, _, .., domain] if parts.len() > 2 && !domain.is_empty() => (*domain).to_owned(),
                _ => "***".to_owned(),
            }
        }
        Mask::Redact => "***".to_owned(),
        Mask::Month | Mask::Year | Mask::Bucket(_) | Mask::Hash | Mask::Null | Mask::Hidden => return None,
    })
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Counts year by year inside a cycle of 400, which has 146,097 days.
fn start(days: i64, of_year: bool) -> (i64, i64) {
    let cycle = days.div_euclid(146_097);
    let mut rest = days.rem_euclid(146_097);
    // Any year begins a cycle; this one does at day zero.
    let mut year = 1970;
    while rest >= 365 + i64::from(is_leap(year)) {
        rest -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let mut day = rest;
    if !of_year {
        for length in [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            if day < length {
                break;
            }
            day -= length;
        }
        return (year + cycle * 400, days - day);
    }
    (year + cycle * 400, days - day)
}

/// Whether `shown` is what `mask` declares for `raw`, which is not NULL.
fn is_declared(mask: Mask, raw: &ScalarValue, shown: &ScalarValue) -> bool {
    match (mask, raw) {
        (_, ScalarValue::Utf8(Some(raw))) => *shown == ScalarValue::Utf8(text(mask, raw)),
        (Mask::Clear, _) => shown == raw,
        (Mask::Month | Mask::Year, ScalarValue::Date32(Some(days))) => {
            let (year, first) = start(i64::from(*days), mask == Mask::Year);
            match shown {
                ScalarValue::Date32(Some(shown)) => i64::from(*shown) == first,
                _ => year.abs() > 262_000,
            }
        }
        (Mask::Month | Mask::Year, ScalarValue::TimestampMicrosecond(Some(at), _)) => {
            let (year, first) = start(at.div_euclid(DAY), mask == Mask::Year);
            match shown {
                ScalarValue::TimestampMicrosecond(Some(shown), _) => {
                    i128::from(*shown) == i128::from(first) * i128::from(DAY)
                }
                _ => year.abs() > 262_000,
            }
        }
        (Mask::Bucket(k), raw) => is_bucket(k, raw, shown),
        _ => shown.is_null(),
    }
}

fn is_bucket(k: u64, raw: &ScalarValue, shown: &ScalarValue) -> bool {
    // A multiple of the size, not above the value and nearer than one size; or the end of the type.
    let fits = |raw: i128, shown: i128, size: Option<i128>, least: i128| match size {
        Some(size) => {
            (shown % size == 0 && shown <= raw && raw - shown < size) || (shown == least && raw - least < size)
        }
        None => shown == if raw < 0 { least } else { 0 },
    };
    let k = i128::from(k);
    macro_rules! integers {
        ($($kind:ident of $native:ty),*) => {
            match (raw, shown) {
                $((ScalarValue::$kind(Some(raw)), ScalarValue::$kind(Some(shown))) => {
                    fits(i128::from(*raw), i128::from(*shown), Some(k), i128::from(<$native>::MIN))
                })*
                (ScalarValue::Decimal128(Some(raw), precision, scale), ScalarValue::Decimal128(Some(shown), ..)) => {
                    let least = -(10_i128.pow(u32::from(*precision)) - 1);
                    let ones = 10_i128.pow(u32::from(scale.unsigned_abs()));
                    fits(*raw, *shown, k.checked_mul(ones), least)
                }
                (ScalarValue::Float64(Some(raw)), ScalarValue::Float64(Some(shown))) => is_float_bucket(k, *raw, *shown, 1e-9),
                (ScalarValue::Float32(Some(raw)), ScalarValue::Float32(Some(shown))) => {
                    is_float_bucket(k, f64::from(*raw), f64::from(*shown), 1e-6)
                }
                (ScalarValue::Boolean(_) | ScalarValue::Date32(_) | ScalarValue::Binary(_) | ScalarValue::Time64Microsecond(_)
                    | ScalarValue::TimestampMicrosecond(..), shown) => shown.is_null(),
                _ => false,
            }
        };
    }
    integers!(Int8 of i8, Int16 of i16, Int32 of i32, Int64 of i64, UInt8 of u8, UInt16 of u16, UInt32 of u32, UInt64 of u64)
}

fn is_float_bucket(k: i128, raw: f64, shown: f64, precision: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "sizes are whole numbers")]
    let size = k as f64;
    if raw.is_nan() {
        // All are one, whatever they carried.
        return shown.is_nan();
    }
    if raw.is_infinite() || shown.is_infinite() {
        return shown.to_bits() == raw.to_bits();
    }
    let slack = raw.abs() * precision;
    shown <= raw + slack && raw - shown <= size + slack
}

/// HMAC by its definition.
fn hmac(message: &str) -> String {
    let pad = |byte: u8| (0..64).map(|at| KEY.get(at).copied().unwrap_or(0) ^ byte).collect::<Vec<u8>>();
    let inner = Sha256::digest([pad(0x36), message.as_bytes().to_vec()].concat());
    let outer = Sha256::digest([pad(0x5c), inner.to_vec()].concat());
    outer.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

/// The text of what a mask shows, for the types whose text is plain to see.
fn plain(value: &ScalarValue) -> Option<String> {
    Some(match value {
        ScalarValue::Utf8(Some(text)) => text.clone(),
        ScalarValue::Boolean(Some(value)) => value.to_string(),
        ScalarValue::Int8(Some(value)) => value.to_string(),
        ScalarValue::Int16(Some(value)) => value.to_string(),
        ScalarValue::Int32(Some(value)) => value.to_string(),
        ScalarValue::Int64(Some(value)) => value.to_string(),
        ScalarValue::UInt8(Some(value)) => value.to_string(),
        ScalarValue::UInt16(Some(value)) => value.to_string(),
        ScalarValue::UInt32(Some(value)) => value.to_string(),
        ScalarValue::UInt64(Some(value)) => value.to_string(),
        _ => return None,
    })
}

fn evaluate(expr: &Expr, batch: &RecordBatch) -> ArrayRef {
    let schema = DFSchema::try_from(batch.schema().as_ref().clone()).unwrap();
    let physical =
        create_physical_expr(expr, &schema, &ExecutionProps::new(), &PhysicalPlanningContext::default()).unwrap();
    physical.evaluate(batch).and_then(|value| value.into_array(batch.num_rows())).expect("a mask failed")
}

/// No byte in its buffers but those of its values.
fn holds_nothing_else(array: &ArrayRef) -> bool {
    if let Some(texts) = array.as_string_opt::<i32>() {
        let shown: usize = texts.iter().flatten().map(str::len).sum();
        return texts.value_data().len() == shown;
    }
    let Some(width) = array.data_type().primitive_width() else { return true };
    let data = array.to_data();
    let bytes = &data.buffers()[0].as_slice()[data.offset() * width..];
    let slots = bytes.chunks(width).take(array.len());
    slots.enumerate().all(|(row, slot)| array.is_valid(row) || slot.iter().all(|byte| *byte == 0))
}

fn check(seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let types = contract_types();
    let data_type = types[rng.random_range(0..types.len())].clone();
    let rows = rng.random_range(0..30);
    let values: Vec<ScalarValue> = (0..rows).map(|_| value(&mut rng, &data_type)).collect();
    let array = sliced(&mut rng, &data_type, &values);
    let steps: Vec<Shown> = (0..rng.random_range(1..4)).map(|_| step(&mut rng)).collect();
    // A number of no step shows nothing.
    let chosen: Vec<Option<usize>> =
        (0..rows).map(|_| rng.random_bool(0.8).then(|| rng.random_range(0..=steps.len()))).collect();
    let numbers: Int32Array = chosen.iter().map(|step| step.map(|step| i32::try_from(step).unwrap())).collect();
    let schema = Schema::new(vec![Field::new("v", data_type.clone(), true), Field::new("step", DataType::Int32, true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![array, Arc::new(numbers)]).unwrap();
    let key = || HashKey::new(Some(String::from_utf8(KEY.to_vec()).unwrap().into()));
    // Where any cell may be hashed, the column is text.
    let as_text = steps.iter().any(|step| step.hashed);

    let by_row = evaluate(&show(col("v"), col("step"), steps.clone(), key(), as_text), &batch);
    let all_alike = evaluate(&show(col("v"), lit(0_i32), steps.clone(), key(), as_text), &batch);
    for (out, step_of) in [
        (
            &by_row,
            &(|row: usize| chosen[row].and_then(|step| steps.get(step)).copied()) as &dyn Fn(usize) -> Option<Shown>,
        ),
        (&all_alike, &|_| Some(steps[0])),
    ] {
        assert_eq!(out.data_type(), if as_text { &DataType::Utf8 } else { &data_type });
        assert_eq!(out.len(), rows);
        let is_copy = std::ptr::eq(out, &raw const all_alike) && steps[0] == Shown::CLEAR;
        assert!(is_copy || holds_nothing_else(out), "{data_type} {steps:?}: {out:?}");
        for (row, raw) in values.iter().enumerate() {
            let shown = ScalarValue::try_from_array(out, row).unwrap();
            let why = || format!("{data_type} {:?}: {raw:?} shows {shown:?}", step_of(row));
            let Some(step) = step_of(row).filter(|_| !raw.is_null()) else {
                assert!(shown.is_null(), "{}", why());
                continue;
            };
            match (as_text, step.hashed) {
                (false, false) => assert!(is_declared(step.mask, raw, &shown), "{}", why()),
                (false, true) => unreachable!("a hash makes its column text"),
                (true, hashed) => {
                    // What would show without a hash is known for text and whole numbers; of the others, how it looks.
                    let unhashed = Shown { mask: step.mask, hashed: false };
                    let bare = evaluate(&show(col("v"), lit(0_i32), vec![unhashed], key(), false), &batch);
                    let bare = ScalarValue::try_from_array(&bare, row).unwrap();
                    assert!(is_declared(step.mask, raw, &bare), "{}", why());
                    let ScalarValue::Utf8(shown) = &shown else { unreachable!() };
                    assert_eq!(shown.is_none(), bare.is_null(), "{}", why());
                    if let (Some(shown), true) = (shown, hashed) {
                        assert!(shown.len() == 64 && shown.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", why());
                    }
                    if let Some(plain) = plain(&bare) {
                        let expected = if hashed { hmac(&plain) } else { plain };
                        assert_eq!(shown.as_deref(), Some(expected.as_str()), "{}", why());
                    }
                }
            }
        }
    }
}

#[test]
fn the_other_means_are_right() {
    assert_eq!(start(0, false), (1970, 0));
    assert_eq!(start(-1, false), (1969, -31));
    assert_eq!(start(20_412, false), (2025, 20_393));
    assert_eq!(start(20_412, true), (2025, 20_089));
    assert_eq!(start(11_016, false), (2000, 10_988), "29 February 2000");
    assert_eq!(text(Mask::EmailDomain, "@x"), Some("***".to_owned()));
    assert_eq!(text(Mask::EmailDomain, "a@b@c"), Some("c".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn masks_show_what_they_declare(seed in any::<u64>()) {
        check(seed);
    }
}
