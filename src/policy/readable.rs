//! Conditions as people read them, in the manner of SQL: `region = 'EU' and amount >= 100`.

use std::collections::BTreeSet;
use std::fmt;

use chrono::DateTime;

use super::condition::{Comparison, Condition, Literal, PatternPart, Term};
use crate::name::ColumnPath;

/// What stands where something is withheld.
const WITHHELD: &str = "…";

/// A condition for a reader. What the reader may not know is written `…`: literals, and columns by name.
#[derive(Clone, Copy)]
pub struct Readable<'a> {
    condition: &'a Condition,
    literals: bool,
    named: Option<&'a dyn Fn(&ColumnPath) -> bool>,
}

impl<'a> Readable<'a> {
    /// The whole condition: for those who may read the policy itself.
    pub fn whole(condition: &'a Condition) -> Self {
        Self { condition, literals: true, named: None }
    }

    /// Without any value of the policy, and with the names of those columns only for which `named` holds.
    pub fn guarded(condition: &'a Condition, named: &'a dyn Fn(&ColumnPath) -> bool) -> Self {
        Self { condition, literals: false, named: Some(named) }
    }

    fn path(&self, path: &ColumnPath) -> String {
        match self.named {
            Some(named) if !named(path) => WITHHELD.to_owned(),
            _ => path.to_string(),
        }
    }

    fn literal(&self, literal: &Literal) -> String {
        if !self.literals {
            return WITHHELD.to_owned();
        }
        match literal {
            Literal::Bool(value) => value.to_string(),
            Literal::Long(value) => value.to_string(),
            Literal::String(value) => quoted(value),
            Literal::Decimal(value) => {
                let (sign, value) = (if *value < 0 { "-" } else { "" }, value.unsigned_abs());
                format!("{sign}{}.{:04}", value / 10_000, value % 10_000)
            }
            Literal::Datetime(millis) => match DateTime::from_timestamp_millis(*millis) {
                Some(at) => at.format("'%Y-%m-%d %H:%M:%S%.fZ'").to_string(),
                None => format!("{millis} ms since 1970"),
            },
        }
    }

    /// How many there are tells too, so a withheld set is one sign.
    fn set(&self, literals: &BTreeSet<Literal>) -> String {
        if !self.literals {
            return format!("({WITHHELD})");
        }
        let literals: Vec<String> = literals.iter().map(|literal| self.literal(literal)).collect();
        format!("({})", literals.join(", "))
    }

    fn pattern(&self, parts: &[PatternPart]) -> String {
        if !self.literals {
            return WITHHELD.to_owned();
        }
        let parts = parts.iter().map(|part| match part {
            PatternPart::Text(text) => text.replace('*', "\\*"),
            PatternPart::Wildcard => "*".to_owned(),
        });
        quoted(&parts.collect::<String>())
    }

    fn term(&self, term: &Term) -> String {
        let pair = |a: &Term, sign: &str, b: &Term| format!("({} {sign} {})", self.term(a), self.term(b));
        match term {
            Term::Column(path) => self.path(path),
            Term::Literal(literal) => self.literal(literal),
            Term::Add(a, b) => pair(a, "+", b),
            Term::Subtract(a, b) => pair(a, "-", b),
            Term::Multiply(a, b) => pair(a, "*", b),
            Term::Negate(a) => format!("-{}", self.term(a)),
        }
    }

    fn all(&self, parts: &[Condition], word: &str, empty: &str) -> String {
        match parts {
            [] => empty.to_owned(),
            [one] => self.text(one),
            parts => parts.iter().map(|part| self.inner(part)).collect::<Vec<_>>().join(&format!(" {word} ")),
        }
    }

    /// As a part of something larger.
    fn inner(&self, condition: &Condition) -> String {
        match condition {
            Condition::And(parts) | Condition::Or(parts) if parts.len() > 1 => format!("({})", self.text(condition)),
            Condition::If(..) => format!("({})", self.text(condition)),
            _ => self.text(condition),
        }
    }

    fn text(&self, condition: &Condition) -> String {
        match condition {
            Condition::Const(true) => "always".to_owned(),
            Condition::Const(false) => "never".to_owned(),
            Condition::Not(inner) => match inner.as_ref() {
                Condition::Has(path) => format!("{} is null", self.path(path)),
                Condition::OneOf(term, literals) => format!("{} not in {}", self.term(term), self.set(literals)),
                inner => format!("not {}", self.inner_of_not(inner)),
            },
            Condition::And(parts) => self.all(parts, "and", "always"),
            Condition::Or(parts) => self.all(parts, "or", "never"),
            Condition::If(when, then, other) => {
                format!("if {} then {} else {}", self.inner(when), self.inner(then), self.inner(other))
            }
            Condition::Has(path) => format!("{} is not null", self.path(path)),
            Condition::Column(path) => self.path(path),
            Condition::Compare(comparison, a, b) => format!("{} {} {}", self.term(a), sign(*comparison), self.term(b)),
            Condition::OneOf(term, literals) => format!("{} in {}", self.term(term), self.set(literals)),
            Condition::Like(term, parts) => format!("{} like {}", self.term(term), self.pattern(parts)),
            Condition::Contains(path, literal) => format!("{} contains {}", self.path(path), self.literal(literal)),
            Condition::ContainsAll(path, all) => format!("{} contains all of {}", self.path(path), self.set(all)),
            Condition::ContainsAny(path, any) => format!("{} contains any of {}", self.path(path), self.set(any)),
            Condition::IsEmpty(path) => format!("{} is empty", self.path(path)),
        }
    }

    /// `not` binds to what follows it, so everything but a bare column stands in brackets.
    fn inner_of_not(&self, inner: &Condition) -> String {
        match inner {
            Condition::Column(path) => self.path(path),
            inner => format!("({})", self.text(inner)),
        }
    }
}

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(self.condition))
    }
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> ColumnPath {
        ColumnPath::root(name.parse().unwrap())
    }

    fn column(name: &str) -> Term {
        Term::Column(path(name))
    }

    fn text(value: &str) -> Literal {
        Literal::String(value.to_owned())
    }

    fn condition() -> Condition {
        let region =
            Condition::Compare(Comparison::Equal, column("region").into(), Box::new(Term::Literal(text("EU's"))));
        let customer = Condition::OneOf(column("customer_id").into(), [Literal::Long(7), Literal::Long(9)].into());
        let note =
            Condition::Like(column("note").into(), vec![PatternPart::Text("a*".to_owned()), PatternPart::Wildcard]);
        Condition::And(vec![
            Condition::Has(path("region")),
            region,
            Condition::Or(vec![customer.clone(), Condition::Not(Box::new(note))]),
            Condition::Not(Box::new(customer)),
        ])
    }

    #[test]
    fn a_condition_reads_like_sql() {
        assert_eq!(
            Readable::whole(&condition()).to_string(),
            "region is not null and region = 'EU''s' and (customer_id in (7, 9) or not (note like 'a\\**')) \
             and customer_id not in (7, 9)"
        );
        let literals = [Literal::Decimal(-12_345), Literal::Datetime(1_704_067_200_250), Literal::Bool(true)];
        let literals = literals.map(|literal| Readable::whole(&Condition::Const(true)).literal(&literal));
        assert_eq!(literals, ["-1.2345", "'2024-01-01 00:00:00.250Z'", "true"]);
    }

    #[test]
    fn values_and_hidden_columns_are_withheld() {
        let named = |path: &ColumnPath| path.to_string() == "region";
        assert_eq!(
            Readable::guarded(&condition(), &named).to_string(),
            "region is not null and region = … and (… in (…) or not (… like …)) and … not in (…)"
        );
    }
}
