//! Invariant 3: every answer equals the one over a copy that was filtered and masked by hand.

use std::fmt::Write as _;

use super::probes::all;
use super::suite::{comparable, whole};
use super::world::{Condition, Share, Source, World, text as twin};
use crate::harness::Mesh;

const MESH: &str = r#"//- mesh.yaml
name: mesh
roles: [eu-desk, bulk-desk]
tags: []
classifications: [internal, restricted]
//- users.toml
[users.two]
password = "x"
roles = ["eu-desk", "bulk-desk"]
[users.one]
password = "x"
roles = ["eu-desk"]
//- sales/domain.yaml
name: sales
owner: {team: sales-team}
//- sales/orders.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: sales-orders
name: orders
version: 1.0.0
status: active
domain: sales
customProperties: [{property: meshgateClassification, value: internal}]
servers: [{server: local, type: local, path: orders.parquet, format: parquet}]
schema:
  - name: orders
    properties:
      - {name: order_id, logicalType: integer, required: true}
      - {name: region, logicalType: string}
      - {name: note, logicalType: string}
      - {name: amount, logicalType: integer}
      - {name: qty, logicalType: integer}
"#;

/// Two permits of other rows and other columns, and a mask over some cells of one column.
const POLICIES: &str = r#"//- sales/policies/orders.cedar
@id("eu") permit (principal in Role::"eu-desk", action == Action::"read", resource is sales::orders)
when { ["order_id", "region", "note"].contains(context.column.name) && resource has region && resource.region == "EU" };
@id("bulk") permit (principal in Role::"bulk-desk", action == Action::"read", resource is sales::orders)
when { ["order_id", "amount", "qty"].contains(context.column.name) && resource has amount && resource.amount > 50 };
@id("note") @mask("redact") forbid (principal, action == Action::"read", resource is sales::orders)
when { context.column.name == "note" && resource has qty && resource.qty == 2 };
"#;

const OPEN: &str = r#"//- sales/policies/orders.cedar
@id("all") permit (principal in Role::"eu-desk", action == Action::"read", resource is sales::orders);
"#;

type Row = (i64, Option<&'static str>, Option<&'static str>, Option<i64>, Option<i64>);

const ROWS: [Row; 9] = [
    (1, Some("EU"), Some("plain"), Some(10), Some(1)),
    (2, Some("EU"), Some("to be redacted"), Some(20), Some(2)),
    (3, Some("EU"), Some("both permits"), Some(60), Some(3)),
    (4, Some("US"), Some("bulk only, hidden note"), Some(70), Some(4)),
    (5, Some("US"), Some("hidden row"), Some(5), Some(2)),
    (6, None, Some("no region"), Some(90), Some(2)),
    (7, Some("EU"), None, None, None),
    (8, None, None, None, Some(2)),
    (9, Some("EU"), Some("both, redacted"), Some(51), Some(2)),
];

fn text(policies: &str, rows: &[Row]) -> String {
    let mut data = "//- data/sales/orders.parquet\norder_id:i64,region:utf8,note:utf8,amount:i64,qty:i64\n".to_owned();
    let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
    for (id, region, note, amount, qty) in rows {
        let quoted = note.map(|note| format!("\"{note}\"")).unwrap_or_default();
        writeln!(data, "{id},{},{quoted},{},{}", region.unwrap_or_default(), number(*amount), number(*qty)).unwrap();
    }
    MESH.to_owned() + policies + &data
}

/// The permits and the mask once more, as plain code.
fn shown_to_two() -> Vec<Row> {
    let mut out = Vec::new();
    for (id, region, note, amount, qty) in ROWS {
        let eu = region == Some("EU");
        let bulk = amount.is_some_and(|amount| amount > 50);
        if eu || bulk {
            let note = note.map(|note| if qty == Some(2) { "***" } else { note });
            out.push((id, region.filter(|_| eu), note.filter(|_| eu), amount.filter(|_| bulk), qty.filter(|_| bulk)));
        }
    }
    out
}

const QUERIES: &[&str] = &[
    "SELECT * FROM sales.orders ORDER BY order_id",
    "SELECT note FROM sales.orders ORDER BY note",
    "SELECT qty, region FROM sales.orders ORDER BY order_id",
    "SELECT count(*), count(region), count(note), count(amount), count(qty) FROM sales.orders",
    "SELECT sum(amount), min(qty), max(amount), min(region), max(note) FROM sales.orders",
    "SELECT order_id FROM sales.orders WHERE region = 'EU' ORDER BY order_id",
    "SELECT order_id FROM sales.orders WHERE region = 'US' OR region IS NULL ORDER BY order_id",
    "SELECT order_id FROM sales.orders WHERE amount < 50 ORDER BY order_id",
    "SELECT order_id FROM sales.orders WHERE amount > 50 AND region = 'EU' ORDER BY order_id",
    "SELECT order_id FROM sales.orders WHERE qty = 2 ORDER BY order_id",
    "SELECT order_id FROM sales.orders WHERE qty IS NULL AND note IS NOT NULL ORDER BY order_id",
    "SELECT order_id FROM sales.orders WHERE note LIKE '%redact%' OR note = '***' ORDER BY order_id",
    "SELECT order_id FROM sales.orders WHERE NOT (amount > 60) ORDER BY order_id",
    "SELECT order_id FROM sales.orders WHERE amount IS DISTINCT FROM 60 ORDER BY order_id",
    "SELECT region, count(*), sum(qty) FROM sales.orders GROUP BY region ORDER BY region",
    "SELECT a.order_id, b.order_id FROM sales.orders a JOIN sales.orders b ON a.qty = b.qty ORDER BY 1, 2",
    "SELECT a.order_id, b.note FROM sales.orders a LEFT JOIN sales.orders b ON a.amount = b.amount ORDER BY 1, 2",
    "SELECT order_id FROM sales.orders ORDER BY amount DESC NULLS LAST, order_id LIMIT 3",
    "SELECT order_id, rank() OVER (ORDER BY qty, order_id) FROM sales.orders ORDER BY order_id",
    "SELECT order_id FROM sales.orders WHERE qty IN (SELECT qty FROM sales.orders WHERE region = 'EU') ORDER BY 1",
    "SELECT DISTINCT region FROM sales.orders ORDER BY region",
    "SELECT region FROM sales.orders INTERSECT SELECT 'US'",
];

#[tokio::test(flavor = "multi_thread")]
async fn two_permits_show_the_union_of_their_cells() {
    let governed = Mesh::new(&text(POLICIES, &ROWS)).await;
    assert!(governed.findings.is_empty(), "{:?}", governed.findings);
    let copy = Mesh::new(&text(OPEN, &shown_to_two())).await;
    for sql in QUERIES {
        let (got, expected) = (governed.answer("two", sql).await, copy.answer("two", sql).await);
        assert_eq!(got, expected, "{sql}");
        assert!(!got.starts_with("Invalid"), "{sql}: {got}");
    }
    // With one permit, the columns of the other are no columns.
    let one = governed.answer("one", "SELECT amount FROM sales.orders").await;
    assert_eq!(one.replace("amount", "nosuch"), governed.answer("one", "SELECT nosuch FROM sales.orders").await);
}

/// The twin worlds once more, beside a copy that holds only what `ana` may see. Plans name the policies, of which the copy has fewer.
#[tokio::test(flavor = "multi_thread")]
async fn every_probe_is_answered_as_over_a_copy() {
    let places = [
        (Condition::Equality, Source::Parquet, Share::Tenth),
        (Condition::Partition, Source::Delta, Share::Most),
        (Condition::Membership, Source::Csv, Share::Tenth),
        (Condition::NestedField, Source::Json, Share::Most),
    ];
    let mut differ = Vec::new();
    for (at, (condition, source, share)) in places.into_iter().enumerate() {
        let governed = Mesh::new(&twin(World::First, condition, source, share)).await;
        let copy = Mesh::new(&twin(World::Copy, condition, source, share)).await;
        assert!(copy.findings.is_empty(), "{:?}", copy.findings);
        for (turn, probe) in all().filter(|probe| !probe.sql().starts_with("EXPLAIN")).enumerate() {
            for (turn, who) in ["ana", "two"].into_iter().enumerate().map(|(other, who)| (turn + other, who)) {
                if turn % places.len() == at || whole() {
                    let (got, expected) =
                        (governed.answer(who, &probe.sql()).await, copy.answer(who, &probe.sql()).await);
                    if comparable(&got, probe.order) != comparable(&expected, probe.order) {
                        let id = probe.id;
                        differ.push(format!(
                            "{id} as {who} over {condition:?}, {source:?}\n--- governed\n{got}\n--- copy\n{expected}"
                        ));
                    }
                }
            }
        }
    }
    assert!(differ.is_empty(), "{} differ\n{}", differ.len(), differ.join("\n\n"));
}
