//! The listenKey of the account: one key for every process, valid 60 minutes.
//!
//! Source: fact sheet 4.10 and 9.1.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long a key lives without being renewed. Source: fact sheet 4.10.
pub(crate) const VALID_MS: i64 = 60 * 60_000;

/// What happened to the key; kept in the command log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyChange {
    Created,
    Renewed,
    Deleted,
    Expired,
}

/// The current key, if one is active. Keys repeat with the seed, so that a replayed log yields the same ones.
#[derive(Debug)]
pub(crate) struct ListenKey {
    seed: String,
    generation: u64,
    valid_until_ms: Option<i64>,
}

impl ListenKey {
    pub(crate) fn new(seed: String) -> Self {
        Self { seed, generation: 0, valid_until_ms: None }
    }

    /// The key that is active now.
    pub(crate) fn active(&self) -> Option<String> {
        self.valid_until_ms.map(|_| self.text())
    }

    /// When the active key expires.
    pub(crate) fn valid_until_ms(&self) -> Option<i64> {
        self.valid_until_ms
    }

    pub(crate) fn apply(&mut self, change: KeyChange, now_ms: i64) {
        match change {
            KeyChange::Created => {
                self.generation += 1;
                self.valid_until_ms = Some(now_ms + VALID_MS);
            }
            KeyChange::Renewed => self.valid_until_ms = Some(now_ms + VALID_MS),
            KeyChange::Deleted | KeyChange::Expired => self.valid_until_ms = None,
        }
    }

    fn text(&self) -> String {
        const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..2_u8)
            .flat_map(|part| Sha256::digest(format!("{}/{}/{part}", self.seed, self.generation)))
            .filter_map(|byte| LETTERS.get(usize::from(byte) % LETTERS.len()))
            .map(|letter| char::from(*letter))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_64_letters_and_changes_only_when_created_anew() {
        let mut key = ListenKey::new("seed".to_owned());
        assert_eq!(key.active(), None);
        key.apply(KeyChange::Created, 0);
        let first = key.active().unwrap();
        assert_eq!(first.len(), 64);
        key.apply(KeyChange::Renewed, 1_000);
        assert_eq!(key.active().as_deref(), Some(first.as_str()));
        assert_eq!(key.valid_until_ms(), Some(1_000 + VALID_MS));
        key.apply(KeyChange::Expired, 9_000_000);
        assert_eq!(key.active(), None);
        key.apply(KeyChange::Created, 9_000_000);
        assert_ne!(key.active().unwrap(), first);
    }
}
