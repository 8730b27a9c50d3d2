//! How much may be open: per order, per symbol, in total, in legs, in orders.

use std::{borrow::Cow, collections::BTreeMap};

use hedge_core::{
    Answers, Book, CheckVerdict, Decimal, Envelope, GateCheck, PositionSide, Proposal, Protection,
    RiskManager, Stance, Symbol, Timestamp, Verdict, Watches,
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

    fn positions(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Option<&'static str> {
        let rule = "max_positions";
        let key = &proposal.position;
        let counted = proposal.book.is_occupied(key);
        let legs = proposal.book.occupied_legs() + usize::from(!counted);
        let passes = answers.at_most(rule, Decimal::from(legs), Decimal::from(self.max_positions));
        (!passes).then_some(rule)
    }

    /// The opening itself, its stop and its take-profits.
    fn open_orders(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Option<&'static str> {
        let rule = "max_open_orders";
        let brings = match proposal.protection {
            Protection::Stop { take_profits, .. } => 2 + take_profits.len(),
            Protection::Unprotected { .. } => 1,
        };
        let orders = Decimal::from(proposal.book.live_order_count() as usize + brings);
        let passes = answers.at_most(rule, orders, Decimal::from(self.max_open_orders));
        (!passes).then_some(rule)
    }

    fn min_notional(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Option<&'static str> {
        let rule = "min_notional";
        let own = self.min_notional_by_symbol.get(&proposal.position.instrument.symbol);
        let own = own.copied().unwrap_or(self.min_notional_usdt);
        let limit = greatest(own, proposal.spec.min_notional.get());
        let passes = answers.at_least_or(rule, proposal.notional.get(), limit, || {
            Cow::Borrowed("raise capital_per_trade or drop the instrument")
        });
        (!passes).then_some(rule)
    }

    /// How much worse than mark the order may fill. The price grid may cost one tick on top.
    fn slippage(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Option<&'static str> {
        let rule = "max_slippage_bps";
        let Some((mark, _)) = proposal.book.mark(proposal.instrument) else {
            answers.holds_or(rule, false, || Cow::Borrowed("no mark price yet"));
            return Some(rule);
        };
        let (mark, bps) = (mark.get(), Decimal::from(10_000));
        let difference_to_mark = difference(&proposal.price.get(), &mark);
        let worse = match proposal.position.side {
            // As a product with 1 or -1 would be written: nothing is plain 0.
            _ if difference_to_mark.is_zero() => Decimal::ZERO,
            PositionSide::Long => difference_to_mark,
            PositionSide::Short => -difference_to_mark,
        };
        let reach = div_round(product(&worse, &bps), mark, 4);
        // What is better than mark need not be compared with what is allowed.
        let fits = worse.is_sign_negative() || {
            let most = product(&mark, &self.max_slippage_bps);
            compare(&product(&difference(&worse, &proposal.spec.tick), &bps), &most).is_le()
        };
        let passes = answers.judged(rule, reach, self.max_slippage_bps, fits);
        (!passes).then_some(rule)
    }

    /// `None` where all of it fits.
    fn leverage(&self, proposal: &Proposal<'_>, exposure: Decimal, answers: &mut Answers) -> Option<Verdict> {
        let rule = "max_leverage";
        let equity = proposal.book.equity();
        if equity.is_sign_negative() || equity.is_zero() {
            answers.holds_or(rule, false, || Cow::Borrowed("equity is not above zero"));
            return Some(refuse(rule));
        }
        let limit_usdt = product(&self.max_leverage, &equity);
        let after = sum(&exposure, &proposal.notional.get());
        let reach = div_round(after, equity, 4);
        if compare(&after, &limit_usdt).is_le() {
            answers.judged(rule, reach, self.max_leverage, true);
            return None;
        }
        let check = GateCheck::at_most(rule, reach, self.max_leverage);
        Some(cut(check, proposal, exposure, limit_usdt, answers))
    }
}

/// What rules that cannot cut back say together: the first that does not pass refuses.
pub(crate) fn verdict_of(refusing: Option<&'static str>) -> Verdict {
    refusing.map_or(Verdict::Approve, refuse)
}

fn refuse(rule: &'static str) -> Verdict {
    Verdict::Refuse { rule: Cow::Borrowed(rule) }
}

/// A proposal does not fit beside what is open: it is cut back, or refused.
#[cold]
fn cut(
    mut check: GateCheck,
    proposal: &Proposal<'_>,
    open: Decimal,
    limit: Decimal,
    answers: &mut Answers,
) -> Verdict {
    let verdict = match cut_back(limit - open, proposal.price, proposal.spec) {
        Some(to) => {
            check.verdict = CheckVerdict::Shrink;
            check.note = Some(Cow::Owned(format!("cut back to {to}")));
            Verdict::Shrink { to }
        }
        None => {
            check.verdict = CheckVerdict::Refuse;
            Verdict::Refuse { rule: check.rule.clone() }
        }
    };
    answers.push(check);
    verdict
}

/// `None` where all of it fits.
fn notional(
    rule: &'static str,
    proposal: &Proposal<'_>,
    open: Decimal,
    limit: Decimal,
    answers: &mut Answers,
) -> Option<Verdict> {
    let after = sum(&open, &proposal.notional.get());
    if compare(&after, &limit).is_le() {
        answers.at_most(rule, after, limit);
        return None;
    }
    Some(cut(GateCheck::at_most(rule, after, limit), proposal, open, limit, answers))
}

impl RiskManager for Limits {
    fn assess(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Verdict {
        let book = proposal.book;
        let positions = self.positions(proposal, answers);
        let open_orders = self.open_orders(proposal, answers);
        let min_notional = self.min_notional(proposal, answers);
        let slippage = self.slippage(proposal, answers);
        let verdict = verdict_of(positions.or(open_orders).or(min_notional).or(slippage));
        let (of_symbol, total) = (book.exposure_on(proposal.instrument), book.total_exposure());
        let order = notional("max_notional_per_order", proposal, Decimal::ZERO, self.per_order_usdt, answers);
        let symbol = notional("max_notional_per_symbol", proposal, of_symbol, self.per_symbol_usdt, answers);
        let all = notional("max_notional_total", proposal, total, self.total_usdt, answers);
        let leverage = self.leverage(proposal, total, answers);
        [order, symbol, all, leverage].into_iter().flatten().fold(verdict, Verdict::stricter)
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
