//! How a dry run is set up, and why it cannot begin.

use std::time::Duration;

use hedge_core::{Bps, BrokerError, Decimal, InstrumentId, Leverage, MarginMode};
use thiserror::Error;

use crate::venue::FeeRates;

/// How a simulated account trades.
#[derive(Clone, Debug)]
pub struct PaperConfig {
    /// What is paid for trading. A reader does not tell the account's own rates.
    pub fees: FeeRates,
    /// Distance of bid and ask from the mark while the venue's own are not known.
    pub half_spread: Bps,
    /// How long the last bid and ask count after the last book event, in the venue's time.
    pub quote_max_age: Duration,
    /// Whether bid and ask of every traded instrument are read from the venue, asked for or not.
    pub follow_book: bool,
    /// How the account's symbols are set, where that is known. Of others the first wish is taken for what is so already.
    pub settings: Vec<SymbolSetting>,
}

impl Default for PaperConfig {
    fn default() -> Self {
        Self {
            fees: FeeRates { maker: Decimal::new(2, 4), taker: Decimal::new(5, 4) },
            half_spread: Bps::new(Decimal::ONE).unwrap_or(Bps::ZERO),
            quote_max_age: Duration::from_secs(10),
            follow_book: true,
            settings: Vec::new(),
        }
    }
}

/// How an account has set a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolSetting {
    /// Which symbol.
    pub instrument: InstrumentId,
    /// Margin of its legs.
    pub margin: MarginMode,
    /// Leverage of its legs.
    pub leverage: Leverage,
}

/// Why a dry run cannot begin.
#[derive(Debug, Error)]
pub enum PaperError {
    /// The venue could not be read.
    #[error("the dry run cannot read {what}: {source}")]
    Read {
        /// What was read.
        what: &'static str,
        /// Why not.
        #[source]
        source: BrokerError,
    },
    /// The account kept changing while it was read.
    #[error(
        "positions of the account kept changing while they were read; start the dry run when nobody trades on it"
    )]
    Moving,
    /// Something that is held cannot be simulated.
    #[error("the dry run cannot take over {what}: {why}")]
    Unusable {
        /// What is held.
        what: String,
        /// Why it cannot be simulated.
        why: String,
    },
}
