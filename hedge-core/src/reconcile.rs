//! Pure comparison of the book with what the venue says. Differences are journalled; the venue's word is taken.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    book::Book,
    event::VenueSnapshot,
    id::{Asset, ClientOrderId, InstrumentId},
    money::Price,
    order_state::OrderState,
    position::{PositionKey, PositionMode},
    venue::{CashFlow, CashFlowKind, Fill, OrderReport, ReportedState},
};

/// One thing on which book and venue disagree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "differs")]
pub enum Difference {
    /// A leg's size.
    LegSize {
        /// Which leg.
        position: PositionKey,
        /// What the book holds.
        book: Decimal,
        /// What the venue holds.
        venue: Decimal,
        /// The venue's average entry, where the leg is open there.
        entry: Option<Price>,
    },
    /// The wallet balance.
    Wallet {
        /// Which asset.
        asset: Asset,
        /// What the book holds.
        book: Decimal,
        /// What the venue holds.
        venue: Decimal,
    },
    /// An order of ours that the book does not know (lost journal, earlier run).
    OwnOrder {
        /// What the venue says.
        report: Box<OrderReport>,
    },
    /// An order of ours that the book believes live and the venue does not list as open.
    NotOpen {
        /// Which order.
        order: ClientOrderId,
        /// What the book believes.
        book: OrderState,
    },
    /// An order of ours whose state differs.
    State {
        /// Which order.
        order: ClientOrderId,
        /// What the book believes.
        book: OrderState,
        /// What the venue says.
        venue: ReportedState,
    },
    /// An order that is not ours.
    ForeignOrder {
        /// What the venue says.
        report: Box<OrderReport>,
    },
    /// Money that moved, and that the account stream has not told of: funding, a transfer, anything in the income ledger.
    Flow {
        /// What flowed, and why.
        flow: Box<CashFlow>,
    },
    /// A fee that the income ledger states otherwise than the execution did.
    Fee {
        /// The ledger's row; its amount is negative when paid.
        flow: Box<CashFlow>,
        /// What the execution states in the same reading; positive is paid.
        book: Decimal,
    },
    /// The account is not in hedge mode.
    Mode {
        /// What it is in.
        venue: PositionMode,
    },
    /// An open position in one-way form, or on an instrument that is not configured.
    ForeignPosition {
        /// On which instrument.
        instrument: InstrumentId,
        /// What was reported.
        detail: String,
    },
}

impl Difference {
    /// The leg whose size differs.
    pub(crate) const fn leg(&self) -> Option<PositionKey> {
        match self {
            Self::LegSize { position, .. } => Some(*position),
            _ => None,
        }
    }
}

/// Compares. The snapshot's fills and flows must have been folded before.
///
/// Pure and ordered: the same book and snapshot give the same list.
pub fn reconcile(book: &Book, snapshot: &VenueSnapshot) -> Vec<Difference> {
    let mut found = Vec::new();
    if snapshot.account.mode != PositionMode::Hedge {
        found.push(Difference::Mode { venue: snapshot.account.mode });
    }
    legs(book, snapshot, &mut found);
    orders(book, snapshot, &mut found);
    fees(book, snapshot, &mut found);
    for balance in &snapshot.account.balances {
        let held = book.wallet(&balance.asset);
        if held != balance.wallet.get() {
            found.push(Difference::Wallet { asset: balance.asset, book: held, venue: balance.wallet.get() });
        }
    }
    found
}

/// The ledger's fees against those that the executions of the same read state.
fn fees(book: &Book, snapshot: &VenueSnapshot, found: &mut Vec<Difference>) {
    let mut charges = snapshot.flows.iter().filter(|flow| flow.kind == CashFlowKind::Fee).peekable();
    if charges.peek().is_none() {
        return;
    }
    let mut executions: BTreeMap<String, &Fill> = BTreeMap::new();
    for fill in &snapshot.fills {
        executions.insert(CashFlow::fee_id(&fill.instrument, fill.trade_id), fill);
    }
    for flow in charges {
        let is_of =
            |fill: &&&Fill| flow.instrument == Some(fill.instrument) && flow.amount.asset == fill.fee.asset;
        let Some(fill) = executions.get(&flow.id).filter(is_of) else { continue };
        let (booked, charged) = (fill.fee.value.get(), Decimal::ZERO - flow.amount.value.get());
        if booked != charged && book.knows_trade(fill) && !book.knows_flow(&flow.id) {
            found.push(Difference::Fee { flow: Box::new(flow.clone()), book: booked });
        }
    }
}

fn legs(book: &Book, snapshot: &VenueSnapshot, found: &mut Vec<Difference>) {
    for leg in book.legs() {
        let venue = snapshot.positions.iter().find(|position| *position.key() == leg.key);
        let venue_qty = venue.map_or(Decimal::ZERO, |position| position.qty().get());
        if venue_qty != leg.qty {
            found.push(Difference::LegSize {
                position: leg.key,
                book: leg.qty,
                venue: venue_qty,
                entry: venue.map(|position| position.entry()),
            });
        }
    }
    for position in &snapshot.positions {
        if book.leg(position.key()).is_none() {
            found.push(Difference::ForeignPosition {
                instrument: position.key().instrument,
                detail: format!("{} {} at {}", position.key().side, position.qty(), position.entry()),
            });
        }
    }
}

fn orders(book: &Book, snapshot: &VenueSnapshot, found: &mut Vec<Difference>) {
    for report in &snapshot.orders {
        let known = report.client_id.ours().and_then(|id| book.order(id));
        match (known, report.client_id.ours()) {
            (Some(order), Some(id)) => {
                let agrees = match &report.state {
                    ReportedState::Working | ReportedState::Triggering => {
                        matches!(order.state, OrderState::Working | OrderState::Canceling)
                    }
                    ReportedState::PartiallyFilled => {
                        matches!(order.state, OrderState::PartiallyFilled | OrderState::Canceling)
                    }
                    ReportedState::Triggered => {
                        matches!(order.state, OrderState::Triggered | OrderState::Canceling)
                    }
                    _ => false,
                };
                if !agrees {
                    found.push(Difference::State {
                        order: *id,
                        book: order.state,
                        venue: report.state.clone(),
                    });
                }
            }
            // The venue's own: it is no difference, it is what the book has been told of just now.
            (None, None) if report.forced().is_some() && report.side.leg().is_some() => {}
            (None, Some(_)) => found.push(Difference::OwnOrder { report: Box::new(report.clone()) }),
            _ => found.push(Difference::ForeignOrder { report: Box::new(report.clone()) }),
        }
    }
    for order in book.live_orders() {
        let listed = snapshot.orders.iter().any(|report| report.client_id.ours() == Some(&order.client_id));
        // An unknown order is asked about by its own id; its absence from a list proves nothing.
        if !listed && order.state.is_confirmed_live() {
            found.push(Difference::NotOpen { order: order.client_id, book: order.state });
        }
    }
}
