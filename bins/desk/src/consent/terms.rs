//! What a consent is given for, and whether it still fits.

use std::{fmt, str::FromStr, time::Duration};

use hedge_core::{OperatorConsent, Timestamp, VenueFingerprint};
use thiserror::Error;

/// How long a consent lasts when nothing is said. Units: days.
pub const DEFAULT_DAYS: u32 = 7;
/// How long a consent lasts at most. Units: days.
pub const MAX_DAYS: u32 = 30;
const DAY: Duration = Duration::from_secs(86_400);
/// Clocks are set now and then: a consent from this much ahead is still one of the past.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);
/// How much of the key digest a person types.
const TYPED_DIGITS: usize = 8;

/// How many days a consent lasts: 1 to [`MAX_DAYS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u32);

impl Days {
    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for Days {
    fn default() -> Self {
        Self(DEFAULT_DAYS)
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Days {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let within = |days: &u32| (1..=MAX_DAYS).contains(days);
        text.parse().ok().filter(within).map(Self).ok_or_else(|| format!("expected 1 to {MAX_DAYS} days"))
    }
}

/// Why a consent does not count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Misfit {
    /// Another account, host or key.
    #[error("the consent was given for {given}, not for {wanted}; run hedgectl arm")]
    Account {
        /// For which.
        given: Box<VenueFingerprint>,
        /// Which one is meant.
        wanted: Box<VenueFingerprint>,
    },
    /// The configuration is another one.
    #[error("the configuration has changed since the consent ({given}, now {found}); run hedgectl arm")]
    Configuration {
        /// Hash it was given for, shortened.
        given: String,
        /// Hash of today, shortened.
        found: String,
    },
    /// It is over.
    #[error("the consent ended at {at}; run hedgectl arm")]
    Over {
        /// When.
        at: Timestamp,
    },
    /// Its times are none that `hedgectl arm` writes.
    #[error("the consent's times cannot be right (given {given_at}, ends {expires_at}); run hedgectl arm")]
    Times {
        /// When it says it was given.
        given_at: Timestamp,
        /// When it says it ends.
        expires_at: Timestamp,
    },
}

/// Whether a consent is for that account and that configuration, and not over. Errors: the first reason why not.
pub fn fits(
    consent: &OperatorConsent,
    account: &VenueFingerprint,
    config_hash: &str,
    now: Timestamp,
) -> Result<(), Misfit> {
    if consent.fingerprint != *account {
        let (given, wanted) = (Box::new(consent.fingerprint.clone()), Box::new(account.clone()));
        return Err(Misfit::Account { given, wanted });
    }
    if consent.config_hash != config_hash {
        let (given, found) = (short(&consent.config_hash), short(config_hash));
        return Err(Misfit::Configuration { given, found });
    }
    let OperatorConsent { given_at, expires_at, .. } = *consent;
    if now >= expires_at {
        return Err(Misfit::Over { at: expires_at });
    }
    if given_at > now.plus(CLOCK_TOLERANCE) || expires_at > given_at.plus(DAY * MAX_DAYS) {
        return Err(Misfit::Times { given_at, expires_at });
    }
    Ok(())
}

/// A consent from now on.
pub fn give(
    account: &VenueFingerprint,
    config_hash: &str,
    operator: &str,
    days: Days,
    now: Timestamp,
) -> OperatorConsent {
    // The file holds milliseconds.
    let now = Timestamp::from_ms(now.ms());
    OperatorConsent {
        fingerprint: account.clone(),
        config_hash: config_hash.to_owned(),
        operator: operator.to_owned(),
        given_at: now,
        expires_at: now.plus(DAY * days.get()),
    }
}

/// What a person types: it differs from account to account, so that nobody types it by habit.
pub fn phrase(account: &VenueFingerprint) -> String {
    let digits = account.key_digest.get(..TYPED_DIGITS).unwrap_or(&account.key_digest);
    format!("trade real money with {digits}")
}

fn short(hash: &str) -> String {
    hash.get(..12).unwrap_or(hash).to_owned()
}

#[cfg(test)]
mod tests {
    use hedge_core::{Environment, Venue};

    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_168_800_000);

    fn account() -> VenueFingerprint {
        VenueFingerprint {
            venue: Venue::Binance,
            environment: Environment::Mainnet,
            host: "https://fapi.binance.com".into(),
            key_digest: "0123456789abcdef".into(),
        }
    }

    fn given() -> OperatorConsent {
        give(&account(), "c0ffee", "ann", Days::default(), NOW)
    }

    #[test]
    fn a_consent_fits_its_account_and_configuration_for_a_week() {
        let last = NOW.plus(DAY * 7).minus(Duration::from_millis(1));
        assert_eq!(fits(&given(), &account(), "c0ffee", NOW), Ok(()));
        assert_eq!(fits(&given(), &account(), "c0ffee", last), Ok(()));
        let over = fits(&given(), &account(), "c0ffee", NOW.plus(DAY * 7)).unwrap_err();
        assert_eq!(over.to_string(), "the consent ended at 2026-11-27T10:00:00.000Z; run hedgectl arm");
    }

    #[test]
    fn another_key_host_environment_or_configuration_needs_a_new_one() {
        let others = [
            VenueFingerprint { key_digest: "beef".into(), ..account() },
            VenueFingerprint { host: "http://127.0.0.1:1".into(), ..account() },
            VenueFingerprint { environment: Environment::Testnet, ..account() },
        ];
        for other in others {
            let misfit = fits(&given(), &other, "c0ffee", NOW).unwrap_err();
            assert!(matches!(misfit, Misfit::Account { .. }), "{misfit}");
        }
        let misfit = fits(&given(), &account(), "changed", NOW).unwrap_err().to_string();
        assert_eq!(
            misfit,
            "the configuration has changed since the consent (c0ffee, now changed); run hedgectl arm"
        );
    }

    #[test]
    fn times_that_the_tool_never_writes_do_not_count() {
        let long = OperatorConsent { expires_at: NOW.plus(DAY * (MAX_DAYS + 1)), ..given() };
        let ahead = give(&account(), "c0ffee", "ann", Days::default(), NOW.plus(DAY));
        for consent in [long, ahead] {
            assert!(matches!(fits(&consent, &account(), "c0ffee", NOW), Err(Misfit::Times { .. })));
        }
    }

    #[test]
    fn days_are_one_to_thirty() {
        assert_eq!("30".parse::<Days>().map(Days::get), Ok(30));
        for text in ["0", "31", "-1", "x", ""] {
            assert_eq!(text.parse::<Days>(), Err("expected 1 to 30 days".to_owned()), "{text}");
        }
    }

    #[test]
    fn the_phrase_names_the_key() {
        assert_eq!(phrase(&account()), "trade real money with 01234567");
    }
}
