//! Plays a schedule: market step, exchange, facts, engine, effects, until nothing is left to react to.

use std::collections::VecDeque;

use hedge_core::{Engine, Fact, InstrumentId, InstrumentIx, MarketEvent, Step, Timestamp};
use rust_decimal::Decimal;

use super::{
    BacktestError,
    drawdown::Drawdown,
    kept::KeptRecords,
    setup::{Source, Track},
    summary::VetoCounts,
};
use crate::{
    market::MarketStep,
    translate::Lexicon,
    venue::{Command, NewOrder, Reply, SymbolId, Told, Venue},
};

/// Sees what happens. For progress bars, reports and log lines.
pub trait Observer {
    /// A fact was decided on; records and effects are in `step`, effects not yet performed.
    fn on_step(&mut self, _engine: &Engine, _step: &Step) {}
    /// All symbols have closed a bar.
    fn on_bar_time(&mut self, _at: Timestamp, _engine: &Engine) {}
}

impl Observer for () {}

/// The engine and the exchange, and everything between them.
#[derive(Debug)]
pub struct Backtest {
    pub(super) engine: Engine,
    pub(super) venue: Venue,
    pub(super) source: Source,
    pub(super) tracks: Vec<Track>,
    pub(super) lexicon: Lexicon,
    pub(super) queue: VecDeque<Fact>,
    pub(super) told: Vec<Told>,
    /// The order being sent, its memory reused.
    pub(super) sent: NewOrder,
    /// What the order before it was for, and the exchange's number of that.
    pub(super) sent_for: Option<(InstrumentId, SymbolId)>,
    pub(super) step: Step,
    pub(super) records: KeptRecords,
    /// Refusals among the records that are gone.
    pub(super) forgotten: VetoCounts,
    pub(super) played: u64,
    pub(super) orders: u64,
    pub(super) hedged_bars: u64,
    pub(super) funding_mark_from_close: u64,
    pub(super) drawdown: Drawdown,
    pub(super) bar_time: Option<i64>,
    /// What is leapt over: instruments and their ways in ticks, all but the last.
    pub(super) ways: Vec<(SymbolId, [i64; 4])>,
    /// Every step is taken one by one, also where nothing can happen. For comparison.
    pub(super) walks_fully: bool,
    /// How many bar times were leapt over.
    pub(super) leaps: u64,
}

impl Backtest {
    /// Plays everything. Errors: [`BacktestError`].
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<(), BacktestError> {
        while self.advance(observer)? {}
        Ok(())
    }

    /// Plays the next market step, or the whole of a bar time where its moves concern nobody; `false` at the end.
    /// Errors: [`BacktestError`].
    pub fn advance(&mut self, observer: &mut dyn Observer) -> Result<bool, BacktestError> {
        if self.leap(observer) && self.close_bars(observer) {
            return Ok(true);
        }
        self.advance_step(observer)
    }

    /// Plays the next market step; `false` at the end.
    fn advance_step(&mut self, observer: &mut dyn Observer) -> Result<bool, BacktestError> {
        let step = match &mut self.source {
            Source::Bars(schedule) => schedule.next(),
            Source::Ticks(_) => return self.advance_tick(observer),
        };
        let Some(step) = step else {
            self.end_bar_time(None, observer);
            return Ok(false);
        };
        self.played += 1;
        let at_ms = step.at_ms();
        self.end_bar_time(Some(at_ms), observer);
        match step {
            MarketStep::Warmup { symbol_ix, bar } => {
                let event = MarketEvent::History { instrument: InstrumentIx(symbol_ix), bar };
                self.market(Timestamp::from_ms(at_ms), &event, observer);
                let to = self.ticks(symbol_ix, bar.close, at_ms)?;
                let id = self.track(symbol_ix)?.id;
                self.apply(at_ms, &Command::Jump { symbol: id, to, mark: None }, "a price of the past")?;
                self.forget_told();
            }
            MarketStep::Move { symbol_ix, at_ms, to, jump } => {
                self.walk(symbol_ix, at_ms, to, jump, observer)?;
            }
            MarketStep::Funding { symbol_ix, at_ms, rate, mark } => {
                let id = self.track(symbol_ix)?.id;
                self.apply(at_ms, &Command::Funding { symbol: id, rate, mark }, "funding")?;
                self.funding_mark_from_close += u64::from(mark.is_none());
                self.settle(Timestamp::from_ms(at_ms), observer);
            }
            MarketStep::BarClosed { symbol_ix, at_ms, bar } => {
                let event = MarketEvent::Bar { instrument: InstrumentIx(symbol_ix), bar };
                self.close_bar(InstrumentIx(symbol_ix), Timestamp::from_ms(at_ms), &event, observer);
                self.bar_time = Some(at_ms);
            }
        }
        Ok(true)
    }

    /// Closes the bars whose way was leapt over; false when something else comes before them.
    fn close_bars(&mut self, observer: &mut dyn Observer) -> bool {
        let Source::Bars(schedule) = &mut self.source else { return false };
        let Some(at_ms) = schedule.open_closes() else { return false };
        let at = Timestamp::from_ms(at_ms);
        while let Source::Bars(schedule) = &mut self.source
            && let Some((symbol_ix, bar)) = schedule.next_close()
        {
            let instrument = InstrumentIx(symbol_ix);
            let event = MarketEvent::Bar { instrument, bar: *bar };
            self.played += 1;
            self.bar_time = Some(at_ms);
            self.close_bar(instrument, at, &event, observer);
        }
        true
    }

    #[inline(always)]
    fn close_bar(
        &mut self,
        instrument: InstrumentIx,
        at: Timestamp,
        event: &MarketEvent,
        observer: &mut dyn Observer,
    ) {
        self.market(at, event, observer);
        if self.is_hedged(instrument) {
            self.hedged_bars += 1;
        }
    }

    /// Takes the whole way of the next bars in one step if no price on it can touch an order, a trigger or a margin of
    /// any symbol: nobody is told of a move, so nothing happens before the bars close, and everything stands as it
    /// would after the single steps.
    fn leap(&mut self, observer: &mut dyn Observer) -> bool {
        if self.walks_fully {
            return false;
        }
        let Self { source: Source::Bars(schedule), tracks, venue, ways, .. } = self else { return false };
        let Some(end_ms) = schedule.open_way().filter(|end_ms| !venue.has_dated(*end_ms)) else {
            return false;
        };
        ways.clear();
        for (symbol_ix, bar) in schedule.way() {
            let Some(track) = tracks.get(usize::from(symbol_ix)) else { return false };
            // Low and high are the two points between open and close.
            let Some(path @ [_, one, other, _]) = track.path(bar) else { return false };
            if !venue.is_quiet(track.id, one.min(other), one.max(other)) {
                return false;
            }
            ways.push((track.id, path));
        }
        for &(symbol, path) in ways.iter() {
            venue.stride(end_ms, symbol, path);
        }
        self.played += schedule.pass_way();
        self.leaps += 1;
        self.end_bar_time(Some(end_ms), observer);
        true
    }

    /// Moves a price; wherever something happens to the account, the engine reacts before the price moves on.
    fn walk(
        &mut self,
        symbol_ix: u16,
        at_ms: i64,
        to: i64,
        jump: bool,
        observer: &mut dyn Observer,
    ) -> Result<(), BacktestError> {
        let at = Timestamp::from_ms(at_ms);
        let to = self.ticks(symbol_ix, to, at_ms)?;
        let symbol = self.track(symbol_ix)?.id;
        if jump {
            self.apply(at_ms, &Command::Jump { symbol, to, mark: None }, "a price jump")?;
            self.settle(at, observer);
            return Ok(());
        }
        loop {
            let reply = self.apply(at_ms, &Command::Move { symbol, to, mark: None }, "a price move")?;
            let Reply::Moved(moved) = reply else {
                self.settle(at, observer);
                return Ok(());
            };
            if moved.eventful {
                self.settle(at, observer);
            }
            if moved.reached {
                return Ok(());
            }
        }
    }

    #[inline(always)]
    pub(super) fn market(&mut self, at: Timestamp, event: &MarketEvent, observer: &mut dyn Observer) {
        self.tick_if_due(at, observer);
        self.engine.step_market(at, event, &mut self.step);
        observer.on_step(&self.engine, &self.step);
        if !self.step.events.is_empty() || !self.step.effects.is_empty() {
            self.take_in(at);
        }
        self.settle(at, observer);
    }

    /// Timers that fell due on the way run once, at the new time.
    #[inline]
    pub(super) fn tick_if_due(&mut self, at: Timestamp, observer: &mut dyn Observer) {
        if self.engine.deadline().is_some_and(|deadline| deadline <= at) {
            self.decide(at, Fact::Tick, observer);
        }
    }

    /// Turns what the exchange told into facts and feeds them until nothing is left to react to.
    #[inline(always)]
    pub(super) fn settle(&mut self, at: Timestamp, observer: &mut dyn Observer) {
        if !self.queue.is_empty() || self.venue.has_told() {
            self.react(at, observer);
        }
    }

    #[inline(never)]
    fn react(&mut self, at: Timestamp, observer: &mut dyn Observer) {
        self.collect_events();
        if self.queue.is_empty() {
            return;
        }
        self.tick_if_due(at, observer);
        while let Some(fact) = self.queue.pop_front() {
            self.decide(at, fact, observer);
        }
    }

    pub(super) fn collect_events(&mut self) {
        self.venue.told(&mut self.told);
        let queue = &mut self.queue;
        for told in &self.told {
            self.lexicon.facts(told, &self.venue, &mut |fact| queue.push_back(fact));
        }
        self.told.clear();
    }

    fn forget_told(&mut self) {
        self.venue.told(&mut self.told);
        self.told.clear();
    }

    /// One fact through the engine; its effects are performed at once, their results queue up.
    pub(super) fn decide(&mut self, at: Timestamp, fact: Fact, observer: &mut dyn Observer) {
        self.engine.step(at, fact, &mut self.step);
        observer.on_step(&self.engine, &self.step);
        self.take_in(at);
    }

    /// Performs the effects of a step and keeps its records.
    fn take_in(&mut self, at: Timestamp) {
        if !self.step.effects.is_empty() {
            let mut effects = std::mem::take(&mut self.step.effects);
            for effect in effects.drain(..) {
                self.perform(at, effect);
            }
            self.step.effects = effects;
        }
        self.records.append(&mut self.step.events);
    }

    pub(super) fn track(&self, symbol_ix: u16) -> Result<&Track, BacktestError> {
        self.tracks
            .get(usize::from(symbol_ix))
            .ok_or_else(|| BacktestError::Setup(format!("no symbol {symbol_ix} in the data")))
    }

    pub(super) fn ticks(&self, symbol_ix: u16, mantissa: i64, at_ms: i64) -> Result<i64, BacktestError> {
        let track = self.track(symbol_ix)?;
        track.ticks(mantissa).ok_or_else(|| BacktestError::OffGrid {
            symbol: track.rules.symbol.clone(),
            at: Timestamp::from_ms(at_ms),
            price: Decimal::new(mantissa, track.scale),
            tick: track.rules.tick,
        })
    }

    fn is_hedged(&self, instrument: InstrumentIx) -> bool {
        self.engine.book().open_sides(instrument) == 2
    }

    /// When the closes of one bar time are over, equity is taken.
    #[inline]
    pub(super) fn end_bar_time(&mut self, next_ms: Option<i64>, observer: &mut dyn Observer) {
        let Some(at_ms) = self.bar_time else { return };
        if next_ms.is_some_and(|next| next <= at_ms) {
            return;
        }
        self.bar_time = None;
        self.drawdown.see(self.engine.book().equity());
        observer.on_bar_time(Timestamp::from_ms(at_ms), &self.engine);
    }

    #[cfg(test)]
    pub(super) fn walk_fully(&mut self) {
        self.walks_fully = true;
    }
    #[cfg(test)]
    pub(super) fn leaps(&self) -> u64 {
        self.leaps
    }
}
