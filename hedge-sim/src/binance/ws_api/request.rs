//! One request frame.

use serde_json::{Map, Value};

use super::super::error::ApiError;
use super::super::params::Params;

/// A frame that could be read.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) id: Value,
    pub(super) method: String,
    pub(super) params: Params,
    /// Whether the answer tells of the limits; `None`: as the connection was opened.
    pub(super) returns_limits: Option<bool>,
}

/// A frame that could not, with its id as far as it has one.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) id: Value,
    pub(super) error: ApiError,
}

impl Frame {
    /// Reads `{"id":…,"method":…,"params":{…}}`; ids are text or whole numbers.
    pub(super) fn read(text: &str) -> Result<Self, Unreadable> {
        let fail = |id: Value, error| Err(Unreadable { id, error });
        let Ok(Value::Object(mut frame)) = serde_json::from_str::<Value>(text) else {
            // Its code is UNCONFIRMED.
            return fail(Value::Null, ApiError::bad(-1135, "Invalid JSON Request"));
        };
        let id = frame.remove("id").unwrap_or(Value::Null);
        if !(id.is_string() || id.is_i64() || id.is_u64() || id.is_null()) {
            return fail(Value::Null, ApiError::missing("id"));
        }
        let Some(Value::String(method)) = frame.remove("method") else {
            return fail(id, ApiError::missing("method"));
        };
        let params = match frame.remove("params") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(params)) => params,
            Some(_) => return fail(id, ApiError::missing("params")),
        };
        let returns_limits = params.get("returnRateLimits").and_then(Value::as_bool);
        match Params::of_frame(&params) {
            Ok(params) => Ok(Self { id, method, params, returns_limits }),
            Err(error) => fail(id, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vector_d_covers_raw_values_sorted_by_name() {
        let frame = Frame::read(
            r#"{"id":"b7-000131","method":"order.place","params":{"apiKey":"unit-test-key","positionSide":"LONG","price":"2500.00","quantity":"0.250",
             "recvWindow":4000,"side":"BUY","symbol":"ETHUSDT","timeInForce":"GTC","timestamp":1795168800789,"type":"LIMIT",
             "signature":"fe4f185b2230e70605355bc1f2d3a2c6e26b211f39f6cd565bdb6414c58c1eb1"}}"#,
        )
        .unwrap();
        assert_eq!(
            frame.params.payload(),
            "apiKey=unit-test-key&positionSide=LONG&price=2500.00&quantity=0.250&recvWindow=4000&side=BUY&symbol=ETHUSDT&timeInForce=GTC&timestamp=1795168800789&type=LIMIT"
        );
        let key = super::super::super::sign::ApiKey::new("k", "unit-test-secret-0123456789abcdefABCDEF");
        assert!(key.verifies(frame.params.payload(), frame.params.signature().unwrap()));
        assert_eq!(frame.id, "b7-000131");
    }

    #[test]
    fn a_frame_that_cannot_be_read_says_so_under_its_id() {
        for (text, id, code) in [
            ("{", Value::Null, -1135),
            ("[1]", Value::Null, -1135),
            (r#"{"id":7}"#, Value::from(7), -1102),
            (r#"{"id":7,"method":"ping","params":[1]}"#, Value::from(7), -1102),
            (r#"{"id":"a","method":"ping","params":{"x":{"y":1}}}"#, Value::from("a"), -1130),
            (r#"{"id":{},"method":"ping"}"#, Value::Null, -1102),
        ] {
            let unreadable = Frame::read(text).unwrap_err();
            assert_eq!((unreadable.id, unreadable.error.code), (id, code), "{text}");
        }
    }
}
