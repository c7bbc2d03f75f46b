//! The metadata commands: what of the mesh this principal may know of.
//!
//! In: a command and a door. Out: one batch in the exact schema that drivers compare with. Served from contracts, no
//! storage is touched. Absent on purpose: any second opinion about who may see what; the door's tables are all there is.

mod command;
mod keys;
mod pattern;
mod tables;
mod types;

pub(in crate::flight) use command::Metadata;

#[cfg(test)]
mod tests;
