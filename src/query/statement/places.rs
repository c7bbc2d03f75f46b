//! Places in the list of columns.
//!
//! `DISTINCT ON (1)` as `DISTINCT ON (a)`: the planner takes a place for a number, which all rows share. And `ORDER BY sum(x)` as
//! `ORDER BY 1` where `sum(x) AS x` is in the list: the planner would look for the name inside of the expression among the aliases,
//! where SQL (ISO 9075-2, 7.16) has the columns below the list.

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, Value, ValueWithSpan,
};

use crate::diagnostic::{Diagnostic, Kind, Result};

/// # Errors
/// `Invalid` for a place that has no column, or one behind `*`.
pub(super) fn write_out(select: &mut Select) -> Result<()> {
    let Some(Distinct::On(keys)) = &mut select.distinct else { return Ok(()) };
    for key in keys {
        let Expr::Value(ValueWithSpan { value: Value::Number(place, _), .. }) = key else { continue };
        let column = place.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
        let known = column.filter(|column| select.projection.iter().take(*column).all(is_one_column));
        let item = known.and_then(|column| select.projection.get(column));
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item.ok_or_else(|| {
            Diagnostic::error(Kind::Invalid, format!("`DISTINCT ON ({place})` names no column of the list"))
                .hint("name the column")
        })?
        else {
            return Err(Diagnostic::error(Kind::Invalid, format!("`DISTINCT ON ({place})` names no single column"))
                .hint("name the column"));
        };
        *key = expr.clone();
    }
    Ok(())
}

/// Expressions that are ordered by and stand in the list under another name.
pub(super) fn order_by_places(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_ref() else { return };
    let Some(OrderBy { kind: OrderByKind::Expressions(keys), .. }) = &mut query.order_by else { return };
    for key in keys.iter_mut().filter(|key| !matches!(key.expr, Expr::Identifier(_) | Expr::Value(_))) {
        let before = select.projection.iter().take_while(|item| is_one_column(item));
        let place = before
            .into_iter()
            .position(|item| matches!(item, SelectItem::ExprWithAlias { expr, .. } if *expr == key.expr));
        if let Some(place) = place {
            key.expr = Expr::value(Value::Number((place + 1).to_string(), false));
        }
    }
}

fn is_one_column(item: &SelectItem) -> bool {
    matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. })
}
