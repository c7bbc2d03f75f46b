//! With `--data`: what the data of each served product is, against its contract. No policy is applied, and no value is shown.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::config::Config;
use crate::contract::OnDrift;
use crate::diagnostic::{Diagnostic, Kind, Place, Result};
use crate::engine::Engine;
use crate::mesh::{Snapshot, TableEntry};
use crate::name::ColumnPath;
use crate::source::{Rows, Sources, Stores, Survey, SurveyedFile};

/// Findings of one column, and files of one dataset in lines for people; what is beyond is summed up.
const TOLD: usize = 10;

/// One dataset that was read, or could not be.
#[derive(Debug)]
pub struct Surveyed {
    /// `sales.orders`
    table: String,
    format: &'static str,
    outcome: Result<Survey>,
}

/// Opens every served dataset as `serve` would with this configuration, and reads it whole.
///
/// # Errors
/// A store or an engine that cannot be made of the configuration.
pub async fn survey(config: &Config, snapshot: &Snapshot) -> Result<(Vec<Surveyed>, Vec<Diagnostic>)> {
    let engine = Engine::new(&config.limits)?;
    let patience = Duration::from_secs(config.limits.store_seconds);
    let stores = Stores::from_config(&config.storage)?.with_patience(patience).with_network(Handle::try_current().ok());
    let sources = Sources::new(Arc::clone(&engine), stores);
    let (mut surveyed, mut findings) = (Vec::new(), Vec::new());
    for entry in datasets(snapshot) {
        let outcome = sources.survey(entry).await;
        findings.extend(told(entry, &outcome));
        let format = entry.product.contract.server.format.as_str();
        surveyed.push(Surveyed { table: entry.table.to_string(), format, outcome });
    }
    engine.remove_spilled();
    Ok((surveyed, findings))
}

/// The configuration of `--config`.
///
/// # Errors
/// A file that is not there or is wrong, with what to do.
pub fn configuration(path: &Path) -> Result<Config> {
    Config::load(path).map_err(|error| {
        if error.kind == Kind::NotFound {
            return Diagnostic { hints: Vec::new(), ..error }
                .hint("`--data` opens products with the stores of a configuration; name it with `--config`");
        }
        error
    })
}

/// Each once: a version that is pinned has two names.
fn datasets(snapshot: &Snapshot) -> Vec<&TableEntry> {
    let mut chosen: Vec<&TableEntry> = Vec::new();
    for entry in snapshot.tables.values() {
        let is_same =
            |other: &&TableEntry| Arc::ptr_eq(&other.product, &entry.product) && other.dataset == entry.dataset;
        if !chosen.iter().any(is_same) {
            chosen.push(entry);
        }
    }
    chosen
}

fn told(entry: &TableEntry, outcome: &Result<Survey>) -> Vec<Diagnostic> {
    let (table, file) = (entry.table.to_string(), entry.product.contract.file.clone());
    let place = Place { file, line: 1, column: 1 };
    let survey = match outcome {
        Ok(survey) => survey,
        Err(why) => {
            let message = format!("`{table}` cannot be opened ({}): {}", word(why.kind), why.message);
            return vec![Diagnostic { message, ..why.clone() }.at(place)];
        }
    };
    let mut findings = Vec::new();
    for (column, why) in &survey.unreadable {
        let message = format!("column `{column}` of `{table}` cannot be read: {}", why.message);
        findings.push(Diagnostic { message, ..why.clone() });
    }
    for file in &survey.files {
        if let Some(why) = &file.fault {
            // Rows are read in batches: some of the batch that the fault is in may be whole too.
            let whole = if file.rows > 0 {
                format!(" to its end ({} are whole)", at_least(false, rows(file.rows)))
            } else {
                String::new()
            };
            let what = format!("`{}` of `{table}` cannot be read{whole}: {}", file.file, why.message);
            findings.push(
                Diagnostic::error(Kind::Broken, what).hint("the file is gone, cut off or damaged; write it again"),
            );
        }
    }
    let on_drift = entry.dataset().on_drift;
    findings.extend(by_column(&survey.files, |file| &file.broken).into_iter().flat_map(|(column, files)| {
        let broken = |what: String| match on_drift {
            OnDrift::Refuse => Diagnostic::error(Kind::Broken, what)
                .hint("correct the data, or the column in the contract; statements that read such a value fail"),
            OnDrift::Null => Diagnostic::warning(Kind::Broken, what)
                .hint("correct the data, or the column in the contract; readers see NULL in the place of such a value"),
        };
        let (table, what) = (&table, "not what the contract promises");
        sentences(&files, move |count| format!("{} of `{column}` in `{table}` {} {what}", values(count), are(count)))
            .into_iter()
            .map(broken)
    }));
    findings.extend(by_column(&survey.files, |file| &file.missing).into_iter().flat_map(|(column, files)| {
        let (table, what) = (&table, "NULL, though the contract requires the column");
        let missing = |what: String| {
            Diagnostic::warning(Kind::Broken, what).hint("fill the column, or take `required` out of the contract")
        };
        sentences(&files, move |count| format!("{} of `{column}` in `{table}` {} {what}", values(count), are(count)))
            .into_iter()
            .map(missing)
    }));
    findings.into_iter().map(|finding| finding.at(place.clone())).collect()
}

/// The files in which a column has such values, and whether all of them were found.
type Files<'a> = Vec<(&'a str, Rows, bool)>;

fn by_column(
    files: &[SurveyedFile],
    found: impl Fn(&SurveyedFile) -> &BTreeMap<ColumnPath, Rows>,
) -> BTreeMap<&ColumnPath, Files<'_>> {
    let mut columns: BTreeMap<&ColumnPath, Files<'_>> = BTreeMap::new();
    for file in files {
        for (column, rows) in found(file) {
            columns.entry(column).or_default().push((&file.file, *rows, file.fault.is_none()));
        }
    }
    columns
}

/// A sentence for each of the first files, and one for all others.
fn sentences(files: &Files<'_>, what: impl Fn(u64) -> String) -> Vec<String> {
    let (first, others) = files.split_at(files.len().min(TOLD));
    let of_file = |(file, rows, is_whole): &(&str, Rows, bool)| {
        format!(
            "{}: `{file}`, {} record {}",
            at_least(*is_whole, what(rows.count)),
            if rows.count == 1 { "in" } else { "first in" },
            rows.first
        )
    };
    let mut sentences: Vec<String> = first.iter().map(of_file).collect();
    if !others.is_empty() {
        let count = others.iter().map(|(_, rows, _)| rows.count).sum();
        let is_whole = others.iter().all(|(.., is_whole)| *is_whole);
        sentences.push(format!("{}, in {} more files", at_least(is_whole, what(count)), others.len()));
    }
    sentences
}

impl Surveyed {
    /// Lines for people.
    pub fn lines(&self) -> Vec<String> {
        let Self { table, format, outcome } = self;
        let Ok(survey) = outcome else { return vec![format!("{table}: {format}, not opened")] };
        let all: u64 = survey.files.iter().map(|file| file.rows).sum();
        let files = match survey.files.len() {
            1 => "1 file".to_owned(),
            n => format!("{n} files"),
        };
        let is_whole = survey.files.iter().all(|file| file.fault.is_none());
        let mut lines = vec![format!("{table}: {format}, {files}, {}", at_least(is_whole, rows(all)))];
        let of_file = |file: &SurveyedFile| at_least(file.fault.is_none(), rows(file.rows));
        lines.extend(survey.files.iter().take(TOLD).map(|file| format!("  {}: {}", file.file, of_file(file))));
        if let Some(more) = survey.files.len().checked_sub(TOLD).filter(|more| *more > 0) {
            lines.push(format!("  and {more} more"));
        }
        lines
    }

    /// The same for programs, whole.
    pub fn json(&self) -> Value {
        let Self { table, format, outcome } = self;
        let survey = match outcome {
            Ok(survey) => survey,
            Err(why) => {
                return json!({ "dataset": table, "format": format, "fault": word(why.kind), "message": why.message });
            }
        };
        let places = |found: &BTreeMap<ColumnPath, Rows>| {
            let columns = found.iter().map(|(column, rows)| {
                json!({ "column": column.to_string(), "count": rows.count, "first_record": rows.first })
            });
            columns.collect::<Vec<_>>()
        };
        let files = survey.files.iter().map(|file| {
            json!({
                "file": file.file,
                "rows": file.rows,
                "fault": file.fault.as_ref().map(|why| &why.message),
                "broken": places(&file.broken),
                "missing": places(&file.missing),
            })
        });
        json!({
            "dataset": table,
            "format": format,
            "rows": survey.files.iter().map(|file| file.rows).sum::<u64>(),
            "unreadable": survey.unreadable.keys().map(ToString::to_string).collect::<Vec<_>>(),
            "files": files.collect::<Vec<_>>(),
        })
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Unavailable => "unavailable",
        Kind::Unsupported => "unsupported",
        Kind::Stale => "changing",
        _ => "invalid",
    }
}

/// A count of a file that was not read to its end.
fn at_least(is_whole: bool, count: String) -> String {
    if is_whole { count } else { format!("at least {count}") }
}

fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

fn values(count: u64) -> String {
    if count == 1 { "1 value".to_owned() } else { format!("{count} values") }
}

fn are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}
