//! No opening on an old price, and none right after a start.

use std::borrow::Cow;

use hedge_core::{
    Answers, Book, Decimal, Envelope, Event, Fact, GateCheck, Proposal, RiskManager, Stance, Timestamp,
    Verdict, Watches,
};

use crate::limits::verdict_of;

/// Age of the mark, and time since the process started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    max_age_s: u32,
    warmup_s: u32,
    started_at: Option<Timestamp>,
}

impl Freshness {
    /// Marks may be that old, and a process opens nothing for that long after its start. Units: seconds.
    pub const fn new(max_age_s: u32, warmup_s: u32) -> Self {
        Self { max_age_s, warmup_s, started_at: None }
    }

    fn staleness(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Option<&'static str> {
        let rule = "price_staleness_s";
        let fresh = match proposal.book.mark(proposal.instrument) {
            Some((_, learned)) => {
                answers.at_most(rule, seconds(proposal.now, learned), Decimal::from(self.max_age_s))
            }
            None => answers.holds_or(rule, false, || Cow::Borrowed("no mark price yet")),
        };
        (!fresh).then_some(rule)
    }

    fn warmup(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Option<&'static str> {
        let rule = "warmup_s";
        let warm = match self.started_at {
            Some(at) => answers.at_least(rule, seconds(proposal.now, at), Decimal::from(self.warmup_s)),
            // Without a start record nothing is known to have been read from the venue.
            None => {
                let warm = self.warmup_s == 0;
                answers.push(GateCheck::holds(rule, warm, Cow::Borrowed("no start recorded")));
                warm
            }
        };
        (!warm).then_some(rule)
    }
}

/// Seconds from one instant to a later one, to the millisecond.
fn seconds(later: Timestamp, earlier: Timestamp) -> Decimal {
    let ms = later.ns().saturating_sub(earlier.ns()).max(0) / 1_000_000;
    if ms % 1_000 == 0 { Decimal::from(ms / 1_000) } else { Decimal::new(ms, 3).normalize() }
}

impl RiskManager for Freshness {
    fn assess(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Verdict {
        let (stale, cold) = (self.staleness(proposal, answers), self.warmup(proposal, answers));
        verdict_of(stale.or(cold))
    }
    fn posture(&self, _: &Book, _: Timestamp) -> Stance {
        Stance::NORMAL
    }
    fn observe(&mut self, envelope: &Envelope, _: &Book) {
        if let Event::Fact(Fact::RunStarted(_)) = &envelope.event {
            self.started_at = Some(envelope.at);
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
    use crate::test_support::World;

    fn refusal(world: &World, rule: &Freshness) -> Option<String> {
        match world.assess(rule, "ETHUSDT", "LONG", "1").0 {
            Verdict::Refuse { rule } => Some(rule.into_owned()),
            _ => None,
        }
    }

    #[test]
    fn a_mark_of_exactly_the_limit_is_fresh_and_an_older_one_is_not() {
        let mut world = World::new();
        let rule = Freshness::new(30, 0);
        world.at_ms(1_000);
        world.mark("ETHUSDT", "100");
        world.at_ms(31_000);
        assert_eq!(refusal(&world, &rule), None);
        world.at_ms(31_001);
        assert_eq!(refusal(&world, &rule).as_deref(), Some("price_staleness_s"));
    }

    #[test]
    fn a_process_opens_nothing_until_its_warm_up_is_over() {
        let mut world = World::new();
        let mut rule = Freshness::new(3_600, 60);
        assert_eq!(refusal(&world, &rule).as_deref(), Some("warmup_s"));
        world.at_ms(5_000);
        world.run_started();
        world.feed(&mut rule);
        world.at_ms(64_999);
        assert_eq!(refusal(&world, &rule).as_deref(), Some("warmup_s"));
        world.at_ms(65_000);
        assert_eq!(refusal(&world, &rule), None);
    }
}
