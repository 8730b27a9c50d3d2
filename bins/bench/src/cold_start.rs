//! From the start of the executor's process to the first order that its embedded exchange has taken, by its journal.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::figure::{ours, percentile, print};

const STARTS: usize = 11;
const PATIENCE: Duration = Duration::from_secs(60);
/// How a journal line names an order that the venue has taken.
const TAKEN: &str = "submit_acked";

pub(crate) fn run() -> Result<(), String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let executor = own.with_file_name("hedge-executor");
    if !executor.exists() {
        return Err(format!("{} is not there; build it with: cargo build --release", executor.display()));
    }
    let mut nanos = (0..STARTS).map(|_| start(&executor)).collect::<Result<Vec<u64>, String>>()?;
    nanos.sort_unstable();
    for (metric, part) in [("first_order_p50", 0.5), ("first_order_max", 1.0)] {
        print("cold-start", ours(), metric, percentile(&nanos, part) / 1_000_000.0, "ms", STARTS, &[]);
    }
    Ok(())
}

fn start(executor: &Path) -> Result<u64, String> {
    let dir = std::env::temp_dir().join(format!("hedge-bench-start-{}", std::process::id()));
    fs::remove_dir_all(&dir).ok();
    let state = dir.join("state");
    let started = Instant::now();
    let child = Command::new(executor)
        .args(["--profile", "paper", "--bars", "2000", "--state-dir"])
        .arg(&state)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", executor.display()))?;
    let mut child = Stopped(child);
    let taken = loop {
        if has_taken(&state.join("journal")) {
            break Ok(started.elapsed().as_nanos() as u64);
        }
        if started.elapsed() > PATIENCE {
            break Err(format!("no order within {} s", PATIENCE.as_secs()));
        }
        if let Ok(Some(status)) = child.0.try_wait() {
            break Err(format!("the executor ended without an order: {status}"));
        }
        thread::sleep(Duration::from_millis(1));
    };
    drop(child);
    fs::remove_dir_all(&dir).ok();
    taken
}

fn has_taken(journal: &Path) -> bool {
    fs::read_dir(journal).is_ok_and(|files| {
        files.flatten().any(|file| fs::read_to_string(file.path()).is_ok_and(|text| text.contains(TAKEN)))
    })
}

/// A process that does not outlive its measurement.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
