//! Each denial proved: whoever may see everything is answered, and sees what the reader does not.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt};

use super::probes::{Order, Probe, Proof, all};
use super::suite::comparable;
use super::world::{CANARIES, CANARIES_IN_LISTS, Condition, SOURCES, Share, Source, World, text, world};
use crate::harness::{Mesh, check};

/// The floor of the suite.
const FLOOR: usize = 400;

#[test]
fn there_are_many_probes_and_each_is_another() {
    let ids: BTreeSet<&str> = all().map(|probe| probe.id).collect();
    let statements: BTreeSet<String> = all().map(Probe::sql).collect();
    assert_eq!((ids.len(), statements.len()), (all().count(), all().count()), "two probes are one");
    assert!(statements.len() >= FLOOR, "{} probes are left", statements.len());
    // D09 and D10 are the conditions of the matrix; D21, D26, D28 (by Flight), D30 and D31 go through other RPCs; D32 and D41, D42 are
    // about credentials and about data.
    let elsewhere = [9, 10, 21, 26, 30, 31, 32, 41, 42];
    for number in (1..=40).filter(|number| !elsewhere.contains(number)) {
        let name = format!("D{number:02}");
        assert!(ids.iter().any(|id| id.starts_with(&name)), "{name} has no probe");
    }
}

/// A probe that is merely broken proves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn every_probe_finds_what_it_looks_for_where_it_may() {
    let first = Mesh::new(&world(false, Condition::Equality, Source::Parquet)).await;
    let second = Mesh::new(&world(true, Condition::Equality, Source::Parquet)).await;
    let broken: Vec<String> = stream::iter(all())
        .map(|probe| wrong(&first, &second, probe))
        .buffer_unordered(8)
        .filter_map(|wrong| async { wrong })
        .collect()
        .await;
    assert!(broken.is_empty(), "{} probes prove nothing\n{}", broken.len(), broken.join("\n\n"));
}

fn is_error(answer: &str) -> bool {
    ["Invalid: ", "NotFound: ", "Denied: ", "Exhausted: ", "Unsupported: ", "Broken: ", "Internal: "]
        .iter()
        .any(|kind| answer.starts_with(kind))
}

async fn wrong(first: &Mesh, second: &Mesh, probe: &Probe) -> Option<String> {
    let sql = probe.sql();
    let one = first.answer("dpo", &sql).await;
    let other = second.answer("dpo", &sql).await;
    let differ = comparable(&one, probe.order) != comparable(&other, probe.order);
    let either = |words: &str| [&one, &other].iter().any(|answer| answer.contains(words));
    let fine = match probe.proof {
        Proof::Differs => differ && !is_error(&one) && !is_error(&other),
        Proof::Fails(words) => {
            let reader = first.answer("ana", &sql).await;
            let fails =
                |answer: &String| is_error(answer) && answer.to_lowercase().contains(words) && reader != *answer;
            fails(&one) || fails(&other)
        }
        Proof::Owner(words) => {
            let reader = first.answer("ana", &sql).await;
            !is_error(&one) && either(words) && reader != one
        }
        Proof::Shows(words) => {
            let reader = first.answer("ana", &sql).await;
            !is_error(&reader) && reader.contains(words) && !is_error(&one)
        }
        Proof::Refused(words, beside) => {
            let reader = first.answer("ana", &sql).await;
            let allowed = first.answer("ana", beside).await;
            is_error(&one) && is_error(&reader) && reader.contains(words) && !is_error(&allowed)
        }
    };
    (!fine).then(|| format!("{} {:?}: {sql}\n--- first\n{one}\n--- second\n{other}", probe.id, probe.proof))
}

/// The worlds are what they should be over every source, and the owner sees every canary in the first.
#[tokio::test(flavor = "multi_thread")]
async fn the_worlds_differ_for_those_who_may_see() {
    for (turn, source) in SOURCES.into_iter().enumerate() {
        let share = if turn % 2 == 0 { Share::Most } else { Share::Tenth };
        let first = Mesh::new(&text(World::First, Condition::Equality, source, share)).await;
        let second = Mesh::new(&text(World::Second, Condition::Equality, source, share)).await;
        for (mesh, most, tenth) in [(&first, 12, 76), (&second, 9, 65)] {
            assert!(mesh.findings.is_empty(), "{:?}", mesh.findings);
            let rows = if share == Share::Most { most } else { tenth };
            check(mesh, "dpo", "SELECT count(*) AS n FROM sales.orders", &format!("n Int64\n{rows}")).await;
            check(mesh, "ana", "SELECT count(*) AS n FROM sales.orders", "n Int64\n8").await;
            check(mesh, "ana", "SELECT count(*) AS n FROM sales.baskets", "n Int64\n3").await;
            check(
                mesh,
                "two",
                "SELECT count(*) AS n, count(amount) AS a, count(region) AS r FROM sales.orders",
                "n Int64 | a Int64 | r Int64\n8 | 5 | 8",
            )
            .await;
        }
        // Of rows that are hidden from others, texts have broken values, which the owner is refused.
        let whole = "SELECT * EXCEPT (amount, seen_at) FROM sales.orders";
        let all = first.answer("dpo", whole).await;
        let is_text = matches!(source, Source::Csv | Source::Json);
        let broken = first.answer("dpo", "SELECT * FROM sales.orders").await;
        assert_eq!(broken.contains("is not what its contract promises"), is_text, "{source:?}: {broken}");
        for canary in CANARIES.iter().filter(|canary| source != Source::Csv || **canary != "canary-street") {
            assert!(all.contains(canary), "{source:?}: the owner does not see `{canary}`");
        }
        let all = first.answer("dpo", "SELECT * FROM sales.baskets").await;
        assert!(CANARIES_IN_LISTS.iter().all(|canary| all.contains(canary)), "{source:?}: {all}");
    }
    assert_eq!(comparable("b\na", Order::Any), "a\nb");
}
