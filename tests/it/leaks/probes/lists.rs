//! Real list columns, lambdas over them, and functions of lists. `memo` is behind a mask that no list fits: it is null.

use super::probe::Proof::{Differs, Fails, Owner};
use super::probe::{Probe, Proof, any, total};

/// Lambdas are no syntax of the dialect, so that a lambda's own parameter is an unknown column.
const LAMBDA: Proof = Proof::Refused("there is no column", "SELECT array_has(items, 'us') FROM sales.baskets");

pub const PROBES: &[Probe] = &[
    any("list-all", "SELECT * FROM sales.baskets", Owner("canary-item")),
    any("list-items", "SELECT items FROM sales.baskets", Owner("canary-item")),
    any("list-unnest", "SELECT unnest(items) FROM sales.baskets", Owner("canary-item")),
    any("list-join", "SELECT array_to_string(items, ',') FROM sales.baskets", Owner("canary-item")),
    any("list-has", "SELECT basket_id FROM sales.baskets WHERE array_has(items, 'us')", Differs),
    any("list-any", "SELECT basket_id FROM sales.baskets WHERE 'us' = ANY(items)", Differs),
    any("list-length", "SELECT array_length(items), cardinality(prices), empty(prices) FROM sales.baskets", Differs),
    any("list-element", "SELECT items[1], items[9], array_element(prices, 1), items[1:2] FROM sales.baskets", Differs),
    any(
        "list-sort",
        "SELECT array_sort(items), array_reverse(prices), array_distinct(prices), array_max(prices) FROM sales.baskets",
        Differs,
    ),
    any("list-lambda", "SELECT array_transform(prices, p -> 1/(p-5)) FROM sales.baskets", LAMBDA),
    any(
        "list-lambda-filter",
        "SELECT basket_id FROM sales.baskets WHERE array_any_match(prices, p -> 1/(p-5) >= 0)",
        LAMBDA,
    ),
    any(
        "list-lambda-cast",
        "SELECT array_transform(items, i -> CAST(CASE WHEN i LIKE 'canary%' THEN i ELSE '1' END AS BIGINT)) FROM sales.baskets",
        LAMBDA,
    ),
    any(
        "list-unnest-where",
        "SELECT p FROM (SELECT unnest(prices) AS p FROM sales.baskets) WHERE 1/(p-5) >= 0",
        Fails("divide by zero"),
    ),
    any("list-error", "SELECT basket_id FROM sales.baskets WHERE 1/(prices[1]-5) >= 0", Fails("divide by zero")),
    total("list-count", "SELECT count(*), sum(cardinality(items)), count(memo) FROM sales.baskets", Differs),
    total("list-agg", "SELECT array_agg(items ORDER BY basket_id), max(basket_id) FROM sales.baskets", Differs),
    any("list-group", "SELECT items, count(*) FROM sales.baskets GROUP BY items", Differs),
    any("list-memo", "SELECT memo, memo IS NULL, array_length(memo) FROM sales.baskets", Owner("raw-memo")),
    any("list-memo-has", "SELECT basket_id FROM sales.baskets WHERE array_has(memo, 'x') OR memo IS NOT NULL", Differs),
    any("list-memo-unnest", "SELECT basket_id, unnest(memo) FROM sales.baskets", Owner("raw-memo")),
    any(
        "list-compare",
        "SELECT basket_id FROM sales.baskets WHERE prices = make_array(5, 5) OR prices > make_array(0)",
        Differs,
    ),
    any(
        "list-intersect",
        "SELECT array_intersect(a.items, b.items) FROM sales.baskets a JOIN sales.baskets b ON a.basket_id < b.basket_id",
        Differs,
    ),
    any("D35k", "SELECT array_transform(string_to_array(note, ' '), x -> 1/(amount-5)) FROM sales.orders", LAMBDA),
    any(
        "D35l",
        "SELECT array_filter(make_array(amount, qty), x -> 1/(x-5) >= 0) FROM sales.orders WHERE qty <> 5",
        LAMBDA,
    ),
    any(
        "D35m",
        "SELECT order_id FROM sales.orders WHERE array_any_match(make_array(amount), x -> 1/(x-5) >= 0)",
        LAMBDA,
    ),
    any("D35n", "SELECT unnest(make_array(1/(amount-5), qty)) FROM sales.orders", Fails("divide by zero")),
    any("D35-lambda-hidden", "SELECT array_transform(make_array(1), x -> card_no) FROM sales.orders", LAMBDA),
    any(
        "list-of-rows",
        "SELECT array_agg(note ORDER BY order_id)[6], array_position(array_agg(amount ORDER BY order_id), 5) FROM sales.orders",
        Differs,
    ),
    any(
        "list-text",
        "SELECT string_to_array(note, '-'), array_has(string_to_array(note, '-'), 'canary') FROM sales.orders",
        Differs,
    ),
    any(
        "list-except",
        "SELECT array_except((SELECT array_agg(order_id ORDER BY order_id) FROM sales.orders), make_array(1,2,3,4,5,6,7,8)) AS rest",
        Differs,
    ),
];
