//! Equity and exposure over the bar times of a backtest.

use std::fmt::Write;

use hedge_core::{Book, Decimal, PositionSide, Timestamp};

/// The account when all symbols had closed a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurvePoint {
    /// When.
    pub at: Timestamp,
    /// Wallet plus unrealised profit. Units: USDT.
    pub equity: Decimal,
    /// Fall from the highest equity so far, as a fraction of it.
    pub drawdown: Decimal,
    /// Notional of open LONG legs. Units: USDT.
    pub long: Decimal,
    /// Notional of open SHORT legs. Units: USDT.
    pub short: Decimal,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Curve {
    points: Vec<CurvePoint>,
    peak: Decimal,
}

impl Curve {
    /// Takes the account down at a bar time.
    pub fn take(&mut self, at: Timestamp, book: &Book) {
        let equity = book.equity();
        self.peak = self.peak.max(equity);
        let drawdown =
            if self.peak > Decimal::ZERO { (self.peak - equity) / self.peak } else { Decimal::ZERO };
        let exposure = |side: PositionSide| {
            book.open_legs()
                .filter(|leg| leg.key.side == side)
                .map(|leg| {
                    book.mark_of(&leg.key.instrument).map_or(leg.cost, |(mark, _)| leg.qty * mark.get())
                })
                .sum()
        };
        let (long, short) = (exposure(PositionSide::Long), exposure(PositionSide::Short));
        self.points.push(CurvePoint { at, equity, drawdown, long, short });
    }
    /// The points in time order.
    pub fn points(&self) -> &[CurvePoint] {
        &self.points
    }
    /// As a table with a header.
    pub fn csv(&self) -> String {
        let mut csv = String::from("time,equity_usdt,drawdown_pct,long_notional_usdt,short_notional_usdt\n");
        for point in &self.points {
            let CurvePoint { at, equity, drawdown, long, short } = point;
            let drawdown_pct = (drawdown * Decimal::ONE_HUNDRED).round_dp(4);
            let _ = writeln!(
                csv,
                "{at},{},{},{},{}",
                equity.normalize(),
                drawdown_pct.normalize(),
                long.normalize(),
                short.normalize()
            );
        }
        csv
    }
}
