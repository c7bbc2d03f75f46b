//! Which statements are answered.

use datafusion::sql::parser::{ExplainStatement, ResetStatement, Statement as Parsed};
use datafusion::sql::sqlparser::ast::{
    ContextModifier, Expr, Ident, ObjectName, Set, ShowStatementFilter, ShowStatementFilterPosition,
    ShowStatementOptions, Statement as Ast, Use, Value,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::parse::{Explain, Statement};
use super::syntax::refuse;
use super::{relations, written};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::query::functions;
use crate::query::setting::{Change, Setting};

/// Whether a statement that begins so can be one of ours: most of what the parser knows is refused unparsed.
pub(super) fn first(token: &Token) -> Result<()> {
    let Token::Word(word) = token else { return Ok(()) };
    // A word that is none of SQL, or a sign that begins nothing: the parser says where.
    if word.quote_style.is_some()
        || matches!(
            word.keyword,
            Keyword::NoKeyword
                | Keyword::SELECT
                | Keyword::WITH
                | Keyword::VALUES
                | Keyword::EXPLAIN
                | Keyword::SHOW
                | Keyword::DESCRIBE
                | Keyword::DESC
                | Keyword::SET
                | Keyword::RESET
                | Keyword::USE
        )
    {
        return Ok(());
    }
    refuse(&format!("`{}` is not answered", word.value.to_uppercase()))
}

pub(super) fn admit(statement: Parsed) -> Result<Statement> {
    match statement {
        Parsed::Explain(ExplainStatement { options, statement }) => {
            if options.analyze_level.is_some()
                || options.analyze_categories.is_some()
                || options.show_statistics.is_some()
            {
                return refuse("`EXPLAIN` takes `ANALYZE`, `VERBOSE` and `FORMAT` only");
            }
            if !is_query(&statement) {
                return refuse("`EXPLAIN` is answered for queries only");
            }
            let query = query(*statement)?;
            let (analyze, verbose, format) = (options.analyze, options.verbose, options.format);
            Ok(Statement::Explain(Explain { analyze, verbose, format, query: Box::new(query) }))
        }
        parsed @ Parsed::Statement(_) if is_query(&parsed) => Ok(Statement::Query(Box::new(query(parsed)?))),
        Parsed::Statement(ast) => about(*ast),
        Parsed::Reset(ResetStatement::Variable(name)) => {
            Ok(Statement::Set(Change { setting: setting(&idents(&name)?)?, value: None }))
        }
        Parsed::CreateExternalTable(_) | Parsed::CopyTo(_) => refuse("this statement is not answered"),
    }
}

fn is_query(statement: &Parsed) -> bool {
    matches!(statement, Parsed::Statement(ast) if matches!(ast.as_ref(), Ast::Query(_)))
}

/// The query as it is planned, which is what was checked.
fn query(statement: Parsed) -> Result<Parsed> {
    let Parsed::Statement(mut ast) = statement else { return refuse("this statement is not answered") };
    written::write_out(&mut ast)?;
    relations::check(&ast)?;
    functions::check(&ast)?;
    Ok(Parsed::Statement(ast))
}

/// Everything but queries.
fn about(ast: Ast) -> Result<Statement> {
    match ast {
        Ast::ShowTables {
            terse: false,
            history: false,
            extended: false,
            full: false,
            external: false,
            show_options,
        } => Ok(Statement::ShowTables { domain: parent(&show_options)?, like: like(&show_options)? }),
        Ast::ShowSchemas { terse: false, history: false, show_options } => {
            no_parent(&show_options)?;
            Ok(Statement::ShowDomains { like: like(&show_options)? })
        }
        Ast::ShowCatalogs { terse: false, history: false, show_options } => {
            no_parent(&show_options)?;
            Ok(Statement::ShowCatalogs { column: "catalog_name", like: like(&show_options)? })
        }
        // Power BI goes on with what it finds as the catalog of `information_schema`.
        Ast::ShowDatabases { terse: false, history: false, show_options } => {
            no_parent(&show_options)?;
            Ok(Statement::ShowCatalogs { column: "database_name", like: like(&show_options)? })
        }
        Ast::ShowColumns { extended: false, full: false, show_options } => {
            if like(&show_options)?.is_some() {
                return refuse("`SHOW COLUMNS` takes a table and no pattern");
            }
            match show_options.show_in {
                Some(place) if place.parent_type.is_none() => match place.parent_name {
                    Some(table) => described(table),
                    None => Err(no_table()),
                },
                _ => Err(no_table()),
            }
        }
        Ast::ExplainTable { hive_format: None, table_name, .. } => described(table_name),
        Ast::Set(Set::SingleAssignment {
            scope: None | Some(ContextModifier::Session),
            hivevar: false,
            variable,
            values,
        }) => {
            let setting = setting(&idents(&variable)?)?;
            Ok(Statement::Set(Change { setting, value: value(setting, &values)? }))
        }
        Ast::Set(Set::SetTimeZone { local: false, value: zone }) => {
            let value = value(Setting::TimeZone, &[zone])?;
            Ok(Statement::Set(Change { setting: Setting::TimeZone, value }))
        }
        Ast::Set(_) => refuse("this form of `SET` is not answered"),
        Ast::Use(Use::Object(name) | Use::Schema(name)) => match idents(&name)?.as_slice() {
            [word] => Ok(Statement::Set(Change { setting: Setting::Schema, value: Some(folded(word)) })),
            _ => refuse("`USE` takes the name of one domain"),
        },
        Ast::ShowVariable { variable } => Ok(Statement::ShowSetting(setting(&variable)?)),
        Ast::ShowCreate { .. } => refuse("`SHOW CREATE` is not answered"),
        _ => refuse("this statement is not answered"),
    }
}

fn idents(name: &ObjectName) -> Result<Vec<Ident>> {
    let idents: Option<Vec<Ident>> = name.0.iter().map(|part| part.as_ident().cloned()).collect();
    idents.map_or_else(|| refuse("this form of `SET` is not answered"), Ok)
}

fn setting(words: &[Ident]) -> Result<Setting> {
    let name = words.iter().map(folded).collect::<Vec<_>>().join(".");
    // `SHOW TIME ZONE` comes as two words.
    if name == "time.zone" { Ok(Setting::TimeZone) } else { Setting::parse(&name) }
}

/// One text, or `DEFAULT`: an expression would have to be evaluated, and a list has no meaning.
fn value(setting: Setting, values: &[Expr]) -> Result<Option<String>> {
    let text = match values {
        [Expr::Value(value)] => match &value.value {
            Value::SingleQuotedString(text) => Some(Some(text.clone())),
            _ => None,
        },
        [Expr::Identifier(word)] if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default") => {
            Some(None)
        }
        _ => None,
    };
    match text {
        Some(text) => Ok(text),
        None => Err(Diagnostic::error(Kind::Invalid, format!("the value of `{}` must be one text", setting.name()))
            .hint(format!("for example: `SET {0} = '{1}'`, or `RESET {0}`", spelled(setting), setting.example()))),
    }
}

/// As SQL takes its name.
fn spelled(setting: Setting) -> String {
    let name = setting.name();
    if name.contains('-') { format!("\"{name}\"") } else { name.to_owned() }
}

fn no_table() -> Diagnostic {
    Diagnostic::error(Kind::Invalid, "`SHOW COLUMNS` needs a table")
        .hint("for example: `SHOW COLUMNS FROM sales.orders`")
}

fn described(table: ObjectName) -> Result<Statement> {
    relations::check_name(&table)?;
    Ok(Statement::ShowColumns { table })
}

/// The domain of `SHOW TABLES FROM domain`.
fn parent(options: &ShowStatementOptions) -> Result<Option<String>> {
    let Some(place) = &options.show_in else { return Ok(None) };
    match (&place.parent_type, &place.parent_name) {
        (None, Some(name)) => match name.0.last().and_then(|part| part.as_ident()) {
            Some(ident) if name.0.len() <= 2 => Ok(Some(folded(ident))),
            _ => Err(Diagnostic::error(Kind::Invalid, format!("`{name}` is not a domain"))
                .hint("`SHOW SCHEMAS` lists the domains")),
        },
        _ => refuse("this form of `SHOW` is not answered"),
    }
}

fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

fn no_parent(options: &ShowStatementOptions) -> Result<()> {
    if options.show_in.is_some() { refuse("this form of `SHOW` is not answered") } else { Ok(()) }
}

fn like(options: &ShowStatementOptions) -> Result<Option<String>> {
    if options.starts_with.is_some() || options.limit.is_some() || options.limit_from.is_some() {
        return refuse("this form of `SHOW` is not answered");
    }
    match &options.filter_position {
        None => Ok(None),
        Some(
            ShowStatementFilterPosition::Infix(ShowStatementFilter::Like(pattern))
            | ShowStatementFilterPosition::Suffix(ShowStatementFilter::Like(pattern)),
        ) => Ok(Some(pattern.clone())),
        Some(_) => refuse("`SHOW` takes `LIKE` only"),
    }
}
