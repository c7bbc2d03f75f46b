//! The report for a terminal.

use std::fmt::Write as _;

use super::lines::{direction, lines, plain, summary};
use super::report::{Person, Report};

pub fn render(report: &Report) -> String {
    let mut out = format!(
        "{} → {}: {}",
        plain(&report.base),
        plain(&report.head),
        summary(report.gaining(), report.losing(), report.principals)
    );
    // Writing to a string cannot fail.
    for note in &report.notes {
        let _ = write!(out, "\nnote: {}", plain(note));
    }
    for (sign, products) in [("+", &report.added), ("-", &report.removed)] {
        for product in products {
            let _ = write!(out, "\n{sign} product {product}");
        }
    }
    for person in &report.people {
        out.push_str(&one(person));
    }
    out
}

fn one(person: &Person) -> String {
    let mut out = format!("\n\n{}", person.name);
    if !person.purpose.is_empty() {
        let _ = write!(out, " for {}", plain(&person.purpose));
    }
    let _ = write!(out, " {}", direction(person.shift()));
    for change in &person.products {
        let _ = write!(out, "\n  {}: {} `{}`", change.product, direction(change.shift), change.action);
    }
    for change in &person.datasets {
        let _ = write!(out, "\n  {}: {}", change.table, direction(change.difference.shift));
        if !change.difference.decided {
            out.push_str(" (too many conditions to be compared)");
        }
        for line in lines(change) {
            let _ = write!(out, "\n    {}: {} → {}", line.what, line.before, line.after);
            if line.shift != change.difference.shift {
                let _ = write!(out, " ({})", direction(line.shift));
            }
        }
    }
    out
}
