//! Plans: the governed leaf is named with its policies, and nothing below it, not even a count.

use super::probe::Proof::{Owner, Refused, Shows};
use super::probe::{Probe, Proof, any, total};

const LEAF: Proof = Shows("ProductScan: sales.orders policies=");

pub const PROBES: &[Probe] = &[
    any("D16", "EXPLAIN SELECT count(*), max(amount) FROM sales.orders", LEAF),
    any("D16b", "EXPLAIN FORMAT TREE SELECT count(*), max(amount) FROM sales.orders", Shows("sales.orders")),
    any(
        "D16c",
        "EXPLAIN VERBOSE SELECT a.order_id FROM sales.orders a JOIN sales.orders b ON a.customer_id = b.customer_id WHERE a.amount > 5",
        LEAF,
    ),
    any("D16d", "EXPLAIN SELECT order_id FROM sales.orders ORDER BY amount LIMIT 3", LEAF),
    any("D16e", "EXPLAIN SELECT min(order_id), max(order_id), count(order_id) FROM sales.orders", LEAF),
    any("D16f", "EXPLAIN SELECT order_id FROM sales.orders WHERE amount < -100", LEAF),
    any("D16g", "EXPLAIN SELECT order_id FROM sales.orders WHERE region = 'US'", LEAF),
    any("D17a", "EXPLAIN SELECT order_id FROM sales.orders WHERE amount>7", LEAF),
    any("D17b", "EXPLAIN VERBOSE SELECT order_id FROM sales.orders WHERE amount>7", LEAF),
    any("D17c", "EXPLAIN FORMAT PGJSON SELECT order_id FROM sales.orders WHERE amount>7", Shows("sales.orders")),
    any("D17d", "EXPLAIN FORMAT GRAPHVIZ SELECT order_id FROM sales.orders WHERE amount>7", Shows("sales.orders")),
    any("D17e", "EXPLAIN FORMAT INDENT SELECT * FROM sales.orders", LEAF),
    any("D17f", "EXPLAIN SELECT email, risk FROM sales.orders WHERE email = 'x' AND risk > 5", LEAF),
    any("D17g", "EXPLAIN SELECT addr FROM sales.orders WHERE addr['zip'] = 'EU-1'", LEAF),
    any("D17h", "EXPLAIN VERBOSE SELECT * FROM sales.orders ORDER BY order_id LIMIT 3", LEAF),
    any("D17i", "EXPLAIN SELECT * FROM sales.orders a FULL JOIN sales.baskets b ON a.order_id = b.basket_id", LEAF),
    any("D18", "EXPLAIN ANALYZE SELECT count(*) FROM sales.orders", LEAF),
    any("D18b", "EXPLAIN ANALYZE VERBOSE SELECT order_id FROM sales.orders WHERE amount > 7", LEAF),
    any(
        "D18c",
        "EXPLAIN ANALYZE SELECT a.order_id FROM sales.orders a JOIN sales.orders b ON a.order_id = b.customer_id",
        LEAF,
    ),
    any("D18d", "EXPLAIN ANALYZE SELECT order_id FROM sales.orders WHERE abs(qty) > 0 ORDER BY amount LIMIT 2", LEAF),
    any("D18e", "EXPLAIN ANALYZE SELECT 1/(amount-5) FROM sales.orders", Proof::Fails("divide by zero")),
    any(
        "D18f",
        "EXPLAIN ANALYZE FORMAT TREE SELECT order_id FROM sales.orders",
        Refused("", "EXPLAIN ANALYZE SELECT order_id FROM sales.orders"),
    ),
    any(
        "D19b",
        "EXPLAIN (SHOW_STATISTICS true) SELECT order_id FROM sales.orders",
        Refused("unknown EXPLAIN option", "EXPLAIN SELECT order_id FROM sales.orders"),
    ),
    any(
        "D19c",
        "EXPLAIN (ANALYZE, LEVEL dev) SELECT order_id FROM sales.orders",
        Refused("", "EXPLAIN ANALYZE SELECT order_id FROM sales.orders"),
    ),
    any(
        "D19d",
        "EXPLAIN (VERBOSE, COSTS) SELECT order_id FROM sales.orders",
        Refused("", "EXPLAIN VERBOSE SELECT order_id FROM sales.orders"),
    ),
    any(
        "D17j",
        "EXPLAIN EXPLAIN SELECT order_id FROM sales.orders",
        Refused("", "EXPLAIN SELECT order_id FROM sales.orders"),
    ),
    total("access", "EXPLAIN ACCESS SELECT * FROM sales.orders", Owner("card_no")),
    total(
        "access-join",
        "EXPLAIN ACCESS SELECT a.note FROM sales.orders a JOIN sales.orders b ON 1/(a.amount-5)=b.qty",
        Owner("card_no"),
    ),
    total("access-hidden", "EXPLAIN ACCESS SELECT card_no FROM sales.orders", Owner("sales.orders")),
    total(
        "access-folded",
        "EXPLAIN ACCESS SELECT CAST('x' AS BIGINT) FROM sales.orders WHERE note = 'cnryshort'",
        Owner("sales.orders"),
    ),
    total("access-other", "EXPLAIN ACCESS SELECT * FROM sales.orders, hr.salaries", Owner("hr.salaries")),
    total(
        "access-write",
        "EXPLAIN ACCESS COPY sales.orders TO 'out.parquet'",
        Refused("", "EXPLAIN ACCESS SELECT order_id FROM sales.orders"),
    ),
];
