//! Steps over compact JSON. Whatever is not plain ends with `None`.

use rust_decimal::Decimal;

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

    /// Exactly these bytes.
    pub(super) fn eat(&mut self, expected: &[u8]) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        rest.starts_with(expected).then(|| self.at += expected.len())
    }

    /// `"text"` without escapes and control characters.
    pub(super) fn string(&mut self) -> Option<&'a str> {
        self.eat(b"\"")?;
        let from = self.at;
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
    pub(super) fn int(&mut self) -> Option<i64> {
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
        let (mut value, mut scale, mut digits) = (0_i64, 0_u32, 0_usize);
        // Value and scale as of the last digit that is not a zero behind the point.
        let (mut kept, mut kept_scale) = (0_i64, 0_u32);
        let mut point = false;
        loop {
            match self.next()? {
                digit @ b'0'..=b'9' => {
                    digits += 1;
                    if digits > MOST_DIGITS {
                        return None;
                    }
                    value = value * 10 + i64::from(digit - b'0');
                    scale += u32::from(point);
                    if !point || digit != b'0' {
                        (kept, kept_scale) = (value, scale);
                    }
                }
                b'.' if !point && digits > 0 => point = true,
                b'"' if digits > 0 && (!point || scale > 0) => {
                    return Some(Decimal::new(if negative { -kept } else { kept }, kept_scale));
                }
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
