//! From the venue's words to ours: pure. A word that decides about money and is not known is an error, never a default.

mod account;
mod explain;
mod market;
mod order;

use hedge_core::{BrokerError, Decimal, InstrumentId, OrderSide, Price, Qty, ReportedSide, Symbol, Venue};
use serde::de::DeserializeOwned;

use crate::wire::text::{LegWord, Side};

pub use account::{
    account_snapshot, balances, cash_flow, is_fill_income, leg_size, leg_size_of_change, position,
};
pub use explain::{ExplainError, Explained, Explainer, FieldError, Source, SourceError, endpoints};
pub use market::{bar, bar_of_event};
pub use order::{
    Execution, ack, algo_ack, algo_event_report, algo_report, execution_of_event, fill, fill_of_event,
    order_event_report, order_report,
};
pub(crate) use order::{algo_left_out, left_out};

/// An answer that is not what the venue documents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {problem}")]
pub struct DecodeError {
    /// Which part.
    pub what: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl From<DecodeError> for BrokerError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed { detail: error.what.to_owned(), source: error.problem.into() }
    }
}

pub(crate) fn err(what: &'static str, problem: impl ToString) -> DecodeError {
    DecodeError { what, problem: problem.to_string() }
}

/// Reads JSON into a wire shape.
///
/// # Errors
/// [`DecodeError`] naming the field; bodies are not quoted, they may hold a listen key.
pub fn json<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(body).map_err(|error| err(what, error))
}

fn instrument(symbol: &str) -> Result<InstrumentId, DecodeError> {
    Ok(InstrumentId::new(Venue::Binance, Symbol::parse(symbol).map_err(|error| err("symbol", error))?))
}

fn order_side(side: &Side) -> Result<OrderSide, DecodeError> {
    match side {
        Side::Buy => Ok(OrderSide::Buy),
        Side::Sell => Ok(OrderSide::Sell),
        Side::Unknown(text) => Err(err("side", format!("{text:?} is neither BUY nor SELL"))),
    }
}

fn leg_word(word: &LegWord) -> Result<ReportedSide, DecodeError> {
    match word {
        LegWord::Long => Ok(ReportedSide::Long),
        LegWord::Short => Ok(ReportedSide::Short),
        LegWord::Both => Ok(ReportedSide::Both),
        LegWord::Unknown(text) => Err(err("positionSide", format!("{text:?} is not LONG, SHORT or BOTH"))),
    }
}

/// The venue writes "no price" as 0, as an empty text, or not at all.
fn price_if_any(value: Option<Decimal>) -> Option<Price> {
    value.and_then(|value| Price::new(value).ok())
}

fn qty_if_any(value: Option<Decimal>) -> Option<Qty> {
    value.and_then(|value| Qty::new(value).ok())
}

fn price(what: &'static str, value: Option<Decimal>) -> Result<Price, DecodeError> {
    let value = value.ok_or_else(|| err(what, "missing"))?;
    Price::new(value).map_err(|error| err(what, error))
}

fn qty(what: &'static str, value: Option<Decimal>) -> Result<Qty, DecodeError> {
    let value = value.ok_or_else(|| err(what, "missing"))?;
    Qty::new(value).map_err(|error| err(what, error))
}
