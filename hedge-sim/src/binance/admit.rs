//! Every request in the venue's order of checks: ban, key, signature, clock, rate, parameters, core.

use std::net::IpAddr;

use serde_json::Value;

use super::clock::wall_ms;
use super::error::ApiError;
use super::faults::Request;
use super::keys::Credential;
use super::params::Params;
use super::perform::{Later, Outcome};
use super::routes::{Call, Cost, Security};
use super::state::{App, Core};

const DEFAULT_RECV_WINDOW_MS: i64 = 5_000;
/// The upper bound some pages state; larger values count as this one. Source: fact sheet 2.2.
const LONGEST_RECV_WINDOW_MS: i64 = 60_000;
/// How far a timestamp may lie ahead. Source: fact sheet 2.2.
const AHEAD_MS: i64 = 1_000;

/// A request as it arrived, over REST or as a WS-API frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The HTTP method, or that of the REST twin.
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// The path that a WS-API method has for faults.
    pub(crate) alias: Option<&'a str>,
    pub(crate) params: &'a Params,
    pub(crate) api_key: Option<&'a str>,
    /// Whether the key was proven when its session began.
    pub(crate) trusted: bool,
    pub(crate) address: IpAddr,
}

impl<'a> Asked<'a> {
    /// The request as faults see it.
    pub(crate) fn seen(&self) -> Request<'a> {
        Request { method: self.method, path: self.path, alias: self.alias, params: self.params }
    }
}

/// What goes back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// What the body is still to be made by.
    pub(crate) later: Option<Later>,
    pub(crate) used_weight: Option<u32>,
    pub(crate) orders: Option<(u32, u32)>,
    pub(crate) retry_after_s: Option<u64>,
}

impl Answer {
    fn given(body: String, later: Option<Later>) -> Self {
        Self { status: 200, body, later, used_weight: None, orders: None, retry_after_s: None }
    }

    pub(crate) fn refused(error: &ApiError) -> Self {
        Self {
            status: error.status,
            body: error.body(),
            later: None,
            used_weight: None,
            orders: None,
            retry_after_s: error.retry_after_s,
        }
    }
}

impl App {
    /// Answers one request, but for what the answer may leave for [`later`](Answer::later).
    pub(crate) fn answer(&self, asked: &Asked<'_>) -> Answer {
        self.with(|core| {
            let window_ms = self.clock.window_ms();
            if let Some(ban) = core.limits.refused_by_ban(asked.address, window_ms) {
                return Answer::refused(&ban);
            }
            let skew_ms = self.faults.skew_ms(asked.seen(), self.clock.now_ms());
            let call = Call::find(asked.method, asked.path);
            let cost = call.map_or(Cost::Weight(1), Call::cost);
            let used = core.limits.charge(asked.address, window_ms, cost.weight(asked.params));
            let mut orders = None;
            let result = match call {
                None => Err(not_found(asked)),
                Some(call) => self.checked(core, asked, call, (window_ms, skew_ms), used, &mut orders),
            };
            let mut answer = match result {
                Ok(Outcome::Answer(mut value)) => {
                    if skew_ms != 0
                        && let Some(time) = value.get("serverTime").and_then(Value::as_i64)
                    {
                        value["serverTime"] = time.saturating_add(skew_ms).into();
                    }
                    Answer::given(value.to_string(), None)
                }
                Ok(Outcome::Later(later)) => Answer::given(String::new(), Some(later)),
                Err(error) => Answer::refused(&error),
            };
            answer.used_weight = (!matches!(cost, Cost::Funding | Cost::Data)).then_some(used);
            answer.orders = orders;
            answer
        })
    }

    /// Answers what is no call of the exchange, within the same limits; `work` is given the skew of the clock.
    pub(crate) fn answer_with(
        &self,
        asked: &Asked<'_>,
        weight: u32,
        work: impl FnOnce(&Self, i64) -> Result<Value, ApiError>,
    ) -> Answer {
        let window_ms = self.clock.window_ms();
        let charged = self.with(|core| {
            if let Some(ban) = core.limits.refused_by_ban(asked.address, window_ms) {
                return Err(ban);
            }
            let used = core.limits.charge(asked.address, window_ms, weight);
            core.limits.check_weight(asked.address, window_ms, used).map(|()| used)
        });
        let used = match charged {
            Ok(used) => used,
            Err(error) => return Answer::refused(&error),
        };
        let skew_ms = self.faults.skew_ms(asked.seen(), self.clock.now_ms());
        let mut answer = match work(self, skew_ms) {
            Ok(value) => Answer::given(value.to_string(), None),
            Err(error) => Answer::refused(&error),
        };
        answer.used_weight = Some(used);
        answer
    }

    fn checked(
        &self,
        core: &mut Core,
        asked: &Asked<'_>,
        call: Call,
        (window_ms, skew_ms): (i64, i64),
        used: u32,
        orders: &mut Option<(u32, u32)>,
    ) -> Result<Outcome, ApiError> {
        match call.security() {
            Security::Open => {}
            Security::Key => {
                self.credential(asked)?;
            }
            Security::Signed => {
                self.authenticate(asked, skew_ms)?;
            }
        }
        core.limits.check_weight(asked.address, window_ms, used)?;
        match call.cost() {
            cost @ (Cost::Order | Cost::Batch) => {
                let counts = match cost {
                    Cost::Batch => core.limits.batch(window_ms),
                    _ => core.limits.order(window_ms),
                };
                *orders = Some(counts);
                core.limits.check_orders(asked.address, window_ms, counts)?;
            }
            Cost::Funding => core.limits.funding(asked.address, window_ms)?,
            Cost::Data => core.limits.data(asked.address, window_ms)?,
            _ => {}
        }
        if let Some(name) = asked.params.duplicate() {
            return Err(ApiError::bad(-1101, format!("Duplicate values for parameter '{name}' detected.")));
        }
        core.perform(call, asked.params)
    }

    /// The key that the request names.
    fn credential(&self, asked: &Asked<'_>) -> Result<&Credential, ApiError> {
        let key = asked.api_key.ok_or_else(ApiError::key_format)?;
        self.keys.find(key).ok_or_else(|| {
            // Real keys are 64 letters and digits; anything else is malformed before it is unknown.
            let well_formed = key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if well_formed { ApiError::key_unknown() } else { ApiError::key_format() }
        })
    }

    /// Who asks, when key, signature and time are in order.
    pub(crate) fn authenticate(&self, asked: &Asked<'_>, skew_ms: i64) -> Result<&Credential, ApiError> {
        let credential = self.credential(asked)?;
        let params = asked.params;
        let timestamp = params.need_int("timestamp")?;
        let recv_window = match params.int("recvWindow")? {
            None => DEFAULT_RECV_WINDOW_MS,
            Some(window) if window >= 0 => window.min(LONGEST_RECV_WINDOW_MS),
            Some(_) => return Err(ApiError::invalid("recvWindow")),
        };
        if !asked.trusted {
            let signature = params.signature().filter(|text| !text.is_empty()).ok_or_else(|| {
                match params.has("signature") {
                    // Sent, but not as the last parameter: it cannot cover what follows it.
                    true => ApiError::signature(),
                    false => ApiError::missing("signature"),
                }
            })?;
            if !credential.verifies(params.payload(), signature) {
                return Err(ApiError::signature());
            }
        }
        self.timely(timestamp, recv_window, skew_ms)?;
        Ok(credential)
    }

    /// Accepts a timestamp inside the window of the venue clock or, while that is not the wall clock, of the latter.
    fn timely(&self, timestamp: i64, recv_window: i64, skew_ms: i64) -> Result<(), ApiError> {
        let venue = in_time(timestamp, recv_window, self.clock.now_ms().saturating_add(skew_ms));
        if venue.is_err() && self.clock.accepts_wall_time() {
            return in_time(timestamp, recv_window, wall_ms().saturating_add(skew_ms)).or(venue);
        }
        venue
    }
}

/// Source: fact sheet 2.2.
fn in_time(timestamp: i64, recv_window: i64, server_ms: i64) -> Result<(), ApiError> {
    if timestamp >= server_ms.saturating_add(AHEAD_MS) {
        return Err(ApiError::bad(
            -1021,
            "Timestamp for this request was 1000ms ahead of the server's time.",
        ));
    }
    if server_ms.saturating_sub(timestamp) > recv_window {
        return Err(ApiError::bad(-1021, "Timestamp for this request is outside of the recvWindow."));
    }
    Ok(())
}

/// An unknown path, or a known one with another method.
fn not_found(asked: &Asked<'_>) -> ApiError {
    ApiError::new(404, -5000, format!("Path {}, Method {} is invalid", asked.path, asked.method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_may_be_recv_window_old_and_just_under_a_second_ahead() {
        assert!(in_time(100_000, 5_000, 105_000).is_ok());
        assert_eq!(in_time(100_000, 5_000, 105_001).unwrap_err().code, -1021);
        assert!(in_time(100_999, 5_000, 100_000).is_ok());
        assert!(in_time(101_000, 5_000, 100_000).unwrap_err().msg.contains("1000ms ahead"));
    }
}
