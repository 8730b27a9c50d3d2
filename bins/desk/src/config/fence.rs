//! `[fence]`: which of several processes may trade the account.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The account's lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "every key is explained in RUNTIME_KEYS")]
pub struct FenceSection {
    pub lease: LeaseKind,
    pub ttl_s: u64,
    pub margin_ms: u64,
    pub required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// What a process must hold to trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseKind {
    /// The lock of its state directory.
    Local,
    /// That, and a document in Firestore.
    Firestore,
}

impl Default for FenceSection {
    fn default() -> Self {
        Self { lease: LeaseKind::Local, ttl_s: 30, margin_ms: 15_000, required: false, account: None }
    }
}

impl FenceSection {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
    /// How long the lease lasts without renewal.
    pub const fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl_s)
    }
    /// How long before its end the holder stops.
    pub const fn margin(&self) -> Duration {
        Duration::from_millis(self.margin_ms)
    }
    /// What cannot work, given how long the venue accepts a request and how long one may take. With the key that it is about.
    pub(super) fn problem(&self, window_ms: u64, timeout_ms: u64) -> Option<(&'static str, String)> {
        let Self { lease, ttl_s, margin_ms, .. } = *self;
        if lease == LeaseKind::Local {
            return None;
        }
        let least_ms = window_ms + timeout_ms;
        if margin_ms <= least_ms {
            let text = format!(
                "fence.margin_ms = {margin_ms}: expected more than {least_ms} ms, which is binance.recv_window_ms ({window_ms}) \
                 and binance.timeout_ms ({timeout_ms}): a request that leaves at the last moment must be over before \
                 somebody else may lead"
            );
            return Some(("fence.margin_ms", text));
        }
        (ttl_s * 1_000 < margin_ms + 1_000).then(|| {
            let least_s = (margin_ms + 1_000).div_ceil(1_000);
            let text = format!(
                "fence.ttl_s = {ttl_s}: expected at least {least_s} s, a second more than fence.margin_ms ({margin_ms} ms): \
                 what is left of it is all that a holder may use"
            );
            ("fence.ttl_s", text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_that_a_late_request_outlives_is_refused_with_both_numbers() {
        let fence = FenceSection { lease: LeaseKind::Firestore, ..FenceSection::default() };
        assert_eq!(fence.problem(3_000, 10_000), None, "the defaults fit together");
        let (key, text) = fence.problem(5_000, 10_000).unwrap();
        assert!(key == "fence.margin_ms" && text.contains("expected more than 15000 ms"), "{text}");
        let short = FenceSection { ttl_s: 15, ..fence.clone() };
        let (key, text) = short.problem(3_000, 10_000).unwrap();
        assert!(key == "fence.ttl_s" && text.contains("at least 16 s"), "{text}");
        let local = FenceSection { lease: LeaseKind::Local, ..fence };
        assert_eq!(local.problem(5_000, 60_000), None, "a lock has no end");
    }
}
