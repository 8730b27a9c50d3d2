//! The pure part of a dry run: a real market comes in, a simulated account is traded on it.

use std::collections::BTreeMap;

use hedge_core::{
    AccountEvent, AccountSnapshot, BrokerError, CashFlow, Decimal, Fill, InstrumentId, InstrumentSpec, Leg,
    MarketEvent, Order, OrderAck, OrderRef, OrderReport, OrderSpaces, Position, PositionMode, Price,
    Timestamp,
};

use super::{
    clock::VenueTime,
    config::{PaperConfig, PaperError},
    rules::{rules_of, status_of},
    settings::margin_type,
    start::{Start, StartLeg, seed_of},
    track::{Settlement, Track, around},
};
use crate::{
    translate::{self, ACCOUNT},
    venue::{
        Command, EventBody, InstrumentRules, PositionSide, Reply, Seed, UpdateReason, Venue, VenueConfig,
        VenueError, VenueEvent, Window,
    },
};

/// Notional at the best price of either side, in USDT: every order finds enough there.
const ENOUGH_USDT: i64 = 10_000_000_000;

/// A simulated account on a real market. Pure: the same calls in the same order give the same answers and events.
///
/// [`take_events`](Self::take_events) hands out what happened to the account since it was last asked.
#[derive(Debug)]
pub struct Simulation {
    pub(super) config: PaperConfig,
    pub(super) venue: Venue,
    pub(super) time: VenueTime,
    pub(super) tracks: BTreeMap<InstrumentId, Track>,
    /// When the resting orders of an instrument are cancelled, unless the countdown is renewed.
    pub(super) countdowns: BTreeMap<InstrumentId, i64>,
    specs: BTreeMap<InstrumentId, InstrumentSpec>,
    multi_assets: bool,
    can_trade: Option<bool>,
    can_withdraw: Option<bool>,
    told: Vec<VenueEvent>,
    events: Vec<AccountEvent>,
    /// The first ledger row that has not been told.
    next_flow: u64,
}

impl Simulation {
    /// An account that begins where `start` says. Ids are derived from the venue's time, so that no later simulation of the
    /// same account gives one of them again.
    ///
    /// # Errors
    /// [`PaperError::Unusable`] for something held that cannot be simulated.
    pub fn new(config: PaperConfig, specs: &[InstrumentSpec], start: &Start) -> Result<Self, PaperError> {
        let at_ms = start.at.ms();
        let venue = Venue::new(VenueConfig {
            fees: config.fees,
            top_of_book_usdt: Decimal::from(ENOUGH_USDT),
            ..VenueConfig::default()
        });
        let first_id = u64::try_from(at_ms).unwrap_or(0).saturating_mul(1_000);
        let mut simulation = Self {
            config,
            venue,
            time: VenueTime::at(at_ms),
            tracks: BTreeMap::new(),
            countdowns: BTreeMap::new(),
            specs: specs.iter().map(|spec| (spec.id, spec.clone())).collect(),
            multi_assets: start.multi_assets,
            can_trade: start.can_trade,
            can_withdraw: start.can_withdraw,
            told: Vec::new(),
            events: Vec::new(),
            next_flow: first_id,
        };
        simulation.begin(first_id, start)?;
        Ok(simulation)
    }

    fn begin(&mut self, first_id: u64, start: &Start) -> Result<(), PaperError> {
        let account = "the account".to_owned();
        self.take_over(&account, &Command::Seed(Box::new(Seed::Ids { from: first_id })))?;
        self.take_over(&account, &Command::OpenAccount { account: ACCOUNT, balance_usdt: Decimal::ZERO })?;
        if start.mode == PositionMode::Hedge {
            self.take_over(&account, &Command::PositionMode { account: ACCOUNT, hedge: true })?;
        }
        for (asset, balance) in &start.wallets {
            let seed = Seed::Wallet { account: ACCOUNT, asset: asset.as_str().to_owned(), balance: *balance };
            self.take_over(&format!("the {asset} wallet"), &Command::Seed(Box::new(seed)))?;
        }
        for leg in &start.legs {
            self.begin_leg(leg, start.marks.get(&leg.key.instrument).copied())?;
        }
        for order in &start.orders {
            let what = format!("order {}", order.client_id);
            let instrument = &order.position.instrument;
            let mark = start.marks.get(instrument).copied();
            let Some(seed) = seed_of(order, mark, start.at) else { continue };
            self.listed(instrument, mark).map_err(|why| unusable(&what, why))?;
            self.take_over(&what, &Command::Seed(Box::new(seed)))?;
        }
        let now_ms = self.time.now_ms();
        for (instrument, mark) in start.marks.iter().filter(|_| start.marks_are_current) {
            self.around(instrument, *mark, now_ms);
        }
        Ok(())
    }

    fn begin_leg(&mut self, leg: &StartLeg, mark: Option<Price>) -> Result<(), PaperError> {
        let what = leg.key.to_string();
        let entry = leg.cost.checked_div(leg.qty).and_then(|entry| Price::new(entry).ok());
        self.listed(&leg.key.instrument, mark.or(entry)).map_err(|why| unusable(&what, why))?;
        let seed = Seed::Leg {
            account: ACCOUNT,
            symbol: leg.key.instrument.symbol.as_str().to_owned(),
            position_side: match leg.key.side {
                hedge_core::PositionSide::Long => PositionSide::Long,
                hedge_core::PositionSide::Short => PositionSide::Short,
            },
            qty: leg.qty,
            cost: leg.cost,
        };
        self.take_over(&what, &Command::Seed(Box::new(seed)))
    }

    fn take_over(&mut self, what: &str, command: &Command) -> Result<(), PaperError> {
        let now_ms = self.time.now_ms();
        self.apply(now_ms, command).map(|_| ()).map_err(|error| unusable(what, error.msg.to_string()))
    }

    /// Lists an instrument if it is not listed yet.
    pub(super) fn list(&mut self, instrument: &InstrumentId) -> Result<(), BrokerError> {
        self.listed(instrument, None).map_err(|why| not_sent(format!("{}: {why}", instrument.symbol)))
    }

    fn listed(&mut self, instrument: &InstrumentId, price: Option<Price>) -> Result<(), String> {
        if self.tracks.contains_key(instrument) {
            return Ok(());
        }
        let spec = self.specs.get(instrument).ok_or("the venue does not list it")?;
        let rules = rules_of(spec).map_err(|error| error.to_string())?;
        // Any price will do while nothing is held and nothing can be ordered.
        let price = price.map_or(rules.tick, Price::get);
        let now_ms = self.time.now_ms();
        let listing = Command::List { rules: Box::new(rules), price };
        let Ok(Reply::Listed(id)) = self.apply(now_ms, &listing) else {
            return Err(format!("it cannot be listed at {price}"));
        };
        let mut track = Track::new(id);
        let setting = self.config.settings.iter().find(|setting| setting.instrument == *instrument).copied();
        if let Some(setting) = setting {
            let symbol = instrument.symbol.as_str();
            self.assume(symbol, margin_type(setting.margin), setting.leverage.get())
                .map_err(|error| error.to_string())?;
            (track.knows_margin, track.knows_leverage) = (true, true);
        }
        self.tracks.insert(*instrument, track);
        Ok(())
    }

    /// The instruments on which something is held or ordered.
    pub fn in_use(&self) -> Vec<InstrumentId> {
        let used = |track: &Track| self.venue.is_in_use(track.id);
        self.tracks.iter().filter(|(_, track)| used(track)).map(|(id, _)| *id).collect()
    }

    /// The venue's rules were read again. A symbol that stops trading loses its orders, or its legs are settled, as its new
    /// status says; other rules stay as they were when the instrument was first used.
    pub fn refresh(&mut self, specs: &[InstrumentSpec]) {
        for spec in specs {
            let known = self.specs.insert(spec.id, spec.clone());
            if known.is_some_and(|known| known.status != spec.status)
                && let Some(track) = self.tracks.get(&spec.id)
            {
                let command = Command::SetStatus { symbol: track.id, status: status_of(&spec.status) };
                let now_ms = self.time.pass();
                self.follow(now_ms, &command);
            }
        }
    }

    /// The venue told its time. What happens from now on is not earlier.
    pub fn hear_time(&mut self, now: Timestamp) {
        let now_ms = self.time.arrive(now.ms());
        self.end_countdowns(now_ms);
    }

    /// Takes a market event of an instrument in. One that the exchange cannot hold (no price, or one that is not positive)
    /// is passed over: the next one comes.
    pub fn market(&mut self, instrument: &InstrumentId, event: &MarketEvent) {
        let at = match event {
            MarketEvent::Mark { venue_time, .. }
            | MarketEvent::Book { venue_time, .. }
            | MarketEvent::Trade { venue_time, .. } => *venue_time,
            MarketEvent::Bar { bar, .. } => bar.end(),
            MarketEvent::Funding { .. } => Timestamp::from_ms(self.time.now_ms()),
            MarketEvent::History { .. } | MarketEvent::Gap { .. } | MarketEvent::Silent { .. } => return,
        };
        if self.listed(instrument, None).is_err() {
            return;
        }
        let now_ms = self.time.arrive(at.ms());
        self.end_countdowns(now_ms);
        let due = self.tracks.get_mut(instrument).and_then(|track| track.due(now_ms));
        self.settle(instrument, due, now_ms);
        match event {
            MarketEvent::Mark { mark, .. } => self.mark(instrument, *mark, now_ms),
            MarketEvent::Bar { bar, .. } => {
                let max_age = self.config.quote_max_age;
                let marked = self.tracks.get(instrument).is_some_and(|track| track.has_mark(now_ms, max_age));
                if let Some(close) = bar.close_price().filter(|_| !marked) {
                    self.around(instrument, close, now_ms);
                }
            }
            MarketEvent::Book { bid, ask, .. } => self.book(instrument, *bid, *ask, now_ms),
            MarketEvent::Trade { price, .. } => self.trade(instrument, *price, now_ms),
            MarketEvent::Funding { rate, settles_at, .. } => {
                let passed =
                    self.tracks.get_mut(instrument).and_then(|track| track.expect(*rate, *settles_at));
                // Only when the time has come as well: an interval may also be made longer.
                let passed = passed.filter(|passed| passed.at_ms <= now_ms.saturating_add(CLOCK_SLACK_MS));
                if let (Some(passed), Some(track)) = (passed, self.tracks.get_mut(instrument)) {
                    track.settled_ms = passed.at_ms;
                }
                self.settle(instrument, passed, now_ms);
            }
            MarketEvent::History { .. } | MarketEvent::Gap { .. } | MarketEvent::Silent { .. } => {}
        }
    }

    fn mark(&mut self, instrument: &InstrumentId, mark: Price, now_ms: i64) {
        let max_age = self.config.quote_max_age;
        let Some(track) = self.tracks.get_mut(instrument) else { return };
        track.mark_ms = Some(now_ms);
        if track.best.is_some() && track.has_book(now_ms, max_age) {
            let command = Command::SetMark { symbol: track.id, mark: mark.get() };
            self.follow(now_ms, &command);
        } else {
            self.around(instrument, mark, now_ms);
        }
    }

    /// Puts bid and ask around a price that is also the mark.
    fn around(&mut self, instrument: &InstrumentId, price: Price, now_ms: i64) {
        let Some(track) = self.tracks.get(instrument) else { return };
        let rules = self.venue.rules(track.id);
        if let Some(best) = rules.and_then(|rules| around(rules, price, self.config.half_spread)) {
            self.quote(instrument, best, None, Some(price.get()), now_ms);
        }
    }

    fn book(&mut self, instrument: &InstrumentId, bid: Price, ask: Price, now_ms: i64) {
        let Some(track) = self.tracks.get_mut(instrument) else { return };
        let ticks = |rules: &InstrumentRules| {
            Some((rules.ticks_nearest(bid.get())?, rules.ticks_nearest(ask.get())?))
        };
        let best = self.venue.rules(track.id).and_then(ticks).filter(|(bid, ask)| bid < ask);
        let Some(best) = best else { return };
        track.book_ms = Some(now_ms);
        // Before the first mark, the middle is the nearest thing to one.
        let middle = (bid.get() + ask.get()) / Decimal::TWO;
        let mark = track.mark_ms.is_none().then_some(middle);
        self.quote(instrument, best, None, mark, now_ms);
    }

    fn trade(&mut self, instrument: &InstrumentId, price: Price, now_ms: i64) {
        let Some(track) = self.tracks.get(instrument) else { return };
        let rules = self.venue.rules(track.id);
        let last = rules.and_then(|rules| rules.ticks_nearest(price.get()));
        match (track.best, last) {
            (Some(best), Some(last)) => self.quote(instrument, best, Some(last), None, now_ms),
            (None, _) => self.around(instrument, price, now_ms),
            (Some(_), None) => {}
        }
    }

    fn quote(
        &mut self,
        instrument: &InstrumentId,
        best: (i64, i64),
        last: Option<i64>,
        mark: Option<Decimal>,
        now_ms: i64,
    ) {
        let Some(track) = self.tracks.get_mut(instrument) else { return };
        let command = Command::Quote { symbol: track.id, bid: best.0, ask: best.1, last, mark };
        if self.follow(now_ms, &command)
            && let Some(track) = self.tracks.get_mut(instrument)
        {
            track.best = Some(best);
        }
    }

    fn settle(&mut self, instrument: &InstrumentId, due: Option<Settlement>, now_ms: i64) {
        let priced = self.tracks.get(instrument).filter(|track| track.best.is_some());
        if let (Some(due), Some(track)) = (due, priced) {
            let command = Command::Funding { symbol: track.id, rate: due.rate, mark: None };
            self.follow(now_ms, &command);
        }
    }

    fn end_countdowns(&mut self, now_ms: i64) {
        let over: Vec<InstrumentId> = self
            .countdowns
            .iter()
            .filter(|(_, at)| **at <= now_ms)
            .map(|(instrument, _)| *instrument)
            .collect();
        for instrument in over {
            self.countdowns.remove(&instrument);
            let symbol = instrument.symbol.as_str().to_owned();
            self.follow(now_ms, &Command::CountdownElapsed { account: ACCOUNT, symbol });
        }
    }

    /// Does what the market asks for; false when the exchange cannot.
    fn follow(&mut self, now_ms: i64, command: &Command) -> bool {
        self.apply(now_ms, command).is_ok()
    }

    /// Takes an order, once.
    ///
    /// # Errors
    /// Rejected by the exchange's own rules. Not sent while no price of the instrument has come in: it could not be filled.
    /// A conditional order needs none.
    pub fn submit(&mut self, order: &Order) -> Result<OrderAck, BrokerError> {
        let instrument = &order.position().instrument;
        self.list(instrument)?;
        let waits = matches!(order.leg(), Leg::Close(exit, _) if exit.is_conditional());
        if !waits && self.tracks.get(instrument).is_none_or(|track| track.best.is_none()) {
            return Err(not_sent(format!(
                "no price of {} has come in yet; the dry run cannot fill anything",
                instrument.symbol
            )));
        }
        let now_ms = self.time.pass();
        let reply =
            self.apply(now_ms, &translate::place(order)).map_err(|error| translate::refused(&error))?;
        let (named, state, filled) =
            translate::taken(&reply).ok_or_else(|| not_sent("the exchange took no order".to_owned()))?;
        Ok(OrderAck { client_id: *order.client_id(), order: named, state, filled })
    }

    /// Cancels one order.
    ///
    /// # Errors
    /// Rejected when it is not open.
    pub fn cancel(&mut self, instrument: &InstrumentId, order: &OrderRef) -> Result<(), BrokerError> {
        self.list(instrument)?;
        self.command(&translate::cancel(instrument, order))
    }

    /// Cancels every open order of an instrument in the stated spaces.
    ///
    /// # Errors
    /// Not sent for an unlisted instrument.
    pub fn cancel_all(&mut self, instrument: &InstrumentId, which: OrderSpaces) -> Result<(), BrokerError> {
        self.list(instrument)?;
        let symbol = instrument.symbol.as_str().to_owned();
        if which != OrderSpaces::Algo {
            self.command(&Command::CancelAll { account: ACCOUNT, symbol: symbol.clone() })?;
        }
        if which != OrderSpaces::Plain {
            self.command(&Command::CancelAllAlgos { account: ACCOUNT, symbol })?;
        }
        Ok(())
    }

    fn command(&mut self, command: &Command) -> Result<(), BrokerError> {
        let now_ms = self.time.pass();
        self.apply(now_ms, command).map(|_| ()).map_err(|error| translate::refused(&error))
    }

    /// Balances and mode.
    pub fn account(&mut self) -> AccountSnapshot {
        AccountSnapshot {
            venue_time: Timestamp::from_ms(self.time.state()),
            balances: translate::balances(&self.venue),
            mode: self.mode(),
            multi_assets: self.multi_assets,
            can_trade: self.can_trade,
            can_withdraw: self.can_withdraw,
        }
    }

    pub(super) fn mode(&self) -> PositionMode {
        match self.venue.account_config(ACCOUNT).is_ok_and(|config| config.hedge_mode) {
            true => PositionMode::Hedge,
            false => PositionMode::Net,
        }
    }

    /// Open legs, with mark and liquidation price.
    pub fn positions(&self) -> Vec<Position> {
        let rows = self.venue.positions(ACCOUNT, None).unwrap_or_default();
        rows.iter().filter_map(translate::position_with_prices).collect()
    }

    /// Open orders of both id spaces.
    pub fn open_orders(&self) -> Vec<OrderReport> {
        translate::open_orders(&self.venue)
    }

    /// One order, open or ended.
    pub fn find_order(&self, instrument: &InstrumentId, order: &OrderRef) -> Option<OrderReport> {
        translate::order(&self.venue, instrument, order)
    }

    /// Executions of this simulation at or after an instant, oldest first.
    pub fn fills_since(&self, instrument: &InstrumentId, since: Timestamp) -> Vec<Fill> {
        translate::fills(&self.venue, instrument.symbol.as_str(), since)
    }

    /// Money that moved in this simulation without a trade at or after an instant, oldest first.
    pub fn cash_flows_since(&self, since: Timestamp) -> Vec<CashFlow> {
        let window = Window { start_ms: Some(since.ms()), ..Window::default() };
        let rows = self.venue.income(ACCOUNT, None, None, window).unwrap_or_default();
        rows.iter().filter_map(translate::flow_of).collect()
    }

    /// What happened to the account since the last call, in order.
    pub fn take_events(&mut self) -> Vec<AccountEvent> {
        std::mem::take(&mut self.events)
    }

    pub(super) fn apply(&mut self, now_ms: i64, command: &Command) -> Result<Reply, VenueError> {
        let mut told = std::mem::take(&mut self.told);
        let reply = self.venue.apply(now_ms, command, &mut told);
        for event in told.drain(..) {
            if event.account == Some(ACCOUNT) {
                self.tell(&event);
            }
        }
        self.told = told;
        reply
    }

    /// A change of money or legs is stated first, then what moved without a trade; orders and executions follow as they came.
    fn tell(&mut self, event: &VenueEvent) {
        if let EventBody::Account(update) = &event.body {
            translate::statements(update, event.at_ms, &mut |event| self.events.push(event));
            if update.reason != UpdateReason::Order {
                self.tell_flows();
            }
        }
        translate::news(event, &mut |event| self.events.push(event));
    }

    fn tell_flows(&mut self) {
        let window = Window { from_id: Some(self.next_flow), ..Window::default() };
        for row in self.venue.income(ACCOUNT, None, None, window).unwrap_or_default() {
            self.next_flow = self.next_flow.max(row.tran_id + 1);
            if let Some(flow) = translate::flow_of(&row) {
                self.events.push(AccountEvent::CashFlow { flow });
            }
        }
    }
}

/// A settlement may be announced as over this much before our reading of the venue's clock says so.
const CLOCK_SLACK_MS: i64 = 60_000;

fn unusable(what: &str, why: String) -> PaperError {
    PaperError::Unusable { what: what.to_owned(), why }
}

fn not_sent(why: String) -> BrokerError {
    BrokerError::NotSent { source: why.into() }
}
