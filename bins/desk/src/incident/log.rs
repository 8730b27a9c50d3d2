//! The part of a log that belongs to an incident.

use std::{
    collections::VecDeque,
    io::{self, BufRead},
};

use hedge_core::Timestamp;
use hedge_store::read_line;

use crate::journal::parse_time;

/// How much of a log goes into a pack at most. Units: bytes.
const MOST: usize = 512 * 1024;

/// The lines of a log between two times, the last half megabyte of them; where no line says that it is of then, the end of
/// the log. A line that says no time is of that of the line before.
///
/// Errors: of `from`.
pub fn log_between(mut from: impl BufRead, begin: Timestamp, end: Timestamp) -> io::Result<String> {
    let (mut within, mut any) = (Tail::default(), Tail::default());
    let (mut line, mut is_within) = (Vec::new(), false);
    while read_line(&mut from, &mut line)? > 0 {
        if let Some(at) = time_of(&line) {
            is_within = begin <= at && at <= end;
        }
        if is_within {
            within.push(&line);
        }
        any.push(&line);
    }
    Ok(if within.lines.is_empty() { any.text() } else { within.text() })
}

/// The last lines.
#[derive(Default)]
struct Tail {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Tail {
    fn push(&mut self, line: &[u8]) {
        self.bytes += line.len();
        self.lines.push_back(line.to_owned());
        while self.bytes > MOST {
            self.bytes -= self.lines.pop_front().map_or(self.bytes, |line| line.len());
        }
    }
    fn text(self) -> String {
        self.lines.iter().map(|line| String::from_utf8_lossy(line)).collect()
    }
}

/// `2026-11-20T08:15:00.123456Z  INFO …`, or the same as JSON.
fn time_of(line: &[u8]) -> Option<Timestamp> {
    let line = line.strip_prefix(b"{\"timestamp\":\"").unwrap_or(line);
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'"'))?;
    let text =
        std::str::from_utf8(&line[..end]).ok().filter(|text| text.ends_with('Z') && text.contains('T'))?;
    parse_time(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(log: &str, begin: &str, end: &str) -> String {
        log_between(log.as_bytes(), parse_time(begin).unwrap(), parse_time(end).unwrap()).unwrap()
    }

    const LOG: &str = "[executor] starts\n2026-11-20T08:15:00.123456Z  INFO one\n[executor] ORDER_REQ\n\
        {\"timestamp\":\"2026-11-20T08:16:00.000001Z\",\"level\":\"INFO\"}\n{\"tag\":\"[executor]\"}\n\
        2026-11-20T08:17:00.123456Z  WARN three\n[executor] more\n";

    #[test]
    fn lines_of_the_time_are_kept_with_those_that_follow_them_and_say_none() {
        let part = between(LOG, "2026-11-20 08:15:30", "2026-11-20 08:16:30");
        assert_eq!(
            part,
            "{\"timestamp\":\"2026-11-20T08:16:00.000001Z\",\"level\":\"INFO\"}\n{\"tag\":\"[executor]\"}\n"
        );
        assert!(
            between(LOG, "2026-11-20 08:15", "2026-11-20 08:15:01").ends_with("one\n[executor] ORDER_REQ\n")
        );
        assert_eq!(between(LOG, "2026-11-21", "2026-11-22"), LOG, "no line is of then");
    }

    #[test]
    fn of_a_long_log_the_last_lines_are_kept_whole() {
        let log: String = (0..100_000).map(|number| format!("line {number}\n")).collect();
        let part = between(&log, "2026-11-20", "2026-11-21");
        assert!(part.len() <= MOST && part.len() > MOST - 20);
        assert!(part.starts_with("line ") && part.ends_with("line 99999\n"));
    }
}
