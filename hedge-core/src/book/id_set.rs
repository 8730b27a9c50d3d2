//! A few ids, sorted.

use serde::{Deserialize, Serialize};

use crate::id::ClientOrderId;

/// A set that is nearly always empty or holds one: its memory is kept when they go. Written as a sorted list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<ClientOrderId>", into = "Vec<ClientOrderId>")]
pub(super) struct IdSet(Vec<ClientOrderId>);

impl IdSet {
    pub(super) fn insert(&mut self, id: ClientOrderId) {
        if let Err(place) = self.0.binary_search(&id) {
            self.0.insert(place, id);
        }
    }
    #[inline]
    pub(super) fn remove(&mut self, id: &ClientOrderId) {
        if let Ok(place) = self.0.binary_search(id) {
            self.0.remove(place);
        }
    }
    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Ascending.
    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = &ClientOrderId> {
        self.0.iter()
    }
}

impl From<Vec<ClientOrderId>> for IdSet {
    fn from(ids: Vec<ClientOrderId>) -> Self {
        let mut set = Self::default();
        ids.into_iter().for_each(|id| set.insert(id));
        set
    }
}

impl From<IdSet> for Vec<ClientOrderId> {
    fn from(set: IdSet) -> Self {
        set.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_a_sorted_list_without_doubles() {
        let ids = ["h3", "h1", "h2", "h1"].map(|text| ClientOrderId::parse(text).unwrap());
        let mut set = IdSet::from(ids.to_vec());
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["h1","h2","h3"]"#);
        set.remove(&ids[2]);
        let read: IdSet = serde_json::from_str(r#"["h3","h1"]"#).unwrap();
        assert_eq!(set, read);
        assert!(read.iter().eq(&[ids[1], ids[0]]));
    }
}
