//! What a book holds.

use super::id_set::IdSet;
use super::keyed::{self, Keyed};
use super::leg::LegState;
use super::order::OrderRecord;
use super::remembered::Remembered;
use super::value::Kept;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    id::{Asset, ClientOrderId, InstrumentId, InstrumentIx, RunId, Seq, Term, VenueOrderId},
    instrument::InstrumentSpec,
    money::{Price, Qty},
    position::{PositionKey, PositionMode},
    risk::Posture,
    time::Timestamp,
    venue::{CashFlow, Fill, ForcedClose, OrderRef, OrderReport},
};

/// The longest request window that this product ever sends; bounds how long a dead process's request can be accepted.
pub(super) const MAX_REQUEST_WINDOW: Duration = Duration::from_secs(60);
/// How long an accepted order may stay invisible to queries. Source: fact sheet 14.6, item 6 (0 to 3 s), with reserve.
pub(super) const VISIBILITY_DELAY: Duration = Duration::from_secs(5);
/// How far a back-fill reaches behind the latest thing seen.
pub(super) const BACK_FILL_OVERLAP: Duration = Duration::from_secs(60);
/// How long announced fills may take before they are asked for, or asked for again.
pub(super) const FILLS_DUE: Duration = Duration::from_secs(3);
/// The same of an opening, once: its leg is bare until they are known. The account stream nearly always brings them sooner.
pub(super) const OPENING_FILLS_DUE: Duration = Duration::from_millis(300);
/// How many trade and flow ids are remembered per instrument. Older ones are older than any back-fill.
pub(super) const REMEMBERED_IDS: usize = 4_096;

/// Sums since the first start. `nav_start + realized + unrealized − fees + funding + transfers + corrections = equity`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Equity at the first snapshot.
    pub nav_start: Decimal,
    /// Realised profit, fees excluded.
    pub realized: Decimal,
    /// Fees paid.
    pub fees: Decimal,
    /// Funding received less paid.
    pub funding: Decimal,
    /// Money moved in less moved out.
    pub transfers: Decimal,
    /// Differences to the venue that were taken over without an explanation.
    pub corrections: Decimal,
    /// Executions.
    pub fills: u64,
}

/// All state. Folds from the journal; two books that saw the same records are equal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Book {
    pub(super) run: RunId,
    pub(super) term: Term,
    pub(super) next: Seq,
    pub(super) specs: Vec<Option<InstrumentSpec>>,
    #[serde(with = "keyed::as_map")]
    pub(super) index: Keyed<InstrumentId, InstrumentIx>,
    pub(super) marks: Vec<Option<(Price, Timestamp)>>,
    /// LONG and SHORT of instrument `i` are at `2i` and `2i + 1`.
    pub(super) legs: Vec<LegState>,
    pub(super) open: Vec<usize>,
    #[serde(deserialize_with = "in_order_of_decision")]
    pub(super) orders: Keyed<ClientOrderId, OrderRecord>,
    pub(super) by_venue: Keyed<(InstrumentId, VenueOrderId), ClientOrderId>,
    pub(super) live: u32,
    pub(super) live_conditional: u32,
    pub(super) doubtful: u32,
    pub(super) trades: Vec<Remembered>,
    pub(super) flows: BTreeMap<String, Timestamp>,
    /// Fills of venue orders that no order of ours is known by yet, and the journal place behind the first of each.
    #[serde(with = "pairs")]
    pub(super) unclaimed: BTreeMap<(InstrumentId, VenueOrderId), (Decimal, Seq)>,
    /// Venue orders whose fills were seen under a client id that is in no order of this journal.
    pub(super) strangers: BTreeSet<(InstrumentId, VenueOrderId)>,
    /// Legs whose size the venue has stated differently, and since when.
    #[serde(with = "pairs")]
    pub(super) differs: BTreeMap<PositionKey, Timestamp>,
    /// Legs that must become flat, and why.
    #[serde(with = "pairs")]
    pub(super) flattening: BTreeMap<PositionKey, String>,
    /// Orders with an open question.
    pub(super) questions: IdSet,
    /// The venue's time of the last snapshot.
    pub(super) snapshot_venue_time: Timestamp,
    /// The venue's time of the first snapshot: older fills are in its position already.
    pub(super) first_venue_time: Timestamp,
    pub(super) wallet: BTreeMap<Asset, Decimal>,
    pub(super) totals: Totals,
    pub(super) started: bool,
    pub(super) mode: Option<PositionMode>,
    pub(super) connected: bool,
    pub(super) booting: bool,
    pub(super) operator: Posture,
    pub(super) operator_because: String,
    pub(super) posture: Posture,
    pub(super) muted: BTreeMap<InstrumentId, Timestamp>,
    pub(super) last_fact_at: Timestamp,
    pub(super) last_venue_time: Timestamp,
    pub(super) foreign: Vec<OrderReport>,
    /// Those of them that count as exposure, and since when each should go.
    #[serde(with = "pairs", default)]
    pub(super) adopted: BTreeMap<(InstrumentId, OrderRef), Option<Timestamp>>,
    pub(super) one_close_all_only: bool,
    /// Legs that the venue has closed by force, until a person resumes.
    #[serde(with = "pairs", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) halted_legs: BTreeMap<PositionKey, LegHalt>,
    /// Orders by which the venue closes legs.
    #[serde(with = "pairs", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) forced_orders: BTreeMap<(InstrumentId, VenueOrderId), ForcedClose>,
    /// Wallets that were taken over from the venue, and its time of that: what flowed before is in them already.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) wallet_taken_over: BTreeMap<Asset, Timestamp>,
    #[serde(skip)]
    pub(super) kept: Kept,
}

/// Why a leg opens nothing until a person resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegHalt {
    /// What the venue did.
    pub forced: ForcedClose,
    /// When this process learned it.
    pub since: Timestamp,
}

/// Orders are written by id.
fn in_order_of_decision<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Keyed<ClientOrderId, OrderRecord>, D::Error> {
    Ok(Keyed::deserialize(deserializer)?.sorted_by_key(|order: &OrderRecord| order.seq))
}

/// JSON objects need text keys; these maps are written as lists of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }
    pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// One sign of a forced close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forced {
    /// Which leg.
    pub position: PositionKey,
    /// What the venue does.
    pub forced: ForcedClose,
    /// The venue's number of its order.
    pub order: VenueOrderId,
    /// The venue's id of it, where stated.
    pub client_id: Option<String>,
    /// How much was closed and at what price; `None` while the order only stands.
    pub closed: Option<(Qty, Price)>,
}

/// What changed besides numbers; the engine reacts to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A leg grew from a fill of this order.
    Grew(PositionKey, Option<ClientOrderId>),
    /// A leg shrank; `flat` when nothing is left.
    Shrank(PositionKey, bool),
    /// An order ended.
    Ended(ClientOrderId),
    /// An order became confirmed live.
    Confirmed(ClientOrderId),
    /// An order that was believed done has filled.
    LateFill(ClientOrderId),
    /// A fill belongs to no order of ours, or to a one-way account.
    ForeignFill(Box<Fill>),
    /// The venue closes a leg by force: an order that does it became known, or has filled.
    Forced(Box<Forced>),
    /// An order report that fits no row of the life cycle, or no order of ours.
    Unfitting(String),
    /// An order of somebody else changed on this leg.
    ForeignOrder(PositionKey),
    /// Money that moved and that only a comparison with the venue has told of.
    MissedFlow(Box<CashFlow>),
}
