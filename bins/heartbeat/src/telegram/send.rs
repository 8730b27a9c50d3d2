//! One message, sent with patience and without ever showing the token: it stands in the path of the address.

use std::{fmt, time::Duration};

use hedge_desk::env::Env;
use hedge_http::{HttpClient, HttpConfig, HttpError, Method, Request, Response, secret::Secret};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::time::Instant;

use super::fit::fit;

/// How long the sender tries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Altogether.
    pub(crate) total: Duration,
    /// One request.
    pub(crate) attempt: Duration,
    /// Before the second attempt; doubled from there.
    pub(crate) pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(30),
            attempt: Duration::from_secs(10),
            pause: Duration::from_secs(1),
        }
    }
}

/// Posts to one chat. `Debug` shows no token.
#[derive(Debug)]
pub(crate) struct Telegram {
    client: HttpClient,
    base: String,
    token: Secret<String>,
    chat: Chat,
    patience: Patience,
}

/// A chat by number, or a public channel by `@name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Chat {
    Number(i64),
    Name(String),
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    chat: Chat,
    has_moved: bool,
    attempts: u32,
}

/// The message was not sent, or nobody knows. No text of it holds the token.
#[derive(Debug, Error)]
pub(crate) enum SendError {
    #[error("{0} is not set; put it into the file with variables")]
    NotSet(&'static str),
    #[error("{0} cannot be used: {1}")]
    Unusable(&'static str, &'static str),
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
    /// Telegram said no, and would again.
    #[error("{0}")]
    Refused(String),
    /// It was tried as long as patience lasted.
    #[error("given up after {attempts} attempts in {seconds} s: {last}")]
    GivenUp { attempts: u32, seconds: u64, last: String },
}

/// What one attempt came to.
enum Verdict {
    Done,
    /// The group has become a supergroup of that number.
    Moved(i64),
    /// May work later; the wait, if Telegram named one.
    Again {
        after: Option<Duration>,
        why: String,
    },
    Never(String),
}

#[derive(Serialize)]
struct Message<'a> {
    chat_id: &'a Chat,
    /// Plain: nothing in it needs escaping and nothing can fail to be parsed.
    text: &'a str,
    link_preview_options: LinkPreview,
}

#[derive(Serialize)]
struct LinkPreview {
    is_disabled: bool,
}

#[derive(Deserialize)]
struct Envelope {
    ok: bool,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(default)]
    retry_after: Option<u64>,
    #[serde(default)]
    migrate_to_chat_id: Option<i64>,
}

impl Telegram {
    /// From `TELEGRAM_BOT_TOKEN` and `TELEGRAM_CHAT_ID`.
    pub(crate) fn from_env(env: &Env, base: &str, patience: Patience) -> Result<Self, SendError> {
        let read = |name| env.lookup(name).ok_or(SendError::NotSet(name));
        let token = read("TELEGRAM_BOT_TOKEN")?.trim().to_owned();
        if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_-".contains(&byte)) {
            let why = "it may hold letters, digits, :, _ and - only, as BotFather shows it";
            return Err(SendError::Unusable("TELEGRAM_BOT_TOKEN", why));
        }
        let chat = chat(read("TELEGRAM_CHAT_ID")?.trim())?;
        let config =
            HttpConfig { timeout: patience.attempt, max_body_bytes: 64 * 1024, ..HttpConfig::default() };
        let client = HttpClient::new(&config).map_err(|error| SendError::Client(error.to_string()))?;
        let base = base.trim().trim_end_matches('/').to_owned();
        Ok(Self { client, base, token: Secret::new(token), chat, patience })
    }

    /// Posts the text. Sending is not idempotent: after an answer that got lost the message may be there twice; the time in
    /// it tells that it is the same one.
    pub(crate) async fn send(&self, text: &str) -> Result<Sent, SendError> {
        let text = fit(text);
        let deadline = Instant::now() + self.patience.total;
        let mut sent = Sent { chat: self.chat.clone(), has_moved: false, attempts: 0 };
        let mut pause = self.patience.pause;
        loop {
            sent.attempts += 1;
            let left = deadline.saturating_duration_since(Instant::now()).min(self.patience.attempt);
            let (after, last) = match self.once(&sent.chat, &text, left).await {
                Verdict::Done => return Ok(sent),
                Verdict::Moved(id) if !sent.has_moved => {
                    sent.chat = Chat::Number(id);
                    sent.has_moved = true;
                    continue;
                }
                Verdict::Moved(_) => return Err(SendError::Refused("the chat keeps moving".to_owned())),
                Verdict::Never(why) => return Err(SendError::Refused(why)),
                Verdict::Again { after, why } => (after, why),
            };
            let wait = after.unwrap_or(pause);
            pause *= 2;
            if Instant::now() + wait >= deadline {
                let seconds = self.patience.total.as_secs();
                return Err(SendError::GivenUp { attempts: sent.attempts, seconds, last });
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self, chat: &Chat, text: &str, within: Duration) -> Verdict {
        let message =
            Message { chat_id: chat, text, link_preview_options: LinkPreview { is_disabled: true } };
        let body = match serde_json::to_vec(&message) {
            Ok(body) => body,
            Err(error) => return Verdict::Never(format!("the message cannot be written: {error}")),
        };
        let address = format!("{}/bot{}/sendMessage", self.base, self.token.expose());
        let request = Request::new(Method::Post, address)
            .shown_as(format!("{}/bot…/sendMessage", self.base))
            .body("application/json", body)
            .timeout(within.max(Duration::from_millis(1)));
        match self.client.send(request).await {
            Ok(response) => self.judge(&response),
            Err(error @ HttpError::Refused { .. }) => Verdict::Never(self.hide(&error.to_string())),
            Err(error) => Verdict::Again { after: None, why: self.hide(&error.to_string()) },
        }
    }

    fn judge(&self, response: &Response) -> Verdict {
        let status = response.status;
        let envelope = serde_json::from_slice::<Envelope>(&response.body).ok();
        let said = envelope.as_ref().and_then(|envelope| envelope.description.as_deref());
        let said: String = said.unwrap_or("no description").chars().take(200).collect();
        let said = self.hide(&said);
        let parameters = envelope.as_ref().and_then(|envelope| envelope.parameters.as_ref());
        match status {
            200..=299 if envelope.as_ref().is_some_and(|envelope| envelope.ok) => Verdict::Done,
            // Repeating it could post it twice.
            200..=299 => Verdict::Never(format!(
                "the answer (status {status}) is not Telegram's; the message may have been sent; check telegram.base_url"
            )),
            400 => match parameters.and_then(|parameters| parameters.migrate_to_chat_id) {
                Some(id) => Verdict::Moved(id),
                None => Verdict::Never(format!("refused (status 400: {said}); check TELEGRAM_CHAT_ID")),
            },
            401 | 404 => Verdict::Never(format!(
                "the bot is not known (status {status}: {said}); check TELEGRAM_BOT_TOKEN"
            )),
            403 => Verdict::Never(format!(
                "the bot may not write there (status 403: {said}); start it in the chat, or add it to the group"
            )),
            429 => {
                let seconds = parameters.and_then(|parameters| parameters.retry_after);
                let wait = seconds.map(Duration::from_secs).or_else(|| response.retry_after());
                // A tenth more than told: clocks differ.
                let after = wait.map(|wait| wait.saturating_mul(11) / 10);
                Verdict::Again { after, why: format!("too many messages (status 429: {said})") }
            }
            500.. => {
                Verdict::Again { after: None, why: format!("Telegram failed (status {status}: {said})") }
            }
            _ => Verdict::Never(format!("unexpected status {status}: {said}")),
        }
    }

    /// The last guard: whoever answers could send the address back.
    fn hide(&self, text: &str) -> String {
        text.replace(self.token.expose(), "…")
    }
}

fn chat(text: &str) -> Result<Chat, SendError> {
    let is_name = text.strip_prefix('@').is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    match text.parse() {
        Ok(number) => Ok(Chat::Number(number)),
        Err(_) if is_name => Ok(Chat::Name(text.to_owned())),
        Err(_) => Err(SendError::Unusable(
            "TELEGRAM_CHAT_ID",
            "expected a number such as -1001900500100, or the @name of a public channel",
        )),
    }
}

impl fmt::Display for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sent to chat {} ", self.chat)?;
        match self.attempts {
            1 => f.write_str("at once")?,
            attempts => write!(f, "with attempt {attempts}")?,
        }
        if self.has_moved {
            write!(f, "; the group has moved: set TELEGRAM_CHAT_ID={}", self.chat)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
