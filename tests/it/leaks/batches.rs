//! Invariant 12: nothing that a reader can count follows rows that are hidden.

use std::fmt::Write as _;

use crate::harness::wire::Served;

const MESH: &str = include_str!("../fixtures/regions.txt");

/// 20,000 visible rows and some hidden ones, in files of 6,000 rows each: which file a visible row lies in follows the hidden ones.
fn world(hidden: usize) -> String {
    let mut rows: Vec<String> = (0..20_000).map(|id| format!("{id},EU,{}", id % 1_000)).collect();
    for row in 0..hidden {
        rows.insert(row * 2, format!("{},US,5", 100_000 + row));
    }
    let mut text = MESH
        .split("//- data/")
        .next()
        .unwrap()
        .replace("{model}.parquet\", format: parquet", "{model}/*.csv\", format: csv");
    for (at, file) in rows.chunks(6_000).enumerate() {
        write!(text, "//- data/sales/orders/{at}.csv\norder_id,region,amount\n{}\n", file.join("\n")).unwrap();
    }
    text + "//- data/sales/secrets/0.csv\nid\n1\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_cut_by_what_is_shown() {
    let mut seen = Vec::new();
    for hidden in [0, 9_000, 3_001] {
        let served = Served::start(&world(hidden)).await;
        let mut ana = served.connect("ana").await;
        let mut sizes = Vec::new();
        for sql in [
            "SELECT * FROM sales.orders",
            "SELECT order_id FROM sales.orders WHERE abs(amount) >= 500",
            "SELECT order_id FROM sales.orders WHERE amount >= 500",
            "SELECT DISTINCT order_id FROM sales.orders",
            "SELECT order_id FROM sales.orders UNION ALL SELECT amount FROM sales.orders",
            "SELECT a.order_id FROM sales.orders a JOIN sales.orders b ON a.order_id = b.order_id",
            "SELECT order_id FROM sales.orders ORDER BY order_id",
        ] {
            let batches = ana.fetch_batches(sql).await.unwrap();
            sizes.push((sql, batches.iter().map(arrow::array::RecordBatch::num_rows).collect::<Vec<_>>()));
        }
        assert_eq!(sizes[0].1, [8_192, 8_192, 3_616], "{hidden} hidden rows");
        seen.push(sizes);
    }
    assert!(seen.iter().all(|sizes| *sizes == seen[0]), "{seen:#?}");
}

/// D18: what left the leaf is counted, nothing below it and nothing by file.
#[tokio::test(flavor = "multi_thread")]
async fn explain_analyze_counts_what_is_shown() {
    let mut seen = Vec::new();
    for hidden in [0, 9_000] {
        let served = Served::start(&world(hidden)).await;
        let mut plans = Vec::new();
        for sql in [
            "EXPLAIN ANALYZE SELECT * FROM sales.orders",
            "EXPLAIN ANALYZE VERBOSE SELECT * FROM sales.orders",
            "EXPLAIN ANALYZE SELECT order_id FROM sales.orders WHERE abs(amount) >= 500",
            "EXPLAIN ANALYZE SELECT order_id FROM sales.orders WHERE amount >= 500",
        ] {
            let plan = served.mesh.answer("ana", sql).await;
            assert!(plan.contains("ProductScan: sales.orders"), "{plan}");
            for word in ["output_batches", "output_bytes", "partition=", ".csv", "row_groups", "bytes_scanned"] {
                assert!(!plan.contains(word), "{sql} tells of `{word}`:\n{plan}");
            }
            plans.push(untimed(&plan));
        }
        assert!(plans[0].contains("output_rows=20.00 K"), "{plans:?}");
        seen.push(plans);
    }
    assert_eq!(seen[0], seen[1]);
}

/// Without durations.
fn untimed(plan: &str) -> String {
    let is_time = |word: &str| ["_compute=", "time=", "timestamp="].iter().any(|name| word.contains(name));
    let words = plan.split([' ', ',', '[', ']']).filter(|word| !word.is_empty() && !is_time(word));
    words.collect::<Vec<_>>().join(" ")
}
