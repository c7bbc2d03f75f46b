//! `information_schema`, answered from the view.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::Result;

use super::constraints;
use super::sql_type::sql_type_name;
use super::tables::visible_tables;
use crate::govern::{PrincipalView, SystemTable};

pub const NAME: &str = "information_schema";

/// The schema `information_schema` for one view.
#[derive(Debug)]
pub struct InformationSchema {
    tables: BTreeMap<&'static str, Arc<SystemTable>>,
}

impl InformationSchema {
    pub fn new(view: &Arc<PrincipalView>) -> Self {
        let described = [
            ("schemata", system_table(view, &["catalog_name", "schema_name"], schemata)),
            ("tables", system_table(view, &["table_catalog", "table_schema", "table_name", "table_type"], tables)),
            ("columns", columns_table(view)),
            (
                "views",
                system_table(view, &["table_catalog", "table_schema", "table_name", "definition"], |_| Vec::new()),
            ),
        ];
        Self { tables: described.into_iter().chain(constraints::tables(view)).collect() }
    }
}

#[async_trait::async_trait]
impl SchemaProvider for InformationSchema {
    fn table_names(&self) -> Vec<String> {
        self.tables.keys().map(|name| (*name).to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(self.tables.get(name).map(|table| Arc::clone(table) as Arc<dyn TableProvider>))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }
}

/// One value of a described thing.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Text(Option<String>),
    Number(Option<u64>),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

fn schemata(view: &PrincipalView) -> Vec<Vec<Cell>> {
    let catalog = catalog_name(view);
    let mut domains: Vec<String> = visible_tables(view).into_iter().map(|table| table.domain).collect();
    domains.push(NAME.to_owned());
    domains.dedup();
    domains.into_iter().map(|domain| vec![catalog.clone().into(), domain.into()]).collect()
}

fn tables(view: &PrincipalView) -> Vec<Vec<Cell>> {
    let catalog = catalog_name(view);
    visible_tables(view)
        .into_iter()
        .map(|table| vec![catalog.clone().into(), table.domain.into(), table.table.into(), "BASE TABLE".into()])
        .collect()
}

pub(super) fn catalog_name(view: &PrincipalView) -> String {
    view.generation().snapshot().mesh.name.clone()
}

/// A table of text columns; positions are numbers.
pub(super) fn system_table(
    view: &Arc<PrincipalView>,
    names: &[&'static str],
    rows: impl Fn(&PrincipalView) -> Vec<Vec<Cell>> + Send + Sync + 'static,
) -> Arc<SystemTable> {
    let is_number = |name: &str| name.contains("position");
    let field =
        |name: &&'static str| Field::new(*name, if is_number(name) { DataType::UInt64 } else { DataType::Utf8 }, true);
    let schema: SchemaRef = Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()));
    let (view, made) = (Arc::clone(view), Arc::clone(&schema));
    Arc::new(SystemTable::new(schema, move || {
        let rows = rows(&view);
        let column = |(at, field): (usize, &Arc<Field>)| -> ArrayRef {
            let cells = rows.iter().map(|row| row.get(at));
            if field.data_type() == &DataType::UInt64 {
                Arc::new(
                    cells.map(|cell| if let Some(Cell::Number(n)) = cell { *n } else { None }).collect::<UInt64Array>(),
                )
            } else {
                let text = |cell: Option<&Cell>| if let Some(Cell::Text(text)) = cell { text.clone() } else { None };
                Arc::new(cells.map(text).collect::<StringArray>())
            }
        };
        let columns = made.fields().iter().enumerate().map(column).collect();
        Ok(RecordBatch::try_new(Arc::clone(&made), columns)?)
    }))
}

fn columns_table(view: &Arc<PrincipalView>) -> Arc<SystemTable> {
    let text = |name, nullable| Field::new(name, DataType::Utf8, nullable);
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        text("table_catalog", false),
        text("table_schema", false),
        text("table_name", false),
        text("column_name", false),
        Field::new("ordinal_position", DataType::UInt64, false),
        text("is_nullable", false),
        text("data_type", false),
        text("remarks", true),
    ]));
    let (view, made) = (Arc::clone(view), Arc::clone(&schema));
    Arc::new(SystemTable::new(schema, move || {
        let catalog = catalog_name(&view);
        let (mut domains, mut tables, mut names, mut types) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut positions, mut remarks) = (Vec::new(), Vec::new());
        for table in visible_tables(&view) {
            for ((field, remark), position) in table.schema.fields().iter().zip(table.column_remarks).zip(1_u64..) {
                domains.push(table.domain.clone());
                tables.push(table.table.clone());
                names.push(field.name().clone());
                types.push(sql_type_name(field.data_type()));
                positions.push(position);
                remarks.push(remark);
            }
        }
        let rows = names.len();
        let constant = |value: &str| Arc::new(StringArray::from_iter_values(vec![value; rows])) as ArrayRef;
        Ok(RecordBatch::try_new(
            Arc::clone(&made),
            vec![
                constant(&catalog),
                Arc::new(StringArray::from(domains)),
                Arc::new(StringArray::from(tables)),
                Arc::new(StringArray::from(names)),
                Arc::new(UInt64Array::from(positions)),
                constant("YES"),
                Arc::new(StringArray::from(types)),
                Arc::new(StringArray::from(remarks)),
            ],
        )?)
    }))
}
