//! One backtest of a sweep: its figures and its returns, and nothing kept besides.

use hedge_core::{Decimal, Engine, Timestamp};
use hedge_sim::backtest::{Backtest, Observer};
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::sharpe::{Moments, Period};
use crate::{
    backtest::{self, PlayError, RecordedMarket, check_balance},
    config::Config,
};

/// Market steps between two looks at the clock, the stop and the records.
const STEPS: usize = 4_096;

/// A backtest in figures. Money is in USDT.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Equity at the start.
    pub nav_start: Decimal,
    /// Equity at the end.
    pub nav_end: Decimal,
    /// Realised profit, before fees.
    pub realised: Decimal,
    /// Unrealised profit at the end.
    pub unrealised: Decimal,
    /// Fees paid.
    pub fees_paid: Decimal,
    /// Funding received less paid.
    pub funding_net: Decimal,
    /// Largest fall of equity from its peak, in percent, at bar closes.
    pub max_drawdown_pct: Decimal,
    /// Orders that were sent.
    pub orders: u64,
    /// Executions.
    pub fills: u64,
    /// Openings that were refused.
    pub vetoes: u64,
    /// Bars at whose close a symbol held LONG and SHORT.
    pub hedged_bars: u64,
}

impl Figures {
    /// What came of the money, in percent.
    pub fn return_pct(&self) -> Decimal {
        match self.nav_start.is_zero() {
            true => Decimal::ZERO,
            false => (self.nav_end / self.nav_start - Decimal::ONE) * Decimal::ONE_HUNDRED,
        }
    }
}

/// A backtest that was played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its figures.
    pub figures: Figures,
    /// Return of each period, as a fraction.
    pub returns: Vec<f64>,
    /// When each period ended. Units: milliseconds since the epoch.
    pub ends_ms: Vec<i64>,
}

impl Trial {
    /// The shape of the returns; `None` when nothing happened.
    pub fn moments(&self) -> Option<Moments> {
        Moments::of(&self.returns)
    }
    /// The returns of periods that ended until then.
    pub fn returns_until(&self, end_ms: i64) -> &[f64] {
        let count = self.ends_ms.partition_point(|end| *end <= end_ms);
        &self.returns[..count.min(self.returns.len())]
    }
}

/// What all trials of a sweep share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course<'a> {
    pub(super) market: &'a RecordedMarket,
    /// Of the market's content, where it is known already.
    pub(super) data_hash: Option<&'a str>,
    pub(super) period: Period,
}

/// Plays a configuration. `goes_on` hears every now and then how many bar times were played since it heard last, and
/// ends the trial with `false`: then there is none.
///
/// The engine decides and journals as in any other backtest; its records are dropped on the way.
pub(super) fn play(
    course: &Course<'_>,
    config: &Config,
    goes_on: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Trial>, PlayError> {
    let Course { market, data_hash, period } = *course;
    let engine: Engine = backtest::engine(config).map_err(PlayError::Config)?;
    let mut account = backtest::account(config, market);
    account.data_hash = data_hash.map(str::to_owned);
    let mut backtest = Backtest::new(engine, market.data.clone(), market.rules.clone(), &account)?;
    let mut samples = Samples::new(period, account.balance_usdt);
    let mut told = 0;
    let mut is_over = false;
    while !is_over {
        for _ in 0..STEPS {
            if !backtest.advance(&mut samples)? {
                is_over = true;
                break;
            }
        }
        backtest.forget_records();
        let (done, _) = backtest.progress();
        if !goes_on(done - told) {
            return Ok(None);
        }
        told = done;
    }
    let book = backtest.engine().book();
    check_balance(book)?;
    if let Some(at) = samples.last_bar {
        samples.take(at, book.equity());
    }
    let summary = backtest.summary()?;
    let figures = Figures {
        nav_start: summary.nav_start.normalize(),
        nav_end: summary.nav_end.normalize(),
        realised: summary.realised.normalize(),
        unrealised: summary.unrealised.normalize(),
        fees_paid: summary.fees_paid.normalize(),
        funding_net: summary.funding_net.normalize(),
        max_drawdown_pct: summary.max_drawdown_pct.round_dp(6).normalize(),
        orders: summary.orders,
        fills: summary.fills,
        vetoes: summary.vetoes,
        hedged_bars: summary.hedged_bars,
    };
    Ok(Some(Trial { figures, returns: samples.returns, ends_ms: samples.ends_ms }))
}

/// Equity at the ends of periods. Where the data has no bar there, at the first one after.
struct Samples {
    period_ms: i64,
    next_ms: Option<i64>,
    before: Decimal,
    last_bar: Option<Timestamp>,
    returns: Vec<f64>,
    ends_ms: Vec<i64>,
}

impl Samples {
    fn new(period: Period, start: Decimal) -> Self {
        let (returns, ends_ms) = (Vec::new(), Vec::new());
        Self { period_ms: period.ms(), next_ms: None, before: start, last_bar: None, returns, ends_ms }
    }
    fn take(&mut self, at: Timestamp, equity: Decimal) {
        if self.ends_ms.last() == Some(&at.ms()) {
            return;
        }
        // An account that lost everything returns nothing more.
        let change =
            if self.before > Decimal::ZERO { equity / self.before - Decimal::ONE } else { Decimal::ZERO };
        self.returns.push(change.to_f64().unwrap_or(0.0));
        self.ends_ms.push(at.ms());
        self.before = equity;
    }
}

impl Observer for Samples {
    fn on_bar_time(&mut self, at: Timestamp, engine: &Engine) {
        let following = |ms: i64| ms.div_euclid(self.period_ms) * self.period_ms + self.period_ms;
        // The period in which the first bar closes ends with it; a bar that closes at midnight belongs to the day before.
        let next_ms = self.next_ms.unwrap_or_else(|| following(at.ms() - 1));
        self.last_bar = Some(at);
        self.next_ms = Some(next_ms);
        if at.ms() >= next_ms {
            self.next_ms = Some(following(at.ms()));
            self.take(at, engine.book().equity());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use hedge_core::{Interval, Symbol};
    use hedge_sim::{backtest::Instruments, market::GeneratedMarket};

    use super::*;
    use crate::env::Env;

    fn market() -> RecordedMarket {
        let symbols = ["BTCUSDT", "ETHUSDT"].map(|symbol| Symbol::parse(symbol).unwrap());
        let mut generated = GeneratedMarket::built_in(7);
        let data = generated.data_set(&symbols, Interval::M15, 1_767_225_600_000, 1_000, 500).unwrap();
        let rules = Instruments::built_in(&data).unwrap().rules;
        RecordedMarket { data: Arc::new(data), rules, notes: Vec::new(), warnings: Vec::new() }
    }
    fn config() -> Config {
        Config::load(Some(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config"))), &Env::default())
            .unwrap()
    }

    #[test]
    fn a_trial_has_the_figures_of_a_backtest_and_its_returns_multiply_to_them() {
        let (market, config) = (market(), config());
        let course = Course { market: &market, data_hash: None, period: Period::Day };
        let trial = play(&course, &config, &mut |_| true).unwrap().unwrap();
        let engine = backtest::engine(&config).unwrap();
        let whole = backtest::play(engine, &market, &backtest::account(&config, &market), &mut ()).unwrap();
        assert!(whole.line.orders > 20, "{:?}", whole.line);
        let Figures { nav_end, orders, fills, vetoes, hedged_bars, .. } = trial.figures;
        assert_eq!(
            (nav_end, orders, fills, vetoes, hedged_bars),
            (
                whole.line.nav_end.normalize(),
                whole.line.orders,
                whole.line.fills,
                whole.line.vetoes,
                whole.line.hedged_bars
            )
        );
        let grown: f64 = trial.returns.iter().map(|change| 1.0 + change).product();
        let expected = (trial.figures.nav_end / trial.figures.nav_start).to_f64().unwrap();
        assert!((grown - expected).abs() < 1e-12, "{grown} {expected}");
        let (last, days) = trial.ends_ms.split_last().unwrap();
        assert_eq!(trial.returns.len(), trial.ends_ms.len());
        assert!(days.len() >= 9 && days.iter().all(|end_ms| end_ms % Period::Day.ms() == 0), "{days:?}");
        assert_eq!(*last, market.data.end().unwrap().ms());
    }

    #[test]
    fn a_trial_that_is_told_to_end_leaves_nothing() {
        let (market, config) = (market(), config());
        let course = Course { market: &market, data_hash: Some("known"), period: Period::Hour };
        assert!(play(&course, &config, &mut |_| false).unwrap().is_none());
    }
}
