//! JSON text → lists, and structs and lists inside of them.
//!
//! A part of a list that has no meaning as promised is NULL, and the row is marked: the other parts are shown where the contract asks
//! for NULL, as they are of the lists in Parquet files.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, StringArray, new_null_array};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::ReaderBuilder;

use super::members::{Members, Said, elements};

/// Texts → lists, and the rows of which some part has no meaning; none where all have. Never an error for any text.
///
/// # Errors
/// Only those of arrays that have no room.
pub(super) fn read(texts: &StringArray, to: &DataType) -> Result<(ArrayRef, Option<BooleanArray>), ArrowError> {
    if let Some(values) = parse(texts.iter(), to) {
        return Ok((values, None));
    }
    let (mut rows, mut marks) = (Vec::with_capacity(texts.len()), Vec::with_capacity(texts.len()));
    for text in texts {
        let (row, is_part) = match (parse([text].into_iter(), to), text) {
            (Some(row), _) => (row, false),
            (None, Some(text)) => {
                let part = fitting(text, to);
                (parse([Some(part.as_ref())].into_iter(), to).unwrap_or_else(|| new_null_array(to, 1)), true)
            }
            (None, None) => (new_null_array(to, 1), false),
        };
        rows.push(row);
        marks.push(is_part);
    }
    let rows: Vec<&dyn Array> = rows.iter().map(AsRef::as_ref).collect();
    Ok((concat(&rows)?, Some(BooleanArray::from(marks))))
}

const NULL: Cow<'static, str> = Cow::Borrowed("null");

/// The value with `null` in the place of parts that cannot be read as the type.
fn fitting<'a>(value: &'a str, to: &DataType) -> Cow<'a, str> {
    match to {
        DataType::List(item) if value.starts_with('[') => {
            let mut out = Vec::new();
            if item.data_type().is_nested() {
                out.extend(elements(value).into_iter().map(|element| fitting(element, item.data_type())));
            } else {
                fitting_scalars(&elements(value), item.data_type(), &mut out);
            }
            Cow::Owned(format!("[{}]", out.join(",")))
        }
        DataType::Struct(fields) if value.starts_with('{') => {
            let members = Members::of(value);
            let members = fields.iter().filter_map(|field| {
                let value = match members.say(field.name()) {
                    Said::Nothing => return None,
                    Said::Once(value) => fitting(value, field.data_type()),
                    Said::Twice => NULL,
                };
                Some(format!("{}:{value}", serde_json::Value::from(field.name().as_str())))
            });
            Cow::Owned(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
        }
        to if parse([Some(value)].into_iter(), to).is_some() => Cow::Borrowed(value),
        _ => NULL,
    }
}

/// The same of many scalars, by halves: most of them fit.
fn fitting_scalars<'a>(values: &[&'a str], to: &DataType, out: &mut Vec<Cow<'a, str>>) {
    if parse(values.iter().map(|value| Some(*value)), to).is_some() {
        out.extend(values.iter().map(|value| Cow::Borrowed(*value)));
    } else if values.len() < 2 {
        out.push(NULL);
    } else {
        let (first, second) = values.split_at(values.len() / 2);
        fitting_scalars(first, to, out);
        fitting_scalars(second, to, out);
    }
}

/// All of the texts as values; none where one of them cannot be.
fn parse<'a>(texts: impl ExactSizeIterator<Item = Option<&'a str>>, to: &DataType) -> Option<ArrayRef> {
    let rows = texts.len();
    if rows == 0 {
        return Some(new_null_array(to, 0));
    }
    let schema = Arc::new(Schema::new(vec![Field::new("v", to.clone(), true)]));
    let reader = ReaderBuilder::new(schema).with_coerce_primitive(true).with_batch_size(rows);
    let mut decoder = reader.build_decoder().ok()?;
    for text in texts {
        let line = format!("{{\"v\":{}}}\n", text.unwrap_or("null"));
        if decoder.decode(line.as_bytes()).ok()? != line.len() {
            return None;
        }
    }
    let batch = decoder.flush().ok()??;
    (batch.num_rows() == rows).then(|| batch.columns().first().cloned()).flatten()
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::util::display::array_value_to_string;

    use super::*;

    #[test]
    fn unfit_part_is_null_and_marked() {
        let list = |item: DataType| DataType::new_list(item, true);
        let fields = vec![Field::new("n", DataType::Int64, true), Field::new("t", DataType::Utf8, true)];
        let objects = list(DataType::Struct(fields.into()));
        for (text, to, shown, is_marked) in [
            ("[1, 2]", list(DataType::Int64), "[1, 2]", false),
            (r#"[1, "x", 3]"#, list(DataType::Int64), "[1, , 3]", true),
            (r#"[1, {"a": 2}, [3]]"#, list(DataType::Int64), "[1, , ]", true),
            (r#"[[1], ["x"], 7]"#, list(list(DataType::Int64)), "[[1], [], ]", true),
            (r#"[{"n": "x", "t": "a"}, {"t": "b"}]"#, objects.clone(), "[{n: , t: a}, {n: , t: b}]", true),
            (r#"[{"n": 1, "n": 2, "t": "a"}, 5]"#, objects, "[{n: , t: a}, ]", true),
        ] {
            // A sound row beside it stays whole.
            let (values, marks) = read(&StringArray::from(vec![Some(text), Some("[]"), None]), &to).unwrap();
            let found = [0, 1, 2].map(|row| array_value_to_string(&values, row).unwrap());
            assert_eq!(found, [shown, "[]", ""], "{text}");
            let marks = marks.map_or(vec![false; 3], |marks| marks.iter().flatten().collect());
            assert_eq!(marks, [is_marked, false, false], "{text}");
        }
    }
}
