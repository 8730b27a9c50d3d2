//! Which of our ids belongs to a number of the venue: for log lines and for rows that leave an id out.

use std::collections::{BTreeMap, VecDeque};

use hedge_core::{ClientOrderId, OrderRef, OrderSpace, VenueOrderId};

/// As many as are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 1_024;

/// Plain numbers count within a symbol; those of conditional orders are asked for without one (fact sheet 5.1).
type Key = (OrderSpace, String, VenueOrderId);

/// Names that the venue has told us.
#[derive(Debug, Default)]
pub(crate) struct OrderNames {
    names: BTreeMap<Key, ClientOrderId>,
    oldest: VecDeque<Key>,
}

impl OrderNames {
    /// Learns a pair that the venue has confirmed; ids of others are not kept.
    pub(crate) fn learn(&mut self, space: OrderSpace, symbol: &str, number: i64, client_id: &str) {
        let Some(id) = hedge_core::ReportedId::parse(client_id).ours().copied() else { return };
        let key = key(space, symbol, VenueOrderId(number));
        if self.names.insert(key.clone(), id).is_some() {
            return;
        }
        self.oldest.push_back(key);
        if self.oldest.len() > REMEMBERED
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.names.remove(&oldest);
        }
    }

    /// Our id of an order of a symbol, where it is known.
    pub(crate) fn of(&self, symbol: &str, order: &OrderRef) -> Option<ClientOrderId> {
        match order {
            OrderRef::Client { id, .. } => Some(*id),
            OrderRef::Plain(id) => self.names.get(&key(OrderSpace::Plain, symbol, *id)).copied(),
            OrderRef::Algo { id, .. } => self.names.get(&key(OrderSpace::Algo, symbol, *id)).copied(),
        }
    }
}

fn key(space: OrderSpace, symbol: &str, number: VenueOrderId) -> Key {
    let symbol = if space == OrderSpace::Algo { "" } else { symbol };
    (space, symbol.to_owned(), number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "h0sn8www00111c";
    const ETH: &str = "ETHUSDT";

    #[test]
    fn the_two_id_spaces_are_kept_apart_and_strangers_are_not_kept() {
        let mut names = OrderNames::default();
        names.learn(OrderSpace::Algo, ETH, 7, OURS);
        names.learn(OrderSpace::Plain, ETH, 8, "web_abc");
        let algo = OrderRef::Algo { id: VenueOrderId(7), child: None };
        assert_eq!(names.of(ETH, &algo).unwrap().as_str(), OURS);
        assert_eq!(names.of(ETH, &OrderRef::Plain(VenueOrderId(7))), None);
        assert_eq!(names.of(ETH, &OrderRef::Plain(VenueOrderId(8))), None);
    }

    #[test]
    fn one_number_of_two_symbols_is_two_orders_and_a_conditional_one_needs_no_symbol() {
        let mut names = OrderNames::default();
        names.learn(OrderSpace::Plain, ETH, 7, OURS);
        names.learn(OrderSpace::Algo, ETH, 9, OURS);
        assert!(names.of(ETH, &OrderRef::Plain(VenueOrderId(7))).is_some());
        assert_eq!(names.of("BTCUSDT", &OrderRef::Plain(VenueOrderId(7))), None);
        assert!(names.of("", &OrderRef::Algo { id: VenueOrderId(9), child: None }).is_some());
    }

    #[test]
    fn the_oldest_names_are_forgotten_first() {
        let mut names = OrderNames::default();
        for number in (0..=REMEMBERED as i64).rev() {
            names.learn(OrderSpace::Plain, ETH, number, OURS);
        }
        assert_eq!(names.names.len(), REMEMBERED);
        assert_eq!(names.of(ETH, &OrderRef::Plain(VenueOrderId(REMEMBERED as i64))), None);
        assert!(names.of(ETH, &OrderRef::Plain(VenueOrderId(0))).is_some());
    }
}
