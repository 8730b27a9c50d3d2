//! Disks that do not work: full, and not writable.

use std::{fs, process::Command};

use hedge_core::{Posture, Term, Timestamp};
use hedge_store::{ControlDir, FenceRecord};

use super::{
    stage::{Stage, done},
    support::program,
};

fn fence(term: u32) -> FenceRecord {
    let (because, by) = ("running".to_owned(), "hedge-executor".to_owned());
    FenceRecord { term: Term(term), posture: Posture::Normal, because, by, at: Timestamp::from_ms(1) }
}

#[test]
fn a_full_disk_keeps_neither_the_fence_nor_the_closes_from_working() {
    let stage = Stage::new("panic-full", 1);
    let dir = stage.temp.join("d");
    fs::create_dir(&dir).unwrap();
    let try_mount = Command::new("unshare")
        .args(["-Urm", "mount", "-t", "tmpfs", "none", dir.to_str().unwrap()])
        .output();
    if !try_mount.is_ok_and(|output| output.status.success()) {
        println!(
            "SKIP a_full_disk_keeps_neither_the_fence_nor_the_closes_from_working: no tmpfs can be mounted here"
        );
        return;
    }
    let seed = stage.temp.join("seed");
    fs::create_dir(&seed).unwrap();
    ControlDir::of(&seed).put_fence(&fence(7)).unwrap();
    // A file system of its own, with a fence from before, and then not one byte of room.
    let script = "mount -t tmpfs -o size=32k none d && cp -a seed/control d/control \
                  && { dd if=/dev/zero of=d/rest bs=512 count=100000 2>/dev/null; true; } \
                  && { ! echo more > d/more; } 2>/dev/null \
                  ; \"$@\"; code=$?; cp d/control/fence fence-after; exit $code";
    let inner = stage.program("hedge-panic-close");
    let mut outer = Command::new("unshare");
    outer
        .current_dir(stage.temp.path())
        .args(["-Urm", "sh", "-c", script, "sh"])
        .arg(program("hedge-panic-close"));
    outer.args(["--yes", "--json", "--state-dir", "d"]);
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    let done = done(&outer.output().unwrap());
    stage.check("full disk", &done);
    let after: FenceRecord =
        serde_json::from_str(&fs::read_to_string(stage.temp.join("fence-after")).unwrap()).unwrap();
    assert_eq!(
        (after.term, after.posture),
        (Term(8), Posture::Halted),
        "written over the old one: {}",
        done.progress
    );
}

#[test]
fn a_state_directory_that_cannot_be_written_is_a_warning() {
    let stage = Stage::new("panic-read-only", 1);
    let dir = stage.temp.join("d");
    fs::create_dir(&dir).unwrap();
    // Also for a superuser, whom permissions do not bind: a file is where the folder should be.
    fs::write(dir.join("control"), "").unwrap();
    let done = stage.panic_close(&["--state-dir", "d"]);
    stage.check("unwritable", &done);
    assert!(done.progress.contains("warning: "), "{}", done.progress);
    assert!(!done.verdict["warnings"].as_array().unwrap().is_empty());

    let nowhere = stage.panic_close(&["--state-dir", "nowhere"]);
    stage.check("no state directory", &nowhere);
    assert!(nowhere.progress.contains("goes on trading"), "{}", nowhere.progress);
    assert!(!stage.temp.join("nowhere").exists());
}
