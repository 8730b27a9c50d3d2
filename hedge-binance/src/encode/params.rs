//! Parameters in the order in which they are signed and sent.

use std::fmt::{self, Write as _};

use hedge_core::Decimal;

/// Room for an order with its signature: most requests are written without growing.
const USUAL_BYTES: usize = 384;

/// Where an order writes its parameters: the text of a request, or a list of pairs.
///
/// Names are given as they are joined, `&name=`, so that each is copied in one piece: this is the path of every order.
pub(super) trait Sink: Sized {
    /// One parameter with one of the venue's own words, which need no encoding.
    fn word(&mut self, name: &'static str, value: &'static str);
    /// One parameter whose text is at hand.
    fn text(&mut self, name: &'static str, value: &str);
    /// One decimal, as its `Display` shows it.
    fn decimal(&mut self, name: &'static str, value: Decimal);
    /// One whole number.
    fn int(&mut self, name: &'static str, value: i64);
}

/// Parameters in their order, raw: for JSON, and for the WebSocket API, which signs raw values.
pub type Pairs = Vec<(&'static str, String)>;

/// The name alone.
fn bare(name: &'static str) -> &'static str {
    name.trim_start_matches('&').trim_end_matches('=')
}

impl Sink for Pairs {
    fn word(&mut self, name: &'static str, value: &'static str) {
        self.push((bare(name), value.to_owned()));
    }

    fn text(&mut self, name: &'static str, value: &str) {
        self.push((bare(name), value.to_owned()));
    }

    fn decimal(&mut self, name: &'static str, value: Decimal) {
        self.push((bare(name), value.to_string()));
    }

    fn int(&mut self, name: &'static str, value: i64) {
        self.push((bare(name), value.to_string()));
    }
}

impl Sink for Params {
    #[inline]
    fn word(&mut self, name: &'static str, value: &'static str) {
        self.joined(name);
        self.0.extend_from_slice(value.as_bytes());
    }

    #[inline]
    fn text(&mut self, name: &'static str, value: &str) {
        self.joined(name);
        push_encoded(&mut self.0, value.as_bytes());
    }

    #[inline]
    fn decimal(&mut self, name: &'static str, value: Decimal) {
        self.joined(name);
        push_decimal(&mut self.0, value);
    }

    #[inline]
    fn int(&mut self, name: &'static str, value: i64) {
        self.joined(name);
        push_int(&mut self.0, value);
    }
}

/// Parameters in their order, percent-encoded as they travel and as they are signed (fact sheet 2.2, rule 7).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<u8>);

impl Params {
    /// No parameters.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// No parameters yet, and room for an order with its signature.
    pub(super) fn for_order() -> Self {
        Self(Vec::with_capacity(USUAL_BYTES))
    }

    /// Appends one parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        if !self.0.is_empty() {
            self.0.push(b'&');
        }
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'=');
        // Writing to a list of bytes cannot fail.
        let _ = write!(Encoded(&mut self.0), "{value}");
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

    /// `&name=`, the first one without its `&`.
    #[inline]
    fn joined(&mut self, name: &'static str) {
        let skip = usize::from(self.0.is_empty());
        self.0.extend_from_slice(name.as_bytes().get(skip..).unwrap_or_default());
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `name=value` joined by `&`, encoded, exactly as it travels.
    pub fn encoded(&self) -> &str {
        // Names are ours and values are encoded, so it is all ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The same as bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The parameters one by one, raw, in their order.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let pair = |text: &str| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), decoded(value))
        };
        self.encoded().split('&').filter(|text| !text.is_empty()).map(pair).collect()
    }

    /// The bytes themselves.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Params").field(&self.encoded()).finish()
    }
}

/// Digits of the largest 64-bit number, a point, and a zero before it.
const DECIMAL_BYTES: usize = 32;

/// All pairs of digits: two of them cost one division.
const TENS: &[u8; 200] = b"\
    0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
    5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// Writes from the last digit to the first. What is negative or too long goes the usual way.
fn push_decimal(text: &mut Vec<u8>, value: Decimal) {
    let (Ok(mut rest), scale @ 0..20) = (u64::try_from(value.mantissa()), value.scale() as usize) else {
        // Writing to a list of bytes cannot fail.
        let _ = write!(Encoded(text), "{value}");
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
    text.extend_from_slice(&bytes[at..]);
}

pub(super) fn push_int(text: &mut Vec<u8>, value: i64) {
    if value < 0 {
        text.push(b'-');
    }
    let mut bytes = [b'0'; DECIMAL_BYTES];
    let at = whole_digits(&mut bytes, DECIMAL_BYTES, value.unsigned_abs());
    text.extend_from_slice(&bytes[at..]);
}

/// Digits before `at`, at least one; gives where they begin.
fn whole_digits(bytes: &mut [u8; DECIMAL_BYTES], mut at: usize, mut rest: u64) -> usize {
    while rest >= 100 {
        let pair = (rest % 100) as usize * 2;
        rest /= 100;
        at -= 2;
        bytes[at] = TENS[pair];
        bytes[at + 1] = TENS[pair + 1];
    }
    if rest >= 10 {
        at -= 1;
        bytes[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    at -= 1;
    bytes[at] = b'0' + rest as u8;
    at
}

/// Encodes everything outside the unreserved set of RFC 3986.
struct Encoded<'a>(&'a mut Vec<u8>);

impl fmt::Write for Encoded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_encoded(self.0, text.as_bytes());
        Ok(())
    }
}

/// Usually there is nothing to encode, and the text is copied in one piece.
#[inline]
fn push_encoded(text: &mut Vec<u8>, value: &[u8]) {
    if value.iter().all(|byte| UNRESERVED[usize::from(*byte)]) {
        text.extend_from_slice(value);
    } else {
        push_escaped(text, value);
    }
}

fn push_escaped(text: &mut Vec<u8>, value: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value {
        if UNRESERVED[usize::from(*byte)] {
            text.push(*byte);
        } else {
            text.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

/// Letters that travel as they are.
const UNRESERVED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        table[byte] = letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    table
};

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
                params.decimal("&q=", value);
                params.int("&i=", mantissa);
                pairs.decimal("&q=", value);
                prop_assert_eq!(params.encoded(), format!("q={value}&i={mantissa}"));
                prop_assert_eq!(&pairs[0], &("q", value.to_string()));
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
