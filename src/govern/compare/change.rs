//! Two sides → who gains what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::exposure::{AnyOf, Cell, Conditions, Rows, Shown};
use super::seen::{Seen, cell_text};
use super::worlds::{Formula, Worlds};
use crate::name::ColumnPath;
use crate::policy::{Condition, Mask};

/// The direction of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shift {
    /// Nothing is lost.
    Gains,
    /// Nothing is gained.
    Loses,
    /// Some is gained and some lost, or neither can be ruled out.
    Both,
}

impl Shift {
    fn of(gains: bool, loses: bool) -> Option<Self> {
        match (gains, loses) {
            (true, true) => Some(Self::Both),
            (true, false) => Some(Self::Gains),
            (false, true) => Some(Self::Loses),
            (false, false) => None,
        }
    }

    /// Both changes together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Both }
    }

    pub fn gains(self) -> bool {
        self != Self::Loses
    }

    pub fn loses(self) -> bool {
        self != Self::Gains
    }
}

/// What a change of contracts and policies means for one principal and one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Rows and columns together.
    pub shift: Shift,
    /// Which rows there are.
    pub rows: Option<Shift>,
    /// Columns that are shown otherwise in the rows of both sides, and columns of one side alone; in the order of before, then after.
    pub columns: Vec<ColumnDifference>,
    /// False where the conditions were too many to be compared: then everything that differs counts as both.
    pub decided: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDifference {
    pub path: ColumnPath,
    /// `None` where the column is absent.
    pub before: Option<String>,
    pub after: Option<String>,
    pub shift: Shift,
}

/// `None` where nothing is gained and nothing lost; a condition that is written otherwise and means the same is no difference.
///
/// It is about rows that keep their contract: values that break it hide more, on both sides.
pub fn compare(before: Option<&Seen>, after: Option<&Seen>) -> Option<Difference> {
    match (before, after) {
        (None, None) => None,
        (Some(_), None) => Some(one_sided(before, Shift::Loses)),
        (None, Some(_)) => Some(one_sided(after, Shift::Gains)),
        (Some(before), Some(after)) if before == after => None,
        (Some(before), Some(after)) => two_sided(before, after),
    }
}

fn one_sided(side: Option<&Seen>, shift: Shift) -> Difference {
    let columns = side.into_iter().flat_map(Seen::columns).map(|(path, text)| {
        let (before, after) = if shift == Shift::Gains { (None, Some(text)) } else { (Some(text), None) };
        ColumnDifference { path: path.clone(), before, after, shift }
    });
    Difference { shift, rows: Some(shift), columns: columns.collect(), decided: true }
}

#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    gains: bool,
    loses: bool,
}

impl Tally {
    fn note(&mut self, before: Option<Shown>, after: Option<Shown>) {
        self.gains |= !within(after, before);
        self.loses |= !within(before, after);
    }

    fn shift(self) -> Option<Shift> {
        Shift::of(self.gains, self.loses)
    }
}

/// A column's cells on both sides; `None` is absent.
type Pair<'a> = (Option<&'a Cell>, Option<&'a Cell>);

fn two_sided(before: &Seen, after: &Seen) -> Option<Difference> {
    let pairs = pairs(before, after);
    // Columns that are shown alike are compared once.
    let mut kinds: Vec<Pair<'_>> = Vec::new();
    let kind_of: Vec<usize> = pairs
        .iter()
        .map(|(_, pair)| {
            kinds.iter().position(|kind| kind == pair).unwrap_or_else(|| {
                kinds.push(*pair);
                kinds.len() - 1
            })
        })
        .collect();
    let mut conditions = BTreeSet::new();
    for side in [before, after] {
        read_rows(&side.rows, &mut conditions);
    }
    for cell in kinds.iter().flat_map(|(before, after)| [before, after]).filter_map(|cell| *cell) {
        read_cell(cell, &mut conditions);
    }
    let Some(worlds) = Worlds::of(conditions) else { return Some(undecided(before, after, &pairs)) };
    let (rows_before, rows_after) = (rows_formula(&worlds, &before.rows), rows_formula(&worlds, &after.rows));
    let cells: Vec<_> =
        kinds.iter().map(|(before, after)| (cell_formula(&worlds, *before), cell_formula(&worlds, *after))).collect();
    let mut rows = Tally::default();
    let mut together = vec![Tally::default(); kinds.len()];
    let mut apart = vec![Tally::default(); kinds.len()];
    worlds.each(|world| {
        let (was, is) = (rows_before.holds(world), rows_after.holds(world));
        rows.gains |= is && !was;
        rows.loses |= was && !is;
        for (((before, after), together), apart) in cells.iter().zip(&mut together).zip(&mut apart) {
            let before = if was { shown(before, world) } else { None };
            let after = if is { shown(after, world) } else { None };
            apart.note(before, after);
            if was && is {
                together.note(before, after);
            }
        }
    });
    let whole =
        apart.iter().fold(rows, |all, one| Tally { gains: all.gains || one.gains, loses: all.loses || one.loses });
    let columns = pairs.iter().zip(&kind_of).filter_map(|((path, pair), kind)| {
        let one_sided = pair.0.is_none() || pair.1.is_none();
        let shift = together.get(*kind)?.shift();
        let shift = shift.or_else(|| apart.get(*kind).filter(|_| one_sided)?.shift())?;
        Some(column(path, *pair, shift))
    });
    Some(Difference { shift: whole.shift()?, rows: rows.shift(), columns: columns.collect(), decided: true })
}

fn undecided(before: &Seen, after: &Seen, pairs: &[(&ColumnPath, Pair<'_>)]) -> Difference {
    let changed = pairs.iter().filter(|(_, pair)| pair.0 != pair.1);
    Difference {
        shift: Shift::Both,
        rows: (before.rows != after.rows).then_some(Shift::Both),
        columns: changed.map(|(path, pair)| column(path, *pair, Shift::Both)).collect(),
        decided: false,
    }
}

fn column(path: &ColumnPath, (before, after): Pair<'_>, shift: Shift) -> ColumnDifference {
    ColumnDifference { path: path.clone(), before: before.map(cell_text), after: after.map(cell_text), shift }
}

fn pairs<'a>(before: &'a Seen, after: &'a Seen) -> Vec<(&'a ColumnPath, Pair<'a>)> {
    let later: BTreeMap<&ColumnPath, &Cell> = after.columns.iter().map(|(path, cell)| (path, cell)).collect();
    let known: BTreeSet<&ColumnPath> = before.columns.iter().map(|(path, _)| path).collect();
    let old = before.columns.iter().map(|(path, cell)| (path, (Some(cell), later.get(path).copied())));
    let new = after.columns.iter().filter(|(path, _)| !known.contains(path));
    old.chain(new.map(|(path, cell)| (path, (None, Some(cell))))).collect()
}

fn read_rows<'a>(rows: &'a Rows, out: &mut BTreeSet<&'a Condition>) {
    if let Rows::Where(alternatives) = rows {
        for alternative in alternatives {
            let both = alternative.offered.iter().chain([&alternative.withheld]);
            out.extend(both.flat_map(|conditions| conditions.iter()).map(Arc::as_ref));
        }
    }
}

fn read_cell<'a>(cell: &'a Cell, out: &mut BTreeSet<&'a Condition>) {
    let rules = cell.cases.iter().flat_map(|case| [&case.capped, &case.offered]);
    let conditions = rules.filter_map(|rule| rule.as_ref()?.as_deref());
    out.extend(conditions.flatten().map(Arc::as_ref));
}

fn any(worlds: &Worlds<'_>, conditions: &Conditions) -> Formula {
    Formula::Any(conditions.iter().map(|condition| worlds.formula(condition)).collect())
}

fn rows_formula(worlds: &Worlds<'_>, rows: &Rows) -> Formula {
    match rows {
        Rows::None => Formula::Const(false),
        Rows::All => Formula::Const(true),
        Rows::Where(alternatives) => {
            let each = alternatives.iter().map(|alternative| {
                let offered = alternative.offered.as_ref().map(|offered| any(worlds, offered));
                let withheld = Formula::Not(Box::new(any(worlds, &alternative.withheld)));
                Formula::All(offered.into_iter().chain([withheld]).collect())
            });
            Formula::Any(each.collect())
        }
    }
}

fn cell_formula(worlds: &Worlds<'_>, cell: Option<&Cell>) -> Vec<(Formula, Option<Shown>)> {
    let guard = |rule: &Option<AnyOf>| Some(any(worlds, rule.as_ref()?.as_ref()?));
    let cases = cell.into_iter().flat_map(|cell| &cell.cases);
    cases
        .map(|case| {
            let guards = [guard(&case.capped), guard(&case.offered)].into_iter().flatten().collect();
            (Formula::All(guards), case.shown)
        })
        .collect()
}

/// The first case that applies decides.
fn shown(cases: &[(Formula, Option<Shown>)], world: &[bool]) -> Option<Shown> {
    cases.iter().find(|(guard, _)| guard.holds(world)).and_then(|(_, shown)| *shown)
}

/// True where whoever sees `inner` learns no more than who sees `outer`. Masks that show different parts of a value are not within
/// each other, although one of them may stand before the other in the order of exposure.
fn within(inner: Option<Shown>, outer: Option<Shown>) -> bool {
    let Some(inner) = inner else { return true };
    let Some(outer) = outer else { return false };
    match (inner.mask, outer.mask) {
        _ if inner == outer => true,
        (Mask::Null, _) => true,
        (Mask::Redact, outer) => outer != Mask::Null,
        _ if outer.hashed => false,
        (inner, outer) => part(inner, outer),
    }
}

/// `first(2)` is not part of `first(4)`: a value of three characters shows two of them under one and none under the other.
fn part(inner: Mask, outer: Mask) -> bool {
    match (inner, outer) {
        (_, Mask::Clear) | (Mask::Year, Mask::Month) => true,
        (Mask::Bucket(inner), Mask::Bucket(outer)) => inner.is_multiple_of(outer),
        (inner, outer) => inner == outer,
    }
}
