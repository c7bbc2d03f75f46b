//! What the gateway costs. `cargo bench --bench gateway -- decisions browse egress points queries` (all where none is named) prints Markdown tables;
//! figures are for reading, no test looks at them. `race` starts gateways as processes, `gate` fails where ratios and counts are worse than
//! they may be. docs/PERFORMANCE.md says what each means.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a bench that fails says why, prints figures, and opens the engine beside the gateway to compare with"
)]

mod browse;
mod counting;
mod decisions;
mod egress;
mod measure;
mod mesh;
mod points;
mod queries;
mod race;
mod tpch;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// The gateway's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let named: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let asked = |name: &str| named.is_empty() || named.iter().any(|word| name.contains(word.as_str()));
    match named.first().map(String::as_str) {
        Some("bare-flight") => {
            race::bare_flight(&named[1]);
            return ExitCode::SUCCESS;
        }
        Some("race") => {
            println!("{}\n", measure::machine());
            race::run(std::env::args().skip_while(|word| word != "race"));
            return ExitCode::SUCCESS;
        }
        Some("gate") => {
            println!("{}\n", measure::machine());
            return if queries::run(true) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        _ => println!("{}\n", measure::machine()),
    }
    if asked("decisions") {
        decisions::run();
    }
    if asked("browse") {
        browse::run();
    }
    if asked("egress") {
        egress::run();
    }
    if asked("points") {
        points::run();
    }
    if asked("queries") {
        queries::run(false);
    }
    ExitCode::SUCCESS
}
