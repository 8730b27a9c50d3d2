//! The seam where a request gets its signature.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::secret::Secret;

/// Turns a payload into the text of its signature. Object-safe, so that a venue crate can hold any key type.
pub trait Signer: fmt::Debug + Send + Sync + 'static {
    /// Signs exactly these bytes.
    ///
    /// # Errors
    /// When the key cannot sign (for HMAC never, once constructed).
    fn sign(&self, payload: &[u8]) -> Result<String, SignError>;
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignError {
    /// The secret is empty: the request would carry a signature that anyone can make.
    #[error("the signing secret is empty; set the API secret")]
    EmptySecret,
    /// The key text is not a key of the expected kind.
    #[error("the signing key cannot be used: {0}")]
    BadKey(&'static str),
}

/// HMAC-SHA256 as lower-case hex (Binance, OKX-like query signatures).
#[derive(Clone)]
pub struct HmacSha256Hex(Hmac<Sha256>);

/// HMAC-SHA256 as standard base64 with padding.
#[derive(Clone)]
pub struct HmacSha256Base64(Hmac<Sha256>);

fn keyed(secret: &Secret<String>) -> Result<Hmac<Sha256>, SignError> {
    if secret.expose().is_empty() {
        return Err(SignError::EmptySecret);
    }
    Hmac::new_from_slice(secret.expose().as_bytes()).map_err(|_| SignError::BadKey("wrong length"))
}

impl HmacSha256Hex {
    /// Prepares the key once; signing then only hashes the payload.
    ///
    /// # Errors
    /// [`SignError::EmptySecret`].
    pub fn new(secret: &Secret<String>) -> Result<Self, SignError> {
        keyed(secret).map(Self)
    }
}

impl HmacSha256Base64 {
    /// Prepares the key once; signing then only hashes the payload.
    ///
    /// # Errors
    /// [`SignError::EmptySecret`].
    pub fn new(secret: &Secret<String>) -> Result<Self, SignError> {
        keyed(secret).map(Self)
    }
}

impl Signer for HmacSha256Hex {
    fn sign(&self, payload: &[u8]) -> Result<String, SignError> {
        Ok(hex(&self.0.clone().chain_update(payload).finalize().into_bytes()))
    }
}

impl Signer for HmacSha256Base64 {
    fn sign(&self, payload: &[u8]) -> Result<String, SignError> {
        Ok(base64(&self.0.clone().chain_update(payload).finalize().into_bytes()))
    }
}

impl fmt::Debug for HmacSha256Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacSha256Hex(redacted)")
    }
}

impl fmt::Debug for HmacSha256Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacSha256Base64(redacted)")
    }
}

/// SHA-256 as lower-case hex: names a key or a configuration without showing it.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    String::from_utf8(bytes.iter().flat_map(digits).collect()).unwrap_or_default()
}

/// Standard base64 with padding (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = [chunk[0], chunk.get(1).copied().unwrap_or(0), chunk.get(2).copied().unwrap_or(0)];
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for position in 0..4 {
            if position <= chunk.len() {
                text.push(char::from(DIGITS[(bits >> (18 - 6 * position)) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn hex_signature_matches_rfc_4231_case_2() {
        let signer = HmacSha256Hex::new(&secret("Jefe")).unwrap();
        assert_eq!(
            signer.sign(b"what do ya want for nothing?").unwrap(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn base64_signature_is_the_same_mac_in_other_letters() {
        let signer = HmacSha256Base64::new(&secret("Jefe")).unwrap();
        assert_eq!(
            signer.sign(b"what do ya want for nothing?").unwrap(),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
        );
    }

    #[test]
    fn base64_pads_like_rfc_4648() {
        let of = |text: &str| base64(text.as_bytes());
        assert_eq!(
            [of(""), of("f"), of("fo"), of("foo"), of("foob"), of("fooba"), of("foobar")],
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]
        );
    }

    #[test]
    fn the_digest_of_nothing_is_the_well_known_one() {
        assert_eq!(sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn an_empty_secret_is_refused() {
        assert_eq!(HmacSha256Hex::new(&secret("")).unwrap_err(), SignError::EmptySecret);
    }

    #[test]
    fn a_signer_can_be_held_as_a_trait_object_and_hides_its_key() {
        let signer: Box<dyn Signer> = Box::new(HmacSha256Hex::new(&secret("sesame")).unwrap());
        assert!(!format!("{signer:?}").contains("sesame"));
    }
}
