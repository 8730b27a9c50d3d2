//! Which of our ids belongs to a number of the venue: for log lines only, so that an order is found by either name.

use std::collections::{BTreeMap, VecDeque};

use hedge_core::{ClientOrderId, OrderRef, OrderSpace, VenueOrderId};

/// As many as are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 1_024;

/// Names that the venue has told us.
#[derive(Debug, Default)]
pub(crate) struct OrderNames {
    names: BTreeMap<(OrderSpace, VenueOrderId), ClientOrderId>,
    oldest: VecDeque<(OrderSpace, VenueOrderId)>,
}

impl OrderNames {
    /// Learns a pair; ids of others are not kept.
    pub(crate) fn learn(&mut self, space: OrderSpace, number: i64, client_id: &str) {
        let Some(id) = hedge_core::ReportedId::parse(client_id).ours().copied() else { return };
        let key = (space, VenueOrderId(number));
        if self.names.insert(key, id).is_some() {
            return;
        }
        self.oldest.push_back(key);
        if self.oldest.len() > REMEMBERED
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.names.remove(&oldest);
        }
    }

    /// Our id of an order, where it is known.
    pub(crate) fn of(&self, order: &OrderRef) -> Option<ClientOrderId> {
        match order {
            OrderRef::Client { id, .. } => Some(*id),
            OrderRef::Plain(id) => self.names.get(&(OrderSpace::Plain, *id)).copied(),
            OrderRef::Algo { id, .. } => self.names.get(&(OrderSpace::Algo, *id)).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "h0sn8www00111c";

    #[test]
    fn the_two_id_spaces_are_kept_apart_and_strangers_are_not_kept() {
        let mut names = OrderNames::default();
        names.learn(OrderSpace::Algo, 7, OURS);
        names.learn(OrderSpace::Plain, 8, "web_abc");
        let algo = OrderRef::Algo { id: VenueOrderId(7), child: None };
        assert_eq!(names.of(&algo).unwrap().as_str(), OURS);
        assert_eq!(names.of(&OrderRef::Plain(VenueOrderId(7))), None);
        assert_eq!(names.of(&OrderRef::Plain(VenueOrderId(8))), None);
    }

    #[test]
    fn the_oldest_names_are_forgotten_first() {
        let mut names = OrderNames::default();
        for number in (0..=REMEMBERED as i64).rev() {
            names.learn(OrderSpace::Plain, number, OURS);
        }
        assert_eq!(names.names.len(), REMEMBERED);
        assert_eq!(names.of(&OrderRef::Plain(VenueOrderId(REMEMBERED as i64))), None);
        assert!(names.of(&OrderRef::Plain(VenueOrderId(0))).is_some());
    }
}
