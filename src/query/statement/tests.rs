use super::{Statement, parse};
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Kind};
use crate::query::Setting;

fn parsed(sql: &str) -> Result<Statement, Diagnostic> {
    parse(sql, &Limits::default())
}

#[test]
fn queries_are_accepted() {
    for sql in [
        "SELECT 1",
        "  -- a comment\nSELECT 1 /* another */ ; -- and a last one",
        ";;SELECT 1;;",
        "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1 LIMIT 3",
        "VALUES (1, 'a'), (2, 'b')",
        "WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM a JOIN b USING (x)",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT * FROM n",
        "SELECT * EXCEPT (a) FROM mesh.sales.orders_v1 o WHERE o.region = 'EU' AND note LIKE '%.parquet'",
        "SELECT * FROM unnest([1, 2]) AS t(x)",
        "SELECT * FROM \"Sales\".\"Orders 2024\"",
        "SELECT 'DROP TABLE x; INSERT INTO y' AS \"delete\"",
        "SELECT \"update\", \"copy\" FROM t",
        "SELECT * FROM (SELECT 1) AS x, LATERAL (SELECT x.a) AS y",
        "SELECT table_name FROM information_schema.tables",
    ] {
        assert!(matches!(parsed(sql), Ok(Statement::Query(_))), "{sql}: {:?}", parsed(sql));
    }
}

#[test]
fn explain_takes_queries_only() {
    for sql in
        ["EXPLAIN SELECT 1", "EXPLAIN ANALYZE VERBOSE SELECT 1", "EXPLAIN FORMAT TREE SELECT 1", "explain (select 1)"]
    {
        assert!(matches!(parsed(sql), Ok(Statement::Explain(_))), "{sql}: {:?}", parsed(sql));
    }
    let Ok(Statement::Explain(explain)) = parsed("EXPLAIN ANALYZE SELECT 1") else { panic!("not an explain") };
    assert!(explain.analyze && !explain.verbose);
    assert_eq!(explain.query.to_string(), "SELECT 1");
}

#[test]
fn explain_access_takes_queries_only() {
    for sql in [
        "EXPLAIN ACCESS SELECT 1",
        " explain /* why */ Access\n with a as (select 1) select * from a;",
        ";EXPLAIN ACCESS (SELECT 1) UNION SELECT 2",
    ] {
        assert!(matches!(parsed(sql), Ok(Statement::ExplainAccess(_))), "{sql}: {:?}", parsed(sql));
    }
    // Columns may have these names.
    assert!(matches!(parsed("SELECT explain access"), Ok(Statement::Query(_))));
    for sql in [
        "EXPLAIN ACCESS",
        "EXPLAIN ACCESS TABLES",
        "EXPLAIN access.log",
        "EXPLAIN ACCESS SHOW TABLES",
        "EXPLAIN ACCESS EXPLAIN SELECT 1",
        "EXPLAIN ACCESS EXPLAIN ACCESS SELECT 1",
        "EXPLAIN ACCESS DESCRIBE sales.orders",
        "EXPLAIN ACCESS INSERT INTO t VALUES (1)",
        "EXPLAIN ACCESS DROP TABLE t",
        "EXPLAIN ACCESS SELECT 1; SELECT 2",
        "EXPLAIN \"ACCESS\" SELECT 1",
    ] {
        assert!(parsed(sql).is_err(), "{sql}: {:?}", parsed(sql));
    }
    // The place is one in the text as it was sent.
    let error = parsed("EXPLAIN ACCESS SELECT 1 +").unwrap_err();
    assert!(error.message.ends_with("at line 1, column 26"), "{error}");
}

#[test]
fn show_and_describe_carry_what_they_name() {
    assert!(matches!(parsed("SHOW TABLES"), Ok(Statement::ShowTables { domain: None, like: None })));
    assert!(
        matches!(parsed("show tables from Sales like 'o%'"), Ok(Statement::ShowTables { domain: Some(d), like: Some(l) }) if d == "sales" && l == "o%")
    );
    assert!(matches!(parsed("SHOW SCHEMAS"), Ok(Statement::ShowDomains { like: None })));
    for (sql, name) in [("SHOW CATALOGS", "catalog_name"), ("SHOW DATABASES", "database_name")] {
        assert!(matches!(parsed(sql), Ok(Statement::ShowCatalogs { column, like: None }) if column == name), "{sql}");
    }
    for sql in
        ["SHOW COLUMNS FROM sales.orders", "SHOW COLUMNS IN sales.orders", "DESCRIBE sales.orders", "DESC sales.orders"]
    {
        assert!(
            matches!(parsed(sql), Ok(Statement::ShowColumns { table }) if table.to_string() == "sales.orders"),
            "{sql}: {:?}",
            parsed(sql)
        );
    }
}

#[test]
fn the_purpose_can_be_set() {
    for (sql, value) in [
        ("SET meshgate.purpose = 'fraud-detection'", Some("fraud-detection")),
        ("set MESHGATE.Purpose to 'it''s';", Some("it's")),
        ("SET SESSION meshgate.purpose = ''", Some("")),
        ("SET meshgate.purpose = DEFAULT", None),
        ("RESET meshgate.purpose", None),
        ("reset \"meshgate\".\"purpose\";", None),
    ] {
        let Ok(Statement::Set(change)) = parsed(sql) else { panic!("{sql}: {:?}", parsed(sql)) };
        assert_eq!((change.setting, change.value.as_deref()), (Setting::Purpose, value), "{sql}");
    }
    assert!(matches!(parsed("SHOW meshgate.purpose"), Ok(Statement::ShowSetting(Setting::Purpose))));
    for sql in [
        "SET meshgate.purpose = fraud",
        "SET meshgate.purpose = \"fraud\"",
        "SET meshgate.purpose = 1",
        "SET meshgate.purpose = 'a', 'b'",
        "SET meshgate.purpose = 'a' || 'b'",
        "SET meshgate.purpose = (SELECT max(note) FROM sales.orders)",
        "SET meshgate.purpose = lower('A')",
        "SET LOCAL meshgate.purpose = 'a'",
        "SET meshgate.purpose",
        "RESET",
        "EXPLAIN SET meshgate.purpose = 'a'",
        "SET meshgate.purpose = 'a'; SELECT 1",
    ] {
        assert!(parsed(sql).is_err(), "{sql}: {:?}", parsed(sql));
    }
    let unknown = parsed("SET meshgate.porpose = 'a'").unwrap_err();
    assert_eq!((unknown.kind, unknown.message.as_str()), (Kind::Unsupported, "there is no setting `meshgate.porpose`"));
    let known = "the settings of a session are: `meshgate.purpose`, `catalog`, `schema`, `timezone`, `arrow-types`, `arrow-compression`";
    assert_eq!(unknown.hints, [format!("did you mean `meshgate.purpose`? {known}")]);
    let unknown = parsed("SET datafusion.explain.show_statistics = true").unwrap_err();
    assert_eq!(unknown.hints, [known]);
}

#[test]
fn nothing_else_can_be_set() {
    for sql in [
        "SET datafusion.explain.show_statistics = true",
        "SET datafusion.catalog.information_schema = true",
        "SET datafusion.runtime.memory_limit = '100G'",
        "SET (a, b) = (1, 2)",
        "SET LOCAL schema = 'x'",
        "SET purpose = 'x'",
        "SET meshgate.purpose.x = 'x'",
        "SET \"meshgate.purpose\".x = 'x'",
        "SHOW purpose",
        "RESET ALL",
        "SET TIME ZONE LOCAL",
        "SET datafusion.execution.time_zone = 'UTC'",
        "SET TRANSACTION READ WRITE",
        "SET ROLE dpo",
        "SET SESSION AUTHORIZATION dpo",
        "SET NAMES utf8",
        "SET schema = (SELECT 1)",
        "SHOW ALL",
        "SHOW datafusion.execution.batch_size",
        "RESET datafusion.execution.batch_size",
    ] {
        assert!(parsed(sql).is_err(), "{sql}");
    }
}

#[test]
fn everything_that_writes_or_reaches_out_is_refused_before_planning() {
    for sql in [
        "CREATE TABLE t (a INT)",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW sales.orders AS SELECT 1",
        "CREATE TEMP VIEW v AS SELECT 1",
        "CREATE SCHEMA s",
        "CREATE DATABASE d",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "CREATE EXTERNAL TABLE z STORED AS PARQUET LOCATION 's3://hr/x'",
        "COPY sales.orders TO 'out.parquet'",
        "COPY (SELECT 1) TO 'out.csv'",
        "INSERT INTO sales.orders VALUES (1)",
        "UPDATE sales.orders SET amount = 0",
        "DELETE FROM sales.orders",
        "MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE",
        "TRUNCATE TABLE sales.orders",
        "DROP TABLE sales.orders",
        "ALTER TABLE sales.orders ADD COLUMN x INT",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "DEALLOCATE p",
        "BEGIN",
        "COMMIT",
        "GRANT SELECT ON sales.orders TO ana",
        "CALL f()",
        "ANALYZE TABLE sales.orders",
        "USE hr.people",
        "KILL 1",
        "ATTACH DATABASE 'x' AS y",
        "SELECT * INTO z FROM sales.orders",
        "SELECT * FROM sales.orders FOR UPDATE",
        "WITH x AS (INSERT INTO sales.orders VALUES (1) RETURNING *) SELECT * FROM x",
        "WITH x AS (SELECT 1) INSERT INTO y SELECT * FROM x",
        "WITH x AS (SELECT 1) DELETE FROM y",
        "EXPLAIN INSERT INTO sales.orders VALUES (1)",
        "EXPLAIN CREATE TABLE t AS SELECT 1",
        "EXPLAIN COPY sales.orders TO 'out.parquet'",
        "EXPLAIN EXPLAIN SELECT 1",
        "EXPLAIN SHOW TABLES",
        "SELECT * FROM 's3://bucket/orders/part-0.parquet'",
        "SELECT * FROM \"s3://bucket/orders/part-0.parquet\"",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"../hr/salaries\"",
        "SELECT * FROM 'orders.csv'",
        "SELECT * FROM \"orders.csv\"",
        "SELECT * FROM `C:\\x`",
        "SELECT 1 WHERE EXISTS (SELECT * FROM 'x.parquet')",
        "DESCRIBE 'x.parquet'",
        "SHOW COLUMNS FROM \"s3://x/y\"",
        "SELECT * FROM parquet_metadata('x')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM parquet_metadata('x.parquet')",
        "SELECT * FROM sales.range(0, 10)",
        "SELECT * FROM range(0, 10) WITH ORDINALITY",
        "SELECT * FROM range(0, length(repeat('x', 10)))",
        "SELECT * FROM generate_series(1, (SELECT max(order_id) FROM sales.orders))",
        "SELECT * FROM range(0, CAST(NULL AS INT[2000000000]))",
        "SELECT * FROM range(0, $1)",
        "SELECT * FROM \"range\"(0, 1)",
        "SELECT * FROM range(0, INT[2000000000] 'x')",
        "SELECT * FROM metadata_cache()",
        "SELECT * FROM LATERAL range(1, 2)",
        "SELECT * FROM TABLE(range(1, 2))",
        "SELECT * FROM information_schema.df_settings",
        "SELECT * FROM mesh.INFORMATION_SCHEMA.\"df_settings\"",
        "SELECT * FROM sales.orders TABLESAMPLE (10 PERCENT)",
        "SELECT * FROM sales.orders FOR SYSTEM_TIME AS OF '2024-01-01'",
        "FROM sales.orders |> DROP amount",
        "SHOW CREATE TABLE sales.orders",
        "SHOW FUNCTIONS",
        "SHOW VIEWS",
        "SELECT input_file_name() FROM sales.orders",
    ] {
        let refused = parsed(sql).map(|statement| format!("{statement:?}")).unwrap_err();
        assert!(matches!(refused.kind, Kind::Unsupported | Kind::Invalid), "{sql}: {refused:?}");
        assert!(!refused.message.is_empty());
    }
    let refused = parsed("DROP TABLE sales.orders").unwrap_err();
    assert_eq!(refused.message, "`DROP` is not answered: meshgate is read-only");
    assert!(refused.hints[0].contains("SELECT"), "{refused:?}");
}

#[test]
fn one_statement_at_a_time() {
    for sql in ["", "  ", ";", "-- nothing", "/* nothing */ ;"] {
        assert_eq!(parsed(sql).unwrap_err().message, "the statement is empty", "{sql}");
    }
    assert_eq!(parsed("SELECT 1; SELECT 2").unwrap_err().message, "the text holds more than one statement");
    assert_eq!(parsed("SELECT 1; DROP TABLE x").unwrap_err().message, "the text holds more than one statement");
}

#[test]
fn syntax_errors_tell_the_place() {
    let wrong = parsed("SELECT a,\n  b FROM t\n WHERE ORDER x").unwrap_err();
    assert_eq!(wrong.kind, Kind::Invalid);
    assert!(wrong.message.ends_with(" at line 3, column 14"), "{}", wrong.message);
    // One line for every client; whoever has the statement draws the mark.
    assert!(wrong.hints.is_empty(), "{:?}", wrong.hints);

    let wrong = parsed("SELECT 1 FROM").unwrap_err();
    assert_eq!(wrong.message, "expected identifier, found the end of the text at line 1, column 14");

    let wrong = parsed("SELEC 1").unwrap_err();
    assert_eq!(wrong.message, "expected an SQL statement, found `SELEC` at line 1, column 1");

    let wrong = parsed("SELECT 'open").unwrap_err();
    assert_eq!(wrong.message, "unterminated string literal at line 1, column 8");

    let wrong = parsed("SELECT '\u{202e}é\t\u{7}' x y z").unwrap_err();
    assert!(wrong.message.ends_with(" at line 1, column 17"), "{}", wrong.message);
    assert!(!wrong.message.contains(['\u{202e}', '\u{7}', '\n']), "{}", wrong.message);
}
