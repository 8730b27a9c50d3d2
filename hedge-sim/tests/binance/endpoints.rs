//! Every endpoint over a real connection: what it is asked, and the fields that its answer must have.
//!
//! Source of the fields: fact sheet 4.1 to 4.10 and 5.4.

use std::collections::BTreeSet;

use hedge_sim::binance::ApiKey;
use reqwest::Method;
use serde_json::Value;

use crate::kit::{Desk, config};

/// Who asks.
#[derive(Clone, Copy, PartialEq)]
enum As {
    Nobody,
    Key,
    Owner,
}
use As::{Key, Nobody, Owner};

/// Method, path, who asks, query, and the answer: `[]` rows or `{}` an object, then `name:type` where the type is
/// `s` text, `d` a decimal as text, `i` a whole number, `n` a number, `b` true or false, `a` a list, `o` an object.
type Row = (&'static str, &'static str, As, &'static str, &'static str);

const KLINE: &str = "[] 0:i 1:d 2:d 3:d 4:d 5:d 6:i 7:d 8:i 9:d 10:d 11:d";
const ORDER: &str = "{} orderId:i symbol:s status:s clientOrderId:s price:d origQty:d executedQty:d timeInForce:s type:s reduceOnly:b closePosition:b side:s positionSide:s stopPrice:d workingType:s priceProtect:b origType:s priceMatch:s selfTradePreventionMode:s goodTillDate:i updateTime:i";
const ORDER_ROW: &str = "[] orderId:i symbol:s status:s clientOrderId:s price:d avgPrice:d origQty:d executedQty:d cumQuote:d timeInForce:s type:s reduceOnly:b side:s positionSide:s origType:s time:i updateTime:i";
const ALGO: &str = "{} algoId:i clientAlgoId:s algoType:s orderType:s symbol:s side:s positionSide:s timeInForce:s quantity:d algoStatus:s triggerPrice:d price:d selfTradePreventionMode:s workingType:s priceMatch:s closePosition:b priceProtect:b reduceOnly:b createTime:i updateTime:i triggerTime:i goodTillDate:i";
const ALGO_ROW: &str = "[] algoId:i clientAlgoId:s orderType:s symbol:s algoStatus:s actualOrderId:s triggerPrice:d createTime:i";
const ACCOUNT: &str = "{} totalInitialMargin:d totalMaintMargin:d totalWalletBalance:d totalUnrealizedProfit:d totalMarginBalance:d availableBalance:d maxWithdrawAmount:d assets:a positions:a";
const BALANCE: &str = "[] accountAlias:s asset:s balance:d crossWalletBalance:d crossUnPnl:d availableBalance:d maxWithdrawAmount:d marginAvailable:b updateTime:i";
const RATIO: &str = "[] symbol:s longShortRatio:d longAccount:d shortAccount:d timestamp:i";
const DONE: &str = "{} code:i msg:s";
const PERIOD: &str = "symbol=ETHUSDT&period=1h&limit=5";

const TABLE: [Row; 87] = [
    ("GET", "/fapi/v1/ping", Nobody, "", "{}"),
    ("GET", "/fapi/v1/time", Nobody, "", "{} serverTime:i"),
    (
        "GET",
        "/fapi/v1/exchangeInfo",
        Nobody,
        "",
        "{} timezone:s serverTime:i futuresType:s rateLimits:a exchangeFilters:a assets:a symbols:a",
    ),
    ("GET", "/fapi/v1/klines", Nobody, "symbol=ETHUSDT&interval=1m&limit=3", KLINE),
    (
        "GET",
        "/fapi/v1/continuousKlines",
        Nobody,
        "pair=ETHUSDT&contractType=PERPETUAL&interval=1m&limit=3",
        KLINE,
    ),
    ("GET", "/fapi/v1/indexPriceKlines", Nobody, "pair=ETHUSDT&interval=1m&limit=3", KLINE),
    ("GET", "/fapi/v1/markPriceKlines", Nobody, "symbol=ETHUSDT&interval=1m&limit=3", KLINE),
    ("GET", "/fapi/v1/premiumIndexKlines", Nobody, "symbol=ETHUSDT&interval=1m&limit=3", KLINE),
    (
        "GET",
        "/fapi/v1/premiumIndex",
        Nobody,
        "symbol=ETHUSDT",
        "{} symbol:s markPrice:d indexPrice:d estimatedSettlePrice:d lastFundingRate:d interestRate:d nextFundingTime:i time:i",
    ),
    (
        "GET",
        "/fapi/v1/fundingRate",
        Nobody,
        "symbol=ETHUSDT&limit=3",
        "[] symbol:s fundingRate:d fundingTime:i markPrice:d rateType:s",
    ),
    ("GET", "/fapi/v1/fundingInfo", Nobody, "", "a"),
    (
        "GET",
        "/fapi/v1/ticker/bookTicker",
        Nobody,
        "symbol=ETHUSDT",
        "{} symbol:s bidPrice:d bidQty:d askPrice:d askQty:d time:i",
    ),
    ("GET", "/fapi/v1/ticker/price", Nobody, "symbol=ETHUSDT", "{} symbol:s price:d time:i"),
    ("GET", "/fapi/v2/ticker/price", Nobody, "", "[] symbol:s price:d time:i"),
    (
        "GET",
        "/fapi/v1/ticker/24hr",
        Nobody,
        "symbol=ETHUSDT",
        "{} symbol:s priceChange:d priceChangePercent:d weightedAvgPrice:d lastPrice:d lastQty:d openPrice:d highPrice:d lowPrice:d volume:d quoteVolume:d openTime:i closeTime:i firstId:i lastId:i count:i",
    ),
    ("GET", "/fapi/v1/depth", Nobody, "symbol=ETHUSDT&limit=5", "{} lastUpdateId:i E:i T:i bids:a asks:a"),
    (
        "GET",
        "/fapi/v1/rpiDepth",
        Nobody,
        "symbol=ETHUSDT&limit=1000",
        "{} lastUpdateId:i E:i T:i bids:a asks:a",
    ),
    ("GET", "/fapi/v1/openInterest", Nobody, "symbol=ETHUSDT", "{} openInterest:d symbol:s time:i"),
    ("GET", "/fapi/v1/constituents", Nobody, "symbol=ETHUSDT", "{} symbol:s time:i constituents:a"),
    ("GET", "/fapi/v1/indexInfo", Nobody, "", "[] symbol:s time:i component:s baseAssetList:a"),
    (
        "GET",
        "/fapi/v1/assetIndex",
        Nobody,
        "symbol=ETHUSD",
        "{} symbol:s time:i index:d bidBuffer:d askBuffer:d bidRate:d askRate:d autoExchangeBidBuffer:d autoExchangeAskBuffer:d autoExchangeBidRate:d autoExchangeAskRate:d",
    ),
    ("GET", "/fapi/v1/insuranceBalance", Nobody, "symbol=ETHUSDT", "{} symbols:a assets:a"),
    ("GET", "/fapi/v1/symbolAdlRisk", Nobody, "symbol=ETHUSDT", "{} symbol:s adlRisk:s updateTime:i"),
    ("GET", "/fapi/v1/tradingSchedule", Nobody, "", "{} updateTime:i marketSchedules:o"),
    (
        "GET",
        "/futures/data/openInterestHist",
        Nobody,
        PERIOD,
        "[] symbol:s sumOpenInterest:d sumOpenInterestValue:d timestamp:i",
    ),
    ("GET", "/futures/data/globalLongShortAccountRatio", Nobody, PERIOD, RATIO),
    ("GET", "/futures/data/topLongShortAccountRatio", Nobody, PERIOD, RATIO),
    ("GET", "/futures/data/topLongShortPositionRatio", Nobody, PERIOD, RATIO),
    (
        "GET",
        "/futures/data/takerlongshortRatio",
        Nobody,
        PERIOD,
        "[] buySellRatio:d buyVol:d sellVol:d timestamp:i",
    ),
    (
        "GET",
        "/futures/data/basis",
        Nobody,
        "pair=ETHUSDT&contractType=PERPETUAL&period=1h",
        "[] pair:s contractType:s indexPrice:d futuresPrice:d basis:d basisRate:d annualizedBasisRate:s timestamp:i",
    ),
    ("GET", "/futures/data/delivery-price", Nobody, "pair=ETHUSDT", "a"),
    (
        "GET",
        "/fapi/v1/historicalTrades",
        Key,
        "symbol=ETHUSDT&limit=3",
        "[] id:i price:d qty:d quoteQty:d time:i isBuyerMaker:b isRPITrade:b",
    ),
    ("GET", "/fapi/v1/aggTrades", Nobody, "symbol=ETHUSDT&limit=3", "[] a:i p:d q:d nq:d f:i l:i T:i m:b"),
    (
        "GET",
        "/fapi/v1/trades",
        Nobody,
        "symbol=ETHUSDT&limit=3",
        "[] id:i price:d qty:d quoteQty:d time:i isBuyerMaker:b isRPITrade:b",
    ),
    // The account: hedge mode, a long and a short leg of ETHUSDT.
    ("GET", "/fapi/v1/positionSide/dual", Owner, "", "{} dualSidePosition:b"),
    ("POST", "/fapi/v1/positionSide/dual", Owner, "dualSidePosition=true", DONE),
    (
        "POST",
        "/fapi/v1/leverage",
        Owner,
        "symbol=ETHUSDT&leverage=10",
        "{} leverage:i maxNotionalValue:d symbol:s",
    ),
    ("POST", "/fapi/v1/marginType", Owner, "symbol=BTCUSDT&marginType=ISOLATED", DONE),
    (
        "POST",
        "/fapi/v1/order/test",
        Owner,
        "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5",
        ORDER,
    ),
    (
        "POST",
        "/fapi/v1/order",
        Owner,
        "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5",
        ORDER,
    ),
    (
        "POST",
        "/fapi/v1/order",
        Owner,
        "symbol=BTCUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.01",
        ORDER,
    ),
    (
        "POST",
        "/fapi/v1/order",
        Owner,
        "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=LIMIT&timeInForce=GTC&quantity=0.1&price={low}&newClientOrderId=rests",
        ORDER,
    ),
    (
        "PUT",
        "/fapi/v1/order",
        Owner,
        "symbol=ETHUSDT&side=BUY&quantity=0.2&price={low}&origClientOrderId=rests&modifyId=7",
        "{} orderId:i symbol:s pair:s status:s origQty:d modifyId:i updateTime:i",
    ),
    ("GET", "/fapi/v1/order", Owner, "symbol=ETHUSDT&origClientOrderId=rests", ORDER),
    ("GET", "/fapi/v1/openOrder", Owner, "symbol=ETHUSDT&origClientOrderId=rests", ORDER),
    ("GET", "/fapi/v1/openOrders", Owner, "symbol=ETHUSDT", ORDER_ROW),
    ("GET", "/fapi/v1/allOrders", Owner, "symbol=ETHUSDT", ORDER_ROW),
    (
        "GET",
        "/fapi/v1/orderAmendment",
        Owner,
        "symbol=ETHUSDT",
        "[] amendmentId:i symbol:s pair:s orderId:i clientOrderId:s time:i amendment:o",
    ),
    (
        "POST",
        "/fapi/v1/batchOrders",
        Owner,
        "batchOrders=%5B%7B%22symbol%22%3A%22ETHUSDT%22%2C%22side%22%3A%22SELL%22%2C%22positionSide%22%3A%22SHORT%22%2C%22type%22%3A%22MARKET%22%2C%22quantity%22%3A%220.2%22%7D%5D",
        "[] orderId:i symbol:s status:s clientOrderId:s",
    ),
    (
        "PUT",
        "/fapi/v1/batchOrders",
        Owner,
        "batchOrders=%5B%7B%22symbol%22%3A%22ETHUSDT%22%2C%22side%22%3A%22BUY%22%2C%22origClientOrderId%22%3A%22rests%22%2C%22quantity%22%3A%220.3%22%2C%22price%22%3A%22{low}%22%7D%5D",
        "[] orderId:i symbol:s origQty:d",
    ),
    (
        "GET",
        "/fapi/v1/userTrades",
        Owner,
        "symbol=ETHUSDT",
        "[] id:i orderId:i symbol:s side:s positionSide:s price:d qty:d quoteQty:d realizedPnl:d commission:d commissionAsset:s marginAsset:s time:i buyer:b maker:b",
    ),
    (
        "POST",
        "/fapi/v1/countdownCancelAll",
        Owner,
        "symbol=ETHUSDT&countdownTime=120000",
        "{} symbol:s countdownTime:d",
    ),
    ("GET", "/fapi/v1/forceOrders", Owner, "symbol=BTCUSDT&autoCloseType=ADL", ORDER_ROW),
    ("DELETE", "/fapi/v1/order", Owner, "symbol=ETHUSDT&origClientOrderId=rests", ORDER),
    (
        "POST",
        "/fapi/v1/order",
        Owner,
        "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=LIMIT&timeInForce=GTC&quantity=0.1&price={low}&newClientOrderId=again",
        ORDER,
    ),
    (
        "DELETE",
        "/fapi/v1/batchOrders",
        Owner,
        "symbol=ETHUSDT&origClientOrderIdList=%5B%22again%22%5D",
        "[] orderId:i symbol:s status:s",
    ),
    ("DELETE", "/fapi/v1/allOpenOrders", Owner, "symbol=ETHUSDT", DONE),
    (
        "POST",
        "/fapi/v1/algoOrder",
        Owner,
        "algoType=CONDITIONAL&symbol=ETHUSDT&side=SELL&positionSide=LONG&type=STOP_MARKET&quantity=0.1&triggerPrice={low}&clientAlgoId=stop",
        ALGO,
    ),
    ("GET", "/fapi/v1/algoOrder", Owner, "clientAlgoId=stop", ALGO),
    ("GET", "/fapi/v1/openAlgoOrders", Owner, "symbol=ETHUSDT", ALGO_ROW),
    ("GET", "/fapi/v1/allAlgoOrders", Owner, "symbol=ETHUSDT", ALGO_ROW),
    ("DELETE", "/fapi/v1/algoOrder", Owner, "clientAlgoId=stop", "{} algoId:i clientAlgoId:s code:d msg:s"),
    ("DELETE", "/fapi/v1/algoOpenOrders", Owner, "symbol=ETHUSDT", DONE),
    ("GET", "/fapi/v2/account", Owner, "", ACCOUNT),
    ("GET", "/fapi/v3/account", Owner, "", ACCOUNT),
    ("GET", "/fapi/v2/balance", Owner, "", BALANCE),
    ("GET", "/fapi/v3/balance", Owner, "", BALANCE),
    (
        "GET",
        "/fapi/v2/positionRisk",
        Owner,
        "symbol=ETHUSDT",
        "[] symbol:s positionSide:s positionAmt:d entryPrice:d breakEvenPrice:d markPrice:d unRealizedProfit:d liquidationPrice:d leverage:d maxNotionalValue:d marginType:s isolatedMargin:d isAutoAddMargin:s notional:d isolatedWallet:d updateTime:i",
    ),
    (
        "GET",
        "/fapi/v3/positionRisk",
        Owner,
        "symbol=ETHUSDT",
        "[] symbol:s positionSide:s positionAmt:d entryPrice:d breakEvenPrice:d markPrice:d unRealizedProfit:d liquidationPrice:d isolatedMargin:d notional:d marginAsset:s isolatedWallet:d initialMargin:d maintMargin:d positionInitialMargin:d openOrderInitialMargin:d adl:i bidNotional:d askNotional:d updateTime:i",
    ),
    (
        "GET",
        "/fapi/v1/symbolConfig",
        Owner,
        "symbol=ETHUSDT",
        "[] symbol:s marginType:s isAutoAddMargin:b leverage:i maxNotionalValue:d",
    ),
    (
        "GET",
        "/fapi/v1/accountConfig",
        Owner,
        "",
        "{} feeTier:i canTrade:b canDeposit:b canWithdraw:b dualSidePosition:b updateTime:i multiAssetsMargin:b tradeGroupId:i",
    ),
    ("GET", "/fapi/v1/leverageBracket", Owner, "symbol=ETHUSDT", "[] symbol:s brackets:a"),
    (
        "GET",
        "/fapi/v1/commissionRate",
        Owner,
        "symbol=ETHUSDT",
        "{} symbol:s makerCommissionRate:d takerCommissionRate:d rpiCommissionRate:d",
    ),
    (
        "GET",
        "/fapi/v1/income",
        Owner,
        "symbol=ETHUSDT",
        "[] symbol:s incomeType:s income:d asset:s info:s time:i tranId:i tradeId:s",
    ),
    (
        "POST",
        "/fapi/v1/positionMargin",
        Owner,
        "symbol=BTCUSDT&positionSide=LONG&amount=5&type=1",
        "{} amount:n code:i msg:s type:i",
    ),
    (
        "GET",
        "/fapi/v1/positionMargin/history",
        Owner,
        "symbol=BTCUSDT",
        "[] symbol:s type:i deltaType:s amount:d asset:s time:i positionSide:s",
    ),
    ("GET", "/fapi/v1/adlQuantile", Owner, "symbol=ETHUSDT", "[] symbol:s adlQuantile:o"),
    ("GET", "/fapi/v1/apiTradingStatus", Owner, "", "{} indicators:o updateTime:i"),
    ("GET", "/fapi/v1/rateLimit/order", Owner, "", "[] rateLimitType:s interval:s intervalNum:i limit:i"),
    ("GET", "/fapi/v1/feeBurn", Owner, "", "{} feeBurn:b"),
    ("POST", "/fapi/v1/feeBurn", Owner, "feeBurn=true", DONE),
    ("GET", "/fapi/v1/multiAssetsMargin", Owner, "", "{} multiAssetsMargin:b"),
    ("POST", "/fapi/v1/marginType", Owner, "symbol=BTCUSDT&marginType=CROSSED", DONE),
    ("POST", "/fapi/v1/multiAssetsMargin", Owner, "multiAssetsMargin=true", DONE),
    ("POST", "/fapi/v1/listenKey", Key, "", "{} listenKey:s"),
    ("PUT", "/fapi/v1/listenKey", Key, "", "{} listenKey:s"),
    ("DELETE", "/fapi/v1/listenKey", Key, "", "{}"),
];

#[tokio::test]
async fn every_endpoint_answers_with_the_fields_of_the_fact_sheet() {
    let desk = Desk::open(config()).await;
    let low = format!("{:.2}", desk.last("ETHUSDT").await * 0.97);
    let mut asked = BTreeSet::new();
    for (method, path, who, query, shape) in TABLE {
        let query = query.replace("{low}", &low);
        if path == "/fapi/v1/forceOrders" {
            // One leg was taken away, so that there is something to tell.
            let body = r#"{"symbol":"BTCUSDT","position_side":"LONG","by":"adl","qty":"0.005"}"#;
            desk.send(Method::POST, "/sim/force", "", Some(body), None).await.ok();
        }
        if method == "POST" && path == "/fapi/v1/marginType" && query.ends_with("CROSSED") {
            let body = r#"{"symbol":"BTCUSDT","position_side":"LONG","by":"adl"}"#;
            desk.send(Method::POST, "/sim/force", "", Some(body), None).await.ok();
        }
        let method_ = Method::from_bytes(method.as_bytes()).unwrap();
        let reply = match who {
            Nobody => desk.get(path, &query).await,
            Key => desk.send(method_, path, &query, None, Some(ApiKey::DEMO_KEY)).await,
            Owner => desk.signed(method_, path, &query).await,
        };
        assert_eq!(reply.status, 200, "{method} {path}?{query}: {}", reply.json);
        check(&reply.json, shape, &format!("{method} {path}"));
        asked.insert((method, path));
        if who == Owner {
            // Nobody gets in without a key.
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            desk.send(method, path, &query, None, None).await.refused(401, -2014);
        }
    }
    let served: BTreeSet<(&str, &str)> = hedge_sim::binance::endpoints().collect();
    assert_eq!(served.difference(&asked).collect::<Vec<_>>(), Vec::<&(&str, &str)>::new(), "not asked");
}

fn check(answer: &Value, shape: &str, place: &str) {
    let (kind, fields) = shape.split_once(' ').unwrap_or((shape, ""));
    let row = match kind {
        "a" => return assert!(answer.is_array(), "{place}: {answer}"),
        "[]" => answer.get(0).unwrap_or_else(|| panic!("{place} has no rows: {answer}")),
        _ => answer,
    };
    for field in fields.split_whitespace() {
        let (name, kind) = field.split_once(':').unwrap();
        let value = match name.parse::<usize>() {
            Ok(at) => row.get(at),
            Err(_) => row.get(name),
        };
        let value = value.unwrap_or_else(|| panic!("{place} has no {name}: {row}"));
        let fits = match kind {
            "s" => value.is_string(),
            "d" => value.as_str().is_some_and(|text| text.parse::<rust_decimal::Decimal>().is_ok()),
            "i" => value.is_i64() || value.is_u64(),
            "n" => value.is_number(),
            "b" => value.is_boolean(),
            "a" => value.is_array(),
            "o" => value.is_object(),
            other => panic!("no such type: {other}"),
        };
        assert!(fits, "{place}: {name} is {value}, expected type {kind}");
    }
}
