//! What an operator may say on the command line and in the environment.

use std::env::{VarError, var};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use hedge_core::{Interval, Timestamp};
use hedge_sim::binance::{
    ApiKey, Environment, ExchangeConfig, Instruments, MarketSource, Pace, PublicKey, SecondCloseAll,
};
use rust_decimal::Decimal;

use crate::beginning::{Beginning, Leg};

/// A simulated Binance USD-M exchange on loopback. Prints one JSON line when it is ready. Exit codes: 0 ended by a
/// signal, 1 could not start, 2 usage.
#[derive(Debug, Parser)]
#[command(name = "hedge-exchange-sim", version)]
pub(crate) struct Args {
    /// Whose protocol to speak.
    #[arg(long, value_parser = ["binance"])]
    venue: String,
    /// Loopback address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_parser = loopback)]
    listen: SocketAddr,
    /// Which of the venue's two environments to imitate.
    #[arg(long, default_value = "demo", value_parser = ["demo", "mainnet"])]
    environment: String,
    /// API key to accept, else SIM_API_KEY; without either the documented demonstration key is used.
    #[arg(long, allow_hyphen_values = true)]
    api_key: Option<String>,
    /// Secret of the API key, else SIM_API_SECRET.
    #[arg(long, allow_hyphen_values = true)]
    api_secret: Option<String>,
    /// Public keys to accept beside it: a JSON file, [{"api_key":"…","public_key":"-----BEGIN PUBLIC KEY-----…"}, …].
    #[arg(long)]
    api_key_file: Option<PathBuf>,
    /// Instruments as an exchangeInfo file; built-in ones otherwise.
    #[arg(long)]
    instruments: Option<PathBuf>,
    /// Starting balance in USDT.
    #[arg(long, default_value = "10000", allow_hyphen_values = true, value_parser = balance)]
    balance: Decimal,
    /// Recorded klines to play: a file or a folder.
    #[arg(long, conflicts_with = "seed")]
    data: Option<PathBuf>,
    /// Recorded tick streams to play as the live market: a file or a folder of raw frames (.jsonl) or tables (.csv).
    #[arg(long, conflicts_with_all = ["data", "seed", "history"])]
    ticks: Option<PathBuf>,
    /// Seed of the generated market.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Recorded bars that lie before the start, at least [default: 500]. The generated market knows its past.
    #[arg(long)]
    history: Option<usize>,
    /// Time at the exchange when it starts, such as 2026-01-05T00:00:00.000Z; now otherwise. With it a seed gives the same market
    /// at any time of day.
    #[arg(long, conflicts_with_all = ["data", "ticks"], value_parser = start)]
    start: Option<Timestamp>,
    /// Venue seconds per wall second.
    #[arg(long, default_value = "1", allow_hyphen_values = true, value_parser = speed)]
    speed: f64,
    /// Symbols to list, separated by commas; all that the market has otherwise.
    #[arg(long, value_delimiter = ',', value_parser = symbol)]
    symbols: Vec<String>,
    /// Start in hedge mode; an account starts in one-way mode otherwise.
    #[arg(long)]
    hedge_mode: bool,
    /// Leverage of every symbol at the start [default: 20, or the symbol's highest].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=125))]
    leverage: Option<u32>,
    /// A leg that is open at the start, such as ETHUSDT:LONG:0.5 or ETHUSDT:SHORT:0.5@2500.00 (entry; mark otherwise).
    /// May be given several times; implies hedge mode.
    #[arg(long = "position", value_parser = Leg::parse)]
    positions: Vec<Leg>,
    /// Faults to arm before the start: a file with one JSON object a line, as POST /sim/faults takes it.
    #[arg(long)]
    fault_file: Option<PathBuf>,
    /// What happens to a second close-all stop of the same leg and direction.
    #[arg(long, default_value = "refuse", value_parser = ["refuse", "accept"])]
    second_close_all: String,
    /// What a dead-man countdown cancels when it runs out: plain orders only, or conditional ones too.
    #[arg(long, default_value = "plain", value_parser = ["plain", "all"])]
    countdown_cancels: String,
}

impl Args {
    /// The key that is given, if one is. A variable that is set to nothing is as good as none; a flag is meant.
    pub(crate) fn api_key(&self) -> Result<Option<ApiKey>, String> {
        let key = given("--api-key", self.api_key.as_ref(), "SIM_API_KEY")?;
        let secret = given("--api-secret", self.api_secret.as_ref(), "SIM_API_SECRET")?;
        match (key, secret) {
            (Some(key), Some(secret)) => Ok(Some(ApiKey::new(key, secret))),
            (None, None) => Ok(None),
            (Some(_), None) => {
                Err("an API key without a secret; give --api-secret or SIM_API_SECRET too".into())
            }
            (None, Some(_)) => Err("a secret without an API key; give --api-key or SIM_API_KEY too".into()),
        }
    }

    /// The public keys of the key file.
    ///
    /// # Errors
    /// One line: what is wrong with the file, and what was expected.
    pub(crate) fn public_keys(&self) -> Result<Vec<PublicKey>, String> {
        self.api_key_file.as_deref().map_or_else(|| Ok(Vec::new()), crate::keys::read)
    }

    /// How the account begins.
    pub(crate) fn beginning(&self) -> Beginning {
        Beginning {
            hedge_mode: self.hedge_mode || !self.positions.is_empty(),
            leverage: self.leverage,
            legs: self.positions.clone(),
            fault_file: self.fault_file.clone(),
        }
    }

    /// The exchange that is asked for.
    pub(crate) fn config(self, api_key: ApiKey, public_keys: Vec<PublicKey>) -> ExchangeConfig {
        let symbols = self.symbols;
        let (is_demo, refuses) = (self.environment == "demo", self.second_close_all == "refuse");
        let market = match (self.ticks, self.data) {
            (Some(path), _) => MarketSource::Ticks { path, symbols },
            (None, Some(path)) => MarketSource::Recorded { path, symbols },
            (None, None) => MarketSource::Generated { seed: self.seed, symbols, bars: Interval::M15 },
        };
        ExchangeConfig {
            listen: self.listen,
            environment: if is_demo { Environment::Demo } else { Environment::Mainnet },
            api_key,
            public_keys,
            instruments: self.instruments.map_or(Instruments::Builtin, Instruments::File),
            balance_usdt: self.balance,
            market,
            history_bars: self.history,
            start_ms: self.start.map(Timestamp::ms),
            pace: Pace::Speed(self.speed),
            countdown_cancels_algos: self.countdown_cancels == "all",
            second_close_all: if refuses { SecondCloseAll::Refuse4130 } else { SecondCloseAll::Accept },
            ..ExchangeConfig::default()
        }
    }
}

fn given(flag: &str, value: Option<&String>, variable: &str) -> Result<Option<String>, String> {
    match value {
        Some(value) if value.is_empty() => Err(format!("{flag} is empty; give a value or leave it out")),
        Some(value) => Ok(Some(value.clone())),
        None => match var(variable) {
            Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => {
                Err(format!("{variable} is not text; set another value or unset it"))
            }
        },
    }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "expected an address such as 127.0.0.1:8080".to_owned())?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err("not a loopback address; expected 127.0.0.1 or [::1] and a port".to_owned())
}

fn symbol(text: &str) -> Result<String, &'static str> {
    let fits =
        !text.is_empty() && !text.chars().any(|letter| letter.is_whitespace() || letter.is_lowercase());
    if fits { Ok(text.to_owned()) } else { Err("expected symbols in capitals, such as BTCUSDT,ETHUSDT") }
}

fn balance(text: &str) -> Result<Decimal, &'static str> {
    let balance: Decimal = text.parse().map_err(|_| "expected an amount in USDT, such as 10000")?;
    if balance.is_sign_negative() { Err("a balance must not be negative") } else { Ok(balance) }
}

/// The generated market has a past from 1990 on, of which charts show years.
fn start(text: &str) -> Result<Timestamp, &'static str> {
    const FIRST: Timestamp = Timestamp::from_ms(1_262_304_000_000);
    const LAST: Timestamp = Timestamp::from_ms(4_102_444_800_000);
    let expected = "expected a time from 2010 to 2100, such as 2026-01-05T00:00:00.000Z";
    text.parse().ok().filter(|at| (FIRST..LAST).contains(at)).ok_or(expected)
}

/// Lockstep needs a driver in the exchange's own process.
fn speed(text: &str) -> Result<f64, &'static str> {
    if text == "max" {
        return Err("max exists only inside a program that drives the market; give a number");
    }
    let range = 0.001..=100_000.0;
    text.parse().ok().filter(|speed| range.contains(speed)).ok_or("expected a number in 0.001..=100000")
}
