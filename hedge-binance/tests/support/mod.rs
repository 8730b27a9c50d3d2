//! Parts that the integration tests share.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of several test binaries"
)]

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use hedge_binance::{
    Binance, BinanceConfig, Credentials, Endpoints, Live, Mainnet, Protecting, ReadOnly, StreamConfig,
};
use hedge_core::{
    Approved, Asset, CheckResult, ClientOrderId, Clock, Close, Decimal, Exit, ExitPass, InstrumentId,
    InstrumentSpec, InstrumentStatus, LotRule, Notional, Order, Portion, Position, PositionKey, PositionMode,
    PositionSide, PreflightCheck, PreflightPass, PreflightReport, Price, Qty, Term, Timestamp, VenueReader,
    gate::Gate,
};
use hedge_http::retry::{Backoff, RetryPolicy};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, Request, Respond, ResponseTemplate,
    matchers::{method, path},
};

pub const KEY: &str = "unit-test-key";
pub const SECRET: &str = "unit-test-secret-0123456789abcdefABCDEF";
/// The venue's clock in the tests.
pub const NOW_MS: i64 = 1_795_168_800_000;

/// Stands still unless it is set.
#[derive(Debug)]
pub struct TestClock(pub AtomicI64);

impl TestClock {
    pub fn at(ms: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(ms)))
    }
    pub fn set(&self, ms: i64) {
        self.0.store(ms, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }
    async fn sleep_until(&self, _: Timestamp) {
        std::future::pending().await
    }
}

/// Streams with times that a test can wait for.
pub fn quick_streams() -> StreamConfig {
    StreamConfig {
        connect_timeout: Duration::from_secs(5),
        reconnect: (Duration::from_millis(1), Duration::from_millis(10)),
        ..StreamConfig::default()
    }
}

pub fn config(rest: &str, ws: &str, clock: Arc<TestClock>, streams: StreamConfig) -> BinanceConfig<Mainnet> {
    let mut config = BinanceConfig::new(Endpoints::<Mainnet>::new(Some(rest), Some(ws)).unwrap(), clock);
    config.retry = RetryPolicy {
        max_attempts: NonZeroU32::new(3).unwrap(),
        backoff: Backoff { base: Duration::from_millis(2), cap: Duration::from_millis(4) },
        max_wait: Duration::from_millis(50),
    };
    config.http.timeout = Duration::from_millis(500);
    config.streams = streams;
    config
}

pub fn client_at(rest: &str, ws: &str, clock: Arc<TestClock>, streams: StreamConfig) -> Binance<ReadOnly> {
    let credentials = Credentials::<Mainnet>::new(KEY.into(), SECRET.into()).unwrap();
    Binance::connect(config(rest, ws, clock, streams), credentials).unwrap()
}

/// A client whose streams lead nowhere.
pub fn client(server: &MockServer) -> Binance<ReadOnly> {
    client_at(&server.uri(), "ws://127.0.0.1:9", TestClock::at(NOW_MS), StreamConfig::default())
}

pub fn live(client: Binance<ReadOnly>) -> Binance<Live> {
    let now = Timestamp::from_ms(NOW_MS);
    let pass = PreflightPass::issue(&passed(&client), None, "config", now).unwrap();
    client.arm(pass, now).unwrap()
}

/// Armed for exits only.
pub fn protecting(client: Binance<ReadOnly>) -> Binance<Protecting> {
    let now = Timestamp::from_ms(NOW_MS);
    let pass = ExitPass::issue(&passed(&client), now).unwrap();
    client.arm_for_exits(pass, now).unwrap()
}

fn passed(client: &Binance<ReadOnly>) -> PreflightReport {
    PreflightReport {
        fingerprint: client.fingerprint().clone(),
        checks: vec![PreflightCheck {
            name: "clock".into(),
            expected: "close".into(),
            found: "close".into(),
            result: CheckResult::Ok,
            remedy: String::new(),
        }],
    }
}

/// Answers `GET /fapi/v1/time` with [`NOW_MS`].
pub async fn mock_time(server: &MockServer) {
    mock(server, "GET", "/fapi/v1/time", 200, json!({ "serverTime": NOW_MS })).await;
}

/// Answers `GET /fapi/v1/time` with what the test's clock says.
pub async fn mock_clock(server: &MockServer, clock: Arc<TestClock>) {
    let now = move |_: &Request| answer(200, json!({ "serverTime": clock.0.load(Ordering::SeqCst) }));
    Mock::given(method("GET")).and(path("/fapi/v1/time")).respond_with(now).mount(server).await;
}

pub async fn mock(server: &MockServer, verb: &str, at: &str, status: u16, body: Value) {
    Mock::given(method(verb))
        .and(path(at))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(server)
        .await;
}

/// Gives one answer after the other, the last one again and again.
pub struct InTurn(std::sync::Mutex<Vec<ResponseTemplate>>);

pub fn in_turn(mut answers: Vec<ResponseTemplate>) -> InTurn {
    answers.reverse();
    InTurn(std::sync::Mutex::new(answers))
}

impl Respond for InTurn {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let mut answers = self.0.lock().unwrap();
        if answers.len() > 1 { answers.pop().unwrap() } else { answers[0].clone() }
    }
}

pub fn answer(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

/// The requests to one path, as `VERB query`.
pub async fn requests(server: &MockServer, at: &str) -> Vec<String> {
    let all = server.received_requests().await.unwrap();
    all.iter()
        .filter(|request| request.url.path() == at)
        .map(|request| format!("{} {}", request.method, request.url.query().unwrap_or_default()))
        .collect()
}

/// A request without what differs from run to run.
pub fn unsigned(request: &str) -> &str {
    request.split("&recvWindow=").next().unwrap()
}

pub fn eth() -> InstrumentId {
    InstrumentId::binance("ETHUSDT").unwrap()
}

pub fn spec() -> InstrumentSpec {
    let lot = LotRule { min: Decimal::new(1, 3), max: Decimal::from(10_000), step: Decimal::new(1, 3) };
    InstrumentSpec {
        id: eth(),
        status: InstrumentStatus::Trading,
        base: Asset::parse("ETH").unwrap(),
        quote: Asset::usdt(),
        settle: Asset::usdt(),
        tick: Decimal::new(1, 2),
        min_price: None,
        max_price: None,
        lot,
        market_lot: lot,
        min_notional: Notional::parse("20").unwrap(),
        contract_size: Decimal::ONE,
        price_band_up: None,
        price_band_down: None,
        mode: PositionMode::Hedge,
        delivery: None,
    }
}

pub const CLIENT_ID: &str = "h0sn8www00111c";

pub fn id() -> ClientOrderId {
    ClientOrderId::parse(CLIENT_ID).unwrap()
}

pub fn long_position() -> Position {
    Position::new(
        PositionKey::new(eth(), PositionSide::Long),
        Qty::parse("0.25").unwrap(),
        Price::parse("2480.5").unwrap(),
    )
}

/// An approved close of the whole long leg.
pub fn close(exit: Exit) -> Approved<Close> {
    let spec = spec();
    Gate::for_closing(&spec, Term(1)).close(id(), &long_position(), &Portion::All, &exit).unwrap()
}

/// An approved close-all stop of the long leg.
pub fn stop() -> Approved<Order> {
    let spec = spec();
    let trigger = Price::parse("2401").unwrap();
    Gate::for_closing(&spec, Term(1)).protect(id(), &long_position(), trigger).unwrap().into()
}

pub fn order_row(status: &str) -> Value {
    json!({"orderId":70112233445_i64,"symbol":"ETHUSDT","status":status,"clientOrderId":CLIENT_ID,"price":"0.00",
      "origQty":"0.250","executedQty":"0.250","cumQty":"0.250","timeInForce":"GTC","type":"MARKET","reduceOnly":true,
      "closePosition":false,"side":"SELL","positionSide":"LONG","stopPrice":"0.00","workingType":"CONTRACT_PRICE",
      "priceProtect":false,"origType":"MARKET","priceMatch":"NONE","selfTradePreventionMode":"EXPIRE_MAKER",
      "goodTillDate":0,"updateTime":1795168800161_i64})
}

pub fn algo_row(status: &str) -> Value {
    json!({"algoId":4000000987654321_i64,"clientAlgoId":CLIENT_ID,"algoType":"CONDITIONAL","orderType":"STOP_MARKET",
      "symbol":"ETHUSDT","side":"SELL","positionSide":"LONG","timeInForce":"GTC","quantity":"0.000","algoStatus":status,
      "triggerPrice":"2401.00","price":"0.00","icebergQuantity":null,"selfTradePreventionMode":"EXPIRE_MAKER",
      "workingType":"MARK_PRICE","priceMatch":"NONE","closePosition":true,"priceProtect":false,"reduceOnly":false,
      "activatePrice":"","callbackRate":"","createTime":1795168805010_i64,"updateTime":1795168805010_i64,
      "triggerTime":0,"goodTillDate":0})
}

pub fn trade_row(id: i64, time: i64) -> Value {
    json!({"symbol":"ETHUSDT","id":id,"orderId":70112233445_i64,"side":"SELL","positionSide":"LONG","price":"2502.34",
      "qty":"0.250","quoteQty":"625.58500","realizedPnl":"5.46000000","commission":"0.31279250","commissionAsset":"USDT",
      "marginAsset":"USDT","time":time,"buyer":false,"maker":false})
}

pub fn position_rows() -> Value {
    json!([{"symbol":"ETHUSDT","positionSide":"LONG","positionAmt":"0.750","entryPrice":"2480.5",
      "breakEvenPrice":"2481.74","markPrice":"2502.11000000","unRealizedProfit":"16.20750000",
      "liquidationPrice":"1204.33","isolatedMargin":"0","notional":"1876.58250000","marginAsset":"USDT",
      "isolatedWallet":"0","initialMargin":"187.65825000","maintMargin":"9.38291250",
      "positionInitialMargin":"187.65825000","openOrderInitialMargin":"0","adl":2,"bidNotional":"0","askNotional":"0",
      "updateTime":1795168800161_i64}])
}

pub fn account_v3() -> Value {
    json!({"totalInitialMargin":"187.65825000","totalMaintMargin":"9.38291250","totalWalletBalance":"10512.14823110",
      "totalUnrealizedProfit":"16.20750000","totalMarginBalance":"10528.35573110",
      "totalPositionInitialMargin":"187.65825000","totalOpenOrderInitialMargin":"0.00000000",
      "totalCrossWalletBalance":"10512.14823110","totalCrossUnPnl":"16.20750000","availableBalance":"10340.69748110",
      "maxWithdrawAmount":"10324.48998110",
      "assets":[{"asset":"USDT","walletBalance":"10512.14823110","unrealizedProfit":"16.20750000",
        "marginBalance":"10528.35573110","maintMargin":"9.38291250","initialMargin":"187.65825000",
        "positionInitialMargin":"187.65825000","openOrderInitialMargin":"0","crossWalletBalance":"10512.14823110",
        "crossUnPnl":"16.20750000","availableBalance":"10340.69748110","maxWithdrawAmount":"10324.48998110",
        "updateTime":1795168800160_i64}],
      "positions":[{"symbol":"ETHUSDT","positionSide":"LONG","positionAmt":"0.750","unrealizedProfit":"16.20750000",
        "isolatedMargin":"0","notional":"1876.58250000","isolatedWallet":"0","initialMargin":"187.65825000",
        "maintMargin":"9.38291250","updateTime":1795168800160_i64}]})
}

pub fn account_config(hedge: bool) -> Value {
    json!({"feeTier":0,"canTrade":true,"canDeposit":true,"canWithdraw":false,"dualSidePosition":hedge,"updateTime":0,
      "multiAssetsMargin":false,"tradeGroupId":-1})
}

pub fn income_row(kind: &str, tran_id: i64, time: i64) -> Value {
    json!({"symbol":"ETHUSDT","incomeType":kind,"income":"-0.18765825","asset":"USDT","info":"","time":time,
      "tranId":tran_id,"tradeId":""})
}
