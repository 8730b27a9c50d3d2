//! What is to be done now: readings, cancels, closes and questions, and when to look again.

use std::collections::BTreeSet;

use hedge_core::{Symbol, Timestamp};
use tokio::time::Instant;

use super::{Book, Chore, Course, IN_FLIGHT, Job, ORDERS_PATIENCE, Phase, RULES_PATIENCE, SELDOM};
use crate::panic::{
    leg::{Leg, Sending},
    rules::Rules,
    verdict::End,
};

impl Course {
    /// What is to be done now.
    pub(in crate::panic) fn decide(&mut self, now: Instant) -> Vec<Job> {
        let mut jobs = Vec::new();
        if now >= self.setup.deadline && !self.is_over() {
            if self.phase == Phase::Stuck {
                self.finish(End::NotTrading, self.stuck_because());
            } else {
                self.finish(End::OutOfTime, "the time allowed with --within is over".to_owned());
            }
        }
        self.advance(now);
        if self.is_over() {
            return jobs;
        }
        self.readings(now, &mut jobs);
        self.cancels(now, &mut jobs);
        self.closes(now, &mut jobs);
        self.questions(now, &mut jobs);
        jobs
    }

    pub(super) fn readings(&mut self, now: Instant, jobs: &mut Vec<Job>) {
        if self.rules.is_none() && self.rules_chore.is_due(now) {
            self.rules_chore.busy = true;
            jobs.push(Job::Rules);
        }
        if self.held.is_due(now) {
            self.held.begin(now);
            self.readings += 1;
            jobs.push(Job::Held { another_way: self.held.failures % 2 == 1 });
        }
        if self.wants_orders(now) && self.resting.is_due(now) {
            self.resting.begin(now);
            jobs.push(Job::Resting);
        }
        if self.wants_conditional(now) && self.waiting.is_due(now) {
            self.waiting.begin(now);
            jobs.push(Job::Waiting);
        }
    }

    /// The list of all orders is dear, so there is always a reason.
    pub(super) fn wants_orders(&self, now: Instant) -> bool {
        let Some(asked) = self.resting.asked_at else { return true };
        if self.suspicion.is_some_and(|since| asked < since) {
            return true;
        }
        match self.phase {
            Phase::Work => asked < self.last_action && self.open_legs().next().is_none(),
            Phase::Settle(since) => now >= since + self.gap() && asked < since + self.gap(),
            Phase::LastLook(since) => asked < since,
            Phase::Sweep(_) | Phase::Stuck | Phase::Over => false,
        }
    }

    pub(super) fn wants_conditional(&self, now: Instant) -> bool {
        match self.phase {
            // Once, for those that would open a leg.
            Phase::Work | Phase::Settle(_) => self.waiting.asked_at.is_none(),
            Phase::Sweep(since) => {
                let wanted = self.listing_wanted_at(since);
                now >= wanted && !self.waiting.is_of(wanted)
            }
            Phase::LastLook(_) | Phase::Stuck | Phase::Over => false,
        }
    }

    /// From when on a list of conditional orders tells whether the sweep has worked.
    pub(super) fn listing_wanted_at(&self, since: Instant) -> Instant {
        self.sweeps.values().filter_map(|chore| chore.not_before).max().map_or(since, |at| at.max(since))
    }

    pub(super) fn cancels(&mut self, now: Instant, jobs: &mut Vec<Job>) {
        // Whether the call that cancels all plain orders leaves conditional ones alone is UNCONFIRMED (fact sheet 16).
        let is_bare = self.waiting.asked_at.is_some();
        let guarded: BTreeSet<Symbol> = self.conditional.iter().map(|waiting| waiting.symbol).collect();
        let open: BTreeSet<Symbol> =
            self.legs.values().filter(|leg| leg.held.is_some()).map(|leg| leg.id.symbol).collect();
        let positions_known = self.held.asked_at.is_some();
        for (symbol, book) in &mut self.books {
            let is_due = book.not_before.is_none_or(|at| now >= at);
            if !book.orders.is_empty() && !book.cancelling && is_due {
                book.cancelling = true;
                let has_no_stop = is_bare && !guarded.contains(symbol);
                let at_once = has_no_stop || (positions_known && !open.contains(symbol));
                let orders = book.orders.iter().map(|order| order.order).collect();
                jobs.push(Job::CancelPlain { symbol: *symbol, orders, at_once });
            }
        }
        for (order, (symbol, chore)) in self.openings.iter_mut().filter(|(_, (_, chore))| chore.is_due(now)) {
            chore.busy = true;
            jobs.push(Job::CancelOpening(*symbol, *order));
        }
        if let Phase::Sweep(since) = self.phase
            && self.waiting.is_of(self.listing_wanted_at(since))
        {
            for waiting in &self.conditional {
                let chore = self.sweeps.entry(waiting.symbol).or_default();
                if chore.is_due(now) {
                    chore.busy = true;
                    jobs.push(Job::Sweep(waiting.symbol));
                }
            }
        }
    }

    pub(super) fn closes(&mut self, now: Instant, jobs: &mut Vec<Job>) {
        let waited = now.duration_since(self.began);
        let orders_known = self.resting.asked_at.is_some() || self.resting.has_ever_failed;
        let rules_known = self.rules.is_some() || self.rules_chore.failures > 0;
        if !(orders_known || waited >= ORDERS_PATIENCE) || !(rules_known || waited >= RULES_PATIENCE) {
            return;
        }
        let mut in_flight = self.legs.values().filter(|leg| leg.on_its_way.is_some()).count();
        let nothing = Rules::default();
        for leg in self.legs.values_mut() {
            let book = self.books.get(&leg.id.symbol);
            let since = book.and_then(|book| book.finished_at);
            if in_flight >= IN_FLIGHT || must_wait(book) || !leg.may_close(since, now) {
                continue;
            }
            let Some(held) = leg.held else { continue };
            let resting = book.map_or(&[][..], |book| &book.orders);
            let spoken_for = resting.iter().filter(|order| order.closes(&held)).map(|order| order.open_qty);
            let free = held.qty.get() - spoken_for.sum::<hedge_core::Decimal>();
            let (id, term) = (self.setup.ids.another(), self.setup.ids.term());
            let rules = self.rules.as_ref().unwrap_or(&nothing);
            let Some(order) = rules.close(id, term, &held, free, leg.limits) else { continue };
            let sent_venue = Timestamp::EPOCH; // the driver puts the venue's time in as it sends
            let sending =
                Sending { id, qty: order.qty().get(), before: held.qty.get(), sent_at: now, sent_venue };
            leg.sending(id);
            in_flight += 1;
            jobs.push(Job::Close(leg.id, Box::new(order), sending));
        }
    }

    pub(super) fn questions(&mut self, now: Instant, jobs: &mut Vec<Job>) {
        for leg in self.legs.values_mut() {
            if let Some(id) = leg.take_cancel(now) {
                jobs.push(Job::CancelLive(leg.id, id));
            }
            let Some(pending) = leg.pending.as_mut() else { continue };
            if !pending.asking && now >= pending.ask_at {
                pending.asking = true;
                jobs.push(Job::Ask(leg.id, pending.id));
            }
        }
    }

    /// When something is due although no news comes.
    pub(in crate::panic) fn wake(&self, now: Instant) -> Instant {
        let mut due = vec![self.setup.deadline];
        due.extend(self.held.due_at());
        if self.wants_orders(now) {
            due.extend(self.resting.due_at());
        }
        if self.wants_conditional(now) {
            due.extend(self.waiting.due_at());
        }
        if let Phase::Settle(since) = self.phase {
            due.push(since + self.gap());
        }
        if self.rules.is_none() {
            due.extend(self.rules_chore.due_at());
        }
        due.extend([ORDERS_PATIENCE, RULES_PATIENCE].map(|patience| self.began + patience));
        due.extend(self.legs.values().filter_map(Leg::due_at));
        due.extend(
            self.books
                .values()
                .filter(|book| !book.orders.is_empty() && !book.cancelling)
                .filter_map(|b| b.not_before),
        );
        due.extend(self.openings.values().filter_map(|(_, chore)| chore.due_at()));
        due.extend(self.sweeps.values().filter_map(Chore::due_at));
        // What is due already has been done, or waits for news.
        let later = due.into_iter().filter(|at| *at > now).min();
        later.unwrap_or(self.setup.deadline).min(now + SELDOM)
    }
}

/// Whether a leg's close waits for the cancel of its symbol's plain orders: for the first try, and no longer.
fn must_wait(book: Option<&Book>) -> bool {
    book.is_some_and(|book| !book.orders.is_empty() && book.tried == 0)
}
