//! `meshgate user`: the users file, edited without losing what else stands in it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use secrecy::{ExposeSecret as _, SecretString};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};

use crate::config::{self, Config};
use crate::diagnostic::{Diagnostic, Kind, Result, Severity, render_human};
use crate::identity::{Principal, UsersFile, hash_password};
use crate::mesh::{Files, Mesh, load};
use crate::name::{PrincipalName, RoleName};
use crate::policy::Principals;

/// Add, remove and list the users that may log in by password
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// The users file, as `auth.users` of the configuration names it
    #[arg(long, global = true, value_name = "FILE", default_value = "users.toml")]
    users: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user; the password is asked for twice, or read from MESHGATE_PASSWORD
    Add(Add),
    /// Remove a user; logins that are open stay open until the gateway restarts
    Remove {
        /// Name of the user
        name: String,
    },
    /// List users with their roles
    List,
}

#[derive(Debug, clap::Args)]
struct Add {
    /// Name of the user; compares exactly
    name: String,
    /// A role that mesh.yaml declares; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// An attribute that mesh.yaml declares: `region=EU`, `clearance=1`, `staff=true`, `countries=[DE,FR]`, `code="1"` for text
    #[arg(long = "attribute", value_name = "KEY=VALUE")]
    attributes: Vec<String>,
    /// Replace the user if there is one of this name
    #[arg(long)]
    replace: bool,
    /// The catalogs whose `mesh.yaml` declares roles and attributes
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    catalogs: Option<PathBuf>,
    /// The configuration that names the catalogs; without either, the `meshgate.toml` here or beside the users file that names this
    /// users file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the command; answers the exit code.
pub fn run(args: &Args) -> u8 {
    let done = match &args.command {
        Command::Add(add) => {
            new_password().and_then(|password| insert_known(&args.users, add, &password)).map(|note| {
                format!("{note}`{}` may log in once the gateway has read `{}`", add.name, args.users.display())
            })
        }
        Command::Remove { name } => edit(&args.users, |document| remove(document, name))
            .map(|()| format!("`{name}` is removed from `{}`", args.users.display())),
        Command::List => list(&args.users),
    };
    match done {
        Ok(text) => {
            // A closed pipe is no failure of the command.
            let _ = writeln!(std::io::stdout(), "{text}");
            0
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{}", render_human(&error));
            1
        }
    }
}

fn new_password() -> Result<SecretString> {
    if let Some(password) = config::environment("MESHGATE_PASSWORD") {
        return Ok(SecretString::from(password));
    }
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt).map(SecretString::from).map_err(|error| {
            Diagnostic::error(Kind::Unavailable, format!("cannot ask for the password: {error}"))
                .hint("without a terminal, set MESHGATE_PASSWORD")
        })
    };
    let (first, second) = (ask("Password: ")?, ask("Once more: ")?);
    if first.expose_secret() != second.expose_secret() {
        return Err(Diagnostic::error(Kind::Invalid, "the two passwords differ").hint("try again"));
    }
    Ok(first)
}

/// Adds a user whose roles and attributes the mesh knows; answers what to say where no mesh was found to ask.
fn insert_known(file: &Path, add: &Add, password: &SecretString) -> Result<String> {
    let mesh = mesh_of(file, add)?;
    edit(file, |document| {
        insert(document, add, password)?;
        mesh.as_ref().map_or(Ok(()), |mesh| check(&document.to_string(), &add.name, mesh))
    })?;
    let checked = mesh.is_some() || add.roles.is_empty() && add.attributes.is_empty();
    Ok(if checked { "" } else { "roles and attributes were not checked: name the mesh with `--catalogs DIR`\n" }
        .to_owned())
}

/// The mesh that serves these users, as far as it can be found.
fn mesh_of(users: &Path, add: &Add) -> Result<Option<Mesh>> {
    let catalogs = match (&add.catalogs, &add.config) {
        (Some(catalogs), _) => catalogs.clone(),
        (None, Some(config)) => Config::load(config)?.catalogs,
        (None, None) => match nearby(users)? {
            Some(config) => config.catalogs,
            None => return Ok(None),
        },
    };
    let first = |findings: Vec<Diagnostic>| {
        let error = findings.into_iter().find(|finding| finding.severity == Severity::Error);
        error.unwrap_or_else(|| Diagnostic::error(Kind::Invalid, "the catalogs cannot be loaded"))
    };
    let files = Files::read(&catalogs)?;
    load(&files).map(|snapshot| Some(snapshot.mesh)).map_err(first)
}

/// A configuration here or beside the users file, if it is one of this users file.
fn nearby(users: &Path) -> Result<Option<Config>> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    for folder in [Some(Path::new("")), users.parent()].into_iter().flatten() {
        let file = folder.join("meshgate.toml");
        if !file.exists() {
            continue;
        }
        let config = Config::load(&file).map_err(|error| {
            error.hint("or name the mesh with `--catalogs DIR`, or another file with `--config FILE`")
        })?;
        if real(&config.auth.users) == real(users) {
            return Ok(Some(config));
        }
    }
    Ok(None)
}

/// Refuses roles and attributes of a user that the mesh does not declare.
fn check(text: &str, name: &str, mesh: &Mesh) -> Result<()> {
    let users = UsersFile::parse(text, "users.toml")?;
    let findings = Principals::of_users(&users).get(name).map(|user| user.check(&[mesh])).unwrap_or_default();
    let mut findings = findings.into_iter();
    let Some(first) = findings.next() else { return Ok(()) };
    let others = findings.map(|finding| format!("also, {}", finding.message));
    Err(others.fold(Diagnostic { place: None, ..first }, Diagnostic::hint))
}

fn list(file: &Path) -> Result<String> {
    let users = UsersFile::load(file)?;
    let line = |name: &PrincipalName| {
        let principal = users.principal(name.as_str());
        let roles = principal.iter().flat_map(Principal::roles).map(RoleName::as_str);
        format!("{name}\t{}", roles.collect::<Vec<_>>().join(","))
    };
    Ok(users.names().map(line).collect::<Vec<_>>().join("\n"))
}

/// Reads, changes, checks and writes; a file that would not load is never written.
fn edit(file: &Path, change: impl FnOnce(&mut DocumentMut) -> Result<()>) -> Result<()> {
    // Through a link, so that the file it names is replaced and not the link.
    let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let shown = file.display().to_string();
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Diagnostic::error(Kind::Unavailable, format!("cannot {what} the users file `{shown}`: {error}"))
    };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed("read", &error)),
    };
    UsersFile::parse(&text, &shown)?;
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| failed("read", &error.message()))?;
    change(&mut document)?;
    let text = document.to_string();
    UsersFile::parse(&text, &shown)?;
    write(&file, &text).map_err(|error| failed("write", &error))
}

/// All or nothing, readable by the owner only (a temporary file has mode 0600).
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

fn insert(document: &mut DocumentMut, add: &Add, password: &SecretString) -> Result<()> {
    let name: PrincipalName = add.name.parse()?;
    let mut roles = Array::new();
    for role in &add.roles {
        let role: RoleName = role.parse()?;
        roles.push(role.as_str());
    }
    let mut attributes = InlineTable::new();
    for attribute in &add.attributes {
        let (key, value) = parse_attribute(attribute)?;
        attributes.insert(key, value);
    }
    let users = users(document)?;
    if users.contains_key(name.as_str()) && !add.replace {
        return Err(Diagnostic::error(Kind::Invalid, format!("there is a user `{name}` already"))
            .hint("add `--replace` to set password, roles and attributes anew"));
    }
    let mut user = Table::new();
    user.insert("password", hash_password(password)?.into());
    user.insert("roles", roles.into());
    user.insert("attributes", attributes.into());
    users.insert(name.as_str(), Item::Table(user));
    Ok(())
}

fn remove(document: &mut DocumentMut, name: &str) -> Result<()> {
    match users(document)?.remove(name) {
        Some(_) => Ok(()),
        None => Err(Diagnostic::error(Kind::NotFound, format!("there is no user `{name}`"))
            .hint("`meshgate user list` shows all; names compare exactly")),
    }
}

fn users(document: &mut DocumentMut) -> Result<&mut dyn toml_edit::TableLike> {
    let users = document.entry("users").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    users.as_table_like_mut().ok_or_else(|| Diagnostic::error(Kind::Invalid, "`users` is not a table"))
}

fn parse_attribute(text: &str) -> Result<(&str, Value)> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
        Diagnostic::error(Kind::Invalid, format!("`{text}` is not an attribute")).hint("write it as `region=EU`")
    })?;
    if let Some(items) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let items = items.split(',').map(|item| unquoted(item.trim())).filter(|item| !item.is_empty());
        return Ok((key, items.collect::<Array>().into()));
    }
    let value = match (value.parse::<bool>(), value.parse::<i64>()) {
        (Ok(flag), _) => flag.into(),
        (_, Ok(number)) => number.into(),
        _ => unquoted(value).into(),
    };
    Ok((key, value))
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::identity::AttributeValue;

    fn add(file: &Path, name: &str, attributes: &[&str], replace: bool) -> Result<()> {
        let add = Add {
            name: name.to_owned(),
            roles: vec!["analyst".to_owned()],
            attributes: attributes.iter().map(|text| (*text).to_owned()).collect(),
            replace,
            catalogs: None,
            config: None,
        };
        insert_known(file, &add, &SecretString::from("secret")).map(drop)
    }

    #[test]
    fn unknown_roles_and_attributes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users.toml");
        let given = |roles: &[&str], attributes: &[&str], catalogs: bool| Add {
            name: "ana".to_owned(),
            roles: roles.iter().map(|text| (*text).to_owned()).collect(),
            attributes: attributes.iter().map(|text| (*text).to_owned()).collect(),
            replace: true,
            catalogs: catalogs.then(|| folder.path().join("catalogs")),
            config: None,
        };
        let add = |add: &Add| insert_known(&file, add, &SecretString::from("secret"));
        let unchecked = add(&given(&["analyts"], &[], false)).unwrap();
        assert!(unchecked.contains("were not checked"), "{unchecked}");
        std::fs::create_dir(folder.path().join("catalogs")).unwrap();
        let mesh = "roles: [analyst]\nclassifications: [public]\nprincipal_attributes: {region?: String}\n";
        std::fs::write(folder.path().join("catalogs/mesh.yaml"), mesh).unwrap();
        let before = std::fs::read_to_string(&file).unwrap();
        let error = add(&given(&["analyts"], &["regoin=EU", "region=1"], true)).unwrap_err();
        assert_eq!(error.message, "there is no role `analyts` in this mesh");
        assert_eq!(error.hints[0], "did you mean `analyst`?");
        assert!(error.hints.iter().any(|hint| hint.contains("no attribute `regoin`")), "{:?}", error.hints);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before, "nothing was written");
        std::fs::write(folder.path().join("meshgate.toml"), "bogus = 1\n").unwrap();
        let broken = add(&given(&["analyts"], &[], false)).unwrap_err();
        assert!(broken.message.contains("bogus"), "{broken}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before, "nothing was written");
        std::fs::write(folder.path().join("meshgate.toml"), "catalogs = 'catalogs'\n[auth]\nusers = 'users.toml'\n")
            .unwrap();
        assert!(add(&given(&["analyts"], &[], false)).is_err(), "the configuration beside the users file is found");
        assert_eq!(add(&given(&["analyst"], &["region=EU"], false)).unwrap(), "");
        assert!(UsersFile::load(&file).unwrap().principal("ana").unwrap().roles().contains("analyst"));
    }

    #[test]
    fn the_arguments_are_as_documented() {
        use clap::{Args as _, FromArgMatches as _};
        let command = Args::augment_args(clap::Command::new("user"));
        command.clone().debug_assert();
        let words = "user add ana --role analyst --role reader --attribute region=EU --users u.toml";
        let args = Args::from_arg_matches(&command.get_matches_from(words.split(' '))).unwrap();
        assert_eq!(args.users, Path::new("u.toml"));
        let Command::Add(add) = args.command else { panic!("not add") };
        assert_eq!((add.roles.len(), add.attributes.len(), add.replace), (2, 1, false));
    }

    #[test]
    fn a_user_is_added_beside_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users.toml");
        add(&file, "bob", &[], false).unwrap();
        let before = format!("# ours\n\n{}", std::fs::read_to_string(&file).unwrap());
        std::fs::write(&file, &before).unwrap();
        let attributes = ["region=EU", "clearance=1", "staff=true", "countries=[DE, \"FR\"]", "code=\"7\"", "note=a=b"];
        add(&file, "ana maria", &attributes, false).unwrap();

        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(&before), "{text}");
        assert!(!text.contains("secret"));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let ana = UsersFile::load(&file).unwrap().principal("ana maria").unwrap();
        let is = |text: &str| AttributeValue::String(text.to_owned());
        assert_eq!(ana.attributes()["region"], is("EU"));
        assert_eq!(ana.attributes()["clearance"], AttributeValue::Long(1));
        assert_eq!(ana.attributes()["staff"], AttributeValue::Bool(true));
        assert_eq!(ana.attributes()["countries"], AttributeValue::StringSet(["DE", "FR"].map(str::to_owned).into()));
        assert_eq!(ana.attributes()["code"], is("7"));
        assert_eq!(ana.attributes()["note"], is("a=b"));
        assert_eq!(list(&file).unwrap(), "ana maria\tanalyst\nbob\tanalyst");
    }

    #[test]
    fn a_user_is_replaced_only_on_demand_and_removed_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users.toml");
        add(&file, "ana", &["region=EU"], false).unwrap();
        assert!(add(&file, "ana", &[], false).unwrap_err().hints[0].contains("--replace"));
        add(&file, "ana", &[], true).unwrap();
        assert!(UsersFile::load(&file).unwrap().principal("ana").unwrap().attributes().is_empty());
        edit(&file, |document| remove(document, "ana")).unwrap();
        assert_eq!(edit(&file, |document| remove(document, "ana")).unwrap_err().kind, Kind::NotFound);
    }

    #[test]
    fn a_file_that_is_wrong_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users.toml");
        std::fs::write(&file, "[users.bob]\npassword = 'plain'\n").unwrap();
        assert!(add(&file, "ana", &[], false).unwrap_err().place.is_some());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "[users.bob]\npassword = 'plain'\n");
        std::fs::remove_file(&file).unwrap();
        assert!(add(&file, "anonymous", &[], false).is_err());
        assert!(add(&file, "ana", &["region"], false).is_err());
        assert!(!file.exists());
    }
}
