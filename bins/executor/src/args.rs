//! What an operator may say on the command line.

use std::{num::NonZeroU32, path::PathBuf};

use clap::{Parser, value_parser};
use hedge_core::Symbol;
use hedge_desk::{
    config::{Profile, Speed, whole_range},
    logging::Format,
    trade::TradeOptions,
};

/// Trades perpetual futures in hedge mode. Exit codes: 0 ok, 1 failed, 2 usage, 10 a preflight check failed or the
/// account's lease could not be had, 74 journal, 75 fenced (another process leads the account, or a panic close is at work),
/// 78 configuration or mode.
#[derive(Debug, Parser)]
#[command(name = "hedge-executor", version)]
pub(crate) struct Args {
    /// What runs: paper (default), testnet, mainnet-dry or mainnet. DRY_RUN and SAFE_MODE can only make it drier.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Folder with pairs_universe.json, strategy_config.json, risk_limits.json and runtime.toml.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// File with variables; only its owner may read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// State directory to use as it is; otherwise EVENT_STORE_ROOT, and below it one for mainnet-dry and a new one for each
    /// paper run. What is in it goes on.
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Bars per symbol to play, then stop.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) bars: Option<u64>,
    /// Run until stopped, in real time unless --speed says otherwise. The default of every profile but paper.
    #[arg(long, conflicts_with = "bars")]
    pub(crate) follow: bool,
    /// One cycle: a single bar per symbol.
    #[arg(long, conflicts_with_all = ["bars", "follow"])]
    pub(crate) dev_fast: bool,
    /// Symbols to trade, out of the universe.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) symbols: Option<Vec<Symbol>>,
    /// Recorded klines to play instead of a generated market: a file or a folder.
    #[arg(long, value_name = "PATH", conflicts_with = "seed")]
    pub(crate) data: Option<PathBuf>,
    /// Rules of the instruments: an exchangeInfo file.
    #[arg(long, value_name = "FILE")]
    pub(crate) instruments: Option<PathBuf>,
    /// Seed of the generated market.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Bars of history before the start, as many as history.bars in runtime.toml may ask for.
    #[arg(long, value_name = "N", value_parser = history)]
    pub(crate) history: Option<usize>,
    /// Speed of the embedded exchange: `max` (bar after bar) or a multiple of real time.
    #[arg(long, value_name = "X|max")]
    pub(crate) speed: Option<Speed>,
    /// Run our clock N times as fast as wall time, for an exchange on this machine that does so too.
    #[arg(long, value_name = "N", value_parser = times)]
    pub(crate) time_scale: Option<NonZeroU32>,
    /// Wait while another process leads the account, and take over when it does not any more: the one of the same state
    /// directory, or with fence.lease = "firestore" one on another host.
    #[arg(long)]
    pub(crate) standby: bool,
    /// Form of the log lines; as configured otherwise.
    #[arg(long, value_name = "text|json")]
    pub(crate) log: Option<Format>,
}

impl Args {
    /// What the run is told.
    pub(crate) fn options(&self, profile: Profile) -> TradeOptions {
        let bars = if self.dev_fast { Some(1) } else { self.bars };
        TradeOptions {
            bars,
            // A venue does not wait for us: without an end of its own such a run goes on until it is stopped.
            follow: self.follow || (profile != Profile::Paper && bars.is_none()),
            time_scale: self.time_scale,
            speed: self.speed,
            data: self.data.clone(),
            instruments: self.instruments.clone(),
            symbols: self.symbols.clone(),
            seed: self.seed,
            history: self.history,
            state_dir: self.state_dir.clone(),
            standby: self.standby,
        }
    }
}

/// How fast a venue's clock can run before requests are too old when they arrive.
fn times(text: &str) -> Result<NonZeroU32, String> {
    let within = |times: &NonZeroU32| times.get() <= 1_000;
    text.parse().ok().filter(within).ok_or_else(|| "expected a whole number, 1 to 1000".to_owned())
}

/// The same range as the key in the file.
fn history(text: &str) -> Result<usize, String> {
    let range = whole_range("history.bars").unwrap_or(1..=1_500);
    let within = |bars: &i64| range.contains(bars);
    text.parse().ok().filter(within).and_then(|bars| usize::try_from(bars).ok()).ok_or_else(|| {
        format!("expected {} to {} bars, as for history.bars in runtime.toml", range.start(), range.end())
    })
}
