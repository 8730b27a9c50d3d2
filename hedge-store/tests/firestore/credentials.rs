//! Tokens: signed claims, refreshes, refusals, and that no secret is ever shown.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hedge_core::{Seq, StateStore};
use hedge_http::sign::base64_decode;
use hedge_store::firestore::{Access, Firestore, FirestoreConfig, FirestoreError};
use hedge_testkit::{
    firestore::{FakeFirestore, Fault},
    records::records,
};
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::path};

use crate::{common::TempDir, stage::config};

/// PKCS#8 of a 2048-bit RSA key that was made for tests and opens nothing, base64.
const KEY: &str = include_str!("../../../hedge-http/tests/keys/rsa_of_tests.txt");
const TOKEN: &str = "ya29.tokenOfThisTest";

fn pem() -> String {
    let lines: Vec<&str> =
        KEY.trim().as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

fn key_file(dir: &TempDir, token_uri: &str, mode: u32, change: impl FnOnce(&mut Value)) -> PathBuf {
    let mut file = json!({
        "type": "service_account", "project_id": "hedge-tests", "private_key_id": "key-1", "private_key": pem(),
        "client_email": "bot@hedge-tests.example", "client_id": "1", "token_uri": token_uri,
    });
    change(&mut file);
    let path = dir.path().join("key.json");
    fs::write(&path, file.to_string()).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    path
}

/// Who issues tokens: counts, and keeps the last question.
struct Issuer {
    server: MockServer,
    asked: Arc<AtomicUsize>,
    last: Arc<Mutex<Option<Request>>>,
}

impl Issuer {
    /// One that answers the n-th question (from 1) with that status and body.
    async fn start(answer: impl Fn(usize) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let server = MockServer::start().await;
        let (asked, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
        let (count, keep) = (Arc::clone(&asked), Arc::clone(&last));
        let respond = move |request: &Request| {
            *keep.lock().unwrap() = Some(request.clone());
            let (status, body) = answer(count.fetch_add(1, Ordering::SeqCst) + 1);
            ResponseTemplate::new(status).set_body_json(body)
        };
        Mock::given(path("/token")).respond_with(respond).mount(&server).await;
        Self { server, asked, last }
    }
    fn uri(&self) -> String {
        format!("{}/token", self.server.uri())
    }
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn granted(token: &str, seconds: u64) -> (u16, Value) {
    (200, json!({"access_token": token, "expires_in": seconds, "token_type": "Bearer"}))
}

fn with(fake: &FakeFirestore, access: Access) -> FirestoreConfig {
    FirestoreConfig { access, ..config(&fake.host(), "paper") }
}

fn decoded(part: &str) -> Vec<u8> {
    let standard = part.replace('-', "+").replace('_', "/");
    base64_decode(&format!("{standard}{}", "=".repeat((4 - part.len() % 4) % 4))).unwrap()
}

#[tokio::test]
async fn a_service_account_exchanges_a_signed_claim_for_a_token() {
    let fake = FakeFirestore::start().await;
    fake.require_token(TOKEN);
    let issuer = Issuer::start(|_| granted(TOKEN, 3_599)).await;
    let dir = TempDir::new();
    let file = key_file(&dir, &issuer.uri(), 0o600, |_| {});
    let store = Firestore::new(with(&fake, Access::ServiceAccount(file))).unwrap();
    store.append(Seq(0), &records(0..2)).await.unwrap();
    assert_eq!(issuer.asked(), 1, "one token for all calls");

    let question = issuer.last.lock().unwrap().take().unwrap();
    assert_eq!(question.headers["content-type"], "application/x-www-form-urlencoded");
    let body = String::from_utf8(question.body).unwrap();
    let claim = body
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .unwrap_or_else(|| panic!("{body}"));
    let parts: Vec<&str> = claim.split('.').collect();
    let header: Value = serde_json::from_slice(&decoded(parts[0])).unwrap();
    assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"}));
    let claims: Value = serde_json::from_slice(&decoded(parts[1])).unwrap();
    assert_eq!(claims["iss"], "bot@hedge-tests.example");
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/datastore");
    assert_eq!(claims["aud"], issuer.uri());
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3_600);
    let pair = RsaKeyPair::from_pkcs8(&base64_decode(KEY).unwrap()).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    public.verify(format!("{}.{}", parts[0], parts[1]).as_bytes(), &decoded(parts[2])).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_at_once_ask_for_one_token() {
    let fake = FakeFirestore::start().await;
    let issuer = Issuer::start(|_| granted(TOKEN, 3_599)).await;
    let dir = TempDir::new();
    let file = key_file(&dir, &issuer.uri(), 0o600, |_| {});
    let store = Arc::new(Firestore::new(with(&fake, Access::ServiceAccount(file))).unwrap());
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.next_seq().await.unwrap() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), Seq(0));
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_then_told() {
    let fake = FakeFirestore::start().await;
    let issuer = Issuer::start(|n| granted(&format!("{TOKEN}-{n}"), 3_599)).await;
    let dir = TempDir::new();
    let file = key_file(&dir, &issuer.uri(), 0o600, |_| {});
    let store = Firestore::new(with(&fake, Access::ServiceAccount(file))).unwrap();
    fake.fail_next(Fault::Unauthenticated);
    assert_eq!(store.next_seq().await.unwrap(), Seq(0));
    assert_eq!((issuer.asked(), fake.calls().len()), (2, 2));

    fake.require_token("another one");
    let error = store.next_seq().await.unwrap_err();
    assert!(matches!(FirestoreError::of(&error), Some(FirestoreError::Unauthenticated { .. })), "{error:?}");
    assert_eq!((issuer.asked(), fake.calls().len()), (3, 4), "one fresh token was tried");
    assert!(!format!("{error} {error:?}").contains("ya29"), "{error:?}");
}

#[tokio::test]
async fn a_token_is_replaced_before_its_end_and_serves_until_then_if_that_fails() {
    let fake = FakeFirestore::start().await;
    // Its life is two seconds, so half of it is left at the refresh, which fails.
    let issuer = Issuer::start(|n| match n {
        1 => granted(TOKEN, 2),
        2 => (500, json!({"error": "internal_failure"})),
        n => granted(&format!("{TOKEN}-{n}"), 3_599),
    })
    .await;
    let dir = TempDir::new();
    let file = key_file(&dir, &issuer.uri(), 0o600, |_| {});
    let store = Firestore::new(with(&fake, Access::ServiceAccount(file))).unwrap();
    let begun = Instant::now();
    while issuer.asked() < 3 {
        store.next_seq().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60), "the token is never replaced");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The refresh came after half the life, and after the failed one the old token served until its end.
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_issuer_that_says_no_is_told_with_what_to_check_and_not_asked_again() {
    let fake = FakeFirestore::start().await;
    let issuer = Issuer::start(|_| {
        (400, json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}))
    })
    .await;
    let dir = TempDir::new();
    let file = key_file(&dir, &issuer.uri(), 0o600, |_| {});
    let store = Firestore::new(with(&fake, Access::ServiceAccount(file))).unwrap();
    let error = store.next_seq().await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(
            "gives no token: invalid_grant Invalid JWT Signature.; check that the key still exists"
        ),
        "{text}"
    );
    assert!(!FirestoreError::of(&error).unwrap().is_retryable());
    assert_eq!((issuer.asked(), fake.calls().len()), (1, 0));
}

#[tokio::test]
async fn the_metadata_server_is_asked_with_its_header() {
    let fake = FakeFirestore::start().await;
    fake.require_token(TOKEN);
    let server = MockServer::start().await;
    let respond = |request: &Request| match request.headers.get("metadata-flavor") {
        Some(flavor) if flavor == "Google" => {
            let (status, body) = granted(TOKEN, 3_599);
            ResponseTemplate::new(status).set_body_json(body)
        }
        _ => ResponseTemplate::new(403),
    };
    let token = path("/computeMetadata/v1/instance/service-accounts/default/token");
    Mock::given(token).respond_with(respond).mount(&server).await;
    let host = server.address().to_string();
    let store = Firestore::new(with(&fake, Access::Metadata { host })).unwrap();
    assert_eq!(store.next_seq().await.unwrap(), Seq(0));
}

#[tokio::test]
async fn a_key_file_that_cannot_be_used_is_explained_in_one_line_without_its_content() {
    let refused = |mode: u32, change: &dyn Fn(&mut Value)| {
        let dir = TempDir::new();
        let file = key_file(&dir, "https://issuer.example/token", mode, |json| change(json));
        let config = FirestoreConfig::new("p", "paper", Access::ServiceAccount(file.clone()));
        let error = Firestore::new(config).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&file.display().to_string()), "{text}");
        assert!(
            !text.contains('\n') && !text.contains("MIIE") && !format!("{error:?}").contains("MIIE"),
            "{error:?}"
        );
        text
    };
    if cfg!(unix) {
        let text = refused(0o640, &|_| {});
        assert!(text.contains(": others can read it (mode 640); run: chmod 600 "), "{text}");
    }
    for (change, expected) in [
        (
            &(|json: &mut Value| json["type"] = "authorized_user".into()) as &dyn Fn(&mut Value),
            "its type is \"authorized_user\"",
        ),
        (&|json| drop(json.as_object_mut().unwrap().remove("private_key")), "it has no private_key"),
        (&|json| drop(json.as_object_mut().unwrap().remove("client_email")), "it has no client_email"),
        (&|json| json["private_key"] = "nothing".into(), "private_key: "),
        (&|json| json["private_key"] = pem().replace("MIIE", "MIIF").into(), "private_key: "),
        (
            &|json| *json = json!({"type": 7, "private_key": pem()}),
            "it is not a service account's key file (line 1 column",
        ),
    ] {
        let text = refused(0o600, change);
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn nothing_that_a_store_shows_holds_a_secret() {
    let fake = FakeFirestore::start().await;
    let issuer = Issuer::start(|_| granted(TOKEN, 3_599)).await;
    let dir = TempDir::new();
    let file = key_file(&dir, &issuer.uri(), 0o600, |_| {});
    let store = Firestore::new(with(&fake, Access::ServiceAccount(file))).unwrap();
    store.next_seq().await.unwrap();
    fake.fail_times(20, Fault::Garbage);
    let error = store.next_seq().await.unwrap_err();
    let shown = format!("{store:?} {store:#?} {} {error} {error:?} {:?}", store.describe(), store.usage());
    for secret in ["ya29", "MIIE", "BEGIN PRIVATE", "assertion=", "eyJ"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
