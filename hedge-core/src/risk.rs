//! What forbids: risk managers, their checks and the three postures.

use std::{borrow::Cow, fmt};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    answers::Answers,
    book::Book,
    event::Envelope,
    id::{InstrumentIx, StrategyId},
    instrument::InstrumentSpec,
    money::{Notional, Price, Qty, difference},
    order::{Entry, Protection},
    position::PositionKey,
    time::Timestamp,
};

/// The engine's stance. Ordered: the stricter is the greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Posture {
    /// Everything is allowed that the gate allows.
    #[default]
    Normal,
    /// No openings (the operators' HOLD).
    ExitOnly,
    /// Nobody decides anything new; closes, cancels and protective stops still go out.
    Halted,
}

impl fmt::Display for Posture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "Normal",
            Self::ExitOnly => "ExitOnly",
            Self::Halted => "Halted",
        })
    }
}

/// A posture with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stance {
    /// The posture.
    pub posture: Posture,
    /// Why; empty for `Normal`.
    pub because: Cow<'static, str>,
}

impl Stance {
    /// Nothing to object to.
    pub const NORMAL: Self = Self { posture: Posture::Normal, because: Cow::Borrowed("") };
}

/// One rule's answer about one proposal; also kept when it passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateCheck {
    /// Name of the rule, for example `max_positions`.
    pub rule: Cow<'static, str>,
    /// What was found.
    pub value: Decimal,
    /// What is allowed.
    pub limit: Decimal,
    /// How far the value is from the limit; negative when over it.
    pub distance: Decimal,
    /// The answer.
    pub verdict: CheckVerdict,
    /// What a number cannot say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Cow<'static, str>>,
}

/// What a distance from a limit says.
#[inline]
fn within(distance: &Decimal) -> CheckVerdict {
    if distance.is_sign_positive() || distance.is_zero() { CheckVerdict::Pass } else { CheckVerdict::Refuse }
}

impl GateCheck {
    /// A check that passes while `value` is at most `limit`.
    #[inline]
    pub fn at_most(rule: &'static str, value: Decimal, limit: Decimal) -> Self {
        let distance = difference(&limit, &value);
        Self { rule: Cow::Borrowed(rule), value, limit, distance, verdict: within(&distance), note: None }
    }
    /// A check that passes while `value` is at least `limit`.
    #[inline]
    pub fn at_least(rule: &'static str, value: Decimal, limit: Decimal) -> Self {
        let distance = difference(&value, &limit);
        Self { rule: Cow::Borrowed(rule), value, limit, distance, verdict: within(&distance), note: None }
    }
    /// A yes-or-no rule: value 1 and limit 1 when it holds.
    #[inline]
    pub fn holds(rule: &'static str, holds: bool, note: impl Into<Option<Cow<'static, str>>>) -> Self {
        let (value, distance, verdict) = if holds {
            (Decimal::ONE, Decimal::ZERO, CheckVerdict::Pass)
        } else {
            (Decimal::ZERO, Decimal::NEGATIVE_ONE, CheckVerdict::Refuse)
        };
        Self { rule: Cow::Borrowed(rule), value, limit: Decimal::ONE, distance, verdict, note: note.into() }
    }
    /// Whether this rule alone would let the proposal pass as it is.
    #[inline]
    pub fn passed(&self) -> bool {
        self.verdict == CheckVerdict::Pass
    }
}

/// One rule's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckVerdict {
    /// As proposed.
    Pass,
    /// Only a smaller quantity.
    Shrink,
    /// Not at all.
    Refuse,
}

/// The answer of all rules together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As proposed.
    Approve,
    /// At most this quantity.
    Shrink {
        /// The largest quantity that every rule accepts.
        to: Qty,
    },
    /// Not at all.
    Refuse {
        /// The first rule that refused.
        rule: Cow<'static, str>,
    },
}

impl Verdict {
    /// The stricter of two answers; of two refusals the first stays.
    #[must_use]
    #[inline]
    pub fn stricter(self, other: Self) -> Self {
        match (self, other) {
            // Most rules approve.
            (verdict, Self::Approve) | (Self::Approve, verdict) => verdict,
            (refuse @ Self::Refuse { .. }, _) | (_, refuse @ Self::Refuse { .. }) => refuse,
            (Self::Shrink { to: a }, Self::Shrink { to: b }) => Self::Shrink { to: a.min(b) },
        }
    }
}

/// An opening that asks for permission.
#[derive(Debug)]
pub struct Proposal<'a> {
    /// Which leg.
    pub position: PositionKey,
    /// The engine's index of its instrument.
    pub instrument: InstrumentIx,
    /// The instrument's rules.
    pub spec: &'a InstrumentSpec,
    /// Who asks.
    pub strategy: StrategyId,
    /// Quantity, already on the grid.
    pub qty: Qty,
    /// The worst price it can fill at.
    pub price: Price,
    /// `qty × price`.
    pub notional: Notional,
    /// How it would be entered.
    pub entry: &'a Entry,
    /// What would protect it.
    pub protection: &'a Protection,
    /// Everything known: legs, orders (unknown ones count as filled), equity, marks, postures.
    pub book: &'a Book,
    /// The time of the fact that led here.
    pub now: Timestamp,
}

/// Pure. Asked about openings only: no risk manager can stop an exit.
///
/// ```compile_fail
/// fn veto_exit(risk: &dyn hedge_core::RiskManager, close: hedge_core::Close) { risk.assess_close(close); }
/// ```
pub trait RiskManager: fmt::Debug + Send + 'static {
    /// Answers once per rule, passed or not, and returns the strictest answer.
    fn assess(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Verdict;
    /// The strictest stance this manager wants now. Asked after facts that move equity, and on ticks.
    fn posture(&self, book: &Book, now: Timestamp) -> Stance;
    /// Sees every journalled record after it was folded into the book, so that its state folds from the journal too.
    fn observe(&mut self, envelope: &Envelope, book: &Book);
    /// Equity may have moved because of a market fact.
    fn mark(&mut self, book: &Book, now: Timestamp);
    /// What it must be told besides proposals. A manager that only limits openings saves the engine the calls.
    fn watches(&self) -> Watches {
        Watches::ALL
    }
}

/// What a risk manager looks at besides proposals. What is `false` need not be called, and answers as if nothing were wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watches {
    /// [`observe`](RiskManager::observe) does something.
    pub records: bool,
    /// [`mark`](RiskManager::mark) does something.
    pub marks: bool,
    /// [`posture`](RiskManager::posture) may be stricter than `Normal`.
    pub stance: bool,
}

impl Watches {
    /// Everything.
    pub const ALL: Self = Self { records: true, marks: true, stance: true };
    /// Proposals only.
    pub const NOTHING: Self = Self { records: false, marks: false, stance: false };
    /// Proposals and records.
    pub const RECORDS: Self = Self { records: true, marks: false, stance: false };
}

/// Forbids nothing. For tests and first steps; visible at the composition root.
#[derive(Clone, Copy, Debug, Default)]
pub struct PermitAll;

impl RiskManager for PermitAll {
    fn assess(&self, _: &Proposal<'_>, answers: &mut Answers) -> Verdict {
        answers.holds("permit_all", true);
        Verdict::Approve
    }
    fn posture(&self, _: &Book, _: Timestamp) -> Stance {
        Stance::NORMAL
    }
    fn observe(&mut self, _: &Envelope, _: &Book) {}
    fn mark(&mut self, _: &Book, _: Timestamp) {}
    fn watches(&self) -> Watches {
        Watches::NOTHING
    }
}
