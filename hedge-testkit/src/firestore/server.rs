//! The server: one responder for every call.

use std::{
    collections::VecDeque,
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use super::{
    clock::ServerClock,
    commit::commit,
    documents::{Answer, Documents, batch_get, error, invalid, run_query},
    fault::Fault,
};

/// A Firestore that lives as long as this value.
#[derive(Debug)]
pub struct FakeFirestore {
    server: MockServer,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    documents: Documents,
    clock: ServerClock,
    faults: VecDeque<Fault>,
    is_down: bool,
    late: Vec<Value>,
    /// What every call must bring as its bearer token, if that is checked.
    token: Option<String>,
    calls: Vec<String>,
    largest_commit: usize,
}

impl FakeFirestore {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        Self::start_on(TcpListener::bind(("127.0.0.1", 0)).expect("a free port")).await
    }

    /// Starts one on a port that the caller has kept: for a service that is down first and comes up later.
    pub async fn start_on(listener: TcpListener) -> Self {
        let inner = Arc::new(Mutex::new(Inner {
            documents: Documents::new(),
            clock: ServerClock::new(),
            faults: VecDeque::new(),
            is_down: false,
            late: Vec::new(),
            token: None,
            calls: Vec::new(),
            largest_commit: 0,
        }));
        let server = MockServer::builder().listener(listener).disable_request_recording().start().await;
        Mock::given(any()).respond_with(Responder(Arc::clone(&inner))).mount(&server).await;
        Self { server, inner }
    }

    /// Host and port, as `FIRESTORE_EMULATOR_HOST` wants them.
    pub fn host(&self) -> String {
        self.server.address().to_string()
    }

    /// The next calls meet these, one each, in this order.
    pub fn fail_next(&self, fault: Fault) {
        self.fail_times(1, fault);
    }

    /// The next calls meet this, so many of them.
    pub fn fail_times(&self, times: usize, fault: Fault) {
        self.inner().faults.extend(std::iter::repeat_n(fault, times));
    }

    /// Answers everything with 503 until [`come_back`](Self::come_back).
    pub fn go_down(&self) {
        self.inner().is_down = true;
    }

    /// Ends an outage; faults that were not met are forgotten.
    pub fn come_back(&self) {
        let mut inner = self.inner();
        inner.is_down = false;
        inner.faults.clear();
    }

    /// From now on only that token is taken.
    pub fn require_token(&self, token: &str) {
        self.inner().token = Some(token.to_owned());
    }

    /// Moves the server's clock.
    pub fn advance_clock(&self, by: Duration) {
        self.inner().clock.advance(by);
    }

    /// From now on the server's clock runs as time passes: for processes that must wait for a lease to run out.
    pub fn run_clock(&self) {
        self.inner().clock.run();
    }

    /// Does the work of the calls that met [`Fault::LateApply`].
    pub fn apply_late(&self) {
        let mut inner = self.inner();
        for body in std::mem::take(&mut inner.late) {
            let Inner { documents, clock, .. } = &mut *inner;
            commit(documents, clock, &body);
        }
    }

    /// The calls so far, by name: `commit`, `batchGet`, `runQuery`.
    pub fn calls(&self) -> Vec<String> {
        self.inner().calls.clone()
    }

    /// The most writes that one commit had.
    pub fn largest_commit(&self) -> usize {
        self.inner().largest_commit
    }

    /// Names of all documents, from `hedge/` on, in order.
    pub fn names(&self) -> Vec<String> {
        let short = |name: &String| name.split_once("/documents/").map(|(_, short)| short.to_owned());
        self.inner().documents.keys().filter_map(short).collect()
    }

    /// The fields of a document, named from `hedge/` on.
    pub fn fields(&self, name: &str) -> Option<Map<String, Value>> {
        let inner = self.inner();
        let (_, stored) =
            inner.documents.iter().find(|(full, _)| full.ends_with(&format!("/documents/{name}")))?;
        Some(stored.fields.clone())
    }

    /// Changes a document behind everybody's back; `None` deletes it. Its version changes with it.
    pub fn tamper(&self, name: &str, change: impl FnOnce(Map<String, Value>) -> Option<Map<String, Value>>) {
        let mut inner = self.inner();
        let Inner { documents, clock, .. } = &mut *inner;
        let full = documents.keys().find(|full| full.ends_with(&format!("/documents/{name}"))).cloned();
        let full = full.unwrap_or_else(|| panic!("there is no document {name}"));
        let mut stored = documents.remove(&full).unwrap_or_else(|| panic!("there is no document {name}"));
        if let Some(fields) = change(std::mem::take(&mut stored.fields)) {
            (stored.fields, stored.update_time) = (fields, clock.tick());
            documents.insert(full, stored);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Responder(Arc<Mutex<Inner>>);

impl Respond for Responder {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let token =
            request.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (answer, delay) = inner.answer(request.method.as_str(), request.url.path(), token, &request.body);
        let template = match answer {
            Ok((status, body)) => ResponseTemplate::new(status).set_body_json(body),
            Err((status, text)) => ResponseTemplate::new(status).set_body_string(text),
        };
        template.set_delay(delay)
    }
}

/// An answer of the service, or one of something else with a text.
type Said = Result<Answer, (u16, &'static str)>;

impl Inner {
    fn answer(&mut self, method: &str, path: &str, token: &str, body: &[u8]) -> (Said, Duration) {
        let now = |said: Said| (said, Duration::ZERO);
        let refused = |http, status, message| now(Ok(error(http, status, message)));
        let Some((parent, call)) = path.strip_prefix("/v1/").and_then(|path| path.rsplit_once(':')) else {
            return now(Err((404, "Not Found")));
        };
        self.calls.push(call.to_owned());
        if self.is_down {
            return refused(503, "UNAVAILABLE", "The service is currently unavailable.");
        }
        let expected = self.token.as_ref().map(|token| format!("Bearer {token}"));
        if token.strip_prefix("Bearer ").is_none_or(str::is_empty)
            || expected.is_some_and(|expected| expected != token)
        {
            return refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.");
        }
        let parsed: Option<Value> = serde_json::from_slice(body).ok();
        let Some(body) = parsed.filter(|_| method == "POST" && body.len() <= 10 * 1024 * 1024) else {
            return now(Ok(invalid()));
        };
        match self.faults.pop_front() {
            None => now(Ok(self.work(parent, call, &body))),
            Some(Fault::Unavailable) => refused(503, "UNAVAILABLE", "The service is currently unavailable."),
            Some(Fault::Exhausted) => refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded."),
            Some(Fault::Aborted) => refused(409, "ABORTED", "Transaction lock timeout."),
            Some(Fault::Internal) => refused(500, "INTERNAL", "Internal error."),
            Some(Fault::Unauthenticated) => {
                refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
            }
            Some(Fault::Denied) => refused(403, "PERMISSION_DENIED", "Missing or insufficient permissions."),
            Some(Fault::NoDatabase) => {
                refused(404, "NOT_FOUND", "The database (default) does not exist for project p.")
            }
            Some(Fault::Deadline) => refused(504, "DEADLINE_EXCEEDED", "Deadline exceeded."),
            Some(Fault::DeadlineAfterApply) => {
                self.work(parent, call, &body);
                refused(504, "DEADLINE_EXCEEDED", "Deadline exceeded.")
            }
            Some(Fault::CancelledAfterApply) => {
                self.work(parent, call, &body);
                refused(499, "CANCELLED", "The operation was cancelled.")
            }
            Some(Fault::SlowAfterApply(delay)) => (Ok(self.work(parent, call, &body)), delay),
            Some(Fault::LateApply) => {
                if call == "commit" {
                    self.late.push(body);
                }
                refused(504, "DEADLINE_EXCEEDED", "Deadline exceeded.")
            }
            Some(Fault::Garbage) => now(Err((200, "<html>not what you think</html>"))),
            Some(Fault::BadGateway) => now(Err((502, "<html>bad gateway</html>"))),
        }
    }

    fn work(&mut self, parent: &str, call: &str, body: &Value) -> Answer {
        match call {
            "commit" => {
                self.largest_commit = self.largest_commit.max(body["writes"].as_array().map_or(0, Vec::len));
                commit(&mut self.documents, &mut self.clock, body)
            }
            "batchGet" => batch_get(&self.documents, &mut self.clock, body),
            "runQuery" => run_query(&self.documents, &mut self.clock, parent, body),
            _ => invalid(),
        }
    }
}
