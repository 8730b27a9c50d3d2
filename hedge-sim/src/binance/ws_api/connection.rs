//! One connection: its session, and what becomes of each request.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::admit::{Answer, Asked};
use super::super::error::ApiError;
use super::super::faults::Plan;
use super::super::hub::Push;
use super::super::params::Params;
use super::super::server::{Owned, finished, ill_fated, planned};
use super::super::state::App;
use super::PATH;
use super::answer::{frame, limits};
use super::methods::{Method, Session};
use super::request::{Frame, Unreadable};

/// Source: fact sheet 10 (handshake weight).
pub(crate) const HANDSHAKE_WEIGHT: u32 = 5;
/// Source: fact sheet 10 (`session.logon`); the other two are taken to weigh the same.
const SESSION_WEIGHT: u32 = 2;

/// What a connection remembers.
#[derive(Debug)]
pub(crate) struct Connection {
    address: IpAddr,
    returns_limits: bool,
    connected_ms: i64,
    session: Option<LoggedOn>,
}

#[derive(Debug, Clone)]
struct LoggedOn {
    key: String,
    since_ms: i64,
}

impl Connection {
    /// A fresh connection; `?returnRateLimits=false` keeps the limits out of its answers.
    pub(crate) fn new(address: IpAddr, query: &str, connected_ms: i64) -> Self {
        let returns_limits = !query.split('&').any(|pair| pair == "returnRateLimits=false");
        Self { address, returns_limits, connected_ms, session: None }
    }

    /// Takes one frame. The answer goes to the socket, now or when a fault lets it.
    pub(crate) fn take(&mut self, app: &Arc<App>, socket: u64, text: &str) {
        let request = match Frame::read(text) {
            Ok(request) => request,
            Err(Unreadable { id, error }) => {
                let answer = Answer::refused(&error);
                let tell = self.returns_limits.then(|| json!([]));
                let text = frame(&id, &answer, tell.as_ref(), app.clock.now_ms());
                return app.with(|core| core.hub.send(socket, text));
            }
        };
        let reply = Reply {
            app: Arc::clone(app),
            socket,
            id: request.id,
            returns_limits: request.returns_limits.unwrap_or(self.returns_limits),
        };
        match Method::find(&request.method) {
            None => {
                let text = format!("Method {} is invalid", request.method);
                reply.send(&Answer::refused(&ApiError::bad(-1020, text)));
            }
            Some(Method::Session(what)) => {
                let answer = self.session(app, what, &request.method, &request.params);
                reply.send(&answer);
            }
            Some(Method::Twin { method, path }) => {
                let owned = self.owned(&request.method, (method, path), request.params);
                answer_twin(reply, owned);
            }
        }
    }

    fn owned(&self, name: &str, (method, path): (&str, &str), mut params: Params) -> Owned {
        if name.ends_with("order.place") {
            // The page of this method states another default than REST's. Source: fact sheet 10.
            params.or_else("selfTradePreventionMode", "NONE");
        }
        let named = params.get("apiKey").map(str::to_owned);
        let trusted = named.is_none() && self.session.is_some();
        Owned {
            method: method.to_owned(),
            path: path.to_owned(),
            alias: Some(format!("{PATH}/{name}")),
            api_key: named.or_else(|| self.session.as_ref().map(|session| session.key.clone())),
            params,
            trusted,
            address: self.address,
        }
    }

    fn session(&mut self, app: &App, what: Session, name: &str, params: &Params) -> Answer {
        let alias = format!("{PATH}/{name}");
        let asked = Asked {
            method: "GET",
            path: &alias,
            alias: None,
            params,
            api_key: params.get("apiKey"),
            trusted: false,
            address: self.address,
        };
        app.answer_with(&asked, SESSION_WEIGHT, |app, skew_ms| {
            match what {
                Session::LogOn => {
                    let credential = app.authenticate(&asked, skew_ms)?;
                    if !credential.may_log_on() {
                        // Its code is UNCONFIRMED for this venue.
                        return Err(ApiError::bad(
                            -4056,
                            "Only Ed25519 API keys are supported for this request.",
                        ));
                    }
                    let key = params.need("apiKey")?.to_owned();
                    self.session = Some(LoggedOn { key, since_ms: app.clock.now_ms() });
                }
                Session::Status => {}
                Session::LogOut => self.session = None,
            }
            Ok(self.status(app.clock.now_ms()))
        })
    }

    fn status(&self, now_ms: i64) -> Value {
        json!({
            "apiKey": self.session.as_ref().map(|session| &session.key),
            "authorizedSince": self.session.as_ref().map(|session| session.since_ms),
            "connectedSince": self.connected_ms,
            "returnRateLimits": self.returns_limits,
            "serverTime": now_ms,
        })
    }
}

/// Where an answer goes.
struct Reply {
    app: Arc<App>,
    socket: u64,
    id: Value,
    returns_limits: bool,
}

impl Reply {
    fn send(&self, answer: &Answer) {
        self.app.with(|core| {
            let limits = self.returns_limits.then(|| limits(answer, core.environment));
            let text = frame(&self.id, answer, limits.as_ref(), core.now_ms());
            core.hub.send(self.socket, text);
        });
    }

    fn cut(&self) {
        self.app.with(|core| core.hub.push(self.socket, Push::Cut));
    }
}

/// Answers at once what nothing befalls. The rest goes its own way: later requests overtake it, and what the venue has
/// received it executes, also when the connection ends meanwhile.
fn answer_twin(reply: Reply, owned: Owned) {
    let app = Arc::clone(&reply.app);
    let in_flight = app.in_flight();
    let plan: Plan = planned(&app, &owned.asked());
    if plan.is_plain() {
        let answer = app.answer(&owned.asked());
        if answer.later.is_none() {
            return reply.send(&answer);
        }
        tokio::spawn(async move {
            reply.send(&finished(answer).await);
            drop(in_flight);
        });
        return;
    }
    tokio::spawn(async move {
        match ill_fated(app, owned, plan).await {
            Some(answer) => reply.send(&answer),
            None => reply.cut(),
        }
        drop(in_flight);
    });
}
