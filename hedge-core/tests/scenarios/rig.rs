//! An engine on a bench: facts go in by hand, effects come out as plain values, a few laws hold after every step.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use hedge_core::*;

pub(crate) fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}
pub(crate) fn px(text: &str) -> Price {
    Price::parse(text).unwrap()
}
pub(crate) fn q(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}
pub(crate) fn btc() -> InstrumentId {
    InstrumentId::binance("BTCUSDT").unwrap()
}
pub(crate) fn eth() -> InstrumentId {
    InstrumentId::binance("ETHUSDT").unwrap()
}
pub(crate) fn long() -> PositionKey {
    PositionKey::long(btc())
}
pub(crate) fn short() -> PositionKey {
    PositionKey::short(btc())
}
pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Tick 0.1; limit lots 0.001 to 1000, market lots 0.001 to 100; 5 USDT at least; prices within 5 % of mark.
pub(crate) fn spec(id: InstrumentId) -> InstrumentSpec {
    InstrumentSpec {
        id,
        status: InstrumentStatus::Trading,
        base: Asset::parse(&id.symbol.as_str()[..3]).unwrap(),
        quote: Asset::usdt(),
        settle: Asset::usdt(),
        tick: d("0.1"),
        min_price: Some(px("0.1")),
        max_price: Some(px("1000000")),
        lot: LotRule { min: d("0.001"), max: d("1000"), step: d("0.001") },
        market_lot: LotRule { min: d("0.001"), max: d("100"), step: d("0.001") },
        min_notional: Notional::parse("5").unwrap(),
        contract_size: Decimal::ONE,
        price_band_up: Some(d("1.05")),
        price_band_down: Some(d("0.95")),
        mode: PositionMode::Hedge,
        delivery: None,
    }
}

/// Says what the test put into its mouth at its next bar, and writes down what it is told.
#[derive(Debug)]
struct Puppet {
    id: StrategyId,
    wants: Arc<Mutex<Vec<Intent>>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Strategy for Puppet {
    fn id(&self) -> StrategyId {
        self.id
    }
    fn needs(&self) -> Vec<DataNeed> {
        [btc(), eth()]
            .map(|instrument| DataNeed { instrument, interval: Interval::M15, warmup_bars: 0 })
            .to_vec()
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, _: &StrategyView<'_>, out: &mut Output) {
        match event {
            StrategyEvent::Bar { .. } => {
                for intent in self.wants.lock().unwrap().drain(..) {
                    out.want(intent);
                }
            }
            StrategyEvent::Fill { position, fill } => {
                self.heard.lock().unwrap().push(format!("fill {position} {}", fill.qty));
            }
            StrategyEvent::Flat { position } => self.heard.lock().unwrap().push(format!("flat {position}")),
            StrategyEvent::Gap { .. } => self.heard.lock().unwrap().push("gap".to_owned()),
            StrategyEvent::History { .. } => self.heard.lock().unwrap().push("history".to_owned()),
            StrategyEvent::Quote { .. } | StrategyEvent::Print { .. } => {}
        }
    }
}

/// An order that went out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) id: ClientOrderId,
    pub(crate) position: PositionKey,
    pub(crate) leg: Leg,
    pub(crate) qty: Decimal,
    pub(crate) purpose: OrderPurpose,
    pub(crate) side: OrderSide,
    pub(crate) valid_until: Option<Timestamp>,
}

impl Sent {
    pub(crate) fn is_market_close(&self) -> bool {
        matches!(self.leg, Leg::Close(Exit::Market, _))
    }
    pub(crate) fn is_close_all_stop(&self) -> bool {
        matches!(self.leg, Leg::Close(Exit::StopMarket { .. }, Coverage::WholeLeg))
    }
    /// As a venue that shows a market entry as a limit order reports it.
    pub(crate) fn kind(&self) -> ReportedKind {
        match self.leg {
            Leg::Open(_) | Leg::Close(Exit::Limit { .. }, _) => ReportedKind::Limit,
            Leg::Close(Exit::Market, _) => ReportedKind::Market,
            Leg::Close(Exit::StopMarket { .. }, _) => ReportedKind::StopMarket,
            Leg::Close(Exit::TakeProfitMarket { .. }, _) => ReportedKind::TakeProfitMarket,
            Leg::Close(Exit::TrailingStop { .. }, _) => ReportedKind::TrailingStop,
        }
    }
    pub(crate) fn trigger(&self) -> Option<Price> {
        match self.leg {
            Leg::Close(exit, _) => exit.trigger(),
            Leg::Open(_) => None,
        }
    }
    pub(crate) fn is_conditional(&self) -> bool {
        matches!(self.leg, Leg::Close(exit, _) if exit.is_conditional())
    }
}

/// Something the shell was told to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Did {
    Submit(Sent),
    Cancel(ClientOrderId, OrderRef),
    Query(ClientOrderId, OrderRef, Timestamp),
    Snapshot(Timestamp),
}

/// What one fact led to.
#[derive(Clone, Debug)]
pub(crate) struct Outcomes {
    pub(crate) effects: Vec<Did>,
    pub(crate) events: Vec<Envelope>,
}

impl Outcomes {
    pub(crate) fn submits(&self) -> Vec<Sent> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Did::Submit(sent) => Some(sent.clone()),
                _ => None,
            })
            .collect()
    }
    /// The only order that went out.
    pub(crate) fn only(&self) -> Sent {
        let submits = self.submits();
        assert_eq!(submits.len(), 1, "one order expected: {submits:#?}");
        submits[0].clone()
    }
    pub(crate) fn none(&self) {
        assert!(self.submits().is_empty(), "no order expected: {:#?}", self.submits());
    }
    pub(crate) fn cancels(&self) -> Vec<ClientOrderId> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Did::Cancel(id, _) => Some(*id),
                _ => None,
            })
            .collect()
    }
    pub(crate) fn queries(&self) -> Vec<ClientOrderId> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Did::Query(id, ..) => Some(*id),
                _ => None,
            })
            .collect()
    }
    pub(crate) fn snapshots(&self) -> usize {
        self.effects.iter().filter(|effect| matches!(effect, Did::Snapshot(_))).count()
    }
    pub(crate) fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.events.iter().filter_map(|envelope| match &envelope.event {
            Event::Decision(decision) => Some(decision),
            Event::Fact(_) => None,
        })
    }
    pub(crate) fn alerts(&self) -> Vec<String> {
        self.decisions()
            .filter_map(|decision| match decision {
                Decision::Alert { text, .. } => Some(text.to_string()),
                _ => None,
            })
            .collect()
    }
    pub(crate) fn corrections(&self) -> usize {
        self.decisions().filter(|decision| matches!(decision, Decision::Corrected { .. })).count()
    }
    pub(crate) fn is_muted(&self) -> bool {
        self.decisions().any(|decision| matches!(decision, Decision::Muted { .. }))
    }
    /// The refusing rule of the last assessment; `None` when it was approved.
    pub(crate) fn refused_by(&self) -> Option<String> {
        match &self.assessed().1 {
            Verdict::Refuse { rule } => Some(rule.to_string()),
            _ => None,
        }
    }
    pub(crate) fn assessed(&self) -> (Vec<GateCheck>, Verdict) {
        self.decisions()
            .filter_map(|decision| match decision {
                Decision::Assessed { checks, verdict, .. } => Some((checks.to_vec(), verdict.clone())),
                _ => None,
            })
            .last()
            .expect("an assessment was made")
    }
}

/// The engine, its journal, and the venue's numbers.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    step: Step,
    pub(crate) now: Timestamp,
    pub(crate) journal: Vec<Envelope>,
    pub(crate) wants: Arc<Mutex<Vec<Intent>>>,
    pub(crate) heard: Arc<Mutex<Vec<String>>>,
    pub(crate) others: Vec<Arc<Mutex<Vec<Intent>>>>,
    sent: BTreeMap<ClientOrderId, Sent>,
    numbers: BTreeMap<ClientOrderId, i64>,
    ids: BTreeSet<ClientOrderId>,
    next_number: i64,
    next_trade: i64,
    next_bar: i64,
    pub(crate) config: EngineConfig,
    pub(crate) price: Decimal,
    /// By how much our clock is ahead of the venue's.
    ahead: Duration,
}

pub(crate) const START_MS: i64 = 1_732_100_000_000;

impl Rig {
    /// Not booted yet.
    pub(crate) fn cold(config: EngineConfig, risk: Box<dyn RiskManager>, extra_strategies: usize) -> Self {
        let wants = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut others = Vec::new();
        let mut strategies: Vec<Box<dyn Strategy>> = vec![Box::new(Puppet {
            id: StrategyId::parse("puppet").unwrap(),
            wants: Arc::clone(&wants),
            heard: Arc::clone(&heard),
        })];
        for i in 0..extra_strategies {
            let mouth = Arc::new(Mutex::new(Vec::new()));
            strategies.push(Box::new(Puppet {
                id: StrategyId::parse(&format!("other-{i}")).unwrap(),
                wants: Arc::clone(&mouth),
                heard: Arc::default(),
            }));
            others.push(mouth);
        }
        Self {
            engine: Engine::new(config.clone(), risk, strategies),
            step: Step::default(),
            now: Timestamp::from_ms(START_MS),
            journal: Vec::new(),
            wants,
            heard,
            others,
            sent: BTreeMap::new(),
            numbers: BTreeMap::new(),
            ids: BTreeSet::new(),
            next_number: 1_000,
            next_trade: 1,
            next_bar: START_MS / 900_000,
            config,
            price: d("100"),
            ahead: Duration::ZERO,
        }
    }

    /// Booted: two symbols at 100, flat, 10,000 USDT.
    pub(crate) fn new() -> Self {
        Self::with(EngineConfig::default(), Box::new(PermitAll), 0)
    }

    pub(crate) fn with(config: EngineConfig, risk: Box<dyn RiskManager>, extra_strategies: usize) -> Self {
        let mut rig = Self::cold(config, risk, extra_strategies);
        rig.start(1);
        rig.feed(Fact::Snapshot { snapshot: Box::new(snapshot()) });
        rig.mark("100");
        rig
    }

    /// `RunStarted` and the instruments.
    pub(crate) fn start(&mut self, term: u32) -> Outcomes {
        let outcomes = self.feed(Fact::RunStarted(started(term)));
        for (i, id) in [btc(), eth()].into_iter().enumerate() {
            self.feed(Fact::Instrument { ix: InstrumentIx(i as u16), spec: Box::new(spec(id)) });
        }
        outcomes
    }

    /// A new process on the same journal: nothing is left of the old engine.
    pub(crate) fn restart(&mut self) -> Outcomes {
        let fresh = Self::cold(self.config.clone(), Box::new(PermitAll), self.others.len());
        self.engine = fresh.engine;
        self.wants = fresh.wants;
        self.heard = fresh.heard;
        self.others = fresh.others;
        for envelope in &self.journal {
            self.engine.replay(envelope);
        }
        let term = self.engine.book().term().0 + 1;
        self.start(term)
    }

    /// One fact, one millisecond later.
    pub(crate) fn feed(&mut self, fact: Fact) -> Outcomes {
        self.now = self.now.plus(ms(1));
        self.feed_now(fact)
    }

    pub(crate) fn feed_now(&mut self, fact: Fact) -> Outcomes {
        let expected = self.engine.book().next_seq();
        let mut step = std::mem::take(&mut self.step);
        self.engine.step(self.now, fact, &mut step);
        assert_eq!(step.expected_next, expected);
        let outcomes = Outcomes {
            effects: step.effects.iter().map(|effect| self.seen(effect)).collect(),
            events: step.events.clone(),
        };
        self.laws(&outcomes, expected);
        self.journal.extend(step.events.iter().cloned());
        step.clear();
        self.step = step;
        outcomes
    }

    fn seen(&mut self, effect: &Effect) -> Did {
        match effect {
            Effect::Submit(approved) => {
                let order = approved.get();
                let sent = Sent {
                    id: *order.client_id(),
                    position: *order.position(),
                    leg: *order.leg(),
                    qty: order.qty().get(),
                    purpose: order.purpose(),
                    side: order.side(),
                    valid_until: approved.valid_until(),
                };
                assert!(self.ids.insert(sent.id), "client id {} is used twice", sent.id);
                assert_eq!(approved.term(), self.engine.book().term());
                self.sent.insert(sent.id, sent.clone());
                Did::Submit(sent)
            }
            Effect::Cancel { order, target, .. } => Did::Cancel(*order, *target),
            Effect::Query { order, target, since, .. } => Did::Query(*order, *target, *since),
            Effect::Snapshot { since } => Did::Snapshot(*since),
        }
    }

    /// What holds after every step.
    fn laws(&self, outcomes: &Outcomes, expected: Seq) {
        kept_figures_are_true(self.engine.book());
        for (i, envelope) in outcomes.events.iter().enumerate() {
            assert_eq!(envelope.seq.0, expected.0 + i as u64, "the journal has no gaps");
            assert!(
                envelope.cause.is_none_or(|cause| cause < envelope.seq),
                "a cause comes before its effect"
            );
        }
        for effect in &outcomes.effects {
            match effect {
                Did::Submit(sent) => {
                    let written = outcomes.decisions().any(
                        |decision| matches!(decision, Decision::OrderApproved { client_id, .. } if *client_id == sent.id),
                    );
                    assert!(written, "{} is sent without a record", sent.id);
                    if let Leg::Close(..) = sent.leg {
                        let held = self.engine.book().leg(&sent.position).unwrap().qty;
                        assert!(sent.qty <= held, "a close of {} exceeds the position of {held}", sent.qty);
                    }
                }
                Did::Cancel(id, target) => assert!(
                    outcomes.decisions().any(|decision| match decision {
                        Decision::CancelRequested { order, .. } => order == id,
                        Decision::AdoptedCancelRequested { order, .. } => order == target,
                        _ => false,
                    }),
                    "{id} is cancelled without a record"
                ),
                Did::Query(..) | Did::Snapshot(_) => {}
            }
        }
        for decision in outcomes.decisions() {
            if let Decision::Assessed { checks, verdict: Verdict::Refuse { rule }, .. } = decision {
                assert!(
                    checks.iter().any(|check| check.rule == *rule && check.verdict == CheckVerdict::Refuse),
                    "the refusal by {rule} is not among the checks: {checks:#?}"
                );
            }
        }
        for key in [long(), short()] {
            let closing: Decimal = self
                .engine
                .book()
                .live_orders_of(&key)
                .filter(|order| matches!(order.leg, Leg::Close(Exit::Market | Exit::Limit { .. }, _)))
                .map(|order| order.open_qty())
                .sum();
            let sends = outcomes.submits().iter().any(|sent| sent.position == key && !sent.is_conditional());
            if sends && let Some(leg) = self.engine.book().leg(&key) {
                let adds = outcomes.submits().iter().all(|sent| sent.purpose == OrderPurpose::Entry);
                assert!(adds || closing <= leg.qty, "closes of {closing} for {} {key}", leg.qty);
            }
        }
    }

    pub(crate) fn book(&self) -> &Book {
        self.engine.book()
    }
    pub(crate) fn leg(&self, key: &PositionKey) -> &LegState {
        self.engine.book().leg(key).unwrap()
    }
    pub(crate) fn state(&self, id: &ClientOrderId) -> OrderState {
        self.engine.book().order(id).unwrap().state
    }
    pub(crate) fn wait(&mut self, by: Duration) {
        self.now = self.now.plus(by);
    }

    /// Our clock steps, the venue's does not. Ours never goes back: it stays ahead, also when the machine's is set right.
    pub(crate) fn clock_steps_ahead(&mut self, by: Duration) {
        self.wait(by);
        self.ahead += by;
    }

    pub(crate) fn venue_now(&self) -> Timestamp {
        self.now.minus(self.ahead)
    }

    /// The clock goes to the deadline if that is within `by`, else `by` further; then a tick.
    pub(crate) fn tick(&mut self) -> Outcomes {
        self.feed_now(Fact::Tick)
    }

    /// Lets time pass as the shell does: a tick at every deadline until `by` is over.
    pub(crate) fn run_for(&mut self, by: Duration) -> Vec<Outcomes> {
        let end = self.now.plus(by);
        let mut all = Vec::new();
        while let Some(due) = self.engine.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            all.push(self.feed_now(Fact::Tick));
            assert!(all.len() < 1_000, "the engine asks for a tick a thousand times in {by:?}");
        }
        self.now = end;
        all
    }

    pub(crate) fn mark(&mut self, price: &str) -> Outcomes {
        self.price = d(price);
        let mut last = None;
        for i in 0..2 {
            last = Some(self.feed(Fact::Market {
                event: MarketEvent::Mark {
                    instrument: InstrumentIx(i),
                    mark: px(price),
                    venue_time: self.venue_now(),
                },
            }));
        }
        last.unwrap()
    }

    pub(crate) fn bar(&mut self) -> Outcomes {
        let close = i64::try_from((self.price * d("10")).trunc()).unwrap();
        let bar = Bar {
            open_time: Timestamp::from_ms(self.next_bar * 900_000),
            interval: Interval::M15,
            open: close,
            high: close,
            low: close,
            close,
            price_scale: 1,
            volume: 1,
            volume_scale: 0,
        };
        self.next_bar += 1;
        self.feed(Fact::Market { event: MarketEvent::Bar { instrument: InstrumentIx(0), bar } })
    }

    /// The strategy wants this at the next bar, which comes now.
    pub(crate) fn want(&mut self, intent: Intent) -> Outcomes {
        self.wants.lock().unwrap().push(intent);
        self.bar()
    }

    /// Wants to open 1 at the market with a stop.
    pub(crate) fn open(&mut self, key: PositionKey, stop: &str) -> Outcomes {
        self.want(Intent::open(key, Size::Qty(q("1")), px(stop), "test"))
    }

    /// An open LONG leg of 1 at 100 whose close-all stop at 95 is confirmed. Returns entry and stop.
    pub(crate) fn opened(&mut self) -> (Sent, Sent) {
        self.opened_on(long(), "95")
    }

    pub(crate) fn opened_on(&mut self, key: PositionKey, stop: &str) -> (Sent, Sent) {
        let entry = self.open(key, stop).only();
        self.ack(&entry);
        let stop = self.fill(&entry, "1", "100").only();
        assert!(stop.is_close_all_stop(), "{stop:?}");
        self.report(&entry, ReportedState::Filled, "1");
        self.ack(&stop);
        assert_eq!(self.leg(&key).unprotected_since, None);
        (entry, stop)
    }

    // ---- the venue's side ----------------------------------------------------------------------------------------

    pub(crate) fn number(&mut self, sent: &Sent) -> i64 {
        let next = &mut self.next_number;
        *self.numbers.entry(sent.id).or_insert_with(|| {
            *next += 1;
            *next
        })
    }

    pub(crate) fn name(&mut self, sent: &Sent) -> OrderRef {
        let number = VenueOrderId(self.number(sent));
        if sent.is_conditional() {
            OrderRef::Algo { id: number, child: None }
        } else {
            OrderRef::Plain(number)
        }
    }

    /// The child's number, once a conditional order has fired.
    pub(crate) fn child(&mut self, sent: &Sent) -> VenueOrderId {
        VenueOrderId(self.number(sent) + 500_000)
    }

    pub(crate) fn ack(&mut self, sent: &Sent) -> Outcomes {
        self.ack_as(sent, ReportedState::Working, "0")
    }

    pub(crate) fn ack_as(&mut self, sent: &Sent, state: ReportedState, filled: &str) -> Outcomes {
        let venue = self.name(sent);
        self.feed(Fact::SubmitAcked { order: sent.id, venue, state, filled: d(filled) })
    }

    pub(crate) fn fail(
        &mut self,
        sent: &Sent,
        outcome: Outcome,
        reason: Option<RejectReason>,
        code: Option<i64>,
    ) -> Outcomes {
        let acceptable_until = (outcome == Outcome::Unknown).then(|| self.venue_now().plus(ms(5_000)));
        self.feed(Fact::SubmitFailed {
            order: sent.id,
            outcome,
            reason,
            code,
            message: "test".to_owned(),
            acceptable_until,
            retry_at: None,
        })
    }

    pub(crate) fn time_out(&mut self, sent: &Sent) -> Outcomes {
        self.fail(sent, Outcome::Unknown, None, None)
    }

    pub(crate) fn reject(&mut self, sent: &Sent, reason: RejectReason, code: i64) -> Outcomes {
        self.fail(sent, Outcome::Rejected, Some(reason), Some(code))
    }

    pub(crate) fn fill_of(&mut self, sent: &Sent, qty: &str, price: &str) -> Fill {
        let order = if sent.is_conditional() { self.child(sent) } else { VenueOrderId(self.number(sent)) };
        let trade_id = TradeId(self.next_trade);
        self.next_trade += 1;
        Fill {
            instrument: sent.position.instrument,
            trade_id,
            order,
            client_id: Some(ReportedId::Ours(sent.id)),
            side: sent.position.side.into(),
            order_side: sent.side,
            qty: q(qty),
            price: px(price),
            fee: Amount::usdt(Decimal::ZERO),
            realized: None,
            maker: false,
            venue_time: self.venue_now(),
        }
    }

    pub(crate) fn fill(&mut self, sent: &Sent, qty: &str, price: &str) -> Outcomes {
        let fill = self.fill_of(sent, qty, price);
        self.account(AccountEvent::Fill { fill })
    }

    /// A fill that no order of ours explains.
    pub(crate) fn strange_fill(&mut self, key: PositionKey, action: Action, qty: &str, price: &str) -> Fill {
        let trade_id = TradeId(self.next_trade);
        self.next_trade += 1;
        Fill {
            instrument: key.instrument,
            trade_id,
            order: VenueOrderId(900_000 + trade_id.0),
            client_id: Some(ReportedId::parse("web_person")),
            side: key.side.into(),
            order_side: key.side.order_side(action),
            qty: q(qty),
            price: px(price),
            fee: Amount::usdt(Decimal::ZERO),
            realized: None,
            maker: false,
            venue_time: self.venue_now(),
        }
    }

    pub(crate) fn report_of(&mut self, sent: &Sent, state: ReportedState, filled: &str) -> OrderReport {
        OrderReport {
            instrument: sent.position.instrument,
            client_id: ReportedId::Ours(sent.id),
            order: self.name(sent),
            side: sent.position.side.into(),
            order_side: sent.side,
            kind: sent.kind(),
            price: None,
            trigger: sent.trigger(),
            qty: Some(Qty::new(sent.qty).unwrap()),
            filled: d(filled),
            average: None,
            covers: match sent.leg {
                Leg::Close(_, covers) => covers,
                Leg::Open(_) => Coverage::Qty,
            },
            state,
            reason: None,
            venue_time: self.venue_now(),
        }
    }

    pub(crate) fn report(&mut self, sent: &Sent, state: ReportedState, filled: &str) -> Outcomes {
        let report = self.report_of(sent, state, filled);
        self.account(AccountEvent::Order { report })
    }

    /// The conditional order fired: its row in the conditional space names the child.
    pub(crate) fn triggered(&mut self, sent: &Sent) -> Outcomes {
        let child = self.child(sent);
        let id = VenueOrderId(self.number(sent));
        let mut report = self.report_of(sent, ReportedState::Triggered, "0");
        report.order = OrderRef::Algo { id, child: Some(child) };
        self.account(AccountEvent::Order { report })
    }

    pub(crate) fn finished(&mut self, sent: &Sent, filled: &str) -> Outcomes {
        let child = self.child(sent);
        let id = VenueOrderId(self.number(sent));
        let mut report = self.report_of(sent, ReportedState::Finished, filled);
        report.order = OrderRef::Algo { id, child: Some(child) };
        self.account(AccountEvent::Order { report })
    }

    /// The child's own row in the plain space, under the parent's client id.
    pub(crate) fn child_report(&mut self, sent: &Sent, state: ReportedState, filled: &str) -> Outcomes {
        let mut report = self.report_of(sent, state, filled);
        report.order = OrderRef::Plain(self.child(sent));
        report.kind = ReportedKind::Market;
        report.covers = Coverage::Qty;
        report.trigger = None;
        self.account(AccountEvent::Order { report })
    }

    pub(crate) fn account(&mut self, event: AccountEvent) -> Outcomes {
        self.feed(Fact::Account { event: Box::new(event) })
    }

    pub(crate) fn cancelled(&mut self, sent: &Sent) -> Outcomes {
        let filled = self.book().order(&sent.id).unwrap().filled.to_string();
        self.report(sent, ReportedState::Canceled, &filled)
    }

    pub(crate) fn answer(
        &mut self,
        sent: &Sent,
        report: Option<OrderReport>,
        fills: Vec<Fill>,
        leg_qty: &str,
    ) -> Outcomes {
        let answer = QueryAnswer { venue_time: self.venue_now(), report, fills, leg_qty: d(leg_qty) };
        self.feed(Fact::QueryAnswered { order: sent.id, answer: Box::new(answer) })
    }

    pub(crate) fn operator(&mut self, command: OperatorCommand) -> Outcomes {
        self.feed(Fact::Operator { command, because: "test".to_owned() })
    }

    /// What the venue would answer now: the book's wallet and legs, and these open orders.
    pub(crate) fn agreeing_snapshot(&mut self, open_orders: &[&Sent]) -> VenueSnapshot {
        let mut found = snapshot();
        found.account.venue_time = self.venue_now();
        found.account.balances[0].wallet = SignedAmount::from_decimal(self.book().wallet(&Asset::usdt()));
        found.positions = self.book().open_legs().filter_map(LegState::position).collect();
        found.orders =
            open_orders.iter().map(|sent| self.report_of(sent, ReportedState::Working, "0")).collect();
        found
    }

    pub(crate) fn snapshot(&mut self, found: VenueSnapshot) -> Outcomes {
        self.feed(Fact::Snapshot { snapshot: Box::new(found) })
    }

    /// `nav_start + realized + unrealized − fees + funding + transfers + corrections = equity`, to the last digit.
    pub(crate) fn identity_holds(&self) {
        let book = self.book();
        let t = book.totals();
        assert_eq!(
            t.nav_start + t.realized + book.unrealized() - t.fees + t.funding + t.transfers + t.corrections,
            book.equity(),
            "{t:?}"
        );
    }
}

/// What a book keeps instead of adding it up is what adding up gives, to the last digit.
pub(crate) fn kept_figures_are_true(book: &Book) {
    let gains = book.open_legs().filter_map(|leg| {
        let (mark, _) = book.mark_of(&leg.key.instrument)?;
        let sign = Decimal::from(leg.key.side.sign());
        Some((leg.qty * mark.get() - leg.cost) * sign)
    });
    let unrealized: Decimal = gains.sum();
    let equity = book.wallet(&Asset::usdt()) + unrealized;
    assert_eq!(book.unrealized().serialize(), unrealized.serialize(), "unrealised {unrealized}");
    assert_eq!(book.equity().serialize(), equity.serialize(), "equity {equity}");
    let in_use: Vec<PositionKey> = book
        .legs()
        .filter(|leg| leg.is_open() || book.live_orders().any(|order| order.position == leg.key))
        .map(|leg| leg.key)
        .collect();
    assert_eq!(book.legs_in_use().map(|leg| leg.key).collect::<Vec<_>>(), in_use);
}

pub(crate) fn started(term: u32) -> RunStarted {
    RunStarted {
        run: RunId(START_MS / 1_000),
        term: Term(term),
        format: hedge_core::event::JOURNAL_FORMAT,
        code_version: "test".to_owned(),
        config_hash: "0".to_owned(),
        profile: "paper".to_owned(),
        data_hash: None,
    }
}

/// Flat, hedge mode, 10,000 USDT.
pub(crate) fn snapshot() -> VenueSnapshot {
    VenueSnapshot {
        account: AccountSnapshot {
            venue_time: Timestamp::from_ms(START_MS),
            balances: vec![Balance {
                asset: Asset::usdt(),
                wallet: SignedAmount::parse("10000").unwrap(),
                available: None,
            }],
            mode: PositionMode::Hedge,
            multi_assets: false,
            can_trade: None,
            can_withdraw: None,
        },
        positions: Vec::new(),
        orders: Vec::new(),
        fills: Vec::new(),
        flows: Vec::new(),
    }
}
