//! The loop: one fact, one step, durable before a command leaves.

use std::{collections::BTreeMap, sync::Arc};

use hedge_core::{
    Action, Book, Brokerage, Clock, Entry, Fact, Failpoint, InstrumentId, Leg, OperatorCommand, OrderRecord,
    OrderState, StateStore, Term, Tif, Timestamp, Venue,
    engine::{Effect, Engine, Step},
};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tracing::{error, info, warn};

#[cfg(unix)]
use crate::control::Server;
use crate::{
    activity::{Activity, Kind, Token},
    clock::Forward,
    deadman::{DeadMan, Tools},
    dispatch::Dispatch,
    error::RunError,
    fence::{Fence, taken_over},
    journal::{Journal, Ticket},
    observer::Observer,
    settings::{Settings, held},
    shutdown::Shutdown,
    snapshot::Traffic,
    sources::{Next, Operator, Queued, Sources},
    views::{Publisher, Views},
};

/// The shortest time between two timer facts: a deadline that stays in the past must not starve the market.
const TICK_PAUSE: std::time::Duration = std::time::Duration::from_millis(1);
/// How long requests may take to be dropped once another process leads.
const ABANDON_WITHIN: std::time::Duration = std::time::Duration::from_secs(1);
/// How long the last views may take to be written.
const LAST_VIEWS_WITHIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Everything a run is made of besides the engine.
#[derive(Debug)]
pub struct Parts {
    /// Where the journal and the views live.
    pub store: Arc<dyn StateStore>,
    /// One armed client per venue.
    pub venues: Vec<Arc<dyn Brokerage>>,
    /// The one source of time.
    pub clock: Arc<dyn Clock>,
    /// Asked before each write to a trading socket.
    pub fence: Arc<dyn Fence>,
    /// What is going on; shared with a lockstep driver.
    pub activity: Arc<Activity>,
    /// Who watches.
    pub observers: Vec<Box<dyn Observer>>,
    /// How to stop.
    pub shutdown: Shutdown,
    /// Plain settings.
    pub settings: Settings,
}

/// A run that stopped on purpose, with its state kept.
#[derive(Debug)]
pub struct RunEnd {
    /// Why.
    pub because: String,
    /// The engine as it stopped.
    pub engine: Engine,
}

/// The shell around one engine.
#[derive(Debug)]
pub struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) venues: BTreeMap<Venue, Arc<dyn Brokerage>>,
    pub(crate) clock: Arc<Forward>,
    pub(crate) fence: Arc<dyn Fence>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) settings: Settings,
    pub(crate) sources: Sources,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) views: Views,
    pub(crate) observers: Vec<Box<dyn Observer>>,
    shutdown: Shutdown,
    step: Step,
    /// The time and the last record of a step whose effects have not been handed over yet.
    owed: Option<(Timestamp, Ticket)>,
    /// Keeps the run from looking idle before it has started.
    starting: Option<Token>,
}

/// What exists once a run has the lead.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) journal: Journal,
    pub(crate) dispatch: Dispatch,
    pub(crate) feeds: JoinSet<()>,
    /// The venue's timer for resting entries, where it is wanted.
    dead_man: Option<DeadMan>,
    pub(crate) term: Term,
    /// What this run looks after: the universe, and what is still held or ordered from an earlier one.
    pub(crate) instruments: Vec<InstrumentId>,
    pub(crate) started_at: Timestamp,
    /// The account has been read: from here on the book knows what is open.
    pub(crate) is_read: bool,
    /// The history has been read: from here on something may open.
    is_warm: bool,
    reconcile_at: Timestamp,
    instruments_at: Timestamp,
    /// A venue has announced new rules.
    pub(crate) announced: Arc<Notify>,
    last_tick_at: Timestamp,
}

impl Running {
    pub(crate) fn new(
        journal: Journal,
        dispatch: Dispatch,
        term: Term,
        instruments: Vec<InstrumentId>,
        started_at: Timestamp,
    ) -> Self {
        Self {
            journal,
            dispatch,
            feeds: JoinSet::new(),
            dead_man: None,
            term,
            instruments,
            started_at,
            reconcile_at: Timestamp::MAX,
            instruments_at: Timestamp::MAX,
            is_read: false,
            is_warm: false,
            announced: Arc::default(),
            last_tick_at: Timestamp::EPOCH,
        }
    }
}

impl Runtime {
    /// Puts an engine into its shell. Nothing happens before [`run`](Self::run).
    pub fn new(engine: Engine, parts: Parts) -> Self {
        let sources = Sources::new(&parts.activity);
        let starting = Some(parts.activity.count(Kind::Effect));
        Self {
            engine,
            store: parts.store,
            venues: parts.venues.into_iter().map(|broker| (broker.fingerprint().venue, broker)).collect(),
            clock: Arc::new(Forward::new(parts.clock)),
            fence: parts.fence,
            activity: parts.activity,
            views: Views::new(parts.settings.simulated),
            settings: parts.settings,
            sources,
            traffic: Arc::new(Traffic::default()),
            observers: parts.observers,
            shutdown: parts.shutdown,
            step: Step::default(),
            owed: None,
            starting,
        }
    }

    /// A handle for commands by people and tools.
    pub fn operator(&self) -> Operator {
        self.sources.senders.operator_handle()
    }

    /// Boots, runs until somebody asks to stop, and stops with all state kept.
    ///
    /// Errors: [`RunError::Journal`] when a record could not be written and [`RunError::Fenced`] when another process leads
    /// the account, at any time; the others at start-up only.
    pub async fn run(mut self) -> Result<RunEnd, RunError> {
        let shutdown = self.shutdown.clone();
        let mut running = tokio::select! {
            biased;
            led = self.lead() => led?,
            because = shutdown.requested() => return Ok(self.stopped_early(because)),
        };
        #[cfg(unix)]
        let server = self.serve_control()?;
        let (fence, term) = (Arc::clone(&self.fence), running.term);
        let ended = tokio::select! {
            biased;
            because = taken_over(fence.as_ref(), term) => Err(RunError::Fenced { because }),
            ended = self.live(&mut running, &shutdown) => ended,
        };
        if let Err(RunError::Fenced { because }) = &ended {
            error!(%term, because, "another process leads this account; nothing more is sent or journalled");
            self.abandon(&mut running).await;
        } else if ended.is_err()
            && let Some(dead_man) = &mut running.dead_man
        {
            // Nobody renews it any more, and the stops of open legs must not go with it.
            dead_man.finish(self.engine.book()).await;
        }
        // Whoever still waits for an answer is told that none will come.
        self.sources.close();
        #[cfg(unix)]
        if let Some(server) = server {
            server.close().await;
        }
        ended.map(|because| RunEnd { because, engine: self.engine })
    }

    /// Starts to serve the control socket, where one is wanted.
    #[cfg(unix)]
    fn serve_control(&self) -> Result<Option<Server>, RunError> {
        let Some(state_dir) = &self.settings.control else { return Ok(None) };
        Server::start(state_dir, self.sources.senders.asks.clone()).map(Some).map_err(|source| {
            RunError::Control { socket: state_dir.join("control.sock").display().to_string(), source }
        })
    }

    fn stopped_early(self, because: String) -> RunEnd {
        info!(because, "stopped during start-up");
        RunEnd { because, engine: self.engine }
    }

    /// Everything that one leader does. Ends with the reason to stop.
    async fn live(&mut self, running: &mut Running, shutdown: &Shutdown) -> Result<String, RunError> {
        let booted = tokio::select! {
            biased;
            booted = self.boot(running) => booted.map(|()| None),
            because = shutdown.requested() => Ok(Some(because)),
        };
        let mut publisher = Publisher::start(Arc::clone(&self.store), self.settings.views_every);
        let because = match booted {
            Ok(None) => self.follow(running, &mut publisher).await?,
            Ok(Some(because)) => {
                info!(because, "stopped during start-up");
                because
            }
            Err(error) => {
                self.give_up(running, &error).await;
                return Err(error);
            }
        };
        self.starting = None;
        // The start may have been left in the middle of a step.
        self.hand_over(running).await?;
        // The feeds live on through the drain: an answer may announce a fill that only the account stream brings.
        self.drain(running).await?;
        if let Some(dead_man) = &mut running.dead_man {
            dead_man.finish(self.engine.book()).await;
        }
        running.feeds.shutdown().await;
        self.take(running, Fact::RunStopped { because: because.clone() }).await?;
        running.dispatch.stop().await;
        running.journal.close().await?;
        if running.is_read {
            self.publish(running, &mut publisher);
        }
        if timeout(LAST_VIEWS_WITHIN, publisher.finish()).await.is_err() {
            warn!("the last views were not written in time; the journal is complete");
        }
        Ok(because)
    }

    /// A start that fails after it has sent something learns what became of that, where it still may.
    async fn give_up(&mut self, running: &mut Running, error: &RunError) {
        if !running.is_read || matches!(error, RunError::Journal(_) | RunError::Fenced { .. }) {
            return;
        }
        self.starting = None;
        let landed = match self.hand_over(running).await {
            Ok(()) => self.drain(running).await,
            Err(error) => Err(error),
        };
        if let Err(error) = landed {
            warn!(%error, "answers that were on their way are asked about at the next start");
        }
    }

    /// Waits for a part of the start. Meanwhile results, the account stream, people and timers are served like in the loop:
    /// a stop that was refused cannot wait for the history of all series. Market facts are held back.
    pub(crate) async fn meanwhile<T>(
        &mut self,
        running: &mut Running,
        part: impl Future<Output = T>,
    ) -> Result<T, RunError> {
        tokio::pin!(part);
        loop {
            let deadline = self.next_tick(running);
            let next = tokio::select! {
                biased;
                error = running.journal.failed() => return Err(error.into()),
                next = self.sources.next_prompt() => next,
                () = self.clock.sleep_until(deadline) => Next::Due,
                done = &mut part => return Ok(done),
            };
            self.serve(running, next).await?;
        }
    }

    /// Drops everything that is on its way, and says so to the new leader.
    async fn abandon(&mut self, running: &mut Running) {
        self.starting = None;
        running.feeds.shutdown().await;
        running.dispatch.stop().await;
        let landed = timeout(ABANDON_WITHIN, self.activity.landed()).await;
        // The fence refuses what still waits to be written.
        let _ = running.journal.close().await;
        match landed {
            Ok(()) => self.fence.acknowledge(self.clock.now()),
            // "Stopped" would not be true. The new leader goes on without it.
            Err(_) => {
                warn!("a venue client does not let go of its request; the takeover is not acknowledged")
            }
        }
    }

    /// The loop of a run. Ends with the reason to stop.
    async fn follow(&mut self, running: &mut Running, publisher: &mut Publisher) -> Result<String, RunError> {
        let now = self.clock.now();
        running.is_warm = true;
        running.reconcile_at = now.plus(self.settings.reconcile_every);
        running.instruments_at = now.plus(self.settings.instruments_every);
        self.listen_for_rules(running);
        self.watch_over_entries(running);
        self.activity.set_deadline(self.deadline(running));
        for observer in &mut self.observers {
            observer.on_ready(now, self.engine.book());
        }
        self.settings.failpoints.pass(Failpoint::BootReady);
        self.starting = None;
        let shutdown = self.shutdown.clone();
        let mut views_due = true;
        loop {
            let deadline = self.deadline(running);
            self.activity.set_deadline(deadline);
            let next = tokio::select! {
                biased;
                error = running.journal.failed() => return Err(error.into()),
                because = shutdown.requested() => return Ok(because),
                () = running.announced.notified() => {
                    running.instruments_at = self.clock.now();
                    continue;
                }
                () = sleep_until(publisher.next_at()), if views_due => {
                    self.publish(running, publisher);
                    views_due = false;
                    continue;
                }
                next = self.sources.next(deadline, self.clock.as_ref()) => next,
            };
            match next {
                Next::Due => self.due(running).await?,
                next => self.serve(running, next).await?,
            }
            views_due = true;
        }
    }

    /// Entries that rest already, from an earlier process, count from the start on.
    fn watch_over_entries(&self, running: &mut Running) {
        let Some(timer) = self.settings.dead_man else { return };
        let tools = Tools {
            venues: self.venues.clone(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            fence: Arc::clone(&self.fence),
            term: running.term,
        };
        let dead_man = DeadMan::start(timer, &running.instruments, tools);
        dead_man.look(self.engine.book());
        running.dead_man = Some(dead_man);
    }

    /// When the loop must wake up without anything coming in.
    fn deadline(&self, running: &Running) -> Timestamp {
        self.next_tick(running).min(running.reconcile_at).min(running.instruments_at)
    }

    /// When the engine's next timer is due.
    fn next_tick(&self, running: &Running) -> Timestamp {
        self.engine.deadline().map_or(Timestamp::MAX, |at| at.max(running.last_tick_at.plus(TICK_PAUSE)))
    }

    /// What has come in, or the engine's timer, outside the loop.
    async fn serve(&mut self, running: &mut Running, next: Next) -> Result<(), RunError> {
        match next {
            Next::Fact(queued) => self.take_queued(running, queued).await,
            Next::Ask(ask) => self.answer(running, ask).await,
            Next::Due => {
                running.last_tick_at = self.clock.now();
                self.take(running, Fact::Tick).await.map(|_| ())
            }
        }
    }

    /// Timers: the engine's own, the comparison with the venue, the venue's rules. Each runs once, however late.
    async fn due(&mut self, running: &mut Running) -> Result<(), RunError> {
        let now = self.clock.now();
        if self.engine.deadline().is_some_and(|at| at <= now) {
            running.last_tick_at = now;
            self.take(running, Fact::Tick).await?;
        }
        if running.reconcile_at <= now {
            running.reconcile_at = now.plus(self.settings.reconcile_every);
            self.activity.hold();
            running.dispatch.snapshot(self.engine.book().back_fill_from());
        }
        if running.instruments_at <= now {
            running.instruments_at = now.plus(self.settings.instruments_every);
            self.activity.hold();
            self.refresh_instruments(running);
        }
        Ok(())
    }

    /// A fact from a queue, unless it was meant for a standing order that does not stand any more.
    async fn take_queued(&mut self, running: &Running, queued: Queued) -> Result<(), RunError> {
        let Queued { fact, token, only_while } = queued;
        let (posture, because) = self.engine.book().operator();
        if only_while.is_none_or(|standing| standing == (posture, because.to_owned())) {
            self.take(running, fact).await?;
        }
        drop(token);
        Ok(())
    }

    /// One step: decide, write down, and only then act. The ticket names the last record of the step.
    pub(crate) async fn take(&mut self, running: &Running, fact: Fact) -> Result<Ticket, RunError> {
        running.journal.check()?;
        let fact = self.within_hold(fact);
        let at = self.clock.now();
        self.engine.step(at, fact, &mut self.step);
        if self.step.has_commands() {
            self.settings.failpoints.pass(Failpoint::StepDecided);
        }
        // The engine's state has moved although nothing is durable yet. That is sound only because a failed append ends
        // the run: whoever catches this error and goes on decides from a state that no journal holds.
        let ticket = running.journal.append_behind(self.step.expected_next, self.step.events.clone());
        self.owed = Some((at, ticket));
        self.hand_over(running).await?;
        Ok(ticket)
    }

    /// The second half of a step: its effects, once its records are durable. Whoever drops a step while it waits for that
    /// calls this before anything else: the engine counts on effects that it has decided.
    async fn hand_over(&mut self, running: &Running) -> Result<(), RunError> {
        let Some((at, ticket)) = self.owed else { return Ok(()) };
        let (has_commands, failpoints) = (self.step.has_commands(), &self.settings.failpoints);
        if has_commands {
            running.journal.durable(ticket).await?;
            failpoints.pass(Failpoint::StepDurable);
        }
        let book = self.engine.book();
        for envelope in &self.step.events {
            self.views.observe(envelope, book);
        }
        if let Some(dead_man) = running.dead_man.as_ref().filter(|_| !self.step.events.is_empty()) {
            dead_man.look(book);
        }
        for observer in &mut self.observers {
            observer.on_step(at, &self.step, book);
        }
        if !self.step.effects.is_empty() {
            // In lockstep the next bar waits until everything that this step set going has come back.
            self.activity.hold();
        }
        self.owed = None;
        for effect in self.step.effects.drain(..) {
            let opens =
                matches!(&effect, Effect::Submit(order) if order.get().leg().action() == Action::Open);
            if opens && !running.is_warm {
                running.dispatch.refuse(&effect, "the start is not over: the history has not been read");
                continue;
            }
            running.dispatch.perform(effect, |order| {
                book.order(order).map(|record| (record.position, record.leg.action()))
            });
        }
        if has_commands {
            failpoints.pass(Failpoint::StepDispatched);
        }
        Ok(())
    }

    /// A process that must not open is not talked out of it by whoever lifts an order of his own.
    fn within_hold(&self, fact: Fact) -> Fact {
        match (fact, &self.settings.hold) {
            (
                Fact::Operator { command: OperatorCommand::Resume | OperatorCommand::Lift, .. },
                Some(reason),
            ) => Fact::Operator { command: OperatorCommand::ExitOnly, because: held(reason) },
            (fact, _) => fact,
        }
    }

    /// On the way out: answers and fills that are still on their way are taken in, and protection that follows from them
    /// goes out. A leg is not left bare because the process stops.
    async fn drain(&mut self, running: &mut Running) -> Result<(), RunError> {
        let until = Instant::now() + self.settings.drain_within;
        loop {
            // Before the account is read the book tells what an earlier process knew.
            let unsettled = running.is_read && is_unsettled(self.engine.book());
            if !unsettled && !self.activity.is_busy() {
                return Ok(());
            }
            let deadline = self.next_tick(running);
            let next = tokio::select! {
                biased;
                error = running.journal.failed() => return Err(error.into()),
                next = self.sources.next_prompt() => next,
                () = sleep_until(until) => {
                    warn!("some answers did not come in time; their orders are asked about at the next start");
                    return Ok(());
                }
                () = self.clock.sleep_until(deadline), if !self.activity.is_held() => Next::Due,
                // The last effect may end without a fact.
                () = self.activity.calm(), if !unsettled => return Ok(()),
            };
            self.serve(running, next).await?;
        }
    }

    fn publish(&mut self, running: &Running, publisher: &mut Publisher) {
        self.views.note_lease(self.fence.lease());
        let book = self.engine.book();
        let is_journalled = running.journal.settled_by_itself(book.next_seq());
        publisher.publish(self.views.render(book, self.clock.now()), is_journalled);
    }
}

/// Whether the next seconds will say more about the account than the book knows: fills that were announced or may come
/// at once, and legs whose stop is not confirmed.
fn is_unsettled(book: &Book) -> bool {
    book.live_orders().any(may_move_at_once)
        || book.differing_legs().next().is_some()
        || book.open_legs().any(|leg| leg.unprotected_since.is_some())
}

fn may_move_at_once(order: &OrderRecord) -> bool {
    let is_immediate = match order.leg {
        Leg::Open(Entry::Market | Entry::Limit { tif: Tif::Ioc | Tif::Fok, .. }) => true,
        Leg::Open(_) | Leg::Close(..) => false,
    };
    is_immediate
        || order.filled < order.reported_filled
        || matches!(order.state, OrderState::InFlight | OrderState::Unknown)
}
