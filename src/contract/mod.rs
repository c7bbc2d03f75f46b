//! ODCS document → checked [`Contract`].
//!
//! In: the text of one `*.odcs.yaml` (Open Data Contract Standard 3.0 to 3.2). Out: a contract that can be served, or all
//! findings with their places. Absent on purpose: SQL, policy, storage.

mod model;

pub use model::{
    Column, Contract, Dataset, Format, KeyReference, Location, QualityRule, Server, SlaProperty, Status, SupportChannel,
};
