//! `strategy_config.json`.

use std::collections::BTreeSet;

use hedge_core::{
    Decimal, InstrumentId, Interval, Leverage, Notional, PositionSide, Strategy, StrategyId, Symbol, Venue,
};
use serde::{Deserialize, Serialize};

use super::{Checker, ConfigError};
use crate::{
    breakout::{BtcBreakout, DonchianBreak},
    exits::{Distance, ExitRules, Rung, Trailing},
    fast_lane::{FastLane, FastLaneMode, SolFastLane},
    ma_cross::{MaCross, MaCrossParams},
    momentum::{EthMomentum, Momentum},
    screener::ScreenerParams,
    signal::TradeRules,
};

/// Which strategy a block configures. Each one trades any symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Break of the highest high or lowest low.
    BtcBreakout,
    /// EMA cross with RSI and z-score filters.
    EthMomentum,
    /// z-score reversion or fast momentum.
    SolFastLane,
    /// Simple SMA cross.
    MaCross,
}

impl Kind {
    /// The name in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BtcBreakout => "btc_breakout",
            Self::EthMomentum => "eth_momentum",
            Self::SolFastLane => "sol_fast_lane",
            Self::MaCross => "ma_cross",
        }
    }
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategiesConfig {
    /// One block a strategy.
    pub strategies: Vec<StrategyConfig>,
}

/// One block. Keys, units, ranges and defaults are explained in [`KEYS`](super::KEYS).
///
/// ```
/// use hedge_strategy::config::StrategyConfig;
///
/// let block: StrategyConfig = serde_json::from_str(
///     r#"{"name": "btc", "kind": "btc_breakout", "symbol": "BTCUSDT", "capital_per_trade": "500", "lookback_bars": 48}"#,
/// )?;
/// let strategy = block.build()?;
/// assert_eq!(strategy.id().as_str(), "btc");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // every key is explained, with unit and range, in KEYS
pub struct StrategyConfig {
    pub name: StrategyId,
    pub kind: Kind,
    pub symbol: Symbol,
    #[serde(default = "default_timeframe")]
    pub timeframe: Interval,
    #[serde(default = "default_enabled")]
    pub enabled: bool,
    #[serde(default = "default_sides")]
    pub sides: Vec<PositionSide>,
    pub capital_per_trade: Decimal,
    #[serde(default = "default_leverage")]
    pub leverage: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_bars: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Distance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_profits: Option<Vec<Rung>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailing: Option<Trailing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bars: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atr_period: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atr_min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atr_max: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rsi_period: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z_period: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema_fast: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema_slow: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookback_bars: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rsi_min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z_max: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<FastLaneMode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z_entry: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rsi_extreme: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sma_fast: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sma_slow: Option<usize>,
}

const fn default_timeframe() -> Interval {
    Interval::M15
}
const fn default_enabled() -> bool {
    true
}
fn default_sides() -> Vec<PositionSide> {
    PositionSide::BOTH.to_vec()
}
const fn default_leverage() -> u32 {
    3
}

impl StrategiesConfig {
    /// Checks every block, enabled or not, and that no name is used twice.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        let mut names = BTreeSet::new();
        for block in &self.strategies {
            let mut checker = Checker::new(block.name.to_string());
            if !names.insert(block.name) {
                checker.problem("name", block.name, "a name that no other strategy has");
            }
            problems.append(&mut checker.problems);
            if let Err(mut error) = block.validate() {
                problems.append(&mut error.problems);
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }
    /// Checks everything and builds the enabled strategies, in the order of the file.
    pub fn build(&self) -> Result<Vec<Box<dyn Strategy>>, ConfigError> {
        self.validate()?;
        self.enabled().map(StrategyConfig::build).collect()
    }
    /// The enabled blocks.
    pub fn enabled(&self) -> impl Iterator<Item = &StrategyConfig> {
        self.strategies.iter().filter(|block| block.enabled)
    }
}

impl StrategyConfig {
    /// Checks every value. Errors: [`ConfigError`] with each key that is out of its range or means nothing to this kind.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut check = Checker::new(self.name.to_string());
        self.refuse_foreign_keys(&mut check);
        if self.sides.is_empty()
            || (self.sides.len() > 1 && self.sides.first() == self.sides.get(1))
            || self.sides.len() > 2
        {
            let names: Vec<&str> = self.sides.iter().map(|side| side.as_str()).collect();
            check.problem("sides", format!("{names:?}"), "LONG, SHORT or both, each once");
        }
        check.within("capital_per_trade", self.capital_per_trade, Decimal::ONE, Decimal::from(1_000_000));
        check.within("leverage", self.leverage, 1, 125);
        check.within("cooldown_bars", self.cooldown(), 0, 10_000);
        self.check_exits(&mut check);
        let screener = self.screener();
        for (key, period) in
            [("atr_period", screener.atr), ("rsi_period", screener.rsi), ("z_period", screener.z)]
        {
            check.within(key, period, 2, 1_000);
        }
        check.within("ema_fast", screener.fast, 1, 1_000);
        check.within("ema_slow", screener.slow, 2, 1_000);
        if screener.fast >= screener.slow {
            check.problem("ema_fast", screener.fast, format!("less than ema_slow ({})", screener.slow));
        }
        check.within("atr_min", self.atr_min(), 0.0, 1.0);
        check.within("atr_max", self.atr_max(), 0.0, 1.0);
        if self.atr_min() >= self.atr_max() {
            check.problem("atr_min", self.atr_min(), format!("less than atr_max ({})", self.atr_max()));
        }
        check.within("lookback_bars", self.lookback(), 2, 5_000);
        check.within("rsi_min", self.rsi_min(), 0.0, 100.0);
        check.within("z_max", self.z_max(), 0.0, 100.0);
        check.within("z_entry", self.z_entry(), 0.1, 10.0);
        check.within("rsi_extreme", self.rsi_extreme(), 0.0, 50.0);
        check.within("sma_fast", self.sma_fast(), 1, 5_000);
        check.within("sma_slow", self.sma_slow(), 2, 5_000);
        if self.sma_fast() >= self.sma_slow() {
            check.problem("sma_fast", self.sma_fast(), format!("less than sma_slow ({})", self.sma_slow()));
        }
        check.finish()
    }

    /// Builds the strategy. Errors: [`ConfigError`] as [`validate`](Self::validate).
    pub fn build(&self) -> Result<Box<dyn Strategy>, ConfigError> {
        self.validate()?;
        let capital = Notional::new(self.capital_per_trade).unwrap_or(Notional::ZERO);
        let instrument = self.instrument();
        let sides = |side| self.sides.contains(&side);
        let (long, short) = (sides(PositionSide::Long), sides(PositionSide::Short));
        let rules = TradeRules {
            id: self.name,
            instrument,
            interval: self.timeframe,
            long,
            short,
            capital,
            cooldown_bars: self.cooldown(),
            exits: self.exits(),
        };
        let (atr_min, atr_max) = (self.atr_min(), self.atr_max());
        Ok(match self.kind {
            Kind::BtcBreakout => {
                let rule = DonchianBreak::new(self.lookback(), atr_min, atr_max);
                Box::new(BtcBreakout::new(rules, self.screener(), rule))
            }
            Kind::EthMomentum => {
                let rule = Momentum { rsi_min: self.rsi_min(), z_max: self.z_max(), atr_min, atr_max };
                Box::new(EthMomentum::new(rules, self.screener(), rule))
            }
            Kind::SolFastLane => {
                let mode = self.mode.unwrap_or(FastLaneMode::Reversion);
                let rule = FastLane::new(mode, self.z_entry(), self.rsi_extreme(), atr_min, atr_max);
                Box::new(SolFastLane::new(rules, self.screener(), rule))
            }
            Kind::MaCross => Box::new(MaCross::new(MaCrossParams {
                id: self.name,
                instrument,
                interval: self.timeframe,
                fast: self.sma_fast(),
                slow: self.sma_slow(),
                long,
                short,
                capital,
                stop_percent: match self.stop() {
                    Distance::Percent(percent) => percent,
                    Distance::Atr(_) => 2.0,
                },
            })),
        })
    }

    /// What it trades. Symbols of this file are Binance USD-M symbols.
    pub const fn instrument(&self) -> InstrumentId {
        InstrumentId::new(Venue::Binance, self.symbol)
    }
    /// The leverage the symbol is set to, once validated.
    pub fn leverage(&self) -> Option<Leverage> {
        Leverage::new(self.leverage).ok()
    }

    // ---- values with their defaults ------------------------------------------------------------------------------

    fn cooldown(&self) -> u32 {
        self.cooldown_bars.unwrap_or(4)
    }
    fn stop(&self) -> Distance {
        self.stop.unwrap_or(match self.kind {
            Kind::MaCross => Distance::Percent(2.0),
            _ => Distance::Atr(3.0),
        })
    }
    fn exits(&self) -> ExitRules {
        ExitRules {
            stop: self.stop(),
            take_profits: self.take_profits.clone().unwrap_or_default(),
            trailing: self.trailing,
            max_bars: self.max_bars,
        }
    }
    fn screener(&self) -> ScreenerParams {
        let usual = ScreenerParams::default();
        ScreenerParams {
            z: self.z_period.unwrap_or(usual.z),
            rsi: self.rsi_period.unwrap_or(usual.rsi),
            atr: self.atr_period.unwrap_or(usual.atr),
            fast: self.ema_fast.unwrap_or(usual.fast),
            slow: self.ema_slow.unwrap_or(usual.slow),
        }
    }
    fn atr_min(&self) -> f64 {
        self.atr_min.unwrap_or(0.001)
    }
    fn atr_max(&self) -> f64 {
        self.atr_max.unwrap_or(0.05)
    }
    fn lookback(&self) -> usize {
        self.lookback_bars.unwrap_or(24)
    }
    fn rsi_min(&self) -> f64 {
        self.rsi_min.unwrap_or(50.0)
    }
    fn z_max(&self) -> f64 {
        self.z_max.unwrap_or(3.0)
    }
    fn z_entry(&self) -> f64 {
        self.z_entry.unwrap_or(2.2)
    }
    fn rsi_extreme(&self) -> f64 {
        self.rsi_extreme.unwrap_or(32.0)
    }
    fn sma_fast(&self) -> usize {
        self.sma_fast.unwrap_or(10)
    }
    fn sma_slow(&self) -> usize {
        self.sma_slow.unwrap_or(30)
    }

    fn check_exits(&self, check: &mut Checker) {
        let distance = |check: &mut Checker, key: &'static str, distance: Distance| match distance {
            Distance::Atr(multiple) => check.within(key, multiple, 0.1, 50.0),
            Distance::Percent(percent) => check.within(key, percent, 0.05, 90.0),
        };
        distance(check, "stop", self.stop());
        if self.kind == Kind::MaCross && matches!(self.stop, Some(Distance::Atr(_))) {
            check.problem(
                "stop",
                "{\"atr\": …}",
                "{\"percent\": …} for kind ma_cross, which computes no ATR",
            );
        }
        let rungs = self.take_profits.as_deref().unwrap_or_default();
        if rungs.len() > 5 {
            check.problem("take_profits", format!("{} rungs", rungs.len()), "at most 5 rungs");
        }
        let mut total = 0.0;
        for rung in rungs {
            distance(check, "take_profits", rung.at);
            check.within("take_profits", rung.portion, 0.01, 1.0);
            total += rung.portion;
        }
        if total > 1.000_001 {
            check.problem("take_profits", format!("portions that add up to {total}"), "at most 1");
        }
        for pair in rungs.windows(2) {
            let ascending = match (pair[0].at, pair[1].at) {
                (Distance::Atr(near), Distance::Atr(far)) => near < far,
                (Distance::Percent(near), Distance::Percent(far)) => near < far,
                _ => true,
            };
            if !ascending {
                check.problem("take_profits", "rungs out of order", "the nearest rung first");
            }
        }
        if let Some(trailing) = &self.trailing {
            distance(check, "trailing", trailing.activate);
            distance(check, "trailing", trailing.distance);
            check.within("trailing", trailing.min_step_bps.get(), Decimal::ONE, Decimal::from(1_000));
        }
        if let Some(bars) = self.max_bars {
            check.within("max_bars", bars, 1, 100_000);
        }
    }

    /// A key that this kind does not read would be a setting without effect.
    fn refuse_foreign_keys(&self, check: &mut Checker) {
        use Kind::{BtcBreakout, EthMomentum, MaCross, SolFastLane};
        let signals = [BtcBreakout, EthMomentum, SolFastLane];
        let given: [(&'static str, bool, &[Kind]); 19] = [
            ("cooldown_bars", self.cooldown_bars.is_some(), &signals),
            ("take_profits", self.take_profits.is_some(), &signals),
            ("trailing", self.trailing.is_some(), &signals),
            ("max_bars", self.max_bars.is_some(), &signals),
            ("atr_period", self.atr_period.is_some(), &signals),
            ("atr_min", self.atr_min.is_some(), &signals),
            ("atr_max", self.atr_max.is_some(), &signals),
            ("rsi_period", self.rsi_period.is_some(), &signals),
            ("z_period", self.z_period.is_some(), &signals),
            ("ema_fast", self.ema_fast.is_some(), &signals),
            ("ema_slow", self.ema_slow.is_some(), &signals),
            ("lookback_bars", self.lookback_bars.is_some(), &[BtcBreakout]),
            ("rsi_min", self.rsi_min.is_some(), &[EthMomentum]),
            ("z_max", self.z_max.is_some(), &[EthMomentum]),
            ("mode", self.mode.is_some(), &[SolFastLane]),
            ("z_entry", self.z_entry.is_some(), &[SolFastLane]),
            ("rsi_extreme", self.rsi_extreme.is_some(), &[SolFastLane]),
            ("sma_fast", self.sma_fast.is_some(), &[MaCross]),
            ("sma_slow", self.sma_slow.is_some(), &[MaCross]),
        ];
        for (key, is_given, kinds) in given {
            if is_given && !kinds.contains(&self.kind) {
                let expected = format!("no such key: it means nothing to kind {}", self.kind.as_str());
                check.problem(key, "given", expected);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(extra: &str) -> StrategyConfig {
        let text = format!(
            r#"{{"name": "s", "kind": "btc_breakout", "symbol": "BTCUSDT", "capital_per_trade": "500"{extra}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn problem(block: &StrategyConfig) -> String {
        block.validate().unwrap_err().to_string()
    }

    #[test]
    fn a_block_needs_a_name_a_kind_a_symbol_and_capital() {
        let block = block("");
        assert_eq!(block.sides, PositionSide::BOTH);
        assert_eq!((block.timeframe, block.enabled, block.leverage), (Interval::M15, true, 3));
        assert!(block.build().is_ok());
        let missing = serde_json::from_str::<StrategyConfig>(r#"{"name": "s", "kind": "ma_cross"}"#);
        assert!(missing.unwrap_err().to_string().contains("symbol"));
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let text =
            r#"{"name": "s", "kind": "ma_cross", "symbol": "X", "capital_per_trade": "5", "stopp": 1}"#;
        assert!(serde_json::from_str::<StrategyConfig>(text).unwrap_err().to_string().contains("stopp"));
    }

    #[test]
    fn a_value_out_of_range_is_named_with_its_range() {
        let mut bad = block("");
        bad.leverage = 126;
        assert_eq!(problem(&bad), "s: leverage = 126 is not usable: expected 1 to 125");
        let mut bad = block("");
        bad.capital_per_trade = Decimal::ZERO;
        assert_eq!(problem(&bad), "s: capital_per_trade = 0 is not usable: expected 1 to 1000000");
        assert_eq!(
            problem(&block(r#", "ema_fast": 30"#)),
            "s: ema_fast = 30 is not usable: expected less than ema_slow (21)"
        );
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        let message = problem(&block(r#", "rsi_min": 55"#));
        assert_eq!(
            message,
            "s: rsi_min = given is not usable: expected no such key: it means nothing to kind btc_breakout"
        );
    }

    #[test]
    fn a_ladder_sells_at_most_the_whole_leg_nearest_rung_first() {
        let ladder = |rungs: &str| block(&format!(r#", "take_profits": [{rungs}]"#));
        let half = r#"{"at": {"atr": 1.0}, "portion": 0.5}"#;
        let far = r#"{"at": {"atr": 2.0}, "portion": 0.5}"#;
        assert!(ladder(&format!("{half}, {far}")).validate().is_ok());
        assert!(problem(&ladder(&format!("{far}, {half}"))).contains("nearest rung first"));
        let more = r#"{"at": {"atr": 2.0}, "portion": 0.6}"#;
        assert!(problem(&ladder(&format!("{half}, {more}"))).contains("at most 1"));
    }

    #[test]
    fn every_kind_builds_and_says_what_it_needs() {
        for (kind, bars) in
            [(Kind::BtcBreakout, 25), (Kind::EthMomentum, 21), (Kind::SolFastLane, 21), (Kind::MaCross, 31)]
        {
            let strategy = StrategyConfig { kind, ..block("") }.build().unwrap();
            let needs = strategy.needs();
            assert_eq!(
                (needs[0].instrument.to_string().as_str(), needs[0].warmup_bars),
                ("binance:BTCUSDT", bars)
            );
        }
    }

    #[test]
    fn two_strategies_never_share_a_name_and_disabled_ones_are_not_built() {
        let mut config = StrategiesConfig { strategies: vec![block(""), block("")] };
        assert!(config.validate().unwrap_err().to_string().contains("a name that no other strategy has"));
        config.strategies[1].name = StrategyId::parse("t").unwrap();
        config.strategies[1].enabled = false;
        assert_eq!(config.build().unwrap().len(), 1);
    }
}
