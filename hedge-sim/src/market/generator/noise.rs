//! Random numbers as a function of place, not of order: hashes, bell curves, smooth noise, and an exact `exp`.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A well-mixed word; every bit of the result depends on every bit of `word` (the splitmix64 finaliser).
pub(super) const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The random word number `index` of the stream `key`. Also makes the key of a sub-stream.
pub(super) const fn draw(key: u64, index: i64) -> u64 {
    mix(key.wrapping_add((index as u64).wrapping_add(1).wrapping_mul(GOLDEN)))
}

/// A stream key of its own for every text.
pub(super) fn key_of(seed: u64, text: &str) -> u64 {
    text.bytes().fold(mix(seed ^ GOLDEN), |key, byte| draw(key, i64::from(byte)))
}

/// Uniform in [0, 1).
pub(super) fn unit(word: u64) -> f64 {
    (word >> 11) as f64 / (1_u64 << 53) as f64
}

/// Three independent uniform numbers in [0, 1) from one word.
pub(super) fn units(word: u64) -> [f64; 3] {
    const PART: u64 = 1 << 21;
    [word % PART, (word >> 21) % PART, (word >> 42) % PART].map(|part| part as f64 / PART as f64)
}

/// Bell-shaped with mean 0 and deviation 1, never beyond ±3.5: the sum of four uniform numbers.
pub(super) fn bell(word: u64) -> f64 {
    let sum = (word & 0xffff) + ((word >> 16) & 0xffff) + ((word >> 32) & 0xffff) + (word >> 48);
    (sum as f64 - 131_070.0) / 65_536.0 * 1.732_050_807_568_877_2
}

/// Noise that is bell-shaped at every multiple of `period` and straight in between.
pub(super) fn value_noise(key: u64, at: i64, period: i64) -> f64 {
    let (node, rest) = (at.div_euclid(period), at.rem_euclid(period));
    let from = bell(draw(key, node));
    if rest == 0 {
        return from;
    }
    let to = bell(draw(key, node + 1));
    from + (to - from) * (rest as f64 / period as f64)
}

/// 1/0!, 1/1!, … 1/13!
const INVERSE_FACTORIALS: [f64; 14] = {
    let mut terms = [1.0; 14];
    let mut n = 1;
    while n < 14 {
        terms[n] = terms[n - 1] / n as f64;
        n += 1;
    }
    terms
};

/// `e^x`, the same bits on every machine. Exact to about one part in 10^15 for |x| < 700.
pub(super) fn exp(x: f64) -> f64 {
    // ln 2 in two parts, so that the reduction loses nothing.
    let (ln2_high, ln2_low) = (f64::from_bits(0x3fe6_2e42_fee0_0000), f64::from_bits(0x3dea_39ef_3579_3c76));
    let x = x.clamp(-700.0, 700.0);
    let power = (x * std::f64::consts::LOG2_E).round();
    let rest = (x - power * ln2_high) - power * ln2_low;
    let sum = INVERSE_FACTORIALS.iter().rev().fold(0.0, |sum, term| sum * rest + term);
    sum * f64::from_bits(((1_023 + power as i64) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_library() {
        for step in -4_000..4_000 {
            let x = f64::from(step) * 0.005;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-14, "{x}");
        }
    }

    #[test]
    fn bell_has_mean_zero_and_deviation_one() {
        let draws: Vec<f64> = (0..200_000).map(|at| bell(draw(7, at))).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let square = draws.iter().map(|x| x * x).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((square - 1.0).abs() < 0.01, "{square}");
    }

    #[test]
    fn value_noise_has_no_seam_at_its_nodes() {
        for node in -5_i64..5 {
            let (before, at) = (value_noise(3, node * 100 - 1, 100), value_noise(3, node * 100, 100));
            assert!((before - at).abs() < 0.08, "{before} {at}");
        }
    }
}
