//! Customers (Delta), orders (Parquet, a folder for each year) and order lines (Parquet).

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int32Array, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use rand::Rng as _;

use super::super::delta::DeltaTable;
use super::super::parquet::{self, batch, money, timestamps};
use super::super::words::{MAIL_DOMAINS, NOTES};
use super::super::world::{self, Customer, Order, Product, Stream, YEARS, pick};
use crate::diagnostic::Result;

/// First and last day on which somebody became a customer: all before the first order.
const SIGN_UP_DAYS: std::ops::Range<i32> = 17_532..19_358;

/// Two appends, one file each.
pub(super) fn write_customers(folder: &Path, customers: &[Customer]) -> Result<()> {
    let rows = customer_rows(customers)?;
    let half = rows.num_rows() / 2;
    let mut table = DeltaTable::create(folder, "3f0f6a5e-0d2c-4b53-9d1a-5a1e5c000001", rows.schema_ref())?;
    table.append(&rows.slice(0, half))?;
    table.append(&rows.slice(half, rows.num_rows() - half))?;
    Ok(())
}

fn customer_rows(customers: &[Customer]) -> Result<RecordBatch> {
    let mut rng = Stream::Customers.rng();
    let (mut emails, mut phones, mut segments) = (Vec::new(), Vec::new(), Vec::new());
    let (mut signed_up, mut limits) = (Vec::new(), Vec::new());
    for customer in customers {
        let domain = pick(&mut rng, MAIL_DOMAINS);
        emails.push(format!("{}.{}{}@{domain}", customer.given.1, customer.family.1, customer.id));
        let number: u32 = rng.random_range(1_000_000..=9_999_999);
        phones.push((!rng.random_ratio(1, 12)).then(|| format!("{} 555 {number}", customer.country.dial)));
        let (segment, hundreds) = match rng.random_range(0..20) {
            0..14 => ("consumer", 5..=50),
            14..19 => ("business", 50..=500),
            _ => ("enterprise", 500..=5_000),
        };
        segments.push(segment);
        limits.push(rng.random_range::<i64, _>(hundreds) * 10_000);
        signed_up.push(rng.random_range(SIGN_UP_DAYS));
    }
    batch([
        ("customer_id", ids(customers.iter().map(|c| c.id))),
        ("name", text(customers.iter().map(|c| format!("{} {}", c.given.0, c.family.0)))),
        ("email", text(emails)),
        ("phone", Arc::new(StringArray::from(phones))),
        ("country", text(customers.iter().map(|c| c.country.name))),
        ("region", text(customers.iter().map(|c| c.country.region))),
        ("segment", text(segments)),
        ("signed_up", Arc::new(Date32Array::from(signed_up))),
        ("credit_limit", money(limits)?),
    ])
}

/// `order_year=<year>/part-0.parquet`, ordered by time; the year stands in the path alone.
pub(super) fn write_orders(folder: &Path, orders: &[Order<'_>], products: &[Product]) -> Result<()> {
    let mut cents = Vec::with_capacity(orders.len());
    world::walk_lines(orders, products, |_, lines| {
        cents.push(lines.iter().map(|line| i64::from(line.quantity) * line.unit_cents).sum::<i64>());
    });
    let rows = order_rows(orders, cents)?;
    let mut start = 0;
    for (year, _) in YEARS {
        let count = orders.iter().skip(start).take_while(|order| order.year() == year).count();
        let path = folder.join(format!("order_year={year}/part-0.parquet"));
        parquet::write(&path, &rows.slice(start, count))?;
        start += count;
    }
    Ok(())
}

fn order_rows(orders: &[Order<'_>], cents: Vec<i64>) -> Result<RecordBatch> {
    let mut rng = Stream::Orders.rng();
    let notes: StringArray = orders.iter().map(|_| rng.random_ratio(1, 7).then(|| pick(&mut rng, NOTES))).collect();
    batch([
        ("order_id", ids(orders.iter().map(|o| o.id))),
        ("customer_id", ids(orders.iter().map(|o| o.customer.id))),
        ("region", text(orders.iter().map(|o| o.customer.country.region))),
        ("ordered_at", timestamps(orders.iter().map(|o| o.at))),
        ("status", text(orders.iter().map(|o| o.outcome.as_str()))),
        ("amount", money(cents)?),
        ("currency", text(orders.iter().map(|o| o.customer.country.currency))),
        ("note", Arc::new(notes)),
    ])
}

/// `part-0.parquet` to `part-3.parquet`, ordered by order.
pub(super) fn write_order_lines(folder: &Path, orders: &[Order<'_>], products: &[Product]) -> Result<()> {
    let (mut order_ids, mut numbers, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut quantities, mut cents) = (Vec::new(), Vec::new());
    world::walk_lines(orders, products, |order, lines| {
        for line in lines {
            order_ids.push(order.id);
            numbers.push(line.number);
            codes.push(line.product.code.as_str());
            quantities.push(line.quantity);
            cents.push(line.unit_cents);
        }
    });
    let rows = batch([
        ("order_id", ids(order_ids)),
        ("line_no", Arc::new(Int32Array::from(numbers))),
        ("product_code", text(codes)),
        ("quantity", Arc::new(Int32Array::from(quantities))),
        ("unit_price", money(cents)?),
    ])?;
    let part = rows.num_rows().div_ceil(4);
    for (number, start) in (0..rows.num_rows()).step_by(part.max(1)).enumerate() {
        let count = part.min(rows.num_rows() - start);
        parquet::write(&folder.join(format!("part-{number}.parquet")), &rows.slice(start, count))?;
    }
    Ok(())
}

fn ids(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn text<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}
