//! Touchpoints (JSON lines) and employees (Parquet).

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Int64Array, StringArray};
use chrono::DateTime;
use rand::Rng as _;
use rand::seq::SliceRandom as _;

use super::super::files::{self, Access};
use super::super::parquet::{self, batch, money};
use super::super::words::{CHANNELS, DEPARTMENTS, FAMILY, GIVEN, REGION_DECK};
use super::super::world::{Sizes, Stream, TODAY, pick};
use crate::diagnostic::Result;

/// In order of time, within the two years before the demo's today.
pub(super) fn write_touchpoints(path: &Path, sizes: Sizes) -> Result<()> {
    let mut rng = Stream::Touchpoints.rng();
    let mut seconds: Vec<i64> =
        (0..sizes.touchpoints).map(|_| rng.random_range((TODAY - 730) * 86_400..TODAY * 86_400)).collect();
    seconds.sort_unstable();
    let mut lines = String::new();
    for at in seconds {
        let customer = rng.random_range(1..=sizes.customers);
        let (channel, campaigns) = pick(&mut rng, CHANNELS);
        let campaign = pick(&mut rng, campaigns);
        let at = DateTime::from_timestamp(at, 0).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S");
        let _ = writeln!(
            lines,
            r#"{{"customer_id":{customer},"channel":"{channel}","campaign":"{campaign}","at":"{at}"}}"#
        );
    }
    files::write(path, lines.as_bytes(), Access::Everyone)
}

/// Employee 1 has no manager, the next one of twenty-five report to her, all others to one of those.
pub(super) fn write_employees(path: &Path, sizes: Sizes) -> Result<()> {
    let mut rng = Stream::Employees.rng();
    let managers = (sizes.employees / 25).max(2);
    let mut deck = REGION_DECK;
    let (mut names, mut emails, mut regions) = (Vec::new(), Vec::new(), Vec::new());
    let (mut departments, mut salaries, mut manager_ids) = (Vec::new(), Vec::new(), Vec::new());
    for id in 1..=sizes.employees {
        if id % 20 == 1 {
            deck.shuffle(&mut rng);
        }
        let (given, family) = (pick(&mut rng, GIVEN), pick(&mut rng, FAMILY));
        names.push(format!("{} {}", given.0, family.0));
        emails.push(format!("{}.{}{id}@meshgate.example", given.1, family.1));
        // INVARIANT: the deck has twenty cards.
        regions.push(deck.iter().cycle().nth(usize::try_from(id % 20).unwrap_or_default()).map_or("", |r| r.name));
        let (department, least) = pick(&mut rng, DEPARTMENTS);
        departments.push(department);
        let (manager, grade) = match id {
            1 => (None, 4),
            id if id <= managers => (Some(1), 2),
            _ => (Some(rng.random_range(2..=managers)), 1),
        };
        manager_ids.push(manager);
        // Salaries are in steps of 250, so that buckets of 10,000 hide something.
        salaries.push((least * grade + rng.random_range(0..120) * 250) * 100);
    }
    let rows = batch([
        ("employee_id", Arc::new(Int64Array::from_iter_values(1..=sizes.employees))),
        ("name", Arc::new(StringArray::from(names))),
        ("email", Arc::new(StringArray::from(emails))),
        ("region", Arc::new(StringArray::from(regions))),
        ("department", Arc::new(StringArray::from(departments))),
        ("salary", money(salaries)?),
        ("manager_id", Arc::new(Int64Array::from(manager_ids))),
    ])?;
    parquet::write(path, &rows).map(drop)
}
