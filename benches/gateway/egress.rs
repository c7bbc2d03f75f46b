//! Rebuilding of columns on their way out, beside a plain copy of as many bytes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, Int64Builder, ListBuilder,
    StringArray, StringViewArray, StructArray,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use meshgate::engine::compact::rebuild;

use crate::measure::{Times, table};

/// As many rows as the engine puts into a batch, in so many batches that they do not fit a core's cache.
const ROWS: usize = 8_192;
const BATCHES: usize = 64;
const RUNS: usize = 25;

struct Case {
    name: &'static str,
    wire: DataType,
    batches: Vec<ArrayRef>,
}

fn batches(name: &'static str, wire: DataType, make: impl Fn(usize) -> ArrayRef) -> Case {
    Case { name, wire, batches: (0..BATCHES).map(|batch| make(batch * ROWS)).collect() }
}

fn texts(from: usize, length: usize) -> impl Iterator<Item = String> {
    (from..from + ROWS).map(move |row| format!("{:0length$}", row.wrapping_mul(2_654_435_761)))
}

fn numbers(from: usize) -> impl Iterator<Item = i64> {
    (from..from + ROWS).map(|row| i64::try_from(row).unwrap())
}

fn cases() -> Vec<Case> {
    let text = DataType::Utf8;
    let structure = |from: usize| -> ArrayRef {
        let number: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers(from)));
        let words: ArrayRef = Arc::new(StringArray::from_iter_values(texts(from, 20)));
        let field = |name: &str, array: &ArrayRef| Arc::new(Field::new(name, array.data_type().clone(), true));
        Arc::new(StructArray::from(vec![(field("a", &number), number), (field("b", &words), words)]))
    };
    let list = |from: usize| -> ArrayRef {
        let mut lists = ListBuilder::new(Int64Builder::new());
        for number in numbers(from) {
            lists.append_value([Some(number), None, Some(number + 1), Some(number + 2)]);
        }
        Arc::new(lists.finish())
    };
    vec![
        batches("int64", DataType::Int64, |from| Arc::new(Int64Array::from_iter_values(numbers(from)))),
        batches("int64, one in ten null", DataType::Int64, |from| {
            Arc::new(numbers(from).map(|number| (number % 10 != 0).then_some(number)).collect::<Int64Array>())
        }),
        batches("decimal128", DataType::Decimal128(15, 2), |from| {
            let values = Decimal128Array::from_iter_values(numbers(from).map(i128::from));
            Arc::new(values.with_precision_and_scale(15, 2).unwrap())
        }),
        batches("float64", DataType::Float64, |from| {
            Arc::new(Float64Array::from_iter_values(numbers(from).map(|number| number as f64 / 3.0)))
        }),
        batches("utf8 of 8 bytes", text.clone(), |from| Arc::new(StringArray::from_iter_values(texts(from, 8)))),
        batches("utf8 of 60 bytes", text.clone(), |from| Arc::new(StringArray::from_iter_values(texts(from, 60)))),
        batches("utf8 view of 8 bytes", text.clone(), |from| {
            Arc::new(StringViewArray::from_iter_values(texts(from, 8)))
        }),
        batches("utf8 view of 60 bytes", text.clone(), |from| {
            Arc::new(StringViewArray::from_iter_values(texts(from, 60)))
        }),
        batches("dictionary of utf8", text, |from| {
            let words: ArrayRef =
                Arc::new(StringArray::from_iter_values((0..50).map(|word| format!("a status {word:03}"))));
            let keys = Int32Array::from_iter_values((from..from + ROWS).map(|row| i32::try_from(row % 50).unwrap()));
            Arc::new(DictionaryArray::<Int32Type>::new(keys, words))
        }),
        batches("list of int64", list(0).data_type().clone(), list),
        batches("struct of int64 and utf8", structure(0).data_type().clone(), structure),
    ]
}

pub fn run() {
    let cases = cases();
    let mut rebuilt: Vec<Times> = cases.iter().map(|_| Times::default()).collect();
    let mut copied: Vec<Times> = cases.iter().map(|_| Times::default()).collect();
    let bytes: Vec<usize> = cases
        .iter()
        .map(|case| {
            let size =
                |array: &ArrayRef| rebuild(array, &case.wire).unwrap().to_data().get_slice_memory_size().unwrap();
            case.batches.iter().map(size).sum()
        })
        .collect();
    for _ in 0..RUNS {
        for (at, case) in cases.iter().enumerate() {
            rebuilt[at].measure(|| {
                case.batches.iter().for_each(|array| drop(std::hint::black_box(rebuild(array, &case.wire))));
            });
            let plain = vec![1_u8; bytes[at] / BATCHES];
            copied[at].measure(|| (0..BATCHES).for_each(|_| drop(std::hint::black_box(plain.clone()))));
        }
    }
    println!("### Egress: rebuilding of columns, in GB/s of what leaves ({ROWS} rows in a batch)\n");
    let rows: Vec<Vec<String>> = cases
        .iter()
        .enumerate()
        .map(|(at, case)| {
            let speed = |times: &Times| bytes[at] as f64 / times.median().as_secs_f64() / 1e9;
            vec![case.name.to_owned(), format!("{:.1}", speed(&rebuilt[at])), format!("{:.1}", speed(&copied[at]))]
        })
        .collect();
    table(&["column", "rebuilt", "plain copy"], &rows);
}
