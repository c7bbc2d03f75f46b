//! How large patterns are once their repetitions are written out.

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use regex_syntax::hir::{Hir, HirKind};

/// What a pattern is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Regex,
    Like,
}

/// States of the patterns of one argument.
pub(super) struct Patterns(Vec<u64>);

impl Patterns {
    pub fn read(array: &ArrayRef, dialect: Dialect) -> Result<Self> {
        if !matches!(array.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
            return Ok(Self(Vec::new()));
        }
        let texts = cast(array, &DataType::LargeUtf8)?;
        let texts = texts.as_string::<i64>();
        let mut last: Option<(&str, u64)> = None;
        let states = texts.iter().map(|text| {
            let text = text.unwrap_or_default();
            if let Some((before, states)) = last
                && before == text
            {
                return states;
            }
            let states = match dialect {
                Dialect::Regex => regex_states(text),
                Dialect::Like => like_states(text),
            };
            last = Some((text, states));
            states
        });
        Ok(Self(states.collect()))
    }

    pub fn states(&self, row: usize) -> u64 {
        self.0.get(row).copied().unwrap_or(1)
    }

    /// Of the largest pattern.
    pub fn most(&self) -> u64 {
        self.0.iter().copied().max().unwrap_or(1)
    }
}

/// A text that is no expression has one state; the engine says what is wrong with it.
fn regex_states(text: &str) -> u64 {
    regex_syntax::Parser::new().parse(text).map_or(1, |hir| written_out(&hir))
}

fn written_out(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(_) => 2,
        HirKind::Capture(capture) => written_out(&capture.sub).saturating_add(2),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or_else(|| repetition.min.saturating_add(1)).max(1);
            written_out(&repetition.sub).saturating_add(1).saturating_mul(u64::from(times))
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(written_out).fold(1, u64::saturating_add)
        }
    }
}

/// Without a sign in the middle it is a comparison, not a search.
fn like_states(text: &str) -> u64 {
    let middle = text.trim_matches('%');
    if middle.contains(['%', '_']) { middle.len() as u64 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_count_written_out() {
        assert_eq!(regex_states("abc"), 3);
        assert!(regex_states("(a{100}){100}") >= 10_000);
        assert!(
            regex_states(&format!("{}a{}", "(".repeat(6), "{100})".repeat(6).replace("{100})", "){100}"))) > 1 << 36
        );
        assert!(regex_states(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{12}") < 100);
        assert_eq!(regex_states("(a"), 1);
        assert_eq!(like_states("%abc%"), 1);
        assert_eq!(like_states(&"%a".repeat(5_000)), 9_999);
    }
}
