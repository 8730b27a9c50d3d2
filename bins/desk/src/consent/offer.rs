//! What a person is shown before the question, and what becomes of the answer.

use std::fmt;

use hedge_core::{OperatorConsent, Timestamp, VenueFingerprint};
use hedge_risk::RiskLimits;

use super::terms::{Days, give, phrase};

/// A consent that somebody could give.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// For which account.
    pub account: &'a VenueFingerprint,
    /// For which configuration.
    pub config_hash: &'a str,
    /// Who would give it.
    pub operator: &'a str,
    /// For how long.
    pub days: Days,
    /// From when on.
    pub now: Timestamp,
    /// What may be lost and risked meanwhile.
    pub limits: &'a RiskLimits,
}

impl Offer<'_> {
    /// The consent, if that is what the person typed.
    pub fn accept(&self, typed: &str) -> Option<OperatorConsent> {
        (typed.trim() == phrase(self.account))
            .then(|| give(self.account, self.config_hash, self.operator, self.days, self.now))
    }
}

impl fmt::Display for Offer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.account;
        let ends = give(account, self.config_hash, self.operator, self.days, self.now).expires_at;
        let environment = format!("{:?}", account.environment).to_lowercase();
        writeln!(f, "You are about to consent that orders are sent without asking you again:")?;
        writeln!(f, "  account        {} {environment}", account.venue)?;
        writeln!(f, "  host           {}", account.host)?;
        writeln!(f, "  key            {} (digest)", account.key_digest)?;
        writeln!(f, "  configuration  {}", self.config_hash)?;
        let limits = self.limits;
        writeln!(
            f,
            "  limits         halts at {} % drawdown, exit-only at {} % loss of a day; at most {} legs, {} USDT together, {}x",
            limits.kill_dd_pct.normalize(),
            limits.kill_daily_loss_pct.normalize(),
            limits.max_positions,
            limits.max_notional_total_usdt.normalize(),
            limits.max_leverage.normalize()
        )?;
        writeln!(f, "  operator       {}", self.operator)?;
        let days = if self.days.get() == 1 { "day" } else { "days" };
        writeln!(f, "  until          {ends} ({} {days})", self.days)?;
        writeln!(
            f,
            "Any change of account, host, key or configuration ends it. hedgectl disarm takes it back."
        )?;
        write!(f, "Type \"{}\" to consent: ", phrase(account))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hedge_core::{Environment, Venue};

    use super::*;

    #[test]
    fn only_the_phrase_of_this_account_is_a_yes() {
        let account = VenueFingerprint {
            venue: Venue::Binance,
            environment: Environment::Mainnet,
            host: "https://fapi.binance.com".into(),
            key_digest: "0123456789abcdef".into(),
        };
        let now = Timestamp::from_ms(1_795_168_800_000);
        let (days, operator) = ("3".parse().unwrap(), "ann");
        let limits = RiskLimits::default();
        let offer = Offer { account: &account, config_hash: "c0ffee", operator, days, now, limits: &limits };
        for no in [
            "",
            "y",
            "yes",
            "trade real money",
            "trade real money with 89abcdef",
            "TRADE REAL MONEY WITH 01234567",
        ] {
            assert_eq!(offer.accept(no), None, "{no}");
        }
        let consent = offer.accept(" trade real money with 01234567\n").unwrap();
        assert_eq!(
            (consent.operator.as_str(), consent.expires_at),
            ("ann", now.plus(Duration::from_secs(3 * 86_400)))
        );
        let shown = offer.to_string();
        for part in [
            "mainnet",
            "https://fapi.binance.com",
            "0123456789abcdef",
            "c0ffee",
            "ann",
            "2026-11-23T10:00:00.000Z (3 days)",
            "halts at 9 % drawdown, exit-only at 4 % loss of a day; at most 8 legs, 10000 USDT together, 3x",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
    }
}
