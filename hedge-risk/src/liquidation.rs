//! How far the market may run before a cross-margin account is liquidated.

use std::borrow::Cow;

use hedge_core::{
    Answers, AtRisk, Book, Decimal, Envelope, PositionKey, Proposal, RiskManager, Stance, Timestamp, Verdict,
    Watches,
    money::{compare, difference, div_round, least, product, sum},
};

use crate::limits::verdict_of;

/// Keeps the estimated distance to liquidation above a minimum.
///
/// A cross-margin account is liquidated when equity falls to its maintenance margin. The estimate lets every price run
/// against the account's net position at once, each by the same percentage `x`, and solves
/// `equity − x × net = rate × gross × (1 + x)`. LONG and SHORT of one symbol offset each other in `net` but both
/// need maintenance margin. Openings whose outcome is open count where they hurt and not where they help. The rate is one
/// number for all symbols and should be no smaller than the highest bracket in use.
/// Source of the rates: Binance USD-M docs, leverage brackets, `maintMarginRatio` (fact sheet 4.9).
#[derive(Clone, Debug)]
pub struct LiquidationDistance {
    min_pct: Decimal,
    rate: Decimal,
}

impl LiquidationDistance {
    /// At least that distance, with that maintenance margin rate. Units: percent.
    pub fn new(min_pct: Decimal, maintenance_margin_pct: Decimal) -> Self {
        Self { min_pct, rate: maintenance_margin_pct / Decimal::ONE_HUNDRED }
    }

    /// The estimated distance with an opening of `notional` added to a leg. Units: percent, from 0 (liquidated) to 100 (out of
    /// reach).
    pub fn distance_pct(&self, book: &Book, leg: &PositionKey, notional: Decimal) -> Decimal {
        // What is asked for counts as filled: should it not fill, nothing has become worse.
        let AtRisk { net, gross } = book.at_risk_with(leg, &notional);
        let maintenance = product(&self.rate, &gross);
        let spare = difference(&book.equity(), &maintenance);
        let at_risk = sum(&net, &maintenance);
        if compare(&spare, &Decimal::ZERO).is_le() {
            return Decimal::ZERO;
        }
        // Also where twice of what is at risk would be left: then the quotient is beyond any rounding.
        if at_risk.is_zero() || compare(&spare, &sum(&at_risk, &at_risk)).is_ge() {
            return Decimal::ONE_HUNDRED;
        }
        least(div_round(product(&spare, &Decimal::ONE_HUNDRED), at_risk, 4), Decimal::ONE_HUNDRED)
    }
}

impl RiskManager for LiquidationDistance {
    fn assess(&self, proposal: &Proposal<'_>, answers: &mut Answers) -> Verdict {
        let rule = "liq_distance_pct";
        let distance = self.distance_pct(proposal.book, &proposal.position, proposal.notional.get());
        let passes = answers.at_least_or(rule, distance, self.min_pct, || {
            Cow::Borrowed("estimated, all prices running against the net position")
        });
        verdict_of((!passes).then_some(rule))
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
    use crate::test_support::{World, dec};

    fn rule(min: &str, rate: &str) -> LiquidationDistance {
        LiquidationDistance::new(dec(min), dec(rate))
    }

    fn distance(world: &World, side: &str, qty: &str) -> Decimal {
        world.assess(&rule("0", "1"), "ETHUSDT", side, qty).1[0].value
    }

    #[test]
    fn the_distance_solves_the_liquidation_equation() {
        // Equity 10,000, LONG 400 × 100: (10,000 − 400) / (40,000 + 400) = 23.7624 %.
        assert_eq!(distance(&World::new(), "LONG", "400"), dec("23.7624"));
        assert_eq!(distance(&World::new(), "SHORT", "400"), dec("23.7624"));
        assert_eq!(distance(&World::new(), "LONG", "1"), dec("100"));
    }

    #[test]
    fn an_opening_passes_at_exactly_the_minimum() {
        // Without maintenance margin 50,000 against 10,000 is exactly 20 %.
        let at = |qty: &str| World::new().assess(&rule("20", "0"), "ETHUSDT", "LONG", qty).0;
        assert_eq!(at("500"), Verdict::Approve);
        assert!(matches!(at("500.01"), Verdict::Refuse { rule } if rule == "liq_distance_pct"));
    }

    #[test]
    fn the_legs_of_a_symbol_offset_each_other_but_both_need_margin() {
        let mut world = World::new();
        world.fill("ETHUSDT", "LONG", "400");
        // Fully hedged only the maintenance margin of both legs is at risk: (10,000 − 800) / 800 is out of reach.
        assert_eq!(distance(&world, "SHORT", "400"), dec("100"));
        // Another symbol does not offset: (10,000 − 800) / (80,000 + 800).
        let other = world.assess(&rule("0", "1"), "BTCUSDT", "SHORT", "400").1[0].value;
        assert_eq!(other, dec("11.3861"));
    }

    #[test]
    fn an_opening_that_may_not_fill_does_not_count_as_a_hedge() {
        let mut world = World::new();
        world.fill("ETHUSDT", "LONG", "400");
        let order = world.open("ETHUSDT", "SHORT", "400");
        world.lose_answer(order);
        // The LONG stands alone in the worst case, and the SHORT still needs margin: 9,200 / (40,000 + 800) and less.
        assert!(distance(&world, "LONG", "1") < dec("22.6"));
    }

    #[test]
    fn an_account_that_is_under_its_maintenance_margin_has_no_distance() {
        let mut world = World::new();
        world.transfer("-10000");
        assert_eq!(distance(&world, "LONG", "1"), dec("0"));
    }
}
