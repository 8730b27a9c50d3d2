//! Recorded ticks: best bid and ask, and public trades, in the order in which they came.

use hedge_core::{Symbol, Timestamp};
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::error::MarketError;

/// What a tick stream said. Prices and quantities are scaled integers, see [`TickSeries`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickKind {
    /// Best bid and ask.
    Quote {
        /// Best bid, scaled.
        bid: i64,
        /// Quantity there, scaled.
        bid_qty: i64,
        /// Best ask, scaled; above the bid.
        ask: i64,
        /// Quantity there, scaled.
        ask_qty: i64,
    },
    /// A public trade.
    Print {
        /// Its price, scaled.
        price: i64,
        /// Its quantity, scaled.
        qty: i64,
        /// Whether the seller aggressed: the buyer had rested.
        seller_aggressed: bool,
    },
}

/// One message of a tick stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The venue's time. Units: milliseconds since 1970.
    pub at_ms: i64,
    /// What was said.
    pub kind: TickKind,
}

/// The ticks of one symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TickSeries {
    /// Which symbol.
    pub symbol: Symbol,
    /// Decimal places of prices.
    pub price_scale: u8,
    /// Decimal places of quantities.
    pub qty_scale: u8,
    /// In the order in which they are played; times never decrease.
    pub ticks: Vec<Tick>,
    /// Names of the files they come from.
    pub sources: Vec<String>,
}

impl TickSeries {
    /// A scaled price as a decimal.
    pub fn price(&self, mantissa: i64) -> Decimal {
        Decimal::new(mantissa, u32::from(self.price_scale))
    }
    /// The first price that is told.
    pub(crate) fn first_price(&self) -> Option<i64> {
        self.ticks.first().map(|tick| match tick.kind {
            TickKind::Quote { bid, .. } => bid,
            TickKind::Print { price, .. } => price,
        })
    }

    fn check(&self) -> Result<(), MarketError> {
        let file = || self.sources.first().cloned().unwrap_or_else(|| self.symbol.to_string());
        if self.price_scale > 18 || self.qty_scale > 18 {
            return Err(MarketError::file(file(), "prices or quantities have more than 18 decimal places"));
        }
        let mut last_ms = i64::MIN;
        for (at, tick) in self.ticks.iter().enumerate() {
            let expected = match tick.kind {
                _ if tick.at_ms < last_ms => "a time that is not before the tick before it",
                TickKind::Quote { bid, ask, .. } if bid <= 0 || ask <= bid => "0 < bid < ask",
                TickKind::Quote { bid_qty, ask_qty, .. } if bid_qty <= 0 || ask_qty <= 0 => {
                    "quantities above 0"
                }
                TickKind::Print { price, qty, .. } if price <= 0 || qty <= 0 => "price and quantity above 0",
                _ => {
                    last_ms = tick.at_ms;
                    continue;
                }
            };
            let time = Timestamp::from_ms(tick.at_ms);
            let problem = format!("tick {} of {} at {time}: expected {expected}", at + 1, self.symbol);
            return Err(MarketError::file(file(), problem));
        }
        Ok(())
    }
}

/// Ticks of several symbols, each with at least one; symbols are numbered in their order here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TickSet {
    series: Vec<TickSeries>,
}

impl TickSet {
    /// Checks times and prices. Errors: [`MarketError`] naming the first tick that cannot be, a symbol that is there
    /// twice, or one without ticks.
    pub fn new(series: Vec<TickSeries>) -> Result<Self, MarketError> {
        for (at, one) in series.iter().enumerate() {
            if series[..at].iter().any(|other| other.symbol == one.symbol) {
                return Err(MarketError::Selection(format!("{} has two series of ticks", one.symbol)));
            }
            if one.ticks.is_empty() {
                return Err(MarketError::Selection(format!("{} has no ticks", one.symbol)));
            }
            one.check()?;
        }
        if series.is_empty() {
            return Err(MarketError::Selection(
                "no ticks were given; name a file or folder with some".to_owned(),
            ));
        }
        Ok(Self { series })
    }
    /// All series.
    pub fn series(&self) -> &[TickSeries] {
        &self.series
    }
    /// The symbols in the order of their indices.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol> {
        self.series.iter().map(|series| series.symbol)
    }
    /// How many ticks there are, of all symbols together.
    pub fn len(&self) -> usize {
        self.series.iter().map(|series| series.ticks.len()).sum()
    }
    /// Never: a set without ticks cannot be made.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Time of the first tick. Units: milliseconds since 1970.
    pub fn start_ms(&self) -> i64 {
        self.series.iter().filter_map(|series| Some(series.ticks.first()?.at_ms)).min().unwrap_or(0)
    }
    /// SHA-256 over the content in hex, wherever it came from.
    pub fn content_hash(&self) -> String {
        let mut hash = Sha256::new();
        hash.update("hedge ticks 1\n");
        for series in &self.series {
            let scales = (series.price_scale, series.qty_scale);
            hash.update(format!("{} {scales:?} {}\n", series.symbol, series.ticks.len()));
            for tick in &series.ticks {
                let (mark, fields) = match tick.kind {
                    TickKind::Quote { bid, bid_qty, ask, ask_qty } => (b'Q', [bid, bid_qty, ask, ask_qty]),
                    TickKind::Print { price, qty, seller_aggressed } => {
                        (b'T', [price, qty, i64::from(seller_aggressed), 0])
                    }
                };
                hash.update([mark]);
                hash.update(tick.at_ms.to_le_bytes());
                for field in fields {
                    hash.update(field.to_le_bytes());
                }
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ticks: &[Tick]) -> Result<TickSet, MarketError> {
        let symbol = Symbol::parse("BTCUSDT").unwrap();
        let sources = vec!["made up".to_owned()];
        TickSet::new(vec![TickSeries {
            symbol,
            price_scale: 1,
            qty_scale: 3,
            ticks: ticks.to_vec(),
            sources,
        }])
    }
    fn quote(at_ms: i64, bid: i64, ask: i64) -> Tick {
        Tick { at_ms, kind: TickKind::Quote { bid, bid_qty: 1, ask, ask_qty: 1 } }
    }

    #[test]
    fn ticks_that_cannot_be_are_refused_by_number() {
        let print = |price, qty| TickKind::Print { price, qty, seller_aggressed: true };
        let good = quote(10, 100, 101);
        for (bad, said) in [
            (quote(9, 100, 101), "not before"),
            (quote(10, 101, 101), "bid < ask"),
            (quote(10, 0, 101), "bid < ask"),
            (Tick { at_ms: 11, kind: print(0, 1) }, "above 0"),
            (Tick { at_ms: 11, kind: print(1, 0) }, "above 0"),
        ] {
            let error = set(&[good, bad]).unwrap_err().to_string();
            assert!(error.contains("tick 2 of BTCUSDT") && error.contains(said), "{error}");
        }
        assert_eq!(set(&[good, quote(10, 99, 101)]).unwrap().len(), 2);
        assert!(set(&[]).unwrap_err().to_string().contains("BTCUSDT has no ticks"));
        assert!(TickSet::new(Vec::new()).is_err());
    }

    #[test]
    fn the_content_hash_knows_every_field() {
        let hashes = [quote(10, 100, 101), quote(11, 100, 101), quote(10, 99, 101), quote(10, 100, 102)]
            .map(|tick| set(&[tick]).unwrap().content_hash());
        for (at, hash) in hashes.iter().enumerate() {
            assert!(hash.len() == 64 && !hashes[..at].contains(hash));
        }
    }
}
