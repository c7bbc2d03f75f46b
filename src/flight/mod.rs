//! TODO face

mod wire_schema;

pub use wire_schema::wire_schema;

#[cfg(test)]
mod egress_tests;
