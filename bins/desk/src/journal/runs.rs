//! A run as people name it: a folder, `last`, or the name of a folder below `paper`.

use std::{fs, path::Path};

use hedge_store::{StateDir, StateDirError};

use super::{JournalSource, SourceError};

/// Names of runs that are told when none fits.
const MOST_NAMES: usize = 5;

/// Finds a run: nothing named is what every tool takes; a path is taken as it is; else a folder of that name is looked for
/// below `root/paper`. Gives the journal, the sentence that says which it is, and its state directory (a backtest has none).
///
/// Errors: [`SourceError`], with the names that there are.
pub fn find_run(
    root: &Path,
    run: Option<&str>,
) -> Result<(JournalSource, String, Option<StateDir>), SourceError> {
    let Some(run) = run else { return found(root, None) };
    let path = Path::new(run);
    let is_name = !run.is_empty() && !run.contains(['/', '\\']) && run != "." && run != "..";
    if path.is_dir() || !is_name {
        return found(root, Some(path));
    }
    let paper = root.join("paper");
    // Where links are not to be had, `last` is a file that holds the name.
    let name = match fs::read_to_string(paper.join(run)) {
        Ok(text) if run == "last" => text.trim().to_owned(),
        _ => run.to_owned(),
    };
    let named = paper.join(name);
    if named.is_dir() {
        return found(root, Some(&named));
    }
    let mut names: Vec<String> = fs::read_dir(&paper)
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    names.sort();
    let there = match names.len() {
        0 => "there are no paper runs".to_owned(),
        count => format!("there are {}", names.split_off(count.saturating_sub(MOST_NAMES)).join(", ")),
    };
    let looked = format!("{run} is no folder, and {} has no run of that name: {there}", paper.display());
    Err(StateDirError::NotFound { looked }.into())
}

fn found(
    root: &Path,
    option: Option<&Path>,
) -> Result<(JournalSource, String, Option<StateDir>), SourceError> {
    let (source, says) = JournalSource::find(root, option)?;
    let dir = match &source {
        JournalSource::State(_) => Some(StateDir::resolve_for_tools(root, option)?.dir),
        JournalSource::Backtest(_) => None,
    };
    Ok((source, says, dir))
}
