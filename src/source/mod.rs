//! Dataset → [`RawTable`] over object storage.
//!
//! In: a dataset of a checked contract and the operator's placement of its domain. Out: a plan that reads the dataset in the
//! contract's names and types, in the domain's own fenced session. Nothing above this folder knows the format.
//! Absent on purpose: principals, policy, SQL text.

mod adapt;
mod brackets;
mod breaker;
mod cells;
mod characters;
mod compared;
mod conform;
mod conversion;
mod convert;
mod damaged;
mod decoded;
mod delimited;
mod delta;
mod documents;
mod drifting;
mod features;
mod fence;
mod files;
mod filtered;
mod fit;
mod flawed;
mod footer;
mod json;
mod left_out;
mod lists;
mod local;
mod location;
mod members;
mod memory;
mod parquet;
mod pinned;
mod pins;
mod quoting;
mod raw;
mod readers;
mod sources;
mod store;
mod survey;
mod text;
mod text_scan;
mod values;
mod vectors;
mod watched;

#[cfg(test)]
mod tests;

pub use damaged::Damaged;
pub use drifting::UnreadMembers;
pub use memory::RowsInMemory;
pub use pins::Replaced;
pub use raw::{Open, RawTable, Watch};
pub use sources::{REFRESH, Sources, State};
pub use store::{Placement, Stores};
pub use survey::{Rows, Survey, SurveyedFile};
pub use values::with_seconds;
pub use watched::{Silent, is_silent};
