//! Scans of Delta tables with deletion vectors: which rows of a file are deleted goes by their place in it.
//!
//! The reader of a vector compares the scan below it with the one that it made, so that readers cannot be replaced there once it is
//! planned. It is planned in a state of its own instead: the store there reads only
//! pinned files, compares their pages with footers that were checked before, and no cache there holds a footer of another file.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory as _;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::cache::cache_manager::{CacheManager, CacheManagerConfig};
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry as _, ObjectStoreUrl};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions, Result as StoreResult,
};
use parquet::file::metadata::ParquetMetaData;

use super::damaged::Damaged;
use super::footer;
use super::pinned::PinnedStore;
use super::pins::{Pins, broken};
use super::readers::PinnedReaders;

/// Footers that are read at once.
const AT_ONCE: usize = 8;

/// A state in which a scan like `plan` reads only the files of `plan`, pinned, with footers that were checked.
///
/// # Errors
/// Those of the store and of footers.
pub(super) async fn pinned_state(
    state: &dyn Session,
    plan: &Arc<dyn ExecutionPlan>,
    pins: &Arc<Pins>,
    is_local: bool,
) -> Result<SessionState> {
    let Some(session) = state.as_any().downcast_ref::<SessionState>() else {
        return Err(DataFusionError::Internal("a Delta table is planned by an unknown session".to_owned()));
    };
    let shared = state.runtime_env();
    let unbounded = CacheManagerConfig { metadata_cache_limit: usize::MAX, ..CacheManagerConfig::default() };
    let cache_manager = CacheManager::try_new(&unbounded)?;
    let registry = DefaultObjectStoreRegistry::new();
    for (url, files) in files_of(plan)? {
        let store = PinnedStore::new(shared.object_store(&url)?, Arc::clone(pins), is_local);
        let readers = PinnedReaders::new(store.clone(), cache_manager.get_file_metadata_cache()).checking();
        let footers = futures::stream::iter(files)
            .map(|file| async {
                let key = file.object_meta.location.clone();
                let mut reader = readers.create_reader(0, file, None, &ExecutionPlanMetricsSet::new())?;
                Ok::<_, DataFusionError>((key, reader.get_metadata(None).await?))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        registry.register_store(url.as_ref(), Arc::new(CheckedStore { store, footers }));
    }
    let runtime = RuntimeEnv { cache_manager, object_store_registry: Arc::new(registry), ..shared.as_ref().clone() };
    Ok(SessionStateBuilder::new_from_existing(session.clone()).with_runtime_env(Arc::new(runtime)).build())
}

fn files_of(plan: &Arc<dyn ExecutionPlan>) -> Result<BTreeMap<ObjectStoreUrl, Vec<PartitionedFile>>> {
    let mut files: BTreeMap<ObjectStoreUrl, Vec<PartitionedFile>> = BTreeMap::new();
    plan.apply(|node| {
        let scan = node.downcast_ref::<DataSourceExec>();
        if let Some(config) = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>()) {
            let own = config.file_groups.iter().flat_map(FileGroup::iter).cloned();
            files.entry(config.object_store_url.clone()).or_default().extend(own);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(files)
}

/// A pinned store that compares pages with the footers of their files.
#[derive(Debug)]
struct CheckedStore {
    store: PinnedStore,
    footers: HashMap<Path, Arc<ParquetMetaData>>,
}

impl fmt::Display for CheckedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait::async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for CheckedStore {
    async fn get_ranges(&self, key: &Path, ranges: &[Range<u64>]) -> StoreResult<Vec<Bytes>> {
        let found = self.store.get_ranges(key, ranges).await?;
        let Some(footer) = self.footers.get(key) else {
            return Err(broken(key, "no scan has asked for it"));
        };
        for (range, bytes) in ranges.iter().zip(&found) {
            footer::check_pages(footer, range, bytes).map_err(|why| Damaged::file(key, &why))?;
        }
        Ok(found)
    }

    async fn get_opts(&self, key: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.store.get_opts(key, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.store.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.store.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn put_opts(&self, key: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        self.store.put_opts(key, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        key: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(key, options).await
    }

    fn delete_stream(&self, keys: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        self.store.delete_stream(keys)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.store.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> StoreResult<()> {
        self.store.rename_opts(from, to, options).await
    }
}
