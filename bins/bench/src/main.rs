//! `hedge-bench`: one figure a line, as JSON, each beside a floor that was measured in the same run.

mod bars;
mod cold_start;
mod count;
mod decode;
mod durable;
mod figure;
mod ledger;
mod memory;
mod replay;
mod round_trip;
mod sign;
mod symbols;
mod tick_to_order;
mod ticks;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// The system's allocator with a counter beside it: `allocs` is a figure.
#[global_allocator]
static ALLOCATOR: hedge_counting::Counting = hedge_counting::Counting;

/// Measure the hot paths. Each line on stdout is one figure as a JSON object; run it on a quiet machine, pinned to a core.
///
/// HEDGE_BENCH_PEER names our own rows, for another build profile ("dist: ours").
///
/// Exit codes: 0 measured, 1 the input cannot be used, 2 usage.
#[derive(Debug, Parser)]
#[command(name = "hedge-bench", version, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Stream message to typed event: every line of ws.ndjson in BENCH_DATA, or generated ones.
    B1,
    /// A hedge-mode limit order, from the order type to the signed query.
    B2,
    /// An order to a loopback server and back, beside a plain hyper client.
    B3 {
        /// Port of a server on this machine that answers every POST with one order.
        port: u16,
    },
    /// A backtest over a million one-minute bars or ticks: bars.csv or ticks.csv in BENCH_DATA, or generated ones.
    B4 {
        /// What to play.
        #[arg(value_parser = ["bars", "ticks"])]
        what: String,
    },
    /// What a bar costs when many symbols are traded on one account.
    Symbols {
        /// How many symbols, one figure each.
        #[arg(default_values_t = [1, 10, 50, 100, 200, 500], value_parser = clap::value_parser!(u16).range(1..=1_000))]
        counts: Vec<u16>,
    },
    /// From the text of a book ticker to the signed bytes of an order, with every rule asked and recorded.
    B6 {
        /// How many quotes.
        #[arg(default_value_t = 1_000_000)]
        quotes: usize,
    },
    /// From the start of the executor (beside this program) to the first order on its embedded exchange.
    ColdStart,
    /// Resident memory.
    B5 {
        /// After construction, or after a million decoded messages (ws.ndjson in BENCH_DATA, five times).
        #[arg(value_parser = ["idle", "busy"])]
        state: String,
    },
    /// A 300-byte record appended to the journal and made durable, alone and 16 at a time.
    B7 {
        /// A folder on the disk to measure; a folder of our own is made in it and removed.
        dir: PathBuf,
    },
    /// A fixed amount of work for an instruction counter; nothing is timed. See .ci/instructions.
    Count {
        /// Market messages, decisions, signed orders, bars of a backtest, or bars shared out among one symbol or 500.
        #[arg(value_parser = ["decode", "decide", "sign", "bars", "one-symbol", "many-symbols"])]
        what: String,
    },
    /// A ledger of so many rows: how fast they come in, how fast the last day is asked, how large it is.
    Ledger {
        /// A folder on the disk to measure; a folder of our own is made in it and removed.
        dir: PathBuf,
        /// Rows over all tables.
        #[arg(default_value_t = 10_000_000)]
        rows: u64,
    },
}

fn main() -> ExitCode {
    let measured = match Args::parse().bench {
        Bench::B1 => decode::run(),
        Bench::B2 => sign::run(),
        Bench::B4 { what } if what == "ticks" => ticks::run(),
        Bench::B3 { port } => round_trip::run(port),
        Bench::ColdStart => cold_start::run(),
        Bench::B5 { state } => memory::run(state == "busy"),
        Bench::B4 { .. } => bars::run(),
        Bench::Symbols { counts } => symbols::run(&counts),
        Bench::B6 { quotes } => tick_to_order::run(quotes.max(100)),
        Bench::B7 { dir } => durable::run(&dir),
        Bench::Count { what } => count::run(&what),
        Bench::Ledger { dir, rows } => ledger::run(&dir, rows),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("hedge-bench: {message}");
            ExitCode::FAILURE
        }
    }
}
