//! Where log lines go.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Sends log lines to standard error: text on a terminal, JSON elsewhere. `filter` is in the syntax of `RUST_LOG`, for example
/// `meshgate=debug`. A second call changes nothing.
pub fn init(filter: Option<&str>, default: &str) {
    let chosen = filter.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(chosen).with_writer(std::io::stderr);
    let installed = if std::io::stderr().is_terminal() { builder.try_init() } else { builder.json().try_init() };
    // Already installed: tests start several gateways in one process.
    drop(installed);
}

/// A short random id that joins what a caller reads with the line in the log.
pub fn correlation_id() -> String {
    format!("{:012x}", rand::random::<u64>() >> 16)
}
