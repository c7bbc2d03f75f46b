//! What a query may read from, and how often.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ObjectName, Query, Select, SetExpr, Statement as Ast, TableFactor, Visit, Visitor,
};

use super::series;
use super::syntax::refuse;
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Tables a query may read, each `WITH` query counted wherever it is used: thirty that use each other twice are a
/// billion to the planner.
const READS: u64 = 1_000;
/// Tables in one `FROM`, joined by `JOIN` or by comma.
const TABLES: usize = 65;

/// Refuses everything in a query that writes, locks, or reads from anything but a named table, a subquery, a list or a series.
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

fn is_path(part: &str) -> bool {
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
        stop(check_query(query))
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
        stop(check_select(select))
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

fn check_query(query: &Query) -> Result<()> {
    if !query.locks.is_empty() {
        return refuse("rows cannot be locked");
    }
    if query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some() {
        return refuse("`FOR`, `SETTINGS` and `FORMAT` are not answered");
    }
    if !query.pipe_operators.is_empty() {
        return refuse("pipes are not answered");
    }
    check_body(&query.body)
}

fn check_body(body: &SetExpr) -> Result<()> {
    match body {
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => Ok(()),
        SetExpr::Table(table) => {
            if [&table.table_name, &table.schema_name].into_iter().flatten().any(|part| is_path(part)) {
                return refuse("files are not read by name");
            }
            Ok(())
        }
        // At most as deep as the set operations that were counted.
        SetExpr::SetOperation { left, right, .. } => check_body(left).and_then(|()| check_body(right)),
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            refuse("a query that writes is not answered")
        }
    }
}

fn check_select(select: &Select) -> Result<()> {
    if select.into.is_some() {
        return refuse("`SELECT INTO` is not answered");
    }
    let tables: usize = select.from.iter().map(|from| 1 + from.joins.len()).sum();
    if tables > TABLES {
        return Err(Diagnostic::error(Kind::Exhausted, format!("one `FROM` names more than {TABLES} tables"))
            .hint("join some of them in a `WITH` query first"));
    }
    Ok(())
}

fn check_factor(factor: &TableFactor) -> Result<()> {
    match factor {
        TableFactor::Table {
            name,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
            ..
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
            Ok(())
        }
        TableFactor::Derived { sample: None, .. } | TableFactor::UNNEST { .. } | TableFactor::NestedJoin { .. } => {
            Ok(())
        }
        _ => refuse("this source in `FROM` is not answered"),
    }
}
