//! Plays a schedule: market step, exchange, facts, engine, effects, until nothing is left to react to.

use std::{collections::VecDeque, sync::Arc};

use hedge_core::{
    AccountSnapshot, Effect, Engine, Envelope, Fact, InstrumentIx, Leverage, MarketEvent, PositionKey,
    PositionMode, PositionSide, QueryAnswer, RunId, RunStarted, Step, Term, Timestamp, VenueSnapshot,
};
use rust_decimal::Decimal;
use thiserror::Error;

use super::{
    instruments::spec_of,
    summary::{Summary, VetoCounts, journal_hash, vetoes},
};
use crate::{
    market::{DataSet, MarketStep, Schedule},
    translate::{self, ACCOUNT},
    venue::{
        Command, FeeRates, InstrumentRules, Reply, SymbolId, Venue, VenueConfig, VenueError, VenueEvent,
    },
};

/// How a backtest is set up.
#[derive(Clone, Debug)]
pub struct BacktestConfig {
    /// Wallet at the start. Units: USDT.
    pub balance_usdt: Decimal,
    /// Bar times before the first decision.
    pub history: usize,
    /// Leverage of each symbol, in the order of the data set.
    pub leverage: Vec<Leverage>,
    /// Fee rates; the exchange's default when absent.
    pub fees: Option<FeeRates>,
    /// The exchange's choices.
    pub venue: VenueConfig,
    /// Hash of the configuration, for the journal's first record.
    pub config_hash: String,
    /// Version of the code, for the journal's first record.
    pub code_version: String,
    /// The data's [`content_hash`](DataSet::content_hash) where it is known already: whoever plays the same data many
    /// times computes it once. It is taken at its word.
    pub data_hash: Option<String>,
}

impl Default for BacktestConfig {
    fn default() -> Self {
        Self {
            balance_usdt: Decimal::from(10_000),
            history: 500,
            leverage: Vec::new(),
            fees: None,
            venue: VenueConfig::default(),
            config_hash: String::new(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            data_hash: None,
        }
    }
}

/// A backtest that cannot go on.
#[derive(Debug, Error)]
pub enum BacktestError {
    /// The data holds no bars to play.
    #[error("the data holds no bars to play; give a file or folder with klines")]
    NoBars,
    /// Rules and data do not fit.
    #[error("{0}")]
    Setup(String),
    /// The exchange refused a step of the market itself.
    #[error("the simulated exchange refused {doing}: {source}")]
    Venue {
        /// What was being done.
        doing: String,
        /// Why it refused.
        #[source]
        source: VenueError,
    },
    /// A recorded price is not on the instrument's grid.
    #[error(
        "{symbol} at {at}: price {price} is not on the tick grid {tick}; give --instruments with its rules"
    )]
    OffGrid {
        /// Which symbol.
        symbol: String,
        /// When.
        at: Timestamp,
        /// The price.
        price: Decimal,
        /// The grid.
        tick: Decimal,
    },
    /// A record cannot be written as text.
    #[error("journal record cannot be encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

/// Sees what happens. For progress bars, reports and log lines.
pub trait Observer {
    /// A fact was decided on; records and effects are in `step`, effects not yet performed.
    fn on_step(&mut self, _engine: &Engine, _step: &Step) {}
    /// All symbols have closed a bar.
    fn on_bar_time(&mut self, _at: Timestamp, _engine: &Engine) {}
}

impl Observer for () {}

/// One symbol: recorded prices to ticks.
#[derive(Debug)]
struct Track {
    id: SymbolId,
    rules: InstrumentRules,
    scale: u32,
    /// Mantissas per tick, when the tick is a whole number of them: the usual case needs one division.
    mantissas_per_tick: Option<i64>,
}

/// The engine and the exchange, and everything between them.
#[derive(Debug)]
pub struct Backtest {
    engine: Engine,
    venue: Venue,
    schedule: Schedule,
    tracks: Vec<Track>,
    queue: VecDeque<Fact>,
    events: Vec<VenueEvent>,
    step: Step,
    records: Vec<Envelope>,
    /// Refusals among the records that are gone.
    forgotten: VetoCounts,
    played: u64,
    orders: u64,
    hedged_bars: u64,
    funding_mark_from_close: u64,
    peak: Decimal,
    max_drawdown: Decimal,
    bar_time: Option<i64>,
}

impl Backtest {
    /// Lists the instruments, opens a hedge-mode account, starts the engine's journal.
    ///
    /// Errors: [`BacktestError`] when rules and data do not fit.
    pub fn new(
        engine: Engine,
        data: Arc<DataSet>,
        rules: Vec<InstrumentRules>,
        config: &BacktestConfig,
    ) -> Result<Self, BacktestError> {
        let schedule = Schedule::new(Arc::clone(&data), config.history);
        let start_ms = schedule.start_ms().ok_or(BacktestError::NoBars)?;
        let first_ms = data.start().ok_or(BacktestError::NoBars)?.ms();
        if rules.len() != data.series.len() {
            return Err(BacktestError::Setup(format!(
                "{} symbols in the data and {} sets of rules",
                data.series.len(),
                rules.len()
            )));
        }
        let mut backtest = Self {
            engine,
            venue: Venue::new(config.venue.clone()),
            schedule,
            tracks: Vec::new(),
            queue: VecDeque::new(),
            events: Vec::new(),
            step: Step::default(),
            records: Vec::new(),
            forgotten: VetoCounts::new(),
            played: 0,
            orders: 0,
            hedged_bars: 0,
            funding_mark_from_close: 0,
            peak: config.balance_usdt,
            max_drawdown: Decimal::ZERO,
            bar_time: None,
        };
        backtest.open_exchange(&data, rules, config, first_ms)?;
        backtest.boot(&data, config, first_ms, start_ms)?;
        Ok(backtest)
    }

    fn open_exchange(
        &mut self,
        data: &DataSet,
        rules: Vec<InstrumentRules>,
        config: &BacktestConfig,
        at_ms: i64,
    ) -> Result<(), BacktestError> {
        for (series, rules) in data.series.iter().zip(rules) {
            let first = series.bars.first().ok_or(BacktestError::NoBars)?;
            let list = Command::List { rules: Box::new(rules.clone()), price: first.decimal(first.open) };
            let Reply::Listed(id) = self.apply(at_ms, &list, "listing an instrument")? else {
                return Err(BacktestError::Setup(format!("{} could not be listed", rules.symbol)));
            };
            let scale = u32::from(first.price_scale);
            let per_tick = rules.tick * Decimal::from(10_u64.pow(scale.min(18)));
            let mantissas_per_tick = per_tick.is_integer().then(|| i64::try_from(per_tick).ok()).flatten();
            self.tracks.push(Track { id, rules, scale, mantissas_per_tick });
        }
        let account = Command::OpenAccount { account: ACCOUNT, balance_usdt: config.balance_usdt };
        self.apply(at_ms, &account, "opening the account")?;
        self.apply(at_ms, &Command::PositionMode { account: ACCOUNT, hedge: true }, "hedge mode")?;
        if let Some(fees) = config.fees {
            self.apply(at_ms, &Command::SetFees { account: ACCOUNT, symbol: None, fees }, "fee rates")?;
        }
        for (track, leverage) in self.tracks.iter().zip(&config.leverage) {
            let command = Command::Leverage {
                account: ACCOUNT,
                symbol: track.rules.symbol.clone(),
                leverage: leverage.get(),
            };
            let mut events = Vec::new();
            self.venue
                .apply(at_ms, &command, &mut events)
                .map_err(|source| BacktestError::Venue { doing: "leverage".to_owned(), source })?;
        }
        self.events.clear();
        Ok(())
    }

    fn boot(
        &mut self,
        data: &DataSet,
        config: &BacktestConfig,
        first_ms: i64,
        start_ms: i64,
    ) -> Result<(), BacktestError> {
        let at = Timestamp::from_ms(first_ms);
        let started = RunStarted {
            run: RunId(start_ms.div_euclid(1_000)),
            term: Term(1),
            format: hedge_core::event::JOURNAL_FORMAT,
            code_version: config.code_version.clone(),
            config_hash: config.config_hash.clone(),
            profile: "backtest".to_owned(),
            data_hash: Some(config.data_hash.clone().unwrap_or_else(|| data.content_hash())),
        };
        self.decide(at, Fact::RunStarted(started), &mut ());
        for ix in 0..self.tracks.len() {
            let spec =
                spec_of(&self.tracks[ix].rules).map_err(|error| BacktestError::Setup(error.to_string()))?;
            let fact = Fact::Instrument { ix: InstrumentIx(ix as u16), spec: Box::new(spec) };
            self.decide(at, fact, &mut ());
        }
        let snapshot = self.snapshot(first_ms, Timestamp::EPOCH);
        self.decide(at, Fact::Snapshot { snapshot: Box::new(snapshot) }, &mut ());
        self.settle(first_ms, &mut ())
    }

    /// Plays everything. Errors: [`BacktestError`].
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<(), BacktestError> {
        while self.advance(observer)? {}
        Ok(())
    }

    /// Plays one market step; `false` at the end. Errors: [`BacktestError`].
    pub fn advance(&mut self, observer: &mut dyn Observer) -> Result<bool, BacktestError> {
        let Some(step) = self.schedule.next() else {
            self.end_bar_time(None, observer);
            return Ok(false);
        };
        self.played += 1;
        let at_ms = step.at_ms();
        self.end_bar_time(Some(at_ms), observer);
        match step {
            MarketStep::Warmup { symbol_ix, bar } => {
                self.market(
                    at_ms,
                    MarketEvent::History { instrument: InstrumentIx(symbol_ix), bar },
                    observer,
                )?;
                let to = self.ticks(symbol_ix, bar.close, at_ms)?;
                let id = self.track(symbol_ix)?.id;
                self.apply(at_ms, &Command::Jump { symbol: id, to, mark: None }, "a price of the past")?;
                self.events.clear();
            }
            MarketStep::Move { symbol_ix, at_ms, to, jump } => {
                self.walk(symbol_ix, at_ms, to, jump, observer)?;
            }
            MarketStep::Funding { symbol_ix, at_ms, rate, mark } => {
                let id = self.track(symbol_ix)?.id;
                self.apply(at_ms, &Command::Funding { symbol: id, rate, mark }, "funding")?;
                self.funding_mark_from_close += u64::from(mark.is_none());
                self.settle(at_ms, observer)?;
            }
            MarketStep::BarClosed { symbol_ix, at_ms, bar } => {
                let instrument = InstrumentIx(symbol_ix);
                self.market(at_ms, MarketEvent::Bar { instrument, bar }, observer)?;
                self.bar_time = Some(at_ms);
                if self.is_hedged(instrument) {
                    self.hedged_bars += 1;
                }
            }
        }
        Ok(true)
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
        let to = self.ticks(symbol_ix, to, at_ms)?;
        let symbol = self.track(symbol_ix)?.id;
        if jump {
            self.apply(at_ms, &Command::Jump { symbol, to, mark: None }, "a price jump")?;
            return self.settle(at_ms, observer);
        }
        loop {
            let reply = self.apply(at_ms, &Command::Move { symbol, to, mark: None }, "a price move")?;
            let Reply::Moved(moved) = reply else { return self.settle(at_ms, observer) };
            if moved.eventful || !self.events.is_empty() {
                self.settle(at_ms, observer)?;
            }
            if moved.reached {
                return Ok(());
            }
        }
    }

    fn market(
        &mut self,
        at_ms: i64,
        event: MarketEvent,
        observer: &mut dyn Observer,
    ) -> Result<(), BacktestError> {
        self.tick_if_due(at_ms, observer);
        self.decide(Timestamp::from_ms(at_ms), Fact::Market { event }, observer);
        self.settle(at_ms, observer)
    }

    /// Timers that fell due on the way run once, at the new time.
    fn tick_if_due(&mut self, at_ms: i64, observer: &mut dyn Observer) {
        let at = Timestamp::from_ms(at_ms);
        if self.engine.deadline().is_some_and(|deadline| deadline <= at) {
            self.decide(at, Fact::Tick, observer);
        }
    }

    /// Turns what the exchange told into facts and feeds them until nothing is left to react to.
    fn settle(&mut self, at_ms: i64, observer: &mut dyn Observer) -> Result<(), BacktestError> {
        self.collect_events();
        if self.queue.is_empty() {
            return Ok(());
        }
        self.tick_if_due(at_ms, observer);
        while let Some(fact) = self.queue.pop_front() {
            self.decide(Timestamp::from_ms(at_ms), fact, observer);
        }
        Ok(())
    }

    fn collect_events(&mut self) {
        let queue = &mut self.queue;
        for event in self.events.drain(..) {
            if event.account == Some(ACCOUNT) {
                translate::facts(&event, &mut |fact| queue.push_back(fact));
            }
        }
    }

    /// One fact through the engine; its effects are performed at once, their results queue up.
    fn decide(&mut self, at: Timestamp, fact: Fact, observer: &mut dyn Observer) {
        let mut step = std::mem::take(&mut self.step);
        self.engine.step(at, fact, &mut step);
        observer.on_step(&self.engine, &step);
        for effect in step.effects.drain(..) {
            self.perform(at, effect);
        }
        self.records.append(&mut step.events);
        self.step = step;
    }

    fn perform(&mut self, at: Timestamp, effect: Effect) {
        match effect {
            Effect::Submit(approved) => {
                self.orders += 1;
                let order = approved.get();
                let result = self.venue.apply(at.ms(), &translate::place(order), &mut self.events);
                self.queue.push_back(translate::answer(*order.client_id(), &result));
            }
            Effect::Cancel { order, instrument, target } => {
                let command = translate::cancel(&instrument, &target);
                let fact = match self.venue.apply(at.ms(), &command, &mut self.events) {
                    Ok(_) => Fact::CancelAcked { order },
                    Err(error) => Fact::CancelFailed {
                        order,
                        outcome: hedge_core::Outcome::Rejected,
                        reason: Some(translate::reason_of(error.code)),
                        message: error.to_string(),
                    },
                };
                self.queue.push_back(fact);
            }
            Effect::Query { order, position, target, since } => {
                let answer = self.answer(at, &position, &target, since);
                self.queue.push_back(Fact::QueryAnswered { order, answer: Box::new(answer) });
            }
            Effect::Snapshot { since } => {
                let snapshot = self.snapshot(at.ms(), since);
                self.queue.push_back(Fact::Snapshot { snapshot: Box::new(snapshot) });
            }
        }
        self.collect_events();
    }

    fn answer(
        &self,
        at: Timestamp,
        position: &PositionKey,
        target: &hedge_core::OrderRef,
        since: Timestamp,
    ) -> QueryAnswer {
        let report = translate::order(&self.venue, &position.instrument, target);
        let leg_qty = translate::positions(&self.venue)
            .into_iter()
            .find(|open| open.key() == position)
            .map_or(Decimal::ZERO, |open| open.qty().get());
        let fills = translate::fills(&self.venue, position.instrument.symbol.as_str(), since);
        QueryAnswer { venue_time: at, report, fills, leg_qty }
    }

    fn snapshot(&self, at_ms: i64, since: Timestamp) -> VenueSnapshot {
        let fills = self
            .tracks
            .iter()
            .flat_map(|track| translate::fills(&self.venue, &track.rules.symbol, since))
            .collect();
        VenueSnapshot {
            account: AccountSnapshot {
                venue_time: Timestamp::from_ms(at_ms),
                balances: translate::balances(&self.venue),
                mode: PositionMode::Hedge,
                multi_assets: false,
                can_trade: Some(true),
                can_withdraw: None,
            },
            positions: translate::positions(&self.venue),
            orders: translate::open_orders(&self.venue),
            fills,
            flows: Vec::new(),
        }
    }

    fn apply(&mut self, at_ms: i64, command: &Command, doing: &str) -> Result<Reply, BacktestError> {
        self.venue
            .apply(at_ms, command, &mut self.events)
            .map_err(|source| BacktestError::Venue { doing: doing.to_owned(), source })
    }

    fn track(&self, symbol_ix: u16) -> Result<&Track, BacktestError> {
        self.tracks
            .get(usize::from(symbol_ix))
            .ok_or_else(|| BacktestError::Setup(format!("no symbol {symbol_ix} in the data")))
    }

    fn ticks(&self, symbol_ix: u16, mantissa: i64, at_ms: i64) -> Result<i64, BacktestError> {
        let track = self.track(symbol_ix)?;
        let exact = match track.mantissas_per_tick {
            Some(per_tick) if mantissa % per_tick == 0 => Some(mantissa / per_tick),
            Some(_) => None,
            None => track.rules.ticks_from_scaled(mantissa, track.scale),
        };
        exact.ok_or_else(|| BacktestError::OffGrid {
            symbol: track.rules.symbol.clone(),
            at: Timestamp::from_ms(at_ms),
            price: Decimal::new(mantissa, track.scale),
            tick: track.rules.tick,
        })
    }

    fn is_hedged(&self, instrument: InstrumentIx) -> bool {
        let book = self.engine.book();
        book.holds(instrument)
            && book.spec(instrument).is_some_and(|spec| {
                PositionSide::BOTH
                    .iter()
                    .all(|&side| book.leg(&PositionKey::new(spec.id, side)).is_some_and(|leg| leg.is_open()))
            })
    }

    /// When the closes of one bar time are over, equity is taken.
    fn end_bar_time(&mut self, next_ms: Option<i64>, observer: &mut dyn Observer) {
        let Some(at_ms) = self.bar_time.filter(|&at_ms| next_ms.is_none_or(|next| next > at_ms)) else {
            return;
        };
        self.bar_time = None;
        let equity = self.engine.book().equity();
        self.peak = self.peak.max(equity);
        if self.peak > Decimal::ZERO {
            self.max_drawdown = self.max_drawdown.max((self.peak - equity) / self.peak);
        }
        observer.on_bar_time(Timestamp::from_ms(at_ms), &self.engine);
    }

    /// The engine, for its book.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }
    /// The exchange, for cross-checks.
    pub const fn venue(&self) -> &Venue {
        &self.venue
    }
    /// Every journal record so far.
    pub fn records(&self) -> &[Envelope] {
        &self.records
    }
    /// Drops the records so far, to keep the memory of a long run bounded. Every figure stays right but
    /// `journal_sha256`, which covers only what is kept.
    pub fn forget_records(&mut self) {
        for (rule, times) in vetoes(&self.records) {
            *self.forgotten.entry(rule).or_default() += times;
        }
        self.records.clear();
    }
    /// How much of the schedule has been played: bar times done and bar times in all.
    pub const fn progress(&self) -> (usize, usize) {
        (self.schedule.bar_times_done(), self.schedule.bar_times())
    }
    /// How often each rule refused an opening.
    pub fn vetoes(&self) -> VetoCounts {
        let mut counts = self.forgotten.clone();
        for (rule, times) in vetoes(&self.records) {
            *counts.entry(rule).or_default() += times;
        }
        counts
    }
    /// The figures. Hashes the whole journal. Errors: [`BacktestError::Encode`].
    pub fn summary(&self) -> Result<Summary, BacktestError> {
        let book = self.engine.book();
        let totals = book.totals();
        Ok(Summary {
            events: self.played,
            orders: self.orders,
            fills: totals.fills,
            vetoes: self.vetoes().values().sum(),
            hedged_bars: self.hedged_bars,
            nav_start: totals.nav_start,
            nav_end: book.equity(),
            realised: totals.realized,
            unrealised: book.unrealized(),
            fees_paid: totals.fees,
            funding_net: totals.funding,
            funding_files: self.schedule.data().funding_files.clone(),
            funding_mark_from_close: self.funding_mark_from_close,
            gaps: self.schedule.data().gaps.len() as u64,
            warmup_bars: self.schedule.history() as u64,
            max_drawdown_pct: self.max_drawdown * Decimal::ONE_HUNDRED,
            journal_sha256: journal_hash(&self.records)?,
        })
    }
}
