//! `meshgate`: a switch over subcommands.

use std::process::ExitCode;

use clap::Parser;
use meshgate::cli::{self, Cli};
use mimalloc::MiMalloc;

// A decision of policy is mostly small allocations; docs/PERFORMANCE.md has the figures.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(cli::run(Cli::parse()))
}
