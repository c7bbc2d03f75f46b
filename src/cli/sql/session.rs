//! A login that outlives the connection.

use super::lexer;
use super::names::Names;
use crate::client::{Client, Login, Rows, connect};
use crate::diagnostic::{Diagnostic, Kind, Result};

pub(super) struct Session {
    pub(super) url: String,
    pub(super) login: Login,
    pub(super) client: Client,
    /// Said anew at each login.
    purpose: Option<String>,
    /// A statement has set or reset something, which ends with the login.
    has_set: bool,
}

/// Rows, and whether a new login was needed to get them.
pub(super) struct Answer {
    pub(super) rows: Rows,
    pub(super) again: bool,
}

impl Session {
    pub(super) async fn open(url: &str, login: Login, purpose: Option<String>) -> Result<Self> {
        let client = connect(url, &login, purpose.as_deref()).await?;
        Ok(Self { url: url.to_owned(), login, client, purpose, has_set: false })
    }

    /// # Errors
    /// Those of the login; `Stale` where the old one had settings, since the next statement would run without them.
    async fn log_in_again(&mut self) -> Result<()> {
        self.client = connect(&self.url, &self.login, self.purpose.as_deref()).await?;
        if std::mem::take(&mut self.has_set) {
            return Err(Diagnostic::error(Kind::Stale, "the login had ended, and with it what the session had set")
                .hint("you are logged in again: `SET` or `RESET` it again, then repeat the statement"));
        }
        Ok(())
    }

    /// Runs one statement. A gateway that was restarted, or a token that has expired, is met with one new
    /// login: nothing can have run, since the statement was refused before it was looked at.
    pub(super) async fn execute(&mut self, sql: &str) -> Result<Answer> {
        let (rows, again) = match self.client.execute(sql).await {
            Err(refused) if refused.kind == Kind::Unauthenticated && self.login.user().is_some() => {
                self.log_in_again().await?;
                (self.client.execute(sql).await?, true)
            }
            Err(refused) if refused.kind == Kind::Unauthenticated => {
                return Err(refused.hint("log in with `--user NAME` or `--token`"));
            }
            answered => (answered?, false),
        };
        self.has_set |= sets(sql);
        Ok(Answer { rows, again })
    }

    /// Asks for the names that completion and `\d` show; logs in again like [`Self::execute`].
    pub(super) async fn refresh(&mut self, names: &Names) -> Result<()> {
        match names.refresh(&self.client).await {
            Err(refused) if refused.kind == Kind::Unauthenticated && self.login.user().is_some() => {
                self.log_in_again().await?;
                names.refresh(&self.client).await
            }
            other => other,
        }
    }

    pub(super) fn user(&self) -> &str {
        match &self.login {
            Login::Password { user, .. } => user,
            Login::Token(_) => "token",
            Login::Anonymous => "anonymous",
        }
    }
}

/// True for a statement that changes the session, whatever comments stand before it.
fn sets(sql: &str) -> bool {
    let first = lexer::scan(sql)
        .into_iter()
        .find(|piece| piece.is_significant() && piece.class != lexer::Class::Semicolon)
        .map(|piece| piece.text(sql).to_lowercase());
    matches!(first.as_deref(), Some("set" | "reset"))
}

#[cfg(test)]
mod tests {
    use super::sets;

    #[test]
    fn what_changes_the_session_is_known_by_its_first_word() {
        for sql in ["set a.b = 'c'", " ; SET a.b = 'c'", "/* why */ Set a.b = 'c'", "-- x\nreset a.b"] {
            assert!(sets(sql), "{sql}");
        }
        for sql in ["", "select 1", "show a.b", "\"set\" a", "-- set\nselect 'set'"] {
            assert!(!sets(sql), "{sql}");
        }
    }
}
