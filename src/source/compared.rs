//! What Parquet files hold against the contract, by their footers: file by file, and all together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit as ParquetUnit, Type as Physical};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::conform::{self, FilePath, Unreadable};
use super::decoded::RowBytes;
use crate::contract::{Column, Dataset};
use crate::diagnostic::{Diagnostic, Kind};
use crate::name::ColumnPath;

/// What the footer of one file says.
#[derive(Debug, Clone, Default)]
pub(super) struct Footer {
    pub rows: u64,
    /// How wide rows become when they are decoded.
    pub widths: Arc<RowBytes>,
    /// Columns and members of structs that are not as promised.
    faults: Unreadable,
    /// What it lacks.
    absent: BTreeMap<FilePath, Diagnostic>,
    /// Those that it lacks though the contract requires them.
    broken: Unreadable,
    /// Columns that only a conversion of ours makes what is promised, as the file calls them.
    converted: BTreeSet<String>,
    /// Texts that stand in it as bytes, as it calls them.
    bytes: BTreeSet<String>,
    /// Leaves of which some values may have no meaning as promised.
    lossy: BTreeSet<ColumnPath>,
}

/// What a file holds against the contract, by its schema and its statistics.
pub(super) fn compare(name: &str, schema: &Schema, metadata: &ParquetMetaData, columns: &[&Column]) -> Footer {
    let mut compared = Footer::default();
    for column in columns {
        if is_text_in_bytes(schema, column) {
            compared.bytes.insert(column.physical_name.clone());
            continue;
        }
        let found = conform::compare(name, schema, column, &|path| has_only_uuids(metadata, path));
        compared.faults.extend(found.faults);
        compared.absent.extend(found.absent);
        compared.broken.extend(found.broken);
        compared.lossy.extend(found.lossy);
        if found.converted {
            compared.converted.insert(column.physical_name.clone());
        }
    }
    for chunk in metadata.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        let unit = time_unit(chunk);
        let path = chunk.column_descr().path().parts();
        // Milliseconds may have no microseconds; nanoseconds before 1970 are cut down, which the engine's cast does not do.
        let (is_lossy, is_early) = match unit {
            Some(ParquetUnit::MILLIS) => (!lies_between(chunk, -i64::MAX / 1_000, i64::MAX / 1_000), false),
            Some(ParquetUnit::NANOS) => (false, !lies_between(chunk, 0, i64::MAX)),
            _ => (false, false),
        };
        for column in columns.iter().filter(|column| path.first() == Some(&column.physical_name)) {
            if is_lossy || is_early {
                compared.converted.insert(column.physical_name.clone());
            }
            if is_lossy {
                compared.lossy.insert(conform::path_in(column, path));
            }
        }
    }
    compared
}

/// True for a column that is promised as text, and that a file holds without the annotation that it is.
fn is_text_in_bytes(schema: &Schema, column: &Column) -> bool {
    let found = schema.field_with_name(&column.physical_name).map(Field::data_type);
    column.data_type == DataType::Utf8
        && matches!(found, Ok(DataType::Binary | DataType::LargeBinary | DataType::BinaryView))
}

/// True where all that stands below a path in sixteen bytes of fixed size are UUIDs.
fn has_only_uuids(metadata: &ParquetMetaData, path: &[String]) -> bool {
    let leaves = metadata.file_metadata().schema_descr().columns().iter();
    let mut sixteen = leaves.filter(|leaf| {
        leaf.path().parts().starts_with(path)
            && leaf.physical_type() == Physical::FIXED_LEN_BYTE_ARRAY
            && leaf.type_length() == 16
    });
    sixteen.all(|leaf| matches!(leaf.logical_type_ref(), Some(LogicalType::Uuid | LogicalType::Decimal(_))))
}

/// The unit of a timestamp.
fn time_unit(chunk: &ColumnChunkMetaData) -> Option<ParquetUnit> {
    let described = chunk.column_descr();
    match described.logical_type_ref() {
        Some(LogicalType::Timestamp(kind)) => Some(kind.unit),
        _ if described.converted_type() == ConvertedType::TIMESTAMP_MILLIS => Some(ParquetUnit::MILLIS),
        _ => None,
    }
}

/// Whether the statistics show that each value does.
fn lies_between(chunk: &ColumnChunkMetaData, least: i64, most: i64) -> bool {
    match chunk.statistics() {
        Some(Statistics::Int64(known)) => match (known.min_opt(), known.max_opt()) {
            (Some(min), Some(max)) => *min >= least && *max <= most,
            _ => known.null_count_opt() == u64::try_from(chunk.num_values()).ok(),
        },
        _ => chunk.num_values() == 0,
    }
}

/// What the footers of all files say together.
pub(super) struct Summary {
    pub unreadable: Unreadable,
    pub broken: Unreadable,
    pub converted: BTreeSet<String>,
    pub bytes: BTreeSet<String>,
    pub lossy: BTreeSet<ColumnPath>,
    /// Some file lacks a column that others have.
    pub evolved: bool,
}

impl Summary {
    pub fn of(footers: &[&Footer], dataset: &Dataset) -> Self {
        let mut summary = Self {
            unreadable: Unreadable::new(),
            broken: Unreadable::new(),
            converted: BTreeSet::new(),
            bytes: BTreeSet::new(),
            lossy: BTreeSet::new(),
            evolved: footers.iter().any(|footer| !footer.absent.is_empty()),
        };
        for footer in footers {
            summary.converted.extend(footer.converted.iter().cloned());
            summary.bytes.extend(footer.bytes.iter().cloned());
            summary.lossy.extend(footer.lossy.iter().cloned());
            let gathered = [(&mut summary.unreadable, &footer.faults), (&mut summary.broken, &footer.broken)];
            for (all, of_file) in gathered {
                for (name, why) in of_file {
                    all.entry(name.clone()).or_insert_with(|| why.clone());
                }
            }
        }
        for column in dataset.columns.iter().filter(|column| summary.bytes.contains(&column.physical_name)) {
            if summary.converted.contains(&column.physical_name) {
                let what = format!("column `{}` is a UUID in one file and bytes in another", column.physical_name);
                let why = Diagnostic::error(Kind::Invalid, what).hint("write the files again with one type");
                summary.unreadable.entry(ColumnPath::root(column.name.clone())).or_insert(why);
            }
        }
        let absent: Vec<_> = footers.iter().map(|footer| &footer.absent).collect();
        for (path, why) in conform::nowhere(&absent) {
            for column in dataset.columns.iter().filter(|column| path.first() == Some(&column.physical_name)) {
                summary.unreadable.entry(conform::path_in(column, path)).or_insert_with(|| why.clone());
            }
        }
        summary
    }
}
