use std::path::PathBuf;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::kit::d;
use crate::venue::*;

/// A file of the shared recordings; `None` (with a line on stderr) where there are none.
fn recorded(path: &str) -> Option<Value> {
    let Some(root) = std::env::var_os("HEDGE_TEST_DATA") else {
        println!("SKIP: HEDGE_TEST_DATA is not set");
        return None;
    };
    println!("DATA TEST: {path}");
    let text = std::fs::read_to_string(PathBuf::from(root).join(path)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn a_row_of_numbers_and_texts_is_read_alike() {
    let row = json!({
        "symbol": "ABCUSDT", "pair": "ABCUSDT", "contractType": "PERPETUAL", "status": "TRADING",
        "onboardDate": "1790000000000", "deliveryDate": 4133404800000i64,
        "baseAsset": "ABC", "quoteAsset": "USDT", "marginAsset": "USDT",
        "pricePrecision": "4", "quantityPrecision": 1, "marketTakeBound": 0.1, "triggerProtect": "0.1000",
        "liquidationFee": "0.015000", "orderTypes": ["LIMIT", "MARKET", "NOVELTY"], "timeInForce": ["GTC", "RPI"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.0010", "maxPrice": 500, "tickSize": "0.0001"},
            {"filterType": "LOT_SIZE", "minQty": 0.1, "maxQty": "900000", "stepSize": "0.1"},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.1", "maxQty": "60000", "stepSize": "0"},
            {"filterType": "MAX_NUM_ORDERS", "limit": "200"},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.1000", "multiplierDown": "0.9000"}]});
    let rules = InstrumentRules::from_exchange_info_json(&json!({ "symbols": [row] })).unwrap().remove(0);
    assert_eq!((rules.tick, rules.lot.min, rules.market_lot.max), (d("0.0001"), d("0.1"), d("60000")));
    assert_eq!((rules.price_precision, rules.qty_precision), (4, 1));
    assert_eq!((rules.onboard_ms, rules.max_num_orders), (1_790_000_000_000, Some(200)));
    assert_eq!((rules.market_take_bound, rules.min_notional), (Some(d("0.1")), d("0")));
    assert_eq!(rules.order_types, [OrderType::Limit, OrderType::Market]);
    assert_eq!(rules.tifs, [Tif::Gtc]);
    assert_eq!(rules.market_lot.step, d("0.1"));
}

#[test]
fn rows_that_cannot_be_used_are_named() {
    let bad = |row: Value| InstrumentRules::from_exchange_info_json(&json!([row])).unwrap_err().to_string();
    assert!(bad(json!({})).contains("row 0"));
    assert!(bad(json!({"symbol": "A"})).contains("PRICE_FILTER lacks tickSize"));
    let odd = json!({"symbol": "A", "status": "SLEEPING", "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.1"},
        {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "2", "stepSize": "1"}]});
    assert!(bad(odd).contains("SLEEPING"));
    assert!(InstrumentRules::from_exchange_info_json(&json!(7)).is_err());
}

#[test]
fn brackets_are_read_in_both_shapes() {
    let bracket = json!({"bracket": 1, "initialLeverage": 75, "notionalCap": 5000, "notionalFloor": 0,
        "maintMarginRatio": 0.01, "cum": 0.0});
    let venue = json!([{"symbol": "ABCUSDT", "notionalCoef": 1.5, "brackets": [bracket]}]);
    let unified = json!({"ABC/USDT:USDT": [{"tier": 1.0, "info": {"bracket": "1", "initialLeverage": "75",
        "notionalCap": "5000", "notionalFloor": "0", "maintMarginRatio": "0.01", "cum": "0.0"}}]});
    let one = brackets_from_json(&venue).unwrap();
    assert_eq!(one, brackets_from_json(&unified).unwrap());
    assert_eq!(one, brackets_from_json(&venue[0]).unwrap());
    assert_eq!(one["ABCUSDT"][0].maint_ratio, d("0.01"));
    assert!(brackets_from_json(&json!({"A/B:B": [{"info": {}}]})).is_err());
}

#[test]
fn builtin_rules_are_sound_and_their_brackets_continuous() {
    let builtin = InstrumentRules::builtin();
    assert_eq!(builtin.len(), 7);
    for rules in builtin {
        rules.validate().unwrap();
        for pair in rules.brackets.windows(2) {
            let at = pair[0].notional_cap;
            let maint = |b: &Bracket| at * b.maint_ratio - b.cum;
            assert_eq!(maint(&pair[0]), maint(&pair[1]), "{}", rules.symbol);
            assert_eq!(pair[1].notional_floor, at);
            assert!(pair[0].initial_leverage > pair[1].initial_leverage);
        }
    }
}

#[test]
fn rules_beyond_reason_are_refused() {
    let good = InstrumentRules::builtin().remove(0);
    let mut bad = good.clone();
    bad.percent_price_up = Some(Decimal::MAX);
    assert!(bad.validate().is_err());
    let mut bad = good.clone();
    bad.brackets[0].maint_ratio = d("1.1");
    assert!(bad.validate().is_err());
    let mut bad = good.clone();
    bad.brackets.clear();
    assert!(bad.validate().is_err());
    let mut bad = good;
    bad.tick = d("0.000000001");
    assert!(bad.validate().is_err());
}

#[test]
fn recorded_instrument_files_are_read_whole_and_can_be_listed() {
    for (file, count) in [
        ("instruments/binance_um_exchangeInfo_mainnet_2021-09-06.json", 133),
        ("instruments/binance_um_exchangeInfo_mainnet_2023_ccxt-static_subset.json", 5),
        ("instruments/binance_um_exchangeInfo_testnet_2025-11-26_subset.json", 22),
    ] {
        let Some(json) = recorded(file) else { return };
        let all = InstrumentRules::from_exchange_info_json(&json).unwrap();
        assert_eq!(all.len(), count, "{file}");
        let mut venue = Venue::new(VenueConfig::default());
        for rules in all {
            let price = rules.min_price.max(rules.tick) * Decimal::from(100);
            venue.apply(0, &Command::List { rules: Box::new(rules), price }, &mut Vec::new()).unwrap();
        }
    }
}

#[test]
fn recorded_brackets_are_read_and_continuous() {
    let Some(json) = recorded("instruments/binance_um_leverage_brackets_2024-10.json") else { return };
    let table = brackets_from_json(&json).unwrap();
    assert_eq!(table.len(), 8);
    assert_eq!(table["BTCUSDT"][0].initial_leverage, 125);
    assert_eq!(table["BTCUSDT"].last().unwrap().cum, d("421481450"));
    let rules = InstrumentRules::builtin().remove(0).with_brackets(&table);
    assert_eq!(rules.max_notional(20), d("100000000"));
    rules.validate().unwrap();
}

#[test]
fn scaled_prices_become_ticks_like_decimals_do() {
    let rules = InstrumentRules::builtin().remove(0);
    for (mantissa, scale) in [(5_000_012, 2), (5_000_015, 2), (50_000, 0), (499_999_999_999, 7), (1, 8)] {
        let exact = Decimal::new(mantissa, scale);
        assert_eq!(rules.ticks_from_scaled(mantissa, scale), rules.ticks_nearest(exact), "{exact}");
    }
    assert_eq!(rules.ticks_from_scaled(1, 60), None);
    assert_eq!(rules.ticks_exact(d("50000.05")), None);
    assert_eq!(rules.steps_exact(d("0.0015")), None);
}

#[test]
fn wire_texts_read_back() {
    for value in OrderType::ALL {
        assert_eq!(OrderType::parse(value.as_str()), Some(*value));
        assert_eq!(serde_json::to_value(value).unwrap(), json!(value.as_str()));
    }
    assert_eq!(Side::parse("buy"), None);
}
