//! Text to statement.

use datafusion::common::format::ExplainFormat;
use datafusion::sql::parser::{DFParserBuilder, Statement as Parsed};
use datafusion::sql::sqlparser::ast::ObjectName;
use datafusion::sql::sqlparser::dialect::GenericDialect;

use super::{allow, escapes, placeholders, series, syntax, tokens, units};
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::query::setting::{Change, Setting};

/// How deep expressions and queries may nest: what the parser stands on a small stack.
const NESTING: usize = 50;

/// What a login may ask. `SHOW` and `DESCRIBE` carry what they name; the session answers them from its own view.
#[derive(Debug, Clone)]
pub enum Statement {
    /// `SELECT`, `VALUES`, `WITH … SELECT`.
    Query(Box<Parsed>),
    Explain(Explain),
    /// `EXPLAIN ACCESS` of the query.
    ExplainAccess(Box<Parsed>),
    /// `SHOW TABLES [FROM domain] [LIKE pattern]`
    ShowTables {
        domain: Option<String>,
        like: Option<String>,
    },
    /// `SHOW SCHEMAS`: the domains.
    ShowDomains {
        like: Option<String>,
    },
    /// `SHOW CATALOGS`, or `SHOW DATABASES`, which calls its column otherwise.
    ShowCatalogs {
        column: &'static str,
        like: Option<String>,
    },
    /// `SHOW COLUMNS FROM table` and `DESCRIBE table`.
    ShowColumns {
        table: ObjectName,
    },
    /// `SET name = 'text'` and `RESET name`
    Set(Change),
    /// `SHOW name`
    ShowSetting(Setting),
}

/// `EXPLAIN` of a query.
#[derive(Debug, Clone)]
pub struct Explain {
    pub analyze: bool,
    pub verbose: bool,
    pub format: Option<ExplainFormat>,
    /// The query alone, without `EXPLAIN`.
    pub query: Box<Parsed>,
}

/// Parses the one statement in `sql`. A trailing `;` and comments are fine.
///
/// Needs no large stack of its own: what would need one is refused by its tokens.
///
/// # Errors
/// `Exhausted` where a limit of `limits` is passed, `Invalid` with line and column for what is not SQL or not one
/// statement, `Unsupported` for what is not offered: everything that writes, reaches files, or changes the engine.
pub fn parse(sql: &str, limits: &Limits) -> Result<Statement> {
    let mut tokens = tokens::admit(sql, limits)?;
    placeholders::number(&mut tokens, sql)?;
    // Behind the numbers: escapes may change the order of what they hold.
    let (mut tokens, escaped) = escapes::write_out(tokens, sql)?;
    if escaped {
        tokens::weigh(&tokens, limits)?;
    }
    units::quote(&mut tokens);
    series::fold(&mut tokens);
    // No dialect has the statement: its two words are ours, and behind them stands a query as it always does.
    let access = tokens::without_access(&mut tokens)?;
    let mut parser = DFParserBuilder::new(tokens)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(NESTING)
        .build()
        .map_err(|error| syntax::explain(&error, sql))?;
    let mut statements = parser.parse_statements().map_err(|error| syntax::explain(&error, sql))?;
    match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => match (allow::admit(statement)?, access) {
            (statement, false) => Ok(statement),
            (Statement::Query(query), true) => Ok(Statement::ExplainAccess(query)),
            (_, true) => syntax::refuse("`EXPLAIN ACCESS` is answered for queries only"),
        },
        (None, _) => Err(syntax::empty()),
        (Some(_), false) => Err(Diagnostic::error(Kind::Invalid, "the text holds more than one statement")
            .hint("send one statement at a time")),
    }
}
