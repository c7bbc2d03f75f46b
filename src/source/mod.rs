//! Dataset → [`RawTable`] over object storage.
//!
//! In: a dataset of a checked contract and the operator's placement of its domain. Out: a plan that reads the dataset in the
//! contract's names and types, in the domain's own fenced session. Nothing above this folder knows the format.
//! Absent on purpose: principals, policy, SQL text.

mod raw;

pub use raw::{Open, RawTable};
