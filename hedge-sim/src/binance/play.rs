//! The market being played: what comes next, what is past, what is forming.
//!
//! Recorded bars are played by a [`Schedule`]. The generated market can be asked about any instant; it needs a schedule
//! only in lockstep, where time goes from step to step.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use hedge_core::{Bar, Interval, Symbol, Timestamp};
use rust_decimal::Decimal;

use super::candle::Candle;
use super::past::{FUNDING_EVERY_MS, Past, recorded_kline};
use super::tape::Print;
use super::ticks::TickPlay;
use crate::market::{
    DataSet, FundingPayment, GeneratedMarket, GeneratedTrade, KlineInterval, KlineQuery, MarketError,
    MarketStep, Schedule, Series, price_along,
};

/// Bars of the generated market that a lockstep schedule holds at a time.
const CHUNK_BARS: usize = 2_000;

/// The market behind the venue.
#[derive(Debug)]
pub(crate) struct Play {
    symbols: Vec<Symbol>,
    script: Option<Script>,
    generator: Option<RefCell<GeneratedMarket>>,
    /// Recorded ticks, which are played by themselves.
    ticks: Option<TickPlay>,
    /// The same generated market once more, for questions about the past that take their time.
    archive: Option<Arc<Mutex<GeneratedMarket>>>,
}

/// A schedule with one step of foresight and the bars behind it.
#[derive(Debug)]
struct Script {
    data: Arc<DataSet>,
    schedule: Schedule,
    next: Option<MarketStep>,
    closed: Vec<usize>,
    /// The bars before the start in their order.
    warmup: Vec<(u16, Bar)>,
    /// Length of the bars of a generated market, to go on when they end.
    endless: Option<Interval>,
}

impl Script {
    fn new(data: Arc<DataSet>, history: usize, endless: Option<Interval>) -> Self {
        let schedule = Schedule::new(Arc::clone(&data), history);
        let closed = vec![0; data.series.len()];
        let mut script = Self { data, schedule, next: None, closed, warmup: Vec::new(), endless };
        script.next = script.schedule.next();
        while let Some(MarketStep::Warmup { symbol_ix, bar }) = script.next {
            script.warmup.push((symbol_ix, bar));
            script.advance();
        }
        script
    }

    fn advance(&mut self) {
        if let Some(MarketStep::BarClosed { symbol_ix, .. } | MarketStep::Warmup { symbol_ix, .. }) =
            self.next
            && let Some(count) = self.closed.get_mut(usize::from(symbol_ix))
        {
            *count += 1;
        }
        self.next = self.schedule.next();
    }

    fn bars(&self, ix: u16, now_ms: i64) -> &[Bar] {
        let at = usize::from(ix);
        let (Some(series), Some(closed)) = (self.data.series.get(at), self.closed.get(at)) else {
            return &[];
        };
        let begun = series.bars.get(*closed).is_some_and(|bar| bar.open_time.ms() <= now_ms);
        series.bars.get(..closed + usize::from(begun)).unwrap_or_default()
    }
}

impl Play {
    /// Plays recorded bars with `history` bar times before the start.
    pub(crate) fn recorded(data: Arc<DataSet>, history: usize) -> Self {
        let symbols = data.symbols().collect();
        let script = Some(Script::new(data, history, None));
        Self { symbols, script, generator: None, ticks: None, archive: None }
    }

    /// Plays recorded ticks.
    pub(crate) fn ticks(symbols: Vec<Symbol>, ticks: TickPlay) -> Self {
        Self { symbols, script: None, generator: None, ticks: Some(ticks), archive: None }
    }

    /// The generated market at its own pace.
    pub(crate) fn generated(generator: GeneratedMarket) -> Self {
        let symbols = generator.symbols().collect();
        Self::from_generator(symbols, None, generator)
    }

    /// The generated market bar by bar, from the bar that contains `start_ms` on.
    pub(crate) fn generated_bars(
        mut generator: GeneratedMarket,
        interval: Interval,
        start_ms: i64,
    ) -> Result<Self, MarketError> {
        let symbols: Vec<Symbol> = generator.symbols().collect();
        let data = generator.data_set(&symbols, interval, start_ms, CHUNK_BARS, 0)?;
        let script = Some(Script::new(Arc::new(data), 0, Some(interval)));
        Ok(Self::from_generator(symbols, script, generator))
    }

    fn from_generator(symbols: Vec<Symbol>, script: Option<Script>, generator: GeneratedMarket) -> Self {
        let archive = Some(Arc::new(Mutex::new(generator.clone())));
        Self { symbols, script, generator: Some(RefCell::new(generator)), ticks: None, archive }
    }

    pub(crate) fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// Open of the first bar that is played.
    pub(crate) fn start_ms(&self) -> Option<i64> {
        self.script.as_ref()?.schedule.start_ms()
    }

    /// How many bar times lie before the start; `None` when the market knows its whole past.
    pub(crate) fn history(&self) -> Option<usize> {
        let script = self.script.as_ref().filter(|_| self.generator.is_none())?;
        Some(script.schedule.history())
    }

    /// Whether time goes by itself: prices come from [`Play::prints_between`], not from steps.
    pub(crate) fn is_live(&self) -> bool {
        self.script.is_none() && self.ticks.is_none()
    }

    /// The recording that is played, if one is.
    pub(crate) fn recording(&mut self) -> Option<&mut TickPlay> {
        self.ticks.as_mut()
    }

    /// Whether recorded ticks are played.
    pub(crate) const fn is_recording(&self) -> bool {
        self.ticks.is_some()
    }

    /// The step that comes next.
    pub(crate) fn next(&self) -> Option<&MarketStep> {
        self.script.as_ref()?.next.as_ref()
    }

    /// Leaves the next step behind.
    pub(crate) fn advance(&mut self) {
        let Some(script) = &mut self.script else { return };
        script.advance();
        if let (None, Some(interval), Some(generator)) = (script.next, script.endless, &self.generator) {
            let end_ms = script.data.end().map_or(0, Timestamp::ms);
            let more = generator.borrow_mut().data_set(&self.symbols, interval, end_ms, CHUNK_BARS, 0);
            // Past the year 2223 the generated market ends, and with it the schedule.
            if let Ok(more) = more {
                *script = Script::new(Arc::new(more), 0, Some(interval));
            }
        }
    }

    /// Decimal places of a symbol's prices in steps.
    pub(crate) fn price_scale(&self, ix: u16) -> u8 {
        let series = self.script.as_ref().and_then(|script| script.data.series.get(usize::from(ix)));
        match (series, &self.generator, self.symbol(ix)) {
            (Some(series), ..) => Series::price_scale(series),
            (None, Some(generator), Some(symbol)) => {
                generator.borrow().profile(symbol).map_or(0, crate::market::SymbolProfile::price_scale)
            }
            _ => 0,
        }
    }

    /// The recorded bar a symbol is in.
    pub(crate) fn current_bar(&self, ix: u16, now_ms: i64) -> Option<&Bar> {
        let bars = self.script.as_ref()?.bars(ix, now_ms);
        bars.last().filter(|bar| now_ms < bar.end().ms())
    }

    /// Recorded bars that have begun, for filling a tape with the past.
    pub(crate) fn recorded_bars(&self, ix: u16, now_ms: i64) -> &[Bar] {
        match (&self.script, &self.generator) {
            (Some(script), None) => script.bars(ix, now_ms),
            _ => &[],
        }
    }

    /// The price now, scaled by [`Play::price_scale`]; `None` where no bar is being played.
    pub(crate) fn price_now(&self, ix: u16, now_ms: i64) -> Option<i64> {
        match (&self.script, &self.generator) {
            (None, Some(generator)) => generator.borrow_mut().price_at(self.symbol(ix)?, now_ms).ok(),
            _ => self.current_bar(ix, now_ms).map(|bar| price_along(bar, now_ms)),
        }
    }

    /// The price a symbol is listed at: that of its first bar, or the present one of a live market.
    pub(crate) fn first_price(&self, ix: u16, now_ms: i64) -> Option<Decimal> {
        if let Some(ticks) = &self.ticks {
            return ticks.first_price(ix);
        }
        let Some(script) = &self.script else {
            let price = self.price_now(ix, now_ms)?;
            return Some(Decimal::new(price, u32::from(self.price_scale(ix))));
        };
        script.data.series.get(usize::from(ix))?.bars.first().map(|bar| bar.decimal(bar.open))
    }

    /// The bars before the start in the order of the schedule.
    pub(crate) fn warmup(&self) -> &[(u16, Bar)] {
        self.script.as_ref().map(|script| script.warmup.as_slice()).unwrap_or_default()
    }

    /// One kline, as far as it has gone.
    pub(crate) fn kline(
        &self,
        ix: u16,
        interval: KlineInterval,
        open_ms: i64,
        now_ms: i64,
    ) -> Option<Candle> {
        if let Some(ticks) = &self.ticks {
            return ticks.kline(ix, interval, open_ms);
        }
        let Some(generator) = &self.generator else {
            let bars = self.script.as_ref()?.bars(ix, now_ms);
            return recorded_kline(bars, interval, open_ms, now_ms);
        };
        let query = KlineQuery { interval, start_ms: Some(open_ms), end_ms: Some(open_ms), limit: 1, now_ms };
        let klines = generator.borrow_mut().klines(self.symbol(ix)?, &query).ok()?;
        klines.first().map(Candle::of_kline)
    }

    /// The rolling figures of the last `minutes`.
    pub(crate) fn rolling(&self, ix: u16, minutes: u16, now_ms: i64) -> Option<Candle> {
        if let Some(ticks) = &self.ticks {
            return ticks.over(ix, now_ms - i64::from(minutes) * 60_000, now_ms.saturating_add(1));
        }
        let Some(generator) = &self.generator else {
            let bars = self.script.as_ref()?.bars(ix, now_ms);
            return Candle::over(bars, now_ms - i64::from(minutes) * 60_000, now_ms.saturating_add(1));
        };
        let interval = KlineInterval::Fixed(Interval::M1);
        let query =
            KlineQuery { interval, start_ms: None, end_ms: None, limit: usize::from(minutes), now_ms };
        let klines = generator.borrow_mut().klines(self.symbol(ix)?, &query).ok()?;
        klines.iter().map(Candle::of_kline).reduce(Candle::and)
    }

    /// The past of a symbol as it stands now.
    pub(crate) fn past(&self, ix: u16, now_ms: i64) -> Option<Past> {
        if let Some(ticks) = &self.ticks {
            return Some(Past::Ticks(ticks.minutes(ix)));
        }
        if let Some(archive) = &self.archive {
            return Some(Past::Generated(Arc::clone(archive), self.symbol(ix)?));
        }
        let script = self.script.as_ref()?;
        let begun = script.bars(ix, now_ms).len();
        Some(Past::Recorded { data: Arc::clone(&script.data), ix: usize::from(ix), begun })
    }

    /// When funding falls due next and at which rate, as far as it is known.
    pub(crate) fn funding_next(&self, ix: u16, now_ms: i64) -> (i64, Decimal) {
        let next = match (&self.generator, self.symbol(ix)) {
            (Some(generator), Some(symbol)) => generator.borrow_mut().next_funding(symbol, now_ms).ok(),
            _ => {
                let payments = self.payments(ix);
                payments.get(payments.partition_point(|payment| payment.at_ms <= now_ms)).copied()
            }
        };
        let on_grid = now_ms - now_ms.rem_euclid(FUNDING_EVERY_MS) + FUNDING_EVERY_MS;
        next.map_or((on_grid, Decimal::ZERO), |payment| (payment.at_ms, payment.rate))
    }

    /// Settlements of the live generated market in `(after_ms, until_ms]`.
    pub(crate) fn funding_due(&self, ix: u16, after_ms: i64, until_ms: i64) -> Vec<FundingPayment> {
        let (Some(generator), Some(symbol)) = (&self.generator, self.symbol(ix)) else { return Vec::new() };
        let from_ms = after_ms.saturating_add(1);
        generator.borrow_mut().funding(symbol, from_ms, until_ms, usize::MAX).unwrap_or_default()
    }

    /// The usual distance of settlements.
    pub(crate) fn funding_interval_ms(&self, ix: u16) -> i64 {
        let gaps = self.payments(ix).windows(2).filter_map(|pair| match pair {
            [a, b] => Some(b.at_ms - a.at_ms),
            _ => None,
        });
        gaps.min().unwrap_or(FUNDING_EVERY_MS)
    }

    /// Prints of the generated market in `(after_ms, until_ms]`, oldest first.
    pub(crate) fn prints_between(&self, ix: u16, after_ms: i64, until_ms: i64, limit: usize) -> Vec<Print> {
        self.generated_prints(ix, |market, symbol| {
            market.trades(symbol, after_ms.saturating_add(1), until_ms, limit)
        })
    }

    /// Whether the market tells its public trades; a recorded one does not.
    pub(crate) const fn knows_prints(&self) -> bool {
        self.generator.is_some()
    }

    /// The generated market's prints from an id on.
    pub(crate) fn prints_from(&self, ix: u16, id: u64, limit: usize, now_ms: i64) -> Vec<Print> {
        let id = i64::try_from(id).unwrap_or(i64::MAX);
        self.generated_prints(ix, |market, symbol| market.trades_from(symbol, id, limit, now_ms))
    }

    /// The generated market's prints from the one on that holds a trade id.
    pub(crate) fn prints_from_trade(&self, ix: u16, trade_id: u64, limit: usize, now_ms: i64) -> Vec<Print> {
        // A print holds one to three trades, two on average: it lies within one of half the trade's number.
        let mut prints =
            self.prints_from(ix, (trade_id / 2).saturating_sub(1), limit.saturating_add(2), now_ms);
        prints.retain(|print| print.last_trade >= trade_id);
        prints.truncate(limit);
        prints
    }

    /// The generated market's newest prints.
    pub(crate) fn newest_prints(&self, ix: u16, limit: usize, now_ms: i64) -> Vec<Print> {
        self.generated_prints(ix, |market, symbol| market.latest_trades(symbol, limit, now_ms))
    }

    /// Whole minutes of the generated market in `[from_ms, until_ms)`, for catching up with a fast clock.
    pub(crate) fn minutes(&self, ix: u16, from_ms: i64, until_ms: i64) -> Vec<Bar> {
        let (Some(generator), Some(symbol)) = (&self.generator, self.symbol(ix)) else { return Vec::new() };
        let query = KlineQuery {
            interval: KlineInterval::Fixed(Interval::M1),
            start_ms: Some(from_ms),
            end_ms: Some(until_ms - 60_000),
            limit: usize::MAX,
            now_ms: until_ms,
        };
        let klines = generator.borrow_mut().klines(symbol, &query).unwrap_or_default();
        klines.iter().map(|kline| kline.bar(Interval::M1)).collect()
    }

    fn generated_prints(
        &self,
        ix: u16,
        ask: impl FnOnce(&mut GeneratedMarket, Symbol) -> Result<Vec<GeneratedTrade>, MarketError>,
    ) -> Vec<Print> {
        let (Some(generator), Some(symbol)) = (&self.generator, self.symbol(ix)) else { return Vec::new() };
        let mut market = generator.borrow_mut();
        let scales =
            market.profile(symbol).map_or((0, 0), |profile| (profile.price_scale(), profile.volume_scale()));
        // Times and ids outside the generated centuries have no prints.
        let trades = ask(&mut market, symbol).unwrap_or_default();
        trades.iter().map(|trade| Print::of_generated(trade, scales)).collect()
    }

    fn symbol(&self, ix: u16) -> Option<Symbol> {
        self.symbols.get(usize::from(ix)).copied()
    }

    fn payments(&self, ix: u16) -> &[FundingPayment] {
        let script = self.script.as_ref().filter(|_| self.generator.is_none());
        let funding = script.and_then(|script| script.data.funding.get(usize::from(ix)));
        funding.map(|funding| funding.payments.as_slice()).unwrap_or_default()
    }
}

/// The same data `by_ms` later.
pub(crate) fn shifted(data: &DataSet, by_ms: i64) -> DataSet {
    let mut data = data.clone();
    let later = |time: Timestamp| Timestamp::from_ms(time.ms() + by_ms);
    for bar in data.series.iter_mut().flat_map(|series| &mut series.bars) {
        bar.open_time = later(bar.open_time);
    }
    for payment in data.funding.iter_mut().flat_map(|funding| &mut funding.payments) {
        payment.at_ms += by_ms;
    }
    for gap in &mut data.gaps {
        (gap.from, gap.to) = (later(gap.from), later(gap.to));
    }
    data
}
