//! The items of the plan as they come due, and the end of all faults.

use hedge_core::{Decimal, Fact, OperatorCommand};
use hedge_sim::venue::{
    self, Command, ForceClose, ForcedBy, NewOrder, OrderType, Restriction, Side, SymbolId,
};

use super::{Message, World};
use crate::swarm::{
    exchange::SYMBOLS,
    plan::{CrashPoint, Fault, LegIx, Order, What, times},
    words::ACCOUNT,
};

/// How far a machine's clock steps ahead before somebody sets it right.
const AHEAD_US: i64 = 600_000_000;

impl World {
    pub(super) fn item(&mut self, place: usize) {
        let Some(item) = self.plan.items.get(place).copied() else { return };
        match item.what {
            What::Wish(..) => {}
            What::Command(order) => self.command(order),
            What::Fault(fault) => self.fault(fault),
        }
    }

    fn command(&mut self, order: Order) {
        let command = match order {
            Order::Halt => OperatorCommand::Halt,
            Order::ExitOnly => OperatorCommand::ExitOnly,
            Order::Resume => OperatorCommand::Resume,
            Order::Flatten => OperatorCommand::Flatten,
        };
        self.say(|| format!("PERSON {order:?}"));
        if let Some(process) = self.process.as_mut() {
            process.queues.operator.push_back(Fact::Operator { command, because: "a person".to_owned() });
            self.pump();
        }
    }

    fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::LostRequest
            | Fault::LostAck
            | Fault::AckAfterFill
            | Fault::SlowRequest { .. }
            | Fault::UnknownExecuted503
            | Fault::UnknownUnexecuted503
            | Fault::Unavailable503
            | Fault::Internal503
            | Fault::Throttled503
            | Fault::TooMany429
            | Fault::Banned418 { .. }
            | Fault::Clock1021
            | Fault::Timeout1007 { .. }
            | Fault::Unexpected1006 { .. }
            | Fault::Unparsable { .. }
            | Fault::StopRefused { .. } => self.trouble.requests.push(fault),
            Fault::Duplicate
            | Fault::Reordered
            | Fault::Late { .. }
            | Fault::Missing
            | Fault::FillAfterCancel => {
                self.trouble.events.push(fault);
            }
            Fault::ThinBook { ms } => {
                self.fire(fault.kind());
                self.trouble.thin_until_us = self.now_us + ms * 1_000;
                for symbol in 0..usize::from(self.plan.setup.symbols) {
                    self.refresh_book(symbol);
                }
            }
            Fault::Cut { ms } => {
                self.fire(fault.kind());
                let notices_ms = self.net_dice.range(5, 300);
                self.cut_now();
                self.cut(notices_ms, ms);
            }
            Fault::Silence { ms } => {
                self.trouble.silent = true;
                self.cut(ms, 300);
            }
            Fault::ListenKeyExpired => {
                self.fire(fault.kind());
                // The socket stays open and says nothing more. Source: fact sheet 14.6, item 7.
                self.trouble.silent = true;
                self.cut(50, 400);
            }
            Fault::NetworkDown { ms } => {
                self.trouble.down_until_us = self.now_us + ms * 1_000;
                self.cut_now();
                self.cut(ms / 2, ms / 2 + 200);
            }
            Fault::StaleReads { ms } => self.trouble.stale_until_us = self.now_us + ms * 1_000,
            Fault::ModeFlipped { ms } => {
                let until_us = self.now_us + ms * 1_000;
                self.at_us(self.now_us, Message::FlipMode { to_hedge: false, until_us });
            }
            Fault::PersonCloses { leg } => self.person_closes(leg),
            Fault::PersonOrders { leg } => self.person_orders(leg),
            Fault::FilterChange { symbol, kind } => {
                self.fire(fault.kind());
                self.exchange.change_rules(usize::from(symbol), kind);
                let late_us = self.net_dice.range(100_000, 3_000_000);
                self.after_us(late_us, Message::RulesAnnounced);
            }
            Fault::Maintenance { ms } => {
                self.trouble.maintenance_until_us = self.now_us + ms * 1_000;
                self.cut_now();
                self.cut(100, ms);
            }
            Fault::Liquidation { leg } => self.force(fault.kind(), leg, ForcedBy::Liquidation),
            Fault::Adl { leg, percent } => {
                let qty = self.part_of(leg, percent);
                self.force(fault.kind(), leg, ForcedBy::Adl { qty });
            }
            Fault::Funding { symbol, bps } => {
                let command = Command::Funding {
                    symbol: SymbolId(u16::from(symbol)),
                    rate: Decimal::new(bps, 4),
                    mark: None,
                };
                self.at_the_venue(fault.kind(), &command);
            }
            Fault::Transfer { usdt } => {
                let command = Command::Transfer {
                    account: ACCOUNT,
                    asset: "USDT".to_owned(),
                    amount: Decimal::from(usdt),
                };
                self.at_the_venue(fault.kind(), &command);
            }
            Fault::Countdown { symbol } => {
                let symbol = name(symbol);
                self.at_the_venue(fault.kind(), &Command::CountdownElapsed { account: ACCOUNT, symbol });
            }
            Fault::Gap { symbol, bps } => {
                let (ix, symbol) = (usize::from(symbol), SymbolId(u16::from(symbol)));
                let last = self.exchange.last_ticks(ix);
                let to = last + last * bps / 10_000;
                self.at_the_venue(fault.kind(), &Command::Jump { symbol, to, mark: None });
                self.tell_market(ix);
            }
            Fault::StopRejected { leg } => self.spoil_stop(fault.kind(), leg, true),
            Fault::StopRemainder { leg } => self.spoil_stop(fault.kind(), leg, false),
            Fault::ClockStep { ms } => {
                self.fire(fault.kind());
                self.machine.offset_us += ms * 1_000;
                if ms < 0 {
                    self.auditor.stepped_back_ms = self.now_us / 1_000;
                }
                self.pump();
            }
            Fault::ClockAhead { ms } => {
                self.fire(fault.kind());
                self.machine.offset_us += AHEAD_US;
                self.after_us(ms * 1_000, Message::ClockSetRight);
                self.pump();
            }
            Fault::ClockDrift { ppm } => {
                self.fire(fault.kind());
                self.machine.settle_drift(self.now_us, ppm);
            }
            Fault::AppendFails => self.trouble.append_fails = true,
            Fault::SlowDisk { ms } => {
                self.fire(fault.kind());
                self.trouble.slow_disk_until_us = self.now_us + ms * 1_000;
            }
            Fault::Crash(CrashPoint::Now) => {
                if self.process.is_some() {
                    self.fire(fault.kind());
                    self.die("at once");
                }
            }
            Fault::Crash(point) => self.trouble.crash = Some(point),
        }
    }

    /// The machine's clock is right again; a process counts on from where it was.
    pub(super) fn set_clock_right(&mut self) {
        self.machine.offset_us -= AHEAD_US;
        self.auditor.stepped_back_ms = self.now_us / 1_000;
        self.pump();
    }

    /// What is on its way on the account stream is lost.
    fn cut_now(&mut self) {
        self.agenda.retain(|_, message| !matches!(message, Message::Told { .. }));
        self.trouble.silent = true;
    }

    /// Something that the venue does by itself, or that a person makes it do.
    fn at_the_venue(&mut self, kind: &'static str, command: &Command) {
        let now_ms = self.venue_ms();
        if self.exchange.apply(now_ms, command).is_ok() {
            self.fire(kind);
        }
        self.publish(None);
    }

    fn part_of(&self, leg: LegIx, percent: i64) -> Option<Decimal> {
        let held = self.exchange.leg(usize::from(leg.symbol), leg.short).abs();
        let step = self.exchange.rules(usize::from(leg.symbol))?.lot.step;
        let part = (held * Decimal::new(percent, 2) / step).floor() * step;
        (part > Decimal::ZERO && part < held).then_some(part)
    }

    fn force(&mut self, kind: &'static str, leg: LegIx, by: ForcedBy) {
        let forced = ForceClose { account: ACCOUNT, symbol: name(leg.symbol), position_side: side(leg), by };
        self.at_the_venue(kind, &Command::ForceClose(forced));
    }

    /// Somebody closes a leg in the web interface.
    fn person_closes(&mut self, leg: LegIx) {
        let held = self.exchange.leg(usize::from(leg.symbol), leg.short).abs();
        if held.is_zero() {
            return;
        }
        let closing = if leg.short { Side::Buy } else { Side::Sell };
        let mut order = NewOrder::market(ACCOUNT, &name(leg.symbol), closing, held).on(side(leg));
        order.client_order_id = Some(format!("web_{}", self.now_us));
        self.at_the_venue("person-closes", &Command::Place(order));
    }

    /// Somebody leaves an order in the book, too far away to fill soon.
    fn person_orders(&mut self, leg: LegIx) {
        let ix = usize::from(leg.symbol);
        let Some(rules) = self.exchange.rules(ix) else { return };
        let away = if leg.short { 103 } else { 97 };
        let price = self.exchange.mark(ix) * Decimal::new(away, 2);
        let Some(price) = rules.ticks_nearest(price).map(|ticks| rules.price_of(ticks)) else { return };
        let qty = (Decimal::from(60) / price / rules.lot.step).floor() * rules.lot.step;
        let opening = if leg.short { Side::Sell } else { Side::Buy };
        let mut order = NewOrder::limit(ACCOUNT, &name(leg.symbol), opening, qty, price).on(side(leg));
        order.client_order_id = Some(format!("web_{}", self.now_us));
        self.at_the_venue("person-orders", &Command::Place(order));
    }

    /// A person switches the mode. The venue refuses it while anything is open, so he tries until his time is over; what he
    /// has switched is switched back then.
    pub(super) fn flip_mode(&mut self, to_hedge: bool, until_us: i64) {
        if to_hedge {
            self.back_to_hedge();
            return;
        }
        let now_ms = self.venue_ms();
        let flipped =
            self.exchange.apply(now_ms, &Command::PositionMode { account: ACCOUNT, hedge: false }).is_ok();
        self.publish(None);
        if flipped {
            self.fire("mode-flipped");
            self.at_us(until_us.max(self.now_us + 1_000_000), Message::FlipMode { to_hedge: true, until_us });
        } else if self.now_us + 500_000 < until_us {
            self.after_us(500_000, Message::FlipMode { to_hedge: false, until_us });
        }
    }

    fn back_to_hedge(&mut self) {
        if !self.exchange.is_hedge() {
            let now_ms = self.venue_ms();
            let _ = self.exchange.apply(now_ms, &Command::CancelAll { account: ACCOUNT, symbol: name(0) });
            let _ = self.exchange.apply(now_ms, &Command::PositionMode { account: ACCOUNT, hedge: true });
            self.publish(None);
        }
    }

    /// A stop fires at a moment at which it cannot do its work: the account may not trade, or the book is nearly empty.
    fn spoil_stop(&mut self, kind: &'static str, leg: LegIx, rejects: bool) {
        let ix = usize::from(leg.symbol);
        let algos = self.exchange.venue().open_algos(ACCOUNT, Some(SYMBOLS[ix])).unwrap_or_default();
        let stop = algos
            .iter()
            .find(|algo| algo.order_type == OrderType::StopMarket && algo.position_side == side(leg));
        let Some(trigger) = stop.map(|algo| algo.trigger_price) else { return };
        let now_ms = self.venue_ms();
        let beyond = if leg.short { Decimal::new(10_005, 4) } else { Decimal::new(9_995, 4) };
        let fires = Command::SetMark {
            symbol: SymbolId(u16::from(leg.symbol)),
            mark: (trigger * beyond).round_dp(6),
        };
        if rejects {
            let _ = self
                .exchange
                .apply(now_ms, &Command::Restrict { account: ACCOUNT, restriction: Restriction::NoOrders });
            self.at_the_venue(kind, &fires);
            let _ = self
                .exchange
                .apply(now_ms, &Command::Restrict { account: ACCOUNT, restriction: Restriction::None });
        } else {
            let book = self.exchange.thin_book(ix, 2);
            self.give_book(ix, book);
            self.at_the_venue(kind, &fires);
            self.refresh_book(ix);
        }
        self.tell_market(ix);
    }

    /// All faults end. What has been said and done stays said and done.
    pub(super) fn calm_down(&mut self) {
        self.say(|| "CALM".to_owned());
        self.calm = true;
        let dead = std::mem::take(&mut self.trouble);
        self.trouble.silent = dead.silent;
        self.client = super::Client::default();
        self.machine.settle_drift(self.now_us, 0);
        self.back_to_hedge();
        let foreign = self.exchange.venue().open_orders(ACCOUNT, None).unwrap_or_default();
        let now_ms = self.venue_ms();
        for order in foreign.iter().filter(|order| !hedge_core::OrderIds::is_ours(&order.client_order_id)) {
            let gone = Command::Cancel {
                account: ACCOUNT,
                symbol: order.symbol.clone(),
                order: venue::OrderRef::Id(order.order_id),
            };
            let _ = self.exchange.apply(now_ms, &gone);
            self.publish(None);
        }
        if self.process.is_none() {
            self.after_us(1_000_000, Message::Start);
        }
        self.pump();
    }

    /// A person has looked at everything and lets the account trade again.
    pub(super) fn lift(&mut self) {
        if self.process.as_ref().is_some_and(|process| process.boot == crate::swarm::process::Boot::Live) {
            self.command(Order::Resume);
        } else if self.now_us / 1_000 < times::END_MS - 30_000 {
            self.after_us(1_000_000, Message::Lift);
        }
    }
}

fn name(symbol: u8) -> String {
    SYMBOLS.get(usize::from(symbol)).copied().unwrap_or_default().to_owned()
}

const fn side(leg: LegIx) -> venue::PositionSide {
    if leg.short { venue::PositionSide::Short } else { venue::PositionSide::Long }
}
