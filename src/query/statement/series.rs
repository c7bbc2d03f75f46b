//! `FROM range(0, 10)`: functions that are a table. They make numbers or times, row by row.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, FunctionArg, FunctionArgExpr, ObjectName, TableFactor, TableFunctionArgs,
    UnaryOperator, Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::syntax::refuse;
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Their names.
pub const SERIES: [&str; 2] = ["range", "generate_series"];

/// Lower-cases the names where they are called, as those of other functions are: the planner does not.
pub(super) fn fold(tokens: &mut [TokenWithSpan]) {
    let mut called = false;
    for TokenWithSpan { token, .. } in tokens.iter_mut().rev() {
        match token {
            Token::Whitespace(_) => continue,
            Token::Word(word) if called && word.quote_style.is_none() => {
                if let Some(name) = SERIES.iter().find(|name| word.value.eq_ignore_ascii_case(name)) {
                    (*name).clone_into(&mut word.value);
                }
            }
            _ => {}
        }
        called = *token == Token::LParen;
    }
}

/// Checks what is called in `FROM`, and that what is given to it is written out: the planner computes it before anything else is checked.
pub(super) fn check(name: &ObjectName, args: &TableFunctionArgs) -> Result<()> {
    let is_series = match name.0.as_slice() {
        [part] => {
            part.as_ident().is_some_and(|ident| ident.quote_style.is_none() && SERIES.contains(&ident.value.as_str()))
        }
        _ => false,
    };
    if !is_series || args.settings.is_some() {
        return refuse(&format!("`{name}(…)` in `FROM` is not answered"));
    }
    let written =
        |arg: &FunctionArg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if is_written(expr));
    if args.args.iter().all(written) {
        return Ok(());
    }
    let message = format!("what is given to `{name}(…)` in `FROM` must be written out");
    Err(Diagnostic::error(Kind::Unsupported, message).hint(format!(
        "write numbers, or dates and an interval; a parameter can be given to `SELECT unnest({name}(0, ?))`"
    )))
}

fn is_written(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => !matches!(value.value, Value::Placeholder(_)),
        Expr::TypedString(text) => is_plain(&text.data_type),
        Expr::Interval(interval) => is_written(&interval.value),
        Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr: inner } => {
            is_written(inner)
        }
        Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::Minus, right } => {
            is_written(left) && is_written(right)
        }
        Expr::Cast { expr, data_type, .. } => is_plain(data_type) && is_written(expr),
        _ => false,
    }
}

fn is_plain(to: &DataType) -> bool {
    use DataType as T;
    matches!(to, T::Date | T::Timestamp(..) | T::Int(_) | T::Integer(_) | T::BigInt(_) | T::Interval { .. })
}

/// Whether `name` stands in `FROM` as a table, and not as a function.
pub fn reads_table(statement: &Parsed, name: &str) -> bool {
    // Unknown is a table: its name is looked up.
    let Parsed::Statement(statement) = statement else { return true };
    statement.visit(&mut Tables(name)).is_break()
}

struct Tables<'a>(&'a str);

impl Visitor for Tables<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, args: None, .. } => match name.0.as_slice() {
                [part] if part.as_ident().is_some_and(|ident| ident.value.eq_ignore_ascii_case(self.0)) => {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            },
            _ => ControlFlow::Continue(()),
        }
    }
}
