//! What clients say that cannot be installed here: their conversations as files, replayed and recorded.
//!
//! A recorder stands between client and gateway and writes a line for each RPC: method, command, filters, shape of the
//! parameters, names of the headers, and the code of the answer. A golden conversation is such lines, written from the source
//! of a client, with what is to be sent and what that client needs of the answer below them. The replay sends what the lines
//! say; what the recorder then heard must be the lines again. A new version of a client is checked by recording it anew.
//!
//! Absent on purpose: values. Statements, parameters, tokens and passwords are in no recorded line.

mod call;
mod command;
mod expect;
mod recorder;
mod replay;
mod script;
mod tests;
