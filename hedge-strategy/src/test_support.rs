//! A book that is driven by hand: what an engine would do, without an engine.

use hedge_core::{
    AccountEvent, AccountSnapshot, Amount, Asset, Balance, Bar, Book, Decimal, Decision, Envelope, Event,
    Exit, Fact, Fill, InstrumentId, InstrumentIx, InstrumentSpec, InstrumentStatus, Intent, Interval, Leg,
    LotRule, MarketEvent, Notional, OrderIds, OrderPurpose, OrderRef, Output, PositionKey, PositionMode,
    Price, Protection, Qty, ReportedId, ReportedSide, ReportedState, RunId, Seq, SignedAmount, Size,
    Strategy, StrategyEvent, StrategyView, Term, Timestamp, TradeId, TriggerBy, VenueOrderId, VenueSnapshot,
    order::Coverage,
};

pub(crate) const IX: InstrumentIx = InstrumentIx(0);

pub(crate) fn spec() -> InstrumentSpec {
    let lot = LotRule { min: Decimal::new(1, 3), max: Decimal::from(1000), step: Decimal::new(1, 3) };
    InstrumentSpec {
        id: InstrumentId::binance("BTCUSDT").unwrap(),
        status: InstrumentStatus::Trading,
        base: Asset::parse("BTC").unwrap(),
        quote: Asset::usdt(),
        settle: Asset::usdt(),
        tick: Decimal::new(1, 1),
        min_price: None,
        max_price: None,
        lot,
        market_lot: lot,
        min_notional: Notional::new(Decimal::from(5)).unwrap(),
        contract_size: Decimal::ONE,
        price_band_up: None,
        price_band_down: None,
        mode: PositionMode::Hedge,
        delivery: None,
    }
}

/// Bar number `i` that closes at `close`, one either way.
pub(crate) fn bar(i: i64, close: f64) -> Bar {
    let close = (close * 10.0).round() as i64;
    Bar {
        open_time: Timestamp::from_ms(i * 900_000),
        interval: Interval::M15,
        open: close,
        high: close + 10,
        low: close - 10,
        close,
        price_scale: 1,
        volume: 1,
        volume_scale: 0,
    }
    .checked()
    .unwrap()
}

/// A strategy, its book, and an exchange that fills every market order at the close.
#[derive(Debug)]
pub(crate) struct Bench<S> {
    pub(crate) strategy: S,
    pub(crate) book: Book,
    pub(crate) now: Timestamp,
    pub(crate) out: Output,
    seq: u64,
    bars: i64,
    trades: i64,
    closes: Vec<f64>,
    /// Whether the strategy is told of fills; back-filled ones it is not.
    pub(crate) tells_fills: bool,
}

impl<S: Strategy> Bench<S> {
    pub(crate) fn new(strategy: S) -> Self {
        let mut bench = Self {
            strategy,
            book: Book::default(),
            now: Timestamp::EPOCH,
            out: Output::default(),
            seq: 0,
            bars: 0,
            trades: 0,
            closes: Vec::new(),
            tells_fills: true,
        };
        bench.fact(Fact::Instrument { ix: IX, spec: Box::new(spec()) });
        let balance = Balance {
            asset: Asset::usdt(),
            wallet: SignedAmount::from_decimal(Decimal::from(10_000)),
            available: None,
        };
        let account = AccountSnapshot {
            venue_time: Timestamp::EPOCH,
            balances: vec![balance],
            mode: PositionMode::Hedge,
            multi_assets: false,
            can_trade: None,
            can_withdraw: None,
        };
        let (positions, orders, fills, flows) = (vec![], vec![], vec![], vec![]);
        let snapshot = Box::new(VenueSnapshot { account, positions, orders, fills, flows });
        bench.fact(Fact::Snapshot { snapshot });
        bench
    }
    fn push(&mut self, event: Event) -> Seq {
        let seq = Seq(self.seq);
        self.seq += 1;
        self.book.apply(&Envelope { seq, at: self.now, cause: None, event }, &mut Vec::new());
        seq
    }
    fn fact(&mut self, fact: Fact) {
        self.push(Event::Fact(fact));
    }
    pub(crate) fn history(&mut self, close: f64) {
        let bar = bar(self.bars, close);
        self.bars += 1;
        self.closes.push(close);
        self.now = bar.end();
        let view = StrategyView { book: &self.book, now: self.now };
        self.strategy.on_event(&StrategyEvent::History { instrument: IX, bar: &bar }, &view, &mut self.out);
    }
    /// Feeds the last bars as history to a fresh strategy; time does not move.
    pub(crate) fn replay_last(&mut self, count: usize) {
        let first = self.closes.len() - count;
        for i in first..self.closes.len() {
            let bar = bar(i as i64, self.closes[i]);
            let view = StrategyView { book: &self.book, now: self.now };
            self.strategy.on_event(
                &StrategyEvent::History { instrument: IX, bar: &bar },
                &view,
                &mut self.out,
            );
        }
    }
    pub(crate) fn gap(&mut self) {
        let view = StrategyView { book: &self.book, now: self.now };
        self.strategy.on_event(&StrategyEvent::Gap { instrument: IX }, &view, &mut self.out);
    }
    /// Closes a bar and gives back what is wanted; nothing is executed.
    pub(crate) fn bar(&mut self, close: f64) -> Vec<Intent> {
        let bar = bar(self.bars, close);
        self.bars += 1;
        self.closes.push(close);
        self.now = bar.end();
        self.book.apply_market(self.now, &MarketEvent::Bar { instrument: IX, bar });
        self.out.clear();
        let view = StrategyView { book: &self.book, now: self.now };
        self.strategy.on_event(&StrategyEvent::Bar { instrument: IX, bar: &bar }, &view, &mut self.out);
        self.out.intents.clone()
    }
    /// Closes a bar and executes what is wanted at its close.
    pub(crate) fn trade(&mut self, close: f64) -> Vec<Intent> {
        let intents = self.bar(close);
        for intent in &intents {
            self.execute(intent, close);
        }
        intents
    }
    fn approve(&mut self, position: PositionKey, leg: Leg, qty: Qty, purpose: OrderPurpose) -> Seq {
        let client_id = OrderIds::new(RunId(1), Term(1)).derive(Seq(self.seq), purpose);
        let strategy = Some(self.strategy.id());
        let decision =
            Decision::OrderApproved { client_id, strategy, position, leg, qty, purpose, protection: None };
        let seq = self.push(Event::Decision(decision));
        let venue = OrderRef::Plain(VenueOrderId(seq.0 as i64));
        let filled = Decimal::ZERO;
        self.fact(Fact::SubmitAcked { order: client_id, venue, state: ReportedState::Working, filled });
        seq
    }
    fn stop(&mut self, position: PositionKey, trigger: Price, qty: Qty) {
        let leg = Leg::Close(Exit::StopMarket { trigger, by: TriggerBy::Mark }, Coverage::WholeLeg);
        self.approve(position, leg, qty, OrderPurpose::Stop);
    }
    pub(crate) fn execute(&mut self, intent: &Intent, close: f64) {
        let price = Price::parse(&format!("{close:.1}")).unwrap();
        match intent {
            Intent::Open { position, size: Size::Notional(notional), entry, protection, .. } => {
                let qty = Qty::new((notional.get() / price.get()).round_dp(3)).unwrap();
                let seq = self.approve(*position, Leg::Open(*entry), qty, OrderPurpose::Entry);
                self.fill(*position, seq, OrderPurpose::Entry, qty, price, false);
                if let Protection::Stop { trigger, .. } = protection {
                    self.stop(*position, *trigger, qty);
                }
            }
            Intent::Close { position, .. } => self.close(*position, close),
            Intent::Protect { position, trigger, .. } => {
                let qty = Qty::new(self.book.leg(position).unwrap().qty).unwrap();
                self.stop(*position, *trigger, qty);
            }
            other => panic!("the bench cannot execute {other:?}"),
        }
    }
    /// Closes a leg as a stop would.
    pub(crate) fn close(&mut self, position: PositionKey, close: f64) {
        let price = Price::parse(&format!("{close:.1}")).unwrap();
        let qty = Qty::new(self.book.leg(&position).unwrap().qty).unwrap();
        let seq = self.approve(position, Leg::Close(Exit::Market, Coverage::Qty), qty, OrderPurpose::Close);
        self.fill(position, seq, OrderPurpose::Close, qty, price, true);
        let view = StrategyView { book: &self.book, now: self.now };
        self.strategy.on_event(&StrategyEvent::Flat { position }, &view, &mut self.out);
    }
    fn fill(
        &mut self,
        position: PositionKey,
        seq: Seq,
        purpose: OrderPurpose,
        qty: Qty,
        price: Price,
        closes: bool,
    ) {
        self.trades += 1;
        let action = if closes { hedge_core::Action::Close } else { hedge_core::Action::Open };
        let fill = Fill {
            instrument: position.instrument,
            trade_id: TradeId(self.trades),
            order: VenueOrderId(seq.0 as i64),
            client_id: Some(ReportedId::Ours(OrderIds::new(RunId(1), Term(1)).derive(seq, purpose))),
            side: ReportedSide::from(position.side),
            order_side: position.side.order_side(action),
            qty,
            price,
            fee: Amount::usdt(Decimal::ZERO),
            realized: None,
            maker: false,
            venue_time: self.now,
        };
        self.fact(Fact::Account { event: Box::new(AccountEvent::Fill { fill: fill.clone() }) });
        if !self.tells_fills {
            return;
        }
        let view = StrategyView { book: &self.book, now: self.now };
        self.strategy.on_event(&StrategyEvent::Fill { position, fill: &fill }, &view, &mut self.out);
    }
    pub(crate) fn vetoes(&self) -> Vec<String> {
        self.out.readings.iter().flat_map(|reading| reading.veto.iter().map(ToString::to_string)).collect()
    }
}
