//! A residual of partial evaluation → [`Condition`]. What does not fit is an error, and an error denies the dataset.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::pst::{BinaryOp, Clause, EntityUID, Expr, Literal as CedarLiteral, PatternElem, UnaryOp};

use super::condition::{Comparison, Condition, Literal, PatternPart, Term};
use super::literal;
use super::schema::CellKind;
use super::simplify::simplify;
use crate::name::{ColumnName, ColumnPath};

/// The row as residuals see it: its columns, and what it is a member of.
#[derive(Debug)]
pub(super) struct Row {
    /// Columns that are Cedar attributes, structs too.
    pub columns: BTreeMap<ColumnPath, CellKind>,
    /// Entities above the row, rendered: `Domain::"sales"`.
    pub ancestors: BTreeSet<String>,
    /// Its own entity type, `sales::orders`.
    pub kind: String,
}

type Outcome<T> = Result<T, String>;

/// The condition under which a residual policy is satisfied, simplified.
///
/// # Errors
/// A sentence for the log: an error node anywhere inside, or a construct that columns cannot express.
pub(super) fn condition(policy: &cedar_policy::Policy, row: &Row) -> Outcome<Condition> {
    let pst = policy.to_pst().map_err(|error| error.to_string())?;
    let mut parts = Vec::new();
    for clause in pst.body().clauses() {
        let (Clause::When(expr) | Clause::Unless(expr)) = clause;
        if expr.has_error() {
            return Err("a part of it fails for this caller".to_owned());
        }
        let part = row.boolean(expr)?;
        parts.push(if matches!(clause, Clause::When(_)) { part } else { Condition::Not(Box::new(part)) });
    }
    Ok(simplify(Condition::And(parts)))
}

impl Row {
    fn boolean(&self, expr: &Expr) -> Outcome<Condition> {
        match expr {
            Expr::Literal(CedarLiteral::Bool(value)) => Ok(Condition::Const(*value)),
            Expr::GetAttr { .. } => match self.column(expr)? {
                (path, CellKind::Bool) => Ok(Condition::Column(path)),
                (path, _) => Err(format!("`{path}` is not a boolean")),
            },
            Expr::HasAttr { expr, attrs } => {
                let mut path = self.path(expr)?;
                for name in attrs {
                    path = Some(step(path, name)?);
                }
                let path = path.ok_or("`has` without an attribute")?;
                // A name that strict validation let through but no column stands for is never there.
                let known = self.columns.contains_key(&path);
                Ok(if known { Condition::Has(path) } else { Condition::Const(false) })
            }
            Expr::UnaryOp { op: UnaryOp::Not, expr } => Ok(Condition::Not(Box::new(self.boolean(expr)?))),
            Expr::UnaryOp { op: UnaryOp::IsEmpty, expr } => match expr.as_ref() {
                Expr::Set(items) => Ok(Condition::Const(items.is_empty())),
                other => Ok(Condition::IsEmpty(self.set_column(other)?)),
            },
            Expr::BinaryOp { op, left, right } => self.binary(*op, left, right),
            Expr::IfThenElse { cond, then_expr, else_expr } => Ok(Condition::If(
                Box::new(self.boolean(cond)?),
                Box::new(self.boolean(then_expr)?),
                Box::new(self.boolean(else_expr)?),
            )),
            Expr::Like { expr, pattern } => Ok(Condition::Like(Box::new(self.term(expr)?), pattern_parts(pattern))),
            Expr::Is { expr, entity_type, in_expr } => {
                let uid = entity(expr)?;
                let same = Condition::Const(uid.ty.to_string() == entity_type.to_string());
                match in_expr {
                    Some(target) => Ok(Condition::And(vec![same, self.member(uid, target)?])),
                    None => Ok(same),
                }
            }
            other => Err(format!("`{other}` cannot be asked of a column")),
        }
    }

    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Outcome<Condition> {
        let comparison = match op {
            BinaryOp::And => return Ok(Condition::And(vec![self.boolean(left)?, self.boolean(right)?])),
            BinaryOp::Or => return Ok(Condition::Or(vec![self.boolean(left)?, self.boolean(right)?])),
            BinaryOp::In => return self.member(entity(left)?, right),
            BinaryOp::Contains => return self.contains(left, right),
            BinaryOp::ContainsAll => return Ok(Condition::ContainsAll(self.set_column(left)?, literals(right)?)),
            BinaryOp::ContainsAny => {
                let (column, words) = if matches!(left, Expr::Set(_)) { (right, left) } else { (left, right) };
                return Ok(Condition::ContainsAny(self.set_column(column)?, literals(words)?));
            }
            BinaryOp::Eq => Comparison::Equal,
            BinaryOp::NotEq => Comparison::NotEqual,
            BinaryOp::Less | BinaryOp::DecimalLessThan => Comparison::Less,
            BinaryOp::LessEq | BinaryOp::DecimalLessEq => Comparison::LessOrEqual,
            BinaryOp::Greater | BinaryOp::DecimalGreater => Comparison::Greater,
            BinaryOp::GreaterEq | BinaryOp::DecimalGreaterEq => Comparison::GreaterOrEqual,
            other => return Err(format!("`{other:?}` cannot be asked of a column")),
        };
        self.compare(comparison, left, right)
    }

    fn compare(&self, op: Comparison, left: &Expr, right: &Expr) -> Outcome<Condition> {
        if let Expr::IfThenElse { cond, then_expr, else_expr } = left {
            return Ok(Condition::If(
                Box::new(self.boolean(cond)?),
                Box::new(self.compare(op, then_expr, right)?),
                Box::new(self.compare(op, else_expr, right)?),
            ));
        }
        if let Expr::IfThenElse { cond, then_expr, else_expr } = right {
            return Ok(Condition::If(
                Box::new(self.boolean(cond)?),
                Box::new(self.compare(op, left, then_expr)?),
                Box::new(self.compare(op, left, else_expr)?),
            ));
        }
        if let (Some(left), Some(right)) = (known_entity(left), known_entity(right)) {
            let same = left.to_string() == right.to_string();
            return Ok(Condition::Const(if op == Comparison::Equal { same } else { !same }));
        }
        if let Some(column) = empty_set_against(left, right) {
            let empty = Condition::IsEmpty(self.set_column(column)?);
            return Ok(if op == Comparison::Equal { empty } else { Condition::Not(Box::new(empty)) });
        }
        match (self.term(left), self.term(right)) {
            (Ok(left), Ok(right)) => Ok(Condition::Compare(op, Box::new(left), Box::new(right))),
            (Err(why), _) | (_, Err(why)) => {
                // Two conditions compared with each other: `(a && b) == c`.
                let (Ok(left), Ok(right)) = (self.boolean(left), self.boolean(right)) else { return Err(why) };
                let different = Condition::Not(Box::new(right.clone()));
                let (then, other) = if op == Comparison::Equal { (right, different) } else { (different, right) };
                Ok(Condition::If(Box::new(left), Box::new(then), Box::new(other)))
            }
        }
    }

    fn contains(&self, set: &Expr, item: &Expr) -> Outcome<Condition> {
        let Expr::Set(items) = set else {
            return Ok(Condition::Contains(self.set_column(set)?, literal_of(item)?));
        };
        if let Ok(words) = literals(set) {
            return Ok(Condition::OneOf(Box::new(self.term(item)?), words));
        }
        items.iter().map(|word| self.compare(Comparison::Equal, item, word)).collect::<Outcome<_>>().map(Condition::Or)
    }

    fn member(&self, uid: &EntityUID, target: &Expr) -> Outcome<Condition> {
        let known = uid.ty.to_string() == self.kind;
        let is_in = |target: &EntityUID| uid == target || self.ancestors.contains(&target.to_string());
        match target {
            _ if !known => Err("the members of an entity other than the row are not known".to_owned()),
            Expr::Set(items) => {
                let mut found = false;
                for item in items {
                    found |= is_in(entity(item)?);
                }
                Ok(Condition::Const(found))
            }
            other => Ok(Condition::Const(is_in(entity(other)?))),
        }
    }

    fn term(&self, expr: &Expr) -> Outcome<Term> {
        let pair =
            |left: &Expr, right: &Expr| Ok::<_, String>((Box::new(self.term(left)?), Box::new(self.term(right)?)));
        match expr {
            Expr::GetAttr { .. } => match self.column(expr)? {
                (path, CellKind::Record | CellKind::StringSet) => Err(format!("`{path}` is not a single value")),
                (path, _) => Ok(Term::Column(path)),
            },
            Expr::UnaryOp { op: UnaryOp::Neg, expr } => Ok(Term::Negate(Box::new(self.term(expr)?))),
            Expr::BinaryOp { op: BinaryOp::Add, left, right } => {
                pair(left, right).map(|(left, right)| Term::Add(left, right))
            }
            Expr::BinaryOp { op: BinaryOp::Sub, left, right } => {
                pair(left, right).map(|(left, right)| Term::Subtract(left, right))
            }
            Expr::BinaryOp { op: BinaryOp::Mul, left, right } => {
                pair(left, right).map(|(left, right)| Term::Multiply(left, right))
            }
            other => literal_of(other).map(Term::Literal),
        }
    }

    fn set_column(&self, expr: &Expr) -> Outcome<ColumnPath> {
        match self.column(expr)? {
            (path, CellKind::StringSet) => Ok(path),
            (path, _) => Err(format!("`{path}` is not a set")),
        }
    }

    fn column(&self, expr: &Expr) -> Outcome<(ColumnPath, CellKind)> {
        let path = self.path(expr)?.ok_or("the row itself is not a value")?;
        let kind = self.columns.get(&path).copied().ok_or_else(|| format!("there is no column `{path}`"))?;
        Ok((path, kind))
    }

    /// The columns that a chain of attributes walks; nothing for the row itself.
    fn path(&self, expr: &Expr) -> Outcome<Option<ColumnPath>> {
        match expr {
            Expr::Literal(CedarLiteral::EntityUID(uid)) if uid.ty.to_string() == self.kind => Ok(None),
            Expr::GetAttr { expr, attr } => step(self.path(expr)?, attr).map(Some),
            other => Err(format!("`{other}` is not the row")),
        }
    }
}

fn step(parent: Option<ColumnPath>, name: &str) -> Outcome<ColumnPath> {
    let name: ColumnName = name.parse().map_err(|error: crate::name::NameError| error.to_string())?;
    Ok(match parent {
        Some(parent) => parent.child(name),
        None => ColumnPath::root(name),
    })
}

fn entity(expr: &Expr) -> Outcome<&EntityUID> {
    known_entity(expr).ok_or_else(|| format!("`{expr}` is not a known entity"))
}

fn known_entity(expr: &Expr) -> Option<&EntityUID> {
    if let Expr::Literal(CedarLiteral::EntityUID(uid)) = expr { Some(uid) } else { None }
}

/// `[]` compared with something: that something.
fn empty_set_against<'a>(left: &'a Expr, right: &'a Expr) -> Option<&'a Expr> {
    let is_empty = |expr: &Expr| matches!(expr, Expr::Set(items) if items.is_empty());
    match (is_empty(left), is_empty(right)) {
        (true, false) => Some(right),
        (false, true) => Some(left),
        _ => None,
    }
}

fn literals(expr: &Expr) -> Outcome<BTreeSet<Literal>> {
    match expr {
        Expr::Set(items) => items.iter().map(|item| literal_of(item)).collect(),
        other => Err(format!("`{other}` is not a set of literals")),
    }
}

fn literal_of(expr: &Expr) -> Outcome<Literal> {
    let text = |expr: &Expr| match expr {
        Expr::Literal(CedarLiteral::String(text)) => Ok(text.to_string()),
        other => Err(format!("`{other}` is not a literal")),
    };
    match expr {
        Expr::Literal(CedarLiteral::Bool(value)) => Ok(Literal::Bool(*value)),
        Expr::Literal(CedarLiteral::Long(value)) => Ok(Literal::Long(*value)),
        Expr::Literal(CedarLiteral::String(value)) => Ok(Literal::String(value.to_string())),
        Expr::UnaryOp { op: UnaryOp::Decimal, expr } => {
            let text = text(expr)?;
            literal::decimal(&text).map(Literal::Decimal).ok_or_else(|| format!("`{text}` is not a decimal"))
        }
        Expr::UnaryOp { op: UnaryOp::Datetime, expr } => {
            let text = text(expr)?;
            literal::datetime(&text).map(Literal::Datetime).ok_or_else(|| format!("`{text}` is not a datetime"))
        }
        // Partial evaluation writes every datetime as the epoch and an offset.
        Expr::BinaryOp { op: BinaryOp::Offset, left, right } => {
            let Literal::Datetime(base) = literal_of(left)? else {
                return Err(format!("`{left}` is not a datetime"));
            };
            let Expr::UnaryOp { op: UnaryOp::Duration, expr } = right.as_ref() else {
                return Err(format!("`{right}` is not a duration"));
            };
            let text = text(expr)?;
            literal::duration(&text)
                .and_then(|offset| base.checked_add(offset))
                .map(Literal::Datetime)
                .ok_or_else(|| format!("`{text}` is not a duration"))
        }
        other => Err(format!("`{other}` is not a literal")),
    }
}

fn pattern_parts(pattern: &[PatternElem]) -> Vec<PatternPart> {
    let mut parts = Vec::new();
    for element in pattern {
        match (element, parts.last_mut()) {
            (PatternElem::Char(c), Some(PatternPart::Text(text))) => text.push(*c),
            (PatternElem::Char(c), _) => parts.push(PatternPart::Text(c.to_string())),
            (PatternElem::Wildcard, Some(PatternPart::Wildcard)) => {}
            (PatternElem::Wildcard, _) => parts.push(PatternPart::Wildcard),
        }
    }
    parts
}
