//! What goes into the engine and what comes out.

use std::time::Duration;

use rust_decimal::Decimal;

use super::validator::StopValidator;
use crate::{
    event::Envelope,
    id::{ClientOrderId, InstrumentId, Seq},
    money::Bps,
    order::{Approved, Order},
    position::PositionKey,
    time::Timestamp,
    venue::OrderRef,
};

/// How the engine behaves where the rules leave a choice.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineConfig {
    /// How far from mark a market entry may reach. Units: basis points.
    pub max_slippage: Bps,
    /// How long a leg may be open without a confirmed stop before it is closed at the market.
    pub protect_within: Duration,
    /// How long a symbol opens nothing after its protection failed.
    pub mute_for: Duration,
    /// How long an approved opening may be sent after the fact that caused it.
    pub approval_ttl: Duration,
    /// How far from the mark a stop is placed on a position that somebody else opened. `None` leaves such positions alone,
    /// named: then each must have a stop of its own before the first start.
    pub adopt_stop: Option<Bps>,
    /// What becomes of orders that somebody else placed.
    pub foreign_orders: ForeignOrders,
    /// Whether market facts are journalled. Replays keep their data in its file.
    pub journal_market: bool,
    /// Whether screener readings are journalled.
    pub journal_readings: bool,
    /// The second look at every leg's protection.
    pub validator: StopValidator,
    /// How long an order may be of unknown outcome before a person is told once more.
    pub unknown_alert_after: Duration,
    /// How long an opening may rest at the venue: then it vanishes there, also when nobody runs that could cancel it. `None`
    /// lets it rest for as long as the strategy says.
    pub entries_vanish_after: Option<Duration>,
}

/// What becomes of resting orders that this journal did not decide. They are named in any case, and never cancelled
/// unless a person demands a flat account. A stop over a whole leg is protection and is never touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForeignOrders {
    /// They are left alone.
    #[default]
    Leave,
    /// What they may still open counts as exposure, and a flatten cancels them.
    Adopt,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            max_slippage: Bps::new(Decimal::from(30)).unwrap_or(Bps::ZERO),
            protect_within: Duration::from_secs(3),
            mute_for: Duration::from_secs(900),
            approval_ttl: Duration::from_secs(2),
            adopt_stop: Bps::new(Decimal::from(500)).ok(),
            foreign_orders: ForeignOrders::Leave,
            journal_market: true,
            journal_readings: true,
            validator: StopValidator::default(),
            unknown_alert_after: Duration::from_secs(30),
            entries_vanish_after: None,
        }
    }
}

/// Something the shell must do. Every result comes back as a fact.
#[derive(Debug)]
pub enum Effect {
    /// Send an order, once.
    Submit(Approved<Order>),
    /// Cancel an order of ours.
    Cancel {
        /// Which.
        order: ClientOrderId,
        /// On which instrument.
        instrument: InstrumentId,
        /// How to name it to the venue.
        target: OrderRef,
    },
    /// Ask what became of an order, and read the evidence around it.
    Query {
        /// Which.
        order: ClientOrderId,
        /// On which leg.
        position: PositionKey,
        /// How to name it to the venue.
        target: OrderRef,
        /// Since when fills matter.
        since: Timestamp,
    },
    /// Read the whole account again.
    Snapshot {
        /// Since when fills and flows matter (venue time).
        since: Timestamp,
    },
}

/// What one fact led to. Owned by the caller and reused: a market fact without a decision allocates nothing.
#[derive(Debug, Default)]
pub struct Step {
    /// The journal place of the first record.
    pub expected_next: Seq,
    /// Records, in order.
    pub events: Vec<Envelope>,
    /// Effects, in order. They may leave only after the records are durable.
    pub effects: Vec<Effect>,
}

impl Step {
    /// Empties it without giving back its memory.
    pub fn clear(&mut self) {
        self.events.clear();
        self.effects.clear();
    }
    /// Whether an effect changes the account, so that the records must be durable first.
    pub fn has_commands(&self) -> bool {
        self.effects.iter().any(|effect| matches!(effect, Effect::Submit(_) | Effect::Cancel { .. }))
    }
}
