//! The twin of the text for machines: one object with these keys, all of them always there.

use serde::Serialize;

use super::{heartbeat::Heartbeat, number::Number};
use crate::id::Symbol;

#[derive(Serialize)]
struct Twin<'a> {
    env: &'a str,
    timestamp: String,
    nav: Option<Number>,
    nav_24h_delta_abs: Option<Number>,
    nav_24h_delta_pct: Option<Number>,
    drawdown_pct: Option<Number>,
    trend: Option<&'static str>,
    reserve_btc: Number,
    positions: Option<Vec<Leg>>,
    recent_trades: Option<Vec<Execution>>,
    screener: Screener,
    kpis: Kpis,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    simulated: bool,
}

#[derive(Serialize)]
struct Leg {
    symbol: Symbol,
    side: &'static str,
    qty: Number,
    #[serde(rename = "uPnl")]
    u_pnl: Option<Number>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    simulated: bool,
}

#[derive(Serialize)]
struct Execution {
    symbol: Symbol,
    pnl: Option<Number>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    simulated: bool,
}

#[derive(Serialize)]
struct Screener {
    attempted: Option<u64>,
    emitted: Option<u64>,
}

#[derive(Serialize)]
struct Kpis {
    max_dd_pct: Option<Number>,
    max_daily_loss_pct: Option<Number>,
}

impl Heartbeat {
    /// The JSON twin, on one line. Numbers are JSON numbers with all their digits; what is not known is `null`. Unlike the
    /// text it lists every open leg, in the same order.
    pub fn json(&self) -> String {
        let delta = self.delta();
        let twin = Twin {
            env: &self.installation,
            timestamp: format!("{}Z", self.at.to_string().get(..19).unwrap_or_default()),
            nav: self.nav.map(|nav| Number::amount(nav.value)),
            nav_24h_delta_abs: delta.map(|delta| Number::amount(delta.abs)),
            nav_24h_delta_pct: delta.and_then(|delta| delta.pct).map(Number::percent),
            drawdown_pct: self.nav.and_then(|nav| nav.drawdown_pct).map(Number::percent),
            trend: self.trend().map(super::Trend::as_str),
            reserve_btc: Number(self.reserve_btc),
            positions: self.positions.as_ref().map(|_| {
                let row = |leg: &super::Holding| Leg {
                    symbol: leg.symbol,
                    side: leg.side.as_str(),
                    qty: Number::amount(leg.qty.abs()),
                    u_pnl: leg.u_pnl.map(Number::amount),
                    simulated: self.simulated,
                };
                self.legs().iter().map(row).collect()
            }),
            recent_trades: self.listed_trades().map(|trades| {
                let row = |trade: &super::Trade| Execution {
                    symbol: trade.symbol,
                    pnl: trade.pnl.map(Number::amount),
                    simulated: self.simulated,
                };
                trades.iter().map(row).collect()
            }),
            screener: Screener {
                attempted: self.screener.map(|screener| screener.attempted),
                emitted: self.screener.map(|screener| screener.emitted),
            },
            kpis: Kpis {
                max_dd_pct: self.kpis.max_dd_pct.map(Number::percent),
                max_daily_loss_pct: self.kpis.max_daily_loss_pct.map(Number::percent),
            },
            simulated: self.simulated,
        };
        // A struct of texts and numbers always becomes JSON.
        serde_json::to_string(&twin).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }
}
