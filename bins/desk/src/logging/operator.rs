//! Prints the pipeline as it happens: screener, decision, hand-over, intent, order.

use std::time::Duration;

use hedge_core::{Book, Decision, Envelope, Event, Intent, StrategyId, Timestamp, Verdict, engine::Step};
use hedge_runtime::Observer;

use super::{
    lines::{self, account_ok},
    sink::Sink,
};

/// How often the account line is repeated, in the facts' time.
const ACCOUNT_EVERY: Duration = Duration::from_secs(3_600);

/// Readings that come within this time of the first belong to one cycle of closed bars.
const CYCLE: Duration = Duration::from_secs(1);

/// What the account line says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Whether it is the venue's test environment.
    pub testnet: bool,
    /// Whether orders are only pretended.
    pub dry_run: bool,
}

/// The observer that writes the operators' lines.
#[derive(Debug)]
pub struct OperatorLog {
    sink: Sink,
    environment: Environment,
    /// Intents whose assessment has not been seen yet.
    pending: Vec<(StrategyId, Intent)>,
    cycle: Option<Cycle>,
    account_at: Timestamp,
}

/// One round of closed bars.
#[derive(Clone, Copy, Debug)]
struct Cycle {
    at: Timestamp,
    attempted: u64,
    emitted: u64,
}

impl OperatorLog {
    /// Lines go to `sink`.
    pub const fn new(sink: Sink, environment: Environment) -> Self {
        Self { sink, environment, pending: Vec::new(), cycle: None, account_at: Timestamp::MAX }
    }

    fn decision(&mut self, at: Timestamp, decision: &Decision) {
        match decision {
            Decision::Screened { strategy, reading } => {
                self.count(at, reading.emitted);
                self.sink.line(&lines::screener(reading));
                if !reading.emitted {
                    self.sink.line(&lines::held_back(*strategy, reading));
                }
            }
            Decision::Intended { strategy, intent } => match intent.position() {
                Some(_) => self.pending.push((*strategy, intent.clone())),
                None => self.hand_over(*strategy, intent),
            },
            Decision::Assessed { position, checks, verdict } => {
                self.sink.line(&lines::assessed(position, checks, verdict));
                let place = self.pending.iter().position(|(_, intent)| intent.position() == Some(position));
                if let Some((strategy, intent)) = place.map(|place| self.pending.remove(place))
                    && !matches!(verdict, Verdict::Refuse { .. })
                {
                    self.hand_over(strategy, &intent);
                }
            }
            other => {
                if let Some(line) = lines::order(other).or_else(|| lines::notice(other)) {
                    self.sink.line(&line);
                }
            }
        }
    }

    fn hand_over(&self, strategy: StrategyId, intent: &Intent) {
        self.sink.line(&lines::handed_over(strategy, intent));
        self.sink.line(&lines::intent(strategy, intent));
    }

    fn count(&mut self, at: Timestamp, emitted: bool) {
        let cycle = self.cycle.get_or_insert(Cycle { at, attempted: 0, emitted: 0 });
        cycle.attempted += 1;
        cycle.emitted += u64::from(emitted);
    }

    fn end_old_cycle(&mut self, at: Timestamp) {
        if self.cycle.is_some_and(|cycle| at.since(cycle.at) >= CYCLE) {
            self.end_cycle();
        }
    }

    fn end_cycle(&mut self) {
        if let Some(cycle) = self.cycle.take() {
            self.sink.line(&lines::cycle(cycle.attempted, cycle.emitted));
        }
    }

    fn envelope(&mut self, envelope: &Envelope) {
        if let Event::Decision(decision) = &envelope.event {
            self.decision(envelope.at, decision);
        }
    }
}

impl Observer for OperatorLog {
    fn on_ready(&mut self, at: Timestamp, book: &Book) {
        self.sink.line(&account_ok(book, self.environment.testnet, self.environment.dry_run));
        self.sink.flush();
        self.account_at = at.plus(ACCOUNT_EVERY);
    }

    fn on_step(&mut self, at: Timestamp, step: &Step, book: &Book) {
        self.end_old_cycle(at);
        for envelope in &step.events {
            self.envelope(envelope);
        }
        self.pending.clear();
        if at >= self.account_at {
            self.account_at = at.plus(ACCOUNT_EVERY);
            self.end_cycle();
            self.sink.line(&account_ok(book, self.environment.testnet, self.environment.dry_run));
        }
    }
}

impl Drop for OperatorLog {
    fn drop(&mut self) {
        self.end_cycle();
        self.sink.flush();
    }
}
