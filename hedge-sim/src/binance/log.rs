//! The command log: what was acknowledged survives a kill.
//!
//! JSON lines. The first line says what the log belongs to; every further line is one record, written to the operating
//! system before the request is answered or the bar published. A torn last line is cut off.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be opened, read or written.
    #[error("command log {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The log belongs to another market, account or set of instruments.
    #[error(
        "command log {path} was written with other settings: {differences}; use the same ones or another file"
    )]
    OtherSettings {
        /// The file.
        path: PathBuf,
        /// Each differing field with both values.
        differences: String,
    },
    /// A line in the middle of the file cannot be read.
    #[error("command log {path}, line {line}: {detail}; the file is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong with it.
        detail: String,
    },
}

/// An open log, positioned at its end.
#[derive(Debug)]
pub(crate) struct CommandLog {
    path: PathBuf,
    file: File,
    /// Bytes of complete lines.
    length: u64,
    line: Vec<u8>,
}

/// What an existing log held.
#[derive(Debug)]
pub(crate) struct Replay<R> {
    pub(crate) records: Vec<R>,
    /// Bytes of an unfinished last line that were cut off.
    pub(crate) torn_bytes: usize,
}

impl CommandLog {
    /// Opens or creates the log and reads what it holds. `header` is a flat list of settings.
    pub(crate) fn open<R: DeserializeOwned>(
        path: &Path,
        header: &[(String, String)],
    ) -> Result<(Self, Replay<R>), LogError> {
        let io = |source| LogError::Io { path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        file.try_lock()
            .map_err(|error| io(io::Error::other(format!("another exchange uses it ({error})"))))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(io)?;
        let complete = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(complete as u64).map_err(io)?;
        file.seek(SeekFrom::Start(complete as u64)).map_err(io)?;
        let mut log = Self { path: path.to_owned(), file, length: complete as u64, line: Vec::new() };
        let replay = log.replay(header, text.get(..complete).unwrap_or_default(), text.len() - complete)?;
        Ok((log, replay))
    }

    /// Writes one record through to the operating system.
    pub(crate) fn append<R: Serialize>(&mut self, record: &R) -> Result<(), LogError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record).map_err(|error| self.io(error.into()))?;
        self.line.push(b'\n');
        if let Err(error) = self.file.write_all(&self.line) {
            // A part of the line may have been written: without it the next one stands where it belongs.
            let _ = self.file.set_len(self.length);
            let _ = self.file.seek(SeekFrom::Start(self.length));
            return Err(self.io(error));
        }
        self.length += self.line.len() as u64;
        Ok(())
    }

    /// The first line of an existing log, if there is one.
    pub(crate) fn header_of(path: &Path) -> Result<Option<Vec<(String, String)>>, LogError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LogError::Io { path: path.to_owned(), source }),
        };
        let Some(end) = text.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let first = text.get(..end).unwrap_or_default();
        serde_json::from_slice(first).map(Some).map_err(|error| LogError::Damaged {
            path: path.to_owned(),
            line: 1,
            detail: error.to_string(),
        })
    }

    fn replay<R: DeserializeOwned>(
        &mut self,
        header: &[(String, String)],
        text: &[u8],
        torn_bytes: usize,
    ) -> Result<Replay<R>, LogError> {
        let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate();
        let Some((_, first)) = lines.next() else {
            self.append(&header)?;
            return Ok(Replay { records: Vec::new(), torn_bytes });
        };
        let found: Vec<(String, String)> =
            serde_json::from_slice(first).map_err(|error| self.damaged(0, &error))?;
        if found != header {
            let differences = differences(&found, header);
            return Err(LogError::OtherSettings { path: self.path.clone(), differences });
        }
        let read = |(at, line): (usize, &[u8])| {
            serde_json::from_slice(line).map_err(|error| self.damaged(at, &error))
        };
        let records = lines.map(read).collect::<Result<_, _>>()?;
        Ok(Replay { records, torn_bytes })
    }

    fn io(&self, source: io::Error) -> LogError {
        LogError::Io { path: self.path.clone(), source }
    }

    fn damaged(&self, at: usize, error: &serde_json::Error) -> LogError {
        LogError::Damaged { path: self.path.clone(), line: at + 1, detail: error.to_string() }
    }
}

fn differences(found: &[(String, String)], wanted: &[(String, String)]) -> String {
    let value = |list: &[(String, String)], name: &str| {
        list.iter()
            .find(|(key, _)| key == name)
            .map_or_else(|| "nothing".to_owned(), |(_, value)| value.clone())
    };
    let mut names: Vec<&String> = found.iter().chain(wanted).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let differing = names.into_iter().filter(|name| value(found, name) != value(wanted, name));
    differing
        .map(|name| format!("{name} is {} there and {} here", value(found, name), value(wanted, name)))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(seed: &str) -> Vec<(String, String)> {
        vec![("seed".to_owned(), seed.to_owned())]
    }

    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("hedge-sim-log-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn records_come_back_and_a_torn_line_is_cut() {
        let path = path("torn");
        let (mut log, replay) = CommandLog::open::<u32>(&path, &header("1")).unwrap();
        assert!(replay.records.is_empty());
        log.append(&7_u32).unwrap();
        log.append(&8_u32).unwrap();
        drop(log);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"12").unwrap();
        let (mut log, replay) = CommandLog::open::<u32>(&path, &header("1")).unwrap();
        assert_eq!((replay.records, replay.torn_bytes), (vec![7, 8], 2));
        log.append(&9_u32).unwrap();
        drop(log);
        assert_eq!(CommandLog::open::<u32>(&path, &header("1")).unwrap().1.records, [7, 8, 9]);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_log_of_other_settings_is_refused_by_name() {
        let path = path("settings");
        drop(CommandLog::open::<u32>(&path, &header("1")).unwrap());
        let error = CommandLog::open::<u32>(&path, &header("2")).unwrap_err().to_string();
        assert!(error.contains("seed is 1 there and 2 here"), "{error}");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn two_exchanges_cannot_share_a_log() {
        let path = path("shared");
        let _first = CommandLog::open::<u32>(&path, &header("1")).unwrap();
        assert!(CommandLog::open::<u32>(&path, &header("1")).is_err());
        std::fs::remove_file(&path).unwrap();
    }
}
