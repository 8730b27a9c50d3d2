//! The inside of a minute: 240 quarter seconds that start at the open, touch high and low and end at the close.

use super::{
    day::{MINUTE_MS, Minute, first_trade_id},
    noise::{bell, draw, unit, units},
};

/// Length of a step of the price. Units: milliseconds.
const SLOT_MS: i64 = 250;
const LAST_SLOT: i64 = MINUTE_MS / SLOT_MS - 1;

/// A market print: what one aggressive order traded at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratedTrade {
    /// Number of the print; the next one has the next number.
    pub id: i64,
    /// Price, scaled as the symbol's prices.
    pub price: i64,
    /// Quantity, scaled as the symbol's volumes.
    pub qty: i64,
    /// Number of the first trade inside the print.
    pub first_trade_id: i64,
    /// Number of the last trade inside the print.
    pub last_trade_id: i64,
    /// When.
    pub at_ms: i64,
    /// The buyer was waiting in the book: the aggressive order sold.
    pub buyer_is_maker: bool,
}

/// The path of the price inside one minute, in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct MicroPath {
    minute: Minute,
    key: u64,
    high_slot: i64,
    low_slot: i64,
}

impl MicroPath {
    /// `key` is the minute's own stream.
    pub(super) fn new(minute: Minute, key: u64) -> Self {
        let word = draw(key, -1);
        let [first, second, order] = units(word);
        // Apart from each other and from both ends, so that each has prints of its own.
        let first = 8 + (first * 100.0) as i64;
        let second = 125 + (second * 100.0) as i64;
        let (high, low) = if order < 0.5 { (first, second) } else { (second, first) };
        let at = |extreme: i64, slot: i64| match extreme {
            price if price == minute.open => 0,
            price if price == minute.close => LAST_SLOT,
            _ => slot,
        };
        Self { minute, key, high_slot: at(minute.high, high), low_slot: at(minute.low, low) }
    }
    /// The price at a time inside the minute, in ticks.
    pub(super) fn at(&self, offset_ms: i64) -> i64 {
        self.slot((offset_ms / SLOT_MS).clamp(0, LAST_SLOT))
    }
    /// Highest and lowest price up to a time inside the minute, in ticks.
    pub(super) fn range_until(&self, offset_ms: i64) -> (i64, i64) {
        let last = (offset_ms / SLOT_MS).clamp(0, LAST_SLOT);
        (0..=last)
            .map(|slot| self.slot(slot))
            .fold((i64::MIN, i64::MAX), |(high, low), price| (high.max(price), low.min(price)))
    }
    fn slot(&self, slot: i64) -> i64 {
        let Minute { open, high, low, close, .. } = self.minute;
        match slot {
            0 => open,
            LAST_SLOT => close,
            _ if slot == self.high_slot => high,
            _ if slot == self.low_slot => low,
            _ => {
                let (from, to) = self.neighbours(slot);
                let share = (slot - from.0) as f64 / (to.0 - from.0) as f64;
                let straight = from.1 as f64 + (to.1 - from.1) as f64 * share;
                let noise = bell(draw(self.key, slot)) * 0.12 * (high - low) as f64;
                ((straight + noise).round() as i64).clamp(low, high)
            }
        }
    }
    /// The fixed points before and after a slot.
    fn neighbours(&self, slot: i64) -> ((i64, i64), (i64, i64)) {
        let Minute { open, high, low, close, .. } = self.minute;
        let (mut from, mut to) = ((0, open), (LAST_SLOT, close));
        for point in [(self.high_slot, high), (self.low_slot, low)] {
            if point.0 <= slot && point.0 > from.0 {
                from = point;
            }
            if point.0 > slot && point.0 < to.0 {
                to = point;
            }
        }
        (from, to)
    }

    /// The prints of the minute in time order. Their prices make exactly the minute's bar, their quantities exactly its
    /// volume; `day_print` is the number of the day's first print.
    pub(super) fn trades(
        &self,
        grid: (i64, i64),
        open_ms: i64,
        day_print: i64,
        print_key: u64,
    ) -> Vec<GeneratedTrade> {
        let minute = &self.minute;
        let weights: Vec<f64> = (0..minute.prints).map(|at| weight(draw(self.key, 1_000 + at))).collect();
        let total: f64 = weights.iter().sum();
        let free = (minute.volume - minute.prints) as f64;
        let bought = minute.taker_buy as f64 / minute.volume.max(1) as f64;
        let (mut sum, mut given) = (0.0, 0);
        let mut trades = Vec::with_capacity(weights.len());
        for (at, weight) in (0..minute.prints).zip(&weights) {
            sum += weight;
            let until = if at + 1 == minute.prints {
                minute.volume - minute.prints
            } else {
                (free * (sum / total)).floor() as i64
            };
            let offset_ms = self.print_time(at);
            let id = day_print + minute.first_print + at;
            trades.push(GeneratedTrade {
                id,
                price: self.at(offset_ms) * grid.0,
                qty: (1 + until - given) * grid.1,
                first_trade_id: first_trade_id(print_key, id),
                last_trade_id: first_trade_id(print_key, id + 1) - 1,
                at_ms: open_ms + offset_ms,
                buyer_is_maker: unit(draw(self.key, 100_000 + at)) >= bought,
            });
            given = until;
        }
        trades
    }
    /// Every print has its own share of the minute; the ones in whose share an extreme stands are at that instant.
    fn print_time(&self, at: i64) -> i64 {
        let prints = self.minute.prints;
        let (from, to) = (at * MINUTE_MS / prints, (at + 1) * MINUTE_MS / prints);
        if at == 0 {
            return 0;
        }
        if at + 1 == prints {
            return MINUTE_MS - 1 - SLOT_MS / 2;
        }
        let extreme = [self.high_slot, self.low_slot].into_iter().map(|slot| slot * SLOT_MS);
        let inside = extreme.filter(|ms| (from..to).contains(ms) && *ms > 0).min();
        inside.unwrap_or_else(|| from + (draw(self.key, 200_000 + at) >> 8) as i64 % (to - from).max(1))
    }
}

/// Sizes of prints differ a lot: most are small.
fn weight(word: u64) -> f64 {
    let u = unit(word);
    0.02 + u * u * u * u
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(open: i64, high: i64, low: i64, close: i64) -> Minute {
        Minute { open, high, low, close, volume: 5_000, taker_buy: 2_000, first_print: 7, prints: 80 }
    }

    #[test]
    fn the_prints_of_a_minute_make_its_bar() {
        for (seed, bar) in [
            (1, minute(100, 120, 90, 110)),
            (2, minute(100, 100, 90, 95)),
            (3, minute(100, 130, 100, 130)),
            (4, minute(50, 50, 50, 50)),
            (5, minute(100, 101, 99, 100)),
        ] {
            let trades = MicroPath::new(bar, draw(9, seed)).trades((1, 1), 60_000, 1_000, 3);
            let prices = || trades.iter().map(|trade| trade.price);
            assert_eq!(trades.len(), 80);
            assert_eq!((trades[0].price, trades[79].price), (bar.open, bar.close), "{seed}");
            assert_eq!((prices().max(), prices().min()), (Some(bar.high), Some(bar.low)), "{seed}");
            assert_eq!(trades.iter().map(|trade| trade.qty).sum::<i64>(), bar.volume);
            assert!(trades.windows(2).all(|pair| pair[0].at_ms <= pair[1].at_ms), "{seed}");
            assert!(trades.windows(2).all(|pair| pair[0].last_trade_id + 1 == pair[1].first_trade_id));
            assert!(trades.iter().all(|trade| trade.qty >= 1 && (60_000..120_000).contains(&trade.at_ms)));
        }
    }

    #[test]
    fn the_price_never_leaves_the_bar() {
        let path = MicroPath::new(minute(100, 120, 90, 110), 77);
        assert!((0..60_000).step_by(50).all(|ms| (90..=120).contains(&path.at(ms))));
        assert_eq!((path.at(0), path.at(59_999)), (100, 110));
        assert_eq!(path.range_until(59_999), (120, 90));
        assert_eq!(path.range_until(0), (100, 100));
    }
}
