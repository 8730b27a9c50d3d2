//! How well legs were protected: what was missing, what came back, and for how long a leg stood bare. Folds from the journal.

use std::collections::{BTreeMap, VecDeque};

use hedge_core::{
    Book, Decimal, Decision, Envelope, Event, Fact, Guard, LegState, PositionKey, Protection, Timestamp,
};
use serde::{Deserialize, Serialize};

/// How many of the latest bare spans the median is of.
const KEPT_SPANS: usize = 4_096;
const NS_PER_MS: u64 = 1_000_000;
const NS_PER_S: u64 = 1_000_000_000;

/// Figures of the run that began last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopFigures {
    /// How often an open leg was without a confirmed stop for longer than the validator's grace.
    pub stop_validator_missing_total: u64,
    /// How often it had one again while it was still open.
    pub stop_validator_repaired_total: u64,
    /// How often a take-profit was gone without having fired.
    pub take_profit_missing_total: u64,
    /// How often it was placed again.
    pub take_profit_repaired_total: u64,
    /// How long legs that must be protected were open, all together. Units: seconds.
    pub leg_seconds: u64,
    /// Which part of that time a confirmed stop covered the whole leg, 0 to 1; `None` while there was no leg.
    pub stop_coverage: Option<Decimal>,
    /// How often a leg was bare, however shortly: from its first fill, or the venue's first word of it, until its stop was
    /// confirmed, at least.
    pub unprotected_spans: u64,
    /// Median of those spans, of the latest 4,096. Units: milliseconds.
    pub unprotected_p50_ms: Option<u64>,
    /// The longest of all, one that still lasts included. Units: milliseconds.
    pub unprotected_max_ms: Option<u64>,
}

/// Counts what records tell, and measures time between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopWatch {
    clock: LegClock,
    began: Timestamp,
    /// What was found missing, by its beginning: a restart may find it once more.
    missing: BTreeMap<(PositionKey, Guard), Timestamp>,
    stops: Counts,
    take_profits: Counts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    missing: u64,
    repaired: u64,
}

impl StopWatch {
    /// Takes one record that the book has folded already.
    pub fn observe(&mut self, envelope: &Envelope, book: &Book) {
        match &envelope.event {
            // Time in which no process ran is nobody's.
            Event::Fact(Fact::RunStarted(_)) => *self = Self { began: envelope.at, ..Self::default() },
            Event::Decision(Decision::StopMissing { position, guard, since }) => {
                let is_new = self.missing.insert((*position, *guard), *since) != Some(*since);
                self.counts(*guard).missing += u64::from(is_new);
            }
            Event::Decision(Decision::StopRepaired { guard, .. }) => self.counts(*guard).repaired += 1,
            _ => {}
        }
        let seen = book.open_legs().filter(|leg| needs_stop(leg)).map(|leg| {
            let key = leg.key;
            (key, book.is_protected(&key) || book.foreign_stop(&key).is_some())
        });
        let is_new = |leg: &&LegState| needs_stop(leg) && !self.clock.legs.contains_key(&leg.key);
        let told: Vec<(PositionKey, Timestamp)> = book
            .open_legs()
            .filter(is_new)
            .filter_map(|leg| Some((leg.key, leg.unprotected_since?.max(self.began))))
            .collect();
        self.clock.look(envelope.at, seen);
        for (key, since) in told {
            self.clock.was_bare_since(&key, since);
        }
    }

    fn counts(&mut self, guard: Guard) -> &mut Counts {
        match guard {
            Guard::Stop => &mut self.stops,
            Guard::TakeProfit { .. } => &mut self.take_profits,
        }
    }

    /// What came of it up to now.
    pub fn figures(&self, now: Timestamp) -> StopFigures {
        let mut clock = self.clock.clone();
        clock.pass(now);
        StopFigures {
            stop_validator_missing_total: self.stops.missing,
            stop_validator_repaired_total: self.stops.repaired,
            take_profit_missing_total: self.take_profits.missing,
            take_profit_repaired_total: self.take_profits.repaired,
            leg_seconds: clock.needed_ns / NS_PER_S,
            stop_coverage: clock.coverage(),
            unprotected_spans: clock.spans,
            unprotected_p50_ms: clock.median_ms(),
            unprotected_max_ms: clock.longest_ms(),
        }
    }
}

fn needs_stop(leg: &LegState) -> bool {
    !matches!(leg.protection, Some(Protection::Unprotected { .. }))
}

/// Time of legs, with and without a stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct LegClock {
    at: Timestamp,
    /// Legs that must be protected, and since when each is bare.
    legs: BTreeMap<PositionKey, Option<Timestamp>>,
    needed_ns: u64,
    bare_ns: u64,
    spans: u64,
    latest_ms: VecDeque<u64>,
    longest_ms: Option<u64>,
}

impl LegClock {
    /// Time passes while nothing changes. It never goes backwards.
    fn pass(&mut self, now: Timestamp) {
        let passed_ns = u64::try_from(now.since(self.at).as_nanos()).unwrap_or(u64::MAX);
        self.at = self.at.max(now);
        let legs = self.legs.len() as u64;
        let bare = self.legs.values().flatten().count() as u64;
        self.needed_ns = self.needed_ns.saturating_add(passed_ns.saturating_mul(legs));
        self.bare_ns = self.bare_ns.saturating_add(passed_ns.saturating_mul(bare));
    }

    /// From now on these legs are open, each covered or not.
    fn look(&mut self, now: Timestamp, seen: impl Iterator<Item = (PositionKey, bool)>) {
        self.pass(now);
        let now = self.at;
        let before = std::mem::take(&mut self.legs);
        for (key, is_covered) in seen {
            let bare_since = before.get(&key).copied().flatten();
            if is_covered && let Some(since) = bare_since {
                self.ended(now.since(since).as_nanos());
            }
            self.legs.insert(key, if is_covered { None } else { Some(bare_since.unwrap_or(now)) });
        }
        // A leg that was closed while it was bare was so until then.
        for (key, bare_since) in before {
            if let Some(since) = bare_since.filter(|_| !self.legs.contains_key(&key)) {
                self.ended(now.since(since).as_nanos());
            }
        }
    }

    /// The venue has told of the leg before its first execution came.
    fn was_bare_since(&mut self, key: &PositionKey, since: Timestamp) {
        if let Some(Some(bare_since)) = self.legs.get_mut(key)
            && since < *bare_since
        {
            let earlier_ns = u64::try_from(bare_since.since(since).as_nanos()).unwrap_or(u64::MAX);
            *bare_since = since;
            self.needed_ns = self.needed_ns.saturating_add(earlier_ns);
            self.bare_ns = self.bare_ns.saturating_add(earlier_ns);
        }
    }

    fn ended(&mut self, span_ns: u128) {
        let span_ms = u64::try_from(span_ns / u128::from(NS_PER_MS)).unwrap_or(u64::MAX);
        self.spans += 1;
        self.longest_ms = Some(self.longest_ms.map_or(span_ms, |longest| longest.max(span_ms)));
        if self.latest_ms.len() == KEPT_SPANS {
            self.latest_ms.pop_front();
        }
        self.latest_ms.push_back(span_ms);
    }

    fn coverage(&self) -> Option<Decimal> {
        (self.needed_ns > 0).then(|| {
            let covered = Decimal::from(self.needed_ns - self.bare_ns.min(self.needed_ns));
            (covered / Decimal::from(self.needed_ns)).round_dp(6).normalize()
        })
    }

    fn median_ms(&self) -> Option<u64> {
        let mut spans: Vec<u64> = self.latest_ms.iter().copied().collect();
        let middle = spans.len().checked_sub(1)? / 2;
        Some(*spans.select_nth_unstable(middle).1)
    }

    fn longest_ms(&self) -> Option<u64> {
        let lasting = self.legs.values().flatten().map(|since| self.at.since(*since).as_millis());
        let lasting = lasting.max().map(|span| u64::try_from(span).unwrap_or(u64::MAX));
        self.longest_ms.max(lasting)
    }
}

#[cfg(test)]
mod tests {
    use hedge_core::{InstrumentId, PositionSide};
    use proptest::prelude::*;

    use super::*;

    fn leg(index: usize) -> PositionKey {
        let side = if index.is_multiple_of(2) { PositionSide::Long } else { PositionSide::Short };
        let symbol = if index < 2 { "BTCUSDT" } else { "ETHUSDT" };
        PositionKey::new(InstrumentId::binance(symbol).unwrap(), side)
    }

    const fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(1_732_100_000_000 + ms)
    }

    #[test]
    fn a_leg_is_bare_from_its_first_fill_until_its_stop_is_confirmed() {
        let mut clock = LegClock::default();
        clock.look(at(0), std::iter::empty());
        clock.look(at(1_000), std::iter::once((leg(0), false)));
        clock.look(at(1_200), std::iter::once((leg(0), true)));
        clock.pass(at(11_000));
        assert_eq!((clock.needed_ns, clock.bare_ns), (10_000 * NS_PER_MS, 200 * NS_PER_MS));
        assert_eq!((clock.spans, clock.median_ms(), clock.longest_ms()), (1, Some(200), Some(200)));
        assert_eq!(clock.coverage(), Some(Decimal::new(98, 2)));
    }

    #[test]
    fn a_leg_of_which_the_venue_told_before_its_first_fill_is_bare_from_that_word_on() {
        let mut clock = LegClock::default();
        clock.look(at(0), std::iter::empty());
        clock.look(at(1_000), std::iter::once((leg(0), false)));
        clock.was_bare_since(&leg(0), at(400));
        clock.was_bare_since(&leg(1), at(400));
        clock.look(at(1_200), std::iter::once((leg(0), true)));
        clock.was_bare_since(&leg(0), at(1_100));
        assert_eq!((clock.needed_ns, clock.bare_ns), (800 * NS_PER_MS, 800 * NS_PER_MS));
        assert_eq!((clock.spans, clock.longest_ms()), (1, Some(800)));
    }

    #[test]
    fn the_longest_span_counts_while_it_lasts_and_after_the_leg_is_closed() {
        let mut clock = LegClock::default();
        clock.look(at(0), std::iter::once((leg(0), false)));
        clock.pass(at(3_000));
        assert_eq!((clock.spans, clock.longest_ms(), clock.median_ms()), (0, Some(3_000), None));
        clock.look(at(3_000), std::iter::empty());
        assert_eq!((clock.spans, clock.longest_ms(), clock.median_ms()), (1, Some(3_000), Some(3_000)));
    }

    #[test]
    fn without_a_leg_there_is_no_coverage_to_speak_of() {
        let mut clock = LegClock::default();
        clock.look(at(0), std::iter::empty());
        clock.pass(at(60_000));
        assert_eq!((clock.coverage(), clock.longest_ms()), (None, None));
    }

    proptest! {
        /// Against the plain way: every leg looked at in every millisecond.
        #[test]
        fn time_is_what_counting_every_millisecond_gives(
            steps in prop::collection::vec((0_i64..50, prop::array::uniform4(0_u8..3)), 1..60),
        ) {
            let mut clock = LegClock::default();
            let (mut now_ms, mut needed_ms, mut bare_ms) = (0, 0_u64, 0_u64);
            let mut state = [0_u8; 4];
            let mut running: [Option<u64>; 4] = [None; 4];
            let mut spans: Vec<u64> = Vec::new();
            for (wait_ms, next) in steps {
                for _ in 0..wait_ms {
                    for (state, running) in state.iter().zip(&mut running) {
                        needed_ms += u64::from(*state > 0);
                        bare_ms += u64::from(*state == 1);
                        if let Some(span) = running {
                            *span += 1;
                        }
                    }
                }
                now_ms += wait_ms;
                for ((state, next), running) in state.iter_mut().zip(next).zip(&mut running) {
                    match (next == 1, running.is_some()) {
                        (true, false) => *running = Some(0),
                        (false, true) => spans.extend(running.take()),
                        _ => {}
                    }
                    *state = next;
                }
                // 0 flat, 1 bare, 2 covered.
                let seen = next.iter().enumerate().filter(|(_, state)| **state > 0);
                clock.look(at(now_ms), seen.map(|(index, state)| (leg(index), *state == 2)));
            }
            prop_assert_eq!(clock.needed_ns, needed_ms * NS_PER_MS);
            prop_assert_eq!(clock.bare_ns, bare_ms * NS_PER_MS);
            prop_assert_eq!(clock.spans, spans.len() as u64);
            prop_assert_eq!(clock.longest_ms(), spans.iter().copied().chain(running.into_iter().flatten()).max());
            spans.sort_unstable();
            let middle = spans.len().checked_sub(1).map(|last| spans[last / 2]);
            prop_assert_eq!(clock.median_ms(), middle);
            if let Some(coverage) = clock.coverage() {
                prop_assert!(coverage >= Decimal::ZERO && coverage <= Decimal::ONE);
            }
        }
    }
}
