//! Worlds that differ only in what `ana` may not see look the same to her, whatever she asks.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;

use super::fixture::*;
use crate::contract::Column;
use crate::policy::{Condition, Exposed, Literal, PatternPart, Term};

fn columns() -> Vec<Column> {
    let mut columns = vec![column("order_id", DataType::Int64, true)];
    columns.extend(["region", "note", "email", "card_no"].map(|name| column(name, DataType::Utf8, false)));
    columns.extend(["customer_id", "amount", "qty", "risk"].map(|name| column(name, DataType::Int64, false)));
    let fields = ["street", "zip"].map(|name| column(name, DataType::Utf8, false)).into();
    columns.push(structure("addr", fields, false));
    columns
}

/// 300 orders in three row groups; `ana` may see those of the EU. Hidden rows are harmless, or each of them would betray itself.
fn world(harmful: bool, visible_in: i64) -> RecordBatch {
    let ids: Vec<i64> = (0..300).collect();
    let eu = |id: i64| id % visible_in == 0;
    let number = |shown: fn(i64) -> i64, hidden: fn(i64) -> i64| -> ArrayRef {
        Arc::new(
            ids.iter()
                .map(|id| {
                    Some(if eu(*id) {
                        shown(*id)
                    } else if harmful {
                        hidden(*id)
                    } else {
                        1_000
                    })
                })
                .collect::<Int64Array>(),
        )
    };
    let text = |shown: fn(i64) -> String, hidden: fn(i64) -> String| -> ArrayRef {
        Arc::new(
            ids.iter()
                .map(|id| {
                    Some(if eu(*id) {
                        shown(*id)
                    } else if harmful {
                        hidden(*id)
                    } else {
                        "1".to_owned()
                    })
                })
                .collect::<StringArray>(),
        )
    };
    let regions = ids.iter().map(|id| {
        let elsewhere = (!(harmful && id % 5 == 1)).then_some("US");
        if eu(*id) { Some("EU") } else { elsewhere }
    });
    let fields: Fields =
        vec![Field::new("street", DataType::Utf8, true), Field::new("zip", DataType::Utf8, true)].into();
    let street = text(|id| format!("canary street {id}"), |id| format!("canary lane {id}"));
    let address =
        StructArray::new(fields, vec![street, text(|_| "E1".to_owned(), |id| format!("canary zip {id}"))], None);
    let arrays: Vec<(&str, ArrayRef)> = vec![
        ("order_id", number(|id| id, |id| -id)),
        ("region", Arc::new(regions.collect::<StringArray>())),
        ("note", text(|id| id.to_string(), |id| format!("canary note of {id}"))),
        ("email", text(|id| format!("u{id}@canary.example"), |id| format!("canary{id}@x"))),
        ("card_no", text(|id| format!("canary card {id}"), |id| format!("canary card {id}"))),
        // Visible customers are 0 to 9.
        ("customer_id", number(|id| id % 10, |_| 77)),
        ("amount", number(|id| 100 + id, |id| if id % 3 == 0 { 5 } else { 0x5EC4_E75E_C4E7 })),
        ("qty", number(|_| 1, |_| i64::MAX)),
        ("risk", number(|id| id, |id| id)),
        ("addr", Arc::new(address)),
    ];
    RecordBatch::try_from_iter_with_nullable(arrays.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn policy(rows: &Condition) -> Exposed {
    let clear = |at: &str| rules(at, vec![rule("clear", std::slice::from_ref(rows))], vec![]);
    let mut all: Vec<_> = ["order_id", "region", "note", "customer_id", "amount", "qty"].map(clear).into();
    all.push(rules("email", vec![rule("clear", std::slice::from_ref(rows))], vec![rule("hash", &[ALWAYS])]));
    all.push(rules("card_no", vec![rule("clear", std::slice::from_ref(rows))], vec![rule("hidden", &[ALWAYS])]));
    all.push(rules("addr.zip", vec![rule("clear", std::slice::from_ref(rows))], vec![]));
    all.push(rules("addr.street", vec![rule("clear", std::slice::from_ref(rows))], vec![rule("hidden", &[ALWAYS])]));
    all.push(rules("risk", vec![rule("clear", std::slice::from_ref(rows))], vec![rule("null", &[ALWAYS])]));
    exposed(all)
}

fn conditions() -> Vec<(&'static str, Condition)> {
    let region = || Box::new(Term::Column(path("region")));
    let customers = (0..10).map(Literal::Long).collect();
    let given = |at: &str, condition| Condition::And(vec![Condition::Has(path(at)), condition]);
    vec![
        ("equality", given("region", is("region", "EU"))),
        (
            "prefix",
            given("region", Condition::Like(region(), vec![PatternPart::Text("E".to_owned()), PatternPart::Wildcard])),
        ),
        (
            "suffix",
            given("region", Condition::Like(region(), vec![PatternPart::Wildcard, PatternPart::Text("U".to_owned())])),
        ),
        ("field", given("addr", given("addr.zip", is("addr.zip", "E1")))),
        ("membership", given("customer_id", Condition::OneOf(Box::new(Term::Column(path("customer_id"))), customers))),
    ]
}

const PROBES: &[&str] = &[
    // D01 to D08
    "SELECT order_id FROM orders WHERE 1/(amount-5)>=0",
    "SELECT order_id FROM orders WHERE CAST(note AS BIGINT)>=0 OR true",
    "SELECT order_id FROM orders WHERE CAST(note AS BIGINT)>=0",
    "SELECT order_id FROM orders WHERE arrow_cast(amount,'Int16')>=0",
    "SELECT chr(amount) FROM orders",
    "SELECT order_id FROM orders WHERE chr(amount) <> 'x'",
    "SELECT order_id FROM orders WHERE factorial(qty) > 0",
    "SELECT region, 1/(amount-5+qty-qty) AS q FROM orders",
    "SELECT order_id FROM orders WHERE CASE WHEN order_id>=0 THEN 1/(amount-5) ELSE 0 END >= 0",
    "SELECT count(*) FROM (SELECT 1/(amount-5) q FROM orders) WHERE q>=0",
    "WITH t AS (SELECT 1/(amount-5) q FROM orders) SELECT count(*) FROM t WHERE q>=0",
    "SELECT count(*) FROM (SELECT amount FROM orders UNION ALL SELECT amount FROM orders) WHERE 1/(amount-5)>=0",
    "SELECT count(*) FROM (SELECT DISTINCT 1/(amount-5) q FROM orders) WHERE q>=0",
    "SELECT amount, count(*) FROM orders GROUP BY amount HAVING 1/(amount-5)>=0",
    "SELECT count(*) FROM orders a WHERE EXISTS (SELECT 1 FROM orders b WHERE b.amount=a.amount AND 1/(b.amount-5)>=0)",
    // D10 to D14
    "SELECT order_id FROM orders ORDER BY 1/(amount-5), order_id LIMIT 1",
    "SELECT order_id FROM orders ORDER BY amount DESC LIMIT 2",
    "SELECT count(*) FROM orders o JOIN (VALUES (0),(1)) v(k) ON 1/(o.amount-5)=v.k",
    "SELECT count(*) FROM orders o JOIN (VALUES (0),(1)) v(k) ON 1/(o.amount-5)<v.k",
    "SELECT count(*) FROM orders o JOIN (VALUES (5),(100)) v(k) ON o.amount=v.k",
    "SELECT * FROM (SELECT amount, row_number() OVER (PARTITION BY amount ORDER BY order_id) rn FROM orders) WHERE 1/(amount-5)>=0",
    "SELECT order_id FROM orders WHERE random()<2 AND 1/(amount-5)>=0",
    "SELECT order_id FROM orders WHERE NOT (1/(amount-5)<0)",
    // D15 to D19, D34, D36
    "SELECT count(*), min(amount), max(amount), min(region), count(distinct region) FROM orders",
    "SELECT sum(qty), max(email), count(distinct email), max(risk) FROM orders",
    "EXPLAIN SELECT count(*), max(amount) FROM orders",
    "EXPLAIN SELECT order_id FROM orders WHERE amount>7",
    "EXPLAIN VERBOSE SELECT order_id FROM orders WHERE amount>7",
    "EXPLAIN FORMAT TREE SELECT order_id FROM orders WHERE amount>7",
    "SELECT order_id FROM orders WHERE email LIKE 'canary%' OR note LIKE 'canary%'",
    "SELECT order_id FROM orders WHERE amount = 5 OR amount = 104204010669287",
    "SELECT a.order_id FROM orders a JOIN orders b USING (email) WHERE b.amount < 110",
    "SELECT email FROM orders UNION SELECT 'u3@canary.example'",
    "SELECT addr FROM orders WHERE addr['zip'] <> 'x'",
    "SELECT * FROM orders",
];

async fn ana(harmful: bool, visible_in: i64, rows: &Condition, config: SessionConfig) -> SessionContext {
    let opened = parquet(world(harmful, visible_in), 100, config).await;
    client(governed(columns(), policy(rows), opened))
}

async fn check(config: fn() -> SessionConfig, visible_in: i64, only: &[&str]) {
    for (name, rows) in conditions().into_iter().filter(|(name, _)| only.contains(name)) {
        let harmless = ana(false, visible_in, &rows, config()).await;
        let harmful = ana(true, visible_in, &rows, config()).await;
        for sql in PROBES {
            let [mut calm, mut other] = [query(&harmless, sql).await, query(&harmful, sql).await];
            if let (Ok(calm), Ok(other)) = (&mut calm, &mut other) {
                calm.sort();
                other.sort();
            }
            assert_eq!(calm, other, "{name}, one in {visible_in}: {sql}");
            let told = format!("{other:?}");
            assert!(calm.is_ok() || !told.contains("product read failed"), "{sql}: {told}");
            assert!(!told.replace("u3@canary.example", "").contains("canary"), "{sql}: {told}");
            // Nothing that is visible divides by zero or fails to convert.
            assert!(calm.is_ok(), "{name}: {sql}: {told}");
        }
    }
}

#[tokio::test]
async fn the_harmful_world_betrays_itself_to_whoever_sees_it() {
    let everyone = ana(true, 2, &ALWAYS, private_config()).await;
    for sql in PROBES.iter().step_by(2).take(2) {
        assert!(query(&everyone, sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn half_of_the_rows_visible() {
    check(private_config, 2, &["equality", "prefix", "field"]).await;
}

#[tokio::test]
async fn a_tenth_of_the_rows_visible_with_filters_in_the_reader() {
    let config = || {
        let mut config = private_config();
        let parquet = &mut config.options_mut().execution.parquet;
        (parquet.pushdown_filters, parquet.reorder_filters) = (true, true);
        config
    };
    check(config, 10, &["prefix", "suffix", "membership"]).await;
}

#[tokio::test]
async fn an_answer_is_that_over_a_copy_of_the_visible_rows() {
    let (_, rows) = conditions().remove(0);
    let context = ana(true, 2, &rows, private_config()).await;
    let world = world(true, 2);
    let visible: BooleanArray =
        world["region"].as_string::<i32>().iter().map(|region| Some(region == Some("EU"))).collect();
    let reference = SessionContext::new_with_config(SessionConfig::new());
    reference.register_batch("orders", arrow::compute::filter_record_batch(&world, &visible).unwrap()).unwrap();
    let probes = PROBES.iter().filter(|sql| {
        !["EXPLAIN", "email", "*", "risk", "addr"].iter().any(|word| sql.contains(word)) || sql.contains("count(*)")
    });
    for sql in probes.filter(|sql| !sql.starts_with("EXPLAIN")) {
        let [mut got, mut expected] = [query(&context, sql).await.unwrap(), query(&reference, sql).await.unwrap()];
        got.sort();
        expected.sort();
        assert_eq!(got, expected, "{sql}");
    }
}

#[tokio::test]
async fn statistics_in_plans_are_those_of_the_contract() {
    let (_, rows) = conditions().remove(0);
    let mut plans = Vec::new();
    for harmful in [false, true] {
        let context = ana(harmful, 2, &rows, private_config()).await;
        query(&context, "set datafusion.explain.show_statistics = true").await.unwrap();
        plans.push(query(&context, "explain select order_id from orders where amount > 7").await.unwrap());
    }
    assert_eq!(plans[0], plans[1]);
    let text = plans[0].join("\n");
    // A third of what the contract declares, which promises no range.
    assert!(text.contains("Rows=Inexact(349526)") && !text.contains("Min="), "{text}");
}

#[tokio::test]
async fn partitions_and_batches_do_not_follow_hidden_rows() {
    async fn boundaries(batch: RecordBatch, group: usize) -> Vec<Vec<usize>> {
        let (_, rows) = conditions().remove(0);
        let context = client(governed(columns(), policy(&rows), parquet(batch, group, private_config()).await));
        let plan =
            context.sql("select order_id, email from orders").await.unwrap().create_physical_plan().await.unwrap();
        assert_eq!(plan.properties().output_partitioning().partition_count(), 3, "as many as the session asks for");
        let mut out = Vec::new();
        for partition in 0..3 {
            let stream = plan.execute(partition, context.task_ctx()).unwrap();
            out.push(stream.map(|batch| batch.unwrap().num_rows()).collect::<Vec<_>>().await);
        }
        out
    }
    let (calm, harmful) = (boundaries(world(false, 2), 100).await, boundaries(world(true, 2), 100).await);
    assert_eq!(calm, harmful);
    assert_eq!(calm.iter().flatten().sum::<usize>(), 150);
    // Row groups of 37 rows, half of them visible: whatever the file's layout, only the last batch is not full.
    for partitions in [calm, boundaries(world(true, 2), 37).await] {
        for batches in partitions {
            assert!(batches.iter().rev().skip(1).all(|rows| *rows == 16), "{batches:?}");
        }
    }
}
