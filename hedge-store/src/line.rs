//! One record as one line of text, and the chain that holds the lines together.
//!
//! A line is a JSON object whose last field, `chain`, is a checksum of the object without it *and of the line before*, so a
//! record that is taken out, put in, moved, or replaced together with its own checksum does not fit the next line. Journals
//! of before have lines with a checksum of their own, `sum`; once a line is chained, all that follow must be.

use std::{
    fmt,
    io::{self, BufRead, Read},
};

use hedge_core::{Envelope, Seq};
use sha2::{Digest, Sha256};

/// Hex digits of a link: the first 128 bits of SHA-256. With half of that two journals with one head could be made to measure.
const LINK_DIGITS: usize = 32;
/// Hex digits of an older line's own checksum: the first 64 bits of SHA-256.
const SUM_DIGITS: usize = 16;
const BEFORE_LINK: &[u8] = b",\"chain\":\"";
const BEFORE_SUM: &[u8] = b",\"sum\":\"";
const END: &[u8] = b"\"}";

/// Longest line that is written or read: what claims to be longer is no record, and is not collected in memory. Units: bytes.
pub const LONGEST_LINE: usize = 64 * 1024 * 1024;

/// Reads the next line into `text`, its line end included, as [`BufRead::read_until`] does.
///
/// # Errors
/// Of `from`; [`io::ErrorKind::InvalidData`] for a line that is longer than any record.
pub fn read_line(from: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<usize> {
    text.clear();
    let read = from.take(LONGEST_LINE as u64).read_until(b'\n', text)?;
    if read < LONGEST_LINE || text.ends_with(b"\n") {
        return Ok(read);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        format!("a line has more than {LONGEST_LINE} bytes; no record has"),
    ))
}

/// The chain of a journal up to some record: what the next line's checksum begins with.
///
/// The last one, noted elsewhere, is a proof of every record before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    link: [u8; LINK_DIGITS],
    since: Option<Seq>,
}

impl Chain {
    /// Before the first record.
    pub const START: Self = Self { link: [b'0'; LINK_DIGITS], since: None };

    /// The link as text: 32 hex digits that stand for every record so far.
    pub fn link(&self) -> &str {
        // The digits are ours, so this is never the other one.
        std::str::from_utf8(&self.link).unwrap_or_default()
    }
    /// The first record whose line states its link. Those before it are of an older version; they are covered all the same.
    pub const fn since(&self) -> Option<Seq> {
        self.since
    }

    /// Appends a record's object, as [`write_object`] gives it, as a line of the journal to `out`, line end included.
    pub(crate) fn seal(&mut self, seq: Seq, object: &[u8], out: &mut Vec<u8>) {
        let body = object.strip_suffix(b"}").unwrap_or(object);
        self.link = self.after(body);
        self.since = self.since.or(Some(seq));
        out.extend_from_slice(body);
        out.extend_from_slice(BEFORE_LINK);
        out.extend_from_slice(&self.link);
        out.extend_from_slice(END);
        out.push(b'\n');
    }

    /// Checks a line (without its line end) that should be record `place`, without reading the record. Gives the chain after it.
    pub(crate) fn follow(self, line: &[u8], place: Seq) -> Result<Self, String> {
        let (body, tail) = split(line).ok_or_else(|| {
            if line.len() < BEFORE_SUM.len() + SUM_DIGITS + END.len() {
                "the line is too short to hold a record and its checksum".to_owned()
            } else {
                "the line does not end with a checksum".to_owned()
            }
        })?;
        let link = self.after(body);
        let since = match tail {
            Tail::Link(stated) if stated == link => self.since.or(Some(place)),
            Tail::Link(stated) => return Err(misfit(body, place, stated, &link)),
            Tail::Sum(stated) => {
                if let Some(since) = self.since {
                    return Err(format!(
                        "it is not chained to the line before, but the journal is from record {since} on"
                    ));
                }
                let own = checksum(body);
                if stated != own {
                    return Err(format!(
                        "its checksum is {} but its content gives {}",
                        text(stated),
                        text(&own)
                    ));
                }
                None
            }
        };
        match seq_of(body) {
            Some(seq) if seq == place => Ok(Self { link, since }),
            Some(seq) => Err(format!("it is record {seq}, expected {place}")),
            None => Err("the record does not begin with its seq".to_owned()),
        }
    }

    /// `body` is the object without its closing brace.
    fn after(&self, body: &[u8]) -> [u8; LINK_DIGITS] {
        hex(&Sha256::new().chain_update(self.link).chain_update(body).chain_update(b"}").finalize())
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.link())
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").field("link", &self.link()).field("since", &self.since).finish()
    }
}

/// Appends the record as the next line of a journal to `out`, link and line end included.
///
/// # Errors
/// When the record cannot be written as JSON; `out` and `chain` are unchanged then.
pub fn encode(chain: &mut Chain, envelope: &Envelope, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let mut object = Vec::with_capacity(256);
    write_object(envelope, &mut object)?;
    chain.seal(envelope.seq, &object, out);
    Ok(())
}

/// Checks a line (without its line end) that should be record `place` of a chain, moves the chain on, and reads the record.
///
/// # Errors
/// What is wrong with the line, in words; `chain` is unchanged then.
pub fn decode_next(chain: &mut Chain, line: &[u8], place: Seq) -> Result<Envelope, String> {
    let after = chain.follow(line, place)?;
    let record = decode(line).map_err(|error| format!("it cannot be read: {error}"))?;
    *chain = after;
    Ok(record)
}

/// Appends the record's object to `out`: its line without the link. `out` is unchanged when that fails.
pub(crate) fn write_object(envelope: &Envelope, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let start = out.len();
    serde_json::to_writer(&mut *out, envelope)
        .and_then(|()| match out.len() - start {
            // The chain comes on top, far less than this.
            length if length <= LONGEST_LINE / 2 => Ok(()),
            length => Err(serde::ser::Error::custom(format!("it has {length} bytes; no record has so many"))),
        })
        .inspect_err(|_| out.truncate(start))
}

/// Whether a line of either form holds that object.
pub(crate) fn holds(line: &[u8], object: &[u8]) -> bool {
    split(line).is_some_and(|(body, _)| object.strip_suffix(b"}") == Some(body))
}

/// Reads the record of a line that was checked.
pub(crate) fn decode(line: &[u8]) -> Result<Envelope, serde_json::Error> {
    serde_json::from_slice(line)
}

/// How a line ends.
enum Tail<'a> {
    Link(&'a [u8]),
    Sum(&'a [u8]),
}

/// The object without its closing brace, and what follows it.
fn split(line: &[u8]) -> Option<(&[u8], Tail<'_>)> {
    let before_end = line.strip_suffix(END)?;
    let tail = |before: &[u8], digits: usize| {
        let (rest, stated) = before_end.split_at_checked(before_end.len().checked_sub(digits)?)?;
        let body = rest.strip_suffix(before)?;
        is_hex(stated).then_some((body.len(), stated))
    };
    let (body, tail) = match tail(BEFORE_LINK, LINK_DIGITS) {
        Some((body, stated)) => (body, Tail::Link(stated)),
        None => tail(BEFORE_SUM, SUM_DIGITS).map(|(body, stated)| (body, Tail::Sum(stated)))?,
    };
    Some((&line[..body], tail))
}

/// Why a link may not fit.
fn misfit(body: &[u8], place: Seq, stated: &[u8], computed: &[u8]) -> String {
    match seq_of(body) {
        Some(seq) if seq != place => {
            format!(
                "it is record {seq}, expected {place}: a record was taken out, added or moved, or this line changed"
            )
        }
        _ => format!(
            "its checksum is {} but its content after the line before gives {}: it was changed, or the one before it replaced",
            text(stated),
            text(computed)
        ),
    }
}

fn checksum(body: &[u8]) -> [u8; SUM_DIGITS] {
    hex(&Sha256::new().chain_update(body).chain_update(b"}").finalize())
}

fn hex<const DIGITS: usize>(digest: &[u8]) -> [u8; DIGITS] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [b'0'; DIGITS];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(digest) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    digits
}

fn is_hex(text: &[u8]) -> bool {
    text.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
}

fn text(digits: &[u8]) -> String {
    String::from_utf8_lossy(digits).into_owned()
}

fn seq_of(body: &[u8]) -> Option<Seq> {
    let rest = body.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().position(|b| !b.is_ascii_digit())?;
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok().map(Seq)
}

#[cfg(test)]
mod tests {
    use hedge_core::{Event, Fact, Timestamp};

    use super::*;

    fn tick(seq: u64) -> Envelope {
        Envelope { seq: Seq(seq), at: Timestamp::from_ms(5), cause: None, event: Event::Fact(Fact::Tick) }
    }

    /// Lines without their line ends.
    fn lines(count: u64) -> Vec<Vec<u8>> {
        let mut chain = Chain::START;
        let line = |seq| {
            let mut out = Vec::new();
            encode(&mut chain, &tick(seq), &mut out).unwrap();
            assert_eq!(out.pop(), Some(b'\n'));
            out
        };
        (0..count).map(line).collect()
    }

    /// As versions before the chain wrote it.
    fn old(seq: u64) -> Vec<u8> {
        let mut object = Vec::new();
        write_object(&tick(seq), &mut object).unwrap();
        object.pop();
        let sum = text(&checksum(&object));
        object.extend(format!(",\"sum\":\"{sum}\"}}").into_bytes());
        object
    }

    fn follow(lines: &[Vec<u8>]) -> Result<Chain, (usize, String)> {
        lines.iter().enumerate().try_fold(Chain::START, |chain, (place, line)| {
            chain.follow(line, Seq(place as u64)).map_err(|error| (place, error))
        })
    }

    /// Written out, so that it can be checked by hand:
    /// `printf '%032d%s' 0 '{"seq":0,"at":5000000,"event":{"fact":{"fact":"tick"}}}' | sha256sum | cut -c1-32`
    #[test]
    fn a_line_is_the_record_with_its_link_in_the_chain() {
        let lines = lines(2);
        assert_eq!(
            text(&lines[0]),
            "{\"seq\":0,\"at\":5000000,\"event\":{\"fact\":{\"fact\":\"tick\"}},\"chain\":\"b59d050f11d0ed694f4612ee63a23012\"}"
        );
        assert_eq!(
            text(&lines[1]),
            "{\"seq\":1,\"at\":5000000,\"event\":{\"fact\":{\"fact\":\"tick\"}},\"chain\":\"953f4b965560ae9088c7cace0111f697\"}"
        );
        let head = follow(&lines).unwrap();
        assert_eq!((head.link(), head.since()), ("953f4b965560ae9088c7cace0111f697", Some(Seq(0))));
    }

    #[test]
    fn a_line_of_before_still_passes_and_is_covered_by_the_first_link() {
        let mut all = vec![old(0), old(1)];
        let mut chain = follow(&all).unwrap();
        assert_eq!(chain.since(), None);
        let mut line = Vec::new();
        encode(&mut chain, &tick(2), &mut line).unwrap();
        line.pop();
        all.push(line);
        assert_eq!(follow(&all).unwrap().since(), Some(Seq(2)));
        // Replaced together with its own checksum it passes; the chain does not.
        all[1] = text(&old(1)).replace("5000000", "5000001").into_bytes();
        let body = all[1].len() - BEFORE_SUM.len() - SUM_DIGITS - END.len();
        let sum = checksum(&all[1][..body]);
        let digits = all[1].len() - SUM_DIGITS - END.len();
        all[1][digits..digits + SUM_DIGITS].copy_from_slice(&sum);
        assert_eq!(follow(&all).unwrap_err().0, 2);
        // After the first link a line without one is damage, however whole it is.
        let mut all = lines(2);
        all.push(old(2));
        let (place, error) = follow(&all).unwrap_err();
        assert_eq!(place, 2);
        assert!(error.contains("the journal is from record 0 on"), "{error}");
    }

    #[test]
    fn a_line_with_any_changed_byte_does_not_pass() {
        for line in [lines(1).remove(0), old(0)] {
            Chain::START.follow(&line, Seq(0)).unwrap();
            for at in 0..line.len() {
                for flip in 1..=255_u8 {
                    let mut damaged = line.clone();
                    damaged[at] ^= flip;
                    assert!(Chain::START.follow(&damaged, Seq(0)).is_err(), "byte {at} xor {flip}");
                }
            }
        }
    }

    #[test]
    fn a_line_that_is_taken_out_doubled_moved_or_replaced_is_found_at_it_or_at_the_next() {
        let whole = lines(6);
        let found = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
            let mut lines = whole.clone();
            change(&mut lines);
            follow(&lines).unwrap_err().0
        };
        assert_eq!(found(&|lines| drop(lines.remove(2))), 2);
        assert_eq!(found(&|lines| lines.insert(3, lines[2].clone())), 3);
        assert_eq!(found(&|lines| lines.swap(2, 3)), 2);
        assert_eq!(
            found(&|lines| {
                // With the link that belongs there: whoever writes one line of the file can do that.
                let mut chain = follow(&lines[..2]).unwrap();
                let other = Envelope { at: Timestamp::from_ms(6), ..tick(2) };
                let mut line = Vec::new();
                encode(&mut chain, &other, &mut line).unwrap();
                line.pop();
                lines[2] = line;
            }),
            3
        );
    }

    #[test]
    fn a_line_without_an_end_is_not_collected_and_no_such_line_is_written() {
        let mut text = Vec::new();
        let bomb = io::repeat(b' ').take(LONGEST_LINE as u64 * 4);
        let error = read_line(&mut io::BufReader::new(bomb), &mut text).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(text.len() <= LONGEST_LINE);
        let because = "x".repeat(LONGEST_LINE);
        let record = Envelope { event: Event::Fact(Fact::RunStopped { because }), ..tick(0) };
        let mut out = b"before".to_vec();
        assert!(write_object(&record, &mut out).unwrap_err().to_string().contains("no record has so many"));
        assert_eq!(out, b"before");
    }

    #[test]
    fn a_line_reads_back_as_the_record() {
        assert_eq!(decode(&lines(4)[3]).unwrap(), tick(3));
        assert_eq!(decode(&old(3)).unwrap(), tick(3));
        let mut object = Vec::new();
        write_object(&tick(3), &mut object).unwrap();
        assert!(holds(&lines(4)[3], &object) && holds(&old(3), &object) && !holds(&old(2), &object));
    }
}
