//! Random trading through a venue and a network that do everything wrong for a while. When the storm is over, book and
//! venue agree, every leg is protected, nothing is left over, the journal is the state, and its facts reproduce its
//! decisions.

use std::{collections::BTreeMap, time::Duration};

use hedge_core::*;

use crate::{
    rig::*,
    tiny_venue::{Dice, TinyVenue},
};

/// No leg stands without a stop for longer, whatever happens: a broken stream (8 s), answers that are late or never come, the
/// three seconds that a stop is waited for, and several attempts.
const LONGEST_BARE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
enum Item {
    /// A request reaches the venue; its answer is lost if it comes from a dead process.
    Arrive(Did, u32),
    /// A request that nobody got an answer for is executed after all.
    Execute(Sent),
    /// A fact reaches the engine; `stream` ones die with the connection.
    Deliver(Fact, u32, bool),
    Bar,
    Move,
    Reconnect(u32),
}

struct Storm {
    seed: u64,
    dice: Dice,
    rig: Rig,
    venue: TinyVenue,
    agenda: BTreeMap<(Timestamp, u64), Item>,
    ticket: u64,
    process: u32,
    connected: bool,
    wild: bool,
    lanes: BTreeMap<PositionKey, Timestamp>,
    bare_since: BTreeMap<PositionKey, Timestamp>,
    trace: Vec<String>,
}

impl Storm {
    fn new(seed: u64) -> Self {
        // A quarter of an hour of silence after each trouble would be no storm.
        let config = EngineConfig { mute_for: ms(5_000), ..EngineConfig::default() };
        let mut storm = Self {
            seed,
            dice: Dice::new(seed),
            rig: Rig::with(config, Box::new(PermitAll), 0),
            venue: TinyVenue::new(seed),
            agenda: BTreeMap::new(),
            ticket: 0,
            process: 1,
            connected: true,
            wild: true,
            lanes: BTreeMap::new(),
            bare_since: BTreeMap::new(),
            trace: Vec::new(),
        };
        storm.venue.now = storm.rig.now;
        storm.plan(ms(1_000), Item::Move);
        storm.plan(ms(1_500), Item::Bar);
        storm
    }

    fn plan(&mut self, after: Duration, item: Item) {
        self.ticket += 1;
        self.agenda.insert((self.venue.now.plus(after), self.ticket), item);
    }

    fn lag(&mut self) -> Duration {
        let longest = if self.wild { 800 } else { 10 };
        if self.wild && self.dice.percent(50) { ms(5) } else { ms(5 + self.dice.below(longest)) }
    }

    fn say(&mut self, text: impl FnOnce() -> String) {
        let line =
            format!("{:>9.3} {}", self.venue.now.since(Timestamp::from_ms(START_MS)).as_secs_f64(), text());
        self.trace.push(line);
    }

    fn publish(&mut self, events: Vec<AccountEvent>) {
        for event in events {
            if !self.connected {
                continue;
            }
            // When all is calm the stream keeps its order.
            let times = if self.wild && self.dice.percent(10) { 2 } else { 1 };
            for _ in 0..times {
                let lag = if self.wild { self.lag() } else { ms(5) };
                let fact = Fact::Account { event: Box::new(event.clone()) };
                self.plan(lag, Item::Deliver(fact, self.process, true));
            }
        }
    }

    fn feed(&mut self, fact: Fact) {
        self.say(|| format!("engine <- {}", short_text(&fact)));
        self.rig.now = self.rig.now.max(self.venue.now);
        let outcomes = self.rig.feed_now(fact);
        self.take(outcomes);
    }

    fn take(&mut self, outcomes: Outcomes) {
        for alert in outcomes.alerts() {
            self.say(|| format!("ALERT {alert}"));
        }
        for effect in outcomes.effects {
            self.say(|| format!("engine -> {}", effect_text(&effect)));
            let mut after = self.lag();
            // Commands of one leg keep their order.
            let leg = match &effect {
                Did::Submit(sent) => Some(sent.position),
                Did::Cancel(id, _) => self.rig.book().order(id).map(|order| order.position),
                Did::Query(..) | Did::Snapshot(_) => None,
            };
            if let Some(leg) = leg {
                let now = self.venue.now;
                let lane = self.lanes.entry(leg).or_insert(now);
                *lane = (*lane).max(now.plus(after));
                after = lane.since(now);
            }
            self.plan(after, Item::Arrive(effect, self.process));
        }
    }

    fn answer(&mut self, fact: Fact, process: u32) {
        let lag = self.lag();
        self.plan(lag, Item::Deliver(fact, process, false));
    }

    fn failed(&self, order: ClientOrderId, outcome: Outcome, refused: Option<(RejectReason, i64)>) -> Fact {
        Fact::SubmitFailed {
            order,
            outcome,
            reason: refused.map(|(reason, _)| reason),
            code: refused.map(|(_, code)| code),
            message: "storm".to_owned(),
            acceptable_until: Some(self.venue.now.plus(ms(5_000))),
            retry_at: None,
        }
    }

    fn arrive(&mut self, effect: Did, process: u32) {
        self.shake_lag();
        let trouble = if self.wild { self.dice.below(100) } else { 99 };
        match effect {
            Did::Submit(sent) => {
                if trouble < 5 {
                    let fact = self.failed(sent.id, Outcome::NotSent, None);
                    return self.answer(fact, process);
                }
                if trouble < 12 {
                    // Lost, or late by up to the request's own deadline.
                    if self.dice.percent(60) {
                        let late = ms(self.dice.below(4_900));
                        self.plan(late, Item::Execute(sent.clone()));
                    }
                    let fact = self.failed(sent.id, Outcome::Unknown, None);
                    return self.answer(fact, process);
                }
                let mut events = Vec::new();
                let result = self.venue.submit(&sent, &mut events);
                self.publish(events);
                let fact = match result {
                    Err(refused) => self.failed(sent.id, Outcome::Rejected, Some(refused)),
                    Ok(_) if trouble < 18 => self.failed(sent.id, Outcome::Unknown, None),
                    Ok(state) => Fact::SubmitAcked {
                        order: sent.id,
                        venue: self.venue.name(&sent.id),
                        state,
                        filled: self.venue.orders[&sent.id].filled,
                    },
                };
                self.answer(fact, process);
            }
            Did::Cancel(order, _) => {
                let failed = |outcome, reason| Fact::CancelFailed {
                    order,
                    outcome,
                    reason,
                    message: "storm".to_owned(),
                    retry_at: None,
                };
                if trouble < 8 {
                    return self.answer(failed(Outcome::NotSent, None), process);
                }
                let mut events = Vec::new();
                let result = self.venue.cancel(&order, &mut events);
                self.publish(events);
                let fact = match result {
                    _ if trouble < 14 => failed(Outcome::Unknown, None),
                    Ok(()) => Fact::CancelAcked { order },
                    Err((reason, _)) => failed(Outcome::Rejected, Some(reason)),
                };
                self.answer(fact, process);
            }
            Did::Query(order, _, since) => {
                let key = self.rig.book().order(&order).unwrap().position;
                let fact = if trouble < 15 {
                    Fact::QueryFailed { order, message: "storm".to_owned() }
                } else {
                    Fact::QueryAnswered { order, answer: Box::new(self.venue.answer(&order, &key, since)) }
                };
                self.answer(fact, process);
            }
            Did::Snapshot(since) => {
                let found = self.venue.account(since);
                self.answer(Fact::Snapshot { snapshot: Box::new(found) }, process);
            }
        }
    }

    /// Source: fact sheet 14.6, item 6: what was accepted may stay invisible to queries for 0 to 3 s.
    fn shake_lag(&mut self) {
        let lags = self.wild && self.dice.percent(20);
        self.venue.lag = if lags { ms(self.dice.below(3_000)) } else { Duration::ZERO };
    }

    fn bar(&mut self) {
        if self.wild {
            let key = if self.dice.percent(50) { long() } else { short() };
            let off = |storm: &mut Self, cents: i64| {
                let away = Decimal::new(cents + storm.dice.below(300) as i64, 2);
                ((storm.venue.mark - away * Decimal::from(key.side.sign())) / d("0.1")).trunc() * d("0.1")
            };
            let intent = match self.dice.below(10) {
                0..=3 => {
                    let trigger = Price::new(off(self, 100)).unwrap();
                    let far = Price::new(off(self, -500)).unwrap();
                    let rung = TakeProfit { trigger: far, portion: Ratio::parse("0.5").unwrap() };
                    let take_profits = if self.dice.percent(50) { vec![rung] } else { Vec::new() };
                    let entry = if self.dice.percent(70) {
                        Entry::Market
                    } else {
                        Entry::Limit { price: Price::new(off(self, 10)).unwrap(), tif: Tif::Gtc }
                    };
                    Intent::Open {
                        position: key,
                        size: Size::Qty(
                            Qty::new(Decimal::new(100 + self.dice.below(2_000) as i64, 3)).unwrap(),
                        ),
                        entry,
                        protection: Protection::Stop { trigger, take_profits },
                        because: "storm".into(),
                    }
                }
                4 | 5 => Intent::Protect {
                    position: key,
                    trigger: Price::new(off(self, 50)).unwrap(),
                    because: "storm".into(),
                },
                6 => Intent::close(key, "storm"),
                7 => Intent::Close {
                    position: key,
                    portion: Portion::Fraction(Ratio::parse("0.5").unwrap()),
                    exit: Exit::Market,
                    because: "storm".into(),
                },
                8 => Intent::Close {
                    position: key,
                    portion: Portion::Fraction(Ratio::parse("0.7").unwrap()),
                    exit: Exit::Limit { price: Price::new(off(self, -200)).unwrap(), tif: Tif::Gtc },
                    because: "storm".into(),
                },
                _ => {
                    let mine = self.rig.book().live_orders().find(|order| order.strategy.is_some());
                    match mine.map(|order| order.client_id) {
                        Some(order) => Intent::Cancel { order, because: "storm".into() },
                        None => Intent::close(key, "storm"),
                    }
                }
            };
            self.say(|| format!("strategy wants {intent:?}"));
            self.rig.wants.lock().unwrap().push(intent);
        }
        self.rig.now = self.rig.now.max(self.venue.now);
        self.rig.price = self.venue.mark;
        let outcomes = self.rig.bar();
        self.take(outcomes);
    }

    fn trouble(&mut self) {
        match self.dice.below(60) {
            0 if self.connected => {
                self.say(|| "the stream breaks".to_owned());
                self.connected = false;
                self.agenda.retain(|_, item| !matches!(item, Item::Deliver(_, _, true)));
                self.feed(Fact::Account {
                    event: Box::new(AccountEvent::Disconnected { reason: "storm".to_owned() }),
                });
                let back = ms(500 + self.dice.below(8_000));
                self.plan(back, Item::Reconnect(self.process));
            }
            1 => self.restart(),
            // Its fills reach us with their client id: `userTrades` alone would not tell whose they are, and an order of
            // unknown outcome would rightly stay unknown.
            2 if self.connected => {
                let key = if self.dice.percent(50) { long() } else { short() };
                let mut events = Vec::new();
                self.say(|| format!("a person closes a part of {key}"));
                self.venue.person_closes(&key, &mut events);
                for event in events {
                    self.feed(Fact::Account { event: Box::new(event) });
                }
            }
            3 => {
                let stop = self
                    .venue
                    .orders
                    .values()
                    .find(|order| order.is_live() && order.sent.is_close_all_stop())
                    .map(|order| order.sent.id);
                if let Some(stop) = stop {
                    self.say(|| format!("a person cancels {stop}"));
                    let mut events = Vec::new();
                    let _ = self.venue.cancel(&stop, &mut events);
                    self.publish(events);
                }
            }
            4 => {
                let command =
                    if self.dice.percent(50) { OperatorCommand::Flatten } else { OperatorCommand::ExitOnly };
                self.feed(Fact::Operator { command, because: "storm".to_owned() });
            }
            5..=10 if self.rig.book().operator().0 != Posture::Normal => {
                let command = OperatorCommand::Resume;
                self.feed(Fact::Operator { command, because: "storm".to_owned() });
            }
            _ => {}
        }
    }

    fn restart(&mut self) {
        self.say(|| "the process dies and starts again".to_owned());
        self.process += 1;
        // What was on the wire may arrive; what waited in the dead process does not.
        let mut dice = self.dice.clone();
        self.agenda.retain(|_, item| match item {
            Item::Arrive(..) => dice.percent(50),
            Item::Deliver(..) | Item::Reconnect(_) => false,
            Item::Execute(_) | Item::Bar | Item::Move => true,
        });
        self.dice = dice;
        self.connected = true;
        self.shake_lag();
        self.rig.now = self.rig.now.max(self.venue.now);
        let outcomes = self.rig.restart();
        assert!(outcomes.effects.is_empty(), "nothing leaves before the account was read");
        let found = self.venue.account(self.rig.book().back_fill_from());
        self.feed(Fact::Snapshot { snapshot: Box::new(found) });
    }

    fn step(&mut self) {
        let next = self.agenda.keys().next().map(|(at, _)| *at);
        if let Some(due) = self.rig.engine.deadline()
            && next.is_none_or(|next| due < next)
        {
            self.venue.now = self.venue.now.max(due);
            return self.feed(Fact::Tick);
        }
        let Some(((at, _), item)) = self.agenda.pop_first() else { return };
        self.venue.now = self.venue.now.max(at);
        match item {
            Item::Arrive(effect, process) => self.arrive(effect, process),
            Item::Execute(sent) => {
                if !self.venue.orders.contains_key(&sent.id) {
                    self.say(|| format!("{} is executed after all", sent.id));
                    let mut events = Vec::new();
                    let _ = self.venue.submit(&sent, &mut events);
                    self.publish(events);
                }
            }
            Item::Deliver(fact, process, _) if process == self.process => self.feed(fact),
            Item::Deliver(..) => {}
            Item::Bar => {
                self.bar();
                self.plan(ms(1_500), Item::Bar);
            }
            Item::Move => {
                let by = Decimal::new(self.dice.below(61) as i64 - 30, 1) / d("10");
                let mark = (self.venue.mark + by).max(d("50")).round_dp(1);
                let mut events = Vec::new();
                if self.wild {
                    self.venue.move_to(mark, &mut events);
                }
                self.publish(events);
                let mark = Price::new(self.venue.mark).unwrap();
                let event =
                    MarketEvent::Mark { instrument: InstrumentIx(0), mark, venue_time: self.venue.now };
                self.rig.now = self.rig.now.max(self.venue.now);
                let outcomes = self.rig.feed_now(Fact::Market { event });
                self.take(outcomes);
                if self.wild {
                    self.trouble();
                }
                self.plan(ms(1_000), Item::Move);
            }
            Item::Reconnect(process) => {
                if process == self.process && !self.connected {
                    self.connected = true;
                    self.feed(Fact::Account { event: Box::new(AccountEvent::Reconnected) });
                }
            }
        }
        self.rig.identity_holds();
        self.watch_protection();
    }

    fn stops_at_venue(&self, key: PositionKey) -> impl Iterator<Item = &Sent> {
        self.venue
            .orders
            .values()
            .filter(move |order| {
                order.is_live() && order.sent.position == key && order.sent.purpose == OrderPurpose::Stop
            })
            .map(|order| &order.sent)
    }

    /// Whether all that the leg holds at the venue stands behind a stop.
    fn is_covered(&self, key: PositionKey) -> bool {
        let held = self.venue.legs[&key].qty;
        held.is_zero() || self.stops_at_venue(key).any(|stop| stop.is_close_all_stop() || stop.qty >= held)
    }

    /// No leg stands at the venue without any stop for long, not even in the storm.
    fn watch_protection(&mut self) {
        for key in [long(), short()] {
            if self.venue.legs[&key].qty.is_zero() || self.stops_at_venue(key).next().is_some() {
                self.bare_since.remove(&key);
            } else {
                let since = *self.bare_since.entry(key).or_insert(self.venue.now);
                let bare = self.venue.now.since(since);
                self.demand(bare < LONGEST_BARE, || format!("{key} has stood without a stop for {bare:?}"));
            }
        }
    }

    fn run(&mut self) {
        let storm_ends = self.venue.now.plus(Duration::from_secs(180));
        self.run_until(storm_ends);
        self.wild = false;
        if !self.connected {
            self.connected = true;
            self.feed(Fact::Account { event: Box::new(AccountEvent::Reconnected) });
        }
        self.feed(Fact::Operator { command: OperatorCommand::Resume, because: "calm".to_owned() });
        let calm = self.venue.now.plus(Duration::from_secs(200));
        self.run_until(calm);
    }

    fn run_until(&mut self, end: Timestamp) {
        let mut steps = 0;
        while self.venue.now < end {
            steps += 1;
            if steps > 60_000 {
                self.give_up("the engine spins");
            }
            self.step();
        }
    }

    fn give_up(&self, what: &str) -> ! {
        let last = self.trace.len().saturating_sub(150);
        panic!("seed {}: {what}\n{}", self.seed, self.trace[last..].join("\n"));
    }

    fn demand(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.give_up(&what());
        }
    }

    fn audit(&self) {
        let book = self.rig.book();
        for key in [long(), short()] {
            let (here, there) = (self.rig.leg(&key).qty, self.venue.legs[&key].qty);
            self.demand(here == there, || format!("{key}: book {here}, venue {there}"));
            self.demand(self.is_covered(key), || format!("{key} is not covered"));
            if there.is_zero() {
                let left =
                    self.venue.orders.values().find(|o| {
                        o.is_live() && o.sent.position == key && matches!(o.sent.leg, Leg::Close(..))
                    });
                self.demand(left.is_none(), || format!("{key} is flat and keeps {left:?}"));
            }
        }
        let wallet = book.wallet(&Asset::usdt());
        self.demand(wallet == self.venue.wallet, || format!("wallet {wallet}, venue {}", self.venue.wallet));
        for order in self.venue.orders.values() {
            let known = book.order(&order.sent.id).unwrap();
            self.demand(known.state.is_live() == order.is_live(), || {
                format!("{}: book {:?}, venue {:?}", order.sent.id, known.state, order.state)
            });
        }
        for order in book.live_orders() {
            self.demand(self.venue.orders.get(&order.client_id).is_some_and(|o| o.is_live()), || {
                format!("{} is {:?} here and not at the venue", order.client_id, order.state)
            });
        }
        self.demand(book.doubtful_orders() == 0, || "something is still unknown".to_owned());
        let deadline = self.rig.engine.deadline();
        self.demand(deadline.is_none(), || format!("still waiting for {deadline:?}"));
        self.rig.identity_holds();
        let mut fold = Book::default();
        for envelope in &self.rig.journal {
            fold.apply(envelope, &mut Vec::new());
        }
        self.demand(fold == *book, || "the journal folds to another state".to_owned());
        let script = script(&self.rig.journal);
        let fresh = || {
            let parrot = Parrot { script: script.clone() };
            Engine::new(self.rig.config.clone(), Box::new(PermitAll), vec![Box::new(parrot)])
        };
        let verdict = hedge_core::replay::verify(&self.rig.journal, fresh);
        self.demand(verdict == Ok(self.rig.journal.len() as u64), || {
            format!("the replay differs: {verdict:?}")
        });
    }
}

/// Wants again what was wanted at each bar of a recording.
#[derive(Debug)]
struct Parrot {
    script: BTreeMap<Timestamp, Vec<Intent>>,
}

impl Strategy for Parrot {
    fn id(&self) -> StrategyId {
        StrategyId::parse("puppet").unwrap()
    }
    fn needs(&self) -> Vec<DataNeed> {
        vec![DataNeed { instrument: btc(), interval: Interval::M15, warmup_bars: 0 }]
    }
    fn on_event(&mut self, event: &StrategyEvent<'_>, _: &StrategyView<'_>, out: &mut Output) {
        if let StrategyEvent::Bar { bar, .. } = event {
            for intent in self.script.get(&bar.open_time).into_iter().flatten() {
                out.want(intent.clone());
            }
        }
    }
}

fn script(journal: &[Envelope]) -> BTreeMap<Timestamp, Vec<Intent>> {
    let mut script: BTreeMap<Timestamp, Vec<Intent>> = BTreeMap::new();
    let mut bar_open = Timestamp::EPOCH;
    for envelope in journal {
        match &envelope.event {
            Event::Fact(Fact::Market { event: MarketEvent::Bar { bar, .. } }) => bar_open = bar.open_time,
            Event::Decision(Decision::Intended { intent, .. }) => {
                script.entry(bar_open).or_default().push(intent.clone());
            }
            _ => {}
        }
    }
    script
}

fn short_text(fact: &Fact) -> String {
    let text = match fact {
        Fact::Account { event } => match &**event {
            AccountEvent::Order { report } => {
                format!(
                    "report {} {:?} {:?} filled {}",
                    report.client_id.as_str(),
                    report.order,
                    report.state,
                    report.filled
                )
            }
            AccountEvent::Fill { fill } => {
                format!("fill {:?} {} {} of {:?}", fill.order, fill.order_side, fill.qty, fill.client_id)
            }
            other => format!("{other:?}"),
        },
        Fact::QueryAnswered { order, answer } => format!(
            "answer {order} {:?} leg {} fills {}",
            answer.report.as_ref().map(|r| (&r.state, r.filled)),
            answer.leg_qty,
            answer.fills.len()
        ),
        Fact::Snapshot { snapshot } => format!(
            "snapshot {:?} orders {:?} fills {}",
            snapshot.positions.iter().map(|p| (p.key().side, p.qty())).collect::<Vec<_>>(),
            snapshot.orders.iter().map(|o| o.client_id.as_str().to_owned()).collect::<Vec<_>>(),
            snapshot.fills.len()
        ),
        other => format!("{other:?}"),
    };
    text.chars().take(260).collect()
}

fn effect_text(effect: &Did) -> String {
    match effect {
        Did::Submit(sent) => format!("submit {} {} {:?} {}", sent.id, sent.position, sent.leg, sent.qty),
        other => format!("{other:?}"),
    }
}

/// `HEDGE_STORM_SEEDS=1000..2000` runs others.
fn seeds() -> std::ops::Range<u64> {
    let wanted = std::env::var("HEDGE_STORM_SEEDS").ok().and_then(|text| {
        let (from, to) = text.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    wanted.unwrap_or(0..200)
}

#[test]
fn after_a_storm_book_and_venue_agree_and_every_leg_is_protected() {
    let mut count = [0_u64; 5];
    for seed in seeds() {
        let mut storm = Storm::new(seed);
        storm.run();
        storm.audit();
        count[0] += 1;
        count[1] += storm.rig.book().totals().fills;
        count[2] += u64::from(storm.process);
        for envelope in &storm.rig.journal {
            match &envelope.event {
                Event::Fact(Fact::SubmitFailed { outcome: Outcome::Unknown, .. }) => count[3] += 1,
                Event::Decision(Decision::FlattenRequested { .. }) => count[4] += 1,
                _ => {}
            }
        }
    }
    let [seeds, fills, processes, doubts, forced] = count;
    println!("{seeds} seeds: {fills} fills, {processes} processes, {doubts} doubts, {forced} forced closes");
    let breeze = fills < 20 * seeds || processes < 2 * seeds || doubts < 4 * seeds || forced < seeds;
    assert!(seeds < 100 || !breeze, "that was no storm");
}
