//! Raw messages of an exchange, line by line, explained as JSON.

use std::io::{self, BufRead, Read as _, Write};

use hedge_binance::decode::{ExplainError, Explainer, Source, SourceError};

/// A line may be so long: ten times the longest answer of a venue.
const LONGEST: u64 = 64 << 20;

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Events that were explained.
    pub events: u64,
    /// Events with a field that is missing or malformed, lines that are not JSON, and lines that are too long.
    pub malformed: u64,
    /// Events of a kind that is not known.
    pub unknown: u64,
}

/// Why a source is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSource {
    /// The words do not say what to read.
    #[error("{0}")]
    Words(String),
    /// They do, and this version does not know it.
    #[error("{0}")]
    UnknownKind(String),
}

impl Decoded {
    /// 0 when every event was explained, 1 when one was malformed, 3 when only kinds were not known.
    pub const fn exit_code(&self) -> u8 {
        match (self.malformed, self.unknown) {
            (0, 0) => 0,
            (0, _) => 3,
            (_, _) => 1,
        }
    }
}

/// Explains each line of `input`: one JSON object per event to `out`, one sentence per event that cannot be explained to
/// `complaints`. A bad element of an array does not keep the others from being explained. Empty lines are skipped. Memory holds
/// one line at a time, and a line that is longer than any answer of a venue is not read.
///
/// # Errors
/// Reading or writing failed.
pub fn decode(
    source: Source,
    input: impl BufRead,
    out: &mut impl Write,
    complaints: &mut impl Write,
) -> io::Result<Decoded> {
    decode_lines(source, input, LONGEST, out, complaints)
}

fn decode_lines(
    source: Source,
    mut input: impl BufRead,
    longest: u64,
    out: &mut impl Write,
    complaints: &mut impl Write,
) -> io::Result<Decoded> {
    let mut explainer = Explainer::new(source);
    let mut result = Decoded::default();
    let (mut bytes, mut number) = (Vec::new(), 0_u64);
    loop {
        number += 1;
        let outcomes = match read_line(&mut input, &mut bytes, longest)? {
            Line::End => break,
            Line::TooLong => {
                let why = format!("the line is longer than {longest} bytes, which no message is");
                vec![Err(ExplainError::NotJson(why))]
            }
            Line::Whole => match std::str::from_utf8(&bytes).map(str::trim) {
                Ok("") => continue,
                Ok(text) => explainer.each(text),
                Err(_) => vec![Err(ExplainError::NotJson("the line is not UTF-8".to_owned()))],
            },
        };
        for outcome in outcomes {
            match outcome {
                Ok(row) => {
                    serde_json::to_writer(&mut *out, &row)?;
                    out.write_all(b"\n")?;
                    result.events += 1;
                }
                Err(error) => {
                    match error {
                        ExplainError::UnknownKind { .. } => result.unknown += 1,
                        ExplainError::NotJson(_) | ExplainError::Field(_) => result.malformed += 1,
                    }
                    out.flush()?;
                    writeln!(complaints, "line {number}: {error}")?;
                }
            }
        }
    }
    out.flush()?;
    Ok(result)
}

enum Line {
    Whole,
    TooLong,
    End,
}

/// Reads a line, and passes over the rest of one that is too long.
fn read_line(input: &mut impl BufRead, bytes: &mut Vec<u8>, longest: u64) -> io::Result<Line> {
    bytes.clear();
    if input.by_ref().take(longest).read_until(b'\n', bytes)? == 0 {
        return Ok(Line::End);
    }
    if bytes.last() == Some(&b'\n') || (bytes.len() as u64) < longest {
        return Ok(Line::Whole);
    }
    bytes.clear();
    input.skip_until(b'\n')?;
    Ok(Line::TooLong)
}

/// Reads the words behind `hedgectl decode`.
///
/// # Errors
/// [`NoSource`], in one line.
pub fn source(venue: &str, source: &str) -> Result<Source, NoSource> {
    if venue != "binance" {
        return Err(NoSource::Words(format!("venue {venue:?} has no decoder; expected binance")));
    }
    Source::parse(source).map_err(|error| match error {
        SourceError::Form(_) => NoSource::Words(error.to_string()),
        // The whole list is too long for a line.
        SourceError::Endpoint(call, near) => {
            let near: Vec<&str> = near.split(", ").collect();
            NoSource::UnknownKind(if near.len() > 6 {
                format!("no answer of {call:?} is known; the calls are listed in docs/binance.md")
            } else {
                format!("no answer of {call:?} is known; expected {}", near.join(" or "))
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(source: &str, input: &str) -> (Decoded, String, String) {
        let (mut out, mut complaints) = (Vec::new(), Vec::new());
        let source = super::source("binance", source).unwrap();
        let result = decode(source, input.as_bytes(), &mut out, &mut complaints).unwrap();
        (result, String::from_utf8(out).unwrap(), String::from_utf8(complaints).unwrap())
    }

    const MARK: &str =
        r#"{"e":"markPriceUpdate","E":1,"s":"ABCUSDT","p":"1.20","i":"1.21","r":"0.0001","T":9}"#;

    #[test]
    fn each_event_is_a_line_and_an_array_is_as_many_as_it_has_elements() {
        let input =
            format!("{MARK}\n\n[{MARK},{MARK}]\n{{\"stream\":\"abcusdt@markPrice\",\"data\":{MARK}}}");
        let (result, out, complaints) = run("ws", &input);
        assert_eq!((result.events, result.exit_code(), complaints.as_str()), (4, 0, ""));
        let rows: Vec<serde_json::Value> =
            out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(rows.iter().all(|row| row["kind"] == "markPriceUpdate" && row["venue"]["p"] == "1.20"));
        assert_eq!((&rows[3]["stream"], &rows[0]["mark"]), (&"abcusdt@markPrice".into(), &"1.20".into()));
    }

    #[test]
    fn a_malformed_line_is_named_by_number_and_path_and_the_others_are_still_read() {
        let input = format!("{MARK}\n{}\n{MARK}\n", MARK.replace("\"1.20\"", "true"));
        let (result, out, complaints) = run("ws", &input);
        assert_eq!((result.events, result.malformed, result.exit_code()), (2, 1, 1));
        assert_eq!(out.lines().count(), 2);
        assert!(complaints.starts_with("line 2: p: "), "{complaints}");
    }

    #[test]
    fn a_kind_that_is_not_known_is_three_and_malformed_lines_weigh_more() {
        let (result, out, complaints) = run("ws", r#"{"e":"NEW_THING","E":1}"#);
        assert_eq!((result.exit_code(), out.as_str()), (3, ""));
        assert_eq!(complaints, "line 1: \"NEW_THING\" is no kind of message that this version knows\n");
        let (result, ..) = run("ws", "{\"e\":\"NEW_THING\",\"E\":1}\n{\"e\":\"kline\"}\nnonsense");
        assert_eq!((result.unknown, result.malformed, result.exit_code()), (1, 2, 1));
    }

    #[test]
    fn a_bad_element_of_an_array_is_named_and_the_good_ones_are_explained() {
        let bad = MARK.replace("\"1.20\"", "true");
        let odd = r#"{"e":"NEW_THING","E":1}"#;
        let (result, out, complaints) = run("ws", &format!("[{MARK},{bad},{odd},{MARK}]"));
        assert_eq!((result.events, result.malformed, result.unknown, result.exit_code()), (2, 1, 1, 1));
        assert_eq!(out.lines().count(), 2);
        let mut complaints = complaints.lines();
        assert!(complaints.next().unwrap().starts_with("line 1: [1].p: "));
        assert!(complaints.next().unwrap().starts_with("line 1: \"NEW_THING\""));
        let (result, out, complaints) = run(
            "rest:GET /fapi/v1/ticker/price",
            r#"[{"symbol":"A","price":"1"},{"symbol":"B"},{"symbol":"C","price":"2"}]"#,
        );
        assert_eq!((result.events, result.malformed, out.lines().count()), (2, 1, 2));
        assert_eq!(complaints, "line 1: [1].price: missing\n");
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_in_bounded_memory() {
        struct Endless(u64);
        impl io::Read for Endless {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                let some = to.len().min(usize::try_from(self.0).unwrap());
                to[..some].fill(b' ');
                self.0 -= some as u64;
                Ok(some)
            }
        }
        let tail = format!("\n{MARK}\n");
        let input = io::BufReader::new(io::Read::chain(Endless(1 << 24), tail.as_bytes()));
        let (mut out, mut complaints) = (Vec::new(), Vec::new());
        let ws = super::source("binance", "ws").unwrap();
        let result = decode_lines(ws, input, 4_096, &mut out, &mut complaints).unwrap();
        assert_eq!((result.events, result.malformed), (1, 1));
        let said = String::from_utf8(complaints).unwrap();
        assert_eq!(said, "line 1: not JSON: the line is longer than 4096 bytes, which no message is\n");
        let mut kept = Vec::new();
        let mut endless = io::BufReader::new(Endless(1 << 24));
        assert!(matches!(read_line(&mut endless, &mut kept, 4_096).unwrap(), Line::TooLong));
        assert!(kept.capacity() <= 3 * 4_096, "{} bytes are kept", kept.capacity());
    }

    #[test]
    fn a_source_that_is_none_is_one_line() {
        let words = |venue: &str, text: &str| match source(venue, text).unwrap_err() {
            NoSource::Words(text) => text,
            NoSource::UnknownKind(text) => panic!("{text} is no misuse"),
        };
        assert_eq!(words("okx", "ws"), "venue \"okx\" has no decoder; expected binance");
        let text = words("binance", "socket");
        assert_eq!(text, "source \"socket\" is not known; expected ws, wsapi or 'rest:METHOD /path'");
        let text = source("binance", "rest:PATCH /fapi/v1/openOrder").unwrap_err();
        let expected = "no answer of \"PATCH /fapi/v1/openOrder\" is known; expected GET /fapi/v1/openOrder";
        assert_eq!(text, NoSource::UnknownKind(expected.to_owned()));
        let text = source("binance", "rest:GET /nowhere").unwrap_err().to_string();
        assert!(!text.contains('\n') && text.contains("docs/binance.md"), "{text}");
    }
}
