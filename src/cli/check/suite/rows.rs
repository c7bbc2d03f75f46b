//! Rows in YAML → a batch with the contract's columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use serde_json::{Map, Value as Json};

use crate::contract::locate::{At, Node, Value};
use crate::contract::shape::{Findings, quote};
use crate::contract::{Column, Dataset};
use crate::diagnostic::did_you_mean;
use crate::discovery::sql_type_name;

/// A value that a column cannot hold: where, what, and what to write.
#[derive(Debug)]
pub struct Misfit {
    pub at: At,
    pub message: String,
    pub hint: String,
}

/// The rows as one batch, every column nullable; a column that a row leaves out is NULL there. Everything that does not fit
/// goes to the findings; then there is no batch.
pub fn batch(dataset: &Dataset, rows: &[Node], findings: &mut Findings<'_>) -> Option<RecordBatch> {
    let before = findings.list.len();
    for row in rows {
        names(row, &dataset.columns, findings);
    }
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for column in &dataset.columns {
        let absent = Node { at: At::START, value: Value::Null };
        let mut cells = Vec::new();
        for row in rows {
            let node = row.get(column.name.as_str()).unwrap_or(&absent);
            match cell(node, &column.data_type) {
                Ok(cell) => cells.push(cell),
                Err(misfit) => {
                    let message = format!("column `{}`: {}", column.name, misfit.message);
                    findings.error(misfit.at, message, misfit.hint);
                }
            }
        }
        fields.push(Field::new(column.name.as_str(), column.data_type.clone(), true));
        let cells: Vec<&dyn arrow::array::Array> = cells.iter().map(AsRef::as_ref).collect();
        let joined = if cells.is_empty() { Ok(new_empty_array(&column.data_type)) } else { concat(&cells) };
        columns.extend(joined.map_err(|error| broken(dataset, &error, findings)));
    }
    if findings.list.len() > before {
        return None;
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options);
    batch.map_err(|error| broken(dataset, &error, findings)).ok()
}

fn broken(dataset: &Dataset, error: &ArrowError, findings: &mut Findings<'_>) {
    findings.error(At::START, format!("the rows of `{}` cannot be held: {error}", dataset.name), "simplify the rows");
}

/// Every key of a row must be a column, and of a struct a field.
pub fn names(row: &Node, columns: &[Column], findings: &mut Findings<'_>) {
    if !matches!(row.value, Value::Map(_)) {
        let message = format!("a row must be a mapping, but is {}", row.describe());
        findings.error(row.at, message, "write it as `{ column: value, … }`");
        return;
    }
    for entry in row.entries() {
        match columns.iter().find(|column| column.name.as_str() == entry.key) {
            None => {
                let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                let hint = did_you_mean(&entry.key, known.iter().copied())
                    .unwrap_or_else(|| format!("the contract has {}", known.join(", ")));
                findings.error(entry.at, format!("there is no column `{}`", quote(&entry.key)), hint);
            }
            Some(column) if !column.fields.is_empty() && matches!(entry.value.value, Value::Map(_)) => {
                names(&entry.value, &column.fields, findings);
            }
            Some(_) => {}
        }
    }
}

/// One value of one type, as an array of one element.
pub fn cell(node: &Node, data_type: &DataType) -> Result<ArrayRef, Misfit> {
    let value = json(node, data_type)?;
    let schema = Arc::new(Schema::new(vec![Field::new("value", data_type.clone(), true)]));
    let row: Map<String, Json> = [("value".to_owned(), value)].into_iter().collect();
    let decoded = || -> Result<Option<RecordBatch>, ArrowError> {
        let mut decoder = ReaderBuilder::new(schema).build_decoder()?;
        decoder.serialize(&[row])?;
        decoder.flush()
    };
    let array = decoded().ok().flatten().and_then(|batch| batch.columns().first().map(Arc::clone));
    array.ok_or_else(|| misfit(node, data_type))
}

fn misfit(node: &Node, data_type: &DataType) -> Misfit {
    let given = node.scalar().map_or_else(|| node.describe().to_owned(), |text| format!("`{}`", quote(&text)));
    let hint = match data_type {
        DataType::Utf8 => "put text in quotes where it looks like a number, true or false",
        DataType::Boolean => "write `true` or `false`",
        DataType::Date32 => "write a date as `2026-01-31`",
        DataType::Timestamp(..) => "write a moment as `2026-01-31T12:00:00Z`",
        DataType::Time64(_) => "write a time as `12:00:00`",
        DataType::Binary => "write the bytes as hexadecimal text",
        DataType::Struct(_) => "write a struct as `{ field: value, … }`",
        DataType::List(_) => "write a list as `[value, …]`",
        _ => "write a number that the column's type can hold, without quotes",
    };
    Misfit { at: node.at, message: format!("{given} is no {}", sql_type_name(data_type)), hint: hint.to_owned() }
}

/// Numbers go as text, so that no digit is lost on the way.
fn json(node: &Node, data_type: &DataType) -> Result<Json, Misfit> {
    let refuse = || misfit(node, data_type);
    let text = |text: &str| Json::String(text.to_owned());
    Ok(match (data_type, &node.value) {
        (_, Value::Null) => Json::Null,
        (DataType::Struct(fields), Value::Map(entries)) => {
            let field = |name: &str| fields.iter().find(|field| field.name() == name).map(|field| field.data_type());
            let known = entries.iter().filter_map(|entry| Some((entry, field(&entry.key)?)));
            let members = known.map(|(entry, kind)| Ok((entry.key.clone(), json(&entry.value, kind)?)));
            Json::Object(members.collect::<Result<_, Misfit>>()?)
        }
        (DataType::List(item), Value::List(items)) => {
            Json::Array(items.iter().map(|node| json(node, item.data_type())).collect::<Result<_, _>>()?)
        }
        (DataType::Boolean, Value::Bool(value)) => Json::Bool(*value),
        (kind, Value::Integer(value)) if kind.is_numeric() => text(&value.to_string()),
        (kind, Value::Number(value)) if kind.is_floating() || is_decimal(kind) => text(&value.to_string()),
        // More digits than a YAML number keeps.
        (kind, Value::Text(value)) if is_decimal(kind) && value.parse::<f64>().is_ok() => text(value),
        (
            DataType::Utf8 | DataType::Date32 | DataType::Timestamp(..) | DataType::Time64(_) | DataType::Binary,
            Value::Text(value),
        ) => text(value),
        _ => return Err(refuse()),
    })
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;
    use arrow::util::display::array_value_to_string;

    use super::*;
    use crate::contract::locate::parse;

    #[test]
    fn values_become_the_contracts_types() {
        let moment = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let tags = DataType::new_list(DataType::Utf8, true);
        for (yaml, kind, expect) in [
            ("12", DataType::Int32, Ok("12")),
            ("12.5", DataType::Int32, Err("`12.5` is no INTEGER")),
            ("9000000000", DataType::Int32, Err("`9000000000` is no INTEGER")),
            ("'12'", DataType::Int32, Err("`12` is no INTEGER")),
            ("12.5", DataType::Decimal128(12, 2), Ok("12.50")),
            ("0.1", DataType::Decimal128(12, 2), Ok("0.10")),
            ("'12345678901234567890.12'", DataType::Decimal128(38, 2), Ok("12345678901234567890.12")),
            ("12.345e", DataType::Decimal128(12, 2), Err("`12.345e` is no DECIMAL(12,2)")),
            ("12", DataType::Float64, Ok("12.0")),
            ("DE", DataType::Utf8, Ok("DE")),
            ("12", DataType::Utf8, Err("`12` is no VARCHAR")),
            ("no", DataType::Utf8, Ok("no")),
            ("yes", DataType::Boolean, Err("`yes` is no BOOLEAN")),
            ("2026-01-31", DataType::Date32, Ok("2026-01-31")),
            ("2026-02-31", DataType::Date32, Err("`2026-02-31` is no DATE")),
            ("2026-01-31T12:00:00Z", moment, Ok("2026-01-31T12:00:00Z")),
            ("[a, b]", tags.clone(), Ok("[a, b]")),
            ("{a: 1}", tags, Err("a mapping is no VARCHAR ARRAY")),
            ("~", DataType::Int64, Ok("")),
        ] {
            let node = parse(&format!("v: {yaml}\n"), "f").unwrap().get("v").unwrap().clone();
            let found = cell(&node, &kind).map(|array| array_value_to_string(&array, 0).unwrap());
            assert_eq!(found.as_deref().map_err(|misfit| misfit.message.as_str()), expect, "{yaml} as {kind}");
        }
    }
}
