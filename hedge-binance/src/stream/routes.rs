//! Which stream lives under which path. A stream on the wrong route is silent without an error.
//!
//! Source: Binance USD-M docs, WebSocket change notice of March 2026; fact sheet 1 and 8.2.

use std::time::Duration;

/// Path prefix of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// Book data.
    Public,
    /// All other market data.
    Market,
    /// The account.
    Private,
}

impl Route {
    /// The prefix.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Public => "/public",
            Self::Market => "/market",
            Self::Private => "/private",
        }
    }
}

/// One kind of stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamKind {
    /// How its topic begins: what follows `<symbol>@` or `!`.
    pub topic: &'static str,
    /// Where it lives.
    pub route: Route,
    /// How often it speaks, where it always does. Others may rest for long without anything being wrong.
    pub nominal: Option<Duration>,
}

const fn row(topic: &'static str, route: Route, nominal_ms: Option<u64>) -> StreamKind {
    StreamKind {
        topic,
        route,
        nominal: match nominal_ms {
            Some(ms) => Some(Duration::from_millis(ms)),
            None => None,
        },
    }
}

/// The table. Of several rows that fit, the longest topic counts.
pub const STREAMS: &[StreamKind] = &[
    row("bookTicker", Route::Public, None),
    row("depth", Route::Public, None),
    row("rpiDepth", Route::Public, None),
    // UNCONFIRMED: undocumented here, and one library puts it under /market. Nothing depends on it.
    row("trade", Route::Public, None),
    row("aggTrade", Route::Market, None),
    row("markPrice", Route::Market, Some(3_000)),
    row("markPrice@1s", Route::Market, Some(1_000)),
    row("markPrice@arr", Route::Market, Some(3_000)),
    row("markPrice@arr@1s", Route::Market, Some(1_000)),
    row("kline_", Route::Market, None),
    row("continuousKline_", Route::Market, None),
    row("miniTicker", Route::Market, None),
    row("ticker", Route::Market, None),
    row("forceOrder", Route::Market, None),
    row("compositeIndex", Route::Market, None),
    row("contractInfo", Route::Market, None),
    row("assetIndex", Route::Market, None),
    row("tradingSession", Route::Market, None),
];

/// The row of a stream name such as `btcusdt@markPrice@1s` or `!bookTicker`; `None` for a name that the table lacks.
pub fn kind_of(stream: &str) -> Option<&'static StreamKind> {
    let topic = match stream.strip_prefix('!') {
        Some(topic) => topic,
        None => stream.split_once('@').map_or(stream, |(_, topic)| topic),
    };
    STREAMS.iter().filter(|kind| topic.starts_with(kind.topic)).max_by_key(|kind| kind.topic.len())
}

impl StreamKind {
    /// How long this stream may be silent: five times its interval, 15 s at least (fact sheet 8.1).
    pub fn silence_limit(&self) -> Option<Duration> {
        self.nominal.map(|nominal| (nominal * 5).max(Duration::from_secs(15)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(stream: &str) -> Option<Route> {
        kind_of(stream).map(|kind| kind.route)
    }

    #[test]
    fn every_documented_stream_has_its_route() {
        for stream in [
            "btcusdt@bookTicker",
            "!bookTicker",
            "btcusdt@depth",
            "btcusdt@depth@100ms",
            "btcusdt@depth20@500ms",
            "btcusdt@rpiDepth@500ms",
        ] {
            assert_eq!(route(stream), Some(Route::Public), "{stream}");
        }
        for stream in [
            "btcusdt@aggTrade",
            "btcusdt@markPrice@1s",
            "!markPrice@arr",
            "btcusdt@kline_15m",
            "btcusdt_perpetual@continuousKline_1m",
            "!miniTicker@arr",
            "btcusdt@ticker",
            "!forceOrder@arr",
            "!contractInfo",
            "btcusd@assetIndex",
            "tradingSession",
        ] {
            assert_eq!(route(stream), Some(Route::Market), "{stream}");
        }
        assert_eq!(route("btcusdt@nonsense"), None);
    }

    #[test]
    fn mark_prices_may_be_silent_for_fifteen_seconds_and_klines_for_long() {
        let limit = |stream| kind_of(stream).and_then(StreamKind::silence_limit);
        assert_eq!(limit("btcusdt@markPrice@1s"), Some(Duration::from_secs(15)));
        assert_eq!(limit("btcusdt@markPrice"), Some(Duration::from_secs(15)));
        assert_eq!(limit("btcusdt@kline_15m"), None);
    }
}
