//! Market streams: what is pushed, and when.
//!
//! Source of the payloads: fact sheet 8.2 and Appendix A.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::candle::Candle;
use super::clock::Pace;
use super::numbers::{Places, money, number, padded, plain};
use super::rest_market::{agg_row, day_figures, levels};
use super::sessions;
use super::state::Core;
use super::streams::{DepthPace, Topic};
use super::tape::Print;
use crate::market::KlineInterval;
use crate::venue::{Bracket, EventBody, ExecutionType, OrderType, OrderUpdate, SymbolId, VenueEvent};

/// The venue says 1 for USD-M. Source: fact sheet 8.2 (`st`).
const USD_M: u8 = 1;
/// Klines of one stream that one push may close after a long jump of the clock.
const MOST_CLOSED: usize = 2_000;

impl Core {
    fn instrument(&self, ix: u16) -> Option<(String, Places)> {
        let rules = self.venue.rules(SymbolId(ix))?;
        Some((rules.symbol.clone(), Places::of(rules)))
    }

    pub(crate) fn symbol_count(&self) -> u16 {
        self.feeds.len() as u16
    }

    /// Prints a trade on the tape of a recorded market and pushes it.
    pub(crate) fn print(&mut self, ix: u16, at_ms: i64, price: Decimal, qty: Decimal, buyer_is_maker: bool) {
        let Some(feed) = self.feeds.get_mut(usize::from(ix)) else { return };
        let print = feed.tape.print(at_ms, price, qty, buyer_is_maker);
        self.send_print(ix, &print);
    }

    /// Pushes a print of the generated market.
    pub(crate) fn push_print(&mut self, ix: u16, print: &Print) {
        if let Some(feed) = self.feeds.get_mut(usize::from(ix)) {
            feed.tape.note(*print);
        }
        self.send_print(ix, print);
    }

    pub(crate) fn send_print(&self, ix: u16, print: &Print) {
        let now_ms = self.now_ms().max(print.at_ms);
        let Some((symbol, places)) = self.instrument(ix) else { return };
        self.hub.publish(Topic::AggTrade(ix), || agg_trade(&symbol, print, places, now_ms));
        self.hub.publish(Topic::Trade(ix), || trade(&symbol, print, places, now_ms));
    }

    /// Pushes the best bid and ask when they changed since the last push.
    pub(crate) fn push_best(&mut self, ix: u16) {
        if !self.hub.has(Topic::BookTicker(ix)) {
            return;
        }
        let Some(best) = self.venue.best(SymbolId(ix)) else { return };
        let Some(feed) = self.feeds.get_mut(usize::from(ix)) else { return };
        if feed.best_pushed == best.update_id {
            return;
        }
        feed.best_pushed = best.update_id;
        if let Some(event) = self.best_event(ix) {
            self.hub.publish(Topic::BookTicker(ix), || event.to_string());
        }
    }

    /// Pushes every best bid and ask to `!bookTicker`.
    pub(crate) fn push_all_best(&self) {
        if !self.hub.has(Topic::AllBookTickers) {
            return;
        }
        for event in (0..self.symbol_count()).filter_map(|ix| self.best_event(ix)) {
            self.hub.publish(Topic::AllBookTickers, || event.to_string());
        }
    }

    fn best_event(&self, ix: u16) -> Option<Value> {
        let (symbol, places) = self.instrument(ix)?;
        let best = self.venue.best(SymbolId(ix))?;
        let now_ms = self.now_ms();
        Some(json!({
            "e": "bookTicker", "u": best.update_id, "E": now_ms, "T": now_ms, "s": symbol, "ps": symbol,
            "b": places.price(best.bid), "B": places.qty(best.bid_qty),
            "a": places.price(best.ask), "A": places.qty(best.ask_qty), "st": USD_M,
        }))
    }

    /// Pushes the diff and top-of-book streams of one pace.
    pub(crate) fn push_depth(&mut self, ix: u16, pace: DepthPace) {
        let now_ms = self.now_ms();
        self.push_diff(ix, pace, now_ms);
        for top in [5, 10, 20] {
            let topic = Topic::TopLevels(ix, top, pace);
            if !self.hub.has(topic) {
                continue;
            }
            let (Some((symbol, places)), Some(book)) =
                (self.instrument(ix), self.venue.depth(SymbolId(ix), usize::from(top)))
            else {
                continue;
            };
            let id = book.last_update_id;
            self.hub.publish(topic, || {
                depth_event(
                    &symbol,
                    now_ms,
                    [id, id, id - 1],
                    levels(&book.bids, places),
                    levels(&book.asks, places),
                )
            });
        }
    }

    fn push_diff(&mut self, ix: u16, pace: DepthPace, now_ms: i64) {
        let topic = Topic::Depth(ix, pace);
        let with_rpi = (pace == DepthPace::Ms500).then_some(Topic::RpiDepth(ix));
        let heard = self.hub.has(topic) || with_rpi.is_some_and(|topic| self.hub.has(topic));
        let Some(feed) = self.feeds.get_mut(usize::from(ix)) else { return };
        if !heard {
            feed.forget(pace);
            return;
        }
        let Some(diff) = self.venue.depth(SymbolId(ix), 1_000).and_then(|book| feed.diff(pace, book)) else {
            return;
        };
        let Some((symbol, places)) = self.instrument(ix) else { return };
        for topic in std::iter::once(topic).chain(with_rpi) {
            self.hub.publish(topic, || {
                let ids = [diff.first, diff.last, diff.before];
                depth_event(&symbol, now_ms, ids, levels(&diff.bids, places), levels(&diff.asks, places))
            });
        }
    }

    /// Pushes the mark prices of one cadence; `ix` limits it to one symbol.
    pub(crate) fn push_marks(&self, fast: bool, ix: Option<u16>) {
        let wanted = |of: &u16| ix.is_none_or(|ix| ix == *of);
        let all = self.hub.has(Topic::AllMarks(fast));
        let mut rows = Vec::new();
        for ix in (0..self.symbol_count()).filter(wanted) {
            if !all && !self.hub.has(Topic::Mark(ix, fast)) {
                continue;
            }
            if let Some(event) = self.mark_event(ix) {
                self.hub.publish(Topic::Mark(ix, fast), || event.to_string());
                rows.push(event);
            }
        }
        if all && !rows.is_empty() {
            self.hub.publish(Topic::AllMarks(fast), || Value::Array(rows).to_string());
        }
    }

    fn mark_event(&self, ix: u16) -> Option<Value> {
        let (symbol, _) = self.instrument(ix)?;
        let mark = money(self.venue.prices(SymbolId(ix))?.mark);
        let now_ms = self.now_ms();
        let (next_ms, rate) = self.play.funding_next(ix, now_ms);
        Some(json!({
            "e": "markPriceUpdate", "E": now_ms, "s": symbol, "p": mark, "ap": mark, "i": mark, "P": mark,
            "r": money(rate), "T": next_ms, "st": USD_M,
        }))
    }

    /// Pushes every kline that ended until `until_ms` and was not pushed yet, oldest first.
    pub(crate) fn push_closed_klines(&mut self, ix: u16, until_ms: i64) {
        let Some(feed) = self.feeds.get_mut(usize::from(ix)) else { return };
        let since_ms = feed.closed_until_ms;
        feed.closed_until_ms = since_ms.max(until_ms);
        for interval in self.kline_topics(ix) {
            let mut open_ms = interval.open_ms(since_ms);
            for _ in 0..MOST_CLOSED {
                let next_ms = interval.next_open_ms(open_ms);
                if next_ms > until_ms {
                    break;
                }
                if next_ms > since_ms {
                    self.push_kline(ix, interval, open_ms, next_ms, true);
                }
                open_ms = next_ms;
            }
        }
    }

    /// Pushes the forming klines.
    pub(crate) fn push_forming_klines(&self, ix: u16) {
        let now_ms = self.now_ms();
        for interval in self.kline_topics(ix) {
            self.push_kline(ix, interval, interval.open_ms(now_ms), now_ms, false);
        }
    }

    fn kline_topics(&self, ix: u16) -> Vec<KlineInterval> {
        let of = |topic| match topic {
            Topic::Kline(of, interval) | Topic::ContinuousKline(of, interval) if of == ix => Some(interval),
            _ => None,
        };
        let mut intervals: Vec<KlineInterval> = self.hub.topics().into_iter().filter_map(of).collect();
        intervals.sort_unstable();
        intervals.dedup();
        intervals
    }

    fn push_kline(&self, ix: u16, interval: KlineInterval, open_ms: i64, at_ms: i64, closed: bool) {
        let Some((symbol, _)) = self.instrument(ix) else { return };
        let Some(candle) = self.play.kline(ix, interval, open_ms, at_ms) else { return };
        let Some(rules) = self.venue.rules(SymbolId(ix)) else { return };
        let price_places = rules.tick.normalize().scale();
        let last_id = self.last_print(SymbolId(ix)).map_or(0, |print| print.last_trade);
        let bars = kline_json(interval, open_ms, &candle, price_places, last_id, closed);
        let now_ms = self.now_ms();
        self.hub.publish(Topic::Kline(ix, interval), || {
            let mut k = bars.clone();
            k["s"] = json!(symbol);
            json!({"e": "kline", "E": now_ms, "s": symbol, "k": k}).to_string()
        });
        self.hub.publish(Topic::ContinuousKline(ix, interval), || {
            json!({"e": "continuous_kline", "E": now_ms, "ps": symbol, "ct": "PERPETUAL", "k": bars})
                .to_string()
        });
    }

    /// Pushes the day tickers of one symbol.
    pub(crate) fn push_tickers(&self, ix: u16) {
        if let Some((mini, full)) = self.ticker_events(ix, [Topic::MiniTicker(ix), Topic::Ticker(ix)]) {
            self.hub.publish(Topic::MiniTicker(ix), || mini.to_string());
            self.hub.publish(Topic::Ticker(ix), || full.to_string());
        }
    }

    /// Pushes the day tickers of all symbols to the array streams.
    pub(crate) fn push_ticker_arrays(&self) {
        let topics = [Topic::AllMiniTickers, Topic::AllTickers];
        let (mini, full): (Vec<_>, Vec<_>) =
            (0..self.symbol_count()).filter_map(|ix| self.ticker_events(ix, topics)).unzip();
        if !mini.is_empty() {
            self.hub.publish(Topic::AllMiniTickers, || Value::Array(mini).to_string());
            self.hub.publish(Topic::AllTickers, || Value::Array(full).to_string());
        }
    }

    fn ticker_events(&self, ix: u16, topics: [Topic; 2]) -> Option<(Value, Value)> {
        if !topics.iter().any(|topic| self.hub.has(*topic)) {
            return None;
        }
        let id = SymbolId(ix);
        let day = day_figures(self, id, self.venue.rules(id)?)?;
        let now_ms = self.now_ms();
        let mini = json!({
            "e": "24hrMiniTicker", "E": now_ms, "s": day.symbol, "ps": day.symbol, "c": day.last, "o": day.open,
            "h": day.high, "l": day.low, "v": day.volume, "q": day.quote, "st": USD_M,
        });
        let full = json!({
            "e": "24hrTicker", "E": now_ms, "s": day.symbol, "ps": day.symbol, "p": day.change, "P": day.change_pct,
            "w": day.average, "c": day.last, "Q": day.last_qty, "o": day.open, "h": day.high, "l": day.low,
            "v": day.volume, "q": day.quote, "O": day.open_ms, "C": day.close_ms, "F": day.first_id, "L": day.last_id,
            "n": day.count, "st": USD_M,
        });
        Some((mini, full))
    }

    /// Public news inside account events: liquidations, and a changed book. The account's own executions are not
    /// printed on the public tape: their ids are not the market's. While the clock is paused streams are silent: news
    /// wait, and a changed book is pushed by the first tick after it.
    pub(crate) fn announce_market(&mut self, events: &[VenueEvent]) {
        for event in events {
            if let EventBody::Order(update) = &event.body {
                self.announce_liquidation(update, event.at_ms);
            }
        }
        if self.clock.state().paused {
            return;
        }
        for ix in 0..self.symbol_count() {
            self.push_best(ix);
        }
    }

    /// Publishes news, or keeps them while the clock is paused. What nobody follows is not kept.
    fn tell_news(&mut self, topic: Topic, event: impl FnOnce() -> String) {
        if self.clock.state().paused && self.hub.has(topic) {
            self.held_news.push((topic, event()));
        } else {
            self.hub.publish(topic, event);
        }
    }

    /// Publishes what a paused clock held back.
    pub(crate) fn tell_held_news(&mut self) {
        for (topic, event) in std::mem::take(&mut self.held_news) {
            self.hub.publish(topic, || event);
        }
    }

    fn announce_liquidation(&mut self, update: &OrderUpdate, at_ms: i64) {
        let order = &update.order;
        let forced = order.order_type == OrderType::Liquidation
            || (update.execution == ExecutionType::Calculated
                && order.client_order_id.starts_with("autoclose-"));
        let (Some(fill), true) = (&update.fill, forced) else { return };
        let Some(SymbolId(ix)) = self.venue.symbol_id(&order.symbol) else { return };
        let places = self.places(&order.symbol);
        let event = json!({
            "e": "forceOrder", "E": at_ms, "ps": order.symbol, "st": USD_M,
            "o": {
                "s": order.symbol, "S": order.side.as_str(), "o": "LIMIT", "f": "IOC",
                "q": places.qty(order.orig_qty), "p": places.price(order.price), "ap": places.price(order.avg_price),
                "X": order.status.as_str(), "l": places.qty(fill.qty), "z": places.qty(order.executed_qty),
                "T": order.update_ms,
            },
        });
        if self.clock.state().pace == Pace::Lockstep {
            return self.tell_liquidation(ix, &event.to_string());
        }
        // Of one second only the largest is told. Source: fact sheet 8.2 (`forceOrder`).
        let notional = fill.price * fill.qty;
        if self.liquidations.get(&ix).is_none_or(|(largest, _)| notional > *largest) {
            self.liquidations.insert(ix, (notional, event.to_string()));
        }
    }

    /// Pushes the largest liquidation of each symbol since the last push.
    pub(crate) fn push_liquidations(&mut self) {
        for (ix, (_, event)) in std::mem::take(&mut self.liquidations) {
            self.tell_liquidation(ix, &event);
        }
    }

    fn tell_liquidation(&mut self, ix: u16, event: &str) {
        self.tell_news(Topic::Liquidation(ix), || event.to_owned());
        self.tell_news(Topic::AllLiquidations, || event.to_owned());
    }

    /// Pushes asset indices, the composite and the trading sessions.
    pub(crate) fn push_indices(&self) {
        let now_ms = self.now_ms();
        if self
            .hub
            .topics()
            .iter()
            .any(|topic| matches!(topic, Topic::AssetIndex(_) | Topic::AllAssetIndices))
        {
            let rows = self.asset_indices();
            for row in &rows {
                self.hub.publish(Topic::AssetIndex(row.asset), || row.event(now_ms).to_string());
            }
            let all = || rows.iter().map(|row| row.event(now_ms)).collect::<Value>().to_string();
            self.hub.publish(Topic::AllAssetIndices, all);
        }
        if self.hub.has(Topic::CompositeIndex)
            && let Some(event) = self.composite_event()
        {
            self.hub.publish(Topic::CompositeIndex, || event.to_string());
        }
        if self.hub.has(Topic::TradingSession) {
            for event in sessions::now(now_ms) {
                self.hub.publish(Topic::TradingSession, || event.to_string());
            }
        }
    }

    /// Tells `!contractInfo` of a symbol whose status changed.
    pub(crate) fn announce_contract(&mut self, id: SymbolId) {
        self.announce_contract_with(id, false);
    }

    /// Tells `!contractInfo` of a symbol, with its brackets when they changed.
    pub(crate) fn announce_contract_with(&mut self, id: SymbolId, brackets: bool) {
        let Some(rules) = self.venue.rules(id) else { return };
        let mut event = json!({
            "e": "contractInfo", "E": self.now_ms(), "s": rules.symbol, "ct": rules.contract_type,
            "dt": rules.delivery_ms, "ot": rules.onboard_ms, "cs": rules.status.as_str(), "st": USD_M,
        });
        if brackets {
            let least = |at: usize| rules.brackets.get(at + 1).map_or(1, |next| next.initial_leverage + 1);
            let row = |(at, one): (usize, &Bracket)| {
                json!({
                    "bs": one.bracket, "bnf": number(one.notional_floor), "bnc": number(one.notional_cap),
                    "mmr": number(one.maint_ratio), "cf": number(one.cum), "mi": least(at), "ma": one.initial_leverage,
                })
            };
            event["bks"] = rules.brackets.iter().enumerate().map(row).collect();
        }
        self.tell_news(Topic::ContractInfo, || event.to_string());
    }
}

fn agg_trade(symbol: &str, print: &Print, places: Places, now_ms: i64) -> String {
    let mut event = agg_row(print, places);
    event["e"] = json!("aggTrade");
    event["E"] = json!(now_ms);
    event["s"] = json!(symbol);
    event["st"] = json!(USD_M);
    event.to_string()
}

fn trade(symbol: &str, print: &Print, places: Places, now_ms: i64) -> String {
    json!({
        "e": "trade", "E": now_ms, "T": print.at_ms, "s": symbol, "t": print.last_trade, "p": places.price(print.price),
        "q": places.qty(print.qty), "X": "MARKET", "m": print.buyer_is_maker, "st": USD_M,
    })
    .to_string()
}

fn depth_event(
    symbol: &str,
    now_ms: i64,
    [first, last, before]: [u64; 3],
    bids: Vec<[String; 2]>,
    asks: Vec<[String; 2]>,
) -> String {
    json!({
        "e": "depthUpdate", "E": now_ms, "T": now_ms, "s": symbol, "ps": symbol, "st": USD_M,
        "U": first, "u": last, "pu": before, "b": bids, "a": asks,
    })
    .to_string()
}

fn kline_json(
    interval: KlineInterval,
    open_ms: i64,
    candle: &Candle,
    price_places: u32,
    last_id: u64,
    closed: bool,
) -> Value {
    json!({
        "t": open_ms, "T": interval.next_open_ms(open_ms) - 1, "i": interval.as_str(),
        "f": last_id.saturating_sub(candle.trades.saturating_sub(1)), "L": last_id,
        "o": padded(candle.open, price_places), "c": padded(candle.close, price_places),
        "h": padded(candle.high, price_places), "l": padded(candle.low, price_places),
        "v": plain(candle.volume), "n": candle.trades, "x": closed, "q": plain(candle.quote),
        "V": plain(candle.taker_volume), "Q": plain(candle.taker_quote), "B": "0",
    })
}
