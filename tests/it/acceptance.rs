//! The acceptance table against a reference: what a principal sees equals a query of the privacy officer over a filtered and
//! masked copy.

use std::sync::Arc;

use meshgate::diagnostic::Result;
use meshgate::query::Session;

use crate::demo::demo_mesh;
use crate::harness::{render, run};

async fn rows(session: &Arc<Session>, sql: &str) -> Result<Vec<String>> {
    Ok(render(&run(session, sql).await?).lines().skip(1).map(str::to_owned).collect())
}

/// (who, what they ask, what the privacy officer asks to get the same rows)
const REFERENCE: [(&str, &str, &str); 10] = [
    (
        "ana",
        "SELECT * FROM sales.orders ORDER BY order_id",
        "SELECT * FROM sales.orders WHERE region = 'EU' ORDER BY order_id",
    ),
    (
        "bob",
        "SELECT * FROM sales.orders ORDER BY order_id",
        "SELECT * FROM sales.orders WHERE region = 'US' ORDER BY order_id",
    ),
    (
        "ana",
        "SELECT * FROM sales.order_lines ORDER BY order_id, line_no",
        "SELECT * FROM sales.order_lines ORDER BY order_id, line_no",
    ),
    (
        "ana",
        "SELECT customer_id, country, region, segment, signed_up FROM sales.customers ORDER BY customer_id",
        "SELECT customer_id, country, region, segment, signed_up FROM sales.customers WHERE region = 'EU' ORDER BY customer_id",
    ),
    (
        "ana",
        "SELECT shipment_id, weight_kg, delivered_at, address['city'], address['street'] FROM logistics.shipments ORDER BY shipment_id",
        "SELECT shipment_id, weight_kg, delivered_at, address['city'], NULL FROM logistics.shipments WHERE region = 'EU' ORDER BY shipment_id",
    ),
    (
        "mia",
        "SELECT customer_id, email FROM sales.customers ORDER BY customer_id",
        "SELECT customer_id, split_part(email, '@', 2) FROM sales.customers ORDER BY customer_id",
    ),
    (
        "otto",
        "SELECT customer_id, name, email, phone, credit_limit FROM sales.customers ORDER BY customer_id",
        "SELECT customer_id, right(name, 4), right(email, 4), right(phone, 4), credit_limit FROM sales.customers ORDER BY customer_id",
    ),
    (
        "hana",
        "SELECT employee_id, region, salary FROM hr.employees ORDER BY employee_id",
        "SELECT employee_id, region, CASE WHEN region = 'EU' THEN salary ELSE floor(salary / 10000) * 10000 END FROM hr.employees ORDER BY employee_id",
    ),
    (
        "mia",
        "SELECT * FROM marketing.touchpoints ORDER BY customer_id, at, campaign, channel",
        "SELECT * FROM marketing.touchpoints ORDER BY customer_id, at, campaign, channel",
    ),
    (
        "otto",
        "SELECT * FROM logistics.carriers ORDER BY carrier_id",
        "SELECT * FROM logistics.carriers ORDER BY carrier_id",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn answers_equal_the_reference() {
    let demo = demo_mesh().await;
    for (who, asked, reference) in REFERENCE {
        let got = rows(&demo.session(who), asked).await.unwrap();
        let expected = rows(&demo.session("dpo"), reference).await.unwrap();
        assert!(!expected.is_empty(), "the reference is empty: {reference}");
        let (got, expected): (Vec<_>, Vec<_>) =
            (got.iter().map(|r| number(r)).collect(), expected.iter().map(|r| number(r)).collect());
        let first = got.iter().zip(&expected).find(|(a, b)| a != b);
        assert_eq!((got.len(), first), (expected.len(), None), "{who}: {asked}");
    }
}

/// `90000.0` and `90000.00` are the same number.
fn number(row: &str) -> String {
    row.split(" | ")
        .map(|cell| {
            cell.parse::<f64>()
                .ok()
                .filter(|_| cell.contains('.'))
                .map_or_else(|| cell.to_owned(), |n| format!("{n:.2}"))
        })
        .collect::<Vec<_>>()
        .join(" | ")
}

/// A hash joins inside the domain and shows nothing of the value.
#[tokio::test(flavor = "multi_thread")]
async fn a_hash_joins_but_does_not_tell() {
    let demo = demo_mesh().await;
    let joined = rows(
        &demo.session("ana"),
        "SELECT count(*) = (SELECT count(*) FROM sales.customers) FROM sales.customers a JOIN sales.customers b ON a.email = b.email",
    )
    .await
    .unwrap();
    assert_eq!(joined, ["true"]);
    let raw =
        rows(&demo.session("dpo"), "SELECT email FROM sales.customers WHERE region = 'EU' LIMIT 1").await.unwrap();
    let guess = format!("SELECT count(*) FROM sales.customers WHERE email = '{}'", raw[0]);
    assert_eq!(rows(&demo.session("ana"), &guess).await.unwrap(), ["0"]);
}
