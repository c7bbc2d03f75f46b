//! One schema for one statement, wherever it is asked: prepare, GetFlightInfo, GetSchema, and the stream.

use std::time::Duration;

use arrow::datatypes::Schema;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt};
use arrow_flight::{FlightDescriptor, FlightInfo};
use futures::TryStreamExt;
use meshgate::gateway::{Admission, serve};
use prost::Message;
use tokio::net::TcpListener;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use crate::demo::demo_mesh;

/// Asked as `dpo`, who sees everything, and as `ana`, who is refused some and shown masks in others.
const STATEMENTS: [&str; 81] = [
    "SELECT 1",
    "SELECT 1 AS a, 'x' AS b, NULL AS c, TRUE AS d, 1.5 AS e",
    "SELECT * FROM sales.customers",
    "SELECT * FROM sales.orders",
    "SELECT * FROM sales.order_lines",
    "SELECT * FROM logistics.shipments",
    "SELECT * FROM logistics.carriers",
    "SELECT * FROM marketing.touchpoints",
    "SELECT * FROM hr.employees",
    // Aggregates, whose nullability the engine's two planners see differently
    "SELECT count(*) FROM sales.orders",
    "SELECT count(order_id) AS n, count(DISTINCT region) AS r FROM sales.orders",
    "SELECT min(order_id), max(order_id) FROM sales.orders",
    "SELECT min(amount), max(amount), sum(amount), avg(amount) FROM sales.orders",
    "SELECT min(ordered_at), max(ordered_at) FROM sales.orders",
    "SELECT min(region), max(region) FROM sales.orders",
    "SELECT min(order_year), max(order_year) FROM sales.orders",
    "SELECT min(weight_kg), max(weight_kg), stddev(weight_kg), median(weight_kg) FROM logistics.shipments",
    "SELECT region, min(order_id), max(order_id) FROM sales.orders GROUP BY region",
    "SELECT region, status, sum(amount) FROM sales.orders GROUP BY GROUPING SETS ((region), (status), ())",
    "SELECT region, count(*) FROM sales.orders GROUP BY ROLLUP (region)",
    "SELECT region, count(*) FROM sales.orders GROUP BY region HAVING count(*) > 1",
    "SELECT array_agg(region) FROM sales.orders",
    "SELECT string_agg(name, ',') FROM logistics.carriers",
    "SELECT bool_and(order_id > 0), bool_or(order_id > 0) FROM sales.orders",
    "SELECT count(*) FILTER (WHERE region = 'EU') FROM sales.orders",
    "SELECT first_value(order_id ORDER BY order_id) FROM sales.orders",
    "SELECT approx_distinct(customer_id) FROM sales.orders",
    // Its scale is known only once the cast is folded
    "SELECT round(avg(amount), CAST(1 AS integer)) AS a FROM sales.orders",
    // Expressions
    "SELECT CASE WHEN amount > 100 THEN 'big' ELSE 'small' END FROM sales.orders",
    "SELECT CASE WHEN amount > 100 THEN 'big' END AS size FROM sales.orders",
    "SELECT CASE region WHEN 'EU' THEN 1 WHEN 'US' THEN 2.5 END FROM sales.orders",
    "SELECT coalesce(note, '') FROM sales.orders",
    "SELECT nullif(region, 'EU') FROM sales.orders",
    "SELECT amount * 2, amount / 3, amount + 1, amount % 7 FROM sales.orders",
    "SELECT amount * amount FROM sales.orders",
    "SELECT CAST(amount AS double) AS a, CAST(order_id AS varchar) AS b, CAST(amount AS decimal(20, 4)) AS c FROM sales.orders",
    "SELECT quantity * unit_price AS line FROM sales.order_lines",
    "SELECT sum(quantity * unit_price) AS total FROM sales.order_lines",
    "SELECT upper(region) || '-' || status, length(region), substr(region, 1, 1) FROM sales.orders",
    "SELECT date_trunc('month', ordered_at), extract(year FROM ordered_at), CAST(ordered_at AS date) FROM sales.orders",
    "SELECT ordered_at - ordered_at AS d, ordered_at + INTERVAL '1' DAY AS e FROM sales.orders",
    "SELECT delivered_at IS NULL, delivered_at > promised_at FROM logistics.shipments",
    "SELECT region IN ('EU', 'US'), region LIKE 'E%', order_id BETWEEN 1 AND 5 FROM sales.orders",
    "SELECT [1, 2, 3] AS l, struct(1, 'a') AS s, [[1], [2]] AS ll",
    "SELECT unnest([1, 2, 3]) AS n",
    "SELECT arrow_cast('x', 'Utf8View') AS v, arrow_cast('x', 'Dictionary(Int32, Utf8)') AS d",
    "SELECT arrow_cast(1, 'UInt8') AS u, arrow_cast(1.5, 'Float16') AS f, arrow_cast('x', 'BinaryView') AS b",
    "SELECT DATE '2026-01-01' AS d, TIMESTAMP '2026-01-01T00:00:00Z' AS t, INTERVAL '1' MONTH AS i",
    // What drivers do not read
    "SELECT arrow_cast(1, 'UInt8') AS a, arrow_cast(1, 'UInt16') AS b, arrow_cast(1, 'UInt32') AS c, arrow_cast(1, 'UInt64') AS d",
    "SELECT [arrow_cast(1, 'UInt64')] AS l, struct(arrow_cast(1, 'UInt32')) AS s, MAP {'a': arrow_cast(1, 'UInt8')} AS m",
    "SELECT rank() OVER w, dense_rank() OVER w, ntile(2) OVER w FROM sales.orders WINDOW w AS (ORDER BY order_id)",
    "SELECT regr_count(order_id, order_id), cardinality([1]), array_positions([1], 1) FROM sales.orders",
    "SELECT region, grouping(region), approx_distinct(order_id) FROM sales.orders GROUP BY ROLLUP (region)",
    "SELECT now() AT TIME ZONE '+05:30' AS a, current_timestamp AS b, current_time AS c, now() - ordered_at AS d FROM sales.orders",
    "SELECT arrow_cast(0, 'Timestamp(Nanosecond, None)') AS a, arrow_cast(0, 'Time64(Nanosecond)') AS b, arrow_cast(0, 'Duration(Nanosecond)') AS c",
    "SELECT value FROM generate_series(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-02', INTERVAL '6 hours')",
    // Struct fields
    "SELECT address FROM logistics.shipments",
    "SELECT address['city'] AS city, address['street'] AS street FROM logistics.shipments",
    "SELECT address['city'] AS city, count(*) FROM logistics.shipments GROUP BY address['city']",
    // Joins
    "SELECT o.order_id, l.line_no FROM sales.orders o JOIN sales.order_lines l ON o.order_id = l.order_id",
    "SELECT o.order_id, s.shipment_id FROM sales.orders o LEFT JOIN logistics.shipments s ON o.order_id = s.order_id",
    "SELECT o.order_id, s.shipment_id FROM sales.orders o RIGHT JOIN logistics.shipments s ON o.order_id = s.order_id",
    "SELECT o.order_id, s.shipment_id FROM sales.orders o FULL JOIN logistics.shipments s ON o.order_id = s.order_id",
    "SELECT c.name, s.shipment_id FROM logistics.carriers c LEFT JOIN logistics.shipments s USING (carrier_id)",
    "SELECT a.name, b.name AS other FROM logistics.carriers a CROSS JOIN logistics.carriers b",
    "SELECT order_id FROM sales.orders o WHERE EXISTS (SELECT 1 FROM logistics.shipments s WHERE s.order_id = o.order_id)",
    "SELECT order_id, (SELECT max(amount) FROM sales.orders) AS most FROM sales.orders",
    // Windows
    "SELECT order_id, row_number() OVER (PARTITION BY region ORDER BY order_id) FROM sales.orders",
    "SELECT order_id, rank() OVER (ORDER BY amount), lag(amount) OVER (ORDER BY order_id) FROM sales.orders",
    "SELECT order_id, sum(amount) OVER (PARTITION BY region), first_value(region) OVER (ORDER BY order_id) FROM sales.orders",
    // Sets
    "SELECT order_id FROM sales.orders UNION ALL SELECT shipment_id FROM logistics.shipments",
    "SELECT region FROM sales.orders UNION SELECT NULL",
    "SELECT 1 AS n UNION ALL SELECT 2.5 UNION ALL SELECT NULL",
    "SELECT region FROM sales.orders INTERSECT SELECT region FROM logistics.shipments",
    "SELECT DISTINCT region FROM sales.orders ORDER BY region LIMIT 2 OFFSET 1",
    "WITH t AS (SELECT region, sum(amount) AS s FROM sales.orders GROUP BY region) SELECT * FROM t WHERE s > 0",
    "VALUES (1, 'a'), (2, NULL)",
    // Nothing
    "SELECT * FROM sales.orders WHERE 1 = 0",
    "SELECT max(order_id) FROM sales.orders WHERE 1 = 0",
    "SELECT TRUE AS \"_\" FROM sales.orders WHERE 1 <> 1 LIMIT 0",
    "SELECT * FROM sales.orders LIMIT 0",
];

/// Statements about the mesh and about plans.
const CATALOG: [&str; 12] = [
    "EXPLAIN SELECT region, count(*) FROM sales.orders GROUP BY region",
    "EXPLAIN VERBOSE SELECT 1",
    "EXPLAIN ANALYZE SELECT count(*) FROM sales.orders",
    "EXPLAIN ACCESS SELECT * FROM sales.customers",
    "EXPLAIN ACCESS SELECT 1",
    "SHOW TABLES",
    "SHOW SCHEMAS",
    "SHOW CATALOGS",
    "DESCRIBE sales.orders",
    "SHOW COLUMNS FROM sales.orders",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
];

/// Refused alike for everybody: no place may answer a schema for what does not run.
fn refused(error: &str) -> bool {
    ["NotFound", "Unimplemented", "InvalidArgument", "PermissionDenied"].iter().any(|code| error.contains(code))
        || error.contains("there is no")
}

struct Asker {
    sql: FlightSqlServiceClient<Channel>,
    flight: FlightServiceClient<Channel>,
}

impl Asker {
    async fn all(&mut self, text: &str) -> Result<[(&'static str, Schema); 4], String> {
        let mut prepared = self.sql.prepare(text.to_owned(), None).await.map_err(|error| error.to_string())?;
        let dataset = prepared.dataset_schema().map_err(|error| error.to_string())?.clone();
        let info: FlightInfo = self.sql.execute(text.to_owned(), None).await.map_err(|error| error.to_string())?;
        let again = prepared.execute().await.map_err(|error| error.to_string())?;
        assert_eq!(info.schema, again.schema, "{text}: the prepared statement and the statement");
        let announced = info.clone().try_decode_schema().unwrap();
        let command = CommandStatementQuery { query: text.to_owned(), transaction_id: None };
        let mut request = Request::new(FlightDescriptor::new_cmd(command.as_any().encode_to_vec()));
        let bearer = format!("Bearer {}", self.sql.token().unwrap());
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        let asked = self.flight.get_schema(request).await.map_err(|error| error.to_string())?.into_inner();
        let asked = Schema::try_from(asked).unwrap();
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let mut stream = self.sql.do_get(ticket).await.map_err(|error| format!("in DoGet: {error}"))?;
        // Decoding refuses a null in a column that says it has none.
        while let Some(batch) = stream.try_next().await.map_err(|error| format!("in the stream: {error}"))? {
            let schema = stream.schema().unwrap();
            if batch.schema() != *schema {
                return Err(format!("a batch has {:?} in a stream of {schema:?}", batch.schema()));
            }
        }
        let sent = stream.schema().ok_or("the stream has no schema")?.as_ref().clone();
        prepared.close().await.map_err(|error| error.to_string())?;
        Ok([("prepare", dataset), ("GetFlightInfo", announced), ("GetSchema", asked), ("DoGet", sent)])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_has_one_schema() {
    let demo = demo_mesh().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(serve(
        listener,
        demo.gateway.service(),
        Admission::default(),
        Duration::ZERO,
        std::future::pending(),
    ));
    let mut wrong = Vec::new();
    for who in ["dpo", "ana"] {
        let channel = Endpoint::from_shared(url.clone()).unwrap().connect().await.unwrap();
        let mut sql = FlightSqlServiceClient::new(channel.clone());
        sql.handshake(who, who).await.unwrap();
        let mut asker = Asker { sql, flight: FlightServiceClient::new(channel) };
        let mut answered = 0;
        for text in STATEMENTS.iter().chain(&CATALOG) {
            match asker.all(text).await {
                Ok(schemas) => {
                    answered += 1;
                    for (place, schema) in &schemas[1..] {
                        if *schema != schemas[0].1 {
                            wrong.push(format!("{who}: {text}\n  prepare: {:?}\n  {place}: {schema:?}", schemas[0].1));
                        }
                    }
                }
                // What ana may not see is not there for her.
                Err(error) if who == "ana" && refused(&error) && !error.starts_with("in ") => {}
                Err(error) => wrong.push(format!("{who}: {text}\n  {error}")),
            }
        }
        assert!(answered >= 50, "{who} was answered {answered} statements: {wrong:#?}");
    }
    server.abort();
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}
