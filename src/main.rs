//! `meshgate`: a switch over subcommands.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use clap::Parser;
use meshgate::cli::{self, Cli};
use mimalloc::MiMalloc;

// A decision of policy is mostly small allocations; docs/PERFORMANCE.md has the figures.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long mimalloc keeps freed memory from the system, in milliseconds. Its default is a second: statements that hold and free a lot
/// then take twice what they reserve.
const PURGE_DELAY: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "10");

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.serves() {
        set_purge_delay();
    }
    ExitCode::from(cli::run(cli))
}

/// Starts this program again in the same process, unless the delay is set. mimalloc reads it from the environment, before `main`.
fn set_purge_delay() {
    let (name, milliseconds) = PURGE_DELAY;
    let mut args = env::args_os();
    let (None, Some(called), Ok(program)) = (env::var_os(name), args.next(), env::current_exe()) else { return };
    // It comes back only if it fails. Then the process serves as it is, and memory is given back later.
    let _ = Command::new(program).arg0(called).args(args).env(name, milliseconds).exec();
}
