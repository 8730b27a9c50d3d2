use std::path::PathBuf;

use hedge_sim::binance::{ExchangeConfig, LockstepStep, MarketSource, Pace};
use serde_json::Value;

use crate::kit::{Desk, PATIENCE, config};

/// The shared recordings; tests that need them pass without.
fn recordings() -> Option<MarketSource> {
    let Some(root) = std::env::var_os("HEDGE_TEST_DATA") else {
        println!("SKIP: HEDGE_TEST_DATA does not name the recorded data");
        return None;
    };
    println!("DATA TEST: recorded bars over the wire");
    let path = PathBuf::from(root).join("binance_um").join("klines_15m");
    Some(MarketSource::Recorded { path, symbols: vec!["BTCUSDT".to_owned(), "ETHUSDT".to_owned()] })
}

fn opens(klines: &Value) -> Vec<i64> {
    klines.as_array().unwrap().iter().map(|row| row[0].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn recorded_bars_end_in_the_present_and_go_on() {
    let Some(market) = recordings() else { return };
    let pace = Pace::Speed(900.0);
    let desk = Desk::open(ExchangeConfig { market, pace, history_bars: Some(100), ..config() }).await;
    let now = desk.exchange.now_ms();
    let klines = desk.get("/fapi/v1/klines", "symbol=ETHUSDT&interval=15m&limit=1500").await.ok();
    let opens = opens(&klines);
    assert!(
        (102..=135).contains(&opens.len()),
        "the history, up to eight hours for settlements to keep theirs, the bar that just closed, the forming one: {}",
        opens.len()
    );
    let paid = desk.get("/fapi/v1/fundingRate", "symbol=BTCUSDT").await.ok();
    let premium = desk.get("/fapi/v1/premiumIndex", "symbol=BTCUSDT").await.ok();
    for at in [&paid[0]["fundingTime"], &premium["nextFundingTime"]] {
        assert_eq!(at.as_i64().unwrap() % 28_800_000, 0, "{at}");
    }
    assert!(opens.windows(2).all(|pair| pair[1] - pair[0] == 900_000));
    assert!(opens.iter().all(|open| open % 900_000 == 0));
    assert!(
        (0..900_000).contains(&(desk.exchange.now_ms() - opens.last().unwrap()))
            || desk.exchange.now_ms() - now > 800_000
    );
    let mut market = desk.socket("/market/ws/ethusdt@kline_15m/ethusdt@aggTrade").await;
    let mut closed = 0;
    while closed < 2 {
        let event = market.next_within(PATIENCE).await.expect("bars close every second");
        closed += usize::from(event["k"]["x"] == true);
    }
}

#[tokio::test]
async fn lockstep_keeps_recorded_times_and_says_what_is_missing() {
    let Some(market) = recordings() else { return };
    let desk =
        Desk::open(ExchangeConfig { market, pace: Pace::Lockstep, history_bars: Some(500), ..config() })
            .await;
    assert_eq!(
        opens(&desk.get("/fapi/v1/klines", "symbol=BTCUSDT&interval=15m&limit=1500").await.ok()).len(),
        501
    );
    let mut bars = 0;
    while bars < 200 {
        match desk.exchange.lockstep_step().unwrap() {
            LockstepStep::BarClosed { open_ms, .. } => {
                assert_eq!(open_ms % 900_000, 0);
                bars += 1;
            }
            LockstepStep::Ended => panic!("the recording is longer"),
            _ => {}
        }
    }
    // Recorded years, not the present.
    assert!(desk.exchange.now_ms() < 1_740_000_000_000);
}
