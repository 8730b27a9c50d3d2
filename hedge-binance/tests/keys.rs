//! Requests signed with each kind of key, checked with the public half.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use hedge_binance::{Binance, Credentials, Mainnet, StreamConfig};
use hedge_core::VenueReader;
use hedge_http::sign::{KeyKind, base64_decode};
use ring::signature::{ED25519, KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use support::*;
use wiremock::MockServer;

/// Made for tests; they open nothing.
const RSA: &str = include_str!("../../hedge-http/tests/keys/rsa_of_tests.txt");
const ED25519_PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIKpgGBHhbp52NpR0gRJoasPG5NDKTj+AbRnHVWpY1SDT";
const ED25519_PUBLIC: &str = "qSYvphW+KCCENi+o6RsMfMfUiMyRC6kwQxo+8MpGLi4=";

/// The payload and the signature of a read that was signed with this key.
async fn signed_with(body: &str, kind: KeyKind) -> (String, Vec<u8>) {
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", body.trim());
    let credentials = Credentials::<Mainnet>::new(KEY.into(), pem).unwrap();
    assert_eq!(credentials.kind(), kind);
    let server = MockServer::start().await;
    mock_time(&server).await;
    mock(&server, "GET", "/fapi/v3/positionRisk", 200, position_rows()).await;
    let config = config(&server.uri(), "ws://127.0.0.1:9", TestClock::at(NOW_MS), StreamConfig::default());
    let client = Binance::connect(config, credentials).unwrap();
    assert_eq!(client.positions().await.unwrap().len(), 1);
    let sent = requests(&server, "/fapi/v3/positionRisk").await.remove(0);
    let (payload, signature) = sent.strip_prefix("GET ").unwrap().split_once("&signature=").unwrap();
    let letters = signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    assert!(!signature.contains(['+', '/', '=']), "{signature}");
    (payload.to_owned(), base64_decode(&letters).unwrap())
}

#[tokio::test]
async fn an_rsa_key_signs_what_travels() {
    let (payload, signature) = signed_with(RSA, KeyKind::Rsa).await;
    assert_eq!(payload, "recvWindow=3000&timestamp=1795168799990");
    let pair = RsaKeyPair::from_pkcs8(&base64_decode(RSA).unwrap()).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    public.verify(payload.as_bytes(), &signature).unwrap();
}

#[tokio::test]
async fn an_ed25519_key_signs_what_travels() {
    let (payload, signature) = signed_with(ED25519_PRIVATE, KeyKind::Ed25519).await;
    let public = UnparsedPublicKey::new(&ED25519, base64_decode(ED25519_PUBLIC).unwrap());
    public.verify(payload.as_bytes(), &signature).unwrap();
}
