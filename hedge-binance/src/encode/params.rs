//! Parameters in the order in which they are signed and sent.

use std::fmt::{self, Write as _};

use hedge_core::Decimal;

/// Room for an order with its signature: most requests are written without growing.
const USUAL_BYTES: usize = 384;

/// Where an order writes its parameters: the text of a request, or a list of pairs.
pub(super) trait Sink: Sized {
    /// One parameter whose text is at hand.
    fn text(&mut self, name: &'static str, value: &str);
    /// One decimal, as its `Display` shows it.
    fn decimal(&mut self, name: &'static str, value: Decimal);
    /// One whole number.
    fn int(&mut self, name: &'static str, value: i64);
}

/// Parameters in their order, raw: for JSON, and for the WebSocket API, which signs raw values.
pub type Pairs = Vec<(&'static str, String)>;

impl Sink for Pairs {
    fn text(&mut self, name: &'static str, value: &str) {
        self.push((name, value.to_owned()));
    }

    fn decimal(&mut self, name: &'static str, value: Decimal) {
        let mut text = String::new();
        push_decimal(&mut text, value);
        self.push((name, text));
    }

    fn int(&mut self, name: &'static str, value: i64) {
        self.push((name, value.to_string()));
    }
}

impl Sink for Params {
    fn text(&mut self, name: &'static str, value: &str) {
        self.name(name);
        // Writing to a String cannot fail.
        let _ = Encoded(&mut self.0).write_str(value);
    }

    fn decimal(&mut self, name: &'static str, value: Decimal) {
        self.name(name);
        push_decimal(&mut self.0, value);
    }

    fn int(&mut self, name: &'static str, value: i64) {
        self.name(name);
        push_int(&mut self.0, value);
    }
}

/// Parameters in their order, percent-encoded as they travel and as they are signed (fact sheet 2.2, rule 7).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(String);

impl Params {
    /// No parameters.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// No parameters yet, and room for an order with its signature.
    pub(super) fn for_order() -> Self {
        Self(String::with_capacity(USUAL_BYTES))
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
        self.name(name);
        // Writing to a String cannot fail.
        let _ = write!(Encoded(&mut self.0), "{value}");
    }

    fn name(&mut self, name: &'static str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `name=value` joined by `&`, encoded, exactly as it travels.
    pub fn encoded(&self) -> &str {
        &self.0
    }

    /// The parameters one by one, raw, in their order.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let pair = |text: &str| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), decoded(value))
        };
        self.0.split('&').filter(|text| !text.is_empty()).map(pair).collect()
    }

    /// The text itself.
    pub(super) fn into_encoded(self) -> String {
        self.0
    }
}

/// Digits of the largest 64-bit number, a point, and a zero before it.
const DECIMAL_BYTES: usize = 32;

/// Writes from the last digit to the first. What is negative or too long goes the usual way.
fn push_decimal(text: &mut String, value: Decimal) {
    let (Ok(mut rest), scale @ 0..20) = (u64::try_from(value.mantissa()), value.scale() as usize) else {
        // Writing to a String cannot fail.
        let _ = write!(text, "{value}");
        return;
    };
    let mut bytes = [b'0'; DECIMAL_BYTES];
    let mut at = DECIMAL_BYTES;
    if scale > 0 {
        for _ in 0..scale {
            at -= 1;
            bytes[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        at -= 1;
        bytes[at] = b'.';
    }
    at = whole_digits(&mut bytes, at, rest);
    text.push_str(std::str::from_utf8(&bytes[at..]).unwrap_or_default());
}

pub(super) fn push_int(text: &mut String, value: i64) {
    if value < 0 {
        text.push('-');
    }
    let mut bytes = [b'0'; DECIMAL_BYTES];
    let at = whole_digits(&mut bytes, DECIMAL_BYTES, value.unsigned_abs());
    text.push_str(std::str::from_utf8(&bytes[at..]).unwrap_or_default());
}

/// Digits before `at`, at least one; gives where they begin.
fn whole_digits(bytes: &mut [u8; DECIMAL_BYTES], mut at: usize, mut rest: u64) -> usize {
    loop {
        at -= 1;
        bytes[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return at;
        }
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

/// The text before it was percent-encoded.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match byte {
            b'%' => {
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                // Only what was encoded here is decoded here, so both digits are there.
                bytes.extend(high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok()));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_written_as_it_is_displayed(mantissa in any::<i64>(), small in 0..100_i64, scale in 0..28_u32) {
            for mantissa in [mantissa, small] {
                let value = Decimal::new(mantissa, scale);
                let (mut params, mut pairs) = (Params::new(), Pairs::new());
                params.decimal("q", value);
                params.int("i", mantissa);
                pairs.decimal("q", value);
                prop_assert_eq!(params.encoded(), format!("q={value}&i={mantissa}"));
                prop_assert_eq!(&pairs[0].1, &value.to_string());
            }
        }
    }

    #[test]
    fn order_is_kept_and_values_are_encoded() {
        let params =
            Params::new().with("symbol", "测试USDT").with("id", "a:b/c d").with_opt("limit", None::<u32>);
        assert_eq!(params.encoded(), "symbol=%E6%B5%8B%E8%AF%95USDT&id=a%3Ab%2Fc%20d");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(params.pairs(), [pair("symbol", "测试USDT"), pair("id", "a:b/c d")]);
        assert!(Params::new().pairs().is_empty());
    }
}
