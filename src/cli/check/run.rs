//! Loads a folder, asks everything of it, tells what was found.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::report::{Format, Report, Tests};
use super::suite::{self, Bench};
use super::{coverage, data, mutants, people};
use crate::diagnostic::{Diagnostic, Kind, Severity};
use crate::mesh::{Files, load, missing_governance};
use crate::policy::{PolicyStore, Principals};
use crate::telemetry::Clock;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder with `mesh.yaml`, `governance/` and one folder for each domain [default: catalogs; with `--data` that of the
    /// configuration].
    pub(super) folder: Option<PathBuf>,
    /// Who access is asked about (YAML, or a users file): tells products that none of them can read or edit.
    #[arg(long, value_name = "FILE")]
    pub(super) principals: Option<PathBuf>,
    /// How findings are told.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    /// Names policies and conditions that no test makes decide both ways.
    #[arg(long)]
    pub(super) coverage: bool,
    /// Drops one condition at a time and tells which of them no test misses.
    #[arg(long)]
    pub(super) mutate: bool,
    /// Opens each served product with the stores of the configuration, and reads it whole: files, rows, and for each column how many
    /// values break the contract, with the first record. For operators: applies no policy, and shows no value.
    #[arg(long)]
    pub(super) data: bool,
    /// The configuration whose stores `--data` reads [default: meshgate.toml].
    #[arg(long, value_name = "FILE", requires = "data")]
    pub(super) config: Option<PathBuf>,
    /// Warnings fail too.
    #[arg(long)]
    pub(super) strict: bool,
}

/// Answers the exit code: 0, or 1 for any error (with `--strict` for any finding).
pub async fn command(args: Args) -> u8 {
    let (code, text) = answer(&args).await;
    // A closed pipe (`| head`) is no reason to fail otherwise than the findings say.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
    code
}

/// The exit code, and what to print.
pub(super) async fn answer(args: &Args) -> (u8, String) {
    let mut report = Report::default();
    if let Err(findings) = Box::pin(fill(args, &mut report)).await {
        report.findings.extend(findings);
    }
    let fails = report.count(Severity::Error) > 0 || args.strict && report.count(Severity::Warning) > 0;
    (u8::from(fails), report.render(args.format))
}

/// What ends the check early is an error here; everything else goes to the report.
async fn fill(args: &Args, report: &mut Report) -> Result<(), Vec<Diagnostic>> {
    let one = |finding: Diagnostic| vec![finding];
    let config = args.config.as_deref().unwrap_or(Path::new("meshgate.toml"));
    let config = if args.data { Some(data::configuration(config).map_err(one)?) } else { None };
    let configured = config.as_ref().map(|config| config.catalogs.clone());
    let folder = args.folder.clone().or(configured).unwrap_or_else(|| PathBuf::from("catalogs"));
    let files = Files::read(&folder).map_err(one)?;
    let snapshot = Arc::new(load(&files)?);
    report.products = snapshot.products.len() + snapshot.faults.len();
    report.findings.extend(snapshot.findings.iter().cloned());
    report.findings.extend(missing_governance(&files, &snapshot.mesh));
    let policies = PolicyStore::load(&files, &snapshot);
    report.findings.extend(policies.findings().iter().cloned());
    report.findings.extend(policies.dead(&snapshot));
    if let Some(path) = &args.principals {
        match Principals::load(path) {
            Ok(principals) => {
                report.findings.extend(principals.check(&[&snapshot.mesh]));
                let now = Clock::real().unix_millis();
                report.findings.extend(people::findings(&snapshot, &policies, &principals, now));
            }
            Err(findings) => report.findings.extend(findings),
        }
    }
    if let Some(config) = &config {
        let (surveyed, findings) = Box::pin(data::survey(config, &snapshot)).await.map_err(one)?;
        report.data = Some(surveyed);
        report.findings.extend(findings);
    }
    let (tests, findings) = suite::read(&files, &snapshot);
    report.findings.extend(findings);
    // Nothing is served then, and that is said already.
    if policies.refuses_to_serve() || tests.is_empty() && !args.coverage && !args.mutate {
        return Ok(());
    }
    let bench = Bench::new().map_err(one)?;
    let stated = policies.stated(&files);
    let stage = bench.stage(&snapshot, policies);
    let mut count = Tests::default();
    for test in &tests {
        let failures = stage.run(test).await.unwrap_or_else(|error| {
            let message = format!("test `{}` cannot be run: {}", test.name, error.message);
            vec![Diagnostic { message, ..error }.at(test.place.clone())]
        });
        *(if failures.is_empty() { &mut count.passed } else { &mut count.failed }) += 1;
        report.findings.extend(failures);
    }
    let failed = count.failed;
    report.tests = Some(count);
    if args.coverage {
        report.coverage = Some(coverage::measure(&stage, &stated, &tests));
    }
    if args.mutate && failed > 0 {
        let message = format!("no condition was dropped: {failed} tests fail without that");
        report.findings.push(Diagnostic::warning(Kind::Invalid, message).hint("mend them, then ask again"));
    } else if args.mutate {
        let made = mutants::run(&bench, &files, &snapshot, &stage, &stated, &tests).await;
        report.mutants = Some(made.map_err(one)?);
    }
    Ok(())
}
