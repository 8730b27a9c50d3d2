//! A service account's key file, and the signed claim that is exchanged for a token.
//!
//! Source: fact sheet "services", section a.8.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use hedge_http::{
    HttpClient, Method, Request,
    secret::Secret,
    sign::{KeyKind, SigningKey, base64},
};
use serde::{Deserialize, Serialize};

use super::token::{self, Token};

const SCOPE: &str = "https://www.googleapis.com/auth/datastore";
const GRANT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
/// The longest life that a claim may have. Units: seconds.
const CLAIM_SECONDS: u64 = 3_600;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The key file cannot be used.
    #[error("{}: {problem}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The issuer does not answer. Repeating later helps.
    #[error("no token from {issuer}: {detail}")]
    IssuerUnavailable {
        /// Who issues tokens.
        issuer: String,
        /// What happened.
        detail: String,
    },
    /// The issuer says no.
    #[error(
        "{issuer} gives no token: {detail}; check that the key still exists in the project and that this machine's clock is \
         right"
    )]
    IssuerRefused {
        /// Who issues tokens.
        issuer: String,
        /// What it said.
        detail: String,
    },
}

impl CredentialsError {
    /// Whether the same call may succeed later without anybody doing anything.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::IssuerUnavailable { .. })
    }
}

/// The file as Google writes it; what is not needed is not read.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    project_id: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<Hidden>,
    client_email: Option<String>,
    token_uri: Option<String>,
}

/// Text that is a secret from the moment it is read.
struct Hidden(Secret<String>);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

/// A service account that can sign. `Debug` shows its address, not its key.
#[derive(Debug)]
pub(super) struct ServiceAccount {
    email: String,
    key_id: Option<String>,
    token_uri: String,
    key: SigningKey,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'static str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

/// The project that a key file belongs to.
pub(in crate::firestore) fn project_of(path: &Path) -> Result<String, CredentialsError> {
    let file = read(path)?;
    file.project_id.ok_or_else(|| problem(path, "it names no project_id; set store.firestore.project"))
}

impl ServiceAccount {
    /// Reads a key file, which nobody but its owner may read.
    pub(super) fn load(path: &Path) -> Result<Self, CredentialsError> {
        let file = read(path)?;
        let missing = |name: &str| {
            problem(path, format!("it has no {name}; download a new key for the service account"))
        };
        let key = file.private_key.ok_or_else(|| missing("private_key"))?;
        let key =
            SigningKey::from_pem(&key.0).map_err(|error| problem(path, format!("private_key: {error}")))?;
        if key.kind() != KeyKind::Rsa {
            return Err(problem(path, format!("private_key is an {} key; RSA is expected", key.kind())));
        }
        let token_uri = file.token_uri.ok_or_else(|| missing("token_uri"))?;
        Ok(Self {
            email: file.client_email.ok_or_else(|| missing("client_email"))?,
            key_id: file.private_key_id,
            token_uri,
            key,
        })
    }

    /// Exchanges a freshly signed claim for a token.
    pub(super) async fn fetch(&self, http: &HttpClient) -> Result<Token, CredentialsError> {
        let issuer = hedge_http::client::redacted(&self.token_uri);
        let refused = |detail: String| CredentialsError::IssuerRefused { issuer: issuer.clone(), detail };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(|_| refused("the clock is before 1970".to_owned()))?;
        let claim = self.claim(now.as_secs()).map_err(refused)?;
        let body = format!("grant_type={GRANT}&assertion={}", claim.expose());
        let request = Request::new(Method::Post, self.token_uri.as_str())
            .body("application/x-www-form-urlencoded", body.into_bytes());
        let asked_at = Instant::now();
        let response = http.send(request).await.map_err(|error| CredentialsError::IssuerUnavailable {
            issuer: issuer.clone(),
            detail: error.to_string(),
        })?;
        token::read(&response, asked_at, &issuer)
    }

    /// The signed claim (a JWT). Whoever holds it can have a token, so it is a secret.
    fn claim(&self, now_s: u64) -> Result<Secret<String>, String> {
        let header = Header { alg: "RS256", typ: "JWT", kid: self.key_id.as_deref() };
        let claims = Claims {
            iss: &self.email,
            scope: SCOPE,
            aud: &self.token_uri,
            iat: now_s,
            exp: now_s + CLAIM_SECONDS,
        };
        let part = |json: Result<Vec<u8>, serde_json::Error>| {
            json.map(|json| base64_url(&json)).map_err(|e| e.to_string())
        };
        let signed = format!("{}.{}", part(serde_json::to_vec(&header))?, part(serde_json::to_vec(&claims))?);
        let signature = self.key.sign_bytes(signed.as_bytes()).map_err(|error| error.to_string())?;
        Ok(Secret::new(format!("{signed}.{}", base64_url(&signature))))
    }
}

fn problem(path: &Path, problem: impl Into<String>) -> CredentialsError {
    CredentialsError::File { path: path.to_owned(), problem: problem.into() }
}

fn read(path: &Path) -> Result<KeyFile, CredentialsError> {
    let advice = "GOOGLE_APPLICATION_CREDENTIALS must name a service account's key file";
    let text = fs::read(path).map_err(|error| problem(path, format!("{error}; {advice}")))?;
    refuse_readable_by_others(path)?;
    let file: KeyFile = serde_json::from_slice(&text).map_err(|error| {
        // The decoder may quote what it found, and here that may be the key.
        let place = format!("line {} column {}", error.line(), error.column());
        problem(path, format!("it is not a service account's key file ({place}); {advice}"))
    })?;
    if file.kind != "service_account" {
        let found: String = file.kind.chars().take(40).collect();
        return Err(problem(path, format!("its type is {found:?}, expected \"service_account\"; {advice}")));
    }
    Ok(file)
}

#[cfg(unix)]
fn refuse_readable_by_others(path: &Path) -> Result<(), CredentialsError> {
    use std::os::unix::fs::PermissionsExt;
    let mode =
        fs::metadata(path).map_err(|error| problem(path, error.to_string()))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(problem(path, format!("others can read it (mode {mode:03o}); run: chmod 600 {}", path.display())))
}

#[cfg(not(unix))]
fn refuse_readable_by_others(_: &Path) -> Result<(), CredentialsError> {
    Ok(())
}

/// Base64 with the alphabet of URLs and no padding (RFC 4648, section 5).
fn base64_url(bytes: &[u8]) -> String {
    base64(bytes)
        .chars()
        .filter(|&letter| letter != '=')
        .map(|letter| match letter {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_written_with_the_alphabet_of_urls_and_without_padding() {
        assert_eq!(base64_url(&[0xfb, 0xff, 0xfe, 0x01]), "-__-AQ");
    }

    #[test]
    fn a_file_that_is_missing_is_named_with_the_variable_that_led_to_it() {
        let error = read(Path::new("/nowhere/key.json")).err().unwrap().to_string();
        assert!(error.starts_with("/nowhere/key.json: "), "{error}");
        assert!(
            error.ends_with("GOOGLE_APPLICATION_CREDENTIALS must name a service account's key file"),
            "{error}"
        );
    }
}
