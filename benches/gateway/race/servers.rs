//! The servers of a race, each a process of its own, and what the system says of them.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Linux counts processor time in hundredths of a second.
const TICKS: f64 = 100.0;

/// A running server; dropping it ends it.
pub struct Server {
    child: Child,
    pub address: String,
    /// From the start of the process to the line that tells the address.
    pub started_in: Duration,
}

impl Server {
    /// `meshgate serve`, as a user has it.
    pub fn meshgate(config: &Path) -> Self {
        Self::start(Command::new(env!("CARGO_BIN_EXE_meshgate")).arg("serve").arg("--config").arg(config))
    }

    /// This program again, as a bare Flight server.
    pub fn bare(table: &Path) -> Self {
        Self::start(Command::new(std::env::current_exe().unwrap()).arg("bare-flight").arg(table))
    }

    fn start(command: &mut Command) -> Self {
        let started = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.by_ref().map(Result::unwrap).find_map(|line| {
            line.split_once("grpc://").map(|(_, address)| address.split_whitespace().next().unwrap().to_owned())
        });
        let address = address.unwrap_or_else(|| panic!("{command:?} ended before it told an address"));
        // A full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, started_in: started.elapsed() }
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }

    /// Processor seconds so far, of all its threads.
    pub fn cpu(&self) -> f64 {
        cpu(&self.proc("stat"))
    }

    /// The most memory that was resident since the last call of [`Self::forget_peak`], in MB.
    pub fn peak(&self) -> f64 {
        self.memory("VmHWM:")
    }

    pub fn resident(&self) -> f64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1024.0 / 1e6
    }

    pub fn forget_peak(&self) {
        std::fs::write(self.proc("clear_refs"), "5").unwrap();
    }
}

/// Processor seconds of this process.
pub fn own_cpu() -> f64 {
    cpu("/proc/self/stat")
}

fn cpu(stat: &str) -> f64 {
    let stat = std::fs::read_to_string(stat).unwrap();
    // The name before may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|at| fields[*at].parse::<f64>().unwrap()).sum();
    ticks / TICKS
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
