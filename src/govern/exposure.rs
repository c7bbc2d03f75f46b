//! The exposure algebra: offers and caps of a column → an ordered list of cases, each with what it shows.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::DataType;

use crate::policy::{Clause, ColumnRules, Condition, Exposed, Mask, Rule};

/// What a cell shows: the mask's result, or the hash of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Shown {
    pub mask: Mask,
    pub hashed: bool,
}

impl Shown {
    pub const CLEAR: Self = Self { mask: Mask::Clear, hashed: false };
    pub const NULL: Self = Self { mask: Mask::Null, hashed: false };

    fn of(mask: Mask) -> Option<Self> {
        match mask {
            Mask::Hidden => None,
            Mask::Hash => Some(Self { mask: Mask::Clear, hashed: true }),
            mask => Some(Self { mask, hashed: false }),
        }
    }

    /// The cap applied to what the offer shows, never to the raw value; `None` is hidden.
    fn under(offer: Mask, cap: Option<Mask>) -> Option<Self> {
        match cap {
            None => Self::of(offer),
            Some(Mask::Hash) if offer < Mask::Hash => Some(Self { mask: offer, hashed: true }),
            Some(cap @ (Mask::Hash | Mask::Redact | Mask::Null)) => Self::of(offer.max(cap)),
            // A mask that is no cap is refused at load; here it closes.
            Some(_) => None,
        }
    }

    /// What a value of this type can show; a mask that does not fit acts as `null`.
    fn fitted(self, data_type: &DataType) -> Self {
        let scalar = !data_type.is_nested();
        let fits = match self.mask {
            Mask::Clear => true,
            Mask::First(_) | Mask::Last(_) | Mask::EmailDomain | Mask::Redact => *data_type == DataType::Utf8,
            Mask::Month | Mask::Year => matches!(data_type, DataType::Date32 | DataType::Timestamp(..)),
            Mask::Bucket(_) => data_type.is_numeric(),
            Mask::Hash | Mask::Null | Mask::Hidden => false,
        };
        if fits && (scalar || !self.hashed) { self } else { Self::NULL }
    }
}

pub(super) type Conditions = BTreeSet<Arc<Condition>>;

/// Conditions of which one suffices; `None` is unconditional.
pub(super) type AnyOf = Option<Arc<Conditions>>;

fn any_of(clauses: &[Clause]) -> AnyOf {
    if clauses.iter().any(|clause| *clause.condition == Condition::Const(true)) {
        return None;
    }
    let conditions = clauses.iter().map(|clause| &clause.condition);
    Some(Arc::new(conditions.filter(|condition| ***condition != Condition::Const(false)).cloned().collect()))
}

fn never(when: &AnyOf) -> bool {
    when.as_ref().is_some_and(|when| when.is_empty())
}

fn retain(conditions: &mut Arc<Conditions>, keep: impl Fn(&Condition) -> bool) {
    if !conditions.iter().all(|condition| keep(condition)) {
        Arc::make_mut(conditions).retain(|condition| keep(condition));
    }
}

/// The rules of one leaf column after simplification: rules that cannot apply are gone.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// Most revealing first; nothing stands behind an unconditional one.
    pub offers: Vec<(Mask, AnyOf)>,
    /// Least revealing first; nothing stands behind an unconditional one.
    pub caps: Vec<(Mask, AnyOf)>,
}

impl Rules {
    pub fn of(rules: &ColumnRules) -> Self {
        let read = |rules: &[Rule]| -> Vec<(Mask, AnyOf)> {
            let read = rules.iter().map(|rule| (rule.mask, any_of(&rule.when)));
            read.filter(|(_, when)| !never(when)).collect()
        };
        let mut out = Self { offers: read(&rules.offers), caps: read(&rules.caps) };
        out.offers.retain(|(mask, _)| *mask != Mask::Hidden);
        out.offers.sort_by_key(|(mask, _)| *mask);
        for (mask, _) in &mut out.caps {
            if *mask < Mask::Hash {
                *mask = Mask::Hidden;
            }
        }
        out.caps.sort_by_key(|(mask, _)| std::cmp::Reverse(*mask));
        // A permit on exactly the condition of a hiding forbid never shows anything.
        let withheld = out.withheld();
        for (_, when) in &mut out.offers {
            if let Some(conditions) = when {
                retain(conditions, |condition| !withheld.contains(condition));
            }
        }
        out.settled()
    }

    fn settled(mut self) -> Self {
        self.offers.retain(|(_, when)| !never(when));
        self.caps.retain(|(_, when)| !never(when));
        for rules in [&mut self.offers, &mut self.caps] {
            if let Some(last) = rules.iter().position(|(_, when)| when.is_none()) {
                rules.truncate(last + 1);
            }
        }
        if self.caps.first().is_some_and(|(mask, when)| *mask == Mask::Hidden && when.is_none()) {
            self.offers.clear();
        }
        self
    }

    /// The conditions under which the column is hidden by a forbid.
    fn withheld(&self) -> Arc<Conditions> {
        let hiding = self.caps.iter().filter(|(mask, _)| *mask == Mask::Hidden);
        union(hiding.filter_map(|(_, when)| when.as_ref()))
    }

    /// The rows in which the column is above hidden.
    fn shown(&self) -> Option<Alternative> {
        if self.offers.is_empty() {
            return None;
        }
        let certain = self.offers.iter().any(|(_, when)| when.is_none());
        let offered = (!certain).then(|| union(self.offers.iter().filter_map(|(_, when)| when.as_ref())));
        Some(Alternative { offered, withheld: self.withheld() })
    }

    /// The same rules for rows of which one of `rows` is known to hold.
    pub fn within(mut self, rows: &Rows) -> Self {
        let Rows::Where(alternatives) = rows else { return self };
        for (_, when) in &mut self.offers {
            let given = |alternative: &Alternative, when: &Conditions| {
                alternative.offered.as_ref().is_some_and(|offered| offered.is_subset(when))
            };
            if when.as_ref().is_some_and(|when| alternatives.iter().all(|alternative| given(alternative, when))) {
                *when = None;
            }
        }
        for (mask, when) in &mut self.caps {
            if let (Mask::Hidden, Some(when)) = (*mask, when) {
                retain(when, |condition| {
                    !alternatives.iter().all(|alternative| alternative.withheld.contains(condition))
                });
            }
        }
        self.settled()
    }
}

/// Any of all of these.
fn union<'a>(mut sets: impl Iterator<Item = &'a Arc<Conditions>>) -> Arc<Conditions> {
    let mut all = sets.next().cloned().unwrap_or_default();
    for set in sets {
        Arc::make_mut(&mut all).extend(set.iter().cloned());
    }
    all
}

/// One way for a row to be visible: something is offered, and nothing of it is withheld.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alternative {
    pub offered: AnyOf,
    pub withheld: Arc<Conditions>,
}

impl Alternative {
    /// True if every row of `other` is a row of this one.
    fn covers(&self, other: &Self) -> bool {
        let offers = match (&self.offered, &other.offered) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => theirs.is_subset(mine),
        };
        offers && self.withheld.is_subset(&other.withheld)
    }
}

/// Which rows are visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rows {
    None,
    All,
    /// Those of at least one alternative.
    Where(Vec<Alternative>),
}

impl Rows {
    /// A row is visible where at least one column of it is above hidden.
    fn of<'a>(rules: impl Iterator<Item = &'a Rules>) -> Self {
        let found: BTreeSet<Alternative> = rules.filter_map(Rules::shown).collect();
        if found.is_empty() {
            return Self::None;
        }
        if found.iter().any(|a| a.offered.is_none() && a.withheld.is_empty()) {
            return Self::All;
        }
        let covered = |a: &Alternative| found.iter().any(|other| other != a && other.covers(a));
        Self::Where(found.iter().filter(|a| !covered(a)).cloned().collect())
    }
}

/// What policy says of a dataset, read: its visible rows, and the rules of its columns in those. Columns that look alike to all
/// policies share theirs, so each is read once.
pub(super) struct Reading {
    pub rows: Rows,
    within: HashMap<Shared, Within>,
}

/// Rules that are shared are one place in memory.
type Shared = (*const Rule, *const Rule);

/// The rules of a column in visible rows, and where it is above hidden.
struct Within {
    rules: Rules,
    shown: Alternative,
}

fn shared(rules: &ColumnRules) -> Shared {
    (rules.offers.as_ptr(), rules.caps.as_ptr())
}

impl Reading {
    pub fn of(exposed: &Exposed) -> Self {
        let mut whole: HashMap<Shared, Rules> = HashMap::new();
        for rules in &exposed.columns {
            // All empty slices may be one place, and so a key says nothing of a column without offers.
            if !rules.offers.is_empty() {
                whole.entry(shared(rules)).or_insert_with(|| Rules::of(rules));
            }
        }
        let rows = Rows::of(whole.values());
        let within = whole.into_iter().filter_map(|(key, rules)| {
            let rules = rules.within(&rows);
            let shown = rules.shown()?;
            Some((key, Within { rules, shown }))
        });
        Self { within: within.collect(), rows }
    }

    /// What the cells of a column of this type show; `None` where it is hidden for every row.
    pub fn cell(&self, rules: &ColumnRules, data_type: &DataType) -> Option<Cell> {
        let Within { rules, shown } = self.within.get(&shared(rules)).filter(|_| !rules.offers.is_empty())?;
        Cell::of(rules, shown, data_type)
    }
}

/// One case of a cell, tried in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    /// A forbid applies; `Some(None)` always does.
    pub capped: Option<AnyOf>,
    /// A permit applies.
    pub offered: Option<AnyOf>,
    /// `None` is hidden, which in a visible row is NULL.
    pub shown: Option<Shown>,
}

impl Case {
    fn always(&self) -> bool {
        !matches!(self.capped, Some(Some(_))) && !matches!(self.offered, Some(Some(_)))
    }
}

/// What the cells of one leaf column show in visible rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    /// The first case that applies decides; none is hidden.
    pub cases: Vec<Case>,
    /// Some cell may be hashed, so all are text.
    pub text: bool,
    /// The rows in which the cell is above hidden; `None` where that is every visible row.
    pub shown: Option<Alternative>,
}

impl Cell {
    /// `None` where the column is hidden for every row. `rules` are those for visible rows, `shown` is where they show something.
    fn of(rules: &Rules, shown: &Alternative, data_type: &DataType) -> Option<Self> {
        let mut cases = Vec::new();
        let caps = rules.caps.iter().map(|(mask, when)| (Some(*mask), Some(when.clone()))).chain([(None, None)]);
        'caps: for (cap, capped) in caps {
            let offers =
                rules.offers.iter().map(|(mask, when)| (Some(*mask), Some(when.clone()))).chain([(None, None)]);
            for (offer, offered) in offers {
                let shown = offer.and_then(|offer| Shown::under(offer, cap)).map(|shown| shown.fitted(data_type));
                let case = Case { capped: capped.clone(), offered, shown };
                let (last, done) = (case.offered.as_ref().is_none_or(Option::is_none), case.always());
                cases.push(case);
                if done {
                    break 'caps;
                }
                if last || cap == Some(Mask::Hidden) {
                    break;
                }
            }
        }
        // Behind a hiding cap the offer does not matter.
        for case in &mut cases {
            if case.shown.is_none() {
                case.offered = None;
            }
        }
        if cases.iter().all(|case| case.shown.is_none()) {
            return None;
        }
        let everywhere = shown.offered.is_none() && shown.withheld.is_empty();
        let text = cases.iter().filter_map(|case| case.shown).any(|shown| shown.hashed);
        Some(Self { cases, text, shown: (!everywhere).then(|| shown.clone()) })
    }

    /// True where every cell of a visible row is the value itself.
    pub fn is_bare(&self) -> bool {
        self.cases.first().is_some_and(|case| case.always() && case.shown == Some(Shown::CLEAR)) && !self.text
    }

    /// What the cells may show, each once, in the order of cases.
    pub fn steps(&self) -> Vec<Shown> {
        let mut steps = Vec::new();
        for shown in self.cases.iter().filter_map(|case| case.shown) {
            if !steps.contains(&shown) {
                steps.push(shown);
            }
        }
        steps
    }

    /// Masks that some cell may be shown under, most revealing first; empty where every cell of a visible row is clear.
    pub fn masks(&self) -> Vec<String> {
        if self.is_bare() {
            return Vec::new();
        }
        let mut steps = self.steps();
        steps.sort();
        let mut masks: Vec<String> = steps.into_iter().map(|step| step.to_string()).collect();
        if self.shown.is_some() {
            masks.push("hidden".to_owned());
        }
        masks
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.hashed, self.mask) {
            (true, Mask::Clear) => f.write_str("hash"),
            (true, mask) => write!(f, "hash of {mask}"),
            (false, mask) => mask.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Revealing;

    #[test]
    fn caps_apply_to_what_the_offer_shows() {
        let shown = |offer: &str, cap: &str| {
            let cap = (!cap.is_empty()).then(|| cap.parse().unwrap());
            Shown::under(offer.parse().unwrap(), cap).map(|shown| (shown.mask.to_string(), shown.hashed))
        };
        let expect = |mask: &str, hashed| Some((mask.to_owned(), hashed));
        for (offer, cap, want) in [
            ("clear", "", expect("clear", false)),
            ("hash", "", expect("clear", true)),
            ("bucket(10000)", "hash", expect("bucket(10000)", true)),
            ("hash", "hash", expect("clear", true)),
            ("null", "hash", expect("null", false)),
            ("redact", "hash", expect("redact", false)),
            ("clear", "redact", expect("redact", false)),
            ("hash", "redact", expect("redact", false)),
            ("null", "redact", expect("null", false)),
            ("redact", "null", expect("null", false)),
            ("clear", "hidden", None),
            ("hidden", "null", None),
            ("clear", "month", None),
        ] {
            assert_eq!(shown(offer, cap), want, "{offer} under {cap}");
        }
    }

    #[test]
    fn a_mask_that_does_not_fit_shows_nothing() {
        let first = Shown { mask: Mask::First(Revealing(2)), hashed: false };
        assert_eq!(first.fitted(&DataType::Utf8), first);
        assert_eq!(first.fitted(&DataType::Int64), Shown::NULL);
        let list = DataType::new_list(DataType::Utf8, true);
        assert_eq!(Shown { hashed: true, ..Shown::CLEAR }.fitted(&list), Shown::NULL);
        assert_eq!(Shown::CLEAR.fitted(&list), Shown::CLEAR);
    }
}
