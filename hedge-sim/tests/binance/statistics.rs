//! Open interest, ratios and indices: made from the market, the same for everybody who asks.

use serde_json::{Value, json};

use crate::kit::{Desk, config, number};

fn rows(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[tokio::test]
async fn rows_end_with_the_last_whole_period_and_are_a_period_apart() {
    let desk = Desk::open(config()).await;
    for path in [
        "openInterestHist",
        "globalLongShortAccountRatio",
        "topLongShortPositionRatio",
        "takerlongshortRatio",
    ] {
        let path = format!("/futures/data/{path}");
        for (period, ms) in [("5m", 300_000), ("4h", 14_400_000), ("1d", 86_400_000)] {
            let before_ms = desk.exchange.now_ms();
            let answer = desk.get(&path, &format!("symbol=ETHUSDT&period={period}&limit=7")).await.ok();
            let times: Vec<i64> =
                rows(&answer).iter().map(|row| row["timestamp"].as_i64().unwrap()).collect();
            assert_eq!(times.len(), 7, "{path} {period}");
            assert!(times.windows(2).all(|pair| pair[1] - pair[0] == ms), "{path} {period}: {times:?}");
            assert!(before_ms - times[6] < ms + 1_000 && times[6] <= desk.exchange.now_ms());
        }
    }
}

#[tokio::test]
async fn a_window_gives_the_rows_inside_it_and_they_do_not_change() {
    let desk = Desk::open(config()).await;
    let path = "/futures/data/openInterestHist";
    let newest = desk.get(path, "symbol=ETHUSDT&period=1h&limit=48").await.ok();
    let (from, to) = (newest[10]["timestamp"].as_i64().unwrap(), newest[20]["timestamp"].as_i64().unwrap());
    let inside = desk
        .get(path, &format!("symbol=ETHUSDT&period=1h&startTime={from}&endTime={to}&limit=100"))
        .await
        .ok();
    assert_eq!(rows(&inside).as_slice(), &rows(&newest)[10..=20]);
    assert_eq!(rows(&desk.get(path, "symbol=ETHUSDT&period=1h").await.ok()).len(), 30);
    let old = desk.exchange.now_ms() - 31 * 86_400_000;
    desk.get(path, &format!("symbol=ETHUSDT&period=1h&startTime={old}")).await.refused(400, -1130);
    desk.get(path, "symbol=ETHUSDT&period=3m").await.refused(400, -1130);
    desk.get(path, "symbol=ETHUSDT&period=1h&limit=501").await.refused(400, -1130);
    desk.get(path, "symbol=NOPE&period=1h").await.refused(400, -1121);
    desk.get(path, "symbol=ETHUSDT").await.refused(400, -1102);
}

#[tokio::test]
async fn taker_volumes_are_those_of_the_klines_and_shares_add_up() {
    let desk = Desk::open(config()).await;
    let taker = desk.get("/futures/data/takerlongshortRatio", "symbol=ETHUSDT&period=1h&limit=3").await.ok();
    let klines = desk.get("/fapi/v1/klines", "symbol=ETHUSDT&interval=1h&limit=4").await.ok();
    for row in rows(&taker) {
        let open = row["timestamp"].as_i64().unwrap() - 3_600_000;
        let Some(kline) = rows(&klines).iter().find(|kline| kline[0] == open) else { continue };
        assert_eq!(row["buyVol"], kline[9]);
        assert!((number(&row["buyVol"]) + number(&row["sellVol"]) - number(&kline[5])).abs() < 1e-6);
    }
    for path in ["globalLongShortAccountRatio", "topLongShortAccountRatio", "topLongShortPositionRatio"] {
        let ratios = desk.get(&format!("/futures/data/{path}"), "symbol=ETHUSDT&period=1h").await.ok();
        for row in rows(&ratios) {
            let (long, short) = (number(&row["longAccount"]), number(&row["shortAccount"]));
            assert!((long + short - 1.0).abs() < 1e-9 && long > 0.0 && short > 0.0);
            assert!((number(&row["longShortRatio"]) - long / short).abs() < 0.001);
        }
    }
}

#[tokio::test]
async fn statistics_have_a_pool_of_their_own() {
    let start = hedge_sim::binance::ExchangeConfig { start_ms: Some(1_795_168_800_100), ..config() };
    let desk = Desk::open(start).await;
    let ask = async || {
        desk.get("/futures/data/basis", "pair=ETHUSDT&contractType=PERPETUAL&period=1d&limit=1").await
    };
    let first = ask().await;
    assert_eq!(first.header("x-mbx-used-weight-1m"), None);
    for _ in 0..999 {
        assert_eq!(ask().await.status, 200);
    }
    let over = ask().await;
    assert!(over.header("retry-after").is_some());
    over.refused(429, -1003);
    // Everything else goes on.
    desk.get("/fapi/v1/time", "").await.ok();
}

#[tokio::test]
async fn indices_tell_the_marks_and_the_composite_their_sum() {
    let desk = Desk::open(config()).await;
    desk.exchange.set_paused(true).unwrap();
    let mark = number(&desk.get("/fapi/v1/premiumIndex", "symbol=ETHUSDT").await.ok()["markPrice"]);
    let all = desk.get("/fapi/v1/assetIndex", "").await.ok();
    let names: Vec<&Value> = rows(&all).iter().map(|row| &row["symbol"]).collect();
    assert_eq!(names, [&json!("USDTUSD"), &json!("BTCUSD"), &json!("ETHUSD")]);
    assert_eq!(all[0]["index"], "1.00000000");
    assert_eq!(number(&all[2]["index"]), mark);
    desk.get("/fapi/v1/assetIndex", "symbol=NOPEUSD").await.refused(400, -1121);
    let info = desk.get("/fapi/v1/indexInfo", "symbol=ALLUSDT").await.ok();
    let shares: f64 =
        rows(&info[0]["baseAssetList"]).iter().map(|row| number(&row["weightInPercentage"])).sum();
    assert!((shares - 1.0).abs() < 1e-6);
    desk.get("/fapi/v1/indexInfo", "symbol=ETHUSDT").await.refused(400, -1121);
    let parts = desk.get("/fapi/v1/constituents", "symbol=ETHUSDT").await.ok();
    assert_eq!(number(&parts["constituents"][0]["price"]), mark);
    desk.exchange.set_paused(false).unwrap();
    let names = "!assetIndex@arr/ethusd@assetIndex/usdtusd@assetIndex/allusdt@compositeIndex/tradingSession";
    let mut socket = desk.socket(&format!("/market/stream?streams={names}")).await;
    let mut missing: Vec<&str> = names.split('/').collect();
    while !missing.is_empty() {
        let message = socket.next().await;
        let (stream, data) = (message["stream"].as_str().unwrap().to_owned(), &message["data"]);
        match stream.as_str() {
            "!assetIndex@arr" => assert_eq!(rows(data).len(), 3),
            "ethusd@assetIndex" => assert_eq!(data["s"], "ETHUSD"),
            "usdtusd@assetIndex" => assert_eq!(data["i"], "1.00000000"),
            "allusdt@compositeIndex" => {
                let sum: f64 = rows(&data["c"]).iter().map(|one| number(&one["i"])).sum();
                assert!((number(&data["p"]) - sum).abs() < 1e-6, "{data}");
            }
            _ => assert!(data["S"].is_string() && data["t"].as_i64() <= data["E"].as_i64(), "{data}"),
        }
        missing.retain(|name| *name != stream);
    }
    let mut wrong = desk.socket("/public/ws/!assetIndex@arr/tradingSession").await;
    assert!(wrong.is_silent(std::time::Duration::from_millis(1_300)).await);
}
