//! The views as they stand in their files. Only what a heartbeat needs; other fields may come and go.

use hedge_core::{
    Decimal, Interval, Posture, Symbol, Timestamp,
    report::{Holding, Screened, Trade, Trades},
};
use serde::Deserialize;

/// `nav.json`.
#[derive(Debug, Deserialize)]
pub(super) struct NavFile {
    #[serde(deserialize_with = "time")]
    pub(super) at: Timestamp,
    pub(super) nav: Decimal,
    pub(super) peak: Decimal,
    pub(super) drawdown_pct: Decimal,
    #[serde(default)]
    pub(super) nav_24h_delta_abs: Option<Decimal>,
    #[serde(default)]
    pub(super) series: Vec<Point>,
    #[serde(default)]
    pub(super) simulated: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Point {
    #[serde(deserialize_with = "time")]
    pub(super) t: Timestamp,
    pub(super) nav: Decimal,
}

/// `positions.json`.
#[derive(Debug, Deserialize)]
pub(super) struct PositionsFile {
    positions: Vec<PositionRow>,
}

#[derive(Debug, Deserialize)]
struct PositionRow {
    symbol: Symbol,
    side: hedge_core::PositionSide,
    qty: Decimal,
    #[serde(rename = "uPnl", default)]
    u_pnl: Option<Decimal>,
}

impl PositionsFile {
    pub(super) fn holdings(&self) -> Vec<Holding> {
        let holding = |row: &PositionRow| Holding {
            symbol: row.symbol,
            side: row.side,
            qty: row.qty.abs(),
            u_pnl: row.u_pnl,
        };
        self.positions.iter().map(holding).collect()
    }
}

/// `trade_log.json`, newest first.
#[derive(Debug, Deserialize)]
pub(super) struct TradesFile {
    trades: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct TradeRow {
    symbol: Symbol,
    #[serde(default)]
    pnl: Option<Decimal>,
}

impl TradesFile {
    /// A row that cannot be read is left out, and it shows that one is.
    pub(super) fn trades(&self) -> Trades {
        let read = |row: &serde_json::Value| TradeRow::deserialize(row).ok();
        let latest: Vec<Trade> = self
            .trades
            .iter()
            .filter_map(read)
            .map(|row| Trade { symbol: row.symbol, pnl: row.pnl })
            .collect();
        Trades { is_cut: latest.len() < self.trades.len(), latest }
    }
}

/// `screener.json`: the latest reading of each strategy on each symbol.
#[derive(Debug, Deserialize)]
pub(super) struct ScreenerFile {
    readings: Vec<ReadingRow>,
}

#[derive(Debug, Deserialize)]
struct ReadingRow {
    #[serde(deserialize_with = "time")]
    at: Timestamp,
    timeframe: Interval,
    emitted: bool,
}

impl ScreenerFile {
    /// The last cycle: readings of the bars that closed together last. `None` before the first one.
    pub(super) fn last_cycle(&self) -> Option<Screened> {
        let last = self.readings.iter().map(ReadingRow::bar_end_ms).max()?;
        let mut cycle = Screened { attempted: 0, emitted: 0 };
        for row in self.readings.iter().filter(|row| row.bar_end_ms() == last) {
            cycle.attempted += 1;
            cycle.emitted += u64::from(row.emitted);
        }
        Some(cycle)
    }
}

impl ReadingRow {
    /// When its bar closed: a reading is made soon after, before the next bar does.
    fn bar_end_ms(&self) -> i64 {
        let length = self.timeframe.ms();
        self.at.ms().div_euclid(length) * length
    }
}

/// `health.json`.
#[derive(Debug, Deserialize)]
pub(super) struct HealthFile {
    pub(super) posture: Posture,
    #[serde(default)]
    pub(super) operator_because: String,
    pub(super) operator: Posture,
    pub(super) connected: bool,
    #[serde(default)]
    pub(super) unprotected: Vec<String>,
    #[serde(default)]
    pub(super) doubtful_orders: u64,
}

fn time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    hedge_desk::journal::parse_time(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycle(rows: &str) -> Option<(u64, u64)> {
        let file: ScreenerFile = serde_json::from_str(&format!("{{\"readings\":[{rows}]}}")).unwrap();
        file.last_cycle().map(|cycle| (cycle.attempted, cycle.emitted))
    }

    fn row(at: &str, timeframe: &str, emitted: bool) -> String {
        format!(r#"{{"at":"2025-08-22T{at}Z","timeframe":"{timeframe}","emitted":{emitted},"veto":[]}}"#)
    }

    #[test]
    fn the_last_cycle_is_of_the_bars_that_closed_together_last() {
        let quarter =
            [row("10:15:00.2", "15m", true), row("10:15:04.9", "15m", false), row("10:00:01", "1h", true)];
        assert_eq!(cycle(&quarter.join(",")), Some((2, 1)));
        let hour = [row("11:00:00", "15m", false), row("11:00:02", "1h", true)];
        assert_eq!(cycle(&hour.join(",")), Some((2, 1)));
        assert_eq!(cycle(""), None);
    }

    #[test]
    fn a_trade_that_cannot_be_read_is_left_out_and_missed() {
        let text =
            r#"{"trades":[{"symbol":"BTCUSDT","pnl":"1.5"},{"symbol":"ETHUSDT","pnl":null},{"pnl":3}]}"#;
        let trades = serde_json::from_str::<TradesFile>(text).unwrap().trades();
        assert_eq!((trades.latest.len(), trades.is_cut, trades.latest[1].pnl), (2, true, None));
    }
}
