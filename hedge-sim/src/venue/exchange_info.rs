//! Instrument rules from JSON in the exchange's own shape.
//!
//! Numbers may be JSON numbers or text, filters may be absent. Source: Binance USD-M docs, Exchange Information and
//! Notional and Leverage Brackets; fact sheet 4.2, 4.9.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value;

use super::builtin::standard_brackets;
use super::rules::{Bracket, InstrumentRules, LotRule, RulesError};
use super::vocabulary::{OrderType, SymbolStatus, Tif};

/// Delivery time of a perpetual that is not being delisted. Source: fact sheet 4.2.
const NEVER_DELIVERED_MS: i64 = 4_133_404_800_000;

impl InstrumentRules {
    /// Rules of every row of an `exchangeInfo` answer, or of a bare list of rows. Rows carry no leverage brackets:
    /// a cautious standard table is put in; replace it with [`InstrumentRules::with_brackets`].
    ///
    /// # Errors
    /// The first row that has no symbol, no price or lot grid, or a number that is none.
    pub fn from_exchange_info_json(json: &Value) -> Result<Vec<Self>, RulesError> {
        let rows = json.get("symbols").unwrap_or(json).as_array();
        let rows =
            rows.ok_or_else(|| problem("the file", "has neither a list of rows nor a list `symbols`"))?;
        rows.iter().enumerate().map(|(at, row)| parse_row(at, row)).collect()
    }

    /// The same rules with the brackets of its symbol in `table`, when there are any.
    pub fn with_brackets(mut self, table: &BTreeMap<String, Vec<Bracket>>) -> Self {
        if let Some(brackets) = table.get(&self.symbol).filter(|b| !b.is_empty()) {
            self.brackets.clone_from(brackets);
        }
        self
    }
}

/// Leverage brackets by symbol, from a `leverageBracket` answer (a list, or one object) or from a map of unified names
/// (`BTC/USDT:USDT`) to rows that carry the exchange's own bracket under `info`.
///
/// # Errors
/// The first bracket that lacks a number.
pub fn brackets_from_json(json: &Value) -> Result<BTreeMap<String, Vec<Bracket>>, RulesError> {
    let mut table = BTreeMap::new();
    match json {
        Value::Array(rows) => {
            for row in rows {
                add_venue_row(&mut table, row)?;
            }
        }
        Value::Object(map) if map.contains_key("brackets") => add_venue_row(&mut table, json)?,
        Value::Object(map) => {
            for (name, rows) in map {
                let symbol = venue_symbol(name);
                let rows = rows.as_array().ok_or_else(|| problem(&symbol, "brackets are not a list"))?;
                let infos = rows.iter().map(|row| row.get("info").unwrap_or(row));
                let brackets = parse_brackets(&symbol, infos)?;
                table.insert(symbol, brackets);
            }
        }
        _ => return Err(problem("the file", "is neither a list nor an object of leverage brackets")),
    }
    Ok(table)
}

fn add_venue_row(table: &mut BTreeMap<String, Vec<Bracket>>, row: &Value) -> Result<(), RulesError> {
    let symbol = text(row, "symbol").ok_or_else(|| problem("a bracket row", "has no symbol"))?;
    let brackets = row.get("brackets").and_then(Value::as_array);
    let brackets = brackets.ok_or_else(|| problem(symbol, "has no list `brackets`"))?;
    let parsed = parse_brackets(symbol, brackets.iter())?;
    table.insert(symbol.to_owned(), parsed);
    Ok(())
}

fn parse_brackets<'a>(
    symbol: &str,
    rows: impl Iterator<Item = &'a Value>,
) -> Result<Vec<Bracket>, RulesError> {
    rows.enumerate()
        .map(|(at, row)| {
            let need = |key: &str| {
                number(symbol, row, key)?.ok_or_else(|| problem(symbol, &format!("bracket lacks {key}")))
            };
            let bracket = number(symbol, row, "bracket")?.and_then(whole).unwrap_or(at as u32 + 1);
            let leverage = whole(need("initialLeverage")?).filter(|l| *l > 0);
            Ok(Bracket {
                bracket,
                initial_leverage: leverage
                    .ok_or_else(|| problem(symbol, "bracket leverage is not a whole number"))?,
                notional_cap: need("notionalCap")?,
                notional_floor: need("notionalFloor")?,
                maint_ratio: need("maintMarginRatio")?,
                cum: need("cum")?,
            })
        })
        .collect()
}

fn parse_row(at: usize, row: &Value) -> Result<InstrumentRules, RulesError> {
    let symbol = text(row, "symbol").ok_or_else(|| problem(&format!("row {at}"), "has no symbol"))?;
    let filter = |kind: &str| {
        let filters = row.get("filters").and_then(Value::as_array);
        filters.and_then(|list| list.iter().find(|f| text(f, "filterType") == Some(kind)))
    };
    let of = |kind: &str, key: &str| match filter(kind) {
        Some(found) => number(symbol, found, key),
        None => Ok(None),
    };
    let need =
        |kind: &str, key: &str| of(kind, key)?.ok_or_else(|| problem(symbol, &format!("{kind} lacks {key}")));

    let tick = need("PRICE_FILTER", "tickSize")?;
    let lot = LotRule {
        min: need("LOT_SIZE", "minQty")?,
        max: need("LOT_SIZE", "maxQty")?,
        step: need("LOT_SIZE", "stepSize")?,
    };
    let market_lot = LotRule {
        min: of("MARKET_LOT_SIZE", "minQty")?.unwrap_or(lot.min),
        max: of("MARKET_LOT_SIZE", "maxQty")?.unwrap_or(lot.max),
        // A step of zero means "as the limit orders'".
        step: of("MARKET_LOT_SIZE", "stepSize")?.filter(|s| !s.is_zero()).unwrap_or(lot.step),
    };
    let min_notional = match of("MIN_NOTIONAL", "notional")? {
        Some(found) => Some(found),
        None => of("MIN_NOTIONAL", "minNotional")?,
    };
    let precision = |key: &str, grid: Decimal| {
        Ok::<u32, RulesError>(number(symbol, row, key)?.and_then(whole).unwrap_or(grid.normalize().scale()))
    };
    let quote_asset = text(row, "quoteAsset").unwrap_or("USDT").to_owned();
    let rules = InstrumentRules {
        symbol: symbol.to_owned(),
        pair: text(row, "pair").unwrap_or(symbol).to_owned(),
        contract_type: text(row, "contractType").unwrap_or("PERPETUAL").to_owned(),
        status: parse_status(symbol, row)?,
        onboard_ms: millis(symbol, row, "onboardDate")?.unwrap_or(0),
        delivery_ms: millis(symbol, row, "deliveryDate")?.unwrap_or(NEVER_DELIVERED_MS),
        base_asset: text(row, "baseAsset")
            .unwrap_or(symbol.strip_suffix(&quote_asset).unwrap_or(symbol))
            .to_owned(),
        margin_asset: text(row, "marginAsset").unwrap_or(&quote_asset).to_owned(),
        quote_asset,
        price_precision: precision("pricePrecision", tick)?,
        qty_precision: precision("quantityPrecision", lot.step)?,
        tick,
        min_price: of("PRICE_FILTER", "minPrice")?.unwrap_or(Decimal::ZERO),
        max_price: of("PRICE_FILTER", "maxPrice")?.unwrap_or(Decimal::ZERO),
        lot,
        market_lot,
        max_num_orders: of("MAX_NUM_ORDERS", "limit")?.and_then(whole),
        min_notional: min_notional.unwrap_or(Decimal::ZERO),
        percent_price_up: of("PERCENT_PRICE", "multiplierUp")?,
        percent_price_down: of("PERCENT_PRICE", "multiplierDown")?,
        market_take_bound: number(symbol, row, "marketTakeBound")?,
        trigger_protect: number(symbol, row, "triggerProtect")?,
        liquidation_fee: number(symbol, row, "liquidationFee")?.unwrap_or(Decimal::ZERO),
        order_types: known(row, "orderTypes", OrderType::parse)
            .unwrap_or_else(InstrumentRules::usual_order_types),
        tifs: known(row, "timeInForce", Tif::parse).unwrap_or_else(InstrumentRules::usual_tifs),
        brackets: standard_brackets(),
    };
    rules.validate()?;
    Ok(rules)
}

fn parse_status(symbol: &str, row: &Value) -> Result<SymbolStatus, RulesError> {
    // Older files of the contract endpoints say `contractStatus`.
    match text(row, "status").or(text(row, "contractStatus")) {
        None => Ok(SymbolStatus::Trading),
        Some(status) => SymbolStatus::parse(status)
            .ok_or_else(|| problem(symbol, &format!("status {status:?} is not known"))),
    }
}

/// The values of a list that this exchange offers; others (e.g. `RPI`) are left out, they would be refused anyway.
fn known<T>(row: &Value, key: &str, parse: fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let list = row.get(key)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).filter_map(parse).collect())
}

fn text<'a>(row: &'a Value, key: &str) -> Option<&'a str> {
    row.get(key).and_then(Value::as_str)
}

fn number(symbol: &str, row: &Value, key: &str) -> Result<Option<Decimal>, RulesError> {
    let parsed = match row.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(digits)) => parse_decimal(digits),
        Some(Value::Number(number)) => parse_decimal(&number.to_string()),
        Some(_) => None,
    };
    parsed.map(Some).ok_or_else(|| problem(symbol, &format!("{key} is not a number")))
}

fn parse_decimal(digits: &str) -> Option<Decimal> {
    digits.parse().ok().or_else(|| Decimal::from_scientific(digits).ok())
}

fn millis(symbol: &str, row: &Value, key: &str) -> Result<Option<i64>, RulesError> {
    use rust_decimal::prelude::ToPrimitive;
    Ok(number(symbol, row, key)?.and_then(|n| n.to_i64()))
}

fn whole(number: Decimal) -> Option<u32> {
    use rust_decimal::prelude::ToPrimitive;
    number.fract().is_zero().then(|| number.to_u32()).flatten()
}

/// `BTC/USDT:USDT` is `BTCUSDT`; a name that is already the exchange's stays as it is.
fn venue_symbol(name: &str) -> String {
    let Some((pair, settle)) = name.split_once(':') else { return name.replace('/', "") };
    match settle.split_once('-') {
        Some((_, expiry)) => format!("{}_{expiry}", pair.replace('/', "")),
        None => pair.replace('/', ""),
    }
}

fn problem(symbol: &str, what: &str) -> RulesError {
    RulesError { symbol: symbol.to_owned(), what: what.to_owned() }
}
