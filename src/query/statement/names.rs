//! Columns of one name, under names of their own.
//!
//! SQL lets two columns of a list have one name; the planner lets none, and what it calls by one name may be two expressions, as
//! `x` and `CAST(x AS INT)`. So where it finds a name twice, each column without a name gets one: its text, with a number behind
//! those that stand there already. `count(DISTINCT x)` and `count(DISTINCT CAST(x AS DATE))` have one name before they have an
//! alias; there the cast goes into `nullif(…, NULL)`, which is the cast and has a name.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Select, SelectItem, Value, VisitMut as _, VisitorMut, visit_expressions_mut,
};

use super::written::call;

/// Longest text that becomes a name.
const LONGEST: usize = 128;

pub(in crate::query) fn apart(parsed: &mut Parsed) {
    if let Parsed::Statement(ast) = parsed {
        let _ = ast.visit(&mut Names);
        let mut calls = Calls::default();
        let _ = ast.visit(&mut calls);
        let _ = ast.visit(&mut NamedCasts(calls));
    }
}

/// The texts of calls by their text without casts.
#[derive(Default)]
struct Calls(HashMap<String, HashSet<String>>);

impl VisitorMut for Calls {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Function(_)) {
            self.0.entry(without_casts(expr)).or_default().insert(expr.to_string());
        }
        ControlFlow::Continue(())
    }
}

/// Names the casts in calls that differ from others by casts only.
struct NamedCasts(Calls);

impl VisitorMut for NamedCasts {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let is_one_of_two = matches!(expr, Expr::Function(_))
            && self.0.0.get(&without_casts(expr)).is_some_and(|texts| texts.len() > 1);
        if is_one_of_two {
            let _ = visit_expressions_mut(expr, |part| {
                if matches!(part, Expr::Cast { .. }) {
                    *part = call("nullif", vec![part.clone(), Expr::value(Value::Null)]);
                }
                ControlFlow::<()>::Continue(())
            });
        }
        ControlFlow::Continue(())
    }
}

fn without_casts(expr: &Expr) -> String {
    let mut expr = expr.clone();
    let _ = visit_expressions_mut(&mut expr, |part| {
        while let Expr::Cast { expr, .. } = part {
            *part = expr.as_ref().clone();
        }
        ControlFlow::<()>::Continue(())
    });
    expr.to_string().to_lowercase()
}

struct Names;

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let mut taken: HashSet<String> = select.projection.iter().filter_map(written).collect();
        let is_open = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
        // `*` may be columns of any name.
        let any = select.projection.iter().any(is_open);
        for item in &mut select.projection {
            let SelectItem::UnnamedExpr(expr) = item else { continue };
            let own = match column(expr) {
                Some(column) => {
                    if !any && taken.insert(column.clone()) {
                        continue;
                    }
                    column
                }
                None => expr.to_string().chars().take(LONGEST).collect(),
            };
            let is_new = !any && !taken.contains(&own);
            let name = if is_new { own } else { numbered(&own, &taken) };
            taken.insert(name.clone());
            let expr = expr.clone();
            *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', name) };
        }
        ControlFlow::Continue(())
    }
}

fn numbered(name: &str, taken: &HashSet<String>) -> String {
    let mut number = 1_u64;
    while taken.contains(&format!("{name}_{number}")) {
        number += 1;
    }
    format!("{name}_{number}")
}

fn written(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(value(alias)),
        _ => None,
    }
}

/// The name of a column that stands alone.
fn column(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(value(name)),
        Expr::CompoundIdentifier(parts) => parts.last().map(value),
        _ => None,
    }
}

/// As the planner reads it: in lower case, if it has no quotes.
fn value(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}
