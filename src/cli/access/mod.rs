//! `meshgate access`: who sees what, answered from files alone; no server, no data unless asked for.

mod diff;
mod explain;

use clap::Subcommand;

/// Who sees what, answered from the catalogs alone
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Who gains and who loses between two states of the catalogs: folders or git revisions
    Diff(diff::Args),
    /// Why somebody sees what a statement reads as they do: rows and columns, with the policies that decide
    Explain(explain::Args),
}

/// Runs the command; answers the exit code.
pub async fn run(args: Args) -> u8 {
    match args.action {
        Action::Diff(args) => diff::run(&args).await,
        Action::Explain(args) => explain::run(&args).await,
    }
}
