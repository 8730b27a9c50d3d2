//! Request parameters, read from the bytes that travelled and never written anew.
//!
//! Source: fact sheet 2.2 (query, form body, or query immediately followed by body; `signature` last;
//! the query wins when a key is in both).

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::error::ApiError;

/// The parameters of one request, decoded, with the text that its signature covers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    items: Vec<(String, String)>,
    duplicate: Option<String>,
    payload: String,
    signature: Option<String>,
}

impl Params {
    /// Reads the raw query and the raw form body.
    pub(crate) fn read(query: &str, body: &str) -> Self {
        let mut params = Self::default();
        let (signed_query, query_signature) = split_signature(query);
        let (signed_body, body_signature) = split_signature(body);
        params.payload = format!("{signed_query}{signed_body}");
        params.signature = query_signature.or(body_signature).map(decode);
        params.take(signed_query, true);
        params.take(signed_body, false);
        params
    }

    /// The parameters of one order inside a list: text, numbers and booleans under their names.
    pub(crate) fn of_json(value: &Value) -> Result<Self, ApiError> {
        let fields = value.as_object().ok_or_else(|| ApiError::invalid("batchOrders"))?;
        let mut params = Self::default();
        for (name, value) in fields {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                Value::Null => String::new(),
                Value::Array(_) | Value::Object(_) => return Err(ApiError::invalid(name)),
            };
            params.items.push((name.clone(), text));
        }
        Ok(params)
    }

    /// The parameters of a WS-API frame: the signature covers all others, sorted by name, their values raw.
    /// Source: fact sheet 10.
    pub(crate) fn of_frame(fields: &Map<String, Value>) -> Result<Self, ApiError> {
        let mut params = Self::of_json(&Value::Object(fields.clone()))?;
        params.items.sort_by(|a, b| a.0.cmp(&b.0));
        let signature = params.items.iter().position(|(name, _)| name == "signature");
        params.signature = signature.map(|at| params.items.remove(at).1);
        let pairs: Vec<String> = params.items.iter().map(|(name, value)| format!("{name}={value}")).collect();
        params.payload = pairs.join("&");
        Ok(params)
    }

    /// Gives a parameter that was not sent a value.
    pub(crate) fn or_else(&mut self, name: &str, value: &str) {
        if !self.has(name) {
            self.items.push((name.to_owned(), value.to_owned()));
        }
    }

    /// What the signature must cover: query and body as sent, joined by nothing.
    pub(crate) fn payload(&self) -> &str {
        &self.payload
    }

    pub(crate) fn signature(&self) -> Option<&str> {
        self.signature.as_deref()
    }

    /// The first key that one part named twice.
    pub(crate) fn duplicate(&self) -> Option<&str> {
        self.duplicate.as_deref()
    }

    /// The value, if it was sent and is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.items
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// Whether the key was sent at all, even empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.items.iter().any(|(key, _)| key == name)
    }

    pub(crate) fn need(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| ApiError::missing(name))
    }

    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.get(name).map(|text| text.parse().map_err(|_| ApiError::missing(name))).transpose()
    }

    pub(crate) fn need_int(&self, name: &str) -> Result<i64, ApiError> {
        self.int(name)?.ok_or_else(|| ApiError::missing(name))
    }

    pub(crate) fn decimal(&self, name: &str) -> Result<Option<Decimal>, ApiError> {
        self.get(name).map(|text| plain_decimal(text).ok_or_else(|| ApiError::missing(name))).transpose()
    }

    /// `"true"` or `"false"` in any case.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(ApiError::missing(name)),
        }
    }

    /// A JSON list.
    pub(crate) fn json_list(&self, name: &str) -> Result<Option<Vec<Value>>, ApiError> {
        self.get(name).map(|text| serde_json::from_str(text).map_err(|_| ApiError::missing(name))).transpose()
    }

    /// A row limit: the default when absent, refused outside `1..=max`.
    pub(crate) fn limit(&self, default: usize, max: usize) -> Result<usize, ApiError> {
        match self.int("limit")? {
            None => Ok(default),
            Some(n) if n >= 1 && n <= max as i64 => Ok(n as usize),
            Some(_) => Err(ApiError::invalid("limit")),
        }
    }

    fn take(&mut self, text: &str, is_query: bool) {
        let before = self.items.len();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, value) = (decode(key), decode(value));
            let twice =
                self.items.iter().skip(if is_query { 0 } else { before }).any(|(known, _)| *known == key);
            if twice && self.duplicate.is_none() {
                self.duplicate = Some(key.clone());
            }
            self.items.push((key, value));
        }
    }
}

/// Cuts a trailing `signature=…` off. Anywhere else it stays a part of the text, which then cannot verify.
fn split_signature(text: &str) -> (&str, Option<&str>) {
    let at = match text.rfind('&') {
        Some(at) => at + 1,
        None => 0,
    };
    match text.get(at..).and_then(|last| last.strip_prefix("signature=")) {
        Some(signature) => (text.get(..at.saturating_sub(1)).unwrap_or(""), Some(signature)),
        None => (text, None),
    }
}

/// Percent decoding with `+` as a space; bytes that are not UTF-8 become the replacement character.
pub(crate) fn decode(text: &str) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).and_then(hex_byte);
        match (byte, pair) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 3;
            }
            (b'+', _) => {
                out.push(b' ');
                at += 1;
            }
            (other, _) => {
                out.push(other);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex_byte(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    }
}

/// Plain decimal text; no exponent, no sign tricks.
fn plain_decimal(text: &str) -> Option<Decimal> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let plain = !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_cut_from_the_end_of_the_part_that_carries_it() {
        let all_in_query = Params::read("a=1&b=2&signature=ff", "");
        assert_eq!((all_in_query.payload(), all_in_query.signature()), ("a=1&b=2", Some("ff")));
        let mixed = Params::read("a=1", "b=2&signature=ff");
        assert_eq!((mixed.payload(), mixed.signature()), ("a=1b=2", Some("ff")));
        let alone = Params::read("signature=ff", "");
        assert_eq!((alone.payload(), alone.signature()), ("", Some("ff")));
    }

    #[test]
    fn a_signature_that_is_not_last_is_no_signature() {
        assert_eq!(Params::read("a=1&signature=ff&b=2", "").signature(), None);
    }

    #[test]
    fn values_are_decoded_but_the_payload_is_not() {
        let params = Params::read("symbol=%E6%B5%8B%E8%AF%95USDT&x=a+b%2", "");
        assert_eq!(params.get("symbol"), Some("测试USDT"));
        assert_eq!(params.get("x"), Some("a b%2"));
        assert_eq!(params.payload(), "symbol=%E6%B5%8B%E8%AF%95USDT&x=a+b%2");
    }

    #[test]
    fn the_query_wins_over_the_body_and_only_one_part_can_repeat_itself() {
        let both = Params::read("a=1", "a=2");
        assert_eq!((both.get("a"), both.duplicate()), (Some("1"), None));
        assert_eq!(Params::read("a=1&a=2", "").duplicate(), Some("a"));
    }

    #[test]
    fn an_order_in_a_list_has_parameters_like_any_other() {
        let list =
            Params::read("batchOrders=%5B%7B%22a%22%3A%220.10%22%2C%22b%22%3A5%2C%22c%22%3Atrue%7D%5D", "");
        let orders = list.json_list("batchOrders").unwrap().unwrap();
        let order = Params::of_json(&orders[0]).unwrap();
        assert_eq!(
            ["a", "b", "c", "d"].map(|name| order.get(name)),
            [Some("0.10"), Some("5"), Some("true"), None]
        );
        assert_eq!(Params::of_json(&Value::from("text")).unwrap_err().code, -1130);
        assert_eq!(Params::read("batchOrders=x", "").json_list("batchOrders").unwrap_err().code, -1102);
    }

    #[test]
    fn numbers_with_exponents_are_malformed() {
        assert_eq!(Params::read("q=1e3", "").decimal("q").unwrap_err().code, -1102);
        assert_eq!(Params::read("q=-0.5", "").decimal("q").unwrap(), Some(Decimal::new(-5, 1)));
    }
}
