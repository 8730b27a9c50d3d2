//! What the benchmarks of backtests share: limits that stand in nobody's way, the timed span, and the figures.

use std::{fs, time::Instant};

use hedge_core::{Decimal, Event, event::Decision};
use hedge_counting::allocations;
use hedge_risk::{DayCalendar, RiskLimits, RiskStack};
use hedge_sim::backtest::Backtest;
use serde_json::json;

use crate::figure::{ours, print as figure};

/// Wide limits: every rule is asked and none may stand in the way.
const MOST_USDT: i64 = 10_000_000;

pub(crate) fn wide_risk() -> Result<Box<RiskStack>, String> {
    let limits = RiskLimits {
        max_notional_per_order_usdt: Decimal::from(MOST_USDT),
        max_notional_per_symbol_usdt: Decimal::from(MOST_USDT),
        max_notional_total_usdt: Decimal::from(MOST_USDT),
        entries_per_leg_per_hour: 60,
        max_positions: 200,
        max_open_orders: 1_000,
        warmup_s: 0,
        ..RiskLimits::default()
    };
    let calendar = DayCalendar::utc(0).map_err(|error| error.to_string())?;
    RiskStack::from_limits(&limits, calendar).map(Box::new).map_err(|error| error.to_string())
}

/// The timed span: everything but text and hashing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Units: seconds.
    pub(crate) wall: f64,
    pub(crate) allocations: u64,
}

pub(crate) fn measure(backtest: &mut Backtest) -> Result<Measured, String> {
    let before = allocations();
    let started = Instant::now();
    backtest.run(&mut ()).map_err(|error| error.to_string())?;
    let wall = started.elapsed().as_secs_f64();
    Ok(Measured { wall, allocations: allocations() - before })
}

/// Prints every figure of a run over `events`. `(loaded, wall)` in seconds.
pub(crate) fn print(
    bench: &str,
    backtest: &Backtest,
    events: usize,
    (loaded, wall): (f64, f64),
    allocated: u64,
) -> Result<(), String> {
    let summary = backtest.summary().map_err(|error| error.to_string())?;
    for (rule, times) in backtest.vetoes() {
        eprintln!("{bench}: {times} openings refused by {rule}");
    }
    let mut checks = 0;
    for record in backtest.each_record() {
        if let Event::Decision(Decision::Assessed { checks: these, .. }) =
            record.map_err(|error| error.to_string())?.event
        {
            checks += these.len();
        }
    }
    let figures = [
        ("engine_rate", events as f64 / wall, "events/s"),
        ("engine_wall", wall, "s"),
        ("load_wall", loaded, "s"),
        ("fills", summary.fills as f64, "count"),
        ("orders", summary.orders as f64, "count"),
        ("gate_checks", checks as f64, "count"),
        ("journal_records", backtest.record_count() as f64, "count"),
        ("allocs", allocated as f64, "count"),
        ("peak_rss", peak_rss_mib().unwrap_or(f64::NAN), "MiB"),
    ];
    for (metric, value, unit) in figures {
        figure(bench, ours(), metric, value, unit, events, &[("nav_end", json!(summary.nav_end))]);
    }
    Ok(())
}

/// A decimal with exactly so many places, without its point.
pub(crate) fn scaled(text: &str, places: usize) -> Option<i64> {
    let (whole, part) = text.split_once('.')?;
    if part.len() != places {
        return None;
    }
    let digits: i64 = part.parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(10_i64.checked_pow(places as u32)?)?.checked_add(digits)
}

/// The most memory this process has had. Known on Linux only.
fn peak_rss_mib() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<f64>().ok().map(|kib| kib / 1_024.0)
}
