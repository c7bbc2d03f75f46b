//! The parameters of a prepared statement: what their places say of their types, and values in those places.
//!
//! In: a plan with places, and the values of a client. Out: the types that drivers are told, and the plan with the values in it. A value
//! that its place can compare as it is stays what it is: a number beyond the range of a column must not become another number.

mod bind;
mod places;
mod widen;

pub(in crate::query) use bind::{bind, count};
pub(in crate::query) use places::types;
