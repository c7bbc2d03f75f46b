//! The policies that speak of all domains: a mesh may require that there are some, so that a missing mount is noticed.

use super::files::GOVERNANCE;
use super::load::is_policy;
use super::{Files, GovernanceRule, Mesh};
use crate::diagnostic::{Diagnostic, Kind};

/// A warning where no governance policy was read and `mesh.yaml` does not say that there need be none: each domain then decides alone.
pub fn missing_governance(files: &Files, mesh: &Mesh) -> Option<Diagnostic> {
    let absent = mesh.governance != GovernanceRule::Optional
        && !is_there(files)
        && !files.unreadable.keys().any(|path| is_below(path));
    absent.then(|| {
        Diagnostic::warning(Kind::NotFound, format!("the mesh has no policy in `{}`", files.display(GOVERNANCE)))
            .hint("where policies should lie there, check the mount; `governance: required` in `mesh.yaml` refuses to serve without them, `optional` expects none")
    })
}

/// Refuses a mesh that requires governance policies and has none.
pub(super) fn require(files: &Files, mesh: &Mesh) -> Result<(), Vec<Diagnostic>> {
    let GovernanceRule::Required(place) = &mesh.governance else { return Ok(()) };
    if is_there(files) {
        return Ok(());
    }
    // An entry beside `mesh.yaml` may have been meant as the folder.
    let unreadable = files.unreadable.keys().filter(|path| is_below(path) || !path.contains('/'));
    let mut findings: Vec<Diagnostic> = unreadable.filter_map(|path| files.unreadable(path)).collect();
    findings.push(
        Diagnostic::error(
            Kind::NotFound,
            format!("the mesh requires policies in `{}`, but has none", files.display(GOVERNANCE)),
        )
        .hint("check the mount of the folder; `governance: optional` serves the mesh without them")
        .at(place.clone()),
    );
    Err(findings)
}

fn is_below(path: &str) -> bool {
    path.split('/').next().is_some_and(|top| top.eq_ignore_ascii_case(GOVERNANCE))
}

/// True where some file of the folder says more than comments.
fn is_there(files: &Files) -> bool {
    let says_something = |text: &str| {
        let mut lines = text.lines().map(str::trim);
        lines.any(|line| !line.is_empty() && !line.starts_with("//"))
    };
    let below = format!("{GOVERNANCE}/");
    files.texts.iter().any(|(path, text)| path.starts_with(&below) && is_policy(path) && says_something(text))
}
