//! One record as numbers.

use hedge_core::{
    AccountEvent, Amount, Coverage, Decision, Envelope, Event, Fact, Fill, GateChecks, OrderRef, OrderReport,
    OrderSide, OrderSpace, Price, Qty, ReportedId, ReportedKind, ReportedSide, ReportedState, Seq,
    SignedAmount, Timestamp, TradeId, VenueOrderId, Verdict,
};

use super::forms::{IntentForm, OrderForm, leg_at, numbers_of, price_of, protected_at, stop_of};
use super::names::{LegNumber, Names};
use super::numbers::Numbers;

/// A record. Its place in the journal is its place among the rows.
#[derive(Debug)]
pub(super) struct Row {
    at: Timestamp,
    /// How many places before it its cause is; 0 for none.
    cause: u32,
    content: Content,
}

/// A record's content. Whatever these forms do not say is as it nearly always is: what differs is kept whole.
#[derive(Debug)]
enum Content {
    Whole(Box<Envelope>),
    /// Numbers: amount, price, stop.
    Intended {
        leg: LegNumber,
        form: u8,
        numbers: Numbers<3>,
    },
    /// An approval.
    Assessed {
        leg: LegNumber,
        checks: GateChecks,
    },
    /// Numbers: quantity, price, stop.
    Approved {
        leg: LegNumber,
        form: u8,
        id: u64,
        numbers: Numbers<3>,
    },
    /// Numbers: what is filled.
    Acked {
        space: OrderSpace,
        state: u8,
        id: u64,
        order: i64,
        numbers: Numbers<1>,
    },
    /// Numbers: price, quantity, filled, average, trigger.
    Order {
        instrument: u16,
        sides: Sides,
        space: OrderSpace,
        kind: u8,
        state: u8,
        id: u64,
        order: i64,
        numbers: Numbers<5>,
    },
    /// Numbers: quantity, price, fee, profit.
    Fill {
        instrument: u16,
        sides: Sides,
        asset: u8,
        maker: bool,
        id: u64,
        order: i64,
        trade: i64,
        numbers: Numbers<4>,
    },
}

/// Leg and side of the book.
#[derive(Clone, Copy, Debug)]
struct Sides(ReportedSide, OrderSide);

impl Row {
    /// A record that is to be the one at `seq`.
    #[inline]
    pub(super) fn of(record: &Envelope, seq: Seq, names: &mut Names) -> Self {
        let small = (record.seq == seq).then(|| Self::small(record, names)).flatten();
        small.unwrap_or_else(|| Self::whole(record))
    }

    #[inline]
    fn small(record: &Envelope, names: &mut Names) -> Option<Self> {
        let cause = match record.cause {
            None => 0,
            // Nothing is its own cause.
            Some(cause) => u32::try_from(record.seq.0.checked_sub(cause.0)?).ok().filter(|back| *back > 0)?,
        };
        Some(Self { at: record.at, cause, content: content(&record.event, record.at, names)? })
    }

    #[cold]
    fn whole(record: &Envelope) -> Self {
        Self { at: record.at, cause: 0, content: Content::Whole(Box::new(record.clone())) }
    }

    /// The record at `seq`. `None` never comes of a row that was made with these names.
    pub(super) fn record(&self, seq: Seq, names: &Names) -> Option<Envelope> {
        if let Content::Whole(record) = &self.content {
            return Some((**record).clone());
        }
        let cause = (self.cause > 0).then(|| Seq(seq.0 - u64::from(self.cause)));
        Some(Envelope { seq, at: self.at, cause, event: self.content.event(self.at, names)? })
    }

    /// The rule that refused an opening, if this row says so: an answer that is no approval is kept whole.
    pub(super) fn refused_by(&self) -> Option<&str> {
        let Content::Whole(record) = &self.content else { return None };
        match &record.event {
            Event::Decision(Decision::Assessed { verdict: Verdict::Refuse { rule }, .. }) => Some(rule),
            _ => None,
        }
    }
}

fn content(event: &Event, at: Timestamp, names: &mut Names) -> Option<Content> {
    match event {
        Event::Fact(Fact::Account { event }) => match &**event {
            AccountEvent::Order { report } => order(report, at, names),
            AccountEvent::Fill { fill } => execution(fill, at, names),
            _ => None,
        },
        Event::Fact(Fact::SubmitAcked { order, venue, state, filled }) => {
            let (space, venue) = number_of(venue)?;
            Some(Content::Acked {
                space,
                state: names.states.number_of(state)?,
                id: names.tail(order)?,
                order: venue.0,
                numbers: Numbers::of([Some(filled)])?,
            })
        }
        Event::Decision(Decision::Intended { strategy, intent }) => {
            let (position, numbers) = numbers_of(intent)?;
            let is_it = |known: &IntentForm| known.strategy == *strategy && known.fits(intent);
            let make = || IntentForm { strategy: *strategy, intent: intent.clone() };
            Some(Content::Intended {
                leg: names.leg_number(position)?,
                form: names.intents.number(is_it, make)?,
                numbers: Numbers::of(numbers.each_ref().map(Option::as_ref))?,
            })
        }
        Event::Decision(Decision::Assessed { position, checks, verdict: Verdict::Approve }) => {
            Some(Content::Assessed { leg: names.leg_number(position)?, checks: checks.clone() })
        }
        Event::Decision(Decision::OrderApproved {
            client_id,
            strategy,
            position,
            leg,
            qty,
            purpose,
            protection,
        }) => {
            let is_it = |known: &OrderForm| {
                known.strategy == *strategy
                    && known.purpose == *purpose
                    && known.fits(leg, protection.as_ref())
            };
            let make = || OrderForm {
                strategy: *strategy,
                leg: *leg,
                purpose: *purpose,
                protection: protection.clone(),
            };
            let stop = protection.as_ref().and_then(stop_of);
            let [price, stop] = [price_of(leg), stop].map(|price| price.map(Price::get));
            Some(Content::Approved {
                leg: names.leg_number(position)?,
                form: names.orders.number(is_it, make)?,
                id: names.tail(client_id)?,
                numbers: Numbers::of([Some(&qty.get()), price.as_ref(), stop.as_ref()])?,
            })
        }
        _ => None,
    }
}

/// The number of an order in its id space; `None` where more than that is known, or less.
#[inline]
const fn number_of(order: &OrderRef) -> Option<(OrderSpace, VenueOrderId)> {
    match order {
        OrderRef::Plain(id) => Some((OrderSpace::Plain, *id)),
        OrderRef::Algo { id, child: None } => Some((OrderSpace::Algo, *id)),
        OrderRef::Algo { .. } | OrderRef::Client { .. } => None,
    }
}

const fn named(space: OrderSpace, number: i64) -> OrderRef {
    let id = VenueOrderId(number);
    match space {
        OrderSpace::Plain => OrderRef::Plain(id),
        OrderSpace::Algo => OrderRef::Algo { id, child: None },
    }
}

fn order(report: &OrderReport, at: Timestamp, names: &mut Names) -> Option<Content> {
    let ReportedId::Ours(id) = &report.client_id else { return None };
    if report.venue_time != at || report.reason.is_some() {
        return None;
    }
    let (space, order) = number_of(&report.order)?;
    let is_it = |known: &(ReportedKind, Coverage)| known.0 == report.kind && known.1 == report.covers;
    let prices = [report.price, report.average, report.trigger].map(|price| price.map(Price::get));
    let [price, average, trigger] = prices.each_ref().map(Option::as_ref);
    let qty = report.qty.map(Qty::get);
    Some(Content::Order {
        instrument: names.instrument_number(&report.instrument)?,
        sides: Sides(report.side, report.order_side),
        space,
        kind: names.kinds.number(is_it, || (report.kind.clone(), report.covers))?,
        state: names.states.number_of(&report.state)?,
        id: names.tail(id)?,
        order: order.0,
        numbers: Numbers::of([price, qty.as_ref(), Some(&report.filled), average, trigger])?,
    })
}

fn execution(fill: &Fill, at: Timestamp, names: &mut Names) -> Option<Content> {
    let Some(ReportedId::Ours(id)) = &fill.client_id else { return None };
    if fill.venue_time != at {
        return None;
    }
    let (qty, price, fee) = (fill.qty.get(), fill.price.get(), fill.fee.value.get());
    let realized = fill.realized.map(SignedAmount::get);
    Some(Content::Fill {
        instrument: names.instrument_number(&fill.instrument)?,
        sides: Sides(fill.side, fill.order_side),
        asset: names.assets.number_of(&fill.fee.asset)?,
        maker: fill.maker,
        id: names.tail(id)?,
        order: fill.order.0,
        trade: fill.trade_id.0,
        numbers: Numbers::of([Some(&qty), Some(&price), Some(&fee), realized.as_ref()])?,
    })
}

impl Content {
    fn event(&self, at: Timestamp, names: &Names) -> Option<Event> {
        Some(match self {
            Self::Whole(record) => record.event.clone(),
            Self::Intended { leg, form, numbers } => {
                let form = names.intents.get(*form)?;
                let numbers = [0, 1, 2].map(|place| numbers.get(place));
                Event::Decision(Decision::Intended {
                    strategy: form.strategy,
                    intent: form.with(names.leg(*leg)?, numbers)?,
                })
            }
            Self::Assessed { leg, checks } => Event::Decision(Decision::Assessed {
                position: names.leg(*leg)?,
                checks: checks.clone(),
                verdict: Verdict::Approve,
            }),
            Self::Approved { leg, form, id, numbers } => {
                let form = names.orders.get(*form)?;
                let [price, stop] = [1, 2].map(|place| numbers.get(place).and_then(Price::of));
                Event::Decision(Decision::OrderApproved {
                    client_id: names.id(*id)?,
                    strategy: form.strategy,
                    position: names.leg(*leg)?,
                    leg: leg_at(form.leg, price),
                    qty: Qty::of(numbers.get(0)?)?,
                    purpose: form.purpose,
                    protection: form.protection.as_ref().map(|known| protected_at(known, stop)),
                })
            }
            Self::Acked { space, state, id, order, numbers } => Event::Fact(Fact::SubmitAcked {
                order: names.id(*id)?,
                venue: named(*space, *order),
                state: state_of(*state, names)?,
                filled: numbers.get(0)?,
            }),
            Self::Order { instrument, sides, space, kind, state, id, order, numbers } => {
                let (kind, covers) = names.kinds.get(*kind)?.clone();
                account(AccountEvent::Order {
                    report: OrderReport {
                        instrument: names.instrument(*instrument)?,
                        client_id: ReportedId::Ours(names.id(*id)?),
                        order: named(*space, *order),
                        side: sides.0,
                        order_side: sides.1,
                        kind,
                        price: numbers.get(0).and_then(Price::of),
                        trigger: numbers.get(4).and_then(Price::of),
                        qty: numbers.get(1).and_then(Qty::of),
                        filled: numbers.get(2)?,
                        average: numbers.get(3).and_then(Price::of),
                        covers,
                        state: state_of(*state, names)?,
                        reason: None,
                        venue_time: at,
                    },
                })
            }
            Self::Fill { instrument, sides, asset, maker, id, order, trade, numbers } => {
                account(AccountEvent::Fill {
                    fill: Fill {
                        instrument: names.instrument(*instrument)?,
                        trade_id: TradeId(*trade),
                        order: VenueOrderId(*order),
                        client_id: Some(ReportedId::Ours(names.id(*id)?)),
                        side: sides.0,
                        order_side: sides.1,
                        qty: Qty::of(numbers.get(0)?)?,
                        price: Price::of(numbers.get(1)?)?,
                        fee: Amount::new(*names.assets.get(*asset)?, numbers.get(2)?),
                        realized: numbers.get(3).map(SignedAmount::from_decimal),
                        maker: *maker,
                        venue_time: at,
                    },
                })
            }
        })
    }
}

fn account(event: AccountEvent) -> Event {
    Event::Fact(Fact::Account { event: Box::new(event) })
}

fn state_of(number: u8, names: &Names) -> Option<ReportedState> {
    names.states.get(number).cloned()
}
