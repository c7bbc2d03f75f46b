//! `information_schema`, answered from the view.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::Result;

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
        let tables = [
            ("schemata", system_table(view, &["catalog_name", "schema_name"], schemata)),
            ("tables", system_table(view, &["table_catalog", "table_schema", "table_name", "table_type"], tables)),
            ("columns", columns_table(view)),
            (
                "views",
                system_table(view, &["table_catalog", "table_schema", "table_name", "definition"], |_| Vec::new()),
            ),
        ];
        Self { tables: tables.into() }
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

fn schemata(view: &PrincipalView) -> Vec<Vec<String>> {
    let catalog = catalog_name(view);
    let mut domains: Vec<String> = visible_tables(view).into_iter().map(|table| table.domain).collect();
    domains.push(NAME.to_owned());
    domains.dedup();
    domains.into_iter().map(|domain| vec![catalog.clone(), domain]).collect()
}

fn tables(view: &PrincipalView) -> Vec<Vec<String>> {
    let catalog = catalog_name(view);
    visible_tables(view)
        .into_iter()
        .map(|table| vec![catalog.clone(), table.domain, table.table, "BASE TABLE".to_owned()])
        .collect()
}

fn catalog_name(view: &PrincipalView) -> String {
    view.generation().snapshot().mesh.name.clone()
}

/// A table of text columns.
fn system_table(
    view: &Arc<PrincipalView>,
    names: &[&str],
    rows: impl Fn(&PrincipalView) -> Vec<Vec<String>> + Send + Sync + 'static,
) -> Arc<SystemTable> {
    let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Utf8, false)).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let (view, made) = (Arc::clone(view), Arc::clone(&schema));
    let width = names.len();
    Arc::new(SystemTable::new(schema, move || {
        let rows = rows(&view);
        let columns = (0..width)
            .map(|i| Arc::new(StringArray::from_iter_values(rows.iter().filter_map(|row| row.get(i)))) as ArrayRef)
            .collect();
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
