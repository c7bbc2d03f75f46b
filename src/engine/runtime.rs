//! What all queries share.

use std::fmt;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::cache::cache_manager::CacheManagerConfig;
use datafusion::execution::disk_manager::{DiskManager, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionConfig;
use object_store::ObjectStore;
use tempfile::TempDir;
use url::Url;

use super::PrivateSession;
use super::registry::Sealed;
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Kind, Result};

const MIB: usize = 1 << 20;
/// Footers that one private session keeps.
const FOOTER_CACHE: usize = 32 * MIB;
/// Consumers that a "memory is exhausted" message names.
const NAMED_CONSUMERS: usize = 5;

/// The one DataFusion runtime: a memory pool with a limit and a spill folder with a limit, shared by every session.
pub struct Engine {
    pool: Arc<dyn MemoryPool>,
    /// What every session's runtime starts from; its own registry is empty.
    shared: Arc<RuntimeEnv>,
    partitions: usize,
    /// The default spill folder, gone with the engine.
    _own_folder: Option<TempDir>,
}

impl Engine {
    /// Makes the pools and the spill folder.
    ///
    /// # Errors
    /// `Invalid` when the spill folder cannot be made or emptied.
    pub fn new(limits: &Limits) -> Result<Arc<Self>> {
        let (folder, own_folder) = spill_folder(limits.spill_dir.as_deref())?;
        let named = NonZeroUsize::new(NAMED_CONSUMERS).unwrap_or(NonZeroUsize::MIN);
        let pool: Arc<dyn MemoryPool> =
            Arc::new(TrackConsumersPool::new(FairSpillPool::new(limits.memory_mib.saturating_mul(MIB)), named));
        let disk = DiskManager::builder()
            .with_mode(DiskManagerMode::Directories(vec![folder.clone()]))
            .with_max_temp_directory_size(limits.spill_mib.saturating_mul(MIB as u64));
        let shared = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::clone(&pool))
            .with_disk_manager_builder(disk)
            .with_object_store_registry(Arc::new(Sealed::empty()))
            .build_arc()
            .map_err(|error| unusable(&folder, &error))?;
        let partitions = limits.partitions.max(1);
        Ok(Arc::new(Self { pool, shared, partitions, _own_folder: own_folder }))
    }

    /// The runtime of client sessions: it opens no store at all.
    pub fn client_runtime(&self) -> Arc<RuntimeEnv> {
        Arc::clone(&self.shared)
    }

    /// A session that opens `store` under `url` and nothing else, with caches of its own: a footer of another bucket with the
    /// same path and size is never taken for one of this. The store must already be fenced.
    ///
    /// # Errors
    /// `Internal` when the runtime cannot be made.
    pub fn private(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Result<PrivateSession> {
        // Which files there are is decided when a table is opened, and statistics are declared above, never measured below policy.
        let caches = CacheManagerConfig::default()
            .with_list_files_cache_limit(0)
            .with_file_statistics_cache_limit(0)
            .with_metadata_cache_limit(FOOTER_CACHE);
        let runtime = RuntimeEnvBuilder::from_runtime_env(&self.shared)
            .with_cache_manager(caches)
            .with_object_store_registry(Arc::new(Sealed::only(url, store)))
            .build_arc()
            .map_err(|error| Diagnostic::error(Kind::Internal, format!("cannot make a private session: {error}")))?;
        let state = SessionStateBuilder::new()
            .with_config(self.private_config())
            .with_runtime_env(runtime)
            .with_default_features()
            .build();
        Ok(PrivateSession::new(state))
    }

    fn private_config(&self) -> SessionConfig {
        let mut config = SessionConfig::new()
            .with_target_partitions(self.partitions)
            .with_collect_statistics(false)
            .with_information_schema(false);
        let parquet = &mut config.options_mut().execution.parquet;
        // Views keep the bytes of filtered rows alive.
        parquet.schema_force_view_types = false;
        // A policy's filter is selective and reads few columns: the case that late materialisation is for.
        parquet.pushdown_filters = true;
        parquet.coerce_int96 = Some("us".to_owned());
        parquet.metadata_size_hint = Some(512 * 1024);
        config
    }

    /// The pool that all queries reserve from.
    pub fn memory_pool(&self) -> Arc<dyn MemoryPool> {
        Arc::clone(&self.pool)
    }

    /// Degree of parallelism of one query.
    pub fn partitions(&self) -> usize {
        self.partitions
    }

    /// Bytes reserved by all queries now.
    pub fn reserved_bytes(&self) -> usize {
        self.pool.reserved()
    }

    /// Spill files in use now.
    pub fn spill_files(&self) -> usize {
        self.shared.disk_manager.spilling_progress().active_files_count
    }

    /// Where spilled data lies.
    pub fn spill_dir(&self) -> Option<PathBuf> {
        self.shared.disk_manager.temp_dir_paths().into_iter().next()
    }
}

/// The folder for spilled data, empty and closed to others. Below a configured folder it is one of our own, so that emptying it
/// can never take what somebody else keeps there.
fn spill_folder(configured: Option<&Path>) -> Result<(PathBuf, Option<TempDir>)> {
    let Some(configured) = configured else {
        let own = tempfile::Builder::new().prefix("meshgate-spill-").tempdir();
        let own = own.map_err(|error| unusable(&std::env::temp_dir(), &DataFusionError::IoError(error)))?;
        return Ok((own.path().to_owned(), Some(own)));
    };
    let folder = configured.join("meshgate-spill");
    let made = || -> std::io::Result<()> {
        if fs::symlink_metadata(&folder).is_ok() {
            fs::remove_dir_all(&folder)?;
        }
        make_private(&folder)
    };
    made().map_err(|error| unusable(&folder, &DataFusionError::IoError(error)))?;
    Ok((folder, None))
}

#[cfg(unix)]
fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

fn unusable(folder: &Path, error: &DataFusionError) -> Diagnostic {
    Diagnostic::error(Kind::Invalid, format!("cannot use `{}` for spilled data: {error}", folder.display()))
        .hint("set `limits.spill_dir` to a folder that the gateway may write to")
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::MemoryConsumer;
    use object_store::memory::InMemory;

    fn engine(limits: &Limits) -> Arc<Engine> {
        Engine::new(limits).unwrap()
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_client_session_opens_no_store() {
        let runtime = engine(&Limits::default()).client_runtime();
        let mine: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for place in ["file:///", "s3://lake/", "memory:///"] {
            runtime.register_object_store(&url(place), Arc::clone(&mine));
            assert!(runtime.object_store_registry.get_store(&url(place)).is_err(), "{place}");
        }
    }

    #[test]
    fn a_private_session_opens_its_own_store_only_and_shares_memory_and_disk() {
        let engine = engine(&Limits::default());
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let one = engine.private(&url("s3://one/"), Arc::clone(&store)).unwrap();
        let two = engine.private(&url("s3://two/"), Arc::clone(&store)).unwrap();
        let runtime = one.state().runtime_env();
        runtime.register_object_store(&url("s3://two/"), store);
        assert!(runtime.object_store_registry.get_store(&url("s3://one/any/key")).is_ok());
        for place in ["s3://two/", "file:///", "s3://one:9000/", "http://one/", "s3://user@one/"] {
            assert!(runtime.object_store_registry.get_store(&url(place)).is_err(), "{place}");
        }
        assert!(Arc::ptr_eq(&runtime.memory_pool, &two.state().runtime_env().memory_pool));
        assert!(Arc::ptr_eq(&runtime.disk_manager, &two.state().runtime_env().disk_manager));
        let footers = |s: &PrivateSession| s.state().runtime_env().cache_manager.get_file_metadata_cache();
        assert!(!Arc::ptr_eq(&footers(&one), &footers(&two)));
    }

    #[test]
    fn leaf_plans_are_optimized_by_the_reviewed_rules() {
        let session = engine(&Limits::default()).private(&url("s3://one/"), Arc::new(InMemory::new())).unwrap();
        crate::engine::reviewed::assert_reviewed(session.state(), &[], &[]);
    }

    #[test]
    fn a_leaf_runs_with_the_pool_of_its_query_and_the_store_of_its_domain() {
        let engine = engine(&Limits::default());
        let session = engine.private(&url("s3://one/"), Arc::new(InMemory::new())).unwrap();
        let pool: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(1024));
        let task = session.task_context(&pool);
        assert!(Arc::ptr_eq(task.memory_pool(), &pool));
        assert!(task.runtime_env().object_store_registry.get_store(&url("s3://one/")).is_ok());
        let footers = session.state().runtime_env().cache_manager.get_file_metadata_cache();
        assert!(Arc::ptr_eq(&task.runtime_env().cache_manager.get_file_metadata_cache(), &footers));
    }

    #[test]
    fn memory_has_a_limit_and_is_counted() {
        let engine = engine(&Limits { memory_mib: 1, ..Limits::default() });
        let reservation = MemoryConsumer::new("sort").register(&engine.memory_pool());
        reservation.try_grow(MIB / 2).unwrap();
        assert_eq!(engine.reserved_bytes(), MIB / 2);
        assert!(reservation.try_grow(MIB).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn the_spill_folder_is_closed_to_others_and_emptied_at_start() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("not-ours"), "kept").unwrap();
        let limits = Limits { spill_dir: Some(home.path().to_owned()), spill_mib: 7, ..Limits::default() };
        let folder = home.path().join("meshgate-spill");
        fs::create_dir_all(folder.join("left-over")).unwrap();
        let engine = engine(&limits);
        assert!(home.path().join("not-ours").exists());
        assert!(!folder.join("left-over").exists());
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(engine.spill_dir().unwrap().starts_with(&folder));
        assert_eq!(engine.shared.disk_manager.max_temp_directory_size(), 7 * MIB as u64);
        let file = engine.shared.disk_manager.create_tmp_file("test").unwrap();
        assert_eq!(engine.spill_files(), 1);
        drop(file);
        assert_eq!(engine.spill_files(), 0);
    }

    #[test]
    fn a_spill_folder_below_a_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let limits = Limits { spill_dir: Some(file.path().join("below")), ..Limits::default() };
        assert!(Engine::new(&limits).unwrap_err().message.contains("for spilled data"));
    }
}
