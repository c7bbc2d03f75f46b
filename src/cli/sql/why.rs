//! `\why`: the server's `EXPLAIN ACCESS` of a statement, as text.

use super::reasons::render;
use super::session::Session;
use crate::diagnostic::{Diagnostic, Kind, Result};

/// The statement that asks why `sql` shows what it shows.
///
/// # Errors
/// `Invalid` where there is none.
pub(super) fn question(sql: Option<&str>) -> Result<String> {
    sql.map(|sql| format!("EXPLAIN ACCESS {sql}")).ok_or_else(|| {
        Diagnostic::error(Kind::Invalid, "there is no statement to explain yet")
            .hint("name one: `\\why SELECT * FROM domain.table`")
    })
}

/// The answer as text.
///
/// # Errors
/// Those of the server, which are those of the statement.
pub(super) async fn why(session: &mut Session, question: &str) -> Result<String> {
    let batches = session.execute(question).await?.rows.collect().await?;
    render(&batches).ok_or_else(|| {
        Diagnostic::error(Kind::Unsupported, "the server does not explain access").hint("it is another or an older one")
    })
}
