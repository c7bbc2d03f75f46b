//! The escapes of JDBC and the functions of dates that tools write: they fail on a hidden row as what they stand for would.

use super::probe::Proof::{Differs, Fails, Owner, Refused};
use super::probe::{Probe, any, total};

pub const PROBES: &[Probe] = &[
    any("escape-mod", "SELECT order_id FROM sales.orders WHERE {fn MOD(1, amount - 5)} >= 0", Fails("divide by zero")),
    any("escape-convert", "SELECT order_id FROM sales.orders WHERE {fn CONVERT({note}, SQL_BIGINT)} >= 0", Fails("")),
    any(
        "escape-nested",
        "SELECT {fn UCASE({fn CONCAT(note, {fn LEFT(status, 3)})})} FROM sales.orders WHERE {fn LOCATE('cnry', note)} > 0",
        Differs,
    ),
    any("escape-like", r"SELECT order_id FROM sales.orders WHERE status NOT LIKE 'op\_n' {escape '\'}", Differs),
    any("escape-date", "SELECT order_id FROM sales.orders WHERE seen_at > {ts '1999-01-01 00:00:00'}", Differs),
    any(
        "escape-join",
        "SELECT a.order_id FROM {oj sales.orders a LEFT OUTER JOIN (VALUES (0), (1)) v(k) ON 1 / (a.amount - 5) = v.k}",
        Fails("divide by zero"),
    ),
    // A mask is a mask, whatever is done with it.
    total(
        "escape-masked",
        "SELECT {fn UCASE(email)} AS e, {fn LOCATE('visible', email)} AS at FROM sales.orders ORDER BY order_id",
        Owner("VISIBLE-RAW-1"),
    ),
    any(
        "escape-masked-where",
        "SELECT order_id FROM sales.orders WHERE {fn LEFT(email, 6)} = 'canary' OR {fn LENGTH(email)} < 0",
        Differs,
    ),
    any("escape-hidden", "SELECT {fn UCASE(card_no)} FROM sales.orders", Owner("4")),
    any(
        "escape-file",
        "SELECT {fn INPUT_FILE_NAME()} FROM sales.orders",
        Refused("is not offered", "SELECT {fn PI()} FROM sales.orders"),
    ),
    any(
        "date-add-fails",
        "SELECT order_id FROM sales.orders WHERE date_add('year', CASE WHEN customer_id = 666 THEN 2000000000 ELSE 1 END, seen_at) > seen_at",
        Fails(""),
    ),
    any(
        "date-add",
        "SELECT order_id, date_add('day', qty, seen_at), date_sub(seen_at, INTERVAL '1' DAY) FROM sales.orders",
        Differs,
    ),
    any(
        "date-add-bare",
        "SELECT count(*) FROM sales.orders WHERE DATEADD(day, qty, seen_at) < TIMESTAMP '2000-01-01T00:00:00'",
        Differs,
    ),
    any(
        "date-diff-fails",
        "SELECT date_diff('nanosecond', CASE WHEN customer_id = 666 THEN DATE '0001-01-01' ELSE DATE '2024-01-01' END, DATE '2024-01-01') FROM sales.orders",
        Fails("too far"),
    ),
    any(
        "date-diff",
        "SELECT date_diff('month', seen_at, DATE '2024-01-01'), datediff(DATE '2024-01-01', seen_at) FROM sales.orders",
        Differs,
    ),
];
