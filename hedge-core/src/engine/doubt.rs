//! What is not known, or known twice: queries, proof of absence, reconciliation.

use super::run::{Cx, Engine};
use super::step::Effect;
use std::{borrow::Cow, time::Duration};

use rust_decimal::Decimal;

use crate::{
    event::{Decision, Event},
    id::{ClientOrderId, OrderPurpose},
    position::PositionKey,
    reconcile::Difference,
    venue::{Fill, OrderRef, OrderReport, ReportedState},
};

/// How far clocks of venues may be apart when fills are compared with decisions.
const CLOCK_MARGIN: Duration = Duration::from_secs(5);
/// How far before its decision fills of an order are asked for.
const FILLS_OVERLAP: Duration = Duration::from_secs(60);
/// How long a second read waits that confirms a difference.
const REREAD_AFTER: Duration = Duration::from_secs(5);

impl Engine {
    pub(super) fn due(&mut self, cx: &mut Cx<'_>) {
        let questions: Vec<ClientOrderId> = self.book.questions().map(|order| order.client_id).collect();
        for id in questions {
            self.query_if_due(cx, &id);
        }
        let flattening: Vec<PositionKey> = self.book.legs_to_flatten().copied().collect();
        for key in flattening {
            self.drive_flat(cx, &key);
        }
        let bare: Vec<PositionKey> = self
            .book
            .open_legs()
            .filter(|leg| {
                leg.unprotected_since.is_some_and(|since| cx.at >= since.plus(self.config.protect_within))
            })
            .map(|leg| leg.key)
            .filter(|key| self.wants_stop(key) && !self.is_being_closed(key) && !self.book.must_flatten(key))
            .collect();
        for key in bare {
            if self.is_adopted(&key) {
                // Somebody else's position is protected again and again, never closed.
                if self.next_guard(&key).is_none_or(|due| cx.at >= due) {
                    self.stamp(&key, cx.at);
                    self.protect_new(cx, &key, None);
                }
                continue;
            }
            let text = format!(
                "{key} has no confirmed stop after {:?}; closing it at the market",
                self.config.protect_within
            );
            self.alert(cx, Some(key), Cow::Owned(text));
            self.force_close(cx, &key, "no stop in time");
        }
        self.send_again_if_due(cx);
        self.validate(cx);
        self.name_lasting_unknown(cx);
        let doubtful: Vec<PositionKey> = self
            .book
            .open_legs()
            .filter(|leg| {
                leg.unprotected_since.is_some_and(|since| cx.at >= since.plus(self.config.protect_within))
            })
            .map(|leg| leg.key)
            .filter(|key| self.is_bare_in_doubt(key))
            .filter(|key| self.next_guard(key).is_none_or(|due| cx.at >= due))
            .collect();
        for key in doubtful {
            self.stamp(&key, cx.at);
            self.guard_in_doubt(cx, &key);
        }
        let bridged: Vec<PositionKey> =
            self.bridges.iter().filter(|(_, due)| cx.at >= *due).map(|(key, _)| *key).collect();
        self.bridges.retain(|(_, due)| cx.at < *due);
        for key in bridged {
            self.finish_bridge(cx, &key);
        }
        let differs =
            self.book.differing_legs().any(|(_, since)| cx.at >= since.plus(self.config.protect_within));
        if differs || self.reread_at.is_some_and(|due| cx.at >= due) {
            self.reread_at = None;
            self.ask_snapshot(cx);
        }
    }

    /// Asks about an order whose question is due.
    pub(super) fn query_if_due(&mut self, cx: &mut Cx<'_>, id: &ClientOrderId) {
        let due = self
            .book
            .order(id)
            .and_then(|order| order.doubt.as_ref())
            .is_some_and(|doubt| cx.at >= doubt.ask_at);
        if !due {
            return;
        }
        if self.book.order(id).is_some_and(|order| order.cancel_unsent) {
            // Nothing happened at the venue: what should go is cancelled again.
            let before = cx.step.effects.len();
            self.tidy(cx, id);
            if cx.step.effects.len() > before {
                return;
            }
        }
        self.query(cx, id);
    }

    pub(super) fn query(&mut self, cx: &mut Cx<'_>, id: &ClientOrderId) {
        let Some(order) = self.book.order(id) else { return };
        let effect = Effect::Query {
            order: *id,
            position: order.position,
            target: OrderRef::Client { id: *id, space: order.space() },
            since: order.not_before.minus(FILLS_OVERLAP),
        };
        self.record(cx, Event::Decision(Decision::QueryRequested { order: *id }));
        cx.step.effects.push(effect);
    }

    /// Whether a fill since the order was decided, on its leg and side, belongs to no order of this journal.
    pub(super) fn stranger_among(&self, id: &ClientOrderId, fills: &[Fill]) -> bool {
        self.book.order(id).is_some_and(|order| {
            let side = order.position.side.order_side(order.leg.action());
            fills.iter().any(|fill| {
                fill.instrument == order.position.instrument
                    && fill.side.leg() == Some(order.position.side)
                    && fill.order_side == side
                    && fill.venue_time.plus(CLOCK_MARGIN) >= order.not_before
                    && !self.book.is_older_than(fill, order.seq)
                    && !self.book.explains(fill)
            })
        })
    }

    /// Absence is proven only when the request can no longer be accepted, the order is not found twice after that, and
    /// nothing around it is unexplained.
    pub(super) fn judge_absence(
        &mut self,
        cx: &mut Cx<'_>,
        id: &ClientOrderId,
        leg_qty: Decimal,
        stranger: bool,
    ) {
        let Some(order) = self.book.order(id) else { return };
        let (key, Some(doubt)) = (order.position, &order.doubt) else { return };
        if doubt.absent < 2 {
            return;
        }
        if stranger || self.book.leg(&key).is_none_or(|leg| leg.qty != leg_qty) {
            let text = format!(
                "order {id} is not found, but {key} holds {leg_qty} at the venue or has fills that nothing explains: its fate stays open"
            );
            self.alert_once(cx, Some(key), text);
            self.ask_snapshot(cx);
            return;
        }
        self.record(cx, Event::Decision(Decision::AbsenceProven { order: *id }));
        self.react(cx);
    }

    /// After an answer: what should have gone and is still there is cancelled again.
    pub(super) fn tidy(&mut self, cx: &mut Cx<'_>, id: &ClientOrderId) {
        let Some((key, is_live)) = self.book.order(id).map(|order| (order.position, order.state.is_live()))
        else {
            return;
        };
        self.retire_older_stops(cx, &key);
        if !is_live {
            return;
        }
        self.sweep(cx, &key);
        self.withdraw_openings(cx, &key);
        self.drive_flat(cx, &key);
    }

    /// An order that counts as done, and that the venue says is open: answers of a replica far behind may have proven its absence.
    /// Nobody here would ever take it away again, and it would close, or open, at an old price.
    pub(super) fn end_undead(&mut self, cx: &mut Cx<'_>, id: &ClientOrderId, open_there: Option<OrderRef>) {
        let Some(open_there) = open_there else { return };
        let Some(order) = self.book.order(id).filter(|order| order.state.is_terminal()) else { return };
        let key = (order.position.instrument, open_there);
        if self.book.is_adopted(&key.0, &key.1) {
            return;
        }
        let is_open = self.book.leg(&order.position).is_some_and(|leg| leg.is_open());
        let leg = order.position;
        if order.purpose == OrderPurpose::Stop && is_open && !self.is_kept_without(&leg, id) {
            // It protects the leg, whatever the book says of it. The next comparison finds it again.
            let text = format!(
                "stop {id} counts as done and is open at the venue; it stays until another one stands"
            );
            return self.alert_once(cx, Some(leg), text);
        }
        let text = format!("order {id} counts as done and is open at the venue; it is cancelled there");
        self.alert_once(cx, Some(leg), text);
        self.dismiss(cx, key, "it counts as done", true);
    }

    pub(super) fn ask_snapshot(&mut self, cx: &mut Cx<'_>) {
        if !self.snapshot_pending {
            self.snapshot_pending = true;
            cx.step.effects.push(Effect::Snapshot { since: self.book.back_fill_from() });
        }
    }

    pub(super) fn settle(&mut self, cx: &mut Cx<'_>, differences: Vec<Difference>) {
        let mut suspects = Vec::new();
        let differing: Vec<PositionKey> = differences.iter().filter_map(Difference::leg).collect();
        for difference in differences {
            match &difference {
                Difference::LegSize { .. } | Difference::Wallet { .. } => {
                    // A read may race with fills that are on their way: only what differs twice is taken over, except
                    // by a process that has just started and has nothing on its way.
                    // An order in doubt may explain it: then its answer comes first.
                    let doubtful = matches!(&difference, Difference::LegSize { position, .. } if self.book.has_unsettled_doubt(position));
                    if doubtful {
                        suspects.push(difference);
                    } else if self.fresh_process
                        || self.suspects.iter().any(|seen| is_same_gap(seen, &difference))
                    {
                        if let Difference::LegSize { position, book, venue, .. } = &difference {
                            let text = format!(
                                "{position} is {venue} at the venue and was {book} in the book; the venue's word is taken"
                            );
                            self.alert(cx, Some(*position), Cow::Owned(text));
                        }
                        if let Difference::Wallet { asset, book, venue } = &difference {
                            let text = format!(
                                "the wallet holds {venue} {asset} at the venue and held {book} in the book; no income explains the difference, the venue's word is taken"
                            );
                            self.alert(cx, None, Cow::Owned(text));
                        }
                        self.record(cx, Event::Decision(Decision::Corrected { difference }));
                    } else {
                        suspects.push(difference);
                    }
                }
                Difference::Fee { .. } | Difference::Flow { .. } => {
                    self.record(cx, Event::Decision(Decision::Corrected { difference }));
                }
                Difference::Mode { venue } => {
                    let text =
                        format!("the account is in {venue:?} mode, not in hedge mode; nothing is opened");
                    self.alert_once(cx, None, text);
                    self.record(cx, Event::Decision(Decision::Corrected { difference }));
                }
                Difference::NotOpen { order, .. } | Difference::State { order, .. } => {
                    let order = *order;
                    self.query(cx, &order);
                }
                Difference::OwnOrder { report } | Difference::ForeignOrder { report } => {
                    self.meet(cx, report, &differing)
                }
                Difference::ForeignPosition { instrument, detail } => {
                    let text = format!(
                        "position {} {detail} is not traded here; it is left alone",
                        instrument.symbol
                    );
                    self.alert_once(cx, None, text);
                }
            }
        }
        if !suspects.is_empty() {
            // Far enough apart that a slow replica has caught up.
            self.reread_at = Some(cx.at.plus(REREAD_AFTER));
        }
        self.suspects = suspects;
        if self.fresh_process {
            // What an earlier process has sent, and what became of it since, is known only now.
            self.look_at_take_profits_soon(cx.at);
        }
        self.fresh_process = false;
        let bare: Vec<PositionKey> =
            self.book.open_legs().filter(|leg| leg.unprotected_since.is_some()).map(|leg| leg.key).collect();
        for key in bare {
            self.protect_new(cx, &key, None);
        }
        let busy: Vec<PositionKey> =
            self.book.legs().filter(|leg| !leg.live.is_empty()).map(|leg| leg.key).collect();
        for key in busy {
            self.retire_older_stops(cx, &key);
            self.sweep(cx, &key);
            self.withdraw_openings(cx, &key);
        }
        let flattening: Vec<PositionKey> = self.book.legs_to_flatten().copied().collect();
        for key in flattening {
            self.drive_flat(cx, &key);
        }
        self.insist_on_dismissals(cx);
    }
}

/// Whether an order rests, or waits for its price.
pub(super) const fn is_open(report: &OrderReport) -> bool {
    matches!(
        report.state,
        ReportedState::Working | ReportedState::PartiallyFilled | ReportedState::Triggering
    )
}

/// Whether two reads found the same thing missing, however much was traded in between.
fn is_same_gap(a: &Difference, b: &Difference) -> bool {
    match (a, b) {
        (
            Difference::LegSize { position: leg_a, book: book_a, venue: venue_a, .. },
            Difference::LegSize { position: leg_b, book: book_b, venue: venue_b, .. },
        ) => leg_a == leg_b && venue_a - book_a == venue_b - book_b,
        (
            Difference::Wallet { asset: asset_a, book: book_a, venue: venue_a },
            Difference::Wallet { asset: asset_b, book: book_b, venue: venue_b },
        ) => asset_a == asset_b && venue_a - book_a == venue_b - book_b,
        _ => a == b,
    }
}
