//! How much may be open: per order, per symbol, in total, in legs, in orders.

use std::{borrow::Cow, collections::BTreeMap};

use hedge_core::{
    Action, Book, CheckVerdict, Decimal, Envelope, GateCheck, PositionKey, Proposal, Protection, RiskManager,
    Stance, Symbol, Timestamp, Verdict, Watches,
    money::{compare, difference, div_round, greatest, product, sum},
};

use crate::{config::RiskLimits, sizing::cut_back};

/// Every limit that needs no memory. Orders of unknown outcome count as filled.
///
/// A notional above a limit is cut back to what fits; when the venue would not take so little, it is refused.
#[derive(Clone, Debug)]
pub struct Limits {
    max_positions: u32,
    max_leverage: Decimal,
    per_order_usdt: Decimal,
    per_symbol_usdt: Decimal,
    total_usdt: Decimal,
    max_open_orders: u32,
    max_slippage_bps: Decimal,
    min_notional_usdt: Decimal,
    min_notional_by_symbol: BTreeMap<Symbol, Decimal>,
}

impl Limits {
    /// From the operators' limits.
    pub fn new(limits: &RiskLimits) -> Self {
        Self {
            max_positions: limits.max_positions,
            max_leverage: limits.max_leverage,
            per_order_usdt: limits.max_notional_per_order_usdt,
            per_symbol_usdt: limits.max_notional_per_symbol_usdt,
            total_usdt: limits.max_notional_total_usdt,
            max_open_orders: limits.max_open_orders,
            max_slippage_bps: limits.max_slippage_bps,
            min_notional_usdt: limits.min_notional_usdt,
            min_notional_by_symbol: limits.min_notional_by_symbol.clone(),
        }
    }

    fn positions(&self, proposal: &Proposal<'_>) -> GateCheck {
        let key = &proposal.position;
        let counted = proposal.book.is_occupied(key);
        let legs = proposal.book.occupied_legs() + usize::from(!counted);
        GateCheck::at_most("max_positions", Decimal::from(legs), Decimal::from(self.max_positions))
    }

    /// The opening itself, its stop and its take-profits.
    fn open_orders(&self, proposal: &Proposal<'_>) -> GateCheck {
        let brings = match proposal.protection {
            Protection::Stop { take_profits, .. } => 2 + take_profits.len(),
            Protection::Unprotected { .. } => 1,
        };
        let orders = Decimal::from(proposal.book.live_order_count() as usize + brings);
        GateCheck::at_most("max_open_orders", orders, Decimal::from(self.max_open_orders))
    }

    fn min_notional(&self, proposal: &Proposal<'_>) -> GateCheck {
        let own = self.min_notional_by_symbol.get(&proposal.position.instrument.symbol);
        let own = own.copied().unwrap_or(self.min_notional_usdt);
        let limit = greatest(own, proposal.spec.min_notional.get());
        let mut check = GateCheck::at_least("min_notional", proposal.notional.get(), limit);
        if !check.passed() {
            check.note = Some(Cow::Borrowed("raise capital_per_trade or drop the instrument"));
        }
        check
    }

    /// How much worse than mark the order may fill. The price grid may cost one tick on top.
    fn slippage(&self, proposal: &Proposal<'_>) -> GateCheck {
        let rule = "max_slippage_bps";
        let Some((mark, _)) = proposal.book.mark(proposal.instrument) else {
            return GateCheck::holds(rule, false, Cow::Borrowed("no mark price yet"));
        };
        let (mark, bps) = (mark.get(), Decimal::from(10_000));
        let sign = Decimal::from(proposal.position.side.sign());
        let worse = product(&difference(&proposal.price.get(), &mark), &sign);
        let mut check =
            GateCheck::at_most(rule, div_round(product(&worse, &bps), mark, 4), self.max_slippage_bps);
        let most = product(&mark, &self.max_slippage_bps);
        let fits = compare(&product(&difference(&worse, &proposal.spec.tick), &bps), &most).is_le();
        check.verdict = if fits { CheckVerdict::Pass } else { CheckVerdict::Refuse };
        check
    }

    fn leverage(&self, proposal: &Proposal<'_>, exposure: Decimal, checks: &mut Vec<GateCheck>) -> Verdict {
        let rule = "max_leverage";
        let equity = proposal.book.equity();
        if equity.is_sign_negative() || equity.is_zero() {
            checks.push(GateCheck::holds(rule, false, Cow::Borrowed("equity is not above zero")));
            return refuse(rule);
        }
        let limit_usdt = product(&self.max_leverage, &equity);
        let after = sum(&exposure, &proposal.notional.get());
        let mut check = GateCheck::at_most(rule, div_round(after, equity, 4), self.max_leverage);
        let verdict = fit(rule, proposal, exposure, limit_usdt, &mut check);
        checks.push(check);
        verdict
    }
}

/// What rules that cannot cut back say together: the first that does not pass refuses.
pub(crate) fn verdict_of(checks: &[GateCheck]) -> Verdict {
    match checks.iter().find(|check| !check.passed()) {
        Some(check) => Verdict::Refuse { rule: check.rule.clone() },
        None => Verdict::Approve,
    }
}

fn refuse(rule: &'static str) -> Verdict {
    Verdict::Refuse { rule: Cow::Borrowed(rule) }
}

/// Decides whether a proposal fits beside what is open, as it is or cut back.
fn fit(
    rule: &'static str,
    proposal: &Proposal<'_>,
    open: Decimal,
    limit: Decimal,
    check: &mut GateCheck,
) -> Verdict {
    if compare(&sum(&open, &proposal.notional.get()), &limit).is_le() {
        check.verdict = CheckVerdict::Pass;
        return Verdict::Approve;
    }
    match cut_back(limit - open, proposal.price, proposal.spec) {
        Some(to) => {
            check.verdict = CheckVerdict::Shrink;
            check.note = Some(Cow::Owned(format!("cut back to {to}")));
            Verdict::Shrink { to }
        }
        None => {
            check.verdict = CheckVerdict::Refuse;
            refuse(rule)
        }
    }
}

fn notional(
    rule: &'static str,
    proposal: &Proposal<'_>,
    open: Decimal,
    limit: Decimal,
    checks: &mut Vec<GateCheck>,
) -> Verdict {
    checks.push(GateCheck::at_most(rule, sum(&open, &proposal.notional.get()), limit));
    match checks.last_mut() {
        Some(check) if !check.passed() => fit(rule, proposal, open, limit, check),
        _ => Verdict::Approve,
    }
}

impl RiskManager for Limits {
    fn assess(&self, proposal: &Proposal<'_>, checks: &mut Vec<GateCheck>) -> Verdict {
        let book = proposal.book;
        let first = checks.len();
        checks.push(self.positions(proposal));
        checks.push(self.open_orders(proposal));
        checks.push(self.min_notional(proposal));
        checks.push(self.slippage(proposal));
        let verdict = verdict_of(&checks[first..]);
        let instrument = proposal.position.instrument;
        let [long, short] =
            [PositionKey::long(instrument), PositionKey::short(instrument)].map(|key| book.exposure(&key));
        let (of_symbol, total) = (sum(&long, &short), exposure(book));
        verdict
            .stricter(notional(
                "max_notional_per_order",
                proposal,
                Decimal::ZERO,
                self.per_order_usdt,
                checks,
            ))
            .stricter(notional("max_notional_per_symbol", proposal, of_symbol, self.per_symbol_usdt, checks))
            .stricter(notional("max_notional_total", proposal, total, self.total_usdt, checks))
            .stricter(self.leverage(proposal, total, checks))
    }
    fn posture(&self, _: &Book, _: Timestamp) -> Stance {
        Stance::NORMAL
    }
    fn observe(&mut self, _: &Envelope, _: &Book) {}
    fn mark(&mut self, _: &Book, _: Timestamp) {}
    fn watches(&self) -> Watches {
        Watches::NOTHING
    }
}

/// Notional of all legs and of all openings that may still fill.
pub(crate) fn exposure(book: &Book) -> Decimal {
    let exposed = book.legs_in_use().filter(|leg| is_exposed(book, leg));
    exposed.fold(Decimal::ZERO, |total, leg| sum(&total, &book.exposure(&leg.key)))
}

/// Whether a leg can have an exposure at all: cheaper to ask than the exposure.
pub(crate) fn is_exposed(book: &Book, leg: &hedge_core::LegState) -> bool {
    leg.is_open()
        || !leg.live.is_empty()
            && book.live_orders_of(&leg.key).any(|order| order.leg.action() == Action::Open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{World, dec, limits};

    fn check<'a>(checks: &'a [GateCheck], rule: &str) -> &'a GateCheck {
        checks.iter().find(|check| check.rule == rule).unwrap()
    }

    fn assess(world: &World, limits: &RiskLimits, qty: &str) -> (Verdict, Vec<GateCheck>) {
        world.assess(&Limits::new(limits), "ETHUSDT", "LONG", qty)
    }

    #[test]
    fn every_limit_is_answered_also_when_it_passes() {
        let (verdict, checks) = assess(&World::new(), &limits(), "1");
        assert_eq!(verdict, Verdict::Approve);
        let rules: Vec<&str> = checks.iter().map(|check| check.rule.as_ref()).collect();
        let expected = [
            "max_positions",
            "max_open_orders",
            "min_notional",
            "max_slippage_bps",
            "max_notional_per_order",
            "max_notional_per_symbol",
            "max_notional_total",
            "max_leverage",
        ];
        assert_eq!(rules, expected);
    }

    #[test]
    fn an_order_of_exactly_the_largest_notional_passes_and_a_larger_one_is_cut_back() {
        let limits = RiskLimits { max_notional_per_order_usdt: dec("500"), ..limits() };
        // Marks and prices are 100 in these tests.
        assert_eq!(assess(&World::new(), &limits, "5").0, Verdict::Approve);
        let (verdict, checks) = assess(&World::new(), &limits, "5.001");
        assert!(matches!(verdict, Verdict::Shrink { to } if to.get() == dec("5")));
        let check = check(&checks, "max_notional_per_order");
        assert_eq!((check.verdict, check.distance), (CheckVerdict::Shrink, dec("-0.1")));
    }

    #[test]
    fn a_symbol_counts_both_of_its_legs() {
        let limits = RiskLimits { max_notional_per_symbol_usdt: dec("1000"), ..limits() };
        let mut world = World::new();
        world.fill("ETHUSDT", "LONG", "3");
        world.fill("ETHUSDT", "SHORT", "4");
        world.fill("BTCUSDT", "LONG", "9");
        assert_eq!(assess(&world, &limits, "3").0, Verdict::Approve);
        assert!(matches!(assess(&world, &limits, "4").0, Verdict::Shrink { to } if to.get() == dec("3")));
    }

    #[test]
    fn a_full_limit_refuses() {
        let limits = RiskLimits { max_notional_total_usdt: dec("1000"), ..limits() };
        let mut world = World::new();
        world.fill("BTCUSDT", "LONG", "10");
        let (verdict, checks) = assess(&world, &limits, "1");
        assert!(matches!(verdict, Verdict::Refuse { rule } if rule == "max_notional_total"));
        assert_eq!(check(&checks, "max_notional_total").value, dec("1100"));
    }

    #[test]
    fn an_order_whose_outcome_is_unknown_counts_as_filled() {
        let limits = RiskLimits { max_notional_total_usdt: dec("1000"), ..limits() };
        let mut world = World::new();
        let order = world.open("BTCUSDT", "LONG", "8");
        world.lose_answer(order);
        assert!(matches!(assess(&world, &limits, "3").0, Verdict::Shrink { to } if to.get() == dec("2")));
    }

    #[test]
    fn leverage_is_exposure_over_equity() {
        let limits = RiskLimits { max_leverage: dec("0.1"), ..limits() };
        assert_eq!(assess(&World::new(), &limits, "10").0, Verdict::Approve);
        assert!(
            matches!(assess(&World::new(), &limits, "10.5").0, Verdict::Shrink { to } if to.get() == dec("10"))
        );
        let mut broke = World::new();
        broke.transfer("-10000");
        let (verdict, _) = assess(&broke, &limits, "1");
        assert!(matches!(verdict, Verdict::Refuse { rule } if rule == "max_leverage"));
    }

    #[test]
    fn legs_are_counted_and_an_open_leg_may_grow() {
        let limits = RiskLimits { max_positions: 2, ..limits() };
        let mut world = World::new();
        world.fill("BTCUSDT", "LONG", "1");
        assert_eq!(assess(&world, &limits, "1").0, Verdict::Approve);
        world.open("BTCUSDT", "SHORT", "1");
        let (verdict, checks) = assess(&world, &limits, "1");
        assert!(matches!(verdict, Verdict::Refuse { rule } if rule == "max_positions"));
        assert_eq!(check(&checks, "max_positions").value, dec("3"));
        let grown = world.assess(&Limits::new(&limits), "BTCUSDT", "LONG", "1");
        assert_eq!(grown.0, Verdict::Approve);
    }

    #[test]
    fn an_opening_counts_with_the_orders_it_brings() {
        let mut world = World::new();
        world.open("BTCUSDT", "LONG", "1");
        // One live, plus the opening, its stop and one take-profit.
        let exactly = RiskLimits { max_open_orders: 4, ..limits() };
        assert_eq!(assess(&world, &exactly, "1").0, Verdict::Approve);
        let less = RiskLimits { max_open_orders: 3, ..limits() };
        assert!(
            matches!(assess(&world, &less, "1").0, Verdict::Refuse { rule } if rule == "max_open_orders")
        );
    }

    #[test]
    fn the_largest_of_three_minima_holds() {
        let symbol = Symbol::parse("ETHUSDT").unwrap();
        let own = RiskLimits { min_notional_by_symbol: [(symbol, dec("50"))].into(), ..limits() };
        assert_eq!(assess(&World::new(), &own, "0.5").0, Verdict::Approve);
        assert!(
            matches!(assess(&World::new(), &own, "0.499").0, Verdict::Refuse { rule } if rule == "min_notional")
        );
        // The venue's own minimum is 5 here.
        let none = RiskLimits { min_notional_usdt: dec("0"), ..limits() };
        assert_eq!(assess(&World::new(), &none, "0.05").0, Verdict::Approve);
        assert!(matches!(assess(&World::new(), &none, "0.049").0, Verdict::Refuse { .. }));
    }

    #[test]
    fn a_price_may_be_worse_than_mark_by_the_limit_and_one_tick() {
        let limits = RiskLimits { max_slippage_bps: dec("30"), ..limits() };
        let rules = Limits::new(&limits);
        let world = World::new();
        let at = |side: &str, price: &str| world.assess_at(&rules, "ETHUSDT", side, "1", price).0;
        assert_eq!(at("LONG", "100.31"), Verdict::Approve);
        assert!(matches!(at("LONG", "100.32"), Verdict::Refuse { rule } if rule == "max_slippage_bps"));
        assert_eq!(at("SHORT", "99.69"), Verdict::Approve);
        assert!(matches!(at("SHORT", "99.68"), Verdict::Refuse { .. }));
        // A better price is never too far away.
        assert_eq!(at("LONG", "90"), Verdict::Approve);
    }
}
