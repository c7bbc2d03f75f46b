//! The demo mesh at a small scale, made once for all tests that ask it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use meshgate::cli::demo::prepare;
use meshgate::config::Config;
use meshgate::gateway::Gateway;
use meshgate::identity::UsersFile;
use meshgate::query::Session;
use meshgate::telemetry::Clock;
use tempfile::TempDir;
use tokio::sync::OnceCell;

pub struct Demo {
    pub gateway: Gateway,
    pub users: UsersFile,
    _folder: TempDir,
}

impl Demo {
    pub fn session(&self, who: &str) -> Arc<Session> {
        self.gateway.open_session(self.users.principal(who).unwrap_or_else(|| panic!("no user `{who}`")))
    }
}

/// The mesh that `meshgate demo --scale 0.01` serves.
pub async fn demo_mesh() -> &'static Demo {
    static DEMO: OnceCell<Demo> = OnceCell::const_new();
    DEMO.get_or_init(|| async {
        let folder = tempfile::tempdir().unwrap();
        let prepared = prepare(folder.path(), 0.01).unwrap();
        let config = Config::load(&prepared.config).unwrap();
        let users = UsersFile::load(&config.auth.users).unwrap();
        let gateway = Gateway::build(&config, Clock::real()).unwrap();
        gateway.verify().await;
        Demo { gateway, users, _folder: folder }
    })
    .await
}

pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_meshgate"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_product_of_the_demo_is_verified() {
    let demo = demo_mesh().await;
    assert_eq!(demo.gateway.findings(), []);
    let rows = demo.gateway.product_rows().await;
    assert_eq!(rows.len(), 7);
    for row in rows {
        assert_eq!((row.state.as_str(), row.why), ("verified", None), "{}.{}", row.domain, row.dataset);
    }
}

#[test]
fn a_busy_port_is_told_in_a_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(binary())
        .args(["demo", "--no-repl", "--scale", "0.001", "--listen", &taken.local_addr().unwrap().to_string(), "--dir"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("cannot listen on") && text.contains("another program uses this port"), "{text}");
    assert!(!text.contains("panicked") && !text.contains("backtrace"), "{text}");
}

#[test]
fn a_folder_below_a_file_is_told_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plain");
    std::fs::write(&file, "x").unwrap();
    let output = Command::new(binary())
        .args(["demo", "--no-repl", "--scale", "0.001", "--listen", "127.0.0.1:0", "--dir"])
        .arg(file.join("below"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("plain"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn the_demo_listens_on_loopback_only() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(binary())
        .args(["demo", "--no-repl", "--scale", "0.001", "--listen", "0.0.0.0:0", "--dir"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("meshgate serve"), "{text}");
    assert!(!folder.path().join("data").exists(), "nothing is written before the address is checked");
}

#[test]
fn a_missing_catalog_and_a_missing_configuration_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("meshgate.toml");
    let run = || Command::new(binary()).args(["serve", "--config"]).arg(&config).stdin(Stdio::null()).output().unwrap();
    let output = run();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot read the configuration"));
    std::fs::write(&config, "catalogs = 'nowhere'\n[auth]\nusers = 'users.toml'\n").unwrap();
    let output = run();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("nowhere") && text.contains("hint"), "{text}");
}
