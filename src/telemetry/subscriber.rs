//! Where log lines go.

use std::io::IsTerminal;
use std::panic::{PanicHookInfo, set_hook};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

/// Crates that write headers and bodies to their logs, passwords and tokens among them.
const TRANSPORT: [&str; 9] =
    ["h2", "hyper", "hyper_util", "tonic", "tower", "reqwest", "rustls", "object_store", "want"];

/// Sends log lines to standard error: text on a terminal, JSON elsewhere. `filter` is in the syntax of `RUST_LOG`, for example
/// `meshgate=debug`. Whatever it says, the transport is heard only from `info` upwards. A second call changes nothing.
pub fn init(filter: Option<&str>, default: &str) {
    let chosen = filter.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(default));
    let lines = tracing_subscriber::registry().with(chosen).with(filter_fn(keeps_secrets));
    let installed = if std::io::stderr().is_terminal() {
        lines.with(fmt::layer().with_writer(std::io::stderr)).try_init()
    } else {
        lines.with(fmt::layer().json().with_writer(std::io::stderr)).try_init()
    };
    // Already installed: tests start several gateways in one process.
    if installed.is_ok() {
        set_hook(Box::new(tell_of_panic));
    }
}

fn keeps_secrets(line: &Metadata<'_>) -> bool {
    let of = line.target().split("::").next().unwrap_or_default();
    *line.level() <= Level::INFO || !TRANSPORT.contains(&of)
}

/// The place only: the text of a panic may quote a value.
fn tell_of_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(place, thread = thread.name().unwrap_or_default(), "the program panicked");
}

/// A short random id that joins what a caller reads with the line in the log.
pub fn correlation_id() -> String {
    format!("{:012x}", rand::random::<u64>() >> 16)
}
