//! Why a run on mainnet opens nothing: nobody has consented, or to something else.

use std::path::Path;

use hedge_core::{Environment, Timestamp, VenueFingerprint};

use crate::consent;

/// The reason, or `None` when this account may be traded with this configuration. A host on this machine needs no consent.
///
/// A consent that cannot be read is none: the run comes back to its legs all the same, and opens nothing.
pub(crate) fn hold(
    state_dir: &Path,
    account: &VenueFingerprint,
    config_hash: &str,
    now: Timestamp,
) -> Option<String> {
    match account.environment {
        Environment::Loopback => None,
        _ => match consent::load(state_dir) {
            Ok(Some(consent)) => {
                consent::fits(&consent, account, config_hash, now).err().map(|misfit| misfit.to_string())
            }
            Ok(None) => Some(format!("no consent for {account}; run hedgectl arm")),
            Err(error) => Some(error.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use hedge_core::{OperatorConsent, Venue};

    use super::*;

    const NOON: Timestamp = Timestamp::from_ms(1_795_168_800_000);

    fn account(environment: Environment) -> VenueFingerprint {
        let (host, key_digest) = ("https://fapi.binance.com".to_owned(), "abcd".to_owned());
        VenueFingerprint { venue: Venue::Binance, environment, host, key_digest }
    }

    #[test]
    fn mainnet_opens_with_a_fitting_consent_only_and_this_machine_needs_none() {
        let dir = std::env::temp_dir().join(format!("hedge-hold-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let on = |environment| hold(&dir, &account(environment), "hash", NOON);
        assert_eq!(on(Environment::Loopback), None);
        let text = on(Environment::Mainnet).unwrap();
        assert!(text.starts_with("no consent for ") && text.contains("hedgectl arm"), "{text}");

        let consent = OperatorConsent {
            fingerprint: account(Environment::Mainnet),
            config_hash: "hash".to_owned(),
            operator: "ann".to_owned(),
            given_at: NOON,
            expires_at: NOON.plus(std::time::Duration::from_secs(60)),
        };
        let path = consent::save(&dir, &consent).unwrap();
        assert_eq!(on(Environment::Mainnet), None, "the consent fits");
        let other = hold(&dir, &account(Environment::Mainnet), "another hash", NOON);
        assert!(other.is_some(), "another configuration");
        let later = NOON.plus(std::time::Duration::from_secs(61));
        assert!(hold(&dir, &account(Environment::Mainnet), "hash", later).is_some(), "it has ended");
        fs::write(path, "{").unwrap();
        assert!(on(Environment::Mainnet).unwrap().contains("consent"));
        fs::remove_dir_all(&dir).unwrap();
    }
}
