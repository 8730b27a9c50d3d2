//! Stream messages. The venue's letters are overloaded, so each event has a struct of its own. Source: fact sheet 5.6, 8, 9.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    number::{boolean, int, opt_decimal, opt_int, opt_text},
    text::{
        AccountReason, AlgoStatus, ExecutionType, LegWord, OrderStatus, OrderType, Side, TimeInForce,
        WorkingType,
    },
};

/// A frame of a combined connection.
#[derive(Debug, Deserialize)]
pub struct Combined<'a> {
    /// Which stream.
    #[serde(borrow)]
    pub stream: Cow<'a, str>,
    /// Its event.
    #[serde(borrow)]
    pub data: &'a RawValue,
}

/// The kind of an event, read before the rest.
#[derive(Debug, Deserialize)]
pub struct Kind<'a> {
    /// Event name.
    #[serde(rename = "e", borrow)]
    pub name: Cow<'a, str>,
}

/// `kline`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KlineEvent {
    /// Pushed at.
    #[serde(rename = "E", deserialize_with = "int")]
    pub event_time: i64,
    /// Name.
    #[serde(rename = "s")]
    pub symbol: String,
    /// The candle.
    #[serde(rename = "k")]
    pub kline: KlineBody,
}

/// The candle of a `kline` event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KlineBody {
    /// First millisecond.
    #[serde(rename = "t", deserialize_with = "int")]
    pub open_time: i64,
    /// Last millisecond.
    #[serde(rename = "T", deserialize_with = "int")]
    pub close_time: i64,
    /// Interval in the venue's spelling.
    #[serde(rename = "i")]
    pub interval: String,
    /// First price.
    #[serde(rename = "o")]
    pub open: Decimal,
    /// Last price.
    #[serde(rename = "c")]
    pub close: Decimal,
    /// Highest price.
    #[serde(rename = "h")]
    pub high: Decimal,
    /// Lowest price.
    #[serde(rename = "l")]
    pub low: Decimal,
    /// Base volume.
    #[serde(rename = "v")]
    pub volume: Decimal,
    /// Whether it is over.
    #[serde(rename = "x", deserialize_with = "boolean")]
    pub closed: bool,
}

/// `markPriceUpdate`. Here `ap` is an average of marks, not a fill price.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MarkPriceEvent<'a> {
    /// Pushed at.
    #[serde(rename = "E", deserialize_with = "int")]
    pub event_time: i64,
    /// Name.
    #[serde(rename = "s", borrow)]
    pub symbol: Cow<'a, str>,
    /// Mark price.
    #[serde(rename = "p")]
    pub mark: Decimal,
    /// Running estimate of the next funding rate; empty on dated contracts.
    #[serde(rename = "r", default, deserialize_with = "opt_decimal")]
    pub funding_rate: Option<Decimal>,
    /// Next settlement; 0 on dated contracts.
    #[serde(rename = "T", default, deserialize_with = "opt_int")]
    pub next_funding: Option<i64>,
}

/// `bookTicker`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BookTickerEvent<'a> {
    /// Update id.
    #[serde(rename = "u", deserialize_with = "int")]
    pub update_id: i64,
    /// Pushed at.
    #[serde(rename = "E", deserialize_with = "int")]
    pub event_time: i64,
    /// Name.
    #[serde(rename = "s", borrow)]
    pub symbol: Cow<'a, str>,
    /// Best bid.
    #[serde(rename = "b")]
    pub bid: Decimal,
    /// Quantity there.
    #[serde(rename = "B")]
    pub bid_qty: Decimal,
    /// Best ask.
    #[serde(rename = "a")]
    pub ask: Decimal,
    /// Quantity there.
    #[serde(rename = "A")]
    pub ask_qty: Decimal,
}

/// `aggTrade`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AggTradeEvent<'a> {
    /// Aggregate id.
    #[serde(rename = "a", deserialize_with = "int")]
    pub id: i64,
    /// Name.
    #[serde(rename = "s", borrow)]
    pub symbol: Cow<'a, str>,
    /// Price.
    #[serde(rename = "p")]
    pub price: Decimal,
    /// Quantity.
    #[serde(rename = "q")]
    pub qty: Decimal,
    /// Traded at.
    #[serde(rename = "T", deserialize_with = "int")]
    pub trade_time: i64,
    /// Whether the buyer rested, so that the seller aggressed.
    #[serde(rename = "m", deserialize_with = "boolean")]
    pub buyer_is_maker: bool,
}

/// `ORDER_TRADE_UPDATE`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OrderEvent {
    /// Pushed at.
    #[serde(rename = "E", deserialize_with = "int")]
    pub event_time: i64,
    /// The order.
    #[serde(rename = "o")]
    pub order: OrderBody,
}

/// The order of an `ORDER_TRADE_UPDATE`. Here `ap` is the average fill price and `ps` the leg.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OrderBody {
    /// Name.
    #[serde(rename = "s")]
    pub symbol: String,
    /// The client's id.
    #[serde(rename = "c")]
    pub client_order_id: String,
    /// BUY or SELL.
    #[serde(rename = "S")]
    pub side: Side,
    /// Type now.
    #[serde(rename = "o")]
    pub order_type: OrderType,
    /// How long it lives.
    #[serde(rename = "f", default)]
    pub time_in_force: Option<TimeInForce>,
    /// Ordered quantity.
    #[serde(rename = "q")]
    pub orig_qty: Decimal,
    /// Limit price.
    #[serde(rename = "p", default, deserialize_with = "opt_decimal")]
    pub price: Option<Decimal>,
    /// Average fill price so far.
    #[serde(rename = "ap", default, deserialize_with = "opt_decimal")]
    pub avg_price: Option<Decimal>,
    /// Why this push.
    #[serde(rename = "x")]
    pub execution: ExecutionType,
    /// State.
    #[serde(rename = "X")]
    pub status: OrderStatus,
    /// The venue's id.
    #[serde(rename = "i", deserialize_with = "int")]
    pub order_id: i64,
    /// Quantity of this fill.
    #[serde(rename = "l", default, deserialize_with = "opt_decimal")]
    pub last_qty: Option<Decimal>,
    /// Filled so far.
    #[serde(rename = "z")]
    pub filled_qty: Decimal,
    /// Price of this fill.
    #[serde(rename = "L", default, deserialize_with = "opt_decimal")]
    pub last_price: Option<Decimal>,
    /// Fee asset; may be absent before a fill.
    #[serde(rename = "N", default, deserialize_with = "opt_text")]
    pub fee_asset: Option<String>,
    /// Fee of this fill; may be absent before a fill.
    #[serde(rename = "n", default, deserialize_with = "opt_decimal")]
    pub fee: Option<Decimal>,
    /// Order or trade time.
    #[serde(rename = "T", deserialize_with = "int")]
    pub time: i64,
    /// Trade id, 0 when not a trade.
    #[serde(rename = "t", default, deserialize_with = "opt_int")]
    pub trade_id: Option<i64>,
    /// Whether we rested.
    #[serde(rename = "m", default)]
    pub maker: Option<bool>,
    /// Leg.
    #[serde(rename = "ps")]
    pub position_side: LegWord,
    /// Close-all order.
    #[serde(rename = "cp", default)]
    pub close_position: Option<bool>,
    /// Profit of this fill before the fee.
    #[serde(rename = "rp", default, deserialize_with = "opt_decimal")]
    pub realized: Option<Decimal>,
    /// Expiry reason, "0" for none.
    #[serde(rename = "er", default, deserialize_with = "opt_text")]
    pub expiry_reason: Option<String>,
}

/// `ALGO_UPDATE`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AlgoEvent {
    /// Pushed at.
    #[serde(rename = "E", deserialize_with = "int")]
    pub event_time: i64,
    /// Engine time.
    #[serde(rename = "T", default, deserialize_with = "opt_int")]
    pub time: Option<i64>,
    /// The order.
    #[serde(rename = "o")]
    pub order: AlgoBody,
}

/// The order of an `ALGO_UPDATE`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AlgoBody {
    /// The client's id.
    #[serde(rename = "caid")]
    pub client_algo_id: String,
    /// The venue's id in the algo space.
    #[serde(rename = "aid", deserialize_with = "int")]
    pub algo_id: i64,
    /// Type.
    #[serde(rename = "o")]
    pub order_type: OrderType,
    /// Name.
    #[serde(rename = "s")]
    pub symbol: String,
    /// BUY or SELL.
    #[serde(rename = "S")]
    pub side: Side,
    /// Leg.
    #[serde(rename = "ps")]
    pub position_side: LegWord,
    /// Quantity; nothing or 0 for close-all orders.
    #[serde(rename = "q", default, deserialize_with = "opt_decimal")]
    pub quantity: Option<Decimal>,
    /// State.
    #[serde(rename = "X")]
    pub status: AlgoStatus,
    /// The child's id: text, empty before the trigger.
    #[serde(rename = "ai", default, deserialize_with = "opt_int")]
    pub actual_order_id: Option<i64>,
    /// Average fill price of the child.
    #[serde(rename = "ap", default, deserialize_with = "opt_decimal")]
    pub avg_price: Option<Decimal>,
    /// Filled quantity of the child.
    #[serde(rename = "aq", default, deserialize_with = "opt_decimal")]
    pub filled_qty: Option<Decimal>,
    /// Trigger.
    #[serde(rename = "tp", default, deserialize_with = "opt_decimal")]
    pub trigger_price: Option<Decimal>,
    /// Limit price of the child.
    #[serde(rename = "p", default, deserialize_with = "opt_decimal")]
    pub price: Option<Decimal>,
    /// Which price triggers.
    #[serde(rename = "wt", default)]
    pub working_type: Option<WorkingType>,
    /// Closes the whole leg.
    #[serde(rename = "cp", default)]
    pub close_position: Option<bool>,
    /// Reason; may hold stale text except on REJECTED and EXPIRED.
    #[serde(rename = "rm", default, deserialize_with = "opt_text")]
    pub reason: Option<String>,
}

/// `ACCOUNT_UPDATE`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AccountUpdate {
    /// Pushed at.
    #[serde(rename = "E", deserialize_with = "int")]
    pub event_time: i64,
    /// Engine time.
    #[serde(rename = "T", deserialize_with = "int")]
    pub time: i64,
    /// What changed.
    #[serde(rename = "a")]
    pub body: AccountBody,
}

/// What changed in an `ACCOUNT_UPDATE`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AccountBody {
    /// Why.
    #[serde(rename = "m")]
    pub reason: AccountReason,
    /// Changed assets.
    #[serde(rename = "B", default)]
    pub balances: Vec<BalanceChange>,
    /// Changed legs.
    #[serde(rename = "P", default)]
    pub positions: Vec<PositionChange>,
    /// Symbol of a funding payment, since August 2026.
    #[serde(rename = "S", default, deserialize_with = "opt_text")]
    pub symbol: Option<String>,
}

/// One asset of an `ACCOUNT_UPDATE`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BalanceChange {
    /// Name.
    #[serde(rename = "a")]
    pub asset: String,
    /// Wallet.
    #[serde(rename = "wb")]
    pub wallet: Decimal,
    /// Change that is neither profit nor fee.
    #[serde(rename = "bc", default, deserialize_with = "opt_decimal")]
    pub change: Option<Decimal>,
}

/// One leg of an `ACCOUNT_UPDATE`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PositionChange {
    /// Name.
    #[serde(rename = "s")]
    pub symbol: String,
    /// Signed size.
    #[serde(rename = "pa")]
    pub amount: Decimal,
    /// Average entry.
    #[serde(rename = "ep", default, deserialize_with = "opt_decimal")]
    pub entry: Option<Decimal>,
    /// Leg.
    #[serde(rename = "ps")]
    pub position_side: LegWord,
}

/// `ACCOUNT_CONFIG_UPDATE`: either half.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ConfigUpdate {
    /// Leverage of a symbol.
    #[serde(rename = "ac", default)]
    pub leverage: Option<LeverageChange>,
    /// Multi-assets mode.
    #[serde(rename = "ai", default)]
    pub multi_assets: Option<MultiAssetsChange>,
}

/// The leverage half.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LeverageChange {
    /// Name.
    #[serde(rename = "s")]
    pub symbol: String,
    /// New multiple.
    #[serde(rename = "l", deserialize_with = "int")]
    pub leverage: i64,
}

/// The multi-assets half.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MultiAssetsChange {
    /// New state.
    #[serde(rename = "j", deserialize_with = "boolean")]
    pub multi_assets: bool,
}

/// `MARGIN_CALL`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MarginCall {
    /// Legs in danger.
    #[serde(rename = "p", default)]
    pub positions: Vec<MarginCallLeg>,
}

/// One leg of a `MARGIN_CALL`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MarginCallLeg {
    /// Name.
    #[serde(rename = "s")]
    pub symbol: String,
    /// Leg.
    #[serde(rename = "ps")]
    pub position_side: LegWord,
    /// Signed size.
    #[serde(rename = "pa", default, deserialize_with = "opt_decimal")]
    pub amount: Option<Decimal>,
    /// Mark.
    #[serde(rename = "mp", default, deserialize_with = "opt_decimal")]
    pub mark: Option<Decimal>,
    /// Maintenance margin needed.
    #[serde(rename = "mm", default, deserialize_with = "opt_decimal")]
    pub maintenance: Option<Decimal>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_combined_frame_gives_its_stream_and_raw_event() {
        let text = r#"{"stream":"abcusdt@kline_1m","data":{"e":"kline","E":1}}"#;
        let frame: Combined<'_> = serde_json::from_str(text).unwrap();
        assert_eq!((&*frame.stream, frame.data.get()), ("abcusdt@kline_1m", r#"{"e":"kline","E":1}"#));
    }

    #[test]
    fn the_empty_child_id_of_an_untriggered_stop_is_none() {
        let text = r#"{"e":"ALGO_UPDATE","T":1,"E":2,"o":{"caid":"sl","aid":4000000987654321,"at":"CONDITIONAL",
          "o":"STOP_MARKET","s":"ETHUSDT","S":"SELL","ps":"LONG","f":"GTC","q":"0.750","X":"NEW","ai":"","ap":"0",
          "aq":"0","act":"0","tp":"2401.00","p":"0","wt":"MARK_PRICE","cp":false,"tt":0,"rm":""}}"#;
        let event: AlgoEvent = serde_json::from_str(text).unwrap();
        assert_eq!((event.order.actual_order_id, event.order.reason), (None, None));
        assert_eq!(event.order.algo_id, 4_000_000_987_654_321);
    }
}
