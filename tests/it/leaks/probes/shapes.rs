//! Statement shapes: joins, sets, windows, limits, recursion, whose result would follow hidden rows.

use super::probe::Proof::{Differs, Refused};
use super::probe::{Probe, Proof, any, total};

pub const PROBES: &[Probe] = &[
    any(
        "D08e",
        "SELECT order_id FROM sales.orders a WHERE (SELECT count(*) FROM sales.orders b WHERE b.customer_id = a.customer_id) > 1",
        Differs,
    ),
    any(
        "D12d",
        "SELECT a.order_id, b.order_id AS o FROM sales.orders a FULL JOIN sales.orders b ON a.order_id = b.order_id + 100",
        Differs,
    ),
    any(
        "D12e",
        "SELECT order_id FROM sales.orders WHERE customer_id NOT IN (SELECT k FROM (VALUES (7)) v(k))",
        Differs,
    ),
    any(
        "D12f",
        "SELECT a.order_id FROM sales.orders a LEFT ANTI JOIN sales.orders b ON b.order_id = a.order_id + 95",
        Differs,
    ),
    any(
        "D12m",
        "SELECT v.k, o.order_id FROM (VALUES (101), (102), (100)) v(k) LEFT JOIN sales.orders o ON o.order_id = v.k",
        Differs,
    ),
    any(
        "D12n",
        "SELECT v.k FROM (VALUES (101), (100)) v(k) WHERE EXISTS (SELECT 1 FROM sales.orders o WHERE o.order_id = v.k)",
        Differs,
    ),
    any(
        "D12o",
        "SELECT v.k FROM (VALUES (101), (100)) v(k) WHERE k NOT IN (SELECT order_id FROM sales.orders)",
        Differs,
    ),
    any("D12p", "SELECT * FROM sales.orders a NATURAL JOIN (VALUES (77), (5)) v(amount)", Differs),
    any(
        "D12q",
        "SELECT a.order_id, b.order_id AS other FROM sales.orders a JOIN sales.orders b ON a.customer_id = b.customer_id",
        Differs,
    ),
    total(
        "D13c",
        "SELECT order_id, rank() OVER (ORDER BY amount DESC) AS r, first_value(note) OVER (ORDER BY amount DESC, order_id) AS f FROM sales.orders ORDER BY order_id",
        Differs,
    ),
    total(
        "window",
        "SELECT order_id, sum(amount) OVER (ORDER BY order_id) FROM sales.orders ORDER BY order_id",
        Differs,
    ),
    total(
        "window-last",
        "SELECT order_id, last_value(note) OVER (ORDER BY order_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM sales.orders ORDER BY order_id",
        Differs,
    ),
    total(
        "window-lead",
        "SELECT order_id, lead(order_id) OVER (ORDER BY order_id) AS n, percent_rank() OVER (ORDER BY order_id) AS p FROM sales.orders ORDER BY order_id",
        Differs,
    ),
    total("window-count", "SELECT DISTINCT count(*) OVER () FROM sales.orders", Differs),
    total(
        "window-range",
        "SELECT order_id, sum(qty) OVER (ORDER BY amount RANGE BETWEEN 10 PRECEDING AND 10 FOLLOWING) FROM sales.orders WHERE amount BETWEEN -1000 AND 1000 ORDER BY order_id",
        Differs,
    ),
    total(
        "window-nth",
        "SELECT order_id, nth_value(amount, 6) OVER (ORDER BY order_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), cume_dist() OVER (ORDER BY amount) FROM sales.orders ORDER BY order_id",
        Differs,
    ),
    any(
        "qualify",
        "SELECT order_id FROM sales.orders QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY order_id DESC) = 1",
        Differs,
    ),
    total("limit", "SELECT count(*) FROM (SELECT order_id FROM sales.orders LIMIT 9)", Proof::Shows("8")),
    total("limit-100", "SELECT count(*) FROM (SELECT order_id FROM sales.orders LIMIT 10)", Differs),
    total(
        "limit-below",
        "SELECT count(*), min(order_id) >= 1 FROM (SELECT order_id FROM sales.orders WHERE amount < 10000 LIMIT 100)",
        Differs,
    ),
    total(
        "limit-zero",
        "SELECT * FROM (SELECT order_id FROM sales.orders LIMIT 0) UNION ALL SELECT count(*) FROM sales.orders",
        Differs,
    ),
    total("offset", "SELECT order_id FROM sales.orders ORDER BY order_id OFFSET 8", Differs),
    total("topk", "SELECT order_id, amount FROM sales.orders ORDER BY amount DESC, order_id LIMIT 2 OFFSET 1", Differs),
    total("topk-first", "SELECT amount FROM sales.orders ORDER BY amount LIMIT 1", Differs),
    total("topk-text", "SELECT note FROM sales.orders ORDER BY note DESC LIMIT 9", Differs),
    total("topk-nulls", "SELECT order_id FROM sales.orders ORDER BY risk NULLS FIRST, order_id DESC LIMIT 1", Differs),
    total(
        "recursive",
        "WITH RECURSIVE r AS (SELECT 100 AS k UNION ALL SELECT r.k + 1 FROM r JOIN sales.orders o ON o.order_id = r.k) SELECT count(*), max(k) FROM r",
        Differs,
    ),
    total(
        "recursive-union",
        "WITH RECURSIVE r AS (SELECT 1 AS k UNION SELECT o.order_id FROM r JOIN sales.orders o ON o.customer_id >= 0) SELECT count(*), max(k) FROM r",
        Differs,
    ),
    any("except", "SELECT amount FROM sales.orders EXCEPT SELECT 10", Differs),
    any(
        "except-distinct",
        "SELECT v.k FROM (VALUES (5), (77)) v(k) EXCEPT DISTINCT SELECT amount FROM sales.orders",
        Differs,
    ),
    any(
        "intersect",
        "SELECT v.k FROM (VALUES (5), (77), (10)) v(k) INTERSECT SELECT amount FROM sales.orders",
        Differs,
    ),
    any(
        "intersect-distinct",
        "SELECT amount FROM sales.orders INTERSECT DISTINCT SELECT amount FROM sales.orders",
        Differs,
    ),
    any("union", "SELECT status FROM sales.orders UNION SELECT note FROM sales.orders", Differs),
    any(
        "union-by-name",
        "SELECT order_id, note FROM sales.orders UNION ALL BY NAME SELECT note, order_id FROM sales.orders",
        Differs,
    ),
    any(
        "values-join",
        "SELECT v.k, count(o.order_id) FROM (VALUES (5), (77), (10)) v(k) LEFT JOIN sales.orders o ON o.amount = v.k GROUP BY v.k",
        Differs,
    ),
    any("table", "TABLE sales.orders", Refused("is not answered", "SELECT * FROM sales.orders")),
    any(
        "distinct-on",
        "SELECT DISTINCT ON (region) region, order_id FROM sales.orders ORDER BY region, order_id DESC",
        Differs,
    ),
    any("from-first", "FROM sales.orders", Refused("is not answered", "SELECT * FROM sales.orders")),
    any(
        "nested-with",
        "WITH a AS (WITH b AS (SELECT * FROM sales.orders) SELECT * FROM b) SELECT count(*) FROM a",
        Differs,
    ),
    any(
        "two-uses",
        "WITH a AS (SELECT amount FROM sales.orders) SELECT (SELECT count(*) FROM a), (SELECT max(amount) FROM a)",
        Differs,
    ),
    any(
        "lateral",
        "SELECT o.order_id, x.n FROM sales.orders o, LATERAL (SELECT count(*) AS n FROM sales.orders b WHERE b.customer_id = o.customer_id) x",
        Differs,
    ),
    any("scalar-in-select", "SELECT order_id, (SELECT count(*) FROM sales.orders) AS n FROM sales.orders", Differs),
    any(
        "any-subquery",
        "SELECT order_id FROM sales.orders WHERE amount >= ANY (SELECT amount FROM sales.orders WHERE qty = 0)",
        Differs,
    ),
    any(
        "series-in-from",
        "SELECT r.value, o.order_id FROM range(99, 110) r LEFT JOIN sales.orders o ON o.order_id = r.value",
        Differs,
    ),
    any("empty-filter", "SELECT count(*) FROM sales.orders WHERE 1 = 1", Differs),
    any("is-not-null", "SELECT count(*) FROM sales.orders WHERE amount IS NOT NULL", Differs),
];
