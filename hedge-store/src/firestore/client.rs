//! Calls: a token, one request, what its answer means, and how often it is repeated.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hedge_http::{
    HttpClient, HttpConfig, HttpError, Method, Request, Response,
    retry::{RandomSource, SplitMix64},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    auth::{CredentialsError, Tokens},
    config::{FirestoreConfig, FirestoreRetry},
    error::{FirestoreError, Refusal, Status},
    paths::Paths,
    quota::Quota,
    wire::{Committed, Document, Found, Row, Write},
};

/// A document of a batch read with the server's time of reading.
#[derive(Debug)]
pub(super) struct ReadDocument {
    pub(super) document: Option<Document>,
    /// The server's clock, as it wrote it.
    pub(super) read_time: Option<String>,
}

/// Why one attempt gave no answer that helps.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing happened, and it may go better later.
    Transient(String),
    /// The service says that it is too much; nothing happened.
    Exhausted(String),
    /// It may have happened.
    InDoubt(String),
    /// A precondition did not hold: ALREADY_EXISTS, FAILED_PRECONDITION, NOT_FOUND.
    Precondition(String),
    /// The answer is longer than is read.
    TooLong,
    /// It will not go better.
    Final(FirestoreError),
}

/// Makes calls. One per store.
#[derive(Debug)]
pub(super) struct Client {
    http: HttpClient,
    tokens: Tokens,
    base: String,
    pub(super) paths: Paths,
    pub(super) retry: FirestoreRetry,
    pub(super) quota: Quota,
    jitter: Mutex<SplitMix64>,
}

impl Client {
    pub(super) fn new(config: &FirestoreConfig) -> Result<Self, CredentialsError> {
        let http = HttpClient::new(&HttpConfig {
            timeout: config.request_timeout,
            connect_timeout: config.request_timeout.min(Duration::from_secs(3)),
            ..HttpConfig::default()
        })
        .map_err(|error| CredentialsError::IssuerUnavailable {
            issuer: "TLS".to_owned(),
            detail: error.to_string(),
        })?;
        // Spreads retries of several processes; not a secret.
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        Ok(Self {
            tokens: Tokens::new(&config.access, http.clone())?,
            http,
            base: config.base_url.trim_end_matches('/').to_owned(),
            paths: Paths::new(config),
            retry: config.retry,
            quota: Quota::new(&config.retry),
            jitter: Mutex::new(SplitMix64::new(seed ^ u64::from(std::process::id()))),
        })
    }

    /// One for leases: a pause of the others is not its own, and its own are short, for a lease has its beat. It counts into
    /// the same day.
    pub(super) fn for_leases(&self, config: &FirestoreConfig) -> Result<Self, CredentialsError> {
        let retry = FirestoreRetry {
            quota_pause: config.retry.base,
            quota_pause_cap: config.retry.base,
            ..config.retry
        };
        let client = Self::new(&FirestoreConfig { retry, ..config.clone() })?;
        Ok(Self { quota: self.quota.beside(&retry), ..client })
    }

    /// Reads documents by name, in the order asked for.
    pub(super) async fn get_all(&self, names: &[String]) -> Result<Vec<ReadDocument>, FirestoreError> {
        #[derive(Serialize)]
        struct Body<'a> {
            documents: &'a [String],
        }
        let path = format!("{}:batchGet", self.paths.documents());
        let found: Vec<Found> = self.read(&path, &Body { documents: names }, names.len()).await?;
        names
            .iter()
            .map(|name| {
                let row = found.iter().find(|row| {
                    row.missing.as_deref() == Some(name)
                        || row.found.as_ref().is_some_and(|document| document.name == *name)
                });
                let row = row.ok_or_else(|| FirestoreError::Malformed {
                    detail: format!("a batch read says nothing about {name}"),
                })?;
                Ok(ReadDocument { document: row.found.clone(), read_time: row.read_time.clone() })
            })
            .collect()
    }

    /// Reads one document.
    pub(super) async fn get(&self, name: String) -> Result<ReadDocument, FirestoreError> {
        let mut all = self.get_all(&[name]).await?;
        all.pop().ok_or_else(|| FirestoreError::Malformed { detail: "a batch read gave nothing".to_owned() })
    }

    /// Runs a query below a document. [`QueryError::TooLong`] is the caller's to handle: it can ask for less.
    pub(super) async fn query<B: Serialize>(
        &self,
        parent: &str,
        query: &B,
    ) -> Result<Vec<Document>, QueryError> {
        let body = encode(query).map_err(|failure| QueryError::Failed(self.give_up(failure, 1)))?;
        let answer = self.repeated(&format!("{parent}:runQuery"), &body).await;
        let rows: Result<Vec<Row>, _> =
            answer.and_then(|response| decode(&response).map_err(|failure| (failure, 1)));
        let rows = rows.map_err(|(failure, attempts)| match failure {
            Failure::TooLong => QueryError::TooLong,
            other => QueryError::Failed(self.give_up_reading(other, attempts)),
        })?;
        let documents: Vec<Document> = rows.into_iter().filter_map(|row| row.document).collect();
        // A query that finds nothing costs one read.
        self.quota.succeeded(0, documents.len().max(1) as u64);
        Ok(documents)
    }

    /// Commits once. The caller finds out what happened where that is in doubt.
    pub(super) async fn commit_once(&self, writes: &[Write]) -> Result<Committed, Failure> {
        #[derive(Serialize)]
        struct Body<'a> {
            writes: &'a [Write],
        }
        let body = encode(&Body { writes })?;
        let response = self.attempt(&format!("{}:commit", self.paths.documents()), &body).await?;
        // An answer that cannot be read says nothing about what happened.
        let doubtful = |detail: String| {
            Failure::InDoubt(format!("the answer to a commit is not as documented: {detail}"))
        };
        let committed: Committed =
            serde_json::from_slice(&response.body).map_err(|error| doubtful(error.to_string()))?;
        if committed.write_results.len() != writes.len() {
            return Err(doubtful(format!(
                "{} writes have {} results",
                writes.len(),
                committed.write_results.len()
            )));
        }
        self.quota.succeeded(writes.len() as u64, 0);
        Ok(committed)
    }

    async fn read<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        documents: usize,
    ) -> Result<T, FirestoreError> {
        let body = encode(body).map_err(|failure| self.give_up(failure, 1))?;
        let answer = self.repeated(path, &body).await;
        let answer = answer.and_then(|response| decode(&response).map_err(|failure| (failure, 1)));
        let answer = answer.map_err(|(failure, attempts)| self.give_up_reading(failure, attempts))?;
        self.quota.succeeded(0, documents as u64);
        Ok(answer)
    }

    /// Repeats a read until it is answered, fails for good, or the attempts are used up.
    async fn repeated(&self, path: &str, body: &[u8]) -> Result<Response, (Failure, u32)> {
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(path, body).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            match self.wait(attempt, &failure) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err((failure, attempt)),
            }
            attempt += 1;
        }
    }

    /// How long to wait after a failed attempt; `None` to give up.
    pub(super) fn wait(&self, attempt: u32, failure: &Failure) -> Option<Duration> {
        let is_exhausted = match failure {
            Failure::Transient(_) | Failure::InDoubt(_) => false,
            Failure::Exhausted(_) => true,
            Failure::Precondition(_) | Failure::TooLong | Failure::Final(_) => return None,
        };
        if attempt >= self.retry.attempts.get() || self.quota.pause_left().is_some() {
            return None;
        }
        let step = self.retry.base.saturating_mul(1_u32 << (attempt - 1).min(16)).min(self.retry.cap);
        let nanos = u64::try_from(step.as_nanos()).unwrap_or(u64::MAX).max(1);
        let random = self.jitter.lock().unwrap_or_else(PoisonError::into_inner).next_u64();
        // Full jitter, except that an exhausted quota wants at least the first step.
        let wait = Duration::from_nanos(random % nanos);
        Some(if is_exhausted { wait.max(self.retry.base) } else { wait })
    }

    /// A read changes nothing, so nothing is in doubt.
    fn give_up_reading(&self, failure: Failure, attempts: u32) -> FirestoreError {
        let failure = match failure {
            Failure::InDoubt(detail) => Failure::Transient(detail),
            other => other,
        };
        self.give_up(failure, attempts)
    }

    /// The error that the caller sees in the end. Remembers it, and pauses when the quota is exhausted.
    pub(super) fn give_up(&self, failure: Failure, attempts: u32) -> FirestoreError {
        let error = match failure {
            Failure::Transient(detail) => FirestoreError::Unavailable { attempts, detail, in_doubt: false },
            Failure::InDoubt(detail) => FirestoreError::Unavailable { attempts, detail, in_doubt: true },
            Failure::Exhausted(detail) => {
                let retry_after = self.quota.pause_left().unwrap_or_else(|| self.quota.exhausted());
                FirestoreError::QuotaExhausted { retry_after, detail }
            }
            Failure::Precondition(detail) => FirestoreError::Precondition { detail },
            Failure::TooLong => {
                FirestoreError::Malformed { detail: "the answer is longer than is read".to_owned() }
            }
            Failure::Final(error) => error,
        };
        self.quota.failed(error.to_string());
        error
    }

    /// One attempt, with a second one under a fresh token when the first token is refused. Gives an answer of 2xx.
    async fn attempt(&self, path: &str, body: &[u8]) -> Result<Response, Failure> {
        if let Some(left) = self.quota.pause_left() {
            return Err(Failure::Exhausted(format!("{} s of the pause are left", left.as_secs())));
        }
        let mut is_second = false;
        loop {
            let bearer = self.tokens.bearer().await.map_err(|error| match error.is_retryable() {
                true => Failure::Transient(error.to_string()),
                false => Failure::Final(error.into()),
            })?;
            let response = self.send(path, body.to_vec(), bearer.secret.expose()).await?;
            if response.status != 401 {
                return accepted(response);
            }
            if is_second || !self.tokens.refuse(bearer.generation).await {
                let detail = Refusal::read(401, &response.body).detail();
                return Err(Failure::Final(FirestoreError::Unauthenticated { detail }));
            }
            is_second = true;
        }
    }

    async fn send(&self, path: &str, body: Vec<u8>, token: &str) -> Result<Response, Failure> {
        let request = Request::new(Method::Post, format!("{}/{path}", self.base))
            .header("authorization", format!("Bearer {token}"))
            .body("application/json", body);
        self.http.send(request).await.map_err(|error| match error {
            HttpError::NotSent { .. } => Failure::Transient(error.to_string()),
            HttpError::Unknown { .. } => Failure::InDoubt(error.to_string()),
            HttpError::BodyTooLarge { .. } => Failure::TooLong,
            // Refused before sending, and whatever is added later: repeating does not help.
            other => Failure::Final(FirestoreError::Malformed { detail: other.to_string() }),
        })
    }
}

/// Why a query gave nothing.
#[derive(Debug)]
pub(super) enum QueryError {
    /// Ask for less.
    TooLong,
    Failed(FirestoreError),
}

fn encode<B: Serialize>(body: &B) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body)
        .map_err(|error| Failure::Final(FirestoreError::Malformed { detail: format!("request: {error}") }))
}

fn decode<T: DeserializeOwned>(response: &Response) -> Result<T, Failure> {
    serde_json::from_slice(&response.body)
        .map_err(|error| Failure::Final(FirestoreError::Malformed { detail: error.to_string() }))
}

/// An answer of 2xx, or what the other one means.
fn accepted(response: Response) -> Result<Response, Failure> {
    if (200..300).contains(&response.status) {
        return Ok(response);
    }
    let refusal = Refusal::read(response.status, &response.body);
    let detail = refusal.detail();
    Err(match refusal.status {
        Status::Aborted => Failure::Transient(detail),
        Status::ResourceExhausted => Failure::Exhausted(detail),
        // Documented as "nothing happened", but a commit that happened is found by looking, so it is looked for.
        Status::Unavailable | Status::InDoubt => Failure::InDoubt(detail),
        Status::AlreadyExists | Status::FailedPrecondition => Failure::Precondition(detail),
        // A commit's precondition on a missing document; the same word for a missing database.
        Status::NotFound if is_about_the_database(&refusal) => {
            Failure::Final(FirestoreError::DatabaseMissing { detail })
        }
        Status::NotFound => Failure::Precondition(detail),
        Status::Unauthenticated => Failure::Final(FirestoreError::Unauthenticated { detail }),
        Status::PermissionDenied => Failure::Final(FirestoreError::PermissionDenied { detail }),
        Status::Other => {
            Failure::Final(FirestoreError::Refused { status: refusal.word.clone(), detail: refusal.message })
        }
    })
}

/// No call of this store names a document that must exist without saying so, except the database itself.
fn is_about_the_database(refusal: &Refusal) -> bool {
    !refusal.message.contains("/documents/") && refusal.message.to_ascii_lowercase().contains("database")
}
