//! Deletion vectors (Delta protocol, "Deletion Vector Format"): rows that they delete are in no answer, however it is asked.

use datafusion::prelude::{col, lit};

use object_store::ObjectStoreExt as _;

use super::delta::{add, commit, data, log};
use super::*;

const PROTOCOL: &str = r#"{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}"#;

/// A roaring bitmap of 64-bit numbers, all in one container.
fn bitmap(places: &[u16]) -> Vec<u8> {
    let count = u16::try_from(places.len()).unwrap();
    let words = [1_681_511_377_u32, 1, 0, 0, 12_346, 1];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend([0, count - 1].iter().flat_map(|half| half.to_le_bytes()));
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend(places.iter().flat_map(|place| place.to_le_bytes()));
    bytes
}

/// Z85: five characters for four bytes.
fn z85(bytes: &[u8]) -> String {
    let digits: Vec<char> =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#".chars().collect();
    let mut text = String::new();
    for word in bytes.chunks(4) {
        let number = word.iter().fold(0_usize, |number, byte| number * 256 + usize::from(*byte));
        text.extend((0..5).rev().map(|power| digits[number / 85_usize.pow(power) % 85]));
    }
    text
}

fn deleting(path: &str, size: usize, places: &[u16]) -> String {
    let bytes = bitmap(places);
    let vector = format!(
        "\"deletionVector\":{{\"storageType\":\"i\",\"pathOrInlineDv\":\"{}\",\"sizeInBytes\":{},\"cardinality\":{}}},\"dataChange\"",
        z85(&bytes),
        bytes.len(),
        places.len(),
    );
    add(path, size).replace("\"dataChange\"", &vector)
}

fn contract() -> TableEntry {
    entry(Format::Delta, vec![column("id", DataType::Int64), renamed("text", "s", DataType::Utf8)])
}

async fn table(world: &World) -> Vec<u8> {
    let bytes = data(&[1, 2], &["a", "b"]);
    let adds = format!(
        "{}{}{}",
        deleting("some.parquet", bytes.len(), &[0]),
        deleting("all.parquet", bytes.len(), &[0, 1]),
        add("none.parquet", bytes.len())
    );
    world.put(&format!("orders/{}", commit(0)), log(PROTOCOL, &adds)).await;
    for name in ["some", "all", "none"] {
        world.put(&format!("orders/{name}.parquet"), bytes.clone()).await;
    }
    bytes
}

#[tokio::test]
async fn deleted_rows_are_in_no_answer() {
    let world = World::new();
    table(&world).await;
    let contract = contract();
    let raw = world.open(&contract).await;
    assert_eq!(sorted(&show(&raw, None).await.unwrap()), ["1 | a", "2 | b", "2 | b"]);
    assert_eq!(sorted(&show(&raw, Some(col("id").eq(lit(1_i64)))).await.unwrap()), ["1 | a"]);
    assert_eq!(sorted(&show(&raw, Some(col("text").gt(lit("a")))).await.unwrap()), ["2 | b", "2 | b"]);
    assert_eq!(world.sources.row_count(&contract).await, Some(3));
    let survey = world.sources.survey(&contract).await.unwrap();
    let files: Vec<_> = survey.files.iter().map(|file| (file.file.as_str(), file.rows, file.fault.is_none())).collect();
    assert_eq!(files, [("orders", 3, true)]);
}

fn sorted(shown: &str) -> Vec<&str> {
    let mut rows: Vec<&str> = shown.lines().skip(1).collect();
    rows.sort_unstable();
    rows
}

/// Their files are pinned, and their footers and pages are checked, as those of other tables are.
#[tokio::test]
async fn files_with_vectors_are_pinned_and_checked() {
    let world = World::new();
    let bytes = table(&world).await;
    let raw = world.open(&contract()).await;
    show(&raw, None).await.unwrap();
    let other = data(&[8, 9], &["a", "b"]);
    assert_eq!(other.len(), bytes.len());
    world.put("orders/some.parquet", other).await;
    let error = show(&raw, None).await.unwrap_err();
    assert!(error.contains("is not the file that was there"), "{error}");

    // A file that two versions of the table name, and that is not there.
    let world = World::new();
    table(&world).await;
    world.store.inner.delete(&"orders/some.parquet".into()).await.unwrap();
    let lost = contract();
    let raw = world.open(&lost).await;
    let error = show(&raw, None).await.unwrap_err();
    assert!(error.contains("is not the file that was there"), "{error}");
    let raw = world.open(&lost).await;
    let error = show(&raw, None).await.unwrap_err();
    assert!(error.contains("the log of its table names it, and it is not there"), "{error}");

    // A page that is not the one of its checksum or its footer.
    let world = World::new();
    let mut bytes = table(&world).await;
    let page = bytes.len() / 3;
    for byte in &mut bytes[4..page] {
        *byte ^= 0x55;
    }
    world.put("orders/some.parquet", bytes).await;
    let raw = world.open(&contract()).await;
    assert!(show(&raw, None).await.is_err());
}
