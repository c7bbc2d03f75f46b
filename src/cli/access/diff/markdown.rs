//! The report as a comment on a pull request.

use std::fmt::Write as _;

use super::lines::{Line, direction, lines, plain, summary};
use super::report::{DatasetChange, Report};

pub fn render(report: &Report) -> String {
    let mut out = format!("### Access: {} → {}\n\n", code(&plain(&report.base)), code(&plain(&report.head)));
    // Writing to a string cannot fail.
    let _ = write!(out, "**{}.**", capital(&summary(report.gaining(), report.losing(), report.principals)));
    for (what, products) in [("New", &report.added), ("Gone", &report.removed)] {
        if !products.is_empty() {
            let names: Vec<String> = products.iter().map(|name| code(name)).collect();
            let _ = write!(out, "\n{what}: {}.", names.join(", "));
        }
    }
    for note in &report.notes {
        let _ = write!(out, "\n\n> {}", text(note));
    }
    if report.people.is_empty() {
        return out;
    }
    out.push_str("\n\n| principal | of | what | before | after | |\n|---|---|---|---|---|---|");
    for person in &report.people {
        let who = if person.purpose.is_empty() {
            format!("**{}**", text(&person.name))
        } else {
            format!("**{}** for {}", text(&person.name), code(&plain(&person.purpose)))
        };
        for change in &person.products {
            let (before, after) = if change.shift.gains() { ("no", "yes") } else { ("yes", "no") };
            let (of, action) = (code(&change.product), code(change.action));
            let _ = write!(out, "\n| {who} | {of} | {action} | {before} | {after} | {} |", direction(change.shift));
        }
        for change in &person.datasets {
            for line in lines(change) {
                let _ = write!(out, "\n{}", row(&who, change, &line));
            }
        }
    }
    out
}

fn row(who: &str, change: &DatasetChange, line: &Line) -> String {
    let undecided = if change.difference.decided { "" } else { "; too many conditions to be compared" };
    format!(
        "| {who} | {} | {} | {} | {} | {}{undecided} |",
        code(&change.table.to_string()),
        text(&line.what),
        code(&line.before),
        code(&line.after),
        direction(line.shift)
    )
}

/// A code span that no text can end, fit for a table.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 { " " } else { "" };
    format!("{fence}{space}{}{space}{fence}", text.replace('|', "\\|"))
}

/// Text in which nothing is markup.
fn text(text: &str) -> String {
    let mut out = String::new();
    for c in plain(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '|' | '#' | '~' | '!' | '@') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
