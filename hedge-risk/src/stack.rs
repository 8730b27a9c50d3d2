//! All rules together: every one answers, the strictest wins.

use hedge_core::{
    Answers, Book, Envelope, Posture, Proposal, RiskManager, Stance, Timestamp, Verdict, Watches,
};

use crate::{
    calendar::DayCalendar,
    config::{LimitsError, RiskLimits},
    drawdown::Breakers,
    freshness::Freshness,
    limits::Limits,
    liquidation::LiquidationDistance,
    rate::EntryRate,
};

/// Risk managers in a row. An empty stack forbids nothing.
///
/// ```
/// use hedge_risk::{DayCalendar, RiskLimits, RiskStack};
///
/// let limits: RiskLimits = serde_json::from_str(r#"{"KILL_DD_PCT": 9.0, "MAX_POSITIONS": 6}"#)?;
/// let stack = RiskStack::from_limits(&limits, DayCalendar::utc(limits.daily_reset_hour)?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct RiskStack {
    managers: Vec<Box<dyn RiskManager>>,
    /// Places of those that look at records, at marks, and that may have a stance.
    records: Vec<usize>,
    marks: Vec<usize>,
    stances: Vec<usize>,
}

impl RiskStack {
    /// Any managers, asked in this order.
    pub fn new(managers: Vec<Box<dyn RiskManager>>) -> Self {
        let watching = |what: fn(&Watches) -> bool| {
            let watches = managers.iter().map(|manager| manager.watches());
            watches.enumerate().filter(|(_, watches)| what(watches)).map(|(place, _)| place).collect()
        };
        let (records, marks) = (watching(|watches| watches.records), watching(|watches| watches.marks));
        let stances = watching(|watches| watches.stance);
        Self { managers, records, marks, stances }
    }
    /// Every rule of this crate, with the operators' limits. `calendar` says when a day begins: the zone
    /// `DAILY_RESET_TZ` as resolved by the caller, and `DAILY_RESET_HOUR`. Errors: [`LimitsError`] with every limit
    /// that is out of its range.
    pub fn from_limits(limits: &RiskLimits, calendar: DayCalendar) -> Result<Self, LimitsError> {
        limits.validate()?;
        Ok(Self::new(vec![
            Box::new(Breakers::new(limits.kill_dd_pct, limits.kill_daily_loss_pct, calendar)),
            Box::new(Freshness::new(limits.price_staleness_s, limits.warmup_s)),
            Box::new(EntryRate::new(limits.entries_per_leg_per_hour)),
            Box::new(Limits::new(limits)),
            Box::new(LiquidationDistance::new(limits.liq_distance_min_pct, limits.maintenance_margin_pct)),
        ]))
    }
    /// One more manager, asked last.
    #[must_use]
    pub fn with(mut self, manager: impl RiskManager) -> Self {
        self.managers.push(Box::new(manager));
        Self::new(self.managers)
    }
}

impl RiskManager for RiskStack {
    fn assess(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Verdict {
        let mut verdict = Verdict::Approve;
        for manager in &self.managers {
            let answer = manager.assess(proposal, answers);
            // As most do.
            if !matches!(answer, Verdict::Approve) {
                verdict = verdict.stricter(answer);
            }
        }
        verdict
    }
    fn posture(&self, book: &Book, now: Timestamp) -> Stance {
        // One that may have a stance is the usual number.
        if let [only] = self.stances.as_slice()
            && let Some(manager) = self.managers.get(*only)
        {
            return manager.posture(book, now);
        }
        let mut strictest = Stance::NORMAL;
        for manager in self.stances.iter().filter_map(|&place| self.managers.get(place)) {
            let stance = manager.posture(book, now);
            if stance.posture > strictest.posture {
                strictest = stance;
            }
            if strictest.posture == Posture::Halted {
                break;
            }
        }
        strictest
    }
    fn observe(&mut self, envelope: &Envelope, book: &Book) {
        for &place in &self.records {
            if let Some(manager) = self.managers.get_mut(place) {
                manager.observe(envelope, book);
            }
        }
    }
    fn mark(&mut self, book: &Book, now: Timestamp) {
        if let [only] = self.marks.as_slice()
            && let Some(manager) = self.managers.get_mut(*only)
        {
            return manager.mark(book, now);
        }
        for &place in &self.marks {
            if let Some(manager) = self.managers.get_mut(place) {
                manager.mark(book, now);
            }
        }
    }
    fn watches(&self) -> Watches {
        Watches {
            records: !self.records.is_empty(),
            marks: !self.marks.is_empty(),
            stance: !self.stances.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use hedge_core::{CheckVerdict, Qty};

    use super::*;
    use crate::test_support::{World, dec, limits};

    /// Answers what it was made with.
    #[derive(Debug)]
    struct Fixed(Verdict, Posture);

    impl RiskManager for Fixed {
        fn assess(&self, _: &Proposal<'_>, answers: &mut Answers) -> Verdict {
            answers.holds("fixed", self.0 == Verdict::Approve);
            self.0.clone()
        }
        fn posture(&self, _: &Book, _: Timestamp) -> Stance {
            Stance { posture: self.1, because: Cow::Owned(format!("{}", self.1)) }
        }
        fn observe(&mut self, _: &Envelope, _: &Book) {}
        fn mark(&mut self, _: &Book, _: Timestamp) {}
    }

    fn shrink(qty: &str) -> Verdict {
        Verdict::Shrink { to: Qty::parse(qty).unwrap() }
    }

    #[test]
    fn every_rule_answers_and_the_strictest_wins() {
        let refuse = Verdict::Refuse { rule: "first".into() };
        let again = Verdict::Refuse { rule: "second".into() };
        let stack = RiskStack::default()
            .with(Fixed(shrink("2"), Posture::Normal))
            .with(Fixed(Verdict::Approve, Posture::ExitOnly))
            .with(Fixed(shrink("1"), Posture::Normal));
        let world = World::new();
        let (verdict, checks) = world.assess(&stack, "ETHUSDT", "LONG", "3");
        assert_eq!((verdict, checks.len()), (shrink("1"), 3));
        let stance = stack.posture(&world.book, world.now);
        assert_eq!((stance.posture, stance.because.as_ref()), (Posture::ExitOnly, "ExitOnly"));
        let stack = stack.with(Fixed(refuse.clone(), Posture::Halted)).with(Fixed(again, Posture::ExitOnly));
        let (verdict, checks) = world.assess(&stack, "ETHUSDT", "LONG", "3");
        assert_eq!((verdict, checks.len()), (refuse, 5));
        assert_eq!(stack.posture(&world.book, world.now).posture, Posture::Halted);
    }

    #[test]
    fn an_opening_within_all_limits_is_approved_with_every_rule_written_down() {
        let mut world = World::new();
        world.run_started();
        let mut stack = RiskStack::from_limits(&limits(), DayCalendar::utc(0).unwrap()).unwrap();
        world.feed(&mut stack);
        world.at_ms(60_000);
        world.mark("ETHUSDT", "100");
        let (verdict, checks) = world.assess(&stack, "ETHUSDT", "LONG", "1");
        assert_eq!(verdict, Verdict::Approve);
        assert!(checks.iter().all(|check| check.verdict == CheckVerdict::Pass));
        let rules: Vec<&str> = checks.iter().map(|check| check.rule.as_ref()).collect();
        let expected = [
            "kill_dd_pct",
            "kill_daily_loss_pct",
            "price_staleness_s",
            "warmup_s",
            "entries_per_leg_per_hour",
            "max_positions",
            "max_open_orders",
            "min_notional",
            "max_slippage_bps",
            "max_notional_per_order",
            "max_notional_per_symbol",
            "max_notional_total",
            "max_leverage",
            "liq_distance_pct",
        ];
        assert_eq!(rules, expected);
        assert_eq!(stack.posture(&world.book, world.now), Stance::NORMAL);
    }

    #[test]
    fn limits_that_are_out_of_range_build_no_stack() {
        let bad = RiskLimits { kill_dd_pct: dec("0.09"), ..limits() };
        assert!(RiskStack::from_limits(&bad, DayCalendar::utc(0).unwrap()).is_err());
    }
}
