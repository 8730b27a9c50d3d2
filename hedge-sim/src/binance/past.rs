//! The past of one symbol as it stands at one moment, to be asked while the exchange goes on.
//!
//! A thousand months of klines are sums over tens of thousands of days. Whoever asks for them waits for them; orders,
//! streams and everybody's clock probes do not, because nothing here needs the exchange's lock.

use std::sync::{Arc, Mutex, PoisonError};

use hedge_core::{Bar, Symbol};
use rust_decimal::Decimal;

use super::candle::Candle;
use super::ticks;
use crate::market::{
    DataSet, FundingPayment, GeneratedMarket, KlineInterval, KlineQuery, MarketError, price_along,
};

/// Funding interval where nothing else is known. Source: fact sheet 14.3.
pub(crate) const FUNDING_EVERY_MS: i64 = 8 * 3_600_000;

/// What can be asked about the past.
#[derive(Debug, Clone)]
pub(crate) enum Past {
    /// A generated market of its own: it tells the same as the one that is played, which stays free.
    Generated(Arc<Mutex<GeneratedMarket>>, Symbol),
    /// What recorded ticks traded until now, by minute.
    Ticks(Vec<(i64, Candle)>),
    /// Recorded data, of which `begun` bars of the symbol have begun.
    Recorded { data: Arc<DataSet>, ix: usize, begun: usize },
}

impl Past {
    /// Klines that open in `[start_ms, end_ms]`, oldest first, at most `limit`; without a start the newest ones.
    pub(crate) fn klines(&self, query: &KlineQuery) -> Vec<(i64, Candle)> {
        match self {
            Self::Generated(market, symbol) => {
                let klines = generated(market, |market| market.klines(*symbol, query));
                klines.iter().map(|kline| (kline.open_ms, Candle::of_kline(kline))).collect()
            }
            Self::Ticks(minutes) => ticks::klines(minutes, query),
            Self::Recorded { .. } => recorded_klines(self.bars(), query),
        }
    }

    /// Settlements in `[start_ms, end_ms]` that fell due until now, oldest first: the first `limit` of them with a
    /// start, the last ones without.
    pub(crate) fn funding_paid(
        &self,
        start_ms: Option<i64>,
        end_ms: Option<i64>,
        limit: usize,
        now_ms: i64,
    ) -> Vec<FundingPayment> {
        let end_ms = end_ms.unwrap_or(now_ms).min(now_ms);
        match self {
            Self::Generated(market, symbol) => {
                let reach_ms = FUNDING_EVERY_MS.saturating_mul(limit.try_into().unwrap_or(i64::MAX));
                let from_ms = start_ms.unwrap_or(end_ms.saturating_sub(reach_ms).saturating_add(1));
                generated(market, |market| market.funding(*symbol, from_ms, end_ms, limit))
            }
            // Nothing was settled in the time of a recording.
            Self::Ticks(_) => Vec::new(),
            Self::Recorded { data, ix, .. } => {
                let payments = data.funding.get(*ix).map(|one| one.payments.as_slice()).unwrap_or_default();
                let from = start_ms.map_or(0, |start| payments.partition_point(|p| p.at_ms < start));
                let to = payments.partition_point(|payment| payment.at_ms <= end_ms);
                let inside = payments.get(from..to).unwrap_or_default();
                let skip = if start_ms.is_none() { inside.len().saturating_sub(limit) } else { 0 };
                inside.iter().skip(skip).take(limit).copied().collect()
            }
        }
    }

    /// The recorded price at a past time, for settlements whose mark was not recorded.
    pub(crate) fn price_at(&self, at_ms: i64) -> Option<Decimal> {
        let Self::Recorded { data, ix, .. } = self else { return None };
        // Also the bar that begins right then, whose open is the price.
        let bars = &data.series.get(*ix)?.bars;
        let bar = bars.get(bars.partition_point(|bar| bar.end().ms() <= at_ms))?;
        Some(bar.decimal(price_along(bar, at_ms)))
    }

    fn bars(&self) -> &[Bar] {
        match self {
            Self::Recorded { data, ix, begun } => {
                data.series.get(*ix).and_then(|series| series.bars.get(..*begun)).unwrap_or_default()
            }
            Self::Generated(..) | Self::Ticks(_) => &[],
        }
    }
}

/// Asks a generated market. Times outside its centuries have nothing to tell.
fn generated<T>(
    market: &Mutex<GeneratedMarket>,
    ask: impl FnOnce(&mut GeneratedMarket) -> Result<Vec<T>, MarketError>,
) -> Vec<T> {
    ask(&mut market.lock().unwrap_or_else(PoisonError::into_inner)).unwrap_or_default()
}

/// The kline of recorded bars that opens at `open_ms`, as far as it has gone.
pub(crate) fn recorded_kline(
    bars: &[Bar],
    interval: KlineInterval,
    open_ms: i64,
    now_ms: i64,
) -> Option<Candle> {
    Candle::over(bars, open_ms, interval.next_open_ms(open_ms).min(now_ms.saturating_add(1)))
}

fn recorded_klines(bars: &[Bar], query: &KlineQuery) -> Vec<(i64, Candle)> {
    let KlineQuery { interval, start_ms, end_ms, limit, now_ms } = *query;
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Vec::new() };
    let first_open = interval.open_ms(first.open_time.ms());
    let until_ms = end_ms.unwrap_or(now_ms).min(now_ms).min(last.end().ms() - 1);
    if until_ms < first_open || start_ms.is_some_and(|start| start > until_ms) {
        return Vec::new();
    }
    let last_open = interval.open_ms(until_ms);
    let at = |open_ms: i64| recorded_kline(bars, interval, open_ms, now_ms).map(|candle| (open_ms, candle));
    let next = |open_ms: &i64| Some(interval.next_open_ms(*open_ms));
    let back = |open_ms: &i64| Some(interval.shift_ms(*open_ms, -1));
    match start_ms {
        Some(start_ms) => {
            let start_ms = start_ms.max(first_open);
            let holds = interval.open_ms(start_ms);
            let begin = if holds < start_ms { interval.next_open_ms(holds) } else { holds };
            let opens = std::iter::successors(Some(begin), next).take_while(|open| *open <= last_open);
            opens.filter_map(at).take(limit).collect()
        }
        None => {
            let opens = std::iter::successors(Some(last_open), back).take_while(|open| *open >= first_open);
            let mut newest: Vec<_> = opens.filter_map(at).take(limit).collect();
            newest.reverse();
            newest
        }
    }
}
