//! `hedgectl arm`, `disarm` and `doctor`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use hedge_sim::binance::ApiKey;
use serde_json::Value;
use support::{Folder, Run, hedgectl_in, hedgectl_with, venue::Venue, without_our_variables};

/// Types into a pseudo terminal what `lines` say, once the program has printed its question.
const TYPIST: &str = r#"
import os, pty, select, sys
question, answer, argv = sys.argv[1], sys.argv[2], sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(argv[0], argv)
seen, typed = b"", False
while True:
    try:
        part = os.read(fd, 4096)
    except OSError:
        break
    if not part:
        break
    seen += part
    if not typed and question.encode() in seen:
        typed = True
        os.write(fd, answer.encode() + b"\n")
_, status = os.waitpid(pid, 0)
sys.stdout.write(seen.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(status))
"#;

fn has_python() -> bool {
    let found = Command::new("python3").args(["-c", "import pty, os; os.waitstatus_to_exitcode"]).output();
    let is_there = found.is_ok_and(|output| output.status.success());
    if !is_there {
        println!("SKIP: no python3 with pty; the question on a terminal is not tested");
    }
    is_there
}

/// Runs `hedgectl` on a pseudo terminal; stdout and stderr are one there.
async fn on_a_terminal(venue: &Venue, folder: &Folder, args: &[&str], question: &str, answer: &str) -> Run {
    let mut command = Command::new("python3");
    without_our_variables(&mut command);
    command
        .args(["-c", TYPIST, question, answer, env!("CARGO_BIN_EXE_hedgectl")])
        .args(args)
        .current_dir(&folder.0)
        .env("HEDGE__BINANCE__REST_URL", venue.exchange.rest_url())
        .env("HEDGE__BINANCE__WS_URL", venue.exchange.ws_url())
        .env("BINANCE_API_KEY", ApiKey::DEMO_KEY)
        .env("BINANCE_API_SECRET", ApiKey::DEMO_SECRET)
        .env("LOG_LEVEL", "trace")
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

const REHEARSAL: [&str; 7] = ["arm", "--profile", "mainnet", "--rehearse", "--operator", "ann", "--days=3"];

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_types_the_phrase_consents_and_disarm_takes_it_back() {
    if !has_python() {
        return;
    }
    let (venue, folder) = (Venue::prepared().await, Folder::new());
    let fingerprint = key_digest(&venue, &folder).await;
    let phrase = format!("trade real money with {}", &fingerprint[..8]);
    let run = on_a_terminal(&venue, &folder, &REHEARSAL, "to consent: ", &phrase).await;
    assert_eq!(run.code, 0, "{run:?}");
    for part in
        [venue.exchange.rest_url().as_str(), &fingerprint, "operator       ann", "(3 days)", " 0 failed"]
    {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    for secret in [ApiKey::DEMO_KEY, ApiKey::DEMO_SECRET] {
        assert!(!run.stdout.contains(secret), "{}", run.stdout);
    }
    let path = folder.0.join("state/consent.json");
    let consent: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(consent["operator"], "ann");
    assert_eq!(consent["environment"], "loopback");
    assert_eq!(consent["host"], venue.exchange.rest_url());
    assert_eq!(consent["key_digest"], fingerprint);
    assert_eq!((mode(&path), mode(&folder.0.join("state"))), (0o600, 0o700));

    let run = hedgectl_in(&folder, &["disarm"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!path.exists() && run.stdout.contains("is taken back"), "{run:?}");
    assert!(hedgectl_in(&folder, &["disarm"]).stdout.contains("there is no consent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_phrase_is_no_consent() {
    if !has_python() {
        return;
    }
    let (venue, folder) = (Venue::prepared().await, Folder::new());
    for answer in ["yes", "trade real money with 00000000", ""] {
        let run = on_a_terminal(&venue, &folder, &REHEARSAL, "to consent: ", answer).await;
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stdout.contains("that is not the phrase"), "{run:?}");
        assert!(!folder.0.join("state").exists(), "nothing is written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_preflight_is_not_armed_and_nobody_is_asked() {
    if !has_python() {
        return;
    }
    let (venue, folder) = (Venue::start().await, Folder::new());
    venue.bid("ETHUSDT", "0.1", None, "by-hand-1");
    let run = on_a_terminal(&venue, &folder, &REHEARSAL, "to consent: ", "whatever").await;
    assert_eq!(run.code, 10, "{run:?}");
    assert!(
        !run.stdout.contains("to consent: ") && run.stdout.contains("preflight failed: hedge mode"),
        "{run:?}"
    );
    assert!(!folder.0.join("state").exists(), "nothing is written");
}

async fn key_digest(venue: &Venue, folder: &Folder) -> String {
    let run = venue.hedgectl(folder, &["preflight", "--json", "--profile", "mainnet"], &[]).await;
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    report["fingerprint"]["key_digest"].as_str().unwrap().to_owned()
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_or_without_need_nothing_is_asked_and_nothing_written() {
    let (venue, folder) = (Venue::prepared().await, Folder::new());
    for profile in ["paper", "testnet", "mainnet-dry", "mainnet"] {
        let run = venue.hedgectl(&folder, &["arm", "--profile", profile], &[]).await;
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(run.stdout.matches("no consent is needed").count(), 1, "{run:?}");
    }
    let run = venue.hedgectl(&folder, &REHEARSAL, &[]).await;
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:?}");
    let errors: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors, ["error: a person must consent at a terminal; this is none, so nothing was written"]);
    // The real host: refused before a request, and a variable that makes it dry needs no consent.
    let keys = [("BINANCE_API_KEY", ApiKey::DEMO_KEY), ("BINANCE_API_SECRET", ApiKey::DEMO_SECRET)];
    let run = hedgectl_with(&folder.0, &["arm", "--profile", "mainnet"], &keys);
    assert_eq!((run.code, run.stderr.contains("a person must consent at a terminal")), (1, true), "{run:?}");
    let dry = [("DRY_RUN", "1")];
    let run = hedgectl_with(&folder.0, &["arm", "--profile", "mainnet"], &dry);
    assert_eq!(
        (run.code, run.stdout.contains("profile mainnet-dry trades no real money")),
        (0, true),
        "{run:?}"
    );
    assert!(!folder.0.join("state").exists());
}

fn doctor(run: &Run) -> Vec<(String, String, String)> {
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    assert_eq!(report["ok"], (run.code == 0), "{run:?}");
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap();
    checks.iter().map(|check| (text(check, "name"), text(check, "result"), text(check, "found"))).collect()
}

fn failed(run: &Run) -> Vec<String> {
    doctor(run).into_iter().filter(|(_, result, _)| result == "failed").map(|(name, _, _)| name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_fit_is_said_to_be_and_keys_are_named_and_not_shown() {
    let (venue, folder) = (Venue::prepared().await, Folder::new());
    let trace = [("LOG_LEVEL", "trace"), ("RUST_LOG", "trace")];
    let run = venue.hedgectl(&folder, &["doctor", "--json", "--profile", "mainnet"], &trace).await;
    assert_eq!((run.code, failed(&run)), (0, vec![]), "{run:?}");
    let line = format!("[preflight] profile=mainnet base={} testnet=False", venue.exchange.rest_url());
    assert!(run.stderr.contains(&line), "before the first request: {run:?}");
    let names: Vec<String> = doctor(&run).into_iter().map(|(name, _, _)| name).collect();
    for name in [
        "variables",
        "configuration",
        "profile",
        "keys",
        "clock (system)",
        "host (REST)",
        "host (streams)",
        "clock (venue)",
        "permissions",
        "disk",
        "journal",
        "fence",
        "executor",
    ] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    for secret in [ApiKey::DEMO_KEY, ApiKey::DEMO_SECRET] {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{run:?}");
    }
    assert!(!folder.0.join("state").exists(), "looking makes nothing");
}

#[test]
fn what_is_missing_is_named_and_the_network_is_left_alone_on_request() {
    let folder = Folder::new();
    let run = hedgectl_in(&folder, &["doctor", "--json", "--offline", "--profile", "mainnet"]);
    assert_eq!((run.code, failed(&run)), (1, vec!["keys".to_owned()]), "{run:?}");
    assert!(run.stderr.contains("not fit to run an executor: keys"), "{run:?}");
    let checks = doctor(&run);
    assert!(!checks.iter().any(|(name, _, _)| name.starts_with("host")), "{checks:?}");
    assert!(!run.stderr.contains("[preflight]"), "nothing is asked: {run:?}");
    let keys = checks.iter().find(|(name, _, _)| name == "keys").unwrap();
    assert_eq!(keys.2, "not set: BINANCE_API_KEY, BINANCE_API_SECRET");
    assert_eq!(hedgectl_in(&folder, &["doctor", "--offline"]).code, 0);
}

#[cfg(unix)]
#[test]
fn files_that_others_can_read_are_named_with_the_command_that_helps() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let restrict = |name: &str, mode: u32| {
        fs::set_permissions(folder.0.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let mut env_file = fs::File::create(folder.0.join(".env")).unwrap();
    writeln!(env_file, "BINANCE_API_KEY=a-key-that-nobody-sees").unwrap();
    restrict(".env", 0o644);
    let run = hedgectl_in(&folder, &["doctor", "--json", "--offline"]);
    assert_eq!((run.code, failed(&run)), (1, vec!["variables".to_owned()]), "{run:?}");
    assert!(run.stdout.contains("chmod 600 .env") && !run.stdout.contains("a-key-that"), "{run:?}");

    restrict(".env", 0o600);
    folder.write("state/nav.json", "{}");
    restrict("state", 0o750);
    restrict("state/nav.json", 0o644);
    let run = hedgectl_in(&folder, &["doctor", "--json", "--offline", "--profile", "mainnet"]);
    let checks = doctor(&run);
    let permissions = checks.iter().find(|(name, _, _)| name == "permissions").unwrap();
    assert_eq!(
        (permissions.1.as_str(), permissions.2.as_str()),
        ("warning", "state is 0750, state/nav.json is 0644")
    );
}

#[test]
fn a_configuration_that_cannot_be_used_is_told_line_by_line() {
    let folder = Folder::new();
    folder.write("config/runtime.toml", "[journal]\ndurability = \"maybe\"\n");
    let run = hedgectl_in(&folder, &["doctor", "--json", "--offline"]);
    assert_eq!((run.code, failed(&run)), (1, vec!["configuration".to_owned()]), "{run:?}");
}
