//! Every REST endpoint of the fact sheet: what is sent, who pays, and what becomes of each answer.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod account;
mod changes;
mod explain;
mod market;
mod orders;
mod table;

use std::collections::BTreeSet;

use hedge_binance::{Binance, Live};
use hedge_core::{BrokerError, Outcome};
use hedge_http::{
    secret::Secret,
    sign::{HmacSha256Hex, Signer},
};
use serde_json::{Value, json};
use support::*;
use table::{Endpoint, Who};
use wiremock::{MockServer, Request};

fn endpoints() -> Vec<Endpoint> {
    [
        market::endpoints(),
        market::statistics(),
        orders::endpoints(),
        account::endpoints(),
        changes::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A venue that gives this answer to an endpoint, and a client that trades there.
async fn venue(endpoint: &Endpoint, status: u16, body: Value) -> (MockServer, Binance<Live>) {
    let server = MockServer::start().await;
    let has_clock = endpoint.path != "/fapi/v1/time";
    if has_clock {
        mock_time(&server).await;
    }
    for (verb, path, answer) in &endpoint.before {
        mock(&server, verb, path, 200, answer.clone()).await;
    }
    mock(&server, endpoint.verb, endpoint.path, status, body).await;
    let client = live(client(&server));
    if has_clock {
        client.rest().sync_clock().await.unwrap();
    }
    (server, client)
}

/// The requests that were for this endpoint.
async fn sent(server: &MockServer, endpoint: &Endpoint) -> Vec<Request> {
    let all = server.received_requests().await.unwrap();
    let is_it =
        |request: &Request| request.method.as_str() == endpoint.verb && request.url.path() == endpoint.path;
    all.into_iter().filter(is_it).collect()
}

fn check_request(endpoint: &Endpoint, request: &Request) {
    let what = endpoint.name();
    let query = request.url.query().unwrap_or_default();
    let key = request.headers.get("x-mbx-apikey").map(|key| key.to_str().unwrap());
    assert!(request.body.is_empty(), "{what}: everything is in the query");
    assert_eq!(key, (endpoint.who != Who::Anybody).then_some(KEY), "{what}");
    if endpoint.who != Who::Signed {
        assert_eq!(query, endpoint.query, "{what}");
        return;
    }
    let (payload, signature) = query.split_once("&signature=").unwrap();
    let signer = HmacSha256Hex::new(&Secret::new(SECRET.to_owned())).unwrap();
    assert_eq!(
        signature,
        signer.sign(payload.as_bytes()).unwrap(),
        "{what}: the signature is of what was sent"
    );
    let timing = "recvWindow=3000&timestamp=1795168799990";
    let separator = if endpoint.query.is_empty() { "" } else { "&" };
    assert_eq!(payload, format!("{}{separator}{timing}", endpoint.query), "{what}");
}

/// Text and number are one; nothing, an empty text and a missing field are one.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(flag) => Value::String(flag.to_string()),
        Value::Array(rows) => Value::Array(rows.iter().map(plain).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(_, value)| !value.is_null() && value.as_str() != Some(""))
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[tokio::test]
async fn each_endpoint_is_asked_as_documented_and_understood_in_full() {
    for endpoint in endpoints() {
        let what = endpoint.name();
        let (server, client) = venue(&endpoint, 200, endpoint.answer.clone()).await;
        let pools = ["used-weight-1m", "order-count-10s", "order-count-1m", "funding-5m", "statistics-5m"];
        let used = || pools.map(|pool| client.rest().budget_used(pool).unwrap());
        let before = used();
        let decoded = (endpoint.call)(&client).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let paid: Vec<u64> = used().iter().zip(before).map(|(now, before)| now - before).collect();
        let own = paid.iter().zip(endpoint.looked_up).map(|(paid, looked_up)| paid - looked_up);
        assert_eq!(own.collect::<Vec<_>>(), endpoint.cost, "{what}: units of {pools:?}");
        let requests = sent(&server, &endpoint).await;
        assert_eq!(requests.len(), 1, "{what}: {requests:?}");
        check_request(&endpoint, &requests[0]);
        if !decoded.is_null() {
            // What is written again out of the types is what came: no field was lost, none was invented.
            let expected = plain(&endpoint.answer);
            let listed = json!([expected]);
            let decoded = plain(&decoded);
            assert!(decoded == expected || decoded == listed, "{what}:\n{decoded:#}\nis not\n{expected:#}");
        }
    }
}

#[tokio::test]
async fn each_endpoint_tells_a_refusal_by_its_code_and_asks_once() {
    for endpoint in endpoints() {
        let what = endpoint.name();
        let (server, client) =
            venue(&endpoint, 400, json!({"code":-1130,"msg":"Data sent is not valid."})).await;
        let error = (endpoint.call)(&client).await.unwrap_err();
        assert!(matches!(error, BrokerError::Rejected { code: -1130, .. }), "{what}: {error:?}");
        assert_eq!(sent(&server, &endpoint).await.len(), 1, "{what}");
    }
}

#[tokio::test]
async fn each_read_is_repeated_when_its_answer_is_lost_and_no_change_ever_is() {
    for endpoint in endpoints() {
        let what = endpoint.name();
        let text = "Unknown error, please check your request or try again later.";
        let (server, client) = venue(&endpoint, 503, json!({"code":-1000,"msg":text})).await;
        let error = (endpoint.call)(&client).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Unknown, "{what}: {error:?}");
        let times = if endpoint.is_change { 1 } else { 3 };
        assert_eq!(sent(&server, &endpoint).await.len(), times, "{what}");
    }
}

#[tokio::test]
async fn an_answer_of_another_shape_is_malformed_and_never_a_default() {
    for endpoint in endpoints().into_iter().filter(|endpoint| !endpoint.answers_anything) {
        let what = endpoint.name();
        for wrong in [json!("surprise"), json!([{"surprise":1}, {"surprise":2}])] {
            let (_server, client) = venue(&endpoint, 200, wrong.clone()).await;
            let error = (endpoint.call)(&client).await.unwrap_err();
            assert!(matches!(error, BrokerError::Malformed { .. }), "{what} took {wrong}: {error:?}");
        }
    }
}

/// The table that users read: `| GET | `/fapi/v1/ping` | 1 | … |`.
const DOCUMENT: &str = include_str!("../../../docs/binance.md");

#[test]
fn the_document_lists_exactly_these_endpoints() {
    let documented: BTreeSet<(String, String)> = DOCUMENT
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let (verb, path) = (cells.next()?, cells.next()?);
            let is_row = ["GET", "POST", "PUT", "DELETE"].contains(&verb);
            is_row.then(|| (verb.to_owned(), path.trim_matches('`').to_owned()))
        })
        .collect();
    let tested: BTreeSet<(String, String)> =
        endpoints().iter().map(|endpoint| (endpoint.verb.to_owned(), endpoint.path.to_owned())).collect();
    let missing: Vec<_> = tested.difference(&documented).collect();
    let untested: Vec<_> = documented.difference(&tested).collect();
    assert!(
        missing.is_empty() && untested.is_empty(),
        "not documented: {missing:?}; not tested: {untested:?}"
    );
    assert!(tested.len() > 80, "{} endpoints", tested.len());
}
