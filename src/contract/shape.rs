//! Shapes: which keys a mapping may have, and what stands under them.
//!
//! A standard is written down as tables of shapes (`contract::document`); walking a located tree along a shape tells every
//! unknown key, every wrong type and every missing key at once. What the values mean is checked elsewhere.

use super::locate::{At, Node, Value};
use crate::diagnostic::{Diagnostic, Kind, did_you_mean};

/// What may stand in one place.
#[derive(Debug)]
pub enum Expect {
    Text,
    Bool,
    Integer,
    Number,
    /// Text, number or boolean.
    Scalar,
    Any,
    /// One of a closed list of words.
    Word(&'static [&'static str]),
    List(&'static Expect),
    Map(&'static Shape),
    Either(&'static Expect, &'static Expect),
}

/// One key of a mapping.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub expect: Expect,
    pub required: bool,
    /// The minor version of the standard that brought it.
    pub since: u64,
}

/// A mapping with a closed set of keys, in groups so that shapes can share some.
#[derive(Debug)]
pub struct Shape {
    /// What a reader calls it: `property`, `server`.
    pub what: &'static str,
    pub keys: &'static [&'static [Key]],
}

pub const fn key(name: &'static str, expect: Expect) -> Key {
    Key { name, expect, required: false, since: 0 }
}

pub const fn required(name: &'static str, expect: Expect) -> Key {
    Key { name, expect, required: true, since: 0 }
}

/// A key of version 3.2 of the standard.
pub const fn new_key(name: &'static str, expect: Expect) -> Key {
    Key { name, expect, required: false, since: 2 }
}

impl Shape {
    fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().flat_map(|group| group.iter())
    }
}

/// Findings told of one file.
const MOST: usize = 500;

/// What was found in one file so far.
#[derive(Debug)]
pub struct Findings<'a> {
    pub file: &'a str,
    /// Minor version of the standard that the document speaks; keys that came later are refused.
    pub minor: u64,
    pub list: Vec<Diagnostic>,
}

impl<'a> Findings<'a> {
    pub fn new(file: &'a str) -> Self {
        Self { file, minor: u64::MAX, list: Vec::new() }
    }

    pub fn add(&mut self, at: At, diagnostic: Diagnostic) {
        if self.is_full() {
            return;
        }
        self.list.push(diagnostic.at(at.place(self.file)));
        if self.is_full() {
            let message = format!("more than {MOST} findings; the rest of this file is not told");
            self.list.push(Diagnostic::error(Kind::Invalid, message).hint("mend these first").at(at.place(self.file)));
        }
    }

    /// Nobody reads more, and a file made to fill the memory shall not.
    fn is_full(&self) -> bool {
        self.list.len() >= MOST
    }

    pub fn error(&mut self, at: At, message: impl Into<String>, hint: impl Into<String>) {
        self.add(at, Diagnostic::error(Kind::Invalid, message).hint(hint));
    }

    pub fn warning(&mut self, at: At, message: impl Into<String>, hint: impl Into<String>) {
        self.add(at, Diagnostic::warning(Kind::Invalid, message).hint(hint));
    }

    /// Correct, but this gateway cannot do it: the product is not served.
    pub fn unsupported(&mut self, at: At, message: impl Into<String>, hint: impl Into<String>) {
        self.add(at, Diagnostic::error(Kind::Unsupported, message).hint(hint));
    }

    /// A word that is not one of the known ones.
    pub fn unknown<'w>(&mut self, at: At, message: String, given: &str, known: impl IntoIterator<Item = &'w str>) {
        let known: Vec<&str> = known.into_iter().collect();
        self.error(at, message, suggestion(given, &known));
    }

    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == crate::diagnostic::Severity::Error)
    }
}

fn suggestion(given: &str, known: &[&str]) -> String {
    did_you_mean(given, known.iter().copied()).unwrap_or_else(|| {
        if known.is_empty() { "none are declared".to_owned() } else { format!("use one of {}", known.join(", ")) }
    })
}

/// User input inside a sentence: short, on one line.
pub fn quote(text: &str) -> String {
    let mut out: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

/// Tells everything below a node that does not fit.
pub fn walk(node: &Node, label: &str, expect: &Expect, findings: &mut Findings<'_>) {
    match expect {
        Expect::Map(shape) if matches!(node.value, Value::Map(_)) => walk_map(node, shape, findings),
        Expect::List(of) if matches!(node.value, Value::List(_)) => {
            for item in node.items() {
                walk(item, label, of, findings);
            }
        }
        Expect::Either(one, _) if fits(node, one) => walk(node, label, one, findings),
        Expect::Either(_, other) if fits(node, other) => walk(node, label, other, findings),
        Expect::Word(words) if node.text().is_some() => {
            let given = node.text().unwrap_or_default();
            if !words.contains(&given) {
                let message = format!("`{}` is not a value of `{label}`", quote(given));
                findings.unknown(node.at, message, given, words.iter().copied());
            }
        }
        _ if fits(node, expect) => {}
        _ if node.value == Value::Null => {
            findings.error(node.at, format!("`{label}` has no value"), "give it one or remove the key");
        }
        _ => {
            let hint = match (expect, &node.value) {
                (Expect::Text | Expect::Word(_), Value::Bool(_) | Value::Integer(_) | Value::Number(_)) => {
                    "put it in quotes".to_owned()
                }
                (Expect::List(_), _) => "write each element on its own line after `- `".to_owned(),
                _ => format!("`{label}` takes {}", describe(expect)),
            };
            findings.error(
                node.at,
                format!("`{label}` must be {}, but is {}", describe(expect), node.describe()),
                hint,
            );
        }
    }
}

/// Whether the outermost form is right.
fn fits(node: &Node, expect: &Expect) -> bool {
    match (expect, &node.value) {
        (Expect::Any, _)
        | (Expect::Text | Expect::Word(_), Value::Text(_))
        | (Expect::Bool, Value::Bool(_))
        | (Expect::Integer, Value::Integer(_))
        | (Expect::Number, Value::Integer(_) | Value::Number(_))
        | (Expect::Scalar, Value::Text(_) | Value::Bool(_) | Value::Integer(_) | Value::Number(_))
        | (Expect::List(_), Value::List(_))
        | (Expect::Map(_), Value::Map(_)) => true,
        (Expect::Either(one, other), _) => fits(node, one) || fits(node, other),
        _ => false,
    }
}

fn describe(expect: &Expect) -> String {
    match expect {
        Expect::Text | Expect::Word(_) => "text".to_owned(),
        Expect::Bool => "true or false".to_owned(),
        Expect::Integer => "a whole number".to_owned(),
        Expect::Number => "a number".to_owned(),
        Expect::Scalar => "text or a number".to_owned(),
        Expect::Any => "anything".to_owned(),
        Expect::List(_) => "a list".to_owned(),
        Expect::Map(_) => "a mapping".to_owned(),
        Expect::Either(one, other) => format!("{} or {}", describe(one), describe(other)),
    }
}

fn walk_map(node: &Node, shape: &Shape, findings: &mut Findings<'_>) {
    let whose = node
        .text_of("name")
        .or_else(|| node.text_of("property"))
        .map_or_else(String::new, |name| format!(" `{}`", quote(name)));
    for entry in node.entries() {
        if findings.is_full() {
            return;
        }
        let Some(key) = shape.keys().find(|key| key.name == entry.key) else {
            let known: Vec<&str> = shape.keys().map(|key| key.name).collect();
            let hint = if super::check::looks_like_a_credential(&entry.key) {
                "credentials never stand in a contract; the operator configures them".to_owned()
            } else {
                match did_you_mean(&entry.key, known.iter().copied()) {
                    Some(hint) => hint,
                    None if known.contains(&"customProperties") => {
                        format!(
                            "remove it, or write it as an entry of `customProperties`; known keys: {}",
                            known.join(", ")
                        )
                    }
                    None => format!("remove it; known keys: {}", known.join(", ")),
                }
            };
            findings.error(entry.at, format!("unknown key `{}` in {}{whose}", quote(&entry.key), shape.what), hint);
            continue;
        };
        if key.since > findings.minor {
            findings.error(
                entry.at,
                format!("`{}` came with version 3.{} of the standard", key.name, key.since),
                format!("write `apiVersion: v3.{}.0`, or remove the key", key.since),
            );
        }
        walk(&entry.value, key.name, &key.expect, findings);
    }
    for missing in shape.keys().filter(|key| key.required && node.entry(key.name).is_none()) {
        findings.error(
            node.at,
            format!("{}{whose} has no `{}`", shape.what, missing.name),
            format!("add `{}:`, {}", missing.name, describe(&missing.expect)),
        );
    }
}
