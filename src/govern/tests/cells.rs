//! What each cell shows, and what the table declares of itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::stats::Precision;
use datafusion::logical_expr::{TableProviderFilterPushDown, col, lit};
use datafusion::prelude::{SessionConfig, SessionContext};

use super::fixture::*;
use crate::contract::Column;
use crate::diagnostic::Kind;
use crate::govern::{ColumnExposure, GovernedTable, Openings, column_exposures};
use crate::policy::{Comparison, Condition, Exposed, Literal};

fn columns() -> Vec<Column> {
    let address = vec![column("street", DataType::Utf8, false), column("zip", DataType::Utf8, false)];
    let mut id = column("id", DataType::Int64, true);
    id.primary_key = Some(1);
    vec![
        id,
        column("name", DataType::Utf8, true),
        column("region", DataType::Utf8, true),
        column("salary", DataType::Decimal128(12, 2), true),
        structure("address", address, false),
    ]
}

fn batch() -> RecordBatch {
    let fields: Fields =
        vec![Field::new("street", DataType::Utf8, true), Field::new("zip", DataType::Utf8, true)].into();
    let text = |texts: [Option<&str>; 3]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let address = StructArray::new(
        fields,
        vec![text([Some("Hill 1"), Some("Main 2"), None]), text([Some("11"), Some("22"), None])],
        Some(vec![true, true, false].into()),
    );
    let salary =
        Decimal128Array::from(vec![5_512_345, 4_199_999, 1_000_000]).with_data_type(DataType::Decimal128(12, 2));
    let arrays: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("name", text([Some("Ada"), Some("Bob"), Some("Cy")])),
        ("region", text([Some("EU"), Some("US"), Some("EU")])),
        ("salary", Arc::new(salary)),
        ("address", Arc::new(address)),
    ];
    RecordBatch::try_from_iter_with_nullable(arrays.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// Every column clear for every row, but for these.
fn but(changed: Vec<crate::policy::ColumnRules>) -> Exposed {
    let clear = ["id", "name", "region", "salary", "address.street", "address.zip"];
    let mut all: Vec<_> = clear.iter().map(|at| rules(at, vec![rule("clear", &[ALWAYS])], vec![])).collect();
    for change in changed {
        let at = all.iter().position(|rules| rules.path == change.path).unwrap();
        all[at] = change;
    }
    exposed(all)
}

async fn rows(exposed: Exposed, sql: &str) -> Vec<String> {
    let table = governed(columns(), exposed, memory(batch(), BTreeMap::new()));
    let context = client(table);
    let frame = context.sql("select * from orders").await.unwrap();
    let promised = Arc::new(frame.schema().as_arrow().clone());
    for batch in frame.collect().await.unwrap() {
        assert_eq!(batch.schema(), promised, "what is declared is what comes");
    }
    query(&context, sql).await.unwrap()
}

fn eu() -> Condition {
    is("region", "EU")
}

#[tokio::test]
async fn two_permits_decide_cell_by_cell() {
    // Salary in clear where the region is EU, in buckets elsewhere.
    let salary = rules("salary", vec![rule("clear", &[eu()]), rule("bucket(10000)", &[ALWAYS])], vec![]);
    let shown = rows(but(vec![salary]), "select id, salary from orders order by id").await;
    assert_eq!(shown, ["1|55123.45", "2|40000.00", "3|10000.00"]);
}

#[tokio::test]
async fn the_union_of_two_permits_is_not_all_rows_times_all_columns() {
    let names = vec![rule("clear", &[eu()])];
    let salaries = vec![rule("clear", &[is("region", "US")])];
    let exposed = exposed(vec![
        rules("id", vec![rule("clear", &[eu(), is("region", "US")])], vec![]),
        rules("name", names, vec![]),
        rules("salary", salaries, vec![]),
    ]);
    let shown = rows(exposed, "select * from orders order by id").await;
    assert_eq!(shown, ["1|Ada|∅", "2|∅|41999.99", "3|Cy|∅"]);
}

#[tokio::test]
async fn caps_lower_what_is_offered() {
    let capped = |mask: &str, cap: &str| rules("salary", vec![rule(mask, &[ALWAYS])], vec![rule(cap, &[ALWAYS])]);
    let bucket = rows(but(vec![capped("bucket(10000)", "hash")]), "select salary from orders order by id").await;
    let clear = rows(but(vec![capped("clear", "hash")]), "select salary from orders order by id").await;
    let twice = rows(but(vec![capped("hash", "hash")]), "select salary from orders order by id").await;
    assert_eq!((bucket[0].len(), clear == twice), (64, true));
    assert_ne!(bucket[0], clear[0]);
    assert_eq!(bucket[2], clear[2], "a value that is its own bucket hashes alike");
    assert_eq!(rows(but(vec![capped("null", "hash")]), "select salary from orders").await, ["∅"; 3]);
    assert_eq!(rows(but(vec![capped("clear", "redact")]), "select salary from orders").await, ["∅"; 3]);
    let name = rules("name", vec![rule("clear", &[ALWAYS])], vec![rule("redact", &[ALWAYS])]);
    assert_eq!(rows(but(vec![name]), "select name from orders").await, ["***"; 3]);
    // The lowest of the caps that apply counts; a clear cell of a hashed column is text.
    let caps = vec![rule("null", &[is("region", "US")]), rule("hash", &[is("name", "Ada")])];
    let mixed =
        rows(but(vec![rules("salary", vec![rule("clear", &[ALWAYS])], caps)]), "select salary from orders order by id")
            .await;
    assert_eq!((mixed[0].len(), &mixed[1][..], &mixed[2][..]), (64, "∅", "10000.00"));
}

#[tokio::test]
async fn a_missing_key_shows_null_and_stays_text() {
    let hashed = but(vec![rules("salary", vec![rule("hash", &[ALWAYS])], vec![])]);
    let table =
        GovernedTable::new(entry(columns()), hashed, Arc::new(memory(batch(), BTreeMap::new())), None, false).unwrap();
    assert_eq!(*table.schema().field_with_name("salary").unwrap().data_type(), DataType::Utf8);
    assert_eq!(query(&client(table), "select salary from orders").await.unwrap(), ["∅"; 3]);
}

#[tokio::test]
async fn hidden_columns_and_fields_are_absent() {
    let hidden = |at: &str| rules(at, vec![rule("clear", &[ALWAYS])], vec![rule("hidden", &[ALWAYS])]);
    let exposed = but(vec![hidden("address.street"), hidden("salary"), rules("name", vec![], vec![])]);
    let zip: Fields = vec![Field::new("zip", DataType::Utf8, true)].into();
    let expected = Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("region", DataType::Utf8, true),
        Field::new("address", DataType::Struct(zip), true),
    ]);
    let table = governed(columns(), exposed.clone(), memory(batch(), BTreeMap::new()));
    assert_eq!(*table.schema(), expected);
    assert_eq!(rows(exposed.clone(), "select address from orders order by id").await, ["{zip: 11}", "{zip: 22}", "∅"]);
    let context = client(governed(columns(), exposed, memory(batch(), BTreeMap::new())));
    let unknown = |name: &'static str| {
        let context = context.clone();
        async move { query(&context, &format!("select {name} from orders")).await.unwrap_err().replace(name, "?") }
    };
    assert_eq!(unknown("salary").await, unknown("nosuch").await);
}

#[tokio::test]
async fn a_struct_tells_of_itself_only_where_a_field_does() {
    let street = rules("address.street", vec![], vec![]);
    let zip = rules("address.zip", vec![rule("first(1)", &[is("region", "US")])], vec![]);
    let shown = rows(but(vec![street, zip]), "select id, address from orders order by id").await;
    assert_eq!(shown, ["1|∅", "2|{zip: 2}", "3|∅"]);
}

#[tokio::test]
async fn a_row_is_visible_where_a_column_is() {
    let exposed = exposed(vec![
        rules("id", vec![rule("null", &[eu()])], vec![rule("hidden", &[is("name", "Cy")])]),
        rules("name", vec![], vec![rule("hash", &[ALWAYS])]),
    ]);
    assert_eq!(rows(exposed, "select * from orders").await, ["∅"]);
}

#[tokio::test]
async fn a_permit_on_the_condition_of_a_forbid_shows_nothing() {
    let exposed = exposed(vec![rules("id", vec![rule("clear", &[eu()])], vec![rule("hidden", &[eu()])])]);
    assert!(GovernedTable::new(entry(columns()), exposed, Arc::new(broken()), None, false).is_none());
}

#[test]
fn exposures_say_what_is_masked() {
    let exposed = but(vec![
        rules("name", vec![rule("hash", &[ALWAYS])], vec![]),
        rules("salary", vec![rule("clear", &[eu()]), rule("bucket(10)", &[is("region", "US")])], vec![]),
        rules("address.street", vec![], vec![]),
    ]);
    let shown = column_exposures(entry(columns()).dataset(), &exposed);
    let expect = |at: &str, masks: &[&str]| ColumnExposure {
        path: path(at),
        masks: masks.iter().map(|mask| (*mask).to_owned()).collect(),
    };
    let expected = [
        expect("id", &[]),
        expect("name", &["hash"]),
        expect("region", &[]),
        expect("salary", &["clear", "bucket(10)", "hidden"]),
        expect("address.zip", &[]),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn only_columns_in_clear_take_predicates() {
    let region_only = exposed(vec![
        rules("id", vec![rule("clear", &[eu()])], vec![]),
        rules("region", vec![rule("clear", &[eu()])], vec![]),
        rules("salary", vec![rule("bucket(10)", &[eu()])], vec![]),
    ]);
    let table = |restricted| {
        GovernedTable::new(entry(columns()), region_only.clone(), Arc::new(broken()), None, restricted).unwrap()
    };
    let money = lit(datafusion::common::ScalarValue::Decimal128(Some(1), 12, 2));
    let asked = [col("id").eq(lit(1_i64)), col("region").is_null(), col("salary").eq(money)];
    let asked: Vec<_> = asked.iter().collect();
    let (yes, no) = (TableProviderFilterPushDown::Exact, TableProviderFilterPushDown::Unsupported);
    assert_eq!(table(false).supports_filters_pushdown(&asked).unwrap(), [yes, TableProviderFilterPushDown::Exact, no]);
    let none = table(true).supports_filters_pushdown(&asked).unwrap();
    assert!(none.iter().all(|answer| *answer == TableProviderFilterPushDown::Unsupported), "restricted takes none");
}

#[tokio::test]
async fn statistics_are_what_the_contract_says() {
    let table = governed(columns(), but(vec![]), memory(batch(), BTreeMap::new()));
    let statistics = table.statistics().unwrap();
    assert_eq!(statistics.num_rows, Precision::Inexact(1 << 20), "a million rounded up to a power of two");
    assert_eq!(statistics.column_statistics[0].distinct_count, Precision::Inexact(1 << 20));
    assert_eq!(
        statistics.column_statistics[1].distinct_count,
        Precision::Inexact(1 << 10),
        "the root, where it says nothing"
    );
    let context = client(table);
    assert_eq!(query(&context, "select count(*) from orders").await.unwrap(), ["3"]);
    let plan =
        query(&context, "explain select max(salary), count(*) from orders where id > 1").await.unwrap().join("\n");
    assert!(plan.contains("ProductScan: sales.orders policies=[clear-0]"), "{plan}");
    assert!(!plan.contains("DataSourceExec"), "{plan}");
    let analyzed = query(&context, "explain analyze select salary from orders").await.unwrap().join("\n");
    let scan = analyzed.lines().find(|line| line.contains("ProductScan")).unwrap();
    assert!(scan.ends_with("metrics=[output_rows=3]"), "{scan}");
}

#[tokio::test]
async fn failures_below_the_policy_are_opaque() {
    let table = governed(columns(), but(vec![]), broken());
    let error = Openings::open(&[table.unopened()], Duration::from_mins(1)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(error.message.contains("cannot be read now (`sales.orders`, correlation id "), "{error}");
    assert!(!error.message.contains("bucket") && !error.hints[0].contains("bucket"), "{error:?}");
    // Nobody has opened it.
    let context = SessionContext::new_with_config(SessionConfig::new());
    context
        .register_table("orders", Arc::new(governed(columns(), but(vec![]), memory(batch(), BTreeMap::new()))))
        .unwrap();
    let error = query(&context, "select * from orders").await.unwrap_err();
    assert!(error.contains("was not opened"), "{error}");
    // What was opened does not have the contract's columns.
    let narrow = batch().project(&[0, 1]).unwrap();
    let context = client(governed(columns(), but(vec![]), memory(narrow, BTreeMap::new())));
    let error = query(&context, "select salary from orders").await.unwrap_err();
    assert!(error.contains("product read failed") && !error.contains("salary"), "{error}");
}

#[tokio::test]
async fn plans_of_every_shape_run() {
    let context = client(governed(columns(), but(vec![]), memory(batch(), BTreeMap::new())));
    for (sql, expected) in [
        ("select count(*) from orders a join orders b on a.id = b.id", "3"),
        (
            "select count(*) from orders a where a.salary > (select avg(salary) from orders b where b.region = a.region)",
            "1",
        ),
        ("select count(*) from (select id from orders limit 2)", "2"),
        ("select id from orders order by salary desc limit 1", "1"),
        ("select count(*) from orders where id in (1, 3) and region <> 'US'", "2"),
        ("select count(*) from (select * from orders limit 2) l join (values (1),(2),(3)) v(k) on l.id = v.k", "2"),
        (
            "with recursive r as (select 1 as k union all select o.id + 1 as k from r join orders o on o.id = r.k) select max(k) from r",
            "4",
        ),
        ("select count(distinct a.id) from orders a, orders b where a.id < b.id", "2"),
    ] {
        assert_eq!(query(&context, sql).await, Ok(vec![expected.to_owned()]), "{sql}");
    }
}

#[tokio::test]
async fn comparisons_with_a_decimal_permit_still_bucket() {
    let dear = compare(Comparison::Greater, "salary", Literal::Decimal(500_000_000));
    let salary = rules("salary", vec![rule("clear", &[dear]), rule("year", &[ALWAYS])], vec![]);
    let shown = rows(but(vec![salary]), "select id, salary from orders order by id").await;
    assert_eq!(shown, ["1|55123.45", "2|∅", "3|∅"], "a mask that does not fit shows nothing");
}
