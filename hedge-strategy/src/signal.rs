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
mod tests {
    use hedge_core::{Decimal, Protection};

    use super::{test_support::*, *};
    use crate::exits::{Distance, Rung, Trailing};

    /// Wants LONG when a close ends in .1 and SHORT when it ends in .2.
    #[derive(Debug)]
    struct Told;

    impl SignalRule for Told {
        fn warmup_bars(&self) -> usize {
            0
        }
        fn update(&mut self, bar: &Bar, _: &Screened, vetoes: &mut Vetoes) -> Option<Wanted> {
            let side = match bar.close % 10 {
                1 => PositionSide::Long,
                2 => PositionSide::Short,
                _ => {
                    vetoes.push("not_told".into());
                    return None;
                }
            };
            Some(Wanted { side, because: "told".into() })
        }
        fn reset(&mut self) {}
    }

    fn rules() -> TradeRules {
        TradeRules {
            id: StrategyId::parse("told").unwrap(),
            instrument: spec().id,
            interval: Interval::M15,
            long: true,
            short: true,
            capital: Notional::new(Decimal::from(500)).unwrap(),
            cooldown_bars: 3,
            exits: ExitRules {
                stop: Distance::Percent(2.0),
                take_profits: vec![Rung { at: Distance::Percent(3.0), portion: 0.5 }],
                trailing: Some(Trailing {
                    activate: Distance::Percent(1.0),
                    distance: Distance::Percent(2.0),
                    min_step_bps: "10".parse::<Decimal>().unwrap().try_into().unwrap(),
                }),
                max_bars: None,
            },
        }
    }

    fn strategy(rules: TradeRules) -> SignalStrategy<Told> {
        SignalStrategy::new(rules, ScreenerParams { z: 2, rsi: 2, atr: 2, fast: 1, slow: 2 }, Told)
    }

    fn warm(rules: TradeRules) -> Bench<SignalStrategy<Told>> {
        let mut bench = Bench::new(strategy(rules));
        for _ in 0..4 {
            bench.history(100.0);
        }
        bench
    }

    fn long() -> PositionKey {
        PositionKey::long(spec().id)
    }

    #[test]
    fn an_opposite_signal_opens_the_other_leg_and_leaves_the_first_alone() {
        let mut bench = warm(rules());
        assert_eq!(bench.trade(100.1).len(), 1);
        let second = bench.trade(100.2);
        let opens_short = |intent: &Intent| matches!(intent, Intent::Open { position, .. } if position.side == PositionSide::Short);
        assert_eq!(second.iter().filter(|intent| opens_short(intent)).count(), 1);
        assert!(!second.iter().any(|intent| matches!(intent, Intent::Close { .. })));
        assert_eq!(bench.book.open_legs().count(), 2);
    }

    #[test]
    fn an_opening_brings_its_stop_and_its_ladder() {
        let mut bench = warm(rules());
        let intents = bench.bar(100.1);
        let [Intent::Open { protection: Protection::Stop { trigger, take_profits }, size, .. }] =
            &intents[..]
        else {
            panic!("{intents:?}")
        };
        assert_eq!(trigger.to_string(), "98.1");
        assert_eq!(take_profits[0].trigger.to_string(), "103.1");
        assert_eq!(*size, Size::Notional(rules().capital));
    }

    #[test]
    fn history_decides_nothing() {
        let mut bench = Bench::new(strategy(rules()));
        for _ in 0..5 {
            bench.history(100.1);
        }
        assert!(bench.out.intents.is_empty() && bench.out.readings.is_empty());
    }

    #[test]
    fn a_gap_starts_the_warm_up_again() {
        let mut bench = warm(rules());
        bench.gap();
        assert!(bench.bar(100.1).is_empty());
        assert_eq!(bench.vetoes(), ["warmup"]);
        assert_eq!(bench.bar(100.1).len(), 1);
    }

    #[test]
    fn every_bar_leaves_a_reading_that_says_why_nothing_was_wanted() {
        let mut bench = warm(rules());
        bench.bar(100.0);
        assert_eq!(bench.vetoes(), ["not_told"]);
        assert!(!bench.out.readings[0].emitted && !bench.out.readings[0].in_trade);
        bench.trade(100.1);
        assert!(bench.vetoes().is_empty());
        assert!(bench.out.readings[0].emitted);
        assert_eq!(bench.out.readings[0].side, Some(PositionSide::Long));
        bench.bar(100.1);
        assert_eq!(bench.vetoes(), ["in_trade"]);
        assert!(bench.out.readings[0].in_trade);
    }

    #[test]
    fn a_side_that_is_off_is_never_opened() {
        let mut bench = warm(TradeRules { short: false, ..rules() });
        assert!(bench.bar(100.2).is_empty());
        assert_eq!(bench.vetoes(), ["side_off"]);
    }

    #[test]
    fn a_leg_rests_for_its_cooldown_after_an_entry() {
        let mut bench = warm(rules());
        bench.trade(100.1);
        bench.close(long(), 100.0);
        for _ in 0..2 {
            assert!(bench.bar(100.1).is_empty());
            assert_eq!(bench.vetoes(), ["cooldown"]);
        }
        // The other leg has its own cooldown; this one may go again after exactly three bars.
        assert_eq!(bench.trade(100.1).len(), 1);
    }

    #[test]
    fn an_opening_that_never_filled_costs_no_cooldown() {
        let mut bench = warm(rules());
        assert_eq!(bench.bar(100.1).len(), 1);
        assert_eq!(bench.bar(100.1).len(), 1);
    }

    #[test]
    fn a_fill_that_nobody_told_starts_the_cooldown_too() {
        let mut bench = warm(rules());
        bench.tells_fills = false;
        bench.trade(100.1);
        bench.trade(100.0);
        bench.close(long(), 100.0);
        assert!(bench.bar(100.1).is_empty());
        assert_eq!(bench.vetoes(), ["cooldown"]);
        assert_eq!(bench.bar(100.1).len(), 1);
    }

    #[test]
    fn a_restart_knows_the_cooldown_from_the_book() {
        let mut bench = warm(rules());
        bench.trade(100.1);
        bench.close(long(), 100.0);
        bench.strategy = strategy(rules());
        bench.replay_last(4);
        assert!(bench.bar(100.1).is_empty());
        assert_eq!(bench.vetoes(), ["cooldown"]);
        bench.bar(100.0);
        assert_eq!(bench.bar(100.1).len(), 1);
    }

    fn moved(intents: &[Intent]) -> Vec<String> {
        let trigger = |intent: &Intent| match intent {
            Intent::Protect { trigger, .. } => Some(trigger.to_string()),
            _ => None,
        };
        intents.iter().filter_map(trigger).collect()
    }

    #[test]
    fn a_trailing_stop_follows_the_high_of_the_bars_since_the_entry() {
        let mut bench = warm(rules());
        bench.trade(100.1);
        // High 104 less two percent of it is 101.92, on the grid 101.9.
        assert_eq!(moved(&bench.trade(103.0)), ["101.9"]);
        assert!(moved(&bench.trade(102.5)).is_empty());
        // The leg that fell back keeps its stop.
        assert_eq!(bench.book.stop_of(&long()).unwrap().leg, stop_at("101.9"));
    }

    fn stop_at(trigger: &str) -> Leg {
        let exit = hedge_core::Exit::StopMarket {
            trigger: Price::parse(trigger).unwrap(),
            by: hedge_core::TriggerBy::Mark,
        };
        Leg::Close(exit, hedge_core::Coverage::WholeLeg)
    }

    #[test]
    fn a_restart_finds_the_best_price_again_in_the_history() {
        let mut bench = warm(TradeRules { exits: ExitRules { trailing: None, ..rules().exits }, ..rules() });
        bench.trade(100.1);
        bench.trade(103.0);
        // A new process of the same strategy, now with a trailing stop, sees the bars since the entry as history.
        bench.strategy = strategy(rules());
        bench.replay_last(5);
        assert_eq!(moved(&bench.bar(103.0)), ["101.9"]);
    }

    #[test]
    fn a_leg_whose_time_is_over_is_closed_once() {
        let exits = ExitRules { max_bars: Some(2), trailing: None, ..rules().exits };
        let mut bench = warm(TradeRules { exits, ..rules() });
        bench.trade(100.1);
        assert!(bench.trade(100.0).is_empty());
        assert!(matches!(&bench.trade(100.0)[..], [Intent::Close { .. }]));
        assert!(bench.trade(100.0).is_empty());
        assert_eq!(bench.book.open_legs().count(), 0);
    }

    #[test]
    fn a_leg_of_somebody_else_is_neither_entered_nor_managed() {
        let mut bench = warm(rules());
        bench.trade(100.1);
        let mut other = rules();
        other.id = StrategyId::parse("other").unwrap();
        bench.strategy = strategy(other);
        bench.replay_last(5);
        assert!(bench.bar(103.1).is_empty());
        assert_eq!(bench.vetoes(), ["in_trade"]);
    }

    #[test]
    fn the_same_bars_give_the_same_intents() {
        let closes = [100.1, 101.0, 100.2, 103.0, 99.1, 104.2, 98.0, 100.1, 100.2, 107.0];
        let run = || {
            let mut bench = warm(rules());
            closes.iter().map(|&close| format!("{:?}", bench.trade(close))).collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
    }
}

#[cfg(test)]
pub(crate) mod test_support {
    //! A book that is driven by hand: what an engine would do, without an engine.

    use hedge_core::{
        AccountEvent, AccountSnapshot, Amount, Asset, Balance, Bar, Book, Decimal, Decision, Envelope, Event,
        Exit, Fact, Fill, InstrumentId, InstrumentIx, InstrumentSpec, InstrumentStatus, Intent, Interval,
        Leg, LotRule, MarketEvent, Notional, OrderIds, OrderPurpose, OrderRef, Output, PositionKey,
        PositionMode, Price, Protection, Qty, ReportedId, ReportedSide, ReportedState, RunId, Seq,
        SignedAmount, Size, Strategy, StrategyEvent, StrategyView, Term, Timestamp, TradeId, TriggerBy,
        VenueOrderId, VenueSnapshot, order::Coverage,
    };

    pub(crate) const IX: InstrumentIx = InstrumentIx(0);

    pub(crate) fn spec() -> InstrumentSpec {
        let lot = LotRule { min: Decimal::new(1, 3), max: Decimal::from(1000), step: Decimal::new(1, 3) };
        InstrumentSpec {
            id: InstrumentId::binance("BTCUSDT").unwrap(),
            status: InstrumentStatus::Trading,
            base: Asset::parse("BTC").unwrap(),
            quote: Asset::usdt(),
            settle: Asset::usdt(),
            tick: Decimal::new(1, 1),
            min_price: None,
            max_price: None,
            lot,
            market_lot: lot,
            min_notional: Notional::new(Decimal::from(5)).unwrap(),
            contract_size: Decimal::ONE,
            price_band_up: None,
            price_band_down: None,
            mode: PositionMode::Hedge,
            delivery: None,
        }
    }

    /// Bar number `i` that closes at `close`, one either way.
    pub(crate) fn bar(i: i64, close: f64) -> Bar {
        let close = (close * 10.0).round() as i64;
        Bar {
            open_time: Timestamp::from_ms(i * 900_000),
            interval: Interval::M15,
            open: close,
            high: close + 10,
            low: close - 10,
            close,
            price_scale: 1,
            volume: 1,
            volume_scale: 0,
        }
        .checked()
        .unwrap()
    }

    /// A strategy, its book, and an exchange that fills every market order at the close.
    #[derive(Debug)]
    pub(crate) struct Bench<S> {
        pub(crate) strategy: S,
        pub(crate) book: Book,
        pub(crate) now: Timestamp,
        pub(crate) out: Output,
        seq: u64,
        bars: i64,
        trades: i64,
        closes: Vec<f64>,
        /// Whether the strategy is told of fills; back-filled ones it is not.
        pub(crate) tells_fills: bool,
    }

    impl<S: Strategy> Bench<S> {
        pub(crate) fn new(strategy: S) -> Self {
            let mut bench = Self {
                strategy,
                book: Book::default(),
                now: Timestamp::EPOCH,
                out: Output::default(),
                seq: 0,
                bars: 0,
                trades: 0,
                closes: Vec::new(),
                tells_fills: true,
            };
            bench.fact(Fact::Instrument { ix: IX, spec: Box::new(spec()) });
            let balance = Balance {
                asset: Asset::usdt(),
                wallet: SignedAmount::from_decimal(Decimal::from(10_000)),
                available: None,
            };
            let account = AccountSnapshot {
                venue_time: Timestamp::EPOCH,
                balances: vec![balance],
                mode: PositionMode::Hedge,
                multi_assets: false,
                can_trade: None,
                can_withdraw: None,
            };
            let (positions, orders, fills, flows) = (vec![], vec![], vec![], vec![]);
            let snapshot = Box::new(VenueSnapshot { account, positions, orders, fills, flows });
            bench.fact(Fact::Snapshot { snapshot });
            bench
        }
        fn push(&mut self, event: Event) -> Seq {
            let seq = Seq(self.seq);
            self.seq += 1;
            self.book.apply(&Envelope { seq, at: self.now, cause: None, event }, &mut Vec::new());
            seq
        }
        fn fact(&mut self, fact: Fact) {
            self.push(Event::Fact(fact));
        }
        pub(crate) fn history(&mut self, close: f64) {
            let bar = bar(self.bars, close);
            self.bars += 1;
            self.closes.push(close);
            self.now = bar.end();
            let view = StrategyView { book: &self.book, now: self.now };
            self.strategy.on_event(
                &StrategyEvent::History { instrument: IX, bar: &bar },
                &view,
                &mut self.out,
            );
        }
        /// Feeds the last bars as history to a fresh strategy; time does not move.
        pub(crate) fn replay_last(&mut self, count: usize) {
            let first = self.closes.len() - count;
            for i in first..self.closes.len() {
                let bar = bar(i as i64, self.closes[i]);
                let view = StrategyView { book: &self.book, now: self.now };
                self.strategy.on_event(
                    &StrategyEvent::History { instrument: IX, bar: &bar },
                    &view,
                    &mut self.out,
                );
            }
        }
        pub(crate) fn gap(&mut self) {
            let view = StrategyView { book: &self.book, now: self.now };
            self.strategy.on_event(&StrategyEvent::Gap { instrument: IX }, &view, &mut self.out);
        }
        /// Closes a bar and gives back what is wanted; nothing is executed.
        pub(crate) fn bar(&mut self, close: f64) -> Vec<Intent> {
            let bar = bar(self.bars, close);
            self.bars += 1;
            self.closes.push(close);
            self.now = bar.end();
            self.book.apply_market(self.now, &MarketEvent::Bar { instrument: IX, bar });
            self.out.clear();
            let view = StrategyView { book: &self.book, now: self.now };
            self.strategy.on_event(&StrategyEvent::Bar { instrument: IX, bar: &bar }, &view, &mut self.out);
            self.out.intents.clone()
        }
        /// Closes a bar and executes what is wanted at its close.
        pub(crate) fn trade(&mut self, close: f64) -> Vec<Intent> {
            let intents = self.bar(close);
            for intent in &intents {
                self.execute(intent, close);
            }
            intents
        }
        fn approve(&mut self, position: PositionKey, leg: Leg, qty: Qty, purpose: OrderPurpose) -> Seq {
            let client_id = OrderIds::new(RunId(1), Term(1)).derive(Seq(self.seq), purpose);
            let strategy = Some(self.strategy.id());
            let decision = Decision::OrderApproved {
                client_id,
                strategy,
                position,
                leg,
                qty,
                purpose,
                protection: None,
            };
            let seq = self.push(Event::Decision(decision));
            let venue = OrderRef::Plain(VenueOrderId(seq.0 as i64));
            let filled = Decimal::ZERO;
            self.fact(Fact::SubmitAcked { order: client_id, venue, state: ReportedState::Working, filled });
            seq
        }
        fn stop(&mut self, position: PositionKey, trigger: Price, qty: Qty) {
            let leg = Leg::Close(Exit::StopMarket { trigger, by: TriggerBy::Mark }, Coverage::WholeLeg);
            self.approve(position, leg, qty, OrderPurpose::Stop);
        }
        pub(crate) fn execute(&mut self, intent: &Intent, close: f64) {
            let price = Price::parse(&format!("{close:.1}")).unwrap();
            match intent {
                Intent::Open { position, size: Size::Notional(notional), entry, protection, .. } => {
                    let qty = Qty::new((notional.get() / price.get()).round_dp(3)).unwrap();
                    let seq = self.approve(*position, Leg::Open(*entry), qty, OrderPurpose::Entry);
                    self.fill(*position, seq, OrderPurpose::Entry, qty, price, false);
                    if let Protection::Stop { trigger, .. } = protection {
                        self.stop(*position, *trigger, qty);
                    }
                }
                Intent::Close { position, .. } => self.close(*position, close),
                Intent::Protect { position, trigger, .. } => {
                    let qty = Qty::new(self.book.leg(position).unwrap().qty).unwrap();
                    self.stop(*position, *trigger, qty);
                }
                other => panic!("the bench cannot execute {other:?}"),
            }
        }
        /// Closes a leg as a stop would.
        pub(crate) fn close(&mut self, position: PositionKey, close: f64) {
            let price = Price::parse(&format!("{close:.1}")).unwrap();
            let qty = Qty::new(self.book.leg(&position).unwrap().qty).unwrap();
            let seq =
                self.approve(position, Leg::Close(Exit::Market, Coverage::Qty), qty, OrderPurpose::Close);
            self.fill(position, seq, OrderPurpose::Close, qty, price, true);
            let view = StrategyView { book: &self.book, now: self.now };
            self.strategy.on_event(&StrategyEvent::Flat { position }, &view, &mut self.out);
        }
        fn fill(
            &mut self,
            position: PositionKey,
            seq: Seq,
            purpose: OrderPurpose,
            qty: Qty,
            price: Price,
            closes: bool,
        ) {
            self.trades += 1;
            let action = if closes { hedge_core::Action::Close } else { hedge_core::Action::Open };
            let fill = Fill {
                instrument: position.instrument,
                trade_id: TradeId(self.trades),
                order: VenueOrderId(seq.0 as i64),
                client_id: Some(ReportedId::Ours(OrderIds::new(RunId(1), Term(1)).derive(seq, purpose))),
                side: ReportedSide::from(position.side),
                order_side: position.side.order_side(action),
                qty,
                price,
                fee: Amount::usdt(Decimal::ZERO),
                realized: None,
                maker: false,
                venue_time: self.now,
            };
            self.fact(Fact::Account { event: Box::new(AccountEvent::Fill { fill: fill.clone() }) });
            if !self.tells_fills {
                return;
            }
            let view = StrategyView { book: &self.book, now: self.now };
            self.strategy.on_event(&StrategyEvent::Fill { position, fill: &fill }, &view, &mut self.out);
        }
        pub(crate) fn vetoes(&self) -> Vec<String> {
            self.out
                .readings
                .iter()
                .flat_map(|reading| reading.veto.iter().map(ToString::to_string))
                .collect()
        }
    }
}
