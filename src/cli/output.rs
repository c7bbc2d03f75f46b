//! Standard output and standard error.

use std::io::Write;

use crate::diagnostic::{Diagnostic, render_human};

/// A line for people on standard output. A closed pipe is the reader's wish, not an error.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A line on standard error.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// The diagnostic on standard error, and the exit code of a failure.
pub fn fail(diagnostic: &Diagnostic) -> u8 {
    complain(&render_human(diagnostic));
    1
}

/// `1,000,000`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
