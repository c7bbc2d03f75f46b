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
        never |= facts.truth(expr, &mut unclear) == Some(!wanted);
    }
    match (never, unclear) {
        (true, _) => Applies::Never,
        (false, true) => Applies::Unclear,
        (false, false) => Applies::Can,
    }
}

#[derive(PartialEq)]
enum Known {
    Word(String),
    Words(BTreeSet<String>),
}

impl CellFacts {
    /// Three-valued: nothing where the principal or the row decides.
    fn truth(&self, expr: &Expr, unclear: &mut bool) -> Option<bool> {
        match expr {
            Expr::Literal(Literal::Bool(value)) => Some(*value),
            Expr::UnaryOp { op: UnaryOp::Not, expr } => self.truth(expr, unclear).map(|value| !value),
            Expr::BinaryOp { op: BinaryOp::And, left, right } => {
                match (self.truth(left, unclear), self.truth(right, unclear)) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                }
            }
            Expr::BinaryOp { op: BinaryOp::Or, left, right } => {
                match (self.truth(left, unclear), self.truth(right, unclear)) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                }
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => match self.truth(cond, unclear) {
                Some(true) => self.truth(then_expr, unclear),
                Some(false) => self.truth(else_expr, unclear),
                None => {
                    let then = self.truth(then_expr, unclear);
                    (then == self.truth(else_expr, unclear)).then_some(then).flatten()
                }
            },
            atom => {
                let truth = self.atom(atom);
                *unclear |= truth.is_none() && asks_column(atom);
                truth
            }
        }
    }

    fn atom(&self, expr: &Expr) -> Option<bool> {
        match expr {
            Expr::Like { expr, pattern } => match self.known(expr)? {
                Known::Word(word) => Some(matches(pattern, &word)),
                Known::Words(_) => None,
            },
            Expr::UnaryOp { op: UnaryOp::IsEmpty, expr } => match self.known(expr)? {
                Known::Words(words) => Some(words.is_empty()),
                Known::Word(_) => None,
            },
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
