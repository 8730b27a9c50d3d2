//! Plays a schedule: market step, exchange, facts, engine, effects, until nothing is left to react to.

use std::{collections::VecDeque, sync::Arc};

use hedge_core::{
    AccountSnapshot, Bar, Effect, Engine, Envelope, Fact, InstrumentIx, Leverage, MarketEvent, Order,
    OrderRef, PositionKey, PositionMode, PositionSide, QueryAnswer, ReportedState, RunId, RunStarted, Step,
    Term, Timestamp, VenueSnapshot,
};
use rust_decimal::Decimal;
use thiserror::Error;

use super::{
    drawdown::Drawdown,
    instruments::spec_of,
    summary::{Summary, VetoCounts, journal_hash, vetoes},
    tick_play::TickPlay,
};
use crate::{
    market::{DataSet, MarketStep, Schedule, TickSeries, TickSet, inner_path},
    translate::{self, ACCOUNT, Lexicon},
    venue::{
        Command, FeeRates, InstrumentRules, NewOrder, Reply, Side, SymbolId, Told, Venue, VenueConfig,
        VenueError,
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

/// What is played.
#[derive(Debug)]
pub(super) enum Source {
    Bars(Schedule),
    Ticks(TickPlay),
}

/// What a backtest must know before the first step.
#[derive(Debug)]
struct Beginning {
    /// First price and number of decimal places of each symbol.
    prices: Vec<(Decimal, u8)>,
    first_ms: i64,
    /// The first decision.
    start_ms: i64,
    data_hash: String,
}

/// One symbol: recorded prices to ticks.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) id: SymbolId,
    pub(super) rules: InstrumentRules,
    scale: u32,
    /// Mantissas per tick, when the tick is a whole number of them: the usual case needs one division.
    mantissas_per_tick: Option<i64>,
}

impl Track {
    /// Ticks of a scaled price; `None` off the grid.
    pub(super) fn ticks(&self, mantissa: i64) -> Option<i64> {
        match self.mantissas_per_tick {
            Some(1) => Some(mantissa),
            Some(per_tick) if mantissa % per_tick == 0 => Some(mantissa / per_tick),
            Some(_) => None,
            None => self.rules.ticks_from_scaled(mantissa, self.scale),
        }
    }

    fn is_on_grid(&self, bar: &Bar) -> bool {
        self.mantissas_per_tick == Some(1) || inner_path(bar).iter().all(|&price| self.ticks(price).is_some())
    }
}

/// The engine and the exchange, and everything between them.
#[derive(Debug)]
pub struct Backtest {
    engine: Engine,
    pub(super) venue: Venue,
    pub(super) source: Source,
    pub(super) tracks: Vec<Track>,
    lexicon: Lexicon,
    queue: VecDeque<Fact>,
    told: Vec<Told>,
    /// The order being sent, its memory reused.
    sent: NewOrder,
    step: Step,
    records: Vec<Envelope>,
    /// Refusals among the records that are gone.
    forgotten: VetoCounts,
    pub(super) played: u64,
    orders: u64,
    hedged_bars: u64,
    funding_mark_from_close: u64,
    drawdown: Drawdown,
    pub(super) bar_time: Option<i64>,
    /// Every step is taken one by one, also where nothing can happen. For comparison.
    walks_fully: bool,
    /// How many bar times were leapt over.
    leaps: u64,
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
        let beginning = Beginning {
            prices: data
                .series
                .iter()
                .filter_map(|series| series.bars.first())
                .map(|bar| (bar.decimal(bar.open), bar.price_scale))
                .collect(),
            first_ms: data.start().ok_or(BacktestError::NoBars)?.ms(),
            start_ms: schedule.start_ms().ok_or(BacktestError::NoBars)?,
            data_hash: config.data_hash.clone().unwrap_or_else(|| data.content_hash()),
        };
        Self::begin(engine, Source::Bars(schedule), rules, config, &beginning)
    }

    /// The same over recorded ticks, without a warm-up: quotes set the exchange's best bid and ask, trades move its last
    /// price and fill what rests there, and strategies are told of every tick. The engine's mark is the exchange's last
    /// price, told at most once a second.
    ///
    /// Errors: [`BacktestError`] when rules and data do not fit.
    pub fn on_ticks(
        engine: Engine,
        data: Arc<TickSet>,
        rules: Vec<InstrumentRules>,
        config: &BacktestConfig,
    ) -> Result<Self, BacktestError> {
        let price = |series: &TickSeries| Some((series.price(series.first_price()?), series.price_scale));
        let beginning = Beginning {
            prices: data.series().iter().filter_map(price).collect(),
            first_ms: data.start_ms(),
            start_ms: data.start_ms(),
            data_hash: config.data_hash.clone().unwrap_or_else(|| data.content_hash()),
        };
        Self::begin(engine, Source::Ticks(TickPlay::new(data)), rules, config, &beginning)
    }

    fn begin(
        engine: Engine,
        source: Source,
        rules: Vec<InstrumentRules>,
        config: &BacktestConfig,
        beginning: &Beginning,
    ) -> Result<Self, BacktestError> {
        if rules.len() != beginning.prices.len() {
            return Err(BacktestError::Setup(format!(
                "{} symbols in the data and {} sets of rules",
                beginning.prices.len(),
                rules.len()
            )));
        }
        let mut backtest = Self {
            engine,
            venue: Venue::new(config.venue.clone()),
            source,
            tracks: Vec::new(),
            lexicon: Lexicon::default(),
            queue: VecDeque::new(),
            told: Vec::new(),
            sent: NewOrder::market(ACCOUNT, "", Side::Buy, Decimal::ZERO),
            step: Step::default(),
            records: Vec::new(),
            forgotten: VetoCounts::new(),
            played: 0,
            orders: 0,
            hedged_bars: 0,
            funding_mark_from_close: 0,
            drawdown: Drawdown::from(config.balance_usdt),
            bar_time: None,
            walks_fully: false,
            leaps: 0,
        };
        backtest.open_exchange(&beginning.prices, rules, config, beginning.first_ms)?;
        backtest.boot(config, beginning)?;
        Ok(backtest)
    }

    fn open_exchange(
        &mut self,
        prices: &[(Decimal, u8)],
        rules: Vec<InstrumentRules>,
        config: &BacktestConfig,
        at_ms: i64,
    ) -> Result<(), BacktestError> {
        for ((price, scale), rules) in prices.iter().zip(rules) {
            let list = Command::List { rules: Box::new(rules.clone()), price: *price };
            let Reply::Listed(id) = self.apply(at_ms, &list, "listing an instrument")? else {
                return Err(BacktestError::Setup(format!("{} could not be listed", rules.symbol)));
            };
            let scale = u32::from(*scale);
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
        for (ix, leverage) in config.leverage.iter().enumerate().take(self.tracks.len()) {
            let symbol = self.tracks[ix].rules.symbol.clone();
            let command = Command::Leverage { account: ACCOUNT, symbol, leverage: leverage.get() };
            self.apply(at_ms, &command, "leverage")?;
        }
        self.lexicon = Lexicon::of(&self.venue).map_err(|error| BacktestError::Setup(error.to_string()))?;
        self.venue.tell_briefly();
        Ok(())
    }

    fn boot(&mut self, config: &BacktestConfig, beginning: &Beginning) -> Result<(), BacktestError> {
        let (first_ms, start_ms) = (beginning.first_ms, beginning.start_ms);
        let at = Timestamp::from_ms(first_ms);
        let started = RunStarted {
            run: RunId(start_ms.div_euclid(1_000)),
            term: Term(1),
            format: hedge_core::event::JOURNAL_FORMAT,
            code_version: config.code_version.clone(),
            config_hash: config.config_hash.clone(),
            profile: "backtest".to_owned(),
            data_hash: Some(beginning.data_hash.clone()),
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

    /// Plays the next market step, and before it the moves of the next bars at once where they concern nobody; `false`
    /// at the end. Errors: [`BacktestError`].
    pub fn advance(&mut self, observer: &mut dyn Observer) -> Result<bool, BacktestError> {
        self.leap(observer);
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
                self.market(
                    at_ms,
                    MarketEvent::History { instrument: InstrumentIx(symbol_ix), bar },
                    observer,
                )?;
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

    /// Takes the whole way of the next bars in one step if no price on it can touch an order, a trigger or a margin of
    /// any symbol: nobody is told of a move, so nothing happens before the bars close, and everything stands as it
    /// would after the single steps.
    fn leap(&mut self, observer: &mut dyn Observer) {
        if self.walks_fully {
            return;
        }
        let Source::Bars(schedule) = &mut self.source else { return };
        let Some(point_ms) = schedule.open_way() else { return };
        let (venue, tracks) = (&mut self.venue, &self.tracks);
        let quiet = schedule.way().all(|(symbol_ix, bar)| {
            let Some(track) = tracks.get(usize::from(symbol_ix)) else { return false };
            let (Some(lo), Some(hi)) = (track.ticks(bar.low), track.ticks(bar.high)) else { return false };
            track.is_on_grid(bar) && venue.is_quiet(track.id, lo, hi, point_ms[3])
        });
        if !quiet {
            return;
        }
        self.end_bar_time(Some(point_ms[3]), observer);
        let Source::Bars(schedule) = &mut self.source else { return };
        for (symbol_ix, bar) in schedule.way() {
            let Some(track) = self.tracks.get(usize::from(symbol_ix)) else { continue };
            let path = inner_path(bar).map(|mantissa| track.ticks(mantissa).unwrap_or_default());
            self.venue.stride(point_ms[3], track.id, path);
        }
        self.played += schedule.pass_way();
        self.leaps += 1;
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
            if moved.eventful {
                self.settle(at_ms, observer)?;
            }
            if moved.reached {
                return Ok(());
            }
        }
    }

    pub(super) fn market(
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
    pub(super) fn tick_if_due(&mut self, at_ms: i64, observer: &mut dyn Observer) {
        let at = Timestamp::from_ms(at_ms);
        if self.engine.deadline().is_some_and(|deadline| deadline <= at) {
            self.decide(at, Fact::Tick, observer);
        }
    }

    /// Turns what the exchange told into facts and feeds them until nothing is left to react to.
    pub(super) fn settle(&mut self, at_ms: i64, observer: &mut dyn Observer) -> Result<(), BacktestError> {
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
        self.venue.told(&mut self.told);
        let queue = &mut self.queue;
        for told in self.told.drain(..) {
            self.lexicon.facts(&told, &mut |fact| queue.push_back(fact));
        }
    }

    fn forget_told(&mut self) {
        self.venue.told(&mut self.told);
        self.told.clear();
    }

    /// One fact through the engine; its effects are performed at once, their results queue up.
    pub(super) fn decide(&mut self, at: Timestamp, fact: Fact, observer: &mut dyn Observer) {
        self.engine.step(at, fact, &mut self.step);
        observer.on_step(&self.engine, &self.step);
        if !self.step.effects.is_empty() {
            let mut effects = std::mem::take(&mut self.step.effects);
            for effect in effects.drain(..) {
                self.perform(at, effect);
            }
            self.step.effects = effects;
        }
        self.records.append(&mut self.step.events);
    }

    fn perform(&mut self, at: Timestamp, effect: Effect) {
        match effect {
            Effect::Submit(approved) => {
                self.orders += 1;
                let order = approved.get();
                let result = self.send(at.ms(), order);
                self.queue.push_back(translate::answer_taken(*order.client_id(), result));
            }
            Effect::Cancel { order, instrument, target } => {
                let command = translate::cancel(&instrument, &target);
                let fact = match self.venue.apply(at.ms(), &command, &mut Vec::new()) {
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

    /// Places an order and says where it stands.
    fn send(
        &mut self,
        at_ms: i64,
        order: &Order,
    ) -> Result<Option<(OrderRef, ReportedState, Decimal)>, VenueError> {
        if translate::fill_in(&mut self.sent, order) {
            let taken = self.venue.place_briefly(at_ms, &self.sent)?;
            return Ok(Some(translate::placed(&taken)));
        }
        let reply = self.venue.apply(at_ms, &translate::place(order), &mut Vec::new())?;
        Ok(translate::taken(&reply))
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
            .apply(at_ms, command, &mut Vec::new())
            .map_err(|source| BacktestError::Venue { doing: doing.to_owned(), source })
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
        let book = self.engine.book();
        book.holds(instrument)
            && book.spec(instrument).is_some_and(|spec| {
                PositionSide::BOTH
                    .iter()
                    .all(|&side| book.leg(&PositionKey::new(spec.id, side)).is_some_and(|leg| leg.is_open()))
            })
    }

    /// When the closes of one bar time are over, equity is taken.
    pub(super) fn end_bar_time(&mut self, next_ms: Option<i64>, observer: &mut dyn Observer) {
        let Some(at_ms) = self.bar_time.filter(|&at_ms| next_ms.is_none_or(|next| next > at_ms)) else {
            return;
        };
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
    /// How much has been played: bar times done and bar times in all, or ticks.
    pub fn progress(&self) -> (usize, usize) {
        match &self.source {
            Source::Bars(schedule) => (schedule.bar_times_done(), schedule.bar_times()),
            Source::Ticks(play) => play.progress(),
        }
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
        let bars = match &self.source {
            Source::Bars(schedule) => Some(schedule),
            Source::Ticks(_) => None,
        };
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
            funding_files: bars.map_or_else(Vec::new, |bars| bars.data().funding_files.clone()),
            funding_mark_from_close: self.funding_mark_from_close,
            gaps: bars.map_or(0, |bars| bars.data().gaps.len() as u64),
            warmup_bars: bars.map_or(0, |bars| bars.history() as u64),
            max_drawdown_pct: self.drawdown.worst() * Decimal::ONE_HUNDRED,
            journal_sha256: journal_hash(&self.records)?,
        })
    }
}
