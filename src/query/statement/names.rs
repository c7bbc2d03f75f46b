//! Columns of one name, under names of their own.
//!
//! SQL lets two columns of a list have one name; the planner lets none, and what it calls by one name may be two expressions, as
//! `x` and `CAST(x AS INT)`. So where it finds a name twice, what the statement gives no name is given one: its text, with a number
//! behind those that stand there already.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{Expr, Ident, Select, SelectItem, VisitMut as _, VisitorMut};

/// Longest text that becomes a name.
const LONGEST: usize = 128;

pub(in crate::query) fn apart(parsed: &mut Parsed) {
    if let Parsed::Statement(ast) = parsed {
        let _ = ast.visit(&mut Names);
    }
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
