//! One RPC as one line: `GetFlightInfo CommandGetTables db_schema="sales" +authorization -> Ok`.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;
use tonic::Code;
use tonic::metadata::{KeyRef, MetadataMap};

/// Filters by name, in the order in which the command has them.
pub type Filters = Vec<(String, Value)>;

/// What was called and how it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub rpc: String,
    /// The type of the command, or the action.
    pub command: Option<String>,
    pub filters: Filters,
    /// Names only.
    pub headers: BTreeSet<String>,
    /// None while nothing was answered.
    pub code: Option<Code>,
}

impl Call {
    pub fn begin(rpc: &str, command: Option<String>, filters: Filters, metadata: &MetadataMap) -> Self {
        let headers = metadata.keys().map(|key| match key {
            KeyRef::Ascii(key) => key.as_str().to_owned(),
            KeyRef::Binary(key) => key.as_str().to_owned(),
        });
        let headers = headers.filter(|name| !of_grpc(name)).collect();
        Self { rpc: rpc.to_owned(), command, filters, headers, code: None }
    }

    pub fn filter(&self, name: &str) -> Option<&Value> {
        self.filters.iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    pub fn parse(line: &str) -> Result<Self, String> {
        let (said, code) = line.rsplit_once(" -> ").ok_or("the line has no ` -> Code`")?;
        let code =
            CODES.iter().find(|known| format!("{known:?}") == code).ok_or(format!("no code is called `{code}`"))?;
        let mut words = words(said).into_iter();
        let rpc = words.next().ok_or("the line has no method")?;
        let mut call = Self { rpc, command: None, filters: Vec::new(), headers: BTreeSet::new(), code: Some(*code) };
        for word in words {
            if let Some(name) = word.strip_prefix('+') {
                call.headers.insert(name.to_owned());
            } else if let Some((name, value)) = word.split_once('=') {
                let value = serde_json::from_str(value).map_err(|error| format!("`{word}`: {error}"))?;
                call.filters.push((name.to_owned(), value));
            } else {
                call.command = Some(word);
            }
        }
        Ok(call)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rpc)?;
        if let Some(command) = &self.command {
            write!(f, " {command}")?;
        }
        for (name, value) in &self.filters {
            write!(f, " {name}={value}")?;
        }
        for name in &self.headers {
            write!(f, " +{name}")?;
        }
        match self.code {
            Some(code) => write!(f, " -> {code:?}"),
            None => write!(f, " -> (nothing)"),
        }
    }
}

const CODES: [Code; 8] = [
    Code::Ok,
    Code::InvalidArgument,
    Code::NotFound,
    Code::PermissionDenied,
    Code::ResourceExhausted,
    Code::FailedPrecondition,
    Code::Unimplemented,
    Code::Unauthenticated,
];

/// Headers that every gRPC library sends by itself.
fn of_grpc(name: &str) -> bool {
    matches!(name, "content-type" | "te" | "user-agent" | "host") || name.starts_with("grpc-")
}

/// Split at blanks, but not inside JSON text.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in line.chars() {
        if c == ' ' && !quoted {
            words.push(String::new());
            continue;
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn a_line_is_read_as_it_was_written() {
    for line in [
        "DoGet -> Ok",
        "Handshake messages=1 +authorization +x-tool -> Unauthenticated",
        r#"GetFlightInfo CommandGetTables db_schema="order\\_lines" table_types=["BASE TABLE","a\"b c"] +authorization -> Ok"#,
    ] {
        assert_eq!(Call::parse(line).unwrap().to_string(), line);
    }
    for broken in ["DoGet", "DoGet -> Fine", "GetFlightInfo CommandGetTables table=x -> Ok"] {
        assert!(Call::parse(broken).is_err(), "{broken}");
    }
}
