//! Performs effects: one worker per venue, commands of one leg one after the other, every result a fact.
//!
//! Nothing here repeats a command. What became of one is the engine's question, by [`Effect::Query`].

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use hedge_core::{
    Approved, BrokerError, Brokerage, ClientOrderId, Clock, Decimal, Fact, InstrumentId, Order, OrderRef,
    Outcome, PositionKey, QueryAnswer, Term, Timestamp, Venue, engine::Effect,
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::{Id, JoinError, JoinSet},
};
use tracing::{error, warn};

use crate::{
    activity::{Activity, Kind, Token},
    fence::Fence,
    snapshot::{Traffic, read_account},
    sources::FactSender,
};

/// What all workers share.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) fence: Arc<dyn Fence>,
    pub(crate) term: Term,
    pub(crate) results: FactSender,
    pub(crate) traffic: Arc<Traffic>,
    /// Instruments whose fills belong into a snapshot.
    pub(crate) instruments: Vec<InstrumentId>,
    /// How many commands may be on their way at the same time, per venue.
    pub(crate) parallel: usize,
}

/// An effect for a worker; `lane` keeps the order of commands.
#[derive(Debug)]
struct Job {
    effect: Effect,
    lane: Option<PositionKey>,
    token: Token,
}

impl Job {
    fn is_snapshot(&self) -> bool {
        matches!(self.effect, Effect::Snapshot { .. })
    }
}

/// Hands effects to the workers. Dropping it lets them finish what they have begun.
#[derive(Debug)]
pub(crate) struct Dispatch {
    workers: BTreeMap<Venue, UnboundedSender<Job>>,
    activity: Arc<Activity>,
    results: FactSender,
    tasks: JoinSet<()>,
}

impl Dispatch {
    pub(crate) fn start(
        venues: &BTreeMap<Venue, Arc<dyn Brokerage>>,
        context: &Context,
        activity: &Arc<Activity>,
    ) -> Self {
        let mut tasks = JoinSet::new();
        let workers = venues
            .iter()
            .map(|(venue, broker)| {
                let (sender, jobs) = mpsc::unbounded_channel();
                let worker = Worker {
                    broker: Arc::clone(broker),
                    context: Arc::new(context.clone()),
                    waiting: VecDeque::new(),
                    running: Vec::new(),
                    tasks: JoinSet::new(),
                };
                tasks.spawn(worker.run(jobs));
                (*venue, sender)
            })
            .collect();
        Self { workers, activity: Arc::clone(activity), results: context.results.clone(), tasks }
    }

    /// Hands one effect over. `leg_of` names the leg of an order that is to be cancelled.
    pub(crate) fn perform(&self, effect: Effect, leg_of: impl FnOnce(&ClientOrderId) -> Option<PositionKey>) {
        let (venue, lane) = match &effect {
            Effect::Submit(order) => {
                let leg = *order.get().position();
                (leg.instrument.venue, Some(leg))
            }
            Effect::Cancel { order, instrument, .. } => (
                instrument.venue,
                // An order that the book does not know waits behind the LONG leg's commands: any fixed lane will do.
                Some(leg_of(order).unwrap_or(PositionKey::long(*instrument))),
            ),
            Effect::Query { position, .. } => (position.instrument.venue, None),
            Effect::Snapshot { since } => return self.snapshot(*since),
        };
        let token = self.activity.count(Kind::Effect);
        match self.workers.get(&venue) {
            Some(worker) => {
                if let Err(gone) = worker.send(Job { effect, lane, token }) {
                    self.refuse(&gone.0.effect, "the venue's worker has ended");
                }
            }
            None => self.refuse(&effect, "there is no client of this venue"),
        }
    }

    /// Reads every account again.
    pub(crate) fn snapshot(&self, since: Timestamp) {
        for worker in self.workers.values() {
            let token = self.activity.count(Kind::Effect);
            // A worker that has ended ended with the run.
            let _ = worker.send(Job { effect: Effect::Snapshot { since }, lane: None, token });
        }
    }

    fn refuse(&self, effect: &Effect, because: &str) {
        self.results.send(match effect {
            Effect::Submit(order) => not_sent(*order.get().client_id(), because.to_owned()),
            Effect::Cancel { order, .. } => Fact::CancelFailed {
                order: *order,
                outcome: Outcome::NotSent,
                reason: None,
                message: because.to_owned(),
            },
            Effect::Query { order, .. } => Fact::QueryFailed { order: *order, message: because.to_owned() },
            Effect::Snapshot { .. } => return,
        });
    }

    /// Ends the workers at once, with whatever they have on its way.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// A command or question that is on its way.
#[derive(Debug)]
struct Running {
    task: Id,
    lane: Option<PositionKey>,
    order: Option<(ClientOrderId, Errand)>,
    is_snapshot: bool,
}

#[derive(Clone, Copy, Debug)]
enum Errand {
    Submit,
    Cancel,
    Query,
}

#[derive(Debug)]
struct Worker {
    broker: Arc<dyn Brokerage>,
    context: Arc<Context>,
    waiting: VecDeque<Job>,
    running: Vec<Running>,
    tasks: JoinSet<()>,
}

impl Worker {
    async fn run(mut self, mut jobs: UnboundedReceiver<Job>) {
        loop {
            tokio::select! {
                biased;
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    self.ended(ended.map(|(task, ())| task));
                }
                job = jobs.recv() => match job {
                    Some(job) => self.accept(job),
                    None => break,
                },
            }
            while let Some(job) = self.next_startable() {
                self.start(job);
            }
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.ended(ended.map(|(task, ())| task));
        }
    }

    /// Of several waiting snapshots one is enough.
    fn accept(&mut self, job: Job) {
        if !job.is_snapshot() || !self.waiting.iter().any(Job::is_snapshot) {
            self.waiting.push_back(job);
        }
    }

    /// The oldest job whose leg is free, while fewer than the allowed number of commands are on their way.
    fn next_startable(&mut self) -> Option<Job> {
        let commands = self.running.iter().filter(|running| running.lane.is_some()).count();
        let place = self.waiting.iter().position(|job| match job.lane {
            None => !job.is_snapshot() || !self.running.iter().any(|running| running.is_snapshot),
            Some(leg) => {
                commands < self.context.parallel
                    && !self.running.iter().any(|running| running.lane == Some(leg))
            }
        })?;
        self.waiting.remove(place)
    }

    fn start(&mut self, job: Job) {
        let is_snapshot = job.is_snapshot();
        let Job { effect, lane, token } = job;
        let order = match &effect {
            Effect::Submit(order) => Some((*order.get().client_id(), Errand::Submit)),
            Effect::Cancel { order, .. } => Some((*order, Errand::Cancel)),
            Effect::Query { order, .. } => Some((*order, Errand::Query)),
            Effect::Snapshot { .. } => None,
        };
        let (broker, context) = (Arc::clone(&self.broker), Arc::clone(&self.context));
        let task = self.tasks.spawn(async move {
            let fact = perform(broker.as_ref(), &context, effect).await;
            context.results.send(fact);
            // Only now: the result is counted already.
            drop(token);
        });
        self.running.push(Running { task: task.id(), lane, order, is_snapshot });
    }

    fn ended(&mut self, ended: Result<Id, JoinError>) {
        let (task, failure) = match ended {
            Ok(task) => (task, None),
            Err(error) => (error.id(), Some(error)),
        };
        let Some(place) = self.running.iter().position(|running| running.task == task) else { return };
        let running = self.running.swap_remove(place);
        let Some(failure) = failure else { return };
        error!(error = %failure, "a venue client has crashed");
        let message = format!("the venue client crashed: {failure}");
        // A crash says nothing about what was sent before it.
        self.context.results.send(match running.order {
            Some((order, Errand::Submit)) => Fact::SubmitFailed {
                order,
                outcome: Outcome::Unknown,
                reason: None,
                code: None,
                message,
                acceptable_until: None,
            },
            Some((order, Errand::Cancel)) => {
                Fact::CancelFailed { order, outcome: Outcome::Unknown, reason: None, message }
            }
            Some((order, Errand::Query)) => Fact::QueryFailed { order, message },
            None => return,
        });
    }
}

async fn perform(broker: &dyn Brokerage, context: &Context, effect: Effect) -> Fact {
    match effect {
        Effect::Submit(order) => submit(broker, context, &order).await,
        Effect::Cancel { order, instrument, target } => {
            cancel(broker, context, order, &instrument, &target).await
        }
        Effect::Query { order, position, target, since } => {
            match query(broker, &position, &target, since).await {
                Ok(answer) => Fact::QueryAnswered { order, answer: Box::new(answer) },
                Err(error) => Fact::QueryFailed { order, message: error.to_string() },
            }
        }
        Effect::Snapshot { since } => snapshot(broker, context, since).await,
    }
}

async fn submit(broker: &dyn Brokerage, context: &Context, approved: &Approved<Order>) -> Fact {
    let order = *approved.get().client_id();
    if approved.is_stale(context.clock.now(), context.term) {
        return not_sent(order, "its approval went stale before it could be sent".to_owned());
    }
    if let Err(because) = context.fence.admits(context.term) {
        return not_sent(order, format!("the fence forbids it: {because}"));
    }
    context.traffic.touch();
    let answer = broker.submit(approved).await;
    context.traffic.touch();
    match answer {
        Ok(ack) => Fact::SubmitAcked { order, venue: ack.order, state: ack.state, filled: ack.filled },
        Err(failed) => Fact::SubmitFailed {
            order,
            outcome: failed.error.outcome(),
            reason: failed.error.reason(),
            code: failed.error.code(),
            message: failed.error.to_string(),
            acceptable_until: failed.acceptable_until,
        },
    }
}

fn not_sent(order: ClientOrderId, message: String) -> Fact {
    Fact::SubmitFailed {
        order,
        outcome: Outcome::NotSent,
        reason: None,
        code: None,
        message,
        acceptable_until: None,
    }
}

async fn cancel(
    broker: &dyn Brokerage,
    context: &Context,
    order: ClientOrderId,
    instrument: &InstrumentId,
    target: &OrderRef,
) -> Fact {
    if let Err(because) = context.fence.admits(context.term) {
        let message = format!("the fence forbids it: {because}");
        return Fact::CancelFailed { order, outcome: Outcome::NotSent, reason: None, message };
    }
    context.traffic.touch();
    let answer = broker.cancel(instrument, target).await;
    context.traffic.touch();
    match answer {
        Ok(()) => Fact::CancelAcked { order },
        Err(error) => Fact::CancelFailed {
            order,
            outcome: error.outcome(),
            reason: error.reason(),
            message: error.to_string(),
        },
    }
}

/// The evidence about one order. The clock is read first, so that "not found" is at least as young as it says.
pub(crate) async fn query(
    broker: &dyn Brokerage,
    position: &PositionKey,
    target: &OrderRef,
    since: Timestamp,
) -> Result<QueryAnswer, BrokerError> {
    let venue_time = broker.server_time().await?;
    let report = broker.find_order(&position.instrument, target).await?;
    let fills = broker.fills_since(&position.instrument, since).await?;
    let positions = broker.positions().await?;
    let leg = positions.iter().find(|leg| leg.key() == position);
    Ok(QueryAnswer { venue_time, report, fills, leg_qty: leg.map_or(Decimal::ZERO, |leg| leg.qty().get()) })
}

/// Reads until it succeeds: a snapshot has no failure to report, only delay.
async fn snapshot(broker: &dyn Brokerage, context: &Context, since: Timestamp) -> Fact {
    let mut wait = Duration::from_millis(200);
    loop {
        match read_account(broker, &context.instruments, since, &context.traffic).await {
            Ok(snapshot) => return Fact::Snapshot { snapshot: Box::new(snapshot) },
            Err(error) => warn!(%error, "cannot read the account; trying on"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(5));
    }
}
