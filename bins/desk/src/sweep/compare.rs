//! The trials side by side: the best, the one in the best neighbourhood, and what luck alone would have given.

use super::{
    grid::Space,
    neighbours::neighbours,
    outcome::Row,
    sharpe::{Moments, Period, deflated_sharpe, expected_best_sharpe, probabilistic_sharpe},
};

/// A trial among the others. Sharpe ratios are those of a year.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Position of its row.
    pub row: usize,
    /// Shape of its returns.
    pub moments: Moments,
    /// Its own Sharpe ratio.
    pub sharpe: f64,
    /// The mean of its neighbours' and its own.
    pub neighbourhood: f64,
    /// That mean less the standard deviation within: high on a plateau, low on a peak and beside one.
    pub steady: f64,
    /// The worst of its neighbours' and its own.
    pub worst: f64,
    /// How many neighbours it has.
    pub neighbours: usize,
    /// Probability that its true Sharpe ratio is above 0, had it been the only trial.
    pub psr: f64,
    /// Probability that it is better than the best of as many trials without skill.
    pub dsr: f64,
}

/// All trials.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// One entry per row; `None` for rows that were refused or never traded.
    pub trials: Vec<Option<Best>>,
    /// Trials that were played.
    pub played: usize,
    /// Variance of their Sharpe ratios, of one period; a trial that never traded has the ratio 0.
    pub variance: f64,
    /// The Sharpe ratio that luck alone would have shown as the best of them, for a year.
    pub luck: f64,
    /// The trial with the highest Sharpe ratio.
    pub best: Option<Best>,
    /// The trial with neighbours whose neighbourhood is steadiest; none without any neighbours.
    pub stable: Option<Best>,
}

impl Comparison {
    pub(super) fn new(space: &Space, rows: &[Row], is_whole: bool, period: Period) -> Self {
        let at: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].trial().is_some()).collect();
        let moments: Vec<Option<Moments>> =
            at.iter().map(|at| rows[*at].trial().and_then(|trial| trial.moments())).collect();
        let sharpes: Vec<f64> = moments.iter().map(|one| one.map_or(0.0, |one| one.sharpe())).collect();
        let variance = variance(&sharpes);
        let combinations: Vec<u64> = at.iter().map(|at| rows[*at].combination).collect();
        let around = neighbours(space, &combinations, is_whole);
        let a_year = period.a_year().sqrt();
        let mut trials: Vec<Option<Best>> = vec![None; rows.len()];
        for (place, row) in at.iter().enumerate() {
            let Some(moments) = moments[place] else { continue };
            let region = || around[place].iter().chain([&place]).map(|other| sharpes[*other] * a_year);
            let size = (around[place].len() + 1) as f64;
            let mean = region().sum::<f64>() / size;
            let deviation = (region().map(|one| (one - mean).powi(2)).sum::<f64>() / size).sqrt();
            trials[*row] = Some(Best {
                row: *row,
                moments,
                sharpe: moments.sharpe() * a_year,
                neighbourhood: mean,
                steady: mean - deviation,
                worst: region().fold(f64::INFINITY, f64::min),
                neighbours: around[place].len(),
                psr: probabilistic_sharpe(&moments, 0.0),
                dsr: deflated_sharpe(&moments, at.len(), variance),
            });
        }
        let highest = |of: fn(&Best) -> f64, least: usize| {
            let scored = trials.iter().flatten().filter(|one| one.neighbours >= least);
            // Of equals the first.
            scored.reduce(|best, one| if of(one) > of(best) { one } else { best }).cloned()
        };
        let (best, stable) = (highest(|one| one.sharpe, 0), highest(|one| one.steady, 1));
        let luck = expected_best_sharpe(at.len(), variance) * a_year;
        Self { trials, played: at.len(), variance, luck, best, stable }
    }
}

fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::{Figures, Outcome, Trial};

    /// Returns with a given mean, going up and down by 1 %.
    fn played(combination: u64, mean: f64) -> Row {
        let returns: Vec<f64> = (0..100).map(|day| mean + if day % 2 == 0 { 0.01 } else { -0.01 }).collect();
        let ends_ms = (1..=100).map(|day| day * 86_400_000).collect();
        Row { combination, outcome: Outcome::Played(Trial { figures: Figures::default(), returns, ends_ms }) }
    }

    #[test]
    fn the_stable_one_is_on_the_plateau_and_not_on_the_lonely_peak() {
        let space = Space::from_toml("g", "a = { from = 1, to = 9, step = 1 }\n").unwrap();
        let means = [0.0, 0.006, 0.0, 0.0, 0.003, 0.003, 0.003, 0.0, 0.0];
        let rows: Vec<Row> = means.iter().enumerate().map(|(at, mean)| played(at as u64, *mean)).collect();
        let comparison = Comparison::new(&space, &rows, true, Period::Day);
        let (best, stable) = (comparison.best.unwrap(), comparison.stable.unwrap());
        assert_eq!((best.row, stable.row), (1, 5));
        let border = comparison.trials[0].clone();
        assert!(border.is_none_or(|border| border.steady < stable.steady), "beside the peak is no plateau");
        assert_eq!((stable.neighbours, best.neighbours), (2, 2));
        assert!((stable.neighbourhood - stable.sharpe).abs() < 1e-9, "its neighbours are as good");
        assert!((best.neighbourhood - best.sharpe / 3.0).abs() < 1e-9, "a third of the peak");
        assert!(best.dsr < best.psr, "the best of nine is less sure than the same result alone");
    }

    #[test]
    fn trials_without_a_trade_count_as_zero_and_refused_ones_not_at_all() {
        let space = Space::from_toml("g", "a = [1, 2, 3, 4]\n").unwrap();
        let idle = Trial { figures: Figures::default(), returns: vec![0.0; 100], ends_ms: vec![1; 100] };
        let rows = [
            played(0, 0.002),
            Row { combination: 1, outcome: Outcome::Played(idle) },
            Row { combination: 2, outcome: Outcome::Refused("why".to_owned()) },
            played(3, 0.001),
        ];
        let comparison = Comparison::new(&space, &rows, true, Period::Day);
        assert_eq!(comparison.played, 3);
        let best = comparison.best.unwrap();
        assert_eq!((best.row, best.neighbours), (0, 1));
        assert!((best.neighbourhood - best.sharpe / 2.0).abs() < 1e-12);
        assert!(comparison.trials[1].is_none() && comparison.trials[2].is_none());
        assert_eq!(comparison.trials[3].as_ref().unwrap().neighbours, 0);
    }
}
