//! Whatever arrives, a decoder answers with a value or an error.
#![allow(missing_docs, reason = "tests")]

use hedge_binance::{
    codes::{ErrorBody, banned_until_ms, judge},
    decode, filters, hot,
    wire::{
        account::{
            Account, AccountConfig, BalanceRow, CommissionRate, IncomeRow, LeverageBrackets, ListenKeyAnswer,
            PositionRow, SymbolConfig,
        },
        algo::{AlgoCancel, AlgoRow},
        event::{AggTradeEvent, BookTickerEvent, Combined, KlineEvent, MarkPriceEvent},
        list::OneOrMany,
        market::{BookTicker, Depth, ExchangeInfo, FundingRate, Kline, PremiumIndex, SymbolInfo},
        order::{CodeMessage, OrderRow, TradeRow},
    },
};
use hedge_core::Interval;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// Values that a careless or hostile server may put anywhere.
fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[-0-9.eE]{0,40}".prop_map(Value::from),
        "(LONG|SHORT|BOTH|BUY|SELL|NEW|FILLED|true|1e400|-0|79228162514264337593543950335)"
            .prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([["1", "2"], [null], 3])),
    ]
}

/// A complete row in which some fields are replaced or removed.
fn damaged(row: Value) -> impl Strategy<Value = Value> {
    let object = row.as_object().cloned().unwrap_or_default();
    let names: Vec<String> = object.keys().cloned().collect();
    prop::collection::vec((prop::sample::select(names), prop::option::of(odd_value())), 0..6).prop_map(
        move |edits| {
            let mut object: Map<String, Value> = object.clone();
            for (name, value) in edits {
                match value {
                    Some(value) => drop(object.insert(name, value)),
                    None => drop(object.remove(&name)),
                }
            }
            Value::Object(object)
        },
    )
}

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    decode::json("test", value.to_string().as_bytes()).ok()
}

fn order_row() -> Value {
    json!({"orderId":1,"symbol":"ETHUSDT","status":"NEW","clientOrderId":"h1","price":"1","avgPrice":"0","origQty":"1",
      "executedQty":"0","timeInForce":"GTC","type":"LIMIT","closePosition":false,"side":"BUY","positionSide":"LONG",
      "stopPrice":"0","time":1,"updateTime":1})
}

fn algo_row() -> Value {
    json!({"algoId":1,"clientAlgoId":"h1","orderType":"STOP","symbol":"ETHUSDT","side":"SELL","positionSide":"LONG",
      "quantity":"1","algoStatus":"NEW","triggerPrice":"1","price":"1","closePosition":false,"actualOrderId":"",
      "updateTime":1})
}

fn trade_row() -> Value {
    json!({"symbol":"ETHUSDT","id":1,"orderId":1,"side":"SELL","positionSide":"LONG","price":"1","qty":"1",
      "realizedPnl":"0","commission":"0","commissionAsset":"USDT","time":1,"maker":false})
}

fn position_row() -> Value {
    json!({"symbol":"ETHUSDT","positionSide":"SHORT","positionAmt":"-1","entryPrice":"1","markPrice":"1",
      "liquidationPrice":"0","updateTime":1})
}

fn income_row() -> Value {
    json!({"symbol":"ETHUSDT","incomeType":"FUNDING_FEE","income":"-1","asset":"USDT","time":1,"tranId":1})
}

fn symbol_row() -> Value {
    json!({"symbol":"ABCUSDT","contractType":"PERPETUAL","deliveryDate":1,"status":"TRADING","baseAsset":"ABC",
      "quoteAsset":"USDT","marginAsset":"USDT","filters":[
        {"filterType":"PRICE_FILTER","minPrice":"0","maxPrice":"5","tickSize":"0.1"},
        {"filterType":"LOT_SIZE","minQty":"1","maxQty":"5","stepSize":"1"},
        {"filterType":"MIN_NOTIONAL","notional":"5"}]})
}

proptest! {
    #[test]
    fn damaged_rows_are_values_or_errors(
        order in damaged(order_row()), algo in damaged(algo_row()), trade in damaged(trade_row()),
        position in damaged(position_row()), income in damaged(income_row()), symbol in damaged(symbol_row()),
    ) {
        let _ = read::<OrderRow>(&order).map(|row| decode::order_report(&row));
        let _ = read::<AlgoRow>(&algo).map(|row| decode::algo_report(&row));
        let _ = read::<TradeRow>(&trade).map(|row| decode::fill(&row));
        let _ = read::<PositionRow>(&position).map(|row| (decode::position(&row), decode::leg_size(&row)));
        let _ = read::<IncomeRow>(&income).map(|row| decode::cash_flow(&row));
        let _ = read::<SymbolInfo>(&symbol).map(|row| filters::instrument(&row));
    }

    #[test]
    fn damaged_klines_are_bars_or_errors(row in prop::collection::vec(odd_value(), 0..14)) {
        if let Some(kline) = read::<Kline>(&Value::from(row)) {
            let _ = decode::bar(Interval::M1, &kline);
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fn all<T: DeserializeOwned>(bytes: &[u8]) {
            let _ = decode::json::<T>("test", bytes);
        }
        all::<Account>(&bytes);
        all::<AccountConfig>(&bytes);
        all::<Vec<BalanceRow>>(&bytes);
        all::<CommissionRate>(&bytes);
        all::<OneOrMany<LeverageBrackets>>(&bytes);
        all::<ListenKeyAnswer>(&bytes);
        all::<Vec<SymbolConfig>>(&bytes);
        all::<AlgoCancel>(&bytes);
        all::<CodeMessage>(&bytes);
        all::<ExchangeInfo>(&bytes);
        all::<Depth>(&bytes);
        all::<BookTicker>(&bytes);
        all::<PremiumIndex>(&bytes);
        all::<Vec<FundingRate>>(&bytes);
        all::<KlineEvent>(&bytes);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = serde_json::from_str::<Combined<'_>>(text);
            let _ = serde_json::from_str::<MarkPriceEvent>(text);
            let _ = serde_json::from_str::<BookTickerEvent>(text);
            let _ = serde_json::from_str::<AggTradeEvent>(text);
            let _ = hot::frame(text);
        }
        let _ = ErrorBody::parse(&bytes);
    }

    #[test]
    fn every_answer_has_a_verdict(status in 0_u16..1_000, code in -6_000_i64..10, msg in ".{0,80}") {
        let _ = judge(status, Some(&ErrorBody { code, msg: msg.clone() })).outcome();
        let _ = judge(status, None).outcome();
        let _ = banned_until_ms(&msg);
    }
}
