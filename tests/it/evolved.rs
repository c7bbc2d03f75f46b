//! What policy makes of columns that some files lack, and of columns whose type nobody knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::harness::{Fixture, Mesh, check, parquet, rows};

const ROLES: [&str; 8] = ["all", "narrow", "forbidden", "regional", "unregional", "newcomer", "placed", "unplaced"];

fn catalogs() -> String {
    let users = ROLES.map(|role| format!("[users.{role}]\npassword = \"x\"\nroles = [\"{role}\"]\n")).concat();
    let policy = |role: &str, effect: &str, when: &str| {
        format!(
            "@id(\"{effect}-{role}\") {effect} (principal in Role::\"{role}\", action == Action::\"read\", resource is sales::visits) {when};\n"
        )
    };
    let everything = |role: &str| policy(role, "permit", "");
    let policies = [
        everything("all"),
        policy("narrow", "permit", r#"when { context.column.name != "region" }"#),
        everything("forbidden"),
        policy("forbidden", "forbid", r#"when { resource has city && resource.city == "Oslo" }"#),
        policy("regional", "permit", r#"when { resource.region == "EU" }"#),
        everything("unregional"),
        policy("unregional", "forbid", r#"when { resource.region == "US" }"#),
        policy("newcomer", "permit", "when { !(resource has city) }"),
    ]
    .concat();
    let roles = ROLES.join(", ");
    format!(
        r"
//- mesh.yaml
name: mesh
roles: [{roles}]
tags: []
classifications: [internal, restricted]
governance: optional
//- sales/domain.yaml
name: sales
owner: {{team: Sales}}
//- sales/visits.odcs.yaml
apiVersion: v3.2.0
kind: DataContract
id: visits
name: visits
version: 1.0.0
status: active
servers:
  - {{server: lake, type: local, path: visits, format: parquet}}
schema:
  - name: visits
    properties:
      - {{name: id, logicalType: integer}}
      - {{name: city, logicalType: string}}
      - {{name: region, logicalType: string, required: true}}
      - {{name: place, physicalType: geography}}
//- sales/policies/visits.cedar
{policies}
//- users.toml
{users}
"
    )
}

async fn mesh(catalogs: &str) -> Mesh {
    let store = InMemory::new();
    for (key, text) in [
        ("visits/2024.parquet", "id:i64\n1\n2\n"),
        ("visits/2025.parquet", "id:i64,city:utf8,region:utf8\n3,Oslo,EU\n4,Rome,US\n"),
    ] {
        store.put(&key.into(), parquet(&rows(text)).into()).await.unwrap();
    }
    let stores = BTreeMap::from([("sales".to_owned(), Arc::new(store) as Arc<dyn ObjectStore>)]);
    Mesh::over(&Fixture::parse(catalogs), stores)
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_decide_over_columns_that_came_later() {
    let mesh = mesh(&catalogs()).await;
    let sql = "SELECT id, city FROM sales.visits ORDER BY id";
    check(&mesh, "all", sql, "id Int64 | city Utf8\n1 | NULL\n2 | NULL\n3 | Oslo\n4 | Rome").await;
    // The optional column is absent where it was not there yet.
    check(&mesh, "forbidden", sql, "id Int64 | city Utf8\n1 | NULL\n2 | NULL\n4 | Rome").await;
    check(&mesh, "newcomer", sql, "id Int64 | city Utf8\n1 | NULL\n2 | NULL").await;
    // The required column breaks its promise there: a permit over it does not hold, and a forbid does.
    check(&mesh, "regional", sql, "id Int64 | city Utf8\n3 | Oslo").await;
    check(&mesh, "unregional", sql, "id Int64 | city Utf8\n3 | Oslo").await;
    check(&mesh, "all", "SELECT product, data FROM meshgate.products", "product Utf8 | data Utf8\nvisits | partial")
        .await;
    // The broken column is hidden from this one.
    check(&mesh, "narrow", "SELECT product, data FROM meshgate.products", "product Utf8 | data Utf8\nvisits | served")
        .await;
    let answer = mesh.answer("all", "SELECT region FROM sales.visits").await;
    let told = "Broken: the product's data is not what its contract promises (`sales.visits`, correlation id …)";
    assert_eq!(answer, format!("{told}\nhint: give the id to Sales: the detail is in the gateway's log"));
    let why = mesh.why_unreadable("sales", "visits", "region").await;
    assert!(why.contains("`visits/2024.parquet` has no column `region`, promised as text"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn column_of_unknown_type_is_nowhere() {
    let mesh = mesh(&catalogs()).await;
    check(&mesh, "all", "SELECT count(*) AS n FROM sales.visits", "n Int64\n4").await;
    let answer = mesh.answer("all", "SELECT place FROM sales.visits").await;
    assert!(answer.starts_with("Invalid: there is no column `place`"), "{answer}");
    let answer =
        mesh.answer("all", "SELECT column_name FROM information_schema.columns WHERE table_name = 'visits'").await;
    assert!(answer.contains("region") && !answer.contains("place"), "{answer}");
    let told: Vec<String> = mesh.findings.iter().map(|finding| finding.message.clone()).collect();
    assert_eq!(told, ["its type is not known (column `place`); the column is not served"]);
}

/// Or else the forbid would hold for no row.
#[tokio::test(flavor = "multi_thread")]
async fn policy_over_unknown_type_denies_the_dataset() {
    for when in ["resource has place", r#"resource has place && resource.place == "x""#, "!(resource has place)"] {
        let forbid = format!(
            "@id(\"placed\") forbid (principal in Role::\"unplaced\", action == Action::\"read\", resource is sales::visits) when {{ {when} }};\n"
        );
        let catalogs = catalogs().replace("//- users.toml", &format!("{forbid}//- users.toml"));
        let mesh = mesh(&catalogs).await;
        let answer = mesh.answer("all", "SELECT id FROM sales.visits").await;
        assert!(answer.starts_with("NotFound"), "{when}: {answer}");
        let told = mesh.findings.iter().any(|finding| finding.message.contains("`placed`"));
        assert!(told, "{when}: {:?}", mesh.findings);
    }
}
