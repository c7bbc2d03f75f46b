//! Declared statistics: what the contract promises, never what the data below the policy holds.

use arrow::datatypes::Schema;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics};

use crate::contract::{Contract, Dataset};
use crate::name::ColumnName;

/// What a dataset counts whose contract says nothing.
const UNKNOWN_ROWS: u64 = 1 << 20;

/// Row count and distinct counts of key columns, in the order of the visible columns. All inexact; no minima, maxima or null counts.
pub(super) fn declared(contract: &Contract, dataset: &Dataset, visible: &Schema) -> Statistics {
    let rows = rows(dataset);
    let column_statistics = visible.fields().iter().map(|field| {
        let column = dataset.columns.iter().find(|column| column.name.as_str() == field.name());
        let distinct = column.and_then(|column| distinct(contract, dataset, &column.name));
        let distinct_count = distinct.map_or(Precision::Absent, |count| Precision::Inexact(count.min(rows)));
        ColumnStatistics { distinct_count, ..ColumnStatistics::new_unknown() }
    });
    Statistics {
        num_rows: Precision::Inexact(rows),
        total_byte_size: Precision::Absent,
        column_statistics: column_statistics.collect(),
    }
}

fn rows(dataset: &Dataset) -> usize {
    let declared = dataset.row_count.unwrap_or(UNKNOWN_ROWS);
    let rounded = declared.checked_next_power_of_two().unwrap_or(1 << 63);
    usize::try_from(rounded).unwrap_or(usize::MAX)
}

fn distinct(contract: &Contract, dataset: &Dataset, column: &ColumnName) -> Option<usize> {
    if let [key] = dataset.primary_key().as_slice()
        && key.name == *column
    {
        return Some(rows(dataset));
    }
    // A foreign key has as many values as the key it points to, where that stands in the same contract.
    dataset.references.iter().find_map(|reference| {
        let at = reference.columns.iter().position(|referring| referring == column)?;
        let (table, target) = reference.targets.get(at)?.rsplit_once('.')?;
        let referred = contract.datasets.iter().find(|other| other.name.as_str() == table)?;
        let keys = referred.primary_key();
        (keys.len() == 1 && keys.first()?.name.as_str() == target).then(|| rows(referred))
    })
}

/// The share of one of `parts` partitions.
pub(super) fn share(whole: &Statistics, parts: usize) -> Statistics {
    let mut share = whole.clone();
    if let Some(rows) = whole.num_rows.get_value() {
        let rows = rows.div_ceil(parts.max(1));
        share.num_rows = Precision::Inexact(rows);
        for column in &mut share.column_statistics {
            if let Some(distinct) = column.distinct_count.get_value() {
                column.distinct_count = Precision::Inexact((*distinct).min(rows));
            }
        }
    }
    share
}
