//! The same exchange on the open connection of the WebSocket API. The outcome is judged as that of an HTTP exchange.

use std::time::Duration;

use hedge_core::{BrokerError, RejectReason};
use hedge_http::{HttpError, Response, limiter::Priority};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{Exchange, Rest, URGENT_TIMEOUT, shown};
use crate::{
    client::call_error::CallError,
    codes::Verdict,
    decode::json,
    encode::{ApiRequest, POOLS, Security},
    ws_api::{self, Auth, Deadline, Line, NoLine, Outgoing, Withheld},
};

/// The venue's word for a parameter that is not there: on a connection that has logged on, key and signature are not.
const MISSING_PARAMETER: i64 = -1102;

/// What became of a request.
#[derive(Debug)]
pub(super) enum Sent {
    /// It left, or may have left, or must not leave any more: whatever is said is the outcome.
    Once(Exchange),
    /// Nothing of it has been executed, and that is proven. It may go another way.
    NotAtAll(CallError),
}

impl Sent {
    const fn refused(error: CallError) -> Self {
        Self::Once(Exchange::unsent(error))
    }
}

impl Rest {
    /// The method for a request that goes over the WebSocket API.
    ///
    /// Questions do not: the connection whose loss left an order unknown must not be the one that is asked about it. A panic
    /// close does not either: it takes the way that needs nothing but itself.
    pub(super) fn method_over_ws(&self, request: &ApiRequest) -> Option<&'static str> {
        let is_wanted = self.orders_over_ws && !self.is_urgent();
        is_wanted.then(|| ws_api::command_of(request.method, request.path)).flatten()
    }

    /// A question over the WebSocket API, once.
    pub(crate) async fn read_over_ws<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: &ApiRequest,
    ) -> Result<T, BrokerError> {
        if request.security == Security::Signed {
            self.ensure_clock().await?;
        }
        let Some(method) = ws_api::method_of(request.method, request.path) else {
            let source = format!("the WebSocket API has no method for {}", request.path).into();
            return Err(BrokerError::NotSent { source });
        };
        let response = match self.send_over_ws(request, method, None).await {
            Sent::Once(exchange) => exchange.result?,
            Sent::NotAtAll(error) => return Err(error.into()),
        };
        Ok(json(what, &response.body)?)
    }

    /// Sends a request once, not after the deadline: a handshake and a log-on may take longer than an approval lasts.
    pub(super) async fn send_over_ws(
        &self,
        request: &ApiRequest,
        method: &'static str,
        deadline: Option<&Deadline>,
    ) -> Sent {
        let now_ms = self.venue_now_ms();
        let permit = match self.permit(request, now_ms) {
            Ok(permit) => permit,
            Err(error) => return Sent::refused(error),
        };
        let line = match self.ws_line(request).await {
            Ok(line) => line,
            Err(error) => {
                self.limiter.refund(permit);
                return Sent::NotAtAll(error);
            }
        };
        if deadline.is_some_and(Deadline::is_over) {
            self.limiter.refund(permit);
            return Sent::refused(CallError::Stale);
        }
        let stamp = self.stamp(deadline);
        let id = self.ws_api.new_id();
        let auth = match request.security {
            Security::Open => Auth::Open,
            Security::Key => Auth::Key(self.key.expose()),
            Security::Signed if line.is_logged_on() => Auth::Session(stamp),
            Security::Signed => Auth::Signed(stamp, &self.signer),
        };
        let text = match ws_api::request(&id, method, &ws_api::params_of(method, request), auth) {
            Ok(text) => text,
            Err(error) => {
                self.limiter.refund(permit);
                return Sent::refused(CallError::Sign(error));
            }
        };
        let window_ends = stamp.at.plus(Duration::from_millis(stamp.window_ms.into()));
        let acceptable_until =
            (request.security == Security::Signed).then(|| window_ends.plus(self.extra_visibility));
        tracing::trace!(method, query = %shown(&request.params), "request");
        let look = self.last_look.at(request);
        let asked = look.map(|(look, what)| (look.clone(), what));
        let outgoing = Outgoing { id, text, now_ms, deadline: deadline.cloned(), look: asked };
        let answer = self.ws_api.call(&line, outgoing).await;
        if let Some((look, _)) = look {
            look.answered();
        }
        let lost = match answer {
            Ok(response) => return self.answered(request, &line, now_ms, acceptable_until, response),
            Err(lost) => lost.into_http(method),
        };
        match lost {
            Ok(error) if error.may_have_been_sent() => {
                Sent::Once(Exchange { acceptable_until, result: Err(CallError::Http(error)) })
            }
            Ok(error) => {
                self.limiter.refund(permit);
                Sent::NotAtAll(CallError::Http(error))
            }
            Err(Withheld::Stale) => {
                self.limiter.refund(permit);
                Sent::refused(CallError::Stale)
            }
            Err(Withheld::Guarded(because)) => {
                self.limiter.refund(permit);
                Sent::refused(CallError::Guarded(because))
            }
        }
    }

    fn answered(
        &self,
        request: &ApiRequest,
        line: &Line,
        now_ms: i64,
        acceptable_until: Option<hedge_core::Timestamp>,
        response: Response,
    ) -> Sent {
        match self.receive(request, now_ms, response) {
            // The venue does not know the session any more (fact sheet 10): nobody else shall find out by an order, and this
            // one was not executed.
            Err(error) if line.is_logged_on() && is_about_session(&error) => {
                tracing::warn!(
                    "the venue takes no request of the session that was logged on; it is logged on anew"
                );
                self.ws_api.retire(line);
                Sent::NotAtAll(error)
            }
            result => Sent::Once(Exchange { acceptable_until, result }),
        }
    }

    /// The open connection, or a new one. What has another way waits for it no longer than a panic close for an answer, and
    /// not right after somebody has waited in vain.
    async fn ws_line(&self, request: &ApiRequest) -> Result<Line, CallError> {
        if let Some(line) = self.ws_api.line() {
            return Ok(line);
        }
        let has_another_way = self.orders_over_ws
            && request.priority >= Priority::Protect
            && ws_api::command_of(request.method, request.path).is_some();
        if !has_another_way {
            return self.open_ws(request).await;
        }
        if self.ws_api.has_just_failed() {
            return Err(no_line("it could not be made a moment ago".to_owned()));
        }
        timeout(URGENT_TIMEOUT, self.open_ws(request)).await.unwrap_or_else(|_| {
            self.ws_api.note_failure();
            Err(no_line(format!("none was made within {URGENT_TIMEOUT:?}")))
        })
    }

    /// A handshake costs weight, too, and a log-on is a request.
    async fn open_ws(&self, request: &ApiRequest) -> Result<Line, CallError> {
        let _turn = self.ws_api.turn().await;
        // Somebody else was faster.
        if let Some(line) = self.ws_api.line() {
            return Ok(line);
        }
        let now_ms = self.venue_now_ms();
        // The venue counts handshakes that fail as well.
        let _spent = self.acquire(request.priority, now_ms, &[(POOLS[0].name, ws_api::HANDSHAKE_WEIGHT)])?;
        let logon = if self.ws_api.logs_on() {
            let id = self.ws_api.new_id();
            let auth = Auth::Signed(self.stamp(None), &self.signer);
            let text = ws_api::request(&id, "session.logon", &[], auth).map_err(CallError::Sign)?;
            Some((id, text, now_ms))
        } else {
            None
        };
        match self.ws_api.open(logon).await {
            Ok(line) => Ok(line),
            Err(NoLine::Unreachable(error)) => Err(CallError::Http(error)),
            Err(NoLine::Refused(response)) => Err(self.refused_log_on(request, now_ms, response)),
        }
    }

    /// A refused log-on says nothing about the order, which was not sent. What it says about clocks and limits is believed.
    fn refused_log_on(&self, request: &ApiRequest, now_ms: i64, response: Response) -> CallError {
        let words = String::from_utf8_lossy(&response.body).chars().take(200).collect::<String>();
        match self.receive(request, now_ms, response) {
            Err(error)
                if matches!(
                    error.verdict(),
                    Some(Verdict::Clock | Verdict::Limited | Verdict::Banned { .. })
                ) =>
            {
                error
            }
            _ => no_line(format!("the venue refused the log-on: {words}")),
        }
    }
}

fn no_line(why: String) -> CallError {
    CallError::Http(HttpError::NotSent { target: "WebSocket connection".to_owned(), source: why.into() })
}

/// Whether a refusal is about who asks. What a venue says to a request of a session that it has dropped is UNCONFIRMED: that
/// it does not know the key, or that key or signature are missing.
fn is_about_session(error: &CallError) -> bool {
    let Some(Verdict::Refused(row)) = error.verdict() else { return false };
    let names_key = |msg: &str| {
        let msg = msg.to_ascii_lowercase();
        msg.contains("apikey") || msg.contains("signature")
    };
    row.reason == RejectReason::Auth
        || row.code == MISSING_PARAMETER && error.body().is_some_and(|body| names_key(&body.msg))
}

#[cfg(test)]
mod tests;
