//! The rows of the twin worlds, and of the copy that was filtered and masked by hand.

use std::fmt::Write as _;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::world::{Share, Source, World};

const VISIBLE: [(i64, i64, i64, i64, &str); 8] = [
    (1, 7, 10, 1, "first note"),
    (2, 8, 20, 2, "second note which is longer than twelve bytes"),
    (3, 7, 30, 3, ""),
    (4, 9, 40, 1, "fourth"),
    (5, 7, 50, 2, "fifth note, also rather long, with a comma"),
    (6, 8, 60, 3, "x"),
    (7, 9, 70, 1, "seventh"),
    (8, 7, 80, 2, "eighth and last of the visible ones"),
];

/// What no probe can take anything from: near it, whole numbers overflow before they are divided by zero.
const LEAST: i64 = i64::MIN + 16;

/// One row; `nested` and `extra` follow the condition. What policy keeps from `ana` in every row is absent in the copy.
pub(super) struct Row {
    order_id: i64,
    pub region: String,
    customer_id: i64,
    amount: i64,
    qty: i64,
    note: String,
    email: String,
    card_no: Option<String>,
    risk: Option<i64>,
    zip: String,
    street: Option<String>,
    status: String,
    seen_at: String,
    /// Texts have values that do not fit their columns: a refusal would tell of the row.
    broken: bool,
}

pub(super) fn rows(which: World, share: Share) -> Vec<Row> {
    let second_world = which == World::Second;
    let copy = which == World::Copy;
    let shown = |value: String| (!copy).then_some(value);
    let mut rows: Vec<Row> = VISIBLE
        .iter()
        .map(|(order_id, customer_id, amount, qty, note)| Row {
            order_id: *order_id,
            region: "EU".to_owned(),
            customer_id: *customer_id,
            amount: *amount,
            qty: *qty,
            note: (*note).to_owned(),
            email: if copy { hash(&email(*order_id)) } else { email(*order_id) },
            card_no: shown(if second_world { format!("5111 {order_id}") } else { "4000-canary-card".to_owned() }),
            risk: (!copy).then_some(if second_world { 5 } else { order_id * 11 }),
            zip: "EU-1".to_owned(),
            street: shown(if second_world { "elsewhere".to_owned() } else { "canary-street".to_owned() }),
            status: "open".to_owned(),
            seen_at: format!("2026-01-0{order_id}T00:00:00"),
            broken: false,
        })
        .collect();
    let hidden = |order_id: i64, amount: i64, note: &str| Row {
        order_id,
        region: "hidden-region-US".to_owned(),
        customer_id: 666,
        amount,
        qty: 0,
        note: note.to_owned(),
        email: "canary-hidden@mesh.example".to_owned(),
        card_no: Some("4000-canary-card".to_owned()),
        risk: Some(5),
        zip: "US-9".to_owned(),
        street: Some("canary-street".to_owned()),
        status: "canary-status".to_owned(),
        seen_at: "1999-12-31T00:00:00".to_owned(),
        broken: !second_world && order_id % 2 == 1,
    };
    match which {
        World::First => {
            // In the second and third row group: the first erroring value is not at the start of the file.
            rows.insert(5, hidden(101, 5, "canary-long-note-of-hidden-row"));
            rows.push(hidden(102, 0x5EC4_E75E_C4E7, "cnryshort"));
            rows.push(hidden(103, 5, "12"));
            rows.push(hidden(104, LEAST, "canary-long-note-of-hidden-row"));
        }
        World::Second => rows.push(hidden(100, 77, "1")),
        World::Copy => {}
    }
    if share == Share::Tenth && !copy {
        // Seven hidden rows before each of the visible ones, and one more of them in one world than in the other.
        let (visible, rest): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.region == "EU");
        rows = rest;
        for (turn, row) in (0_i64..).zip(visible) {
            rows.push(row);
            for extra in 0..if second_world { 7 } else { 8 } {
                let amount = if second_world { 77 } else { 5 + extra % 2 };
                rows.push(hidden(1_000 + turn * 10 + extra, amount, if second_world { "1" } else { "cnryshort" }));
            }
        }
    }
    rows
}

fn email(order_id: i64) -> String {
    format!("visible-raw-{order_id}@mesh.example")
}

/// The mask `hash` once more, as POLICIES.md describes it.
fn hash(text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"key of sales").unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The typed CSV with one column more.
pub(super) fn with_part(rows: &[Row], csv: &str) -> String {
    let parts = std::iter::once("part:utf8").chain(rows.iter().map(|row| row.region.as_str()));
    let lines: Vec<String> = csv.lines().zip(parts).map(|(line, part)| format!("{line},{part}")).collect();
    lines.join("\n") + "\n"
}

pub(super) fn data(rows: &[Row], source: Source, which: World) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
    let copy = which == World::Copy;
    let mut out = String::new();
    match source {
        Source::Json => {
            for row in rows {
                let mut line = serde_json::json!({
                    "order_id": row.order_id, "region": row.region, "customer_id": row.customer_id, "amount": row.amount,
                    "qty": row.qty, "note": row.note, "email": row.email, "card_no": row.card_no, "risk": row.risk,
                    "addr": {"street": row.street, "zip": row.zip}, "status": row.status,
                    "seen_at": row.seen_at,
                });
                if row.broken {
                    line["amount"] = "cnryshort".into();
                    line["seen_at"] = 17.into();
                }
                if copy {
                    line.as_object_mut().unwrap().remove("card_no");
                    line["addr"].as_object_mut().unwrap().remove("street");
                }
                writeln!(out, "{line}").unwrap();
            }
        }
        Source::Parquet | Source::Delta | Source::Csv => {
            let typed = source != Source::Csv;
            let columns: Vec<(&str, &str)> = [
                ("order_id", "i64"),
                ("region", "utf8"),
                ("customer_id", "i64"),
                ("amount", "i64"),
                ("qty", "i64"),
                ("note", "utf8"),
                ("email", "utf8"),
                ("card_no", "utf8"),
                ("risk", "i64"),
                ("addr.street", "utf8"),
                ("addr.zip", "utf8"),
                ("status", "dict"),
                ("seen_at", "ts"),
            ]
            .into_iter()
            .filter(|(name, _)| typed || !name.starts_with("addr."))
            .filter(|(name, _)| !copy || !["card_no", "addr.street"].contains(name))
            .collect();
            let header =
                columns.iter().map(|(name, kind)| if typed { format!("{name}:{kind}") } else { (*name).to_owned() });
            out += &(header.collect::<Vec<_>>().join(",") + "\n");
            for row in rows {
                let cell = |name: &str| match name {
                    "amount" if row.broken && !typed => "cnryshort".to_owned(),
                    "seen_at" if row.broken && !typed => "17".to_owned(),
                    "order_id" => row.order_id.to_string(),
                    "region" => row.region.clone(),
                    "customer_id" => row.customer_id.to_string(),
                    "amount" => row.amount.to_string(),
                    "qty" => row.qty.to_string(),
                    "note" => quote(&row.note),
                    "email" => row.email.clone(),
                    "card_no" => quote(row.card_no.as_deref().unwrap_or_default()),
                    "risk" => number(row.risk),
                    "addr.street" => row.street.clone().unwrap_or_default(),
                    "addr.zip" => row.zip.clone(),
                    "status" => row.status.clone(),
                    _ => row.seen_at.clone(),
                };
                out += &(columns.iter().map(|(name, _)| cell(name)).collect::<Vec<_>>().join(",") + "\n");
            }
        }
    }
    out
}

/// Lists of text and of numbers: `items` is what the policy asks, `memo` is behind a mask.
pub(super) fn baskets(which: World, source: Source) -> String {
    type Basket = (i64, Vec<&'static str>, Vec<i64>, Option<Vec<&'static str>>);
    let mut rows: Vec<Basket> = vec![
        (1, vec!["eu", "apple"], vec![1, 2], Some(vec!["raw-memo-of-a-visible-basket"])),
        (2, vec!["pear", "eu", "plum"], vec![3], Some(vec!["raw-memo-of-a-visible-basket", "x"])),
        (3, vec!["eu"], vec![], Some(vec![])),
    ];
    match which {
        World::First => {
            rows.insert(1, (10, vec!["canary-item", "us"], vec![5, 5], Some(vec!["canary-item"])));
            rows.push((11, vec!["canary-item-longer-than-twelve"], vec![5, 1, 2, 3, 4], None));
        }
        World::Second => {
            rows.push((12, vec!["us"], vec![77], Some(vec!["other"])));
            for row in &mut rows {
                row.3 = Some(vec!["elsewhere"]);
            }
        }
        World::Copy => rows.iter_mut().for_each(|row| row.3 = None),
    }
    let mut out = String::new();
    if source == Source::Json {
        for (id, items, prices, memo) in rows {
            let line = serde_json::json!({"basket_id": id, "items": items, "prices": prices, "memo": memo});
            writeln!(out, "{line}").unwrap();
        }
        return out;
    }
    out += "basket_id:i64,items:list,prices:ilist,memo:list\n";
    for (id, items, prices, memo) in rows {
        let prices: Vec<String> = prices.iter().map(ToString::to_string).collect();
        // An empty list is one separator, and no text is no list.
        let list = |parts: &[&str]| if parts.is_empty() { ";".to_owned() } else { parts.join(";") };
        let prices = list(&prices.iter().map(String::as_str).collect::<Vec<_>>());
        writeln!(out, "{id},{},{prices},{}", list(&items), memo.map(|memo| list(&memo)).unwrap_or_default()).unwrap();
    }
    out
}
