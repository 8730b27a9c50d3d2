//! Our way: public decoder, engine with a strategy that reads quotes, gate with every rule, encoder, signer.

use std::{
    hint::black_box,
    time::{Duration, Instant, SystemTime},
};

use hedge_binance::{
    encode::NewOrder,
    hot::{self, Hot},
};
use hedge_core::{
    AccountSnapshot, Asset, Balance, ClientOrderId, DataNeed, Decimal, Effect, Engine, EngineConfig, Entry,
    Event, Fact, InstrumentId, InstrumentIx, Intent, MarketEvent, Outcome, Output, PositionKey, PositionMode,
    PositionSide, Price, Protection, Qty, RunId, RunStarted, SignedAmount, Size, Step, Strategy,
    StrategyEvent, StrategyId, StrategyView, Term, Tif, Timestamp, VenueSnapshot, event::Decision,
};
use hedge_http::{
    secret::Secret,
    sign::{HmacSha256Hex, hex},
};
use hedge_risk::{DayCalendar, RiskLimits, RiskStack};
use hedge_sim::{backtest::spec_of, venue::InstrumentRules};
use hmac::{Hmac, Mac};
use rust_decimal::prelude::ToPrimitive;
use sha2::Sha256;

pub(super) const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const WINDOW_MS: u32 = 5_000;
/// Wide limits: every rule is asked and none may stand in the way.
const MOST_USDT: i64 = 1_000_000;
/// A leg may be opened 60 times an hour: the engine's clock goes on by more than a minute from order to order.
const PAUSE: Duration = Duration::from_secs(61);
/// The engine is made anew after so many orders, as if a day were over.
const ORDERS_PER_RUN: u64 = 50_000;

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Opens LONG below the bid while the mid is above its average, SHORT above the ask otherwise: an order a quote.
#[derive(Debug)]
struct Quoting {
    id: StrategyId,
    instrument: InstrumentId,
    ema: f64,
    offset: Decimal,
    share: Decimal,
    least: Decimal,
}

impl Strategy for Quoting {
    fn id(&self) -> StrategyId {
        self.id
    }
    fn needs(&self) -> Vec<DataNeed> {
        Vec::new()
    }
    fn tick_needs(&self) -> Vec<InstrumentId> {
        vec![self.instrument]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, _: &StrategyView<'_>, out: &mut Output) {
        let StrategyEvent::Quote { bid, bid_qty, ask, ask_qty, .. } = event else { return };
        let Some((low, high)) = bid.get().to_f64().zip(ask.get().to_f64()) else { return };
        let mid = (low + high) / 2.0;
        self.ema += (mid - self.ema) * 0.1;
        let (side, price, depth) = if mid > self.ema {
            (PositionSide::Long, bid.get() - self.offset, ask_qty)
        } else {
            (PositionSide::Short, ask.get() + self.offset, bid_qty)
        };
        let Some((price, qty)) = Price::of(price).zip(Qty::of((depth.get() * self.share).max(self.least)))
        else {
            return;
        };
        out.want(Intent::Open {
            position: PositionKey::new(self.instrument, side),
            size: Size::Qty(qty),
            entry: Entry::Limit { price, tif: Tif::Gtc },
            protection: Protection::Unprotected { because: "nothing fills here".into() },
            because: "mid against its average".into(),
        });
    }
}

#[derive(Debug)]
pub(super) struct Pipeline {
    engine: Engine,
    step: Step,
    signer: HmacSha256Hex,
    at: Timestamp,
    mark: Option<Price>,
    orders: u64,
    rules: Vec<String>,
    records: usize,
}

impl Pipeline {
    pub(super) fn new() -> Result<Self, String> {
        let signer =
            HmacSha256Hex::new(&Secret::new(SECRET.to_owned())).map_err(|error| error.to_string())?;
        let mut pipeline = Self {
            engine: engine()?,
            step: Step::default(),
            signer,
            at: Timestamp::from_ms(1_700_000_000_000),
            mark: Price::of(Decimal::from(60_000)),
            orders: 0,
            rules: Vec::new(),
            records: 0,
        };
        pipeline.boot()?;
        Ok(pipeline)
    }

    fn boot(&mut self) -> Result<(), String> {
        let rules = InstrumentRules::builtin()
            .into_iter()
            .find(|rules| rules.symbol == "BTCUSDT")
            .ok_or("no BTCUSDT")?;
        let spec = spec_of(&rules).map_err(|error| error.to_string())?;
        let wallet = SignedAmount::from_decimal(Decimal::from(10 * MOST_USDT));
        let account = AccountSnapshot {
            venue_time: self.at,
            balances: vec![Balance { asset: Asset::usdt(), wallet, available: None }],
            mode: PositionMode::Hedge,
            multi_assets: false,
            can_trade: Some(true),
            can_withdraw: None,
        };
        let (positions, orders, fills, flows) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let started = RunStarted {
            run: RunId(self.at.ms() / 1_000),
            term: Term(1),
            format: hedge_core::event::JOURNAL_FORMAT,
            code_version: String::new(),
            config_hash: String::new(),
            profile: "bench".to_owned(),
            data_hash: None,
        };
        for fact in [
            Fact::RunStarted(started),
            Fact::Instrument { ix: InstrumentIx(0), spec: Box::new(spec) },
            Fact::Snapshot { snapshot: Box::new(VenueSnapshot { account, positions, orders, fills, flows }) },
        ] {
            self.engine.step(self.at, fact, &mut self.step);
        }
        self.at = self.at.plus(PAUSE);
        self.tell_mark();
        Ok(())
    }

    /// What is timed: the text of a quote in, the signed query of an order out.
    pub(super) fn order(&mut self, text: &str) -> Result<String, String> {
        let event = decode(text)?;
        self.decide(event);
        self.sign()
    }

    /// The three parts of it, each timed alone. Units: nanoseconds.
    pub(super) fn parts(&mut self, text: &str) -> Result<[u64; 3], String> {
        let mut before = Instant::now();
        let mut part = || {
            let now = Instant::now();
            let nanos = (now - before).as_nanos() as u64;
            before = now;
            nanos
        };
        let event = decode(black_box(text))?;
        let decoded = part();
        self.decide(event);
        let decided = part();
        black_box(self.sign()?);
        Ok([decoded, decided, part()])
    }

    pub(super) fn decide(&mut self, event: MarketEvent) {
        if let MarketEvent::Book { bid, .. } = &event {
            self.mark = Some(*bid);
        }
        self.engine.step(self.at, Fact::Market { event }, &mut self.step);
    }

    fn sign(&self) -> Result<String, String> {
        match self.step.effects.first() {
            Some(Effect::Submit(approved)) => NewOrder::from(approved.get())
                .request()
                .into_signed_query(WINDOW_MS, now_ms(), &self.signer)
                .map_err(|error| error.to_string()),
            _ => Err(format!("no order: {:?}", self.step.events)),
        }
    }

    /// What is not timed: the order is taken away, the price of the mark goes on, and the clock.
    pub(super) fn between(&mut self) -> Result<(), String> {
        self.orders += 1;
        if self.orders == 1 {
            self.look()?;
        }
        if self.orders.is_multiple_of(ORDERS_PER_RUN) {
            self.engine = engine()?;
            return self.boot();
        }
        if let Some(order) = self.sent() {
            let fact = Fact::SubmitFailed {
                order,
                outcome: Outcome::NotSent,
                reason: None,
                code: None,
                message: String::new(),
                acceptable_until: None,
                retry_at: None,
            };
            self.engine.step(self.at, fact, &mut self.step);
        }
        self.at = self.at.plus(PAUSE);
        self.tell_mark();
        Ok(())
    }

    fn sent(&self) -> Option<ClientOrderId> {
        self.step.effects.iter().find_map(|effect| match effect {
            Effect::Submit(approved) => Some(*approved.get().client_id()),
            _ => None,
        })
    }

    fn tell_mark(&mut self) {
        let Some(mark) = self.mark else { return };
        let event = MarketEvent::Mark { instrument: InstrumentIx(0), mark, venue_time: self.at };
        self.engine.step(self.at, Fact::Market { event }, &mut self.step);
    }

    /// Remembers what one order was asked and what was recorded about it.
    fn look(&mut self) -> Result<(), String> {
        self.records = self.step.events.len();
        let asked = self.step.events.iter().find_map(|record| match &record.event {
            Event::Decision(Decision::Assessed { checks, .. }) => Some(checks),
            _ => None,
        });
        let asked = asked.ok_or("nothing was assessed")?;
        self.rules = asked.iter().map(|check| check.rule.clone().into_owned()).collect();
        Ok(())
    }

    /// Fails unless the first order is signed over everything before its signature.
    pub(super) fn prove(&mut self, text: &str) -> Result<(), String> {
        let query = self.order(text)?;
        self.between()?;
        let (payload, signature) = query.split_once("&signature=").ok_or("no signature")?;
        let key: Hmac<Sha256> = Hmac::new_from_slice(SECRET.as_bytes()).map_err(|error| error.to_string())?;
        let expected = hex(&key.chain_update(payload.as_bytes()).finalize().into_bytes());
        if signature == expected { Ok(()) } else { Err(format!("{signature} is not {expected}")) }
    }

    pub(super) fn rules(&self) -> &[String] {
        &self.rules
    }
    pub(super) const fn checks(&self) -> usize {
        self.rules.len()
    }
    pub(super) const fn records(&self) -> usize {
        self.records
    }
}

/// A quote as the market stream hands it to the engine.
pub(super) fn decode(text: &str) -> Result<MarketEvent, String> {
    let Some(hot::Frame { event: Hot::BookTicker(quote), .. }) = hot::frame(text) else {
        return Err(format!("not a book ticker: {text}"));
    };
    let prices = Price::of(quote.bid).zip(Price::of(quote.ask));
    let sizes = Qty::of(quote.bid_qty).zip(Qty::of(quote.ask_qty));
    let Some(((bid, ask), (bid_qty, ask_qty))) = prices.zip(sizes) else {
        return Err(format!("not a quote: {text}"));
    };
    let (instrument, venue_time) = (InstrumentIx(0), Timestamp::from_ms(quote.transaction_time));
    Ok(MarketEvent::Book { instrument, bid, bid_qty, ask, ask_qty, venue_time })
}

fn engine() -> Result<Engine, String> {
    let limits = RiskLimits {
        max_notional_per_order_usdt: Decimal::from(MOST_USDT),
        max_notional_per_symbol_usdt: Decimal::from(MOST_USDT),
        max_notional_total_usdt: Decimal::from(MOST_USDT),
        entries_per_leg_per_hour: 60,
        ..RiskLimits::default()
    };
    let calendar = DayCalendar::utc(0).map_err(|error| error.to_string())?;
    let risk = RiskStack::from_limits(&limits, calendar).map_err(|error| error.to_string())?;
    let strategy = Quoting {
        id: StrategyId::parse("quoting").map_err(|error| error.to_string())?,
        instrument: InstrumentId::binance("BTCUSDT").map_err(|error| error.to_string())?,
        ema: 60_000.0,
        offset: Decimal::new(37, 3),
        share: Decimal::new(1, 1),
        least: Decimal::new(1, 3),
    };
    let config = EngineConfig { journal_market: false, ..EngineConfig::default() };
    Ok(Engine::new(config, Box::new(risk), vec![Box::new(strategy)]))
}
