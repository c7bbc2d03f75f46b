//! YAML text as a tree in which every key and value knows its line and column.
//!
//! Serde stops at the first thing that does not fit a struct; a tree lets all findings of a file be told at once.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DefaultMessageFormatter, Location, MessageFormatter, Spanned};

use crate::diagnostic::{Diagnostic, Kind, Place};

/// Line and column, from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    pub line: u32,
    pub column: u32,
}

impl At {
    pub const START: Self = Self { line: 1, column: 1 };

    pub fn place(self, file: &str) -> Place {
        Place { file: file.to_owned(), line: self.line, column: self.column }
    }
}

impl From<Location> for At {
    fn from(location: Location) -> Self {
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).max(1);
        Self { line: small(location.line()), column: small(location.column()) }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub at: At,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    /// Where the key stands.
    pub at: At,
    pub value: Node,
}

/// A struct in a struct takes two levels; a worker's stack holds several times this.
const MAX_DEPTH: usize = 40;

/// Reads one YAML document.
///
/// # Errors
/// Text that is not YAML, a key given twice, or a document larger or deeper than any contract needs (alias bombs).
pub fn parse(text: &str, file: &str) -> Result<Node, Diagnostic> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: 200_000,
            max_events: 500_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 16,
        },
        // YAML 1.2: `y` and `no` are text, so that `unit: y` and a country code mean what they say.
        strict_booleans: true,
        emit_comments: false,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let at = error.location().map_or(At::START, At::from);
        let message = DefaultMessageFormatter.format_message(error.without_snippet());
        let mut sentence: String = message.chars().filter(|c| !c.is_control()).take(300).collect();
        if let Some(first) = sentence.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        Diagnostic::error(Kind::Invalid, format!("this is not readable YAML: {sentence}"))
            .hint("check indentation, quotes and brackets at this place; a value with `: ` or `#` in it needs quotes")
            .at(at.place(file))
    })
}

impl Node {
    pub fn entries(&self) -> &[Entry] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The elements of the list under a key; none where it is absent or no list.
    pub fn list(&self, key: &str) -> &[Node] {
        self.get(key).map_or(&[], Node::items)
    }

    pub fn items(&self) -> &[Node] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// The text under a key.
    pub fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    pub fn owned(&self, key: &str) -> Option<String> {
        self.text_of(key).map(str::to_owned)
    }

    /// True only for a plain `true`.
    pub fn flag(&self, key: &str) -> bool {
        matches!(self.get(key).map(|node| &node.value), Some(Value::Bool(true)))
    }

    pub fn integer(&self) -> Option<i128> {
        if let Value::Integer(n) = self.value { Some(n) } else { None }
    }

    #[expect(clippy::cast_precision_loss, reason = "bounds in contracts are compared, not computed with")]
    pub fn number(&self) -> Option<f64> {
        match self.value {
            Value::Integer(n) => Some(n as f64),
            Value::Number(x) => Some(x),
            _ => None,
        }
    }

    /// A scalar as text.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Bool(b) => Some(b.to_string()),
            Value::Integer(n) => Some(n.to_string()),
            Value::Number(x) => Some(x.to_string()),
            Value::Text(text) => Some(text.clone()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// What it is, for a sentence.
    pub fn describe(&self) -> &'static str {
        match &self.value {
            Value::Null => "empty",
            Value::Bool(_) => "true or false",
            Value::Integer(_) | Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { at: spanned.referenced.into(), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "beyond i128 only the size matters")]
    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(i128::try_from(value).map_or(Value::Number(value as f64), Value::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let value = access.next_value()?;
            entries.push(Entry { key: key.value, at: key.referenced.into(), value });
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_know_their_places() {
        let tree = parse("a: 1\nélan:\n  - x: 'yes'\n    y: 1.10\n  - [true, ~]\n", "f").unwrap();
        assert_eq!(tree.entry("élan").unwrap().at, At { line: 2, column: 1 });
        let list = tree.list("élan");
        assert_eq!(list[0].get("x").unwrap().at, At { line: 3, column: 8 });
        assert_eq!(list[0].text_of("x"), Some("yes"));
        assert_eq!(list[0].entry("y").unwrap().at, At { line: 4, column: 5 });
        assert_eq!(list[1].items()[1].value, Value::Null);
        assert_eq!(list[1].items()[0].value, Value::Bool(true));
    }

    #[test]
    fn broken_yaml_names_its_place() {
        let error = parse("a: 1\nb: [1, 2\nc: 3\n", "f.yaml").unwrap_err();
        assert!(error.message.starts_with("this is not readable YAML: "), "{}", error.message);
        assert!(error.place.as_ref().unwrap().line >= 2, "{error:?}");
        let twice = parse("a: 1\nb: 2\na: 3\n", "f.yaml").unwrap_err();
        assert_eq!(twice.place.unwrap().to_string(), "f.yaml:3:1");
    }

    #[test]
    fn alias_bombs_are_refused() {
        let mut bomb = vec!["a: &a [x, x, x, x, x, x, x, x, x, x]".to_owned()];
        for (name, of) in [('b', 'a'), ('c', 'b'), ('d', 'c'), ('e', 'd'), ('f', 'e'), ('g', 'f'), ('h', 'g')] {
            let aliases = vec![format!("*{of}"); 10].join(", ");
            bomb.push(format!("{name}: &{name} [{aliases}]"));
        }
        assert!(parse(&bomb.join("\n"), "f").is_err());
    }

    #[test]
    fn what_is_too_deep_is_refused_before_the_stack_is_used_up() {
        let nested = |depth: usize| format!("{}1{}", "{a: ".repeat(depth), "}".repeat(depth));
        assert!(parse(&nested(MAX_DEPTH - 1), "f").is_ok());
        assert!(parse(&nested(MAX_DEPTH + 1), "f").is_err());
        assert!(parse(&nested(20_000), "f").is_err());
        assert!(parse(&"[".repeat(100_000), "f").is_err());
        let block: Vec<String> = (0..2_000).map(|depth| format!("{}a:", " ".repeat(depth))).collect();
        assert!(parse(&block.join("\n"), "f").is_err());
    }
}
