//! Between the engine's words and the simulated exchange's: what a venue client does between two parsers.

use hedge_core::{
    AccountEvent, Amount, Asset, CashFlow, CashFlowKind, InstrumentId, SignedAmount, Timestamp, TradeId,
};
pub(super) use hedge_sim::translate::{
    ACCOUNT, algo_report, cancel, flow_of, past_fill, place, position_with_prices as position, reason_of,
    report_of, taken,
};
use hedge_sim::{
    translate::{news, statements},
    venue::{EventBody, IncomeType, IncomeView, VenueEvent},
};

/// What an event of the exchange says, in the order in which its stream says it.
pub(super) fn told(event: &VenueEvent, out: &mut Vec<AccountEvent>) {
    let mut say = |event| out.push(event);
    match &event.body {
        EventBody::Account(update) => statements(update, event.at_ms, &mut say),
        // Nobody here asks what the leverage is.
        EventBody::Leverage { .. } => {}
        _ => news(event, &mut say),
    }
}

/// A ledger row as a flow, for a reader of the whole ledger: fees of executions are in it too.
pub(super) fn flow_or_fee_of(row: &IncomeView) -> Option<CashFlow> {
    if row.income_type != IncomeType::Commission {
        return flow_of(row);
    }
    let instrument = InstrumentId::binance(&row.symbol).ok()?;
    Some(CashFlow {
        kind: CashFlowKind::Fee,
        amount: Amount { asset: Asset::parse(&row.asset).ok()?, value: SignedAmount::new(row.income).ok()? },
        instrument: Some(instrument),
        venue_time: Timestamp::from_ms(row.time_ms),
        id: CashFlow::fee_id(&instrument, TradeId(row.trade_id.parse().ok()?)),
    })
}
