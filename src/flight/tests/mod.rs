//! The protocol over a real connection, with a stand-in for `query` behind the door.

mod fake;
mod login;
mod prepared;
mod statements;
mod surface;
