//! Commands and their filters, in both directions: recorded from messages, made into messages.

use arrow::datatypes::Schema;
use arrow_flight::sql::{
    Any, Command, CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
    CommandGetXdbcTypeInfo, ProstMessageExt,
};
use arrow_flight::{FlightData, FlightDescriptor};
use meshgate::proto::v1::SetSessionOptionsRequest;
use prost::Message;
use serde_json::{Value, json};

use super::call::{Call, Filters};

/// The last part of the type, and the filters.
pub fn of_descriptor(descriptor: &FlightDescriptor) -> (Option<String>, Filters) {
    if descriptor.cmd.is_empty() && !descriptor.path.is_empty() {
        return (None, vec![("path".to_owned(), json!(descriptor.path))]);
    }
    let Ok(any) = Any::decode(descriptor.cmd.clone()) else { return (Some("unreadable".to_owned()), Vec::new()) };
    let name = any.type_url.rsplit(['/', '.']).next().map(str::to_owned);
    (name, Command::try_from(any).map(|command| filters(&command)).unwrap_or_default())
}

fn filters(command: &Command) -> Filters {
    let mut out = Named::default();
    match command {
        Command::CommandGetDbSchemas(command) => {
            out.text("catalog", command.catalog.as_ref()).text("db_schema", command.db_schema_filter_pattern.as_ref());
        }
        Command::CommandGetTables(command) => {
            out.text("catalog", command.catalog.as_ref())
                .text("db_schema", command.db_schema_filter_pattern.as_ref())
                .text("table", command.table_name_filter_pattern.as_ref());
            if !command.table_types.is_empty() {
                out.value("table_types", json!(command.table_types));
            }
            if command.include_schema {
                out.value("include_schema", json!(true));
            }
        }
        Command::CommandGetPrimaryKeys(CommandGetPrimaryKeys { catalog, db_schema, table })
        | Command::CommandGetImportedKeys(CommandGetImportedKeys { catalog, db_schema, table })
        | Command::CommandGetExportedKeys(CommandGetExportedKeys { catalog, db_schema, table }) => {
            out.text("catalog", catalog.as_ref()).text("db_schema", db_schema.as_ref()).text("table", Some(table));
        }
        Command::CommandGetCrossReference(command) => {
            out.text("pk_catalog", command.pk_catalog.as_ref())
                .text("pk_db_schema", command.pk_db_schema.as_ref())
                .text("pk_table", Some(&command.pk_table))
                .text("fk_catalog", command.fk_catalog.as_ref())
                .text("fk_db_schema", command.fk_db_schema.as_ref())
                .text("fk_table", Some(&command.fk_table));
        }
        Command::CommandGetXdbcTypeInfo(CommandGetXdbcTypeInfo { data_type: Some(number) }) => {
            out.value("data_type", json!(number));
        }
        Command::CommandGetSqlInfo(command) => {
            out.value("info", json!(command.info));
        }
        _ => {}
    }
    out.0
}

/// The metadata command that a line asks for; none where its name is that of a statement.
pub fn metadata(call: &Call) -> Option<Any> {
    let (catalog, db_schema) = (text(call, "catalog"), text(call, "db_schema"));
    let table = || text(call, "table").unwrap_or_default();
    Some(match call.command.as_deref()? {
        "CommandGetCatalogs" => CommandGetCatalogs {}.as_any(),
        "CommandGetDbSchemas" => CommandGetDbSchemas { catalog, db_schema_filter_pattern: db_schema }.as_any(),
        "CommandGetTables" => CommandGetTables {
            catalog,
            db_schema_filter_pattern: db_schema,
            table_name_filter_pattern: text(call, "table"),
            table_types: read(call, "table_types"),
            include_schema: read(call, "include_schema"),
        }
        .as_any(),
        "CommandGetTableTypes" => CommandGetTableTypes {}.as_any(),
        "CommandGetPrimaryKeys" => CommandGetPrimaryKeys { catalog, db_schema, table: table() }.as_any(),
        "CommandGetImportedKeys" => CommandGetImportedKeys { catalog, db_schema, table: table() }.as_any(),
        "CommandGetExportedKeys" => CommandGetExportedKeys { catalog, db_schema, table: table() }.as_any(),
        "CommandGetCrossReference" => CommandGetCrossReference {
            pk_catalog: text(call, "pk_catalog"),
            pk_db_schema: text(call, "pk_db_schema"),
            pk_table: text(call, "pk_table").unwrap_or_default(),
            fk_catalog: text(call, "fk_catalog"),
            fk_db_schema: text(call, "fk_db_schema"),
            fk_table: text(call, "fk_table").unwrap_or_default(),
        }
        .as_any(),
        "CommandGetXdbcTypeInfo" => CommandGetXdbcTypeInfo { data_type: read(call, "data_type") }.as_any(),
        "CommandGetSqlInfo" => CommandGetSqlInfo { info: read(call, "info") }.as_any(),
        _ => return None,
    })
}

/// The filter, or the default where the line has none.
pub fn read<T: serde::de::DeserializeOwned + Default>(call: &Call, name: &str) -> T {
    call.filter(name).map(|value| serde_json::from_value(value.clone()).unwrap()).unwrap_or_default()
}

fn text(call: &Call, name: &str) -> Option<String> {
    read(call, name)
}

/// Names of the options that an action sets; other actions have no filters.
pub fn of_action(name: &str, body: &[u8]) -> Filters {
    if name != "SetSessionOptions" {
        return Vec::new();
    }
    let mut names: Vec<String> = SetSessionOptionsRequest::decode(body)
        .map(|request| request.session_options.into_keys().collect())
        .unwrap_or_default();
    names.sort();
    vec![("options".to_owned(), json!(names))]
}

/// What an upload is for, the shape of its columns, and how many rows it has.
pub fn of_upload(messages: &[FlightData]) -> (Option<String>, Filters) {
    let Some(first) = messages.first() else { return (None, Vec::new()) };
    let (command, mut filters) = first.flight_descriptor.as_ref().map_or((None, Vec::new()), of_descriptor);
    if let Ok(schema) = Schema::try_from(first) {
        filters.push(("parameters".to_owned(), json!(columns(&schema))));
        let rows: i64 = messages.iter().filter_map(rows).sum();
        filters.push(("rows".to_owned(), json!(rows)));
    }
    (command, filters)
}

fn rows(message: &FlightData) -> Option<i64> {
    let header = arrow::ipc::root_as_message(&message.data_header).ok()?;
    Some(header.header_as_record_batch()?.length())
}

/// `name:type` of each column, with `?` where NULL is possible.
pub fn columns(schema: &Schema) -> Vec<String> {
    let one = |field: &std::sync::Arc<arrow::datatypes::Field>| {
        format!("{}:{}{}", field.name(), field.data_type(), if field.is_nullable() { "?" } else { "" })
    };
    schema.fields().iter().map(one).collect()
}

#[derive(Default)]
struct Named(Filters);

impl Named {
    fn value(&mut self, name: &str, value: Value) -> &mut Self {
        self.0.push((name.to_owned(), value));
        self
    }

    /// A pattern with blanks in it is a statement (pandas looks for a table of that name), and statements are not written down.
    fn text(&mut self, name: &str, text: Option<&String>) -> &mut Self {
        if let Some(text) = text {
            self.value(name, if text.contains(char::is_whitespace) { json!("…") } else { json!(text) });
        }
        self
    }
}
