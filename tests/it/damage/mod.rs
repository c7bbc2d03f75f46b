//! Files that are damaged in seeded ways. Whatever a byte becomes, the process lives, answers in time and within its memory, and shows no
//! row that a checksum or a count contradicts.
//!
//! The mutants of one kind run in a process of their own, this test binary again, so that a test sees it abort, hang or grow. `make test`
//! asks some of each kind; `make soak` asks `MESHGATE_MUTANTS` of them, from `MESHGATE_MUTANT_SEED`.

mod kinds;
mod mutate;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use kinds::Kind;

/// Set for the process that runs mutants: their kind.
const RUNS: &str = "MESHGATE_MUTANT_KIND";
const SEED: &str = "MESHGATE_MUTANT_SEED";
const COUNT: &str = "MESHGATE_MUTANTS";
const FIRST: &str = "MESHGATE_FIRST_MUTANT";

/// Of each kind, without being told otherwise.
const SAMPLE: u64 = 60;
/// A mutant that takes longer hangs; unoptimized builds are slower, and other tests run beside.
const PATIENCE: Duration = if cfg!(debug_assertions) { Duration::from_mins(1) } else { Duration::from_secs(5) };
/// What one mutant may take beyond what the process has before it.
const MOST_KIB: u64 = 512 << 10;

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().filter(|text| !text.is_empty()).map_or(usual, |text| text.parse().unwrap())
}

#[test]
fn damaged_parquet_is_an_error_or_nothing() {
    run("damaged_parquet_is_an_error_or_nothing", &[Kind::ParquetV1, Kind::ParquetV2, Kind::ParquetPages]);
}

#[test]
fn damaged_delta_is_an_error_or_nothing() {
    run("damaged_delta_is_an_error_or_nothing", &[Kind::DeltaLog, Kind::DeltaCheckpoint]);
}

#[test]
fn damaged_text_is_an_error_or_nothing() {
    run("damaged_text_is_an_error_or_nothing", &[Kind::Csv, Kind::Json]);
}

#[test]
fn damaged_catalogs_are_findings() {
    run("damaged_catalogs_are_findings", &[Kind::Contract, Kind::Policy]);
}

/// Watches a process for each kind, or runs the mutants in it.
fn run(test: &str, kinds: &[Kind]) {
    if let Ok(name) = std::env::var(RUNS) {
        let kind = *kinds.iter().find(|kind| format!("{kind:?}") == name).unwrap();
        return here(kind);
    }
    for kind in kinds {
        watch(test, *kind);
    }
}

fn watch(test: &str, kind: Kind) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([&format!("damage::{test}"), "--exact", "--nocapture"])
        .env(RUNS, format!("{kind:?}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (said, says) = mpsc::channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
    let err = BufReader::new(child.stderr.take().unwrap());
    let told = std::thread::spawn(move || err.lines().map_while(Result::ok).collect::<Vec<_>>().join("\n"));
    let mut last = "before the first mutant".to_owned();
    let hangs = loop {
        match says.recv_timeout(PATIENCE) {
            Ok(line) => last = line,
            Err(mpsc::RecvTimeoutError::Timeout) => break true,
            Err(mpsc::RecvTimeoutError::Disconnected) => break false,
        }
    };
    if hangs {
        child.kill().unwrap();
    }
    let ended = child.wait().unwrap();
    let told = told.join().unwrap();
    assert!(!hangs, "{kind:?} hangs: {last}\n{told}");
    assert!(ended.success(), "{kind:?} ended with {ended}: {last}\n{told}");
}

#[expect(clippy::print_stdout, reason = "the process that watches reads it")]
fn here(kind: Kind) {
    let (seed, first, count) = (number(SEED, 1), number(FIRST, 0), number(COUNT, SAMPLE));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let world = kinds::World::new(kind).await;
        for number in first..first + count {
            let mutant = world.damage(&mut mutate::random(seed, number));
            println!("{kind:?} seed {seed} mutant {number}: {}", mutant.told);
            let before = resident();
            std::fs::write("/proc/self/clear_refs", "5").unwrap();
            if let Some(fault) = world.ask(mutant).await {
                panic!("{kind:?} seed {seed} mutant {number}: {fault}");
            }
            let grown = peak().saturating_sub(before);
            assert!(grown < MOST_KIB, "{kind:?} seed {seed} mutant {number} takes {grown} KiB");
        }
    });
}

/// Resident memory of this process now, in KiB.
fn resident() -> u64 {
    crate::process::resident_kib(std::process::id())
}

/// The most since `clear_refs` was written, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
