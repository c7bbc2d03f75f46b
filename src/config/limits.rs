//! How much one query, and all of them, may take.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::number::{at_least_one, at_least_one_if_given, at_most_a_thousand};

/// `[limits]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory in MiB that all queries together may reserve. Default 2048.
    #[serde(deserialize_with = "at_least_one")]
    pub memory_mib: usize,
    /// Memory in MiB that one query may reserve of it. Default: half of `memory_mib`.
    #[serde(deserialize_with = "at_least_one_if_given")]
    pub statement_memory_mib: Option<usize>,
    /// Disk in MiB that spilled data may take. Default 10240.
    #[serde(deserialize_with = "at_least_one")]
    pub spill_mib: u64,
    /// Spilled data lies in `meshgate-spill` below it, made with mode 0700 and emptied at start. Default: a new folder below the
    /// system's temporary one; those of gateways that were killed are removed at start.
    pub spill_dir: Option<PathBuf>,
    /// Degree of parallelism of one query, at most 1,000. Default: the number of cores.
    #[serde(deserialize_with = "at_most_a_thousand")]
    pub partitions: usize,
    /// Longest SQL text in bytes. Default 1,000,000.
    #[serde(deserialize_with = "at_least_one")]
    pub statement_bytes: usize,
    /// Most words and signs in one statement; the values of an `IN (…)` do not count. Default 50,000.
    #[serde(deserialize_with = "at_least_one")]
    pub statement_tokens: usize,
    /// Longest chain of operators, with the chains in brackets inside it. Default 1,000.
    #[serde(deserialize_with = "at_least_one")]
    pub statement_depth: usize,
    /// Seconds that planning may take, the wait for a thread to plan on included; the opening of products has as many again. Default 10.
    #[serde(deserialize_with = "at_least_one")]
    pub planning_seconds: u64,
    /// Seconds after which a running statement is ended, whoever reads it or does not. Default 3,600.
    #[serde(deserialize_with = "at_least_one")]
    pub statement_seconds: u64,
    /// Seconds that a store of a domain may take to answer one request, retries included, or to go on with an answer. It is also how
    /// long a store that has stopped to answer is left alone before it is asked again. Default 5.
    #[serde(deserialize_with = "at_least_one")]
    pub store_seconds: u64,
    /// Statements planned and waiting to be fetched. Default 1,024.
    #[serde(deserialize_with = "at_least_one")]
    pub pending_statements: u64,
    /// Memory in MiB that planned statements may take, those that wait to be fetched and, once more, those that are prepared; a
    /// principal may take a quarter. Default 256.
    #[serde(deserialize_with = "at_least_one")]
    pub pending_mib: usize,
    /// Seconds after which a ticket is refused. Default 300.
    #[serde(deserialize_with = "at_least_one")]
    pub ticket_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_mib: 2048,
            statement_memory_mib: None,
            spill_mib: 10_240,
            spill_dir: None,
            partitions: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            statement_bytes: 1_000_000,
            statement_tokens: 50_000,
            statement_depth: 1_000,
            planning_seconds: 10,
            statement_seconds: 3_600,
            store_seconds: 5,
            pending_statements: 1_024,
            pending_mib: 256,
            ticket_seconds: 300,
        }
    }
}

impl Limits {
    /// Memory in MiB that one query may reserve.
    pub fn memory_of_statement(&self) -> usize {
        self.statement_memory_mib.unwrap_or_else(|| (self.memory_mib / 2).max(1)).min(self.memory_mib)
    }

    pub(super) fn resolve(&mut self, base: &Path) {
        if let Some(dir) = &mut self.spill_dir {
            *dir = base.join(&*dir);
        }
    }
}
