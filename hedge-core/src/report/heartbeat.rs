//! The content of a heartbeat, and what is computed from it.

use rust_decimal::Decimal;

use super::note::Note;
use crate::{id::Symbol, position::PositionSide, risk::Posture, time::Timestamp};

/// Beyond it, up or down, a day has a trend. Units: percent.
const TREND_BEYOND_PCT: Decimal = Decimal::from_parts(25, 0, 0, false, 2);
/// How many symbols the text lists.
const LISTED_SYMBOLS: usize = 5;
/// How many trades a heartbeat lists.
const LISTED_TRADES: usize = 5;

/// Everything one heartbeat says.
#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    /// Name of the installation, for example `prod`.
    pub installation: String,
    /// Whether the account is only pretended: a dry run beside the real one.
    pub simulated: bool,
    /// The time of the report.
    pub at: Timestamp,
    /// Net asset value, when known.
    pub nav: Option<Nav>,
    /// Open legs, when known; empty when there are none.
    pub positions: Option<Vec<Holding>>,
    /// Executions, when known.
    pub trades: Option<Trades>,
    /// The last cycle of the screener, when known.
    pub screener: Option<Screened>,
    /// What the account may lose, when known.
    pub kpis: Kpis,
    /// Held beside the account and never part of its value. Units: BTC.
    pub reserve_btc: Decimal,
    /// What a person should know besides.
    pub notes: Vec<Note>,
}

/// The value of the account in its settlement asset. Units: USDT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nav {
    /// Now: wallet and unrealised profit.
    pub value: Decimal,
    /// A day ago, transfers since then taken into account; `None` on a first day.
    pub day_ago: Option<Decimal>,
    /// How far below its peak. Units: percent.
    pub drawdown_pct: Option<Decimal>,
}

/// What a day brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Units: USDT.
    pub abs: Decimal,
    /// Of the value a day ago; `None` when that was not above zero. Units: percent.
    pub pct: Option<Decimal>,
}

/// Where a day went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// Gained more than a quarter of a percent.
    Up,
    /// Lost more than a quarter of a percent.
    Down,
    /// Neither.
    Flat,
}

/// One open leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Which symbol.
    pub symbol: Symbol,
    /// Which leg.
    pub side: PositionSide,
    /// Unsigned, on both legs.
    pub qty: Decimal,
    /// Unrealised profit at the mark, when the mark is known. Units: USDT.
    pub u_pnl: Option<Decimal>,
}

/// The latest executions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trades {
    /// Newest first.
    pub latest: Vec<Trade>,
    /// Whether executions are known to exist that could not be read. The text says so with `…`.
    pub is_cut: bool,
}

/// One execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Which symbol.
    pub symbol: Symbol,
    /// Realised profit before fees, where stated; an opening has none. Units: USDT.
    pub pnl: Option<Decimal>,
}

/// One cycle of closed bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screened {
    /// Readings.
    pub attempted: u64,
    /// Readings that led to a signal.
    pub emitted: u64,
}

/// What the account may lose before the engine stops. Units: percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kpis {
    /// Of its peak.
    pub max_dd_pct: Option<Decimal>,
    /// Of the value at the beginning of the day.
    pub max_daily_loss_pct: Option<Decimal>,
}

impl Heartbeat {
    /// A report that knows nothing yet.
    pub fn new(installation: impl Into<String>, at: Timestamp, reserve_btc: Decimal) -> Self {
        Self {
            installation: installation.into(),
            simulated: false,
            at,
            nav: None,
            positions: None,
            trades: None,
            screener: None,
            kpis: Kpis::default(),
            reserve_btc,
            notes: Vec::new(),
        }
    }

    /// Adds what a person should know about the engine's stance; nothing while it is normal.
    pub fn note_posture(&mut self, posture: Posture, because: &str) {
        if posture != Posture::Normal {
            self.notes.push(Note::Posture { posture, because: because.to_owned() });
        }
    }

    /// What the last day brought, when it is known.
    pub fn delta(&self) -> Option<Delta> {
        self.nav.as_ref().and_then(Nav::delta)
    }

    /// Where the last day went, when it is known.
    pub fn trend(&self) -> Option<Trend> {
        Some(Trend::of(self.delta()?.pct?))
    }

    /// Open legs by symbol, LONG first. Symbols with the largest unrealised profit or loss on a leg come first.
    fn by_symbol(&self) -> Vec<Vec<Holding>> {
        let mut groups: Vec<Vec<Holding>> = Vec::new();
        for holding in self.positions.iter().flatten() {
            match groups.iter_mut().find(|legs| legs[0].symbol == holding.symbol) {
                Some(legs) => legs.push(*holding),
                None => groups.push(vec![*holding]),
            }
        }
        for legs in &mut groups {
            legs.sort_by_key(|leg| leg.side.sign() < 0);
        }
        // Stable: of equal ones the order of the account stays.
        groups.sort_by_key(|legs| std::cmp::Reverse(largest(legs)));
        groups
    }

    /// The symbols that the text lists, each with its legs, LONG first: the five with the largest unrealised profit or loss
    /// on a leg; symbols with one leg first, for they are exposed, then hedged ones; in both the largest first.
    pub fn listed_symbols(&self) -> Vec<Vec<Holding>> {
        let mut groups = self.by_symbol();
        groups.truncate(LISTED_SYMBOLS);
        groups.sort_by_key(|legs| legs.len() > 1);
        groups
    }

    /// Every open leg: those that the text lists, in its order, then the others.
    pub fn legs(&self) -> Vec<Holding> {
        let others = self.by_symbol().into_iter().skip(LISTED_SYMBOLS);
        self.listed_symbols().into_iter().chain(others).flatten().collect()
    }

    /// The trades that both forms list, newest first.
    pub fn listed_trades(&self) -> Option<&[Trade]> {
        self.trades.as_ref().map(|trades| &trades.latest[..trades.latest.len().min(LISTED_TRADES)])
    }

    /// Whether the list of trades is shorter than it would be if everything could be read.
    pub(super) fn trades_are_cut(&self) -> bool {
        self.trades.as_ref().is_some_and(|trades| trades.is_cut && trades.latest.len() < LISTED_TRADES)
    }
}

impl Nav {
    /// What the last day brought.
    pub fn delta(&self) -> Option<Delta> {
        let before = self.day_ago?;
        let abs = self.value.checked_sub(before)?;
        let pct = (before > Decimal::ZERO)
            .then(|| abs.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(before))
            .flatten();
        Some(Delta { abs, pct })
    }
}

impl Trend {
    /// Of a change in percent: exactly a quarter of a percent is no trend.
    pub fn of(pct: Decimal) -> Self {
        if pct > TREND_BEYOND_PCT {
            Self::Up
        } else if pct < -TREND_BEYOND_PCT {
            Self::Down
        } else {
            Self::Flat
        }
    }

    /// As the text shows it.
    pub const fn arrow(self) -> &'static str {
        match self {
            Self::Up => "↑",
            Self::Down => "↓",
            Self::Flat => "→",
        }
    }

    /// As the JSON says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Flat => "flat",
        }
    }
}

/// The largest unrealised profit or loss of one leg.
fn largest(legs: &[Holding]) -> Decimal {
    legs.iter().filter_map(|leg| leg.u_pnl).map(|pnl| pnl.abs()).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn nav(value: &str, day_ago: &str) -> Nav {
        Nav { value: dec(value), day_ago: Some(dec(day_ago)), drawdown_pct: None }
    }

    fn holding(symbol: &str, side: PositionSide, u_pnl: &str) -> Holding {
        Holding { symbol: Symbol::parse(symbol).unwrap(), side, qty: Decimal::ONE, u_pnl: Some(dec(u_pnl)) }
    }

    fn listed(holdings: &[Holding]) -> Vec<String> {
        let mut heartbeat = Heartbeat::new("prod", Timestamp::EPOCH, Decimal::ZERO);
        heartbeat.positions = Some(holdings.to_vec());
        let names = |legs: Vec<Holding>| {
            legs.iter().map(|leg| format!("{} {}", leg.symbol, leg.side)).collect::<Vec<_>>().join("|")
        };
        heartbeat.listed_symbols().into_iter().map(names).collect()
    }

    #[test]
    fn a_day_has_a_trend_only_beyond_a_quarter_of_a_percent() {
        for (pct, trend) in [
            ("0.2501", Trend::Up),
            ("0.25", Trend::Flat),
            ("0", Trend::Flat),
            ("-0.25", Trend::Flat),
            ("-0.2501", Trend::Down),
        ] {
            assert_eq!(Trend::of(dec(pct)), trend, "{pct}");
        }
    }

    #[test]
    fn the_trend_is_of_the_exact_change_not_of_the_rounded_one() {
        // 25.0001 of 10,000 is shown as 0.25 %, and is beyond it.
        let mut heartbeat = Heartbeat::new("prod", Timestamp::EPOCH, Decimal::ZERO);
        heartbeat.nav = Some(nav("10025.0001", "10000"));
        assert_eq!(heartbeat.trend(), Some(Trend::Up));
        heartbeat.nav = Some(nav("10025", "10000"));
        assert_eq!(heartbeat.trend(), Some(Trend::Flat));
        heartbeat.nav = Some(nav("9975", "10000"));
        assert_eq!(heartbeat.trend(), Some(Trend::Flat));
        heartbeat.nav = Some(nav("9974.9999", "10000"));
        assert_eq!(heartbeat.trend(), Some(Trend::Down));
    }

    #[test]
    fn a_change_has_no_percentage_when_there_was_nothing_and_no_value_on_a_first_day() {
        assert_eq!(nav("5", "0").delta(), Some(Delta { abs: dec("5"), pct: None }));
        assert_eq!(nav("5", "-1").delta(), Some(Delta { abs: dec("6"), pct: None }));
        assert_eq!(Nav { day_ago: None, ..nav("5", "0") }.delta(), None);
        // Beyond what a decimal holds there is no answer rather than a panic.
        assert_eq!(Nav { value: Decimal::MAX, ..nav("0", "-1") }.delta(), None);
    }

    #[test]
    fn the_five_symbols_with_the_largest_profit_or_loss_are_listed_and_hedged_ones_come_last() {
        use PositionSide::{Long, Short};
        let holdings = [
            holding("AUSDT", Long, "1"),
            holding("BUSDT", Short, "4"),
            holding("BUSDT", Long, "-7"),
            holding("CUSDT", Short, "-3"),
            holding("DUSDT", Long, "0.5"),
            holding("EUSDT", Long, "2"),
            holding("FUSDT", Short, "5"),
        ];
        assert_eq!(
            listed(&holdings),
            ["FUSDT SHORT", "CUSDT SHORT", "EUSDT LONG", "AUSDT LONG", "BUSDT LONG|BUSDT SHORT"]
        );
        // The second leg of a listed symbol is there however small it is.
        let small = [holding("AUSDT", Short, "0.01"), holding("AUSDT", Long, "9")];
        assert_eq!(listed(&small), ["AUSDT LONG|AUSDT SHORT"]);
    }
}
