//! The seven datasets, domain by domain, below `data/<domain>/`.
//!
//! In: the folder and the scale. Out: files. Tables are made side by side; none reads another's files.

mod logistics;
mod sales;
mod small;

use std::path::Path;

use super::world::{self, Sizes};
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Writes all data below `data`.
pub(super) fn write(data: &Path, scale: f64) -> Result<()> {
    let sizes = Sizes::at(scale);
    let customers = world::customers(sizes);
    let orders = world::orders(sizes, &customers);
    let products = world::products();
    let sales = data.join("sales");
    std::thread::scope(|scope| {
        let threads = [
            scope.spawn(|| sales::write_orders(&sales.join("orders"), &orders, &products)),
            scope.spawn(|| sales::write_order_lines(&sales.join("order_lines"), &orders, &products)),
            scope.spawn(|| logistics::write_shipments(&data.join("logistics/shipments"), &orders)),
            scope.spawn(|| {
                sales::write_customers(&sales.join("customers"), &customers)?;
                logistics::write_carriers(&data.join("logistics/carriers.csv"))?;
                small::write_touchpoints(&data.join("marketing/touchpoints.ndjson"), sizes)?;
                small::write_employees(&data.join("hr/employees.parquet"), sizes)
            }),
        ];
        threads.into_iter().try_for_each(|thread| {
            let stopped = |_| Diagnostic::error(Kind::Internal, "a thread that writes demo data stopped");
            thread.join().map_err(stopped)?
        })
    })
}
