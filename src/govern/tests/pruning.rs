//! Pruning survives policy: what need not be read is not read.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::DataType;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};

use super::fixture::*;
use crate::contract::Column;
use crate::govern::GovernedTable;
use crate::policy::{Condition, Exposed};

fn columns() -> Vec<Column> {
    ["id", "amount"]
        .map(|name| column(name, DataType::Int64, true))
        .into_iter()
        .chain([column("region", DataType::Utf8, true)])
        .collect()
}

/// Twenty row groups of 500; regions lie in stretches of five groups.
fn batch() -> RecordBatch {
    let ids = 0..10_000_i64;
    let regions = ids.clone().map(|id| {
        if id < 2_500 {
            "APAC"
        } else if id < 7_500 {
            "EU"
        } else {
            "US"
        }
    });
    let arrays: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values(ids.clone()))),
        ("amount", Arc::new(Int64Array::from_iter_values(ids.map(|id| id * 7919 % 10_007)))),
        ("region", Arc::new(StringArray::from_iter_values(regions))),
    ];
    RecordBatch::try_from_iter_with_nullable(arrays.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn policy(rows: &Condition, id: &str) -> Exposed {
    exposed(vec![
        rules("id", vec![rule(id, std::slice::from_ref(rows))], vec![]),
        rules("amount", vec![rule("clear", std::slice::from_ref(rows))], vec![]),
        rules("region", vec![rule("clear", std::slice::from_ref(rows))], vec![]),
    ])
}

async fn context(rows: &Condition, id: &str, restricted: bool) -> SessionContext {
    over(private_config(), rows, id, restricted).await
}

async fn over(config: SessionConfig, rows: &Condition, id: &str, restricted: bool) -> SessionContext {
    let opened = parquet(batch(), 500, config).await;
    let table = GovernedTable::new(entry(columns()), policy(rows, id), Arc::new(opened), None, restricted).unwrap();
    let context = client(table);
    let small =
        RecordBatch::try_from_iter([("k", Arc::new(Int64Array::from(vec![4_001, 4_002])) as ArrayRef)]).unwrap();
    context.register_batch("small", small).unwrap();
    context
}

/// Rows that came out of the files.
fn leaves(plan: &Arc<dyn ExecutionPlan>) -> usize {
    if plan.children().is_empty() {
        return plan.metrics().and_then(|metrics| metrics.output_rows()).unwrap_or(0);
    }
    plan.children().into_iter().map(leaves).sum()
}

/// Rows of the answer, and rows that the reader of files let through to the policy.
async fn read(context: &SessionContext, sql: &str) -> (usize, usize) {
    let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    let batches = collect(Arc::clone(&plan), context.task_ctx()).await.unwrap();
    let below = scans(&plan).iter().map(|scan| leaves(scan.below())).sum();
    (batches.iter().map(RecordBatch::num_rows).sum(), below)
}

#[tokio::test]
async fn a_policy_prunes() {
    let eu = context(&is("region", "EU"), "clear", false).await;
    assert_eq!(read(&eu, "select id from orders").await, (5_000, 5_000));
    let prefix = Condition::Like(
        Box::new(crate::policy::Term::Column(path("region"))),
        vec![crate::policy::PatternPart::Text("U".to_owned()), crate::policy::PatternPart::Wildcard],
    );
    assert_eq!(read(&context(&prefix, "clear", false).await, "select id from orders").await, (2_500, 2_500));
}

#[tokio::test]
async fn a_leakproof_predicate_prunes_and_another_does_not() {
    let eu = context(&is("region", "EU"), "clear", false).await;
    assert_eq!(read(&eu, "select amount from orders where id between 4100 and 4200").await, (101, 500));
    assert_eq!(read(&eu, "select amount from orders where abs(id) = 4100").await, (1, 5_000));
    let masked = context(&is("region", "EU"), "bucket(100)", false).await;
    assert_eq!(read(&masked, "select amount from orders where id = 4100").await, (100, 5_000));
    let restricted = context(&is("region", "EU"), "clear", true).await;
    assert_eq!(read(&restricted, "select amount from orders where id = 4100").await, (1, 5_000));
}

#[tokio::test]
async fn a_predicate_on_a_partition_column_reads_only_that_partition() {
    let file = |from: i64| {
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 1_000));
        RecordBatch::try_from_iter_with_nullable([("id", ids, true)]).unwrap()
    };
    let years = [("order_year=2023/a.parquet", file(0)), ("order_year=2024/a.parquet", file(1_000))];
    let by_year = vec![("order_year".to_owned(), DataType::Int32)];
    let options = ParquetReadOptions::default().table_partition_cols(by_year);
    let opened = files(&years, 500, private_config(), options).await;
    let columns = vec![column("id", DataType::Int64, true), column("order_year", DataType::Int32, true)];
    let all = |at: &str| rules(at, vec![rule("clear", &[ALWAYS])], vec![]);
    let context = client(governed(columns, exposed(vec![all("id"), all("order_year")]), opened));
    assert_eq!(read(&context, "select id from orders where order_year = 2024").await, (1_000, 1_000));
    assert_eq!(read(&context, "select id from orders where order_year = 2024 and id < 1200").await, (200, 500));
    assert_eq!(read(&context, "select id from orders where order_year > 2024").await, (0, 0));
}

#[tokio::test]
async fn a_selective_join_prunes_only_through_columns_in_clear() {
    let join = "select o.amount from small s join orders o on s.k = o.id";
    let eu = context(&is("region", "EU"), "clear", false).await;
    assert_eq!(read(&eu, join).await, (2, 500));
    let restricted = context(&is("region", "EU"), "clear", true).await;
    assert_eq!(read(&restricted, join).await, (2, 5_000));
    let masked = context(&is("region", "EU"), "bucket(100)", false).await;
    assert_eq!(read(&masked, join).await, (0, 5_000));
    // A filter below a limit would change which rows it lets through.
    let limited = "select o.amount from small s join (select * from orders limit 4000) o on s.k = o.id";
    assert_eq!(read(&eu, limited).await.0, 2);
}

#[tokio::test]
async fn a_top_k_prunes() {
    let mut config = private_config();
    config.options_mut().execution.parquet.pushdown_filters = true;
    let eu = over(config, &is("region", "EU"), "clear", false).await;
    let (rows, below) = read(&eu, "select id from orders order by id limit 3").await;
    assert!(rows == 3 && below < 5_000, "{below}");
}

/// Files leave NaN out of their statistics, and the engine takes it for the largest number.
#[tokio::test]
async fn a_visible_nan_does_not_tell_of_the_largest_hidden_number() {
    let world = |hidden: f64| {
        let arrays: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
            ("x", Arc::new(Float64Array::from(vec![1.0, 2.0, f64::NAN, hidden]))),
            ("region", Arc::new(StringArray::from(vec!["EU", "EU", "EU", "US"]))),
        ];
        RecordBatch::try_from_iter_with_nullable(arrays.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    };
    let columns = || {
        vec![
            column("id", DataType::Int64, true),
            column("x", DataType::Float64, true),
            column("region", DataType::Utf8, true),
        ]
    };
    let eu = [is("region", "EU")];
    let shown = || exposed(["id", "x", "region"].map(|at| rules(at, vec![rule("clear", &eu)], vec![])).into());
    let mut answers = Vec::new();
    for hidden in [3.0, 100.0] {
        let context = client(governed(columns(), shown(), parquet(world(hidden), 500, private_config()).await));
        let mut found = Vec::new();
        for sql in [
            "select id from orders where x > 50",
            "select id from orders where x = 'NaN'::double",
            "select id from orders where not (x <= 50)",
            "select id from orders where x in (50.0, 'NaN'::double)",
            "select o.id from (values ('NaN'::double), (50.0)) v(k) join orders o on o.x = v.k",
            "select id from orders order by x desc limit 1",
        ] {
            found.push(query(&context, sql).await.unwrap());
        }
        assert!(found.iter().all(|rows| rows.iter().any(|row| row.contains('3'))), "NaN is shown: {found:?}");
        answers.push(found);
    }
    assert_eq!(answers[0], answers[1]);
}
