//! Makes a condition smaller without changing what it says of any row.
//!
//! Partial evaluation keeps `(resource.region == "EU") && false`, because reading an attribute could fail there; here it
//! cannot, so that is `false`. Whether a column is hidden for every row is decided on what this leaves.

use super::condition::{Comparison, Condition, Literal, Term};

pub(super) fn simplify(condition: Condition) -> Condition {
    match condition {
        Condition::Not(inner) => negate(simplify(*inner)),
        Condition::And(parts) => all(parts.into_iter().map(simplify)),
        Condition::Or(parts) => any(parts.into_iter().map(simplify)),
        Condition::If(test, then, other) => choose(simplify(*test), simplify(*then), simplify(*other)),
        Condition::Compare(op, left, right) => compare(op, *left, *right),
        Condition::OneOf(term, words) => {
            if words.is_empty() {
                return Condition::Const(false);
            }
            match *term {
                Term::Literal(literal) => Condition::Const(words.contains(&literal)),
                term if words.len() == 1 => match words.into_iter().next() {
                    Some(word) => compare(Comparison::Equal, term, Term::Literal(word)),
                    None => Condition::Const(false),
                },
                term => Condition::OneOf(Box::new(term), words),
            }
        }
        Condition::ContainsAll(_, words) if words.is_empty() => Condition::Const(true),
        Condition::ContainsAny(_, words) if words.is_empty() => Condition::Const(false),
        done => done,
    }
}

fn negate(condition: Condition) -> Condition {
    match condition {
        Condition::Const(value) => Condition::Const(!value),
        Condition::Not(inner) => *inner,
        Condition::Compare(op, left, right) => Condition::Compare(opposite(op), left, right),
        other => Condition::Not(Box::new(other)),
    }
}

fn all(parts: impl Iterator<Item = Condition>) -> Condition {
    let mut kept = Vec::new();
    for part in parts {
        match part {
            Condition::Const(true) => {}
            Condition::Const(false) => return Condition::Const(false),
            Condition::And(inner) => inner.into_iter().for_each(|part| push_new(&mut kept, part)),
            part => push_new(&mut kept, part),
        }
    }
    match kept.len() {
        0 => Condition::Const(true),
        1 => kept.remove(0),
        _ => Condition::And(kept),
    }
}

fn any(parts: impl Iterator<Item = Condition>) -> Condition {
    let mut kept = Vec::new();
    for part in parts {
        match part {
            Condition::Const(false) => {}
            Condition::Const(true) => return Condition::Const(true),
            Condition::Or(inner) => inner.into_iter().for_each(|part| push_new(&mut kept, part)),
            part => push_new(&mut kept, part),
        }
    }
    match kept.len() {
        0 => Condition::Const(false),
        1 => kept.remove(0),
        _ => Condition::Or(kept),
    }
}

fn push_new(kept: &mut Vec<Condition>, part: Condition) {
    if !kept.contains(&part) {
        kept.push(part);
    }
}

fn choose(test: Condition, then: Condition, other: Condition) -> Condition {
    match (test, then, other) {
        (Condition::Const(true), then, _) => then,
        (Condition::Const(false), _, other) => other,
        (_, then, other) if then == other => then,
        (test, Condition::Const(true), Condition::Const(false)) => test,
        (test, Condition::Const(false), Condition::Const(true)) => negate(test),
        (test, then, Condition::Const(false)) => all([test, then].into_iter()),
        (test, Condition::Const(true), other) => any([test, other].into_iter()),
        (test, then, other) => Condition::If(Box::new(test), Box::new(then), Box::new(other)),
    }
}

/// Literals go to the right, so that the compiler sees `column op literal`.
fn compare(op: Comparison, left: Term, right: Term) -> Condition {
    match (left, right) {
        (Term::Literal(left), Term::Literal(right)) => match holds(op, &left, &right) {
            Some(value) => Condition::Const(value),
            None => Condition::Compare(op, Box::new(Term::Literal(left)), Box::new(Term::Literal(right))),
        },
        (Term::Literal(left), right) => compare(mirrored(op), right, Term::Literal(left)),
        (Term::Column(path), Term::Literal(Literal::Bool(value))) => match (op, value) {
            (Comparison::Equal, true) | (Comparison::NotEqual, false) => Condition::Column(path),
            (Comparison::Equal, false) | (Comparison::NotEqual, true) => {
                Condition::Not(Box::new(Condition::Column(path)))
            }
            _ => Condition::Compare(op, Box::new(Term::Column(path)), Box::new(Term::Literal(Literal::Bool(value)))),
        },
        (left, right) => Condition::Compare(op, Box::new(left), Box::new(right)),
    }
}

fn holds(op: Comparison, left: &Literal, right: &Literal) -> Option<bool> {
    if std::mem::discriminant(left) != std::mem::discriminant(right) {
        return None;
    }
    Some(match op {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::LessOrEqual => left <= right,
        Comparison::Greater => left > right,
        Comparison::GreaterOrEqual => left >= right,
    })
}

fn opposite(op: Comparison) -> Comparison {
    match op {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    }
}

fn mirrored(op: Comparison) -> Comparison {
    match op {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        same => same,
    }
}
