//! Requests as text, and responses as the HTTP answers that they stand for. Pure.

use hedge_http::{
    Response,
    sign::{SignError, SigningKey},
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::Stamp;
use crate::encode::ws_api_payload;

/// How a request proves whose it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Auth<'a> {
    /// Anybody may ask.
    Open,
    /// The key, and no signature.
    Key(&'a str),
    /// Key, window, timestamp and signature.
    Signed(Stamp<'a>, &'a SigningKey),
    /// Window and timestamp; the connection has logged on.
    Session(Stamp<'a>),
}

/// Parameters that travel as JSON integers; decimals and words travel as text. Source: fact sheet 10.
const INTEGERS: &[&str] = &[
    "timestamp",
    "recvWindow",
    "orderId",
    "algoId",
    "modifyId",
    "goodTillDate",
    "limit",
    "startTime",
    "endTime",
    "fromId",
];

/// One request. Parameters are raw values; they are sorted, signed and written.
pub(crate) fn request(
    id: &str,
    method: &str,
    params: &[(String, String)],
    auth: Auth<'_>,
) -> Result<String, SignError> {
    let mut all: Vec<(&str, String)> =
        params.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    match auth {
        Auth::Open => {}
        Auth::Key(key) => all.push(("apiKey", key.to_owned())),
        Auth::Signed(stamp, _) => {
            all.push(("apiKey", stamp.key.expose().clone()));
            all.extend(timing(stamp));
        }
        Auth::Session(stamp) => all.extend(timing(stamp)),
    }
    if let Auth::Signed(_, signer) = auth {
        let pairs: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let signature = signer.sign_payload(&ws_api_payload(&pairs))?;
        all.push(("signature", signature));
    }
    let params: Map<String, Value> =
        all.into_iter().map(|(name, value)| (name.to_owned(), typed(name, value))).collect();
    let mut frame = Map::new();
    frame.insert("id".to_owned(), id.into());
    frame.insert("method".to_owned(), method.into());
    if !params.is_empty() {
        frame.insert("params".to_owned(), params.into());
    }
    Ok(Value::Object(frame).to_string())
}

fn timing(stamp: Stamp<'_>) -> [(&'static str, String); 2] {
    [("recvWindow", stamp.window_ms.to_string()), ("timestamp", stamp.at.ms().to_string())]
}

fn typed(name: &str, value: String) -> Value {
    match value.parse::<i64>() {
        Ok(number) if INTEGERS.contains(&name) => number.into(),
        _ => value.into(),
    }
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(default)]
    id: Value,
    status: u16,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(rename = "rateLimits", default)]
    limits: Vec<Limit>,
    /// Some generators put the levels of a book beside the result (fact sheet 10).
    #[serde(borrow, default)]
    bids: Option<&'a RawValue>,
    #[serde(borrow, default)]
    asks: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Limit {
    rate_limit_type: String,
    interval: String,
    interval_num: u64,
    count: u64,
}

/// When the venue takes requests again, in an error that says so.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wait {
    data: Option<WaitData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WaitData {
    server_time: Option<i64>,
    retry_after: Option<i64>,
}

/// The id that a response is for, and the HTTP answer that it stands for; `None` for a frame that is no response.
///
/// `now_ms` is the venue's clock, for waits that are stated as an instant.
pub fn response(text: &str, now_ms: i64) -> Option<(String, Response)> {
    let frame: Frame<'_> = serde_json::from_str(text).ok()?;
    let id = match frame.id {
        Value::String(id) => id,
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let mut headers: Vec<(String, String)> = frame.limits.iter().filter_map(header).collect();
    let body = match (frame.error, frame.result) {
        (Some(error), _) => {
            headers.extend(
                retry_after(error.get(), now_ms).map(|wait| ("retry-after".to_owned(), wait.to_string())),
            );
            error.get().to_owned()
        }
        (None, Some(result)) => match (frame.bids, frame.asks) {
            (Some(bids), Some(asks)) if !result.get().contains("\"bids\"") => {
                beside(result.get(), bids, asks)
            }
            _ => result.get().to_owned(),
        },
        (None, None) => String::new(),
    };
    Some((id, Response::new(frame.status, headers, body.into_bytes())))
}

/// `{"lastUpdateId":1}` with levels beside it, as one object.
fn beside(result: &str, bids: &RawValue, asks: &RawValue) -> String {
    match result.trim_end().strip_suffix('}') {
        Some(open) => {
            let comma = if open.trim_end().ends_with('{') { "" } else { "," };
            format!("{open}{comma}\"bids\":{},\"asks\":{}}}", bids.get(), asks.get())
        }
        None => result.to_owned(),
    }
}

/// A budget as the header that REST would send.
fn header(limit: &Limit) -> Option<(String, String)> {
    let what = match limit.rate_limit_type.as_str() {
        "REQUEST_WEIGHT" => "used-weight",
        "ORDERS" => "order-count",
        _ => return None,
    };
    let unit = limit.interval.chars().next()?.to_ascii_lowercase();
    Some((format!("x-mbx-{what}-{}{unit}", limit.interval_num), limit.count.to_string()))
}

/// Seconds to wait, rounded up.
fn retry_after(error: &str, now_ms: i64) -> Option<i64> {
    let data = serde_json::from_str::<Wait>(error).ok()?.data?;
    let until = data.retry_after?;
    let wait_ms = until.saturating_sub(data.server_time.unwrap_or(now_ms));
    (wait_ms > 0).then_some((wait_ms + 999) / 1_000)
}

#[cfg(test)]
mod tests {
    use hedge_core::Timestamp;
    use hedge_http::secret::Secret;

    use super::*;

    fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
        rows.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn vector_d_of_the_fact_sheet_is_signed_and_written_as_there() {
        let key = Secret::new("unit-test-key".to_owned());
        let signer =
            SigningKey::hmac(&Secret::new("unit-test-secret-0123456789abcdefABCDEF".to_owned())).unwrap();
        let stamp = Stamp { at: Timestamp::from_ms(1_795_168_800_789), window_ms: 4_000, key: &key };
        let params = pairs(&[
            ("symbol", "ETHUSDT"),
            ("side", "BUY"),
            ("positionSide", "LONG"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", "0.250"),
            ("price", "2500.00"),
        ]);
        let text = request("b7-000131", "order.place", &params, Auth::Signed(stamp, &signer)).unwrap();
        let frame: Value = serde_json::from_str(&text).unwrap();
        let expected: Value = serde_json::from_str(
            r#"{"id":"b7-000131","method":"order.place","params":{"apiKey":"unit-test-key","positionSide":"LONG",
            "price":"2500.00","quantity":"0.250","recvWindow":4000,"side":"BUY","symbol":"ETHUSDT","timeInForce":"GTC",
            "timestamp":1795168800789,"type":"LIMIT",
            "signature":"fe4f185b2230e70605355bc1f2d3a2c6e26b211f39f6cd565bdb6414c58c1eb1"}}"#,
        )
        .unwrap();
        assert_eq!(frame, expected);
    }

    #[test]
    fn a_session_sends_neither_key_nor_signature_and_an_open_question_nothing_at_all() {
        let key = Secret::new("k".to_owned());
        let stamp = Stamp { at: Timestamp::from_ms(7), window_ms: 3_000, key: &key };
        let text =
            request("1", "order.cancel", &pairs(&[("orderId", "9007199254740993")]), Auth::Session(stamp));
        assert_eq!(
            text.unwrap(),
            r#"{"id":"1","method":"order.cancel","params":{"orderId":9007199254740993,"recvWindow":3000,"timestamp":7}}"#
        );
        assert_eq!(request("2", "ping", &[], Auth::Open).unwrap(), r#"{"id":"2","method":"ping"}"#);
        let text = request("3", "userDataStream.start", &[], Auth::Key("k")).unwrap();
        assert_eq!(text, r#"{"id":"3","method":"userDataStream.start","params":{"apiKey":"k"}}"#);
    }

    #[test]
    fn a_response_is_an_http_answer_with_the_budgets_as_headers() {
        let text = r#"{"id":"a","status":200,"result":{"orderId":9007199254740993,"price":"1.50"},"rateLimits":[
            {"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300,"count":3},
            {"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400,"count":5},
            {"rateLimitType":"MOONS","interval":"MINUTE","intervalNum":1,"limit":1,"count":1}]}"#;
        let (id, response) = response(text, 0).unwrap();
        assert_eq!((id.as_str(), response.status), ("a", 200));
        assert_eq!(response.body, br#"{"orderId":9007199254740993,"price":"1.50"}"#);
        let headers: Vec<_> = response.headers().collect();
        assert_eq!(headers, [("x-mbx-order-count-10s", "3"), ("x-mbx-used-weight-1m", "5")]);
    }

    #[test]
    fn an_error_is_its_body_and_a_stated_instant_is_a_wait() {
        let text = r#"{"id":4,"status":429,"error":{"code":-1003,"msg":"slow down","data":{"serverTime":1000,"retryAfter":2500}}}"#;
        let (id, response) = response(text, 0).unwrap();
        assert_eq!((id.as_str(), response.header("retry-after")), ("4", Some("2")));
        assert!(crate::codes::ErrorBody::parse(&response.body).is_some_and(|body| body.code == -1003));
    }

    #[test]
    fn levels_beside_a_result_are_put_into_it_and_other_frames_are_no_response() {
        let text = r#"{"id":"d","status":200,"result":{"lastUpdateId":7},"bids":[["1","2"]],"asks":[]}"#;
        let (_, response) = super::response(text, 0).unwrap();
        assert_eq!(response.body, br#"{"lastUpdateId":7,"bids":[["1","2"]],"asks":[]}"#);
        for text in
            ["", "{}", r#"{"status":200}"#, r#"{"id":null,"status":200}"#, r#"{"id":"x","status":"up"}"#]
        {
            assert!(super::response(text, 0).is_none(), "{text}");
        }
    }
}
