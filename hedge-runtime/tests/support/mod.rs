//! A venue, a store and a clock that do what a test tells them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)] // a test kit, used in parts

use std::{
    collections::VecDeque,
    num::NonZeroU32,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use hedge_core::{
    AccountEvent, AccountSnapshot, Amount, Approved, Asset, Balance, Bar, BarQuery, BrokerError, Brokerage,
    Capabilities, CashFlow, Changed, Clock, DataNeed, Decimal, Decision, Entry, Envelope, Environment, Event,
    EventSource, Fact, Fill, InstrumentId, InstrumentSpec, InstrumentStatus, Intent, Interval, Leverage,
    LotRule, MarginMode, MarketEvent, Notional, Order, OrderAck, OrderRef, OrderReport, OrderSide,
    OrderSpaces, Output, Page, PermitAll, Position, PositionKey, PositionMode, PositionSide, Price, Qty,
    ReportedState, Seq, SignedAmount, Size, StateStore, StoreError, Strategy, StrategyEvent, StrategyId,
    StrategyView, SubmitError, Subscription, Timestamp, TradeId, Venue, VenueFingerprint, VenueOrderId,
    VenueReader, View, ViewName,
    engine::{Engine, EngineConfig},
};
use hedge_runtime::{
    Activity, Fence, Listing, Parts, RunEnd, RunError, Runtime, Settings, Shutdown, Unfenced,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};

pub const START_MS: i64 = 1_800_000_000_000;

pub fn btc() -> InstrumentId {
    InstrumentId::binance("BTCUSDT").unwrap()
}

/// Listed at the venue and in no universe.
pub fn sol() -> InstrumentId {
    InstrumentId::binance("SOLUSDT").unwrap()
}

pub fn eth() -> InstrumentId {
    InstrumentId::binance("ETHUSDT").unwrap()
}

/// Follows tokio's time, which tests pause: sleeping costs nothing.
#[derive(Debug)]
pub struct TokioClock(Instant);

#[async_trait]
impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(START_MS).plus(self.0.elapsed())
    }
    async fn sleep_until(&self, deadline: Timestamp) {
        tokio::time::sleep(deadline.since(self.now())).await;
    }
}

/// What the store is told to do with the batch that holds the first approved order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtOrder {
    Keep,
    Fail,
    TakeSeconds(u64),
    /// Not only this batch: every one from now on.
    FailAlways,
}

#[derive(Debug)]
pub struct Store {
    pub records: Mutex<Vec<Envelope>>,
    pub views: Mutex<Vec<(&'static str, View)>>,
    pub at_order: Mutex<AtOrder>,
}

impl Store {
    pub fn decisions(&self) -> Vec<Decision> {
        let records = self.records.lock().unwrap();
        let decision = |envelope: &Envelope| match &envelope.event {
            Event::Decision(decision) => Some(decision.clone()),
            Event::Fact(_) => None,
        };
        records.iter().filter_map(decision).collect()
    }
    pub fn facts(&self) -> Vec<Fact> {
        let records = self.records.lock().unwrap();
        let fact = |envelope: &Envelope| match &envelope.event {
            Event::Fact(fact) => Some(fact.clone()),
            Event::Decision(_) => None,
        };
        records.iter().filter_map(fact).collect()
    }
    /// Client ids of approved orders that are durable.
    pub fn approved(&self) -> Vec<String> {
        let id = |decision: Decision| match decision {
            Decision::OrderApproved { client_id, .. } => Some(client_id.to_string()),
            _ => None,
        };
        self.decisions().into_iter().filter_map(id).collect()
    }
}

#[async_trait]
impl StateStore for Store {
    async fn append(&self, expected_next: Seq, batch: &[Envelope]) -> Result<Seq, StoreError> {
        let orders = batch
            .iter()
            .any(|envelope| matches!(envelope.event, Event::Decision(Decision::OrderApproved { .. })));
        let plan = *self.at_order.lock().unwrap();
        if orders || plan == AtOrder::FailAlways {
            match plan {
                AtOrder::Keep => {}
                AtOrder::Fail | AtOrder::FailAlways => {
                    return Err(StoreError::Io { doing: "appending".into(), source: "disk full".into() });
                }
                AtOrder::TakeSeconds(seconds) => {
                    *self.at_order.lock().unwrap() = AtOrder::Keep;
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                }
            }
        }
        let mut records = self.records.lock().unwrap();
        let found = Seq(records.len() as u64);
        if found != expected_next || batch.first().is_none_or(|first| first.seq != found) {
            return Err(StoreError::Conflict { expected: expected_next, found });
        }
        records.extend_from_slice(batch);
        Ok(Seq(records.len() as u64))
    }
    async fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Page, StoreError> {
        let records = self.records.lock().unwrap();
        let page: Vec<Envelope> =
            records.iter().skip(from.0 as usize).take(limit.get() as usize).cloned().collect();
        let end = from.0 + page.len() as u64;
        Ok(Page { next: (end < records.len() as u64).then_some(Seq(end)), records: page })
    }
    async fn next_seq(&self) -> Result<Seq, StoreError> {
        Ok(Seq(self.records.lock().unwrap().len() as u64))
    }
    async fn put_view(&self, name: &ViewName, view: &View) -> Result<(), StoreError> {
        self.views.lock().unwrap().push((name.as_str(), view.clone()));
        Ok(())
    }
    async fn get_view(&self, name: &ViewName) -> Result<Option<View>, StoreError> {
        let views = self.views.lock().unwrap();
        Ok(views.iter().rev().find(|(known, _)| *known == name.as_str()).map(|(_, view)| view.clone()))
    }
}

#[derive(Debug)]
struct Stream<E>(UnboundedReceiver<E>);

#[async_trait]
impl<E: Send + std::fmt::Debug> EventSource<E> for Stream<E> {
    async fn next(&mut self) -> Option<E> {
        self.0.recv().await
    }
}

/// How the venue answers the next submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Working,
    TimedOut,
    /// A budget is used up, or the address is banned, for so long.
    Limited(Duration),
    /// The client crashes; nobody knows after how much was sent.
    Panics,
    AfterMs(u64),
    FilledAfterMs(u64),
}

#[derive(Debug)]
pub struct ScriptedVenue {
    fingerprint: VenueFingerprint,
    capabilities: Capabilities,
    clock: Arc<TokioClock>,
    store: Arc<Store>,
    pub calls: Mutex<Vec<String>>,
    pub answers: Mutex<VecDeque<Answer>>,
    /// Submits whose order was not in the journal when the venue saw it.
    pub unjournalled: Mutex<Vec<String>>,
    /// Until then every read of the account finds another wallet.
    pub restless_until: Mutex<Timestamp>,
    /// What the account holds, and what rests there.
    pub positions: Mutex<Vec<Position>>,
    pub orders: Mutex<Vec<OrderReport>>,
    /// Symbols that have stopped trading, and the announcement of it.
    pub stopped: Mutex<Vec<InstrumentId>>,
    pub announced: tokio::sync::Notify,
    /// How long the address must wait each time that history is asked for; zero, and after the last one, it is given.
    pub budget_waits: Mutex<VecDeque<Duration>>,
    /// Whether history that is asked for does not come before it is let go.
    pub holds_bars: AtomicBool,
    pub lets_go: tokio::sync::Notify,
    /// Whether the timer over resting entries can be set.
    pub refuses_timers: AtomicBool,
    account: Mutex<Option<UnboundedSender<AccountEvent>>>,
    market: Mutex<Option<UnboundedSender<MarketEvent>>>,
}

impl ScriptedVenue {
    fn call(&self, what: impl Into<String>) {
        self.calls.lock().unwrap().push(what.into());
    }
    pub fn called(&self, prefix: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call.starts_with(prefix)).count()
    }
    pub fn place_of(&self, prefix: &str) -> usize {
        self.calls.lock().unwrap().iter().position(|call| call.starts_with(prefix)).unwrap()
    }
    pub fn say(&self, event: AccountEvent) {
        self.account.lock().unwrap().as_ref().unwrap().send(event).unwrap();
    }
    pub fn print(&self, event: MarketEvent) {
        self.market.lock().unwrap().as_ref().unwrap().send(event).unwrap();
    }
    pub fn end_account_stream(&self) {
        *self.account.lock().unwrap() = None;
    }
    /// History comes from now on.
    pub fn let_bars_go(&self) {
        self.holds_bars.store(false, Ordering::SeqCst);
        self.lets_go.notify_one();
    }
    pub fn is_live(&self) -> bool {
        self.market.lock().unwrap().is_some()
    }
}

#[async_trait]
impl VenueReader for ScriptedVenue {
    fn fingerprint(&self) -> &VenueFingerprint {
        &self.fingerprint
    }
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    async fn server_time(&self) -> Result<Timestamp, BrokerError> {
        Ok(self.clock.now())
    }
    async fn instruments(&self) -> Result<Vec<InstrumentSpec>, BrokerError> {
        self.call("instruments");
        let stopped = self.stopped.lock().unwrap();
        let now = |id: InstrumentId| {
            let mut spec = spec(id);
            if stopped.contains(&id) {
                spec.status = hedge_core::InstrumentStatus::NotTrading("SETTLING".to_owned());
            }
            spec
        };
        Ok(vec![now(btc()), now(eth()), now(sol())])
    }
    async fn rules_changed(&self) {
        self.announced.notified().await;
    }
    async fn account(&self) -> Result<AccountSnapshot, BrokerError> {
        self.call("account");
        let is_restless = self.clock.now() < *self.restless_until.lock().unwrap();
        let moved = if is_restless { self.called("account") } else { 0 };
        Ok(AccountSnapshot {
            venue_time: self.clock.now(),
            balances: vec![Balance {
                asset: Asset::usdt(),
                wallet: SignedAmount::from_decimal(Decimal::from(10_000 + moved)),
                available: None,
            }],
            mode: PositionMode::Hedge,
            multi_assets: false,
            can_trade: Some(true),
            can_withdraw: None,
        })
    }
    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        self.call("positions");
        Ok(self.positions.lock().unwrap().clone())
    }
    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        self.call("open_orders");
        Ok(self.orders.lock().unwrap().clone())
    }
    async fn find_order(&self, _: &InstrumentId, _: &OrderRef) -> Result<Option<OrderReport>, BrokerError> {
        self.call("find_order");
        Ok(None)
    }
    async fn fills_since(&self, _: &InstrumentId, _: Timestamp) -> Result<Vec<Fill>, BrokerError> {
        self.call("fills_since");
        Ok(Vec::new())
    }
    async fn cash_flows_since(&self, _: Timestamp) -> Result<Vec<CashFlow>, BrokerError> {
        self.call("cash_flows_since");
        Ok(Vec::new())
    }
    async fn bars(&self, query: &BarQuery) -> Result<Vec<Bar>, BrokerError> {
        self.call("bars");
        while self.holds_bars.load(Ordering::SeqCst) {
            self.lets_go.notified().await;
        }
        let wait = self.budget_waits.lock().unwrap().pop_front();
        if let Some(retry_after) = wait.filter(|wait| !wait.is_zero()) {
            return Err(BrokerError::RateLimited { retry_after });
        }
        // The last one has not closed yet.
        let open = |back: i64| START_MS - back * query.interval.ms();
        Ok((0..3).rev().map(|back| bar(query.interval, open(back))).collect())
    }
    async fn account_events(&self) -> Result<Box<dyn EventSource<AccountEvent>>, BrokerError> {
        self.call("account_events");
        let (sender, receiver) = unbounded_channel();
        *self.account.lock().unwrap() = Some(sender);
        Ok(Box::new(Stream(receiver)))
    }
    async fn market_events(
        &self,
        what: &[Subscription],
    ) -> Result<Box<dyn EventSource<MarketEvent>>, BrokerError> {
        self.call("market_events");
        for stream in what {
            self.call(format!("stream {} {:?}", stream.id.symbol, stream.channel));
        }
        let (sender, receiver) = unbounded_channel();
        *self.market.lock().unwrap() = Some(sender);
        Ok(Box::new(Stream(receiver)))
    }
}

#[async_trait]
impl Brokerage for ScriptedVenue {
    async fn submit(&self, order: &Approved<Order>) -> Result<OrderAck, SubmitError> {
        let order = order.get();
        let id = order.client_id().to_string();
        self.call(format!("submit {} {id}", order.position()));
        if !self.store.approved().contains(&id) {
            self.unjournalled.lock().unwrap().push(id);
        }
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Answer::Working);
        match answer {
            Answer::Working => {}
            Answer::Panics => panic!("the client crashes, as the test wants"),
            Answer::AfterMs(ms) | Answer::FilledAfterMs(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await
            }
            Answer::Limited(retry_after) => {
                let error = BrokerError::RateLimited { retry_after };
                return Err(SubmitError { error, acceptable_until: None });
            }
            Answer::TimedOut => {
                return Err(SubmitError {
                    error: BrokerError::OutcomeUnknown { source: "timed out".into() },
                    acceptable_until: Some(self.clock.now().plus(Duration::from_secs(5))),
                });
            }
        }
        let is_filled = matches!(answer, Answer::FilledAfterMs(_));
        self.call(format!("answered {}", order.position()));
        Ok(OrderAck {
            client_id: *order.client_id(),
            order: OrderRef::Plain(VenueOrderId(self.called("submit") as i64)),
            state: if is_filled { ReportedState::Filled } else { ReportedState::Working },
            filled: if is_filled { order.qty().get() } else { Decimal::ZERO },
        })
    }
    async fn cancel(&self, _: &InstrumentId, _: &OrderRef) -> Result<(), BrokerError> {
        self.call("cancel");
        Ok(())
    }
    async fn cancel_all(&self, _: &InstrumentId, _: OrderSpaces) -> Result<(), BrokerError> {
        self.call("cancel_all");
        Ok(())
    }
    async fn ensure_position_mode(&self, _: PositionMode) -> Result<Changed, BrokerError> {
        self.call("ensure_position_mode");
        Ok(Changed::No)
    }
    async fn ensure_margin_mode(&self, _: &InstrumentId, _: MarginMode) -> Result<Changed, BrokerError> {
        self.call("ensure_margin_mode");
        Ok(Changed::No)
    }
    async fn ensure_leverage(&self, _: &InstrumentId, _: Leverage) -> Result<Changed, BrokerError> {
        self.call("ensure_leverage");
        Ok(Changed::No)
    }
    async fn dead_man(&self, instrument: &InstrumentId, timer: Option<Duration>) -> Result<(), BrokerError> {
        self.call(format!("dead_man {} {:?}", instrument.symbol, timer.map(|timer| timer.as_secs())));
        if self.refuses_timers.load(Ordering::SeqCst) {
            return Err(BrokerError::OutcomeUnknown { source: "timed out".into() });
        }
        Ok(())
    }
}

pub fn spec(id: InstrumentId) -> InstrumentSpec {
    let lot = LotRule { min: Decimal::new(1, 3), max: Decimal::from(1_000), step: Decimal::new(1, 3) };
    InstrumentSpec {
        id,
        status: InstrumentStatus::Trading,
        base: Asset::parse("BTC").unwrap(),
        quote: Asset::usdt(),
        settle: Asset::usdt(),
        tick: Decimal::new(1, 1),
        min_price: None,
        max_price: None,
        lot,
        market_lot: lot,
        min_notional: Notional::ZERO,
        contract_size: Decimal::ONE,
        price_band_up: None,
        price_band_down: None,
        mode: PositionMode::Hedge,
        delivery: None,
    }
}

pub fn bar(interval: Interval, open_ms: i64) -> Bar {
    Bar {
        open_time: Timestamp::from_ms(open_ms),
        interval,
        open: 1_000,
        high: 1_010,
        low: 990,
        close: 1_000,
        price_scale: 1,
        volume: 5,
        volume_scale: 0,
    }
}

/// The whole fill of the first order that the venue saw: one unit of a LONG leg.
pub fn fill_of_the_first_order(instrument: InstrumentId) -> Fill {
    Fill {
        instrument,
        trade_id: TradeId(1),
        order: VenueOrderId(1),
        client_id: None,
        side: PositionSide::Long.into(),
        order_side: OrderSide::Buy,
        qty: Qty::parse("1").unwrap(),
        price: Price::parse("100").unwrap(),
        fee: Amount::usdt(Decimal::new(4, 2)),
        realized: None,
        maker: false,
        venue_time: Timestamp::from_ms(START_MS + 60_000),
    }
}

/// Opens the LONG leg of its instrument on every closed bar on which it may, at the market or by an order that rests, and
/// again the moment it has become flat.
#[derive(Debug)]
pub struct Opens(pub InstrumentId, pub Entry);

impl Strategy for Opens {
    fn id(&self) -> StrategyId {
        StrategyId::parse(&format!("opens-{}", self.0.symbol)).unwrap()
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed { instrument: self.0, interval: Interval::M15, warmup_bars: 2 }]
    }
    fn tick_needs(&self) -> Vec<InstrumentId> {
        if self.0 == btc() { vec![btc()] } else { Vec::new() }
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        let leg = PositionKey::long(self.0);
        let may = match event {
            StrategyEvent::Bar { .. } => view.is_free(&leg),
            StrategyEvent::Flat { position } => *position == leg,
            _ => false,
        };
        if may {
            let size = Size::Qty(Qty::parse("1").unwrap());
            let mut intent = Intent::open(leg, size, Price::parse("95").unwrap(), "a bar has closed");
            if let Intent::Open { entry, .. } = &mut intent {
                *entry = self.1;
            }
            out.want(intent);
        }
    }
}

/// Everything of one run, from outside.
pub struct Bench {
    pub venue: Arc<ScriptedVenue>,
    pub store: Arc<Store>,
    pub activity: Arc<Activity>,
    pub shutdown: Shutdown,
    pub clock: Arc<TokioClock>,
    pub fence: Arc<dyn Fence>,
    /// What differs from the usual settings.
    pub settings: Box<dyn Fn(&mut Settings) + Send + Sync>,
    pub config: EngineConfig,
    pub entry: Entry,
}

impl Bench {
    pub fn new(activity: Arc<Activity>) -> Self {
        let clock = Arc::new(TokioClock(Instant::now()));
        let store = Arc::new(Store {
            records: Mutex::default(),
            views: Mutex::default(),
            at_order: Mutex::new(AtOrder::Keep),
        });
        let venue = ScriptedVenue {
            fingerprint: VenueFingerprint {
                venue: Venue::Binance,
                environment: Environment::Loopback,
                host: "script".into(),
                key_digest: "none".into(),
            },
            capabilities: Capabilities {
                hedge_mode: true,
                server_stops: true,
                close_all_stops: true,
                max_conditional_orders: 200,
                request_deadline: Some(Duration::from_secs(5)),
                visibility_delay: Duration::ZERO,
                margin_modes: vec![MarginMode::Crossed],
            },
            clock: Arc::clone(&clock),
            store: Arc::clone(&store),
            calls: Mutex::default(),
            answers: Mutex::default(),
            unjournalled: Mutex::default(),
            restless_until: Mutex::new(Timestamp::EPOCH),
            positions: Mutex::default(),
            orders: Mutex::default(),
            stopped: Mutex::default(),
            announced: tokio::sync::Notify::new(),
            budget_waits: Mutex::default(),
            holds_bars: AtomicBool::new(false),
            lets_go: tokio::sync::Notify::new(),
            refuses_timers: AtomicBool::new(false),
            account: Mutex::default(),
            market: Mutex::default(),
        };
        Self {
            venue: Arc::new(venue),
            store,
            activity,
            shutdown: Shutdown::new(),
            clock,
            fence: Arc::new(Unfenced),
            settings: Box::new(|_| {}),
            config: EngineConfig::default(),
            entry: Entry::Market,
        }
    }
    pub fn fenced(mut self, fence: impl Fence) -> Self {
        self.fence = Arc::new(fence);
        self
    }
    pub fn engine(&self) -> Engine {
        let strategies: Vec<Box<dyn Strategy>> =
            vec![Box::new(Opens(btc(), self.entry)), Box::new(Opens(eth(), self.entry))];
        Engine::new(self.config.clone(), Box::new(PermitAll), strategies)
    }
    pub fn runtime(&self) -> Runtime {
        let engine = self.engine();
        let listing = |instrument| Listing {
            instrument,
            leverage: Leverage::new(3).unwrap(),
            margin: MarginMode::Crossed,
        };
        let mut settings = Settings::new(vec![listing(btc()), listing(eth())]);
        (self.settings)(&mut settings);
        let parts = Parts {
            store: Arc::clone(&self.store) as _,
            venues: vec![Arc::clone(&self.venue) as _],
            clock: Arc::clone(&self.clock) as _,
            fence: Arc::clone(&self.fence),
            activity: Arc::clone(&self.activity),
            observers: Vec::new(),
            shutdown: self.shutdown.clone(),
            settings,
        };
        Runtime::new(engine, parts)
    }
    pub fn start(&self) -> tokio::task::JoinHandle<Result<RunEnd, RunError>> {
        tokio::spawn(self.runtime().run())
    }
    /// Closes the `n`th bar after the start, of BTC (0) or ETH (1).
    pub fn close_bar(&self, ix: u16, n: i64) {
        let bar = bar(Interval::M15, START_MS + n * Interval::M15.ms());
        self.venue.print(MarketEvent::Bar { instrument: hedge_core::InstrumentIx(ix), bar });
    }
    /// Waits until a condition holds, in tokio's time.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..20_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never: {what}; calls: {:?}", self.venue.calls.lock().unwrap());
    }
    pub async fn live(&self) {
        self.until("live", |bench| bench.venue.is_live() && bench.activity.is_idle(bench.clock.now())).await;
    }
    /// Like [`stop`](Self::stop), and the next run may start.
    pub async fn restartable_stop(
        &mut self,
        run: tokio::task::JoinHandle<Result<RunEnd, RunError>>,
    ) -> RunEnd {
        let end = self.stop(run).await;
        self.shutdown = Shutdown::new();
        *self.venue.market.lock().unwrap() = None;
        end
    }
    pub async fn stop(&self, run: tokio::task::JoinHandle<Result<RunEnd, RunError>>) -> RunEnd {
        self.shutdown.trigger("test is over");
        run.await.unwrap().unwrap()
    }
}
