//! One drill while it is held: its exchange, the executor, the journal, the look-out, and what was seen.

use std::{
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    DrillError,
    catalog::Drill,
    error::{Halt, Step},
    exchange::{Exchange, SPEED, legs_words},
    interrupt::Interrupt,
    process::{Line, Process, last_json, words},
    programs::{EXECUTOR, PANIC_CLOSE, Programs},
    record::Record,
    setup,
    tail::{Note, Tail, What},
    watch::Watch,
    workplace::Workplace,
};

/// The line that says that a start is over.
const READY: &str = "[executor] account OK";
/// Longer than anything takes on a machine with other things to do.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Everything a drill works with. Ends what it has started when it goes.
#[derive(Debug)]
pub(super) struct Scene {
    executor: Option<Process>,
    /// Lines of executors that have ended.
    ended_lines: Vec<Line>,
    pub(super) watch: Watch,
    pub(super) tail: Tail,
    pub(super) exchange: Exchange,
    pub(super) record: Record,
    pub(super) run_for: Duration,
    pub(super) seed: u64,
    programs: Programs,
    interrupt: Interrupt,
    /// From the beginning of the drill to that of the exchange. Units: seconds.
    offset_s: f64,
    place: Workplace,
}

/// From when on something is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// Place among the journal's notes.
    pub(super) note: usize,
    /// Units: seconds since the drill began.
    pub(super) at_s: f64,
}

/// What a scene is opened with.
#[derive(Debug)]
pub(super) struct Opening<'a> {
    pub(super) drill: &'static Drill,
    pub(super) run_for: Duration,
    pub(super) seed: u64,
    pub(super) programs: &'a Programs,
    pub(super) interrupt: &'a Interrupt,
    pub(super) runtime: &'a std::sync::Arc<tokio::runtime::Runtime>,
}

impl Scene {
    /// Opens an exchange and writes a configuration; nothing trades yet.
    pub(super) fn open(opening: &Opening<'_>, mut record: Record) -> Result<Self, DrillError> {
        let drill = opening.drill;
        let place = Workplace::new(drill.name)?;
        setup::write(&place.join("config"), &drill.setup)?;
        let offset_s = record.began.elapsed().as_secs_f64();
        let balance = Decimal::from(drill.setup.balance_usdt);
        let exchange = Exchange::open(opening.runtime.clone(), opening.seed, balance)?;
        record.moment(format!("an exchange of its own is open, its clock {SPEED} times as fast as yours"));
        Ok(Self {
            executor: None,
            ended_lines: Vec::new(),
            watch: Watch::start(exchange.clone(), record.began),
            tail: Tail::of(&place.join("state")),
            exchange,
            record,
            run_for: opening.run_for,
            seed: opening.seed,
            programs: opening.programs.clone(),
            interrupt: opening.interrupt.clone(),
            offset_s,
            place,
        })
    }

    // ---- waiting

    /// Waits until something is there; `None` after that time.
    pub(super) fn until<T>(
        &mut self,
        within: Duration,
        mut found: impl FnMut(&mut Self) -> Step<Option<T>>,
    ) -> Step<Option<T>> {
        let end = Instant::now() + within;
        loop {
            self.interrupt.check()?;
            self.tail.follow();
            if let Some(found) = found(self)? {
                return Ok(Some(found));
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            // The journal is a file that another process writes: nobody tells when it has grown.
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Lets time pass.
    pub(super) fn pause(&mut self, time: Duration) -> Step {
        self.until(time, |_| Ok(None::<()>)).map(drop)
    }

    /// Waits for a note of the journal.
    pub(super) fn until_noted(
        &mut self,
        within: Duration,
        from: Mark,
        is_it: impl Fn(&What) -> bool,
    ) -> Step<Option<Note>> {
        self.until(within, |scene| Ok(scene.since(from).iter().find(|note| is_it(&note.what)).cloned()))
    }

    // ---- programs

    /// A program of ours at this exchange.
    fn program(&self, name: &'static str) -> std::process::Command {
        let mut command = self.programs.command(name);
        command.current_dir(self.place.path()).envs(self.exchange.variables());
        command
    }

    /// Starts an executor in the state directory of this drill, and does not wait for it.
    pub(super) fn launch(&self, args: &[&str], variables: &[(&str, &str)]) -> Step<Process> {
        let mut command = self.program(EXECUTOR);
        let speed = SPEED.to_string();
        command.args(["--config", "config", "--follow", "--state-dir", "state", "--time-scale", &speed]);
        command.args(args).envs(variables.iter().copied());
        Ok(Process::start(EXECUTOR, command, self.record.began)?)
    }

    /// Starts the executor and waits until it trades and every open leg is covered. Returns that moment.
    pub(super) fn begin(&mut self, variables: &[(&str, &str)]) -> Step<Mark> {
        self.start(variables)?;
        self.until_trading()?;
        self.until_covered()?;
        Ok(self.mark())
    }

    /// Starts the executor and waits until it is ready. Returns how long that took. Units: seconds.
    pub(super) fn start(&mut self, variables: &[(&str, &str)]) -> Step<f64> {
        let from = Instant::now();
        let executor = self.launch(&[], variables)?;
        self.follow(executor);
        self.until_ready(from)
    }

    /// Takes this executor for the one of the drill; the one before it has ended, or is ended now.
    pub(super) fn follow(&mut self, executor: Process) {
        self.dismiss();
        self.executor = Some(executor);
    }

    /// Waits until the executor is ready. Returns how long that took since then. Units: seconds.
    pub(super) fn until_ready(&mut self, from: Instant) -> Step<f64> {
        let ready = self.until(PATIENCE, |scene| {
            let executor = scene.executor()?;
            let is_ready = executor.line_from(0, READY).is_some();
            let has_ended = executor.ended()?.map(words);
            Ok(is_ready.then_some(Ok(())).or(has_ended.map(Err)))
        })?;
        let took_s = from.elapsed().as_secs_f64();
        match ready {
            Some(Ok(())) => {
                let pid = self.executor()?.id();
                self.record.moment(format!("the executor (process {pid}) is ready after {took_s:.2} s"));
                Ok(took_s)
            }
            ended => {
                let found = ended.and_then(Result::err).unwrap_or_else(|| "nothing".to_owned());
                let last = self.executor()?.lines().last().map_or_else(String::new, |line| line.text.clone());
                let limit = format!("ready within {} s", PATIENCE.as_secs());
                self.record.check("the executor starts", limit, format!("{found}: {last}"), false);
                Err(Halt::Failed)
            }
        }
    }

    /// The running executor.
    pub(super) fn executor(&mut self) -> Step<&mut Process> {
        self.executor.as_mut().ok_or(Halt::Failed)
    }

    /// Takes the executor away, which has ended or is ended now; its lines stay.
    pub(super) fn dismiss(&mut self) {
        if let Some(executor) = self.executor.take() {
            self.ended_lines.extend(executor.lines());
        }
    }

    /// Waits for the executor's end.
    pub(super) fn until_ended(&mut self, within: Duration) -> Step<Option<ExitStatus>> {
        self.until(within, |scene| Ok(scene.executor()?.ended()?))
    }

    /// Waits for the executor's end and checks its exit code. Returns whether it has ended.
    pub(super) fn check_end(&mut self, within: Duration, code: i32, why: &str) -> Step<bool> {
        let status = self.until_ended(within)?;
        let found = status.map_or_else(|| "it runs on".to_owned(), words);
        let last = match self.executor()?.lines().last() {
            Some(line) if code != 0 => format!("; it said: {}", line.text),
            _ => String::new(),
        };
        let passed = status.and_then(|status| status.code()) == Some(code);
        let expected = format!("exit code {code} within {} s", within.as_secs());
        self.record.check(format!("the executor {why}"), expected, format!("{found}{last}"), passed);
        Ok(status.is_some())
    }

    /// Runs a program to its end.
    pub(super) fn run_to_end(
        &mut self,
        name: &'static str,
        args: &[&str],
        within: Duration,
    ) -> Step<(Option<ExitStatus>, Vec<Line>)> {
        let mut command = self.program(name);
        command.args(args);
        let mut process = Process::start(name, command, self.record.began)?;
        let status = self.until(within, |_| Ok(process.ended()?))?;
        let lines = process.lines();
        self.ended_lines.extend(lines.iter().cloned());
        Ok((status, lines))
    }

    /// Closes everything by the program for that, and checks that everything is flat.
    pub(super) fn panic_close(&mut self, within_s: u64) -> Step {
        let from = Instant::now();
        self.record.moment("hedge-panic-close --yes");
        let args = ["--yes", "--json", "--state-dir", "state", "--config", "config"];
        let (status, lines) = self.run_to_end(PANIC_CLOSE, &args, Duration::from_secs(within_s))?;
        let took_s = from.elapsed().as_secs_f64();
        let verdict = last_json(&lines);
        let flat_ms = verdict.as_ref().and_then(|verdict| verdict["time_to_flat_ms"].as_u64());
        if let Some(flat_ms) = flat_ms {
            self.record.figure("panic close to flat", flat_ms as f64 / 1_000.0, "s");
        }
        let found = status.map_or_else(|| "it runs on".to_owned(), words);
        let passed = status.and_then(|status| status.code()) == Some(0);
        let expected = format!("exit code 0 within {within_s} s");
        self.record.check(
            "hedge-panic-close is done",
            expected,
            format!("{found} after {took_s:.1} s"),
            passed,
        );
        let account = self.exchange.account();
        let found = format!("legs: {}; open orders: {}", legs_words(account.legs.keys()), account.open.len());
        let passed = account.legs.is_empty() && account.open.is_empty();
        self.record.check("the account is flat at the exchange", "no leg, no order", found, passed);
        Ok(())
    }

    // ---- what goes wrong

    /// Makes something go wrong at the exchange, in the words of `POST /sim/faults`.
    pub(super) fn inject(&mut self, fault: &Value) -> Step<u64> {
        let number = self.exchange.inject(fault)?;
        self.record.inject(fault.clone());
        Ok(number)
    }

    /// Venue time of a wall time, in milliseconds, as faults want it.
    pub(super) fn venue_ms(time: Duration) -> u64 {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX).saturating_mul(u64::from(SPEED))
    }

    // ---- looking

    /// Now.
    pub(super) fn mark(&self) -> Mark {
        Mark { note: self.tail.notes.len(), at_s: self.record.now_s() }
    }

    /// What the journal has noted since then.
    pub(super) fn since(&self, mark: Mark) -> &[Note] {
        self.tail.from(mark.note)
    }

    /// When a record was written. Units: seconds since the drill began.
    pub(super) fn at_s(&self, note: &Note) -> f64 {
        self.exchange.seconds(note.at_ms) + self.offset_s
    }

    // ---- for the evidence

    /// Every line that executors and their helpers have said.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = self.ended_lines.clone();
        lines.extend(self.executor.iter().flat_map(Process::lines));
        lines.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
        lines
    }

    /// A file or folder of this drill.
    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.place.join(name)
    }

    /// How the exchange stood in the end, for the report.
    pub(super) fn standing(&self) -> Value {
        let account = self.exchange.account();
        let legs: Vec<String> =
            account.legs.iter().map(|(leg, qty)| format!("{} {qty}", legs_words([leg]))).collect();
        json!({
            "legs": legs, "bare": legs_words(account.bare.iter()), "open_orders": account.open.len(),
            "executions": account.executions, "wallet_usdt": account.wallet.to_string(),
        })
    }
}
