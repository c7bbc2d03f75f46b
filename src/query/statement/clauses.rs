//! The clauses of a query, each honoured or refused.
//!
//! The planner leaves out much of what the parser takes, and answers as if it had not been written. So every node is taken apart here
//! without `..`: a field that the parser gains does not compile until somebody decides about it.

use datafusion::sql::sqlparser::ast::{
    Cte, CteAsMaterialized, Distinct, ExcludeSelectItem, Fetch, GroupByExpr, GroupByWithModifier, LimitClause, Offset,
    OrderBy, OrderByExpr, OrderByKind, OrderByOptions, Query, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind, SelectModifiers, SetExpr, SetOperator, SetQuantifier, Table, Values,
    WildcardAdditionalOptions, With,
};

use super::relations;
use super::syntax::{decline, refuse};
use crate::diagnostic::Result;

pub(super) fn check_query(query: &Query) -> Result<()> {
    let Query { with, body, order_by, limit_clause, fetch, locks, for_clause, settings, format_clause, pipe_operators } =
        query;
    if !locks.is_empty() {
        return refuse("rows cannot be locked");
    }
    if for_clause.is_some() || settings.is_some() || format_clause.is_some() {
        return refuse("`FOR`, `SETTINGS` and `FORMAT` are not answered");
    }
    if !pipe_operators.is_empty() {
        return refuse("pipes are not answered");
    }
    if let Some(with) = with {
        check_with(with)?;
    }
    if let Some(fetch) = fetch {
        return check_fetch(fetch);
    }
    if let Some(order_by) = order_by {
        check_order(order_by, matches!(body.as_ref(), SetExpr::Select(_)))?;
    }
    if let Some(limit) = limit_clause {
        check_limit(limit)?;
    }
    check_body(body)
}

fn check_with(with: &With) -> Result<()> {
    let With { with_token: _, recursive, cte_tables } = with;
    for Cte { alias, query, from, materialized, closing_paren_token: _ } in cte_tables {
        // Values do not depend on it, but for `random()` and `uuid()`.
        let (None | Some(CteAsMaterialized::Materialized | CteAsMaterialized::NotMaterialized)) = materialized;
        if from.is_some() {
            return decline("`FROM` behind a `WITH` query", "name the query before `AS` only");
        }
        relations::check_alias(Some(alias))?;
        if alias.name.value.contains('.') {
            return decline(
                "a `WITH` query with a dot in its name",
                "leave the dot out: the planner would take it for a table of a domain",
            );
        }
        if *recursive {
            check_recursive(query)?;
        }
    }
    Ok(())
}

/// Of a `UNION` below `WITH RECURSIVE` the planner reads the two sides, and nothing around them.
fn check_recursive(query: &Query) -> Result<()> {
    let SetExpr::SetOperation { op: SetOperator::Union, set_quantifier, left: _, right: _ } = query.body.as_ref()
    else {
        return Ok(());
    };
    if query.order_by.is_some() || query.limit_clause.is_some() || query.fetch.is_some() {
        return decline(
            "`ORDER BY` or `LIMIT` of a `UNION` below `WITH RECURSIVE`",
            "move it to the query that reads the `WITH` query; a condition in the second part ends the recursion",
        );
    }
    if query.with.is_some() {
        return decline("`WITH` inside a `WITH RECURSIVE` query", "move the inner query before the recursive one");
    }
    match set_quantifier {
        SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None => Ok(()),
        SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName => decline(
            "`BY NAME` of a `UNION` below `WITH RECURSIVE`",
            "name the columns of both parts in the same order, without `BY NAME`",
        ),
    }
}

/// What stands for a limit was written as one before.
fn check_fetch(fetch: &Fetch) -> Result<()> {
    let Fetch { with_ties, percent, quantity: _ } = fetch;
    if *with_ties {
        return decline("`FETCH … WITH TIES`", TIES);
    }
    if *percent {
        return decline("`FETCH … PERCENT`", PERCENT);
    }
    decline("`FETCH` beside another limit", "write one of `LIMIT` and `FETCH`")
}

const TIES: &str = "keep the rows by their rank: `QUALIFY rank() OVER (ORDER BY …) <= 10`";
const PERCENT: &str = "keep the rows by their part: `QUALIFY percent_rank() OVER (ORDER BY …) <= 0.1`";

fn check_order(order: &OrderBy, of_select: bool) -> Result<()> {
    let OrderBy { kind, interpolate } = order;
    if interpolate.is_some() {
        return decline(
            "`INTERPOLATE`",
            "join with `generate_series(…)`, and fill the gaps with `last_value` over them",
        );
    }
    match kind {
        OrderByKind::Expressions(expressions) => expressions.iter().try_for_each(check_sort),
        OrderByKind::All(OrderByOptions { asc: _, nulls_first: _ }) if of_select => Ok(()),
        OrderByKind::All(_) => decline("`ORDER BY ALL` of a set operation", "name the columns: `ORDER BY 1, 2`"),
    }
}

/// A key to sort by, of a query, a window or a call.
pub(super) fn check_sort(key: &OrderByExpr) -> Result<()> {
    let OrderByExpr { expr: _, options: OrderByOptions { asc: _, nulls_first: _ }, with_fill } = key;
    if with_fill.is_some() {
        return decline("`WITH FILL`", "join with `generate_series(…)`");
    }
    Ok(())
}

fn check_limit(limit: &LimitClause) -> Result<()> {
    match limit {
        LimitClause::LimitOffset { limit: _, offset: None | Some(Offset { value: _, rows: _ }), limit_by } => {
            if limit_by.is_empty() {
                return Ok(());
            }
            decline("`LIMIT … BY`", "number the rows: `QUALIFY row_number() OVER (PARTITION BY …) <= 2`")
        }
        LimitClause::OffsetCommaLimit { offset: _, limit: _ } => Ok(()),
    }
}

fn check_body(body: &SetExpr) -> Result<()> {
    match body {
        // Visited on their own.
        SetExpr::Select(_) | SetExpr::Query(_) => Ok(()),
        SetExpr::Values(Values { explicit_row: _, value_keyword, rows: _ }) => {
            if *value_keyword {
                return decline("`VALUE`", "write `VALUES`");
            }
            Ok(())
        }
        SetExpr::Table(table) => {
            let Table { table_name, schema_name } = table.as_ref();
            if [table_name, schema_name].into_iter().flatten().any(|part| relations::is_path(part)) {
                return refuse("files are not read by name");
            }
            decline("`TABLE …` as a query", "write `SELECT * FROM …`")
        }
        // At most as deep as the set operations that were counted.
        SetExpr::SetOperation { left, right, op, set_quantifier } => {
            check_set_operation(*op, *set_quantifier)?;
            check_body(left).and_then(|()| check_body(right))
        }
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            refuse("a query that writes is not answered")
        }
    }
}

fn check_set_operation(op: SetOperator, quantifier: SetQuantifier) -> Result<()> {
    use SetOperator as O;
    use SetQuantifier as Q;
    match (op, quantifier) {
        (O::Union, Q::All | Q::Distinct | Q::None | Q::ByName | Q::AllByName | Q::DistinctByName)
        | (O::Intersect | O::Except, Q::Distinct | Q::None) => Ok(()),
        (O::Minus, _) => decline("`MINUS`", "write `EXCEPT`"),
        // The engine asks only whether the other side has such a row: https://github.com/apache/datafusion/issues/12955 and 12956.
        (O::Intersect | O::Except, Q::All) => decline(
            &format!("`{op} ALL`"),
            &format!(
                "number equal rows on both sides, and leave `ALL` out: \
                 `SELECT x, row_number() OVER (PARTITION BY x) FROM a {op} SELECT x, row_number() OVER (PARTITION BY x) FROM b`"
            ),
        ),
        (O::Intersect | O::Except, Q::ByName | Q::AllByName | Q::DistinctByName) => {
            decline(&format!("`{op} … BY NAME`"), "name the columns of both sides in the same order")
        }
    }
}

pub(super) fn check_select(select: &Select) -> Result<()> {
    let Select {
        select_token: _,
        // Comments. They never change an answer.
        optimizer_hints: _,
        distinct,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection,
        exclude,
        into,
        from,
        lateral_views,
        prewhere,
        selection: _,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having: _,
        named_window,
        qualify: _,
        window_before_qualify: _,
        value_table_mode,
        flavor,
    } = select;
    match distinct {
        None | Some(Distinct::All | Distinct::Distinct | Distinct::On(_)) => {}
    }
    if select_modifiers.as_ref().is_some_and(SelectModifiers::is_any_set) {
        return decline(
            "a modifier behind `SELECT`",
            "leave it out: only `ALL`, `DISTINCT` and `DISTINCT ON` stand there",
        );
    }
    if let Some(top) = top {
        return match (top.with_ties, top.percent) {
            (true, _) => decline("`TOP … WITH TIES`", TIES),
            (_, true) => decline("`TOP … PERCENT`", PERCENT),
            _ => decline("`TOP` here", "write `LIMIT` behind the query"),
        };
    }
    if exclude.is_some() {
        return decline("`EXCLUDE` behind the select list", "write it behind the star: `* EXCLUDE (column)`");
    }
    if into.is_some() {
        return refuse("`SELECT INTO` is not answered");
    }
    if !lateral_views.is_empty() {
        return decline("`LATERAL VIEW`", "write `unnest(list)` in the select list");
    }
    if prewhere.is_some() {
        return decline("`PREWHERE`", "write `WHERE`: conditions reach the files from there");
    }
    if !connect_by.is_empty() {
        return decline("`CONNECT BY`", "write `WITH RECURSIVE`");
    }
    if !cluster_by.is_empty() || !distribute_by.is_empty() || !sort_by.is_empty() {
        return decline("`CLUSTER BY`, `DISTRIBUTE BY` or `SORT BY`", "write `ORDER BY`");
    }
    // Written where they are used before this is checked.
    if !named_window.is_empty() {
        return decline("`WINDOW` here", "write the window in `OVER (…)`");
    }
    if value_table_mode.is_some() {
        return decline(
            "`SELECT AS STRUCT` or `AS VALUE`",
            "write `named_struct('name', value, …)` in the select list",
        );
    }
    match flavor {
        SelectFlavor::Standard | SelectFlavor::FromFirst => {}
        SelectFlavor::FromFirstNoSelect => return decline("`FROM` without `SELECT`", "write `SELECT * FROM …`"),
    }
    check_group(group_by)?;
    projection.iter().try_for_each(check_item)?;
    relations::check_from(from)
}

fn check_group(group: &GroupByExpr) -> Result<()> {
    let (GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers)) = group;
    match modifiers.first() {
        None => Ok(()),
        Some(GroupByWithModifier::Rollup) => decline("`GROUP BY … WITH ROLLUP`", "write `GROUP BY ROLLUP (a, b)`"),
        Some(GroupByWithModifier::Cube) => decline("`GROUP BY … WITH CUBE`", "write `GROUP BY CUBE (a, b)`"),
        Some(GroupByWithModifier::Totals) => {
            decline("`GROUP BY … WITH TOTALS`", "write `GROUP BY GROUPING SETS ((a, b), ())`")
        }
        Some(GroupByWithModifier::GroupingSets(_)) => {
            decline("`GROUPING SETS` behind a list", "write `GROUP BY GROUPING SETS ((a, b), (a))` alone")
        }
    }
}

fn check_item(item: &SelectItem) -> Result<()> {
    match item {
        SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { expr: _, alias: _ } => Ok(()),
        SelectItem::ExprWithAliases { expr: _, aliases: _ } => {
            decline("one expression with several names", "write the expression once for each name")
        }
        SelectItem::Wildcard(options)
        | SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(_), options) => {
            check_wildcard(options)
        }
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _) => {
            decline("a star behind an expression", "name the fields: `value['field']`")
        }
    }
}

pub(super) fn check_wildcard(options: &WildcardAdditionalOptions) -> Result<()> {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except: _,
        opt_replace: _,
        opt_rename,
        opt_alias,
    } = options;
    match opt_exclude {
        None | Some(ExcludeSelectItem::Single(_) | ExcludeSelectItem::Multiple(_)) => {}
    }
    if opt_ilike.is_some() {
        return decline("`* ILIKE`", "name the columns; `SHOW COLUMNS FROM …` lists them");
    }
    if opt_rename.is_some() {
        return decline("`* RENAME`", "write `* EXCLUDE (old), old AS new`");
    }
    if opt_alias.is_some() {
        return decline("a name for `*`", "name the columns one by one");
    }
    Ok(())
}
