//! `meshgate`: a switch over subcommands.

use std::process::ExitCode;

use clap::Parser;
use meshgate::cli::{self, Cli};

fn main() -> ExitCode {
    ExitCode::from(cli::run(Cli::parse()))
}
