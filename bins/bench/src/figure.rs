//! Timing of passes, and the line a figure is printed as.

use std::{sync::OnceLock, time::Instant};

use serde_json::{Map, Value, json};

/// Timed passes after one that warms up.
const PASSES: usize = 9;

/// Whom the figures of our own code are ascribed to; another name for another build profile.
pub(crate) fn ours() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| std::env::var("HEDGE_BENCH_PEER").unwrap_or_else(|_| "ours".to_owned()))
}

/// Prints one figure. `more` are extra keys.
pub(crate) fn print(
    bench: &str,
    peer: &str,
    metric: &str,
    value: f64,
    unit: &str,
    n: usize,
    more: &[(&str, Value)],
) {
    let mut line = Map::new();
    let value = (value * 100.0).round() / 100.0;
    let fields = [
        ("bench", json!(bench)),
        ("peer", json!(peer)),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("metric", json!(metric)),
        ("value", json!(value)),
        ("unit", json!(unit)),
        ("n", json!(n)),
    ];
    for (name, value) in fields.into_iter().chain(more.iter().cloned()) {
        line.insert(name.to_owned(), value);
    }
    println!("{}", Value::Object(line));
}

/// Median and minimum of the passes. Units: nanoseconds per operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nanos {
    pub(crate) median: f64,
    pub(crate) min: f64,
}

/// Times passes over `n` operations.
pub(crate) fn passes(n: usize, mut pass: impl FnMut()) -> Nanos {
    pass();
    let mut nanos: Vec<f64> = (0..PASSES)
        .map(|_| {
            let started = Instant::now();
            pass();
            started.elapsed().as_nanos() as f64 / n as f64
        })
        .collect();
    nanos.sort_by(f64::total_cmp);
    Nanos { median: nanos[PASSES / 2], min: nanos[0] }
}

/// A percentile of sorted values.
pub(crate) fn percentile(sorted: &[u64], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).map_or(0.0, |value| *value as f64)
}
