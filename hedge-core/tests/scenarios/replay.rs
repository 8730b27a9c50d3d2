//! A journal's facts reproduce its decisions, or the first difference is named.

use std::borrow::Cow;

use hedge_core::{replay::verify, *};

use crate::rig::*;

/// Trades by the clock of its bars: everything it does follows from what it is fed.
#[derive(Debug, Default)]
struct Clockwork {
    bars: u32,
}

impl Strategy for Clockwork {
    fn id(&self) -> StrategyId {
        StrategyId::parse("clockwork").unwrap()
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed { instrument: btc(), interval: Interval::M15, warmup_bars: 2 }]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        let (bar, live) = match event {
            StrategyEvent::Bar { bar, .. } => (bar, true),
            StrategyEvent::History { bar, .. } => (bar, false),
            StrategyEvent::Gap { .. } => {
                self.bars = 0;
                return;
            }
            StrategyEvent::Quote { .. }
            | StrategyEvent::Print { .. }
            | StrategyEvent::Fill { .. }
            | StrategyEvent::Flat { .. } => return,
        };
        self.bars += 1;
        out.saw(Reading {
            instrument: btc(),
            timeframe: Interval::M15,
            z: (self.bars > 2).then_some(bar.close_f64() / 3.0),
            rsi: Some(100.0 / 7.0 * f64::from(self.bars)),
            atr: Some(0.1 + 0.2),
            cross_up: self.bars.is_multiple_of(2),
            cross_down: false,
            in_trade: view.leg(&long()).is_some(),
            side: Some(PositionSide::Long),
            emitted: false,
            veto: vec![Cow::Borrowed("warmup")],
        });
        if !live {
            return;
        }
        let stop = |side: PositionSide| {
            let move_by = Decimal::new(-5 * side.sign(), 2);
            bar.close_price().unwrap().moved_by(Ratio::new(move_by).unwrap()).unwrap()
        };
        for side in PositionSide::BOTH {
            let key = PositionKey::new(btc(), side);
            match (view.is_free(&key), self.bars % 5) {
                (true, 3) => {
                    out.want(Intent::open(key, Size::Qty(q("0.5")), stop(side), "the clock says so"))
                }
                (false, 1) => out.want(Intent::Protect {
                    position: key,
                    trigger: stop(side),
                    because: "the clock says so".into(),
                }),
                (false, 2) => out.want(Intent::close(key, "the clock says so")),
                _ => {}
            }
        }
    }
}

fn engine() -> Engine {
    Engine::new(EngineConfig::default(), Box::new(PermitAll), vec![Box::new(Clockwork::default())])
}

/// A venue that takes everything: entries fill in two parts, closes at once.
struct Recording {
    engine: Engine,
    journal: Vec<Envelope>,
    now: Timestamp,
    number: i64,
    pending: Vec<Fact>,
}

impl Recording {
    fn feed(&mut self, fact: Fact) {
        self.now = self.now.plus(ms(7));
        let mut step = Step::default();
        self.engine.step(self.now, fact, &mut step);
        self.journal.extend(step.events.iter().cloned());
        for effect in &step.effects {
            self.number += 1;
            match effect {
                Effect::Submit(approved) => self.take(approved.get()),
                Effect::Cancel { order, .. } => {
                    let record = self.engine.book().order(order).unwrap();
                    let report = OrderReport {
                        instrument: record.position.instrument,
                        client_id: ReportedId::Ours(*order),
                        order: record.target(),
                        side: record.position.side.into(),
                        order_side: record.position.side.order_side(record.leg.action()),
                        kind: ReportedKind::StopMarket,
                        price: None,
                        trigger: None,
                        qty: None,
                        filled: Decimal::ZERO,
                        average: None,
                        covers: Coverage::WholeLeg,
                        state: ReportedState::Canceled,
                        reason: None,
                        venue_time: self.now,
                    };
                    self.pending.push(Fact::Account { event: Box::new(AccountEvent::Order { report }) });
                }
                Effect::Query { .. } | Effect::Snapshot { .. } => {}
            }
        }
    }

    fn take(&mut self, order: &Order) {
        let conditional = matches!(order.leg(), Leg::Close(exit, _) if exit.is_conditional());
        let number = VenueOrderId(self.number);
        let venue =
            if conditional { OrderRef::Algo { id: number, child: None } } else { OrderRef::Plain(number) };
        self.pending.push(Fact::SubmitAcked {
            order: *order.client_id(),
            venue,
            state: ReportedState::Working,
            filled: Decimal::ZERO,
        });
        if conditional {
            return;
        }
        let price = match order.leg() {
            Leg::Open(Entry::Limit { price, .. }) => *price,
            _ => px("100"),
        };
        let half = Qty::new(order.qty().get() / Decimal::TWO).unwrap();
        for part in 0..2 {
            let fill = Fill {
                instrument: order.position().instrument,
                trade_id: TradeId(self.number * 2 + part),
                order: number,
                client_id: Some(ReportedId::Ours(*order.client_id())),
                side: order.position().side.into(),
                order_side: order.side(),
                qty: half,
                price,
                fee: Amount::usdt(d("0.01")),
                realized: None,
                maker: false,
                venue_time: self.now,
            };
            self.pending.push(Fact::Account { event: Box::new(AccountEvent::Fill { fill }) });
        }
    }

    fn settle(&mut self) {
        while !self.pending.is_empty() {
            let fact = self.pending.remove(0);
            self.feed(fact);
        }
    }

    fn bars(&mut self, from: i64, count: i64, history: bool) {
        for i in from..from + count {
            let close = 1_000 + (i % 7) * 3;
            let bar = Bar {
                open_time: Timestamp::from_ms((START_MS / 900_000 + i) * 900_000),
                interval: Interval::M15,
                open: close,
                high: close + 2,
                low: close - 2,
                close,
                price_scale: 1,
                volume: 10,
                volume_scale: 0,
            };
            let instrument = InstrumentIx(0);
            let event = if history {
                MarketEvent::History { instrument, bar }
            } else {
                MarketEvent::Bar { instrument, bar }
            };
            self.feed(Fact::Market { event });
            self.settle();
        }
    }

    fn boot(&mut self, term: u32) {
        self.feed(Fact::RunStarted(started(term)));
        self.feed(Fact::Instrument { ix: InstrumentIx(0), spec: Box::new(spec(btc())) });
        let mut found = snapshot();
        if term > 1 {
            let book = self.engine.book();
            found.account.balances[0].wallet = SignedAmount::from_decimal(book.wallet(&Asset::usdt()));
            found.positions = book.open_legs().filter_map(LegState::position).collect();
        }
        found.account.venue_time = self.now;
        self.feed(Fact::Snapshot { snapshot: Box::new(found) });
    }
}

/// Two processes on one journal; the first dies with an order on its way.
fn recording() -> Vec<Envelope> {
    let mut recording = Recording {
        engine: engine(),
        journal: Vec::new(),
        now: Timestamp::from_ms(START_MS),
        number: 100,
        pending: Vec::new(),
    };
    recording.boot(1);
    recording.bars(0, 3, true);
    recording.bars(3, 40, false);
    recording.feed(Fact::Operator { command: OperatorCommand::ExitOnly, because: "lunch".to_owned() });
    recording.bars(43, 3, false);
    recording.feed(Fact::Operator { command: OperatorCommand::Resume, because: "back".to_owned() });
    recording
        .feed(Fact::Account { event: Box::new(AccountEvent::Disconnected { reason: "gone".to_owned() }) });
    recording.feed(Fact::Account { event: Box::new(AccountEvent::Reconnected) });
    // A gap of five bars.
    recording.bars(51, 8, false);
    while recording.engine.book().live_orders().all(|order| order.state != OrderState::InFlight) {
        let next = i64::try_from(recording.journal.len()).unwrap() + 1_000;
        recording.pending.clear();
        recording.bars_without_answers(next);
    }
    recording.pending.clear();
    recording.engine = engine();
    for envelope in &recording.journal {
        recording.engine.replay(envelope);
    }
    recording.boot(2);
    recording.bars(100_000, 3, true);
    recording.bars(100_003, 20, false);
    for _ in 0..3 {
        recording.now = recording.now.plus(ms(10_000));
        recording.feed(Fact::Tick);
    }
    recording.feed(Fact::RunStopped { because: "done".to_owned() });
    recording.journal
}

impl Recording {
    fn bars_without_answers(&mut self, from: i64) {
        for i in from..from + 6 {
            let bar = Bar {
                open_time: Timestamp::from_ms((START_MS / 900_000 + i) * 900_000),
                interval: Interval::M15,
                open: 1_000,
                high: 1_000,
                low: 1_000,
                close: 1_000,
                price_scale: 1,
                volume: 1,
                volume_scale: 0,
            };
            self.feed(Fact::Market { event: MarketEvent::Bar { instrument: InstrumentIx(0), bar } });
        }
    }
}

#[test]
fn a_recorded_journal_reproduces_its_decisions_across_two_processes() {
    let journal = recording();
    let starts =
        journal.iter().filter(|envelope| matches!(envelope.event, Event::Fact(Fact::RunStarted(_)))).count();
    assert_eq!(starts, 2);
    let count = |wanted: fn(&Decision) -> bool| {
        journal.iter().filter(|e| matches!(&e.event, Event::Decision(d) if wanted(d))).count()
    };
    assert!(count(|d| matches!(d, Decision::OrderApproved { .. })) > 30, "the recording is busy");
    assert!(count(|d| matches!(d, Decision::CancelRequested { .. })) > 5);
    assert!(count(|d| matches!(d, Decision::QueryRequested { .. })) > 0);
    assert_eq!(verify(&journal, engine), Ok(journal.len() as u64));
}

#[test]
fn a_journal_that_was_written_and_read_reproduces_its_decisions() {
    let journal: Vec<Envelope> = recording()
        .iter()
        .map(|envelope| serde_json::from_str(&serde_json::to_string(envelope).unwrap()).unwrap())
        .collect();
    assert_eq!(verify(&journal, engine), Ok(journal.len() as u64));
}

#[test]
fn the_same_facts_give_the_same_journal() {
    assert!(recording() == recording());
}

fn first_order(journal: &[Envelope]) -> usize {
    journal
        .iter()
        .position(|envelope| matches!(envelope.event, Event::Decision(Decision::OrderApproved { .. })))
        .unwrap()
}

#[test]
fn a_changed_decision_is_the_first_divergence() {
    let mut journal = recording();
    let place = first_order(&journal);
    let Event::Decision(Decision::OrderApproved { qty, .. }) = &mut journal[place].event else { panic!() };
    *qty = q("0.4");
    let divergence = verify(&journal, engine).unwrap_err();
    assert_eq!(divergence.seq, Seq(place as u64));
    assert!(divergence.recorded.contains("\"qty\":\"0.4\""), "{divergence}");
    assert!(divergence.recomputed.contains("\"qty\":\"0.5\""), "{divergence}");
}

#[test]
fn a_missing_decision_is_the_first_divergence() {
    let mut journal = recording();
    let place = first_order(&journal);
    journal.remove(place);
    assert_eq!(verify(&journal, engine).unwrap_err().seq, Seq(place as u64));
}

#[test]
fn a_decision_from_nowhere_is_the_first_divergence() {
    let mut journal = recording();
    let place = first_order(&journal) + 1;
    let mut extra = journal[place - 1].clone();
    extra.seq = Seq(place as u64);
    journal.insert(place, extra);
    assert_eq!(verify(&journal, engine).unwrap_err().seq, Seq(place as u64));
}

#[test]
fn other_code_diverges_where_it_first_decides_otherwise() {
    let journal = recording();
    let other = || {
        let config = EngineConfig { max_slippage: Bps::parse("10").unwrap(), ..EngineConfig::default() };
        Engine::new(config, Box::new(PermitAll), vec![Box::new(Clockwork::default())])
    };
    let divergence = verify(&journal, other).unwrap_err();
    // The first opening's assessment shows the price already.
    let assessed = journal
        .iter()
        .position(|envelope| matches!(envelope.event, Event::Decision(Decision::Assessed { .. })))
        .unwrap();
    assert_eq!(divergence.seq, Seq(assessed as u64));
}

#[test]
fn a_journal_that_a_power_cut_ended_inside_a_step_agrees_as_far_as_it_goes() {
    let mut journal = recording();
    let place = first_order(&journal);
    journal.truncate(place);
    assert_eq!(verify(&journal, engine), Ok(place as u64));
    // The step's own fact is there, so what is missing in its middle is still found.
    let mut holed = recording();
    holed.remove(place);
    assert_eq!(verify(&holed, engine).unwrap_err().seq, Seq(place as u64));
}

#[test]
fn an_empty_journal_agrees_with_everything() {
    assert_eq!(verify(&[], engine), Ok(0));
}

#[test]
fn a_command_given_while_no_process_runs_is_replayed_also_behind_a_torn_step() {
    let whole = recording();
    let place = first_order(&whole);
    // One journal ends with a whole step, the other one inside a step.
    for end in [place - 2, place] {
        let mut journal = whole[..end].to_vec();
        let mut later = engine();
        journal.iter().for_each(|envelope| later.replay(envelope));
        let mut step = Step::default();
        for command in [OperatorCommand::Halt, OperatorCommand::FlattenAtStart] {
            let fact = Fact::Operator { command, because: "nobody runs".to_owned() };
            later.step(Timestamp::from_ms(START_MS + 9_000_000_000), fact, &mut step);
            assert!(step.effects.is_empty());
            journal.append(&mut step.events);
        }
        assert_eq!(verify(&journal, engine), Ok(journal.len() as u64));
    }
}
