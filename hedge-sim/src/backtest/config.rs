//! How a backtest is set up, and why one cannot go on.

use hedge_core::{Leverage, Seq, Timestamp};
use rust_decimal::Decimal;
use thiserror::Error;

use crate::venue::{FeeRates, VenueConfig, VenueError};

/// How a backtest is set up.
#[derive(Clone, Debug)]
pub struct BacktestConfig {
    /// Wallet at the start. Units: USDT.
    pub balance_usdt: Decimal,
    /// Bar times before the first decision.
    pub history: usize,
    /// Leverage of each symbol, in the order of the data set.
    pub leverage: Vec<Leverage>,
    /// Fee rates; the exchange's default when absent.
    pub fees: Option<FeeRates>,
    /// The exchange's choices.
    pub venue: VenueConfig,
    /// Hash of the configuration, for the journal's first record.
    pub config_hash: String,
    /// Version of the code, for the journal's first record.
    pub code_version: String,
    /// The data's [`content_hash`](crate::market::DataSet::content_hash) where it is known already: whoever plays the same data many
    /// times computes it once. It is taken at its word.
    pub data_hash: Option<String>,
}

impl Default for BacktestConfig {
    fn default() -> Self {
        Self {
            balance_usdt: Decimal::from(10_000),
            history: 500,
            leverage: Vec::new(),
            fees: None,
            venue: VenueConfig::default(),
            config_hash: String::new(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            data_hash: None,
        }
    }
}

/// A backtest that cannot go on.
#[derive(Debug, Error)]
pub enum BacktestError {
    /// The data holds no bars to play.
    #[error("the data holds no bars to play; give a file or folder with klines")]
    NoBars,
    /// Rules and data do not fit.
    #[error("{0}")]
    Setup(String),
    /// The exchange refused a step of the market itself.
    #[error("the simulated exchange refused {doing}: {source}")]
    Venue {
        /// What was being done.
        doing: String,
        /// Why it refused.
        #[source]
        source: VenueError,
    },
    /// A recorded price is not on the instrument's grid.
    #[error(
        "{symbol} at {at}: price {price} is not on the tick grid {tick}; give --instruments with its rules"
    )]
    OffGrid {
        /// Which symbol.
        symbol: String,
        /// When.
        at: Timestamp,
        /// The price.
        price: Decimal,
        /// The grid.
        tick: Decimal,
    },
    /// A record cannot be written as text.
    #[error("journal record cannot be encoded: {0}")]
    Encode(#[from] serde_json::Error),
    /// A record was kept in a form in which it cannot be read any more. A defect: nothing after it may be trusted.
    #[error(
        "record {0} of the run cannot be read back; this is a defect, please report it with the run's command"
    )]
    Unreadable(Seq),
}
