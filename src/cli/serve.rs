//! `meshgate serve`, and the start that `demo` shares with it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::output::{fail, say};
use super::signals::{EndRequest, Signals};
use crate::config::Config;
use crate::diagnostic::{Diagnostic, Kind, Result, Severity, render_human};
use crate::gateway::{Admission, Gateway, serve};
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
    let drain = Duration::from_secs(config.listen.drain_seconds);
    let end = EndRequest::watch(Signals { drain, interrupt: true, hangup: false })?;
    let gateway = Gateway::build(&config, Clock::real())?;
    let engine = Arc::clone(gateway.sessions().engine());
    end.before_forced_end(move || engine.remove_spilled());
    for finding in gateway.findings() {
        match finding.severity {
            Severity::Error => tracing::error!("{}", render_human(finding)),
            Severity::Warning => tracing::warn!("{}", render_human(finding)),
        }
    }
    let listener = bind(&config).await?;
    let address = listener.local_addr().map_err(|error| Diagnostic::error(Kind::Unavailable, error.to_string()))?;
    say(&format!("meshgate serves the mesh `{}` on grpc://{address}", gateway.mesh()));
    let verification = gateway.verify_in_background();
    let ended = serve(listener, gateway.service(), Admission::from(&config.listen), drain, end.asked()).await;
    drop(verification);
    // Calls that were ended may hold on to the engine, and their threads to their work.
    gateway.sessions().engine().remove_spilled();
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
