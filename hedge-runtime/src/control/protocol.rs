//! Requests and answers, and their text.

use hedge_core::{OperatorCommand, Posture, Seq};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::status::Status;
use crate::settings::START;

/// Characters of a reason that are kept.
const LONGEST_REASON: usize = 500;
const COMMANDS: &str = "status, halt, exit_only, resume or flatten";

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// How things stand.
    Status,
    /// Something is ordered.
    Command {
        /// What.
        command: OperatorCommand,
        /// Why.
        because: String,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// How things stand.
    Status(Box<Status>),
    /// The command is in the journal for good.
    Done(Done),
}

impl Answer {
    /// Reads an answer's line: what the executor says, or that it refuses. Errors: what cannot be understood.
    pub fn parse(line: &[u8]) -> Result<Result<Self, String>, String> {
        match parse_answer(line) {
            Ok(answer) => Ok(Ok(answer)),
            Err(Ok(refusal)) => Ok(Err(refusal)),
            Err(Err(detail)) => Err(detail),
        }
    }

    /// The line of an answer or a refusal, with its end.
    pub fn to_text(answer: &Result<Self, String>) -> String {
        answer_text(answer)
    }
}

/// A command that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The command's place in the journal.
    pub seq: Seq,
    /// The engine's posture now: the strictest of operator and risk managers.
    pub posture: Posture,
    /// What the operator's standing order is now.
    pub operator: Posture,
    /// Why.
    pub because: String,
    /// Legs that are open now.
    pub open_legs: usize,
}

/// A request on its way to the loop. Whoever does not wait any more gets nothing carried out.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) request: Request,
    pub(crate) reply: oneshot::Sender<Result<Answer, String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestText {
    command: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    because: Option<String>,
}

impl Request {
    /// A command with its reason.
    pub fn command(command: OperatorCommand, because: impl Into<String>) -> Self {
        Self::Command { command, because: because.into() }
    }

    /// The line, without its end. Errors: a command that cannot be asked for, or a reason that is kept for the program.
    pub fn to_text(&self) -> Result<String, String> {
        let text = match self {
            Self::Status => RequestText { command: "status".to_owned(), because: None },
            Self::Command { command, because } => {
                RequestText { command: word(*command)?.to_owned(), because: Some(reason(because)?) }
            }
        };
        serde_json::to_string(&text).map_err(|error| error.to_string())
    }

    /// Reads a line. Errors: what is wrong with it, for whoever wrote it.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let text: RequestText = serde_json::from_slice(line).map_err(|error| {
            format!("not a request: {error}; expected one line like {{\"command\":\"status\"}}")
        })?;
        let command = match text.command.as_str() {
            "status" if text.because.is_none() => return Ok(Self::Status),
            "status" => return Err("status takes no reason".to_owned()),
            "halt" => OperatorCommand::Halt,
            "exit_only" => OperatorCommand::ExitOnly,
            "resume" => OperatorCommand::Resume,
            "flatten" => OperatorCommand::Flatten,
            other => {
                let other: String = other.chars().take(40).collect();
                return Err(format!("unknown command {other:?}; expected {COMMANDS}"));
            }
        };
        Ok(Self::Command { command, because: reason(&text.because.unwrap_or_default())? })
    }
}

fn word(command: OperatorCommand) -> Result<&'static str, String> {
    match command {
        OperatorCommand::Halt => Ok("halt"),
        OperatorCommand::ExitOnly => Ok("exit_only"),
        OperatorCommand::Resume => Ok("resume"),
        OperatorCommand::Flatten => Ok("flatten"),
        OperatorCommand::Lift => Err("only a process lifts its own order; a person resumes".to_owned()),
        OperatorCommand::FlattenAtStart => Err("a running executor flattens at once".to_owned()),
    }
}

/// One line that says something.
pub(super) fn reason(text: &str) -> Result<String, String> {
    let line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_REASON).collect();
    let line = line.trim();
    if line.starts_with(START.trim_end()) {
        return Err(format!("a reason that begins with {START:?} is kept for starts; say it in other words"));
    }
    Ok(if line.is_empty() { "no reason given".to_owned() } else { line.to_owned() })
}

/// The answer's line, with its end.
pub(crate) fn answer_text(answer: &Result<Answer, String>) -> String {
    let fields = match answer {
        Ok(Answer::Status(status)) => {
            serde_json::to_value(status).map(|status| Map::from_iter([("status".to_owned(), status)]))
        }
        Ok(Answer::Done(done)) => serde_json::to_value(done).map(|done| match done {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }),
        Err(error) => Ok(Map::from_iter([("error".to_owned(), Value::String(error.clone()))])),
    };
    let (ok, mut fields) = match fields {
        Ok(fields) => (answer.is_ok(), fields),
        Err(error) => (false, Map::from_iter([("error".to_owned(), Value::String(error.to_string()))])),
    };
    fields.insert("ok".to_owned(), Value::Bool(ok));
    format!("{}\n", Value::Object(fields))
}

/// Reads an answer: `Err(Ok(_))` is the executor's refusal, `Err(Err(_))` what cannot be understood.
pub(super) fn parse_answer(line: &[u8]) -> Result<Answer, Result<String, String>> {
    let malformed = |detail: String| Err(Err(detail));
    let fields: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(fields) => fields,
        Err(error) => return malformed(error.to_string()),
    };
    match (fields.get("ok").and_then(Value::as_bool), fields.get("error"), fields.get("status")) {
        (Some(false), Some(Value::String(error)), _) => Err(Ok(error.clone())),
        (Some(true), None, Some(status)) => match Status::deserialize(status) {
            Ok(status) => Ok(Answer::Status(Box::new(status))),
            Err(error) => malformed(error.to_string()),
        },
        (Some(true), None, None) => match Done::deserialize(Value::Object(fields)) {
            Ok(done) => Ok(Answer::Done(done)),
            Err(error) => malformed(error.to_string()),
        },
        _ => malformed("it is neither a success nor an error".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_is_written() {
        let all = [
            OperatorCommand::Halt,
            OperatorCommand::ExitOnly,
            OperatorCommand::Resume,
            OperatorCommand::Flatten,
        ];
        for command in all {
            let request = Request::command(command, "测试 \"quoted\"");
            assert_eq!(Request::parse(request.to_text().unwrap().as_bytes()), Ok(request));
        }
        assert_eq!(Request::Status.to_text().unwrap(), r#"{"command":"status"}"#);
        assert_eq!(Request::parse(br#"{"command":"status"}"#), Ok(Request::Status));
        let bare = Request::parse(br#"{"command":"halt"}"#).unwrap();
        assert_eq!(bare, Request::command(OperatorCommand::Halt, "no reason given"));
        assert!(Request::command(OperatorCommand::FlattenAtStart, "x").to_text().is_err());
    }

    #[test]
    fn what_is_no_request_is_named() {
        for (line, part) in [
            (&b""[..], "not a request"),
            (b"halt", "not a request"),
            (b"{}", "missing field"),
            (b"[1]", "not a request"),
            (b"\xff", "not a request"),
            (br#"{"command":7}"#, "not a request"),
            (br#"{"command":"dance"}"#, "unknown command \"dance\""),
            (br#"{"command":"FLATTEN"}"#, "unknown command"),
            (br#"{"command":"halt","cause":"typo"}"#, "unknown field"),
            (br#"{"command":"status","because":"x"}"#, "takes no reason"),
            (br#"{"command":"halt","because":" start: over"}"#, "kept for starts"),
        ] {
            let error = Request::parse(line).unwrap_err();
            assert!(error.contains(part), "{line:?}: {error}");
        }
    }

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        let long = format!("a\nb\u{1b}[31m{}", "ü".repeat(2_000));
        let Request::Command { because, .. } =
            Request::parse(Request::command(OperatorCommand::Halt, long).to_text().unwrap().as_bytes())
                .unwrap()
        else {
            panic!("a command")
        };
        assert!(because.starts_with("a b [31mü") && because.chars().count() <= LONGEST_REASON);
    }

    #[test]
    fn an_answer_is_one_line_and_is_read_as_it_is_written() {
        let done = Done {
            seq: Seq(7),
            posture: Posture::Halted,
            operator: Posture::Halted,
            because: "a\nb".to_owned(),
            open_legs: 2,
        };
        let answer = Ok(Answer::Done(done));
        let text = answer_text(&answer);
        assert!(text.ends_with('\n') && text.matches('\n').count() == 1 && text.contains("\"ok\":true"));
        assert_eq!(parse_answer(text.as_bytes()), answer.map_err(Ok));
        let refused = Err("no".to_owned());
        assert_eq!(answer_text(&refused), "{\"error\":\"no\",\"ok\":false}\n");
        assert_eq!(parse_answer(answer_text(&refused).as_bytes()), Err(Ok("no".to_owned())));
        for garbage in [&b"{}"[..], b"", br#"{"ok":true}"#, br#"{"ok":false}"#, br#"{"ok":true,"status":{}}"#]
        {
            assert!(matches!(parse_answer(garbage), Err(Err(_))), "{garbage:?}");
        }
    }
}
