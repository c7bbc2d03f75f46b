//! Signals, on a thread of their own: a process that is asked to end does so in time, whatever its other threads are busy with.

use std::pin::pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::diagnostic::{Diagnostic, Kind, Result};

/// How long the orderly end may take after the drain time, before the process is ended by force.
const AFTER_DRAIN: Duration = Duration::from_millis(1_500);
/// How long cleaning up may hold a forced end.
const CLEANING: Duration = Duration::from_millis(400);

/// Which signals end the process, and when.
#[derive(Debug, Clone, Copy)]
pub struct Signals {
    /// How long the work under way may take after the first signal.
    pub drain: Duration,
    /// SIGINT ends it; false beside a prompt, where Ctrl-C is for the running statement.
    pub interrupt: bool,
    /// SIGHUP ends it: it lives and dies with its terminal. Otherwise the signal is only logged.
    pub hangup: bool,
}

type Cleaning = Arc<Mutex<Vec<Box<dyn FnOnce() + Send>>>>;

/// Whether the process has been asked to end. A second request, or a drain that takes too long, ends it by force.
pub struct EndRequest {
    asked: CancellationToken,
    cleaning: Cleaning,
}

impl EndRequest {
    /// Catches the signals from now on. One that the parent process ignores, as `nohup` does with SIGHUP, stays ignored.
    ///
    /// # Errors
    /// `Unavailable` when the system has no thread left.
    pub fn watch(signals: Signals) -> Result<Self> {
        let (asked, cleaning) = (CancellationToken::new(), Cleaning::default());
        let (watching, watched) = channel();
        let (ask, clean) = (asked.clone(), Arc::clone(&cleaning));
        let started = thread::Builder::new().name("signals".to_owned()).spawn(move || {
            if let Err(error) = run(signals, &watching, &ask, &clean) {
                // Nobody waits for it once the signals are caught.
                let _ = watching.send(Err(error));
            }
        });
        let caught = started.and_then(|_| watched.recv().unwrap_or_else(|error| Err(std::io::Error::other(error))));
        caught.map_err(|error| Diagnostic::error(Kind::Unavailable, format!("cannot watch for signals: {error}")))?;
        Ok(Self { asked, cleaning })
    }

    /// Resolves when the process has been asked to end.
    pub fn asked(&self) -> impl Future<Output = ()> + Send + use<> {
        self.asked.clone().cancelled_owned()
    }

    /// What a forced end does first.
    pub fn before_forced_end(&self, clean: impl FnOnce() + Send + 'static) {
        self.cleaning.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(clean));
    }
}

/// The signals of one process; none is never received.
struct Caught {
    terminate: Signal,
    interrupt: Option<Signal>,
    hangup: Option<Signal>,
}

enum Received {
    Hangup,
    Other,
}

impl Caught {
    fn new(signals: Signals) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signals.interrupt.then(|| signal(SignalKind::interrupt())).transpose()?,
            hangup: (!ignores_hangup()).then(|| signal(SignalKind::hangup())).transpose()?,
        })
    }

    async fn next(&mut self) -> Received {
        tokio::select! {
            Some(()) = self.terminate.recv() => Received::Other,
            Some(()) = received(&mut self.interrupt) => Received::Other,
            Some(()) = received(&mut self.hangup) => Received::Hangup,
            else => std::future::pending().await,
        }
    }
}

async fn received(signal: &mut Option<Signal>) -> Option<()> {
    signal.as_mut()?.recv().await
}

fn run(
    signals: Signals,
    watching: &Sender<std::io::Result<()>>,
    ask: &CancellationToken,
    cleaning: &Cleaning,
) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut caught = Caught::new(signals)?;
        let _ = watching.send(Ok(()));
        until_asked(signals, &mut caught).await;
        ask.cancel();
        let mut late = pin!(sleep(signals.drain + AFTER_DRAIN));
        tokio::select! {
            () = &mut late => {}
            () = until_asked(signals, &mut caught) => {}
        }
        end_by_force(cleaning)
    })
}

async fn until_asked(signals: Signals, caught: &mut Caught) {
    loop {
        match caught.next().await {
            Received::Hangup if !signals.hangup => tracing::info!("SIGHUP: there is nothing to reload yet"),
            Received::Hangup | Received::Other => return,
        }
    }
}

/// Nothing here may wait without end: not for a log that nobody reads, and not for a disk.
fn end_by_force(cleaning: &Cleaning) -> ! {
    let cleaning = std::mem::take(&mut *cleaning.lock().unwrap_or_else(PoisonError::into_inner));
    let (done, cleaned) = channel::<()>();
    let helper = thread::Builder::new().spawn(move || {
        tracing::warn!("the process is ended by force");
        for clean in cleaning {
            clean();
        }
        drop(done);
    });
    if helper.is_ok() {
        let _ = cleaned.recv_timeout(CLEANING);
    }
    std::process::exit(1)
}

/// As Linux tells it: the mask of ignored signals, in which SIGHUP is the lowest bit.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
