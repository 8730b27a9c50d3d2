use hedge_sim::binance::{Environment, ExchangeConfig};
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Desk, at_speed, config, number};

fn rows(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

#[tokio::test]
async fn exchange_info_has_the_venues_shape() {
    let desk = Desk::open(config()).await;
    let info = desk.get("/fapi/v1/exchangeInfo", "").await.ok();
    let weight = &info["rateLimits"][0];
    assert_eq!((&weight["rateLimitType"], &weight["limit"]), (&"REQUEST_WEIGHT".into(), &6_000.into()));
    assert_eq!(rows(&info["symbols"]).len(), 2);
    let eth = &info["symbols"][1];
    assert_eq!(
        (&eth["symbol"], &eth["contractType"], &eth["status"]),
        (&"ETHUSDT".into(), &"PERPETUAL".into(), &"TRADING".into())
    );
    let filter = |kind: &str| rows(&eth["filters"]).iter().find(|f| f["filterType"] == kind).unwrap().clone();
    assert_eq!(filter("PRICE_FILTER")["tickSize"], "0.01");
    assert_eq!(filter("MAX_NUM_ORDERS")["limit"], 10_000);
    assert!(filter("MIN_NOTIONAL")["notional"].is_string() && eth["pricePrecision"].is_i64());
}

#[tokio::test]
async fn klines_reach_back_and_longer_ones_are_the_sum_of_shorter_ones() {
    let desk = Desk::open(config()).await;
    for interval in ["1m", "15m", "1h", "1d", "1w", "1M"] {
        let klines =
            desk.get("/fapi/v1/klines", &format!("symbol=BTCUSDT&interval={interval}&limit=1500")).await.ok();
        let count = rows(&klines).len();
        if interval == "1M" {
            assert!((443..1_500).contains(&count), "as many months as there are since 1990: {count}");
            assert_eq!(klines[0][0], 631_152_000_000_i64);
        } else {
            assert_eq!(count, 1_500, "{interval}");
        }
        let last = rows(&klines).last().unwrap();
        assert_eq!(rows(last).len(), 12);
        assert!(last[0].is_i64() && last[1].is_string() && last[8].is_i64());
        assert!(last[6].as_i64().unwrap() >= desk.exchange.now_ms(), "the last row is the unfinished one");
    }
    let quarter = desk.get("/fapi/v1/klines", "symbol=ETHUSDT&interval=15m&limit=3").await.ok()[0].clone();
    let from = quarter[0].as_i64().unwrap();
    let query = format!("symbol=ETHUSDT&interval=1m&startTime={from}&endTime={}", from + 899_999);
    let minutes = desk.get("/fapi/v1/klines", &query).await.ok();
    assert_eq!(rows(&minutes).len(), 15);
    let volume: f64 = rows(&minutes).iter().map(|row| number(&row[5])).sum();
    assert!((volume - number(&quarter[5])).abs() < 1e-6);
    assert_eq!((&minutes[0][1], &minutes[14][4]), (&quarter[1], &quarter[4]));
}

#[tokio::test]
async fn the_demo_venue_lists_other_filters_than_the_main_net() {
    let mut seen = Vec::new();
    for environment in [Environment::Demo, Environment::Mainnet] {
        let desk = Desk::open(ExchangeConfig { environment, ..config() }).await;
        let btc = desk.get("/fapi/v1/exchangeInfo", "").await.ok()["symbols"][0].clone();
        let filter =
            |kind: &str| rows(&btc["filters"]).iter().find(|f| f["filterType"] == kind).unwrap().clone();
        seen.push([
            filter("LOT_SIZE")["stepSize"].clone(),
            filter("MARKET_LOT_SIZE")["minQty"].clone(),
            btc["quantityPrecision"].clone(),
            filter("MAX_NUM_ORDERS")["limit"].clone(),
            btc["marketTakeBound"].clone(),
        ]);
    }
    assert_eq!(json!(seen[0]), json!(["0.0001", "0.0001", 4, 10_000, "0.30"]));
    assert_eq!(json!(seen[1]), json!(["0.001", "0.001", 3, 200, "0.05"]));
}

#[tokio::test]
async fn nobody_waits_for_klines_that_somebody_else_asked_for() {
    let desk = Desk::open(config()).await;
    let months = desk.get("/fapi/v1/klines", "symbol=BTCUSDT&interval=1M&limit=1500");
    let others = async {
        let mut waits = Vec::new();
        // The first calls open their connections.
        for _ in 0..40 {
            let asked = std::time::Instant::now();
            desk.get("/fapi/v1/time", "").await.ok();
            waits.push(asked.elapsed());
        }
        (std::time::Instant::now(), waits)
    };
    let months = async { (months.await.ok(), std::time::Instant::now()) };
    let ((months, answered), (others_done, waits)) = tokio::join!(months, others);
    assert!(rows(&months).len() > 400);
    assert!(others_done < answered, "forty answers came while the months were summed: {waits:?}");
}

#[tokio::test]
async fn klines_refuse_what_the_venue_refuses() {
    let desk = Desk::open(config()).await;
    let klines = |query: &'static str| desk.get("/fapi/v1/klines", query);
    klines("symbol=BTCUSDT&interval=1m&limit=1501").await.refused(400, -1130);
    klines("symbol=BTCUSDT&interval=1s").await.refused(400, -1120);
    klines("symbol=BTCUSDT").await.refused(400, -1102);
    klines("symbol=XUSDT&interval=1m").await.refused(400, -1121);
    klines("symbol=BTCUSDT&interval=1m&startTime=9&endTime=8").await.refused(400, -1023);
}

#[tokio::test]
async fn funding_has_a_past_and_a_next_time() {
    let desk = Desk::open(config()).await;
    let paid = desk.get("/fapi/v1/fundingRate", "symbol=BTCUSDT&limit=1000").await;
    assert_eq!(paid.header("x-mbx-used-weight-1m"), None, "the funding pool has no weight");
    let paid = paid.ok();
    assert_eq!(rows(&paid).len(), 1_000);
    let (first, last) = (&paid[0], &paid[999]);
    assert!(first["fundingTime"].as_i64() < last["fundingTime"].as_i64());
    assert_eq!(last["rateType"], "Regular");
    let premium = desk.get("/fapi/v1/premiumIndex", "symbol=BTCUSDT").await.ok();
    let next = premium["nextFundingTime"].as_i64().unwrap();
    assert_eq!(next - last["fundingTime"].as_i64().unwrap(), 8 * 3_600_000);
    assert_eq!(rows(&desk.get("/fapi/v1/premiumIndex", "").await.ok()).len(), 2);
    assert_eq!(desk.get("/fapi/v1/fundingInfo", "").await.ok(), serde_json::json!([]));
}

#[tokio::test]
async fn the_book_is_deep_and_its_limits_are_the_venues() {
    let desk = Desk::open(config()).await;
    let book = desk.get("/fapi/v1/depth", "symbol=ETHUSDT&limit=1000").await.ok();
    let (bid, ask) = (number(&book["bids"][0][0]), number(&book["asks"][0][0]));
    assert!(bid < ask && book["lastUpdateId"].is_i64());
    let deepest = number(&rows(&book["bids"]).last().unwrap()[0]);
    assert!(
        (0.96..0.98).contains(&(deepest / bid)),
        "the book reaches 3 % from the best price, {deepest} {bid}"
    );
    assert_eq!(rows(&desk.get("/fapi/v1/depth", "symbol=ETHUSDT&limit=5").await.ok()["asks"]).len(), 5);
    desk.get("/fapi/v1/depth", "symbol=ETHUSDT&limit=7").await.refused(400, -4021);
    let ticker = desk.get("/fapi/v1/ticker/bookTicker", "symbol=ETHUSDT").await.ok();
    assert!(number(&ticker["bidPrice"]) < number(&ticker["askPrice"]));
    assert_eq!(rows(&desk.get("/fapi/v1/ticker/bookTicker", "").await.ok()).len(), 2);
}

#[tokio::test]
async fn public_trades_have_a_past_and_ids_without_holes() {
    let desk = Desk::open(config()).await;
    let aggregated = desk.get("/fapi/v1/aggTrades", "symbol=BTCUSDT&limit=1000").await.ok();
    let id = |row: &Value| row["a"].as_i64().unwrap();
    assert_eq!(rows(&aggregated).len(), 1_000);
    assert_eq!(id(&aggregated[999]) - id(&aggregated[0]), 999);
    let again = desk
        .get("/fapi/v1/aggTrades", &format!("symbol=BTCUSDT&fromId={}&limit=2", id(&aggregated[500])))
        .await
        .ok();
    assert_eq!(again[0], aggregated[500]);
    let start = aggregated[0]["T"].as_i64().unwrap();
    let window = format!("symbol=BTCUSDT&startTime={start}&endTime={}", start + 3_600_000);
    desk.get("/fapi/v1/aggTrades", &window).await.refused(400, -1127);
    let trades = desk.get("/fapi/v1/trades", "symbol=BTCUSDT&limit=10").await.ok();
    assert!(trades[9]["isBuyerMaker"].is_boolean() && trades[9]["qty"].is_string());
}

#[tokio::test]
async fn day_figures_and_plain_prices_agree() {
    let desk = Desk::open(config()).await;
    let day = desk.get("/fapi/v1/ticker/24hr", "symbol=ETHUSDT").await.ok();
    assert!(
        number(&day["lowPrice"]) <= number(&day["lastPrice"])
            && number(&day["lastPrice"]) <= number(&day["highPrice"])
    );
    assert!(day["count"].as_i64().unwrap() > 10_000 && number(&day["quoteVolume"]) > 0.0);
    assert_eq!(rows(&desk.get("/fapi/v1/ticker/price", "").await.ok()).len(), 2);
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_not_found() {
    let desk = Desk::open(config()).await;
    desk.get("/fapi/v1/nothing", "").await.refused(404, -5000);
    desk.send(Method::POST, "/fapi/v1/time", "", None, None).await.refused(404, -5000);
}

#[tokio::test]
async fn a_fast_market_settles_funding_on_open_legs() {
    let desk = Desk::hedged(at_speed(20_000.0)).await;
    desk.order("symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5").await.ok();
    let paid = async {
        loop {
            let rows = desk.signed(Method::GET, "/fapi/v1/income", "incomeType=FUNDING_FEE").await.ok();
            if let Some(row) = rows.as_array().unwrap().first() {
                return row.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let row = tokio::time::timeout(crate::kit::PATIENCE, paid).await.unwrap();
    assert_eq!((&row["symbol"], &row["asset"]), (&"ETHUSDT".into(), &"USDT".into()));
}
