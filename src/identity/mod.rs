//! Credentials → [`Principal`].
//!
//! In: an authorization header. Out: who calls, with the roles and attributes that policy may ask about.
//! Anonymous is a principal, never an absence. Absent on purpose: what a principal may do.

mod principal;

pub use principal::{AttributeValue, Principal};
