//! What a contract promises of its data, and which of its versions are served.

use crate::harness::{Mesh, check};

const MESH: &str = include_str!("fixtures/regions.txt");

/// The part of the fixture that is the contract of `sales.orders`.
fn contract() -> &'static str {
    let start = MESH.find("//- sales/orders.odcs.yaml").unwrap();
    let end = MESH.find("//- sales/policies").unwrap();
    &MESH[start..end]
}

/// Another version of the product beside the first, with its own data: two EU orders more.
pub fn second(version: &str, status: &str) -> String {
    let file = format!("orders_{}", version.replace('.', "_"));
    contract()
        .replace("sales/orders.odcs", &format!("sales/{file}.odcs"))
        .replace("version: 1.0.0", &format!("version: {version}"))
        .replace("status: active", &format!("status: {status}"))
        .replace("path: \"{model}.parquet\"", &format!("path: \"{file}/{{model}}.parquet\""))
        + &format!(
            "//- data/sales/{file}/orders.parquet\norder_id:i64,region:utf8,amount:i64\n11,EU,1\n12,EU,2\n13,EU,3\n14,US,4\n\
             //- data/sales/{file}/secrets.parquet\nid:i64\n1\n"
        )
}

const COUNT: &str = "SELECT count(*) AS n FROM sales.orders";

#[tokio::test(flavor = "multi_thread")]
async fn the_highest_major_has_the_name_and_each_can_be_pinned() {
    let mesh = Mesh::new(&(MESH.to_owned() + &second("2.1.0", "active"))).await;
    assert_eq!(mesh.findings, []);
    check(&mesh, "ana", COUNT, "n Int64\n3").await;
    // One row type for both: the policy of the region guards the pinned versions too.
    check(&mesh, "ana", "SELECT count(*) AS n FROM sales.orders_v1", "n Int64\n2").await;
    check(&mesh, "ana", "SELECT count(*) AS n FROM sales.orders_v2", "n Int64\n3").await;
    check(&mesh, "bob", "SELECT count(*) AS n FROM sales.orders_v2", "n Int64\n1").await;
    assert!(mesh.answer("eve", "SELECT * FROM sales.orders_v1").await.starts_with("NotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_active_and_deprecated_versions_are_served() {
    for (status, rows) in [("draft", 2), ("proposed", 2), ("retired", 2), ("deprecated", 2)] {
        let mesh = Mesh::new(&(MESH.to_owned() + &second("2.0.0", status))).await;
        check(&mesh, "ana", COUNT, &format!("n Int64\n{rows}")).await;
        let pinned = mesh.answer("ana", "SELECT count(*) AS n FROM sales.orders_v2").await;
        assert_eq!(pinned == "n Int64\n3", status == "deprecated", "{status}: {pinned}");
    }
    let mesh = Mesh::new(&MESH.replace("status: active", "status: deprecated")).await;
    check(&mesh, "ana", COUNT, "n Int64\n2").await;
    let mesh = Mesh::new(&MESH.replace("status: active", "status: retired")).await;
    assert!(mesh.answer("ana", COUNT).await.starts_with("NotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_conformed_to_the_contract() {
    // Renamed by physicalName, widened from 32 bits; `margin` is in the file and not in the contract.
    let text = MESH
        .replace(
            "{name: amount, logicalType: integer, required: true}",
            "{name: amount, physicalName: AMT, logicalType: integer, required: true}",
        )
        .replace(
            "order_id:i64,region:utf8,amount:i64\n1,EU,10\n2,EU,20\n3,US,30\n4,US,40",
            "margin:i64,AMT:i32,region:utf8,order_id:i32\n9,10,EU,1\n9,20,EU,2\n9,30,US,3",
        );
    let mesh = Mesh::new(&text).await;
    assert_eq!(mesh.findings, []);
    check(
        &mesh,
        "ana",
        "SELECT * FROM sales.orders ORDER BY order_id",
        "order_id Int64 | region Utf8 | amount Int64
         1 | EU | 10
         2 | EU | 20",
    )
    .await;
    let hidden = mesh.answer("ana", "SELECT margin FROM sales.orders").await;
    let unknown = mesh.answer("ana", "SELECT nosuch FROM sales.orders").await;
    assert_eq!(hidden.replace("margin", "nosuch"), unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_column_is_refused_and_named_to_its_owner() {
    let cases = [
        ("order_id:i64,region:utf8,amount:i64\n1,EU,10", "order_id:i64,region:utf8\n1,EU", "amount"),
        ("order_id:i64,region:utf8,amount:i64\n1,EU,10", "order_id:i64,region:utf8,amount:utf8\n1,EU,ten", "amount"),
    ];
    for (good, bad, column) in cases {
        let data = good.split('\n').next().unwrap();
        let rest = "\n2,EU,20\n3,US,30\n4,US,40";
        let mesh = Mesh::new(&MESH.replace(&format!("{good}{rest}"), bad)).await;
        let told = mesh.why_unreadable("sales", "orders", column).await;
        assert!(told.contains(column) && told.contains("orders.parquet"), "{data}: {told}");
        check(&mesh, "ana", "SELECT order_id, region FROM sales.orders", "order_id Int64 | region Utf8\n1 | EU").await;
        let answer = mesh.answer("ana", &format!("SELECT {column} FROM sales.orders")).await;
        assert!(answer.starts_with("Broken: the product's data is not what its contract promises"), "{answer}");
        assert!(!answer.contains("parquet") && !answer.contains(column), "{answer}");
    }
}
