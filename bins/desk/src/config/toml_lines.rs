//! On which line of a TOML text a section or key stands. Enough for plain keys in sections, which is all we have.

use std::collections::BTreeMap;

/// Lines of sections and of `section.key`.
#[derive(Clone, Debug, Default)]
pub(crate) struct TomlLines(BTreeMap<String, usize>);

impl TomlLines {
    pub(crate) fn scan(text: &str) -> Self {
        let mut lines = BTreeMap::new();
        let mut section = String::new();
        for (number, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())) {
            if let Some(header) = line.strip_prefix('[') {
                section = plain(header.split(']').next().unwrap_or_default());
                lines.entry(section.clone()).or_insert(number);
            } else if let Some((key, _)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                let key = plain(key);
                let path = if section.is_empty() { key } else { format!("{section}.{key}") };
                lines.entry(path).or_insert(number);
            }
        }
        Self(lines)
    }

    /// The line of a key, else of the nearest section around it, else 1.
    pub(crate) fn of(&self, path: &str) -> usize {
        std::iter::successors(Some(path), |path| path.rsplit_once('.').map(|(section, _)| section))
            .find_map(|path| self.exact(path))
            .unwrap_or(1)
    }

    /// The line of exactly that key.
    pub(crate) fn exact(&self, path: &str) -> Option<usize> {
        self.0.get(path).copied()
    }
}

/// `a . "b"` becomes `a.b`.
fn plain(key: &str) -> String {
    let parts: Vec<&str> = key.split('.').map(|part| part.trim().trim_matches(['"', '\''])).collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_their_section() {
        let lines = TomlLines::scan(
            "# a = 1\ntop = 1\n[journal] # x\n  min_free_mb = 5\n\n[ log ]\nlevel=\"a=b\"\nx.y = 2\n",
        );
        assert_eq!(lines.of("top"), 2);
        assert_eq!(lines.of("journal"), 3);
        assert_eq!(lines.of("journal.min_free_mb"), 4);
        assert_eq!(lines.of("log.level"), 7);
        assert_eq!(lines.of("log.x.y"), 8);
        assert_eq!(lines.of("log.absent"), 6);
        assert_eq!(lines.exact("log.absent"), None);
    }

    #[test]
    fn a_key_of_a_section_in_a_section_is_found_in_either_spelling() {
        let lines = TomlLines::scan("[a]\nb.c = 1\n[a.d]\ne = 2\n");
        assert_eq!((lines.of("a.b.c"), lines.of("a.d.e")), (2, 4));
        assert_eq!((lines.of("a.d.absent"), lines.of("a.x.absent"), lines.of("absent")), (3, 1, 1));
    }
}
