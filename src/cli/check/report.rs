//! What was found, for people, for programs, and as annotations of a pull request.

use serde_json::{Value, json};

use super::coverage::Coverage;
use super::data::Surveyed;
use super::mutants::Mutants;
use crate::diagnostic::{Diagnostic, Severity, render_all, render_github, render_json, sorted};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines for people.
    Human,
    /// One JSON document.
    Json,
    /// GitHub workflow commands, shown beside the lines of a pull request.
    Github,
}

/// The answer of one `check`.
#[derive(Debug, Default)]
pub struct Report {
    pub products: usize,
    pub findings: Vec<Diagnostic>,
    /// Nothing where no data was asked for.
    pub data: Option<Vec<Surveyed>>,
    /// Nothing where there is no test.
    pub tests: Option<Tests>,
    pub coverage: Option<Coverage>,
    pub mutants: Option<Mutants>,
}

#[derive(Debug, Default)]
pub struct Tests {
    pub passed: usize,
    pub failed: usize,
}

impl Report {
    fn all(&self) -> Vec<Diagnostic> {
        let coverage = self.coverage.iter().flat_map(|coverage| &coverage.findings);
        let mutants = self.mutants.iter().flat_map(|mutants| &mutants.survived);
        self.findings.iter().chain(coverage).chain(mutants).cloned().collect()
    }

    pub fn count(&self, severity: Severity) -> usize {
        self.all().iter().filter(|finding| finding.severity == severity).count()
    }

    pub fn render(&self, format: Format) -> String {
        let findings = self.all();
        let lines = match format {
            Format::Json => return format!("{:#}", self.json(&findings)),
            Format::Human => render_all(&findings),
            Format::Github => sorted(&findings).into_iter().map(render_github).collect::<Vec<_>>().join("\n"),
        };
        let separator = if lines.is_empty() { "" } else { "\n" };
        format!("{lines}{separator}{}", self.summary())
    }

    fn summary(&self) -> String {
        let mut lines: Vec<String> = self.data.iter().flatten().flat_map(Surveyed::lines).collect();
        if let Some(Coverage { ways, decided, .. }) = &self.coverage {
            lines.push(format!("coverage: {decided} of {ways} ways to decide"));
        }
        if let Some(Mutants { made, killed, refused, survived }) = &self.mutants {
            let made = plural(*made, "mutant");
            lines.push(format!("{made}: {killed} noticed, {refused} not valid, {} survived", survived.len()));
        }
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let tests = self.tests.as_ref().map_or_else(String::new, |tests| {
            format!(", {} ({} failed)", plural(tests.passed + tests.failed, "test"), tests.failed)
        });
        lines.push(format!(
            "{}{tests}, {}, {}",
            plural(self.products, "product"),
            plural(errors, "error"),
            plural(warnings, "warning")
        ));
        lines.join("\n")
    }

    fn json(&self, findings: &[Diagnostic]) -> Value {
        json!({
            "products": self.products,
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "tests": self.tests.as_ref().map(|tests| json!({ "passed": tests.passed, "failed": tests.failed })),
            "data": self.data.as_ref().map(|data| data.iter().map(Surveyed::json).collect::<Vec<_>>()),
            "coverage": self.coverage.as_ref().map(|found| json!({ "ways": found.ways, "decided": found.decided })),
            "mutants": self.mutants.as_ref().map(|mutants| json!({
                "made": mutants.made,
                "noticed": mutants.killed,
                "not_valid": mutants.refused,
                "survived": mutants.survived.len(),
            })),
            "findings": sorted(findings).into_iter().map(render_json).collect::<Vec<_>>(),
        })
    }
}

fn plural(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
