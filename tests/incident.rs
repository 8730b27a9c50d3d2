//! An incident of a real run, packed by the real program, replayed elsewhere; and packs that nobody should trust.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use flate2::{Compression, GzBuilder, read::GzDecoder};
use hedge_core::{Decision, Envelope, Event};
use hedge_desk::{
    incident::{self, IncidentError},
    journal::JournalSource,
};
use hedge_store::{Chain, encode_line};
use proptest::prelude::*;
use serde_json::Value;
use support::{Temp, executor, hedgectl, market::klines, stderr, stdout};

/// The exit code of `hedgectl incident`, what it printed, and what it complained of.
fn told(temp: &Temp, args: &[&str]) -> (i32, String, String) {
    let output = hedgectl(temp, &[&["incident"], args].concat()).output().unwrap();
    (output.status.code().unwrap(), stdout(&output).join("\n"), stderr(&output))
}

/// A paper run in `d`, with a log in `log.txt`.
fn recorded_run(temp: &Temp) {
    let data = klines(temp, 400).display().to_string();
    let log = temp.join("log.txt").display().to_string();
    let args = ["--state-dir", "d", "--bars", "60", "--data", &data, "--history", "200"];
    let output = executor(temp, &args).env("HEDGE__LOG__FILE", log).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// The bytes of a small pack, made once.
fn bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let temp = Temp::new("incident-bytes");
        recorded_run(&temp);
        let (code, _, complaint) = told(&temp, &["pack", "d", "--to", "40", "--out", "p.tar.gz"]);
        assert_eq!(code, 0, "{complaint}");
        fs::read(temp.join("p.tar.gz")).unwrap()
    })
}

fn unpacked(pack: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(pack).read_to_end(&mut plain).unwrap();
    plain
}

fn packed(plain: &[u8]) -> Vec<u8> {
    let mut out = GzBuilder::new().write(Vec::new(), Compression::fast());
    out.write_all(plain).unwrap();
    out.finish().unwrap()
}

fn placed(temp: &Temp, name: &str, bytes: &[u8]) -> PathBuf {
    let path = temp.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn damage_of(path: &Path) -> String {
    match incident::open(path) {
        Err(IncidentError::Damaged { detail, .. }) => detail,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("{} passed for a pack", path.display()),
    }
}

#[test]
fn an_incident_is_packed_shown_and_tested_elsewhere() {
    let temp = Temp::new("incident");
    recorded_run(&temp);
    let log = temp.join("log.txt");
    let mut text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("[executor]"), "{text}");
    text.push_str("cannot reach http://10.1.2.3:99/fapi/v1/order?signature=abcdef from chat_id=-100471147\n");
    fs::write(&log, &text).unwrap();
    let log = log.display().to_string();
    let pack = ["pack", "d", "--from", "500", "--to", "900", "--log", &log];
    let (code, said, complaint) = told(&temp, &pack);
    assert_eq!(code, 0, "{complaint}");
    assert!(
        said.contains("901 records up to 900; no record was redacted; a replay makes every decision again"),
        "{said}"
    );
    let first = temp.join("incident-paper-500-900.tar.gz");
    let bytes = fs::read(&first).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // Nothing is overwritten, and the same again is the same bytes.
    let (code, _, complaint) = told(&temp, &pack);
    assert_eq!(code, 2);
    assert!(complaint.contains("is not overwritten"), "{complaint}");
    let (code, _, complaint) = told(&temp, &[&pack[..], &["--out", "again.tar.gz"]].concat());
    assert_eq!(code, 0, "{complaint}");
    assert!(fs::read(temp.join("again.tar.gz")).unwrap() == bytes, "equal input, equal bytes");

    // Elsewhere: without the run, its folder, its configuration.
    let other = Temp::new("incident-elsewhere");
    fs::create_dir(other.join("packs")).unwrap();
    fs::write(other.join("packs/a.tar.gz"), &bytes).unwrap();
    let (code, said, complaint) = told(&other, &["test", "packs/a.tar.gz"]);
    assert_eq!(code, 0, "{complaint}");
    assert!(said.contains("a.tar.gz: same: 901 records of 1 process were made again"), "{said}");
    let (code, said, complaint) = told(&other, &["show", "packs/a.tar.gz"]);
    assert_eq!(code, 0, "{complaint}");
    for wanted in ["from      record 500, ", "the lines are the run's own", "member    log.txt of "] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let (_, json, _) = told(&other, &["show", "packs/a.tar.gz", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["records"], &json["verdict"]), (&901.into(), &"same".into()));

    // A folder of packs is a test of all of them; one without packs is none.
    fs::write(other.join("packs/b.tar.gz"), &bytes[..bytes.len() / 2]).unwrap();
    let (code, said, complaint) = told(&other, &["test", "packs"]);
    assert_eq!(code, 74, "{complaint}");
    assert!(said.contains("a.tar.gz: same: ") && said.contains("b.tar.gz: NOT TESTED"), "{said}");
    assert!(complaint.contains("1 of 2 packs failed"), "{complaint}");
    fs::create_dir(other.join("none")).unwrap();
    assert_eq!(told(&other, &["test", "none"]).0, 1);

    // What must not leave the machine has not.
    let plain = String::from_utf8_lossy(&unpacked(&bytes)).into_owned();
    let here = temp.path().display().to_string();
    for secret in ["10.1.2.3", "abcdef ", "471147", "http://", "127.0.0.1", &here] {
        assert!(!plain.contains(secret), "{secret} is in the pack");
    }
    assert!(plain.contains("cannot reach [url] from chat_id=[hidden]"), "the log's end is in it");
}

#[test]
fn what_a_decision_quotes_of_the_outside_is_redacted_in_both_and_still_replays() {
    let temp = Temp::new("incident-redacted");
    recorded_run(&temp);
    // Somebody gives a reason with an address in it; the posture's reason quotes it.
    let because = "see http://wiki.internal/incident and /srv/ann/notes/today.txt";
    let output = hedgectl(&temp, &["exit-only", "--state-dir", "d", because]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let (code, said, complaint) = told(&temp, &["pack", "d", "--out", "p.tar.gz"]);
    assert_eq!(code, 0, "{complaint}");
    assert!(said.contains("records were redacted; a replay makes every decision again"), "{said}");
    let (code, _, complaint) = told(&temp, &["test", "p.tar.gz"]);
    assert_eq!(code, 0, "{complaint}");
    let plain = String::from_utf8_lossy(&unpacked(&fs::read(temp.join("p.tar.gz")).unwrap())).into_owned();
    assert!(plain.contains("see [url] and [path]") && !plain.contains("wiki.internal"), "redacted");
}

/// A word that stands by itself in a reason which a strategy has given.
fn word_of_the_engine(temp: &Temp) -> String {
    let dir = temp.join("d");
    let (source, _) = JournalSource::find(&dir, Some(&dir)).unwrap();
    let word = source.load().unwrap().into_iter().find_map(|record| {
        let Event::Decision(Decision::Intended { intent, .. }) = record.event else { return None };
        let because = serde_json::to_value(intent).unwrap();
        let mut words = because["because"].as_str()?.split(' ');
        let word = words.find(|word| word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_lowercase()))?;
        Some(word.to_owned())
    });
    word.expect("a reason has words")
}

#[test]
fn a_machine_that_is_called_like_a_word_of_the_engine_spoils_no_replay_and_hides_no_other_one() {
    let temp = Temp::new("incident-word");
    recorded_run(&temp);
    let word = word_of_the_engine(&temp);
    let output = hedgectl(&temp, &["exit-only", "--state-dir", "d", "trading-7 is odd"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let log = temp.join("holders.txt");
    fs::write(&log, format!("held by {word} pid 17 (term 3)\nheld by trading-7 pid 9 (term 4)\n")).unwrap();
    let log = log.display().to_string();
    let (code, said, complaint) = told(&temp, &["pack", "d", "--log", &log, "--out", "p.tar.gz"]);
    assert_eq!(code, 0, "{complaint}");
    assert!(said.contains("a replay makes every decision again"), "{word}: {said}");
    let (code, _, complaint) = told(&temp, &["test", "p.tar.gz"]);
    assert_eq!(code, 0, "{complaint}");
    let plain = String::from_utf8_lossy(&unpacked(&fs::read(temp.join("p.tar.gz")).unwrap())).into_owned();
    assert!(!plain.contains("trading-7") && plain.contains("[host] is odd"), "the other one is taken out");
    assert!(!plain.contains(&format!("{word} pid")) && plain.contains("held by [host] pid 17"), "{word}");
}

#[test]
fn a_pack_whose_decisions_this_program_does_not_make_fails_with_the_first_difference() {
    let temp = Temp::new("incident-differs");
    recorded_run(&temp);
    // As another version might have decided: an order of another size, in a journal that is whole.
    let path = temp.join("d/journal/00000000000000000000.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let order = text.lines().position(|line| line.contains("\"order_approved\"")).unwrap();
    let (mut chain, mut other) = (Chain::START, Vec::new());
    for (place, line) in text.lines().enumerate() {
        let mut record: Value = serde_json::from_str(line).unwrap();
        if place == order {
            record["event"]["decision"]["qty"] = "123".into();
        }
        let record: Envelope = serde_json::from_value(record).unwrap();
        encode_line(&mut chain, &record, &mut other).unwrap();
    }
    fs::write(&path, other).unwrap();
    let (code, said, complaint) = told(&temp, &["pack", "d", "--out", "p.tar.gz"]);
    assert_eq!(code, 0, "{complaint}");
    assert!(said.contains(&format!("a replay differs at record {order}")), "{said}");
    let (code, said, complaint) = told(&temp, &["test", "p.tar.gz"]);
    assert_eq!(code, 1, "{complaint}");
    assert!(said.contains(&format!("p.tar.gz: DIFFERENT at record {order}; before it ")), "{said}");
    assert!(complaint.contains("event.decision.qty: recorded \"123\", replayed "), "{complaint}");
    // Up to the record before it is a pack that passes.
    let before = (order - 1).to_string();
    let (code, _, complaint) = told(&temp, &["pack", "d", "--to", &before, "--out", "q.tar.gz"]);
    assert_eq!(code, 0, "{complaint}");
    assert_eq!(told(&temp, &["test", "q.tar.gz"]).0, 0);

    // A run of before kept no configuration: the pack says so, and its test is no pass.
    fs::remove_dir_all(temp.join("d/configs")).unwrap();
    let output = hedgectl(&temp, &["incident", "pack", "d", "--out", "r.tar.gz"])
        .env("HEDGE__ENGINE__MUTE_S", "901")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).join("").contains("it was not replayed: the configuration"), "{output:?}");
    assert_eq!(told(&temp, &["test", "r.tar.gz"]).0, 78);
}

#[test]
fn a_bomb_a_foreign_archive_and_a_name_that_leads_out_are_refused() {
    let temp = Temp::new("incident-hostile");
    let plain = unpacked(bytes());
    // Sixty megabytes of nothing where a journal should be: refused at its first line, not after all of it.
    let journal = plain.windows(14).position(|window| window == b"journal.jsonl\0").unwrap();
    let mut bomb = plain[..journal + 512].to_vec();
    bomb.resize(bomb.len() + 60_000_000, 0);
    let path = placed(&temp, "bomb.tar.gz", &packed(&bomb));
    assert!(damage_of(&path).contains("line 1"), "{}", damage_of(&path));
    for (name, bytes) in [
        ("empty.tar.gz", Vec::new()),
        ("text.tar.gz", b"not an archive".to_vec()),
        ("zeros.tar.gz", packed(&[0; 4_096])),
        ("more.tar.gz", [bytes(), b"more"].concat()),
        ("twice.tar.gz", [bytes(), bytes()].concat()),
    ] {
        damage_of(&placed(&temp, name, &bytes));
    }
    // A name that leads out of a folder, in a header whose sum is right.
    let mut out = plain.clone();
    out[journal..journal + 14].copy_from_slice(b"../../etc/xyz\0");
    let sum: u32 = out[journal..journal + 512]
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    out[journal + 148..journal + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let detail = damage_of(&placed(&temp, "slip.tar.gz", &packed(&out)));
    assert!(
        detail.contains("../../etc/xyz") && detail.contains("the manifest says journal.jsonl"),
        "{detail}"
    );
    let (code, _, complaint) = told(&temp, &["show", "slip.tar.gz"]);
    assert_eq!(code, 74, "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_pack_with_anything_changed_is_refused_and_nothing_panics(
        at in any::<prop::sample::Index>(), mask in 1_u8.., cut in any::<bool>(), is_inside in any::<bool>(),
    ) {
        let temp = Temp::new("incident-changed");
        let mut plain = if is_inside { unpacked(bytes()) } else { bytes().to_vec() };
        let at = at.index(plain.len());
        if cut {
            plain.truncate(at);
        } else {
            plain[at] ^= mask;
        }
        let changed = if is_inside { packed(&plain) } else { plain };
        let path = placed(&temp, "p.tar.gz", &changed);
        match incident::open(&path) {
            Err(IncidentError::Damaged { detail, .. }) => prop_assert!(detail.len() < 1_000, "{detail}"),
            Err(other) => prop_assert!(false, "{other}"),
            // Bits of the compression's own header mean nothing: what is inside is as it was.
            Ok(_) => prop_assert!(!is_inside && !cut, "byte {at} changed by {mask:#x}"),
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_pack(bytes in prop::collection::vec(any::<u8>(), 0..2_000), is_inside in any::<bool>()) {
        let temp = Temp::new("incident-noise");
        let bytes = if is_inside { packed(&bytes) } else { bytes };
        let path = placed(&temp, "p.tar.gz", &bytes);
        let is_damage = matches!(incident::open(&path), Err(IncidentError::Damaged { .. }));
        prop_assert!(is_damage);
    }
}
