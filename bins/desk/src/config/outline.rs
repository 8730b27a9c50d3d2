//! Where the keys of a JSON text stand: serde says what is wrong, this says on which line and at which key.

use std::ops::Range;

/// Deeper nesting than any configuration has; keeps the recursion bounded.
const DEEPEST: usize = 32;

/// The keys and values of a JSON text with their places.
#[derive(Debug)]
pub(crate) struct Outline {
    text: String,
    root: Node,
}

#[derive(Debug)]
struct Node {
    span: Range<usize>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Object(Vec<Entry>),
    Array(Vec<Node>),
    Scalar,
}

#[derive(Debug)]
struct Entry {
    key: String,
    key_start: usize,
    value: Node,
}

/// A value and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// `strategies[1].stop.atr`; empty for the whole text.
    pub(crate) path: String,
    /// The last key of the path.
    pub(crate) key: Option<String>,
    /// From 1.
    pub(crate) line: usize,
    /// The value as it is written.
    pub(crate) found: String,
}

/// Why a text has no outline.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoOutline {
    pub(crate) line: usize,
    pub(crate) why: String,
}

impl Outline {
    /// Outlines a text that is known to be valid JSON. Errors: a key that stands twice in one object, nesting too deep.
    pub(crate) fn parse(text: &str) -> Result<Self, NoOutline> {
        let mut scanner = Scanner { text, at: 0 };
        let root = scanner.value(0)?;
        Ok(Self { text: text.to_owned(), root })
    }

    /// The value at a path of keys; a number selects from a list.
    pub(crate) fn at(&self, keys: &[&str]) -> Option<Spot> {
        let mut node = &self.root;
        let mut spot = Trail::default();
        let mut start = node.span.start;
        for key in keys {
            node = match &node.content {
                Content::Object(entries) => {
                    let entry = entries.iter().find(|entry| entry.key == *key)?;
                    spot.key(&entry.key);
                    start = entry.key_start;
                    &entry.value
                }
                Content::Array(items) => {
                    let index: usize = key.parse().ok()?;
                    spot.index(index);
                    let item = items.get(index)?;
                    start = item.span.start;
                    item
                }
                Content::Scalar => return None,
            };
        }
        Some(self.spot(spot, start, node))
    }

    /// The innermost key or value around the byte that serde's line and column mean.
    pub(crate) fn around(&self, line: usize, column: usize) -> Spot {
        let line_start =
            self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
        let offset = line_start + column.saturating_sub(1);
        let mut node = &self.root;
        let mut trail = Trail::default();
        let mut start = node.span.start;
        loop {
            let inner = match &node.content {
                Content::Object(entries) => {
                    entries.iter().find(|e| (e.key_start..e.value.span.end).contains(&offset)).map(|entry| {
                        trail.key(&entry.key);
                        (entry.key_start, &entry.value)
                    })
                }
                Content::Array(items) => {
                    items.iter().enumerate().find(|(_, item)| item.span.contains(&offset)).map(|(i, item)| {
                        trail.index(i);
                        (item.span.start, item)
                    })
                }
                Content::Scalar => None,
            };
            match inner {
                Some((inner_start, inner)) => (start, node) = (inner_start, inner),
                None => return self.spot(trail, start, node),
            }
        }
    }

    fn spot(&self, trail: Trail, start: usize, node: &Node) -> Spot {
        Spot {
            path: trail.path,
            key: trail.key,
            line: line_of(&self.text, start),
            found: self.text[node.span.clone()].to_owned(),
        }
    }
}

#[derive(Default)]
struct Trail {
    path: String,
    key: Option<String>,
}

impl Trail {
    fn key(&mut self, key: &str) {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
        self.key = Some(key.to_owned());
    }
    fn index(&mut self, index: usize) {
        self.path.push_str(&format!("[{index}]"));
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|&&b| b == b'\n').count()
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while self.peek().is_ascii_whitespace() {
            self.at += 1;
        }
    }

    /// Skips a comma or a colon and the space around it.
    fn separator(&mut self) {
        self.space();
        if matches!(self.peek(), b',' | b':') {
            self.at += 1;
        }
        self.space();
    }

    fn value(&mut self, depth: usize) -> Result<Node, NoOutline> {
        self.space();
        let start = self.at;
        if depth > DEEPEST {
            let line = line_of(self.text, start);
            return Err(NoOutline { line, why: format!("nested deeper than {DEEPEST} levels") });
        }
        let content = match self.peek() {
            b'{' => self.object(depth)?,
            b'[' => self.array(depth)?,
            b'"' => {
                self.string();
                Content::Scalar
            }
            _ => {
                while !matches!(self.peek(), b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | 0) {
                    self.at += 1;
                }
                Content::Scalar
            }
        };
        Ok(Node { span: start..self.at, content })
    }

    fn object(&mut self, depth: usize) -> Result<Content, NoOutline> {
        self.at += 1;
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            self.separator();
            if matches!(self.peek(), b'}' | 0) {
                self.at = (self.at + 1).min(self.text.len());
                return Ok(Content::Object(entries));
            }
            let key_start = self.at;
            let key = self.string();
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let why = format!(
                    "{key}: stands twice; the first is on line {}",
                    line_of(self.text, first.key_start)
                );
                return Err(NoOutline { line: line_of(self.text, key_start), why });
            }
            self.separator();
            let value = self.value(depth + 1)?;
            entries.push(Entry { key, key_start, value });
        }
    }

    fn array(&mut self, depth: usize) -> Result<Content, NoOutline> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.separator();
            if matches!(self.peek(), b']' | 0) {
                self.at = (self.at + 1).min(self.text.len());
                return Ok(Content::Array(items));
            }
            items.push(self.value(depth + 1)?);
        }
    }

    /// Skips a string and gives its content.
    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while !matches!(self.peek(), b'"' | 0) {
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at = (self.at + 1).min(self.text.len());
        let raw = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\n  \"a\": [1, {\"b\": \"x,}\"}],\n  \"c\": {\n    \"d e\": -1.5\n  }\n}\n";

    #[test]
    fn a_value_is_found_by_its_path_with_its_line() {
        let outline = Outline::parse(TEXT).unwrap();
        let spot = outline.at(&["a", "1", "b"]).unwrap();
        assert_eq!((spot.path.as_str(), spot.line, spot.found.as_str()), ("a[1].b", 2, "\"x,}\""));
        let spot = outline.at(&["c", "d e"]).unwrap();
        assert_eq!((spot.line, spot.found.as_str(), spot.key.as_deref()), (4, "-1.5", Some("d e")));
        assert_eq!(outline.at(&["c", "x"]), None);
        assert_eq!(outline.at(&["a", "2"]), None);
    }

    #[test]
    fn the_place_of_a_serde_error_leads_to_its_key() {
        let outline = Outline::parse(TEXT).unwrap();
        assert_eq!(outline.around(4, 10).path, "c.d e");
        assert_eq!(outline.around(2, 16).path, "a[1].b");
        assert_eq!(outline.around(1, 1).path, "");
        assert_eq!(outline.around(99, 99).path, "");
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        let error = Outline::parse("{\"a\": 1,\n\"b\": {\"x\": 1},\n\"a\": 2}").unwrap_err();
        assert_eq!(error, NoOutline { line: 3, why: "a: stands twice; the first is on line 1".into() });
    }

    #[test]
    fn bottomless_nesting_is_refused() {
        let text = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(Outline::parse(&text).unwrap_err().why.contains("nested deeper"));
    }
}
