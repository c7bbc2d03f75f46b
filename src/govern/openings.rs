//! What one execution of a statement has opened: each product once, so that every place that names it sees one version.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::time::timeout;

use super::refusal::unavailable;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::mesh::TableEntry;
use crate::source::{Open, RawTable};

/// Products opened at once for one statement.
const AT_ONCE: usize = 16;

/// A product that a plan reads and nobody has opened for it.
#[derive(Clone)]
pub(in crate::govern) struct Unopened {
    pub entry: TableEntry,
    pub source: Arc<dyn Open>,
    /// Whom a reader asks who cannot be answered.
    pub contact: Option<String>,
}

impl Unopened {
    /// True for two names of the same data: a plain one and the one of its version.
    pub(in crate::govern) fn is_same(&self, other: &TableEntry) -> bool {
        is_same(&self.entry, other)
    }

    async fn open(self, within: Duration) -> Result<(TableEntry, Arc<RawTable>)> {
        let (table, contact) = (self.entry.table.to_string(), self.contact.as_deref());
        match timeout(within, self.source.open(&self.entry)).await {
            Ok(Ok(raw)) => Ok((self.entry, raw)),
            Ok(Err(why)) => Err(unavailable(&table, contact, &why)),
            Err(_) => {
                let why = format!("it was not open after {} ms", within.as_millis());
                Err(unavailable(&table, contact, &Diagnostic::error(Kind::Deadline, why)))
            }
        }
    }
}

impl fmt::Debug for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.entry.table)
    }
}

fn is_same(one: &TableEntry, other: &TableEntry) -> bool {
    Arc::ptr_eq(&one.product, &other.product) && one.dataset == other.dataset
}

/// The products of one execution, opened. An extension of its session configuration: table providers live as long as a login's view
/// and open nothing themselves.
pub struct Openings {
    opened: Vec<(TableEntry, Arc<RawTable>)>,
    met_replaced_file: AtomicBool,
}

impl Openings {
    /// Opens each of them once, at the same time, within a limit.
    ///
    /// # Errors
    /// What a reader may know of the first that cannot be opened.
    pub(in crate::govern) async fn open(unopened: &[Unopened], within: Duration) -> Result<Arc<Self>> {
        let openings = stream::iter(unopened.to_vec()).map(|product| product.open(within));
        let opened = openings.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(Arc::new(Self { opened, met_replaced_file: AtomicBool::new(false) }))
    }

    pub(in crate::govern) fn of(&self, entry: &TableEntry) -> Option<&Arc<RawTable>> {
        self.opened.iter().find(|(opened, _)| is_same(opened, entry)).map(|(_, raw)| raw)
    }

    /// Notes that a file was replaced after it was opened.
    pub(in crate::govern) fn note_replaced_file(&self) {
        self.met_replaced_file.store(true, Ordering::Relaxed);
    }

    /// True once the execution has read a file that was replaced after it was opened: other openings would see what is there now.
    pub fn met_replaced_file(&self) -> bool {
        self.met_replaced_file.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Openings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.opened.iter().map(|(entry, _)| entry.table.to_string());
        f.debug_list().entries(tables).finish()
    }
}
