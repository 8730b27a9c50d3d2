//! One key of any kind that a venue takes.

use std::{fmt, sync::Arc};

use ring::{
    error::KeyRejected,
    rand::SystemRandom,
    signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};

use super::{
    hmac::HmacSha256Hex,
    pem,
    signer::{SignError, Signer, push_encoded},
    text::base64,
};
use crate::secret::Secret;

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// A shared secret: HMAC-SHA256, lower-case hex.
    Hmac,
    /// RSASSA-PKCS1-v1_5 with SHA-256, base64.
    Rsa,
    /// Ed25519, base64.
    Ed25519,
}

impl KeyKind {
    /// The name that people know it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hmac => "HMAC",
            Self::Rsa => "RSA",
            Self::Ed25519 => "Ed25519",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key that signs requests: a shared secret, an RSA key or an Ed25519 key. Cheap to clone; `Debug` shows the kind only.
#[derive(Clone)]
pub struct SigningKey(Inner);

#[derive(Clone)]
enum Inner {
    Hmac(HmacSha256Hex),
    Rsa(Arc<RsaKeyPair>),
    Ed25519(Arc<Ed25519KeyPair>),
}

impl SigningKey {
    /// Reads a secret as operators have it: PEM text is an RSA or Ed25519 private key, anything else a shared secret.
    ///
    /// # Errors
    /// [`SignError`] in one line that shows nothing of the secret.
    pub fn parse(secret: &Secret<String>) -> Result<Self, SignError> {
        if pem::is_pem(secret.expose()) { Self::from_pem(secret) } else { Self::hmac(secret) }
    }

    /// A shared secret.
    ///
    /// # Errors
    /// [`SignError::EmptySecret`].
    pub fn hmac(secret: &Secret<String>) -> Result<Self, SignError> {
        Ok(Self(Inner::Hmac(HmacSha256Hex::new(secret)?)))
    }

    /// A private key in PEM: PKCS#8 (`BEGIN PRIVATE KEY`), for RSA also PKCS#1 (`BEGIN RSA PRIVATE KEY`).
    ///
    /// # Errors
    /// [`SignError::BadKey`] for any other text, an encrypted key, a public key, a curve that is not Ed25519, or a size that
    /// is not safe.
    pub fn from_pem(text: &Secret<String>) -> Result<Self, SignError> {
        let (label, der) = pem::decode(text.expose())?;
        match label.as_str() {
            "PRIVATE KEY" => Self::from_pkcs8(&der),
            "RSA PRIVATE KEY" => rsa(RsaKeyPair::from_der(&der)),
            "ENCRYPTED PRIVATE KEY" => Err(SignError::BadKey(
                "it is encrypted; store it without a password in a file with mode 0600",
            )),
            "PUBLIC KEY" | "RSA PUBLIC KEY" => {
                Err(SignError::BadKey("it is the public half; the private key is needed here"))
            }
            "EC PRIVATE KEY" => Err(SignError::BadKey("it is an EC key; RSA or Ed25519 is needed")),
            _ => Err(SignError::BadKey("it is not a private key; BEGIN PRIVATE KEY (PKCS#8) is expected")),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, SignError> {
        // OpenSSL writes Ed25519 keys without their public half, which is the older of the two forms.
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self(Inner::Ed25519(Arc::new(pair))));
        }
        rsa(RsaKeyPair::from_pkcs8(der))
    }

    /// How it signs.
    pub const fn kind(&self) -> KeyKind {
        match self.0 {
            Inner::Hmac(_) => KeyKind::Hmac,
            Inner::Rsa(_) => KeyKind::Rsa,
            Inner::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// The signature of a payload as a venue writes it, not percent-encoded: hex for a shared secret, else base64.
    ///
    /// # Errors
    /// [`SignError::Failed`]; never for a shared secret or Ed25519.
    pub fn sign_payload(&self, payload: &str) -> Result<String, SignError> {
        self.sign(payload.as_bytes())
    }

    /// The bytes of the signature.
    ///
    /// # Errors
    /// As [`sign_payload`](Self::sign_payload).
    pub fn sign_bytes(&self, payload: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.0 {
            Inner::Hmac(key) => Ok(key.mac(payload).to_vec()),
            Inner::Ed25519(pair) => Ok(pair.sign(payload).as_ref().to_vec()),
            Inner::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), payload, &mut signature)
                    .map_err(|_| SignError::Failed("the RSA computation did not verify"))?;
                Ok(signature)
            }
        }
    }
}

fn rsa(pair: Result<RsaKeyPair, KeyRejected>) -> Result<SigningKey, SignError> {
    match pair {
        Ok(pair) => Ok(SigningKey(Inner::Rsa(Arc::new(pair)))),
        Err(error) => Err(SignError::BadKey(match error.to_string().as_str() {
            "TooSmall" => "it is an RSA key of less than 2048 bits; make one of 2048 to 4096",
            "TooLarge" => "it is an RSA key of more than 4096 bits; make one of 2048 to 4096",
            "WrongAlgorithm" => "it is of a kind that is not taken; RSA or Ed25519 is needed",
            _ => "it is neither a sound RSA nor a sound Ed25519 private key in PKCS#8",
        })),
    }
}

impl Signer for SigningKey {
    fn sign(&self, payload: &[u8]) -> Result<String, SignError> {
        match &self.0 {
            Inner::Hmac(key) => key.sign(payload),
            Inner::Rsa(_) | Inner::Ed25519(_) => Ok(base64(&self.sign_bytes(payload)?)),
        }
    }

    fn append_signature(&self, query: &mut Vec<u8>, from: usize) -> Result<(), SignError> {
        match &self.0 {
            Inner::Hmac(key) => key.append_signature(query, from),
            Inner::Rsa(_) | Inner::Ed25519(_) => {
                let signature = self.sign(query.get(from..).unwrap_or_default())?;
                push_encoded(query, &signature);
                Ok(())
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, redacted)", self.kind())
    }
}
