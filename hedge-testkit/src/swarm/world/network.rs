//! Requests on their way to the exchange and answers on their way back, and what becomes of them.

use hedge_core::{
    AccountSnapshot, CashFlow, Decimal, Fill, InstrumentId, InstrumentSpec, OrderRef, OrderReport, Outcome,
    Position, RejectReason, ReportedState, Timestamp,
};
use hedge_sim::venue::{Command, OrderType, Refusal, VenueError};

use super::{Message, World};
use crate::swarm::{
    exchange::{START_MS, is_opening},
    mutant::Mutant,
    plan::{CrashPoint, Fault},
    words::{self, ACCOUNT},
};

/// How often an answer about an opening takes longer than a leg may stand without a stop, once the storm is over. Units: percent.
const LATE_OPENINGS_PERCENT: u64 = 20;
/// How often a stop is lost on its way by then. Units: percent.
const LOST_STOPS_PERCENT: u64 = 4;
/// How far a lagging replica is behind. Source: fact sheet 14.6, item 6. Units: milliseconds.
const STALE_BY_MS: i64 = 3_000;

/// What is asked of the exchange.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Command(Command),
    Time,
    Account,
    Positions,
    OpenOrders,
    Flows(Timestamp),
    Fills(InstrumentId, Timestamp),
    Order(InstrumentId, OrderRef),
    Instruments,
}

/// A request on its way.
#[derive(Debug)]
pub(super) struct Travelling {
    pub(super) process: u32,
    token: u64,
    number: u64,
    request: Request,
    stamp_ms: i64,
    answer: Way,
}

/// What becomes of a request and of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Normal,
    /// The answer takes so much longer. Units: microseconds.
    LateAnswer(i64),
    LostAnswer,
    /// It is not looked at, and the answer says so.
    NotExecuted(&'static str),
    /// The answer leaves open what happened.
    Unclear {
        executed: bool,
        says: &'static str,
    },
    Banned(i64),
    Limited,
    Clock,
    Refused(i64),
}

/// What a failed request is known to have done.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) outcome: Outcome,
    pub(super) reason: Option<RejectReason>,
    pub(super) code: Option<i64>,
    pub(super) message: String,
    /// The stamp was outside the window: proof that nothing was looked at.
    pub(super) is_clock: bool,
    /// When the ban or the limit ends. Units: microseconds of the run.
    pub(super) retry_us: Option<i64>,
}

/// What comes back.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Taken(OrderRef, ReportedState, Decimal),
    Done,
    Failed(Failure),
    Time(Timestamp),
    Account(Box<AccountSnapshot>),
    Positions(Vec<Position>),
    Orders(Vec<OrderReport>),
    Flows(Vec<CashFlow>),
    Fills(Vec<Fill>),
    Order(Option<Box<OrderReport>>),
    Instruments(Vec<InstrumentSpec>),
}

impl Answer {
    pub(super) fn timed_out() -> Self {
        Self::unknown("no answer in time")
    }

    fn unknown(message: &str) -> Self {
        Self::failed(Outcome::Unknown, message)
    }

    fn failed(outcome: Outcome, message: &str) -> Self {
        Self::Failed(Failure {
            outcome,
            reason: None,
            code: None,
            message: message.to_owned(),
            is_clock: false,
            retry_us: None,
        })
    }

    /// Nothing happened, and until then nothing will.
    fn limited(message: &str, until_us: i64) -> Self {
        match Self::failed(Outcome::NotSent, message) {
            Self::Failed(failure) => Self::Failed(Failure { retry_us: Some(until_us), ..failure }),
            other => other,
        }
    }

    /// A refusal, as a client of this venue reads it. An id that is taken says nothing about the order that bears it.
    fn refused(error: &VenueError) -> Self {
        let reason = words::reason_of(error.code);
        let (outcome, reason) = match reason {
            RejectReason::DuplicateId => (Outcome::Unknown, None),
            other => (Outcome::Rejected, Some(other)),
        };
        let is_clock = error.code == -1021;
        let outcome = if is_clock { Outcome::NotSent } else { outcome };
        let reason = reason.filter(|_| !is_clock);
        Self::Failed(Failure {
            outcome,
            reason,
            code: Some(error.code),
            message: error.to_string(),
            is_clock,
            retry_us: None,
        })
    }
}

/// Whether a command places a stop.
fn is_stop(command: &Command) -> bool {
    matches!(command, Command::PlaceAlgo(algo) if algo.order_type == OrderType::StopMarket)
}

fn opens(command: &Command) -> bool {
    matches!(command, Command::Place(order) if is_opening(order.side, order.position_side))
}

impl World {
    pub(super) fn latency_us(&mut self) -> i64 {
        let slowest = if self.calm { 60 } else { self.plan.setup.slowest_net_ms };
        self.net_dice.range(1_000, slowest * 1_000)
    }

    /// Sends a request; the answer comes under the token. Returns its number and the stamp that it bears.
    pub(super) fn send(&mut self, token: u64, mut request: Request) -> (u64, i64) {
        self.requests += 1;
        let number = self.requests;
        let machine_ms = self.machine_us() / 1_000;
        let Some((process, offset_ms)) = self.process.as_ref().map(|p| (p.id, p.venue_offset_ms)) else {
            return (number, 0);
        };
        let stamp_ms = START_MS + machine_ms + offset_ms;
        if let Request::Command(command) = &mut request {
            if self.mutant == Some(Mutant::ReuseId) {
                self.reuse_id(command);
            }
            self.auditor.sent(command);
            let text = command_text(command);
            self.note(&text);
            self.say(|| format!("-> {text}"));
        }
        let known = self.client.banned_until_us.max(self.client.limited_until_us);
        if self.now_us < known {
            let answer = Answer::limited("the client waits for the end of a ban or limit", known);
            self.after_us(100, Message::Answer { process, token, request: number, answer: Box::new(answer) });
            return (number, stamp_ms);
        }
        let (lost, extra_us, way) = self.fate(&request);
        let there = self.latency_us() + extra_us;
        if lost || self.now_us < self.trouble.down_until_us {
            self.fire_if(self.now_us < self.trouble.down_until_us, "network-down");
        } else {
            let travelling =
                Travelling { process, token, number, request: request.clone(), stamp_ms, answer: way };
            self.after_us(there, Message::Arrive(Box::new(travelling)));
        }
        let time_out_us = self.plan.setup.time_out_ms * 1_000;
        self.after_us(time_out_us, Message::Expire { process, token, request: number });
        if matches!(request, Request::Command(_)) {
            self.count_send();
        }
        (number, stamp_ms)
    }

    fn fire_if(&mut self, holds: bool, kind: &'static str) {
        if holds {
            self.fire(kind);
        }
    }

    /// A crash after so many commands.
    fn count_send(&mut self) {
        if let Some(CrashPoint::AfterSends(left)) = &mut self.trouble.crash {
            *left = left.saturating_sub(1);
        }
    }

    /// Whether the process dies before the next command leaves.
    pub(super) fn dies_between_sends(&mut self) -> bool {
        if self.trouble.crash == Some(CrashPoint::AfterSends(0)) {
            self.trouble.crash = None;
            self.fire("crash");
            self.die("between two commands");
            return true;
        }
        false
    }

    /// Takes the first fault that fits: whether the request is lost, how much longer it takes, and what is answered.
    fn fate(&mut self, request: &Request) -> (bool, i64, Way) {
        let Request::Command(command) = request else {
            return (false, 0, Way::Normal);
        };
        let places = matches!(command, Command::Place(_) | Command::PlaceAlgo(_));
        if !places && !matches!(command, Command::Cancel { .. } | Command::CancelAlgo { .. }) {
            return (false, 0, Way::Normal);
        }
        let (is_stop, opens) = (is_stop(command), opens(command));
        // What a leg is promised holds whatever becomes of one answer.
        if self.auditor.strict && opens && self.late_dice.percent(LATE_OPENINGS_PERCENT) {
            self.fire(Fault::AckAfterFill.kind());
            return (false, 0, Way::LateAnswer(self.late_dice.range(1_000_000, 9_500_000)));
        }
        if self.auditor.strict && is_stop && self.late_dice.percent(LOST_STOPS_PERCENT) {
            self.fire(Fault::LostRequest.kind());
            return (true, 0, Way::Normal);
        }
        let fits = |fault: &Fault| match fault {
            Fault::StopRefused { .. } => is_stop,
            // Closes are exempt from the overload protection. Source: fact sheet 6.2.
            Fault::Throttled503 => opens,
            Fault::AckAfterFill => places,
            _ => true,
        };
        let Some(place) = self.trouble.requests.iter().position(fits) else { return (false, 0, Way::Normal) };
        let fault = self.trouble.requests.remove(place);
        self.fire(fault.kind());
        let way = match fault {
            Fault::LostRequest => return (true, 0, Way::Normal),
            Fault::SlowRequest { ms } => return (false, ms * 1_000, Way::Normal),
            Fault::LostAck => Way::LostAnswer,
            Fault::AckAfterFill => Way::LateAnswer(self.net_dice.range(300_000, 1_800_000)),
            Fault::UnknownExecuted503 => {
                Way::Unclear { executed: true, says: "503 Unknown error, please check your request" }
            }
            Fault::UnknownUnexecuted503 => {
                Way::Unclear { executed: false, says: "503 Unknown error, please check your request" }
            }
            Fault::Unavailable503 => Way::NotExecuted("503 Service Unavailable."),
            Fault::Internal503 => Way::NotExecuted("503 Internal error; unable to process your request."),
            Fault::Throttled503 => {
                Way::NotExecuted("503 -1008 Request throttled by system-level protection.")
            }
            Fault::TooMany429 => Way::Limited,
            Fault::Banned418 { ms } => Way::Banned(ms),
            Fault::Clock1021 => Way::Clock,
            Fault::Timeout1007 { executed } => {
                Way::Unclear { executed, says: "-1007 Timeout waiting for response" }
            }
            Fault::Unexpected1006 { executed } => {
                Way::Unclear { executed, says: "-1006 Unexpected response" }
            }
            Fault::Unparsable { executed } => Way::Unclear { executed, says: "an answer that is no JSON" },
            Fault::StopRefused { code } => Way::Refused(code),
            _ => Way::Normal,
        };
        (false, 0, way)
    }

    /// A request is at the exchange.
    pub(super) fn arrive(&mut self, travelling: Travelling) {
        let Travelling { process, token, number, request, stamp_ms, answer: way } = travelling;
        if self.now_us < self.trouble.maintenance_until_us {
            self.fire("maintenance");
            let answer = Answer::failed(Outcome::NotSent, "503 Service Unavailable.");
            self.answer_after(0, process, token, number, answer);
            return;
        }
        let (extra_us, answer) = match way {
            Way::Normal => (0, self.perform(&request, stamp_ms)),
            Way::LateAnswer(us) => (us, self.perform(&request, stamp_ms)),
            Way::LostAnswer => {
                self.perform(&request, stamp_ms);
                return;
            }
            Way::NotExecuted(says) => (0, Answer::failed(Outcome::NotSent, says)),
            Way::Unclear { executed, says } => {
                if executed {
                    self.perform(&request, stamp_ms);
                }
                (0, Answer::unknown(says))
            }
            Way::Banned(ms) => {
                self.client.banned_until_us = self.now_us + ms * 1_000;
                (0, Answer::limited("418 -1003 banned", self.client.banned_until_us))
            }
            Way::Limited => {
                self.client.limited_until_us = self.now_us + 1_000_000;
                (0, Answer::limited("429 -1003 Too many requests", self.client.limited_until_us))
            }
            Way::Clock => {
                if let Request::Command(command) = &request {
                    self.auditor.unread(command);
                }
                let outside = "Timestamp for this request is outside of the recvWindow.";
                (0, Answer::refused(&VenueError::refuse(-1021, outside)))
            }
            Way::Refused(code) => (0, Answer::refused(&VenueError::refuse(code, "refused"))),
        };
        self.answer_after(extra_us, process, token, number, answer);
    }

    fn answer_after(&mut self, extra_us: i64, process: u32, token: u64, request: u64, answer: Answer) {
        let back = self.latency_us() + extra_us;
        self.after_us(back, Message::Answer { process, token, request, answer: Box::new(answer) });
    }

    fn perform(&mut self, request: &Request, stamp_ms: i64) -> Answer {
        let now_ms = self.venue_ms();
        let stale_ms = if self.now_us < self.trouble.stale_until_us { STALE_BY_MS } else { 0 };
        match request {
            Request::Command(command) => self.execute(command, now_ms, stamp_ms),
            Request::Time => Answer::Time(Timestamp::from_ms(now_ms)),
            Request::Account => Answer::Account(Box::new(self.exchange.account(now_ms))),
            Request::Positions => Answer::Positions(self.exchange.positions()),
            Request::OpenOrders => Answer::Orders(self.exchange.open_orders(now_ms - stale_ms)),
            Request::Flows(since) => Answer::Flows(self.exchange.flows(*since)),
            Request::Fills(instrument, since) => {
                Answer::Fills(self.exchange.fills(instrument.symbol.as_str(), *since))
            }
            Request::Order(instrument, order) => {
                let found = self.exchange.find_order(instrument, order, now_ms - stale_ms);
                if found.is_none()
                    && stale_ms > 0
                    && self.exchange.find_order(instrument, order, now_ms).is_some()
                {
                    self.fire("stale-reads");
                }
                Answer::Order(found.map(Box::new))
            }
            Request::Instruments => Answer::Instruments(self.exchange.specs()),
        }
    }

    fn execute(&mut self, command: &Command, now_ms: i64, stamp_ms: i64) -> Answer {
        if let Command::Cancel { .. } = command {
            self.lose_the_race(command);
        }
        let result = self.exchange.command(now_ms, stamp_ms, command);
        let answer = match &result {
            Ok(reply) => {
                self.auditor.accepted(command, self.exchange.venue());
                match (command, words::taken(reply)) {
                    (Command::Place(_) | Command::PlaceAlgo(_), Some((order, state, filled))) => {
                        Answer::Taken(order, state, filled)
                    }
                    _ => Answer::Done,
                }
            }
            Err(error) if error.code == Refusal::PositionModeUnchanged.code() => Answer::Done,
            Err(error) => {
                if error.code == -1021 {
                    self.auditor.unread(command);
                }
                Answer::refused(error)
            }
        };
        self.say(|| match &result {
            Ok(_) => format!("   taken: {}", command_text(command)),
            Err(error) => format!("   refused ({error}): {}", command_text(command)),
        });
        self.publish(Some(command));
        answer
    }

    /// The order fills in the moment in which its cancel arrives.
    fn lose_the_race(&mut self, command: &Command) {
        let Some(place) = self.trouble.events.iter().position(|fault| *fault == Fault::FillAfterCancel)
        else {
            return;
        };
        let Command::Cancel { symbol, order, .. } = command else { return };
        let Ok(view) = self.exchange.venue().open_order(ACCOUNT, symbol, order) else { return };
        let Some(id) = self.exchange.venue().symbol_id(symbol) else { return };
        let Some(to) = self.exchange.venue().rules(id).and_then(|rules| rules.ticks_exact(view.price)) else {
            return;
        };
        self.trouble.events.remove(place);
        self.fire("fill-after-cancel");
        let now_ms = self.venue_ms();
        let _ = self.exchange.apply(now_ms, &Command::Jump { symbol: id, to, mark: None });
        self.publish(None);
    }
}

/// A command in few words.
pub(super) fn command_text(command: &Command) -> String {
    match command {
        Command::Place(order) => format!(
            "place {} {} {} {} {:?} at {:?}",
            order.client_order_id.as_deref().unwrap_or("?"),
            order.symbol,
            order.side,
            order.position_side.map_or("BOTH", |side| side.as_str()),
            order.qty.map(|qty| qty.normalize().to_string()).unwrap_or_default(),
            order.price.map(|price| price.normalize().to_string()).unwrap_or_default(),
        ),
        Command::PlaceAlgo(algo) => format!(
            "place {} {} {} {} {} {} trigger {}",
            algo.client_algo_id.as_deref().unwrap_or("?"),
            algo.order_type,
            algo.symbol,
            algo.side,
            algo.position_side.map_or("BOTH", |side| side.as_str()),
            algo.qty.map_or_else(|| "all".to_owned(), |qty| qty.normalize().to_string()),
            algo.trigger_price.map(|price| price.normalize().to_string()).unwrap_or_default(),
        ),
        Command::Cancel { order, .. } => format!("cancel {order:?}"),
        Command::CancelAlgo { algo, .. } => format!("cancel conditional {algo:?}"),
        other => format!("{other:?}"),
    }
}
