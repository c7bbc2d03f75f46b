//! Empty lines of CSV files: records where each line is one field, and nothing elsewhere.

use datafusion::arrow::array::AsArray as _;
use datafusion::arrow::datatypes::DataType;

use super::*;

/// What a file of one text column holds.
async fn texts(text: &str) -> Vec<String> {
    let world = World::new();
    world.put("orders/a.csv", text.to_owned()).await;
    let contract = entry(Format::Csv, vec![column("name", DataType::Utf8)]);
    let batches = run(world.open(&contract).await.as_ref(), None).await.unwrap();
    let texts: Vec<String> = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_string::<i32>().iter().map(|text| text.unwrap_or("NULL").to_owned()))
        .collect();
    let marked = batches.iter().any(|batch| batch.column(1).as_boolean().true_count() > 0);
    assert!(!marked, "{text:?} has nothing broken");
    assert_eq!(world.sources.row_count(&contract).await, Some(texts.len() as u64), "{text:?}");
    texts
}

#[tokio::test]
async fn blank_line_of_one_column_is_a_row() {
    for (text, rows) in [
        ("name\nx\n\ny\n", vec!["x", "", "y"]),
        ("name\n\n\nx", vec!["", "", "x"]),
        ("name\nx\n\n", vec!["x", ""]),
        ("name\n", vec![]),
        ("\n\nname\nx\n", vec!["x"]),
        ("name\r\nx\r\n\r\ny\r\n\r\n", vec!["x", "", "y", ""]),
        ("name\rx\r\ry\r\r", vec!["x", "", "y", ""]),
        ("name\n\"\"\n\n\"\"", vec!["", "", ""]),
        ("name\n\"a\n\nb\"\n\nc\n", vec!["a\n\nb", "", "c"]),
        ("name\n  \n", vec!["  "]),
    ] {
        assert_eq!(texts(text).await, rows, "{text:?}");
    }
}

#[tokio::test]
async fn blank_line_is_null_where_no_text_is_promised() {
    let world = World::new();
    world.put("orders/a.csv", "id\n1\n\n\"\"\n4\n").await;
    let raw = world.open(&entry(Format::Csv, vec![column("id", DataType::Int64)])).await;
    assert_eq!(show(&raw, None).await.unwrap(), "id | drift.id\n1 | false\nfalse\nfalse\n4 | false");
    // Without a header the first line counts as well.
    let mut contract = entry_of("sales", local("bare"), Format::Csv, vec![column("id", DataType::Int64)]);
    let product = Arc::get_mut(&mut contract.product).unwrap();
    Arc::get_mut(&mut product.contract).unwrap().server.layout.header = false;
    for text in ["\n2\n\n", "\r\n2\r\n\r\n", "\r2\r\r"] {
        world.put("bare/a.csv", text).await;
        assert_eq!(world.show(&contract).await, "id | drift.id\nfalse\n2 | false\nfalse", "{text:?}");
    }
}

#[tokio::test]
async fn blank_line_of_more_columns_is_none() {
    let world = World::new();
    world.put("orders/a.csv", "id,name\n1,x\n\n2,y\n\n").await;
    let columns = vec![column("name", DataType::Utf8)];
    let raw = world.open(&entry(Format::Csv, columns)).await;
    assert_eq!(show(&raw, None).await.unwrap(), "name | drift.name\nx | false\ny | false");
}

/// Batches stay as small as they are asked to be.
#[tokio::test]
async fn many_blank_lines_come_in_batches() {
    let world = World::new();
    world.put("orders/a.csv", format!("name\n{}", "\n".repeat(100_000))).await;
    let raw = world.open(&entry(Format::Csv, vec![column("name", DataType::Utf8)])).await;
    let batches = run(&raw, None).await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 100_000);
    assert!(batches.iter().all(|batch| batch.num_rows() <= 8192));
}
