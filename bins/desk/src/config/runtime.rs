//! `runtime.toml` as types: how the process runs, not what it trades.

use std::{fmt, path::PathBuf, time::Duration};

use hedge_core::{Bps, Decimal, EngineConfig, ForeignOrders};
use hedge_store::{Durability, FileOptions};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    fence::FenceSection,
    protect::{DeadmanSection, StopsSection},
};

/// The whole file. Keys, units, ranges, defaults and reasons are in [`RUNTIME_KEYS`](super::RUNTIME_KEYS).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "sections are named after what they configure")]
pub struct RuntimeConfig {
    pub binance: BinanceSection,
    pub engine: EngineSection,
    pub stops: StopsSection,
    pub deadman: DeadmanSection,
    pub journal: JournalSection,
    pub store: StoreSection,
    // Left out at its defaults, so that configurations of before have the hash that they had.
    #[serde(default, skip_serializing_if = "FenceSection::is_default")]
    pub fence: FenceSection,
    pub reconcile: ReconcileSection,
    pub history: HistorySection,
    pub views: ViewsSection,
    pub log: LogSection,
    pub preflight: PreflightSection,
    pub foreign: ForeignSection,
    pub telegram: TelegramSection,
    pub heartbeat: HeartbeatSection,
    pub paper: PaperSection,
}

/// How the venue is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct BinanceSection {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ws_url: Option<String>,
    pub recv_window_ms: u32,
    pub timeout_ms: u64,
    // Left out at its default, so that configurations of before have the hash that they had.
    #[serde(default, skip_serializing_if = "OrderPath::is_rest")]
    pub order_path: OrderPath,
}

/// How orders travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderPath {
    /// One HTTP exchange each.
    #[default]
    Rest,
    /// The open connection of the WebSocket API.
    WsApi,
}

impl OrderPath {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    const fn is_rest(&self) -> bool {
        matches!(self, Self::Rest)
    }
}

impl BinanceSection {
    /// Whether the venue is told to be on this machine.
    pub fn is_on_this_machine(&self) -> bool {
        self.rest_url.as_deref().is_some_and(super::runtime_load::is_on_this_machine)
    }
}

/// Where the engine's rules leave a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct EngineSection {
    pub protect_within_ms: u64,
    pub mute_s: u64,
    pub approval_ttl_ms: u64,
    pub adopt_stop_bps: u32,
    pub unknown_alert_s: u64,
}

/// How the journal is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct JournalSection {
    #[serde(with = "durability")]
    pub durability: Durability,
    pub segment_mb: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retention_days: u64,
    pub min_free_mb: u64,
}

/// Who else gets what the journal gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct StoreSection {
    pub ledger: bool,
    pub mirror: MirrorKind,
    pub flush_s: u64,
    pub firestore: FirestoreSection,
}

/// Where in Firestore, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct FirestoreSection {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    pub database: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    pub view_seconds: u64,
}

/// Where journal and views are mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MirrorKind {
    /// Nowhere.
    None,
    /// In Google's Firestore.
    Firestore,
}

/// How often book and venue are compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct ReconcileSection {
    pub interval_s: u64,
}

/// How much past is read before the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct HistorySection {
    pub bars: usize,
}

/// How often views are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct ViewsSection {
    pub interval_ms: u64,
}

/// What is logged, and in which form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct LogSection {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    pub format: LogFormat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// With the tags that operators grep.
    Text,
    /// The same fields as JSON.
    Json,
}

/// What is accepted before the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct PreflightSection {
    pub accept_withdraw: bool,
    pub max_clock_skew_ms: u64,
}

/// What is done about positions and orders that somebody else opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct ForeignSection {
    pub positions: Strangers,
    pub orders: Strangers,
}

/// How something is treated that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strangers {
    /// Taken over.
    Adopt,
    /// Named and left alone.
    Leave,
}

/// Where messages to people go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct TelegramSection {
    pub base_url: String,
}

/// How heartbeats are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct HeartbeatSection {
    pub zone: String,
}

/// The paper profile's market and account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct PaperSection {
    pub balance_usdt: Decimal,
    pub seed: u64,
    pub speed: Speed,
    pub bars: usize,
}

/// How fast an embedded exchange's clock runs. Much faster than a thousandfold, requests are older than their window when
/// they arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// Bar after bar, in lockstep with the engine.
    Max,
    /// So many times as fast as wall time.
    Times(Decimal),
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Times(times) => times.fmt(f),
        }
    }
}

impl std::str::FromStr for Speed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        Decimal::from_str_exact(text)
            .ok()
            .filter(|times| *times >= Decimal::new(1, 2) && *times <= Decimal::from(1_000))
            .map(|times| Self::Times(times.normalize()))
            .ok_or_else(|| format!("speed {text:?} is not usable: expected a number, 0.01 to 1000, or max"))
    }
}

impl Serialize for Speed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Speed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Text(String),
        }
        let text = match Form::deserialize(deserializer)? {
            Form::Number(number) => number.to_string(),
            Form::Text(text) => text,
        };
        text.parse().map_err(de::Error::custom)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

mod durability {
    use super::{Deserialize, Deserializer, Durability, Serializer, de};

    pub(super) fn serialize<S: Serializer>(value: &Durability, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match value {
            Durability::Fsync => "fsync",
            Durability::Os => "os",
        })
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Durability, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "fsync" => Ok(Durability::Fsync),
            "os" => Ok(Durability::Os),
            other => Err(de::Error::unknown_variant(other, &["fsync", "os"])),
        }
    }
}

impl RuntimeConfig {
    /// The engine's part, with the slippage that the risk limits allow.
    pub fn engine(&self, max_slippage: Bps) -> EngineConfig {
        let adopt = match self.foreign.positions {
            Strangers::Adopt => self.engine.adopt_stop_bps,
            Strangers::Leave => 0,
        };
        EngineConfig {
            max_slippage,
            protect_within: Duration::from_millis(self.engine.protect_within_ms),
            mute_for: Duration::from_secs(self.engine.mute_s),
            approval_ttl: Duration::from_millis(self.engine.approval_ttl_ms),
            adopt_stop: (adopt > 0).then(|| Bps::new(Decimal::from(adopt)).ok()).flatten(),
            foreign_orders: match self.foreign.orders {
                Strangers::Leave => ForeignOrders::Leave,
                Strangers::Adopt => ForeignOrders::Adopt,
            },
            validator: self.stops.validator(),
            unknown_alert_after: Duration::from_secs(self.engine.unknown_alert_s),
            entries_vanish_after: self.deadman.entries_vanish_after(),
            ..EngineConfig::default()
        }
    }
    /// The file store's part.
    pub const fn file_options(&self) -> FileOptions {
        FileOptions {
            durability: self.journal.durability,
            segment_bytes: self.journal.segment_mb * 1024 * 1024,
        }
    }
}
