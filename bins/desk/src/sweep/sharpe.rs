//! Sharpe ratios, and how much of the best of many is luck.
//!
//! Source: Bailey, López de Prado: The Sharpe ratio efficient frontier, Journal of Risk 15 (2012), equation 4; and The
//! deflated Sharpe ratio: correcting for selection bias, backtest overfitting and non-normality, Journal of Portfolio
//! Management 40 (2014), equations 1 and 2.

use serde::Serialize;

use super::normal::{phi, phi_inverse};

/// Euler-Mascheroni.
const GAMMA: f64 = 0.577_215_664_901_532_9;

/// How long one return is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From one midnight (UTC) to the next.
    Day,
    /// From one full hour to the next.
    Hour,
}

impl Period {
    /// Units: milliseconds.
    pub const fn ms(self) -> i64 {
        match self {
            Self::Day => 86_400_000,
            Self::Hour => 3_600_000,
        }
    }
    /// In a year of 365 days: the market never closes.
    pub const fn a_year(self) -> f64 {
        match self {
            Self::Day => 365.0,
            Self::Hour => 8_760.0,
        }
    }
    /// `day` or `hour`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }
}

/// The shape of some returns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Moments {
    /// How many returns there are.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with `count − 1`.
    pub deviation: f64,
    /// Third standardised moment: 0 for a normal distribution.
    pub skew: f64,
    /// Fourth standardised moment: 3 for a normal distribution.
    pub kurtosis: f64,
}

impl Moments {
    /// Of some returns; `None` for fewer than two, or when all are the same.
    pub fn of(returns: &[f64]) -> Option<Self> {
        let count = returns.len();
        if count < 2 {
            return None;
        }
        let n = count as f64;
        let mean = returns.iter().sum::<f64>() / n;
        let central = |power: i32| returns.iter().map(|one| (one - mean).powi(power)).sum::<f64>() / n;
        let variance = central(2);
        // Returns that are all the same differ from their mean by rounding alone.
        let is_flat = returns.windows(2).all(|pair| pair[0] == pair[1]);
        if is_flat || variance <= 0.0 || !variance.is_finite() {
            return None;
        }
        Some(Self {
            count,
            mean,
            deviation: (variance * n / (n - 1.0)).sqrt(),
            skew: central(3) / variance.powf(1.5),
            kurtosis: central(4) / (variance * variance),
        })
    }
    /// Mean by standard deviation, of one period. The rate without risk is taken as 0.
    pub fn sharpe(&self) -> f64 {
        self.mean / self.deviation
    }
    /// The same for a year.
    pub fn sharpe_a_year(&self, period: Period) -> f64 {
        self.sharpe() * period.a_year().sqrt()
    }
}

/// The probability that the true Sharpe ratio is above `benchmark`, given what was seen:
/// `Φ((SR − SR*)·√(T − 1) / √(1 − γ₃·SR + (γ₄ − 1)/4·SR²))`, all of one period.
pub fn probabilistic_sharpe(moments: &Moments, benchmark: f64) -> f64 {
    let sharpe = moments.sharpe();
    let spread = 1.0 - moments.skew * sharpe + (moments.kurtosis - 1.0) / 4.0 * sharpe * sharpe;
    // For moments of real returns it is positive: kurtosis is at least 1 + skew².
    let spread = spread.max(f64::MIN_POSITIVE).sqrt();
    phi((sharpe - benchmark) * (moments.count as f64 - 1.0).sqrt() / spread)
}

/// The Sharpe ratio that the best of so many trials without any skill is expected to show:
/// `√V·((1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e)))`, with the variance of the trials' ratios, of one period.
pub fn expected_best_sharpe(trials: usize, variance: f64) -> f64 {
    if trials < 2 {
        // A single trial was not chosen among others.
        return 0.0;
    }
    let n = trials as f64;
    let quantile = |share: f64| phi_inverse(1.0 - share);
    variance.sqrt() * ((1.0 - GAMMA) * quantile(1.0 / n) + GAMMA * quantile(1.0 / (n * std::f64::consts::E)))
}

/// The probability that the best of many is better than luck: [`probabilistic_sharpe`] against [`expected_best_sharpe`].
pub fn deflated_sharpe(best: &Moments, trials: usize, variance: f64) -> f64 {
    probabilistic_sharpe(best, expected_best_sharpe(trials, variance))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() < within, "found {found}, expected {expected}");
    }

    /// Moments with a Sharpe ratio and shape, made up as the paper states them.
    fn shaped(sharpe: f64, count: usize, skew: f64, kurtosis: f64) -> Moments {
        Moments { count, mean: sharpe, deviation: 1.0, skew, kurtosis }
    }

    #[test]
    fn the_papers_own_example_comes_out() {
        // Bailey, López de Prado (2014), "A numerical example": annual SR 2.5 from 1,250 daily returns, skew −3, kurtosis 10,
        // variance of the trials' annual ratios ½; SR₀ ≈ 0.1132 and DSR ≈ 0.9004 for 100 trials, ≈ 0.9505 for 46;
        // with normal returns the 95 % are passed up to 88 trials.
        let best = shaped(2.5 / 250_f64.sqrt(), 1_250, -3.0, 10.0);
        let variance = 0.5 / 250.0;
        close(expected_best_sharpe(100, variance), 0.1132, 5e-5);
        close(deflated_sharpe(&best, 100, variance), 0.9004, 5e-5);
        close(deflated_sharpe(&best, 46, variance), 0.9505, 5e-5);
        let normal = shaped(2.5 / 250_f64.sqrt(), 1_250, 0.0, 3.0);
        close(deflated_sharpe(&normal, 88, variance), 0.9505, 5e-5);
    }

    #[test]
    fn the_probability_against_zero_is_the_one_computed_elsewhere() {
        // Computed from the formula with another program's error function.
        close(probabilistic_sharpe(&shaped(0.1, 100, -0.5, 4.0), 0.0), 0.833_367_642_482_183_2, 1e-12);
        close(probabilistic_sharpe(&shaped(-0.05, 700, 1.2, 9.0), 0.02), 0.036_459_555_287_234_08, 1e-12);
    }

    #[test]
    fn moments_are_those_of_the_textbook() {
        // 2, 4, 4, 4, 5, 5, 7, 9: mean 5, variance 4, central moments 5.25 and 44.5.
        let moments = Moments::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        close(moments.mean, 5.0, 1e-15);
        close(moments.deviation, (32.0_f64 / 7.0).sqrt(), 1e-15);
        close(moments.skew, 5.25 / 8.0, 1e-15);
        close(moments.kurtosis, 44.5 / 16.0, 1e-15);
        close(moments.sharpe_a_year(Period::Day), 5.0 / (32.0_f64 / 7.0).sqrt() * 365_f64.sqrt(), 1e-12);
    }

    #[test]
    fn returns_that_say_nothing_have_no_moments() {
        assert_eq!(Moments::of(&[]), None);
        assert_eq!(Moments::of(&[0.1]), None);
        assert_eq!(Moments::of(&[0.1; 30]), None);
    }

    #[test]
    fn a_single_trial_is_not_deflated() {
        let best = shaped(0.1, 500, 0.0, 3.0);
        assert_eq!(deflated_sharpe(&best, 1, 0.0), probabilistic_sharpe(&best, 0.0));
        assert!(deflated_sharpe(&best, 1_000, 0.001) < deflated_sharpe(&best, 10, 0.001));
    }
}
