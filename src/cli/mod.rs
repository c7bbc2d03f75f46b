//! TODO face
pub mod sql;
