//! The lease, as configured; nothing is asked for yet.

use std::{num::NonZeroU32, time::Duration};

use hedge_core::Term;
use hedge_runtime::lease::Beat;
use hedge_store::firestore::{Firestore, FirestoreConfig, FirestoreRetry, Lease, LeaseSettings};

use super::identity::Predecessor;
use crate::{
    config::LeaseKind,
    trade::{Setup, TradeError, firestore_config},
};

/// An answer that comes later is none; the next beat asks again.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Attempts of the first take; renewals are one attempt each.
const ATTEMPTS: u32 = 3;
/// Renewals in what a lease lasts without its margin.
const BEATS: u32 = 3;
/// Between two beats at most and at least after one that failed.
const LONGEST_RETRY: Duration = Duration::from_secs(1);

/// What must be held.
#[derive(Debug)]
pub(crate) enum LeasePlan {
    /// The lock of the state directory, and nothing else; why, where a lease is configured.
    Local(Option<&'static str>),
    /// Also a lease.
    Firestore(Box<FirestorePlan>),
}

/// Whose lease, and how it is kept.
#[derive(Debug)]
pub(crate) struct FirestorePlan {
    store: Firestore,
    pub(super) account: String,
    pub(super) ttl: Duration,
    pub(super) margin: Duration,
    pub(super) is_required: bool,
    pub(super) beat: Beat,
}

impl LeasePlan {
    /// Reads the configuration, before anything is created. Sends nothing.
    ///
    /// Errors: [`TradeError::Refused`] naming the key or variable.
    pub(crate) fn of(setup: &Setup<'_>, is_embedded: bool) -> Result<Self, TradeError> {
        let (fence, binance) = (&setup.config.runtime.fence, &setup.config.runtime.binance);
        if fence.lease == LeaseKind::Local {
            return Ok(Self::Local(None));
        }
        // Nobody's account is traded, and the lease is somebody's who trades one.
        if is_embedded {
            return Ok(Self::Local(Some("the exchange is this run's own")));
        }
        if setup.mode.is_dry() {
            return Ok(Self::Local(Some("a dry run sends no order")));
        }
        let refuse = |error: &dyn std::fmt::Display| TradeError::Refused(error.to_string());
        let retry = FirestoreRetry {
            attempts: NonZeroU32::new(ATTEMPTS).unwrap_or(NonZeroU32::MIN),
            base: Duration::from_millis(200),
            cap: Duration::from_secs(1),
            ..FirestoreRetry::default()
        };
        let config = FirestoreConfig { request_timeout: ANSWER_WITHIN, retry, ..firestore_config(setup)? };
        let store = Firestore::new(config).map_err(|error| refuse(&error))?;
        let used = fence.ttl().saturating_sub(fence.margin());
        let renew_every = used / BEATS;
        let window = Duration::from_millis(binance.recv_window_ms.into());
        let beat = Beat {
            renew_every,
            retry_every: (renew_every / 2).min(LONGEST_RETRY),
            first_opening_after: fence.ttl() + window,
        };
        let account = fence.account.clone().unwrap_or_else(|| format!("binance-{}", setup.mode.profile));
        let plan = FirestorePlan {
            store,
            account,
            ttl: fence.ttl(),
            margin: fence.margin(),
            is_required: fence.required,
            beat,
        };
        // What the store would say of it is said now.
        plan.lease("check", "check", None, Term(0)).map_err(|error| refuse(&error))?;
        Ok(Self::Firestore(Box::new(plan)))
    }
}

impl FirestorePlan {
    pub(super) fn lease(
        &self,
        holder: &str,
        boot_id: &str,
        predecessor: Option<Predecessor>,
        term_above: Term,
    ) -> Result<Lease, hedge_store::firestore::FirestoreConfigError> {
        self.store.lease(LeaseSettings {
            account: self.account.clone(),
            holder: holder.to_owned(),
            boot_id: boot_id.to_owned(),
            is_told_by_journal: predecessor.as_ref().is_none_or(|before| before.is_heeded),
            succeeds: predecessor.map(|before| before.boot_id),
            term_above,
            ttl: self.ttl,
            margin: self.margin,
        })
    }

    pub(super) fn describe(&self) -> String {
        format!("lease {} ({})", self.account, self.store.describe())
    }
}
