//! The least that the same work takes with the usual tools: no engine, no record, no client id of an order that is known.

use std::fmt::Write as _;

use hedge_core::Decimal;
use hedge_http::sign::hex;
use hmac::{Hmac, Mac};
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use sha2::Sha256;

use super::pipeline::{SECRET, now_ms};

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Book<'a>,
}

#[derive(Deserialize)]
struct Book<'a> {
    u: u64,
    b: &'a str,
    #[serde(rename = "B")]
    bid_qty: &'a str,
    a: &'a str,
    #[serde(rename = "A")]
    ask_qty: &'a str,
}

#[derive(Debug)]
pub(super) struct Floor {
    key: Hmac<Sha256>,
    ema: f64,
    held: Decimal,
    limits: [Decimal; 12],
}

impl Floor {
    pub(super) fn new() -> Result<Self, String> {
        let tenths = |value: i64| Decimal::new(value, 1);
        Ok(Self {
            key: Hmac::new_from_slice(SECRET.as_bytes()).map_err(|error| error.to_string())?,
            ema: 60_000.0,
            held: tenths(15),
            // Price, quantity and notional from and to, position, spread, collars, depth, loss.
            limits: [2_611, 8_094_840, 0, 10_000, 50, 1_000_000, 1_000_000, 50, 5_000, 5_000, 0, -5_000]
                .map(tenths),
        })
    }

    pub(super) fn order(&mut self, text: &str) -> Result<String, String> {
        let book = serde_json::from_str::<Envelope<'_>>(text).map_err(|error| error.to_string())?.data;
        let number = |text: &str| Decimal::from_str_exact(text).map_err(|error| error.to_string());
        let (bid, ask) = (number(book.b)?, number(book.a)?);
        let (bid_qty, ask_qty) = (number(book.bid_qty)?, number(book.ask_qty)?);
        let mid = bid.to_f64().zip(ask.to_f64()).map(|(bid, ask)| (bid + ask) / 2.0).ok_or("no number")?;
        self.ema += (mid - self.ema) * 0.1;
        let buys = mid > self.ema;
        let offset = Decimal::new(37, 3);
        let (price, depth) = if buys { (bid - offset, ask_qty) } else { (ask + offset, bid_qty) };
        let (tick, step) = (Decimal::new(1, 1), Decimal::new(1, 3));
        let qty = depth * Decimal::new(1, 1);
        let qty = (qty - qty % step).max(step);
        let price = price - price % tick;
        let (notional, l) = (price * qty, std::hint::black_box(&self.limits));
        let after = if buys { self.held + qty } else { self.held - qty };
        let passes = price >= l[0]
            && price <= l[1]
            && qty >= l[2]
            && qty <= l[3]
            && notional >= l[4]
            && notional <= l[5]
            && after <= l[6]
            && ask - bid <= l[7]
            && price >= bid - l[8]
            && price <= ask + l[9]
            && depth >= l[10]
            && after * price > l[11];
        if !passes {
            return Err("a limit does not hold".to_owned());
        }
        let (side, leg) = if buys { ("BUY", "LONG") } else { ("SELL", "SHORT") };
        let mut query = String::with_capacity(512);
        // Writing to a String cannot fail.
        let _ = write!(
            query,
            "symbol=BTCUSDT&side={side}&positionSide={leg}&type=LIMIT&timeInForce=GTC&quantity={qty}&price={price}\
             &newClientOrderId=bench-{}&recvWindow=5000&timestamp={}",
            book.u,
            now_ms(),
        );
        let mac = self.key.clone().chain_update(query.as_bytes()).finalize().into_bytes();
        query.push_str("&signature=");
        query.push_str(&hex(&mac));
        Ok(query)
    }
}
