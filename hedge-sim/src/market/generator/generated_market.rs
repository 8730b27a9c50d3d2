//! The generated market as a whole: klines, prints, prices and funding of several symbols at any time.

use std::{collections::BTreeMap, sync::Arc};

use hedge_core::{Interval, Symbol};
use rust_decimal::Decimal;

use super::{
    cache::Cache,
    day::{DAY_MS, MINUTE_MS, Minute, PRINTS_PER_DAY, SymbolDay, first_trade_id, quote_of},
    factor::{Factor, FactorDay, MINUTES},
    micro::{GeneratedTrade, MicroPath},
    noise::{draw, key_of},
    profile::SymbolProfile,
    rates::{FUNDING_MS, funding_rate_e8},
};
use crate::market::{
    dataset::{DataSet, FundingSeries},
    error::MarketError,
    funding::FundingPayment,
    kline::Kline,
    kline_interval::KlineInterval,
    series::Series,
};

/// The market begins on Monday 1990-01-01, where a kline of every length opens: 1,500 weeks before any present from 2018
/// on, and well after 1970, before which open times would be negative.
const FIRST_MS: i64 = 631_152_000_000;
/// The years 1990 to 2223; there is no market outside.
const TIMES_MS: std::ops::RangeInclusive<i64> = FIRST_MS..=8_000_000_000_000;
/// Days kept in memory: two weeks of minute bars for every built-in symbol, twice.
const DAYS_KEPT: usize = 256;

/// Which klines are asked for. Times are inclusive bounds of open times, as in the venue's own request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KlineQuery {
    /// Length of the klines.
    pub interval: KlineInterval,
    /// Earliest open time; without it the latest ones are given.
    pub start_ms: Option<i64>,
    /// Latest open time; without it up to now.
    pub end_ms: Option<i64>,
    /// At most this many: the earliest when there is a start, else the latest.
    pub limit: usize,
    /// The present. The kline that contains it is unfinished; nothing later is given.
    pub now_ms: i64,
}

/// A market made from a seed. Any instant can be asked for in any order; the answers never contradict each other.
///
/// Methods take `&mut self` because computed days are kept. Two markets with the same seed and profiles give the same
/// bytes; a symbol's market does not depend on which other symbols there are.
#[derive(Clone, Debug)]
pub struct GeneratedMarket {
    seed: u64,
    common: Factor,
    symbols: Vec<One>,
    common_days: Cache<i64, FactorDay>,
    days: Cache<(u16, i64), SymbolDay>,
    summaries: BTreeMap<(u16, i64), Kline>,
}

/// One symbol and its streams.
#[derive(Clone, Debug)]
struct One {
    profile: SymbolProfile,
    own: Factor,
    day_key: u64,
    micro_key: u64,
    print_key: u64,
    funding_key: u64,
}

impl GeneratedMarket {
    /// The seven usual symbols on their usual grids.
    pub fn built_in(seed: u64) -> Self {
        Self::with_distinct(seed, SymbolProfile::all_built_in())
    }
    /// A market of chosen symbols. Errors when there is none, one twice, or more than 1000.
    pub fn new(seed: u64, mut profiles: Vec<SymbolProfile>) -> Result<Self, MarketError> {
        profiles.sort_by_key(SymbolProfile::symbol);
        let twice = profiles.windows(2).find(|pair| pair[0].symbol == pair[1].symbol);
        match twice {
            Some(pair) => {
                Err(MarketError::Selection(format!("{} is there twice; name it once", pair[0].symbol)))
            }
            None if profiles.is_empty() || profiles.len() > 1_000 => Err(MarketError::Selection(format!(
                "a generated market needs 1 to 1000 symbols, not {}",
                profiles.len()
            ))),
            None => Ok(Self::with_distinct(seed, profiles)),
        }
    }
    fn with_distinct(seed: u64, profiles: Vec<SymbolProfile>) -> Self {
        let common = Factor { key: key_of(seed, "common"), daily: 0.019, jump_rate: 0.16, jump_min: 0.010 };
        let symbols = profiles.into_iter().map(|profile| One::new(seed, profile)).collect();
        Self {
            seed,
            common,
            symbols,
            common_days: Cache::new(DAYS_KEPT),
            days: Cache::new(DAYS_KEPT),
            summaries: BTreeMap::new(),
        }
    }
    /// The seed it was made from.
    pub const fn seed(&self) -> u64 {
        self.seed
    }
    /// The symbols, ordered.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol> {
        self.symbols.iter().map(|one| one.profile.symbol)
    }
    /// The profile of a symbol.
    pub fn profile(&self, symbol: Symbol) -> Option<&SymbolProfile> {
        self.symbols.iter().map(|one| &one.profile).find(|profile| profile.symbol == symbol)
    }

    /// Klines as the venue would answer at `now_ms`; none before 1990. Errors for a symbol that is not part of the market
    /// and for a present outside 1990 to 2223.
    pub fn klines(&mut self, symbol: Symbol, query: &KlineQuery) -> Result<Vec<Kline>, MarketError> {
        let ix = self.ix(symbol)?;
        check_time(query.now_ms)?;
        let interval = query.interval;
        let until_ms = query.end_ms.map_or(query.now_ms, |end| end.min(query.now_ms));
        if until_ms < query.start_ms.unwrap_or(FIRST_MS).max(FIRST_MS) {
            return Ok(Vec::new());
        }
        let last_ms = interval.open_ms(until_ms);
        let mut open_ms = match query.start_ms.map(|start| start.max(FIRST_MS)) {
            Some(start) if interval.open_ms(start) == start => start,
            Some(start) => interval.next_open_ms(interval.open_ms(start)),
            None => interval
                .shift_ms(last_ms, 1 - i64::try_from(query.limit).unwrap_or(i64::MAX).clamp(1, 100_000))
                .max(FIRST_MS),
        };
        let mut klines = Vec::new();
        while open_ms <= last_ms && klines.len() < query.limit {
            let next_ms = interval.next_open_ms(open_ms);
            klines.extend(self.kline(ix, open_ms, next_ms, query.now_ms));
            open_ms = next_ms;
        }
        Ok(klines)
    }
    /// The last price at an instant, scaled as the symbol's prices: the same that the minute's kline and prints tell.
    pub fn price_at(&mut self, symbol: Symbol, at_ms: i64) -> Result<i64, MarketError> {
        let ix = self.ix(symbol)?;
        check_time(at_ms)?;
        let (path, offset_ms) = self.micro(ix, at_ms);
        Ok(path.at(offset_ms) * self.one(ix).profile.tick)
    }
    /// The prints with times in `[from_ms, to_ms]`, earliest first, at most `limit`; none before 1990.
    pub fn trades(
        &mut self,
        symbol: Symbol,
        from_ms: i64,
        to_ms: i64,
        limit: usize,
    ) -> Result<Vec<GeneratedTrade>, MarketError> {
        let ix = self.ix(symbol)?;
        let from_ms = from_ms.max(FIRST_MS);
        if from_ms > to_ms {
            return Ok(Vec::new());
        }
        check_time(to_ms)?;
        let mut trades = Vec::new();
        let mut minute_ms = from_ms - from_ms.rem_euclid(MINUTE_MS);
        while minute_ms <= to_ms && trades.len() < limit {
            let inside = |trade: &GeneratedTrade| (from_ms..=to_ms).contains(&trade.at_ms);
            let minute = self.trades_of_minute(ix, minute_ms);
            trades.extend(minute.into_iter().filter(inside).take(limit - trades.len()));
            minute_ms += MINUTE_MS;
        }
        Ok(trades)
    }
    /// The last `limit` prints up to and including `now_ms`, earliest first.
    pub fn latest_trades(
        &mut self,
        symbol: Symbol,
        limit: usize,
        now_ms: i64,
    ) -> Result<Vec<GeneratedTrade>, MarketError> {
        let ix = self.ix(symbol)?;
        check_time(now_ms)?;
        let mut minutes = Vec::new();
        let mut count = 0;
        let mut minute_ms = now_ms - now_ms.rem_euclid(MINUTE_MS);
        while count < limit && minute_ms >= FIRST_MS {
            let mut trades = self.trades_of_minute(ix, minute_ms);
            trades.retain(|trade| trade.at_ms <= now_ms);
            count += trades.len();
            minutes.push(trades);
            minute_ms -= MINUTE_MS;
        }
        let all = minutes.into_iter().rev().flatten();
        Ok(all.skip(count - limit.min(count)).collect())
    }
    /// The prints from number `first_id` on, up to and including `now_ms`, at most `limit`.
    pub fn trades_from(
        &mut self,
        symbol: Symbol,
        first_id: i64,
        limit: usize,
        now_ms: i64,
    ) -> Result<Vec<GeneratedTrade>, MarketError> {
        let ix = self.ix(symbol)?;
        let first_id = first_id.max(FIRST_MS / DAY_MS * PRINTS_PER_DAY);
        let day = first_id.div_euclid(PRINTS_PER_DAY);
        check_time(day.saturating_mul(DAY_MS))?;
        let of_day = first_id - day * PRINTS_PER_DAY;
        let minute =
            self.day(ix, day).minutes.partition_point(|minute| minute.first_print + minute.prints <= of_day);
        let from_ms = day * DAY_MS + minute as i64 * MINUTE_MS;
        let mut minute_ms = from_ms;
        let mut trades = Vec::new();
        while minute_ms <= now_ms && trades.len() < limit {
            let wanted = |trade: &GeneratedTrade| trade.id >= first_id && trade.at_ms <= now_ms;
            let minute = self.trades_of_minute(ix, minute_ms);
            trades.extend(minute.into_iter().filter(wanted).take(limit - trades.len()));
            minute_ms += MINUTE_MS;
        }
        Ok(trades)
    }
    /// Funding settlements with times in `[from_ms, to_ms]`, earliest first, at most `limit`. Every 8 hours from 00:00
    /// UTC from 1990 on; the mark is the price at that instant.
    pub fn funding(
        &mut self,
        symbol: Symbol,
        from_ms: i64,
        to_ms: i64,
        limit: usize,
    ) -> Result<Vec<FundingPayment>, MarketError> {
        let ix = self.ix(symbol)?;
        let from_ms = from_ms.max(FIRST_MS);
        if from_ms > to_ms {
            return Ok(Vec::new());
        }
        check_time(to_ms)?;
        let first = (from_ms + FUNDING_MS - 1).div_euclid(FUNDING_MS);
        let last = to_ms.div_euclid(FUNDING_MS);
        let count = usize::try_from(last - first + 1).unwrap_or(0).min(limit);
        Ok((first..).take(count).map(|index| self.settlement(ix, index)).collect())
    }
    /// The rate that the next settlement after `at_ms` will have: the running estimate that the venue shows.
    pub fn next_funding(&mut self, symbol: Symbol, at_ms: i64) -> Result<FundingPayment, MarketError> {
        let ix = self.ix(symbol)?;
        check_time(at_ms)?;
        Ok(self.settlement(ix, at_ms.div_euclid(FUNDING_MS) + 1))
    }
    /// `history` bars before and `bars` bars from the bar that contains `start_ms`, with funding, ready for a
    /// [`Schedule`](crate::market::Schedule) with the same `history`. More bars of the same start are a continuation:
    /// what was there does not change.
    pub fn data_set(
        &mut self,
        symbols: &[Symbol],
        interval: Interval,
        start_ms: i64,
        bars: usize,
        history: usize,
    ) -> Result<DataSet, MarketError> {
        let span = |count: usize| i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(interval.ms());
        let first_open = KlineInterval::from(interval).open_ms(start_ms);
        let (from_ms, to_ms) =
            (first_open.saturating_sub(span(history)), first_open.saturating_add(span(bars)));
        check_time(from_ms)?;
        check_time(to_ms)?;
        let mut symbols = symbols.to_vec();
        symbols.sort_unstable();
        symbols.dedup();
        let mut series = Vec::new();
        for symbol in &symbols {
            series.push(self.series(*symbol, interval, from_ms, to_ms)?);
        }
        let mut data = DataSet::from_series(interval, series);
        data.funding.clear();
        for symbol in symbols {
            let payments = self.funding(symbol, from_ms, to_ms, usize::MAX)?;
            data.funding.push(FundingSeries { symbol, payments });
        }
        Ok(data)
    }

    fn series(
        &mut self,
        symbol: Symbol,
        interval: Interval,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Series, MarketError> {
        let ix = self.ix(symbol)?;
        let mut bars = Vec::new();
        let mut open_ms = from_ms;
        while open_ms < to_ms {
            let next_ms = open_ms + interval.ms();
            bars.extend(self.kline(ix, open_ms, next_ms, next_ms).map(|kline| kline.bar(interval)));
            open_ms = next_ms;
        }
        Ok(Series { symbol, interval, bars, sources: vec![format!("generated, seed {}", self.seed)] })
    }
    /// The kline `[open_ms, next_ms)` as far as it has come at `now_ms`; `None` when it has not begun.
    fn kline(&mut self, ix: u16, open_ms: i64, next_ms: i64, now_ms: i64) -> Option<Kline> {
        // Only whole minutes are final; the one that contains the present is taken from its path.
        let minute_now_ms = now_ms - now_ms.rem_euclid(MINUTE_MS);
        let whole_until_ms = next_ms.min(minute_now_ms);
        let mut at_ms = open_ms;
        let mut sum: Option<Kline> = None;
        while at_ms < whole_until_ms {
            let day = at_ms.div_euclid(DAY_MS);
            let until_ms = whole_until_ms.min((day + 1) * DAY_MS);
            absorb(&mut sum, self.part_of_day(ix, day, at_ms, until_ms));
            at_ms = until_ms;
        }
        if (open_ms..next_ms).contains(&minute_now_ms) {
            absorb(&mut sum, self.unfinished_minute(ix, now_ms));
        }
        let mut kline = sum?;
        kline.close_ms = next_ms - 1;
        Some(kline)
    }
    fn part_of_day(&mut self, ix: u16, day: i64, from_ms: i64, until_ms: i64) -> Option<Kline> {
        if until_ms - from_ms == DAY_MS {
            return self.summary(ix, day);
        }
        let minute = |ms: i64| usize::try_from((ms - day * DAY_MS) / MINUTE_MS).unwrap_or(0);
        let minutes = self.day(ix, day);
        let one = self.one(ix);
        minutes.range(&one.profile, day, one.print_key, minute(from_ms), minute(until_ms))
    }
    fn summary(&mut self, ix: u16, day: i64) -> Option<Kline> {
        if let Some(summary) = self.summaries.get(&(ix, day)) {
            return Some(*summary);
        }
        let minutes = self.day(ix, day);
        let one = self.one(ix);
        let summary = minutes.summary(&one.profile, day, one.print_key)?;
        self.summaries.insert((ix, day), summary);
        Some(summary)
    }
    fn unfinished_minute(&mut self, ix: u16, now_ms: i64) -> Option<Kline> {
        let (path, offset_ms) = self.micro(ix, now_ms);
        let open_ms = now_ms - offset_ms;
        let prints: Vec<GeneratedTrade> =
            self.trades_of_minute(ix, open_ms).into_iter().filter(|trade| trade.at_ms <= now_ms).collect();
        let one = self.one(ix);
        let (tick, step) = (one.profile.tick, one.profile.step);
        let (high, low) = path.range_until(offset_ms);
        let lots = |wanted: &dyn Fn(&GeneratedTrade) -> bool| {
            prints.iter().filter(|print| wanted(print)).map(|print| print.qty / step).sum::<i64>()
        };
        let so_far = Minute {
            open: path.at(0),
            high,
            low,
            close: path.at(offset_ms),
            volume: lots(&|_| true),
            taker_buy: lots(&|print| !print.buyer_is_maker),
            first_print: 0,
            prints: prints.len() as i64,
        };
        let (quote, taker_quote) = quote_of(&so_far);
        let grid = i128::from(tick) * i128::from(step);
        let (first, last) = (prints.first()?, prints.last()?);
        Some(Kline {
            open_ms,
            close_ms: open_ms + MINUTE_MS - 1,
            open: so_far.open * tick,
            high: high * tick,
            low: low * tick,
            close: so_far.close * tick,
            price_scale: one.profile.price_scale,
            volume: so_far.volume * step,
            taker_buy_volume: so_far.taker_buy * step,
            volume_scale: one.profile.volume_scale,
            quote_volume: quote * grid,
            taker_buy_quote: taker_quote * grid,
            trades: first_trade_id(one.print_key, last.id + 1) - first_trade_id(one.print_key, first.id),
        })
    }
    fn trades_of_minute(&mut self, ix: u16, minute_ms: i64) -> Vec<GeneratedTrade> {
        let (path, _) = self.micro(ix, minute_ms);
        let one = self.one(ix);
        let day_print = minute_ms.div_euclid(DAY_MS) * PRINTS_PER_DAY;
        path.trades((one.profile.tick, one.profile.step), minute_ms, day_print, one.print_key)
    }
    /// The path of the minute that contains an instant, and the instant's place in it.
    fn micro(&mut self, ix: u16, at_ms: i64) -> (MicroPath, i64) {
        let (day, of_day) = (at_ms.div_euclid(DAY_MS), at_ms.rem_euclid(DAY_MS));
        let minute = self.day(ix, day).minutes[(of_day / MINUTE_MS) as usize];
        let key = draw(self.one(ix).micro_key, at_ms.div_euclid(MINUTE_MS));
        (MicroPath::new(minute, key), of_day % MINUTE_MS)
    }
    fn settlement(&mut self, ix: u16, index: i64) -> FundingPayment {
        let at_ms = index * FUNDING_MS;
        let (path, offset_ms) = self.micro(ix, at_ms);
        let one = self.one(ix);
        let trend = self.level_of(one, at_ms) - self.level_of(one, at_ms - 3 * DAY_MS);
        FundingPayment {
            at_ms,
            rate: Decimal::new(funding_rate_e8(one.funding_key, index, trend), 8).normalize(),
            mark: Some(
                Decimal::new(path.at(offset_ms) * one.profile.tick, u32::from(one.profile.price_scale))
                    .normalize(),
            ),
        }
    }
    /// The log level at an instant, straight between the boundaries of its day.
    fn level_of(&self, one: &One, at_ms: i64) -> f64 {
        let level = |day: i64| one.profile.beta * self.common.level(day) + one.own.level(day);
        let (day, of_day) = (at_ms.div_euclid(DAY_MS), at_ms.rem_euclid(DAY_MS));
        let (from, to) = (level(day), level(day + 1));
        from + (to - from) * (of_day as f64 / DAY_MS as f64)
    }
    fn day(&mut self, ix: u16, day: i64) -> Arc<SymbolDay> {
        if let Some(known) = self.days.get((ix, day)) {
            return known;
        }
        let common = match self.common_days.get(day) {
            Some(known) => known,
            None => self.common_days.put(day, self.common.day(day)),
        };
        let one = &self.symbols[usize::from(ix)];
        let made = SymbolDay::new(&one.profile, &common, &one.own.day(day), draw(one.day_key, day));
        debug_assert_eq!(made.minutes.len(), MINUTES);
        self.days.put((ix, day), made)
    }
    fn one(&self, ix: u16) -> &One {
        &self.symbols[usize::from(ix)]
    }
    fn ix(&self, symbol: Symbol) -> Result<u16, MarketError> {
        let at = self.symbols.iter().position(|one| one.profile.symbol == symbol);
        at.and_then(|at| u16::try_from(at).ok()).ok_or_else(|| {
            let have: Vec<&str> = self.symbols.iter().map(|one| one.profile.symbol.as_str()).collect();
            MarketError::Selection(format!("the generated market has no {symbol}, only {}", have.join(", ")))
        })
    }
}

impl One {
    fn new(seed: u64, profile: SymbolProfile) -> Self {
        let stream = |what: &str| key_of(seed, &format!("{} {what}", profile.symbol));
        let own =
            Factor { key: stream("factor"), daily: profile.own_daily, jump_rate: 0.12, jump_min: 0.011 };
        Self {
            own,
            day_key: stream("day"),
            micro_key: stream("micro"),
            print_key: stream("prints"),
            funding_key: stream("funding"),
            profile,
        }
    }
}

fn absorb(sum: &mut Option<Kline>, next: Option<Kline>) {
    match (sum.as_mut(), next) {
        (Some(sum), Some(next)) => sum.absorb(&next),
        (None, next) => *sum = next,
        (Some(_), None) => {}
    }
}

fn check_time(ms: i64) -> Result<(), MarketError> {
    if TIMES_MS.contains(&ms) {
        return Ok(());
    }
    Err(MarketError::Selection(format!(
        "time {ms} is outside the generated market, 1990 to 2223 in milliseconds"
    )))
}
