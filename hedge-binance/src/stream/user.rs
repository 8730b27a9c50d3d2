//! The private stream's messages in our words: pure. Source: fact sheet 5.6 and 9.

use hedge_core::{AccountEvent, InstrumentId, Leverage, Symbol, Timestamp, TradeId, Venue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{
    decode::{self, DecodeError, Execution, err},
    wire::{
        event::{AccountUpdate, AlgoEvent, ConfigUpdate, Kind, MarginCall, OrderEvent},
        text::AccountReason,
    },
};

/// What one message means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserMessage {
    /// Events for the engine, in order.
    pub events: Vec<AccountEvent>,
    /// Money moved without a fill: the income history says how, exactly and with ids.
    pub flow: Option<FlowHint>,
    /// A forced execution came without its fee: the list of executions has it.
    pub fee_unknown: Option<FeeHint>,
    /// The listen key is over; this connection stays open and mute.
    pub key_expired: bool,
    /// The plain order that was mentioned.
    pub mentioned: Option<i64>,
    /// The venue's time of the message.
    pub at: Option<Timestamp>,
}

/// Where to look for a cash flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowHint {
    /// When it happened.
    pub at: Timestamp,
    /// On which instrument, where stated.
    pub instrument: Option<InstrumentId>,
}

/// Which execution to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeHint {
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// Which execution.
    pub trade_id: TradeId,
    /// When it was.
    pub at: Timestamp,
}

/// Reads one text frame, bare or wrapped as `{"stream":…,"data":…}`.
///
/// # Errors
/// A documented event that cannot be read: a fact is lost, and the account must be read again by REST.
pub fn parse(text: &str) -> Result<UserMessage, DecodeError> {
    #[derive(Deserialize)]
    struct Wrapped<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let body = serde_json::from_str::<Wrapped<'_>>(text).map_or(text, |wrapped| wrapped.data.get());
    let kind: Kind<'_> = serde_json::from_str(body).map_err(|error| err("event", error))?;
    match &*kind.name {
        "ORDER_TRADE_UPDATE" => order(&read(body, "ORDER_TRADE_UPDATE")?),
        "ALGO_UPDATE" | "ALGO_ORDER_UPDATE" => algo(&read(body, "ALGO_UPDATE")?),
        "ACCOUNT_UPDATE" => account(&read(body, "ACCOUNT_UPDATE")?),
        "ACCOUNT_CONFIG_UPDATE" => config(&read(body, "ACCOUNT_CONFIG_UPDATE")?),
        "MARGIN_CALL" => Ok(margin_call(&read(body, "MARGIN_CALL")?)),
        "listenKeyExpired" => Ok(UserMessage { key_expired: true, ..UserMessage::default() }),
        // The same trade follows with leg and fee in ORDER_TRADE_UPDATE.
        "TRADE_LITE" => Ok(UserMessage::default()),
        other => Ok(one(AccountEvent::Unrecognised { name: other.chars().take(64).collect() }, None)),
    }
}

fn read<T: DeserializeOwned>(body: &str, what: &'static str) -> Result<T, DecodeError> {
    serde_json::from_str(body).map_err(|error| err(what, error))
}

fn one(event: AccountEvent, at: Option<Timestamp>) -> UserMessage {
    UserMessage { events: vec![event], at, ..UserMessage::default() }
}

/// The fill before the report, so that the book holds what the report says is filled.
pub(crate) fn order(event: &OrderEvent) -> Result<UserMessage, DecodeError> {
    let mut events = Vec::with_capacity(2);
    let mut fee_unknown = None;
    match decode::execution_of_event(event)? {
        Execution::None => {}
        Execution::Fill(fill) => events.push(AccountEvent::Fill { fill }),
        Execution::FeeUnknown { instrument, trade_id, at } => {
            fee_unknown = Some(FeeHint { instrument, trade_id, at });
        }
    }
    events.push(AccountEvent::Order { report: decode::order_event_report(event)? });
    Ok(UserMessage {
        events,
        fee_unknown,
        mentioned: Some(event.order.order_id),
        at: Some(Timestamp::from_ms(event.event_time)),
        ..UserMessage::default()
    })
}

pub(crate) fn algo(event: &AlgoEvent) -> Result<UserMessage, DecodeError> {
    let report = decode::algo_event_report(event)?;
    Ok(one(AccountEvent::Order { report }, Some(Timestamp::from_ms(event.event_time))))
}

pub(crate) fn account(event: &AccountUpdate) -> Result<UserMessage, DecodeError> {
    let venue_time = Timestamp::from_ms(event.time);
    let body = &event.body;
    let mut message =
        UserMessage { at: Some(Timestamp::from_ms(event.event_time)), ..UserMessage::default() };
    if !body.positions.is_empty() {
        let legs = body.positions.iter().map(decode::leg_size_of_change).collect::<Result<_, _>>()?;
        message.events.push(AccountEvent::Legs { legs, venue_time });
    }
    if !body.balances.is_empty() {
        let balances = decode::balances(&body.balances)?;
        message.events.push(AccountEvent::Balances { balances, venue_time });
    }
    let moved = body.balances.iter().any(|row| row.change.is_some_and(|change| !change.is_zero()));
    if moved && body.reason != AccountReason::Order {
        let instrument = body.symbol.as_deref().map(instrument).transpose()?;
        message.flow = Some(FlowHint { at: venue_time, instrument });
    }
    Ok(message)
}

pub(crate) fn config(event: &ConfigUpdate) -> Result<UserMessage, DecodeError> {
    if let Some(change) = &event.leverage {
        let multiple = u32::try_from(change.leverage).map_err(|error| err("leverage", error))?;
        let leverage = Leverage::new(multiple).map_err(|error| err("leverage", error))?;
        return Ok(one(
            AccountEvent::LeverageChanged { instrument: instrument(&change.symbol)?, leverage },
            None,
        ));
    }
    let name = match &event.multi_assets {
        Some(change) => format!("ACCOUNT_CONFIG_UPDATE multi-assets margin {}", change.multi_assets),
        None => "ACCOUNT_CONFIG_UPDATE".to_owned(),
    };
    Ok(one(AccountEvent::Unrecognised { name }, None))
}

pub(crate) fn margin_call(event: &MarginCall) -> UserMessage {
    let legs: Vec<String> = event
        .positions
        .iter()
        .map(|leg| {
            let shown = |value: Option<rust_decimal::Decimal>| {
                value.map_or("?".to_owned(), |value| value.to_string())
            };
            format!(
                "{} {} {} at mark {}, maintenance {}",
                leg.symbol,
                leg.position_side.as_str(),
                shown(leg.amount),
                shown(leg.mark),
                shown(leg.maintenance)
            )
        })
        .collect();
    one(AccountEvent::MarginCall { detail: legs.join("; ") }, None)
}

fn instrument(symbol: &str) -> Result<InstrumentId, DecodeError> {
    Ok(InstrumentId::new(Venue::Binance, Symbol::parse(symbol).map_err(|error| err("symbol", error))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_fill_comes_before_the_report_that_counts_it() {
        let text = r#"{"e":"ORDER_TRADE_UPDATE","T":1795168800158,"E":1795168800161,"o":{"s":"ETHUSDT","c":"x1","S":"SELL",
          "o":"MARKET","q":"0.250","p":"0","ap":"2502.34","x":"TRADE","X":"FILLED","i":70112233445,"l":"0.250",
          "z":"0.250","L":"2502.34","n":"0.3","N":"USDT","T":1795168800158,"t":5511223344,"m":false,"ps":"LONG",
          "cp":false,"rp":"5.46","er":"0"}}"#;
        let message = parse(text).unwrap();
        assert!(matches!(message.events[..], [AccountEvent::Fill { .. }, AccountEvent::Order { .. }]));
        assert_eq!(message.mentioned, Some(70_112_233_445));
        assert_eq!(message.at, Some(Timestamp::from_ms(1_795_168_800_161)));
    }

    #[test]
    fn an_account_update_of_a_trade_states_legs_and_balances_and_no_flow() {
        let text = r#"{"e":"ACCOUNT_UPDATE","T":1795168800158,"E":1795168800160,"a":{"m":"ORDER",
          "B":[{"a":"USDT","wb":"10512.14823110","cw":"10512.14823110","bc":"0"}],
          "P":[{"s":"ETHUSDT","pa":"-0.500","ep":"2480.5","cr":"118.22","up":"10.92","mt":"cross","iw":"0","ps":"SHORT"}],
          "S":""}}"#;
        let message = parse(text).unwrap();
        let [AccountEvent::Legs { legs, .. }, AccountEvent::Balances { balances, .. }] = &message.events[..]
        else {
            panic!("{message:?}")
        };
        assert_eq!((legs[0].qty.to_string(), balances[0].available), ("0.500".to_owned(), None));
        assert_eq!(message.flow, None);
    }

    #[test]
    fn funding_is_a_hint_to_read_the_income() {
        let text = r#"{"e":"ACCOUNT_UPDATE","T":1795190400007,"E":1795190400011,"a":{"m":"FUNDING_FEE",
          "B":[{"a":"USDT","wb":"10511.96057285","cw":"10511.96057285","bc":"-0.18765825"}],"P":[],"S":"ETHUSDT"}}"#;
        let message = parse(text).unwrap();
        let instrument = Some(InstrumentId::binance("ETHUSDT").unwrap());
        assert_eq!(message.flow, Some(FlowHint { at: Timestamp::from_ms(1_795_190_400_007), instrument }));
        assert!(matches!(message.events[..], [AccountEvent::Balances { .. }]));
    }

    #[test]
    fn the_other_events_are_read_or_named() {
        let events = |text: &str| parse(text).unwrap().events;
        assert!(
            parse(r#"{"e":"listenKeyExpired","E":"1795172400555","listenKey":"k"}"#).unwrap().key_expired
        );
        assert!(events(r#"{"e":"TRADE_LITE","E":1,"T":1,"s":"ETHUSDT"}"#).is_empty());
        assert!(matches!(
            events(r#"{"e":"ACCOUNT_CONFIG_UPDATE","E":1,"T":1,"ac":{"s":"ETHUSDT","l":10}}"#)[..],
            [AccountEvent::LeverageChanged { leverage, .. }] if leverage.get() == 10
        ));
        assert!(matches!(
            &events(r#"{"e":"MARGIN_CALL","E":1,"cw":"412.10","p":[{"s":"ETHUSDT","ps":"LONG","pa":"0.750","mt":"CROSSED",
              "iw":"0","mp":"2011.40","up":"-351.82","mm":"9.05"}]}"#)[..],
            [AccountEvent::MarginCall { detail }] if detail == "ETHUSDT LONG 0.750 at mark 2011.40, maintenance 9.05"
        ));
        assert!(matches!(
            &events(r#"{"e":"GRID_UPDATE","E":1}"#)[..],
            [AccountEvent::Unrecognised { name }] if name == "GRID_UPDATE"
        ));
    }

    #[test]
    fn a_wrapped_message_is_the_same_message() {
        let bare = r#"{"e":"ACCOUNT_CONFIG_UPDATE","ac":{"s":"ETHUSDT","l":10}}"#;
        let wrapped = format!(r#"{{"stream":"k","data":{bare}}}"#);
        assert_eq!(parse(bare), parse(&wrapped));
    }

    #[test]
    fn a_damaged_order_event_is_an_error_and_never_skipped() {
        assert!(parse(r#"{"e":"ORDER_TRADE_UPDATE","E":1,"o":{"s":"ETHUSDT"}}"#).is_err());
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<f64>().prop_map(serde_json::Value::from),
            "[A-Za-z0-9.\\-]{0,12}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 48, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
                prop::collection::btree_map(KEYS, inner, 0..10)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    const KEYS: &str = "[a-zA-Z]|ps|caid|aid|ai|wb|pa|data|stream|orderId|symbol|positionSide";

    proptest! {
        #[test]
        fn no_message_makes_the_parser_panic(mut value in any_json(), event in 0_usize..6) {
            let names = ["ORDER_TRADE_UPDATE", "ALGO_UPDATE", "ACCOUNT_UPDATE", "ACCOUNT_CONFIG_UPDATE", "MARGIN_CALL", "x"];
            if let Some(object) = value.as_object_mut() {
                object.insert("e".into(), names[event].into());
            }
            let _ = parse(&value.to_string());
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,200}") {
            let _ = parse(&text);
        }
    }
}
