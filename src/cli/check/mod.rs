//! `meshgate check`: everything that is wrong with contracts and policies, for people and for CI.
//!
//! In: a catalog folder, and who access is asked about. Out: findings with their places, the exit code. On the way: what the
//! library finds while loading (`run`), what no principal can do (`people`), tests of policies (`suite`), what they leave
//! undecided (`coverage`) and unnoticed (`mutants`), and what the data is (`data`).

mod coverage;
mod data;
mod mutants;
mod people;
mod report;
mod run;
mod suite;

pub use run::{Args, command};

#[cfg(test)]
mod tests;
