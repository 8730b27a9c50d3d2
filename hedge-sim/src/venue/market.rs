//! One instrument's market: its prices, the orders resting on it, and the standing book around the last price.
//!
//! The standing book is made up, but always the same for the same seed and price: a one-tick spread, twenty levels a
//! tick apart, then wider ones out to 3 % from the best price, at most 200 a side. The notional of level `k` is
//! `(4 + k) / 4` times that of the best price, varied by 40 % either way. What a taker eats stays eaten until the
//! price moves or the book is stirred.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::band::Band;
use super::given_book::GivenBook;
use super::maintenance::Maintenance;
use super::matching::reaches;
use super::rules::{InstrumentRules, MARK_SCALE, scaled};
use super::vocabulary::Side;

const NEAR_LEVELS: i64 = 20;
const MAX_LEVELS: i64 = 200;
/// Reach of the standing book, percent of the best price.
const REACH_PCT: i64 = 3;
const E8: i128 = 100_000_000;

/// An order in the book, identified by id, at its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Resting {
    pub(super) ticks: i64,
    pub(super) order_id: u64,
}

/// Quantity eaten from one level of the standing book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Eaten {
    side: Side,
    ticks: i64,
    steps: i64,
}

/// State of one instrument. Prices are ticks, marks are multiples of 10^-8, quantities are lot steps.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Market {
    pub(super) rules: InstrumentRules,
    pub(super) asset: usize,
    pub(super) tick_e8: i64,
    pub(super) step_e8: i64,
    top_e8: i64,
    seed: u64,
    pub(super) last: i64,
    /// Best bid.
    pub(super) bid: i64,
    /// How far the best ask is above it, in ticks: one, unless another market's prices were taken over.
    #[serde(default = "one_tick")]
    spread: i64,
    pub(super) mark_e8: i64,
    pub(super) book_seq: u64,
    stirs: u64,
    pub(super) moved_ms: i64,
    eaten: Vec<Eaten>,
    /// The levels of another market, where it tells them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) given: Option<GivenBook>,
    /// Resting buys, best first, then oldest first.
    pub(super) bids: Vec<Resting>,
    /// Resting sells, best first, then oldest first.
    pub(super) asks: Vec<Resting>,
    /// Waiting algo orders, oldest first.
    pub(super) algos: Vec<u64>,
    pub(super) next_trade_id: u64,
    #[serde(skip)]
    pub(super) band: Band,
    /// `None` until a guard asks for it, and when it cannot be counted.
    #[serde(skip)]
    pub(super) maintenance: Option<Maintenance>,
}

impl Market {
    /// A market at `last`; `None` when a number does not fit.
    pub(super) fn open(
        rules: InstrumentRules,
        asset: usize,
        last: i64,
        top: Decimal,
        seed: u64,
    ) -> Option<Self> {
        let tick_e8 = to_e8(rules.tick)?;
        let step_e8 = to_e8(rules.lot.step)?;
        let top_e8 = to_e8(top)?;
        let mut market = Self {
            rules,
            asset,
            tick_e8,
            step_e8,
            top_e8,
            seed,
            last,
            bid: last,
            spread: one_tick(),
            mark_e8: 0,
            book_seq: 1_000 + seed % 1_000,
            stirs: 0,
            moved_ms: 0,
            eaten: Vec::new(),
            given: None,
            bids: Vec::new(),
            asks: Vec::new(),
            algos: Vec::new(),
            next_trade_id: 1_000_000_001 + seed % 1_000 * 1_000,
            band: Band::UNKNOWN,
            maintenance: None,
        };
        if !market.holds_ticks(last) {
            return None;
        }
        market.mark_e8 = last * tick_e8;
        Some(market)
    }

    pub(super) fn count_maintenance(&mut self) {
        if self.maintenance.is_none() {
            self.maintenance = Maintenance::of_rules(&self.rules);
        }
    }

    /// Highest last price the integers can carry, with room for sums.
    pub(super) fn max_ticks(&self) -> i64 {
        i64::MAX / 4 / self.tick_e8
    }

    pub(super) fn holds_ticks(&self, ticks: i64) -> bool {
        ticks > 0 && ticks <= self.max_ticks()
    }

    pub(super) fn ask(&self) -> i64 {
        self.bid + self.spread
    }

    /// Best price an order of this side would meet.
    pub(super) fn best_opposite(&self, side: Side) -> i64 {
        match side {
            Side::Buy => self.ask(),
            Side::Sell => self.bid,
        }
    }

    #[inline]
    pub(super) fn mark(&self) -> Decimal {
        scaled(self.mark_e8, MARK_SCALE)
    }

    pub(super) fn last_e8(&self) -> i64 {
        self.last * self.tick_e8
    }

    pub(super) fn book_side(&self, side: Side) -> &Vec<Resting> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    /// Puts an order behind all others of its price.
    pub(super) fn rest(&mut self, side: Side, resting: Resting) {
        let book = self.book_side_mut(side);
        let ahead = |r: &Resting| match side {
            Side::Buy => r.ticks >= resting.ticks,
            Side::Sell => r.ticks <= resting.ticks,
        };
        let at = book.partition_point(ahead);
        book.insert(at, resting);
        self.touch_book();
    }

    /// Takes an order out of the book; false when it was not there.
    pub(super) fn unrest(&mut self, side: Side, order_id: u64) -> bool {
        let book = self.book_side_mut(side);
        let Some(at) = book.iter().position(|r| r.order_id == order_id) else { return false };
        book.remove(at);
        self.touch_book();
        true
    }

    fn book_side_mut(&mut self, side: Side) -> &mut Vec<Resting> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// The book changed and with it what a price move may meet.
    fn touch_book(&mut self) {
        self.book_seq += 1;
        self.band = Band::UNKNOWN;
    }

    /// Puts prices where they are told. A rise leaves last at the ask, a fall at the bid.
    pub(super) fn shift(&mut self, now_ms: i64, last: i64, mark_e8: i64) {
        if last > self.last {
            self.bid = last - self.spread;
        } else if last < self.last {
            self.bid = last;
        }
        self.last = last;
        self.mark_e8 = mark_e8;
        self.moved_ms = now_ms;
        self.book_seq += 1;
        if !self.eaten.is_empty() {
            self.eaten.clear();
        }
    }

    /// Whether last, with mark beside it, may go anywhere from `lo` to `hi` without concerning anybody.
    #[inline]
    pub(super) fn is_quiet(&self, lo: i64, hi: i64) -> bool {
        self.band.allows_all(lo, hi, self.tick_e8) && self.band.uncalled
    }

    /// Puts prices at each of these in turn, mark at last, as [`shift`](Self::shift) would.
    #[inline]
    pub(super) fn stride(&mut self, now_ms: i64, path: [i64; 4]) {
        for to in path {
            if to > self.last {
                self.bid = to - self.spread;
            } else if to < self.last {
                self.bid = to;
            }
            self.last = to;
        }
        self.mark_e8 = self.last * self.tick_e8;
        self.moved_ms = now_ms;
        self.book_seq += path.len() as u64;
        self.eaten.clear();
    }

    /// Takes over the prices of another market: `best` is bid and ask.
    pub(super) fn follow(&mut self, now_ms: i64, best: (i64, i64), last: i64, mark_e8: i64) {
        (self.bid, self.spread) = (best.0, best.1 - best.0);
        self.last = last;
        self.mark_e8 = mark_e8;
        self.moved_ms = now_ms;
        self.eaten.clear();
        if let Some(book) = &mut self.given {
            book.trim(best.0, best.1);
        }
        self.touch_book();
    }

    /// As [`follow`](Self::follow), where the band is known to hold the new prices.
    pub(super) fn follow_quietly(&mut self, now_ms: i64, best: (i64, i64), last: i64, mark_e8: i64) {
        let band = self.band;
        self.follow(now_ms, best, last, mark_e8);
        self.band = band;
    }

    /// Last goes to where another market traded; bid and ask stay.
    pub(super) fn print_at(&mut self, now_ms: i64, last: i64, mark_e8: i64) {
        (self.last, self.mark_e8, self.moved_ms) = (last, mark_e8, now_ms);
        self.book_seq += 1;
    }

    /// Changes about an eighth of the level sizes and replenishes the book.
    pub(super) fn stir(&mut self) {
        self.stirs += 1;
        self.book_seq += 1;
        self.eaten.clear();
    }

    /// Levels of the standing book on one side, best first.
    pub(super) fn ladder(&self, side: Side) -> Ladder<'_> {
        let best = match side {
            Side::Buy => self.bid,
            Side::Sell => self.ask(),
        };
        let given = self.given.as_ref();
        Ladder { side, best, span: best * REACH_PCT / 100, next: 0, offset: -1, given }
    }

    /// What is left of a level of the standing book. It never stands across an account's order: what rests of a large
    /// taker keeps the other side away until the price moves.
    pub(super) fn level_steps(&self, side: Side, level: Level) -> i64 {
        let barrier = self.book_side(side.opposite()).first();
        if barrier.is_some_and(|r| reaches(side, level.ticks, r.ticks)) {
            return 0;
        }
        let eaten =
            self.eaten.iter().find(|e| e.side == side && e.ticks == level.ticks).map_or(0, |e| e.steps);
        (self.full_steps(side, level) - eaten).max(0)
    }

    /// Whether anything is left of a level of the standing book.
    pub(super) fn stands(&self, side: Side, level: Level) -> bool {
        // A made-up level that nobody took from is never empty.
        let untouched =
            self.given.is_none() && self.eaten.is_empty() && self.book_side(side.opposite()).is_empty();
        untouched || self.level_steps(side, level) > 0
    }

    fn full_steps(&self, side: Side, level: Level) -> i64 {
        if let Some(book) = &self.given {
            return book.steps(side, level.ticks);
        }
        let place = (level.ticks as u64).wrapping_mul(2).wrapping_add(u64::from(side == Side::Buy));
        let fixed = mix(self.seed ^ place.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let epoch = (self.stirs + fixed % 8) / 8;
        let pct = 60 + (mix(fixed ^ epoch) % 81) as i64;
        let steps = self.quick_steps(level, pct).unwrap_or_else(|| {
            let notional_e8 =
                i128::from(self.top_e8) * i128::from(4 + level.depth) / 4 * i128::from(pct) / 100;
            let price_e8 = i128::from(level.ticks) * i128::from(self.tick_e8);
            let per_step_e16 = price_e8 * i128::from(self.step_e8);
            i64::try_from(notional_e8 * E8 / per_step_e16.max(1)).unwrap_or(i64::MAX / 4)
        });
        steps.max(1)
    }

    /// The size of a level in words; `None` where they do not hold it.
    #[inline]
    fn quick_steps(&self, level: Level, pct: i64) -> Option<i64> {
        let notional_e8 = (self.top_e8.checked_mul(4 + level.depth)? / 4).checked_mul(pct)? / 100;
        let price_e8 = level.ticks.checked_mul(self.tick_e8)?;
        // Dividing by the whole step first leaves the quotient as it is where nothing is cut off.
        let step_e8 =
            u64::try_from(self.step_e8).ok().filter(|&step| step > 0 && (E8 as u64).is_multiple_of(step))?;
        let steps_of_one = E8 as u64 / step_e8;
        let notional = u64::try_from(notional_e8).ok()?.checked_mul(steps_of_one)?;
        let price = u64::try_from(price_e8).ok().filter(|&price| price > 0)?;
        i64::try_from(notional / price).ok()
    }

    /// Removes quantity from a level until the book is replenished.
    pub(super) fn eat(&mut self, side: Side, ticks: i64, steps: i64) {
        self.book_seq += 1;
        match self.eaten.iter_mut().find(|e| e.side == side && e.ticks == ticks) {
            Some(eaten) => eaten.steps += steps,
            None => self.eaten.push(Eaten { side, ticks, steps }),
        }
    }

    /// The best resting order that stands where the other side of the market is: the rest of a large taker.
    pub(super) fn crossing(&self) -> Option<Resting> {
        let bid = self.bids.first().filter(|r| r.ticks >= self.ask());
        bid.or(self.asks.first().filter(|r| r.ticks <= self.bid)).copied()
    }

    pub(super) fn take_trade_id(&mut self) -> u64 {
        let id = self.next_trade_id;
        self.next_trade_id += 1;
        id
    }
}

/// One level: price and how many levels lie before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) ticks: i64,
    depth: i64,
}

/// Walks the standing book outwards.
#[derive(Debug, Clone)]
pub(super) struct Ladder<'a> {
    side: Side,
    best: i64,
    span: i64,
    next: i64,
    offset: i64,
    /// The levels of another market; `best` is then where the search goes on.
    given: Option<&'a GivenBook>,
}

impl Iterator for Ladder<'_> {
    type Item = Level;

    fn next(&mut self) -> Option<Level> {
        if let Some(book) = self.given {
            let ticks = book.next(self.side, self.best)?;
            self.best = ticks - self.side.sign();
            return Some(Level { ticks, depth: 0 });
        }
        let depth = self.next;
        let far = depth - NEAR_LEVELS;
        let spread_out = if far <= 0 {
            depth
        } else {
            let reach = MAX_LEVELS - 1 - NEAR_LEVELS;
            NEAR_LEVELS
                + (i128::from(self.span - NEAR_LEVELS) * i128::from(far * far) / i128::from(reach * reach))
                    as i64
        };
        self.offset = spread_out.max(self.offset + 1);
        self.next += 1;
        let ticks = self.best - self.side.sign() * self.offset;
        let beyond = far > 0 && self.offset > self.span;
        (depth < MAX_LEVELS && !beyond && ticks > 0).then_some(Level { ticks, depth })
    }
}

const fn one_tick() -> i64 {
    1
}

/// Whole multiples of 10^-8; `None` when finer than that or too large.
pub(super) fn to_e8(value: Decimal) -> Option<i64> {
    let normal = value.normalize();
    let factor = 10i128.checked_pow(MARK_SCALE.checked_sub(normal.scale())?)?;
    i64::try_from(normal.mantissa().checked_mul(factor)?).ok()
}

/// A well-mixing hash of one word (the finaliser of SplitMix64).
pub(super) fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
