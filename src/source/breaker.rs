//! A circuit breaker: a store that has fallen silent is not asked until a pause has passed, and then by one request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Requests in a row that a silent store may leave unanswered before it is not asked any more.
const FAILURES: u32 = 3;

/// Closed while the store answers; open after [`FAILURES`] silences in a row; half open once its pause has passed, for one probe.
#[derive(Debug)]
pub(super) struct Breaker {
    /// What the owner's log calls the store.
    name: String,
    pause: Duration,
    state: Mutex<Circuit>,
}

#[derive(Debug, Default)]
struct Circuit {
    /// In a row.
    failures: u32,
    /// Set while the circuit is open; the pause ends then.
    open_until: Option<Instant>,
    probing: bool,
    /// The last request was not answered.
    silent: bool,
    /// How many passes are under way whose failures do not count.
    lenient: usize,
}

impl Breaker {
    pub(super) fn new(name: String, pause: Duration) -> Arc<Self> {
        Arc::new(Self { name, pause, state: Mutex::default() })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Circuit> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leave to ask the store once; `None` while the circuit is open.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Attempt> {
        let mut state = self.state();
        let probe = match state.open_until {
            None => false,
            Some(until) if state.probing || Instant::now() < until => return None,
            Some(_) => true,
        };
        state.probing |= probe;
        Some(Attempt { breaker: Arc::clone(self), probe })
    }

    /// The store answered, whatever it said.
    fn note_answer(&self) {
        let mut state = self.state();
        state.silent = false;
        state.failures = 0;
        state.probing = false;
        if state.open_until.take().is_some() {
            tracing::info!(target: "meshgate::product", store = self.name, "the store answers again");
        }
    }

    /// The store did not answer.
    pub(super) fn note_silence(&self, probe: bool) {
        let mut state = self.state();
        state.silent = true;
        if probe {
            state.probing = false;
            state.open_until = Some(Instant::now() + self.pause);
            return;
        }
        if state.open_until.is_some() || state.lenient > 0 {
            return;
        }
        state.failures += 1;
        if state.failures >= FAILURES {
            state.open_until = Some(Instant::now() + self.pause);
            tracing::error!(
                target: "meshgate::product",
                store = self.name,
                pause_seconds = self.pause.as_secs_f64(),
                "the store does not answer; it is asked again after a pause"
            );
        }
    }

    /// True if the last request was not answered.
    pub(super) fn is_silent(&self) -> bool {
        self.state().silent
    }

    /// Until the answer is dropped, silence does not open the circuit.
    pub(super) fn be_lenient(self: &Arc<Self>) -> Lenience {
        self.state().lenient += 1;
        Lenience(Arc::clone(self))
    }
}

/// Leave to ask a store once. Dropped without an outcome it is as if nobody had asked.
#[derive(Debug)]
pub(super) struct Attempt {
    breaker: Arc<Breaker>,
    probe: bool,
}

impl Attempt {
    pub(super) fn succeed(mut self) {
        self.probe = false;
        self.breaker.note_answer();
    }

    pub(super) fn fail(mut self) {
        self.breaker.note_silence(std::mem::take(&mut self.probe));
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.state().probing = false;
        }
    }
}

/// See [`Breaker::be_lenient`].
#[derive(Debug)]
pub(super) struct Lenience(Arc<Breaker>);

impl Drop for Lenience {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.lenient = state.lenient.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    fn broken(pause: Duration) -> Arc<Breaker> {
        let breaker = Breaker::new("s3://lake/".to_owned(), pause);
        for _ in 0..FAILURES {
            breaker.admit().expect("the circuit is closed").fail();
        }
        breaker
    }

    #[test]
    fn silences_in_a_row_open_the_circuit() {
        let breaker = Breaker::new("s3://lake/".to_owned(), LONG);
        for _ in 0..FAILURES * 3 {
            breaker.admit().unwrap().fail();
            breaker.admit().unwrap().fail();
            breaker.admit().unwrap().succeed();
        }
        assert!(breaker.admit().is_some(), "an answer starts the count again");
        assert!(broken(LONG).admit().is_none());
    }

    #[test]
    fn one_probe_heals_or_waits_again() {
        let breaker = broken(Duration::ZERO);
        let probe = breaker.admit().expect("the pause has passed");
        assert!(breaker.admit().is_none(), "one request asks for all");
        drop(probe);
        let probe = breaker.admit().expect("a probe that was called off leaves its place");
        probe.fail();
        breaker.admit().expect("the next pause has passed").succeed();
        let (one, two) = (breaker.admit(), breaker.admit());
        assert!(one.is_some() && two.is_some(), "closed again");
    }

    #[test]
    fn failed_probe_begins_another_pause() {
        let breaker = broken(Duration::ZERO);
        let probe = breaker.admit().unwrap();
        let mut slow = Arc::into_inner(broken(LONG)).unwrap();
        slow.state = Mutex::new(Circuit { open_until: Some(Instant::now()), ..Circuit::default() });
        let slow = Arc::new(slow);
        slow.admit().unwrap().fail();
        assert!(slow.admit().is_none());
        probe.succeed();
    }

    #[test]
    fn lenient_passes_open_nothing() {
        let breaker = Breaker::new("s3://lake/".to_owned(), LONG);
        let lenience = breaker.be_lenient();
        for _ in 0..FAILURES * 2 {
            breaker.admit().unwrap().fail();
        }
        assert!(breaker.is_silent());
        drop(lenience);
        for _ in 0..FAILURES {
            breaker.admit().unwrap().fail();
        }
        assert!(breaker.admit().is_none(), "those of readers count as ever");
    }
}
