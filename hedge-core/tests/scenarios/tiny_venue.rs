//! An exchange of one symbol, small enough to be read at once: hedge mode, conditional orders, positions, a wallet.

use std::{collections::BTreeMap, time::Duration};

use hedge_core::*;

use crate::rig::*;

/// Numbers from a seed (xorshift).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
    pub(crate) fn percent(&mut self, p: u64) -> bool {
        self.below(100) < p
    }
}

#[derive(Clone, Debug)]
pub(crate) struct VenueOrder {
    pub(crate) sent: Sent,
    pub(crate) number: i64,
    pub(crate) child: Option<i64>,
    pub(crate) state: ReportedState,
    pub(crate) filled: Decimal,
    pub(crate) at: Timestamp,
}

impl VenueOrder {
    pub(crate) fn is_live(&self) -> bool {
        !self.state.is_terminal()
    }
    fn left(&self) -> Decimal {
        self.sent.qty - self.filled
    }
    fn is_plain_close(&self) -> bool {
        matches!(self.sent.leg, Leg::Close(Exit::Market | Exit::Limit { .. }, _))
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct VenueLeg {
    pub(crate) qty: Decimal,
    cost: Decimal,
}

#[derive(Debug)]
pub(crate) struct TinyVenue {
    pub(crate) now: Timestamp,
    pub(crate) mark: Decimal,
    pub(crate) orders: BTreeMap<ClientOrderId, VenueOrder>,
    pub(crate) legs: BTreeMap<PositionKey, VenueLeg>,
    pub(crate) wallet: Decimal,
    pub(crate) fills: Vec<Fill>,
    /// Refuses a second close-all stop of a leg.
    pub(crate) one_close_all: bool,
    /// Expires close-all stops when their leg becomes flat.
    pub(crate) expires_with_leg: bool,
    /// How far `userTrades` is behind positions and wallet.
    pub(crate) lag: Duration,
    next: i64,
    pub(crate) dice: Dice,
}

pub(crate) type Refused = (RejectReason, i64);

impl TinyVenue {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0xabcd);
        Self {
            now: Timestamp::from_ms(START_MS),
            mark: d("100"),
            orders: BTreeMap::new(),
            legs: [(long(), VenueLeg::default()), (short(), VenueLeg::default())].into(),
            wallet: d("10000"),
            fills: Vec::new(),
            one_close_all: dice.percent(50),
            expires_with_leg: dice.percent(50),
            lag: Duration::ZERO,
            next: 1_000,
            dice,
        }
    }

    fn number(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    /// What is left of a leg beside the closes that rest on it.
    fn available(&self, key: &PositionKey) -> Decimal {
        let resting: Decimal = self
            .orders
            .values()
            .filter(|order| order.is_live() && order.sent.position == *key && order.is_plain_close())
            .map(VenueOrder::left)
            .sum();
        self.legs[key].qty - resting
    }

    fn is_through(&self, sent: &Sent) -> bool {
        let Leg::Close(exit, _) = sent.leg else { return false };
        let up = sent.position.side == PositionSide::Long;
        match exit {
            Exit::StopMarket { trigger, .. } => {
                (self.mark <= trigger.get()) == up || self.mark == trigger.get()
            }
            Exit::TakeProfitMarket { trigger, .. } => {
                (self.mark >= trigger.get()) == up || self.mark == trigger.get()
            }
            _ => false,
        }
    }

    pub(crate) fn submit(
        &mut self,
        sent: &Sent,
        out: &mut Vec<AccountEvent>,
    ) -> Result<ReportedState, Refused> {
        assert!(!self.orders.contains_key(&sent.id), "{} was sent twice", sent.id);
        let key = sent.position;
        match sent.leg {
            Leg::Open(_) => {
                let other = self
                    .orders
                    .values()
                    .any(|o| o.is_live() && o.sent.position == key && matches!(o.sent.leg, Leg::Open(_)));
                assert!(!other, "a second entry of {key} is live");
            }
            Leg::Close(Exit::Market | Exit::Limit { .. }, _) => {
                if sent.qty > self.available(&key) {
                    return Err((RejectReason::NothingToClose, -2022));
                }
            }
            Leg::Close(_, covers) => {
                if self.is_through(sent) {
                    return Err((RejectReason::WouldTrigger, -2021));
                }
                let second = self.orders.values().any(|order| {
                    order.is_live() && order.sent.position == key && order.sent.is_close_all_stop()
                });
                if self.one_close_all && second && covers == Coverage::WholeLeg {
                    return Err((RejectReason::SecondCloseAll, -4130));
                }
            }
        }
        let number = self.number();
        let order = VenueOrder {
            sent: sent.clone(),
            number,
            child: None,
            state: ReportedState::Working,
            filled: Decimal::ZERO,
            at: self.now,
        };
        self.orders.insert(sent.id, order);
        self.match_order(&sent.id, out);
        self.tell(&sent.id, out);
        Ok(self.orders[&sent.id].state.clone())
    }

    fn match_order(&mut self, id: &ClientOrderId, out: &mut Vec<AccountEvent>) {
        let sent = self.orders[id].sent.clone();
        let (limit, tif) = match sent.leg {
            Leg::Open(Entry::Limit { price, tif }) | Leg::Close(Exit::Limit { price, tif }, _) => {
                (Some(price.get()), tif)
            }
            Leg::Close(Exit::Market, _) => (None, Tif::Ioc),
            _ => return,
        };
        let reaches = limit.is_none_or(|price| match sent.side {
            OrderSide::Buy => self.mark <= price,
            OrderSide::Sell => self.mark >= price,
        });
        if reaches {
            let whole = self.orders[id].left();
            let part = match self.dice.below(10) {
                0 => Decimal::ZERO,
                1 | 2 => (whole / d("2") / d("0.001")).trunc() * d("0.001"),
                _ => whole,
            };
            let pieces = if self.dice.percent(30) { 2 } else { 1 };
            let first = (part / Decimal::from(pieces) / d("0.001")).trunc() * d("0.001");
            let number = self.orders[id].number;
            for piece in [part - first, first] {
                self.execute(id, number, piece, out);
            }
        }
        if self.orders[id].is_live() && tif == Tif::Ioc {
            self.set_state(id, ReportedState::Expired);
        }
    }

    fn set_state(&mut self, id: &ClientOrderId, state: ReportedState) {
        let now = self.now;
        if let Some(order) = self.orders.get_mut(id) {
            order.state = state;
            order.at = now;
        }
    }

    fn execute(&mut self, id: &ClientOrderId, plain: i64, qty: Decimal, out: &mut Vec<AccountEvent>) {
        if qty <= Decimal::ZERO {
            return;
        }
        let order = self.orders.get_mut(id).unwrap();
        order.filled += qty;
        if !order.sent.is_conditional() {
            order.state =
                if order.left().is_zero() { ReportedState::Filled } else { ReportedState::PartiallyFilled };
        }
        let sent = order.sent.clone();
        let fill = self.book(sent.position, sent.side, plain, Some(ReportedId::Ours(*id)), qty);
        out.push(self.sizes(&sent.position));
        out.push(AccountEvent::Fill { fill });
        self.after_execution(&sent.position, out);
    }

    fn book(
        &mut self,
        key: PositionKey,
        side: OrderSide,
        plain: i64,
        client_id: Option<ReportedId>,
        qty: Decimal,
    ) -> Fill {
        let leg = self.legs.get_mut(&key).unwrap();
        let closes = side == key.side.order_side(Action::Close);
        let mut realized = Decimal::ZERO;
        if closes {
            assert!(qty <= leg.qty, "{key}: {qty} of {} closed", leg.qty);
            let share = if qty == leg.qty { leg.cost } else { (leg.cost * qty / leg.qty).round_dp(8) };
            realized = ((qty * self.mark - share) * Decimal::from(key.side.sign())).round_dp(8);
            leg.qty -= qty;
            leg.cost -= share;
        } else {
            leg.qty += qty;
            leg.cost += qty * self.mark;
        }
        let fee = (qty * self.mark * d("0.0004")).round_dp(8);
        self.wallet += realized - fee;
        let fill = Fill {
            instrument: key.instrument,
            trade_id: TradeId(self.number()),
            order: VenueOrderId(plain),
            client_id,
            side: key.side.into(),
            order_side: side,
            qty: Qty::new(qty).unwrap(),
            price: Price::new(self.mark).unwrap(),
            fee: Amount::usdt(fee),
            realized: Some(SignedAmount::from_decimal(realized)),
            maker: false,
            venue_time: self.now,
        };
        self.fills.push(fill.clone());
        fill
    }

    /// The new size of a leg; told before the execution that made it.
    fn sizes(&self, key: &PositionKey) -> AccountEvent {
        let qty = self.legs[key].qty;
        let row = LegSize { instrument: key.instrument, side: key.side.into(), qty, entry: None };
        AccountEvent::Legs { legs: vec![row], venue_time: self.now }
    }

    fn after_execution(&mut self, key: &PositionKey, out: &mut Vec<AccountEvent>) {
        let ids: Vec<ClientOrderId> = self.live_of(key);
        for id in ids {
            let order = &self.orders[&id];
            let flat = self.legs[key].qty.is_zero();
            let gone = order.sent.is_close_all_stop()
                && order.state == ReportedState::Working
                && flat
                && self.expires_with_leg;
            let useless = order.is_plain_close() && self.available(key) < Decimal::ZERO;
            if gone || useless {
                self.set_state(&id, ReportedState::Expired);
                self.tell(&id, out);
            }
        }
    }

    fn live_of(&self, key: &PositionKey) -> Vec<ClientOrderId> {
        self.orders
            .iter()
            .filter(|(_, order)| order.is_live() && order.sent.position == *key)
            .map(|(id, _)| *id)
            .collect()
    }

    /// The price moves: resting limits fill, triggers fire.
    pub(crate) fn move_to(&mut self, mark: Decimal, out: &mut Vec<AccountEvent>) {
        self.mark = mark;
        for key in [long(), short()] {
            for id in self.live_of(&key) {
                if !self.orders[&id].is_live() {
                    continue;
                }
                if self.orders[&id].sent.is_conditional() {
                    if self.is_through(&self.orders[&id].sent) {
                        self.fire(&id, out);
                    }
                } else {
                    let before = self.orders[&id].filled;
                    self.match_order(&id, out);
                    if self.orders[&id].filled != before {
                        self.tell(&id, out);
                    }
                }
            }
        }
    }

    fn fire(&mut self, id: &ClientOrderId, out: &mut Vec<AccountEvent>) {
        let child = self.number();
        let order = self.orders.get_mut(id).unwrap();
        let (key, whole, qty) = (order.sent.position, order.sent.is_close_all_stop(), order.sent.qty);
        order.child = Some(child);
        self.set_state(id, ReportedState::Triggered);
        self.tell(id, out);
        let available = self.available(&key).max(Decimal::ZERO);
        let mut left = if whole { available } else { qty.min(available) };
        if self.dice.percent(10) {
            left = (left / d("2") / d("0.001")).trunc() * d("0.001");
        }
        self.execute(id, child, left, out);
        let mut report = self.report(id);
        report.order = OrderRef::Plain(VenueOrderId(child));
        report.kind = ReportedKind::Market;
        report.state = if left.is_zero() { ReportedState::Expired } else { ReportedState::Filled };
        out.push(AccountEvent::Order { report });
        self.set_state(id, ReportedState::Finished);
        self.tell(id, out);
    }

    pub(crate) fn cancel(&mut self, id: &ClientOrderId, out: &mut Vec<AccountEvent>) -> Result<(), Refused> {
        match self.orders.get(id) {
            Some(order) if order.is_live() => {
                self.set_state(id, ReportedState::Canceled);
                self.tell(id, out);
                Ok(())
            }
            _ => Err((RejectReason::NotFound, -2011)),
        }
    }

    pub(crate) fn report(&self, id: &ClientOrderId) -> OrderReport {
        let order = &self.orders[id];
        let sent = &order.sent;
        OrderReport {
            instrument: sent.position.instrument,
            client_id: ReportedId::Ours(*id),
            order: self.name(id),
            side: sent.position.side.into(),
            order_side: sent.side,
            kind: sent.kind(),
            price: None,
            trigger: sent.trigger(),
            qty: Qty::new(sent.qty).ok(),
            filled: order.filled,
            average: None,
            covers: if sent.is_close_all_stop() { Coverage::WholeLeg } else { Coverage::Qty },
            state: order.state.clone(),
            reason: None,
            venue_time: order.at,
        }
    }

    pub(crate) fn name(&self, id: &ClientOrderId) -> OrderRef {
        let order = &self.orders[id];
        let number = VenueOrderId(order.number);
        if order.sent.is_conditional() {
            OrderRef::Algo { id: number, child: order.child.map(VenueOrderId) }
        } else {
            OrderRef::Plain(number)
        }
    }

    fn tell(&self, id: &ClientOrderId, out: &mut Vec<AccountEvent>) {
        out.push(AccountEvent::Order { report: self.report(id) });
    }

    /// As `userTrades` has them: without client ids, and the newest perhaps not yet.
    pub(crate) fn fills_since(&self, since: Timestamp) -> Vec<Fill> {
        let visible_until = self.now.minus(self.lag);
        self.fills
            .iter()
            .filter(|fill| fill.venue_time >= since && fill.venue_time <= visible_until)
            .map(|fill| Fill { client_id: None, ..fill.clone() })
            .collect()
    }

    pub(crate) fn answer(&self, id: &ClientOrderId, key: &PositionKey, since: Timestamp) -> QueryAnswer {
        QueryAnswer {
            venue_time: self.now,
            report: self.orders.contains_key(id).then(|| self.report(id)),
            fills: self.fills_since(since),
            leg_qty: self.legs[key].qty,
        }
    }

    pub(crate) fn account(&self, since: Timestamp) -> VenueSnapshot {
        let mut found = snapshot();
        found.account.venue_time = self.now;
        found.account.balances[0].wallet = SignedAmount::from_decimal(self.wallet);
        found.positions = self
            .legs
            .iter()
            .filter_map(|(key, leg)| {
                let qty = Qty::new(leg.qty).ok()?;
                Some(Position::new(*key, qty, Price::new((leg.cost / leg.qty).round_dp(8)).ok()?))
            })
            .collect();
        found.orders =
            self.orders.iter().filter(|(_, o)| o.is_live()).map(|(id, _)| self.report(id)).collect();
        found.fills = self.fills_since(since);
        found
    }

    /// A person at the web page closes a part of a leg.
    pub(crate) fn person_closes(&mut self, key: &PositionKey, out: &mut Vec<AccountEvent>) {
        let part = (self.available(key) / d("3") / d("0.001")).trunc() * d("0.001");
        if part > Decimal::ZERO {
            let number = self.number();
            let id = Some(ReportedId::parse(&format!("web_{number}")));
            let fill = self.book(*key, key.side.order_side(Action::Close), number, id, part);
            out.push(self.sizes(key));
            out.push(AccountEvent::Fill { fill });
            self.after_execution(key, out);
        }
    }
}
