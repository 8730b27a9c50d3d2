//! Maintenance margin in whole numbers, rounded up: for guards. Decisions are made on the exact rules.

use rust_decimal::Decimal;

use super::rules::InstrumentRules;

/// Millionths, and four places that a weight takes on the other side of the sum.
const WHOLE: i128 = 10_000;

/// The brackets of an instrument.
#[derive(Debug, Clone, Default)]
pub(super) struct Maintenance {
    rows: Vec<Row>,
    /// Highest ratio of any bracket, in millionths.
    pub(super) steepest_ppm: i128,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    /// Upper bound, in multiples of 10^-16.
    cap_e16: i128,
    ppm: i128,
    /// In multiples of 10^-22.
    cum_e22: i128,
}

impl Maintenance {
    /// `None` when the table cannot be said in whole numbers, or jumps between two brackets: then no bound on what a
    /// move may cost is known.
    pub(super) fn of_rules(rules: &InstrumentRules) -> Option<Self> {
        let rows: Vec<Row> = rules
            .brackets
            .iter()
            .map(|bracket| {
                Some(Row {
                    cap_e16: scaled(bracket.notional_cap, 16)?,
                    ppm: scaled(bracket.maint_ratio, 6)?,
                    cum_e22: scaled(bracket.cum, 22)?,
                })
            })
            .collect::<Option<_>>()?;
        let at =
            |row: &Row, notional: i128| Some(notional.checked_mul(row.ppm)?.checked_sub(row.cum_e22)?.max(0));
        for pair in rows.windows(2) {
            if at(&pair[1], pair[0].cap_e16)? > at(&pair[0], pair[0].cap_e16)? {
                return None;
            }
        }
        let steepest_ppm = rows.iter().map(|row| row.ppm).max().unwrap_or(0);
        Some(Self { rows, steepest_ppm })
    }

    /// Maintenance of a notional in multiples of 10^-16; the answer in multiples of 10^-26, `None` when it does not fit.
    pub(super) fn of(&self, notional_e16: i128) -> Option<i128> {
        let row = self.rows.iter().find(|row| notional_e16 <= row.cap_e16).or(self.rows.last())?;
        notional_e16.checked_mul(row.ppm)?.checked_sub(row.cum_e22)?.max(0).checked_mul(WHOLE)
    }
}

/// An exact multiple of so many places; `None` when it is finer or too large.
fn scaled(value: Decimal, places: u32) -> Option<i128> {
    let value = value.normalize();
    value.mantissa().checked_mul(10_i128.checked_pow(places.checked_sub(value.scale())?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_say_what_the_brackets_say() {
        for rules in InstrumentRules::builtin() {
            let table = Maintenance::of_rules(&rules).unwrap();
            for notional in [1, 100, 49_999, 50_000, 50_001, 700_000, 9_999_999, 80_000_000, 2_000_000_000] {
                let exact = Decimal::from(notional);
                let bracket = rules.bracket(exact).unwrap();
                let maintained = (exact * bracket.maint_ratio - bracket.cum).max(Decimal::ZERO);
                let counted = table.of(scaled(exact, 16).unwrap()).unwrap();
                assert_eq!(Some(counted), scaled(maintained, 26), "{} {notional}", rules.symbol);
            }
        }
    }

    #[test]
    fn a_table_that_jumps_is_not_counted_on() {
        let mut rules = InstrumentRules::builtin().remove(0);
        rules.brackets[1].cum -= Decimal::ONE;
        assert!(Maintenance::of_rules(&rules).is_none());
    }
}
