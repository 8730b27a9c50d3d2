//! Turns records into rows. The book that is folded on the way knows what a record alone does not say.

use std::{borrow::Cow, collections::BTreeMap};

use hedge_core::{
    AccountEvent, Book, ClientOrderId, Decimal, Decision, Envelope, Event, Fact, Guard, PositionKey, Seq,
    Verdict, book::Change,
};
use rusqlite::Connection;

use super::{
    orders::{Touched, touched},
    tables::{self, About, Origin},
};

/// The fold behind the tables.
#[derive(Debug)]
pub(super) struct Projector {
    book: Book,
    changes: Vec<Change>,
    /// Size and cost of each leg that ever was open, as last written.
    legs: BTreeMap<PositionKey, (Decimal, Decimal)>,
    /// The minute of the last row of `nav`.
    minute: i64,
    /// Orders whose rows are due.
    due: Vec<ClientOrderId>,
}

impl Projector {
    /// Goes on from a book, and from the minute of the last NAV row.
    pub(super) fn new(book: Book, minute: i64) -> Self {
        let legs = book.open_legs().map(|leg| (leg.key, (leg.qty, leg.cost))).collect();
        Self { book, changes: Vec::new(), legs, minute, due: Vec::new() }
    }

    /// What is folded so far.
    pub(super) const fn book(&self) -> &Book {
        &self.book
    }

    /// The place of the record that is folded next.
    pub(super) const fn next(&self) -> Seq {
        self.book.next_seq()
    }

    /// Takes a record whose rows are there already.
    pub(super) fn fold(&mut self, envelope: &Envelope) {
        self.book.apply(envelope, &mut self.changes);
        self.changes.clear();
        if moves_legs(&envelope.event) {
            for leg in self.book.legs() {
                note_leg(&mut self.legs, leg.key, (leg.qty, leg.cost));
            }
        }
    }

    /// Takes a record and writes its rows.
    pub(super) fn write(&mut self, conn: &Connection, envelope: &Envelope) -> rusqlite::Result<()> {
        let origin = Origin::of(envelope);
        let was_started = self.book.is_started();
        let touched = touched(envelope, &self.book);
        self.due.clear();
        if touched == Touched::Live {
            self.due.extend(self.book.live_orders().map(|order| order.client_id));
        }
        self.book.apply(envelope, &mut self.changes);
        self.changes.clear();
        match &envelope.event {
            Event::Fact(fact) => self.fact(conn, origin, fact, was_started)?,
            Event::Decision(decision) => write_decision(conn, origin, decision)?,
        }
        self.orders(conn, origin, touched)?;
        if moves_legs(&envelope.event) {
            for leg in self.book.legs() {
                if note_leg(&mut self.legs, leg.key, (leg.qty, leg.cost)) {
                    tables::leg(conn, origin, leg)?;
                }
            }
        }
        if matches!(envelope.event, Event::Fact(_)) && self.book.is_started() {
            let minute = tables::minute(envelope.at);
            if minute > self.minute {
                self.minute = minute;
                tables::nav(conn, origin, &self.book)?;
            }
        }
        Ok(())
    }

    fn fact(
        &self,
        conn: &Connection,
        origin: Origin,
        fact: &Fact,
        was_started: bool,
    ) -> rusqlite::Result<()> {
        match fact {
            Fact::RunStarted(started) => tables::run(conn, origin, started),
            Fact::Operator { command, because } => tables::operator(conn, origin, *command, because),
            Fact::Account { event } => match event.as_ref() {
                AccountEvent::Fill { fill } => tables::fill(conn, origin, fill),
                AccountEvent::CashFlow { flow } => tables::flow(conn, origin, flow),
                _ => Ok(()),
            },
            // What the first look at the account brings happened before this journal.
            Fact::Snapshot { snapshot } if was_started => {
                snapshot.fills.iter().try_for_each(|fill| tables::fill(conn, origin, fill))?;
                snapshot.flows.iter().try_for_each(|flow| tables::flow(conn, origin, flow))
            }
            Fact::QueryAnswered { answer, .. } => {
                answer.fills.iter().try_for_each(|fill| tables::fill(conn, origin, fill))
            }
            _ => Ok(()),
        }
    }

    fn orders(&mut self, conn: &Connection, origin: Origin, touched: Touched) -> rusqlite::Result<()> {
        match touched {
            Touched::None => return Ok(()),
            Touched::One(id) => self.due.push(id),
            Touched::Live => {
                self.due.extend(self.book.live_orders().map(|order| order.client_id));
                self.due.sort_unstable();
                self.due.dedup();
            }
        }
        for order in self.due.iter().filter_map(|id| self.book.order(id)) {
            tables::order(conn, origin, order)?;
        }
        Ok(())
    }
}

/// Whether it is news; a leg that was never open is none.
fn note_leg(
    legs: &mut BTreeMap<PositionKey, (Decimal, Decimal)>,
    key: PositionKey,
    now: (Decimal, Decimal),
) -> bool {
    match legs.get_mut(&key) {
        Some(known) if *known == now => false,
        Some(known) => {
            *known = now;
            true
        }
        None if now.0.is_zero() => false,
        None => {
            legs.insert(key, now);
            true
        }
    }
}

/// Whether a record can change the size of a leg.
fn moves_legs(event: &Event) -> bool {
    match event {
        Event::Fact(Fact::Account { event }) => {
            matches!(event.as_ref(), AccountEvent::Fill { .. } | AccountEvent::Order { .. })
        }
        Event::Fact(Fact::Snapshot { .. } | Fact::QueryAnswered { .. } | Fact::SubmitAcked { .. })
        | Event::Decision(Decision::Corrected { .. }) => true,
        _ => false,
    }
}

fn write_decision(conn: &Connection, origin: Origin, decision: &Decision) -> rusqlite::Result<()> {
    let (kind, about) = describe(decision);
    tables::decision(conn, origin, kind, &about)?;
    match decision {
        Decision::Assessed { checks, .. } => tables::checks(conn, origin, checks),
        _ => Ok(()),
    }
}

const fn guard_word(guard: Guard) -> &'static str {
    match guard {
        Guard::Stop => "stop",
        Guard::TakeProfit { .. } => "take_profit",
    }
}

fn describe(decision: &Decision) -> (&'static str, About<'_>) {
    match decision {
        Decision::Screened { strategy, reading } => (
            "screened",
            About {
                strategy: Some(strategy),
                instrument: Some(&reading.instrument),
                side: reading.side,
                outcome: Some(Cow::Borrowed(if reading.emitted { "emitted" } else { "vetoed" })),
                because: (!reading.veto.is_empty()).then(|| Cow::Owned(reading.veto.join(" "))),
                ..About::default()
            },
        ),
        Decision::Intended { strategy, intent } => {
            let position = intent.position();
            (
                "intended",
                About {
                    strategy: Some(strategy),
                    instrument: position.map(|position| &position.instrument),
                    side: position.map(|position| position.side),
                    because: Some(Cow::Borrowed(intent.because())),
                    detail: serde_json::to_string(intent).ok(),
                    ..About::default()
                },
            )
        }
        Decision::Assessed { position, verdict, .. } => {
            let (outcome, rule, qty) = match verdict {
                Verdict::Approve => ("approve", None, None),
                Verdict::Shrink { to } => ("shrink", None, Some(to.get())),
                Verdict::Refuse { rule } => ("refuse", Some(rule.as_ref()), None),
            };
            ("assessed", About { outcome: Some(Cow::Borrowed(outcome)), rule, qty, ..leg(position) })
        }
        Decision::OrderApproved { client_id, strategy, position, qty, .. } => (
            "order_approved",
            About {
                strategy: strategy.as_ref(),
                client_id: Some(client_id.as_str()),
                qty: Some(qty.get()),
                ..leg(position)
            },
        ),
        Decision::CancelRequested { order, because } => ("cancel_requested", order_and_why(order, because)),
        Decision::QueryRequested { order } => {
            ("query_requested", About { client_id: Some(order.as_str()), ..About::default() })
        }
        Decision::FlattenRequested { position, because } => {
            ("flatten_requested", About { because: Some(Cow::Borrowed(because)), ..leg(position) })
        }
        Decision::OrderAdopted { instrument, order } => (
            "order_adopted",
            About {
                instrument: Some(instrument),
                detail: serde_json::to_string(order).ok(),
                ..About::default()
            },
        ),
        Decision::AdoptedCancelRequested { instrument, order, because } => (
            "adopted_cancel_requested",
            About {
                instrument: Some(instrument),
                because: Some(Cow::Borrowed(because)),
                detail: serde_json::to_string(order).ok(),
                ..About::default()
            },
        ),
        Decision::AbsenceProven { order } => {
            ("absence_proven", About { client_id: Some(order.as_str()), ..About::default() })
        }
        Decision::PostureChanged { posture, because } => (
            "posture_changed",
            About {
                outcome: Some(Cow::Borrowed(tables::posture(*posture))),
                because: Some(Cow::Borrowed(because)),
                ..About::default()
            },
        ),
        Decision::Corrected { difference } => {
            let json = serde_json::to_value(difference).unwrap_or_default();
            let word = json.get("differs").and_then(|word| word.as_str()).map(str::to_owned);
            let about =
                About { outcome: word.map(Cow::Owned), detail: Some(json.to_string()), ..About::default() };
            ("corrected", about)
        }
        Decision::Alert { position, text } => {
            let of = position.as_ref().map(leg).unwrap_or_default();
            ("alert", About { because: Some(Cow::Borrowed(text)), ..of })
        }
        Decision::StopMissing { position, guard, since } => (
            "stop_missing",
            About {
                outcome: Some(Cow::Borrowed(guard_word(*guard))),
                detail: Some(serde_json::json!({ "guard": guard, "since": since.to_string() }).to_string()),
                ..leg(position)
            },
        ),
        Decision::StopRepaired { position, guard, after_ms } => (
            "stop_repaired",
            About {
                outcome: Some(Cow::Borrowed(guard_word(*guard))),
                detail: Some(serde_json::json!({ "guard": guard, "after_ms": after_ms }).to_string()),
                ..leg(position)
            },
        ),
        Decision::LegHalted { position, forced, because } => (
            "leg_halted",
            About {
                outcome: Some(Cow::Owned(tables::word(forced))),
                because: Some(Cow::Borrowed(because)),
                ..leg(position)
            },
        ),
        Decision::Muted { instrument, until, because } => (
            "muted",
            About {
                instrument: Some(instrument),
                because: Some(Cow::Borrowed(because)),
                detail: Some(serde_json::json!({ "until": until.to_string() }).to_string()),
                ..About::default()
            },
        ),
    }
}

fn leg(position: &PositionKey) -> About<'_> {
    About { instrument: Some(&position.instrument), side: Some(position.side), ..About::default() }
}

fn order_and_why<'a>(order: &'a ClientOrderId, because: &'a str) -> About<'a> {
    About { client_id: Some(order.as_str()), because: Some(Cow::Borrowed(because)), ..About::default() }
}
