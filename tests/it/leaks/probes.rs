//! What an attacker types, as data. The numbers are those of the catalogue of attacks in the design; adding one is one line.

/// How two answers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The statement fixes the order: byte for byte.
    Total,
    /// As sorted rows.
    Any,
}

pub struct Probe {
    pub id: &'static str,
    pub sql: &'static str,
    pub order: Order,
}

const fn total(id: &'static str, sql: &'static str) -> Probe {
    Probe { id, sql, order: Order::Total }
}

const fn any(id: &'static str, sql: &'static str) -> Probe {
    Probe { id, sql, order: Order::Any }
}

pub const PROBES: &[Probe] = &[
    any("D01", "SELECT order_id FROM sales.orders WHERE 1/(amount-5)>=0"),
    any("D02a", "SELECT order_id FROM sales.orders WHERE CAST(note AS BIGINT)>=0 OR true"),
    any("D02b", "SELECT order_id FROM sales.orders WHERE arrow_cast(amount,'Int8')>=0 OR true"),
    any("D02c", "SELECT order_id FROM sales.orders WHERE chr(amount)='x' OR true"),
    any("D02d", "SELECT order_id FROM sales.orders WHERE factorial(qty)>0 OR amount < 0"),
    any("D02e", "SELECT order_id FROM sales.orders WHERE decode(note,'hex') IS NULL OR true"),
    any("D02f", "SELECT order_id FROM sales.orders WHERE to_timestamp(note) IS NULL OR true"),
    any("D03", "SELECT region, 1/(amount-5+qty-qty) AS q FROM sales.orders"),
    any("D04", "SELECT order_id FROM sales.orders WHERE CASE WHEN order_id>=0 THEN 1/(amount-5) ELSE 0 END >= 0"),
    total("D05a", "SELECT count(*) FROM (SELECT 1/(amount-5) q FROM sales.orders) WHERE q>=0"),
    total("D05b", "WITH w AS (SELECT 1/(amount-5) q FROM sales.orders) SELECT count(*) FROM w WHERE q>=0"),
    total(
        "D06",
        "SELECT count(*) FROM (SELECT amount FROM sales.orders UNION ALL SELECT amount FROM sales.orders) WHERE 1/(amount-5)>=0",
    ),
    total("D07a", "SELECT count(*) FROM (SELECT DISTINCT 1/(amount-5) q FROM sales.orders) WHERE q>=0"),
    any("D07b", "SELECT amount FROM sales.orders GROUP BY amount HAVING 1/(amount-5)>=0"),
    total(
        "D08",
        "SELECT count(*) FROM sales.orders a WHERE EXISTS (SELECT 1 FROM sales.orders b WHERE b.amount=a.amount AND 1/(b.amount-5)>=0)",
    ),
    total("D11", "SELECT order_id FROM sales.orders ORDER BY 1/(amount-5), order_id LIMIT 1"),
    any("D12a", "SELECT order_id, v.k FROM sales.orders o JOIN (VALUES (0),(1)) v(k) ON 1/(o.amount-5)=v.k"),
    any("D12b", "SELECT order_id, v.k FROM sales.orders o JOIN (VALUES (0),(1)) v(k) ON 1/(o.amount-5)<v.k"),
    any(
        "D13",
        "SELECT * FROM (SELECT amount, row_number() OVER (PARTITION BY amount ORDER BY order_id) rn FROM sales.orders) WHERE 1/(amount-5)>=0",
    ),
    any("D14a", "SELECT order_id FROM sales.orders WHERE random()<2 AND 1/(amount-5)>=0"),
    any("D14b", "SELECT order_id FROM sales.orders WHERE NOT (1/(amount-5)<0)"),
    total("D15", "SELECT count(*), min(amount), max(amount), min(region), count(distinct region) FROM sales.orders"),
    any("D16", "EXPLAIN SELECT count(*), max(amount) FROM sales.orders"),
    any("D17a", "EXPLAIN SELECT order_id FROM sales.orders WHERE amount>7"),
    any("D17b", "EXPLAIN VERBOSE SELECT order_id FROM sales.orders WHERE amount>7"),
    any("D19", "SET datafusion.explain.show_statistics=true"),
    any("D20", "SELECT input_file_name() FROM sales.orders"),
    any("D22a", "SELECT * FROM information_schema.tables"),
    any("D22b", "SELECT * FROM information_schema.columns"),
    any("D22c", "SELECT * FROM information_schema.df_settings"),
    any("D22d", "SHOW ALL"),
    any("D22e", "SELECT * FROM meshgate.products"),
    any("D23a", "DESCRIBE sales.orders"),
    any("D23b", "SHOW COLUMNS FROM sales.orders"),
    any("D23c", "SHOW CREATE TABLE sales.orders"),
    any("D25a", "SELECT card_no FROM sales.orders"),
    any("D25b", "SELECT card_n FROM sales.orders"),
    any("D27a", "SELECT * FROM 's3://sales/orders.parquet'"),
    any("D27b", "COPY sales.orders TO 'out.parquet'"),
    any("D27c", "CREATE EXTERNAL TABLE z STORED AS PARQUET LOCATION 's3://sales/orders.parquet'"),
    any("D29", "CREATE VIEW v AS SELECT * FROM sales.orders"),
    any("D33", "WITH orders AS (SELECT 'US' region) SELECT order_id, region FROM sales.orders"),
    any("D34a", "SELECT order_id FROM sales.orders WHERE email='canary-hidden@mesh.example'"),
    any("D34b", "SELECT email, count(*) FROM sales.orders GROUP BY email"),
    total("D34c", "SELECT max(email), count(distinct email), max(risk) FROM sales.orders"),
    any("D35a", "SELECT * FROM sales.orders"),
    any("D35b", "SELECT o.* FROM sales.orders o"),
    any("D35c", "SELECT * FROM sales.orders NATURAL JOIN (VALUES ('4000-canary-card')) v(card_no)"),
    any("D36", "SELECT email FROM sales.orders INTERSECT SELECT 'visible-raw-1@mesh.example'"),
    any("D37", "SELECT note FROM sales.orders"),
    any("D38", "SELECT substr(note, 1, 3), note FROM sales.orders WHERE amount < 1000"),
    any("risk-filter", "SELECT order_id FROM sales.orders WHERE risk = 5 OR risk IS NULL"),
    total("having-sum", "SELECT sum(amount), avg(qty) FROM sales.orders HAVING sum(amount) > 0"),
    total("limit", "SELECT count(*) FROM (SELECT order_id FROM sales.orders LIMIT 6)"),
    total(
        "recursive",
        "WITH RECURSIVE r AS (SELECT 1 AS k UNION ALL SELECT r.k + 1 FROM r JOIN sales.orders o ON o.order_id = r.k) SELECT count(*), max(k) FROM r",
    ),
    total("window", "SELECT order_id, sum(amount) OVER (ORDER BY order_id) FROM sales.orders ORDER BY order_id"),
    any("cast-error", "SELECT CAST(note AS BIGINT) FROM sales.orders WHERE amount = 5"),
    any("except", "SELECT amount FROM sales.orders EXCEPT SELECT 10"),
    any("overflow", "SELECT order_id FROM sales.orders WHERE abs(amount) >= 0"),
];
