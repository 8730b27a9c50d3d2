//! API keys, bound to the world they were made in.

use std::{fmt, marker::PhantomData};

use hedge_http::{
    secret::Secret,
    sign::{HmacSha256Hex, SignError, sha256_hex},
};

use crate::environment::{Endpoints, Mainnet, Testnet, World};

/// Names of the variables that operators set.
const MAINNET_NAMES: [&str; 2] = ["BINANCE_API_KEY", "BINANCE_API_SECRET"];
const TESTNET_NAMES: [&str; 2] = ["BINANCE_UM_API_KEY_TESTNET", "BINANCE_UM_API_SECRET_TESTNET"];

/// Why there are no usable credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// A variable is not set, or empty.
    #[error("{name} is not set; the {environment} account needs it")]
    Missing {
        /// The variable.
        name: &'static str,
        /// The world it is for.
        environment: &'static str,
    },
    /// The same key stands under the names of both worlds: one of them was pasted into the wrong place.
    #[error(
        "{testnet} and {mainnet} are the same; keys of one world do not work in the other, copy the testnet one again"
    )]
    SameKey {
        /// The testnet's variable.
        testnet: &'static str,
        /// The mainnet's variable.
        mainnet: &'static str,
    },
    /// A key holds characters that no key has: usually a quote or a line end that came along.
    #[error("{name} holds spaces or other characters that no key has; copy it again")]
    Malformed {
        /// The variable or field.
        name: &'static str,
    },
}

/// An HMAC key pair of one world. `Debug` shows the digest of the public half only.
#[derive(Clone)]
pub struct Credentials<E> {
    key: Secret<String>,
    secret: Secret<String>,
    environment: PhantomData<E>,
}

impl<E: World> Credentials<E> {
    /// Checks the form of both halves.
    ///
    /// # Errors
    /// [`CredentialsError`]; it never shows a value.
    pub fn new(key: String, secret: String) -> Result<Self, CredentialsError> {
        Self::named(key, secret, ["API key", "API secret"])
    }

    fn named(key: String, secret: String, names: [&'static str; 2]) -> Result<Self, CredentialsError> {
        for (value, name) in [(&key, names[0]), (&secret, names[1])] {
            if value.is_empty() {
                return Err(CredentialsError::Missing { name, environment: E::NAME });
            }
            if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(CredentialsError::Malformed { name });
            }
        }
        Ok(Self { key: Secret::new(key), secret: Secret::new(secret), environment: PhantomData })
    }

    fn from_names(
        names: [&'static str; 2],
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, CredentialsError> {
        let value = |name: &'static str| {
            let found = lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
            found.ok_or(CredentialsError::Missing { name, environment: E::NAME })
        };
        Self::named(value(names[0])?, value(names[1])?, names)
    }

    /// First 16 hex digits of the key's SHA-256: names the key in consent files and logs.
    pub fn key_digest(&self) -> String {
        sha256_hex(self.key.expose().as_bytes()).chars().take(16).collect()
    }

    pub(crate) const fn key(&self) -> &Secret<String> {
        &self.key
    }

    pub(crate) fn signer(&self) -> Result<HmacSha256Hex, SignError> {
        HmacSha256Hex::new(&self.secret)
    }
}

impl Credentials<Mainnet> {
    /// Reads `BINANCE_API_KEY` and `BINANCE_API_SECRET` through `lookup`.
    ///
    /// # Errors
    /// [`CredentialsError`] naming the variable.
    pub fn from_env(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, CredentialsError> {
        Self::from_names(MAINNET_NAMES, lookup)
    }
}

impl Credentials<Testnet> {
    /// Reads `BINANCE_UM_API_KEY_TESTNET` and `BINANCE_UM_API_SECRET_TESTNET` through `lookup`. Only when the REST host
    /// is this machine, the mainnet names are taken where both of those are missing: a mainnet key never travels to the
    /// testnet.
    ///
    /// # Errors
    /// [`CredentialsError`] naming the variable; also one half of a pair without the other, and, unless the host is this
    /// machine, the mainnet key under the testnet's name.
    pub fn from_env(
        lookup: &dyn Fn(&str) -> Option<String>,
        endpoints: &Endpoints<Testnet>,
    ) -> Result<Self, CredentialsError> {
        let value = |name: &str| lookup(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        if endpoints.is_loopback() && TESTNET_NAMES.iter().all(|name| value(name).is_none()) {
            return Self::from_names(MAINNET_NAMES, lookup);
        }
        let [testnet, mainnet] = [TESTNET_NAMES[0], MAINNET_NAMES[0]];
        if !endpoints.is_loopback() && value(testnet).is_some() && value(testnet) == value(mainnet) {
            return Err(CredentialsError::SameKey { testnet, mainnet });
        }
        Self::from_names(TESTNET_NAMES, lookup)
    }
}

impl<E: World> fmt::Debug for Credentials<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("environment", &E::NAME)
            .field("key_digest", &self.key_digest())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    const BOTH: &[(&str, &str)] = &[("BINANCE_API_KEY", "live-key"), ("BINANCE_API_SECRET", "live-secret")];

    #[test]
    fn the_testnet_does_not_take_mainnet_keys_over_the_network() {
        let remote = Endpoints::new(None, None).unwrap();
        let error = Credentials::<Testnet>::from_env(&env(BOTH), &remote).unwrap_err();
        assert_eq!(
            error,
            CredentialsError::Missing { name: "BINANCE_UM_API_KEY_TESTNET", environment: "testnet" }
        );
    }

    #[test]
    fn on_loopback_the_testnet_falls_back_to_the_usual_names() {
        let local = Endpoints::new(Some("http://localhost:1"), Some("ws://localhost:1")).unwrap();
        let credentials = Credentials::<Testnet>::from_env(&env(BOTH), &local).unwrap();
        assert_eq!(credentials.key().expose(), "live-key");
    }

    #[test]
    fn half_a_testnet_pair_is_named_and_nothing_else_is_taken_for_it() {
        let local = Endpoints::new(Some("http://localhost:1"), Some("ws://localhost:1")).unwrap();
        let half: &[_] =
            &[("BINANCE_UM_API_KEY_TESTNET", "t"), ("BINANCE_API_KEY", "k"), ("BINANCE_API_SECRET", "s")];
        let error = Credentials::<Testnet>::from_env(&env(half), &local).unwrap_err();
        assert_eq!(
            error,
            CredentialsError::Missing { name: "BINANCE_UM_API_SECRET_TESTNET", environment: "testnet" }
        );
    }

    #[test]
    fn a_mainnet_key_under_the_testnets_name_stays_here() {
        let remote = Endpoints::new(None, None).unwrap();
        let pasted: &[_] = &[
            ("BINANCE_UM_API_KEY_TESTNET", "live-key"),
            ("BINANCE_UM_API_SECRET_TESTNET", "live-secret"),
            ("BINANCE_API_KEY", "live-key"),
        ];
        let error = Credentials::<Testnet>::from_env(&env(pasted), &remote).unwrap_err();
        assert!(matches!(error, CredentialsError::SameKey { .. }), "{error}");
        assert!(!error.to_string().contains("live-key"), "{error}");
    }

    #[test]
    fn a_missing_half_is_named() {
        let error = Credentials::<Mainnet>::from_env(&env(&[("BINANCE_API_KEY", "k")])).unwrap_err();
        assert_eq!(error.to_string(), "BINANCE_API_SECRET is not set; the mainnet account needs it");
    }

    #[test]
    fn a_key_with_a_line_end_inside_is_refused_without_showing_it() {
        let error = Credentials::<Mainnet>::new("se cret".into(), "x".into()).unwrap_err();
        assert!(!error.to_string().contains("se cret"));
    }

    #[test]
    fn debug_shows_a_digest_only() {
        let credentials = Credentials::<Mainnet>::new("pub-half".into(), "sec-half".into()).unwrap();
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("pub-half") && !shown.contains("sec-half"), "{shown}");
        assert!(shown.contains(&credentials.key_digest()));
    }
}
