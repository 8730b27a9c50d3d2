//! What the reader gives: borrowed texts, exact numbers.

use rust_decimal::Decimal;

use crate::wire::event::{AggTradeEvent, BookTickerEvent, KlineEvent, MarkPriceEvent};

/// A message of a combined connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Which stream.
    pub stream: &'a str,
    /// Its event.
    pub event: Hot<'a>,
}

/// An event that is read the fast way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hot<'a> {
    /// `bookTicker`.
    BookTicker(BookTicker<'a>),
    /// `aggTrade`.
    AggTrade(AggTrade<'a>),
    /// `markPriceUpdate`.
    MarkPrice(MarkPrice<'a>),
    /// `kline`.
    Kline(Kline<'a>),
}

/// Best bid and ask. Prices in quote, quantities in base units, times in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookTicker<'a> {
    /// Symbol.
    pub symbol: &'a str,
    /// Update id.
    pub update_id: i64,
    /// Pushed at.
    pub event_time: i64,
    /// Of the matching engine.
    pub transaction_time: i64,
    /// Best bid.
    pub bid: Decimal,
    /// Quantity there.
    pub bid_qty: Decimal,
    /// Best ask.
    pub ask: Decimal,
    /// Quantity there.
    pub ask_qty: Decimal,
}

/// Trades of one taker at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggTrade<'a> {
    /// Symbol.
    pub symbol: &'a str,
    /// Aggregate id.
    pub id: i64,
    /// First trade in it.
    pub first_trade: i64,
    /// Last trade in it.
    pub last_trade: i64,
    /// Pushed at.
    pub event_time: i64,
    /// Traded at.
    pub trade_time: i64,
    /// Price.
    pub price: Decimal,
    /// Quantity.
    pub qty: Decimal,
    /// Whether the buyer rested, so that the seller aggressed.
    pub buyer_is_maker: bool,
}

/// Mark price and funding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkPrice<'a> {
    /// Symbol.
    pub symbol: &'a str,
    /// Pushed at.
    pub event_time: i64,
    /// Mark price; 0 while the symbol does not trade.
    pub mark: Decimal,
    /// Index price.
    pub index: Decimal,
    /// Running estimate of the next funding rate, a fraction; none on dated contracts.
    pub funding_rate: Option<Decimal>,
    /// Next settlement; none or 0 on dated contracts.
    pub next_funding: Option<i64>,
}

/// A candle, closed or running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kline<'a> {
    /// Symbol.
    pub symbol: &'a str,
    /// Interval in the venue's spelling.
    pub interval: &'a str,
    /// Pushed at.
    pub event_time: i64,
    /// First millisecond.
    pub open_time: i64,
    /// Last millisecond.
    pub close_time: i64,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Base volume.
    pub volume: Decimal,
    /// Quote volume.
    pub quote_volume: Decimal,
    /// Trades in it.
    pub trades: i64,
    /// Whether it is over.
    pub closed: bool,
}

impl<'a> From<&'a BookTickerEvent> for BookTicker<'a> {
    fn from(event: &'a BookTickerEvent) -> Self {
        Self {
            symbol: &event.symbol,
            update_id: event.update_id,
            event_time: event.event_time,
            transaction_time: event.transaction_time,
            bid: event.bid,
            bid_qty: event.bid_qty,
            ask: event.ask,
            ask_qty: event.ask_qty,
        }
    }
}

impl<'a> From<&'a AggTradeEvent> for AggTrade<'a> {
    fn from(event: &'a AggTradeEvent) -> Self {
        Self {
            symbol: &event.symbol,
            id: event.id,
            first_trade: event.first_trade,
            last_trade: event.last_trade,
            event_time: event.event_time,
            trade_time: event.trade_time,
            price: event.price,
            qty: event.qty,
            buyer_is_maker: event.buyer_is_maker,
        }
    }
}

impl<'a> From<&'a MarkPriceEvent> for MarkPrice<'a> {
    fn from(event: &'a MarkPriceEvent) -> Self {
        Self {
            symbol: &event.symbol,
            event_time: event.event_time,
            mark: event.mark,
            index: event.index,
            funding_rate: event.funding_rate,
            next_funding: event.next_funding,
        }
    }
}

impl<'a> From<&'a KlineEvent> for Kline<'a> {
    fn from(event: &'a KlineEvent) -> Self {
        let body = &event.kline;
        Self {
            symbol: &event.symbol,
            interval: &body.interval,
            event_time: event.event_time,
            open_time: body.open_time,
            close_time: body.close_time,
            open: body.open,
            high: body.high,
            low: body.low,
            close: body.close,
            volume: body.volume,
            quote_volume: body.quote_volume,
            trades: body.trades,
            closed: body.closed,
        }
    }
}
