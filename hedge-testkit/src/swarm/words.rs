//! Between the engine's words and the simulated exchange's: what a venue client does between two parsers.

use hedge_core::{
    AccountEvent, Amount, Asset, Balance, CashFlow, CashFlowKind, Coverage, Decimal, Entry, Exit, Fill,
    InstrumentId, Leg, LegSize, Order, OrderRef, OrderReport, OrderSide, OrderSpace, Position, PositionKey,
    PositionSide, Price, Qty, RejectReason, ReportedId, ReportedKind, ReportedSide, ReportedState,
    SignedAmount, Tif, Timestamp, TradeId, TriggerBy, VenueOrderId,
};
use hedge_sim::venue::{
    self, AccountId, AccountUpdate, AlgoStatus, AlgoView, Command, EventBody, IncomeType, IncomeView,
    NewAlgo, NewOrder, OrderStatus, OrderType, OrderView, PositionView, Reply, TradeView, VenueEvent,
    WorkingType,
};

/// The account that is traded.
pub(super) const ACCOUNT: AccountId = AccountId(0);

pub(super) const fn leg_of(side: PositionSide) -> venue::PositionSide {
    match side {
        PositionSide::Long => venue::PositionSide::Long,
        PositionSide::Short => venue::PositionSide::Short,
    }
}

/// The command that places an order.
pub(super) fn place(order: &Order) -> Command {
    let symbol = order.position().instrument.symbol.as_str();
    let side = match order.side() {
        OrderSide::Buy => venue::Side::Buy,
        OrderSide::Sell => venue::Side::Sell,
    };
    let leg = leg_of(order.position().side);
    let id = Some(order.client_id().as_str().to_owned());
    let qty = order.qty().get();
    let limit = match order.leg() {
        Leg::Open(Entry::Market) | Leg::Close(Exit::Market, _) => {
            return Command::Place(NewOrder {
                client_order_id: id,
                ..NewOrder::market(ACCOUNT, symbol, side, qty).on(leg)
            });
        }
        Leg::Open(Entry::Limit { price, tif }) | Leg::Close(Exit::Limit { price, tif }, _) => {
            Some((price, tif))
        }
        Leg::Close(..) => None,
    };
    if let Some((price, tif)) = limit {
        let mut new = NewOrder::limit(ACCOUNT, symbol, side, qty, price.get()).on(leg);
        new.client_order_id = id;
        (new.tif, new.good_till_ms) = match tif {
            Tif::Gtc => (Some(venue::Tif::Gtc), None),
            Tif::Ioc => (Some(venue::Tif::Ioc), None),
            Tif::Fok => (Some(venue::Tif::Fok), None),
            Tif::PostOnly => (Some(venue::Tif::Gtx), None),
            Tif::Gtd { until } => (Some(venue::Tif::Gtd), Some(until.ms())),
        };
        return Command::Place(new);
    }
    let mut new = NewAlgo::of(ACCOUNT, symbol, side, OrderType::StopMarket);
    new.position_side = Some(leg);
    new.client_algo_id = id;
    let mut by = TriggerBy::Mark;
    if let Leg::Close(exit, covers) = order.leg() {
        new.close_position = *covers == Coverage::WholeLeg;
        new.qty = (*covers == Coverage::Qty).then_some(qty);
        match exit {
            Exit::StopMarket { trigger, by: price } => {
                (new.trigger_price, by) = (Some(trigger.get()), *price);
            }
            Exit::TakeProfitMarket { trigger, by: price } => {
                new.order_type = OrderType::TakeProfitMarket;
                (new.trigger_price, by) = (Some(trigger.get()), *price);
            }
            Exit::TrailingStop { activate, callback, by: price } => {
                new.order_type = OrderType::TrailingStopMarket;
                (new.activate_price, by) = (activate.map(Price::get), *price);
                new.callback_rate = Some(callback.get() / Decimal::ONE_HUNDRED);
            }
            Exit::Market | Exit::Limit { .. } => {}
        }
    }
    new.working_type = Some(if by == TriggerBy::Mark { WorkingType::Mark } else { WorkingType::Contract });
    Command::PlaceAlgo(new)
}

/// The command that cancels an order. What a conditional order has become is cancelled as the plain order that it is.
/// Source: fact sheet 5.3.
pub(super) fn cancel(instrument: &InstrumentId, target: &OrderRef) -> Command {
    let symbol = instrument.symbol.as_str().to_owned();
    let plain = |order| Command::Cancel { account: ACCOUNT, symbol: symbol.clone(), order };
    let algo = |algo| Command::CancelAlgo { account: ACCOUNT, algo };
    match target {
        OrderRef::Plain(id) | OrderRef::Algo { child: Some(id), .. } => {
            plain(venue::OrderRef::Id(id.0.unsigned_abs()))
        }
        OrderRef::Algo { id, child: None } => algo(venue::AlgoRef::Id(id.0.unsigned_abs())),
        OrderRef::Client { id, space: OrderSpace::Plain } => {
            plain(venue::OrderRef::Client(id.as_str().to_owned()))
        }
        OrderRef::Client { id, space: OrderSpace::Algo } => {
            algo(venue::AlgoRef::Client(id.as_str().to_owned()))
        }
    }
}

/// What an accepted order is called, where it stands and how much of it is filled.
pub(super) fn taken(reply: &Reply) -> Option<(OrderRef, ReportedState, Decimal)> {
    match reply {
        Reply::Order(view) => {
            Some((OrderRef::Plain(number(view.order_id)), state_of(view.status), view.executed_qty))
        }
        Reply::Algo(view) => Some((algo_ref(view), algo_state(view.status), view.actual_qty)),
        _ => None,
    }
}

/// What the engine distinguishes. Source: fact sheet section 11.
pub(super) const fn reason_of(code: i64) -> RejectReason {
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
        -4088 | -4087 => RejectReason::Restricted,
        _ => RejectReason::Unlisted,
    }
}

/// What an event of the exchange says, in the order in which its stream says it.
pub(super) fn told(event: &VenueEvent, out: &mut Vec<AccountEvent>) {
    match &event.body {
        EventBody::Order(update) => {
            if let Some(part) = &update.fill
                && let Some(fill) = fill_of(&update.order, part)
            {
                out.push(AccountEvent::Fill { fill });
            }
            let reason = (!update.order.status.is_open() && update.expiry != venue::ExpiryReason::None)
                .then(|| format!("expired, reason {}", update.expiry.as_str()));
            out.extend(report_of(&update.order, reason).map(|report| AccountEvent::Order { report }));
        }
        EventBody::Algo(view) => out.extend(algo_report(view).map(|report| AccountEvent::Order { report })),
        EventBody::Account(update) => statements(update, event.at_ms, out),
        EventBody::MarginCall(_) => out.push(AccountEvent::MarginCall { detail: "margin call".to_owned() }),
        EventBody::Leverage { .. } | EventBody::Trade(_) => {}
    }
}

fn statements(update: &AccountUpdate, at_ms: i64, out: &mut Vec<AccountEvent>) {
    let venue_time = Timestamp::from_ms(at_ms);
    let legs: Vec<LegSize> = update
        .positions
        .iter()
        .filter_map(|view| {
            Some(LegSize {
                instrument: InstrumentId::binance(&view.symbol).ok()?,
                side: side_of(view.position_side),
                qty: view.qty.abs(),
                entry: Price::new(view.entry_price).ok(),
            })
        })
        .collect();
    if !legs.is_empty() {
        out.push(AccountEvent::Legs { legs, venue_time });
    }
    let balances: Vec<Balance> = update
        .balances
        .iter()
        .filter_map(|row| {
            let wallet = SignedAmount::new(row.wallet).ok()?;
            Some(Balance { asset: Asset::parse(&row.asset).ok()?, wallet, available: None })
        })
        .collect();
    if !balances.is_empty() {
        out.push(AccountEvent::Balances { balances, venue_time });
    }
}

fn fill_of(order: &OrderView, part: &venue::FillPart) -> Option<Fill> {
    Some(Fill {
        instrument: InstrumentId::binance(&order.symbol).ok()?,
        trade_id: TradeId(i64::try_from(part.trade_id).ok()?),
        order: number(order.order_id),
        client_id: Some(ReportedId::parse(&order.client_order_id)),
        side: side_of(order.position_side),
        order_side: order_side(order.side),
        qty: Qty::new(part.qty).ok()?,
        price: Price::new(part.price).ok()?,
        fee: Amount { asset: Asset::parse(&part.fee_asset).ok()?, value: SignedAmount::new(part.fee).ok()? },
        realized: Some(SignedAmount::new(part.realized_pnl).ok()?),
        maker: part.maker,
        venue_time: Timestamp::from_ms(order.update_ms),
    })
}

/// A past execution. Like the vendor's history it carries no client id.
pub(super) fn past_fill(trade: &TradeView) -> Option<Fill> {
    Some(Fill {
        instrument: InstrumentId::binance(&trade.symbol).ok()?,
        trade_id: TradeId(i64::try_from(trade.trade_id).ok()?),
        order: number(trade.order_id),
        client_id: None,
        side: side_of(trade.position_side),
        order_side: order_side(trade.side),
        qty: Qty::new(trade.qty).ok()?,
        price: Price::new(trade.price).ok()?,
        fee: Amount {
            asset: Asset::parse(&trade.commission_asset).ok()?,
            value: SignedAmount::new(trade.commission).ok()?,
        },
        realized: Some(SignedAmount::new(trade.realized_pnl).ok()?),
        maker: trade.maker,
        venue_time: Timestamp::from_ms(trade.time_ms),
    })
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

/// A ledger row as a flow; `None` for what fills say already.
pub(super) fn flow_of(row: &IncomeView) -> Option<CashFlow> {
    let kind = match row.income_type {
        IncomeType::RealizedPnl | IncomeType::Commission => return None,
        IncomeType::FundingFee => CashFlowKind::Funding,
        IncomeType::Transfer => CashFlowKind::Transfer,
        IncomeType::InsuranceClear => CashFlowKind::Other(row.income_type.as_str().to_owned()),
    };
    Some(CashFlow {
        kind,
        amount: Amount { asset: Asset::parse(&row.asset).ok()?, value: SignedAmount::new(row.income).ok()? },
        instrument: InstrumentId::binance(&row.symbol).ok(),
        venue_time: Timestamp::from_ms(row.time_ms),
        id: format!("{}:{}:{}", row.income_type.as_str(), row.tran_id, row.symbol),
    })
}

/// A plain order as a report.
pub(super) fn report_of(order: &OrderView, reason: Option<String>) -> Option<OrderReport> {
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
        reason,
        venue_time: Timestamp::from_ms(order.update_ms),
    })
}

/// A conditional order as a report.
pub(super) fn algo_report(view: &AlgoView) -> Option<OrderReport> {
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
        state: algo_state(view.status),
        reason: (!view.reject_reason.is_empty()).then(|| view.reject_reason.clone()),
        venue_time: Timestamp::from_ms(view.update_ms),
    })
}

/// An open leg; `None` for a flat one.
pub(super) fn position(view: &PositionView) -> Option<Position> {
    let side = match view.position_side {
        venue::PositionSide::Long => PositionSide::Long,
        venue::PositionSide::Short => PositionSide::Short,
        venue::PositionSide::Both => return None,
    };
    let key = PositionKey::new(InstrumentId::binance(&view.symbol).ok()?, side);
    let position = Position::new(key, Qty::new(view.qty.abs()).ok()?, Price::new(view.entry_price).ok()?);
    Some(position.with_prices(Price::new(view.mark_price).ok(), Price::new(view.liquidation_price).ok()))
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

const fn order_side(side: venue::Side) -> OrderSide {
    match side {
        venue::Side::Buy => OrderSide::Buy,
        venue::Side::Sell => OrderSide::Sell,
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

const fn algo_state(status: AlgoStatus) -> ReportedState {
    match status {
        AlgoStatus::New => ReportedState::Working,
        AlgoStatus::Triggering => ReportedState::Triggering,
        AlgoStatus::Triggered => ReportedState::Triggered,
        AlgoStatus::Finished => ReportedState::Finished,
        AlgoStatus::Canceled => ReportedState::Canceled,
        AlgoStatus::Expired => ReportedState::Expired,
        AlgoStatus::Rejected => ReportedState::Rejected,
    }
}
