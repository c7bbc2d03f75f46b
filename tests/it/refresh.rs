//! Data that its owner replaces while the gateway serves it.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::harness::{Fixture, Mesh, parquet, rows};

const SQL: &str = "SELECT order_id, amount FROM sales.orders ORDER BY order_id";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_replaced_is_refused_in_the_reader_s_words_and_read_by_the_next_query() {
    let fixture = Fixture::parse(include_str!("fixtures/regions.txt"));
    let store = Arc::new(InMemory::new());
    let put = |text: &str| {
        let (store, bytes) = (Arc::clone(&store), parquet(&rows(text)));
        async move { store.put(&"orders.parquet".into(), bytes.into()).await.unwrap() }
    };
    put("order_id:i64,region:utf8,amount:i64\n1,EU,10\n3,US,30").await;
    let stores: BTreeMap<_, _> = [("sales".to_owned(), Arc::clone(&store) as Arc<dyn ObjectStore>)].into();
    let mesh = Mesh::over(&fixture, stores);
    assert_eq!(mesh.answer("ana", SQL).await, "order_id Int64 | amount Int64\n1 | 10");

    put("order_id:i64,region:utf8,amount:i64\n7,EU,70\n8,US,80").await;
    let refused = mesh.answer("ana", SQL).await;
    assert!(refused.contains("`sales.orders`") && refused.contains("ask again"), "{refused}");
    assert!(!refused.contains("parquet"), "no word of the store: {refused}");
    assert_eq!(mesh.answer("ana", SQL).await, "order_id Int64 | amount Int64\n7 | 70");
    assert_eq!(mesh.answer("bob", SQL).await, "order_id Int64 | amount Int64\n8 | 80");
}
