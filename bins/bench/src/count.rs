//! A fixed amount of work for an instruction counter: the same input each time, nothing timed, nothing random.
//!
//! Only what runs inside [`counted`] is meant to be counted; `.ci/instructions` tells the counter so by its name.

use std::hint::black_box;

use hedge_binance::hot;
use hedge_sim::backtest::Backtest;

use crate::{bars, decode, figure::print, sign, symbols, tick_to_order};

const MESSAGES: usize = 2_000;
const ORDERS: usize = 2_000;
const BARS: usize = 5_000;
/// The same number of bars for one symbol and for many.
const SHARED_BARS: usize = 50_000;
const MANY_SYMBOLS: usize = 500;

pub(crate) fn run(what: &str) -> Result<(), String> {
    let operations = match what {
        "decode" => decode(),
        "sign" => sign()?,
        "decide" => decide()?,
        "one-symbol" => played(symbols::backtest(1, SHARED_BARS)?, SHARED_BARS)?,
        "many-symbols" => played(symbols::backtest(MANY_SYMBOLS, SHARED_BARS)?, SHARED_BARS)?,
        _ => played(bars::generated(BARS)?, BARS)?,
    };
    print("count", "ours", what, operations as f64, "operations", operations, &[]);
    Ok(())
}

fn decode() -> usize {
    let text = decode::generated(MESSAGES);
    let lines: Vec<&str> = text.lines().collect();
    counted(|| {
        for line in &lines {
            black_box(hot::frame(line));
        }
    });
    lines.len()
}

fn sign() -> Result<usize, String> {
    let orders = sign::Orders::new()?;
    counted(|| {
        for i in 0..ORDERS {
            black_box(orders.signed(i).ok());
        }
    });
    Ok(ORDERS)
}

/// A quote to an approved order: the strategy, every rule of the gate, the records. Neither decoding nor signing.
fn decide() -> Result<usize, String> {
    tick_to_order::each_decision(ORDERS, |decide| counted(decide))?;
    Ok(ORDERS)
}

/// A whole backtest: strategy, gate, records, simulated exchange.
fn played(mut backtest: Backtest, bars: usize) -> Result<usize, String> {
    let mut result = Ok(());
    counted(|| result = backtest.run(&mut ()));
    result.map_err(|error| error.to_string())?;
    Ok(bars)
}

/// Never inlined, so that the counter finds where to begin and where to end.
#[inline(never)]
fn counted(mut work: impl FnMut()) {
    work();
    // Without this, the call above may become a jump, and the counter sees no end.
    black_box(());
}
