//! How many symbols have closed the last bar of a plan: symbol by symbol, so a kill may come between two of them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::runs::write_private;

const FILE: &str = "last_bar.json";

/// The closes of the bar that ends a plan, kept in the run's folder.
#[derive(Debug)]
pub struct LastBar {
    path: PathBuf,
    note: Note,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// End of the bar. Units: milliseconds since 1970.
    until_ms: i64,
    /// Symbols that have closed it.
    closed: usize,
}

impl LastBar {
    /// What is known about the bar that ends at `until_ms`. A note about another bar, or one that cannot be read, counts as
    /// none: closes are then played that the market still has, and none twice.
    pub fn load(dir: &Path, until_ms: i64) -> Self {
        let path = dir.join(FILE);
        let note = fs::read(&path)
            .ok()
            .and_then(|text| serde_json::from_slice::<Note>(&text).ok())
            .filter(|note| note.until_ms == until_ms)
            .unwrap_or(Note { until_ms, closed: 0 });
        Self { path, note }
    }

    /// End of the bar. Units: milliseconds since 1970.
    pub const fn until_ms(&self) -> i64 {
        self.note.until_ms
    }

    /// Whether that many symbols have closed the bar, at the exchange's present time.
    pub const fn is_played(&self, now_ms: i64, symbols: usize) -> bool {
        // Past its end nothing of the bar is left, whatever was noted.
        now_ms > self.note.until_ms || (now_ms == self.note.until_ms && self.note.closed >= symbols)
    }

    /// Notes one close.
    ///
    /// Errors: the disk's, with the file's name.
    pub fn add(&mut self) -> io::Result<()> {
        self.note.closed += 1;
        let text = serde_json::to_string(&self.note)? + "\n";
        write_private(&self.path, text.as_bytes()).map_err(|error| {
            io::Error::new(error.kind(), format!("writing {} failed: {error}", self.path.display()))
        })
    }
}
