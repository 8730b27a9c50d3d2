//! What the command line says about a paper run.

use std::path::PathBuf;

use hedge_core::Symbol;

use crate::{config::Speed, runs::Plan};

/// Everything that the command line may change; what is absent comes from the configuration.
#[derive(Clone, Debug, Default)]
pub struct PaperOptions {
    /// Bars per symbol to play.
    pub bars: Option<u64>,
    /// Run until stopped, in real time unless a speed is given.
    pub follow: bool,
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
}

impl PaperOptions {
    /// The same options on the market of an earlier start in the same folder, where they do not name another one.
    #[must_use]
    pub fn continuing(mut self, plan: &Plan) -> Self {
        if self.seed.is_none() && self.data.is_none() {
            self.seed = plan.seed;
            self.data.clone_from(&plan.data);
        }
        self.symbols.get_or_insert_with(|| plan.symbols.clone());
        self.history.get_or_insert(plan.history);
        self
    }
}
