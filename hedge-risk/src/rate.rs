//! A stuck strategy stops itself: few entries per leg and hour.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use hedge_core::{
    Action, Book, Decimal, Decision, Envelope, Event, GateCheck, PositionKey, Proposal, RiskManager, Stance,
    Timestamp, Verdict, Watches,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// Counts approved openings per leg over the last hour. Folds from the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRate {
    per_hour: u32,
    /// At most `per_hour` instants a leg, oldest first.
    entries: BTreeMap<PositionKey, VecDeque<Timestamp>>,
}

impl EntryRate {
    /// That many openings a leg and hour.
    pub const fn new(per_hour: u32) -> Self {
        Self { per_hour, entries: BTreeMap::new() }
    }
    fn in_last_hour(&self, key: &PositionKey, now: Timestamp) -> usize {
        let is_old = |at: &Timestamp| now.since(*at) >= HOUR;
        self.entries.get(key).map_or(0, |entries| entries.len() - entries.partition_point(is_old))
    }
}

impl RiskManager for EntryRate {
    fn assess(&self, proposal: &Proposal<'_>, checks: &mut Vec<GateCheck>) -> Verdict {
        let rule = "entries_per_leg_per_hour";
        let entries = self.in_last_hour(&proposal.position, proposal.now) + 1;
        let check = GateCheck::at_most(rule, Decimal::from(entries), Decimal::from(self.per_hour));
        let passed = check.passed();
        checks.push(check);
        if passed { Verdict::Approve } else { Verdict::Refuse { rule: rule.into() } }
    }
    fn posture(&self, _: &Book, _: Timestamp) -> Stance {
        Stance::NORMAL
    }
    fn observe(&mut self, envelope: &Envelope, _: &Book) {
        let Event::Decision(Decision::OrderApproved { position, leg, .. }) = &envelope.event else { return };
        if leg.action() != Action::Open {
            return;
        }
        let entries = self.entries.entry(*position).or_default();
        entries.push_back(envelope.at);
        if entries.len() > self.per_hour as usize {
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
