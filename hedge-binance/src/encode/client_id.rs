//! Client ids as the venue takes them, which is more than we make ourselves.

use std::fmt;

/// Longest client id. Source: fact sheet 7.1.
const LONGEST: usize = 36;
/// Ids that begin so are the venue's own, of orders by which it closes positions. Source: fact sheet 7.1.
const RESERVED: [&str; 4] = ["autoclose-", "adl_autoclose", "settlement_autoclose-", "delivery_autoclose-"];

/// A client id that the venue takes: ours, or one that a person or another program made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueClientId(String);

/// A text that the venue would refuse as a client id, or mistake for its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no client id: {why}")]
pub struct InvalidClientId {
    /// The text, cut.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl VenueClientId {
    /// Checks the text: 1 to 36 of `A-Z a-z 0-9 . : / _ -`, and none of the venue's own beginnings.
    ///
    /// # Errors
    /// [`InvalidClientId`].
    pub fn parse(text: &str) -> Result<Self, InvalidClientId> {
        let bad = |why| InvalidClientId { text: text.chars().take(64).collect(), why };
        let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b".:/_-".contains(&byte);
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(is_taken) {
            return Err(bad("expected 1 to 36 of A-Z a-z 0-9 . : / _ -"));
        }
        if RESERVED.iter().any(|reserved| text.starts_with(reserved)) {
            return Err(bad("ids that begin so are the venue's own"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VenueClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_venue_takes_is_taken_and_what_is_its_own_is_not() {
        for good in ["x1_close-long.7", "A:b/c", "h0sn8www00111s", &"a".repeat(36)] {
            assert_eq!(VenueClientId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a&b", "é", &"a".repeat(37), "autoclose-1", "adl_autoclose"] {
            assert!(VenueClientId::parse(bad).is_err(), "{bad}");
        }
    }
}
