//! Object store registries that cannot grow.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::ObjectStore;
use url::Url;

/// Holds no store or exactly one; whoever registers another is ignored, so that nothing read from data can open a new place.
#[derive(Debug)]
pub(super) struct Sealed(Option<(String, Arc<dyn ObjectStore>)>);

impl Sealed {
    /// Opens nothing, not even `file://`.
    pub(super) fn empty() -> Self {
        Self(None)
    }

    /// Opens `store` for the scheme and authority of `url`, and nothing else.
    pub(super) fn only(url: &Url, store: Arc<dyn ObjectStore>) -> Self {
        Self(Some((key(url), store)))
    }
}

fn key(url: &Url) -> String {
    format!("{}://{}", url.scheme(), url.authority())
}

impl ObjectStoreRegistry for Sealed {
    fn register_store(&self, _url: &Url, _store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn deregister_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        Err(DataFusionError::Execution(format!("the store `{}` cannot be removed", key(url))))
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        match &self.0 {
            Some((own, store)) if *own == key(url) => Ok(Arc::clone(store)),
            _ => Err(DataFusionError::Execution(format!("the store `{}` is not open to this session", key(url)))),
        }
    }
}
