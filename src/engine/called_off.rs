//! The error that ends work of a statement which nobody wants any longer.

use std::error::Error;
use std::{fmt, io};

use datafusion::error::DataFusionError;

use crate::diagnostic::{Diagnostic, Kind};

/// Ends work whose statement was cancelled. It is no fault, and no reader sees it.
#[derive(Debug)]
pub struct CalledOff;

impl CalledOff {
    /// As an error of the engine.
    pub fn error() -> DataFusionError {
        DataFusionError::External(Box::new(Self))
    }

    /// As an answer, if anybody still waits for one.
    pub fn diagnostic() -> Diagnostic {
        Diagnostic::error(Kind::Cancelled, "the statement was cancelled").hint("send it again to run it anew")
    }

    /// True if `error` comes from it.
    pub fn is_cause_of(error: &DataFusionError) -> bool {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            // An I/O error skips the error that it holds.
            let held = error.downcast_ref().and_then(io::Error::get_ref);
            if error.is::<Self>() || held.is_some_and(<dyn Error + Send + Sync>::is::<Self>) {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

impl fmt::Display for CalledOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the statement was called off")
    }
}

impl Error for CalledOff {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::error::ArrowError;

    use super::*;

    #[test]
    fn is_found_below_other_errors() {
        let written = DataFusionError::from(ArrowError::from(io::Error::other(CalledOff))).context("sorting");
        for error in [CalledOff::error(), DataFusionError::Shared(Arc::new(CalledOff::error())), written] {
            assert!(CalledOff::is_cause_of(&error), "{error}");
        }
        assert!(!CalledOff::is_cause_of(&DataFusionError::IoError(io::Error::other("the disk is full"))));
    }
}
