//! Names and numbers that identify things.
//!
//! Symbols and client order ids are stored inline: copying one costs no allocation.

use std::{
    cmp::Ordering,
    fmt,
    fmt::Write as _,
    hash::{Hash, Hasher},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// A text that cannot be an identifier of that kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} {text:?} is not usable: expected {expected}")]
pub struct InvalidId {
    /// Which kind of identifier.
    pub what: &'static str,
    /// What was given.
    pub text: String,
    /// What would have been accepted.
    pub expected: &'static str,
}

/// The order of the bytes, eight at a time: these ids are keys, and calling out for each comparison is slower.
#[inline]
fn by_words<const N: usize>(a: &[u8; N], b: &[u8; N]) -> Ordering {
    let (words_a, rest_a) = a.as_chunks::<8>();
    let (words_b, rest_b) = b.as_chunks::<8>();
    for (a, b) in words_a.iter().zip(words_b) {
        if a != b {
            return u64::from_be_bytes(*a).cmp(&u64::from_be_bytes(*b));
        }
    }
    for (a, b) in rest_a.iter().zip(rest_b) {
        if a != b {
            return a.cmp(b);
        }
    }
    Ordering::Equal
}

/// A multiplier without structure (the golden ratio's digits).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bits of all words, the upper ones well mixed. For tables of our own: the same on every machine.
#[inline]
fn mixed(words: &[[u8; 8]]) -> u64 {
    words
        .iter()
        .fold(0, |mixed: u64, word| (mixed.rotate_left(29) ^ u64::from_le_bytes(*word)).wrapping_mul(SPREAD))
}

macro_rules! inline_text {
    ($(#[$doc:meta])* $name:ident, $cap:literal, $what:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq)]
        pub struct $name {
            bytes: [u8; $cap],
            len: u8,
        }

        impl PartialEq for $name {
            #[inline]
            fn eq(&self, other: &Self) -> bool {
                self.bytes == other.bytes && self.len == other.len
            }
        }
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.bytes.hash(state);
                self.len.hash(state);
            }
        }

        impl Ord for $name {
            #[inline]
            fn cmp(&self, other: &Self) -> Ordering {
                by_words(&self.bytes, &other.bytes).then(self.len.cmp(&other.len))
            }
        }
        impl PartialOrd for $name {
            #[inline]
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            #[doc = concat!("Checks the text. Errors: [`InvalidId`] unless it is ", $expected, ".")]
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if text.is_empty() || text.len() > $cap || !valid(text) {
                    return Err(InvalidId { what: $what, text: text.chars().take(64).collect(), expected: $expected });
                }
                let mut bytes = [0; $cap];
                bytes[..text.len()].copy_from_slice(text.as_bytes());
                Ok(Self { bytes, len: text.len() as u8 })
            }
            /// The text's bytes.
            #[inline]
            pub fn as_bytes(&self) -> &[u8] {
                self.bytes.get(..usize::from(self.len)).unwrap_or_default()
            }
            /// The text.
            pub fn as_str(&self) -> &str {
                // Only whole UTF-8 strings are ever stored, so the fallback is never taken.
                std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }
    };
}

inline_text!(
    /// An instrument's name in the venue's own spelling. Never taken apart: mappings come from instrument lists.
    Symbol, 30, "symbol", "1 to 30 bytes without spaces or control characters",
    |text| !text.chars().any(|c| c.is_whitespace() || c.is_control())
);
inline_text!(
    /// The client's own id of an order: `[a-z0-9]`, at most 32, so that every venue accepts it.
    ///
    /// Ours are derived from run, term and sequence (see [`OrderIds`]); ids of foreign orders are kept as text in
    /// [`ForeignId`](crate::venue::ForeignId).
    ClientOrderId, 32, "client order id", "1 to 32 characters a-z 0-9",
    |text| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
);
inline_text!(
    /// The name of a strategy instance, unique in one engine.
    StrategyId, 39, "strategy id", "1 to 39 characters a-z A-Z 0-9 _ - . :",
    |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b))
);
inline_text!(
    /// A currency or token in the venue's spelling, for example `USDT`.
    Asset, 14, "asset", "1 to 14 bytes without spaces",
    |text| !text.chars().any(char::is_whitespace)
);

impl ClientOrderId {
    /// Where to look for it in a table.
    #[inline]
    pub(crate) fn mixed(&self) -> u64 {
        mixed(self.bytes.as_chunks::<8>().0)
    }
}

impl Symbol {
    /// Where to look for it in a table. Its first sixteen bytes tell nearly every two symbols apart.
    #[inline]
    pub(crate) fn mixed_head(&self) -> u64 {
        mixed(self.bytes.as_chunks::<8>().0.split_at(2).0)
    }
}

impl Asset {
    /// The asset that settles USD-M contracts.
    pub fn usdt() -> Self {
        let mut bytes = [0; 14];
        bytes[..4].copy_from_slice(b"USDT");
        Self { bytes, len: 4 }
    }
}

/// An exchange that a venue crate speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Venue {
    /// Binance USD-M futures.
    Binance,
    /// OKX swaps.
    Okx,
    /// Coinbase perpetuals.
    Coinbase,
}

impl Venue {
    /// Lower-case name, as in files and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::Okx => "okx",
            Self::Coinbase => "coinbase",
        }
    }
}

impl fmt::Display for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A tradable: a symbol on a venue. Written `binance:BTCUSDT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstrumentId {
    /// Where it trades.
    pub venue: Venue,
    /// What it is called there.
    pub symbol: Symbol,
}

impl InstrumentId {
    /// A symbol of a venue.
    pub const fn new(venue: Venue, symbol: Symbol) -> Self {
        Self { venue, symbol }
    }
    /// Shorthand for a Binance USD-M symbol. Errors: [`InvalidId`].
    pub fn binance(symbol: &str) -> Result<Self, InvalidId> {
        Ok(Self::new(Venue::Binance, Symbol::parse(symbol)?))
    }
}

impl fmt::Display for InstrumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.venue, self.symbol)
    }
}

impl FromStr for InstrumentId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let bad = || InvalidId {
            what: "instrument",
            text: text.chars().take(64).collect(),
            expected: "venue:SYMBOL with venue binance, okx or coinbase",
        };
        let (venue, symbol) = text.split_once(':').ok_or_else(bad)?;
        let venue = [Venue::Binance, Venue::Okx, Venue::Coinbase]
            .into_iter()
            .find(|v| v.as_str() == venue)
            .ok_or_else(bad)?;
        Ok(Self::new(venue, Symbol::parse(symbol)?))
    }
}

impl Serialize for InstrumentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for InstrumentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// The engine's small name of an instrument: its place in the engine's instrument list.
    InstrumentIx(u16)
);
number!(
    /// The venue's number of an execution, unique per symbol.
    TradeId(i64)
);
number!(
    /// The venue's number of an order, in one of its id spaces.
    VenueOrderId(i64)
);
number!(
    /// Place of a record in the journal, from 0 without gaps.
    Seq(u64)
);
number!(
    /// Which process leads an account: grows by one with each takeover.
    Term(u32)
);

impl Seq {
    /// The place after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Identity of a state directory's run: whole seconds of its first `RunStarted`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 32];
        let len = put_base36(&mut text, 0, self.0.unsigned_abs(), 7);
        text[..len].iter().try_for_each(|digit| f.write_char(char::from(*digit)))
    }
}

/// What an order of ours is for; the last letter of its client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderPurpose {
    /// Opens or adds.
    Entry,
    /// The protective stop.
    Stop,
    /// A take-profit.
    TakeProfit,
    /// Any other close.
    Close,
}

impl OrderPurpose {
    const fn letter(self) -> u8 {
        match self {
            Self::Entry => b'e',
            Self::Stop => b's',
            Self::TakeProfit => b't',
            Self::Close => b'c',
        }
    }
}

/// Derives client order ids: `h` + run (7) + term (3) + sequence (≤ 10) + purpose letter, all base 36.
///
/// A restart derives the same ids from the same journal, and our own orders stay recognisable after total loss of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderIds {
    run: RunId,
    term: Term,
    /// How all of them begin, and how long that is.
    head: [u8; 32],
    head_len: usize,
}

impl OrderIds {
    /// Ids of one run and term.
    pub fn new(run: RunId, term: Term) -> Self {
        let mut head = [0; 32];
        head[0] = b'h';
        // 1 + 7 + 3 + at most 13 + 1 characters always fit; a run of this century has 7 digits, a term below 46,656 has 3.
        let head_len = put_base36(&mut head, 1, run.0.unsigned_abs(), 7);
        let head_len = put_base36(&mut head, head_len, u64::from(term.0), 3);
        Self { run, term, head, head_len }
    }
    /// Whether these are the ids of that run and term.
    #[inline]
    pub(crate) fn are_of(&self, run: RunId, term: Term) -> bool {
        self.run == run && self.term == term
    }
    /// The id of the order that is decided at journal place `seq`.
    pub fn derive(&self, seq: Seq, purpose: OrderPurpose) -> ClientOrderId {
        let mut bytes = self.head;
        let len = put_base36(&mut bytes, self.head_len, seq.0, 1);
        bytes[len.min(31)] = purpose.letter();
        ClientOrderId { bytes, len: (len + 1).min(32) as u8 }
    }
    /// Whether a client id has the form of an order that this product placed (in any run).
    pub fn is_ours(id: &str) -> bool {
        let mut bytes = id.bytes();
        bytes.next() == Some(b'h')
            && (13..=25).contains(&id.len())
            && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && id.ends_with(['e', 's', 't', 'c'])
    }
}

/// Writes a number from `at` on, with at least `width` digits; returns where the text goes on. What does not fit is left out.
fn put_base36(text: &mut [u8; 32], at: usize, mut value: u64, width: usize) -> usize {
    let mut digits = [b'0'; 13];
    let mut first = digits.len();
    while value > 0 {
        first -= 1;
        let digit = (value % 36) as u8;
        digits[first] = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        value /= 36;
    }
    let digits = &digits[first.min(digits.len() - width)..];
    for (place, digit) in text.iter_mut().skip(at).zip(digits) {
        *place = *digit;
    }
    (at + digits.len()).min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_order_id_is_derived_from_run_term_sequence_and_purpose() {
        let ids = OrderIds::new(RunId(1_732_100_000), Term(1));
        assert_eq!(ids.derive(Seq(37), OrderPurpose::Stop).as_str(), "h0sn8www00111s");
        assert!(OrderIds::is_ours("h0sn8www00111s"));
        assert!(!OrderIds::is_ours("web_abcdef"));
        assert!(!OrderIds::is_ours("autoclose-123"));
    }

    #[test]
    fn ids_are_ordered_as_their_texts_are() {
        let texts =
            ["a", "a0", "ab", "abcdefgh", "abcdefgh0", "abcdefghi", "b", "h0sn8www00111s", "h0sn8www0011t"];
        for (i, a) in texts.iter().enumerate() {
            for (j, b) in texts.iter().enumerate() {
                let ids = [a, b].map(|text| ClientOrderId::parse(text).unwrap());
                assert_eq!(ids[0].cmp(&ids[1]), i.cmp(&j), "{a} {b}");
                let symbols = [a, b].map(|text| Symbol::parse(text).unwrap());
                assert_eq!(symbols[0].cmp(&symbols[1]), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn a_symbol_may_be_non_ascii_but_has_no_spaces() {
        assert_eq!(Symbol::parse("测试USDT").unwrap().as_str(), "测试USDT");
        assert!(Symbol::parse("BTC USDT").is_err());
        assert!(Symbol::parse("").is_err());
    }

    #[test]
    fn an_instrument_id_reads_back_what_it_writes() {
        let id = InstrumentId::binance("BTCUSDT").unwrap();
        assert_eq!(id.to_string().parse::<InstrumentId>().unwrap(), id);
        assert!("BTCUSDT".parse::<InstrumentId>().is_err());
    }
}
