//! How the process ends: at its deadline whatever runs, at once when it is asked twice, and not for a hangup.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};

use crate::demo::binary;
use crate::process::{Folder, Serving, signal, wait};

const MESH: &str = include_str!("fixtures/regions.txt");
/// Computes for minutes on every thread that it gets.
const COSTLY: &str = "SELECT sum(levenshtein(repeat(s, 95), repeat(s, 94))) AS n \
                      FROM (SELECT CAST(value AS VARCHAR) AS s FROM range(0, 2000000))";
const WIDE: &str = "SELECT n, repeat('x', 500) AS filler FROM (SELECT unnest(range(0, 100000)) AS n)";
/// The process takes two seconds beyond the drain time at most; a machine with other work on it is slow.
const SLOW_MACHINE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn busy_threads_and_clients_hold_no_exit() {
    let folder = Folder::new(MESH);
    folder.configure("address = '127.0.0.1:0'\ndrain_seconds = 0");
    let serving = Serving::start(&folder, &[]);
    let idle = serving.login().await;
    let silent = TcpStream::connect(serving.address()).unwrap();
    let costly = [serving.get(COSTLY).await, serving.get(COSTLY).await];
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!folder.is_clean(), "the folder of spilled data is there");
    let start = Instant::now();
    serving.signal("TERM");
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(start.elapsed() < SLOW_MACHINE, "{:?}", start.elapsed());
    assert!(folder.is_clean());
    drop((idle, silent, costly));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let folder = Folder::new(MESH);
    folder.configure("address = '127.0.0.1:0'\ndrain_seconds = 600");
    let serving = Serving::start(&folder, &[]);
    let mut stalled = serving.get(WIDE).await;
    stalled.next().await.unwrap().unwrap();
    let start = Instant::now();
    serving.signal("TERM");
    // Two signals of one kind that are pending are one.
    tokio::time::sleep(Duration::from_millis(300)).await;
    serving.signal("INT");
    let (code, log) = serving.ended();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("ended by force"), "{log}");
    assert!(start.elapsed() < SLOW_MACHINE, "{:?}", start.elapsed());
    assert!(folder.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_does_not_end_serve() {
    let folder = Folder::new(MESH);
    let serving = Serving::start(&folder, &[]);
    serving.signal("HUP");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let rows: Vec<_> = serving.get("SELECT 1 AS one").await.try_collect().await.unwrap();
    assert_eq!(rows[0].num_rows(), 1);
    serving.signal("TERM");
    assert_eq!(serving.ended().0, Some(0));
}

#[test]
fn a_hangup_ends_the_demo() {
    let (folder, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // A test that runs under `nohup` passes its ignored signal on.
    let mut demo = Command::new("env")
        .arg("--default-signal=HUP")
        .arg(binary())
        .args(["demo", "--no-repl", "--scale", "0.0001", "--listen", "127.0.0.1:0", "--dir"])
        .arg(folder.path())
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(demo.stdout.take().unwrap()).lines();
    assert!(out.any(|line| line.unwrap().contains("grpc://")), "it does not serve");
    signal(&demo, "HUP");
    assert_eq!(wait(&mut demo), Some(0));
    assert!(std::fs::read_dir(temporary.path()).unwrap().next().is_none());
}
