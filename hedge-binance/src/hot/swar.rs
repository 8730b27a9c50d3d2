//! Eight letters at a time, held in one number: the first letter is the lowest byte.

/// The same byte eight times.
const fn eightfold(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

const HIGH_BITS: u64 = eightfold(0x80);

/// Powers of ten up to eight digits.
pub(super) const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Eight letters of which the first few are digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    /// 0 to 9 in each byte that was a digit.
    values: u64,
    /// How many letters are digits before the first that is none.
    pub(super) count: usize,
}

impl Digits {
    #[inline]
    pub(super) const fn of(letters: u64) -> Self {
        let values = letters ^ eightfold(b'0');
        // Adding carries bit 7 into everything above 9. What overflows disturbs later letters only.
        let others = (values.wrapping_add(eightfold(0x80 - 10)) | values) & HIGH_BITS;
        Self { values, count: (others.trailing_zeros() / 8) as usize }
    }

    /// How many of the digits are left without the zeros at their end.
    #[inline]
    pub(super) const fn without_zeros(self) -> usize {
        match self.count {
            0 => 0,
            count => count.saturating_sub((self.last_at_the_top(count).leading_zeros() / 8) as usize),
        }
    }

    /// The number that the first `count` digits write, at most as many as there are.
    #[inline]
    pub(super) const fn number(self, count: usize) -> u64 {
        if count == 0 {
            return 0;
        }
        // Neighbours are joined three times: to two, four and eight digits.
        let ones = self.last_at_the_top(count);
        let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8);
        let high = (pairs & EVERY_OTHER_PAIR).wrapping_mul(100 + (1_000_000 << 32));
        let low = ((pairs >> 16) & EVERY_OTHER_PAIR).wrapping_mul(1 + (10_000 << 32));
        high.wrapping_add(low) >> 32
    }

    /// Zeros come in before the first digit.
    #[inline]
    const fn last_at_the_top(self, count: usize) -> u64 {
        self.values << (64 - 8 * count)
    }
}

const EVERY_OTHER_PAIR: u64 = 0x0000_00ff_0000_00ff;

/// Where the first quote, backslash or control character stands; 8 if there is none.
#[inline]
pub(super) const fn special(letters: u64) -> usize {
    // What is found after the first hit may be wrong, so only the first counts.
    let found =
        below(letters ^ eightfold(b'"'), 1) | below(letters ^ eightfold(b'\\'), 1) | below(letters, 0x20);
    ((found & HIGH_BITS).trailing_zeros() / 8) as usize
}

/// Where the first quote stands; 8 if there is none.
#[inline]
pub(super) const fn quote(letters: u64) -> usize {
    let found = below(letters ^ eightfold(b'"'), 1) & HIGH_BITS;
    (found.trailing_zeros() / 8) as usize
}

/// Bit 7 of each byte that is smaller than `limit`, right up to the first such byte.
#[inline]
const fn below(bytes: u64, limit: u8) -> u64 {
    bytes.wrapping_sub(eightfold(limit)) & !bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn eight_letters_are_counted_and_read_as_one_by_one(
            digits in proptest::collection::vec(b'0'..=b'9', 0..9),
            rest in any::<[u8; 8]>(),
        ) {
            let mut letters = rest;
            letters[..digits.len()].copy_from_slice(&digits);
            let count = letters.iter().take_while(|letter| letter.is_ascii_digit()).count();
            let read = Digits::of(u64::from_le_bytes(letters));
            prop_assert_eq!(read.count, count);
            for count in 0..=count {
                let text = std::str::from_utf8(&letters[..count]).unwrap();
                prop_assert_eq!(read.number(count), text.parse().unwrap_or(0));
            }
            let text = std::str::from_utf8(&letters[..count]).unwrap();
            prop_assert_eq!(read.without_zeros(), text.trim_end_matches('0').len());
        }

        #[test]
        fn the_first_letter_that_ends_a_plain_text_is_found(
            mut letters in any::<[u8; 8]>(),
            at in 0..8_usize,
            special_one in proptest::sample::select(vec![b'"', b'\\', 0, 9, 0x1f]),
        ) {
            letters[at] = special_one;
            let ends = |letter: &u8| matches!(letter, b'"' | b'\\' | ..=0x1f);
            prop_assert_eq!(special(u64::from_le_bytes(letters)), letters.iter().position(ends).unwrap_or(8));
            let first = letters.iter().position(|letter| *letter == b'"').unwrap_or(8);
            prop_assert_eq!(quote(u64::from_le_bytes(letters)), first);
        }

        #[test]
        fn plain_letters_have_no_end(letters in proptest::array::uniform8(0x20..=0xff_u8)) {
            let ends = |letter: &u8| matches!(letter, b'"' | b'\\' | ..=0x1f);
            prop_assert_eq!(special(u64::from_le_bytes(letters)), letters.iter().position(ends).unwrap_or(8));
        }
    }
}
