//! `meshgate access explain`: what `EXPLAIN ACCESS` would answer, from files: the same statement over a mesh whose data is out of reach.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use secrecy::SecretString;

use crate::cli::output::complain;
use crate::cli::sql::{Encoder, Format, render_reasons, report_plain};
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Kind, Result, Severity, did_you_mean, render_human};
use crate::engine::Engine;
use crate::flight::wire_schema;
use crate::govern::{Current, Generation};
use crate::identity::{Principal, UsersFile};
use crate::mesh::{Files, Mesh, Snapshot, TableEntry, load};
use crate::policy::{PolicyStore, Principals};
use crate::query::{Egress, Sessions};
use crate::source::{Open, RawTable};
use crate::telemetry::Clock;

#[derive(Debug, clap::Args)]
#[command(after_help = "Nothing is read but the catalogs and the users or principals file: no server, no data.\n\
    Exit code: 0, or 1 if the statement or the catalogs are refused.")]
pub struct Args {
    /// The principal to answer for, by name
    #[arg(long = "as", value_name = "NAME")]
    who: String,
    /// The purpose that the session would state; without it the one of the principals file, or none
    #[arg(long)]
    purpose: Option<String>,
    /// The users file that says which roles and attributes the principal has
    #[arg(long, value_name = "FILE", default_value = "users.toml")]
    users: PathBuf,
    /// A principals file (YAML) instead, as `access diff` and `check` read it
    #[arg(long, value_name = "FILE", conflicts_with = "users")]
    principals: Option<PathBuf>,
    /// The folder with `mesh.yaml`, `governance/` and one folder for each domain
    #[arg(long, value_name = "DIR", default_value = "catalogs")]
    catalogs: PathBuf,
    /// How the answer is written; `table` is text for people
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The statement, for example "SELECT * FROM sales.orders"
    sql: String,
}

/// Runs the command; answers the exit code.
pub async fn run(args: &Args) -> u8 {
    let question = format!("EXPLAIN ACCESS {}", args.sql.trim());
    match answer(args, &question).await.and_then(|batches| written(args.format, &batches)) {
        Ok(text) => {
            // A closed pipe is no failure of the command.
            let _ = std::io::stdout().lock().write_all(&text);
            0
        }
        Err(diagnostic) => {
            // What has no place in a file may have one in the statement: of what was asked.
            match diagnostic.place {
                Some(_) => complain(&render_human(&diagnostic)),
                None => complain(&report_plain(&diagnostic, &question)),
            }
            1
        }
    }
}

async fn answer(args: &Args, question: &str) -> Result<Vec<RecordBatch>> {
    let (files, snapshot) = mesh_of(&args.catalogs)?;
    let (principal, stated) = match &args.principals {
        Some(file) => on_paper(file, &args.who, &snapshot.mesh)?,
        None => (user(&args.users, &args.who, &snapshot.mesh)?, String::new()),
    };
    let sessions = sessions(&args.catalogs, &files, snapshot)?;
    let session = sessions.open_for(principal, args.purpose.as_ref().unwrap_or(&stated))?;
    let planned = session.plan(question).await?;
    let batches = session.run(&planned, wire_schema(planned.schema())).await?;
    batches.map_ok(Egress::into_inner).try_collect().await
}

/// Who this would be after a login; roles and attributes that the mesh does not know are warned of, as at the start of a gateway.
fn user(users: &Path, name: &str, mesh: &Mesh) -> Result<Principal> {
    let known = Principals::of_users(&UsersFile::load(users)?);
    let found = known.get(name).ok_or_else(|| {
        Diagnostic::error(Kind::NotFound, format!("`{}` has no user `{name}`", users.display()))
            .hint(format!("`meshgate user list --users {}` lists them", users.display()))
    })?;
    for finding in found.check(&[mesh]) {
        complain(&render_human(&Diagnostic { severity: Severity::Warning, ..finding }));
    }
    Ok(found.principal.clone())
}

/// A principal of a principals file, and what their session says it is for.
fn on_paper(file: &Path, name: &str, mesh: &Mesh) -> Result<(Principal, String)> {
    let first = |findings: Vec<Diagnostic>| findings.into_iter().next();
    let principals = Principals::load(file).map_err(|findings| {
        let none = || Diagnostic::error(Kind::Invalid, format!("cannot read `{}`", file.display()));
        first(findings).unwrap_or_else(none)
    })?;
    let described = principals.get(name).ok_or_else(|| {
        let near = did_you_mean(name, principals.names());
        Diagnostic::error(Kind::NotFound, format!("`{}` has no principal `{name}`", file.display()))
            .hint(near.unwrap_or_else(|| "describe it there: `name: { roles: [analyst] }`".to_owned()))
    })?;
    match first(described.check(&[mesh])) {
        Some(finding) => Err(finding),
        None => Ok((described.principal.clone(), described.purpose.clone())),
    }
}

/// The mesh of a folder as a gateway would serve it, but for its data.
fn sessions(catalogs: &Path, files: &Files, snapshot: Arc<Snapshot>) -> Result<Sessions> {
    let policies = PolicyStore::load(files, &snapshot);
    if policies.refuses_to_serve() {
        return Err(refused(catalogs, policies.findings()));
    }
    let limits = Limits::default();
    let engine = Engine::new(&limits)?;
    // Keys are the operator's, and nothing is hashed here: each domain is taken to have one.
    let keys = snapshot.domains.keys().map(|domain| (domain.clone(), SecretString::from("none"))).collect();
    let generation = Generation::new(snapshot, policies, Arc::new(OutOfReach), keys);
    Ok(Sessions::new(Arc::new(Current::new(generation)), engine, limits, Clock::real()))
}

fn mesh_of(catalogs: &Path) -> Result<(Files, Arc<Snapshot>)> {
    let files = Files::read(catalogs)?;
    let snapshot = Arc::new(load(&files).map_err(|findings| refused(catalogs, &findings))?);
    Ok((files, snapshot))
}

fn refused(catalogs: &Path, findings: &[Diagnostic]) -> Diagnostic {
    let error = findings.iter().find(|finding| finding.severity == Severity::Error).cloned();
    error
        .unwrap_or_else(|| Diagnostic::error(Kind::Invalid, format!("`{}` cannot be served", catalogs.display())))
        .hint(format!("`meshgate check {}` shows all findings", catalogs.display()))
}

fn written(format: Format, batches: &[RecordBatch]) -> Result<Vec<u8>> {
    let unwritten = |what: &dyn std::fmt::Display| {
        Diagnostic::error(Kind::Internal, format!("the answer cannot be written: {what}"))
    };
    if format == Format::Table {
        return render_reasons(batches).map(String::into_bytes).ok_or_else(|| unwritten(&"it has other columns"));
    }
    let Some(schema) = batches.first().map(RecordBatch::schema) else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    let mut encoder = Encoder::new(format, &schema, &mut out).map_err(|error| unwritten(&error))?;
    batches.iter().try_for_each(|batch| encoder.write(batch)).map_err(|error| unwritten(&error))?;
    encoder.finish().map_err(|error| unwritten(&error))?;
    Ok(out)
}

/// Opens nothing.
#[derive(Debug)]
struct OutOfReach;

#[async_trait::async_trait]
impl Open for OutOfReach {
    async fn open(&self, entry: &TableEntry) -> Result<Arc<RawTable>> {
        Err(Diagnostic::error(Kind::Unsupported, format!("the data of `{}` is not read here", entry.table)))
    }
}
