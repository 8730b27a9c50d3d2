//! Orders and fills. Source: fact sheet 4.5, 4.6, 5.4, 5.6, 7.2, 9.2.

use hedge_core::{
    Amount, Asset, ClientOrderId, Coverage, Decimal, Fill, ForcedClose, InstrumentId, OrderAck, OrderRef,
    OrderReport, ReportedId, ReportedKind, ReportedState, SignedAmount, Timestamp, TradeId, VenueOrderId,
};

use super::{DecodeError, err, instrument, leg_word, order_side, price, price_if_any, qty, qty_if_any};
use crate::wire::{
    algo::AlgoRow,
    event::{AlgoEvent, OrderBody, OrderEvent},
    order::{OrderRow, TradeRow},
    text::{AlgoStatus, ExecutionType, OrderStatus, OrderType},
};

/// A plain order as queried.
///
/// # Errors
/// A row that does not say which order of which leg it is, or when; an unknown side or leg, or an unusable symbol.
pub fn order_report(row: &OrderRow) -> Result<OrderReport, DecodeError> {
    let ordered = || match says_how_much(row) {
        true => Ok(qty_if_any(row.orig_qty)),
        false => Err(err("origQty", "missing")),
    };
    Ok(OrderReport {
        instrument: instrument(stated("symbol", row.symbol.as_ref())?)?,
        client_id: ReportedId::parse(stated("clientOrderId", row.client_order_id.as_ref())?),
        order: OrderRef::Plain(VenueOrderId(row.order_id)),
        side: leg_word(stated("positionSide", row.position_side.as_ref())?)?,
        order_side: order_side(stated("side", row.side.as_ref())?)?,
        kind: kind_if_any(row.order_type.as_ref().or(row.orig_type.as_ref())),
        price: price_if_any(row.price),
        trigger: price_if_any(row.stop_price),
        qty: ordered()?,
        filled: row.executed_qty,
        average: price_if_any(row.avg_price),
        covers: coverage(row.close_position),
        state: plain_state(&row.status),
        reason: None,
        venue_time: Timestamp::from_ms(*stated("updateTime", row.update_time.as_ref())?),
    })
}

/// What a row must say to be a report, and does not.
pub(crate) fn left_out(row: &OrderRow) -> Vec<&'static str> {
    let stated = [
        ("symbol", row.symbol.is_some()),
        ("clientOrderId", row.client_order_id.is_some()),
        ("side", row.side.is_some()),
        ("positionSide", row.position_side.is_some()),
        ("origQty", says_how_much(row)),
        ("updateTime", row.update_time.is_some()),
    ];
    stated.into_iter().filter(|(_, is_there)| !is_there).map(|(name, _)| name).collect()
}

/// How much one of our own orders is for is in the journal; somebody else's would count as an order for nothing.
fn says_how_much(row: &OrderRow) -> bool {
    let is_ours = || row.client_order_id.as_deref().is_some_and(|id| ReportedId::parse(id).ours().is_some());
    row.orig_qty.is_some() || row.close_position == Some(true) || is_ours()
}

/// As [`left_out`], of a conditional order.
pub(crate) fn algo_left_out(row: &AlgoRow) -> Vec<&'static str> {
    let covers = row.close_position == Some(true) || row.quantity.is_some();
    let stated = [
        ("symbol", row.symbol.is_some()),
        ("clientAlgoId", row.client_algo_id.is_some()),
        ("side", row.side.is_some()),
        ("positionSide", row.position_side.is_some()),
        ("quantity", covers),
        ("updateTime", row.update_time.is_some()),
    ];
    stated.into_iter().filter(|(_, is_there)| !is_there).map(|(name, _)| name).collect()
}

fn stated<'a, T>(what: &'static str, value: Option<&'a T>) -> Result<&'a T, DecodeError> {
    value.ok_or_else(|| err(what, "missing"))
}

/// A conditional order as queried. Its type and state have other names than a plain order's.
///
/// # Errors
/// A row that does not say which order of which leg it is, or when; an unknown side or leg, an unusable symbol, or neither a
/// quantity nor close-all.
pub fn algo_report(row: &AlgoRow) -> Result<OrderReport, DecodeError> {
    let covers = coverage(row.close_position);
    Ok(OrderReport {
        instrument: instrument(stated("symbol", row.symbol.as_ref())?)?,
        client_id: ReportedId::parse(stated("clientAlgoId", row.client_algo_id.as_ref())?),
        order: OrderRef::Algo { id: VenueOrderId(row.algo_id), child: row.actual_order_id.map(VenueOrderId) },
        side: leg_word(stated("positionSide", row.position_side.as_ref())?)?,
        order_side: order_side(stated("side", row.side.as_ref())?)?,
        kind: kind_if_any(row.order_type.as_ref()),
        price: price_if_any(row.price),
        trigger: price_if_any(row.trigger_price),
        qty: algo_qty("quantity", covers, row.quantity)?,
        // Lists leave the child's quantity out: until the trigger it is nothing, after it the child's fills tell.
        filled: row.actual_qty.unwrap_or_default(),
        average: price_if_any(row.actual_price),
        covers,
        state: algo_state(&row.algo_status),
        reason: None,
        venue_time: Timestamp::from_ms(*stated("updateTime", row.update_time.as_ref())?),
    })
}

/// A plain order as pushed.
///
/// # Errors
/// Unknown side or leg, or an unusable symbol.
pub fn order_event_report(event: &OrderEvent) -> Result<OrderReport, DecodeError> {
    let body = &event.order;
    Ok(OrderReport {
        instrument: instrument(&body.symbol)?,
        client_id: reported_id(body),
        order: OrderRef::Plain(VenueOrderId(body.order_id)),
        side: leg_word(&body.position_side)?,
        order_side: order_side(&body.side)?,
        kind: kind(&body.order_type),
        price: price_if_any(body.price),
        // `sp` is meaningless on plain orders.
        trigger: None,
        qty: qty_if_any(Some(body.orig_qty)),
        filled: body.filled_qty,
        average: price_if_any(body.avg_price),
        covers: coverage(body.close_position),
        state: plain_state(&body.status),
        reason: body.expiry_reason.as_deref().and_then(expiry_reason),
        venue_time: Timestamp::from_ms(body.time),
    })
}

/// A conditional order as pushed.
///
/// # Errors
/// Unknown side or leg, an unusable symbol, or neither a quantity nor close-all.
pub fn algo_event_report(event: &AlgoEvent) -> Result<OrderReport, DecodeError> {
    let body = &event.order;
    let covers = coverage(body.close_position);
    let state = algo_state(&body.status);
    // The text may be stale on other states.
    let reason = match state {
        ReportedState::Rejected | ReportedState::Expired => body.reason.clone(),
        _ => None,
    };
    Ok(OrderReport {
        instrument: instrument(&body.symbol)?,
        client_id: ReportedId::parse(&body.client_algo_id),
        order: OrderRef::Algo {
            id: VenueOrderId(body.algo_id),
            child: body.actual_order_id.map(VenueOrderId),
        },
        side: leg_word(&body.position_side)?,
        order_side: order_side(&body.side)?,
        kind: kind(&body.order_type),
        price: price_if_any(body.price),
        trigger: price_if_any(body.trigger_price),
        qty: algo_qty("q", covers, body.quantity)?,
        filled: body.filled_qty.unwrap_or_default(),
        average: price_if_any(body.avg_price),
        covers,
        state,
        reason,
        venue_time: Timestamp::from_ms(event.time.unwrap_or(event.event_time)),
    })
}

/// The client id, or the venue's own where anything says that the venue acts by itself: the id's prefix, an execution
/// `CALCULATED`, a type `LIQUIDATION`, a historic status. Source: fact sheet 7.1, 7.2 and 9.2.
fn reported_id(body: &OrderBody) -> ReportedId {
    let forced = match (&body.order_type, &body.execution, &body.status) {
        (_, _, OrderStatus::NewAdl) => ForcedClose::Adl,
        (OrderType::Liquidation, _, _)
        | (_, ExecutionType::Calculated, _)
        | (_, _, OrderStatus::NewInsurance) => ForcedClose::Liquidation,
        _ => return ReportedId::parse(&body.client_order_id),
    };
    match ReportedId::parse(&body.client_order_id) {
        ReportedId::Foreign(id) => ReportedId::Venue { forced, id },
        known => known,
    }
}

/// The execution that an order event carries, if it is one: a `TRADE`, or a `CALCULATED` (liquidation) with a trade id.
///
/// # Errors
/// An execution without price, quantity, fee or fee asset.
pub fn fill_of_event(event: &OrderEvent) -> Result<Option<Fill>, DecodeError> {
    let body = &event.order;
    let trade_id = body.trade_id.filter(|id| *id != 0);
    let trade_id = match (&body.execution, trade_id) {
        (ExecutionType::Trade | ExecutionType::Calculated, Some(id)) => id,
        (ExecutionType::Trade, None) => return Err(err("t", "a trade without its id")),
        _ => return Ok(None),
    };
    let fee_asset =
        body.fee_asset.as_deref().ok_or_else(|| err("N", "an execution without its fee asset"))?;
    let fee = body.fee.ok_or_else(|| err("n", "an execution without its fee"))?;
    Ok(Some(Fill {
        instrument: instrument(&body.symbol)?,
        trade_id: TradeId(trade_id),
        order: VenueOrderId(body.order_id),
        client_id: Some(reported_id(body)),
        side: leg_word(&body.position_side)?,
        order_side: order_side(&body.side)?,
        qty: qty("l", body.last_qty)?,
        price: price("L", body.last_price)?,
        fee: Amount::new(asset(fee_asset)?, fee),
        realized: body.realized.map(SignedAmount::from_decimal),
        maker: body.maker.ok_or_else(|| err("m", "missing"))?,
        venue_time: Timestamp::from_ms(body.time),
    }))
}

/// What an order event says was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Execution {
    /// Nothing.
    None,
    /// A fill.
    Fill(Fill),
    /// A fill by which the venue itself closed the leg, and whose fee it does not state: it is in the list of executions.
    /// Nothing is booked until then, and never as free.
    FeeUnknown {
        /// Of which instrument.
        instrument: InstrumentId,
        /// Which execution.
        trade_id: TradeId,
        /// When it was.
        at: Timestamp,
    },
}

/// As [`fill_of_event`], but a forced execution may leave its fee out: what the venue closes by itself may have none there
/// (fact sheet 9.2, `n` and `N`).
///
/// # Errors
/// As for [`fill_of_event`], except that a forced execution without its fee is none.
pub fn execution_of_event(event: &OrderEvent) -> Result<Execution, DecodeError> {
    let body = &event.order;
    let is_forced = || body.execution == ExecutionType::Calculated || reported_id(body).forced().is_some();
    let lacks_fee = body.fee.is_none() || body.fee_asset.is_none();
    match body.trade_id.filter(|id| *id != 0) {
        Some(id) if lacks_fee && is_execution(&body.execution) && is_forced() => Ok(Execution::FeeUnknown {
            instrument: instrument(&body.symbol)?,
            trade_id: TradeId(id),
            at: Timestamp::from_ms(body.time),
        }),
        _ => Ok(fill_of_event(event)?.map_or(Execution::None, Execution::Fill)),
    }
}

const fn is_execution(execution: &ExecutionType) -> bool {
    matches!(execution, ExecutionType::Trade | ExecutionType::Calculated)
}

/// An execution as queried. The row does not name the client id.
///
/// # Errors
/// Unknown side or leg, or an amount that cannot be.
pub fn fill(row: &TradeRow) -> Result<Fill, DecodeError> {
    Ok(Fill {
        instrument: instrument(&row.symbol)?,
        trade_id: TradeId(row.id),
        order: VenueOrderId(row.order_id),
        client_id: None,
        side: leg_word(&row.position_side)?,
        order_side: order_side(&row.side)?,
        qty: qty("qty", Some(row.qty))?,
        price: price("price", Some(row.price))?,
        // Positive is paid, as live clients read it; the vendor's sample is UNCONFIRMED (fact sheet 4.6).
        fee: Amount::new(asset(&row.commission_asset)?, row.commission),
        realized: Some(SignedAmount::from_decimal(row.realized_pnl)),
        maker: row.maker,
        venue_time: Timestamp::from_ms(row.time),
    })
}

/// The answer to a placed plain order. Its number, state and filled quantity are enough: the request says the rest.
///
/// # Errors
/// An echo of another client id: then nobody knows what was placed.
pub fn ack(client_id: ClientOrderId, row: &OrderRow) -> Result<OrderAck, DecodeError> {
    echoed(client_id, row.client_order_id.as_deref())?;
    Ok(OrderAck {
        client_id,
        order: OrderRef::Plain(VenueOrderId(row.order_id)),
        state: plain_state(&row.status),
        filled: row.executed_qty,
    })
}

/// The answer to a placed conditional order.
///
/// # Errors
/// An echo of another client id.
pub fn algo_ack(client_id: ClientOrderId, row: &AlgoRow) -> Result<OrderAck, DecodeError> {
    echoed(client_id, row.client_algo_id.as_deref())?;
    Ok(OrderAck {
        client_id,
        order: OrderRef::Algo { id: VenueOrderId(row.algo_id), child: row.actual_order_id.map(VenueOrderId) },
        state: algo_state(&row.algo_status),
        filled: row.actual_qty.unwrap_or_default(),
    })
}

/// An answer that names no order is about the one of its request.
fn echoed(client_id: ClientOrderId, echo: Option<&str>) -> Result<(), DecodeError> {
    match echo {
        Some(echo) if echo != client_id.as_str() => {
            Err(err("client id", format!("the answer is about {echo:?}, the request was {client_id}")))
        }
        _ => Ok(()),
    }
}

fn asset(text: &str) -> Result<Asset, DecodeError> {
    Asset::parse(text).map_err(|error| err("asset", error))
}

const fn coverage(close_position: Option<bool>) -> Coverage {
    match close_position {
        Some(true) => Coverage::WholeLeg,
        _ => Coverage::Qty,
    }
}

fn algo_qty(
    what: &'static str,
    covers: Coverage,
    quantity: Option<Decimal>,
) -> Result<Option<hedge_core::Qty>, DecodeError> {
    match covers {
        Coverage::WholeLeg => Ok(None),
        Coverage::Qty => qty(what, quantity).map(Some),
    }
}

fn plain_state(status: &OrderStatus) -> ReportedState {
    match status {
        OrderStatus::New | OrderStatus::NewInsurance | OrderStatus::NewAdl => ReportedState::Working,
        OrderStatus::PartiallyFilled => ReportedState::PartiallyFilled,
        OrderStatus::Filled => ReportedState::Filled,
        OrderStatus::Canceled => ReportedState::Canceled,
        OrderStatus::Rejected => ReportedState::Rejected,
        OrderStatus::Expired | OrderStatus::ExpiredInMatch => ReportedState::Expired,
        OrderStatus::Unknown(text) => ReportedState::Unknown(text.clone()),
    }
}

fn algo_state(status: &AlgoStatus) -> ReportedState {
    match status {
        AlgoStatus::New => ReportedState::Working,
        AlgoStatus::Triggering => ReportedState::Triggering,
        AlgoStatus::Triggered => ReportedState::Triggered,
        AlgoStatus::Finished => ReportedState::Finished,
        AlgoStatus::Canceled => ReportedState::Canceled,
        AlgoStatus::Expired => ReportedState::Expired,
        AlgoStatus::Rejected => ReportedState::Rejected,
        AlgoStatus::Unknown(text) => ReportedState::Unknown(text.clone()),
    }
}

fn kind(order_type: &OrderType) -> ReportedKind {
    match order_type {
        OrderType::Limit => ReportedKind::Limit,
        OrderType::Market => ReportedKind::Market,
        OrderType::Stop => ReportedKind::Stop,
        OrderType::StopMarket => ReportedKind::StopMarket,
        OrderType::TakeProfit => ReportedKind::TakeProfit,
        OrderType::TakeProfitMarket => ReportedKind::TakeProfitMarket,
        OrderType::TrailingStopMarket => ReportedKind::TrailingStop,
        OrderType::Liquidation => ReportedKind::Liquidation,
        OrderType::Unknown(text) => ReportedKind::Unknown(text.clone()),
    }
}

/// A type that is not stated passes for none that is known.
fn kind_if_any(order_type: Option<&OrderType>) -> ReportedKind {
    order_type.map_or_else(|| ReportedKind::Unknown("not stated".to_owned()), kind)
}

/// Text of an expiry reason. Source: fact sheet 7.2.
fn expiry_reason(code: &str) -> Option<String> {
    let text = match code {
        "0" => return None,
        "1" => "self-trade prevention",
        "2" => "remainder of an immediate-or-cancel order",
        "3" => "remainder of an immediate-or-cancel order, self-trade prevention",
        "4" => "displaced by a reduce-only order of higher priority, or the leg is gone",
        "5" => "liquidation",
        "6" => "the position that it was tied to is gone",
        "7" => "delisting",
        "8" => "replaced after its trigger",
        "9" => "remainder of a market order",
        "10" => "fill-or-kill could not be filled",
        "11" => "post-only would have taken",
        other => return Some(format!("expiry reason {other}")),
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;
    use hedge_core::ReportedSide;

    const ACK: &str = r#"{"orderId":70112233445,"symbol":"ETHUSDT","status":"FILLED","clientOrderId":"h0sn8www00111c",
      "price":"0.00","origQty":"0.250","executedQty":"0.250","cumQty":"0.250","timeInForce":"GTC","type":"MARKET",
      "reduceOnly":true,"closePosition":false,"side":"SELL","positionSide":"LONG","stopPrice":"0.00",
      "workingType":"CONTRACT_PRICE","priceProtect":false,"origType":"MARKET","priceMatch":"NONE",
      "selfTradePreventionMode":"EXPIRE_MAKER","goodTillDate":0,"updateTime":1795168800161}"#;

    const EVENT: &str = r#"{"e":"ORDER_TRADE_UPDATE","T":1795168800158,"E":1795168800161,"o":{"s":"ETHUSDT",
      "c":"x1_close-long.7","S":"SELL","o":"MARKET","f":"GTC","q":"0.250","p":"0","ap":"2502.3400","sp":"0","x":"TRADE",
      "X":"FILLED","i":70112233445,"l":"0.250","z":"0.250","L":"2502.34","n":"0.31279250","N":"USDT",
      "T":1795168800158,"t":5511223344,"b":"0","a":"0","m":false,"R":true,"wt":"CONTRACT_PRICE","ot":"MARKET",
      "ps":"LONG","cp":false,"rp":"5.46000000","pP":false,"si":0,"ss":0,"V":"EXPIRE_MAKER","pm":"NONE","gtd":0,"er":"0"}}"#;

    fn event(edit: impl Fn(String) -> String) -> OrderEvent {
        json("event", edit(EVENT.to_owned()).as_bytes()).unwrap()
    }

    #[test]
    fn an_ack_without_average_price_is_complete() {
        let row: OrderRow = json("order", ACK.as_bytes()).unwrap();
        let id = ClientOrderId::parse("h0sn8www00111c").unwrap();
        let ack = ack(id, &row).unwrap();
        assert_eq!(ack.order, OrderRef::Plain(VenueOrderId(70_112_233_445)));
        assert_eq!((ack.state, ack.filled.to_string()), (ReportedState::Filled, "0.250".to_owned()));
    }

    #[test]
    fn an_ack_for_another_id_is_malformed() {
        let row: OrderRow = json("order", ACK.as_bytes()).unwrap();
        assert!(ack(ClientOrderId::parse("h1").unwrap(), &row).is_err());
    }

    #[test]
    fn a_trade_event_is_a_report_and_a_fill() {
        let event = event(|text| text);
        let report = order_event_report(&event).unwrap();
        assert_eq!(
            (report.state, report.side, report.reason),
            (ReportedState::Filled, ReportedSide::Long, None)
        );
        let fill = fill_of_event(&event).unwrap().unwrap();
        assert_eq!(fill.trade_id, TradeId(5_511_223_344));
        assert_eq!((fill.qty.to_string(), fill.price.to_string()), ("0.25".to_owned(), "2502.34".to_owned()));
        assert_eq!(fill.fee.to_string(), "0.3127925 USDT");
        assert_eq!(fill.is_close(), Some(true));
    }

    #[test]
    fn an_event_that_is_no_trade_has_no_fill_even_with_amounts_in_it() {
        let event = event(|text| text.replace(r#""x":"TRADE""#, r#""x":"CANCELED""#));
        assert_eq!(fill_of_event(&event).unwrap(), None);
    }

    #[test]
    fn a_liquidation_fill_is_a_fill() {
        let event = event(|text| text.replace(r#""x":"TRADE""#, r#""x":"CALCULATED""#));
        assert!(fill_of_event(&event).unwrap().is_some());
    }

    #[test]
    fn what_the_venue_does_by_itself_is_known_by_its_id_its_type_or_its_execution() {
        let forced = |from: &str, to: &str| {
            let event = event(|text| {
                assert!(text.contains(from), "{from}");
                text.replace(from, to)
            });
            let fill = fill_of_event(&event).unwrap().unwrap();
            let report = order_event_report(&event).unwrap();
            assert_eq!(fill.forced(), report.forced(), "{to}");
            fill.forced()
        };
        let id = r#""c":"x1_close-long.7""#;
        for (name, kind) in [
            ("autoclose-1795168800158", ForcedClose::Liquidation),
            ("adl_autoclose", ForcedClose::Adl),
            ("settlement_autoclose-1", ForcedClose::Settlement),
            ("delivery_autoclose-1", ForcedClose::Delivery),
        ] {
            assert_eq!(forced(id, &format!(r#""c":"{name}""#)), Some(kind), "{name}");
        }
        assert_eq!(forced(id, r#""c":"web_1""#), None);
        let both =
            event(|text| text.replace(id, r#""c":"web_1""#).replace(r#""x":"TRADE""#, r#""x":"CALCULATED""#));
        assert_eq!(order_event_report(&both).unwrap().forced(), Some(ForcedClose::Liquidation));
        let both = event(|text| {
            text.replace(id, r#""c":"web_1""#).replace(r#""o":"MARKET""#, r#""o":"LIQUIDATION""#)
        });
        assert_eq!(fill_of_event(&both).unwrap().unwrap().forced(), Some(ForcedClose::Liquidation));
    }

    #[test]
    fn a_trade_without_a_fee_is_an_error_and_not_free() {
        let event = event(|text| text.replace(r#""n":"0.31279250","#, ""));
        assert_eq!(fill_of_event(&event).unwrap_err().what, "n");
    }

    #[test]
    fn a_forced_execution_without_its_fee_is_one_whose_fee_is_not_known() {
        let no_fee = |text: String| text.replace(r#""n":"0.31279250","N":"USDT","#, "");
        let unknown = Execution::FeeUnknown {
            instrument: InstrumentId::new(hedge_core::Venue::Binance, "ETHUSDT".parse().unwrap()),
            trade_id: TradeId(5_511_223_344),
            at: Timestamp::from_ms(1_795_168_800_158),
        };
        let calculated = event(|text| no_fee(text).replace(r#""x":"TRADE""#, r#""x":"CALCULATED""#));
        assert_eq!(execution_of_event(&calculated).unwrap(), unknown);
        let named = event(|text| no_fee(text).replace("x1_close-long.7", "autoclose-1795168800158"));
        assert_eq!(execution_of_event(&named).unwrap(), unknown);
        let report = order_event_report(&named).unwrap();
        assert_eq!(
            (report.forced(), report.filled.to_string()),
            (Some(ForcedClose::Liquidation), "0.250".to_owned())
        );
        // Anybody else's execution is still not free.
        assert_eq!(execution_of_event(&event(no_fee)).unwrap_err().what, "N");
        let whole = event(|text| text.replace(r#""x":"TRADE""#, r#""x":"CALCULATED""#));
        assert!(
            matches!(execution_of_event(&whole).unwrap(), Execution::Fill(fill) if fill.fee.value.get() > Decimal::ZERO)
        );
        let new = event(|text| no_fee(text).replace(r#""x":"TRADE""#, r#""x":"NEW""#));
        assert_eq!(execution_of_event(&new).unwrap(), Execution::None);
    }

    #[test]
    fn the_number_the_state_and_what_has_filled_are_enough_for_an_answer() {
        let client_id = ClientOrderId::parse("h0sn8www00111c").unwrap();
        let lean: OrderRow =
            json("order", br#"{"orderId":70112233445,"status":"PARTIALLY_FILLED","executedQty":"0.1"}"#)
                .unwrap();
        let answer = ack(client_id, &lean).unwrap();
        assert_eq!(answer.order, OrderRef::Plain(VenueOrderId(70_112_233_445)));
        assert_eq!(
            (answer.state, answer.filled.to_string()),
            (ReportedState::PartiallyFilled, "0.1".to_owned())
        );
        for (field, text) in [
            ("orderId", r#"{"status":"NEW","executedQty":"0"}"#),
            ("status", r#"{"orderId":1,"executedQty":"0"}"#),
            ("executedQty", r#"{"orderId":1,"status":"NEW"}"#),
        ] {
            let error = json::<OrderRow>("order", text.as_bytes()).unwrap_err();
            assert!(error.problem.contains(field), "{error}");
        }
        let lean: AlgoRow = json("order", br#"{"algoId":4000000987654321,"algoStatus":"NEW"}"#).unwrap();
        assert_eq!(algo_ack(client_id, &lean).unwrap().state, ReportedState::Working);
    }

    #[test]
    fn a_row_without_a_quantity_is_a_report_of_our_own_order_only_and_its_quantity_is_none() {
        let row = |edit: &dyn Fn(String) -> String| -> OrderRow {
            json("order", edit(ACK.replace(r#""origQty":"0.250","#, "")).as_bytes()).unwrap()
        };
        let ours = order_report(&row(&|text| text)).unwrap();
        assert_eq!((ours.qty, ours.filled.to_string()), (None, "0.250".to_owned()));
        let theirs = row(&|text| text.replace("h0sn8www00111c", "web_1"));
        assert_eq!(
            order_report(&theirs).unwrap_err().what,
            "origQty",
            "it would count as an order for nothing"
        );
        for (field, said) in [
            ("symbol", r#""symbol":"ETHUSDT","#),
            ("clientOrderId", r#""clientOrderId":"h0sn8www00111c","#),
            ("positionSide", r#""positionSide":"LONG","#),
            ("side", r#""side":"SELL","#),
        ] {
            let row: OrderRow = json("order", ACK.replace(said, "").as_bytes()).unwrap();
            assert_eq!(order_report(&row).unwrap_err(), err(field, "missing"));
            assert_eq!(left_out(&row), [field]);
        }
    }

    #[test]
    fn an_unknown_leg_is_an_error_and_an_unknown_status_is_explicit() {
        let odd = event(|text| text.replace(r#""ps":"LONG""#, r#""ps":"UP""#));
        assert!(order_event_report(&odd).is_err());
        let odd = event(|text| text.replace(r#""X":"FILLED""#, r#""X":"PAUSED""#));
        let state = order_event_report(&odd).unwrap().state;
        assert_eq!(state, ReportedState::Unknown("PAUSED".to_owned()));
        assert!(!state.is_terminal());
    }

    #[test]
    fn an_expired_order_says_why() {
        let event = event(|text| text.replace(r#""er":"0""#, r#""er":"9""#));
        assert_eq!(
            order_event_report(&event).unwrap().reason.as_deref(),
            Some("remainder of a market order")
        );
    }

    #[test]
    fn a_triggered_stop_names_its_child() {
        let text = r#"{"algoId":4000000987654321,"clientAlgoId":"sl-L-0007","algoType":"CONDITIONAL","orderType":"STOP",
          "symbol":"ETHUSDT","side":"SELL","positionSide":"LONG","timeInForce":"GTC","quantity":"0.750",
          "algoStatus":"TRIGGERED","actualOrderId":"70112299001","actualPrice":"0.00000","triggerPrice":"2401.00",
          "price":"2399.00","icebergQuantity":null,"workingType":"MARK_PRICE","closePosition":false,"priceProtect":true,
          "reduceOnly":false,"createTime":1795168805010,"updateTime":1795168899998,"triggerTime":1795168899998}"#;
        let report = algo_report(&json("algo", text.as_bytes()).unwrap()).unwrap();
        let child = Some(VenueOrderId(70_112_299_001));
        assert_eq!(report.order, OrderRef::Algo { id: VenueOrderId(4_000_000_987_654_321), child });
        assert_eq!((report.kind, report.state), (ReportedKind::Stop, ReportedState::Triggered));
        assert_eq!(report.trigger.unwrap().to_string(), "2401");
    }

    #[test]
    fn a_close_all_stop_covers_the_leg_and_has_no_quantity() {
        let text = r#"{"algoId":1,"clientAlgoId":"h1","orderType":"STOP_MARKET","symbol":"ETHUSDT","side":"SELL",
          "positionSide":"LONG","quantity":"0","algoStatus":"NEW","triggerPrice":"2401.00","closePosition":true,
          "actualOrderId":"","updateTime":1}"#;
        let report = algo_report(&json("algo", text.as_bytes()).unwrap()).unwrap();
        assert_eq!((report.covers, report.qty), (Coverage::WholeLeg, None));
        let by_qty = text.replace(r#""closePosition":true"#, r#""closePosition":false"#);
        assert!(
            algo_report(&json("algo", by_qty.as_bytes()).unwrap()).is_err(),
            "a quantity of 0 covers nothing"
        );
    }
}
