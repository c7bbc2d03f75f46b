//! `DISTINCT ON (1)` as `DISTINCT ON (a)`: the planner takes a place in the list of columns for a number, which all rows share.

use datafusion::sql::sqlparser::ast::{Distinct, Expr, Select, SelectItem, Value, ValueWithSpan};

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

fn is_one_column(item: &SelectItem) -> bool {
    matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. })
}
