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
    audit::{Findings, look},
    catalog::Drill,
    error::{Halt, Step},
    exchange::{Exchange, SPEED, legs_words},
    interrupt::Interrupt,
    process::{Line, Process, words},
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
/// How long a leg may be bare: `engine.protect_within_ms`, and a second for the close that follows.
pub(super) const PROTECT_WITHIN_S: f64 = 4.0;
/// Openings and covered legs that say that it trades.
const TRADES: (usize, usize) = (4, 2);

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
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Lets time pass.
    pub(super) fn pause(&mut self, time: Duration) -> Step {
        self.until(time, |_| Ok(None::<()>)).map(drop)
    }

    /// Waits for a note of the journal, from the `from`th on.
    pub(super) fn until_noted(
        &mut self,
        within: Duration,
        from: usize,
        is_it: impl Fn(&What) -> bool,
    ) -> Step<Option<Note>> {
        self.until(within, |scene| Ok(scene.tail.from(from).iter().find(|note| is_it(&note.what)).cloned()))
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
        Ok((status, process.lines()))
    }

    /// Closes everything by the program for that, and checks that everything is flat.
    pub(super) fn panic_close(&mut self, within_s: u64) -> Step {
        let from = Instant::now();
        self.record.moment("hedge-panic-close --yes");
        let args = ["--yes", "--json", "--state-dir", "state", "--config", "config"];
        let (status, lines) = self.run_to_end(PANIC_CLOSE, &args, Duration::from_secs(within_s))?;
        let took_s = from.elapsed().as_secs_f64();
        let verdict = lines.iter().rev().find_map(|line| serde_json::from_str::<Value>(&line.text).ok());
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
        self.ended_lines.extend(lines);
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

    /// When a record was written. Units: seconds since the drill began.
    pub(super) fn at_s(&self, note: &Note) -> f64 {
        self.exchange.seconds(note.at_ms) + self.offset_s
    }

    /// Waits until it trades: legs come and go, and some are open and covered.
    pub(super) fn until_trading(&mut self) -> Step {
        let from = self.tail.openings();
        let there = self.until(PATIENCE, |scene| {
            let account = scene.exchange.account();
            let opened = scene.tail.openings() - from;
            let covered = account.legs.len() - account.bare.len();
            Ok((opened >= TRADES.0 && covered >= TRADES.1).then_some((opened, covered)))
        })?;
        match there {
            Some((opened, covered)) => {
                self.record.moment(format!("it trades: {opened} openings, {covered} legs open and covered"));
                Ok(())
            }
            None => {
                let account = self.exchange.account();
                let found = format!("{} openings, {} legs", self.tail.openings() - from, account.legs.len());
                let expected = format!("{} openings, {} covered legs within 60 s", TRADES.0, TRADES.1);
                self.record.check("it trades", expected, found, false);
                Err(Halt::Failed)
            }
        }
    }

    /// Waits for a moment in which every open leg is covered and nothing is unsettled, with some legs open.
    pub(super) fn until_covered(&mut self) -> Step {
        let there = self.until(PATIENCE, |scene| {
            let account = scene.exchange.account();
            let settled = scene.tail.book.doubtful_orders() == 0 && account.bare.is_empty();
            Ok((settled && account.legs.len() >= TRADES.1).then_some(()))
        })?;
        if there.is_none() {
            let found = legs_words(self.exchange.account().bare.iter());
            self.record.check("every open leg is covered", "within 60 s", format!("bare: {found}"), false);
            return Err(Halt::Failed);
        }
        Ok(())
    }

    /// Checks that openings are sent again.
    pub(super) fn check_opens_again(&mut self, within: Duration) -> Step {
        let (from, since) = (self.tail.openings(), Instant::now());
        let again = self.until(within, |scene| Ok((scene.tail.openings() > from).then_some(())))?;
        let took_s = since.elapsed().as_secs_f64();
        let found = match again {
            Some(()) => format!("after {took_s:.1} s"),
            None => "nothing was opened".to_owned(),
        };
        let expected = format!("within {} s", within.as_secs());
        self.record.check("it opens again", expected, found, again.is_some());
        if again.is_some() {
            self.record.figure("end of the trouble to the next opening", took_s, "s");
        }
        Ok(())
    }

    /// Checks how long legs were bare since then.
    pub(super) fn check_bare(&mut self, from_s: f64, at_most_s: f64) {
        let stretches = self.watch.since(from_s);
        let longest = stretches.iter().max_by(|one, other| one.seconds().total_cmp(&other.seconds()));
        let found = longest.map_or_else(
            || "no leg was seen bare, looking every 10 ms".to_owned(),
            |bare| format!("{} for {:.2} s at most", legs_words([&bare.leg]), bare.seconds()),
        );
        let longest_s = self.watch.longest_since(from_s);
        self.record.figure("longest time that a leg was bare at the exchange", longest_s, "s");
        let expected = format!("bare for {at_most_s:.1} s at most");
        self.record.check("no leg is left without a stop", expected, found, longest_s <= at_most_s);
    }

    /// Waits until exchange and journal agree in everything, and says so check by check.
    pub(super) fn settle(&mut self) -> Step {
        let since = Instant::now();
        let mut last = Findings::default();
        let agreed = self.until(PATIENCE, |scene| {
            let findings = look(&scene.exchange, &mut scene.tail);
            let is_agreed = findings.is_agreed();
            if !findings.is_moving || is_agreed {
                last = findings;
            }
            Ok(is_agreed.then_some(()))
        })?;
        if agreed.is_some() {
            let took_s = since.elapsed().as_secs_f64();
            self.record.figure("time to full agreement of journal and exchange", took_s, "s");
        }
        let Findings { orders, executions, records, .. } = last;
        let bare: Vec<String> = last.bare.iter().map(|leg| legs_words([leg])).collect();
        let fine = [
            format!("{orders} orders at the exchange, each once, none larger than decided"),
            format!("{orders} orders and {executions} executions, all in the journal"),
            "every open leg has a stop over all of it".to_owned(),
            "legs, wallet to the last digit, open orders; nothing in doubt".to_owned(),
            format!("{records} records, each once, in order"),
        ];
        let lists = [&last.twice, &last.lost, &bare, &last.books, &last.journal];
        let names =
            ["nothing twice", "nothing lost", "no leg bare in the end", "books equal", "journal whole"];
        for ((name, list), fine) in names.into_iter().zip(lists).zip(fine) {
            self.record.check(name, "holds within 60 s", Findings::or(list, &fine), list.is_empty());
        }
        if agreed.is_none() && last.is_agreed() {
            self.record.check("the account comes to rest", "within 60 s", "it never stood still", false);
        }
        Ok(())
    }

    /// What every drill ends with, where the executor still runs: agreement, and a stop on request.
    pub(super) fn finish(&mut self) -> Step {
        self.settle()?;
        self.executor()?.signal("TERM")?;
        self.check_end(Duration::from_secs(20), 0, "stops on request")?;
        Ok(())
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
