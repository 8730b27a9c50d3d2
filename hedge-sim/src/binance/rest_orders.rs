//! Plain orders and executions.
//!
//! Source: fact sheet 4.4 to 4.6 and Appendix A.

use serde_json::{Value, json};

use super::error::ApiError;
use super::numbers::{Places, money, plain};
use super::params::Params;
use super::state::{ACCOUNT, Core};
use crate::venue::{
    Command, NewOrder, OrderRef, OrderStatus, OrderType, OrderView, PositionSide, PriceMatch, Reply, Side,
    Stp, Tif, TradeView, Window, WorkingType,
};

const DAY_MS: i64 = 86_400_000;
/// Longest span of a history query. Source: fact sheet 4.4.
pub(crate) const HISTORY_SPAN_MS: i64 = 7 * DAY_MS;

/// A word of the protocol, refused with the code that belongs to its parameter.
pub(crate) fn word<T>(
    params: &Params,
    name: &str,
    parse: impl Fn(&str) -> Option<T>,
    refusal: (i64, &str),
) -> Result<Option<T>, ApiError> {
    params.get(name).map(|text| parse(text).ok_or_else(|| ApiError::bad(refusal.0, refusal.1))).transpose()
}

pub(crate) fn side(params: &Params) -> Result<Side, ApiError> {
    params.need("side")?;
    word(params, "side", Side::parse, (-1117, "Invalid side."))?.ok_or_else(|| ApiError::missing("side"))
}

pub(crate) fn position_side(params: &Params) -> Result<Option<PositionSide>, ApiError> {
    word(params, "positionSide", PositionSide::parse, (-4060, "Invalid position side."))
}

pub(crate) fn order_type(params: &Params) -> Result<OrderType, ApiError> {
    params.need("type")?;
    let known = word(params, "type", OrderType::parse, (-1116, "Invalid orderType."))?;
    known.ok_or_else(|| ApiError::missing("type"))
}

pub(crate) fn tif(params: &Params) -> Result<Option<Tif>, ApiError> {
    word(params, "timeInForce", Tif::parse, (-1115, "Invalid timeInForce."))
}

pub(crate) fn price_match(params: &Params) -> Result<Option<PriceMatch>, ApiError> {
    if params.get("priceMatch") == Some("NONE") {
        return Ok(None);
    }
    word(params, "priceMatch", PriceMatch::parse, (-5037, "Invalid price match"))
}

pub(crate) fn stp(params: &Params) -> Result<Option<Stp>, ApiError> {
    word(params, "selfTradePreventionMode", Stp::parse, (-5039, "Invalid self trade prevention mode"))
}

/// `ACK` (the default) or `RESULT`; true for the latter.
pub(crate) fn wants_result(params: &Params) -> Result<bool, ApiError> {
    match params.get("newOrderRespType") {
        None | Some("ACK") => Ok(false),
        Some("RESULT") => Ok(true),
        Some(_) => Err(ApiError::bad(-1136, "Invalid newOrderRespType.")),
    }
}

pub(crate) fn place(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    let (order, result) = new_order(params)?;
    match core.command(Command::Place(order))? {
        Reply::Order(view) => Ok(ack(core, &view, result)),
        other => Err(unexpected(&other)),
    }
}

fn new_order(params: &Params) -> Result<(NewOrder, bool), ApiError> {
    let symbol = params.need("symbol")?;
    let (side, order_type) = (side(params)?, order_type(params)?);
    let order = NewOrder {
        account: ACCOUNT,
        symbol: symbol.to_owned(),
        side,
        position_side: position_side(params)?,
        order_type,
        tif: tif(params)?,
        qty: params.decimal("quantity")?,
        price: params.decimal("price")?,
        reduce_only: params.boolean("reduceOnly")?,
        client_order_id: params.get("newClientOrderId").map(str::to_owned),
        price_match: price_match(params)?,
        stp: stp(params)?,
        good_till_ms: params.int("goodTillDate")?,
    };
    let result = wants_result(params)?;
    if !order_type.is_conditional() {
        demand(params, &order)?;
    }
    Ok((order, result))
}

/// All checks of a placement, and an answer without an order behind it: no id, nothing filled.
/// Source: fact sheet 4.4 (`POST order/test`).
pub(crate) fn test(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let (order, _) = new_order(params)?;
    core.venue.test_order(&order)?;
    let places = core.places(&order.symbol);
    let zero = rust_decimal::Decimal::ZERO;
    Ok(json!({
        "orderId": 0,
        "symbol": order.symbol,
        "status": OrderStatus::New.as_str(),
        "clientOrderId": order.client_order_id.unwrap_or_default(),
        "price": places.price(order.price.unwrap_or_default()),
        "avgPrice": places.price(zero),
        "origQty": places.qty(order.qty.unwrap_or_default()),
        "executedQty": places.qty(zero),
        "cumQty": places.qty(zero),
        "cumQuote": money(zero),
        "timeInForce": order.tif.unwrap_or(Tif::Gtc).as_str(),
        "type": order.order_type.as_str(),
        "reduceOnly": order.reduce_only.unwrap_or(false),
        "closePosition": false,
        "side": order.side.as_str(),
        "positionSide": order.position_side.unwrap_or(PositionSide::Both).as_str(),
        "stopPrice": places.price(zero),
        "workingType": WorkingType::Contract.as_str(),
        "priceProtect": false,
        "origType": order.order_type.as_str(),
        "priceMatch": order.price_match.map_or("NONE", PriceMatch::as_str),
        "selfTradePreventionMode": order.stp.unwrap_or(Stp::ExpireMaker).as_str(),
        "goodTillDate": order.good_till_ms.unwrap_or(0),
        "updateTime": core.now_ms(),
    }))
}

/// Parameters that the type makes mandatory. Source: fact sheet 4.5.
fn demand(params: &Params, order: &NewOrder) -> Result<(), ApiError> {
    if order.order_type == OrderType::Limit {
        params.need("timeInForce")?;
    }
    params.need("quantity")?;
    if order.order_type == OrderType::Limit && order.price_match.is_none() {
        params.need("price")?;
    }
    if order.tif == Some(Tif::Gtd) {
        params.need("goodTillDate")?;
    }
    Ok(())
}

pub(crate) fn unexpected(reply: &Reply) -> ApiError {
    ApiError::new(500, -1000, format!("the venue core answered {reply:?} to something else"))
}

/// `orderId` wins over `origClientOrderId`; one of them must be there.
pub(crate) fn order_ref(params: &Params) -> Result<OrderRef, ApiError> {
    id_ref(params)?.ok_or_else(|| {
        ApiError::bad(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    })
}

/// The order that `orderId` or else `origClientOrderId` names, if one of them was sent.
pub(crate) fn id_ref(params: &Params) -> Result<Option<OrderRef>, ApiError> {
    let id = params.int("orderId")?.map(|id| OrderRef::Id(id.try_into().unwrap_or(0)));
    Ok(id.or_else(|| params.get("origClientOrderId").map(|id| OrderRef::Client(id.to_owned()))))
}

pub(crate) fn get(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let (symbol, order) = (params.need("symbol")?, order_ref(params)?);
    Ok(row(core, &core.venue.order(ACCOUNT, symbol, &order)?))
}

pub(crate) fn get_open(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let (symbol, order) = (params.need("symbol")?, order_ref(params)?);
    Ok(row(core, &core.venue.open_order(ACCOUNT, symbol, &order)?))
}

pub(crate) fn cancel(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    let (symbol, order) = (params.need("symbol")?.to_owned(), order_ref(params)?);
    match core.command(Command::Cancel { account: ACCOUNT, symbol, order })? {
        Reply::Order(view) => {
            let mut row = ack(core, &view, true);
            row["activatePrice"] = json!(view.activate_price.map_or_else(|| "0".to_owned(), plain));
            row["priceRate"] = json!(view.callback_rate.map_or_else(|| "0".to_owned(), plain));
            Ok(row)
        }
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn cancel_all(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    let symbol = params.need("symbol")?.to_owned();
    core.command(Command::CancelAll { account: ACCOUNT, symbol })?;
    Ok(json!({"code": 200, "msg": "The operation of cancel all open order is done."}))
}

pub(crate) fn open(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let orders = core.venue.open_orders(ACCOUNT, params.get("symbol"))?;
    Ok(orders.iter().map(|order| row(core, order)).collect())
}

pub(crate) fn all(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let window = Window {
        from_id: params.int("orderId")?.map(|id| id.try_into().unwrap_or(0)),
        ..time_window(params, 500, 1_000)?
    };
    let orders = core.venue.all_orders(ACCOUNT, params.get("symbol"), window)?;
    let with_pair = |order: &OrderView| {
        let mut row = row(core, order);
        row["pair"] = json!(order.symbol);
        row
    };
    Ok(orders.iter().map(with_pair).collect())
}

pub(crate) fn user_trades(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let symbol = params.need("symbol")?;
    let order_id = params.int("orderId")?.map(|id| id.try_into().unwrap_or(0));
    let from_id = params.int("fromId")?.map(|id| id.try_into().unwrap_or(0));
    let mut window = time_window(params, 500, 1_000)?;
    if from_id.is_some() && (window.start_ms.is_some() || window.end_ms.is_some()) {
        return Err(ApiError::bad(-1128, "Combination of optional parameters invalid."));
    }
    if from_id.is_none() && order_id.is_none() && window.start_ms.is_none() && window.end_ms.is_none() {
        window.start_ms = Some(core.now_ms() - HISTORY_SPAN_MS);
        let mut newest = core.venue.user_trades(ACCOUNT, symbol, None, Window { limit: 0, ..window })?;
        newest.drain(..newest.len().saturating_sub(window.limit));
        return Ok(newest.iter().map(|trade| trade_row(core, trade)).collect());
    }
    window.from_id = from_id;
    let trades = core.venue.user_trades(ACCOUNT, symbol, order_id, window)?;
    Ok(trades.iter().map(|trade| trade_row(core, trade)).collect())
}

/// `startTime`, `endTime` and `limit`; a span over seven days is refused, one open end is closed after seven days.
pub(crate) fn time_window(params: &Params, default: usize, most: usize) -> Result<Window, ApiError> {
    let (mut start_ms, mut end_ms) = (params.int("startTime")?, params.int("endTime")?);
    match (start_ms, end_ms) {
        (Some(start), Some(end)) if start > end => {
            return Err(ApiError::bad(-1023, "Start time is greater than end time."));
        }
        (Some(start), Some(end)) if end.saturating_sub(start) > HISTORY_SPAN_MS => {
            return Err(ApiError::bad(-4165, "Maximum time interval is 7 days"));
        }
        (Some(start), None) => end_ms = Some(start.saturating_add(HISTORY_SPAN_MS)),
        (None, Some(end)) => start_ms = Some(end.saturating_sub(HISTORY_SPAN_MS)),
        _ => {}
    }
    Ok(Window { from_id: None, start_ms, end_ms, limit: params.limit(default, most)? })
}

/// The answer to a placement or a cancel. No `avgPrice`, no `cumQuote`. Source: fact sheet 4.5.
pub(crate) fn ack(core: &Core, order: &OrderView, result: bool) -> Value {
    let mut row = ack_as_is(core, order);
    // RESULT carries the final state of what is over at once; everything else is acknowledged as it was accepted.
    let at_once = order.order_type == OrderType::Market || matches!(order.tif, Tif::Ioc | Tif::Fok);
    let is_final = order.status == OrderStatus::Canceled || (result && at_once);
    if !is_final {
        let nothing = json!(core.places(&order.symbol).qty(Default::default()));
        row["status"] = json!(OrderStatus::New.as_str());
        row["executedQty"] = nothing.clone();
        row["cumQty"] = nothing;
    }
    row
}

/// The fields of an answer to a placement, with the order's state as it is.
pub(crate) fn ack_as_is(core: &Core, order: &OrderView) -> Value {
    let places = core.places(&order.symbol);
    let mut row = common(places, order);
    row["cumQty"] = json!(places.qty(order.executed_qty));
    row
}

/// A row of a query. Source: fact sheet 4.5.
pub(crate) fn row(core: &Core, order: &OrderView) -> Value {
    let places = core.places(&order.symbol);
    let mut row = common(places, order);
    row["avgPrice"] = json!(places.price(order.avg_price));
    row["cumQuote"] = json!(money(order.cum_quote));
    row["time"] = json!(order.time_ms);
    if let Some(price) = order.activate_price {
        row["activatePrice"] = json!(places.price(price));
    }
    if let Some(rate) = order.callback_rate {
        row["priceRate"] = json!(plain(rate));
    }
    row
}

fn common(places: Places, order: &OrderView) -> Value {
    json!({
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": order.status.as_str(),
        "clientOrderId": order.client_order_id,
        "price": places.price(order.price),
        "origQty": places.qty(order.orig_qty),
        "executedQty": places.qty(order.executed_qty),
        "timeInForce": order.tif.as_str(),
        "type": order.order_type.as_str(),
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side.as_str(),
        "positionSide": order.position_side.as_str(),
        "stopPrice": places.price(order.stop_price),
        "workingType": order.working_type.as_str(),
        "priceProtect": order.price_protect,
        "origType": order.orig_type.as_str(),
        "priceMatch": order.price_match.map_or("NONE", PriceMatch::as_str),
        "selfTradePreventionMode": order.stp.as_str(),
        "goodTillDate": order.good_till_ms,
        "updateTime": order.update_ms,
    })
}

fn trade_row(core: &Core, trade: &TradeView) -> Value {
    let places = core.places(&trade.symbol);
    json!({
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "side": trade.side.as_str(),
        "positionSide": trade.position_side.as_str(),
        "price": places.price(trade.price),
        "qty": places.qty(trade.qty),
        "quoteQty": money(trade.quote_qty),
        "realizedPnl": money(trade.realized_pnl),
        "commission": money(trade.commission),
        "commissionAsset": trade.commission_asset,
        "marginAsset": trade.commission_asset,
        "time": trade.time_ms,
        "buyer": trade.side == Side::Buy,
        "maker": trade.maker,
    })
}
