//! The answer that carries a token, the same from both issuers.

use std::time::{Duration, Instant};

use hedge_http::{Response, secret::Secret};
use serde::Deserialize;

use super::CredentialsError;
use crate::firestore::error::shortened;

/// How long before its end a token is replaced. Source: fact sheet "services", section a.8.
const REFRESH_EARLY: Duration = Duration::from_secs(300);

/// A bearer token and its times on the monotonic clock.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) secret: Secret<String>,
    pub(super) refresh_at: Instant,
    pub(super) expires_at: Instant,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

#[derive(Default, Deserialize)]
struct Failure {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Reads the issuer's answer. `asked_at` is when the question left: a token's life is counted from before it began.
pub(super) fn read(response: &Response, asked_at: Instant, issuer: &str) -> Result<Token, CredentialsError> {
    if response.status != 200 {
        let failure: Failure = serde_json::from_slice(&response.body).unwrap_or_default();
        let said = format!("{} {}", failure.error, failure.error_description);
        let detail = match said.trim() {
            "" => format!("HTTP {}", response.status),
            text => shortened(text),
        };
        let issuer = issuer.to_owned();
        return Err(if response.status >= 500 || response.status == 429 {
            CredentialsError::IssuerUnavailable { issuer, detail }
        } else {
            CredentialsError::IssuerRefused { issuer, detail }
        });
    }
    let answer: Answer = serde_json::from_slice(&response.body).map_err(|error| {
        // The decoder's words name a place, and a wrong type could quote a token: only the category is kept.
        let detail = format!("its answer is not a token (line {} column {})", error.line(), error.column());
        CredentialsError::IssuerRefused { issuer: issuer.to_owned(), detail }
    })?;
    if answer.access_token.trim().is_empty() {
        let detail = "its answer holds an empty token".to_owned();
        return Err(CredentialsError::IssuerRefused { issuer: issuer.to_owned(), detail });
    }
    let life = Duration::from_secs(answer.expires_in.min(86_400));
    Ok(Token {
        secret: Secret::new(answer.access_token),
        refresh_at: asked_at + life.saturating_sub(REFRESH_EARLY).max(life / 2),
        expires_at: asked_at + life,
    })
}
