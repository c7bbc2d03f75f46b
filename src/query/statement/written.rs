//! Forms that mean the same as others, written as those: what the planner does not read becomes what it does.
//!
//! Before a statement is checked, so that what is checked is what is planned. What finds no other form stays, and is refused there.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, CharLengthUnits, CharacterLength, DataType, ExactNumberInfo, Expr, Fetch, Function,
    FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident, LimitClause,
    ObjectName, Query, Select, SetExpr, Statement as Ast, Top, TopQuantity, TypedString, UnaryOperator, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::{places, precedence, rows, similar, stars, windows};
use crate::diagnostic::{Diagnostic, Result};

/// # Errors
/// `Invalid` for a window that is used and not defined and for a place without a column, `Unsupported` for one that cannot be written out.
pub(super) fn write_out(ast: &mut Ast) -> Result<()> {
    match ast.visit(&mut Forms) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refused) => Err(*refused),
    }
}

struct Forms;

impl VisitorMut for Forms {
    type Break = Box<Diagnostic>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        fetch_as_limit(query);
        top_as_limit(query);
        places::order_by_places(query);
        if let SetExpr::Select(select) = query.body.as_mut() {
            return stop(windows::write_out(select, query.order_by.as_mut()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        stop(stars::write_out(select))?;
        stop(places::write_out(select))?;
        stop(windows::write_out(select, None))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        precedence::restore(expr);
        stop(rows::write_out(expr))?;
        cut_off(expr);
        escape(expr);
        similar::write_out(expr);
        any_as_all(expr);
        unordered(expr);
        exact(expr);
        ControlFlow::Continue(())
    }
}

fn stop(refused: Result<()>) -> ControlFlow<Box<Diagnostic>> {
    match refused {
        Ok(()) => ControlFlow::Continue(()),
        Err(refused) => ControlFlow::Break(Box::new(refused)),
    }
}

/// `FETCH FIRST 3 ROWS ONLY` as `LIMIT 3`.
fn fetch_as_limit(query: &mut Query) {
    let Some(Fetch { with_ties: false, percent: false, quantity }) = &query.fetch else { return };
    let quantity = quantity.clone().unwrap_or_else(|| number("1"));
    if limit(query, quantity) {
        query.fetch = None;
    }
}

/// `SELECT TOP 3 …` as `… LIMIT 3`.
fn top_as_limit(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let Some(Top { with_ties: false, percent: false, quantity: Some(quantity) }) = &select.top else { return };
    let quantity = match quantity {
        TopQuantity::Expr(quantity) => quantity.clone(),
        TopQuantity::Constant(quantity) => number(&quantity.to_string()),
    };
    let top = select.top.take();
    if !limit(query, quantity)
        && let SetExpr::Select(select) = query.body.as_mut()
    {
        select.top = top;
    }
}

/// False if there is a limit.
fn limit(query: &mut Query, quantity: Expr) -> bool {
    match &mut query.limit_clause {
        limit @ None => {
            *limit = Some(LimitClause::LimitOffset { limit: Some(quantity), offset: None, limit_by: Vec::new() });
            true
        }
        Some(LimitClause::LimitOffset { limit: limit @ None, offset: _, limit_by }) if limit_by.is_empty() => {
            *limit = Some(quantity);
            true
        }
        Some(_) => false,
    }
}

/// `CAST(x AS VARCHAR(3))` as `left(CAST(x AS VARCHAR), 3)`: the planner reads no lengths of texts.
fn cut_off(expr: &mut Expr) {
    let length = match expr {
        Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. }) => length(data_type),
        _ => None,
    };
    let Some(length) = length else { return };
    let text = DataType::Varchar(None);
    let cast = match std::mem::replace(expr, Expr::value(Value::Null)) {
        Expr::Cast { kind, expr, data_type: _, array, format } => {
            Expr::Cast { kind, expr, data_type: text, array, format }
        }
        Expr::TypedString(TypedString { data_type: _, value, uses_odbc_syntax: _ }) => Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(Expr::Value(value)),
            data_type: text,
            array: false,
            format: None,
        },
        other => other,
    };
    *expr = call("left", vec![cast, number(&length.to_string())]);
}

/// In letters.
fn length(data_type: &DataType) -> Option<u64> {
    match data_type {
        DataType::Varchar(Some(CharacterLength::IntegerLength { length, unit }))
        | DataType::Char(Some(CharacterLength::IntegerLength { length, unit })) => {
            (*unit != Some(CharLengthUnits::Octets)).then_some(*length)
        }
        _ => None,
    }
}

/// `LIKE '!%a' ESCAPE '!'` as `LIKE '\%a'`: the engine knows one sign that makes a letter stand for itself.
fn escape(expr: &mut Expr) {
    let (Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. }) = expr else { return };
    let Some(Value::SingleQuotedString(sign)) = escape_char.as_ref().map(|sign| &sign.value) else { return };
    if sign == "\\" {
        *escape_char = None;
        return;
    }
    let mut letters = sign.chars();
    let (sign, None) = (letters.next(), letters.next()) else { return };
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(pattern), .. }) = pattern.as_mut() else { return };
    if let Some(escaped) = escaped(pattern, sign) {
        *pattern = escaped;
        *escape_char = None;
    }
}

/// None where the last letter is the sign itself.
fn escaped(pattern: &str, sign: Option<char>) -> Option<String> {
    let mut escaped = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if Some(letter) == sign {
            escaped.push('\\');
            escaped.push(letters.next()?);
        } else {
            if letter == '\\' {
                escaped.push('\\');
            }
            escaped.push(letter);
        }
    }
    Some(escaped)
}

/// `x = ANY (list)` as `NOT (x <> ALL (list))`: the engine answers FALSE for the first where a NULL in the list makes it UNKNOWN.
fn any_as_all(expr: &mut Expr) {
    use BinaryOperator as B;
    let Expr::AnyOp { left, compare_op, right, is_some: _ } = expr else { return };
    if matches!(right.as_ref(), Expr::Subquery(_)) {
        return;
    }
    let otherwise = match compare_op {
        B::Eq => B::NotEq,
        B::NotEq => B::Eq,
        B::Lt => B::GtEq,
        B::LtEq => B::Gt,
        B::Gt => B::LtEq,
        B::GtEq => B::Lt,
        _ => return,
    };
    let all = Expr::AllOp { left: left.clone(), compare_op: otherwise, right: right.clone() };
    *expr = Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(Expr::Nested(Box::new(all))) };
}

/// Digits that a float has for certain.
const FLOAT_DIGITS: usize = 15;
/// Digits that a decimal may have.
const DECIMAL_DIGITS: usize = 38;

/// `array_agg(x ORDER BY 1)` as `array_agg(x)`: a constant orders nothing, and the planner takes it for the place of a column.
fn unordered(expr: &mut Expr) {
    let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = expr else { return };
    for clause in &mut list.clauses {
        if let FunctionArgumentClause::OrderBy(keys) = clause {
            keys.retain(|key| !matches!(key.expr, Expr::Value(_)));
        }
    }
    list.clauses.retain(|clause| !matches!(clause, FunctionArgumentClause::OrderBy(keys) if keys.is_empty()));
}

/// A number with more digits than a float keeps, as a decimal that keeps them all.
fn exact(expr: &mut Expr) {
    let Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) = expr else { return };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let whole = whole.trim_start_matches('0');
    let digits = whole.len() + fraction.len();
    let is_float = text.contains('.') || text.parse::<u64>().is_err();
    if !is_float || !is_digits(whole) || !is_digits(fraction) || !(FLOAT_DIGITS + 1..=DECIMAL_DIGITS).contains(&digits)
    {
        return;
    }
    let (Ok(precision), Ok(scale)) = (u64::try_from(digits), i64::try_from(fraction.len())) else { return };
    *expr = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::value(Value::SingleQuotedString(text.clone()))),
        data_type: DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale)),
        array: false,
        format: None,
    };
}

fn number(digits: &str) -> Expr {
    Expr::value(Value::Number(digits.to_owned(), false))
}

pub(super) fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::with_span(Span::empty(), name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
