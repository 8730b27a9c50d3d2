//! What the command line says about a run.

use std::{collections::BTreeSet, num::NonZeroU32, path::PathBuf};

use hedge_core::Symbol;

use super::error::TradeError;
use crate::{config::Speed, runs::Plan};

/// Everything that the command line may change; what is absent comes from the configuration.
#[derive(Clone, Debug, Default)]
pub struct TradeOptions {
    /// Bars per symbol to play.
    pub bars: Option<u64>,
    /// Run until stopped, in real time unless a speed is given. Every profile but paper does so unless bars are given.
    pub follow: bool,
    /// How many times as fast as wall time our clock runs, for a venue on this machine that does the same.
    pub time_scale: Option<NonZeroU32>,
    /// Speed of the embedded exchange.
    pub speed: Option<Speed>,
    /// Recorded klines to play: a file or a folder.
    pub data: Option<PathBuf>,
    /// An `exchangeInfo` file with the rules of the recorded symbols.
    pub instruments: Option<PathBuf>,
    /// Symbols to trade, out of the universe.
    pub symbols: Option<Vec<Symbol>>,
    /// Seed of the generated market.
    pub seed: Option<u64>,
    /// Bars of history before the start.
    pub history: Option<usize>,
    /// State directory to use as it is.
    pub state_dir: Option<PathBuf>,
    /// Wait while another process leads the account, and take over when it does not any more.
    pub standby: bool,
}

impl TradeOptions {
    /// The same options on the market of an earlier start in the same folder, where they do not name another one.
    ///
    /// Errors: other symbols than the run has; its account may hold legs of them.
    pub fn continuing(mut self, plan: &Plan) -> Result<Self, TradeError> {
        if self.seed.is_none() && self.data.is_none() {
            self.seed = plan.seed;
            self.data.clone_from(&plan.data);
        }
        if let Some(asked) = &self.symbols
            && sorted(asked) != sorted(&plan.symbols)
        {
            return Err(TradeError::Usage(format!(
                "the run in --state-dir trades {}, not {}; leave --symbols out, or choose another --state-dir",
                list(&plan.symbols),
                list(asked)
            )));
        }
        self.symbols = Some(plan.symbols.clone());
        self.history.get_or_insert(plan.history);
        Ok(self)
    }
}

fn sorted(symbols: &[Symbol]) -> BTreeSet<Symbol> {
    symbols.iter().copied().collect()
}

fn list(symbols: &[Symbol]) -> String {
    symbols.iter().map(Symbol::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(names: &[&str]) -> Vec<Symbol> {
        names.iter().map(|name| Symbol::parse(name).unwrap()).collect()
    }

    fn plan() -> Plan {
        Plan {
            from_ms: 0,
            bars: 10,
            finished: false,
            bar_ms: 900_000,
            seed: Some(7),
            data: None,
            symbols: symbols(&["BTCUSDT", "ETHUSDT"]),
            history: 500,
        }
    }

    #[test]
    fn a_run_goes_on_with_its_own_symbols_in_its_own_order() {
        let options =
            TradeOptions { symbols: Some(symbols(&["ETHUSDT", "BTCUSDT"])), ..TradeOptions::default() };
        let options = options.continuing(&plan()).unwrap();
        assert_eq!((options.symbols, options.seed), (Some(plan().symbols), Some(7)));
    }

    #[test]
    fn other_symbols_than_those_of_the_run_are_refused_by_name() {
        let options = TradeOptions { symbols: Some(symbols(&["BTCUSDT"])), ..TradeOptions::default() };
        let error = options.continuing(&plan()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("trades BTCUSDT, ETHUSDT, not BTCUSDT;"), "{error}");
    }
}
