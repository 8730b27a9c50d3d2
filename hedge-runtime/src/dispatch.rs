//! Performs effects: one worker per venue, every result a fact. Openings of a leg go one after the other and behind
//! everything else of it, exits one after the other; an exit never waits for the answer to an opening. See `Lane`.
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
    time::{Instant, sleep_until},
};
use tracing::{error, warn};

use crate::{
    activity::{Activity, Kind, Token},
    fence::{Fence, while_leading},
    snapshot::{Traffic, read_account},
    sources::FactSender,
};

/// How long an exit, or the cancel of one, waits at most for the answer to a command that it would otherwise follow. A leg
/// whose stop was sent into a dead connection must be closable long before that request times out, also where another order
/// has to make room for the close first; and one command at a time must not mean that a lost answer leaves another leg bare.
const PATIENCE: Duration = Duration::from_secs(1);

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

/// What a command does to its leg: decides what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Open,
    WithdrawOpening,
    /// A stop, a take-profit or a close. It is decided from executions that the account stream has told: the answer to the
    /// opening adds nothing that it needs, and may take as long as a request takes to time out.
    Exit,
    WithdrawExit,
}

impl Doing {
    /// Whether the answer to `earlier`, of the same leg, is awaited first.
    const fn follows(self, earlier: Self) -> bool {
        match self {
            Self::Open | Self::WithdrawOpening => true,
            Self::Exit | Self::WithdrawExit => matches!(earlier, Self::Exit | Self::WithdrawExit),
        }
    }
}

/// Keeps the order of the commands of a leg.
#[derive(Clone, Copy, Debug)]
struct Lane {
    leg: PositionKey,
    doing: Doing,
}

/// An effect for a worker. Questions and readings have no lane.
#[derive(Debug)]
struct Job {
    effect: Effect,
    lane: Option<Lane>,
    token: Token,
}

impl Job {
    fn is_snapshot(&self) -> bool {
        matches!(self.effect, Effect::Snapshot { .. })
    }

    /// A close may have to wait for the cancel of an order that holds its quantity.
    fn is_pressing(&self) -> bool {
        self.lane.is_some_and(|lane| matches!(lane.doing, Doing::Exit | Doing::WithdrawExit))
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

    /// Hands one effect over. `known` names leg and action of an order that is to be cancelled.
    pub(crate) fn perform(
        &self,
        effect: Effect,
        known: impl FnOnce(&ClientOrderId) -> Option<(PositionKey, Action)>,
    ) {
        let (venue, lane) = match &effect {
            Effect::Submit(order) => {
                let (leg, action) = (*order.get().position(), order.get().leg().action());
                let doing = if action == Action::Open { Doing::Open } else { Doing::Exit };
                (leg.instrument.venue, Some(Lane { leg, doing }))
            }
            Effect::Cancel { order, instrument, .. } => {
                // An order that the book does not know waits behind the LONG leg's exits: any fixed lane will do.
                let (leg, action) = known(order).unwrap_or((PositionKey::long(*instrument), Action::Close));
                let doing = if action == Action::Open { Doing::WithdrawOpening } else { Doing::WithdrawExit };
                (instrument.venue, Some(Lane { leg, doing }))
            }
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

    /// Answers an effect that is not performed.
    pub(crate) fn refuse(&self, effect: &Effect, because: &str) {
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
    lane: Option<Lane>,
    since: Instant,
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
                () = patience_ends(&self.waiting, &self.running) => {}
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
        let now = Instant::now();
        let place =
            self.waiting.iter().position(|job| may_begin(job, &self.running, self.context.parallel, now))?;
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
        self.running.push(Running { task: task.id(), lane, since: Instant::now(), order, is_snapshot });
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

/// Whether nothing is on its way whose answer a job awaits, and fewer than the allowed number of commands are. That number
/// holds openings back only: a stop must not wait until some other leg's opening has timed out. One command at a time means
/// just that. Neither an exit nor its cancel waits for an answer longer than [`PATIENCE`].
fn may_begin(job: &Job, running: &[Running], parallel: usize, now: Instant) -> bool {
    let Some(lane) = job.lane else {
        return !job.is_snapshot() || !running.iter().any(|running| running.is_snapshot);
    };
    let is_awaited = |other: &Running| !job.is_pressing() || now < other.since + PATIENCE;
    let mut commands = 0;
    for (other, doing) in running.iter().filter_map(|other| Some((other, other.lane?))) {
        if doing.leg == lane.leg && lane.doing.follows(doing.doing) && is_awaited(other) {
            return false;
        }
        commands += usize::from(is_awaited(other));
    }
    commands < parallel || (parallel > 1 && lane.doing != Doing::Open)
}

/// Resolves when a command has kept a waiting exit or cancel of one for long enough.
async fn patience_ends(waiting: &VecDeque<Job>, running: &[Running]) {
    let now = Instant::now();
    let ends =
        running.iter().filter(|running| running.lane.is_some()).map(|running| running.since + PATIENCE);
    match ends.filter(|end| *end > now).min().filter(|_| waiting.iter().any(Job::is_pressing)) {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
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

    /// Openings on their way, one per leg.
    fn on_their_way(tasks: &mut JoinSet<()>, legs: &[PositionKey]) -> Vec<Running> {
        let running = |leg: &PositionKey| Running {
            task: tasks.spawn(std::future::pending()).id(),
            lane: Some(Lane { leg: *leg, doing: Doing::Open }),
            since: Instant::now(),
            order: None,
            is_snapshot: false,
        };
        legs.iter().map(running).collect()
    }

    /// What counts is what it does to its leg, not the effect that stands for it.
    fn job(activity: &Arc<Activity>, leg: PositionKey, doing: Doing) -> Job {
        let effect = Effect::Cancel {
            order: ClientOrderId::parse("h1").unwrap(),
            instrument: leg.instrument,
            target: OrderRef::Plain(VenueOrderId(1)),
        };
        Job { effect, lane: Some(Lane { leg, doing }), token: activity.count(Kind::Effect) }
    }

    const ALL: [Doing; 4] = [Doing::Open, Doing::WithdrawOpening, Doing::Exit, Doing::WithdrawExit];

    /// What a command waits for while one other command of its leg is on its way.
    fn waits_for(doing: Doing, parallel: usize, for_ms: u64) -> Vec<Doing> {
        let (activity, mut tasks) = (Activity::free(), JoinSet::new());
        let btc = leg("BTCUSDT", PositionSide::Long);
        let blocks = |other: &Doing| {
            let mut running = on_their_way(&mut tasks, &[btc]);
            running[0].lane = Some(Lane { leg: btc, doing: *other });
            let now = running[0].since + Duration::from_millis(for_ms);
            !may_begin(&job(&activity, btc, doing), &running, parallel, now)
        };
        ALL.into_iter().filter(blocks).collect()
    }

    #[tokio::test]
    async fn an_exit_does_not_wait_for_the_answer_to_an_opening_of_its_leg() {
        use Doing::{Exit, Open, WithdrawExit, WithdrawOpening};
        assert_eq!(waits_for(Exit, 4, 0), [Exit, WithdrawExit], "exits keep their order");
        assert_eq!(waits_for(WithdrawExit, 4, 0), [Exit, WithdrawExit]);
        assert_eq!(waits_for(Open, 4, 0), [Open, WithdrawOpening, Exit, WithdrawExit]);
        assert_eq!(waits_for(WithdrawOpening, 4, 0), [Open, WithdrawOpening, Exit, WithdrawExit]);
    }

    #[tokio::test]
    async fn after_a_second_exits_and_their_cancels_wait_for_nothing_and_all_else_waits_on() {
        for parallel in [1, 4] {
            for pressing in [Doing::Exit, Doing::WithdrawExit] {
                assert!(!waits_for(pressing, parallel, 999).is_empty(), "{parallel}");
                assert_eq!(waits_for(pressing, parallel, 1_000), [], "{parallel}");
            }
            for patient in [Doing::Open, Doing::WithdrawOpening] {
                assert_eq!(waits_for(patient, parallel, 60_000), ALL, "{parallel}");
            }
        }
    }

    #[tokio::test]
    async fn only_openings_wait_for_openings_of_other_legs() {
        let (activity, mut tasks) = (Activity::free(), JoinSet::new());
        let (btc, eth, sol) = (
            leg("BTCUSDT", PositionSide::Long),
            leg("ETHUSDT", PositionSide::Long),
            leg("SOLUSDT", PositionSide::Short),
        );
        let running = on_their_way(&mut tasks, &[btc, eth]);
        let now = Instant::now();
        let may = |leg, doing, parallel| may_begin(&job(&activity, leg, doing), &running, parallel, now);
        for urgent in [Doing::WithdrawOpening, Doing::Exit, Doing::WithdrawExit] {
            assert!(may(sol, urgent, 2), "both places are taken by others");
            assert!(!may(sol, urgent, 1), "one at a time keeps the order of decisions");
        }
        assert!(!may(sol, Doing::Open, 2));
        assert!(may(sol, Doing::Open, 3));
        assert!(!may(eth, Doing::WithdrawOpening, 2), "its own leg is busy");
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
        assert!(may_begin(&query, &running, 1, Instant::now()));
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
