//! Ids that were seen already.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::state::REMEMBERED_IDS;
use crate::id::TradeId;

/// Trade ids of one instrument; everything below `floor` counts as seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Remembered {
    floor: TradeId,
    /// Ascending. A venue numbers executions in their order, so a new one nearly always goes to the end.
    ids: VecDeque<TradeId>,
}

impl Remembered {
    /// Whether this id is new; remembers it.
    pub(super) fn insert(&mut self, id: TradeId) -> bool {
        if id < self.floor {
            return false;
        }
        if self.ids.back().is_none_or(|last| *last < id) {
            self.ids.push_back(id);
        } else if let Err(place) = self.ids.binary_search(&id) {
            self.ids.insert(place, id);
        } else {
            return false;
        }
        if self.ids.len() > REMEMBERED_IDS
            && let Some(oldest) = self.ids.pop_front()
        {
            self.floor = TradeId(oldest.0 + 1);
        }
        true
    }

    /// Whether it was seen.
    pub(super) fn contains(&self, id: TradeId) -> bool {
        id < self.floor || self.ids.binary_search(&id).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_in_whatever_order_it_comes() {
        let mut seen = Remembered::default();
        for id in [5, 3, 9, 4, 7] {
            assert!(seen.insert(TradeId(id)), "{id} is new");
        }
        for id in [3, 4, 5, 7, 9] {
            assert!(!seen.insert(TradeId(id)), "{id} was seen");
        }
        assert_eq!(serde_json::to_string(&seen).unwrap(), r#"{"floor":0,"ids":[3,4,5,7,9]}"#);
    }

    #[test]
    fn what_is_older_than_everything_remembered_counts_as_seen() {
        let mut seen = Remembered::default();
        for id in 1..=REMEMBERED_IDS as i64 + 2 {
            assert!(seen.insert(TradeId(id)));
        }
        assert!(!seen.insert(TradeId(1)) && !seen.insert(TradeId(2)) && !seen.insert(TradeId(0)));
        assert_eq!(seen.ids.len(), REMEMBERED_IDS);
    }
}
