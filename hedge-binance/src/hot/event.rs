//! What the reader gives: borrowed texts, exact numbers.

use std::borrow::Cow;

use rust_decimal::Decimal;

use crate::wire::event::{AggTradeEvent, BookTickerEvent, KlineBody, MarkPriceEvent};

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
    /// Running estimate of the next funding rate, a fraction.
    pub funding_rate: Decimal,
    /// Next settlement; 0 on dated contracts.
    pub next_funding: i64,
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

impl<'a> From<&BookTicker<'a>> for BookTickerEvent<'a> {
    fn from(event: &BookTicker<'a>) -> Self {
        Self {
            update_id: event.update_id,
            event_time: event.event_time,
            symbol: Cow::Borrowed(event.symbol),
            bid: event.bid,
            bid_qty: event.bid_qty,
            ask: event.ask,
            ask_qty: event.ask_qty,
        }
    }
}

impl<'a> From<&AggTrade<'a>> for AggTradeEvent<'a> {
    fn from(event: &AggTrade<'a>) -> Self {
        Self {
            id: event.id,
            symbol: Cow::Borrowed(event.symbol),
            price: event.price,
            qty: event.qty,
            trade_time: event.trade_time,
            buyer_is_maker: event.buyer_is_maker,
        }
    }
}

impl<'a> From<&MarkPrice<'a>> for MarkPriceEvent<'a> {
    fn from(event: &MarkPrice<'a>) -> Self {
        Self {
            event_time: event.event_time,
            symbol: Cow::Borrowed(event.symbol),
            mark: event.mark,
            funding_rate: Some(event.funding_rate),
            next_funding: Some(event.next_funding),
        }
    }
}

impl From<&Kline<'_>> for KlineBody {
    fn from(event: &Kline<'_>) -> Self {
        Self {
            open_time: event.open_time,
            close_time: event.close_time,
            interval: event.interval.to_owned(),
            open: event.open,
            close: event.close,
            high: event.high,
            low: event.low,
            volume: event.volume,
            closed: event.closed,
        }
    }
}
