//! People on paper: the principals that access is asked about without a server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::vocabulary::suggestion;
use crate::contract::locate::{At, Node, Value, parse};
use crate::contract::shape::{Expect, Findings, Shape, key, quote, walk};
use crate::diagnostic::{Diagnostic, Kind, Place};
use crate::identity::{AttributeValue, Principal, UsersFile};
use crate::mesh::{AttributeType, Mesh};
use crate::name::{Purpose, RoleName};

/// Principals by name: a YAML mapping of `name: { roles, attributes, purpose }`, or a users file (`.toml`).
#[derive(Debug, Clone, Default)]
pub struct Principals(BTreeMap<String, Described>);

/// One principal, and what its session says it is for.
#[derive(Debug, Clone)]
pub struct Described {
    pub principal: Principal,
    /// Empty where none is given.
    pub purpose: String,
    pub place: Place,
    /// Roles and attributes, each where it stands.
    words: Vec<(Word, Place)>,
}

#[derive(Debug, Clone)]
enum Word {
    Role(String),
    Attribute(String),
    Purpose(String),
}

pub(crate) static PRINCIPAL: Shape = Shape {
    what: "principal",
    keys: &[&[key("roles", Expect::List(&Expect::Text)), key("attributes", Expect::Any), key("purpose", Expect::Text)]],
};

impl Principals {
    /// Reads a file; one that ends in `.toml` is a users file.
    ///
    /// # Errors
    /// The file cannot be read, or everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![
                Diagnostic::error(Kind::NotFound, format!("cannot read the principals file `{file}`: {error}"))
                    .hint("it is a YAML mapping of `name: { roles: […], attributes: {…} }`, or a users file"),
            ]
        })?;
        if path.extension().is_some_and(|ending| ending == "toml") {
            return UsersFile::parse(&text, &file).map(|users| Self::of_users(&users)).map_err(|finding| vec![finding]);
        }
        Self::parse(&text, &file)
    }

    /// Reads YAML text; `file` names it in findings. Roles and attributes are not yet held against a mesh.
    ///
    /// # Errors
    /// Every finding, with its place.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Diagnostic>> {
        let tree = parse(text, file).map_err(|finding| vec![finding])?;
        let mut findings = Findings::new(file);
        let found = Self::read(&tree, &mut findings);
        if found.0.is_empty() && !findings.has_errors() {
            findings.error(At::START, "no principal is described", "write `ana: { roles: [analyst] }`");
        }
        if findings.has_errors() { Err(findings.list) } else { Ok(found) }
    }

    /// Reads a mapping of principals inside another document; those with errors are left out.
    pub(crate) fn read(node: &Node, findings: &mut Findings<'_>) -> Self {
        if !matches!(node.value, Value::Map(_) | Value::Null) {
            findings.error(
                node.at,
                format!("principals must be a mapping, but are {}", node.describe()),
                "write each as `name: { roles: [analyst] }`",
            );
        }
        let read = node.entries().iter().filter_map(|entry| {
            let described = Described::read(&entry.key, entry.at, &entry.value, findings)?;
            Some((entry.key.clone(), described))
        });
        Self(read.collect())
    }

    /// The users of a file, as they would be after a login.
    pub fn of_users(users: &UsersFile) -> Self {
        let described = users.names().filter_map(|name| {
            let principal = users.principal(name.as_str())?;
            let place = users.place(name.as_str())?;
            let roles = principal.roles().iter().map(|role| Word::Role(role.to_string()));
            let attributes = principal.attributes().keys().map(|name| Word::Attribute(name.clone()));
            let words = roles.chain(attributes).map(|word| (word, place.clone())).collect();
            let described = Described { principal, purpose: String::new(), place: place.clone(), words };
            Some((name.to_string(), described))
        });
        Self(described.collect())
    }

    /// What no mesh of these knows: roles, attributes, attributes of another type. Of two meshes (before and after a
    /// change) a word need be known to one only.
    pub fn check(&self, meshes: &[&Mesh]) -> Vec<Diagnostic> {
        self.0.values().flat_map(|described| described.check(meshes)).collect()
    }

    pub fn get(&self, name: &str) -> Option<&Described> {
        self.0.get(name)
    }

    /// Sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Described> {
        self.0.values()
    }

    /// Sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Described {
    /// Reads `{ roles, attributes, purpose }`; nothing where it has an error.
    pub(crate) fn read(name: &str, at: At, node: &Node, findings: &mut Findings<'_>) -> Option<Self> {
        let before = findings.list.len();
        let mut words = Vec::new();
        if node.value != Value::Null {
            walk(node, "principal", &Expect::Map(&PRINCIPAL), findings);
        }
        let parsed = name.parse().map_err(|error| findings.add(at, Diagnostic::from(error))).ok();
        let mut roles = BTreeSet::new();
        for role in node.list("roles") {
            let Some(text) = role.text() else { continue };
            match text.parse::<RoleName>() {
                Ok(name) => _ = roles.insert(name),
                Err(error) => findings.add(role.at, Diagnostic::from(error)),
            }
            words.push((Word::Role(text.to_owned()), role.at.place(findings.file)));
        }
        let mut attributes = BTreeMap::new();
        if let Some(given) = node.get("attributes") {
            if !matches!(given.value, Value::Map(_) | Value::Null) {
                findings.error(given.at, "`attributes` must be a mapping", "write for example `{ region: EU }`");
            }
            for entry in given.entries() {
                match attribute(&entry.value) {
                    Some(value) => _ = attributes.insert(entry.key.clone(), value),
                    None => findings.error(
                        entry.value.at,
                        format!("attribute `{}` is {}", quote(&entry.key), entry.value.describe()),
                        "an attribute is text, a whole number, true or false, or a list of text",
                    ),
                }
                words.push((Word::Attribute(entry.key.clone()), entry.value.at.place(findings.file)));
            }
        }
        if let Some(purpose) = node.get("purpose") {
            words.extend(
                self::purpose(purpose, findings).map(|text| (Word::Purpose(text), purpose.at.place(findings.file))),
            );
        }
        let broken = findings.list.get(before..).is_some_and(|new| !new.is_empty());
        #[expect(clippy::disallowed_methods, reason = "a principal on paper is made here, and never for a server")]
        let principal = Principal::on_paper(parsed?, roles, attributes);
        let purpose = node.owned("purpose").unwrap_or_default();
        (!broken).then(|| Self { principal, purpose, place: at.place(findings.file), words })
    }

    /// The same principal, saying that it is for something else.
    pub(crate) fn for_purpose(&self, node: &Node, findings: &mut Findings<'_>) -> Self {
        let mut changed = self.clone();
        let before = findings.list.len();
        let said = purpose(node, findings);
        // A text that is none was told; the empty one takes the purpose away.
        if said.is_some() || findings.list.len() == before {
            changed.words.retain(|(word, _)| !matches!(word, Word::Purpose(_)));
            changed.words.extend(said.clone().map(|text| (Word::Purpose(text), node.at.place(findings.file))));
            changed.purpose = said.unwrap_or_default();
        }
        changed
    }

    /// As [`Principals::check`].
    pub(crate) fn check(&self, meshes: &[&Mesh]) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        let mut wrong = |place: &Place, message: String, hint: String| {
            findings.push(Diagnostic::error(Kind::Invalid, message).hint(hint).at(place.clone()));
        };
        for (word, place) in &self.words {
            match word {
                Word::Role(role) => {
                    if !meshes.iter().any(|mesh| mesh.roles.contains(role.as_str())) {
                        let known: BTreeSet<&RoleName> = meshes.iter().flat_map(|mesh| &mesh.roles).collect();
                        wrong(
                            place,
                            format!("there is no role `{}` in this mesh", quote(role)),
                            suggestion(role, known),
                        );
                    }
                }
                Word::Purpose(text) => {
                    let declares =
                        |mesh: &&Mesh| mesh.purposes.as_ref().is_none_or(|known| known.contains(text.as_str()));
                    if !meshes.iter().any(declares) {
                        let known: BTreeSet<&Purpose> =
                            meshes.iter().filter_map(|mesh| mesh.purposes.as_ref()).flatten().collect();
                        wrong(
                            place,
                            format!("there is no purpose `{}` in this mesh", quote(text)),
                            suggestion(text, known),
                        );
                    }
                }
                Word::Attribute(name) => {
                    let value = self.principal.attributes().get(name);
                    let declared: Vec<AttributeType> = meshes
                        .iter()
                        .filter_map(|mesh| mesh.principal_attributes.get(name).map(|declared| declared.kind))
                        .collect();
                    if declared.is_empty() {
                        let known: BTreeSet<&String> =
                            meshes.iter().flat_map(|mesh| mesh.principal_attributes.keys()).collect();
                        let message = format!("principals of this mesh have no attribute `{}`", quote(name));
                        wrong(place, message, suggestion(name, known));
                    } else if let Some(value) = value
                        && !declared.iter().any(|kind| is_of(value, *kind))
                    {
                        let (message, hint) = mistyped(name, value, &declared);
                        wrong(place, message, hint);
                    }
                }
            }
        }
        let required = meshes.iter().flat_map(|mesh| &mesh.principal_attributes);
        let missing: BTreeSet<&String> = required
            .filter(|(name, declared)| declared.required && !self.principal.attributes().contains_key(*name))
            .map(|(name, _)| name)
            .filter(|name| {
                let is_required = |mesh: &&Mesh| mesh.principal_attributes.get(*name).is_some_and(|d| d.required);
                meshes.iter().all(is_required)
            })
            .collect();
        for name in missing {
            let message = format!("`{}` has no attribute `{name}`, which every principal has", self.principal.name());
            wrong(&self.place, message, format!("give it one, or declare `{name}?` in `mesh.yaml`"));
        }
        findings
    }
}

/// The text of a purpose; nothing where it is empty or none.
fn purpose(node: &Node, findings: &mut Findings<'_>) -> Option<String> {
    let text = node.text().filter(|text| !text.is_empty())?;
    if let Err(error) = text.parse::<Purpose>() {
        findings.add(node.at, Diagnostic::from(error));
        return None;
    }
    Some(text.to_owned())
}

fn attribute(node: &Node) -> Option<AttributeValue> {
    Some(match &node.value {
        Value::Bool(value) => AttributeValue::Bool(*value),
        Value::Integer(value) => AttributeValue::Long(i64::try_from(*value).ok()?),
        Value::Text(value) => AttributeValue::String(value.clone()),
        Value::List(items) => {
            AttributeValue::StringSet(items.iter().map(|item| item.text().map(str::to_owned)).collect::<Option<_>>()?)
        }
        Value::Null | Value::Number(_) | Value::Map(_) => return None,
    })
}

/// True where the mesh declares the attribute, and with the type of this value.
pub fn declares_attribute(mesh: &Mesh, name: &str, value: &AttributeValue) -> bool {
    mesh.principal_attributes.get(name).is_some_and(|declared| is_of(value, declared.kind))
}

fn is_of(value: &AttributeValue, kind: AttributeType) -> bool {
    matches!(
        (value, kind),
        (AttributeValue::Bool(_), AttributeType::Bool)
            | (AttributeValue::Long(_), AttributeType::Long)
            | (AttributeValue::String(_), AttributeType::String)
            | (AttributeValue::StringSet(_), AttributeType::StringSet)
    )
}

fn mistyped(name: &str, value: &AttributeValue, declared: &[AttributeType]) -> (String, String) {
    let given = match value {
        AttributeValue::Bool(_) => "true or false",
        AttributeValue::Long(_) => "a whole number",
        AttributeValue::String(_) => "text",
        AttributeValue::StringSet(_) => "a list of text",
    };
    let (kind, hint) = match declared.first() {
        Some(AttributeType::Bool) => ("Bool", "write `true` or `false`"),
        Some(AttributeType::Long) => ("Long", "write a whole number without quotes"),
        Some(AttributeType::StringSet) => ("Set<String>", "write a list, for example `[DE, FR]`"),
        Some(AttributeType::String) | None => ("String", "put it in quotes"),
    };
    (format!("attribute `{}` is declared as {kind}, but is {given}", quote(name)), hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::{Files, load};

    fn mesh() -> Mesh {
        let text = "roles: [analyst, auditor]\nclassifications: [public]\n\
                    principal_attributes: { region?: String, clearance?: Long, countries?: Set<String>, staff: Bool }\n";
        let files = Files { texts: [("mesh.yaml".to_owned(), text.to_owned())].into(), ..Files::default() };
        load(&files).unwrap().mesh
    }

    fn findings(text: &str) -> Vec<String> {
        let found = match Principals::parse(text, "p.yaml") {
            Ok(principals) => principals.check(&[&mesh()]),
            Err(findings) => findings,
        };
        found.iter().map(|d| format!("{}: {} ({})", d.place.as_ref().unwrap(), d.message, d.hints.join("; "))).collect()
    }

    #[test]
    fn principals_have_roles_attributes_and_a_purpose() {
        let text = "ana:\n  roles: [analyst]\n  attributes: { region: EU, clearance: 1, countries: [DE], staff: true }\n  \
                    purpose: fraud\neve: { attributes: { staff: false } }\n";
        assert_eq!(findings(text), Vec::<String>::new());
        let principals = Principals::parse(text, "p.yaml").unwrap();
        assert_eq!(principals.names().collect::<Vec<_>>(), ["ana", "eve"]);
        let ana = principals.get("ana").unwrap();
        assert!(ana.principal.roles().contains("analyst"));
        assert_eq!(ana.principal.attributes()["countries"], AttributeValue::StringSet(["DE".to_owned()].into()));
        assert_eq!((ana.purpose.as_str(), ana.place.line), ("fraud", 1));
    }

    #[test]
    fn what_the_mesh_does_not_know_is_refused_in_its_place() {
        let text = "ana:\n  roles: [analyts]\n  attributes: { regoin: EU, clearance: high, staff: true }\neve:\n";
        assert_eq!(
            findings(text),
            [
                "p.yaml:2:11: there is no role `analyts` in this mesh (did you mean `analyst`?)",
                "p.yaml:3:25: principals of this mesh have no attribute `regoin` (did you mean `region`?)",
                "p.yaml:3:40: attribute `clearance` is declared as Long, but is text (write a whole number without quotes)",
                "p.yaml:4:1: `eve` has no attribute `staff`, which every principal has (give it one, or declare `staff?` in `mesh.yaml`)",
            ]
        );
    }

    #[test]
    fn what_is_no_principal_is_told_with_its_place() {
        for (text, expect) in [
            ("", "p.yaml:1:1: no principal is described"),
            ("- ana\n", "p.yaml:1:1: principals must be a mapping, but are a list"),
            ("ana: { rols: [analyst] }\n", "p.yaml:1:8: unknown key `rols` in principal (did you mean `roles`?)"),
            ("ana: { roles: analyst }\n", "p.yaml:1:15: `roles` must be a list, but is text"),
            ("ana: { attributes: { x: 1.5 } }\n", "p.yaml:1:25: attribute `x` is a number"),
            ("ana:\n  roles: [' a']\n", "p.yaml:2:11: ` a` is not a valid role: it starts or ends with white space"),
            ("ana: {}\nana: {}\n", "p.yaml:2:1: this is not readable YAML"),
        ] {
            let found = findings(text);
            assert!(found.first().is_some_and(|first| first.starts_with(expect)), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_users_file_is_taken_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.toml");
        let hash = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$0000000000000000000000000000000000000000000";
        std::fs::write(&path, format!("[users.ana]\npassword = '{hash}'\nroles = ['analyts']\n")).unwrap();
        let principals = Principals::load(&path).unwrap();
        assert_eq!(principals.check(&[&mesh()]).len(), 2, "an unknown role, and `staff` is missing");
        assert!(Principals::load(&folder.path().join("none.yaml")).is_err());
    }
}
