//! Time, spans and metrics.
//!
//! In: nothing of the mesh. Out: the [`Clock`] that everything with an expiry is handed. Absent on purpose: catalogs, policy.

mod clock;

pub use clock::Clock;
