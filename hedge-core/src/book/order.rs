//! One of our orders, and what is in doubt about it.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    id::{ClientOrderId, OrderPurpose, Seq, StrategyId},
    money::{Qty, difference, greatest},
    order::{Coverage, Exit, Leg, Protection},
    order_state::OrderState,
    position::PositionKey,
    time::Timestamp,
    venue::{OrderRef, OrderSpace, ReportedState},
};

/// One of our orders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderRecord {
    /// Our id.
    pub client_id: ClientOrderId,
    /// Where the journal decided it.
    pub seq: Seq,
    /// When.
    pub decided_at: Timestamp,
    /// The venue's clock stood here or later then, as far as was known: nothing that the venue says of it is older. Not after
    /// `decided_at`, and before it by how far our clock is ahead, and by how long the venue had been silent.
    #[serde(default)]
    pub not_before: Timestamp,
    /// Who wanted it; `None` for the engine's own.
    pub strategy: Option<StrategyId>,
    /// Which leg.
    pub position: PositionKey,
    /// What it does and how.
    pub leg: Leg,
    /// How much.
    pub qty: Qty,
    /// What it is for.
    pub purpose: OrderPurpose,
    /// What an opening brings as protection.
    pub protection: Option<Protection>,
    /// Where it stands.
    pub state: OrderState,
    /// The venue's name of it.
    pub venue: Option<OrderRef>,
    /// Filled so far.
    pub filled: Decimal,
    /// Filled according to the venue's answers; fills themselves may still be on their way.
    pub reported_filled: Decimal,
    /// What is asked of the venue about it, while something is: its outcome, missing fills, a refused cancel.
    pub doubt: Option<Doubt>,
    /// How often a cancel of it failed.
    pub cancels_refused: u32,
    /// Whether the last cancel never left: it may simply be sent again.
    pub cancel_unsent: bool,
    /// The venue's reason for a refusal or an expiry.
    pub refusal: Option<String>,
    /// How the venue says it ended, while fills that it counted are still on their way.
    pub ending: Option<ReportedState>,
}

/// An open question about an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// Since when.
    pub since: Timestamp,
    /// Venue time until which the request may still be accepted.
    pub acceptable_until: Timestamp,
    /// Whether that was reckoned by our clock: the venue's time in its first answer corrects it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_our_clock: bool,
    /// How often it was asked about.
    pub asked: u32,
    /// When it is asked about next.
    pub ask_at: Timestamp,
    /// Answers "not found" given after the request could no longer be accepted.
    pub absent: u32,
}

impl Doubt {
    /// A question that is put at `ask_at` for the first time, about an order that the venue has taken or can take no more.
    pub(super) const fn new(at: Timestamp, ask_at: Timestamp) -> Self {
        Self { since: at, acceptable_until: at, by_our_clock: false, asked: 0, ask_at, absent: 0 }
    }
}

impl OrderRecord {
    /// The id space it lives in at the venue.
    pub fn space(&self) -> OrderSpace {
        match &self.leg {
            Leg::Close(exit, _) if exit.is_conditional() => OrderSpace::Algo,
            _ => OrderSpace::Plain,
        }
    }
    /// What can still fill.
    pub fn open_qty(&self) -> Decimal {
        greatest(difference(&self.qty.get(), &self.filled), Decimal::ZERO)
    }
    /// How to name it to the venue now: the child once it has fired, its number where known, else our id.
    pub fn target(&self) -> OrderRef {
        match self.venue {
            Some(OrderRef::Algo { child: Some(child), .. }) if self.state == OrderState::Triggered => {
                OrderRef::Plain(child)
            }
            Some(known) => known,
            None => OrderRef::Client { id: self.client_id, space: self.space() },
        }
    }
    /// Whether it is a stop over the whole leg.
    pub fn is_close_all_stop(&self) -> bool {
        matches!(self.leg, Leg::Close(Exit::StopMarket { .. }, Coverage::WholeLeg))
    }
}
