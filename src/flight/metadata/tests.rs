//! What browsers of the mesh see.

use std::sync::Arc;

use arrow::array::AsArray as _;
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use arrow::record_batch::RecordBatch;
use arrow_flight::IpcMessage;
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTables};

use super::keys::{End, Ends};
use super::{keys, tables};
use crate::discovery::{ForeignKey, VisibleTable};

fn mesh() -> Vec<VisibleTable> {
    let table = |domain: &str, table: &str, fields: Vec<Field>, key: &[&str]| VisibleTable {
        domain: domain.to_owned(),
        table: table.to_owned(),
        column_remarks: fields.iter().map(|field| (field.name() == "amount").then(|| "in euro".to_owned())).collect(),
        schema: Arc::new(Schema::new(fields)),
        remarks: None,
        primary_key: key.iter().map(|column| (*column).to_owned()).collect(),
        foreign_keys: key
            .iter()
            .filter(|column| table != "orders" && **column == "order_id")
            .map(|column| ForeignKey {
                columns: vec![(*column).to_owned()],
                domain: "sales".to_owned(),
                table: "orders".to_owned(),
                targets: vec!["order_id".to_owned()],
            })
            .collect(),
    };
    let id = || Field::new("order_id", DataType::Int64, true);
    vec![
        table("logistics", "shipments", vec![id()], &[]),
        table(
            "sales",
            "order_lines",
            vec![id(), Field::new("line_no", DataType::Int32, true)],
            &["order_id", "line_no"],
        ),
        table(
            "sales",
            "orders",
            vec![
                id(),
                Field::new("note", DataType::Utf8View, true),
                Field::new("amount", DataType::Decimal128(12, 2), true),
            ],
            &["order_id"],
        ),
    ]
}

/// `name:type` with `?` where NULL is possible.
fn shape(schema: &Schema) -> String {
    assert!(schema.metadata().is_empty() && schema.fields().iter().all(|field| field.metadata().is_empty()));
    let column = |field: &Arc<Field>| {
        format!("{}:{}{}", field.name(), field.data_type(), if field.is_nullable() { "?" } else { "" })
    };
    schema.fields().iter().map(column).collect::<Vec<_>>().join(" ")
}

/// As arrow-go's `flightsql/schema_ref` writes them down; the ADBC driver compares.
#[test]
fn schemas_are_exactly_those_of_the_reference() {
    for (schema, expect) in [
        (&tables::CATALOGS, "catalog_name:Utf8"),
        (&tables::DB_SCHEMAS, "catalog_name:Utf8? db_schema_name:Utf8"),
        (&tables::TABLES, "catalog_name:Utf8? db_schema_name:Utf8? table_name:Utf8 table_type:Utf8"),
        (
            &tables::TABLES_WITH_SCHEMA,
            "catalog_name:Utf8? db_schema_name:Utf8? table_name:Utf8 table_type:Utf8 table_schema:Binary",
        ),
        (&tables::TABLE_TYPES, "table_type:Utf8"),
        (
            &keys::PRIMARY,
            "catalog_name:Utf8? db_schema_name:Utf8? table_name:Utf8 column_name:Utf8 key_sequence:Int32 key_name:Utf8?",
        ),
        (
            &keys::FOREIGN,
            "pk_catalog_name:Utf8? pk_db_schema_name:Utf8? pk_table_name:Utf8 pk_column_name:Utf8 \
             fk_catalog_name:Utf8? fk_db_schema_name:Utf8? fk_table_name:Utf8 fk_column_name:Utf8 \
             key_sequence:Int32 fk_key_name:Utf8? pk_key_name:Utf8? update_rule:UInt8 delete_rule:UInt8",
        ),
    ] {
        assert_eq!(shape(schema), expect);
    }
}

fn column(batch: &RecordBatch, at: usize) -> Vec<String> {
    batch.column(at).as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
}

fn listed(command: &CommandGetTables) -> Vec<String> {
    column(&tables::tables("mesh", &mesh(), command).unwrap(), 2)
}

#[test]
fn tables_are_filtered_as_clients_ask() {
    let all = CommandGetTables::default;
    let text = |text: &str| Some(text.to_owned());
    let types = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let every = ["shipments", "order_lines", "orders"];
    for (command, expect) in [
        (all(), &every[..]),
        (CommandGetTables { catalog: text("mesh"), ..all() }, &every),
        (CommandGetTables { catalog: text("Mesh"), ..all() }, &[]),
        (CommandGetTables { catalog: text("%"), ..all() }, &[]),
        (CommandGetTables { catalog: text(""), ..all() }, &[]),
        (CommandGetTables { db_schema_filter_pattern: text(""), ..all() }, &[]),
        (CommandGetTables { db_schema_filter_pattern: text("s%"), ..all() }, &["order_lines", "orders"]),
        (CommandGetTables { table_name_filter_pattern: text(r"order\_%"), ..all() }, &["order_lines"]),
        (CommandGetTables { table_name_filter_pattern: text("select * from sales.orders"), ..all() }, &[]),
        (CommandGetTables { table_types: types(&["BASE TABLE", "table"]), ..all() }, &every),
        (CommandGetTables { table_types: types(&["VIEW", "TABLE"]), ..all() }, &every),
        (CommandGetTables { table_types: types(&["VIEW"]), ..all() }, &[]),
        (CommandGetTables { table_types: types(&[""]), ..all() }, &every),
        (CommandGetTables { table_types: types(&["", "VIEW"]), ..all() }, &[]),
    ] {
        assert_eq!(listed(&command), expect, "{command:?}");
    }
}

#[test]
fn sql_schemas_are_filtered_too() {
    let domains = ["logistics".to_owned(), "sales".to_owned()];
    let listed = |catalog: Option<&str>, pattern: Option<&str>| {
        let command = CommandGetDbSchemas {
            catalog: catalog.map(str::to_owned),
            db_schema_filter_pattern: pattern.map(str::to_owned),
        };
        column(&tables::db_schemas("mesh", &domains, &command).unwrap(), 1)
    };
    assert_eq!(listed(None, None), ["logistics", "sales"]);
    assert_eq!(listed(Some("mesh"), Some("%s%")), ["logistics", "sales"]);
    assert_eq!(listed(None, Some("sal__")), ["sales"]);
    assert!(listed(Some(""), None).is_empty());
}

#[test]
fn a_table_schema_is_a_readable_message_with_lowered_and_described_columns() {
    let command = CommandGetTables {
        table_name_filter_pattern: Some("orders".to_owned()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let batch = tables::tables("mesh", &mesh(), &command).unwrap();
    let bytes = bytes::Bytes::copy_from_slice(batch.column(4).as_binary::<i32>().value(0));
    let schema = Schema::try_from(IpcMessage(bytes)).unwrap();
    assert_eq!(schema.field(1).data_type(), &DataType::Utf8, "JDBC before 19 cannot read views");
    let described =
        |column: usize, key: &str| schema.field(column).metadata().get(&format!("ARROW:FLIGHT:SQL:{key}")).cloned();
    let is = |text: &str| Some(text.to_owned());
    assert_eq!(described(0, "TYPE_NAME"), is("BIGINT"));
    assert_eq!(described(0, "SCHEMA_NAME"), is("sales"));
    assert_eq!(described(0, "REMARKS"), None);
    assert_eq!(described(2, "REMARKS"), is("in euro"));
    assert_eq!((described(2, "PRECISION"), described(2, "SCALE")), (is("12"), is("2")));
    assert_eq!(described(2, "IS_READ_ONLY"), is("1"));
}

#[test]
fn keys_come_in_their_order_and_only_by_exact_name() {
    let keys_of = |table: &str, db_schema: Option<&str>| {
        let command =
            CommandGetPrimaryKeys { catalog: None, db_schema: db_schema.map(str::to_owned), table: table.to_owned() };
        let batch = keys::primary("mesh", &mesh(), &command).unwrap();
        let sequence = batch.column(4).as_primitive::<Int32Type>().values().to_vec();
        assert!(column(&batch, 5).iter().all(|name| *name == format!("{table}_pkey")));
        column(&batch, 3).into_iter().zip(sequence).collect::<Vec<_>>()
    };
    assert_eq!(keys_of("order_lines", Some("sales")), [("order_id".to_owned(), 1), ("line_no".to_owned(), 2)]);
    assert_eq!(keys_of("order_lines", None).len(), 2);
    assert!(keys_of("order%", Some("sales")).is_empty());
    assert!(keys_of("orders", Some("hr")).is_empty());
    assert!(keys_of("shipments", None).is_empty());
}

#[test]
fn foreign_keys_are_found_from_either_end_by_exact_name() {
    let end = |table: &str| Some(End { catalog: None, db_schema: Some("sales".to_owned()), table: table.to_owned() });
    let found = |to: Option<End>, from: Option<End>| {
        let batch = keys::foreign("mesh", &mesh(), &Ends { to, from }).unwrap();
        let names = [2, 3, 6, 7, 9, 10].map(|at| column(&batch, at));
        (0..batch.num_rows())
            .map(|row| names.iter().map(|names| names[row].clone()).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    let key = ["orders order_id order_lines order_id order_lines_order_id_fkey orders_pkey"];
    assert_eq!(found(end("orders"), None), key);
    assert_eq!(found(None, end("order_lines")), key);
    assert_eq!(found(end("orders"), end("order_lines")), key);
    assert!(found(end("order_lines"), None).is_empty());
    assert!(found(None, end("order%")).is_empty());
    let elsewhere = End { catalog: Some("other".to_owned()), ..end("orders").unwrap() };
    assert!(found(Some(elsewhere), None).is_empty());
}
