//! What the exchange's own history says, judged without a word of the executor.

use std::collections::BTreeMap;

use super::exchange::{Account, LegName, Row};

/// Every order that the exchange has ever taken, by client id. An id that stands for several orders has several rows.
pub(super) type History = BTreeMap<String, Vec<Row>>;

/// Whether an id is a panic close's: its term is one that no journal has.
pub(super) fn is_panics(id: &str) -> bool {
    id.get(8..11) == Some("zzz")
}

/// Ids that stand for several orders, and orders that took more than they were for.
pub(super) fn twice(history: &History) -> Vec<String> {
    let wrong = |(id, rows): (&String, &Vec<Row>)| match rows.as_slice() {
        [row] if row.is_close_all || row.executed <= row.qty => None,
        [row] => Some(format!("{id} took {} of {}", row.executed, row.qty)),
        rows => Some(format!("{id} stands for {} orders at the exchange", rows.len())),
    };
    history.iter().filter_map(wrong).collect()
}

/// Orders of others that came after the first one of a panic close; `None` when that one has sent none.
pub(super) fn after_takeover(history: &History) -> Option<Vec<&str>> {
    let panics = history.iter().filter(|(id, _)| is_panics(id));
    let first_ms = panics.flat_map(|(_, rows)| rows).map(|row| row.placed_ms).min()?;
    let is_late = |rows: &[Row]| rows.iter().any(|row| row.placed_ms > first_ms);
    let late = history.iter().filter(|(id, rows)| !is_panics(id) && is_late(rows));
    Some(late.map(|(id, _)| id.as_str()).collect())
}

/// Openings that came to the exchange after that time and were filled, at least for a part. Units: venue milliseconds.
pub(super) fn filled_openings(history: &History, approved: &BTreeMap<String, bool>, after_ms: i64) -> usize {
    let openings = history.iter().filter(|(id, _)| approved.get(*id) == Some(&true));
    openings
        .flat_map(|(_, rows)| rows)
        .filter(|row| row.placed_ms > after_ms && !row.executed.is_zero())
        .count()
}

/// Legs without a stop that were not so before.
pub(super) fn lost_stops(before: &Account, after: &Account) -> Vec<LegName> {
    after.bare.iter().filter(|leg| !before.bare.contains(leg)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use hedge_sim::venue::PositionSide;
    use rust_decimal::Decimal;

    use super::*;

    const OURS: &str = "h0tou39t001abe";
    const STOP: &str = "h0tou39t001acs";
    const PANICS: &str = "h0tou39tzzz01c";

    fn row(executed: i64, qty: i64, placed_ms: i64) -> Row {
        let (executed, qty) = (Decimal::from(executed), Decimal::from(qty));
        Row { executed, qty, is_close_all: false, traded: executed, is_part: false, placed_ms }
    }

    fn history(rows: &[(&str, Row)]) -> History {
        let mut history = History::new();
        for (id, row) in rows {
            history.entry((*id).to_owned()).or_default().push(row.clone());
        }
        history
    }

    #[test]
    fn a_close_that_was_sent_twice_or_took_too_much_is_found() {
        assert!(twice(&history(&[(OURS, row(1, 1, 5)), (PANICS, row(0, 1, 6))])).is_empty());
        let doubled = history(&[(PANICS, row(1, 1, 5)), (PANICS, row(0, 1, 6))]);
        assert_eq!(twice(&doubled), ["h0tou39tzzz01c stands for 2 orders at the exchange"]);
        assert_eq!(twice(&history(&[(OURS, row(3, 2, 5))])), ["h0tou39t001abe took 3 of 2"]);
        let all = Row { is_close_all: true, ..row(3, 0, 5) };
        assert!(twice(&history(&[(STOP, all)])).is_empty(), "it takes what is there");
    }

    #[test]
    fn an_order_after_the_first_close_of_a_panic_is_found() {
        assert_eq!(after_takeover(&history(&[(OURS, row(1, 1, 5))])), None, "nothing was closed by it");
        let before = [(OURS, row(1, 1, 5)), (PANICS, row(1, 1, 6))];
        assert_eq!(after_takeover(&history(&before)), Some(vec![]));
        let after = [(OURS, row(0, 1, 7)), (PANICS, row(1, 1, 6)), (PANICS, row(1, 1, 8))];
        assert_eq!(after_takeover(&history(&after)), Some(vec![OURS]));
    }

    #[test]
    fn stops_old_openings_and_openings_that_got_nothing_are_no_filled_openings() {
        let approved = BTreeMap::from([(OURS.to_owned(), true), (STOP.to_owned(), false)]);
        let count = |id: &str, row: Row| filled_openings(&history(&[(id, row)]), &approved, 10);
        assert_eq!(count(OURS, row(1, 1, 11)), 1);
        assert_eq!(count(STOP, row(1, 1, 11)), 0, "a stop that fires is not trading");
        assert_eq!(count(OURS, row(1, 1, 10)), 0, "it was there before");
        assert_eq!(count(OURS, row(0, 1, 11)), 0, "nothing of it was executed");
    }

    #[test]
    fn a_leg_that_had_a_stop_and_has_none_now_is_found() {
        let leg = |symbol: &str| (symbol.to_owned(), PositionSide::Long);
        let account = |bare: &[&str]| Account {
            bare: bare.iter().map(|symbol| leg(symbol)).collect(),
            ..Account::default()
        };
        assert_eq!(lost_stops(&account(&["A"]), &account(&["A", "B"])), [leg("B")]);
        assert!(lost_stops(&account(&["A"]), &account(&["A"])).is_empty(), "it never had one");
    }
}
