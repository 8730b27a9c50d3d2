//! The account: settings, balances, positions, ledger.
//!
//! Source: fact sheet 3, 4.7 to 4.9.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::error::ApiError;
use super::limits::{ORDERS_1M, ORDERS_10S};
use super::numbers::{money, number, padded, plain};
use super::params::Params;
use super::rest_orders::{HISTORY_SPAN_MS, unexpected, word};
use super::state::{ACCOUNT, Core};
use crate::venue::{
    AssetView, Command, IncomeType, InstrumentRules, MarginType, PositionView, Reply, SymbolConfigView,
    Window,
};

fn success() -> Value {
    json!({"code": 200, "msg": "success"})
}

pub(crate) fn set_leverage(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    let symbol = params.need("symbol")?.to_owned();
    let wanted = params.need_int("leverage")?;
    let leverage =
        u32::try_from(wanted).map_err(|_| ApiError::bad(-4028, format!("Leverage {wanted} is not valid")))?;
    match core.command(Command::Leverage { account: ACCOUNT, symbol: symbol.clone(), leverage })? {
        Reply::Leverage { leverage, max_notional } => {
            Ok(json!({"leverage": leverage, "maxNotionalValue": plain(max_notional), "symbol": symbol}))
        }
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn set_margin_type(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    let symbol = params.need("symbol")?.to_owned();
    params.need("marginType")?;
    let parse =
        |text: &str| if text == "CROSS" { Some(MarginType::Crossed) } else { MarginType::parse(text) };
    let wanted =
        word(params, "marginType", parse, (-1130, "Data sent for parameter 'marginType' is not valid."))?;
    let margin_type = wanted.ok_or_else(|| ApiError::missing("marginType"))?;
    core.command(Command::MarginType { account: ACCOUNT, symbol, margin_type })?;
    Ok(success())
}

pub(crate) fn position_mode(core: &Core) -> Result<Value, ApiError> {
    Ok(json!({"dualSidePosition": core.hedge_shown()?}))
}

pub(crate) fn set_position_mode(core: &mut Core, params: &Params) -> Result<Value, ApiError> {
    params.need("dualSidePosition")?;
    let hedge = params.boolean("dualSidePosition")?.ok_or_else(|| ApiError::missing("dualSidePosition"))?;
    core.command(Command::PositionMode { account: ACCOUNT, hedge })?;
    Ok(success())
}

/// Account of version 3: assets, and the rows that have a position or an open order.
pub(crate) fn account_v3(core: &Core) -> Result<Value, ApiError> {
    let assets = core.venue.assets(ACCOUNT)?;
    let positions = core.venue.positions(ACCOUNT, None)?;
    let mut account = totals(&assets);
    account["assets"] = assets.iter().map(|asset| asset_row(core, asset)).collect();
    account["positions"] = positions.iter().filter(|row| row.active).map(|row| leg_v3(core, row)).collect();
    Ok(account)
}

/// Account of version 2: account flags, and every row of every symbol.
pub(crate) fn account_v2(core: &Core) -> Result<Value, ApiError> {
    let assets = core.venue.assets(ACCOUNT)?;
    let positions = core.venue.positions(ACCOUNT, None)?;
    let config = core.venue.account_config(ACCOUNT)?;
    let mut account = totals(&assets);
    account["feeTier"] = json!(config.fee_tier);
    account["feeBurn"] = json!(core.venue.fee_burn(ACCOUNT)?);
    account["canTrade"] = json!(config.can_trade);
    account["canDeposit"] = json!(true);
    account["canWithdraw"] = json!(true);
    account["updateTime"] = json!(0);
    account["multiAssetsMargin"] = json!(config.multi_assets);
    account["tradeGroupId"] = json!(-1);
    let with_margin = |asset: &AssetView| {
        let mut row = asset_row(core, asset);
        row["marginAvailable"] = json!(true);
        row
    };
    account["assets"] = assets.iter().map(with_margin).collect();
    account["positions"] = positions.iter().map(|row| leg_v2(core, row)).collect();
    Ok(account)
}

fn totals(assets: &[AssetView]) -> Value {
    let sum = |field: fn(&AssetView) -> Decimal| money(assets.iter().map(field).sum());
    json!({
        "totalInitialMargin": sum(|a| a.initial_margin),
        "totalMaintMargin": sum(|a| a.maint_margin),
        "totalWalletBalance": sum(|a| a.wallet_balance),
        "totalUnrealizedProfit": sum(|a| a.unrealized_pnl),
        "totalMarginBalance": sum(|a| a.margin_balance),
        "totalPositionInitialMargin": sum(|a| a.position_initial_margin),
        "totalOpenOrderInitialMargin": sum(|a| a.open_order_initial_margin),
        "totalCrossWalletBalance": sum(|a| a.cross_wallet_balance),
        "totalCrossUnPnl": sum(|a| a.cross_unrealized_pnl),
        "availableBalance": sum(|a| a.available_balance),
        "maxWithdrawAmount": sum(|a| a.max_withdraw),
    })
}

fn asset_row(core: &Core, asset: &AssetView) -> Value {
    json!({
        "asset": asset.asset,
        "walletBalance": money(asset.wallet_balance),
        "unrealizedProfit": money(asset.unrealized_pnl),
        "marginBalance": money(asset.margin_balance),
        "maintMargin": money(asset.maint_margin),
        "initialMargin": money(asset.initial_margin),
        "positionInitialMargin": money(asset.position_initial_margin),
        "openOrderInitialMargin": money(asset.open_order_initial_margin),
        "crossWalletBalance": money(asset.cross_wallet_balance),
        "crossUnPnl": money(asset.cross_unrealized_pnl),
        "availableBalance": money(asset.available_balance),
        "maxWithdrawAmount": money(asset.max_withdraw),
        "updateTime": updated(core, asset.update_ms),
    })
}

/// One client drops an asset whose update time is 0, so an untouched one carries the present. Source: fact sheet 14.6.
fn updated(core: &Core, update_ms: i64) -> i64 {
    if update_ms > 0 { update_ms } else { core.now_ms() }
}

fn leg_v3(core: &Core, row: &PositionView) -> Value {
    let places = core.places(&row.symbol);
    json!({
        "symbol": row.symbol,
        "positionSide": row.position_side.as_str(),
        "positionAmt": places.qty(row.qty),
        "unrealizedProfit": money(row.unrealized_pnl),
        "isolatedMargin": plain(row.isolated_margin),
        "notional": money(row.notional),
        "isolatedWallet": plain(row.isolated_wallet),
        "initialMargin": money(row.initial_margin),
        "maintMargin": money(row.maint_margin),
        "updateTime": row.update_ms,
    })
}

fn leg_v2(core: &Core, row: &PositionView) -> Value {
    let places = core.places(&row.symbol);
    json!({
        "symbol": row.symbol,
        "initialMargin": money(row.initial_margin),
        "maintMargin": money(row.maint_margin),
        "unrealizedProfit": money(row.unrealized_pnl),
        "positionInitialMargin": money(row.position_initial_margin),
        "openOrderInitialMargin": money(row.open_order_initial_margin),
        "leverage": row.leverage.to_string(),
        "isolated": row.margin_type == MarginType::Isolated,
        "entryPrice": places.price(row.entry_price),
        "breakEvenPrice": places.price(row.break_even_price),
        "maxNotional": plain(row.max_notional),
        "bidNotional": plain(row.bid_notional),
        "askNotional": plain(row.ask_notional),
        "positionSide": row.position_side.as_str(),
        "positionAmt": places.qty(row.qty),
        "notional": plain(row.notional),
        "isolatedWallet": plain(row.isolated_wallet),
        "updateTime": row.update_ms,
    })
}

pub(crate) fn balance(core: &Core) -> Result<Value, ApiError> {
    let row = |asset: &AssetView| {
        json!({
            "accountAlias": "SgsRSimuAuFz",
            "asset": asset.asset,
            "balance": money(asset.wallet_balance),
            "crossWalletBalance": money(asset.cross_wallet_balance),
            "crossUnPnl": money(asset.cross_unrealized_pnl),
            "availableBalance": money(asset.available_balance),
            "maxWithdrawAmount": money(asset.max_withdraw),
            "marginAvailable": true,
            "updateTime": updated(core, asset.update_ms),
        })
    };
    Ok(core.venue.assets(ACCOUNT)?.iter().map(row).collect())
}

/// Position risk of version 3: a missing row means flat.
pub(crate) fn position_risk_v3(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let row = |row: &PositionView| {
        let places = core.places(&row.symbol);
        json!({
            "symbol": row.symbol,
            "positionSide": row.position_side.as_str(),
            "positionAmt": places.qty(row.qty),
            "entryPrice": places.price(row.entry_price),
            "breakEvenPrice": places.price(row.break_even_price),
            "markPrice": money(row.mark_price),
            "unRealizedProfit": money(row.unrealized_pnl),
            "liquidationPrice": plain(row.liquidation_price),
            "isolatedMargin": plain(row.isolated_margin),
            "notional": money(row.notional),
            "marginAsset": row.margin_asset,
            "isolatedWallet": plain(row.isolated_wallet),
            "initialMargin": money(row.initial_margin),
            "maintMargin": money(row.maint_margin),
            "positionInitialMargin": money(row.position_initial_margin),
            "openOrderInitialMargin": plain(row.open_order_initial_margin),
            "adl": row.adl,
            "bidNotional": plain(row.bid_notional),
            "askNotional": plain(row.ask_notional),
            "updateTime": row.update_ms,
        })
    };
    let rows = core.venue.positions(ACCOUNT, params.get("symbol"))?;
    Ok(rows.iter().filter(|row| row.active).map(row).collect())
}

pub(crate) fn position_risk_v2(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let row = |row: &PositionView| {
        let places = core.places(&row.symbol);
        json!({
            "symbol": row.symbol,
            "positionSide": row.position_side.as_str(),
            "positionAmt": places.qty(row.qty),
            "entryPrice": places.price(row.entry_price),
            "breakEvenPrice": places.price(row.break_even_price),
            "markPrice": money(row.mark_price),
            "unRealizedProfit": money(row.unrealized_pnl),
            "liquidationPrice": plain(row.liquidation_price),
            "leverage": row.leverage.to_string(),
            "maxNotionalValue": plain(row.max_notional),
            "marginType": margin_word(row.margin_type),
            "isolatedMargin": money(row.isolated_margin),
            "isAutoAddMargin": "false",
            "notional": money(row.notional),
            "isolatedWallet": plain(row.isolated_wallet),
            "updateTime": row.update_ms,
        })
    };
    Ok(core.venue.positions(ACCOUNT, params.get("symbol"))?.iter().map(row).collect())
}

/// The lower-case word of positionRisk v2 and of `ACCOUNT_UPDATE`. Source: fact sheet 4.8, 9.4.
pub(crate) const fn margin_word(margin_type: MarginType) -> &'static str {
    match margin_type {
        MarginType::Crossed => "cross",
        MarginType::Isolated => "isolated",
    }
}

pub(crate) fn account_config(core: &Core) -> Result<Value, ApiError> {
    let config = core.venue.account_config(ACCOUNT)?;
    Ok(json!({
        "feeTier": config.fee_tier,
        "canTrade": config.can_trade,
        "canDeposit": true,
        "canWithdraw": true,
        "dualSidePosition": core.hedge_shown()?,
        "updateTime": config.update_ms,
        "multiAssetsMargin": config.multi_assets,
        "tradeGroupId": -1,
    }))
}

pub(crate) fn symbol_config(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let row = |config: &SymbolConfigView| {
        json!({
            "symbol": config.symbol,
            "marginType": config.margin_type.as_str(),
            "isAutoAddMargin": false,
            "leverage": config.leverage,
            "maxNotionalValue": plain(config.max_notional),
        })
    };
    Ok(core.venue.symbol_configs(ACCOUNT, params.get("symbol"))?.iter().map(row).collect())
}

/// Brackets: the one place where amounts are JSON numbers. Source: fact sheet 4.9.
pub(crate) fn leverage_bracket(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let row = |rules: &InstrumentRules| {
        let bracket = |bracket: &crate::venue::Bracket| {
            json!({
                "bracket": bracket.bracket,
                "initialLeverage": bracket.initial_leverage,
                "notionalCap": number(bracket.notional_cap),
                "notionalFloor": number(bracket.notional_floor),
                "maintMarginRatio": number(bracket.maint_ratio),
                "cum": number(bracket.cum),
            })
        };
        json!({"symbol": rules.symbol, "brackets": rules.brackets.iter().map(bracket).collect::<Vec<_>>()})
    };
    Ok(core.rules_of(params)?.into_iter().map(row).collect())
}

pub(crate) fn commission_rate(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let symbol = params.need("symbol")?;
    let fees = core.venue.commission_rate(ACCOUNT, symbol)?;
    Ok(json!({
        "symbol": symbol,
        "makerCommissionRate": padded(fees.maker, 6),
        "takerCommissionRate": padded(fees.taker, 6),
        "rpiCommissionRate": "0.000000",
    }))
}

pub(crate) fn income(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let kind = match params.get("incomeType") {
        None => None,
        // A kind that this venue never books has no rows; a word nobody knows is refused.
        Some(text) => match (IncomeType::parse(text), OTHER_INCOME.contains(&text)) {
            (Some(kind), _) => Some(kind),
            (None, true) => return Ok(json!([])),
            (None, false) => return Err(ApiError::invalid("incomeType")),
        },
    };
    let (mut start_ms, end_ms) = (params.int("startTime")?, params.int("endTime")?);
    if start_ms.zip(end_ms).is_some_and(|(start, end)| start > end) {
        return Err(ApiError::bad(-1023, "Start time is greater than end time."));
    }
    let limit = params.limit(100, 1_000)?;
    let newest_only = start_ms.is_none();
    if newest_only {
        start_ms = Some(end_ms.unwrap_or_else(|| core.now_ms()) - HISTORY_SPAN_MS);
    }
    let window = Window { from_id: None, start_ms, end_ms, limit: if newest_only { 0 } else { limit } };
    let mut rows = core.venue.income(ACCOUNT, params.get("symbol"), kind, window)?;
    rows.drain(..rows.len().saturating_sub(limit));
    let row = |row: &crate::venue::IncomeView| {
        json!({
            "symbol": row.symbol,
            "incomeType": row.income_type.as_str(),
            "income": money(row.income),
            "asset": row.asset,
            "info": row.info,
            "time": row.time_ms,
            "tranId": row.tran_id,
            "tradeId": row.trade_id,
        })
    };
    Ok(rows.iter().map(row).collect())
}

/// Kinds of income that exist and never happen here. Source: fact sheet 4.7.
const OTHER_INCOME: [&str; 18] = [
    "WELCOME_BONUS",
    "REFERRAL_KICKBACK",
    "COMMISSION_REBATE",
    "API_REBATE",
    "CONTEST_REWARD",
    "CROSS_COLLATERAL_TRANSFER",
    "OPTIONS_PREMIUM_FEE",
    "OPTIONS_SETTLE_PROFIT",
    "INTERNAL_TRANSFER",
    "AUTO_EXCHANGE",
    "DELIVERED_SETTELMENT",
    "COIN_SWAP_DEPOSIT",
    "COIN_SWAP_WITHDRAW",
    "POSITION_LIMIT_INCREASE_FEE",
    "STRATEGY_UMFUTURES_TRANSFER",
    "FEE_RETURN",
    "BFUSD_REWARD",
    "SPECIAL_FUNDING_FEE",
];

pub(crate) fn order_limits() -> Value {
    json!([
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_10S},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": ORDERS_1M},
    ])
}
