//! Prints the pipeline as it happens: screener, decision, hand-over, intent, order.

use std::time::Duration;

use hedge_core::{
    Book, Decision, Envelope, Event, Fact, Intent, MarketEvent, StrategyId, Timestamp, Verdict, engine::Step,
};
use hedge_runtime::Observer;

use super::{
    lines::{self, account_ok},
    sink::Sink,
};

/// How often the account line is repeated, in the facts' time.
const ACCOUNT_EVERY: Duration = Duration::from_secs(3_600);

/// Readings of bars that closed together and come within this time of the first, as clocks on walls count, belong to one
/// cycle.
const CYCLE: Duration = Duration::from_secs(2);

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
    cycle_within: Duration,
    /// End of the bar that is decided on.
    bar_end: Timestamp,
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
        Self {
            sink,
            environment,
            pending: Vec::new(),
            cycle: None,
            cycle_within: CYCLE,
            bar_end: Timestamp::EPOCH,
            account_at: Timestamp::MAX,
        }
    }

    /// The same for facts whose clock runs `speed` times as fast as those on walls.
    #[must_use]
    pub fn at_speed(mut self, speed: f64) -> Self {
        let within = Duration::try_from_secs_f64(CYCLE.as_secs_f64() * speed).unwrap_or(CYCLE);
        self.cycle_within = within.max(CYCLE);
        self
    }

    fn decision(&mut self, at: Timestamp, decision: &Decision, book: &Book) {
        match decision {
            Decision::Screened { strategy, reading } => {
                self.count(at, reading.emitted);
                self.sink.line(&lines::screener(reading, book));
                if !reading.emitted {
                    self.sink.line(&lines::held_back(*strategy, reading));
                }
            }
            Decision::Intended { strategy, intent } => match intent.position() {
                Some(_) => self.pending.push((*strategy, intent.clone())),
                None => self.hand_over(*strategy, intent),
            },
            Decision::Assessed { position, checks, verdict } => {
                self.sink.line(&lines::assessed(position, &checks.to_vec(), verdict));
                let place = self.pending.iter().position(|(_, intent)| intent.position() == Some(position));
                if let Some((strategy, intent)) = place.map(|place| self.pending.remove(place))
                    && !matches!(verdict, Verdict::Refuse { .. })
                {
                    self.hand_over(strategy, &intent);
                }
            }
            other => {
                let order = lines::order(other).map(|line| line.simulated_if(self.environment.dry_run));
                if let Some(line) = order.or_else(|| lines::notice(other)) {
                    self.sink.line(&line);
                }
            }
        }
    }

    fn hand_over(&self, strategy: StrategyId, intent: &Intent) {
        self.sink.line(&lines::handed_over(strategy, intent));
        self.sink.line(&lines::intent(strategy, intent).simulated_if(self.environment.dry_run));
    }

    fn count(&mut self, at: Timestamp, emitted: bool) {
        let cycle = self.cycle.get_or_insert(Cycle { at, attempted: 0, emitted: 0 });
        cycle.attempted += 1;
        cycle.emitted += u64::from(emitted);
    }

    fn end_old_cycle(&mut self, at: Timestamp) {
        if self.cycle.is_some_and(|cycle| at.since(cycle.at) >= self.cycle_within) {
            self.end_cycle();
        }
    }

    /// Bars of several lengths may end together; a later end begins another cycle.
    fn bar(&mut self, end: Timestamp) {
        if end > self.bar_end {
            self.end_cycle();
            self.bar_end = end;
        }
    }

    fn end_cycle(&mut self) {
        if let Some(cycle) = self.cycle.take() {
            self.sink.line(&lines::cycle(cycle.attempted, cycle.emitted));
        }
    }

    fn envelope(&mut self, envelope: &Envelope, book: &Book) {
        match &envelope.event {
            Event::Decision(decision) => self.decision(envelope.at, decision, book),
            Event::Fact(Fact::Market { event: MarketEvent::Bar { bar, .. } }) => self.bar(bar.end()),
            Event::Fact(_) => {}
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
            self.envelope(envelope, book);
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

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use hedge_core::{Bar, InstrumentId, InstrumentIx, Interval, Reading, Seq};

    use super::*;
    use crate::logging::Format;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A bar that closed at `end_ms`, heard at `at_ms`, and what a strategy read from it.
    fn decided(log: &mut OperatorLog, end_ms: i64, at_ms: i64) {
        let bar = Bar {
            open_time: Timestamp::from_ms(end_ms - Interval::M15.ms()),
            interval: Interval::M15,
            open: 1,
            high: 1,
            low: 1,
            close: 1,
            price_scale: 0,
            volume: 0,
            volume_scale: 0,
        };
        let reading = Reading {
            instrument: InstrumentId::binance("BTCUSDT").unwrap(),
            timeframe: Interval::M15,
            z: None,
            rsi: None,
            atr: None,
            cross_up: false,
            cross_down: false,
            in_trade: false,
            side: None,
            emitted: false,
            veto: Vec::new(),
        };
        let strategy = StrategyId::parse("btc").unwrap();
        let at = Timestamp::from_ms(at_ms);
        let events = vec![
            Event::Fact(Fact::Market { event: MarketEvent::Bar { instrument: InstrumentIx(0), bar } }),
            Event::Decision(Decision::Screened { strategy, reading }),
        ];
        let events =
            events.into_iter().map(|event| Envelope { seq: Seq(0), at, cause: None, event }).collect();
        log.on_step(at, &Step { expected_next: Seq(0), events, effects: Vec::new() }, &Book::default());
    }

    fn cycles(speed: f64, heard_at_ms: &[(i64, i64)]) -> Vec<String> {
        let buffer = Buffer::default();
        let environment = Environment { testnet: false, dry_run: false };
        let mut log = OperatorLog::new(Sink::to(Format::Text, buffer.clone()), environment).at_speed(speed);
        heard_at_ms.iter().for_each(|(end, at)| decided(&mut log, *end, *at));
        drop(log);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains("attempted=")).map(str::to_owned).collect()
    }

    #[test]
    fn bars_that_closed_together_are_one_cycle_also_when_the_clock_runs_fast() {
        let heard = [(900_000, 900_010), (900_000, 960_000), (900_000, 990_000), (1_800_000, 1_800_010)];
        let three_and_one = ["[screener] attempted=3 emitted=0", "[screener] attempted=1 emitted=0"];
        assert_eq!(cycles(600.0, &heard), three_and_one);
        // On a clock as on walls a minute is too long to wait for the line.
        assert_eq!(cycles(1.0, &heard).len(), 4);
    }

    #[test]
    fn in_a_dry_run_every_line_of_an_order_says_that_it_is_simulated() {
        let strategy = StrategyId::parse("btc").unwrap();
        let position = hedge_core::PositionKey::new(
            InstrumentId::binance("BTCUSDT").unwrap(),
            hedge_core::PositionSide::Long,
        );
        for (dry_run, count) in [(true, 2), (false, 0)] {
            let buffer = Buffer::default();
            let environment = Environment { testnet: false, dry_run };
            let mut log = OperatorLog::new(Sink::to(Format::Text, buffer.clone()), environment);
            let intent = Intent::Close {
                position,
                portion: hedge_core::Portion::All,
                exit: hedge_core::Exit::Market,
                because: "the test is over".into(),
            };
            log.hand_over(strategy, &intent);
            let order = hedge_core::ClientOrderId::parse("a1").unwrap();
            let cancel = Decision::CancelRequested { order, because: "the test is over".into() };
            log.decision(Timestamp::EPOCH, &cancel, &Book::default());
            let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
            assert_eq!(text.matches(",\"simulated\":true}").count(), count, "{text}");
        }
    }

    #[test]
    fn a_later_bar_begins_another_cycle_at_once() {
        assert_eq!(cycles(10_000.0, &[(900_000, 900_000), (1_800_000, 1_800_000)]).len(), 2);
    }
}
