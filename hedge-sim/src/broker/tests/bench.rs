//! An engine that trades on a simulation, both in one thread, and a strategy that wants what a test tells it to.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use hedge_core::*;

use super::super::{PaperConfig, Simulation, Start, StartLeg};

pub(super) const START_MS: i64 = 1_795_000_000_000;

pub(super) fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}
pub(super) fn px(text: &str) -> Price {
    Price::parse(text).unwrap()
}
pub(super) fn btc() -> InstrumentId {
    InstrumentId::binance("BTCUSDT").unwrap()
}
pub(super) fn eth() -> InstrumentId {
    InstrumentId::binance("ETHUSDT").unwrap()
}

/// Tick 0.1, step 0.001, 5 USDT at least, limit prices within 5 % of mark.
pub(super) fn spec(id: InstrumentId) -> InstrumentSpec {
    let lot = LotRule { min: d("0.001"), max: d("1000"), step: d("0.001") };
    InstrumentSpec {
        id,
        status: InstrumentStatus::Trading,
        base: Asset::parse(&id.symbol.as_str()[..3]).unwrap(),
        quote: Asset::usdt(),
        settle: Asset::usdt(),
        tick: d("0.1"),
        min_price: Some(px("0.1")),
        max_price: Some(px("1000000")),
        lot,
        market_lot: LotRule { max: d("100"), ..lot },
        min_notional: Notional::parse("5").unwrap(),
        contract_size: Decimal::ONE,
        price_band_up: Some(d("1.05")),
        price_band_down: Some(d("0.95")),
        mode: PositionMode::Hedge,
        delivery: None,
    }
}

pub(super) fn specs() -> Vec<InstrumentSpec> {
    vec![spec(btc()), spec(eth())]
}

/// 10,000 USDT, flat, hedge mode.
pub(super) fn flat() -> Start {
    Start {
        at: Timestamp::from_ms(START_MS),
        mode: PositionMode::Hedge,
        multi_assets: false,
        can_trade: Some(true),
        can_withdraw: Some(false),
        wallets: vec![(Asset::usdt(), d("10000"))],
        legs: Vec::new(),
        orders: Vec::new(),
        marks: BTreeMap::new(),
        marks_are_current: false,
    }
}

pub(super) fn leg(key: PositionKey, qty: &str, entry: &str) -> StartLeg {
    StartLeg { key, qty: d(qty), cost: d(qty) * d(entry) }
}

pub(super) fn simulation(start: &Start) -> Simulation {
    Simulation::new(PaperConfig::default(), &specs(), start).unwrap()
}

#[derive(Debug)]
struct Puppet(Arc<Mutex<Vec<Intent>>>);

impl Strategy for Puppet {
    fn id(&self) -> StrategyId {
        StrategyId::parse("puppet").unwrap()
    }
    fn needs(&self) -> Vec<DataNeed> {
        [btc(), eth()]
            .map(|instrument| DataNeed { instrument, interval: Interval::M15, warmup_bars: 0 })
            .to_vec()
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, _: &StrategyView<'_>, out: &mut Output) {
        if let StrategyEvent::Bar { .. } = event {
            self.0.lock().unwrap().drain(..).for_each(|intent| out.want(intent));
        }
    }
}

/// Engine, simulation and journal of one process, or of several after each other.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) sim: Simulation,
    pub(super) now: Timestamp,
    pub(super) journal: Vec<Envelope>,
    /// How much of the journal must have been durable when the last command left.
    pub(super) durable: usize,
    queue: VecDeque<Fact>,
    wants: Arc<Mutex<Vec<Intent>>>,
    bars: i64,
}

impl Bench {
    pub(super) fn new(start: &Start) -> Self {
        let (engine, wants) = engine();
        let mut bench = Self {
            engine,
            sim: simulation(start),
            now: start.at,
            journal: Vec::new(),
            durable: 0,
            queue: VecDeque::new(),
            wants,
            bars: START_MS / 900_000,
        };
        bench.boot();
        bench
    }

    /// The process dies with everything that was not durable yet: of what came after the last command only `kept`
    /// records are left. Another one takes up the journal, and simulates from where it ends.
    pub(super) fn die_and_restart(&mut self, kept: usize) {
        self.journal.truncate(self.durable.saturating_add(kept).min(self.journal.len()));
        let (mut engine, wants) = engine();
        for envelope in &self.journal {
            engine.replay(envelope);
        }
        self.now = self.now.plus(Duration::from_secs(20));
        let real = AccountSnapshot {
            venue_time: self.now,
            balances: Vec::new(),
            mode: PositionMode::Hedge,
            multi_assets: false,
            can_trade: Some(true),
            can_withdraw: Some(false),
        };
        self.sim = simulation(&Start::of_book(engine.book(), &real, &[]));
        (self.engine, self.wants) = (engine, wants);
        self.queue.clear();
        self.boot();
    }

    fn boot(&mut self) {
        let term = Term(self.engine.book().term().0 + 1);
        self.take(Fact::RunStarted(RunStarted {
            run: RunId(START_MS / 1_000),
            term,
            format: event::JOURNAL_FORMAT,
            code_version: "0".to_owned(),
            config_hash: String::new(),
            profile: "mainnet-dry".to_owned(),
            data_hash: None,
        }));
        for (ix, spec) in specs().into_iter().enumerate() {
            self.take(Fact::Instrument { ix: InstrumentIx(ix as u16), spec: Box::new(spec) });
        }
        let since = self.engine.book().back_fill_from();
        let snapshot = self.snapshot(since);
        self.take(Fact::Snapshot { snapshot: Box::new(snapshot) });
        self.settle();
    }

    pub(super) fn snapshot(&mut self, since: Timestamp) -> VenueSnapshot {
        VenueSnapshot {
            account: self.sim.account(),
            positions: self.sim.positions(),
            orders: self.sim.open_orders(),
            fills: [btc(), eth()].iter().flat_map(|id| self.sim.fills_since(id, since)).collect(),
            flows: self.sim.cash_flows_since(since),
        }
    }

    fn take(&mut self, fact: Fact) {
        self.now = self.now.plus(Duration::from_millis(1));
        let mut step = Step::default();
        self.engine.step(self.now, fact, &mut step);
        self.journal.append(&mut step.events);
        for effect in step.effects.drain(..) {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        let answer = match effect {
            Effect::Submit(approved) => {
                self.durable = self.journal.len();
                let order = *approved.get().client_id();
                match self.sim.submit(approved.get()) {
                    Ok(ack) => {
                        Fact::SubmitAcked { order, venue: ack.order, state: ack.state, filled: ack.filled }
                    }
                    Err(error) => Fact::SubmitFailed {
                        order,
                        outcome: error.outcome(),
                        reason: error.reason(),
                        code: error.code(),
                        message: error.to_string(),
                        acceptable_until: None,
                        retry_at: None,
                    },
                }
            }
            Effect::Cancel { order, instrument, target } => {
                self.durable = self.journal.len();
                match self.sim.cancel(&instrument, &target) {
                    Ok(()) => Fact::CancelAcked { order },
                    Err(error) => Fact::CancelFailed {
                        order,
                        outcome: error.outcome(),
                        reason: error.reason(),
                        message: error.to_string(),
                        retry_at: None,
                    },
                }
            }
            Effect::Query { order, position, target, since } => {
                let report = self.sim.find_order(&position.instrument, &target);
                let fills = self.sim.fills_since(&position.instrument, since);
                let legs = self.sim.positions();
                let leg = legs.iter().find(|leg| *leg.key() == position);
                let leg_qty = leg.map_or(Decimal::ZERO, |leg| leg.qty().get());
                let answer = QueryAnswer { venue_time: self.now, report, fills, leg_qty };
                Fact::QueryAnswered { order, answer: Box::new(answer) }
            }
            Effect::Snapshot { since } => {
                let snapshot = self.snapshot(since);
                Fact::Snapshot { snapshot: Box::new(snapshot) }
            }
        };
        self.queue.push_back(answer);
        self.hear();
    }

    fn hear(&mut self) {
        let events = self.sim.take_events();
        self.queue.extend(events.into_iter().map(|event| Fact::Account { event: Box::new(event) }));
    }

    /// Until there is nothing left to react to.
    pub(super) fn settle(&mut self) {
        self.hear();
        while let Some(fact) = self.queue.pop_front() {
            self.take(fact);
        }
    }

    /// Lets time pass as the shell does.
    pub(super) fn wait(&mut self, by: Duration) {
        let end = self.now.plus(by);
        let mut ticks = 0;
        while let Some(due) = self.engine.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.take(Fact::Tick);
            self.settle();
            ticks += 1;
            assert!(ticks < 1_000, "the engine asks for a tick a thousand times in {by:?}");
        }
        self.now = end;
    }

    /// Only the engine hears it.
    pub(super) fn deliver(&mut self, event: MarketEvent) {
        self.take(Fact::Market { event });
        self.settle();
    }

    /// The operator wants everything closed.
    pub(super) fn flatten(&mut self) {
        self.take(Fact::Operator { command: OperatorCommand::Flatten, because: "test".to_owned() });
        self.settle();
    }

    /// A close of the LONG leg of BTCUSDT that no engine decided.
    pub(super) fn close_order(&self, qty: &str, exit: &Exit) -> Approved<Close> {
        let position = Position::new(PositionKey::long(btc()), Qty::parse(qty).unwrap(), px("100"));
        let id = ClientOrderId::parse("hand1").unwrap();
        Gate::for_closing(&spec(btc()), Term(1)).close(id, &position, &Portion::All, exit).unwrap()
    }

    /// The simulation hears it first, then the engine.
    pub(super) fn market(&mut self, id: InstrumentId, event: MarketEvent) {
        self.sim.market(&id, &event);
        self.settle();
        self.take(Fact::Market { event });
        self.settle();
    }

    pub(super) fn mark(&mut self, price: &str) {
        for (ix, id) in [btc(), eth()].into_iter().enumerate() {
            self.mark_of(id, ix, price);
        }
    }

    pub(super) fn mark_of(&mut self, id: InstrumentId, ix: usize, price: &str) {
        let event =
            MarketEvent::Mark { instrument: InstrumentIx(ix as u16), mark: px(price), venue_time: self.now };
        self.market(id, event);
    }

    pub(super) fn book(&mut self, bid: &str, ask: &str) {
        let event = MarketEvent::Book {
            instrument: InstrumentIx(0),
            bid: px(bid),
            bid_qty: Qty::parse("1").unwrap(),
            ask: px(ask),
            ask_qty: Qty::parse("1").unwrap(),
            venue_time: self.now,
        };
        self.market(btc(), event);
    }

    pub(super) fn funding(&mut self, rate: &str, settles_at: Timestamp) {
        let event = MarketEvent::Funding { instrument: InstrumentIx(0), rate: d(rate), settles_at };
        self.market(btc(), event);
    }

    /// The strategy wants this at the next bar, which comes now.
    pub(super) fn want(&mut self, intent: Intent) {
        self.wants.lock().unwrap().push(intent);
        let mark = self.engine.book().mark(InstrumentIx(0)).unwrap().0.get();
        let close = i64::try_from((mark * d("10")).trunc()).unwrap();
        let bar = Bar {
            open_time: Timestamp::from_ms(self.bars * 900_000),
            interval: Interval::M15,
            open: close,
            high: close,
            low: close,
            close,
            price_scale: 1,
            volume: 1,
            volume_scale: 0,
        };
        self.bars += 1;
        self.take(Fact::Market { event: MarketEvent::Bar { instrument: InstrumentIx(0), bar } });
        self.settle();
    }

    pub(super) fn open(&mut self, key: PositionKey, qty: &str, stop: &str) {
        self.want(Intent::open(key, Size::Qty(Qty::parse(qty).unwrap()), px(stop), "test"));
    }

    pub(super) fn leg(&self, key: PositionKey) -> &LegState {
        self.engine.book().leg(&key).unwrap()
    }

    /// What book and simulation disagree on. Empty when all is well.
    pub(super) fn differences(&mut self) -> Vec<Difference> {
        let since = self.engine.book().back_fill_from();
        let snapshot = self.snapshot(since);
        reconcile(self.engine.book(), &snapshot)
    }

    pub(super) fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.journal.iter().filter_map(|envelope| match &envelope.event {
            Event::Decision(decision) => Some(decision),
            Event::Fact(_) => None,
        })
    }

    /// How often the book had to take the simulation's word.
    pub(super) fn corrections(&self) -> Vec<&Decision> {
        self.decisions().filter(|decision| matches!(decision, Decision::Corrected { .. })).collect()
    }
}

fn engine() -> (Engine, Arc<Mutex<Vec<Intent>>>) {
    let wants = Arc::new(Mutex::new(Vec::new()));
    let strategies: Vec<Box<dyn Strategy>> = vec![Box::new(Puppet(Arc::clone(&wants)))];
    (Engine::new(EngineConfig::default(), Box::new(PermitAll), strategies), wants)
}
