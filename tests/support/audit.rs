//! Journal, views and exchange of one state directory, compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use hedge_core::{Asset, Book, Decision, Envelope, Event, position::Action};
use hedge_sim::{binance::ExchangeHandle, venue::OrderType};
use rust_decimal::Decimal;

use super::{
    exchange::{open_orders, placed},
    json,
};

/// Every order that was approved, by its client id.
pub fn approved(records: &[Envelope]) -> impl Iterator<Item = (&str, &Envelope)> {
    records.iter().filter_map(|record| match &record.event {
        Event::Decision(Decision::OrderApproved { client_id, .. }) => Some((client_id.as_str(), record)),
        _ => None,
    })
}

/// The book that the records lead to.
pub fn folded(records: &[Envelope]) -> Book {
    let mut book = Book::default();
    let mut changes = Vec::new();
    for record in records {
        book.apply(record, &mut changes);
        changes.clear();
    }
    book
}

/// Quantity by symbol and side.
pub type Legs = BTreeMap<(String, String), Decimal>;

/// Journal, views and exchange tell the same story.
pub fn books_equal_the_exchange(dir: &Path, records: &[Envelope], exchange: &ExchangeHandle) {
    let book = folded(records);
    let there: Legs = exchange
        .legs()
        .unwrap()
        .into_iter()
        .map(|leg| {
            let side = format!("{:?}", leg.position_side).to_uppercase();
            ((leg.symbol, side), leg.qty.abs().normalize())
        })
        .collect();
    let ours: Legs = book
        .open_legs()
        .map(|leg| ((leg.key.instrument.symbol.to_string(), leg.key.side.to_string()), leg.qty.normalize()))
        .collect();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let shown: Legs = json(&dir.join("positions.json"))["positions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                (text(&row["symbol"]), text(&row["side"])),
                text(&row["qty"]).parse::<Decimal>().unwrap().normalize(),
            )
        })
        .collect();
    assert_eq!(ours, there, "legs of the journal and of the exchange");
    assert_eq!(shown, there, "positions.json and the exchange");

    let usdt = exchange.wallet().unwrap().into_iter().find(|row| row.asset == "USDT").unwrap();
    assert_eq!(book.wallet(&Asset::usdt()).normalize(), usdt.wallet_balance.normalize(), "wallet");
    let totals = book.totals();
    assert_eq!(totals.corrections, Decimal::ZERO, "money was taken over without an explanation");
    let explained = totals.nav_start + totals.realized + book.unrealized() - totals.fees + totals.funding;
    assert_eq!(book.equity(), explained);
    let trades: usize = exchange.symbols().iter().map(|symbol| exchange.trades(symbol).unwrap().len()).sum();
    assert_eq!(totals.fills, trades as u64, "every execution is booked once");

    let (plain, algos) = open_orders(exchange);
    let open: BTreeSet<String> = plain
        .iter()
        .map(|order| order.client_order_id.clone())
        .chain(algos.iter().map(|algo| algo.client_algo_id.clone()))
        .collect();
    let live: BTreeSet<String> =
        book.live_orders().map(|order| order.client_id.as_str().to_owned()).collect();
    assert_eq!(live, open, "open orders");
    assert_eq!((book.doubtful_orders(), book.foreign_orders().len()), (0, 0));

    for (leg, qty) in &there {
        let stop = algos.iter().find(|algo| {
            let side = format!("{:?}", algo.position_side).to_uppercase();
            (algo.symbol.as_str(), side.as_str()) == (leg.0.as_str(), leg.1.as_str())
                && algo.order_type == OrderType::StopMarket
                && (algo.close_position || algo.qty >= *qty)
        });
        assert!(stop.is_some(), "{leg:?} has no stop: {algos:#?}");
    }
}

/// No intent became two orders, no order was sent twice.
pub fn nothing_is_doubled(dir: &Path, records: &[Envelope]) {
    let mut ids = BTreeSet::new();
    let mut openings = BTreeMap::new();
    for (id, record) in approved(records) {
        assert!(ids.insert(id.to_owned()), "{id} was approved twice");
        if let Event::Decision(Decision::OrderApproved { leg, .. }) = &record.event
            && leg.action() == Action::Open
        {
            let cause = record.cause.expect("an opening has a cause");
            assert_eq!(openings.insert(cause, id), None, "the decision {cause} became two orders");
        }
    }
    assert!(openings.len() >= 10, "only {} openings: that proves little", openings.len());
    let placed = placed(dir);
    assert!(placed.values().all(|&times| times == 1), "{placed:?}");
    assert!(placed.keys().all(|id| ids.contains(id)));
}
