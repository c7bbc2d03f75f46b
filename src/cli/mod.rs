//! TODO face

pub mod user;
