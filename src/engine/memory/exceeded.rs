//! Which of our limits a refusal of the engine is about.

use datafusion::common::DataFusionError;

use crate::diagnostic::{Diagnostic, Kind};

/// A limit that a statement ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExceededLimit {
    /// The memory of one statement.
    Statement,
    /// The memory of all statements together.
    AllStatements,
    /// The disk that spilled data may take.
    Spill,
}

impl ExceededLimit {
    const ALL: [Self; 3] = [Self::Statement, Self::AllStatements, Self::Spill];

    /// The configuration key of the limit.
    pub fn key(self) -> &'static str {
        match self {
            Self::Statement => "limits.statement_memory_mib",
            Self::AllStatements => "limits.memory_mib",
            Self::Spill => "limits.spill_mib",
        }
    }

    /// The limit that `error` is about, if it is about one.
    pub fn find(error: &DataFusionError) -> Option<Self> {
        match error.find_root() {
            // The pools name the key. Other refusals come from operators that gave up after a refusal of their statement's pool.
            DataFusionError::ResourcesExhausted(text) => {
                Some(Self::ALL.into_iter().find(|limit| text.contains(limit.key())).unwrap_or(Self::Statement))
            }
            DataFusionError::Collection(all) => all.iter().find_map(Self::find),
            root => root.to_string().contains(SPILL_REFUSAL).then_some(Self::Spill),
        }
    }

    /// The error of a pool. Operators that can spill look for just this variant.
    pub fn refusal(self) -> DataFusionError {
        DataFusionError::ResourcesExhausted(format!("`{}` is reached", self.key()))
    }

    /// The refusal in the reader's words.
    pub fn diagnostic(self) -> Diagnostic {
        let (message, hint) = match self {
            Self::Statement => (
                "the query needs more memory than it may take",
                "select fewer columns or rows, or ask the operator to raise `limits.statement_memory_mib`, and `limits.memory_mib` above it",
            ),
            Self::AllStatements => (
                "the queries that run now need more memory than all may take together",
                "try again later, select fewer columns or rows, or ask the operator to raise `limits.memory_mib`",
            ),
            Self::Spill => (
                "the queries that run now need more disk for spilled data than all may take together",
                "try again later, select fewer columns or rows, or ask the operator to raise `limits.spill_mib`",
            ),
        };
        Diagnostic::error(Kind::Exhausted, message).hint(hint)
    }
}

/// What the engine's disk manager writes into an I/O error when spilled data reaches its limit.
const SPILL_REFUSAL: &str = "The used disk space during the spilling process has exceeded the allowable limit";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn refusal_names_its_limit() {
        for limit in ExceededLimit::ALL {
            let nested = DataFusionError::Shared(Arc::new(limit.refusal().context("sorting")));
            assert_eq!(ExceededLimit::find(&nested), Some(limit));
            let shown = limit.diagnostic();
            assert!(shown.hints.concat().contains(limit.key()), "{limit:?}");
        }
        let disk = DataFusionError::IoError(std::io::Error::other(format!("{SPILL_REFUSAL} of 3 MB.")));
        assert_eq!(ExceededLimit::find(&disk), Some(ExceededLimit::Spill));
        let other = DataFusionError::ResourcesExhausted("an operator gave up".to_owned());
        assert_eq!(ExceededLimit::find(&other), Some(ExceededLimit::Statement));
        assert_eq!(ExceededLimit::find(&DataFusionError::Plan("no table".to_owned())), None);
    }
}
