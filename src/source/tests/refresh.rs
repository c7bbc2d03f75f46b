//! New data becomes visible; what runs keeps what it began with; a look that fails serves nothing.

use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, StringArray};
use datafusion::arrow::datatypes::DataType;

use super::delta::{PROTOCOL, add, commit, data, log};
use super::*;

fn id() -> Vec<Column> {
    vec![column("id", DataType::Int64)]
}

fn one(id: i64) -> Vec<u8> {
    parquet_bytes(vec![("id", Arc::new(Int64Array::from(vec![id])))])
}

#[tokio::test]
async fn a_new_delta_commit_is_seen_and_a_running_query_keeps_its_own() {
    let world = World::new();
    let bytes = data(&[1, 2], &["a", "b"]);
    world.put("orders/part-0.parquet", bytes.clone()).await;
    world.put(&format!("orders/{}", commit(0)), log(PROTOCOL, &add("part-0.parquet", bytes.len()))).await;
    let contract = entry(Format::Delta, id());
    let before = world.open(&contract).await;
    world.put("orders/part-1.parquet", bytes.clone()).await;
    world.put(&format!("orders/{}", commit(1)), add("part-1.parquet", bytes.len())).await;
    assert_eq!(world.show(&contract).await.lines().count(), 5);
    assert_eq!(show(&before, None).await.unwrap().lines().count(), 3);
}

#[tokio::test]
async fn a_delta_commit_is_seen_by_the_next_query_whatever_the_interval_and_costs_one_listing() {
    let world = World::new();
    let world = World { sources: world.sources.with_refresh(Duration::from_mins(1)), store: world.store };
    let bytes = data(&[1, 2], &["a", "b"]);
    let contract = entry(Format::Delta, id());
    world.put("orders/part-0.parquet", bytes.clone()).await;
    world.put(&format!("orders/{}", commit(0)), log(PROTOCOL, &add("part-0.parquet", bytes.len()))).await;
    for (version, lines) in [(1, 5), (2, 7), (3, 9)] {
        let before = world.open(&contract).await;
        world.asked();
        assert!(Arc::ptr_eq(&world.open(&contract).await, &before));
        assert_eq!(world.asked(), 1, "version {version}: a table that has not changed is listed, and nothing else");
        // What other writers leave in a log is no commit.
        world.put(&format!("orders/_delta_log/{:020}.crc", version - 1), "{}").await;
        assert!(Arc::ptr_eq(&world.open(&contract).await, &before));
        let part = format!("part-{version}.parquet");
        world.put(&format!("orders/{part}"), bytes.clone()).await;
        world.put(&format!("orders/{}", commit(version)), add(&part, bytes.len())).await;
        assert_eq!(world.show(&contract).await.lines().count(), lines);
    }
    world.store.inner.delete(&format!("orders/{}", commit(3)).as_str().into()).await.unwrap();
    assert_eq!(world.show(&contract).await.lines().count(), 7, "a log that was cut is read anew");
}

#[tokio::test]
async fn a_warm_delta_query_reads_its_data_and_no_footer() {
    let world = World::new();
    let bytes = data(&[1, 2], &["a", "b"]);
    let contract = entry_of("sales", s3("s3://lake/sales/orders"), Format::Delta, id());
    world.put("sales/orders/part-0.parquet", bytes.clone()).await;
    world.put(&format!("sales/orders/{}", commit(0)), log(PROTOCOL, &add("part-0.parquet", bytes.len()))).await;
    world.show(&contract).await;
    world.asked();
    world.show(&contract).await;
    assert_eq!(*world.store.reads.lock().unwrap(), ["sales/orders/part-0.parquet"]);
    assert_eq!(world.asked(), 2, "the data, and one listing of the log");
}

#[tokio::test]
async fn a_delta_table_that_is_written_anew_is_loaded_anew() {
    let world = World::new();
    let bytes = data(&[1, 2], &["a", "b"]);
    let contract = entry(Format::Delta, id());
    world.put("orders/old.parquet", bytes.clone()).await;
    world.put(&format!("orders/{}", commit(0)), log(PROTOCOL, &add("old.parquet", bytes.len()))).await;
    world.put(&format!("orders/{}", commit(1)), add("old.parquet", bytes.len())).await;
    world.open(&contract).await;
    for key in ["orders/old.parquet".to_owned(), format!("orders/{}", commit(1))] {
        world.store.inner.delete(&key.as_str().into()).await.unwrap();
    }
    let bytes = data(&[7], &["z"]);
    world.put("orders/new.parquet", bytes.clone()).await;
    world.put(&format!("orders/{}", commit(0)), log(PROTOCOL, &add("new.parquet", bytes.len()))).await;
    assert_eq!(world.show(&contract).await, "id\n7");
}

#[tokio::test]
async fn a_new_parquet_file_is_seen_and_known_footers_are_not_read_again() {
    let world = World::new();
    let contract = entry(Format::Parquet, id());
    world.put("orders/a.parquet", one(1)).await;
    let before = world.open(&contract).await;
    world.put("orders/b.parquet", one(2)).await;
    world.reads();
    world.open(&contract).await;
    assert_eq!(world.reads(), ["orders/b.parquet"]);
    assert_eq!(world.show(&contract).await.lines().count(), 3);
    assert_eq!(show(&before, None).await.unwrap(), "id\n1");
}

#[tokio::test]
async fn a_parquet_file_replaced_within_its_second_by_one_of_its_size_is_read_anew() {
    let world = World::new();
    world.store.coarse.store(true, Ordering::Relaxed);
    let contract = entry(Format::Parquet, vec![column("a", DataType::Utf8), column("b", DataType::Utf8)]);
    let texts = |texts: [&'static str; 3]| Arc::new(StringArray::from(texts.to_vec())) as _;
    let (long, short) = (["a", "mm", "z"], ["a", "m", "z"]);
    // Of one size, and the columns are not in the same places.
    let before = parquet_bytes(vec![("a", texts(long)), ("b", texts(short))]);
    let after = parquet_bytes(vec![("a", texts(short)), ("b", texts(long))]);
    assert_eq!(before.len(), after.len());
    world.put("orders/a.parquet", before).await;
    assert_eq!(world.show(&contract).await, "a | b\na | a\nmm | m\nz | z");
    world.put("orders/a.parquet", after).await;
    assert_eq!(world.show(&contract).await, "a | b\na | a\nm | mm\nz | z");
}

#[tokio::test]
async fn a_parquet_file_replaced_within_the_interval_is_refused_and_then_read_anew() {
    let world = World::new();
    world.store.coarse.store(true, Ordering::Relaxed);
    let world = World { sources: world.sources.with_refresh(Duration::from_mins(1)), store: world.store };
    let contract = entry(Format::Parquet, id());
    world.put("orders/a.parquet", one(1)).await;
    assert_eq!(world.show(&contract).await, "id\n1");
    world.put("orders/a.parquet", one(2)).await;
    let listed = world.open(&contract).await;
    let refused = show(&listed, None).await.unwrap_err();
    assert!(refused.contains("not the file that was there"), "{refused}");
    assert_eq!(world.show(&contract).await, "id\n2", "the interval does not hold what is known to be gone");
    assert!(show(&listed, None).await.is_err(), "who listed the old one still expects the old one");

    world.put("orders/b.parquet", one(3)).await;
    world.store.inner.delete(&"orders/a.parquet".into()).await.unwrap();
    let refused = show(world.open(&contract).await.as_ref(), None).await.unwrap_err();
    assert!(refused.contains("not the file that was there"), "{refused}");
    assert_eq!(world.show(&contract).await, "id\n3");
}

#[tokio::test]
async fn within_the_interval_all_share_one_look() {
    let world = World::new();
    let world = World { sources: world.sources.with_refresh(Duration::from_mins(1)), store: world.store };
    let contract = entry_of("sales", s3("s3://lake/sales/orders"), Format::Parquet, id());
    world.put("sales/orders/a.parquet", one(1)).await;
    let opens = futures::future::join_all((0..8).map(|_| world.sources.open(&contract))).await;
    let first = opens[0].as_ref().unwrap();
    assert!(opens.iter().all(|raw| Arc::ptr_eq(raw.as_ref().unwrap(), first)));
    assert_eq!(world.store.reads.lock().unwrap().len(), 1, "one footer, once");
    world.put("sales/orders/b.parquet", one(2)).await;
    assert!(Arc::ptr_eq(&world.open(&contract).await, first));
}

#[tokio::test]
async fn data_that_no_longer_conforms_is_not_served_and_comes_back() {
    let world = World::new();
    let contract = entry(Format::Parquet, id());
    world.put("orders/a.parquet", one(1)).await;
    world.open(&contract).await;
    world.put("orders/b.parquet", "not parquet").await;
    assert!(world.refused(&contract).await.message.contains("`orders/b.parquet`"));
    world.store.inner.delete(&"orders/b.parquet".into()).await.unwrap();
    assert_eq!(world.show(&contract).await, "id\n1");
    assert_eq!(world.sources.verify(&contract).await, State::Verified);
}

#[tokio::test]
async fn another_contract_under_the_same_name_is_opened_anew() {
    let world = World::new();
    let world = World { sources: world.sources.with_refresh(Duration::from_mins(1)), store: world.store };
    world.put("orders/a.parquet", one(1)).await;
    assert_eq!(world.show(&entry(Format::Parquet, id())).await, "id\n1");
    let next = entry(Format::Parquet, vec![renamed("order_id", "id", DataType::Int64)]);
    assert_eq!(world.show(&next).await, "order_id\n1");
}
