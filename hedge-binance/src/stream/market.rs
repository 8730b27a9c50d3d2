//! Market streams: combined connections that are watched, rotated and resumed.

use std::{collections::BTreeMap, sync::Arc};

use hedge_core::{
    Bar, BarQuery, BrokerError, Channel, Decimal, EventSource, MarketEvent, Price, Qty, Subscription,
    Timestamp,
};
use hedge_http::retry::Backoff;
use serde::Deserialize;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    end::End,
    outlet::{Gone, Outlet, outlet},
    routes::{Route, StreamKind, kind_of},
    socket::{Frame, Socket, SocketError},
};
use crate::{
    client::Shared,
    decode::{self, DecodeError},
    hot::{self, AggTrade, BookTicker, Hot, MarkPrice},
    wire::event::{AggTradeEvent, BookTickerEvent, Combined, KlineEvent, MarkPriceEvent},
};

/// Streams per connection. The venue takes 1,024; this keeps the URL short.
const STREAMS_PER_CONNECTION: usize = 200;

/// Connects what is wanted, one connection per route, and merges it in the order of arrival.
pub(crate) async fn market_events(
    shared: &Arc<Shared>,
    what: &[Subscription],
) -> Result<Box<dyn EventSource<MarketEvent>>, BrokerError> {
    let (outlet, inlet) = outlet(shared.streams.buffer);
    let mut feeds = Vec::new();
    for route in [Route::Public, Route::Market] {
        let mut subs = Vec::new();
        for subscription in what {
            let stream = stream_name(subscription);
            let kind =
                kind_of(&stream).ok_or_else(|| decode::err("stream", format!("{stream} has no route")))?;
            if kind.route == route {
                subs.push(Sub::new(*subscription, stream, kind));
            }
        }
        for chunk in subs.chunks(STREAMS_PER_CONNECTION) {
            let feed = Feed::new(shared, outlet.clone(), route, chunk.to_vec());
            let socket =
                feed.connect().await.map_err(|error| BrokerError::NotSent { source: error.into() })?;
            feeds.push((feed, socket));
        }
    }
    for (feed, socket) in feeds {
        tokio::spawn(feed.run(socket));
    }
    Ok(Box::new(inlet))
}

/// Stream names are lower case; upper case connects and stays silent (fact sheet 8.1).
fn stream_name(subscription: &Subscription) -> String {
    let symbol = subscription.id.symbol.as_str().to_lowercase();
    match subscription.channel {
        Channel::Bars(interval) => format!("{symbol}@kline_{interval}"),
        Channel::Mark => format!("{symbol}@markPrice@1s"),
        Channel::BookTicker => format!("{symbol}@bookTicker"),
        Channel::Trades => format!("{symbol}@aggTrade"),
    }
}

/// One subscribed stream and what it said last.
#[derive(Debug, Clone)]
struct Sub {
    what: Subscription,
    stream: String,
    kind: &'static StreamKind,
    heard_at: Instant,
    last_bar: Option<Timestamp>,
    last_funding: Option<(Decimal, i64)>,
    last_id: i64,
    has_no_mark: bool,
}

impl Sub {
    fn new(what: Subscription, stream: String, kind: &'static StreamKind) -> Self {
        Self {
            what,
            stream,
            kind,
            heard_at: Instant::now(),
            last_bar: None,
            last_funding: None,
            last_id: i64::MIN,
            has_no_mark: false,
        }
    }
}

/// A new connection beside the old one, until it has spoken for a while.
struct Standby {
    socket: Socket,
    spoke_at: Option<Instant>,
}

#[derive(Debug)]
struct Feed {
    shared: Arc<Shared>,
    outlet: Outlet<MarketEvent>,
    url: String,
    subs: Vec<Sub>,
    by_stream: BTreeMap<String, usize>,
    heard_at: Instant,
    failures: u32,
}

impl Feed {
    fn new(shared: &Arc<Shared>, outlet: Outlet<MarketEvent>, route: Route, subs: Vec<Sub>) -> Self {
        let names: Vec<&str> = subs.iter().map(|sub| sub.stream.as_str()).collect();
        let url = format!("{}{}/stream?streams={}", shared.ws_base, route.path(), encoded(&names.join("/")));
        let by_stream = subs.iter().enumerate().map(|(at, sub)| (sub.stream.clone(), at)).collect();
        let shared = Arc::clone(shared);
        Self { shared, outlet, url, subs, by_stream, heard_at: Instant::now(), failures: 0 }
    }

    async fn connect(&self) -> Result<Socket, SocketError> {
        Socket::connect(&self.url, &self.shared.streams).await
    }

    async fn run(mut self, mut socket: Socket) {
        loop {
            match self.read(socket).await {
                End::ConsumerGone => return,
                End::Lost(reason) => {
                    tracing::warn!(target: "hedge::stream", reason, "market stream lost");
                    if self.say_silent().await.is_err() {
                        return;
                    }
                }
            }
            socket = match self.reconnect().await {
                Ok(socket) => socket,
                Err(Gone) => return,
            };
            match self.catch_up_bars().await {
                Ok(()) => {}
                Err(Gone) => return,
            }
            self.restart_watch();
        }
    }

    /// Tells the consumer that nothing can be known about these instruments until they speak again.
    async fn say_silent(&self) -> Result<(), Gone> {
        for sub in &self.subs {
            self.outlet.push(MarketEvent::Silent { instrument: sub.what.instrument }).await?;
        }
        Ok(())
    }

    async fn reconnect(&mut self) -> Result<Socket, Gone> {
        let (base, cap) = self.shared.streams.reconnect;
        let backoff = Backoff { base, cap };
        let mut random = self.shared.rest.jitter();
        loop {
            self.failures = self.failures.saturating_add(1);
            tokio::select! {
                () = self.outlet.closed() => return Err(Gone),
                () = sleep(backoff.delay(self.failures, &mut random)) => {}
            }
            match self.connect().await {
                Ok(socket) => return Ok(socket),
                Err(error) => {
                    tracing::warn!(target: "hedge::stream", %error, "market stream cannot reconnect")
                }
            }
        }
    }

    fn restart_watch(&mut self) {
        self.heard_at = Instant::now();
        for sub in &mut self.subs {
            sub.heard_at = self.heard_at;
        }
    }

    /// When the first of the silence limits is reached.
    fn silent_at(&self) -> Instant {
        let socket = self.heard_at + self.shared.streams.market_silence;
        let streams =
            self.subs.iter().filter_map(|sub| sub.kind.silence_limit().map(|limit| sub.heard_at + limit));
        streams.fold(socket, Instant::min)
    }

    fn silence(&self) -> String {
        let now = Instant::now();
        let stream = self
            .subs
            .iter()
            .find(|sub| sub.kind.silence_limit().is_some_and(|limit| now >= sub.heard_at + limit));
        match stream {
            Some(sub) => format!("{} has said nothing for {:?}", sub.stream, now - sub.heard_at),
            None => format!("nothing was said for {:?}", now - self.heard_at),
        }
    }

    async fn read(&mut self, mut socket: Socket) -> End {
        let timing = self.shared.streams;
        let mut rotate_at = Instant::now() + timing.rotate_after;
        let mut standby: Option<Standby> = None;
        loop {
            let replace_at =
                standby.as_ref().and_then(|standby| standby.spoke_at).map(|at| at + timing.rotate_overlap);
            let step: Result<(), End> = tokio::select! {
                () = self.outlet.closed() => return End::ConsumerGone,
                frame = socket.next() => match frame {
                    Ok(frame) => self.on_frame(frame, &mut socket).await,
                    // The old connection may end while the new one already stands.
                    Err(error) => match standby.take() {
                        Some(new) => {
                            socket = new.socket;
                            rotate_at = Instant::now() + timing.rotate_after;
                            Ok(())
                        }
                        None => Err(error.into()),
                    },
                },
                frame = next_of(standby.as_mut()) => match (frame, standby.as_mut()) {
                    (Ok(frame), Some(new)) => {
                        if matches!(frame, Frame::Text(_)) && new.spoke_at.is_none() {
                            new.spoke_at = Some(Instant::now());
                        }
                        self.on_frame(frame, &mut new.socket).await
                    }
                    (Err(error), _) => {
                        tracing::warn!(target: "hedge::stream", %error, "the new connection failed; the old one stays");
                        standby = None;
                        rotate_at = Instant::now() + timing.connect_timeout;
                        Ok(())
                    }
                    (Ok(_), None) => Ok(()),
                },
                () = sleep_until(rotate_at), if standby.is_none() => {
                    match self.connect().await {
                        Ok(socket) => standby = Some(Standby { socket, spoke_at: None }),
                        Err(error) => tracing::warn!(target: "hedge::stream", %error, "rotation must wait"),
                    }
                    rotate_at = Instant::now() + timing.connect_timeout;
                    Ok(())
                }
                () = sleep_until(replace_at.unwrap_or(rotate_at)), if replace_at.is_some() => {
                    if let Some(new) = standby.take() {
                        std::mem::replace(&mut socket, new.socket).close().await;
                        rotate_at = Instant::now() + timing.rotate_after;
                        tracing::info!(target: "hedge::stream", "market stream rotated");
                    }
                    Ok(())
                }
                () = sleep_until(self.silent_at()) => match socket.last_look().await {
                    Some(Ok(frame @ Frame::Text(_))) => self.on_frame(frame, &mut socket).await,
                    Some(Err(error)) => Err(error.into()),
                    // Pings alone are not data.
                    Some(Ok(Frame::Ping | Frame::Other)) | None => Err(End::Lost(self.silence())),
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn on_frame(&mut self, frame: Frame, socket: &mut Socket) -> Result<(), End> {
        match frame {
            Frame::Text(text) => self.on_text(&text).await,
            Frame::Ping => {
                // The pong says that everything before it was dealt with.
                self.outlet.drained().await?;
                Ok(socket.pong().await?)
            }
            Frame::Other => Ok(()),
        }
    }

    async fn on_text(&mut self, text: &str) -> Result<(), End> {
        match hot::frame(text) {
            Some(frame) => self.on_frame_of(frame.stream, Some(frame.event), "").await,
            // Whatever the fast reader does not know is read, or refused, by the typed structs.
            None => {
                let frame: Combined<'_> =
                    serde_json::from_str(text).map_err(|error| decode::err("combined frame", error))?;
                self.on_frame_of(&frame.stream, None, frame.data.get()).await
            }
        }
    }

    async fn on_frame_of(&mut self, stream: &str, event: Option<Hot<'_>>, data: &str) -> Result<(), End> {
        let Some(at) = self.by_stream.get(stream).copied() else {
            tracing::warn!(target: "hedge::stream", stream, "a stream that nobody asked for");
            return Ok(());
        };
        self.heard(at);
        match (event, self.subs[at].what.channel) {
            (Some(event), channel) if is_of(&event, channel) => self.on_event(at, &event).await?,
            (Some(_), channel) => {
                return Err(End::Lost(format!("{stream} sent another event than {channel:?}")));
            }
            (None, Channel::Bars(_)) => {
                let event: KlineEvent = read("kline", data)?;
                self.on_event(at, &Hot::Kline((&event).into())).await?;
            }
            (None, Channel::Mark) => {
                let event: MarkPriceEvent = read("markPrice", data)?;
                self.on_event(at, &Hot::MarkPrice((&event).into())).await?;
            }
            (None, Channel::BookTicker) => {
                let event: BookTickerEvent = read("bookTicker", data)?;
                self.on_event(at, &Hot::BookTicker((&event).into())).await?;
            }
            (None, Channel::Trades) => {
                let event: AggTradeEvent = read("aggTrade", data)?;
                self.on_event(at, &Hot::AggTrade((&event).into())).await?;
            }
        }
        // Only now: a message that is unreadable on each new connection must not be asked for ever faster.
        self.failures = 0;
        Ok(())
    }

    fn heard(&mut self, at: usize) {
        self.heard_at = Instant::now();
        self.subs[at].heard_at = self.heard_at;
    }

    async fn on_event(&mut self, at: usize, event: &Hot<'_>) -> Result<(), End> {
        match event {
            Hot::BookTicker(event) => self.on_book(at, event).await,
            Hot::AggTrade(event) => self.on_trade(at, event).await,
            Hot::MarkPrice(event) => self.on_mark(at, event).await,
            Hot::Kline(event) => {
                if let Channel::Bars(interval) = self.subs[at].what.channel
                    && let Some(bar) = decode::bar_of_event(interval, event)?
                {
                    self.on_bar(at, bar).await?;
                }
                Ok(())
            }
        }
    }

    /// A closed bar, once, after everything that is missing before it.
    async fn on_bar(&mut self, at: usize, bar: Bar) -> Result<(), Gone> {
        if let Some(last) = self.subs[at].last_bar {
            if bar.open_time <= last {
                return Ok(());
            }
            let expected = last.plus(bar.interval.duration());
            if bar.open_time > expected {
                self.fetch_bars(at, expected, Some(bar.open_time.minus(bar.interval.duration()))).await?;
                self.say_gap(at, bar.open_time).await?;
            }
        }
        self.subs[at].last_bar = Some(bar.open_time);
        self.outlet.push(MarketEvent::Bar { instrument: self.subs[at].what.instrument, bar }).await
    }

    /// What is missing between the last bar and `to`, if anything still is.
    async fn say_gap(&self, at: usize, to: Timestamp) -> Result<(), Gone> {
        let sub = &self.subs[at];
        let (Channel::Bars(interval), Some(last)) = (sub.what.channel, sub.last_bar) else { return Ok(()) };
        let from = last.plus(interval.duration());
        if from >= to {
            return Ok(());
        }
        self.outlet.push(MarketEvent::Gap { instrument: sub.what.instrument, from, to }).await
    }

    /// Reads by REST what closed while nobody listened.
    async fn catch_up_bars(&mut self) -> Result<(), Gone> {
        for at in 0..self.subs.len() {
            let (Channel::Bars(interval), Some(last)) = (self.subs[at].what.channel, self.subs[at].last_bar)
            else {
                continue;
            };
            self.fetch_bars(at, last.plus(interval.duration()), None).await?;
        }
        Ok(())
    }

    /// Missed bars feed indicators; only the newest one may still lead to a decision, and only when it has just closed.
    async fn fetch_bars(&mut self, at: usize, from: Timestamp, to: Option<Timestamp>) -> Result<(), Gone> {
        let sub = &self.subs[at];
        let Channel::Bars(interval) = sub.what.channel else { return Ok(()) };
        let query = BarQuery { instrument: sub.what.id, interval, from: Some(from), to, limit: 1_500 };
        let bars = match self.shared.rest.bars(&query).await {
            Ok(bars) => bars,
            Err(error) => {
                tracing::warn!(target: "hedge::stream", %error, stream = sub.stream, "missed bars could not be read");
                return Ok(());
            }
        };
        let instrument = sub.what.instrument;
        let now = self.shared.rest.venue_now();
        let newest = bars.len().saturating_sub(1);
        for (number, bar) in bars.into_iter().enumerate() {
            self.say_gap(at, bar.open_time).await?;
            self.subs[at].last_bar = Some(bar.open_time);
            let is_current =
                to.is_none() && number == newest && now.since(bar.end()) <= self.shared.streams.late_bar;
            self.outlet
                .push(if is_current {
                    MarketEvent::Bar { instrument, bar }
                } else {
                    MarketEvent::History { instrument, bar }
                })
                .await?;
        }
        Ok(())
    }

    async fn on_mark(&mut self, at: usize, event: &MarkPrice<'_>) -> Result<(), End> {
        let instrument = self.subs[at].what.instrument;
        // A symbol that does not trade (not yet, not any more) has a mark price of 0. That is no news about the others.
        if event.mark.is_zero() {
            if !std::mem::replace(&mut self.subs[at].has_no_mark, true) {
                tracing::warn!(target: "hedge::stream", stream = self.subs[at].stream, "the mark price is 0");
                self.outlet.push(MarketEvent::Silent { instrument }).await?;
            }
            return Ok(());
        }
        let mark = Price::new(event.mark).map_err(|error| decode::err("mark price", error))?;
        self.subs[at].has_no_mark = false;
        let venue_time = Timestamp::from_ms(event.event_time);
        self.outlet.push(MarketEvent::Mark { instrument, mark, venue_time }).await?;
        // Dated contracts have neither rate nor settlement.
        let (Some(rate), Some(settles_ms)) = (event.funding_rate, event.next_funding.filter(|ms| *ms > 0))
        else {
            return Ok(());
        };
        if self.subs[at].last_funding.replace((rate, settles_ms)) == Some((rate, settles_ms)) {
            return Ok(());
        }
        let settles_at = Timestamp::from_ms(settles_ms);
        Ok(self.outlet.push(MarketEvent::Funding { instrument, rate, settles_at }).await?)
    }

    async fn on_book(&mut self, at: usize, event: &BookTicker<'_>) -> Result<(), End> {
        if self.already_heard(at, event.update_id) {
            return Ok(());
        }
        // A side without quantity has no best price: there is nothing to tell.
        let sides =
            (Price::new(event.bid), Qty::new(event.bid_qty), Price::new(event.ask), Qty::new(event.ask_qty));
        let (Ok(bid), Ok(bid_qty), Ok(ask), Ok(ask_qty)) = sides else { return Ok(()) };
        let instrument = self.subs[at].what.instrument;
        let venue_time = Timestamp::from_ms(event.event_time);
        Ok(self.outlet.push(MarketEvent::Book { instrument, bid, bid_qty, ask, ask_qty, venue_time }).await?)
    }

    async fn on_trade(&mut self, at: usize, event: &AggTrade<'_>) -> Result<(), End> {
        if self.already_heard(at, event.id) {
            return Ok(());
        }
        let trade = MarketEvent::Trade {
            instrument: self.subs[at].what.instrument,
            price: Price::new(event.price).map_err(|error| decode::err("trade price", error))?,
            qty: Qty::new(event.qty).map_err(|error| decode::err("trade qty", error))?,
            seller_aggressed: event.buyer_is_maker,
            venue_time: Timestamp::from_ms(event.trade_time),
        };
        Ok(self.outlet.push(trade).await?)
    }

    /// Ids grow per stream; during a rotation each message arrives twice.
    fn already_heard(&mut self, at: usize, id: i64) -> bool {
        let sub = &mut self.subs[at];
        let heard = id <= sub.last_id;
        sub.last_id = sub.last_id.max(id);
        heard
    }
}

async fn next_of(standby: Option<&mut Standby>) -> Result<Frame, SocketError> {
    match standby {
        Some(standby) => standby.socket.next().await,
        None => std::future::pending().await,
    }
}

/// Whether an event is what a channel carries.
const fn is_of(event: &Hot<'_>, channel: Channel) -> bool {
    matches!(
        (event, channel),
        (Hot::BookTicker(_), Channel::BookTicker)
            | (Hot::AggTrade(_), Channel::Trades)
            | (Hot::MarkPrice(_), Channel::Mark)
            | (Hot::Kline(_), Channel::Bars(_))
    )
}

fn read<'a, T: Deserialize<'a>>(what: &'static str, data: &'a str) -> Result<T, DecodeError> {
    serde_json::from_str(data).map_err(|error| decode::err(what, error))
}

/// Symbols may be non-ASCII since October 2025; a URL may not.
fn encoded(names: &str) -> String {
    let mut text = String::with_capacity(names.len());
    for byte in names.bytes() {
        if byte.is_ascii_alphanumeric() || b"@_-./!".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chinese_symbol_is_encoded_in_the_url() {
        assert_eq!(encoded("测usdt@kline_1m/b@x"), "%E6%B5%8Busdt@kline_1m/b@x");
    }
}
