//! An account in memory. It checks at every close what must never happen: two closes of a leg at once, or more than held.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use hedge_core::{
    BrokerError, ClientOrderId, Decimal, InstrumentSpec, OrderAck, OrderRef, OrderSide, OrderSpace, Qty,
    RejectReason, ReportedState, SubmitError, Symbol, Timestamp, VenueOrderId,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::panic::{
    CloseOrder, ClosingVenue, Found, Held, HeldSide, LegId, PanicIds, PanicParts, Resting, Verdict, Waiting,
    run,
};

pub(super) const LIFETIME: Duration = Duration::from_secs(3);
pub(super) const VISIBILITY: Duration = Duration::from_secs(5);
const EPOCH_MS: i64 = 1_795_168_800_000;

/// What becomes of one call. Without an entry it succeeds.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// Refused before the venue looked at it.
    NotSent,
    /// A budget is used up.
    Limited(Duration),
    /// Refused, with a reason and a code.
    Refused(RejectReason, i64),
    /// No answer; the venue never gets it.
    LostRequest,
    /// No answer; the venue executes it after so long.
    LostAnswer(Duration),
    /// Only so much of a close is filled, the rest expires.
    Partly(&'static str),
    /// The venue keeps a market order live.
    Live,
    /// It answers after so long.
    Slow(Duration),
}

#[derive(Debug)]
struct Placed {
    id: ClientOrderId,
    leg: LegId,
    state: ReportedState,
    filled: Decimal,
    /// Questions find it from then on.
    visible_at: Instant,
}

/// What each leg holds, and since when.
type Sizes = BTreeMap<LegId, (Decimal, Timestamp)>;

#[derive(Debug, Default)]
struct Account {
    legs: Sizes,
    /// What a lagging replica shows until then.
    lagging: Option<(Sizes, Instant)>,
    orders: Vec<Resting>,
    /// Orders that lists do not show.
    hidden: Vec<Resting>,
    conditional: Vec<Waiting>,
    placed: Vec<Placed>,
    faults: BTreeMap<&'static str, VecDeque<Fault>>,
    specs: Vec<InstrumentSpec>,
    /// What happens later: at a moment, a leg gets a size.
    later: Vec<(Instant, LegId, Decimal)>,
    log: Vec<(Duration, String)>,
    banned_until: Option<Timestamp>,
    /// A symbol that takes no orders until then.
    refusing: Option<(Symbol, Instant)>,
    calls: BTreeMap<&'static str, usize>,
}

/// The account.
#[derive(Debug)]
pub(super) struct Script {
    began: Instant,
    account: Mutex<Account>,
}

pub(super) fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(super) fn leg(symbol: &str, side: HeldSide) -> LegId {
    LegId { symbol: Symbol::parse(symbol).unwrap(), side }
}

fn lost() -> BrokerError {
    BrokerError::OutcomeUnknown { source: "no answer".into() }
}

fn not_sent() -> BrokerError {
    BrokerError::NotSent { source: "HTTP 503, code -1001: Service Unavailable.".into() }
}

impl Script {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), account: Mutex::default() })
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap()
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_ms(EPOCH_MS).plus(self.began.elapsed())
    }

    pub(super) fn hold(&self, leg: LegId, qty: &str) {
        let at = self.at();
        self.account().legs.insert(leg, (d(qty), at));
    }

    /// A close-all stop of a leg.
    pub(super) fn stop(&self, leg: LegId, id: i64) {
        let order = OrderRef::Algo { id: VenueOrderId(id), child: None };
        let client_id = format!("stop{id}");
        self.account().conditional.push(Waiting { symbol: leg.symbol, order, client_id, opens: false });
    }

    /// A conditional order that would open a leg.
    pub(super) fn opening_stop(&self, symbol: &str, id: i64) {
        let order = OrderRef::Algo { id: VenueOrderId(id), child: None };
        let symbol = Symbol::parse(symbol).unwrap();
        self.account().conditional.push(Waiting {
            symbol,
            order,
            client_id: format!("opens{id}"),
            opens: true,
        });
    }

    pub(super) fn rest(&self, leg: LegId, side: OrderSide, qty: &str, is_listed: bool) {
        let order = Resting {
            leg,
            order: OrderRef::Plain(VenueOrderId(77)),
            client_id: "web_1".into(),
            side,
            open_qty: d(qty),
        };
        let mut account = self.account();
        if is_listed { account.orders.push(order) } else { account.hidden.push(order) }
    }

    pub(super) fn fault(&self, call: &'static str, faults: impl IntoIterator<Item = Fault>) {
        self.account().faults.entry(call).or_default().extend(faults);
    }

    pub(super) fn later(&self, after: Duration, leg: LegId, qty: &str) {
        self.account().later.push((self.began + after, leg, d(qty)));
    }

    pub(super) fn lag(&self, until: Duration) {
        let mut account = self.account();
        account.lagging = Some((account.legs.clone(), self.began + until));
    }

    pub(super) fn specs(&self, specs: Vec<InstrumentSpec>) {
        self.account().specs = specs;
    }

    pub(super) fn ban(&self, wait: Duration) {
        let until = self.at().plus(wait);
        self.account().banned_until = Some(until);
    }

    pub(super) fn refuse_on(&self, symbol: &str, wait: Duration) {
        self.account().refusing = Some((Symbol::parse(symbol).unwrap(), self.began + wait));
    }

    pub(super) fn calls(&self, call: &str) -> usize {
        self.account().calls.get(call).copied().unwrap_or_default()
    }

    /// What happened, in order, without the readings.
    pub(super) fn commands(&self) -> Vec<String> {
        self.account().log.iter().map(|(_, line)| line.clone()).collect()
    }

    /// When the commands that contain a text arrived.
    pub(super) fn times(&self, text: &str) -> Vec<Duration> {
        self.account().log.iter().filter(|(_, line)| line.contains(text)).map(|(at, _)| *at).collect()
    }

    pub(super) fn is_flat(&self) -> bool {
        let account = self.account();
        account.legs.values().all(|(qty, _)| qty.is_zero()) && account.orders.is_empty()
    }

    pub(super) fn conditional(&self) -> usize {
        self.account().conditional.len()
    }

    fn note(&self, line: String) {
        let at = self.began.elapsed();
        self.account().log.push((at, line));
    }

    /// Takes the next fault of a call, waits, and fails for all that need no more knowledge.
    async fn enter(&self, call: &'static str) -> Result<Option<Fault>, BrokerError> {
        *self.account().calls.entry(call).or_default() += 1;
        let fault = self.account().faults.get_mut(call).and_then(VecDeque::pop_front);
        let wait = match &fault {
            Some(Fault::Slow(wait)) => *wait,
            Some(Fault::LostRequest | Fault::LostAnswer(_)) => Duration::from_millis(2_500),
            _ => Duration::from_millis(20),
        };
        sleep(wait).await;
        let due: Vec<_> = {
            let mut account = self.account();
            let now = Instant::now();
            let (due, rest) = account.later.drain(..).partition(|(at, _, _)| *at <= now);
            account.later = rest;
            due
        };
        for (_, leg, qty) in due {
            let at = self.at();
            self.account().legs.insert(leg, (qty, at));
        }
        match fault {
            Some(Fault::NotSent) => Err(not_sent()),
            Some(Fault::Limited(retry_after)) => Err(BrokerError::RateLimited { retry_after }),
            Some(Fault::Refused(reason, code)) => {
                Err(BrokerError::Rejected { reason, code, message: "refused by the script".into() })
            }
            Some(Fault::LostRequest | Fault::LostAnswer(_)) if call != "close" => Err(lost()),
            other => Ok(other),
        }
    }

    /// Executes a close as the venue does: never more than the leg less its resting closes.
    fn execute(
        &self,
        order: &CloseOrder,
        leg: LegId,
        closes_with: OrderSide,
        partly: Option<Decimal>,
    ) -> Result<Decimal, BrokerError> {
        let at = self.at();
        let mut account = self.account();
        let held = account.legs.get(&leg).map_or(Decimal::ZERO, |(qty, _)| *qty);
        let spoken_for: Decimal = account
            .orders
            .iter()
            .chain(&account.hidden)
            .filter(|resting| resting.leg == leg && resting.side == closes_with)
            .map(|resting| resting.open_qty)
            .sum();
        let qty = order.qty().get();
        if qty > held - spoken_for {
            let message = "ReduceOnly Order is rejected.".into();
            return Err(BrokerError::Rejected { reason: RejectReason::NothingToClose, code: -2022, message });
        }
        let filled = partly.unwrap_or(qty);
        account.legs.insert(leg, (held - filled, at));
        Ok(filled)
    }
}

fn leg_of(order: &CloseOrder) -> (LegId, OrderSide) {
    match order {
        CloseOrder::Leg(close) => {
            let order = close.get().order();
            let side = match order.position().side {
                hedge_core::PositionSide::Long => HeldSide::Long,
                hedge_core::PositionSide::Short => HeldSide::Short,
            };
            (LegId { symbol: order.position().instrument.symbol, side }, order.side())
        }
        CloseOrder::Net { symbol, order_side, .. } => {
            (LegId { symbol: *symbol, side: HeldSide::Net }, *order_side)
        }
    }
}

#[async_trait]
impl ClosingVenue for Script {
    async fn held(&self, another_way: bool) -> Result<Vec<Held>, BrokerError> {
        self.enter(if another_way { "held another way" } else { "held" }).await?;
        let account = self.account();
        let legs = match &account.lagging {
            Some((legs, until)) if Instant::now() < *until => legs,
            _ => &account.legs,
        };
        let row = |(leg, (qty, at)): (&LegId, &(Decimal, Timestamp))| {
            Some(Held {
                leg: *leg,
                qty: Qty::new(*qty).ok()?,
                closes_with: if leg.side == HeldSide::Short { OrderSide::Buy } else { OrderSide::Sell },
                entry: None,
                mark: None,
                updated: Some(*at),
            })
        };
        Ok(legs.iter().filter_map(row).collect())
    }

    async fn resting(&self, _: Option<Symbol>) -> Result<Vec<Resting>, BrokerError> {
        self.enter("resting").await?;
        let mut account = self.account();
        let shown = account.orders.clone();
        // What was hidden from the first list shows in the next.
        let hidden = std::mem::take(&mut account.hidden);
        account.orders.extend(hidden);
        Ok(shown)
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, BrokerError> {
        self.enter("waiting").await?;
        Ok(self.account().conditional.clone())
    }

    async fn rules(&self) -> Result<Vec<InstrumentSpec>, BrokerError> {
        self.enter("rules").await?;
        Ok(self.account().specs.clone())
    }

    async fn close(&self, order: &CloseOrder) -> Result<OrderAck, SubmitError> {
        let (leg, closes_with) = leg_of(order);
        let (id, qty) = (order.client_id(), order.qty().get());
        let until = self.at().plus(LIFETIME);
        let fail = |error| SubmitError { error, acceptable_until: Some(until) };
        {
            let account = self.account();
            let live = account.placed.iter().find(|one| one.leg == leg && !one.state.is_terminal());
            assert!(live.is_none(), "a second close of {leg} while {live:?} is not over");
        }
        self.note(format!("close {leg} {}", qty.normalize()));
        let fault =
            self.enter("close").await.map_err(|error| SubmitError { error, acceptable_until: None })?;
        if let Some((symbol, until)) = self.account().refusing
            && symbol == leg.symbol
            && Instant::now() < until
        {
            let (reason, message) = (RejectReason::NotTrading, "halted".to_owned());
            return Err(fail(BrokerError::Rejected { reason, code: -4141, message }));
        }
        let place = |state, filled, visible_at| Placed { id, leg, state, filled, visible_at };
        let now = Instant::now();
        let (partly, is_live) = match fault {
            Some(Fault::LostRequest) => return Err(fail(lost())),
            Some(Fault::LostAnswer(visible_after)) => {
                let filled = self.execute(order, leg, closes_with, None).unwrap_or_default();
                let state = if filled == qty { ReportedState::Filled } else { ReportedState::Expired };
                self.account().placed.push(place(state, filled, now + visible_after));
                return Err(fail(lost()));
            }
            Some(Fault::Partly(text)) => (Some(d(text)), false),
            Some(Fault::Live) => (None, true),
            _ => (None, false),
        };
        let (state, filled) = if is_live {
            (ReportedState::Working, Decimal::ZERO)
        } else {
            let filled = self.execute(order, leg, closes_with, partly).map_err(fail)?;
            (if filled == qty { ReportedState::Filled } else { ReportedState::Expired }, filled)
        };
        self.account().placed.push(place(state.clone(), filled, now));
        Ok(OrderAck {
            client_id: id,
            order: OrderRef::Client { id, space: OrderSpace::Plain },
            state,
            filled,
        })
    }

    async fn find(&self, _: Symbol, id: &ClientOrderId) -> Result<Option<Found>, BrokerError> {
        self.enter("find").await?;
        let account = self.account();
        let found = account.placed.iter().find(|one| one.id == *id && one.visible_at <= Instant::now());
        Ok(found.map(|one| Found { state: one.state.clone(), filled: one.filled }))
    }

    async fn cancel(&self, symbol: Symbol, order: &OrderRef) -> Result<(), BrokerError> {
        self.note(format!("cancel {symbol} {order:?}"));
        self.enter("cancel").await?;
        let mut account = self.account();
        account.orders.retain(|one| one.leg.symbol != symbol || one.order != *order);
        account.conditional.retain(|one| one.order != *order);
        if let OrderRef::Client { id, .. } = order {
            for one in account.placed.iter_mut().filter(|one| one.id == *id) {
                one.state = ReportedState::Canceled;
            }
        }
        Ok(())
    }

    async fn cancel_plain(&self, symbol: Symbol) -> Result<(), BrokerError> {
        self.note(format!("cancel plain {symbol}"));
        self.enter("cancel plain").await?;
        self.account().orders.retain(|one| one.leg.symbol != symbol);
        Ok(())
    }

    async fn cancel_conditional(&self, symbol: Symbol) -> Result<(), BrokerError> {
        {
            let account = self.account();
            let open = account.legs.iter().find(|(leg, (qty, _))| leg.symbol == symbol && !qty.is_zero());
            assert!(open.is_none(), "stops of {symbol} are cancelled while {open:?} is open");
        }
        self.note(format!("sweep {symbol}"));
        self.enter("sweep").await?;
        self.account().conditional.retain(|one| one.symbol != symbol);
        Ok(())
    }

    async fn server_time(&self) -> Result<Timestamp, BrokerError> {
        self.enter("time").await?;
        Ok(self.at())
    }

    fn venue_now(&self) -> Timestamp {
        self.at()
    }

    fn banned_until(&self) -> Option<Timestamp> {
        self.account().banned_until
    }

    fn request_lifetime(&self) -> Duration {
        LIFETIME
    }

    fn visibility_delay(&self) -> Duration {
        VISIBILITY
    }
}

/// Runs a panic close on it; what it said comes back too.
pub(super) async fn close_all(script: &Arc<Script>) -> (Verdict, Vec<String>) {
    close_some(script, &[], Duration::from_secs(600)).await
}

pub(super) async fn close_some(
    script: &Arc<Script>,
    symbols: &[&str],
    within: Duration,
) -> (Verdict, Vec<String>) {
    let (_keep, interrupts) = watch::channel(0);
    close_with(script, symbols, within, interrupts).await
}

pub(super) async fn close_with(
    script: &Arc<Script>,
    symbols: &[&str],
    within: Duration,
    interrupts: watch::Receiver<u32>,
) -> (Verdict, Vec<String>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&said);
    let symbols = symbols.iter().map(|name| Symbol::parse(name).unwrap()).collect();
    let parts = PanicParts {
        venue: Arc::clone(script) as Arc<dyn ClosingVenue>,
        symbols: Some(symbols).filter(|set: &std::collections::BTreeSet<Symbol>| !set.is_empty()),
        ids: PanicIds::new(script.at()),
        started: Instant::now(),
        within,
        interrupts,
        say: Box::new(move |line| hears.lock().unwrap().push(line.to_owned())),
    };
    let verdict = run(parts).await;
    let said = said.lock().unwrap().clone();
    (verdict, said)
}
