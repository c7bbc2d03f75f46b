//! How the gateway says what went wrong.
//!
//! In: a kind, one lower-case sentence, hints, the place in the user's own text. Out: text for a terminal,
//! JSON for a tool, and the kind from which the protocol picks its code. Absent on purpose: back-traces,
//! Rust type names, and values of hidden rows.

mod render;
mod suggest;

use std::fmt;

pub use render::{render_all, render_github, render_human, render_json, sorted};
pub use suggest::{did_you_mean, nearest};

/// What sort of failure this is; the protocol face turns it into a status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The text, file or request is wrong.
    Invalid,
    /// The name does not exist, or must look as if it did not.
    NotFound,
    /// The product may be known of, but not read.
    Denied,
    /// No valid credentials.
    Unauthenticated,
    /// A limit was reached.
    Exhausted,
    /// The world changed between two steps of one exchange.
    Stale,
    /// Correct, but not offered.
    Unsupported,
    /// Something the gateway needs is not there now.
    Unavailable,
    /// A product's data is not what its contract promises; its owner can mend it, and nobody else.
    Broken,
    /// Took too long.
    Deadline,
    /// The caller went away or asked to stop.
    Cancelled,
    /// A fault of the gateway or of a product's data; the detail is in the log under the correlation id.
    Internal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Error,
    Warning,
}

/// A place in the user's text; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

impl Place {
    /// The place of a byte offset in the text of a file.
    pub fn at_offset(file: &str, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let from_one = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        Self {
            file: file.to_owned(),
            line: from_one(before.matches('\n').count()),
            column: from_one(before.get(line_start..).unwrap_or_default().chars().count()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One finding: what is wrong, where, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Diagnostic {
    pub kind: Kind,
    pub severity: Severity,
    /// One sentence, lower-case, user input in backticks.
    pub message: String,
    pub hints: Vec<String>,
    pub place: Option<Place>,
}

/// The result of anything that answers a user.
pub type Result<T, E = Diagnostic> = std::result::Result<T, E>;

impl Diagnostic {
    pub fn error(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, severity: Severity::Error, message: message.into(), hints: Vec::new(), place: None }
    }

    pub fn warning(kind: Kind, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(kind, message) }
    }

    /// Adds a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}

impl From<crate::name::NameError> for Diagnostic {
    fn from(error: crate::name::NameError) -> Self {
        let hint = error.hint.clone();
        Self::error(Kind::Invalid, error.to_string()).hint(hint)
    }
}
