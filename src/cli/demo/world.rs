//! What the tables agree on: who orders what, when, from where, and what became of it.
//!
//! Each table draws from a stream of its own, so that tables can be made side by side and come out the same.

use rand::Rng as _;
use rand::SeedableRng as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand_chacha::ChaCha8Rng;

use super::words::{CATEGORIES, Country, FAMILY, GIVEN, Name, REGION_DECK};

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const DAY: i64 = 86_400 * SECOND;
/// Years in which orders were placed, with their first day since 1970-01-01; the last one is half over.
pub(super) const YEARS: [(i32, i64); 4] = [(2023, 19_358), (2024, 19_723), (2025, 20_089), (2026, 20_454)];
const FIRST_DAY: i64 = 19_358;
/// The demo's today: 2026-07-01.
pub(super) const TODAY: i64 = 20_635;
/// Days after which nothing is on its way any more.
const SETTLED: i64 = 12;

/// Random numbers by purpose.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    People = 1,
    Customers,
    Placed,
    Orders,
    Lines,
    Products,
    Shipments,
    Carriers,
    Touchpoints,
    Employees,
}

impl Stream {
    pub(super) fn rng(self) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(0x006d_6573_6867_6174);
        rng.set_stream(self as u64);
        rng
    }
}

/// Rows of each table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub customers: i64,
    /// A multiple of ten, so that lines (three for each order on average) and shipments (four of five orders) come out exactly.
    pub orders: i64,
    pub touchpoints: i64,
    pub employees: i64,
}

impl Sizes {
    pub(super) const CARRIERS: i64 = 40;

    pub(super) fn at(scale: f64) -> Self {
        let rows = |tens: u32, least: i64| {
            #[expect(clippy::cast_possible_truncation, reason = "the scale is at most 20")]
            let scaled = (f64::from(tens) * scale).round() as i64 * 10;
            scaled.max(least)
        };
        Self {
            customers: rows(5_000, 20),
            orders: rows(50_000, 200),
            touchpoints: rows(10_000, 50),
            employees: rows(200, 20),
        }
    }
}

#[derive(Debug)]
pub(super) struct Customer {
    pub id: i64,
    pub given: Name,
    pub family: Name,
    pub country: &'static Country,
    pub city: &'static str,
    pub street: &'static str,
    pub house: u32,
    pub postcode: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Pending,
    Cancelled,
    Shipped,
    Delivered,
    Returned,
}

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Cancelled => "cancelled",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Returned => "returned",
        }
    }

    pub(super) fn has_shipment(self) -> bool {
        !matches!(self, Self::Pending | Self::Cancelled)
    }
}

/// Order ids follow time: the n-th order is the n-th placed.
#[derive(Debug)]
pub(super) struct Order<'a> {
    pub id: i64,
    pub customer: &'a Customer,
    /// Microseconds since 1970-01-01, whole seconds.
    pub at: i64,
    pub outcome: Outcome,
}

impl Order<'_> {
    pub(super) fn year(&self) -> i32 {
        YEARS.iter().rev().find(|(_, first)| self.at >= first * DAY).map_or(0, |(year, _)| *year)
    }
}

/// A word of the list; empty only for an empty list.
pub(super) fn pick<T: Copy + Default>(rng: &mut ChaCha8Rng, words: &[T]) -> T {
    words.choose(rng).copied().unwrap_or_default()
}

pub(super) fn customers(sizes: Sizes) -> Vec<Customer> {
    let mut rng = Stream::People.rng();
    let mut deck = REGION_DECK;
    let mut customers = Vec::new();
    let mut id = 0;
    while id < sizes.customers {
        deck.shuffle(&mut rng);
        for region in deck.iter().take(usize::try_from(sizes.customers - id).unwrap_or(usize::MAX)) {
            let Some(country) = region.countries.choose(&mut rng) else { continue };
            id += 1;
            customers.push(Customer {
                id,
                given: pick(&mut rng, GIVEN),
                family: pick(&mut rng, FAMILY),
                country,
                city: pick(&mut rng, country.cities),
                street: pick(&mut rng, country.streets),
                house: rng.random_range(1..=140),
                postcode: rng.random_range(10_000..=99_999),
            });
        }
    }
    customers
}

pub(super) fn orders(sizes: Sizes, customers: &[Customer]) -> Vec<Order<'_>> {
    let mut rng = Stream::Placed.rng();
    let span = (TODAY - FIRST_DAY) * DAY / SECOND;
    let mut orders: Vec<Order<'_>> = (0..sizes.orders)
        .filter_map(|_| {
            let customer = customers.choose(&mut rng)?;
            let at = FIRST_DAY * DAY + rng.random_range(0..span) * SECOND;
            Some(Order { id: 0, customer, at, outcome: Outcome::Delivered })
        })
        .collect();
    orders.sort_by_key(|order| order.at);
    for (order, id) in orders.iter_mut().zip(1..) {
        order.id = id;
    }
    for five in orders.chunks_mut(5) {
        let without_shipment = rng.random_range(0..5);
        for (order, place) in five.iter_mut().zip(0..) {
            let recent = order.at > (TODAY - SETTLED) * DAY;
            order.outcome = match (place == without_shipment, recent) {
                (true, true) => Outcome::Pending,
                (true, false) => Outcome::Cancelled,
                (false, true) => Outcome::Shipped,
                (false, false) if rng.random_ratio(1, 20) => Outcome::Returned,
                (false, false) => Outcome::Delivered,
            };
        }
    }
    orders
}

#[derive(Debug)]
pub(super) struct Product {
    pub code: String,
    pub cents: i64,
}

pub(super) fn products() -> Vec<Product> {
    let mut rng = Stream::Products.rng();
    let mut products = Vec::new();
    for category in CATEGORIES {
        for number in 1..=24 {
            let (low, high) = category.cents;
            // List prices end in 90.
            let cents = rng.random_range(low..=high) / 100 * 100 + 90;
            products.push(Product { code: format!("{}-{number:03}", category.code), cents });
        }
    }
    products
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub number: i32,
    pub product: &'a Product,
    pub quantity: i32,
    pub unit_cents: i64,
}

/// Calls `take` with every order and its lines. Orders and order lines both walk this, so that an order's amount is the sum of its lines.
pub(super) fn walk_lines<'p>(
    orders: &[Order<'_>],
    products: &'p [Product],
    mut take: impl FnMut(&Order<'_>, &[Line<'p>]),
) {
    let mut rng = Stream::Lines.rng();
    let mut lines = Vec::with_capacity(5);
    let mut previous = 3;
    for order in orders {
        // Two neighbours share six lines.
        let count = if order.id % 2 == 1 { rng.random_range(1..=5) } else { 6 - previous };
        previous = count;
        lines.clear();
        for number in 1..=count {
            let Some(product) = products.choose(&mut rng) else { continue };
            let percent = if rng.random_ratio(1, 8) { 90 } else { 100 };
            let quantity = rng.random_range(1..=6);
            lines.push(Line { number, product, quantity, unit_cents: product.cents * percent / 100 });
        }
        take(order, &lines);
    }
}
