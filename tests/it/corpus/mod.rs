//! DataFusion's own test files, asked of DataFusion in this process and of the gateway through a Flight SQL client.
//!
//! Of a file, the questions count: one SELECT each, with rows to expect. What makes or fills tables is left out, and so is what
//! then fails in process. `exceptions.txt` names every question that passes there and not through the gateway, and why.

mod engines;
mod files;
mod render;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use sqllogictest::{Record, RecordOutput};

use crate::harness::wire::{Recorded, Served};
use datafusion::prelude::SessionContext;
use engines::{InProcess, ThroughGateway, bare, runner};
use render::{Decimals, Letter};

/// Files that are read at a time.
const FILES: usize = 4;

/// What became of the questions of a file.
#[derive(Debug, Default)]
struct Asked {
    /// Those that pass in process.
    passed: usize,
    /// Where those of them stand that do not pass through the gateway, and what they answered.
    missed: BTreeMap<String, String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_in_process_passes_through_the_gateway() {
    let folder = files::folder();
    let served = Served::start(include_str!("../fixtures/regions.txt")).await;
    let (mut client, engine) = (served.connect("ana").await, bare());
    // What results are lowered to has tests of its own.
    client.fetch("SET \"arrow-types\" = 'native'").await.unwrap();
    let asked = futures::stream::iter(files::scripts(&folder)).map(|script| {
        let asked = ask(folder.clone(), script, client.clone(), engine.clone());
        async { tokio::spawn(asked).await.unwrap() }
    });
    let asked: Vec<Asked> = asked.buffer_unordered(FILES).collect().await;
    let passed: usize = asked.iter().map(|asked| asked.passed).sum();
    let missed: BTreeMap<String, String> = asked.into_iter().flat_map(|asked| asked.missed).collect();
    let excepted = exceptions();
    let new: Vec<_> = missed.iter().filter(|(place, _)| !excepted.contains_key(place.as_str())).collect();
    let needless: Vec<_> = excepted.keys().filter(|place| !missed.contains_key(**place)).collect();
    let list: Vec<String> = new.iter().map(|(place, answer)| format!("{place}: {answer}\n")).collect();
    assert!(
        new.is_empty(),
        "{} of {passed} questions do not pass through the gateway:\n{}",
        new.len(),
        list.join("\n")
    );
    assert!(needless.is_empty(), "these pass, and are no exceptions: {needless:#?}");
    assert!(passed > 3_000, "only {passed} questions pass in process");
    let unanswered = excepted.values().filter(|reason| !MEANT.iter().any(|meant| reason.starts_with(meant))).count();
    assert!(unanswered * 100 <= passed, "{unanswered} of {passed} do not pass through the gateway");
}

/// How reasons begin where the gateway has another answer, and not none.
const MEANT: [&str; 5] = [
    "times have microseconds",
    "ranks and counts have a sign",
    "a comparison with NULL is unknown",
    "VARCHAR(n) cuts",
    "a dictionary may hold values",
];

/// Place to reason.
fn exceptions() -> BTreeMap<&'static str, &'static str> {
    let lines = include_str!("exceptions.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut exceptions = BTreeMap::new();
    for line in lines {
        let (place, reason) = line.split_once(": ").unwrap_or_else(|| panic!("no reason: {line}"));
        assert!(exceptions.insert(place, reason).is_none(), "twice: {place}");
    }
    exceptions
}

async fn ask(folder: PathBuf, script: PathBuf, client: Recorded, engine: SessionContext) -> Asked {
    let mut asked = Asked::default();
    let decimals = Decimals(if script.starts_with(folder.join("spark")) { 15 } else { 12 });
    let (mut own, mut gateway) = (runner(InProcess(engine, decimals)), runner(ThroughGateway(client, decimals)));
    for record in records(&script) {
        if matches!(record, Record::Halt { .. }) {
            break;
        }
        if matches!(record, Record::Control(_) | Record::HashThreshold { .. }) {
            own.run_async(record.clone()).await.unwrap();
            gateway.run_async(record).await.unwrap();
            continue;
        }
        let Some(place) = files::question(&record).map(|(_, loc)| files::place(&folder, loc)) else { continue };
        match own.run_async(record.clone()).await {
            // Skipped, by a condition on the engine.
            Ok(RecordOutput::Nothing) | Err(_) => continue,
            Ok(_) => asked.passed += 1,
        }
        if let Err(error) = gateway.run_async(record).await {
            asked.missed.insert(place, error.display(false).to_string());
        }
    }
    asked
}

/// A file of another syntax has none.
fn records(script: &Path) -> Vec<Record<Letter>> {
    sqllogictest::parse_file(script).unwrap_or_default()
}
