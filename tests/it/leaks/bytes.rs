//! D38, D39: what lies in a buffer under a mask or under a null is not sent, whatever its type.

use super::doors::DOORS;
use super::seat::Seat;
use crate::harness::wire::Served;

/// Column, its type in the file, its type in the contract, the raw value, and its bytes where they are not those of the text.
const KINDS: &[(&str, &str, &str, &str, &[u8])] = &[
    ("i64", "i64", "logicalType: integer", "104199788348647", &0x5EC4_E75E_C4E7_i64.to_le_bytes()),
    ("i32", "i32", "logicalType: integer, physicalType: int", "1589962216", &1_589_962_216_i32.to_le_bytes()),
    ("f64", "f64", "logicalType: number", "12345678.90123", &12_345_678.901_23_f64.to_le_bytes()),
    (
        "dec",
        "dec",
        "logicalType: number, physicalType: 'DECIMAL(12,2)'",
        "1234567890.12",
        &123_456_789_012_i128.to_le_bytes(),
    ),
    ("date", "date", "logicalType: date", "3141-05-09", &427_827_i32.to_le_bytes()),
    ("ts", "ts", "logicalType: timestamp", "2042-03-04T05:06:07", &2_277_522_367_000_000_i64.to_le_bytes()),
    ("short", "utf8", "logicalType: string", "cnrysecret", b""),
    ("long", "utf8", "logicalType: string", "canary-longer-than-twelve-bytes", b""),
    ("dict", "dict", "logicalType: string", "canary-in-a-dictionary", b""),
    ("fsb", "fsb", "logicalType: string, physicalType: binary", "cnry", b""),
    ("list", "list", "logicalType: array, items: {logicalType: string}", "canary-in-a-list", b""),
];

/// Masks that show a part of a text, and what of the raw value they may not show.
const PARTS: &[(&str, &str)] = &[
    ("first(3)", "canary-part"),
    ("last(3)", "canary-part"),
    ("email_domain", "canary-part"),
    ("redact", "canary-part"),
    ("hash", "canary-part"),
];

/// Half of the rows are raw to the reader under `some`, none under `gone`.
fn text() -> String {
    let mut columns = "      - {name: id, logicalType: integer, required: true}\n      - {name: qty, logicalType: integer, required: true}\n".to_owned();
    let (mut header, mut hidden, mut shown) = ("id:i64,qty:i64".to_owned(), String::new(), String::new());
    for tag in ["gone", "some"] {
        for (name, kind, declared, raw, _) in KINDS {
            columns += &format!("      - {{name: {tag}_{name}, {declared}, tags: [{tag}]}}\n");
            header += &format!(",{tag}_{name}:{kind}");
            hidden += &format!(",{raw}");
            // The value of another row, which is shown under `some`.
            shown += &format!(
                ",{}",
                if kind.contains("utf8") || ["dict", "fsb", "list"].contains(kind) {
                    "open"
                } else if *kind == "date" {
                    "2026-01-01"
                } else if *kind == "ts" {
                    "2026-01-01T00:00:00"
                } else {
                    "1"
                }
            );
        }
    }
    let mut permits = String::new();
    for (at, (mask, raw)) in PARTS.iter().enumerate() {
        columns += &format!("      - {{name: part_{at}, logicalType: string, tags: [part{at}]}}\n");
        header += &format!(",part_{at}:utf8");
        hidden += &format!(",ab-{raw}-{at}@x.example");
        shown += ",short";
        permits += &format!(
            "@id(\"part{at}\") @mask(\"{mask}\") permit (principal in Role::\"reader\", action == Action::\"read\", resource)\nwhen {{ context.column.tags.contains(\"part{at}\") }};\n"
        );
    }
    let rows: Vec<String> =
        (0..12).map(|id| if id % 2 == 0 { format!("{id},2{hidden}") } else { format!("{id},1{shown}") }).collect();
    format!(
        r#"//- mesh.yaml
name: mesh
roles: [reader, owner]
tags: [gone, some, part0, part1, part2, part3, part4]
classifications: [internal, restricted]
//- users.toml
[users.ana]
password = "x"
roles = ["reader"]
[users.dpo]
password = "x"
roles = ["owner"]
//- governance/all.cedar
@id("owners") permit (principal in Role::"owner", action == Action::"read", resource);
@id("readers") permit (principal in Role::"reader", action == Action::"read", resource)
when {{ !(context.column.name like "part*") }};
@id("gone") @mask("null") forbid (principal in Role::"reader", action == Action::"read", resource)
when {{ context.column.tags.contains("gone") }};
{permits}//- vault/domain.yaml
name: vault
owner: {{team: vault}}
//- vault/policies/things.cedar
@id("some") @mask("null") forbid (principal in Role::"reader", action == Action::"read", resource is vault::things)
when {{ context.column.tags.contains("some") && resource.qty == 2 }};
//- vault/things.odcs.yaml
apiVersion: v3.1.0
kind: DataContract
id: vault-things
name: things
version: 1.0.0
status: active
domain: vault
customProperties: [{{property: meshgateClassification, value: internal}}]
servers: [{{server: local, type: local, path: things.parquet, format: parquet}}]
schema:
  - name: things
    properties:
{columns}//- data/vault/things.parquet
{header}
{}
"#,
        rows.join("\n")
    )
}

const QUERIES: &[&str] = &[
    "SELECT * FROM vault.things",
    "SELECT * FROM vault.things WHERE qty = 2",
    "SELECT * FROM vault.things ORDER BY id DESC LIMIT 3",
    "SELECT a.* FROM vault.things a JOIN vault.things b ON a.id = b.id",
    "SELECT some_long, some_i64, count(*) FROM vault.things GROUP BY 1, 2",
    "SELECT array_agg(some_long ORDER BY id), array_agg(some_dec ORDER BY id), max(gone_ts), min(some_date) FROM vault.things",
    "SELECT lag(some_long) OVER (ORDER BY id), coalesce(gone_long, some_dict), struct(some_short, gone_i64) FROM vault.things",
    "SELECT left(part_0, 3), substr(part_1, 1, 2), split_part(part_2, '@', 1), trim(part_3), reverse(part_4) FROM vault.things",
    "SELECT some_long FROM vault.things UNION SELECT gone_long FROM vault.things",
    "SELECT CASE WHEN qty = 1 THEN some_long END, NULLIF(some_dict, 'open'), nvl2(some_i64, some_long, gone_long) FROM vault.things",
];

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_raw_is_sent_under_a_mask() {
    let served = Served::start(&text()).await;
    assert!(served.mesh.findings.is_empty(), "{:?}", served.mesh.findings);
    let (mut ana, mut dpo) = (Seat::take(&served, "ana").await, Seat::take(&served, "dpo").await);
    for (turn, sql) in QUERIES.iter().enumerate() {
        for door in DOORS.iter().filter(|door| turn == 0 || ["statement", "prepared statement"].contains(&door.name)) {
            for (seat, who) in [(&mut ana, "ana"), (&mut dpo, "dpo")] {
                let answer = (door.ask)(seat, sql).await;
                assert!(
                    door.name == "update" || !answer.contains("Invalid") && !answer.contains("not supported"),
                    "{who} by {}: {sql}\n{answer}",
                    door.name
                );
            }
        }
    }
    let (reader, owner) = (ana.received(), dpo.received());
    for (name, _, _, text, bytes) in KINDS {
        let raw = if bytes.is_empty() { text.as_bytes() } else { bytes };
        assert!(holds(&owner, raw), "the owner is not sent the raw value of `{name}`");
        assert!(!holds(&reader, raw), "the raw value of `{name}` is on the wire");
        assert!(!holds(&reader, text.as_bytes()), "the text of `{name}` is on the wire");
    }
    for (mask, raw) in PARTS {
        assert!(holds(&owner, raw.as_bytes()) && !holds(&reader, raw.as_bytes()), "`{mask}` shows `{raw}`");
    }
    assert!(holds(&reader, b"ab-") && holds(&reader, b"ple") && holds(&reader, b"x.example"), "the masks show nothing");
}
