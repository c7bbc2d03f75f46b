//! The attack suite. `probes` is what an attacker types, `doors` the ways in, `world` what differs and must not be noticed; `suite`
//! puts them together, `proofs` shows that each probe can find something, `reference` compares with copies made by hand. The others
//! attack what is no statement: names, commands, tickets, handles, files, bytes under masks, and the documents that promise all this.

mod batches;
mod bytes;
mod commands;
mod doors;
mod fence;
mod handles;
mod names;
mod options;
mod probes;
mod proofs;
mod reference;
mod rows;
mod seat;
mod security;
mod shared;
mod suite;
mod tickets;
pub(crate) mod world;
