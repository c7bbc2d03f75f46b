//! Damaged files, as the log names them.

use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::DataFusionError;
use datafusion::prelude::{col, lit};

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

/// Where folders are partitions, the others are read; a file that is mended is read at the next look.
#[tokio::test]
async fn damaged_file_of_a_folder_fails_its_readers_alone() {
    for (format, name, whole, damaged) in [
        (Format::Parquet, "a.parquet", bytes(0), b"PAR1PAR1".to_vec()),
        (Format::Csv, "a.csv", b"id,name\n0,x\n".to_vec(), b"\"id,name\n0,x\n".to_vec()),
    ] {
        let world = World::new();
        for part in ["x", "y", "z"] {
            let bytes = if part == "x" { &whole } else { &damaged };
            world.put(&format!("orders/part={part}/{name}"), bytes.clone()).await;
        }
        let columns =
            vec![column("id", DataType::Int64), column("name", DataType::Utf8), partition("part", 1, DataType::Utf8)];
        let contract = entry(format, columns);
        let raw = world.open(&contract).await;
        let State::Damaged { why } = world.sources.state(&contract) else { panic!("{format:?} is whole") };
        assert!(why.message.starts_with(&format!("`orders/part=y/{name}` cannot be read: ")), "{why}");
        let of_part = |part: &str| col("part").eq(lit(part));
        assert!(show(&raw, Some(of_part("x"))).await.is_ok(), "{format:?}");
        assert!(show(&raw, Some(of_part("y"))).await.unwrap_err().contains("cannot be read"), "{format:?}");
        assert!(show(&raw, None).await.is_err(), "{format:?}");
        let survey = world.sources.survey(&contract).await.unwrap();
        let faults: Vec<bool> = survey.files.iter().map(|file| file.fault.is_some()).collect();
        assert_eq!(faults, [false, true, true], "{format:?}");
        for part in ["y", "z"] {
            world.put(&format!("orders/part={part}/{name}"), whole.clone()).await;
        }
        assert!(show(world.open(&contract).await.as_ref(), None).await.is_ok(), "{format:?}");
        assert_eq!(world.sources.state(&contract), State::Verified, "{format:?}");
    }
}
