//! What must hold after every drill: nothing twice, nothing lost, no leg bare, books equal, the journal whole.

use std::collections::{BTreeMap, BTreeSet};

use hedge_core::{Asset, ClientOrderId};
use rust_decimal::Decimal;

use super::{
    exchange::{Account, Exchange, LegName, legs_words},
    history::{History, is_panics, twice},
    tail::Tail,
};

/// Names that one finding lists.
const MOST_NAMES: usize = 4;

/// One look at exchange and journal.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    /// The account changed while it was looked at: the rest says nothing.
    pub(super) is_moving: bool,
    pub(super) twice: Vec<String>,
    pub(super) lost: Vec<String>,
    pub(super) bare: Vec<LegName>,
    pub(super) books: Vec<String>,
    pub(super) journal: Vec<String>,
    pub(super) orders: usize,
    pub(super) executions: u64,
    pub(super) records: u64,
}

impl Findings {
    /// Whether all is well, now.
    pub(super) fn is_agreed(&self) -> bool {
        !self.is_moving
            && self.bare.is_empty()
            && [&self.twice, &self.lost, &self.books, &self.journal].iter().all(|list| list.is_empty())
    }

    /// What is wrong, for the verdict; `fine` where nothing is.
    pub(super) fn or(list: &[String], fine: &str) -> String {
        match list {
            [] => fine.to_owned(),
            list => {
                let more = list.len().saturating_sub(MOST_NAMES);
                let named = list.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join("; ");
                if more > 0 { format!("{named}; and {more} more") } else { named }
            }
        }
    }
}

/// Looks once. The journal is read between two looks at the account, so that it is at least as far as the exchange.
pub(super) fn look(exchange: &Exchange, tail: &mut Tail) -> Findings {
    let before = exchange.account();
    let history = exchange.history();
    tail.follow();
    let account = exchange.account();
    let mut findings = Findings {
        is_moving: before != account,
        bare: account.bare.clone(),
        journal: tail.wrong.clone(),
        orders: history.values().map(Vec::len).sum(),
        executions: account.executions,
        records: tail.records,
        ..Findings::default()
    };
    same_books(&account, tail, &mut findings.books);
    same_history(&history, tail, &mut findings);
    findings
}

fn same_books(account: &Account, tail: &Tail, books: &mut Vec<String>) {
    let book = &tail.book;
    let ours = tail.legs();
    if ours != account.legs {
        let names = |legs: &BTreeMap<LegName, Decimal>| {
            legs.iter()
                .map(|(leg, qty)| format!("{} {qty}", legs_words([leg])))
                .collect::<Vec<_>>()
                .join(", ")
        };
        books.push(format!("legs: journal {}, exchange {}", names(&ours), names(&account.legs)));
    }
    let wallet = book.wallet(&Asset::usdt()).normalize();
    if wallet != account.wallet {
        books.push(format!("wallet: journal {wallet}, exchange {}", account.wallet));
    }
    let live: BTreeSet<String> = book.live_orders().map(|order| order.client_id.to_string()).collect();
    if live != account.open {
        let (here, there) = (live.difference(&account.open).count(), account.open.difference(&live).count());
        books.push(format!("open orders: {here} only in the journal, {there} only at the exchange"));
    }
    for (what, found) in [
        ("orders of unknown outcome", book.doubtful_orders() as usize),
        ("orders of somebody else", book.foreign_orders().len()),
    ] {
        if found > 0 {
            books.push(format!("{found} {what}"));
        }
    }
    let corrections = book.totals().corrections;
    if !corrections.is_zero() {
        books.push(format!("{corrections} USDT were taken over without an explanation"));
    }
}

fn same_history(history: &History, tail: &Tail, findings: &mut Findings) {
    findings.twice = twice(history);
    for (id, rows) in history {
        let [row] = rows.as_slice() else { continue };
        // What a panic close has sent is booked by its executions, which are counted below.
        let is_panics = is_panics(id);
        if !is_panics && !tail.approved.contains_key(id) {
            findings.lost.push(format!("{id} reached the exchange and is not in the journal"));
            continue;
        }
        let order = ClientOrderId::parse(id).ok().and_then(|id| tail.book.order(&id));
        let booked = order.map_or(Decimal::ZERO, |order| order.filled.normalize());
        if row.traded != row.executed || !is_panics && booked != row.executed {
            findings.lost.push(format!(
                "{id}: {} executed, {} told as executions, {booked} booked",
                row.executed, row.traded
            ));
        }
    }
    // The other way round: what counts as filled was executed there.
    for order in tail.book.orders().filter(|order| !order.filled.is_zero()) {
        if !history.contains_key(order.client_id.as_str()) {
            findings.lost.push(format!("{} is filled, and the exchange never had it", order.client_id));
        }
    }
    let booked = tail.book.totals().fills;
    if booked > findings.executions {
        findings.twice.push(format!("{booked} executions are booked, {} were made", findings.executions));
    }
    if booked < findings.executions {
        findings.lost.push(format!("{booked} executions are booked, {} were made", findings.executions));
    }
}
