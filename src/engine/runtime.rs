//! What all queries share.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::execution::cache::cache_manager::CacheManagerConfig;
use datafusion::execution::disk_manager::{DiskManager, DiskManagerMode};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use object_store::ObjectStore;
use url::Url;

use super::memory::{BatchBytes, SharedPool, StatementPool};
use super::pushdown::ExactPushdown;
use super::registry::Sealed;
use super::spill::SpillFolder;
use super::{PrivateSession, StatementControl, Workers};
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Kind, Result};

const MIB: usize = 1 << 20;
/// Footers that one private session keeps.
const FOOTER_CACHE: usize = 32 * MIB;
/// What expressions make for one batch takes at most this, and at least the smaller: more rows at once are hardly faster.
const LARGEST_BATCH: usize = 16 * MIB;
const SMALLEST_BATCH: usize = MIB / 4;
/// What a sort keeps for the merge of what it holds.
const LARGEST_MERGE: usize = 10 * MIB;

/// The one DataFusion runtime: a memory pool with a limit and a spill folder with a limit, shared by every session.
pub struct Engine {
    pool: Arc<SharedPool>,
    /// Bytes that one statement may reserve.
    statement_bytes: usize,
    /// What every session's runtime starts from; its own registry is empty.
    shared: Arc<RuntimeEnv>,
    partitions: usize,
    workers: Workers,
    spill: SpillFolder,
}

impl Engine {
    /// Makes the pools and the spill folder.
    ///
    /// # Errors
    /// `Invalid` when the spill folder cannot be made or emptied.
    pub fn new(limits: &Limits) -> Result<Arc<Self>> {
        let spill = SpillFolder::open(limits.spill_dir.as_deref())?;
        let folder = spill.path().to_owned();
        let pool = Arc::new(SharedPool::new(limits.memory_mib.saturating_mul(MIB)));
        let disk = DiskManager::builder()
            .with_mode(DiskManagerMode::Directories(vec![folder.clone()]))
            .with_max_temp_directory_size(limits.spill_mib.saturating_mul(MIB as u64));
        let shared = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::clone(&pool) as _)
            .with_disk_manager_builder(disk)
            .with_object_store_registry(Arc::new(Sealed::empty()))
            .build_arc()
            .map_err(|error| super::spill::unusable(&folder, &error))?;
        let partitions = limits.partitions.max(1);
        let workers = Workers::start(partitions)?;
        let statement_bytes = limits.memory_of_statement().saturating_mul(MIB);
        Ok(Arc::new(Self { pool, statement_bytes, shared, partitions, workers, spill }))
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
            .with_physical_optimizer_rules(private_rules())
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
        self.with_memory_options(config)
    }

    /// The configuration with sizes that follow the memory of one statement: [`BatchBytes`], small beside what a statement may take,
    /// since operators reserve only what is already there, and what sorts keep for their merges, so that those of all partitions find it.
    pub fn with_memory_options(&self, config: SessionConfig) -> SessionConfig {
        let batch = (self.statement_bytes / 32 / self.partitions).clamp(SMALLEST_BATCH, LARGEST_BATCH);
        let merge = (batch * 2).min(LARGEST_MERGE);
        config
            .with_extension(Arc::new(BatchBytes(batch)))
            .with_sort_spill_reservation_bytes(merge)
            .with_sort_in_place_threshold_bytes((merge / 4).min(MIB))
    }

    /// The pool that all queries reserve from.
    pub fn memory_pool(&self) -> Arc<dyn MemoryPool> {
        Arc::clone(&self.pool) as _
    }

    /// What goes with one execution of a statement.
    pub fn begin_statement(&self) -> Arc<StatementControl> {
        StatementControl::new(StatementPool::new(self.statement_bytes, Arc::clone(&self.pool)))
    }

    /// Where plans run.
    pub fn workers(&self) -> &Workers {
        &self.workers
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

    /// Removes all spilled data, at the end of the process: whatever still runs then fails where it reads it again.
    pub fn remove_spilled(&self) {
        self.spill.remove();
    }

    /// Where spilled data lies.
    pub fn spill_dir(&self) -> Option<PathBuf> {
        self.shared.disk_manager.temp_dir_paths().into_iter().next()
    }
}

/// The engine's own rules, but for the one that hands conditions to readers.
fn private_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::default().rules;
    for rule in &mut rules {
        if rule.name() == "FilterPushdown" {
            *rule = Arc::new(ExactPushdown::new());
        }
    }
    rules
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer};
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
        crate::engine::reviewed::assert_reviewed(session.state(), &[], &[], "ExactPushdown");
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

    #[test]
    fn statement_takes_half_unless_configured() {
        for (statement_memory_mib, most) in [(None, 4), (Some(3), 3), (Some(9), 8)] {
            let engine = engine(&Limits { memory_mib: 8, statement_memory_mib, ..Limits::default() });
            let control = engine.begin_statement();
            let reservation = MemoryConsumer::new("join").register(control.memory_pool());
            assert!(reservation.try_grow(most * MIB + 1).is_err());
            reservation.try_grow(most * MIB).unwrap();
            assert_eq!(engine.reserved_bytes(), most * MIB);
            drop(control);
            assert_eq!(engine.reserved_bytes(), 0, "what a consumer keeps is given back with its statement");
        }
    }
}
