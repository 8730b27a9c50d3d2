//! The engine that a process of a journal ran, made again from the configuration that it had.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use hedge_core::{Engine, RunStarted, Symbol};

use crate::{
    compose::{Pacing, compose_paced},
    config::{Config, KeptConfig, find_kept},
};

/// Where configurations are looked for: with the run, then what somebody has named.
#[derive(Debug, Default)]
pub struct Engines {
    state_dir: Option<PathBuf>,
    given: Option<Config>,
    /// By the hash that a run states; why it cannot be used, if so.
    found: RefCell<BTreeMap<String, Found>>,
}

/// A configuration and the pace of the run's clock, or why there is none.
type Found = Result<(Config, Pacing), String>;

impl Engines {
    /// Those that a state directory keeps.
    #[must_use]
    pub fn of_state_dir(dir: &Path) -> Self {
        Self { state_dir: Some(dir.to_owned()), ..Self::default() }
    }
    /// For runs whose own is not kept.
    #[must_use]
    pub fn or(self, given: Config) -> Self {
        Self { given: Some(given), ..self }
    }
    /// Adds one from elsewhere.
    pub fn add(&mut self, kept: &KeptConfig) {
        self.found.get_mut().insert(kept.stated_hash().to_owned(), kept.restore());
    }
    /// The engine that a process ran on these symbols.
    ///
    /// Errors: a sentence that says which configuration is missing and where it was looked for.
    pub fn fresh(&self, run: &RunStarted, symbols: &[Symbol]) -> Result<Engine, String> {
        let (config, pacing) = self.config(run)?;
        compose_paced(&config, symbols, pacing)
            .map(|composition| composition.engine)
            .map_err(|error| error.to_string())
    }
    /// The configuration that a process had.
    ///
    /// Errors: as [`fresh`](Self::fresh).
    pub fn config(&self, run: &RunStarted) -> Result<(Config, Pacing), String> {
        let mut found = self.found.borrow_mut();
        found.entry(run.config_hash.clone()).or_insert_with(|| self.look(&run.config_hash)).clone()
    }

    fn look(&self, hash: &str) -> Found {
        let kept = self.state_dir.as_deref().map_or(Ok(None), |dir| find_kept(dir, hash));
        if let Ok(Some(kept)) = &kept {
            return kept.restore();
        }
        let short = |hash: &str| hash.get(..12).unwrap_or(hash).to_owned();
        match (kept, &self.given) {
            (_, Some(given)) if given.hash() == hash => Ok((given.clone(), Pacing::WALL)),
            (Err(why), _) => Err(why),
            (Ok(_), Some(given)) => Err(format!(
                "the run had configuration {}, this one is {}, and the run keeps none of its own; name the one it had with --config",
                short(hash),
                short(&given.hash())
            )),
            (Ok(_), None) => Err(format!("the configuration {} is not there", short(hash))),
        }
    }
}
