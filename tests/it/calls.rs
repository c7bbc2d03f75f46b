//! Calls that can cost much: they answer the same wherever they stand, are refused by what they are given, and let others have the thread.

use std::task::Poll;

use futures::StreamExt as _;
use meshgate::flight::wire_schema;

use crate::harness::{Mesh, check};

const MESH: &str = include_str!("fixtures/regions.txt");

/// Statements of ana, who sees the orders (1, EU, 10) and (2, EU, 20), and their only column as text, in order.
const ANSWERS: &[(&str, &str)] = &[
    ("SELECT repeat(region, 2) FROM sales.orders ORDER BY 1", "EUEU EUEU"),
    ("SELECT amount FROM sales.orders WHERE region || amount LIKE '%_U20%'", "20"),
    ("SELECT amount FROM sales.orders WHERE amount > 10 AND levenshtein(region, 'UE' || amount) > 1", "20"),
    ("SELECT amount FROM sales.orders ORDER BY replace(CAST(amount AS VARCHAR), '1', '3') DESC", "10 20"),
    ("SELECT amount FROM sales.orders ORDER BY levenshtein(CAST(amount AS VARCHAR), '20') LIMIT 1", "20"),
    ("SELECT sum(levenshtein(repeat(region, 2), concat('E', amount))) FROM sales.orders", "6"),
    ("SELECT count(DISTINCT region || '!') FROM sales.orders", "1"),
    ("SELECT count(*) FROM sales.orders GROUP BY concat(region, '-', amount % 10)", "2"),
    (
        "SELECT concat(region, '-', amount % 10) AS g FROM sales.orders GROUP BY concat(region, '-', amount % 10)",
        "EU-0",
    ),
    ("SELECT count(*) FROM sales.orders GROUP BY ROLLUP (repeat(region || amount, 2)) ORDER BY 1", "1 1 2"),
    (
        "SELECT repeat(region, 2) FROM sales.orders GROUP BY repeat(region, 2) HAVING max(region || amount) ~ '2.$'",
        "EUEU",
    ),
    (
        "SELECT string_agg(lpad(CAST(amount AS VARCHAR), 4, '0'), '|' ORDER BY rpad(CAST(amount AS VARCHAR), 5)) FROM sales.orders",
        "0010|0020",
    ),
    ("SELECT sum(amount) FILTER (WHERE regexp_like(region || amount, '^EU2')) FROM sales.orders", "20"),
    (
        "SELECT rank() OVER (PARTITION BY repeat(region, 3) ORDER BY reverse(repeat(CAST(amount AS VARCHAR), 2))) AS r FROM sales.orders ORDER BY r",
        "1 2",
    ),
    ("SELECT max(concat(region, amount)) OVER () FROM sales.orders", "EU20 EU20"),
    ("SELECT DISTINCT ON (repeat(region, 2)) amount FROM sales.orders ORDER BY repeat(region, 2), amount DESC", "20"),
    (
        "SELECT a.amount FROM sales.orders a JOIN sales.orders b ON concat(a.amount) = concat(b.amount) ORDER BY 1",
        "10 20",
    ),
    (
        "SELECT a.amount FROM sales.orders a JOIN sales.orders b ON levenshtein(a.region || a.amount, b.region || b.amount) = 1 ORDER BY 1",
        "10 20",
    ),
    (
        "SELECT a.amount FROM sales.orders a LEFT JOIN sales.orders b ON a.amount > b.amount AND concat(a.region, b.region) LIKE 'E_E_' ORDER BY b.amount NULLS FIRST",
        "10 20",
    ),
    (
        "SELECT amount FROM sales.orders o WHERE EXISTS (SELECT 1 FROM sales.orders i WHERE repeat(i.region, 2) = 'EUEU' AND i.amount > o.amount)",
        "10",
    ),
    (
        "SELECT (SELECT max(repeat(region, 2)) FROM sales.orders) || amount FROM sales.orders ORDER BY 1",
        "EUEU10 EUEU20",
    ),
    ("SELECT CASE WHEN amount > 10 THEN repeat(region, 2) ELSE region END FROM sales.orders ORDER BY 1", "EU EUEU"),
    ("SELECT unnest(string_to_array(region || ',' || amount, ',')) FROM sales.orders ORDER BY 1", "10 20 EU EU"),
    ("SELECT repeat(region, 2) FROM sales.orders UNION SELECT concat('E', 'U') ORDER BY 1", "EU EUEU"),
    (
        "WITH RECURSIVE r AS (SELECT 'a' AS s UNION ALL SELECT concat(s, 'b') FROM r WHERE length(s) < 3) SELECT s FROM r ORDER BY s",
        "a ab abb",
    ),
    (
        "SELECT amount FROM sales.orders WHERE region SIMILAR TO '(E|U)+' AND region NOT ILIKE 'e_x%' ORDER BY 1",
        "10 20",
    ),
    (
        "SELECT to_char(TIMESTAMP '2026-01-02T03:04:05', CASE WHEN amount > 10 THEN '%Y' ELSE '%d' END) FROM sales.orders ORDER BY amount",
        "02 2026",
    ),
    ("SELECT sum(amount) FILTER (WHERE region !~* '[0-9]+') FROM sales.orders", "30"),
    ("SELECT string_agg(region, ',' ORDER BY region || amount) FROM sales.orders", "EU,EU"),
    ("SELECT first_value(amount) OVER (ORDER BY region || amount DESC) FROM sales.orders", "20 20"),
    ("SELECT count(*) FROM sales.orders WHERE 'a' || 'b' = 'ab'", "2"),
    ("SELECT decode(encode(region, 'hex'), 'hex')::VARCHAR FROM sales.orders", "EU EU"),
    ("SELECT cardinality(flatten([[amount], [1, 2]])) FROM sales.orders", "3 3"),
];

#[tokio::test(flavor = "multi_thread")]
async fn calls_answer_the_same_everywhere() {
    let mesh = Mesh::new(MESH).await;
    let mut wrong = Vec::new();
    for (sql, expected) in ANSWERS {
        // The header is the first line; columns are apart by bars.
        let answer = mesh.answer("ana", sql).await;
        let rows = answer.lines().skip(1).map(str::trim).collect::<Vec<_>>().join(" ");
        if rows != *expected {
            wrong.push(format!("{sql}\n{answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_computed_in_pieces() {
    let mesh = Mesh::new(MESH).await;
    let sqls = [
        "SELECT repeat(region, 2) FROM sales.orders",
        "SELECT amount FROM sales.orders WHERE levenshtein(region, repeat('E', 3)) > 1",
        "SELECT amount FROM sales.orders WHERE region ~ '(E|U)+x' OR amount = 1",
        "SELECT amount FROM sales.orders ORDER BY levenshtein(region, 'E')",
        "SELECT sum(levenshtein(region, 'E')) FROM sales.orders",
        "SELECT count(*) FROM sales.orders GROUP BY repeat(region, 2)",
        "SELECT sum(amount) OVER (PARTITION BY repeat(region, 2)) FROM sales.orders",
        "SELECT 1 FROM sales.orders a JOIN sales.orders b ON levenshtein(a.region, b.region) > 3",
        "SELECT 1 FROM sales.orders a JOIN sales.orders b ON repeat(a.region, 2) = b.region",
    ];
    for sql in sqls {
        let plan = mesh.answer("ana", &format!("EXPLAIN {sql}")).await;
        assert!(plan.contains("SlicedProjectionExec"), "{sql}\n{plan}");
    }
    let plan = mesh.answer("ana", "EXPLAIN SELECT sum(amount) FROM sales.orders WHERE region = 'EU'").await;
    assert!(!plan.contains("Sliced"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn costly_values_are_refused() {
    let mesh = Mesh::new(MESH).await;
    let limit = "Exhausted: one value of `levenshtein` could take more than 100 million steps\n\
                 hint: give it shorter texts, lists or patterns";
    // What is constant is computed by the planner.
    check(&mesh, "ana", "SELECT levenshtein(repeat('a', 10000), repeat('b', 9999))", limit).await;
    let sql = "SELECT levenshtein(lpad(region, 9000), rpad(region, 9000)) FROM sales.orders";
    check(&mesh, "ana", sql, limit).await;
    let sql = "SELECT count(*) FROM sales.orders a LEFT JOIN sales.orders b \
               ON levenshtein(lpad(a.region, 9000), rpad(b.region, 9000)) < 3";
    check(&mesh, "ana", sql, limit).await;
    let sql = "SELECT regexp_like(region, '((a{100}){100}){10}') FROM sales.orders";
    let refused = "Exhausted: a regular expression of `~` is too large once its repetitions are written out\n\
                   hint: use smaller repetitions, or fewer of them inside each other";
    check(&mesh, "ana", sql, refused).await;
    let sql = "SELECT regexp_like('a', '(a{1000}){200}')";
    check(&mesh, "ana", sql, &refused.replace('~', "regexp_like")).await;
}

#[tokio::test]
async fn long_calls_let_others_have_the_thread() {
    let mesh = Mesh::with_partitions(MESH, 1).await;
    let session = mesh.session("ana");
    // One batch: nothing but the call's own slices can wait.
    let sql = "SELECT sum(levenshtein(repeat(v, 95), repeat(v, 94))) AS n \
               FROM (SELECT CAST(value % 10 AS VARCHAR) AS v FROM range(0, 4000)) t";
    let planned = session.plan(sql).await.unwrap();
    let mut stream = session.run(&planned, wire_schema(planned.schema())).await.unwrap();
    let mut waits = 0;
    let batch = loop {
        match futures::poll!(stream.next()) {
            Poll::Ready(batch) => break batch.unwrap().unwrap(),
            Poll::Pending => {
                waits += 1;
                tokio::task::yield_now().await;
            }
        }
    };
    assert_eq!(batch.into_inner().num_rows(), 1);
    let least = if cfg!(debug_assertions) { 5 } else { 1 };
    assert!(waits >= least, "{waits} waits");
}
