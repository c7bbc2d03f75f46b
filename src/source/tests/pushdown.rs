//! Which conditions the reader of a file applies itself.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, ListBuilder, StringArray, StringBuilder, StructArray};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{Expr, col, lit};

use super::delta::{PROTOCOL, add, commit, data, log};
use super::*;
use crate::engine::applied_by;

/// What stands in filters of the plan, and how many conditions its readers apply for sure.
async fn filters(raw: &RawTable, filter: Expr) -> (String, usize) {
    let plan = LogicalPlanBuilder::from(plan(raw)).filter(filter).unwrap().build().unwrap();
    let physical = raw.session().state().create_physical_plan(&plan).await.unwrap();
    let text = displayable(physical.as_ref()).indent(false).to_string();
    let filters = text.lines().filter_map(|line| line.trim().strip_prefix("FilterExec: "));
    let mut leaf = physical;
    while let Some(child) = leaf.children().first().map(|child| Arc::clone(child)) {
        leaf = child;
    }
    (filters.collect::<Vec<_>>().join("; "), applied_by(leaf.as_ref()).len())
}

#[tokio::test]
async fn only_whole_columns_are_the_readers() {
    let world = World::new();
    let mut tags = ListBuilder::new(StringBuilder::new());
    tags.append_value([Some("a")]);
    let city: ArrayRef = Arc::new(StringArray::from(vec!["Paris"]));
    let address = StructArray::from(vec![(Arc::new(Field::new("city", DataType::Utf8, true)), city)]);
    let bytes = parquet_bytes(vec![
        ("id", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        ("tags", Arc::new(tags.finish())),
        ("address", Arc::new(address)),
    ]);
    world.put("orders/part-0.parquet", bytes).await;
    let columns = vec![
        column("id", DataType::Int64),
        column("tags", DataType::new_list(DataType::Utf8, true)),
        structure("address", vec![column("city", DataType::Utf8)]),
    ];
    let raw = world.open(&entry(Format::Parquet, columns)).await;
    let (large, tagged) = (col("id").gt(lit(0_i64)), col("tags").is_not_null());
    let paris = get_field(col("address"), "city").eq(lit("Paris"));
    assert_eq!(filters(&raw, large.clone()).await, (String::new(), 1), "the reader alone");
    let (kept, applied) = filters(&raw, tagged.clone()).await;
    assert!(kept.contains("tags") && applied == 0, "{kept}, {applied}");
    // The engine names a member that it reads on its own.
    let (kept, applied) = filters(&raw, paris.and(large).and(tagged)).await;
    let is_split = kept.contains("Paris") && kept.contains("tags@") && !kept.contains("> 0");
    assert!(is_split && applied == 1, "{kept}, {applied}");
}

/// Nobody has compared the files of a Delta table with its log.
#[tokio::test]
async fn a_delta_reader_decides_nothing() {
    let world = World::new();
    let bytes = data(&[1, 2], &["a", "b"]);
    world.put(&format!("orders/{}", commit(0)), log(PROTOCOL, &add("part-0.parquet", bytes.len()))).await;
    world.put("orders/part-0.parquet", bytes).await;
    let columns = vec![column("id", DataType::Int64), renamed("text", "s", DataType::Utf8)];
    let raw = world.open(&entry(Format::Delta, columns)).await;
    let (kept, applied) = filters(&raw, col("id").gt(lit(1_i64)).and(col("text").eq(lit("b")))).await;
    assert!(kept.contains("id@") && kept.contains("s@") && applied == 0, "{kept}, {applied}");
}
