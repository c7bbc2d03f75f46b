//! The folder: what stands in it, what a second start does, what is refused.

use std::collections::BTreeSet;

use super::super::{PRINCIPALS, catalogs, prepare};
use super::{SCALE, digests, fresh, shared};
use crate::config::Config;
use crate::diagnostic::Kind;

#[test]
fn the_configuration_is_one_that_the_gateway_accepts() {
    use secrecy::ExposeSecret as _;

    let config = Config::load(&shared().join("meshgate.toml")).unwrap();
    assert_eq!(config.catalogs, shared().join("catalogs"));
    assert!(config.auth.users.is_file());
    let domains: Vec<&str> = config.storage.domains.keys().map(String::as_str).collect();
    assert_eq!(domains, ["hr", "logistics", "marketing", "sales"]);
    let mut keys = BTreeSet::new();
    for domain in config.storage.domains.values() {
        assert!(domain.root.as_ref().unwrap().is_dir());
        keys.insert(domain.hash_key.as_ref().unwrap().read().unwrap().expose_secret().to_owned());
    }
    assert_eq!(keys.len(), 4, "a hash of one domain means nothing in another");
    assert!(keys.iter().all(|key| key.len() == 64));
}

#[test]
fn passwords_are_the_names_hashed_with_argon2id() {
    use argon2::password_hash::PasswordVerifier as _;
    use argon2::password_hash::phc::PasswordHash;

    let text = std::fs::read_to_string(shared().join("users.toml")).unwrap();
    let users: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(users["users"].as_table().unwrap().len(), 7);
    for principal in PRINCIPALS {
        let user = &users["users"][principal.name];
        let hash = user["password"].as_str().unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let parsed = PasswordHash::new(hash).unwrap();
        argon2::Argon2::default().verify_password(principal.name.as_bytes(), &parsed).unwrap();
        assert!(argon2::Argon2::default().verify_password(b"other", &parsed).is_err());
    }
    assert_eq!(users["users"]["ana"]["roles"].as_array().unwrap()[0].as_str(), Some("analyst"));
    assert_eq!(users["users"]["ana"]["attributes"]["clearance"].as_integer(), Some(1));
    assert_eq!(users["users"]["ana"]["attributes"]["region"].as_str(), Some("EU"));
    assert!(users["users"]["eve"]["roles"].as_array().unwrap().is_empty());
}

#[cfg(unix)]
#[test]
fn secrets_are_for_their_owner_and_the_rest_for_everyone() {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = |name: &str| std::fs::metadata(shared().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("users.toml"), mode("keys/sales.key")), (0o600, 0o600));
    assert_eq!((mode("meshgate.toml"), mode("data/logistics/carriers.csv")), (0o644, 0o644));
}

#[test]
fn catalogs_are_those_of_the_binary() {
    for (name, content) in catalogs::embedded() {
        assert_eq!(std::fs::read(shared().join("catalogs").join(&name)).unwrap(), content, "{name}");
    }
}

#[test]
fn a_second_start_writes_nothing_and_keeps_edits() {
    let dir = fresh(0.0001);
    std::fs::write(dir.path().join("catalogs/mesh.yaml"), "edited").unwrap();
    std::fs::write(dir.path().join("users.toml"), "edited").unwrap();
    std::fs::remove_file(dir.path().join("data/logistics/carriers.csv")).unwrap();
    let before = digests(dir.path());
    let prepared = prepare(dir.path(), 0.0001).unwrap();
    assert!(prepared.reused);
    assert_eq!(digests(dir.path()), before);
}

#[test]
fn an_interrupted_start_is_redone_and_keeps_edits() {
    let whole = fresh(0.0001);
    let dir = fresh(0.0001);
    let marker = dir.path().join(".meshgate-demo.toml");
    let text = std::fs::read_to_string(&marker).unwrap();
    std::fs::write(&marker, text.replace("complete = true", "complete = false")).unwrap();
    std::fs::write(dir.path().join("catalogs/mesh.yaml"), "edited").unwrap();
    std::fs::write(dir.path().join("data/hr/employees.parquet"), "half").unwrap();
    std::fs::write(dir.path().join("data/sales/orders/order_year=2023/part-9.parquet"), "left over").unwrap();

    assert!(!prepare(dir.path(), 0.0001).unwrap().reused);
    assert_eq!(digests(&dir.path().join("data")), digests(&whole.path().join("data")));
    assert_eq!(std::fs::read_to_string(dir.path().join("catalogs/mesh.yaml")).unwrap(), "edited");
    assert!(prepare(dir.path(), 0.0001).unwrap().reused);
}

#[test]
fn another_scale_is_refused_and_nothing_is_lost() {
    let dir = fresh(0.0001);
    let before = digests(dir.path());
    let error = prepare(dir.path(), 0.01).unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.message.contains("`--scale 0.0001`"), "{}", error.message);
    assert_eq!(digests(dir.path()), before);
}

#[test]
fn a_scale_out_of_range_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
        assert_eq!(prepare(dir.path(), scale).unwrap_err().kind, Kind::Invalid, "{scale}");
    }
}

#[test]
fn a_folder_below_a_file_is_one_clear_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("plain");
    std::fs::write(&file, "text").unwrap();
    let error = prepare(&file.join("below/demo"), SCALE).unwrap_err();
    assert!(error.message.contains(&format!("`{}` is a file", file.display())), "{}", error.message);
    assert!(!error.hints.is_empty());
}

#[test]
fn a_folder_with_other_files_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::write(dir.path().join("data/mine.txt"), "mine").unwrap();
    let before = digests(dir.path());
    assert_eq!(prepare(dir.path(), SCALE).unwrap_err().kind, Kind::Invalid);
    assert_eq!(digests(dir.path()), before);
}

#[test]
fn two_starts_at_once_make_one_demo() {
    let dir = tempfile::tempdir().unwrap();
    let reused: Vec<bool> = std::thread::scope(|scope| {
        let starts = [(); 2].map(|()| scope.spawn(|| prepare(dir.path(), 0.0001).unwrap().reused));
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert_eq!(reused.iter().filter(|reused| **reused).count(), 1, "{reused:?}");
}
