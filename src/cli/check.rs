//! `meshgate check`: every finding of a catalog folder, for people and for CI.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Severity, render_all, render_human};
use crate::mesh::{Files, Snapshot, load};
use crate::policy::PolicyStore;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder with `mesh.yaml`, `governance/` and one folder for each domain.
    #[arg(default_value = "catalogs")]
    folder: PathBuf,
}

/// Contracts and policies, on standard output.
pub fn command(args: &Args) -> u8 {
    let policies = |files: &Files, snapshot: &Snapshot| PolicyStore::load(files, snapshot).findings().to_vec();
    run(&args.folder, &policies, &mut std::io::stdout().lock())
}

/// Loads a folder and tells all findings, those of `more_findings` (the policies) among them. Answers the exit code: 0, or 1 for
/// any error; warnings alone are 0.
pub fn run(folder: &Path, more_findings: &dyn Fn(&Files, &Snapshot) -> Vec<Diagnostic>, out: &mut dyn Write) -> u8 {
    let (findings, products) = match Files::read(folder) {
        Err(finding) => (vec![finding], 0),
        Ok(files) => match load(&files) {
            Err(findings) => (findings, 0),
            Ok(snapshot) => {
                let mut findings = snapshot.findings.clone();
                findings.extend(more_findings(&files, &snapshot));
                (findings, snapshot.products.len() + snapshot.faults.len())
            }
        },
    };
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let summary =
        format!("{}, {}, {}", plural(products, "product"), plural(errors, "error"), plural(warnings, "warning"));
    let text = match findings.as_slice() {
        [] => summary,
        [one] => format!("{}\n{summary}", render_human(one)),
        all => format!("{}\n{summary}", render_all(all)),
    };
    // A closed pipe (`| head`) is no reason to fail otherwise than the findings say.
    let _ = writeln!(out, "{text}");
    u8::from(errors > 0)
}

fn plural(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Kind, Place};

    fn check(files: &[(&str, &str)], more: &dyn Fn(&Files, &Snapshot) -> Vec<Diagnostic>) -> (u8, String) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut out = Vec::new();
        let code = run(folder.path(), more, &mut out);
        (code, String::from_utf8(out).unwrap().replace(&folder.path().display().to_string(), "catalogs"))
    }

    #[test]
    fn the_exit_code_follows_the_errors() {
        let mesh = ("mesh.yaml", "classifications: [public]\n");
        assert_eq!(check(&[mesh], &|_, _| Vec::new()), (0, "0 products, 0 errors, 0 warnings\n".to_owned()));
        let (code, text) = check(&[mesh, ("notes.yaml", "a: 1\n")], &|_, _| Vec::new());
        assert_eq!(code, 0, "{text}");
        assert!(text.starts_with("catalogs/notes.yaml:1:1: warning: `notes.yaml` is not read\n  hint: "), "{text}");
        assert!(text.ends_with("0 products, 0 errors, 1 warning\n"), "{text}");
        let policy = |_: &Files, _: &Snapshot| {
            let place = Place { file: "catalogs/a.cedar".to_owned(), line: 2, column: 3 };
            vec![Diagnostic::error(Kind::Invalid, "no such role").at(place)]
        };
        let (code, text) = check(&[mesh], &policy);
        assert_eq!(
            (code, text.as_str()),
            (1, "catalogs/a.cedar:2:3: error: no such role\n0 products, 1 error, 0 warnings\n")
        );
    }

    #[test]
    fn a_missing_mesh_is_one_clear_error() {
        let (code, text) = check(&[], &|_, _| Vec::new());
        assert_eq!(code, 1);
        assert!(text.starts_with("error: there is no `mesh.yaml` in `catalogs`\n  hint: "), "{text}");
        let mut out = Vec::new();
        assert_eq!(run(Path::new("/nonexistent/catalogs"), &|_, _| Vec::new(), &mut out), 1);
        assert!(String::from_utf8(out).unwrap().contains("there is no catalog folder at"));
    }
}
