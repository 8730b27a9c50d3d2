//! What mutants do to the facts, records and commands of a healthy engine.

use hedge_core::{
    AccountEvent, Book, ClientOrderId, Coverage, Decision, Envelope, Event, Exit, Fact, Fill, Leg,
    OperatorCommand, Order, OrderRef, OrderReport, Outcome, PositionKey, Qty, ReportedId, ReportedKind,
    ReportedState, Timestamp, TradeId,
};
use hedge_sim::venue::Command;

use super::World;
use crate::swarm::{auditor::LegName, mutant::Mutant};

impl World {
    /// A fact as the mutant hears it; `None` when it hears nothing.
    pub(super) fn distort(&mut self, fact: Fact) -> Option<Fact> {
        let Some(mutant) = self.mutant else { return Some(fact) };
        match mutant {
            Mutant::ForgetFill => self.forget_fills(fact),
            Mutant::CountFillTwice => Some(self.double_fills(fact)),
            Mutant::IgnoreHalt => Some(match fact {
                Fact::Operator { command: OperatorCommand::Halt | OperatorCommand::ExitOnly, because } => {
                    Fact::Operator { command: OperatorCommand::Resume, because }
                }
                other => other,
            }),
            Mutant::NotFoundIsCancelled => Some(self.take_absence_for_an_end(fact)),
            Mutant::UnknownIsNotSent => Some(match fact {
                Fact::SubmitFailed { order, outcome: Outcome::Unknown, reason, code, message, .. } => {
                    let (outcome, acceptable_until) = (Outcome::NotSent, None);
                    Fact::SubmitFailed {
                        order,
                        outcome,
                        reason,
                        code,
                        message,
                        acceptable_until,
                        retry_at: None,
                    }
                }
                other => other,
            }),
            Mutant::TrustOldReport => Some(self.repeat_old_reports(fact)),
            Mutant::AdoptForeignAsOwn => Some(self.adopt(fact)),
            Mutant::IgnoreDisconnect => {
                let lost = |event: &AccountEvent| matches!(event, AccountEvent::Disconnected { .. });
                match &fact {
                    Fact::Account { event } if lost(event) => None,
                    _ => Some(fact),
                }
            }
            Mutant::ForgetFlows => match fact {
                Fact::Account { event } if matches!(*event, AccountEvent::CashFlow { .. }) => None,
                Fact::Snapshot { mut snapshot } => {
                    snapshot.flows.clear();
                    Some(Fact::Snapshot { snapshot })
                }
                other => Some(other),
            },
            _ => Some(fact),
        }
    }

    fn forget_fills(&self, fact: Fact) -> Option<Fact> {
        let heard = |fill: &Fill| fill.trade_id.0 % 4 != 0;
        match fact {
            Fact::Account { event } => match &*event {
                AccountEvent::Fill { fill } if !heard(fill) => None,
                _ => Some(Fact::Account { event }),
            },
            Fact::Snapshot { mut snapshot } => {
                snapshot.fills.retain(heard);
                Some(Fact::Snapshot { snapshot })
            }
            Fact::QueryAnswered { order, mut answer } => {
                answer.fills.retain(heard);
                Some(Fact::QueryAnswered { order, answer })
            }
            other => Some(other),
        }
    }

    fn double_fills(&mut self, fact: Fact) -> Fact {
        match fact {
            Fact::Account { mut event } => {
                if let AccountEvent::Fill { fill } = &mut *event {
                    self.count_again(fill);
                }
                Fact::Account { event }
            }
            Fact::Snapshot { mut snapshot } => {
                snapshot.fills.iter_mut().for_each(|fill| self.count_again(fill));
                Fact::Snapshot { snapshot }
            }
            other => other,
        }
    }

    fn count_again(&mut self, fill: &mut Fill) {
        let known = (fill.instrument.symbol.as_str().to_owned(), fill.trade_id.0);
        if !self.twist.seen_trades.insert(known) {
            self.twist.count += 1;
            fill.trade_id = TradeId(4_000_000_000 + self.twist.count as i64);
        }
    }

    fn take_absence_for_an_end(&self, fact: Fact) -> Fact {
        let Fact::QueryAnswered { order, mut answer } = fact else { return fact };
        if answer.report.is_none()
            && let Some(process) = &self.process
        {
            answer.report =
                made_up(process.engine.book(), &order, ReportedState::Canceled, answer.venue_time);
        }
        Fact::QueryAnswered { order, answer }
    }

    fn repeat_old_reports(&mut self, fact: Fact) -> Fact {
        match fact {
            Fact::QueryAnswered { order, mut answer } => {
                answer.report = answer.report.map(|report| self.first_told(report));
                Fact::QueryAnswered { order, answer }
            }
            Fact::Account { mut event } => {
                if let AccountEvent::Order { report } = &mut *event {
                    *report = self.first_told(report.clone());
                }
                Fact::Account { event }
            }
            other => other,
        }
    }

    fn first_told(&mut self, report: OrderReport) -> OrderReport {
        let key = format!("{:?}{}", report.order.space(), report.client_id.as_str());
        self.twist.first_reports.entry(key).or_insert(report).clone()
    }

    fn adopt(&self, fact: Fact) -> Fact {
        let Fact::Account { mut event } = fact else { return fact };
        if let AccountEvent::Fill { fill } = &mut *event
            && matches!(fill.client_id, Some(ReportedId::Foreign(_)))
            && let Some(side) = fill.side.leg()
            && let Some(process) = &self.process
        {
            let key = PositionKey::new(fill.instrument, side);
            let same = |order: &&hedge_core::OrderRecord| {
                order.position == key && side.order_side(order.leg.action()) == fill.order_side
            };
            if let Some(order) = process.engine.book().orders().filter(same).last() {
                fill.client_id = Some(ReportedId::Ours(order.client_id));
            }
        }
        Fact::Account { event }
    }

    /// Records as the mutant writes them.
    pub(super) fn twist_records(&mut self, records: &mut [Envelope]) {
        if self.mutant != Some(Mutant::StaleCloseSize) {
            return;
        }
        let Some(process) = &self.process else { return };
        for leg in process.engine.book().legs() {
            let largest = self.twist.largest.entry(LegName::from(&leg.key)).or_default();
            *largest = leg.qty.max(*largest);
        }
        for record in records {
            if let Event::Decision(Decision::OrderApproved {
                position,
                leg: Leg::Close(Exit::Market, _),
                qty,
                ..
            }) = &mut record.event
                && let Some(largest) = self.twist.largest.get(&LegName::from(&*position))
                && let Ok(stale) = Qty::new(*largest)
            {
                *qty = stale;
            }
        }
    }

    /// A command as the mutant sends it.
    pub(super) fn twist_command(&mut self, command: &mut Command, order: &Order) {
        match self.mutant {
            Some(Mutant::StaleCloseSize) => {
                if let (Command::Place(new), Leg::Close(Exit::Market, _)) = (&mut *command, order.leg())
                    && let Some(largest) = self.twist.largest.get(&LegName::from(order.position()))
                {
                    new.qty = Some(*largest);
                }
            }
            Some(Mutant::CancelOldStopFirst) => self.cancel_old_stop(order),
            _ => {}
        }
    }

    /// Sends a cancel of the leg's present stop that nobody has decided.
    fn cancel_old_stop(&mut self, order: &Order) {
        let is_stop = matches!(order.leg(), Leg::Close(Exit::StopMarket { .. }, Coverage::WholeLeg));
        let Some(process) = self.process.as_ref().filter(|_| is_stop) else { return };
        let book = process.engine.book();
        let old = book
            .stops_of(order.position())
            .find(|stop| stop.client_id != *order.client_id() && stop.state.is_confirmed_live())
            .map(|stop| stop.target());
        if let Some(target) = old {
            let command = crate::swarm::words::cancel(&order.position().instrument, &target);
            self.send(0, super::network::Request::Command(command));
        }
    }

    /// Every other order bears the id of the one before.
    pub(super) fn reuse_id(&mut self, command: &mut Command) {
        let id = match command {
            Command::Place(order) => &mut order.client_order_id,
            Command::PlaceAlgo(algo) => &mut algo.client_algo_id,
            _ => return,
        };
        self.twist.count += 1;
        if self.twist.count.is_multiple_of(2)
            && let Some(last) = &self.twist.last_id
        {
            *id = Some(last.clone());
        }
        self.twist.last_id.clone_from(id);
    }
}

/// The same command under an id that looks like ours.
pub(super) fn rename(command: &mut Command) {
    let id = match command {
        Command::Place(order) => &mut order.client_order_id,
        Command::PlaceAlgo(algo) => &mut algo.client_algo_id,
        _ => return,
    };
    if let Some(text) = id
        && let Some(last) = text.pop()
    {
        text.push('z');
        text.push(last);
    }
}

/// A report that no venue has given.
pub(super) fn made_up(
    book: &Book,
    id: &ClientOrderId,
    state: ReportedState,
    at: Timestamp,
) -> Option<OrderReport> {
    let order = book.order(id)?;
    let covers = match &order.leg {
        Leg::Close(_, covers) => *covers,
        Leg::Open(_) => Coverage::Qty,
    };
    Some(OrderReport {
        instrument: order.position.instrument,
        client_id: ReportedId::Ours(*id),
        order: OrderRef::Client { id: *id, space: order.space() },
        side: order.position.side.into(),
        order_side: order.position.side.order_side(order.leg.action()),
        kind: ReportedKind::Limit,
        price: None,
        trigger: None,
        qty: Some(order.qty),
        filled: order.filled,
        average: None,
        covers,
        state,
        reason: None,
        venue_time: at,
    })
}
