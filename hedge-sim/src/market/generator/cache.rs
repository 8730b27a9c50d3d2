//! The days computed last.

use std::{collections::BTreeMap, sync::Arc};

/// Keeps the values used last, up to a fixed number.
#[derive(Clone, Debug)]
pub(super) struct Cache<K, V> {
    entries: BTreeMap<K, (u64, Arc<V>)>,
    capacity: usize,
    uses: u64,
}

impl<K: Ord + Copy, V> Cache<K, V> {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { entries: BTreeMap::new(), capacity, uses: 0 }
    }
    pub(super) fn get(&mut self, key: K) -> Option<Arc<V>> {
        self.uses += 1;
        let (used, value) = self.entries.get_mut(&key)?;
        *used = self.uses;
        Some(Arc::clone(value))
    }
    pub(super) fn put(&mut self, key: K, value: V) -> Arc<V> {
        if self.entries.len() >= self.capacity {
            let oldest = self.entries.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key);
            oldest.map(|key| self.entries.remove(&key));
        }
        let value = Arc::new(value);
        self.entries.insert(key, (self.uses, Arc::clone(&value)));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_used_longest_ago_goes_first() {
        let mut cache = Cache::new(2);
        for key in 1..=2 {
            assert!(cache.get(key).is_none());
            cache.put(key, key * 10);
        }
        assert_eq!(cache.get(1).as_deref(), Some(&10));
        assert!(cache.get(3).is_none());
        cache.put(3, 30);
        assert!(cache.get(2).is_none());
        assert_eq!(cache.get(1).as_deref(), Some(&10));
    }
}
