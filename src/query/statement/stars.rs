//! `SELECT *` over `JOIN … USING` as the columns of each table, without the key that is there already (ISO 9075-2, 7.10).
//!
//! Of several columns of one key the planner shows that of the table whose name comes first in the alphabet: NULL where that is the right
//! side of a `LEFT JOIN`.

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Ident, JoinConstraint, JoinOperator, ObjectName, Select, SelectItem,
    SelectItemQualifiedWildcardKind, TableFactor, WildcardAdditionalOptions,
};

use crate::diagnostic::{Diagnostic, Kind, Result};

/// # Errors
/// `Unsupported` where a left join might show the wrong key.
pub(super) fn write_out(select: &mut Select) -> Result<()> {
    let is_star = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_));
    let joins = || select.from.iter().flat_map(|from| &from.joins);
    if !select.projection.iter().any(is_star) || !joins().any(|join| shares(&join.join_operator)) {
        return Ok(());
    }
    let written = tables(select);
    let is_plain = |item: &SelectItem| match item {
        SelectItem::Wildcard(options) => *options == WildcardAdditionalOptions::default(),
        _ => true,
    };
    match written.filter(|_| select.projection.iter().all(is_plain)) {
        Some(written) => {
            let items = std::mem::take(&mut select.projection);
            select.projection =
                items.into_iter().flat_map(|item| if is_star(&item) { written.clone() } else { vec![item] }).collect();
            Ok(())
        }
        None if joins().any(|join| is_left(&join.join_operator)) => {
            let message = "`*` is not answered over this LEFT JOIN, whose sides share columns by USING";
            Err(Diagnostic::error(Kind::Unsupported, message).hint("name the columns, or join with ON"))
        }
        None => Ok(()),
    }
}

/// The columns of each table, in order; none where a table has no name or shares columns that are not named.
fn tables(select: &Select) -> Option<Vec<SelectItem>> {
    let mut items = Vec::new();
    for from in &select.from {
        items.push(all_of(name(&from.relation)?, &[]));
        for join in &from.joins {
            match constraint(&join.join_operator) {
                Some(JoinConstraint::Using(keys)) if is_shown(&join.join_operator) => {
                    let keys = keys.iter().map(|key| key.0.first()?.as_ident().cloned());
                    items.push(all_of(name(&join.relation)?, &keys.collect::<Option<Vec<Ident>>>()?));
                }
                Some(JoinConstraint::Natural) => return None,
                _ if is_shown(&join.join_operator) => items.push(all_of(name(&join.relation)?, &[])),
                _ => {}
            }
        }
    }
    Some(items)
}

fn all_of(table: ObjectName, without: &[Ident]) -> SelectItem {
    let exclude = (!without.is_empty())
        .then(|| ExcludeSelectItem::Multiple(without.iter().cloned().map(|key| ObjectName::from(vec![key])).collect()));
    let options = WildcardAdditionalOptions { opt_exclude: exclude, ..WildcardAdditionalOptions::default() };
    SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), options)
}

fn name(table: &TableFactor) -> Option<ObjectName> {
    match table {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(ObjectName::from(vec![alias.name.clone()]))
        }
        TableFactor::Table { name, alias: None, args: None, .. } => Some(name.clone()),
        _ => None,
    }
}

fn shares(join: &JoinOperator) -> bool {
    matches!(constraint(join), Some(JoinConstraint::Using(_) | JoinConstraint::Natural))
}

/// Natural ones are refused elsewhere.
fn is_left(join: &JoinOperator) -> bool {
    matches!(join, JoinOperator::Left(JoinConstraint::Using(_)) | JoinOperator::LeftOuter(JoinConstraint::Using(_)))
}

/// False for joins that only ask whether there is a row.
fn is_shown(join: &JoinOperator) -> bool {
    use JoinOperator::{Anti, LeftAnti, LeftSemi, RightAnti, RightSemi, Semi};
    !matches!(join, Semi(_) | LeftSemi(_) | RightSemi(_) | Anti(_) | LeftAnti(_) | RightAnti(_))
}

fn constraint(join: &JoinOperator) -> Option<&JoinConstraint> {
    use JoinOperator::{
        Anti, FullOuter, Inner, Join, Left, LeftAnti, LeftOuter, LeftSemi, Right, RightAnti, RightOuter, RightSemi,
        Semi,
    };
    match join {
        Join(on) | Inner(on) | Left(on) | LeftOuter(on) | Right(on) | RightOuter(on) | FullOuter(on) | Semi(on)
        | LeftSemi(on) | RightSemi(on) | Anti(on) | LeftAnti(on) | RightAnti(on) => Some(on),
        _ => None,
    }
}
