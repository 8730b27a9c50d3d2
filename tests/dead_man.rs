//! The venue's dead-man countdown, in either reading of what it cancels: the probe tells them apart, and where it takes stops
//! away the engine places them again in time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hedge_binance::{Binance, BinanceConfig, Credentials, Endpoints, Live, Testnet};
use hedge_core::{
    Book, Brokerage, Clock, DataNeed, Decimal, Engine, EngineConfig, InstrumentId, Intent, Leverage,
    MarginMode, Output, PermitAll, PositionKey, PreflightPass, PreflightReport, Price, Qty, Size, Step,
    Strategy, StrategyEvent, StrategyId, StrategyView, Timestamp, VenueReader,
};
use hedge_desk::probe::{self, ProbeError, Verdict};
use hedge_runtime::{Activity, Listing, Observer, Parts, Runtime, Settings, Shutdown, SystemClock, Unfenced};
use hedge_sim::{
    binance::{ApiKey, Exchange, ExchangeConfig, ExchangeHandle},
    venue::{Command, NewOrder, Side},
};
use hedge_store::MemoryStore;

fn eth() -> InstrumentId {
    InstrumentId::binance("ETHUSDT").unwrap()
}

async fn exchange(countdown_cancels_algos: bool) -> ExchangeHandle {
    let config = ExchangeConfig { countdown_cancels_algos, ..ExchangeConfig::default() };
    let exchange = Exchange::start(config).await.unwrap();
    let mode = Command::PositionMode { account: exchange.account(), hedge: true };
    exchange.apply(&mode).unwrap().unwrap();
    exchange
}

fn live(exchange: &ExchangeHandle) -> Binance<Live> {
    let (rest, ws) = (exchange.rest_url(), exchange.ws_url());
    let endpoints = Endpoints::<Testnet>::new(Some(&rest), Some(&ws)).unwrap();
    let credentials = Credentials::new(ApiKey::DEMO_KEY.to_owned(), ApiKey::DEMO_SECRET.to_owned()).unwrap();
    let client = Binance::connect(BinanceConfig::new(endpoints, Arc::new(SystemClock)), credentials).unwrap();
    let report = PreflightReport { fingerprint: client.fingerprint().clone(), checks: Vec::new() };
    let now = SystemClock.now();
    client.arm(PreflightPass::issue(&report, None, "", now).unwrap(), now).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_probe_tells_both_readings_apart_and_leaves_nothing_behind() {
    let one = async |cancels_all: bool| {
        let exchange = exchange(cancels_all).await;
        let client = live(&exchange);
        let found = probe::dead_man(&client, eth()).await.unwrap();
        let expected = if cancels_all { Verdict::ConditionalToo } else { Verdict::PlainOnly };
        assert_eq!(found.verdict, expected, "{found}");
        assert!(found.after_ms >= 4_500, "{found}");
        assert!(
            client.open_orders().await.unwrap().is_empty() && client.positions().await.unwrap().is_empty()
        );
        exchange.shutdown().await;
    };
    tokio::join!(one(false), one(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symbol_that_is_in_use_is_not_probed() {
    let exchange = exchange(false).await;
    let order = NewOrder::market(exchange.account(), "ETHUSDT", Side::Buy, Decimal::new(5, 1))
        .on(hedge_sim::venue::PositionSide::Long);
    exchange.apply(&Command::Place(order)).unwrap().unwrap();
    let client = live(&exchange);
    let refused = probe::dead_man(&client, eth()).await.unwrap_err();
    assert!(matches!(&refused, ProbeError::Refused(why) if why.contains("is open")), "{refused}");
    assert!(client.open_orders().await.unwrap().is_empty(), "nothing was placed");
    exchange.shutdown().await;
}

/// Opens the LONG leg at the first quote, once.
#[derive(Debug)]
struct Opens(bool);

impl Strategy for Opens {
    fn id(&self) -> StrategyId {
        StrategyId::parse("opens").unwrap()
    }
    fn needs(&self) -> Vec<DataNeed> {
        Vec::new()
    }
    fn tick_needs(&self) -> Vec<InstrumentId> {
        vec![eth()]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        let mark = view.book.mark_of(&eth()).map(|(mark, _)| mark.get());
        if let (StrategyEvent::Quote { .. }, Some(mark), false) = (event, mark, self.0) {
            self.0 = true;
            let stop = Price::new((mark * Decimal::new(8, 1)).round_dp(2)).unwrap();
            let size = Size::Qty(Qty::parse("0.1").unwrap());
            out.want(Intent::open(PositionKey::long(eth()), size, stop, "the first quote"));
        }
    }
}

/// From when on the leg was covered or bare, and by which stop.
type Stretch = (Timestamp, bool, Option<String>);

/// The stretches of a run, in order.
#[derive(Clone, Debug, Default)]
struct Seen(Arc<Mutex<Vec<Stretch>>>);

impl Observer for Seen {
    fn on_step(&mut self, at: Timestamp, _: &Step, book: &Book) {
        let leg = PositionKey::long(eth());
        let is_open = book.leg(&leg).is_some_and(|leg| leg.is_open());
        let stop = book.stop_of(&leg).map(|stop| stop.client_id.to_string());
        let covered = is_open && book.is_protected(&leg);
        let mut seen = self.0.lock().unwrap();
        if is_open && seen.last().is_none_or(|(_, was, of)| *was != covered || *of != stop) {
            seen.push((at, covered, stop));
        }
    }
}

impl Seen {
    async fn until(&self, what: &str, holds: impl Fn(&[Stretch]) -> bool) {
        let patience = Instant::now() + Duration::from_secs(60);
        while !holds(&self.0.lock().unwrap()) {
            assert!(Instant::now() < patience, "never {what}: {:?}", self.0.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stops_that_the_countdown_takes_away_are_placed_again_in_time() {
    let exchange = exchange(true).await;
    let seen = Seen::default();
    let config = EngineConfig::default();
    let protect_within = config.protect_within;
    let engine = Engine::new(config, Box::new(PermitAll), vec![Box::new(Opens(false))]);
    let shutdown = Shutdown::new();
    let listing =
        Listing { instrument: eth(), leverage: Leverage::new(3).unwrap(), margin: MarginMode::Crossed };
    let parts = Parts {
        store: Arc::new(MemoryStore::default()),
        venues: vec![Arc::new(live(&exchange))],
        clock: Arc::new(SystemClock),
        fence: Arc::new(Unfenced),
        activity: Activity::free(),
        observers: vec![Box::new(seen.clone())],
        shutdown: shutdown.clone(),
        settings: Settings { history_bars: 50, ..Settings::new(vec![listing]) },
    };
    let run = tokio::spawn(Runtime::new(engine, parts).run());
    seen.until("covered", |seen| seen.last().is_some_and(|(_, covered, _)| *covered)).await;
    let first = seen.0.lock().unwrap().last().unwrap().2.clone();
    // Somebody else's countdown runs out: the venue cancels the symbol's orders, stops too.
    live(&exchange).dead_man(&eth(), Some(Duration::from_secs(1))).await.unwrap();
    seen.until("bare", |seen| seen.last().is_some_and(|(_, covered, of)| !*covered || *of != first)).await;
    seen.until("covered again", |seen| seen.last().is_some_and(|(_, covered, of)| *covered && *of != first))
        .await;
    let history = seen.0.lock().unwrap().clone();
    let lost_at = history.iter().rev().find(|(_, covered, _)| !*covered).map(|(at, _, _)| *at).unwrap();
    let covered_at = history.last().unwrap().0;
    assert!(covered_at.since(lost_at) <= protect_within, "{history:?}");
    assert_eq!(exchange.query(|venue| venue.open_algos(exchange.account(), None).unwrap().len()), 1);
    shutdown.trigger("the test is over");
    let end = run.await.unwrap().unwrap();
    let leg = PositionKey::long(eth());
    assert!(end.engine.book().leg(&leg).is_some_and(|leg| leg.is_open()), "it was not closed");
    exchange.shutdown().await;
}
