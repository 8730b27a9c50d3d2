//! Reading a journal: beside its writer, without its lock, changing nothing.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Seek, SeekFrom},
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use hedge_core::{Envelope, Page, Seq, StoreError};

use crate::{
    disk::failed,
    line::{self, Chain, read_line},
    pack,
    segment::{self, Repair, Segment, corrupt_line, unreadable, without_zeros},
};

/// How often files are listed anew because one of them was packed meanwhile.
const PACKED_MEANWHILE: usize = 3;

fn is_gone(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// A journal as it was when opened. For tools: needs no lock, may be used while a writer is appending.
#[derive(Clone, Debug)]
pub struct FileJournal {
    dir: PathBuf,
    segments: Vec<Segment>,
    torn: Option<Repair>,
}

impl FileJournal {
    /// Finds and checks every record of the journal in a state directory; nothing is changed. An unfinished last line is
    /// not an error: a writer may be writing it. Errors: [`StoreError::Corrupt`] naming file and line, [`StoreError::Io`].
    pub fn open_read_only(state_dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        let dir = state_dir.as_ref().join("journal");
        let mut found = segment::scan(&dir);
        for _ in 0..PACKED_MEANWHILE {
            match &found {
                // A writer has packed a file between its listing and its reading.
                Err(StoreError::Io { source, .. }) if is_gone(source.as_ref()) => found = segment::scan(&dir),
                _ => break,
            }
        }
        let (segments, torn) = found?;
        Ok(Self { dir, segments, torn })
    }
    /// The folder with the segments.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// The place after the last record.
    pub fn next_seq(&self) -> Seq {
        self.segments.last().map_or(Seq(0), |last| last.next)
    }
    /// The chain after the last record: noted elsewhere, it proves later that nothing before it was changed.
    pub fn head(&self) -> Chain {
        self.segments.last().map_or(Chain::START, |last| last.end)
    }
    /// The chain after a record; `None` when the journal does not hold it.
    ///
    /// Errors: as reading.
    pub fn chain_after(&self, seq: Seq) -> Result<Option<Chain>, StoreError> {
        let mut records = self.records(seq);
        Ok(records.next_line().transpose()?.is_some().then_some(records.chain))
    }
    /// How many segments there are.
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }
    /// Bytes of whole records.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }
    /// What a writer would repair; also there while a writer is in the middle of a line.
    pub const fn torn(&self) -> Option<&Repair> {
        self.torn.as_ref()
    }
    /// The records from a place on.
    pub fn records(&self, from: Seq) -> Records {
        Records::new(self.segments.clone(), from)
    }
    /// Up to `limit` records from a place on.
    pub fn read(&self, from: Seq, limit: NonZeroU32) -> Result<Page, StoreError> {
        self.records(from).page(limit)
    }
}

/// Records in order, checked again as they are read.
#[derive(Debug)]
pub struct Records {
    segments: Vec<Segment>,
    /// Which segment `reader` reads.
    current: usize,
    reader: Option<Reader>,
    /// The line of the segment that comes next, from 1.
    line: u64,
    /// The record that `reader` stands before.
    at: Seq,
    /// The chain before it.
    chain: Chain,
    /// The record that is wanted next.
    wanted: Seq,
    /// Segment and line of the record that was read last.
    last: (usize, u64),
    text: Vec<u8>,
}

impl Records {
    pub(crate) fn new(segments: Vec<Segment>, from: Seq) -> Self {
        let current = segments.iter().position(|segment| from < segment.next).unwrap_or(segments.len());
        Self {
            segments,
            current,
            reader: None,
            line: 0,
            at: from,
            chain: Chain::START,
            wanted: from,
            last: (0, 0),
            text: Vec::new(),
        }
    }

    /// Collects a page.
    pub(crate) fn page(mut self, limit: NonZeroU32) -> Result<Page, StoreError> {
        let mut records = Vec::new();
        while records.len() < limit.get() as usize {
            match self.next() {
                Some(record) => records.push(record?),
                None => return Ok(Page { records, next: None }),
            }
        }
        let next = self.segments.get(self.current).map(|_| self.wanted);
        Ok(Page { records, next })
    }

    /// The text of the next wanted line, without its line end.
    pub(crate) fn next_line(&mut self) -> Option<Result<&[u8], StoreError>> {
        loop {
            let segment = self.segments.get_mut(self.current)?;
            let position = Position { line: &mut self.line, at: &mut self.at, chain: &mut self.chain };
            match advance(segment, &mut self.reader, position, &mut self.text, self.wanted) {
                Ok(()) => {}
                Err(error) => {
                    self.current = self.segments.len();
                    return Some(Err(error));
                }
            }
            let found = self.at;
            self.at = found.next();
            let is_wanted = found == self.wanted;
            if is_wanted {
                self.wanted = self.at;
            }
            self.last = (self.current, self.line);
            // The last segment may be empty, so this can skip more than one.
            while self.segments.get(self.current).is_some_and(|segment| self.at >= segment.next) {
                self.current += 1;
                self.reader = None;
            }
            if is_wanted {
                return Some(Ok(&self.text));
            }
        }
    }
}

/// A segment that is being read, plain or packed.
struct Reader(Box<dyn BufRead + Send>);

impl Reader {
    fn open(segment: &Segment, offset: u64) -> io::Result<Self> {
        if segment.packed {
            return pack::open_at(&segment.path, offset).map(Self);
        }
        let mut file = File::open(&segment.path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self(Box::new(BufReader::with_capacity(64 * 1024, file))))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

/// Where a reader stands.
struct Position<'a> {
    line: &'a mut u64,
    at: &'a mut Seq,
    chain: &'a mut Chain,
}

/// Reads the next line of a segment into `text`, opening the file near `wanted` if need be.
fn advance(
    segment: &mut Segment,
    reader: &mut Option<Reader>,
    Position { line, at, chain }: Position<'_>,
    text: &mut Vec<u8>,
    wanted: Seq,
) -> Result<(), StoreError> {
    let doing = |segment: &Segment| format!("reading {}", segment.path.display());
    let open = match reader {
        Some(open) => open,
        None => {
            let mut mark = segment.mark_before(wanted);
            let mut opened = Reader::open(segment, mark.offset);
            if matches!(&opened, Err(error) if error.kind() == io::ErrorKind::NotFound) && !segment.packed {
                // It was packed since the segments were listed.
                *segment = segment.now_packed()?;
                mark = segment.mark_before(wanted);
                opened = Reader::open(segment, mark.offset);
            }
            let opened = opened.map_err(failed(doing(segment)))?;
            (*at, *chain, *line) = (mark.seq, mark.chain, mark.seq.0 - segment.first.0);
            reader.insert(opened)
        }
    };
    *line += 1;
    read_line(&mut open.0, text).map_err(|error| unreadable(&segment.path, *line, *at, error))?;
    if text.last() == Some(&b'\n') {
        text.pop();
    } else {
        // Opening found a whole record here that lacks its line end.
        let end = without_zeros(text).len();
        text.truncate(end);
    }
    *chain = chain.follow(text, *at).map_err(|detail| corrupt_line(&segment.path, *line, *at, detail))?;
    Ok(())
}

impl Iterator for Records {
    type Item = Result<Envelope, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let decoded = match self.next_line()? {
            Ok(text) => line::decode(text),
            Err(error) => return Some(Err(error)),
        };
        Some(decoded.map_err(|error| {
            self.current = self.segments.len();
            let (segment, line) = self.last;
            let (path, first) = self
                .segments
                .get(segment)
                .map_or((Path::new("journal"), Seq(0)), |segment| (&segment.path, segment.first));
            let detail =
                format!("this version cannot read the record ({error}); a newer one may have written it");
            corrupt_line(path, line, Seq(first.0 + line.saturating_sub(1)), detail)
        }))
    }
}
