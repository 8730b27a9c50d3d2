//! Amendments of resting orders, one at a time, and their record.
//!
//! Source: fact sheet 4.4, 4.5 ("PUT modify").

use serde_json::{Value, json};

use super::error::ApiError;
use super::params::Params;
use super::rest_orders::{ack_as_is, id_ref, order_ref, price_match, side, time_window, unexpected};
use super::state::{ACCOUNT, Core};
use crate::venue::{AmendmentView, Command, ModifyOrder, OrderView, Reply, Window};

/// Most rows of the record, and how many there are when nobody says. Source: fact sheet 4.4 (UNCONFIRMED).
const MOST_ROWS: usize = 100;
const USUAL_ROWS: usize = 50;

pub(crate) fn modify(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    let symbol = params.need("symbol")?.to_owned();
    let order = order_ref(params)?;
    let side = side(params)?;
    let qty = params.decimal("quantity")?.ok_or_else(|| ApiError::missing("quantity"))?;
    let price = match (params.decimal("price")?, price_match(params)?) {
        (Some(_), Some(_)) => {
            return Err(ApiError::bad(-5037, "Invalid price match: price must not be sent with priceMatch."));
        }
        (Some(price), None) => price,
        (None, Some(price_match)) => core.venue.price_of_match(&symbol, side, price_match)?,
        (None, None) => return Err(ApiError::missing("price")),
    };
    let modify_id = params.int("modifyId")?;
    let reduce_only = params.boolean("reduceOnly")?;
    let change = ModifyOrder { account: ACCOUNT, symbol, order, side, qty, price, modify_id, reduce_only };
    match core.command(Command::Modify(change))? {
        Reply::Order(view) => Ok(modified(core, &view, modify_id)),
        other => Err(unexpected(&other)),
    }
}

/// The order as it stands, with the pair and the client's number of the amendment. Source: fact sheet 4.5.
fn modified(core: &Core, order: &OrderView, modify_id: Option<i64>) -> Value {
    let mut row = ack_as_is(core, order);
    row["pair"] = json!(order.symbol);
    if let Some(id) = modify_id {
        row["modifyId"] = json!(id);
    }
    row
}

pub(crate) fn record(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let symbol = params.need("symbol")?;
    let order = id_ref(params)?;
    let window = Window { from_id: None, ..time_window(params, USUAL_ROWS, MOST_ROWS)? };
    let rows = core.venue.amendments(ACCOUNT, symbol, order.as_ref(), window)?;
    Ok(rows.iter().map(|row| amendment(core, row)).collect())
}

fn amendment(core: &Core, row: &AmendmentView) -> Value {
    let places = core.places(&row.symbol);
    let mut changes = json!({
        "price": {"before": places.price(row.price_before), "after": places.price(row.price_after)},
        "origQty": {"before": places.qty(row.qty_before), "after": places.qty(row.qty_after)},
        "count": row.count,
    });
    if let Some(id) = row.modify_id {
        changes["modifyId"] = json!(id);
    }
    json!({
        "amendmentId": row.amendment_id,
        "symbol": row.symbol,
        "pair": row.symbol,
        "orderId": row.order_id,
        "clientOrderId": row.client_order_id,
        "time": row.time_ms,
        "amendment": changes,
    })
}
