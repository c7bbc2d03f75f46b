//! Broken values: who is refused, and who notices nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::DataType;

use super::fixture::*;
use crate::contract::{Column, OnDrift};
use crate::mesh::{Product, TableEntry};
use crate::policy::Exposed;

fn columns() -> Vec<Column> {
    vec![
        column("id", DataType::Int64, true),
        column("region", DataType::Utf8, true),
        column("amount", DataType::Int64, false),
        structure("address", vec![column("city", DataType::Utf8, false), column("zip", DataType::Utf8, false)], false),
    ]
}

/// The amount of row 2 (US) is broken, and so is the zip of row 4 (EU).
fn opened() -> Opened {
    let address = StructArray::from(vec![
        (
            Arc::new(arrow::datatypes::Field::new("city", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec!["a", "b", "c", "d"])) as ArrayRef,
        ),
        (
            Arc::new(arrow::datatypes::Field::new("zip", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec![Some("1"), Some("2"), Some("3"), None])),
        ),
    ]);
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4])) as ArrayRef),
        ("region", Arc::new(StringArray::from(vec!["EU", "US", "EU", "EU"]))),
        ("amount", Arc::new(Int64Array::from(vec![Some(10), None, Some(30), Some(40)]))),
        ("address", Arc::new(address)),
        ("drift.amount", Arc::new(BooleanArray::from(vec![false, true, false, false]))),
        ("drift.address.zip", Arc::new(BooleanArray::from(vec![false, false, false, true]))),
    ]);
    let markers = ["amount", "address.zip"].map(|name| (path(name), format!("drift.{name}")));
    memory(batch.unwrap(), BTreeMap::from(markers))
}

/// All leaf columns in clear, but `amount` under `mask`; all rows, or those of the EU.
fn seen(mask: &str, everywhere: bool) -> Exposed {
    let when = [if everywhere { ALWAYS } else { is("region", "EU") }];
    let leaves = ["id", "region", "amount", "address.city", "address.zip"];
    let rule_of = |leaf: &str| rule(if leaf == "amount" { mask } else { "clear" }, &when);
    exposed(leaves.iter().map(|leaf| rules(leaf, vec![rule_of(leaf)], vec![])).collect())
}

async fn ask(seen: Exposed, sql: &str) -> String {
    let answer = query(&client(governed(columns(), seen, opened())), sql).await;
    answer.map_or_else(|refused| refused, |rows| rows.join("; "))
}

const REFUSED: &str = "a value of `amount` in `sales.orders` is not what its contract promises";

#[tokio::test]
async fn reader_is_refused_what_is_read_in_clear() {
    for sql in [
        "select amount from orders",
        "select sum(amount) from orders",
        "select id from orders where amount > 5",
        "select id from orders where amount is null",
        "select count(*) from orders where amount > 5 and id > 0",
        "select a.id from orders a join orders b on a.amount = b.amount",
        "select id from orders order by amount limit 1",
    ] {
        let answer = ask(seen("clear", true), sql).await;
        assert!(answer.contains(REFUSED), "{sql}: {answer}");
    }
    for (sql, rows) in [
        ("select id from orders where region = 'US'", "2"),
        ("select count(*) from orders", "4"),
        ("select id from orders where id > 2 order by id", "3; 4"),
        // The row is left out before its value is read.
        ("select amount from orders where region = 'EU' order by id", "10; 30; 40"),
    ] {
        assert_eq!(ask(seen("clear", true), sql).await, rows, "{sql}");
    }
}

#[tokio::test]
async fn hidden_row_and_masked_cell_refuse_nothing() {
    for (sql, rows) in [
        ("select sum(amount) from orders", "80"),
        ("select id from orders where amount > 5 order by id", "1; 3; 4"),
        ("select count(*) from orders where amount is null", "0"),
        // The engine evaluates such projections below the filter of the policy.
        ("select region, amount from orders order by amount", "EU|10; EU|30; EU|40"),
        ("select region from orders where amount <= amount and region > 'A'", "EU; EU; EU"),
    ] {
        assert_eq!(ask(seen("clear", false), sql).await, rows, "{sql}");
    }
    assert_eq!(ask(seen("bucket(20)", true), "select amount from orders order by id").await, "0; ∅; 20; 40");
    // In clear in one row and masked in another.
    let both = |clear: &str| {
        let offers = vec![rule("clear", &[is("region", clear)]), rule("bucket(20)", &[ALWAYS])];
        let others = ["id", "region"].map(|leaf| rules(leaf, vec![rule("clear", &[ALWAYS])], vec![]));
        exposed([rules("amount", offers, vec![])].into_iter().chain(others).collect())
    };
    assert_eq!(ask(both("EU"), "select amount from orders order by id").await, "10; ∅; 30; 40");
    assert!(ask(both("US"), "select amount from orders order by id").await.contains(REFUSED));
}

#[tokio::test]
async fn field_of_struct_is_refused_where_the_struct_is_read() {
    let answer = ask(seen("clear", true), "select address from orders").await;
    assert!(answer.contains("a value of `address` in `sales.orders`"), "{answer}");
    let cities = exposed(
        ["id", "address.city"].iter().map(|leaf| rules(leaf, vec![rule("clear", &[ALWAYS])], vec![])).collect(),
    );
    assert_eq!(ask(cities, "select address['city'] from orders order by id").await, "a; b; c; d");
}

#[tokio::test]
async fn contract_may_ask_for_null() {
    let strict = entry(columns());
    let mut contract = strict.product.contract.as_ref().clone();
    contract.datasets[0].on_drift = OnDrift::Null;
    let product = Product { name: strict.product.name.clone(), contract: Arc::new(contract) };
    let lenient = TableEntry { product: Arc::new(product), ..strict };
    let table = crate::govern::GovernedTable::new(lenient, seen("clear", true), Arc::new(opened()), None, false);
    let context = client(table.unwrap());
    let rows = query(&context, "select amount, address['zip'] from orders order by id").await.unwrap();
    assert_eq!(rows, ["10|1", "∅|2", "30|3", "40|∅"]);
}
