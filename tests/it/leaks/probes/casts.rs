//! Functions and casts that fail on a hidden value, and errors that could quote it.

use super::probe::Proof::{Differs, Fails};
use super::probe::{Probe, Proof, any, total};

/// Nothing is quoted to anybody: which value is met first follows files.
const QUOTED: Proof = Fails("the statement");

pub const PROBES: &[Probe] = &[
    any("D02a", "SELECT order_id FROM sales.orders WHERE CAST({note} AS BIGINT) >= 0", QUOTED),
    any("D02-or", "SELECT order_id FROM sales.orders WHERE CAST({note} AS BIGINT) >= 0 OR amount > 0", QUOTED),
    any("D02b", "SELECT arrow_cast(amount,'Int8') FROM sales.orders", Fails("cast")),
    any("D02c", "SELECT order_id FROM sales.orders WHERE chr(amount) <> ''", Fails("")),
    any(
        "D02d",
        "SELECT order_id FROM sales.orders WHERE factorial(CASE WHEN qty = 0 THEN amount ELSE qty END) > 0",
        Fails(""),
    ),
    any(
        "D02e",
        "SELECT order_id FROM sales.orders WHERE decode(CASE WHEN customer_id = 666 THEN note ELSE 'abcd' END, 'hex') IS NOT NULL",
        Fails(""),
    ),
    any(
        "D02-base64",
        "SELECT decode(CASE WHEN customer_id = 666 THEN status ELSE 'YWJj' END, 'base64') FROM sales.orders",
        Fails(""),
    ),
    any(
        "D02f",
        "SELECT to_timestamp(CASE WHEN customer_id = 666 THEN note ELSE '2026-01-01T00:00:00' END) FROM sales.orders",
        QUOTED,
    ),
    any(
        "D02g",
        "SELECT order_id FROM sales.orders WHERE CAST(qty AS TINYINT) >= 0 AND CAST(amount AS SMALLINT) > 0",
        Fails("a value cannot be cast"),
    ),
    any("D02-int", "SELECT CAST(amount AS INT) FROM sales.orders", Fails("cast")),
    any("D02-unsigned", "SELECT CAST(amount AS BIGINT UNSIGNED) FROM sales.orders", Fails("cast")),
    any("D02-double", "SELECT CAST({note} AS DOUBLE) FROM sales.orders", QUOTED),
    any("D02-decimal", "SELECT CAST({note} AS DECIMAL(10,2)) FROM sales.orders", Fails("")),
    any(
        "D02-date",
        "SELECT CAST(CASE WHEN customer_id = 666 THEN note ELSE '2026-01-01' END AS DATE) FROM sales.orders",
        QUOTED,
    ),
    any(
        "D02-time",
        "SELECT CAST(CASE WHEN customer_id = 666 THEN note ELSE '10:00:00' END AS TIME) FROM sales.orders",
        QUOTED,
    ),
    any(
        "D02-timestamp",
        "SELECT CAST(CASE WHEN customer_id = 666 THEN note ELSE '2026-01-01T00:00:00' END AS TIMESTAMP) FROM sales.orders",
        QUOTED,
    ),
    any(
        "D02-interval",
        "SELECT CAST(CASE WHEN customer_id = 666 THEN note ELSE '1 day' END AS INTERVAL) FROM sales.orders",
        Fails(""),
    ),
    any("D02-boolean", "SELECT CAST({note} AS BOOLEAN) FROM sales.orders", QUOTED),
    any("D02-colons", "SELECT ({note})::bigint FROM sales.orders", QUOTED),
    any("D02-arrow", "SELECT arrow_cast({note}, 'Int64') FROM sales.orders", QUOTED),
    any(
        "D02-status",
        "SELECT CAST(CASE WHEN status = 'open' THEN '1' ELSE status END AS INT) FROM sales.orders",
        Fails("the statement"),
    ),
    any("D02-region", "SELECT CAST(replace(region, 'EU', '1') AS INT) FROM sales.orders", Fails("the statement")),
    any("D02-implicit", "SELECT order_id FROM sales.orders WHERE {note} > 0", Fails("the statement")),
    any("D02-concat", "SELECT CAST(concat('1', trim({note})) AS BIGINT) FROM sales.orders", Fails("the statement")),
    any(
        "D02-to_date",
        "SELECT to_date(CASE WHEN customer_id = 666 THEN note ELSE '2026-01-01' END) FROM sales.orders",
        Fails(""),
    ),
    any(
        "D02-to_unixtime",
        "SELECT to_unixtime(CASE WHEN customer_id = 666 THEN note ELSE '2026-01-01T00:00:00Z' END) FROM sales.orders",
        Fails("the statement"),
    ),
    any(
        "D02-millis",
        "SELECT to_timestamp_millis(CASE WHEN customer_id = 666 THEN note ELSE '2026-01-01T00:00:00Z' END) FROM sales.orders",
        Fails("the statement"),
    ),
    any(
        "D02-format",
        "SELECT to_timestamp(CASE WHEN customer_id = 666 THEN note ELSE '2026' END || '-01-01 00:00:00', '%Y-%m-%d %H:%M:%S') FROM sales.orders",
        Fails("the statement"),
    ),
    any(
        "D02-make_date",
        "SELECT make_date(CASE WHEN qty = 0 THEN CAST(amount % 100000000 AS INT) ELSE 2026 END, CASE WHEN qty = 0 THEN 13 ELSE 1 END, 1) FROM sales.orders",
        Fails(""),
    ),
    any("D02-from_unixtime", "SELECT CAST(from_unixtime(amount) AS VARCHAR) FROM sales.orders", Fails("")),
    any(
        "D02-split",
        "SELECT split_part(note, ' ', CASE WHEN customer_id = 666 THEN 0 ELSE 1 END) FROM sales.orders",
        Fails(""),
    ),
    any("D02-substr", "SELECT substr(note, 1, amount - 6) FROM sales.orders", Fails("")),
    any("D02-left", "SELECT left(note, amount - 6), right(note, amount - 6) FROM sales.orders", Differs),
    any(
        "D02-regex",
        "SELECT regexp_like(note, CASE WHEN customer_id = 666 THEN '(' || note ELSE 'x' END) FROM sales.orders",
        Fails(""),
    ),
    any(
        "D02-replace",
        "SELECT regexp_replace(note, CASE WHEN customer_id = 666 THEN '(' || note ELSE 'x' END, 'y') FROM sales.orders",
        Fails(""),
    ),
    any(
        "D02-count",
        "SELECT regexp_count(note, CASE WHEN customer_id = 666 THEN '(' || note ELSE 'x' END) FROM sales.orders",
        Fails(""),
    ),
    any(
        "D02-operator",
        "SELECT order_id FROM sales.orders WHERE note ~ CASE WHEN customer_id = 666 THEN '(' || note ELSE '.*' END",
        Fails(""),
    ),
    any(
        "D02-to_char",
        "SELECT to_char(seen_at, CASE WHEN customer_id = 666 THEN '%Q' || note ELSE '%Y' END) FROM sales.orders",
        Fails(""),
    ),
    any(
        "D02-interval-add",
        "SELECT order_id FROM sales.orders WHERE seen_at + CAST(concat(CAST(qty AS VARCHAR), ' days') AS INTERVAL) < TIMESTAMP '2000-01-01T00:00:00'",
        Differs,
    ),
    any(
        "D02-bin",
        "SELECT date_bin(INTERVAL '1' DAY, seen_at, TIMESTAMP '1999-01-01T00:00:00') FROM sales.orders",
        Differs,
    ),
    any("D02-encode", "SELECT encode(note, 'hex'), octet_length(note), bit_length(note) FROM sales.orders", Differs),
    any("D02-digest", "SELECT md5(note), sha256(note), digest(status, 'md5') FROM sales.orders", Differs),
    any("D02-try", "SELECT order_id FROM sales.orders WHERE TRY_CAST(note AS BIGINT) IS NOT NULL", Differs),
    any("decimal", "SELECT CAST(amount AS DECIMAL(4,2)) FROM sales.orders", Fails("")),
    any("decimal-256", "SELECT CAST(amount AS DECIMAL(40,30)) FROM sales.orders WHERE amount > 0", Fails("")),
    any("cast-error", "SELECT CAST(note AS BIGINT) FROM sales.orders WHERE amount = 5", QUOTED),
    any("cast-error-agg", "SELECT sum(CAST({note} AS BIGINT)) FROM sales.orders", QUOTED),
    any(
        "cast-error-join",
        "SELECT a.order_id FROM sales.orders a JOIN (VALUES (1)) v(k) ON CAST(CASE WHEN a.customer_id = 666 THEN a.note ELSE '1' END AS BIGINT) = v.k",
        QUOTED,
    ),
    any(
        "cast-error-window",
        "SELECT sum(CAST({note} AS BIGINT)) OVER (PARTITION BY customer_id) FROM sales.orders",
        QUOTED,
    ),
    total(
        "cast-error-sort",
        "SELECT order_id, customer_id, note FROM sales.orders ORDER BY CAST({note} AS BIGINT), order_id",
        QUOTED,
    ),
    any("cast-error-group", "SELECT CAST({note} AS BIGINT), count(*) FROM sales.orders GROUP BY 1", QUOTED),
    any("cast-error-union", "SELECT CAST({note} AS BIGINT) FROM sales.orders UNION ALL SELECT 1", QUOTED),
    any(
        "nested-scalar",
        "SELECT order_id FROM sales.orders WHERE CAST((SELECT max(note) FROM sales.orders WHERE customer_id = 666) AS BIGINT) > 0 OR order_id = 1",
        Fails("the statement"),
    ),
    any("scalar-two-rows", "SELECT (SELECT amount FROM sales.orders WHERE customer_id = 666) AS n", Fails("")),
    any("scalar-one-row", "SELECT (SELECT note FROM sales.orders WHERE amount = 5) AS n", Fails("")),
];
