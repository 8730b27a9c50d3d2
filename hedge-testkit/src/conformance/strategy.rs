//! What every [`Strategy`] must do.
//!
//! Each function wants a way to make the strategy afresh, runs it on generated markets and panics where the property does
//! not hold. They return how often the strategy wanted something, so that a test can assert that it was not idle:
//!
//! ```
//! use hedge_testkit::conformance::strategy;
//!
//! # fn run(my_strategy: fn() -> Box<dyn hedge_core::Strategy>) {
//! assert!(strategy::is_deterministic(my_strategy) > 0);
//! assert!(strategy::survives_replay(my_strategy) > 0);
//! assert!(strategy::is_silent_during_warmup(my_strategy) > 0);
//! # }
//! ```

use std::collections::BTreeMap;

use hedge_core::{DataNeed, Envelope, Intent, Strategy, replay};

use crate::{
    bars::{MarketBar, market},
    rehearsal::Rehearsal,
};

const SEEDS: std::ops::Range<u64> = 1..4;
/// Bars of each need after its warm-up.
const LIVE_BARS: usize = 400;

/// The same events in the same order give the same records, on several markets. Returns how many intents there were.
pub fn is_deterministic(make: impl Fn() -> Box<dyn Strategy>) -> usize {
    let mut intents = 0;
    for seed in SEEDS {
        let (first, second) = (rehearse(&make, seed), rehearse(&make, seed));
        for (one, other) in first.records().iter().zip(second.records()) {
            assert_eq!(one, other, "seed {seed}: two runs over the same market differ");
        }
        assert_eq!(first.records().len(), second.records().len(), "seed {seed}: one run goes on longer");
        intents += first.intents().count();
    }
    intents
}

/// It opens nothing while none of its needs has had its warm-up: not after the start, and not after a gap in the data.
/// Returns how many openings it wanted after the warm-up.
pub fn is_silent_during_warmup(make: impl Fn() -> Box<dyn Strategy>) -> usize {
    let mut wanted = 0;
    for seed in SEEDS {
        let strategy = make();
        let needs = strategy.needs();
        assert!(!needs.is_empty(), "a strategy without needs is never asked");
        let bars = market(&needs, seed, longest_warmup(&needs) * 2 + LIVE_BARS);
        let mut rehearsal = Rehearsal::new(strategy);
        let (early, rest) = split_before_warmup(&needs, &bars);
        feed(&mut rehearsal, &early);
        assert_eq!(openings(&rehearsal), 0, "seed {seed}: it opened during its warm-up");
        let (live, last) = rest.split_at(rest.len() / 2);
        feed(&mut rehearsal, live);
        let before = openings(&rehearsal);
        wanted += before;
        rehearsal.gap();
        let (early, _) = split_before_warmup(&needs, last);
        feed(&mut rehearsal, &early);
        assert_eq!(
            openings(&rehearsal),
            before,
            "seed {seed}: it opened before it was warm again after a gap"
        );
    }
    wanted
}

/// The facts of its journal, read back from text, reproduce its decisions; also when the process was replaced in between
/// and a fresh instance was warmed up from history. Returns how many intents there were.
pub fn survives_replay(make: impl Fn() -> Box<dyn Strategy>) -> usize {
    let mut intents = 0;
    for seed in SEEDS {
        let mut rehearsal = rehearse(&make, seed);
        restart_and_go_on(&mut rehearsal, &make, seed);
        let records: Vec<Envelope> = rehearsal.records().iter().map(through_text).collect();
        let compared = replay::verify(&records, || Rehearsal::engine(make()));
        match compared {
            Ok(count) => {
                assert_eq!(count, records.len() as u64, "seed {seed}: not every record was compared")
            }
            Err(divergence) => panic!("seed {seed}: {divergence}"),
        }
        intents += rehearsal.intents().count();
    }
    intents
}

fn rehearse(make: &impl Fn() -> Box<dyn Strategy>, seed: u64) -> Rehearsal {
    let strategy = make();
    let needs = strategy.needs();
    let bars = market(&needs, seed, longest_warmup(&needs) + LIVE_BARS);
    let mut rehearsal = Rehearsal::new(strategy);
    let (history, live) = split_before_warmup(&needs, &bars);
    for bar in &history {
        rehearsal.history(&bar.instrument, &bar.bar);
    }
    feed(&mut rehearsal, &live);
    rehearsal
}

fn restart_and_go_on(rehearsal: &mut Rehearsal, make: &impl Fn() -> Box<dyn Strategy>, seed: u64) {
    let strategy = make();
    let needs = strategy.needs();
    let seen = longest_warmup(&needs) + LIVE_BARS;
    let bars = market(&needs, seed, seen + LIVE_BARS / 2);
    let so_far = market(&needs, seed, seen).len();
    rehearsal.restart(strategy);
    let (old, new) = bars.split_at(so_far.min(bars.len()));
    for bar in old {
        rehearsal.history(&bar.instrument, &bar.bar);
    }
    feed(rehearsal, new);
}

fn feed(rehearsal: &mut Rehearsal, bars: &[MarketBar]) {
    for bar in bars {
        rehearsal.bar(&bar.instrument, &bar.bar);
    }
}

/// The bars of each need before the one that completes its warm-up, and all others.
fn split_before_warmup(needs: &[DataNeed], bars: &[MarketBar]) -> (Vec<MarketBar>, Vec<MarketBar>) {
    let mut left: BTreeMap<_, usize> = BTreeMap::new();
    for need in needs {
        let warmup = left.entry((need.instrument, need.interval)).or_insert(usize::MAX);
        *warmup = (*warmup).min(need.warmup_bars.saturating_sub(1));
    }
    bars.iter().partition(|bar| {
        left.get_mut(&(bar.instrument, bar.bar.interval)).is_some_and(|left| {
            let early = *left > 0;
            *left = left.saturating_sub(1);
            early
        })
    })
}

fn longest_warmup(needs: &[DataNeed]) -> usize {
    needs.iter().map(|need| need.warmup_bars).max().unwrap_or_default()
}

fn openings(rehearsal: &Rehearsal) -> usize {
    rehearsal.intents().filter(|intent| matches!(intent, Intent::Open { .. })).count()
}

fn through_text(record: &Envelope) -> Envelope {
    let text = serde_json::to_string(record).expect("a record is text");
    serde_json::from_str(&text).expect("a record reads back from its text")
}
