//! Each clause that the parser takes is honoured, written as another, or refused by its name.

use super::{Statement, parse};
use crate::config::Limits;
use crate::diagnostic::Kind;

/// As the statement is planned.
fn planned(sql: &str) -> String {
    match parse(sql, &Limits::default()) {
        Ok(Statement::Query(query)) => query.to_string(),
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn unread_clauses_are_refused() {
    let mut wrong = Vec::new();
    for (sql, says) in [
        ("SELECT a FROM t PREWHERE a > 1", "`PREWHERE` is not answered"),
        ("SELECT a FROM t GROUP BY a WITH ROLLUP", "`GROUP BY … WITH ROLLUP`"),
        ("SELECT a FROM t GROUP BY a WITH CUBE", "`GROUP BY … WITH CUBE`"),
        ("SELECT a FROM t GROUP BY a WITH TOTALS", "`GROUP BY … WITH TOTALS`"),
        ("SELECT a FROM t GROUP BY ALL WITH TOTALS", "`GROUP BY … WITH TOTALS`"),
        ("SELECT a FROM t GROUP BY a GROUPING SETS ((a), ())", "`GROUPING SETS` behind a list"),
        ("SELECT a FROM t START WITH a = 1 CONNECT BY PRIOR a = b", "`CONNECT BY`"),
        ("SELECT * ILIKE 'a%' FROM t", "`* ILIKE`"),
        ("SELECT * RENAME (a AS b) FROM t", "`* RENAME`"),
        ("SELECT a FROM t LATERAL VIEW unnest(b) x AS c", "`LATERAL VIEW`"),
        ("SELECT a FROM t CLUSTER BY a", "`CLUSTER BY`, `DISTRIBUTE BY` or `SORT BY`"),
        ("SELECT a FROM t DISTRIBUTE BY a", "`CLUSTER BY`, `DISTRIBUTE BY` or `SORT BY`"),
        ("SELECT a FROM t SORT BY a", "`CLUSTER BY`, `DISTRIBUTE BY` or `SORT BY`"),
        ("SELECT * FROM (FROM t) x", "`FROM` without `SELECT`"),
        ("SELECT a FROM t SETTINGS x = 1", "`SETTINGS`"),
        ("SELECT a FROM t FORMAT JSON", "`FORMAT`"),
        ("SELECT a FROM t FOR JSON AUTO", "`FOR`"),
        ("SELECT a FROM t ORDER BY a LIMIT 2 BY b", "`LIMIT … BY`"),
        ("SELECT a FROM t ORDER BY a WITH FILL", "`WITH FILL`"),
        ("SELECT a FROM t ORDER BY a INTERPOLATE", "`INTERPOLATE`"),
        ("SELECT a FROM t FETCH FIRST 3 ROWS WITH TIES", "`FETCH … WITH TIES`"),
        ("SELECT a FROM t FETCH FIRST 3 PERCENT ROWS ONLY", "`FETCH … PERCENT`"),
        ("SELECT a FROM t LIMIT 1 FETCH FIRST 3 ROWS ONLY", "`FETCH` beside another limit"),
        ("SELECT TOP 3 PERCENT a FROM t", "`TOP … PERCENT`"),
        ("SELECT TOP 3 WITH TIES a FROM t", "`TOP … WITH TIES`"),
        ("SELECT TOP 3 a FROM t LIMIT 1", "`TOP` here"),
        ("SELECT TOP 3 a FROM t UNION ALL SELECT 1", "`TOP` here"),
        ("SELECT a FROM t INTERSECT ALL SELECT a FROM u", "`INTERSECT ALL`"),
        ("SELECT a FROM t EXCEPT ALL SELECT a FROM u", "`EXCEPT ALL`"),
        ("SELECT a FROM t MINUS SELECT a FROM u", "`MINUS`"),
        ("TABLE t", "`TABLE` is not answered"),
        ("SELECT * FROM t GLOBAL JOIN u ON t.a = u.a", "`GLOBAL JOIN`"),
        ("SELECT * FROM t NATURAL LEFT JOIN u", "`NATURAL` with a join other than `INNER`"),
        ("SELECT * FROM t NATURAL FULL JOIN u", "`NATURAL` with a join other than `INNER`"),
        ("SELECT * FROM t RIGHT JOIN u USING (a)", "`RIGHT JOIN … USING`"),
        ("SELECT * FROM t FULL OUTER JOIN u USING (a)", "`FULL JOIN … USING`"),
        ("SELECT * FROM t SEMI JOIN u ON t.a = u.a", "`SEMI JOIN` or `ANTI JOIN` without a side"),
        ("SELECT * FROM t ASOF JOIN u MATCH_CONDITION (t.a >= u.a)", "`ASOF JOIN`"),
        ("SELECT * FROM t CROSS APPLY u", "`APPLY`"),
        ("SELECT * FROM (t GLOBAL JOIN u ON t.a = u.a)", "`GLOBAL JOIN`"),
        ("SELECT * FROM t AS x (a INT, b)", "a type in the alias of a table"),
        ("SELECT * FROM unnest([1]) WITH ORDINALITY AS t", "a number beside each element"),
        ("SELECT * FROM unnest([1]) WITH OFFSET AS t", "a number beside each element"),
        ("SELECT * FROM (SELECT 1) x TABLESAMPLE (10 PERCENT)", "samples are not offered"),
        ("WITH \"s.t\" AS (SELECT 1) SELECT * FROM s.t", "a `WITH` query with a dot in its name"),
        (
            "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 2 LIMIT 1) SELECT * FROM n",
            "`ORDER BY` or `LIMIT` of a `UNION`",
        ),
        (
            "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 2 ORDER BY 1) SELECT * FROM n",
            "`ORDER BY` or `LIMIT` of a `UNION`",
        ),
        (
            "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 2 FETCH FIRST ROW ONLY) SELECT * FROM n",
            "`ORDER BY` or `LIMIT` of a `UNION`",
        ),
        ("WITH RECURSIVE n AS (SELECT 1 AS a UNION BY NAME SELECT 2 AS a) SELECT * FROM n", "`BY NAME` of a `UNION`"),
        (
            "WITH RECURSIVE n AS (WITH t AS (SELECT 1) SELECT 1 UNION ALL SELECT 2) SELECT * FROM n",
            "`WITH` inside a `WITH RECURSIVE` query",
        ),
        // Windows.
        ("SELECT sum(a) OVER w FROM t", "there is no window `w`"),
        ("SELECT sum(a) OVER v FROM t WINDOW v AS w, w AS ()", "there is no window `w`"),
        ("SELECT (SELECT sum(a) OVER w FROM t) FROM t WINDOW w AS (ORDER BY a)", "there is no window `w`"),
        ("SELECT a FROM t WINDOW w AS (ORDER BY a), W AS (ORDER BY b)", "the window `w` is defined twice"),
        (
            "SELECT sum(a) OVER (w PARTITION BY a) FROM t WINDOW w AS (PARTITION BY b)",
            "a window that changes what `w` says",
        ),
        ("SELECT sum(a) OVER (w ORDER BY a) FROM t WINDOW w AS (ORDER BY b)", "a window that changes what `w` says"),
        ("SELECT a FROM t WHERE sum(a) OVER w > 1 WINDOW w AS (ORDER BY a)", "`sum` does not take a named window here"),
        // Expressions.
        ("SELECT 5 XOR 3", "`XOR`"),
        ("SELECT a ->> 'b' FROM t", "the operator `->>`"),
        ("SELECT a COLLATE x FROM t", "`COLLATE`"),
        ("SELECT trim('xay', 'x', 'y')", "`TRIM` with several lists of characters"),
        ("SELECT CAST(a AS FLOAT(53)) FROM t", "`FLOAT(53)`"),
        ("SELECT CAST(a AS VARCHAR(3)[]) FROM t", "`VARCHAR(3)` here"),
        ("SELECT CAST(a AS VARCHAR(3 OCTETS)) FROM t", "`VARCHAR(3 OCTETS)` here"),
        ("SELECT CAST(a AS INT FORMAT 'x') FROM t", "`CAST … FORMAT`"),
        ("SELECT a LIKE b ESCAPE '!' FROM t", "`ESCAPE` of a pattern that is not written out"),
        ("SELECT a SIMILAR TO b FROM t", "this pattern of `SIMILAR TO`"),
        ("SELECT a LIKE ANY ('x', 'y') FROM t", "`LIKE ANY`"),
        ("SELECT ceil(a TO day) FROM t", "`CEIL` or `FLOOR` to a unit of time"),
        ("SELECT floor(a, 1) FROM t", "`CEIL` or `FLOOR` with a number of digits"),
        ("SELECT INTERVAL '1' DAY TO SECOND", "an interval of several fields"),
        // Calls.
        ("SELECT abs(0.5)(a) FROM t", "`abs` does not take two lists of arguments"),
        ("SELECT upper(DISTINCT a) FROM t", "`upper` does not take `DISTINCT` or `ALL`"),
        ("SELECT abs(a) FILTER (WHERE a > 2) FROM t", "`abs` does not take `FILTER`"),
        ("SELECT abs(a) OVER () FROM t", "`abs` does not take `OVER`"),
        ("SELECT abs(a ORDER BY b) FROM t", "`abs` does not take `ORDER BY`"),
        ("SELECT abs(a) WITHIN GROUP (ORDER BY b) FROM t", "`abs` does not take `ORDER BY`"),
        ("SELECT abs(a) IGNORE NULLS FROM t", "`abs` does not take `IGNORE NULLS`"),
        ("SELECT unnest(DISTINCT a) FROM t", "`unnest` does not take `DISTINCT`"),
        ("SELECT map(DISTINCT a, b) FROM t", "`map` does not take `DISTINCT`"),
        ("SELECT lag(DISTINCT a) OVER (ORDER BY a) FROM t", "`lag` does not take `DISTINCT`"),
        ("SELECT row_number() IGNORE NULLS OVER (ORDER BY a) FROM t", "`row_number` does not take `IGNORE NULLS`"),
        ("SELECT sum(a) IGNORE NULLS OVER (ORDER BY a) FROM t", "`sum` does not take `IGNORE NULLS`"),
        ("SELECT row_number() FROM t", "`row_number` needs a window"),
        ("SELECT count(DISTINCT *) FROM t", "`count` does not take `DISTINCT *`"),
        ("SELECT count(t.*) FROM t", "`count` does not take the star of a table"),
        ("SELECT max(*) FROM t", "`max` does not take `*`"),
        ("SELECT array_agg(a LIMIT 2) FROM t", "`array_agg` does not take `LIMIT`"),
    ] {
        match parse(sql, &Limits::default()) {
            Err(refused)
                if refused.message.contains(says)
                    && matches!(refused.kind, Kind::Unsupported | Kind::Invalid)
                    && refused.hints.iter().any(|hint| !hint.is_empty()) => {}
            Err(refused) => wrong.push(format!("{sql}: {refused:?}")),
            Ok(statement) => wrong.push(format!("{sql}: {statement:?}")),
        }
        // Nor does an inner query take it.
        if sql.starts_with("SELECT a FROM t ") && !sql.contains("SETTINGS") && !sql.contains("FORMAT") {
            let inner = format!("SELECT * FROM (SELECT 1) x WHERE EXISTS ({sql})");
            if let Ok(statement) = parse(&inner, &Limits::default()) {
                wrong.push(format!("{inner}: {statement:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn forms_are_written_as_others() {
    for (sql, expect) in [
        ("SELECT a FROM t FETCH FIRST ROW ONLY", "SELECT a FROM t LIMIT 1"),
        ("SELECT a FROM t OFFSET 2 ROWS FETCH NEXT 3 ROWS ONLY", "SELECT a FROM t LIMIT 3 OFFSET 2 ROWS"),
        ("SELECT TOP 3 a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a LIMIT 3"),
        ("SELECT DISTINCT TOP (3) a FROM t", "SELECT DISTINCT a FROM t LIMIT 3"),
        ("SELECT CAST(a AS VARCHAR(3)) FROM t", "SELECT left(CAST(a AS VARCHAR), 3) FROM t"),
        ("SELECT TRY_CAST(a AS CHAR(3)) FROM t", "SELECT left(TRY_CAST(a AS VARCHAR), 3) FROM t"),
        ("SELECT a::VARCHAR(3) FROM t", "SELECT left(a::VARCHAR, 3) FROM t"),
        ("SELECT VARCHAR(3) 'abcd'", "SELECT left(CAST('abcd' AS VARCHAR), 3)"),
        (r"SELECT a LIKE 'x!%\%' ESCAPE '!' FROM t", r"SELECT a LIKE 'x\%\\%' FROM t"),
        (r"SELECT a NOT ILIKE b ESCAPE '\' FROM t", "SELECT a NOT ILIKE b FROM t"),
        ("SELECT a = ANY (b), a < SOME (b) FROM t", "SELECT NOT (a <> ALL(b)), NOT (a >= ALL(b)) FROM t"),
        ("SELECT a = ANY (SELECT b FROM u) FROM t", "SELECT a = ANY(SELECT b FROM u) FROM t"),
        ("SELECT a NOT SIMILAR TO 'x%' FROM t", "SELECT (a !~ '^(?:x(?s:.*))$') FROM t"),
        (
            "SELECT sum(a) OVER w, sum(a) OVER (w ORDER BY b) FROM t WINDOW w AS (PARTITION BY c)",
            "SELECT sum(a) OVER (PARTITION BY c), sum(a) OVER (PARTITION BY c ORDER BY b) FROM t",
        ),
        (
            "SELECT a FROM t WINDOW w AS (ORDER BY b), v AS (w ROWS 1 PRECEDING) QUALIFY sum(a) OVER v > 1 ORDER BY sum(b) OVER w",
            "SELECT a FROM t QUALIFY sum(a) OVER (ORDER BY b ROWS 1 PRECEDING) > 1 ORDER BY sum(b) OVER (ORDER BY b)",
        ),
        (
            "SELECT (SELECT sum(a) OVER w FROM u WINDOW w AS (ORDER BY b)), sum(a) OVER w FROM t WINDOW w AS (ORDER BY c)",
            "SELECT (SELECT sum(a) OVER (ORDER BY b) FROM u), sum(a) OVER (ORDER BY c) FROM t",
        ),
    ] {
        assert_eq!(planned(sql), expect, "{sql}");
    }
}

#[test]
fn copied_windows_are_bounded() {
    let keys = vec!["a"; 5_000].join(" + 1, ");
    let uses = vec!["sum(a) OVER w"; 200].join(", ");
    let sql = format!("SELECT {uses} FROM t WINDOW w AS (PARTITION BY {keys})");
    let refused = parse(&sql, &Limits { statement_tokens: 1_000_000, ..Limits::default() }).unwrap_err();
    assert_eq!(refused.kind, Kind::Exhausted, "{refused:?}");
}
