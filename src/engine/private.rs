//! The session in which leaf plans are made and run.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionState;

/// A fenced session: its registry holds one store, its caches are its own, memory pool and spill folder are shared.
/// No option of a user reaches it.
pub struct PrivateSession {
    state: SessionState,
    /// The same for plans of one partition.
    single: SessionState,
}

impl PrivateSession {
    pub(in crate::engine) fn new(state: SessionState) -> Self {
        let mut single = state.clone();
        *single.config_mut() = state.config().clone().with_target_partitions(1);
        Self { state, single }
    }

    /// A session over a state of the test's own making.
    #[cfg(test)]
    pub(crate) fn for_tests(state: SessionState) -> Self {
        Self::new(state)
    }

    /// For planning leaf plans.
    pub fn state(&self) -> &SessionState {
        &self.state
    }

    /// For planning those that are to have one partition.
    pub fn single(&self) -> &SessionState {
        &self.single
    }

    /// For running them: the engine's own configuration with the memory pool of the query.
    pub fn task_context(&self, pool: &Arc<dyn MemoryPool>) -> Arc<TaskContext> {
        let runtime = RuntimeEnv { memory_pool: Arc::clone(pool), ..self.state.runtime_env().as_ref().clone() };
        task_context(&self.state, Arc::new(runtime))
    }
}

/// What a plan runs with. A plan holds its functions, so none is copied here: some hundreds of names for each leaf of each query.
pub fn task_context(state: &SessionState, runtime: Arc<RuntimeEnv>) -> Arc<TaskContext> {
    let (id, config) = (state.session_id().to_owned(), state.config().clone());
    let (scalar, higher, aggregate, window) = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
    Arc::new(TaskContext::new(None, id, config, scalar, higher, aggregate, window, runtime))
}

impl fmt::Debug for PrivateSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateSession")
    }
}
