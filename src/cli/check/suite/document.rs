//! `*.test.yaml` → tests. What is wrong with one test is told in its place; the others still run.

use std::collections::{BTreeMap, BTreeSet};

use arrow::record_batch::RecordBatch;
use chrono::DateTime;

use super::rows;
use crate::contract::locate::{At, Node, Value, parse};
use crate::contract::shape::{Expect, Findings, Shape, key, quote, required, walk};
use crate::diagnostic::{Diagnostic, Place, did_you_mean};
use crate::mesh::{Files, Snapshot, TableEntry, files};
use crate::name::QualifiedTable;
use crate::policy::{Described, Mask, PRINCIPAL, Principals};

/// One test: what a principal is expected to see of some rows.
#[derive(Debug)]
pub struct Test {
    pub name: String,
    pub place: Place,
    pub who: Described,
    pub entry: TableEntry,
    /// Milliseconds since the epoch.
    pub now: i64,
    pub rows: RecordBatch,
    pub expected: Expected,
}

#[derive(Debug)]
pub enum Expected {
    /// Exactly as a name that does not exist.
    Absent(Place),
    /// May be known of, but nothing of it is read.
    Discoverable(Place),
    /// Something of it is read.
    Seen(Seen),
}

/// What is said of the result; what is left out is not looked at.
#[derive(Debug)]
pub struct Seen {
    pub place: Place,
    /// Every visible row, in any order; of each the columns that are named.
    pub rows: Option<(Place, Vec<Node>)>,
    pub count: Option<(Place, usize)>,
    /// Every visible top-level column, in any order.
    pub columns: Option<(Place, BTreeSet<String>)>,
    /// Columns or fields that do not exist for this principal.
    pub absent: Vec<(Place, String)>,
    /// How each leaf column is shown: `clear`, masks, `hidden`.
    pub exposures: Vec<(Place, String, BTreeSet<String>)>,
}

/// What a test sees as the time where it says nothing: 2026-01-01T00:00:00Z.
const NOW: i64 = 1_767_225_600_000;
/// Rows that one test gives, and that it expects; tests are about cases, not about volume.
const MAX_ROWS: usize = 1_000;

static FILE: Shape = Shape {
    what: "test file",
    keys: &[&[
        key("dataset", Expect::Text),
        key("principals", Expect::Any),
        key("rows", Expect::List(&Expect::Any)),
        required("tests", Expect::List(&Expect::Any)),
    ]],
};

static TEST: Shape = Shape {
    what: "test",
    keys: &[&[
        required("name", Expect::Text),
        required("as", Expect::Either(&Expect::Text, &Expect::Map(&PRINCIPAL))),
        key("dataset", Expect::Text),
        key("rows", Expect::List(&Expect::Any)),
        key("purpose", Expect::Text),
        key("now", Expect::Text),
        required("expect", Expect::Either(&Expect::Word(&["absent", "discoverable"]), &Expect::Map(&SEEN))),
    ]],
};

static SEEN: Shape = Shape {
    what: "expectation",
    keys: &[&[
        key("rows", Expect::List(&Expect::Any)),
        key("count", Expect::Integer),
        key("columns", Expect::List(&Expect::Text)),
        key("absent", Expect::List(&Expect::Text)),
        key("exposures", Expect::Any),
    ]],
};

/// Every test below `policies/` of a domain and in `governance/`, and what is wrong with the others.
pub fn read(files: &Files, snapshot: &Snapshot) -> (Vec<Test>, Vec<Diagnostic>) {
    let (mut tests, mut findings) = (Vec::new(), Vec::new());
    for (path, text) in &files.texts {
        if !files::is_test(path) {
            continue;
        }
        let display = files.display(path);
        let mut reader = Reader { snapshot, home: None, findings: Findings::new(&display), names: BTreeSet::new() };
        match path.split('/').collect::<Vec<_>>().as_slice() {
            ["governance", _, ..] => {}
            [domain, "policies", _, ..] => reader.home = Some(domain),
            _ => {
                let hint = "tests live beside policies: in `governance/` and `<domain>/policies/`";
                reader.findings.error(At::START, "a test file lies where none is read", hint);
            }
        }
        if !reader.findings.has_errors() {
            tests.extend(reader.file(text));
        }
        findings.append(&mut reader.findings.list);
    }
    (tests, findings)
}

struct Reader<'a> {
    snapshot: &'a Snapshot,
    /// The domain in whose folder the file lies; none for governance.
    home: Option<&'a str>,
    findings: Findings<'a>,
    names: BTreeSet<String>,
}

/// What the tests of a file have in common.
struct Shared<'a> {
    dataset: Option<&'a Node>,
    principals: Principals,
    rows: Option<&'a Node>,
}

impl Reader<'_> {
    fn file(&mut self, text: &str) -> Vec<Test> {
        let tree = match parse(text, self.findings.file) {
            Ok(tree) => tree,
            Err(finding) => {
                self.findings.list.push(finding);
                return Vec::new();
            }
        };
        walk(&tree, "test file", &Expect::Map(&FILE), &mut self.findings);
        let mut principals = Principals::default();
        if let Some(node) = tree.get("principals") {
            principals = Principals::read(node, &mut self.findings);
            self.findings.list.extend(principals.check(&[&self.snapshot.mesh]));
        }
        let shared = Shared { dataset: tree.get("dataset"), principals, rows: tree.get("rows") };
        if let Some(tests) = tree.get("tests")
            && matches!(&tests.value, Value::List(tests) if tests.is_empty())
        {
            self.findings.error(tests.at, "there is no test", "add one, or remove the file");
        }
        tree.list("tests").iter().filter_map(|node| self.test(node, &shared)).collect()
    }

    fn test(&mut self, node: &Node, shared: &Shared<'_>) -> Option<Test> {
        let before = self.findings.list.len();
        walk(node, "test", &Expect::Map(&TEST), &mut self.findings);
        let name = node.text_of("name").unwrap_or_default().to_owned();
        if !name.is_empty() && !self.names.insert(name.clone()) {
            let at = node.get("name").map_or(node.at, |name| name.at);
            self.findings.error(at, format!("two tests are named `{}`", quote(&name)), "rename one");
        }
        let who = self.who(node, shared);
        let who = match (who, node.get("purpose")) {
            (Some(who), Some(purpose)) => {
                let who = who.for_purpose(purpose, &mut self.findings);
                self.findings.list.extend(who.check(&[&self.snapshot.mesh]));
                Some(who)
            }
            (who, _) => who,
        };
        let now = self.now(node);
        let entry = self.entry(node, shared);
        let about_other = match (node.get("dataset"), shared.dataset) {
            (Some(own), Some(shared)) => own.text() != shared.text(),
            (own, _) => own.is_some(),
        };
        let rows = node.get("rows").or(shared.rows.filter(|_| !about_other));
        let expected = entry.as_ref().and_then(|entry| self.expected(node.get("expect")?, entry));
        let asks_rows = matches!(&expected, Some(Expected::Seen(seen)) if seen.rows.is_some() || seen.count.is_some());
        if asks_rows && rows.is_none() {
            self.findings.error(node.at, "the test expects rows, but none are given", "give `rows:` of the dataset");
        }
        let no_rows = Node { at: At::START, value: Value::List(Vec::new()) };
        let rows = rows.unwrap_or(&no_rows);
        let expected_rows = node.get("expect").and_then(|expect| expect.get("rows"));
        for rows in [Some(rows), expected_rows].into_iter().flatten() {
            if rows.items().len() > MAX_ROWS {
                let message = format!("more than {MAX_ROWS} rows");
                self.findings.error(rows.at, message, "a test needs few rows: one for each case");
                return None;
            }
        }
        let batch = entry.as_ref().and_then(|entry| rows::batch(entry.dataset(), rows.items(), &mut self.findings));
        let place = node.get("name").map_or(node.at, |name| name.at).place(self.findings.file);
        let broken = self.findings.list.get(before..).is_some_and(|new| !new.is_empty());
        if broken {
            return None;
        }
        Some(Test { name, place, who: who?, entry: entry?, now: now?, rows: batch?, expected: expected? })
    }

    fn who(&mut self, node: &Node, shared: &Shared<'_>) -> Option<Described> {
        let who = node.get("as")?;
        if let Some(name) = who.text() {
            let found = shared.principals.get(name).cloned();
            if found.is_none() {
                let hint = did_you_mean(name, shared.principals.names())
                    .unwrap_or_else(|| "describe it under `principals:`".to_owned());
                let message = format!("there is no principal `{}` in this file", quote(name));
                self.findings.error(who.at, message, hint);
            }
            found
        } else {
            let described = Described::read("somebody", who.at, who, &mut self.findings)?;
            if node.get("purpose").is_none() {
                self.findings.list.extend(described.check(&[&self.snapshot.mesh]));
            }
            Some(described)
        }
    }

    fn now(&mut self, node: &Node) -> Option<i64> {
        let Some(now) = node.get("now") else { return Some(NOW) };
        let text = now.text()?;
        let parsed = DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis());
        if parsed.is_none() {
            let message = format!("`{}` is no moment", quote(text));
            self.findings.error(now.at, message, "write it as `2026-01-31T12:00:00Z`");
        }
        parsed
    }

    fn entry(&mut self, node: &Node, shared: &Shared<'_>) -> Option<TableEntry> {
        let Some(given) = node.get("dataset").or(shared.dataset) else {
            let hint = "add `dataset:` to the test or at the top of the file";
            self.findings.error(node.at, "the test does not say which dataset it is about", hint);
            return None;
        };
        let text = given.text()?;
        let (domain, table) = text.split_once('.').or(self.home.map(|home| (home, text))).unwrap_or(("", text));
        if let Some(home) = self.home
            && domain != home
        {
            let message = format!("a test in the folder of `{home}` is about `{}`", quote(text));
            self.findings.error(given.at, message, "a domain tests its own datasets; `governance/` may test all");
            return None;
        }
        let tables = &self.snapshot.tables;
        let name = domain.parse().ok().zip(table.parse().ok()).map(|(domain, table)| QualifiedTable { domain, table });
        let found = name.and_then(|name| tables.get(&name).cloned());
        if found.is_none() {
            let known: Vec<String> = tables.keys().map(ToString::to_string).collect();
            let known = || known.iter().map(String::as_str);
            let hint = did_you_mean(&format!("{domain}.{table}"), known())
                .unwrap_or_else(|| format!("served are {}", known().take(12).collect::<Vec<_>>().join(", ")));
            self.findings.error(given.at, format!("there is no dataset `{}`", quote(text)), hint);
        }
        found
    }

    fn expected(&mut self, node: &Node, entry: &TableEntry) -> Option<Expected> {
        let place = node.at.place(self.findings.file);
        match node.text() {
            Some("absent") => return Some(Expected::Absent(place)),
            Some("discoverable") => return Some(Expected::Discoverable(place)),
            Some(_) => return None,
            None if node.entries().is_empty() => {
                let hint = "say `rows`, `count`, `columns`, `absent` or `exposures`";
                self.findings.error(node.at, "the test expects nothing", hint);
                return None;
            }
            None => {}
        }
        let dataset = entry.dataset();
        for row in node.list("rows") {
            rows::names(row, &dataset.columns, &mut self.findings);
        }
        let paths: BTreeMap<String, bool> =
            dataset.paths().iter().map(|(path, column)| (path.to_string(), column.fields.is_empty())).collect();
        let place_of = |node: &Node, findings: &Findings<'_>| node.at.place(findings.file);
        let (mut columns, mut absent) = (BTreeSet::new(), Vec::new());
        for column in node.list("columns") {
            let Some(name) = column.text() else { continue };
            let top = dataset.columns.iter().map(|column| column.name.as_str());
            self.known(column.at, name, top);
            columns.insert(name.to_owned());
        }
        for column in node.list("absent") {
            let Some(name) = column.text() else { continue };
            self.known(column.at, name, paths.keys().map(String::as_str));
            absent.push((place_of(column, &self.findings), name.to_owned()));
        }
        let exposures = node.get("exposures").map(|node| self.exposures(node, &paths)).unwrap_or_default();
        let count = node.get("count").and_then(|node| {
            let count = usize::try_from(node.integer()?).ok();
            if count.is_none() {
                self.findings.error(node.at, "a count is never below zero", "write the number of visible rows");
            }
            Some((place_of(node, &self.findings), count?))
        });
        Some(Expected::Seen(Seen {
            place,
            rows: node.get("rows").map(|rows| (place_of(rows, &self.findings), rows.items().to_vec())),
            count,
            columns: node.get("columns").map(|node| (place_of(node, &self.findings), columns)),
            absent,
            exposures,
        }))
    }

    fn known<'n>(&mut self, at: At, name: &str, known: impl Iterator<Item = &'n str>) {
        let known: Vec<&str> = known.collect();
        if !known.contains(&name) {
            let hint = did_you_mean(name, known.iter().copied())
                .unwrap_or_else(|| format!("the contract has {}", known.join(", ")));
            self.findings.error(at, format!("there is no column `{}`", quote(name)), hint);
        }
    }

    fn exposures(&mut self, node: &Node, paths: &BTreeMap<String, bool>) -> Vec<(Place, String, BTreeSet<String>)> {
        if !matches!(node.value, Value::Map(_)) {
            let message = format!("`exposures` must be a mapping, but is {}", node.describe());
            self.findings.error(node.at, message, "write for example `{ email: hash, card_no: hidden }`");
        }
        let mut out = Vec::new();
        for entry in node.entries() {
            if paths.get(&entry.key) == Some(&false) {
                let message = format!("`{}` is a struct", quote(&entry.key));
                self.findings.error(entry.at, message, "its fields are columns of their own: `address.city`");
                continue;
            }
            self.known(entry.at, &entry.key, paths.iter().filter(|(_, leaf)| **leaf).map(|(path, _)| path.as_str()));
            let words =
                if entry.value.items().is_empty() { std::slice::from_ref(&entry.value) } else { entry.value.items() };
            let mut masks = BTreeSet::new();
            for word in words {
                let Some(text) = word.text() else {
                    let message = format!("an exposure is a word, but this is {}", word.describe());
                    self.findings.error(word.at, message, "write `clear`, a mask, `hidden`, or a list of them");
                    continue;
                };
                if let Err(why) = text.strip_prefix("hash of ").unwrap_or(text).parse::<Mask>() {
                    self.findings.error(word.at, why, "write `clear`, a mask, `hash of` a mask, or `hidden`");
                }
                masks.insert(text.to_owned());
            }
            out.push((entry.value.at.place(self.findings.file), entry.key.clone(), masks));
        }
        out
    }
}
