//! The folder as a whole: made once, reused after, redone when a first start did not finish.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::files::{self, Access};
use super::{DemoPrincipal, PRINCIPALS, catalogs, principals, tables};
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Counts up when the data that this module makes changes.
const VERSION: u32 = 1;
const MARKER: &str = ".meshgate-demo.toml";
const LOCK: &str = ".meshgate-demo.lock";
const SCALES: std::ops::RangeInclusive<f64> = 0.0001..=20.0;
pub(super) const DOMAINS: [&str; 4] = ["sales", "logistics", "marketing", "hr"];

/// A demo folder that can be served.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The `meshgate.toml` to serve.
    pub config: PathBuf,
    /// Who may log in; the password of each is its name.
    pub principals: &'static [DemoPrincipal],
    /// An earlier start had made it; nothing was written.
    pub reused: bool,
}

/// What the marker file says about the folder it stands in.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    version: u32,
    scale: f64,
    /// False from the first write to the last: a start that finds it false starts again.
    complete: bool,
}

/// Makes `dir` a demo folder, or finds that it is one. `scale` 1 is about 2.5 million rows.
///
/// A complete folder is used as it stands, edits and all. One that an earlier start left incomplete gets its data anew, while its
/// `catalogs/`, `users.toml`, `keys/` and `meshgate.toml` stay where they exist. A second process waits for the first.
/// Blocks for seconds: call it outside the async runtime.
///
/// # Errors
/// `Invalid` for a scale out of range, for a folder of another scale or version (edits are never overwritten, so the answer is
/// another folder), and for a folder with foreign files in it. `Unavailable` where something cannot be written.
pub fn prepare(dir: &Path, scale: f64) -> Result<Prepared> {
    if !SCALES.contains(&scale) {
        return Err(Diagnostic::error(
            Kind::Invalid,
            format!("`--scale {scale}` is not between {} and {}", SCALES.start(), SCALES.end()),
        )
        .hint("1 makes 500,000 orders, 0.01 a small mesh for tests"));
    }
    files::make_folder(dir)?;
    refuse_foreign(dir)?;
    let _held_until_return = lock(dir)?;

    let prepared = |reused| Prepared { config: dir.join("meshgate.toml"), principals: PRINCIPALS, reused };
    let path = dir.join(MARKER);
    if let Some(found) = read_marker(&path)? {
        found.check(dir, scale)?;
        if found.complete {
            return Ok(prepared(true));
        }
    }
    let mark = |complete| {
        let marker = Marker { version: VERSION, scale, complete }.to_toml()?;
        files::write(&path, marker.as_bytes(), Access::Everyone)
    };
    mark(false)?;
    write_all(dir, scale)?;
    mark(true)?;
    Ok(prepared(false))
}

fn write_all(dir: &Path, scale: f64) -> Result<()> {
    let data = dir.join("data");
    if data.exists() {
        std::fs::remove_dir_all(&data).map_err(|error| files::unwritable(&data, &error))?;
    }
    catalogs::write(&dir.join("catalogs"))?;
    let users = dir.join("users.toml");
    if !users.exists() {
        files::write(&users, principals::users_toml()?.as_bytes(), Access::OwnerOnly)?;
    }
    for domain in DOMAINS {
        files::write_new(&dir.join(format!("keys/{domain}.key")), hash_key(domain).as_bytes(), Access::OwnerOnly)?;
    }
    files::write_new(&dir.join("meshgate.toml"), config().as_bytes(), Access::Everyone)?;
    tables::write(&data, scale)
}

fn config() -> String {
    use std::fmt::Write as _;

    let mut text = "\
# Written by `meshgate demo`; `meshgate serve --config` takes it too. Relative paths start at this file.
catalogs = \"catalogs\"

[auth]
users = \"users.toml\"
"
    .to_owned();
    for domain in DOMAINS {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[storage.domains.{domain}]\nroot = \"data/{domain}\"\nhash_key = \"file:keys/{domain}.key\"\n"
        );
    }
    text
}

/// The same on every machine, so that the demo's hashes can stand in the documentation. Not a secret.
fn hash_key(domain: &str) -> String {
    use std::fmt::Write as _;

    let digest = Sha256::digest(format!("meshgate demo, hash key of {domain}, public"));
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Waits for another process that prepares the same folder; the system drops the lock when its holder dies.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK);
    let file = File::create(&path).map_err(|error| files::unwritable(&path, &error))?;
    file.lock().map_err(|error| files::unwritable(&path, &error))?;
    Ok(file)
}

/// A folder that something else made is left alone: below it `data` would be replaced.
fn refuse_foreign(dir: &Path) -> Result<()> {
    let unreadable = |error: std::io::Error| {
        Diagnostic::error(Kind::Unavailable, format!("cannot read the folder `{}`: {error}", dir.display()))
    };
    let mut ours = false;
    let mut foreign = false;
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        ours |= name == MARKER || name == LOCK;
        foreign = true;
    }
    if foreign && !ours {
        return Err(Diagnostic::error(
            Kind::Invalid,
            format!("`{}` holds files that the demo did not write", dir.display()),
        )
        .hint("name an empty or a new folder with `--dir`"));
    }
    Ok(())
}

/// `None` where no start got as far as a marker; one that cannot be understood counts as another version.
fn read_marker(path: &Path) -> Result<Option<Marker>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(toml::from_str(&text).unwrap_or(Marker { version: 0, scale: 0.0, complete: false }))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Diagnostic::error(Kind::Unavailable, format!("cannot read `{}`: {error}", path.display()))),
    }
}

impl Marker {
    fn to_toml(&self) -> Result<String> {
        toml::to_string(self)
            .map_err(|error| Diagnostic::error(Kind::Internal, format!("cannot write the demo marker: {error}")))
    }

    fn check(&self, dir: &Path, scale: f64) -> Result<()> {
        let shown = dir.display();
        if self.version != VERSION {
            return Err(Diagnostic::error(
                Kind::Invalid,
                format!("`{shown}` holds the demo of another version of meshgate"),
            )
            .hint("name another folder with `--dir`, or remove this one, edits and all"));
        }
        if (self.scale - scale).abs() > f64::EPSILON {
            return Err(Diagnostic::error(
                Kind::Invalid,
                format!("`{shown}` holds the demo at `--scale {}`, not {scale}", self.scale),
            )
            .hint(format!("start with `--scale {}`", self.scale))
            .hint("or name another folder with `--dir`, or remove this one, edits and all"));
        }
        Ok(())
    }
}
