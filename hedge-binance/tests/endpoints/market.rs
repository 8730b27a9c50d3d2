//! Market data, statistics and reference data. The samples are invented; their shapes are the venue's.

use hedge_binance::{Period, Span, wire::text::ContractType};
use hedge_core::{Interval, Timestamp};
use serde_json::{Value, json};

use super::table::{Endpoint, Who};
use crate::typed;

const HOUR: Span = Span { from: Some(Timestamp::from_ms(1_000)), to: Some(Timestamp::from_ms(3_601_000)) };

fn kline() -> Value {
    json!([[
        1795168800000_i64,
        "1.2038",
        "1.2043",
        "1.2037",
        "1.2041",
        "5120.0",
        1795168859999_i64,
        "6164.88",
        23,
        "2110.0",
        "2540.67",
        "0"
    ]])
}

fn filler_kline() -> Value {
    json!([[
        1795168800000_i64,
        "1.2038",
        "1.2043",
        "1.2037",
        "1.2041",
        "0",
        1795168859999_i64,
        "0",
        60,
        "0",
        "0",
        "0"
    ]])
}

fn depth() -> Value {
    json!({"lastUpdateId":880100219_i64,"E":1795168801230_i64,"T":1795168801227_i64,"bids":[["1.2040","350.0"]],
        "asks":[["1.2042","90.5"],["1.2043","1"]]})
}

fn premium() -> Value {
    json!({"symbol":"ETHUSDT","markPrice":"2502.11","indexPrice":"2501.9","estimatedSettlePrice":"2501.8",
        "lastFundingRate":"0.00010000","interestRate":"0.0001","nextFundingTime":1795190400000_i64,
        "time":1795168800000_i64})
}

fn funding() -> Value {
    json!([{"symbol":"ETHUSDT","fundingRate":"0.0001","fundingTime":1795161600000_i64,"markPrice":"2500.1",
        "rateType":"Special"}])
}

fn day() -> Value {
    json!({"symbol":"ETHUSDT","priceChange":"-94.9","priceChangePercent":"-3.95","weightedAvgPrice":"2511.2",
        "lastPrice":"2502.1","lastQty":"0.2","openPrice":"2597","highPrice":"2600","lowPrice":"2480","volume":"8913.3",
        "quoteVolume":"22400000.3","openTime":1795082400000_i64,"closeTime":1795168799999_i64,"firstId":100,
        "lastId":2900,"count":2801})
}

fn price() -> Value {
    json!({"symbol":"ETHUSDT","price":"2502.1","time":1795168800000_i64})
}

fn best() -> Value {
    json!({"symbol":"ETHUSDT","bidPrice":"2502.1","bidQty":"3","askPrice":"2502.2","askQty":"4.5",
        "time":1795168800000_i64})
}

fn trades() -> Value {
    json!([{"id":200340,"price":"1.2041","qty":"310.0","quoteQty":"373.271","time":1795168800950_i64,
        "isBuyerMaker":true,"isRPITrade":false}])
}

fn aggregates() -> Value {
    json!([{"a":91230001,"p":"1.2041","q":"310.0","nq":"300.0","f":200340,"l":200342,"T":1795168800950_i64,"m":true}])
}

fn info() -> Value {
    json!({"timezone":"UTC","serverTime":1795168800000_i64,"futuresType":"U_MARGINED",
      "rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400}],
      "assets":[{"asset":"USDT","marginAvailable":true,"autoAssetExchange":"-9000"}],
      "symbols":[{"symbol":"ABCUSDT","pair":"ABCUSDT","contractType":"TRADIFI_PERPETUAL",
        "deliveryDate":4133404800000_i64,"onboardDate":1790000000000_i64,"status":"TRADING","baseAsset":"ABC",
        "quoteAsset":"USDT","marginAsset":"USDT","pricePrecision":4,"quantityPrecision":1,"baseAssetPrecision":8,
        "quotePrecision":8,"underlyingType":"COIN","underlyingSubType":["Layer-1"],"settlePlan":0,
        "triggerProtect":"0.1000","liquidationFee":"0.015000","marketTakeBound":"0.10","maxMoveOrderLimit":10000,
        "orderTypes":["LIMIT","MARKET","TRAILING_STOP_MARKET"],"timeInForce":["GTC","RPI"],
        "permissionSets":["GRID","COPY"],
        "filters":[
          {"filterType":"PRICE_FILTER","minPrice":"0.0010","maxPrice":"500","tickSize":"0.0001"},
          {"filterType":"LOT_SIZE","minQty":"0.1","maxQty":"900000","stepSize":"0.1"},
          {"filterType":"MARKET_LOT_SIZE","minQty":"0.1","maxQty":"60000","stepSize":"0.1"},
          {"filterType":"MAX_NUM_ORDERS","limit":200},
          {"filterType":"MIN_NOTIONAL","notional":"5"},
          {"filterType":"PERCENT_PRICE","multiplierUp":"1.1000","multiplierDown":"0.9000","multiplierDecimal":"4"},
          {"filterType":"POSITION_RISK_CONTROL","positionControlSide":"NONE"}]}]})
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint {
            answers_anything: true,
            ..Endpoint::public("/fapi/v1/ping", 1, "", json!({}), crate::done!(c => c.rest().ping()))
        },
        Endpoint::public(
            "/fapi/v1/time",
            1,
            "",
            json!({"serverTime":1795168800000_i64}),
            typed!(c => c.rest().time()),
        ),
        Endpoint::public("/fapi/v1/exchangeInfo", 1, "", info(), typed!(c => c.rest().exchange_info())),
        Endpoint::public(
            "/fapi/v1/depth",
            2,
            "symbol=ABCUSDT&limit=50",
            depth(),
            typed!(c => c.rest().depth("ABCUSDT", 50)),
        ),
        Endpoint::public(
            "/fapi/v1/depth",
            20,
            "symbol=ABCUSDT&limit=1000",
            depth(),
            typed!(c => c.rest().depth("ABCUSDT", 1_000)),
        ),
        Endpoint::public(
            "/fapi/v1/rpiDepth",
            20,
            "symbol=ABCUSDT&limit=1000",
            depth(),
            typed!(c => c.rest().rpi_depth("ABCUSDT")),
        ),
        Endpoint::public(
            "/fapi/v1/trades",
            5,
            "symbol=ABCUSDT&limit=7",
            trades(),
            typed!(c => c.rest().trades("ABCUSDT", 7)),
        ),
        Endpoint {
            who: Who::Key,
            ..Endpoint::public(
                "/fapi/v1/historicalTrades",
                200,
                "symbol=ABCUSDT&limit=7&fromId=200340",
                trades(),
                typed!(c => c.rest().historical_trades("ABCUSDT", Some(200_340), 7)),
            )
        },
        Endpoint::public(
            "/fapi/v1/aggTrades",
            20,
            "symbol=ABCUSDT&startTime=1000&endTime=3601000&limit=7",
            aggregates(),
            typed!(c => c.rest().agg_trades("ABCUSDT", HOUR, 7)),
        ),
        Endpoint::public(
            "/fapi/v1/aggTrades",
            20,
            "symbol=ABCUSDT&fromId=91230001&limit=7",
            aggregates(),
            typed!(c => c.rest().agg_trades_from("ABCUSDT", 91_230_001, 7)),
        ),
        Endpoint::public(
            "/fapi/v1/klines",
            10,
            "symbol=ABCUSDT&interval=1m&startTime=1000&endTime=3601000&limit=1500",
            kline(),
            typed!(c => c.rest().klines("ABCUSDT", Interval::M1, HOUR, 1_500)),
        ),
        Endpoint::public(
            "/fapi/v1/continuousKlines",
            1,
            "pair=ABCUSDT&contractType=CURRENT_QUARTER&interval=1m&limit=99",
            kline(),
            typed!(c => c.rest().continuous_klines(
                "ABCUSDT", &ContractType::CurrentQuarter, Interval::M1, Span::default(), 99)),
        ),
        Endpoint::public(
            "/fapi/v1/indexPriceKlines",
            2,
            "pair=ABCUSDT&interval=1m&limit=100",
            filler_kline(),
            typed!(c => c.rest().index_price_klines(
                "ABCUSDT", Interval::M1, Span::default(), 100)),
        ),
        Endpoint::public(
            "/fapi/v1/markPriceKlines",
            5,
            "symbol=ABCUSDT&interval=1m&limit=1000",
            filler_kline(),
            typed!(c => c.rest().mark_price_klines(
                "ABCUSDT", Interval::M1, Span::default(), 1_000)),
        ),
        Endpoint::public(
            "/fapi/v1/premiumIndexKlines",
            5,
            "symbol=ABCUSDT&interval=1m&limit=500",
            filler_kline(),
            typed!(c => c.rest().premium_index_klines(
                "ABCUSDT", Interval::M1, Span::default(), 500)),
        ),
        Endpoint::public(
            "/fapi/v1/premiumIndex",
            1,
            "symbol=ETHUSDT",
            premium(),
            typed!(c => c.rest().premium_index("ETHUSDT")),
        ),
        Endpoint::public(
            "/fapi/v1/premiumIndex",
            10,
            "",
            json!([premium()]),
            typed!(c => c.rest().premium_indices()),
        ),
        Endpoint {
            cost: [0, 0, 0, 1, 0],
            ..Endpoint::public(
                "/fapi/v1/fundingRate",
                0,
                "symbol=ETHUSDT&startTime=1000&endTime=3601000&limit=1000",
                funding(),
                typed!(c => c.rest().funding_rate("ETHUSDT", HOUR, 1_000)),
            )
        },
        Endpoint {
            cost: [0, 0, 0, 1, 0],
            ..Endpoint::public(
                "/fapi/v1/fundingRate",
                0,
                "limit=100",
                funding(),
                typed!(c => c.rest().funding_rates(Span::default(), 100)),
            )
        },
        Endpoint {
            cost: [0, 0, 0, 1, 0],
            ..Endpoint::public(
                "/fapi/v1/fundingInfo",
                0,
                "",
                json!([{"symbol":"ABCUSDT","adjustedFundingRateCap":"0.02","adjustedFundingRateFloor":"-0.02",
                    "fundingIntervalHours":4,"disclaimer":false,"updateTime":1795168800000_i64}]),
                typed!(c => c.rest().funding_info()),
            )
        },
        Endpoint::public(
            "/fapi/v1/ticker/24hr",
            1,
            "symbol=ETHUSDT",
            day(),
            typed!(c => c.rest().day_ticker("ETHUSDT")),
        ),
        Endpoint::public("/fapi/v1/ticker/24hr", 40, "", json!([day()]), typed!(c => c.rest().day_tickers())),
        Endpoint::public(
            "/fapi/v1/ticker/price",
            1,
            "symbol=ETHUSDT",
            price(),
            typed!(c => c.rest().price_ticker_v1("ETHUSDT")),
        ),
        Endpoint::public(
            "/fapi/v1/ticker/price",
            2,
            "",
            json!([price()]),
            typed!(c => c.rest().price_tickers_v1()),
        ),
        Endpoint::public(
            "/fapi/v2/ticker/price",
            1,
            "symbol=ETHUSDT",
            price(),
            typed!(c => c.rest().price_ticker("ETHUSDT")),
        ),
        Endpoint::public(
            "/fapi/v2/ticker/price",
            2,
            "",
            json!([price()]),
            typed!(c => c.rest().price_tickers()),
        ),
        Endpoint::public(
            "/fapi/v1/ticker/bookTicker",
            2,
            "symbol=ETHUSDT",
            best(),
            typed!(c => c.rest().book_ticker("ETHUSDT")),
        ),
        Endpoint::public(
            "/fapi/v1/ticker/bookTicker",
            5,
            "",
            json!([best()]),
            typed!(c => c.rest().book_tickers()),
        ),
        Endpoint::public(
            "/fapi/v1/openInterest",
            1,
            "symbol=ETHUSDT",
            json!({"openInterest":"10659.509","symbol":"ETHUSDT","time":1795168800000_i64}),
            typed!(c => c.rest().open_interest("ETHUSDT")),
        ),
    ]
}

/// A question that the pool of `/futures/data` pays for.
fn statistic(path: &'static str, query: &'static str, answer: Value, call: super::table::Call) -> Endpoint {
    Endpoint { cost: [0, 0, 0, 0, 1], ..Endpoint::public(path, 0, query, answer, call) }
}

fn ratio() -> Value {
    json!([{"symbol":"ETHUSDT","longShortRatio":"1.4342","longAccount":"0.5891","shortAccount":"0.4108",
        "timestamp":1795168800000_i64}])
}

fn asset_index() -> Value {
    json!({"symbol":"ADAUSD","time":1795168800004_i64,"index":"1.9295","bidBuffer":"0.1","askBuffer":"0.1",
        "bidRate":"1.7366","askRate":"2.1225","autoExchangeBidBuffer":"0.05","autoExchangeAskBuffer":"0.05",
        "autoExchangeBidRate":"1.8330","autoExchangeAskRate":"2.0260"})
}

fn fund() -> Value {
    json!({"symbols":["ABCUSDT","DEFUSDT"],
        "assets":[{"asset":"USDT","marginBalance":"793930579.31","updateTime":1795168800000_i64}]})
}

fn adl_risk() -> Value {
    json!({"symbol":"ETHUSDT","adlRisk":"low","updateTime":1795168800002_i64})
}

pub(crate) fn statistics() -> Vec<Endpoint> {
    let index = json!([{"symbol":"DEFIUSDT","time":1795168800011_i64,"component":"baseAsset","baseAssetList":[
        {"baseAsset":"BAL","quoteAsset":"USDT","weightInQuantity":"1.04","weightInPercentage":"0.0278"}]}]);
    let parts = json!({"symbol":"ETHUSDT","time":1795168803408_i64,"constituents":[
        {"exchange":"binance","symbol":"ETHUSDT","price":"2502.03","weight":"0.51282051"},
        {"exchange":"hidden","symbol":"ETH-USDT","price":"-1","weight":"0.4"}]});
    let sessions = json!({"updateTime":1795168803918_i64,"marketSchedules":{
        "EQUITY":{"sessions":[
            {"startTime":1795132800000_i64,"endTime":1795161600000_i64,"type":"OVERNIGHT"},
            {"startTime":1795161600000_i64,"endTime":1795181400000_i64,"type":"PRE_MARKET"}]},
        "COMMODITY":{"sessions":[
            {"startTime":1795132800000_i64,"endTime":1795161600000_i64,"type":"NO_TRADING"}]}}});
    vec![
        statistic(
            "/futures/data/openInterestHist",
            "symbol=ETHUSDT&period=5m&limit=30",
            json!([{"symbol":"ETHUSDT","sumOpenInterest":"20403.63","sumOpenInterestValue":"51500000.1",
                "CMCCirculatingSupply":"120600000.5","timestamp":1795168800000_i64}]),
            typed!(c => c.rest().open_interest_history("ETHUSDT", Period::Minutes5, Span::default(), 30)),
        ),
        statistic(
            "/futures/data/topLongShortAccountRatio",
            "symbol=ETHUSDT&period=15m&limit=30",
            ratio(),
            typed!(c => c.rest().top_account_ratio("ETHUSDT", Period::Minutes15, Span::default(), 30)),
        ),
        statistic(
            "/futures/data/topLongShortPositionRatio",
            "symbol=ETHUSDT&period=1h&limit=30&startTime=1000&endTime=3601000",
            ratio(),
            typed!(c => c.rest().top_position_ratio("ETHUSDT", Period::Hour1, HOUR, 30)),
        ),
        statistic(
            "/futures/data/globalLongShortAccountRatio",
            "symbol=ETHUSDT&period=1d&limit=30",
            ratio(),
            typed!(c => c.rest().global_account_ratio("ETHUSDT", Period::Day1, Span::default(), 30)),
        ),
        statistic(
            "/futures/data/takerlongshortRatio",
            "symbol=ETHUSDT&period=4h&limit=30",
            json!([{"buySellRatio":"1.5586","buyVol":"387.33","sellVol":"248.503","timestamp":1795168800000_i64}]),
            typed!(c => c.rest().taker_volume("ETHUSDT", Period::Hours4, Span::default(), 30)),
        ),
        statistic(
            "/futures/data/basis",
            "pair=ETHUSDT&contractType=PERPETUAL&period=12h&limit=30",
            json!([{"indexPrice":"2501.9","contractType":"PERPETUAL","basisRate":"0.0001","futuresPrice":"2502.1",
                "annualizedBasisRate":"","basis":"0.2","pair":"ETHUSDT","timestamp":1795168800000_i64}]),
            typed!(c => c.rest().basis("ETHUSDT", &ContractType::Perpetual, Period::Hours12, Span::default(), 30)),
        ),
        statistic(
            "/futures/data/delivery-price",
            "pair=ETHUSDT",
            json!([{"deliveryTime":1795161600000_i64,"deliveryPrice":2499.5}]),
            typed!(c => c.rest().delivery_prices("ETHUSDT")),
        ),
        Endpoint::public(
            "/fapi/v1/constituents",
            2,
            "symbol=ETHUSDT",
            parts,
            typed!(c => c.rest().constituents("ETHUSDT")),
        ),
        Endpoint::public("/fapi/v1/indexInfo", 1, "", index, typed!(c => c.rest().index_info(None))),
        Endpoint::public(
            "/fapi/v1/assetIndex",
            1,
            "symbol=ADAUSD",
            asset_index(),
            typed!(c => c.rest().asset_index(Some("ADAUSD"))),
        ),
        Endpoint::public(
            "/fapi/v1/assetIndex",
            10,
            "",
            json!([asset_index()]),
            typed!(c => c.rest().asset_index(None)),
        ),
        Endpoint::public(
            "/fapi/v1/insuranceBalance",
            1,
            "symbol=ABCUSDT",
            fund(),
            typed!(c => c.rest().insurance_funds(Some("ABCUSDT"))),
        ),
        Endpoint::public(
            "/fapi/v1/insuranceBalance",
            1,
            "",
            json!([fund(), fund()]),
            typed!(c => c.rest().insurance_funds(None)),
        ),
        Endpoint::public(
            "/fapi/v1/symbolAdlRisk",
            1,
            "symbol=ETHUSDT",
            adl_risk(),
            typed!(c => c.rest().symbol_adl_risk(Some("ETHUSDT"))),
        ),
        Endpoint::public(
            "/fapi/v1/symbolAdlRisk",
            1,
            "",
            json!([adl_risk(), adl_risk()]),
            typed!(c => c.rest().symbol_adl_risk(None)),
        ),
        Endpoint::public(
            "/fapi/v1/tradingSchedule",
            5,
            "",
            sessions,
            typed!(c => c.rest().trading_schedule()),
        ),
    ]
}
