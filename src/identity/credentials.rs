//! What a caller shows.

use std::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::SecretString;

use crate::diagnostic::{Diagnostic, Kind, Result};

/// Go clients send no padding, Java and Python do (RFC 7617 asks for it).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The parsed `authorization` header of one call.
pub enum Credentials {
    /// No header, or the literal `Bearer None` that flightsql-dbapi sends without a token.
    Nothing,
    Basic {
        user: String,
        password: SecretString,
    },
    Bearer(SecretString),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

impl Credentials {
    /// Parses the values of all `authorization` headers of a call.
    ///
    /// # Errors
    /// `Unauthenticated` for more than one header, an unknown scheme, or text that is not what its scheme promises.
    /// No part of a header is repeated in the message.
    pub fn parse<'a>(mut headers: impl Iterator<Item = &'a [u8]>) -> Result<Self> {
        let Some(header) = headers.next() else { return Ok(Self::Nothing) };
        if headers.next().is_some() {
            return Err(refused("there is more than one authorization header").hint("send exactly one"));
        }
        let header = str::from_utf8(header).map_err(|_| refused("the authorization header is not text"))?.trim();
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("basic") {
            basic(rest)
        } else if scheme.eq_ignore_ascii_case("bearer") {
            match rest {
                "" => Err(refused("the bearer token is empty")),
                "None" => Ok(Self::Nothing),
                token => Ok(Self::Bearer(SecretString::from(token))),
            }
        } else {
            Err(refused("the authorization header has a scheme that is not offered")
                .hint("use `Basic` with user and password, or the `Bearer` token that a login was answered with"))
        }
    }
}

fn basic(encoded: &str) -> Result<Credentials> {
    let wrong = || {
        refused("the basic credentials cannot be read")
            .hint("they are the base64 form of `user:password`; user and password are UTF-8 text")
    };
    let decoded = BASE64.decode(encoded).map_err(|_| wrong())?;
    let text = String::from_utf8(decoded).map_err(|_| wrong())?;
    let (user, password) = text.split_once(':').ok_or_else(wrong)?;
    Ok(Credentials::Basic { user: user.to_owned(), password: SecretString::from(password) })
}

pub(in crate::identity) fn refused(message: &str) -> Diagnostic {
    Diagnostic::error(Kind::Unauthenticated, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn show(headers: &[&str]) -> String {
        match Credentials::parse(headers.iter().map(|header| header.as_bytes())) {
            Ok(Credentials::Nothing) => "nothing".to_owned(),
            Ok(Credentials::Basic { user, password }) => format!("basic {user} / {}", password.expose_secret()),
            Ok(Credentials::Bearer(token)) => format!("bearer {}", token.expose_secret()),
            Err(error) => format!("{:?}: {}", error.kind, error.message),
        }
    }

    #[test]
    fn every_spelling_that_clients_send() {
        for (headers, expect) in [
            (&[][..], "nothing"),
            (&["Bearer None"], "nothing"),
            (&["bearer abc"], "bearer abc"),
            // ana:ana1 has padding, the Go driver leaves it out
            (&["Basic YW5hOmFuYTE="], "basic ana / ana1"),
            (&["Basic YW5hOmFuYTE"], "basic ana / ana1"),
            (&["BASIC YW5hOmFuYQ=="], "basic ana / ana"),
            (&["bAsIc   YW5hOmFuYQ"], "basic ana / ana"),
            // a:b:c, ana: and :x
            (&["Basic YTpiOmM="], "basic a / b:c"),
            (&["Basic YW5hOg=="], "basic ana / "),
            (&["Basic Ong="], "basic  / x"),
            (&["Basic YW5h"], "Unauthenticated: the basic credentials cannot be read"),
            (&["Basic !!!"], "Unauthenticated: the basic credentials cannot be read"),
            (&["Basic"], "Unauthenticated: the basic credentials cannot be read"),
            (&["Basic //8="], "Unauthenticated: the basic credentials cannot be read"),
            (&["Bearer"], "Unauthenticated: the bearer token is empty"),
            (&["Digest x"], "Unauthenticated: the authorization header has a scheme that is not offered"),
            (
                &["Basic YW5hOmFuYQ==", "Basic YW5hOmFuYQ=="],
                "Unauthenticated: there is more than one authorization header",
            ),
            (&["Bearer None", "Bearer x"], "Unauthenticated: there is more than one authorization header"),
        ] {
            assert_eq!(show(headers), expect, "{headers:?}");
        }
    }

    #[test]
    fn credentials_never_print_a_secret() {
        let parsed = Credentials::parse([b"Basic YW5hOmFuYTE=".as_slice()].into_iter()).unwrap();
        assert_eq!(format!("{parsed:?}"), "Basic(…)");
    }
}
