//! Keys and signatures: HMAC-SHA256 over the text as it travelled.
//!
//! Source: Binance USD-M docs, General Info (SIGNED endpoints); fact sheet 2.2 and 2.3.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The one API key of the simulated account.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    key: String,
    secret: String,
}

impl ApiKey {
    /// The key and secret that are used when none are given. They open nothing but this simulator.
    pub const DEMO_KEY: &'static str = "simulatedKeyOpensNothingRealOnlyTheSimulatorOnThisMachine0000001";
    /// The secret that belongs to [`ApiKey::DEMO_KEY`].
    pub const DEMO_SECRET: &'static str = "simulatedSecretOpensNothingRealOnlyTheSimulatorOnThisMachine0001";

    /// A key with its secret; any text that fits an HTTP header.
    pub fn new(key: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { key: key.into(), secret: secret.into() }
    }

    /// The fixed demonstration key.
    pub fn demo() -> Self {
        Self::new(Self::DEMO_KEY, Self::DEMO_SECRET)
    }

    /// The public half.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The secret half, for handing it to an embedded client.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Why no client could use this key; nothing when one can.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.key.is_empty() {
            return Some("the API key is empty; no client could log in");
        }
        if self.secret.is_empty() {
            return Some("the secret of the API key is empty; no client could sign");
        }
        let fits = self.key.bytes().all(|byte| byte.is_ascii_graphic());
        (!fits).then_some("the API key has blanks or letters beyond ASCII; no HTTP header carries it")
    }

    pub(crate) fn is_key(&self, other: &str) -> bool {
        super::keys::same(&self.key, other)
    }

    /// Whether `signature` (hex in either case) is the HMAC of `payload`.
    pub(crate) fn verifies(&self, payload: &str, signature: &str) -> bool {
        let Some(bytes) = from_hex(signature) else { return false };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()) else { return false };
        mac.update(payload.as_bytes());
        mac.verify_slice(&bytes).is_ok()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "unit-test-secret-0123456789abcdefABCDEF";

    fn key() -> ApiKey {
        ApiKey::new("unit-test-key", SECRET)
    }

    #[test]
    fn vector_a_covers_the_whole_query() {
        let payload = "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=MARKET&quantity=0.250&newClientOrderId=x1_close-long.7&newOrderRespType=RESULT&recvWindow=4000&timestamp=1795168800123";
        assert!(key().verifies(payload, "2fa44c9bdd4a46ff7eab080bf7943f695eb97f8f50f97eb503c1a4a07cfcb490"));
        assert!(key().verifies(payload, "2FA44C9BDD4A46FF7EAB080BF7943F695EB97F8F50F97EB503C1A4A07CFCB490"));
    }

    #[test]
    fn vector_b_joins_query_and_body_without_a_separator() {
        let query = "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=MARKET";
        let body = "quantity=0.250&newClientOrderId=x1_close-long.7&newOrderRespType=RESULT&recvWindow=4000&timestamp=1795168800123";
        let signature = "186d10a3c6a911da9b5b1e500f22c25404d8ad8c3194b38a0442a6bdbd80f591";
        let params = super::super::params::Params::read(query, &format!("{body}&signature={signature}"));
        assert!(key().verifies(params.payload(), signature));
        assert!(!key().verifies(&format!("{query}&{body}"), signature));
    }

    #[test]
    fn vector_c_covers_the_encoded_symbol() {
        let payload = "symbol=%E6%B5%8B%E8%AF%95USDT&side=BUY&positionSide=LONG&type=MARKET&quantity=30&timestamp=1795168800456";
        assert!(key().verifies(payload, "c8c64fd6a014a2ed660c61e78c363e8d943deabc5dfa824d94f3b97842ad757a"));
    }

    #[test]
    fn the_vendors_published_vector_verifies() {
        let vendor = ApiKey::new("k", "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9");
        let payload = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943";
        assert!(vendor.verifies(payload, "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"));
    }

    #[test]
    fn a_key_that_no_client_can_send_has_a_problem() {
        assert_eq!(ApiKey::demo().problem(), None);
        assert_eq!(ApiKey::new("-k", "any secret at all").problem(), None);
        for (key, secret, said) in [
            ("", "s", "key is empty"),
            ("k", "", "secret"),
            ("a b", "s", "blanks"),
            ("k\u{e9}", "s", "ASCII"),
        ] {
            assert!(ApiKey::new(key, secret).problem().unwrap().contains(said), "{key:?} {secret:?}");
        }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert!(!format!("{:?}", key()).contains("unit-test"));
    }
}
