use hedge_sim::binance::{Environment, ExchangeConfig};

use crate::kit::{Desk, PATIENCE, config};

fn mainnet() -> ExchangeConfig {
    ExchangeConfig { environment: Environment::Mainnet, ..config() }
}

/// A venue at the beginning of a minute, so that no window ends during the test.
fn fresh_minute(config: ExchangeConfig) -> ExchangeConfig {
    ExchangeConfig { start_ms: Some(1_795_168_800_100), ..config }
}

#[tokio::test]
async fn every_answer_tells_the_weight_used_in_this_minute() {
    let desk = Desk::open(fresh_minute(config())).await;
    let used = |reply: &crate::kit::Reply| {
        reply.header("x-mbx-used-weight-1m").map(|used| used.parse::<u32>().unwrap())
    };
    assert_eq!(used(&desk.get("/fapi/v1/ping", "").await), Some(1));
    assert_eq!(used(&desk.get("/fapi/v1/depth", "symbol=ETHUSDT&limit=1000").await), Some(21));
    assert_eq!(used(&desk.get("/fapi/v1/nothing", "").await), Some(22));
    assert_eq!(used(&desk.get("/fapi/v1/klines", "").await), Some(27));
}

#[tokio::test]
async fn orders_are_counted_and_cost_no_weight() {
    let desk = Desk::hedged(fresh_minute(config())).await;
    let order = "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=MARKET&quantity=0.5";
    let first = desk.order(order).await;
    let second = desk.order(order).await;
    assert_eq!(
        (first.header("x-mbx-order-count-10s"), first.header("x-mbx-order-count-1m")),
        (Some("1"), Some("1"))
    );
    assert_eq!(second.header("x-mbx-order-count-10s"), Some("2"));
    assert_eq!(first.header("x-mbx-used-weight-1m"), second.header("x-mbx-used-weight-1m"));
    assert_eq!(desk.get("/fapi/v1/ping", "").await.header("x-mbx-order-count-10s"), None);
}

#[tokio::test]
async fn too_much_weight_is_429_and_persisting_is_a_ban_that_ends() {
    let desk = Desk::open(fresh_minute(mainnet())).await;
    let heavy = || desk.get("/fapi/v1/depth", "symbol=ETHUSDT&limit=1000");
    for _ in 0..120 {
        heavy().await.ok();
    }
    let refused = heavy().await;
    let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    refused.refused(429, -1003);
    let mut last = heavy().await;
    for _ in 0..30 {
        last = heavy().await;
    }
    assert_eq!(last.header("retry-after").map(|seconds| seconds.parse::<i64>().unwrap() > 100), Some(true));
    let msg = last.refused(418, -1003);
    let until: i64 = msg.split("banned until ").nth(1).unwrap()[..13].parse().unwrap();
    assert!(until > desk.exchange.now_ms());
    // The ban is the address's: nothing at all is answered, and it ends on the venue clock.
    desk.get("/fapi/v1/time", "").await.refused(418, -1003);
    desk.exchange.set_speed(10_000.0).unwrap();
    let free = async {
        while desk.exchange.now_ms() < until {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        desk.get("/fapi/v1/time", "").await.ok()
    };
    tokio::time::timeout(PATIENCE, free).await.unwrap();
}

#[tokio::test]
async fn too_many_orders_are_429_with_their_own_code() {
    let desk = Desk::hedged(fresh_minute(config())).await;
    desk.exchange.set_paused(true).unwrap();
    for _ in 0..300 {
        desk.order("symbol=NOPE&side=BUY&positionSide=LONG&type=MARKET&quantity=1").await.refused(400, -1121);
    }
    desk.order("symbol=NOPE&side=BUY&positionSide=LONG&type=MARKET&quantity=1").await.refused(429, -1015);
    desk.get("/fapi/v1/time", "").await.ok();
}

#[tokio::test]
async fn funding_calls_have_a_pool_of_their_own() {
    let desk = Desk::open(fresh_minute(config())).await;
    for _ in 0..500 {
        desk.get("/fapi/v1/fundingInfo", "").await.ok();
    }
    desk.get("/fapi/v1/fundingRate", "symbol=ETHUSDT").await.refused(429, -1003);
    assert_eq!(desk.get("/fapi/v1/ping", "").await.header("x-mbx-used-weight-1m"), Some("1"));
}

#[tokio::test]
async fn keys_are_checked_before_the_clock_and_the_clock_before_the_rate() {
    let desk = Desk::open(fresh_minute(mainnet())).await;
    for _ in 0..121 {
        desk.get("/fapi/v1/depth", "symbol=ETHUSDT&limit=1000").await;
    }
    let get = reqwest::Method::GET;
    let stale = desk.exchange.now_ms() - 60_000;
    desk.send(get.clone(), "/fapi/v3/balance", "timestamp=1&signature=00", None, None)
        .await
        .refused(401, -2014);
    let old = desk.signed_at(get.clone(), "/fapi/v3/balance", "", stale).await;
    old.refused(400, -1021);
    desk.signed(get, "/fapi/v3/balance", "").await.refused(429, -1003);
}
