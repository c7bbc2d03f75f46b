//! Predicates of users that may run below the policy: they can neither fail nor tell of a row they are not shown.
//!
//! The list is closed. What the engine learns to say later is unsafe until it stands here.

use std::collections::HashSet;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, ScalarValue, TableReference};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::filter::BASE;

/// True for a predicate over the named columns of `visible` that is total whatever the rows hold.
pub(super) fn is_leakproof(predicate: &Expr, visible: &Schema, passing: &HashSet<String>) -> bool {
    let again = |inner: &Expr| is_leakproof(inner, visible, passing);
    let column = |expr: &Expr| column_type(expr, visible, passing);
    match predicate {
        // A boolean column.
        Expr::Column(_) => column(predicate) == Some(&DataType::Boolean),
        Expr::Literal(ScalarValue::Boolean(_), _) => true,
        Expr::Not(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotUnknown(inner) => again(inner),
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => column(inner).is_some() || again(inner),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => again(left) && again(right),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
            compares(left, right, column) || compares(right, left, column) || of_one_type(left, right, column)
        }
        Expr::Between(between) => {
            compares(&between.expr, &between.low, column) && compares(&between.expr, &between.high, column)
        }
        Expr::InList(list) => list.list.iter().all(|value| compares(&list.expr, value, column)),
        _ => false,
    }
}

fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// A column against a literal of its own type.
fn compares<'a>(column: &Expr, literal: &Expr, type_of: impl Fn(&Expr) -> Option<&'a DataType>) -> bool {
    match (type_of(column), literal) {
        (Some(data_type), Expr::Literal(value, _)) => !data_type.is_nested() && value.data_type() == *data_type,
        _ => false,
    }
}

/// Two columns of one type.
fn of_one_type<'a>(left: &Expr, right: &Expr, type_of: impl Fn(&Expr) -> Option<&'a DataType>) -> bool {
    match (type_of(left), type_of(right)) {
        (Some(left), Some(right)) => !left.is_nested() && left == right,
        _ => false,
    }
}

fn column_type<'a>(expr: &Expr, visible: &'a Schema, passing: &HashSet<String>) -> Option<&'a DataType> {
    let Expr::Column(column) = expr else { return None };
    let field = visible.field_with_name(&column.name).ok()?;
    passing.contains(column.name()).then(|| field.data_type())
}

/// The predicate over the opened dataset's columns; they bear the same names.
pub(super) fn below(predicate: Expr) -> datafusion::common::Result<Expr> {
    let rename = |expr| {
        Ok(match expr {
            Expr::Column(column) => {
                Transformed::yes(Expr::Column(Column::new(Some(TableReference::bare(BASE)), column.name)))
            }
            other => Transformed::no(other),
        })
    };
    predicate.transform(rename).map(|transformed| transformed.data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;
    use datafusion::functions::expr_fn::{abs, random};
    use datafusion::logical_expr::{cast, col, lit};

    #[test]
    fn only_total_predicates_pass() {
        let visible = Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("s", DataType::Utf8, true),
            Field::new("b", DataType::Boolean, true),
            Field::new("m", DataType::Int64, true),
            Field::new("masked", DataType::Int64, true),
        ]);
        let passing: HashSet<String> = ["n", "s", "b", "m"].map(str::to_owned).into();
        let safe = |expr: &Expr| is_leakproof(expr, &visible, &passing);
        for expr in [
            col("n").eq(lit(5_i64)),
            lit(5_i64).lt(col("n")),
            col("n").between(lit(1_i64), lit(2_i64)),
            col("s").in_list(vec![lit("a"), lit("b")], true),
            col("n").is_null(),
            col("n").gt(col("m")),
            col("b"),
            Expr::Not(Box::new(col("b").is_true())).or(col("s").not_eq(lit("x"))),
        ] {
            assert!(safe(&expr), "{expr}");
        }
        for expr in [
            col("n").eq(lit(5_i32)),
            col("masked").eq(lit(5_i64)),
            col("card_no").eq(lit("4")),
            cast(col("s"), DataType::Int64).eq(lit(1_i64)),
            (lit(1_i64) / col("n")).gt_eq(lit(0_i64)),
            col("n").eq(lit(5_i64)).and((lit(1_i64) / col("n")).eq(lit(0_i64))),
            abs(col("n")).eq(lit(1_i64)),
            random().lt(lit(2_f64)),
            col("s").like(lit("%x")),
            col("n").eq(col("masked")),
            col("masked").eq(col("n")),
            col("n").eq(col("s")),
            col("n").eq(col("card_no")),
            col("n").between(lit(1_i64), col("m")),
            col("n").in_list(vec![col("masked")], false),
            (lit(1_i64) / col("n")).is_null(),
        ] {
            assert!(!safe(&expr), "{expr}");
        }
    }
}
