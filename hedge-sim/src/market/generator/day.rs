//! One day of one symbol as 1,440 minute bars.

use super::{
    factor::{FactorDay, MINUTES},
    noise::{draw, exp, units},
    profile::SymbolProfile,
};
use crate::market::kline::Kline;

pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const DAY_MS: i64 = 86_400_000;
/// Market prints of a symbol per day. Always the same number, so that ids run on without holes from day to day.
pub(super) const PRINTS_PER_DAY: i64 = 201_600;
/// Prints of the quietest minute.
const MIN_PRINTS: i64 = 80;
/// Log distance from the anchor that is never reached: a factor of five.
const BOUND: f64 = 1.609_437_9;

/// One minute; prices in ticks, volumes in lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Minute {
    pub(super) open: i64,
    pub(super) high: i64,
    pub(super) low: i64,
    pub(super) close: i64,
    pub(super) volume: i64,
    pub(super) taker_buy: i64,
    /// Prints of the day before this minute.
    pub(super) first_print: i64,
    /// Prints of this minute.
    pub(super) prints: i64,
}

/// One day of one symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SymbolDay {
    pub(super) minutes: Vec<Minute>,
}

impl SymbolDay {
    /// Puts prices, volumes and prints onto the two factors of the day. `key` is the day's own stream.
    pub(super) fn new(profile: &SymbolProfile, common: &FactorDay, own: &FactorDay, key: u64) -> Self {
        if own.spread.is_empty() {
            return Self::plain(profile, &ticks(profile, common, own), key);
        }
        Self::detailed(profile, common, own, key)
    }
    /// Straight lines from hour to hour, volumes by the hour.
    fn plain(profile: &SymbolProfile, hours: &[i64], key: u64) -> Self {
        let prints = PRINTS_PER_DAY / MINUTES as i64;
        let mut minutes = Vec::with_capacity(MINUTES);
        for (hour, ends) in hours.windows(2).enumerate() {
            let [busy, ..] = units(draw(key, hour as i64));
            let lots = (profile.minute_qty * (0.4 + 1.2 * busy) / profile.lot_size()).round() as i64;
            let volume = lots.max(prints);
            let at = |minute: i64| ends[0] + (ends[1] - ends[0]) * minute / 60;
            for minute in 0..60 {
                let (open, close) = (at(minute), at(minute + 1));
                minutes.push(Minute {
                    open,
                    high: open.max(close),
                    low: open.min(close),
                    close,
                    volume,
                    taker_buy: volume / 2,
                    first_print: minutes.len() as i64 * prints,
                    prints,
                });
            }
        }
        Self { minutes }
    }
    fn detailed(profile: &SymbolProfile, common: &FactorDay, own: &FactorDay, key: u64) -> Self {
        let ticks = ticks(profile, common, own);
        let typical = spread(profile.beta * common.usual_spread, own.usual_spread);
        let mut weights = Vec::with_capacity(MINUTES);
        let mut minutes = Vec::with_capacity(MINUTES);
        for at in 0..MINUTES {
            let (open, close) = (ticks[at], ticks[at + 1]);
            let width = spread(profile.beta * common.spread[at], own.spread[at]);
            let width_ticks = width * open as f64;
            let [up, down, size] = units(draw(key, 2 * at as i64));
            let [share, ..] = units(draw(key, 2 * at as i64 + 1));
            let high = open.max(close) + (1.2 * up * up * width_ticks).round() as i64;
            let low = (open.min(close) - (1.2 * down * down * width_ticks).round() as i64).max(1);
            let reach = ((close - open) as f64 / width_ticks).clamp(-4.0, 4.0);
            let activity = width / typical * (0.35 + 0.5 * reach.abs()) * (0.4 + 1.8 * size * size * size);
            let lots = (activity * profile.minute_qty / profile.lot_size()).round() as i64;
            let bought = 0.5 + 0.11 * reach.clamp(-3.0, 3.0) + 0.1 * (share - 0.5);
            weights.push(activity / (activity + 8.0));
            minutes.push(Minute {
                open,
                high,
                low,
                close,
                volume: lots,
                taker_buy: (bought * 1_000.0).round() as i64,
                first_print: 0,
                prints: 0,
            });
        }
        number_prints(&mut minutes, &weights);
        for minute in &mut minutes {
            // Every print is at least one lot; the bought part is kept in thousandths until the volume is known.
            minute.volume = minute.volume.max(minute.prints);
            minute.taker_buy = minute.volume * minute.taker_buy / 1_000;
        }
        Self { minutes }
    }
    /// The whole day as one kline.
    pub(super) fn summary(&self, profile: &SymbolProfile, day: i64, print_key: u64) -> Option<Kline> {
        self.range(profile, day, print_key, 0, MINUTES)
    }
    /// The minutes `[from, to)` as one kline; `None` when there are none.
    pub(super) fn range(
        &self,
        profile: &SymbolProfile,
        day: i64,
        print_key: u64,
        from: usize,
        to: usize,
    ) -> Option<Kline> {
        let minutes = self.minutes.get(from..to)?;
        let (first, last) = (minutes.first()?, minutes.last()?);
        let mut sums = Sums::default();
        let (mut high, mut low) = (first.high, first.low);
        for minute in minutes {
            high = high.max(minute.high);
            low = low.min(minute.low);
            sums.add(minute);
        }
        let first_print = day * PRINTS_PER_DAY + first.first_print;
        let next_print = day * PRINTS_PER_DAY + last.first_print + last.prints;
        let grid = i128::from(profile.tick) * i128::from(profile.step);
        Some(Kline {
            open_ms: day * DAY_MS + from as i64 * MINUTE_MS,
            close_ms: day * DAY_MS + to as i64 * MINUTE_MS - 1,
            open: first.open * profile.tick,
            high: high * profile.tick,
            low: low * profile.tick,
            close: last.close * profile.tick,
            price_scale: profile.price_scale,
            volume: sums.volume * profile.step,
            taker_buy_volume: sums.taker_buy * profile.step,
            volume_scale: profile.volume_scale,
            quote_volume: sums.quote * grid,
            taker_buy_quote: sums.taker_quote * grid,
            trades: first_trade_id(print_key, next_print) - first_trade_id(print_key, first_print),
        })
    }
}

/// Id of the first trade inside a print: prints hold one to three trades each, ids run on without holes.
pub(super) const fn first_trade_id(print_key: u64, print: i64) -> i64 {
    2 * print + (draw(print_key, print) & 1) as i64
}

#[derive(Default)]
struct Sums {
    volume: i64,
    taker_buy: i64,
    quote: i128,
    taker_quote: i128,
}

impl Sums {
    fn add(&mut self, minute: &Minute) {
        let (whole, taker) = quote_of(minute);
        self.volume += minute.volume;
        self.taker_buy += minute.taker_buy;
        self.quote += whole;
        self.taker_quote += taker;
    }
}

/// Quote volume of a minute in ticks × lots, whole and bought by takers: at the mean of the bar's four prices, so the
/// volume-weighted price always lies between low and high.
pub(super) fn quote_of(minute: &Minute) -> (i128, i128) {
    let four = i128::from(minute.open + minute.high + minute.low + minute.close);
    (i128::from(minute.volume) * four / 4, i128::from(minute.taker_buy) * four / 4)
}

/// Prices in ticks at each minute boundary.
fn ticks(profile: &SymbolProfile, common: &FactorDay, own: &FactorDay) -> Vec<i64> {
    let scale = profile.anchor / profile.tick_size();
    let tick = |(common, own): (&f64, &f64)| {
        ((scale * exp(bounded(profile.beta * common + own))).round() as i64).max(1)
    };
    common.path.iter().zip(&own.path).map(tick).collect()
}

/// Pulls a log distance inside the bound without bending small ones.
fn bounded(x: f64) -> f64 {
    let share = x / BOUND;
    x / (1.0 + share * share).sqrt()
}

fn spread(common: f64, own: f64) -> f64 {
    (common * common + own * own).sqrt()
}

/// Shares the day's prints among the minutes by weight, with a minimum for each.
fn number_prints(minutes: &mut [Minute], weights: &[f64]) {
    let free = PRINTS_PER_DAY - MIN_PRINTS * MINUTES as i64;
    let total: f64 = weights.iter().sum();
    let mut sum = 0.0;
    let mut before = 0;
    for (at, (minute, weight)) in minutes.iter_mut().zip(weights).enumerate() {
        sum += weight;
        let shared = if at + 1 == MINUTES { free } else { (free as f64 * (sum / total)).floor() as i64 };
        let after = MIN_PRINTS * (at as i64 + 1) + shared;
        minute.first_print = before;
        minute.prints = after - before;
        before = after;
    }
}
