use std::sync::Arc;
use std::time::Duration;

use hedge_core::{Bar, Interval, Symbol, Timestamp};
use hedge_sim::binance::{Environment, ExchangeConfig, ExchangeError, LockstepStep, MarketSource, Pace};
use hedge_sim::market::{DataSet, FundingPayment, FundingSeries, Series};
use reqwest::Method;
use serde_json::{Value, json};

use crate::kit::{Desk, config, two_symbols};

fn lockstep(market: MarketSource) -> ExchangeConfig {
    ExchangeConfig { market, pace: Pace::Lockstep, environment: Environment::Mainnet, ..config() }
}

const START_MS: i64 = 1_700_006_400_000;

/// Two bars of history, then bars that go 2000, 2010, 1980, 1985 and on.
fn recorded() -> MarketSource {
    let bar = |n: i64, [open, high, low, close]: [i64; 4]| Bar {
        open_time: Timestamp::from_ms(START_MS + n * 900_000),
        interval: Interval::M15,
        open,
        high,
        low,
        close,
        price_scale: 2,
        volume: 1_000,
        volume_scale: 0,
    };
    let bars = vec![
        bar(0, [199_000, 200_500, 198_500, 200_000]),
        bar(1, [200_000, 200_100, 199_900, 200_000]),
        bar(2, [200_000, 201_000, 198_000, 198_500]),
        bar(3, [198_500, 202_000, 198_400, 201_000]),
        bar(4, [201_000, 203_000, 200_500, 202_000]),
    ];
    let symbol = Symbol::parse("ETHUSDT").unwrap();
    let series = vec![Series { symbol, interval: Interval::M15, bars, sources: Vec::new() }];
    let payment =
        FundingPayment { at_ms: START_MS + 3 * 900_000, rate: "0.0001".parse().unwrap(), mark: None };
    let funding = vec![FundingSeries { symbol, payments: vec![payment] }];
    MarketSource::Data(Arc::new(DataSet::new(Interval::M15, series, funding).unwrap()))
}

fn two_bars_of_history() -> ExchangeConfig {
    ExchangeConfig { history_bars: Some(2), ..lockstep(recorded()) }
}

#[tokio::test]
async fn time_stands_still_between_steps_and_jumps_with_them() {
    let desk = Desk::open(two_bars_of_history()).await;
    assert_eq!(desk.exchange.now_ms(), START_MS + 2 * 900_000);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(desk.exchange.now_ms(), START_MS + 2 * 900_000);
    let klines = desk.get("/fapi/v1/klines", "symbol=ETHUSDT&interval=15m").await.ok();
    let closes = |klines: &Value| {
        klines.as_array().unwrap().iter().map(|row| row[4].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(closes(&klines)[..2], ["2000.00", "2000.00"]);
    let symbol_ix = 0;
    assert_eq!(desk.exchange.lockstep_step().unwrap(), LockstepStep::Funding { symbol_ix });
    let closed = LockstepStep::BarClosed { symbol_ix, open_ms: START_MS + 2 * 900_000 };
    assert_eq!(desk.exchange.lockstep_step().unwrap(), closed);
    assert_eq!(desk.exchange.now_ms(), START_MS + 3 * 900_000);
}

#[tokio::test]
async fn a_bar_is_published_as_mark_price_then_closed_klines() {
    let desk = Desk::open(two_bars_of_history()).await;
    let mut market = desk
        .socket("/market/ws/ethusdt@markPrice@1s/ethusdt@kline_15m/ethusdt@kline_5m/ethusdt@kline_1h")
        .await;
    desk.exchange.lockstep_step().unwrap();
    desk.exchange.lockstep_step().unwrap();
    let mark = market.next().await;
    assert_eq!(
        (&mark["e"], &mark["p"], &mark["E"]),
        (&json!("markPriceUpdate"), &json!("1985.00000000"), &json!(START_MS + 2_700_000))
    );
    let mut closed = Vec::new();
    for _ in 0..4 {
        let event = market.next().await;
        assert_eq!((&event["e"], &event["k"]["x"]), (&json!("kline"), &json!(true)), "{event}");
        closed.push((
            event["k"]["i"].as_str().unwrap().to_owned(),
            event["k"]["c"].as_str().unwrap().to_owned(),
        ));
    }
    closed.sort();
    assert_eq!(closed[0], ("15m".to_owned(), "1985.00".to_owned()));
    assert_eq!(closed.iter().filter(|(interval, _)| interval == "5m").count(), 3, "{closed:?}");
}

#[tokio::test]
async fn a_step_ends_where_something_happens_to_the_account() {
    let desk = Desk::hedged(two_bars_of_history()).await;
    let key = desk.listen_key().await;
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    desk.order(
        "symbol=ETHUSDT&side=BUY&positionSide=LONG&type=LIMIT&timeInForce=GTC&quantity=0.500&price=1990.00",
    )
    .await
    .ok();
    user.event("ORDER_TRADE_UPDATE").await;
    let count = desk.exchange.user_event_count();
    assert_eq!(desk.exchange.lockstep_step().unwrap(), LockstepStep::UserEvents);
    assert!(desk.exchange.user_event_count() > count);
    let fill = loop {
        let event = user.event("ORDER_TRADE_UPDATE").await;
        if event["o"]["x"] == "TRADE" {
            break event["o"].clone();
        }
    };
    assert_eq!((&fill["L"], &fill["m"]), (&json!("1990.00"), &json!(true)));
    // The price stands where the fill happened, so a stop can be placed before it goes on.
    assert!((1_989.0..=1_990.1).contains(&desk.last("ETHUSDT").await));
    let stop =
        "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=STOP_MARKET&closePosition=true&triggerPrice=1982.00";
    desk.algo(stop).await.ok();
    assert_eq!(
        desk.exchange.lockstep_step().unwrap(),
        LockstepStep::UserEvents,
        "the stop fires on the way down"
    );
    assert!(desk.exchange.legs().unwrap().is_empty());
}

#[tokio::test]
async fn the_market_ends_where_the_recording_ends() {
    let desk = Desk::open(two_bars_of_history()).await;
    let mut bars = 0;
    loop {
        match desk.exchange.lockstep_step().unwrap() {
            LockstepStep::BarClosed { .. } => bars += 1,
            LockstepStep::Ended => break,
            _ => {}
        }
    }
    assert_eq!(bars, 3);
}

#[tokio::test]
async fn a_barrier_ends_only_when_every_client_has_read_everything() {
    // At a fixed time: before a settlement the first two steps would be others.
    let desk = Desk::open(ExchangeConfig { start_ms: Some(START_MS), ..lockstep(two_symbols()) }).await;
    desk.exchange.barrier().await.unwrap();
    let mut reader = desk.socket("/market/ws/ethusdt@kline_15m").await;
    desk.exchange.lockstep_step().unwrap();
    desk.exchange.lockstep_step().unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(200), desk.exchange.barrier()).await;
    assert!(waits.is_err(), "nobody reads, so nobody answers the ping");
    let event = reader.next().await;
    assert_eq!(event["e"], "kline");
    let barrier = desk.exchange.barrier();
    tokio::pin!(barrier);
    // Reading on sends the pongs.
    loop {
        tokio::select! {
            done = &mut barrier => break done.unwrap(),
            _ = reader.next_within(Duration::from_millis(300)) => {}
        }
    }
}

#[tokio::test]
async fn keys_and_connections_outlive_any_number_of_days() {
    let desk = Desk::open(lockstep(two_symbols())).await;
    let key = desk.listen_key().await;
    let mut user = desk.socket(&format!("/private/ws?listenKey={key}")).await;
    let start = desk.exchange.now_ms();
    while desk.exchange.now_ms() - start < 3 * 86_400_000 {
        desk.exchange.lockstep_step().unwrap();
    }
    for n in 0..30 {
        user.say(json!({"method": "LIST_SUBSCRIPTIONS", "id": n})).await;
        assert_eq!(user.next().await["id"], n);
    }
    desk.signed(Method::POST, "/fapi/v1/leverage", "symbol=ETHUSDT&leverage=9").await.ok();
    user.event("ACCOUNT_CONFIG_UPDATE").await;
    assert!(desk.exchange.set_speed(1.0).is_err());
}

#[tokio::test]
async fn the_generated_market_goes_on_without_end() {
    let minutes =
        MarketSource::Generated { seed: 7, symbols: vec!["ETHUSDT".to_owned()], bars: Interval::M1 };
    let desk = Desk::open(ExchangeConfig { start_ms: Some(START_MS), ..lockstep(minutes) }).await;
    let mut opens = Vec::new();
    while opens.len() < 4_100 {
        if let LockstepStep::BarClosed { open_ms, .. } = desk.exchange.lockstep_step().unwrap() {
            opens.push(open_ms);
        }
    }
    assert!(
        opens.windows(2).all(|pair| pair[1] - pair[0] == 60_000),
        "no bar is missing where one piece meets the next"
    );
}

#[tokio::test]
async fn only_a_lockstep_exchange_is_stepped() {
    let desk = Desk::open(config()).await;
    assert!(matches!(desk.exchange.lockstep_step(), Err(ExchangeError::NotLockstep)));
}

#[tokio::test]
async fn the_same_seed_is_the_same_market() {
    let step = || async {
        let desk = Desk::open(ExchangeConfig { start_ms: Some(START_MS), ..lockstep(two_symbols()) }).await;
        for _ in 0..200 {
            desk.exchange.lockstep_step().unwrap();
        }
        desk.exchange.state_digest()
    };
    let (first, second) = (step().await, step().await);
    assert!(!first.is_empty());
    assert_eq!(first, second);
}
