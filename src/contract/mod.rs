//! ODCS document → checked [`Contract`].
//!
//! In: the text of one `*.odcs.yaml` (Open Data Contract Standard 3.0 to 3.2). Out: a contract that can be served, or all
//! findings with their places. On the way: text → located tree (`locate`) → keys and types against the standard's tables
//! (`shape`, `document`) → meaning (`check`, `types`). Absent on purpose: SQL, policy, storage.

mod check;
mod document;
pub(crate) mod locate;
mod model;
mod pattern;
pub(crate) mod shape;
mod types;

pub(crate) use check::support as support_channels;
pub use check::{Checked, Places, Words, check};
pub(crate) use document::SUPPORT;
pub use model::{
    Column, Contract, Dataset, Format, KeyReference, Location, NumberMarks, OnDrift, QualityRule, Range, Server,
    SlaProperty, Status, SupportChannel, TextLayout,
};
pub use pattern::{EpochUnit, Pattern, TimeFormat};
