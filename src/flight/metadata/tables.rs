//! Catalogs, SQL schemas, tables.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, BinaryArray, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetTables};

use super::command::{batch, same};
use super::pattern;
use crate::diagnostic::Result;
use crate::discovery::VisibleTable;
use crate::flight::column_metadata::{key, of_type};
use crate::flight::encode;
use crate::flight::wire_schema::wire_schema;

const TABLE: &str = "TABLE";
const VIEW: &str = "VIEW";

pub(super) static CATALOGS: LazyLock<SchemaRef> =
    LazyLock::new(|| Arc::new(Schema::new(vec![Field::new("catalog_name", DataType::Utf8, false)])));

pub(super) static DB_SCHEMAS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, false),
    ]))
});

pub(super) static TABLE_TYPES: LazyLock<SchemaRef> =
    LazyLock::new(|| Arc::new(Schema::new(vec![Field::new("table_type", DataType::Utf8, false)])));

pub(super) static TABLES: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("table_type", DataType::Utf8, false),
    ]))
});

pub(super) static TABLES_WITH_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = TABLES.fields().to_vec();
    fields.push(Arc::new(Field::new("table_schema", DataType::Binary, false)));
    Arc::new(Schema::new(fields))
});

pub(super) fn catalogs(catalog: &str) -> Result<RecordBatch> {
    batch(&CATALOGS, vec![Arc::new(StringArray::from(vec![catalog]))])
}

pub(super) fn table_types() -> Result<RecordBatch> {
    batch(&TABLE_TYPES, vec![Arc::new(StringArray::from(vec![TABLE, VIEW]))])
}

pub(super) fn db_schemas(catalog: &str, domains: &[String], command: &CommandGetDbSchemas) -> Result<RecordBatch> {
    let wanted = |domain: &&String| {
        same(command.catalog.as_deref(), catalog) && like(command.db_schema_filter_pattern.as_deref(), domain)
    };
    let domains: Vec<&String> = domains.iter().filter(wanted).collect();
    batch(
        &DB_SCHEMAS,
        vec![
            Arc::new(StringArray::from_iter_values(domains.iter().map(|_| catalog))),
            Arc::new(StringArray::from_iter_values(domains)),
        ],
    )
}

pub(super) fn tables(catalog: &str, tables: &[VisibleTable], command: &CommandGetTables) -> Result<RecordBatch> {
    // The ODBC driver sends one empty name where its caller names no type.
    let mut types = command.table_types.iter().filter(|name| !name.is_empty()).peekable();
    let of_type = types.peek().is_none() || types.any(|name| is_table(name));
    let wanted = |table: &&VisibleTable| {
        of_type
            && same(command.catalog.as_deref(), catalog)
            && like(command.db_schema_filter_pattern.as_deref(), &table.domain)
            && like(command.table_name_filter_pattern.as_deref(), &table.table)
    };
    let tables: Vec<&VisibleTable> = tables.iter().filter(wanted).collect();
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(tables.iter().map(|_| catalog))),
        Arc::new(StringArray::from_iter_values(tables.iter().map(|table| &table.domain))),
        Arc::new(StringArray::from_iter_values(tables.iter().map(|table| &table.table))),
        Arc::new(StringArray::from_iter_values(tables.iter().map(|_| TABLE))),
    ];
    if !command.include_schema {
        return batch(&TABLES, columns);
    }
    let schemas = tables.iter().map(|table| encode::schema_bytes(&described(catalog, table)));
    columns.push(Arc::new(BinaryArray::from_iter_values(schemas.collect::<Result<Vec<_>>>()?)));
    batch(&TABLES_WITH_SCHEMA, columns)
}

/// Grafana asks for `BASE TABLE` and `table`, Metabase for `TABLE`.
fn is_table(name: &str) -> bool {
    name.eq_ignore_ascii_case(TABLE) || name.eq_ignore_ascii_case("BASE TABLE")
}

fn like(wanted: Option<&str>, name: &str) -> bool {
    wanted.is_none_or(|wanted| pattern::matches(wanted, name))
}

/// The schema a query of the table would answer, with what drivers read from column metadata. Remarks stand only here:
/// in a query's result the JDBC driver would show them in place of the column's name.
fn described(catalog: &str, table: &VisibleTable) -> Schema {
    let wire = encode::announced(&wire_schema(&table.schema));
    let remarks = table.column_remarks.iter().map(Option::as_deref).chain(std::iter::repeat(None));
    let columns = wire.fields().iter().zip(remarks).map(|(field, remarks)| {
        let text = matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8);
        let mut metadata = of_type(field.data_type());
        metadata.extend([
            (key("CATALOG_NAME"), catalog.to_owned()),
            (key("SCHEMA_NAME"), table.domain.clone()),
            (key("TABLE_NAME"), table.table.clone()),
            (key("IS_AUTO_INCREMENT"), flag(false)),
            (key("IS_CASE_SENSITIVE"), flag(text)),
            (key("IS_READ_ONLY"), flag(true)),
            (key("IS_SEARCHABLE"), flag(true)),
        ]);
        if let Some(remarks) = remarks {
            metadata.insert(key("REMARKS"), remarks.to_owned());
        }
        field.as_ref().clone().with_metadata(metadata)
    });
    Schema::new(columns.collect::<Vec<_>>())
}

fn flag(value: bool) -> String {
    if value { "1" } else { "0" }.to_owned()
}
