//! A hedge-mode limit order from the order type to the signed query, beside the least that must be done.

use std::hint::black_box;

use hedge_binance::encode::{ApiRequest, Limit, NewOrder, OrderLeg, OrderType};
use hedge_core::{Action, ClientOrderId, Decimal, PositionSide, Price, Qty, Symbol, order::Tif};
use hedge_http::{
    secret::Secret,
    sign::{SigningKey, hex},
};
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::figure::{ours, passes, print};

const ORDERS: usize = 200_000;
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const FIRST_MS: i64 = 1_700_000_000_000;
const WINDOW_MS: u32 = 5_000;

pub(crate) fn run() -> Result<(), String> {
    let orders = Orders::new()?;
    proven(&orders.signed(4_711)?)?;
    let measured = passes(ORDERS, || {
        for i in 0..ORDERS {
            black_box(orders.signed(i).ok());
        }
    });
    print("B2", ours(), "signed_order", measured.median, "ns/op", ORDERS, &[("min", json!(measured.min))]);
    let key = key()?;
    let mut text = String::with_capacity(512);
    let floor = passes(ORDERS, || {
        for i in 0..ORDERS {
            least(i, &key, &mut text);
            black_box(&text);
        }
    });
    let peer = "floor: text template, hmac with a prepared key";
    print("B2", peer, "signed_order", floor.median, "ns/op", ORDERS, &[("min", json!(floor.min))]);
    print("B2", ours(), "signed_order_to_floor", measured.median / floor.median, "ratio", ORDERS, &[]);
    Ok(())
}

/// Makes orders, each with amounts and an id of its own.
pub(crate) struct Orders {
    signer: SigningKey,
    symbol: Symbol,
}

impl Orders {
    pub(crate) fn new() -> Result<Self, String> {
        let signer = SigningKey::hmac(&Secret::new(SECRET.to_owned())).map_err(|error| error.to_string())?;
        let symbol = Symbol::parse("BTCUSDT").map_err(|error| error.to_string())?;
        Ok(Self { signer, symbol })
    }

    pub(crate) fn signed(&self, i: usize) -> Result<String, String> {
        let (qty, price) = amounts(i);
        let order = NewOrder {
            symbol: self.symbol,
            leg: OrderLeg::Hedge { side: PositionSide::Long, action: Action::Open },
            order_type: OrderType::Limit(
                Qty::new(qty).map_err(|error| error.to_string())?,
                Limit { price: Price::new(price).map_err(|error| error.to_string())?, tif: Tif::Gtc },
            ),
            client_id: client_id(i)?,
        };
        let request: ApiRequest = order.request();
        request
            .into_signed_query(WINDOW_MS, FIRST_MS + i as i64, &self.signer)
            .map_err(|error| error.to_string())
    }
}

/// `bench` and the number, written without the formatting machinery, as the floor does it.
fn client_id(i: usize) -> Result<ClientOrderId, String> {
    let mut text = *b"bench00000000000000000000";
    let mut at = text.len();
    let mut rest = i;
    loop {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    at -= 5;
    text[at..at + 5].copy_from_slice(b"bench");
    let text = std::str::from_utf8(&text[at..]).map_err(|error| error.to_string())?;
    ClientOrderId::parse(text).map_err(|error| error.to_string())
}

fn amounts(i: usize) -> (Decimal, Decimal) {
    let i = i as i64;
    (Decimal::new(1 + i % 7, 3), Decimal::new(600_000 + (i % 1_000) * 5, 1))
}

fn key() -> Result<Hmac<Sha256>, String> {
    Hmac::new_from_slice(SECRET.as_bytes()).map_err(|error| error.to_string())
}

/// The signature is that of everything before it.
fn proven(query: &str) -> Result<(), String> {
    let (payload, signature) = query.split_once("&signature=").ok_or("no signature")?;
    let expected = hex(&key()?.chain_update(payload.as_bytes()).finalize().into_bytes());
    if signature == expected { Ok(()) } else { Err(format!("{signature} is not {expected}")) }
}

fn least(i: usize, key: &Hmac<Sha256>, text: &mut String) {
    use std::fmt::Write as _;
    let (qty, price) = (1 + i % 7, 600_000 + (i % 1_000) * 5);
    text.clear();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "symbol=BTCUSDT&side=BUY&positionSide=LONG&type=LIMIT&timeInForce=GTC&quantity=0.00{qty}&price={}.{}\
         &newClientOrderId=bench-{i}&newOrderRespType=RESULT&recvWindow=5000&timestamp={}",
        price / 10,
        price % 10,
        FIRST_MS + i as i64,
    );
    let mac = key.clone().chain_update(text.as_bytes()).finalize().into_bytes();
    let signature = hex(&mac);
    text.push_str("&signature=");
    text.push_str(&signature);
}
