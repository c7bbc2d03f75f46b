//! One side: which rows, and what each column shows in them.

use std::sync::Arc;

use super::super::exposure::{Alternative, Case, Cell, Conditions, Rows};
use super::super::project::View;
use super::super::table::compiles;
use crate::contract::Dataset;
use crate::name::ColumnPath;
use crate::policy::{Condition, Exposed, Readable};

/// What one principal sees of one dataset, decided and not looked at through data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub(super) rows: Rows,
    /// Visible leaf columns in the contract's order.
    pub(super) columns: Vec<(ColumnPath, Cell)>,
}

impl Seen {
    /// `None` where nothing of it is visible.
    pub fn of(dataset: &Dataset, exposed: &Exposed) -> Option<Self> {
        if !compiles(dataset, exposed) {
            return None;
        }
        let view = View::of(dataset, exposed);
        let columns: Vec<_> = view.cells().into_iter().map(|(path, cell)| (path.clone(), cell.clone())).collect();
        (!columns.is_empty()).then_some(Self { rows: view.rows, columns })
    }

    /// Which rows, for those who may read the policies: values of conditions are written out.
    pub fn rows(&self) -> String {
        match &self.rows {
            Rows::None => "none".to_owned(),
            Rows::All => "all".to_owned(),
            Rows::Where(alternatives) => {
                Readable::whole(&Condition::Or(alternatives.iter().map(visible).collect())).to_string()
            }
        }
    }

    /// How each visible column is shown in visible rows.
    pub fn columns(&self) -> impl Iterator<Item = (&ColumnPath, String)> {
        self.columns.iter().map(|(path, cell)| (path, cell_text(cell)))
    }
}

fn visible(alternative: &Alternative) -> Condition {
    let withheld = alternative.withheld.iter().map(|condition| Condition::Not(Box::new(Condition::clone(condition))));
    all(alternative.offered.iter().map(any).chain(withheld))
}

fn any(conditions: &Arc<Conditions>) -> Condition {
    match conditions.first() {
        Some(only) if conditions.len() == 1 => Condition::clone(only),
        _ => Condition::Or(conditions.iter().map(|condition| Condition::clone(condition)).collect()),
    }
}

/// Without brackets around what is joined by the same word.
fn all(conditions: impl Iterator<Item = Condition>) -> Condition {
    let mut parts = Vec::new();
    for condition in conditions {
        match condition {
            Condition::And(inner) => parts.extend(inner),
            other => parts.push(other),
        }
    }
    Condition::And(parts)
}

pub(super) fn cell_text(cell: &Cell) -> String {
    let mut parts: Vec<String> = Vec::new();
    for case in &cell.cases {
        let what = case.shown.map_or_else(|| "hidden".to_owned(), |shown| shown.to_string());
        let part = match guard(case) {
            Some(guard) => format!("{what} where {}", Readable::whole(&guard)),
            None if parts.is_empty() => what,
            None => format!("else {what}"),
        };
        parts.push(part);
    }
    parts.join("; ")
}

fn guard(case: &Case) -> Option<Condition> {
    let mut guards = [&case.capped, &case.offered].into_iter().filter_map(|rule| rule.as_ref()?.as_ref()).peekable();
    guards.peek()?;
    Some(all(guards.map(any)))
}
