//! Files of the demo's catalogs that cannot be read: whatever an entry becomes, nobody sees more than before, and what it may have
//! guarded is denied aloud.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use meshgate::diagnostic::{Diagnostic, Severity};
use meshgate::mesh::{Files, load, missing_governance};
use meshgate::policy::{Decision, Exposed, PolicyStore, Principals, ProductAction};

const NOW: i64 = 1_767_225_600_000;

const PRINCIPALS: &str = "
ana: { roles: [analyst], attributes: { region: EU, clearance: 1 } }
bob: { roles: [analyst], attributes: { region: US, clearance: 1 } }
mia: { roles: [marketer], attributes: { region: EU } }
hana: { roles: [people-partner], attributes: { region: EU } }
otto: { roles: [sales-owner], attributes: { clearance: 2 } }
dpo: { roles: [privacy-officer], attributes: { clearance: 3 } }
";

/// What everybody sees of each dataset, and may do to each product.
#[derive(Debug, Default, PartialEq)]
struct Access {
    cells: BTreeMap<(String, String), Exposed>,
    actions: BTreeSet<String>,
}

/// What a gateway would make of these files.
struct Loaded {
    /// Nothing is served.
    refused: bool,
    access: Access,
    findings: Vec<Diagnostic>,
}

impl Loaded {
    /// Asks for those principals, by their place in the list, and tables that `asks` names.
    fn of(files: &Files, principals: &Principals, asks: impl Fn(usize, &str) -> bool) -> Self {
        let snapshot = match load(files) {
            Ok(snapshot) => Arc::new(snapshot),
            Err(findings) => return Self { refused: true, access: Access::default(), findings },
        };
        let policies = PolicyStore::load(files, &snapshot);
        let mut access = Access::default();
        for (at, who) in principals.iter().enumerate() {
            let name = who.principal.name().to_string();
            for (table, entry) in snapshot.tables.iter().filter(|(table, _)| asks(at, &table.to_string())) {
                if let Decision::Exposed(exposed) = policies.authorize(&who.principal, "", NOW, entry) {
                    access.cells.insert((name.clone(), table.to_string()), exposed);
                }
                for action in ProductAction::ALL {
                    if policies.may(action, &who.principal, "", NOW, &entry.product) {
                        access.actions.insert(format!("{name} {} {}", action.name(), entry.product.name));
                    }
                }
            }
        }
        let findings = snapshot.findings.iter().chain(policies.findings()).cloned().collect();
        Self { refused: policies.refuses_to_serve(), access, findings }
    }

    /// An error that names the entry, or something below it.
    fn names(&self, path: &str) -> bool {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).any(|finding| {
            let file = finding.place.as_ref().map(|place| place.file.as_str()).unwrap_or_default();
            file.contains(path) || finding.message.contains(path)
        })
    }
}

/// A copy of the committed catalogs of which one entry at a time is changed.
struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs"), &folder.path().join("catalogs"));
        Self { folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("catalogs")
    }

    /// Where the real entry lies while another stands in its place.
    fn outside(&self) -> PathBuf {
        self.folder.path().join("outside/kept")
    }

    fn read(&self) -> Files {
        let mut files = Files::read(&self.root()).unwrap();
        files.root.clear();
        files
    }

    /// Every file and folder, by its path below the root.
    fn entries(&self) -> Vec<String> {
        fn below(root: &Path, folder: &Path, out: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                out.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
                if path.is_dir() {
                    below(root, &path, out);
                }
            }
        }
        let mut out = Vec::new();
        below(&self.root(), &self.root(), &mut out);
        out.sort();
        out
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &target) } else { _ = fs::copy(entry.path(), target).unwrap() }
    }
}

fn remove(path: &Path) {
    let Ok(kind) = path.symlink_metadata() else { return };
    if kind.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    LinkInside,
    LinkOut,
    Dangling,
    Loop,
    Pipe,
    Folder,
    File,
    OtherCase,
    NoPermission,
    NotUtf8,
    TooLarge,
}

impl Way {
    const ALL: [Self; 11] = [
        Self::LinkInside,
        Self::LinkOut,
        Self::Dangling,
        Self::Loop,
        Self::Pipe,
        Self::Folder,
        Self::File,
        Self::OtherCase,
        Self::NoPermission,
        Self::NotUtf8,
        Self::TooLarge,
    ];

    /// Puts the entry aside and something else in its place; answers the paths that were made, and the name that errors speak of.
    /// Nothing where the way makes no difference here.
    fn mangle(self, copy: &Copy, entry: &str) -> Option<(Vec<PathBuf>, String)> {
        let (path, kept) = (copy.root().join(entry), copy.outside());
        let is_folder = path.is_dir();
        let (parent, name) =
            (path.parent().unwrap().to_owned(), path.file_name().unwrap().to_str().unwrap().to_owned());
        if self == Self::NoPermission {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
            // To a superuser it is readable all the same.
            let readable = if is_folder { fs::read_dir(&path).is_ok() } else { fs::File::open(&path).is_ok() };
            if readable {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
            return (!readable).then(|| (Vec::new(), entry.to_owned()));
        }
        if is_folder && matches!(self, Self::Folder | Self::TooLarge) || !is_folder && self == Self::File {
            return None;
        }
        // Nobody can tell that a file or pipe was to be a domain.
        if matches!(self, Self::File | Self::Pipe) && is_folder && entry != "governance" && !entry.ends_with("policies")
        {
            return None;
        }
        fs::rename(&path, &kept).unwrap();
        match self {
            Self::LinkInside => {
                let hidden = copy.root().join("..data");
                fs::create_dir(&hidden).unwrap();
                fs::rename(&kept, hidden.join("x")).unwrap();
                symlink(hidden.join("x"), &path).unwrap();
            }
            Self::LinkOut => symlink(&kept, &path).unwrap(),
            Self::Dangling => symlink("nothing", &path).unwrap(),
            Self::Loop => symlink(&name, &path).unwrap(),
            Self::Pipe => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
            Self::Folder => fs::create_dir(&path).unwrap(),
            Self::File => fs::write(&path, "../elsewhere").unwrap(),
            Self::TooLarge => fs::File::create(&path).unwrap().set_len((4 << 20) + 1).unwrap(),
            Self::OtherCase | Self::NotUtf8 => {
                let other = match (self, name.rsplit_once('.')) {
                    (Self::OtherCase, Some((stem, ending))) => format!("{stem}.{}", ending.to_uppercase()).into(),
                    (Self::OtherCase, None) => name.to_uppercase().into(),
                    // In the ending, where there is one: it is none that is known then.
                    _ => {
                        let (stem, ending) = name.as_bytes().split_at(name.len() - 2);
                        OsString::from_vec([stem, b"\xff", ending].concat())
                    }
                };
                copy_any(&kept, &parent.join(&other));
                let shown = Path::new(entry).with_file_name(&other).to_string_lossy().into_owned();
                return Some((vec![parent.join(other)], shown));
            }
            Self::NoPermission => unreachable!(),
        }
        Some((vec![path], entry.to_owned()))
    }

    fn restore(self, copy: &Copy, entry: &str, made: &[PathBuf]) {
        let path = copy.root().join(entry);
        if self == Self::NoPermission {
            return fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for path in made {
            remove(path);
        }
        let hidden = copy.root().join("..data");
        fs::rename(if self == Self::LinkInside { hidden.join("x") } else { copy.outside() }, path).unwrap();
        remove(&hidden);
    }
}

fn copy_any(from: &Path, to: &Path) {
    if from.is_dir() { copy(from, to) } else { _ = fs::copy(from, to).unwrap() }
}

/// The tables that an entry stands for; all where nothing may be served without it.
fn reach(entry: &str, tables: &BTreeMap<String, String>) -> Option<BTreeSet<String>> {
    let mut parts = entry.splitn(2, '/');
    let (top, rest) = (parts.next().unwrap(), parts.next().unwrap_or_default());
    if top == "mesh.yaml" || top == "governance" {
        return None;
    }
    let of_domain = tables.iter().filter(|(table, _)| table.starts_with(&format!("{top}.")));
    let reached = of_domain.filter(|(_, file)| match rest {
        rest if rest.ends_with(".odcs.yaml") => *file == entry,
        // Tests say nothing of what is served.
        rest => !rest.ends_with(".test.yaml"),
    });
    Some(reached.map(|(table, _)| table.clone()).collect())
}

#[test]
fn unreadable_entry_denies_what_it_says() {
    let copy = Copy::new();
    let principals = Principals::parse(PRINCIPALS, "principals.yaml").unwrap();
    let whole = copy.read();
    let before = Loaded::of(&whole, &principals, |_, _| true);
    assert!(!before.refused && before.findings.is_empty() && before.access.cells.len() >= 12);
    let snapshot = load(&whole).unwrap();
    let contract = |entry: &meshgate::mesh::TableEntry| entry.product.contract.file.clone();
    let tables = snapshot.tables.iter().map(|(table, entry)| (table.to_string(), contract(entry))).collect();
    // Most ways leave the same files; what is loaded depends on nothing else.
    let mut known: BTreeMap<Vec<String>, Loaded> = BTreeMap::new();
    let mut tried = 0;
    for (turn, entry) in copy.entries().into_iter().enumerate() {
        for way in Way::ALL {
            let Some((made, named)) = way.mangle(&copy, &entry) else { continue };
            tried += 1;
            let files = copy.read();
            way.restore(&copy, &entry, &made);
            let case = format!("{way:?} of {entry}");
            if way == Way::LinkInside {
                assert_eq!(files, whole, "{case}");
                continue;
            }
            let key: Vec<String> =
                files.texts.keys().cloned().chain(["|".to_owned()]).chain(files.unreadable.keys().cloned()).collect();
            let denied = reach(&entry, &tables);
            // What must be denied is asked for everybody, the rest for one principal in turn: each answer takes milliseconds.
            let asks = |at: usize, table: &str| {
                denied.as_ref().is_some_and(|denied| denied.contains(table))
                    || way == Way::LinkOut && at == turn % principals.iter().count()
            };
            let after = known.entry(key).or_insert_with(|| Loaded::of(&files, &principals, asks));
            assert!(after.names(&named), "{case}: no error names it: {:#?}", after.findings);
            let Some(denied) = &denied else {
                assert!(after.refused, "{case}: the mesh is served");
                continue;
            };
            assert!(!after.refused, "{case}: the whole mesh is refused");
            for ((who, table), exposed) in &after.access.cells {
                assert!(!denied.contains(table), "{case}: {who} reads {table}");
                let was = before.access.cells.get(&(who.clone(), table.clone()));
                assert_eq!(Some(exposed), was, "{case}: {who} sees {table} otherwise");
            }
            assert!(
                after.access.actions.is_subset(&before.access.actions),
                "{case}: an action is permitted that was not"
            );
        }
    }
    assert_eq!(copy.read(), whole, "everything is as it was");
    assert!(tried > 250, "{tried}");
}

#[test]
fn folders_mounted_as_config_maps_are_read() {
    let copy = Copy::new();
    let whole = copy.read();
    let root = copy.root();
    let folders = copy.entries().into_iter().filter(|entry| root.join(entry).is_dir());
    // A volume is a hidden folder of files, a link to it, and a link through that for each file. Folders inside are links too.
    for folder in folders.rev().chain([String::new()]) {
        let (path, kept) = (root.join(&folder), copy.outside());
        fs::rename(&path, &kept).unwrap();
        fs::create_dir(&path).unwrap();
        fs::rename(&kept, path.join("..2024_11_30")).unwrap();
        symlink("..2024_11_30", path.join("..data")).unwrap();
        for entry in fs::read_dir(path.join("..2024_11_30")).unwrap() {
            let name = entry.unwrap().file_name();
            if !name.to_str().unwrap().starts_with('.') {
                symlink(Path::new("..data").join(&name), path.join(&name)).unwrap();
            }
        }
        assert_eq!(copy.read(), whole, "`{folder}`");
    }
}

#[test]
fn folder_reached_twice_is_unreadable() {
    let copy = Copy::new();
    let principals = Principals::parse(PRINCIPALS, "principals.yaml").unwrap();
    // The people partner and the privacy officer: of all that read `hr`.
    let asks = |at: usize, _: &str| [2, 3].contains(&at);
    let whole = Loaded::of(&copy.read(), &principals, asks);
    for (link, target, refused) in [
        ("aaa", "governance", false),
        ("hr/up", "..", false),
        ("hr/self", ".", false),
        ("hr/more", "../sales/policies", false),
        ("governance/more", "../hr/policies", true),
    ] {
        let link_path = copy.root().join(link);
        symlink(target, &link_path).unwrap();
        let after = Loaded::of(&copy.read(), &principals, asks);
        fs::remove_file(link_path).unwrap();
        assert!(after.names(link), "{link}: {:#?}", after.findings);
        assert_eq!(after.refused, refused, "{link}");
        let hr = after.access.cells.keys().filter(|(_, table)| table.starts_with("hr.")).count();
        assert_eq!(hr == 0, link != "aaa", "{link}");
        for (key, exposed) in &after.access.cells {
            assert_eq!(Some(exposed), whole.access.cells.get(key), "{link}");
        }
    }
}

#[test]
fn skipped_policy_files_are_warned_of() {
    let copy = Copy::new();
    for name in
        ["pii.cedar.txt", "pii.cedar~", "pii.cedar.bak", "pii.json", ".pii.cedar", "pii.yaml", "README.md", ".gitkeep"]
    {
        for folder in ["governance", "sales/policies", "sales"] {
            fs::write(copy.root().join(folder).join(name), "").unwrap();
        }
    }
    fs::write(copy.root().join("finance"), "../elsewhere/finance").unwrap();
    let hidden = [
        ("governance/.sub", "pii.cedar"),
        ("sales/policies/.sub", "pii.cedar"),
        ("sales/.sub", "pii.cedar"),
        ("governance/.git", "config"),
    ];
    for (folder, file) in hidden {
        fs::create_dir(copy.root().join(folder)).unwrap();
        fs::write(copy.root().join(folder).join(file), "").unwrap();
    }
    let snapshot = load(&copy.read()).unwrap();
    let mut expected = vec!["`finance` is not read".to_owned()];
    for folder in ["governance", "sales/policies"] {
        for name in [".pii.cedar", ".sub", "pii.cedar.bak", "pii.cedar.txt", "pii.cedar~", "pii.json", "pii.yaml"] {
            expected.push(format!("`{folder}/{name}` is not read"));
        }
    }
    expected.push("`sales/pii.yaml` is not read".to_owned());
    let mut found: Vec<String> = snapshot.findings.iter().map(|finding| finding.message.clone()).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert!(snapshot.findings.iter().all(|finding| finding.severity == Severity::Warning));
}

#[test]
fn required_governance_must_be_there() {
    let copy = Copy::new();
    let governance = copy.root().join("governance");
    let refused = |copy: &Copy| load(&copy.read()).err().map(|findings| findings[0].message.clone());
    assert_eq!(refused(&copy), None);
    for file in fs::read_dir(&governance).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "cedar") {
            fs::write(path, "// nothing yet\n\n").unwrap();
        }
    }
    let message = Some("the mesh requires policies in `governance`, but has none".to_owned());
    assert_eq!(refused(&copy), message, "files that say nothing");
    fs::remove_dir_all(&governance).unwrap();
    fs::create_dir(&governance).unwrap();
    assert_eq!(refused(&copy), message, "an empty folder");
    fs::remove_dir(&governance).unwrap();
    assert_eq!(refused(&copy), message, "no folder");
    let text = fs::read_to_string(copy.root().join("mesh.yaml")).unwrap();
    fs::write(copy.root().join("mesh.yaml"), text.replace("governance: required", "governance: optional")).unwrap();
    assert_eq!(refused(&copy), None);
    let warning = |copy: &Copy| missing_governance(&copy.read(), &load(&copy.read()).unwrap().mesh);
    assert_eq!(warning(&copy), None, "it says that there need be none");
    fs::write(copy.root().join("mesh.yaml"), text.replace("governance: required\n", "")).unwrap();
    let warning = warning(&copy).unwrap();
    assert_eq!(
        (warning.severity, warning.message.as_str()),
        (Severity::Warning, "the mesh has no policy in `governance`")
    );
    fs::write(copy.root().join("mesh.yaml"), text.replace("governance: required", "governance: yes")).unwrap();
    assert!(refused(&copy).unwrap().contains("yes"), "{:?}", refused(&copy));
}
