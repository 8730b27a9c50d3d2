//! One record as one line of text: a JSON object whose last field is a checksum of the object without it.

use hedge_core::{Envelope, Seq};
use sha2::{Digest, Sha256};

/// Hex digits of the checksum: the first 64 bits of SHA-256.
const SUM_DIGITS: usize = 16;
const BEFORE_SUM: &[u8] = b",\"sum\":\"";
const AFTER_SUM: &[u8] = b"\"}";
const TAIL: usize = BEFORE_SUM.len() + SUM_DIGITS + AFTER_SUM.len();

/// Appends the record as a line of the journal to `out`, checksum and line end included.
///
/// # Errors
/// When the record cannot be written as JSON; `out` is unchanged then.
pub fn encode(envelope: &Envelope, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let start = out.len();
    if let Err(error) = serde_json::to_writer(&mut *out, envelope) {
        out.truncate(start);
        return Err(error);
    }
    let sum = checksum(&out[start..out.len() - 1]);
    out.pop();
    out.extend_from_slice(BEFORE_SUM);
    out.extend_from_slice(&sum);
    out.extend_from_slice(AFTER_SUM);
    out.push(b'\n');
    Ok(())
}

/// Checks a line (without its line end) and gives its place in the journal, without reading the record.
pub(crate) fn check(line: &[u8]) -> Result<Seq, String> {
    let Some(body) = line.len().checked_sub(TAIL) else {
        return Err("the line is too short to hold a record and its checksum".to_owned());
    };
    let (body, tail) = line.split_at(body);
    let Some(stated) =
        tail.strip_prefix(BEFORE_SUM).and_then(|rest| rest.strip_suffix(AFTER_SUM)).filter(|s| is_hex(s))
    else {
        return Err("the line does not end with a checksum".to_owned());
    };
    let computed = checksum(body);
    if stated != computed {
        return Err(format!(
            "its checksum is {} but its content gives {}",
            String::from_utf8_lossy(stated),
            String::from_utf8_lossy(&computed)
        ));
    }
    seq_of(body).ok_or_else(|| "the record does not begin with its seq".to_owned())
}

/// Reads the record of a line that passed [`check`].
pub(crate) fn decode(line: &[u8]) -> Result<Envelope, serde_json::Error> {
    serde_json::from_slice(line)
}

/// `body` is the object without its closing brace.
fn checksum(body: &[u8]) -> [u8; SUM_DIGITS] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha256::new().chain_update(body).chain_update(b"}").finalize();
    let mut sum = [0; SUM_DIGITS];
    for (pair, byte) in sum.chunks_exact_mut(2).zip(digest) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    sum
}

fn is_hex(text: &[u8]) -> bool {
    text.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
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

    #[test]
    fn a_line_is_the_record_with_a_trailing_checksum() {
        let mut line = Vec::new();
        encode(&tick(7), &mut line).unwrap();
        let text = String::from_utf8(line).unwrap();
        assert_eq!(
            text,
            "{\"seq\":7,\"at\":5000000,\"event\":{\"fact\":{\"fact\":\"tick\"}},\"sum\":\"b33f\"}\n"
                .replace("b33f", &text[text.len() - 19..text.len() - 3])
        );
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["sum"].as_str().map(str::len), Some(16));
    }

    #[test]
    fn a_line_with_any_changed_byte_does_not_pass() {
        let mut line = Vec::new();
        encode(&tick(7), &mut line).unwrap();
        line.pop();
        assert_eq!(check(&line), Ok(Seq(7)));
        for at in 0..line.len() {
            for flip in [1_u8, 0x20, 0x80] {
                let mut damaged = line.clone();
                damaged[at] ^= flip;
                assert!(check(&damaged).is_err(), "byte {at} xor {flip}");
            }
        }
    }

    #[test]
    fn a_line_reads_back_as_the_record() {
        let mut line = Vec::new();
        encode(&tick(3), &mut line).unwrap();
        assert_eq!(decode(&line[..line.len() - 1]).unwrap(), tick(3));
    }
}
