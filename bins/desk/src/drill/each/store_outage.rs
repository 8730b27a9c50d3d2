//! What follows the journal is away: the ledger cannot be opened, the mirror never answers.

use std::{fs, net::TcpListener, thread, time::Duration};

use hedge_store::{
    sqlite::LedgerReader,
    tee::{FollowerState, FollowerStatus, read_status},
};
use serde_json::json;

use crate::drill::{
    DrillError,
    catalog::Drill,
    error::Step,
    scene::{PATIENCE, PROTECT_WITHIN_S, Scene},
    setup::Setup,
    workplace::private_folder,
};

const LEDGER: &str = "ledger.sqlite";
/// Records that gather while it is caught up with, at the pace of a drill.
const NEAR: u64 = 500;

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "store-outage",
    about: "the ledger cannot be opened for a while, and the mirror in Firestore hangs up on everybody",
    expected: &[
        "trading goes on as if nothing were: an order waits for the journal on this disk and for nothing else",
        "hedgectl status and the log say which of the two is behind",
        "within 45 s of being usable the ledger has every record; a stop waits for the mirror no longer than store.flush_s",
        "no order twice, no execution lost, no leg bare for longer than 4 s",
    ],
    usual: Duration::from_secs(6),
    least: Duration::from_secs(3),
    setup: Setup { runtime: "[store]\nflush_s = 3\n", ..Setup::USUAL },
    steps,
};

/// A server that takes connections and hangs up.
fn hangs_up() -> Result<String, DrillError> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(DrillError::Machine)?;
    let address = listener.local_addr().map_err(DrillError::Machine)?.to_string();
    thread::spawn(move || listener.incoming().for_each(drop));
    Ok(address)
}

fn steps(scene: &mut Scene) -> Step {
    let mirror = hangs_up()?;
    let state = scene.path("state");
    // No file can have the name that a folder has.
    let in_the_way = state.join(LEDGER);
    private_folder(&in_the_way)?;
    scene.record.inject(json!({"folder": "ledger.sqlite", "instead_of": "the ledger's file"}));
    scene.record.inject(json!({"FIRESTORE_EMULATOR_HOST": mirror, "answers": "never"}));
    scene.start(&[
        ("HEDGE__STORE__LEDGER", "true"),
        ("HEDGE__STORE__MIRROR", "firestore"),
        ("HEDGE__STORE__FIRESTORE__PROJECT", "drill"),
        ("FIRESTORE_EMULATOR_HOST", &mirror),
    ])?;
    let from_s = scene.record.now_s();
    scene.until_trading()?;
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
    let passed = told.is_some();
    let found = told.unwrap_or_else(|| "not both are said to be behind".to_owned());
    scene.record.check("it is said which are behind", "ledger and firestore", found, passed);
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
    scene.check_bare(from_s, PROTECT_WITHIN_S);
    scene.finish()?;
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
