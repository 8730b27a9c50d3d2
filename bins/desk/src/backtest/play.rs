//! Plays a backtest and measures how long the engine took.

use std::time::Instant;

use hedge_core::{Book, Decimal, Engine, Step, Timestamp};
use hedge_sim::backtest::{Backtest, BacktestConfig, BacktestError, Observer};
use thiserror::Error;

use super::{curve::Curve, market::RecordedMarket, summary_line::SummaryLine};
use crate::config::ConfigError;

/// A backtest that did not come to a result.
#[derive(Debug, Error)]
pub enum PlayError {
    /// It stopped.
    #[error(transparent)]
    Backtest(#[from] BacktestError),
    /// The configuration gives no engine.
    #[error(transparent)]
    Config(ConfigError),
    /// Money appeared or vanished without a booking. This is a defect of the program, never of the data.
    #[error(
        "the books do not balance: nav_end {nav_end} differs by {difference} from nav_start + realised + unrealised - fees_paid + funding_net"
    )]
    Unbalanced {
        /// Equity at the end.
        nav_end: Decimal,
        /// What nothing explains.
        difference: Decimal,
    },
}

/// A backtest that was played to its end.
#[derive(Debug)]
pub struct Played {
    /// The engine and the exchange as they stand.
    pub backtest: Backtest,
    /// The figures.
    pub line: SummaryLine,
    /// Equity over time.
    pub curve: Curve,
}

/// Watches for the curve, and passes everything on.
struct Watch<'a> {
    curve: Curve,
    other: &'a mut dyn Observer,
}

impl Observer for Watch<'_> {
    fn on_step(&mut self, engine: &Engine, step: &Step) {
        self.other.on_step(engine, step);
    }
    fn on_bar_time(&mut self, at: Timestamp, engine: &Engine) {
        self.curve.take(at, engine.book());
        self.other.on_bar_time(at, engine);
    }
}

/// Plays a market. The engine must not journal market facts: their data stays in its file.
///
/// Only the run itself is timed, not the reading of files and not the hashing of the journal. Errors: [`PlayError`].
pub fn play(
    engine: Engine,
    market: &RecordedMarket,
    config: &BacktestConfig,
    other: &mut dyn Observer,
) -> Result<Played, PlayError> {
    let mut backtest = Backtest::new(engine, market.data.clone(), market.rules.clone(), config)?;
    let mut watch = Watch { curve: Curve::default(), other };
    let start = Instant::now();
    backtest.run(&mut watch)?;
    let seconds = start.elapsed().as_secs_f64();
    check_balance(backtest.engine().book())?;
    let line = SummaryLine::new(backtest.summary()?, seconds, &market.data);
    Ok(Played { line, curve: watch.curve, backtest })
}

/// Every cent of the equity is explained by a booking. Errors: [`PlayError::Unbalanced`].
pub(crate) fn check_balance(book: &Book) -> Result<(), PlayError> {
    let totals = book.totals();
    let explained = totals.nav_start + totals.realized + book.unrealized() - totals.fees + totals.funding;
    match book.equity() - explained {
        difference if difference.is_zero() => Ok(()),
        difference => Err(PlayError::Unbalanced { nav_end: book.equity(), difference }),
    }
}
