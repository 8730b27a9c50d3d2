//! The start of a process: fold, lead, connect, read. Follows `hedge_runtime`'s boot.

use hedge_core::{
    Fact, InstrumentIx, OrderRef, OrderState, RunId, RunStarted, Term, Timestamp, event::JOURNAL_FORMAT,
};
use hedge_sim::venue::Command;
use std::time::Duration;

use super::{
    Message, World,
    network::{Answer, Request},
    shell::{RECONCILE_US, us_of},
};
use crate::swarm::{
    exchange::START_MS,
    mutant::Mutant,
    process::{Barrier, Boot, Lane, Process, Question, Reading, Running, Work},
    words::ACCOUNT,
};

/// Executions are looked for from this much before an order was decided.
const QUESTION_OVERLAP: Duration = Duration::from_secs(60);
/// How far back the first look at an account goes.
const FIRST_LOOK: Duration = Duration::from_secs(86_400);
/// How long a start waits for an account that keeps changing. Units: microseconds.
const REST_WITHIN_US: i64 = 60_000_000;

impl World {
    /// A process takes up the journal.
    pub(super) fn start(&mut self) {
        if self.process.is_some() || self.finished {
            return;
        }
        if self.mutant == Some(Mutant::LoseTail) && self.processes > 0 {
            self.disk.pop();
        }
        self.processes += 1;
        let id = self.processes;
        let mut engine = self.engine();
        self.shadow = hedge_core::Book::default();
        for record in &self.disk {
            engine.replay(record);
            self.shadow.apply(record, &mut Vec::new());
        }
        if id > 1 {
            self.auditor.restarted(&self.disk);
        }
        self.auditor.disconnected = false;
        let book = engine.book();
        let is_first = self.disk.is_empty();
        let newest_us = if is_first { i64::MIN / 4 } else { us_of(book.last_fact_at()) };
        let term = Term(book.term().0 + 1);
        let run = if is_first {
            RunId((START_MS + self.machine_us() / 1_000).div_euclid(1_000))
        } else {
            book.run()
        };
        let mut process = Process::new(id, engine, term, newest_us);
        process.jobs.mutant = self.mutant;
        self.process = Some(process);
        self.say(|| format!("START process {id}"));
        self.compare_fold();
        let started = RunStarted {
            run,
            term,
            format: JOURNAL_FORMAT,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            config_hash: "swarm".to_owned(),
            profile: "swarm".to_owned(),
            data_hash: None,
        };
        self.take(Fact::RunStarted(started));
        self.wait_until_durable();
    }

    /// The start's own record stands before anything is asked.
    fn wait_until_durable(&mut self) {
        let Some(process) = self.process.as_mut() else { return };
        let ticket = process.engine.book().next_seq().0;
        if process.barrier.is_none() {
            process.barrier = Some(Barrier { ticket, effects: Vec::new() });
        }
        self.hurry();
    }

    /// The next thing of a start, if one is going on and nothing holds it up.
    pub(super) fn boot_on(&mut self) {
        loop {
            let Some(process) = self.process.as_mut() else { return };
            if process.barrier.is_some() || process.boot == Boot::Live {
                return;
            }
            if let Some(fact) = process.boot_facts.pop_front() {
                self.take(fact);
                continue;
            }
            if process.jobs.running.values().any(|running| is_boot(&running.work)) {
                return;
            }
            match process.boot {
                Boot::Lead => {
                    process.boot = Boot::Connect;
                    self.connect_at_boot();
                }
                Boot::Connect => {
                    process.boot = Boot::Account;
                    self.boot_ask(Request::Account);
                }
                Boot::Account => {
                    process.boot = Boot::Mode;
                    self.boot_ask(Request::Command(Command::PositionMode { account: ACCOUNT, hedge: true }));
                }
                Boot::Mode => {
                    process.boot = Boot::Instruments;
                    self.boot_ask(Request::Instruments);
                }
                Boot::Instruments => {
                    process.boot = Boot::Questions;
                    let open = process
                        .engine
                        .book()
                        .live_orders()
                        .filter(|order| order.state == OrderState::Unknown);
                    process.questions = open
                        .map(|order| {
                            let target = OrderRef::Client { id: order.client_id, space: order.space() };
                            (
                                order.client_id,
                                order.position,
                                target,
                                order.not_before.minus(QUESTION_OVERLAP),
                            )
                        })
                        .collect();
                }
                Boot::Questions => match process.questions.pop_front() {
                    Some((order, position, target, since)) => {
                        let question = Question {
                            order,
                            position,
                            target,
                            since,
                            venue_time: None,
                            report: None,
                            fills: None,
                            at_boot: true,
                        };
                        self.boot_job(Work::Query(Box::new(question)));
                    }
                    None => {
                        process.boot = Boot::Snapshot;
                        let book = process.engine.book();
                        let since = if book.is_started() {
                            book.back_fill_from()
                        } else {
                            Timestamp::from_ms(START_MS).minus(FIRST_LOOK)
                        };
                        let give_up_us = Some(self.now_us + REST_WITHIN_US);
                        self.boot_job(Work::Snapshot(Box::new(Reading::new(since, true, give_up_us))));
                    }
                },
                Boot::Snapshot => {
                    process.boot = Boot::Live;
                    let machine_us = self.machine.at(self.now_us);
                    let now_us = process.now_us(machine_us);
                    process.reconcile_us = now_us + RECONCILE_US;
                    self.say(|| "LIVE".to_owned());
                    self.pump();
                    return;
                }
                Boot::Live => return,
            }
        }
    }

    fn connect_at_boot(&mut self) {
        if self.now_us < self.trouble.maintenance_until_us.max(self.trouble.down_until_us) {
            self.die("because the account stream cannot be connected");
            return;
        }
        self.connect();
    }

    fn boot_ask(&mut self, request: Request) {
        let Some(process) = self.process.as_mut() else { return };
        let boot = process.boot;
        let token = self.new_job(Work::Boot(boot), None);
        let (number, _) = self.send(token, request);
        self.expect(token, number);
    }

    fn boot_job(&mut self, work: Work) {
        let token = self.new_job(work, None);
        self.read_on(token);
    }

    pub(super) fn new_job(&mut self, work: Work, lane: Option<Lane>) -> u64 {
        let Some(process) = self.process.as_mut() else { return 0 };
        let token = process.next_token;
        process.next_token += 1;
        process.jobs.running.insert(token, Running { work, lane, since_us: self.now_us, request: 0 });
        token
    }

    pub(super) fn expect(&mut self, token: u64, request: u64) {
        if let Some(running) = self.process.as_mut().and_then(|process| process.jobs.running.get_mut(&token))
        {
            running.request = request;
        }
    }

    /// An answer to one of the start's own requests.
    pub(super) fn boot_answered(&mut self, boot: Boot, answer: Answer) {
        match answer {
            Answer::Failed(failure) => {
                let why = format!("because its start failed: {}", failure.message);
                self.die(&why);
            }
            Answer::Account(account) => {
                let machine_ms = self.machine_us() / 1_000;
                if let Some(process) = self.process.as_mut() {
                    // The client has asked for the venue's time as well.
                    process.venue_offset_ms = account.venue_time.ms() - START_MS - machine_ms;
                }
                self.boot_on();
            }
            Answer::Instruments(specs) => {
                if let Some(process) = self.process.as_mut() {
                    let facts = specs.into_iter().enumerate().map(|(place, spec)| {
                        let ix = process.engine.book().ix(&spec.id).unwrap_or(InstrumentIx(place as u16));
                        Fact::Instrument { ix, spec: Box::new(spec) }
                    });
                    process.boot_facts = facts.collect();
                }
                self.boot_on();
            }
            _ => {
                debug_assert_eq!(boot, Boot::Mode, "only the mode is answered with nothing");
                self.boot_on();
            }
        }
    }

    /// The rules are read again; what changed becomes a fact.
    pub(super) fn refresh_rules(&mut self) {
        if self.process.as_ref().is_none_or(|process| process.boot != Boot::Live) {
            return;
        }
        let token = self.new_job(Work::Rules, None);
        let (number, _) = self.send(token, Request::Instruments);
        self.expect(token, number);
    }

    pub(super) fn rules_answered(&mut self, answer: Answer) {
        let Answer::Instruments(specs) = answer else {
            self.after_us(2_000_000, Message::RulesAnnounced);
            return;
        };
        let Some(process) = self.process.as_mut() else { return };
        for spec in specs {
            let book = process.engine.book();
            if let Some(ix) = book.ix(&spec.id)
                && book.spec(ix).is_some_and(|known| *known != spec)
            {
                process.queues.results.push_back(Fact::Instrument { ix, spec: Box::new(spec) });
            }
        }
    }

    /// Facts that end a job: a start takes them itself, the loop finds them in its queue.
    pub(super) fn result(&mut self, fact: Fact, at_boot: bool) {
        if let Some(process) = self.process.as_mut() {
            if at_boot {
                process.boot_facts.push_back(fact);
            } else {
                process.queues.results.push_back(fact);
            }
        }
    }
}

fn is_boot(work: &Work) -> bool {
    match work {
        Work::Boot(_) => true,
        Work::Query(question) => question.at_boot,
        Work::Snapshot(reading) => reading.at_boot,
        Work::Submit { .. } | Work::Cancel { .. } | Work::Rules => false,
    }
}
