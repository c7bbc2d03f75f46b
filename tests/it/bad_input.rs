//! Whatever is wrong ends in a clear sentence, and the gateway lives.

use std::collections::BTreeMap;
use std::sync::Arc;

use meshgate::diagnostic::Diagnostic;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::harness::wire::Served;
use crate::harness::{Fixture, Mesh, check};

const MESH: &str = include_str!("fixtures/regions.txt");

fn told(findings: &[Diagnostic]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| {
            let place = finding.place.as_ref().map_or("nowhere".to_owned(), ToString::to_string);
            format!("{place}: {}", finding.message)
        })
        .collect()
}

/// Statements and the start of what they are answered.
const STATEMENTS: [(&str, &str); 14] = [
    ("SELEC 1", "Invalid"),
    ("SELECT FROM FROM sales.orders", "Invalid"),
    ("", "Invalid"),
    ("SELECT nope FROM sales.orders", "Invalid: there is no column `nope`"),
    ("SELECT * FROM nope.nope", "NotFound: there is no table `nope.nope`"),
    ("SELECT * FROM orders", "NotFound: there is no table `orders`"),
    ("SELECT * FROM other.sales.orders", "NotFound"),
    ("INSERT INTO sales.orders VALUES (1)", "Unsupported"),
    ("DELETE FROM sales.orders", "Unsupported"),
    ("DROP TABLE sales.orders", "Unsupported"),
    ("CREATE TABLE t AS SELECT 1", "Unsupported"),
    ("COPY sales.orders TO 'x.parquet'", "Unsupported"),
    ("SELECT 1; SELECT 2", "Invalid"),
    ("SELECT repeat('x', 1000000000)", "Exhausted: `repeat` may make at most"),
];

#[tokio::test(flavor = "multi_thread")]
async fn wrong_statements_are_told_and_the_session_lives() {
    let mesh = Mesh::new(MESH).await;
    for (sql, expected) in STATEMENTS {
        let answer = mesh.answer("ana", sql).await;
        let (kind, rest) = expected.split_once(':').map_or((expected, ""), |(kind, rest)| (kind, rest.trim()));
        assert!(answer.starts_with(kind), "{sql}\n{answer}");
        assert!(answer.contains(rest), "{sql}\n{answer}");
        assert!(!answer.contains("DataFusion") && !answer.contains("Error("), "{sql}\n{answer}");
        check(&mesh, "ana", "SELECT 1 AS one", "one Int64\n1").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_syntax_error_tells_its_place_in_one_line() {
    let mesh = Mesh::new(MESH).await;
    let answer = mesh.answer("ana", "SELECT order_id\nFROM sales.orders\nWHER region = 'EU' AND").await;
    assert!(answer.contains("at line 3, column "), "{answer}");
    // The mark below the word is drawn by the client that has the statement.
    assert!(!answer.contains('^'), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_ors_do_not_end_the_process() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let sql = format!("SELECT order_id FROM sales.orders WHERE {}", vec!["order_id = 1"; 20_000].join(" OR "));
    let error = ana.fetch(&sql).await.unwrap_err();
    assert!(error.contains("ResourceExhausted") || error.contains("resource"), "{error}");
    assert_eq!(ana.fetch("SELECT 1 AS one").await.unwrap(), "one Int64\n1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused() {
    let served = Served::start(MESH).await;
    let channel =
        tonic::transport::Endpoint::from_shared(format!("http://{}", served.address)).unwrap().connect().await.unwrap();
    let mut client = arrow_flight::sql::client::FlightSqlServiceClient::new(channel);
    let wrong = client.handshake("ana", "not-it").await.unwrap_err().to_string();
    let nobody = client.handshake("nobody", "not-it").await.unwrap_err().to_string();
    assert_eq!(wrong.replace("ana", "nobody"), nobody, "the answer tells which users exist");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_contract_takes_out_its_product_only() {
    let broken = MESH.to_owned()
        + "//- sales/bad.odcs.yaml\napiVersion: v3.1.0\nkind: DataContract\nid: bad\nname: bad\nversion: 1.0.0\nstatus: active\ndomain: sales\nschemaa: []\n";
    let mesh = Mesh::new(&broken).await;
    let told = told(&mesh.findings);
    assert!(
        told.iter().any(|line| line.starts_with("sales/bad.odcs.yaml:8:1") && line.contains("schemaa")),
        "{told:#?}"
    );
    check(&mesh, "ana", "SELECT count(*) AS n FROM sales.orders", "n Int64\n2").await;
    let malformed = MESH.to_owned() + "//- sales/bad.odcs.yaml\nname: [unclosed\n  - x: {\n";
    let mesh = Mesh::new(&malformed).await;
    assert!(!mesh.findings.is_empty());
    check(&mesh, "ana", "SELECT count(*) AS n FROM sales.orders", "n Int64\n2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_contracts_of_one_dataset_are_both_out() {
    let start = MESH.find("//- sales/orders.odcs.yaml").unwrap();
    let end = MESH.find("//- sales/policies").unwrap();
    let second =
        MESH[start..end].replace("sales/orders.odcs", "sales/orders_again.odcs").replace("sales-orders", "again");
    let mesh = Mesh::new(&(MESH.to_owned() + &second)).await;
    let told = told(&mesh.findings);
    assert!(
        told.iter().any(|line| line.contains("orders.odcs.yaml"))
            && told.iter().any(|line| line.contains("orders_again")),
        "{told:#?}"
    );
    assert!(mesh.answer("ana", "SELECT * FROM sales.orders").await.starts_with("NotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_do_not_hold_deny() {
    let cases = [
        // unknown attribute
        ("resource.region == principal.region", "resource.regio == principal.region"),
        // wrong type
        ("resource.region == principal.region", "resource.amount == \"EU\""),
        // unknown role
        ("Role::\"analyst\", action", "Role::\"analist\", action"),
    ];
    for (good, bad) in cases {
        let mesh = Mesh::new(&MESH.replace(good, bad)).await;
        let told = told(&mesh.findings);
        assert!(told.iter().any(|line| line.starts_with("sales/policies/orders.cedar:")), "{bad}: {told:#?}");
        assert!(mesh.answer("ana", "SELECT * FROM sales.orders").await.starts_with("NotFound"), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_reaches_outside_its_domain_is_refused() {
    let outside = MESH.to_owned()
        + "//- hr/domain.yaml\nname: hr\nowner: {team: people}\n//- hr/policies/x.cedar\n@id(\"steal\") permit (principal, action == Action::\"read\", resource);\n";
    let mesh = Mesh::new(&outside).await;
    let told = told(&mesh.findings);
    assert!(told.iter().any(|line| line.starts_with("hr/policies/x.cedar:1")), "{told:#?}");
    assert!(mesh.answer("eve", "SELECT * FROM sales.orders").await.starts_with("NotFound"));
    check(&mesh, "ana", "SELECT count(*) AS n FROM sales.orders", "n Int64\n2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_storage_is_told_without_its_place() {
    let fixture = Fixture::parse(MESH);
    let good = fixture.data["sales"]["orders.parquet"].clone();
    let cases: [(&str, Option<Vec<u8>>); 4] = [
        ("truncated", Some(good[..good.len() / 2].to_vec())),
        ("garbage", Some(b"this is no parquet file at all, is it".to_vec())),
        ("empty", Some(Vec::new())),
        ("missing", None),
    ];
    for (name, bytes) in cases {
        let store = InMemory::new();
        if let Some(bytes) = bytes {
            store.put(&"orders.parquet".into(), bytes.into()).await.unwrap();
        }
        let stores: BTreeMap<String, Arc<dyn ObjectStore>> = [("sales".to_owned(), Arc::new(store) as _)].into();
        let mesh = Mesh::over(&fixture, stores);
        let answer = mesh.answer("ana", "SELECT * FROM sales.orders").await;
        let kind =
            if name == "missing" { "Unavailable" } else { "Broken: the product's data is not what its contract" };
        assert!(answer.starts_with(kind) && answer.contains("`sales.orders`"), "{name}: {answer}");
        if name != "missing" {
            assert!(
                answer.ends_with("give the id to sales-team (#sales): the detail is in the gateway's log"),
                "{answer}"
            );
        }
        assert!(!answer.contains("orders.parquet"), "{name} tells a path: {answer}");
        check(&mesh, "ana", "SELECT 1 AS one", "one Int64\n1").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_is_told() {
    let fixture = Fixture::parse(MESH);
    let mesh = Mesh::over(&fixture, BTreeMap::new());
    let answer = mesh.answer("ana", "SELECT * FROM sales.orders").await;
    assert!(answer.starts_with("Internal") || answer.starts_with("Unavailable"), "{answer}");
    check(&mesh, "ana", "SELECT 1 AS one", "one Int64\n1").await;
}
