//! The auditor's book of the venue: made of what the exchange told, and of nothing else.

use std::collections::{BTreeMap, BTreeSet};

use hedge_core::Decimal;
use hedge_sim::venue::{AlgoStatus, EventBody, OrderType, PositionSide, Side, Venue, VenueEvent};

use super::LegName;
use crate::swarm::exchange::is_opening;

/// How long news of a stop takes to the engine, and a decision from there to the wire, where nothing is slow. Units:
/// milliseconds.
const NEWS_TAKES_MS: i64 = 300;

#[derive(Clone, Debug, Default)]
struct Leg {
    qty: Decimal,
    bare_since_ms: Option<i64>,
    /// When a stop of it fired or was taken away by the exchange. Units: milliseconds of the exchange's clock.
    stop_fell_ms: Option<i64>,
}

#[derive(Clone, Debug)]
struct Plain {
    client: String,
    leg: LegName,
    open: bool,
    opens: bool,
    left: Decimal,
    price: Decimal,
    executed: Decimal,
    conditional: bool,
}

#[derive(Clone, Debug)]
struct Algo {
    client: String,
    leg: LegName,
    waits: bool,
    is_stop: bool,
    whole: bool,
    qty: Decimal,
}

/// Legs, orders and executions as the exchange told them.
#[derive(Debug, Default)]
pub(in crate::swarm) struct Ledger {
    legs: BTreeMap<LegName, Leg>,
    plain: BTreeMap<u64, Plain>,
    algos: BTreeMap<u64, Algo>,
    /// Client ids that the exchange has taken, plain and conditional.
    taken: BTreeSet<(bool, String)>,
    pub(in crate::swarm) trades: BTreeSet<(String, u64)>,
}

pub(super) fn is_ours(client: &str) -> bool {
    hedge_core::OrderIds::is_ours(client)
}

impl Ledger {
    pub(super) fn first_time(&mut self, client: &str, algo: bool) -> bool {
        self.taken.insert((algo, client.to_owned()))
    }

    /// Client ids of our orders that the exchange has taken.
    pub(super) fn ours(&self) -> impl Iterator<Item = &str> {
        self.taken.iter().map(|(_, client)| client.as_str()).filter(|client| is_ours(client))
    }

    pub(super) fn client_of(&self, number: u64, algo: bool) -> Option<&str> {
        if algo {
            return self.algos.get(&number).map(|algo| algo.client.as_str());
        }
        self.plain.get(&number).map(|order| order.client.as_str())
    }

    /// How much every one of our orders has executed, by client id.
    pub(super) fn executed(&self) -> BTreeMap<&str, Decimal> {
        let mut executed = BTreeMap::new();
        for order in self.plain.values().filter(|order| is_ours(&order.client)) {
            *executed.entry(order.client.as_str()).or_default() += order.executed;
        }
        executed
    }

    pub(super) fn read(&mut self, event: &VenueEvent, closes: &mut Vec<String>, found: &mut Vec<String>) {
        match &event.body {
            EventBody::Account(update) => {
                for row in &update.positions {
                    let Some(name) = LegName::of(&row.symbol, row.position_side) else { continue };
                    if row.qty.is_zero() || row.qty.is_sign_negative() == name.short {
                        let leg = self.legs.entry(name).or_default();
                        leg.qty = row.qty.abs();
                    } else {
                        found.push(format!("{name} holds {}: a close has turned it over", row.qty));
                    }
                }
            }
            EventBody::Order(update) => {
                let order = &update.order;
                let Some(leg) = LegName::of(&order.symbol, order.position_side) else { return };
                let opens = is_opening(order.side, Some(order.position_side));
                if let Some(fill) = &update.fill {
                    self.trades.insert((order.symbol.clone(), fill.trade_id));
                    if !opens && is_ours(&order.client_order_id) {
                        closes.push(order.client_order_id.clone());
                    }
                }
                let known = Plain {
                    client: order.client_order_id.clone(),
                    leg,
                    open: order.status.is_open(),
                    opens,
                    left: order.orig_qty - order.executed_qty,
                    price: order.price,
                    executed: order.executed_qty,
                    conditional: order.algo_id.is_some(),
                };
                self.plain.insert(order.order_id, known);
            }
            EventBody::Algo(view) => {
                let Some(leg) = LegName::of(&view.symbol, view.position_side) else { return };
                let known = Algo {
                    client: view.client_algo_id.clone(),
                    is_stop: view.order_type == OrderType::StopMarket
                        && matches!((view.side, leg.short), (Side::Sell, false) | (Side::Buy, true)),
                    leg,
                    waits: view.status == AlgoStatus::New,
                    whole: view.close_position,
                    qty: view.qty,
                };
                let has_fallen = known.is_stop && !known.waits && view.status != AlgoStatus::Canceled;
                let leg = known.leg.clone();
                let before = self.algos.insert(view.algo_id, known);
                if has_fallen && before.is_some_and(|before| before.waits) {
                    self.legs.entry(leg).or_default().stop_fell_ms = Some(event.at_ms);
                }
            }
            EventBody::Leverage { .. } | EventBody::MarginCall(_) | EventBody::Trade(_) => {}
        }
    }

    fn is_covered(&self, name: &LegName, leg: &Leg) -> bool {
        let stops = self.algos.values().filter(|algo| algo.waits && algo.is_stop && algo.leg == *name);
        let mut by_qty = Decimal::ZERO;
        for stop in stops {
            if stop.whole {
                return true;
            }
            by_qty += stop.qty;
        }
        by_qty >= leg.qty
    }

    /// Whether a market close of the leg is being worked off right now.
    fn is_closing(&self, name: &LegName) -> bool {
        self.plain.values().any(|order| order.open && !order.opens && order.conditional && order.leg == *name)
    }

    /// Since when each open leg has no stop.
    pub(super) fn cover(&mut self, now_ms: i64) {
        let names: Vec<LegName> = self.legs.keys().cloned().collect();
        for name in names {
            let Some(leg) = self.legs.get(&name) else { continue };
            let bare = !leg.qty.is_zero() && !self.is_covered(&name, leg) && !self.is_closing(&name);
            if let Some(leg) = self.legs.get_mut(&name) {
                leg.bare_since_ms = if bare { leg.bare_since_ms.or(Some(now_ms)) } else { None };
            }
        }
    }

    pub(super) fn longest_bare(&self, now_ms: i64) -> Option<(LegName, i64)> {
        let bare =
            self.legs.iter().filter_map(|(name, leg)| Some((name.clone(), now_ms - leg.bare_since_ms?)));
        bare.max_by_key(|(_, ms)| *ms)
    }

    /// From now on what is bare counts.
    pub(in crate::swarm) fn forget_bare(&mut self) {
        for leg in self.legs.values_mut() {
            leg.bare_since_ms = None;
        }
    }

    /// The leg that was covered before these events and is open and bare after them. Not where another stop of it fell so late
    /// that nobody who sent the cancel so many milliseconds ago could have been told.
    pub(super) fn uncovered_now(&self, events: &[VenueEvent], sent_ms_ago: i64) -> Option<(LegName, &str)> {
        events.iter().find_map(|event| {
            let EventBody::Algo(view) = &event.body else { return None };
            let name = LegName::of(&view.symbol, view.position_side)?;
            let algo = self.algos.get(&view.algo_id)?;
            let leg = self.legs.get(&name)?;
            let was_its_stop = algo.is_stop && view.status == AlgoStatus::Canceled && is_ours(&algo.client);
            let bare = leg.bare_since_ms.is_none() && !leg.qty.is_zero() && !self.is_covered(&name, leg);
            let told_since_ms = event.at_ms - sent_ms_ago - NEWS_TAKES_MS;
            let bare = bare && leg.stop_fell_ms.is_none_or(|fell_ms| fell_ms < told_since_ms);
            (was_its_stop && bare).then_some((name, algo.client.as_str()))
        })
    }

    /// Notional by symbol: legs at the mark, and what our resting openings may still add.
    pub(super) fn exposures(&self, venue: &Venue) -> BTreeMap<String, Decimal> {
        let mut exposures: BTreeMap<String, Decimal> = BTreeMap::new();
        for (name, leg) in self.legs.iter().filter(|(_, leg)| !leg.qty.is_zero()) {
            let mark =
                venue.symbol_id(&name.symbol).and_then(|id| venue.prices(id)).map(|prices| prices.mark);
            *exposures.entry(name.symbol.clone()).or_default() += leg.qty * mark.unwrap_or_default();
        }
        for order in self.plain.values().filter(|order| order.open && order.opens && is_ours(&order.client)) {
            *exposures.entry(order.leg.symbol.clone()).or_default() += order.left * order.price;
        }
        exposures
    }
}

impl LegName {
    /// `None` in one-way mode.
    pub(super) fn of(symbol: &str, side: PositionSide) -> Option<Self> {
        let short = match side {
            PositionSide::Long => false,
            PositionSide::Short => true,
            PositionSide::Both => return None,
        };
        Some(Self { symbol: symbol.to_owned(), short })
    }
}
