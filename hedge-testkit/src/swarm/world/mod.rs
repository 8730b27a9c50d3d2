//! Everything at once: exchange, network, disk, machine, process, and the queue of what happens next.

mod distort;
mod faults;
mod jobs;
mod network;
mod shell;
mod start;
mod stream;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hedge_core::{
    AccountEvent, Asset, Bps, Decimal, Engine, EngineConfig, Envelope, ForeignOrders, MarketEvent, Timestamp,
};
use hedge_risk::{DayCalendar, RiskLimits, RiskStack};
use hedge_sim::venue::{AccountId, Command, FeeRates};

use super::{
    auditor::{
        APPROVAL_TTL_MS, Auditor, BookLook, LegName, OrderLook, PER_ORDER_USDT, PER_SYMBOL_USDT,
        PROTECT_WITHIN_MS, TOTAL_USDT, Violation,
    },
    dice::Dice,
    exchange::{Exchange, START_MS},
    mutant::Mutant,
    plan::{CrashPoint, Fault, LegIx, Plan, What, Wish, times},
    process::Process,
    strategy::Scripted,
};
use network::{Answer, Travelling};

/// Somebody else's money on the same exchange: an account that nothing here trades.
const OTHER: AccountId = AccountId(1);
/// After the end everything that is on its way may take so long to arrive. Units: milliseconds.
const SETTLE_MS: i64 = 20_000;

/// Something that happens at its time.
#[derive(Debug)]
enum Message {
    /// The price of a symbol moves.
    Price(usize),
    /// An item of the plan.
    Item(usize),
    /// A request reaches the exchange.
    Arrive(Box<Travelling>),
    /// An answer reaches the process that asked.
    Answer {
        process: u32,
        token: u64,
        request: u64,
        answer: Box<Answer>,
    },
    /// A client waits no longer.
    Expire {
        process: u32,
        token: u64,
        request: u64,
    },
    /// An event of the account stream reaches whoever is connected.
    Told {
        connection: u32,
        event: Box<AccountEvent>,
    },
    /// The process notices that its account stream is gone.
    StreamLost {
        connection: u32,
        back_after_ms: i64,
    },
    /// It has a new one.
    StreamBack {
        process: u32,
    },
    Market {
        process: u32,
        event: MarketEvent,
    },
    /// A read is tried again.
    Again {
        process: u32,
        token: u64,
    },
    /// The process looks at its timers.
    Wake {
        process: u32,
    },
    /// An exit has waited for long enough for an answer.
    PatienceEnds {
        process: u32,
    },
    Linger {
        process: u32,
    },
    Written {
        process: u32,
    },
    /// The process dies in the middle of writing.
    DieWriting {
        process: u32,
    },
    /// A process starts.
    Start,
    /// The rules are read again after an announcement.
    RulesAnnounced,
    /// A person switches the position mode, or tries to.
    FlipMode {
        to_hedge: bool,
        until_us: i64,
    },
    /// The machine's clock was far ahead.
    ClockSetRight,
    /// All faults end.
    Calm,
    /// A person lifts what was ordered.
    Lift,
    Strict,
    Look,
    Probe,
    Finish,
}

/// What the machine's clock says.
#[derive(Debug, Default)]
struct Machine {
    offset_us: i64,
    drift_ppm: i64,
    drifts_from_us: i64,
}

impl Machine {
    fn at(&self, sim_us: i64) -> i64 {
        sim_us + self.offset_us + (sim_us - self.drifts_from_us) * self.drift_ppm / 1_000_000
    }

    fn settle_drift(&mut self, sim_us: i64, ppm: i64) {
        self.offset_us += (sim_us - self.drifts_from_us) * self.drift_ppm / 1_000_000;
        (self.drift_ppm, self.drifts_from_us) = (ppm, sim_us);
    }
}

/// Faults that last, and those that wait for a request or an event. Times are in microseconds of the run.
#[derive(Debug, Default)]
struct Trouble {
    /// They wait for a command or an answer.
    requests: Vec<Fault>,
    /// They wait for an event of the account stream.
    events: Vec<Fault>,
    maintenance_until_us: i64,
    down_until_us: i64,
    stale_until_us: i64,
    thin_until_us: i64,
    slow_disk_until_us: i64,
    silent: bool,
    append_fails: bool,
    crash: Option<CrashPoint>,
}

/// What a process remembers of a ban; a new one asks and learns it anew.
#[derive(Debug, Default)]
struct Client {
    banned_until_us: i64,
    limited_until_us: i64,
}

/// The memory of a mutant.
#[derive(Debug, Default)]
struct Twist {
    count: u64,
    seen_trades: BTreeSet<(String, i64)>,
    first_reports: BTreeMap<String, hedge_core::OrderReport>,
    largest: BTreeMap<LegName, Decimal>,
    last_id: Option<String>,
}

/// One run.
#[derive(Debug)]
pub(super) struct World {
    plan: Plan,
    mutant: Option<Mutant>,
    now_us: i64,
    ticket: u64,
    agenda: BTreeMap<(i64, u64), Message>,
    exchange: Exchange,
    disk: Vec<Envelope>,
    machine: Machine,
    process: Option<Process>,
    processes: u32,
    connections: u32,
    last_told_us: i64,
    requests: u64,
    trouble: Trouble,
    client: Client,
    calm: bool,
    given_book: [bool; 3],
    net_dice: Dice,
    price_dice: Dice,
    disk_dice: Dice,
    late_dice: Dice,
    twist: Twist,
    shadow: hedge_core::Book,
    pub(super) auditor: Auditor,
    /// How often each fault took effect.
    pub(super) fired: BTreeMap<&'static str, u32>,
    pub(super) trace: Option<Vec<String>>,
    /// Everything that happened, as one number.
    digest: u64,
    finished: bool,
}

/// What a run left.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) violation: Option<Violation>,
    pub(super) points: u64,
    pub(super) digest: u64,
    pub(super) fired: BTreeMap<&'static str, u32>,
    pub(super) trace: Vec<String>,
    pub(super) trades: usize,
    pub(super) processes: u32,
    pub(super) longest_bare_ms: i64,
    pub(super) journal: Vec<Envelope>,
}

impl World {
    pub(super) fn new(plan: &Plan, mutant: Option<Mutant>, traced: bool) -> Self {
        let seed = plan.seed;
        let mut exchange = Exchange::new(&plan.setup, seed);
        let rich = Decimal::from(100_000_000);
        let _ = exchange.apply(START_MS, &Command::OpenAccount { account: OTHER, balance_usdt: rich });
        let fees = FeeRates { maker: Decimal::ZERO, taker: Decimal::ZERO };
        let _ = exchange.apply(START_MS, &Command::SetFees { account: OTHER, symbol: None, fees });
        let events = exchange.take_events();
        exchange.give_back(events);
        let mut world = Self {
            plan: plan.clone(),
            mutant,
            now_us: 0,
            ticket: 0,
            agenda: BTreeMap::new(),
            exchange,
            disk: Vec::new(),
            machine: Machine::default(),
            process: None,
            processes: 0,
            connections: 0,
            last_told_us: 0,
            requests: 0,
            trouble: Trouble::default(),
            client: Client::default(),
            calm: false,
            given_book: [false; 3],
            net_dice: Dice::new(seed, 2),
            price_dice: Dice::new(seed, 3),
            disk_dice: Dice::new(seed, 4),
            late_dice: Dice::new(seed, 5),
            twist: Twist::default(),
            shadow: hedge_core::Book::default(),
            auditor: Auditor::new(plan.setup.time_out_ms),
            fired: BTreeMap::new(),
            trace: traced.then(Vec::new),
            digest: 0xcbf2_9ce4_8422_2325,
            finished: false,
        };
        for symbol in 0..usize::from(plan.setup.symbols) {
            world.at_ms(100 + 70 * symbol as i64, Message::Price(symbol));
        }
        for (place, item) in plan.items.iter().enumerate() {
            if !matches!(item.what, What::Wish(..)) {
                world.at_ms(item.at_ms, Message::Item(place));
            }
        }
        world.at_ms(0, Message::Start);
        world.at_ms(1_000, Message::Probe);
        world.at_ms(times::STORM_ENDS_MS, Message::Calm);
        world.at_ms(times::STORM_ENDS_MS + 15_000, Message::Lift);
        world.at_ms(times::STRICT_FROM_MS - 1_000, Message::Look);
        world.at_ms(times::STRICT_FROM_MS, Message::Strict);
        world.at_ms(times::END_MS, Message::Finish);
        world
    }

    /// Plays the run to its end, or to the first violation.
    pub(super) fn run(mut self) -> Outcome {
        while !self.finished && self.auditor.violation().is_none() {
            let Some(((at_us, _), message)) = self.agenda.pop_first() else { break };
            self.now_us = at_us;
            self.auditor.now_ms = at_us / 1_000;
            self.handle(message);
        }
        if let (Some(violation), Some(trace)) = (self.auditor.violation(), &mut self.trace) {
            trace.push(format!("VIOLATION {violation}"));
        }
        Outcome {
            violation: self.auditor.violation().cloned(),
            points: self.auditor.points,
            digest: self.digest,
            fired: self.fired,
            trace: self.trace.unwrap_or_default(),
            trades: self.auditor.ledger.trades.len(),
            processes: self.processes,
            longest_bare_ms: self.auditor.longest_bare_ms,
            journal: self.disk,
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Price(symbol) => self.move_price(symbol),
            Message::Item(place) => self.item(place),
            Message::Arrive(travelling) => self.arrive(*travelling),
            Message::Answer { process, token, request, answer } => {
                if self.is_alive(process) {
                    self.answered(token, request, *answer);
                }
            }
            Message::Expire { process, token, request } => {
                if self.is_alive(process) {
                    self.answered(token, request, Answer::timed_out());
                }
            }
            Message::Told { connection, event } => self.hear(connection, *event),
            Message::StreamLost { connection, back_after_ms } => self.stream_lost(connection, back_after_ms),
            Message::StreamBack { process } => {
                if self.is_alive(process) {
                    self.stream_back();
                }
            }
            Message::Market { process, event } => {
                if self.is_alive(process) {
                    self.hear_market(event);
                }
            }
            Message::Again { process, token } => {
                if self.is_alive(process) {
                    self.read_on(token);
                }
            }
            Message::Wake { process } => {
                if let Some(alive) = self.process.as_mut().filter(|alive| alive.id == process) {
                    alive.wakes_us = None;
                    self.pump();
                }
            }
            Message::PatienceEnds { process } => {
                if self.is_alive(process) {
                    self.start_jobs();
                    self.pump();
                }
            }
            Message::Linger { process } => {
                if self.is_alive(process) {
                    self.linger_over();
                }
            }
            Message::Written { process } => {
                if self.is_alive(process) {
                    self.written();
                }
            }
            Message::DieWriting { process } => {
                if self.is_alive(process) {
                    self.die("in the middle of writing records");
                }
            }
            Message::Start => self.start(),
            Message::RulesAnnounced => self.refresh_rules(),
            Message::FlipMode { to_hedge, until_us } => self.flip_mode(to_hedge, until_us),
            Message::ClockSetRight => self.set_clock_right(),
            Message::Calm => self.calm_down(),
            Message::Lift => self.lift(),
            Message::Strict => {
                self.auditor.ledger.forget_bare();
                self.auditor.strict = true;
            }
            Message::Look => self.look(false),
            Message::Probe => {
                self.auditor.cover();
                if !self.finished {
                    self.after_us(500_000, Message::Probe);
                }
            }
            Message::Finish => self.finish(),
        }
    }

    fn is_alive(&self, process: u32) -> bool {
        self.process.as_ref().is_some_and(|alive| alive.id == process)
    }

    fn at_ms(&mut self, at_ms: i64, message: Message) {
        self.at_us(at_ms * 1_000, message);
    }

    fn at_us(&mut self, at_us: i64, message: Message) {
        self.ticket += 1;
        self.agenda.insert((at_us.max(self.now_us), self.ticket), message);
    }

    fn after_us(&mut self, us: i64, message: Message) {
        self.at_us(self.now_us + us, message);
    }

    /// The exchange's clock.
    fn venue_ms(&self) -> i64 {
        START_MS + self.now_us / 1_000
    }

    fn machine_us(&self) -> i64 {
        self.machine.at(self.now_us)
    }

    fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>9.4} {}", self.now_us as f64 / 1_000_000.0, text()));
        }
    }

    fn fire(&mut self, kind: &'static str) {
        *self.fired.entry(kind).or_default() += 1;
        self.say(|| format!("FAULT {kind}"));
    }

    /// Mixes something that happened into the run's number.
    fn note(&mut self, text: &str) {
        for byte in text.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn engine(&self) -> Engine {
        let bps = |text: i64| Bps::new(Decimal::from(text)).unwrap_or(Bps::ZERO);
        let config = EngineConfig {
            max_slippage: bps(30),
            protect_within: Duration::from_millis(PROTECT_WITHIN_MS as u64),
            // A quarter of an hour of silence after each trouble would be no storm.
            mute_for: Duration::from_secs(5),
            approval_ttl: Duration::from_millis(APPROVAL_TTL_MS as u64),
            adopt_stop: Some(bps(200)),
            entries_vanish_after: self.plan.setup.entries_vanish.then_some(Duration::from_secs(900)),
            foreign_orders: if self.plan.setup.adopt_foreign {
                ForeignOrders::Adopt
            } else {
                ForeignOrders::Leave
            },
            ..EngineConfig::default()
        };
        let limits = RiskLimits {
            kill_dd_pct: Decimal::from(60),
            kill_daily_loss_pct: Decimal::from(60),
            max_positions: 6,
            max_notional_per_order_usdt: Decimal::from(PER_ORDER_USDT),
            max_notional_per_symbol_usdt: Decimal::from(PER_SYMBOL_USDT),
            max_notional_total_usdt: Decimal::from(TOTAL_USDT),
            entries_per_leg_per_hour: 60,
            warmup_s: 1,
            ..RiskLimits::default()
        };
        let calendar = DayCalendar::utc(0).expect("an hour of the day");
        let risk = RiskStack::from_limits(&limits, calendar).expect("limits within their ranges");
        let wishes = self.plan.items.iter().filter_map(|item| match item.what {
            What::Wish(leg, wish) => Some((Timestamp::from_ms(START_MS + item.at_ms), leg, wish)),
            _ => None,
        });
        let wishes: Vec<(Timestamp, LegIx, Wish)> = wishes.collect();
        let strategy = Scripted::new(self.exchange.ids.clone(), wishes);
        Engine::new(config, Box::new(risk), vec![Box::new(strategy)])
    }

    /// What the engine believes, in plain numbers.
    fn book_look(&self) -> Option<BookLook> {
        let book = self.process.as_ref()?.engine.book();
        Some(BookLook {
            legs: book.legs().map(|leg| (LegName::from(&leg.key), leg.qty)).collect(),
            live: book
                .live_orders()
                .map(|order| OrderLook {
                    id: order.client_id.as_str().to_owned(),
                    state: order.state,
                    asks: order.doubt.is_some(),
                })
                .collect(),
            filled: book.orders().map(|order| (order.client_id.as_str().to_owned(), order.filled)).collect(),
            wallet: book.wallet(&Asset::usdt()),
            connected: book.is_connected(),
        })
    }

    /// Nothing is on its way anywhere.
    fn is_quiet(&self) -> bool {
        let Some(process) = &self.process else { return false };
        let queues = &process.queues;
        let nothing_waits = queues.operator.is_empty()
            && queues.results.is_empty()
            && queues.account.is_empty()
            && process.barrier.is_none()
            && process.tail.pending.is_empty()
            && process.tail.writing.is_none()
            && process.jobs.waiting.is_empty()
            && process.jobs.running.is_empty();
        let travels = |message: &Message| matches!(message, Message::Arrive(_) | Message::Told { .. });
        nothing_waits && process.boot == super::process::Boot::Live && !self.agenda.values().any(travels)
    }

    fn look(&mut self, last: bool) {
        if !self.is_quiet() {
            return;
        }
        if let Some(book) = self.book_look() {
            self.compare_fold();
            self.auditor.quiet(&book, self.exchange.venue(), last);
        }
    }

    fn finish(&mut self) {
        if self.is_quiet() {
            self.look(true);
            self.finished = true;
        } else if self.now_us / 1_000 > times::END_MS + SETTLE_MS {
            let alive = self.process.as_ref().map(|process| process.boot);
            self.auditor.report(9, || {
                format!("something is still on its way long after the end; the process is {alive:?}")
            });
        } else {
            self.after_us(7_000, Message::Finish);
        }
    }
}
