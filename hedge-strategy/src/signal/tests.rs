//! What happens around a signal: legs, exits, cooldowns, restarts.

use hedge_core::{Decimal, Protection};

use super::*;
use crate::{
    exits::{Distance, Rung, Trailing},
    test_support::*,
};

/// Wants LONG when a close ends in .1 and SHORT when it ends in .2.
#[derive(Debug)]
struct Told;

impl SignalRule for Told {
    fn warmup_bars(&self) -> usize {
        0
    }
    fn update(&mut self, bar: &Bar, _: &Screened, vetoes: &mut Vetoes) -> Option<Wanted> {
        let side = match bar.close % 10 {
            1 => PositionSide::Long,
            2 => PositionSide::Short,
            _ => {
                vetoes.push("not_told".into());
                return None;
            }
        };
        Some(Wanted { side, because: "told".into() })
    }
    fn reset(&mut self) {}
}

fn rules() -> TradeRules {
    TradeRules {
        id: StrategyId::parse("told").unwrap(),
        instrument: spec().id,
        interval: Interval::M15,
        long: true,
        short: true,
        capital: Notional::new(Decimal::from(500)).unwrap(),
        cooldown_bars: 3,
        exits: ExitRules {
            stop: Distance::Percent(2.0),
            take_profits: vec![Rung { at: Distance::Percent(3.0), portion: 0.5 }],
            trailing: Some(Trailing {
                activate: Distance::Percent(1.0),
                distance: Distance::Percent(2.0),
                min_step_bps: "10".parse::<Decimal>().unwrap().try_into().unwrap(),
            }),
            max_bars: None,
        },
    }
}

fn strategy(rules: TradeRules) -> SignalStrategy<Told> {
    SignalStrategy::new(rules, ScreenerParams { z: 2, rsi: 2, atr: 2, fast: 1, slow: 2 }, Told)
}

fn warm(rules: TradeRules) -> Bench<SignalStrategy<Told>> {
    let mut bench = Bench::new(strategy(rules));
    for _ in 0..4 {
        bench.history(100.0);
    }
    bench
}

fn long() -> PositionKey {
    PositionKey::long(spec().id)
}

#[test]
fn an_opposite_signal_opens_the_other_leg_and_leaves_the_first_alone() {
    let mut bench = warm(rules());
    assert_eq!(bench.trade(100.1).len(), 1);
    let second = bench.trade(100.2);
    let opens_short = |intent: &Intent| matches!(intent, Intent::Open { position, .. } if position.side == PositionSide::Short);
    assert_eq!(second.iter().filter(|intent| opens_short(intent)).count(), 1);
    assert!(!second.iter().any(|intent| matches!(intent, Intent::Close { .. })));
    assert_eq!(bench.book.open_legs().count(), 2);
}

#[test]
fn an_opening_brings_its_stop_and_its_ladder() {
    let mut bench = warm(rules());
    let intents = bench.bar(100.1);
    let [Intent::Open { protection: Protection::Stop { trigger, take_profits }, size, .. }] = &intents[..]
    else {
        panic!("{intents:?}")
    };
    assert_eq!(trigger.to_string(), "98.1");
    assert_eq!(take_profits[0].trigger.to_string(), "103.1");
    assert_eq!(*size, Size::Notional(rules().capital));
}

#[test]
fn history_decides_nothing() {
    let mut bench = Bench::new(strategy(rules()));
    for _ in 0..5 {
        bench.history(100.1);
    }
    assert!(bench.out.intents.is_empty() && bench.out.readings.is_empty());
}

#[test]
fn a_gap_starts_the_warm_up_again() {
    let mut bench = warm(rules());
    bench.gap();
    assert!(bench.bar(100.1).is_empty());
    assert_eq!(bench.vetoes(), ["warmup"]);
    assert_eq!(bench.bar(100.1).len(), 1);
}

#[test]
fn every_bar_leaves_a_reading_that_says_why_nothing_was_wanted() {
    let mut bench = warm(rules());
    bench.bar(100.0);
    assert_eq!(bench.vetoes(), ["not_told"]);
    assert!(!bench.out.readings[0].emitted && !bench.out.readings[0].in_trade);
    bench.trade(100.1);
    assert!(bench.vetoes().is_empty());
    assert!(bench.out.readings[0].emitted);
    assert_eq!(bench.out.readings[0].side, Some(PositionSide::Long));
    bench.bar(100.1);
    assert_eq!(bench.vetoes(), ["in_trade"]);
    assert!(bench.out.readings[0].in_trade);
}

#[test]
fn a_side_that_is_off_is_never_opened() {
    let mut bench = warm(TradeRules { short: false, ..rules() });
    assert!(bench.bar(100.2).is_empty());
    assert_eq!(bench.vetoes(), ["side_off"]);
}

#[test]
fn a_leg_rests_for_its_cooldown_after_an_entry() {
    let mut bench = warm(rules());
    bench.trade(100.1);
    bench.close(long(), 100.0);
    for _ in 0..2 {
        assert!(bench.bar(100.1).is_empty());
        assert_eq!(bench.vetoes(), ["cooldown"]);
    }
    // The other leg has its own cooldown; this one may go again after exactly three bars.
    assert_eq!(bench.trade(100.1).len(), 1);
}

#[test]
fn an_opening_that_never_filled_costs_no_cooldown() {
    let mut bench = warm(rules());
    assert_eq!(bench.bar(100.1).len(), 1);
    assert_eq!(bench.bar(100.1).len(), 1);
}

#[test]
fn a_fill_that_nobody_told_starts_the_cooldown_too() {
    let mut bench = warm(rules());
    bench.tells_fills = false;
    bench.trade(100.1);
    bench.trade(100.0);
    bench.close(long(), 100.0);
    assert!(bench.bar(100.1).is_empty());
    assert_eq!(bench.vetoes(), ["cooldown"]);
    assert_eq!(bench.bar(100.1).len(), 1);
}

#[test]
fn a_restart_knows_the_cooldown_from_the_book() {
    let mut bench = warm(rules());
    bench.trade(100.1);
    bench.close(long(), 100.0);
    bench.strategy = strategy(rules());
    bench.replay_last(4);
    assert!(bench.bar(100.1).is_empty());
    assert_eq!(bench.vetoes(), ["cooldown"]);
    bench.bar(100.0);
    assert_eq!(bench.bar(100.1).len(), 1);
}

fn moved(intents: &[Intent]) -> Vec<String> {
    let trigger = |intent: &Intent| match intent {
        Intent::Protect { trigger, .. } => Some(trigger.to_string()),
        _ => None,
    };
    intents.iter().filter_map(trigger).collect()
}

#[test]
fn a_trailing_stop_follows_the_high_of_the_bars_since_the_entry() {
    let mut bench = warm(rules());
    bench.trade(100.1);
    // High 104 less two percent of it is 101.92, on the grid 101.9.
    assert_eq!(moved(&bench.trade(103.0)), ["101.9"]);
    assert!(moved(&bench.trade(102.5)).is_empty());
    // The leg that fell back keeps its stop.
    assert_eq!(bench.book.stop_of(&long()).unwrap().leg, stop_at("101.9"));
}

fn stop_at(trigger: &str) -> Leg {
    let exit = hedge_core::Exit::StopMarket {
        trigger: Price::parse(trigger).unwrap(),
        by: hedge_core::TriggerBy::Mark,
    };
    Leg::Close(exit, hedge_core::Coverage::WholeLeg)
}

#[test]
fn a_restart_finds_the_best_price_again_in_the_history() {
    let mut bench = warm(TradeRules { exits: ExitRules { trailing: None, ..rules().exits }, ..rules() });
    bench.trade(100.1);
    bench.trade(103.0);
    // A new process of the same strategy, now with a trailing stop, sees the bars since the entry as history.
    bench.strategy = strategy(rules());
    bench.replay_last(5);
    assert_eq!(moved(&bench.bar(103.0)), ["101.9"]);
}

#[test]
fn a_leg_whose_time_is_over_is_closed_once() {
    let exits = ExitRules { max_bars: Some(2), trailing: None, ..rules().exits };
    let mut bench = warm(TradeRules { exits, ..rules() });
    bench.trade(100.1);
    assert!(bench.trade(100.0).is_empty());
    assert!(matches!(&bench.trade(100.0)[..], [Intent::Close { .. }]));
    assert!(bench.trade(100.0).is_empty());
    assert_eq!(bench.book.open_legs().count(), 0);
}

#[test]
fn a_leg_of_somebody_else_is_neither_entered_nor_managed() {
    let mut bench = warm(rules());
    bench.trade(100.1);
    let mut other = rules();
    other.id = StrategyId::parse("other").unwrap();
    bench.strategy = strategy(other);
    bench.replay_last(5);
    assert!(bench.bar(103.1).is_empty());
    assert_eq!(bench.vetoes(), ["in_trade"]);
}

#[test]
fn the_same_bars_give_the_same_intents() {
    let closes = [100.1, 101.0, 100.2, 103.0, 99.1, 104.2, 98.0, 100.1, 100.2, 107.0];
    let run = || {
        let mut bench = warm(rules());
        closes.iter().map(|&close| format!("{:?}", bench.trade(close))).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
