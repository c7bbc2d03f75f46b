//! The tables of TPC-H as Parquet and Delta, spread over four domains with contracts and policies, and its 22 queries.

mod catalog;
mod data;
mod texts;

pub use catalog::{ANALYST, Format, READER, by_hand, mesh};
pub use data::{Tables, make};
pub use texts::{Query, queries};

/// Each table and the domain that owns it.
pub const TABLES: [(&str, &str); 8] = [
    ("lineitem", "sales"),
    ("orders", "sales"),
    ("customer", "party"),
    ("supplier", "supply"),
    ("part", "supply"),
    ("partsupp", "supply"),
    ("nation", "reference"),
    ("region", "reference"),
];

pub const DOMAINS: [&str; 4] = ["sales", "party", "supply", "reference"];
