//! Reading a pack: checked against its manifest while it is read, with bounded memory, without writing anything.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use hedge_core::{Envelope, Seq};
use hedge_store::{Chain, decode_line, read_line};

use super::{
    IncidentError, Manifest, MemberSum,
    archive::Reader,
    manifest::{FORMAT, JOURNAL, KIND, LOG, MANIFEST, is_known, too_much},
};
use crate::{
    config::KeptConfig,
    journal::{Engines, Head},
};

/// A pack that is whole.
#[derive(Debug)]
pub struct Opened {
    /// What is in it.
    pub manifest: Manifest,
    /// The records, from the journal's first one on.
    pub records: Vec<Envelope>,
    /// The configurations.
    pub engines: Engines,
    /// The end of the log, if it has one.
    pub log: Option<String>,
}

/// Reads a pack.
///
/// Errors: [`IncidentError::Damaged`] for whatever is not as its manifest says, [`IncidentError::Io`].
pub fn open(path: &Path) -> Result<Opened, IncidentError> {
    read(path, true)
}

/// Reads a pack without keeping its records: every member is checked all the same.
///
/// Errors: as [`open`].
pub fn look(path: &Path) -> Result<Opened, IncidentError> {
    read(path, false)
}

fn read(path: &Path, with_records: bool) -> Result<Opened, IncidentError> {
    let doing = || format!("reading {}", path.display());
    let file = File::open(path).map_err(|source| IncidentError::Io { doing: doing(), source })?;
    read_from(BufReader::with_capacity(256 * 1024, file), &path.display().to_string(), with_records)
}

/// Reads a pack's bytes; `file` names it in errors.
///
/// Errors: as [`open`].
pub fn read_from(input: impl BufRead, file: &str, with_records: bool) -> Result<Opened, IncidentError> {
    Reading { reader: Reader::new(input), with_records }.all().map_err(|trouble| {
        let damaged = |detail| IncidentError::Damaged { file: file.to_owned(), detail };
        match trouble {
            Trouble::Damage(detail) => damaged(detail),
            // A damaged stream tells of itself as input that cannot be understood; everything else is the disk.
            Trouble::Io(error) => match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => damaged(error.to_string()),
                io::ErrorKind::UnexpectedEof => {
                    damaged("it ends before its end; a part of it is missing".to_owned())
                }
                _ => IncidentError::Io { doing: format!("reading {file}"), source: error },
            },
        }
    })
}

enum Trouble {
    Damage(String),
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn damage<T>(detail: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Damage(detail.into()))
}

struct Reading<R: BufRead> {
    reader: Reader<R>,
    with_records: bool,
}

impl<R: BufRead> Reading<R> {
    fn all(mut self) -> Result<Opened, Trouble> {
        let manifest = self.manifest()?;
        let (mut records, mut engines, mut log) = (Vec::new(), Engines::default(), None);
        let mut has_journal = false;
        for member in &manifest.members {
            match self.reader.next()? {
                Some((name, size)) if name == member.name && size == member.size => {}
                Some((name, size)) => {
                    return damage(format!(
                        "it has {} of {size} bytes where the manifest says {} of {}",
                        shown(&name),
                        member.name,
                        member.size
                    ));
                }
                None => return damage(format!("{} is missing", member.name)),
            }
            let sum = match member.name.as_str() {
                JOURNAL => {
                    has_journal = true;
                    self.journal(member, &manifest, &mut records)?
                }
                LOG => {
                    let (text, sum) = self.text(member)?;
                    log = Some(text);
                    sum
                }
                name => {
                    let (text, sum) = self.text(member)?;
                    // What is damaged is said as damage, before anybody tries to understand it.
                    if sum == member.sha256 {
                        match KeptConfig::parse(&text) {
                            Ok(kept) => engines.add(&kept),
                            Err(why) => return damage(format!("{name}: {why}")),
                        }
                    }
                    sum
                }
            };
            if sum != member.sha256 {
                return damage(format!(
                    "{} hashes to {sum}, the manifest says {}",
                    member.name, member.sha256
                ));
            }
        }
        if let Some((name, _)) = self.reader.next()? {
            return damage(format!("it also has {}, of which the manifest knows nothing", shown(&name)));
        }
        if has_journal { Ok(Opened { manifest, records, engines, log }) } else { damage("it has no journal") }
    }

    fn manifest(&mut self) -> Result<Manifest, Trouble> {
        let size = match self.reader.next()? {
            Some((name, size)) if name == MANIFEST && too_much([(MANIFEST, size)]).is_none() => size,
            Some((name, size)) => {
                return damage(format!(
                    "it begins with {} of {size} bytes, not with a manifest",
                    shown(&name)
                ));
            }
            None => return damage("it is empty"),
        };
        let mut text = String::new();
        let mut body = self.reader.body(size);
        body.read_to_string(&mut text)?;
        body.finish()?;
        let value: serde_json::Value = serde_json::from_str(&text)
            .or_else(|error| damage(format!("its manifest cannot be read: {error}")))?;
        match (value["kind"].as_str(), value["format"].as_u64()) {
            (Some(KIND), Some(format)) if format == u64::from(FORMAT) => {}
            (Some(KIND), Some(format)) => {
                return damage(format!("its format is {format}, this program reads {FORMAT}"));
            }
            _ => return damage("its manifest is not that of an incident"),
        }
        let manifest: Manifest = serde_json::from_value(value)
            .or_else(|error| damage(format!("its manifest cannot be read: {error}")))?;
        let mut names = std::collections::BTreeSet::new();
        for member in &manifest.members {
            if !is_known(&member.name) || !names.insert(&member.name) {
                return damage(format!(
                    "its manifest names {}, which no pack has (again)",
                    shown(&member.name)
                ));
            }
        }
        if let Some(why) = too_much(manifest.members.iter().map(|member| (member.name.as_str(), member.size)))
        {
            return damage(why);
        }
        Ok(manifest)
    }

    fn text(&mut self, member: &MemberSum) -> Result<(String, String), Trouble> {
        let mut bytes = Vec::new();
        let mut body = self.reader.body(member.size);
        body.read_to_end(&mut bytes)?;
        let sum = body.finish()?;
        Ok((String::from_utf8_lossy(&bytes).into_owned(), sum))
    }

    /// Line by line: what is not a chain of records ends it at its first line, however much would follow.
    fn journal(
        &mut self,
        member: &MemberSum,
        manifest: &Manifest,
        records: &mut Vec<Envelope>,
    ) -> Result<String, Trouble> {
        let mut body = self.reader.body(member.size);
        let (mut chain, mut place, mut line) = (Chain::START, Seq(0), Vec::new());
        let mut lines = BufReader::with_capacity(64 * 1024, &mut body);
        loop {
            if read_line(&mut lines, &mut line)? == 0 {
                break;
            }
            let at = |why: &str| {
                Trouble::Damage(format!("{JOURNAL} line {} (record {place}): {why}", place.0 + 1))
            };
            let text = line.strip_suffix(b"\n").ok_or_else(|| at("it has no line end"))?;
            let record = decode_line(&mut chain, text, place).map_err(|why| at(&why))?;
            if self.with_records {
                records.push(record);
            }
            place = place.next();
        }
        drop(lines);
        let sum = body.finish()?;
        let head = Head::of(place, &chain);
        if place.0 != manifest.records || head.as_ref() != Some(&manifest.head) {
            return damage(format!(
                "{JOURNAL} has {place} records and ends at {}, the manifest says {} and {}",
                head.map_or_else(|| "nothing".to_owned(), |head| head.to_string()),
                manifest.records,
                manifest.head
            ));
        }
        Ok(sum)
    }
}

/// A name from outside, in one short line.
fn shown(name: &str) -> String {
    format!("{:?}", name.chars().take(80).collect::<String>())
}
