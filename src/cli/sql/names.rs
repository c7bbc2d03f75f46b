//! The names this principal may see, as the server listed them last.

use std::sync::{Arc, PoisonError, RwLock};

use crate::client::{Client, Table};
use crate::diagnostic::Result;

/// Shared by the shell, which refreshes it, and the completer, which reads it.
#[derive(Debug, Default)]
pub(super) struct Names(RwLock<Arc<Known>>);

#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) domains: Vec<String>,
    pub(super) tables: Vec<Table>,
}

impl Names {
    pub(super) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the server; without an answer the old names stay.
    ///
    /// # Errors
    /// What the server says.
    pub(super) async fn refresh(&self, client: &Client) -> Result<()> {
        let known = Known { domains: client.domains().await?, tables: client.tables(None, None).await? };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
        Ok(())
    }
}
