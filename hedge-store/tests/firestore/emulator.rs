//! The same on Google's emulator, where its package and Java are installed.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use hedge_core::{Seq, StateStore, StoreError, Timestamp, View};
use hedge_store::firestore::{FirestoreConfig, LeaseError};
use hedge_testkit::{
    conformance::store,
    records::{record, records},
};

use crate::{
    lease::lease,
    stage::{NAV, journal},
    suite::Installation,
};

/// The package of the emulator.
const PACKAGE: &str = "google-cloud-cli-firestore-emulator";
const CLASS: &str = "com.google.cloud.datastore.emulator.firestore.CloudFirestore";

/// A running emulator; its JVM ends with this value.
struct Emulator {
    host: String,
    jvm: Option<Child>,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(jvm) = &mut self.jvm {
            jvm.kill().ok();
            jvm.wait().ok();
        }
    }
}

fn jar() -> Result<PathBuf, String> {
    let listed = Command::new("dpkg").args(["-L", PACKAGE]).output();
    let listed = listed.ok().filter(|output| output.status.success());
    let listed = listed.ok_or_else(|| format!("the package {PACKAGE} is not installed"))?;
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let jar = text.lines().find(|line| line.ends_with(".jar")).map(PathBuf::from);
    jar.filter(|jar| jar.is_file()).ok_or_else(|| format!("the package {PACKAGE} has no jar"))
}

/// The one that `FIRESTORE_EMULATOR_HOST` names, or one of our own.
async fn emulator() -> Result<Emulator, String> {
    if let Ok(host) = std::env::var("FIRESTORE_EMULATOR_HOST") {
        return Ok(Emulator { host, jvm: None });
    }
    let jar = jar()?;
    let java = Command::new("java").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !java.is_ok_and(|status| status.success()) {
        return Err("java does not run".to_owned());
    }
    let port = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|free| free.local_addr())
        .map_err(|e| e.to_string())?
        .port();
    // The class itself: the package's script would leave the JVM alive when it is killed.
    let jvm = Command::new("java")
        .args(["-Xmx384m", "-Duser.language=en", "-cp"])
        .arg(jar)
        .args([CLASS, "start", "--host=127.0.0.1", &format!("--port={port}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("java: {error}"))?;
    let emulator = Emulator { host: format!("127.0.0.1:{port}"), jvm: Some(jvm) };
    let begun = Instant::now();
    let http = hedge_http::HttpClient::new(&hedge_http::HttpConfig::default()).unwrap();
    loop {
        let url = format!("http://{}/", emulator.host);
        let answer = http.send(hedge_http::Request::new(hedge_http::Method::Get, url)).await;
        if answer.is_ok_and(|answer| answer.status == 200) {
            return Ok(emulator);
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "the emulator does not come up");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_firestore_store_conforms_on_the_real_emulator() {
    let emulator = match emulator().await {
        Ok(emulator) => emulator,
        Err(why) => {
            println!("SKIP the Firestore emulator: {why}");
            return;
        }
    };
    let host = emulator.host.as_str();
    store::all(|| Installation::fresh(host)).await;
    refusals_are_read_as_the_service_words_them(host).await;
    a_lease_changes_hands(host).await;
    points_of_the_nav_series_are_added_once(host).await;
    values_of_every_kind_come_back(host).await;
    println!("DATA TEST the Firestore emulator at {host}");
}

async fn refusals_are_read_as_the_service_words_them(host: &str) {
    let place = Installation::fresh(host);
    let (first, second) = (place.store(), place.store());
    first.append(Seq(0), &records(0..1)).await.unwrap();
    second.append(Seq(1), &records(1..3)).await.unwrap();
    match first.append(Seq(1), &[record(1, "mine")]).await {
        Err(StoreError::Conflict { expected: Seq(1), found: Seq(3) }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(journal(&first).await, records(0..3));
    // A view whose version somebody else has replaced.
    let view = |n: u64| View { as_of: Seq(n), json: format!(r#"{{"n":{n}}}"#) };
    first.put_view(&NAV, &view(1)).await.unwrap();
    second.put_view(&NAV, &view(2)).await.unwrap();
    first.put_view(&NAV, &view(3)).await.unwrap();
    assert_eq!(second.get_view(&NAV).await.unwrap(), Some(view(3)));
    // An installation that begins later.
    let late = Installation::fresh(host).store();
    late.start_at(Seq(7)).await.unwrap();
    late.start_at(Seq(7)).await.unwrap();
    assert_eq!(late.append(Seq(7), &records(7..9)).await.unwrap(), Seq(9));
}

async fn a_lease_changes_hands(host: &str) {
    let place = Installation::fresh(host);
    let wall = Timestamp::from_ms(1_795_165_200_000);
    let ttl = Duration::from_secs(3);
    let (a, b) = (lease(&place.store(), "boot-a", ttl), lease(&place.store(), "boot-b", ttl));
    let mut grant = a.acquire(wall).await.unwrap();
    assert!(matches!(b.acquire(wall).await, Err(LeaseError::Held { .. })));
    a.renew(&mut grant, wall).await.unwrap();
    let begun = Instant::now();
    let taken = loop {
        match b.acquire(wall).await {
            Ok(taken) => break taken,
            Err(LeaseError::Held { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => panic!("{error}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the lease never runs out");
    };
    assert_eq!(taken.term().0, grant.term().0 + 1);
    assert!(!grant.is_valid(Instant::now()), "the former holder had stopped before");
    assert!(matches!(a.renew(&mut grant, wall).await, Err(LeaseError::Lost { .. })));
    b.release(taken, wall).await.unwrap();
    assert_eq!(a.acquire(wall).await.unwrap().term().0, 3);
}

async fn points_of_the_nav_series_are_added_once(host: &str) {
    let place = Installation::fresh(host);
    let json = r#"{"series":[{"t":"2026-11-20T09:00:00.000Z","nav":"1.10"},{"t":"2026-11-20T09:05:00.000Z","nav":"1.20"}]}"#;
    let view = View { as_of: Seq(1), json: json.to_owned() };
    for _ in 0..2 {
        place.store().put_view(&NAV, &view).await.unwrap();
    }
    let navs: Vec<String> =
        place.store().nav_day("20261120").await.unwrap().into_iter().map(|p| p.nav).collect();
    assert_eq!(navs, ["1.10", "1.20"]);
}

/// What a view can hold, as typed fields: the service takes each of them.
async fn values_of_every_kind_come_back(host: &str) {
    let place = Installation::fresh(host);
    let config: &FirestoreConfig = &place.store().config().clone();
    assert_eq!(config.env, place.env);
    let json = r#"{"a":null,"b":true,"c":-7,"d":1.50,"e":1e30,"f":"x","g":[],"h":{},"i":[[1],[]],"j.k":1,"`l`":[{"m":[1]}]}"#;
    let view = View { as_of: Seq(1), json: json.to_owned() };
    let store = place.store();
    store.put_view(&NAV, &view).await.unwrap();
    assert_eq!(store.get_view(&NAV).await.unwrap(), Some(view));
}
