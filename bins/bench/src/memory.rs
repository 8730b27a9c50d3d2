//! What stays resident: clients, risk and executor doing nothing, and after a million decoded messages.

use std::{
    fs,
    hint::black_box,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use hedge_binance::{Binance, BinanceConfig, Credentials, Endpoints, Mainnet, hot};
use hedge_core::{Engine, EngineConfig};
use hedge_risk::{DayCalendar, RiskLimits, RiskStack};
use hedge_runtime::clock::SystemClock;
use serde_json::json;

use crate::figure::{ours, print};

const REST: Duration = Duration::from_secs(1);
const PASSES: usize = 5;
/// What is constructed; the other venues' clients are not written yet.
const HOLDS: &str = "binance client, risk managers, engine, runtime";

pub(crate) fn run(busy: bool) -> Result<(), String> {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let endpoints = Endpoints::<Mainnet>::new(Some("http://127.0.0.1:9"), Some("ws://127.0.0.1:9"))
        .map_err(|error| error.to_string())?;
    let credentials = Credentials::<Mainnet>::new("bench-key".to_owned(), "bench-secret".to_owned())
        .map_err(|error| error.to_string())?;
    let client = Binance::connect(BinanceConfig::new(endpoints, Arc::new(SystemClock)), credentials)
        .map_err(|error| error.to_string())?;
    let day = DayCalendar::utc(0).map_err(|error| error.to_string())?;
    let risk = RiskStack::from_limits(&RiskLimits::default(), day).map_err(|error| error.to_string())?;
    let engine = Engine::new(EngineConfig::default(), Box::new(risk), Vec::new());
    let ready_ms = started.elapsed().as_secs_f64() * 1_000.0;
    let more = [("holds", json!(HOLDS))];
    print("B5", ours(), "ready", ready_ms, "ms", 1, &more);
    if busy {
        let messages = decode()?;
        print("B5", ours(), "busy_rss", resident_mib()?, "MiB", messages, &more);
    } else {
        thread::sleep(REST);
        print("B5", ours(), "idle_rss", resident_mib()?, "MiB", 1, &more);
    }
    drop((runtime, client, engine));
    Ok(())
}

fn decode() -> Result<usize, String> {
    let folder =
        std::env::var_os("BENCH_DATA").ok_or("b5 busy needs BENCH_DATA, the folder with ws.ndjson")?;
    let path = PathBuf::from(folder).join("ws.ndjson");
    let mut messages = 0;
    for _ in 0..PASSES {
        // Line by line, as from a socket: the file itself is not what is weighed.
        let file = fs::File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        for line in std::io::BufRead::lines(std::io::BufReader::new(file)) {
            let line = line.map_err(|error| format!("{}: {error}", path.display()))?;
            messages += usize::from(black_box(hot::frame(&line)).is_some());
        }
    }
    Ok(messages)
}

fn resident_mib() -> Result<f64, String> {
    let status =
        fs::read_to_string("/proc/self/status").map_err(|error| format!("/proc/self/status: {error}"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse::<f64>().ok())
        .map(|kib| kib / 1_024.0)
        .ok_or_else(|| "/proc/self/status has no VmRSS line".to_owned())
}
