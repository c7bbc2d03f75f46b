//! A golden conversation as a file.
//!
//! At the top stands what is true of the whole: `client: …`. Then a line for each RPC, as the recorder writes it, and indented
//! below it what is sent and is in no recorded line (`sql: …`), and what the client needs of the answer (`row: …`).

use std::collections::BTreeMap;

use super::call::Call;

/// One client's conversation.
#[derive(Debug)]
pub struct Script {
    pub file: String,
    pub client: String,
    /// Of the client whose source the conversation was written from.
    pub version: String,
    /// Who logs in; the password is the name.
    pub user: String,
    /// The largest message that the client takes, in bytes; without it, any.
    pub receives: Option<usize>,
    /// Headers of the client's own, with what it sends in them.
    pub headers: BTreeMap<String, String>,
    pub steps: Vec<Step>,
}

/// One RPC of it.
#[derive(Debug)]
pub struct Step {
    /// `file:line: call`, for who reads a failure.
    pub place: String,
    pub call: Call,
    notes: Vec<(String, String)>,
}

impl Step {
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.notes.iter().filter(|(found, _)| found == name).map(|(_, text)| text.as_str()).collect()
    }

    pub fn one(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{}: `{name}` stands twice", self.place);
        all.first().copied()
    }
}

/// What may stand below a call: what it sends, and what its answer must be.
fn notes(call: &Call) -> &'static [&'static str] {
    match (call.rpc.as_str(), call.command.as_deref()) {
        ("Handshake", _) => &["login", "token", "message"],
        ("GetFlightInfo", _) => &["sql", "columns", "message"],
        ("DoGet", _) => &["row", "rows", "has", "count", "codes", "message"],
        ("DoPut", _) => &["bind", "updated", "message"],
        ("DoAction", Some("CreatePreparedStatement")) => &["sql", "dataset", "parameters", "message"],
        ("DoAction", Some("SetSessionOptions")) => &["set", "errors"],
        _ => &["message"],
    }
}

impl Script {
    pub fn parse(file: &str, text: &str) -> Self {
        let (mut head, mut steps) = (BTreeMap::new(), Vec::<Step>::new());
        let mut headers = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let place = format!("{file}:{number}");
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let note = || line.trim().split_once(": ").unwrap_or_else(|| panic!("{place}: `name: text` belongs here"));
            if line.starts_with(' ') {
                let step = steps.last_mut().unwrap_or_else(|| panic!("{place}: nothing was called yet"));
                let (name, text) = note();
                assert!(notes(&step.call).contains(&name), "{place}: `{name}` says nothing of {}", step.call);
                step.notes.push((name.to_owned(), text.to_owned()));
            } else if line.contains(" -> ") {
                let call = Call::parse(line).unwrap_or_else(|why| panic!("{place}: {why}"));
                steps.push(Step { place: format!("{place}: {call}"), call, notes: Vec::new() });
            } else if let ("header", text) = note() {
                let (name, value) =
                    text.split_once('=').unwrap_or_else(|| panic!("{place}: `name=value` belongs here"));
                headers.insert(name.to_owned(), value.to_owned());
            } else {
                head.insert(note().0, note().1);
            }
        }
        let mut take = |name: &str| head.remove(name).map(str::to_owned);
        let mut needed = |name: &str| take(name).unwrap_or_else(|| panic!("{file} has no `{name}: …`"));
        let (client, version, user) = (needed("client"), needed("version"), needed("user"));
        let receives = take("receives").map(|bytes| bytes.parse().unwrap());
        assert!(head.is_empty(), "{file}: {head:?} means nothing");
        Self { file: file.to_owned(), client, version, user, receives, headers, steps }
    }

    /// What the recorder must have heard.
    pub fn lines(&self) -> Vec<String> {
        self.steps.iter().map(|step| step.call.to_string()).collect()
    }
}
