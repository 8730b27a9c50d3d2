//! What a simulated exchange is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use hedge_core::Interval;
use rust_decimal::Decimal;

use super::clock::Pace;
use super::keys::PublicKey;
use super::sign::ApiKey;
use crate::market::DataSet;
use crate::venue::{InstrumentRules, SecondCloseAll};

/// Which of the venue's two environments is imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// The demo venue: 6000 weight per minute, everything also on the un-routed `/ws` and `/stream`.
    Demo,
    /// The main net: 2400 weight per minute, only the `/public` family on the un-routed URL, silence for the rest.
    Mainnet,
}

impl Environment {
    /// Request weight per minute and address. Source: fact sheet section 1 and 6.1.
    pub const fn weight_per_minute(self) -> u32 {
        match self {
            Self::Demo => 6_000,
            Self::Mainnet => 2_400,
        }
    }
}

impl Environment {
    /// A built-in instrument as this environment lists it: the demo venue has a finer BTCUSDT, lets more orders rest
    /// and takes further from mark. Limit and bound were seen on BTCUSDT; the other symbols are taken to be alike.
    /// Source: fact sheet section 1.
    pub(crate) fn adapted(self, mut rules: InstrumentRules) -> InstrumentRules {
        if self == Self::Demo {
            rules.max_num_orders = Some(10_000);
            rules.market_take_bound = Some(Decimal::new(30, 2));
            if rules.symbol == "BTCUSDT" {
                let step = Decimal::new(1, 4);
                (rules.lot.step, rules.lot.min) = (step, step);
                (rules.market_lot.step, rules.market_lot.min) = (step, step);
                rules.qty_precision = step.scale();
            }
        }
        rules
    }
}

/// Where the market comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum MarketSource {
    /// The seeded generator.
    Generated {
        /// Its seed; the same seed makes the same market, past and future.
        seed: u64,
        /// Symbols to list; empty means all that both the generator and the instruments have.
        symbols: Vec<String>,
        /// Length of the bars that a lockstep run goes by.
        bars: Interval,
    },
    /// Recorded klines in the public dump layout: a file, a folder of klines or a venue folder.
    Recorded {
        /// The file or folder.
        path: PathBuf,
        /// Symbols to play; empty means all that the data has.
        symbols: Vec<String>,
    },
    /// Recorded tick streams: a file or a folder. Not in lockstep.
    Ticks {
        /// Raw frames (`….jsonl`), or tables of best prices and of trades (`SYMBOL-….csv`), plain or compressed.
        path: PathBuf,
        /// Symbols to play; empty means all that are there.
        symbols: Vec<String>,
    },
    /// Bars already read.
    Data(Arc<DataSet>),
}

impl MarketSource {
    /// The generated market with all its symbols, in 15-minute bars where it goes bar by bar.
    pub const fn generated(seed: u64) -> Self {
        Self::Generated { seed, symbols: Vec::new(), bars: Interval::M15 }
    }
}

/// Where the rules of the instruments come from.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Instruments {
    /// The built-in table of the seven usual symbols, as the environment lists them.
    #[default]
    Builtin,
    /// An `exchangeInfo` answer in a file.
    File(PathBuf),
    /// Rules already read.
    Rules(Vec<InstrumentRules>),
}

/// Settings of one exchange.
#[derive(Debug, Clone)]
pub struct ExchangeConfig {
    /// Loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Which environment to imitate.
    pub environment: Environment,
    /// The account's API key.
    pub api_key: ApiKey,
    /// Further keys of the account, by which clients sign with private keys of their own.
    pub public_keys: Vec<PublicKey>,
    /// The instruments; those without a market are left out.
    pub instruments: Instruments,
    /// Wallet at the start. Units: USDT.
    pub balance_usdt: Decimal,
    /// The market.
    pub market: MarketSource,
    /// Bars before the start; the source's own default when absent.
    pub history_bars: Option<usize>,
    /// How the venue clock moves.
    pub pace: Pace,
    /// What a second close-all order of the same leg and direction meets. UNCONFIRMED at the real venue.
    pub second_close_all: SecondCloseAll,
    /// Whether a dead-man countdown that runs out cancels untriggered conditional orders too. UNCONFIRMED at the real venue.
    pub countdown_cancels_algos: bool,
    /// Where commands are logged before they are answered; nothing is kept when absent.
    pub log_path: Option<PathBuf>,
    /// Venue time at the start, milliseconds since 1970; wall time when absent.
    pub start_ms: Option<i64>,
}

impl Default for ExchangeConfig {
    /// Generated market with seed 1 at speed 1, 10,000 USDT, demo environment, a free loopback port, no log.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            environment: Environment::Demo,
            api_key: ApiKey::demo(),
            public_keys: Vec::new(),
            instruments: Instruments::Builtin,
            balance_usdt: Decimal::new(10_000, 0),
            market: MarketSource::generated(1),
            history_bars: None,
            pace: Pace::Speed(1.0),
            second_close_all: SecondCloseAll::Refuse4130,
            countdown_cancels_algos: false,
            log_path: None,
            start_ms: None,
        }
    }
}
