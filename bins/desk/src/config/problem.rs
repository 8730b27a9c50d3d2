//! What is wrong with a configuration, one line a problem.

use std::fmt;

use thiserror::Error;

/// One thing that cannot be used. Its `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File and line, or the variable's origin.
    pub place: String,
    /// The key with what was found, what is expected and what helps.
    pub text: String,
}

impl Problem {
    pub(crate) fn new(place: impl Into<String>, text: impl Into<String>) -> Self {
        // A value may hold line ends; a problem is one line.
        let text: String = text.into();
        Self { place: place.into(), text: text.replace(['\n', '\r'], " ") }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// Everything that is wrong with a configuration. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ConfigError {
    /// In the order of the files.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

/// The first half of `expected …` answers: a value as it stands in the file, cut to a readable length.
pub(crate) fn shown(found: &str) -> String {
    let short: String = found.chars().take(60).collect();
    if short.len() < found.len() { format!("{short}…") } else { short }
}

/// The candidate that takes the fewest edits to become `word`, ignoring case; the first of equals.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates.into_iter().min_by_key(|candidate| distance(&word.to_lowercase(), &candidate.to_lowercase()))
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_the_one_with_the_fewest_edits() {
        let keys = ["leverage", "lookback_bars", "stop"];
        assert_eq!(nearest("levrage", keys), Some("leverage"));
        assert_eq!(nearest("LOOKBACK", keys), Some("lookback_bars"));
        assert_eq!(nearest("spot", keys), Some("stop"));
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn swapped_neighbours_are_one_edit() {
        assert_eq!(distance("DRYRUN", "DRY_RUN"), 1);
        assert_eq!(distance("lveerage", "leverage"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn a_problem_is_one_line() {
        let problem = Problem::new("a.json:3", "x = \"1\n2\": expected a number");
        assert_eq!(problem.to_string(), "a.json:3: x = \"1 2\": expected a number");
    }
}
