//! Where answers and messages go, and what the terminal can show.

use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};

use super::cell;
use super::render::Paint;
use crate::config::environment;

/// Standard output and standard error, or buffers in tests.
pub(super) struct Console {
    pub(super) out: Out,
    pub(super) err: Box<dyn Write + Send>,
    /// Colours on standard error.
    pub(super) err_paint: Paint,
    pub(super) screen: Screen,
}

/// What standard output is.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    /// Columns and rows, if it is a terminal; asked anew, since windows change.
    pub(super) fixed: Option<(usize, usize)>,
    pub(super) terminal: bool,
    pub(super) paint: Paint,
    /// The command that shows long results.
    pub(super) pager: Option<String>,
}

impl Console {
    pub(super) fn standard() -> Self {
        let colour = environment("NO_COLOR").is_none() && environment("TERM").as_deref() != Some("dumb");
        let terminal = io::stdout().is_terminal();
        Self {
            out: Out { inner: Box::new(io::stdout()), escape: terminal, closed: false },
            err: Box::new(io::stderr()),
            err_paint: Paint { colour: colour && io::stderr().is_terminal() },
            screen: Screen {
                fixed: None,
                terminal,
                paint: Paint { colour: colour && terminal },
                pager: environment("MESHGATE_PAGER"),
            },
        }
    }

    /// A message for people; a standard error that cannot be written has nobody to tell.
    pub(super) fn say(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
        let _ = self.err.flush();
    }
}

impl Screen {
    /// Columns and rows of the terminal, `None` where there is none.
    pub(super) fn size(&self) -> Option<(usize, usize)> {
        if self.fixed.is_some() {
            return self.fixed;
        }
        if !self.terminal {
            return None;
        }
        let (columns, rows) = crossterm::terminal::size().ok()?;
        (columns > 0 && rows > 0).then_some((usize::from(columns), usize::from(rows)))
    }
}

/// Standard output. On a terminal, control characters are escaped on their way; a reader that has gone away
/// is remembered, since it is no failure.
pub(super) struct Out {
    pub(super) inner: Box<dyn Write + Send>,
    pub(super) escape: bool,
    pub(super) closed: bool,
}

impl Out {
    /// Text that is made here, colours included.
    pub(super) fn draw(&mut self, text: &str) -> io::Result<()> {
        let result = self.inner.write_all(text.as_bytes()).and_then(|()| self.inner.flush());
        self.noticed(result)
    }

    fn noticed<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.closed |= result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        result
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.escape {
            let result = self.inner.write(bytes);
            return self.noticed(result);
        }
        // The encoders hand over whole buffers; a character cut at the end of one is taken next time.
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) if error.valid_up_to() > 0 => {
                std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
            }
            Err(_) => {
                let result = self.inner.write_all("\u{fffd}".as_bytes());
                return self.noticed(result).map(|()| 1);
            }
        };
        let safe: String = text
            .chars()
            .flat_map(|c| {
                let escaped = cell::is_unsafe(c) && c != '\n' && c != '\t';
                let (plain, hidden) = if escaped { (None, Some(c.escape_unicode())) } else { (Some(c), None) };
                plain.into_iter().chain(hidden.into_iter().flatten())
            })
            .collect();
        let result = self.inner.write_all(safe.as_bytes());
        self.noticed(result).map(|()| text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.noticed(result)
    }
}

/// Shows text through a pager and waits until it is left.
///
/// # Errors
/// When the pager cannot be started. A pager that is left early is no error.
pub(super) fn page(command: &str, text: &str) -> io::Result<()> {
    let mut process = Command::new("sh");
    process.arg("-c").arg(command).stdin(Stdio::piped());
    if environment("LESS").is_none() {
        // Colours as colours, long lines not wrapped.
        process.env("LESS", "-RS");
    }
    let mut child = process.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(text.as_bytes());
    }
    let status = child.wait()?;
    // The shell's own words for "not found" and "not executable".
    if matches!(status.code(), Some(126 | 127)) {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("cannot run `{command}`")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::Buffer;
    use super::*;

    #[test]
    fn a_terminal_gets_no_escape_from_data() {
        let buffer = Buffer::default();
        let mut out = Out { inner: Box::new(buffer.clone()), escape: true, closed: false };
        out.write_all("a\u{1b}]0;x\u{7}\n\u{9b}é\r\n".as_bytes()).unwrap();
        out.write_all(&"é".as_bytes()[..1]).unwrap();
        assert_eq!(buffer.text(), "a\\u{1b}]0;x\\u{7}\n\\u{9b}é\\u{d}\n\u{fffd}");
    }

    #[test]
    fn a_pager_that_does_not_exist_is_an_error_and_one_that_leaves_is_not() {
        assert!(page("/nonexistent/pager", "text").is_err());
        page("true", &"line\n".repeat(100_000)).unwrap();
    }
}
