//! Slices answer what the functions answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, ListArray, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, Operator, ScalarUDFImpl};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::super::call::BoundedCall;
use super::super::cost::rule;
use super::super::operator::CallOperator;
use super::{SINGLE, bounded, control, function, functions, invoke, text};

/// One random column for each letter: t(ext), p(attern), n(umber), l(ist), s (list of texts), b(inary), d(ate and time), f(ormat).
fn column(kind: char, rows: usize, random: &mut ChaCha8Rng) -> ColumnarValue {
    const TEXTS: [&str; 8] = ["", "a", "abc", "aXbXc", "ÄÖ ü", "e\u{301}a", "12,34,,5", "xxxxxxxxxxxxxxxx"];
    const PATTERNS: [&str; 5] = ["a", "(b)|(c)", "[0-9]+", "x{2,3}", "%a_c%"];
    const FORMATS: [&str; 3] = ["%Y-%m-%d", "%H:%M", ""];
    let some = |random: &mut ChaCha8Rng| random.random_ratio(7, 8);
    let mut pick = |from: &[&str]| -> ArrayRef {
        let values = (0..rows).map(|_| some(random).then(|| from[random.random_range(0..from.len())].to_owned()));
        Arc::new(StringArray::from(values.collect::<Vec<_>>()))
    };
    let array: ArrayRef = match kind {
        't' => pick(&TEXTS),
        'p' => pick(&PATTERNS),
        'f' => pick(&FORMATS),
        'b' => cast(&pick(&TEXTS), &DataType::Binary).unwrap(),
        'n' => Arc::new(Int64Array::from(
            (0..rows).map(|_| some(random).then(|| random.random_range(1..6))).collect::<Vec<_>>(),
        )),
        'd' => Arc::new(TimestampMicrosecondArray::from(
            (0..rows).map(|_| some(random).then(|| random.random_range(0..2_000_000_000_000_000))).collect::<Vec<_>>(),
        )),
        _ => {
            let lists = (0..rows).map(|_| {
                let length = random.random_range(0..5);
                some(random)
                    .then(|| (0..length).map(|_| some(random).then(|| random.random_range(1..5))).collect::<Vec<_>>())
            });
            let numbers = ListArray::from_iter_primitive::<Int64Type, _, _>(lists.collect::<Vec<_>>());
            if kind == 'l' {
                Arc::new(numbers)
            } else {
                cast(&numbers, &DataType::new_list(DataType::Utf8, true)).unwrap()
            }
        }
    };
    if random.random_ratio(1, 3) {
        ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0).unwrap())
    } else {
        ColumnarValue::Array(array)
    }
}

const FORMS: &[(&str, &str)] = &[
    ("repeat", "tn"),
    ("lpad", "tn"),
    ("lpad", "tnt"),
    ("rpad", "tn"),
    ("rpad", "tnt"),
    ("concat", "ttt"),
    ("concat_ws", "ttt"),
    ("replace", "ttt"),
    ("translate", "ttt"),
    ("overlay", "ttn"),
    ("overlay", "ttnn"),
    ("btrim", "tt"),
    ("ltrim", "t"),
    ("rtrim", "tt"),
    ("strpos", "tt"),
    ("levenshtein", "tt"),
    ("to_char", "df"),
    ("string_to_array", "tt"),
    ("string_to_array", "ttt"),
    ("md5", "t"),
    ("sha224", "b"),
    ("sha256", "t"),
    ("sha384", "t"),
    ("sha512", "b"),
    ("regexp_like", "tp"),
    ("regexp_count", "tp"),
    ("regexp_instr", "tp"),
    ("regexp_match", "tp"),
    ("regexp_replace", "tpt"),
    ("array_repeat", "tn"),
    ("array_repeat", "ln"),
    ("array_resize", "lnn"),
    ("range", "nn"),
    ("generate_series", "nnn"),
    ("array_append", "ln"),
    ("array_prepend", "nl"),
    ("make_array", "nnn"),
    ("make_array", "tt"),
    ("array_concat", "ll"),
    ("array_union", "ll"),
    ("array_intersect", "ll"),
    ("array_except", "ss"),
    ("array_distinct", "l"),
    ("array_sort", "l"),
    ("arrays_zip", "ls"),
    ("array_has_all", "ll"),
    ("array_has_any", "ss"),
    ("array_has", "ln"),
    ("array_position", "ln"),
    ("array_positions", "ln"),
    ("array_remove", "ln"),
    ("array_remove_n", "lnn"),
    ("array_remove_all", "ln"),
    ("array_replace", "lnn"),
    ("array_replace_n", "lnnn"),
    ("array_replace_all", "lnn"),
];

/// Forms with a constant behind the columns.
const CONSTANT_FORMS: &[(&str, &str, &str)] = &[
    ("encode", "b", "hex"),
    ("encode", "b", "base64"),
    ("digest", "t", "sha256"),
    ("regexp_replace", "tpt", "g"),
    ("array_to_string", "l", "-"),
    ("array_to_string", "s", ", "),
];

fn rows_of(value: Result<ColumnarValue>, rows: usize) -> std::result::Result<ArrayRef, String> {
    let array = value.and_then(|value| value.into_array(rows)).map_err(|error| error.strip_backtrace())?;
    Ok(if array.len() == rows {
        array
    } else {
        ScalarValue::try_from_array(&array, 0).unwrap().to_array_of_size(rows).unwrap()
    })
}

fn assert_same(
    name: &str,
    plain: &dyn ScalarUDFImpl,
    sliced: &dyn ScalarUDFImpl,
    args: &[ColumnarValue],
    rows: usize,
) -> bool {
    let mut given = args.to_vec();
    if name == "to_char" {
        // With a constant time, the engine answers the first row's text for all.
        given[0] = ColumnarValue::Array(given[0].to_array(rows).unwrap());
    }
    let expected = rows_of(invoke(plain, given, rows), rows);
    let answered = rows_of(invoke(sliced, args.to_vec(), rows), rows);
    match (&expected, &answered) {
        (Ok(expected), Ok(answered)) => assert_eq!(expected.to_data(), answered.to_data(), "{name} of {args:?}"),
        (Err(_), Err(_)) => return false,
        _ => panic!("{name} of {args:?}: {expected:?} and in slices {answered:?}"),
    }
    true
}

#[test]
fn slices_answer_what_functions_answer() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let control = control();
    let mut answered = BTreeSet::new();
    let forms = FORMS.iter().map(|(name, kinds)| (*name, *kinds, None));
    let forms = forms.chain(CONSTANT_FORMS.iter().map(|(name, kinds, last)| (*name, *kinds, Some(*last))));
    for (name, kinds, last) in forms {
        let (plain, sliced) = (function(name), bounded(name, &control).with_pace(SINGLE));
        for rows in [1, 2, 13, 40] {
            for _ in 0..4 {
                let args =
                    kinds.chars().map(|kind| column(kind, rows, &mut random)).chain(last.map(text)).collect::<Vec<_>>();
                if assert_same(name, plain.inner().as_ref(), &sliced, &args, rows) {
                    answered.insert(name);
                }
            }
        }
    }
    let all = functions();
    let all = all.iter().map(|function| function.name()).filter(|name| rule(name).is_some());
    let silent: Vec<&str> = all.filter(|name| !answered.contains(name)).collect();
    // Forms that a coercion makes right are for the statements of `tests/it`.
    assert_eq!(silent, ["decode", "flatten"], "functions without a form that answers");
}

#[test]
fn slices_answer_what_operators_answer() {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let control = control();
    let operators = [
        CallOperator::Binary(Operator::StringConcat),
        CallOperator::Binary(Operator::RegexMatch),
        CallOperator::Binary(Operator::RegexNotIMatch),
        CallOperator::Like { negated: false, escape: None, insensitive: false },
        CallOperator::Like { negated: true, escape: None, insensitive: true },
    ];
    for operator in operators {
        let name = operator.name();
        let whole = BoundedCall::of_operator(operator.clone(), &control);
        let sliced = BoundedCall::of_operator(operator, &control).with_pace(SINGLE);
        for rows in [1, 2, 13, 40] {
            for _ in 0..4 {
                let args = vec![column('t', rows, &mut random), column('p', rows, &mut random)];
                assert!(assert_same(name, &whole, &sliced, &args, rows), "{name} answers nothing");
            }
        }
    }
}
