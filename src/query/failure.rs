//! Errors of the query engine in the user's words.
//!
//! What comes from below the policy was already replaced by `govern::scan`; what remains speaks of the user's own text and of
//! values that the user may see.

use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;

use crate::diagnostic::{Diagnostic, Kind};

/// Longest text taken over from the engine.
const LONGEST: usize = 600;

/// Turns an engine error into a diagnostic, with the place in the statement where the engine knows it.
pub fn diagnose(error: &DataFusionError) -> Diagnostic {
    let mut diagnostic = kind_and_text(error);
    if let Some(span) = error.diagnostic().and_then(|found| found.span) {
        diagnostic.message =
            format!("{} at line {}, column {}", diagnostic.message, span.start.line, span.start.column);
    }
    diagnostic
}

fn kind_and_text(error: &DataFusionError) -> Diagnostic {
    match error {
        DataFusionError::External(inner) => {
            inner.downcast_ref::<Diagnostic>().cloned().unwrap_or_else(|| internal(error))
        }
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => kind_and_text(inner),
        DataFusionError::Shared(inner) => kind_and_text(inner),
        DataFusionError::Collection(all) => all.first().map_or_else(|| internal(error), kind_and_text),
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            arrow::error::ArrowError::ExternalError(inner) => {
                if let Some(diagnostic) = inner.downcast_ref::<Diagnostic>() {
                    diagnostic.clone()
                } else if let Some(nested) = inner.downcast_ref::<DataFusionError>() {
                    kind_and_text(nested)
                } else {
                    internal(error)
                }
            }
            other => invalid(&other.to_string()),
        },
        DataFusionError::SchemaError(inner, _) => schema_error(inner),
        DataFusionError::Plan(text) | DataFusionError::Execution(text) | DataFusionError::Configuration(text) => {
            invalid(text)
        }
        DataFusionError::SQL(inner, _) => invalid(&inner.to_string()),
        DataFusionError::NotImplemented(text) => {
            Diagnostic::error(Kind::Unsupported, format!("this is not supported: {}", plain(text)))
        }
        DataFusionError::ResourcesExhausted(_) => {
            Diagnostic::error(Kind::Exhausted, "the query needs more memory than it may take")
                .hint("select fewer columns or rows, or ask the operator to raise `limits.memory_mib`")
        }
        _ => internal(error),
    }
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
            Diagnostic::error(Kind::Invalid, format!("the query gives the name `{name}` to two columns"))
                .hint("give one of them another name with AS")
        }
    }
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
