//! Market data over REST.
//!
//! Source: fact sheet 4.1 to 4.3.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::error::ApiError;
use super::limits::{ORDERS_1M, ORDERS_10S};
use super::numbers::{money, padded, plain};
use super::params::Params;
use super::past::Past;
use super::perform::Later;
use super::rest_data::held_by_crowd;
use super::state::{ACCOUNT, Core};
use super::tape::Print;
use crate::market::FundingPayment;
use crate::venue::{BestView, IncomeType, InstrumentRules, SymbolId, Window};

pub(crate) const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

pub(crate) fn exchange_info(core: &Core) -> Value {
    let assets: std::collections::BTreeSet<&str> =
        core.venue.instruments().map(|(_, rules)| rules.margin_asset.as_str()).collect();
    let asset =
        |asset: &&str| json!({"asset": asset, "marginAvailable": true, "autoAssetExchange": "-10000"});
    json!({
        "timezone": "UTC",
        "serverTime": core.now_ms(),
        "futuresType": "U_MARGINED",
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
             "limit": core.environment.weight_per_minute()},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": ORDERS_1M},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_10S},
        ],
        "exchangeFilters": [],
        "assets": assets.iter().map(asset).collect::<Vec<_>>(),
        "symbols": core.venue.instruments().map(|(_, rules)| symbol_row(&core.rules_shown(rules))).collect::<Vec<_>>(),
    })
}

fn symbol_row(rules: &InstrumentRules) -> Value {
    let mut filters = vec![
        json!({"filterType": "PRICE_FILTER", "minPrice": plain(rules.min_price), "maxPrice": plain(rules.max_price),
               "tickSize": plain(rules.tick)}),
        json!({"filterType": "LOT_SIZE", "minQty": plain(rules.lot.min), "maxQty": plain(rules.lot.max),
               "stepSize": plain(rules.lot.step)}),
        json!({"filterType": "MARKET_LOT_SIZE", "minQty": plain(rules.market_lot.min),
               "maxQty": plain(rules.market_lot.max), "stepSize": plain(rules.market_lot.step)}),
        json!({"filterType": "MIN_NOTIONAL", "notional": plain(rules.min_notional)}),
        json!({"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"}),
    ];
    if let Some(limit) = rules.max_num_orders {
        filters.push(json!({"filterType": "MAX_NUM_ORDERS", "limit": limit}));
    }
    if let (Some(up), Some(down)) = (rules.percent_price_up, rules.percent_price_down) {
        filters.push(json!({"filterType": "PERCENT_PRICE", "multiplierUp": padded(up, 4),
                            "multiplierDown": padded(down, 4), "multiplierDecimal": "4"}));
    }
    let mut row = json!({
        "symbol": rules.symbol,
        "pair": rules.pair,
        "contractType": rules.contract_type,
        "deliveryDate": rules.delivery_ms,
        "onboardDate": rules.onboard_ms,
        "status": rules.status.as_str(),
        // To be ignored, as the vendor says; brackets are what counts.
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": rules.base_asset,
        "quoteAsset": rules.quote_asset,
        "marginAsset": rules.margin_asset,
        "pricePrecision": rules.price_precision,
        "quantityPrecision": rules.qty_precision,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "settlePlan": 0,
        "liquidationFee": padded(rules.liquidation_fee, 6),
        "maxMoveOrderLimit": 10_000,
        "orderTypes": rules.order_types.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
        "timeInForce": rules.tifs.iter().map(|tif| tif.as_str()).collect::<Vec<_>>(),
        "permissionSets": ["GRID", "COPY"],
        "filters": filters,
    });
    row["triggerProtect"] = json!(padded(rules.trigger_protect.unwrap_or_default(), 4));
    row["marketTakeBound"] = json!(padded(rules.market_take_bound.unwrap_or_default(), 2));
    row
}

/// One row with a symbol, all rows without one.
fn one_or_all(
    core: &Core,
    params: &Params,
    row: impl Fn(SymbolId, &InstrumentRules) -> Option<Value>,
) -> Result<Value, ApiError> {
    if params.get("symbol").is_some() {
        let (id, rules) = core.symbol(params)?;
        return row(id, rules).ok_or_else(ApiError::bad_symbol);
    }
    Ok(core.venue.instruments().filter_map(|(id, rules)| row(id, rules)).collect())
}

pub(crate) fn time_range(params: &Params) -> Result<(Option<i64>, Option<i64>), ApiError> {
    let range = (params.int("startTime")?, params.int("endTime")?);
    match range {
        (Some(start), Some(end)) if start > end => {
            Err(ApiError::bad(-1023, "Start time is greater than end time."))
        }
        _ => Ok(range),
    }
}

pub(crate) fn premium_index(core: &Core, params: &Params) -> Result<Value, ApiError> {
    one_or_all(core, params, |id, rules| {
        let prices = core.venue.prices(id)?;
        let (next_ms, rate) = core.play.funding_next(id.0, core.now_ms());
        Some(json!({
            "symbol": rules.symbol,
            "markPrice": money(prices.mark),
            "indexPrice": money(prices.mark),
            "estimatedSettlePrice": money(prices.mark),
            "lastFundingRate": money(rate),
            "interestRate": "0.00010000",
            "nextFundingTime": next_ms,
            "time": core.now_ms(),
        }))
    })
}

pub(crate) fn funding_rate(core: &Core, params: &Params) -> Result<Later, ApiError> {
    let wanted = match params.get("symbol") {
        Some(_) => vec![core.symbol(params)?],
        None => core.venue.instruments().collect(),
    };
    let (start, end) = time_range(params)?;
    let limit = params.limit(100, 1_000)?;
    let now_ms = core.now_ms();
    let past = |(id, rules): (SymbolId, &InstrumentRules)| {
        Some((rules.symbol.clone(), core.play.past(id.0, now_ms)?))
    };
    let wanted: Vec<(String, Past)> = wanted.into_iter().filter_map(past).collect();
    Ok(Later::new(move || funding_rows(&wanted, start, end, limit, now_ms)))
}

fn funding_rows(
    wanted: &[(String, Past)],
    start: Option<i64>,
    end: Option<i64>,
    limit: usize,
    now_ms: i64,
) -> Value {
    let mut rows = Vec::new();
    for (at, (_, past)) in wanted.iter().enumerate() {
        let paid = past.funding_paid(start, end, limit, now_ms);
        rows.extend(paid.into_iter().map(|payment| (payment.at_ms, at, payment)));
    }
    rows.sort_by_key(|(at_ms, at, _)| (*at_ms, *at));
    // With a start the oldest rows are given, without one the newest.
    if start.is_none() {
        rows.drain(..rows.len().saturating_sub(limit));
    }
    rows.truncate(limit);
    let row = |(at_ms, at, payment): &(i64, usize, FundingPayment)| {
        let (symbol, past) = wanted.get(*at)?;
        let mark = payment.mark.or_else(|| past.price_at(*at_ms)).unwrap_or_default();
        Some(json!({
            "symbol": symbol,
            "fundingRate": money(payment.rate),
            "fundingTime": at_ms,
            "markPrice": money(mark),
            "rateType": "Regular",
        }))
    };
    rows.iter().filter_map(row).collect()
}

/// Only symbols whose interval is not the usual eight hours are listed. Source: fact sheet 4.1.
pub(crate) fn funding_info(core: &Core) -> Value {
    let row = |(id, rules): (SymbolId, &InstrumentRules)| {
        let hours = core.play.funding_interval_ms(id.0) / HOUR_MS;
        (hours != 8).then(|| {
            json!({
                "symbol": rules.symbol,
                "adjustedFundingRateCap": "0.02000000",
                "adjustedFundingRateFloor": "-0.02000000",
                "fundingIntervalHours": hours,
                "disclaimer": false,
            })
        })
    };
    core.venue.instruments().filter_map(row).collect()
}

pub(crate) fn book_ticker(core: &Core, params: &Params) -> Result<Value, ApiError> {
    one_or_all(core, params, |id, rules| Some(best_row(core, rules, &core.venue.best(id)?)))
}

/// The WS-API tells the id of the book beside it. Source: fact sheet 4.1.
pub(crate) fn book_ticker_with_id(core: &Core, params: &Params) -> Result<Value, ApiError> {
    one_or_all(core, params, |id, rules| {
        let best = core.venue.best(id)?;
        let mut row = best_row(core, rules, &best);
        row["lastUpdateId"] = json!(best.update_id);
        Some(row)
    })
}

fn best_row(core: &Core, rules: &InstrumentRules, best: &BestView) -> Value {
    let places = core.places(&rules.symbol);
    json!({
        "symbol": rules.symbol,
        "bidPrice": places.price(best.bid),
        "bidQty": places.qty(best.bid_qty),
        "askPrice": places.price(best.ask),
        "askQty": places.qty(best.ask_qty),
        "time": core.now_ms(),
    })
}

pub(crate) fn price_ticker(core: &Core, params: &Params) -> Result<Value, ApiError> {
    one_or_all(core, params, |id, rules| {
        let prices = core.venue.prices(id)?;
        Some(json!({
            "symbol": rules.symbol,
            "price": core.places(&rules.symbol).price(prices.last),
            "time": core.now_ms(),
        }))
    })
}

pub(crate) fn day_ticker(core: &Core, params: &Params) -> Result<Value, ApiError> {
    one_or_all(core, params, |id, rules| Some(day_figures(core, id, rules)?.rest()))
}

/// The rolling 24 hours of one symbol.
#[derive(Debug)]
pub(crate) struct DayFigures {
    pub(crate) symbol: String,
    pub(crate) change: String,
    pub(crate) change_pct: String,
    pub(crate) average: String,
    pub(crate) last: String,
    pub(crate) last_qty: String,
    pub(crate) open: String,
    pub(crate) high: String,
    pub(crate) low: String,
    pub(crate) volume: String,
    pub(crate) quote: String,
    pub(crate) open_ms: i64,
    pub(crate) close_ms: i64,
    pub(crate) first_id: u64,
    pub(crate) last_id: u64,
    pub(crate) count: u64,
}

pub(crate) fn day_figures(core: &Core, id: SymbolId, rules: &InstrumentRules) -> Option<DayFigures> {
    let now_ms = core.now_ms();
    let candle = core.play.rolling(id.0, 1_440, now_ms)?;
    let last = core.venue.prices(id)?.last;
    let places = core.places(&rules.symbol);
    let print = core.last_print(id);
    let last_id = print.map_or(0, |print| print.last_trade);
    let average = candle.quote.checked_div(candle.volume).unwrap_or(last);
    let change_pct = ((last - candle.open) * rust_decimal::Decimal::ONE_HUNDRED).checked_div(candle.open)?;
    Some(DayFigures {
        symbol: rules.symbol.clone(),
        change: places.price(last - candle.open),
        change_pct: padded(change_pct.round_dp(3), 3),
        average: places.price(average.round_dp(8)),
        last: places.price(last),
        last_qty: places.qty(print.map_or_else(Default::default, |print| print.qty)),
        open: places.price(candle.open),
        high: places.price(candle.high.max(last)),
        low: places.price(candle.low.min(last)),
        volume: plain(candle.volume),
        quote: plain(candle.quote),
        open_ms: now_ms - DAY_MS,
        close_ms: now_ms,
        first_id: last_id.saturating_sub(candle.trades.saturating_sub(1)),
        last_id,
        count: candle.trades,
    })
}

impl DayFigures {
    fn rest(&self) -> Value {
        json!({
            "symbol": self.symbol,
            "priceChange": self.change,
            "priceChangePercent": self.change_pct,
            "weightedAvgPrice": self.average,
            "lastPrice": self.last,
            "lastQty": self.last_qty,
            "openPrice": self.open,
            "highPrice": self.high,
            "lowPrice": self.low,
            "volume": self.volume,
            "quoteVolume": self.quote,
            "openTime": self.open_ms,
            "closeTime": self.close_ms,
            "firstId": self.first_id,
            "lastId": self.last_id,
            "count": self.count,
        })
    }
}

const DEPTH_LIMITS: [usize; 7] = [5, 10, 20, 50, 100, 500, 1_000];

pub(crate) fn depth(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let limit = match params.int("limit")? {
        None => 500,
        Some(limit) => usize::try_from(limit)
            .ok()
            .filter(|limit| DEPTH_LIMITS.contains(limit))
            .ok_or_else(|| ApiError::bad(-4021, format!("{limit} is not valid depth limit")))?,
    };
    book(core, params, limit)
}

/// The same book: nobody places RPI orders here. Source: fact sheet 4.1.
pub(crate) fn rpi_depth(core: &Core, params: &Params) -> Result<Value, ApiError> {
    match params.int("limit")? {
        None | Some(1_000) => book(core, params, 1_000),
        Some(limit) => Err(ApiError::bad(-4021, format!("{limit} is not valid depth limit"))),
    }
}

fn book(core: &Core, params: &Params, limit: usize) -> Result<Value, ApiError> {
    let (id, rules) = core.symbol(params)?;
    let book = core.venue.depth(id, limit).ok_or_else(ApiError::bad_symbol)?;
    let places = core.places(&rules.symbol);
    Ok(json!({
        "lastUpdateId": book.last_update_id,
        "E": core.now_ms(),
        "T": core.now_ms(),
        "bids": levels(&book.bids, places),
        "asks": levels(&book.asks, places),
    }))
}

/// What the made-up crowd holds, and the account on both legs.
pub(crate) fn open_interest(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let (id, rules) = core.symbol(params)?;
    let legs = core.venue.positions(ACCOUNT, Some(&rules.symbol))?;
    let held: Decimal = legs.iter().map(|leg| leg.qty.abs()).sum();
    let day = core.play.rolling(id.0, 1_440, core.now_ms()).map(|candle| candle.volume).unwrap_or_default();
    Ok(json!({
        "openInterest": core.places(&rules.symbol).qty(held_by_crowd(day) + held), "symbol": rules.symbol,
        "time": core.now_ms(),
    }))
}

/// What the insurance fund began with. Units: USDT.
const INSURANCE_START: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// One fund for everything: what it began with, what forced closes paid in, less what they cost.
pub(crate) fn insurance_balance(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let symbols: Vec<&str> = core.venue.instruments().map(|(_, rules)| rules.symbol.as_str()).collect();
    let cleared = core.venue.income(ACCOUNT, None, Some(IncomeType::InsuranceClear), Window::default())?;
    let row = |asset: &crate::venue::AssetView| {
        let start = if asset.asset == "USDT" { INSURANCE_START } else { Decimal::ZERO };
        let paid: Decimal = cleared.iter().filter(|row| row.asset == asset.asset).map(|row| row.income).sum();
        json!({"asset": asset.asset, "marginBalance": money(start - paid), "updateTime": core.now_ms()})
    };
    let assets: Vec<Value> = core.venue.assets(ACCOUNT)?.iter().map(row).collect();
    let fund = json!({"symbols": symbols, "assets": assets});
    if params.get("symbol").is_some() {
        core.symbol(params)?;
        return Ok(fund);
    }
    Ok(json!([fund]))
}

/// Nobody is deleveraged unless somebody commands it.
pub(crate) fn adl_risk(core: &Core, params: &Params) -> Result<Value, ApiError> {
    const RATED_EVERY_MS: i64 = 30 * 60_000;
    let rated_ms = core.now_ms() - core.now_ms().rem_euclid(RATED_EVERY_MS);
    one_or_all(core, params, |_, rules| {
        Some(json!({"symbol": rules.symbol, "adlRisk": "low", "updateTime": rated_ms}))
    })
}

/// `[price, quantity]` pairs as text.
pub(crate) fn levels(side: &[super::feed::Level], places: super::numbers::Places) -> Vec<[String; 2]> {
    side.iter().map(|(price, qty)| [places.price(*price), places.qty(*qty)]).collect()
}

pub(crate) fn trades(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let (id, rules) = core.symbol(params)?;
    let limit = params.limit(500, 1_000)?;
    let prints = core.prints(id, None, None, None, limit);
    Ok(trade_rows(&prints, core.places(&rules.symbol)))
}

/// From a trade id on, or the newest. Source: fact sheet 4.1.
pub(crate) fn historical_trades(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let (id, rules) = core.symbol(params)?;
    let limit = params.limit(100, 500)?;
    let prints = match params.int("fromId")? {
        Some(from_id) => core.prints_from_trade(id, u64::try_from(from_id).unwrap_or(0), limit),
        None => core.prints(id, None, None, None, limit),
    };
    Ok(trade_rows(&prints, core.places(&rules.symbol)))
}

/// One row per print: the trades inside a print share their price, and the row bears the last one's id.
fn trade_rows(prints: &[Print], places: super::numbers::Places) -> Value {
    let row = |print: &Print| {
        json!({
            "id": print.last_trade,
            "price": places.price(print.price),
            "qty": places.qty(print.qty),
            "quoteQty": plain(print.price * print.qty),
            "time": print.at_ms,
            "isBuyerMaker": print.buyer_is_maker,
            "isRPITrade": false,
        })
    };
    prints.iter().map(row).collect()
}

pub(crate) fn agg_trades(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let (id, rules) = core.symbol(params)?;
    let from_id = params.int("fromId")?.map(|id| u64::try_from(id).unwrap_or(0));
    let (start, end) = time_range(params)?;
    if start.zip(end).is_some_and(|(start, end)| end.saturating_sub(start) >= HOUR_MS) {
        return Err(ApiError::bad(-1127, "More than 1 hours between startTime and endTime."));
    }
    let limit = params.limit(500, 1_000)?;
    let places = core.places(&rules.symbol);
    let row = |print: &Print| agg_row(print, places);
    Ok(core.prints(id, from_id, start, end, limit).iter().map(row).collect())
}

/// The fields that REST row and stream event share.
pub(crate) fn agg_row(print: &Print, places: super::numbers::Places) -> Value {
    json!({
        "a": print.id,
        "p": places.price(print.price),
        "q": places.qty(print.qty),
        "nq": places.qty(print.qty),
        "f": print.first_trade,
        "l": print.last_trade,
        "T": print.at_ms,
        "m": print.buyer_is_maker,
    })
}
