//! The command line of `meshgate sql`.

use std::io::IsTerminal;
use std::path::PathBuf;

use secrecy::SecretString;

use super::Format;
use crate::client::Login;
use crate::config::environment;
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Ask a gateway, at a prompt or from a script
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Without -c, -f or piped input it opens a prompt. Exit code: 0, or 1 if a statement failed.\n\
    Environment: MESHGATE_PASSWORD, MESHGATE_TOKEN, MESHGATE_PAGER, NO_COLOR.")]
pub struct Args {
    /// The gateway
    #[arg(long, default_value = "grpc://127.0.0.1:8815")]
    pub url: String,
    /// Log in as this principal
    #[arg(long, short)]
    pub user: Option<String>,
    /// The password; better in MESHGATE_PASSWORD, or typed when asked
    #[arg(long, requires = "user")]
    pub password: Option<SecretString>,
    /// A bearer token in place of user and password; also in MESHGATE_TOKEN
    #[arg(long, conflicts_with = "user")]
    pub token: Option<SecretString>,
    /// What the session is for, as policies may ask; like `SET meshgate.purpose = '…'` at its beginning
    #[arg(long, value_name = "TEXT")]
    pub purpose: Option<String>,
    /// Run these statements and leave; may be repeated
    #[arg(long, short, value_name = "SQL", conflicts_with = "file")]
    pub command: Vec<String>,
    /// Run the statements of a file and leave; `-` is standard input
    #[arg(long, short, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

impl Args {
    /// The credentials: from the command line, the environment, or a person at the terminal.
    pub(super) fn login(&self) -> Result<Login> {
        if let Some(token) = &self.token {
            return Ok(Login::Token(token.clone()));
        }
        let Some(user) = self.user.clone() else {
            return Ok(environment("MESHGATE_TOKEN").map_or(Login::Anonymous, |token| Login::Token(token.into())));
        };
        let given = self.password.clone().or_else(|| environment("MESHGATE_PASSWORD").map(SecretString::from));
        let password = match given {
            Some(password) => password,
            None => ask(&user)?,
        };
        Ok(Login::Password { user, password })
    }
}

fn ask(user: &str) -> Result<SecretString> {
    let missing = || {
        Diagnostic::error(Kind::Unauthenticated, format!("no password for `{user}`"))
            .hint("set `MESHGATE_PASSWORD`, or run at a terminal to be asked")
    };
    if !std::io::stdin().is_terminal() && !std::io::stderr().is_terminal() {
        return Err(missing());
    }
    rpassword::prompt_password(format!("password for {user}: ")).map(SecretString::from).map_err(|_| missing())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> std::result::Result<Args, clap::Error> {
        Program::try_parse_from(std::iter::once("sql").chain(line.split(' ').filter(|word| !word.is_empty())))
            .map(|program| program.args)
    }

    #[test]
    fn flags() {
        let args = parse("--user ana --password pw -c select -c two --format ndjson").unwrap();
        assert_eq!((args.command, args.format), (vec!["select".to_owned(), "two".to_owned()], Format::Ndjson));
        assert_eq!(parse("").unwrap().url, "grpc://127.0.0.1:8815");
        for wrong in ["--password x", "--user a --token t", "-c a -f b", "--format xml"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let args = parse("--user ana --password hunter2").unwrap();
        assert!(!format!("{args:?}").contains("hunter2"));
    }
}
