//! Diagnostics as text for people.

use super::{Diagnostic, Severity};

/// `file:line:col: error: message` and one indented line for each hint.
pub fn render_human(diagnostic: &Diagnostic) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut out = match &diagnostic.place {
        Some(place) => format!("{place}: {severity}: {}", diagnostic.message),
        None => format!("{severity}: {}", diagnostic.message),
    };
    for hint in &diagnostic.hints {
        out.push_str("\n  hint: ");
        out.push_str(hint);
    }
    out
}

/// All findings, sorted by place, one after the other.
pub fn render_all(diagnostics: &[Diagnostic]) -> String {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by(|a, b| (&a.place, a.severity, &a.message).cmp(&(&b.place, b.severity, &b.message)));
    sorted.into_iter().map(render_human).collect::<Vec<_>>().join("\n")
}
