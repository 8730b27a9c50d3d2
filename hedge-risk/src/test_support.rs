//! A journal written by hand, and the book that folds from it.

use std::str::FromStr;

use hedge_core::{
    AccountEvent, AccountSnapshot, Amount, Answers, Asset, Balance, Bar, Book, CashFlow, CashFlowKind,
    ClientOrderId, Decimal, Decision, Entry, Envelope, Event, Exit, Fact, Fill, GateCheck, InstrumentId,
    InstrumentIx, InstrumentSpec, InstrumentStatus, Interval, Leg, LotRule, MarketEvent, Notional,
    OperatorCommand, OrderIds, OrderPurpose, Outcome, PositionKey, PositionMode, PositionSide, Price,
    Proposal, Protection, Qty, Ratio, ReportedId, ReportedSide, RiskManager, RunId, RunStarted, Seq,
    SignedAmount, StrategyId, TakeProfit, Term, Tif, Timestamp, TradeId, VenueOrderId, VenueSnapshot,
    Verdict, order::Coverage,
};

use crate::config::RiskLimits;

pub(crate) fn dec(text: &str) -> Decimal {
    Decimal::from_str(text).unwrap()
}

pub(crate) fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

/// Limits that get in nobody's way.
pub(crate) fn limits() -> RiskLimits {
    RiskLimits {
        max_positions: 100,
        max_leverage: dec("100"),
        max_notional_per_order_usdt: dec("100000"),
        max_notional_per_symbol_usdt: dec("100000"),
        max_notional_total_usdt: dec("100000"),
        min_notional_usdt: dec("1"),
        max_open_orders: 100,
        ..RiskLimits::default()
    }
}

fn spec_of(symbol: &str) -> InstrumentSpec {
    let lot = LotRule { min: dec("0.001"), max: dec("1000"), step: dec("0.001") };
    InstrumentSpec {
        id: InstrumentId::binance(symbol).unwrap(),
        status: InstrumentStatus::Trading,
        base: Asset::parse(symbol).unwrap(),
        quote: Asset::usdt(),
        settle: Asset::usdt(),
        tick: dec("0.01"),
        min_price: None,
        max_price: None,
        lot,
        market_lot: lot,
        min_notional: Notional::new(dec("5")).unwrap(),
        contract_size: Decimal::ONE,
        price_band_up: None,
        price_band_down: None,
        mode: PositionMode::Hedge,
        delivery: None,
    }
}

pub(crate) fn spec() -> InstrumentSpec {
    spec_of("ETHUSDT")
}

fn key(symbol: &str, side: &str) -> PositionKey {
    let side = PositionSide::BOTH.into_iter().find(|known| known.as_str() == side).unwrap();
    PositionKey::new(InstrumentId::binance(symbol).unwrap(), side)
}

/// An account with 10,000 USDT, BTCUSDT and ETHUSDT, both marked at 100.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) book: Book,
    pub(crate) now: Timestamp,
    journal: Vec<Envelope>,
    trades: i64,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self { book: Book::default(), now: Timestamp::EPOCH, journal: Vec::new(), trades: 0 };
        for (ix, symbol) in ["BTCUSDT", "ETHUSDT"].into_iter().enumerate() {
            world.fact(Fact::Instrument { ix: InstrumentIx(ix as u16), spec: Box::new(spec_of(symbol)) });
        }
        let wallet = SignedAmount::from_decimal(dec("10000"));
        let account = AccountSnapshot {
            venue_time: Timestamp::EPOCH,
            balances: vec![Balance { asset: Asset::usdt(), wallet, available: None }],
            mode: PositionMode::Hedge,
            multi_assets: false,
            can_trade: None,
            can_withdraw: None,
        };
        let (positions, orders, fills, flows) = (vec![], vec![], vec![], vec![]);
        let snapshot = Box::new(VenueSnapshot { account, positions, orders, fills, flows });
        world.fact(Fact::Snapshot { snapshot });
        world.mark("BTCUSDT", "100");
        world.mark("ETHUSDT", "100");
        world
    }

    fn record(&mut self, event: Event) -> Seq {
        let seq = Seq(self.journal.len() as u64);
        let envelope = Envelope { seq, at: self.now, cause: None, event };
        self.book.apply(&envelope, &mut Vec::new());
        self.journal.push(envelope);
        seq
    }
    fn fact(&mut self, fact: Fact) {
        self.record(Event::Fact(fact));
    }
    fn account(&mut self, event: AccountEvent) {
        self.fact(Fact::Account { event: Box::new(event) });
    }
    pub(crate) fn at_ms(&mut self, ms: i64) {
        self.now = Timestamp::from_ms(ms);
    }
    pub(crate) fn at_minute(&mut self, minute: i64) {
        self.at_ms(minute * 60_000);
    }
    pub(crate) fn records(&self) -> usize {
        self.journal.len()
    }
    /// Lets a manager observe the whole journal, as at boot.
    pub(crate) fn feed(&self, manager: &mut dyn RiskManager) {
        self.feed_from(manager, 0);
    }
    /// Lets a manager observe the journal from a record on. The book before that record is folded again.
    pub(crate) fn feed_from(&self, manager: &mut dyn RiskManager, from: usize) {
        let mut book = Book::default();
        for (i, envelope) in self.journal.iter().enumerate() {
            book.apply(envelope, &mut Vec::new());
            if i >= from {
                manager.observe(envelope, &book);
            }
        }
    }
    pub(crate) fn run_started(&mut self) {
        self.fact(Fact::RunStarted(RunStarted {
            run: RunId(1),
            term: Term(1),
            format: 1,
            code_version: String::new(),
            config_hash: String::new(),
            profile: "test".to_owned(),
            data_hash: None,
        }));
    }
    pub(crate) fn mark(&mut self, symbol: &str, mark: &str) {
        let instrument = self.book.ix(&InstrumentId::binance(symbol).unwrap()).unwrap();
        let event = MarketEvent::Mark { instrument, mark: price(mark), venue_time: self.now };
        self.fact(Fact::Market { event });
    }
    pub(crate) fn history(&mut self, symbol: &str, close: &str) {
        let instrument = self.book.ix(&InstrumentId::binance(symbol).unwrap()).unwrap();
        let close = i64::from_str(close).unwrap();
        let bar = Bar {
            open_time: self.now,
            interval: Interval::M15,
            open: close,
            high: close,
            low: close,
            close,
            price_scale: 0,
            volume: 0,
            volume_scale: 0,
        };
        self.fact(Fact::Market { event: MarketEvent::History { instrument, bar } });
    }
    pub(crate) fn transfer(&mut self, amount: &str) {
        let id = self.journal.len().to_string();
        let (venue_time, amount) = (self.now, Amount::usdt(dec(amount)));
        let flow = CashFlow { kind: CashFlowKind::Transfer, amount, instrument: None, venue_time, id };
        self.account(AccountEvent::CashFlow { flow });
    }
    pub(crate) fn operator(&mut self, command: OperatorCommand) {
        self.fact(Fact::Operator { command, because: "test".to_owned() });
    }

    fn approve(&mut self, position: PositionKey, leg: Leg, qty: Qty, purpose: OrderPurpose) -> ClientOrderId {
        let client_id = OrderIds::new(RunId(1), Term(1)).derive(Seq(self.journal.len() as u64), purpose);
        let (strategy, protection) = (StrategyId::parse("test").ok(), None);
        let decision =
            Decision::OrderApproved { client_id, strategy, position, leg, qty, purpose, protection };
        self.record(Event::Decision(decision));
        client_id
    }
    /// Approves an opening at 100 that has no answer yet.
    pub(crate) fn open(&mut self, symbol: &str, side: &str, qty: &str) -> ClientOrderId {
        let leg = Leg::Open(Entry::Limit { price: price("100"), tif: Tif::Ioc });
        self.approve(key(symbol, side), leg, Qty::parse(qty).unwrap(), OrderPurpose::Entry)
    }
    pub(crate) fn lose_answer(&mut self, order: ClientOrderId) {
        self.fact(Fact::SubmitFailed {
            order,
            outcome: Outcome::Unknown,
            reason: None,
            code: None,
            message: "timed out".to_owned(),
            acceptable_until: None,
            retry_at: None,
        });
    }
    /// Opens a leg at 100, without a fee.
    pub(crate) fn fill(&mut self, symbol: &str, side: &str, qty: &str) {
        let order = self.open(symbol, side, qty);
        self.filled(order, symbol, side, qty, false);
    }
    /// Closes part of a leg at 100, without a fee.
    pub(crate) fn close(&mut self, symbol: &str, side: &str, qty: &str) {
        let leg = Leg::Close(Exit::Market, Coverage::Qty);
        let order = self.approve(key(symbol, side), leg, Qty::parse(qty).unwrap(), OrderPurpose::Close);
        self.filled(order, symbol, side, qty, true);
    }
    fn filled(&mut self, order: ClientOrderId, symbol: &str, side: &str, qty: &str, closes: bool) {
        self.trades += 1;
        let position = key(symbol, side);
        let action = if closes { hedge_core::Action::Close } else { hedge_core::Action::Open };
        let fill = Fill {
            instrument: position.instrument,
            trade_id: TradeId(self.trades),
            order: VenueOrderId(self.trades),
            client_id: Some(ReportedId::Ours(order)),
            side: ReportedSide::from(position.side),
            order_side: position.side.order_side(action),
            qty: Qty::parse(qty).unwrap(),
            price: price("100"),
            fee: Amount::usdt(Decimal::ZERO),
            realized: None,
            maker: false,
            venue_time: self.now,
        };
        self.account(AccountEvent::Fill { fill });
    }

    /// Asks about an opening at 100 with a stop and one take-profit.
    pub(crate) fn assess(
        &self,
        manager: &dyn RiskManager,
        symbol: &str,
        side: &str,
        qty: &str,
    ) -> (Verdict, Vec<GateCheck>) {
        self.assess_at(manager, symbol, side, qty, "100")
    }
    pub(crate) fn assess_at(
        &self,
        manager: &dyn RiskManager,
        symbol: &str,
        side: &str,
        qty: &str,
        at: &str,
    ) -> (Verdict, Vec<GateCheck>) {
        let (position, qty, price) = (key(symbol, side), Qty::parse(qty).unwrap(), price(at));
        let spec = spec_of(symbol);
        let rung = TakeProfit { trigger: price, portion: Ratio::new(dec("0.5")).unwrap() };
        let proposal = Proposal {
            position,
            instrument: self.book.ix(&position.instrument).unwrap(),
            spec: &spec,
            strategy: StrategyId::parse("test").unwrap(),
            qty,
            price,
            notional: price.checked_mul(qty).unwrap(),
            entry: &Entry::Market,
            protection: &Protection::Stop { trigger: price, take_profits: vec![rung] },
            book: &self.book,
            now: self.now,
        };
        let mut answers = Answers::default();
        (manager.assess(&proposal, &mut answers), answers.to_vec())
    }
}
