//! Funding of a generated symbol: mostly the base rate, higher after rises, negative after falls.
//!
//! The rate is made the way the venue makes it: a premium, pulled to the interest rate inside a dead band and capped.
//! Source: fact sheet, funding (`F = P + clamp(I - P, ±0.05 %)`, I = 0.01 % per 8 h).

use super::noise::{draw, value_noise};

/// Time between settlements. Units: milliseconds.
pub(super) const FUNDING_MS: i64 = 8 * 3_600_000;
/// Interest rate per 8 hours.
const INTEREST: f64 = 0.000_1;
/// Half of the dead band around it.
const BAND: f64 = 0.000_5;
const CAP: f64 = 0.003;
/// Premium per unit of log change over three days.
const TREND_SHARE: f64 = 0.008;

/// The rate of settlement number `index` (counted from 1970 in steps of 8 hours) after a log change of `trend` over
/// the three days before. Units: 10^-8.
pub(super) fn funding_rate_e8(key: u64, index: i64, trend: f64) -> i64 {
    let noise: f64 =
        [3, 9, 27, 81].into_iter().map(|period| value_noise(draw(key, period), index, period)).sum();
    let premium = 0.000_14 + TREND_SHARE * trend + 0.000_16 * noise;
    let rate = premium + (INTEREST - premium).clamp(-BAND, BAND);
    (rate.clamp(-CAP, CAP) * 1e8).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_times_pay_the_interest_rate_and_strong_trends_pay_their_side() {
        let rates = |trend| (0..500).map(move |index| funding_rate_e8(5, index, trend));
        assert!(rates(0.0).filter(|rate| *rate == 10_000).count() > 250);
        assert!(rates(0.2).filter(|rate| *rate > 10_000).count() > 450);
        assert!(rates(-0.2).filter(|rate| *rate < 0).count() > 450);
    }
}
