//! What a reviewer would have to look for in every file, every time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::PathBuf, process::Command};

use hedge_tests::workspace;

/// Tracked files with one of these endings.
fn tracked(endings: &[&str]) -> Vec<PathBuf> {
    let output = Command::new("git").current_dir(workspace()).args(["ls-files", "-z"]).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        println!("SKIP tidy: not a git checkout");
        return Vec::new();
    };
    String::from_utf8(output.stdout)
        .unwrap()
        .split('\0')
        .filter(|name| endings.iter().any(|ending| name.ends_with(ending)))
        .map(|name| workspace().join(name))
        .filter(|path| path.is_file())
        .collect()
}

#[test]
fn every_library_lists_the_house_lints_and_is_ready_to_be_packaged() {
    for manifest in tracked(&["Cargo.toml"]) {
        let text = fs::read_to_string(&manifest).unwrap();
        if !text.contains("[package]") {
            continue;
        }
        let folder = manifest.parent().unwrap();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        // The counting allocator of the tests lists the lints itself, all but the one against unsafe code.
        let takes_lints = text.contains("[lints]\nworkspace = true") || name == "counting";
        assert!(takes_lints, "{} does not take the lints", manifest.display());
        // The binaries' shared library is packaged too: they depend on it.
        let is_library = name.starts_with("hedge-") || name == "desk";
        assert_eq!(is_library, !text.contains("publish = false"), "{}", manifest.display());
        assert!(!is_library || folder.join("README.md").is_file(), "{} has no README", folder.display());
    }
}

#[test]
fn nothing_names_a_machine_or_a_download_host() {
    // Written in pieces, so that this file does not name them either.
    let hosts = [
        ["index.crates", ".io"],
        ["registry.npm", "js.org"],
        ["pypi", ".org"],
        ["files.python", "hosted.org"],
    ];
    let folders = [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"]];
    for path in tracked(&[".rs", ".toml", ".md", ".json", ".yml", ".sh", "run", ".example"]) {
        let text = fs::read_to_string(&path).unwrap();
        for piece in hosts.iter().chain(&folders) {
            let forbidden = piece.concat();
            assert!(!text.contains(&forbidden), "{} names {forbidden}", path.display());
        }
    }
}

#[test]
fn nothing_is_left_for_later() {
    let words = [["to", "do!("], ["unimple", "mented!("], ["FIX", "ME"], ["db", "g!("]];
    for path in tracked(&[".rs"]) {
        let text = fs::read_to_string(&path).unwrap();
        for piece in &words {
            let word = piece.concat();
            assert!(!text.contains(&word), "{} holds {word}", path.display());
        }
    }
}

#[test]
fn no_test_is_switched_off() {
    let word = ["#[ign", "ore"].concat();
    for path in tracked(&[".rs"]) {
        assert!(
            !fs::read_to_string(&path).unwrap().contains(&word),
            "{} switches a test off",
            path.display()
        );
    }
}
