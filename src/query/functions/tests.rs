use std::sync::Arc;

use datafusion::execution::SessionStateDefaults as Engine;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, ScalarUDF, lit};
use datafusion::prelude::Expr;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::names::rule;
use super::{check, check_plan};
use crate::diagnostic::{Diagnostic, Kind};

fn checked(sql: &str) -> Result<(), Diagnostic> {
    check(&Parser::parse_sql(&GenericDialect {}, sql).unwrap()[0])
}

#[test]
fn every_function_of_the_engine_was_reviewed() {
    let mut names = Vec::new();
    for function in Engine::default_scalar_functions() {
        names.push(function.name().to_owned());
        names.extend(function.aliases().iter().cloned());
    }
    for function in Engine::default_higher_order_functions() {
        names.push(function.name().to_owned());
        names.extend(function.aliases().iter().cloned());
    }
    for function in Engine::default_aggregate_functions() {
        names.push(function.name().to_owned());
        names.extend(function.aliases().iter().cloned());
    }
    for function in Engine::default_window_functions() {
        names.push(function.name().to_owned());
        names.extend(function.aliases().iter().cloned());
    }
    assert!(names.len() > 250, "the registry was read");
    let unknown: Vec<_> = names.iter().filter(|name| rule(name).is_none()).collect();
    assert!(unknown.is_empty(), "decide on these functions in names.rs: {unknown:?}");

    // An alias must not be a way around the rule of its function.
    for function in Engine::default_scalar_functions() {
        for alias in function.aliases() {
            assert_eq!(rule(alias), rule(function.name()), "{alias}");
        }
    }
    let tables: Vec<String> = Engine::default_table_functions().iter().map(|f| f.name().to_owned()).collect();
    assert_eq!(tables, ["generate_series", "range"], "table functions are refused in FROM, whatever their name");
}

#[test]
fn names_are_allowed_refused_or_unknown() {
    for sql in [
        "SELECT count(*), sum(x) OVER (PARTITION BY lower(y)), uuid(), now(), CURRENT_TIMESTAMP, random() FROM t",
        "SELECT UPPER(name), \"upper\"(name), repeat('x', 10), lpad(a, 1000000), range(5), range(-10, 10, 2) FROM t",
        "SELECT unnest([1, 2]), array_transform([1], v -> v + 1), extract(year FROM d), substring(a FROM 2) FROM t",
    ] {
        checked(sql).unwrap();
    }
    for (sql, kind, says) in [
        ("SELECT input_file_name()", Kind::Unsupported, "files"),
        ("SELECT 1 FROM t WHERE x IN (SELECT File_Row_Index() FROM t)", Kind::Unsupported, "files"),
        ("SELECT arrow_metadata(x) FROM t", Kind::Unsupported, "metadata"),
        ("SELECT version()", Kind::Unsupported, "engine"),
        ("SELECT pg_read_file('/etc/passwd')", Kind::Invalid, "there is no function `pg_read_file`"),
        ("SELECT a.upper('x')", Kind::Invalid, "there is no function"),
        ("SELECT max(x) FILTER (WHERE load(x)) FROM t", Kind::Invalid, "`load`"),
        ("SELECT 1 FROM t ORDER BY load(x)", Kind::Invalid, "`load`"),
        ("WITH c AS (SELECT load(1)) SELECT 1 FROM c", Kind::Invalid, "`load`"),
    ] {
        let refused = checked(sql).unwrap_err();
        assert_eq!(refused.kind, kind, "{sql}: {refused}");
        assert!(refused.message.contains(says), "{sql}: {refused}");
    }
}

#[test]
fn sizes_are_literals_below_the_limit() {
    for (sql, kind) in [
        ("SELECT repeat('x', 1000000000)", Kind::Exhausted),
        ("SELECT repeat('x', (1000001))", Kind::Exhausted),
        ("SELECT repeat('x', 1000 * 1000)", Kind::Unsupported),
        ("SELECT lpad(a, b) FROM t", Kind::Unsupported),
        ("SELECT rpad(a, CAST(9999999 AS BIGINT)) FROM t", Kind::Exhausted),
        ("SELECT array_repeat(1, 99999999999999999999999999)", Kind::Exhausted),
        ("SELECT list_resize([1], 10000000, 0)", Kind::Exhausted),
        ("SELECT range(0, 200000000)", Kind::Exhausted),
        ("SELECT range(-600000, 600000)", Kind::Exhausted),
        ("SELECT generate_series(x) FROM t", Kind::Unsupported),
        ("SELECT repeat('x', 1e9)", Kind::Unsupported),
        ("SELECT replace(repeat('x', 1000000), 'x', repeat('y', 1000000))", Kind::Exhausted),
        ("SELECT array_repeat(array_repeat(array_repeat(1, 1000), 1000), 1000)", Kind::Exhausted),
    ] {
        let refused = checked(sql).unwrap_err();
        assert_eq!(refused.kind, kind, "{sql}: {refused}");
    }
    checked("SELECT repeat('x', $1)").unwrap();
}

fn plan(expr: Expr) -> LogicalPlan {
    LogicalPlanBuilder::empty(true).project([expr]).unwrap().build().unwrap()
}

fn function(name: &str) -> Arc<ScalarUDF> {
    Engine::default_scalar_functions().into_iter().find(|function| function.name() == name).unwrap()
}

#[test]
fn plans_are_checked_too() {
    let call = |name: &str, args: Vec<Expr>| function(name).call(args);
    check_plan(&plan(call("repeat", vec![lit("x"), lit(5_i64)]))).unwrap();
    for (expr, kind) in [
        (call("input_file_name", vec![]), Kind::Unsupported),
        (call("repeat", vec![lit("x"), lit(5_000_000_i64)]), Kind::Exhausted),
        (call("repeat", vec![lit("x"), datafusion::prelude::placeholder("$1")]), Kind::Unsupported),
        (call("upper", vec![call("version", vec![])]), Kind::Unsupported),
    ] {
        let inner = Arc::new(plan(expr.clone()));
        assert_eq!(check_plan(&plan(expr)).unwrap_err().kind, kind);
        let subquery = plan(datafusion::logical_expr::expr_fn::scalar_subquery(inner));
        assert_eq!(check_plan(&subquery).unwrap_err().kind, kind, "inside a subquery");
    }
}
