//! One strategy on a real engine, against a venue that answers at once and fills everything.
//!
//! Not a simulation: no fees worth the name, no latency, no margin. It exists to exercise a strategy's whole life (entry,
//! fill, protection, exit, flat) so that properties of its decisions can be checked; for results use `hedge-sim`.

use std::collections::{BTreeMap, VecDeque};

use hedge_core::{
    AccountEvent, AccountSnapshot, Amount, Asset, Balance, Bar, ClientOrderId, Coverage, DataNeed, Decimal,
    Decision, Effect, Engine, EngineConfig, Entry, Envelope, Event, Exit, Fact, Fill, InstrumentId,
    InstrumentIx, InstrumentSpec, InstrumentStatus, Intent, Leg, LotRule, MarketEvent, Notional, Order,
    OrderRef, OrderReport, OrderSide, PermitAll, Position, PositionKey, PositionMode, PositionSide, Price,
    Qty, ReportedId, ReportedKind, ReportedState, RunId, RunStarted, SignedAmount, Step, Strategy, Term,
    Timestamp, TradeId, VenueOrderId, VenueSnapshot,
};

use crate::bars::START;

/// What a resting order waits for.
#[derive(Clone, Copy, Debug)]
enum Waits {
    /// A price at least as good as this for the order.
    Limit(Price),
    /// The price going against the leg.
    Stop(Price),
    /// The price going with the leg.
    TakeProfit(Price),
    /// The price falling back from its best by a fraction.
    Trailing { best: Option<Decimal>, activate: Option<Price>, callback: Decimal },
}

#[derive(Clone, Copy, Debug)]
struct Resting {
    position: PositionKey,
    order_side: OrderSide,
    qty: Qty,
    covers: Coverage,
    number: VenueOrderId,
    waits: Waits,
}

/// A strategy, its engine, and everything that was journalled.
#[derive(Debug)]
pub struct Rehearsal {
    engine: Engine,
    step: Step,
    records: Vec<Envelope>,
    resting: BTreeMap<ClientOrderId, Resting>,
    needs: Vec<DataNeed>,
    now: Timestamp,
    numbers: i64,
}

impl Rehearsal {
    /// The configuration that a rehearsal's engine runs with.
    pub fn config() -> EngineConfig {
        EngineConfig::default()
    }
    /// The engine that a rehearsal runs; also what replays its records.
    pub fn engine(strategy: Box<dyn Strategy>) -> Engine {
        Engine::new(Self::config(), Box::new(PermitAll), vec![strategy])
    }

    /// A started engine with an account of 1,000,000 USDT in hedge mode.
    pub fn new(strategy: Box<dyn Strategy>) -> Self {
        let needs = strategy.needs();
        let mut rehearsal = Self {
            engine: Self::engine(strategy),
            step: Step::default(),
            records: Vec::new(),
            resting: BTreeMap::new(),
            needs,
            now: START,
            numbers: 0,
        };
        rehearsal.boot(Term(1), Decimal::from(1_000_000));
        rehearsal
    }

    /// The process ends without a word and another one, with a fresh strategy, takes up the journal.
    pub fn restart(&mut self, strategy: Box<dyn Strategy>) {
        let wallet = self.engine.book().wallet(&Asset::usdt());
        let term = Term(self.engine.book().term().0 + 1);
        self.engine = Self::engine(strategy);
        for record in &self.records {
            self.engine.replay(record);
        }
        self.boot(term, wallet);
    }

    fn boot(&mut self, term: Term, wallet: Decimal) {
        let run = if term == Term(1) { RunId(self.now.ms() / 1_000) } else { self.engine.book().run() };
        self.take(Fact::RunStarted(RunStarted {
            run,
            term,
            format: hedge_core::event::JOURNAL_FORMAT,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            config_hash: "rehearsal".to_owned(),
            profile: "rehearsal".to_owned(),
            data_hash: None,
        }));
        for (ix, instrument) in self.instruments().into_iter().enumerate() {
            let ix = InstrumentIx(u16::try_from(ix).unwrap_or(u16::MAX));
            self.take(Fact::Instrument { ix, spec: Box::new(spec(instrument)) });
        }
        let snapshot = self.snapshot(wallet);
        self.take(Fact::Snapshot { snapshot: Box::new(snapshot) });
    }

    /// The instruments of the strategy's needs, in their order; an instrument's index is its place here.
    fn instruments(&self) -> Vec<InstrumentId> {
        let mut instruments = Vec::new();
        for need in &self.needs {
            if !instruments.contains(&need.instrument) {
                instruments.push(need.instrument);
            }
        }
        instruments
    }

    /// A bar from before the start.
    pub fn history(&mut self, instrument: &InstrumentId, bar: &Bar) {
        let Some(instrument) = self.engine.book().ix(instrument) else { return };
        self.now = self.now.max(bar.end());
        self.take(Fact::Market { event: MarketEvent::History { instrument, bar: *bar } });
    }

    /// A bar has closed: what rested fires inside it, then the strategy sees it.
    pub fn bar(&mut self, id: &InstrumentId, bar: &Bar) {
        let Some(instrument) = self.engine.book().ix(id) else { return };
        self.now = self.now.max(bar.end());
        self.fire(id, bar);
        if let Some(mark) = bar.close_price() {
            self.take(Fact::Market { event: MarketEvent::Mark { instrument, mark, venue_time: self.now } });
        }
        self.take(Fact::Market { event: MarketEvent::Bar { instrument, bar: *bar } });
        if self.engine.deadline().is_some_and(|due| due <= self.now) {
            self.take(Fact::Tick);
        }
    }

    /// Data of every instrument is missing.
    pub fn gap(&mut self) {
        for ix in 0..self.instruments().len() {
            let instrument = InstrumentIx(u16::try_from(ix).unwrap_or(u16::MAX));
            let event = MarketEvent::Gap { instrument, from: self.now, to: self.now };
            self.take(Fact::Market { event });
        }
    }

    /// Everything journalled so far.
    pub fn records(&self) -> &[Envelope] {
        &self.records
    }
    /// The engine, for its book.
    pub const fn state(&self) -> &Engine {
        &self.engine
    }
    /// What the strategy wanted so far, in order.
    pub fn intents(&self) -> impl Iterator<Item = &Intent> {
        self.records.iter().filter_map(|record| match &record.event {
            Event::Decision(Decision::Intended { intent, .. }) => Some(intent),
            _ => None,
        })
    }
    /// How many executions there were.
    pub fn fills(&self) -> usize {
        let is_fill = |record: &&Envelope| {
            matches!(&record.event, Event::Fact(Fact::Account { event })
                if matches!(**event, AccountEvent::Fill { .. }))
        };
        self.records.iter().filter(is_fill).count()
    }

    fn take(&mut self, fact: Fact) {
        let mut waiting = VecDeque::from([fact]);
        while let Some(fact) = waiting.pop_front() {
            let mut step = std::mem::take(&mut self.step);
            self.engine.step(self.now, fact, &mut step);
            self.records.append(&mut step.events);
            for effect in step.effects.drain(..) {
                self.perform(effect, &mut waiting);
            }
            self.step = step;
        }
    }

    fn perform(&mut self, effect: Effect, answers: &mut VecDeque<Fact>) {
        match effect {
            Effect::Submit(order) => self.submit(order.get(), answers),
            Effect::Cancel { order, .. } => {
                let Some(resting) = self.resting.remove(&order) else { return };
                answers.push_back(Fact::CancelAcked { order });
                answers.push_back(report(&order, &resting, ReportedState::Canceled, self.now));
            }
            Effect::Snapshot { .. } => {
                let snapshot = self.snapshot(self.engine.book().wallet(&Asset::usdt()));
                answers.push_back(Fact::Snapshot { snapshot: Box::new(snapshot) });
            }
            // Every order is answered at once, so none is ever in doubt.
            Effect::Query { order, .. } => {
                answers.push_back(Fact::QueryFailed {
                    order,
                    message: "rehearsals answer no queries".to_owned(),
                });
            }
        }
    }

    fn submit(&mut self, order: &Order, answers: &mut VecDeque<Fact>) {
        let number = self.number();
        let covers = match order.leg() {
            Leg::Open(_) => Coverage::Qty,
            Leg::Close(_, covers) => *covers,
        };
        let waits = match order.leg() {
            Leg::Open(Entry::Market) | Leg::Close(Exit::Market, _) => None,
            Leg::Open(Entry::Limit { price, .. }) | Leg::Close(Exit::Limit { price, .. }, _) => {
                Some(Waits::Limit(*price))
            }
            Leg::Close(Exit::StopMarket { trigger, .. }, _) => Some(Waits::Stop(*trigger)),
            Leg::Close(Exit::TakeProfitMarket { trigger, .. }, _) => Some(Waits::TakeProfit(*trigger)),
            Leg::Close(Exit::TrailingStop { activate, callback, .. }, _) => {
                Some(Waits::Trailing { best: None, activate: *activate, callback: callback.ratio().get() })
            }
        };
        let resting = Resting {
            position: *order.position(),
            order_side: order.side(),
            qty: order.qty(),
            covers,
            number,
            waits: waits.unwrap_or(Waits::Limit(order_floor())),
        };
        answers.push_back(Fact::SubmitAcked {
            order: *order.client_id(),
            venue: venue_ref(&resting),
            state: ReportedState::Working,
            filled: Decimal::ZERO,
        });
        let mark = self.engine.book().mark_of(&order.position().instrument).map(|(mark, _)| mark);
        let is_marketable = match (waits, mark) {
            (None, Some(_)) => true,
            (Some(Waits::Limit(price)), Some(mark)) => match order.side() {
                OrderSide::Buy => mark <= price,
                OrderSide::Sell => mark >= price,
            },
            _ => false,
        };
        match mark {
            Some(mark) if is_marketable => {
                answers.extend(self.fill(order.client_id(), &resting, mark));
            }
            _ => {
                self.resting.insert(*order.client_id(), resting);
            }
        }
    }

    /// Fires what the bar's range reaches, worst first: stops before everything else.
    fn fire(&mut self, instrument: &InstrumentId, bar: &Bar) {
        let (high, low) = (bar.decimal(bar.high), bar.decimal(bar.low));
        let mut fired: Vec<(bool, ClientOrderId, Price)> = Vec::new();
        for (id, resting) in self.resting.iter_mut().filter(|(_, r)| r.position.instrument == *instrument) {
            if let Some(price) = resting.reached(high, low) {
                fired.push((!matches!(resting.waits, Waits::Stop(_)), *id, price));
            }
        }
        fired.sort();
        for (_, id, price) in fired {
            // An earlier one may have made the leg flat, and the engine then cancelled this one.
            if let Some(resting) = self.resting.remove(&id)
                && let Some(fill) = self.fill(&id, &resting, price)
            {
                self.take(fill);
            }
        }
    }

    /// The execution; `None` for a close of a leg that is flat by now.
    fn fill(&mut self, id: &ClientOrderId, resting: &Resting, price: Price) -> Option<Fact> {
        let key = resting.position;
        let is_close = key.side.order_side(hedge_core::Action::Close) == resting.order_side;
        let held = self.engine.book().leg(&key).map_or(Decimal::ZERO, |leg| leg.qty);
        let wanted = match resting.covers {
            Coverage::WholeLeg => held,
            Coverage::Qty if is_close => resting.qty.get().min(held),
            Coverage::Qty => resting.qty.get(),
        };
        let qty = Qty::new(wanted).ok()?;
        let trade_id = TradeId(self.number().0);
        let fee = Amount { asset: Asset::usdt(), value: SignedAmount::ZERO };
        let fill = Fill {
            instrument: key.instrument,
            trade_id,
            order: resting.number,
            client_id: Some(ReportedId::Ours(*id)),
            side: key.side.into(),
            order_side: resting.order_side,
            qty,
            price,
            fee,
            realized: None,
            maker: false,
            venue_time: self.now,
        };
        Some(Fact::Account { event: Box::new(AccountEvent::Fill { fill }) })
    }

    fn number(&mut self) -> VenueOrderId {
        self.numbers += 1;
        VenueOrderId(self.numbers)
    }

    /// The venue never disagrees with the book: it is read from it.
    fn snapshot(&self, wallet: Decimal) -> VenueSnapshot {
        let book = self.engine.book();
        let positions = book.open_legs().filter_map(|leg| {
            let qty = Qty::new(leg.qty).ok()?;
            Some(Position::new(leg.key, qty, Price::new((leg.cost / leg.qty).normalize()).ok()?))
        });
        let orders = self.resting.iter().filter_map(|(id, resting)| {
            match report(id, resting, ReportedState::Working, self.now) {
                Fact::Account { event } => match *event {
                    AccountEvent::Order { report } => Some(report),
                    _ => None,
                },
                _ => None,
            }
        });
        VenueSnapshot {
            account: AccountSnapshot {
                venue_time: self.now,
                balances: vec![Balance {
                    asset: Asset::usdt(),
                    wallet: SignedAmount::new(wallet).unwrap_or(SignedAmount::ZERO),
                    available: None,
                }],
                mode: PositionMode::Hedge,
                multi_assets: false,
                can_trade: Some(true),
                can_withdraw: None,
            },
            positions: positions.collect(),
            orders: orders.collect(),
            fills: Vec::new(),
            flows: Vec::new(),
        }
    }
}

impl Resting {
    /// The price at which a bar with that range fires this order, if it does.
    fn reached(&mut self, high: Decimal, low: Decimal) -> Option<Price> {
        let is_long = self.position.side == PositionSide::Long;
        match &mut self.waits {
            Waits::Limit(price) => match self.order_side {
                OrderSide::Buy => (low <= price.get()).then_some(*price),
                OrderSide::Sell => (high >= price.get()).then_some(*price),
            },
            Waits::Stop(trigger) => {
                (if is_long { low <= trigger.get() } else { high >= trigger.get() }).then_some(*trigger)
            }
            Waits::TakeProfit(trigger) => {
                (if is_long { high >= trigger.get() } else { low <= trigger.get() }).then_some(*trigger)
            }
            Waits::Trailing { best, activate, callback } => {
                let (with, against) = if is_long { (high, low) } else { (low, high) };
                let is_past = |limit: Decimal| if is_long { with >= limit } else { with <= limit };
                if best.is_none() && activate.is_some_and(|price| !is_past(price.get())) {
                    return None;
                }
                let top = best.map_or(with, |top| if is_long { top.max(with) } else { top.min(with) });
                *best = Some(top);
                let limit = top - top * *callback * Decimal::from(self.position.side.sign());
                let fires = if is_long { against <= limit } else { against >= limit };
                fires.then(|| Price::new(limit).ok()).flatten()
            }
        }
    }
}

/// Where an order that fills at once would rest; never read.
fn order_floor() -> Price {
    Price::parse("0.01").expect("0.01 is a price")
}

fn venue_ref(resting: &Resting) -> OrderRef {
    match resting.waits {
        Waits::Limit(_) => OrderRef::Plain(resting.number),
        _ => OrderRef::Algo { id: resting.number, child: None },
    }
}

fn report(id: &ClientOrderId, resting: &Resting, state: ReportedState, now: Timestamp) -> Fact {
    let (kind, price, trigger) = match resting.waits {
        Waits::Limit(price) => (ReportedKind::Limit, Some(price), None),
        Waits::Stop(trigger) => (ReportedKind::StopMarket, None, Some(trigger)),
        Waits::TakeProfit(trigger) => (ReportedKind::TakeProfitMarket, None, Some(trigger)),
        Waits::Trailing { activate, .. } => (ReportedKind::TrailingStop, None, activate),
    };
    let report = OrderReport {
        instrument: resting.position.instrument,
        client_id: ReportedId::Ours(*id),
        order: venue_ref(resting),
        side: resting.position.side.into(),
        order_side: resting.order_side,
        kind,
        price,
        trigger,
        qty: (resting.covers == Coverage::Qty).then_some(resting.qty),
        filled: Decimal::ZERO,
        average: None,
        covers: resting.covers,
        state,
        reason: None,
        venue_time: now,
    };
    Fact::Account { event: Box::new(AccountEvent::Order { report }) }
}

/// Fine grids and low minima, so that no strategy is refused for its sizes.
fn spec(id: InstrumentId) -> InstrumentSpec {
    let lot = LotRule { min: Decimal::new(1, 4), max: Decimal::from(1_000_000), step: Decimal::new(1, 4) };
    InstrumentSpec {
        id,
        status: InstrumentStatus::Trading,
        base: Asset::parse("BASE").expect("BASE is an asset"),
        quote: Asset::usdt(),
        settle: Asset::usdt(),
        tick: Decimal::new(1, 2),
        min_price: None,
        max_price: None,
        lot,
        market_lot: lot,
        min_notional: Notional::new(Decimal::from(5)).expect("5 is a notional"),
        contract_size: Decimal::ONE,
        price_band_up: None,
        price_band_down: None,
        mode: PositionMode::Hedge,
        delivery: None,
    }
}
