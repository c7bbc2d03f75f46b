//! The doors through which a statement gets in, and those of the commands about the mesh. A later door joins with one line.

use futures::FutureExt;
use futures::future::BoxFuture;

use arrow_flight::sql::Any;
use prost::Message;

use super::seat::{Seat, info_text, ticket, told};

pub(crate) struct Door {
    pub name: &'static str,
    pub ask: for<'a> fn(&'a mut Seat, &'a str) -> BoxFuture<'a, String>,
}

pub(crate) const DOORS: &[Door] = &[
    Door { name: "session", ask: |seat, sql| seat.in_process(sql).boxed() },
    Door { name: "statement", ask: |seat, sql| seat.statement(sql).boxed() },
    Door { name: "prepared statement", ask: |seat, sql| seat.prepared(sql).boxed() },
    Door { name: "prepared statement with a parameter", ask: |seat, sql| seat.bound(sql).boxed() },
    Door { name: "prepared handle as a ticket", ask: |seat, sql| seat.handle(sql).boxed() },
    Door { name: "PollFlightInfo", ask: |seat, sql| seat.polled(sql).boxed() },
    Door { name: "session by cookie", ask: |seat, sql| seat.by_cookie(sql).boxed() },
    Door { name: "native types, compressed", ask: |seat, sql| seat.native(sql).boxed() },
    Door { name: "GetFlightInfo", ask: |seat, sql| seat.announced(sql).boxed() },
    Door { name: "GetSchema", ask: |seat, sql| seat.schema_of(sql).boxed() },
    Door { name: "EXPLAIN", ask: |seat, sql| seat.explained("EXPLAIN", sql).boxed() },
    Door { name: "EXPLAIN VERBOSE", ask: |seat, sql| seat.explained("EXPLAIN VERBOSE", sql).boxed() },
    Door { name: "EXPLAIN ANALYZE", ask: |seat, sql| seat.explained("EXPLAIN ANALYZE", sql).boxed() },
    Door { name: "EXPLAIN ACCESS", ask: |seat, sql| seat.explained("EXPLAIN ACCESS", sql).boxed() },
    Door { name: "update", ask: |seat, sql| seat.update(sql).boxed() },
    Door { name: "REPL", ask: |seat, sql| seat.typed(sql).boxed() },
];

/// A command of Flight SQL, sent by other ways than a statement.
pub(crate) struct CommandDoor {
    pub name: &'static str,
    pub ask: for<'a> fn(&'a mut Seat, &'a Any) -> BoxFuture<'a, String>,
}

pub(crate) const COMMAND_DOORS: &[CommandDoor] = &[
    CommandDoor { name: "GetFlightInfo and DoGet", ask: |seat, command| info_and_get(seat, command).boxed() },
    CommandDoor { name: "PollFlightInfo and DoGet", ask: |seat, command| poll_and_get(seat, command).boxed() },
    CommandDoor { name: "GetSchema", ask: |seat, command| schema(seat, command).boxed() },
    CommandDoor { name: "the command as a ticket", ask: |seat, command| get(seat, command).boxed() },
];

async fn info_and_get(seat: &mut Seat, command: &Any) -> String {
    let info = match seat.info(command).await {
        Ok(info) => info,
        Err(status) => return told(&status),
    };
    let rows = seat.get(ticket(&info)).await.unwrap_or_else(|status| told(&status));
    format!("{}\n{rows}", info_text(&info))
}

async fn poll_and_get(seat: &mut Seat, command: &Any) -> String {
    let info = match seat.poll(command).await {
        Ok(info) => info,
        Err(status) => return told(&status),
    };
    let rows = seat.get(ticket(&info)).await.unwrap_or_else(|status| told(&status));
    format!("{}\n{rows}", info_text(&info))
}

async fn schema(seat: &mut Seat, command: &Any) -> String {
    seat.schema(command).await.unwrap_or_else(|status| told(&status))
}

async fn get(seat: &mut Seat, command: &Any) -> String {
    seat.get(command.encode_to_vec()).await.unwrap_or_else(|status| told(&status))
}
