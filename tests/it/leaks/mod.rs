//! The attack suite: twin worlds and the canary scan over every probe, condition and source.

mod fence;
mod probes;
mod world;

use crate::harness::wire::Served;
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

/// Every condition with every source; CSV has no struct to condition on.
fn matrix() -> Vec<(Condition, Source)> {
    CONDITIONS
        .iter()
        .flat_map(|condition| SOURCES.iter().map(|source| (*condition, *source)))
        .filter(|pair| *pair != (Condition::NestedField, Source::Csv))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_depends_on_what_policy_hides() {
    let mut leaks = Vec::new();
    for (condition, source) in matrix() {
        let first = Mesh::new(&world(false, condition, source)).await;
        let second = Mesh::new(&world(true, condition, source)).await;
        assert!(first.findings.is_empty(), "{:?}", first.findings);
        for probe in PROBES {
            let one = comparable(&first.answer("ana", probe.sql).await, probe.order);
            let other = comparable(&second.answer("ana", probe.sql).await, probe.order);
            if one != other {
                leaks.push(format!(
                    "{} over {condition:?} and {source:?}: {}\n--- first\n{one}\n--- second\n{other}",
                    probe.id, probe.sql
                ));
            }
            if let Some(canary) = CANARIES.iter().find(|canary| one.contains(**canary) && !probe.sql.contains(**canary))
            {
                leaks.push(format!("{} over {condition:?} and {source:?} shows `{canary}`:\n{one}", probe.id));
            }
        }
    }
    assert!(leaks.is_empty(), "{} leaks\n{}", leaks.len(), leaks.join("\n\n"));
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
    for source in SOURCES {
        let served = Served::start(&world(false, Condition::Membership, source)).await;
        let mut ana = served.connect("ana").await;
        // A FlightInfo echoes the statement it was asked for: canaries that the reader typed prove nothing.
        for probe in PROBES.iter().filter(|probe| !CANARIES.iter().any(|canary| probe.sql.contains(canary))) {
            // Errors are headers, which HTTP/2 compresses: they are looked at as text.
            if let Err(error) = ana.fetch(probe.sql).await {
                let leaked = CANARIES.iter().find(|canary| error.contains(**canary) && !probe.sql.contains(**canary));
                assert_eq!(leaked, None, "{} over {source:?}: {error}", probe.id);
            }
        }
        let bytes = ana.received();
        assert!(bytes.len() > 10_000, "the recorder saw only {} bytes", bytes.len());
        for canary in CANARIES {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "`{canary}` is on the wire over {source:?}");
        }
        // The recorder works: the owner's frames carry them.
        let mut dpo = served.connect("dpo").await;
        dpo.fetch("SELECT * FROM sales.orders").await.unwrap();
        let bytes = dpo.received();
        assert!(bytes.windows(9).any(|window| window == b"cnryshort"), "the recorder misses what is sent");
    }
}

/// D24: a forbidden table and one that does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn forbidden_and_unknown_look_the_same() {
    let mesh = Mesh::new(&world(false, Condition::Equality, Source::Parquet)).await;
    for who in ["ana", "eve"] {
        let forbidden = mesh.answer(who, "SELECT * FROM hr.salaries").await;
        let unknown = mesh.answer(who, "SELECT * FROM hr.nosuch00").await;
        assert_eq!(forbidden.replace("salaries", "nosuch00"), unknown);
        let column = mesh.answer(who, "SELECT salary FROM hr.salaries").await;
        assert_eq!(column.replace("salaries", "nosuch00"), unknown);
    }
    check(&mesh, "dpo", "SELECT sum(salary) AS s FROM hr.salaries", "s Int64\n300").await;
    let hidden = mesh.answer("ana", "SELECT card_no FROM sales.orders").await;
    let unknown = mesh.answer("ana", "SELECT no_such FROM sales.orders").await;
    assert_eq!(hidden.replace("card_no", "no_such"), unknown);
    assert!(!unknown.contains("card"), "{unknown}");
}
