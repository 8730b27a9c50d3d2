//! The normal distribution, as exact as doubles allow.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Beyond this the tail is not told from 0 by doubles around 1.
const FAR: f64 = 38.0;
/// Where the series gives way to the continued fraction.
const TAIL: f64 = 3.0;

/// The probability that a standard normal variable is at most `x`.
///
/// Near 0 by the series `½ + φ(x)·(x + x³/3 + x⁵/(3·5) + …)`, in the tails by Laplace's continued fraction. Source:
/// Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.11 and 26.2.14.
pub fn phi(x: f64) -> f64 {
    match x {
        x if x.is_nan() => f64::NAN,
        x if x < -FAR => 0.0,
        x if x > FAR => 1.0,
        x if x < -TAIL => upper_tail(-x),
        x if x > TAIL => 1.0 - upper_tail(x),
        x => 0.5 + density(x) * series(x),
    }
}

/// The `x` with [`phi`]`(x) = p`; infinite at 0 and 1, NaN outside of them.
pub fn phi_inverse(p: f64) -> f64 {
    match p {
        p if !(0.0..=1.0).contains(&p) => return f64::NAN,
        0.0 => return f64::NEG_INFINITY,
        1.0 => return f64::INFINITY,
        _ => {}
    }
    // phi rises, so halving finds it; sixty halvings of 76 are below the spacing of doubles around 1.
    let (mut low, mut high) = (-FAR, FAR);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if phi(middle) < p { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() * FRAC_1_SQRT_2 / PI.sqrt()
}

fn series(x: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > sum.abs() * f64::EPSILON / 4.0 {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    sum
}

fn upper_tail(x: f64) -> f64 {
    // From the inside out; at x = 3 these many steps are more than doubles can show.
    let fraction = (1..=200).rev().fold(x, |below, step| x + f64::from(step) / below);
    density(x) / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_is_the_one_of_the_tables() {
        // Computed with 50 digits from the error function.
        for (x, expected) in [
            (0.0, 0.5),
            (0.5, 0.691_462_461_274_013_1),
            (1.0, 0.841_344_746_068_542_9),
            (1.959_963_984_540_054, 0.975),
            (2.999_999, 0.998_650_097_536_514_8),
            (3.000_001, 0.998_650_106_400_211_7),
            (-3.5, 2.326_290_790_355_250_4e-4),
            (-6.0, 9.865_876_450_376_98e-10),
            (-10.0, 7.619_853_024_160_527e-24),
        ] {
            let found = phi(x);
            assert!((found / expected - 1.0).abs() < 1e-13, "phi({x}) = {found:e}, expected {expected:e}");
        }
        assert_eq!((phi(-50.0), phi(50.0)), (0.0, 1.0));
    }

    #[test]
    fn the_inverse_takes_back_what_the_distribution_gave() {
        for p in [1e-9, 0.001, 0.025, 0.3, 0.5, 0.9, 0.99, 0.999_999] {
            assert!((phi(phi_inverse(p)) / p - 1.0).abs() < 1e-12, "{p}");
        }
        assert!((phi_inverse(0.975) - 1.959_963_984_540_054).abs() < 1e-13);
        assert_eq!((phi_inverse(0.0), phi_inverse(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(phi_inverse(1.5).is_nan());
    }
}
