//! Errors of the query engine in the user's words.
//!
//! What comes from below the policy was already replaced by `govern::scan`; what remains speaks of the user's own text and of
//! values that the user may see.

use std::io;

use arrow::error::ArrowError;
use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;

use crate::diagnostic::{Diagnostic, Kind};
use crate::engine::memory::ExceededLimit;
use crate::engine::{CalledOff, panicked};

/// Longest text taken over from the engine.
const LONGEST: usize = 600;

/// Turns an engine error into a diagnostic, with the place in the statement where the engine knows it.
pub fn diagnose(error: &DataFusionError) -> Diagnostic {
    if CalledOff::is_cause_of(error) {
        return CalledOff::diagnostic();
    }
    let mut diagnostic = kind_and_text(error);
    if let Some(span) = error.diagnostic().and_then(|found| found.span) {
        diagnostic.message =
            format!("{} at line {}, column {}", diagnostic.message, span.start.line, span.start.column);
    }
    diagnostic
}

/// The same of an optimizer that was given a plan which holds together: a column that it misses is one that it lost.
pub(in crate::query) fn diagnose_optimizer(error: &DataFusionError) -> Diagnostic {
    match error.find_root() {
        DataFusionError::SchemaError(inner, _) if matches!(inner.as_ref(), SchemaError::FieldNotFound { .. }) => {
            tracing::debug!(%error, "the optimizer lost a column");
            unplanned_query()
        }
        _ => diagnose(error),
    }
}

/// The same of a statement that runs, without the value that the engine quotes: it is the first that was met, and which one that is
/// follows how rows lie in files, hidden rows among them.
pub(in crate::query) fn diagnose_run(error: &DataFusionError) -> Diagnostic {
    match ExceededLimit::find(error) {
        Some(limit) => limit.diagnostic(),
        None => value_fault(error).unwrap_or_else(|| diagnose(error)),
    }
}

/// Texts of the engine that name no value.
const WITHOUT_VALUES: [&str; 8] = [
    "scalar subquery returned more than one row",
    "divide by zero",
    "leaves the calendar",
    "are too far from each other",
    "the interval of `date_bin`",
    "the interval and the origin of `date_bin`",
    "the unit of `date_trunc`",
    "`date_trunc` has no such unit",
];

/// What is wrong with some value of the statement; none where the error is about something else, or quotes none.
fn value_fault(error: &DataFusionError) -> Option<Diagnostic> {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => value_fault(inner),
        DataFusionError::Shared(inner) => value_fault(inner),
        DataFusionError::Collection(all) => all.first().and_then(value_fault),
        DataFusionError::ArrowError(inner, _) => arrow_fault(inner),
        DataFusionError::Execution(text) | DataFusionError::Plan(text) | DataFusionError::NotImplemented(text) => {
            text_fault(text)
        }
        _ => None,
    }
}

fn arrow_fault(error: &ArrowError) -> Option<Diagnostic> {
    match error {
        ArrowError::ExternalError(inner) => inner.downcast_ref::<DataFusionError>().and_then(value_fault),
        ArrowError::DivideByZero | ArrowError::MemoryError(_) | ArrowError::IoError(..) => None,
        ArrowError::CastError(_) => Some(
            Diagnostic::error(Kind::Invalid, "a value cannot be cast to the type that the statement asks for")
                .hint("`try_cast` gives NULL for such values"),
        ),
        ArrowError::ArithmeticOverflow(_) => {
            Some(Diagnostic::error(Kind::Invalid, "a number that the statement computes is too large for its type"))
        }
        other => text_fault(&other.to_string()),
    }
}

fn text_fault(text: &str) -> Option<Diagnostic> {
    if WITHOUT_VALUES.iter().any(|known| text.to_lowercase().contains(known)) {
        return None;
    }
    let what = if text.contains("Regular expression") || text.contains("regex") {
        "a regular expression has a syntax error or is too large"
    } else {
        "an expression of the statement cannot be computed for one of its values"
    };
    Some(
        Diagnostic::error(Kind::Invalid, what)
            .hint("look for conversions of texts, dates and numbers, and for arithmetic that may overflow"),
    )
}

fn kind_and_text(error: &DataFusionError) -> Diagnostic {
    if let Some(limit) = ExceededLimit::find(error) {
        return limit.diagnostic();
    }
    match error {
        DataFusionError::External(inner) => {
            inner.downcast_ref::<Diagnostic>().cloned().unwrap_or_else(|| internal(error))
        }
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => kind_and_text(inner),
        DataFusionError::Shared(inner) => kind_and_text(inner),
        DataFusionError::Collection(all) => all.first().map_or_else(|| internal(error), kind_and_text),
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            ArrowError::ExternalError(inner) => {
                if let Some(diagnostic) = inner.downcast_ref::<Diagnostic>() {
                    diagnostic.clone()
                } else if let Some(nested) = inner.downcast_ref::<DataFusionError>() {
                    kind_and_text(nested)
                } else {
                    internal(error)
                }
            }
            ArrowError::IoError(_, inner) => disk_fault(inner).unwrap_or_else(|| internal(error)),
            other => invalid(&other.to_string()),
        },
        DataFusionError::IoError(inner) => disk_fault(inner).unwrap_or_else(|| internal(error)),
        DataFusionError::SchemaError(inner, _) => schema_error(inner),
        DataFusionError::Plan(text) | DataFusionError::Execution(text) | DataFusionError::Configuration(text) => {
            planning(text)
        }
        DataFusionError::SQL(inner, _) => invalid(&inner.to_string()),
        DataFusionError::NotImplemented(text) => unsupported(text),
        _ => internal(error),
    }
}

/// True where the engine finds two columns of one name, as it may in a list of columns. Casts and the texts of queries are no part of a name to it.
pub(in crate::query) fn has_one_name_twice(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::Plan(text) => name_of_two(text).is_some(),
        DataFusionError::SchemaError(inner, _) => matches!(
            inner.as_ref(),
            SchemaError::DuplicateQualifiedField { .. }
                | SchemaError::DuplicateUnqualifiedField { .. }
                | SchemaError::AmbiguousReference { .. }
        ),
        _ => false,
    }
}

fn name_of_two(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("rojections require unique expression names but the expression \"")?;
    Some(after.split_once("\" at position")?.0)
}

fn planning(text: &str) -> Diagnostic {
    if let Some(name) = name_of_two(text) {
        return same_name(name);
    }
    no_signature(text).unwrap_or_else(|| invalid(text))
}

/// The engine complains of each form of a function where no form takes the arguments of a call.
fn no_signature(text: &str) -> Option<Diagnostic> {
    let (_, complaints) = text.split_once("failed to match any signature")?;
    let (complaints, call) = complaints.split_once("No function matches the given name and argument types '")?;
    let (call, _) = call.split_once('\'')?;
    let mut takes: Vec<&str> =
        complaints.split(" requires ").skip(1).filter_map(|form| form.split(',').next()).collect();
    takes.dedup();
    let refused = Diagnostic::error(Kind::Invalid, format!("there is no function `{}`", plain(call)));
    Some(if takes.is_empty() { refused } else { refused.hint(format!("it takes {}", takes.join(", "))) })
}

fn unsupported(text: &str) -> Diagnostic {
    // What the optimizer could not turn into a join reaches the physical planner, which has no plan for it.
    let is_left = ["ScalarSubquery(", "Exists(", "InSubquery(", "OuterReferenceColumn(", "Subquery"]
        .iter()
        .any(|kind| text.contains(kind));
    if text.starts_with("Physical plan does not support") && is_left {
        return unplanned_query();
    }
    Diagnostic::error(Kind::Unsupported, format!("this is not supported: {}", plain(text)))
}

fn unplanned_query() -> Diagnostic {
    let message = "a query inside another names columns of the query around it otherwise than by `=` in its WHERE, \
                   or below LIMIT, a window or a set operation";
    Diagnostic::error(Kind::Unsupported, message)
        .hint("join with that query instead; `row_number() OVER (PARTITION BY …)` numbers the rows of each group")
}

/// Statements themselves write nothing but what they spill.
fn disk_fault(error: &io::Error) -> Option<Diagnostic> {
    is_full(error).then(|| {
        Diagnostic::error(Kind::Exhausted, "the disk of the gateway has no room for what the query spills").hint(
            "try again later, select fewer columns or rows, or ask the operator to make room in `limits.spill_dir`",
        )
    })
}

/// The writer of spilled data wraps the error of the system in others.
fn is_full(error: &io::Error) -> bool {
    let wrapped = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    let inner = wrapped.and_then(|inner| match inner.downcast_ref::<DataFusionError>() {
        Some(DataFusionError::IoError(inner)) => Some(inner),
        _ => inner.downcast_ref::<io::Error>(),
    });
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) || inner.is_some_and(is_full)
}

fn invalid(text: &str) -> Diagnostic {
    Diagnostic::error(Kind::Invalid, plain(text))
}

/// The detail stays in the log; the caller gets a number to ask for.
fn internal(error: &DataFusionError) -> Diagnostic {
    // The engine takes what a pattern of the user does for an error of its own.
    let text = error.to_string();
    if text.contains("CompiledTooBig") || text.contains("regex exceeds size limit") {
        return Diagnostic::error(
            Kind::Exhausted,
            "a regular expression is too large once its repetitions are written out",
        )
        .hint("use smaller repetitions, or fewer of them inside each other");
    }
    if text.contains("Regular expression did not compile") || text.contains("regex parse error") {
        return Diagnostic::error(Kind::Invalid, "a regular expression has a syntax error").hint(
            "write `\\(` for a bracket that is meant as a character; look-around and back references are not offered",
        );
    }
    // A task of the engine panicked.
    if text.contains("offset overflow") {
        return panicked(&text);
    }
    let id = crate::telemetry::correlation_id();
    tracing::error!(correlation_id = %id, %error, "a query failed inside the engine");
    Diagnostic::error(Kind::Internal, format!("the query failed inside the gateway (correlation id {id})"))
        .hint("give the id to the operator")
}

fn schema_error(error: &SchemaError) -> Diagnostic {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => unknown_column(field, valid_fields),
        SchemaError::AmbiguousReference { field } => {
            Diagnostic::error(Kind::Invalid, format!("the column `{}` is in several tables of the query", field.name))
                .hint("put the table's name or alias before it")
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            same_name(name)
        }
    }
}

fn same_name(name: &str) -> Diagnostic {
    Diagnostic::error(Kind::Invalid, format!("the query gives the name `{}` to two columns", plain(name)))
        .hint("give one of them another name with AS")
}

/// Suggests only what the plan can see, which is the visible schema: a hidden name is no field of it.
fn unknown_column(field: &Column, valid: &[Column]) -> Diagnostic {
    let diagnostic = Diagnostic::error(Kind::Invalid, format!("there is no column `{}`", field.flat_name()));
    let mut names: Vec<String> = valid.iter().map(|column| column.name.clone()).collect();
    names.sort();
    names.dedup();
    if names.is_empty() || names.len() > 40 {
        return diagnostic;
    }
    diagnostic.hint(format!("the columns are {}", names.join(", ")))
}

/// One line without the engine's own prefixes and advice about its settings.
fn plain(text: &str) -> String {
    let text = text.split("\n\nbacktrace:").next().unwrap_or(text);
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for prefix in ["Error during planning: ", "SQL error: ", "Execution error: ", "Arrow error: "] {
        if let Some(rest) = line.strip_prefix(prefix) {
            line = String::from(rest);
        }
    }
    if line.chars().count() > LONGEST {
        line = line.chars().take(LONGEST).collect::<String>() + "…";
    }
    let mut chars = line.chars();
    match chars.next() {
        Some(first) if chars.clone().next().is_some_and(char::is_lowercase) => {
            first.to_lowercase().collect::<String>() + chars.as_str()
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use datafusion::prelude::{SessionConfig, SessionContext};
    use std::sync::Arc;

    async fn told(sql: &str, order: [usize; 3]) -> Diagnostic {
        let texts = ["alpha", "beta/7", "2024-13-77x"];
        let numbers = [i64::MAX, i64::MAX - 1, i64::MAX - 2];
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(order.iter().map(|i| texts[*i])));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(order.iter().map(|i| numbers[*i])));
        let batch = RecordBatch::try_from_iter(vec![("s", texts), ("n", numbers)]).unwrap();
        let context = SessionContext::new_with_config(SessionConfig::new());
        context.register_batch("t", batch).unwrap();
        let error = match context.sql(sql).await.unwrap().collect().await {
            Err(error) => error,
            Ok(rows) => panic!("{sql}: {rows:?}"),
        };
        diagnose_run(&error)
    }

    #[test]
    fn spill_fault_is_about_the_disk() {
        let refusal = "The used disk space during the spilling process has exceeded the allowable limit of 1.0 MB.";
        let fault = |kind: io::ErrorKind, text: &str| {
            // As the writer of spilled data has it.
            let wrapped = DataFusionError::IoError(io::Error::new(kind, text.to_owned()));
            let inner = ArrowError::IoError(text.to_owned(), io::Error::other(wrapped));
            let nested = DataFusionError::ArrowError(Box::new(inner), None);
            [diagnose_run(&nested), diagnose_run(&DataFusionError::IoError(io::Error::new(kind, text.to_owned())))]
        };
        for (kind, text, key) in [
            (io::ErrorKind::Other, refusal, "limits.spill_mib"),
            (io::ErrorKind::StorageFull, "No space left on device", "limits.spill_dir"),
        ] {
            for told in fault(kind, text) {
                assert_eq!(
                    (told.kind, told.hints.iter().any(|hint| hint.contains(key))),
                    (Kind::Exhausted, true),
                    "{told}"
                );
            }
        }
        for told in fault(io::ErrorKind::PermissionDenied, "/a/path: denied") {
            assert_eq!((told.kind, told.message.contains("path")), (Kind::Internal, false), "{told}");
        }
    }

    #[tokio::test]
    async fn failing_value_is_never_quoted() {
        let statements = [
            "SELECT cast(s AS int) FROM t",
            "SELECT cast(s AS bigint) + 1 FROM t",
            "SELECT cast(s AS double) FROM t",
            "SELECT cast(s AS decimal(5, 2)) FROM t",
            "SELECT cast(s AS boolean) FROM t",
            "SELECT cast(s AS date) FROM t",
            "SELECT cast(s AS time) FROM t",
            "SELECT cast(s AS timestamp) FROM t",
            "SELECT cast(s AS interval) FROM t",
            "SELECT to_date(s) FROM t",
            "SELECT to_timestamp(s) FROM t",
            "SELECT to_timestamp(s, '%Y') FROM t",
            "SELECT cast(n AS int) FROM t",
            "SELECT cast(n AS decimal(5, 2)) FROM t",
            "SELECT regexp_like('x', s || '(') FROM t",
            "SELECT decode(s, 'hex') FROM t",
            "SELECT chr(n) FROM t",
            "SELECT factorial(n) FROM t",
        ];
        for sql in statements {
            let (one, other) = (told(sql, [0, 1, 2]).await, told(sql, [2, 1, 0]).await);
            assert_eq!((&one.message, &one.hints), (&other.message, &other.hints), "{sql}");
            for value in ["alpha", "beta", "2024", "922337", "13-77"] {
                assert!(!one.message.contains(value), "{sql}: {}", one.message);
            }
        }
    }
}
