//! The simulated exchange with what stands in front of its core: its clock, request windows, rules that change.

use hedge_core::{
    AccountEvent, AccountSnapshot, Asset, Balance, CashFlow, Decimal, Fill, InstrumentId, InstrumentSpec,
    InstrumentStatus, OrderRef, OrderReport, OrderSpace, Position, PositionMode, SignedAmount, Timestamp,
};
use hedge_sim::{
    backtest::spec_of,
    venue::{
        self, BookChange, Command, FeeRates, InstrumentRules, OrderType, Refusal, Reply, SecondCloseAll,
        SymbolId, Venue, VenueConfig, VenueError, VenueEvent, Window,
    },
};

use super::{
    plan::Setup,
    words::{self, ACCOUNT},
};

/// The symbols of a run, in the order of their numbers.
pub(super) const SYMBOLS: [&str; 3] = ["ETHUSDT", "BTCUSDT", "XRPUSDT"];
/// Their prices at the start.
const PRICES: [i64; 3] = [3_000, 60_000, 2];
/// The account's wallet at the start. Units: USDT.
pub(super) const WALLET_USDT: i64 = 10_000;
/// 2026-01-01. Units: milliseconds since 1970.
pub(super) const START_MS: i64 = 1_767_225_600_000;
/// A request's stamp may be so far ahead of the venue's clock. Source: fact sheet 2.2.
const STAMP_AHEAD_MS: i64 = 1_000;
/// How long after its stamp a request is taken. Units: milliseconds.
pub(super) const RECV_WINDOW_MS: i64 = 3_000;

/// The exchange, and what it has said and not been read yet.
#[derive(Debug)]
pub(super) struct Exchange {
    venue: Venue,
    specs: Vec<InstrumentSpec>,
    events: Vec<VenueEvent>,
    next_flow: u64,
    pub(super) ids: Vec<InstrumentId>,
}

impl Exchange {
    pub(super) fn new(setup: &Setup, seed: u64) -> Self {
        let second_close_all =
            if setup.one_close_all { SecondCloseAll::Refuse4130 } else { SecondCloseAll::Accept };
        let venue = Venue::new(VenueConfig {
            seed,
            second_close_all,
            countdown_cancels_algos: setup.countdown_kills_stops,
            fees: FeeRates { maker: Decimal::new(2, 4), taker: Decimal::new(5, 4) },
            ..VenueConfig::default()
        });
        let mut exchange =
            Self { venue, specs: Vec::new(), events: Vec::new(), next_flow: 0, ids: Vec::new() };
        let builtin = InstrumentRules::builtin();
        for (symbol, price) in SYMBOLS.iter().zip(PRICES).take(usize::from(setup.symbols)) {
            let Some(rules) = builtin.iter().find(|rules| rules.symbol == *symbol) else { continue };
            let mut rules = rules.clone();
            // Small lots everywhere, so that a leg can be closed in parts.
            rules.min_notional = Decimal::from(5);
            rules.lot.step = rules.lot.step.min(Decimal::new(1, 3));
            rules.lot.min = rules.lot.step;
            if *symbol == "BTCUSDT" {
                (rules.lot.step, rules.lot.min, rules.qty_precision) =
                    (Decimal::new(1, 4), Decimal::new(1, 4), 4);
            }
            if *symbol == "XRPUSDT" {
                (rules.lot.step, rules.lot.min) = (Decimal::new(1, 1), Decimal::new(1, 1));
            }
            (rules.market_lot.step, rules.market_lot.min) = (rules.lot.step, rules.lot.min);
            if let Ok(spec) = spec_of(&rules) {
                exchange.ids.push(spec.id);
                exchange.specs.push(spec);
            }
            let listing = Command::List { rules: Box::new(rules), price: Decimal::from(price) };
            exchange.set_up(&listing);
        }
        exchange.set_up(&Command::OpenAccount { account: ACCOUNT, balance_usdt: Decimal::from(WALLET_USDT) });
        exchange.set_up(&Command::PositionMode { account: ACCOUNT, hedge: true });
        exchange.events.clear();
        exchange
    }

    fn set_up(&mut self, command: &Command) {
        // The commands are written above and fit; a run in which one did not would trade nothing, and its tests say so.
        let done = self.venue.apply(START_MS, command, &mut self.events);
        debug_assert!(done.is_ok(), "{done:?}");
    }

    pub(super) const fn venue(&self) -> &Venue {
        &self.venue
    }

    /// Does something at a time. What happened is in [`take_events`](Self::take_events).
    pub(super) fn apply(&mut self, now_ms: i64, command: &Command) -> Result<Reply, VenueError> {
        self.venue.apply(now_ms, command, &mut self.events)
    }

    pub(super) fn take_events(&mut self) -> Vec<VenueEvent> {
        std::mem::take(&mut self.events)
    }

    pub(super) fn give_back(&mut self, mut events: Vec<VenueEvent>) {
        events.clear();
        if self.events.is_empty() {
            self.events = events;
        }
    }

    /// A client's command, with the stamp that it was signed with.
    pub(super) fn command(
        &mut self,
        now_ms: i64,
        stamp_ms: i64,
        command: &Command,
    ) -> Result<Reply, VenueError> {
        if stamp_ms >= now_ms + STAMP_AHEAD_MS || now_ms - stamp_ms > RECV_WINDOW_MS {
            return Err(VenueError::refuse(
                -1021,
                "Timestamp for this request is outside of the recvWindow.",
            ));
        }
        self.check_rules(command)?;
        self.apply(now_ms, command)
    }

    /// Rules that have changed since the symbol was listed. They only ever became coarser, so that what passes here passes
    /// in the core.
    fn check_rules(&self, command: &Command) -> Result<(), VenueError> {
        let (symbol, price, trigger, qty, market, opens) = match command {
            Command::Place(order) => {
                let opens = is_opening(order.side, order.position_side);
                (&order.symbol, order.price, None, order.qty, order.order_type == OrderType::Market, opens)
            }
            Command::PlaceAlgo(algo) => (&algo.symbol, algo.price, algo.trigger_price, algo.qty, true, false),
            _ => return Ok(()),
        };
        let Some(spec) = self.specs.iter().find(|spec| spec.id.symbol.as_str() == symbol) else {
            return Ok(());
        };
        let off =
            |value: Option<Decimal>, grid: Decimal| value.is_some_and(|value| !(value % grid).is_zero());
        if off(price, spec.tick) || off(trigger, spec.tick) {
            return Err(Refusal::PriceOffTick.into());
        }
        let lot = if market { &spec.market_lot } else { &spec.lot };
        if off(qty, lot.step) {
            return Err(Refusal::QtyOffStep.into());
        }
        if qty.is_some_and(|qty| qty > lot.max) {
            return Err(Refusal::QtyAboveMax.into());
        }
        let notional = price.zip(qty).map(|(price, qty)| price * qty);
        if opens && notional.is_some_and(|notional| notional < spec.min_notional.get()) {
            return Err(VenueError::refuse(-4164, "Order's notional must be no smaller than the minimum."));
        }
        Ok(())
    }

    /// Makes a symbol's rules coarser.
    pub(super) fn change_rules(&mut self, symbol: usize, kind: u8) {
        let mark = self.mark(symbol);
        let Some(spec) = self.specs.get_mut(symbol) else { return };
        match kind {
            0 => spec.tick *= Decimal::from(5),
            1 => {
                spec.min_notional = hedge_core::Notional::new(Decimal::from(100)).unwrap_or(spec.min_notional)
            }
            2 => {
                // A close of a leg now takes several orders.
                let most = (Decimal::from(150) / mark / spec.market_lot.step).floor() * spec.market_lot.step;
                spec.market_lot.max = most.max(spec.market_lot.step);
            }
            _ => {
                for lot in [&mut spec.lot, &mut spec.market_lot] {
                    lot.step *= Decimal::TWO;
                    lot.min = lot.step;
                }
            }
        }
    }

    pub(super) fn specs(&self) -> Vec<InstrumentSpec> {
        let statuses: Vec<venue::SymbolStatus> =
            self.venue.instruments().map(|(_, rules)| rules.status).collect();
        let with_status = |(spec, status): (&InstrumentSpec, venue::SymbolStatus)| {
            let status = match status {
                venue::SymbolStatus::Trading => InstrumentStatus::Trading,
                other => InstrumentStatus::NotTrading(other.as_str().to_owned()),
            };
            InstrumentSpec { status, ..spec.clone() }
        };
        self.specs.iter().zip(statuses).map(with_status).collect()
    }

    pub(super) fn mark(&self, symbol: usize) -> Decimal {
        self.venue.prices(SymbolId(symbol as u16)).map_or(Decimal::ONE, |prices| prices.mark)
    }

    pub(super) fn last_ticks(&self, symbol: usize) -> i64 {
        self.venue.prices(SymbolId(symbol as u16)).map_or(1, |prices| prices.last_ticks)
    }

    pub(super) fn rules(&self, symbol: usize) -> Option<&InstrumentRules> {
        self.venue.rules(SymbolId(symbol as u16))
    }

    /// Signed size of a leg.
    pub(super) fn leg(&self, symbol: usize, short: bool) -> Decimal {
        let side = if short { venue::PositionSide::Short } else { venue::PositionSide::Long };
        let rows = self.venue.positions(ACCOUNT, SYMBOLS.get(symbol).copied()).unwrap_or_default();
        rows.iter().find(|row| row.position_side == side).map_or(Decimal::ZERO, |row| row.qty)
    }

    pub(super) fn is_hedge(&self) -> bool {
        self.venue.account_config(ACCOUNT).is_ok_and(|config| config.hedge_mode)
    }

    /// A book so thin that everything larger than its best level walks through many.
    pub(super) fn thin_book(&self, symbol: usize, levels: i64) -> Option<BookChange> {
        let rules = self.rules(symbol)?;
        let last = self.last_ticks(symbol);
        let mark = self.mark(symbol);
        // Some 40 USDT at a price.
        let steps = rules.steps_exact(
            (Decimal::from(40) / mark / rules.lot.step).floor().max(Decimal::ONE) * rules.lot.step,
        )?;
        let apart = (last / 4_000).max(1);
        let bids = (1..=levels).map(|level| (last - level * apart, steps)).collect();
        let asks = (1..=levels).map(|level| (last + level * apart, steps)).collect();
        Some(BookChange { symbol: SymbolId(symbol as u16), whole: true, bids, asks })
    }

    /// Everything that has flowed besides executions since this was last asked.
    pub(super) fn new_flows(&mut self, out: &mut Vec<AccountEvent>) {
        let window = Window { from_id: Some(self.next_flow), ..Window::default() };
        for row in self.venue.income(ACCOUNT, None, None, window).unwrap_or_default() {
            self.next_flow = self.next_flow.max(row.tran_id + 1);
            out.extend(words::flow_of(&row).map(|flow| AccountEvent::CashFlow { flow }));
        }
    }

    pub(super) fn account(&self, now_ms: i64) -> AccountSnapshot {
        let assets = self.venue.assets(ACCOUNT).unwrap_or_default();
        let balances = assets.iter().filter_map(|row| {
            Some(Balance {
                asset: Asset::parse(&row.asset).ok()?,
                wallet: SignedAmount::new(row.wallet_balance).ok()?,
                available: SignedAmount::new(row.available_balance).ok(),
            })
        });
        AccountSnapshot {
            venue_time: Timestamp::from_ms(now_ms),
            balances: balances.collect(),
            mode: if self.is_hedge() { PositionMode::Hedge } else { PositionMode::Net },
            multi_assets: false,
            can_trade: Some(true),
            can_withdraw: None,
        }
    }

    pub(super) fn positions(&self) -> Vec<Position> {
        let rows = self.venue.positions(ACCOUNT, None).unwrap_or_default();
        rows.iter().filter_map(words::position).collect()
    }

    /// Open orders; those that are younger than `since_ms` are not shown by a replica that lags behind.
    pub(super) fn open_orders(&self, since_ms: i64) -> Vec<OrderReport> {
        let plain = self.venue.open_orders(ACCOUNT, None).unwrap_or_default();
        let algos = self.venue.open_algos(ACCOUNT, None).unwrap_or_default();
        let plain =
            plain.iter().filter(|row| row.time_ms <= since_ms).filter_map(|row| words::report_of(row, None));
        let algos = algos.iter().filter(|row| row.create_ms <= since_ms).filter_map(words::algo_report);
        plain.chain(algos).collect()
    }

    pub(super) fn find_order(
        &self,
        instrument: &InstrumentId,
        order: &OrderRef,
        since_ms: i64,
    ) -> Option<OrderReport> {
        let plain = |order| {
            let found = self.venue.order(ACCOUNT, instrument.symbol.as_str(), &order).ok()?;
            words::report_of(&found, None).filter(|_| found.time_ms <= since_ms)
        };
        let algo = |order| {
            let found = self.venue.algo(ACCOUNT, &order).ok()?;
            words::algo_report(&found).filter(|_| found.create_ms <= since_ms)
        };
        match order {
            OrderRef::Client { id, space: OrderSpace::Algo } => {
                algo(venue::AlgoRef::Client(id.as_str().to_owned()))
            }
            OrderRef::Client { id, space: OrderSpace::Plain } => {
                plain(venue::OrderRef::Client(id.as_str().to_owned()))
            }
            OrderRef::Algo { id, .. } => algo(venue::AlgoRef::Id(id.0.unsigned_abs())),
            OrderRef::Plain(id) => plain(venue::OrderRef::Id(id.0.unsigned_abs())),
        }
    }

    pub(super) fn fills(&self, symbol: &str, since: Timestamp) -> Vec<Fill> {
        let window = Window { start_ms: Some(since.ms()), ..Window::default() };
        let trades = self.venue.user_trades(ACCOUNT, symbol, None, window).unwrap_or_default();
        trades.iter().filter_map(words::past_fill).collect()
    }

    pub(super) fn flows(&self, since: Timestamp) -> Vec<CashFlow> {
        let window = Window { start_ms: Some(since.ms()), ..Window::default() };
        let rows = self.venue.income(ACCOUNT, None, None, window).unwrap_or_default();
        rows.iter().filter_map(words::flow_or_fee_of).collect()
    }
}

/// Whether an order adds to a leg.
pub(super) fn is_opening(side: venue::Side, leg: Option<venue::PositionSide>) -> bool {
    matches!(
        (side, leg),
        (venue::Side::Buy, Some(venue::PositionSide::Long))
            | (venue::Side::Sell, Some(venue::PositionSide::Short))
    )
}
