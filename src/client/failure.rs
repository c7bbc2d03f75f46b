//! What the server or the transport says, as a diagnostic.

use std::error::Error;
use std::io;

use arrow_flight::error::FlightError;
use tonic::{Code, Status};

use crate::diagnostic::{Diagnostic, Kind};

/// Nobody answers, or nobody who speaks Flight.
pub(super) fn unreachable(url: &str, error: &(dyn Error + 'static)) -> Diagnostic {
    let why = match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::TimedOut) => "no answer within 10 seconds".to_owned(),
        _ => innermost(error).trim_end_matches('.').to_owned(),
    };
    Diagnostic::error(Kind::Unavailable, format!("cannot reach a gateway at `{url}`: {why}"))
        .hint("start one with `meshgate demo`, or name another with `--url`")
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        next = error.source();
    }
    None
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

pub(super) fn from_flight(error: FlightError) -> Diagnostic {
    match error {
        FlightError::Tonic(status) => from_status(&status),
        FlightError::Arrow(error) => unreadable(&error.to_string()),
        FlightError::ExternalError(error) => match error.downcast_ref::<Status>() {
            Some(status) => from_status(status),
            None => unreadable(&error.to_string()),
        },
        FlightError::NotYetImplemented(text) => {
            Diagnostic::error(Kind::Unsupported, format!("the client cannot read this result: {text}"))
        }
        FlightError::ProtocolError(text) | FlightError::DecodeError(text) => unreadable(&text),
    }
}

pub(super) fn unreadable(text: &str) -> Diagnostic {
    Diagnostic::error(Kind::Internal, format!("the server's answer cannot be read: {text}"))
}

/// The status code gives the kind; the text is split into the sentence and its hints.
pub(super) fn from_status(status: &Status) -> Diagnostic {
    // A status made by the transport, not sent by a server, has the transport's error as its source.
    if let Some(source) = status.source() {
        return match status.code() {
            Code::Cancelled => Diagnostic::error(Kind::Cancelled, "the query was cancelled"),
            _ => Diagnostic::error(Kind::Unavailable, format!("the connection broke: {}", innermost(source)))
                .hint("check that the gateway still runs and that `--url` names a Flight SQL port without TLS"),
        };
    }
    let kind = match status.code() {
        Code::InvalidArgument | Code::OutOfRange => Kind::Invalid,
        Code::NotFound => Kind::NotFound,
        Code::PermissionDenied => Kind::Denied,
        Code::Unauthenticated => Kind::Unauthenticated,
        Code::ResourceExhausted => Kind::Exhausted,
        Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists => Kind::Stale,
        Code::Unimplemented => Kind::Unsupported,
        Code::Unavailable => Kind::Unavailable,
        Code::DeadlineExceeded => Kind::Deadline,
        Code::Cancelled => Kind::Cancelled,
        Code::DataLoss => Kind::Broken,
        Code::Ok | Code::Unknown | Code::Internal => Kind::Internal,
    };
    let (sentence, hints) = sentence_and_hints(status.message());
    let sentence = if sentence.is_empty() { status.code().description().to_lowercase() } else { sentence };
    hints.into_iter().fold(Diagnostic::error(kind, sentence), Diagnostic::hint)
}

/// Plain text holds both, each hint after the word `hint:`, on a line of its own or in the running text.
fn sentence_and_hints(text: &str) -> (String, Vec<String>) {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(at) = rest.get(from..).and_then(|tail| tail.find("hint:")).map(|at| at + from) {
        let before = rest.get(..at).unwrap_or_default();
        // `hint:` inside a word or in backticks is the user's own text.
        if before.is_empty() || before.ends_with([' ', '\n', '\t', '(', ';']) {
            parts.push(before);
            rest = rest.get(at + "hint:".len()..).unwrap_or_default();
            from = 0;
        } else {
            from = at + "hint:".len();
        }
    }
    parts.push(rest);
    let mut parts = parts.into_iter().map(|part| {
        let part = part.trim().trim_end_matches([';', '(', '|']).trim_end();
        // The parenthesis that opened before the hint closes behind it.
        let left_open = part.matches(')').count() > part.matches('(').count();
        if left_open { part.strip_suffix(')').unwrap_or(part).to_owned() } else { part.to_owned() }
    });
    let sentence = parts.next().unwrap_or_default();
    (sentence, parts.filter(|hint| !hint.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_in_the_text_become_hints() {
        for text in [
            "no table `sales.ordrs`\nhint: did you mean `sales.orders`?\nhint: ask sales",
            "no table `sales.ordrs`; hint: did you mean `sales.orders`?; hint: ask sales",
            "no table `sales.ordrs` (hint: did you mean `sales.orders`?) (hint: ask sales)",
        ] {
            let diagnostic = from_status(&Status::not_found(text));
            assert_eq!(diagnostic.kind, Kind::NotFound);
            assert_eq!(diagnostic.message, "no table `sales.ordrs`");
            assert_eq!(diagnostic.hints, ["did you mean `sales.orders`?", "ask sales"], "{text}");
        }
    }

    #[test]
    fn text_of_the_user_is_left_alone() {
        let diagnostic = from_status(&Status::invalid_argument("unknown column `hint:x` in `myhint:`"));
        assert_eq!(diagnostic.message, "unknown column `hint:x` in `myhint:`");
        assert!(diagnostic.hints.is_empty());
    }

    #[test]
    fn an_empty_message_still_says_something() {
        assert!(!from_status(&Status::new(Code::Internal, "")).message.is_empty());
    }
}
