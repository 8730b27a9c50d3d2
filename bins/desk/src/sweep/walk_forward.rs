//! Choosing on the past and judging on what came after it.

use hedge_core::{Decimal, Timestamp};

use super::{
    error::SweepError,
    outcome::Row,
    sharpe::Moments,
    trial::{Figures, Trial},
};
use crate::backtest::RecordedMarket;

/// One cut: all before it chooses, the part after it judges.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// First instant that chooses.
    pub train_from: Timestamp,
    /// End of what chooses, and first instant that judges.
    pub cut: Timestamp,
    /// End of what judges.
    pub test_to: Timestamp,
    /// Position of the row with the highest Sharpe ratio before the cut.
    pub row: usize,
    /// Its Sharpe ratio there, of one period.
    pub train_sharpe: f64,
    /// The same parameters after the cut: a backtest of its own, that begins flat with the starting balance.
    pub test: Trial,
}

/// All cuts.
#[derive(Clone, Debug, PartialEq)]
pub struct WalkForward {
    /// In the order of time.
    pub folds: Vec<Fold>,
}

impl WalkForward {
    /// The returns of all tests, one after the other.
    pub fn returns(&self) -> Vec<f64> {
        self.folds.iter().flat_map(|fold| fold.test.returns.iter().copied()).collect()
    }
    /// Their shape; `None` when nothing happened.
    pub fn moments(&self) -> Option<Moments> {
        Moments::of(&self.returns())
    }
    /// What the tests return one after the other, in percent.
    pub fn return_pct(&self) -> Decimal {
        let grown = self
            .folds
            .iter()
            .map(|fold| Decimal::ONE + fold.test.figures.return_pct() / Decimal::ONE_HUNDRED);
        (grown.product::<Decimal>() - Decimal::ONE) * Decimal::ONE_HUNDRED
    }
    /// The worst test's largest drawdown, in percent.
    pub fn max_drawdown_pct(&self) -> Decimal {
        self.folds.iter().map(|fold| fold.test.figures.max_drawdown_pct).max().unwrap_or_default()
    }
    /// Sums over the tests.
    pub fn orders(&self) -> u64 {
        self.folds.iter().map(|fold| fold.test.figures.orders).sum()
    }
    /// Mean return after the cuts by that before them, of the chosen ones; `None` when there was none before.
    pub fn efficiency(&self, rows: &[Row]) -> Option<f64> {
        let mean = |returns: &[f64]| returns.iter().sum::<f64>() / returns.len().max(1) as f64;
        let before = |fold: &Fold| {
            rows.get(fold.row).and_then(Row::trial).map(|trial| mean(trial.returns_until(fold.cut.ms())))
        };
        let folds = self.folds.len() as f64;
        let trained = self.folds.iter().filter_map(before).sum::<f64>() / folds;
        let tested = self.folds.iter().map(|fold| mean(&fold.test.returns)).sum::<f64>() / folds;
        (trained > 0.0).then(|| tested / trained)
    }
    /// Sums of figures over the tests.
    pub fn figures(&self) -> Figures {
        let mut sum = Figures::default();
        for Fold { test: Trial { figures, .. }, .. } in &self.folds {
            sum.realised += figures.realised;
            sum.fees_paid += figures.fees_paid;
            sum.funding_net += figures.funding_net;
            sum.orders += figures.orders;
            sum.fills += figures.fills;
            sum.vetoes += figures.vetoes;
        }
        sum
    }
}

/// The instants that cut a stretch into `folds + 1` parts of the same length, both ends included.
pub(super) fn cuts(from_ms: i64, to_ms: i64, folds: u32, bar_ms: i64) -> Result<Vec<i64>, SweepError> {
    let parts = i64::from(folds) + 1;
    let part_ms = (to_ms - from_ms) / parts;
    if part_ms < 10 * bar_ms {
        return Err(SweepError::TooShort(format!(
            "--walk-forward {folds}: the data has {} bars after the warm-up, expected at least {}; take fewer windows or more data",
            (to_ms - from_ms) / bar_ms,
            parts * 10
        )));
    }
    let inner = (1..parts).map(|part| {
        let at_ms = from_ms + part * part_ms;
        at_ms - at_ms.rem_euclid(bar_ms)
    });
    Ok([from_ms].into_iter().chain(inner).chain([to_ms]).collect())
}

/// The row whose returns until then have the highest Sharpe ratio; of equals the first. `None` when none traded.
pub(super) fn chosen(rows: &[Row], cut_ms: i64) -> Option<(usize, f64)> {
    let scored = rows.iter().enumerate().filter_map(|(at, row)| {
        let moments = Moments::of(row.trial()?.returns_until(cut_ms))?;
        Some((at, moments.sharpe()))
    });
    scored.reduce(|best, one| if one.1 > best.1 { one } else { best })
}

/// The bars of a test with the history that warms it up: `history` bar times before the cut.
pub(super) fn window(market: &RecordedMarket, history: usize, cut_ms: i64, to_ms: i64) -> RecordedMarket {
    let mut opens: Vec<Timestamp> = market
        .data
        .series
        .iter()
        .flat_map(|series| series.bars.iter().map(|bar| bar.open_time))
        .filter(|open| open.ms() < cut_ms)
        .collect();
    opens.sort_unstable();
    opens.dedup();
    let from = opens.len().checked_sub(history.max(1)).map_or(Timestamp::EPOCH, |at| opens[at]);
    let from = if history == 0 { Timestamp::from_ms(cut_ms) } else { from };
    market.window(from, Timestamp::from_ms(to_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Outcome;

    #[test]
    fn a_stretch_is_cut_into_parts_of_the_same_length_on_the_grid_of_bars() {
        assert_eq!(cuts(1_000, 1_000 + 60 * 100, 2, 60).unwrap(), [1_000, 3_000, 4_980, 7_000]);
        let error = cuts(0, 60 * 29, 2, 60).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "--walk-forward 2: the data has 29 bars after the warm-up, expected at least 30"
            ),
            "{error}"
        );
    }

    #[test]
    fn what_comes_after_the_cut_does_not_choose() {
        let row = |combination: u64, returns: [f64; 4]| {
            let trial = Trial {
                figures: Figures::default(),
                returns: returns.to_vec(),
                ends_ms: vec![10, 20, 30, 40],
            };
            Row { combination, outcome: Outcome::Played(trial) }
        };
        let rows = [row(0, [0.01, 0.02, -0.5, -0.5]), row(1, [-0.01, 0.011, 0.5, 0.5]), row(2, [0.0; 4])];
        assert_eq!(chosen(&rows, 20).unwrap().0, 0);
        assert_eq!(chosen(&rows, 40).unwrap().0, 1);
        assert_eq!(chosen(&rows[2..], 40), None);
    }
}
