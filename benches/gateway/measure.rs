//! Times, and how they are told.

use std::fmt;
use std::time::{Duration, Instant};

use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Times of one arm.
#[derive(Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = std::hint::black_box(work());
        self.0.push(started.elapsed());
        result
    }

    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time that this share of the runs does not exceed (nearest rank).
    pub fn percentile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        let most = sorted.len().saturating_sub(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank below the number of runs")]
        let rank = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
        sorted.get(rank.min(most)).copied().unwrap_or_default()
    }

    pub fn median(&self) -> Duration {
        self.percentile(0.5)
    }

    pub fn runs(&self) -> usize {
        self.0.len()
    }
}

/// A median of paired ratios with the bounds in which it lies in 95 of 100 samples drawn anew from the pairs (percentile bootstrap).
#[derive(Debug, Clone, Copy)]
pub struct Ratio {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2}–{:.2})", self.median, self.low, self.high)
    }
}

/// Of what the arms took in the same turn.
pub fn ratios(ours: &Times, theirs: &Times) -> Ratio {
    const SAMPLES: usize = 1_000;
    let pairs: Vec<f64> = ours.0.iter().zip(&theirs.0).map(|(a, b)| a.as_secs_f64() / b.as_secs_f64()).collect();
    // The same draws in each run: figures of the same times are the same.
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut drawn: Vec<f64> = (0..SAMPLES)
        .map(|_| middle((0..pairs.len()).map(|_| pairs[rng.random_range(0..pairs.len())]).collect()))
        .collect();
    drawn.sort_by(f64::total_cmp);
    Ratio { median: middle(pairs), low: drawn[SAMPLES / 40], high: drawn[SAMPLES - SAMPLES / 40 - 1] }
}

/// The arms of a turn in an order of its own: who runs behind another finds other caches.
pub fn shuffled<const N: usize>(turn: usize) -> [usize; N] {
    let mut order = std::array::from_fn(|arm| arm);
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(turn as u64));
    order
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn micros(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 10.0 { format!("{micros:.2}") } else { format!("{micros:.0}") }
}

pub fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

/// A Markdown table.
pub fn table(head: &[&str], rows: &[Vec<String>]) {
    println!("| {} |", head.join(" | "));
    println!("|{}", "---|".repeat(head.len()));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
    println!();
}

/// Cores and load: figures of a busy machine say less.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("unknown").to_owned();
    format!("{cores} cores, load {load} at the start")
}
