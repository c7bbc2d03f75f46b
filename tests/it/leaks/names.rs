//! D24 to D26: what is forbidden and what does not exist look the same, by whatever name and through whatever door.

use arrow_flight::FlightInfo;
use arrow_flight::sql::{
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetTables,
};
use futures::TryStreamExt;

use super::doors::DOORS;
use super::probes::Order;
use super::seat::Seat;
use super::suite::comparable;
use super::world::{Condition, Source, world};
use crate::harness::check;
use crate::harness::wire::{Recorded, Served};

/// `{}` is a table of a domain that the reader may not see.
const TABLES: &[&str] = &[
    "SELECT * FROM hr.{}",
    "SELECT * FROM mesh.hr.{}",
    "SELECT * FROM \"hr\".\"{}\"",
    "SELECT * FROM other.hr.{}",
    "SELECT salary FROM hr.{}",
    "SELECT s.* FROM hr.{} AS s",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM hr.{})",
    "WITH w AS (SELECT * FROM hr.{}) SELECT 1",
    "WITH hr AS (SELECT 1) SELECT * FROM hr.{}",
    "EXPLAIN SELECT * FROM hr.{}",
    "EXPLAIN ANALYZE SELECT * FROM hr.{}",
    "DESCRIBE hr.{}",
    "SHOW COLUMNS FROM hr.{}",
    "SHOW TABLES FROM hr LIKE '{}'",
    "SELECT * FROM information_schema.columns WHERE table_name = '{}'",
    "SELECT * FROM meshgate.products WHERE product = '{}'",
    "SELECT * FROM sales.orders, hr.{}",
    "SELECT order_id FROM sales.orders UNION ALL SELECT employee_id FROM hr.{}",
    "SELECT hr.{}.salary FROM sales.orders",
    "SELECT * FROM hr.{}_v1",
    "SELECT * FROM sales.{}",
    "SELECT * FROM {}",
    "TABLE hr.{}",
    "EXPLAIN ACCESS SELECT * FROM hr.{}",
    "EXPLAIN ACCESS SELECT * FROM sales.orders, hr.{}",
];

/// `{}` is a column that the reader may not see.
const COLUMNS: &[&str] = &[
    "SELECT {} FROM sales.orders",
    "SELECT \"{}\" FROM sales.orders",
    "SELECT o.{} FROM sales.orders o",
    "SELECT sales.orders.{} FROM sales.orders",
    "SELECT mesh.sales.orders.{} FROM sales.orders",
    "SELECT order_id FROM sales.orders WHERE {} = '1'",
    "SELECT order_id FROM sales.orders WHERE {} IS NULL OR true",
    "SELECT order_id FROM sales.orders ORDER BY {}",
    "SELECT count(*) FROM sales.orders GROUP BY {}",
    "SELECT count({}), max({}) FROM sales.orders",
    "SELECT sum(1) OVER (PARTITION BY {}) FROM sales.orders",
    "SELECT * EXCEPT ({}) FROM sales.orders",
    "SELECT * EXCLUDE ({}) FROM sales.orders",
    "SELECT * REPLACE (1 AS {}) FROM sales.orders",
    "SELECT * RENAME ({} AS x) FROM sales.orders",
    "SELECT * FROM sales.orders JOIN (VALUES ('4000')) v({}) USING ({})",
    "SELECT * FROM sales.orders NATURAL JOIN (VALUES ('4000')) v({})",
    "SELECT order_id, {} FROM sales.orders, (VALUES ('4000')) v({})",
    "SELECT (SELECT {} FROM sales.orders LIMIT 1)",
    "SELECT (SELECT max(o.{})) FROM sales.orders o",
    "SELECT * FROM sales.orders o, LATERAL (SELECT o.{}) x",
    "WITH w AS (SELECT * FROM sales.orders) SELECT {} FROM w",
    "SELECT {} FROM (SELECT * FROM sales.orders) orders",
    "SELECT order_id FROM sales.orders UNION ALL SELECT {} FROM sales.orders",
    "SELECT array_transform(make_array(1), x -> {}) FROM sales.orders",
    "EXPLAIN SELECT {} FROM sales.orders",
    "EXPLAIN VERBOSE SELECT {} FROM sales.orders",
    "SELECT * FROM information_schema.columns WHERE column_name = '{}'",
    "EXPLAIN ACCESS SELECT {} FROM sales.orders",
    "EXPLAIN ACCESS SELECT order_id FROM sales.orders WHERE {} = '1'",
];

/// `{}` is a field of a struct that the reader may not see.
const FIELDS: &[&str] = &[
    "SELECT addr.{} FROM sales.orders",
    "SELECT o.addr.{} FROM sales.orders o",
    "SELECT addr['{}'] FROM sales.orders",
    "SELECT get_field(addr, '{}') FROM sales.orders",
    "SELECT order_id FROM sales.orders WHERE addr['{}'] = 'x'",
    "SELECT order_id FROM sales.orders ORDER BY addr['{}']",
];

/// By every door: what is asked of the one is what is asked of the other.
#[tokio::test(flavor = "multi_thread")]
async fn forbidden_and_unknown_look_the_same() {
    let served = Served::start(&world(false, Condition::Equality, Source::Parquet)).await;
    check(&served.mesh, "dpo", "SELECT sum(salary) AS s FROM hr.salaries", "s Int64\n300").await;
    // The names have one length each, as errors point at places.
    let cases = [(TABLES, "salaries", "nosuch00"), (COLUMNS, "card_no", "no_such"), (FIELDS, "street", "nosuch")];
    let mut leaks = Vec::new();
    for who in ["ana", "eve"] {
        let mut seat = Seat::take(&served, who).await;
        for (templates, hidden, unknown) in cases {
            for (turn, template) in templates.iter().enumerate() {
                for door in DOORS.iter().enumerate().filter(|(at, _)| who == "ana" || turn % DOORS.len() == *at) {
                    let (door, how) = (door.1.ask, door.1.name);
                    let one = door(&mut seat, &template.replace("{}", hidden)).await;
                    let other = door(&mut seat, &template.replace("{}", unknown)).await;
                    if comparable(&one.replace(hidden, unknown), Order::Any) != comparable(&other, Order::Any) {
                        leaks.push(format!("{who} by {how}: {template}\n--- {hidden}\n{one}\n--- {unknown}\n{other}"));
                    }
                    if other.contains(hidden) {
                        leaks.push(format!("{who} by {how}: {template} suggests `{hidden}`:\n{other}"));
                    }
                }
            }
        }
    }
    assert!(leaks.is_empty(), "{} leaks\n{}", leaks.len(), leaks.join("\n\n"));
}

async fn read(client: &mut Recorded, info: FlightInfo) -> usize {
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let batches: Vec<_> = client.client.do_get(ticket).await.unwrap().try_collect().await.unwrap();
    batches.iter().map(arrow::record_batch::RecordBatch::num_rows).sum()
}

/// D26: metadata commands are a function of the visible schema, and name nothing else in any byte.
#[tokio::test(flavor = "multi_thread")]
async fn metadata_commands_name_what_is_visible_only() {
    let served = Served::start(&world(false, Condition::Equality, Source::Parquet)).await;
    for (who, tables) in [("ana", 2), ("eve", 0)] {
        let mut client = served.connect(who).await;
        let command = CommandGetTables { include_schema: true, ..CommandGetTables::default() };
        let info = client.client.get_tables(command).await.unwrap();
        assert_eq!(read(&mut client, info).await, tables, "{who}");
        let info = client.client.get_db_schemas(CommandGetDbSchemas::default()).await.unwrap();
        read(&mut client, info).await;
        for (domain, table) in [("sales", "orders"), ("h\u{72}", "sal\u{61}ries"), ("h\u{72}", "nosuch00")] {
            let (db_schema, table) = (Some(domain.to_owned()), table.to_owned());
            let command = CommandGetPrimaryKeys { catalog: None, db_schema: db_schema.clone(), table: table.clone() };
            let keys = client.client.get_primary_keys(command).await;
            let command = CommandGetExportedKeys { catalog: None, db_schema: db_schema.clone(), table: table.clone() };
            let exported = client.client.get_exported_keys(command).await;
            let command = CommandGetImportedKeys { catalog: None, db_schema: db_schema.clone(), table: table.clone() };
            let imported = client.client.get_imported_keys(command).await;
            let command = CommandGetCrossReference {
                pk_catalog: None,
                pk_db_schema: Some("sales".to_owned()),
                pk_table: "orders".to_owned(),
                fk_catalog: None,
                fk_db_schema: db_schema,
                fk_table: table.clone(),
            };
            let crossed = client.client.get_cross_reference(command).await;
            let expected = usize::from(who == "ana" && table == "orders");
            let rows = match keys {
                Ok(info) => read(&mut client, info).await,
                Err(error) => panic!("{who}: {error}"),
            };
            assert_eq!(rows, expected, "{who} {table}");
            for info in [exported, imported, crossed] {
                assert_eq!(read(&mut client, info.unwrap()).await, 0, "{who} {table}");
            }
        }
    }
    // The descriptor of a request comes back with its answer: only names that were not typed prove something.
    let mut ana = served.connect("ana").await;
    let command = CommandGetTables { include_schema: true, ..CommandGetTables::default() };
    let info = ana.client.get_tables(command).await.unwrap();
    read(&mut ana, info).await;
    ana.fetch("SELECT * FROM information_schema.columns").await.unwrap();
    ana.fetch("SELECT * FROM meshgate.products").await.unwrap();
    ana.fetch("SHOW TABLES").await.unwrap();
    let bytes = ana.received();
    assert!(bytes.windows(8).any(|window| window == b"order_id"), "the recorder misses what is sent");
    for name in ["card_no", "street", "salaries", "people", "local://", "orders.parquet", "pandas", "PARQUET:"] {
        assert!(!bytes.windows(name.len()).any(|window| window == name.as_bytes()), "`{name}` is on the wire");
    }
}
