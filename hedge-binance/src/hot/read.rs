//! Field by field. Each field that counts must stand exactly once.

use rust_decimal::Decimal;

use super::{
    cursor::Cursor,
    event::{AggTrade, BookTicker, Frame, Hot, Kline, MarkPrice},
};

/// Reads `{"stream":"…","data":{…}}`; `None` where the serde structs must decide.
pub fn frame(text: &str) -> Option<Frame<'_>> {
    let mut cursor = Cursor::new(text);
    cursor.eat(b"{\"stream\":")?;
    let stream = cursor.string()?;
    cursor.eat(b",\"data\":")?;
    let event = body(&mut cursor)?;
    cursor.eat(b"}")?;
    cursor.is_at_end().then_some(Frame { stream, event })
}

/// Reads a bare event; `None` where the serde structs must decide.
pub fn event(text: &str) -> Option<Hot<'_>> {
    let mut cursor = Cursor::new(text);
    let event = body(&mut cursor)?;
    cursor.is_at_end().then_some(event)
}

fn body<'a>(cursor: &mut Cursor<'a>) -> Option<Hot<'a>> {
    cursor.eat(b"{\"e\":")?;
    match cursor.string()? {
        "bookTicker" => book_ticker(cursor).map(Hot::BookTicker),
        "aggTrade" => agg_trade(cursor).map(Hot::AggTrade),
        "markPriceUpdate" => mark_price(cursor).map(Hot::MarkPrice),
        "kline" => kline(cursor).map(Hot::Kline),
        _ => None,
    }
}

/// Fields seen, one bit each.
#[derive(Default)]
struct Seen(u32);

impl Seen {
    /// The value of a field that has not been seen before.
    #[inline]
    fn once<T>(&mut self, field: u32, value: Option<T>) -> Option<T> {
        let bit = 1 << field;
        let is_new = self.0 & bit == 0;
        self.0 |= bit;
        value.filter(|_| is_new)
    }

    /// Whether the first so many fields were all seen.
    #[inline]
    const fn all(&self, fields: u32) -> bool {
        self.0 == (1 << fields) - 1
    }
}

/// In the order in which the venue sends it, else in any.
fn book_ticker<'a>(cursor: &mut Cursor<'a>) -> Option<BookTicker<'a>> {
    cursor.either(book_ticker_as_sent, book_ticker_in_any_order)
}

fn book_ticker_as_sent<'a>(cursor: &mut Cursor<'a>) -> Option<BookTicker<'a>> {
    let event = BookTicker {
        update_id: cursor.after(b",\"u\":")?.int()?,
        symbol: cursor.after(b",\"s\":")?.string()?,
        bid: cursor.after(b",\"b\":")?.decimal()?,
        bid_qty: qty(cursor.after(b",\"B\":")?)?,
        ask: cursor.after(b",\"a\":")?.decimal()?,
        ask_qty: qty(cursor.after(b",\"A\":")?)?,
        transaction_time: cursor.after(b",\"T\":")?.int()?,
        event_time: cursor.after(b",\"E\":")?.int()?,
    };
    cursor.eat(b"}")?;
    Some(event)
}

fn book_ticker_in_any_order<'a>(cursor: &mut Cursor<'a>) -> Option<BookTicker<'a>> {
    let mut seen = Seen::default();
    let mut event = BookTicker {
        symbol: "",
        update_id: 0,
        event_time: 0,
        transaction_time: 0,
        bid: Decimal::ZERO,
        bid_qty: Decimal::ZERO,
        ask: Decimal::ZERO,
        ask_qty: Decimal::ZERO,
    };
    cursor.fields(|cursor, key| {
        match key {
            b'u' => event.update_id = seen.once(0, cursor.int())?,
            b's' => event.symbol = seen.once(1, cursor.string())?,
            b'b' => event.bid = seen.once(2, cursor.decimal())?,
            b'B' => event.bid_qty = seen.once(3, qty(cursor))?,
            b'a' => event.ask = seen.once(4, cursor.decimal())?,
            b'A' => event.ask_qty = seen.once(5, qty(cursor))?,
            b'T' => event.transaction_time = seen.once(6, cursor.int())?,
            b'E' => event.event_time = seen.once(7, cursor.int())?,
            _ => cursor.skip()?,
        }
        Some(())
    })?;
    seen.all(8).then_some(event)
}

/// A quantity is never negative; what it is then, the structs decide.
#[inline]
fn qty(cursor: &mut Cursor<'_>) -> Option<Decimal> {
    cursor.decimal().filter(|qty| !qty.is_sign_negative())
}

/// In the order in which the venue sends it, else in any.
fn agg_trade<'a>(cursor: &mut Cursor<'a>) -> Option<AggTrade<'a>> {
    cursor.either(agg_trade_as_sent, agg_trade_in_any_order)
}

fn agg_trade_as_sent<'a>(cursor: &mut Cursor<'a>) -> Option<AggTrade<'a>> {
    let event = AggTrade {
        event_time: cursor.after(b",\"E\":")?.int()?,
        id: cursor.after(b",\"a\":")?.int()?,
        symbol: cursor.after(b",\"s\":")?.string()?,
        price: cursor.after(b",\"p\":")?.decimal()?,
        qty: qty(cursor.after(b",\"q\":")?)?,
        first_trade: {
            // The quantity without what small orders took; sent since the year 2026.
            if cursor.eat(b",\"nq\":").is_some() {
                cursor.skip()?;
            }
            cursor.after(b",\"f\":")?.int()?
        },
        last_trade: cursor.after(b",\"l\":")?.int()?,
        trade_time: cursor.after(b",\"T\":")?.int()?,
        buyer_is_maker: cursor.after(b",\"m\":")?.boolean()?,
    };
    cursor.eat(b"}")?;
    Some(event)
}

fn agg_trade_in_any_order<'a>(cursor: &mut Cursor<'a>) -> Option<AggTrade<'a>> {
    let mut seen = Seen::default();
    let mut event = AggTrade {
        symbol: "",
        id: 0,
        first_trade: 0,
        last_trade: 0,
        event_time: 0,
        trade_time: 0,
        price: Decimal::ZERO,
        qty: Decimal::ZERO,
        buyer_is_maker: false,
    };
    cursor.fields(|cursor, key| {
        match key {
            b'E' => event.event_time = seen.once(0, cursor.int())?,
            b'a' => event.id = seen.once(1, cursor.int())?,
            b's' => event.symbol = seen.once(2, cursor.string())?,
            b'p' => event.price = seen.once(3, cursor.decimal())?,
            b'q' => event.qty = seen.once(4, qty(cursor))?,
            b'f' => event.first_trade = seen.once(5, cursor.int())?,
            b'l' => event.last_trade = seen.once(6, cursor.int())?,
            b'T' => event.trade_time = seen.once(7, cursor.int())?,
            b'm' => event.buyer_is_maker = seen.once(8, cursor.boolean())?,
            _ => cursor.skip()?,
        }
        Some(())
    })?;
    seen.all(9).then_some(event)
}

fn mark_price<'a>(cursor: &mut Cursor<'a>) -> Option<MarkPrice<'a>> {
    let mut seen = Seen::default();
    let mut event = MarkPrice {
        symbol: "",
        event_time: 0,
        mark: Decimal::ZERO,
        index: Decimal::ZERO,
        funding_rate: None,
        next_funding: None,
    };
    cursor.fields(|cursor, key| {
        match key {
            b'E' => event.event_time = seen.once(0, cursor.int())?,
            b's' => event.symbol = seen.once(1, cursor.string())?,
            b'p' => event.mark = seen.once(2, cursor.decimal())?,
            b'i' => event.index = seen.once(3, cursor.decimal())?,
            b'r' => event.funding_rate = Some(seen.once(4, cursor.decimal())?),
            b'T' => event.next_funding = Some(seen.once(5, cursor.int())?),
            _ => cursor.skip()?,
        }
        Some(())
    })?;
    seen.all(6).then_some(event)
}

fn kline<'a>(cursor: &mut Cursor<'a>) -> Option<Kline<'a>> {
    let mut seen = Seen::default();
    let mut event = Kline {
        symbol: "",
        interval: "",
        event_time: 0,
        open_time: 0,
        close_time: 0,
        open: Decimal::ZERO,
        high: Decimal::ZERO,
        low: Decimal::ZERO,
        close: Decimal::ZERO,
        volume: Decimal::ZERO,
        quote_volume: Decimal::ZERO,
        trades: 0,
        closed: false,
    };
    cursor.fields(|cursor, key| {
        match key {
            b'E' => event.event_time = seen.once(0, cursor.int())?,
            b's' => event.symbol = seen.once(1, cursor.string())?,
            b'k' => {
                seen.once(2, Some(()))?;
                candle(cursor, &mut event)?;
            }
            _ => cursor.skip()?,
        }
        Some(())
    })?;
    seen.all(3).then_some(event)
}

fn candle<'a>(cursor: &mut Cursor<'a>, event: &mut Kline<'a>) -> Option<()> {
    let mut seen = Seen::default();
    cursor.eat(b"{\"t\":")?;
    event.open_time = seen.once(0, cursor.int())?;
    cursor.fields(|cursor, key| {
        match key {
            b't' => event.open_time = seen.once(0, cursor.int())?,
            b'T' => event.close_time = seen.once(1, cursor.int())?,
            b'i' => event.interval = seen.once(2, cursor.string())?,
            b'o' => event.open = seen.once(3, cursor.decimal())?,
            b'c' => event.close = seen.once(4, cursor.decimal())?,
            b'h' => event.high = seen.once(5, cursor.decimal())?,
            b'l' => event.low = seen.once(6, cursor.decimal())?,
            b'v' => event.volume = seen.once(7, qty(cursor))?,
            b'q' => event.quote_volume = seen.once(8, qty(cursor))?,
            b'n' => event.trades = seen.once(9, cursor.int())?,
            b'x' => event.closed = seen.once(10, cursor.boolean())?,
            _ => cursor.skip()?,
        }
        Some(())
    })?;
    seen.all(11).then_some(())
}
