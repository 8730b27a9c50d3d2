//! Brokerages under the same examination: the armed client of the simulated exchange by either way of its orders, and a dry
//! run on it. And what the WebSocket API is put to besides.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use hedge_binance::{
    Binance, BinanceConfig, Credentials, Endpoints, Live, OrderPath, ReadOnly, StreamConfig, Testnet,
};
use hedge_core::{
    Asset, Brokerage, CashFlow, CashFlowKind, Clock, Decimal, Decision, Difference, Engine, EngineConfig,
    Event, Exit, Fact, InstrumentId, InstrumentIx, OrderRef, OrderSpace, Outcome, PermitAll, PositionMode,
    PositionSide, PreflightPass, PreflightReport, Price, ReportedState, RunId, RunStarted, SignedAmount,
    Step, Term, Tif, VenueReader, VenueSnapshot, event::JOURNAL_FORMAT,
};
use hedge_runtime::SystemClock;
use hedge_sim::{
    binance::{ApiKey, Exchange, ExchangeConfig, ExchangeHandle, Fault, FaultKind, PublicKey, When},
    broker::{Paper, PaperSeed},
    venue::Window,
};
use hedge_testkit::{
    conformance::brokerage::{self, Desk},
    mint::Mint,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::{Mutex, watch},
    task::JoinSet,
};

/// A fresh exchange, with an account that is flat.
async fn exchange() -> ExchangeHandle {
    Exchange::start(ExchangeConfig::default()).await.unwrap()
}

fn demo() -> Credentials<Testnet> {
    Credentials::new(ApiKey::DEMO_KEY.to_owned(), ApiKey::DEMO_SECRET.to_owned()).unwrap()
}

fn reader(exchange: &ExchangeHandle) -> Binance<ReadOnly> {
    client(exchange, &exchange.ws_url(), demo(), OrderPath::Rest, StreamConfig::default())
}

fn client(
    exchange: &ExchangeHandle,
    ws: &str,
    credentials: Credentials<Testnet>,
    order_path: OrderPath,
    streams: StreamConfig,
) -> Binance<ReadOnly> {
    let endpoints = Endpoints::<Testnet>::new(Some(&exchange.rest_url()), Some(ws)).unwrap();
    let config =
        BinanceConfig { order_path, streams, ..BinanceConfig::new(endpoints, Arc::new(SystemClock)) };
    Binance::connect(config, credentials).unwrap()
}

fn armed(client: Binance<ReadOnly>) -> Binance<Live> {
    let report = PreflightReport { fingerprint: client.fingerprint().clone(), checks: Vec::new() };
    let now = SystemClock.now();
    let pass = PreflightPass::issue(&report, None, "", now).unwrap();
    client.arm(pass, now).unwrap()
}

fn desk(broker: impl Brokerage) -> Desk {
    Desk { broker: Arc::new(broker), instrument: InstrumentId::binance("ETHUSDT").unwrap() }
}

#[tokio::test]
async fn the_armed_client_of_the_simulated_exchange_is_a_brokerage() {
    // Kept until the end: an exchange that is dropped is gone.
    let exchanges = Mutex::new(Vec::new());
    brokerage::all(async || {
        let exchange = exchange().await;
        let desk = desk(armed(reader(&exchange)));
        exchanges.lock().await.push(exchange);
        desk
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_is_a_brokerage_and_leaves_the_exchange_alone() {
    let exchanges = Mutex::new(Vec::new());
    brokerage::all(async || {
        let exchange = exchange().await;
        let paper = Paper::start(reader(&exchange), PaperSeed::Account).await.unwrap();
        exchanges.lock().await.push(exchange);
        desk(paper)
    })
    .await;
    let exchanges = exchanges.into_inner();
    assert_eq!(exchanges.len(), 11, "one for each property");
    for exchange in &exchanges {
        let account = exchange.account();
        let (orders, algos, config, settings) = exchange.query(|venue| {
            (
                venue.all_orders(account, None, Window::default()).unwrap(),
                venue.all_algos(account, "ETHUSDT", Window::default()).unwrap(),
                venue.account_config(account).unwrap(),
                venue.symbol_configs(account, Some("ETHUSDT")).unwrap(),
            )
        });
        assert_eq!((orders.len(), algos.len(), config.hedge_mode), (0, 0, false));
        assert_eq!(settings[0].leverage, 20, "as it was");
    }
}

/// Made for tests; it opens nothing.
const ED25519_PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIKpgGBHhbp52NpR0gRJoasPG5NDKTj+AbRnHVWpY1SDT";
const ED25519_PUBLIC: &str = "MCowBQYDK2VwAyEAqSYvphW+KCCENi+o6RsMfMfUiMyRC6kwQxo+8MpGLi4=";
/// Under which the exchange serves the WebSocket API.
const API: &str = "/ws-fapi/v1";

/// A key that a connection can log on with, on both sides.
fn ed25519() -> (PublicKey, Credentials<Testnet>) {
    let pem =
        |kind: &str, body: &str| format!("-----BEGIN {kind} KEY-----\n{body}\n-----END {kind} KEY-----\n");
    let public = PublicKey::from_pem("ed", &pem("PUBLIC", ED25519_PUBLIC)).unwrap();
    (public, Credentials::new("ed".to_owned(), pem("PRIVATE", ED25519_PRIVATE)).unwrap())
}

/// Lets every request over the WebSocket API pass, and counts it.
fn count_api(exchange: &ExchangeHandle) -> u64 {
    let pass = FaultKind::Delay { delay_ms: 1, when: When::After };
    exchange.fault(Fault::new(pass).under(API).always()).unwrap()
}

fn counted(exchange: &ExchangeHandle, id: u64) -> u32 {
    exchange.faults().iter().find(|status| status.id == id).unwrap().hits
}

/// The numbers of all orders that the exchange has had, by client id.
fn placed(exchange: &ExchangeHandle) -> Vec<String> {
    let account = exchange.account();
    exchange.query(|venue| {
        let plain = venue.all_orders(account, None, Window::default()).unwrap();
        plain.iter().map(|order| order.client_order_id.clone()).collect()
    })
}

#[tokio::test]
async fn over_the_websocket_api_with_a_log_on_the_client_is_the_same_brokerage() {
    let exchanges = Mutex::new(Vec::new());
    brokerage::all(async || {
        let (public, credentials) = ed25519();
        let config = ExchangeConfig { public_keys: vec![public], ..ExchangeConfig::default() };
        let exchange = Exchange::start(config).await.unwrap();
        let requests = count_api(&exchange);
        let path = OrderPath::WsApi { logon: true };
        let client = client(&exchange, &exchange.ws_url(), credentials, path, StreamConfig::default());
        exchanges.lock().await.push((exchange, requests));
        desk(armed(client))
    })
    .await;
    for (exchange, requests) in exchanges.into_inner() {
        let algos = exchange.algos("ETHUSDT").unwrap().len();
        // Every order came by it; cancels and orders that were refused besides.
        let plain = placed(&exchange).iter().filter(|id| id.starts_with('h')).count();
        assert!(counted(&exchange, requests) as usize >= plain + algos);
    }
}

#[tokio::test]
async fn a_shared_secret_signs_each_request_of_the_websocket_api() {
    let exchange = exchange().await;
    let requests = count_api(&exchange);
    let path = OrderPath::WsApi { logon: false };
    let client = client(&exchange, &exchange.ws_url(), demo(), path, StreamConfig::default());
    brokerage::an_entry_is_acknowledged_told_and_found(&desk(armed(client))).await;
    // The entry, and the close that leaves the desk flat.
    assert_eq!((counted(&exchange, requests), placed(&exchange).len()), (2, 2));
}

/// An exchange, a client in hedge mode that trades by that way, and who approves its orders.
async fn hedged(path: OrderPath) -> (ExchangeHandle, Binance<Live>, Mint) {
    let exchange = exchange().await;
    let client = armed(client(&exchange, &exchange.ws_url(), demo(), path, StreamConfig::default()));
    client.ensure_position_mode(PositionMode::Hedge).await.unwrap();
    let eth = InstrumentId::binance("ETHUSDT").unwrap();
    let spec = client.instruments().await.unwrap().into_iter().find(|spec| spec.id == eth).unwrap();
    let mark = Price::new(client.rest().premium_index("ETHUSDT").await.unwrap().mark_price).unwrap();
    let now = client.server_time().await.unwrap();
    (exchange, client, Mint { spec, now, mark })
}

/// The page of `order.place` states another self-trade prevention where none is named than REST's does.
#[tokio::test]
async fn two_legs_of_one_account_do_not_trade_with_each_other_by_either_way_of_orders() {
    for path in [OrderPath::Rest, OrderPath::WsApi { logon: false }] {
        let (exchange, client, mint) = hedged(path).await;
        // The best price stays the best.
        exchange.set_paused(true).unwrap();
        let qty = mint.small_qty();
        for side in PositionSide::BOTH {
            client.submit(&mint.open(side, qty)).await.unwrap();
        }
        // LONG rests where the next buyer meets it first; SHORT buys.
        let account = exchange.account();
        let ask = exchange.query(|venue| venue.best(venue.symbol_id("ETHUSDT").unwrap()).unwrap().ask);
        let price = Price::new(ask).unwrap();
        let resting = mint.close(PositionSide::Long, qty, &Exit::Limit { price, tif: Tif::Gtc });
        let ack = client.submit(&resting).await.unwrap();
        assert_eq!(ack.state, ReportedState::Working, "{path:?}");
        let buying = mint.close(PositionSide::Short, qty, &Exit::Limit { price, tif: Tif::Ioc });
        client.submit(&buying).await.unwrap();
        let left = client.find_order(&mint.spec.id, &ack.order).await.unwrap().unwrap();
        assert_eq!((left.state, left.filled), (ReportedState::Expired, Decimal::ZERO), "{path:?}");
        let trades =
            exchange.query(|venue| venue.user_trades(account, "ETHUSDT", None, Window::default()).unwrap());
        assert!(trades.len() >= 3, "{path:?}: {trades:#?}");
        assert!(
            trades.iter().all(|trade| !trade.maker),
            "{path:?}: the account has traded with itself: {trades:#?}"
        );
        // The LONG leg is as it was: what was to close it is gone, and the engine is told so.
        let legs = client.positions().await.unwrap();
        let long = legs.iter().find(|leg| leg.key().side == PositionSide::Long).unwrap();
        assert_eq!(long.qty(), qty, "{path:?}");
    }
}

#[tokio::test]
async fn the_ledgers_fees_are_those_of_the_executions_and_one_that_is_not_is_corrected() {
    let (_exchange, client, mint) = hedged(OrderPath::Rest).await;
    let (since, qty) = (mint.now, mint.small_qty());
    let ix = InstrumentIx(0);
    let mut engine = Engine::new(EngineConfig::default(), Box::new(PermitAll), Vec::new());
    let mut tell = |fact: Fact| {
        let mut step = Step::default();
        engine.step(since, fact, &mut step);
        let corrected = step.events.into_iter().filter_map(|record| match record.event {
            Event::Decision(Decision::Corrected { difference }) => Some(difference),
            _ => None,
        });
        let corrected: Vec<Difference> = corrected.collect();
        (corrected, engine.book().totals().fees)
    };
    let started = RunStarted {
        run: RunId(1),
        term: Term(1),
        format: JOURNAL_FORMAT,
        code_version: String::new(),
        config_hash: String::new(),
        profile: "test".to_owned(),
        data_hash: None,
    };
    tell(Fact::RunStarted(started));
    tell(Fact::Instrument { ix, spec: Box::new(mint.spec.clone()) });
    let read = async || VenueSnapshot {
        account: client.account().await.unwrap(),
        positions: client.positions().await.unwrap(),
        orders: client.open_orders().await.unwrap(),
        fills: client.fills_since(&mint.spec.id, since).await.unwrap(),
        flows: client.cash_flows_since(since).await.unwrap(),
    };
    tell(Fact::Snapshot { snapshot: Box::new(read().await) });
    client.submit(&mint.open(PositionSide::Long, qty)).await.unwrap();
    client.submit(&mint.close(PositionSide::Long, qty, &Exit::Market)).await.unwrap();
    let found = read().await;
    let fees: Vec<&CashFlow> = found.flows.iter().filter(|flow| flow.kind == CashFlowKind::Fee).collect();
    assert_eq!(fees.len(), found.fills.len(), "one row of the ledger an execution: {fees:?}");
    for fill in &found.fills {
        let id = CashFlow::fee_id(&fill.instrument, fill.trade_id);
        let row = fees.iter().find(|row| row.id == id).unwrap();
        assert_eq!(row.amount.asset, fill.fee.asset);
        assert_eq!(row.amount.value.get(), -fill.fee.value.get(), "paid out of the wallet");
    }
    let charged: Decimal = found.fills.iter().map(|fill| fill.fee.value.get()).sum();
    assert_eq!(tell(Fact::Snapshot { snapshot: Box::new(found.clone()) }), (Vec::new(), charged));
    // The same read, but the ledger took a cent less for the first execution.
    let mut other = found;
    let cent = Decimal::new(1, 2);
    let cheaper = other.flows.iter_mut().find(|flow| flow.kind == CashFlowKind::Fee).unwrap();
    cheaper.amount.value = SignedAmount::new(cheaper.amount.value.get() + cent).unwrap();
    let expected =
        Difference::Fee { flow: Box::new(cheaper.clone()), book: cent - cheaper.amount.value.get() };
    let wallet = other.account.balances.iter_mut().find(|row| row.asset == Asset::usdt()).unwrap();
    wallet.wallet = SignedAmount::new(wallet.wallet.get() + cent).unwrap();
    let corrected = tell(Fact::Snapshot { snapshot: Box::new(other.clone()) });
    assert_eq!(corrected, (vec![expected], charged - cent));
    assert_eq!(tell(Fact::Snapshot { snapshot: Box::new(other) }).0, [], "once, and the wallet agrees");
}

/// Stands before an exchange's sockets, counts them and can tear them all.
struct Doorkeeper {
    url: String,
    came: Arc<AtomicUsize>,
    tear: watch::Sender<u32>,
}

impl Doorkeeper {
    async fn before(exchange: &ExchangeHandle) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let host = exchange.ws_url().strip_prefix("ws://").unwrap().to_owned();
        let (came, (tear, torn)) = (Arc::new(AtomicUsize::new(0)), watch::channel(0));
        let count = Arc::clone(&came);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                count.fetch_add(1, SeqCst);
                let (host, mut torn) = (host.clone(), torn.clone());
                torn.mark_unchanged();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(host).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = torn.changed() => {}
                    }
                });
            }
        });
        Self { url, came, tear }
    }

    fn connections(&self) -> usize {
        self.came.load(SeqCst)
    }

    fn tear(&self) {
        self.tear.send_modify(|times| *times += 1);
    }
}

/// A client that trades over the WebSocket API behind a doorkeeper, and who approves its orders.
async fn trader(exchange: &ExchangeHandle, streams: StreamConfig) -> (Arc<Binance<Live>>, Mint, Doorkeeper) {
    let door = Doorkeeper::before(exchange).await;
    let client = armed(client(exchange, &door.url, demo(), OrderPath::WsApi { logon: false }, streams));
    client.ensure_position_mode(PositionMode::Hedge).await.unwrap();
    let eth = InstrumentId::binance("ETHUSDT").unwrap();
    let spec = client.instruments().await.unwrap().into_iter().find(|spec| spec.id == eth).unwrap();
    let mark = Price::new(client.rest().premium_index("ETHUSDT").await.unwrap().mark_price).unwrap();
    (Arc::new(client), Mint { spec, now: SystemClock.now(), mark }, door)
}

/// Longer than anything that is waited for takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_line_that_is_torn_in_a_flood_of_orders_doubles_nothing_and_every_order_is_found_out() {
    let exchange = exchange().await;
    let (client, mint, door) = trader(&exchange, StreamConfig::default()).await;
    // Answers take a while, so that some orders are executed and not answered when the line is torn.
    let slow = FaultKind::Delay { delay_ms: 200, when: When::After };
    exchange.fault(Fault::new(slow).under(API).always()).unwrap();
    let mut flood = JoinSet::new();
    for is_torn in [true, true, false] {
        let (before, until) = (placed(&exchange).len(), std::time::Instant::now() + PATIENCE);
        // What meets a torn line is not sent. Of the rest, some are there and not answered yet.
        while placed(&exchange).len() < before + 5 {
            assert!(std::time::Instant::now() < until, "no order arrives any more");
            for _ in 0..10 {
                let (client, order) = (Arc::clone(&client), mint.open(PositionSide::Long, mint.small_qty()));
                flood.spawn(async move {
                    let id = *order.get().client_id();
                    (id, client.submit(&order).await)
                });
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
        }
        if is_torn {
            door.tear();
        }
    }
    let (mut acknowledged, mut unsent, mut unknown) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    while let Some(told) = flood.join_next().await {
        let (id, outcome) = told.unwrap();
        match outcome {
            Ok(ack) => assert!(ack.client_id == id && acknowledged.insert(id.to_string())),
            Err(failed) => match failed.error.outcome() {
                Outcome::NotSent => assert!(unsent.insert(id.to_string())),
                Outcome::Unknown => unknown.push((id, failed.acceptable_until.unwrap())),
                other => panic!("{id} {other:?}: {}", failed.error),
            },
        }
    }
    assert!(!unknown.is_empty() && !acknowledged.is_empty(), "the line was torn in the midst");
    // Asked by the way that was not torn; what is not found is proven absent when nothing can be accepted any more.
    let (eth, mut found) = (mint.spec.id, BTreeSet::new());
    let settled = unknown.iter().map(|(_, until)| *until).max().unwrap();
    while client.server_time().await.unwrap() <= settled {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let before = door.connections();
    for (id, _) in &unknown {
        let order = OrderRef::Client { id: *id, space: OrderSpace::Plain };
        if client.find_order(&eth, &order).await.unwrap().is_some() {
            found.insert(id.to_string());
        }
    }
    assert_eq!(door.connections(), before, "no question went by the WebSocket API");
    let there = placed(&exchange);
    let once: BTreeSet<String> = there.iter().cloned().collect();
    assert_eq!(there.len(), once.len(), "an order was placed twice");
    assert_eq!(once, acknowledged.union(&found).cloned().collect(), "what we know is what there is");
    assert!(unsent.is_disjoint(&once), "what was not sent is not there");
    assert!(door.connections() >= 3, "two lines were torn, and a third one was made");
}

#[tokio::test]
async fn lines_that_are_rotated_under_orders_lose_none() {
    let exchange = exchange().await;
    let rotate_after = Duration::from_millis(150);
    let (client, mint, door) =
        trader(&exchange, StreamConfig { rotate_after, ..StreamConfig::default() }).await;
    let slow = FaultKind::Delay { delay_ms: 60, when: When::After };
    exchange.fault(Fault::new(slow).under(API).always()).unwrap();
    let mut sent = JoinSet::new();
    let mut ids = BTreeSet::new();
    for _ in 0..40 {
        let (client, order) = (Arc::clone(&client), mint.open(PositionSide::Long, mint.small_qty()));
        ids.insert(order.get().client_id().to_string());
        sent.spawn(async move { client.submit(&order).await });
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    while let Some(told) = sent.join_next().await {
        told.unwrap().expect("what the old line owes is answered there");
    }
    assert_eq!(placed(&exchange).into_iter().collect::<BTreeSet<_>>(), ids);
    assert!(door.connections() >= 3, "{} connections", door.connections());
    // The old ones are gone when they owe nothing any more; a stream of the account is not open here.
    let until = std::time::Instant::now() + Duration::from_secs(30);
    while exchange.open_sockets() > 1 {
        assert!(std::time::Instant::now() < until, "{} sockets stay open", exchange.open_sockets());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
