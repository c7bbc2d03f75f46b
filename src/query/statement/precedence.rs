//! `a IS DISTINCT FROM b AND c` as `(a IS DISTINCT FROM b) AND c`.
//!
//! The parser takes all that follows `FROM` for the right side, and brackets that were written stay in its tree (`Nested`). So an `AND`,
//! `OR` or `XOR` without them, below this operator, below `NOT`, or on the right of an operator that binds more tightly, was put there
//! by the parser alone. Each is moved up to where it belongs, from the leaves to the root.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};

pub(super) fn restore(expr: &mut Expr) {
    let right = match expr {
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => right,
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => expr,
        Expr::BinaryOp { op, right, .. } => {
            let looser = strength(op).is_some_and(|own| connective(right).is_some_and(|inner| inner < own));
            if !looser {
                return;
            }
            right
        }
        _ => return,
    };
    if connective(right).is_none() {
        return;
    }
    let Expr::BinaryOp { left: first, .. } = right.as_mut() else { return };
    // The expression keeps the first operand, and becomes it.
    let mut operand = std::mem::replace(first.as_mut(), placeholder());
    let mut whole = std::mem::replace(right.as_mut(), placeholder());
    std::mem::swap(right.as_mut(), &mut operand);
    let mut own = std::mem::replace(expr, placeholder());
    restore(&mut own);
    if let Expr::BinaryOp { left, .. } = &mut whole {
        **left = own;
    }
    *expr = whole;
}

/// How tightly a connective without brackets binds.
fn connective(expr: &Expr) -> Option<u8> {
    match expr {
        Expr::BinaryOp { op, .. } => strength(op),
        _ => None,
    }
}

fn strength(op: &BinaryOperator) -> Option<u8> {
    match op {
        BinaryOperator::Or => Some(1),
        BinaryOperator::Xor => Some(2),
        BinaryOperator::And => Some(3),
        _ => None,
    }
}

fn placeholder() -> Expr {
    Expr::Wildcard(datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken::empty())
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::{Expr, VisitMut, VisitorMut};
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;
    use std::ops::ControlFlow;

    struct Restored;

    impl VisitorMut for Restored {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            super::restore(expr);
            ControlFlow::Continue(())
        }
    }

    /// The tree with all its brackets.
    fn bracketed(expr: &Expr) -> String {
        match expr {
            Expr::BinaryOp { left, op, right } => format!("({} {op} {})", bracketed(left), bracketed(right)),
            Expr::UnaryOp { op, expr } => format!("({op} {})", bracketed(expr)),
            Expr::IsDistinctFrom(left, right) => format!("({} <> {})", bracketed(left), bracketed(right)),
            Expr::IsNotDistinctFrom(left, right) => format!("({} == {})", bracketed(left), bracketed(right)),
            Expr::Nested(inner) => bracketed(inner),
            other => other.to_string(),
        }
    }

    #[test]
    fn connectives_end_the_right_side() {
        for (sql, expect) in [
            ("a is distinct from b and c", "((a <> b) AND c)"),
            ("a is not distinct from b or c and d", "((a == b) OR (c AND d))"),
            ("x and a is distinct from b or c", "((x AND (a <> b)) OR c)"),
            ("x or a is distinct from b and c or d", "(x OR (((a <> b) AND c) OR d))"),
            ("not a is distinct from b and c", "((NOT (a <> b)) AND c)"),
            ("not (a is distinct from b and c)", "(NOT ((a <> b) AND c))"),
            ("a is distinct from (b and c)", "(a <> (b AND c))"),
            ("a is distinct from b + 1 and c", "((a <> (b + 1)) AND c)"),
            ("a is distinct from b and c is not distinct from d or e", "(((a <> b) AND (c == d)) OR e)"),
            ("x and (a or b)", "(x AND (a OR b))"),
            ("x or a and b", "(x OR (a AND b))"),
        ] {
            let mut expr = Parser::new(&GenericDialect {}).try_with_sql(sql).unwrap().parse_expr().unwrap();
            let _ = expr.visit(&mut Restored);
            assert_eq!(bracketed(&expr), expect, "{sql}");
        }
    }
}
