//! Shared secrets: HMAC-SHA256.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{
    signer::{SignError, Signer},
    text::{base64, hex, hex_of_32},
};
use crate::secret::Secret;

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

    /// The 32 bytes themselves.
    pub(super) fn mac(&self, payload: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(payload).finalize().into_bytes().into()
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
        Ok(hex(&self.mac(payload)))
    }

    fn append_signature(&self, query: &mut Vec<u8>, from: usize) -> Result<(), SignError> {
        let mac = self.mac(query.get(from..).unwrap_or_default());
        query.extend_from_slice(b"&signature=");
        query.extend_from_slice(hex_of_32(&mac).as_flattened());
        Ok(())
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
    fn an_appended_signature_is_of_the_query_before_it_and_encoded() {
        let (hex, base64) =
            (HmacSha256Hex::new(&secret("Jefe")).unwrap(), HmacSha256Base64::new(&secret("Jefe")).unwrap());
        let appended = |signer: &dyn Signer| {
            let mut query = b"https://host/path?what do ya want for nothing?".to_vec();
            signer.append_signature(&mut query, "https://host/path?".len()).unwrap();
            String::from_utf8(query).unwrap().rsplit_once("&signature=").unwrap().1.to_owned()
        };
        assert_eq!(appended(&hex), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(appended(&base64), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM%3D");
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
