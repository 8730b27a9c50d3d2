//! `hedgectl data`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, Subcommand};
use hedge_core::{Interval, Symbol, Timestamp};
use hedge_desk::{
    fetch::{self, FetchError, FetchPlan, Kind},
    journal::parse_time,
};
use hedge_runtime::SystemClock;

use crate::{args::symbol, failure::Failure, output};

/// Recorded market data.
#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Download recorded market data for backtests.
    #[command(subcommand)]
    Fetch(FetchVenue),
}

/// Which venue's data.
#[derive(Debug, Subcommand)]
pub(crate) enum FetchVenue {
    Binance(FetchArgs),
}

/// Download Binance USD-M data into a folder that `hedgectl backtest --data` reads.
///
/// Public archives with their checksums first (whole months, else days), the venue's API for candles and funding that no
/// archive has yet. What is there already is kept, and an interrupted download goes on where it stopped: run the same command
/// again. The last line on stdout is JSON; it names what is still missing.
///
/// Example: hedgectl data fetch binance --symbol BTCUSDT --symbol ETHUSDT --interval 15m --from 2025-01-01 --to 2025-03-01
/// --kind klines,fundingRate --out data/binance_um
#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// Which symbol. Repeat it, or separate several by commas.
    #[arg(long = "symbol", value_name = "SYMBOL", value_delimiter = ',', value_parser = symbol, required = true)]
    pub(crate) symbols: Vec<Symbol>,
    /// Length of candles: 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 8h, 12h or 1d.
    #[arg(long, value_name = "INTERVAL", value_parser = interval, default_value = "15m")]
    pub(crate) interval: Interval,
    /// First day (UTC), for example 2025-01-01.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) from: Timestamp,
    /// First day not to fetch any more.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) to: Timestamp,
    /// klines, markPriceKlines (of 8 hours beside others, for funding), indexPriceKlines, premiumIndexKlines, fundingRate,
    /// aggTrades, trades, bookTicker, bookDepth or metrics. Repeat it, or separate several by commas.
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = kind, default_value = "klines")]
    pub(crate) kinds: Vec<Kind>,
    /// The folder. Candles come into klines_INTERVAL, funding into funding, 8 h mark prices into mark_8h.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Downloads at a time, 1 to 16.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) jobs: u8,
    /// Where the archive is.
    #[arg(long, value_name = "URL", default_value = fetch::ARCHIVE_URL)]
    pub(crate) base_url: String,
    /// Where the API is. Default: the venue's own.
    #[arg(long, value_name = "URL")]
    pub(crate) api_url: Option<String>,
}

pub(crate) async fn run(command: &DataCommand) -> Result<(), Failure> {
    let DataCommand::Fetch(FetchVenue::Binance(args)) = command;
    let plan = FetchPlan {
        kinds: args.kinds.clone(),
        symbols: args.symbols.clone(),
        interval: args.interval,
        from: args.from,
        to: args.to,
        out: args.out.clone(),
        archive_url: args.base_url.clone(),
        api_url: args.api_url.clone(),
        jobs: usize::from(args.jobs),
        pause: Duration::from_millis(500),
    };
    let fetched = tokio::select! {
        fetched = fetch::fetch(&plan, Arc::new(SystemClock)) => fetched?,
        _ = tokio::signal::ctrl_c() => return Err(FetchError::Interrupted.into()),
    };
    for warning in &fetched.warnings {
        eprintln!("warning: {warning}");
    }
    for missing in &fetched.missing {
        let many = missing.candles.map(|candles| format!("{candles} ")).unwrap_or_default();
        eprintln!(
            "warning: {many}{} of {} are missing from {} to {}; neither the archive nor the API has them",
            missing.kind, missing.symbol, missing.from, missing.to
        );
    }
    eprintln!(
        "{} archives downloaded, {} kept, {} rows from the API, in {}",
        fetched.downloaded,
        fetched.kept,
        fetched.api_rows,
        args.out.display()
    );
    output::line(&serde_json::to_string(&fetched)?);
    Ok(())
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Usage(_) | FetchError::Api(_) => Self::usage(error),
            error => Self::failed(error),
        }
    }
}

fn interval(text: &str) -> Result<Interval, String> {
    let known = || Interval::ALL.map(Interval::as_str).join(", ");
    Interval::parse(text).ok_or_else(|| format!("expected one of {}", known()))
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::parse(text).ok_or_else(|| format!("expected one of {}", Kind::ALL.map(Kind::as_str).join(", ")))
}
