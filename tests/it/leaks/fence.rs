//! D41 and D42: data that lies about where it is, or about what it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use super::world::{Condition, Share, Source, World, text};
use crate::harness::{Fixture, Mesh, check, delta_log, parquet, rows};

const MESH: &str = r#"//- mesh.yaml
name: mesh
roles: [reader]
tags: []
classifications: [internal, restricted]
//- users.toml
[users.ana]
password = "x"
roles = ["reader"]
//- governance/read.cedar
@id("all") permit (principal in Role::"reader", action == Action::"read", resource);
"#;

fn product(domain: &str, name: &str, path: &str, format: &str) -> String {
    format!(
        r#"//- {domain}/domain.yaml
name: {domain}
owner: {{team: {domain}-team}}
//- {domain}/{name}.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: {domain}-{name}
name: {name}
version: 1.0.0
status: active
domain: {domain}
customProperties: [{{property: meshgateClassification, value: internal}}]
servers: [{{server: local, type: local, path: "{path}", format: {format}}}]
schema:
  - name: {name}
    properties:
      - {{name: id, logicalType: integer, required: true}}
      - {{name: s, logicalType: string}}
"#
    )
}

/// A Delta log of `sales` that names files elsewhere shows nothing of them, whatever form the name has.
#[tokio::test(flavor = "multi_thread")]
async fn a_delta_log_cannot_name_files_of_another_domain() {
    let schema = Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("s", DataType::Utf8, true)]);
    let secret = parquet(&rows("id:i64,s:utf8\n1,salary-100\n2,salary-200\n"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.parquet");
    std::fs::write(&file, &secret).unwrap();
    let forms = [
        "s3://hr/salaries/part-0.parquet".to_owned(),
        format!("file://{}", file.display()),
        file.display().to_string(),
        "../../hr/salaries/part-0.parquet".to_owned(),
        "../salaries/part-0.parquet".to_owned(),
        "/hr/salaries/part-0.parquet".to_owned(),
        "/salaries/part-0.parquet".to_owned(),
        "s3://sales/../hr/salaries/part-0.parquet".to_owned(),
        "%2e%2e/%2e%2e/hr/salaries/part-0.parquet".to_owned(),
    ];
    let fixture = Fixture::parse(
        &(MESH.to_owned()
            + &product("sales", "orders", "orders", "delta")
            + &product("hr", "salaries", "salaries/*.parquet", "parquet")),
    );
    for form in forms {
        let hr: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        hr.put(&"salaries/part-0.parquet".into(), secret.clone().into()).await.unwrap();
        let sales: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let log = delta_log(&schema, &[(form.clone(), secret.len())]);
        sales.put(&"orders/_delta_log/00000000000000000000.json".into(), log.into()).await.unwrap();
        let stores: BTreeMap<_, _> = [("hr".to_owned(), hr), ("sales".to_owned(), sales)].into();
        let mesh = Mesh::over(&fixture, stores);
        check(&mesh, "ana", "SELECT count(*) AS n FROM hr.salaries", "n Int64\n2").await;
        let answer = mesh.answer("ana", "SELECT * FROM sales.orders").await;
        assert!(!answer.contains("salary"), "`{form}` was read:\n{answer}");
        assert!(["Broken", "Unavailable"].iter().any(|kind| answer.starts_with(kind)), "`{form}`: {answer}");
        assert!(!answer.contains("parquet") && !answer.contains("hr"), "the error tells where it looked: {answer}");
    }
}

/// Footers are cached by path alone in the engine: two domains with equal paths and sizes must not mix.
#[tokio::test(flavor = "multi_thread")]
async fn equal_paths_in_two_domains_stay_apart() {
    let text = MESH.to_owned()
        + &product("sales", "things", "x.parquet", "parquet")
        + &product("hr", "things", "x.parquet", "parquet")
        + "//- data/sales/x.parquet\nid:i64,s:utf8\n1,AAAA\n2,AAAA\n//- data/hr/x.parquet\nid:i64,s:utf8\n7,BBBB\n8,BBBB\n";
    let mesh = Mesh::new(&text).await;
    for _ in 0..2 {
        check(&mesh, "ana", "SELECT * FROM sales.things ORDER BY id", "id Int64 | s Utf8\n1 | AAAA\n2 | AAAA").await;
        check(&mesh, "ana", "SELECT * FROM hr.things ORDER BY id", "id Int64 | s Utf8\n7 | BBBB\n8 | BBBB").await;
        check(&mesh, "ana", "SELECT count(*) AS n FROM sales.things WHERE id >= 7", "n Int64\n0").await;
        check(&mesh, "ana", "SELECT count(*) AS n FROM hr.things WHERE id >= 7", "n Int64\n2").await;
    }
}

/// D42: a forbid must not vanish because a value is bad, and no error quotes it.
#[tokio::test(flavor = "multi_thread")]
async fn bad_values_do_not_switch_a_forbid_off() {
    let csv = "//- data/sales/t.csv\nid,level\n1,3\n2,12O\n3,9\n4,\n";
    let json = "//- data/sales/t.ndjson\n{\"id\":1,\"level\":3}\n{\"id\":2,\"level\":\"12O\"}\n{\"id\":3,\"level\":9}\n{\"id\":4}\n{broken\n";
    let parquet = "//- data/sales/t.parquet\nid:i64,level:i64\n1,3\n3,9\n4,\n";
    for (path, format, data) in [("t.csv", "csv", csv), ("t.ndjson", "json", json), ("t.parquet", "parquet", parquet)] {
        for condition in ["resource.level > 5", "!(resource.level <= 5)"] {
            let contract = product("sales", "t", path, format).replace(
                "      - {name: s, logicalType: string}",
                "      - {name: level, logicalType: integer, required: true}",
            );
            let policy = format!(
                "//- sales/policies/t.cedar\n@id(\"high\") forbid (principal, action == Action::\"read\", resource is sales::t) when {{ {condition} }};\n"
            );
            let mesh = Mesh::new(&(MESH.to_owned() + &contract + &policy + data)).await;
            assert!(mesh.findings.is_empty(), "{:?}", mesh.findings);
            check(&mesh, "ana", "SELECT id, level FROM sales.t ORDER BY id", "id Int64 | level Int64\n1 | 3").await;
        }
    }
}

/// A file of a folder that policy hides is not looked at for `ana`, whatever became of it.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_file_of_a_hidden_folder_fails_nobody() {
    let own = r#"resource.part == "EU""#;
    let policies = [
        own,
        r#"["EU", "FR"].contains(resource.part)"#,
        r#"resource.part like "E*""#,
        r#"(resource.part == "EU" || (resource.part == "FR" && resource.order_id > 5))"#,
    ];
    let sources = [Source::Parquet, Source::Delta, Source::Csv, Source::Json];
    for (source, policy) in sources.iter().flat_map(|source| policies.map(|policy| (*source, policy))) {
        let fixture = || {
            let text = text(World::First, Condition::Partition, source, Share::Most);
            assert!(text.contains(own));
            Fixture::parse(&text.replace(own, policy))
        };
        let over = async |fixture: &Fixture| {
            let stores = fixture.stores().await.into_iter();
            Mesh::over(fixture, stores.map(|(domain, store)| (domain, store as Arc<dyn ObjectStore>)).collect())
        };
        let whole = over(&fixture()).await;
        let files = fixture().data["sales"].clone();
        let hidden: Vec<_> = files.iter().filter(|(key, _)| key.contains("part=hidden-region-US/")).collect();
        assert_eq!(hidden.len(), 1, "{source:?}: {:?}", files.keys());
        let (key, bytes) = hidden[0];
        let end = bytes.len() - 8;
        let mut other_length = bytes.clone();
        other_length[end..end + 4].copy_from_slice(&[0xff; 4]);
        let mut damages = vec![vec![b'"'], b"\"a\"b,\"\n".to_vec(), bytes[..=bytes.len() / 2].to_vec(), other_length];
        if source == Source::Delta {
            // A log says how long its files are.
            for damage in &mut damages {
                damage.resize(bytes.len(), 0);
            }
        }
        // Each damage under one policy, and one of them under each.
        for damage in damages.into_iter().take(if policy == own { usize::MAX } else { 1 }) {
            let mut fixture = fixture();
            fixture.data.get_mut("sales").unwrap().insert(key.clone(), damage.clone());
            let broken = over(&fixture).await;
            for sql in [
                "SELECT * FROM sales.orders ORDER BY order_id",
                "SELECT count(*) AS n, min(part) AS part FROM sales.orders",
                "SELECT order_id FROM sales.orders WHERE amount > 20 ORDER BY order_id",
                "SELECT domain, product, data FROM meshgate.products",
            ] {
                let [whole, broken] = [whole.answer("ana", sql).await, broken.answer("ana", sql).await];
                assert_eq!(broken, whole, "{source:?}, {policy}: {sql}");
                assert!(!whole.starts_with("Broken"), "{source:?}, {policy}: {sql}: {whole}");
            }
            let answer = broken.answer("dpo", "SELECT count(*) AS n, max(amount) AS most FROM sales.orders").await;
            assert!(answer.starts_with("Broken: ") && answer.contains("#sales"), "{source:?}, {damage:?}: {answer}");
        }
    }
}

/// The same under a permit: a bad value never widens it.
#[tokio::test(flavor = "multi_thread")]
async fn bad_values_do_not_widen_a_permit() {
    let base =
        MESH.replace("@id(\"all\") permit (principal in Role::\"reader\", action == Action::\"read\", resource);", "");
    let contract = product("sales", "t", "t.csv", "csv").replace(
        "      - {name: s, logicalType: string}",
        "      - {name: level, logicalType: integer, required: false}",
    );
    for condition in ["!(resource has level)", "!(resource has level && resource.level > 5)"] {
        let policy = format!(
            "//- sales/policies/t.cedar\n@id(\"p\") permit (principal in Role::\"reader\", action == Action::\"read\", resource is sales::t) when {{ {condition} }};\n//- data/sales/t.csv\nid,level\n2,12O\n4,\n"
        );
        let mesh = Mesh::new(&(base.clone() + &contract + &policy)).await;
        check(&mesh, "ana", "SELECT id FROM sales.t ORDER BY id", "id Int64\n4").await;
    }
}
