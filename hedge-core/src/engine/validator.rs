//! The second line of protection: whether every open leg has what guards it, looked at again and again.
//!
//! The first line reacts: a fill places the stop, a stop that ends is replaced, a leg without one is closed in time. This one
//! assumes nothing about why something is missing. It reads the book, which the account stream feeds, and costs no request.
//! What it finds and what came of it is journalled, so that the figures can be counted from the records alone.

use std::{borrow::Cow, time::Duration};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::run::{Cx, Engine};
use crate::{
    book::{LegState, OrderRecord},
    event::{Decision, Event},
    gate::is_beyond,
    id::OrderPurpose,
    money::Price,
    order::{Leg, Protection},
    order_state::OrderState,
    position::PositionKey,
    time::Timestamp,
};

/// The longest pause between two looks at a take-profit that cannot be placed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How the stop validator works. It can only add protection; closing a leg that stays bare is not its task and cannot be
/// switched off with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopValidator {
    /// Whether it looks at all.
    pub enabled: bool,
    /// Whether it places a missing stop. It is said aloud in any case.
    pub repair: bool,
    /// Whether it places missing take-profits.
    pub repair_take_profits: bool,
    /// How long something may be missing before it counts. Shorter than
    /// [`protect_within`](super::EngineConfig::protect_within), or the leg is closed before it is repaired.
    pub grace: Duration,
    /// The least time between two attempts to repair the same thing.
    pub interval: Duration,
}

impl Default for StopValidator {
    fn default() -> Self {
        Self {
            enabled: true,
            repair: true,
            repair_take_profits: true,
            grace: Duration::from_secs(1),
            interval: Duration::from_secs(1),
        }
    }
}

/// What guards a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// Its stop.
    Stop,
    /// One of its take-profits.
    TakeProfit {
        /// Where it fires.
        trigger: Price,
    },
}

/// Something that was found missing and is not there again yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    key: PositionKey,
    guard: Guard,
    since: Timestamp,
    tried_at: Option<Timestamp>,
}

/// What is missing of a rung.
struct MissingRung {
    qty: Decimal,
    since: Timestamp,
    /// Whether the venue had taken the order that is gone.
    has_stood: bool,
}

/// What the validator remembers between two looks.
#[derive(Debug, Default)]
pub(super) struct Watch {
    missing: Vec<Missing>,
    /// When the take-profits are looked at next; `None` while nothing has happened to one.
    take_profits_at: Option<Timestamp>,
    pause: Duration,
}

impl Engine {
    fn validates_stop_of(&self, leg: &LegState) -> bool {
        self.config.validator.enabled
            && leg.is_open()
            && leg.unprotected_since.is_some()
            && !matches!(leg.protection, Some(Protection::Unprotected { .. }))
            && self.wants_stop(&leg.key)
            && !self.is_being_closed(&leg.key)
            && !self.book.must_flatten(&leg.key)
    }

    /// Whether a stop may be placed: none is on its way, and at most one is in doubt. A stop over the whole leg closes nothing
    /// twice, so a second one costs less than a leg that is closed because an answer was lost. A position of somebody else
    /// is protected by the rules of its own.
    fn may_repair_stop(&self, key: &PositionKey) -> bool {
        self.config.validator.repair
            && !self.book.is_covered(key)
            && !self.is_adopted(key)
            && self.book.stops_of(key).count() < 2
    }

    fn known_missing(&self, key: &PositionKey, guard: Guard) -> Option<&Missing> {
        self.watch.missing.iter().find(|missing| missing.key == *key && missing.guard == guard)
    }

    /// When a leg's stop is looked at next. Nothing changes in the book without a record, so a look is due only when
    /// something is missing: when it has been for too long, and then at every interval.
    pub(super) fn stop_look_due(&self, leg: &LegState) -> Option<Timestamp> {
        let since = leg.unprotected_since.filter(|_| self.validates_stop_of(leg))?;
        let validator = &self.config.validator;
        match self.known_missing(&leg.key, Guard::Stop).filter(|missing| missing.since == since) {
            None => Some(since.plus(validator.grace)),
            Some(_) if !self.may_repair_stop(&leg.key) => None,
            Some(missing) => Some(missing.tried_at.unwrap_or(since).plus(validator.interval)),
        }
    }

    /// When the take-profits are looked at next.
    pub(super) const fn take_profit_look_due(&self) -> Option<Timestamp> {
        self.watch.take_profits_at
    }

    /// Something may have happened to a take-profit: they are looked at once the grace is over.
    pub(super) fn look_at_take_profits_soon(&mut self, at: Timestamp) {
        let has_ladder = |leg: &LegState| matches!(&leg.protection, Some(Protection::Stop { take_profits, .. }) if !take_profits.is_empty());
        if self.config.validator.enabled && self.book.open_legs().any(has_ladder) {
            let due = at.plus(self.config.validator.grace);
            self.watch.pause = self.config.validator.interval;
            self.watch.take_profits_at = Some(self.watch.take_profits_at.map_or(due, |known| known.min(due)));
        }
    }

    /// A take-profit could not be sent: before that instant none can be.
    pub(super) fn look_at_take_profits_at(&mut self, at: Timestamp) {
        if self.config.validator.enabled {
            self.watch.pause = self.config.validator.interval;
            self.watch.take_profits_at = Some(at);
        }
    }

    /// A take-profit has ended without having fired for all it should take. One that is being repaired keeps its pace.
    pub(super) fn take_profit_lost(&mut self, at: Timestamp, key: &PositionKey, trigger: Option<Price>) {
        let guard = trigger.map(|trigger| Guard::TakeProfit { trigger });
        let is_in_repair = guard.is_some_and(|guard| self.known_missing(key, guard).is_some());
        if !is_in_repair || self.watch.take_profits_at.is_none() {
            self.look_at_take_profits_soon(at);
        }
    }

    /// One look at everything that is due.
    pub(super) fn validate(&mut self, cx: &mut Cx<'_>) {
        let due: Vec<(PositionKey, Timestamp)> = self
            .book
            .open_legs()
            .filter(|leg| self.stop_look_due(leg).is_some_and(|due| cx.at >= due))
            .filter_map(|leg| Some((leg.key, leg.unprotected_since?)))
            .collect();
        for (key, since) in due {
            let new = self.note_missing(cx, &key, Guard::Stop, since);
            let repairs = self.may_repair_stop(&key);
            if new {
                let then = if repairs {
                    "it is placed again"
                } else if self.has_stop(&key) {
                    "one was ordered and is not confirmed"
                } else if self.is_adopted(&key) {
                    "it is placed as soon as the venue takes it"
                } else {
                    "it is not repaired, by configuration"
                };
                let text = format!("{key} has had no confirmed stop for {:?}; {then}", cx.at.since(since));
                self.alert(cx, Some(key), Cow::Owned(text));
            }
            if repairs {
                self.tried(&key, Guard::Stop, cx.at);
                self.protect_new(cx, &key, None);
            }
        }
        if self.watch.take_profits_at.is_some_and(|due| cx.at >= due) {
            self.watch.take_profits_at = None;
            self.validate_take_profits(cx);
        }
    }

    /// Whether it is a take-profit that was placed anew and has failed again: a person has been told of it.
    pub(super) fn is_repair_of_take_profit(&self, order: &OrderRecord) -> bool {
        let Leg::Close(exit, _) = order.leg else { return false };
        let trigger = exit.trigger().filter(|_| order.purpose == OrderPurpose::TakeProfit);
        let known =
            trigger.and_then(|trigger| self.known_missing(&order.position, Guard::TakeProfit { trigger }));
        known.is_some_and(|missing| missing.tried_at.is_some_and(|tried| order.decided_at >= tried))
    }

    /// Whether it is news.
    fn note_missing(&mut self, cx: &mut Cx<'_>, key: &PositionKey, guard: Guard, since: Timestamp) -> bool {
        if self.known_missing(key, guard).is_some_and(|missing| missing.since == since) {
            return false;
        }
        self.watch.missing.retain(|missing| missing.key != *key || missing.guard != guard);
        self.watch.missing.push(Missing { key: *key, guard, since, tried_at: None });
        self.record(cx, Event::Decision(Decision::StopMissing { position: *key, guard, since }));
        true
    }

    fn tried(&mut self, key: &PositionKey, guard: Guard, at: Timestamp) {
        let missing = self.watch.missing.iter_mut();
        for missing in missing.filter(|missing| missing.key == *key && missing.guard == guard) {
            missing.tried_at = Some(at);
        }
    }

    fn validate_take_profits(&mut self, cx: &mut Cx<'_>) {
        let mut wanting = Vec::new();
        let mut again = false;
        for leg in self.book.open_legs() {
            let Some(Protection::Stop { take_profits, .. }) = &leg.protection else { continue };
            if take_profits.is_empty() || self.book.must_flatten(&leg.key) {
                continue;
            }
            let is_unfinished = self.book.has_live_entry(&leg.key) || self.is_being_closed(&leg.key);
            for rung in take_profits {
                match self.missing_rung(leg, rung.trigger, rung.portion.get()) {
                    // Its quantity is not known before the entry has ended or the close has: that is looked at again.
                    Some(_) if is_unfinished => again = true,
                    Some(missing) => wanting.push((leg.key, rung.trigger, missing)),
                    None => {}
                }
            }
        }
        for (key, trigger, MissingRung { qty, since, has_stood }) in wanting {
            let guard = Guard::TakeProfit { trigger };
            // One that was placed anew and failed is still the one that is missing.
            let known = self.known_missing(&key, guard).filter(|_| !has_stood);
            let since = known.map_or(since, |known| known.since);
            let new = self.note_missing(cx, &key, guard, since);
            if new {
                let text = format!("{key} has no take-profit of {qty} at {trigger} any more");
                self.alert(cx, Some(key), Cow::Owned(text));
            }
            if !self.config.validator.repair_take_profits {
                continue;
            }
            // A price that is through it would fire it at once, or have it refused: it waits for the price to come back.
            let mark = self.book.mark_of(&key.instrument).map(|(mark, _)| mark);
            if mark.is_none_or(|mark| is_beyond(key.side, trigger, mark)) {
                self.tried(&key, guard, cx.at);
                self.place_take_profit(cx, &key, qty, trigger);
            }
            again = true;
        }
        if again {
            // Looked at again: what was sent may be refused, and what could not be sent may be possible then.
            self.watch.take_profits_at = Some(cx.at.plus(self.watch.pause));
            self.watch.pause = (self.watch.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What is missing of a rung. A rung that fired, or that is or may be live, is not missing.
    fn missing_rung(&self, leg: &LegState, trigger: Price, portion: Decimal) -> Option<MissingRung> {
        let is_rung = |order: &&OrderRecord| {
            order.purpose == OrderPurpose::TakeProfit
                && order.strategy.is_none()
                && order.position == leg.key
                && order.seq >= leg.opened_seq
        };
        let at_trigger = |order: &&OrderRecord| matches!(order.leg, Leg::Close(exit, _) if exit.trigger() == Some(trigger));
        let live: Decimal =
            self.book.live_orders_of(&leg.key).filter(is_rung).map(OrderRecord::open_qty).sum();
        let last = self.book.orders().filter(is_rung).filter(at_trigger).last();
        let (wanted, since, has_stood) = match last {
            Some(order) if order.state.is_live() || order.state == OrderState::Filled => return None,
            Some(order) => (order.open_qty(), order.decided_at, order.venue.is_some()),
            None => (leg.qty * portion.max(Decimal::ZERO), leg.opened_at?, false),
        };
        let spec = self.spec_of(&leg.key)?;
        let qty = spec.floor_qty(wanted.min(leg.qty - live), &spec.market_lot)?;
        Some(MissingRung { qty: qty.get(), since, has_stood })
    }

    /// What was missing and is there again is noted down; what is not needed any more is forgotten.
    pub(super) fn review_missing(&mut self, cx: &mut Cx<'_>) {
        if self.watch.missing.is_empty() {
            return;
        }
        let missing = std::mem::take(&mut self.watch.missing);
        for missing in missing {
            let Some(leg) = self.book.leg(&missing.key).filter(|leg| leg.is_open()) else { continue };
            let is_back = match missing.guard {
                Guard::Stop if leg.unprotected_since.is_some_and(|since| since != missing.since) => continue,
                Guard::Stop => leg.unprotected_since.is_none(),
                Guard::TakeProfit { trigger } => self.book.live_orders_of(&missing.key).any(|order| {
                    order.purpose == OrderPurpose::TakeProfit
                        && order.state.is_confirmed_live()
                        && matches!(order.leg, Leg::Close(exit, _) if exit.trigger() == Some(trigger))
                }),
            };
            if !is_back {
                self.watch.missing.push(missing);
                continue;
            }
            let Missing { key: position, guard, since, .. } = missing;
            let after_ms = u64::try_from(cx.at.since(since).as_millis()).unwrap_or(u64::MAX);
            self.record(cx, Event::Decision(Decision::StopRepaired { position, guard, after_ms }));
        }
    }
}
