//! Twin worlds and the canary scan: every probe through every door, in turn over the conditions, the sources and the sizes.
#![expect(clippy::print_stdout, reason = "whoever waits for the whole matrix wants to see how far it is")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::future::join_all;
use tokio::sync::Semaphore;

use super::commands::{self, Command};
use super::doors::{COMMAND_DOORS, DOORS};
use super::probes::{Order, Probe, all};
use super::seat::Seat;
use super::world::{CANARIES, CANARIES_IN_LISTS, CONDITIONS, Condition, NEVER, SOURCES, Share, Source, World, text};
use crate::harness::wire::Served;

/// Worlds that answer at one time.
const AT_ONCE: usize = 3;

/// Counts and times of operators are no answer that could be compared: how rows are dealt to partitions follows the layout of files.
/// What is counted at the leaf is tested by `leaks::batches`.
pub(super) fn comparable(answer: &str, order: Order) -> String {
    let mut lines: Vec<&str> = answer.lines().map(|line| line.split(", metrics=").next().unwrap_or(line)).collect();
    if order == Order::Any {
        // Rows in another order are compressed to another length.
        lines.retain(|line| !line.starts_with("lengths "));
        lines.sort_unstable();
    }
    lines.join("\n")
}

/// Everything with everything, for as long as it takes, be it of one condition only: what the soak sets.
pub(super) fn whole() -> bool {
    std::env::var("MESHGATE_MATRIX").is_ok()
}

/// `whole`, or the name of one condition.
fn is_chosen(condition: Condition) -> bool {
    std::env::var("MESHGATE_MATRIX").is_ok_and(|value| value == "whole" || value == format!("{condition:?}"))
}

/// Of tables that `ana` may read, may know of, may not know of, and that nobody has.
const PATHS: [[&str; 2]; 5] = [
    ["sales", "orders"],
    ["sales", "baskets"],
    ["finance", "budgets"],
    ["hr", "salaries"],
    ["information_schema", "columns"],
];

type Place = (usize, usize, Share);
type Asked = (&'static str, &'static Probe, usize);

fn place(condition: usize, source: usize, share: Share) -> Place {
    // CSV has no struct to condition on.
    let source =
        if (CONDITIONS[condition], SOURCES[source]) == (Condition::NestedField, Source::Csv) { 3 } else { source };
    (condition, source, share)
}

/// Who asks what where. In turn, the doors take a probe over every condition twice, and over every source.
fn matrix() -> BTreeMap<Place, Vec<Asked>> {
    let mut out: BTreeMap<Place, Vec<Asked>> = BTreeMap::new();
    for (turn, probe) in all().enumerate() {
        for door in 0..DOORS.len() {
            if whole() {
                for condition in (0..CONDITIONS.len()).filter(|condition| is_chosen(CONDITIONS[*condition])) {
                    for source in 0..SOURCES.len() {
                        for share in [Share::Most, Share::Tenth] {
                            let asked = ["ana", "two", "eve"].map(|who| (who, probe, door));
                            out.entry(place(condition, source, share)).or_default().extend(asked);
                        }
                    }
                }
                continue;
            }
            let at = turn + door;
            let (condition, source) =
                (at % CONDITIONS.len(), (turn / CONDITIONS.len() + door + at / CONDITIONS.len()) % SOURCES.len());
            let share = if (condition + source) % 2 == 0 { Share::Most } else { Share::Tenth };
            let here = out.entry(place(condition, source, share)).or_default();
            here.push(("ana", probe, door));
            if turn % DOORS.len() == door {
                here.push(("two", probe, door));
            }
            if (turn + 5) % DOORS.len() == door {
                here.push(("eve", probe, door));
            }
        }
    }
    assert!(!out.is_empty(), "MESHGATE_MATRIX is `whole`, or one of {CONDITIONS:?}");
    out
}

/// Two servers that differ in what is hidden, with a seat for each caller at either.
struct Twins {
    _served: [Served; 2],
    seats: BTreeMap<(&'static str, bool), [Seat; 2]>,
    name: String,
    leaks: Vec<String>,
}

impl Twins {
    async fn new(name: String, texts: [String; 2]) -> Self {
        let served = [Served::start(&texts[0]).await, Served::start(&texts[1]).await];
        let mut seats = BTreeMap::new();
        for who in ["ana", "two", "eve"] {
            for quiet in [true, false] {
                seats.insert((who, quiet), [Seat::take(&served[0], who).await, Seat::take(&served[1], who).await]);
            }
        }
        for served in &served {
            assert!(served.mesh.findings.is_empty(), "{name}: {:?}", served.mesh.findings);
        }
        Self { _served: served, seats, name, leaks: Vec::new() }
    }

    /// Answers echo what was asked: a statement that holds the words of a canary is sent where bytes are not looked at.
    fn seats(&mut self, who: &'static str, quiet: bool) -> &mut [Seat; 2] {
        self.seats.get_mut(&(who, quiet)).unwrap()
    }

    fn compare(&mut self, what: &str, typed: impl Fn(&str) -> bool, order: Order, one: &str, other: &str) {
        let name = &self.name;
        if comparable(one, order) != comparable(other, order) {
            self.leaks.push(format!("{what} over {name}\n--- first\n{one}\n--- second\n{other}"));
        }
        for words in secrets().filter(|words| !typed(words)) {
            for answer in [one, other].iter().filter(|answer| answer.contains(words)) {
                self.leaks.push(format!("{what} over {name} shows `{words}`:\n{answer}"));
            }
        }
    }

    async fn ask(&mut self, (who, probe, door): Asked) {
        let (door, sql) = (&DOORS[door], probe.sql());
        let quiet = !secrets().any(|words| probe.types(words));
        let [first, second] = self.seats(who, quiet);
        let (one, other) = ((door.ask)(first, &sql).await, (door.ask)(second, &sql).await);
        let what = format!("{} by {} as {who}: {sql}", probe.id, door.name);
        self.compare(&what, |words| probe.types(words), probe.order, &one, &other);
    }

    async fn command(&mut self, who: &'static str, command: &Command) {
        for door in COMMAND_DOORS {
            let [first, second] = self.seats(who, !command.types_names);
            let (one, other) = ((door.ask)(first, &command.message).await, (door.ask)(second, &command.message).await);
            let what = format!("{} by {} as {who}", command.name, door.name);
            self.compare(&what, |_| false, Order::Total, &one, &other);
        }
    }

    /// Datasets as flights, listed and addressed.
    async fn flights(&mut self, who: &'static str) {
        let [first, second] = self.seats(who, true);
        let (one, other) = (first.flights().await, second.flights().await);
        self.compare(&format!("ListFlights as {who}"), |_| false, Order::Total, &one, &other);
        for path in PATHS {
            let [first, second] = self.seats(who, path[0] == "sales");
            let (one, other) = (first.path(path).await, second.path(path).await);
            self.compare(&format!("{path:?} as {who}"), |words| path.contains(&words), Order::Any, &one, &other);
        }
    }

    async fn browse(&mut self, who: &'static str) {
        for (domain, table) in [(None, None), (Some("sales"), None), (Some("hr"), None), (Some("hr"), Some("salaries"))]
        {
            let [first, second] = self.seats(who, domain != Some("hr"));
            let (one, other) = (first.browse(domain, table).await, second.browse(domain, table).await);
            self.compare(&format!("browsing {domain:?} {table:?} as {who}"), |_| false, Order::Total, &one, &other);
        }
    }

    /// Every byte that came, not only what a client decodes. Headers are compressed; their texts were looked at as answers.
    fn scan(&mut self) {
        for ((who, quiet), seats) in &self.seats {
            for bytes in seats.iter().map(Seat::received).filter(|_| *quiet) {
                for words in
                    secrets().filter(|words| bytes.windows(words.len()).any(|window| window == words.as_bytes()))
                {
                    self.leaks.push(format!("`{words}` is on the wire to {who} over {}", self.name));
                }
            }
        }
    }
}

fn secrets() -> impl Iterator<Item = &'static str> {
    CANARIES.into_iter().chain(CANARIES_IN_LISTS).chain(NEVER).chain(["canary-of-a-hidden-column"])
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_depends_on_what_policy_hides() {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let found = Arc::new(Mutex::new(Vec::new()));
    let worlds = matrix().into_iter().map(|((condition, source, share), asked)| {
        let (permits, found) = (Arc::clone(&permits), Arc::clone(&found));
        tokio::spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            let (condition, source) = (CONDITIONS[condition], SOURCES[source]);
            let texts = [World::First, World::Second].map(|world| text(world, condition, source, share));
            let mut twins = Twins::new(format!("{condition:?}, {source:?}, {share:?}"), texts).await;
            let (begun, count) = (Instant::now(), asked.len());
            for asked in asked {
                twins.ask(asked).await;
            }
            twins.scan();
            println!("{}: {count} questions in {} s", twins.name, begun.elapsed().as_secs());
            found.lock().unwrap().append(&mut twins.leaks);
        })
    });
    join_all(worlds).await.into_iter().for_each(|ended| ended.unwrap());
    let leaks = found.lock().unwrap();
    assert!(leaks.is_empty(), "{} leaks\n{}", leaks.len(), leaks.join("\n\n"));
}

/// D26: the commands about the mesh, and what the REPL asks by itself.
#[tokio::test(flavor = "multi_thread")]
async fn no_command_depends_on_what_policy_hides() {
    let texts =
        [World::First, World::Second].map(|world| text(world, Condition::NestedField, Source::Json, Share::Most));
    let mut twins = Twins::new("commands".to_owned(), texts).await;
    for who in ["ana", "two", "eve"] {
        for command in commands::all() {
            twins.command(who, &command).await;
        }
        twins.flights(who).await;
        twins.browse(who).await;
    }
    twins.scan();
    assert!(twins.leaks.is_empty(), "{}", twins.leaks.join("\n\n"));
}

/// The street, which only the owner sees, is a list in one world: a file's type of a hidden member is nobody else's business.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_depends_on_the_type_of_a_hidden_member() {
    for source in [Source::Parquet, Source::Delta, Source::Json] {
        let [first, second] =
            [World::First, World::Second].map(|world| text(world, Condition::NestedField, source, Share::Most));
        let listed = first
            .replace("addr.street:utf8", "addr.street:list")
            .replace(r#""street":"canary-street""#, r#""street":["canary-street"]"#);
        assert_ne!(listed, first, "{source:?}");
        let mut twins = Twins::new(format!("the type of a street, {source:?}"), [listed, second]).await;
        let probes = all().filter(|probe| probe.sql().contains("addr") || probe.sql().contains('*'));
        for (turn, probe) in probes.enumerate() {
            for who in ["ana", "two"] {
                twins.ask((who, probe, turn % DOORS.len())).await;
            }
        }
        twins.scan();
        assert!(twins.leaks.is_empty(), "{}", twins.leaks.join("\n\n"));
    }
}

/// A mesh that has no key for hashes shows null where it would hash, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_nothing_is_hashed_and_nothing_is_shown() {
    let texts = [World::First, World::Second]
        .map(|world| "//- without-keys\n".to_owned() + &text(world, Condition::Membership, Source::Delta, Share::Most));
    let mut twins = Twins::new("no keys".to_owned(), texts).await;
    for (turn, probe) in all().filter(|probe| probe.sql().contains("email") || probe.sql().contains('*')).enumerate() {
        twins.ask(("ana", probe, turn % DOORS.len())).await;
    }
    let [first, _] = twins.seats("ana", true);
    let answer = (DOORS[1].ask)(first, "SELECT count(*) AS n, count(email) AS e FROM sales.orders").await;
    assert!(answer.contains("8 | 0"), "{answer}");
    twins.scan();
    assert!(twins.leaks.is_empty(), "{}", twins.leaks.join("\n\n"));
}

/// The recorder and the comparison work: the owner's bytes hold the canaries, and the owner's answers differ by every door.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_shown_the_difference_by_every_door() {
    let [first, second] =
        [World::First, World::Second].map(|world| text(world, Condition::Equality, Source::Parquet, Share::Most));
    let (first, second) = (Served::start(&first).await, Served::start(&second).await);
    let mut seats = [Seat::take(&first, "dpo").await, Seat::take(&second, "dpo").await];
    for door in DOORS {
        // Doors that show no rows show that there is an answer.
        let rows = !["GetFlightInfo", "GetSchema", "EXPLAIN", "EXPLAIN VERBOSE", "EXPLAIN ACCESS", "update"]
            .contains(&door.name);
        let sql = "SELECT note, card_no FROM sales.orders ORDER BY order_id";
        let [one, other] = &mut seats;
        let (one, other) = ((door.ask)(one, sql).await, (door.ask)(other, sql).await);
        assert_eq!(rows, one != other, "{}: {one}\n{other}", door.name);
        let told = if door.name == "update" { "it answers rows" } else { "card_no" };
        assert!(one.contains(told), "{}: {one}", door.name);
    }
    for canary in ["cnryshort", "4000-canary-card"] {
        let bytes = seats[0].received();
        assert!(
            bytes.windows(canary.len()).any(|window| window == canary.as_bytes()),
            "the recorder misses `{canary}`"
        );
    }
}
