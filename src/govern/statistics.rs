//! Declared statistics: what the contract promises, never what the data below the policy holds.

use std::collections::HashMap;

use arrow::datatypes::Schema;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::logical_expr::Expr;

use super::selectivity::{self, Promised};
use crate::contract::{Contract, Dataset};
use crate::name::ColumnName;

/// What a dataset counts whose contract says nothing.
const UNKNOWN_ROWS: u64 = 1 << 20;

/// Foreign keys of one column each that a reader sees on both sides: the column, and how many rows the dataset has whose key it is.
pub(super) type VisibleReferences = HashMap<ColumnName, usize>;

/// Row count and distinct counts, in the order of the visible columns. All inexact; no minima, maxima or null counts.
pub(super) fn declared(dataset: &Dataset, visible: &Schema, references: &VisibleReferences) -> Statistics {
    let rows = rows(dataset);
    let column_statistics = visible.fields().iter().map(|field| {
        let column = dataset.columns.iter().find(|column| column.name.as_str() == field.name());
        let distinct = column.and_then(|column| distinct(dataset, &column.name, references));
        let distinct_count = Precision::Inexact(distinct.unwrap_or_else(|| usual(rows)).min(rows));
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

/// In how many partitions a dataset is read: one where the contract says that it is small.
///
/// Several are merged where a join builds its table, and merging begins to read at once; one is read when the join asks, and by then the
/// joins above may have learned which rows are wanted.
pub(super) fn partitions(dataset: &Dataset, most: usize) -> usize {
    const SMALL: usize = 1 << 18;
    if rows(dataset) <= SMALL { 1 } else { most }
}

/// Distinct values of a column of which the contract says nothing. Without a count the engine takes each row for another value: a table
/// with a foreign key joined to the one it points to would seem to have no more rows than that, and be held in memory whole.
fn usual(rows: usize) -> usize {
    1 << rows.checked_ilog2().unwrap_or(0).div_ceil(2)
}

fn distinct(dataset: &Dataset, column: &ColumnName, references: &VisibleReferences) -> Option<usize> {
    if let [key] = dataset.primary_key().as_slice()
        && key.name == *column
    {
        return Some(rows(dataset));
    }
    references.get(column).copied()
}

/// Columns that have as many values as the key they point to, where that stands in the same contract. `shown` says whether the reader
/// sees a key of the contract's dataset with this index: what a hidden dataset counts must not move the plans of those who do not see it.
pub(super) fn visible_references(
    contract: &Contract,
    dataset: &Dataset,
    shown: impl Fn(usize, &ColumnName) -> bool,
) -> VisibleReferences {
    let mut found = VisibleReferences::new();
    for reference in &dataset.references {
        let ([column], [target]) = (reference.columns.as_slice(), reference.targets.as_slice()) else { continue };
        let mut words = target.rsplit('.');
        let (Some(target), Some(table)) = (words.next(), words.next()) else { continue };
        let here = words.next().is_none_or(|domain| domain == contract.domain.as_str()) && words.next().is_none();
        let named = contract.datasets.iter().enumerate().filter(|(_, other)| here && other.name.as_str() == table);
        let keyed = named.filter_map(|(at, other)| match other.primary_key().as_slice() {
            [key] if key.name.as_str() == target => Some((at, key.name.clone(), rows(other))),
            _ => None,
        });
        for (_, _, rows) in keyed.filter(|(at, key, _)| shown(*at, key)) {
            found.entry(column.clone()).or_insert(rows);
        }
    }
    found
}

/// What is left by predicates that run below the policy, of a dataset's own [`declared`].
pub(super) fn filtered(whole: &Statistics, dataset: &Dataset, visible: &Schema, predicates: &[Expr]) -> Statistics {
    let promised = |name: &str| {
        let known = whole.column_statistics.get(visible.index_of(name).ok()?)?;
        let column = dataset.columns.iter().find(|column| column.name.as_str() == name)?;
        Some(Promised { distinct: *known.distinct_count.get_value()?, range: column.range })
    };
    let share = selectivity::share(predicates, &promised);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of at least one row"
    )]
    let rows = |rows: usize| (rows as f64 * share).ceil().max(1.0) as usize;
    with_rows(whole, rows)
}

/// The share of one of `parts` partitions.
pub(super) fn share(whole: &Statistics, parts: usize) -> Statistics {
    with_rows(whole, |rows| rows.div_ceil(parts.max(1)))
}

fn with_rows(whole: &Statistics, left: impl Fn(usize) -> usize) -> Statistics {
    let mut part = whole.clone();
    if let Some(rows) = whole.num_rows.get_value() {
        let rows = left(*rows);
        part.num_rows = Precision::Inexact(rows);
        for column in &mut part.column_statistics {
            if let Some(distinct) = column.distinct_count.get_value() {
                column.distinct_count = Precision::Inexact((*distinct).min(rows));
            }
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::KeyReference;
    use crate::govern::tests::fixture;
    use arrow::datatypes::{DataType, Field};
    use datafusion::prelude::{col, lit};

    #[test]
    fn keys_count_as_declared_and_others_as_the_root_of_the_rows() {
        let mut id = fixture::column("order_id", DataType::Int64, true);
        id.primary_key = Some(1);
        let mut contract = (*fixture::entry(vec![id.clone()]).product.contract).clone();
        contract.datasets[0].row_count = Some(1_000);
        assert_eq!([partitions(&contract.datasets[0], 4), partitions(&contract.datasets[0], 1)], [1, 1]);
        let mut line = fixture::column("line_no", DataType::Int64, true);
        line.primary_key = Some(2);
        let mut lines = contract.datasets[0].clone();
        (lines.columns, lines.row_count) = (vec![id, line], None);
        lines.name = "order_lines".parse().unwrap();
        lines.references = vec![KeyReference {
            columns: vec!["order_id".parse().unwrap()],
            targets: vec!["sales.orders.order_id".to_owned()],
        }];
        contract.datasets.push(lines.clone());
        let visible = Schema::new(["order_id", "line_no"].map(|name| Field::new(name, DataType::Int64, true)).to_vec());
        let counts = |statistics: &Statistics| {
            let distinct = statistics.column_statistics.iter().map(|column| column.distinct_count);
            (statistics.num_rows, distinct.collect::<Vec<_>>())
        };
        assert_eq!(partitions(&lines, 4), 4, "what is not known to be small is not");
        let references = visible_references(&contract, &lines, |at, key| at == 0 && key.as_str() == "order_id");
        let whole = declared(&lines, &visible, &references);
        assert_eq!(
            counts(&whole),
            (Precision::Inexact(1 << 20), vec![Precision::Inexact(1_024), Precision::Inexact(1_024)])
        );
        let one = filtered(&whole, &lines, &visible, &[col("order_id").eq(lit(7_i64))]);
        assert_eq!(counts(&one), (Precision::Inexact(1 << 10), vec![Precision::Inexact(1 << 10); 2]));
        let none = filtered(&whole, &lines, &visible, &[lit(false)]);
        assert_eq!(counts(&none).0, Precision::Inexact(1), "an estimate of none would stand for every join above");
        let part = share(&whole, 2_048);
        assert_eq!(counts(&part), (Precision::Inexact(512), vec![Precision::Inexact(512), Precision::Inexact(512)]));
    }
}
