//! Rows that are compared, `(a, b) < (c, d)`, as comparisons of their fields (ISO 9075-2, 8.2).
//!
//! The planner would compare them as structs, in which NULL is a value like others, and takes names and literals only. Here a NULL that
//! decides makes the result UNKNOWN. A row among rows, `(a, b) IN ((1, 2), (3, 4))`, is equal to one of them.

use datafusion::sql::sqlparser::ast::{BinaryOperator as Op, Expr, UnaryOperator};

use crate::diagnostic::{Diagnostic, Kind, Result};

/// Fields of a row, at most: each is compared below the one before it.
const FIELDS: usize = 100;

/// # Errors
/// `Exhausted` for a row with too many fields.
pub(super) fn write_out(expr: &mut Expr) -> Result<()> {
    if let Expr::BinaryOp { left, .. } = expr
        && fields(left).is_some_and(|fields| fields.len() > FIELDS)
    {
        let message = format!("a row that is compared has more than {FIELDS} fields");
        return Err(Diagnostic::error(Kind::Exhausted, message).hint("compare fewer columns"));
    }
    let written = match expr {
        Expr::BinaryOp { left, op, right } => match (fields(left), fields(right)) {
            (Some(left), Some(right)) if left.len() == right.len() => compared(left, op, right),
            _ => None,
        },
        Expr::InList { expr, list, negated } => among(expr, list, *negated),
        // ISO 9075-2, 8.8: of each field.
        Expr::IsNull(row) => fields(row).and_then(|row| each(row, Expr::IsNull)),
        Expr::IsNotNull(row) => fields(row).and_then(|row| each(row, Expr::IsNotNull)),
        _ => None,
    };
    if let Some(written) = written {
        *expr = Expr::Nested(Box::new(written));
    }
    Ok(())
}

fn fields(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Tuple(fields) => Some(fields),
        Expr::Nested(inner) => fields(inner),
        _ => None,
    }
}

/// None for an operator that compares no rows.
fn compared(left: &[Expr], op: &Op, right: &[Expr]) -> Option<Expr> {
    let pairs = || left.iter().zip(right);
    let each = |op: &Op, join: Op| {
        let parts = pairs().map(|(left, right)| binary(left.clone(), op.clone(), right.clone()));
        parts.reduce(|all, part| binary(all, join.clone(), part))
    };
    let strict = match op {
        Op::Eq => return each(op, Op::And),
        Op::NotEq => return each(op, Op::Or),
        Op::Lt | Op::LtEq => Op::Lt,
        Op::Gt | Op::GtEq => Op::Gt,
        _ => return None,
    };
    // From the last field, which alone may be equal, to the first.
    pairs().rev().fold(None, |rest, (left, right)| {
        let Some(rest) = rest else { return Some(binary(left.clone(), op.clone(), right.clone())) };
        let same = binary(binary(left.clone(), Op::Eq, right.clone()), Op::And, nested(rest));
        Some(binary(binary(left.clone(), strict.clone(), right.clone()), Op::Or, nested(same)))
    })
}

fn each(row: &[Expr], says: fn(Box<Expr>) -> Expr) -> Option<Expr> {
    row.iter().map(|field| says(Box::new(field.clone()))).reduce(|all, part| binary(all, Op::And, part))
}

fn among(expr: &Expr, list: &[Expr], negated: bool) -> Option<Expr> {
    let row = fields(expr)?;
    let others: Option<Vec<&[Expr]>> = list.iter().map(fields).collect();
    let others = others.filter(|others| others.iter().all(|other| other.len() == row.len()))?;
    let mut any =
        others.into_iter().map(|other| compared(row, &Op::Eq, other).map(nested)).collect::<Option<Vec<_>>>()?;
    // Halves, so that a long list is no deep tree.
    while any.len() > 1 {
        let mut left = std::mem::take(&mut any).into_iter();
        while let Some(one) = left.next() {
            any.push(match left.next() {
                Some(other) => nested(binary(one, Op::Or, other)),
                None => one,
            });
        }
    }
    let any = any.pop()?;
    Some(if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(nested(any)) } } else { any })
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

fn binary(left: Expr, op: Op, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}
