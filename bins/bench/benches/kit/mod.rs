//! An engine with every rule, one instrument and a strategy, as the benchmarks step it.

use std::time::Duration;

use hedge_core::{
    AccountSnapshot, Asset, Balance, Bar, Decimal, Effect, Engine, EngineConfig, Fact, InstrumentId,
    InstrumentIx, Interval, MarketEvent, Outcome, PositionMode, Price, RunId, RunStarted, SignedAmount, Step,
    Strategy, Term, Timestamp, VenueSnapshot, event::JOURNAL_FORMAT,
};
use hedge_risk::{DayCalendar, RiskLimits, RiskStack};
use hedge_sim::{backtest::spec_of, venue::InstrumentRules};

const MINUTE: Duration = Duration::from_secs(60);
/// Wide limits: every rule is asked and none may stand in the way.
const MOST_USDT: i64 = 1_000_000;

pub(crate) fn bitcoin() -> InstrumentId {
    InstrumentId::binance("BTCUSDT").unwrap()
}

pub(crate) struct Desk {
    engine: Engine,
    pub(crate) step: Step,
    at: Timestamp,
}

impl Desk {
    pub(crate) fn new(strategy: Box<dyn Strategy>) -> Self {
        let most = Decimal::from(MOST_USDT);
        let limits = RiskLimits {
            max_notional_per_order_usdt: most,
            max_notional_per_symbol_usdt: most,
            max_notional_total_usdt: most,
            entries_per_leg_per_hour: 60,
            warmup_s: 0,
            ..RiskLimits::default()
        };
        let risk = RiskStack::from_limits(&limits, DayCalendar::utc(0).unwrap()).unwrap();
        let config = EngineConfig { journal_market: false, ..EngineConfig::default() };
        let engine = Engine::new(config, Box::new(risk), vec![strategy]);
        let mut desk = Self { engine, step: Step::default(), at: Timestamp::from_ms(1_700_000_040_000) };
        for fact in desk.start() {
            desk.tell(fact);
        }
        desk.next_minute();
        desk
    }

    fn start(&self) -> [Fact; 3] {
        let rules = InstrumentRules::builtin().into_iter().find(|rules| rules.symbol == "BTCUSDT").unwrap();
        let started = RunStarted {
            run: RunId(self.at.ms() / 1_000),
            term: Term(1),
            format: JOURNAL_FORMAT,
            code_version: String::new(),
            config_hash: String::new(),
            profile: "bench".to_owned(),
            data_hash: None,
        };
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
        let snapshot = Box::new(VenueSnapshot { account, positions, orders, fills, flows });
        [
            Fact::RunStarted(started),
            Fact::Instrument { ix: InstrumentIx(0), spec: Box::new(spec_of(&rules).unwrap()) },
            Fact::Snapshot { snapshot },
        ]
    }

    pub(crate) fn tell(&mut self, fact: Fact) {
        self.engine.step(self.at, fact, &mut self.step);
    }

    /// A minute later, with the mark told.
    pub(crate) fn next_minute(&mut self) {
        self.at = self.at.plus(MINUTE);
        let mark = Price::of(Decimal::from(60_000)).unwrap();
        let event = MarketEvent::Mark { instrument: InstrumentIx(0), mark, venue_time: self.at };
        self.tell(Fact::Market { event });
    }

    /// The bar that has just closed.
    pub(crate) fn bar(&self) -> Fact {
        let price = 600_000 + self.at.ms() / 60_000 % 50;
        let bar = Bar {
            open_time: Timestamp::from_ms(self.at.ms() - 60_000),
            interval: Interval::M1,
            open: price,
            high: price + 20,
            low: price - 20,
            close: price + 7,
            price_scale: 1,
            volume: 12_345,
            volume_scale: 3,
        };
        Fact::Market { event: MarketEvent::Bar { instrument: InstrumentIx(0), bar } }
    }

    /// Takes the order of the last step away, as if it had never left. False if there was none.
    pub(crate) fn unsend(&mut self) -> bool {
        let sent = self.step.effects.iter().find_map(|effect| match effect {
            Effect::Submit(approved) => Some(*approved.get().client_id()),
            _ => None,
        });
        let Some(order) = sent else { return false };
        self.tell(Fact::SubmitFailed {
            order,
            outcome: Outcome::NotSent,
            reason: None,
            code: None,
            message: String::new(),
            acceptable_until: None,
            retry_at: None,
        });
        true
    }
}
