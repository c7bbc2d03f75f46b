//! TODO face

pub mod check;
