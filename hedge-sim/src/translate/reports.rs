//! What the exchange tells, in the engine's words.

use hedge_core::{
    AccountEvent, Amount, Asset, Balance, CashFlow, CashFlowKind, Coverage, Fact, Fill, InstrumentId,
    LegSize, Leverage, OrderRef, OrderReport, Price, Qty, ReportedId, ReportedKind, ReportedSide,
    ReportedState, SignedAmount, Timestamp, TradeId, VenueOrderId,
};

use crate::venue::{
    self, AccountUpdate, AlgoView, EventBody, IncomeType, IncomeView, OrderStatus, OrderType, OrderUpdate,
    OrderView, TradeView, UpdateReason, VenueEvent,
};

/// The facts in one event of the exchange, in the order in which its streams tell them: for a driver that lives in the
/// same thread, and needs no statements to check itself against.
pub(crate) fn facts(event: &VenueEvent, out: &mut impl FnMut(Fact)) {
    let mut account = |event: AccountEvent| out(Fact::Account { event: Box::new(event) });
    match &event.body {
        EventBody::Account(update) if update.reason != UpdateReason::Order => {
            sums(event, update).into_iter().for_each(account);
        }
        EventBody::Leverage { .. } => {}
        _ => news(event, &mut account),
    }
}

/// What an event says about orders, executions and settings.
pub fn news(event: &VenueEvent, out: &mut impl FnMut(AccountEvent)) {
    match &event.body {
        EventBody::Order(update) => {
            if let Some(fill) = fill_of(update) {
                out(AccountEvent::Fill { fill });
            }
            if let Some(report) = report_of(&update.order, Some(update)) {
                out(AccountEvent::Order { report });
            }
        }
        EventBody::Algo(view) => {
            if let Some(report) = algo_report(view) {
                out(AccountEvent::Order { report });
            }
        }
        EventBody::Leverage { symbol, leverage } => {
            if let (Ok(instrument), Ok(leverage)) = (InstrumentId::binance(symbol), Leverage::new(*leverage))
            {
                out(AccountEvent::LeverageChanged { instrument, leverage });
            }
        }
        EventBody::MarginCall(_) => out(AccountEvent::MarginCall { detail: "margin call".to_owned() }),
        EventBody::Account(_) | EventBody::Trade(_) => {}
    }
}

/// Where legs and wallets stand after a change, for a cross-check.
pub fn statements(update: &AccountUpdate, at_ms: i64, out: &mut impl FnMut(AccountEvent)) {
    let venue_time = Timestamp::from_ms(at_ms);
    let legs: Vec<LegSize> = update.positions.iter().filter_map(leg_size).collect();
    if !legs.is_empty() {
        out(AccountEvent::Legs { legs, venue_time });
    }
    let balances: Vec<Balance> = update
        .balances
        .iter()
        .filter_map(|row| {
            let asset = Asset::parse(&row.asset).ok()?;
            Some(Balance { asset, wallet: SignedAmount::from_decimal(row.wallet), available: None })
        })
        .collect();
    if !balances.is_empty() {
        out(AccountEvent::Balances { balances, venue_time });
    }
}

/// Money that moved without a trade, one sum an asset.
fn sums(event: &VenueEvent, update: &AccountUpdate) -> Vec<AccountEvent> {
    let kind = match update.reason {
        UpdateReason::FundingFee => CashFlowKind::Funding,
        UpdateReason::Deposit | UpdateReason::Withdraw => CashFlowKind::Transfer,
        other => CashFlowKind::Other(other.as_str().to_owned()),
    };
    let flow = |row: &venue::BalanceChange| {
        Some(AccountEvent::CashFlow {
            flow: CashFlow {
                kind: kind.clone(),
                amount: Amount::new(Asset::parse(&row.asset).ok()?, row.change),
                instrument: InstrumentId::binance(&update.symbol).ok(),
                venue_time: Timestamp::from_ms(event.at_ms),
                id: format!("{}:{}:{}", update.reason.as_str(), event.at_ms, update.symbol),
            },
        })
    };
    update.balances.iter().filter_map(flow).collect()
}

/// A ledger row as a flow; `None` for what fills say already.
pub fn flow_of(row: &IncomeView) -> Option<CashFlow> {
    let kind = match row.income_type {
        IncomeType::RealizedPnl | IncomeType::Commission => return None,
        IncomeType::FundingFee => CashFlowKind::Funding,
        IncomeType::Transfer => CashFlowKind::Transfer,
        other => CashFlowKind::Other(other.as_str().to_owned()),
    };
    Some(CashFlow {
        kind,
        amount: Amount::new(Asset::parse(&row.asset).ok()?, row.income),
        instrument: InstrumentId::binance(&row.symbol).ok(),
        venue_time: Timestamp::from_ms(row.time_ms),
        id: format!("{}:{}:{}", row.income_type.as_str(), row.tran_id, row.symbol),
    })
}

fn fill_of(update: &OrderUpdate) -> Option<Fill> {
    let part = update.fill.as_ref()?;
    let order = &update.order;
    Some(Fill {
        instrument: InstrumentId::binance(&order.symbol).ok()?,
        trade_id: TradeId(i64::try_from(part.trade_id).ok()?),
        order: number(order.order_id),
        client_id: Some(ReportedId::parse(&order.client_order_id)),
        side: side_of(order.position_side),
        order_side: order_side(order.side),
        qty: Qty::new(part.qty).ok()?,
        price: Price::new(part.price).ok()?,
        fee: Amount::new(Asset::parse(&part.fee_asset).ok()?, part.fee),
        realized: Some(SignedAmount::from_decimal(part.realized_pnl)),
        maker: part.maker,
        venue_time: Timestamp::from_ms(order.update_ms),
    })
}

/// A past execution as a fill. Like the vendor's history it carries no client id.
pub fn past_fill(trade: &TradeView) -> Option<Fill> {
    Some(Fill {
        instrument: InstrumentId::binance(&trade.symbol).ok()?,
        trade_id: TradeId(i64::try_from(trade.trade_id).ok()?),
        order: number(trade.order_id),
        client_id: None,
        side: side_of(trade.position_side),
        order_side: order_side(trade.side),
        qty: Qty::new(trade.qty).ok()?,
        price: Price::new(trade.price).ok()?,
        fee: Amount::new(Asset::parse(&trade.commission_asset).ok()?, trade.commission),
        realized: Some(SignedAmount::from_decimal(trade.realized_pnl)),
        maker: trade.maker,
        venue_time: Timestamp::from_ms(trade.time_ms),
    })
}

/// A plain order as a report.
pub fn report_of(order: &OrderView, update: Option<&OrderUpdate>) -> Option<OrderReport> {
    let reason =
        update.filter(|update| !order.status.is_open() && update.expiry != venue::ExpiryReason::None);
    Some(OrderReport {
        instrument: InstrumentId::binance(&order.symbol).ok()?,
        client_id: ReportedId::parse(&order.client_order_id),
        order: OrderRef::Plain(number(order.order_id)),
        side: side_of(order.position_side),
        order_side: order_side(order.side),
        kind: kind_of(order.order_type),
        price: Price::new(order.price).ok(),
        trigger: Price::new(order.stop_price).ok(),
        qty: Qty::new(order.orig_qty).ok(),
        filled: order.executed_qty,
        average: Price::new(order.avg_price).ok(),
        covers: if order.close_position { Coverage::WholeLeg } else { Coverage::Qty },
        state: state_of(order.status),
        reason: reason.map(|update| format!("expired, reason {}", update.expiry.as_str())),
        venue_time: Timestamp::from_ms(order.update_ms),
    })
}

/// A conditional order as a report.
pub fn algo_report(view: &AlgoView) -> Option<OrderReport> {
    Some(OrderReport {
        instrument: InstrumentId::binance(&view.symbol).ok()?,
        client_id: ReportedId::parse(&view.client_algo_id),
        order: algo_ref(view),
        side: side_of(view.position_side),
        order_side: order_side(view.side),
        kind: kind_of(view.order_type),
        price: Price::new(view.price).ok(),
        trigger: Price::new(view.trigger_price).ok(),
        qty: Qty::new(view.qty).ok(),
        filled: view.actual_qty,
        average: Price::new(view.actual_price).ok(),
        covers: if view.close_position { Coverage::WholeLeg } else { Coverage::Qty },
        state: algo_state(view),
        reason: (!view.reject_reason.is_empty()).then(|| view.reject_reason.clone()),
        venue_time: Timestamp::from_ms(view.update_ms),
    })
}

/// Where the exchange's legs stand, for a cross-check.
pub(crate) fn leg_size(view: &venue::PositionView) -> Option<LegSize> {
    Some(LegSize {
        instrument: InstrumentId::binance(&view.symbol).ok()?,
        side: side_of(view.position_side),
        qty: view.qty.abs(),
        entry: Price::new(view.entry_price).ok(),
    })
}

/// An asset of the exchange as a balance.
pub(crate) fn balance(view: &venue::AssetView) -> Option<Balance> {
    Some(Balance {
        asset: Asset::parse(&view.asset).ok()?,
        wallet: SignedAmount::from_decimal(view.wallet_balance),
        available: Some(SignedAmount::from_decimal(view.available_balance)),
    })
}

pub(crate) fn number(id: u64) -> VenueOrderId {
    VenueOrderId(i64::try_from(id).unwrap_or(i64::MAX))
}

pub(crate) fn algo_ref(view: &AlgoView) -> OrderRef {
    OrderRef::Algo { id: number(view.algo_id), child: view.actual_order_id.map(number) }
}

pub(super) const fn side_of(side: venue::PositionSide) -> ReportedSide {
    match side {
        venue::PositionSide::Both => ReportedSide::Both,
        venue::PositionSide::Long => ReportedSide::Long,
        venue::PositionSide::Short => ReportedSide::Short,
    }
}

pub(super) const fn order_side(side: venue::Side) -> hedge_core::OrderSide {
    match side {
        venue::Side::Buy => hedge_core::OrderSide::Buy,
        venue::Side::Sell => hedge_core::OrderSide::Sell,
    }
}

pub(super) const fn kind_of(kind: OrderType) -> ReportedKind {
    match kind {
        OrderType::Limit => ReportedKind::Limit,
        OrderType::Market => ReportedKind::Market,
        OrderType::Stop => ReportedKind::Stop,
        OrderType::StopMarket => ReportedKind::StopMarket,
        OrderType::TakeProfit => ReportedKind::TakeProfit,
        OrderType::TakeProfitMarket => ReportedKind::TakeProfitMarket,
        OrderType::TrailingStopMarket => ReportedKind::TrailingStop,
        OrderType::Liquidation => ReportedKind::Liquidation,
    }
}

pub(crate) const fn state_of(status: OrderStatus) -> ReportedState {
    match status {
        OrderStatus::New => ReportedState::Working,
        OrderStatus::PartiallyFilled => ReportedState::PartiallyFilled,
        OrderStatus::Filled => ReportedState::Filled,
        OrderStatus::Canceled => ReportedState::Canceled,
        OrderStatus::Expired | OrderStatus::ExpiredInMatch => ReportedState::Expired,
    }
}

pub(crate) const fn algo_state(view: &AlgoView) -> ReportedState {
    match view.status {
        venue::AlgoStatus::New => ReportedState::Working,
        venue::AlgoStatus::Triggering => ReportedState::Triggering,
        venue::AlgoStatus::Triggered => ReportedState::Triggered,
        venue::AlgoStatus::Finished => ReportedState::Finished,
        venue::AlgoStatus::Canceled => ReportedState::Canceled,
        venue::AlgoStatus::Expired => ReportedState::Expired,
        venue::AlgoStatus::Rejected => ReportedState::Rejected,
    }
}
