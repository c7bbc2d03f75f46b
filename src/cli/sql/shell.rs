//! Runs statements and commands, whoever typed them.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::error::ArrowError;

use super::Format;
use super::console::{Console, page};
use super::describe;
use super::format::Encoder;
use super::meta::{self, Expanded, Meta};
use super::names::Names;
use super::render::{self, footer, legend, table, vertical};
use super::report::{place, report};
use super::session::Session;
use super::split::{Item, Statement, split};
use super::why;
use super::window::{Grid, Window};
use crate::client::Rows;
use crate::diagnostic::{Diagnostic, Kind, Place, Result};

/// Rows that a pager gets at most.
const PAGED_ROWS: usize = 10_000;
/// Rows that other formats write to a terminal at most, and that a table has when it is not on a terminal.
const PLAIN_ROWS: usize = 10_000;
/// Files that include files.
const DEPTH: usize = 16;

pub(super) struct Shell {
    pub(super) session: Session,
    pub(super) console: Console,
    pub(super) names: Arc<Names>,
    pub(super) format: Format,
    pub(super) timing: bool,
    pub(super) expanded: Expanded,
    output: Option<Output>,
    /// The last statement that was sent, for `\why`.
    last: Option<String>,
    /// A person reads along: rows are counted and timed, and results are cut to the screen.
    interactive: bool,
    /// A new login was needed; the names may have changed.
    pub(super) logged_in_again: bool,
    /// A pager has the terminal, and Ctrl-C is its own.
    pub(super) paging: Arc<AtomicBool>,
}

/// Where `\o` sends results.
struct Output {
    path: PathBuf,
    format: Format,
    used: bool,
}

/// How a run of statements ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// A statement failed and was reported; those behind it did not run.
    Failed,
    Quit,
}

impl Shell {
    pub(super) fn new(session: Session, console: Console, format: Format, interactive: bool) -> Self {
        Self {
            session,
            console,
            names: Arc::new(Names::default()),
            format,
            timing: true,
            expanded: Expanded::Off,
            output: None,
            last: None,
            interactive,
            logged_in_again: false,
            paging: Arc::default(),
        }
    }

    /// Runs a script up to its first failure, which is reported. `file` names it in reports.
    pub(super) async fn run(&mut self, text: &str, file: Option<&Path>, depth: usize) -> Outcome {
        for item in split(text) {
            let (result, sql) = match &item {
                Item::Sql(statement) => (self.query(&statement.text).await.map(|()| Outcome::Done), Some(statement)),
                Item::Meta(line) => (Box::pin(self.command(line, file, depth)).await, None),
            };
            match result {
                Ok(Outcome::Done) => {}
                Ok(end) => return end,
                // `| head` has what it wanted.
                Err(_) if self.console.out.closed => return Outcome::Quit,
                Err(diagnostic) => {
                    self.complain(&located(diagnostic, file, sql), sql.map(|statement| statement.text.as_str()));
                    return Outcome::Failed;
                }
            }
        }
        Outcome::Done
    }

    pub(super) fn complain(&mut self, diagnostic: &Diagnostic, sql: Option<&str>) {
        let text = report(diagnostic, sql, self.console.err_paint);
        self.console.say(&text);
    }

    async fn query(&mut self, sql: &str) -> Result<()> {
        if asks_rows(sql) {
            self.last = Some(sql.to_owned());
        }
        let started = Instant::now();
        let answer = self.session.execute(sql).await?;
        if answer.again {
            self.logged_in_again = true;
            self.console.say("logged in again");
        }
        let mut rows = answer.rows;
        if self.output.is_some() {
            return self.write_file(&mut rows, started).await;
        }
        if self.format != Format::Table {
            return self.write_format(&mut rows, started).await;
        }
        let schema = rows.schema();
        let empty = schema.fields().is_empty();
        let mut window = Window::new(schema, self.row_limit());
        while let Some(batch) = rows.next().await {
            window.push(&batch?);
        }
        drop(rows);
        if empty {
            return self.note(&format!("done{}", self.took(started)));
        }
        let grid = window.into_grid().map_err(|error| unwritten(&error))?;
        self.show(grid, Some(started.elapsed())).await
    }

    /// How many rows are worth keeping.
    fn row_limit(&self) -> usize {
        match self.console.screen.size().filter(|_| self.interactive) {
            Some(_) if self.console.screen.pager.is_some() => PAGED_ROWS,
            Some((_, rows)) => rows_of_screen(rows),
            None => PLAIN_ROWS,
        }
    }

    async fn show(&mut self, mut grid: Grid, took: Option<Duration>) -> Result<()> {
        let took = took.filter(|_| self.timing);
        let size = self.console.screen.size();
        let mut text = self.draw(&grid, took);
        if let Some((_, height)) = size.filter(|_| self.interactive)
            && text.lines().count() + 2 > height
        {
            if self.paged(&text).await {
                return Ok(());
            }
            grid.cut_to(self.rows_that_fit(&grid, height));
            text = self.draw(&grid, took);
        }
        let cut = grid.cut.filter(|_| !self.interactive);
        self.console.out.draw(&text).map_err(|error| unwritten(&error.into()))?;
        if let Some(cut) = cut {
            self.console.say(&format!("{} not shown; `--format csv` writes all", render::rows(cut.rows)));
        }
        Ok(())
    }

    fn rows_that_fit(&self, grid: &Grid, height: usize) -> usize {
        if self.is_vertical(grid) {
            height.saturating_sub(4) / (grid.columns.len() + 1)
        } else {
            let tallest = grid.rows.iter().map(|row| render::height(row)).max().unwrap_or(1);
            rows_of_screen(height) / tallest
        }
    }

    fn is_vertical(&self, grid: &Grid) -> bool {
        let columns = self.console.screen.size().map(|(columns, _)| columns);
        match self.expanded {
            Expanded::On => true,
            Expanded::Off => false,
            Expanded::Auto => table(grid, columns, self.console.screen.paint).hidden > 0,
        }
    }

    fn draw(&self, grid: &Grid, took: Option<Duration>) -> String {
        let columns = self.console.screen.size().map(|(columns, _)| columns);
        let paint = self.console.screen.paint;
        let mut drawn =
            if self.is_vertical(grid) { vertical(grid, columns, paint) } else { table(grid, columns, paint) };
        if let Some(legend) = legend(grid) {
            drawn.text += &paint.dim(&legend);
            drawn.text.push('\n');
        }
        if !self.interactive {
            return drawn.text;
        }
        drawn.text + &paint.dim(&footer(grid, drawn.hidden, took)) + "\n"
    }

    /// True when a pager has shown the text.
    async fn paged(&mut self, text: &str) -> bool {
        let Some(command) = self.console.screen.pager.clone() else {
            return false;
        };
        let text = text.to_owned();
        // The pager keeps the terminal as long as it is read; other tasks go on meanwhile.
        self.paging.store(true, Ordering::Relaxed);
        let result = tokio::task::spawn_blocking(move || page(&command, &text)).await;
        self.paging.store(false, Ordering::Relaxed);
        match result {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                self.complain(
                    &Diagnostic::warning(Kind::Unavailable, format!("the pager did not start: {error}"))
                        .hint("set `MESHGATE_PAGER` to a command, for example `less`"),
                    None,
                );
                false
            }
            Err(_) => false,
        }
    }

    /// Rows for a program, on standard output.
    async fn write_format(&mut self, rows: &mut Rows, started: Instant) -> Result<()> {
        if self.format == Format::Arrow && self.console.screen.terminal {
            return Err(Diagnostic::error(Kind::Invalid, "an Arrow stream is not for a terminal")
                .hint("send it to a file or a pipe, or use `\\o FILE.arrow`"));
        }
        let limit = if self.interactive && self.console.screen.terminal { PLAIN_ROWS } else { usize::MAX };
        let mut written = 0;
        let mut stopped = false;
        let mut out = &mut self.console.out;
        let mut encoder = Encoder::new(self.format, &rows.schema(), &mut out).map_err(|error| unwritten(&error))?;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let room = limit - written;
            stopped = batch.num_rows() > room;
            let batch = if stopped { batch.slice(0, room) } else { batch };
            written += batch.num_rows();
            encoder.write(&batch).map_err(|error| unwritten(&error))?;
            if stopped {
                break;
            }
        }
        encoder.finish().map_err(|error| unwritten(&error))?;
        if stopped {
            self.console.say(&format!("stopped after {}; `\\o FILE` writes all", render::rows(written)));
        } else if self.interactive {
            let took = self.took(started);
            self.console.say(&format!("{}{took}", render::rows(written)));
        }
        Ok(())
    }

    /// Rows for a program, in the file that `\o` named.
    async fn write_file(&mut self, rows: &mut Rows, started: Instant) -> Result<()> {
        let Some(output) = &mut self.output else { return Ok(()) };
        let name = output.path.display().to_string();
        if output.used && !output.format.may_repeat() {
            return Err(Diagnostic::error(Kind::Invalid, format!("`{name}` holds a result already"))
                .hint("its format holds only one; name another file with `\\o`, or `\\o` alone for the screen"));
        }
        // Opened only now: a statement that fails leaves an older file alone.
        let file = if output.used {
            OpenOptions::new().append(true).create(true).open(&output.path)
        } else {
            File::create(&output.path)
        };
        let file = file.map_err(|error| {
            Diagnostic::error(Kind::Unavailable, format!("cannot write `{name}`: {error}"))
                .hint("name another file with `\\o`")
        })?;
        output.used = true;
        let out = std::io::BufWriter::new(file);
        let mut encoder = Encoder::new(output.format, &rows.schema(), out).map_err(|error| unwritten(&error))?;
        let mut written = 0;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            written += batch.num_rows();
            encoder.write(&batch).map_err(|error| unwritten(&error))?;
        }
        encoder.finish().map_err(|error| unwritten(&error))?;
        let took = self.took(started);
        self.note(&format!("{} written to `{name}`{took}", render::rows(written)))
    }

    async fn command(&mut self, line: &str, file: Option<&Path>, depth: usize) -> Result<Outcome> {
        match meta::parse(line)? {
            Meta::Quit => return Ok(Outcome::Quit),
            Meta::Help => self.print(&meta::help())?,
            Meta::Describe(name) => {
                self.session.refresh(&self.names).await?;
                let grid = describe::describe(&self.names.known(), name.as_deref())?;
                self.show(grid, None).await?;
            }
            Meta::Products => {
                let grid = if let Some(grid) = describe::products(&mut self.session).await? {
                    grid
                } else {
                    self.session.refresh(&self.names).await?;
                    describe::datasets(&self.names.known())
                };
                self.show(grid, None).await?;
            }
            Meta::Whoami => {
                let text = describe::whoami(&mut self.session).await?;
                self.print(&text)?;
            }
            Meta::Why(sql) => {
                let question = why::question(sql.as_deref().or(self.last.as_deref()))?;
                match why::why(&mut self.session, &question).await {
                    Ok(text) => self.print(&text)?,
                    // Its places are those of what was sent.
                    Err(diagnostic) => {
                        self.complain(&diagnostic, Some(&question));
                        return Ok(Outcome::Failed);
                    }
                }
            }
            Meta::Timing(on) => {
                self.timing = on.unwrap_or(!self.timing);
                self.note(if self.timing { "timing is on" } else { "timing is off" })?;
            }
            Meta::Expanded(to) => {
                let other = if self.expanded == Expanded::Off { Expanded::On } else { Expanded::Off };
                self.expanded = to.unwrap_or(other);
                self.note(match self.expanded {
                    Expanded::Off => "rows are shown as a table",
                    Expanded::On => "rows are shown one below the other",
                    Expanded::Auto => "rows are shown one below the other where a table would hide columns",
                })?;
            }
            Meta::Format(None) => {
                let format = self.format;
                self.print(&format!("{}\n", name(format)))?;
            }
            Meta::Format(Some(format)) => {
                self.format = format;
                self.note(&format!("results are written as {}", name(format)))?;
            }
            Meta::Output(None) => {
                self.output = None;
                self.note("results go to the screen")?;
            }
            Meta::Output(Some(path)) => {
                let format = Format::of_file(&path).ok_or_else(|| {
                    Diagnostic::error(Kind::Invalid, format!("the ending of `{}` names no format", path.display()))
                        .hint("use .csv, .json, .ndjson, .md or .arrow")
                })?;
                self.note(&format!("results go to `{}` as {}", path.display(), name(format)))?;
                self.output = Some(Output { path, format, used: false });
            }
            Meta::Include(path) => return self.include(&path, file, depth).await,
        }
        Ok(Outcome::Done)
    }

    /// Relative paths start at the file that names them.
    async fn include(&mut self, path: &Path, from: Option<&Path>, depth: usize) -> Result<Outcome> {
        let path = from.and_then(Path::parent).map_or_else(|| path.to_owned(), |folder| folder.join(path));
        if depth >= DEPTH {
            return Err(Diagnostic::error(Kind::Invalid, format!("`{}` is included too deep", path.display()))
                .hint("does a file include itself?"));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Diagnostic::error(Kind::NotFound, format!("cannot read `{}`: {error}", path.display()))
                .hint("paths start at the folder you started in, or at the file that includes")
        })?;
        Ok(Box::pin(self.run(&text, Some(&path), depth + 1)).await)
    }

    /// A remark that scripts do not need.
    fn note(&mut self, text: &str) -> Result<()> {
        if self.interactive { self.print(&format!("{text}\n")) } else { Ok(()) }
    }

    fn print(&mut self, text: &str) -> Result<()> {
        self.console.out.draw(text).map_err(|error| unwritten(&error.into()))
    }

    fn took(&self, started: Instant) -> String {
        if self.timing { format!(" ({})", render::seconds(started.elapsed())) } else { String::new() }
    }
}

/// Borders, headings, the cut, the footer and the next prompt take nine lines.
fn rows_of_screen(height: usize) -> usize {
    height.saturating_sub(9).max(4)
}

fn name(format: Format) -> String {
    format!("{format:?}").to_lowercase()
}

fn unwritten(error: &ArrowError) -> Diagnostic {
    Diagnostic::error(Kind::Internal, format!("the result cannot be written: {error}"))
}

/// In a file, the place is the file's: line and column of the statement, moved by the server's place in it.
fn located(diagnostic: Diagnostic, file: Option<&Path>, statement: Option<&Statement>) -> Diagnostic {
    let (Some(file), Some(statement), None) = (file, statement, &diagnostic.place) else {
        return diagnostic;
    };
    let (line, column) = place(&diagnostic.message).unwrap_or((1, 1));
    let column = if line == 1 { statement.column + column - 1 } else { column };
    diagnostic.at(Place { file: file.display().to_string(), line: statement.line + line - 1, column })
}

/// True for what `\\why` can explain.
fn asks_rows(sql: &str) -> bool {
    let word: String = sql.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    ["", "select", "with", "values"].iter().any(|known| word.eq_ignore_ascii_case(known))
}
