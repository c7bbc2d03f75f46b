//! EXPLAIN ACCESS and the marks of masked columns: what a principal sees and why, and nothing that they may not know.

use std::process::Command;
use std::time::Duration;

use arrow::datatypes::Schema;
use meshgate::query::EXPOSURE;

use crate::demo::binary;
use crate::harness::wire::{Door, Served, with_passwords};
use crate::harness::{Fixture, Mesh, check};

const MESH: &str = include_str!("fixtures/access.txt");
const HEADER: &str = "product Utf8 | dataset Utf8 | column Utf8 | exposure Utf8 | policies Utf8 | reason Utf8 | owner Utf8 | support Utf8";
const SALARIES: &str = "hr.salaries | hr.salaries | (rows) | none |  | no policy lets you read any of it | people-team | people@mesh.example";

/// Column, exposure, reason and policies: what differs from line to line.
async fn told(mesh: &Mesh, who: &str, sql: &str) -> Vec<String> {
    let answer = mesh.answer(who, &format!("EXPLAIN ACCESS {sql}")).await;
    let mut lines = answer.lines();
    assert_eq!(lines.next(), Some(HEADER), "{who}: {sql}\n{answer}");
    let cells = lines.map(|line| line.split(" | ").collect::<Vec<_>>());
    cells.map(|cells| format!("{}: {}; {} [{}]", cells[2], cells[3], cells[5], cells[4])).collect()
}

async fn tells(mesh: &Mesh, who: &str, expect: &[&str]) {
    assert_eq!(told(mesh, who, "SELECT amount FROM sales.orders").await, expect, "{who}");
}

/// Hidden columns (`card_no`, `addr.street`) are nowhere, not even in the condition that reads one; values are for auditors.
#[tokio::test(flavor = "multi_thread")]
async fn each_visible_column_has_its_reason() {
    let mesh = Mesh::new(MESH).await;
    assert_eq!(mesh.findings, []);
    tells(
        &mesh,
        "ana",
        &[
            "(rows): filtered; only rows where region = … and … <> … by analysts (… is for auditors of the product) [analysts]",
            "order_id: clear; in clear by analysts [analysts]",
            "region: clear; in clear by analysts [analysts]",
            "amount: clear; in clear by analysts [analysts]",
            "note: clear, redact; masked with `redact` by large-notes-are-redacted where amount > …, otherwise in clear by analysts \
             (… is for auditors of the product) [large-notes-are-redacted, analysts]",
            "email: hash; masked with `hash` by pii-is-masked [pii-is-masked, analysts]",
            "addr.zip: hash; masked with `hash` by pii-is-masked [pii-is-masked, analysts]",
        ],
    )
    .await;
    let auditor = told(&mesh, "aud", "SELECT 1 FROM sales.orders").await;
    assert_eq!(
        (auditor[0].as_str(), auditor[4].as_str()),
        (
            "(rows): filtered; only rows where region = 'EU' and card_no <> '4000-secret' by analysts [analysts]",
            "note: clear, redact; masked with `redact` by large-notes-are-redacted where amount > 15, otherwise in clear by \
             analysts [large-notes-are-redacted, analysts]",
        )
    );
    // One column, all rows, two permits; the column that decides is not one of theirs.
    tells(
        &mesh,
        "ben",
        &[
            "(rows): all; every row by bands [bands]",
            "amount: clear, bucket(10); in clear by own-region where … = …, otherwise masked with `bucket(10)` by bands \
             (… is for auditors of the product) [own-region, bands]",
        ],
    )
    .await;
    let owner = told(&mesh, "otto", "SELECT * FROM sales.orders").await;
    assert_eq!(owner.len(), 9);
    assert!(owner[1..].iter().all(|line| line.ends_with(": clear; in clear by owners [owners]")), "{owner:#?}");
}

/// The words and the cells have one source: where the answer says `clear`, the value is that of the owner, row by row.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_what_a_query_shows() {
    let mesh = Mesh::new(MESH).await;
    check(
        &mesh,
        "ana",
        "SELECT order_id, note FROM sales.orders ORDER BY 1",
        "order_id Int64 | note Utf8\n1 | small\n2 | ***",
    )
    .await;
    check(&mesh, "ben", "SELECT amount FROM sales.orders ORDER BY 1", "amount Int64\n10\n20\n30").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_without_access_names_its_owner_or_does_not_exist() {
    let mesh = Mesh::new(MESH).await;
    // May be known of: an answer instead of an error, without columns, whatever the statement names.
    for sql in ["SELECT * FROM hr.salaries", "SELECT salary FROM mesh.hr.salaries", "SELECT nosuch FROM hr.salaries"] {
        check(&mesh, "ana", &format!("EXPLAIN ACCESS {sql}"), &format!("{HEADER}\n{SALARIES}")).await;
    }
    let both = mesh.answer("ana", "EXPLAIN ACCESS SELECT * FROM sales.orders, hr.salaries").await;
    assert!(both.contains(SALARIES) && both.contains("| order_id | clear |") && both.lines().count() == 9, "{both}");
    // May not: the same bytes as for a name that is none, and as without EXPLAIN ACCESS.
    for who in ["eve", "otto"] {
        for explain in ["", "EXPLAIN ACCESS "] {
            let forbidden = mesh.answer(who, &format!("{explain}SELECT * FROM hr.salaries")).await;
            let unknown = mesh.answer(who, &format!("{explain}SELECT * FROM hr.nosuch00")).await;
            assert_eq!(forbidden.replace("salaries", "nosuch00"), unknown, "{who}");
            assert_eq!(unknown, mesh.answer(who, "SELECT * FROM hr.nosuch00").await, "{who}");
        }
    }
    // Refused when it is planned already, so that no client is handed a ticket for it.
    assert!(mesh.session("eve").plan("EXPLAIN ACCESS SELECT * FROM hr.salaries").await.is_err());
    // A hidden column is one that does not exist, in the words of the statement itself.
    for column in ["card_no", "no_such"] {
        let sql = format!("SELECT {column} FROM sales.orders");
        let plain = mesh.answer("ana", &sql).await;
        assert!(plain.starts_with(&format!("Invalid: there is no column `{column}`")), "{plain}");
        // The place counts the two words more.
        let explained = mesh.answer("ana", &format!("EXPLAIN ACCESS {sql}")).await;
        assert_eq!(explained.replace("column 23", "column 8"), plain);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_read_no_product_have_no_lines() {
    let mesh = Mesh::new(MESH).await;
    for sql in ["SELECT 1", "SELECT * FROM information_schema.tables", "WITH orders AS (SELECT 1) SELECT * FROM orders"]
    {
        check(&mesh, "ana", &format!("EXPLAIN ACCESS {sql}"), HEADER).await;
    }
    // Each dataset once, by whatever name, and those of inner queries too.
    let sql = "SELECT 1 FROM sales.orders a, mesh.sales.orders b WHERE EXISTS (SELECT 1 FROM \"sales\".\"orders\")";
    assert_eq!(told(&mesh, "ana", sql).await.len(), 7);
    let error = mesh.answer("ana", "EXPLAIN ACCESS SHOW TABLES").await;
    assert!(error.starts_with("Unsupported: `EXPLAIN ACCESS` is answered for queries only"), "{error}");
}

/// What is told is decided when the rows are made, as the rows of the query would be.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_the_hour_is_explained_anew() {
    let hours = r#"context.now < datetime("2026-01-01T18:00:00Z") && resource.region == principal.region"#;
    let mesh =
        Mesh::new(&MESH.replace(
            "resource.region == principal.region && resource.card_no",
            &format!("{hours} && resource.card_no"),
        ))
        .await;
    assert_eq!(mesh.findings, []);
    let session = mesh.session("ana");
    let planned = session.plan("EXPLAIN ACCESS SELECT * FROM sales.orders").await.unwrap();
    let wire = || meshgate::flight::wire_schema(planned.schema());
    assert!(session.run(&planned, wire()).await.is_ok());
    mesh.clock.advance(Duration::from_hours(20));
    let Err(late) = session.run(&planned, wire()).await else { panic!("the hour is over") };
    assert!(late.message.contains("there is no table"), "{late}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_answers_and_no_byte_tells_what_is_hidden() {
    let served = Served::start(MESH).await;
    let sql = "EXPLAIN ACCESS SELECT * FROM sales.orders";
    let expect = served.mesh.answer("ana", sql).await;
    let mut ana = served.connect("ana").await;
    for door in [Door::Statement, Door::Prepared] {
        assert_eq!(ana.fetch_by(door, sql).await.unwrap(), expect, "{door:?}");
    }
    let bytes = ana.received();
    assert!(bytes.windows(8).any(|window| window == b"order_id"), "the recorder misses what is sent");
    for secret in ["card_no", "street", "4000-secret", "restricted", "own-region", "owners", "auditors-audit"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "`{secret}` is on the wire");
    }
}

/// `name=masks` for each marked column of the announced schema.
fn marks(schema: &Schema) -> String {
    assert!(schema.metadata().is_empty());
    let marked = schema.fields().iter().filter_map(|field| {
        // Beside the mark there are only words of the standard about the type.
        let others = field.metadata().keys().filter(|key| *key != EXPOSURE);
        assert!(others.into_iter().all(|key| key.starts_with("ARROW:FLIGHT:SQL:")), "{field:?}");
        Some(format!("{}={}", field.name(), field.metadata().get(EXPOSURE)?))
    });
    marked.collect::<Vec<_>>().join("; ")
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_with_masked_values_are_marked() {
    let mesh = Mesh::new(MESH).await;
    let all = "note=clear, redact; email=hash; addr=zip: hash";
    for (who, sql, expect) in [
        ("ana", "SELECT * FROM sales.orders", all),
        ("aud", "SELECT * FROM sales.orders", all),
        ("otto", "SELECT * FROM sales.orders", ""),
        ("ben", "SELECT * FROM sales.orders", "amount=clear, bucket(10)"),
        ("ana", "SELECT email AS e, order_id AS email, 'hash' AS note FROM sales.orders", "e=hash"),
        (
            "ana",
            "SELECT o.* FROM (SELECT note, order_id FROM sales.orders WHERE amount > 1 ORDER BY 1 LIMIT 3) o",
            "note=clear, redact",
        ),
        (
            "ana",
            "SELECT a.order_id, b.email FROM sales.orders a LEFT JOIN sales.orders b ON a.order_id = b.amount",
            "email=hash",
        ),
        ("ana", "SELECT DISTINCT email FROM sales.orders", "email=hash"),
        ("ana", "SELECT count(*) AS n, email FROM sales.orders GROUP BY email", "email=hash"),
        ("ana", "SELECT min(email) AS least, count(email) AS n FROM sales.orders", "least=hash"),
        (
            "ana",
            "SELECT 'x' AS v UNION ALL SELECT email FROM sales.orders UNION ALL SELECT note FROM sales.orders",
            "v=hash, clear, redact",
        ),
        (
            "ana",
            "WITH w AS (SELECT email, row_number() OVER (ORDER BY email) AS n FROM sales.orders) SELECT n, email FROM w",
            "email=hash",
        ),
        ("ana", "SELECT (SELECT max(email) FROM sales.orders) AS most", "most=hash"),
        ("ana", "SELECT order_id FROM sales.orders WHERE email IN (SELECT email FROM sales.orders)", ""),
        ("ana", "SELECT region, email, count(*) FROM sales.orders GROUP BY GROUPING SETS ((region), (email))", ""),
        // Computed: not a column of the product any more.
        ("ana", "SELECT upper(email), length(note) FROM sales.orders", ""),
        ("ana", "EXPLAIN SELECT email FROM sales.orders", ""),
        ("ana", "EXPLAIN ACCESS SELECT email FROM sales.orders", ""),
        ("ana", "SELECT * FROM information_schema.columns", ""),
    ] {
        let planned = mesh.session(who).plan(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(marks(&meshgate::flight::wire_schema(planned.schema())), expect, "{who}: {sql}");
        // The mark is no part of what runs: the engine checks its own schemas against each other.
        let batches = mesh.batches(who, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(marks(&batches[0].schema()), expect, "{who}: {sql}");
    }
}

/// A reload that masks otherwise is no reason to refuse a statement whose columns stay what they are.
#[tokio::test(flavor = "multi_thread")]
async fn another_mask_does_not_make_a_statement_stale() {
    let mesh = Mesh::new(MESH).await;
    let session = mesh.session("ana");
    let planned = session.plan("SELECT note FROM sales.orders").await.unwrap();
    mesh.reload(&MESH.replace("@mask(\"redact\")", "@mask(\"null\")"));
    assert!(session.run(&planned, meshgate::flight::wire_schema(planned.schema())).await.is_ok());
    let again = session.plan("SELECT note FROM sales.orders").await.unwrap();
    assert_eq!(marks(again.schema()), "note=clear, null");
}

/// The same lines from files alone as from the server.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_answers_as_the_statement_does() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::parse(MESH);
    for (path, text) in &fixture.catalogs {
        let path = folder.path().join("catalogs").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::write(folder.path().join("users.toml"), with_passwords(&fixture.users)).unwrap();
    let run = |arguments: &[&str]| {
        let command = ["access", "explain"].iter().chain(arguments);
        let output = Command::new(binary()).args(command).current_dir(folder.path()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let sql = "select * from sales.orders, hr.salaries";
    let (code, csv, error) = run(&["--as", "ana", "--format", "csv", sql]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let mesh = Mesh::new(MESH).await;
    let served = mesh.answer("ana", &format!("EXPLAIN ACCESS {sql}")).await;
    let plain = |text: &str| text.replace(['"', ' ', '|', ','], "");
    assert_eq!(plain(csv.split_once('\n').unwrap().1).trim(), plain(served.split_once('\n').unwrap().1).trim());

    let (code, text, _) = run(&["--as", "aud", "select email from sales.orders"]);
    assert_eq!(code, Some(0));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("sales.orders: owner sales-team (#sales)"));
    assert_eq!(
        lines.next(),
        Some("  (rows)    filtered       only rows where region = 'EU' and card_no <> '4000-secret' by analysts")
    );
    assert!(text.contains("  email     hash           masked with `hash` by pii-is-masked\n"), "{text}");

    // People on paper, who are no users.
    std::fs::write(
        folder.path().join("people.yaml"),
        "kim: { roles: [analyst], attributes: { region: EU } }\nlee: { roles: [analyts] }\n",
    )
    .unwrap();
    let on_paper = |who: &str| run(&["--as", who, "--principals", "people.yaml", "--format", "csv", sql]);
    let (code, same, error) = on_paper("kim");
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert_eq!(same, csv, "kim has what ana has");
    for (who, expect) in [("lee", "people.yaml:2:16: error: there is no role `analyts`"), ("kin", "did you mean `kim`")]
    {
        let (code, text, error) = on_paper(who);
        assert_eq!((code, text.as_str()), (Some(1), ""));
        assert!(error.contains(expect), "{error}");
    }

    for (arguments, expect) in [
        (["--as", "nobody", "select 1"], "`users.toml` has no user `nobody`"),
        (["--as", "eve", "select * from hr.salaries"], "there is no table `hr.salaries`"),
        (["--as", "ana", "delete from sales.orders"], "meshgate is read-only"),
    ] {
        let (code, text, error) = run(&arguments);
        assert_eq!((code, text.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(error.contains(expect), "{error}");
    }
}
