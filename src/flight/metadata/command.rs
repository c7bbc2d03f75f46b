//! One enum for the commands, so that GetFlightInfo, GetSchema and DoGet cannot differ.

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::{Command, CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTables};

use super::keys::{End, Ends};
use super::{keys, tables, types};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::flight::encode::Described;
use crate::flight::{Door, sql_info};

/// A metadata command.
pub(in crate::flight) enum Metadata {
    Catalogs,
    DbSchemas(CommandGetDbSchemas),
    Tables(CommandGetTables),
    TableTypes,
    PrimaryKeys(CommandGetPrimaryKeys),
    ForeignKeys(Ends),
    XdbcTypeInfo(Option<i32>),
    SqlInfo(CommandGetSqlInfo),
}

impl Metadata {
    /// The command, if it is one about metadata.
    pub(in crate::flight) fn parse(command: &Command) -> Option<Self> {
        match command {
            Command::CommandGetCatalogs(_) => Some(Self::Catalogs),
            Command::CommandGetDbSchemas(command) => Some(Self::DbSchemas(command.clone())),
            Command::CommandGetTables(command) => Some(Self::Tables(command.clone())),
            Command::CommandGetTableTypes(_) => Some(Self::TableTypes),
            Command::CommandGetPrimaryKeys(command) => Some(Self::PrimaryKeys(command.clone())),
            Command::CommandGetExportedKeys(command) => {
                let to = Some(end(command.catalog.as_ref(), command.db_schema.as_ref(), &command.table));
                Some(Self::ForeignKeys(Ends { to, from: None }))
            }
            Command::CommandGetImportedKeys(command) => {
                let from = Some(end(command.catalog.as_ref(), command.db_schema.as_ref(), &command.table));
                Some(Self::ForeignKeys(Ends { to: None, from }))
            }
            Command::CommandGetCrossReference(command) => Some(Self::ForeignKeys(Ends {
                to: Some(end(command.pk_catalog.as_ref(), command.pk_db_schema.as_ref(), &command.pk_table)),
                from: Some(end(command.fk_catalog.as_ref(), command.fk_db_schema.as_ref(), &command.fk_table)),
            })),
            Command::CommandGetXdbcTypeInfo(command) => Some(Self::XdbcTypeInfo(command.data_type)),
            Command::CommandGetSqlInfo(command) => Some(Self::SqlInfo(command.clone())),
            _ => None,
        }
    }

    /// The exact schema of the answer.
    pub(in crate::flight) fn schema(&self) -> SchemaRef {
        SchemaRef::clone(match self {
            Self::Catalogs => &tables::CATALOGS,
            Self::DbSchemas(_) => &tables::DB_SCHEMAS,
            Self::Tables(command) if command.include_schema => &tables::TABLES_WITH_SCHEMA,
            Self::Tables(_) => &tables::TABLES,
            Self::TableTypes => &tables::TABLE_TYPES,
            Self::PrimaryKeys(_) => &keys::PRIMARY,
            Self::ForeignKeys(_) => &keys::FOREIGN,
            Self::XdbcTypeInfo(_) => &types::SCHEMA,
            Self::SqlInfo(_) => &sql_info::SCHEMA,
        })
    }

    /// What this login may know. One batch: some clients read no further than the first.
    pub(in crate::flight) fn answer(&self, door: &impl Door) -> Result<Described> {
        let catalog = door.catalog();
        let batch = match self {
            Self::Catalogs => tables::catalogs(&catalog),
            Self::DbSchemas(command) => tables::db_schemas(&catalog, &door.domains()?, command),
            Self::Tables(command) => tables::tables(&catalog, &door.tables()?, command),
            Self::TableTypes => tables::table_types(),
            Self::PrimaryKeys(command) => keys::primary(&catalog, &door.tables()?, command),
            Self::ForeignKeys(ends) => keys::foreign(&catalog, &door.tables()?, ends),
            Self::XdbcTypeInfo(number) => types::answer(*number),
            Self::SqlInfo(command) => sql_info::answer(&command.info),
        };
        batch.map(Described::new)
    }
}

fn end(catalog: Option<&String>, db_schema: Option<&String>, table: &str) -> End {
    End { catalog: catalog.cloned(), db_schema: db_schema.cloned(), table: table.to_owned() }
}

pub(super) fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(SchemaRef::clone(schema), columns)
        .map_err(|_| Diagnostic::error(Kind::Internal, "the metadata could not be put together"))
}

/// Names of catalogs and keys compare exactly; without a name all are meant, and the empty name means those without one: none.
pub(super) fn same(wanted: Option<&str>, name: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == name)
}
