//! What time it is, handed in, so that tests decide it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// The wall clock, or one that a test moves. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    manual: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    pub fn real() -> Self {
        Self { manual: None }
    }

    /// Stands still at this many milliseconds since the Unix epoch until [`Clock::advance`] is called.
    pub fn manual(unix_millis: i64) -> Self {
        Self { manual: Some(Arc::new(AtomicI64::new(unix_millis))) }
    }

    /// Moves a manual clock; the machine's clock goes on by itself.
    pub fn advance(&self, by: Duration) {
        if let Some(now) = &self.manual {
            now.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn unix_millis(&self) -> i64 {
        match &self.manual {
            Some(now) => now.load(Ordering::SeqCst),
            None =>
            {
                #[expect(clippy::disallowed_methods, reason = "the clock is where the wall clock is read")]
                chrono::Utc::now().timestamp_millis()
            }
        }
    }

    /// Milliseconds since the Unix epoch, this long from now.
    pub fn unix_millis_after(&self, after: Duration) -> i64 {
        self.unix_millis().saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(1_000);
        let copy = clock.clone();
        assert_eq!(copy.unix_millis(), 1_000);
        clock.advance(Duration::from_secs(2));
        assert_eq!(copy.unix_millis(), 3_000);
        assert_eq!(copy.unix_millis_after(Duration::from_millis(5)), 3_005);
    }
}
