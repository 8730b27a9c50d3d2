//! What operators write, read once and turned into types.
//!
//! Four files in one folder (`pairs_universe.json`, `strategy_config.json`, `risk_limits.json`, `runtime.toml`), then
//! variables `HEDGE__SECTION__KEY` over `runtime.toml`. Nothing below this layer reads a file or a variable. Whatever cannot
//! be used is refused with one line each: where, which key, what was found, what is expected.

mod calendar;
mod check;
mod describe;
mod files;
mod json;
mod load;
mod outline;
mod problem;
mod profile;
mod runtime;
mod runtime_keys;
mod runtime_load;
mod toml_lines;

pub use describe::{explain, show};
pub use files::FileKind;
pub use load::{Config, check};
pub(crate) use problem::distance;
pub use problem::{ConfigError, Problem, nearest};
pub use profile::{Profile, audit};
pub use runtime::{
    BinanceSection, EngineSection, HistorySection, JournalSection, LogFormat, LogSection, PaperSection,
    ReconcileSection, RuntimeConfig, Speed, ViewsSection,
};
pub use runtime_keys::{Kind, RUNTIME_KEYS, RuntimeKey, whole_range};

#[cfg(test)]
mod tests;
