//! Several orders in one request. The request succeeds even when orders in it fail: each has an answer in its place.
//!
//! Source: fact sheet 4.4, 4.5 and Appendix A ("Batch place").

use serde_json::{Value, json};

use super::error::ApiError;
use super::params::Params;
use super::state::Core;
use super::{rest_amend, rest_orders};

/// Orders that one request may place or amend. Source: fact sheet 4.4.
const MOST_PLACED: usize = 5;
/// Orders that one request may cancel. Source: fact sheet 4.4.
const MOST_CANCELED: usize = 10;

pub(crate) fn place(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    each(core, params, rest_orders::place)
}

pub(crate) fn modify(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    each(core, params, rest_amend::modify)
}

fn each(
    core: &mut Core,
    params: &Params,
    act: fn(&mut Core, &Params) -> Result<Value, ApiError>,
) -> Result<Value, ApiError> {
    let orders = params.json_list("batchOrders")?.ok_or_else(|| ApiError::missing("batchOrders"))?;
    if orders.is_empty() || orders.len() > MOST_PLACED {
        let count = orders.len();
        return Err(ApiError::bad(-4082, format!("Invalid number of batch place orders: {count}.")));
    }
    let mut answers = Vec::with_capacity(orders.len());
    for order in &orders {
        let answer = Params::of_json(order).and_then(|order| act(core, &order));
        answers.push(answer.unwrap_or_else(|error| refused(&error)));
    }
    Ok(Value::Array(answers))
}

pub(crate) fn cancel(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    let symbol = params.need("symbol")?;
    // Maintained clients send these names in lower case.
    let list = |name: &str| match params.json_list(name)? {
        Some(list) => Ok(Some(list)),
        None => params.json_list(&name.to_ascii_lowercase()),
    };
    let (key, ids) = match (list("orderIdList")?, list("origClientOrderIdList")?) {
        (Some(ids), _) => ("orderId", ids),
        (None, Some(ids)) => ("origClientOrderId", ids),
        (None, None) => {
            return Err(ApiError::bad(
                -1102,
                "Param 'orderIdList' or 'origClientOrderIdList' must be sent, but both were empty/null!",
            ));
        }
    };
    if ids.is_empty() {
        return Err(ApiError::missing(key));
    }
    if ids.len() > MOST_CANCELED {
        return Err(ApiError::bad(-4032, "Exceed maximum cancel order size."));
    }
    let mut answers = Vec::with_capacity(ids.len());
    for id in &ids {
        let one = Params::of_json(&json!({"symbol": symbol, key: id}));
        let answer = one.and_then(|one| rest_orders::cancel(core, &one));
        answers.push(answer.unwrap_or_else(|error| refused(&error)));
    }
    Ok(Value::Array(answers))
}

fn refused(error: &ApiError) -> Value {
    json!({"code": error.code, "msg": error.msg})
}
