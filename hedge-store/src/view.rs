//! Views as files: what was derived, plus on a first line of its own the last record it contains.
//!
//! Not synced: a view is rebuilt from the journal, and a power cut leaves the old one, the new one or, on some
//! file systems, an empty one, which reading reports.

use std::{fs, io::ErrorKind, path::Path};

use hedge_core::{BoxError, Failpoint, Failpoints, Seq, StoreError, View, ViewName};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    disk::{failed, replace_unless},
    tee::{FollowerState, read_status},
};

#[derive(Deserialize)]
struct AsOf {
    as_of: Seq,
}

/// Checks that the view is a JSON object, and that an `as_of` of its own does not contradict.
pub(crate) fn check(name: &ViewName, view: &View) -> Result<bool, StoreError> {
    let refuse = |why: String| StoreError::Encode {
        seq: view.as_of,
        source: BoxError::from(format!("view {} {why}", name.as_str())),
    };
    let fields: std::collections::BTreeMap<String, &RawValue> =
        serde_json::from_str(&view.json).map_err(|error| refuse(format!("is not a JSON object: {error}")))?;
    match fields.get("as_of").map(|own| own.get()) {
        None => Ok(false),
        Some(own) if own == view.as_of.0.to_string() => Ok(true),
        Some(own) => Err(refuse(format!("says as_of {own} but is given as of {}", view.as_of))),
    }
}

/// Views of a state directory, and what its followers have, that are made of a record which a journal that goes on at `next`
/// does not hold: its last lines are missing. Each as a sentence. A view that cannot be read tells nothing.
pub fn ahead_of_journal(state_dir: &Path, next: Seq) -> Vec<String> {
    let as_of = |path: &Path| serde_json::from_slice(&fs::read(path).ok()?).ok().map(|AsOf { as_of }| as_of);
    let mut found: Vec<String> = fs::read_dir(state_dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .filter_map(|path| Some((as_of(&path)?, path.file_name()?.to_string_lossy().into_owned())))
        .filter(|(as_of, _)| *as_of >= next)
        .map(|(as_of, name)| format!("{name} was made of record {as_of}"))
        .collect();
    let followers = read_status(state_dir).unwrap_or_default();
    let followers = followers.into_iter().filter(|follower| {
        // What has something else is said where followers are.
        follower.next > next && follower.state != FollowerState::Diverged
    });
    found.extend(followers.map(|follower| format!("{} has record {}", follower.name, follower.next.0 - 1)));
    found.sort();
    found
        .iter()
        .map(|what| format!("{what}, but the journal ends before it: its last lines are missing"))
        .collect()
}

pub(crate) fn write(
    dir: &Path,
    name: &ViewName,
    view: &View,
    failpoints: &Failpoints,
) -> Result<(), StoreError> {
    let has_own = check(name, view)?;
    let json = view.json.trim();
    let file = format!("{}.json", name.as_str());
    let doing = format!("replacing {}", dir.join(&file).display());
    let put = |parts: &[&[u8]]| {
        replace_unless(dir, &file, parts, || failpoints.write(Failpoint::ViewBeforeRename))
            .map(|()| failpoints.pass(Failpoint::ViewAfterRename))
            .map_err(failed(doing))
    };
    if has_own {
        return put(&[json.as_bytes(), b"\n"]);
    }
    // `check` has seen an object, so there is a brace on both ends.
    let rest = json.strip_prefix('{').unwrap_or(json);
    let separator = if rest.trim_start().starts_with('}') { "" } else { "," };
    let first = format!("{{\"as_of\":{}{separator}\n", view.as_of);
    put(&[first.as_bytes(), rest.as_bytes(), b"\n"])
}

pub(crate) fn read(dir: &Path, name: &ViewName) -> Result<Option<View>, StoreError> {
    let path = dir.join(format!("{}.json", name.as_str()));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(format!("reading {}", path.display()))(error)),
    };
    let AsOf { as_of } = serde_json::from_str(&text).map_err(|error| StoreError::Corrupt {
        place: path.display().to_string(),
        detail: format!("{error}; views are rebuilt from the journal, deleting this file loses nothing"),
    })?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let ours = [format!("{{\"as_of\":{as_of},\n"), format!("{{\"as_of\":{as_of}\n")];
    let json = match ours.iter().find_map(|first| text.strip_prefix(first.as_str())) {
        Some(rest) => format!("{{{rest}"),
        None => text.to_owned(),
    };
    Ok(Some(View { as_of, json }))
}
