//! SQL means what it says: forms whose answers were once others than PostgreSQL and DuckDB give.

use crate::harness::Mesh;

const MESH: &str = include_str!("fixtures/regions.txt");

/// What is asked, and its rows: values apart by bars, rows by commas.
pub async fn rows(asked: &[(&str, &str)]) {
    let mesh = Mesh::new(MESH).await;
    let mut wrong = Vec::new();
    for (sql, expect) in asked {
        let answer = mesh.answer("ana", sql).await;
        let rows = answer.lines().skip(1).collect::<Vec<_>>().join(", ");
        if rows != *expect {
            wrong.push(format!("{sql}\n  is  {answer}\n  not {expect}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn everyday_forms_answer() {
    rows(&[
        ("SELECT order_id FROM sales.orders ORDER BY order_id FETCH FIRST 1 ROW ONLY", "1"),
        ("SELECT order_id FROM sales.orders ORDER BY order_id OFFSET 1 ROW FETCH NEXT 5 ROWS ONLY", "2"),
        ("SELECT TOP 1 order_id FROM sales.orders ORDER BY order_id DESC", "2"),
        ("SELECT CAST(region AS VARCHAR(1)), CAST('ab' AS CHAR(3)) FROM sales.orders WHERE amount = 10", "E | ab"),
        ("SELECT 'a_b' LIKE 'a!_b' ESCAPE '!', 'axb' LIKE 'a!_b' ESCAPE '!', 'a!' LIKE '_!!' ESCAPE '!'", "true | false | true"),
        (r"SELECT 'a\b' LIKE 'a\b' ESCAPE ''", "true"),
        (
            "SELECT 'abc' SIMILAR TO 'a%', 'abc' SIMILAR TO 'b', 'x' SIMILAR TO '_', 'a.c' SIMILAR TO 'a.c', 'abc' SIMILAR TO 'a.c'",
            "true | false | true | true | false",
        ),
        ("SELECT 'aab' SIMILAR TO '(a|b){2,3}', 'c' SIMILAR TO '[^a-b]', 'a%' NOT SIMILAR TO 'a!%' ESCAPE '!'", "true | true | false"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn named_windows_are_honoured_everywhere() {
    let values = "FROM (VALUES (1, 'a', 10), (2, 'a', 20), (3, 'b', 30)) t(id, g, x)";
    rows(&[
        (
            &format!("SELECT id, sum(x) OVER w, sum(x) OVER (w ORDER BY id) {values} WINDOW w AS (PARTITION BY g) ORDER BY id"),
            "1 | 30 | 10, 2 | 30 | 30, 3 | 30 | 30",
        ),
        (&format!("SELECT id {values} WINDOW w AS (PARTITION BY g) QUALIFY count(*) OVER w = 1"), "3"),
        (&format!("SELECT id {values} WINDOW w AS (ORDER BY id DESC) ORDER BY row_number() OVER w"), "3, 2, 1"),
        (
            &format!(
                "SELECT id, (SELECT max(y) FROM (SELECT count(*) OVER w AS y FROM (VALUES (1), (1)) u(k) WINDOW w AS (PARTITION BY k)) v), \
                 count(*) OVER w {values} WINDOW w AS (ORDER BY id) ORDER BY id"
            ),
            "1 | 2 | 1, 2 | 2 | 2, 3 | 2 | 3",
        ),
    ])
    .await;
}

/// What is asked, and how its refusal or error begins.
pub async fn errors(asked: &[(&str, &str)]) {
    let mesh = Mesh::new(MESH).await;
    let mut wrong = Vec::new();
    for (sql, expect) in asked {
        let answer = mesh.answer("ana", sql).await;
        if !answer.starts_with(expect) {
            wrong.push(format!("{sql}\n  is  {answer}\n  not {expect}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_do_not_wrap() {
    let most = "(VALUES (9223372036854775807), (1)) t(x)";
    let too_large = "Invalid: a number that the statement computes is too large for its type";
    errors(&[
        ("SELECT order_id + 9223372036854775807 FROM sales.orders", too_large),
        ("SELECT -9223372036854775807 - 2", too_large),
        ("SELECT 9223372036854775807 * 2", too_large),
        ("SELECT x + 1 FROM (SELECT 9223372036854775807 AS x)", too_large),
        ("SELECT CAST(127 AS TINYINT) + CAST(1 AS TINYINT)", too_large),
        ("SELECT CAST(2147483647 AS INT) + CAST(1 AS INT)", too_large),
        ("SELECT 1 FROM sales.orders WHERE amount * 9223372036854775807 > 0", too_large),
        ("SELECT -x FROM (VALUES (-9223372036854775807 - 1)) t(x)", too_large),
        (&format!("SELECT sum(x) FROM {most}"), too_large),
        (&format!("SELECT sum(DISTINCT x) FROM {most}"), too_large),
        (&format!("SELECT x / x, sum(x) FROM (SELECT 9223372036854775807 AS x FROM {most}) GROUP BY x"), too_large),
        (&format!("SELECT sum(x) OVER () FROM {most}"), too_large),
        (&format!("SELECT sum(x) OVER (ORDER BY x ROWS 1 PRECEDING) FROM {most}"), too_large),
    ])
    .await;
    rows(&[
        (
            "SELECT amount + 1, amount - order_id, amount * 2, -amount FROM sales.orders ORDER BY 1",
            "11 | 9 | 20 | -10, 21 | 18 | 40 | -20",
        ),
        ("SELECT sum(amount), sum(amount + 1) FROM sales.orders", "30 | 32"),
        ("SELECT region, sum(amount) FROM sales.orders GROUP BY region", "EU | 30"),
        ("SELECT count(*) FILTER (WHERE amount - 5 > 5) FROM sales.orders", "1"),
        ("SELECT array_agg(order_id ORDER BY amount * -1) FROM sales.orders", "[2, 1]"),
        (
            "SELECT rank() OVER (PARTITION BY order_id * 0 ORDER BY amount - 5) AS r FROM sales.orders ORDER BY r",
            "1, 2",
        ),
        ("SELECT sum(amount) OVER (ORDER BY order_id) FROM sales.orders ORDER BY 1", "10, 30"),
        ("SELECT sum(amount) FROM sales.orders WHERE false", "NULL"),
        // Parts may leave the range and come back.
        ("SELECT sum(x) FROM (VALUES (9223372036854775807), (1), (-2)) t(x)", "9223372036854775806"),
        ("SELECT DATE '2024-01-03' - DATE '2024-01-01', DATE '2024-01-01' + INTERVAL '1 day'", "2 | 2024-01-02"),
        (
            "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n ORDER BY i",
            "1, 2, 3",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_stays_unknown() {
    let values = "(VALUES (1), (2), (3), (4), (NULL)) t(x)";
    rows(&[
        (&format!("SELECT x FROM {values} WHERE x NOT IN (1, 2) OR x NOT IN (3, 4) ORDER BY x"), "1, 2, 3, 4"),
        (&format!("SELECT x FROM {values} WHERE x NOT IN (1, 2) OR x NOT IN (2, 3) ORDER BY x"), "1, 3, 4"),
        (&format!("SELECT x FROM {values} WHERE NOT (x IN (1, 2) AND x IN (3, 4)) ORDER BY x"), "1, 2, 3, 4"),
        (&format!("SELECT x FROM {values} WHERE NOT ((x = 1 OR x = 2) AND (x = 3 OR x = 4)) ORDER BY x"), "1, 2, 3, 4"),
        (&format!("SELECT x FROM {values} WHERE x IN (1, 2) AND x NOT IN (2, NULL)"), ""),
        (&format!("SELECT count(*) FROM {values} WHERE (x IN (1, 2) AND x IN (3, 4)) IS NULL"), "1"),
        (&format!("SELECT x FROM {values} WHERE x IN (1, 2) AND x IN (2, 3) OR x = 4 ORDER BY x"), "2, 4"),
        (&format!("SELECT count(*) FROM {values} WHERE (x IN (1, 2, NULL) AND x NOT IN (2, 3)) IS NULL"), "2"),
        (
            "SELECT (5 = ANY ([1, NULL])) IS NULL, (NOT (5 = ANY ([1, NULL]))) IS NULL, 1 = ANY ([1, NULL])",
            "true | true | true",
        ),
        (
            "SELECT (5 > ANY ([9, NULL])) IS NULL, 5 >= ANY ([6, 5]), 5 = ANY (CAST([] AS BIGINT[]))",
            "true | true | false",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_plans_are_refused() {
    let inner = "FROM sales.orders i WHERE i.order_id = o.order_id";
    let row = format!("(1{})", ", 1".repeat(100));
    errors(&[
        (&format!("SELECT {row} < {row}"), "Exhausted: a row that is compared has more than 100 fields"),
        (
            &format!("SELECT 1 FROM sales.orders o WHERE EXISTS (SELECT count(*) {inner})"),
            "Unsupported: an aggregate without `GROUP BY` in `EXISTS`, `IN`, `ANY` or `ALL` is not answered",
        ),
        (
            &format!("SELECT 1 FROM sales.orders o WHERE 0 IN (SELECT count(*) {inner})"),
            "Unsupported: an aggregate without `GROUP BY` in",
        ),
        (
            &format!("SELECT 1 FROM sales.orders o WHERE EXISTS (SELECT 1 {inner} OFFSET 1)"),
            "Unsupported: `OFFSET` is not answered in a query that names columns",
        ),
        (
            &format!("SELECT (SELECT sum(amount) {inner} HAVING count(*) = 0) FROM sales.orders o"),
            "Unsupported: `HAVING`, or a condition on an aggregate, is not answered",
        ),
        (
            &format!("SELECT 1 FROM sales.orders o CROSS JOIN LATERAL (SELECT sum(amount) AS s {inner} HAVING count(*) > 1) x"),
            "Unsupported: `HAVING`, or a condition on an aggregate, is not answered",
        ),
        (
            &format!("SELECT 1 FROM sales.orders o WHERE EXISTS (SELECT 1 {inner} GROUP BY ROLLUP (i.region))"),
            "Unsupported: `GROUPING SETS`, `ROLLUP` or `CUBE` is not answered",
        ),
        (
            "SELECT to_char(TIMESTAMP '2024-03-05 06:07:08', 'YYYY-MM')",
            "Unsupported: the pattern of `to_char` has no `%`: patterns are those of chrono, not of PostgreSQL\nhint: write `%Y-%m`",
        ),
        ("SELECT to_date('2024-03-05', 'YYYY-MM-DD')", "Unsupported: the pattern of `to_date` has no `%`"),
    ])
    .await;
    rows(&[
        (&format!("SELECT (SELECT sum(amount) {inner}) FROM sales.orders o ORDER BY 1"), "10, 20"),
        (&format!("SELECT amount FROM sales.orders o WHERE EXISTS (SELECT 1 {inner} AND i.amount > 10)"), "20"),
        (
            "SELECT amount FROM sales.orders WHERE amount > (SELECT avg(amount) FROM sales.orders HAVING count(*) > 1)",
            "20",
        ),
        ("SELECT to_char(TIMESTAMP '2024-03-05 06:07:08', '%Y-%m')", "2024-03"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_compared_field_by_field() {
    rows(&[
        ("SELECT (1, NULL) < (1, 'a'), (1, 'a') = (1, NULL), (1, 'a') <> (1, NULL)", "NULL | NULL | NULL"),
        ("SELECT (1, 'a') = (2, NULL), (1, 2) <> (1, 3), (2, NULL) > (1, NULL)", "false | true | true"),
        (
            "SELECT (NULL, NULL) IS NULL, (NULL, 'x') IS NOT NULL, (NULL, 'x') IS NULL, (1, 2) IS NOT NULL",
            "true | false | false | true",
        ),
        ("SELECT (1, 2) < (1, 3), (1, 2) <= (1, 2), (1, 2, 3) >= (1, 2, 4)", "true | true | false"),
        (
            "SELECT (1, 2) IN ((1, NULL), (3, 4)), (1, 2) NOT IN ((1, 3)), (abs(-1), 'a') = (1, 'a')",
            "NULL | true | true",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn distinct_from_ends_where_and_begins() {
    rows(&[
        ("SELECT NULL IS DISTINCT FROM true AND false", "false"),
        ("SELECT x FROM (VALUES (1, true), (2, false)) t(x, y) WHERE x IS NOT DISTINCT FROM 2 OR y ORDER BY x", "1, 2"),
    ])
    .await;
}

/// NULL equals NULL for the one condition that says so, and for no other of the same joins.
#[tokio::test(flavor = "multi_thread")]
async fn null_safe_joins() {
    let t = "(VALUES (1, CAST(NULL AS INT)), (2, 20), (NULL, 30), (4, NULL)) t(a, b)";
    let u = "(VALUES (CAST(1 AS BIGINT), 10), (NULL, 20), (4, NULL)) u(k, v)";
    let w = "(VALUES (10), (20), (NULL)) w(v)";
    rows(&[
        (&format!("SELECT a, k FROM {t} JOIN {u} ON a IS NOT DISTINCT FROM k ORDER BY a"), "1 | 1, 4 | 4, NULL | NULL"),
        (&format!("SELECT a FROM {t} JOIN {u} ON a IS NOT DISTINCT FROM k WHERE b = v"), ""),
        (
            &format!("SELECT a, w.v FROM {t} JOIN {u} ON a IS NOT DISTINCT FROM k JOIN {w} ON w.v = u.v ORDER BY a"),
            "1 | 10, NULL | 20",
        ),
        (
            "SELECT x FROM (VALUES ('a'), (NULL)) t(x) JOIN (VALUES (CAST(NULL AS VARCHAR)), ('a'), ('')) u(y) \
             ON x IS NOT DISTINCT FROM y ORDER BY x",
            "a, NULL",
        ),
        (
            "SELECT x FROM (VALUES (1), (NULL)) t(x) WHERE EXISTS (SELECT 1 FROM (VALUES (NULL), (2)) u(y) \
             WHERE x IS NOT DISTINCT FROM y)",
            "NULL",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn casts_that_merge_values_stay() {
    let at =
        "(VALUES (TIMESTAMP '2024-01-01 03:00'), (TIMESTAMP '2024-01-01 02:00'), (TIMESTAMP '2024-01-02 01:00')) t(x)";
    let decimals = "(VALUES (CAST(1.9 AS DECIMAL(3, 1))), (1.2), (0.4)) t(x)";
    rows(&[
        (&format!("SELECT x FROM {at} WHERE x::date = DATE '2024-01-01' ORDER BY x"), "2024-01-01T02:00:00, 2024-01-01T03:00:00"),
        ("SELECT id FROM (VALUES (3), (0), (1), (2)) t(id) WHERE CAST(id AS BOOLEAN) ORDER BY id", "1, 2, 3"),
        ("SELECT x FROM (VALUES ('1'), ('01'), ('2')) t(x) WHERE CAST(x AS INT) = 1 ORDER BY x", "01, 1"),
        (
            "SELECT id, row_number() OVER (ORDER BY id DESC) FROM (VALUES (3), (1), (2)) t(id) WHERE CAST(id AS BOOLEAN) ORDER BY id",
            "1 | 3, 2 | 2, 3 | 1",
        ),
        (&format!("SELECT count(*) FROM {decimals} WHERE CAST(x AS INT) = 1"), "2"),
        ("SELECT x FROM (VALUES (123), (7), (70)) t(x) WHERE CAST(x AS VARCHAR) IN ('0123', '7')", "7"),
        ("SELECT x FROM (VALUES (123), (7), (70)) t(x) WHERE CAST(x AS VARCHAR) >= '7' ORDER BY x", "7, 70"),
        ("SELECT count(*) FROM (VALUES (3000000000), (4), (5)) t(x) WHERE TRY_CAST(x AS INT) <> 5", "1"),
        (&format!("SELECT CAST(x AS INT) = 1 AS is_one FROM {decimals} ORDER BY x"), "false, true, true"),
        (&format!("SELECT count(*) FROM {decimals} WHERE CAST(x AS INT) BETWEEN 0 AND 0"), "1"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_keep_their_digits_and_types() {
    rows(&[
        ("SELECT 12345678901234567890.5, 99999999999999999999, 0.1, 1.50", "12345678901234567890.5 | 99999999999999999999 | 0.1 | 1.5"),
        ("SELECT count(*) FROM (VALUES (9223372036854775807)) t(x) WHERE x > 9223372036854775806.5", "1"),
        ("SELECT count(*) FROM (VALUES (9223372036854775807)) t(x) WHERE x = 9223372036854775806.0", "0"),
        ("SELECT arrow_typeof(round(x, 1)), round(x, 1) FROM (VALUES (CAST(9.99 AS DECIMAL(3, 2)))) t(x)", "Decimal128(3, 1) | 10.0"),
        ("SELECT count(*) FROM (VALUES (CAST(1.52 AS DECIMAL(12, 2))), (1.58)) t(x) WHERE round(x, 1) = CAST(1.5 AS DECIMAL(12, 2))", "1"),
        (
            "SELECT x > y FROM (VALUES (CAST(1.5 AS DECIMAL(12, 2)), CAST('NaN' AS DOUBLE)), (1.5, 1e30), (1.5, 1.25)) t(x, y) ORDER BY y",
            "true, false, false",
        ),
        ("SELECT x ^ x FROM (VALUES (CAST(NULL AS SMALLINT)), (3)) t(x) ORDER BY x", "0, NULL"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_have_hours() {
    rows(&[
        (
            "SELECT DATE '2024-01-01' + INTERVAL '36 hours', DATE '2024-01-01' - INTERVAL '1 hour', INTERVAL '2 hours' + DATE '2024-01-01'",
            "2024-01-02T12:00:00 | 2023-12-31T23:00:00 | 2024-01-01T02:00:00",
        ),
        ("SELECT DATE '2024-01-31' + INTERVAL '1 month', DATE '2024-01-01' - INTERVAL '2 days'", "2024-02-29 | 2023-12-30"),
        ("SELECT TIMESTAMP '2024-07-01 22:30', TIMESTAMP '2024-07-01 22:30' > '2024-07-01 22:29'", "2024-07-01T22:30:00 | true"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_keep_their_names() {
    rows(&[
        ("SELECT bool_and(x IN (1, 5)) FILTER (WHERE x IN (1, 5) IS NOT NULL) FROM (VALUES (1), (7)) t(x)", "false"),
        ("SELECT DISTINCT ON (g) g, x FROM (VALUES ('a', 2), ('a', 1)) t(g, x) ORDER BY g, g, x", "a | 1"),
    ])
    .await;
}

/// NaN is the greatest number, as in comparisons and orders, whatever the order of rows.
#[tokio::test(flavor = "multi_thread")]
async fn greatest_and_least_floats() {
    let of = |kind: &str| {
        format!(
            "(SELECT g, CAST(s AS {kind}) AS x FROM (VALUES ('a', 'NaN'), ('a', '1.5'), ('b', '1.5'), ('b', 'NaN'), ('c', 'NaN'), \
             ('d', '-2.5'), ('d', '-inf'), ('d', NULL), ('e', NULL)) v(g, s)) t"
        )
    };
    for kind in ["DOUBLE", "REAL"] {
        let t = of(kind);
        let groups = "NaN | 1.5, NaN | 1.5, NaN | NaN, -2.5 | -inf, NULL | NULL";
        rows(&[
            (&format!("SELECT max(x), min(x) FROM {t} GROUP BY g ORDER BY g"), groups),
            (&format!("SELECT max(x), min(x) FROM {t}"), "NaN | -inf"),
            (&format!("SELECT max(x), min(x) FROM {t} WHERE g = 'e'"), "NULL | NULL"),
            (&format!("SELECT DISTINCT max(x) OVER w, min(x) OVER w, g FROM {t} WHERE g < 'c' WINDOW w AS (PARTITION BY g) ORDER BY g"), "NaN | 1.5 | a, NaN | 1.5 | b"),
            (
                &format!("SELECT max(x) OVER (ORDER BY g, x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM {t} WHERE g = 'd' ORDER BY x NULLS LAST"),
                "-inf, -2.5, -2.5",
            ),
            (&format!("SELECT arrow_typeof(max(x)) FROM {t}"), if kind == "REAL" { "Float32" } else { "Float64" }),
        ])
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_are_ordered_by_keys_of_any_type() {
    for (kind, values) in [
        ("TIME", "('09:00'), ('10:00'), ('10:00')"),
        ("BYTEA", "('a'), ('b'), ('b')"),
        ("INTERVAL", "('1 hour'), ('1 day'), ('24 hours')"),
        ("BOOLEAN", "('false'), ('true'), ('true')"),
    ] {
        let keys = format!("(SELECT CAST(s AS {kind}) AS k FROM (VALUES {values}) v(s)) t");
        rows(&[
            (&format!("SELECT count(*) OVER (ORDER BY k) FROM {keys} ORDER BY 1"), "1, 3, 3"),
            (&format!("SELECT count(*) OVER (ORDER BY k DESC RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM {keys} ORDER BY 1"), "1, 3, 3"),
        ])
        .await;
    }
    rows(&[(
        "SELECT count(*) OVER (ORDER BY k) FROM (VALUES (struct(1)), (struct(2)), (struct(2))) t(k) ORDER BY 1",
        "1, 3, 3",
    )])
    .await;
    let distance = "SELECT count(*) OVER (ORDER BY k RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW) FROM (VALUES (TIME '09:00')) t(k)";
    errors(&[(distance, "Invalid: a RANGE with a distance is ordered by numbers, dates or timestamps")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_columns_may_have_one_name() {
    let t = "(VALUES (1, 2)) t(a, b)";
    let mesh = Mesh::new(MESH).await;
    for (sql, expect) in [
        (format!("SELECT a, a FROM {t}"), "a Int64 | a_1 Int64\n1 | 1"),
        (format!("SELECT *, A FROM {t}"), "a Int64 | b Int64 | a_1 Int64\n1 | 2 | 1"),
        (format!("SELECT a, CAST(a AS INT) FROM {t}"), "a Int64 | CAST(a AS INT) Int32\n1 | 1"),
        (format!("SELECT b AS a, a, a AS a_1 FROM {t}"), "a Int64 | a_2 Int64 | a_1 Int64\n2 | 1 | 1"),
        ("SELECT 1, 1".to_owned(), "1 Int64 | 1_1 Int64\n1 | 1"),
        (format!("SELECT x.* FROM (SELECT a, b, a FROM {t}) x"), "a Int64 | b Int64 | a_1 Int64\n1 | 2 | 1"),
        (format!("SELECT count(*), count(*) FROM {t}"), "count(*) Int64 | count(*)_1 Int64\n1 | 1"),
    ] {
        assert_eq!(mesh.answer("ana", &sql).await, expect, "{sql}");
    }
    let times = "(VALUES (TIMESTAMP '2024-01-01 10:00'), (TIMESTAMP '2024-01-01 11:00')) t(at)";
    let both = format!("SELECT count(DISTINCT at) AS n, count(DISTINCT CAST(at AS DATE)) AS days FROM {times}");
    assert_eq!(mesh.answer("ana", &both).await, "n Int64 | days Int64\n2 | 1");
    let ordered =
        format!("SELECT max(at) FROM {times} HAVING count(at::date) = 2 ORDER BY count(at), count(CAST(at AS DATE))");
    assert_eq!(mesh.answer("ana", &ordered).await, "max(at) Timestamp(µs)\n2024-01-01T11:00:00");
    // What is hidden is no name that another is kept apart from.
    let plain = mesh.answer("ana", "SELECT order_id, order_id FROM sales.orders WHERE amount = 10").await;
    assert!(plain.starts_with("order_id Int64 | order_id_1 Int64\n"), "{plain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_correlated_by_what_is_computed() {
    let with = "WITH t(id, x) AS (VALUES (1, 10), (2, 20), (3, NULL)), s(k, c) AS (VALUES (1, 5), (1, 7), (2, 9)) ";
    let of = |sql: &str| format!("{with}{sql}");
    rows(&[
        (&of("SELECT id, (SELECT max(c) FROM s WHERE s.k + 1 = t.id) FROM t ORDER BY id"), "1 | NULL, 2 | 7, 3 | 9"),
        (&of("SELECT id, (SELECT max(c) FROM s WHERE s.k = t.id + 1) FROM t ORDER BY id"), "1 | 9, 2 | NULL, 3 | NULL"),
        (
            &of("SELECT id, (SELECT count(*) FROM s WHERE s.k * 2 = t.id AND s.c > 5) FROM t ORDER BY id"),
            "1 | 0, 2 | 1, 3 | 0",
        ),
        (
            &of("SELECT id, (SELECT count(*) FROM s WHERE 'k' || s.k = 'k' || t.id) FROM t ORDER BY id"),
            "1 | 2, 2 | 1, 3 | 0",
        ),
        (&of("SELECT id FROM t WHERE x > (SELECT max(c) FROM s WHERE s.k + 0 = t.id) ORDER BY id"), "1, 2"),
        (&of("SELECT id FROM t ORDER BY (SELECT max(c) FROM s WHERE s.k + 1 = t.id) DESC NULLS FIRST, id"), "1, 3, 2"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn constants_and_places() {
    rows(&[
        ("SELECT DISTINCT ON (1) a, b FROM (VALUES (1, 2), (1, 3), (2, 4)) t(a, b) ORDER BY 1, 2", "1 | 2, 2 | 4"),
        ("SELECT array_agg(a ORDER BY 1), string_agg(a, '' ORDER BY 'x', a DESC) FROM (VALUES ('p'), ('q')) t(a) WHERE a = 'p'", "[p] | p"),
        ("SELECT string_agg(a, '' ORDER BY 'x', a DESC) FROM (VALUES ('p'), ('q')) t(a)", "qp"),
        ("SELECT array_agg(a)[0], array_agg(a)[NULL] FROM (VALUES (1), (2)) t(a)", "NULL | NULL"),
        ("SELECT ceil(CAST('99.99' AS DECIMAL(4, 2))), floor(CAST('-9.9' AS DECIMAL(2, 1)))", "100.00 | -10.0"),
        ("SELECT ceil(x) FROM (SELECT CAST('999999999999999999999999.999999' AS DECIMAL(30, 6)) AS x)", "1000000000000000000000000.000000"),
        ("SELECT TIMESTAMP '2024-01-01 7:05', CAST('2024-01-01 7:05:09' AS TIMESTAMP)", "2024-01-01T07:05:00 | 2024-01-01T07:05:09"),
    ])
    .await;
    errors(&[
        ("SELECT DISTINCT ON (3) a, b FROM (VALUES (1, 2)) t(a, b)", "Invalid: `DISTINCT ON (3)` names no column"),
        ("SELECT DISTINCT ON (2) *, a FROM (VALUES (1, 2)) t(a, b)", "Invalid: `DISTINCT ON (2)` names no column"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zeros_of_both_signs_are_equal() {
    for kind in ["DOUBLE", "REAL"] {
        let t = format!("(SELECT CAST(s AS {kind}) AS f FROM (VALUES ('-0.0'), ('0.0')) v(s)) t");
        rows(&[
            (
                &format!("SELECT f IN (0.0, 1.5), f NOT IN (0), f IN (1.5, 2.5), f BETWEEN 0 AND 1 FROM {t}"),
                "true | false | false | true, true | false | false | true",
            ),
            (
                &format!(
                    "SELECT nullif(f, 0), CASE f WHEN 0 THEN 'zero' END, f IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9) FROM {t}"
                ),
                "NULL | zero | true, NULL | zero | true",
            ),
            (&format!("SELECT f IN (g) FROM (SELECT f, -f AS g FROM {t}) u"), "true, true"),
        ])
        .await;
    }
}

/// Over several partitions, whose sorted rows are merged.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_ordered_by_what_functions_compute() {
    let orders = "sales.orders";
    let expect = "1, 2";
    for key in [
        "abs(order_id)",
        "sqrt(order_id)",
        "ln(amount)",
        "-round(-amount)",
        "length(region) > 9, order_id",
        "abs(amount - 5)",
        "round(abs(order_id - 9) / -2.0)",
        "abs(greatest(order_id, 0))",
        "acosh(order_id)",
        "CAST(abs(amount * 2) AS VARCHAR)",
    ] {
        rows(&[
            (&format!("SELECT order_id FROM {orders} ORDER BY {key}"), expect),
            (&format!("SELECT order_id FROM (SELECT order_id, row_number() OVER (ORDER BY {key}) AS n FROM {orders}) t ORDER BY n"), expect),
            (&format!("SELECT array_agg(order_id ORDER BY {key}) FROM {orders}"), "[1, 2]"),
            (&format!("SELECT order_id FROM {orders} ORDER BY {key} LIMIT 1"), "1"),
        ])
        .await;
    }
    rows(&[
        (
            "SELECT order_id, count(*) OVER (PARTITION BY length(region) > 1) FROM sales.orders ORDER BY 1",
            "1 | 2, 2 | 2",
        ),
        ("SELECT region, sum(amount) AS amount FROM sales.orders GROUP BY region ORDER BY sum(amount)", "EU | 30"),
        (
            "SELECT string_agg(DISTINCT upper(region), ',' ORDER BY upper(region)) FROM sales.orders GROUP BY region",
            "EU",
        ),
        ("SELECT -order_id AS order_id FROM sales.orders ORDER BY -order_id", "-2, -1"),
        ("SELECT -order_id AS order_id FROM sales.orders ORDER BY -order_id DESC", "-1, -2"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decimals_meet_numbers_that_are_written_out() {
    let d = "(SELECT CAST(s AS DECIMAL(38, 10)) AS d FROM (VALUES ('1.5'), ('-1'), ('9999999999999999999999999999.9999999999')) v(s)) t";
    rows(&[
        (&format!("SELECT d FROM {d} WHERE d > 2.5"), "9999999999999999999999999999.9999999999"),
        (&format!("SELECT d FROM {d} WHERE d IN (1.5, 2.25) OR d = -1.0 ORDER BY d"), "-1.0000000000, 1.5000000000"),
        (&format!("SELECT count(*) FROM {d} WHERE d BETWEEN -1.5 AND 1.5 AND d <> 0.1 AND nullif(d, 1.5) IS NULL"), "1"),
        (&format!("SELECT CASE d WHEN 1.5 THEN 'a' ELSE 'b' END, coalesce(d, 0.5) = d FROM {d} ORDER BY d"), "b | true, a | true, b | true"),
        ("SELECT CAST('0.1' AS DECIMAL(2, 1)) = 0.1, CAST('0.1' AS DECIMAL(2, 1)) < 0.15, CAST('1' AS DECIMAL(2, 1)) = 1e0", "true | true | true"),
    ])
    .await;
}

/// The key of a left join is that of its left side, whatever the tables are called.
#[tokio::test(flavor = "multi_thread")]
async fn stars_over_shared_keys_show_each_once() {
    let (left, right) = ("(VALUES (1, 2), (5, 6))", "(VALUES (3, 4), (5, 7))");
    for (one, other) in [("z", "a"), ("a", "z")] {
        let joined = format!("FROM {left} {one}(id, v) LEFT JOIN {right} {other}(id, w) USING (id)");
        rows(&[
            (&format!("SELECT * {joined} ORDER BY 1"), "1 | 2 | NULL, 5 | 6 | 7"),
            (&format!("SELECT *, {other}.id {joined} ORDER BY 1"), "1 | 2 | NULL | NULL, 5 | 6 | 7 | 5"),
            (
                &format!("SELECT * {joined} LEFT JOIN (VALUES (1, 8)) b(id, x) USING (id) ORDER BY 1"),
                "1 | 2 | NULL | 8, 5 | 6 | 7 | NULL",
            ),
            (&format!("SELECT * FROM (SELECT * {joined}) q WHERE id = 1"), "1 | 2 | NULL"),
            (&format!("SELECT * FROM {left} {one}(id, v) JOIN {right} {other}(id, w) USING (id)"), "5 | 6 | 7"),
        ])
        .await;
    }
    rows(&[(
        "SELECT * FROM sales.orders LEFT JOIN (VALUES (1)) a(order_id) USING (order_id) ORDER BY 1",
        "1 | EU | 10, 2 | EU | 20",
    )])
    .await;
    errors(&[(
        "SELECT * EXCLUDE (v) FROM (VALUES (1, 2)) z(id, v) LEFT JOIN (VALUES (3, 4)) a(id, w) USING (id)",
        "Unsupported: `*` is not answered over this LEFT JOIN",
    )])
    .await;
}
