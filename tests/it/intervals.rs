//! Intervals are compared by their length, and take numbers, as in PostgreSQL.

use crate::meaning::{errors, rows};

/// Three of different lengths, of which two are written in two ways, and none.
const INTERVALS: &str = "(VALUES (1, INTERVAL '1 day'), (2, INTERVAL '25 hours'), (3, INTERVAL '24 hours'), (4, INTERVAL '1 month'), \
    (5, INTERVAL '30 days'), (6, NULL)) t(id, i)";

#[tokio::test(flavor = "multi_thread")]
async fn longer_ones_are_greater() {
    let of = |select: &str, rest: &str| format!("SELECT {select} FROM {INTERVALS} {rest}");
    let day = "i {op} INTERVAL '24 hours'";
    let mut asked: Vec<(String, &str)> = [
        ("=", "1, 3"),
        ("<>", "2, 4, 5"),
        ("<", ""),
        ("<=", "1, 3"),
        (">", "2, 4, 5"),
        (">=", "1, 2, 3, 4, 5"),
        ("IS NOT DISTINCT FROM", "1, 3"),
        ("IS DISTINCT FROM", "2, 4, 5, 6"),
    ]
    .map(|(op, ids)| (of("id", &format!("WHERE {} ORDER BY id", day.replace("{op}", op))), ids))
    .into();
    asked.extend([
        (of("id", "WHERE i IN (INTERVAL '24 hours', INTERVAL '720 hours') ORDER BY id"), "1, 3, 4, 5"),
        (of("id", "WHERE i NOT IN (INTERVAL '24 hours') ORDER BY id"), "2, 4, 5"),
        (of("id", "WHERE i BETWEEN INTERVAL '1440 minutes' AND INTERVAL '25 hours' ORDER BY id"), "1, 2, 3"),
        (of("id", "WHERE i IN (SELECT INTERVAL '1440 minutes') ORDER BY id"), "1, 3"),
        (of("id, i = ANY (SELECT INTERVAL '720 hours')", "ORDER BY id"), "1 | false, 2 | false, 3 | false, 4 | true, 5 | true, 6 | NULL"),
        (of("id, CASE i WHEN INTERVAL '24 hours' THEN 'day' END", "WHERE id < 3 ORDER BY id"), "1 | day, 2 | NULL"),
        (of("id, nullif(i, INTERVAL '24 hours') IS NULL", "WHERE id < 4 ORDER BY id"), "1 | true, 2 | false, 3 | true"),
        (of("id, greatest(i, INTERVAL '26 hours') = INTERVAL '26 hours'", "WHERE id < 5 ORDER BY id"), "1 | true, 2 | true, 3 | true, 4 | false"),
        (of("id", "ORDER BY i DESC NULLS LAST, id"), "4, 5, 2, 1, 3, 6"),
        (of("id, rank() OVER (ORDER BY i)", "ORDER BY id"), "1 | 1, 2 | 3, 3 | 1, 4 | 4, 5 | 4, 6 | 6"),
        (of("id, count(*) OVER (PARTITION BY i)", "ORDER BY id"), "1 | 2, 2 | 1, 3 | 2, 4 | 2, 5 | 2, 6 | 1"),
        (of("count(DISTINCT i), max(i) = INTERVAL '30 days', min(i) = INTERVAL '24 hours'", ""), "3 | true | true"),
        (of("array_agg(id ORDER BY i, id)", "WHERE id < 4"), "[1, 3, 2]"),
        (of("count(*), min(id)", "GROUP BY i ORDER BY 2"), "2 | 1, 1 | 2, 2 | 4, 1 | 6"),
        (format!("SELECT count(*) FROM (SELECT DISTINCT i FROM {INTERVALS}) d"), "4"),
        (of("DISTINCT ON (i) id", "ORDER BY i, id"), "1, 2, 4, 6"),
        (format!("SELECT count(*) FROM (SELECT i FROM {INTERVALS} UNION SELECT INTERVAL '720 hours') d"), "4"),
        (format!("SELECT id FROM {INTERVALS} JOIN (VALUES (INTERVAL '24 hours')) u(j) ON i = j ORDER BY id"), "1, 3"),
        (format!("SELECT id FROM {INTERVALS} WHERE i = (SELECT max(j) FROM (VALUES (INTERVAL '24 hours')) u(j)) ORDER BY id"), "1, 3"),
        ("SELECT TIMESTAMP '2024-01-02 12:00' - TIMESTAMP '2024-01-01 00:00' > INTERVAL '1 day'".to_owned(), "true"),
        ("SELECT TIMESTAMP '2024-01-02 12:00' - TIMESTAMP '2024-01-01 00:00' = INTERVAL '36 hours'".to_owned(), "true"),
        ("SELECT INTERVAL '-1 day' < INTERVAL '-23 hours', INTERVAL '1 month' > INTERVAL '29 days 23 hours'".to_owned(), "true | true"),
    ]);
    rows(&asked.iter().map(|(sql, expect)| (sql.as_str(), *expect)).collect::<Vec<_>>()).await;
}

/// Beyond the 292 years of nanoseconds too.
#[tokio::test(flavor = "multi_thread")]
async fn times_between_moments_are_days_and_hours() {
    let t = "(VALUES (TIMESTAMP '2024-01-03 05:06:07.5', TIMESTAMP '2024-01-01 00:00:00'), \
             (TIMESTAMP '9999-12-31 01:00:00', TIMESTAMP '0001-01-01 00:00:00')) t(a, b)";
    rows(&[
        (
            &format!(
                "SELECT extract(day FROM a - b), extract(hour FROM a - b), extract(minute FROM a - b), date_part('second', a - b), \
                 extract(epoch FROM a - b) FROM {t} ORDER BY 1"
            ),
            "2 | 5 | 6 | 7 | 191167.5, 3652058 | 1 | 0 | 0 | 315537814800.0",
        ),
        (&format!("SELECT a - b > INTERVAL '30 days', a - b IN (INTERVAL '53 hours', INTERVAL '3652058 days 1 hour') FROM {t} ORDER BY a"), "false | false, true | true"),
        (&format!("SELECT count(*) FROM {t} WHERE a - b BETWEEN INTERVAL '1 day' AND INTERVAL '11000 years'"), "2"),
        (&format!("SELECT (a - b) + INTERVAL '1 day' > INTERVAL '3 days', INTERVAL '3 days' - (a - b) < INTERVAL '1 day' FROM {t} ORDER BY a"), "true | true, true | true"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_multiply_and_divide_them() {
    rows(&[
        (
            "SELECT INTERVAL '1 month' * 2.5 = INTERVAL '75 days', 3 * INTERVAL '8 hours' = INTERVAL '1 day'",
            "true | true",
        ),
        (
            "SELECT INTERVAL '1 day' / 3 = INTERVAL '8 hours', INTERVAL '1 month' * 0.1 = INTERVAL '3 days'",
            "true | true",
        ),
        (
            "SELECT DATE '2024-01-31' + 1 * INTERVAL '1 month', DATE '2024-03-01' - 2 * INTERVAL '1 day'",
            "2024-02-29T00:00:00 | 2024-02-28T00:00:00",
        ),
        (
            "SELECT DATE '2024-01-01' + n * INTERVAL '1 day' FROM (VALUES (1), (2)) t(n) ORDER BY n",
            "2024-01-02T00:00:00, 2024-01-03T00:00:00",
        ),
        (
            "SELECT INTERVAL '1 day' * NULL IS NULL, NULL * INTERVAL '1 day' IS NULL, INTERVAL '1 day' / NULL IS NULL",
            "true | true | true",
        ),
        (
            "SELECT (b - a) * 2 = INTERVAL '72 hours', (b - a) / 2 = INTERVAL '18 hours' \
             FROM (VALUES (TIMESTAMP '2024-01-01 00:00', TIMESTAMP '2024-01-02 12:00')) t(a, b)",
            "true | true",
        ),
        // To the microsecond, over thousands of years.
        (
            "SELECT (TIMESTAMP '9999-12-31 23:59:59.999999' - TIMESTAMP '0001-01-01 00:00:00') * 3 / 3 = \
             TIMESTAMP '9999-12-31 23:59:59.999999' - TIMESTAMP '0001-01-01 00:00:00'",
            "true",
        ),
        ("SELECT justify_interval(INTERVAL '49 hours') + INTERVAL '0 days' = INTERVAL '2 days 1 hour'", "true"),
    ])
    .await;
    errors(&[
        ("SELECT INTERVAL '1 day' / 0", "Invalid: divide by zero"),
        ("SELECT INTERVAL '1 day' / 0.0 FROM sales.orders", "Invalid: divide by zero"),
        ("SELECT INTERVAL '1 month' * 1e10", "Invalid: an interval leaves the calendar"),
        ("SELECT interval_times(INTERVAL '1 day', 2)", "Invalid: "),
        ("SELECT avg(INTERVAL '1 day')", "Invalid: there is no function `avg(Interval(MonthDayNano))`"),
    ])
    .await;
}
