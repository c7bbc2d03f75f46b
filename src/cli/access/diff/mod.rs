//! `meshgate access diff`: who gains and who loses between two states of `catalogs/`.
//!
//! In: two folders or git revisions, and the principals to ask about. Out: a report for a terminal, a pull request or a tool, and an
//! exit code for CI. `side` loads a state (`git` reads revisions without checking them out, `tree` as a folder), `report` compares the decisions for
//! every principal, `count` asks the data where it is given, and `human`, `markdown` and `json` write (`lines` says what). Absent on purpose: the comparison
//! of two exposures itself, which is `govern`'s.

mod count;
mod git;
mod human;
mod json;
mod lines;
mod markdown;
mod report;
mod run;
mod side;
mod tree;

pub use run::{Args, run};
