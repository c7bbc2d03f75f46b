//! Random statements: whatever a principal asks, two worlds that differ only in what policy hides answer alike.
//!
//! In: a seed. A statement is made as a tree (`tree`) of forms (`forms`) filled with expressions (`scalar`) and put together to
//! queries (`query`); two worlds are asked, and what tells them apart is made smaller by its structure (`twins`). `make test` asks a
//! fixed number of them with a fixed seed, `make soak` as many as one likes (`soak`).

mod forms;
mod query;
mod scalar;
mod soak;
mod tree;
mod twins;

use forms::{AGGREGATES, SCALARS, WINDOWS};
use twins::{Outcome, Shares, Twins, ask, canary, same};

use crate::harness::Mesh;
use crate::harness::wire::{Door, Served};
use crate::leaks::world::{CANARIES, Condition, Source, world};

/// A form that is never planned tests nothing.
#[tokio::test(flavor = "multi_thread")]
async fn every_form_is_understood() {
    let mesh = Mesh::with_partitions(&world(false, Condition::Equality, Source::Parquet), 1).await;
    let session = mesh.session("ana");
    let mut refused = Vec::new();
    for (_, form) in SCALARS.iter().chain(AGGREGATES).chain(WINDOWS) {
        let mut sql = (*form).to_owned();
        // What is repeated is the hole before it.
        while let Some(at) = sql.find("{=}") {
            let before = &sql[..at];
            let hole = &before[before.rfind('{').unwrap()..=before.rfind('}').unwrap()].to_owned();
            sql.replace_range(at..at + 3, hole);
        }
        for (hole, filling) in [
            ("{int}", "o.amount"),
            ("{text}", "o.note"),
            ("{float}", "(o.qty * 0.5)"),
            ("{bool}", "(o.qty > 1)"),
            ("{date}", "o.seen_at::date"),
            ("{stamp}", "o.seen_at"),
            ("{texts}", "string_to_array(o.note, ' ')"),
            ("{ints}", "make_array(o.qty, 5)"),
            ("{any}", "o.status"),
            ("{n}", "2"),
            ("{like}", "'%e%'"),
            ("{regex}", "'(e)'"),
            ("{unit}", "'day'"),
            ("{total}", "ORDER BY o.order_id"),
            ("{some}", "ORDER BY o.qty"),
        ] {
            sql = sql.replace(hole, filling);
        }
        let answer = ask(&session, &format!("SELECT {sql} AS c0 FROM sales.orders o")).await;
        if matches!(answer.outcome, Outcome::Refused | Outcome::Broken) {
            refused.push(format!("{form}: {}", answer.text));
        }
    }
    assert!(refused.is_empty(), "{} forms are not understood:\n{}", refused.len(), refused.join("\n"));
}

/// The generator bites: for whoever may see the rows, the same statements tell the worlds apart.
#[tokio::test(flavor = "multi_thread")]
async fn the_statements_reach_what_is_hidden() {
    let twins = Twins::new("dpo", Condition::Equality, Source::Parquet, 1).await;
    let (mut shares, mut differ, mut shown) = (Shares::default(), 0, 0);
    for number in 0..150 {
        let tree = twins.statement(soak::SEED, number);
        let (first, second) = twins.both(&tree).await;
        shares.count(&first);
        differ += u64::from(!same(&first, &second, tree.is_ordered()));
        shown += u64::from(canary(&tree.sql(), &first.text).is_some());
    }
    assert!(Shares::percent(differ, shares.asked) >= 30, "of {shares} only {differ} tell the worlds apart");
    assert!(Shares::percent(shown, shares.asked) >= 3, "of {shares} only {shown} show a canary");
}

/// The same through the doors that clients use, with every byte that the server sends.
#[tokio::test(flavor = "multi_thread")]
async fn random_statements_by_flight() {
    for (source, door) in [(Source::Parquet, Door::Statement), (Source::Json, Door::Prepared)] {
        let condition = Condition::Membership;
        let first = Served::start(&world(false, condition, source)).await;
        let second = Served::start(&world(true, condition, source)).await;
        let (mut here, mut there) = (first.connect("ana").await, second.connect("ana").await);
        let mut rows = 0;
        for number in 0..40 {
            let tree = query::statement(soak::SEED, 1_000_000 + number, condition, source);
            let sql = tree.sql();
            let (one, other) = (here.fetch_by(door, &sql).await, there.fetch_by(door, &sql).await);
            match (&one, &other) {
                (Ok(one), Ok(other)) => {
                    rows += 1;
                    let answer = |text: &String| twins::Answer { outcome: Outcome::Rows, text: text.clone() };
                    let alike = same(&answer(one), &answer(other), tree.is_ordered());
                    assert!(alike, "{source:?} by {door:?}: {sql}\n{one}\n{other}");
                }
                // Of two failures that race, one is told; the mesh of one partition compares them.
                (Err(_), Err(_)) => {}
                _ => panic!("{source:?} by {door:?}: {sql}\n{one:?}\n{other:?}"),
            }
            // Headers are compressed: errors are looked at as text.
            for error in [one.err(), other.err()].into_iter().flatten() {
                assert_eq!(canary(&sql, &error), None, "{sql}: {error}");
            }
        }
        assert!(rows >= 15, "only {rows} of 40 statements were answered with rows");
        for bytes in [here.received(), there.received()] {
            assert!(bytes.len() > 5_000, "the recorder saw only {} bytes", bytes.len());
            for canary in CANARIES {
                let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
                assert!(!found, "`{canary}` is on the wire over {source:?} by {door:?}");
            }
        }
    }
}
