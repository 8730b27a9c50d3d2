//! The way a bar's price is taken to have gone between its open and its close.
//!
//! A bar that closes at or above its open went open, low, high, close; any other went open, high, low, close. So the
//! price first moves against the bar's result: a stop beneath a rising bar is hit before its high is credited. The
//! four points stand at the open, a quarter and half of the bar, and its last millisecond; between two points every
//! price in between is passed.

use hedge_core::{Bar, Interval};

/// The four prices of the path in order, scaled as in the bar.
pub const fn inner_path(bar: &Bar) -> [i64; 4] {
    if bar.close >= bar.open {
        [bar.open, bar.low, bar.high, bar.close]
    } else {
        [bar.open, bar.high, bar.low, bar.close]
    }
}

/// When the four points of the path are reached. Units: milliseconds since the epoch.
pub const fn point_times_ms(open_ms: i64, interval: Interval) -> [i64; 4] {
    let length = interval.ms();
    [open_ms, open_ms + length / 4, open_ms + length / 2, open_ms + length - 1]
}

/// The price at a time inside the bar, on straight lines between the points. Before the bar it is the open, after it
/// the close.
pub fn price_along(bar: &Bar, at_ms: i64) -> i64 {
    let prices = inner_path(bar);
    let times = point_times_ms(bar.open_time.ms(), bar.interval);
    if at_ms <= times[0] {
        return prices[0];
    }
    for point in 1..4 {
        if at_ms <= times[point] {
            let (from, to) = (i128::from(prices[point - 1]), i128::from(prices[point]));
            let done = i128::from(at_ms - times[point - 1]);
            let length = i128::from(times[point] - times[point - 1]);
            // Between two prices that fit 64 bits, so the conversion cannot fail.
            return i64::try_from(from + (to - from) * done / length).unwrap_or(prices[point]);
        }
    }
    prices[3]
}

#[cfg(test)]
mod tests {
    use hedge_core::Timestamp;

    use super::*;

    fn bar(open: i64, high: i64, low: i64, close: i64) -> Bar {
        Bar {
            open_time: Timestamp::from_ms(900_000),
            interval: Interval::M15,
            open,
            high,
            low,
            close,
            price_scale: 1,
            volume: 1,
            volume_scale: 0,
        }
    }

    #[test]
    fn a_rising_or_flat_bar_goes_to_its_low_first_and_a_falling_one_to_its_high() {
        assert_eq!(inner_path(&bar(10, 15, 8, 12)), [10, 8, 15, 12]);
        assert_eq!(inner_path(&bar(10, 15, 8, 10)), [10, 8, 15, 10]);
        assert_eq!(inner_path(&bar(10, 15, 8, 9)), [10, 15, 8, 9]);
    }

    #[test]
    fn the_points_stand_at_open_quarter_half_and_last_millisecond() {
        assert_eq!(point_times_ms(900_000, Interval::M15), [900_000, 1_125_000, 1_350_000, 1_799_999]);
    }

    #[test]
    fn between_points_the_price_is_on_a_straight_line() {
        let bar = bar(1_000, 1_500, 800, 1_200);
        let prices = [0, 900_000, 1_012_500, 1_125_000, 1_350_000, 1_799_999, 9_999_999]
            .map(|ms| price_along(&bar, ms));
        assert_eq!(prices, [1_000, 1_000, 900, 800, 1_500, 1_200, 1_200]);
    }
}
