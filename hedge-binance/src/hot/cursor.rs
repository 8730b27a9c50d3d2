//! Steps over compact JSON. Whatever is not plain ends with `None`.

use rust_decimal::Decimal;

use super::swar::{Digits, POWERS, quote, special};

/// So many digits always fit into 64 bits.
const MOST_DIGITS: usize = 18;

/// A place in a message.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0 }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next eight bytes, unless the message ends before.
    #[inline]
    fn eight(&self) -> Option<u64> {
        self.bytes.get(self.at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// The next sixteen bytes as two numbers, zeros behind the end of the message.
    #[inline]
    fn sixteen(&self) -> [u64; 2] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.first_chunk() {
            Some(bytes) => halves(bytes),
            None => {
                let mut bytes = [0; 16];
                for (to, from) in bytes.iter_mut().zip(rest) {
                    *to = *from;
                }
                halves(&bytes)
            }
        }
    }

    /// Exactly these bytes.
    #[inline]
    pub(super) fn eat(&mut self, expected: &[u8]) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        rest.starts_with(expected).then(|| self.at += expected.len())
    }

    /// What follows exactly these bytes.
    #[inline]
    pub(super) fn after(&mut self, expected: &[u8]) -> Option<&mut Self> {
        self.eat(expected)?;
        Some(self)
    }

    /// Reads one way, or from the same place another way.
    #[inline]
    pub(super) fn either<T>(
        &mut self,
        one: impl FnOnce(&mut Self) -> Option<T>,
        other: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let from = self.at;
        one(self).or_else(|| {
            self.at = from;
            other(self)
        })
    }

    /// `"text"` without escapes and control characters.
    #[inline]
    pub(super) fn string(&mut self) -> Option<&'a str> {
        self.eat(b"\"")?;
        let from = self.at;
        while let Some(letters) = self.eight() {
            let plain = special(letters);
            self.at += plain;
            if plain < 8 {
                break;
            }
        }
        loop {
            match self.next()? {
                b'"' => return self.text.get(from..self.at - 1),
                b'\\' | ..=0x1f => return None,
                _ => {}
            }
        }
    }

    /// `"k":`, the key's letter; 0 for a longer key.
    pub(super) fn key(&mut self) -> Option<u8> {
        if let Some(&[b'"', letter, b'"', b':']) = self.bytes.get(self.at..self.at + 4)
            && letter.is_ascii_alphanumeric()
        {
            self.at += 4;
            return Some(letter);
        }
        let long = self.string()?.len() > 1;
        self.eat(b":")?;
        long.then_some(0)
    }

    /// The other fields of an object, in any order, to its end.
    #[inline]
    pub(super) fn fields(&mut self, mut field: impl FnMut(&mut Self, u8) -> Option<()>) -> Option<()> {
        loop {
            match self.next()? {
                b',' => {
                    let key = self.key()?;
                    field(self, key)?;
                }
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// A whole number of at most 18 digits.
    #[inline]
    pub(super) fn int(&mut self) -> Option<i64> {
        self.either(Self::usual_int, Self::any_int)
    }

    /// Up to fifteen digits: ids and times.
    #[inline]
    fn usual_int(&mut self) -> Option<i64> {
        let [low, high] = self.sixteen();
        let (first, rest) = (Digits::of(low), Digits::of(high));
        let (value, digits) = if first.count < 8 {
            (first.number(first.count), first.count)
        } else {
            (first.number(8) * POWERS[rest.count] + rest.number(rest.count), 8 + rest.count)
        };
        self.at += digits;
        let leading_zero = low as u8 == b'0' && digits > 1;
        let ends = digits < 16 && matches!(self.peek(), Some(b',' | b'}'));
        // Fifteen digits fit.
        (digits > 0 && !leading_zero && ends).then_some(value as i64)
    }

    fn any_int(&mut self) -> Option<i64> {
        let negative = self.eat(b"-").is_some();
        let from = self.at;
        let mut value = 0_i64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if self.at - from == MOST_DIGITS {
                return None;
            }
            value = value * 10 + i64::from(digit - b'0');
            self.at += 1;
        }
        let digits = self.at - from;
        let leading_zero = digits > 1 && self.bytes.get(from) == Some(&b'0');
        if digits == 0 || leading_zero || !matches!(self.peek(), Some(b',' | b'}')) {
            return None;
        }
        Some(if negative { -value } else { value })
    }

    /// `"123.4500"`: a decimal in quotes with digits on both sides of its point, zeros at its end left out.
    #[inline]
    pub(super) fn decimal(&mut self) -> Option<Decimal> {
        self.eat(b"\"")?;
        let negative = self.eat(b"-").is_some();
        let (value, scale) = self.either(Self::usual_decimal, Self::any_decimal)?;
        // Eighteen digits fit.
        let value = value as i64;
        Some(Decimal::new(if negative { -value } else { value }, scale))
    }

    /// Up to seven digits, the point, up to eight digits, the quote, all within sixteen letters.
    #[inline]
    fn usual_decimal(&mut self) -> Option<(u64, u32)> {
        let [low, high] = self.sixteen();
        // Where the number ends is found first and by itself: what follows in the message waits for nothing else.
        let letters = match quote(low) {
            8 => 8 + quote(high),
            letters => letters,
        };
        self.at += letters + 1;
        let whole = Digits::of(low);
        if letters == 16 || whole.count == 0 || whole.count > 6 {
            return None;
        }
        let behind = low >> (8 * whole.count);
        let point = behind as u8 == b'.';
        // The first of the high letters follow on the last of the low ones.
        let fraction = Digits::of((behind >> 8) | (high << (56 - 8 * whole.count)));
        if !point || fraction.count == 0 || whole.count + 1 + fraction.count != letters {
            return None;
        }
        let kept = fraction.without_zeros();
        let value = whole.number(whole.count) * POWERS[kept] + fraction.number(kept);
        Some((value, kept as u32))
    }

    /// Letter by letter, with the point inside and the quote at the end.
    fn any_decimal(&mut self) -> Option<(u64, u32)> {
        let (mut value, mut scale, mut digits) = (0_u64, 0_u32, 0_usize);
        // Value and scale as of the last digit that is not a zero behind the point.
        let (mut kept, mut kept_scale) = (0_u64, 0_u32);
        let mut point = false;
        loop {
            match self.next()? {
                digit @ b'0'..=b'9' => {
                    digits += 1;
                    if digits > MOST_DIGITS {
                        return None;
                    }
                    value = value * 10 + u64::from(digit - b'0');
                    scale += u32::from(point);
                    if !point || digit != b'0' {
                        (kept, kept_scale) = (value, scale);
                    }
                }
                b'.' if !point && digits > 0 => point = true,
                b'"' if digits > 0 && (!point || scale > 0) => return Some((kept, kept_scale)),
                _ => return None,
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self) -> Option<bool> {
        match self.peek()? {
            b't' => self.eat(b"true").map(|()| true),
            _ => self.eat(b"false").map(|()| false),
        }
    }

    /// A value that nobody asked for: text, a whole number, a truth value or nothing.
    pub(super) fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b't' | b'f' => self.boolean().map(drop),
            b'n' => self.eat(b"null"),
            _ => self.int().map(drop),
        }
    }
}

#[inline]
const fn halves(bytes: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*bytes);
    [both as u64, (both >> 64) as u64]
}
