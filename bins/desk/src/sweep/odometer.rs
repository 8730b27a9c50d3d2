//! Which combinations are played: all, or a drawn sample.

use std::collections::BTreeSet;

/// So many different numbers below `all`, in ascending order; all of them when there are no more. The same seed draws the
/// same numbers.
pub(super) fn draw(all: u64, wanted: u64, seed: u64) -> Vec<u64> {
    if wanted >= all {
        return (0..all).collect();
    }
    let mut state = seed;
    let mut drawn = BTreeSet::new();
    // Floyd's way to a sample without repetition: every subset is as likely, and nothing is drawn in vain.
    for top in all - wanted..all {
        let candidate = below(top + 1, &mut state);
        if !drawn.insert(candidate) {
            drawn.insert(top);
        }
    }
    drawn.into_iter().collect()
}

/// A number below `bound`, each as likely.
fn below(bound: u64, state: &mut u64) -> u64 {
    // What is above the last whole multiple would favour small numbers.
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let number = next(state);
        if number < limit {
            return number % bound;
        }
    }
}

/// SplitMix64. Source: Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014), figure 17.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_no_repetition_and_depends_on_the_seed_alone() {
        let sample = draw(1_000_000, 500, 7);
        assert_eq!(sample.len(), 500);
        assert!(sample.is_sorted_by(|a, b| a < b) && *sample.last().unwrap() < 1_000_000);
        assert_eq!(sample, draw(1_000_000, 500, 7));
        assert_ne!(sample, draw(1_000_000, 500, 8));
        assert_eq!(draw(5, 5, 1), [0, 1, 2, 3, 4]);
        assert_eq!(draw(5, 9, 1), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn every_number_is_drawn_about_as_often() {
        let mut counts = [0_u32; 10];
        for seed in 0..2_000 {
            draw(10, 3, seed).into_iter().for_each(|number| counts[number as usize] += 1);
        }
        // 600 expected; five standard deviations are about 102.
        assert!(counts.iter().all(|count| (498..702).contains(count)), "{counts:?}");
    }

    #[test]
    fn the_generator_is_the_published_one() {
        // Its first outputs for seed 1234567, as other implementations of the paper state them.
        let mut state = 1_234_567;
        assert_eq!(next(&mut state), 6_457_827_717_110_365_317);
        assert_eq!(next(&mut state), 3_203_168_211_198_807_973);
    }
}
