//! Making a condition smaller changes no answer.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::rewrites::{path, text};
use crate::policy::simplify::simplify;
use crate::policy::{Comparison, Condition, Literal, PatternPart, Term};

/// A row for the property test; every value fits its type.
#[derive(Debug, Clone)]
struct Values {
    n: i64,
    m: i64,
    word: &'static str,
    maybe: Option<&'static str>,
    flag: bool,
    labels: BTreeSet<Literal>,
}

impl Values {
    /// Nothing where the whole condition fails: overflow.
    fn holds(&self, condition: &Condition) -> Option<bool> {
        Some(match condition {
            Condition::Const(value) => *value,
            Condition::Not(inner) => !self.holds(inner)?,
            Condition::And(parts) => {
                parts.iter().map(|part| self.holds(part)).collect::<Option<Vec<_>>>()?.into_iter().all(|p| p)
            }
            Condition::Or(parts) => {
                parts.iter().map(|part| self.holds(part)).collect::<Option<Vec<_>>>()?.into_iter().any(|p| p)
            }
            Condition::If(test, then, other) => {
                let (test, then, other) = (self.holds(test)?, self.holds(then)?, self.holds(other)?);
                if test { then } else { other }
            }
            Condition::Has(_) => self.maybe.is_some(),
            Condition::Column(_) => self.flag,
            Condition::Compare(op, left, right) => {
                let (left, right) = (self.term(left)?, self.term(right)?);
                match op {
                    Comparison::Equal => left == right,
                    Comparison::NotEqual => left != right,
                    Comparison::Less => left < right,
                    Comparison::LessOrEqual => left <= right,
                    Comparison::Greater => left > right,
                    Comparison::GreaterOrEqual => left >= right,
                }
            }
            Condition::OneOf(term, words) => words.contains(&self.term(term)?),
            Condition::Like(term, parts) => {
                let Literal::String(text) = self.term(term)? else { panic!("like over a number") };
                match parts.as_slice() {
                    [PatternPart::Text(start), PatternPart::Wildcard] => text.starts_with(start),
                    _ => panic!("not generated"),
                }
            }
            Condition::Contains(_, word) => self.labels.contains(word),
            Condition::ContainsAll(_, words) => words.is_subset(&self.labels),
            Condition::ContainsAny(_, words) => !words.is_disjoint(&self.labels),
            Condition::IsEmpty(_) => self.labels.is_empty(),
        })
    }

    fn term(&self, term: &Term) -> Option<Literal> {
        let long = |term: &Term| match self.term(term)? {
            Literal::Long(value) => Some(value),
            other => panic!("{other:?} is no number"),
        };
        Some(match term {
            Term::Column(path) => match path.to_string().as_str() {
                "n" => Literal::Long(self.n),
                "m" => Literal::Long(self.m),
                "flag" => Literal::Bool(self.flag),
                _ => text(self.word),
            },
            Term::Literal(literal) => literal.clone(),
            Term::Add(left, right) => Literal::Long(long(left)?.checked_add(long(right)?)?),
            Term::Subtract(left, right) => Literal::Long(long(left)?.checked_sub(long(right)?)?),
            Term::Multiply(left, right) => Literal::Long(long(left)?.checked_mul(long(right)?)?),
            Term::Negate(inner) => Literal::Long(long(inner)?.checked_neg()?),
        })
    }
}

fn numbers() -> impl Strategy<Value = Term> {
    let leaf = prop_oneof![
        Just(Term::Column(path("n"))),
        Just(Term::Column(path("m"))),
        (-3_i64..4).prop_map(|n| Term::Literal(Literal::Long(n))),
    ];
    leaf.prop_recursive(2, 8, 2, |inner| {
        let two = (inner.clone(), inner.clone()).prop_map(|(a, b)| (Box::new(a), Box::new(b)));
        prop_oneof![
            two.clone().prop_map(|(a, b)| Term::Add(a, b)),
            two.clone().prop_map(|(a, b)| Term::Subtract(a, b)),
            two.prop_map(|(a, b)| Term::Multiply(a, b)),
            inner.prop_map(|a| Term::Negate(Box::new(a))),
        ]
    })
}

fn texts() -> impl Strategy<Value = Term> {
    prop_oneof![
        Just(Term::Column(path("word"))),
        prop_oneof![Just("a"), Just("ab")].prop_map(|w| Term::Literal(text(w)))
    ]
}

fn bools() -> impl Strategy<Value = Term> {
    prop_oneof![Just(Term::Column(path("flag"))), any::<bool>().prop_map(|b| Term::Literal(Literal::Bool(b)))]
}

fn word_sets() -> impl Strategy<Value = BTreeSet<Literal>> {
    proptest::collection::btree_set(prop_oneof![Just("a"), Just("ab"), Just("b")].prop_map(text), 0..3)
}

fn conditions() -> impl Strategy<Value = Condition> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let ops = prop::sample::select(vec![Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual]);
    let equals = prop::sample::select(vec![Equal, NotEqual]);
    let compare = |(op, a, b): (Comparison, Term, Term)| Condition::Compare(op, Box::new(a), Box::new(b));
    let labels = || path("labels");
    let leaf = prop_oneof![
        any::<bool>().prop_map(Condition::Const),
        Just(Condition::Has(path("maybe"))),
        Just(Condition::Column(path("flag"))),
        (ops, numbers(), numbers()).prop_map(compare),
        (equals.clone(), texts(), texts()).prop_map(compare),
        (equals, bools(), bools()).prop_map(compare),
        (texts(), word_sets()).prop_map(|(term, words)| Condition::OneOf(Box::new(term), words)),
        texts().prop_map(|term| Condition::Like(
            Box::new(term),
            vec![PatternPart::Text("a".to_owned()), PatternPart::Wildcard],
        )),
        Just(Condition::Contains(labels(), text("a"))),
        word_sets().prop_map(move |words| Condition::ContainsAll(labels(), words)),
        word_sets().prop_map(move |words| Condition::ContainsAny(labels(), words)),
        Just(Condition::IsEmpty(labels())),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| Condition::Not(Box::new(part))),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Condition::And),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Condition::Or),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| Condition::If(
                Box::new(a),
                Box::new(b),
                Box::new(c)
            )),
        ]
    })
}

fn rows() -> impl Strategy<Value = Values> {
    let edge = || prop_oneof![-3_i64..4, Just(i64::MAX), Just(i64::MIN)];
    let word = || prop::sample::select(vec!["a", "ab", "b", ""]);
    (edge(), edge(), word(), proptest::option::of(word()), any::<bool>(), word_sets())
        .prop_map(|(n, m, word, maybe, flag, labels)| Values { n, m, word, maybe, flag, labels })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Where no arithmetic overflows, the smaller condition says what the larger one said.
    #[test]
    fn simplification_changes_no_answer(condition in conditions(), row in rows()) {
        let small = simplify(condition.clone());
        if let Some(truth) = row.holds(&condition) {
            prop_assert_eq!(row.holds(&small), Some(truth), "{:?}", small);
        }
        prop_assert_eq!(simplify(small.clone()), small);
    }
}
