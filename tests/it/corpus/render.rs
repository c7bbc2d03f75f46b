//! A result as the files write it: text for each cell, a letter for each column.

use arrow::array::{Array, ArrayRef, AsArray, Float16Array, Float32Array, Float64Array};
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sqllogictest::ColumnType;

/// A column's type as the files write it: `?` for whatever has no letter of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter(char);

impl ColumnType for Letter {
    fn from_char(value: char) -> Option<Self> {
        Some(Self(if "BDIPRT".contains(value) { value } else { '?' }))
    }

    fn to_char(&self) -> char {
        self.0
    }
}

pub fn letters(schema: &Schema) -> Vec<Letter> {
    schema.fields().iter().map(|field| Letter(letter(field.data_type()))).collect()
}

fn letter(of: &DataType) -> char {
    use DataType as D;
    match of {
        D::Boolean => 'B',
        D::Date32 | D::Date64 | D::Time32(_) | D::Time64(_) => 'D',
        D::Timestamp(..) => 'P',
        D::Utf8 | D::LargeUtf8 | D::Utf8View => 'T',
        D::Dictionary(_, values) if letter(values) == 'T' => 'T',
        number if number.is_integer() => 'I',
        number if number.is_floating() || number.is_decimal() => 'R',
        _ => '?',
    }
}

/// Digits that the files keep of a floating number.
#[derive(Debug, Clone, Copy)]
pub struct Decimals(pub usize);

pub fn rows(batches: &[RecordBatch], decimals: Decimals) -> Vec<Vec<String>> {
    let of = |batch: &RecordBatch| -> Vec<Vec<String>> {
        let columns: Vec<_> = batch.columns().iter().map(|column| cells(column, decimals)).collect();
        (0..batch.num_rows()).map(|row| columns.iter().map(|cells| cells[row].clone()).collect()).collect()
    };
    batches.iter().flat_map(of).flat_map(lines).collect()
}

fn cells(column: &ArrayRef, decimals: Decimals) -> Vec<String> {
    let value = |row| if column.is_null(row) { "NULL".to_owned() } else { cell(column, row, decimals) };
    (0..column.len()).map(value).collect()
}

fn cell(column: &ArrayRef, row: usize, decimals: Decimals) -> String {
    let options = datafusion::config::FormatOptions { null: "NULL".to_owned(), ..Default::default() };
    let options = FormatOptions::try_from(&options).unwrap();
    let shown = || ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string();
    let any = column.as_any();
    match column.data_type() {
        DataType::Float16 => float(&any.downcast_ref::<Float16Array>().unwrap().value(row).to_string(), decimals),
        DataType::Float32 => float(&any.downcast_ref::<Float32Array>().unwrap().value(row).to_string(), decimals),
        DataType::Float64 => float(&any.downcast_ref::<Float64Array>().unwrap().value(row).to_string(), decimals),
        number if number.is_decimal() => without_zeros(&shown()),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => match shown().as_str() {
            "" => "(empty)".to_owned(),
            text => text.trim_end_matches('\n').replace('\0', "\\0"),
        },
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary();
            let (values, at) = (dictionary.values(), dictionary.normalized_keys()[row]);
            if values.is_null(at) { "NULL".to_owned() } else { cell(values, at, decimals) }
        }
        _ => shown(),
    }
}

fn float(shown: &str, Decimals(decimals): Decimals) -> String {
    match shown {
        "inf" => "Infinity".to_owned(),
        "-inf" => "-Infinity".to_owned(),
        "NaN" => "NaN".to_owned(),
        digits => without_zeros(&rounded(digits, decimals)),
    }
}

/// Rounds what Rust prints of a number, which has no exponent; a half goes to the even neighbour.
fn rounded(number: &str, decimals: usize) -> String {
    let Some((whole, fraction)) = number.split_once('.').filter(|(_, fraction)| fraction.len() > decimals) else {
        return number.to_owned();
    };
    let (kept, cut) = fraction.split_at(decimals);
    let mut digits: Vec<u8> = whole.bytes().chain(kept.bytes()).collect();
    let odd = digits.last().is_some_and(|last| last % 2 == 1);
    let half = cut.trim_end_matches('0').cmp("5");
    if half.is_gt() || half.is_eq() && odd {
        let nines = digits.iter().rev().take_while(|digit| **digit == b'9').count();
        let end = digits.len() - nines;
        digits[end..].fill(b'0');
        match end.checked_sub(1).map(|at| &mut digits[at]) {
            Some(digit) if digit.is_ascii_digit() => *digit += 1,
            _ => digits.insert(usize::from(digits[0] == b'-'), b'1'),
        }
    }
    let mut text = String::from_utf8(digits).unwrap();
    text.insert(text.len() - decimals, '.');
    text
}

fn without_zeros(number: &str) -> String {
    let short = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

/// A row whose last cell has several lines is written as one row for each, numbered, with its indentation as dashes.
fn lines(mut row: Vec<String>) -> Vec<Vec<String>> {
    let Some(last) = row.pop_if(|last| last.contains('\n')) else { return vec![row] };
    let line = |(at, line): (usize, &str)| {
        let text = line.trim_start();
        vec![format!("{:02}){}{text}", at + 1, "-".repeat(line.len() - text.len()))]
    };
    let rest = last.split('\n').enumerate().map(line);
    std::iter::once(row).chain(rest).collect()
}

#[test]
fn numbers_are_written_as_in_the_files() {
    let twelve = Decimals(12);
    for (shown, written) in [
        ("1", "1"),
        ("-0", "0"),
        ("0.30000000000000004", "0.3"),
        ("0.9999999999999", "1"),
        ("-99.9999999999996", "-100"),
        ("0.0000000000005", "0"),
        ("0.0000000000015", "0.000000000002"),
        ("-0.0000000000004", "0"),
        ("10000000000000000000000", "10000000000000000000000"),
        ("inf", "Infinity"),
    ] {
        assert_eq!(float(shown, twelve), written, "{shown}");
    }
    assert_eq!(without_zeros("100"), "100");
    assert_eq!(without_zeros("12.300"), "12.3");
}
