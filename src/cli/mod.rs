//! Subcommands. Each is a face over the library; none has logic that another door would need.

mod access;
pub mod check;
pub mod demo;
mod output;
mod serve;
mod signals;
pub mod sql;
pub mod user;

use clap::{Parser, Subcommand};

use crate::config;
use crate::diagnostic::{Diagnostic, Kind, render_human};
use crate::telemetry;

/// Serves a data mesh as SQL; Cedar policy decides every cell.
#[derive(Debug, Parser)]
#[command(name = "meshgate", version, about, max_term_width = 110)]
pub struct Cli {
    /// What to log, in the syntax of RUST_LOG (also the variable MESHGATE_LOG), for example `meshgate=debug`.
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a demo mesh of four domains, serves it on loopback and opens the REPL.
    Demo(demo::Args),
    /// Serves the mesh of a configuration file.
    Serve(serve::Args),
    /// The SQL REPL, and a scriptable client.
    Sql(sql::Args),
    /// Checks contracts and policies; prints every finding with its place.
    Check(check::Args),
    /// Who sees what, and why; from the catalogs alone.
    Access(access::Args),
    /// Writes the users file.
    User(user::Args),
}

impl Cli {
    /// True where the process is to answer other processes.
    pub fn serves(&self) -> bool {
        matches!(self.command, Command::Demo(_) | Command::Serve(_))
    }
}

/// Runs a subcommand and answers the exit code: 0 done, 1 failed, 2 misuse.
pub fn run(cli: Cli) -> u8 {
    let filter = cli.log.or_else(|| config::environment("MESHGATE_LOG"));
    let default = if matches!(cli.command, Command::Serve(_)) { "meshgate=info,warn" } else { "error" };
    telemetry::init(filter.as_deref(), default);
    match cli.command {
        Command::Demo(args) => on_runtime(demo::run(args)),
        Command::Serve(args) => on_runtime(serve::run(args)),
        Command::Sql(args) => on_runtime(sql::run(args)),
        Command::Check(args) => on_runtime(check::command(args)),
        Command::Access(args) => on_runtime(access::run(args)),
        Command::User(args) => user::run(&args),
    }
}

/// Plans are nested as deep as a statement may be, and are dropped here; what is not used takes no memory.
const STACK_BYTES: usize = 64 << 20;

fn on_runtime(work: impl Future<Output = u8>) -> u8 {
    // Statements run on the engine's own threads; these hold connections, and the REPL.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores + 2)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // A blocked thread (a read from a slow disk) must not hold the exit.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            output::complain(&render_human(&Diagnostic::error(
                Kind::Unavailable,
                format!("the async runtime cannot start: {error}"),
            )));
            1
        }
    }
}
