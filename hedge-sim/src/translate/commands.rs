//! The engine's orders as commands of the exchange, and its answers in the engine's words.

use hedge_core::{
    ClientOrderId, Coverage, Entry, Exit, Fact, InstrumentId, Leg, Order, OrderRef, Outcome, PositionKey,
    Price, Qty, RejectReason, ReportedState, Tif, TriggerBy,
};
use rust_decimal::Decimal;

use super::reports::{algo_ref, algo_state, number, state_of};
use crate::venue::{self, AccountId, Command, NewAlgo, NewOrder, OrderType, Reply, VenueError};

/// The account that the engine trades on.
pub const ACCOUNT: AccountId = AccountId(0);

/// The command that places an order.
pub fn place(order: &Order) -> Command {
    place_as(order.client_id(), order.position(), order.leg(), order.qty())
}

/// Makes a plain order of this one, in the memory of an earlier one; false when it is a conditional order. `on_same` when
/// the earlier one was for the same instrument.
pub(crate) fn fill_in(new: &mut NewOrder, order: &Order, on_same: bool) -> bool {
    let limit = match order.leg() {
        Leg::Open(Entry::Market) | Leg::Close(Exit::Market, _) => None,
        Leg::Open(Entry::Limit { price, tif }) | Leg::Close(Exit::Limit { price, tif }, _) => {
            Some((*price, *tif))
        }
        Leg::Close(..) => return false,
    };
    if !on_same {
        new.symbol.clear();
        new.symbol.push_str(order.position().instrument.symbol.as_str());
    }
    plain(new, order.client_id(), order.position(), order.leg(), order.qty(), limit);
    true
}

/// Overwrites everything that orders of the engine on one instrument differ in.
fn plain(
    new: &mut NewOrder,
    client_id: &ClientOrderId,
    position: &PositionKey,
    leg: &Leg,
    qty: Qty,
    limit: Option<(Price, Tif)>,
) {
    let id = new.client_order_id.get_or_insert_default();
    id.clear();
    id.push_str(client_id.as_str());
    new.side = side_of(position, leg);
    new.position_side = Some(leg_of(position));
    new.qty = Some(qty.get());
    (new.order_type, new.price, new.tif, new.good_till_ms) = match limit {
        None => (OrderType::Market, None, None, None),
        Some((price, tif)) => {
            let (tif, until) = tif_of(tif);
            (OrderType::Limit, Some(price.get()), Some(tif), until)
        }
    };
}

fn side_of(position: &PositionKey, leg: &Leg) -> venue::Side {
    match position.side.order_side(leg.action()) {
        hedge_core::OrderSide::Buy => venue::Side::Buy,
        hedge_core::OrderSide::Sell => venue::Side::Sell,
    }
}

fn leg_of(position: &PositionKey) -> venue::PositionSide {
    match position.side {
        hedge_core::PositionSide::Long => venue::PositionSide::Long,
        hedge_core::PositionSide::Short => venue::PositionSide::Short,
    }
}

/// The command that places what these say.
pub(crate) fn place_as(client_id: &ClientOrderId, position: &PositionKey, leg: &Leg, qty: Qty) -> Command {
    let symbol = position.instrument.symbol.as_str();
    let side = side_of(position, leg);
    let position_side = Some(leg_of(position));
    let plain = |limit: Option<(Price, Tif)>| {
        let mut new = NewOrder::market(ACCOUNT, symbol, side, qty.get());
        plain(&mut new, client_id, position, leg, qty, limit);
        Command::Place(new)
    };
    match leg {
        Leg::Open(Entry::Market) | Leg::Close(Exit::Market, _) => plain(None),
        Leg::Open(Entry::Limit { price, tif }) | Leg::Close(Exit::Limit { price, tif }, _) => {
            plain(Some((*price, *tif)))
        }
        Leg::Close(exit, covers) => {
            let mut algo = NewAlgo::of(ACCOUNT, symbol, side, OrderType::StopMarket);
            algo.position_side = position_side;
            algo.client_algo_id = Some(client_id.as_str().to_owned());
            algo.qty = (*covers == Coverage::Qty).then_some(qty.get());
            algo.close_position = *covers == Coverage::WholeLeg;
            let by = match exit {
                Exit::StopMarket { trigger, by } => {
                    algo.trigger_price = Some(trigger.get());
                    by
                }
                Exit::TakeProfitMarket { trigger, by } => {
                    algo.order_type = OrderType::TakeProfitMarket;
                    algo.trigger_price = Some(trigger.get());
                    by
                }
                Exit::TrailingStop { activate, callback, by } => {
                    algo.order_type = OrderType::TrailingStopMarket;
                    algo.activate_price = activate.map(Price::get);
                    algo.callback_rate = Some(callback.get() / Decimal::ONE_HUNDRED);
                    by
                }
                Exit::Market | Exit::Limit { .. } => &TriggerBy::Last,
            };
            algo.working_type = Some(match by {
                TriggerBy::Mark => venue::WorkingType::Mark,
                TriggerBy::Last => venue::WorkingType::Contract,
            });
            Command::PlaceAlgo(algo)
        }
    }
}

const fn tif_of(tif: Tif) -> (venue::Tif, Option<i64>) {
    match tif {
        Tif::Gtc => (venue::Tif::Gtc, None),
        Tif::Ioc => (venue::Tif::Ioc, None),
        Tif::Fok => (venue::Tif::Fok, None),
        Tif::PostOnly => (venue::Tif::Gtx, None),
        Tif::Gtd { until } => (venue::Tif::Gtd, Some(until.ms())),
    }
}

/// The command that cancels an order.
pub fn cancel(instrument: &InstrumentId, target: &OrderRef) -> Command {
    let symbol = instrument.symbol.as_str().to_owned();
    match target {
        OrderRef::Plain(id) => {
            let order = venue::OrderRef::Id(id.0.unsigned_abs());
            Command::Cancel { account: ACCOUNT, symbol, order }
        }
        // What a conditional order became is cancelled as the plain order that it is. Source: fact sheet 5.3.
        OrderRef::Algo { child: Some(child), .. } => {
            let order = venue::OrderRef::Id(child.0.unsigned_abs());
            Command::Cancel { account: ACCOUNT, symbol, order }
        }
        OrderRef::Algo { id, child: None } => {
            Command::CancelAlgo { account: ACCOUNT, algo: venue::AlgoRef::Id(id.0.unsigned_abs()) }
        }
        OrderRef::Client { id, space: hedge_core::OrderSpace::Plain } => {
            let order = venue::OrderRef::Client(id.as_str().to_owned());
            Command::Cancel { account: ACCOUNT, symbol, order }
        }
        OrderRef::Client { id, space: hedge_core::OrderSpace::Algo } => {
            Command::CancelAlgo { account: ACCOUNT, algo: venue::AlgoRef::Client(id.as_str().to_owned()) }
        }
    }
}

/// The exchange's answer to an order, as a fact.
pub(crate) fn answer_taken(
    id: ClientOrderId,
    result: Result<Option<(OrderRef, ReportedState, Decimal)>, VenueError>,
) -> Fact {
    match result {
        Ok(Some((venue, state, filled))) => Fact::SubmitAcked { order: id, venue, state, filled },
        Ok(None) => {
            failed(id, Outcome::Unknown, None, None, "the exchange answered something else".to_owned())
        }
        Err(error) => failed(
            id,
            Outcome::Rejected,
            Some(reason_of(error.code)),
            Some(error.code),
            error.msg.to_string(),
        ),
    }
}

/// What a plain order that was taken is called, where it stands and how much of it is filled.
pub(crate) fn placed(taken: &venue::Taken) -> (OrderRef, ReportedState, Decimal) {
    (OrderRef::Plain(number(taken.order_id)), state_of(taken.status), taken.executed)
}

/// What an accepted order is called, where it stands and how much of it is filled; `None` for other answers.
pub fn taken(reply: &Reply) -> Option<(OrderRef, ReportedState, Decimal)> {
    match reply {
        Reply::Order(view) => {
            Some((OrderRef::Plain(number(view.order_id)), state_of(view.status), view.executed_qty))
        }
        Reply::Algo(view) => Some((algo_ref(view), algo_state(view), view.actual_qty)),
        _ => None,
    }
}

/// The exchange's refusal of a command, as the engine's shell knows refusals. An id that is taken says nothing about the
/// order that bears it: it may be this very one.
pub(crate) fn refused(error: &VenueError) -> hedge_core::BrokerError {
    if reason_of(error.code) == RejectReason::DuplicateId {
        return hedge_core::BrokerError::OutcomeUnknown { source: error.msg.to_string().into() };
    }
    hedge_core::BrokerError::Rejected {
        reason: reason_of(error.code),
        code: error.code,
        message: error.msg.to_string(),
    }
}

fn failed(
    order: ClientOrderId,
    outcome: Outcome,
    reason: Option<RejectReason>,
    code: Option<i64>,
    message: String,
) -> Fact {
    Fact::SubmitFailed { order, outcome, reason, code, message, acceptable_until: None, retry_at: None }
}

/// What the engine distinguishes. Source: fact sheet section 11.
pub const fn reason_of(code: i64) -> RejectReason {
    match code {
        -2018 | -2019 | -2028 => RejectReason::InsufficientMargin,
        -1111 | -4164 | -4016 | -4024 | -4005..=-4001 | -4014 | -4013 | -4023 => RejectReason::Filter,
        -4061 | -4060 => RejectReason::ModeMismatch,
        -2022 | -2024 => RejectReason::NothingToClose,
        -2021 | -4142 => RejectReason::WouldTrigger,
        -5022 => RejectReason::WouldTake,
        -5021 | -4131 | -2020 => RejectReason::Unfilled,
        -4116 => RejectReason::DuplicateId,
        -2011 | -2013 => RejectReason::NotFound,
        -2025 | -4045 => RejectReason::TooManyOrders,
        -4130 => RejectReason::SecondCloseAll,
        -4140 | -4141 | -1122 => RejectReason::NotTrading,
        -4046 | -4059 => RejectReason::AlreadySo,
        -4047 | -4048 | -4067 | -4068 => RejectReason::Precondition,
        -4028 => RejectReason::BadRequest,
        _ => RejectReason::Unlisted,
    }
}
