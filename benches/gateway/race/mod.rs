//! The gateway as a process, over the wire, beside the engine in this process and beside a Flight server that only sends:
//! `cargo bench --bench gateway -- race --scale 1 --runs 15 points queries fetch crowd calls memory`.

mod bare_flight;
mod client;
mod report;
mod servers;
mod workloads;

use std::path::PathBuf;

use clap::Parser as _;
use datafusion::prelude::SessionContext;

use self::client::Client;
use self::report::Report;
use self::servers::Server;
use crate::queries::{PARTITIONS, alone, home, register};
use crate::tpch::{ANALYST, Format, READER, Tables, make, mesh};

#[derive(Debug, clap::Parser)]
#[command(name = "race")]
struct Options {
    /// Scale of TPC-H; 1 is six million lines.
    #[arg(long, default_value_t = 0.1)]
    scale: f64,
    /// Runs of each arm, in turns.
    #[arg(long, default_value_t = 15)]
    runs: usize,
    /// Where the figures go as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Which workloads: points, queries, fetch, crowd, calls, memory; all where none is named.
    workloads: Vec<String>,
    /// Cargo adds it.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The arms of a race. The first meshes hold few policies, the others many.
struct Arms {
    runs: usize,
    tables: Tables,
    /// A0 and A5: the engine in this process.
    alone: SessionContext,
    /// A3: five policies that permit all.
    few: Server,
    /// A3 with five hundred policies, and A4.
    many: Server,
    reader: Client,
    reader_of_many: Client,
    analyst: Client,
}

pub fn run(arguments: impl Iterator<Item = String>) {
    let options = Options::parse_from(arguments);
    runtime().block_on(race(&options));
}

/// A process of a race whose only work is to serve a table's folder.
pub fn bare_flight(folder: &str) {
    runtime().block_on(bare_flight::serve(folder.as_ref()));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(PARTITIONS + 2).enable_all().build().unwrap()
}

async fn race(options: &Options) {
    let tables = make(home(), options.scale).await;
    let few = Server::meshgate(&mesh(home(), &tables, Format::Parquet, 5).config);
    let many = Server::meshgate(&mesh(home(), &tables, Format::Parquet, 500).config);
    let alone = alone();
    let root = tables.root.clone();
    register(&alone, |table, domain| root.join(domain).join(table).join("part-0.parquet").display().to_string()).await;
    let mut arms = Arms {
        runs: options.runs,
        alone,
        reader: Client::login(&few.address, READER).await,
        reader_of_many: Client::login(&many.address, READER).await,
        analyst: Client::login(&many.address, ANALYST).await,
        few,
        many,
        tables,
    };
    let asked = |name: &str| options.workloads.is_empty() || options.workloads.iter().any(|word| word == name);
    let mut report = Report::new(options.scale);
    println!("scale {}, {} lines, {} runs of each in turns\n", options.scale, arms.tables.known[0].rows, options.runs);
    if asked("points") {
        workloads::points(&mut arms, &mut report).await;
    }
    if asked("queries") {
        workloads::queries(&mut arms, &mut report).await;
    }
    if asked("fetch") {
        workloads::fetch(&mut arms, &mut report).await;
    }
    if asked("crowd") {
        workloads::crowd(&mut arms, &mut report).await;
    }
    if asked("calls") {
        workloads::calls(&mut arms, &mut report).await;
    }
    if asked("memory") {
        workloads::memory(&arms, &mut report).await;
    }
    report.write(options.json.as_deref().unwrap_or(&home().join("race.json")));
}
