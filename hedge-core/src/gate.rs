//! The only mint of [`Approved`]: quantises, checks, and writes down every rule it asked.

use std::{borrow::Cow, time::Duration};

use rust_decimal::Decimal;
use thiserror::Error;

use crate::{
    answers::Answers,
    book::Book,
    id::{ClientOrderId, InstrumentIx, OrderPurpose, StrategyId, Term},
    instrument::InstrumentSpec,
    money::{Bps, Price, Qty, difference, product, sum},
    order::{
        Approved, Close, Coverage, Entry, Exit, Leg, Order, Portion, Protection, Size, TakeProfit, Tif,
        TriggerBy,
    },
    position::{Action, OrderSide, Position, PositionKey, PositionMode, PositionSide},
    risk::{GateCheck, Posture, Proposal, RiskManager, Verdict},
    time::Timestamp,
};

/// The account keeps at least this many conditional orders free for protection.
const RESERVED_CONDITIONAL_ORDERS: u32 = 10;
/// How many conditional orders an account may hold. Source: Binance USD-M change notice 2025-12-29 (fact sheet 0.1, row 3).
const MAX_CONDITIONAL_ORDERS: u32 = 200;

/// A venue wants an order's end further ahead than 600 s; one more for the way there. Source: fact sheet 4.4, `goodTillDate`.
const LEAST_REST: Duration = Duration::from_secs(601);

/// Why the gate did not let something through.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{rule}: {detail}")]
pub struct Refusal {
    /// The rule that refused.
    pub rule: Cow<'static, str>,
    /// What it found.
    pub detail: String,
}

/// What an opening asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenRequest<'a> {
    pub(crate) strategy: StrategyId,
    pub(crate) position: PositionKey,
    pub(crate) instrument: InstrumentIx,
    pub(crate) size: Size,
    pub(crate) entry: &'a Entry,
    pub(crate) protection: &'a Protection,
}

/// Gatekeeper of one instrument at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    spec: &'a InstrumentSpec,
    term: Term,
    now: Timestamp,
    max_slippage: Bps,
    approval_ttl: Duration,
    vanish_after: Option<Duration>,
}

impl<'a> Gate<'a> {
    /// A gate that can only close: all that panic close needs.
    pub const fn for_closing(spec: &'a InstrumentSpec, term: Term) -> Self {
        Self::new(spec, term, Timestamp::EPOCH, None, Duration::ZERO)
    }

    pub(crate) const fn new(
        spec: &'a InstrumentSpec,
        term: Term,
        now: Timestamp,
        max_slippage: Option<Bps>,
        approval_ttl: Duration,
    ) -> Self {
        let max_slippage = match max_slippage {
            Some(bps) => bps,
            None => Bps::ZERO,
        };
        Self { spec, term, now, max_slippage, approval_ttl, vanish_after: None }
    }

    /// The same gate, whose resting openings vanish at the venue after that time.
    pub(crate) const fn vanishing(self, after: Option<Duration>) -> Self {
        Self { vanish_after: after, ..self }
    }

    /// Asks every rule, writes every answer down, and approves only if all agree.
    pub(crate) fn open(
        &self,
        id: ClientOrderId,
        request: &OpenRequest<'_>,
        book: &Book,
        risk: &dyn RiskManager,
        answers: &mut Answers,
    ) -> Result<(Approved<Order>, Protection), Verdict> {
        self.standing_rules(request, book, answers);
        let Some(mark) = book.mark(request.instrument).map(|(mark, _)| mark) else {
            answers.holds_or("mark_known", false, || Cow::Borrowed("no mark price yet"));
            return Err(answers.refusal());
        };
        let side = request.position.side.order_side(Action::Open);
        let Some((entry, price)) = self.entry(request.entry, mark, side, answers) else {
            return Err(answers.refusal());
        };
        let protection = self.protection(request, mark, answers);
        let Some(qty) = self.size(request.size, price, answers) else { return Err(answers.refusal()) };
        let mut verdict = match self.ask_risk(request, &entry, price, qty, book, risk, answers) {
            Some(verdict) => verdict,
            None => return Err(answers.refusal()),
        };
        if answers.is_refused() {
            verdict = verdict.stricter(answers.refusal());
        }
        let qty = match verdict {
            Verdict::Approve => qty,
            Verdict::Shrink { to } => {
                let shrunk = self.spec.floor_qty(to.get().min(qty.get()), &self.spec.lot);
                let notional = shrunk.map_or(Decimal::ZERO, |qty| qty.get() * price.get());
                let enough = answers.at_least("shrunk_notional", notional, self.spec.min_notional.get());
                match shrunk.filter(|_| enough) {
                    Some(qty) => qty,
                    None => return Err(Verdict::Refuse { rule: Cow::Borrowed("shrunk_notional") }),
                }
            }
            refuse @ Verdict::Refuse { .. } => return Err(refuse),
        };
        let Some(protection) = protection else { return Err(answers.refusal()) };
        let order = Order {
            client_id: id,
            position: request.position,
            leg: Leg::Open(entry),
            qty,
            purpose: OrderPurpose::Entry,
        };
        Ok((
            Approved { value: order, valid_until: Some(self.now.plus(self.approval_ttl)), term: self.term },
            protection,
        ))
    }

    /// Rules about who asks and in what state the world is.
    fn standing_rules(&self, request: &OpenRequest<'_>, book: &Book, answers: &mut Answers) {
        let key = &request.position;
        let posture = book.posture();
        answers
            .holds_or("posture", posture == Posture::Normal, || Cow::Owned(format!("posture is {posture}")));
        answers.holds_or("account_stream", book.is_connected(), || {
            Cow::Borrowed("the account stream is not connected")
        });
        answers.holds("instrument_trading", self.spec.is_trading());
        let hedge = book.mode() == Some(PositionMode::Hedge) && self.spec.mode == PositionMode::Hedge;
        answers.holds("hedge_mode", hedge);
        let leg = book.leg_at(request.instrument, key.side);
        let owner = leg.and_then(|leg| leg.owner);
        // An open leg without an owner is somebody else's position.
        let mine = match &owner {
            Some(owner) => *owner == request.strategy,
            None => leg.is_none_or(|leg| !leg.is_open()),
        };
        answers.holds_or("leg_owner", mine, || match owner {
            Some(owner) => Cow::Owned(format!("leg belongs to {owner}")),
            None => Cow::Borrowed("leg holds a position that no strategy opened"),
        });
        answers.holds("outcome_known", !book.has_doubt(key));
        answers.holds("entry_in_flight", !leg.is_some_and(|leg| book.has_opening(leg)));
        answers.holds("leg_not_closing", !book.must_flatten(key));
        match book.leg_halt(key) {
            None => answers.at_most("leg_halted", Decimal::ZERO, Decimal::ZERO),
            Some(halt) => {
                let mut check = GateCheck::at_most("leg_halted", Decimal::ONE, Decimal::ZERO);
                check.note = Some(Cow::Owned(format!("{} at {}; resume it", halt.forced, halt.since)));
                answers.push(check);
                false
            }
        };
        let muted = book.muted_until(&key.instrument).filter(|&until| self.now < until);
        answers.holds_or("not_muted", muted.is_none(), || {
            Cow::Owned(muted.map_or_else(String::new, |until| format!("until {until}")))
        });
        let free = MAX_CONDITIONAL_ORDERS.saturating_sub(book.conditional_orders());
        answers.at_least("free_conditional_orders", free.into(), RESERVED_CONDITIONAL_ORDERS.into());
    }

    /// The order's own terms: a market entry becomes an IOC limit at mark plus or minus the allowed slippage.
    fn entry(
        &self,
        wanted: &Entry,
        mark: Price,
        side: OrderSide,
        answers: &mut Answers,
    ) -> Option<(Entry, Price)> {
        let entry = match wanted {
            Entry::Market => {
                let slip = self.max_slippage.ratio().get();
                let reach = match side {
                    OrderSide::Buy => product(&mark.get(), &sum(&Decimal::ONE, &slip)),
                    OrderSide::Sell => product(&mark.get(), &difference(&Decimal::ONE, &slip)),
                };
                self.spec.passive_price(reach, side).map(|price| (price, Tif::Ioc))
            }
            Entry::Limit { price, tif } => {
                self.spec.passive_price(price.get(), side).map(|p| (p, self.bounded(*tif, answers)))
            }
        };
        let Some((price, tif)) = entry else {
            answers.holds_or("price_bounds", false, || Cow::Borrowed("outside the instrument's price range"));
            return None;
        };
        let band = match side {
            OrderSide::Buy => self.spec.price_band_up,
            OrderSide::Sell => self.spec.price_band_down,
        };
        if let Some(multiple) = band {
            let bound = product(&mark.get(), &multiple);
            match side {
                OrderSide::Buy => answers.at_most("price_band", price.get(), bound),
                OrderSide::Sell => answers.at_least("price_band", price.get(), bound),
            };
        }
        Some((Entry::Limit { price, tif }, price))
    }

    /// How long an opening may rest: what asks for longer than is allowed vanishes then. An order that may only be a maker
    /// cannot carry an end besides (fact sheet 4.4, `timeInForce`), and what never rests needs none.
    fn bounded(&self, tif: Tif, answers: &mut Answers) -> Tif {
        let latest = self.vanish_after.map(|after| self.now.plus(after));
        match (tif, latest) {
            (Tif::Gtc, Some(until)) => Tif::Gtd { until },
            (Tif::Gtd { until }, latest) => {
                let ahead_s = Decimal::from(until.since(self.now).as_secs());
                answers.at_least("rests_s", ahead_s, Decimal::from(LEAST_REST.as_secs()));
                Tif::Gtd { until: latest.map_or(until, |latest| latest.min(until)) }
            }
            (other, _) => other,
        }
    }

    /// Protection on the price grid, on the right side of the mark.
    fn protection(
        &self,
        request: &OpenRequest<'_>,
        mark: Price,
        answers: &mut Answers,
    ) -> Option<Protection> {
        match request.protection {
            Protection::Unprotected { .. } => {
                answers.push(GateCheck::holds("protection", true, Cow::Borrowed("unprotected on purpose")));
                Some(request.protection.clone())
            }
            Protection::Stop { trigger, take_profits } => {
                let stop = self
                    .spec
                    .round_price(trigger.get())
                    .filter(|&trigger| is_beyond(request.position.side, mark, trigger));
                let rungs: Vec<TakeProfit> = take_profits
                    .iter()
                    .filter_map(|rung| {
                        let trigger = self.spec.round_price(rung.trigger.get())?;
                        is_beyond(request.position.side, trigger, mark)
                            .then_some(TakeProfit { trigger, portion: rung.portion })
                    })
                    .collect();
                answers.holds_or("protection", stop.is_some(), || {
                    Cow::Owned(format!("stop {trigger} is not on the losing side of mark {mark}"))
                });
                Some(Protection::Stop { trigger: stop?, take_profits: rungs })
            }
        }
    }

    fn size(&self, size: Size, price: Price, answers: &mut Answers) -> Option<Qty> {
        let wanted = match size {
            Size::Qty(qty) => qty.get(),
            Size::Notional(notional) => notional.get().checked_div(price.get()).unwrap_or_default(),
        };
        let qty = self.spec.floor_qty(wanted, &self.spec.lot);
        let found = qty.map_or_else(|| wanted.round_dp(12), Qty::get);
        answers.at_least("min_qty", found, self.spec.lot.min);
        let qty = qty?;
        let notional = product(&qty.get(), &price.get());
        answers.at_least_or("venue_min_notional", notional, self.spec.min_notional.get(), || {
            Cow::Borrowed("raise capital_per_trade or drop the instrument")
        });
        Some(qty)
    }

    #[allow(clippy::too_many_arguments)] // one call site; a struct would only rename the list
    fn ask_risk(
        &self,
        request: &OpenRequest<'_>,
        entry: &Entry,
        price: Price,
        qty: Qty,
        book: &Book,
        risk: &dyn RiskManager,
        answers: &mut Answers,
    ) -> Option<Verdict> {
        let notional = price.checked_mul(qty).ok()?;
        let proposal = Proposal {
            position: request.position,
            instrument: request.instrument,
            spec: self.spec,
            strategy: request.strategy,
            qty,
            price,
            notional,
            entry,
            protection: request.protection,
            book,
            now: self.now,
        };
        Some(risk.assess(&proposal, answers))
    }

    /// Approves a close. Takes the position itself, so a close larger than what is open cannot be written down.
    ///
    /// Pass the position *less* what own resting closing orders may still take. Errors: [`Refusal`] when nothing on the
    /// quantity grid is left, or the price is outside the instrument's range.
    pub fn close(
        &self,
        id: ClientOrderId,
        position: &Position,
        portion: &Portion,
        exit: &Exit,
    ) -> Result<Approved<Close>, Refusal> {
        let purpose = match exit {
            Exit::TakeProfitMarket { .. } => OrderPurpose::TakeProfit,
            _ => OrderPurpose::Close,
        };
        self.close_as(id, position, portion, exit, purpose)
    }

    /// A close for a stated purpose: a stop by quantity that stands in for the close-all stop is still the stop.
    pub(crate) fn close_as(
        &self,
        id: ClientOrderId,
        position: &Position,
        portion: &Portion,
        exit: &Exit,
        purpose: OrderPurpose,
    ) -> Result<Approved<Close>, Refusal> {
        let held = position.qty().get();
        let wanted = match portion {
            Portion::All => held,
            Portion::Qty(qty) => qty.get().min(held),
            Portion::Fraction(ratio) => (held * ratio.get()).clamp(Decimal::ZERO, held),
        };
        let lot = match exit {
            Exit::Limit { .. } => &self.spec.lot,
            _ => &self.spec.market_lot,
        };
        let qty = match portion {
            // A fraction smaller than one step still closes one step.
            Portion::Fraction(_) => self
                .spec
                .floor_qty(wanted, lot)
                .or_else(|| self.spec.ceil_qty(wanted, lot).filter(|qty| qty.get() <= held)),
            _ => self.spec.floor_qty(wanted, lot),
        }
        .ok_or_else(|| Refusal {
            rule: Cow::Borrowed("close_qty"),
            detail: format!("{wanted} of {held} is below the smallest quantity {}", lot.min),
        })?;
        let exit = self.exit_on_grid(position.key(), exit)?;
        Ok(self.approve_close(id, position.key(), qty, exit, Coverage::Qty, purpose))
    }

    /// Approves a close-all stop on the mark price. Errors: [`Refusal`] when the trigger is outside the price range.
    pub fn protect(
        &self,
        id: ClientOrderId,
        position: &Position,
        trigger: Price,
    ) -> Result<Approved<Close>, Refusal> {
        let exit = self.exit_on_grid(position.key(), &Exit::StopMarket { trigger, by: TriggerBy::Mark })?;
        let purpose = OrderPurpose::Stop;
        Ok(self.approve_close(id, position.key(), position.qty(), exit, Coverage::WholeLeg, purpose))
    }

    fn exit_on_grid(&self, key: &PositionKey, exit: &Exit) -> Result<Exit, Refusal> {
        let grid = |price: Price| {
            self.spec.round_price(price.get()).ok_or_else(|| Refusal {
                rule: Cow::Borrowed("price_bounds"),
                detail: format!("{price} is outside the price range of {}", key.instrument.symbol),
            })
        };
        Ok(match *exit {
            Exit::Market => Exit::Market,
            Exit::Limit { price, tif } => Exit::Limit { price: grid(price)?, tif },
            Exit::StopMarket { trigger, by } => Exit::StopMarket { trigger: grid(trigger)?, by },
            Exit::TakeProfitMarket { trigger, by } => Exit::TakeProfitMarket { trigger: grid(trigger)?, by },
            Exit::TrailingStop { activate, callback, by } => {
                Exit::TrailingStop { activate: activate.map(grid).transpose()?, callback, by }
            }
        })
    }

    fn approve_close(
        &self,
        id: ClientOrderId,
        key: &PositionKey,
        qty: Qty,
        exit: Exit,
        covers: Coverage,
        purpose: OrderPurpose,
    ) -> Approved<Close> {
        let order = Order { client_id: id, position: *key, leg: Leg::Close(exit, covers), qty, purpose };
        // A close never goes stale: late is better than never.
        Approved { value: Close(order), valid_until: None, term: self.term }
    }
}

/// Whether `beyond` is on the losing side of `from` for a leg (for a LONG: below).
pub(crate) fn is_beyond(side: PositionSide, from: Price, beyond: Price) -> bool {
    match side {
        PositionSide::Long => beyond < from,
        PositionSide::Short => beyond > from,
    }
}
