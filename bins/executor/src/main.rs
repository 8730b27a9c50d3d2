//! `hedge-executor`: trades what the configuration says. Without arguments it plays the paper profile on an exchange of its
//! own: generated prices, real sockets, signed orders, and a report at the end.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, value_parser};
use hedge_core::Symbol;
use hedge_desk::{
    config::{Config, ConfigError, Profile, Speed, resolve, whole_range},
    env::Env,
    logging::{self, Format, Sink},
    paper::{self, PaperError, PaperOptions},
};
use hedge_runtime::Shutdown;

/// Trades perpetual futures in hedge mode. Exit codes: 0 ok, 2 usage, 10 preflight, 74 journal, 78 configuration.
#[derive(Debug, Parser)]
#[command(name = "hedge-executor", version)]
struct Args {
    /// How to run; this version knows `paper`.
    #[arg(long, default_value = "paper")]
    profile: String,
    /// Folder with pairs_universe.json, strategy_config.json, risk_limits.json and runtime.toml.
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// File with variables; only its owner may read it.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// State directory to use as it is; a new one each time otherwise. An unfinished run in it goes on.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Bars per symbol to play.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    bars: Option<u64>,
    /// Run until stopped, in real time unless --speed says otherwise.
    #[arg(long, conflicts_with = "bars")]
    follow: bool,
    /// One cycle: a single bar per symbol.
    #[arg(long, conflicts_with_all = ["bars", "follow"])]
    dev_fast: bool,
    /// Symbols to trade, out of the universe.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    symbols: Option<Vec<Symbol>>,
    /// Recorded klines to play instead of a generated market: a file or a folder.
    #[arg(long, value_name = "PATH", conflicts_with = "seed")]
    data: Option<PathBuf>,
    /// Rules of the instruments: an exchangeInfo file.
    #[arg(long, value_name = "FILE")]
    instruments: Option<PathBuf>,
    /// Seed of the generated market.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Bars of history before the start, as many as history.bars in runtime.toml may ask for.
    #[arg(long, value_name = "N", value_parser = history)]
    history: Option<usize>,
    /// Speed of the embedded exchange: `max` (bar after bar) or a multiple of real time.
    #[arg(long, value_name = "X|max")]
    speed: Option<Speed>,
    /// Form of the log lines; as configured otherwise.
    #[arg(long, value_name = "text|json")]
    log: Option<Format>,
}

/// The same range as the key in the file.
fn history(text: &str) -> Result<usize, String> {
    let range = whole_range("history.bars").unwrap_or(1..=1_500);
    let within = |bars: &i64| range.contains(bars);
    text.parse().ok().filter(within).and_then(|bars| usize::try_from(bars).ok()).ok_or_else(|| {
        format!("expected {} to {} bars, as for history.bars in runtime.toml", range.start(), range.end())
    })
}

fn main() -> ExitCode {
    let args = Args::parse();
    match start(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            eprintln!("hedge-executor: {message}");
            ExitCode::from(code)
        }
    }
}

fn start(args: &Args) -> Result<(), (u8, String)> {
    let _: Profile = args.profile.parse().map_err(|sentence| (2, sentence))?;
    let unusable = |error: ConfigError| (78, error.to_string());
    let env = Env::load(args.env_file.as_deref()).map_err(unusable)?;
    let config = Config::load(args.config.as_deref(), &env).map_err(unusable)?;
    let format = args.log.unwrap_or_else(|| config.runtime.log.format.into());
    // Who follows wants to see each line as it is written.
    let sink = if args.follow { Sink::stdout(format).eager() } else { Sink::stdout(format) };
    logging::init(&sink, &config.runtime.log.level);
    config.notes.iter().for_each(|note| eprintln!("warning: {note}"));
    let mode = resolve(Some(&args.profile), &env, &config)
        .map_err(|error| (error.exit_code(), error.to_string()))?;
    mode.audit().iter().for_each(|line| eprintln!("{line}"));
    if mode.profile != Profile::Paper {
        return Err((2, format!("profile {} cannot run in this version: only paper can", mode.profile)));
    }

    // One thread on purpose: exchange, client and engine take turns in the same order every time.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| (1, format!("cannot start: {error}")))?;
    let finished = runtime.block_on(async {
        let shutdown = Shutdown::new();
        if let Err(error) = shutdown.on_signals() {
            eprintln!("hedge-executor: signals are not handled ({error}); stop it with kill -9 only");
        }
        paper::run(&options(args), &config, &env, &sink, shutdown).await
    });
    sink.flush();
    finished.map_err(|error: PaperError| (error.exit_code(), error.to_string()))?;
    // Trading went on without it; the journal and the report hold everything.
    match sink.failure() {
        Some(failure) => Err((1, format!("stdout could not be written ({failure}); the run is complete"))),
        None => Ok(()),
    }
}

fn options(args: &Args) -> PaperOptions {
    PaperOptions {
        bars: if args.dev_fast { Some(1) } else { args.bars },
        follow: args.follow,
        speed: args.speed,
        data: args.data.clone(),
        instruments: args.instruments.clone(),
        symbols: args.symbols.clone(),
        seed: args.seed,
        history: args.history,
        state_dir: args.state_dir.clone(),
    }
}
