//! Packed segments: old files of the journal, compressed. Nothing is lost by it, and `zcat` shows the same lines.
//!
//! A packed file is a row of gzip members of [`STRIDE`] records each, so that reading may begin in the middle. Each states a
//! checksum of its packed bytes in its header: of the bits that unpacking ignores, some could change without another line.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use flate2::{
    Compression, Crc,
    bufread::{GzDecoder, MultiGzDecoder},
    write::DeflateEncoder,
};
use hedge_core::{Seq, StoreError, Timestamp};
use sha2::{Digest, Sha256};

use crate::{
    disk::{failed, private, sync_dir},
    journal::Records,
    line::read_line,
    segment::{Segment, corrupt_line, unreadable},
    writer::Index,
};

/// How the name of a packed segment ends.
pub(crate) const SUFFIX: &str = ".jsonl.gz";
/// Records of one part.
pub(crate) const STRIDE: u64 = 4_096;
const BUFFER: usize = 256 * 1024;
/// How a part of before begins: gzip (RFC 1952), deflate, no flags, no time, no level, no system.
const PLAIN_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// How a part begins: the same with an extra field of 20 bytes, which is our own of 16.
const HEADER: [u8; 16] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 20, 0, b'h', b'j', DIGEST as u8, 0];
/// Bytes of a part's checksum: the first 128 bits of the SHA-256 of everything after the header.
const DIGEST: usize = 16;

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
    let file = File::open(&path).map_err(failed(format!("reading {}", path.display())))?;
    let mut file = BufReader::with_capacity(BUFFER, file);
    let (mut text, mut line) = (Vec::with_capacity(4_096), 0_u64);
    loop {
        let (first, begin_line, before) = (segment.next, line + 1, segment.end);
        let strange = |error| unreadable(&path, begin_line, first, error);
        let damaged = |detail: &str| corrupt_line(&path, begin_line, first, detail.to_owned());
        let begin = file.stream_position().map_err(strange)?;
        if file.fill_buf().map_err(strange)?.is_empty() {
            return Ok(());
        }
        let Some((header, stated)) = header(&mut file).map_err(strange)? else {
            return Err(damaged(
                "the part that begins with it has not the header that packing writes; unpack a copy with gunzip instead",
            ));
        };
        let body = Hashed { file: &mut file, hash: Sha256::new() };
        let mut part = BufReader::new(GzDecoder::new(header.as_slice().chain(body)));
        let (mut records, mut chain) = (0, before);
        loop {
            let place = Seq(first.0 + records);
            // Each line is checked as soon as it is unpacked, so what unpacks to anything else ends with its first one.
            let read = read_line(&mut part, &mut text).map_err(|error| {
                // Where nothing more came, the last line that did is the last thing that is known.
                let back = u64::from(text.is_empty() && records > 0);
                unreadable(&path, line + 1 - back, Seq(place.0 - back), error)
            })?;
            if read == 0 {
                break;
            }
            line += 1;
            let corrupt = |detail: String| corrupt_line(&path, line, place, detail);
            let body = text.strip_suffix(b"\n").ok_or_else(|| corrupt("it has no line end".to_owned()))?;
            chain = chain.follow(body, place).map_err(corrupt)?;
            records += 1;
        }
        let (_, Hashed { hash, .. }) = part.into_inner().into_inner().into_inner();
        let misfit = stated.is_some_and(|stated| hash.finalize()[..DIGEST] != stated);
        if misfit || records == 0 {
            return Err(damaged(
                "the packed part that begins with it is not as it was written, although it unpacks",
            ));
        }
        let end = file.stream_position().map_err(strange)?;
        segment.push_part(begin, end, records, chain);
        // Only the last part may be shorter; a reader counts on the others.
        if records != STRIDE && !file.fill_buf().map_err(strange)?.is_empty() {
            let detail = format!("a part of {records} records is followed by another one");
            return Err(corrupt_line(&path, line, Seq(first.0 + records - 1), detail));
        }
    }
}

/// A part's header, as far as it must be handed to the decoder, and the checksum it states; `None` when it is another one.
type Header = Option<(Vec<u8>, Option<[u8; DIGEST]>)>;

/// Reads the header of a part. Not one of its bytes may be another: none of them matters to the lines in it.
fn header(file: &mut impl Read) -> io::Result<Header> {
    let mut header = PLAIN_HEADER.to_vec();
    file.read_exact(&mut header)?;
    if header == PLAIN_HEADER {
        return Ok(Some((header, None)));
    }
    header.resize(HEADER.len(), 0);
    file.read_exact(&mut header[PLAIN_HEADER.len()..])?;
    let mut stated = [0; DIGEST];
    file.read_exact(&mut stated)?;
    if header != HEADER {
        return Ok(None);
    }
    header.extend_from_slice(&stated);
    Ok(Some((header, Some(stated))))
}

/// Hashes what is taken from a file.
struct Hashed<'a> {
    file: &'a mut BufReader<File>,
    hash: Sha256,
}

impl Read for Hashed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Hashed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.file.fill_buf()
    }
    fn consume(&mut self, bytes: usize) {
        self.hash.update(&self.file.buffer()[..bytes]);
        self.file.consume(bytes);
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
    let mut packed = Segment::packed(dir, plain.first, plain.start);
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
        let (mut part, mut crc) = (DeflateEncoder::new(Vec::new(), Compression::default()), Crc::new());
        for _ in 0..left.min(STRIDE) {
            read_line(&mut lines, &mut line)?;
            hash.update(&line);
            crc.update(&line);
            part.write_all(&line)?;
        }
        let mut part = part.finish()?;
        part.extend_from_slice(&crc.sum().to_le_bytes());
        part.extend_from_slice(&crc.amount().to_le_bytes());
        out.write_all(&HEADER)?;
        out.write_all(&Sha256::digest(&part)[..DIGEST])?;
        out.write_all(&part)?;
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
