//! The demo mesh: a folder that `serve` can serve, made once.
//!
//! In: a folder and a scale. Out: `meshgate.toml` and everything it names (contracts and policies to edit, users, hash keys,
//! four domains of made-up data), the same bytes on every machine. Absent on purpose: serving it.
//!
//! `prepare` (lock, marker, reuse) calls `catalogs` and `principals` for the text files and `tables` for the data;
//! `tables` draws rows from `world` and `words` and hands them to `parquet` and `delta`.

mod banner;
mod catalogs;
mod delta;
mod files;
mod parquet;
mod prepare;
mod principals;
mod run;
mod tables;
mod words;
mod world;

#[cfg(test)]
mod tests;

pub use prepare::{Prepared, prepare};
pub use principals::{DemoPrincipal, PRINCIPALS};
pub use run::{Args, run};
