//! SQL means what it says: forms whose answers were once others than PostgreSQL and DuckDB give.

use crate::harness::Mesh;

const MESH: &str = include_str!("fixtures/regions.txt");

/// What is asked, and its rows: values apart by bars, rows by commas.
async fn rows(asked: &[(&str, &str)]) {
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
