//! Parameters in the order in which they are signed and sent.

use std::fmt::{self, Write as _};

/// Room for an order with its signature: most requests are written without growing.
const USUAL_BYTES: usize = 384;

/// Parameters in their order, percent-encoded as they travel and as they are signed (fact sheet 2.2, rule 7).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(String);

impl Params {
    /// No parameters.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// Appends one parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.push(name, &value);
        self
    }

    /// Appends one parameter if there is a value.
    #[must_use]
    pub fn with_opt(self, name: &'static str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn push(&mut self, name: &'static str, value: &dyn fmt::Display) {
        if self.0.capacity() == 0 {
            self.0.reserve(USUAL_BYTES);
        }
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        // Writing to a String cannot fail.
        let _ = write!(Encoded(&mut self.0), "{value}");
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `name=value` joined by `&`, encoded, exactly as it travels.
    pub fn encoded(&self) -> &str {
        &self.0
    }

    /// A copy that can grow by so many bytes.
    pub(super) fn with_room(&self, bytes: usize) -> Self {
        let mut text = String::with_capacity(self.0.len() + bytes);
        text.push_str(&self.0);
        Self(text)
    }

    /// The text itself.
    pub(super) fn into_encoded(self) -> String {
        self.0
    }
}

/// Encodes everything outside the unreserved set of RFC 3986.
struct Encoded<'a>(&'a mut String);

impl fmt::Write for Encoded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(is_unreserved) {
            self.0.push_str(text);
            return Ok(());
        }
        for byte in text.bytes() {
            if is_unreserved(byte) {
                self.0.push(char::from(byte));
            } else {
                write!(self.0, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
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
