//! Making a pack.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use hedge_core::{Envelope, Event, Fact, RunStarted, Symbol, Timestamp};
use hedge_store::{Chain, Owner, encode_line};

use super::{
    IncidentError, Manifest, Mark, MemberSum, ProcessOf, Redactor, Verdict, archive,
    manifest::{FORMAT, JOURNAL, KIND, LOG, MANIFEST, config_name, too_much},
};
use crate::{
    config::KeptConfig,
    journal::{Engines, Head, Place, ReplayError, replay},
};

/// What a pack is made from.
#[derive(Debug)]
pub struct Contents<'a> {
    /// The journal from its first record to the last one that is wanted.
    pub records: &'a [Envelope],
    /// The chain of the journal after the last of them.
    pub journal_head: Option<Head>,
    /// Whose journal it is.
    pub owner: &'a Owner,
    /// Where its configurations are.
    pub engines: &'a Engines,
    /// The end of the log, if there is one.
    pub log: Option<&'a str>,
}

/// What is wanted of it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Where the incident begins; the journal's beginning without one.
    pub from: Option<Place>,
    /// What takes out what must not leave this machine.
    pub redactor: &'a Redactor,
}

/// A pack that is not written yet.
#[derive(Debug)]
pub struct Packed {
    /// What is in it.
    pub manifest: Manifest,
    /// Its members, the manifest first.
    members: Vec<(String, Vec<u8>)>,
}

/// Puts a pack together and replays what is in it. `say` hears how many records are done.
///
/// Errors: [`IncidentError::Nothing`] when there is nothing to put into it.
pub fn pack(
    contents: &Contents<'_>,
    wanted: Wanted<'_>,
    say: &mut dyn FnMut(u64),
) -> Result<Packed, IncidentError> {
    let nothing = |text: &str| IncidentError::Nothing(text.to_owned());
    let last = contents.records.last().ok_or_else(|| nothing("the journal holds no record up to there"))?;
    let first = match wanted.from {
        Some(from) => contents.records.iter().find(|record| from.is_reached(record)),
        None => contents.records.first(),
    };
    let first = first.ok_or_else(|| nothing("the journal holds no record from there on"))?;

    let redactor = wanted.redactor.clone().and_holders_in(contents.records, contents.log.unwrap_or_default());
    let Redacted { records, redacted, verdict, cut_short } = redact(contents, &redactor, say)?;
    let (journal, chain) = lines(&records)?;
    let runs: Vec<(Mark, &RunStarted)> = records.iter().filter_map(started).collect();
    let mut configs = BTreeMap::new();
    for (_, run) in &runs {
        if let Ok((config, pacing)) = contents.engines.config(run) {
            let kept = KeptConfig::of(&config, pacing).reduced();
            configs.insert(config_name(&run.config_hash), kept.to_text().into_bytes());
        }
    }
    let mut members = vec![(JOURNAL.to_owned(), journal)];
    members.extend(configs);
    if let Some(log) = contents.log {
        let text: String =
            log.lines().flat_map(|line| [redactor.text(line).into_owned(), "\n".to_owned()]).collect();
        members.push((LOG.to_owned(), text.into_bytes()));
    }
    let (profile, venue) = (&contents.owner.profile, &contents.owner.venue);
    let manifest = Manifest {
        kind: KIND.to_owned(),
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        profile: redactor.text(profile).into_owned(),
        venue: redactor.text(venue).into_owned(),
        from: mark(first),
        to: mark(last),
        records: records.len() as u64,
        redacted,
        head: Head::of(last.seq.next(), &chain).ok_or_else(|| nothing("the journal is empty"))?,
        journal_head: contents.journal_head.clone(),
        processes: runs
            .iter()
            .map(|(from, run)| ProcessOf {
                from: *from,
                version: run.code_version.clone(),
                config_hash: run.config_hash.clone(),
            })
            .collect(),
        verdict,
        cut_short,
        members: members
            .iter()
            .map(|(name, content)| MemberSum {
                name: name.clone(),
                size: content.len() as u64,
                sha256: archive::sha256(content),
            })
            .collect(),
    };
    let mut text = serde_json::to_string_pretty(&manifest).unwrap_or_default();
    text.push('\n');
    members.insert(0, (MANIFEST.to_owned(), text.into_bytes()));
    if let Some(why) = too_much(members.iter().map(|(name, content)| (name.as_str(), content.len() as u64))) {
        return Err(IncidentError::Nothing(format!("nothing was packed: {why}; end it earlier with --to")));
    }
    Ok(Packed { manifest, members })
}

/// The records as they may leave, and what a replay of them says.
struct Redacted {
    records: Vec<Envelope>,
    /// How many of them differ from the journal's.
    redacted: u64,
    verdict: Verdict,
    cut_short: u64,
}

/// Takes out of the records what must not leave. A machine may be called like a word that the engine writes by itself, `hedge`:
/// taken out of its decisions, they would not be made again elsewhere. Such a name stays in the records, where it is a word.
fn redact(
    contents: &Contents<'_>,
    redactor: &Redactor,
    say: &mut dyn FnMut(u64),
) -> Result<Redacted, IncidentError> {
    let mut by = |redactor: &Redactor| -> Result<Redacted, IncidentError> {
        let mut redacted = 0;
        let records: Vec<Envelope> = contents
            .records
            .iter()
            .map(|record| {
                let other = redactor.record(record).map_err(IncidentError::Nothing)?;
                redacted += u64::from(other.is_some());
                Ok(other.unwrap_or_else(|| record.clone()))
            })
            .collect::<Result<_, IncidentError>>()?;
        let (verdict, cut_short) = verdict(&records, contents.engines, say);
        Ok(Redacted { records, redacted, verdict, cut_short })
    };
    let whole = by(redactor)?;
    let hosts = redactor.hosts();
    if !matches!(whole.verdict, Verdict::Different { .. }) || hosts.is_empty() {
        return Ok(whole);
    }
    // As few as possible: one of them, else all.
    for names in hosts.chunks(1).chain(std::iter::once(&hosts[..])) {
        let other = by(&redactor.without_hosts(names))?;
        if other.verdict == Verdict::Same {
            return Ok(other);
        }
    }
    Ok(whole)
}

impl Packed {
    /// Writes the pack's bytes: the same ones for the same contents.
    ///
    /// Errors: of `out`.
    pub fn write(&self, out: impl Write) -> io::Result<()> {
        archive::write(out, self.members.iter().map(|(name, content)| (name.as_str(), &content[..])))
    }
}

/// Writes a pack into a file that is not there yet, whole or not at all, for its owner only.
///
/// Errors: [`IncidentError::Exists`], [`IncidentError::Io`].
pub fn save(packed: &Packed, path: &Path) -> Result<(), IncidentError> {
    let exists = || IncidentError::Exists(path.display().to_string());
    if path.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary: PathBuf = path.with_file_name(name);
    let write = || -> io::Result<()> {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out = BufWriter::new(options.open(&temporary)?);
        packed.write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        // A link and not a new name: it does not replace what somebody has put there meanwhile.
        fs::hard_link(&temporary, path)
    };
    let written = write();
    fs::remove_file(&temporary).ok();
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
        Err(source) => Err(IncidentError::Io { doing: format!("writing {}", path.display()), source }),
    }
}

fn lines(records: &[Envelope]) -> Result<(Vec<u8>, Chain), IncidentError> {
    let (mut text, mut chain) = (Vec::new(), Chain::START);
    for record in records {
        encode_line(&mut chain, record, &mut text).map_err(|error| IncidentError::Io {
            doing: format!("writing record {}", record.seq),
            source: error.into(),
        })?;
    }
    Ok((text, chain))
}

/// To the millisecond, as a manifest says it.
fn mark(record: &Envelope) -> Mark {
    Mark { seq: record.seq, at: Timestamp::from_ms(record.at.ms()) }
}

fn started(record: &Envelope) -> Option<(Mark, &RunStarted)> {
    match &record.event {
        Event::Fact(Fact::RunStarted(run)) => Some((mark(record), run)),
        _ => None,
    }
}

/// What a replay says, and how many facts have not all their decisions.
fn verdict(records: &[Envelope], engines: &Engines, say: &mut dyn FnMut(u64)) -> (Verdict, u64) {
    let fresh = |run: &RunStarted, symbols: &[Symbol]| engines.fresh(run, symbols);
    match replay(records, &fresh, None, say) {
        Ok(compared) => match compared.difference {
            None => (Verdict::Same, compared.cut_short),
            Some(difference) => (Verdict::Different { seq: difference.seq }, compared.cut_short),
        },
        Err(ReplayError::NoEngine(_)) => {
            let because = "the configuration that the run had is not there".to_owned();
            (Verdict::NotReplayed { because }, 0)
        }
        Err(error) => (Verdict::NotReplayed { because: error.to_string() }, 0),
    }
}
