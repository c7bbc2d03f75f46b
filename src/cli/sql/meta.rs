//! Backslash commands.

use std::path::PathBuf;

use clap::ValueEnum;

use super::Format;
use super::words;
use crate::config::environment;
use crate::diagnostic::{Diagnostic, Kind, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meta {
    /// All tables, the tables of a domain, or the columns of a table.
    Describe(Option<String>),
    Products,
    Whoami,
    /// Why a statement shows what it shows; `None` is the last one.
    Why(Option<String>),
    /// `None` toggles.
    Timing(Option<bool>),
    /// `None` toggles.
    Expanded(Option<Expanded>),
    /// `None` ends it.
    Output(Option<PathBuf>),
    Include(PathBuf),
    /// `None` shows it.
    Format(Option<Format>),
    Help,
    Quit,
}

/// Rows one below the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Expanded {
    #[default]
    Off,
    On,
    /// When the table would have to hide columns.
    Auto,
}

/// Command, argument, what it does: the help, and what completion offers.
pub(super) const COMMANDS: [(&str, &str, &str); 11] = [
    ("\\d", "[NAME]", "tables; the tables of a domain; the columns of a table"),
    ("\\dp", "", "products: version, status, owner, support, purpose"),
    ("\\why", "[SELECT …]", "why the last statement, or this one, shows what it shows"),
    ("\\whoami", "", "who you are, where and for what"),
    ("\\timing", "[on|off]", "show how long a statement took"),
    ("\\x", "[on|off|auto]", "rows one below the other"),
    ("\\format", "[FORMAT]", "table, csv, json, ndjson, markdown or arrow"),
    ("\\o", "[FILE]", "results to a .csv .json .ndjson .md .arrow file; alone: back"),
    ("\\i", "FILE", "run the statements of a file"),
    ("\\?", "", "this help"),
    ("\\q", "", "leave (also Ctrl-D, quit, exit)"),
];

/// Reads one command line that starts with a backslash.
///
/// # Errors
/// `Invalid`, with what was probably meant.
pub(super) fn parse(line: &str) -> Result<Meta> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let (command, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let argument = Some(argument.trim()).filter(|argument| !argument.is_empty());
    match (command, argument) {
        ("\\d", name) => Ok(Meta::Describe(name.map(str::to_owned))),
        ("\\why", sql) => Ok(Meta::Why(sql.map(str::to_owned))),
        ("\\timing", None) => Ok(Meta::Timing(None)),
        ("\\timing", Some(word)) => {
            switch(command, word, &[("on", true), ("off", false)]).map(|on| Meta::Timing(Some(on)))
        }
        ("\\x", None) => Ok(Meta::Expanded(None)),
        ("\\x", Some(word)) => {
            let choices = [("on", Expanded::On), ("off", Expanded::Off), ("auto", Expanded::Auto)];
            switch(command, word, &choices).map(|expanded| Meta::Expanded(Some(expanded)))
        }
        ("\\o", None) => Ok(Meta::Output(None)),
        ("\\o", Some(file)) => Ok(Meta::Output(Some(path(file)))),
        ("\\i", Some(file)) => Ok(Meta::Include(path(file))),
        ("\\i", None) => {
            Err(Diagnostic::error(Kind::Invalid, "`\\i` needs a file").hint("for example `\\i report.sql`"))
        }
        ("\\format", None) => Ok(Meta::Format(None)),
        ("\\format", Some(word)) => {
            let choices: Vec<(String, Format)> = Format::value_variants()
                .iter()
                .filter_map(|format| Some((format.to_possible_value()?.get_name().to_owned(), *format)))
                .collect();
            let choices: Vec<(&str, Format)> = choices.iter().map(|(name, format)| (name.as_str(), *format)).collect();
            switch(command, word, &choices).map(|format| Meta::Format(Some(format)))
        }
        ("\\dp" | "\\whoami" | "\\?" | "\\q", Some(argument)) => {
            Err(Diagnostic::error(Kind::Invalid, format!("`{command}` takes nothing after it, found `{argument}`"))
                .hint("`\\?` lists the commands"))
        }
        ("\\dp", None) => Ok(Meta::Products),
        ("\\whoami", None) => Ok(Meta::Whoami),
        ("\\?" | "\\h" | "\\help", _) => Ok(Meta::Help),
        ("\\q" | "\\quit", _) => Ok(Meta::Quit),
        _ => {
            let unknown = Diagnostic::error(Kind::Invalid, format!("unknown command `{command}`"));
            let near = words::closest(command, COMMANDS.iter().map(|(name, ..)| *name));
            let unknown = match near.filter(|_| command.len() > 2) {
                Some(near) => unknown.hint(format!("did you mean `{near}`?")),
                None => unknown,
            };
            Err(unknown.hint("`\\?` lists the commands"))
        }
    }
}

fn switch<T: Copy>(command: &str, word: &str, choices: &[(&str, T)]) -> Result<T> {
    if let Some((_, value)) = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
        return Ok(*value);
    }
    let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
    Err(Diagnostic::error(Kind::Invalid, format!("`{command}` does not know `{word}`"))
        .hint(format!("choose one of {}", names.join(", "))))
}

fn path(text: &str) -> PathBuf {
    let quoted = ['\'', '"'].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    let text = quoted.unwrap_or(text);
    match (text.strip_prefix("~/"), environment("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(text),
    }
}

pub(super) fn help() -> String {
    let commands =
        COMMANDS.map(|(command, argument, what)| format!("  {:<20} {what}", format!("{command} {argument}")));
    format!(
        "{}\n\n\
         A statement ends with `;`; Alt-Enter runs it without. Tab completes, Ctrl-R searches\n\
         the history, Ctrl-C cancels a running statement. What starts with a space is not\n\
         kept in the history. `$MESHGATE_PAGER` shows results that are taller than the screen.\n",
        commands.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        for (line, expect) in [
            ("\\d", Meta::Describe(None)),
            ("\\d sales.orders;", Meta::Describe(Some("sales.orders".to_owned()))),
            ("\\dp", Meta::Products),
            ("\\why", Meta::Why(None)),
            ("\\why select 1;", Meta::Why(Some("select 1".to_owned()))),
            ("\\timing", Meta::Timing(None)),
            ("\\timing OFF", Meta::Timing(Some(false))),
            ("\\x auto", Meta::Expanded(Some(Expanded::Auto))),
            ("\\o", Meta::Output(None)),
            ("\\o 'my file.csv'", Meta::Output(Some("my file.csv".into()))),
            ("\\i  a b.sql ", Meta::Include("a b.sql".into())),
            ("\\format ndjson", Meta::Format(Some(Format::Ndjson))),
            ("\\?", Meta::Help),
            ("\\q", Meta::Quit),
        ] {
            assert_eq!(parse(line).unwrap(), expect, "{line}");
        }
    }

    #[test]
    fn a_wrong_command_says_what_was_meant() {
        let error = parse("\\timng on").unwrap_err();
        assert_eq!(error.message, "unknown command `\\timng`");
        assert_eq!(error.hints, ["did you mean `\\timing`?", "`\\?` lists the commands"]);
        let error = parse("\\x maybe").unwrap_err();
        assert_eq!(error.message, "`\\x` does not know `maybe`");
        assert_eq!(error.hints, ["choose one of `on`, `off`, `auto`"]);
        assert!(parse("\\i").is_err());
        assert!(parse("\\dp sales").is_err());
    }
}
