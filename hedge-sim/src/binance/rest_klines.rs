//! Klines: of last, of a continuous contract, of mark and of index.
//!
//! Source: fact sheet 4.1, 4.3.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::candle::Candle;
use super::error::ApiError;
use super::numbers::{money, padded, plain};
use super::params::Params;
use super::perform::Later;
use super::rest_market::time_range;
use super::state::Core;
use crate::market::{KlineInterval, KlineQuery};
use crate::venue::{InstrumentRules, SymbolId};

/// What the rows tell.
#[derive(Debug, Clone, Copy)]
enum Row {
    /// Everything about trades at last.
    Traded {
        /// Decimals of prices.
        price_scale: u32,
    },
    /// Prices only; the other columns are filler.
    Priced,
    /// Nothing but zeros.
    Zero,
}

pub(crate) fn of_last(core: &Core, params: &Params) -> Result<Later, ApiError> {
    let (id, rules) = core.symbol(params)?;
    klines(core, params, id, traded(rules))
}

/// The perpetual of a pair; other contracts are not listed here.
pub(crate) fn continuous(core: &Core, params: &Params) -> Result<Later, ApiError> {
    let (id, rules) = pair(core, params)?;
    if params.need("contractType")? != rules.contract_type {
        return Err(ApiError::bad(-4104, "Invalid contract type."));
    }
    klines(core, params, id, traded(rules))
}

/// Mark follows last, so its klines are those of last without the trades.
pub(crate) fn of_mark(core: &Core, params: &Params) -> Result<Later, ApiError> {
    let (id, _) = core.symbol(params)?;
    klines(core, params, id, Row::Priced)
}

/// Index is mark here.
pub(crate) fn of_index(core: &Core, params: &Params) -> Result<Later, ApiError> {
    let (id, _) = pair(core, params)?;
    klines(core, params, id, Row::Priced)
}

/// Index is mark and mark is last, so the premium is zero at all times.
pub(crate) fn of_premium(core: &Core, params: &Params) -> Result<Later, ApiError> {
    let (id, _) = core.symbol(params)?;
    klines(core, params, id, Row::Zero)
}

fn traded(rules: &InstrumentRules) -> Row {
    Row::Traded { price_scale: rules.tick.normalize().scale() }
}

fn pair<'a>(core: &'a Core, params: &Params) -> Result<(SymbolId, &'a InstrumentRules), ApiError> {
    let wanted = params.need("pair")?;
    let found = core.venue.instruments().find(|(_, rules)| rules.pair == wanted);
    found.ok_or_else(|| ApiError::bad(-4144, "Invalid pair."))
}

fn klines(core: &Core, params: &Params, id: SymbolId, row: Row) -> Result<Later, ApiError> {
    let interval = KlineInterval::parse(params.need("interval")?)
        .ok_or_else(|| ApiError::bad(-1120, "Invalid interval."))?;
    let (start, end) = time_range(params)?;
    let limit = params.limit(500, 1_500)?;
    let query = KlineQuery { interval, start_ms: start, end_ms: end, limit, now_ms: core.now_ms() };
    let past = core.play.past(id.0, query.now_ms).ok_or_else(ApiError::bad_symbol)?;
    Ok(Later::new(move || {
        let rows = past.klines(&query);
        rows.iter().map(|(open_ms, candle)| row.json(interval, *open_ms, candle)).collect()
    }))
}

impl Row {
    /// Source: fact sheet 4.3.
    fn json(self, interval: KlineInterval, open_ms: i64, candle: &Candle) -> Value {
        let close_ms = interval.next_open_ms(open_ms) - 1;
        match self {
            Self::Traded { price_scale } => json!([
                open_ms,
                padded(candle.open, price_scale),
                padded(candle.high, price_scale),
                padded(candle.low, price_scale),
                padded(candle.close, price_scale),
                plain(candle.volume),
                close_ms,
                plain(candle.quote),
                candle.trades,
                plain(candle.taker_volume),
                plain(candle.taker_quote),
                "0",
            ]),
            Self::Priced => {
                priced(open_ms, close_ms, [candle.open, candle.high, candle.low, candle.close].map(money))
            }
            Self::Zero => priced(open_ms, close_ms, std::array::from_fn(|_| money(Decimal::ZERO))),
        }
    }
}

fn priced(open_ms: i64, close_ms: i64, [open, high, low, close]: [String; 4]) -> Value {
    json!([open_ms, open, high, low, close, "0", close_ms, "0", 0, "0", "0", "0"])
}
