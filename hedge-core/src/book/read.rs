//! Reading a book.

use super::leg::LegState;
use super::order::OrderRecord;
use super::state::{BACK_FILL_OVERLAP, Book, LegHalt, Totals};
use rust_decimal::Decimal;

use crate::{
    id::{Asset, ClientOrderId, InstrumentId, InstrumentIx, OrderPurpose, RunId, Seq, Term},
    instrument::InstrumentSpec,
    money::{Price, compare, product, sum},
    order::{Coverage, Leg},
    order_state::OrderState,
    position::{Action, PositionKey, PositionMode, PositionSide},
    risk::Posture,
    time::Timestamp,
    venue::{Fill, OrderRef, OrderReport, OrderSpace, ReportedKind},
};

impl Book {
    /// Identity of the state directory.
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// The current leadership term.
    pub const fn term(&self) -> Term {
        self.term
    }

    /// The place of the next record.
    pub const fn next_seq(&self) -> Seq {
        self.next
    }

    /// When the last fact came in.
    pub const fn last_fact_at(&self) -> Timestamp {
        self.last_fact_at
    }

    /// The latest venue time seen in a fill or flow: where a back-fill starts.
    pub const fn last_venue_time(&self) -> Timestamp {
        self.last_venue_time
    }

    /// From when a back-fill should read: the last comparison with the venue, with room for what overtook it. Not the latest
    /// time seen: what came later proves nothing about what was missed before.
    pub fn back_fill_from(&self) -> Timestamp {
        self.snapshot_venue_time.minus(BACK_FILL_OVERLAP)
    }
    /// Orders with an open question, to be asked about at their time.
    pub fn questions(&self) -> impl Iterator<Item = &OrderRecord> {
        self.questions.iter().filter_map(|id| self.orders.get(id))
    }
    /// Legs whose size the venue has stated differently, and since when.
    pub fn differing_legs(&self) -> impl Iterator<Item = (&PositionKey, Timestamp)> {
        self.differs.iter().map(|(key, since)| (key, *since))
    }
    /// Legs that must become flat.
    pub fn legs_to_flatten(&self) -> impl Iterator<Item = &PositionKey> {
        self.flattening.keys()
    }
    /// Whether a leg must become flat.
    pub fn must_flatten(&self, key: &PositionKey) -> bool {
        self.flattening.contains_key(key)
    }
    /// Whether a fill belongs to an order of this journal, or is known to be somebody else's: one of ours that no journal here
    /// knows is a panic close's, or another state directory's.
    pub fn explains(&self, fill: &Fill) -> bool {
        let order = (fill.instrument, fill.order);
        fill.client_id.as_ref().is_some_and(|id| id.ours().is_some() || id.forced().is_some())
            || self.by_venue.contains_key(&order)
            || self.strangers.contains(&order)
    }
    /// Whether a fill was made before what was decided at that place: its order had executions in the book by then, or it is
    /// older than the first look at the account.
    pub fn is_older_than(&self, fill: &Fill, decided: Seq) -> bool {
        let known = self.unclaimed.get(&(fill.instrument, fill.order));
        fill.venue_time < self.first_venue_time || known.is_some_and(|(_, behind)| *behind <= decided)
    }
    /// Sums since the first start.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Whether a first snapshot has been taken.
    pub const fn is_started(&self) -> bool {
        self.started
    }

    /// Whether the account stream is connected.
    pub const fn is_connected(&self) -> bool {
        self.connected
    }

    /// The account's position mode, once known.
    pub const fn mode(&self) -> Option<PositionMode> {
        self.mode
    }

    /// The engine's stance: the strictest of operator and risk managers.
    pub const fn posture(&self) -> Posture {
        self.posture
    }

    /// What the operator commanded, and why.
    pub fn operator(&self) -> (Posture, &str) {
        (self.operator, &self.operator_because)
    }

    /// How many orders have an unknown outcome.
    pub const fn doubtful_orders(&self) -> u32 {
        self.doubtful
    }

    /// How many orders are, or may be, live.
    pub const fn live_order_count(&self) -> u32 {
        self.live
    }

    /// How many conditional orders are, or may be, open on the account, foreign ones included.
    pub fn conditional_orders(&self) -> u32 {
        let foreign = self.foreign.iter().filter(|report| report.order.space() == OrderSpace::Algo).count();
        self.live_conditional + foreign as u32
    }

    /// Adopted orders of somebody else, and since when each should go.
    pub fn adopted(&self) -> impl Iterator<Item = (&(InstrumentId, OrderRef), Option<Timestamp>)> {
        self.adopted.iter().map(|(key, asked)| (key, *asked))
    }

    /// Whether an order of somebody else counts as exposure.
    pub fn is_adopted(&self, instrument: &InstrumentId, order: &OrderRef) -> bool {
        self.adopted.contains_key(&(*instrument, *order))
    }

    /// Foreign orders seen in the last snapshot.
    pub fn foreign_orders(&self) -> &[OrderReport] {
        &self.foreign
    }

    /// The engine's index of an instrument.
    #[inline]
    pub fn ix(&self, id: &InstrumentId) -> Option<InstrumentIx> {
        // Mostly the one is meant that a price has come of last.
        self.index.get_nth(self.kept.latest, id).or_else(|| self.index.get(id)).copied()
    }

    /// The rules of an instrument.
    #[inline]
    pub fn spec(&self, ix: InstrumentIx) -> Option<&InstrumentSpec> {
        self.specs.get(usize::from(ix.0))?.as_ref()
    }

    /// Every instrument, in index order.
    pub fn instruments(&self) -> impl Iterator<Item = (InstrumentIx, &InstrumentSpec)> {
        self.specs.iter().enumerate().filter_map(|(i, spec)| Some((InstrumentIx(i as u16), spec.as_ref()?)))
    }

    /// The latest mark and when it was learned.
    #[inline]
    pub fn mark(&self, ix: InstrumentIx) -> Option<(Price, Timestamp)> {
        self.marks.get(usize::from(ix.0)).copied().flatten()
    }

    /// The latest mark of an instrument by name.
    pub fn mark_of(&self, id: &InstrumentId) -> Option<(Price, Timestamp)> {
        self.mark(self.ix(id)?)
    }

    /// A leg, open or flat; `None` for an instrument that is not configured.
    #[inline]
    pub fn leg(&self, key: &PositionKey) -> Option<&LegState> {
        self.legs.get(self.slot(key)?)
    }

    /// A leg by the engine's index of its instrument.
    #[inline]
    pub fn leg_at(&self, ix: InstrumentIx, side: PositionSide) -> Option<&LegState> {
        self.legs.get(usize::from(ix.0) * 2 + usize::from(side == PositionSide::Short))
    }

    /// Every leg of every instrument, flat ones included.
    pub fn legs(&self) -> impl Iterator<Item = &LegState> {
        self.legs.iter()
    }

    /// Open legs.
    pub fn open_legs(&self) -> impl Iterator<Item = &LegState> {
        self.open.iter().filter_map(|&slot| self.legs.get(slot))
    }

    /// Legs that are open or have orders that are, or may be, live, by instrument.
    pub fn legs_in_use(&self) -> impl Iterator<Item = &LegState> {
        self.slots_in_use().filter_map(|slot| self.legs.get(slot))
    }

    /// Both legs of an instrument, LONG first.
    pub fn legs_of(&self, ix: InstrumentIx) -> &[LegState] {
        let base = usize::from(ix.0) * 2;
        self.legs.get(base..base + 2).unwrap_or_default()
    }

    /// Whether anything is held on either leg of an instrument.
    #[inline]
    pub fn holds(&self, ix: InstrumentIx) -> bool {
        self.open_sides(ix) > 0
    }

    /// An order of ours.
    pub fn order(&self, id: &ClientOrderId) -> Option<&OrderRecord> {
        self.orders.get(id)
    }

    /// Every order ever, in the order of their decision.
    pub fn orders(&self) -> impl Iterator<Item = &OrderRecord> {
        self.orders.values()
    }

    /// Orders that are, or may be, live, by leg.
    pub fn live_orders(&self) -> impl Iterator<Item = &OrderRecord> {
        self.legs.iter().flat_map(|leg| leg.live.iter()).filter_map(|id| self.orders.get(id))
    }

    /// Live orders of one leg.
    pub fn live_orders_of(&self, key: &PositionKey) -> impl Iterator<Item = &OrderRecord> {
        self.leg(key).into_iter().flat_map(|leg| self.live_in(leg))
    }

    #[inline]
    pub(super) fn live_in<'a>(&'a self, leg: &'a LegState) -> impl Iterator<Item = &'a OrderRecord> {
        leg.live.iter().filter_map(|id| self.orders.get(id))
    }

    /// Whether an opening of that leg is, or may be, live.
    pub fn has_live_entry(&self, key: &PositionKey) -> bool {
        self.leg(key).is_some_and(|leg| self.has_opening(leg))
    }

    #[inline]
    pub(crate) fn has_opening(&self, leg: &LegState) -> bool {
        self.live_in(leg).any(|order| order.leg.action() == Action::Open)
    }

    /// Whether an order of that leg has an unknown outcome.
    pub fn has_doubt(&self, key: &PositionKey) -> bool {
        self.doubtful > 0 && self.live_orders_of(key).any(|order| order.state == OrderState::Unknown)
    }

    /// Whether such a doubt may still explain a different leg size: the venue has not yet failed twice to find the order.
    pub fn has_unsettled_doubt(&self, key: &PositionKey) -> bool {
        self.doubtful > 0
            && self.live_orders_of(key).any(|order| {
                order.state == OrderState::Unknown
                    && order.doubt.as_ref().is_none_or(|doubt| doubt.absent < 2)
            })
    }
    /// What our own plain closing orders may still take from a leg.
    pub fn resting_closes(&self, key: &PositionKey) -> Decimal {
        self.live_orders_of(key)
            .filter(|order| order.leg.action() == Action::Close && order.space() == OrderSpace::Plain)
            .fold(Decimal::ZERO, |all, order| sum(&all, &order.open_qty()))
    }

    /// The stops of a leg that are, or may be, live and were decided for the position that is open now.
    pub fn stops_of(&self, key: &PositionKey) -> impl Iterator<Item = &OrderRecord> {
        self.leg(key).into_iter().flat_map(|leg| self.stops_in(leg))
    }
    fn stops_in<'a>(&'a self, leg: &'a LegState) -> impl Iterator<Item = &'a OrderRecord> {
        self.live_in(leg).filter(|order| {
            order.purpose == OrderPurpose::Stop
                && order.state != OrderState::Canceling
                && order.seq >= leg.opened_seq
        })
    }
    /// The leg's newest stop that is, or may be, live.
    pub fn stop_of(&self, key: &PositionKey) -> Option<&OrderRecord> {
        self.stops_of(key).last()
    }
    /// Whether a stop that is at the venue, or on its way there, covers all that the leg holds. One in doubt does not.
    pub fn is_covered(&self, key: &PositionKey) -> bool {
        self.leg(key).is_some_and(|leg| self.covers(leg, |stop| stop.state != OrderState::Unknown))
    }
    /// Whether a stop that the venue has confirmed covers all that the leg holds.
    pub fn is_protected(&self, key: &PositionKey) -> bool {
        self.leg(key).is_some_and(|leg| self.has_confirmed_stop(leg))
    }
    #[inline]
    pub(super) fn has_confirmed_stop(&self, leg: &LegState) -> bool {
        self.covers(leg, |stop| stop.state.is_confirmed_live())
    }
    fn covers(&self, leg: &LegState, counts: impl Fn(&OrderRecord) -> bool) -> bool {
        self.stops_in(leg).any(|stop| {
            counts(stop) && (stop.is_close_all_stop() || compare(&stop.qty.get(), &leg.qty).is_ge())
        })
    }
    /// Wallet balance of an asset, without unrealised profit.
    pub fn wallet(&self, asset: &Asset) -> Decimal {
        self.wallet.get(asset).copied().unwrap_or_default()
    }

    /// Every wallet that was ever stated, by asset.
    pub fn wallets(&self) -> impl Iterator<Item = (Asset, Decimal)> {
        self.wallet.iter().map(|(asset, balance)| (*asset, *balance))
    }

    /// Notional of open legs and of openings that may still fill (unknown ones count as filled, adopted ones of somebody
    /// else too), by leg.
    pub fn exposure(&self, key: &PositionKey) -> Decimal {
        let Some(slot) = self.slot(key) else { return self.adopted_openings(key, None) };
        self.exposure_of(slot, &self.legs[slot])
    }

    pub(super) fn exposure_of(&self, slot: usize, leg: &LegState) -> Decimal {
        if leg.qty.is_zero() && leg.live.is_empty() && self.adopted.is_empty() {
            return Decimal::ZERO;
        }
        let mark = self.marks.get(slot / 2).copied().flatten().map(|(price, _)| price.get());
        let held = self.held_of(slot, leg);
        let pending = self.live_in(leg).filter_map(|order| match &order.leg {
            Leg::Open(crate::order::Entry::Limit { price, .. }) => {
                Some(product(&order.open_qty(), &price.get()))
            }
            Leg::Open(crate::order::Entry::Market) => {
                Some(product(&order.open_qty(), &mark.unwrap_or_default()))
            }
            Leg::Close(..) => None,
        });
        let pending = pending.fold(Decimal::ZERO, |all, one| sum(&all, &one));
        sum(&sum(&held, &pending), &self.adopted_openings(&leg.key, mark))
    }

    /// Notional that adopted orders of somebody else may still open.
    fn adopted_openings(&self, key: &PositionKey, mark: Option<Decimal>) -> Decimal {
        if self.adopted.is_empty() {
            return Decimal::ZERO;
        }
        let is_opening = |report: &&OrderReport| {
            report.instrument == key.instrument
                && report.side.leg() == Some(key.side)
                && report.is_close() == Some(false)
                && self.is_adopted(&report.instrument, &report.order)
        };
        self.foreign
            .iter()
            .filter(is_opening)
            .map(|report| {
                let open = report.qty.map_or(Decimal::ZERO, |qty| qty.get() - report.filled);
                let price = report.price.or(report.trigger).map(|price| price.get()).or(mark);
                open.max(Decimal::ZERO) * price.unwrap_or_default()
            })
            .sum()
    }

    /// Whether a leg is open or has an opening that may still fill.
    pub fn is_occupied(&self, key: &PositionKey) -> bool {
        self.leg(key).is_some_and(|leg| self.is_exposed(leg))
    }

    /// Whether the venue has refused a second close-all stop on a leg.
    pub const fn one_close_all_only(&self) -> bool {
        self.one_close_all_only
    }

    /// A close-all stop of a leg that is not in this journal: a person's, or ours from a lost state directory.
    pub fn foreign_stop(&self, key: &PositionKey) -> Option<&OrderReport> {
        self.foreign.iter().find(|report| {
            report.instrument == key.instrument
                && report.side.leg() == Some(key.side)
                && report.is_close() == Some(true)
                && report.covers == Coverage::WholeLeg
                && report.kind == ReportedKind::StopMarket
                && !report.state.is_terminal()
        })
    }

    /// Why a leg opens nothing until a person resumes, if so.
    pub fn leg_halt(&self, key: &PositionKey) -> Option<LegHalt> {
        self.halted_legs.get(key).copied()
    }

    /// Legs that open nothing until a person resumes.
    pub fn halted_legs(&self) -> impl Iterator<Item = (PositionKey, LegHalt)> {
        self.halted_legs.iter().map(|(key, halt)| (*key, *halt))
    }

    /// Until when a symbol is muted.
    pub fn muted_until(&self, id: &InstrumentId) -> Option<Timestamp> {
        self.muted.get(id).copied()
    }

    #[inline]
    pub(super) fn slot(&self, key: &PositionKey) -> Option<usize> {
        Some(usize::from(self.ix(&key.instrument)?.0) * 2 + usize::from(key.side == PositionSide::Short))
    }
}
