//! Bytes as letters.

use sha2::{Digest, Sha256};

/// SHA-256 as lower-case hex: names a key or a configuration without showing it.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Both letters of each byte.
const PAIRS: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let letters = bytes.iter().flat_map(|byte| PAIRS[usize::from(*byte)]).collect();
    String::from_utf8(letters).unwrap_or_default()
}

/// A digest in hexadecimal, without an allocation.
pub(super) fn hex_of_32(bytes: &[u8; 32]) -> [[u8; 2]; 32] {
    let mut letters = [[0; 2]; 32];
    for (pair, byte) in letters.iter_mut().zip(bytes) {
        *pair = PAIRS[usize::from(*byte)];
    }
    letters
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = [chunk[0], chunk.get(1).copied().unwrap_or(0), chunk.get(2).copied().unwrap_or(0)];
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for position in 0..4 {
            if position <= chunk.len() {
                text.push(char::from(BASE64[(bits >> (18 - 6 * position)) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// Reads standard base64 with padding; white space is left out. `None` for anything else.
pub fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let letters: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let padding = letters.iter().rev().take_while(|&&byte| byte == b'=').count();
    if !letters.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let digits = &letters[..letters.len() - padding];
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3);
    for group in digits.chunks(4) {
        let mut bits: u32 = 0;
        for (position, letter) in group.iter().enumerate() {
            let digit = BASE64.iter().position(|known| known == letter)?;
            bits |= u32::try_from(digit).ok()? << (18 - 6 * position);
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn base64_pads_like_rfc_4648() {
        let of = |text: &str| base64(text.as_bytes());
        assert_eq!(
            [of(""), of("f"), of("fo"), of("foo"), of("foob"), of("fooba"), of("foobar")],
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]
        );
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in ["Zg=", "Z", "Zg==Zg==", "Z===", "Zm9-", "Zm8é"] {
            assert_eq!(base64_decode(text), None, "{text}");
        }
        assert_eq!(base64_decode("Zm9v\n  YmE=").as_deref(), Some(&b"fooba"[..]));
    }

    #[test]
    fn the_digest_of_nothing_is_the_well_known_one() {
        assert_eq!(sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    proptest! {
        #[test]
        fn letters_give_the_bytes_back(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(base64_decode(&base64(&bytes)), Some(bytes.clone()));
            let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(hex(&bytes), expected);
        }
    }
}
