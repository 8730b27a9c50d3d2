//! An order to a server on this machine and back: approved, signed, sent, answered, decoded. Beside a plain hyper client.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use async_trait::async_trait;
use bytes::Bytes;
use hedge_binance::{Binance, BinanceConfig, Credentials, Endpoints, Live, Mainnet, ReadOnly};
use hedge_core::{
    Approved, Asset, Brokerage, Clock, Decimal, InstrumentId, InstrumentSpec, InstrumentStatus, LotRule,
    Notional, Order, PositionMode, PositionSide, PreflightPass, Price, Qty, SubmitError, Symbol, Timestamp,
    Venue, VenueReader,
    preflight::{CheckResult, PreflightCheck, PreflightReport},
};
use hedge_testkit::mint::Mint;
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;

use crate::figure::{ours, percentile, print};

const WARM_UP: usize = 500;
const ORDERS: usize = 10_000;
/// The floor and we take turns, so that a change of the machine's mood hits both.
const TURNS: usize = 5;
/// So far the client's clock goes on from order to order: the venue's budget of orders is never the limit.
const PACE_MS: i64 = 100;
const STARTED_MS: i64 = 1_700_000_000_000;
const QUERY: &str = "symbol=BTCUSDT&side=BUY&positionSide=LONG&type=LIMIT&timeInForce=GTC&quantity=0.001&price=60000.1\
    &newClientOrderId=bench-1&recvWindow=5000&timestamp=1700000000000\
    &signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";

pub(crate) fn run(port: u16) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(measure(port))
}

async fn measure(port: u16) -> Result<(), String> {
    let base = format!("http://127.0.0.1:{port}");
    let clock = Arc::new(Paced(AtomicI64::new(STARTED_MS)));
    let client = client(&base, Arc::clone(&clock) as Arc<dyn Clock>)?;
    let orders = orders()?;
    let plain: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let uri: hyper::Uri =
        format!("{base}/fapi/v1/order?{QUERY}").parse().map_err(|error| format!("{error}"))?;
    for order in orders.iter().take(WARM_UP) {
        order_once(&client, order, &clock).await?;
        plain_once(&plain, &uri).await?;
    }
    let (mut own, mut floor) = (Vec::with_capacity(ORDERS), Vec::with_capacity(ORDERS));
    for turn in 0..TURNS {
        let part = WARM_UP + turn * ORDERS / TURNS..WARM_UP + (turn + 1) * ORDERS / TURNS;
        for order in &orders[part.clone()] {
            let started = Instant::now();
            order_once(&client, order, &clock).await?;
            own.push(started.elapsed().as_nanos() as u64);
        }
        for _ in part {
            let started = Instant::now();
            plain_once(&plain, &uri).await?;
            floor.push(started.elapsed().as_nanos() as u64);
        }
    }
    own.sort_unstable();
    floor.sort_unstable();
    let peer = "floor: hyper client, serde_json::Value, no signing";
    for (metric, part) in [("rtt_p50", 0.5), ("rtt_p99", 0.99), ("rtt_p999", 0.999)] {
        let (own, floor) = (percentile(&own, part) / 1_000.0, percentile(&floor, part) / 1_000.0);
        print("B3", ours(), metric, own, "us", ORDERS, &[]);
        print("B3", peer, metric, floor, "us", ORDERS, &[]);
        print("B3", ours(), &format!("{metric}_to_floor"), own / floor, "ratio", ORDERS, &[]);
    }
    Ok(())
}

/// One order through the public brokerage. A server with one fixed answer echoes a client id that is not ours, which the
/// client says after it has decoded the whole answer; everything else is a failure of the benchmark.
async fn order_once(client: &Binance<Live>, order: &Approved<Order>, clock: &Paced) -> Result<(), String> {
    clock.0.fetch_add(PACE_MS, Ordering::Relaxed);
    match client.submit(order).await {
        Ok(_) => Ok(()),
        Err(SubmitError { error, .. }) if error.to_string().ends_with("client id") => Ok(()),
        Err(SubmitError { error, .. }) => Err(format!("the order was not answered: {error}")),
    }
}

async fn plain_once<C>(client: &Client<C, Full<Bytes>>, uri: &hyper::Uri) -> Result<(), String>
where
    C: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static,
{
    let request = hyper::Request::post(uri)
        .header("x-mbx-apikey", "k")
        .body(Full::default())
        .map_err(|error| error.to_string())?;
    let response = client.request(request).await.map_err(|error| error.to_string())?;
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    let value: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    std::hint::black_box(value);
    Ok(())
}

/// A client that may trade on the loopback server.
fn client(base: &str, clock: Arc<dyn Clock>) -> Result<Binance<Live>, String> {
    let endpoints =
        Endpoints::<Mainnet>::new(Some(base), Some("ws://127.0.0.1:9")).map_err(|error| error.to_string())?;
    let credentials = Credentials::<Mainnet>::new("bench-key".to_owned(), "bench-secret".to_owned())
        .map_err(|error| error.to_string())?;
    let now = clock.now();
    let reader: Binance<ReadOnly> = Binance::connect(BinanceConfig::new(endpoints, clock), credentials)
        .map_err(|error| error.to_string())?;
    let checked = PreflightCheck {
        name: "loopback".to_owned(),
        expected: "a server on this machine".to_owned(),
        found: base.to_owned(),
        result: CheckResult::Ok,
        remedy: String::new(),
    };
    let report = PreflightReport { fingerprint: reader.fingerprint().clone(), checks: vec![checked] };
    let pass = PreflightPass::issue(&report, None, "", now).map_err(|error| error.to_string())?;
    reader.arm(pass, now).map_err(|error| error.to_string())
}

/// As many approved orders as are sent, each with an id of its own.
fn orders() -> Result<Vec<Approved<Order>>, String> {
    let symbol = Symbol::parse("BTCUSDT").map_err(|error| error.to_string())?;
    let lot = LotRule { min: Decimal::new(1, 3), max: Decimal::ONE_THOUSAND, step: Decimal::new(1, 3) };
    let spec = InstrumentSpec {
        id: InstrumentId::new(Venue::Binance, symbol),
        status: InstrumentStatus::Trading,
        base: Asset::parse("BTC").map_err(|error| error.to_string())?,
        quote: Asset::usdt(),
        settle: Asset::usdt(),
        tick: Decimal::new(1, 1),
        min_price: None,
        max_price: None,
        lot,
        market_lot: lot,
        min_notional: Notional::new(Decimal::from(50)).map_err(|error| error.to_string())?,
        contract_size: Decimal::ONE,
        price_band_up: None,
        price_band_down: None,
        mode: PositionMode::Hedge,
        delivery: None,
    };
    let mark = Price::new(Decimal::from(60_000)).map_err(|error| error.to_string())?;
    let qty = Qty::new(Decimal::new(1, 3)).map_err(|error| error.to_string())?;
    let mint = Mint { spec, now: Timestamp::from_ms(STARTED_MS), mark };
    Ok((0..WARM_UP + ORDERS).map(|_| mint.open(PositionSide::Long, qty)).collect())
}

/// A clock that goes on only when told to.
#[derive(Debug)]
struct Paced(AtomicI64);

#[async_trait]
impl Clock for Paced {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::Relaxed))
    }
    async fn sleep_until(&self, _: Timestamp) {
        std::future::pending().await
    }
}
