//! The stop validator and the dead man's switch.

use super::*;

fn stops(file: &str, pairs: &[(&str, &str)]) -> StopsSection {
    let env = Env::from_pairs(pairs.iter().copied());
    runtime_load::load("r.toml", file, &env).unwrap().0.stops
}

#[test]
fn a_variable_of_the_stop_validator_switches_off_and_never_on() {
    let usual = stops("", &[]);
    assert!(usual.validator && usual.repair && usual.repair_tp);
    let off = [
        ("STOP_VALIDATOR_ENABLED", "0"),
        ("STOP_VALIDATOR_REPAIR", "off"),
        ("STOP_VALIDATOR_REPAIR_TP", "no"),
    ];
    let silent = stops("", &off);
    assert!(!silent.validator && !silent.repair && !silent.repair_tp);
    let on = [("STOP_VALIDATOR_ENABLED", "1"), ("STOP_VALIDATOR_REPAIR", "true")];
    assert_eq!(stops("", &on), usual);
    let forbidden = "[stops]\nvalidator = false\nrepair = false\n";
    assert!(!stops(forbidden, &on).validator && !stops(forbidden, &on).repair, "the file has forbidden it");
}

#[test]
fn times_of_the_stop_validator_are_given_in_seconds() {
    let times = [("STOP_VALIDATOR_GRACE_SEC", "2.5"), ("STOP_VALIDATOR_INTERVAL_SEC", "3")];
    let read = stops("", &times);
    assert_eq!((read.grace_ms, read.interval_ms), (2_500, 3_000));
    for bad in ["", "soon", "-1", "0", "61", "0.0001", "1e3"] {
        let env = Env::from_pairs([("STOP_VALIDATOR_GRACE_SEC", bad)]);
        let read = runtime_load::load("r.toml", "", &env);
        match bad {
            "" => assert_eq!(read.unwrap().0.stops.grace_ms, 1_000),
            _ => {
                let text = read.unwrap_err().to_string();
                assert!(text.ends_with("expected seconds, 0.1 to 60") && !text.contains('\n'), "{text}");
            }
        }
    }
    let env = Env::from_pairs([("STOP_VALIDATOR_REPAIR", "perhaps")]);
    let text = runtime_load::load("r.toml", "", &env).unwrap_err().to_string();
    assert!(text.contains("STOP_VALIDATOR_REPAIR = \"perhaps\"") && text.contains("expected 1, 0"), "{text}");
}

#[test]
fn the_countdown_is_not_armed_before_somebody_knows_what_it_cancels() {
    let [problem] = &runtime("[deadman]\nbinance = \"armed\"")[..] else { panic!("one problem") };
    assert!(problem.starts_with("r.toml:2: deadman.binance = \"armed\": expected off"), "{problem}");
    assert!(problem.contains("hedgectl probe deadman"), "{problem}");
    let countdown = |probe: &str| {
        let text = format!("[deadman]\nbinance = \"armed\"\nprobe = \"{probe}\"");
        runtime_load::load("r.toml", &text, &Env::default()).unwrap().0.deadman.countdown()
    };
    assert!(countdown("plain_only").is_some() && countdown("override").is_some());
}

#[test]
fn an_entry_rests_at_least_as_long_as_the_venue_wants_or_without_end() {
    let gtd = |text: &str| runtime_load::load("r.toml", text, &Env::default()).unwrap().0.deadman;
    assert_eq!(gtd("").entries_vanish_after(), Some(std::time::Duration::from_secs(3_600)));
    assert_eq!(gtd("[deadman]\ngtd_s = 0").entries_vanish_after(), None);
    assert_eq!(gtd("").countdown(), None, "the countdown is off unless somebody arms it");
    assert_eq!(
        gtd("[deadman]\nbinance = \"armed\"\nprobe = \"plain_only\"\ncountdown_s = 60").countdown(),
        Some(std::time::Duration::from_secs(60))
    );
    assert_eq!(
        runtime("[deadman]\ngtd_s = 600"),
        ["r.toml:2: deadman.gtd_s = 600: expected 0, or at least 660 s: the venue takes no shorter end"]
    );
}
