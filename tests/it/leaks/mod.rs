//! The attack suite: twin worlds and the canary scan over every probe, condition and source.

mod batches;
mod fence;
mod names;
mod probes;
mod reference;
mod shared;
mod world;

use futures::future::join_all;

use crate::harness::wire::{Door, Served};
use crate::harness::{Mesh, check};
use probes::{Order, PROBES};
use world::{CANARIES, CONDITIONS, Condition, SOURCES, Source, world};

fn comparable(answer: &str, order: Order) -> String {
    match order {
        Order::Total => answer.to_owned(),
        Order::Any => {
            let mut lines: Vec<&str> = answer.lines().collect();
            lines.sort_unstable();
            lines.join("\n")
        }
    }
}

/// Every condition with every second source, in turn, and with partitions all of them: each world answers every probe, which is what
/// the suite's time goes to. A condition is compiled without looking at the source, so that all pairs would find little more. CSV has
/// no struct to condition on.
fn matrix() -> Vec<(Condition, Source)> {
    let pairs = CONDITIONS.iter().enumerate().flat_map(|(turn, condition)| {
        let sources = SOURCES.iter().enumerate();
        let met = sources.filter(move |(at, _)| *condition == Condition::Partition || (turn + at) % 2 == 0);
        met.map(|(_, source)| (*condition, *source))
    });
    pairs.filter(|pair| *pair != (Condition::NestedField, Source::Csv)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_depends_on_what_policy_hides() {
    let worlds = matrix().into_iter().map(|(condition, source)| tokio::spawn(leaks_of(condition, source)));
    let leaks: Vec<String> = join_all(worlds).await.into_iter().flat_map(Result::unwrap).collect();
    assert!(leaks.is_empty(), "{} leaks\n{}", leaks.len(), leaks.join("\n\n"));
}

async fn leaks_of(condition: Condition, source: Source) -> Vec<String> {
    let mut leaks = Vec::new();
    let first = Mesh::new(&world(false, condition, source)).await;
    let second = Mesh::new(&world(true, condition, source)).await;
    assert!(first.findings.is_empty(), "{:?}", first.findings);
    check(&first, "ana", "SELECT count(*) AS n FROM sales.orders", "n Int64\n8").await;
    for probe in PROBES {
        let one = comparable(&first.answer("ana", probe.sql).await, probe.order);
        let other = comparable(&second.answer("ana", probe.sql).await, probe.order);
        if one != other {
            leaks.push(format!(
                "{} over {condition:?} and {source:?}: {}\n--- first\n{one}\n--- second\n{other}",
                probe.id, probe.sql
            ));
        }
        if let Some(canary) = CANARIES.iter().find(|canary| one.contains(**canary) && !probe.sql.contains(**canary)) {
            leaks.push(format!("{} over {condition:?} and {source:?} shows `{canary}`:\n{one}", probe.id));
        }
    }
    leaks
}

/// A probe that is merely broken proves nothing: whoever may see everything must see the difference.
#[tokio::test(flavor = "multi_thread")]
async fn the_worlds_differ_for_those_who_may_see() {
    for source in SOURCES {
        let first = Mesh::new(&world(false, Condition::Equality, source)).await;
        let second = Mesh::new(&world(true, Condition::Equality, source)).await;
        check(&first, "dpo", "SELECT count(*) AS n FROM sales.orders", "n Int64\n12").await;
        check(&second, "dpo", "SELECT count(*) AS n FROM sales.orders", "n Int64\n9").await;
        check(&first, "ana", "SELECT count(*) AS n FROM sales.orders", "n Int64\n8").await;
        for id in ["D01", "D05a", "D08", "D12a"] {
            let probe = PROBES.iter().find(|probe| probe.id == id).unwrap();
            let error = first.answer("dpo", probe.sql).await;
            assert!(error.to_lowercase().contains("divide by zero"), "{source:?} {id} is broken: {error}");
        }
        let all = first.answer("dpo", "SELECT * FROM sales.orders").await;
        for canary in CANARIES.iter().filter(|canary| source != Source::Csv || **canary != "canary-street") {
            assert!(all.contains(canary), "{source:?}: the owner does not see `{canary}`");
        }
    }
}

/// Every byte that the server sends, not only what a client decodes.
#[tokio::test(flavor = "multi_thread")]
async fn no_canary_byte_is_on_the_wire() {
    join_all(SOURCES.map(|source| tokio::spawn(wire_is_clean(source)))).await.into_iter().for_each(Result::unwrap);
}

async fn wire_is_clean(source: Source) {
    let served = Served::start(&world(false, Condition::Membership, source)).await;
    for door in [Door::Statement, Door::Prepared] {
        let mut ana = served.connect("ana").await;
        // A FlightInfo echoes the statement it was asked for: canaries that the reader typed prove nothing.
        for probe in PROBES.iter().filter(|probe| !CANARIES.iter().any(|canary| probe.sql.contains(canary))) {
            // Errors are headers, which HTTP/2 compresses: they are looked at as text.
            if let Err(error) = ana.fetch_by(door, probe.sql).await {
                let leaked = CANARIES.iter().find(|canary| error.contains(**canary) && !probe.sql.contains(**canary));
                assert_eq!(leaked, None, "{} over {source:?} by {door:?}: {error}", probe.id);
            }
        }
        let bytes = ana.received();
        assert!(bytes.len() > 10_000, "the recorder saw only {} bytes", bytes.len());
        for canary in CANARIES {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "`{canary}` is on the wire over {source:?} by {door:?}");
        }
        // The recorder works: the owner's frames carry them.
        let mut dpo = served.connect("dpo").await;
        dpo.fetch_by(door, "SELECT * FROM sales.orders").await.unwrap();
        let bytes = dpo.received();
        assert!(bytes.windows(9).any(|window| window == b"cnryshort"), "the recorder misses what is sent");
    }
}
