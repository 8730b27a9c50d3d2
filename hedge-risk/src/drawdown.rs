//! Circuit breakers: peak to current, and loss of the day.

use std::{borrow::Cow, mem};

use hedge_core::{
    Answers, Book, CheckVerdict, Decimal, Decision, Envelope, Event, Fact, GateCheck, MarketEvent,
    OperatorCommand, Posture, Proposal, RiskManager, Stance, Timestamp, Verdict,
    money::{compare, difference, div_round, greatest, is_same, product, sum},
};

use crate::{calendar::DayCalendar, limits::verdict_of};

/// Peak and day start of an account's equity. Folds from the journal.
///
/// Baselines are kept without transfers, so money moved in or out moves peak, day start and equity by the same amount and is
/// neither a gain nor a loss. A day starts with the equity that was last known before its boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EquityTrack {
    calendar: DayCalendar,
    state: Option<State>,
}

/// Peak, day start and last equity are without transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    peak: Decimal,
    day_start: Decimal,
    last: Decimal,
    /// The last equity with transfers, as the book had it.
    in_book: Decimal,
    transfers: Decimal,
    next_day: Timestamp,
}

impl State {
    /// Units: percent, at least 0.
    fn fall_from(&self, baseline: &Decimal) -> Decimal {
        if compare(baseline, &self.last).is_le() {
            return Decimal::ZERO;
        }
        percent(&difference(baseline, &self.last), &sum(baseline, &self.transfers))
    }
    /// Neither limit is reached while equity is above this: a little higher than the exact bounds, written like equity.
    fn safe_above(&self, drawdown_pct: Decimal, daily_loss_pct: Decimal) -> Decimal {
        let percent = Decimal::new(1, 2);
        let bound = |from: Decimal, pct: Decimal| from - pct * percent * (from + self.transfers);
        let higher = bound(self.peak, drawdown_pct).max(bound(self.day_start, daily_loss_pct));
        let mut safe = (higher + Decimal::ONE).ceil();
        safe.rescale(self.last.scale());
        safe
    }
}

/// What an update brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// Equity is what it was.
    Nothing,
    /// Equity has moved.
    Equity,
    /// Equity has moved, and its peak or the transfers with it.
    Baseline,
    /// A day has begun.
    Day,
}

impl EquityTrack {
    /// With days as that calendar has them.
    pub const fn new(calendar: DayCalendar) -> Self {
        Self { calendar, state: None }
    }
    /// The highest equity so far, moved by transfers since. `None` before the first snapshot.
    pub fn peak(&self) -> Option<Decimal> {
        self.state.map(|state| state.peak + state.transfers)
    }
    /// Equity when the day began, moved by transfers since. `None` before the first snapshot.
    pub fn day_start(&self) -> Option<Decimal> {
        self.state.map(|state| state.day_start + state.transfers)
    }
    /// When the next day begins. `None` before the first snapshot.
    pub fn next_day(&self) -> Option<Timestamp> {
        self.state.map(|state| state.next_day)
    }
    /// Fall from the peak. Units: percent of the peak, at least 0.
    pub fn drawdown_pct(&self) -> Decimal {
        self.state.as_ref().map_or(Decimal::ZERO, |state| state.fall_from(&state.peak))
    }
    /// Loss since the day began. Units: percent of the day's start, at least 0.
    pub fn daily_loss_pct(&self) -> Decimal {
        self.state.as_ref().map_or(Decimal::ZERO, |state| state.fall_from(&state.day_start))
    }
    /// Takes the present equity in. Returns whether a new day has begun. Cheap while nothing has moved and no day ends.
    pub fn update(&mut self, book: &Book, now: Timestamp) -> bool {
        self.take_in(book, now) == News::Day
    }

    #[inline(always)]
    fn take_in(&mut self, book: &Book, now: Timestamp) -> News {
        if !book.is_started() {
            return News::Nothing;
        }
        let (transfers, in_book) = (book.totals().transfers, book.equity());
        let Some(state) = &mut self.state else {
            let equity = in_book - transfers;
            let next_day = self.calendar.next_start(now);
            self.state =
                Some(State { peak: equity, day_start: equity, last: equity, in_book, transfers, next_day });
            return News::Day;
        };
        let new_day = now >= state.next_day;
        let same_transfers = is_same(&state.transfers, &transfers);
        if !new_day && same_transfers && is_same(&state.in_book, &in_book) {
            return News::Nothing;
        }
        let equity = if transfers.is_zero() { in_book } else { in_book - transfers };
        if new_day {
            state.day_start = state.last;
            while state.next_day <= now {
                state.next_day = self.calendar.next_start(state.next_day);
            }
        }
        let is_high = compare(&state.peak, &equity).is_le();
        let moved = is_high || !same_transfers;
        if is_high {
            state.peak = greatest(state.peak, equity);
        }
        state.last = equity;
        state.in_book = in_book;
        state.transfers = transfers;
        match (new_day, moved) {
            (true, _) => News::Day,
            (false, true) => News::Baseline,
            (false, false) => News::Equity,
        }
    }
    /// Forgets the old peak: drawdown counts from the present equity on.
    fn forgive(&mut self) {
        if let Some(state) = &mut self.state {
            state.peak = state.last;
        }
    }
    /// Whether a loss has reached that percentage, without dividing.
    fn reached(loss: Decimal, base: Decimal, pct: Decimal) -> bool {
        loss > Decimal::ZERO && loss * Decimal::ONE_HUNDRED >= pct * base
    }
    fn drawdown_reaches(&self, pct: Decimal) -> bool {
        self.state.is_some_and(|s| Self::reached(s.peak - s.last, s.peak + s.transfers, pct))
    }
    fn daily_loss_reaches(&self, pct: Decimal) -> bool {
        self.state.is_some_and(|s| Self::reached(s.day_start - s.last, s.day_start + s.transfers, pct))
    }
}

fn percent(loss: &Decimal, base: &Decimal) -> Decimal {
    let is_above_zero = |value: &Decimal| value.is_sign_positive() && !value.is_zero();
    if !is_above_zero(loss) {
        Decimal::ZERO
    } else if !is_above_zero(base) {
        Decimal::ONE_HUNDRED
    } else {
        div_round(product(loss, &Decimal::ONE_HUNDRED), *base, 4)
    }
}

/// `KILL_DD_PCT` and `KILL_DAILY_LOSS_PCT`.
///
/// * A drawdown from the peak that reaches the limit halts, until an operator resumes. Resuming counts drawdown from the equity of
///   that moment on: otherwise the next bar would halt again.
/// * A loss of the day that reaches its limit turns to exit-only, until the next day begins. Resuming does not shorten it.
///
/// Both are states, not readings: a recovery of the price does not lift them. They fold from the journal, so a restart finds them as
/// they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakers {
    kill_dd_pct: Decimal,
    kill_daily_loss_pct: Decimal,
    track: EquityTrack,
    halted: Option<String>,
    day_over: Option<String>,
    safe_above: SafeAbove,
}

/// Equity above which nothing needs to be looked at; `None` after a baseline has moved. Follows from the rest.
#[derive(Clone, Copy, Debug, Default)]
struct SafeAbove(Option<Decimal>);

/// Two breakers are equal whatever they have worked out so far.
impl PartialEq for SafeAbove {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for SafeAbove {}

impl Breakers {
    /// With those limits. Units: percent.
    pub const fn new(kill_dd_pct: Decimal, kill_daily_loss_pct: Decimal, calendar: DayCalendar) -> Self {
        Self {
            kill_dd_pct,
            kill_daily_loss_pct,
            track: EquityTrack::new(calendar),
            halted: None,
            day_over: None,
            safe_above: SafeAbove(None),
        }
    }
    /// Peak and day start.
    pub const fn track(&self) -> &EquityTrack {
        &self.track
    }

    #[inline]
    fn update(&mut self, book: &Book, now: Timestamp) {
        if !self.is_unmoved(book, now) {
            self.look(book, now);
        }
    }

    /// Takes equity in where it lies below its peak and above what any limit concerns, on the same day: as it mostly does.
    /// False where more has to be looked at.
    #[inline]
    fn is_unmoved(&mut self, book: &Book, now: Timestamp) -> bool {
        let (Some(state), Some(safe)) = (&mut self.track.state, &self.safe_above.0) else { return false };
        let equity = book.equity();
        let is_quiet = now < state.next_day
            && state.transfers.is_zero()
            && book.totals().transfers.is_zero()
            && compare(&equity, safe).is_gt()
            && compare(&equity, &state.peak).is_lt();
        if is_quiet {
            (state.last, state.in_book) = (equity, equity);
        }
        is_quiet
    }

    fn look(&mut self, book: &Book, now: Timestamp) {
        match self.track.take_in(book, now) {
            // What has not moved reaches no limit that it had not reached before.
            News::Nothing => return,
            News::Equity => {}
            News::Baseline => self.safe_above = SafeAbove(None),
            News::Day => (self.day_over, self.safe_above) = (None, SafeAbove(None)),
        }
        if self.is_safe() {
            return;
        }
        if self.halted.is_none() && self.track.drawdown_reaches(self.kill_dd_pct) {
            self.halted = Some(format!(
                "KILL_DD_PCT: equity {} is {} % below its peak {} (limit {} %); an operator must resume",
                book.equity().round_dp(2),
                self.track.drawdown_pct().round_dp(2).normalize(),
                self.track.peak().unwrap_or_default().round_dp(2),
                self.kill_dd_pct,
            ));
        }
        if self.day_over.is_none() && self.track.daily_loss_reaches(self.kill_daily_loss_pct) {
            self.day_over = Some(format!(
                "KILL_DAILY_LOSS_PCT: equity {} is {} % below the day's start {} (limit {} %); re-arms at {}",
                book.equity().round_dp(2),
                self.track.daily_loss_pct().round_dp(2).normalize(),
                self.track.day_start().unwrap_or_default().round_dp(2),
                self.kill_daily_loss_pct,
                self.track.next_day().unwrap_or(Timestamp::MAX),
            ));
        }
    }

    /// Whether equity is so high that no limit can be reached. Most prices end here.
    fn is_safe(&mut self) -> bool {
        let Some(state) = &self.track.state else { return true };
        if is_same(&state.last, &state.peak) && compare(&state.day_start, &state.last).is_le() {
            return true;
        }
        let (drawdown_pct, daily_loss_pct) = (self.kill_dd_pct, self.kill_daily_loss_pct);
        let safe = *self.safe_above.0.get_or_insert_with(|| state.safe_above(drawdown_pct, daily_loss_pct));
        compare(&state.last, &safe).is_gt()
    }

    fn is_day_over(&self, now: Timestamp) -> bool {
        self.day_over.is_some() && self.track.next_day().is_some_and(|next| now < next)
    }
}

/// Like `at_most`, but the limit itself is too much: a breaker trips when it is reached.
fn breaker(
    rule: &'static str,
    value: Decimal,
    limit: Decimal,
    tripped: Option<&String>,
    answers: &mut Answers,
) -> Option<&'static str> {
    let passes = match tripped {
        None => answers.at_most(rule, value, limit),
        Some(reason) => {
            let note = Some(Cow::Owned(reason.clone()));
            let verdict = CheckVerdict::Refuse;
            answers.push(GateCheck { verdict, note, ..GateCheck::at_most(rule, value, limit) });
            false
        }
    };
    (!passes).then_some(rule)
}

impl RiskManager for Breakers {
    fn assess(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Verdict {
        let day_over = self.day_over.as_ref().filter(|_| self.is_day_over(proposal.now));
        let drawdown = self.track.drawdown_pct();
        let fallen = breaker("kill_dd_pct", drawdown, self.kill_dd_pct, self.halted.as_ref(), answers);
        let daily_loss = self.track.daily_loss_pct();
        let lost = breaker("kill_daily_loss_pct", daily_loss, self.kill_daily_loss_pct, day_over, answers);
        verdict_of(fallen.or(lost))
    }

    fn posture(&self, _: &Book, now: Timestamp) -> Stance {
        match (&self.halted, &self.day_over) {
            (Some(reason), _) => Stance { posture: Posture::Halted, because: Cow::Owned(reason.clone()) },
            (None, Some(reason)) if self.is_day_over(now) => {
                Stance { posture: Posture::ExitOnly, because: Cow::Owned(reason.clone()) }
            }
            _ => Stance::NORMAL,
        }
    }

    fn observe(&mut self, envelope: &Envelope, book: &Book) {
        match &envelope.event {
            // Bars from before the start say nothing about today's equity.
            Event::Fact(Fact::Market { event: MarketEvent::History { .. } }) => {}
            Event::Fact(Fact::Operator { command: OperatorCommand::Resume, .. }) => {
                self.update(book, envelope.at);
                if mem::take(&mut self.halted).is_some() {
                    self.track.forgive();
                    self.safe_above = SafeAbove(None);
                }
            }
            Event::Fact(_) | Event::Decision(Decision::Corrected { .. }) => self.update(book, envelope.at),
            Event::Decision(_) => {}
        }
    }

    fn mark(&mut self, book: &Book, now: Timestamp) {
        self.update(book, now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::{World, dec};

    const HOUR_MS: i64 = 3_600_000;

    /// 10 % drawdown, 5 % a day, days at midnight UTC; 100 ETH long at 100 on 10,000.
    fn breakers() -> Breakers {
        Breakers::new(dec("10"), dec("5"), DayCalendar::utc(0).unwrap())
    }

    fn world() -> World {
        let mut world = World::new();
        world.fill("ETHUSDT", "LONG", "100");
        world
    }

    fn posture(world: &World, breakers: &Breakers) -> Posture {
        breakers.posture(&world.book, world.now).posture
    }

    fn fed(world: &World) -> Breakers {
        let mut breakers = breakers();
        world.feed(&mut breakers);
        breakers
    }

    #[test]
    fn a_drawdown_halts_exactly_at_its_limit() {
        let mut world = world();
        world.mark("ETHUSDT", "110");
        world.at_ms(30 * HOUR_MS);
        // Peak 11,000; ten percent of it are 1,100: equity 9,900.
        world.mark("ETHUSDT", "99.01");
        assert_ne!(posture(&world, &fed(&world)), Posture::Halted);
        world.mark("ETHUSDT", "99");
        assert_eq!(posture(&world, &fed(&world)), Posture::Halted);
    }

    #[test]
    fn a_halt_outlives_a_recovery_and_says_why() {
        let mut world = world();
        world.mark("ETHUSDT", "90");
        world.mark("ETHUSDT", "150");
        let breakers = fed(&world);
        let stance = breakers.posture(&world.book, world.now);
        assert_eq!(stance.posture, Posture::Halted);
        let expected =
            "KILL_DD_PCT: equity 9000 is 10 % below its peak 10000 (limit 10 %); an operator must resume";
        assert_eq!(stance.because, expected);
        let (verdict, checks) = world.assess(&breakers, "BTCUSDT", "LONG", "1");
        assert!(matches!(verdict, Verdict::Refuse { rule } if rule == "kill_dd_pct"));
        assert!(checks[0].note.as_ref().unwrap().contains("9000"));
    }

    #[test]
    fn resuming_counts_drawdown_from_the_present_equity() {
        let mut world = world();
        world.mark("ETHUSDT", "90");
        // The loss of the day stays, so look at the day after.
        world.at_ms(25 * HOUR_MS);
        world.mark("ETHUSDT", "90");
        assert_eq!(posture(&world, &fed(&world)), Posture::Halted);
        world.operator(OperatorCommand::Resume);
        assert_eq!(posture(&world, &fed(&world)), Posture::Normal);
        assert_eq!(fed(&world).track().peak(), Some(dec("9000")));
        world.at_ms(50 * HOUR_MS);
        world.mark("ETHUSDT", "85");
        assert_ne!(posture(&world, &fed(&world)), Posture::Halted);
        world.at_ms(75 * HOUR_MS);
        world.mark("ETHUSDT", "81");
        assert_eq!(posture(&world, &fed(&world)), Posture::Halted);
    }

    #[test]
    fn resuming_without_a_halt_keeps_the_peak() {
        let mut world = world();
        world.mark("ETHUSDT", "98");
        world.operator(OperatorCommand::Resume);
        assert_eq!(fed(&world).track().peak(), Some(dec("10000")));
    }

    #[test]
    fn a_loss_of_the_day_stops_openings_exactly_at_its_limit_until_the_next_day() {
        let mut world = world();
        world.at_ms(20 * HOUR_MS);
        world.mark("ETHUSDT", "95.01");
        assert_eq!(posture(&world, &fed(&world)), Posture::Normal);
        world.mark("ETHUSDT", "95");
        let breakers = fed(&world);
        assert_eq!(posture(&world, &breakers), Posture::ExitOnly);
        let (verdict, _) = world.assess(&breakers, "BTCUSDT", "LONG", "1");
        assert!(matches!(verdict, Verdict::Refuse { rule } if rule == "kill_daily_loss_pct"));
        // A recovery and an operator do not lift it; midnight does, also when nothing else happens.
        world.mark("ETHUSDT", "100");
        world.operator(OperatorCommand::Resume);
        assert_eq!(posture(&world, &fed(&world)), Posture::ExitOnly);
        world.at_ms(24 * HOUR_MS - 1);
        assert_eq!(posture(&world, &fed(&world)), Posture::ExitOnly);
        world.at_ms(24 * HOUR_MS);
        assert_eq!(posture(&world, &fed(&world)), Posture::Normal);
        assert_eq!(world.assess(&fed(&world), "BTCUSDT", "LONG", "1").0, Verdict::Approve);
    }

    #[test]
    fn a_day_starts_with_the_equity_that_was_known_before_it() {
        let mut world = world();
        world.mark("ETHUSDT", "99");
        world.at_ms(24 * HOUR_MS);
        // The first thing known of the new day is already a loss of the new day.
        world.mark("ETHUSDT", "94.05");
        let breakers = fed(&world);
        assert_eq!(breakers.track().day_start(), Some(dec("9900")));
        assert_eq!(posture(&world, &breakers), Posture::ExitOnly);
    }

    #[test]
    fn a_day_of_another_zone_ends_at_its_own_midnight() {
        // One hour east until the clock is put forward at 05:00 UTC: midnight is at 23:00, then at 22:00 UTC.
        let calendar = DayCalendar::new(3_600, vec![(Timestamp::from_ms(29 * HOUR_MS), 7_200)], 0).unwrap();
        let mut breakers = Breakers::new(dec("50"), dec("5"), calendar);
        let mut world = world();
        world.mark("ETHUSDT", "95");
        world.feed(&mut breakers);
        let at = |breakers: &Breakers, hour: i64| {
            breakers.posture(&world.book, Timestamp::from_ms(hour * HOUR_MS)).posture
        };
        assert_eq!((at(&breakers, 22), at(&breakers, 23)), (Posture::ExitOnly, Posture::Normal));
        breakers.mark(&world.book, Timestamp::from_ms(23 * HOUR_MS));
        assert_eq!(breakers.track().next_day(), Some(Timestamp::from_ms(46 * HOUR_MS)));
    }

    #[test]
    fn a_transfer_is_neither_a_gain_nor_a_loss() {
        let mut world = world();
        world.transfer("-5000");
        let breakers = fed(&world);
        assert_eq!(breakers.track().peak(), Some(dec("5000")));
        assert_eq!(breakers.track().day_start(), Some(dec("5000")));
        assert_eq!(breakers.track().drawdown_pct(), dec("0"));
        assert_eq!(posture(&world, &breakers), Posture::Normal);
        // Five percent of what is left.
        world.mark("ETHUSDT", "97.5");
        assert_eq!(fed(&world).track().daily_loss_pct(), dec("5"));
        world.transfer("20000");
        assert_eq!(fed(&world).track().peak(), Some(dec("25000")));
    }

    #[test]
    fn bars_from_before_the_start_move_no_baseline() {
        let mut world = world();
        let before = fed(&world);
        world.history("ETHUSDT", "500");
        assert_eq!(fed(&world), before);
    }

    #[test]
    fn nothing_is_tracked_before_the_account_is_known() {
        let mut breakers = breakers();
        breakers.mark(&Book::default(), Timestamp::EPOCH);
        assert_eq!(breakers.track().peak(), None);
        assert_eq!(breakers.posture(&Book::default(), Timestamp::EPOCH), Stance::NORMAL);
    }

    proptest! {
        #[test]
        fn a_restart_finds_the_breakers_as_they_were(
            steps in proptest::collection::vec((0_u8..5, 80_i64..125, 0_i64..20), 1..40),
        ) {
            let mut world = world();
            let mut live = breakers();
            world.feed(&mut live);
            let mut folded = world.records();
            for (what, value, hours) in steps {
                world.at_ms(world.now.ms() + hours * HOUR_MS);
                match what {
                    0 => world.transfer(&(value - 100).to_string()),
                    1 => world.operator(OperatorCommand::Resume),
                    2 => world.operator(OperatorCommand::Halt),
                    _ => world.mark("ETHUSDT", &value.to_string()),
                }
                // A running engine folds each record once and asks again whenever it likes.
                world.feed_from(&mut live, folded);
                folded = world.records();
                live.mark(&world.book, world.now);
            }
            prop_assert_eq!(fed(&world), live);
        }
    }
}
