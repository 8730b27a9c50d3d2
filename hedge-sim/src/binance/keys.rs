//! The keys of the account: one shared secret, and any number of public keys beside it.
//!
//! Source: fact sheet 2.4. HMAC signatures are hex, RSA (PKCS#1 v1.5 with SHA-256) and Ed25519 signatures are base64.

use std::fmt;

use ring::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm};

use super::sign::ApiKey;

/// An API key whose owner signs with a private key that the exchange never sees.
///
/// ```
/// # #[cfg(feature = "binance-server")] {
/// use hedge_sim::binance::PublicKey;
/// let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
/// let key = PublicKey::from_pem("my-key", pem)?;
/// assert!(key.is_ed25519());
/// # }
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: String,
    kind: Kind,
    /// Ed25519: the 32 bytes; RSA: modulus and exponent as PKCS#1 has them.
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ed25519,
    Rsa,
}

const ED25519_OID: &[u8] = &[0x2b, 0x65, 0x70];
const RSA_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// Shorter moduli are refused by whoever verifies with them. Units: bytes.
const SHORTEST_RSA: usize = 256;

impl PublicKey {
    /// A public key in a PEM block `PUBLIC KEY`, as `openssl pkey -pubout` writes it, under the API key that requests name.
    ///
    /// # Errors
    /// One line: what is wrong with the text, and what was expected.
    pub fn from_pem(api_key: impl Into<String>, pem: &str) -> Result<Self, String> {
        let key = api_key.into();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("the API key {key:?} cannot be sent in a header; expected printable ASCII"));
        }
        let text: String = pem.lines().map(str::trim).collect();
        let inner = text
            .strip_prefix("-----BEGIN PUBLIC KEY-----")
            .and_then(|text| text.strip_suffix("-----END PUBLIC KEY-----"))
            .ok_or("no PEM block \"PUBLIC KEY\"; openssl pkey -in private.pem -pubout writes one")?;
        let der = from_base64(inner).ok_or("the PEM block is not base64")?;
        let (kind, bytes) = read_spki(&der)
            .ok_or("the PEM block holds no Ed25519 key and no RSA key of at least 2048 bits")?;
        Ok(Self { key, kind, bytes: bytes.to_vec() })
    }

    /// The name that requests give.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether it is an Ed25519 key; otherwise it is an RSA key.
    pub fn is_ed25519(&self) -> bool {
        self.kind == Kind::Ed25519
    }

    fn verifies(&self, payload: &str, signature: &str) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match self.kind {
            Kind::Ed25519 => &ED25519,
            Kind::Rsa => &RSA_PKCS1_2048_8192_SHA256,
        };
        let Some(signature) = from_base64(signature) else { return false };
        UnparsedPublicKey::new(algorithm, &self.bytes).verify(payload.as_bytes(), &signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.kind)
    }
}

/// One way to prove who asks.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    Secret(ApiKey),
    Public(PublicKey),
}

impl Credential {
    /// Whether `payload` was signed with it; `signature` is free of percent encoding.
    pub(crate) fn verifies(&self, payload: &str, signature: &str) -> bool {
        match self {
            Self::Secret(key) => key.verifies(payload, signature),
            Self::Public(key) => key.verifies(payload, signature),
        }
    }

    /// Whether it opens a session. Source: fact sheet 2.4 (`session.logon`: only this type).
    pub(crate) fn may_log_on(&self) -> bool {
        matches!(self, Self::Public(key) if key.is_ed25519())
    }

    fn is_key(&self, other: &str) -> bool {
        match self {
            Self::Secret(key) => key.is_key(other),
            Self::Public(key) => same(&key.key, other),
        }
    }
}

/// Every key of the one account.
#[derive(Debug)]
pub(crate) struct KeyRing(Vec<Credential>);

impl KeyRing {
    pub(crate) fn new(secret: ApiKey, public: &[PublicKey]) -> Self {
        let public = public.iter().cloned().map(Credential::Public);
        Self(std::iter::once(Credential::Secret(secret)).chain(public).collect())
    }

    pub(crate) fn find(&self, key: &str) -> Option<&Credential> {
        self.0.iter().find(|credential| credential.is_key(key))
    }
}

/// Compares without stopping at the first difference.
pub(super) fn same(a: &str, b: &str) -> bool {
    let difference = a.bytes().zip(b.bytes()).fold(0, |acc, (a, b)| acc | (a ^ b));
    a.len() == b.len() && difference == 0
}

/// The key inside a SubjectPublicKeyInfo.
fn read_spki(der: &[u8]) -> Option<(Kind, &[u8])> {
    let (spki, rest) = element(0x30, der)?;
    let (algorithm, bits) = element(0x30, spki)?;
    let (oid, _) = element(0x06, algorithm)?;
    let (bits, after) = element(0x03, bits)?;
    // The first byte counts unused bits; a key has none.
    let key = bits.strip_prefix(&[0])?;
    if !rest.is_empty() || !after.is_empty() {
        return None;
    }
    if oid == ED25519_OID {
        return (key.len() == 32).then_some((Kind::Ed25519, key));
    }
    let (numbers, _) = element(0x30, key).filter(|_| oid == RSA_OID)?;
    let (modulus, _) = element(0x02, numbers)?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    (modulus.len() >= SHORTEST_RSA).then_some((Kind::Rsa, key))
}

/// The content of the DER element at the beginning, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0_usize, |sum, digit| sum << 8 | usize::from(*digit)), rest)
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}

/// Standard base64 with its padding.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || !bytes.len().is_multiple_of(4) {
        return None;
    }
    let pad = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    if pad > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in bytes.get(..bytes.len() - pad)? {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        buffer = buffer << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((buffer >> bits) as u8);
            buffer &= (1 << bits) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first test key of RFC 8032 (7.1), wrapped as a SubjectPublicKeyInfo.
    const ED25519_PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn the_first_vector_of_rfc_8032_verifies_and_nothing_else_does() {
        let key = PublicKey::from_pem("k", ED25519_PEM).unwrap();
        let signature =
            "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw==";
        assert!(key.verifies("", signature));
        assert!(!key.verifies("x", signature));
        assert!(!key.verifies("", "not base64"));
    }

    #[test]
    fn what_is_no_public_key_is_refused_in_one_line() {
        for (pem, said) in [
            ("", "no PEM block"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "no PEM block"),
            ("-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----", "not base64"),
            ("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2Vw\n-----END PUBLIC KEY-----", "holds no Ed25519"),
        ] {
            let error = PublicKey::from_pem("k", pem).unwrap_err();
            assert!(error.contains(said) && !error.contains('\n'), "{error}");
        }
        assert!(PublicKey::from_pem("a b", ED25519_PEM).unwrap_err().contains("API key"));
    }

    #[test]
    fn base64_needs_its_padding() {
        assert_eq!(from_base64("TQ==").as_deref(), Some(b"M".as_slice()));
        assert_eq!(from_base64("TWE=").as_deref(), Some(b"Ma".as_slice()));
        assert_eq!(from_base64("TWFu").as_deref(), Some(b"Man".as_slice()));
        for wrong in ["", "TQ", "T===", "TQ=A", "T Q="] {
            assert_eq!(from_base64(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_an_ed25519_key_opens_a_session() {
        let ring = KeyRing::new(ApiKey::new("h", "s"), &[PublicKey::from_pem("e", ED25519_PEM).unwrap()]);
        assert_eq!(["h", "e"].map(|key| ring.find(key).unwrap().may_log_on()), [false, true]);
        assert!(ring.find("other").is_none());
    }
}
