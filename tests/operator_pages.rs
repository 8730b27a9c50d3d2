//! The operators' pages name programs, options and log lines that exist: at three in the morning nobody wants to find out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use hedge_tests::workspace;
use support::{Temp, command, program};

const PAGES: [&str; 3] = ["runbook.md", "cutover.md", "telemetry.md"];

const PROGRAMS: [&str; 4] = ["hedgectl", "hedge-executor", "hedge-panic-close", "hedge-heartbeat"];

fn page(name: &str) -> String {
    fs::read_to_string(workspace().join("docs").join(name)).unwrap()
}

/// What stands in backquotes or in blocks of code, a command a line; the pipe of a table cell is written `\|`.
fn commands() -> Vec<String> {
    let mut found = Vec::new();
    for name in PAGES {
        let mut in_block = false;
        for line in page(name).lines() {
            if line.trim_start().starts_with("```") {
                in_block = !in_block;
            } else if in_block {
                found.push(line.to_owned());
            } else {
                found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
            }
        }
    }
    // Comments, other ends of pipes and what follows `&` are no arguments of ours.
    let cut = |text: String| text.split([';', '|', '&', '#', '>', '<']).next().unwrap_or_default().to_owned();
    found.into_iter().map(cut).collect()
}

/// Program and subcommands, and the long options that the pages give them.
fn calls() -> BTreeMap<(&'static str, Vec<String>), BTreeSet<String>> {
    let mut calls: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for command in commands() {
        let mut words = command.split_whitespace().skip_while(|word| ours(word).is_none());
        let Some(name) = words.next().and_then(|word| ours(word)) else { continue };
        let words: Vec<&str> = words.take_while(|word| ours(word).is_none()).collect();
        let subcommands = if name == "hedgectl" { subcommands(&words) } else { Vec::new() };
        let options = words.iter().filter(|word| word.starts_with("--")).map(|word| (*word).to_owned());
        calls.entry((name, subcommands)).or_default().extend(options);
    }
    calls
}

fn ours(word: &str) -> Option<&'static str> {
    let name = word.rsplit('/').next().unwrap_or_default();
    PROGRAMS.into_iter().find(|program| *program == name)
}

/// `journal show`, `config check`, `probe deadman` and `drill run` have two words, the others one.
fn subcommands(words: &[&str]) -> Vec<String> {
    let count = if words
        .first()
        .is_some_and(|word| ["journal", "config", "probe", "drill", "incident"].contains(word))
    {
        2
    } else {
        1
    };
    words
        .iter()
        .take(count)
        .take_while(|word| !word.starts_with('-'))
        .map(|word| (*word).to_owned())
        .collect()
}

#[test]
fn every_program_subcommand_and_option_on_the_pages_exists() {
    let temp = Temp::new("pages");
    let calls = calls();
    assert!(calls.len() > 15, "{calls:?}");
    for ((name, subcommands), options) in calls {
        let output = command(&temp, &program(name)).args(&subcommands).arg("--help").output().unwrap();
        let help = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name} {subcommands:?}: {}", support::stderr(&output));
        for option in options {
            let option = option.split('=').next().unwrap();
            assert!(help.contains(option), "{name} {subcommands:?} has no {option}");
        }
    }
}

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_log_line_that_the_pages_grep_for_is_written_by_the_program() {
    let mut written = String::new();
    sources(&workspace().join("bins/desk/src"), &mut written);
    let mut seen = BTreeSet::new();
    for page in
        PAGES.map(page).iter().chain([&fs::read_to_string(workspace().join("docs/errors.md")).unwrap()])
    {
        for (at, _) in page.match_indices("'[") {
            let tag = page[at + 1..].split('\'').next().unwrap().to_owned();
            seen.insert(tag);
        }
    }
    assert!(seen.len() >= 8, "{seen:?}");
    for tag in seen {
        // The counts of a cycle and the symbol of a reading are filled in.
        let constant =
            tag.replace("[screener] attempted", "attempted=").replace("[screener] SOLUSDT", "[screener]");
        let constant = constant.replace("[executor] account OK", "account OK");
        assert!(written.contains(&constant), "{tag} is written nowhere");
    }
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let docs: PathBuf = workspace().join("docs");
    for entry in fs::read_dir(&docs)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|k| k == "md"))
    {
        let text = fs::read_to_string(entry.path()).unwrap();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { entry.path() } else { docs.join(file) };
            assert!(path.exists(), "{}: {target}", entry.path().display());
            if !anchor.is_empty() && path.extension().is_some_and(|kind| kind == "md") {
                let there = anchors(&fs::read_to_string(&path).unwrap());
                assert!(there.contains(anchor), "{}: {target}; there are {there:?}", entry.path().display());
            }
        }
    }
}

/// Headings as a link names them, and anchors that are written out.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with('#')) {
        let words = line.trim_start_matches('#').trim();
        let plain: String =
            words.to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect();
        found.insert(plain.replace(' ', "-"));
        found.extend(
            words.split("name=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned),
        );
    }
    found
}
