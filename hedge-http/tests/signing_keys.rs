//! Keys as operators have them. The RSA key below was made for these tests and opens nothing.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use hedge_http::{
    secret::Secret,
    sign::{KeyKind, SignError, Signer, SigningKey, base64, base64_decode},
};
use ring::{
    rand::SystemRandom,
    signature::{
        ED25519, Ed25519KeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey,
    },
};

const PAYLOAD: &str =
    "symbol=ETHUSDT&side=SELL&positionSide=LONG&type=MARKET&quantity=0.250&timestamp=1795168800123";

/// PKCS#8 of a 2048-bit key, base64.
const RSA: &str = include_str!("keys/rsa_of_tests.txt");
/// PKCS#8 of a key that is too small to be safe.
const RSA_1024: &str = include_str!("keys/rsa_too_small.txt");
/// PKCS#8 of a P-256 key.
const P256: &str = include_str!("keys/p256_of_tests.txt");
/// An Ed25519 key as OpenSSL writes it, and its public half.
const ED25519_SHORT: &str = "MC4CAQAwBQYDK2VwBCIEIKpgGBHhbp52NpR0gRJoasPG5NDKTj+AbRnHVWpY1SDT";
const ED25519_PUBLIC: &str = "qSYvphW+KCCENi+o6RsMfMfUiMyRC6kwQxo+8MpGLi4=";

fn pem(label: &str, body: &str) -> Secret<String> {
    let lines: Vec<&str> =
        body.trim().as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    Secret::new(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")))
}

fn private(body: &str) -> Secret<String> {
    pem("PRIVATE KEY", body)
}

fn why(text: &Secret<String>) -> String {
    SigningKey::parse(text).unwrap_err().to_string()
}

#[test]
fn an_rsa_key_signs_pkcs1_with_sha256_in_base64() {
    let key = SigningKey::parse(&private(RSA)).unwrap();
    assert_eq!(key.kind(), KeyKind::Rsa);
    let signature = base64_decode(&key.sign_payload(PAYLOAD).unwrap()).unwrap();
    let pair = RsaKeyPair::from_pkcs8(&base64_decode(RSA).unwrap()).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    public.verify(PAYLOAD.as_bytes(), &signature).unwrap();
    assert!(public.verify(b"something else", &signature).is_err());
}

#[test]
fn an_ed25519_key_as_openssl_writes_it_signs_in_base64() {
    let key = SigningKey::parse(&private(ED25519_SHORT)).unwrap();
    assert_eq!(key.kind(), KeyKind::Ed25519);
    let signature = base64_decode(&key.sign_payload(PAYLOAD).unwrap()).unwrap();
    let public = UnparsedPublicKey::new(&ED25519, base64_decode(ED25519_PUBLIC).unwrap());
    public.verify(PAYLOAD.as_bytes(), &signature).unwrap();
    assert!(public.verify(b"something else", &signature).is_err());
}

#[test]
fn an_ed25519_key_with_its_public_half_is_taken_too() {
    let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
    let key = SigningKey::parse(&private(&base64(der.as_ref()))).unwrap();
    let public = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
    public.verify(PAYLOAD.as_bytes(), &key.sign_bytes(PAYLOAD.as_bytes()).unwrap()).unwrap();
}

#[test]
fn a_text_that_is_no_pem_is_a_shared_secret() {
    let key = SigningKey::parse(&Secret::new("Jefe".to_owned())).unwrap();
    assert_eq!(key.kind(), KeyKind::Hmac);
    assert_eq!(
        key.sign_payload("what do ya want for nothing?").unwrap(),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

#[test]
fn a_base64_signature_travels_percent_encoded_and_signs_the_query_before_it() {
    let key = SigningKey::parse(&private(RSA)).unwrap();
    let mut query = PAYLOAD.as_bytes().to_vec();
    key.append_signature(&mut query, 0).unwrap();
    let query = String::from_utf8(query).unwrap();
    let signature = query.strip_prefix(PAYLOAD).unwrap().strip_prefix("&signature=").unwrap();
    assert!(!signature.contains(['+', '/', '=']), "{signature}");
    let decoded = signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    assert_eq!(decoded, key.sign_payload(PAYLOAD).unwrap());
}

#[test]
fn a_key_that_cannot_be_used_says_why_in_one_line() {
    for (text, expected) in [
        (private(RSA_1024), "less than 2048 bits"),
        (private(P256), "RSA or Ed25519 is needed"),
        (pem("ENCRYPTED PRIVATE KEY", RSA), "it is encrypted"),
        (pem("PUBLIC KEY", ED25519_PUBLIC), "the public half"),
        (pem("EC PRIVATE KEY", P256), "it is an EC key"),
        (pem("CERTIFICATE", RSA), "BEGIN PRIVATE KEY (PKCS#8) is expected"),
        (private(&RSA[..400]), "neither a sound RSA nor a sound Ed25519"),
        (private("no base64 at all!"), "damaged"),
        (Secret::new("-----BEGIN PRIVATE KEY-----".to_owned()), "no matching END line"),
        (Secret::new(String::new()), "empty"),
    ] {
        let why = why(&text);
        assert!(why.contains(expected) && !why.contains('\n'), "{why} does not say {expected}");
        assert!(!why.contains(&RSA[..16]) && !why.contains(&P256[..16]), "{why}");
    }
    assert_eq!(SigningKey::hmac(&Secret::new(String::new())).unwrap_err(), SignError::EmptySecret);
}

#[test]
fn debug_names_the_kind_and_shows_nothing_else() {
    let key = SigningKey::parse(&private(ED25519_SHORT)).unwrap();
    assert_eq!(format!("{key:?}"), "SigningKey(Ed25519, redacted)");
}
