//! What is asked of the arms. The names W1 to W5 are those of the design.

use std::time::{Duration, Instant};

use arrow_flight::Ticket;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use super::Arms;
use super::bare_flight::{FROM_FILES, TICKETS, is_of};
use super::client::{Client, Fetched};
use super::report::{Cell, Report};
use super::servers::{Server, own_cpu};
use crate::measure::{Times, ratios, shuffled};
use crate::tpch;

/// Bytes that the memory workload streams.
const LARGE: usize = 10_000_000_000;
/// Calls of one arm behind each other, of which the first is not counted: it finds the caches of another arm.
const CALLS: usize = 10;

fn ms(time: Duration) -> Cell {
    Cell::Number(time.as_secs_f64() * 1e3, 2)
}

/// The rows of the engine in this process, dropped as they come.
async fn alone(context: &SessionContext, sql: &str) -> Duration {
    let started = Instant::now();
    let mut stream = context.sql(sql).await.unwrap().execute_stream().await.unwrap();
    while stream.try_next().await.unwrap().is_some() {}
    started.elapsed()
}

/// W1: a few rows by key.
pub async fn points(arms: &mut Arms, report: &mut Report) {
    let mut rows = Vec::new();
    for (name, condition) in
        [("1 row", "= 4711"), ("about 100 rows", "BETWEEN 4000 AND 4400"), ("about 10,000 rows", "< 40000")]
    {
        let sql = |schema: &str| format!("SELECT * FROM {schema}.orders WHERE o_orderkey {condition}");
        let (mut wire, mut engine, mut pairs) = (Times::default(), Times::default(), Times::default());
        for turn in 0..arms.runs {
            for arm in shuffled::<3>(turn) {
                for call in 0..CALLS {
                    let started = Instant::now();
                    let times = match arm {
                        0 => {
                            arms.reader.ask(&sql("sales")).await;
                            &mut wire
                        }
                        1 => {
                            alone(&arms.alone, &sql("public")).await;
                            &mut engine
                        }
                        _ => {
                            arms.reader.empty_pair().await;
                            &mut pairs
                        }
                    };
                    if call > 0 {
                        times.push(started.elapsed());
                    }
                }
            }
        }
        let over = wire.median().saturating_sub(engine.median() + pairs.median());
        rows.push(vec![
            Cell::name(name),
            ms(wire.median()),
            ms(wire.percentile(0.99)),
            ms(engine.median()),
            ms(pairs.median()),
            ms(over),
        ]);
    }
    let head = ["rows", "gateway p50, ms", "gateway p99, ms", "engine p50, ms", "empty pair p50, ms", "over both, ms"];
    report.add("points", "W1: orders by key", &head, &rows);
}

/// W2: the 22 queries.
pub async fn queries(arms: &mut Arms, report: &mut Report) {
    let mut rows = Vec::new();
    let mut sums = [0.0; 5];
    let mut cpu = [0.0; 5];
    for query in tpch::queries() {
        let (domains, public) = (query.of_domains(), query.with(|_| "public".to_owned()));
        let by_hand = query.with(|_| "hand".to_owned());
        let mut times: [Times; 5] = Default::default();
        for at in 0..=arms.runs {
            for arm in shuffled::<5>(at) {
                // The first of two is not counted: whoever did not work for a while finds cold caches.
                for counts in [false, at > 0] {
                    let worked = |arms: &Arms| match arm {
                        0 | 3 => own_cpu(),
                        1 => arms.few.cpu(),
                        _ => arms.many.cpu(),
                    };
                    let before = worked(arms);
                    let took = match arm {
                        0 => alone(&arms.alone, &public).await,
                        1 => arms.reader.ask(&domains).await.whole,
                        2 => arms.reader_of_many.ask(&domains).await.whole,
                        3 => alone(&arms.alone, &by_hand).await,
                        _ => arms.analyst.ask(&domains).await.whole,
                    };
                    if counts {
                        times[arm].push(took);
                        cpu[arm] += worked(arms) - before;
                    }
                }
            }
        }
        for (sum, times) in sums.iter_mut().zip(&times) {
            *sum += times.median().as_secs_f64();
        }
        let [engine, reader, many, hand, analyst] = &times;
        rows.push(vec![
            Cell::name(query.number),
            ms(engine.median()),
            Cell::Ratio(ratios(reader, engine)),
            Cell::Ratio(ratios(many, reader)),
            ms(hand.median()),
            Cell::Ratio(ratios(analyst, hand)),
        ]);
    }
    rows.push(vec![
        Cell::name("all"),
        Cell::Number(sums[0] * 1e3, 2),
        Cell::Number(sums[1] / sums[0], 2),
        Cell::Number(sums[2] / sums[1], 2),
        Cell::Number(sums[3] * 1e3, 2),
        Cell::Number(sums[4] / sums[3], 2),
    ]);
    let head = [
        "query",
        "engine, ms",
        "permitted all / engine",
        "500 policies / 5",
        "by hand, ms",
        "filtered and masked / by hand",
    ];
    report.add("queries", "W2: TPC-H", &head, &rows);
    let seconds = |at: usize| Cell::Number(cpu[at] / arms.runs as f64, 3);
    report.add(
        "queries_cpu",
        "W2: processor seconds for all 22, of the engine and of the server",
        &["engine", "5 policies", "500 policies", "by hand", "filtered and masked"],
        &[(0..5).map(seconds).collect()],
    );
}

/// W3: all lines, columns of one kind.
pub async fn fetch(arms: &mut Arms, report: &mut Report) {
    let bare = Server::bare(&arms.tables.folder(0));
    let mut flight = Client::connect(&bare.address).await;
    let mut rows = Vec::new();
    for kind in TICKETS {
        let fields = arms.tables.known[0].schema.fields();
        let columns: Vec<&str> =
            fields.iter().filter(|field| is_of(kind, field.data_type())).map(|field| field.name().as_str()).collect();
        let sql = format!("SELECT {} FROM sales.lineitem", columns.join(", "));
        let plain = format!("SELECT {} FROM lineitem", columns.join(", "));
        let mut times: [Times; 5] = Default::default();
        let (mut ours, mut theirs) = (Fetched::default(), Fetched::default());
        for at in 0..=arms.runs {
            for arm in shuffled::<4>(at) {
                let took = match arm {
                    0 => {
                        ours = arms.reader.ask(&sql).await;
                        ours.whole
                    }
                    1 => {
                        theirs = flight.fetch(Ticket::new(kind)).await;
                        theirs.whole
                    }
                    2 => flight.fetch(Ticket::new(format!("{FROM_FILES}{kind}"))).await.whole,
                    _ => alone(&arms.alone, &plain).await,
                };
                if at > 0 {
                    times[arm].push(took);
                }
            }
            assert_eq!(ours.rows, theirs.rows);
            if at > 0 {
                times[4].push(ours.first);
            }
        }
        let speed =
            |fetched: Fetched, times: &Times| Cell::Number(Fetched { whole: times.median(), ..fetched }.speed(), 2);
        rows.push(vec![
            Cell::name(kind),
            speed(ours, &times[0]),
            speed(theirs, &times[1]),
            Cell::Ratio(ratios(&times[1], &times[0])),
            Cell::Ratio(ratios(&times[2], &times[0])),
            ms(times[3].median()),
            ms(times[0].median()),
            ms(times[4].median()),
        ]);
    }
    let head = [
        "columns",
        "gateway, GB/s",
        "bare Flight, GB/s",
        "gateway / bare",
        "gateway / bare that reads the files",
        "engine without sending, ms",
        "gateway, ms",
        "first row, ms",
    ];
    report.add("fetch", "W3: all lines", &head, &rows);
}

/// W4: many connections that ask for one row each, over and over.
pub async fn crowd(arms: &mut Arms, report: &mut Report) {
    const SECONDS: u64 = 5;
    let mut rows = Vec::new();
    for connections in [1, 8, 64, 512] {
        let mut clients = Vec::new();
        for _ in 0..connections {
            clients.push(Client::login(&arms.few.address, tpch::READER).await);
        }
        let until = Instant::now() + Duration::from_secs(SECONDS);
        let cpu = arms.few.cpu();
        let asking = clients.into_iter().enumerate().map(|(at, mut client)| {
            tokio::spawn(async move {
                let (mut times, mut refused) = (Vec::new(), 0_usize);
                let mut key = at;
                while Instant::now() < until {
                    key = (key * 31 + 7) % 100_000;
                    let sql = format!("SELECT * FROM sales.orders WHERE o_orderkey = {key}");
                    match client.try_ask(&sql).await {
                        Ok(fetched) => times.push(fetched.whole),
                        Err(_) => refused += 1,
                    }
                }
                (times, refused)
            })
        });
        let asked: Vec<_> = futures::future::join_all(asking).await.into_iter().map(Result::unwrap).collect();
        let refused: usize = asked.iter().map(|(_, refused)| refused).sum();
        let mut times = Times::default();
        asked.into_iter().flat_map(|(times, _)| times).for_each(|time| times.push(time));
        let cpu = arms.few.cpu() - cpu;
        rows.push(vec![
            Cell::name(connections),
            Cell::name(refused),
            Cell::Number(times.runs() as f64 / SECONDS as f64, 0),
            ms(times.median()),
            ms(times.percentile(0.99)),
            Cell::Number(cpu * 1e3 / times.runs() as f64, 2),
        ]);
    }
    let head = [
        "connections",
        "refused",
        "statements a second",
        "p50, ms",
        "p99, ms",
        "processor of the server, ms a statement",
    ];
    report.add("crowd", "W4: one order by key, from many connections", &head, &rows);
}

/// W5: calls around statements.
pub async fn calls(arms: &mut Arms, report: &mut Report) {
    const SQL: &str = "SELECT * FROM sales.orders WHERE o_orderkey = 4711";
    let mut times: [Times; 5] = Default::default();
    for _ in 0..arms.runs * 4 {
        let client = &mut arms.reader_of_many;
        let started = Instant::now();
        client.empty_pair().await;
        times[0].push(started.elapsed());
        times[1].push(client.tables(None).await.whole);
        times[2].push(client.tables(Some("orders")).await.whole);
        let started = Instant::now();
        client.plan(SQL).await;
        times[3].push(started.elapsed());
        let started = Instant::now();
        client.prepare(SQL).await;
        times[4].push(started.elapsed());
    }
    let names = [
        "GetTableTypes",
        "GetTables with schemas",
        "GetTables of one name",
        "GetFlightInfo of a statement",
        "prepare and close",
    ];
    let rows: Vec<_> = names
        .iter()
        .zip(&times)
        .map(|(name, times)| vec![Cell::name(name), ms(times.median()), ms(times.percentile(0.99))])
        .collect();
    report.add("calls", "W5: calls around statements, 500 policies", &["call", "p50, ms", "p99, ms"], &rows);
}

/// The memory of the server while ten gigabytes stream, and its start.
pub async fn memory(arms: &Arms, report: &mut Report) {
    // Of a login of its own: that of the arm may have made room for those of a crowd.
    let mut reader = Client::login(&arms.many.address, tpch::READER).await;
    let one = reader.ask("SELECT * FROM sales.lineitem").await;
    // The lines over and over, of one scan.
    let times = LARGE.div_ceil(one.bytes.max(1));
    let sql = format!("SELECT l.* FROM generate_series(1, {times}) AS s(n), sales.lineitem AS l");
    let idle = arms.many.resident();
    arms.many.forget_peak();
    let fetched = reader.ask(&sql).await;
    let peak = arms.many.peak();
    let head = ["streamed, GB", "idle, MB", "peak, MB", "over idle, MB", "first row, ms", "GB/s", "start, ms"];
    let row = vec![
        Cell::Number(fetched.bytes as f64 / 1e9, 1),
        Cell::Number(idle, 0),
        Cell::Number(peak, 0),
        Cell::Number(peak - idle, 0),
        ms(fetched.first),
        Cell::Number(fetched.speed(), 2),
        ms(arms.many.started_in),
    ];
    report.add("memory", "A large result", &head, &[row]);
}
