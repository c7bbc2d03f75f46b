//! One batch as one Parquet file, of the shape that a careful data team would publish.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::files;
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Writes `rows` in four row groups or more (where there are enough rows), so that a selective predicate has something to skip.
/// Returns the size in bytes.
pub(super) fn write(path: &Path, rows: &RecordBatch) -> Result<u64> {
    files::make_folder(path.parent().unwrap_or(path))?;
    let group = rows.num_rows().div_ceil(4).clamp(256, 65_536);
    let level = ZstdLevel::try_new(1).map_err(|error| files::unwritable(path, &error))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(group))
        .set_created_by("meshgate demo".to_owned())
        .build();
    let write = || -> parquet::errors::Result<u64> {
        let file = File::create(path)?;
        let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties))?;
        writer.write(rows)?;
        let file = writer.into_inner()?;
        Ok(file.metadata()?.len())
    };
    write().map_err(|error| files::unwritable(path, &error))
}

/// Columns of equal length, all nullable.
pub(super) fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> Result<RecordBatch> {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .map_err(|error| internal(&error))
}

/// Cents as decimal(12,2).
pub(super) fn money(cents: impl IntoIterator<Item = i64>) -> Result<ArrayRef> {
    let column = Decimal128Array::from_iter_values(cents.into_iter().map(i128::from));
    Ok(Arc::new(column.with_precision_and_scale(12, 2).map_err(|error| internal(&error))?))
}

/// Microseconds since 1970-01-01, without a zone.
pub(super) fn timestamps(micros: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros))
}

fn internal(error: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::error(Kind::Internal, format!("cannot put a demo table together: {error}"))
}
