//! Rows that are only ever added, in blocks: adding one never moves the others, whatever their number.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Rows of a full block. A power of two, so that finding one takes no division.
const BLOCK: usize = 1 << 12;

/// Rows in the order in which they were added.
#[derive(Debug, Clone)]
pub(crate) struct Rows<T> {
    /// All but the last are full. The first grows as it is needed: most exchanges never fill it.
    blocks: Vec<Vec<T>>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { blocks: Vec::new() }
    }
}

impl<T> Rows<T> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len())
    }

    #[inline]
    pub(crate) fn push(&mut self, row: T) {
        match self.blocks.last_mut().filter(|last| last.len() < BLOCK) {
            Some(last) => last.push(row),
            None => self.push_block(row),
        }
    }

    #[cold]
    fn push_block(&mut self, row: T) {
        let mut block = Vec::with_capacity(if self.blocks.is_empty() { 4 } else { BLOCK });
        block.push(row);
        self.blocks.push(block);
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.blocks.get(at / BLOCK)?.get(at % BLOCK)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.blocks.get_mut(at / BLOCK)?.get_mut(at % BLOCK)
    }

    #[inline]
    pub(super) fn first(&self) -> Option<&T> {
        self.blocks.first()?.first()
    }

    #[inline]
    pub(super) fn last(&self) -> Option<&T> {
        self.blocks.last()?.last()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.blocks.iter().flatten()
    }

    /// Drops all rows; the room of the first ones is used again.
    pub(crate) fn clear(&mut self) {
        self.blocks.truncate(1);
        self.blocks.iter_mut().for_each(Vec::clear);
    }

    /// Puts a row between others, which moves all behind it: for what hardly ever happens.
    pub(super) fn insert(&mut self, at: usize, row: T) {
        if at == self.len() {
            return self.push(row);
        }
        let mut all: Vec<T> = std::mem::take(&mut self.blocks).into_iter().flatten().collect();
        all.insert(at, row);
        self.extend(all);
    }
}

impl<T> Extend<T> for Rows<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, rows: I) {
        rows.into_iter().for_each(|row| self.push(row));
    }
}

impl<T> Index<usize> for Rows<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.blocks[at / BLOCK][at % BLOCK]
    }
}

impl<T> IndexMut<usize> for Rows<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.blocks[at / BLOCK][at % BLOCK]
    }
}

impl<T: Serialize> Serialize for Rows<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut rows = Self::default();
        rows.extend(Vec::deserialize(deserializer)?);
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_in_blocks_are_the_rows_of_one_list() {
        let mut rows = Rows::default();
        let mut list = Vec::new();
        assert_eq!((rows.len(), rows.first(), rows.last()), (0, None, None));
        for row in 0..2 * BLOCK + 3 {
            rows.push(row);
            list.push(row);
        }
        rows.insert(BLOCK - 1, 7_000_000);
        list.insert(BLOCK - 1, 7_000_000);
        rows.insert(list.len(), 8);
        list.push(8);
        *rows.get_mut(BLOCK).unwrap() += 1;
        list[BLOCK] += 1;
        rows[3] = 9;
        list[3] = 9;
        assert!(rows.iter().eq(&list) && rows.iter().rev().eq(list.iter().rev()));
        assert_eq!((rows.len(), rows.first(), rows.last()), (list.len(), list.first(), list.last()));
        assert_eq!(
            (rows.get(list.len()), rows.get(2 * BLOCK), rows[BLOCK]),
            (None, list.get(2 * BLOCK), list[BLOCK])
        );
        let text = serde_json::to_string(&rows).unwrap();
        assert_eq!(text, serde_json::to_string(&list).unwrap());
        assert!(serde_json::from_str::<Rows<usize>>(&text).unwrap().iter().eq(&list));
    }
}
