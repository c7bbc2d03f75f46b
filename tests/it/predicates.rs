//! `IN`, `ANY`, `ALL` and `EXISTS` over queries: each of the three truth values, wherever an expression may stand.

use crate::harness::Mesh;

const MESH: &str = include_str!("fixtures/regions.txt");

/// Values by key, and sets by name; the set `none` is empty.
const TABLES: &str = "WITH v(k, x) AS (VALUES (1, 1), (2, 2), (3, NULL)), \
    n(name) AS (VALUES ('none'), ('one'), ('both'), ('null'), ('more')), \
    s(name, c) AS (VALUES ('one', 1), ('both', 1), ('both', NULL), ('null', NULL), ('more', 2), ('more', 3)) ";
const KEYS: [(i64, Option<i64>); 3] = [(1, Some(1)), (2, Some(2)), (3, None)];
const SETS: [(&str, &[Option<i64>]); 5] =
    [("none", &[]), ("one", &[Some(1)]), ("both", &[Some(1), None]), ("null", &[None]), ("more", &[Some(2), Some(3)])];

type Truth = Option<bool>;
type Compares = fn(i64, i64) -> bool;

const OPERATORS: [(&str, Compares); 6] = [
    ("=", |x, y| x == y),
    ("<>", |x, y| x != y),
    ("<", |x, y| x < y),
    ("<=", |x, y| x <= y),
    (">", |x, y| x > y),
    (">=", |x, y| x >= y),
];

/// ISO 9075-2, 8.9: TRUE for one that compares so, else UNKNOWN for one that may, else FALSE.
fn any(x: Option<i64>, set: &[Option<i64>], compares: Compares) -> Truth {
    is_some(set.iter().map(|y| Some(compares(x?, (*y)?))))
}

fn is_some(each: impl Iterator<Item = Truth>) -> Truth {
    let each: Vec<Truth> = each.collect();
    if each.contains(&Some(true)) {
        return Some(true);
    }
    (!each.contains(&None)).then_some(false)
}

type Answers = Box<dyn Fn(Option<i64>, &[Option<i64>]) -> Truth>;

/// Each predicate as it begins, and its truth.
fn predicates() -> Vec<(String, Answers)> {
    let mut all: Vec<(String, Answers)> = vec![
        ("x IN".to_owned(), Box::new(|x, set| any(x, set, |x, y| x == y))),
        ("x NOT IN".to_owned(), Box::new(|x, set| any(x, set, |x, y| x == y).map(|found| !found))),
        ("EXISTS".to_owned(), Box::new(|_, set| Some(!set.is_empty()))),
        ("NOT EXISTS".to_owned(), Box::new(|_, set| Some(set.is_empty()))),
    ];
    for (operator, compares) in OPERATORS {
        all.push((format!("x {operator} ANY"), Box::new(move |x, set| any(x, set, compares))));
        all.push((
            format!("x {operator} ALL"),
            Box::new(move |x, set| is_some(set.iter().map(|y| Some(!compares(x?, (*y)?)))).map(|found| !found)),
        ));
    }
    all
}

type Asks = fn(Truth) -> bool;

/// The keys and names for which `{p}` is what a form asks.
const FORMS: [(&str, Asks); 9] = [
    ("SELECT k, name FROM vn WHERE {p}", |p| p == Some(true)),
    ("SELECT k, name FROM vn WHERE NOT ({p})", |p| p == Some(false)),
    ("SELECT k, name FROM vn WHERE ({p}) IS NULL", |p| p.is_none()),
    ("SELECT k, name FROM vn WHERE {p} OR k > 5", |p| p == Some(true)),
    ("SELECT k, name FROM vn WHERE coalesce({p}, true)", |p| p != Some(false)),
    ("SELECT k, name FROM (SELECT k, name, {p} AS is_so FROM vn) t WHERE is_so IS NOT TRUE", |p| p != Some(true)),
    ("SELECT k, name FROM vn GROUP BY k, name, x HAVING count(*) FILTER (WHERE {p}) = 1", |p| p == Some(true)),
    (
        "SELECT k, name FROM (SELECT k, name, max(CASE WHEN {p} THEN 1 WHEN NOT ({p}) THEN 2 ELSE 3 END) OVER (PARTITION BY k, name) AS w FROM vn) t \
         WHERE w = 2",
        |p| p == Some(false),
    ),
    ("SELECT a.k, a.name FROM (SELECT * FROM vn) AS a LEFT JOIN v b ON a.k = b.k AND {p} WHERE b.k IS NULL", |p| {
        p != Some(true)
    }),
];

async fn differing(mesh: &Mesh, correlated: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, (start, truth)) in predicates().into_iter().enumerate() {
        // Each predicate meets each form over sets of each row, and some of them over sets of their own.
        let step = if correlated { 1 } else { 4 };
        for (form, asked) in FORMS.into_iter().skip(number % step).step_by(step) {
            let set = if correlated {
                "SELECT c FROM s WHERE s.name = vn.name"
            } else {
                "SELECT c FROM s WHERE name = '{set}'"
            };
            let mut statements: Vec<(&str, String)> = Vec::new();
            if correlated {
                statements.push(("", set.to_owned()));
            } else {
                statements.extend(SETS.iter().map(|(name, _)| (*name, set.replace("{set}", name))));
            }
            for (name, set) in statements {
                let mut predicate = format!("{start} ({set})");
                if form.contains("AS a") {
                    predicate = predicate.replace("x ", "a.x ").replace("vn.name", "a.name");
                }
                let with = format!("{TABLES}, vn AS (SELECT k, x, name FROM v CROSS JOIN n) ");
                let sql = format!("{with}{} ORDER BY 1, 2", form.replace("{p}", &predicate));
                let expect: Vec<String> = KEYS
                    .iter()
                    .flat_map(|(k, x)| {
                        let mut sets = SETS.to_vec();
                        sets.sort_by_key(|(name, _)| *name);
                        sets.into_iter()
                            .filter_map(|(own, values)| {
                                let values =
                                    SETS.iter().find(|(other, _)| *other == name).map_or(values, |found| found.1);
                                asked(truth(*x, values)).then(|| format!("{k} | {own}"))
                            })
                            .collect::<Vec<_>>()
                    })
                    .collect();
                let answer = mesh.answer("ana", &sql).await;
                let rows: Vec<&str> = answer.lines().skip(1).collect();
                if rows != expect || answer.starts_with("Unsupported") {
                    wrong.push(format!("{}\n  is  {answer}\n  not {expect:?}", &sql[with.len()..]));
                }
            }
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_of_their_own() {
    let wrong = differing(&Mesh::new(MESH).await, false).await;
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_of_each_row() {
    let wrong = differing(&Mesh::new(MESH).await, true).await;
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What is asked of these tables, and its rows or how its refusal begins.
#[tokio::test(flavor = "multi_thread")]
async fn wherever_an_expression_may_stand() {
    let mesh = Mesh::new(MESH).await;
    let set = "(SELECT c FROM s WHERE name = 'both')";
    let mut wrong = Vec::new();
    for (sql, expect) in [
        (format!("SELECT k FROM v WHERE 9 NOT IN {set}"), ""),
        (format!("SELECT k FROM v WHERE NULL NOT IN {set}"), ""),
        (
            format!(
                "SELECT 9 NOT IN {set} AS a, 1 IN {set} AS b, NULL IN (SELECT c FROM s WHERE false) AS c, EXISTS {set} AS d"
            ),
            "NULL | true | false | true",
        ),
        (format!("SELECT k FROM v ORDER BY x IN {set} DESC NULLS FIRST, k DESC"), "3, 2, 1"),
        (
            format!("SELECT x IN {set} AS found, count(*) FROM v GROUP BY x IN {set} ORDER BY 1 NULLS LAST"),
            "true | 1, NULL | 2",
        ),
        (format!("SELECT x IN {set} AS found, count(*) FROM v GROUP BY 1 ORDER BY 1 NULLS LAST"), "true | 1, NULL | 2"),
        (format!("SELECT DISTINCT x IN {set} FROM v ORDER BY 1 NULLS LAST"), "true, NULL"),
        (format!("SELECT sum(CASE WHEN x IN {set} THEN 10 END) FROM v"), "10"),
        (
            format!("SELECT a.k, b.k FROM v a JOIN v b ON a.k = b.k AND (a.x IN {set}) IS NULL ORDER BY 1"),
            "2 | 2, 3 | 3",
        ),
        (
            format!("SELECT a.k, b.k FROM v a LEFT JOIN v b ON a.k = b.k AND b.x IN {set} ORDER BY 1"),
            "1 | 1, 2 | NULL, 3 | NULL",
        ),
        (
            format!("SELECT DISTINCT ON (x) x, k, k IN {set} AS found FROM v ORDER BY x, k"),
            "Unsupported: this is not supported: IN, ANY, ALL or EXISTS over a query in this place",
        ),
        (
            format!("VALUES (1 IN {set})"),
            "Unsupported: this is not supported: IN, ANY, ALL or EXISTS over a query in this place",
        ),
        ("SELECT k, x IN (SELECT c - 1 FROM s WHERE c IS NOT NULL) AS found FROM v ORDER BY k".to_owned(), "1 | true, 2 | true, 3 | NULL"),
        ("SELECT k, x IN (SELECT CAST(c AS DECIMAL(5, 1)) FROM s WHERE c = 2) AS found FROM v ORDER BY k".to_owned(), "1 | false, 2 | true, 3 | NULL"),
        ("SELECT k, x IN (SELECT 2.0) AS found, max(x) OVER () IN (SELECT max(c) - 1 FROM s) AS is_so FROM v ORDER BY k".to_owned(), "1 | false | true, 2 | true | true, 3 | NULL | true"),
        ("SELECT k FROM v WHERE x IN (SELECT max(c) FROM s) OR k = 3 ORDER BY k".to_owned(), "3"),
        (
            "SELECT k, EXISTS (SELECT 1 FROM s WHERE s.c = v.x ORDER BY c LIMIT 1) FROM v ORDER BY k".to_owned(),
            "1 | true, 2 | true, 3 | false",
        ),
        ("SELECT k, (SELECT count(*) FROM s WHERE s.c = v.x) FROM v ORDER BY k".to_owned(), "1 | 2, 2 | 1, 3 | 0"),
        ("SELECT sum((SELECT count(*) FROM s WHERE s.c = v.x)) FROM v".to_owned(), "3"),
        ("SELECT k FROM v WHERE x IN (SELECT CAST(c AS INT) FROM s WHERE s.c = v.k) ORDER BY k".to_owned(), "1, 2"),
        ("SELECT 1 IN (SELECT 2), 1 IN (SELECT 1)".to_owned(), "false | true"),
        (
            "SELECT k, (SELECT count(*) FROM s WHERE s.c < v.x) FROM v".to_owned(),
            "Unsupported: a query inside another names columns of the query around it otherwise than by `=`",
        ),
        (
            "SELECT k FROM v WHERE k IN (SELECT c FROM s WHERE c IN (SELECT c FROM s b WHERE b.c = v.x))".to_owned(),
            "Unsupported: a query names columns of a query further out than the one around it",
        ),
    ] {
        let answer = mesh.answer("ana", &format!("{TABLES}{sql}")).await;
        let rows = answer.lines().skip(1).collect::<Vec<_>>().join(", ");
        let is_right = if expect.contains(": ") { answer.starts_with(expect) } else { rows == expect };
        if !is_right {
            wrong.push(format!("{sql}\n  is  {answer}\n  not {expect}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
