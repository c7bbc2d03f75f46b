//! [`Probe`].

use super::{casts, dialect, failing, lists, masks, names, plans, refused, shapes, values};

/// How two answers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The statement fixes the order: byte for byte.
    Total,
    /// As sorted rows.
    Any,
}

/// What the owner is answered, who may see everything: without it a probe proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The owner's answers differ between the worlds.
    Differs,
    /// The owner's answer is an error with these words, in one world at least; the reader's is not that.
    Fails(&'static str),
    /// The owner is shown these words in one of the worlds.
    Owner(&'static str),
    /// The reader is answered, with these words; nobody is shown more, so that there is no difference to see.
    Shows(&'static str),
    /// Refused to everybody, with these words; the statement beside it is answered.
    Refused(&'static str, &'static str),
}

#[derive(Debug)]
pub struct Probe {
    pub id: &'static str,
    sql: &'static str,
    pub order: Order,
    pub proof: Proof,
}

pub(super) const fn total(id: &'static str, sql: &'static str, proof: Proof) -> Probe {
    Probe { id, sql, order: Order::Total, proof }
}

pub(super) const fn any(id: &'static str, sql: &'static str, proof: Proof) -> Probe {
    Probe { id, sql, order: Order::Any, proof }
}

impl Probe {
    /// `{note}` is the note of a hidden row, and `1` in every visible one: only a hidden row can make it fail.
    pub fn sql(&self) -> String {
        self.sql.replace("{note}", "CASE WHEN customer_id = 666 THEN note ELSE '1' END")
    }

    /// True where the words are in the statement itself, and so prove nothing in an answer.
    pub fn types(&self, words: &str) -> bool {
        self.sql.contains(words)
    }
}

pub fn all() -> impl Iterator<Item = &'static Probe> + Clone {
    [
        failing::PROBES,
        casts::PROBES,
        dialect::PROBES,
        shapes::PROBES,
        values::PROBES,
        masks::PROBES,
        lists::PROBES,
        names::PROBES,
        plans::PROBES,
        refused::PROBES,
    ]
    .into_iter()
    .flatten()
}
