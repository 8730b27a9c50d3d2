//! One source of randomness in log space: the common one, or a symbol's own.

use super::noise::{bell, draw, exp, unit, value_noise};

pub(super) const MINUTES: usize = 1_440;
/// A minute's share of a day's deviation.
const ROOT_OF_MINUTES: f64 = 37.947_331_922_020_55;
/// Days of full detail begin here: 2018-01-01.
const FIRST_DETAILED_DAY: i64 = 17_532;
/// Wavelengths of the noise that fixes the day boundaries: 1, 2, 4, … 256 days.
const DAY_OCTAVES: u32 = 9;
/// A jump has faded completely after this many days.
const JUMP_DAYS: i64 = 64;
/// Wavelengths of the volatility noise in minutes.
const VOLATILITY_PERIODS: [i64; 5] = [45, 180, 720, 2_880, 11_520];
/// Deviation of log volatility per wavelength.
const VOLATILITY_SPREAD: f64 = 0.24;
/// Volatility and drift are set at every 15th minute and straight in between.
const KNOT_MINUTES: usize = 15;
/// Volatility by hour of the day (UTC), in percent: quiet before Europe wakes, busy when New York trades.
const HOURS: [u8; 24] = [
    105, 100, 92, 86, 82, 82, 86, 94, 100, 100, 96, 94, 100, 118, 128, 130, 122, 114, 106, 102, 104, 108,
    104, 104,
];

/// A factor: its key and its character.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factor {
    pub(super) key: u64,
    /// Deviation of a day's change without jumps.
    pub(super) daily: f64,
    /// Jumps per day.
    pub(super) jump_rate: f64,
    /// Smallest size of a jump.
    pub(super) jump_min: f64,
}

/// A factor along one day.
#[derive(Clone, Debug)]
pub(super) struct FactorDay {
    /// Log level at each minute boundary (1441 values), before 2018 at each hour (25 values).
    pub(super) path: Vec<f64>,
    /// Deviation of each minute's change; empty before 2018.
    pub(super) spread: Vec<f64>,
    /// Deviation of a usual minute's change.
    pub(super) usual_spread: f64,
}

#[derive(Clone, Copy, Debug)]
struct Jump {
    minute: usize,
    size: f64,
}

impl Factor {
    const fn stream(&self, stream: i64) -> u64 {
        draw(self.key, -1_000 - stream)
    }
    /// Log level at the first instant of a day.
    pub(super) fn level(&self, day: i64) -> f64 {
        self.base(day) + self.faded_jumps(day)
    }
    fn base(&self, day: i64) -> f64 {
        let mut level = 0.0;
        let mut amplitude = self.daily / 2.0;
        for octave in 0..DAY_OCTAVES {
            let period = 1_i64 << octave;
            let key = self.stream(i64::from(octave));
            let phase = (key >> 8) as i64 % period;
            level += amplitude * value_noise(key, day + phase, period);
            // A little above the square root of two: longer waves are stronger than chance, which makes trends.
            amplitude *= 1.47;
        }
        level
    }
    fn jumps(&self, day: i64) -> impl Iterator<Item = Jump> {
        let key = draw(self.stream(100), day);
        let (rate, min) = (self.jump_rate / 2.0, self.jump_min);
        (0..2).filter_map(move |at| {
            let (chance, word) = (unit(draw(key, 2 * at)), draw(key, 2 * at + 1));
            let strength = unit(word);
            let size = min * (1.0 + 1.2 * strength + 3.0 * strength * strength * strength * strength);
            // Falls are a little more frequent than rises.
            let sign = if word & 0x3ff < 570 { -1.0 } else { 1.0 };
            (chance < rate)
                .then_some(Jump { minute: draw(key, 10 + at) as usize % MINUTES, size: sign * size })
        })
    }
    /// What is left, at the first instant of a day, of the jumps before it.
    fn faded_jumps(&self, day: i64) -> f64 {
        let mut sum = 0.0;
        for age in 1..=JUMP_DAYS {
            for jump in self.jumps(day - age) {
                sum += jump.size * left_of_jump(age as f64 - jump.minute as f64 / MINUTES as f64);
            }
        }
        sum
    }
    /// The factor along a day. Ends exactly where the next day begins.
    pub(super) fn day(&self, day: i64) -> FactorDay {
        if day < FIRST_DETAILED_DAY { self.plain_day(day) } else { self.detailed_day(day) }
    }
    /// Random steps at hours.
    fn plain_day(&self, day: i64) -> FactorDay {
        let (start, end) = (self.level(day), self.level(day + 1));
        let key = draw(self.stream(101), day);
        let mut walk = [0.0; 25];
        for hour in 0..24 {
            walk[hour + 1] = walk[hour] + self.daily / 5.0 * bell(draw(key, hour as i64));
        }
        let pull = (end - start - walk[24]) / 24.0;
        let mut path: Vec<f64> = (0..24).map(|hour| start + walk[hour] + pull * hour as f64).collect();
        path.push(end);
        FactorDay { path, spread: Vec::new(), usual_spread: self.daily / ROOT_OF_MINUTES }
    }
    fn detailed_day(&self, day: i64) -> FactorDay {
        let today: Vec<Jump> = self.jumps(day).collect();
        let spread = self.spread(day, &today);
        let walk = self.walk(day, &spread);
        let path = self.tie(day, &today, &spread, &walk);
        FactorDay { path, spread, usual_spread: self.daily / ROOT_OF_MINUTES }
    }
    /// Deviation of each minute: clustered, by hour of the day, higher after jumps.
    fn spread(&self, day: i64, today: &[Jump]) -> Vec<f64> {
        let knots = self.knots(day, |minute| {
            let log: f64 = VOLATILITY_PERIODS
                .iter()
                .map(|period| value_noise(self.stream(200 + period), minute + period / 3, *period))
                .sum();
            let hour = HOURS[minute.div_euclid(60).rem_euclid(24) as usize];
            // The last term keeps the mean square at one.
            exp(VOLATILITY_SPREAD * log - 0.16) * f64::from(hour) / 100.0
        });
        let minute = self.daily / ROOT_OF_MINUTES;
        let mut spread: Vec<f64> = (0..MINUTES).map(|at| minute * between(&knots, at)).collect();
        for jump in today {
            agitate(&mut spread[jump.minute..], 0);
        }
        for jump in self.jumps(day - 1) {
            agitate(&mut spread, MINUTES - jump.minute);
        }
        spread
    }
    /// Sum of the minutes' changes at each boundary.
    fn walk(&self, day: i64, spread: &[f64]) -> Vec<f64> {
        // A slow drift, so that hours have trends of their own.
        let drift = self.knots(day, |minute| {
            0.05 * value_noise(self.stream(150), minute, 90)
                + 0.05 * value_noise(self.stream(151), minute + 100, 240)
        });
        let key = draw(self.stream(102), day);
        let mut level = 0.0;
        let mut walk = Vec::with_capacity(MINUTES + 1);
        walk.push(level);
        for (minute, spread) in spread.iter().enumerate() {
            let word = draw(key, minute as i64);
            // One minute in a hundred is three times as wide: fat tails.
            let tail = if mix_low(word) < 10 { 3.0 } else { 1.0 };
            level += spread * (tail * bell(word) + between(&drift, minute));
            walk.push(level);
        }
        walk
    }
    /// Bends the walk so that it starts and ends at the levels of the day's boundaries, and adds the jumps.
    fn tie(&self, day: i64, today: &[Jump], spread: &[f64], walk: &[f64]) -> Vec<f64> {
        let (start, end) = (self.level(day), self.level(day + 1));
        let left = |jump: &Jump| jump.size * left_of_jump(1.0 - jump.minute as f64 / MINUTES as f64);
        let end_without = end - today.iter().map(left).sum::<f64>();
        let total: f64 = spread.iter().map(|spread| spread * spread).sum();
        let pull = (end_without - start - walk[MINUTES]) / total;
        let mut share = 0.0;
        let mut path = Vec::with_capacity(MINUTES + 1);
        for (minute, walked) in walk.iter().enumerate() {
            path.push(start + walked + pull * share);
            share += spread.get(minute).map_or(0.0, |spread| spread * spread);
        }
        for jump in today {
            let (from, to, length) = (jump.size, left(jump), (MINUTES - jump.minute) as f64);
            for (at, level) in path[jump.minute + 1..].iter_mut().enumerate() {
                *level += from + (to - from) * ((at + 1) as f64 / length);
            }
        }
        // Rounding of the sums must not leave a seam.
        path[MINUTES] = end;
        path
    }
    fn knots(&self, day: i64, value: impl Fn(i64) -> f64) -> Vec<f64> {
        let first = day * MINUTES as i64;
        (0..=MINUTES / KNOT_MINUTES).map(|knot| value(first + (knot * KNOT_MINUTES) as i64)).collect()
    }
}

/// Part of a jump that is left after some days.
fn left_of_jump(age_days: f64) -> f64 {
    let left = 1.0 - age_days / JUMP_DAYS as f64;
    if left > 0.0 { left * left } else { 0.0 }
}

/// Raises the deviation of the minutes that follow a jump `age` minutes ago.
fn agitate(spread: &mut [f64], age: usize) {
    for (at, spread) in spread.iter_mut().enumerate() {
        let age = (at + age) as f64 / 90.0;
        *spread *= 1.0 + 1.5 / (1.0 + age * age);
    }
}

fn between(knots: &[f64], minute: usize) -> f64 {
    let (knot, rest) = (minute / KNOT_MINUTES, minute % KNOT_MINUTES);
    knots[knot] + (knots[knot + 1] - knots[knot]) * (rest as f64 / KNOT_MINUTES as f64)
}

/// A number below 1000 that is independent enough of the bell number of the same word.
fn mix_low(word: u64) -> u64 {
    super::noise::mix(word) % 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTOR: Factor = Factor { key: 11, daily: 0.02, jump_rate: 0.2, jump_min: 0.012 };

    #[test]
    fn every_day_ends_where_the_next_one_begins() {
        for day in [-30_000, 0, FIRST_DETAILED_DAY - 1, FIRST_DETAILED_DAY, 20_000, 20_001, 21_000] {
            let (today, next) = (FACTOR.day(day), FACTOR.day(day + 1));
            assert!((today.path[today.path.len() - 1] - next.path[0]).abs() < 1e-12, "day {day}");
            let detailed = day >= FIRST_DETAILED_DAY;
            assert_eq!(today.path.len(), if detailed { 1_441 } else { 25 });
            assert_eq!(today.spread.len(), if detailed { 1_440 } else { 0 });
        }
    }

    #[test]
    fn a_jump_is_gone_after_its_days_without_a_step() {
        assert_eq!(left_of_jump(0.0), 1.0);
        assert!(left_of_jump(JUMP_DAYS as f64 - 0.1) < 1e-5);
        assert_eq!(left_of_jump(JUMP_DAYS as f64 + 1.0), 0.0);
    }

    #[test]
    fn jumps_are_as_frequent_as_asked_for() {
        let count = (0..10_000).map(|day| FACTOR.jumps(day).count()).sum::<usize>();
        assert!((1_800..2_200).contains(&count), "{count}");
    }
}
