//! The names this principal may see, for completion and `\d`.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow_flight::IpcMessage;
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetTables};

use super::connect::Client;
use super::failure;
use crate::diagnostic::Result;

const REMARKS: &str = "ARROW:FLIGHT:SQL:REMARKS";
const TYPE_NAME: &str = "ARROW:FLIGHT:SQL:TYPE_NAME";

/// One table of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub domain: String,
    pub name: String,
    /// `TABLE` or `VIEW`, as the server says it.
    pub kind: String,
    pub remarks: Option<String>,
    pub columns: Vec<Column>,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub data_type: DataType,
    /// The server's own word for the type, if it has one.
    pub type_name: Option<String>,
    pub nullable: bool,
    pub remarks: Option<String>,
}

impl Client {
    /// The domains (SQL schemas), sorted as the server sorts them.
    ///
    /// # Errors
    /// What the server says.
    pub async fn domains(&self) -> Result<Vec<String>> {
        let request = CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: None };
        let info = self.flight().get_db_schemas(request).await.map_err(failure::from_flight)?;
        let batches = self.redeem(info).await?.collect().await?;
        let mut domains = Vec::new();
        for batch in &batches {
            let names = texts(batch, "db_schema_name")?;
            domains.extend(names.into_iter().flatten());
        }
        Ok(domains)
    }

    /// The tables with their columns: all, or those of one domain, or one table by its exact name.
    ///
    /// # Errors
    /// What the server says.
    pub async fn tables(&self, domain: Option<&str>, table: Option<&str>) -> Result<Vec<Table>> {
        let request = CommandGetTables {
            catalog: None,
            db_schema_filter_pattern: domain.map(exactly),
            table_name_filter_pattern: table.map(exactly),
            table_types: Vec::new(),
            include_schema: true,
        };
        let info = self.flight().get_tables(request).await.map_err(failure::from_flight)?;
        let batches = self.redeem(info).await?.collect().await?;
        let mut tables = Vec::new();
        for batch in &batches {
            let domains = texts(batch, "db_schema_name")?;
            let names = texts(batch, "table_name")?;
            let kinds = texts(batch, "table_type")?;
            let schemas = schemas(batch)?;
            for (((domain, name), kind), schema) in domains.into_iter().zip(names).zip(kinds).zip(schemas) {
                let Some(name) = name else { continue };
                tables.push(Table {
                    domain: domain.unwrap_or_default(),
                    name,
                    kind: kind.unwrap_or_default(),
                    remarks: schema.metadata().get(REMARKS).cloned(),
                    columns: columns(&schema),
                });
            }
        }
        Ok(tables)
    }
}

/// A LIKE pattern that matches only this name.
fn exactly(name: &str) -> String {
    name.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

fn texts(batch: &RecordBatch, column: &str) -> Result<Vec<Option<String>>> {
    let missing = || failure::unreadable(&format!("the column `{column}` of a name list is missing"));
    let array = batch.column_by_name(column).ok_or_else(missing)?;
    let array = array.as_string_opt::<i32>().ok_or_else(missing)?;
    Ok(array.iter().map(|text| text.map(str::to_owned)).collect())
}

fn schemas(batch: &RecordBatch) -> Result<Vec<Schema>> {
    let missing = || failure::unreadable("the column `table_schema` of a name list is missing");
    let array = batch.column_by_name("table_schema").ok_or_else(missing)?;
    let array = array.as_binary_opt::<i32>().ok_or_else(missing)?;
    array
        .iter()
        .map(|bytes| match bytes {
            Some(bytes) => Schema::try_from(IpcMessage(bytes.to_vec().into()))
                .map_err(|error| failure::unreadable(&error.to_string())),
            None => Ok(Schema::empty()),
        })
        .collect()
}

fn columns(schema: &Schema) -> Vec<Column> {
    schema
        .fields()
        .iter()
        .map(|field| Column {
            name: field.name().clone(),
            data_type: field.data_type().clone(),
            type_name: field.metadata().get(TYPE_NAME).cloned(),
            nullable: field.is_nullable(),
            remarks: field.metadata().get(REMARKS).cloned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_not_a_pattern() {
        assert_eq!(exactly("order_lines"), r"order\_lines");
        assert_eq!(exactly(r"50%\x"), r"50\%\\x");
    }
}
