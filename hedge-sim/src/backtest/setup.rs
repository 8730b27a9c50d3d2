//! From data, rules and an engine to a backtest that is ready to play.

use std::{collections::VecDeque, sync::Arc};

use hedge_core::{Bar, Engine, Fact, InstrumentIx, RunId, RunStarted, Step, Term, Timestamp};
use rust_decimal::Decimal;

use super::{
    BacktestConfig, BacktestError, drawdown::Drawdown, instruments::spec_of, kept::KeptRecords,
    play::Backtest, summary::VetoCounts, tick_play::TickPlay,
};
use crate::{
    market::{DataSet, Schedule, TickSeries, TickSet, inner_path},
    translate::{ACCOUNT, Lexicon},
    venue::{Command, InstrumentRules, NewOrder, Reply, Side, SymbolId, Venue},
};

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
    /// Apart: every bar reads the rest.
    pub(super) rules: Box<InstrumentRules>,
    pub(super) scale: u32,
    /// Mantissas per tick, when the tick is a whole number of them: the usual case needs one division.
    pub(super) mantissas_per_tick: Option<i64>,
}

impl Track {
    /// Ticks of a scaled price; `None` off the grid.
    #[inline]
    pub(super) fn ticks(&self, mantissa: i64) -> Option<i64> {
        match self.mantissas_per_tick {
            Some(1) => Some(mantissa),
            Some(per_tick) if mantissa % per_tick == 0 => Some(mantissa / per_tick),
            Some(_) => None,
            None => self.rules.ticks_from_scaled(mantissa, self.scale),
        }
    }

    /// The inner path of a bar in ticks; `None` where one of its prices is off the grid.
    #[inline(always)]
    pub(super) fn path(&self, bar: &Bar) -> Option<[i64; 4]> {
        let path = inner_path(bar);
        if self.mantissas_per_tick == Some(1) {
            return Some(path);
        }
        let [open, first, second, close] = path;
        Some([self.ticks(open)?, self.ticks(first)?, self.ticks(second)?, self.ticks(close)?])
    }
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
            sent_for: None,
            step: Step::default(),
            records: KeptRecords::default(),
            forgotten: VetoCounts::new(),
            played: 0,
            orders: 0,
            hedged_bars: 0,
            funding_mark_from_close: 0,
            drawdown: Drawdown::from(config.balance_usdt),
            bar_time: None,
            ways: Vec::new(),
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
            self.tracks.push(Track { id, rules: Box::new(rules), scale, mantissas_per_tick });
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
        self.settle(at, &mut ());
        Ok(())
    }
}
