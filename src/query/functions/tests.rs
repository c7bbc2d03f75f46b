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
    assert_eq!(tables, ["generate_series", "range"], "of table functions, `query::statement` allows these");
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

#[tokio::test]
async fn sizes_are_written_out_and_below_the_limit() {
    let table = "FROM (VALUES ('x', 1)) t(a, b)";
    for (sql, kind) in [
        ("repeat('x', 1000000000)", Kind::Exhausted),
        ("repeat('x', (1000001))", Kind::Exhausted),
        ("repeat('x', 1000 * 1000)", Kind::Unsupported),
        ("lpad(a, b)", Kind::Unsupported),
        ("rpad(a, CAST(9999999 AS BIGINT))", Kind::Exhausted),
        ("rpad(a, CAST('9999999' AS BIGINT))", Kind::Exhausted),
        ("repeat(a, arrow_cast(9999999, 'Int64'))", Kind::Exhausted),
        ("array_repeat(1, 9999999999999999999)", Kind::Exhausted),
        ("list_resize([1], 10000000, 0)", Kind::Exhausted),
        ("range(0, 200000000)", Kind::Exhausted),
        ("range(-600000, 600000)", Kind::Exhausted),
        ("range(0, 200000000, 100)", Kind::Exhausted),
        ("range(200000000, 0, -100)", Kind::Exhausted),
        ("range(0, 100, b)", Kind::Unsupported),
        ("generate_series(b)", Kind::Unsupported),
        ("replace(repeat('x', 1000000), 'x', repeat('y', 1000000))", Kind::Exhausted),
        ("array_repeat(array_repeat(array_repeat(1, 1000), 1000), 1000)", Kind::Exhausted),
        // Times.
        ("range(DATE '1000-01-01', DATE '9000-01-01', INTERVAL '1' DAY)", Kind::Exhausted),
        ("range(TIMESTAMP '2000-01-01', TIMESTAMP '2000-01-02', INTERVAL '1 millisecond')", Kind::Exhausted),
        ("range(TIMESTAMP '2000-01-02', TIMESTAMP '2000-01-01', INTERVAL '-1 millisecond')", Kind::Exhausted),
        (
            "range(TIMESTAMP '2000-01-01', TIMESTAMP '2000-01-02', INTERVAL '1 month -2592000001 millisecond')",
            Kind::Unsupported,
        ),
        (
            "range(TIMESTAMP '2000-01-01', arrow_cast('2000-01-01T00:00:00', 'Timestamp(ns, \"+05:00\")'), INTERVAL '1 millisecond')",
            Kind::Exhausted,
        ),
        ("range(DATE '1000-01-01', DATE '6000-01-01', INTERVAL '1 day 86399 seconds')", Kind::Exhausted),
        ("range(DATE '2000-01-01', arrow_cast(a, 'Date32'), INTERVAL '1' DAY)", Kind::Unsupported),
    ] {
        let answer = rows(&format!("SELECT {sql} {table}")).await;
        assert_eq!(answer.as_ref().map_err(|refused| refused.kind), Err(kind), "{sql}: {answer:?}");
    }
    for sql in [
        "repeat('x', arrow_cast(3, 'Int8'))",
        "range(0, 9223372036854775807, 9223372036854775807)",
        "range(5, 0, 1)",
        "range(0, 9999999999, 0)",
        "range(DATE '1992-09-01', NULL, INTERVAL '1' YEAR)",
        "generate_series(TIMESTAMP '2000-01-01', TIMESTAMP '2000-12-31', INTERVAL '1' HOUR)",
        "range(DATE '2000-01-01', DATE '2003-01-01', INTERVAL '1 month 1 day')",
    ] {
        rows(&format!("SELECT {sql} {table}")).await.unwrap_or_else(|refused| panic!("{sql}: {refused}"));
    }
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
    check_plan(&plan).and_then(|()| rows_at_once(&plan, usize::MAX))
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
async fn types_of_any_size_are_neither_gathered_nor_multiplied() {
    for (sql, kind) in [
        ("SELECT arrow_cast(string_agg(s, ','), 'LargeUtf8') FROM t", Kind::Unsupported),
        (
            "SELECT repeat(concat(arrow_cast(s, 'LargeUtf8'), g), 1000) FROM (SELECT s FROM t), (SELECT string_agg(s, ',') AS g FROM t)",
            Kind::Exhausted,
        ),
        ("SELECT arrow_cast(array_agg(n), 'LargeList(Int64)') FROM t", Kind::Unsupported),
        ("SELECT repeat(arrow_cast(s, 'LargeUtf8'), 1000) FROM t", Kind::Unsupported),
        ("SELECT array_repeat(arrow_cast(s, 'LargeUtf8'), 1000) FROM t", Kind::Unsupported),
        ("SELECT replace(arrow_cast(s, 'LargeUtf8'), 'a', repeat('b', 1000)) FROM t", Kind::Unsupported),
        ("SELECT arrow_cast(NULL, 'FixedSizeBinary(2000000000)')", Kind::Exhausted),
        ("SELECT arrow_try_cast(s, 'FixedSizeBinary(2000000000)') FROM t", Kind::Exhausted),
        ("SELECT CAST([1] AS INT[2000000000])", Kind::Exhausted),
        // Multiplied by other words.
        (
            "SELECT a || a || a || a || a || a || a || a || a || a || a || a || a || a || a || a || a FROM (SELECT arrow_cast(s, 'LargeUtf8') AS a FROM t)",
            Kind::Unsupported,
        ),
        (
            "SELECT length(concat(a, a, a, a)) FROM (SELECT concat(a, a, a, a, a) AS a FROM (SELECT arrow_cast(s, 'LargeUtf8') AS a FROM t))",
            Kind::Unsupported,
        ),
        ("SELECT repeat(arrow_cast(s, 'Utf8View'), 1000) FROM t", Kind::Unsupported),
        (
            "SELECT repeat(repeat(repeat(repeat(repeat(g, 15), 15), 15), 15), 15) FROM (SELECT string_agg(s, ',') AS g FROM t)",
            Kind::Exhausted,
        ),
        // Inside others.
        ("SELECT CAST(array_agg(CAST(NULL AS INT[])) AS INT[1000000][]) FROM range(0, 1000000)", Kind::Unsupported),
        ("SELECT arrow_cast(NULL, 'Struct(\"a\": FixedSizeBinary(2000000000))')", Kind::Unsupported),
        ("SELECT arrow_cast(NULL, 'Union(Sparse, 0: (\"a\": FixedSizeBinary(2000000000)))')", Kind::Unsupported),
        (
            "SELECT arrow_cast(NULL, 'RunEndEncoded(\"run_ends\": non-null Int32, \"values\": FixedSizeList(1000000, FixedSizeBinary(2000000000)))')",
            Kind::Unsupported,
        ),
        ("SELECT arrow_cast(NULL, 'FixedSizeList(1000000, Struct(\"a\": Decimal256(76, 0)))')", Kind::Unsupported),
        ("SELECT arrow_cast(NULL, 'Dictionary(Int32, FixedSizeBinary(2000000000))')", Kind::Unsupported),
        ("SELECT CAST([NULL, NULL] AS INT[5000000][])", Kind::Unsupported),
        ("SELECT cast_to_type(NULL, arrow_cast(NULL, 'FixedSizeList(100000000, Int8)'))", Kind::Exhausted),
        ("SELECT 1 FROM t WHERE CAST(NULL AS INT[2000000000]) IS NULL", Kind::Exhausted),
        ("SELECT 1 FROM t WHERE n IN (SELECT cardinality(CAST(NULL AS INT[2000000000])))", Kind::Exhausted),
    ] {
        let answer = rows(sql).await;
        assert_eq!(answer.as_ref().map_err(|refused| refused.kind), Err(kind), "{sql}: {answer:?}");
    }
    for sql in [
        "SELECT arrow_cast(s, 'Utf8View'), arrow_cast(n, 'Dictionary(Int32, Utf8)') FROM t",
        "SELECT arrow_cast(s, 'LargeUtf8'), arrow_cast(l, 'LargeList(Int64)'), upper(arrow_cast(s, 'LargeUtf8')) FROM t",
        "SELECT repeat(arrow_cast('x', 'LargeUtf8'), 1000)",
        "SELECT array_append(arrow_cast(l, 'LargeList(Int64)'), 1), max(arrow_cast(s, 'LargeUtf8')) FROM t GROUP BY l",
        "SELECT string_agg(s, ',') FROM t WHERE arrow_cast(s, 'LargeUtf8') = 'x'",
    ] {
        rows(sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused}"));
    }
    rows("SELECT arrow_cast([[1, 2]], 'List(FixedSizeList(2, Int64))')").await.unwrap();
    let narrow = rows("SELECT CAST([1, 2] AS INT[2])").await.unwrap();
    let wide = rows("SELECT CAST(NULL AS INT[1000000])").await.unwrap();
    assert!(narrow > 1_000 && wide < 100, "{narrow} and {wide} rows at once");
}
