//! Files of a revision, read in memory through the `git` command. Nothing is checked out, fetched or written.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::tree::GitTree;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::mesh::Files;
use crate::mesh::walk::walk;

const DEADLINE: Duration = Duration::from_mins(1);
/// A folder of contracts and policies is far below this.
const MAX_BYTES: u64 = 256 << 20;
const MAX_FILES: usize = 200_000;

/// The catalog files below `path` at `revision`, named `label` in findings.
///
/// # Errors
/// `Unavailable` where git is missing or fails, `NotFound` for a revision or folder that does not exist.
pub fn read(revision: &str, path: &str, label: &str) -> Result<Files> {
    let commit = commit(revision)?;
    let tree = format!("{commit}:{path}");
    let kind = git(&["cat-file", "-t", &tree], &[])?;
    if !kind.done || kind.text().trim() != "tree" {
        return Err(Diagnostic::error(Kind::NotFound, format!("the revision `{revision}` has no folder `{path}`"))
            .hint("write `REVISION:path/to/catalogs`; the path starts at the top of the repository"));
    }
    let listed = git(&["ls-tree", "-r", "-z", "-l", "--full-tree", &tree], &[])?;
    if !listed.done {
        return Err(failed("ls-tree", &listed));
    }
    let mut tree = GitTree::parse(&listed.out);
    for wanted in [GitTree::links, GitTree::candidates] {
        let ids = wanted(&tree);
        know(&mut tree, ids, label)?;
    }
    let mut files = Files { root: label.to_owned(), ..Files::default() };
    walk(&tree, &mut files).map_err(|why| Diagnostic::error(Kind::Invalid, format!("cannot read `{label}`: {why}")))?;
    Ok(files)
}

/// Reads blobs in one go.
fn know(tree: &mut GitTree, wanted: Vec<String>, label: &str) -> Result<()> {
    if wanted.len() > MAX_FILES {
        return Err(Diagnostic::error(Kind::Exhausted, format!("`{label}` has more than {MAX_FILES} catalog files")));
    }
    let ids: String = wanted.iter().flat_map(|id| [id.as_str(), "\n"]).collect();
    let blobs = git(&["cat-file", "--batch"], ids.as_bytes())?;
    if !blobs.done {
        return Err(failed("cat-file", &blobs));
    }
    let mut rest = blobs.out.as_slice();
    for id in wanted {
        let (bytes, after) = blob(rest, &id).ok_or_else(|| failed("cat-file", &blobs))?;
        tree.know(id, bytes.to_vec());
        rest = after;
    }
    Ok(())
}

/// The commit that a name stands for, as an id; nothing that a name holds reaches a further command.
fn commit(revision: &str) -> Result<String> {
    let missing = || {
        Diagnostic::error(Kind::NotFound, format!("there is neither a folder nor a git revision `{revision}`"))
            .hint("name a folder that holds `mesh.yaml`, or a branch, tag or commit of this repository")
            .hint("CI often clones one commit only: fetch the base too (`fetch-depth: 0` of actions/checkout)")
    };
    if revision.is_empty() || revision.starts_with('-') {
        return Err(missing());
    }
    let name = format!("{revision}^{{commit}}");
    let found = git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name], &[])?;
    let id = found.text().trim().to_owned();
    let is_id = id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !found.done && found.error.contains("not a git repository") {
        return Err(missing().hint("this folder is not in a git repository"));
    }
    if found.done && is_id {
        return Ok(id);
    }
    // A name that stands for nothing is refused in silence: what git says is of another kind.
    if found.error.trim().is_empty() { Err(missing()) } else { Err(failed("rev-parse", &found)) }
}

/// The next object of `cat-file --batch`: `id blob size`, the bytes, a line end.
fn blob<'a>(text: &'a [u8], id: &str) -> Option<(&'a [u8], &'a [u8])> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(text.get(..end)?).ok()?;
    let size: usize = head.strip_prefix(id)?.strip_prefix(" blob ")?.parse().ok()?;
    let body = text.get(end + 1..)?;
    Some((body.get(..size)?, body.get(size + 1..)?))
}

struct Answer {
    done: bool,
    out: Vec<u8>,
    error: String,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

fn failed(command: &str, answer: &Answer) -> Diagnostic {
    let first = answer.error.lines().next().unwrap_or("it says nothing more");
    Diagnostic::error(Kind::Unavailable, format!("`git {command}` failed: {first}"))
}

/// Runs one reading command: no prompt, no fetch, no lock, a bounded time and a bounded answer.
fn git(arguments: &[&str], input: &[u8]) -> Result<Answer> {
    let mut child = Command::new("git")
        .arg("--no-pager")
        .args(arguments)
        .envs([
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("LC_ALL", "C"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            let finding = Diagnostic::error(Kind::Unavailable, format!("cannot run `git`: {error}"));
            finding.hint("revisions are read through git; install it, or name two folders")
        })?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        // A reader that ends early closes the pipe; git's own answer then says what went wrong.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        let error = scope.spawn(move || bounded(stderr, 64 << 10));
        let out = scope.spawn(move || bounded(stdout, MAX_BYTES));
        let done = wait(&mut child)?;
        let gone = |_| Diagnostic::error(Kind::Internal, "what git said was lost");
        let out = out.join().map_err(gone)?;
        if out.len() as u64 > MAX_BYTES {
            return Err(Diagnostic::error(Kind::Exhausted, "the catalogs of this revision are larger than 256 MiB"));
        }
        let error = String::from_utf8_lossy(&error.join().map_err(gone)?).into_owned();
        Ok(Answer { done, out, error })
    })
}

/// One byte more than allowed tells that it was too much.
fn bounded(from: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(from) = from {
        // A broken pipe ends the text; its missing end is then noticed.
        let _ = from.take(most + 1).read_to_end(&mut out);
    }
    out
}

fn wait(child: &mut Child) -> Result<bool> {
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if started.elapsed() < DEADLINE => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Diagnostic::error(Kind::Deadline, "git did not answer within a minute"));
            }
            Err(error) => return Err(Diagnostic::error(Kind::Unavailable, format!("cannot wait for git: {error}"))),
        }
    }
}
