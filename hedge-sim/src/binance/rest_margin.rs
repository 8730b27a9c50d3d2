//! Isolated margin by hand, account switches, and what the venue says about risk.
//!
//! Source: fact sheet 4.7, 4.9.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::error::ApiError;
use super::numbers::{number, plain};
use super::params::Params;
use super::rest_orders::{position_side, row, time_window};
use super::state::{ACCOUNT, Core};
use crate::venue::{
    AccountSwitch, Command, MarginChangeView, MarginType, PositionSide, PositionView, Window,
};

/// Client id of an order by which the venue takes a position away. Source: fact sheet 7.1.
const LIQUIDATION_PREFIX: &str = "autoclose-";
const DELEVERAGING_ID: &str = "adl_autoclose";

pub(crate) fn adjust(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    let symbol = params.need("symbol")?.to_owned();
    let amount = params.decimal("amount")?.ok_or_else(|| ApiError::missing("amount"))?;
    let kind = params.need_int("type")?;
    if !matches!(kind, 1 | 2) {
        return Err(ApiError::invalid("type"));
    }
    if amount <= Decimal::ZERO {
        return Err(ApiError::bad(-4055, "Amount must be positive."));
    }
    let signed = if kind == 1 { amount } else { -amount };
    let position_side = position_side(params)?;
    core.command(Command::AdjustMargin { account: ACCOUNT, symbol, position_side, amount: signed })?;
    Ok(json!({
        "amount": number(amount), "code": 200, "msg": "Successfully modify position margin.", "type": kind,
    }))
}

/// What the account itself changed. Margin that came and went with trades is in the positions, not here.
pub(crate) fn record(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let symbol = params.need("symbol")?;
    let kind = params.int("type")?;
    let limit = params.limit(500, 1_000)?;
    let window = Window { limit: 0, ..time_window(params, 500, 1_000)? };
    let kind_of = |change: &MarginChangeView| if change.amount > Decimal::ZERO { 1 } else { 2 };
    let row = |change: &MarginChangeView| {
        json!({
            "symbol": change.symbol,
            "type": kind_of(change),
            "deltaType": "USER_ADJUST",
            "amount": plain(change.amount.abs()),
            "asset": change.asset,
            "time": change.time_ms,
            "positionSide": change.position_side.as_str(),
        })
    };
    let changes = core.venue.margin_changes(ACCOUNT, symbol, window)?;
    let wanted = changes.iter().filter(|change| kind.is_none_or(|kind| kind == kind_of(change)));
    let rows: Vec<Value> = wanted.map(row).collect();
    Ok(rows.into_iter().rev().take(limit).rev().collect())
}

pub(crate) fn multi_assets(core: &Core) -> Result<Value, ApiError> {
    Ok(json!({"multiAssetsMargin": core.venue.account_config(ACCOUNT)?.multi_assets}))
}

/// With one margin asset the mode changes no number; an exchange with several refuses it. Source: fact sheet 4.7, 9.5.
pub(crate) fn set_multi_assets(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    let on = throw(core, params, "multiAssetsMargin", AccountSwitch::MultiAssets)?;
    let now_ms = core.now_ms();
    let event = json!({"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, "ai": {"j": on}});
    let key = core.key.active();
    core.hub.publish_user(key.as_deref(), "ACCOUNT_CONFIG_UPDATE", event.to_string());
    Ok(json!({"code": 200, "msg": "success"}))
}

/// Fees are paid in BNB as long as there is BNB, and here is none: the switch is kept, fees stay as they are.
pub(crate) fn set_fee_burn(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    throw(core, params, "feeBurn", AccountSwitch::FeeBurn)?;
    Ok(json!({"code": 200, "msg": "success"}))
}

fn throw(core: &mut Core, params: &Params, name: &str, switch: AccountSwitch) -> Result<bool, ApiError> {
    let on = params.boolean(name)?.ok_or_else(|| ApiError::missing(name))?;
    core.command(Command::Switch { account: ACCOUNT, switch, on })?;
    Ok(on)
}

/// Deleveraging ranks of the symbols that are held, or of the one that is asked for.
pub(crate) fn adl_quantile(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let rows = core.venue.positions(ACCOUNT, params.get("symbol"))?;
    let mut symbols: BTreeMap<&str, Vec<&PositionView>> = BTreeMap::new();
    for leg in rows.iter().filter(|leg| !leg.qty.is_zero()) {
        symbols.entry(&leg.symbol).or_default().push(leg);
    }
    let row = |(symbol, legs): (&&str, &Vec<&PositionView>)| {
        let rank = |side| legs.iter().find(|leg| leg.position_side == side).map_or(0, |leg| leg.adl);
        let hedged = legs.iter().any(|leg| leg.position_side != PositionSide::Both);
        let crossed = legs.iter().all(|leg| leg.margin_type == MarginType::Crossed);
        // For crossed legs of hedge mode the venue only says that there are some.
        let third = if hedged && crossed { "HEDGE" } else { "BOTH" };
        json!({
            "symbol": symbol,
            "adlQuantile": {
                "LONG": rank(PositionSide::Long), "SHORT": rank(PositionSide::Short), third: rank(PositionSide::Both),
            },
        })
    };
    Ok(symbols.iter().map(row).collect())
}

/// Nobody is restricted here, so there is no indicator to show.
pub(crate) fn trading_status(core: &Core, params: &Params) -> Result<Value, ApiError> {
    core.rules_of(params)?;
    Ok(json!({"indicators": {}, "updateTime": core.now_ms()}))
}

/// Orders by which the venue took positions away. Source: fact sheet 4.4, 7.1.
pub(crate) fn force_orders(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let (liquidations, deleveragings) = match params.get("autoCloseType") {
        None => (true, true),
        Some("LIQUIDATION") => (true, false),
        Some("ADL") => (false, true),
        Some(_) => return Err(ApiError::invalid("autoCloseType")),
    };
    let limit = params.limit(50, 100)?;
    let window = Window { limit: 0, ..time_window(params, 50, 100)? };
    let orders = core.venue.all_orders(ACCOUNT, params.get("symbol"), window)?;
    let forced = orders.iter().filter(|order| {
        (liquidations && order.client_order_id.starts_with(LIQUIDATION_PREFIX))
            || (deleveragings && order.client_order_id == DELEVERAGING_ID)
    });
    let rows: Vec<Value> = forced
        .map(|order| {
            let mut row = row(core, order);
            row["pair"] = json!(order.symbol);
            row
        })
        .collect();
    Ok(rows.into_iter().rev().take(limit).rev().collect())
}
