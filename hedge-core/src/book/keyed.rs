//! Entries that are found by their key at once, however many there are.
//!
//! A book keeps every order it ever decided, and looks the live ones up dozens of times in an order's life. [`Keyed`] keeps
//! entries in the order in which they came and a table of places beside them, so that a look-up costs the same after a
//! million orders as after ten. The table is never iterated: what is seen from outside depends on the entries alone.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};

use crate::id::{ClientOrderId, InstrumentId, VenueOrderId};

/// Something an entry can be found by.
pub(super) trait Key: Copy + Ord {
    /// Bits that differ between keys, well mixed in the upper half. The same on every machine.
    fn spread(&self) -> u64;
}

impl Key for ClientOrderId {
    #[inline]
    fn spread(&self) -> u64 {
        self.mixed()
    }
}

impl Key for InstrumentId {
    #[inline]
    fn spread(&self) -> u64 {
        self.symbol.mixed_head() ^ self.venue as u64
    }
}

impl Key for (InstrumentId, VenueOrderId) {
    #[inline]
    fn spread(&self) -> u64 {
        // Numbers of one symbol follow each other: the multiplication carries their difference upwards.
        (self.0.spread() ^ self.1.0.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// Where an entry is, and the upper half of its key's bits: most misses and every move of the table end there.
#[derive(Clone, Copy)]
struct Pointer {
    bits: u32,
    place: u32,
}

/// Where an entry is among all. Only this collection makes one, and nothing is ever taken out, so it always leads somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

/// No entry lives here.
const FREE: u32 = u32::MAX;

/// So many entries lie behind each other; none of them is ever moved to make room for more.
const IN_A_CHUNK: usize = 256;

/// A list that grows without moving what is in it.
#[derive(Clone)]
struct Entries<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Entries<T> {
    const fn new() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
    const fn len(&self) -> usize {
        self.len
    }
    #[inline]
    fn get(&self, place: usize) -> Option<&T> {
        self.chunks.get(place / IN_A_CHUNK)?.get(place % IN_A_CHUNK)
    }
    #[inline]
    fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.chunks.get_mut(place / IN_A_CHUNK)?.get_mut(place % IN_A_CHUNK)
    }
    #[inline]
    fn push(&mut self, entry: T) {
        if self.len.is_multiple_of(IN_A_CHUNK) {
            // The first few grow as a list does: most books never fill a chunk.
            let room = if self.len == 0 { 0 } else { IN_A_CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        if let Some(last) = self.chunks.last_mut() {
            last.push(entry);
            self.len += 1;
        }
    }
    fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

impl<T> FromIterator<T> for Entries<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut entries = Self::new();
        items.into_iter().for_each(|item| entries.push(item));
        entries
    }
}

/// Entries in the order in which they came, found by key. Nothing is ever taken out.
#[derive(Clone)]
pub(super) struct Keyed<K, V> {
    entries: Entries<(K, V)>,
    /// At the upper bits of the entries' keys or behind them; a power of two of them, at most half in use.
    table: Vec<Pointer>,
}

impl<K, V> Default for Keyed<K, V> {
    fn default() -> Self {
        Self { entries: Entries::new(), table: Vec::new() }
    }
}

impl<K: Key, V> Keyed<K, V> {
    /// Where a key is in the table, or the free place where it belongs.
    #[inline]
    fn probe(&self, key: &K) -> Option<(usize, Pointer)> {
        let bits = (key.spread() >> 32) as u32;
        let mut at = self.first(bits)?;
        loop {
            let pointer = *self.table.get(at)?;
            let is_it = || self.entries.get(pointer.place as usize).is_some_and(|(known, _)| known == key);
            if pointer.place == FREE {
                return Some((at, Pointer { bits, place: FREE }));
            }
            if pointer.bits == bits && is_it() {
                return Some((at, pointer));
            }
            at = (at + 1) & (self.table.len() - 1);
        }
    }

    /// Where a look-up begins.
    #[inline]
    fn first(&self, bits: u32) -> Option<usize> {
        // At least 16 places, so this shifts by less than 32.
        Some((bits >> (32 - self.table.len().checked_ilog2()?)) as usize)
    }

    /// The place of a key's entry. It stays the same as long as the entries live: who works on one asks for it once.
    #[inline]
    pub(super) fn place(&self, key: &K) -> Option<Place> {
        self.find(key).map(Place)
    }

    /// The value that came as this one in the order of the keys, if the key is its own.
    #[inline]
    pub(super) fn get_nth(&self, nth: usize, key: &K) -> Option<&V> {
        self.entries.get(nth).filter(|(known, _)| known == key).map(|(_, value)| value)
    }

    #[inline]
    pub(super) fn at(&self, place: Place) -> &V {
        &self.entries.chunks[place.0 / IN_A_CHUNK][place.0 % IN_A_CHUNK].1
    }

    #[inline]
    pub(super) fn at_mut(&mut self, place: Place) -> &mut V {
        &mut self.entries.chunks[place.0 / IN_A_CHUNK][place.0 % IN_A_CHUNK].1
    }

    #[inline(always)]
    fn find(&self, key: &K) -> Option<usize> {
        // The only instrument of many accounts.
        match self.entries.chunks.first().map(Vec::as_slice) {
            Some([(known, _)]) => (known == key).then_some(0),
            Some(_) => self.find_among_many(key),
            None => None,
        }
    }

    fn find_among_many(&self, key: &K) -> Option<usize> {
        // A handful is looked through faster than its bits are mixed.
        if self.entries.len() <= 4 {
            return self.entries.chunks.first()?.iter().position(|(known, _)| known == key);
        }
        // Most questions about orders are about the newest.
        if self.entries.chunks.last().and_then(|chunk| chunk.last()).is_some_and(|(known, _)| known == key) {
            return Some(self.entries.len() - 1);
        }
        let (_, Pointer { place, .. }) = self.probe(key)?;
        (place != FREE).then_some(place as usize)
    }

    #[inline(always)]
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(self.find(key)?).map(|(_, value)| value)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = self.find(key)?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    #[inline]
    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_some()
    }

    /// The same entries in another order, as if they had come like that.
    pub(super) fn sorted_by_key<O: Ord>(mut self, key: impl Fn(&V) -> O) -> Self {
        let mut entries: Vec<(K, V)> = self.entries.chunks.into_iter().flatten().collect();
        entries.sort_by_key(|(_, value)| key(value));
        self.entries = entries.into_iter().collect();
        self.fill_table();
        self
    }

    /// Every value, in the order in which the keys came.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// Keeps a value under a key; one that is there already is replaced where it is.
    pub(super) fn insert(&mut self, key: K, value: V) -> Place {
        if (self.entries.len() + 1) * 2 > self.table.len() {
            self.widen();
        }
        // There is room, so there is a place.
        let Some((at, pointer)) = self.probe(&key) else { return Place(0) };
        if pointer.place == FREE {
            let place = self.entries.len();
            self.table[at] = Pointer { place: place as u32, ..pointer };
            self.entries.push((key, value));
            return Place(place);
        }
        if let Some(entry) = self.entries.get_mut(pointer.place as usize) {
            entry.1 = value;
        }
        Place(pointer.place as usize)
    }

    /// Twice the table. The keys themselves are not needed for that.
    fn widen(&mut self) {
        let places = (self.table.len() * 2).max(16);
        let old = std::mem::replace(&mut self.table, vec![Pointer { bits: 0, place: FREE }; places]);
        for pointer in old.into_iter().filter(|pointer| pointer.place != FREE) {
            self.point(pointer);
        }
    }

    /// Puts a pointer where a look-up will find it.
    fn point(&mut self, pointer: Pointer) {
        let Some(mut at) = self.first(pointer.bits) else { return };
        while self.table[at].place != FREE {
            at = (at + 1) & (self.table.len() - 1);
        }
        self.table[at] = pointer;
    }

    /// Every key is put in again.
    fn fill_table(&mut self) {
        self.table.fill(Pointer { bits: 0, place: FREE });
        for place in 0..self.entries.len() {
            let Some((key, _)) = self.entries.get(place) else { continue };
            let bits = (key.spread() >> 32) as u32;
            self.point(Pointer { bits, place: place as u32 });
        }
    }
}

/// The same entries, in whatever order they came.
impl<K: Key, V: PartialEq> PartialEq for Keyed<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len()
            && self.entries.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Keyed<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries.iter().map(|(key, value)| (key, value))).finish()
    }
}

/// A list of pairs, by key: JSON objects need text keys.
impl<K: Key + Serialize, V: Serialize> Serialize for Keyed<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sorted: Vec<&(K, V)> = self.entries.iter().collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        serializer.collect_seq(sorted)
    }
}

impl<'de, K, V> Deserialize<'de> for Keyed<K, V>
where
    K: Key + Deserialize<'de>,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Pairs(PhantomData))
    }
}

struct Pairs<K, V>(PhantomData<(K, V)>);

impl<'de, K, V> Visitor<'de> for Pairs<K, V>
where
    K: Key + Deserialize<'de>,
    V: Deserialize<'de>,
{
    type Value = Keyed<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of pairs")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
        let mut keyed = Keyed::default();
        while let Some((key, value)) = pairs.next_element()? {
            keyed.insert(key, value);
        }
        Ok(keyed)
    }
}

/// For `#[serde(with = "keyed::as_map")]`: keys that are written as text make a JSON object.
pub(super) mod as_map {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Key, Keyed};

    pub(in super::super) fn serialize<K: Key + Serialize, V: Serialize, S: Serializer>(
        keyed: &Keyed<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let sorted: BTreeMap<&K, &V> = keyed.entries.iter().map(|(key, value)| (key, value)).collect();
        serializer.collect_map(sorted)
    }
    pub(in super::super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<Keyed<K, V>, D::Error>
    where
        K: Key + Deserialize<'de>,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let mut keyed = Keyed::default();
        for (key, value) in BTreeMap::<K, V>::deserialize(deserializer)? {
            keyed.insert(key, value);
        }
        Ok(keyed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::id::{OrderIds, OrderPurpose, RunId, Seq, Term};

    fn id(seq: u64) -> ClientOrderId {
        OrderIds::new(RunId(1_732_100_000), Term(1)).derive(Seq(seq), OrderPurpose::Entry)
    }

    #[test]
    fn ids_that_follow_each_other_are_found_in_few_steps() {
        let mut keyed = Keyed::default();
        for seq in 0..100_000 {
            keyed.insert(id(seq * 9), seq);
        }
        let steps = |seq: u64| {
            let (at, pointer) = keyed.probe(&id(seq * 9)).unwrap();
            let wanted = keyed.first(pointer.bits).unwrap();
            (at.wrapping_sub(wanted) & (keyed.table.len() - 1)) as u64
        };
        let total: u64 = (0..100_000).map(steps).sum();
        assert!(total < 100_000, "{total} extra steps for 100,000 look-ups");
        assert!(keyed.get(&id(5)).is_none());
    }

    proptest! {
        #[test]
        fn it_finds_what_a_sorted_map_finds_and_is_written_like_one(
            pairs in proptest::collection::vec((0_i64..200, 0_u32..9), 0..300),
        ) {
            let symbol = InstrumentId::binance("BTCUSDT").unwrap();
            let mut keyed = Keyed::default();
            let mut sorted = BTreeMap::new();
            for (number, value) in pairs {
                keyed.insert((symbol, VenueOrderId(number)), value);
                sorted.insert((symbol, VenueOrderId(number)), value);
            }
            for number in 0..200 {
                let key = (symbol, VenueOrderId(number));
                prop_assert_eq!(keyed.get(&key), sorted.get(&key));
            }
            let written = serde_json::to_string(&keyed).unwrap();
            let expected = serde_json::to_string(&sorted.iter().collect::<Vec<_>>()).unwrap();
            prop_assert_eq!(&written, &expected);
            let read: Keyed<(InstrumentId, VenueOrderId), u32> = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(read, keyed);
        }
    }
}
