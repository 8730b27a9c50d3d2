//! What came of the jobs: readings, answers and refusals.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hedge_core::{BrokerError, OrderRef, RejectReason, Symbol};
use tokio::time::Instant;

use super::{
    AT_ONCE, BETWEEN_LISTS, BETWEEN_READINGS, BETWEEN_SWEEPS, Chore, Course, FIRST_LISTS, FIRST_READINGS,
    KEY_PATIENCE, LISTS_SELDOM, News, Phase, SELDOM, SOON, WATCHING,
};
use crate::panic::{
    leg::{After, Leg},
    reader::{kind, pause},
    rules::Rules,
    venue::{Held, LegId, Resting, Waiting},
    verdict::End,
};

impl Course {
    /// Takes news in.
    pub(in crate::panic) fn apply(&mut self, news: News, now: Instant) {
        match news {
            News::Rules(Ok(specs)) => self.rules = Some(Rules::new(specs)),
            News::Rules(Err(error)) => {
                if self.rules_chore.failures == 0 {
                    self.say(format!("the symbols' rules could not be read ({error}); going on without"));
                }
                self.rules_chore.failed(&error, now);
            }
            News::Held(asked_at, Ok(rows)) => self.took_positions(asked_at, rows, now),
            News::Held(_, Err(error)) => {
                if error.reason() == Some(RejectReason::Auth) && self.held.asked_at.is_none() {
                    let since = *self.key_refused_since.get_or_insert(now);
                    if now.duration_since(since) >= KEY_PATIENCE {
                        return self
                            .finish(End::KeysRefused, format!("the venue refuses the API key: {error}"));
                    }
                }
                let line = self.held.failed(&error, now);
                self.lines.extend(line);
            }
            News::Resting(asked_at, Ok(rows)) => self.took_orders(asked_at, rows, now),
            News::Resting(_, Err(error)) => {
                let line = self.resting.failed(&error, now);
                self.lines.extend(line);
            }
            News::Waiting(asked_at, Ok(rows)) => self.took_conditional(asked_at, rows, now),
            News::Waiting(_, Err(error)) => {
                let line = self.waiting.failed(&error, now);
                self.lines.extend(line);
            }
            News::PlainCancelled(symbol, result) => self.cancelled(symbol, result, now),
            News::OpeningCancelled(order, result) => self.opening_cancelled(order, result, now),
            News::LiveCancelled(leg) => {
                if let Some(pending) = self.legs.get_mut(&leg).and_then(|leg| leg.pending.as_mut()) {
                    pending.ask_at = now;
                }
            }
            News::Swept(symbol, result) => self.swept(symbol, result, now),
            News::Closed(leg, sending, result) => {
                let patience = self.setup.patience;
                let Some(leg) = self.legs.get_mut(&leg) else { return };
                let after = leg.answered(sending, result, now, patience);
                if leg.is_stuck() && leg.pending.is_none() {
                    // The others are settled without it; it is tried again and again.
                    self.lines.extend(after.line);
                } else {
                    self.after(after, now);
                }
            }
            News::Asked { leg, id, clock, found } => {
                let patience = self.setup.patience;
                let Some(leg) = self.legs.get_mut(&leg) else { return };
                let after = leg.asked(id, clock, found, now, patience);
                match &leg.pending {
                    None => self.after(after, now),
                    // Proof of absence needs a reading of the position from after the last possible moment.
                    Some(pending) if pending.seems_absent() => self.held.want(now + SOON),
                    Some(_) => {}
                }
            }
        }
    }

    pub(super) fn after(&mut self, after: After, now: Instant) {
        self.lines.extend(after.line);
        self.last_action = now;
        if after.suspect_orders {
            self.suspicion = Some(now);
            self.resting.want(now);
        }
        self.look_soon(now);
    }

    /// Positions are read again at once, or shortly when more news is about to come.
    pub(super) fn look_soon(&mut self, now: Instant) {
        self.quiet = SOON;
        let is_busy = self.legs.values().any(|leg| leg.on_its_way.is_some());
        let wait = if is_busy { SOON } else { Duration::ZERO };
        let wait = if self.readings < FIRST_READINGS { wait } else { BETWEEN_READINGS };
        let spaced = self.held.last_asked.map_or(now, |at| at + wait);
        self.held.want(spaced.max(now));
        if let Phase::Settle(_) = self.phase {
            self.phase = Phase::Work;
        }
    }

    pub(super) fn took_positions(&mut self, asked_at: Instant, rows: Vec<Held>, now: Instant) {
        self.key_refused_since = None;
        let patience = self.setup.patience;
        let mut next = now + SELDOM;
        let mut found: BTreeMap<LegId, Held> = rows
            .into_iter()
            .filter(|held| self.is_meant(&held.leg.symbol))
            .map(|held| (held.leg, held))
            .collect();
        for id in found.keys() {
            self.legs.entry(*id).or_insert_with(|| Leg::new(*id, asked_at));
        }
        let mut lines = Vec::new();
        for (id, leg) in &mut self.legs {
            let row = found.remove(id);
            let (before, first) = (leg.held.map(|held| held.qty), leg.first_qty);
            if !leg.read(row, asked_at, now, patience) {
                next = next.min(now + SOON);
                continue;
            }
            match (before, leg.held) {
                (None, Some(held)) if first.is_none() => {
                    lines.push(format!("{id}: {} is open", held.qty.get().normalize()));
                }
                (None, Some(held)) => {
                    lines.push(format!("{id}: {} is open again", held.qty.get().normalize()))
                }
                (Some(_), None) => lines.push(format!("{id}: flat")),
                _ => {}
            }
            lines.extend(leg.prove_absence(Some(asked_at), now));
        }
        if self.phase == Phase::Work {
            next = next.min(now + self.quiet);
            self.quiet = (self.quiet * 2).min(SELDOM);
        } else {
            next = next.min(now + WATCHING);
        }
        for line in lines {
            self.say(line);
        }
        // It was asked for before the last news, so somebody waits for the next one.
        if asked_at < self.last_action {
            let wait = if self.readings < FIRST_READINGS { AT_ONCE } else { BETWEEN_READINGS };
            next = next.min(asked_at + wait).max(now);
        }
        let line = self.held.answered(asked_at, now, next);
        self.lines.extend(line);
        self.mention_odd_symbols();
    }

    pub(super) fn mention_odd_symbols(&mut self) {
        let Some(rules) = &self.rules else { return };
        let mut lines = Vec::new();
        for leg in self.legs.values().filter(|leg| leg.held.is_some()) {
            let symbol = leg.id.symbol;
            if let Some(word) = rules.oddity(&symbol).filter(|_| self.told_odd.insert(symbol)) {
                lines.push(format!("{symbol} does not trade normally ({word}): trying all the same"));
            }
        }
        self.lines.extend(lines);
    }

    pub(super) fn took_orders(&mut self, asked_at: Instant, rows: Vec<Resting>, now: Instant) {
        let mut by_symbol: BTreeMap<Symbol, Vec<Resting>> = BTreeMap::new();
        for row in rows.into_iter().filter(|row| self.is_meant(&row.leg.symbol)) {
            by_symbol.entry(row.leg.symbol).or_default().push(row);
        }
        for symbol in by_symbol.keys() {
            self.books.entry(*symbol).or_default();
        }
        let mut lines = Vec::new();
        let mut is_news = false;
        for (symbol, book) in &mut self.books {
            // A list from before the cancel came back shows what is gone.
            if book.cancelling || book.finished_at.is_some_and(|at| asked_at < at) {
                continue;
            }
            let orders = by_symbol.remove(symbol).unwrap_or_default();
            if !orders.is_empty() && book.orders.is_empty() {
                lines.push(format!("{symbol}: cancelling {} plain orders", orders.len()));
                book.tried = 0;
            }
            is_news |= book.orders != orders;
            book.orders = orders;
        }
        self.lists += 1;
        self.list_gap = if is_news { BETWEEN_LISTS } else { (self.list_gap * 2).min(LISTS_SELDOM) };
        let gap = if self.lists <= 2 { FIRST_LISTS } else { self.list_gap };
        let line = self.resting.answered(asked_at, now, now + gap);
        self.lines.extend(line);
        self.lines.extend(lines);
    }

    pub(super) fn took_conditional(&mut self, asked_at: Instant, rows: Vec<Waiting>, now: Instant) {
        self.conditional = rows.into_iter().filter(|row| self.is_meant(&row.symbol)).collect();
        if self.phase == Phase::Work {
            for waiting in self.conditional.iter().filter(|waiting| waiting.opens) {
                self.lines.push(format!(
                    "{}: cancelling conditional order {}, which would open a leg",
                    waiting.symbol, waiting.client_id
                ));
                self.openings.entry(waiting.order).or_insert_with(|| (waiting.symbol, Chore::default()));
            }
        }
        // Legs on symbols that take no orders keep their stops.
        let kept: BTreeSet<Symbol> = self.stuck().map(|leg| leg.id.symbol).collect();
        if matches!(self.phase, Phase::Sweep(_)) {
            self.conditional.retain(|waiting| !kept.contains(&waiting.symbol));
        }
        let line = self.waiting.answered(asked_at, now, now + BETWEEN_LISTS);
        self.lines.extend(line);
    }

    pub(super) fn cancelled(&mut self, symbol: Symbol, result: Result<(), BrokerError>, now: Instant) {
        let book = self.books.entry(symbol).or_default();
        book.cancelling = false;
        book.finished_at = Some(now);
        book.tried += 1;
        match result {
            Ok(()) => {
                book.orders.clear();
                book.not_before = None;
                book.trouble = None;
                self.canceled.insert(symbol);
            }
            Err(error) => {
                let wait = error.retry_after().unwrap_or_default().max(pause(book.tried));
                book.not_before = Some(now + wait);
                let text = kind(&error);
                if book.trouble.as_ref() != Some(&text) {
                    let line =
                        format!("{symbol}: its plain orders could not be cancelled ({error}); trying again");
                    self.lines.push(line);
                    book.trouble = Some(text);
                }
                // Also a cancel whose answer was lost may have worked: the list tells.
                self.suspicion = Some(now);
            }
        }
        self.last_action = now;
        self.look_soon(now);
    }

    pub(super) fn opening_cancelled(
        &mut self,
        order: OrderRef,
        result: Result<(), BrokerError>,
        now: Instant,
    ) {
        self.last_action = now;
        match result {
            Ok(()) => {
                self.openings.remove(&order);
            }
            // It is gone, or has become a plain order that the next list shows.
            Err(error) if error.reason() == Some(RejectReason::NotFound) => {
                self.openings.remove(&order);
                self.suspicion = Some(now);
            }
            Err(error) => {
                if let Some((_, chore)) = self.openings.get_mut(&order) {
                    chore.failed(&error, now);
                }
            }
        }
        self.look_soon(now);
    }

    pub(super) fn swept(&mut self, symbol: Symbol, result: Result<(), BrokerError>, now: Instant) {
        let chore = self.sweeps.entry(symbol).or_default();
        match result {
            Ok(()) => {
                chore.busy = false;
                chore.failures = 0;
                chore.not_before = Some(now + BETWEEN_SWEEPS);
                if self.swept.insert(symbol) {
                    self.say(format!("{symbol}: flat, its conditional orders are cancelled"));
                }
            }
            Err(error) => {
                if chore.failures == 0 {
                    let line = format!(
                        "{symbol}: conditional orders could not be cancelled ({error}); trying again"
                    );
                    self.lines.push(line);
                }
                chore.failed(&error, now);
            }
        }
        self.waiting.want(now);
    }
}
