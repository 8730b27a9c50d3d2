//! The two orders of a probe. An opening exists only where an engine has approved it, so one decides it here too.

use std::{borrow::Cow, time::Duration};

use hedge_core::{
    AccountSnapshot, Approved, Close, DataNeed, Decimal, Effect, Engine, EngineConfig, Entry, Exit, Fact,
    Gate, InstrumentId, InstrumentIx, InstrumentSpec, Intent, MarketEvent, Order, OrderIds, OrderPurpose,
    OrderSide, Output, PermitAll, Portion, Position, PositionKey, Price, Protection, RunId, RunStarted, Seq,
    Size, Step, Strategy, StrategyEvent, StrategyId, StrategyView, Term, Tif, Timestamp, TriggerBy,
    VenueSnapshot, event::JOURNAL_FORMAT,
};

/// Which part of the mark the opening's price is.
const FAR_PERCENT: i64 = 90;
/// Which part of the mark the conditional order's trigger is.
const FARTHER_PERCENT: i64 = 80;

/// Wants one thing, at the first quote.
#[derive(Debug)]
struct Once {
    id: StrategyId,
    instrument: InstrumentId,
    intent: Option<Intent>,
}

impl Strategy for Once {
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
        if let StrategyEvent::Quote { .. } = event
            && let Some(intent) = self.intent.take()
        {
            out.want(intent);
        }
    }
}

/// What a probe knows of its symbol.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) spec: InstrumentSpec,
    pub(super) mark: Price,
    pub(super) account: AccountSnapshot,
    pub(super) now: Timestamp,
}

impl Place {
    pub(super) const fn leg(&self) -> PositionKey {
        PositionKey::long(self.spec.id)
    }

    fn below(&self, percent: i64) -> Option<Price> {
        self.spec.passive_price(self.mark.get() * Decimal::new(percent, 2), OrderSide::Buy)
    }

    fn ids(&self) -> OrderIds {
        OrderIds::new(RunId(self.now.ms().div_euclid(1_000)), Term(1))
    }

    /// The smallest order that the symbol takes, resting far below the mark. `None` when there is no such price or size.
    pub(super) fn opening(&self) -> Option<Approved<Order>> {
        let price = self.below(FAR_PERCENT)?;
        let qty = self.spec.ceil_qty(self.spec.min_notional.get() / price.get(), &self.spec.lot)?;
        let protection = Protection::Stop { trigger: self.below(FARTHER_PERCENT)?, take_profits: Vec::new() };
        let intent = Intent::Open {
            position: self.leg(),
            size: Size::Qty(qty),
            entry: Entry::Limit { price, tif: Tif::PostOnly },
            protection,
            because: Cow::Borrowed("probe of the dead-man countdown"),
        };
        let config = EngineConfig { approval_ttl: Duration::from_secs(30), ..EngineConfig::default() };
        let id = StrategyId::parse("probe").ok()?;
        let once = Once { id, instrument: self.spec.id, intent: Some(intent) };
        let mut engine = Engine::new(config, Box::new(PermitAll), vec![Box::new(once)]);
        let mut step = Step::default();
        for fact in self.facts()? {
            engine.step(self.now, fact, &mut step);
        }
        step.effects.drain(..).find_map(|effect| match effect {
            Effect::Submit(order) => Some(order),
            _ => None,
        })
    }

    fn facts(&self) -> Option<Vec<Fact>> {
        let instrument = InstrumentIx(0);
        let quantity = self.spec.ceil_qty(Decimal::ZERO, &self.spec.lot)?;
        let quote = MarketEvent::Book {
            instrument,
            bid: self.mark,
            bid_qty: quantity,
            ask: self.mark,
            ask_qty: quantity,
            venue_time: self.now,
        };
        let started = RunStarted {
            run: RunId(self.now.ms().div_euclid(1_000)),
            term: Term(1),
            format: JOURNAL_FORMAT,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            config_hash: String::new(),
            profile: "probe".to_owned(),
            data_hash: None,
        };
        let snapshot = VenueSnapshot {
            account: self.account.clone(),
            positions: Vec::new(),
            orders: Vec::new(),
            fills: Vec::new(),
            flows: Vec::new(),
        };
        Some(vec![
            Fact::RunStarted(started),
            Fact::Instrument { ix: instrument, spec: Box::new(self.spec.clone()) },
            Fact::Snapshot { snapshot: Box::new(snapshot) },
            Fact::Market { event: MarketEvent::Mark { instrument, mark: self.mark, venue_time: self.now } },
            Fact::Market { event: quote },
        ])
    }

    /// A stop for a leg that is flat, far below the mark: over the whole leg as our stops are, or by quantity.
    pub(super) fn stops(&self) -> Vec<Approved<Close>> {
        let gate = Gate::for_closing(&self.spec, Term(1));
        let (Some(trigger), Some(qty)) = (
            self.below(FARTHER_PERCENT),
            self.spec.ceil_qty(
                self.spec.min_notional.get() * Decimal::TWO / self.mark.get(),
                &self.spec.market_lot,
            ),
        ) else {
            return Vec::new();
        };
        let position = Position::new(self.leg(), qty, self.mark);
        let id = |place| self.ids().derive(Seq(place), OrderPurpose::Stop);
        let by_qty = Exit::StopMarket { trigger, by: TriggerBy::Mark };
        [
            gate.protect(id(9_001), &position, trigger),
            gate.close(id(9_002), &position, &Portion::All, &by_qty),
        ]
        .into_iter()
        .filter_map(Result::ok)
        .collect()
    }

    /// Closes what a probe should never have opened.
    pub(super) fn close(&self, held: &Position) -> Option<Approved<Close>> {
        let id = self.ids().derive(Seq(9_003), OrderPurpose::Close);
        Gate::for_closing(&self.spec, Term(1)).close(id, held, &Portion::All, &Exit::Market).ok()
    }
}
