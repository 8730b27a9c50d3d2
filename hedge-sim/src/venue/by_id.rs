//! Records by the exchange's id.
//!
//! Ids are given in ascending order and hardly ever skipped, so the records stand in a row, and an id's place is
//! its distance from the first. Where ids were skipped (a seeded order brings its own) the place is searched for.

use serde::{Deserialize, Serialize};

use super::rows::Rows;

/// A record that knows its id.
pub(super) trait Identified {
    fn id(&self) -> u64;
}

/// Records in the order of their ids.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ById<T> {
    records: Rows<T>,
}

impl<T> Default for ById<T> {
    fn default() -> Self {
        Self { records: Rows::default() }
    }
}

impl<T: Identified> ById<T> {
    #[inline]
    pub(super) fn get(&self, id: &u64) -> Option<&T> {
        self.place(*id).ok().and_then(|at| self.records.get(at))
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: &u64) -> Option<&mut T> {
        self.place(*id).ok().and_then(|at| self.records.get_mut(at))
    }

    pub(super) fn contains_key(&self, id: &u64) -> bool {
        self.place(*id).is_ok()
    }

    /// Enters a record; one with the same id gives way.
    pub(super) fn insert(&mut self, record: T) {
        match self.place(record.id()) {
            Ok(at) => self.records[at] = record,
            Err(at) => self.records.insert(at, record),
        }
    }

    /// Where a record is, or where it would be.
    #[inline]
    fn place(&self, id: u64) -> Result<usize, usize> {
        let (Some(first), Some(last)) = (self.records.first(), self.records.last()) else { return Err(0) };
        if id > last.id() {
            return Err(self.records.len());
        }
        let guess = usize::try_from(id.wrapping_sub(first.id())).unwrap_or(usize::MAX);
        if self.records.get(guess).is_some_and(|record| record.id() == id) {
            return Ok(guess);
        }
        self.search(id)
    }

    #[cold]
    fn search(&self, id: u64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.records.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.records[middle].id() < id { low = middle + 1 } else { high = middle }
        }
        let found = self.records.get(low).is_some_and(|record| record.id() == id);
        if found { Ok(low) } else { Err(low) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Identified for (u64, &'static str) {
        fn id(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn records_are_found_with_and_without_skipped_ids() {
        let mut records = ById::default();
        assert_eq!(records.get(&7), None);
        for record in [(70, "a"), (71, "b"), (72, "c"), (90, "d"), (91, "e"), (80, "late"), (5, "early")] {
            records.insert(record);
        }
        records.insert((71, "again"));
        let found = [5, 70, 71, 72, 80, 90, 91].map(|id| records.get(&id).map(|record| record.1));
        assert_eq!(found, ["early", "a", "again", "c", "late", "d", "e"].map(Some));
        assert_eq!([0, 6, 73, 89, 92, u64::MAX].map(|id| records.contains_key(&id)), [false; 6]);
        records.get_mut(&80).unwrap().1 = "moved";
        assert_eq!(records.get(&80), Some(&(80, "moved")));
    }
}
