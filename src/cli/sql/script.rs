//! `-c`, `-f` and pipes: quiet, first failure stops, exit code.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::args::Args;
use super::console::Console;
use super::repl::{Options, interactive};
use super::report::report;
use super::session::Session;
use super::shell::{Outcome, Shell};
use crate::diagnostic::{Diagnostic, Kind, Result};

/// `meshgate sql`; answers the exit code: 0, or 1 if there was no connection or a statement failed.
pub async fn run(args: Args) -> u8 {
    if args.command.is_empty() && args.file.is_none() && std::io::stdin().is_terminal() {
        let login = match args.login() {
            Ok(login) => login,
            Err(diagnostic) => return fail(&mut Console::standard(), &diagnostic),
        };
        let Args { url, purpose, format, .. } = args;
        let options = Options { url, login, purpose, format, stop: CancellationToken::new() };
        return Box::pin(interactive(options)).await;
    }
    Box::pin(run_on(args, Console::standard())).await
}

pub(super) fn fail(console: &mut Console, diagnostic: &Diagnostic) -> u8 {
    let text = report(diagnostic, None, console.err_paint);
    console.say(&text);
    1
}

/// The scriptable mode on a given console.
pub(super) async fn run_on(args: Args, mut console: Console) -> u8 {
    let (scripts, login) = match scripts(&args).and_then(|scripts| Ok((scripts, args.login()?))) {
        Ok(ready) => ready,
        Err(diagnostic) => return fail(&mut console, &diagnostic),
    };
    let session = match Session::open(&args.url, login, args.purpose.clone()).await {
        Ok(session) => session,
        Err(diagnostic) => return fail(&mut console, &diagnostic),
    };
    let mut shell = Shell::new(session, console, args.format, false);
    for (text, file) in scripts {
        match shell.run(&text, file.as_deref(), 0).await {
            Outcome::Done => {}
            Outcome::Failed => return 1,
            Outcome::Quit => return 0,
        }
    }
    0
}

/// The texts to run, with the file they come from.
fn scripts(args: &Args) -> Result<Vec<(String, Option<PathBuf>)>> {
    if !args.command.is_empty() {
        return Ok(args.command.iter().map(|text| (text.clone(), None)).collect());
    }
    let unreadable = |name: &str, error: &dyn std::fmt::Display| {
        Diagnostic::error(Kind::NotFound, format!("cannot read `{name}`: {error}"))
            .hint("it must be a file of SQL text in UTF-8")
    };
    if let Some(file) = args.file.as_deref().filter(|file| *file != Path::new("-")) {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(&name, &error))?;
        return Ok(vec![(text, Some(file.to_owned()))]);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| unreadable("standard input", &error))?;
    Ok(vec![(text, None)])
}
