//! Stream messages. Source: fact sheet 5.6, 8 and 9.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    ExplainError, Outcomes,
    path::FieldError,
    row::{self, Explained},
};
use crate::{
    decode::DecodeError,
    stream::user::{self, UserMessage},
    wire::{
        event::{
            AccountUpdate, AggTradeEvent, AlgoEvent, AssetIndexEvent, BookTickerEvent, CompositeIndexEvent,
            ConfigUpdate, ContinuousKlineEvent, ContractInfoEvent, DepthEvent, Fields, ForceOrderEvent,
            GridUpdate, KlineEvent, ListenKeyExpired, MarginCall, MarkPriceEvent, MiniTickerEvent,
            OrderEvent, StrategyUpdate, TickerEvent, TradeEvent, TradeLite, TradingSessionEvent,
            TriggerReject,
        },
        number::opt_text,
    },
};

/// A frame: bare or combined, an event or an array of them, or the answer to a command.
pub(super) fn message(message: &Value) -> Outcomes {
    let (stream, data) = match (message.get("stream"), message.get("data")) {
        (Some(Value::String(stream)), Some(data)) => (Some(stream.as_str()), data),
        (Some(_), Some(_)) => return vec![Err(field("stream", "expected text").into())],
        _ => (None, message),
    };
    let within = |number: Option<usize>| {
        let mut place = if stream.is_some() { "data".to_owned() } else { String::new() };
        if let Some(number) = number {
            place.push_str(&format!("[{number}]"));
        }
        place
    };
    match data {
        Value::Array(events) => events
            .iter()
            .enumerate()
            .map(|(number, event)| {
                explain(stream, event).map_err(|error| inside(error, &within(Some(number))))
            })
            .collect(),
        data => vec![explain(stream, data).map_err(|error| inside(error, &within(None)))],
    }
}

/// Places an error inside a frame. The envelope of one event is left out of its path: both forms are the same event.
fn inside(error: ExplainError, place: &str) -> ExplainError {
    match error {
        ExplainError::Field(FieldError { path, problem }) if place.ends_with(']') => {
            let path = if path.is_empty() { place.to_owned() } else { format!("{place}.{path}") };
            FieldError { path, problem }.into()
        }
        other => other,
    }
}

fn field(path: &str, problem: &str) -> FieldError {
    FieldError { path: path.to_owned(), problem: problem.to_owned() }
}

fn explain(stream: Option<&str>, event: &Value) -> Result<Explained, ExplainError> {
    let Value::Object(fields) = event else {
        return Err(field("", "expected an object or an array of them").into());
    };
    let mut row = match fields.get("e") {
        Some(Value::String(name)) => of_name(name, event)?,
        Some(_) => return Err(field("e", "expected text").into()),
        None => answer(event, fields)?,
    };
    row.stream = stream.map(str::to_owned);
    Ok(row)
}

fn of_name(name: &str, event: &Value) -> Result<Explained, ExplainError> {
    Ok(match name {
        "aggTrade" => market::<AggTradeEvent>(name, event)?,
        "trade" => market::<TradeEvent>(name, event)?,
        "markPriceUpdate" => market::<MarkPriceEvent>(name, event)?,
        "kline" => market::<KlineEvent>(name, event)?,
        "continuous_kline" => market::<ContinuousKlineEvent>(name, event)?,
        "24hrMiniTicker" => market::<MiniTickerEvent>(name, event)?,
        "24hrTicker" => market::<TickerEvent>(name, event)?,
        "bookTicker" => market::<BookTickerEvent>(name, event)?,
        "depthUpdate" => market::<DepthEvent>(name, event)?,
        "forceOrder" => market::<ForceOrderEvent>(name, event)?,
        "contractInfo" => market::<ContractInfoEvent>(name, event)?,
        "assetIndexUpdate" => market::<AssetIndexEvent>(name, event)?,
        "compositeIndex" => market::<CompositeIndexEvent>(name, event)?,
        "EquityUpdate" | "CommodityUpdate" | "tradingSession" => market::<TradingSessionEvent>(name, event)?,
        "ORDER_TRADE_UPDATE" => account::<OrderEvent>(name, event, user::order)?,
        "ALGO_UPDATE" | "ALGO_ORDER_UPDATE" => account::<AlgoEvent>(name, event, user::algo)?,
        "ACCOUNT_UPDATE" => account::<AccountUpdate>(name, event, user::account)?,
        "ACCOUNT_CONFIG_UPDATE" => account::<ConfigUpdate>(name, event, user::config)?,
        "MARGIN_CALL" => account::<MarginCall>(name, event, |event| Ok(user::margin_call(event)))?,
        "TRADE_LITE" => market::<TradeLite>(name, event)?,
        "listenKeyExpired" => market::<ListenKeyExpired>(name, event)?,
        "CONDITIONAL_ORDER_TRIGGER_REJECT" => market::<TriggerReject>(name, event)?,
        "STRATEGY_UPDATE" => market::<StrategyUpdate>(name, event)?,
        "GRID_UPDATE" => market::<GridUpdate>(name, event)?,
        other => return Err(ExplainError::UnknownKind { kind: other.chars().take(64).collect() }),
    })
}

fn market<T: DeserializeOwned + Serialize + Fields>(
    name: &str,
    event: &Value,
) -> Result<Explained, FieldError> {
    row::event::<T>(name, event)?.with(|_| Ok(Vec::new()))
}

fn account<T: DeserializeOwned + Serialize + Fields>(
    name: &str,
    event: &Value,
    meaning: impl FnOnce(&T) -> Result<UserMessage, DecodeError>,
) -> Result<Explained, FieldError> {
    let mut fee_unknown = false;
    let row = row::event::<T>(name, event)?.with(|event| {
        let message = meaning(event)?;
        fee_unknown = message.fee_unknown.is_some();
        Ok(row::facts(&message.events))
    })?;
    let why = || "the fee of the execution is not stated; it is read from userTrades".to_owned();
    Ok(Explained { not_a_fact: row.not_a_fact.or_else(|| fee_unknown.then(why)), ..row })
}

/// The answer to SUBSCRIBE and its like. Two shapes of errors are seen (fact sheet 8.1, UNCONFIRMED).
#[derive(Serialize, Deserialize)]
struct Answer {
    #[serde(default, deserialize_with = "opt_text", skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default)]
    result: Value,
}

fn answer(event: &Value, fields: &Map<String, Value>) -> Result<Explained, ExplainError> {
    match (fields.get("error"), fields.contains_key("result")) {
        (Some(error @ Value::Object(_)), _) => Ok(row::error(error, 400)?),
        (_, true) => Ok(row::answer::<Answer>("response", event)?.with(|_| Ok(Vec::new()))?),
        // Commands are refused with small positive codes here.
        (_, false) if fields.contains_key("code") && fields.contains_key("msg") => {
            Ok(row::error(event, 400)?)
        }
        _ => Err(field("e", "missing").into()),
    }
}
