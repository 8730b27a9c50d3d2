//! Approved orders for tests of brokerages: an approval cannot be made without a gate, so a real engine makes it.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use hedge_core::{
    AccountSnapshot, Approved, Bar, ClientOrderId, DataNeed, Decimal, Effect, Engine, EngineConfig, Exit,
    Fact, Gate, InstrumentId, InstrumentIx, InstrumentSpec, Intent, Interval, MarketEvent, Order,
    OrderPurpose, Output, PermitAll, Portion, Position, PositionKey, PositionMode, PositionSide, Price, Qty,
    RunId, RunStarted, Seq, Size, Step, Strategy, StrategyEvent, StrategyId, StrategyView, Term, Timestamp,
    VenueSnapshot, event::JOURNAL_FORMAT, id::OrderIds,
};

/// Ids that this process has given; no two mints give the same one.
static GIVEN: AtomicU64 = AtomicU64::new(1);

/// Approves orders of one instrument at a stated time and price.
#[derive(Clone, Debug)]
pub struct Mint {
    /// The instrument's rules.
    pub spec: InstrumentSpec,
    /// Now. Ids carry its seconds, so that two runs of a suite against one account do not meet.
    pub now: Timestamp,
    /// The mark price.
    pub mark: Price,
}

impl Mint {
    /// A market entry of that quantity, as the gate sends it: an immediate-or-cancel limit near the mark.
    pub fn open(&self, side: PositionSide, qty: Qty) -> Approved<Order> {
        let position = PositionKey::new(self.spec.id, side);
        let away = self.mark.get() * Decimal::new(1, 1);
        let stop = match side {
            PositionSide::Long => self.mark.get() - away,
            PositionSide::Short => self.mark.get() + away,
        };
        let stop = self.spec.round_price(stop).expect("a stop a tenth from the mark is a price");
        let intent = Intent::open(position, Size::Qty(qty), stop, "conformance");
        let strategy = Speaker { wants: vec![intent], instrument: self.spec.id };
        let config = EngineConfig { approval_ttl: Duration::from_secs(3_600), ..EngineConfig::default() };
        let mut engine = Engine::new(config, Box::new(PermitAll), vec![Box::new(strategy)]);
        let mut step = Step::default();
        for fact in self.facts() {
            engine.step(self.now, fact, &mut step);
        }
        let submitted = step.effects.into_iter().find_map(|effect| match effect {
            Effect::Submit(order) => Some(order),
            _ => None,
        });
        submitted
            .unwrap_or_else(|| panic!("the gate refused an opening of {qty} {position}: {:#?}", step.events))
    }

    /// A close of a leg.
    pub fn close(&self, side: PositionSide, qty: Qty, exit: &Exit) -> Approved<Order> {
        let approved =
            self.gate().close(self.id(OrderPurpose::Close), &self.leg(side, qty), &Portion::All, exit);
        approved.expect("the gate approves a close on the grid").into()
    }

    /// A close-all stop on the mark price.
    pub fn stop(&self, side: PositionSide, qty: Qty, trigger: Price) -> Approved<Order> {
        let approved = self.gate().protect(self.id(OrderPurpose::Stop), &self.leg(side, qty), trigger);
        approved.expect("the gate approves a stop on the grid").into()
    }

    /// The smallest quantity that an entry may have at the mark, doubled: half of it can be closed.
    pub fn small_qty(&self) -> Qty {
        let least = self.spec.min_notional.get() / self.mark.get();
        let least = least.max(self.spec.market_lot.min).max(self.spec.lot.min) * Decimal::TWO;
        self.spec.ceil_qty(least, &self.spec.market_lot).expect("a small quantity is on the grid")
    }

    /// A price on the grid, that many percent above (or below) the mark.
    pub fn away(&self, percent: i64) -> Price {
        let price = self.mark.get() * Decimal::new(100 + percent, 2);
        self.spec.round_price(price).expect("a price near the mark is on the grid")
    }

    /// An id that was not given before.
    pub fn id(&self, purpose: OrderPurpose) -> ClientOrderId {
        OrderIds::new(self.run(), Term(1)).derive(Seq(1_000_000 + GIVEN.fetch_add(1, Relaxed)), purpose)
    }

    fn run(&self) -> RunId {
        RunId(self.now.ms().div_euclid(1_000))
    }

    fn gate(&self) -> Gate<'_> {
        Gate::for_closing(&self.spec, Term(1))
    }

    fn leg(&self, side: PositionSide, qty: Qty) -> Position {
        Position::new(PositionKey::new(self.spec.id, side), qty, self.mark)
    }

    /// What an engine must have heard before it opens. The run differs each time, and with it the ids.
    fn facts(&self) -> [Fact; 5] {
        let instrument = InstrumentIx(0);
        let account = AccountSnapshot {
            venue_time: self.now,
            balances: Vec::new(),
            mode: PositionMode::Hedge,
            multi_assets: false,
            can_trade: Some(true),
            can_withdraw: None,
        };
        let started = RunStarted {
            run: RunId(self.run().0 + GIVEN.fetch_add(1, Relaxed) as i64),
            term: Term(1),
            format: JOURNAL_FORMAT,
            code_version: String::new(),
            config_hash: String::new(),
            profile: "conformance".to_owned(),
            data_hash: None,
        };
        let snapshot = VenueSnapshot {
            account,
            positions: Vec::new(),
            orders: Vec::new(),
            fills: Vec::new(),
            flows: Vec::new(),
        };
        let open_ms = (self.now.ms() / Interval::M15.ms() - 1) * Interval::M15.ms();
        // Its close is a mark too: the same one.
        let (price, price_scale) = mantissa_of(self.mark).expect("a mark that a bar can hold");
        let bar = Bar {
            open_time: Timestamp::from_ms(open_ms),
            interval: Interval::M15,
            open: price,
            high: price,
            low: price,
            close: price,
            price_scale,
            volume: 0,
            volume_scale: 0,
        };
        [
            Fact::RunStarted(started),
            Fact::Instrument { ix: instrument, spec: Box::new(self.spec.clone()) },
            Fact::Snapshot { snapshot: Box::new(snapshot) },
            Fact::Market { event: MarketEvent::Mark { instrument, mark: self.mark, venue_time: self.now } },
            Fact::Market { event: MarketEvent::Bar { instrument, bar } },
        ]
    }
}

/// A price as a bar holds it; `None` for one with more digits than that.
fn mantissa_of(price: Price) -> Option<(i64, u8)> {
    let price = price.get().normalize();
    Some((i64::try_from(price.mantissa()).ok()?, u8::try_from(price.scale()).ok()?))
}

/// Wants what it was told, once.
#[derive(Debug)]
struct Speaker {
    wants: Vec<Intent>,
    instrument: InstrumentId,
}

impl Strategy for Speaker {
    fn id(&self) -> StrategyId {
        StrategyId::parse("conformance").expect("a strategy id")
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed { instrument: self.instrument, interval: Interval::M15, warmup_bars: 0 }]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, _: &StrategyView<'_>, out: &mut Output) {
        if let StrategyEvent::Bar { .. } = event {
            self.wants.drain(..).for_each(|intent| out.want(intent));
        }
    }
}
