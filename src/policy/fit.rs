//! Which masks fit which columns, and which columns a policy can be about.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Template, UnaryOp, Var};

use super::mask::Mask;
use super::syntax::{children, matches, path_of};

/// The table of masks in docs/POLICIES.md.
pub(super) fn fits(mask: Mask, data_type: &DataType) -> bool {
    use DataType as T;
    let nested = matches!(
        data_type,
        T::List(_)
            | T::LargeList(_)
            | T::FixedSizeList(..)
            | T::ListView(_)
            | T::LargeListView(_)
            | T::Map(..)
            | T::Struct(_)
            | T::Union(..)
            | T::RunEndEncoded(..)
            | T::Dictionary(..)
    );
    match mask {
        Mask::Clear | Mask::Redact | Mask::Null | Mask::Hidden => true,
        Mask::First(_) | Mask::Last(_) | Mask::EmailDomain => {
            matches!(data_type, T::Utf8 | T::LargeUtf8 | T::Utf8View)
        }
        Mask::Month | Mask::Year => matches!(data_type, T::Date32 | T::Date64 | T::Timestamp(..)),
        Mask::Bucket(_) => data_type.is_numeric(),
        Mask::Hash => !nested,
    }
}

/// What a policy is told of one column and its product.
#[derive(Debug)]
pub(super) struct CellFacts {
    pub name: String,
    pub tags: BTreeSet<String>,
    pub classification: String,
    pub product: String,
    pub product_tags: BTreeSet<String>,
    pub product_classification: String,
    pub product_status: String,
    pub product_version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applies {
    /// Whoever asks, whatever the row: not this column.
    Never,
    /// Nothing about the column keeps it out.
    Can,
    /// It asks something of the column that only a principal or a row can answer.
    Unclear,
}

/// Reads the part of a policy's conditions that asks about the column, with the principal and the row unknown.
pub(super) fn applies(policy: &Template, facts: &CellFacts) -> Applies {
    let mut unclear = false;
    let mut never = false;
    for clause in policy.clauses() {
        let (expr, wanted) = match clause {
            Clause::When(expr) => (expr, true),
            Clause::Unless(expr) => (expr, false),
        };
        never |= facts.truth(expr, &Given::default(), &mut unclear) == Some(!wanted);
    }
    match (never, unclear) {
        (true, _) => Applies::Never,
        (false, true) => Applies::Unclear,
        (false, false) => Applies::Can,
    }
}

/// Conditions that are taken to hold, or not to.
#[derive(Debug, Default)]
pub(super) struct Given<'a>(pub Vec<(&'a Expr, bool)>);

impl Given<'_> {
    fn truth(&self, expr: &Expr) -> Option<bool> {
        self.0.iter().find_map(|(known, holds)| {
            if *known == expr {
                return Some(*holds);
            }
            let (path, known) = values(known, *holds)?;
            let (same, asked) = values(expr, true)?;
            if path != same {
                return None;
            }
            known.decides(&asked)
        })
    }
}

/// The values that a comparison with a literal leaves to an expression.
#[derive(Debug, PartialEq)]
enum Values<'a> {
    Only(&'a Literal),
    AllBut(&'a Literal),
    /// From the first to the last, both included.
    Between(i64, i64),
}

fn values(expr: &Expr, holds: bool) -> Option<(&Expr, Values<'_>)> {
    let Expr::BinaryOp { op, left, right } = expr else { return None };
    let (asked, literal, swapped) = match (left.as_ref(), right.as_ref()) {
        (asked, Expr::Literal(literal)) => (asked, literal, false),
        (Expr::Literal(literal), asked) => (asked, literal, true),
        _ => return None,
    };
    let from = |n: &i64| Some(Values::Between(*n, i64::MAX));
    let up_to = |n: &i64| Some(Values::Between(i64::MIN, *n));
    let values = match (op, holds, literal) {
        (BinaryOp::Eq, true, _) | (BinaryOp::NotEq, false, _) => Some(Values::Only(literal)),
        (BinaryOp::Eq, false, _) | (BinaryOp::NotEq, true, _) => Some(Values::AllBut(literal)),
        // A literal on the left turns the sign round; so does a comparison that does not hold.
        (BinaryOp::Less | BinaryOp::LessEq | BinaryOp::Greater | BinaryOp::GreaterEq, _, Literal::Long(n)) => {
            let less = matches!(op, BinaryOp::Less | BinaryOp::LessEq);
            let including = matches!(op, BinaryOp::LessEq | BinaryOp::GreaterEq) == holds;
            match (less != swapped) == holds {
                true if including => up_to(n),
                true => up_to(&n.checked_sub(1)?),
                false if including => from(n),
                false => from(&n.checked_add(1)?),
            }
        }
        _ => None,
    };
    Some((asked, values?))
}

impl Values<'_> {
    /// Whether a value of these is one of those: certainly, certainly not, or nobody knows.
    fn decides(&self, asked: &Self) -> Option<bool> {
        let within = |n: &Literal, from: i64, to: i64| match n {
            Literal::Long(n) => Some((from..=to).contains(n)),
            _ => None,
        };
        match (self, asked) {
            (Self::Only(known), Self::Only(asked)) => Some(known == asked),
            (Self::Only(known), Self::AllBut(asked)) => Some(known != asked),
            (Self::Only(known), Self::Between(from, to)) => within(known, *from, *to),
            (Self::AllBut(known), Self::Only(asked)) => (known == asked).then_some(false),
            (Self::AllBut(known), Self::AllBut(asked)) => (known == asked).then_some(true),
            (Self::Between(from, to), Self::Only(asked)) => within(asked, *from, *to).filter(|inside| !inside),
            (Self::Between(from, to), Self::AllBut(asked)) => {
                within(asked, *from, *to).filter(|inside| !inside).map(|_| true)
            }
            (Self::Between(from, to), Self::Between(low, high)) => {
                if low <= from && to <= high {
                    Some(true)
                } else if to < low || high < from {
                    Some(false)
                } else {
                    None
                }
            }
            (Self::AllBut(_), Self::Between(..)) => None,
        }
    }
}

#[derive(PartialEq)]
enum Known {
    Word(String),
    Words(BTreeSet<String>),
}

impl CellFacts {
    /// Three-valued: nothing where the principal or the row decides.
    pub fn truth(&self, expr: &Expr, given: &Given<'_>, unclear: &mut bool) -> Option<bool> {
        if let Some(known) = given.truth(expr) {
            return Some(known);
        }
        match expr {
            Expr::Literal(Literal::Bool(value)) => Some(*value),
            Expr::UnaryOp { op: UnaryOp::Not, expr } => self.truth(expr, given, unclear).map(|value| !value),
            Expr::BinaryOp { op: BinaryOp::And, left, right } => {
                match (self.truth(left, given, unclear), self.truth(right, given, unclear)) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                }
            }
            Expr::BinaryOp { op: BinaryOp::Or, left, right } => {
                match (self.truth(left, given, unclear), self.truth(right, given, unclear)) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                }
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => match self.truth(cond, given, unclear) {
                Some(true) => self.truth(then_expr, given, unclear),
                Some(false) => self.truth(else_expr, given, unclear),
                None => {
                    let then = self.truth(then_expr, given, unclear);
                    (then == self.truth(else_expr, given, unclear)).then_some(then).flatten()
                }
            },
            atom => {
                let truth = self.atom(atom);
                *unclear |= truth.is_none() && asks_column(atom);
                truth
            }
        }
    }

    /// What a condition without parts says of the column, where that depends on nothing else.
    pub(super) fn atom(&self, expr: &Expr) -> Option<bool> {
        match expr {
            Expr::Like { expr, pattern } => match self.known(expr)? {
                Known::Word(word) => Some(matches(pattern, &word)),
                Known::Words(_) => None,
            },
            Expr::UnaryOp { op: UnaryOp::IsEmpty, expr } => match self.known(expr)? {
                Known::Words(words) => Some(words.is_empty()),
                Known::Word(_) => None,
            },
            Expr::BinaryOp { op: BinaryOp::In, left, right } if **left == Expr::Var(Var::Resource) => {
                let Expr::Literal(Literal::EntityUID(uid)) = right.as_ref() else { return None };
                match uid.ty.to_string().as_str() {
                    "Domain" => Some(self.product.split('.').next() == Some(uid.eid.as_str())),
                    "Product" => Some(self.product == uid.eid.as_str()),
                    _ => None,
                }
            }
            Expr::BinaryOp { op, left, right } => {
                let (left, right) = (self.known(left)?, self.known(right)?);
                match (op, left, right) {
                    (BinaryOp::Eq, left, right) => Some(left == right),
                    (BinaryOp::NotEq, left, right) => Some(left != right),
                    (BinaryOp::Contains, Known::Words(set), Known::Word(word)) => Some(set.contains(&word)),
                    (BinaryOp::ContainsAll, Known::Words(set), Known::Words(other)) => Some(other.is_subset(&set)),
                    (BinaryOp::ContainsAny, Known::Words(set), Known::Words(other)) => Some(!other.is_disjoint(&set)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn known(&self, expr: &Expr) -> Option<Known> {
        match expr {
            Expr::Literal(Literal::String(word)) => Some(Known::Word(word.to_string())),
            Expr::Set(items) => items
                .iter()
                .map(|item| match self.known(item)? {
                    Known::Word(word) => Some(word),
                    Known::Words(_) => None,
                })
                .collect::<Option<_>>()
                .map(Known::Words),
            _ => {
                let (Var::Context, path) = path_of(expr)? else { return None };
                Some(match path.as_slice() {
                    ["column", "name"] => Known::Word(self.name.clone()),
                    ["column", "tags"] => Known::Words(self.tags.clone()),
                    ["column", "classification"] => Known::Word(self.classification.clone()),
                    ["product", "name"] => Known::Word(self.product.clone()),
                    ["product", "tags"] => Known::Words(self.product_tags.clone()),
                    ["product", "classification"] => Known::Word(self.product_classification.clone()),
                    ["product", "status"] => Known::Word(self.product_status.clone()),
                    ["product", "version"] => Known::Word(self.product_version.clone()),
                    _ => return None,
                })
            }
        }
    }
}

fn asks_column(expr: &Expr) -> bool {
    path_of(expr).is_some_and(|(var, path)| var == Var::Context && path.first() == Some(&"column"))
        || children(expr).into_iter().any(asks_column)
}
