//! Performs effects: one worker per venue, commands of one leg one after the other, every result a fact.
//!
//! Nothing here repeats a command. What became of one is the engine's question, by [`Effect::Query`].

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, OnceLock},
    time::Duration,
};

use hedge_core::{
    Action, Approved, BrokerError, Brokerage, ClientOrderId, Clock, Decimal, Fact, Failpoint, Failpoints,
    InstrumentId, Order, OrderRef, Outcome, PositionKey, QueryAnswer, Term, Timestamp, Venue, engine::Effect,
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::{Id, JoinError, JoinSet},
};
use tracing::{error, warn};

use crate::{
    activity::{Activity, Kind, Token},
    fence::{Fence, while_leading},
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
    /// Instruments whose fills belong into a snapshot; known before the first one is read.
    pub(crate) instruments: Arc<OnceLock<Vec<InstrumentId>>>,
    /// How many commands may be on their way at the same time, per venue.
    pub(crate) parallel: usize,
    /// Where a test may end or stop the process.
    pub(crate) failpoints: Failpoints,
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

    /// Closes, stops and cancels do not queue behind openings of other legs.
    fn is_urgent(&self) -> bool {
        match &self.effect {
            Effect::Submit(order) => order.get().leg().action() == Action::Close,
            Effect::Cancel { .. } => true,
            Effect::Query { .. } | Effect::Snapshot { .. } => false,
        }
    }
}

/// Hands effects to the workers. Dropping it lets them finish what they have begun.
#[derive(Debug)]
pub(crate) struct Dispatch {
    workers: BTreeMap<Venue, UnboundedSender<Job>>,
    activity: Arc<Activity>,
    results: FactSender,
    pub(crate) instruments: Arc<OnceLock<Vec<InstrumentId>>>,
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
        let (results, instruments) = (context.results.clone(), Arc::clone(&context.instruments));
        Self { workers, activity: Arc::clone(activity), results, instruments, tasks }
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
                retry_at: None,
            },
            Effect::Query { order, .. } => Fact::QueryFailed { order: *order, message: because.to_owned() },
            Effect::Snapshot { .. } => return,
        });
    }

    /// Ends the workers at once, with whatever they have on its way.
    pub(crate) async fn stop(&mut self) {
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
                    Some(job) => enqueue(&mut self.waiting, job),
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

    /// The oldest job that may begin.
    fn next_startable(&mut self) -> Option<Job> {
        let place =
            self.waiting.iter().position(|job| may_begin(job, &self.running, self.context.parallel))?;
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
                retry_at: None,
            },
            Some((order, Errand::Cancel)) => {
                Fact::CancelFailed { order, outcome: Outcome::Unknown, reason: None, message, retry_at: None }
            }
            Some((order, Errand::Query)) => Fact::QueryFailed { order, message },
            None => return,
        });
    }
}

/// Of several waiting snapshots one is enough; it reaches back as far as the furthest of them.
fn enqueue(waiting: &mut VecDeque<Job>, job: Job) {
    if let Effect::Snapshot { since: wanted } = job.effect {
        for other in &mut *waiting {
            if let Effect::Snapshot { since } = &mut other.effect {
                *since = wanted.min(*since);
                return;
            }
        }
    }
    waiting.push_back(job);
}

/// Whether a job's leg is free and fewer than the allowed number of commands are on their way. That number holds openings
/// back only: a stop must not wait until some other leg's opening has timed out. One command at a time means just that.
fn may_begin(job: &Job, running: &[Running], parallel: usize) -> bool {
    let Some(leg) = job.lane else {
        return !job.is_snapshot() || !running.iter().any(|running| running.is_snapshot);
    };
    let commands = running.iter().filter(|running| running.lane.is_some()).count();
    let is_free = !running.iter().any(|running| running.lane == Some(leg));
    is_free && (commands < parallel || (parallel > 1 && job.is_urgent()))
}

async fn perform(broker: &dyn Brokerage, context: &Context, effect: Effect) -> Fact {
    match effect {
        Effect::Submit(order) => submit(broker, context, &order).await,
        Effect::Cancel { order, instrument, target } => {
            cancel(broker, context, order, &instrument, &target).await
        }
        Effect::Query { order, position, target, since } => {
            context.failpoints.pass(Failpoint::QueryBeforeSend);
            let answer = query(broker, &position, &target, since).await;
            context.failpoints.pass(Failpoint::QueryAfterSend);
            match answer {
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
    // Behind the last look at the fence.
    let submitted = async {
        context.failpoints.pass(Failpoint::SubmitBeforeSend);
        broker.submit(approved).await
    };
    let answer = while_leading(context.fence.as_ref(), context.term, submitted).await;
    context.failpoints.pass(Failpoint::SubmitAfterSend);
    context.traffic.touch();
    let answer = match answer {
        Ok(answer) => answer,
        Err(because) => return taken_away(order, because),
    };
    match answer {
        Ok(ack) => Fact::SubmitAcked { order, venue: ack.order, state: ack.state, filled: ack.filled },
        Err(failed) => Fact::SubmitFailed {
            order,
            outcome: failed.error.outcome(),
            reason: failed.error.reason(),
            code: failed.error.code(),
            message: failed.error.to_string(),
            acceptable_until: failed.acceptable_until,
            retry_at: retry_at(context, &failed.error),
        },
    }
}

/// From when on a command like the one that failed may leave, where the venue or our own budget names that.
fn retry_at(context: &Context, error: &BrokerError) -> Option<Timestamp> {
    error.retry_after().map(|wait| context.clock.now().plus(wait))
}

/// Dropped on its way, because another process leads: nobody knows whether it was sent.
fn taken_away(order: ClientOrderId, message: String) -> Fact {
    Fact::SubmitFailed {
        order,
        outcome: Outcome::Unknown,
        reason: None,
        code: None,
        message,
        acceptable_until: None,
        retry_at: None,
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
        retry_at: None,
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
        return Fact::CancelFailed {
            order,
            outcome: Outcome::NotSent,
            reason: None,
            message,
            retry_at: None,
        };
    }
    context.traffic.touch();
    let cancelled = async {
        context.failpoints.pass(Failpoint::CancelBeforeSend);
        broker.cancel(instrument, target).await
    };
    let answer = while_leading(context.fence.as_ref(), context.term, cancelled).await;
    context.failpoints.pass(Failpoint::CancelAfterSend);
    context.traffic.touch();
    let answer = match answer {
        Ok(answer) => answer,
        Err(message) => {
            return Fact::CancelFailed {
                order,
                outcome: Outcome::Unknown,
                reason: None,
                message,
                retry_at: None,
            };
        }
    };
    match answer {
        Ok(()) => Fact::CancelAcked { order },
        Err(error) => Fact::CancelFailed {
            order,
            outcome: error.outcome(),
            reason: error.reason(),
            message: error.to_string(),
            retry_at: retry_at(context, &error),
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
        let instruments = context.instruments.get().map_or(&[][..], Vec::as_slice);
        match read_account(broker, instruments, since, &context.traffic).await {
            Ok(snapshot) => return Fact::Snapshot { snapshot: Box::new(snapshot) },
            Err(error) => warn!(%error, "cannot read the account; trying on"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(5));
    }
}

#[cfg(test)]
mod tests {
    use hedge_core::{PositionSide, VenueOrderId};

    use super::*;

    fn leg(symbol: &str, side: PositionSide) -> PositionKey {
        PositionKey::new(InstrumentId::binance(symbol).unwrap(), side)
    }

    /// Commands on their way, one per leg.
    fn on_their_way(tasks: &mut JoinSet<()>, lanes: &[PositionKey]) -> Vec<Running> {
        let running = |lane: &PositionKey| Running {
            task: tasks.spawn(std::future::pending()).id(),
            lane: Some(*lane),
            order: None,
            is_snapshot: false,
        };
        lanes.iter().map(running).collect()
    }

    fn cancel(activity: &Arc<Activity>, lane: PositionKey) -> Job {
        let effect = Effect::Cancel {
            order: ClientOrderId::parse("h1").unwrap(),
            instrument: lane.instrument,
            target: OrderRef::Plain(VenueOrderId(1)),
        };
        Job { effect, lane: Some(lane), token: activity.count(Kind::Effect) }
    }

    #[tokio::test]
    async fn a_cancel_does_not_wait_for_openings_of_other_legs() {
        let (activity, mut tasks) = (Activity::free(), JoinSet::new());
        let (btc, eth, sol) = (
            leg("BTCUSDT", PositionSide::Long),
            leg("ETHUSDT", PositionSide::Long),
            leg("SOLUSDT", PositionSide::Short),
        );
        let running = on_their_way(&mut tasks, &[btc, eth]);
        assert!(may_begin(&cancel(&activity, sol), &running, 2), "both places are taken by others");
        assert!(!may_begin(&cancel(&activity, eth), &running, 2), "its own leg is busy");
        assert!(
            !may_begin(&cancel(&activity, sol), &running, 1),
            "one at a time keeps the order of decisions"
        );
    }

    #[tokio::test]
    async fn a_question_never_waits_for_commands() {
        let (activity, mut tasks) = (Activity::free(), JoinSet::new());
        let btc = leg("BTCUSDT", PositionSide::Long);
        let running = on_their_way(&mut tasks, &[btc]);
        let effect = Effect::Query {
            order: ClientOrderId::parse("h1").unwrap(),
            position: btc,
            target: OrderRef::Plain(VenueOrderId(1)),
            since: Timestamp::EPOCH,
        };
        let query = Job { effect, lane: None, token: activity.count(Kind::Effect) };
        assert!(may_begin(&query, &running, 1));
    }

    #[test]
    fn waiting_snapshots_become_one_that_reaches_back_the_furthest() {
        let activity = Activity::free();
        let mut waiting = VecDeque::new();
        for since_ms in [5_000, 2_000, 9_000] {
            let effect = Effect::Snapshot { since: Timestamp::from_ms(since_ms) };
            enqueue(&mut waiting, Job { effect, lane: None, token: activity.count(Kind::Effect) });
        }
        assert_eq!(waiting.len(), 1);
        assert!(
            matches!(waiting[0].effect, Effect::Snapshot { since } if since == Timestamp::from_ms(2_000))
        );
    }
}
