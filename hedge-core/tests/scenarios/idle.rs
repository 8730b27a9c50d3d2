//! An idle engine wants nothing: no tick, no record, no memory.

use std::time::Duration;

use hedge_core::*;

use crate::rig::*;

#[test]
fn an_idle_engine_needs_no_tick() {
    let mut rig = Rig::new();
    assert_eq!(rig.engine.deadline(), None);
    rig.opened();
    rig.opened_on(short(), "105");
    assert_eq!(rig.engine.deadline(), None, "two protected legs need no tick");
    assert!(rig.run_for(Duration::from_secs(86_400)).is_empty());
}

#[test]
fn a_tick_that_nothing_is_due_at_decides_nothing() {
    let mut rig = Rig::new();
    rig.opened();
    rig.wait(Duration::from_secs(3_600));
    let outcomes = rig.tick();
    assert!(outcomes.effects.is_empty());
    assert_eq!(outcomes.events.len(), 1, "the tick itself is on record");
}

#[test]
fn a_market_fact_without_a_decision_leaves_the_step_as_it_was() {
    let config = EngineConfig { journal_market: false, ..EngineConfig::default() };
    let mut engine = Engine::new(config, Box::new(PermitAll), Vec::new());
    let mut step = Step::default();
    let mut now = Timestamp::from_ms(START_MS);
    engine.step(now, Fact::RunStarted(started(1)), &mut step);
    engine.step(now, Fact::Instrument { ix: InstrumentIx(0), spec: Box::new(spec(btc())) }, &mut step);
    engine.step(now, Fact::Snapshot { snapshot: Box::new(snapshot()) }, &mut step);
    let (events, effects) = (step.events.capacity(), step.effects.capacity());
    let before = engine.book().next_seq();
    for i in 0..10_000_i64 {
        now = now.plus(ms(1));
        let mark = Price::new(Decimal::new(10_000 + i % 50, 2)).unwrap();
        let event = MarketEvent::Mark { instrument: InstrumentIx(0), mark, venue_time: now };
        engine.step(now, Fact::Market { event }, &mut step);
        assert!(step.events.is_empty() && step.effects.is_empty());
    }
    assert_eq!((step.events.capacity(), step.effects.capacity()), (events, effects));
    assert_eq!(engine.book().next_seq(), before);
    assert_eq!(engine.book().mark(InstrumentIx(0)).unwrap().0, px("100.49"));
}

#[test]
fn time_never_runs_backwards_in_the_journal() {
    let mut rig = Rig::new();
    let late = rig.now;
    rig.now = Timestamp::from_ms(START_MS - 1_000_000);
    let outcomes = rig.tick();
    assert_eq!(outcomes.events[0].at, late);
}

#[test]
fn a_bar_that_was_seen_is_not_seen_again() {
    let mut rig = Rig::new();
    let bar = Bar {
        open_time: Timestamp::from_ms(START_MS / 900_000 * 900_000),
        interval: Interval::M15,
        open: 100,
        high: 100,
        low: 100,
        close: 100,
        price_scale: 0,
        volume: 1,
        volume_scale: 0,
    };
    let event = MarketEvent::Bar { instrument: InstrumentIx(0), bar };
    assert_eq!(rig.feed(Fact::Market { event }).events.len(), 1);
    assert!(rig.feed(Fact::Market { event }).events.is_empty());
    // Two missing bars are tolerated, three reset the warm-up.
    let open_time = bar.end().plus(2 * Interval::M15.duration());
    let tolerated = Bar { open_time, ..bar };
    rig.feed(Fact::Market { event: MarketEvent::Bar { instrument: InstrumentIx(0), bar: tolerated } });
    assert_eq!(rig.engine.gaps(), 0);
    let open_time = tolerated.end().plus(3 * Interval::M15.duration());
    let gap = Bar { open_time, ..bar };
    rig.feed(Fact::Market { event: MarketEvent::Bar { instrument: InstrumentIx(0), bar: gap } });
    assert_eq!(rig.engine.gaps(), 1);
    assert_eq!(rig.heard.lock().unwrap().last().unwrap(), "gap");
}
