//! What the linter says of one policy.

use std::collections::BTreeSet;

/// One thing wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub message: String,
    pub hint: String,
    /// The text to look for inside the policy, so that the finding points at it.
    pub near: Option<String>,
    /// The head itself cannot be trusted: what the policy was meant to reach is not known.
    pub in_head: bool,
}

/// What the conditions of a policy mention.
#[derive(Debug, Clone, Default)]
pub(super) struct Mentions {
    pub clock: bool,
    pub column_name: bool,
    /// Entity types of rows.
    pub row_types: BTreeSet<String>,
    /// Dotted paths below `resource`.
    pub attributes: BTreeSet<String>,
    /// Those asked with `has`.
    pub has: BTreeSet<String>,
    /// The row is used as a value, so any of its columns may bear on the condition.
    pub whole_row: bool,
    /// Words of a domain whose contract is broken: they stand for nothing now, and are not refused.
    pub set_aside: BTreeSet<String>,
}

impl Mentions {
    /// True when a top-level column, or a field inside it, is named.
    pub fn names_column(&self, name: &str) -> bool {
        self.attributes
            .iter()
            .any(|path| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }
}
