//! Knowing of a product is not reading it.

use crate::harness::{Mesh, check};

const MESH: &str = include_str!("fixtures/regions.txt");

fn with_discovery() -> String {
    MESH.to_owned()
        + r#"//- hr/domain.yaml
name: hr
owner: {team: people-team}
support: [{channel: "people@mesh.example"}]
//- hr/salaries.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: hr-salaries
name: salaries
version: 2.1.0
status: active
domain: hr
description: {purpose: What people earn}
customProperties: [{property: meshgateClassification, value: internal}]
servers: [{server: local, type: local, path: salaries.parquet, format: parquet}]
schema:
  - name: salaries
    properties:
      - {name: employee_id, logicalType: integer, required: true}
//- hr/policies/discover.cedar
@id("analysts-know-of-salaries")
permit (principal in Role::"analyst", action == Action::"discover", resource == Product::"hr.salaries");
//- data/hr/salaries.parquet
employee_id:i64
1
"#
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_may_be_known_of_names_its_owner() {
    let mesh = Mesh::new(&with_discovery()).await;
    assert_eq!(mesh.findings, []);
    let answer = "Denied: no policy lets you read the product `hr.salaries`\nhint: ask its owner: people-team (people@mesh.example)";
    check(&mesh, "ana", "SELECT * FROM hr.salaries", answer).await;
    // Whatever is asked of it, the answer tells nothing of its columns.
    check(&mesh, "ana", "SELECT employee_id FROM hr.salaries", answer).await;
    check(&mesh, "ana", "SELECT nope FROM hr.salaries", answer).await;
    check(&mesh, "ana", "DESCRIBE hr.salaries", answer).await;
    check(
        &mesh,
        "ana",
        "SELECT domain, product, version, owner, support, purpose FROM meshgate.products ORDER BY domain",
        "domain Utf8 | product Utf8 | version Utf8 | owner Utf8 | support Utf8 | purpose Utf8
         hr | salaries | 2.1.0 | people-team | people@mesh.example | What people earn
         sales | orders | 1.0.0 | sales-team | #sales | NULL",
    )
    .await;
    check(&mesh, "ana", "SELECT count(*) AS n FROM information_schema.columns WHERE table_schema = 'hr'", "n Int64\n0")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_may_not_be_known_of_does_not_exist() {
    let mesh = Mesh::new(&with_discovery()).await;
    let forbidden = mesh.answer("eve", "SELECT * FROM hr.salaries").await;
    let unknown = mesh.answer("eve", "SELECT * FROM hr.nosuch00").await;
    assert_eq!(forbidden.replace("salaries", "nosuch00"), unknown);
    assert!(unknown.starts_with("NotFound"), "{unknown}");
    check(&mesh, "eve", "SELECT count(*) AS n FROM meshgate.products", "n Int64\n0").await;
}

/// A policy that reads the time is asked anew for each execution, whichever way it decided before.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_the_hour_is_decided_anew() {
    let hours = r#"resource.region == principal.region && context.now >= datetime("2026-01-01T08:00:00Z") && context.now < datetime("2026-01-01T18:00:00Z")"#;
    let mesh = Mesh::new(&MESH.replace("resource.region == principal.region", hours)).await;
    assert_eq!(mesh.findings, []);
    let session = mesh.session("ana");
    let sql = "SELECT count(*) AS n FROM sales.orders";
    assert!(mesh.answer("ana", sql).await.starts_with("NotFound"), "before the hour");
    mesh.clock.advance(std::time::Duration::from_hours(9));
    check(&mesh, "ana", sql, "n Int64\n2").await;
    // Planned within the hour, run after it.
    let planned = session.plan(sql).await.unwrap();
    mesh.clock.advance(std::time::Duration::from_hours(10));
    let wire = meshgate::flight::wire_schema(planned.schema());
    let Err(late) = session.run(&planned, wire).await else { panic!("the hour is over") };
    assert!(late.message.contains("there is no table"), "{late}");
}
