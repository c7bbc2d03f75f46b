//! What a reader learns of a failure below the policy: that there was one. The detail goes to the owner's log.

use std::fmt::Display;

use datafusion::common::DataFusionError;

use super::openings::Openings;
use super::promise::BrokenPromise;
use crate::diagnostic::{Diagnostic, Kind};
use crate::engine::CalledOff;
use crate::engine::memory::ExceededLimit;
use crate::source::{Damaged, Replaced, is_silent};
use crate::telemetry::correlation_id;

/// Logs the detail under a fresh correlation id and answers with the id alone.
pub(super) fn opaque(table: &str, detail: &dyn Display) -> DataFusionError {
    DataFusionError::External(Box::new(failed(table, detail)))
}

fn failed(table: &str, detail: &dyn Display) -> Diagnostic {
    let id = correlation_id();
    tracing::error!(target: "meshgate::product", product = table, correlation_id = id, detail = %detail, "product read failed");
    Diagnostic::error(Kind::Internal, format!("product read failed (`{table}`, correlation id {id})"))
        .hint("give the id to the product's owner: the detail is in the gateway's log")
}

/// Why a product could not be opened, by its kind. That its storage does not answer now is said as such, since asking again may help.
pub(super) fn unavailable(table: &str, contact: Option<&str>, why: &Diagnostic) -> Diagnostic {
    match why.kind {
        Kind::Unavailable | Kind::Deadline => silent(table, why),
        Kind::Stale => changed(table, why),
        Kind::Invalid | Kind::Unsupported => unkept(table, contact, why),
        _ => failed(table, why),
    }
}

/// The product's data, or a column of it, is not what its contract promises, or asks more of a reader than the gateway offers. Its
/// owner can mend it.
pub(super) fn unkept(table: &str, contact: Option<&str>, why: &Diagnostic) -> Diagnostic {
    let id = correlation_id();
    tracing::error!(target: "meshgate::product", product = table, correlation_id = id, detail = %why, "product breaks its promise");
    let (kind, what) = if why.kind == Kind::Unsupported {
        (Kind::Unsupported, "the product's files need a feature that this gateway does not offer")
    } else {
        (Kind::Broken, "the product's data is not what its contract promises")
    };
    let owner = contact.unwrap_or("the product's owner");
    Diagnostic::error(kind, format!("{what} (`{table}`, correlation id {id})"))
        .hint(format!("give the id to {owner}: the detail is in the gateway's log"))
}

fn changed(table: &str, detail: &dyn Display) -> Diagnostic {
    tracing::warn!(target: "meshgate::product", product = table, detail = %detail, "a product changed while it was read");
    Diagnostic::error(Kind::Unavailable, format!("the product changed while it was read (`{table}`)"))
        .hint("ask again: the next query reads what is there now")
}

fn silent(table: &str, detail: &dyn Display) -> Diagnostic {
    let id = correlation_id();
    tracing::error!(target: "meshgate::product", product = table, correlation_id = id, detail = %detail, "product is unavailable");
    let told = format!("the product cannot be read now (`{table}`, correlation id {id})");
    Diagnostic::error(Kind::Unavailable, told).hint(
        "try again in a moment; if it stays so, give the id to the product's owner: the detail is in the gateway's log",
    )
}

/// As [`opaque`], but what the reader can do something about is said as such: the query's own memory does not suffice, the owner
/// replaced a file just now, a file is damaged, or the storage does not answer.
pub(super) fn opaque_run(
    table: &str,
    contact: Option<&str>,
    openings: Option<&Openings>,
    error: &DataFusionError,
) -> DataFusionError {
    if CalledOff::is_cause_of(error) {
        return CalledOff::error();
    }
    if let Some(promise) = BrokenPromise::find(error) {
        tracing::warn!(target: "meshgate::product", product = table, column = promise.column, "a value is not as promised");
        return DataFusionError::External(Box::new(promise.diagnostic()));
    }
    if let Some(limit) = ExceededLimit::find(error) {
        tracing::warn!(target: "meshgate::product", product = table, detail = %error, "no memory left to read a product");
        return limit.refusal();
    }
    if is_replaced(error) {
        if let Some(openings) = openings {
            openings.note_replaced_file();
        }
        return DataFusionError::External(Box::new(changed(table, error)));
    }
    if is_silent(error) {
        return DataFusionError::External(Box::new(silent(table, error)));
    }
    if let Some(damaged) = Damaged::find(error) {
        let why = Diagnostic::error(Kind::Invalid, damaged.to_string());
        return DataFusionError::External(Box::new(unkept(table, contact, &why)));
    }
    opaque(table, error)
}

fn is_replaced(error: &DataFusionError) -> bool {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.into_iter().any(|error| error.downcast_ref::<Replaced>().is_some())
}
