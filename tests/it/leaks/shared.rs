//! What is kept between statements, and between principals, must not carry rights with it.

use std::time::Duration;

use arrow::array::RecordBatch;
use meshgate::identity::UsersFile;

use crate::harness::wire::{Door, Served, with_passwords};
use crate::harness::{Mesh, check, run};

const MESH: &str = include_str!("../fixtures/regions.txt");

/// `ann` is `ana` under another name, `sam` is `ana` in another role, `pat` has one role more.
fn crowd() -> String {
    MESH.replace(
        "[users.eve]",
        r#"[users.ann]
password = "x"
roles = ["analyst"]
attributes = { region = "EU" }
[users.sam]
password = "x"
roles = ["owner"]
attributes = { region = "EU" }
[users.pat]
password = "x"
roles = ["analyst", "owner"]
attributes = { region = "EU" }
[users.eve]"#,
    )
    .replace(
        "//- data/sales/orders.parquet",
        r#"@id("not-ann") forbid (principal == User::"ann", action == Action::"read", resource is sales::orders)
when { resource.amount == 10 };
@id("owners") permit (principal, action == Action::"read", resource is sales::orders)
when { principal in Role::"owner" && principal in Role::"analyst" };
//- data/sales/orders.parquet"#,
    )
}

const ANSWERS: [(&str, Result<&str, &str>); 6] = [
    ("ana", Ok("10 20")),
    ("ann", Ok("20")),
    ("sam", Err("there is no table")),
    ("bob", Ok("30 40")),
    ("pat", Ok("10 20 30 40")),
    ("eve", Err("there is no table")),
];

#[tokio::test(flavor = "multi_thread")]
async fn one_text_from_many_principals_is_answered_for_each() {
    let served = Served::start(&crowd()).await;
    assert!(served.mesh.findings.is_empty(), "{:?}", served.mesh.findings);
    let sql = "SELECT amount FROM sales.orders ORDER BY amount";
    let mut clients = Vec::new();
    for (who, expected) in ANSWERS {
        clients.push((who, expected, served.connect(who).await));
    }
    for (round, door) in [Door::Statement, Door::Prepared, Door::Statement, Door::Prepared].into_iter().enumerate() {
        // The other way around every second time: whoever comes first must not decide.
        clients.reverse();
        for (who, expected, client) in &mut clients {
            let got = client.fetch_by(door, sql).await;
            match expected {
                Ok(rows) => {
                    let got = got.unwrap();
                    let got: Vec<&str> = got.lines().skip(1).collect();
                    assert_eq!(got.join(" "), *rows, "{who} by {door:?} in round {round}");
                }
                Err(text) => assert!(got.unwrap_err().contains(*text), "{who} by {door:?} in round {round}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_one_principal_does_not_run_for_another() {
    let mesh = Mesh::new(&crowd()).await;
    let sql = "SELECT amount FROM sales.orders ORDER BY amount";
    let wire = |planned: &meshgate::query::Planned| meshgate::flight::wire_schema(planned.schema());
    let planned = mesh.session("pat").plan(sql).await.unwrap();
    for (who, expected) in ANSWERS {
        let result = mesh.session(who).run(&planned, wire(&planned)).await;
        match expected {
            Ok(rows) => {
                use futures::TryStreamExt;
                let batches: Vec<_> =
                    result.unwrap().map_ok(meshgate::query::Egress::into_inner).try_collect().await.unwrap();
                let got = crate::harness::render(&batches);
                assert_eq!(got.lines().skip(1).collect::<Vec<_>>().join(" "), rows, "{who}");
            }
            Err(text) => assert!(result.err().unwrap().message.contains(text), "{who}"),
        }
    }
}

/// Roles and attributes change between two logins of one name.
#[tokio::test(flavor = "multi_thread")]
async fn one_name_with_other_rights_is_another_view() {
    let mesh = Mesh::new(&crowd()).await;
    let sql = "SELECT amount FROM sales.orders ORDER BY amount";
    check(&mesh, "ana", sql, "amount Int64\n10\n20").await;
    for (roles, region, expected) in [
        (r#""owner""#, "EU", 0),
        (r#""analyst", "owner""#, "EU", 4),
        (r#""analyst""#, "none", 0),
        (r#""analyst""#, "EU", 2),
    ] {
        let users =
            format!("[users.ana]\npassword = \"x\"\nroles = [{roles}]\nattributes = {{ region = \"{region}\" }}\n");
        let users = UsersFile::parse(&with_passwords(&users), "users.toml").unwrap();
        let session = mesh.sessions.open(users.principal("ana").unwrap());
        let rows = run(&session, sql).await.map(|batches| batches.iter().map(RecordBatch::num_rows).sum::<usize>());
        assert_eq!(rows.unwrap_or(0), expected, "{roles} {region}");
    }
}

/// A policy that reads the time is asked for every execution: when it ends, and when it begins.
#[tokio::test(flavor = "multi_thread")]
async fn time_opens_and_closes() {
    let hours = |from: &str, to: &str| {
        MESH.replace(
            "resource.region == principal.region }",
            &format!(
                "resource.region == principal.region && context.now >= datetime(\"{from}\") && context.now < datetime(\"{to}\") }}"
            ),
        )
    };
    let sql = "SELECT count(*) AS n FROM sales.orders";
    let mesh = Mesh::new(&hours("2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z")).await;
    assert!(mesh.findings.is_empty(), "{:?}", mesh.findings);
    let ana = mesh.session("ana");
    assert!(ana.plan(sql).await.is_err(), "before it begins");
    assert!(ana.tables().unwrap().is_empty());
    mesh.clock.advance(Duration::from_mins(61));
    check(&mesh, "ana", sql, "n Int64\n2").await;
    assert_eq!(run(&ana, sql).await.unwrap().len(), 1);
    let planned = ana.plan(sql).await.unwrap();
    mesh.clock.advance(Duration::from_mins(61));
    let late = ana.run(&planned, meshgate::flight::wire_schema(planned.schema())).await;
    assert!(late.is_err(), "a plan outlived the hours of its policy");
    assert!(ana.plan(sql).await.is_err(), "after it ended");
    assert!(mesh.answer("ana", "SELECT table_name FROM information_schema.tables").await.lines().count() == 1);
}
