//! What is kept between the calls of a client is bounded by its weight.

use meshgate::config::Limits;

use crate::harness::wire::Served;

const MESH: &str = include_str!("fixtures/regions.txt");

#[tokio::test(flavor = "multi_thread")]
async fn heavy_plans_are_not_kept() {
    let limits = Limits { pending_mib: 1, partitions: 2, ..Limits::default() };
    let served = Served::start_with(MESH, limits).await;
    let mut ana = served.connect("ana").await;
    let list = (0..3_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let heavy = format!("SELECT order_id FROM sales.orders WHERE order_id IN ({list}) ORDER BY order_id");
    assert_eq!(ana.fetch(&heavy).await.unwrap(), "order_id Int64\n1\n2");
    assert_eq!(served.mesh.sessions.plannings(), 2, "it is planned again when it is fetched");
    let refused = ana.client.prepare(heavy, None).await.unwrap_err().to_string();
    assert!(refused.contains("prepared statements of this principal"), "{refused}");
    let light = "SELECT order_id FROM sales.orders ORDER BY order_id";
    assert_eq!(ana.fetch(light).await.unwrap(), "order_id Int64\n1\n2");
    assert_eq!(served.mesh.sessions.plannings(), 4, "what is light is kept");
    ana.client.prepare(light.to_owned(), None).await.unwrap();
}
