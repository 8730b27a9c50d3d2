//! Finished rows on the disk while a sweep goes on, so that an interrupted one does not begin anew.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{error::SweepError, trial::Trial};

/// Its name; it is gone once the sweep is complete.
const NAME: &str = "unfinished.jsonl";

/// What makes rows those of one sweep.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    sweep: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    combination: u64,
    trial: Trial,
}

/// The file.
#[derive(Debug)]
pub(super) struct Unfinished {
    path: PathBuf,
    file: File,
}

impl Unfinished {
    /// Begins a file, or goes on with the one that is there. Gives the rows it has.
    ///
    /// Errors: there is one and nobody asked for it, it is another sweep's, or the disk.
    pub(super) fn open(
        folder: &Path,
        sweep: &str,
        resume: bool,
    ) -> Result<(Self, BTreeMap<u64, Trial>), SweepError> {
        let path = folder.join(NAME);
        if !path.exists() {
            let mut file = File::create_new(&path).map_err(disk("creating", &path))?;
            let head = serde_json::to_string(&Head { sweep: sweep.to_owned() }).unwrap_or_default();
            file.write_all(format!("{head}\n").as_bytes()).map_err(disk("writing", &path))?;
            return Ok((Self { path, file }, BTreeMap::new()));
        }
        let shown = path.display();
        if !resume {
            return Err(SweepError::Resume(format!(
                "{shown} holds the rows of an unfinished sweep; go on with --resume, or remove it"
            )));
        }
        let mut file =
            OpenOptions::new().read(true).write(true).open(&path).map_err(disk("opening", &path))?;
        let mut reader = BufReader::new(&mut file);
        let mut rows = BTreeMap::new();
        let (mut good, mut text) = (0_u64, String::new());
        loop {
            text.clear();
            let bytes = reader.read_line(&mut text).map_err(disk("reading", &path))?;
            // The last line may be half: the process was killed while it was written.
            if bytes == 0 || !text.ends_with('\n') {
                break;
            }
            if good == 0 {
                let head: Option<Head> = serde_json::from_str(&text).ok();
                if head != Some(Head { sweep: sweep.to_owned() }) {
                    return Err(SweepError::Resume(format!(
                        "{shown} holds rows of a sweep with another grid, configuration, data or version; remove it, or take another --out"
                    )));
                }
            } else {
                let Ok(line) = serde_json::from_str::<Line>(&text) else { break };
                rows.insert(line.combination, line.trial);
            }
            good += bytes as u64;
        }
        file.set_len(good).and_then(|()| file.seek(SeekFrom::Start(good))).map_err(disk("writing", &path))?;
        if good == 0 {
            let head = serde_json::to_string(&Head { sweep: sweep.to_owned() }).unwrap_or_default();
            file.write_all(format!("{head}\n").as_bytes()).map_err(disk("writing", &path))?;
        }
        Ok((Self { path, file }, rows))
    }

    /// Adds a row. Errors: the disk's.
    pub(super) fn add(&mut self, combination: u64, trial: &Trial) -> Result<(), SweepError> {
        #[derive(Serialize)]
        struct Line<'a> {
            combination: u64,
            trial: &'a Trial,
        }
        let text = serde_json::to_string(&Line { combination, trial }).map_err(std::io::Error::from);
        text.and_then(|text| self.file.write_all(format!("{text}\n").as_bytes()))
            .map_err(disk("writing", &self.path))
    }

    /// The sweep is complete.
    pub(super) fn remove(self) -> Result<(), SweepError> {
        drop(self.file);
        fs::remove_file(&self.path).map_err(disk("removing", &self.path))
    }
}

pub(super) fn disk(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SweepError {
    let path = path.display().to_string();
    move |source| SweepError::Disk { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sweep::Figures, temp::TempDir};

    fn trial(nav_end: i64) -> Trial {
        let figures = Figures { nav_end: nav_end.into(), ..Figures::default() };
        Trial { figures, returns: vec![0.1, -0.012_345_678_901_234_567], ends_ms: vec![1, 2] }
    }

    #[test]
    fn rows_come_back_as_they_were_and_a_half_line_does_not() {
        let dir = TempDir::new();
        let (mut file, rows) = Unfinished::open(&dir.0, "s1", false).unwrap();
        assert!(rows.is_empty());
        file.add(3, &trial(1)).unwrap();
        file.add(1, &trial(2)).unwrap();
        drop(file);
        let path = dir.0.join(NAME);
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("{\"combination\":5,\"tri");
        fs::write(&path, text).unwrap();
        let (mut file, rows) = Unfinished::open(&dir.0, "s1", true).unwrap();
        assert_eq!(rows, BTreeMap::from([(1, trial(2)), (3, trial(1))]));
        file.add(7, &trial(3)).unwrap();
        let (file, rows) = Unfinished::open(&dir.0, "s1", true).unwrap();
        assert_eq!(rows.len(), 3);
        file.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn rows_of_another_sweep_and_rows_nobody_asked_for_are_refused() {
        let dir = TempDir::new();
        Unfinished::open(&dir.0, "s1", false).unwrap();
        let unasked = Unfinished::open(&dir.0, "s1", false).unwrap_err().to_string();
        assert!(unasked.contains("go on with --resume, or remove it"), "{unasked}");
        let other = Unfinished::open(&dir.0, "s2", true).unwrap_err().to_string();
        assert!(other.contains("another grid, configuration, data or version"), "{other}");
    }
}
