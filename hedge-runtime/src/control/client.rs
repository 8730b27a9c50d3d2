//! Asking a running executor.

use std::{
    io::{self, ErrorKind},
    path::Path,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    time::timeout,
};

use super::{Answer, AskError, Request, protocol::parse_answer, socket};

/// How long an executor may take: it may be reading a busy account at its start.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// No answer is longer.
const LONGEST_ANSWER: u64 = 4 * 1024 * 1024;

/// Asks the executor that leads in a state directory.
///
/// Errors: [`AskError::NobodyThere`] when none listens, [`AskError::Refused`] with the executor's reason.
///
/// *Cancel safety*: a command that was sent may be carried out although nobody waits for the answer.
pub async fn ask(state_dir: &Path, request: &Request) -> Result<Answer, AskError> {
    let line = request.to_text().map_err(AskError::Refused)?;
    let talk = async {
        let mut stream = match socket::connect(state_dir).await {
            Ok(stream) => stream,
            Err(error) if is_nobody(&error) => {
                return Err(AskError::NobodyThere { state_dir: state_dir.to_owned() });
            }
            Err(error) => return Err(failed(state_dir, "connecting to", error)),
        };
        stream
            .write_all(format!("{line}\n").as_bytes())
            .await
            .map_err(|error| failed(state_dir, "writing to", error))?;
        let mut answer = Vec::new();
        BufReader::new(stream.take(LONGEST_ANSWER))
            .read_until(b'\n', &mut answer)
            .await
            .map_err(|error| failed(state_dir, "reading from", error))?;
        if answer.is_empty() {
            let ended = io::Error::new(ErrorKind::UnexpectedEof, "the executor ended before it answered");
            return Err(failed(state_dir, "reading from", ended));
        }
        parse_answer(&answer).map_err(|error| match error {
            Ok(refusal) => AskError::Refused(refusal),
            Err(detail) => AskError::Malformed { detail },
        })
    };
    timeout(ANSWER_WITHIN, talk).await.unwrap_or(Err(AskError::TimedOut { seconds: ANSWER_WITHIN.as_secs() }))
}

/// No socket, or one that a killed process left behind.
fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory)
}

fn failed(state_dir: &Path, doing: &str, source: io::Error) -> AskError {
    AskError::Io { doing: format!("{doing} {}", state_dir.join(socket::NAME).display()), source }
}
