//! Answers of REST, one row an endpoint. Source: fact sheet 4 and 5.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Outcomes,
    path::FieldError,
    row::{self, Explained, fact},
};
use crate::{
    decode,
    wire::{
        account::{
            Account, AccountConfig, BalanceRow, CommissionRate, DualSide, FeeBurn, IncomeRow,
            LeverageBrackets, LeverageSet, MultiAssets, PositionRow, SymbolConfig,
        },
        algo::{AlgoCancel, AlgoRow},
        margin::{AdlQuantileRow, ApiTradingStatus, PositionMarginRow, PositionMarginSet},
        market::{BookTicker, Depth, ExchangeInfo, FundingRate, Kline, PremiumIndex, RateLimit, ServerTime},
        number::opt_text,
        order::{AmendmentRow, CodeMessage, Countdown, OrderRow, TradeRow},
        reference::{
            AssetIndex, Constituents, FundingInfo, IndexInfo, InsuranceFund, SymbolAdlRisk, TradingSchedule,
        },
        statistics::{BasisPoint, DeliveryPrice, LongShortPoint, OpenInterestPoint, TakerVolumePoint},
        ticker::{DayTicker, OpenInterest, PriceTicker},
        trades::{AggTrade, PublicTrade},
    },
};

/// What one endpoint answers.
#[derive(Debug)]
pub struct Endpoint {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    kind: &'static str,
    read: Read,
    /// Whether its rows are arrays, so that an array of them is a list and an array of values a row.
    rows_are_arrays: bool,
}

type Read = fn(&'static str, &Value) -> Result<Explained, FieldError>;

const fn of(method: &'static str, path: &'static str, kind: &'static str, read: Read) -> Endpoint {
    Endpoint { method, path, kind, read, rows_are_arrays: false }
}

const fn candles(path: &'static str, kind: &'static str) -> Endpoint {
    Endpoint { method: "GET", path, kind, read: kline, rows_are_arrays: true }
}

/// Every endpoint of the fact sheet's tables.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    of("GET", "/fapi/v1/ping", "ping", plain::<Empty>),
    of("GET", "/fapi/v1/time", "time", plain::<ServerTime>),
    of("GET", "/fapi/v1/exchangeInfo", "exchangeInfo", plain::<ExchangeInfo>),
    of("GET", "/fapi/v1/depth", "depth", plain::<Depth>),
    of("GET", "/fapi/v1/rpiDepth", "depth", plain::<Depth>),
    of("GET", "/fapi/v1/trades", "trade", plain::<PublicTrade>),
    of("GET", "/fapi/v1/historicalTrades", "trade", plain::<PublicTrade>),
    of("GET", "/fapi/v1/aggTrades", "aggTrade", plain::<AggTrade>),
    candles("/fapi/v1/klines", "kline"),
    candles("/fapi/v1/continuousKlines", "kline"),
    candles("/fapi/v1/indexPriceKlines", "kline"),
    candles("/fapi/v1/markPriceKlines", "kline"),
    candles("/fapi/v1/premiumIndexKlines", "kline"),
    of("GET", "/fapi/v1/premiumIndex", "premiumIndex", plain::<PremiumIndex>),
    of("GET", "/fapi/v1/fundingRate", "fundingRate", plain::<FundingRate>),
    of("GET", "/fapi/v1/fundingInfo", "fundingInfo", plain::<FundingInfo>),
    of("GET", "/fapi/v1/ticker/24hr", "dayTicker", plain::<DayTicker>),
    of("GET", "/fapi/v1/ticker/price", "priceTicker", plain::<PriceTicker>),
    of("GET", "/fapi/v2/ticker/price", "priceTicker", plain::<PriceTicker>),
    of("GET", "/fapi/v1/ticker/bookTicker", "bookTicker", plain::<BookTicker>),
    of("GET", "/fapi/v1/openInterest", "openInterest", plain::<OpenInterest>),
    of("GET", "/futures/data/openInterestHist", "openInterestPoint", plain::<OpenInterestPoint>),
    of("GET", "/futures/data/topLongShortAccountRatio", "longShortRatio", plain::<LongShortPoint>),
    of("GET", "/futures/data/topLongShortPositionRatio", "longShortRatio", plain::<LongShortPoint>),
    of("GET", "/futures/data/globalLongShortAccountRatio", "longShortRatio", plain::<LongShortPoint>),
    of("GET", "/futures/data/takerlongshortRatio", "takerVolume", plain::<TakerVolumePoint>),
    of("GET", "/futures/data/basis", "basis", plain::<BasisPoint>),
    of("GET", "/futures/data/delivery-price", "deliveryPrice", plain::<DeliveryPrice>),
    of("GET", "/fapi/v1/constituents", "constituents", plain::<Constituents>),
    of("GET", "/fapi/v1/indexInfo", "indexInfo", plain::<IndexInfo>),
    of("GET", "/fapi/v1/assetIndex", "assetIndex", plain::<AssetIndex>),
    of("GET", "/fapi/v1/insuranceBalance", "insuranceFund", plain::<InsuranceFund>),
    of("GET", "/fapi/v1/symbolAdlRisk", "symbolAdlRisk", plain::<SymbolAdlRisk>),
    of("GET", "/fapi/v1/tradingSchedule", "tradingSchedule", plain::<TradingSchedule>),
    of("POST", "/fapi/v1/order", "order", order_ack),
    of("POST", "/fapi/v1/order/test", "order", tested),
    of("GET", "/fapi/v1/order", "order", order),
    of("PUT", "/fapi/v1/order", "order", order_ack),
    of("DELETE", "/fapi/v1/order", "order", order_ack),
    of("POST", "/fapi/v1/batchOrders", "order", order_ack),
    of("PUT", "/fapi/v1/batchOrders", "order", order_ack),
    of("DELETE", "/fapi/v1/batchOrders", "order", order_ack),
    of("DELETE", "/fapi/v1/allOpenOrders", "done", plain::<CodeMessage>),
    of("POST", "/fapi/v1/countdownCancelAll", "countdown", plain::<Countdown>),
    of("GET", "/fapi/v1/openOrder", "order", order),
    of("GET", "/fapi/v1/openOrders", "order", order),
    of("GET", "/fapi/v1/allOrders", "order", order),
    of("GET", "/fapi/v1/orderAmendment", "amendment", plain::<AmendmentRow>),
    of("GET", "/fapi/v1/userTrades", "userTrade", user_trade),
    of("GET", "/fapi/v1/forceOrders", "order", order),
    of("GET", "/fapi/v1/rateLimit/order", "rateLimit", plain::<RateLimit>),
    of("POST", "/fapi/v1/algoOrder", "algoOrder", algo_ack),
    of("GET", "/fapi/v1/algoOrder", "algoOrder", algo),
    of("DELETE", "/fapi/v1/algoOrder", "algoCancel", plain::<AlgoCancel>),
    of("DELETE", "/fapi/v1/algoOpenOrders", "done", plain::<CodeMessage>),
    of("GET", "/fapi/v1/openAlgoOrders", "algoOrder", algo),
    of("GET", "/fapi/v1/allAlgoOrders", "algoOrder", algo),
    of("GET", "/fapi/v2/account", "account", plain::<Account>),
    of("GET", "/fapi/v3/account", "account", plain::<Account>),
    of("GET", "/fapi/v2/balance", "balance", plain::<BalanceRow>),
    of("GET", "/fapi/v3/balance", "balance", plain::<BalanceRow>),
    of("GET", "/fapi/v2/positionRisk", "position", position),
    of("GET", "/fapi/v3/positionRisk", "position", position),
    of("GET", "/fapi/v1/accountConfig", "accountConfig", plain::<AccountConfig>),
    of("GET", "/fapi/v1/symbolConfig", "symbolConfig", plain::<SymbolConfig>),
    of("GET", "/fapi/v1/leverageBracket", "leverageBracket", plain::<LeverageBrackets>),
    of("GET", "/fapi/v1/commissionRate", "commissionRate", plain::<CommissionRate>),
    of("GET", "/fapi/v1/income", "income", income),
    of("GET", "/fapi/v1/apiTradingStatus", "apiTradingStatus", plain::<ApiTradingStatus>),
    of("GET", "/fapi/v1/adlQuantile", "adlQuantile", plain::<AdlQuantileRow>),
    of("GET", "/fapi/v1/positionSide/dual", "positionMode", plain::<DualSide>),
    of("POST", "/fapi/v1/positionSide/dual", "done", plain::<CodeMessage>),
    of("POST", "/fapi/v1/leverage", "leverage", plain::<LeverageSet>),
    of("POST", "/fapi/v1/marginType", "done", plain::<CodeMessage>),
    of("POST", "/fapi/v1/positionMargin", "positionMargin", plain::<PositionMarginSet>),
    of("GET", "/fapi/v1/positionMargin/history", "positionMarginChange", plain::<PositionMarginRow>),
    of("GET", "/fapi/v1/multiAssetsMargin", "multiAssetsMargin", plain::<MultiAssets>),
    of("POST", "/fapi/v1/multiAssetsMargin", "done", plain::<CodeMessage>),
    of("GET", "/fapi/v1/feeBurn", "feeBurn", plain::<FeeBurn>),
    of("POST", "/fapi/v1/feeBurn", "done", plain::<CodeMessage>),
    of("POST", "/fapi/v1/listenKey", "listenKey", plain::<ListenKey>),
    of("PUT", "/fapi/v1/listenKey", "listenKey", plain::<ListenKey>),
    of("DELETE", "/fapi/v1/listenKey", "listenKey", plain::<ListenKey>),
];

pub(super) fn find(method: &str, path: &str) -> Option<&'static Endpoint> {
    ENDPOINTS.iter().find(|endpoint| endpoint.method == method && endpoint.path == path)
}

/// What somebody may have meant: the same path with another method, or all.
pub(super) fn near(path: &str) -> Vec<String> {
    let show = |endpoint: &Endpoint| format!("{} {}", endpoint.method, endpoint.path);
    let same: Vec<String> = ENDPOINTS.iter().filter(|endpoint| endpoint.path == path).map(show).collect();
    if same.is_empty() { ENDPOINTS.iter().map(show).collect() } else { same }
}

/// Explains the body of an answer: a list gives a row an element.
pub(super) fn answer(endpoint: &'static Endpoint, body: &Value) -> Outcomes {
    let one = |row: &Value| {
        if row::is_error(row) { row::error(row, 400) } else { (endpoint.read)(endpoint.kind, row) }
    };
    match body {
        Value::Array(rows) if !endpoint.rows_are_arrays || rows.iter().all(Value::is_array) => rows
            .iter()
            .enumerate()
            .map(|(number, row)| one(row).map_err(|error| inside(error, number).into()))
            .collect(),
        body => vec![one(body).map_err(Into::into)],
    }
}

fn inside(error: FieldError, number: usize) -> FieldError {
    let path = match error.path.as_str() {
        "" => format!("[{number}]"),
        path if path.starts_with('[') => format!("[{number}]{path}"),
        path => format!("[{number}].{path}"),
    };
    FieldError { path, ..error }
}

fn plain<T: for<'de> Deserialize<'de> + Serialize>(
    kind: &'static str,
    body: &Value,
) -> Result<Explained, FieldError> {
    row::answer::<T>(kind, body)?.with(|_| Ok(Vec::new()))
}

/// A row of a question. Which order of which symbol it was, and when, the live client may know from its question; which leg
/// it belongs to and how much it is for, only the row says.
fn order(kind: &'static str, body: &Value) -> Result<Explained, FieldError> {
    let read = row::answer::<OrderRow>(kind, body)?;
    let lacks = decode::left_out(&read.value);
    if lacks.iter().any(|name| matches!(*name, "side" | "positionSide" | "origQty")) {
        return read.with(|row| Ok(vec![fact(&decode::order_report(row)?)]));
    }
    read.with_what_is_there(&lacks, |row| Ok(fact(&decode::order_report(row)?)))
}

/// An answer to a request that says all of it as well.
fn order_ack(kind: &'static str, body: &Value) -> Result<Explained, FieldError> {
    let read = row::answer::<OrderRow>(kind, body)?;
    let lacks = decode::left_out(&read.value);
    read.with_what_is_there(&lacks, |row| Ok(fact(&decode::order_report(row)?)))
}

/// A test answers with nothing, or with an order full of zeros.
fn tested(kind: &'static str, body: &Value) -> Result<Explained, FieldError> {
    match body {
        Value::Object(fields) if fields.is_empty() => plain::<Empty>(kind, body),
        body => plain::<OrderRow>(kind, body),
    }
}

fn algo(kind: &'static str, body: &Value) -> Result<Explained, FieldError> {
    let read = row::answer::<AlgoRow>(kind, body)?;
    let lacks = decode::algo_left_out(&read.value);
    if lacks.iter().any(|name| matches!(*name, "side" | "positionSide" | "quantity")) {
        return read.with(|row| Ok(vec![fact(&decode::algo_report(row)?)]));
    }
    read.with_what_is_there(&lacks, |row| Ok(fact(&decode::algo_report(row)?)))
}

fn algo_ack(kind: &'static str, body: &Value) -> Result<Explained, FieldError> {
    let read = row::answer::<AlgoRow>(kind, body)?;
    let lacks = decode::algo_left_out(&read.value);
    read.with_what_is_there(&lacks, |row| Ok(fact(&decode::algo_report(row)?)))
}

fn user_trade(kind: &'static str, body: &Value) -> Result<Explained, FieldError> {
    row::answer::<TradeRow>(kind, body)?.with(|row| Ok(vec![fact(&decode::fill(row)?)]))
}

fn position(kind: &'static str, body: &Value) -> Result<Explained, FieldError> {
    row::answer::<PositionRow>(kind, body)?.with(|row| Ok(vec![fact(&decode::leg_size(row)?)]))
}

fn income(kind: &'static str, body: &Value) -> Result<Explained, FieldError> {
    row::answer::<IncomeRow>(kind, body)?.with(|row| {
        // What a fill brings comes with the fill.
        if decode::is_fill_income(row) { Ok(Vec::new()) } else { Ok(vec![fact(&decode::cash_flow(row)?)]) }
    })
}

/// A row of twelve: its fields have no names there.
fn kline(kind: &'static str, body: &Value) -> Result<Explained, FieldError> {
    let read = row::answer::<Kline>(kind, body)?;
    let candle = &read.value;
    let mut row = read.row;
    row.fields.clear();
    let prices = [
        ("open", candle.open),
        ("high", candle.high),
        ("low", candle.low),
        ("close", candle.close),
        ("volume", candle.volume),
    ];
    row.fields.extend(prices.map(|(name, value)| (name.to_owned(), fact(&value))));
    row.fields.insert("open_time".to_owned(), candle.open_time.into());
    row.fields.insert("close_time".to_owned(), candle.close_time.into());
    for (name, value) in [
        ("quote_volume", candle.quote_volume),
        ("taker_buy_volume", candle.taker_buy_volume),
        ("taker_buy_quote_volume", candle.taker_buy_quote_volume),
    ] {
        if let Some(value) = value {
            row.fields.insert(name.to_owned(), fact(&value));
        }
    }
    if let Some(trades) = candle.trades {
        row.fields.insert("trades".to_owned(), trades.into());
    }
    Ok(row)
}

/// `{}`.
#[derive(Serialize, Deserialize)]
struct Empty {}

/// A listen key, or `{}` when it was closed or renewed by an older server.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListenKey {
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    listen_key: Option<String>,
}
