//! W1 in one process: one order by its key, through policy beside the engine alone, and where the time goes.

use std::time::{Duration, Instant};

use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use meshgate::flight::wire_schema;
use meshgate::query::Session;

use crate::measure::{Times, millis, ratios, shuffled, table};
use crate::queries::{bare, governed, home, scale, stores};
use crate::tpch::{Format, READER, make};

const RUNS: usize = 200;

pub fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(compare());
}

async fn compare() {
    let tables = make(home(), scale()).await;
    let stores = stores(&tables);
    let session = governed(&tables, &stores, Format::Parquet, READER);
    let context = bare(&stores).await;
    let (mut ours, mut theirs): ([Times; 4], [Times; 4]) = Default::default();
    for at in 0..=RUNS {
        // Eight keys of each 32 are taken.
        let sql = |schema: &str| format!("SELECT * FROM {schema}.orders WHERE o_orderkey = {}", 4_711 + 32 * at);
        for arm in shuffled::<2>(at) {
            let (times, took) = match arm {
                0 => (&mut ours, governed_steps(&session, &sql("sales")).await),
                _ => (&mut theirs, alone_steps(&context, &sql("public")).await),
            };
            if at > 0 {
                times.iter_mut().zip(took).for_each(|(times, took)| times.push(took));
            }
        }
    }
    println!("### One order by its key, {} orders, {RUNS} keys in turns\n", tables.known[1].rows);
    let rows = ["logical plan", "physical plan", "rows", "whole"].iter().zip(ours.iter().zip(&theirs));
    let told: Vec<_> = rows
        .map(|(name, (ours, theirs))| {
            vec![
                (*name).to_owned(),
                millis(ours.median()),
                millis(theirs.median()),
                millis(ours.median().saturating_sub(theirs.median())),
                ratios(ours, theirs).to_string(),
            ]
        })
        .collect();
    table(&["step", "governed, ms", "alone, ms", "over, ms", "ratio (95 %)"], &told);
}

/// Logical plan, physical plan, rows, and all of it.
async fn governed_steps(session: &Session, sql: &str) -> [Duration; 4] {
    let started = Instant::now();
    let planned = session.plan(sql).await.unwrap();
    let logical = started.elapsed();
    let stream = session.run(&planned, wire_schema(planned.schema())).await.unwrap();
    let physical = started.elapsed();
    stream.try_for_each(|_| async { Ok(()) }).await.unwrap();
    steps(logical, physical, started.elapsed())
}

async fn alone_steps(context: &SessionContext, sql: &str) -> [Duration; 4] {
    let started = Instant::now();
    let frame = context.sql(sql).await.unwrap();
    let logical = started.elapsed();
    let (task, plan) = (frame.task_ctx(), frame.create_physical_plan().await.unwrap());
    let physical = started.elapsed();
    execute_stream(plan, task.into()).unwrap().try_for_each(|_| async { Ok(()) }).await.unwrap();
    steps(logical, physical, started.elapsed())
}

fn steps(logical: Duration, physical: Duration, whole: Duration) -> [Duration; 4] {
    [logical, physical.saturating_sub(logical), whole.saturating_sub(physical), whole]
}
