//! What must hold before money may move, and the proof that it did.
//!
//! ```compile_fail
//! fn forge() -> hedge_core::PreflightPass { hedge_core::PreflightPass { } }
//! ```
//! ```compile_fail
//! fn copy(pass: hedge_core::PreflightPass) { let _b = pass.clone(); }
//! ```

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    time::Timestamp,
    venue::{Environment, VenueFingerprint},
};

/// How long a pass may be used to arm a client.
const PASS_LIFETIME: Duration = Duration::from_secs(300);

/// What came of one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// As expected.
    Ok,
    /// Good enough to start, but a person should know.
    Warning,
    /// Not good enough to start.
    Failed,
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        })
    }
}

/// One thing that was looked at before the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreflightCheck {
    /// What was looked at.
    pub name: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
    /// Whether that is good enough to start.
    pub result: CheckResult,
    /// What to do when it is not.
    pub remedy: String,
}

impl PreflightCheck {
    /// Whether it is good enough to start; a warning is.
    pub fn passed(&self) -> bool {
        self.result != CheckResult::Failed
    }
}

/// Everything that was looked at, of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreflightReport {
    /// Of which account.
    pub fingerprint: VenueFingerprint,
    /// In order.
    pub checks: Vec<PreflightCheck>,
}

impl PreflightReport {
    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &PreflightCheck> {
        self.checks.iter().filter(|check| !check.passed())
    }
    /// What a person should know although a start is possible.
    pub fn warnings(&self) -> impl Iterator<Item = &PreflightCheck> {
        self.checks.iter().filter(|check| check.result == CheckResult::Warning)
    }
}

/// A person's consent to trade one account with one configuration, until a date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorConsent {
    /// Which account.
    pub fingerprint: VenueFingerprint,
    /// Which configuration.
    pub config_hash: String,
    /// Who consented.
    pub operator: String,
    /// When it was given.
    pub given_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why no pass was issued.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoPass {
    /// A check failed.
    #[error("preflight check {name:?} failed: expected {expected}, found {found}; {remedy}")]
    CheckFailed {
        /// Which check.
        name: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// Real money needs a person's consent.
    #[error("no consent for {0}; run `hedgectl arm`")]
    NoConsent(String),
    /// The consent is for something else, or over.
    #[error("consent does not fit: {0}; run `hedgectl arm` again")]
    ConsentMismatch(String),
}

/// Proof that the checks passed and, for real money, that a person consented. Not `Clone`, not `Deserialize`; expires.
#[derive(Debug)]
pub struct PreflightPass {
    fingerprint: VenueFingerprint,
    expires_at: Timestamp,
}

impl PreflightPass {
    /// Issues a pass when every check passed. Mainnet accounts need a consent that fits; loopback and testnet need none.
    pub fn issue(
        report: &PreflightReport,
        consent: Option<&OperatorConsent>,
        config_hash: &str,
        now: Timestamp,
    ) -> Result<Self, NoPass> {
        all_passed(report)?;
        if report.fingerprint.environment == Environment::Mainnet {
            let consent = consent.ok_or_else(|| NoPass::NoConsent(report.fingerprint.to_string()))?;
            if consent.fingerprint != report.fingerprint {
                return Err(NoPass::ConsentMismatch(format!("it was given for {}", consent.fingerprint)));
            }
            if consent.config_hash != config_hash {
                return Err(NoPass::ConsentMismatch("the configuration has changed since".to_owned()));
            }
            if now >= consent.expires_at {
                return Err(NoPass::ConsentMismatch(format!("it ended at {}", consent.expires_at)));
            }
        }
        Ok(Self { fingerprint: report.fingerprint.clone(), expires_at: now.plus(PASS_LIFETIME) })
    }
    /// Whether this pass is for that account and not over.
    pub fn admits(&self, fingerprint: &VenueFingerprint, now: Timestamp) -> bool {
        self.fingerprint == *fingerprint && now < self.expires_at
    }
}

/// Proof that the checks passed, good for closing and protecting only. It takes nobody's consent: a restart at night must
/// not leave positions alone because a date has passed. Not `Clone`, not `Deserialize`; expires.
///
/// ```compile_fail
/// fn forge() -> hedge_core::ExitPass { hedge_core::ExitPass { } }
/// ```
#[derive(Debug)]
pub struct ExitPass {
    fingerprint: VenueFingerprint,
    expires_at: Timestamp,
}

impl ExitPass {
    /// Issues a pass when every check passed. Errors: [`NoPass::CheckFailed`].
    pub fn issue(report: &PreflightReport, now: Timestamp) -> Result<Self, NoPass> {
        all_passed(report)?;
        Ok(Self { fingerprint: report.fingerprint.clone(), expires_at: now.plus(PASS_LIFETIME) })
    }
    /// Whether this pass is for that account and not over.
    pub fn admits(&self, fingerprint: &VenueFingerprint, now: Timestamp) -> bool {
        self.fingerprint == *fingerprint && now < self.expires_at
    }
}

fn all_passed(report: &PreflightReport) -> Result<(), NoPass> {
    match report.failures().next() {
        None => Ok(()),
        Some(failed) => Err(NoPass::CheckFailed {
            name: failed.name.clone(),
            expected: failed.expected.clone(),
            found: failed.found.clone(),
            remedy: failed.remedy.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Venue;

    fn report(environment: Environment, passed: bool) -> PreflightReport {
        let result = if passed { CheckResult::Ok } else { CheckResult::Failed };
        PreflightReport {
            fingerprint: VenueFingerprint {
                venue: Venue::Binance,
                environment,
                host: "http://127.0.0.1:1".into(),
                key_digest: "abcd".into(),
            },
            checks: vec![PreflightCheck {
                name: "clock".into(),
                expected: "within 500 ms".into(),
                found: "12 ms".into(),
                result,
                remedy: "start a time service".into(),
            }],
        }
    }

    #[test]
    fn a_failed_check_gives_no_pass() {
        let failed = PreflightPass::issue(&report(Environment::Loopback, false), None, "h", Timestamp::EPOCH);
        assert!(matches!(failed, Err(NoPass::CheckFailed { .. })));
    }

    #[test]
    fn a_warning_does_not_keep_the_pass_back() {
        let mut report = report(Environment::Loopback, true);
        report.checks[0].result = CheckResult::Warning;
        assert!(PreflightPass::issue(&report, None, "h", Timestamp::EPOCH).is_ok());
        assert_eq!((report.warnings().count(), report.failures().count()), (1, 0));
    }

    #[test]
    fn mainnet_needs_a_consent_that_fits_and_loopback_needs_none() {
        let now = Timestamp::from_ms(1_000);
        assert!(PreflightPass::issue(&report(Environment::Loopback, true), None, "h", now).is_ok());
        let report = report(Environment::Mainnet, true);
        assert!(matches!(PreflightPass::issue(&report, None, "h", now), Err(NoPass::NoConsent(_))));
        let mut consent = OperatorConsent {
            fingerprint: report.fingerprint.clone(),
            config_hash: "h".into(),
            operator: "ann".into(),
            given_at: now,
            expires_at: Timestamp::from_ms(9_000),
        };
        assert!(PreflightPass::issue(&report, Some(&consent), "h", now).is_ok());
        assert!(PreflightPass::issue(&report, Some(&consent), "other", now).is_err());
        consent.expires_at = now;
        assert!(PreflightPass::issue(&report, Some(&consent), "h", now).is_err());
    }

    #[test]
    fn without_consent_there_is_still_a_pass_for_exits_of_that_account() {
        let now = Timestamp::from_ms(1_000);
        let mainnet = report(Environment::Mainnet, true);
        let pass = ExitPass::issue(&mainnet, now).unwrap();
        assert!(pass.admits(&mainnet.fingerprint, now));
        assert!(!pass.admits(&report(Environment::Loopback, true).fingerprint, now));
        assert!(!pass.admits(&mainnet.fingerprint, now.plus(Duration::from_secs(301))));
        assert!(ExitPass::issue(&report(Environment::Mainnet, false), now).is_err());
    }

    #[test]
    fn a_pass_admits_only_its_account_and_not_for_long() {
        let now = Timestamp::from_ms(1_000);
        let report = report(Environment::Loopback, true);
        let pass = PreflightPass::issue(&report, None, "h", now).unwrap();
        assert!(pass.admits(&report.fingerprint, now));
        assert!(!pass.admits(&report.fingerprint, now.plus(Duration::from_secs(301))));
        let other = VenueFingerprint { key_digest: "beef".into(), ..report.fingerprint };
        assert!(!pass.admits(&other, now));
    }
}
