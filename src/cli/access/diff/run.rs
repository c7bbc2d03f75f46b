//! The command: load both sides, compare, write.

use std::path::PathBuf;

use clap::ValueEnum;

use super::report::Report;
use super::side::Side;
use super::{count, human, json, markdown};
use crate::cli::output::{complain, say};
use crate::diagnostic::{Result, render_human};
use crate::policy::{Described, Principals};
use crate::telemetry::Clock;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0, 1 if somebody gains and `--fail-on widening` is given, 2 if the two sides cannot be compared."
)]
pub struct Args {
    /// Before: a catalog folder, or a git revision as `REVISION` or `REVISION:path` (`catalogs` where no path is given)
    base: String,
    /// After: likewise
    head: String,
    /// Whom to ask about: YAML of `name: { roles, attributes, purpose }`, or a users file (`.toml`)
    #[arg(long, value_name = "FILE")]
    principals: PathBuf,
    /// Count the rows before and after over this data: a `meshgate.toml`, or a folder with one folder for each domain
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// How to write the report
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Exit with 1 where anyone gains anything, or might
    #[arg(long, value_enum, value_name = "WHAT")]
    fail_on: Option<FailOn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines for a terminal.
    Human,
    /// A comment for a pull request.
    Markdown,
    /// One object for a tool.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A gain, or a change that cannot be shown to be none.
    Widening,
}

/// Prints the report; answers the exit code.
pub async fn run(args: &Args) -> u8 {
    match compare(args, &Clock::real()).await {
        Ok(report) => {
            say(&match args.format {
                Format::Human => human::render(&report),
                Format::Markdown => markdown::render(&report),
                Format::Json => json::render(&report),
            });
            u8::from(args.fail_on == Some(FailOn::Widening) && report.widens())
        }
        Err(findings) => {
            for finding in &findings {
                complain(&render_human(finding));
            }
            2
        }
    }
}

async fn compare(args: &Args, clock: &Clock) -> Result<Report, Vec<crate::diagnostic::Diagnostic>> {
    let one = |finding| vec![finding];
    let (base, head) = (Side::load(&args.base).map_err(one)?, Side::load(&args.head).map_err(one)?);
    let principals = Principals::load(&args.principals)?;
    // A word that one of the sides knows is known: roles come and go with the change.
    let unknown = principals.check(&[&base.snapshot.mesh, &head.snapshot.mesh]);
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let people: Vec<&Described> = principals.iter().collect();
    let mut report = Report::of(&base, &head, &people, clock.unix_millis());
    if let Some(data) = &args.data {
        count::count(&mut report, [base, head], &people, data, clock).await.map_err(one)?;
    }
    Ok(report)
}
