//! How much one market close may be, with the venue's rules or without them.

use std::collections::BTreeMap;

use hedge_core::{
    Asset, ClientOrderId, Decimal, Exit, Gate, InstrumentId, InstrumentSpec, InstrumentStatus, LotRule,
    Notional, Portion, Position, PositionKey, PositionMode, PositionSide, Price, Qty, Symbol, Term, Venue,
};

use super::venue::{CloseOrder, Held, HeldSide};

/// The symbols' rules, as far as they could be read.
#[derive(Debug, Default)]
pub(super) struct Rules(BTreeMap<Symbol, InstrumentSpec>);

/// What is known about a leg's quantity beyond the rules.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    /// The venue refused more than this.
    pub(super) at_most: Option<Decimal>,
    /// The venue refused a quantity that fits its rules: what it says is held is taken as it is.
    pub(super) as_held: bool,
}

impl Rules {
    pub(super) fn new(specs: Vec<InstrumentSpec>) -> Self {
        Self(specs.into_iter().map(|spec| (spec.id.symbol, spec)).collect())
    }

    /// Whether the venue lists the symbol.
    pub(super) fn knows(&self, symbol: &Symbol) -> bool {
        self.0.contains_key(symbol)
    }

    /// The venue's word for a symbol that does not trade normally.
    pub(super) fn oddity(&self, symbol: &Symbol) -> Option<&str> {
        match &self.0.get(symbol)?.status {
            InstrumentStatus::Trading => None,
            InstrumentStatus::NotTrading(word) => Some(word),
        }
    }

    /// The largest close of a position that one market order may be. `free` is the position less what resting closes may
    /// still take. `None` when nothing of it is free.
    pub(super) fn close(
        &self,
        id: ClientOrderId,
        term: Term,
        held: &Held,
        free: Decimal,
        limits: Limits,
    ) -> Option<CloseOrder> {
        let free = Qty::new(free.min(held.qty.get())).ok()?;
        let wanted = limits.at_most.and_then(|most| Qty::new(most.min(free.get())).ok()).unwrap_or(free);
        let known =
            self.0.get(&held.leg.symbol).filter(|spec| !limits.as_held && is_usable(&spec.market_lot));
        // Dust below the smallest order is offered as it is: only the venue can say whether it takes it.
        known
            .and_then(|spec| close_by(spec, id, term, held, wanted))
            .or_else(|| close_by(&made_up(held, wanted), id, term, held, wanted))
    }
}

/// A grid of zero, or one that does not fit the maximum, must not stop a close.
fn is_usable(lot: &LotRule) -> bool {
    lot.step > Decimal::ZERO && lot.max >= lot.step && lot.max.checked_div(lot.step).is_some()
}

fn close_by(
    spec: &InstrumentSpec,
    client_id: ClientOrderId,
    term: Term,
    held: &Held,
    wanted: Qty,
) -> Option<CloseOrder> {
    let side = match held.leg.side {
        HeldSide::Long => PositionSide::Long,
        HeldSide::Short => PositionSide::Short,
        HeldSide::Net => {
            let qty = spec.floor_qty(wanted.get(), &spec.market_lot)?;
            let (symbol, order_side) = (held.leg.symbol, held.closes_with);
            return Some(CloseOrder::Net { symbol, order_side, qty, client_id });
        }
    };
    let key = PositionKey::new(InstrumentId::new(Venue::Binance, held.leg.symbol), side);
    // The entry price plays no part in a market close.
    let entry = held.entry.or(held.mark).or_else(|| Price::new(Decimal::ONE).ok())?;
    let position = Position::new(key, held.qty, entry);
    let close =
        Gate::for_closing(spec, term).close(client_id, &position, &Portion::Qty(wanted), &Exit::Market);
    close.ok().map(CloseOrder::Leg)
}

/// Rules for a symbol of which only the position is known: its digits are the grid.
fn made_up(held: &Held, wanted: Qty) -> InstrumentSpec {
    let scale = held.qty.get().normalize().scale().max(wanted.get().normalize().scale()).min(28);
    let step = Decimal::new(1, scale);
    let lot = LotRule { min: step, max: held.qty.get(), step };
    InstrumentSpec {
        id: InstrumentId::new(Venue::Binance, held.leg.symbol),
        status: InstrumentStatus::Trading,
        base: Asset::usdt(),
        quote: Asset::usdt(),
        settle: Asset::usdt(),
        tick: step,
        min_price: None,
        max_price: None,
        lot,
        market_lot: lot,
        min_notional: Notional::ZERO,
        contract_size: Decimal::ONE,
        price_band_up: None,
        price_band_down: None,
        mode: PositionMode::Hedge,
        delivery: None,
    }
}

#[cfg(test)]
mod tests {
    use hedge_core::{OrderSide, Timestamp};

    use super::{super::venue::LegId, *};
    use crate::panic::PanicIds;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn held(side: HeldSide, qty: &str) -> Held {
        Held {
            leg: LegId { symbol: Symbol::parse("ETHUSDT").unwrap(), side },
            qty: Qty::parse(qty).unwrap(),
            closes_with: OrderSide::Sell,
            entry: None,
            mark: None,
            updated: None,
        }
    }

    fn rules(min: &str, max: &str, step: &str) -> Rules {
        let lot = LotRule { min: d(min), max: d(max), step: d(step) };
        let spec = made_up(&held(HeldSide::Long, "1"), Qty::parse("1").unwrap());
        Rules::new(vec![InstrumentSpec { market_lot: lot, lot, ..spec }])
    }

    fn qty(rules: &Rules, held: &Held, free: &str, limits: Limits) -> Option<String> {
        let id = PanicIds::new(Timestamp::EPOCH).another();
        rules.close(id, Term(1), held, d(free), limits).map(|order| order.qty().to_string())
    }

    #[test]
    fn a_leg_above_the_largest_market_order_is_closed_in_pieces() {
        let rules = rules("0.001", "120", "0.001");
        for side in [HeldSide::Long, HeldSide::Short, HeldSide::Net] {
            assert_eq!(qty(&rules, &held(side, "300.5"), "300.5", Limits::default()).unwrap(), "120");
            assert_eq!(qty(&rules, &held(side, "60.5"), "60.5", Limits::default()).unwrap(), "60.5");
        }
    }

    #[test]
    fn what_resting_closes_may_take_is_left_to_them() {
        let (rules, held) = (rules("0.001", "120", "0.001"), held(HeldSide::Short, "2"));
        assert_eq!(qty(&rules, &held, "0.5", Limits::default()).unwrap(), "0.5");
        assert_eq!(qty(&rules, &held, "0", Limits::default()), None);
        assert_eq!(qty(&rules, &held, "-1", Limits::default()), None);
        assert_eq!(qty(&rules, &held, "9", Limits::default()).unwrap(), "2", "never more than is held");
    }

    #[test]
    fn without_rules_the_position_itself_is_the_order() {
        let unknown = Rules::default();
        assert_eq!(
            qty(&unknown, &held(HeldSide::Long, "0.123"), "0.123", Limits::default()).unwrap(),
            "0.123"
        );
        let half = Limits { at_most: Some(d("0.061")), as_held: false };
        assert_eq!(qty(&unknown, &held(HeldSide::Long, "0.123"), "0.123", half).unwrap(), "0.061");
    }

    #[test]
    fn rules_that_make_no_sense_are_as_good_as_none() {
        for (max, step) in [("120", "0"), ("0", "0.001"), ("79228162514264337593543950335", "0.001")] {
            let rules = rules("0", max, step);
            assert_eq!(qty(&rules, &held(HeldSide::Short, "0.5"), "0.5", Limits::default()).unwrap(), "0.5");
        }
    }

    #[test]
    fn dust_below_the_smallest_order_is_offered_as_it_is() {
        let rules = rules("0.1", "120", "0.1");
        assert_eq!(qty(&rules, &held(HeldSide::Long, "0.04"), "0.04", Limits::default()).unwrap(), "0.04");
        assert_eq!(qty(&rules, &held(HeldSide::Long, "0.34"), "0.34", Limits::default()).unwrap(), "0.3");
        let as_held = Limits { at_most: None, as_held: true };
        assert_eq!(qty(&rules, &held(HeldSide::Long, "0.34"), "0.34", as_held).unwrap(), "0.34");
    }
}
