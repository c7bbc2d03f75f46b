#![expect(clippy::disallowed_methods, reason = "plans are made here, and none is run over data")]

use std::sync::Arc;

use datafusion::execution::SessionStateDefaults as Engine;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, ScalarUDF, lit};
use datafusion::prelude::Expr;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::names::rule;
use super::{check, check_plan, rows_at_once};
use crate::diagnostic::{Diagnostic, Kind};

fn checked(sql: &str) -> Result<(), Diagnostic> {
    check(&Parser::parse_sql(&GenericDialect {}, sql).unwrap()[0])
}

#[test]
fn every_function_of_the_engine_was_reviewed() {
    let mut names = Vec::new();
    for function in Engine::default_scalar_functions().into_iter().chain(super::ours()) {
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
    for function in Engine::default_scalar_functions().into_iter().chain(super::ours()) {
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

/// How many rows of a statement are worked on at once, or why it is refused.
async fn rows(sql: &str) -> Result<usize, Diagnostic> {
    let context = datafusion::prelude::SessionContext::new();
    context.sql("CREATE TABLE t (s VARCHAR, n BIGINT, l BIGINT[]) AS VALUES ('x', 1, [1])").await.unwrap();
    let plan = context.state().create_logical_plan(sql).await.unwrap();
    check_plan(&plan).and_then(|()| rows_at_once(&plan))
}

const GATHERED: &str = "(SELECT string_agg(s, ',') AS s, array_agg(n) AS l FROM t) g";

#[tokio::test]
async fn wide_rows_are_worked_on_few_at_a_time() {
    for (sql, expect) in [
        ("SELECT * FROM t".to_owned(), 8_192),
        ("SELECT s || 'x', n + 1, upper(s) FROM t ORDER BY n".to_owned(), 8_192),
        ("SELECT repeat('x', 1000000) FROM t".to_owned(), 268),
        ("SELECT length(repeat('x', 1000000)) FROM t".to_owned(), 268),
        ("SELECT n FROM t WHERE lpad(s, 1000000) = s".to_owned(), 268),
        ("SELECT (SELECT max(repeat('x', 1000000)) FROM t)".to_owned(), 268),
        // What a subquery is handed from around it is as wide inside.
        (
            "SELECT (SELECT max(o.s || o.s || t.s) FROM t) FROM (SELECT repeat('x', 1000000) AS s FROM t) o".to_owned(),
            134,
        ),
        // Values that many rows are gathered into are usual until something multiplies them.
        (format!("SELECT s, l, array_to_string(l, ',') FROM {GATHERED}"), 2_047),
        (format!("SELECT replace(s, ',', ', ') FROM {GATHERED}"), 8_192),
        (format!("SELECT repeat(s, 20) FROM {GATHERED}"), 12),
        (format!("SELECT n, array_length(g.l) FROM t, {GATHERED}"), 128),
        ("SELECT unnest(range(0, 1000000))".to_owned(), 33),
        ("SELECT n, s, unnest(range(0, 1000000)) FROM t".to_owned(), 5),
        ("SELECT levenshtein(s, 'abc'), array_has_any(l, [1, 2]) FROM t".to_owned(), 8_192),
    ] {
        let found = rows(&sql).await.unwrap();
        assert!(found.abs_diff(expect) <= expect / 64, "{sql}: {found}");
    }
}

#[tokio::test]
async fn rows_that_are_too_wide_are_refused() {
    for sql in [
        "SELECT repeat(repeat('x', 10000), 10000) FROM t".to_owned(),
        "SELECT replace(repeat('x', 100000), 'x', repeat('y', 1000)) FROM t".to_owned(),
        "SELECT array_repeat(repeat('x', 1000000), 100)".to_owned(),
        format!("SELECT length(repeat(s, 800000)) FROM {GATHERED}"),
        format!("SELECT length(repeat(s || 'x', 99)) FROM {GATHERED}"),
        format!("SELECT array_to_string(l, repeat('x', 1000000)) FROM {GATHERED}"),
        format!("SELECT (SELECT max(repeat(g.s, 90)) FROM t) FROM {GATHERED}"),
    ] {
        let refused = rows(&sql).await.unwrap_err();
        assert_eq!((refused.kind, refused.message.contains("one row")), (Kind::Exhausted, true), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn work_without_an_end_is_refused() {
    let wide = (0..100).map(|at| format!("n AS n{at}")).collect::<Vec<_>>().join(", ");
    for (sql, says) in [
        ("SELECT levenshtein(l, l || 'b') FROM (SELECT repeat('a', 1000000) AS l)".to_owned(), "comparisons"),
        (format!("SELECT levenshtein('{0}', '{0}')", "a".repeat(100_000)), "comparisons"),
        ("SELECT array_has_all(l, array_reverse(l)) FROM (SELECT range(0, 300000) AS l)".to_owned(), "comparisons"),
        (format!("SELECT array_has_any(l, l) FROM {GATHERED}"), "comparisons"),
        (format!("SELECT {wide}, unnest(range(0, 1000000)) FROM t"), "one row"),
        ("SELECT approx_percentile_cont(n, 0.5, 2000000000) FROM t".to_owned(), "centroids"),
        ("SELECT approx_percentile_cont(0.5, 2000000000) WITHIN GROUP (ORDER BY n) FROM t".to_owned(), "centroids"),
        ("SELECT approx_percentile_cont_with_weight(n, 1, 0.5, 2000000000) FROM t".to_owned(), "centroids"),
        ("SELECT approx_percentile_cont(n, 0.5, 200000 * 10000) FROM t".to_owned(), "centroids"),
        ("SELECT approx_percentile_cont(0.5, 200000 * 10000) WITHIN GROUP (ORDER BY n) FROM t".to_owned(), "centroids"),
    ] {
        let refused = rows(&sql).await.unwrap_err();
        assert_eq!((refused.kind, refused.message.contains(says)), (Kind::Exhausted, true), "{sql:.200}: {refused}");
    }
    rows("SELECT approx_percentile_cont_with_weight(n, 5000, 0.5, 200) FROM t").await.unwrap();
    rows("SELECT approx_percentile_cont(n, 0.5, 200), approx_percentile_cont(n, 0.5) FROM t").await.unwrap();
}

#[tokio::test]
async fn types_of_any_size_are_refused() {
    for to in ["LargeUtf8", "LargeBinary", "List(LargeUtf8)", "FixedSizeBinary(2000000000)", "LargeList(Int8)"] {
        for sql in [
            format!("SELECT arrow_cast(NULL, '{to}')"),
            format!("SELECT 1 FROM t WHERE arrow_try_cast(s, '{to}') IS NULL"),
        ] {
            // What the engine cannot cast it refuses itself.
            let Ok(plan) = datafusion::prelude::SessionContext::new()
                .state()
                .create_logical_plan(&sql.replace("FROM t", "FROM (VALUES ('x')) t(s)"))
                .await
            else {
                continue;
            };
            let refused = check_plan(&plan).unwrap_err();
            assert_eq!(
                (refused.kind, refused.message.contains("any size")),
                (Kind::Unsupported, true),
                "{sql}: {refused}"
            );
        }
    }
    for sql in [
        "SELECT CAST([1] AS INT[2000000000])",
        "SELECT CAST(NULL AS INT[20]) FROM t",
        "SELECT TRY_CAST(l AS INT[2]) FROM t",
    ] {
        let refused = rows(sql).await.unwrap_err();
        assert_eq!((refused.kind, refused.message.contains("any size")), (Kind::Unsupported, true), "{sql}: {refused}");
    }
    rows("SELECT arrow_cast(s, 'Utf8View'), arrow_cast(n, 'Dictionary(Int32, Utf8)') FROM t").await.unwrap();
}
