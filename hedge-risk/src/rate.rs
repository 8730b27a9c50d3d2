//! A stuck strategy stops itself: few entries per leg and hour.

use std::collections::VecDeque;

use hedge_core::{
    Action, Answers, Book, Decimal, Decision, Envelope, Event, InstrumentIx, PositionSide, Proposal,
    RiskManager, Stance, Timestamp, Verdict, Watches,
};

use crate::limits::verdict_of;

const HOUR_NS: i64 = 3_600_000_000_000;

/// Counts approved openings per leg over the last hour. Folds from the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRate {
    per_hour: u32,
    /// By leg: LONG and SHORT of each instrument in the engine's order. The instants of the hour before the
    /// last one, at most `per_hour` of them, oldest first.
    entries: Vec<VecDeque<Timestamp>>,
}

impl EntryRate {
    /// That many openings a leg and hour.
    pub const fn new(per_hour: u32) -> Self {
        Self { per_hour, entries: Vec::new() }
    }
    fn in_last_hour(&self, leg: usize, now: Timestamp) -> usize {
        // What was old at the last entry is gone, so few are old by now.
        let count = |entries: &VecDeque<Timestamp>| {
            entries.len() - entries.iter().take_while(|at| is_old(**at, now)).count()
        };
        self.entries.get(leg).map_or(0, count)
    }
}

fn is_old(at: Timestamp, now: Timestamp) -> bool {
    now.ns().saturating_sub(at.ns()) >= HOUR_NS
}

fn place_of(instrument: InstrumentIx, side: PositionSide) -> usize {
    usize::from(instrument.0) * 2 + usize::from(side == PositionSide::Short)
}

impl RiskManager for EntryRate {
    fn assess(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Verdict {
        let rule = "entries_per_leg_per_hour";
        let leg = place_of(proposal.instrument, proposal.position.side);
        let entries = self.in_last_hour(leg, proposal.now) + 1;
        let passes = answers.at_most(rule, Decimal::from(entries), Decimal::from(self.per_hour));
        verdict_of((!passes).then_some(rule))
    }
    fn posture(&self, _: &Book, _: Timestamp) -> Stance {
        Stance::NORMAL
    }
    fn observe(&mut self, envelope: &Envelope, book: &Book) {
        let Event::Decision(Decision::OrderApproved { position, leg, .. }) = &envelope.event else { return };
        if leg.action() != Action::Open {
            return;
        }
        let Some(instrument) = book.ix(&position.instrument) else { return };
        let leg = place_of(instrument, position.side);
        if self.entries.len() <= leg {
            self.entries.resize_with(leg + 1, VecDeque::new);
        }
        let Some(entries) = self.entries.get_mut(leg) else { return };
        entries.push_back(envelope.at);
        while entries.front().is_some_and(|oldest| is_old(*oldest, envelope.at))
            || entries.len() > self.per_hour as usize
        {
            entries.pop_front();
        }
    }
    fn mark(&mut self, _: &Book, _: Timestamp) {}
    fn watches(&self) -> Watches {
        Watches::RECORDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{World, dec};

    #[test]
    fn a_leg_opens_so_often_an_hour_and_then_waits() {
        let mut world = World::new();
        let mut rate = EntryRate::new(2);
        for minute in [0, 10] {
            world.at_minute(minute);
            world.open("ETHUSDT", "LONG", "1");
        }
        world.feed(&mut rate);
        let ask = |world: &World, rate: &EntryRate, side| world.assess(rate, "ETHUSDT", side, "1");
        world.at_minute(59);
        let (verdict, checks) = ask(&world, &rate, "LONG");
        assert!(matches!(verdict, Verdict::Refuse { rule } if rule == "entries_per_leg_per_hour"));
        assert_eq!((checks[0].value, checks[0].limit), (dec("3"), dec("2")));
        // The other leg has its own count; the first entry is no longer counted after exactly an hour.
        assert_eq!(ask(&world, &rate, "SHORT").0, Verdict::Approve);
        world.at_minute(60);
        assert_eq!(ask(&world, &rate, "LONG").0, Verdict::Approve);
    }

    #[test]
    fn closes_are_not_counted() {
        let mut world = World::new();
        let mut rate = EntryRate::new(1);
        world.fill("BTCUSDT", "LONG", "2");
        world.close("BTCUSDT", "LONG", "1");
        world.feed(&mut rate);
        world.at_minute(60);
        assert_eq!(world.assess(&rate, "BTCUSDT", "LONG", "1").0, Verdict::Approve);
    }

    #[test]
    fn a_limit_of_zero_opens_nothing() {
        let world = World::new();
        assert!(matches!(world.assess(&EntryRate::new(0), "BTCUSDT", "LONG", "1").0, Verdict::Refuse { .. }));
    }
}
