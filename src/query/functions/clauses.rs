//! What stands around the arguments of a call: `DISTINCT`, `FILTER`, `OVER` and the others, each honoured or refused.
//!
//! The planner drops them from the calls of functions that take none, and answers as if they had not been written.

use std::collections::HashSet;
use std::sync::LazyLock;

use datafusion::execution::SessionStateDefaults as Engine;
use datafusion::sql::sqlparser::ast::{
    Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList, FunctionArguments,
    OrderByExpr, WindowFrame, WindowSpec, WindowType,
};

use crate::diagnostic::{Diagnostic, Kind, Result};

static AGGREGATES: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let functions = Engine::default_aggregate_functions().into_iter();
    functions.flat_map(|function| names(function.name(), function.aliases())).collect()
});

/// Those that are no aggregates too.
static WINDOWS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let functions = Engine::default_window_functions().into_iter();
    functions.flat_map(|function| names(function.name(), function.aliases())).collect()
});

fn names(name: &str, aliases: &[String]) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(aliases.iter().cloned()).collect()
}

/// Those that read `IGNORE NULLS` over a window.
const NULLS: [&str; 5] = ["lag", "lead", "first_value", "last_value", "nth_value"];

/// What the words around the arguments of a call are.
#[derive(Default)]
struct Words<'a> {
    distinct: bool,
    all: bool,
    nulls: bool,
    order_by: Option<&'a [OrderByExpr]>,
}

/// Checks the clauses of one call; the expressions in them are visited on their own.
///
/// # Errors
/// `Unsupported` for each that the function does not take.
pub(super) fn check(name: &str, call: &Function) -> Result<()> {
    let Function { name: _, uses_odbc_syntax: _, parameters, args, filter, null_treatment, over, within_group } = call;
    match parameters {
        FunctionArguments::None => {}
        FunctionArguments::Subquery(_) | FunctionArguments::List(_) => {
            return decline(name, "two lists of arguments", "write all arguments in one list");
        }
    }
    let mut words = match args {
        FunctionArguments::None => Words::default(),
        FunctionArguments::Subquery(_) => {
            return decline(name, "a query without brackets", "write the query in brackets of its own");
        }
        FunctionArguments::List(list) => words(name, list)?,
    };
    words.nulls |= null_treatment.is_some();
    let has_window = over.as_ref().map(|over| check_window(name, over)).transpose()?.is_some();
    let (is_aggregate, is_window) = (AGGREGATES.contains(name), WINDOWS.contains(name));
    match (is_aggregate, is_window, has_window) {
        // `first_value` and its kind, and what is nothing without a window.
        (_, true, true) => {
            if words.distinct {
                return decline(name, "`DISTINCT`", "leave it out, or select from a `SELECT DISTINCT`");
            }
            if words.nulls && !NULLS.contains(&name) {
                return decline(name, "`IGNORE NULLS` or `RESPECT NULLS`", "leave it out");
            }
        }
        (true, _, true) => {
            if words.nulls {
                return decline(name, "`IGNORE NULLS` or `RESPECT NULLS`", "write `FILTER (WHERE … IS NOT NULL)`");
            }
        }
        // The planner reads or refuses all of them.
        (true, _, false) => {}
        (false, true, false) => {
            return Err(Diagnostic::error(Kind::Invalid, format!("`{name}` needs a window"))
                .hint(format!("write `{name}(…) OVER (PARTITION BY … ORDER BY …)`")));
        }
        (false, false, _) => {
            let aggregates = "only aggregates and window functions take it";
            if has_window {
                return decline(name, "`OVER`", aggregates);
            }
            if words.distinct || words.all {
                return decline(name, "`DISTINCT` or `ALL`", aggregates);
            }
            if filter.is_some() {
                return decline(name, "`FILTER`", "write `CASE WHEN … THEN … END`: only aggregates take it");
            }
            if words.nulls {
                return decline(name, "`IGNORE NULLS` or `RESPECT NULLS`", aggregates);
            }
            if words.order_by.is_some() || !within_group.is_empty() {
                return decline(name, "`ORDER BY`", aggregates);
            }
        }
    }
    words.order_by.unwrap_or_default().iter().chain(within_group).try_for_each(|key| check_key(name, key))
}

fn words<'a>(name: &str, list: &'a FunctionArgumentList) -> Result<Words<'a>> {
    use datafusion::sql::sqlparser::ast::DuplicateTreatment as Duplicates;
    let FunctionArgumentList { duplicate_treatment, args, clauses } = list;
    let mut words = Words {
        distinct: matches!(duplicate_treatment, Some(Duplicates::Distinct)),
        all: matches!(duplicate_treatment, Some(Duplicates::All)),
        ..Words::default()
    };
    args.iter().try_for_each(|arg| check_argument(name, arg, words.distinct))?;
    for clause in clauses {
        match clause {
            FunctionArgumentClause::IgnoreOrRespectNulls(_) => words.nulls = true,
            FunctionArgumentClause::OrderBy(keys) => words.order_by = Some(keys),
            FunctionArgumentClause::Limit(_) => {
                return decline(name, "`LIMIT`", "number the rows in a query inside, and filter them");
            }
            FunctionArgumentClause::OnOverflow(_) => return decline(name, "`ON OVERFLOW`", "leave it out"),
            FunctionArgumentClause::Having(_) => {
                return decline(name, "`HAVING`", "write `first_value(x ORDER BY y)` for the value at the least `y`");
            }
            FunctionArgumentClause::Separator(_) => {
                return decline(name, "`SEPARATOR`", "write `string_agg(x, ',')`");
            }
            FunctionArgumentClause::JsonNullClause(_) | FunctionArgumentClause::JsonReturningClause(_) => {
                return decline(name, "clauses of JSON", "leave them out");
            }
        }
    }
    Ok(words)
}

fn check_argument(name: &str, arg: &FunctionArg, distinct: bool) -> Result<()> {
    let (FunctionArg::Named { name: _, arg, operator: _ }
    | FunctionArg::ExprNamed { name: _, arg, operator: _ }
    | FunctionArg::Unnamed(arg)) = arg;
    match arg {
        FunctionArgExpr::Expr(_) => Ok(()),
        // The planner counts rows for it, and those are one if they are distinct.
        FunctionArgExpr::Wildcard if name == "count" && !distinct => Ok(()),
        FunctionArgExpr::Wildcard if name == "count" => {
            decline(name, "`DISTINCT *`", "write `SELECT count(*) FROM (SELECT DISTINCT * FROM …)`")
        }
        // The planner counts rows for it too, those without a partner in an outer join among them.
        FunctionArgExpr::QualifiedWildcard(_) => {
            decline(name, "the star of a table", "name a column of the table that is never NULL")
        }
        FunctionArgExpr::Wildcard | FunctionArgExpr::WildcardWithOptions(_) => decline(name, "`*`", "name the columns"),
    }
}

/// Named windows were written out before.
fn check_window(name: &str, over: &WindowType) -> Result<()> {
    let WindowType::WindowSpec(WindowSpec { window_name: None, partition_by: _, order_by, window_frame }) = over else {
        return decline(name, "a named window here", "write the window in `OVER (…)`");
    };
    match window_frame {
        None | Some(WindowFrame { units: _, start_bound: _, end_bound: _ }) => {}
    }
    order_by.iter().try_for_each(|key| check_key(name, key))
}

fn check_key(name: &str, key: &OrderByExpr) -> Result<()> {
    let OrderByExpr { expr: _, options: _, with_fill } = key;
    if with_fill.is_some() { decline(name, "`WITH FILL`", "leave it out") } else { Ok(()) }
}

fn decline<T>(name: &str, what: &str, instead: &str) -> Result<T> {
    Err(Diagnostic::error(Kind::Unsupported, format!("`{name}` does not take {what}")).hint(instead))
}
