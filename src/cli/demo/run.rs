//! `meshgate demo`: prepare, serve, and a REPL beside it.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::banner;
use super::prepare::prepare;
use crate::cli::output::{complain, fail, say};
use crate::cli::serve::bind;
use crate::cli::signals::{EndRequest, Signals};
use crate::cli::sql;
use crate::client::Login;
use crate::config::Config;
use crate::diagnostic::{Diagnostic, Kind, Result, render_human};
use crate::gateway::{Admission, Gateway, serve};
use crate::telemetry::Clock;

/// The demo ends at once: nobody waits for its queries.
const DRAIN: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for the demo's catalogs and data; made once, then used as it stands.
    #[arg(long, default_value = ".meshgate/demo")]
    dir: PathBuf,
    /// Address on loopback; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:8815")]
    listen: SocketAddr,
    /// Size of the data; 1 makes 500,000 orders.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Serve until SIGINT or SIGTERM instead of opening the REPL.
    #[arg(long)]
    no_repl: bool,
    /// Make the folder and end, without serving it.
    #[arg(long, conflicts_with = "no_repl")]
    prepare_only: bool,
}

pub async fn run(args: Args) -> u8 {
    match demo(args).await {
        Ok(code) => code,
        Err(diagnostic) => fail(&diagnostic),
    }
}

async fn demo(args: Args) -> Result<u8> {
    if !args.listen.ip().is_loopback() {
        return Err(Diagnostic::error(
            Kind::Invalid,
            format!("the demo's passwords are public, so it does not listen on {}", args.listen),
        )
        .hint("listen on loopback, or serve your own mesh with `meshgate serve --config meshgate.toml`"));
    }
    let dir = args.dir.clone();
    let prepared = tokio::task::spawn_blocking(move || {
        if !dir.join("meshgate.toml").exists() {
            say(&format!("making the demo's data in {} …", dir.display()));
        }
        prepare(&dir, args.scale)
    })
    .await
    .map_err(|_| Diagnostic::error(Kind::Internal, "the demo's data could not be made"))??;
    if args.prepare_only {
        say(&format!("{} is ready to be served", prepared.config.display()));
        return Ok(0);
    }
    let mut config = Config::load(&prepared.config)?;
    config.listen.address = args.listen;
    let listener = bind(&config).await?;
    let has_prompt = !args.no_repl && std::io::stdin().is_terminal();
    let end = EndRequest::watch(Signals { drain: DRAIN, interrupt: !has_prompt, hangup: true })?;
    let gateway = Gateway::build(&config, Clock::real())?;
    let engine = Arc::clone(gateway.sessions().engine());
    end.before_forced_end(move || engine.remove_spilled());
    for finding in gateway.findings() {
        complain(&render_human(finding));
    }
    gateway.verify().await;
    let address = listener.local_addr().map_err(|error| Diagnostic::error(Kind::Unavailable, error.to_string()))?;
    say(&banner::products(&gateway.product_rows().await));
    say(&banner::connections(address, prepared.principals));
    let (service, admission) = (gateway.service(), Admission::from(&config.listen));
    if !has_prompt {
        let ended = serve(listener, service, admission, DRAIN, end.asked()).await;
        gateway.sessions().engine().remove_spilled();
        return ended.map(|()| 0);
    }
    let asked = end.asked();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let leave = CancellationToken::new();
    let signalled = leave.clone();
    let server = serve(listener, service, admission, DRAIN, async {
        // The sender goes when the REPL ends; SIGTERM and SIGHUP end both. SIGINT cancels the statement that runs.
        tokio::select! { _ = stopped => {}, () = asked => {} }
        signalled.cancel();
    });
    let repl = async {
        let login = Login::Password { user: "ana".to_owned(), password: SecretString::from("ana") };
        let code = sql::interactive(sql::Options {
            url: format!("grpc://{address}"),
            login,
            purpose: None,
            format: sql::Format::Table,
            stop: leave,
        })
        .await;
        drop(stop);
        code
    };
    let (ended, code) = tokio::join!(server, repl);
    gateway.sessions().engine().remove_spilled();
    ended.map(|()| code)
}
