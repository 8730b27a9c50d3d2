//! A small market of its own: deterministic, whole-numbered, with trends, quiet stretches and jumps.

use std::collections::BTreeMap;

use hedge_core::{Bar, DataNeed, InstrumentId, Interval, Timestamp};

/// A closed bar of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketBar {
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// The bar.
    pub bar: Bar,
}

/// Where every generated market begins: 2025-01-01T00:00Z, the open of every interval.
pub const START: Timestamp = Timestamp::from_ms(1_735_689_600_000);

/// Bars for every need, in the order in which they close, until each need has at least `count` of them.
///
/// Bars of several lengths of one instrument tell one story: the long ones are made of the short ones. The same seed
/// gives the same market; every instrument has its own.
pub fn market(needs: &[DataNeed], seed: u64, count: usize) -> Vec<MarketBar> {
    let mut bars = Vec::new();
    let mut instruments: Vec<InstrumentId> = Vec::new();
    for need in needs {
        if !instruments.contains(&need.instrument) {
            instruments.push(need.instrument);
        }
    }
    for (place, instrument) in instruments.iter().enumerate() {
        let mut intervals: Vec<Interval> =
            needs.iter().filter(|need| need.instrument == *instrument).map(|need| need.interval).collect();
        intervals.sort_unstable();
        intervals.dedup();
        let mut walk = Walk::new(seed.wrapping_mul(1_000_003).wrapping_add(place as u64));
        bars.extend(
            story(&mut walk, &intervals, count)
                .into_iter()
                .map(|bar| MarketBar { instrument: *instrument, bar }),
        );
    }
    // Stable: instruments keep the order of the needs, short bars come before long ones.
    bars.sort_by_key(|bar| bar.bar.end());
    bars
}

fn story(walk: &mut Walk, intervals: &[Interval], count: usize) -> Vec<Bar> {
    let Some((shortest, longest)) = intervals.first().zip(intervals.last()) else { return Vec::new() };
    let fits = intervals.iter().all(|interval| interval.ms() % shortest.ms() == 0);
    let base = if fits { *shortest } else { Interval::M1 };
    let steps = i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(longest.ms() / base.ms());
    let mut unfinished: BTreeMap<Interval, Bar> = BTreeMap::new();
    let mut closed = Vec::new();
    for step in 0..steps {
        let bar = walk.bar(Timestamp::from_ms(START.ms() + step * base.ms()), base);
        for interval in intervals {
            let whole = match unfinished.remove(interval) {
                Some(begun) => join(begun, &bar),
                None => Bar { interval: *interval, ..bar },
            };
            if bar.end() == whole.end() {
                closed.push(whole);
            } else {
                unfinished.insert(*interval, whole);
            }
        }
    }
    closed
}

fn join(begun: Bar, next: &Bar) -> Bar {
    Bar {
        high: begun.high.max(next.high),
        low: begun.low.min(next.low),
        close: next.close,
        volume: begun.volume + next.volume,
        ..begun
    }
}

/// A price that walks in whole hundredths.
#[derive(Debug)]
struct Walk {
    state: u64,
    price: i64,
    /// Tenths of a basis point a bar, and for how many more bars.
    drift: (i64, i64),
}

impl Walk {
    fn new(seed: u64) -> Self {
        Self { state: seed, price: 10_000_000, drift: (0, 0) }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A whole number in `-limit..=limit`, more often near zero than far from it.
    fn near(&mut self, limit: i64) -> i64 {
        let width = limit.unsigned_abs() + 1;
        (self.next() % width) as i64 - (self.next() % width) as i64
    }

    fn bar(&mut self, open_time: Timestamp, interval: Interval) -> Bar {
        if self.drift.1 == 0 {
            let direction = self.near(300);
            // Back towards where it began, so that no market runs away over a long test.
            let home = if self.price > 20_000_000 {
                -100
            } else if self.price < 5_000_000 {
                100
            } else {
                0
            };
            self.drift = (direction + home, 20 + (self.next() % 100) as i64);
        }
        self.drift.1 -= 1;
        let jump = if self.next().is_multiple_of(97) { self.near(4_000) } else { 0 };
        let open = self.price;
        let close = self.moved(open, self.drift.0 + jump, 500);
        let high = self.moved(open.max(close), 0, 150).max(open.max(close));
        let low = self.moved(open.min(close), 0, 150).min(open.min(close));
        self.price = close;
        let volume = 1_000 + (self.next() % 100_000) as i64;
        Bar { open_time, interval, open, high, low, close, price_scale: 2, volume, volume_scale: 3 }
    }

    /// `price` moved by a drift and some noise, both in tenths of a basis point; never to zero.
    fn moved(&mut self, price: i64, drift: i64, noise: i64) -> i64 {
        let by = drift + self.near(noise);
        (price + price * by / 100_000).max(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(symbol: &str, interval: Interval) -> DataNeed {
        DataNeed { instrument: InstrumentId::binance(symbol).unwrap(), interval, warmup_bars: 10 }
    }

    #[test]
    fn generated_bars_are_valid_contiguous_and_in_the_order_of_their_ends() {
        let needs =
            [need("BTCUSDT", Interval::M15), need("ETHUSDT", Interval::H1), need("BTCUSDT", Interval::H1)];
        let bars = market(&needs, 7, 50);
        assert!(bars.is_sorted_by_key(|bar| bar.bar.end()));
        for wanted in needs {
            let own: Vec<Bar> = bars
                .iter()
                .filter(|bar| bar.instrument == wanted.instrument && bar.bar.interval == wanted.interval)
                .map(|bar| bar.bar.checked().unwrap())
                .collect();
            assert!(own.len() >= 50);
            assert!(own.windows(2).all(|pair| pair[0].end() == pair[1].open_time));
        }
    }

    #[test]
    fn a_long_bar_is_made_of_its_short_ones() {
        let needs = [need("BTCUSDT", Interval::M15), need("BTCUSDT", Interval::H1)];
        let bars = market(&needs, 1, 3);
        let of = |interval| bars.iter().map(|bar| bar.bar).filter(move |bar| bar.interval == interval);
        let hour = of(Interval::H1).next().unwrap();
        let quarters: Vec<Bar> = of(Interval::M15).take(4).collect();
        assert_eq!(hour.open, quarters[0].open);
        assert_eq!(hour.close, quarters[3].close);
        assert_eq!(hour.high, quarters.iter().map(|bar| bar.high).max().unwrap());
        assert_eq!(hour.volume, quarters.iter().map(|bar| bar.volume).sum::<i64>());
    }

    #[test]
    fn a_seed_names_one_market_and_instruments_differ() {
        let needs = [need("BTCUSDT", Interval::M15), need("ETHUSDT", Interval::M15)];
        assert_eq!(market(&needs, 5, 20), market(&needs, 5, 20));
        assert_ne!(market(&needs, 5, 20), market(&needs, 6, 20));
        let closes = |symbol: &str| -> Vec<i64> {
            let id = InstrumentId::binance(symbol).unwrap();
            market(&needs, 5, 20).iter().filter(|bar| bar.instrument == id).map(|bar| bar.bar.close).collect()
        };
        assert_ne!(closes("BTCUSDT"), closes("ETHUSDT"));
    }
}
