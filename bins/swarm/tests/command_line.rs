//! The command line of `hedge-swarm`.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn swarm(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hedge-swarm")).args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_clean_range_ends_with_its_figures_and_0() {
    let output = swarm(&["--seeds", "0..3", "--jobs", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    let text = out(&output);
    let last = text.lines().last().unwrap();
    let figures: Vec<(&str, &str)> =
        last.split(", ").map(|figure| figure.split_once(" = ").unwrap()).collect();
    let names: Vec<&str> = figures.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["seeds", "points", "violations", "seeds/s"]);
    assert_eq!((figures[0].1, figures[2].1), ("3", "0"));
    assert!(figures[1].1.parse::<u64>().unwrap() > 1_000, "{last}");
    assert!(figures[3].1.parse::<f64>().unwrap() > 0.0, "{last}");
}

#[test]
fn a_violation_ends_with_1_the_seed_and_a_shrunk_list() {
    let output = swarm(&["--seeds", "0..50", "--mutant", "skip-durability-barrier"]);
    assert_eq!(output.status.code(), Some(1));
    let text = out(&output);
    assert!(
        text.contains("seed 0 violates (2) nothing is at the venue that the journal did not announce"),
        "{text}"
    );
    let enough = text.lines().find(|line| line.ends_with("events are enough:")).unwrap();
    let (needed, all) = enough.trim_end_matches(" events are enough:").split_once(" of ").unwrap();
    let (needed, all): (usize, usize) = (needed.parse().unwrap(), all.parse().unwrap());
    assert!(needed <= 2 && needed < all, "{enough}");
    assert!(text.lines().last().unwrap().contains("violations = "), "{text}");
}

#[test]
fn the_names_of_the_mutants_are_listed_bare() {
    let output = swarm(&["--mutant", "list"]);
    assert_eq!(output.status.code(), Some(0));
    let text = out(&output);
    assert!(text.lines().count() >= 12);
    let is_bare = |line: &str| line.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    assert!(text.lines().all(|line| !line.is_empty() && is_bare(line)), "{text}");
}

#[test]
fn what_cannot_be_understood_is_said_in_one_line_with_2() {
    for arguments in [
        &["--mutant", "healthy"][..],
        &["--seeds", "9"],
        &["--seeds", "9..3"],
        &["--seeds", "3..3"],
        &["--seeds", "0..5", "--jobs", "0"],
        &[],
    ] {
        let output = swarm(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("hedge-swarm: "), "{text}");
        assert!(output.stdout.is_empty());
    }
    let unknown = String::from_utf8(swarm(&["--mutant", "healthy"]).stderr).unwrap();
    assert!(unknown.contains("--mutant list"), "{unknown}");
    let range = String::from_utf8(swarm(&["--seeds", "9"]).stderr).unwrap();
    assert!(range.contains("expected A..B"), "{range}");
}

#[test]
fn one_seed_tells_its_plan_and_its_story() {
    let text = out(&swarm(&["--seed", "4", "--verbose"]));
    for part in ["plan of seed 4:", "what happened:", "START process 1", "LIVE", "CALM", "digest "] {
        assert!(text.contains(part), "{part}");
    }
    assert!(text.lines().last().unwrap().starts_with("seeds = 1, points = "));
    let journal = out(&swarm(&["--seed", "4", "--journal"]));
    assert!(journal.lines().next().unwrap().contains("run_started"));
}
