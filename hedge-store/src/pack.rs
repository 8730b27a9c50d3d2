//! Packed segments: old files of the journal, compressed. Nothing is lost by it, and `zcat` shows the same lines.
//!
//! A packed file is a row of gzip members of [`STRIDE`] records each, so that reading may begin in the middle.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use flate2::{Compression, bufread::GzDecoder, bufread::MultiGzDecoder, write::GzEncoder};
use hedge_core::{Seq, StoreError, Timestamp};
use sha2::{Digest, Sha256};

use crate::{
    disk::{failed, private, sync_dir},
    journal::Records,
    segment::{Segment, check_at, corrupt_line},
    writer::Index,
};

/// How the name of a packed segment ends.
pub(crate) const SUFFIX: &str = ".jsonl.gz";
/// Records of one part.
pub(crate) const STRIDE: u64 = 4_096;
const BUFFER: usize = 256 * 1024;

/// What packing has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Segments that are packed now and were not.
    pub segments: usize,
    /// Their size before. Units: bytes.
    pub bytes_before: u64,
    /// Their size now. Units: bytes.
    pub bytes_after: u64,
}

/// Reads a packed segment to its end and notes its parts.
pub(crate) fn scan(segment: &mut Segment) -> Result<(), StoreError> {
    let path = segment.path.clone();
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            StoreError::Corrupt {
                place: path.display().to_string(),
                detail: format!("it cannot be unpacked: {error}"),
            }
        }
        _ => failed(format!("reading {}", path.display()))(error),
    };
    let mut file = BufReader::with_capacity(
        BUFFER,
        File::open(&path).map_err(failed(format!("reading {}", path.display())))?,
    );
    let (mut text, mut line) = (Vec::with_capacity(4_096), 0_u64);
    loop {
        let begin = file.stream_position().map_err(unreadable)?;
        if file.fill_buf().map_err(unreadable)?.is_empty() {
            return Ok(());
        }
        let mut part = BufReader::new(GzDecoder::new(&mut file));
        let (first, mut records) = (segment.next, 0);
        loop {
            text.clear();
            if part.read_until(b'\n', &mut text).map_err(unreadable)? == 0 {
                break;
            }
            line += 1;
            let corrupt = |detail: String| corrupt_line(&path, line, detail);
            let body = text.strip_suffix(b"\n").ok_or_else(|| corrupt("it has no line end".to_owned()))?;
            check_at(body, Seq(first.0 + records)).map_err(corrupt)?;
            records += 1;
        }
        drop(part);
        let end = file.stream_position().map_err(unreadable)?;
        segment.push_part(begin, end, records);
        // Only the last part may be shorter; a reader counts on the others.
        if records != STRIDE && !file.fill_buf().map_err(unreadable)?.is_empty() {
            return Err(corrupt_line(
                &path,
                line,
                format!("a part of {records} records is followed by another one"),
            ));
        }
    }
}

/// Opens a packed segment at the beginning of a part.
pub(crate) fn open_at(path: &Path, offset: u64) -> io::Result<Box<dyn BufRead + Send>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(Box::new(BufReader::with_capacity(
        BUFFER,
        MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file)),
    )))
}

/// Packs whole segments whose newest record is older than `before`, oldest first, never the one that is written, until
/// somebody asks for the end.
pub(crate) fn pack_older(
    dir: &Path,
    index: &Index,
    before: Timestamp,
    end: &AtomicBool,
) -> Result<Packed, StoreError> {
    let mut done = Packed::default();
    let segments = index.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let Some((_, whole)) = segments.split_last() else { return Ok(done) };
    for plain in whole.iter().filter(|segment| !segment.packed && segment.next > segment.first) {
        let newest = Records::new(vec![plain.clone()], Seq(plain.next.0 - 1)).next().transpose()?;
        if newest.is_none_or(|record| record.at >= before) || end.load(Ordering::Relaxed) {
            break;
        }
        let packed = pack(dir, plain)?;
        done.segments += 1;
        done.bytes_before += plain.len;
        done.bytes_after += packed.len;
        let mut segments = index.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(entry) = segments.iter_mut().find(|segment| segment.first == plain.first) {
            *entry = packed;
        }
        drop(segments);
        fs::remove_file(&plain.path)
            .and_then(|()| sync_dir(dir))
            .map_err(failed(format!("removing {}", plain.path.display())))?;
    }
    Ok(done)
}

/// Writes the packed form beside the plain one and reads it back before it gets its name.
fn pack(dir: &Path, plain: &Segment) -> Result<Segment, StoreError> {
    let mut packed = Segment::packed(dir, plain.first);
    let name = packed.path.clone();
    let part = dir.join(format!(".{:020}{SUFFIX}.tmp", plain.first.0));
    let doing = || format!("packing {}", plain.path.display());
    let written = compress(plain, &part).map_err(failed(doing())).and_then(|hash| {
        packed.path.clone_from(&part);
        scan(&mut packed)?;
        let is_same = packed.next == plain.next && unpacked_hash(&part).map_err(failed(doing()))? == hash;
        if !is_same {
            return Err(failed(doing())(io::Error::other(
                "the packed file does not read back as the plain one",
            )));
        }
        fs::rename(&part, &name).and_then(|()| sync_dir(dir)).map_err(failed(doing()))
    });
    packed.path = name;
    match written {
        Ok(()) => Ok(packed),
        Err(error) => {
            fs::remove_file(&part).ok();
            Err(error)
        }
    }
}

/// Gives the hash of what was read.
fn compress(plain: &Segment, part: &Path) -> io::Result<[u8; 32]> {
    let mut lines = BufReader::with_capacity(BUFFER, File::open(&plain.path)?.take(plain.len));
    let mut out = BufWriter::new(private().write(true).create(true).truncate(true).open(part)?);
    let (mut hash, mut line) = (Sha256::new(), Vec::new());
    let mut left = plain.next.0 - plain.first.0;
    while left > 0 {
        let mut member = GzEncoder::new(&mut out, Compression::default());
        for _ in 0..left.min(STRIDE) {
            line.clear();
            lines.read_until(b'\n', &mut line)?;
            hash.update(&line);
            member.write_all(&line)?;
        }
        member.finish()?;
        left = left.saturating_sub(STRIDE);
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(hash.finalize().into())
}

fn unpacked_hash(path: &Path) -> io::Result<[u8; 32]> {
    let mut reader = open_at(path, 0)?;
    let mut hash = Sha256::new();
    io::copy(&mut reader, &mut hash)?;
    Ok(hash.finalize().into())
}
