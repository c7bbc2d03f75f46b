//! Delta tables, written by hand: Parquet files and a log of JSON commits with statistics.
//!
//! The format is <https://github.com/delta-io/delta/blob/master/PROTOCOL.md>; only what an append and a rewrite need.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, Schema, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value, json};

use super::world::TODAY;
use super::{files, parquet};
use crate::diagnostic::{Diagnostic, Kind, Result};

/// A data file that a commit added.
#[derive(Debug)]
pub(super) struct Added {
    name: String,
    bytes: u64,
}

/// A table below construction: every call is one commit.
#[derive(Debug)]
pub(super) struct DeltaTable {
    folder: PathBuf,
    next_version: u64,
}

impl DeltaTable {
    /// Commit 0: the protocol and the schema.
    pub(super) fn create(folder: &Path, id: &str, schema: &Schema) -> Result<Self> {
        let mut fields = Vec::new();
        let mut ntz = false;
        for field in schema.fields() {
            ntz |= matches!(field.data_type(), DataType::Timestamp(_, None));
            fields.push(delta_field(field)?);
        }
        let protocol = if ntz {
            let features = ["timestampNtz"];
            json!({ "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features })
        } else {
            json!({ "minReaderVersion": 1, "minWriterVersion": 2 })
        };
        let metadata = json!({
            "id": id,
            "format": { "provider": "parquet", "options": {} },
            "schemaString": json!({ "type": "struct", "fields": fields }).to_string(),
            "partitionColumns": [],
            "configuration": {},
            "createdTime": millis(0),
        });
        let mut table = Self { folder: folder.to_owned(), next_version: 0 };
        table.commit("CREATE TABLE", &[json!({ "protocol": protocol }), json!({ "metaData": metadata })])?;
        Ok(table)
    }

    /// One commit that adds one file.
    pub(super) fn append(&mut self, rows: &RecordBatch) -> Result<Added> {
        let (added, action) = self.write_file(rows)?;
        self.commit("WRITE", &[action])?;
        Ok(added)
    }

    /// One commit that takes a file out and puts another in its place; the old one stays on disk, as a vacuum would find it.
    pub(super) fn rewrite(&mut self, old: &Added, rows: &RecordBatch) -> Result<Added> {
        let remove = json!({ "remove": {
            "path": old.name,
            "deletionTimestamp": millis(self.next_version),
            "dataChange": true,
            "extendedFileMetadata": true,
            "partitionValues": {},
            "size": old.bytes,
        }});
        let (added, action) = self.write_file(rows)?;
        self.commit("UPDATE", &[remove, action])?;
        Ok(added)
    }

    fn write_file(&self, rows: &RecordBatch) -> Result<(Added, Value)> {
        let name = format!("part-{:05}.zstd.parquet", self.next_version);
        let bytes = parquet::write(&self.folder.join(&name), rows)?;
        let action = json!({ "add": {
            "path": name,
            "partitionValues": {},
            "size": bytes,
            "modificationTime": millis(self.next_version),
            "dataChange": true,
            "stats": statistics(rows)?.to_string(),
        }});
        Ok((Added { name, bytes }, action))
    }

    fn commit(&mut self, operation: &str, actions: &[Value]) -> Result<()> {
        let info = json!({ "commitInfo": {
            "timestamp": millis(self.next_version),
            "operation": operation,
            "operationParameters": {},
            "engineInfo": "meshgate demo",
        }});
        let mut lines = String::new();
        for action in std::iter::once(&info).chain(actions) {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{action}");
        }
        let path = self.folder.join("_delta_log").join(format!("{:020}.json", self.next_version));
        files::write(&path, lines.as_bytes(), files::Access::Everyone)?;
        self.next_version += 1;
        Ok(())
    }
}

/// Commits are a minute apart and end before the demo's today: the same on every machine.
fn millis(version: u64) -> i64 {
    TODAY * 86_400_000 + i64::try_from(version).unwrap_or_default() * 60_000
}

fn delta_field(field: &arrow::datatypes::Field) -> Result<Value> {
    Ok(json!({ "name": field.name(), "type": delta_type(field.data_type())?, "nullable": true, "metadata": {} }))
}

fn delta_type(data_type: &DataType) -> Result<Value> {
    Ok(match data_type {
        DataType::Int64 => json!("long"),
        DataType::Utf8 => json!("string"),
        DataType::Float64 => json!("double"),
        DataType::Date32 => json!("date"),
        DataType::Timestamp(TimeUnit::Microsecond, None) => json!("timestamp_ntz"),
        DataType::Decimal128(precision, scale) => json!(format!("decimal({precision},{scale})")),
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| delta_field(field)).collect::<Result<Vec<_>>>()?;
            json!({ "type": "struct", "fields": fields })
        }
        other => {
            let message = format!("the demo's Delta writer knows no type for `{other}`");
            return Err(Diagnostic::error(Kind::Internal, message));
        }
    })
}

/// Row count, and null count, minimum and maximum of every column but structs. Text is left out: minima of names are personal data.
fn statistics(rows: &RecordBatch) -> Result<Value> {
    let (mut minima, mut maxima, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        if matches!(field.data_type(), DataType::Struct(_)) {
            continue;
        }
        nulls.insert(field.name().clone(), json!(column.null_count()));
        if let Some((low, high)) = extremes(column) {
            minima.insert(field.name().clone(), bound(column, low)?);
            maxima.insert(field.name().clone(), bound(column, high)?);
        }
    }
    Ok(json!({ "numRecords": rows.num_rows(), "minValues": minima, "maxValues": maxima, "nullCount": nulls }))
}

/// Rows that hold the smallest and the largest value.
fn extremes(column: &ArrayRef) -> Option<(usize, usize)> {
    match column.data_type() {
        DataType::Int64 => extreme_rows::<Int64Type>(column, i64::cmp),
        DataType::Date32 => extreme_rows::<Date32Type>(column, i32::cmp),
        DataType::Timestamp(TimeUnit::Microsecond, None) => extreme_rows::<TimestampMicrosecondType>(column, i64::cmp),
        DataType::Decimal128(..) => extreme_rows::<Decimal128Type>(column, i128::cmp),
        DataType::Float64 => extreme_rows::<Float64Type>(column, f64::total_cmp),
        _ => None,
    }
}

fn extreme_rows<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    compare: fn(&T::Native, &T::Native) -> std::cmp::Ordering,
) -> Option<(usize, usize)> {
    let values = column.as_primitive_opt::<T>()?;
    let present = || values.iter().enumerate().filter_map(|(row, value)| Some((row, value?)));
    let low = present().min_by(|a, b| compare(&a.1, &b.1))?;
    let high = present().max_by(|a, b| compare(&a.1, &b.1))?;
    Some((low.0, high.0))
}

/// A value as the log spells it: numbers bare, dates and times as ISO text.
fn bound(column: &ArrayRef, row: usize) -> Result<Value> {
    let failed = |error: &dyn std::fmt::Display| {
        Diagnostic::error(Kind::Internal, format!("cannot write the statistics of a demo table: {error}"))
    };
    let options = FormatOptions::default();
    let text = ArrayFormatter::try_new(column.as_ref(), &options)
        .and_then(|f| f.value(row).try_to_string())
        .map_err(|e| failed(&e))?;
    match column.data_type() {
        DataType::Date32 | DataType::Timestamp(..) => Ok(Value::String(text)),
        _ => serde_json::from_str(&text).map_err(|error| failed(&error)),
    }
}
