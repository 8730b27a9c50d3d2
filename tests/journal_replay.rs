//! A recorded journal's facts lead to its decisions again, and whatever is changed in it is found and named.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use hedge_core::{Decision, Engine, Envelope, Event, RunStarted, Symbol};
use hedge_desk::{
    compose::compose,
    config::Config,
    env::Env,
    journal::{JournalSource, Replayed, Verified, VerifyError, verify},
};
use hedge_store::{Chain, encode_line};
use serde_json::Value;
use support::{Temp, config, executor, hedgectl, market::klines, stderr, stdout};

/// A paper run that was stopped and taken up again: two processes in one journal.
fn recorded_run(temp: &Temp) -> PathBuf {
    let data = klines(temp, 400).display().to_string();
    for bars in ["80", "40"] {
        let args = ["--state-dir", "d", "--bars", bars, "--data", &data, "--history", "200"];
        let output = executor(temp, &args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    temp.join("d")
}

fn check(dir: &Path) -> Result<Verified, VerifyError> {
    let config = Config::load(Some(&config()), &Env::from_pairs([])).unwrap();
    let fresh = |run: &RunStarted, symbols: &[Symbol]| -> Result<Engine, String> {
        assert_eq!(run.config_hash, config.hash());
        Ok(compose(&config, symbols).unwrap().engine)
    };
    let (source, _) = JournalSource::find(dir, Some(dir))?;
    verify(&source, &fresh)
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("journal/00000000000000000000.jsonl")
}

/// The text of records with a chain that fits: whoever can write every line can make one, and only the replay finds that.
fn sealed(records: &[Value]) -> Vec<u8> {
    let (mut chain, mut text) = (Chain::START, Vec::new());
    for record in records {
        let record: Envelope = serde_json::from_value(record.clone()).unwrap();
        encode_line(&mut chain, &record, &mut text).unwrap();
    }
    text
}

#[test]
fn the_facts_of_a_paper_journal_lead_to_its_decisions_again() {
    let temp = Temp::new("replay");
    let dir = recorded_run(&temp);

    let verified = check(&dir).unwrap();
    assert_eq!(verified.processes, 2);
    assert_eq!(verified.replay, Replayed::Identical { records: verified.records });
    let (source, _) = JournalSource::find(&dir, Some(&dir)).unwrap();
    let records = source.load().unwrap();
    assert_eq!(records.len() as u64, verified.records);
    let orders = records
        .iter()
        .filter(|record| matches!(&record.event, Event::Decision(Decision::OrderApproved { .. })));
    assert!(orders.count() >= 5, "hardly anything was decided: that proves little");

    let folder = config().display().to_string();
    let output =
        hedgectl(&temp, &["journal", "verify", "--state-dir", "d", "--config", &folder]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output).join("\n");
    let expected = format!("replaying the facts gave all {} records again", verified.records);
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn another_configuration_is_said_and_not_taken_for_a_difference() {
    let temp = Temp::new("replay-config");
    let dir = recorded_run(&temp);
    let folder = config().display().to_string();
    let verify = || {
        let mut command = hedgectl(&temp, &["journal", "verify", "--state-dir", "d", "--config", &folder]);
        let output = command.env("HEDGE__ENGINE__MUTE_S", "901").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output).join("\n")
    };
    // The run has kept its own: what the files say today is in nobody's way.
    let text = verify();
    assert!(text.contains("replaying the facts gave all"), "{text}");
    fs::remove_dir_all(dir.join("configs")).unwrap();
    let text = verify();
    assert!(text.contains("not replayed: the run had configuration"), "{text}");
    let output = hedgectl(&temp, &["replay", "d", "--config", &folder])
        .env("HEDGE__ENGINE__MUTE_S", "901")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", stderr(&output));
    assert!(stderr(&output).contains("name the one it had with --config"), "{}", stderr(&output));
}

#[test]
fn a_byte_that_was_flipped_anywhere_is_found_and_its_record_named() {
    let temp = Temp::new("replay-flip");
    let dir = recorded_run(&temp);
    let path = segment(&dir);
    let whole = fs::read(&path).unwrap();
    // The very last byte is a line end: without it the line counts as torn, which is another matter.
    let last = whole.len() - 2;
    let line_of = |place: usize| whole[..place].iter().filter(|byte| **byte == b'\n').count() + 1;
    let line_end =
        whole.iter().skip(whole.len() / 2).position(|byte| *byte == b'\n').unwrap() + whole.len() / 2;
    let mut places: Vec<usize> = (0..40).map(|i| last * i / 40).collect();
    places.extend([1, 8, last, last - 10, line_end, line_end - 1, line_end - 12, line_end + 1]);
    for place in places {
        for bit in [0x01, 0x20] {
            let mut bytes = whole.clone();
            bytes[place] ^= bit;
            fs::write(&path, &bytes).unwrap();
            let error = match check(&dir) {
                Ok(verified) => panic!("byte {place} changed by {bit:#x}, and nobody noticed: {verified}"),
                Err(error) => error.to_string(),
            };
            let (file, line) = ("00000000000000000000.jsonl", line_of(place));
            assert!(error.contains(file), "byte {place}: {error}");
            assert!(
                error.contains(&format!("line {line}")) || error.contains(&format!("record {}", line - 1)),
                "byte {place} is in line {line}, record {}: {error}",
                line - 1
            );
        }
    }

    let mut bytes = whole.clone();
    let place = whole.len() / 3;
    bytes[place] ^= 0x01;
    fs::write(&path, &bytes).unwrap();
    let folder = config().display().to_string();
    let output =
        hedgectl(&temp, &["journal", "verify", "--state-dir", "d", "--config", &folder]).output().unwrap();
    assert!(matches!(output.status.code(), Some(1 | 74)), "{output:?}");
    let text = stderr(&output);
    assert!(text.contains(&format!("line {}", line_of(place))), "{text}");
    // A damaged journal is not traded on, and not written to.
    let output = executor(&temp, &["--state-dir", "d", "--bars", "5"]).output().unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_decision_that_was_rewritten_with_the_whole_chain_is_found_by_the_replay() {
    let temp = Temp::new("replay-forged");
    let dir = recorded_run(&temp);
    let path = segment(&dir);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let whole: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let record = |at: usize| whole[at].clone();
    let forge = |at: usize, record: &Value| {
        let mut forged = whole.clone();
        forged[at] = record.clone();
        fs::write(&path, sealed(&forged)).unwrap();
        check(&dir)
    };
    let order = lines.iter().position(|line| line.contains("\"order_approved\"")).unwrap();
    let bar = lines.iter().position(|line| line.contains("\"kind\":\"bar\"")).unwrap();

    // Written again unchanged it passes: what is found below is the change, not the writing.
    forge(order, &record(order)).unwrap();
    assert!(fs::read_to_string(&path).unwrap() == text, "the file is not as the executor wrote it");

    let mut more = record(order);
    more["event"]["decision"]["qty"] = "123".into();
    let error = forge(order, &more).unwrap_err();
    assert!(matches!(error, VerifyError::Diverged(_)), "{error}");
    assert!(error.to_string().starts_with(&format!("record {order} differs")), "{error}");

    // Another price leads to another reading: the decision behind the fact is named.
    let mut higher = record(bar);
    let close = higher["event"]["fact"]["event"]["bar"]["high"].clone();
    higher["event"]["fact"]["event"]["bar"]["close"] = close;
    let error = forge(bar, &higher).unwrap_err();
    assert!(matches!(error, VerifyError::Diverged(_)), "{error}");
    assert!(error.to_string().starts_with(&format!("record {} differs", bar + 1)), "{error}");
}

#[test]
fn a_record_that_was_taken_out_is_found() {
    let temp = Temp::new("replay-missing");
    let dir = recorded_run(&temp);
    let path = segment(&dir);
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let taken = lines.len() / 2;
    lines.remove(taken);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let error = check(&dir).unwrap_err().to_string();
    assert!(error.contains(&format!("line {}", taken + 1)) && error.contains(&taken.to_string()), "{error}");
}

/// The exit code of `hedgectl replay`, what it printed, and what it complained of.
fn replayed(temp: &Temp, args: &[&str]) -> (i32, String, String) {
    let output = hedgectl(temp, &[&["replay"], args].concat()).output().unwrap();
    (output.status.code().unwrap(), stdout(&output).join("\n"), stderr(&output))
}

#[test]
fn a_run_is_replayed_by_its_name_with_the_configuration_that_it_kept() {
    let temp = Temp::new("replay-command");
    let data = klines(&temp, 400).display().to_string();
    // By a clock that runs sixty times as fast the engine allows itself more of its own time: that is kept with the run too.
    let args = [
        "--bars",
        "12",
        "--data",
        &data,
        "--history",
        "200",
        "--speed",
        "1000",
        "--symbols",
        "BTCUSDT,SOLUSDT",
    ];
    let output = executor(&temp, &args).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for name in ["last", "state/paper/last"] {
        let (code, text, complaint) = replayed(&temp, &[name]);
        assert_eq!(code, 0, "{complaint}");
        assert!(
            text.starts_with("same: ") && text.contains("decisions (") && text.contains("screened "),
            "{text}"
        );
    }
    let (code, _, complaint) = replayed(&temp, &["yesterday"]);
    assert_eq!(code, 1);
    assert!(
        complaint.contains("has no run of that name: there are ") && complaint.contains("last"),
        "{complaint}"
    );
    // What it read is enough: neither files nor variables of today matter.
    fs::create_dir(temp.join("config")).unwrap();
    let (code, _, complaint) = replayed(&temp, &["last"]);
    assert_eq!(code, 0, "{complaint}");
}

#[test]
fn a_replay_shows_the_first_difference_with_both_texts_and_what_led_to_it() {
    let temp = Temp::new("replay-difference");
    let dir = recorded_run(&temp);
    let path = segment(&dir);
    let text = fs::read_to_string(&path).unwrap();
    let mut records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let all = records.len();
    let order = text.lines().position(|line| line.contains("\"order_approved\"")).unwrap();
    let was = records[order]["event"]["decision"]["qty"].as_str().unwrap().to_owned();
    records[order]["event"]["decision"]["qty"] = "123".into();
    fs::write(&path, sealed(&records)).unwrap();

    let (code, text, complaint) = replayed(&temp, &["d"]);
    assert_eq!(code, 1, "{complaint}");
    assert!(text.starts_with(&format!("DIFFERENT at record {order}; before it ")), "{text}");
    let part = format!("event.decision.qty: recorded \"123\", replayed \"{was}\"");
    for wanted in
        [&format!("record {order} differs: the journal has {{"), &part, "in answer to #", "led to by    #"]
    {
        assert!(complaint.contains(wanted), "{wanted}: {complaint}");
    }
    // Up to the record before it, and from the process after it on, everything is as it was.
    let (code, _, complaint) = replayed(&temp, &["d", "--to", &(order - 1).to_string()]);
    assert_eq!(code, 0, "{complaint}");
    let second = all - 1;
    let (code, text, complaint) = replayed(&temp, &["d", "--from", &second.to_string(), "--json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &json["same"]), (0, &true.into()), "{complaint}");
    assert!(json["compared"]["from"].as_u64().unwrap() > order as u64, "{text}");
}

#[test]
fn at_a_record_it_is_shown_what_the_run_knew_then() {
    let temp = Temp::new("replay-at");
    let dir = recorded_run(&temp);
    let text = fs::read_to_string(segment(&dir)).unwrap();
    let fill = text.lines().position(|line| line.contains("\"kind\":\"fill\"")).unwrap();
    let (code, before, complaint) = replayed(&temp, &["d", "--at", &(fill - 1).to_string()]);
    assert_eq!(code, 0, "{complaint}");
    assert!(before.contains("legs      flat"), "{before}");
    assert!(before.contains(": open "), "the order was on its way: {before}");
    // The record behind the fill asks for the stop; nothing of later is known.
    let stop = fill + text.lines().skip(fill).position(|line| line.contains("\"purpose\":\"stop\"")).unwrap();
    let (code, then, complaint) = replayed(&temp, &["d", "--at", &stop.to_string()]);
    assert_eq!(code, 0, "{complaint}");
    assert!(!then.contains("legs      flat") && then.contains("led by    #"), "{then}");
    assert!(then.contains(": stop for the whole"), "{then}");
    let (_, json, _) = replayed(&temp, &["d", "--at", &stop.to_string(), "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["status"]["as_of"].as_u64(), Some(stop as u64));
    assert_eq!(json["status"]["pid"], Value::Null);
}

#[test]
fn a_head_that_was_noted_finds_missing_lines_and_a_chain_that_was_written_anew() {
    let temp = Temp::new("replay-head");
    let dir = recorded_run(&temp);
    let path = segment(&dir);
    let output = hedgectl(&temp, &["journal", "head", "--state-dir", "d"]).output().unwrap();
    let head = stdout(&output).join("");
    let verify = || {
        let output =
            hedgectl(&temp, &["journal", "verify", "--state-dir", "d", "--head", &head]).output().unwrap();
        (output.status.code(), stdout(&output).join("\n"), stderr(&output))
    };
    let (code, text, complaint) = verify();
    assert_eq!(code, Some(0), "{complaint}");
    assert!(text.contains(&format!("head {head}")), "{text}");

    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    fs::write(&path, lines[..lines.len() - 3].join("\n") + "\n").unwrap();
    let (code, _, complaint) = verify();
    assert_eq!(code, Some(1));
    assert!(complaint.contains("its last lines are missing"), "{complaint}");
    // Also without a head: the views were made of records that are not there any more.
    let output = hedgectl(&temp, &["journal", "verify", "--state-dir", "d"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stderr(&output).contains("but the journal ends before it"), "{output:?}");
    assert!(stderr(&output).contains("start: the account is compared with the venue"), "{output:?}");

    let mut records: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = records.len() - 1;
    records[last]["event"]["fact"]["because"] = "nothing happened".into();
    fs::write(&path, sealed(&records)).unwrap();
    let (code, _, complaint) = verify();
    assert_eq!(code, Some(1));
    assert!(complaint.contains("written anew"), "{complaint}");
}
