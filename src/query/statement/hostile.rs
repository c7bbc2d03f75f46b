//! Text that ends other engines: answered or refused quickly, on a small stack, with the process alive.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::parse;
use crate::config::Limits;
use crate::diagnostic::Kind;

/// The stack of a thread nobody thought about.
const STACK: usize = 2 * 1024 * 1024;
/// What planning may take by default, in a build without optimization and beside other tests.
const SOON: Duration = Duration::from_secs(10);

/// How a text may be answered.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Accepted,
    Exhausted,
    Refused,
    /// Whichever: only that it is quick and the process lives.
    Either,
}
use Answer::{Accepted, Either, Exhausted, Refused};

fn times(part: &str, count: usize) -> String {
    part.repeat(count)
}

fn nested(open: &str, middle: &str, close: &str, count: usize) -> String {
    format!("{}{middle}{}", open.repeat(count), close.repeat(count))
}

fn doubling_ctes(count: usize) -> String {
    let mut sql = "WITH c0 AS (SELECT 1 AS x FROM t)".to_owned();
    for number in 1..count {
        let before = number - 1;
        write!(sql, ", c{number} AS (SELECT a.x FROM c{before} a, c{before} b)").unwrap();
    }
    write!(sql, " SELECT * FROM c{}", count - 1).unwrap();
    sql
}

fn nested_doubling(count: usize) -> String {
    (0..count).fold("SELECT 1 AS x FROM t".to_owned(), |inner, level| {
        format!("WITH c{level} AS ({inner}) SELECT a.x FROM c{level} a, c{level} b")
    })
}

fn texts() -> Vec<(&'static str, String, Answer)> {
    vec![
        ("20,000 OR", format!("SELECT 1 WHERE x = 1{}", times(" OR x = 1", 20_000)), Exhausted),
        ("2,000 OR", format!("SELECT 1 WHERE x = 1{}", times(" OR x = 1", 2_000)), Exhausted),
        ("400 OR", format!("SELECT 1 WHERE x = 1{}", times(" OR x = 1", 400)), Accepted),
        ("999 additions", format!("SELECT 1{}", times("+1", 999)), Accepted),
        ("5,000 additions", format!("SELECT 1{}", times("+1", 5_000)), Exhausted),
        ("3,000 UNION ALL", format!("SELECT 1{}", times(" UNION ALL SELECT 1", 3_000)), Exhausted),
        ("90 UNION ALL", format!("SELECT 1{}", times(" UNION ALL SELECT 1", 90)), Accepted),
        ("UNION and INTERSECT", format!("SELECT 1{}", times(" INTERSECT SELECT 1 EXCEPT SELECT 2", 3_000)), Exhausted),
        ("deep parentheses", format!("SELECT {}", nested("(", "1", ")", 10_000)), Exhausted),
        ("90 parentheses", format!("SELECT {}", nested("(", "1", ")", 90)), Exhausted),
        ("20 parentheses", format!("SELECT {}", nested("(", "1", ")", 20)), Accepted),
        ("open parentheses", format!("SELECT {}", times("(", 400_000)), Exhausted),
        ("open brackets", format!("SELECT {}", times("[", 20_000)), Exhausted),
        ("deep subqueries", format!("SELECT * FROM {}", nested("(SELECT * FROM ", "t", ")", 5_000)), Exhausted),
        ("deep scalar subqueries", nested("SELECT (", "SELECT 1", ")", 5_000), Exhausted),
        ("deep joins", format!("SELECT * FROM {}", nested("(", "a JOIN b", ")", 5_000)), Exhausted),
        ("100,000 IN", format!("SELECT 1 WHERE x IN (1{})", times(",1", 100_000)), Accepted),
        ("100,000 in brackets", format!("SELECT 1 WHERE x IN ((1{}))", times(",1", 100_000)), Exhausted),
        ("100,000 columns", format!("SELECT 1{}", times(",1", 100_000)), Exhausted),
        ("100,000 numbers in IN", format!("SELECT 1 WHERE x IN (SELECT 1{})", times(",1", 100_000)), Exhausted),
        ("100,000 columns in IN", format!("SELECT 1 WHERE x IN (SELECT 1{})", times(",a", 100_000)), Exhausted),
        ("20,000 IN", format!("SELECT 1 WHERE x IN (1{})", times(",1", 20_000)), Accepted),
        ("huge CASE", format!("SELECT CASE x{} END", times(" WHEN 1 THEN 2", 12_000)), Accepted),
        ("searched CASE", format!("SELECT CASE{} END", times(" WHEN x = 1 THEN 2", 8_000)), Exhausted),
        ("nested CASE", format!("SELECT {}", nested("CASE WHEN x THEN ", "1", " END", 3_000)), Exhausted),
        ("NOT chain", format!("SELECT {}true", times("NOT ", 20_000)), Exhausted),
        ("900 NOT", format!("SELECT {}true", times("NOT ", 900)), Exhausted),
        ("minus chain", format!("SELECT {}1", times("- ", 20_000)), Exhausted),
        ("tilde chain", format!("SELECT {}1", times("~", 900)), Exhausted),
        ("nested functions", format!("SELECT {}", nested("abs(", "1", ")", 5_000)), Exhausted),
        ("cast chain", format!("SELECT 1{}", times("::int", 20_000)), Exhausted),
        ("900 casts", format!("SELECT 1{}", times("::int", 900)), Accepted),
        ("subscripts", format!("SELECT a{}", times("[1]", 20_000)), Exhausted),
        ("900 subscripts", format!("SELECT a{}", times("[1]", 900)), Either),
        ("field chain", format!("SELECT a{}", times(".b", 20_000)), Exhausted),
        ("arrow chain", format!("SELECT a{}", times(" -> 'b'", 20_000)), Exhausted),
        ("lambda chain", format!("SELECT array_filter(a, {}1)", times("x -> ", 900)), Either),
        ("IS NULL chain", format!("SELECT a{}", times(" IS NULL", 20_000)), Exhausted),
        ("900 IS NULL", format!("SELECT a{}", times(" IS NULL", 900)), Accepted),
        ("COLLATE chain", format!("SELECT a{}", times(" COLLATE x", 20_000)), Exhausted),
        ("BETWEEN chain", format!("SELECT a{}", times(" BETWEEN 1 AND 2", 20_000)), Exhausted),
        ("concat chain", format!("SELECT a{}", times(" || 'b'", 20_000)), Exhausted),
        ("array types", format!("SELECT CAST(1 AS {})", nested("ARRAY<", "INT", ">", 10_000)), Exhausted),
        ("struct types", format!("SELECT CAST(1 AS {})", nested("STRUCT<a ", "INT", ">", 10_000)), Exhausted),
        ("nullable types", format!("SELECT CAST(1 AS {})", nested("Nullable(", "INT", ")", 10_000)), Exhausted),
        ("array suffixes", format!("SELECT CAST(1 AS INT{})", times("[]", 20_000)), Exhausted),
        ("900 array suffixes", format!("SELECT CAST(1 AS INT{})", times("[]", 900)), Either),
        ("doubling CTEs", doubling_ctes(40), Exhausted),
        ("nested doubling CTEs", nested_doubling(15), Exhausted),
        ("nested CTEs", nested("WITH a AS (", "SELECT 1", ") SELECT * FROM a", 5_000), Exhausted),
        ("5,000 CTEs", format!("WITH a AS (SELECT 1){} SELECT 1", times(", b AS (SELECT 1)", 5_000)), Accepted),
        ("many joins", format!("SELECT * FROM a{}", times(" JOIN b ON true", 3_000)), Exhausted),
        ("60 joins", format!("SELECT * FROM a{}", times(" JOIN b ON true", 60)), Accepted),
        ("comma joins", format!("SELECT * FROM a{}", times(", b", 3_000)), Exhausted),
        ("grouping sets", format!("SELECT 1 GROUP BY {}", nested("GROUPING SETS (", "a", ")", 5_000)), Exhausted),
        ("explains", format!("{}SELECT 1", times("EXPLAIN ", 40_000)), Refused),
        ("prepares", format!("{}SELECT 1", times("PREPARE a AS ", 10_000)), Refused),
        ("begins", times("BEGIN ", 40_000), Refused),
        ("1 MB string", format!("SELECT '{}'", times("x", 999_000)), Accepted),
        ("above 1 MB", format!("SELECT '{}'", times("x", 1_000_001)), Exhausted),
        ("1 MB name", format!("SELECT {} FROM t", times("x", 900_000)), Exhausted),
        ("1 MB quoted name", format!("SELECT 1 AS \"{}\"", times("x", 900_000)), Exhausted),
        ("1 KB name", format!("SELECT {} FROM t", times("x", 1_024)), Accepted),
        ("1 MB of comments", format!("{}SELECT 1", times("/**/", 200_000)), Accepted),
        ("nested comments", format!("{}SELECT 1", nested("/*", " ", "*/", 100_000)), Either),
        ("open comment", times("/*", 400_000), Refused),
        ("1 MB of blanks", times(" ", 999_000), Refused),
        ("semicolons", times(";", 900_000), Exhausted),
        ("many statements", times("SELECT 1;", 10_000), Refused),
        ("many columns", format!("SELECT 1{}", times(", 1", 24_000)), Accepted),
        ("many rows", format!("VALUES (1){}", times(", (1)", 12_000)), Accepted),
        ("huge number", format!("SELECT {}", times("9", 500_000)), Accepted),
        ("many placeholders", format!("SELECT $1{}", times(", $1", 20_000)), Accepted),
        ("NUL bytes", "SELECT \0 FROM \0".to_owned(), Refused),
        ("NUL in text", "SELECT 'a\0b'".to_owned(), Accepted),
        ("NUL in a table", "SELECT * FROM \"a\0b\"".to_owned(), Refused),
        ("right to left", "SELECT \u{202e}1 FROM t".to_owned(), Refused),
        ("zero width", "SEL\u{200b}ECT 1".to_owned(), Refused),
        ("wide letters", "ＳＥＬＥＣＴ 1".to_owned(), Refused),
        ("look-alike", "SΕLECT 1".to_owned(), Refused),
        ("emoji", "SELECT '🙂' AS \"🙂\"".to_owned(), Accepted),
        ("byte order mark", "\u{feff}SELECT 1".to_owned(), Either),
        ("combining marks", format!("SELECT 'a{}'", times("\u{301}", 300_000)), Accepted),
        ("odd error position", format!("SELECT '{}' '", times("é", 200_000)), Refused),
        (
            "pattern",
            format!("SELECT * FROM t MATCH_RECOGNIZE (PATTERN {} DEFINE a AS true)", nested("(", "a", ")", 5_000)),
            Exhausted,
        ),
        ("window", format!("SELECT sum(x) OVER {}", times("(PARTITION BY sum(x) OVER ", 1_000)), Exhausted),
        ("interval chain", format!("SELECT {}'1 day'", times("INTERVAL ", 10_000)), Exhausted),
        ("exists chain", format!("SELECT {}", nested("EXISTS (SELECT ", "1", ")", 1_000)), Exhausted),
        ("8 intervals", format!("SELECT {}'1 day'", times("INTERVAL ", 8)), Accepted),
        ("30 broken intervals", format!("SELECT {}", times("INTERVAL ", 30)), Either),
        ("150 broken prefixes", format!("SELECT {}", times("DATE INTERVAL NOT PRIOR - ", 30)), Either),
        ("40 broken brackets", format!("SELECT {}", times("(CASE WHEN ((", 10)), Either),
        ("30 broken casts", format!("SELECT {}1", times("CAST(", 30)), Either),
        ("45 broken subqueries", format!("SELECT * FROM {}", times("(", 45)), Either),
        ("45 broken tuples", format!("SELECT {}a b c", times("(1, ", 45)), Either),
        ("45 broken intervals in brackets", format!("SELECT {}", times("INTERVAL (", 45)), Either),
        ("45 broken dates in brackets", format!("SELECT {}", times("DATE (", 45)), Either),
        ("45 broken arrays", format!("SELECT {}", times("ARRAY[", 45)), Either),
        ("45 broken structs", format!("SELECT {}", times("STRUCT(", 45)), Either),
        ("45 broken maps", format!("SELECT {}", times("MAP {1: ", 45)), Either),
        ("45 broken functions", format!("SELECT {}", times("f(x => ", 45)), Either),
        ("45 broken named arguments", format!("SELECT {}", times("f(a, b => g(", 22)), Either),
        ("45 broken lambdas", format!("SELECT {}", times("f((a, b) -> ", 45)), Either),
        ("45 broken unnests", format!("SELECT * FROM {}", times("UNNEST(", 45)), Either),
        ("45 broken derived tables", format!("SELECT * FROM {}", times("(SELECT * FROM ", 45)), Either),
        ("45 broken scalar subqueries", format!("SELECT {}", times("(SELECT ", 45)), Either),
        ("20 derived tables", format!("SELECT * FROM {}", nested("(SELECT * FROM ", "t", ")", 20)), Accepted),
        ("45 broken laterals", format!("SELECT * FROM {}", times("LATERAL (SELECT * FROM ", 45)), Either),
        ("45 broken joins", format!("SELECT * FROM {}", times("(a JOIN ", 45)), Either),
        ("45 broken in", format!("SELECT {}", times("x IN (", 45)), Either),
        ("45 broken exists", format!("SELECT {}", times("EXISTS (", 45)), Either),
        ("45 broken not exists", format!("SELECT {}", times("NOT EXISTS (SELECT ", 22)), Either),
        ("prior chain", format!("SELECT {}x", times("PRIOR ", 10_000)), Either),
        ("any chain", format!("SELECT {}", nested("x = ANY(", "y", ")", 1_000)), Exhausted),
        ("typed strings", format!("SELECT {}'x'", times("DATE ", 10_000)), Either),
        ("dollar quotes", format!("SELECT {}", times("$a$", 10_001)), Either),
        ("quotes", times("'", 900_001), Either),
        ("backslashes", format!("SELECT E'{}", times("\\", 500_000)), Either),
        ("deep escapes", format!("SELECT {}", nested("{fn ABS(", "1", ")}", 10_000)), Exhausted),
        ("200 escapes", format!("SELECT {}", nested("{fn ABS(", "1", ")}", 200)), Exhausted),
        ("90 escapes", format!("SELECT {}", nested("{fn ", "1", "}", 90)), Refused),
        ("45 escapes", format!("SELECT {}", nested("{fn ABS(", "1", ")}", 45)), Either),
        ("15 escapes", format!("SELECT {}", nested("{fn ABS(", "1", ")}", 15)), Accepted),
        ("open escapes", format!("SELECT {}", times("{fn ", 10_000)), Exhausted),
        ("90 open escapes", format!("SELECT {}", times("{fn ", 90)), Refused),
        ("2,000 escapes beside each other", format!("SELECT 1{}", times(", {fn ABS(1)}", 2_000)), Accepted),
        ("escapes that grow", format!("SELECT 1{}", times(", {fn INSERT(1,2,3,4)}", 4_000)), Exhausted),
        ("open units", format!("SELECT {}", times("dateadd(day, ", 90)), Either),
        ("SHOW", format!("SHOW {}", times("a.", 20_000)), Either),
        ("SET", format!("SET x = {}1", times("(", 90)), Either),
    ]
}

#[test]
fn hostile_text_is_answered_quickly_on_a_small_stack() {
    let limits = Limits::default();
    let mut wrong = Vec::new();
    for (name, sql, expected) in texts() {
        let limits = limits.clone();
        let begun = Instant::now();
        let answer = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn(move || parse(&sql, &limits).map(drop))
            .unwrap()
            .join()
            .unwrap();
        let took = begun.elapsed();
        let is_expected = match (&answer, expected) {
            (_, Either) | (Ok(()), Accepted) => true,
            (Err(found), Exhausted) => found.kind == Kind::Exhausted,
            (Err(found), Refused) => matches!(found.kind, Kind::Invalid | Kind::Unsupported),
            _ => false,
        };
        if let Err(found) = &answer {
            assert!(found.message.chars().count() < 400, "{name}: a short sentence");
            assert!(found.hints.iter().all(|hint| hint.chars().count() < 400), "{name}: short hints");
        }
        if !is_expected || took > SOON {
            let answer: Result<(), String> = answer.map_err(|found| format!("{:?}: {}", found.kind, found.message));
            wrong.push(format!("{name}: {answer:?} after {took:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn limits_are_those_of_the_operator() {
    let sql = format!("SELECT 1 WHERE x = (1{})", times("+1", 900));
    let limits = Limits { statement_tokens: 1_000, ..Limits::default() };
    assert_eq!(parse(&sql, &limits).unwrap_err().kind, Kind::Exhausted);
    let limits = Limits { statement_depth: 3, ..Limits::default() };
    assert_eq!(parse("SELECT 1 + 1 + 1 + 1 + 1", &limits).unwrap_err().kind, Kind::Exhausted);
    let limits = Limits { statement_bytes: 5, ..Limits::default() };
    assert_eq!(parse("SELECT 1", &limits).unwrap_err().kind, Kind::Exhausted);
}
