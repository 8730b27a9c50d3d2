//! What is asked after a command is signed and before its first byte is written.

use std::{sync::Arc, time::Duration};

use hedge_core::{Failpoint, Failpoints, SendGuard, Sending};
use hedge_http::limiter::Priority;

use crate::encode::{ApiRequest, Security};

/// The guard and the places that a test may use. Neither is there by default, and then a look costs two comparisons.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastLook {
    guard: Option<Arc<dyn SendGuard>>,
    failpoints: Failpoints,
}

impl LastLook {
    pub(crate) fn new(guard: Option<Arc<dyn SendGuard>>, failpoints: Failpoints) -> Self {
        Self { guard, failpoints }
    }

    /// For one request: nobody is asked about a question, nor where there is nobody to ask.
    pub(crate) fn at(&self, request: &ApiRequest) -> Option<(&Self, Sending)> {
        if self.guard.is_none() && !self.failpoints.is_armed() {
            return None;
        }
        sending(request).map(|what| (self, what))
    }

    /// Errors: it must not leave, and why.
    pub(crate) fn admits(&self, what: Sending) -> Result<(), String> {
        if let Some(guard) = &self.guard {
            guard.admits(what)?;
        }
        self.failpoints.pass(Failpoint::RequestBeforeWrite);
        Ok(())
    }

    /// Our clocks cannot be trusted for what happened meanwhile.
    pub(crate) fn time_was_lost(&self, by: Duration, how: &str) {
        if let Some(guard) = &self.guard {
            guard.time_was_lost(by, how);
        }
    }

    /// There is an answer, or there will be none.
    pub(crate) fn answered(&self) {
        self.failpoints.pass(Failpoint::RequestAfterAnswer);
    }
}

/// What a request may do to the account; `None` for one that changes nothing. Every change is signed; a test order is
/// signed, too, and asks with the priority of a read.
fn sending(request: &ApiRequest) -> Option<Sending> {
    match (request.security, request.priority) {
        (Security::Open | Security::Key, _) | (Security::Signed, Priority::Read) => None,
        (Security::Signed, Priority::Open) => Some(Sending::Opening),
        (Security::Signed, Priority::Protect | Priority::Urgent) if is_setting(request) => {
            Some(Sending::Setting)
        }
        (Security::Signed, Priority::Protect | Priority::Urgent) => Some(Sending::Exit),
    }
}

/// What is neither an order nor its end, unless it only protects: margin put into a leg, a countdown taken off.
fn is_setting(request: &ApiRequest) -> bool {
    let has = |pair: &str| request.params.encoded().split('&').any(|each| each == pair);
    match request.path {
        "/fapi/v1/leverage"
        | "/fapi/v1/marginType"
        | "/fapi/v1/positionSide/dual"
        | "/fapi/v1/multiAssetsMargin"
        | "/fapi/v1/feeBurn" => true,
        "/fapi/v1/positionMargin" => !has("type=1"),
        "/fapi/v1/countdownCancelAll" => !has("countdownTime=0"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use hedge_core::{Leverage, MarginMode, OrderSpace, PositionMode};
    use hedge_http::Method;

    use super::*;
    use crate::encode::{self, Params};

    #[test]
    fn a_question_is_none_of_the_guards_business_and_only_an_opening_opens() {
        let command =
            |priority| ApiRequest::command(Method::Post, "/fapi/v1/order", 0, priority, Params::new());
        let with = |path, name, value: u64| {
            let params = Params::new().with("symbol", "BTCUSDT").with(name, value);
            ApiRequest::command(Method::Post, path, 1, Priority::Protect, params)
        };
        for (request, what) in [
            (ApiRequest::public("/fapi/v1/time", 1, Params::new()), None),
            (ApiRequest::signed_read("/fapi/v1/openOrders", 1, Params::new()), None),
            (ApiRequest::listen_key(Method::Put), None),
            (command(Priority::Read), None),
            (command(Priority::Open), Some(Sending::Opening)),
            (command(Priority::Protect), Some(Sending::Exit)),
            (encode::cancel_all("BTCUSDT", OrderSpace::Algo), Some(Sending::Exit)),
            (encode::set_margin_mode("BTCUSDT", MarginMode::Crossed), Some(Sending::Setting)),
            (encode::set_leverage("BTCUSDT", Leverage::new(3).unwrap()), Some(Sending::Setting)),
            (encode::set_position_mode(PositionMode::Hedge), Some(Sending::Setting)),
            (
                encode::set_switch("/fapi/v1/multiAssetsMargin", "multiAssetsMargin", true),
                Some(Sending::Setting),
            ),
            (with("/fapi/v1/positionMargin", "type", 1), Some(Sending::Exit)),
            (with("/fapi/v1/positionMargin", "type", 2), Some(Sending::Setting)),
            (with("/fapi/v1/countdownCancelAll", "countdownTime", 0), Some(Sending::Exit)),
            (with("/fapi/v1/countdownCancelAll", "countdownTime", 60_000), Some(Sending::Setting)),
        ] {
            assert_eq!(sending(&request), what, "{} {:?}", request.path, request.priority);
        }
    }
}
