//! Decimal text to scaled integers, by hand: the reader's hot loop.

/// A plain decimal without sign or exponent as (mantissa, decimal places). Trailing zeros of the fraction do not
/// count, so `34.4220` and `34.422` are the same number. `None` for anything else and for over 18 digits.
pub(super) fn parse_decimal(text: &[u8]) -> Option<(i64, u8)> {
    let text = trim_fraction(text);
    let mut mantissa: i64 = 0;
    let mut digits = 0_usize;
    let mut point = None;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if mantissa > 99_999_999_999_999_999 {
                    return None;
                }
                mantissa = mantissa * 10 + i64::from(byte - b'0');
                digits += 1;
            }
            b'.' if point.is_none() && digits > 0 => point = Some(at),
            _ => return None,
        }
    }
    let decimals = point.map_or(0, |at| text.len() - at - 1);
    if digits == 0 || decimals > 18 { None } else { Some((mantissa, decimals as u8)) }
}

/// Cuts the trailing zeros behind the decimal point, and the point when nothing is left behind it.
fn trim_fraction(text: &[u8]) -> &[u8] {
    let zeros = text.iter().rev().take_while(|byte| **byte == b'0').count();
    let before = text.len() - zeros;
    match text[..before].last() {
        Some(b'.') if zeros > 0 => &text[..before - 1],
        Some(_) if zeros > 0 && text[..before].contains(&b'.') => &text[..before],
        _ => text,
    }
}

/// A plain non-negative integer of at most 18 digits.
pub(super) fn parse_integer(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

/// `mantissa` at `from` decimal places as a mantissa at `to >= from` places; `None` when that leaves the range.
pub(super) fn rescale(mantissa: i64, from: u8, to: u8) -> Option<i64> {
    10_i64.checked_pow(u32::from(to.checked_sub(from)?))?.checked_mul(mantissa)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    #[test]
    fn decimal_text_becomes_an_exact_mantissa() {
        assert_eq!(parse_decimal(b"51823.1"), Some((518_231, 1)));
        assert_eq!(parse_decimal(b"34.4220"), Some((34_422, 3)));
        assert_eq!(parse_decimal(b"9896"), Some((9_896, 0)));
        assert_eq!(parse_decimal(b"9900"), Some((9_900, 0)));
        assert_eq!(parse_decimal(b"10.00"), Some((10, 0)));
        assert_eq!(parse_decimal(b"0.00"), Some((0, 0)));
        assert_eq!(parse_decimal(b"0.000000000000000001"), Some((1, 18)));
    }

    #[test]
    fn what_is_not_a_plain_decimal_is_refused() {
        for text in ["", ".", ".5", "-1", "+1", "1e5", "1.2.3", "1,5", "nan", " 1", "9999999999999999999"] {
            assert_eq!(parse_decimal(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_integer(b"-5"), None);
        assert_eq!(parse_integer(b""), None);
        assert_eq!(parse_integer(b"1707955200000"), Some(1_707_955_200_000));
    }

    proptest! {
        #[test]
        fn every_decimal_reads_back_as_itself(mantissa in 0_i64..1_000_000_000_000_000, scale in 0_u32..9) {
            let value = Decimal::new(mantissa, scale);
            let (read, decimals) = parse_decimal(value.to_string().as_bytes()).unwrap();
            prop_assert_eq!(Decimal::new(read, u32::from(decimals)), value);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse_decimal(&bytes);
            let _ = parse_integer(&bytes);
        }
    }
}
