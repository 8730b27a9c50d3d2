//! A bounded memory that forgets what came first.

use std::collections::{BTreeMap, VecDeque};

/// Remembers the latest `capacity` keys with a value each. Which one is forgotten depends on when it came, never on its
/// size: order numbers of one symbol may all be smaller than those of another.
#[derive(Debug)]
pub(crate) struct Recent<K, V = ()> {
    known: BTreeMap<K, V>,
    order: VecDeque<K>,
    capacity: usize,
}

impl<K: Ord + Clone, V> Recent<K, V> {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { known: BTreeMap::new(), order: VecDeque::new(), capacity }
    }

    /// Remembers a key, or replaces its value. Whether the key is new.
    pub(crate) fn insert(&mut self, key: K, value: V) -> bool {
        let is_new = self.known.insert(key.clone(), value).is_none();
        if is_new {
            self.order.push_back(key);
            if self.order.len() > self.capacity
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
        is_new
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.known.get(key)
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.known.contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_and_not_the_smallest() {
        let mut recent = Recent::new(2);
        assert!(recent.insert(9_000, ()) && recent.insert(8_000, ()));
        assert!(!recent.insert(9_000, ()));
        assert!(recent.insert(1, ()), "a small number is as good as any");
        assert!(recent.contains(&1) && recent.contains(&8_000) && !recent.contains(&9_000));
    }
}
