//! `/futures/data`: open interest and who is long, as far back as thirty days.
//!
//! There is no crowd behind the simulated market, so its figures are made from what the market does tell: a quarter of
//! a day's volume is held, and as large a share of it is long as the day's takers bought. Only the taker volumes
//! themselves are the market's own. Equal times give equal figures. Source of the shapes: fact sheet 4.1 and the
//! vendor's pages.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::candle::Candle;
use super::error::ApiError;
use super::numbers::{Places, money, number, padded, plain};
use super::params::Params;
use super::perform::Later;
use super::rest_market::{DAY_MS, time_range};
use super::state::Core;
use crate::market::{KlineInterval, KlineQuery};
use crate::venue::{InstrumentRules, SymbolId, SymbolStatus};

/// How far back the figures go. Source: fact sheet 4.1.
const LOOK_BACK_MS: i64 = 30 * DAY_MS;
const PERIODS: [&str; 9] = ["5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"];
/// Which part of a day's volume is held.
const HELD_PART: Decimal = Decimal::from_parts(25, 0, 0, false, 2);
/// Decimals of ratios and shares.
const RATIO_PLACES: u32 = 4;

/// Which figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    OpenInterest,
    GlobalAccounts,
    TopAccounts,
    TopPositions,
    TakerVolume,
    Basis,
}

impl Figure {
    /// Over how much of the past it is taken; zero: over its own period.
    const fn span_ms(self) -> i64 {
        match self {
            Self::OpenInterest | Self::GlobalAccounts => DAY_MS,
            Self::TopAccounts => DAY_MS / 2,
            Self::TopPositions | Self::TakerVolume | Self::Basis => 0,
        }
    }
}

/// A quarter of what the last day traded: what the made-up crowd holds.
pub(crate) fn held_by_crowd(day_volume: Decimal) -> Decimal {
    (day_volume * HELD_PART).round_dp(3)
}

pub(crate) fn rows(core: &Core, params: &Params, figure: Figure) -> Result<Later, ApiError> {
    let (id, rules) = if figure == Figure::Basis {
        let pair = params.need("pair")?;
        let found = core.venue.instruments().find(|(_, rules)| rules.pair == pair);
        let (id, rules) = found.ok_or_else(|| ApiError::bad(-4144, "Invalid pair."))?;
        if params.need("contractType")? != rules.contract_type {
            return Err(ApiError::bad(-4104, "Invalid contract type."));
        }
        (id, rules)
    } else {
        core.symbol(params)?
    };
    let period = params.need("period")?;
    let interval = KlineInterval::parse(period)
        .filter(|_| PERIODS.contains(&period))
        .ok_or_else(|| ApiError::invalid("period"))?;
    let limit = params.limit(30, 500)?;
    let (start_ms, end_ms) = time_range(params)?;
    let now_ms = core.now_ms();
    let oldest_ms = now_ms - LOOK_BACK_MS;
    if start_ms.is_some_and(|start| start < oldest_ms) {
        return Err(ApiError::invalid("startTime"));
    }
    let past = core.play.past(id.0, now_ms).ok_or_else(ApiError::bad_symbol)?;
    let (places, pair) = (core.places(&rules.symbol), rules.pair.clone());
    let (symbol, contract) = (rules.symbol.clone(), rules.contract_type.clone());
    Ok(Later::new(move || {
        let wanted = Wanted { interval, start_ms, end_ms, limit, now_ms, oldest_ms };
        // A row bears the time at which its period ended.
        let klines = |query: &KlineQuery| past.klines(query);
        let row = |at_ms: i64, close: &Candle, over: &Candle| match figure {
            Figure::OpenInterest => {
                let held = held_by_crowd(over.volume);
                json!({
                    "symbol": symbol, "sumOpenInterest": money(held), "sumOpenInterestValue": money(held * close.close),
                    "CMCCirculatingSupply": "0", "timestamp": at_ms,
                })
            }
            Figure::GlobalAccounts | Figure::TopAccounts | Figure::TopPositions => {
                let long = share(over.taker_volume, over.volume);
                let short = Decimal::ONE - long;
                json!({
                    "symbol": symbol, "longAccount": padded(long, RATIO_PLACES),
                    "shortAccount": padded(short, RATIO_PLACES), "longShortRatio": ratio(long, short), "timestamp": at_ms,
                })
            }
            Figure::TakerVolume => {
                let sold = over.volume - over.taker_volume;
                json!({
                    "buySellRatio": ratio(over.taker_volume, sold), "buyVol": plain(over.taker_volume),
                    "sellVol": plain(sold), "timestamp": at_ms,
                })
            }
            Figure::Basis => basis(&pair, &contract, places, close, at_ms),
        };
        wanted.rows(figure.span_ms(), klines, row)
    }))
}

/// Contracts of a pair that were settled, at the price they were settled at.
pub(crate) fn delivery_prices(core: &Core, params: &Params) -> Result<Value, ApiError> {
    let pair = params.need("pair")?;
    let is_over = |status| {
        matches!(
            status,
            SymbolStatus::Settling | SymbolStatus::Delivering | SymbolStatus::Delivered | SymbolStatus::Close
        )
    };
    let settled = core.venue.instruments().filter(|(_, rules)| rules.pair == pair && is_over(rules.status));
    let row = |(id, rules): (SymbolId, &InstrumentRules)| {
        let price = core.venue.prices(id)?.mark;
        Some(json!({"deliveryTime": rules.delivery_ms, "deliveryPrice": number(price)}))
    };
    Ok(settled.filter_map(row).collect())
}

/// Index is mark and mark is last: there is no basis.
fn basis(pair: &str, contract: &str, places: Places, close: &Candle, at_ms: i64) -> Value {
    let price = places.price(close.close);
    json!({
        "pair": pair, "contractType": contract, "indexPrice": price, "futuresPrice": price, "basis": "0",
        "basisRate": padded(Decimal::ZERO, RATIO_PLACES), "annualizedBasisRate": "", "timestamp": at_ms,
    })
}

/// Kept away from all and nothing, where no ratio is a number.
fn share(part: Decimal, whole: Decimal) -> Decimal {
    let half = Decimal::new(5, 1);
    let share = part.checked_div(whole).unwrap_or(half).round_dp(RATIO_PLACES);
    share.clamp(Decimal::new(1, RATIO_PLACES), Decimal::ONE - Decimal::new(1, RATIO_PLACES))
}

fn ratio(part: Decimal, other: Decimal) -> String {
    padded(part.checked_div(other).unwrap_or(Decimal::ONE).round_dp(RATIO_PLACES), RATIO_PLACES)
}

/// Which rows.
struct Wanted {
    interval: KlineInterval,
    start_ms: Option<i64>,
    end_ms: Option<i64>,
    limit: usize,
    now_ms: i64,
    oldest_ms: i64,
}

impl Wanted {
    fn rows(
        &self,
        span_ms: i64,
        klines: impl Fn(&KlineQuery) -> Vec<(i64, Candle)>,
        row: impl Fn(i64, &Candle, &Candle) -> Value,
    ) -> Value {
        let period_ms = self.interval.next_open_ms(0);
        let before = usize::try_from(span_ms / period_ms).unwrap_or(0).max(1) - 1;
        let back_ms = period_ms.saturating_mul(i64::try_from(before).unwrap_or(0));
        let end_ms = self.end_ms.unwrap_or(self.now_ms).min(self.now_ms);
        // Of a period only its end is told, so the one that still runs has no row.
        let last_end_ms = end_ms.div_euclid(period_ms) * period_ms;
        let first_end_ms = match self.start_ms {
            Some(start_ms) => (start_ms + period_ms - 1).div_euclid(period_ms) * period_ms,
            None => last_end_ms - period_ms * (i64::try_from(self.limit).unwrap_or(0) - 1),
        };
        let first_end_ms = first_end_ms.max(self.oldest_ms);
        if first_end_ms > last_end_ms {
            return json!([]);
        }
        let query = KlineQuery {
            interval: self.interval,
            start_ms: Some(first_end_ms - period_ms - back_ms),
            end_ms: Some(last_end_ms - period_ms),
            limit: self.limit + before + 1,
            now_ms: self.now_ms,
        };
        let found = klines(&query);
        let is_wanted = |open_ms: i64| open_ms + period_ms >= first_end_ms;
        let tell = |(at, (open_ms, candle)): (usize, &(i64, Candle))| {
            let over = found.get(at.saturating_sub(before)..=at)?.iter().map(|(_, candle)| *candle);
            Some(row(open_ms + period_ms, candle, &over.reduce(Candle::and)?))
        };
        let wanted = found.iter().enumerate().filter(|(_, (open_ms, _))| is_wanted(*open_ms));
        wanted.filter_map(tell).take(self.limit).collect()
    }
}
