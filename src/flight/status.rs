//! Diagnostic → gRPC status.

use tonic::{Code, Status};

use crate::diagnostic::{Diagnostic, Kind};

/// C++ clients drop a response whose headers exceed about 8 KiB, and percent-encoding may triple a character.
const LONGEST: usize = 2048;

/// The code by kind, and one line: `place: message; hint: …`.
pub(in crate::flight) fn of(diagnostic: &Diagnostic) -> Status {
    Status::new(code(diagnostic.kind), message(diagnostic))
}

fn code(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::Denied => Code::PermissionDenied,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Exhausted => Code::ResourceExhausted,
        Kind::Stale => Code::FailedPrecondition,
        Kind::Unsupported => Code::Unimplemented,
        Kind::Unavailable => Code::Unavailable,
        Kind::Broken => Code::DataLoss,
        Kind::Deadline => Code::DeadlineExceeded,
        Kind::Cancelled => Code::Cancelled,
        Kind::Internal => Code::Internal,
    }
}

fn message(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
    text.push_str(&diagnostic.message);
    // A hint of several lines is a drawing, the statement underlined; it says nothing once it is folded into one.
    for hint in diagnostic.hints.iter().filter(|hint| !hint.contains('\n')) {
        text.push_str("; hint: ");
        text.push_str(hint);
    }
    let mut line = String::with_capacity(text.len().min(LONGEST));
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    shorten(line)
}

fn shorten(mut line: String) -> String {
    if line.len() > LONGEST {
        let mut end = LONGEST - '…'.len_utf8();
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Correct, but not offered; `what` is a sentence's subject with its verb, such as `transactions are`.
pub(in crate::flight) fn not_offered(what: &str) -> Diagnostic {
    Diagnostic::error(Kind::Unsupported, format!("{what} not offered"))
}

/// A name that a client sent, as far as it is repeated.
pub(in crate::flight) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Place;

    #[test]
    fn every_kind_has_its_code() {
        for (kind, code) in [
            (Kind::Invalid, Code::InvalidArgument),
            (Kind::NotFound, Code::NotFound),
            (Kind::Denied, Code::PermissionDenied),
            (Kind::Unauthenticated, Code::Unauthenticated),
            (Kind::Exhausted, Code::ResourceExhausted),
            (Kind::Stale, Code::FailedPrecondition),
            (Kind::Broken, Code::DataLoss),
            (Kind::Unsupported, Code::Unimplemented),
            (Kind::Unavailable, Code::Unavailable),
            (Kind::Deadline, Code::DeadlineExceeded),
            (Kind::Cancelled, Code::Cancelled),
            (Kind::Internal, Code::Internal),
        ] {
            assert_eq!(of(&Diagnostic::error(kind, "x")).code(), code);
        }
    }

    #[test]
    fn a_message_is_one_short_line() {
        let place = Place { file: "sql".to_owned(), line: 2, column: 7 };
        let status =
            of(&Diagnostic::error(Kind::Invalid, "no such\n  thing").hint("look\tthere").hint("or here").at(place));
        assert_eq!(status.message(), "sql:2:7: no such thing; hint: look there; hint: or here");

        let drawn = of(&Diagnostic::error(Kind::Invalid, "no such thing").hint("select x\n       ^").hint("or here"));
        assert_eq!(drawn.message(), "no such thing; hint: or here");

        let long = of(&Diagnostic::error(Kind::Invalid, "é".repeat(4000)));
        assert!(long.message().len() <= LONGEST && long.message().ends_with('…'));
    }
}
