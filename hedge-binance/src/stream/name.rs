//! Names of market streams, each with the route that it lives on. Source: fact sheet 1 (route table) and 8.2.

use std::fmt;

use hedge_core::{Interval, Symbol};

use super::routes::{Route, StreamKind, kind_of};

/// A market stream.
///
/// ```
/// use hedge_binance::stream::{DepthSpeed, Route, Stream};
/// use hedge_core::Symbol;
///
/// let symbol = Symbol::parse("ABCUSDT")?;
/// let depth = Stream::depth(symbol, DepthSpeed::Ms100);
/// assert_eq!((depth.as_str(), depth.route()), ("abcusdt@depth@100ms", Route::Public));
/// assert_eq!(Stream::mark_price(symbol).route(), Route::Market);
/// assert!(Stream::parse("ABCUSDT@depth").is_err(), "upper case connects and stays silent");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream(String);

/// A name that is no market stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stream {name:?} cannot be subscribed to: {why}")]
pub struct InvalidStream {
    /// The name.
    pub name: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// How often changes of a book are pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DepthSpeed {
    /// Ten times a second.
    Ms100,
    /// Four times a second.
    Ms250,
    /// Twice a second.
    Ms500,
}

impl DepthSpeed {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Ms100 => "@100ms",
            Self::Ms250 => "",
            Self::Ms500 => "@500ms",
        }
    }
}

/// How many levels the streams of the best prices have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DepthLevels {
    /// 5 a side.
    Five,
    /// 10 a side.
    Ten,
    /// 20 a side.
    Twenty,
}

impl DepthLevels {
    const fn count(self) -> u8 {
        match self {
            Self::Five => 5,
            Self::Ten => 10,
            Self::Twenty => 20,
        }
    }
}

/// Longest name that is passed on.
const LONGEST: usize = 120;

impl Stream {
    /// Checks a name that somebody wrote.
    ///
    /// # Errors
    /// [`InvalidStream`] for a name of no known kind, of the account, or with upper case before the `@`.
    pub fn parse(name: &str) -> Result<Self, InvalidStream> {
        let fail = |why| Err(InvalidStream { name: name.chars().take(LONGEST).collect(), why });
        if name.len() > LONGEST
            || name.chars().any(|c| c.is_whitespace() || c.is_control() || "/?&\"\\".contains(c))
        {
            return fail("it holds a character that no stream has");
        }
        let subject = name.split_once('@').map_or("", |(subject, _)| subject);
        if !subject.starts_with('!') && subject.chars().any(char::is_uppercase) {
            return fail("symbols are in lower case; in upper case it connects and stays silent");
        }
        match kind_of(name) {
            Some(kind) if kind.route != Route::Private => Ok(Self(name.to_owned())),
            Some(_) => fail("it is the account's"),
            None => fail("its kind is not in the route table"),
        }
    }

    fn of(symbol: Symbol, topic: &str) -> Self {
        Self(format!("{}@{topic}", symbol.as_str().to_lowercase()))
    }

    /// Fills of one taker order at one price.
    pub fn agg_trades(symbol: Symbol) -> Self {
        Self::of(symbol, "aggTrade")
    }

    /// Single fills. Not documented for futures.
    pub fn trades(symbol: Symbol) -> Self {
        Self::of(symbol, "trade")
    }

    /// Mark price and funding estimate, once a second.
    pub fn mark_price(symbol: Symbol) -> Self {
        Self::of(symbol, "markPrice@1s")
    }

    /// Mark prices of all symbols, once a second.
    pub fn all_mark_prices() -> Self {
        Self("!markPrice@arr@1s".to_owned())
    }

    /// Candles.
    pub fn klines(symbol: Symbol, interval: Interval) -> Self {
        Self::of(symbol, &format!("kline_{interval}"))
    }

    /// Candles of whatever perpetual of a pair is traded.
    pub fn continuous_klines(pair: Symbol, interval: Interval) -> Self {
        Self(format!("{}_perpetual@continuousKline_{interval}", pair.as_str().to_lowercase()))
    }

    /// Day statistics in short.
    pub fn mini_ticker(symbol: Symbol) -> Self {
        Self::of(symbol, "miniTicker")
    }

    /// Day statistics in short, of all symbols that changed.
    pub fn all_mini_tickers() -> Self {
        Self("!miniTicker@arr".to_owned())
    }

    /// Day statistics.
    pub fn ticker(symbol: Symbol) -> Self {
        Self::of(symbol, "ticker")
    }

    /// Day statistics of all symbols that changed.
    pub fn all_tickers() -> Self {
        Self("!ticker@arr".to_owned())
    }

    /// Best prices, each change.
    pub fn book_ticker(symbol: Symbol) -> Self {
        Self::of(symbol, "bookTicker")
    }

    /// Best prices of all symbols, every five seconds.
    pub fn all_book_tickers() -> Self {
        Self("!bookTicker".to_owned())
    }

    /// Changes of the book.
    pub fn depth(symbol: Symbol, speed: DepthSpeed) -> Self {
        Self::of(symbol, &format!("depth{}", speed.suffix()))
    }

    /// The best levels of the book, whole each time.
    pub fn partial_depth(symbol: Symbol, levels: DepthLevels, speed: DepthSpeed) -> Self {
        Self::of(symbol, &format!("depth{}{}", levels.count(), speed.suffix()))
    }

    /// Changes of the book with retail price improvement, twice a second.
    pub fn rpi_depth(symbol: Symbol) -> Self {
        Self::of(symbol, "rpiDepth@500ms")
    }

    /// The largest liquidation within each second.
    pub fn force_orders(symbol: Symbol) -> Self {
        Self::of(symbol, "forceOrder")
    }

    /// The largest liquidations within each second, of all symbols.
    pub fn all_force_orders() -> Self {
        Self("!forceOrder@arr".to_owned())
    }

    /// What an index symbol is made of.
    pub fn composite_index(symbol: Symbol) -> Self {
        Self::of(symbol, "compositeIndex")
    }

    /// Listings, delistings and new brackets of all symbols.
    pub fn contract_info() -> Self {
        Self("!contractInfo".to_owned())
    }

    /// What assets count in multi-assets mode.
    pub fn all_asset_indices() -> Self {
        Self("!assetIndex@arr".to_owned())
    }

    /// What one asset counts in multi-assets mode.
    pub fn asset_index(asset_pair: Symbol) -> Self {
        Self::of(asset_pair, "assetIndex")
    }

    /// Sessions of the markets behind equity and commodity perpetuals.
    pub fn trading_session() -> Self {
        Self("tradingSession".to_owned())
    }

    /// The name as it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The row of the route table; every stream has one.
    pub(super) fn kind(&self) -> Option<&'static StreamKind> {
        kind_of(&self.0)
    }

    /// Under which path it is served. On another path it is silent without an error.
    pub fn route(&self) -> Route {
        self.kind().map_or(Route::Market, |kind| kind.route)
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_of_the_route_table_can_be_named_and_is_on_its_route() {
        let symbol = Symbol::parse("ABCUSDT").unwrap();
        let public = [
            (Stream::book_ticker(symbol), "abcusdt@bookTicker"),
            (Stream::all_book_tickers(), "!bookTicker"),
            (Stream::depth(symbol, DepthSpeed::Ms250), "abcusdt@depth"),
            (Stream::depth(symbol, DepthSpeed::Ms500), "abcusdt@depth@500ms"),
            (Stream::partial_depth(symbol, DepthLevels::Twenty, DepthSpeed::Ms100), "abcusdt@depth20@100ms"),
            (Stream::partial_depth(symbol, DepthLevels::Five, DepthSpeed::Ms250), "abcusdt@depth5"),
            (Stream::rpi_depth(symbol), "abcusdt@rpiDepth@500ms"),
            (Stream::trades(symbol), "abcusdt@trade"),
        ];
        let market = [
            (Stream::agg_trades(symbol), "abcusdt@aggTrade"),
            (Stream::mark_price(symbol), "abcusdt@markPrice@1s"),
            (Stream::all_mark_prices(), "!markPrice@arr@1s"),
            (Stream::klines(symbol, Interval::M15), "abcusdt@kline_15m"),
            (Stream::continuous_klines(symbol, Interval::M1), "abcusdt_perpetual@continuousKline_1m"),
            (Stream::mini_ticker(symbol), "abcusdt@miniTicker"),
            (Stream::all_mini_tickers(), "!miniTicker@arr"),
            (Stream::ticker(symbol), "abcusdt@ticker"),
            (Stream::all_tickers(), "!ticker@arr"),
            (Stream::force_orders(symbol), "abcusdt@forceOrder"),
            (Stream::all_force_orders(), "!forceOrder@arr"),
            (Stream::composite_index(symbol), "abcusdt@compositeIndex"),
            (Stream::contract_info(), "!contractInfo"),
            (Stream::all_asset_indices(), "!assetIndex@arr"),
            (Stream::asset_index(symbol), "abcusdt@assetIndex"),
            (Stream::trading_session(), "tradingSession"),
        ];
        for (streams, route) in [(&public[..], Route::Public), (&market[..], Route::Market)] {
            for (stream, name) in streams {
                assert_eq!((stream.as_str(), stream.route()), (*name, route));
                assert_eq!(Stream::parse(name).as_ref(), Ok(stream));
            }
        }
    }

    #[test]
    fn a_name_that_would_be_silent_or_break_the_request_is_refused() {
        for name in ["ABCUSDT@aggTrade", "abcusdt@moon", "abcusdt@aggTrade/x@depth", "abc usdt@depth", ""] {
            assert!(Stream::parse(name).is_err(), "{name}");
        }
    }
}
