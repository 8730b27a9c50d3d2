//! One process: an engine and what the shell around it keeps. A thin model of `hedge-runtime`, without tokio.

use std::collections::{BTreeMap, VecDeque};

use hedge_core::{
    AccountSnapshot, Action, CashFlow, ClientOrderId, Effect, Engine, Envelope, Fact, Fill, OrderRef,
    OrderReport, Position, PositionKey, Step, Term, Timestamp,
};
use hedge_sim::venue::Command;

/// What a job has to do with the venue.
#[derive(Debug)]
pub(super) enum Work {
    Submit { order: ClientOrderId, command: Command, resigned: bool, acceptable_until: Option<Timestamp> },
    Cancel { order: ClientOrderId, command: Command, resigned: bool },
    Query(Box<Question>),
    Snapshot(Box<Reading>),
    Rules,
    Boot(Boot),
}

/// A question about an order, read by read.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) order: ClientOrderId,
    pub(super) position: PositionKey,
    pub(super) target: OrderRef,
    pub(super) since: Timestamp,
    pub(super) venue_time: Option<Timestamp>,
    /// Read, and perhaps not there.
    pub(super) report: Option<Option<OrderReport>>,
    pub(super) fills: Option<Vec<Fill>>,
    pub(super) at_boot: bool,
}

/// A read of the whole account, read by read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) since: Timestamp,
    pub(super) attempt: u32,
    pub(super) failures: u32,
    pub(super) traffic: u64,
    pub(super) first_account: Option<AccountSnapshot>,
    pub(super) first_positions: Option<Vec<Position>>,
    pub(super) orders: Option<Vec<OrderReport>>,
    pub(super) flows: Option<Vec<CashFlow>>,
    pub(super) fills: Vec<Fill>,
    pub(super) fills_read: usize,
    pub(super) positions: Option<Vec<Position>>,
    pub(super) at_boot: bool,
    /// A start does not wait forever for an account that keeps changing. Units: microseconds of the run.
    pub(super) give_up_us: Option<i64>,
}

impl Reading {
    pub(super) fn new(since: Timestamp, at_boot: bool, give_up_us: Option<i64>) -> Self {
        Self {
            since,
            attempt: 0,
            failures: 0,
            traffic: 0,
            first_account: None,
            first_positions: None,
            orders: None,
            flows: None,
            fills: Vec::new(),
            fills_read: 0,
            positions: None,
            at_boot,
            give_up_us,
        }
    }

    /// Everything once more from the beginning.
    pub(super) fn restart(&mut self) {
        *self = Self {
            attempt: self.attempt,
            failures: self.failures,
            ..Self::new(self.since, self.at_boot, self.give_up_us)
        };
    }
}

/// How far a start has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boot {
    /// The start's own record is being made durable.
    Lead,
    Connect,
    Account,
    Mode,
    Instruments,
    Questions,
    Snapshot,
    Live,
}

/// A job that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) work: Work,
    pub(super) lane: Option<PositionKey>,
    /// The request whose answer is waited for.
    pub(super) request: u64,
}

/// An effect that waits for its turn.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) effect: Effect,
    pub(super) lane: Option<PositionKey>,
}

impl Job {
    /// Closes, stops and cancels do not queue behind openings of other legs.
    fn is_urgent(&self) -> bool {
        match &self.effect {
            Effect::Submit(order) => order.get().leg().action() == Action::Close,
            Effect::Cancel { .. } => true,
            Effect::Query { .. } | Effect::Snapshot { .. } => false,
        }
    }
}

/// How many legs may have a command on its way, as in `hedge_runtime::Settings`.
const PARALLEL: usize = 4;

/// The lanes of the venue's worker.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    pub(super) waiting: VecDeque<Job>,
    pub(super) running: BTreeMap<u64, Running>,
}

impl Jobs {
    /// Of several waiting snapshots one is enough; it reaches back as far as the furthest of them.
    pub(super) fn enqueue(&mut self, job: Job) {
        if let Effect::Snapshot { since: wanted } = job.effect {
            for other in &mut self.waiting {
                if let Effect::Snapshot { since } = &mut other.effect {
                    *since = wanted.min(*since);
                    return;
                }
            }
        }
        self.waiting.push_back(job);
    }

    /// The oldest job that may begin.
    pub(super) fn next_startable(&mut self) -> Option<Job> {
        let place = self.waiting.iter().position(|job| self.may_begin(job))?;
        self.waiting.remove(place)
    }

    fn may_begin(&self, job: &Job) -> bool {
        let Some(leg) = job.lane else {
            let is_snapshot = |running: &Running| matches!(running.work, Work::Snapshot(_));
            return !matches!(job.effect, Effect::Snapshot { .. }) || !self.running.values().any(is_snapshot);
        };
        let commands = self.running.values().filter(|running| running.lane.is_some()).count();
        let is_free = !self.running.values().any(|running| running.lane == Some(leg));
        is_free && (commands < PARALLEL || job.is_urgent())
    }
}

/// The end of the journal that is not on the disk yet.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// Handed over and not being written.
    pub(super) pending: Vec<Envelope>,
    /// Being written.
    pub(super) writing: Option<Vec<Envelope>>,
    pub(super) lingers: bool,
    /// Somebody waits: what is pending is written as soon as the disk is free.
    pub(super) hurry: bool,
}

/// A step whose records must be durable before its effects leave.
#[derive(Debug)]
pub(super) struct Barrier {
    /// The place after its last record.
    pub(super) ticket: u64,
    pub(super) effects: Vec<Effect>,
}

/// Facts that wait, the most important queue first.
#[derive(Debug, Default)]
pub(super) struct Queues {
    pub(super) operator: VecDeque<Fact>,
    pub(super) results: VecDeque<Fact>,
    pub(super) account: VecDeque<Fact>,
    pub(super) market: VecDeque<Fact>,
}

/// Engine and shell of one process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) id: u32,
    pub(super) engine: Engine,
    pub(super) step: Step,
    pub(super) term: Term,
    /// The loop's clock never goes back: what is added to the machine's, and the newest instant given.
    pub(super) ahead_us: i64,
    pub(super) newest_us: i64,
    /// The venue's clock less the machine's, as last asked for. Units: milliseconds.
    pub(super) venue_offset_ms: i64,
    pub(super) queues: Queues,
    pub(super) tail: Tail,
    pub(super) barrier: Option<Barrier>,
    pub(super) jobs: Jobs,
    pub(super) next_token: u64,
    pub(super) traffic: u64,
    pub(super) boot: Boot,
    pub(super) boot_facts: VecDeque<Fact>,
    pub(super) questions: VecDeque<(ClientOrderId, PositionKey, OrderRef, Timestamp)>,
    /// Of the loop's clock.
    pub(super) reconcile_us: i64,
    pub(super) last_tick_us: i64,
    /// The account stream's connection.
    pub(super) connection: Option<u32>,
    pub(super) wakes_us: Option<i64>,
}

impl Process {
    pub(super) fn new(id: u32, engine: Engine, term: Term, newest_us: i64) -> Self {
        Self {
            id,
            engine,
            step: Step::default(),
            term,
            ahead_us: 0,
            newest_us,
            venue_offset_ms: 0,
            queues: Queues::default(),
            tail: Tail::default(),
            barrier: None,
            jobs: Jobs::default(),
            next_token: 1,
            traffic: 0,
            boot: Boot::Lead,
            boot_facts: VecDeque::new(),
            questions: VecDeque::new(),
            reconcile_us: i64::MAX,
            last_tick_us: i64::MIN,
            connection: None,
            wakes_us: None,
        }
    }

    /// The loop's clock: the machine's, made up for its steps back.
    pub(super) fn now_us(&mut self, machine_us: i64) -> i64 {
        self.ahead_us += (self.newest_us - machine_us - self.ahead_us).max(0);
        self.newest_us = machine_us + self.ahead_us;
        self.newest_us
    }
}
