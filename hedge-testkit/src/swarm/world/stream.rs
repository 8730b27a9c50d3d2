//! What the exchange tells without being asked: the account stream and the market.

use hedge_core::{
    AccountEvent, CashFlowKind, Decimal, Fact, InstrumentIx, MarketEvent, Price, Qty, Timestamp,
};
use hedge_sim::venue::{BookChange, Command, EventBody, Reply, SymbolId, UpdateReason};

use super::{Message, World};
use crate::swarm::{
    plan::{Fault, times},
    process::Boot,
    words::{self, ACCOUNT},
};

/// A back-fill reaches so far behind the last event. Units: milliseconds.
const BACK_FILL_MS: i64 = 60_000;
/// A move is cut into at most so many pieces.
const PIECES: u32 = 200;

impl World {
    /// Reads what has happened at the exchange: first the auditor, then the account stream.
    pub(super) fn publish(&mut self, by_us: Option<&Command>) {
        let events = self.exchange.take_events();
        if events.is_empty() {
            self.exchange.give_back(events);
            return;
        }
        let own: Vec<_> = events.iter().filter(|event| event.account == Some(ACCOUNT)).cloned().collect();
        self.exchange.give_back(events);
        self.auditor.happened(&own, by_us);
        let mut told = Vec::new();
        for event in &own {
            if let EventBody::Order(update) = &event.body {
                let order = &update.order;
                let text =
                    format!("{} {} {} {}", order.order_id, order.status, order.executed_qty, order.avg_price);
                self.note(&text);
                self.say(|| {
                    format!(
                        "   venue: {} {} {} of {}",
                        order.client_order_id, order.status, order.executed_qty, order.orig_qty
                    )
                });
                let opened = super::super::exchange::is_opening(order.side, Some(order.position_side));
                if opened && update.fill.is_some() && !hedge_core::OrderIds::is_ours(&order.client_order_id) {
                    self.auditor.person_opened = true;
                }
            }
            if let EventBody::Algo(view) = &event.body {
                self.say(|| {
                    format!(
                        "   venue: {} {} {} {}",
                        view.client_algo_id, view.order_type, view.status, view.reject_reason
                    )
                });
            }
            words::told(event, &mut told);
            if matches!(&event.body, EventBody::Account(update) if update.reason != UpdateReason::Order) {
                self.exchange.new_flows(&mut told);
            }
        }
        for event in told {
            self.send_event(event);
        }
    }

    /// Puts an event on its way, in its order unless a fault is at work.
    fn send_event(&mut self, event: AccountEvent) {
        let connection = self.process.as_ref().and_then(|process| process.connection);
        let Some(connection) = connection else { return };
        if self.trouble.silent {
            self.fire("silence");
            return;
        }
        let latency_us = self.latency_us();
        let mut at_us = (self.now_us + latency_us).max(self.last_told_us);
        self.last_told_us = at_us;
        let is_fill = matches!(event, AccountEvent::Fill { .. });
        let is_news = is_fill || matches!(event, AccountEvent::Order { .. } | AccountEvent::CashFlow { .. });
        let fits = |fault: &Fault| {
            is_fill && matches!(fault, Fault::FillAfterCancel)
                || is_news && !matches!(fault, Fault::FillAfterCancel)
        };
        if let Some(place) = self.trouble.events.iter().position(fits) {
            let fault = self.trouble.events.remove(place);
            self.fire(fault.kind());
            match fault {
                Fault::Missing => return,
                Fault::Duplicate => {
                    let again_us = at_us + self.net_dice.range(0, 3_000_000);
                    let event = Box::new(event.clone());
                    self.at_us(again_us, Message::Told { connection, event });
                }
                Fault::Reordered => at_us += self.net_dice.range(20_000, 400_000),
                Fault::Late { ms } => at_us += ms * 1_000,
                // Told only after everything else about its order.
                _ => at_us += self.net_dice.range(1_500_000, 4_000_000),
            }
        }
        self.at_us(at_us, Message::Told { connection, event: Box::new(event) });
    }

    /// An event has arrived.
    pub(super) fn hear(&mut self, connection: u32, event: AccountEvent) {
        let Some(process) = self.process.as_mut() else { return };
        if process.connection != Some(connection) {
            return;
        }
        process.traffic += 1;
        process.queues.account.push_back(Fact::Account { event: Box::new(event) });
        self.pump();
    }

    /// A connection of the account stream: what happens from here on is told.
    pub(super) fn connect(&mut self) {
        self.connections += 1;
        let connection = self.connections;
        self.trouble.silent = false;
        self.last_told_us = self.now_us;
        if let Some(process) = self.process.as_mut() {
            process.connection = Some(connection);
        }
    }

    /// The account stream breaks; the process notices, and has another one some time later.
    pub(super) fn cut(&mut self, notices_after_ms: i64, back_after_ms: i64) {
        if let Some(connection) = self.process.as_ref().and_then(|process| process.connection) {
            self.after_us(notices_after_ms * 1_000, Message::StreamLost { connection, back_after_ms });
        }
    }

    pub(super) fn stream_lost(&mut self, connection: u32, back_after_ms: i64) {
        let Some(process) = self.process.as_mut() else { return };
        if process.connection != Some(connection) {
            return;
        }
        process.connection = None;
        let id = process.id;
        let event = Box::new(AccountEvent::Disconnected { reason: "the connection broke".to_owned() });
        process.traffic += 1;
        process.queues.account.push_back(Fact::Account { event });
        self.trouble.silent = false;
        self.after_us(back_after_ms * 1_000, Message::StreamBack { process: id });
        self.pump();
    }

    /// A new connection, and everything missed before it.
    pub(super) fn stream_back(&mut self) {
        let Some(process) = self.process.as_ref() else { return };
        let (id, is_live) = (process.id, process.boot == Boot::Live);
        if process.connection.is_some() {
            return;
        }
        let blocked_us = self
            .trouble
            .maintenance_until_us
            .max(self.trouble.down_until_us)
            .max(self.client.banned_until_us);
        if self.now_us < blocked_us || !is_live && process.boot == Boot::Lead {
            self.after_us(700_000, Message::StreamBack { process: id });
            return;
        }
        self.connect();
        let since = Timestamp::from_ms(self.venue_ms() - BACK_FILL_MS);
        let mut missed = Vec::new();
        for instrument in self.exchange.ids.clone() {
            let fills = self.exchange.fills(instrument.symbol.as_str(), since);
            missed.extend(fills.into_iter().map(|fill| AccountEvent::Fill { fill }));
        }
        let flows = self.exchange.flows(since).into_iter().filter(|flow| flow.kind != CashFlowKind::Fee);
        missed.extend(flows.map(|flow| AccountEvent::CashFlow { flow }));
        missed.push(AccountEvent::Reconnected);
        if let Some(process) = self.process.as_mut() {
            process.traffic += missed.len() as u64;
            process
                .queues
                .account
                .extend(missed.into_iter().map(|event| Fact::Account { event: Box::new(event) }));
        }
        self.pump();
    }

    /// Keeps the auditor's own knowledge of the stream.
    pub(super) fn watch_stream(&mut self, fact: &Fact) {
        if let Fact::Account { event } = fact {
            match **event {
                AccountEvent::Disconnected { .. } => self.auditor.disconnected = true,
                AccountEvent::Reconnected => self.auditor.disconnected = false,
                _ => {}
            }
        }
    }

    /// One step of a price, and what the market stream says about it.
    pub(super) fn move_price(&mut self, symbol: usize) {
        let last = self.exchange.last_ticks(symbol);
        let reach = match self.price_dice.below(10) {
            0 => 30,
            1..=3 => 12,
            _ => 4,
        };
        let bps = self.price_dice.range(-reach, reach);
        let to = (last + last * bps / 10_000).max(1);
        self.refresh_book(symbol);
        self.move_to(symbol, to);
        self.tell_market(symbol);
        let pause_us = if self.calm { 2_000_000 } else { 1_000_000 };
        if self.now_us / 1_000 < times::END_MS - 3_000 {
            self.after_us(pause_us, Message::Price(symbol));
        }
    }

    /// A book that was told once is told again at every step.
    pub(super) fn refresh_book(&mut self, symbol: usize) {
        let thin = self.now_us < self.trouble.thin_until_us;
        if !thin && !self.given_book.get(symbol).copied().unwrap_or(false) {
            return;
        }
        let book = if thin { self.exchange.thin_book(symbol, 40) } else { self.thick_book(symbol) };
        self.give_book(symbol, book);
    }

    pub(super) fn give_book(&mut self, symbol: usize, book: Option<BookChange>) {
        if let (Some(book), Some(given)) = (book, self.given_book.get_mut(symbol)) {
            *given = true;
            let now_ms = self.venue_ms();
            let _ = self.exchange.apply(now_ms, &Command::Book(book));
            self.publish(None);
        }
    }

    fn thick_book(&self, symbol: usize) -> Option<BookChange> {
        let rules = self.exchange.rules(symbol)?;
        let last = self.exchange.last_ticks(symbol);
        let steps = rules.steps_exact(
            (Decimal::from(20_000) / self.exchange.mark(symbol) / rules.lot.step).floor() * rules.lot.step,
        )?;
        let apart = (last / 2_000).max(1);
        let bids = (0..80).map(|level| (last - level * apart, steps)).collect();
        let asks = (0..80).map(|level| (last + level * apart, steps)).collect();
        Some(BookChange { symbol: SymbolId(symbol as u16), whole: true, bids, asks })
    }

    /// Moves a price to its target, whatever happens to the account on the way.
    pub(super) fn move_to(&mut self, symbol: usize, to: i64) {
        let command = Command::Move { symbol: SymbolId(symbol as u16), to, mark: None };
        let now_ms = self.venue_ms();
        for _ in 0..PIECES {
            let moved = self.exchange.apply(now_ms, &command);
            self.publish(None);
            match moved {
                Ok(Reply::Moved(moved)) if !moved.reached => {}
                _ => break,
            }
        }
    }

    /// Mark and quote as the market stream tells them.
    pub(super) fn tell_market(&mut self, symbol: usize) {
        if self.now_us < self.trouble.maintenance_until_us.max(self.trouble.down_until_us) {
            return;
        }
        let Some(process) = self.process.as_ref().map(|process| process.id) else { return };
        let instrument = InstrumentIx(symbol as u16);
        let venue_time = Timestamp::from_ms(self.venue_ms());
        let prices = self.exchange.venue().prices(SymbolId(symbol as u16));
        let best = self.exchange.venue().best(SymbolId(symbol as u16));
        let latency_us = self.latency_us();
        if let Some(mark) = prices.and_then(|prices| Price::new(prices.mark).ok()) {
            let event = MarketEvent::Mark { instrument, mark, venue_time };
            self.after_us(latency_us, Message::Market { process, event });
            // The book is told also while one of its sides is empty.
            let or_mark =
                |price: Option<Decimal>| price.and_then(|price| Price::new(price).ok()).unwrap_or(mark);
            let one = Qty::new(Decimal::ONE);
            if let Ok(one) = one {
                let event = MarketEvent::Book {
                    instrument,
                    bid: or_mark(best.map(|best| best.bid)),
                    bid_qty: one,
                    ask: or_mark(best.map(|best| best.ask)),
                    ask_qty: one,
                    venue_time,
                };
                self.after_us(latency_us, Message::Market { process, event });
            }
        }
    }

    pub(super) fn hear_market(&mut self, event: MarketEvent) {
        let Some(process) = self.process.as_mut() else { return };
        // Connected last of all: what comes during a start is not heard.
        if process.boot == Boot::Live {
            process.queues.market.push_back(Fact::Market { event });
            self.pump();
        }
    }
}
