//! `pairs_universe.json`.

use std::collections::{BTreeMap, BTreeSet};

use hedge_core::{Decimal, InstrumentId, Leverage, Symbol, Venue};
use serde::{Deserialize, Serialize};

use super::{Checker, ConfigError};

/// The symbols that may be traded. Their order is the engine's instrument order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UniverseConfig {
    /// Symbols in the venue's spelling.
    pub symbols: Vec<Symbol>,
    /// What differs for some of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<Symbol, SymbolOverride>,
}

/// What differs for one symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SymbolOverride {
    /// Leverage the symbol is set to, in place of its strategy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_leverage: Option<u32>,
    /// Smallest notional of an opening. Units: USDT. The venue's own minimum holds besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_notional: Option<Decimal>,
}

impl UniverseConfig {
    /// Checks that there are symbols, none twice, and that overrides fit. Errors: [`ConfigError`] with every problem.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut check = Checker::new("universe".to_owned());
        if self.symbols.is_empty() {
            check.problem("symbols", "[]", "at least one symbol");
        }
        let mut seen = BTreeSet::new();
        for symbol in &self.symbols {
            if !seen.insert(*symbol) {
                check.problem("symbols", symbol, "each symbol once");
            }
        }
        for (symbol, differs) in &self.overrides {
            check.place = symbol.to_string();
            if !seen.contains(symbol) {
                check.problem("overrides", symbol, "a symbol that is listed in symbols");
            }
            if let Some(leverage) = differs.target_leverage {
                check.within("target_leverage", leverage, 1, 125);
            }
            if let Some(notional) = differs.min_notional {
                check.within("min_notional", notional, Decimal::ZERO, Decimal::from(1_000_000));
            }
        }
        check.finish()
    }
    /// The symbols as instruments, in order.
    pub fn instruments(&self) -> impl Iterator<Item = InstrumentId> {
        self.symbols.iter().map(|symbol| InstrumentId::new(Venue::Binance, *symbol))
    }
    /// The overriding leverage of a symbol.
    pub fn target_leverage(&self, symbol: &Symbol) -> Option<Leverage> {
        self.overrides.get(symbol).and_then(|differs| Leverage::new(differs.target_leverage?).ok())
    }
    /// The overriding minimum notional of a symbol. Units: USDT.
    pub fn min_notional(&self, symbol: &Symbol) -> Option<Decimal> {
        self.overrides.get(symbol).and_then(|differs| differs.min_notional)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> UniverseConfig {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_universe_is_read_as_operators_write_it() {
        let universe = parse(
            r#"{"symbols": ["BTCUSDT", "BNBUSDT"], "overrides": {"BNBUSDT": {"target_leverage": 3, "min_notional": 5.0}}}"#,
        );
        assert!(universe.validate().is_ok());
        let bnb = Symbol::parse("BNBUSDT").unwrap();
        assert_eq!(universe.target_leverage(&bnb).map(Leverage::get), Some(3));
        assert_eq!(universe.min_notional(&bnb), Some(Decimal::from(5)));
        assert_eq!(universe.instruments().next().unwrap().to_string(), "binance:BTCUSDT");
    }

    #[test]
    fn an_override_of_a_symbol_that_is_not_listed_is_refused() {
        let universe = parse(r#"{"symbols": ["BTCUSDT"], "overrides": {"ETHUSDT": {"target_leverage": 3}}}"#);
        assert!(universe.validate().unwrap_err().to_string().contains("a symbol that is listed"));
    }

    #[test]
    fn a_universe_without_symbols_or_with_one_twice_is_refused() {
        assert!(parse(r#"{"symbols": []}"#).validate().is_err());
        assert!(parse(r#"{"symbols": ["BTCUSDT", "BTCUSDT"]}"#).validate().is_err());
        assert!(serde_json::from_str::<UniverseConfig>(r#"{"symbol": []}"#).is_err());
    }
}
