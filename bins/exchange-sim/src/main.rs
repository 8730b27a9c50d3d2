//! `hedge-exchange-sim`: the simulated exchange as a program. See `docs/simulator.md`.

use std::{io::Write, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Parser;
use hedge_sim::binance::{ApiKey, Environment, Exchange, ExchangeConfig, Instruments, MarketSource};
use hedge_sim::binance::{Pace, SecondCloseAll};
use rust_decimal::Decimal;
use tokio::signal::unix::{SignalKind, signal};

/// A simulated Binance USD-M exchange on loopback. Prints one JSON line when it is ready.
#[derive(Debug, Parser)]
#[command(name = "hedge-exchange-sim", version)]
struct Args {
    /// Whose protocol to speak.
    #[arg(long, value_parser = ["binance"])]
    venue: String,
    /// Loopback address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Which of the venue's two environments to imitate.
    #[arg(long, default_value = "demo", value_parser = ["demo", "mainnet"])]
    environment: String,
    /// API key to accept; without one the documented demonstration key is used.
    #[arg(long, env = "SIM_API_KEY", allow_hyphen_values = true, hide_env_values = true)]
    api_key: Option<String>,
    /// Secret of the API key.
    #[arg(long, env = "SIM_API_SECRET", allow_hyphen_values = true, hide_env_values = true)]
    api_secret: Option<String>,
    /// Instruments as an exchangeInfo file; built-in ones otherwise.
    #[arg(long)]
    instruments: Option<PathBuf>,
    /// Starting balance in USDT.
    #[arg(long, default_value = "10000", allow_hyphen_values = true)]
    balance: Decimal,
    /// Recorded klines to play: a file or a folder.
    #[arg(long, conflicts_with = "seed")]
    data: Option<PathBuf>,
    /// Seed of the generated market.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Recorded bars that lie before the start [default: 500]. The generated market knows its whole past.
    #[arg(long)]
    history: Option<usize>,
    /// Venue seconds per wall second.
    #[arg(long, default_value = "1", allow_hyphen_values = true, value_parser = speed)]
    speed: f64,
    /// What happens to a second close-all stop of the same leg and direction.
    #[arg(long, default_value = "refuse", value_parser = ["refuse", "accept"])]
    second_close_all: String,
}

/// Lockstep needs a driver in the exchange's own process.
fn speed(text: &str) -> Result<f64, &'static str> {
    if text == "max" {
        return Err("max exists only inside a program that drives the market; give a number");
    }
    let range = 0.001..=100_000.0;
    text.parse().ok().filter(|speed| range.contains(speed)).ok_or("expected a number in 0.001..=100000")
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let outcome = match Args::try_parse() {
        Ok(args) => serve(args).await,
        Err(error) if error.use_stderr() => Err(one_line(&error.to_string())),
        Err(help) => help.exit(),
    };
    let Err(message) = outcome else { return ExitCode::SUCCESS };
    eprintln!("hedge-exchange-sim: {message}");
    ExitCode::FAILURE
}

/// What is wrong, without the usage that follows it.
fn one_line(error: &str) -> String {
    let said = error.split("\n\nUsage").next().and_then(|said| said.split("\n\nFor more").next());
    said.unwrap_or(error).split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn serve(args: Args) -> Result<(), String> {
    // Whoever read the ready line may send a signal: the handlers are there before it.
    let stop = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
    let (mut interrupt, mut terminate) = (stop(SignalKind::interrupt())?, stop(SignalKind::terminate())?);
    let is_default = args.api_key.is_none();
    let api_key = match (&args.api_key, &args.api_secret) {
        (Some(key), Some(secret)) => ApiKey::new(key, secret),
        (None, None) => ApiKey::demo(),
        _ => return Err("give both --api-key and --api-secret, or neither".to_owned()),
    };
    let handle = Exchange::start(config(args, api_key)).await.map_err(|error| error.to_string())?;
    handle.notes().iter().for_each(|note| eprintln!("hedge-exchange-sim: {note}"));
    let mut ready = serde_json::json!({"venue": "binance", "rest": handle.rest_url(), "ws": handle.ws_url()});
    if is_default {
        ready["api_key"] = ApiKey::DEMO_KEY.into();
    }
    writeln!(std::io::stdout(), "{ready}").map_err(|error| format!("cannot write to stdout: {error}"))?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    handle.shutdown().await;
    Ok(())
}

fn config(args: Args, api_key: ApiKey) -> ExchangeConfig {
    let (is_demo, refuses) = (args.environment == "demo", args.second_close_all == "refuse");
    let recorded = |path| MarketSource::Recorded { path, symbols: Vec::new() };
    ExchangeConfig {
        listen: args.listen,
        environment: if is_demo { Environment::Demo } else { Environment::Mainnet },
        api_key,
        instruments: args.instruments.map_or(Instruments::Builtin, Instruments::File),
        balance_usdt: args.balance,
        market: args.data.map_or_else(|| MarketSource::generated(args.seed), recorded),
        history_bars: args.history,
        pace: Pace::Speed(args.speed),
        second_close_all: if refuses { SecondCloseAll::Refuse4130 } else { SecondCloseAll::Accept },
        ..ExchangeConfig::default()
    }
}
