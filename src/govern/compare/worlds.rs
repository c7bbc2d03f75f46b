//! The kinds of rows that some conditions can tell apart.
//!
//! A *leaf* is a condition without parts. What a row answers to all leaves about one value depends on where that value lies among the
//! literals they name, so each value has a few classes; a world picks one class of each. Leaves that are not understood are taken to
//! be independent of all others, which adds worlds that no row is in and never leaves one out.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::name::ColumnPath;
use crate::policy::{Comparison, Condition, Literal, Term};

/// More than these are not looked at: the answer is then that nothing is known.
const MAX_WORLDS: usize = 1 << 16;
/// A set column has a world for each subset of the words that conditions name, up to this many words.
const MAX_WORDS: usize = 8;

/// A condition over numbered leaves.
#[derive(Debug)]
pub(super) enum Formula {
    Const(bool),
    Leaf(usize),
    Not(Box<Formula>),
    All(Vec<Formula>),
    Any(Vec<Formula>),
    If(Box<[Formula; 3]>),
}

impl Formula {
    pub fn holds(&self, world: &[bool]) -> bool {
        match self {
            Self::Const(value) => *value,
            Self::Leaf(at) => world.get(*at).copied().unwrap_or(false),
            Self::Not(inner) => !inner.holds(world),
            Self::All(parts) => parts.iter().all(|part| part.holds(world)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(world)),
            Self::If(parts) => {
                let [test, then, otherwise] = parts.as_ref();
                if test.holds(world) { then.holds(world) } else { otherwise.holds(world) }
            }
        }
    }
}

/// Leaves about one thing, and the answers that they can give together.
#[derive(Debug)]
struct Subject {
    leaves: Vec<usize>,
    answers: Vec<Vec<bool>>,
}

#[derive(Debug)]
pub(super) struct Worlds<'a> {
    leaves: BTreeMap<&'a Condition, usize>,
    subjects: Vec<Subject>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum About<'a> {
    Value(Term),
    Set(&'a ColumnPath),
    Itself(&'a Condition),
}

impl<'a> Worlds<'a> {
    /// `None` where there are too many.
    pub fn of(conditions: impl IntoIterator<Item = &'a Condition>) -> Option<Self> {
        let mut found = BTreeSet::new();
        for condition in conditions {
            collect(condition, &mut found);
        }
        let leaves: BTreeMap<&Condition, usize> = found.into_iter().enumerate().map(|(at, leaf)| (leaf, at)).collect();
        let mut about: BTreeMap<About<'_>, Vec<(usize, &Condition)>> = BTreeMap::new();
        for (leaf, at) in &leaves {
            about.entry(subject(leaf)).or_default().push((*at, leaf));
        }
        let mut subjects = Vec::new();
        for (what, leaves) in about {
            match what {
                About::Value(_) => subjects.push(values(&leaves)),
                About::Set(_) => subjects.extend(sets(&leaves)),
                About::Itself(_) => subjects.extend(leaves.iter().map(|(at, _)| free(*at))),
            }
        }
        let count = subjects.iter().try_fold(1_usize, |count, subject| count.checked_mul(subject.answers.len()))?;
        (count <= MAX_WORLDS).then_some(Self { leaves, subjects })
    }

    pub fn formula(&self, condition: &Condition) -> Formula {
        let all = |parts: &[Condition]| parts.iter().map(|part| self.formula(part)).collect();
        match condition {
            Condition::Const(value) => Formula::Const(*value),
            Condition::Not(inner) => Formula::Not(Box::new(self.formula(inner))),
            Condition::And(parts) => Formula::All(all(parts)),
            Condition::Or(parts) => Formula::Any(all(parts)),
            Condition::If(test, then, otherwise) => {
                Formula::If(Box::new([self.formula(test), self.formula(then), self.formula(otherwise)]))
            }
            leaf => self.leaves.get(leaf).map_or(Formula::Const(false), |at| Formula::Leaf(*at)),
        }
    }

    /// Calls `visit` with what every leaf answers, once for each world.
    pub fn each(&self, mut visit: impl FnMut(&[bool])) {
        let mut world = vec![false; self.leaves.len()];
        let mut chosen = vec![0_usize; self.subjects.len()];
        loop {
            for (subject, choice) in self.subjects.iter().zip(&chosen) {
                let Some(answers) = subject.answers.get(*choice) else { continue };
                for (leaf, answer) in subject.leaves.iter().zip(answers) {
                    if let Some(slot) = world.get_mut(*leaf) {
                        *slot = *answer;
                    }
                }
            }
            visit(&world);
            // The next number in a system whose digits have a base of their own.
            let mut done = true;
            for (choice, subject) in chosen.iter_mut().zip(&self.subjects) {
                *choice += 1;
                if *choice < subject.answers.len() {
                    done = false;
                    break;
                }
                *choice = 0;
            }
            if done {
                return;
            }
        }
    }
}

fn collect<'a>(condition: &'a Condition, out: &mut BTreeSet<&'a Condition>) {
    match condition {
        Condition::Const(_) => {}
        Condition::Not(inner) => collect(inner, out),
        Condition::And(parts) | Condition::Or(parts) => parts.iter().for_each(|part| collect(part, out)),
        Condition::If(test, then, otherwise) => [test, then, otherwise].into_iter().for_each(|part| collect(part, out)),
        leaf => _ = out.insert(leaf),
    }
}

fn subject(leaf: &Condition) -> About<'_> {
    match leaf {
        Condition::Has(path) | Condition::Column(path) => About::Value(Term::Column(path.clone())),
        Condition::OneOf(term, _) => About::Value(term.as_ref().clone()),
        Condition::Compare(_, left, right) => match (left.as_ref(), right.as_ref()) {
            (Term::Literal(_), Term::Literal(_)) => About::Itself(leaf),
            (term, Term::Literal(_)) | (Term::Literal(_), term) => About::Value(term.clone()),
            _ => About::Itself(leaf),
        },
        Condition::Contains(path, _)
        | Condition::ContainsAll(path, _)
        | Condition::ContainsAny(path, _)
        | Condition::IsEmpty(path) => About::Set(path),
        other => About::Itself(other),
    }
}

fn free(leaf: usize) -> Subject {
    Subject { leaves: vec![leaf], answers: vec![vec![false], vec![true]] }
}

/// A question about one value, as ranks among the literals: the literal at index `i` has rank `2i + 1`, what lies before it `2i`.
enum Question {
    Has,
    Compare(Comparison, usize),
    OneOf(HashSet<usize>),
}

impl Question {
    fn answer(&self, rank: usize) -> bool {
        match self {
            Self::Has => true,
            Self::Compare(op, literal) => {
                let order = rank.cmp(literal);
                match op {
                    Comparison::Equal => order == Ordering::Equal,
                    Comparison::NotEqual => order != Ordering::Equal,
                    Comparison::Less => order == Ordering::Less,
                    Comparison::LessOrEqual => order != Ordering::Greater,
                    Comparison::Greater => order == Ordering::Greater,
                    Comparison::GreaterOrEqual => order != Ordering::Less,
                }
            }
            Self::OneOf(literals) => literals.contains(&rank),
        }
    }
}

const YES: Literal = Literal::Bool(true);
const NO: Literal = Literal::Bool(false);

fn values(leaves: &[(usize, &Condition)]) -> Subject {
    let mut literals: BTreeSet<&Literal> = BTreeSet::new();
    for (_, leaf) in leaves {
        match leaf {
            Condition::Column(_) => _ = literals.insert(&YES),
            Condition::OneOf(_, words) => literals.extend(words),
            Condition::Compare(_, left, right) => {
                literals.extend([left, right].into_iter().filter_map(|term| literal(term)));
            }
            _ => {}
        }
    }
    let boolean = literals.iter().any(|literal| matches!(literal, Literal::Bool(_)));
    if boolean {
        literals.extend([&YES, &NO]);
    }
    let literals: Vec<&Literal> = literals.into_iter().collect();
    let rank = |literal: &Literal| literals.binary_search(&literal).map_or(usize::MAX, |at| 2 * at + 1);
    let questions: Vec<Question> = leaves
        .iter()
        .map(|(_, leaf)| match leaf {
            Condition::Column(_) => Question::Compare(Comparison::Equal, rank(&YES)),
            Condition::OneOf(_, words) => Question::OneOf(words.iter().map(rank).collect()),
            Condition::Compare(op, left, right) => match (literal(left), literal(right)) {
                (_, Some(right)) => Question::Compare(*op, rank(right)),
                (Some(left), None) => Question::Compare(op.flipped(), rank(left)),
                (None, None) => Question::Has,
            },
            _ => Question::Has,
        })
        .collect();
    let gaps = (0..=literals.len())
        .filter(|at| !boolean && is_gap(at.checked_sub(1).and_then(|i| literals.get(i)), literals.get(*at)));
    let ranks = gaps.map(|at| 2 * at).chain((0..literals.len()).map(|at| 2 * at + 1));
    let mut answers: BTreeSet<Vec<bool>> =
        ranks.map(|rank| questions.iter().map(|question| question.answer(rank)).collect()).collect();
    if leaves.iter().any(|(_, leaf)| matches!(leaf, Condition::Has(_))) {
        // Without a value nothing that is asked of it holds.
        answers.insert(vec![false; leaves.len()]);
    }
    Subject { leaves: leaves.iter().map(|(at, _)| *at).collect(), answers: answers.into_iter().collect() }
}

/// True unless nothing can lie between two neighbours.
fn is_gap(before: Option<&&Literal>, after: Option<&&Literal>) -> bool {
    match (before, after) {
        (Some(Literal::Long(a)), Some(Literal::Long(b))) => a.checked_add(1) != Some(*b),
        _ => true,
    }
}

fn literal(term: &Term) -> Option<&Literal> {
    match term {
        Term::Literal(literal) => Some(literal),
        _ => None,
    }
}

/// One subject that knows which words the set holds, or each leaf by itself where they are too many.
fn sets(leaves: &[(usize, &Condition)]) -> Vec<Subject> {
    let mut words: BTreeSet<&Literal> = BTreeSet::new();
    for (_, leaf) in leaves {
        match leaf {
            Condition::Contains(_, word) => _ = words.insert(word),
            Condition::ContainsAll(_, all) | Condition::ContainsAny(_, all) => words.extend(all),
            _ => {}
        }
    }
    if words.len() > MAX_WORDS {
        return leaves.iter().map(|(at, _)| free(*at)).collect();
    }
    let words: Vec<&Literal> = words.into_iter().collect();
    let mut answers = BTreeSet::new();
    for subset in 0..1_usize << words.len() {
        let holds = |word: &Literal| words.binary_search(&word).is_ok_and(|at| subset >> at & 1 == 1);
        // A set without any of the words may be empty or hold others.
        for empty in [false, true].into_iter().take(if subset == 0 { 2 } else { 1 }) {
            let answer = |leaf: &Condition| match leaf {
                Condition::Contains(_, word) => holds(word),
                Condition::ContainsAll(_, all) => all.iter().all(holds),
                Condition::ContainsAny(_, any) => any.iter().any(holds),
                _ => empty,
            };
            answers.insert(leaves.iter().map(|(_, leaf)| answer(leaf)).collect());
        }
    }
    vec![Subject { leaves: leaves.iter().map(|(at, _)| *at).collect(), answers: answers.into_iter().collect() }]
}
