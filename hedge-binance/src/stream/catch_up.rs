//! What the private stream has said already, and how REST fills in what it did not.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use hedge_core::{
    AccountEvent, Balance, BrokerError, CashFlow, Fill, InstrumentId, LegSize, OrderRef, OrderReport,
    RejectReason, ReportedSide, SignedAmount, Timestamp, TradeId,
};

use super::{
    forced::{forced_since, name_forced},
    recent::Recent,
    tracker::{OrderKey, key_of},
    user::FlowHint,
};
use crate::{client::Shared, decode};

/// How much is remembered per kind. Older things are older than any back-fill.
const REMEMBERED: usize = 4_096;
/// A back-fill begins this long before the last event: streams and histories may disagree about the order of things.
const MARGIN: Duration = Duration::from_secs(60);
/// A flow's income row may carry a somewhat different time than its push.
const FLOW_MARGIN: Duration = Duration::from_secs(120);

/// Filters out what the consumer has heard: fills by (symbol, trade id), reports that are older than what is known, flows
/// by id.
#[derive(Debug)]
pub(crate) struct Heard {
    trades: BTreeMap<InstrumentId, BTreeSet<TradeId>>,
    reports: Recent<OrderKey, OrderReport>,
    flows: Recent<String>,
    recent_flows: VecDeque<(Timestamp, Option<InstrumentId>)>,
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            trades: BTreeMap::new(),
            reports: Recent::new(REMEMBERED),
            flows: Recent::new(REMEMBERED),
            recent_flows: VecDeque::new(),
        }
    }
}

impl Heard {
    /// Whether an event is new.
    pub(crate) fn is_new(&mut self, event: &AccountEvent) -> bool {
        match event {
            AccountEvent::Fill { fill } => self.is_new_fill(fill),
            AccountEvent::Order { report } => self.is_new_report(report),
            AccountEvent::CashFlow { flow } => self.is_new_flow(flow),
            _ => true,
        }
    }

    fn is_new_fill(&mut self, fill: &Fill) -> bool {
        let trades = self.trades.entry(fill.instrument).or_default();
        let is_new = trades.insert(fill.trade_id);
        if trades.len() > REMEMBERED {
            trades.pop_first();
        }
        is_new
    }

    fn is_new_report(&mut self, report: &OrderReport) -> bool {
        let Some(key) = key_of(&report.order) else { return true };
        if self.reports.get(&key).is_some_and(|known| !supersedes(report, known)) {
            return false;
        }
        self.reports.insert(key, report.clone());
        true
    }

    fn is_new_flow(&mut self, flow: &CashFlow) -> bool {
        if !self.flows.insert(flow.id.clone(), ()) {
            return false;
        }
        self.recent_flows.push_back((flow.venue_time, flow.instrument));
        if self.recent_flows.len() > REMEMBERED {
            self.recent_flows.pop_front();
        }
        true
    }

    /// Whether the flow that a push hinted at has been heard.
    pub(crate) fn knows_flow(&self, hint: &FlowHint) -> bool {
        self.recent_flows.iter().any(|(at, instrument)| {
            let near = at.since(hint.at) <= FLOW_MARGIN && hint.at.since(*at) <= FLOW_MARGIN;
            near && (hint.instrument.is_none() || *instrument == hint.instrument)
        })
    }
}

/// Whether a report says more than what is known about its order. States never go back: neither from an end, nor to a smaller
/// filled quantity, nor in time. An end is news whatever its time: a query's time and a push's need not agree.
fn supersedes(report: &OrderReport, known: &OrderReport) -> bool {
    match (known.state.is_terminal(), report.state.is_terminal()) {
        (true, false) => return false,
        (false, true) => return true,
        (true, true) | (false, false) => {}
    }
    if report.filled < known.filled || report.venue_time < known.venue_time {
        return false;
    }
    report != known
}

/// New flows since shortly before a hint, from the income history.
pub(crate) async fn flows_near(shared: &Shared, hint: &FlowHint) -> Result<Vec<CashFlow>, BrokerError> {
    shared.rest.flows_since(hint.at.minus(FLOW_MARGIN)).await
}

/// Everything that may have happened since `since`, from REST: fills, orders, flows, legs, balances, in this order.
///
/// Source: fact sheet appendix B, steps 3 to 5.
pub(crate) async fn catch_up(shared: &Shared, since: Timestamp) -> Result<Vec<AccountEvent>, BrokerError> {
    let since = since.minus(MARGIN);
    let rest = &shared.rest;
    let mut orders = Vec::new();
    for row in rest.open_orders(None).await? {
        orders.push(decode::order_report(&row)?);
    }
    for row in rest.open_algo_orders(None).await?.iter().filter(|row| row.actual_order_id.is_none()) {
        orders.push(decode::algo_report(row)?);
    }
    orders.extend(ended(shared, &orders).await?);
    orders.extend(forced_since(shared, since).await?);
    let positions = rest.position_risk_v3(None).await?;
    let legs = positions.iter().map(decode::leg_size).collect::<Result<Vec<_>, _>>()?;

    let mut instruments = shared.tracker.instruments();
    instruments.extend(orders.iter().map(|report| report.instrument));
    instruments.extend(legs.iter().map(|leg| leg.instrument));
    let mut events = Vec::new();
    // What the venue itself has given is named before its executions.
    let forced = orders.iter().filter(|report| report.forced().is_some());
    events.extend(forced.cloned().map(|report| AccountEvent::Order { report }));
    for report in &orders {
        // Only its name: what became of an order counts as told when it has been.
        if let OrderRef::Plain(number) = report.order {
            shared.tracker.note_maker((report.instrument, number), Some(report.client_id.clone()));
        }
    }
    for instrument in &instruments {
        let mut fills = rest.fills_since(instrument.symbol.as_str(), since).await?;
        name_forced(shared, &mut fills).await.map_err(|unnamed| unnamed.error)?;
        events.extend(fills.into_iter().map(|fill| AccountEvent::Fill { fill }));
    }
    events.extend(orders.into_iter().map(|report| AccountEvent::Order { report }));
    let flows = rest.flows_since(since).await?;
    events.extend(flows.into_iter().map(|flow| AccountEvent::CashFlow { flow }));

    let account = rest.account_v3().await?;
    let venue_time = rest.venue_now();
    events.push(AccountEvent::Legs { legs: with_flat_legs(legs, &instruments), venue_time });
    let mut balances = Vec::with_capacity(account.assets.len());
    for row in &account.assets {
        balances.push(Balance {
            asset: hedge_core::Asset::parse(&row.asset).map_err(|error| decode::err("asset", error))?,
            wallet: SignedAmount::from_decimal(row.wallet_balance),
            available: Some(SignedAmount::from_decimal(row.available_balance)),
        });
    }
    events.push(AccountEvent::Balances { balances, venue_time });
    Ok(events)
}

/// What became of orders that were open and are not listed any more.
async fn ended(shared: &Shared, listed: &[OrderReport]) -> Result<Vec<OrderReport>, BrokerError> {
    let listed: BTreeSet<OrderKey> = listed.iter().filter_map(|report| key_of(&report.order)).collect();
    let mut reports = Vec::new();
    for (key, (instrument, order)) in shared.tracker.open() {
        if listed.contains(&key) {
            continue;
        }
        match shared.rest.report(instrument.symbol.as_str(), &order).await {
            Ok(report) => reports.push(report),
            // Long gone (fact sheet 4.4, retention). The engine asks by client id if it still cares.
            Err(error) if error.reason() == Some(RejectReason::NotFound) => {
                tracing::warn!(target: "hedge::stream", ?key, %instrument, "an order that was open is not known any more");
                shared.tracker.forget(key);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(reports)
}

/// The venue leaves flat legs out; for what we trade, absence is said aloud.
fn with_flat_legs(mut legs: Vec<LegSize>, instruments: &BTreeSet<InstrumentId>) -> Vec<LegSize> {
    for instrument in instruments {
        for side in [ReportedSide::Long, ReportedSide::Short] {
            if !legs.iter().any(|leg| {
                leg.instrument == *instrument && (leg.side == side || leg.side == ReportedSide::Both)
            }) {
                legs.push(LegSize {
                    instrument: *instrument,
                    side,
                    qty: hedge_core::Decimal::ZERO,
                    entry: None,
                });
            }
        }
    }
    legs
}

#[cfg(test)]
mod tests {
    use super::*;
    use hedge_core::{
        Coverage, Decimal, OrderRef, OrderSide, ReportedId, ReportedKind, ReportedState, VenueOrderId,
    };

    fn report(state: ReportedState, filled: i64, ms: i64) -> OrderReport {
        OrderReport {
            instrument: InstrumentId::binance("ETHUSDT").unwrap(),
            client_id: ReportedId::parse("h1"),
            order: OrderRef::Plain(VenueOrderId(1)),
            side: ReportedSide::Long,
            order_side: OrderSide::Buy,
            kind: ReportedKind::Limit,
            price: None,
            trigger: None,
            qty: None,
            filled: Decimal::from(filled),
            average: None,
            covers: Coverage::Qty,
            state,
            reason: None,
            venue_time: Timestamp::from_ms(ms),
        }
    }

    fn order(state: ReportedState, filled: i64, ms: i64) -> AccountEvent {
        AccountEvent::Order { report: report(state, filled, ms) }
    }

    #[test]
    fn an_order_never_goes_back() {
        let mut heard = Heard::default();
        assert!(heard.is_new(&order(ReportedState::PartiallyFilled, 2, 10)));
        assert!(!heard.is_new(&order(ReportedState::Working, 0, 5)), "older");
        assert!(!heard.is_new(&order(ReportedState::PartiallyFilled, 2, 10)), "the same");
        assert!(heard.is_new(&order(ReportedState::Filled, 3, 10)));
        assert!(!heard.is_new(&order(ReportedState::PartiallyFilled, 3, 10)), "not from an end");
    }

    #[test]
    fn an_end_is_news_even_when_its_time_is_behind() {
        let mut heard = Heard::default();
        assert!(heard.is_new(&order(ReportedState::Working, 0, 10)));
        assert!(heard.is_new(&order(ReportedState::Canceled, 0, 9)));
        assert!(!heard.is_new(&order(ReportedState::Working, 0, 11)));
    }

    #[test]
    fn a_flow_that_was_hinted_at_is_known_by_time_and_instrument() {
        let mut heard = Heard::default();
        let eth = Some(InstrumentId::binance("ETHUSDT").unwrap());
        let btc = Some(InstrumentId::binance("BTCUSDT").unwrap());
        let flow = CashFlow {
            kind: hedge_core::CashFlowKind::Funding,
            amount: hedge_core::Amount::usdt(Decimal::ONE),
            instrument: eth,
            venue_time: Timestamp::from_ms(1_795_190_400_000),
            id: "FUNDING_FEE:1:ETHUSDT".into(),
        };
        assert!(heard.is_new(&AccountEvent::CashFlow { flow: flow.clone() }));
        assert!(!heard.is_new(&AccountEvent::CashFlow { flow }));
        let hint = |ms, instrument| FlowHint { at: Timestamp::from_ms(ms), instrument };
        assert!(heard.knows_flow(&hint(1_795_190_400_007, eth)));
        assert!(heard.knows_flow(&hint(1_795_190_400_007, None)));
        assert!(!heard.knows_flow(&hint(1_795_190_400_007, btc)));
        assert!(!heard.knows_flow(&hint(1_795_194_000_000, eth)), "the next settlement");
    }
}
