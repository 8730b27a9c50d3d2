//! Every key of `runtime.toml`, explained once: checks, documentation and `config explain` read this table.

use figment::value::{Dict, Value};
use hedge_core::Decimal;

use super::{calendar, runtime_load::put};

/// What a key accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Whole {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A decimal number.
    Number {
        /// Smallest, in thousandths.
        min_milli: i64,
        /// Largest, in thousandths.
        max_milli: i64,
        /// A word that is accepted too.
        or: Option<&'static str>,
    },
    /// One of some words.
    Word(&'static [&'static str]),
    /// A base URL with one of these schemes.
    Url(&'static [&'static str]),
    /// Yes or no.
    YesOrNo,
    /// A zone of the IANA time zone database.
    Zone,
    /// A file.
    File,
    /// The id of something at a provider.
    Id,
}

impl Kind {
    /// What is accepted, in words.
    pub fn range(&self) -> String {
        match self {
            Self::Whole { min, max } => format!("a whole number, {min} to {max}"),
            Self::Number { min_milli, max_milli, or } => {
                let (min, max) = (Decimal::new(*min_milli, 3), Decimal::new(*max_milli, 3));
                let or = or.map(|word| format!(", or \"{word}\"")).unwrap_or_default();
                format!("a number, {} to {}{or}", min.normalize(), max.normalize())
            }
            Self::Word(words) => words.join(", "),
            Self::Url(schemes) => format!("a base URL, {}", schemes.join(" or ")),
            Self::YesOrNo => "true or false".to_owned(),
            Self::Zone => "a zone name such as UTC or Africa/Johannesburg".to_owned(),
            Self::File => "the path of a file".to_owned(),
            Self::Id => "letters, digits and - _ . : ( ), at most 100".to_owned(),
        }
    }

    /// Whether a value is accepted.
    pub(crate) fn accepts(&self, value: &Value) -> bool {
        match self {
            Self::Whole { min, max } => {
                value.to_i128().is_some_and(|n| (i128::from(*min)..=i128::from(*max)).contains(&n))
            }
            Self::Number { min_milli, max_milli, or } => {
                let within =
                    |n: Decimal| n >= Decimal::new(*min_milli, 3) && n <= Decimal::new(*max_milli, 3);
                number(value).is_some_and(within) || (or.is_some() && value.as_str() == *or)
            }
            Self::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Url(schemes) => value.as_str().is_some_and(|url| {
                schemes.iter().any(|scheme| {
                    url.strip_prefix(scheme).is_some_and(|rest| {
                        !rest.trim_end_matches('/').is_empty() && !rest.contains([' ', '@', '?', '#'])
                    })
                })
            }),
            Self::YesOrNo => value.to_bool().is_some(),
            Self::Zone => value.as_str().is_some_and(calendar::is_zone),
            Self::File => value.as_str().is_some_and(|path| !path.trim().is_empty() && !path.contains('\0')),
            Self::Id => value.as_str().is_some_and(|id| {
                (1..=100).contains(&id.len())
                    && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:()".contains(&b))
            }),
        }
    }

    /// A variable's text as a value of this kind; still to be [accepted](Self::accepts).
    pub(crate) fn read(&self, text: &str) -> Value {
        match self {
            Self::Word(_) | Self::Url(_) | Self::Zone | Self::File | Self::Id => Value::from(text),
            Self::YesOrNo => text.parse::<bool>().map_or_else(|_| Value::from(text), Value::from),
            Self::Whole { .. } => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
            Self::Number { .. } => {
                let whole = text.parse::<i64>().map(Value::from);
                whole.or_else(|_| text.parse::<f64>().map(Value::from)).unwrap_or_else(|_| Value::from(text))
            }
        }
    }
}

/// A number of a file as a decimal: what the shortest text of it says.
fn number(value: &Value) -> Option<Decimal> {
    match (value.to_i128(), value.to_f64()) {
        (Some(whole), _) => Decimal::try_from_i128_with_scale(whole, 0).ok(),
        (None, Some(float)) => Decimal::from_str_exact(&float.to_string()).ok(),
        (None, None) => None,
    }
}

/// One key of `runtime.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeKey {
    /// `section.key`.
    pub path: &'static str,
    /// What is accepted.
    pub kind: Kind,
    /// What it is measured in.
    pub unit: &'static str,
    /// What holds when it is absent, as text; empty for nothing.
    pub default: &'static str,
    /// What it does, and why one would change it.
    pub why: &'static str,
}

impl RuntimeKey {
    /// The variable that overrides it.
    pub fn variable(&self) -> String {
        format!("HEDGE__{}", self.path.replace('.', "__").to_uppercase())
    }
    /// Section and key. A section may stand in another one: `store.firestore`.
    pub(crate) fn split(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }
}

const fn key(
    path: &'static str,
    kind: Kind,
    unit: &'static str,
    default: &'static str,
    why: &'static str,
) -> RuntimeKey {
    RuntimeKey { path, kind, unit, default, why }
}

const fn whole(min: i64, max: i64) -> Kind {
    Kind::Whole { min, max }
}

/// All keys, in the order of the shipped file.
pub const RUNTIME_KEYS: &[RuntimeKey] = &[
    key(
        "binance.rest_url",
        Kind::Url(&["https://", "http://"]),
        "base URL",
        "",
        "Another REST base than the venue's own, for example a simulated exchange. Give ws_url too.",
    ),
    key(
        "binance.ws_url",
        Kind::Url(&["wss://", "ws://"]),
        "base URL",
        "",
        "Another WebSocket base; the client appends the routes. Give rest_url too.",
    ),
    key(
        "binance.recv_window_ms",
        whole(2_000, 5_000),
        "ms",
        "3000",
        "How long the venue may still accept a request after its timestamp. Shorter settles unknown outcomes sooner; longer forgives a slow line.",
    ),
    key(
        "binance.timeout_ms",
        whole(1_000, 60_000),
        "ms",
        "10000",
        "How long an HTTP request may take. After it the outcome of an order counts as unknown and is asked about.",
    ),
    key(
        "binance.order_path",
        Kind::Word(&["rest", "ws-api"]),
        "word",
        "rest",
        "How orders, changes and cancels travel: one HTTP exchange each, or on one open connection of the WebSocket API, which an Ed25519 key logs on once. Questions, batches, settings and a panic close go by REST in any case; a close, a stop or a cancel does when the connection did not take it.",
    ),
    key(
        "engine.protect_within_ms",
        whole(500, 60_000),
        "ms",
        "3000",
        "How long a leg may be open without a confirmed stop before it is closed at the market.",
    ),
    key(
        "engine.mute_s",
        whole(0, 86_400),
        "s",
        "900",
        "How long a symbol opens nothing after its protection failed, or after the venue refused an opening for what this program sends or its key.",
    ),
    key(
        "engine.approval_ttl_ms",
        whole(200, 30_000),
        "ms",
        "2000",
        "How long an approved opening may wait before it is sent; later its price is stale and it is dropped.",
    ),
    key(
        "engine.adopt_stop_bps",
        whole(0, 5_000),
        "bps of mark",
        "500",
        "Where a stop is placed on a position that somebody else opened, with foreign.positions = adopt. 0 means the same as leave.",
    ),
    key(
        "engine.unknown_alert_s",
        whole(1, 3_600),
        "s",
        "30",
        "How long an order may be of unknown outcome before a person is told once more. That it became so is said at once.",
    ),
    key(
        "stops.validator",
        Kind::YesOrNo,
        "yes or no",
        "true",
        "Whether every open leg's stop and take-profits are looked at again and again. Off, nothing is counted or repaired; a leg without a confirmed stop is closed after engine.protect_within_ms all the same. STOP_VALIDATOR_ENABLED=0 switches it off too.",
    ),
    key(
        "stops.repair",
        Kind::YesOrNo,
        "yes or no",
        "true",
        "Whether a stop that is missing is placed again before the leg has to be closed. STOP_VALIDATOR_REPAIR=0 switches it off too.",
    ),
    key(
        "stops.repair_tp",
        Kind::YesOrNo,
        "yes or no",
        "true",
        "Whether a take-profit that is gone without having fired is placed again. STOP_VALIDATOR_REPAIR_TP=0 switches it off too.",
    ),
    key(
        "stops.grace_ms",
        whole(100, 60_000),
        "ms",
        "1000",
        "How long a stop may be missing before that counts and is repaired. From engine.protect_within_ms on the leg is closed instead. STOP_VALIDATOR_GRACE_SEC sets it too, in seconds.",
    ),
    key(
        "stops.interval_ms",
        whole(100, 60_000),
        "ms",
        "1000",
        "The least time between two attempts to repair the same thing. STOP_VALIDATOR_INTERVAL_SEC sets it too, in seconds.",
    ),
    key(
        "deadman.gtd_s",
        whole(0, 2_592_000),
        "s",
        "3600",
        "How long an entry may rest at the venue: it carries its end, so that it vanishes also when nobody is left to cancel it. At least 660, for the venue wants more than 600; 0 lets it rest for as long as its strategy says. A post-only order cannot carry an end.",
    ),
    key(
        "deadman.binance",
        Kind::Word(&["off", "armed"]),
        "word",
        "off",
        "Whether the venue's countdown cancels a symbol's open orders when it is not renewed. armed: while one of our entries rests there, no plain order of ours closes anything, and no plain order of anybody else rests. Not without deadman.probe, and not in a run bar after bar.",
    ),
    key(
        "deadman.probe",
        Kind::Word(&["unknown", "plain_only", "override"]),
        "word",
        "unknown",
        "What hedgectl probe deadman has said about the countdown: plain_only when it spares stops. Nothing is armed while it is unknown. override arms it all the same: a process that dies may then take the stops of open legs with it.",
    ),
    key(
        "deadman.countdown_s",
        whole(10, 3_600),
        "s",
        "120",
        "How long that countdown runs. It is renewed three times within it.",
    ),
    key(
        "journal.durability",
        Kind::Word(&["fsync", "os"]),
        "word",
        "fsync",
        "fsync survives a power cut; os survives kill -9 only and saves some milliseconds an order.",
    ),
    key(
        "journal.segment_mb",
        whole(1, 1_024),
        "MB",
        "64",
        "Size from which on a journal file is followed by a new one.",
    ),
    key(
        "journal.retention_days",
        whole(0, 36_500),
        "days",
        "0",
        "How long journal files are kept as plain text; older ones are packed with gzip, to about a tenth, and stay readable. 0 packs none. Nothing is deleted: what the engine knows is the sum of all records.",
    ),
    key(
        "journal.min_free_mb",
        whole(16, 1_000_000),
        "MB",
        "256",
        "With less free space on the disk the engine opens nothing more, while it can still write down its exits.",
    ),
    key(
        "store.ledger",
        Kind::YesOrNo,
        "yes or no",
        "false",
        "Whether the journal is also kept as tables in ledger.sqlite, for hedgectl ledger. Written behind, at most once a second.",
    ),
    key(
        "store.mirror",
        Kind::Word(&["none", "firestore"]),
        "word",
        "none",
        "Where journal and views are mirrored. Trading never waits for the mirror; after an outage it is caught up with.",
    ),
    key(
        "store.flush_s",
        whole(0, 300),
        "s",
        "5",
        "How long a stop waits for the ledger and the mirror to get the last records. What is missing then is shipped by the next start.",
    ),
    key(
        "store.firestore.project",
        Kind::Id,
        "project id",
        "",
        "The Google Cloud project with the database. A service account's key file names it too.",
    ),
    key(
        "store.firestore.database",
        Kind::Id,
        "name",
        "(default)",
        "Which database of the project is written to.",
    ),
    key(
        "store.firestore.env",
        Kind::Id,
        "name",
        "",
        "The document below hedge/ that everything is written to; without it the variable ENV, else prod for mainnet and the profile's name otherwise.",
    ),
    key(
        "store.firestore.base_url",
        Kind::Url(&["https://", "http://"]),
        "base URL up to /v1",
        "",
        "Another address than Google's own, for a proxy or a test. Plain http only to this machine.",
    ),
    key(
        "store.firestore.view_seconds",
        whole(1, 3_600),
        "s",
        "60",
        "Shortest distance of two writes of one view. Shorter is fresher and uses up the day's free writes sooner.",
    ),
    key(
        "fence.lease",
        Kind::Word(&["local", "firestore"]),
        "word",
        "local",
        "What a process must hold to open positions: the lock of its state directory, or also a lease in Firestore, so that a process on another host cannot trade the account at the same time. docs/reliability.md says what that keeps and what it cannot.",
    ),
    key(
        "fence.ttl_s",
        whole(3, 300),
        "s",
        "30",
        "How long the lease in Firestore lasts without renewal. After a crash of the host another one waits for it; shorter is back sooner and survives shorter outages of the store. A third of what the margin leaves is the time between two renewals, each a write.",
    ),
    key(
        "fence.margin_ms",
        whole(3_000, 120_000),
        "ms",
        "15000",
        "How long before its end the holder of the lease opens nothing more. More than binance.recv_window_ms and binance.timeout_ms together.",
    ),
    key(
        "fence.required",
        Kind::YesOrNo,
        "yes or no",
        "false",
        "Whether the start is refused when the lease's store does not answer. Otherwise a state directory that never led under a lease trades on its lock alone, any other one only closes and protects, and says so. Set it where two hosts may start.",
    ),
    key(
        "fence.account",
        Kind::Id,
        "name",
        "",
        "The lease's name, the same on every host that may trade the account, and another one for another account; binance- and the profile's name without it.",
    ),
    key(
        "reconcile.interval_s",
        whole(5, 3_600),
        "s",
        "60",
        "How often the whole account is read and compared with the book. Each read costs request weight. At speed max every 24 bars at most.",
    ),
    key(
        "history.bars",
        whole(50, 1_500),
        "bars",
        "500",
        "Bars before the start that warm up indicators, for each symbol and bar length; more where a strategy needs more.",
    ),
    key(
        "views.interval_ms",
        whole(100, 60_000),
        "ms",
        "1000",
        "How often nav.json, positions.json and the other views are written at most.",
    ),
    key(
        "log.level",
        Kind::Word(&["error", "warn", "info", "debug", "trace"]),
        "word",
        "info",
        "The least important messages that are shown. LOG_LEVEL sets it too.",
    ),
    key(
        "log.format",
        Kind::Word(&["text", "json"]),
        "word",
        "text",
        "text keeps the tags that operators grep; json carries the same fields. --log sets it too.",
    ),
    key(
        "log.file",
        Kind::File,
        "path",
        "",
        "Where the executor's lines go instead of stdout. SIGHUP opens it anew, after a rotation; without a file it changes nothing.",
    ),
    key(
        "preflight.accept_withdraw",
        Kind::YesOrNo,
        "yes or no",
        "false",
        "Whether mainnet may start although the account reports that withdrawals are possible. The report speaks of the account; forbid withdrawals for the key at the venue first.",
    ),
    key(
        "preflight.max_clock_skew_ms",
        whole(50, 5_000),
        "ms",
        "500",
        "How far this machine's clock may differ from the venue's at the start. Requests of a clock further off are refused.",
    ),
    key(
        "foreign.positions",
        Kind::Word(&["adopt", "leave"]),
        "word",
        "adopt",
        "Positions that somebody else opened: adopt gives each a stop at engine.adopt_stop_bps, leave names them and touches nothing. Without any stop over the whole leg the start is refused then.",
    ),
    key(
        "foreign.orders",
        Kind::Word(&["leave", "adopt"]),
        "word",
        "leave",
        "Orders that somebody else placed: leave names them and touches nothing; adopt counts their openings as exposure, and a flatten cancels them. Otherwise they are never cancelled, and a stop over a whole leg is never touched.",
    ),
    key(
        "telegram.base_url",
        Kind::Url(&["https://", "http://"]),
        "base URL",
        "https://api.telegram.org",
        "Where heartbeats are sent to. Without TLS only an address on this machine is possible, for tests: the token stands in the path.",
    ),
    key(
        "heartbeat.zone",
        Kind::Zone,
        "zone name",
        "UTC",
        "Zone of the times in a heartbeat. HEARTBEAT_TZ sets it too.",
    ),
    key(
        "paper.balance_usdt",
        Kind::Number { min_milli: 10_000, max_milli: 100_000_000_000, or: None },
        "USDT",
        "10000",
        "What the paper account starts with.",
    ),
    key(
        "paper.seed",
        whole(0, i64::MAX),
        "number",
        "42",
        "Which generated market is traded; the same seed gives the same market.",
    ),
    key(
        "paper.speed",
        Kind::Number { min_milli: 10, max_milli: 1_000_000, or: Some("max") },
        "times wall time",
        "max",
        "How fast the embedded exchange's clock runs; max plays bar after bar as fast as the engine decides. Beyond a thousandfold, requests would be too old when they arrive.",
    ),
    key(
        "paper.bars",
        whole(1, 1_000_000),
        "15m bars a symbol",
        "2000",
        "How long a paper run lasts. --bars sets it too.",
    ),
];

/// Smallest and largest value of a whole-number key; for flags that set the same thing.
pub fn whole_range(path: &str) -> Option<std::ops::RangeInclusive<i64>> {
    match find(path)?.kind {
        Kind::Whole { min, max } => Some(min..=max),
        _ => None,
    }
}

/// The key of that path.
pub(crate) fn find(path: &str) -> Option<&'static RuntimeKey> {
    RUNTIME_KEYS.iter().find(|key| key.path == path)
}

/// The defaults as the lowest layer of the configuration.
pub(crate) fn defaults() -> Dict {
    let mut sections = Dict::new();
    for key in RUNTIME_KEYS {
        let (section, _) = key.split();
        // A section without any default is there too.
        if !sections.contains_key(section) && !section.contains('.') {
            sections.insert(section.to_owned(), Value::from(Dict::new()));
        }
        if !key.default.is_empty() {
            put(&mut sections, key.path, key.kind.read(key.default));
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_accepted_and_every_key_has_a_reason() {
        for key in RUNTIME_KEYS {
            assert!(key.default.is_empty() || key.kind.accepts(&key.kind.read(key.default)), "{}", key.path);
            assert!(key.why.len() > 20, "{}", key.path);
            assert!(key.path.split_once('.').is_some(), "{}", key.path);
        }
    }

    #[test]
    fn the_variable_of_a_key_is_its_path_in_capitals() {
        assert_eq!(find("binance.rest_url").unwrap().variable(), "HEDGE__BINANCE__REST_URL");
    }

    #[test]
    fn a_number_is_accepted_at_its_bounds_and_not_beyond() {
        let kind = Kind::Number { min_milli: 10, max_milli: 2_000, or: Some("max") };
        for (text, accepted) in [
            ("0.01", true),
            ("0.009", false),
            ("2", true),
            ("2.001", false),
            ("max", true),
            ("maximum", false),
        ] {
            assert_eq!(kind.accepts(&kind.read(text)), accepted, "{text}");
        }
        assert!(!kind.accepts(&Value::from(f64::NAN)));
        assert_eq!(kind.range(), "a number, 0.01 to 2, or \"max\"");
    }
}
