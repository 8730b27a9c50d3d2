//! Raw messages of an exchange, line by line, explained as JSON.

use std::io::{self, BufRead, Write};

use hedge_binance::decode::{ExplainError, Explainer, Source, SourceError};

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Events that were explained.
    pub events: u64,
    /// Lines with a field that is missing or malformed, or that are not JSON.
    pub malformed: u64,
    /// Lines of a kind that is not known.
    pub unknown: u64,
}

impl Decoded {
    /// 0 when every line was explained, 1 when one was malformed, 3 when only kinds were not known.
    pub const fn exit_code(&self) -> u8 {
        match (self.malformed, self.unknown) {
            (0, 0) => 0,
            (0, _) => 3,
            (_, _) => 1,
        }
    }
}

/// Explains each line of `input`: one JSON object per event to `out`, one sentence per line that cannot be explained to
/// `complaints`. Empty lines are skipped. A line is as long as the venue makes it; memory holds one at a time.
///
/// # Errors
/// Reading or writing failed.
pub fn decode(
    source: Source,
    mut input: impl BufRead,
    out: &mut impl Write,
    complaints: &mut impl Write,
) -> io::Result<Decoded> {
    let mut explainer = Explainer::new(source);
    let mut result = Decoded::default();
    let (mut bytes, mut number) = (Vec::new(), 0_u64);
    loop {
        bytes.clear();
        if input.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        number += 1;
        let explained = match std::str::from_utf8(&bytes).map(str::trim) {
            Ok("") => continue,
            Ok(text) => explainer.line(text),
            Err(_) => Err(ExplainError::NotJson("the line is not UTF-8".to_owned())),
        };
        match explained {
            Ok(rows) => {
                for row in &rows {
                    serde_json::to_writer(&mut *out, row)?;
                    out.write_all(b"\n")?;
                    result.events += 1;
                }
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
    out.flush()?;
    Ok(result)
}

/// Reads the words behind `hedgectl decode`.
///
/// # Errors
/// A venue or source that is not known, in one line.
pub fn source(venue: &str, source: &str) -> Result<Source, String> {
    if venue != "binance" {
        return Err(format!("venue {venue:?} has no decoder; expected binance"));
    }
    Source::parse(source).map_err(|error| match error {
        SourceError::Form(_) => error.to_string(),
        // The whole list is too long for a line.
        SourceError::Endpoint(call, near) => {
            let near: Vec<&str> = near.split(", ").collect();
            if near.len() > 6 {
                format!("no answer of {call:?} is known; the calls are listed in docs/binance.md")
            } else {
                format!("no answer of {call:?} is known; expected {}", near.join(" or "))
            }
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
    fn a_source_that_is_none_is_one_line() {
        assert_eq!(source("okx", "ws").unwrap_err(), "venue \"okx\" has no decoder; expected binance");
        let text = source("binance", "socket").unwrap_err();
        assert_eq!(text, "source \"socket\" is not known; expected ws, wsapi or 'rest:METHOD /path'");
        let text = source("binance", "rest:PATCH /fapi/v1/openOrder").unwrap_err();
        assert_eq!(
            text,
            "no answer of \"PATCH /fapi/v1/openOrder\" is known; expected GET /fapi/v1/openOrder"
        );
        let text = source("binance", "rest:GET /nowhere").unwrap_err();
        assert!(!text.contains('\n') && text.contains("docs/binance.md"), "{text}");
    }
}
