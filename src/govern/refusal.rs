//! What a reader learns of a failure below the policy: that there was one. The detail goes to the owner's log.

use std::fmt::Display;

use datafusion::common::DataFusionError;

use crate::diagnostic::{Diagnostic, Kind};
use crate::source::Replaced;
use crate::telemetry::correlation_id;

/// Logs the detail under a fresh correlation id and answers with the id alone.
pub(super) fn opaque(table: &str, detail: &dyn Display) -> DataFusionError {
    let id = correlation_id();
    tracing::error!(target: "meshgate::product", product = table, correlation_id = id, detail = %detail, "product read failed");
    let told = Diagnostic::error(Kind::Internal, format!("product read failed (`{table}`, correlation id {id})"))
        .hint("give the id to the product's owner: the detail is in the gateway's log");
    DataFusionError::External(Box::new(told))
}

/// As [`opaque`], but what the reader can do something about is said as such: the query's own memory does not suffice, or the owner
/// replaced files just now.
pub(super) fn opaque_run(table: &str, error: &DataFusionError) -> DataFusionError {
    if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) {
        tracing::warn!(target: "meshgate::product", product = table, detail = %error, "no memory left to read a product");
        return DataFusionError::ResourcesExhausted(format!("the query's memory does not suffice to read `{table}`"));
    }
    if is_replaced(error) {
        tracing::warn!(target: "meshgate::product", product = table, detail = %error, "a product changed while it was read");
        let told = Diagnostic::error(Kind::Unavailable, format!("the product changed while it was read (`{table}`)"));
        return DataFusionError::External(Box::new(told.hint("ask again: the next query reads what is there now")));
    }
    opaque(table, error)
}

fn is_replaced(error: &DataFusionError) -> bool {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.into_iter().any(|error| error.downcast_ref::<Replaced>().is_some())
}
