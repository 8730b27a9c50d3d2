//! The local book is the venue's, or it is not shown.

use std::{collections::BTreeMap, time::Duration};

use hedge_core::{Decimal, OrderSide, Symbol, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::wire::{
    event::{DepthEvent, Level},
    market::Depth,
};

/// Levels a side that a snapshot is asked for.
const LIMIT: u32 = 1_000;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn levels(side: &[(&str, &str)]) -> Vec<Level> {
    side.iter().map(|(price, qty)| Level(d(price), d(qty))).collect()
}

fn diff(first: i64, last: i64, previous: i64, bids: &[(&str, &str)], asks: &[(&str, &str)]) -> DepthEvent {
    DepthEvent {
        event_time: 1,
        first_update_id: first,
        last_update_id: last,
        previous_update_id: previous,
        transaction_time: 1,
        market_type: Some(1),
        symbol: "ABCUSDT".to_owned(),
        pair: None,
        bids: levels(bids),
        asks: levels(asks),
    }
}

fn snapshot(last: i64, bids: &[(&str, &str)], asks: &[(&str, &str)]) -> Depth {
    let side = |side: &[(&str, &str)]| side.iter().map(|(price, qty)| (d(price), d(qty))).collect();
    Depth {
        last_update_id: last,
        event_time: None,
        transaction_time: None,
        bids: side(bids),
        asks: side(asks),
    }
}

fn base() -> Depth {
    snapshot(10, &[("100", "1"), ("99", "2")], &[("101", "1"), ("102", "4")])
}

fn current() -> LocalBook {
    let mut book = LocalBook::new();
    assert_eq!(book.on_diff(&diff(8, 12, 7, &[], &[])), Next::FetchSnapshot);
    assert_eq!(book.on_snapshot(&base(), LIMIT), Next::Current);
    book
}

#[test]
fn the_first_diff_overlaps_the_snapshot_and_the_next_ones_name_their_predecessor() {
    let mut book = current();
    assert_eq!(book.last_update_id(), Some(12));
    assert_eq!(book.on_diff(&diff(15, 17, 12, &[("100", "0")], &[("100.5", "3")])), Next::Current);
    let ladder = book.ladder().unwrap();
    assert_eq!((ladder.best_bid(), ladder.best_ask()), (Some((d("99"), d("2"))), Some((d("100.5"), d("3")))));
    assert_eq!((ladder.mid(), ladder.spread()), (Some(d("99.75")), Some(d("1.5"))));
}

#[test]
fn a_book_is_not_shown_before_a_diff_has_joined_it() {
    let mut book = LocalBook::new();
    assert_eq!(book.on_snapshot(&base(), LIMIT), Next::Current);
    assert_eq!((book.ladder(), book.last_update_id()), (None, None));
    assert_eq!(book.on_diff(&diff(5, 9, 4, &[("100", "77")], &[])), Next::Current, "older than the snapshot");
    assert_eq!(book.ladder(), None);
    assert_eq!(book.on_diff(&diff(10, 10, 9, &[], &[])), Next::Current);
    assert_eq!(book.ladder().unwrap().best_bid(), Some((d("100"), d("1"))));
}

#[test]
fn a_snapshot_older_than_the_buffered_diffs_is_not_enough() {
    let mut book = LocalBook::new();
    book.on_diff(&diff(20, 25, 19, &[], &[]));
    assert_eq!(book.on_snapshot(&base(), LIMIT), Next::FetchSnapshot);
    assert_eq!(book.ladder(), None);
    let newer = snapshot(22, &[("98", "1")], &[("99", "1")]);
    assert_eq!(book.on_snapshot(&newer, LIMIT), Next::Current, "the diff was kept for it");
    assert_eq!(book.last_update_id(), Some(25));
}

#[test]
fn a_gap_empties_the_book_until_the_next_snapshot() {
    let mut book = current();
    assert_eq!(book.on_diff(&diff(20, 22, 19, &[("50", "1")], &[])), Next::FetchSnapshot);
    assert_eq!((book.ladder(), book.resyncs()), (None, 1));
    assert_eq!(book.on_diff(&diff(23, 24, 22, &[], &[])), Next::FetchSnapshot);
    assert_eq!(book.on_snapshot(&snapshot(21, &[("90", "1")], &[("91", "1")]), LIMIT), Next::Current);
    let ladder = book.ladder().unwrap();
    let bids: Vec<_> = ladder.bids().collect();
    assert_eq!(bids, [(d("90"), d("1")), (d("50"), d("1"))], "what came behind the gap is in it");
}

#[test]
fn a_message_that_came_by_two_connections_counts_once() {
    let mut book = current();
    let next = diff(13, 15, 12, &[("100", "5")], &[]);
    assert_eq!(book.on_diff(&next), Next::Current);
    assert_eq!(book.on_diff(&next), Next::Current);
    assert_eq!((book.last_update_id(), book.resyncs()), (Some(15), 0));
}

#[test]
fn a_crossed_book_is_given_up() {
    let mut book = current();
    assert_eq!(book.on_diff(&diff(13, 15, 12, &[("101.5", "5")], &[])), Next::FetchSnapshot);
    assert_eq!((book.ladder(), book.resyncs()), (None, 1));
}

#[test]
fn what_lies_behind_the_snapshot_is_not_kept_and_its_edge_asks_for_another_one() {
    let bids: Vec<(String, String)> = (0..20).map(|i| (format!("{}", 100 - i), "1".to_owned())).collect();
    let bids: Vec<(&str, &str)> = bids.iter().map(|(price, qty)| (price.as_str(), qty.as_str())).collect();
    let mut book = LocalBook::new();
    book.on_diff(&diff(9, 12, 8, &[], &[]));
    book.on_snapshot(&snapshot(10, &bids, &[("101", "1")]), 20);
    assert_eq!(book.on_diff(&diff(13, 13, 12, &[("50", "9")], &[("500", "9")])), Next::Current);
    let ladder = book.ladder().unwrap();
    assert_eq!(ladder.bids().last(), Some((d("81"), d("1"))), "bids below 81 are not known");
    assert_eq!(ladder.asks().last(), Some((d("500"), d("9"))), "all asks are");
    let gone: Vec<(&str, &str)> = bids[..19].iter().map(|(price, _)| (*price, "0")).collect();
    assert_eq!(book.on_diff(&diff(14, 14, 13, &gone, &[])), Next::FetchSnapshotSoon);
    assert!(book.ladder().is_some(), "what is known is still right");
    let mut beyond = book.clone();
    assert_eq!(beyond.on_diff(&diff(15, 15, 14, &[("81", "0")], &[])), Next::FetchSnapshot);
    assert_eq!(beyond.ladder(), None, "the best bid is below what is known");
    assert_eq!(
        book.on_snapshot(&snapshot(14, &[("81", "1"), ("80", "2")], &[("101", "1")]), 20),
        Next::Current
    );
    assert_eq!(book.on_diff(&diff(16, 17, 15, &[], &[])), Next::FetchSnapshot, "there is a gap");
}

#[test]
fn a_refresh_of_a_quiet_book_is_no_gap_and_the_book_is_shown_all_the_while() {
    let mut book = current();
    // Nothing has happened since: the snapshot is of the very update that is in the book.
    let same = snapshot(12, &[("100", "1"), ("99", "2"), ("98", "5")], &[("101", "1"), ("102", "4")]);
    assert_eq!(book.on_snapshot(&same, LIMIT), Next::Current);
    assert_eq!(book.ladder().unwrap().bids().last(), Some((d("98"), d("5"))), "more of it is known");
    assert_eq!(book.on_diff(&diff(15, 17, 12, &[("100", "0")], &[])), Next::Current);
    assert_eq!((book.last_update_id(), book.resyncs()), (Some(17), 0));
}

#[test]
fn a_diff_that_follows_the_snapshot_without_a_gap_joins_it() {
    let mut book = LocalBook::new();
    assert_eq!(book.on_snapshot(&base(), LIMIT), Next::Current);
    assert_eq!(book.on_diff(&diff(13, 15, 10, &[("100", "7")], &[])), Next::Current);
    assert_eq!(book.ladder().unwrap().best_bid(), Some((d("100"), d("7"))));
    let mut book = LocalBook::new();
    assert_eq!(book.on_snapshot(&base(), LIMIT), Next::Current);
    assert_eq!(book.on_diff(&diff(13, 15, 12, &[], &[])), Next::FetchSnapshot, "11 and 12 are missing");
}

#[test]
fn how_much_a_snapshot_knows_is_what_it_was_asked_for() {
    let ladder = |limit| {
        let mut book = LocalBook::new();
        book.on_snapshot(&base(), limit);
        book.on_diff(&diff(9, 12, 8, &[("50", "9")], &[]));
        book.ladder().unwrap().bids().last().unwrap()
    };
    assert_eq!(ladder(2), (d("99"), d("2")), "two of two: what lies below is not known");
    assert_eq!(ladder(5), (d("50"), d("9")), "two of five are all there are");
}

#[test]
fn numbers_beyond_every_book_have_no_sum_and_end_nothing() {
    let most = Decimal::MAX.to_string();
    let huge = [("1", most.as_str()), ("2", most.as_str())];
    let mut book = LocalBook::new();
    book.on_snapshot(&snapshot(10, &[("0.5", "1")], &huge), LIMIT);
    book.on_diff(&diff(9, 12, 8, &[], &[]));
    let ladder = book.ladder().unwrap();
    assert_eq!(ladder.qty_within(OrderSide::Buy, d("9")), None);
    assert_eq!(ladder.qty_within(OrderSide::Buy, d("1")), Some(Decimal::MAX));
    assert_eq!(ladder.cost(OrderSide::Buy, Decimal::MAX).unwrap().worst, d("1"));
    let mut book = LocalBook::new();
    book.on_snapshot(&snapshot(10, &[("1", "1")], &[(most.as_str(), "2")]), LIMIT);
    book.on_diff(&diff(9, 12, 8, &[], &[]));
    let ladder = book.ladder().unwrap();
    assert_eq!((ladder.mid(), ladder.cost(OrderSide::Buy, d("2"))), (None, None));
    assert_eq!(ladder.spread(), Some(Decimal::MAX - Decimal::ONE));
}

#[test]
fn a_restart_forgets_everything() {
    let mut book = current();
    book.restart();
    assert_eq!(book.ladder(), None);
    assert_eq!(book.on_diff(&diff(13, 15, 12, &[], &[])), Next::FetchSnapshot);
}

#[test]
fn a_quantity_costs_what_the_levels_say() {
    let book = current();
    let ladder = book.ladder().unwrap();
    let cost = ladder.cost(OrderSide::Buy, d("3")).unwrap();
    assert_eq!((cost.qty, cost.notional, cost.worst), (d("3"), d("305"), d("102")));
    assert_eq!(cost.average.round_dp(4), d("101.6667"));
    let all = ladder.cost(OrderSide::Sell, d("50")).unwrap();
    assert_eq!((all.qty, all.notional, all.worst), (d("3"), d("298"), d("99")), "as far as the book reaches");
    assert_eq!(ladder.cost(OrderSide::Buy, d("0")), None);
    assert_eq!(LocalBook::new().ladder(), None);
    assert_eq!(ladder.qty_within(OrderSide::Buy, d("101.9")), Some(d("1")));
    assert_eq!(ladder.qty_within(OrderSide::Sell, d("99")), Some(d("3")));
}

#[test]
fn snapshots_are_spaced_out_and_nobody_waits_twice() {
    let symbol = |text: &str| Symbol::parse(text).unwrap();
    let at = Timestamp::from_ms;
    let mut queue = SnapshotQueue::new(Duration::from_secs(1));
    assert_eq!((queue.due(), queue.take(at(5_000))), (None, None));
    for name in ["ABCUSDT", "XYZUSDT", "ABCUSDT", "QQQUSDT"] {
        queue.ask(symbol(name));
    }
    assert_eq!(queue.take(at(5_000)), Some(symbol("ABCUSDT")));
    assert_eq!((queue.due(), queue.take(at(5_999))), (Some(at(6_000)), None));
    queue.forget(&symbol("XYZUSDT"));
    queue.pause_until(at(9_000));
    assert_eq!(queue.take(at(8_999)), None);
    assert_eq!((queue.take(at(9_000)), queue.take(at(99_000))), (Some(symbol("QQQUSDT")), None));
}

/// A venue's book: one change an update, prices 1 to 40 around a middle that never crosses.
#[derive(Clone, Debug, Default)]
struct Model {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl Model {
    fn change(&mut self, side: bool, price: i64, qty: i64) {
        let book = if side { &mut self.bids } else { &mut self.asks };
        if qty == 0 {
            book.remove(&price);
        } else {
            book.insert(price, qty);
        }
    }

    fn snapshot(&self, last: i64) -> Depth {
        let row = |(price, qty): (&i64, &i64)| (Decimal::from(*price), Decimal::from(*qty));
        Depth {
            last_update_id: last,
            event_time: None,
            transaction_time: None,
            bids: self.bids.iter().rev().map(row).collect(),
            asks: self.asks.iter().map(row).collect(),
        }
    }
}

/// What befalls one message of the stream.
#[derive(Clone, Debug)]
enum Fate {
    Arrives,
    Lost,
    Twice,
    Reconnect,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => Just(Fate::Arrives),
        1 => Just(Fate::Lost),
        2 => Just(Fate::Twice),
        1 => Just(Fate::Reconnect),
    ]
}

proptest! {
    /// Whatever is lost, doubled or late: a book that is shown is the venue's book as of its last update.
    #[test]
    fn a_book_that_is_shown_is_the_venues(
        changes in prop::collection::vec(((any::<bool>(), 1_i64..20, 0_i64..4), 1_usize..4, fate(), 0_usize..6), 1..120),
    ) {
        let mut model = Model::default();
        let mut history = vec![model.clone()];
        let mut book = LocalBook::new();
        let (mut last, mut previous) = (0_i64, 0_i64);
        let (mut pending, mut first): (Vec<(bool, i64, i64)>, i64) = (Vec::new(), 1);
        // A snapshot is taken at some update and arrives a few messages later.
        let mut coming: Option<(usize, Depth)> = None;
        let mut was_shown = false;
        for ((side, offset, qty), batch, fate, delay) in changes {
            let price = if side { 20 - offset } else { 20 + offset };
            model.change(side, price, qty);
            last += 1;
            history.push(model.clone());
            pending.push((side, price, qty));
            if pending.len() < batch {
                continue;
            }
            let of = |wanted: bool| -> Vec<Level> {
                let mut rows = BTreeMap::new();
                for (_, price, qty) in pending.iter().filter(|(side, ..)| *side == wanted) {
                    rows.insert(*price, *qty);
                }
                rows.into_iter().map(|(price, qty)| Level(price.into(), qty.into())).collect()
            };
            let event = DepthEvent { bids: of(true), asks: of(false), ..diff(first, last, previous, &[], &[]) };
            (previous, first) = (last, last + 1);
            pending.clear();
            let next = match fate {
                Fate::Arrives => Some(book.on_diff(&event)),
                Fate::Twice => { book.on_diff(&event); Some(book.on_diff(&event)) }
                Fate::Lost => None,
                Fate::Reconnect => { book.restart(); Some(book.on_diff(&event)) }
            };
            if let Some((left, depth)) = coming.take() {
                if left == 0 { book.on_snapshot(&depth, LIMIT); } else { coming = Some((left - 1, depth)); }
            } else if next.is_some_and(|next| next != Next::Current) {
                coming = Some((delay, model.snapshot(last)));
            }
            if let (Some(ladder), Some(at)) = (book.ladder(), book.last_update_id()) {
                was_shown = true;
                let truth = history[usize::try_from(at).unwrap()].snapshot(at);
                prop_assert_eq!(ladder.bids().collect::<Vec<_>>(), truth.bids);
                prop_assert_eq!(ladder.asks().collect::<Vec<_>>(), truth.asks);
                prop_assert!(!ladder.is_crossed());
            }
        }
        let _ = was_shown;
    }
}
