//! Histories that are longer than one page.

use std::collections::BTreeSet;

use hedge_core::{Bar, BarQuery, BrokerError, CashFlow, Fill, Interval, Timestamp};

use super::{call::Rest, query::Span};
use crate::{
    decode,
    wire::{account::IncomeRow, market::Kline, order::TradeRow, text::IncomeType},
};

/// Rows per page. For klines 1,000 rows cost 5 and 1,500 cost 10 (fact sheet 4.1).
const KLINE_PAGE: usize = 1_000;
const PAGE: u32 = 1_000;
/// `userTrades` takes at most 7 days at once (fact sheet 4.4).
const TRADES_SPAN_MS: i64 = 7 * 86_400_000;
/// Fills and income are kept for three months (fact sheet 4.4, 4.7); asking further back only costs weight.
const KEPT_MS: i64 = 92 * 86_400_000;

impl Rest {
    /// Closed bars over as many pages as needed, oldest first. What is unfinished by the venue's clock is left out.
    ///
    /// # Errors
    /// [`BrokerError`]; a page that fails after its repeats fails the whole.
    pub async fn bars(&self, query: &BarQuery) -> Result<Vec<Bar>, BrokerError> {
        self.ensure_clock().await?;
        // The time before the question: a candle that still ran when the venue answered must not count as closed because
        // its end passed while the answer travelled.
        let now_ms = self.venue_now().ms();
        let rows = match query.from {
            Some(from) => self.klines_forward(query, from).await?,
            None => self.klines_backward(query).await?,
        };
        // A row that closed in the very last millisecond counts: its closeTime is before the venue's now.
        let bars: Result<Vec<Bar>, _> = rows
            .iter()
            .filter(|row| row.close_time < now_ms)
            .map(|row| decode::bar(query.interval, row))
            .collect();
        let mut bars = bars?;
        match query.from {
            Some(_) => bars.truncate(query.limit),
            None => drop(bars.drain(..bars.len().saturating_sub(query.limit))),
        }
        Ok(bars)
    }

    async fn klines_forward(&self, query: &BarQuery, from: Timestamp) -> Result<Vec<Kline>, BrokerError> {
        let mut rows: Vec<Kline> = Vec::new();
        let mut from = from;
        while rows.len() < query.limit {
            let limit = (query.limit - rows.len()).min(KLINE_PAGE);
            let span = Span { from: Some(from), to: query.to };
            let page = self.kline_page(query, span, limit).await?;
            let full = page.len() >= limit;
            let Some(last) = page.last().map(|row| row.open_time) else { break };
            rows.extend(page);
            if !full || last < from.ms() {
                break;
            }
            from = Timestamp::from_ms(last.saturating_add(query.interval.ms()));
            if query.to.is_some_and(|to| from > to) {
                break;
            }
        }
        Ok(rows)
    }

    async fn klines_backward(&self, query: &BarQuery) -> Result<Vec<Kline>, BrokerError> {
        // One more than asked for: the newest row is usually unfinished.
        let wanted = query.limit.saturating_add(1);
        let mut pages: Vec<Vec<Kline>> = Vec::new();
        let mut found = 0;
        let mut to = query.to;
        while found < wanted {
            let limit = (wanted - found).min(KLINE_PAGE);
            let page = self.kline_page(query, Span { from: None, to }, limit).await?;
            let full = page.len() >= limit;
            let Some(first) = page.first().map(|row| row.open_time) else { break };
            found += page.len();
            pages.push(page);
            if !full {
                break;
            }
            to = Some(Timestamp::from_ms(first.saturating_sub(1)));
        }
        Ok(pages.into_iter().rev().flatten().collect())
    }

    async fn kline_page(
        &self,
        query: &BarQuery,
        span: Span,
        limit: usize,
    ) -> Result<Vec<Kline>, BrokerError> {
        let limit = u32::try_from(limit).unwrap_or(PAGE);
        let page = self.klines(query.instrument.symbol.as_str(), query.interval, span, limit).await?;
        in_order(query.interval, &page)?;
        Ok(page)
    }

    /// Every execution of an instrument at or after an instant, oldest first, each once.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn fills_since(&self, symbol: &str, since: Timestamp) -> Result<Vec<Fill>, BrokerError> {
        let mut rows: Vec<TradeRow> = Vec::new();
        let mut from_ms = self.oldest_kept_ms(since);
        loop {
            let now_ms = self.venue_now().ms();
            let to_ms = from_ms.saturating_add(TRADES_SPAN_MS - 1);
            let span = Span { from: Some(Timestamp::from_ms(from_ms)), to: Some(Timestamp::from_ms(to_ms)) };
            let page = self.user_trades(symbol, span, PAGE).await?;
            if page.len() < PAGE as usize {
                rows.extend(page);
                if to_ms >= now_ms {
                    break;
                }
                from_ms = to_ms + 1;
                continue;
            }
            // A full page: go on by id, which cannot lose rows that share a millisecond.
            let mut next = page.iter().map(|row| row.id).max();
            rows.extend(page);
            while let Some(last) = next {
                let page = self.user_trades_from(symbol, last.saturating_add(1), PAGE).await?;
                next = (page.len() >= PAGE as usize).then(|| page.iter().map(|row| row.id).max()).flatten();
                rows.extend(page);
            }
            break;
        }
        let mut seen = BTreeSet::new();
        let mut fills = Vec::with_capacity(rows.len());
        for row in rows.iter().filter(|row| seen.insert(row.id)) {
            fills.push(decode::fill(row)?);
        }
        fills.sort_by_key(|fill| (fill.venue_time, fill.trade_id));
        fills.retain(|fill| fill.venue_time >= since);
        Ok(fills)
    }

    /// Funding, transfers and other flows at or after an instant, oldest first. Fees and profits of fills are left out:
    /// they come with the fills.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn flows_since(&self, since: Timestamp) -> Result<Vec<CashFlow>, BrokerError> {
        self.income_as_flows(since, |row| !decode::is_fill_income(row)).await
    }

    /// The same with the fees of fills, which are compared with what the fills say. Profits are left out.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn flows_and_fees_since(&self, since: Timestamp) -> Result<Vec<CashFlow>, BrokerError> {
        let is_wanted =
            |row: &IncomeRow| !decode::is_fill_income(row) || row.income_type == IncomeType::Commission;
        self.income_as_flows(since, is_wanted).await
    }

    async fn income_as_flows(
        &self,
        since: Timestamp,
        is_wanted: impl Fn(&IncomeRow) -> bool + Send,
    ) -> Result<Vec<CashFlow>, BrokerError> {
        let rows = self.income_since(since).await?;
        let flows: Result<Vec<CashFlow>, _> =
            rows.iter().filter(|row| is_wanted(row)).map(decode::cash_flow).collect();
        let mut flows = flows?;
        flows.sort_by(|a, b| (a.venue_time, &a.id).cmp(&(b.venue_time, &b.id)));
        Ok(flows)
    }

    fn oldest_kept_ms(&self, since: Timestamp) -> i64 {
        since.ms().max(self.venue_now().ms() - KEPT_MS).max(0)
    }

    async fn income_since(&self, since: Timestamp) -> Result<Vec<IncomeRow>, BrokerError> {
        let mut seen = BTreeSet::new();
        let mut rows: Vec<IncomeRow> = Vec::new();
        let mut from_ms = self.oldest_kept_ms(since);
        loop {
            let page = self.income(Span::since(Timestamp::from_ms(from_ms)), PAGE).await?;
            let full = page.len() >= PAGE as usize;
            let last_ms = page.iter().map(|row| row.time).max().unwrap_or(from_ms);
            rows.extend(page.into_iter().filter(|row| {
                seen.insert((row.income_type.as_str().to_owned(), row.tran_id, row.symbol.clone()))
            }));
            if !full {
                return Ok(rows);
            }
            // The page ends inside a millisecond; it is read again from there. A page of one single millisecond cannot be
            // split further: it is stepped over.
            from_ms = if last_ms > from_ms { last_ms } else { from_ms + 1 };
        }
    }
}

fn in_order(interval: Interval, page: &[Kline]) -> Result<(), BrokerError> {
    let step = interval.ms();
    match page.windows(2).find(|pair| pair[1].open_time < pair[0].open_time.saturating_add(step)) {
        None => Ok(()),
        Some(pair) => Err(decode::err(
            "klines",
            format!("{} follows {} at interval {interval}", pair[1].open_time, pair[0].open_time),
        )
        .into()),
    }
}
