//! A brokerage without power: orders are simulated, everything else is read.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use hedge_core::{
    AccountEvent, AccountSnapshot, Approved, Bar, BarQuery, Book, BrokerError, Brokerage, Capabilities,
    CashFlow, Changed, EventSource, Fill, InstrumentId, InstrumentSpec, Leverage, MarginMode, MarketEvent,
    Order, OrderAck, OrderRef, OrderReport, OrderSpaces, Position, PositionMode, SubmitError, Subscription,
    Timestamp, VenueFingerprint, VenueReader,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{
    config::{PaperConfig, PaperError},
    feed::{self, PaperAccount},
    simulation::Simulation,
    start::Start,
};

/// Reads of positions in a row that may differ.
const READS: u32 = 5;

/// Where a dry run begins.
#[derive(Clone, Copy, Debug)]
pub enum PaperSeed<'a> {
    /// As the account stands: the first start.
    Account,
    /// Where the journal of an earlier dry run ends: a restart goes on with the same simulated positions.
    Book(&'a Book),
}

/// A [`Brokerage`] without power: the market of a venue, and an account that is simulated on it.
///
/// It holds a [`VenueReader`] and nothing else, so that no call on it can change the account: there is nothing inside that
/// could.
///
/// ```compile_fail
/// async fn send<R: hedge_core::VenueReader>(reader: &R, order: &hedge_core::Approved<hedge_core::Order>) {
///     reader.submit(order).await;
/// }
/// ```
#[derive(Debug)]
pub struct Paper<R> {
    reader: R,
    shared: Arc<Shared>,
    follow_book: bool,
    notes: Vec<String>,
}

/// The simulation and who listens to its account.
#[derive(Debug)]
pub(super) struct Shared(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    simulation: Simulation,
    listeners: Vec<UnboundedSender<AccountEvent>>,
}

impl Shared {
    /// Does something to the simulation; what that leads to is told before anybody else can do anything.
    pub(super) fn act<T>(&self, deed: impl FnOnce(&mut Simulation) -> T) -> T {
        // A panic elsewhere has left a whole simulation behind: no command stops half way.
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let done = deed(&mut inner.simulation);
        let events = inner.simulation.take_events();
        inner.listeners.retain(|listener| events.iter().all(|event| listener.send(event.clone()).is_ok()));
        done
    }

    fn listen(&self, listener: UnboundedSender<AccountEvent>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).listeners.push(listener);
    }
}

impl<R: VenueReader> Paper<R> {
    /// Starts a dry run with the usual settings.
    ///
    /// # Errors
    /// As [`start_with`](Self::start_with).
    pub async fn start(reader: R, seed: PaperSeed<'_>) -> Result<Self, PaperError> {
        Self::start_with(reader, seed, PaperConfig::default()).await
    }

    /// Starts a dry run. The account is read in any case: a restart takes from it what the journal cannot know.
    ///
    /// # Errors
    /// [`PaperError`]: the venue cannot be read, or something that is held cannot be simulated.
    pub async fn start_with(reader: R, seed: PaperSeed<'_>, config: PaperConfig) -> Result<Self, PaperError> {
        let specs = reader.instruments().await.map_err(reading("the instruments"))?;
        let (account, positions) = read_account(&reader).await?;
        let (start, notes) = match seed {
            PaperSeed::Account => {
                let orders = reader.open_orders().await.map_err(reading("the open orders"))?;
                (Start::of_account(&account, &positions), left_out(&orders))
            }
            PaperSeed::Book(book) => (Start::of_book(book, &account, &positions), Vec::new()),
        };
        let follow_book = config.follow_book;
        let simulation = Simulation::new(config, &specs, &start)?;
        let inner = Inner { simulation, listeners: Vec::new() };
        Ok(Self { reader, shared: Arc::new(Shared(Mutex::new(inner))), follow_book, notes })
    }

    /// What of the account is not simulated, one sentence each, for the operator.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The client that reads.
    pub const fn reader(&self) -> &R {
        &self.reader
    }
}

/// Balances and positions that belong together.
async fn read_account<R: VenueReader>(reader: &R) -> Result<(AccountSnapshot, Vec<Position>), PaperError> {
    let legs = |positions: &[Position]| -> Vec<_> {
        let mut legs: Vec<_> = positions.iter().map(|leg| (*leg.key(), leg.qty(), leg.entry())).collect();
        legs.sort_unstable();
        legs
    };
    let mut before = reader.positions().await.map_err(reading("the positions"))?;
    for _ in 0..READS {
        let account = reader.account().await.map_err(reading("the account"))?;
        let positions = reader.positions().await.map_err(reading("the positions"))?;
        if legs(&before) == legs(&positions) {
            return Ok((account, positions));
        }
        before = positions;
    }
    Err(PaperError::Moving)
}

fn reading(what: &'static str) -> impl Fn(BrokerError) -> PaperError {
    move |source| PaperError::Read { what, source }
}

/// Names the account's open orders: they stay where they are, and the dry run acts as if there were none.
fn left_out(orders: &[OrderReport]) -> Vec<String> {
    let name = |order: &OrderReport| {
        let (symbol, id) = (order.instrument.symbol, order.client_id.as_str());
        format!("the dry run leaves out the account's open order {id} on {symbol} ({})", order.order_side)
    };
    orders.iter().map(name).collect()
}

#[async_trait]
impl<R: VenueReader> VenueReader for Paper<R> {
    fn fingerprint(&self) -> &VenueFingerprint {
        self.reader.fingerprint()
    }

    fn capabilities(&self) -> &Capabilities {
        self.reader.capabilities()
    }

    async fn server_time(&self) -> Result<Timestamp, BrokerError> {
        let now = self.reader.server_time().await?;
        self.shared.act(|simulation| simulation.hear_time(now));
        Ok(now)
    }

    async fn instruments(&self) -> Result<Vec<InstrumentSpec>, BrokerError> {
        let specs = self.reader.instruments().await?;
        self.shared.act(|simulation| simulation.refresh(&specs));
        Ok(specs)
    }

    async fn account(&self) -> Result<AccountSnapshot, BrokerError> {
        Ok(self.shared.act(Simulation::account))
    }

    async fn positions(&self) -> Result<Vec<Position>, BrokerError> {
        Ok(self.shared.act(|simulation| simulation.positions()))
    }

    async fn open_orders(&self) -> Result<Vec<OrderReport>, BrokerError> {
        Ok(self.shared.act(|simulation| simulation.open_orders()))
    }

    async fn find_order(
        &self,
        instrument: &InstrumentId,
        order: &OrderRef,
    ) -> Result<Option<OrderReport>, BrokerError> {
        Ok(self.shared.act(|simulation| simulation.find_order(instrument, order)))
    }

    async fn fills_since(
        &self,
        instrument: &InstrumentId,
        since: Timestamp,
    ) -> Result<Vec<Fill>, BrokerError> {
        Ok(self.shared.act(|simulation| simulation.fills_since(instrument, since)))
    }

    async fn cash_flows_since(&self, since: Timestamp) -> Result<Vec<CashFlow>, BrokerError> {
        Ok(self.shared.act(|simulation| simulation.cash_flows_since(since)))
    }

    async fn bars(&self, query: &BarQuery) -> Result<Vec<Bar>, BrokerError> {
        self.reader.bars(query).await
    }

    async fn account_events(&self) -> Result<Box<dyn EventSource<AccountEvent>>, BrokerError> {
        let (sender, receiver) = unbounded_channel();
        self.shared.listen(sender);
        Ok(Box::new(PaperAccount(receiver)))
    }

    async fn market_events(
        &self,
        what: &[Subscription],
    ) -> Result<Box<dyn EventSource<MarketEvent>>, BrokerError> {
        let in_use = self.shared.act(|simulation| simulation.in_use());
        let plan = feed::plan(what, &in_use, self.follow_book);
        let source = self.reader.market_events(plan.subscriptions()).await?;
        Ok(Box::new(plan.listen(source, Arc::clone(&self.shared))))
    }
}

#[async_trait]
impl<R: VenueReader> Brokerage for Paper<R> {
    async fn submit(&self, order: &Approved<Order>) -> Result<OrderAck, SubmitError> {
        self.shared
            .act(|simulation| simulation.submit(order.get()))
            .map_err(|error| SubmitError { error, acceptable_until: None })
    }

    async fn cancel(&self, instrument: &InstrumentId, order: &OrderRef) -> Result<(), BrokerError> {
        self.shared.act(|simulation| simulation.cancel(instrument, order))
    }

    async fn cancel_all(&self, instrument: &InstrumentId, which: OrderSpaces) -> Result<(), BrokerError> {
        self.shared.act(|simulation| simulation.cancel_all(instrument, which))
    }

    async fn ensure_position_mode(&self, mode: PositionMode) -> Result<Changed, BrokerError> {
        self.shared.act(|simulation| simulation.ensure_position_mode(mode))
    }

    async fn ensure_margin_mode(
        &self,
        instrument: &InstrumentId,
        mode: MarginMode,
    ) -> Result<Changed, BrokerError> {
        self.shared.act(|simulation| simulation.ensure_margin_mode(instrument, mode))
    }

    async fn ensure_leverage(
        &self,
        instrument: &InstrumentId,
        leverage: Leverage,
    ) -> Result<Changed, BrokerError> {
        self.shared.act(|simulation| simulation.ensure_leverage(instrument, leverage))
    }

    async fn dead_man(&self, instrument: &InstrumentId, timer: Option<Duration>) -> Result<(), BrokerError> {
        self.shared.act(|simulation| simulation.dead_man(instrument, timer))
    }
}
