//! Why a run on mainnet opens nothing.

use std::path::Path;

use hedge_core::{Environment, Timestamp, VenueFingerprint};

use crate::consent::{self, ConsentError};

/// As long as this says something, no run on mainnet opens anything, whatever a person consents to.
const NO_OPENINGS: Option<&str> =
    Some("mainnet opens nothing in this version: the proof of safety is not complete");

/// The reasons, or `None` when this account may be traded with this configuration. A host on this machine needs no consent.
///
/// Errors: a consent file that cannot be read. Nothing is guessed about what a person wanted.
pub(crate) fn hold(
    state_dir: &Path,
    account: &VenueFingerprint,
    config_hash: &str,
    now: Timestamp,
) -> Result<Option<String>, ConsentError> {
    let consent = match (account.environment, consent::load(state_dir)?) {
        (Environment::Loopback, _) => None,
        (_, None) => Some(format!("no consent for {account}; run hedgectl arm")),
        (_, Some(consent)) => {
            consent::fits(&consent, account, config_hash, now).err().map(|misfit| misfit.to_string())
        }
    };
    let reasons: Vec<String> = NO_OPENINGS.map(str::to_owned).into_iter().chain(consent).collect();
    Ok((!reasons.is_empty()).then(|| reasons.join("; ")))
}
