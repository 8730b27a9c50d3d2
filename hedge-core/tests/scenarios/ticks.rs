//! Quotes and public trades: told to who reads them, and to nobody else.

use std::sync::{Arc, Mutex};

use hedge_core::*;

use crate::rig::*;

/// Opens once the bid is at 101, and remembers what it was told.
#[derive(Debug)]
struct Quoted {
    told: Arc<Mutex<Vec<String>>>,
    reads: Vec<InstrumentId>,
}

impl Strategy for Quoted {
    fn id(&self) -> StrategyId {
        StrategyId::parse("quoted").unwrap()
    }
    fn needs(&self) -> Vec<DataNeed> {
        Vec::new()
    }
    fn tick_needs(&self) -> Vec<InstrumentId> {
        self.reads.clone()
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        let line = match event {
            StrategyEvent::Quote { bid, ask, .. } => format!("quote {bid} {ask}"),
            StrategyEvent::Print { price, qty, seller_aggressed, .. } => {
                format!("print {price} {qty} {seller_aggressed}")
            }
            StrategyEvent::Gap { .. } => "gap".to_owned(),
            other => format!("{other:?}"),
        };
        self.told.lock().unwrap().push(line);
        if let StrategyEvent::Quote { bid, .. } = event
            && *bid == px("101")
            && view.is_free(&long())
        {
            out.want(Intent::open(long(), Size::Qty(q("1")), px("95"), "the bid is there"));
        }
    }
}

fn quote(ix: u16, bid: &str, ask: &str) -> Fact {
    let (instrument, venue_time) = (InstrumentIx(ix), Timestamp::from_ms(START_MS));
    let (bid, ask) = (px(bid), px(ask));
    Fact::Market {
        event: MarketEvent::Book { instrument, bid, bid_qty: q("2"), ask, ask_qty: q("3"), venue_time },
    }
}

fn print(ix: u16, price: &str) -> Fact {
    let (instrument, venue_time) = (InstrumentIx(ix), Timestamp::from_ms(START_MS));
    let (price, seller_aggressed) = (px(price), true);
    Fact::Market {
        event: MarketEvent::Trade { instrument, price, qty: q("2"), seller_aggressed, venue_time },
    }
}

fn engine(reads: Vec<InstrumentId>) -> (Engine, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let strategy = Quoted { told: Arc::clone(&told), reads };
    let config = EngineConfig { journal_market: false, ..EngineConfig::default() };
    let mut engine = Engine::new(config, Box::new(PermitAll), vec![Box::new(strategy)]);
    let (at, mut step) = (Timestamp::from_ms(START_MS), Step::default());
    engine.step(at, Fact::RunStarted(started(1)), &mut step);
    for (ix, id) in [btc(), eth()].into_iter().enumerate() {
        let fact = Fact::Instrument { ix: InstrumentIx(ix as u16), spec: Box::new(spec(id)) };
        engine.step(at, fact, &mut step);
    }
    engine.step(at, Fact::Snapshot { snapshot: Box::new(snapshot()) }, &mut step);
    let mark = MarketEvent::Mark { instrument: InstrumentIx(0), mark: px("100"), venue_time: at };
    engine.step(at, Fact::Market { event: mark }, &mut step);
    (engine, told)
}

#[test]
fn a_strategy_is_told_quotes_and_trades_of_the_instruments_that_it_reads_and_may_act_on_them() {
    let (mut engine, told) = engine(vec![btc(), btc()]);
    assert_eq!(engine.tick_needs(), [btc()]);
    let (at, mut step) = (Timestamp::from_ms(START_MS + 10), Step::default());
    for fact in [quote(0, "100", "100.5"), print(0, "100.2"), quote(1, "50", "51"), print(1, "50")] {
        engine.step(at, fact, &mut step);
        assert!(step.events.is_empty() && step.effects.is_empty());
    }
    assert_eq!(*told.lock().unwrap(), ["quote 100 100.5", "print 100.2 2 true"]);
    engine.step(at, quote(0, "101", "101.5"), &mut step);
    assert!(matches!(step.effects[..], [Effect::Submit(_)]), "{:?}", step.events);
    let gap = MarketEvent::Gap { instrument: InstrumentIx(0), from: at, to: at };
    engine.step(at, Fact::Market { event: gap }, &mut step);
    assert_eq!(told.lock().unwrap().last().unwrap(), "gap");
}

#[test]
fn a_strategy_that_reads_no_ticks_is_told_none() {
    let (mut engine, told) = engine(Vec::new());
    let (at, mut step) = (Timestamp::from_ms(START_MS + 10), Step::default());
    engine.step(at, quote(0, "101", "101.5"), &mut step);
    engine.step(at, print(0, "101"), &mut step);
    assert!(told.lock().unwrap().is_empty() && step.events.is_empty());
    assert!(engine.tick_needs().is_empty());
}
