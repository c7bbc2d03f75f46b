//! What a query may read from, and how often.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Join, JoinConstraint, JoinOperator, ObjectName, Query, Select, Statement as Ast, TableAlias,
    TableAliasColumnDef, TableFactor, TableWithJoins, Visit, Visitor,
};

use super::syntax::{decline, refuse};
use super::{clauses, expressions, series};
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Tables a query may read, each `WITH` query counted wherever it is used: thirty that use each other twice are a
/// billion to the planner.
const READS: u64 = 1_000;
/// Tables in one `FROM`, joined by `JOIN` or by comma.
const TABLES: usize = 65;

/// Refuses everything in a query that writes, locks, or reads from anything but a named table, a subquery, a list or a series, and
/// every clause that the planner would leave out of the answer.
pub(super) fn check(ast: &Ast) -> Result<()> {
    let mut reads = Reads::default();
    match ast.visit(&mut reads) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refused) => Err(*refused),
    }
}

/// A name made of plain parts that cannot be a file.
pub(super) fn check_name(name: &ObjectName) -> Result<()> {
    let mut parts = Vec::new();
    for part in &name.0 {
        match part.as_ident() {
            Some(ident) if ident.quote_style != Some('\'') && !is_path(&ident.value) => {
                parts.push(ident.value.to_lowercase());
            }
            _ => return refuse(&format!("`{name}` is not a table, and files are not read by name")),
        }
    }
    if let [.., schema, table] = parts.as_slice()
        && schema == "information_schema"
        && table == "df_settings"
    {
        return refuse("settings of the engine are not shown");
    }
    Ok(())
}

pub(super) fn is_path(part: &str) -> bool {
    const FILES: [&str; 9] = [".parquet", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".arrow", ".avro", ".gz"];
    let folded = part.to_lowercase();
    part.contains(['/', '\\', ':', '*', '\0']) || FILES.iter().any(|end| folded.ends_with(end))
}

#[derive(Default)]
struct Reads {
    /// What each `WITH` query reads, by its folded name; of two with one name the heavier.
    weights: HashMap<String, u64>,
    total: u64,
    /// `total` at the begin of each query the walk is in.
    begun: Vec<u64>,
    /// The names of `WITH` queries the walk has not come to, by where they stand in the tree.
    named: HashMap<usize, String>,
}

fn address(query: &Query) -> usize {
    std::ptr::from_ref(query) as usize
}

fn stop(refused: Result<()>) -> ControlFlow<Box<Diagnostic>> {
    match refused {
        Ok(()) => ControlFlow::Continue(()),
        Err(refused) => ControlFlow::Break(Box::new(refused)),
    }
}

impl Visitor for Reads {
    type Break = Box<Diagnostic>;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.named.insert(address(&cte.query), cte.alias.name.value.to_lowercase());
        }
        self.begun.push(self.total);
        stop(clauses::check_query(query))
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        let begun = self.begun.pop().unwrap_or_default();
        if let Some(name) = self.named.remove(&address(query)) {
            let weight = (self.total - begun).max(1);
            let known = self.weights.entry(name).or_default();
            *known = weight.max(*known);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
        stop(clauses::check_select(select))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        stop(expressions::check(expr))
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Self::Break> {
        let weight = match relation.0.as_slice() {
            [part] => part.as_ident().and_then(|ident| self.weights.get(&ident.value.to_lowercase())).copied(),
            _ => None,
        };
        self.total = self.total.saturating_add(weight.unwrap_or(1));
        if self.total > READS {
            return stop(Err(Diagnostic::error(
                Kind::Exhausted,
                format!("the statement reads more than {READS} tables, `WITH` queries counted wherever they are used"),
            )
            .hint("use each `WITH` query less often, or split the statement")));
        }
        stop(check_name(relation))
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        stop(check_factor(factor))
    }

    fn pre_visit_statement(&mut self, statement: &Ast) -> ControlFlow<Self::Break> {
        if matches!(statement, Ast::Query(_)) {
            ControlFlow::Continue(())
        } else {
            stop(refuse("a query that holds another kind of statement is not answered"))
        }
    }
}

/// One `FROM` of a query: each table in it, and how they are joined.
pub(super) fn check_from(from: &[TableWithJoins]) -> Result<()> {
    let tables: usize = from.iter().map(|from| 1 + from.joins.len()).sum();
    if tables > TABLES {
        return Err(Diagnostic::error(Kind::Exhausted, format!("one `FROM` names more than {TABLES} tables"))
            .hint("join some of them in a `WITH` query first"));
    }
    from.iter().try_for_each(check_joins)
}

/// The tables themselves are visited one by one.
fn check_joins(from: &TableWithJoins) -> Result<()> {
    let TableWithJoins { relation: _, joins } = from;
    joins.iter().try_for_each(|Join { relation: _, global, join_operator }| {
        if *global {
            return decline("`GLOBAL JOIN`", "leave `GLOBAL` out: one gateway reads both sides");
        }
        check_join(join_operator)
    })
}

fn check_join(operator: &JoinOperator) -> Result<()> {
    use JoinOperator as J;
    match operator {
        // Of the two columns that are one the planner takes the left, which is NULL for rows of the right without a partner:
        // https://github.com/apache/datafusion/issues/22881.
        J::Right(JoinConstraint::Using(_)) | J::RightOuter(JoinConstraint::Using(_)) => {
            decline("`RIGHT JOIN … USING`", "turn the join around: `b LEFT JOIN a USING (column)`")
        }
        J::FullOuter(JoinConstraint::Using(_)) => decline(
            "`FULL JOIN … USING`",
            "write `FULL JOIN b ON a.column = b.column`, and `coalesce(a.column, b.column)` for the column",
        ),
        // The same, and a product where no name is shared, which loses the rows that an empty side has no partner for.
        J::Left(JoinConstraint::Natural)
        | J::LeftOuter(JoinConstraint::Natural)
        | J::Right(JoinConstraint::Natural)
        | J::RightOuter(JoinConstraint::Natural)
        | J::FullOuter(JoinConstraint::Natural)
        | J::LeftSemi(JoinConstraint::Natural)
        | J::RightSemi(JoinConstraint::Natural)
        | J::LeftAnti(JoinConstraint::Natural)
        | J::RightAnti(JoinConstraint::Natural) => {
            decline("`NATURAL` with a join other than `INNER`", "name the columns: `USING (column, …)`")
        }
        J::Join(_)
        | J::Inner(_)
        | J::CrossJoin(JoinConstraint::None)
        | J::Left(_)
        | J::LeftOuter(_)
        | J::Right(_)
        | J::RightOuter(_)
        | J::FullOuter(_)
        | J::LeftSemi(_)
        | J::RightSemi(_)
        | J::LeftAnti(_)
        | J::RightAnti(_) => Ok(()),
        J::CrossJoin(_) => decline("`CROSS JOIN` with a condition", "write `JOIN … ON …`"),
        J::Semi(_) | J::Anti(_) => {
            decline("`SEMI JOIN` or `ANTI JOIN` without a side", "write `LEFT SEMI JOIN` or `LEFT ANTI JOIN`")
        }
        J::CrossApply | J::OuterApply => decline("`APPLY`", "write `JOIN LATERAL (…) ON true`"),
        J::AsOf { match_condition: _, constraint: _ } => {
            decline("`ASOF JOIN`", "join on an inequality, and keep the nearest row with `row_number() OVER (…)`")
        }
        J::StraightJoin(_) => decline("`STRAIGHT_JOIN`", "write `JOIN`: the planner orders joins itself"),
        J::ArrayJoin | J::LeftArrayJoin | J::InnerArrayJoin => {
            decline("`ARRAY JOIN`", "write `unnest(list)` in the select list")
        }
    }
}

fn check_factor(factor: &TableFactor) -> Result<()> {
    match factor {
        TableFactor::Table {
            name,
            alias,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } => {
            if let Some(args) = args {
                series::check(name, args)?;
            }
            if !with_hints.is_empty()
                || version.is_some()
                || *with_ordinality
                || !partitions.is_empty()
                || json_path.is_some()
                || sample.is_some()
                || !index_hints.is_empty()
            {
                return refuse("a table takes a name and an alias only; hints, versions and samples are not offered");
            }
            check_alias(alias.as_ref())
        }
        TableFactor::Derived { lateral: _, subquery: _, alias, sample } => {
            if sample.is_some() {
                return refuse("a query in `FROM` takes an alias only; samples are not offered");
            }
            check_alias(alias.as_ref())
        }
        TableFactor::UNNEST { alias, array_exprs: _, with_offset, with_offset_alias, with_ordinality } => {
            if *with_offset || with_offset_alias.is_some() || *with_ordinality {
                return decline("a number beside each element of `unnest`", "unnest `range(1, n)` beside the list");
            }
            check_alias(alias.as_ref())
        }
        TableFactor::NestedJoin { table_with_joins, alias } => {
            check_joins(table_with_joins)?;
            check_alias(alias.as_ref())
        }
        TableFactor::TableFunction { .. }
        | TableFactor::Function { .. }
        | TableFactor::JsonTable { .. }
        | TableFactor::OpenJsonTable { .. }
        | TableFactor::Pivot { .. }
        | TableFactor::Unpivot { .. }
        | TableFactor::MatchRecognize { .. }
        | TableFactor::XmlTable { .. }
        | TableFactor::SemanticView { .. } => refuse("this source in `FROM` is not answered"),
    }
}

/// An alias takes names only: the planner reads no types of columns, and no column for the position in a list.
pub(super) fn check_alias(alias: Option<&TableAlias>) -> Result<()> {
    let Some(TableAlias { explicit: _, name: _, columns, at }) = alias else { return Ok(()) };
    if at.is_some() {
        return decline("`AT` behind an alias", "unnest `range(1, n)` beside the list");
    }
    if columns.iter().any(|TableAliasColumnDef { name: _, data_type }| data_type.is_some()) {
        return decline("a type in the alias of a table", "cast the columns in the select list");
    }
    Ok(())
}
