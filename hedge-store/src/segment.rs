//! Segments: the files a journal consists of, how they are found and checked.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use hedge_core::{Seq, StoreError};

use crate::{
    disk::failed,
    line::{Chain, read_line},
    pack,
};

/// Every how many records the place in the file is remembered.
pub(crate) const STRIDE: u64 = 256;
const READ_BUFFER: usize = 256 * 1024;

/// What a crash left at the end of the last segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// So many bytes of a record that was not written to its end.
    Unfinished(u64),
    /// So many zero bytes after the last record.
    Zeros(u64),
    /// The last record is whole, only its line end (and perhaps zeros after it) is not.
    NoLineEnd,
}

/// A repair that opening a journal made, or would make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The segment.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: u64,
    /// What was wrong.
    pub tear: Tear,
    /// Where the journal goes on.
    pub next: Seq,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}: ", self.file.display(), self.line)?;
        match self.tear {
            Tear::Unfinished(bytes) => {
                write!(f, "the last write did not finish; its {bytes} bytes are cut off")?;
            }
            Tear::Zeros(bytes) => write!(f, "the last write left {bytes} zero bytes; they are cut off")?,
            Tear::NoLineEnd => f.write_str("the last record had no line end; it is added")?,
        }
        write!(f, ", the journal goes on at {}", self.next)
    }
}

/// A segment file that was read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) first: Seq,
    /// The place after its last record.
    pub(crate) next: Seq,
    /// Bytes of whole records in the file.
    pub(crate) len: u64,
    /// Whether the file is compressed: then it is never written again.
    pub(crate) packed: bool,
    /// The chain before its first record.
    pub(crate) start: Chain,
    /// The chain after its last record.
    pub(crate) end: Chain,
    /// Where the records `first`, `first + stride`, … begin, and the chain before them; in a packed file the parts that can
    /// be read by themselves.
    marks: Vec<(u64, Chain)>,
}

/// A remembered place in a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// The record that begins there.
    pub(crate) seq: Seq,
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// The chain before it.
    pub(crate) chain: Chain,
}

impl Segment {
    pub(crate) fn empty(dir: &Path, first: Seq, start: Chain) -> Self {
        Self {
            path: dir.join(format!("{:020}.jsonl", first.0)),
            first,
            next: first,
            len: 0,
            packed: false,
            start,
            end: start,
            marks: Vec::new(),
        }
    }
    /// A compressed one that nothing was read of yet.
    pub(crate) fn packed(dir: &Path, first: Seq, start: Chain) -> Self {
        let path = dir.join(format!("{:020}{}", first.0, pack::SUFFIX));
        Self { path, packed: true, ..Self::empty(dir, first, start) }
    }
    /// The packed form that has taken the place of this plain one, as far as this one was known.
    pub(crate) fn now_packed(&self) -> Result<Self, StoreError> {
        let dir = self.path.parent().unwrap_or_else(|| Path::new("."));
        let mut packed = Self::packed(dir, self.first, self.start);
        pack::scan(&mut packed)?;
        packed.next = packed.next.min(self.next);
        Ok(packed)
    }
    /// Notes a part of a packed file: where it begins, where it ends, how many records it holds, the chain after them.
    pub(crate) fn push_part(&mut self, begin: u64, end: u64, records: u64, chain: Chain) {
        self.marks.push((begin, self.end));
        self.len = end;
        self.next = Seq(self.next.0 + records);
        self.end = chain;
    }
    const fn stride(&self) -> u64 {
        if self.packed { pack::STRIDE } else { STRIDE }
    }
    /// Notes a record of `bytes` bytes at its end, and the chain after it.
    pub(crate) fn push(&mut self, bytes: u64, chain: Chain) {
        if (self.next.0 - self.first.0).is_multiple_of(STRIDE) {
            self.marks.push((self.len, self.end));
        }
        self.next = self.next.next();
        self.len += bytes;
        self.end = chain;
    }
    /// The nearest remembered record at or before `seq`.
    pub(crate) fn mark_before(&self, seq: Seq) -> Mark {
        let step = seq.0.saturating_sub(self.first.0) / self.stride();
        match self.marks.get(usize::try_from(step).unwrap_or(usize::MAX)) {
            Some(&(offset, chain)) => Mark { seq: Seq(self.first.0 + step * self.stride()), offset, chain },
            None => Mark { seq: self.first, offset: 0, chain: self.start },
        }
    }
}

/// Finds and checks every segment of `dir`. Only the last one may end with a tear.
pub(crate) fn scan(dir: &Path) -> Result<(Vec<Segment>, Option<Repair>), StoreError> {
    let firsts = list(dir)?;
    let mut segments: Vec<Segment> = Vec::with_capacity(firsts.len());
    let mut torn = None;
    for (position, (first, packed)) in firsts.iter().enumerate() {
        let (expected, chain) =
            segments.last().map_or((Seq(0), Chain::START), |before| (before.next, before.end));
        let mut segment =
            if *packed { Segment::packed(dir, *first, chain) } else { Segment::empty(dir, *first, chain) };
        if *first != expected {
            let missing = if *first > expected { "; a segment is missing" } else { "" };
            return Err(StoreError::Corrupt {
                place: segment.path.display().to_string(),
                detail: format!("it begins at {first} but the journal before it ends at {expected}{missing}"),
            });
        }
        torn = if *packed {
            pack::scan(&mut segment)?;
            None
        } else {
            scan_one(&mut segment, position + 1 == firsts.len())?
        };
        segments.push(segment);
    }
    Ok((segments, torn))
}

/// The first seq of each segment, and whether it is packed. One that is there in both forms was being packed when its process
/// died: the plain one counts.
fn list(dir: &Path) -> Result<Vec<(Seq, bool)>, StoreError> {
    let doing = || format!("listing {}", dir.display());
    let mut firsts = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(failed(doing()))? {
        let entry = entry.map_err(failed(doing()))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let (stem, packed) = match (name.strip_suffix(".jsonl"), name.strip_suffix(pack::SUFFIX)) {
            (Some(stem), _) => (stem, false),
            (None, Some(stem)) => (stem, true),
            (None, None) => continue,
        };
        let first = (stem.len() == 20 && stem.bytes().all(|b| b.is_ascii_digit()))
            .then(|| stem.parse().ok())
            .flatten()
            .ok_or_else(|| StoreError::Corrupt {
                place: entry.path().display().to_string(),
                detail: "a segment is named by the 20 digits of its first seq".to_owned(),
            })?;
        let is_packed = firsts.entry(Seq(first)).or_insert(packed);
        *is_packed &= packed;
    }
    Ok(firsts.into_iter().collect())
}

fn scan_one(segment: &mut Segment, is_last: bool) -> Result<Option<Repair>, StoreError> {
    let path = segment.path.clone();
    let doing = || format!("reading {}", path.display());
    let mut reader = BufReader::with_capacity(READ_BUFFER, File::open(&path).map_err(failed(doing()))?);
    let (mut text, mut number) = (Vec::with_capacity(4_096), 0_u64);
    loop {
        number += 1;
        let (chain, place) = (segment.end, segment.next);
        let bytes = read_line(&mut reader, &mut text)
            .map_err(|error| unreadable(&path, number, place, error))? as u64;
        if bytes == 0 {
            return Ok(None);
        }
        let corrupt = |detail: String| corrupt_line(&path, number, place, detail);
        let (tear, after) = match text.strip_suffix(b"\n") {
            Some(line) => (None, chain.follow(line, place).map_err(corrupt)?),
            None => {
                judge_tail(&text, place, chain).map(|(tear, after)| (Some(tear), after)).map_err(corrupt)?
            }
        };
        match tear {
            None => segment.push(bytes, after),
            Some(_) if !is_last => {
                return Err(corrupt("it has no line end, but the journal goes on in another segment".into()));
            }
            Some(tear) => {
                if tear == Tear::NoLineEnd {
                    // The line end that the repair adds belongs to the record.
                    segment.push(without_zeros(&text).len() as u64 + 1, after);
                }
                return Ok(Some(Repair { file: path, line: number, tear, next: segment.next }));
            }
        }
    }
}

/// Damage in a line: `place` is the record that belongs there.
pub(crate) fn corrupt_line(path: &Path, number: u64, place: Seq, detail: String) -> StoreError {
    StoreError::Corrupt { place: format!("{} line {number} (record {place})", path.display()), detail }
}

/// A line that could not be read: damage where its bytes are there and make none, else what the disk said.
pub(crate) fn unreadable(path: &Path, number: u64, place: Seq, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            corrupt_line(path, number, place, format!("from here on it cannot be read: {error}"))
        }
        _ => failed(format!("reading {}", path.display()))(error),
    }
}

/// Decides what an ending without a line end is. A crash leaves a beginning of a record, or zeros, or both; anything
/// else was damaged later and must not be cut off silently. Also gives the chain after what is kept of it.
fn judge_tail(text: &[u8], place: Seq, chain: Chain) -> Result<(Tear, Chain), String> {
    let line = without_zeros(text);
    if line.is_empty() {
        return Ok((Tear::Zeros(text.len() as u64), chain));
    }
    if let Ok(after) = chain.follow(line, place) {
        return Ok((Tear::NoLineEnd, after));
    }
    let ends = (1..line.len()).filter(|&end| line[..end].ends_with(b"\"}"));
    if ends.into_iter().any(|end| chain.follow(&line[..end], place).is_ok()) {
        return Err("a whole record is followed by something that is not a line end".to_owned());
    }
    Ok((Tear::Unfinished(text.len() as u64), chain))
}

pub(crate) fn without_zeros(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&b| b != 0).map_or(0, |at| at + 1);
    &text[..end]
}
