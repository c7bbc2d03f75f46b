//! `meshgate serve`, and the start that `demo` shares with it.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::output::{fail, say};
use crate::config::Config;
use crate::diagnostic::{Diagnostic, Kind, Result, Severity, render_human};
use crate::gateway::{Gateway, serve};
use crate::telemetry::Clock;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration; docs/CONFIGURATION.md lists its keys.
    #[arg(long, default_value = "meshgate.toml")]
    config: PathBuf,
}

pub async fn run(args: Args) -> u8 {
    match serve_config(&args).await {
        Ok(()) => 0,
        Err(diagnostic) => fail(&diagnostic),
    }
}

async fn serve_config(args: &Args) -> Result<()> {
    let config = Config::load(&args.config)?;
    config.listen.check()?;
    let gateway = Gateway::build(&config, Clock::real())?;
    for finding in gateway.findings() {
        match finding.severity {
            Severity::Error => tracing::error!("{}", render_human(finding)),
            Severity::Warning => tracing::warn!("{}", render_human(finding)),
        }
    }
    let listener = bind(&config).await?;
    let address = listener.local_addr().map_err(|error| Diagnostic::error(Kind::Unavailable, error.to_string()))?;
    // Before the address is told: whoever has read it may send the signal at once.
    let told_to_stop = stop_signal();
    say(&format!("meshgate serves the mesh `{}` on grpc://{address}", gateway.mesh()));
    let verification = gateway.verify_in_background();
    let drain = Duration::from_secs(config.listen.drain_seconds);
    let ended = serve(listener, gateway.service(), drain, told_to_stop).await;
    verification.abort();
    ended
}

/// Binds the configured address.
///
/// # Errors
/// `Unavailable` for a port that is taken, with what to do.
pub async fn bind(config: &Config) -> Result<TcpListener> {
    let address = config.listen.address;
    TcpListener::bind(address).await.map_err(|error| {
        let diagnostic = Diagnostic::error(Kind::Unavailable, format!("cannot listen on {address}: {error}"));
        match error.kind() {
            std::io::ErrorKind::AddrInUse => diagnostic
                .hint("another program uses this port; stop it, or choose another one: `listen.address` of the configuration, `--listen` of the demo; port 0 picks a free one"),
            std::io::ErrorKind::PermissionDenied => diagnostic.hint("ports below 1024 need privileges; choose a higher one"),
            _ => diagnostic.hint("choose an address of this machine"),
        }
    })
}

/// Resolves at SIGTERM; beside a prompt, where Ctrl-C is for the running statement.
pub fn terminate_signal() -> impl Future<Output = ()> + Send {
    let terminate = signal(SignalKind::terminate());
    async move {
        match terminate {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    }
}

/// Resolves at SIGINT or SIGTERM; both are caught from the call on, not from the first poll.
pub fn stop_signal() -> impl Future<Output = ()> + Send {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async move {
        match signals {
            (Ok(mut interrupt), Ok(mut terminate)) => {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            }
            // Without handlers the default action of the signals ends the process.
            _ => std::future::pending().await,
        }
    }
}
