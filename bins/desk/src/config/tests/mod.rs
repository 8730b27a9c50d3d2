//! Every class of bad input gives one clear line; good input gives the effective configuration.

mod guards;
mod other_files;
mod runtime_file;
mod shipped;
mod told;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use hedge_core::{Decimal, ForeignOrders, Symbol};
use hedge_store::Durability;

use super::{runtime_load, *};
use crate::env::Env;

const UNIVERSE: &str = r#"{
  "symbols": ["BTCUSDT", "ETHUSDT"]
}"#;
const STRATEGIES: &str = r#"{
  "strategies": [
    {
      "name": "btc", "kind": "btc_breakout", "symbol": "BTCUSDT",
      "capital_per_trade": "500",
      "cooldown_bars": 5
    },
    {
      "name": "eth", "kind": "eth_momentum",
      "symbol": "ETHUSDT",
      "capital_per_trade": "400"
    }
  ]
}"#;
const LIMITS: &str = r#"{
  "KILL_DD_PCT": 9.0,
  "KILL_DAILY_LOSS_PCT": 4.0,
  "MAX_POSITIONS": 8,
  "DAILY_RESET_TZ": "UTC"
}"#;
const RUNTIME: &str = "[history]\nbars = 500\n";

/// A configuration folder that vanishes with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hedge-desk-config-{}-{count}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let folder = Self(path);
        for (kind, text) in FileKind::ALL.into_iter().zip([UNIVERSE, STRATEGIES, LIMITS, RUNTIME]) {
            folder.write(kind, text);
        }
        folder
    }
    fn write(&self, kind: FileKind, text: &str) {
        fs::write(self.0.join(kind.name()), text).unwrap();
    }
    fn edit(&self, kind: FileKind, from: &str, to: &str) {
        let text = fs::read_to_string(self.0.join(kind.name())).unwrap();
        assert!(text.contains(from), "{from} is not in {}", kind.name());
        self.write(kind, &text.replacen(from, to, 1));
    }
    /// The problems, with the folder's path taken off.
    fn problems(&self) -> Vec<String> {
        let error = Config::load(Some(&self.0), &Env::default()).unwrap_err();
        let prefix = format!("{}/", self.0.display());
        error.problems.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

fn load(env: &Env) -> Config {
    Config::load(Some(&shipped()), env).unwrap()
}

fn runtime(text: &str) -> Vec<String> {
    problems(text, &[])
}

fn problems(text: &str, env: &[(&str, &str)]) -> Vec<String> {
    let error = runtime_load::load("r.toml", text, &Env::from_pairs(env.iter().copied())).unwrap_err();
    error.problems.iter().map(ToString::to_string).collect()
}
