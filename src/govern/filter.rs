//! Conditions of policies → expressions over a dataset's columns.
//!
//! A permit's clause holds only where it is TRUE and every column it reads keeps its promise; a forbid's fails to hold only
//! where it is FALSE and they do. NULL therefore never shows anything. The results are combined by AND and OR alone.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow::datatypes::DataType;
use datafusion::common::{Column as Name, ScalarValue, TableReference};
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{Expr, Operator, binary_expr, lit};

use super::exposure::{Alternative, Conditions, Rows};
use super::literal::{Floor, Kind, after_prefix, canonical};
use super::promise::{BrokenPromise, LatePredicate, Refusal, broken, whole};
use super::total::Function;
use crate::contract::{Column, Dataset};
use crate::diagnostic::{Diagnostic, Kind as Fault, Result};
use crate::name::ColumnPath;
use crate::policy::{Comparison, Condition, Literal, PatternPart, Term};

/// What private plans call the opened dataset.
pub(super) const BASE: &str = "base";

/// Names of drift markers by leaf column.
pub(super) type Drift = BTreeMap<ColumnPath, String>;

/// The columns that conditions are about.
#[derive(Debug)]
pub(super) struct Compiler<'a> {
    pub dataset: &'a Dataset,
    pub drift: Drift,
    /// Set where the contract refuses broken values that a reader sees in clear.
    pub refuses: Option<Refusal>,
}

/// An output column of the opened dataset.
pub(super) fn base(name: &str) -> Expr {
    Expr::Column(Name::new(Some(TableReference::bare(BASE)), name))
}

fn unknown(what: &str) -> Diagnostic {
    Diagnostic::error(Fault::Internal, format!("a policy asks about {what}"))
}

impl Compiler<'_> {
    /// The filter of visible rows; `None` where all are.
    pub fn rows(&self, rows: &Rows) -> Result<Option<Expr>> {
        match rows {
            Rows::None => Ok(Some(lit(false))),
            Rows::All => Ok(None),
            Rows::Where(alternatives) => {
                let each = alternatives.iter().map(|a| self.alternative(a)).collect::<Result<Vec<_>>>()?;
                Ok(Some(any(each)))
            }
        }
    }

    /// TRUE where the alternative holds, else FALSE or NULL.
    pub fn alternative(&self, alternative: &Alternative) -> Result<Expr> {
        let offered = alternative.offered.iter().map(|conditions| self.permitted(conditions));
        let parts = offered.chain([self.unforbidden(&alternative.withheld)]);
        Ok(all(parts.collect::<Result<Vec<_>>>()?))
    }

    /// TRUE where one of the permits' conditions holds, else FALSE or NULL.
    pub fn permitted(&self, conditions: &Conditions) -> Result<Expr> {
        let each = conditions.iter().map(|condition| self.kept(condition, true));
        Ok(any(each.collect::<Result<Vec<_>>>()?))
    }

    /// TRUE where none of the forbids' conditions holds, else FALSE or NULL.
    pub fn unforbidden(&self, conditions: &Conditions) -> Result<Expr> {
        let each = conditions.iter().map(|condition| self.kept(condition, false));
        Ok(all(each.collect::<Result<Vec<_>>>()?))
    }

    /// The value at a path: a column, or a field of one.
    pub fn value(&self, path: &ColumnPath) -> Result<(Expr, &Column)> {
        let mut levels = self.levels(path)?;
        levels.pop().ok_or_else(|| unknown("a column without a name"))
    }

    /// `value` of the column or field at `path`, refused where it is broken and `clear`; without `clear` every row shows it.
    pub fn checked(&self, path: &ColumnPath, value: Expr, clear: Option<Expr>) -> Expr {
        let Some((refusal, broken)) = self.refuses.as_ref().zip(broken(&self.drift, path)) else { return value };
        let broken = all(refusal.rows.clone().into_iter().chain(clear).chain([broken]).collect());
        whole(value, broken, BrokenPromise { column: path.to_string(), ..refusal.promise.clone() })
    }

    /// Whether a broken value of a column is refused.
    pub fn checks(&self, column: &str) -> bool {
        self.refuses.is_some()
            && self.drift.keys().any(|path| path.segments().first().is_some_and(|name| name.as_str() == column))
    }

    /// A predicate over columns that are checked.
    pub fn late(&self, predicate: Expr) -> LatePredicate {
        let read: HashSet<&str> = predicate.column_refs().into_iter().map(Name::name).collect();
        let read = self.dataset.columns.iter().filter(|column| read.contains(column.name.as_str()));
        let checked = read.map(|column| {
            let path = ColumnPath::root(column.name.clone());
            (column.name.to_string(), self.checked(&path, base(column.name.as_str()), None))
        });
        let checked = checked.collect();
        LatePredicate { checked, predicate }
    }

    /// The columns along a path, outermost first.
    fn levels(&self, path: &ColumnPath) -> Result<Vec<(Expr, &Column)>> {
        let mut levels: Vec<(Expr, &Column)> = Vec::new();
        let mut columns = &self.dataset.columns;
        for segment in path.segments() {
            let column = columns.iter().find(|column| column.name == *segment);
            let column = column.ok_or_else(|| unknown(&format!("`{path}`, which the contract does not have")))?;
            let value = match levels.last() {
                None => base(segment.as_str()),
                Some((parent, _)) => Function::Field(segment.to_string()).call(vec![parent.clone()]),
            };
            levels.push((value, column));
            columns = &column.fields;
        }
        Ok(levels)
    }

    /// TRUE where the condition holds, or does not, and every promise about what it reads is kept.
    fn kept(&self, condition: &Condition, holds: bool) -> Result<Expr> {
        let mut reads = Reads::default();
        reads.condition(condition);
        let held = self.condition(condition)?;
        let mut parts = vec![if holds { held } else { negate(held) }];
        let mut push = |part: Expr| {
            if !parts.contains(&part) {
                parts.push(part);
            }
        };
        for path in &reads.columns {
            let mut parent: Option<Expr> = None;
            let levels = self.levels(path)?;
            for (value, column) in &levels {
                if column.required {
                    // A required field of an absent struct promises nothing.
                    let there = value.clone().is_not_null();
                    push(match &parent {
                        None => there,
                        Some(parent) => any(vec![there, parent.clone().is_null()]),
                    });
                }
                parent = Some(value.clone());
            }
            if let Some((value, column)) = levels.last()
                && let Some(kind) = Kind::of(&column.data_type)
                && Kind::may_not_fit(&column.data_type)
            {
                push(Function::Fits(kind).call(vec![value.clone()]));
            }
            if let Some((value, column)) = levels.last().filter(|(_, column)| !column.fields.is_empty()) {
                // A struct that is there was read as one, whatever became of its members.
                if let Some(broken) = self.all_broken(path, column) {
                    push(any(vec![value.clone().is_not_null(), negate(broken)]));
                }
                continue;
            }
            for marker in self.drift.iter().filter(|(marked, _)| marked.starts_with(path)).map(|(_, marker)| marker) {
                push(base(marker).is_not_true());
            }
        }
        for term in &reads.sums {
            let mut reads = Reads::default();
            reads.term(term);
            let mut parts = vec![self.canonical(term)?.is_not_null()];
            for path in &reads.columns {
                parts.push(self.value(path)?.0.is_null());
            }
            push(any(parts));
        }
        Ok(all(parts))
    }

    /// TRUE where every member of a struct is broken, else FALSE; none where some member never is.
    fn all_broken(&self, path: &ColumnPath, column: &Column) -> Option<Expr> {
        let members = column.leaves().into_iter().map(|(below, _)| {
            let below = below.segments().iter().skip(1).fold(path.clone(), |path, name| path.child(name.clone()));
            self.drift.get(&below).map(|marker| base(marker).is_true())
        });
        members.collect::<Option<Vec<_>>>().map(all)
    }

    fn condition(&self, condition: &Condition) -> Result<Expr> {
        let each = |conditions: &[Condition]| conditions.iter().map(|c| self.condition(c)).collect::<Result<Vec<_>>>();
        Ok(match condition {
            Condition::Const(value) => lit(*value),
            Condition::Not(inner) => negate(self.condition(inner)?),
            Condition::And(parts) => all(each(parts)?),
            Condition::Or(parts) => any(each(parts)?),
            Condition::If(test, then, otherwise) => {
                let test = self.condition(test)?;
                let then = all(vec![test.clone(), self.condition(then)?]);
                any(vec![then, all(vec![negate(test), self.condition(otherwise)?])])
            }
            Condition::Has(path) => self.value(path)?.0.is_not_null(),
            Condition::Column(path) => self.of_kind(path, Kind::Bool)?,
            Condition::Compare(op, left, right) => self.compare(*op, left, right)?,
            Condition::OneOf(term, literals) => self.one_of(term, literals)?,
            Condition::Like(term, parts) => {
                if self.kind(term)? != Kind::String {
                    return Err(unknown("a pattern of something that is not text"));
                }
                like(self.canonical(term)?, parts)
            }
            Condition::Contains(path, literal) => {
                Function::HoldsAny(texts([literal])?).call(vec![self.of_kind(path, Kind::Set)?])
            }
            Condition::ContainsAny(path, literals) => {
                Function::HoldsAny(texts(literals)?).call(vec![self.of_kind(path, Kind::Set)?])
            }
            Condition::ContainsAll(path, literals) => {
                Function::HoldsAll(texts(literals)?).call(vec![self.of_kind(path, Kind::Set)?])
            }
            Condition::IsEmpty(path) => Function::IsEmpty.call(vec![self.of_kind(path, Kind::Set)?]),
        })
    }

    fn of_kind(&self, path: &ColumnPath, kind: Kind) -> Result<Expr> {
        let (value, column) = self.value(path)?;
        if Kind::of(&column.data_type) == Some(kind) {
            Ok(value)
        } else {
            Err(unknown(&format!("`{path}` as if it were of another type")))
        }
    }

    fn kind(&self, term: &Term) -> Result<Kind> {
        match term {
            Term::Column(path) => {
                let (_, column) = self.value(path)?;
                Kind::of(&column.data_type).ok_or_else(|| unknown(&format!("`{path}`, whose type it cannot read")))
            }
            Term::Literal(literal) => Ok(Kind::of_literal(literal)),
            Term::Add(..) | Term::Subtract(..) | Term::Multiply(..) | Term::Negate(_) => Ok(Kind::Long),
        }
    }

    fn compare(&self, op: Comparison, left: &Term, right: &Term) -> Result<Expr> {
        if self.kind(left)? != self.kind(right)? || self.kind(left)? == Kind::Set {
            return Err(unknown("the order of two values of different types"));
        }
        let plain = match (left, right) {
            (Term::Column(path), Term::Literal(literal)) => self.plain(op, path, literal)?,
            (Term::Literal(literal), Term::Column(path)) => self.plain(op.flipped(), path, literal)?,
            _ => None,
        };
        Ok(match plain {
            Some(plain) => plain,
            None => binary_expr(self.canonical(left)?, operator(op), self.canonical(right)?),
        })
    }

    /// `column op literal` in the column's own type, where that says the same.
    fn plain(&self, op: Comparison, path: &ColumnPath, literal: &Literal) -> Result<Option<Expr>> {
        let (value, column) = self.value(path)?;
        Ok(Floor::of(literal, &column.data_type).and_then(|floor| {
            let op = floor.comparison(op)?;
            Some(binary_expr(value, operator(op), Expr::Literal(floor.value, None)))
        }))
    }

    fn one_of(&self, term: &Term, literals: &BTreeSet<Literal>) -> Result<Expr> {
        let kind = self.kind(term)?;
        if kind == Kind::Set || literals.iter().any(|literal| Kind::of_literal(literal) != kind) {
            return Err(unknown("membership among values of another type"));
        }
        if literals.is_empty() {
            return Ok(lit(false));
        }
        if let Term::Column(path) = term {
            let (value, column) = self.value(path)?;
            let exact = literals.iter().filter_map(|literal| {
                Floor::of(literal, &column.data_type).filter(|floor| floor.exact).map(|floor| floor.value)
            });
            // A literal that the type cannot express equals no value of it.
            let exact: Vec<ScalarValue> = exact.collect();
            if !exact.is_empty() {
                return Ok(value.in_list(exact.into_iter().map(|value| Expr::Literal(value, None)).collect(), false));
            }
        }
        let literals = literals.iter().map(|literal| Expr::Literal(canonical(literal), None)).collect();
        Ok(self.canonical(term)?.in_list(literals, false))
    }

    /// The term in its kind's canonical type.
    fn canonical(&self, term: &Term) -> Result<Expr> {
        let long = |term: &Term| {
            if self.kind(term)? == Kind::Long {
                self.canonical(term)
            } else {
                Err(unknown("arithmetic of other than integers"))
            }
        };
        Ok(match term {
            Term::Literal(literal) => Expr::Literal(canonical(literal), None),
            Term::Column(path) => {
                let (value, column) = self.value(path)?;
                match self.kind(term)? {
                    Kind::Bool | Kind::String | Kind::Set => value,
                    Kind::Long if column.data_type == DataType::Int64 => value,
                    kind => Function::Canonical(kind).call(vec![value]),
                }
            }
            Term::Add(left, right) => Function::Add.call(vec![long(left)?, long(right)?]),
            Term::Subtract(left, right) => Function::Subtract.call(vec![long(left)?, long(right)?]),
            Term::Multiply(left, right) => Function::Multiply.call(vec![long(left)?, long(right)?]),
            Term::Negate(inner) => Function::Negate.call(vec![long(inner)?]),
        })
    }
}

fn texts<'a>(literals: impl IntoIterator<Item = &'a Literal>) -> Result<Vec<String>> {
    let text = |literal: &Literal| match literal {
        Literal::String(text) => Ok(text.clone()),
        _ => Err(unknown("a set of something that is not text")),
    };
    literals.into_iter().map(text).collect()
}

fn like(value: Expr, parts: &[PatternPart]) -> Expr {
    let mut merged: Vec<PatternPart> = Vec::new();
    for part in parts {
        match (merged.last_mut(), part) {
            (Some(PatternPart::Text(before)), PatternPart::Text(text)) => before.push_str(text),
            (Some(PatternPart::Wildcard), PatternPart::Wildcard) => {}
            (_, PatternPart::Text(text)) if text.is_empty() => {}
            _ => merged.push(part.clone()),
        }
    }
    match merged.as_slice() {
        [PatternPart::Text(text)] => value.eq(lit(text.as_str())),
        // A prefix is a range: UTF-8 sorts as its characters do.
        [PatternPart::Text(prefix), PatternPart::Wildcard] => {
            let from = value.clone().gt_eq(lit(prefix.as_str()));
            match after_prefix(prefix) {
                Some(end) => all(vec![from, value.lt(lit(end))]),
                None => from,
            }
        }
        _ => Function::Like(merged).call(vec![value]),
    }
}

/// The conjuncts of a filter without `column IS NOT NULL` where another of them cannot be TRUE of NULL: a file would be read once more
/// for each. Only of the whole filter: inside of a larger expression the optimizer takes `x NOT IN a OR x NOT IN b` for TRUE, which for
/// NULL it is not, and the promise is what keeps such a row out.
pub(super) fn conjuncts(filter: Expr) -> Vec<Expr> {
    let parts = split_conjunction_owned(filter);
    let compared: HashSet<Name> = parts.iter().filter_map(compared).cloned().collect();
    let implied = |part: &Expr| match part {
        Expr::IsNotNull(value) => matches!(value.as_ref(), Expr::Column(name) if compared.contains(name)),
        _ => false,
    };
    parts.into_iter().filter(|part| !implied(part)).collect()
}

/// The column that is compared with literals, neither of which gives TRUE or FALSE for NULL.
fn compared(part: &Expr) -> Option<&Name> {
    let literal = |expr: &Expr| matches!(expr, Expr::Literal(value, _) if !value.is_null());
    match part {
        Expr::Not(inner) => compared(inner),
        Expr::BinaryExpr(comparison) if literal(&comparison.right) => {
            use Operator as O;
            let strict = matches!(comparison.op, O::Eq | O::NotEq | O::Lt | O::LtEq | O::Gt | O::GtEq);
            comparison.left.try_as_col().filter(|_| strict)
        }
        Expr::InList(list) if !list.list.is_empty() && list.list.iter().all(literal) => list.expr.try_as_col(),
        _ => None,
    }
}

/// What a condition reads.
#[derive(Default)]
struct Reads<'a> {
    columns: BTreeSet<&'a ColumnPath>,
    /// Outermost arithmetic.
    sums: BTreeSet<&'a Term>,
}

impl<'a> Reads<'a> {
    fn condition(&mut self, condition: &'a Condition) {
        match condition {
            Condition::Const(_) => {}
            Condition::Not(inner) => self.condition(inner),
            Condition::And(parts) | Condition::Or(parts) => parts.iter().for_each(|part| self.condition(part)),
            Condition::If(test, then, otherwise) => {
                for part in [test, then, otherwise] {
                    self.condition(part);
                }
            }
            Condition::Compare(_, left, right) => {
                self.root(left);
                self.root(right);
            }
            Condition::OneOf(term, _) | Condition::Like(term, _) => self.root(term),
            Condition::Has(path)
            | Condition::Column(path)
            | Condition::Contains(path, _)
            | Condition::ContainsAll(path, _)
            | Condition::ContainsAny(path, _)
            | Condition::IsEmpty(path) => {
                self.columns.insert(path);
            }
        }
    }

    fn root(&mut self, term: &'a Term) {
        if !matches!(term, Term::Column(_) | Term::Literal(_)) {
            self.sums.insert(term);
        }
        self.term(term);
    }

    fn term(&mut self, term: &'a Term) {
        match term {
            Term::Literal(_) => {}
            Term::Column(path) => {
                self.columns.insert(path);
            }
            Term::Add(left, right) | Term::Subtract(left, right) | Term::Multiply(left, right) => {
                self.term(left);
                self.term(right);
            }
            Term::Negate(inner) => self.term(inner),
        }
    }
}

/// The columns and members that a condition reads.
pub(super) fn columns_read(condition: &Condition) -> BTreeSet<&ColumnPath> {
    let mut reads = Reads::default();
    reads.condition(condition);
    reads.columns
}

fn negate(expr: Expr) -> Expr {
    Expr::Not(Box::new(expr))
}

/// TRUE when all are; the empty conjunction is TRUE.
pub(super) fn all(parts: Vec<Expr>) -> Expr {
    parts.into_iter().filter(|part| *part != lit(true)).reduce(Expr::and).unwrap_or_else(|| lit(true))
}

/// TRUE when any is; the empty disjunction is FALSE.
pub(super) fn any(parts: Vec<Expr>) -> Expr {
    parts.into_iter().filter(|part| *part != lit(false)).reduce(Expr::or).unwrap_or_else(|| lit(false))
}

fn operator(op: Comparison) -> Operator {
    match op {
        Comparison::Equal => Operator::Eq,
        Comparison::NotEqual => Operator::NotEq,
        Comparison::Less => Operator::Lt,
        Comparison::LessOrEqual => Operator::LtEq,
        Comparison::Greater => Operator::Gt,
        Comparison::GreaterOrEqual => Operator::GtEq,
    }
}
