//! What an earlier run left behind: an operator's order, a tripped circuit breaker. Each is a warning, because an executor
//! must come back to its open legs also when it may open nothing.

use hedge_core::{Posture, PreflightCheck, RiskManager, Timestamp};
use rust_decimal::Decimal;

use super::check::{Findings, failed, ok, warning};
use crate::{config::Config, operate::Folded};

/// The journal's end, or why it cannot be read.
pub(super) type Journal<'a> = Result<Option<&'a Folded>, String>;

pub(super) fn kill_switch(journal: &Journal<'_>) -> PreflightCheck {
    let (name, expected) = ("kill switch", "no halt and no exit-only order in force");
    match journal {
        Err(error) => failed(name, expected, error, "look at the journal: hedgectl journal verify"),
        Ok(None) => ok(name, expected, "no journal yet"),
        Ok(Some(folded)) => match folded.order() {
            None => ok(name, expected, "none"),
            Some((posture, because, since)) => warning(
                name,
                expected,
                format!("{} {}by an operator: {because}", word(posture), since_words(since)),
                "find out whether the reason still holds, then: hedgectl resume \"why it is over\"",
            ),
        },
    }
}

/// Drawdown and loss of the day against their limits, as of the journal's end.
pub(super) fn breakers(journal: &Journal<'_>, config: &Config, now: Timestamp) -> PreflightCheck {
    let limits = &config.limits;
    let (dd, daily) = (limits.kill_dd_pct.normalize(), limits.kill_daily_loss_pct.normalize());
    let mut findings =
        Findings::new("circuit breakers", format!("drawdown below {dd} %, loss of the day below {daily} %"));
    let Ok(Some(folded)) = journal else { return findings.check("no journal yet") };
    let stance = folded.breakers.posture(&folded.book, now);
    let track = folded.breakers.track();
    // The loss of a day that is over says nothing about today.
    let is_of_today = track.next_day().is_some_and(|next| now < next);
    let lost = if is_of_today { track.daily_loss_pct() } else { Decimal::ZERO };
    let found = format!("drawdown {} %, loss of the day {} %", tidy(track.drawdown_pct()), tidy(lost));
    match stance.posture {
        Posture::Halted => findings.warn(
            format!("{found}; halted: {}", stance.because),
            "find out what lost the money, then: hedgectl resume \"why it is over\"",
        ),
        Posture::ExitOnly => findings
            .warn(format!("{found}; exit-only: {}", stance.because), "nothing: it ends with the trading day"),
        Posture::Normal => {}
    }
    findings.check(found)
}

/// Orders of unknown outcome that an earlier process left.
pub(super) fn doubts(journal: &Journal<'_>) -> Option<PreflightCheck> {
    let Ok(Some(folded)) = journal else { return None };
    let doubtful = folded.book.doubtful_orders();
    let (name, expected) = ("orders in doubt", "none");
    Some(match doubtful {
        0 => ok(name, expected, "none"),
        n => warning(
            name,
            expected,
            format!("{n} of unknown outcome in the journal"),
            "nothing: the executor asks the venue about them before it opens anything",
        ),
    })
}

pub(super) const fn word(posture: Posture) -> &'static str {
    match posture {
        Posture::Normal => "normal",
        Posture::ExitOnly => "exit-only",
        Posture::Halted => "halted",
    }
}

fn since_words(since: Option<Timestamp>) -> String {
    since.map(|at| format!("since {at} ")).unwrap_or_default()
}

fn tidy(percent: Decimal) -> Decimal {
    percent.round_dp(2).normalize()
}
