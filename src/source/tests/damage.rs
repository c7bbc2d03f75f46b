//! Damaged files, as the log names them.

use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::DataFusionError;

use super::*;
use crate::source::Damaged;

fn bytes(first: i64) -> Vec<u8> {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + 1_000));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..1_000).map(|i| format!("name {i}"))));
    parquet_bytes(vec![("id", ids), ("name", names)])
}

async fn failure(raw: &RawTable) -> DataFusionError {
    let state = raw.session().single();
    let physical = state.create_physical_plan(&plan(raw)).await.unwrap();
    collect(physical, raw.session().task_context(&state.runtime_env().memory_pool)).await.unwrap_err()
}

#[tokio::test]
async fn damaged_file_is_named_with_the_reason() {
    let world = World::new();
    world.put("orders/1.parquet", bytes(0)).await;
    let mut damaged = bytes(1_000);
    damaged[4..200].fill(0xff);
    world.put("orders/2.parquet", damaged).await;
    let contract = entry(Format::Parquet, vec![column("id", DataType::Int64), column("name", DataType::Utf8)]);
    let raw = world.open(&contract).await;
    let reviewed = raw.watch().review(failure(&raw).await);
    let told = Damaged::find(&reviewed).unwrap().to_string();
    assert!(told.contains("`orders/2.parquet`") && told.contains(" cannot be read: "), "{told}");
    // The survey reads file by file.
    let survey = world.sources.survey(&contract).await.unwrap();
    let faults: Vec<_> =
        survey.files.iter().map(|file| (file.file.as_str(), file.rows, file.fault.is_some())).collect();
    assert_eq!(faults, [("orders/1.parquet", 1_000, false), ("orders/2.parquet", 0, true)]);
}
