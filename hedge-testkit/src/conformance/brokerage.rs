//! What every [`Brokerage`] must do.
//!
//! ```
//! use hedge_testkit::conformance::brokerage;
//!
//! # async fn run(my_desk: impl AsyncFn() -> brokerage::Desk) {
//! brokerage::all(my_desk).await;
//! # }
//! ```
//!
//! Each property wants a [`Desk`] of its own: a brokerage on a funded account that is flat, without orders, and in a market
//! whose prices move little. The venue may be far away, so nothing is expected at once: events are waited for.

use std::{sync::Arc, time::Duration};

use hedge_core::{
    AccountEvent, Approved, Brokerage, CashFlowKind, Changed, Channel, ClientOrderId, Coverage, Decimal,
    EventSource, Exit, Fill, InstrumentId, InstrumentIx, Leverage, MarginMode, MarketEvent, Order, OrderAck,
    OrderRef, OrderReport, OrderSpace, OrderSpaces, Outcome, PositionMode, PositionSide, Price, Qty,
    RejectReason, ReportedState, Subscription, Tif, Timestamp,
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::mint::Mint;

/// Longer than any venue takes to say something that it is going to say.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// A brokerage to be examined, and where on it.
#[derive(Debug)]
pub struct Desk {
    /// The brokerage.
    pub broker: Arc<dyn Brokerage>,
    /// An instrument that trades.
    pub instrument: InstrumentId,
}

/// Runs every property, each on a desk of its own.
pub async fn all(fresh: impl AsyncFn() -> Desk) {
    settings_change_once(&fresh().await).await;
    an_entry_is_acknowledged_told_and_found(&fresh().await).await;
    long_and_short_are_two_legs(&fresh().await).await;
    money_moves_by_profit_and_fee(&fresh().await).await;
    a_stop_waits_in_its_own_id_space(&fresh().await).await;
    a_stop_that_is_through_already_is_refused(&fresh().await).await;
    a_resting_close_can_be_cancelled(&fresh().await).await;
    cancelling_one_space_leaves_the_other(&fresh().await).await;
    a_close_without_a_leg_is_refused(&fresh().await).await;
    a_client_id_is_taken_once(&fresh().await).await;
    an_order_that_never_was_is_not_found(&fresh().await).await;
}

/// Settings: what differs is changed, what is so already is left alone and said to be.
pub async fn settings_change_once(desk: &Desk) {
    let (broker, instrument) = (&desk.broker, &desk.instrument);
    broker.ensure_position_mode(PositionMode::Hedge).await.expect("hedge mode");
    let again = broker.ensure_position_mode(PositionMode::Hedge).await.expect("hedge mode again");
    assert_eq!(again, Changed::No, "hedge mode is on already");
    assert_eq!(broker.account().await.expect("the account").mode, PositionMode::Hedge);
    for multiple in [3, 5] {
        let leverage = Leverage::new(multiple).expect("a leverage");
        broker.ensure_leverage(instrument, leverage).await.expect("leverage");
        let again = broker.ensure_leverage(instrument, leverage).await.expect("leverage again");
        assert_eq!(again, Changed::No, "leverage is {multiple} already");
    }
    for mode in [MarginMode::Isolated, MarginMode::Crossed] {
        if broker.capabilities().margin_modes.contains(&mode) {
            broker.ensure_margin_mode(instrument, mode).await.expect("margin mode");
            let again = broker.ensure_margin_mode(instrument, mode).await.expect("margin mode again");
            assert_eq!(again, Changed::No, "the margin mode is {mode:?} already");
        }
    }
}

/// Entries: the answer names our id; the stream tells executions and the end; leg, order and executions can be read.
pub async fn an_entry_is_acknowledged_told_and_found(desk: &Desk) {
    let mut session = Session::open(desk).await;
    let mint = session.mint();
    let (side, qty) = (PositionSide::Long, mint.small_qty());
    let order = mint.open(side, qty);
    let ack = session.submit(&order).await;
    assert_eq!(ack.client_id, *order.get().client_id());
    assert_eq!(ack.order.space(), OrderSpace::Plain);

    let told = session.filled(order.get().client_id(), qty).await;
    for fill in &told {
        assert_eq!((fill.instrument, fill.side.leg()), (desk.instrument, Some(side)));
        assert_eq!((fill.order_side, fill.is_close()), (order.get().side(), Some(false)));
    }
    session.leg_is(side, qty.get()).await;

    let by_id = OrderRef::Client { id: *order.get().client_id(), space: OrderSpace::Plain };
    let found = session.found(&by_id, |report| report.state == ReportedState::Filled).await;
    assert_eq!((found.filled, found.order), (qty.get(), ack.order), "found under our id");
    assert_eq!(found.client_id.ours(), Some(order.get().client_id()));
    let read = desk.broker.fills_since(&desk.instrument, session.began).await.expect("executions");
    for fill in &told {
        let same =
            read.iter().find(|other| other.trade_id == fill.trade_id).expect("the execution can be read");
        assert_eq!(
            (same.qty, same.price, same.fee, same.order),
            (fill.qty, fill.price, fill.fee, fill.order)
        );
    }
    assert!(session.open_orders().await.is_empty(), "nothing rests");
    session.leave().await;
}

/// Legs: LONG and SHORT of one symbol stand beside each other, and closing one leaves the other.
pub async fn long_and_short_are_two_legs(desk: &Desk) {
    let mut session = Session::open(desk).await;
    let qty = session.mint().small_qty();
    session.enter(PositionSide::Long, qty).await;
    session.enter(PositionSide::Short, qty).await;
    session.exit(PositionSide::Long, qty).await;
    session.leg_is(PositionSide::Long, Decimal::ZERO).await;
    session.leg_is(PositionSide::Short, qty.get()).await;
    session.leave().await;
}

/// Money: after a round trip the wallet has changed by what the executions realised, less their fees, to the last digit.
pub async fn money_moves_by_profit_and_fee(desk: &Desk) {
    let mut session = Session::open(desk).await;
    let before = session.wallet().await;
    let qty = session.mint().small_qty();
    let mut fills = session.enter(PositionSide::Short, qty).await;
    fills.extend(session.exit(PositionSide::Short, qty).await);
    let explained: Decimal = fills
        .iter()
        .map(|fill| {
            assert_eq!(fill.fee.asset, session.spec_settle(), "fees are paid in the settlement asset here");
            fill.realized.map_or(Decimal::ZERO, |realized| realized.get()) - fill.fee.value.get()
        })
        .sum();
    assert!(fills.iter().any(|fill| fill.fee.value.get() > Decimal::ZERO), "trading costs something");
    let mut flows = Decimal::ZERO;
    for flow in desk.broker.cash_flows_since(session.began).await.expect("flows") {
        // A venue may list the fees and profits of fills once more; they are counted with the fills.
        if !matches!(flow.kind, CashFlowKind::Fee | CashFlowKind::RealizedPnl) {
            flows += flow.amount.value.get();
        }
    }
    assert_eq!(session.wallet().await - before, explained + flows);
    session.leave().await;
}

/// Stops: a stop over the whole leg is told, listed and found in the conditional id space, and can be cancelled.
pub async fn a_stop_waits_in_its_own_id_space(desk: &Desk) {
    let mut session = Session::open(desk).await;
    let (side, qty) = (PositionSide::Long, session.mint().small_qty());
    session.enter(side, qty).await;
    let mint = session.mint();
    let trigger = mint.away(-10);
    let stop = mint.stop(side, qty, trigger);
    let ack = session.submit(&stop).await;
    assert_eq!(ack.order.space(), OrderSpace::Algo);
    assert!(!ack.state.is_terminal(), "{:?}", ack.state);
    session.told(stop.get().client_id(), |report| report.state == ReportedState::Working).await;
    let open = session.open_orders().await;
    let listed = open.iter().find(|report| report.client_id.ours() == Some(stop.get().client_id()));
    let listed = listed.expect("the stop is listed");
    assert_eq!((listed.covers, listed.trigger), (Coverage::WholeLeg, Some(trigger)));
    assert_eq!((listed.side.leg(), listed.is_close()), (Some(side), Some(true)));
    assert_eq!((listed.order, listed.qty), (ack.order, None));

    desk.broker.cancel(&desk.instrument, &ack.order).await.expect("the stop can be cancelled");
    session.told(stop.get().client_id(), |report| report.state == ReportedState::Canceled).await;
    let by_id = OrderRef::Client { id: *stop.get().client_id(), space: OrderSpace::Algo };
    session.found(&by_id, |report| report.state == ReportedState::Canceled).await;
    let again = desk.broker.cancel(&desk.instrument, &ack.order).await.expect_err("it is gone");
    assert_eq!(
        (again.outcome(), again.reason()),
        (Outcome::Rejected, Some(RejectReason::NotFound)),
        "{again}"
    );
    session.leg_is(side, qty.get()).await;
    session.leave().await;
}

/// Stops: one whose price is reached already is refused as such, and nothing is left of it.
pub async fn a_stop_that_is_through_already_is_refused(desk: &Desk) {
    let mut session = Session::open(desk).await;
    let (side, qty) = (PositionSide::Short, session.mint().small_qty());
    session.enter(side, qty).await;
    let mint = session.mint();
    let stop = mint.stop(side, qty, mint.away(-10));
    let refused = session.refused(&stop).await;
    assert_eq!(refused, (Outcome::Rejected, Some(RejectReason::WouldTrigger)));
    assert!(session.open_orders().await.is_empty());
    session.leave().await;
}

/// Limits: a close that rests is told and listed, takes nothing from the leg, and can be cancelled by our id.
pub async fn a_resting_close_can_be_cancelled(desk: &Desk) {
    let mut session = Session::open(desk).await;
    let (side, qty) = (PositionSide::Long, session.mint().small_qty());
    session.enter(side, qty).await;
    let close = session.resting_close(side, qty);
    session.submit(&close).await;
    session.told(close.get().client_id(), |report| report.state == ReportedState::Working).await;
    assert_eq!(session.open_orders().await.len(), 1);
    session.leg_is(side, qty.get()).await;
    let by_id = OrderRef::Client { id: *close.get().client_id(), space: OrderSpace::Plain };
    desk.broker.cancel(&desk.instrument, &by_id).await.expect("the close can be cancelled");
    let ended = session.told(close.get().client_id(), |report| report.state.is_terminal()).await;
    assert_eq!((ended.state, ended.filled), (ReportedState::Canceled, Decimal::ZERO));
    assert!(session.open_orders().await.is_empty());
    session.leave().await;
}

/// Limits: cancelling all plain orders leaves the stop, which is the point of the two spaces.
pub async fn cancelling_one_space_leaves_the_other(desk: &Desk) {
    let mut session = Session::open(desk).await;
    let (side, qty) = (PositionSide::Long, session.mint().small_qty());
    session.enter(side, qty).await;
    let mint = session.mint();
    let (close, stop) = (session.resting_close(side, qty), mint.stop(side, qty, mint.away(-10)));
    session.submit(&close).await;
    session.submit(&stop).await;
    desk.broker.cancel_all(&desk.instrument, OrderSpaces::Plain).await.expect("plain orders");
    session.told(close.get().client_id(), |report| report.state == ReportedState::Canceled).await;
    let left = session.open_orders().await;
    let left: Vec<_> = left.iter().map(|report| report.client_id.as_str()).collect();
    assert_eq!(left, [stop.get().client_id().as_str()]);
    desk.broker.cancel_all(&desk.instrument, OrderSpaces::Algo).await.expect("conditional orders");
    session.told(stop.get().client_id(), |report| report.state == ReportedState::Canceled).await;
    session.leave().await;
}

/// Closes: without a leg there is nothing to close, and a close never opens the other side.
pub async fn a_close_without_a_leg_is_refused(desk: &Desk) {
    let session = Session::open(desk).await;
    let mint = session.mint();
    let close = mint.close(PositionSide::Long, mint.small_qty(), &Exit::Market);
    let refused = session.refused(&close).await;
    assert_eq!(refused, (Outcome::Rejected, Some(RejectReason::NothingToClose)));
    for side in PositionSide::BOTH {
        session.leg_is(side, Decimal::ZERO).await;
    }
    session.leave().await;
}

/// Ids: one that a live order bears is not taken again. The answer is no rejection, for an order of that id does live: it
/// says that the outcome is unknown, and whoever hears it asks.
pub async fn a_client_id_is_taken_once(desk: &Desk) {
    let mut session = Session::open(desk).await;
    let (side, qty) = (PositionSide::Long, session.mint().small_qty());
    session.enter(side, qty).await;
    let close = session.resting_close(side, half(&session.mint(), qty));
    session.submit(&close).await;
    assert_eq!(session.refused(&close).await.0, Outcome::Unknown);
    assert_eq!(session.open_orders().await.len(), 1);
    session.leave().await;
}

/// Lookups: "not found" is an answer, in both id spaces; cancelling what is not there is a refusal and no doubt.
pub async fn an_order_that_never_was_is_not_found(desk: &Desk) {
    let session = Session::open(desk).await;
    for space in [OrderSpace::Plain, OrderSpace::Algo] {
        let id = session.mint().id(hedge_core::OrderPurpose::Close);
        let by_id = OrderRef::Client { id, space };
        let found = desk.broker.find_order(&desk.instrument, &by_id).await.expect("an answer");
        assert_eq!(found, None, "{space:?}");
        let refused = desk.broker.cancel(&desk.instrument, &by_id).await.expect_err("nothing to cancel");
        assert_eq!((refused.outcome(), refused.reason()), (Outcome::Rejected, Some(RejectReason::NotFound)));
    }
}

fn half(mint: &Mint, qty: Qty) -> Qty {
    mint.spec
        .floor_qty(qty.get() / Decimal::TWO, &mint.spec.lot)
        .expect("half a small quantity is on the grid")
}

/// One examination: streams are connected, and something is known of the market.
struct Session<'a> {
    desk: &'a Desk,
    mint: Mint,
    began: Timestamp,
    mark: watch::Receiver<Option<Price>>,
    market: JoinHandle<()>,
    events: Box<dyn EventSource<AccountEvent>>,
    told: Vec<AccountEvent>,
}

impl<'a> Session<'a> {
    async fn open(desk: &'a Desk) -> Self {
        let broker = &desk.broker;
        broker.ensure_position_mode(PositionMode::Hedge).await.expect("hedge mode");
        broker
            .ensure_leverage(&desk.instrument, Leverage::new(5).expect("a leverage"))
            .await
            .expect("leverage");
        let events = broker.account_events().await.expect("the account stream");
        let instrument = InstrumentIx(0);
        let what = [Subscription { id: desk.instrument, instrument, channel: Channel::Mark }];
        let mut source = broker.market_events(&what).await.expect("the market stream");
        let (sender, mut mark) = watch::channel(None);
        // Listened to all the time: a simulated account lives on it.
        let market = tokio::spawn(async move {
            while let Some(event) = source.next().await {
                if let MarketEvent::Mark { mark, .. } = event {
                    sender.send_replace(Some(mark));
                }
            }
        });
        timeout(PATIENCE, mark.wait_for(Option::is_some))
            .await
            .expect("a mark comes")
            .expect("the market goes on");
        let specs = broker.instruments().await.expect("the instruments");
        let spec =
            specs.into_iter().find(|spec| spec.id == desk.instrument).expect("the instrument is listed");
        let began = broker.server_time().await.expect("the venue's clock");
        let first = (*mark.borrow()).expect("a mark has come");
        let mint = Mint { spec, now: began, mark: first };
        Self { desk, mint, began, mark, market, events, told: Vec::new() }
    }

    fn mint(&self) -> Mint {
        let mark = self.mark.borrow().unwrap_or(self.mint.mark);
        Mint { mark, ..self.mint.clone() }
    }

    fn spec_settle(&self) -> hedge_core::Asset {
        self.mint.spec.settle
    }

    async fn submit(&self, order: &Approved<Order>) -> OrderAck {
        let id = order.get().client_id();
        match self.desk.broker.submit(order).await {
            Ok(ack) => ack,
            Err(failed) => panic!("{id} was not taken: {}", failed.error),
        }
    }

    async fn refused(&self, order: &Approved<Order>) -> (Outcome, Option<RejectReason>) {
        match self.desk.broker.submit(order).await {
            Ok(ack) => panic!("{ack:?} should have been refused"),
            Err(failed) => (failed.error.outcome(), failed.error.reason()),
        }
    }

    async fn enter(&mut self, side: PositionSide, qty: Qty) -> Vec<Fill> {
        let order = self.mint().open(side, qty);
        self.submit(&order).await;
        let fills = self.filled(order.get().client_id(), qty).await;
        self.leg_is(side, qty.get()).await;
        fills
    }

    async fn exit(&mut self, side: PositionSide, qty: Qty) -> Vec<Fill> {
        let order = self.mint().close(side, qty, &Exit::Market);
        self.submit(&order).await;
        self.filled(order.get().client_id(), qty).await
    }

    /// Far from the market, on the side where it would gain.
    fn resting_close(&self, side: PositionSide, qty: Qty) -> Approved<Order> {
        let mint = self.mint();
        let percent = match side {
            PositionSide::Long => 3,
            PositionSide::Short => -3,
        };
        mint.close(side, qty, &Exit::Limit { price: mint.away(percent), tif: Tif::Gtc })
    }

    /// Hears the stream until what it has told satisfies somebody.
    async fn hear<T>(&mut self, what: &str, enough: impl Fn(&[AccountEvent]) -> Option<T>) -> T {
        let found = timeout(PATIENCE, async {
            loop {
                if let Some(found) = enough(&self.told) {
                    return found;
                }
                let event = self.events.next().await.expect("the account stream goes on");
                self.told.push(event);
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => panic!("{what} was not told; told was {:#?}", self.told),
        }
    }

    async fn told(&mut self, id: &ClientOrderId, is_it: impl Fn(&OrderReport) -> bool) -> OrderReport {
        let what = format!("the report about {id}");
        self.hear(&what, |events| {
            events.iter().find_map(|event| match event {
                AccountEvent::Order { report } if report.client_id.ours() == Some(id) && is_it(report) => {
                    Some(report.clone())
                }
                _ => None,
            })
        })
        .await
    }

    /// The executions of an order that fills, and its end.
    async fn filled(&mut self, id: &ClientOrderId, qty: Qty) -> Vec<Fill> {
        let report = self.told(id, |report| report.state.is_terminal()).await;
        assert_eq!((&report.state, report.filled), (&ReportedState::Filled, qty.get()), "{id}");
        let what = format!("every execution of {id}");
        self.hear(&what, |events| {
            let fills: Vec<Fill> = events
                .iter()
                .filter_map(|event| match event {
                    AccountEvent::Fill { fill } => Some(fill.clone()),
                    _ => None,
                })
                .filter(|fill| fill.client_id.as_ref().and_then(|other| other.ours()) == Some(id))
                .collect();
            (fills.iter().map(|fill| fill.qty.get()).sum::<Decimal>() == qty.get()).then_some(fills)
        })
        .await
    }

    async fn leg_is(&self, side: PositionSide, qty: Decimal) {
        let look = async || {
            let positions = self.desk.broker.positions().await.expect("positions");
            let ours = positions
                .into_iter()
                .find(|leg| leg.key().instrument == self.desk.instrument && leg.key().side == side);
            ours.map_or(Decimal::ZERO, |leg| leg.qty().get())
        };
        until(&format!("the {side} leg holds {qty}"), async || look().await == qty).await;
    }

    async fn found(&self, order: &OrderRef, is_it: impl Fn(&OrderReport) -> bool) -> OrderReport {
        let what = format!("{order:?} can be looked up");
        let mut last = None;
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            last = self.desk.broker.find_order(&self.desk.instrument, order).await.expect("an answer");
            if let Some(report) = last.take_if(|report| is_it(report)) {
                return report;
            }
            sleep(PAUSE).await;
        }
        panic!("not so: {what}; the last answer was {last:?}")
    }

    /// Of this instrument.
    async fn open_orders(&self) -> Vec<OrderReport> {
        let mut open = self.desk.broker.open_orders().await.expect("open orders");
        open.retain(|report| report.instrument == self.desk.instrument);
        open
    }

    async fn wallet(&self) -> Decimal {
        let account = self.desk.broker.account().await.expect("the account");
        let settle = self.mint.spec.settle;
        let row = account.balances.iter().find(|row| row.asset == settle).expect("a wallet");
        row.wallet.get()
    }

    /// Leaves the account as it was found: flat and without orders.
    async fn leave(mut self) {
        self.desk
            .broker
            .cancel_all(&self.desk.instrument, OrderSpaces::Both)
            .await
            .expect("cancel everything");
        for leg in self.desk.broker.positions().await.expect("positions") {
            if leg.key().instrument == self.desk.instrument {
                self.exit(leg.key().side, leg.qty()).await;
            }
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.market.abort();
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        if holds().await {
            return;
        }
        sleep(PAUSE).await;
    }
    panic!("not so: {what}")
}
