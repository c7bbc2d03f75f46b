//! What people read of one dataset's change, before it is laid out.

use super::report::{Counts, DatasetChange};
use crate::cli::output::grouped;
use crate::govern::Shift;
use crate::name::is_unseen;

/// Longer conditions are cut; JSON has them whole.
const MOST: usize = 240;

/// One row of a table: what changes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `rows`, or columns that change alike.
    pub what: String,
    pub before: String,
    pub after: String,
    pub shift: Shift,
}

/// The rows first, then columns with equal changes together.
pub fn lines(change: &DatasetChange) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(shift) = change.difference.rows {
        let side = |rows: &Option<String>| rows.as_deref().map_or_else(|| "none".to_owned(), plain);
        let what =
            change.counts.as_ref().map_or_else(|| "rows".to_owned(), |counts| format!("rows ({})", counted(counts)));
        lines.push(Line { what, before: side(&change.rows_before), after: side(&change.rows_after), shift });
    }
    let rows = lines.len();
    for column in &change.difference.columns {
        let side = |text: &Option<String>| text.as_deref().map_or_else(|| "absent".to_owned(), plain);
        let line = Line {
            what: column.path.to_string(),
            before: side(&column.before),
            after: side(&column.after),
            shift: column.shift,
        };
        let alike =
            |known: &&mut Line| (&known.before, &known.after, known.shift) == (&line.before, &line.after, line.shift);
        match lines.iter_mut().skip(rows).find(alike) {
            Some(known) => known.what = format!("{}, {}", known.what, line.what),
            None => lines.push(line),
        }
    }
    lines
}

/// `12 → 20`; an error in place of a number that cannot be had.
pub fn counted(counts: &Counts) -> String {
    let side = |count: &Result<u64, String>| match count {
        Ok(rows) => grouped(*rows),
        Err(why) => plain(why),
    };
    format!("{} → {}", side(&counts.before), side(&counts.after))
}

/// Policies are other people's text: nothing in it may steer a terminal, nor end a line.
pub fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(MOST) {
        if c.is_control() || is_unseen(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}

pub fn direction(shift: Shift) -> &'static str {
    match shift {
        Shift::Gains => "gains",
        Shift::Loses => "loses",
        Shift::Both => "gains and loses",
    }
}

/// `2 of 7 principals gain, 1 loses`
pub fn summary(gaining: usize, losing: usize, all: usize) -> String {
    let of = |n: usize, verb: &str| format!("{verb}{}", if n == 1 { "s" } else { "" });
    let principals = if all == 1 { "principal" } else { "principals" };
    match (gaining, losing) {
        (0, 0) => format!("nothing changes for {all} {principals}"),
        (n, 0) => format!("{n} of {all} {principals} {}, none loses", of(n, "gain")),
        (0, n) => format!("{n} of {all} {principals} {}, none gains", of(n, "lose")),
        (n, m) => format!("{n} of {all} {principals} {}, {m} {}", of(n, "gain"), of(m, "lose")),
    }
}
