//! What a venue crate asks of a key.

use std::fmt;

/// Turns a payload into the text of its signature. Object-safe, so that a venue crate can hold any key type.
pub trait Signer: fmt::Debug + Send + Sync + 'static {
    /// Signs exactly these bytes.
    ///
    /// # Errors
    /// When the key cannot sign (for HMAC never, once constructed).
    fn sign(&self, payload: &[u8]) -> Result<String, SignError>;

    /// Signs what follows `from` in a text and appends `&signature=` with the signature, percent-encoded where it has to be.
    /// A `from` that is not inside the text signs nothing at all.
    ///
    /// # Errors
    /// As [`sign`](Self::sign); the query is unchanged then.
    fn append_signature(&self, query: &mut Vec<u8>, from: usize) -> Result<(), SignError> {
        let signature = self.sign(query.get(from..).unwrap_or_default())?;
        push_encoded(query, &signature);
        Ok(())
    }
}

/// Appends a signature to a query. Base64 has three letters that a query must not carry (fact sheet 2.4); hex has none.
pub(super) fn push_encoded(query: &mut Vec<u8>, signature: &str) {
    query.extend_from_slice(b"&signature=");
    for letter in signature.bytes() {
        match letter {
            b'+' => query.extend_from_slice(b"%2B"),
            b'/' => query.extend_from_slice(b"%2F"),
            b'=' => query.extend_from_slice(b"%3D"),
            other => query.push(other),
        }
    }
}

/// A key that cannot be used. Says what is wrong with it, and shows nothing of it.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignError {
    /// The secret is empty: the request would carry a signature that anyone can make.
    #[error("the signing secret is empty; set the API secret")]
    EmptySecret,
    /// The key text is not a key of the expected kind.
    #[error("the signing key cannot be used: {0}")]
    BadKey(&'static str),
    /// A good key, and yet no signature came out.
    #[error("the key did not sign: {0}")]
    Failed(&'static str),
}
