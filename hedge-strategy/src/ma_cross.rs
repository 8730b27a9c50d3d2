//! The smallest useful strategy: two simple averages, one instrument.

use std::borrow::Cow;

use hedge_core::{
    Bar, DataNeed, Entry, InstrumentId, InstrumentIx, Intent, Interval, Notional, Output, PositionKey,
    PositionSide, Protection, Reading, Size, Strategy, StrategyEvent, StrategyId, StrategyView,
};

use crate::{
    exits::{Distance, ExitRules, protection},
    indicators::{Cross, Crossing, Sma},
};

/// What an SMA cross trades.
#[derive(Clone, Debug, PartialEq)]
pub struct MaCrossParams {
    /// Name of the strategy, unique in one engine.
    pub id: StrategyId,
    /// What it trades.
    pub instrument: InstrumentId,
    /// Which bars it decides on.
    pub interval: Interval,
    /// Bars in the fast average.
    pub fast: usize,
    /// Bars in the slow average.
    pub slow: usize,
    /// Whether it may open LONG.
    pub long: bool,
    /// Whether it may open SHORT.
    pub short: bool,
    /// Notional of one entry.
    pub capital: Notional,
    /// How far the protective stop stands from the entry, in percent of it.
    pub stop_percent: f64,
}

/// Opens the leg of a crossing and closes the other one; with one side only it is that leg or flat.
///
/// Built to be cheap: two sums a bar, nothing allocated and nothing looked up until the averages cross. So it leaves a
/// reading on crossing bars only.
#[derive(Debug)]
pub struct MaCross {
    params: MaCrossParams,
    exits: ExitRules,
    fast: Sma,
    slow: Sma,
    cross: Cross,
    ix: Option<InstrumentIx>,
}

impl MaCross {
    /// With those parameters.
    pub fn new(params: MaCrossParams) -> Self {
        Self {
            exits: ExitRules::stop_only(Distance::Percent(params.stop_percent)),
            fast: Sma::new(params.fast),
            slow: Sma::new(params.slow),
            cross: Cross::default(),
            ix: None,
            params,
        }
    }

    #[inline]
    fn update(&mut self, bar: &Bar) -> Option<Crossing> {
        let close = bar.close_f64();
        let (fast, slow) = (self.fast.update(close), self.slow.update(close));
        self.cross.update(fast?, slow?)
    }

    #[inline]
    fn is_mine(&mut self, instrument: InstrumentIx, view: &StrategyView<'_>) -> bool {
        if self.ix.is_none() {
            self.ix = view.book.ix(&self.params.instrument);
        }
        self.ix == Some(instrument)
    }

    fn on_crossing(&self, crossing: Crossing, bar: &Bar, view: &StrategyView<'_>, out: &mut Output) {
        let side = match crossing {
            Crossing::Up => PositionSide::Long,
            Crossing::Down => PositionSide::Short,
        };
        let other = PositionKey::new(self.params.instrument, side.opposite());
        let in_trade = view.leg(&other).is_some_and(|leg| leg.owner == Some(self.params.id));
        if in_trade {
            out.want(Intent::close(other, "the averages crossed against the leg"));
        }
        let mut veto = Vec::new();
        let open = self.open(side, bar, view);
        match open {
            Ok(intent) => out.want(intent),
            Err(word) => veto.push(Cow::Borrowed(word)),
        }
        out.saw(Reading {
            instrument: self.params.instrument,
            timeframe: self.params.interval,
            z: None,
            rsi: None,
            atr: None,
            cross_up: crossing == Crossing::Up,
            cross_down: crossing == Crossing::Down,
            in_trade,
            side: Some(side),
            emitted: in_trade || veto.is_empty(),
            veto,
        });
    }

    fn open(&self, side: PositionSide, bar: &Bar, view: &StrategyView<'_>) -> Result<Intent, &'static str> {
        let allowed = if side == PositionSide::Long { self.params.long } else { self.params.short };
        let position = PositionKey::new(self.params.instrument, side);
        if !allowed {
            return Err("side_off");
        }
        if !view.is_free(&position) {
            return Err("in_trade");
        }
        let spec = self.ix.and_then(|ix| view.spec(ix)).ok_or("no_spec")?;
        let close = bar.close_price().ok_or("no_price")?;
        // The stop is a percentage: no range is needed.
        let protection: Protection =
            protection(&self.exits, side, close, 0.0, spec).ok_or("no_stop_price")?;
        Ok(Intent::Open {
            position,
            size: Size::Notional(self.params.capital),
            entry: Entry::Market,
            protection,
            because: Cow::Borrowed("the averages crossed"),
        })
    }
}

impl Strategy for MaCross {
    fn id(&self) -> StrategyId {
        self.params.id
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed {
            instrument: self.params.instrument,
            interval: self.params.interval,
            warmup_bars: self.params.slow.max(self.params.fast) + 1,
        }]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        match *event {
            StrategyEvent::Bar { instrument, bar } => {
                if bar.interval == self.params.interval
                    && self.is_mine(instrument, view)
                    && let Some(crossing) = self.update(bar)
                {
                    self.on_crossing(crossing, bar, view, out);
                }
            }
            StrategyEvent::History { instrument, bar } => {
                if bar.interval == self.params.interval && self.is_mine(instrument, view) {
                    self.update(bar);
                }
            }
            StrategyEvent::Gap { instrument } => {
                if self.is_mine(instrument, view) {
                    self.fast.reset();
                    self.slow.reset();
                    self.cross.reset();
                }
            }
            StrategyEvent::Fill { .. }
            | StrategyEvent::Flat { .. }
            | StrategyEvent::Quote { .. }
            | StrategyEvent::Print { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use hedge_core::Decimal;

    use super::*;
    use crate::test_support::{Bench, spec};

    fn params(long: bool, short: bool) -> MaCrossParams {
        MaCrossParams {
            id: StrategyId::parse("ma").unwrap(),
            instrument: spec().id,
            interval: Interval::M15,
            fast: 1,
            slow: 2,
            long,
            short,
            capital: Notional::new(Decimal::from(500)).unwrap(),
            stop_percent: 2.0,
        }
    }

    fn words(intents: &[Intent]) -> Vec<String> {
        intents
            .iter()
            .map(|intent| {
                let what = if matches!(intent, Intent::Open { .. }) { "open" } else { "close" };
                format!("{what} {}", intent.position().unwrap().side)
            })
            .collect()
    }

    #[test]
    fn a_crossing_opens_its_leg_and_closes_the_other() {
        let mut bench = Bench::new(MaCross::new(params(true, true)));
        let wanted: Vec<_> =
            [100.0, 99.0, 101.0, 102.0, 100.0].iter().map(|&c| words(&bench.trade(c))).collect();
        assert_eq!(wanted[2], ["open LONG"]);
        assert!(wanted[3].is_empty());
        assert_eq!(wanted[4], ["close LONG", "open SHORT"]);
    }

    #[test]
    fn with_one_side_it_is_that_leg_or_flat() {
        let mut bench = Bench::new(MaCross::new(params(true, false)));
        let wanted: Vec<_> =
            [100.0, 99.0, 101.0, 100.0, 101.0].iter().map(|&c| words(&bench.trade(c))).collect();
        assert_eq!(wanted[2..], [vec!["open LONG"], vec!["close LONG"], vec!["open LONG"]]);
        assert_eq!(bench.book.open_legs().count(), 1);
    }

    #[test]
    fn an_opening_brings_its_stop() {
        let mut bench = Bench::new(MaCross::new(params(true, true)));
        bench.trade(100.0);
        bench.trade(99.0);
        let intents = bench.bar(101.0);
        let [Intent::Open { protection: Protection::Stop { trigger, .. }, .. }] = &intents[..] else {
            panic!("{intents:?}")
        };
        assert_eq!(trigger.to_string(), "99");
    }

    #[test]
    fn history_and_gaps_decide_nothing() {
        let mut bench = Bench::new(MaCross::new(params(true, true)));
        for close in [100.0, 99.0, 101.0] {
            bench.history(close);
        }
        assert!(bench.out.intents.is_empty());
        bench.gap();
        // Warm-up starts again: the first side after the gap is no crossing.
        assert!(bench.bar(90.0).is_empty());
        assert!(bench.bar(80.0).is_empty());
        assert_eq!(words(&bench.bar(95.0)), ["open LONG"]);
    }
}
