//! What policy says of one principal and one dataset.

use std::sync::Arc;

use super::condition::Condition;
use super::mask::Mask;
use crate::name::ColumnPath;

/// The answer for one dataset. No bool: a permit comes with its obligations.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Nothing of it may be shown; `why` is for the audit and the log, never for the caller. `reads_clock` as in [`Exposed`].
    Hidden { why: String, reads_clock: bool },
    /// Some cells may be shown.
    Exposed(Exposed),
}

/// Rules for every leaf column (a top-level column, or a field inside a struct), in contract order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    pub columns: Vec<ColumnRules>,
    /// Ids of the policies that can bear on a cell of this dataset for this principal, sorted.
    pub policies: Vec<String>,
    /// A policy that applies reads `context.now`: decide anew for every execution.
    pub reads_clock: bool,
}

/// Offers and caps of one leaf column. Conditions are simplified; rules that are never satisfied are left out.
/// Columns that look alike to all policies share theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnRules {
    pub path: ColumnPath,
    /// What satisfied permits offer, most revealing first, one rule for each mask (conditions joined by OR).
    pub offers: Arc<[Rule]>,
    /// What satisfied forbids cap at, least revealing first, one rule for each mask.
    pub caps: Arc<[Rule]>,
}

/// One mask under one condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub mask: Mask,
    pub when: Vec<Clause>,
}

/// The condition of one policy, kept apart because a broken promise of the data fails the *whole* condition of
/// that policy: false for a permit, true for a forbid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    pub policy: Arc<str>,
    pub condition: Arc<Condition>,
}
