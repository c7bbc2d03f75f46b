//! Diagnostics as text for people, for programs, and for the pages of a code host.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Diagnostic, Severity};

/// `file:line:col: error: message` and one indented line for each hint.
pub fn render_human(diagnostic: &Diagnostic) -> String {
    let severity = word(diagnostic.severity);
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
    sorted(diagnostics).into_iter().map(render_human).collect::<Vec<_>>().join("\n")
}

/// By place, those without one first.
pub fn sorted(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by(|a, b| (&a.place, a.severity, &a.message).cmp(&(&b.place, b.severity, &b.message)));
    sorted
}

/// A GitHub workflow command: the finding stands beside its line in a pull request.
pub fn render_github(diagnostic: &Diagnostic) -> String {
    let mut out = format!("::{}", word(diagnostic.severity));
    if let Some(place) = &diagnostic.place {
        // Writing to a String does not fail.
        let _ = write!(out, " file={},line={},col={}", property(&place.file), place.line, place.column);
    }
    let mut message = diagnostic.message.clone();
    for hint in &diagnostic.hints {
        message.push_str("\nhint: ");
        message.push_str(hint);
    }
    out.push_str("::");
    out.push_str(&data(&message));
    out
}

/// `{ severity, message, hints, file, line, column }`; the last three are null where there is no place.
pub fn render_json(diagnostic: &Diagnostic) -> Value {
    let place = diagnostic.place.as_ref();
    json!({
        "severity": word(diagnostic.severity),
        "message": diagnostic.message,
        "hints": diagnostic.hints,
        "file": place.map(|place| &place.file),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
    })
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// What would end a command's text.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What would end one of its properties too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Kind, Place};

    #[test]
    fn a_workflow_command_cannot_be_ended_by_what_it_says() {
        let place = Place { file: "a,b:c.yaml".to_owned(), line: 2, column: 3 };
        let finding = Diagnostic::warning(Kind::Invalid, "100% of\r\n::error::x").hint("mend, it").at(place);
        assert_eq!(
            render_github(&finding),
            "::warning file=a%2Cb%3Ac.yaml,line=2,col=3::100%25 of%0D%0A::error::x%0Ahint: mend, it"
        );
        assert_eq!(render_github(&Diagnostic::error(Kind::Invalid, "x")), "::error::x");
        assert_eq!(
            render_json(&finding).to_string(),
            r#"{"severity":"warning","message":"100% of\r\n::error::x","hints":["mend, it"],"file":"a,b:c.yaml","line":2,"column":3}"#
        );
    }
}
