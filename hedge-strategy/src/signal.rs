//! One strategy around any entry signal: two legs, each with its own stop, ladder, trailing and cooldown.
//!
//! A signal opens its leg and nothing else. The opposite leg is never closed for it: it stays behind its own stop, so LONG
//! and SHORT of one instrument are held at once whenever the market turns before a stop is hit.

use std::{borrow::Cow, fmt, time::Duration};

use hedge_core::{
    Action, Bar, Book, DataNeed, Entry, InstrumentId, InstrumentIx, Intent, Interval, Leg, LegState,
    Notional, OrderPurpose, Output, PositionKey, PositionSide, Price, Size, Strategy, StrategyEvent,
    StrategyId, StrategyView, Timestamp,
};

use crate::{
    exits::{ExitRules, Trail, protection},
    screener::{Screened, Screener, ScreenerParams, Stance, reading},
};

/// Why nothing was wanted, one word each.
pub type Vetoes = Vec<Cow<'static, str>>;
/// Why something was wanted, for a person.
pub type Reason = Cow<'static, str>;

/// An entry that a signal wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which leg.
    pub side: PositionSide,
    /// Why.
    pub because: Reason,
}

/// Decides on a closed bar which leg to open. Everything else is done by [`SignalStrategy`].
pub trait SignalRule: fmt::Debug + Send + 'static {
    /// How many bars it needs beyond the screener's own.
    fn warmup_bars(&self) -> usize;
    /// Takes one closed bar in. One entry per signal: answers `Some` on the bar of the event only, not while it lasts.
    /// Without an entry, says why in `vetoes`.
    fn update(&mut self, bar: &Bar, seen: &Screened, vetoes: &mut Vetoes) -> Option<Wanted>;
    /// Forgets everything.
    fn reset(&mut self);
}

/// What a strategy trades and how it leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct TradeRules {
    /// Name of the strategy, unique in one engine.
    pub id: StrategyId,
    /// What it trades.
    pub instrument: InstrumentId,
    /// Which bars it decides on.
    pub interval: Interval,
    /// Whether it may open LONG.
    pub long: bool,
    /// Whether it may open SHORT.
    pub short: bool,
    /// Notional of one entry.
    pub capital: Notional,
    /// Bars between two entries of one leg.
    pub cooldown_bars: u32,
    /// How its legs are left.
    pub exits: ExitRules,
}

impl TradeRules {
    fn allows(&self, side: PositionSide) -> bool {
        match side {
            PositionSide::Long => self.long,
            PositionSide::Short => self.short,
        }
    }
}

/// What a leg's trailing and cooldown need besides the book. Rebuilt after a restart.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    best: Option<Price>,
    /// When the opening was wanted that has not filled yet.
    asked: Option<Timestamp>,
    /// When the last opening that filled was wanted.
    last_entry: Option<Timestamp>,
}

/// A [`Strategy`] made of a signal and trade rules.
///
/// Restart: indicators warm up from history; the best price since an entry is folded from the history bars after it; the
/// last entry is looked up in the book's orders.
#[derive(Debug)]
pub struct SignalStrategy<R> {
    rules: TradeRules,
    screener: Screener,
    rule: R,
    /// LONG, SHORT.
    memory: [Memory; 2],
    ix: Option<InstrumentIx>,
    remembered: bool,
}

impl<R: SignalRule> SignalStrategy<R> {
    /// Puts a signal and rules together.
    pub fn new(rules: TradeRules, screener: ScreenerParams, rule: R) -> Self {
        let screener = Screener::new(screener);
        Self { rules, screener, rule, memory: [Memory::default(); 2], ix: None, remembered: false }
    }
    /// How many bars must pass before the first decision.
    pub fn warmup_bars(&self) -> usize {
        self.screener.warmup_bars().max(self.rule.warmup_bars())
    }

    const fn key(&self, side: PositionSide) -> PositionKey {
        PositionKey::new(self.rules.instrument, side)
    }
    fn memory(&mut self, side: PositionSide) -> &mut Memory {
        &mut self.memory[usize::from(side == PositionSide::Short)]
    }
    fn is_mine(&mut self, instrument: InstrumentIx, view: &StrategyView<'_>) -> bool {
        if self.ix.is_none() {
            self.ix = view.book.ix(&self.rules.instrument);
        }
        self.ix == Some(instrument)
    }
    fn own_leg<'b>(&self, side: PositionSide, view: &StrategyView<'b>) -> Option<&'b LegState> {
        view.leg(&self.key(side)).filter(|leg| leg.owner == Some(self.rules.id))
    }

    /// Keeps the best price of open legs; a bar counts from the leg's opening on.
    fn follow(&mut self, bar: &Bar, view: &StrategyView<'_>) {
        for side in PositionSide::BOTH {
            let held =
                self.own_leg(side, view).is_some_and(|leg| leg.opened_at.is_some_and(|at| at < bar.end()));
            let extreme = match side {
                PositionSide::Long => bar.price(bar.high),
                PositionSide::Short => bar.price(bar.low),
            };
            let memory = self.memory(side);
            memory.best = if held { better(side, memory.best, extreme) } else { None };
        }
    }

    /// The entries of an earlier process count for the cooldown.
    fn remember(&mut self, book: &Book) {
        if std::mem::replace(&mut self.remembered, true) {
            return;
        }
        let (id, instrument) = (self.rules.id, self.rules.instrument);
        for order in book.orders().filter(|order| order.strategy == Some(id)) {
            let entered = order.leg.action() == Action::Open && !order.filled.is_zero();
            if entered && order.position.instrument == instrument {
                let memory = self.memory(order.position.side);
                memory.last_entry = memory.last_entry.max(Some(order.decided_at));
            }
        }
    }

    fn on_bar(&mut self, bar: &Bar, view: &StrategyView<'_>, out: &mut Output) {
        self.remember(view.book);
        let seen = self.screener.update(bar);
        let mut vetoes = Vetoes::new();
        let wanted = self.rule.update(bar, &seen, &mut vetoes);
        self.follow(bar, view);
        let mut held = None;
        for side in PositionSide::BOTH {
            if let Some(leg) = self.own_leg(side, view) {
                held = held.or(Some(side));
                // A back-filled execution is booked without an event; the leg shows that the opening filled.
                let memory = self.memory(side);
                memory.last_entry = memory.asked.take().or(memory.last_entry);
                self.manage(leg, bar, &seen, view, out);
            }
        }
        let side = wanted.as_ref().map(|wanted| wanted.side);
        let emitted = match wanted.map(|wanted| self.entry(wanted, bar, &seen, view)) {
            Some(Ok(intent)) => {
                out.want(intent);
                true
            }
            Some(Err(veto)) => {
                vetoes.push(Cow::Borrowed(veto));
                false
            }
            None => false,
        };
        let stance = Stance { in_trade: held.is_some(), side: side.or(held), emitted };
        out.saw(reading(&seen, self.rules.instrument, self.rules.interval, stance, vetoes));
    }

    /// Moves the stop of an open leg, or closes it when its time is over.
    fn manage(
        &mut self,
        leg: &LegState,
        bar: &Bar,
        seen: &Screened,
        view: &StrategyView<'_>,
        out: &mut Output,
    ) {
        let exits = &self.rules.exits;
        if exits.is_over(leg, self.rules.interval, view.now) {
            let closing =
                view.book.live_orders_of(&leg.key).any(|order| order.purpose == OrderPurpose::Close);
            if !closing {
                out.want(Intent::close(leg.key, "held for as long as max_bars allows"));
            }
            return;
        }
        let Some(trailing) = exits.trailing else { return };
        let memory = self.memory[usize::from(leg.key.side == PositionSide::Short)];
        let moved = (|| {
            let stop = match view.book.stop_of(&leg.key)?.leg {
                Leg::Close(exit, _) => exit.trigger()?,
                Leg::Open(_) => return None,
            };
            let trail = Trail {
                side: leg.key.side,
                entry: leg.entry()?,
                best: memory.best?,
                close: bar.close_price()?,
                stop,
                atr: seen.atr?,
            };
            trailing.tighten(&trail, view.spec(self.ix?)?)
        })();
        if let Some(trigger) = moved {
            out.want(Intent::Protect {
                position: leg.key,
                trigger,
                because: Cow::Borrowed("trailing stop follows the best price"),
            });
        }
    }

    /// The opening, or the word that forbids it.
    fn entry(
        &mut self,
        wanted: Wanted,
        bar: &Bar,
        seen: &Screened,
        view: &StrategyView<'_>,
    ) -> Result<Intent, &'static str> {
        let Wanted { side, because } = wanted;
        let position = self.key(side);
        if !self.rules.allows(side) {
            return Err("side_off");
        }
        if view.leg(&position).is_some() {
            return Err("in_trade");
        }
        if !view.is_free(&position) {
            return Err("pending");
        }
        let pause = Duration::from_millis(
            self.rules.interval.ms().unsigned_abs() * u64::from(self.rules.cooldown_bars),
        );
        if self.memory(side).last_entry.is_some_and(|at| view.now.since(at) < pause) {
            return Err("cooldown");
        }
        let close = bar.close_price().ok_or("no_price")?;
        let atr = seen.atr.ok_or("warmup")?;
        let spec = self.ix.and_then(|ix| view.spec(ix)).ok_or("no_spec")?;
        let protection = protection(&self.rules.exits, side, close, atr, spec).ok_or("no_stop_price")?;
        self.memory(side).asked = Some(view.now);
        Ok(Intent::Open {
            position,
            size: Size::Notional(self.rules.capital),
            entry: Entry::Market,
            protection,
            because,
        })
    }
}

impl<R: SignalRule> Strategy for SignalStrategy<R> {
    fn id(&self) -> StrategyId {
        self.rules.id
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed {
            instrument: self.rules.instrument,
            interval: self.rules.interval,
            warmup_bars: self.warmup_bars(),
        }]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, view: &StrategyView<'_>, out: &mut Output) {
        match *event {
            StrategyEvent::History { instrument, bar } => {
                if bar.interval == self.rules.interval && self.is_mine(instrument, view) {
                    let seen = self.screener.update(bar);
                    self.rule.update(bar, &seen, &mut Vetoes::new());
                    self.follow(bar, view);
                }
            }
            StrategyEvent::Bar { instrument, bar } => {
                if bar.interval == self.rules.interval && self.is_mine(instrument, view) {
                    self.on_bar(bar, view, out);
                }
            }
            StrategyEvent::Gap { instrument } => {
                if self.is_mine(instrument, view) {
                    self.screener.reset();
                    self.rule.reset();
                }
            }
            StrategyEvent::Fill { position, fill } => {
                if position.instrument == self.rules.instrument && fill.is_close() == Some(false) {
                    let memory = self.memory(position.side);
                    memory.best = better(position.side, memory.best, Some(fill.price));
                    match memory.asked.take() {
                        Some(asked) => memory.last_entry = Some(asked),
                        // Wanted by an earlier process, or a further part of the same opening: the book knows.
                        None => self.remembered = false,
                    }
                }
            }
            StrategyEvent::Flat { position } => {
                if position.instrument == self.rules.instrument {
                    self.memory(position.side).best = None;
                }
            }
            StrategyEvent::Quote { .. } | StrategyEvent::Print { .. } => {}
        }
    }
}

/// The better of two prices for a leg.
fn better(side: PositionSide, a: Option<Price>, b: Option<Price>) -> Option<Price> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if side == PositionSide::Long { a.max(b) } else { a.min(b) }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
