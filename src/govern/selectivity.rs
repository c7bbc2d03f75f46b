//! How many rows predicates leave, by what the contract promises.
//!
//! The shares are those of System R (Selinger et al., Access Path Selection in a Relational Database Management System, SIGMOD 1979):
//! one value of the distinct ones, the part of a promised range that bounds cut out, and fixed shares where nothing is promised. Both
//! bounds of one column are taken together. Only the order of joins depends on it, never which rows are read.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};

use crate::contract::Range;

/// One bound, both bounds, `IS NULL`, and what is not known better.
const ONE_SIDE: f64 = 1.0 / 3.0;
const BETWEEN: f64 = 0.25;
const NULLS: f64 = 0.1;
const UNKNOWN: f64 = 0.2;
/// Of the rows that a list leaves, however long it is.
const MOST_OF_A_LIST: f64 = 0.5;

/// What is promised of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Promised {
    /// At least one.
    pub distinct: usize,
    pub range: Option<Range>,
}

/// The share of rows, from 0 to 1, for which all predicates are TRUE. `of` answers what is promised of a column.
pub(super) fn share(predicates: &[Expr], of: &dyn Fn(&str) -> Option<Promised>) -> f64 {
    of_all(predicates.iter().flat_map(split_conjunction).collect(), of)
}

fn of_all(predicates: Vec<&Expr>, of: &dyn Fn(&str) -> Option<Promised>) -> f64 {
    let mut kept: BTreeMap<&str, Kept> = BTreeMap::new();
    let mut share = 1.0;
    for predicate in predicates {
        match bounds(predicate) {
            Some((column, bounds)) => kept.entry(column).or_default().narrow(&bounds, of(column).and_then(|p| p.range)),
            None => share *= of_one(predicate, of),
        }
    }
    kept.values().fold(share, |share, kept| share * kept.share())
}

/// Bounds of one column: which there are, and what they cut out of the promised range, as parts of it.
#[derive(Debug)]
struct Kept {
    below: bool,
    above: bool,
    /// None where a bound has no place in a promised range.
    part: Option<(f64, f64)>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { below: false, above: false, part: Some((0.0, 1.0)) }
    }
}

impl Kept {
    fn narrow(&mut self, (low, high): &(Option<&ScalarValue>, Option<&ScalarValue>), range: Option<Range>) {
        self.below |= low.is_some();
        self.above |= high.is_some();
        let place = |bound: &ScalarValue| {
            let range = range.filter(|range| range.least < range.greatest)?;
            Some(((number(bound)? - range.least) / (range.greatest - range.least)).clamp(0.0, 1.0))
        };
        let (low, high) = (low.map_or(Some(0.0), place), high.map_or(Some(1.0), place));
        self.part = self.part.zip(low.zip(high)).map(|((from, to), (low, high))| (from.max(low), to.min(high)));
    }

    fn share(&self) -> f64 {
        match self.part {
            Some((from, to)) => (to - from).max(0.0),
            None if self.below && self.above => BETWEEN,
            None => ONE_SIDE,
        }
    }
}

type Bounds<'a> = (Option<&'a ScalarValue>, Option<&'a ScalarValue>);

/// The column of a comparison that bounds it, and the bounds.
fn bounds(predicate: &Expr) -> Option<(&str, Bounds<'_>)> {
    match predicate {
        Expr::Between(Between { expr, negated: false, low, high }) => {
            Some((column(expr)?, (Some(literal(low)?), Some(literal(high)?))))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (name, op, value) = match (column(left), literal(right)) {
                (Some(name), Some(value)) => (name, *op, value),
                _ => (column(right)?, op.swap()?, literal(left)?),
            };
            match op {
                Operator::Gt | Operator::GtEq => Some((name, (Some(value), None))),
                Operator::Lt | Operator::LtEq => Some((name, (None, Some(value)))),
                _ => None,
            }
        }
        _ => None,
    }
}

fn of_one(predicate: &Expr, of: &dyn Fn(&str) -> Option<Promised>) -> f64 {
    let one_value = |expr: &Expr| Some(1.0 / count(of(column(expr)?)?.distinct));
    let equal = |left, right| one_value(left).into_iter().chain(one_value(right)).reduce(f64::min).unwrap_or(UNKNOWN);
    match predicate {
        Expr::Literal(ScalarValue::Boolean(Some(true)), _) => 1.0,
        Expr::Literal(..) => 0.0,
        Expr::Not(inner) | Expr::IsFalse(inner) | Expr::IsNotTrue(inner) => 1.0 - of_one(inner, of),
        Expr::IsTrue(inner) | Expr::IsNotFalse(inner) => of_one(inner, of),
        Expr::IsNull(_) | Expr::IsUnknown(_) => NULLS,
        Expr::IsNotNull(_) | Expr::IsNotUnknown(_) => 1.0 - NULLS,
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (left, right) = (of_one(left, of), of_one(right, of));
            left + right - left * right
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            of_all([left, right].into_iter().flat_map(|side| split_conjunction(side)).collect(), of)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq | Operator::IsNotDistinctFrom, right }) => {
            equal(left, right)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::NotEq | Operator::IsDistinctFrom, right }) => {
            1.0 - equal(left, right)
        }
        Expr::InList(list) => {
            let listed = (one_value(&list.expr).unwrap_or(UNKNOWN) * count(list.list.len())).min(MOST_OF_A_LIST);
            if list.negated { 1.0 - listed } else { listed }
        }
        Expr::Between(between) if between.negated => 1.0 - BETWEEN,
        // Bounds inside of another expression, and two columns of which one is the larger.
        Expr::BinaryExpr(_) | Expr::Between(_) => match bounds(predicate) {
            Some(_) => of_all(vec![predicate], of),
            None => ONE_SIDE,
        },
        Expr::Column(_) => 0.5,
        _ => UNKNOWN,
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn count(n: usize) -> f64 {
    n.max(1) as f64
}

fn column(expr: &Expr) -> Option<&str> {
    if let Expr::Column(column) = expr { Some(column.name()) } else { None }
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    if let Expr::Literal(value, _) = expr { Some(value) } else { None }
}

/// In the unit of [`Range`].
fn number(value: &ScalarValue) -> Option<f64> {
    let days_or_micros = match value.data_type() {
        DataType::Date32 => value.cast_to(&DataType::Int32),
        DataType::Timestamp(..) => value.cast_to(&DataType::Int64),
        DataType::Utf8 | DataType::Boolean | DataType::Binary => return None,
        _ => Ok(value.clone()),
    };
    match days_or_micros.ok()?.cast_to(&DataType::Float64).ok()? {
        ScalarValue::Float64(number) => number.filter(|number| number.is_finite()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::logical_expr::{col, lit};

    fn left(predicates: &[Expr]) -> f64 {
        let of = |name: &str| match name {
            "key" => Some(Promised { distinct: 1_000, range: None }),
            "day" => Some(Promised { distinct: 100, range: Some(Range { least: 0.0, greatest: 100.0 }) }),
            "n" => Some(Promised { distinct: 4, range: None }),
            _ => None,
        };
        (share(predicates, &of) * 1e4).round() / 1e4
    }

    fn day(days: i32) -> Expr {
        lit(ScalarValue::Date32(Some(days)))
    }

    #[test]
    fn values_and_ranges_leave_what_is_promised_of_them() {
        let any = || col("n").gt(lit(5_i64));
        for (predicates, expected) in [
            (vec![], 1.0),
            (vec![col("key").eq(lit(7_i64))], 0.001),
            (vec![lit(7_i64).eq(col("key"))], 0.001),
            (vec![col("key").not_eq(lit(7_i64))], 0.999),
            (vec![col("n").in_list(vec![lit(1_i64)], false)], 0.25),
            (vec![col("n").in_list(vec![lit(1_i64), lit(2_i64), lit(3_i64)], false)], 0.5),
            (vec![col("n").in_list(vec![lit(1_i64)], true)], 0.75),
            // Of a promised range, what is between both bounds, however they are written.
            (vec![col("day").gt_eq(day(20))], 0.8),
            (vec![day(20).lt_eq(col("day")), col("day").lt(day(30))], 0.1),
            (vec![col("day").gt_eq(day(20)).and(col("day").lt(day(30)))], 0.1),
            (vec![col("day").between(day(20), day(30))], 0.1),
            (vec![col("day").gt(day(90)), col("day").lt(day(10))], 0.0),
            (vec![col("day").gt(day(-5))], 1.0),
            // Where none is promised.
            (vec![any()], 0.3333),
            (vec![any(), col("n").lt(lit(9_i64))], 0.25),
            (vec![any(), col("key").lt(lit(9_i64))], 0.1111),
            (vec![col("n").gt(col("key"))], 0.3333),
            (vec![Expr::Not(Box::new(any()))], 0.6667),
            (vec![any().or(col("n").eq(lit(1_i64)))], 0.5),
            (vec![col("n").is_null()], 0.1),
            (vec![col("unknown").eq(lit(1_i64))], 0.2),
        ] {
            assert!((left(&predicates) - expected).abs() < 1e-4, "{predicates:?}: {}", left(&predicates));
        }
    }
}
