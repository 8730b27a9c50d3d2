//! Stream names, and which route serves which stream.
//!
//! Source: fact sheet section 1 (route table) and 8.1 (names are lower case; upper case connects but stays silent).

use super::composite::COMPOSITE;
use super::config::Environment;
use crate::market::KlineInterval;

/// The URL prefix a socket was opened under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/public`: book data.
    Public,
    /// `/market`: every other market stream.
    Market,
    /// `/private`: user data.
    Private,
    /// The WS-API: no streams at all.
    Api,
    /// No prefix: everything on the demo venue, the public family only on the main net.
    Bare,
}

/// One market stream; the symbol is an index into the venue's symbol list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    BookTicker(u16),
    AllBookTickers,
    Depth(u16, DepthPace),
    /// The diff stream with RPI orders in it, every 500 ms. Nobody places any here.
    RpiDepth(u16),
    TopLevels(u16, u8, DepthPace),
    AggTrade(u16),
    Trade(u16),
    /// `true`: once per second, else every three.
    Mark(u16, bool),
    AllMarks(bool),
    Kline(u16, KlineInterval),
    ContinuousKline(u16, KlineInterval),
    MiniTicker(u16),
    AllMiniTickers,
    Ticker(u16),
    AllTickers,
    Liquidation(u16),
    AllLiquidations,
    ContractInfo,
    AssetIndex(AssetRef),
    AllAssetIndices,
    CompositeIndex,
    TradingSession,
}

/// An asset whose index is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AssetRef {
    /// The coin of the symbol at that position.
    Coin(u16),
    /// A margin asset, by its place in [`MARGIN_ASSETS`].
    Margin(u8),
}

/// Assets that margin is held in. Longer names come before those they begin with.
const MARGIN_ASSETS: [&str; 6] = ["FDUSD", "USDT", "USDC", "BUSD", "USD1", "BNFCR"];

impl AssetRef {
    pub(crate) fn margin(asset: &str) -> Option<Self> {
        let at = MARGIN_ASSETS.iter().position(|known| *known == asset)?;
        u8::try_from(at).ok().map(Self::Margin)
    }

    /// The asset of `btcusd` or `usdtusd`.
    fn parse(name: &str, symbols: &[String]) -> Option<Self> {
        let asset = name.to_uppercase();
        let asset = asset.strip_suffix("USD").filter(|_| !name.chars().any(char::is_uppercase))?;
        let is_coin = |symbol: &String| coin_of(symbol) == Some(asset);
        let coin = || symbols.iter().position(is_coin).and_then(|ix| u16::try_from(ix).ok());
        Self::margin(asset).or_else(|| coin().map(Self::Coin))
    }

    fn name(self, symbols: &[String]) -> String {
        let asset = match self {
            Self::Coin(ix) => symbols.get(usize::from(ix)).and_then(|symbol| coin_of(symbol)),
            Self::Margin(at) => MARGIN_ASSETS.get(usize::from(at)).copied(),
        };
        format!("{}usd@assetIndex", asset.unwrap_or_default().to_lowercase())
    }
}

/// The coin in a symbol's name.
fn coin_of(symbol: &str) -> Option<&str> {
    MARGIN_ASSETS.iter().find_map(|asset| symbol.strip_suffix(asset))
}

/// How often a depth stream pushes. Source: fact sheet 8.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DepthPace {
    Ms100,
    Ms250,
    Ms500,
}

impl DepthPace {
    pub(crate) const ALL: [Self; 3] = [Self::Ms100, Self::Ms250, Self::Ms500];

    pub(crate) const fn wall_ms(self) -> u64 {
        match self {
            Self::Ms100 => 100,
            Self::Ms250 => 250,
            Self::Ms500 => 500,
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            Self::Ms100 => "@100ms",
            Self::Ms250 => "",
            Self::Ms500 => "@500ms",
        }
    }

    fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None | Some("250ms") => Some(Self::Ms250),
            Some("100ms") => Some(Self::Ms100),
            Some("500ms") => Some(Self::Ms500),
            Some(_) => None,
        }
    }
}

impl Topic {
    /// The stream of that name; `None` for a name or symbol this venue does not have. `symbols` are upper case.
    pub(crate) fn parse(name: &str, symbols: &[String]) -> Option<Self> {
        match name {
            "!bookTicker" => return Some(Self::AllBookTickers),
            "!markPrice@arr" => return Some(Self::AllMarks(false)),
            "!markPrice@arr@1s" => return Some(Self::AllMarks(true)),
            "!miniTicker@arr" => return Some(Self::AllMiniTickers),
            "!ticker@arr" => return Some(Self::AllTickers),
            "!forceOrder@arr" => return Some(Self::AllLiquidations),
            "!contractInfo" => return Some(Self::ContractInfo),
            "!assetIndex@arr" => return Some(Self::AllAssetIndices),
            "tradingSession" => return Some(Self::TradingSession),
            _ => {}
        }
        let (symbol, kind) = name.split_once('@')?;
        if symbol.chars().any(char::is_uppercase) {
            return None;
        }
        match kind {
            "assetIndex" => return AssetRef::parse(symbol, symbols).map(Self::AssetIndex),
            "compositeIndex" => {
                return (symbol == COMPOSITE.to_lowercase()).then_some(Self::CompositeIndex);
            }
            _ => {}
        }
        let pair = symbol.strip_suffix("_perpetual");
        let upper = pair.unwrap_or(symbol).to_uppercase();
        let ix = u16::try_from(symbols.iter().position(|known| *known == upper)?).ok()?;
        let (kind, pace) = kind.split_once('@').map_or((kind, None), |(kind, pace)| (kind, Some(pace)));
        if pair.is_some() {
            let interval = kind.strip_prefix("continuousKline_").filter(|_| pace.is_none())?;
            return Some(Self::ContinuousKline(ix, KlineInterval::parse(interval)?));
        }
        match (kind, pace) {
            ("bookTicker", None) => Some(Self::BookTicker(ix)),
            ("aggTrade", None) => Some(Self::AggTrade(ix)),
            ("trade", None) => Some(Self::Trade(ix)),
            ("markPrice", None) => Some(Self::Mark(ix, false)),
            ("markPrice", Some("1s")) => Some(Self::Mark(ix, true)),
            ("miniTicker", None) => Some(Self::MiniTicker(ix)),
            ("ticker", None) => Some(Self::Ticker(ix)),
            ("forceOrder", None) => Some(Self::Liquidation(ix)),
            ("rpiDepth", Some("500ms")) => Some(Self::RpiDepth(ix)),
            ("depth", _) => Some(Self::Depth(ix, DepthPace::parse(pace)?)),
            ("depth5", _) => Some(Self::TopLevels(ix, 5, DepthPace::parse(pace)?)),
            ("depth10", _) => Some(Self::TopLevels(ix, 10, DepthPace::parse(pace)?)),
            ("depth20", _) => Some(Self::TopLevels(ix, 20, DepthPace::parse(pace)?)),
            (other, None) => Some(Self::Kline(ix, KlineInterval::parse(other.strip_prefix("kline_")?)?)),
            _ => None,
        }
    }

    /// The name that combined pushes carry.
    pub(crate) fn name(self, symbols: &[String]) -> String {
        let of =
            |ix: u16| symbols.get(usize::from(ix)).map(|symbol| symbol.to_lowercase()).unwrap_or_default();
        let second = |fast: bool| if fast { "@1s" } else { "" };
        match self {
            Self::BookTicker(ix) => format!("{}@bookTicker", of(ix)),
            Self::AllBookTickers => "!bookTicker".to_owned(),
            Self::Depth(ix, pace) => format!("{}@depth{}", of(ix), pace.suffix()),
            Self::RpiDepth(ix) => format!("{}@rpiDepth@500ms", of(ix)),
            Self::TopLevels(ix, levels, pace) => format!("{}@depth{levels}{}", of(ix), pace.suffix()),
            Self::AggTrade(ix) => format!("{}@aggTrade", of(ix)),
            Self::Trade(ix) => format!("{}@trade", of(ix)),
            Self::Mark(ix, fast) => format!("{}@markPrice{}", of(ix), second(fast)),
            Self::AllMarks(fast) => format!("!markPrice@arr{}", second(fast)),
            Self::ContinuousKline(ix, interval) => {
                format!("{}_perpetual@continuousKline_{}", of(ix), interval.as_str())
            }
            Self::Kline(ix, interval) => format!("{}@kline_{}", of(ix), interval.as_str()),
            Self::MiniTicker(ix) => format!("{}@miniTicker", of(ix)),
            Self::AllMiniTickers => "!miniTicker@arr".to_owned(),
            Self::Ticker(ix) => format!("{}@ticker", of(ix)),
            Self::AllTickers => "!ticker@arr".to_owned(),
            Self::Liquidation(ix) => format!("{}@forceOrder", of(ix)),
            Self::AllLiquidations => "!forceOrder@arr".to_owned(),
            Self::ContractInfo => "!contractInfo".to_owned(),
            Self::AssetIndex(asset) => asset.name(symbols),
            Self::AllAssetIndices => "!assetIndex@arr".to_owned(),
            Self::CompositeIndex => format!("{}@compositeIndex", COMPOSITE.to_lowercase()),
            Self::TradingSession => "tradingSession".to_owned(),
        }
    }

    /// Whether a socket opened under `route` gets this stream; otherwise it stays silent, without an error.
    pub(crate) fn served_on(self, route: Route, environment: Environment) -> bool {
        match (route, environment) {
            (Route::Private | Route::Api, _) => false,
            (Route::Bare, Environment::Demo) => true,
            // One client library has `trade` under /public, another under /market; which is right is UNCONFIRMED.
            (Route::Public | Route::Bare, _) => self.is_book_data() || matches!(self, Self::Trade(_)),
            (Route::Market, _) => !self.is_book_data(),
        }
    }

    const fn is_book_data(self) -> bool {
        matches!(
            self,
            Self::BookTicker(_)
                | Self::AllBookTickers
                | Self::Depth(..)
                | Self::RpiDepth(_)
                | Self::TopLevels(..)
        )
    }
}

impl Route {
    /// Whether user data is served here.
    pub(crate) fn serves_user_data(self, environment: Environment) -> bool {
        self == Self::Private || (self == Self::Bare && environment == Environment::Demo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols() -> Vec<String> {
        vec!["BTCUSDT".to_owned(), "ETHUSDT".to_owned()]
    }

    const NAMES: [&str; 32] = [
        "!assetIndex@arr",
        "btcusd@assetIndex",
        "usdtusd@assetIndex",
        "allusdt@compositeIndex",
        "tradingSession",
        "ethusdt@rpiDepth@500ms",
        "ethusdt_perpetual@continuousKline_1h",
        "ethusdt@bookTicker",
        "!bookTicker",
        "ethusdt@depth",
        "ethusdt@depth@100ms",
        "ethusdt@depth@500ms",
        "ethusdt@depth5",
        "ethusdt@depth10@100ms",
        "ethusdt@depth20@500ms",
        "ethusdt@aggTrade",
        "ethusdt@trade",
        "ethusdt@markPrice",
        "ethusdt@markPrice@1s",
        "!markPrice@arr",
        "!markPrice@arr@1s",
        "ethusdt@kline_1m",
        "ethusdt@kline_1M",
        "ethusdt@kline_1w",
        "ethusdt@miniTicker",
        "!miniTicker@arr",
        "ethusdt@ticker",
        "!ticker@arr",
        "ethusdt@forceOrder",
        "!forceOrder@arr",
        "!contractInfo",
        "btcusdt@kline_15m",
    ];

    #[test]
    fn every_stream_name_survives_parsing_and_printing() {
        for name in NAMES {
            let topic = Topic::parse(name, &symbols()).unwrap_or_else(|| panic!("{name} is not understood"));
            assert_eq!(topic.name(&symbols()), name);
        }
    }

    #[test]
    fn upper_case_and_unknown_names_are_no_streams() {
        for name in
            ["ETHUSDT@bookTicker", "dogeusdt@trade", "ethusdt@kline_2m", "ethusdt@depth7", "ethusdt", ""]
        {
            assert_eq!(Topic::parse(name, &symbols()), None, "{name}");
        }
    }

    #[test]
    fn a_stream_is_silent_on_the_wrong_route() {
        let served = |name: &str, route, environment| {
            Topic::parse(name, &symbols()).is_some_and(|topic| topic.served_on(route, environment))
        };
        use Environment::{Demo, Mainnet};
        assert!(served("ethusdt@depth", Route::Public, Mainnet));
        assert!(!served("ethusdt@depth", Route::Market, Demo));
        assert!(served("ethusdt@kline_1m", Route::Market, Mainnet));
        assert!(!served("ethusdt@kline_1m", Route::Public, Demo));
        assert!(!served("ethusdt@kline_1m", Route::Bare, Mainnet));
        assert!(served("ethusdt@kline_1m", Route::Bare, Demo));
        assert!(served("ethusdt@bookTicker", Route::Bare, Mainnet));
        assert!(!served("ethusdt@bookTicker", Route::Private, Demo));
    }
}
