//! The message that people read.

use super::{
    heartbeat::{Heartbeat, Holding},
    number::{money, one_place, qty, signed},
};
use crate::time::Timestamp;

/// What is not known.
const UNKNOWN: &str = "n/a";

/// How a clock on the reader's wall differs from UTC at the time of a report. Whoever renders looks it up: this crate has
/// no zone table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockFace {
    /// East of Greenwich is positive. Units: seconds.
    pub offset_s: i32,
    /// The zone's short name at that time, for example `SAST`.
    pub zone: String,
}

impl ClockFace {
    /// Universal time.
    pub fn utc() -> Self {
        Self { offset_s: 0, zone: "UTC".to_owned() }
    }

    /// `2025-08-22 10:00 SAST`.
    pub fn show(&self, at: Timestamp) -> String {
        let ns = at.ns().saturating_add(i64::from(self.offset_s).saturating_mul(1_000_000_000));
        let local = Timestamp::from_ns(ns).to_string();
        let (date, time) = (local.get(..10).unwrap_or_default(), local.get(11..16).unwrap_or_default());
        format!("{date} {time} {}", self.zone)
    }
}

impl Heartbeat {
    /// The message, without a line end after its last line.
    pub fn text(&self, face: &ClockFace) -> String {
        let mut lines = vec![self.title(), format!("Time: {}", face.show(self.at)), String::new()];
        lines.extend([self.nav_line(), self.drawdown_line(), String::new()]);
        lines.push("Open Positions (top 5):".to_owned());
        lines.extend(self.position_lines());
        lines.extend([String::new(), "Recent PnL (last 5 trades):".to_owned()]);
        lines.extend(self.trade_lines());
        lines.extend([String::new(), "Notes:".to_owned()]);
        lines.push(bullet(format!("Reserve: {} BTC (not included in NAV)", self.reserve_btc.normalize())));
        lines.push(bullet(self.screener_line()));
        lines.extend(self.notes.iter().map(|note| bullet(note.to_string())));
        lines.join("\n")
    }

    fn title(&self) -> String {
        let mark = if self.simulated { ", simulated" } else { "" };
        format!("HEDGE — 8h Update ({}{mark})", self.installation)
    }

    fn nav_line(&self) -> String {
        let Some(nav) = &self.nav else { return format!("NAV: {UNKNOWN}  (Δ24h: {UNKNOWN})") };
        let delta = match nav.delta() {
            None => UNKNOWN.to_owned(),
            Some(delta) => {
                let pct = delta.pct.map_or_else(|| UNKNOWN.to_owned(), |pct| format!("{}%", signed(pct)));
                format!("{}, {pct}", signed(delta.abs))
            }
        };
        format!("NAV: {} USDT  (Δ24h: {delta})", money(nav.value))
    }

    fn drawdown_line(&self) -> String {
        let drawdown = self.nav.and_then(|nav| nav.drawdown_pct);
        let drawdown = drawdown.map_or_else(|| UNKNOWN.to_owned(), |pct| format!("{}%", one_place(pct)));
        format!("Drawdown: {drawdown}  |  Trend: {}", self.trend().map_or(UNKNOWN, super::Trend::arrow))
    }

    fn position_lines(&self) -> Vec<String> {
        let groups = self.listed_symbols();
        match &self.positions {
            None => return vec![bullet(UNKNOWN)],
            Some(_) if groups.is_empty() => return vec![bullet("none")],
            Some(_) => {}
        }
        let symbol_width = groups.iter().map(|legs| legs[0].symbol.as_str().len()).max().unwrap_or(0);
        let qty_width = groups.iter().map(|legs| qty(legs[0].qty).len()).max().unwrap_or(0);
        let line = |legs: &Vec<Holding>| {
            let first = &legs[0];
            let mut line = format!(
                "{:<symbol_width$}  {:<5} {:<qty_width$}  uPnL {}",
                first.symbol.as_str(),
                first.side.as_str(),
                qty(first.qty),
                pnl(first.u_pnl),
            );
            for other in &legs[1..] {
                line.push_str(&format!(
                    "  |  {} {} uPnL {} (hedged)",
                    other.side.as_str(),
                    qty(other.qty),
                    pnl(other.u_pnl)
                ));
            }
            bullet(line)
        };
        groups.iter().map(line).collect()
    }

    fn trade_lines(&self) -> Vec<String> {
        let Some(trades) = self.listed_trades() else { return vec![bullet(UNKNOWN)] };
        let mut lines: Vec<String> =
            trades.iter().map(|trade| bullet(format!("{} {}", trade.symbol, pnl(trade.pnl)))).collect();
        if self.trades_are_cut() {
            lines.push(bullet("…"));
        } else if lines.is_empty() {
            lines.push(bullet("none"));
        }
        lines
    }

    fn screener_line(&self) -> String {
        match &self.screener {
            Some(cycle) => {
                format!("Screener: attempted={}, emitted={} (last cycle)", cycle.attempted, cycle.emitted)
            }
            None => format!("Screener: {UNKNOWN}"),
        }
    }
}

fn bullet(text: impl AsRef<str>) -> String {
    // A line break inside a reason would look like a line of its own.
    format!("• {}", text.as_ref().replace(['\n', '\r'], " "))
}

fn pnl(value: Option<rust_decimal::Decimal>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), signed)
}
