//! The seam where a request gets its signature, and the keys behind it.

mod hmac;
mod key;
mod pem;
mod signer;
mod text;

pub use hmac::{HmacSha256Base64, HmacSha256Hex};
pub use key::{KeyKind, SigningKey};
pub use signer::{SignError, Signer};
pub use text::{base64, base64_decode, hex, sha256_hex};
