//! The loop of a process, its journal, and its death. Follows `hedge_runtime`'s run, journal and sources step by step.

use hedge_core::{Action, Effect, Envelope, Fact, OperatorCommand, PositionKey, Timestamp};

use super::{Message, World};
use crate::swarm::{
    exchange::START_MS,
    mutant::Mutant,
    plan::CrashPoint,
    process::{Barrier, Boot, Doing, Job, Lane},
};

/// The shortest time between two timer facts. Units: microseconds.
const TICK_PAUSE_US: i64 = 1_000;
/// How long a record that nobody waits for may stay unwritten. Units: microseconds.
const LINGER_US: i64 = 50_000;
/// How often the account is compared with the book. Units: microseconds.
pub(super) const RECONCILE_US: i64 = 20_000_000;

/// An instant of a clock of the run.
pub(super) fn instant(us: i64) -> Timestamp {
    Timestamp::from_ns((START_MS * 1_000 + us) * 1_000)
}

/// Microseconds of the run at an instant.
pub(super) fn us_of(at: Timestamp) -> i64 {
    at.ns() / 1_000 - START_MS * 1_000
}

impl World {
    /// One step: decide, write down, and only then act.
    pub(super) fn take(&mut self, fact: Fact) {
        if let Fact::Operator { command, .. } = &fact {
            self.auditor.forbidden = !matches!(command, OperatorCommand::Resume | OperatorCommand::Lift);
        }
        self.watch_stream(&fact);
        let Some(fact) = self.distort(fact) else { return };
        let machine_us = self.machine_us();
        let Some(process) = self.process.as_mut() else { return };
        let at = instant(process.now_us(machine_us));
        let mut step = std::mem::take(&mut process.step);
        process.engine.step(at, fact, &mut step);
        let ticket = step.expected_next.0 + step.events.len() as u64;
        let commands = step.has_commands();
        let mut records = std::mem::take(&mut step.events);
        let mut effects: Vec<Effect> = step.effects.drain(..).collect();
        process.step = step;
        self.twist_records(&mut records);
        for record in &records {
            self.shadow.apply(record, &mut Vec::new());
        }
        self.tell(&records);
        self.auditor.made(&records);
        if commands && self.trouble.crash == Some(CrashPoint::BeforeAppend) {
            self.trouble.crash = None;
            self.fire("crash");
            self.die("before the records of a step with commands were written");
            return;
        }
        self.append(records);
        if commands {
            self.compare_fold();
            if self.mutant == Some(Mutant::SkipDurabilityBarrier) {
                self.dispatch(std::mem::take(&mut effects));
                return;
            }
            if let Some(process) = self.process.as_mut() {
                process.barrier = Some(Barrier { ticket, effects });
            }
            self.hurry();
        } else {
            self.dispatch(effects);
        }
    }

    fn tell(&mut self, records: &[Envelope]) {
        if self.trace.is_none() {
            return;
        }
        for record in records {
            let is_price = matches!(&record.event, hedge_core::Event::Fact(Fact::Market { .. } | Fact::Tick));
            if !is_price {
                let text = serde_json::to_string(&record.event).unwrap_or_default();
                let text: String = text.chars().take(420).collect();
                self.say(|| format!("   #{} {text}", record.seq));
            }
        }
    }

    /// The fold of everything that was written is what the engine goes by.
    pub(super) fn compare_fold(&mut self) {
        // What that mutant writes is not what its engine decided: the other invariants must find it.
        let Some(process) = self.process.as_ref().filter(|_| self.mutant != Some(Mutant::StaleCloseSize))
        else {
            return;
        };
        self.auditor.points += 1;
        if *process.engine.book() != self.shadow {
            self.auditor
                .report(7, || "the engine's book is not the fold of the records that it made".to_owned());
        }
    }

    /// Hands effects to the venue's worker.
    pub(super) fn dispatch(&mut self, effects: Vec<Effect>) {
        let Some(process) = self.process.as_mut() else { return };
        for effect in effects {
            let lane = match &effect {
                Effect::Submit(order) => Some(Lane {
                    leg: *order.get().position(),
                    doing: Doing::submit(order.get().leg().action()),
                }),
                Effect::Cancel { order, instrument, .. } => {
                    let known = process.engine.book().order(order);
                    let known = known.map(|order| (order.position, order.leg.action()));
                    let (leg, action) = known.unwrap_or((PositionKey::long(*instrument), Action::Close));
                    Some(Lane { leg, doing: Doing::cancel(action) })
                }
                Effect::Query { .. } | Effect::Snapshot { .. } => None,
            };
            process.jobs.enqueue(Job { effect, lane });
        }
        self.start_jobs();
    }

    /// Facts one after the other, in the fixed order of importance, for as long as nothing holds the loop up.
    pub(super) fn pump(&mut self) {
        loop {
            let machine_us = self.machine_us();
            let Some(process) = self.process.as_mut() else { return };
            if process.barrier.is_some() || process.boot != Boot::Live {
                return;
            }
            let queues = &mut process.queues;
            let prompt = queues
                .operator
                .pop_front()
                .or_else(|| queues.results.pop_front())
                .or_else(|| queues.account.pop_front());
            if let Some(fact) = prompt {
                self.take(fact);
                continue;
            }
            let now_us = process.now_us(machine_us);
            let engine_us = process.engine.deadline().map_or(i64::MAX, us_of);
            let engine_us = engine_us.max(process.last_tick_us.saturating_add(TICK_PAUSE_US));
            let never = self.mutant == Some(Mutant::NeverDue);
            if engine_us <= now_us && !never {
                process.last_tick_us = now_us;
                self.take(Fact::Tick);
                continue;
            }
            if process.reconcile_us <= now_us {
                process.reconcile_us = now_us + RECONCILE_US;
                let since = process.engine.book().back_fill_from();
                process.jobs.enqueue(Job { effect: Effect::Snapshot { since }, lane: None });
                self.start_jobs();
                continue;
            }
            if let Some(fact) = process.queues.market.pop_front() {
                self.take(fact);
                continue;
            }
            let due_us = if never { process.reconcile_us } else { engine_us.min(process.reconcile_us) };
            // At most a second ahead: the machine's clock may step meanwhile.
            let wait_us = (due_us - now_us).clamp(1, 1_000_000);
            let wakes_us = self.now_us + wait_us;
            if process.wakes_us.is_none_or(|known| known > wakes_us || known <= self.now_us) {
                process.wakes_us = Some(wakes_us);
                let process = process.id;
                self.at_us(wakes_us, Message::Wake { process });
            }
            return;
        }
    }

    /// Hands records to the writer.
    fn append(&mut self, records: Vec<Envelope>) {
        let Some(process) = self.process.as_mut() else { return };
        if records.is_empty() {
            return;
        }
        let id = process.id;
        let tail = &mut process.tail;
        tail.pending.extend(records);
        if tail.writing.is_none() && !tail.lingers {
            tail.lingers = true;
            self.after_us(LINGER_US, Message::Linger { process: id });
        }
    }

    pub(super) fn linger_over(&mut self) {
        if let Some(process) = self.process.as_mut() {
            process.tail.lingers = false;
        }
        self.write();
    }

    /// Somebody waits for what is pending.
    pub(super) fn hurry(&mut self) {
        if let Some(process) = self.process.as_mut() {
            process.tail.hurry = true;
        }
        self.write();
        self.settle();
    }

    /// Writes what is pending if the disk is free.
    fn write(&mut self) {
        let slow = self.now_us < self.trouble.slow_disk_until_us;
        let slowest_us = self.plan.setup.slowest_disk_ms * 1_000;
        let Some(process) = self.process.as_mut() else { return };
        let id = process.id;
        let tail = &mut process.tail;
        if tail.writing.is_some() || tail.pending.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut tail.pending);
        let records = batch.len();
        tail.hurry = false;
        tail.writing = Some(batch);
        let mut takes_us = self.disk_dice.range(200, slowest_us);
        if slow {
            takes_us += self.disk_dice.range(200_000, 1_200_000);
        }
        if self.trouble.crash == Some(CrashPoint::DuringAppend) && records > 1 {
            self.trouble.crash = None;
            self.fire("torn-write");
            self.after_us(takes_us / 2, Message::DieWriting { process: id });
        }
        self.after_us(takes_us, Message::Written { process: id });
    }

    /// A batch is on the disk, or the disk refused it.
    pub(super) fn written(&mut self) {
        let Some(batch) = self.process.as_mut().and_then(|process| process.tail.writing.take()) else {
            return;
        };
        if self.trouble.append_fails {
            self.trouble.append_fails = false;
            self.fire("append-fails");
            if self.mutant == Some(Mutant::IgnoreAppendFailure) {
                // Gone, and nobody minds.
                self.release(true);
                self.pump();
                return;
            }
            let whole = self.disk_dice.below(batch.len() as u64 + 1) as usize;
            self.keep(&batch[..whole]);
            self.die("because a record could not be written");
            return;
        }
        self.keep(&batch);
        let (more, hurry) = self
            .process
            .as_ref()
            .map_or((false, false), |process| (!process.tail.pending.is_empty(), process.tail.hurry));
        if more && hurry {
            self.write();
        } else if more {
            self.append_more();
        }
        self.settle();
        self.pump();
    }

    fn append_more(&mut self) {
        let Some(process) = self.process.as_mut() else { return };
        if !process.tail.lingers {
            process.tail.lingers = true;
            let process = process.id;
            self.after_us(LINGER_US, Message::Linger { process });
        }
    }

    fn keep(&mut self, records: &[Envelope]) {
        self.auditor.durable(records);
        for record in records {
            // The text is what counts: two runs are equal when their journals are.
            let text = format!("{} {} {:?}", record.seq, record.at.ns(), record.cause);
            self.note(&text);
        }
        self.disk.extend_from_slice(records);
    }

    /// Lets the step go on that waits for its records, once they are durable.
    fn settle(&mut self) {
        let durable = self.disk.len() as u64;
        let waits =
            self.process.as_ref().and_then(|process| process.barrier.as_ref()).map(|barrier| barrier.ticket);
        if waits.is_some_and(|ticket| ticket <= durable) {
            self.release(false);
        }
    }

    fn release(&mut self, ignoring: bool) {
        let Some(barrier) = self.process.as_mut().and_then(|process| process.barrier.take()) else { return };
        let has_commands = !barrier.effects.is_empty();
        if has_commands && self.trouble.crash == Some(CrashPoint::AfterAppend) && !ignoring {
            self.trouble.crash = None;
            self.fire("crash");
            self.die("after a step was durable and before its first effect left");
            return;
        }
        self.dispatch(barrier.effects);
        self.boot_on();
    }

    /// The process is gone. Of what it was writing any beginning may be on the disk; what it had not handed over is lost.
    pub(super) fn die(&mut self, how: &str) {
        let Some(process) = self.process.take() else { return };
        self.say(|| format!("DIES {how}"));
        if let Some(writing) = process.tail.writing {
            let whole = self.disk_dice.below(writing.len() as u64 + 1) as usize;
            self.keep(&writing[..whole]);
        }
        // What it had handed to the network is there or not.
        let mut lost = Vec::new();
        for (key, message) in &self.agenda {
            if matches!(message, Message::Arrive(travelling) if travelling.process == process.id) {
                lost.push(*key);
            }
        }
        for key in lost {
            if self.net_dice.percent(30) {
                self.agenda.remove(&key);
            }
        }
        self.client = super::Client { limited_until_us: 0, ..std::mem::take(&mut self.client) };
        let pause_ms = self.disk_dice.range(200, 4_000);
        self.after_us(pause_ms * 1_000, Message::Start);
    }
}
