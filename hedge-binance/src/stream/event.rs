//! What market streams say, typed.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{
    decode::{self, DecodeError},
    wire::event::{
        AggTradeEvent, AssetIndexEvent, BookTickerEvent, CompositeIndexEvent, ContinuousKlineEvent,
        ContractInfoEvent, DepthEvent, ForceOrderEvent, Kind, KlineEvent, MarkPriceEvent, MiniTickerEvent,
        TickerEvent, TradeEvent, TradingSessionEvent,
    },
};

/// One event of a market stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// Fills of one taker order at one price.
    AggTrade(AggTradeEvent),
    /// A single fill.
    Trade(TradeEvent),
    /// Mark price and funding estimate.
    MarkPrice(MarkPriceEvent),
    /// A candle, running or closed.
    Kline(KlineEvent),
    /// A candle of a pair's perpetual.
    ContinuousKline(ContinuousKlineEvent),
    /// Day statistics in short.
    MiniTicker(MiniTickerEvent),
    /// Day statistics.
    Ticker(TickerEvent),
    /// Best prices.
    BookTicker(BookTickerEvent),
    /// Changes of the book.
    Depth(DepthEvent),
    /// The best levels of the book.
    PartialDepth(DepthEvent),
    /// Changes of the book with retail price improvement.
    RpiDepth(DepthEvent),
    /// A liquidation of somebody.
    ForceOrder(ForceOrderEvent),
    /// What an index symbol is made of.
    CompositeIndex(CompositeIndexEvent),
    /// A listing, a delisting, or new brackets.
    ContractInfo(ContractInfoEvent),
    /// What an asset counts in multi-assets mode.
    AssetIndex(AssetIndexEvent),
    /// A session of the market behind a perpetual.
    TradingSession(TradingSessionEvent),
    /// A kind that this version does not know.
    Unknown {
        /// The venue's name of it.
        name: String,
    },
}

/// USD-M in the field that tells it from COIN-M, which shares the streams since June 2026 (fact sheet 0.1, row 6).
const USD_M: i64 = 1;

/// Events that say of which market they are.
trait OfMarket {
    fn market(&self) -> Option<i64>;
}

macro_rules! of_market {
    ($($event:ty),+) => { $(impl OfMarket for $event {
        fn market(&self) -> Option<i64> { self.market_type }
    })+ };
}
of_market!(
    AggTradeEvent,
    TradeEvent,
    MarkPriceEvent,
    KlineEvent,
    ContinuousKlineEvent,
    MiniTickerEvent,
    TickerEvent,
    BookTickerEvent,
    DepthEvent,
    ForceOrderEvent,
    CompositeIndexEvent,
    ContractInfoEvent,
    AssetIndexEvent
);
impl OfMarket for TradingSessionEvent {
    fn market(&self) -> Option<i64> {
        None
    }
}

/// Reads the data of a frame: one event, or an array of them. Events of COIN-M are left out.
///
/// # Errors
/// A documented event that cannot be read.
pub fn market_events(stream: &str, data: &str) -> Result<Vec<StreamEvent>, DecodeError> {
    if data.trim_start().starts_with('[') {
        let rows: Vec<&RawValue> =
            serde_json::from_str(data).map_err(|error| decode::err("events", error))?;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            events.extend(one(stream, row.get())?);
        }
        return Ok(events);
    }
    Ok(one(stream, data)?.into_iter().collect())
}

fn one(stream: &str, data: &str) -> Result<Option<StreamEvent>, DecodeError> {
    let kind: Kind<'_> = serde_json::from_str(data).map_err(|error| decode::err("event", error))?;
    let topic = stream.split_once('@').map_or(stream, |(_, topic)| topic);
    match &*kind.name {
        "aggTrade" => read("aggTrade", data, StreamEvent::AggTrade),
        "trade" => read("trade", data, StreamEvent::Trade),
        "markPriceUpdate" => read("markPrice", data, StreamEvent::MarkPrice),
        "kline" => read("kline", data, StreamEvent::Kline),
        "continuous_kline" => read("continuousKline", data, StreamEvent::ContinuousKline),
        "24hrMiniTicker" => read("miniTicker", data, StreamEvent::MiniTicker),
        "24hrTicker" => read("ticker", data, StreamEvent::Ticker),
        "bookTicker" => read("bookTicker", data, StreamEvent::BookTicker),
        "depthUpdate" if topic.starts_with("rpiDepth") => read("rpiDepth", data, StreamEvent::RpiDepth),
        "depthUpdate" if has_levels(topic) => read("depth", data, StreamEvent::PartialDepth),
        "depthUpdate" => read("depth", data, StreamEvent::Depth),
        "forceOrder" => read("forceOrder", data, StreamEvent::ForceOrder),
        "compositeIndex" => read("compositeIndex", data, StreamEvent::CompositeIndex),
        "contractInfo" => read("contractInfo", data, StreamEvent::ContractInfo),
        "assetIndexUpdate" => read("assetIndex", data, StreamEvent::AssetIndex),
        "EquityUpdate" | "CommodityUpdate" | "tradingSession" => {
            read("tradingSession", data, StreamEvent::TradingSession)
        }
        other => Ok(Some(StreamEvent::Unknown { name: other.chars().take(64).collect() })),
    }
}

/// `depth5`, `depth10` and `depth20` are snapshots of the best levels.
fn has_levels(topic: &str) -> bool {
    topic.strip_prefix("depth").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn read<T: DeserializeOwned + OfMarket>(
    what: &'static str,
    data: &str,
    event: fn(T) -> StreamEvent,
) -> Result<Option<StreamEvent>, DecodeError> {
    let read: T = serde_json::from_str(data).map_err(|error| decode::err(what, error))?;
    Ok(read.market().is_none_or(|market| market == USD_M).then(|| event(read)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPTH: &str =
        r#"{"e":"depthUpdate","E":1,"T":1,"s":"ABCUSDT","U":1,"u":2,"pu":0,"b":[["1","2"]],"a":[]}"#;
    const MARK: &str =
        r#"{"e":"markPriceUpdate","E":1,"s":"ABCUSDT","p":"1.2","i":"1.2","P":"1.2","r":"","T":0,"st":1}"#;

    #[test]
    fn one_name_of_three_kinds_of_depth_is_told_apart_by_the_stream() {
        let kind = |stream: &str| market_events(stream, DEPTH).unwrap().remove(0);
        assert!(matches!(kind("abcusdt@depth@100ms"), StreamEvent::Depth(_)));
        assert!(matches!(kind("abcusdt@depth"), StreamEvent::Depth(_)));
        assert!(matches!(kind("abcusdt@depth20@500ms"), StreamEvent::PartialDepth(_)));
        assert!(matches!(kind("abcusdt@rpiDepth@500ms"), StreamEvent::RpiDepth(_)));
    }

    #[test]
    fn an_array_gives_its_elements_and_those_of_coin_m_are_left_out() {
        let coin = MARK.replace("\"st\":1", "\"st\":2");
        let old = MARK.replace(",\"st\":1", "");
        let events = market_events("!markPrice@arr@1s", &format!("[{MARK},{coin},{old}]")).unwrap();
        assert_eq!(events.len(), 2, "a message without the field is from before the merge");
    }

    #[test]
    fn an_unknown_kind_is_named_and_a_damaged_one_is_an_error() {
        let events = market_events("x", r#"{"e":"moonPhase","E":1}"#).unwrap();
        assert_eq!(events, [StreamEvent::Unknown { name: "moonPhase".to_owned() }]);
        assert!(market_events("abcusdt@aggTrade", r#"{"e":"aggTrade","E":1}"#).is_err());
    }
}
