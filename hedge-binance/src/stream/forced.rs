//! Which executions are the venue's own, liquidations and their like, and which have a name of ours.
//!
//! A history of executions names an order by its number only. A close whose order nobody here knows may be the venue's: that has
//! to be found out before it is told, because whoever is told of it once is not told again, and a leg that the venue closes by
//! force must open nothing. Or it is a panic close's: then it must not pass for the execution of an order of unknown fate.

use std::collections::{BTreeMap, BTreeSet};

use hedge_core::{
    BrokerError, Fill, InstrumentId, OrderRef, OrderReport, RejectReason, ReportedId, Timestamp, VenueOrderId,
};

use crate::{
    client::{Shared, Span},
    config::VISIBILITY_DELAY,
    decode,
    wire::order::OrderRow,
};

/// Rows per page of an account's orders (fact sheet 4.4).
const PAGE: u32 = 1_000;
/// Rows of forced orders. What is not among them is found by its execution.
const FORCED_PAGE: u32 = 100;
/// More orders than this are not asked for one by one where a list should have named them: that costs what stops may need.
const MOST_ASKED: usize = 50;

/// Orders of an instrument that nobody here knows, and when the first and the last of them executed.
#[derive(Debug)]
struct Unexplained {
    orders: BTreeSet<i64>,
    since: Timestamp,
    newest: Timestamp,
}

/// Some executions could not be named.
#[derive(Debug)]
pub(crate) struct Unnamed {
    /// Why.
    pub(crate) error: BrokerError,
    /// Whether that passes by itself within a moment: the venue does not show yet what has just executed.
    pub(crate) is_fresh: bool,
}

/// Puts the name of its order into each execution by which the venue closed a leg itself, or an order of ours did: a panic
/// close's is in no journal.
///
/// # Errors
/// [`Unnamed`] when that could not be found out for each of them; the others are named.
pub(crate) async fn name_forced(shared: &Shared, fills: &mut [Fill]) -> Result<(), Unnamed> {
    let mut makers = BTreeMap::new();
    let mut unexplained: BTreeMap<InstrumentId, Unexplained> = BTreeMap::new();
    for fill in fills.iter().filter(|fill| needs_a_name(fill)) {
        let key = (fill.instrument, fill.order);
        if let Some(maker) = shared.tracker.maker(&key) {
            makers.insert(key, maker);
            continue;
        }
        let since = fill.venue_time;
        let entry = unexplained.entry(fill.instrument).or_insert_with(|| Unexplained {
            orders: BTreeSet::new(),
            since,
            newest: since,
        });
        entry.orders.insert(fill.order.0);
        entry.since = entry.since.min(since);
        entry.newest = entry.newest.max(since);
    }
    let mut unnamed = None;
    for (instrument, unexplained) in unexplained {
        let (found, failed) = explain(shared, &instrument, unexplained).await;
        for (order, maker) in found {
            shared.tracker.note_maker((instrument, order), maker.clone());
            makers.insert((instrument, order), maker);
        }
        unnamed = unnamed.or(failed);
    }
    for fill in fills.iter_mut().filter(|fill| needs_a_name(fill)) {
        let maker = makers.get(&(fill.instrument, fill.order)).and_then(Option::as_ref);
        // How the venue calls the child of a conditional order of ours is not documented (fact sheet 5.3): another name says
        // nothing of whose it is.
        if let Some(id) = maker.filter(|id| id.forced().is_some() || id.ours().is_some()) {
            fill.client_id = Some(id.clone());
        }
    }
    unnamed.map_or(Ok(()), Err)
}

fn needs_a_name(fill: &Fill) -> bool {
    fill.client_id.is_none() && fill.is_close() == Some(true)
}

/// The client ids of orders; `None` for one that the venue does not know. And why one is missing.
///
/// The list of all orders from the oldest one on names nearly everything in one question. Whether it shows every order of the
/// venue's own is not documented, so what is missing is looked for among these, and asked for by its number in the end. A list
/// that cannot be had, or a row in it that cannot be read, keeps nobody from asking on.
async fn explain(
    shared: &Shared,
    instrument: &InstrumentId,
    Unexplained { orders: mut missing, since, newest }: Unexplained,
) -> (BTreeMap<VenueOrderId, Option<ReportedId>>, Option<Unnamed>) {
    let (rest, name) = (&shared.rest, instrument.symbol.as_str());
    let mut found = BTreeMap::new();
    let mut take = |rows: &[OrderRow], missing: &mut BTreeSet<i64>| {
        for row in rows {
            if let Some(id) = &row.client_order_id
                && missing.remove(&row.order_id)
            {
                found.insert(VenueOrderId(row.order_id), Some(ReportedId::parse(id)));
            }
        }
    };
    let mut no_list = None;
    let mut from = missing.first().copied();
    while let Some(first) = from {
        let rows = listed("allOrders", rest.all_orders_from(name, first, PAGE).await, &mut no_list);
        take(&rows, &mut missing);
        let last = rows.iter().map(|row| row.order_id).max().filter(|last| *last >= first);
        let is_full = rows.len() >= PAGE as usize;
        from = last.filter(|_| is_full).and_then(|last| missing.range(last + 1..).next().copied());
    }
    if !missing.is_empty() {
        let rows = rest.force_orders(Some(name), None, Span::since(since), FORCED_PAGE).await;
        let rows = listed("forceOrders", rows, &mut no_list);
        take(&rows, &mut missing);
    }
    if let Some(error) = no_list.filter(|_| missing.len() > MOST_ASKED) {
        return (found, Some(Unnamed { error, is_fresh: false }));
    }
    let mut unnamed = None;
    for number in missing {
        let order = VenueOrderId(number);
        match rest.order(name, &OrderRef::Plain(order)).await {
            Ok(row) => {
                let id = row.client_order_id.as_deref().map(ReportedId::parse);
                found.insert(order, id);
            }
            // A replica may not show yet what has just executed (fact sheet 14.6): that proves nothing.
            Err(error)
                if error.reason() == Some(RejectReason::NotFound)
                    && rest.venue_now() < newest.plus(VISIBILITY_DELAY) =>
            {
                let source = format!("order {number} of a fresh execution cannot be seen yet").into();
                let error = BrokerError::OutcomeUnknown { source };
                unnamed = Some(Unnamed { error, is_fresh: true });
            }
            // Somebody else's that has been forgotten (fact sheet 4.4, retention). The venue's own executes at once.
            Err(error) if error.reason() == Some(RejectReason::NotFound) => {
                tracing::warn!(target: "hedge::stream", %instrument, number, "the order of an execution is not known at the venue");
                found.insert(order, None);
            }
            Err(error) => {
                let is_about_one = matches!(error, BrokerError::Malformed { .. });
                unnamed.get_or_insert(Unnamed { error, is_fresh: false });
                // What keeps one question from being answered keeps the next ones too.
                if !is_about_one {
                    break;
                }
            }
        }
    }
    (found, unnamed)
}

/// The rows of a list, or none of them and why.
fn listed(
    what: &'static str,
    rows: Result<Vec<OrderRow>, BrokerError>,
    failed: &mut Option<BrokerError>,
) -> Vec<OrderRow> {
    rows.unwrap_or_else(|error| {
        tracing::warn!(target: "hedge::stream", %error, what, "a list of orders cannot be had");
        *failed = Some(error);
        Vec::new()
    })
}

/// The orders by which the venue closed legs of any instrument since an instant: also of one that nothing else speaks of any
/// more. A list that the venue refuses to give is left out: executions are named without it.
pub(crate) async fn forced_since(shared: &Shared, since: Timestamp) -> Result<Vec<OrderReport>, BrokerError> {
    let rows = match shared.rest.force_orders(None, None, Span::since(since), FORCED_PAGE).await {
        Ok(rows) => rows,
        Err(error @ BrokerError::Rejected { .. }) => {
            tracing::warn!(target: "hedge::stream", %error, "no list of forced orders");
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut reports = Vec::with_capacity(rows.len());
    for row in &rows {
        match decode::order_report(row) {
            Ok(report) => reports.push(report),
            Err(error) => {
                tracing::warn!(target: "hedge::stream", %error, order = row.order_id, "a forced order cannot be read");
            }
        }
    }
    Ok(reports)
}
