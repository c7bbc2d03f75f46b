//! Shipments (Delta with a history) and carriers (CSV).

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, StructArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::record_batch::RecordBatch;
use rand::Rng as _;

use super::super::delta::DeltaTable;
use super::super::files::{self, Access};
use super::super::parquet::{batch, timestamps};
use super::super::words::{CARRIER_MODES, CARRIER_NAMES};
use super::super::world::{DAY, Order, Outcome, SECOND, Sizes, Stream, pick};
use crate::diagnostic::Result;

const APPENDS: usize = 6;
/// The append that came in without deliveries and was corrected by a later commit.
const CORRECTED: usize = 4;

/// Eight commits: the table, six appends in order of time, and a correction that replaces the file of one of them.
pub(super) fn write_shipments(folder: &Path, orders: &[Order<'_>]) -> Result<()> {
    let rows = shipment_rows(orders)?;
    let mut table = DeltaTable::create(folder, "3f0f6a5e-0d2c-4b53-9d1a-5a1e5c000002", rows.schema_ref())?;
    let part = rows.num_rows().div_ceil(APPENDS);
    let mut to_correct = None;
    for number in 0..APPENDS {
        let start = (number * part).min(rows.num_rows());
        let slice = rows.slice(start, part.min(rows.num_rows() - start));
        if number == CORRECTED {
            let early = table.append(&without_deliveries(&slice)?)?;
            to_correct = Some((early, slice));
        } else {
            table.append(&slice)?;
        }
    }
    if let Some((early, corrected)) = to_correct {
        table.rewrite(&early, &corrected)?;
    }
    Ok(())
}

fn shipment_rows(orders: &[Order<'_>]) -> Result<RecordBatch> {
    let mut rng = Stream::Shipments.rng();
    let shipped: Vec<&Order<'_>> = orders.iter().filter(|order| order.outcome.has_shipment()).collect();
    let (mut carriers, mut weights) = (Vec::new(), Vec::new());
    let (mut shipped_at, mut promised_at, mut delivered_at) = (Vec::new(), Vec::new(), Vec::new());
    for order in &shipped {
        carriers.push(rng.random_range(1..=Sizes::CARRIERS));
        let left = order.at + rng.random_range(2 * 3_600..3 * 86_400) * SECOND;
        shipped_at.push(left);
        // Promised for the end of a day.
        promised_at.push((left / DAY + rng.random_range(3..=9)) * DAY + 20 * 3_600 * SECOND);
        let arrived = left + rng.random_range(86_400..9 * 86_400) * SECOND;
        delivered_at.push((order.outcome != Outcome::Shipped).then_some(arrived));
        weights.push(f64::from(rng.random_range::<u32, _>(2..400)) / 10.0);
    }
    let count = i64::try_from(shipped.len()).unwrap_or_default();
    batch([
        ("shipment_id", Arc::new(Int64Array::from_iter_values(1..=count))),
        ("order_id", Arc::new(Int64Array::from_iter_values(shipped.iter().map(|o| o.id)))),
        ("carrier_id", Arc::new(Int64Array::from(carriers))),
        ("region", text(shipped.iter().map(|o| o.customer.country.region))),
        ("shipped_at", timestamps(shipped_at)),
        ("promised_at", timestamps(promised_at)),
        ("delivered_at", Arc::new(TimestampMicrosecondArray::from(delivered_at))),
        ("weight_kg", Arc::new(Float64Array::from(weights))),
        ("address", Arc::new(addresses(&shipped))),
    ])
}

fn addresses(orders: &[&Order<'_>]) -> StructArray {
    let field = |name| Field::new(name, DataType::Utf8, true);
    let fields: Fields = vec![field("street"), field("city"), field("postcode")].into();
    let columns = vec![
        text(orders.iter().map(|o| format!("{} {}", o.customer.street, o.customer.house))),
        text(orders.iter().map(|o| o.customer.city)),
        text(orders.iter().map(|o| format!("{:05}", o.customer.postcode))),
    ];
    StructArray::new(fields, columns, None)
}

/// The same rows as they were known before anything had arrived.
fn without_deliveries(rows: &RecordBatch) -> Result<RecordBatch> {
    let empty: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![None; rows.num_rows()]));
    let mut columns = rows.columns().to_vec();
    for (field, column) in rows.schema_ref().fields().iter().zip(&mut columns) {
        if field.name() == "delivered_at" {
            *column = Arc::clone(&empty);
        }
    }
    RecordBatch::try_new(rows.schema(), columns)
        .map_err(|error| crate::diagnostic::Diagnostic::error(crate::diagnostic::Kind::Internal, error.to_string()))
}

/// The same forty at every scale.
pub(super) fn write_carriers(path: &Path) -> Result<()> {
    let mut rng = Stream::Carriers.rng();
    let mut csv = "carrier_id,name,mode\n".to_owned();
    for id in 1..=Sizes::CARRIERS {
        let (name, mode) = (pick(&mut rng, CARRIER_NAMES), pick(&mut rng, CARRIER_MODES));
        let _ = writeln!(csv, "{id},{name} {id:02},{mode}");
    }
    files::write(path, csv.as_bytes(), Access::Everyone)
}

fn text<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}
