//! One process: an engine and what the shell around it keeps. A thin model of `hedge-runtime`, without tokio.

use std::collections::{BTreeMap, VecDeque};

use hedge_core::{
    AccountSnapshot, Action, CashFlow, ClientOrderId, Effect, Engine, Envelope, Fact, Fill, OrderRef,
    OrderReport, Position, PositionKey, Step, Term, Timestamp,
};
use hedge_sim::venue::Command;

use super::mutant::Mutant;

/// What a job has to do with the venue.
#[derive(Debug)]
pub(super) enum Work {
    Submit {
        order: ClientOrderId,
        command: Command,
        resigned: bool,
        acceptable_until: Option<Timestamp>,
        /// Of an opening: not sent later than this.
        valid_until: Option<Timestamp>,
    },
    Cancel {
        order: ClientOrderId,
        command: Command,
        resigned: bool,
    },
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

/// What a command does to its leg: decides what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Open,
    WithdrawOpening,
    Exit,
    WithdrawExit,
}

impl Doing {
    pub(super) const fn submit(action: Action) -> Self {
        match action {
            Action::Open => Self::Open,
            Action::Close => Self::Exit,
        }
    }

    pub(super) const fn cancel(action: Action) -> Self {
        match action {
            Action::Open => Self::WithdrawOpening,
            Action::Close => Self::WithdrawExit,
        }
    }

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
pub(super) struct Lane {
    pub(super) leg: PositionKey,
    pub(super) doing: Doing,
}

/// A job that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) work: Work,
    pub(super) lane: Option<Lane>,
    /// When it began. Units: microseconds of the run.
    pub(super) since_us: i64,
    /// The request whose answer is waited for.
    pub(super) request: u64,
}

/// An effect that waits for its turn.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) effect: Effect,
    pub(super) lane: Option<Lane>,
}

impl Job {
    fn is_pressing(&self) -> bool {
        self.lane.is_some_and(|lane| matches!(lane.doing, Doing::Exit | Doing::WithdrawExit))
    }
}

/// How long an exit, or the cancel of one, waits at most for the answer to a command that it would otherwise follow. Units:
/// microseconds.
const PATIENCE_US: i64 = 1_000_000;
/// How many legs may have a command on its way, as in `hedge_runtime::Settings`.
const PARALLEL: usize = 4;

/// The lanes of the venue's worker.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    pub(super) waiting: VecDeque<Job>,
    pub(super) running: BTreeMap<u64, Running>,
    /// When a waiting exit or cancel of one is looked at again. Units: microseconds of the run.
    pub(super) looks_us: Option<i64>,
    pub(super) mutant: Option<Mutant>,
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
    pub(super) fn next_startable(&mut self, now_us: i64) -> Option<Job> {
        let place = self.waiting.iter().position(|job| self.may_begin(job, now_us))?;
        self.waiting.remove(place)
    }

    /// When a command has kept a waiting exit or cancel of one for long enough, where that is news.
    pub(super) fn patience_ends(&mut self, now_us: i64) -> Option<i64> {
        if !self.waiting.iter().any(Job::is_pressing) {
            return None;
        }
        let commands = self.running.values().filter(|running| running.lane.is_some());
        let end = commands.map(|running| running.since_us + PATIENCE_US).filter(|end| *end > now_us).min()?;
        let is_news = self.looks_us.is_none_or(|known| known <= now_us || known > end);
        is_news.then(|| {
            self.looks_us = Some(end);
            end
        })
    }

    fn may_begin(&self, job: &Job, now_us: i64) -> bool {
        let Some(lane) = job.lane else {
            let is_snapshot = |running: &Running| matches!(running.work, Work::Snapshot(_));
            return !matches!(job.effect, Effect::Snapshot { .. }) || !self.running.values().any(is_snapshot);
        };
        let has_time = self
            .mutant
            .is_some_and(|mutant| matches!(mutant, Mutant::ExitsFollowOpenings | Mutant::ExitsWaitForever));
        let is_awaited =
            |other: &Running| has_time || !job.is_pressing() || now_us < other.since_us + PATIENCE_US;
        let follows =
            |known: Doing| self.mutant == Some(Mutant::ExitsFollowOpenings) || lane.doing.follows(known);
        let mut commands = 0;
        for (other, known) in self.running.values().filter_map(|other| Some((other, other.lane?))) {
            if known.leg == lane.leg && follows(known.doing) && is_awaited(other) {
                return false;
            }
            commands += usize::from(is_awaited(other));
        }
        commands < PARALLEL || lane.doing != Doing::Open
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
