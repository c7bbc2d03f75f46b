//! The leaf of every governed plan.
//!
//! In: an opened dataset, the expressions of policy and masks, predicates that were accepted as leakproof. Out: [`ProductScan`],
//! which shows no children, so that no rule moves anything across the policy. This folder alone reaches raw plans. Absent on purpose:
//! anything measured below the policy, in properties, statistics, metrics or words.

mod conditions;
mod inject;
mod product;
mod rechunk;

pub use product::ProductScan;
pub(super) use product::{Leaf, Private, projected};
