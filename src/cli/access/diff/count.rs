//! How many rows a principal sees before and after, counted through the gateway itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;

use super::report::{Counts, Report};
use super::side::Side;
use crate::config::{Config, DomainStorage, Limits, Storage};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::engine::Engine;
use crate::flight::wire_schema;
use crate::govern::{Current, Generation};
use crate::name::QualifiedTable;
use crate::policy::Described;
use crate::query::{Egress, Session, Sessions};
use crate::source::{Open, Sources, Stores};
use crate::telemetry::Clock;

/// Fills in the counts of every dataset that changes for somebody. `data` is a configuration, or a folder with one folder for each
/// domain; both sides read the same data.
///
/// # Errors
/// Where the data has no place. A dataset that cannot be read is told in its count.
pub async fn count(
    report: &mut Report,
    sides: [Side; 2],
    people: &[&Described],
    data: &Path,
    clock: &Clock,
) -> Result<()> {
    let storage = storage(data, &sides)?;
    let limits = Limits::default();
    let engine = Engine::new(&limits)?;
    let source: Arc<dyn Open> = Arc::new(Sources::new(Arc::clone(&engine), Stores::from_config(&storage)?));
    let [before, after] = sides.map(|side| {
        let generation =
            Generation::new(side.snapshot, side.policies, Arc::clone(&source), std::collections::BTreeMap::new());
        let current = Arc::new(Current::new(generation));
        Sessions::new(current, Arc::clone(&engine), limits.clone(), clock.clone())
    });
    for person in &mut report.people {
        let Some(who) = people.iter().find(|who| who.principal.name().as_str() == person.name) else { continue };
        let open = |side: &Sessions| side.open_for(who.principal.clone(), &who.purpose);
        let [before, after] = [open(&before), open(&after)];
        for change in &mut person.datasets {
            let visible = |rows: &Option<String>| rows.is_some();
            change.counts = Some(Counts {
                before: rows(&before, &change.table, visible(&change.rows_before)).await,
                after: rows(&after, &change.table, visible(&change.rows_after)).await,
            });
        }
    }
    Ok(())
}

async fn rows(
    session: &Result<Arc<Session>>,
    table: &QualifiedTable,
    visible: bool,
) -> std::result::Result<u64, String> {
    if !visible {
        return Ok(0);
    }
    let session = session.as_ref().map_err(|diagnostic| diagnostic.message.clone())?;
    counted(session, table).await.map_err(|diagnostic| diagnostic.message)
}

async fn counted(session: &Session, table: &QualifiedTable) -> Result<u64> {
    // Names of domains and datasets are lower-case identifiers, some of them words of SQL.
    let planned = session.plan(&format!("SELECT count(*) FROM \"{}\".\"{}\"", table.domain, table.table)).await?;
    let stream = session.run(&planned, wire_schema(planned.schema())).await?;
    let batches: Vec<_> = stream.map_ok(Egress::into_inner).try_collect().await?;
    let counts = batches.iter().filter_map(|batch| batch.columns().first());
    let sum: i64 = counts.filter_map(|column| column.as_primitive_opt::<Int64Type>()).flatten().flatten().sum();
    u64::try_from(sum).map_err(|_| Diagnostic::error(Kind::Internal, "a count was negative"))
}

fn storage(data: &Path, sides: &[Side; 2]) -> Result<Storage> {
    let missing = || {
        Diagnostic::error(Kind::NotFound, format!("there is no data at `{}`", data.display()))
            .hint("name a `meshgate.toml`, or a folder with one folder for each domain")
    };
    if data.is_file() {
        return Ok(Config::load(data)?.storage);
    }
    let config = data.join("meshgate.toml");
    if config.is_file() {
        return Ok(Config::load(&config)?.storage);
    }
    let mut storage = Storage::default();
    for domain in sides.iter().flat_map(|side| side.snapshot.domains.keys()) {
        let root: PathBuf = data.join(domain.as_str());
        if root.is_dir() {
            storage.domains.insert(domain.to_string(), DomainStorage { root: Some(root), ..DomainStorage::default() });
        }
    }
    if storage.domains.is_empty() { Err(missing()) } else { Ok(storage) }
}
