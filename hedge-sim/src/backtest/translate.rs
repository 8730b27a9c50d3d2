//! Between the engine's words and the exchange's: orders to commands, events to facts.

use hedge_core::{
    AccountEvent, Amount, Asset, Balance, CashFlow, CashFlowKind, ClientOrderId, Coverage, Entry, Exit, Fact,
    Fill, InstrumentId, Leg, LegSize, Order, OrderRef, OrderReport, Outcome, Price, Qty, RejectReason,
    ReportedId, ReportedKind, ReportedSide, ReportedState, SignedAmount, Tif, Timestamp, TradeId, TriggerBy,
    VenueOrderId,
};
use rust_decimal::Decimal;

use crate::venue::{
    self, AccountId, AlgoView, Command, EventBody, NewAlgo, NewOrder, OrderStatus, OrderType, OrderUpdate,
    OrderView, Reply, TradeView, UpdateReason, VenueError, VenueEvent,
};

/// The account that a backtest trades on.
pub(crate) const ACCOUNT: AccountId = AccountId(0);

/// The command that places an order.
pub(crate) fn place(order: &Order) -> Command {
    let symbol = order.position().instrument.symbol.as_str();
    let side = match order.side() {
        hedge_core::OrderSide::Buy => venue::Side::Buy,
        hedge_core::OrderSide::Sell => venue::Side::Sell,
    };
    let leg = Some(match order.position().side {
        hedge_core::PositionSide::Long => venue::PositionSide::Long,
        hedge_core::PositionSide::Short => venue::PositionSide::Short,
    });
    let id = Some(order.client_id().as_str().to_owned());
    let qty = order.qty().get();
    let plain = |limit: Option<(Price, Tif)>| {
        let mut new = NewOrder::market(ACCOUNT, symbol, side, qty);
        new.position_side = leg;
        new.client_order_id.clone_from(&id);
        if let Some((price, tif)) = limit {
            new.order_type = OrderType::Limit;
            new.price = Some(price.get());
            let (tif, until) = tif_of(tif);
            new.tif = Some(tif);
            new.good_till_ms = until;
        }
        Command::Place(new)
    };
    match order.leg() {
        Leg::Open(Entry::Market) | Leg::Close(Exit::Market, _) => plain(None),
        Leg::Open(Entry::Limit { price, tif }) | Leg::Close(Exit::Limit { price, tif }, _) => {
            plain(Some((*price, *tif)))
        }
        Leg::Close(exit, covers) => {
            let mut algo = NewAlgo::of(ACCOUNT, symbol, side, OrderType::StopMarket);
            algo.position_side = leg;
            algo.client_algo_id = id;
            algo.qty = (*covers == Coverage::Qty).then_some(qty);
            algo.close_position = *covers == Coverage::WholeLeg;
            let by = match exit {
                Exit::StopMarket { trigger, by } => {
                    algo.trigger_price = Some(trigger.get());
                    by
                }
                Exit::TakeProfitMarket { trigger, by } => {
                    algo.order_type = OrderType::TakeProfitMarket;
                    algo.trigger_price = Some(trigger.get());
                    by
                }
                Exit::TrailingStop { activate, callback, by } => {
                    algo.order_type = OrderType::TrailingStopMarket;
                    algo.activate_price = activate.map(Price::get);
                    algo.callback_rate = Some(callback.get() / Decimal::ONE_HUNDRED);
                    by
                }
                Exit::Market | Exit::Limit { .. } => &TriggerBy::Last,
            };
            algo.working_type = Some(match by {
                TriggerBy::Mark => venue::WorkingType::Mark,
                TriggerBy::Last => venue::WorkingType::Contract,
            });
            Command::PlaceAlgo(algo)
        }
    }
}

const fn tif_of(tif: Tif) -> (venue::Tif, Option<i64>) {
    match tif {
        Tif::Gtc => (venue::Tif::Gtc, None),
        Tif::Ioc => (venue::Tif::Ioc, None),
        Tif::Fok => (venue::Tif::Fok, None),
        Tif::PostOnly => (venue::Tif::Gtx, None),
        Tif::Gtd { until } => (venue::Tif::Gtd, Some(until.ms())),
    }
}

/// The command that cancels an order.
pub(crate) fn cancel(instrument: &InstrumentId, target: &OrderRef) -> Command {
    let symbol = instrument.symbol.as_str().to_owned();
    match target {
        OrderRef::Plain(id) => {
            let order = venue::OrderRef::Id(id.0.unsigned_abs());
            Command::Cancel { account: ACCOUNT, symbol, order }
        }
        OrderRef::Algo { id, .. } => {
            Command::CancelAlgo { account: ACCOUNT, algo: venue::AlgoRef::Id(id.0.unsigned_abs()) }
        }
        OrderRef::Client { id, space: hedge_core::OrderSpace::Plain } => {
            let order = venue::OrderRef::Client(id.as_str().to_owned());
            Command::Cancel { account: ACCOUNT, symbol, order }
        }
        OrderRef::Client { id, space: hedge_core::OrderSpace::Algo } => {
            Command::CancelAlgo { account: ACCOUNT, algo: venue::AlgoRef::Client(id.as_str().to_owned()) }
        }
    }
}

/// The exchange's answer to an order, as a fact.
pub(crate) fn answer(id: ClientOrderId, result: &Result<Reply, VenueError>) -> Fact {
    match result {
        Ok(Reply::Order(view)) => Fact::SubmitAcked {
            order: id,
            venue: OrderRef::Plain(number(view.order_id)),
            state: state_of(view.status),
            filled: view.executed_qty,
        },
        Ok(Reply::Algo(view)) => Fact::SubmitAcked {
            order: id,
            venue: algo_ref(view),
            state: algo_state(view),
            filled: view.actual_qty,
        },
        Ok(_) => failed(id, Outcome::Unknown, None, None, "the exchange answered something else".to_owned()),
        Err(error) => failed(
            id,
            Outcome::Rejected,
            Some(reason_of(error.code)),
            Some(error.code),
            error.msg.to_string(),
        ),
    }
}

fn failed(
    order: ClientOrderId,
    outcome: Outcome,
    reason: Option<RejectReason>,
    code: Option<i64>,
    message: String,
) -> Fact {
    Fact::SubmitFailed { order, outcome, reason, code, message, acceptable_until: None }
}

/// What the engine distinguishes. Source: fact sheet section 11.
pub(crate) const fn reason_of(code: i64) -> RejectReason {
    match code {
        -2018 | -2019 | -2028 => RejectReason::InsufficientMargin,
        -1111 | -4164 | -4016 | -4024 | -4005..=-4001 | -4014 | -4013 | -4023 => RejectReason::Filter,
        -4061 | -4060 => RejectReason::ModeMismatch,
        -2022 | -2024 => RejectReason::NothingToClose,
        -2021 | -4142 => RejectReason::WouldTrigger,
        -5022 => RejectReason::WouldTake,
        -5021 | -4131 | -2020 => RejectReason::Unfilled,
        -4116 => RejectReason::DuplicateId,
        -2011 | -2013 => RejectReason::NotFound,
        -2025 | -4045 => RejectReason::TooManyOrders,
        -4130 => RejectReason::SecondCloseAll,
        -4140 | -4141 | -1122 => RejectReason::NotTrading,
        _ => RejectReason::Unlisted,
    }
}

/// The facts in one event of the exchange, in the order in which its streams tell them.
pub(crate) fn facts(event: &VenueEvent, out: &mut impl FnMut(Fact)) {
    let mut account = |event: AccountEvent| out(Fact::Account { event: Box::new(event) });
    match &event.body {
        EventBody::Order(update) => {
            if let Some(fill) = fill_of(update) {
                account(AccountEvent::Fill { fill });
            }
            if let Some(report) = report_of(&update.order, Some(update)) {
                account(AccountEvent::Order { report });
            }
        }
        EventBody::Algo(view) => {
            if let Some(report) = algo_report(view) {
                account(AccountEvent::Order { report });
            }
        }
        EventBody::Account(update) if update.reason != UpdateReason::Order => {
            for row in &update.balances {
                let Ok(asset) = Asset::parse(&row.asset) else { continue };
                let instrument = InstrumentId::binance(&update.symbol).ok();
                let kind = match update.reason {
                    UpdateReason::FundingFee => CashFlowKind::Funding,
                    UpdateReason::Deposit | UpdateReason::Withdraw => CashFlowKind::Transfer,
                    other => CashFlowKind::Other(other.as_str().to_owned()),
                };
                let id = format!("{}:{}:{}", update.reason.as_str(), event.at_ms, update.symbol);
                account(AccountEvent::CashFlow {
                    flow: CashFlow {
                        kind,
                        amount: Amount::new(asset, row.change),
                        instrument,
                        venue_time: Timestamp::from_ms(event.at_ms),
                        id,
                    },
                });
            }
        }
        EventBody::MarginCall(_) => account(AccountEvent::MarginCall { detail: "margin call".to_owned() }),
        EventBody::Account(_) | EventBody::Leverage { .. } | EventBody::Trade(_) => {}
    }
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

/// A past execution as a fill.
pub(crate) fn past_fill(trade: &TradeView) -> Option<Fill> {
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
pub(crate) fn report_of(order: &OrderView, update: Option<&OrderUpdate>) -> Option<OrderReport> {
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
pub(crate) fn algo_report(view: &AlgoView) -> Option<OrderReport> {
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

fn number(id: u64) -> VenueOrderId {
    VenueOrderId(i64::try_from(id).unwrap_or(i64::MAX))
}

fn algo_ref(view: &AlgoView) -> OrderRef {
    OrderRef::Algo { id: number(view.algo_id), child: view.actual_order_id.map(number) }
}

const fn side_of(side: venue::PositionSide) -> ReportedSide {
    match side {
        venue::PositionSide::Both => ReportedSide::Both,
        venue::PositionSide::Long => ReportedSide::Long,
        venue::PositionSide::Short => ReportedSide::Short,
    }
}

const fn order_side(side: venue::Side) -> hedge_core::OrderSide {
    match side {
        venue::Side::Buy => hedge_core::OrderSide::Buy,
        venue::Side::Sell => hedge_core::OrderSide::Sell,
    }
}

const fn kind_of(kind: OrderType) -> ReportedKind {
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

const fn state_of(status: OrderStatus) -> ReportedState {
    match status {
        OrderStatus::New => ReportedState::Working,
        OrderStatus::PartiallyFilled => ReportedState::PartiallyFilled,
        OrderStatus::Filled => ReportedState::Filled,
        OrderStatus::Canceled => ReportedState::Canceled,
        OrderStatus::Expired | OrderStatus::ExpiredInMatch => ReportedState::Expired,
    }
}

const fn algo_state(view: &AlgoView) -> ReportedState {
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
