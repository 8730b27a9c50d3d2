//! `hedge-panic-close`: closes every leg at the market, whatever else is broken. Needs hosts, keys and a profile; no
//! running executor, no journal, no lock, no intact configuration.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use hedge_core::Symbol;
use hedge_desk::panic::{Request, close_down};

/// Closes every leg at the market and cancels all orders, stops last. Without --yes it asks at a terminal; elsewhere it
/// only prints the plan. Exit codes: 0 flat, 2 usage, 13 not flat, 75 another panic close is at work, 78 mode or keys.
#[derive(Debug, Parser)]
#[command(name = "hedge-panic-close", version)]
struct Args {
    /// Whose account: paper, testnet or mainnet; paper when none is named.
    #[arg(long)]
    profile: Option<String>,
    /// Only these symbols. The executor is halted all the same.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    symbols: Option<Vec<Symbol>>,
    /// State directory of the executor that is told to stop; the profile's own one otherwise.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Folder with the configuration. Only hosts are read from it; what is broken is replaced by defaults.
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// File with variables.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// How long it keeps trying, such as 90s, 10m or 2h.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    within: Duration,
    /// Do it without asking.
    #[arg(long)]
    yes: bool,
    /// One JSON object at the end on stdout; progress goes to stderr.
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<Duration, &'static str> {
    const WANTED: &str = "expected a time of at least 10s, such as 90s, 10m or 2h";
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds: u64 = match unit {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(WANTED),
    };
    let total = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
    total.filter(|total| (10..=7 * 86_400).contains(total)).map(Duration::from_secs).ok_or(WANTED)
}

fn main() -> ExitCode {
    let started = Instant::now();
    let args = Args::parse();
    let request = Request {
        profile: args.profile,
        symbols: args.symbols.map(|symbols| symbols.into_iter().collect::<BTreeSet<_>>()),
        state_dir: args.state_dir,
        config: args.config,
        env_file: args.env_file,
        within: args.within,
        yes: args.yes,
        json: args.json,
        started,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = match runtime {
        Ok(runtime) => runtime.block_on(close_down(request)),
        Err(error) => {
            eprintln!("hedge-panic-close: cannot start: {error}; close in the venue's app");
            13
        }
    };
    ExitCode::from(code)
}
