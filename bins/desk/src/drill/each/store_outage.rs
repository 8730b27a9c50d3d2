//! What follows the journal is away: the ledger cannot be opened, the mirror never answers.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use hedge_store::{
    sqlite::LedgerReader,
    tee::{FollowerState, FollowerStatus, read_status},
};
use serde_json::{Value, json};

use crate::drill::{
    DrillError,
    catalog::Drill,
    checks::PROTECT_WITHIN_S,
    error::Step,
    process::last_json,
    programs::HEDGECTL,
    record::Check,
    scene::{Mark, PATIENCE, Scene},
    setup::Setup,
    workplace::private_folder,
};

const LEDGER: &str = "ledger.sqlite";
/// `store.flush_s` of this drill, and two seconds for what a stop takes besides.
const STOP_WITHIN_S: f64 = 5.0;
/// Records that gather while it is caught up with, at the pace of a drill.
const NEAR: u64 = 500;

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "store-outage",
    about: "the ledger cannot be opened for a while, and the mirror in Firestore hangs up on everybody",
    expected: &[
        "trading goes on as if nothing were: an order waits for the journal on this disk and for nothing else",
        "hedgectl status and the log say which of the two is behind",
        "within 45 s of being usable the ledger has every record; a stop waits for the mirror no longer than store.flush_s (3 s here)",
        "no order twice, no execution lost, no leg bare for longer than 4 s",
    ],
    usual: Duration::from_secs(6),
    least: Duration::from_secs(3),
    setup: Setup { runtime: "[store]\nflush_s = 3\n", ..Setup::USUAL },
    steps,
};

/// A server that takes connections and hangs up.
#[derive(Debug)]
struct HangsUp {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl HangsUp {
    fn open() -> Result<Self, DrillError> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(DrillError::Machine)?;
        let address = listener.local_addr().map_err(DrillError::Machine)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            for connection in listener.incoming() {
                drop(connection);
                if over.load(SeqCst) {
                    return;
                }
            }
        });
        Ok(Self { address, is_over, thread: Some(thread) })
    }
}

impl Drop for HangsUp {
    fn drop(&mut self) {
        self.is_over.store(true, SeqCst);
        // It waits for somebody who connects.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

fn steps(scene: &mut Scene) -> Step {
    let server = HangsUp::open()?;
    let mirror = server.address.to_string();
    let state = scene.path("state");
    // No file can have the name that a folder has.
    let in_the_way = state.join(LEDGER);
    private_folder(&in_the_way)?;
    scene.record.inject(json!({"folder": "ledger.sqlite", "instead_of": "the ledger's file"}));
    scene.record.inject(json!({"FIRESTORE_EMULATOR_HOST": mirror, "answers": "never"}));
    scene.begin(&[
        ("HEDGE__STORE__LEDGER", "true"),
        ("HEDGE__STORE__MIRROR", "firestore"),
        ("HEDGE__STORE__FIRESTORE__PROJECT", "drill"),
        ("FIRESTORE_EMULATOR_HOST", &mirror),
    ])?;
    let (openings, records) = (scene.tail.openings(), scene.tail.records);
    scene.pause(scene.run_for)?;
    let (opened, written) = (scene.tail.openings() - openings, scene.tail.records - records);
    let run_for_s = scene.run_for.as_secs_f64();
    scene.record.figure("openings a second while both are away", opened as f64 / run_for_s, "openings/s");
    let found = format!("{opened} openings and {written} records in {run_for_s:.0} s");
    scene.record.check("trading goes on", "1 opening at least", found, opened > 0);
    let told = scene.until(Duration::from_secs(30), |_| {
        let status = read_status(&state).unwrap_or_default();
        let is_away = |name: &str| {
            status.iter().any(|row| row.name == name && !matches!(row.state, FollowerState::Current))
        };
        let words: Vec<String> = status.iter().map(ToString::to_string).collect();
        Ok((is_away("ledger") && is_away("firestore")).then(|| words.join("; ")))
    })?;
    let found = told.unwrap_or_else(|| "not both are said to be behind".to_owned());
    scene.record.moment(format!("followers: {found}"));
    let args = ["status", "--json", "--state-dir", "state", "--config", "config"];
    let (_, lines) = scene.run_to_end(HEDGECTL, &args, Duration::from_secs(20))?;
    scene.record.add(status_tells(&last_json(&lines).unwrap_or_default()));
    let said = scene.executor()?.count("trading goes on");
    let found = format!("{said} lines");
    scene.record.check(
        "the log says that trading goes on without them",
        "2 lines at least",
        found,
        said >= 2,
    );

    fs::remove_dir(&in_the_way).map_err(DrillError::disk(&in_the_way))?;
    scene.record.moment("the ledger's file can be made");
    let since = scene.record.now_s();
    let current = scene.until(PATIENCE, |_| {
        let status = read_status(&state).unwrap_or_default();
        let is_near = |row: &FollowerStatus| {
            let lag = row.journal_next.0.saturating_sub(row.next.0);
            row.name == "ledger" && row.next.0 > 0 && row.state != FollowerState::Unreachable && lag < NEAR
        };
        Ok(status.iter().any(is_near).then_some(()))
    })?;
    let took_s = scene.record.now_s() - since;
    scene.record.figure("usable ledger to a current one", took_s, "s");
    let found = if current.is_some() { format!("after {took_s:.1} s") } else { "it is not".to_owned() };
    scene.record.check("the ledger catches up", "within 45 s", found, current.is_some() && took_s <= 45.0);
    scene.check_bare(Mark { note: 0, at_s: 0.0 }, PROTECT_WITHIN_S);
    let stopped_s = scene.finish()?;
    scene.record.figure("a stop while the mirror is away", stopped_s, "s");
    let (found, expected) = (format!("{stopped_s:.1} s"), format!("{STOP_WITHIN_S:.0} s at most"));
    scene.record.check(
        "a stop does not wait longer for the mirror",
        expected,
        found,
        stopped_s <= STOP_WITHIN_S,
    );
    scene.tail.follow();
    let records = scene.tail.records;
    let kept = LedgerReader::open(state.join(LEDGER)).and_then(|reader| reader.summary());
    let (found, passed) = match kept {
        Ok(summary) => (format!("{} of {records} records", summary.next), summary.next.0 == records),
        Err(error) => (error.to_string(), false),
    };
    scene.record.check("the ledger has every record", "all of them", found, passed);
    Ok(())
}

/// What `hedgectl status --json` says of those that follow the journal.
fn status_tells(status: &Value) -> Check {
    let state = |name: &str| {
        let rows = status["followers"].as_array().into_iter().flatten();
        rows.filter(|row| row["name"] == name).find_map(|row| row["state"].as_str())
    };
    let states = ["ledger", "firestore"].map(|name| (name, state(name).unwrap_or("not named")));
    let found = states.map(|(name, state)| format!("{name} {state}")).join(", ");
    // "connecting" while it is tried once more.
    let passed = states.iter().all(|(_, state)| ["unreachable", "connecting", "behind"].contains(state));
    Check::new(
        "hedgectl status tells which are behind",
        "ledger and firestore, neither current",
        found,
        passed,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_names_one_of_them_only_or_calls_it_current_tells_too_little() {
        let status = |ledger: &str, mirror: &str| json!({"followers": [{"name": "ledger", "state": ledger}, {"name": "firestore", "state": mirror}]});
        assert!(status_tells(&status("unreachable", "unreachable")).passed);
        assert!(!status_tells(&status("unreachable", "current")).passed);
        assert!(!status_tells(&json!({"followers": [{"name": "ledger", "state": "unreachable"}]})).passed);
        assert!(!status_tells(&Value::Null).passed);
    }

    #[test]
    fn a_server_that_hangs_up_ends_with_its_value() {
        let server = HangsUp::open().unwrap();
        let address = server.address;
        assert!(TcpStream::connect(address).is_ok());
        drop(server);
        assert!(TcpStream::connect(address).is_err());
    }
}
