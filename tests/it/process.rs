//! `meshgate serve` as a process: what it needs, what it says, how it ends.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::{StreamExt, TryStreamExt};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use crate::demo::binary;
use crate::harness::Fixture;

const MESH: &str = include_str!("fixtures/regions.txt");
const PASSWORD: &str = "correct-horse-8c1f";
const HASH_KEY: &str = "hash-key-of-sales-51d0";
/// `ana:` and the password, as the header carries it.
const BASIC: &str = "YW5hOmNvcnJlY3QtaG9yc2UtOGMxZg";
/// Far beyond what a busy machine needs.
const PATIENCE: Duration = Duration::from_mins(1);
const SLOW: &str = "SELECT n, repeat('x', 500) AS filler FROM (SELECT unnest(range(0, 100000)) AS n)";

/// A mesh on disk, with a configuration and a user.
pub struct Folder(TempDir);

impl Folder {
    pub fn new(text: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.temporary()).unwrap();
        let fixture = Fixture::parse(text);
        for (path, text) in &fixture.catalogs {
            folder.write(&format!("catalogs/{path}"), text.as_bytes());
        }
        for (domain, files) in &fixture.data {
            for (path, bytes) in files {
                folder.write(&format!("data/{domain}/{path}"), bytes);
            }
        }
        folder.write("sales.key", HASH_KEY.as_bytes());
        folder.configure("address = '127.0.0.1:0'\ndrain_seconds = 20");
        let words = ["user", "add", "ana", "--role", "analyst", "--attribute", "region=EU", "--users", "users.toml"];
        let added = folder.command(&words).env("MESHGATE_PASSWORD", PASSWORD).output().unwrap();
        assert!(added.status.success(), "{}", text_of(&added));
        assert!(!text_of(&added).contains(PASSWORD));
        folder
    }

    /// What processes of this folder take for the system's temporary folder.
    fn temporary(&self) -> PathBuf {
        self.0.path().join("tmp")
    }

    /// True where no process left anything in the temporary folder.
    pub fn is_clean(&self) -> bool {
        std::fs::read_dir(self.temporary()).unwrap().next().is_none()
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn configure(&self, listen: &str) {
        self.configure_with(listen, "");
    }

    /// Lines of `[limits]`.
    pub fn limit(&self, limits: &str) {
        self.configure_with("address = '127.0.0.1:0'\ndrain_seconds = 1", limits);
    }

    fn configure_with(&self, listen: &str, limits: &str) {
        let text = format!(
            "catalogs = 'catalogs'\n[listen]\n{listen}\n[auth]\nusers = 'users.toml'\n\
             [storage.domains.sales]\nroot = 'data/sales'\nhash_key = 'file:sales.key'\n[limits]\npartitions = 2\n{limits}\n"
        );
        self.write("meshgate.toml", text.as_bytes());
    }

    /// Files below a folder of this one, however deep.
    pub fn count_files(&self, below: &str) -> usize {
        fn count(folder: &Path) -> usize {
            let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
            let paths = entries.map(|entry| entry.unwrap().path());
            paths.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(&self.0.path().join(below))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(words).current_dir(self.0.path()).env_remove("MESHGATE_LOG").stdin(Stdio::null());
        command.env("TMPDIR", self.temporary());
        command
    }

    /// What `serve` says when it does not come to serving.
    fn refused(&self) -> String {
        let mut child = self.command(&["serve"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let code = wait(&mut child);
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(code, Some(1), "{out}{err}");
        assert_eq!(out, "", "it does not say that it serves");
        assert!(!err.contains("panicked") && !err.contains("RUST_BACKTRACE"), "{err}");
        err
    }
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Sends a signal by its name.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// The exit code; a process that does not end is ended, and the test fails.
pub fn wait(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the process did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Resident memory of a living process in KiB.
pub fn resident_kib(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("the process is alive");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("the process is no zombie");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

pub struct Serving {
    child: Child,
    address: String,
    log: Option<JoinHandle<String>>,
}

impl Serving {
    pub fn start(folder: &Folder, more: &[&str]) -> Self {
        let words: Vec<&str> = ["serve"].iter().chain(more).copied().collect();
        let mut child = folder.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut err = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            err.read_to_string(&mut text).unwrap();
            text
        });
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let Some((said, address)) = line.trim().split_once(" on grpc://") else {
            panic!("it does not serve: {line}{}", log.join().unwrap());
        };
        assert_eq!(said, "meshgate serves the mesh `mesh`");
        Self { child, address: address.to_owned(), log: Some(log) }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// The exit code and everything that was logged.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let code = wait(&mut self.child);
        (code, self.log.take().unwrap().join().unwrap())
    }

    pub async fn login(&self) -> FlightSqlServiceClient<Channel> {
        let channel = Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap();
        let mut client = FlightSqlServiceClient::new(channel);
        client.handshake("ana", PASSWORD).await.unwrap();
        client
    }

    pub async fn get(&self, sql: &str) -> FlightRecordBatchStream {
        let mut client = self.login().await;
        let info = client.execute(sql.to_owned(), None).await.unwrap();
        client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Already ended, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_user_is_added_logs_in_and_is_answered() {
    let folder = Folder::new(MESH);
    let serving = Serving::start(&folder, &[]);
    let url = format!("grpc://{}", serving.address);
    let ask = |password: &str| {
        let sql = "SELECT region, sum(amount) AS total FROM sales.orders GROUP BY region";
        let words = ["sql", "--url", &url, "--user", "ana", "--format", "csv", "-c", sql];
        folder.command(&words).env("MESHGATE_PASSWORD", password).output().unwrap()
    };
    let answer = ask(PASSWORD);
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "region,total\nEU,30\n", "{}", text_of(&answer));
    let wrong = ask("wrong");
    assert!(!wrong.status.success() && text_of(&wrong).contains("user or password is wrong"), "{}", text_of(&wrong));
    serving.signal("INT");
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_logged_at_any_level() {
    let folder = Folder::new(MESH);
    let serving = Serving::start(&folder, &["--log", "trace"]);
    let mut client = serving.login().await;
    let token = client.token().cloned().unwrap();
    let info = client.execute("SELECT * FROM sales.orders".to_owned(), None).await.unwrap();
    let rows: Vec<_> =
        client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap().try_collect().await.unwrap();
    assert!(!rows.is_empty());
    assert!(client.execute("SELECT nope".to_owned(), None).await.is_err());
    serving.signal("TERM");
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.lines().count() > 5, "there is a log to look at: {log}");
    for line in log.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "not JSON: {line}");
    }
    for secret in [PASSWORD, BASIC, &token, HASH_KEY, "$argon2id"] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(secret)).collect();
        assert_eq!(lines, Vec::<&str>::new(), "`{secret}` is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_query_finishes_before_the_process_ends() {
    let folder = Folder::new(MESH);
    let serving = Serving::start(&folder, &[]);
    let mut stream = serving.get(SLOW).await;
    let mut rows = stream.next().await.unwrap().unwrap().num_rows();
    serving.signal("TERM");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let address = serving.address.clone();
    assert!(std::net::TcpStream::connect(&address).is_err(), "nobody new is let in");
    while let Some(batch) = stream.next().await {
        rows += batch.unwrap().num_rows();
    }
    assert_eq!(rows, 100_000);
    drop(stream);
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("are ended"), "the drain was not cut short: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_client_holds_the_process_for_the_drain_time_only() {
    let folder = Folder::new(MESH);
    folder.configure("address = '127.0.0.1:0'\ndrain_seconds = 1");
    let serving = Serving::start(&folder, &[]);
    let mut stream = serving.get(SLOW).await;
    stream.next().await.unwrap().unwrap();
    let start = Instant::now();
    serving.signal("TERM");
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(start.elapsed() >= Duration::from_secs(1), "it waited: {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(15), "and no longer: {:?}", start.elapsed());
    assert!(log.contains("still running after the drain time"), "{log}");
}

#[test]
fn a_network_address_is_refused_without_the_key_that_says_so() {
    let folder = Folder::new(MESH);
    folder.configure("address = '0.0.0.0:0'");
    let said = folder.refused();
    assert!(said.contains("listen.allow_plaintext_network = true"), "{said}");
    folder.configure("address = '0.0.0.0:0'\nallow_plaintext_network = true");
    let serving = Serving::start(&folder, &[]);
    serving.signal("TERM");
    assert_eq!(serving.ended().0, Some(0));
}

#[test]
fn a_port_that_is_taken_is_told() {
    let folder = Folder::new(MESH);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    folder.configure(&format!("address = '{address}'"));
    let said = folder.refused();
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
}

/// What is broken, how, and what is said.
const BROKEN: [(&str, Option<&str>, &[&str]); 7] = [
    ("users.toml", None, &["users.toml"]),
    ("users.toml", Some("[users.ana]\npassword = 'plain'\n"), &["users.toml:"]),
    ("meshgate.toml", None, &["meshgate.toml", "--config"]),
    ("meshgate.toml", Some("catalogs = 'catalogs'\n[auth]\nuser = 'u'\n"), &["meshgate.toml:3:1", "user"]),
    ("catalogs/mesh.yaml", None, &["mesh.yaml"]),
    ("catalogs/mesh.yaml", Some("name: mesh\nroles: [analyst\ntags: {\n"), &["mesh.yaml:"]),
    (
        "catalogs/governance/pii.cedar",
        Some("// ours\nforbid (principal, action,\n  resourc"),
        &["governance/pii.cedar:3:"],
    ),
];

#[test]
fn what_it_cannot_serve_without_is_told_with_its_place() {
    for (path, text, expected) in BROKEN {
        let folder = Folder::new(MESH);
        match text {
            Some(text) => folder.write(path, text.as_bytes()),
            None => std::fs::remove_file(Path::new(folder.0.path()).join(path)).unwrap(),
        }
        let said = folder.refused();
        for part in expected {
            assert!(said.contains(part), "{path} broken, `{part}` is not in: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_broken_contract_is_logged_and_the_rest_is_served() {
    let folder = Folder::new(MESH);
    folder.write("catalogs/sales/broken.odcs.yaml", b"apiVersion: v3.1.0\nkind: DataContract\nid: [unclosed\n");
    let serving = Serving::start(&folder, &[]);
    let rows: Vec<_> = serving.get("SELECT count(*) FROM sales.orders").await.try_collect().await.unwrap();
    assert_eq!(rows[0].num_rows(), 1);
    drop(rows);
    serving.signal("TERM");
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
    let line = log.lines().find(|line| line.contains("broken.odcs.yaml:")).unwrap_or_else(|| panic!("{log}"));
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["level"], "ERROR", "{line}");
}
