//! Why a principal sees of a dataset what they see, in words.
//!
//! It reads the same rules as the expressions do: [`Rows`] for the filter and [`Cell`] for each mask, so that it cannot tell
//! another story. Of policies it names those that bear on what is visible, and of their conditions nothing but what
//! [`Readable`] shows the reader.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::exposure::{Alternative, AnyOf, Cell, Conditions, Rows, Rules};
use super::project::View;
use super::table::GovernedTable;
use crate::contract::Dataset;
use crate::name::ColumnPath;
use crate::policy::{ColumnRules, Condition, Exposed, Mask, Readable, Rule};

/// One answer: of the rows of a dataset, or of one of its visible columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// A leaf column; `None` stands for the rows.
    pub column: Option<ColumnPath>,
    /// `all` or `filtered` for rows. For a column `clear`, or the masks that occur, most revealing first.
    pub exposure: String,
    /// Ids of the policies that decided.
    pub policies: Vec<String>,
    /// One sentence.
    pub reason: String,
}

/// The rows first, then each visible column in the contract's order. Values in conditions, and columns that the reader does not
/// see, are told only to one who `audits` the product.
pub fn explain(table: &GovernedTable, audits: bool) -> Vec<Explained> {
    let exposed = table.exposed();
    let view = View::of(table.entry().dataset(), exposed);
    let cells = view.cells();
    let named = |path: &ColumnPath| cells.iter().any(|(leaf, _)| leaf.starts_with(path));
    let words = Words { audits, named: &named, keyed: table.hashes() };
    let rules = |path: &ColumnPath| exposed.columns.iter().find(|rules| rules.path == *path);
    let mut out = vec![words.rows(exposed, &view.rows, &cells)];
    out.extend(cells.iter().filter_map(|(path, cell)| Some(words.column(path, cell, rules(path)?, &view.rows))));
    out
}

/// Ids of the policies that decide about visible rows and cells, sorted: all that [`explain`] names. What is said of a column that is
/// hidden for every row is not among them, so the reader cannot tell that it is there.
pub(super) fn deciding_policies(dataset: &Dataset, exposed: &Exposed) -> Vec<String> {
    let view = View::of(dataset, exposed);
    let visible: HashSet<&ColumnPath> = view.cells().into_iter().map(|(path, _)| path).collect();
    // Columns that look alike to all policies share their rules.
    let mut seen = HashSet::new();
    let mut found = BTreeSet::new();
    for column in exposed.columns.iter().filter(|column| visible.contains(&column.path)) {
        if seen.insert((column.offers.as_ptr(), column.caps.as_ptr())) {
            found.extend(of_rows(column, &view.rows));
            found.extend(of_cells(column, &view.rows));
        }
    }
    found.into_iter().collect()
}

/// What is left of a column's rules in visible rows. A cap that shows more than any offer changes nothing.
fn effective(whole: &Rules, rows: &Rows) -> Rules {
    let mut rules = whole.clone().within(rows);
    let best = rules.offers.first().map_or(Mask::Hidden, |(mask, _)| *mask);
    rules.caps.retain(|(mask, _)| *mask > best);
    rules
}

/// The policies behind what the cells of a visible column show.
fn of_cells(column: &ColumnRules, rows: &Rows) -> BTreeSet<String> {
    let whole = Rules::of(column);
    let left = effective(&whole, rows);
    let mut found = BTreeSet::new();
    for (left, whole, rules) in [(&left.offers, &whole.offers, &column.offers), (&left.caps, &whole.caps, &column.caps)]
    {
        for (mask, _) in left {
            if let Some((_, when)) = whole.iter().find(|(known, _)| known == mask) {
                found.extend(ids(rules, *mask, when));
            }
        }
    }
    found
}

fn alternatives_of(rows: &Rows) -> &[Alternative] {
    match rows {
        Rows::Where(alternatives) => alternatives,
        Rows::All | Rows::None => &[],
    }
}

/// The policies of a visible column that decide which rows are visible.
fn of_rows(column: &ColumnRules, rows: &Rows) -> BTreeSet<String> {
    let alternatives = alternatives_of(rows);
    let decided = Rules::of(column);
    let mut policies = BTreeSet::new();
    for (mask, when) in &decided.offers {
        let always = when.is_none()
            && (*rows == Rows::All || alternatives.iter().any(|alternative| alternative.offered.is_none()));
        let sometimes = when.as_ref().is_some_and(|when| {
            alternatives.iter().filter_map(|a| a.offered.as_ref()).any(|offered| !offered.is_disjoint(when))
        });
        if always || sometimes {
            policies.extend(ids(&column.offers, *mask, when));
        }
    }
    for (mask, when) in decided.caps.iter().filter(|(mask, _)| *mask == Mask::Hidden) {
        let withholds = |a: &Alternative| when.as_ref().is_some_and(|when| !a.withheld.is_disjoint(when));
        if alternatives.iter().any(withholds) {
            policies.extend(ids(&column.caps, *mask, when));
        }
    }
    policies
}

struct Words<'a> {
    audits: bool,
    named: &'a dyn Fn(&ColumnPath) -> bool,
    /// The domain has a key for `hash`.
    keyed: bool,
}

impl Words<'_> {
    fn rows(&self, exposed: &Exposed, rows: &Rows, cells: &[(&ColumnPath, &Cell)]) -> Explained {
        let alternatives = alternatives_of(rows);
        let visible = |rules: &&ColumnRules| cells.iter().any(|(path, _)| **path == rules.path);
        let policies = exposed.columns.iter().filter(visible).flat_map(|column| of_rows(column, rows));
        let policies: BTreeSet<String> = policies.collect();
        let policies: Vec<String> = policies.into_iter().collect();
        let by = by(&policies);
        let (exposure, reason) = if alternatives.is_empty() {
            ("all", format!("every row{by}"))
        } else {
            let conditions = alternatives.iter().map(|alternative| self.alternative(alternative));
            ("filtered", format!("only rows where {}{by}", self.any(conditions.collect())))
        };
        Explained { column: None, exposure: exposure.to_owned(), policies, reason: noted(reason) }
    }

    /// The whole condition of one way for a row to be visible.
    fn alternative(&self, alternative: &Alternative) -> Condition {
        let offered = alternative.offered.iter().map(|offered| self.either(offered));
        let withheld =
            alternative.withheld.iter().map(|condition| Condition::Not(Box::new(Condition::clone(condition))));
        let mut parts = self.distinct(offered.chain(withheld).collect());
        if parts.len() == 1
            && let Some(only) = parts.pop()
        {
            return only;
        }
        Condition::And(parts)
    }

    fn column(&self, path: &ColumnPath, cell: &Cell, rules: &ColumnRules, rows: &Rows) -> Explained {
        let whole = Rules::of(rules);
        let Rules { offers, mut caps } = effective(&whole, rows);
        let always = caps.pop_if(|(_, when)| when.is_none()).map(|(mask, _)| mask);
        // Under a cap that always applies the offers need no words, unless they show through it.
        let offered_always = offers.last().is_some_and(|(_, when)| when.is_none());
        let least = offers.last().map_or(Mask::Hidden, |(mask, _)| *mask);
        let covered = always.is_some_and(|cap| {
            let shows_through = if cap == Mask::Hash { least != Mask::Clear } else { least >= cap };
            offered_always && !shows_through
        });
        let mut policies: Vec<String> = Vec::new();
        let mut name = |rules: &[Rule], of: &[(Mask, AnyOf)], mask: Mask| -> Vec<String> {
            let when = of.iter().find(|(known, _)| *known == mask).map(|(_, when)| when);
            let found: Vec<String> = when.map(|when| ids(rules, mask, when)).unwrap_or_default().into_iter().collect();
            for id in &found {
                if !policies.contains(id) {
                    policies.push(id.clone());
                }
            }
            found
        };
        let mut phrases = Vec::new();
        for (mask, when) in &caps {
            let by = by(&name(&rules.caps, &whole.caps, *mask));
            phrases.push(format!("{}{by}{}", shows(*mask, cell), self.when(when)));
        }
        let capped = always.map(|cap| format!("{}{}", shows(cap, cell), by(&name(&rules.caps, &whole.caps, cap))));
        for (mask, when) in &offers {
            let by = by(&name(&rules.offers, &whole.offers, *mask));
            if !covered {
                phrases.push(format!("{}{by}{}", shows(*mask, cell), self.when(when)));
            }
        }
        let reason = match capped {
            Some(capped) if covered => {
                phrases.push(capped);
                phrases.join(", otherwise ")
            }
            other => {
                if cell.shown.is_some() {
                    phrases.push("NULL".to_owned());
                }
                let shown = phrases.join(", otherwise ");
                other.map_or(shown.clone(), |capped| format!("{shown}; and of that, {capped}"))
            }
        };
        let masks = cell.masks();
        let exposure = if masks.is_empty() { "clear".to_owned() } else { masks.join(", ") };
        let reason = if cell.text && !self.keyed {
            format!("{reason}; the domain has no key for `hash`, so it shows NULL")
        } else {
            reason
        };
        Explained { column: Some(path.clone()), exposure, policies, reason: noted(reason) }
    }

    fn when(&self, when: &AnyOf) -> String {
        when.as_ref().map_or_else(String::new, |when| format!(" where {}", self.any(plain(when))))
    }

    fn either(&self, conditions: &Conditions) -> Condition {
        let mut parts = self.distinct(plain(conditions));
        if parts.len() == 1
            && let Some(only) = parts.pop()
        {
            return only;
        }
        Condition::Or(parts)
    }

    fn any(&self, conditions: Vec<Condition>) -> String {
        self.text(&Condition::Or(self.distinct(conditions)))
    }

    /// Each once by what the reader sees, and in that order: how many there are, and which value is the larger, tells too.
    fn distinct(&self, conditions: Vec<Condition>) -> Vec<Condition> {
        let by_text: BTreeMap<String, Condition> =
            conditions.into_iter().map(|condition| (self.text(&condition), condition)).collect();
        by_text.into_values().collect()
    }

    fn text(&self, condition: &Condition) -> String {
        if self.audits {
            Readable::whole(condition).to_string()
        } else {
            Readable::guarded(condition, self.named).to_string()
        }
    }
}

fn plain(conditions: &Conditions) -> Vec<Condition> {
    conditions.iter().map(|condition| Condition::clone(condition)).collect()
}

fn shows(mask: Mask, cell: &Cell) -> String {
    match mask {
        Mask::Clear => "in clear".to_owned(),
        Mask::Null | Mask::Hidden => "NULL".to_owned(),
        // What does not fit the type shows nothing.
        Mask::Hash if !cell.text => "NULL".to_owned(),
        mask => format!("masked with `{mask}`"),
    }
}

fn noted(reason: String) -> String {
    if reason.contains('…') { format!("{reason} (… is for auditors of the product)") } else { reason }
}

fn by(policies: &[String]) -> String {
    if policies.is_empty() { String::new() } else { format!(" by {}", policies.join(", ")) }
}

/// The policies of one rule that take part: those that always apply where one does, else those whose condition is left.
fn ids(rules: &[Rule], mask: Mask, when: &AnyOf) -> BTreeSet<String> {
    let of_mask = rules.iter().filter(|rule| rule.mask == mask || (mask == Mask::Hidden && rule.mask < Mask::Hash));
    let takes_part = |condition: &Condition| match when {
        None => *condition == Condition::Const(true),
        Some(when) => when.contains(condition),
    };
    let clauses = of_mask.flat_map(|rule| &rule.when).filter(|clause| takes_part(&clause.condition));
    clauses.map(|clause| clause.policy.to_string()).collect()
}
