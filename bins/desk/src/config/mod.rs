//! What operators write, read once and turned into types.
//!
//! Four files in one folder (`pairs_universe.json`, `strategy_config.json`, `risk_limits.json`, `runtime.toml`), then
//! variables `HEDGE__SECTION__KEY` over `runtime.toml`. Nothing below this layer reads a file or a variable. Whatever cannot
//! be used is refused with one line each: where, which key, what was found, what is expected.

mod calendar;
mod check;
mod describe;
mod fence;
mod files;
mod json;
mod kept;
mod load;
mod mode;
mod outline;
mod problem;
mod profile;
mod protect;
mod reference;
mod runtime;
mod runtime_keys;
mod runtime_load;
mod salvage;
mod stop_variables;
mod toml_lines;

pub use describe::{explain, show};
pub use fence::{FenceSection, LeaseKind};
pub use files::FileKind;
pub(crate) use files::{Source, find, strangers};
pub use kept::{KEPT_FOLDER, KeptConfig, find_kept, keep};
pub use load::{Config, check};
pub use mode::{Mode, ModeError, resolve};
pub(crate) use problem::distance;
pub use problem::{ConfigError, Problem, nearest};
pub use profile::Profile;
pub use protect::{Countdown, DeadmanSection, Probed, StopsSection};
pub use reference::reference;
pub use runtime::{
    BinanceSection, EngineSection, FirestoreSection, ForeignSection, HeartbeatSection, HistorySection,
    JournalSection, LogFormat, LogSection, MirrorKind, OrderPath, PaperSection, PreflightSection,
    ReconcileSection, RuntimeConfig, Speed, StoreSection, Strangers, TelegramSection, ViewsSection,
};
pub use runtime_keys::{Kind, RUNTIME_KEYS, RuntimeKey, whole_range};

#[cfg(test)]
mod tests;
