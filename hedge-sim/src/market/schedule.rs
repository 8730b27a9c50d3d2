//! The one order in which a data set happens, shared by the embedded exchange and the backtest.

use std::sync::Arc;

use hedge_core::{Bar, Symbol};
use rust_decimal::Decimal;

use super::{
    dataset::DataSet,
    inner_path::{inner_path, point_times_ms},
};

/// One thing that happens to the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketStep {
    /// A bar of the history before the start. No price moves and nothing is paid.
    Warmup {
        /// Position of the symbol in the data set.
        symbol_ix: u16,
        /// The bar.
        bar: Bar,
    },
    /// The last price goes to `to`, passing every price in between unless it jumps.
    Move {
        /// Position of the symbol in the data set.
        symbol_ix: u16,
        /// When it arrives.
        at_ms: i64,
        /// The new price, scaled as the symbol's bars.
        to: i64,
        /// The bar opens away from the close before it (or is the first): no price in between was traded.
        jump: bool,
    },
    /// A funding settlement.
    Funding {
        /// Position of the symbol in the data set.
        symbol_ix: u16,
        /// When it falls due.
        at_ms: i64,
        /// Fraction of the notional that longs pay; negative when shorts pay.
        rate: Decimal,
        /// The recorded mark price, if there is one.
        mark: Option<Decimal>,
    },
    /// A bar is complete. Comes after the moves of every symbol in that bar.
    BarClosed {
        /// Position of the symbol in the data set.
        symbol_ix: u16,
        /// End of the bar.
        at_ms: i64,
        /// The bar.
        bar: Bar,
    },
}

impl MarketStep {
    /// When it happens. Never decreases along a schedule.
    pub const fn at_ms(&self) -> i64 {
        match self {
            Self::Warmup { bar, .. } => bar.end().ms(),
            Self::Move { at_ms, .. } | Self::Funding { at_ms, .. } | Self::BarClosed { at_ms, .. } => *at_ms,
        }
    }
    /// The symbol's position in the data set.
    pub const fn symbol_ix(&self) -> u16 {
        match self {
            Self::Warmup { symbol_ix, .. }
            | Self::Move { symbol_ix, .. }
            | Self::Funding { symbol_ix, .. }
            | Self::BarClosed { symbol_ix, .. } => *symbol_ix,
        }
    }
}

/// Plays a [`DataSet`]: an iterator that allocates nothing per step.
///
/// For each bar time: for each of the four points of the [inner path](super::inner_path), the symbols in their order;
/// then every symbol's close. Funding stands where its time falls, before the closes of a bar that ends then. Symbols
/// without a bar at that time are absent. The first `history` bar times are [`MarketStep::Warmup`].
#[derive(Clone, Debug)]
pub struct Schedule {
    data: Arc<DataSet>,
    tracks: Vec<Track>,
    history: usize,
    bar_times: usize,
    bar_times_done: usize,
    start_ms: Option<i64>,
    started: bool,
    stage: Stage,
    /// The symbols with a bar at the current time, in their order.
    present: Vec<u16>,
    /// How many of them go on with a bar at the end of this one.
    going_on: usize,
    /// The next bar of all that are not present; `i64::MAX` when there is none.
    others_open_ms: i64,
    /// Where the four points and the end of a bar lie behind its open.
    offsets_ms: ([i64; 4], i64),
    point_ms: [i64; 4],
    end_ms: i64,
    /// Time and symbol of the next funding; `i64::MAX` when there is none.
    next_funding: (i64, u16),
    position: u64,
}

#[derive(Clone, Debug)]
struct Track {
    next: usize,
    /// Open of that bar; `i64::MAX` behind the last one.
    next_open_ms: i64,
    next_funding: usize,
    last: Option<i64>,
}

/// Where in a bar time. What counts symbols counts those that are present.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Pick,
    Warmup(usize),
    Due(u8),
    Moves(u8, usize),
    Closes(usize),
}

impl Schedule {
    /// A schedule whose first `history` bar times are warm-up. When the data has no more bar times than that, half of
    /// them are; [`history`](Self::history) says how many it came to.
    pub fn new(data: Arc<DataSet>, history: usize) -> Self {
        let mut schedule = Self::rewound(data);
        let span = schedule.unbroken_span_ms();
        let step_ms = schedule.data.interval.ms();
        let total = match span {
            Some((first, end)) => usize::try_from((end - first) / step_ms).unwrap_or(0),
            None => schedule.count_bar_times(usize::MAX).0,
        };
        schedule.bar_times = total;
        schedule.history = if total > history { history } else { total / 2 };
        schedule.start_ms = match span {
            Some((first, end)) => Some(first + schedule.history as i64 * step_ms).filter(|at| *at < end),
            None => schedule.count_bar_times(schedule.history).1,
        };
        schedule
    }
    /// First open and last end, when the bars of all series together leave no time between them without a bar: then bar
    /// times need not be counted one by one.
    fn unbroken_span_ms(&self) -> Option<(i64, i64)> {
        let step_ms = self.data.interval.ms();
        let mut spans = Vec::with_capacity(self.data.series.len());
        for series in &self.data.series {
            let (Some(start), Some(end)) = (series.start(), series.end()) else { continue };
            if end.ms() - start.ms() != series.bars.len() as i64 * step_ms {
                return None;
            }
            spans.push((start.ms(), end.ms()));
        }
        spans.sort_unstable();
        let (first, mut until) = *spans.first()?;
        for (start, end) in spans {
            if start > until || (start - first) % step_ms != 0 {
                return None;
            }
            until = until.max(end);
        }
        Some((first, until))
    }
    fn rewound(data: Arc<DataSet>) -> Self {
        let tracks = data
            .series
            .iter()
            .map(|series| Track {
                next: 0,
                next_open_ms: series.start().map_or(i64::MAX, |start| start.ms()),
                next_funding: 0,
                last: None,
            })
            .collect();
        let interval = data.interval;
        Self {
            present: Vec::with_capacity(data.series.len()),
            going_on: 0,
            others_open_ms: i64::MAX,
            offsets_ms: (point_times_ms(0, interval), interval.ms()),
            data,
            tracks,
            history: 0,
            bar_times: 0,
            bar_times_done: 0,
            start_ms: None,
            started: false,
            stage: Stage::Pick,
            point_ms: [0; 4],
            end_ms: 0,
            next_funding: (i64::MAX, 0),
            position: 0,
        }
    }
    /// How many distinct bar times there are, at most `limit`, and the time of the one after them.
    fn count_bar_times(&self, limit: usize) -> (usize, Option<i64>) {
        let mut at = vec![0_usize; self.tracks.len()];
        let open = |series: usize, at: usize| self.data.series[series].bars.get(at).map(|bar| bar.open_time);
        let mut count = 0;
        loop {
            let next = (0..at.len()).filter_map(|series| open(series, at[series])).min();
            let Some(time) = next else { return (count, None) };
            if count == limit {
                return (count, Some(time.ms()));
            }
            for (series, at) in at.iter_mut().enumerate() {
                *at += usize::from(open(series, *at) == Some(time));
            }
            count += 1;
        }
    }
    /// The data being played.
    pub fn data(&self) -> &Arc<DataSet> {
        &self.data
    }
    /// The symbols in the order of their indices.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol> {
        self.data.symbols()
    }
    /// How many bar times are warm-up. Fewer than asked for when the data is too short.
    pub const fn history(&self) -> usize {
        self.history
    }
    /// How many bar times are played after the warm-up.
    pub const fn bar_times(&self) -> usize {
        self.bar_times - self.history
    }
    /// How many bar times after the warm-up are complete.
    pub const fn bar_times_done(&self) -> usize {
        self.bar_times_done.saturating_sub(self.history)
    }
    /// Open of the first bar after the warm-up; `None` when there is no bar.
    pub const fn start_ms(&self) -> Option<i64> {
        self.start_ms
    }
    /// How many steps were taken: a cursor that [`skip_to`](Self::skip_to) accepts.
    pub const fn position(&self) -> u64 {
        self.position
    }
    /// Goes on until `position` steps were taken, or to the end. Going back is not possible: a position that is
    /// already passed changes nothing.
    pub fn skip_to(&mut self, position: u64) {
        while self.position < position && self.next().is_some() {}
    }
    /// The bars of a symbol that are complete at this point, warm-up included.
    pub fn closed_bars(&self, symbol_ix: u16) -> &[Bar] {
        let at = usize::from(symbol_ix);
        match (self.data.series.get(at), self.tracks.get(at)) {
            (Some(series), Some(track)) => &series.bars[..track.next],
            _ => &[],
        }
    }
    /// The symbol's last price so far, scaled as its bars.
    pub fn last_price(&self, symbol_ix: u16) -> Option<i64> {
        let track = self.tracks.get(usize::from(symbol_ix))?;
        let is_at_close = matches!(self.stage, Stage::Due(4) | Stage::Closes(_));
        if is_at_close && track.next_open_ms == self.end_ms - self.offsets_ms.1 {
            return self.next_bar(symbol_ix).map(|bar| bar.close);
        }
        track.last
    }

    /// When the bars that come next reach the ends of their paths, if the moves along these paths are all that is left
    /// to happen until then: no warm-up, no funding due on the way, no bar begun.
    ///
    /// Who knows that the whole way concerns nobody takes it with [`pass_way`](Self::pass_way) instead of step by step.
    #[inline]
    pub(crate) fn open_way(&mut self) -> Option<i64> {
        if let Stage::Warmup(from) | Stage::Closes(from) = self.stage
            && from >= self.present.len()
        {
            self.end_bar_time();
        }
        if matches!(self.stage, Stage::Pick) && !self.pick() {
            return None;
        }
        let clear = matches!(self.stage, Stage::Due(0)) && self.next_funding.0 > self.point_ms[3];
        clear.then_some(self.point_ms[3])
    }
    /// The bars of the open way, in the order of the symbols.
    #[inline]
    pub(crate) fn way(&self) -> impl Iterator<Item = (u16, &Bar)> {
        let next = |&ix: &u16| Some((ix, self.next_bar(ix)?));
        self.present.iter().filter_map(next)
    }
    /// Takes every move of the open way at once and returns how many there were.
    #[inline]
    pub(crate) fn pass_way(&mut self) -> u64 {
        let moves = 4 * self.present.len() as u64;
        self.position += moves;
        self.stage = Stage::Due(4);
        moves
    }
    /// When the bars of this bar time close, if that is what comes next.
    #[inline]
    pub(crate) fn open_closes(&mut self) -> Option<i64> {
        if matches!(self.stage, Stage::Due(4)) && self.next_funding.0 > self.end_ms {
            self.stage = Stage::Closes(0);
        }
        matches!(self.stage, Stage::Closes(_)).then_some(self.end_ms)
    }
    /// The next bar to close; `None` when all are closed.
    #[inline]
    pub(crate) fn next_close(&mut self) -> Option<(u16, &Bar)> {
        let Stage::Closes(from) = self.stage else { return None };
        let symbol_ix = *self.present.get(from)?;
        self.stage = Stage::Closes(from + 1);
        self.position += 1;
        self.close_bar(symbol_ix).map(|bar| (symbol_ix, bar))
    }
    #[inline]
    fn next_bar(&self, symbol_ix: u16) -> Option<&Bar> {
        let at = usize::from(symbol_ix);
        self.data.series.get(at)?.bars.get(self.tracks.get(at)?.next)
    }

    fn advance(&mut self) -> Option<MarketStep> {
        loop {
            match self.stage {
                Stage::Pick => {
                    if !self.pick() {
                        return None;
                    }
                }
                Stage::Warmup(from) => match self.present.get(from).copied() {
                    Some(symbol_ix) => {
                        self.stage = Stage::Warmup(from + 1);
                        return Some(MarketStep::Warmup { symbol_ix, bar: *self.close_bar(symbol_ix)? });
                    }
                    None => self.end_bar_time(),
                },
                Stage::Due(point) => {
                    let until_ms = self.point_ms.get(usize::from(point)).copied().unwrap_or(self.end_ms);
                    if self.next_funding.0 <= until_ms {
                        return Some(self.pay());
                    }
                    self.stage = if point < 4 { Stage::Moves(point, 0) } else { Stage::Closes(0) };
                }
                Stage::Moves(point, from) => match self.present.get(from).copied() {
                    Some(symbol_ix) => {
                        self.stage = Stage::Moves(point, from + 1);
                        return Some(self.go(symbol_ix, usize::from(point)));
                    }
                    None => self.stage = Stage::Due(point + 1),
                },
                Stage::Closes(from) => match self.present.get(from).copied() {
                    Some(symbol_ix) => {
                        self.stage = Stage::Closes(from + 1);
                        let at_ms = self.end_ms;
                        let bar = *self.close_bar(symbol_ix)?;
                        return Some(MarketStep::BarClosed { symbol_ix, at_ms, bar });
                    }
                    None => self.end_bar_time(),
                },
            }
        }
    }
    /// Chooses the next bar time; false behind the last bar.
    #[inline(always)]
    fn pick(&mut self) -> bool {
        // Mostly the next bar time is where this one ends, with the same symbols.
        let goes_on =
            self.going_on > 0 && self.going_on == self.present.len() && self.others_open_ms > self.end_ms;
        let open_ms = if goes_on { self.end_ms } else { self.look_for_present() };
        if open_ms == i64::MAX {
            return false;
        }
        self.going_on = 0;
        let (points_ms, length_ms) = self.offsets_ms;
        self.point_ms = points_ms.map(|after_ms| open_ms + after_ms);
        self.end_ms = open_ms + length_ms;
        if self.bar_times_done < self.history {
            self.stage = Stage::Warmup(0);
            return true;
        }
        if !self.started {
            self.started = true;
            self.skip_funding_until(open_ms);
        }
        self.stage = Stage::Due(0);
        true
    }
    /// Finds who has the earliest bar, and when; `i64::MAX` behind the last bar.
    fn look_for_present(&mut self) -> i64 {
        let opens = || self.tracks.iter().map(|track| track.next_open_ms);
        let open_ms = opens().min().unwrap_or(i64::MAX);
        self.others_open_ms = opens().filter(|other| *other > open_ms).min().unwrap_or(i64::MAX);
        self.present.clear();
        if open_ms < i64::MAX {
            let present = self.tracks.iter().zip(0_u16..).filter(|(track, _)| track.next_open_ms == open_ms);
            self.present.extend(present.map(|(_, ix)| ix));
        }
        open_ms
    }
    /// Nobody holds a position before the start, so what falls due until then is not paid.
    fn skip_funding_until(&mut self, start_ms: i64) {
        for (track, funding) in self.tracks.iter_mut().zip(&self.data.funding) {
            track.next_funding = funding.payments.partition_point(|payment| payment.at_ms <= start_ms);
        }
        self.find_next_funding();
    }
    fn find_next_funding(&mut self) {
        let next = |(ix, (track, funding)): (usize, (&Track, &super::FundingSeries))| {
            funding.payments.get(track.next_funding).map(|payment| (payment.at_ms, ix as u16))
        };
        let due = self.tracks.iter().zip(&self.data.funding).enumerate().filter_map(next).min();
        self.next_funding = due.unwrap_or((i64::MAX, 0));
    }
    fn pay(&mut self) -> MarketStep {
        let (at_ms, symbol_ix) = self.next_funding;
        let at = usize::from(symbol_ix);
        let payment = self.data.funding[at].payments[self.tracks[at].next_funding];
        self.tracks[at].next_funding += 1;
        self.find_next_funding();
        MarketStep::Funding { symbol_ix, at_ms, rate: payment.rate, mark: payment.mark }
    }
    fn go(&mut self, symbol_ix: u16, point: usize) -> MarketStep {
        let at = usize::from(symbol_ix);
        let track = &mut self.tracks[at];
        let to = inner_path(&self.data.series[at].bars[track.next])[point];
        let jump = point == 0 && track.last != Some(to);
        track.last = Some(to);
        MarketStep::Move { symbol_ix, at_ms: self.point_ms[point], to, jump }
    }
    #[inline]
    fn close_bar(&mut self, symbol_ix: u16) -> Option<&Bar> {
        let at = usize::from(symbol_ix);
        let track = self.tracks.get_mut(at)?;
        let bars = &self.data.series.get(at)?.bars;
        let bar = bars.get(track.next)?;
        track.next += 1;
        track.next_open_ms = bars.get(track.next).map_or(i64::MAX, |bar| bar.open_time.ms());
        track.last = Some(bar.close);
        self.going_on += usize::from(track.next_open_ms == self.end_ms);
        Some(bar)
    }
    fn end_bar_time(&mut self) {
        self.bar_times_done += 1;
        self.stage = Stage::Pick;
    }
}

impl Iterator for Schedule {
    type Item = MarketStep;

    fn next(&mut self) -> Option<MarketStep> {
        let step = self.advance()?;
        self.position += 1;
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    use hedge_core::{Interval, Timestamp};

    use super::*;
    use crate::market::{FundingPayment, FundingSeries, Series};

    const BAR_MS: i64 = 900_000;

    fn bar(at: i64, [open, high, low, close]: [i64; 4]) -> Bar {
        Bar {
            open_time: Timestamp::from_ms(at * BAR_MS),
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
    fn flat(at: i64, price: i64) -> Bar {
        bar(at, [price; 4])
    }
    fn data(series: &[(&str, &[Bar])], funding: &[(&str, &[i64])]) -> Arc<DataSet> {
        let symbol = |name: &str| Symbol::parse(name).unwrap();
        let series = series.iter().map(|(name, bars)| Series {
            symbol: symbol(name),
            interval: Interval::M15,
            bars: bars.to_vec(),
            sources: Vec::new(),
        });
        let payment = |at: &i64| FundingPayment { at_ms: *at, rate: Decimal::new(1, 4), mark: None };
        let funding = funding.iter().map(|(name, times)| FundingSeries {
            symbol: symbol(name),
            payments: times.iter().map(payment).collect(),
        });
        Arc::new(DataSet::new(Interval::M15, series.collect(), funding.collect()).unwrap())
    }
    /// One letter per step, the symbol's index, and the time in minutes.
    fn told(schedule: Schedule) -> Vec<String> {
        schedule
            .map(|step| {
                let letter = match step {
                    MarketStep::Warmup { .. } => 'w'.to_string(),
                    MarketStep::Move { to, jump, .. } => format!("{to}{}", if jump { "!" } else { "" }),
                    MarketStep::Funding { .. } => 'f'.to_string(),
                    MarketStep::BarClosed { .. } => 'c'.to_string(),
                };
                format!("{}:{letter}@{}", step.symbol_ix(), step.at_ms() / 60_000)
            })
            .collect()
    }

    #[test]
    fn all_symbols_walk_a_bar_point_by_point_and_close_together() {
        let data = data(&[("A", &[bar(1, [10, 15, 8, 12])]), ("B", &[bar(1, [10, 15, 8, 9])])], &[]);
        assert_eq!(
            told(Schedule::new(data, 0)),
            [
                "0:10!@15", "1:10!@15", "0:8@18", "1:15@18", "0:15@22", "1:8@22", "0:12@29", "1:9@29",
                "0:c@30", "1:c@30"
            ]
        );
    }

    #[test]
    fn a_way_taken_at_once_leads_to_the_same_closes() {
        let series: [(&str, &[Bar]); 2] =
            [("A", &[flat(1, 10), bar(2, [10, 15, 8, 12]), flat(4, 12)]), ("B", &[flat(2, 7), flat(4, 8)])];
        let funding: [(&str, &[i64]); 1] = [("A", &[2 * BAR_MS + BAR_MS / 3])];
        let mut stepped = Schedule::new(data(&series, &funding), 0);
        let mut leaping = stepped.clone();
        let mut ways = 0;
        loop {
            if leaping.open_way().is_some() {
                let bars = leaping.way().count() as u64;
                assert_eq!(leaping.pass_way(), 4 * bars);
                ways += 1;
            }
            let step = leaping.next();
            let same = stepped.by_ref().find(|other| Some(*other) == step);
            assert_eq!(same, step);
            assert_eq!(
                (leaping.position(), leaping.last_price(0)),
                (stepped.position(), stepped.last_price(0))
            );
            if step.is_none() {
                break;
            }
        }
        assert_eq!(ways, 2, "funding lies on the second bar's way");
    }

    #[test]
    fn bar_times_are_counted_alike_with_and_without_holes() {
        let whole: Vec<Bar> = (1..=9).map(|at| flat(at, 10)).collect();
        let late: Vec<Bar> = (6..=12).map(|at| flat(at, 10)).collect();
        let apart: Vec<Bar> = (20..=21).map(|at| flat(at, 10)).collect();
        let holey: Vec<Bar> = [2, 5, 6].map(|at| flat(at, 10)).to_vec();
        let counted = |series: &[(&str, &[Bar])], history| {
            let schedule = Schedule::new(data(series, &[]), history);
            (schedule.bar_times(), schedule.start_ms().map(|ms| ms / BAR_MS))
        };
        assert_eq!(counted(&[("A", &whole)], 4), (5, Some(5)));
        assert_eq!(counted(&[("A", &whole), ("B", &late)], 8), (4, Some(9)));
        assert_eq!(counted(&[("A", &late), ("B", &whole)], 30), (6, Some(7)));
        assert_eq!(counted(&[("A", &whole), ("B", &apart)], 10), (1, Some(21)));
        assert_eq!(counted(&[("A", &holey)], 1), (2, Some(5)));
    }

    #[test]
    fn a_bar_that_opens_away_from_the_last_close_jumps() {
        let bars = [flat(1, 10), flat(2, 10), flat(3, 11)];
        let jumps: Vec<bool> = Schedule::new(data(&[("A", &bars)], &[]), 1)
            .filter_map(|step| match step {
                MarketStep::Move { jump, .. } => Some(jump),
                _ => None,
            })
            .collect();
        assert_eq!(jumps, [false, false, false, false, true, false, false, false]);
    }

    #[test]
    fn history_is_warm_up_without_moves_and_without_funding() {
        let bars = [flat(1, 10), flat(2, 10), flat(3, 10)];
        let data = data(&[("A", &bars), ("B", &bars[1..])], &[("A", &[2 * BAR_MS, 3 * BAR_MS, 4 * BAR_MS])]);
        let schedule = Schedule::new(data, 2);
        assert_eq!((schedule.history(), schedule.bar_times()), (2, 1));
        assert_eq!(schedule.start_ms(), Some(3 * BAR_MS));
        let told = told(schedule);
        assert_eq!(told[..3], ["0:w@30", "0:w@45", "1:w@45"]);
        assert_eq!(told.iter().filter(|step| step.contains(":f")).collect::<Vec<_>>(), ["0:f@60"]);
    }

    #[test]
    fn funding_stands_at_its_time_before_the_close() {
        // Due in the hole, in the middle of a bar, and at its end.
        let bars = [flat(1, 10), flat(9, 10)];
        let times = [5 * BAR_MS, 9 * BAR_MS + 300_000, 10 * BAR_MS];
        let told = told(Schedule::new(data(&[("A", &bars)], &[("A", &times)]), 0));
        assert_eq!(
            told[5..],
            ["0:f@75", "0:10@135", "0:10@138", "0:f@140", "0:10@142", "0:10@149", "0:f@150", "0:c@150"]
        );
    }

    #[test]
    fn a_symbol_without_a_bar_is_absent() {
        let a = [flat(1, 10), flat(2, 10), flat(3, 10)];
        let b = [flat(2, 10)];
        let told = told(Schedule::new(data(&[("A", &a), ("B", &b)], &[]), 0));
        assert_eq!(told.iter().filter(|step| step.starts_with("1:")).count(), 5);
        assert_eq!(
            told.iter().filter(|step| step.contains(":c")).collect::<Vec<_>>(),
            ["0:c@30", "0:c@45", "1:c@45", "0:c@60"]
        );
    }

    #[test]
    fn data_that_is_too_short_for_the_history_gives_half_of_it() {
        let bars: Vec<Bar> = (1..=10).map(|at| flat(at, 10)).collect();
        for (asked, given) in [(0, 0), (9, 9), (10, 5), (500, 5)] {
            assert_eq!(Schedule::new(data(&[("A", &bars)], &[]), asked).history(), given);
        }
        assert_eq!(Schedule::new(data(&[], &[]), 5).next(), None);
    }

    #[test]
    fn a_cursor_skips_to_the_same_step() {
        let bars: Vec<Bar> = (1..=20).map(|at| bar(at, [100 + at, 120 + at, 90, 101 + at])).collect();
        let data = data(&[("A", &bars), ("B", &bars[3..])], &[("A", &[8 * BAR_MS, 16 * BAR_MS])]);
        let whole: Vec<MarketStep> = Schedule::new(Arc::clone(&data), 3).collect();
        for at in 0..=whole.len() {
            let mut schedule = Schedule::new(Arc::clone(&data), 3);
            schedule.skip_to(at as u64);
            assert_eq!(schedule.position(), at as u64);
            assert_eq!(schedule.next(), whole.get(at).copied());
        }
        assert!(whole.windows(2).all(|pair| pair[0].at_ms() <= pair[1].at_ms()));
    }

    #[test]
    fn closed_bars_and_last_price_follow_the_steps() {
        let bars = [flat(1, 10), flat(2, 11)];
        let mut schedule = Schedule::new(data(&[("A", &bars)], &[]), 1);
        assert_eq!((schedule.closed_bars(0).len(), schedule.last_price(0)), (0, None));
        schedule.next();
        assert_eq!((schedule.closed_bars(0).len(), schedule.last_price(0)), (1, Some(10)));
        schedule.next();
        assert_eq!((schedule.closed_bars(0).len(), schedule.last_price(0)), (1, Some(11)));
        assert_eq!((schedule.bar_times_done(), schedule.closed_bars(9).len()), (0, 0));
        assert_eq!(schedule.by_ref().count(), 4);
        assert_eq!((schedule.bar_times_done(), schedule.closed_bars(0).len()), (1, 2));
    }
}
