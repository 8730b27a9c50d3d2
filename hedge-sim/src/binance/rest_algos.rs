//! Conditional orders: the algo service with its own id space.
//!
//! Source: fact sheet 5.1 to 5.4 and Appendix A.

use serde_json::{Value, json};

use super::error::ApiError;
use super::numbers::plain;
use super::params::Params;
use super::rest_orders::{
    order_type, position_side, price_match, side, stp, tif, time_window, unexpected, wants_result, word,
};
use super::state::{ACCOUNT, Core};
use crate::venue::{AlgoRef, AlgoView, Command, NewAlgo, OrderType, PriceMatch, Reply, Window, WorkingType};

pub(crate) fn place(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    if params.need("algoType")? != "CONDITIONAL" {
        return Err(ApiError::bad(-1130, "Data sent for parameter 'algoType' is not valid."));
    }
    let symbol = params.need("symbol")?;
    let (side, order_type) = (side(params)?, order_type(params)?);
    if !order_type.is_conditional() {
        return Err(ApiError::bad(-1116, "Invalid orderType."));
    }
    wants_result(params)?;
    let algo = NewAlgo {
        position_side: position_side(params)?,
        tif: tif(params)?,
        qty: params.decimal("quantity")?,
        trigger_price: params.decimal("triggerPrice")?,
        price: params.decimal("price")?,
        working_type: word(params, "workingType", WorkingType::parse, (-4031, "Invalid working type"))?,
        price_protect: params.boolean("priceProtect")?.unwrap_or(false),
        close_position: params.boolean("closePosition")?.unwrap_or(false),
        reduce_only: params.boolean("reduceOnly")?,
        activate_price: params.decimal("activatePrice")?,
        callback_rate: params.decimal("callbackRate")?,
        client_algo_id: params.get("clientAlgoId").map(str::to_owned),
        price_match: price_match(params)?,
        stp: stp(params)?,
        good_till_ms: params.int("goodTillDate")?,
        ..NewAlgo::of(ACCOUNT, symbol, side, order_type)
    };
    demand(params, &algo)?;
    match core.command(Command::PlaceAlgo(algo))? {
        Reply::Algo(view) => Ok(placed(core, &view)),
        other => Err(unexpected(&other)),
    }
}

/// Parameters that the type makes mandatory. Source: fact sheet 5.2.
fn demand(params: &Params, algo: &NewAlgo) -> Result<(), ApiError> {
    if algo.order_type == OrderType::TrailingStopMarket {
        params.need("callbackRate")?;
    } else {
        params.need("triggerPrice")?;
    }
    if !algo.close_position {
        params.need("quantity")?;
    }
    if algo.order_type.has_limit_child() && algo.price_match.is_none() {
        params.need("price")?;
    }
    Ok(())
}

/// `algoId` wins over `clientAlgoId`; one of them must be there.
fn algo_ref(params: &Params) -> Result<AlgoRef, ApiError> {
    let id = params.int("algoId")?.map(|id| AlgoRef::Id(id.try_into().unwrap_or(0)));
    let by_client = || params.get("clientAlgoId").map(|id| AlgoRef::Client(id.to_owned()));
    id.or_else(by_client).ok_or_else(|| {
        ApiError::bad(-1102, "Param 'clientAlgoId' or 'algoId' must be sent, but both were empty/null!")
    })
}

pub(crate) fn get(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let view = core.venue.algo(ACCOUNT, &algo_ref(params)?)?;
    let mut row = queried(core, &view);
    row["actualType"] = json!(view.actual_type.map_or("", OrderType::as_str));
    row["actualQty"] = json!(core.places(&view.symbol).qty(view.actual_qty));
    Ok(row)
}

pub(crate) fn cancel(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    let algo = algo_ref(params)?;
    match core.command(Command::CancelAlgo { account: ACCOUNT, algo })? {
        // The code is text here, unlike everywhere else. Source: fact sheet 5.4.
        Reply::Algo(view) => Ok(json!({
            "algoId": view.algo_id, "clientAlgoId": view.client_algo_id, "code": "200", "msg": "success",
        })),
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn cancel_all(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    let symbol = params.need("symbol")?.to_owned();
    core.command(Command::CancelAllAlgos { account: ACCOUNT, symbol })?;
    Ok(json!({"code": 200, "msg": "The operation of cancel all open order is done."}))
}

pub(crate) fn open(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let wanted = params.int("algoId")?;
    let other_type = params.get("algoType").is_some_and(|kind| kind != "CONDITIONAL");
    let algos = core.venue.open_algos(ACCOUNT, params.get("symbol"))?;
    let shown = algos
        .iter()
        .filter(|view| !other_type && wanted.is_none_or(|id| i64::try_from(view.algo_id) == Ok(id)));
    Ok(shown.map(|view| listed(core, view)).collect())
}

pub(crate) fn all(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let symbol = params.need("symbol")?;
    let window = Window {
        from_id: params.int("algoId")?.map(|id| id.try_into().unwrap_or(0)),
        ..time_window(params, 500, 1_000)?
    };
    let algos = core.venue.all_algos(ACCOUNT, symbol, window)?;
    Ok(algos.iter().map(|view| listed(core, view)).collect())
}

fn placed(core: &Core, algo: &AlgoView) -> Value {
    let places = core.places(&algo.symbol);
    json!({
        "algoId": algo.algo_id,
        "clientAlgoId": algo.client_algo_id,
        "algoType": "CONDITIONAL",
        "orderType": algo.order_type.as_str(),
        "symbol": algo.symbol,
        "side": algo.side.as_str(),
        "positionSide": algo.position_side.as_str(),
        "timeInForce": algo.tif.as_str(),
        "quantity": places.qty(algo.qty),
        "algoStatus": algo.status.as_str(),
        "triggerPrice": places.price(algo.trigger_price),
        "price": places.price(algo.price),
        "icebergQuantity": null,
        "selfTradePreventionMode": algo.stp.as_str(),
        "workingType": algo.working_type.as_str(),
        "priceMatch": algo.price_match.map_or("NONE", PriceMatch::as_str),
        "closePosition": algo.close_position,
        "priceProtect": algo.price_protect,
        "reduceOnly": algo.reduce_only,
        "activatePrice": algo.activate_price.map(|price| places.price(price)).unwrap_or_default(),
        "callbackRate": algo.callback_rate.map(plain).unwrap_or_default(),
        "createTime": algo.create_ms,
        "updateTime": algo.update_ms,
        "triggerTime": algo.trigger_ms,
        "goodTillDate": algo.good_till_ms,
    })
}

fn queried(core: &Core, algo: &AlgoView) -> Value {
    let mut row = placed(core, algo);
    row["actualOrderId"] = json!(algo.actual_order_id.map(|id| id.to_string()).unwrap_or_default());
    row["actualPrice"] = json!(core.places(&algo.symbol).price(algo.actual_price));
    row["tpOrderType"] = json!("");
    row
}

fn listed(core: &Core, algo: &AlgoView) -> Value {
    let mut row = queried(core, algo);
    for legacy in ["tpTriggerPrice", "tpPrice", "slTriggerPrice", "slPrice"] {
        row[legacy] = json!("0");
    }
    row
}
