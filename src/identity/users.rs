//! The users file: names, Argon2id hashes, roles, attributes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use toml::Spanned;

use super::{AttributeValue, Principal};
use crate::diagnostic::{Diagnostic, Kind, Place, Result};
use crate::name::{PrincipalName, RoleName};

/// The principal of callers without credentials, where they are accepted; no user may take the name.
pub const ANONYMOUS: &str = "anonymous";

/// The users that may log in by password.
#[derive(Debug, Clone, Default)]
pub struct UsersFile {
    users: BTreeMap<PrincipalName, User>,
}

#[derive(Debug, Clone)]
pub(in crate::identity) struct User {
    /// PHC text, `$argon2id$v=19$…`, checked to be readable.
    pub(in crate::identity) hash: String,
    pub(in crate::identity) principal: Principal,
    place: Place,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    users: BTreeMap<String, Spanned<RawUser>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUser {
    password: Spanned<String>,
    #[serde(default)]
    roles: Vec<Spanned<String>>,
    #[serde(default)]
    attributes: BTreeMap<String, RawValue>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "an attribute is text, a whole number, true or false, or a list of text")]
enum RawValue {
    Bool(bool),
    Long(i64),
    String(String),
    StringSet(BTreeSet<String>),
}

impl UsersFile {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `NotFound` or `Invalid`, with file, line and column.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Diagnostic::error(Kind::NotFound, format!("cannot read the users file `{}`: {error}", path.display()))
                .hint("make it with `meshgate user add NAME --role ROLE --users FILE`")
        })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Parses TOML text; `file` names it in findings.
    ///
    /// # Errors
    /// `Invalid` with the place; a hash is never repeated.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let invalid = |offset: usize, message: String| {
            Diagnostic::error(Kind::Invalid, message).at(Place::at_offset(file, text, offset))
        };
        let document: Document = toml::from_str(text).map_err(|error| {
            invalid(error.span().map_or(0, |span| span.start), error.message().replace('\n', " "))
                .hint("a user is `[users.NAME]` with `password`, `roles` and `attributes`")
        })?;
        let mut users = BTreeMap::new();
        for (name, user) in document.users {
            let start = user.span().start;
            let user = user.into_inner();
            let name: PrincipalName =
                name.parse().map_err(|error| Diagnostic::from(error).at(Place::at_offset(file, text, start)))?;
            if name.as_str() == ANONYMOUS || name.as_str().contains(':') {
                return Err(invalid(start, format!("`{name}` cannot be the name of a user"))
                    .hint("`anonymous` stands for callers without credentials, and a `:` ends the name in a header"));
            }
            let at = user.password.span().start;
            let hash = user.password.into_inner();
            if !readable(&hash) {
                return Err(invalid(at, format!("the password of `{name}` is not an Argon2id hash"))
                    .hint(format!("write it with `meshgate user add {name}`")));
            }
            let mut roles = BTreeSet::new();
            for role in user.roles {
                let at = role.span().start;
                let role: RoleName = role
                    .into_inner()
                    .parse()
                    .map_err(|error| Diagnostic::from(error).at(Place::at_offset(file, text, at)))?;
                roles.insert(role);
            }
            let attributes = user.attributes.into_iter().map(|(key, value)| (key, value.into())).collect();
            let principal = Principal::new(name.clone(), roles, attributes);
            let place = Place::at_offset(file, text, start);
            users.insert(name, User { hash, principal, place });
        }
        Ok(Self { users })
    }

    /// Who this user would be after a login; for offline evaluation (`check`, tests of policies).
    pub fn principal(&self, name: &str) -> Option<Principal> {
        self.user(name).map(|user| user.principal.clone())
    }

    /// Where the file describes a user.
    pub fn place(&self, name: &str) -> Option<&Place> {
        self.user(name).map(|user| &user.place)
    }

    /// The same users without the roles and attributes that `role` and `attribute` refuse.
    #[must_use]
    pub fn limited(
        mut self,
        role: impl Fn(&RoleName) -> bool,
        attribute: impl Fn(&str, &AttributeValue) -> bool,
    ) -> Self {
        for user in self.users.values_mut() {
            let roles = user.principal.roles().iter().filter(|name| role(name)).cloned().collect();
            let attributes = user.principal.attributes().iter().filter(|(name, value)| attribute(name, value));
            let attributes = attributes.map(|(name, value)| (name.clone(), value.clone())).collect();
            user.principal = Principal::new(user.principal.name().clone(), roles, attributes);
        }
        self
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &PrincipalName> {
        self.users.keys()
    }

    pub(in crate::identity) fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    pub(in crate::identity) fn hashes(&self) -> impl Iterator<Item = &str> {
        self.users.values().map(|user| user.hash.as_str())
    }
}

impl From<RawValue> for AttributeValue {
    fn from(raw: RawValue) -> Self {
        match raw {
            RawValue::Bool(value) => Self::Bool(value),
            RawValue::Long(value) => Self::Long(value),
            RawValue::String(value) => Self::String(value),
            RawValue::StringSet(value) => Self::StringSet(value),
        }
    }
}

fn readable(hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        hash.algorithm.as_str() == "argon2id"
            && hash.hash.is_some()
            && hash.salt.is_some()
            && argon2::Params::try_from(&hash).is_ok()
    })
}

/// The Argon2id hash that goes into the users file, with a new salt and the parameters OWASP recommends (19 MiB, 2 passes).
///
/// # Errors
/// `Invalid` for an empty password.
pub fn hash_password(password: &SecretString) -> Result<String> {
    if password.expose_secret().is_empty() {
        return Err(Diagnostic::error(Kind::Invalid, "the password is empty").hint("choose a longer one"));
    }
    Argon2::default()
        .hash_password(password.expose_secret().as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| Diagnostic::error(Kind::Internal, format!("cannot hash the password: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ana` hashed with the smallest parameters, so that tests are quick.
    pub(in crate::identity) const HASH: &str =
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$0000000000000000000000000000000000000000000";

    fn file(text: &str) -> String {
        text.replace("HASH", HASH)
    }

    #[test]
    fn a_user_has_roles_and_typed_attributes() {
        let users = UsersFile::parse(
            &file("[users.ana]\npassword = 'HASH'\nroles = ['analyst']\nattributes = { region = 'EU', clearance = 1, countries = ['DE', 'FR'], staff = true }\n"),
            "users.toml",
        )
        .unwrap();
        let ana = users.principal("ana").unwrap();
        assert_eq!(ana.roles().iter().map(RoleName::as_str).collect::<Vec<_>>(), ["analyst"]);
        let attributes = ana.attributes();
        assert_eq!(attributes["region"], AttributeValue::String("EU".to_owned()));
        assert_eq!(attributes["clearance"], AttributeValue::Long(1));
        assert_eq!(attributes["countries"], AttributeValue::StringSet(["DE".to_owned(), "FR".to_owned()].into()));
        assert_eq!(attributes["staff"], AttributeValue::Bool(true));
        assert!(users.principal("Ana").is_none(), "names compare exactly");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, place, part) in [
            ("[users.ana]\npassword = 'HASH'\nrole = ['x']\n", "users.toml:3:1", "role"),
            ("[user.ana]\npassword = 'HASH'\n", "users.toml:1:2", "user"),
            ("[users.ana]\npassword = 'ana'\n", "users.toml:2:12", "not an Argon2id hash"),
            ("[users.ana]\npassword = 'HASH'\nroles = ['a', ' b']\n", "users.toml:3:15", "white space"),
            ("[users.anonymous]\npassword = 'HASH'\n", "users.toml:1:1", "anonymous"),
            (
                "[users.ana]\npassword = 'HASH'\nattributes = { a = 1.5 }\n",
                "users.toml:3:20",
                "an attribute is text, a whole number",
            ),
        ] {
            let error = UsersFile::parse(&file(text), "users.toml").unwrap_err();
            assert_eq!(error.place.as_ref().map(ToString::to_string).as_deref(), Some(place), "{text}\n{error}");
            assert!(error.message.contains(part), "{error}");
            assert!(!error.message.contains("RawValue"), "{error}");
        }
    }

    #[test]
    fn a_hash_that_was_written_is_read_again() {
        let hash = hash_password(&SecretString::from("ana")).unwrap();
        assert!(readable(&hash), "{hash}");
        assert!(hash_password(&SecretString::from("")).is_err());
    }
}
