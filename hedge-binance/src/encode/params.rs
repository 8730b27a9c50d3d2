//! Parameters in the order in which they are signed and sent.

use std::fmt::Write as _;

/// An ordered list of parameters. Values are percent-encoded before they are signed (fact sheet 2.2, rule 7).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    /// No parameters.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends one parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.push((name, value.to_string()));
        self
    }

    /// Appends one parameter if there is a value.
    #[must_use]
    pub fn with_opt(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The value of a parameter, for logs and tests.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `name=value` joined by `&`, encoded, exactly as it travels.
    pub fn encoded(&self) -> String {
        let mut text = String::with_capacity(self.0.len() * 24);
        for (name, value) in &self.0 {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(name);
            text.push('=');
            percent_encode(value, &mut text);
        }
        text
    }
}

/// Appends `value` with everything outside the unreserved set of RFC 3986 encoded.
fn percent_encode(value: &str, text: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte))
            }
            // Writing to a String cannot fail.
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
}

/// What the WebSocket API signs: all parameters sorted by name, raw, joined by `&`.
///
/// Source: Binance USD-M docs, WebSocket API general info; fact sheet 10 and vector D of 2.3.
pub fn ws_api_payload(params: &[(&str, &str)]) -> String {
    let mut sorted = params.to_vec();
    sorted.sort_unstable();
    let pairs: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_values_are_encoded() {
        let params =
            Params::new().with("symbol", "测试USDT").with("id", "a:b/c d").with_opt("limit", None::<u32>);
        assert_eq!(params.encoded(), "symbol=%E6%B5%8B%E8%AF%95USDT&id=a%3Ab%2Fc%20d");
    }
}
