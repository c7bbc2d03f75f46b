//! Every command block of the README runs, with the binary that the tests have built.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::demo::binary;

/// The text of fenced blocks of one language, in order.
fn blocks(language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut found = Vec::new();
    let mut rest = text.as_str();
    let fence = format!("```{language}\n");
    while let Some(start) = rest.find(&fence) {
        rest = &rest[start + fence.len()..];
        let end = rest.find("```").unwrap();
        found.push(rest[..end].to_owned());
        rest = &rest[end + 3..];
    }
    found
}

/// A demo that serves until it is dropped.
pub struct Serving {
    child: Child,
    pub port: String,
}

impl Serving {
    pub fn start(folder: &Path) -> Self {
        let mut child = Command::new(binary())
            .args(["demo", "--no-repl", "--scale", "0.01", "--listen", "127.0.0.1:0", "--dir"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines
            .find_map(|line| {
                let line = line.unwrap();
                let (_, rest) = line.split_once("grpc://127.0.0.1:")?;
                Some(rest.chars().take_while(char::is_ascii_digit).collect())
            })
            .expect("the demo says where it listens");
        // Read on, so that the demo never waits for its reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port }
    }

    /// SIGTERM, and the exit code.
    pub fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        self.child.wait().unwrap().code()
    }
}

/// A test that fails leaves no server behind; one that ended is not there to be killed.
impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_command_of_the_readme_runs() {
    let folder = tempfile::tempdir().unwrap();
    let demo_folder = folder.path().join(".meshgate/demo");
    let serving = Serving::start(&demo_folder);
    let binary = binary();
    let mut ran = 0;
    for block in blocks("sh") {
        // The two commands themselves: `demo` is running, `make test` is what runs this.
        if block.contains("-- demo") || block.contains("make test") {
            continue;
        }
        let script = block
            .replace("cargo run --release --", &binary.display().to_string())
            .replace("meshgate ", &format!("{} ", binary.display()))
            .replace(" sql ", &format!(" sql --url grpc://127.0.0.1:{} ", serving.port))
            .replace(&format!(".{}", binary.display()), ".meshgate");
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &script])
            .current_dir(folder.path())
            .env("MESHGATE_PASSWORD", "")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{block}\n{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        ran += 1;
    }
    assert!(ran >= 3, "only {ran} blocks ran");
    assert_eq!(serving.stop(), Some(0), "SIGTERM ends the demo with 0");
}
