//! The schema `meshgate`: the mesh's own tables.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::Result;

use crate::govern::{GovernedTable, PrincipalView, Resolution, SystemTable, column_exposures};
use crate::mesh::Product;
use crate::source::State;

const PRODUCTS: &str = "products";

/// The schema `meshgate` for one view: `products`, a row for each product this principal may discover. Its column `data`
/// says `served`, `partial` or `unreadable`.
#[derive(Debug)]
pub struct MeshSchema {
    products: Arc<SystemTable>,
}

impl MeshSchema {
    /// The SQL schema's name.
    pub const NAME: &str = "meshgate";

    pub fn new(view: &Arc<PrincipalView>) -> Self {
        let names = ["domain", "product", "version", "status", "owner", "support", "purpose", "data"];
        let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let (view, made) = (Arc::clone(view), Arc::clone(&schema));
        let products = SystemTable::new(schema, move || {
            let rows = rows(&view);
            let columns = (0..names.len())
                .map(|i| {
                    let column: StringArray = rows.iter().map(|row| row.get(i).cloned().flatten()).collect();
                    Arc::new(column) as ArrayRef
                })
                .collect();
            Ok(RecordBatch::try_new(Arc::clone(&made), columns)?)
        });
        Self { products: Arc::new(products) }
    }
}

/// Whether what a product's files hold is what its contract promises, as far as somebody looked: the worst of the datasets that this
/// principal may read, of products that are not served whole. Why not is their owners' business. A fault of one column is shown to
/// those alone who see all columns: it may be about one that policy hides.
fn broken(view: &PrincipalView) -> HashMap<*const Product, &'static str> {
    let generation = view.generation();
    let mut broken = HashMap::new();
    for entry in generation.snapshot().tables.values() {
        let state = generation.state(entry);
        // Which rows a damaged file holds, and whether this principal may see one of them, nobody can say.
        if matches!(state, State::Declared | State::Verified | State::Damaged { .. }) {
            continue;
        }
        let name = &entry.table;
        let Resolution::Readable(table) = view.resolve(name.domain.as_str(), name.table.as_str()) else { continue };
        let product = Arc::as_ptr(&entry.product);
        if matches!(state, State::Out { .. }) {
            broken.insert(product, "unreadable");
        } else if sees_all_columns(&table) {
            broken.entry(product).or_insert("partial");
        }
    }
    broken
}

fn sees_all_columns(table: &GovernedTable) -> bool {
    let dataset = table.entry().dataset();
    column_exposures(dataset, table.exposed()).len() == dataset.served().leaves().len()
}

fn rows(view: &PrincipalView) -> Vec<[Option<String>; 8]> {
    let snapshot = view.generation().snapshot();
    let broken = broken(view);
    let served = snapshot.products.iter().filter(|product| product.contract.status.is_served());
    let mut rows: Vec<_> = served
        .filter(|product| view.discovers(product))
        .map(|product| {
            let contract = &product.contract;
            [
                Some(product.name.domain.to_string()),
                Some(product.name.product.to_string()),
                Some(contract.version.to_string()),
                Some(contract.status.as_str().to_owned()),
                snapshot.owner(product).map(str::to_owned),
                snapshot.support(product).map(|support| support.channel.clone()),
                contract.purpose.clone(),
                Some((*broken.get(&Arc::as_ptr(product)).unwrap_or(&"served")).to_owned()),
            ]
        })
        .collect();
    rows.sort();
    rows
}

#[async_trait::async_trait]
impl SchemaProvider for MeshSchema {
    fn table_names(&self) -> Vec<String> {
        vec![PRODUCTS.to_owned()]
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok((name == PRODUCTS).then(|| Arc::clone(&self.products) as Arc<dyn TableProvider>))
    }

    fn table_exist(&self, name: &str) -> bool {
        name == PRODUCTS
    }
}
