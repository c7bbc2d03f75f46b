//! `customProperties`: the standard's extension point. Ours begin with `meshgate`; others are left alone, unless they look
//! like a credential.

use super::{Words, classification, layout, written};
use crate::contract::OnDrift;
use crate::contract::locate::{Node, Value};
use crate::contract::shape::{Findings, quote};
use crate::name::Classification;

/// Where an extension property stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Contract,
    Object,
    Server,
    Elsewhere,
}

/// What our own properties say.
#[derive(Debug, Default)]
pub struct Custom {
    pub classification: Option<Classification>,
    pub row_count: Option<u64>,
    pub on_drift: Option<OnDrift>,
}

const OURS: [&str; 4] = ["meshgateClassification", "meshgateOnDrift", "meshgateRowCount", written::EPOCH];

pub fn check(node: &Node, level: Level, words: Words<'_>, findings: &mut Findings<'_>) -> Custom {
    let mut custom = Custom::default();
    for item in node.list("customProperties") {
        let Some((at, name)) = item.get("property").and_then(|node| Some((node.at, node.text()?))) else { continue };
        if looks_like_a_credential(name) {
            findings.error(
                at,
                format!("`{}` looks like a credential", quote(name)),
                "credentials never stand in a contract; the operator configures them",
            );
            continue;
        }
        let ours = name.to_ascii_lowercase().starts_with("meshgate") || item.text_of("vendor") == Some("meshgate");
        let value = item.get("value");
        match (name, level) {
            ("meshgateClassification", Level::Contract | Level::Object) => {
                custom.classification = value.and_then(|value| {
                    if value.text().is_none() {
                        findings.error(value.at, "a classification must be text", "use one that `mesh.yaml` declares");
                    }
                    classification(value, words, findings)
                });
            }
            ("meshgateOnDrift", Level::Contract | Level::Object) => {
                let Some(value) = value else { continue };
                custom.on_drift = match &value.value {
                    Value::Text(text) if text == "refuse" => Some(OnDrift::Refuse),
                    // Unquoted, YAML takes the word for nothing.
                    Value::Text(text) if text == "null" => Some(OnDrift::Null),
                    Value::Null => Some(OnDrift::Null),
                    _ => {
                        findings.error(
                            value.at,
                            "`meshgateOnDrift` is `refuse` or `null`",
                            "a value that its column cannot hold fails the statement that reads it, or is NULL",
                        );
                        None
                    }
                };
            }
            ("meshgateRowCount", Level::Object) => {
                let Some(value) = value else { continue };
                custom.row_count = value.integer().and_then(|n| u64::try_from(n).ok());
                if custom.row_count.is_none() {
                    findings.error(
                        value.at,
                        "a row count must be a whole number from 0",
                        "about how many rows the dataset has",
                    );
                }
            }
            // `layout` reads them.
            (name, Level::Server) if layout::PROPERTIES.contains(&name) => {}
            // `written` reads it.
            (written::EPOCH, Level::Elsewhere) if is_property(node) && value.is_some() => {}
            (name, _) if OURS.contains(&name) || layout::PROPERTIES.contains(&name) => {
                let hint = match name {
                    "meshgateRowCount" => "it belongs to a schema object",
                    written::EPOCH => "it belongs to a property, with a `value`",
                    name if layout::PROPERTIES.contains(&name) => "it belongs to a server",
                    _ if node.get("logicalType").is_some() => "a property has `classification:` for this",
                    _ => "it belongs to the contract or to a schema object",
                };
                findings.error(at, format!("`{name}` has no meaning here"), hint);
            }
            _ if ours => {
                findings.unknown(
                    at,
                    format!("`{}` is not a property of meshgate", quote(name)),
                    name,
                    OURS.into_iter().chain(layout::PROPERTIES),
                );
            }
            _ => {}
        }
    }
    custom
}

/// Of a schema object, or of the elements of a list.
fn is_property(node: &Node) -> bool {
    node.get("logicalType").or_else(|| node.get("physicalType")).is_some()
}

/// The extension properties of all parts that are neither contract nor schema object.
pub fn visit_elsewhere(tree: &Node, words: Words<'_>, findings: &mut Findings<'_>) {
    for entry in tree.entries() {
        match entry.key.as_str() {
            "customProperties" => {}
            "servers" => {
                for server in entry.value.items() {
                    check(server, Level::Server, words, findings);
                    for part in server.entries().iter().filter(|part| part.key != "customProperties") {
                        visit(&part.value, words, findings);
                    }
                }
            }
            "schema" => {
                for object in entry.value.items() {
                    for part in object.entries().iter().filter(|part| part.key != "customProperties") {
                        visit(&part.value, words, findings);
                    }
                }
            }
            _ => visit(&entry.value, words, findings),
        }
    }
}

fn visit(node: &Node, words: Words<'_>, findings: &mut Findings<'_>) {
    match &node.value {
        Value::Map(entries) => {
            check(node, Level::Elsewhere, words, findings);
            // What a foreign property holds is its own affair.
            for entry in entries.iter().filter(|entry| entry.key != "customProperties") {
                visit(&entry.value, words, findings);
            }
        }
        Value::List(items) => items.iter().for_each(|item| visit(item, words, findings)),
        _ => {}
    }
}

/// Whether a key's name says that its value is a secret.
pub fn looks_like_a_credential(name: &str) -> bool {
    const WORDS: [&str; 11] = [
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "secrets",
        "token",
        "tokens",
        "credential",
        "credentials",
        "username",
    ];
    const PAIRS: [&str; 6] = ["accesskey", "apikey", "privatekey", "accountkey", "sharedkey", "connectionstring"];
    let words = words(name);
    let joined: String = words.concat();
    words.iter().any(|word| WORDS.contains(&word.as_str()))
        || PAIRS.iter().any(|pair| joined.contains(pair))
        || ["password", "passwd"].iter().any(|word| joined.contains(word))
}

/// `awsSecretKey` → aws, secret, key; `API_KEY` → api, key.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last_was_lower = false;
    for c in name.chars() {
        let boundary = c.is_uppercase() && last_was_lower;
        last_was_lower = c.is_lowercase() || c.is_numeric();
        if !c.is_alphanumeric() {
            words.push(String::new());
            continue;
        }
        if boundary || words.is_empty() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_recognised() {
        for name in
            ["password", "awsSecretKey", "AWS_ACCESS_KEY_ID", "accessKey", "api_key", "sasToken", "dbPassword", "PWD"]
        {
            assert!(looks_like_a_credential(name), "{name}");
        }
        for name in ["tokenized", "keyword", "primaryKey", "secretary", "costCenter", "businessKey"] {
            assert!(!looks_like_a_credential(name), "{name}");
        }
    }
}
