//! A view as the query engine's catalog: the only names a session can reach.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::TableType;

use super::view::{PrincipalView, Resolution};

/// The mesh as one principal sees it. Nothing can be registered.
#[derive(Debug)]
pub struct MeshCatalog {
    view: Arc<PrincipalView>,
    system: BTreeMap<String, Arc<dyn SchemaProvider>>,
}

impl MeshCatalog {
    /// `system` are the schemas that describe the mesh; they answer from the same view.
    pub fn new(view: Arc<PrincipalView>, system: BTreeMap<String, Arc<dyn SchemaProvider>>) -> Self {
        Self { view, system }
    }
}

impl CatalogProviderList for MeshCatalog {
    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![self.view.generation().snapshot().mesh.name.clone()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        let same = self.view.generation().snapshot().mesh.name == name;
        same.then(|| {
            Arc::new(Self { view: Arc::clone(&self.view), system: self.system.clone() }) as Arc<dyn CatalogProvider>
        })
    }
}

impl CatalogProvider for MeshCatalog {
    fn schema_names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.view.readable().iter().map(|table| table.entry().table.domain.as_str().to_owned()).collect();
        names.dedup();
        names.extend(self.system.keys().cloned());
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if let Some(schema) = self.system.get(name) {
            return Some(Arc::clone(schema));
        }
        Some(Arc::new(DomainSchema { view: Arc::clone(&self.view), domain: name.to_owned() }))
    }
}

/// One domain; a domain that does not exist is one without tables.
#[derive(Debug)]
struct DomainSchema {
    view: Arc<PrincipalView>,
    domain: String,
}

#[async_trait::async_trait]
impl SchemaProvider for DomainSchema {
    fn table_names(&self) -> Vec<String> {
        self.view.readable_in(&self.domain).iter().map(|table| table.entry().table.table.as_str().to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(match self.view.resolve(&self.domain, name) {
            Resolution::Readable(table) => Some(table as Arc<dyn TableProvider>),
            Resolution::Discoverable(_) | Resolution::Unknown => None,
        })
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        matches!(self.view.resolve(&self.domain, name), Resolution::Readable(_))
    }
}
