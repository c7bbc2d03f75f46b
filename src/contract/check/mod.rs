//! Located tree → [`Contract`], with every finding of the file.

mod column;
mod custom;
mod dataset;
mod layout;
mod quality;
mod range;
mod server;
mod sla;
#[cfg(test)]
mod tests;
mod written;

use std::collections::BTreeSet;
use std::str::FromStr;

use super::document::CONTRACT;
use super::locate::{At, Node, parse};
use super::model::{Contract, Format, Status, SupportChannel};
use super::shape::{Expect, Findings, quote, walk};
use crate::diagnostic::{Diagnostic, Place};
use crate::name::{Classification, DomainName, NameError, ProductName, Tag};

pub use custom::looks_like_a_credential;

/// The words that `mesh.yaml` declares; a contract may use no others.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    pub tags: &'a BTreeSet<Tag>,
    /// In rising sensitivity.
    pub classifications: &'a [Classification],
    /// What a contract that says nothing is classified as.
    pub default_classification: &'a Classification,
}

/// What came of one file.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Absent where a finding is an error.
    pub contract: Option<Contract>,
    /// The product's name as far as it could be read.
    pub product: Option<String>,
    pub places: Places,
    pub findings: Vec<Diagnostic>,
}

/// Where the parts of a contract stand that are compared with other contracts.
#[derive(Debug, Clone, Default)]
pub struct Places {
    pub id: Option<Place>,
    /// The product's name.
    pub name: Option<Place>,
    /// One for each dataset.
    pub datasets: Vec<Place>,
    /// For each dataset, one for each of its references.
    pub references: Vec<Vec<Place>>,
}

/// Checks the text of a contract that lies in a domain's folder; `file` names it in findings.
pub fn check(text: &str, file: &str, domain: &DomainName, words: Words<'_>) -> Checked {
    let mut findings = Findings::new(file);
    let mut checked = Checked { contract: None, product: None, places: Places::default(), findings: Vec::new() };
    match parse(text, file) {
        Err(finding) => findings.list.push(finding),
        Ok(tree) => {
            checked.product = tree.owned("name").or_else(|| tree.owned("dataProduct"));
            if speaks_our_version(&tree, &mut findings) {
                walk(&tree, "contract", &Expect::Map(&CONTRACT), &mut findings);
                let (contract, places) = contract(&tree, domain, words, &mut findings);
                checked.places = places;
                checked.contract = contract.filter(|_| !findings.has_errors());
            }
        }
    }
    checked.findings = findings.list;
    checked
}

/// A document of another standard or another major version would only give echoes.
fn speaks_our_version(tree: &Node, findings: &mut Findings<'_>) -> bool {
    if let Some(kind) = tree.get("kind")
        && let Some(text) = kind.text()
        && text != "DataContract"
    {
        let hint = if text == "DataProduct" {
            "this is a product of the Open Data Product Standard; name such files `*.odps.yaml`"
        } else {
            "write `kind: DataContract`"
        };
        findings.error(kind.at, format!("`{}` is not the kind of a contract", quote(text)), hint);
        return false;
    }
    let Some((node, text)) = tree.get("apiVersion").and_then(|node| Some((node, node.text()?))) else { return true };
    let parsed = text.strip_prefix('v').and_then(|rest| semver::Version::parse(rest).ok());
    match parsed {
        Some(version) if version.major == 3 && version.minor <= 2 => {
            findings.minor = version.minor;
            true
        }
        _ => {
            let hint = if parsed.is_some_and(|version| version.major < 3) {
                "versions 3.0, 3.1 and 3.2 are read; `odcslint upgrade` rewrites older contracts"
            } else {
                "versions 3.0, 3.1 and 3.2 are read: write `apiVersion: v3.1.0`"
            };
            findings.unsupported(
                node.at,
                format!("version `{}` of the Open Data Contract Standard is not read", quote(text)),
                hint,
            );
            false
        }
    }
}

fn contract(
    tree: &Node,
    domain: &DomainName,
    words: Words<'_>,
    findings: &mut Findings<'_>,
) -> (Option<Contract>, Places) {
    let place = |key: &str| tree.get(key).map(|node| node.at.place(findings.file));
    let mut places =
        Places { id: place("id"), name: place("name").or_else(|| place("dataProduct")), ..Places::default() };
    same_domain(tree, domain, findings);
    let id = tree.owned("id");
    if let Some(node) = tree.get("id")
        && node.text().is_some_and(|id| id.trim().is_empty() || id.len() > 256 || id.chars().any(char::is_control))
    {
        findings.error(
            node.at,
            "the id is empty or not one short line of text",
            "any unique text will do, for example a UUID",
        );
    }
    let product = product(tree, findings);
    let version = version(tree, findings);
    let status = status(tree, findings);
    let tags = tags(tree, words, findings);
    let custom = custom::check(tree, custom::Level::Contract, words, findings);
    custom::visit_elsewhere(tree, words, findings);
    let classification = custom.classification.unwrap_or_else(|| words.default_classification.clone());
    let server = server::check(tree, findings);
    let on_drift = custom.on_drift.unwrap_or_default();
    let in_texts = server.as_ref().is_some_and(|(server, _)| matches!(server.format, Format::Csv | Format::Json));
    let inherited = dataset::Inherited { tags: &tags, classification: &classification, words, on_drift, in_texts };
    let objects = tree.list("schema");
    if let Some(node) = tree.get("schema")
        && objects.is_empty()
        && matches!(node.value, super::locate::Value::List(_))
    {
        findings.error(node.at, "the schema is empty", "add at least one object: `- name: orders`");
    }
    let datasets = dataset::check(objects, inherited, server.as_ref(), findings, &mut places);
    let sla = sla::check(tree, findings);
    for support in tree.list("support") {
        link(support, findings);
    }
    let describe = |key: &str| tree.get("description").and_then(|node| node.owned(key));
    let built = (|| {
        Some(Contract {
            id: id?,
            domain: domain.clone(),
            product: product?,
            version: version?,
            status: status?,
            purpose: describe("purpose"),
            usage: describe("usage"),
            limitations: describe("limitations"),
            tags,
            classification,
            owner_team: tree.get("team").and_then(|team| team.owned("name")),
            support: support(tree.list("support")),
            server: server.map(|(server, _)| server)?,
            datasets,
            sla,
            file: findings.file.to_owned(),
        })
    })();
    (built, places)
}

fn same_domain(tree: &Node, domain: &DomainName, findings: &mut Findings<'_>) {
    if let Some(node) = tree.get("domain")
        && let Some(text) = node.text()
        && text != domain.as_str()
    {
        findings.error(
            node.at,
            format!("the contract says domain `{}`, but lies in the folder of `{domain}`", quote(text)),
            format!("write `domain: {domain}`, or move the file"),
        );
    }
}

fn product(tree: &Node, findings: &mut Findings<'_>) -> Option<ProductName> {
    let Some(node) = tree.get("name").or_else(|| tree.get("dataProduct")) else {
        findings.error(tree.at, "contract has no `name`", "add `name:`; it is the name of the data product");
        return None;
    };
    node.text().and_then(|text| name(text, node.at, findings))
}

fn version(tree: &Node, findings: &mut Findings<'_>) -> Option<semver::Version> {
    let node = tree.get("version")?;
    let text = node.text()?;
    semver::Version::parse(text)
        .map_err(|_| {
            findings.error(
                node.at,
                format!("`{}` is not a semantic version", quote(text)),
                "write three numbers, for example `version: 1.0.0`",
            );
        })
        .ok()
}

fn status(tree: &Node, findings: &mut Findings<'_>) -> Option<Status> {
    let Some(node) = tree.get("status") else {
        // Optional since 3.2; a product nobody declared active is not served.
        let hint = "add `status: active` to have it served";
        if findings.minor >= 2 {
            findings.warning(tree.at, "contract has no `status` and counts as a draft, which is not served", hint);
            return Some(Status::Draft);
        }
        findings.error(tree.at, "contract has no `status`", hint);
        return None;
    };
    let text = node.text()?;
    let found = Status::ALL.into_iter().find(|status| status.as_str() == text);
    if found.is_none() {
        findings.unknown(node.at, format!("`{}` is not a status", quote(text)), text, Status::ALL.map(Status::as_str));
    }
    found
}

/// Parses a name; what does not parse becomes a finding.
fn name<T: FromStr<Err = NameError>>(text: &str, at: At, findings: &mut Findings<'_>) -> Option<T> {
    text.parse().map_err(|error: NameError| findings.error(at, error.to_string(), error.hint)).ok()
}

/// The tags of an element, all of them declared.
fn tags(node: &Node, words: Words<'_>, findings: &mut Findings<'_>) -> Vec<Tag> {
    let mut found: Vec<Tag> = Vec::new();
    for item in node.list("tags") {
        let Some(text) = item.text() else { continue };
        match words.tags.get(text) {
            Some(tag) if !found.contains(tag) => found.push(tag.clone()),
            Some(_) => {}
            None => {
                let message = format!("tag `{}` is not declared in `mesh.yaml`", quote(text));
                findings.unknown(item.at, message, text, words.tags.iter().map(Tag::as_str));
            }
        }
    }
    found
}

/// A declared classification.
fn classification(node: &Node, words: Words<'_>, findings: &mut Findings<'_>) -> Option<Classification> {
    let text = node.text()?;
    let found = words.classifications.iter().find(|known| known.as_str() == text).cloned();
    if found.is_none() {
        let message = format!("classification `{}` is not declared in `mesh.yaml`", quote(text));
        findings.unknown(node.at, message, text, words.classifications.iter().map(Classification::as_str));
    }
    found
}

/// `support[]` of a contract or a domain.
pub fn support(nodes: &[Node]) -> Vec<SupportChannel> {
    let channel = |node: &Node| {
        Some(SupportChannel { channel: node.owned("channel")?, tool: node.owned("tool"), url: node.owned("url") })
    };
    nodes.iter().filter_map(channel).collect()
}

/// Support links are shown to people: only addresses that a browser or a mail program opens.
fn link(support: &Node, findings: &mut Findings<'_>) {
    for key in ["url", "invitationUrl"] {
        if let Some(node) = support.get(key)
            && let Some(text) = node.text()
            && !["https://", "http://", "mailto:"].iter().any(|scheme| text.starts_with(scheme))
        {
            findings.error(
                node.at,
                format!("`{}` is not a link", quote(text)),
                "start it with `https://` or `mailto:`",
            );
        }
    }
}
