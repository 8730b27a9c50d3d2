//! Keys whose private half the exchange never sees.

use hedge_sim::binance::{Exchange, ExchangeConfig, PublicKey};
use reqwest::Method;
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::kit::{Desk, config};

pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// An Ed25519 public key as openssl writes it.
pub(crate) fn pem_of(public: &[u8]) -> String {
    let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    der.extend_from_slice(public);
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&der))
}

fn encoded(text: &str) -> String {
    text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

#[tokio::test]
async fn an_ed25519_key_signs_rest_requests() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[42; 32]).unwrap();
    let key = PublicKey::from_pem("ed", &pem_of(pair.public_key().as_ref())).unwrap();
    let desk = Desk::open(ExchangeConfig { public_keys: vec![key], ..config() }).await;
    for n in 0..8 {
        // Different signatures bring every letter that must be percent-encoded.
        let payload = format!("recvWindow={}&timestamp={}", 5_000 + n, desk.exchange.now_ms());
        let signature = base64(pair.sign(payload.as_bytes()).as_ref());
        let query = format!("{payload}&signature={}", encoded(&signature));
        let reply = desk.send(Method::GET, "/fapi/v3/balance", &query, None, Some("ed")).await;
        assert_eq!(reply.ok()[0]["asset"], "USDT");
        let other = format!("{payload}0&signature={}", encoded(&signature));
        desk.send(Method::GET, "/fapi/v3/balance", &other, None, Some("ed")).await.refused(400, -1022);
    }
    // The shared secret is another key: its holder cannot sign for this one.
    let payload = format!("timestamp={}", desk.exchange.now_ms());
    let query = format!("{payload}&signature={}", crate::kit::sign(&payload));
    desk.send(Method::GET, "/fapi/v3/balance", &query, None, Some("ed")).await.refused(400, -1022);
}

/// Made once with openssl; the private half was thrown away.
const RSA_PEM: &str = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApmjRAUVi1tgI15jpJWgI\nZM4VV0gE2ALh+dl4e1zpVz9J1hjbvW4jafOk4XAV2zZVZF69kAb+gTKMWkbG4F2q\nl2Wl9jEdtaJOGQJi+G4/kaCkHI6nu6PnxP55hpvYC47PqrA0rh6WBvpftWziZPcd\nUxkaGujUfB16aJui+bsfVDB86YGGMlBdRkvq6H2kUd9e8FGCpxvHZRrQGMJsd9k1\nvZJTWZFyp0blE0Uy6tXBDMBbSKlc3Uuznms5NxOI/jrzLFEjioxpPDdZecI/tmmT\nlXhvfjJS8t2+sg3mqgf6CLRF0OGGVwFkUg3vim4aKtMyV3zhZGNcabp3pFBk7zGJ\npwIDAQAB\n-----END PUBLIC KEY-----\n";
const RSA_PAYLOAD: &str = "recvWindow=60000&timestamp=1795168800123";
const RSA_SIGNATURE: &str = "f+IzT6zzqFxsKb0sn0LHJZ5ORraU1Gj8Pwy4Ql8kgYxeUe23RvaIGe0kGLLJ4X9eACYaX/2BsiOThNbP1Z3j3+Ic+HrvuawLCWkbgyxwR1AhoK+Ng0zeaEzeIFMYEtPPNh0K2qfi/UbO1BGZrIVBU3QwyHiZ/C2fSctNDPZybGFmAMUZy/2CLttWLIOdrdv/zcnZgl8r1Kycg8J8BFOnLsS6QtiEsIgQfolECO93xAk1Y8sYhMIJefzi83d4IWUFd4ZQzysuh3LiJ/Bgkip33Jda49BaJkCg+b5m0Z0AzbDZgCn8eedUtDzSNYZJmWXpsMUGZHGy7a5WJxPeVvHegA==";

#[tokio::test]
async fn an_rsa_key_signs_rest_requests() {
    let key = PublicKey::from_pem("rsa", RSA_PEM).unwrap();
    assert!(!key.is_ed25519());
    let start_ms = Some(1_795_168_800_123);
    let desk = Desk::open(ExchangeConfig { public_keys: vec![key], start_ms, ..config() }).await;
    let query = format!("{RSA_PAYLOAD}&signature={}", encoded(RSA_SIGNATURE));
    assert!(desk.send(Method::GET, "/fapi/v3/balance", &query, None, Some("rsa")).await.ok().is_array());
    let other = format!("recvWindow=60000&timestamp=1795168800124&signature={}", encoded(RSA_SIGNATURE));
    desk.send(Method::GET, "/fapi/v3/balance", &other, None, Some("rsa")).await.refused(400, -1022);
}

#[tokio::test]
async fn two_keys_of_one_name_are_refused() {
    let key = PublicKey::from_pem(hedge_sim::binance::ApiKey::DEMO_KEY, RSA_PEM).unwrap();
    let error = Exchange::start(ExchangeConfig { public_keys: vec![key], ..config() }).await.unwrap_err();
    assert!(error.to_string().contains("two keys have the name"), "{error}");
}
