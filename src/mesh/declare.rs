//! `mesh.yaml` and `domain.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::{AttributeDeclaration, AttributeType, Domain, GovernanceRule, Mesh};
use crate::contract::locate::{At, Node, parse};
use crate::contract::shape::{Expect, Findings, Shape, key, quote, required, walk};
use crate::contract::{SUPPORT, support_channels};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::name::{Classification, DomainName, NameError};

static MESH: Shape = Shape {
    what: "mesh",
    keys: &[&[
        key("name", Expect::Text),
        key("description", Expect::Text),
        key("roles", Expect::List(&Expect::Text)),
        key("tags", Expect::List(&Expect::Text)),
        required("classifications", Expect::List(&Expect::Text)),
        key("defaultClassification", Expect::Text),
        key("principal_attributes", Expect::Any),
        key("purposes", Expect::List(&Expect::Text)),
        key("governance", Expect::Word(&["required", "optional"])),
    ]],
};

static DOMAIN: Shape = Shape {
    what: "domain",
    keys: &[&[
        required("name", Expect::Text),
        key("description", Expect::Text),
        required("owner", Expect::Map(&OWNER)),
        key("support", SUPPORT),
    ]],
};

static OWNER: Shape =
    Shape { what: "owner", keys: &[&[required("team", Expect::Text), key("description", Expect::Text)]] };

/// Reads `mesh.yaml`: everything or its findings, since every contract and policy leans on it.
pub fn mesh(text: &str, file: &str) -> Result<Mesh, Vec<Diagnostic>> {
    let tree = parse(text, file).map_err(|finding| vec![finding])?;
    let mut findings = Findings::new(file);
    walk(&tree, "mesh", &Expect::Map(&MESH), &mut findings);
    let name = mesh_name(&tree, &mut findings);
    let classifications: Vec<Classification> = names(&tree, "classifications", &mut findings);
    if let Some(node) = tree.get("classifications")
        && node.items().is_empty()
        && !findings.has_errors()
    {
        findings.error(
            node.at,
            "no classification is declared",
            "list them in rising sensitivity, for example [public, internal]",
        );
    }
    let default = default_classification(&tree, &classifications, &mut findings);
    let roles = names(&tree, "roles", &mut findings).into_iter().collect::<BTreeSet<_>>();
    let tags = names(&tree, "tags", &mut findings).into_iter().collect::<BTreeSet<_>>();
    let principal_attributes = attributes(&tree, &mut findings);
    let purposes = tree.get("purposes").map(|_| names(&tree, "purposes", &mut findings).into_iter().collect());
    let governance = match tree.get("governance") {
        Some(node) if node.text() == Some("required") => GovernanceRule::Required(node.at.place(file)),
        Some(_) => GovernanceRule::Optional,
        None => GovernanceRule::Unstated,
    };
    match default {
        Some(default_classification) if !findings.has_errors() => Ok(Mesh {
            name,
            roles,
            tags,
            classifications,
            default_classification,
            principal_attributes,
            purposes,
            governance,
        }),
        _ => Err(findings.list),
    }
}

fn mesh_name(tree: &Node, findings: &mut Findings<'_>) -> String {
    let Some((at, text)) = tree.get("name").and_then(|node| Some((node.at, node.text()?))) else {
        return "mesh".to_owned();
    };
    // The same rule as for a domain: both are spoken in SQL without quotes.
    if let Err(error) = text.parse::<DomainName>() {
        findings.error(at, format!("`{}` is not a name for the mesh: {}", quote(text), error.why), error.hint);
    }
    text.to_owned()
}

fn names<T: FromStr<Err = NameError> + PartialEq>(tree: &Node, key: &str, findings: &mut Findings<'_>) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    for node in tree.list(key) {
        let Some(text) = node.text() else { continue };
        match text.parse::<T>() {
            Ok(name) if found.contains(&name) => {
                findings.error(node.at, format!("`{}` stands twice under `{key}`", quote(text)), "remove one");
            }
            Ok(name) => found.push(name),
            Err(error) => findings.error(node.at, error.to_string(), error.hint),
        }
    }
    found
}

fn default_classification(
    tree: &Node,
    known: &[Classification],
    findings: &mut Findings<'_>,
) -> Option<Classification> {
    let Some(node) = tree.get("defaultClassification") else { return known.last().cloned() };
    let text = node.text()?;
    let found = known.iter().find(|word| word.as_str() == text).cloned();
    if found.is_none() {
        let message = format!("`{}` is not one of the `classifications`", quote(text));
        findings.unknown(node.at, message, text, known.iter().map(Classification::as_str));
    }
    found
}

const ATTRIBUTE_TYPES: [(&str, AttributeType); 4] = [
    ("String", AttributeType::String),
    ("Long", AttributeType::Long),
    ("Bool", AttributeType::Bool),
    ("Set<String>", AttributeType::StringSet),
];

fn attributes(tree: &Node, findings: &mut Findings<'_>) -> BTreeMap<String, AttributeDeclaration> {
    let mut found = BTreeMap::new();
    let Some(node) = tree.get("principal_attributes") else { return found };
    if !matches!(node.value, crate::contract::locate::Value::Map(_)) {
        findings.error(node.at, "`principal_attributes` must be a mapping", "write for example `region?: String`");
        return found;
    }
    for entry in node.entries() {
        let (name, required) = entry.key.strip_suffix('?').map_or((entry.key.as_str(), true), |name| (name, false));
        if let Some(finding) = attribute_name(name) {
            findings.error(entry.at, finding, "use letters, digits and `_`; `?` at the end makes it optional");
            continue;
        }
        let Some(text) = entry.value.text() else {
            findings.unsupported(
                entry.value.at,
                format!("`{}` does not name a type", quote(name)),
                "use one of String, Long, Bool, Set<String>",
            );
            continue;
        };
        let kind = ATTRIBUTE_TYPES.into_iter().find(|(word, _)| *word == text.replace(' ', ""));
        match kind {
            Some((_, kind)) if !found.contains_key(name) => {
                found.insert(name.to_owned(), AttributeDeclaration { kind, required });
            }
            Some(_) => findings.error(entry.at, format!("attribute `{name}` is declared twice"), "remove one"),
            None => {
                let message = format!("`{}` is not an attribute type", quote(text));
                findings.unknown(entry.value.at, message, text, ATTRIBUTE_TYPES.map(|(word, _)| word));
            }
        }
    }
    found
}

/// Attributes are spoken in Cedar as `principal.region`.
fn attribute_name(name: &str) -> Option<String> {
    let identifier = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let reserved =
        ["in", "is", "has", "like", "if", "then", "else", "true", "false"].contains(&name) || name.starts_with("__");
    (!identifier || reserved).then(|| format!("`{}` is not a name for an attribute", quote(name)))
}

/// Reads the `domain.yaml` of a folder.
pub fn domain(text: &str, file: &str, folder: &DomainName, into: &mut Vec<Diagnostic>) -> Option<Domain> {
    let tree = match parse(text, file) {
        Ok(tree) => tree,
        Err(finding) => {
            into.push(finding);
            return None;
        }
    };
    let mut findings = Findings::new(file);
    walk(&tree, "domain", &Expect::Map(&DOMAIN), &mut findings);
    if let Some(node) = tree.get("name")
        && let Some(text) = node.text()
        && text != folder.as_str()
    {
        let hint = did_you_mean(text, [folder.as_str()])
            .unwrap_or_else(|| format!("write `name: {folder}`, or rename the folder"));
        findings.error(
            node.at,
            format!("the domain says it is `{}`, but lies in the folder `{folder}`", quote(text)),
            hint,
        );
    }
    let owner = tree.get("owner");
    if let Some(team) = owner.and_then(|owner| owner.get("team"))
        && team.text().is_some_and(|text| text.trim().is_empty())
    {
        findings.error(team.at, "the owner team is empty", "name the team that answers for the domain");
    }
    let built = owner.and_then(|owner| owner.owned("team")).map(|owner_team| Domain {
        name: folder.clone(),
        description: tree.owned("description"),
        owner_team,
        support: support_channels(tree.list("support")),
    });
    let broken = findings.has_errors();
    into.append(&mut findings.list);
    built.filter(|_| !broken)
}

/// The beginning of a file, for what is wrong with all of it.
pub fn start(file: &str) -> crate::diagnostic::Place {
    At::START.place(file)
}
