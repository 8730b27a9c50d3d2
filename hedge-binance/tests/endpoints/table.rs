//! One row per endpoint.

use std::{future::Future, pin::Pin};

use hedge_binance::{Binance, Live};
use hedge_core::BrokerError;
use serde_json::Value;

/// What a call gives: its typed answer written again as JSON, or nothing where the client only says that it worked.
pub(crate) type Answer<'a> = Pin<Box<dyn Future<Output = Result<Value, BrokerError>> + 'a>>;

/// Asks the endpoint through the public client.
pub(crate) type Call = for<'a> fn(&'a Binance<Live>) -> Answer<'a>;

/// Whom the venue answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Anybody,
    Key,
    Signed,
}

/// One endpoint with one set of parameters.
pub(crate) struct Endpoint {
    pub(crate) verb: &'static str,
    pub(crate) path: &'static str,
    pub(crate) who: Who,
    /// The query without window, timestamp and signature.
    pub(crate) query: &'static str,
    /// Units of weight, orders in ten seconds, orders in a minute, the funding pool and the statistics pool.
    pub(crate) cost: [u64; 5],
    pub(crate) answer: Value,
    pub(crate) call: Call,
    /// Never repeated.
    pub(crate) is_change: bool,
    /// Nothing in the answer is needed.
    pub(crate) answers_anything: bool,
    /// What the call looks up first, and what that costs.
    pub(crate) before: Vec<(&'static str, &'static str, Value)>,
    pub(crate) looked_up: [u64; 5],
}

impl Endpoint {
    pub(crate) fn name(&self) -> String {
        format!("{} {}?{}", self.verb, self.path, self.query)
    }

    /// A question that anybody may ask.
    pub(crate) fn public(
        path: &'static str,
        weight: u64,
        query: &'static str,
        answer: Value,
        call: Call,
    ) -> Self {
        Self {
            verb: "GET",
            path,
            who: Who::Anybody,
            query,
            cost: [weight, 0, 0, 0, 0],
            answer,
            call,
            is_change: false,
            answers_anything: false,
            before: Vec::new(),
            looked_up: [0; 5],
        }
    }

    /// A question about the account.
    pub(crate) fn signed(
        path: &'static str,
        weight: u64,
        query: &'static str,
        answer: Value,
        call: Call,
    ) -> Self {
        Self { who: Who::Signed, ..Self::public(path, weight, query, answer, call) }
    }

    /// Something that is sent once.
    pub(crate) fn change(
        verb: &'static str,
        path: &'static str,
        cost: [u64; 5],
        query: &'static str,
        answer: Value,
        call: Call,
    ) -> Self {
        Self { verb, cost, is_change: true, ..Self::signed(path, 0, query, answer, call) }
    }

    /// The call looks something up first.
    pub(crate) fn after(mut self, path: &'static str, weight: u64, answer: Value) -> Self {
        self.before.push(("GET", path, answer));
        self.looked_up = [weight, 0, 0, 0, 0];
        self
    }
}

/// A call whose answer is typed.
#[macro_export]
macro_rules! typed {
    ($client:ident => $call:expr) => {
        (|$client| Box::pin(async move { Ok(serde_json::to_value($call.await?).unwrap()) }))
            as $crate::table::Call
    };
}

/// A call that only says whether it worked.
#[macro_export]
macro_rules! done {
    ($client:ident => $call:expr) => {
        (|$client| Box::pin(async move { $call.await.map(|_| serde_json::Value::Null) }))
            as $crate::table::Call
    };
}
