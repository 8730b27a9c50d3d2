//! User-data events with the venue's letters.
//!
//! Source: fact sheet 5.6, 9.2 to 9.5 and Appendix A.

use serde_json::{Value, json};

use super::numbers::{Places, money, plain};
use super::rest_account::margin_word;
use crate::venue::{
    AccountUpdate, AlgoView, BalanceChange, EventBody, ExecutionType, MarginCall, OrderType, OrderUpdate,
    PositionView, PriceMatch, UpdateReason, VenueEvent,
};

/// One event ready to send: its name (for `events=` filters) and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserEvent {
    pub(crate) name: &'static str,
    pub(crate) text: String,
}

impl UserEvent {
    fn new(name: &'static str, value: &Value) -> Self {
        Self { name, text: value.to_string() }
    }
}

/// Writes the events of one command in the usual live order of a fill: `TRADE_LITE`, `ACCOUNT_UPDATE`,
/// `ORDER_TRADE_UPDATE`. Source: fact sheet 9.1.
pub(crate) fn encode(events: &[VenueEvent], places: impl Fn(&str) -> Places) -> Vec<UserEvent> {
    let mut out = Vec::with_capacity(events.len() + 1);
    let mut announced = false;
    for (at, event) in events.iter().enumerate() {
        let at_ms = event.at_ms;
        match &event.body {
            EventBody::Account(update) => {
                let next = events.get(at + 1).map(|next| &next.body);
                if let (UpdateReason::Order, Some(EventBody::Order(order))) = (update.reason, next) {
                    out.extend(trade_lite(order, at_ms, places(&order.order.symbol)));
                    announced = true;
                }
                out.push(account_update(update, at_ms, &places));
            }
            EventBody::Order(update) => {
                let places = places(&update.order.symbol);
                if !std::mem::take(&mut announced) {
                    out.extend(trade_lite(update, at_ms, places));
                }
                out.push(order_update(update, at_ms, places));
            }
            EventBody::Algo(view) => out.push(algo_update(view, at_ms, places(&view.symbol))),
            EventBody::Leverage { symbol, leverage } => out.push(UserEvent::new(
                "ACCOUNT_CONFIG_UPDATE",
                &json!({"e": "ACCOUNT_CONFIG_UPDATE", "E": at_ms, "T": at_ms, "ac": {"s": symbol, "l": leverage}}),
            )),
            EventBody::MarginCall(call) => out.push(margin_call(call, at_ms, &places)),
            EventBody::Trade(_) => {}
        }
    }
    out
}

/// The short form of a fill; none for forced fills.
fn trade_lite(update: &OrderUpdate, at_ms: i64, places: Places) -> Option<UserEvent> {
    let fill = update.fill.as_ref().filter(|_| update.execution == ExecutionType::Trade)?;
    let order = &update.order;
    Some(UserEvent::new(
        "TRADE_LITE",
        &json!({
            "e": "TRADE_LITE", "E": at_ms, "T": order.update_ms, "s": order.symbol, "q": places.qty(order.orig_qty),
            "p": places.price(order.price), "m": fill.maker, "c": order.client_order_id, "S": order.side.as_str(),
            "L": places.price(fill.price), "l": places.qty(fill.qty), "t": fill.trade_id, "i": order.order_id,
        }),
    ))
}

fn order_update(update: &OrderUpdate, at_ms: i64, places: Places) -> UserEvent {
    let order = &update.order;
    let fill = update.fill.as_ref();
    let zero = rust_decimal::Decimal::ZERO;
    let mut o = json!({
        "s": order.symbol,
        "c": order.client_order_id,
        "S": order.side.as_str(),
        "o": order.order_type.as_str(),
        "f": order.tif.as_str(),
        "q": places.qty(order.orig_qty),
        "p": places.price(order.price),
        "ap": places.price(order.avg_price),
        "sp": places.price(order.stop_price),
        "x": update.execution.as_str(),
        "X": order.status.as_str(),
        "i": order.order_id,
        "l": places.qty(fill.map_or(zero, |fill| fill.qty)),
        "z": places.qty(order.executed_qty),
        "L": places.price(fill.map_or(zero, |fill| fill.price)),
        "T": order.update_ms,
        "t": fill.map_or(0, |fill| fill.trade_id),
        "b": plain(update.bids_notional),
        "a": plain(update.asks_notional),
        "m": fill.is_some_and(|fill| fill.maker),
        "R": order.reduce_only,
        "wt": order.working_type.as_str(),
        "ot": order.orig_type.as_str(),
        "ps": order.position_side.as_str(),
        "cp": order.close_position,
        "rp": fill.map_or_else(|| "0".to_owned(), |fill| money(fill.realized_pnl)),
        "pP": order.price_protect,
        "si": 0,
        "ss": 0,
        "V": order.stp.as_str(),
        "pm": order.price_match.map_or("NONE", PriceMatch::as_str),
        "gtd": order.good_till_ms,
        "er": update.expiry.as_str(),
    });
    if let Some(fill) = fill {
        o["n"] = json!(money(fill.fee));
        o["N"] = json!(fill.fee_asset);
    }
    if let Some(id) = update.modify_id {
        o["M"] = json!(id);
    }
    if order.orig_type == OrderType::TrailingStopMarket {
        o["AP"] = json!(order.activate_price.map_or_else(|| "0".to_owned(), |price| places.price(price)));
        o["cr"] = json!(order.callback_rate.map_or_else(|| "0".to_owned(), plain));
    }
    UserEvent::new(
        "ORDER_TRADE_UPDATE",
        &json!({"e": "ORDER_TRADE_UPDATE", "E": at_ms, "T": order.update_ms, "o": o}),
    )
}

fn account_update(update: &AccountUpdate, at_ms: i64, places: impl Fn(&str) -> Places) -> UserEvent {
    let balance = |change: &BalanceChange| {
        json!({
            "a": change.asset, "wb": money(change.wallet), "cw": money(change.cross_wallet), "bc": plain(change.change),
        })
    };
    let position = |row: &PositionView| {
        let places = places(&row.symbol);
        json!({
            "s": row.symbol, "pa": places.qty(row.qty), "ep": places.price(row.entry_price),
            "cr": plain(row.accumulated_realized), "up": plain(row.unrealized_pnl), "mt": margin_word(row.margin_type),
            "iw": plain(row.isolated_wallet), "ps": row.position_side.as_str(), "bep": places.price(row.break_even_price),
        })
    };
    UserEvent::new(
        "ACCOUNT_UPDATE",
        &json!({
            "e": "ACCOUNT_UPDATE", "T": at_ms, "E": at_ms,
            "a": {
                "m": update.reason.as_str(),
                "B": update.balances.iter().map(balance).collect::<Vec<_>>(),
                "P": update.positions.iter().map(position).collect::<Vec<_>>(),
                "S": update.symbol,
            },
        }),
    )
}

fn algo_update(algo: &AlgoView, at_ms: i64, places: Places) -> UserEvent {
    UserEvent::new(
        "ALGO_UPDATE",
        &json!({
            "e": "ALGO_UPDATE", "T": algo.update_ms, "E": at_ms,
            "o": {
                "caid": algo.client_algo_id, "aid": algo.algo_id, "at": "CONDITIONAL", "o": algo.order_type.as_str(),
                "s": algo.symbol, "S": algo.side.as_str(), "ps": algo.position_side.as_str(), "f": algo.tif.as_str(),
                "q": places.qty(algo.qty), "X": algo.status.as_str(),
                "ai": algo.actual_order_id.map(|id| id.to_string()).unwrap_or_default(),
                "ap": places.price(algo.actual_price), "aq": places.qty(algo.actual_qty),
                "act": algo.actual_type.map_or("0", OrderType::as_str),
                "tp": places.price(algo.trigger_price), "p": places.price(algo.price), "V": algo.stp.as_str(),
                "wt": algo.working_type.as_str(), "pm": algo.price_match.map_or("NONE", PriceMatch::as_str),
                "cp": algo.close_position, "pP": algo.price_protect, "R": algo.reduce_only, "tt": algo.trigger_ms,
                "gtd": algo.good_till_ms, "rm": algo.reject_reason, "ia": algo.activated,
            },
        }),
    )
}

fn margin_call(call: &MarginCall, at_ms: i64, places: impl Fn(&str) -> Places) -> UserEvent {
    let position = |row: &PositionView| {
        json!({
            "s": row.symbol, "ps": row.position_side.as_str(), "pa": places(&row.symbol).qty(row.qty),
            "mt": row.margin_type.as_str(), "iw": plain(row.isolated_wallet), "mp": plain(row.mark_price),
            "up": plain(row.unrealized_pnl), "mm": plain(row.maint_margin),
        })
    };
    let mut event = json!({
        "e": "MARGIN_CALL", "E": at_ms, "p": call.positions.iter().map(position).collect::<Vec<_>>(),
    });
    if let Some(cross_wallet) = call.cross_wallet {
        event["cw"] = json!(plain(cross_wallet));
    }
    UserEvent::new("MARGIN_CALL", &event)
}

/// The last event of a key.
pub(crate) fn key_expired(key: &str, at_ms: i64) -> UserEvent {
    UserEvent::new("listenKeyExpired", &json!({"e": "listenKeyExpired", "E": at_ms, "listenKey": key}))
}
