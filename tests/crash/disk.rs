//! Disks that fail: the exits still go out before, exit code 74 when they do, stops stay, and the panic close works.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    stage::{READY, Stage},
    support::{following::Following, released, stdout},
    venue::Legs,
};

/// Exit code of a journal that cannot be written or read.
const JOURNAL: i32 = 74;
const PATIENCE: Duration = Duration::from_secs(60);

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Some legs are open, and all have their stops.
fn wait_for_legs(stage: &Stage) {
    wait_until("open legs with stops", || {
        let account = stage.venue.account(false);
        account.legs.len() >= 3 && account.bare().is_empty()
    });
}

/// Kills a process at a moment in which no leg waits for its stop: nobody would bring it.
fn kill_when_covered(stage: &Stage, pid: &str) {
    let signal = |name: &str| assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
    let began = Instant::now();
    loop {
        signal("-STOP");
        // What is on its way arrives.
        thread::sleep(Duration::from_millis(50));
        if stage.venue.account(false).bare().is_empty() {
            return signal("-KILL");
        }
        signal("-CONT");
        assert!(began.elapsed() < PATIENCE, "there is always a leg without a stop");
    }
}

/// Nobody trades: what is open closes by its stops and take-profits only, and those stops are there.
fn stops_are_still_there(stage: &Stage) {
    let account = stage.venue.account(false);
    assert_eq!(account.bare(), [], "{account:#?}");
}

fn panic_close_works(stage: &Stage) {
    let mut command = stage.program("hedge-panic-close");
    let output =
        command.args(["--config", "config", "--yes", "--json", "--state-dir", "d"]).output().unwrap();
    is_flat(stage, &output);
}

fn is_flat(stage: &Stage, output: &Output) {
    let says = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{says}");
    let told = stdout(output);
    let verdict: Value = serde_json::from_str(told.last().unwrap()).unwrap();
    assert_eq!(verdict["flat"], true, "{says}");
    assert_eq!(stage.venue.account(false).legs, Legs::new(), "{says}");
}

/// The last thing that was said is one sentence about the journal.
fn last_words(run: &Following) -> &str {
    run.seen.iter().rev().find(|line| line.starts_with("hedge-executor: ")).map_or("", String::as_str)
}

#[test]
fn a_write_that_the_disk_refuses_ends_it_with_74_and_nothing_more_is_sent() {
    for point in ["journal.before_write:60", "journal.mid_write:60", "journal.after_write:60"] {
        let stage = Stage::new("crash-refused");
        let mut audit = stage.audit();
        let mut run = stage.start(Some(&format!("{point}=full")));
        run.wait_for(READY);
        assert_eq!(run.end(), Some(JOURNAL), "{point}: {:#?}", run.seen);
        let says = last_words(&run);
        assert!(says.contains("free some space on that disk"), "{point}: {says}");
        // Everything that the exchange has had stands in the journal, although its end was refused.
        audit.tail.follow();
        for id in stage.venue.account(true).orders.keys() {
            assert!(audit.tail.approved.contains_key(id), "{point}: {id} was sent and is not in the journal");
        }
        // With room again everything is taken up, and what was filled in the last moment gets its stop.
        let (mut run, _) = stage.start_to_ready();
        audit.wait_for_cover();
        audit.wait_for_agreement(true);
        assert_eq!(run.stop("-TERM").1, Some(0));
    }
}

#[test]
fn a_view_that_cannot_be_written_stops_no_trading() {
    let stage = Stage::new("crash-views");
    let mut audit = stage.audit();
    let mut run = stage.start(Some("view.before_rename=full"));
    run.wait_for(READY);
    wait_for_legs(&stage);
    audit.wait_for_agreement(true);
    assert!(!stage.dir().join("positions.json").exists(), "no view was written");
    assert_eq!(run.stop("-TERM").1, Some(0), "{:#?}", run.seen);
    let warned = run.seen.iter().any(|line| line.contains("WARN") && line.contains("view"));
    assert!(warned, "{:#?}", run.seen);
}

#[test]
fn a_journal_that_somebody_removes_ends_it_with_74() {
    let stage = Stage::new("crash-removed");
    let (mut run, _) = stage.start_to_ready();
    wait_for_legs(&stage);
    fs::remove_dir_all(stage.dir().join("journal")).unwrap();
    assert_eq!(run.end(), Some(JOURNAL), "{:#?}", run.seen);
    assert!(
        last_words(&run).contains("was removed while this process was writing it"),
        "{}",
        last_words(&run)
    );
    panic_close_works(&stage);
}

#[test]
fn a_damaged_segment_is_named_and_left_alone_and_the_legs_keep_their_stops() {
    let stage = Stage::new("crash-damaged");
    let mut audit = stage.audit();
    let (mut run, _) = stage.start_to_ready();
    wait_for_legs(&stage);
    run.signal("-KILL");
    run.end();
    let path = stage.dir().join("journal/00000000000000000000.jsonl");
    let whole = fs::read(&path).unwrap();
    let line = 1 + whole[..whole.len() / 2].iter().filter(|byte| **byte == b'\n').count();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(&path, &damaged).unwrap();

    let mut refused = stage.start(None);
    assert_eq!(refused.end(), Some(JOURNAL), "{:#?}", refused.seen);
    let says = last_words(&refused).to_owned();
    assert!(
        says.contains("00000000000000000000.jsonl") && says.contains(&format!("line {line}")),
        "{line}: {says}"
    );
    assert_eq!(fs::read(&path).unwrap(), damaged, "nothing was changed");

    // The journal as it was goes on, however long it was away.
    fs::write(&path, &whole).unwrap();
    let (mut run, _) = stage.start_to_ready();
    audit.wait_for_cover();
    audit.wait_for_agreement(true);
    run.signal("-KILL");
    run.end();
    // And without a journal that can be read there is still the way out.
    fs::write(&path, &damaged).unwrap();
    panic_close_works(&stage);
}

/// Runs a shell script in a mount namespace of its own, with what it may call as arguments.
fn in_namespace(stage: &Stage, script: &str) -> Command {
    let mut command = stage.program("hedge-executor");
    let mut outer = Command::new("unshare");
    outer.current_dir(stage.temp.path()).args(["-Urm", "sh", "-c", script, "sh"]);
    outer.arg(released("hedge-executor")).arg(released("hedge-panic-close")).args(Stage::arguments());
    stage.point(&mut command);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

/// Whether file systems can be mounted here; says so if not.
fn can_mount(stage: &Stage, test: &str) -> bool {
    fs::create_dir(stage.dir()).unwrap();
    let script = "mount -t tmpfs -o size=1m none d";
    let can = in_namespace(stage, script).output().is_ok_and(|output| output.status.success());
    if !can {
        println!("SKIP {test}: no tmpfs can be mounted here");
    }
    can
}

#[test]
fn a_disk_that_fills_up_stops_the_openings_first_then_the_process_and_never_the_panic_close() {
    let stage = Stage::new("crash-full");
    if !can_mount(&stage, "a_disk_that_fills_up_stops_the_openings_first") {
        return;
    }
    // The first file leaves 12 MB of room, which is less than is wanted; the second leaves none.
    let script = "executor=$1; panic=$2; shift 2; mount -t tmpfs -o size=40m none d || exit 99; chmod 700 d
        $executor \"$@\" & pid=$!
        until [ -e go-low ]; do sleep 0.05; done
        dd if=/dev/zero of=d/rest bs=1M count=28 2>/dev/null
        until [ -e go-full ]; do sleep 0.05; done
        dd if=/dev/zero of=d/more bs=4k count=100000 2>/dev/null; echo more >> d/more
        wait $pid; echo CODE $?
        mkdir journal-after; cp d/journal/*.jsonl journal-after
        $panic --config config --yes --json --state-dir d >verdict 2>progress; echo PANIC $?";
    let mut run = Following::start(in_namespace(&stage, script));
    run.wait_for(READY);
    wait_for_legs(&stage);
    stage.say("go-low");
    let said = run.wait_until("ExitOnly", |line| line.contains("POSTURE") && line.contains("journal disk"));
    assert!(said.contains("exit_only"), "{said}");
    let opened_until = entries(&run);
    // Exits still go out: within some bars what is open is closed or stopped out.
    wait_until("the strategies' exits", || stage.venue.account(false).legs.is_empty());
    stage.say("go-full");
    assert_eq!(run.wait_for("CODE"), format!("CODE {JOURNAL}"), "{:#?}", run.seen);
    assert!(last_words(&run).contains("free some space on that disk"), "{}", last_words(&run));
    assert_eq!(entries(&run), opened_until, "something was opened with the disk nearly full");
    the_panic_close_of_the_script_flattens(&stage, &mut run);
    run.end();
}

fn the_panic_close_of_the_script_flattens(stage: &Stage, run: &mut Following) {
    let progress = || fs::read_to_string(stage.temp.join("progress")).unwrap();
    assert_eq!(run.wait_for("PANIC"), "PANIC 0", "{}", progress());
    assert_eq!(stage.venue.account(false).legs, Legs::new());
}

/// Openings that were sent.
fn entries(run: &Following) -> usize {
    let is_entry =
        |line: &&String| line.starts_with("[executor] SEND_ORDER") && line.contains("\"purpose\":\"entry\"");
    run.seen.iter().filter(is_entry).count()
}

#[test]
fn a_disk_that_fills_up_at_once_ends_it_with_74_and_the_panic_close_flattens_what_is_open() {
    let stage = Stage::new("crash-full-at-once");
    if !can_mount(&stage, "a_disk_that_fills_up_at_once") {
        return;
    }
    let script = "executor=$1; panic=$2; shift 2; mount -t tmpfs -o size=40m none d || exit 99; chmod 700 d
        $executor \"$@\" & pid=$!
        until [ -e go-full ]; do sleep 0.05; done
        dd if=/dev/zero of=d/rest bs=4k count=100000 2>/dev/null; echo more >> d/rest
        wait $pid; echo CODE $?
        until [ -e go-panic ]; do sleep 0.05; done
        $panic --config config --yes --json --state-dir d >verdict 2>progress; echo PANIC $?";
    let mut run = Following::start(in_namespace(&stage, script));
    run.wait_for(READY);
    wait_for_legs(&stage);
    stage.say("go-full");
    assert_eq!(run.wait_for("CODE"), format!("CODE {JOURNAL}"), "{:#?}", run.seen);
    stage.say("go-panic");
    the_panic_close_of_the_script_flattens(&stage, &mut run);
    run.end();
}

#[test]
fn a_read_only_directory_is_refused_with_74_and_the_panic_close_works() {
    let stage = Stage::new("crash-read-only");
    if !can_mount(&stage, "a_read_only_directory_is_refused_with_74") {
        return;
    }
    let script = "executor=$1; panic=$2; shift 2; mount -t tmpfs -o size=40m none d || exit 99; chmod 700 d
        $executor \"$@\" & pid=$!
        echo PID $pid; wait $pid
        mount -o remount,ro d || exit 98
        $executor \"$@\"; echo CODE $?
        until [ -e go-panic ]; do sleep 0.05; done
        $panic --config config --yes --json --state-dir d >verdict 2>progress; echo PANIC $?";
    let mut run = Following::start(in_namespace(&stage, script));
    let pid = run.wait_for("PID ").split(' ').nth(1).unwrap().to_owned();
    run.wait_for(READY);
    wait_for_legs(&stage);
    kill_when_covered(&stage, &pid);
    assert_eq!(run.wait_for("CODE"), format!("CODE {JOURNAL}"), "{:#?}", run.seen);
    assert!(last_words(&run).contains("mount it writable"), "{}", last_words(&run));
    stops_are_still_there(&stage);
    stage.say("go-panic");
    the_panic_close_of_the_script_flattens(&stage, &mut run);
    let progress = fs::read_to_string(stage.temp.join("progress")).unwrap();
    assert!(progress.contains("warning: "), "{progress}");
    run.end();
}

#[test]
fn a_failpoint_that_is_none_is_refused_by_name_before_anything_is_made() {
    let stage = Stage::new("crash-no-point");
    let mut run = stage.start(Some("submit=kill"));
    assert_eq!(run.end(), Some(78));
    assert!(last_words(&run).contains("there are lead.before_fence, "), "{}", last_words(&run));
    assert!(!Path::new(&stage.dir()).exists(), "nothing was made");
}
