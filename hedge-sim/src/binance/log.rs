//! The command log: what was acknowledged survives a kill.
//!
//! JSON lines, each `[content,"check"]`. The first content says what the log belongs to; every further one is a record,
//! written to the operating system before the request is answered or the bar published. The check covers the content and
//! every line above, so that a changed, lost or inserted line is noticed. A torn last line is cut off.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

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

/// What the lines so far come to.
type Chain = [u8; 32];

/// Between content and check, and behind it.
const SEAL: (&[u8], &[u8]) = (b",\"", b"\"]");
/// Hex digits of a check.
const CHECK_DIGITS: usize = 8;

/// The chain with one more content.
fn chained(chain: &Chain, content: &[u8]) -> Chain {
    Sha256::new().chain_update(chain).chain_update(content).finalize().into()
}

fn check_of(chain: &Chain) -> String {
    chain.iter().take(CHECK_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

/// The content of a line and its check.
fn opened(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = line.strip_prefix(b"[")?.strip_suffix(SEAL.1)?;
    let (content, check) = inner.split_at_checked(inner.len().checked_sub(CHECK_DIGITS)?)?;
    Some((content.strip_suffix(SEAL.0)?, check))
}

/// An open log, positioned at its end.
#[derive(Debug)]
pub(crate) struct CommandLog {
    path: PathBuf,
    file: File,
    /// Bytes of complete lines.
    length: u64,
    chain: Chain,
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
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        // The account is the owner's business. A file that exists keeps the rights it has.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(io)?;
        file.try_lock()
            .map_err(|error| io(io::Error::other(format!("another exchange uses it ({error})"))))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(io)?;
        let complete = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(complete as u64).map_err(io)?;
        file.seek(SeekFrom::Start(complete as u64)).map_err(io)?;
        let (chain, length) = (Chain::default(), complete as u64);
        let mut log = Self { path: path.to_owned(), file, length, chain, line: Vec::new() };
        let replay = log.replay(header, text.get(..complete).unwrap_or_default(), text.len() - complete)?;
        Ok((log, replay))
    }

    /// Writes one record through to the operating system.
    pub(crate) fn append<R: Serialize>(&mut self, record: &R) -> Result<(), LogError> {
        self.line.clear();
        self.line.push(b'[');
        serde_json::to_writer(&mut self.line, record).map_err(|error| self.io(error.into()))?;
        let chain = chained(&self.chain, self.line.get(1..).unwrap_or_default());
        self.line.extend_from_slice(SEAL.0);
        self.line.extend_from_slice(check_of(&chain).as_bytes());
        self.line.extend_from_slice(SEAL.1);
        self.line.push(b'\n');
        if let Err(error) = self.file.write_all(&self.line) {
            // A part of the line may have been written: without it the next one stands where it belongs.
            let _ = self.file.set_len(self.length);
            let _ = self.file.seek(SeekFrom::Start(self.length));
            return Err(self.io(error));
        }
        self.length += self.line.len() as u64;
        self.chain = chain;
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
        header_in(text.get(..end).unwrap_or_default())
            .map(|(header, _)| Some(header))
            .map_err(|detail| LogError::Damaged { path: path.to_owned(), line: 1, detail })
    }

    fn replay<R: DeserializeOwned>(
        &mut self,
        header: &[(String, String)],
        text: &[u8],
        torn_bytes: usize,
    ) -> Result<Replay<R>, LogError> {
        // Without the last line end there is no empty line behind it; an empty file has no line at all.
        let text = text.strip_suffix(b"\n");
        let mut lines = text.into_iter().flat_map(|text| text.split(|byte| *byte == b'\n')).enumerate();
        let Some((_, first)) = lines.next() else {
            self.append(&header)?;
            return Ok(Replay { records: Vec::new(), torn_bytes });
        };
        let (found, chain) = header_in(first).map_err(|detail| self.damaged(0, detail))?;
        if found != header {
            let differences = differences(&found, header);
            return Err(LogError::OtherSettings { path: self.path.clone(), differences });
        }
        self.chain = chain;
        let mut records = Vec::new();
        for (at, line) in lines {
            let (content, chain) = unsealed(&self.chain, line).map_err(|detail| self.damaged(at, detail))?;
            let record =
                serde_json::from_slice(content).map_err(|error| self.damaged(at, error.to_string()))?;
            records.push(record);
            self.chain = chain;
        }
        Ok(Replay { records, torn_bytes })
    }

    fn io(&self, source: io::Error) -> LogError {
        LogError::Io { path: self.path.clone(), source }
    }

    fn damaged(&self, at: usize, detail: String) -> LogError {
        LogError::Damaged { path: self.path.clone(), line: at + 1, detail }
    }
}

/// The content of the line after `chain`, and the chain with it. Errors when the check is absent or another one.
fn unsealed<'a>(chain: &Chain, line: &'a [u8]) -> Result<(&'a [u8], Chain), String> {
    let (content, check) = opened(line).ok_or("it does not end in a check")?;
    let chain = chained(chain, content);
    if check == check_of(&chain).as_bytes() {
        return Ok((content, chain));
    }
    Err("its check does not fit: this line or one above was changed, lost or put in".to_owned())
}

type Header = Vec<(String, String)>;

/// The settings in a first line, and the chain that begins with them. Logs of the first format bear no checks; their
/// settings are read, so that their format can be refused by its name.
fn header_in(first: &[u8]) -> Result<(Header, Chain), String> {
    let read = |text| serde_json::from_slice::<Header>(text).map_err(|error| error.to_string());
    if let Ok(unchecked) = read(first) {
        return Ok((unchecked, Chain::default()));
    }
    let (content, chain) = unsealed(&Chain::default(), first)?;
    Ok((read(content)?, chain))
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
    fn a_changed_lost_or_foreign_line_is_damage_and_named() {
        let path = path("damage");
        let (mut log, _) = CommandLog::open::<u32>(&path, &header("1")).unwrap();
        for record in [7_u32, 8, 9] {
            log.append(&record).unwrap();
        }
        drop(log);
        let whole = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let opened = |lines: &[&str]| {
            std::fs::write(&path, lines.join("\n") + "\n").unwrap();
            CommandLog::open::<u32>(&path, &header("1")).map(|(_, replay)| replay.records)
        };
        assert_eq!(opened(&lines).unwrap(), [7, 8, 9]);
        let changed = lines[2].replace("[8,", "[6,");
        for (damaged, line) in [
            (vec![lines[0], lines[1], &changed, lines[3]], 3),
            (vec![lines[0], lines[1], lines[3]], 3),
            (vec![lines[0], lines[2], lines[1], lines[3]], 2),
            (vec![lines[0], lines[1], lines[1], lines[2], lines[3]], 3),
            (vec![lines[0], lines[1], "8", lines[3]], 3),
            (vec![lines[0], lines[1], "", lines[2], lines[3]], 3),
        ] {
            let said = opened(&damaged).unwrap_err().to_string();
            assert!(said.contains(&format!("line {line}: ")) && said.contains("damaged"), "{said}");
        }
        let other_start = lines[0].replace("\"1\"", "\"2\"");
        assert!(opened(&[&other_start, lines[1]]).unwrap_err().to_string().contains("line 1: its check"));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_log_without_checks_is_refused_by_its_format() {
        let path = path("format");
        std::fs::write(&path, "[[\"format\",\"1\"]]\n7\n").unwrap();
        let wanted = vec![("format".to_owned(), "2".to_owned())];
        let error = CommandLog::open::<u32>(&path, &wanted).unwrap_err().to_string();
        assert!(error.contains("format is 1 there and 2 here"), "{error}");
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

    #[cfg(unix)]
    #[test]
    fn a_new_log_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let path = path("rights");
        drop(CommandLog::open::<u32>(&path, &header("1")).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
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
