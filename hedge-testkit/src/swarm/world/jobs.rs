//! What the venue's worker does: which commands of a leg wait for which, reads one by one. Follows `hedge_runtime`'s
//! dispatch and snapshot.

use hedge_core::{
    AccountSnapshot, ClientOrderId, Decimal, Effect, Fact, OrderPurpose, OrderRef, Outcome, Position,
    QueryAnswer, ReportedState, Timestamp, VenueOrderId, VenueSnapshot,
};
use std::time::Duration;

use super::{
    Message, World,
    network::{Answer, Failure, Request},
    shell::instant,
};
use crate::swarm::{
    exchange::{RECV_WINDOW_MS, START_MS},
    mutant::Mutant,
    process::{Job, Question, Reading, Work},
    words,
};

/// Reads in a row that may disagree with themselves before the reader gives up.
const ATTEMPTS: u32 = 5;
/// Pause before the third read in a row, doubled from there. Units: microseconds.
const PAUSE_US: i64 = 250_000;
/// The longest pause of a start. Units: microseconds.
const LONGEST_PAUSE_US: i64 = 15_000_000;
/// Pause after a failed read, doubled from failure to failure up to five seconds. Units: microseconds.
const FAILURE_PAUSE_US: i64 = 200_000;
/// Fills and flows are read from this much before the last known one.
const OVERLAP: Duration = Duration::from_secs(60);
/// The income ledger may show a flow minutes after it was booked: it is read from so much further back.
const FLOW_LAG: Duration = Duration::from_secs(600);

impl World {
    /// Begins every job that may begin.
    pub(super) fn start_jobs(&mut self) {
        let now_us = self.now_us;
        while let Some(job) = self.process.as_mut().and_then(|process| process.jobs.next_startable(now_us)) {
            if job.lane.is_some() && self.dies_between_sends() {
                return;
            }
            self.start_job(job);
        }
        let Some(process) = self.process.as_mut() else { return };
        let id = process.id;
        if let Some(end_us) = process.jobs.patience_ends(now_us) {
            self.at_us(end_us, Message::PatienceEnds { process: id });
        }
    }

    fn touch(&mut self) {
        if let Some(process) = self.process.as_mut() {
            process.traffic += 1;
        }
    }

    fn start_job(&mut self, job: Job) {
        let Job { effect, lane } = job;
        match effect {
            Effect::Submit(approved) => {
                let machine_us = self.machine_us();
                let Some(process) = self.process.as_mut() else { return };
                let order = *approved.get().client_id();
                let stale = approved.is_stale(instant(process.now_us(machine_us)), process.term);
                if stale && self.mutant != Some(Mutant::SendStaleApprovals) {
                    self.result(not_sent(order, "its approval went stale before it could be sent"), false);
                    return;
                }
                if approved.get().purpose() == OrderPurpose::Stop && self.drops_stop(&order) {
                    return;
                }
                let valid_until = approved.valid_until();
                let mut command = words::place(approved.get());
                self.twist_command(&mut command, approved.get());
                let work = Work::Submit {
                    order,
                    command: command.clone(),
                    resigned: false,
                    acceptable_until: None,
                    valid_until,
                };
                self.touch();
                let token = self.new_job(work, lane);
                self.send_command(token, command);
            }
            Effect::Cancel { order, instrument, target } => {
                if self.forgets_cancel(&order) {
                    return;
                }
                let command = words::cancel(&instrument, &target);
                let work = Work::Cancel { order, command: command.clone(), resigned: false };
                self.touch();
                let token = self.new_job(work, lane);
                self.send_command(token, command);
            }
            Effect::Query { order, position, target, since } => {
                let question = Question {
                    order,
                    position,
                    target,
                    since,
                    venue_time: None,
                    report: None,
                    fills: None,
                    at_boot: false,
                };
                let token = self.new_job(Work::Query(Box::new(question)), None);
                self.read_on(token);
            }
            Effect::Snapshot { since } => {
                let token = self.new_job(Work::Snapshot(Box::new(Reading::new(since, false, None))), None);
                self.read_on(token);
            }
        }
    }

    fn send_command(&mut self, token: u64, command: hedge_sim::venue::Command) {
        let (number, stamp_ms) = self.send(token, Request::Command(command));
        self.expect(token, number);
        let until = Timestamp::from_ms(stamp_ms + RECV_WINDOW_MS);
        if let Some(running) = self.process.as_mut().and_then(|process| process.jobs.running.get_mut(&token))
            && let Work::Submit { acceptable_until, .. } = &mut running.work
        {
            *acceptable_until = Some(until);
        }
    }

    /// An answer, or the end of the wait for one.
    pub(super) fn answered(&mut self, token: u64, request: u64, answer: Answer) {
        let Some(process) = self.process.as_mut() else { return };
        if process.jobs.running.get(&token).is_none_or(|running| running.request != request) {
            // The client has given up, or has asked again.
            return;
        }
        if let Answer::Failed(failure) = &answer
            && failure.is_clock
            && self.sign_again(token)
        {
            return;
        }
        if let Answer::Failed(failure) = &answer
            && self.retries(token, failure)
        {
            return;
        }
        let Some(running) = self.process.as_mut().and_then(|process| process.jobs.running.remove(&token))
        else {
            return;
        };
        match running.work {
            Work::Submit { order, acceptable_until, .. } => {
                self.touch();
                let retry_at = self.retry_at(&answer);
                self.result(submit_fact(order, answer, acceptable_until, retry_at), false);
                self.start_jobs();
            }
            Work::Cancel { order, .. } => {
                self.touch();
                let retry_at = self.retry_at(&answer);
                let fact = match answer {
                    Answer::Failed(failure) => Fact::CancelFailed {
                        order,
                        outcome: failure.outcome,
                        reason: failure.reason,
                        message: failure.message,
                        retry_at,
                    },
                    _ => Fact::CancelAcked { order },
                };
                self.result(fact, false);
                self.start_jobs();
            }
            Work::Query(question) => self.question_answered(token, question, answer),
            Work::Snapshot(reading) => self.reading_answered(token, reading, answer),
            Work::Rules => self.rules_answered(answer),
            Work::Boot(boot) => return self.boot_answered(boot, answer),
        }
        self.boot_on();
        self.pump();
    }

    /// When a ban or a limit ends, by the process's clock.
    fn retry_at(&mut self, answer: &Answer) -> Option<Timestamp> {
        let Answer::Failed(Failure { retry_us: Some(until_us), .. }) = answer else { return None };
        let machine_us = self.machine_us();
        let now_us = self.process.as_mut()?.now_us(machine_us);
        Some(instant(now_us + until_us - self.now_us))
    }

    /// Refused with -1021, which proves that nothing was looked at: the client asks for the time and signs once more.
    fn sign_again(&mut self, token: u64) -> bool {
        let (venue_ms, machine_ms) = (self.venue_ms(), self.machine_us() / 1_000);
        let Some(process) = self.process.as_mut() else { return false };
        process.venue_offset_ms = venue_ms - START_MS - machine_ms;
        let Some(running) = process.jobs.running.get_mut(&token) else { return false };
        let own_now = Timestamp::from_ms(START_MS + machine_ms);
        let is_stale = |until: &Option<Timestamp>| until.is_some_and(|until| own_now > until);
        let command = match &mut running.work {
            Work::Submit { valid_until, .. } if is_stale(valid_until) => return false,
            Work::Submit { command, resigned, .. } | Work::Cancel { command, resigned, .. } if !*resigned => {
                *resigned = true;
                command.clone()
            }
            _ => return false,
        };
        self.send_command(token, command);
        true
    }

    /// Mutants that send an order of unknown outcome again.
    fn retries(&mut self, token: u64, failure: &Failure) -> bool {
        let under_new_id = self.mutant == Some(Mutant::RetryUnderNewId);
        if failure.outcome != Outcome::Unknown
            || !(under_new_id || self.mutant == Some(Mutant::RetryOnTimeOut))
        {
            return false;
        }
        let Some(running) = self.process.as_mut().and_then(|process| process.jobs.running.get_mut(&token))
        else {
            return false;
        };
        let Work::Submit { command, resigned, .. } = &mut running.work else { return false };
        if *resigned {
            return false;
        }
        *resigned = true;
        let mut command = command.clone();
        if under_new_id {
            super::distort::rename(&mut command);
        }
        self.send_command(token, command);
        true
    }

    /// Asks for the next thing that a job of several reads needs, or ends it.
    pub(super) fn read_on(&mut self, token: u64) {
        let Some(process) = self.process.as_mut() else { return };
        let traffic = process.traffic;
        let symbols = self.exchange.ids.len();
        let Some(running) = process.jobs.running.get_mut(&token) else { return };
        let request = match &mut running.work {
            Work::Query(question) => {
                let instrument = question.position.instrument;
                match (&question.venue_time, &question.report, &question.fills) {
                    // The clock is read first, so that "not found" is at least as young as it says.
                    (None, ..) => Request::Time,
                    (_, None, _) => Request::Order(instrument, question.target),
                    (_, _, None) => Request::Fills(instrument, question.since),
                    _ => Request::Positions,
                }
            }
            Work::Snapshot(reading) => {
                let since = reading.since.minus(OVERLAP);
                if reading.first_account.is_none() {
                    reading.traffic = traffic;
                    Request::Account
                } else if reading.first_positions.is_none() {
                    Request::Positions
                } else if reading.orders.is_none() {
                    Request::OpenOrders
                } else if reading.flows.is_none() {
                    Request::Flows(since.minus(FLOW_LAG))
                } else if reading.fills_read < symbols {
                    match self.exchange.ids.get(reading.fills_read) {
                        Some(instrument) => Request::Fills(*instrument, since),
                        None => Request::Positions,
                    }
                } else if reading.positions.is_none() {
                    Request::Positions
                } else {
                    Request::Account
                }
            }
            Work::Submit { .. } | Work::Cancel { .. } | Work::Rules | Work::Boot(_) => return,
        };
        let (number, _) = self.send(token, request);
        self.expect(token, number);
    }

    fn goes_on(&mut self, token: u64, work: Work) {
        if let Some(process) = self.process.as_mut() {
            let running =
                crate::swarm::process::Running { work, lane: None, since_us: self.now_us, request: 0 };
            process.jobs.running.insert(token, running);
        }
    }

    fn question_answered(&mut self, token: u64, mut question: Box<Question>, answer: Answer) {
        match answer {
            Answer::Time(at) => question.venue_time = Some(at),
            Answer::Order(report) => question.report = Some(report.map(|report| *report)),
            Answer::Fills(fills) => question.fills = Some(fills),
            Answer::Positions(positions) => {
                let leg = positions.iter().find(|leg| *leg.key() == question.position);
                let answer = QueryAnswer {
                    venue_time: question.venue_time.unwrap_or(Timestamp::EPOCH),
                    report: question.report.flatten(),
                    fills: question.fills.unwrap_or_default(),
                    leg_qty: leg.map_or(Decimal::ZERO, |leg| leg.qty().get()),
                };
                let fact = Fact::QueryAnswered { order: question.order, answer: Box::new(answer) };
                return self.result(fact, question.at_boot);
            }
            Answer::Failed(failure) => {
                let fact = Fact::QueryFailed { order: question.order, message: failure.message };
                return self.result(fact, question.at_boot);
            }
            _ => {}
        }
        self.goes_on(token, Work::Query(question));
        self.read_on(token);
    }

    fn reading_answered(&mut self, token: u64, mut reading: Box<Reading>, answer: Answer) {
        match answer {
            Answer::Account(account) if reading.first_account.is_none() => {
                reading.first_account = Some(*account)
            }
            Answer::Account(account) => return self.reading_done(token, reading, *account),
            Answer::Positions(positions) if reading.first_positions.is_none() => {
                reading.first_positions = Some(positions)
            }
            Answer::Positions(positions) => reading.positions = Some(positions),
            Answer::Orders(orders) => reading.orders = Some(orders),
            Answer::Flows(flows) => reading.flows = Some(flows),
            Answer::Fills(fills) => {
                reading.fills.extend(fills);
                reading.fills_read += 1;
            }
            Answer::Failed(failure) => {
                if reading.at_boot {
                    let why = format!("because its start failed: {}", failure.message);
                    return self.die(&why);
                }
                reading.restart();
                reading.attempt = 0;
                let pause_us = (FAILURE_PAUSE_US << reading.failures.min(5)).min(5_000_000);
                reading.failures += 1;
                return self.read_again(token, reading, pause_us);
            }
            _ => {}
        }
        self.goes_on(token, Work::Snapshot(reading));
        self.read_on(token);
    }

    fn read_again(&mut self, token: u64, reading: Box<Reading>, pause_us: i64) {
        self.goes_on(token, Work::Snapshot(reading));
        if let Some(process) = self.process.as_ref().map(|process| process.id) {
            self.after_us(pause_us, Message::Again { process, token });
        }
    }

    /// Everything is read: it is one truth only if nothing moved meanwhile.
    fn reading_done(&mut self, token: u64, mut reading: Box<Reading>, account: AccountSnapshot) {
        let moved = self.process.as_ref().is_some_and(|process| process.traffic != reading.traffic);
        let positions = reading.positions.take().unwrap_or_default();
        let same = reading.first_account.as_ref().is_some_and(|first| is_same_account(first, &account))
            && reading.first_positions.as_ref().is_some_and(|first| is_same_legs(first, &positions));
        if moved || !same {
            reading.attempt += 1;
            let attempt = reading.attempt;
            reading.restart();
            if reading.at_boot {
                if reading.give_up_us.is_some_and(|until| self.now_us >= until) {
                    return self.die("because the account kept changing while it started");
                }
                let pause_us =
                    if attempt > 1 { (PAUSE_US << (attempt - 2).min(10)).min(LONGEST_PAUSE_US) } else { 0 };
                return self.read_again(token, reading, pause_us);
            }
            if attempt < ATTEMPTS {
                let pause_us = if attempt > 1 { PAUSE_US << (attempt - 2).min(10) } else { 0 };
                return self.read_again(token, reading, pause_us);
            }
            reading.attempt = 0;
            let pause_us = (FAILURE_PAUSE_US << reading.failures.min(5)).min(5_000_000);
            reading.failures += 1;
            return self.read_again(token, reading, pause_us);
        }
        let mut fills = std::mem::take(&mut reading.fills);
        fills.sort_by_key(|fill| (fill.venue_time, fill.instrument, fill.trade_id));
        let snapshot = VenueSnapshot {
            account,
            positions,
            orders: reading.orders.take().unwrap_or_default(),
            fills,
            flows: reading.flows.take().unwrap_or_default(),
        };
        self.result(Fact::Snapshot { snapshot: Box::new(snapshot) }, reading.at_boot);
        self.start_jobs();
    }

    /// The mutant that believes its stops to rest.
    fn drops_stop(&mut self, order: &ClientOrderId) -> bool {
        if self.mutant != Some(Mutant::DropStop) {
            return false;
        }
        self.twist.count += 1;
        if self.twist.count.is_multiple_of(2) {
            return false;
        }
        let venue = OrderRef::Algo { id: VenueOrderId(1_000_000 + self.twist.count as i64), child: None };
        let (state, filled) = (ReportedState::Working, Decimal::ZERO);
        self.result(Fact::SubmitAcked { order: *order, venue, state, filled }, false);
        self.pump_later();
        true
    }

    /// The mutant that believes its cancels to be done.
    fn forgets_cancel(&mut self, order: &ClientOrderId) -> bool {
        if self.mutant != Some(Mutant::ForgetCancel) {
            return false;
        }
        self.twist.count += 1;
        if self.twist.count.is_multiple_of(2) {
            return false;
        }
        self.result(Fact::CancelAcked { order: *order }, false);
        let now = Timestamp::from_ms(self.venue_ms());
        let report = self.process.as_ref().and_then(|process| {
            super::distort::made_up(process.engine.book(), order, ReportedState::Canceled, now)
        });
        if let (Some(report), Some(process)) = (report, self.process.as_mut()) {
            let event = Box::new(hedge_core::AccountEvent::Order { report });
            process.queues.results.push_back(Fact::Account { event });
        }
        self.pump_later();
        true
    }

    fn pump_later(&mut self) {
        if let Some(process) = self.process.as_ref().map(|process| process.id) {
            self.after_us(1, Message::Wake { process });
        }
    }
}

fn submit_fact(
    order: ClientOrderId,
    answer: Answer,
    acceptable_until: Option<Timestamp>,
    retry_at: Option<Timestamp>,
) -> Fact {
    match answer {
        Answer::Taken(venue, state, filled) => Fact::SubmitAcked { order, venue, state, filled },
        Answer::Failed(failure) => {
            let acceptable_until = acceptable_until.filter(|_| failure.outcome == Outcome::Unknown);
            let Failure { outcome, reason, code, message, .. } = failure;
            Fact::SubmitFailed { order, outcome, reason, code, message, acceptable_until, retry_at }
        }
        _ => Fact::SubmitFailed {
            order,
            outcome: Outcome::Unknown,
            reason: None,
            code: None,
            message: "an answer to something else".to_owned(),
            acceptable_until,
            retry_at: None,
        },
    }
}

fn not_sent(order: ClientOrderId, message: &str) -> Fact {
    Fact::SubmitFailed {
        order,
        outcome: Outcome::NotSent,
        reason: None,
        code: None,
        message: message.to_owned(),
        acceptable_until: None,
        retry_at: None,
    }
}

fn is_same_account(first: &AccountSnapshot, last: &AccountSnapshot) -> bool {
    let wallet = |account: &AccountSnapshot| {
        account.balances.iter().map(|balance| (balance.asset, balance.wallet)).collect::<Vec<_>>()
    };
    first.mode == last.mode && wallet(first) == wallet(last)
}

fn is_same_legs(first: &[Position], last: &[Position]) -> bool {
    let legs = |positions: &[Position]| {
        let mut legs: Vec<_> = positions.iter().map(|leg| (*leg.key(), leg.qty(), leg.entry())).collect();
        legs.sort_unstable();
        legs
    };
    legs(first) == legs(last)
}
