//! Tests of policies: `*.test.yaml` → does each principal see what its author expects?
//!
//! In: test files, and the mesh and policies they are about. Out: a finding for each expectation that does not hold, in its
//! place. Rows become a table in memory, and a session of the principal runs `SELECT *` over it as a server would. Absent on
//! purpose: any evaluation of policy of its own.

mod compare;
mod document;
mod rows;
mod stage;

pub use document::{Test, read};
pub use stage::{Bench, Stage};
