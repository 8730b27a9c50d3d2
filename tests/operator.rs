//! What a person at a shell can do with a real executor: look, halt, resume, flatten; while it runs and when it is dead.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use hedge_core::{Posture, Term};
use hedge_sim::{
    binance::{ApiKey, Environment, Exchange, ExchangeConfig, ExchangeHandle, Fault, FaultKind, Pace},
    venue,
    venue::{PositionSide, Seed},
};
use hedge_store::{ControlDir, FenceRecord};
use rust_decimal::Decimal;
use serde_json::Value;
use support::{Temp, config, executor, following::Following, hedgectl, stderr, stdout};

/// Longer than anything that is waited for takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An exchange on which somebody has opened both legs of one symbol and one of another, and programs that use it.
struct Desk {
    temp: Temp,
    exchange: ExchangeHandle,
    _runtime: tokio::runtime::Runtime,
}

/// What a program said, and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    fn new(name: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let config = ExchangeConfig {
            // Six thousand of weight a minute: several programs read this account at once.
            environment: Environment::Demo,
            pace: Pace::Speed(1.0),
            ..ExchangeConfig::default()
        };
        let exchange = runtime.block_on(Exchange::start(config)).unwrap();
        let desk = Self { temp: Temp::new(name), exchange, _runtime: runtime };
        let account = desk.exchange.account();
        desk.apply(venue::Command::PositionMode { account, hedge: true });
        desk.hold("BTCUSDT", PositionSide::Long, "0.01");
        desk.hold("BTCUSDT", PositionSide::Short, "0.005");
        desk.hold("ETHUSDT", PositionSide::Long, "0.2");
        desk
    }

    fn apply(&self, command: venue::Command) {
        self.exchange.apply(&command).unwrap().unwrap_or_else(|error| panic!("{command:?}: {error:?}"));
    }

    fn hold(&self, symbol: &str, position_side: PositionSide, qty: &str) {
        let qty: Decimal = qty.parse().unwrap();
        let mark = self.exchange.query(|venue| venue.prices(venue.symbol_id(symbol).unwrap()).unwrap().mark);
        let (account, symbol) = (self.exchange.account(), symbol.to_owned());
        self.apply(venue::Command::Seed(Box::new(Seed::Leg {
            account,
            symbol,
            position_side,
            qty,
            cost: qty * mark,
        })));
    }

    /// Variables that lead a program to this exchange, as noisy as it can be.
    fn lead(&self, mut command: Command) -> Command {
        command
            .env("HEDGE__BINANCE__REST_URL", self.exchange.rest_url())
            .env("HEDGE__BINANCE__WS_URL", self.exchange.ws_url())
            .env("LOG_LEVEL", "trace");
        for name in ["BINANCE_API_KEY", "BINANCE_UM_API_KEY_TESTNET"] {
            command.env(name, ApiKey::DEMO_KEY);
        }
        for name in ["BINANCE_API_SECRET", "BINANCE_UM_API_SECRET_TESTNET"] {
            command.env(name, ApiKey::DEMO_SECRET);
        }
        command
    }

    fn start(&self, profile: &str) -> Following {
        Following::start(self.lead(executor(&self.temp, &["--profile", profile, "--state-dir", "d"])))
    }

    /// `hedgectl` on the state directory. None of its words may be a key or a secret.
    fn ctl(&self, args: &[&str]) -> Said {
        let config = config().display().to_string();
        let takes_config = !matches!(args[0], "disarm");
        let mut all = args.to_vec();
        all.extend(["--state-dir", "d"]);
        if takes_config {
            all.extend(["--config", &config]);
        }
        let output = self.lead(hedgectl(&self.temp, &all)).output().unwrap();
        let said = Said {
            code: output.status.code().unwrap_or(-1),
            out: stdout(&output).join("\n"),
            err: stderr(&output),
        };
        for hidden in [ApiKey::DEMO_KEY, ApiKey::DEMO_SECRET] {
            assert!(
                !said.out.contains(hidden) && !said.err.contains(hidden),
                "{args:?} shows a secret: {said:?}"
            );
        }
        said
    }

    fn status(&self) -> Value {
        let said = self.ctl(&["status", "--json"]);
        assert_eq!(said.code, 0, "{said:?}");
        serde_json::from_str(&said.out).unwrap()
    }

    /// Waits for an executor whose status is as wished.
    fn wait_for(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        let mut last = None;
        while Instant::now() < until {
            let said = self.ctl(&["status", "--json"]);
            if said.code == 0 {
                let status: Value = serde_json::from_str(&said.out).unwrap();
                if status["running"] == true && is_it(&status) {
                    return status;
                }
                last = Some(status);
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("never: {what}; last: {last:#?}");
    }

    /// Waits until the three legs are taken over and protected.
    fn wait_until_guarded(&self) {
        self.wait_for("three legs with stops", |status| {
            let legs = status["legs"].as_array().unwrap();
            legs.len() == 3 && legs.iter().all(|leg| leg["stop"]["covered"] == true)
        });
    }

    fn held(&self) -> usize {
        self.exchange.legs().unwrap().len()
    }

    fn waiting_stops(&self) -> usize {
        let account = self.exchange.account();
        self.exchange.query(|venue| venue.open_algos(account, None).unwrap().len())
    }
}

fn refuses_in_one_line(said: &Said, code: i32, text: &str) {
    assert_eq!(said.code, code, "{said:?}");
    let errors: Vec<&str> = said.err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{said:?}");
    assert!(errors[0].contains(text), "{said:?}");
}

#[test]
fn a_running_executor_is_looked_at_halted_over_a_restart_resumed_and_flattened() {
    let desk = Desk::new("running");
    let mut run = desk.start("testnet");
    desk.wait_until_guarded();

    let page = desk.ctl(&["status"]);
    let both = page.out.lines().find(|line| line.contains("BTCUSDT")).unwrap();
    assert!(both.contains("LONG  0.01 @") && both.contains("|  SHORT 0.005 @"), "{both}");
    assert!(both.ends_with("(hedged)") && both.matches("stop ").count() == 2, "{both}");
    assert!(page.out.contains(&format!("process {}, term 1", run.id())), "{page:?}");
    assert!(page.out.starts_with("posture   NORMAL"), "{page:?}");

    // Looking needs no lock.
    assert_eq!(desk.ctl(&["preflight", "--profile", "testnet"]).code, 0);
    let fit = desk.ctl(&["doctor", "--profile", "testnet"]);
    assert!(fit.code == 0 && fit.out.contains(&format!("process {} answers in", run.id())), "{fit:?}");

    let halt = desk.ctl(&["halt", "odd", "fills", "--operator", "ann"]);
    assert!(halt.code == 0 && halt.out.starts_with("the executor is halted (record "), "{halt:?}");
    assert!(halt.out.ends_with("3 legs are open"), "{halt:?}");
    assert_eq!(run.stop("-TERM").1, Some(0), "{:#?}", run.seen);
    let stopped = desk.status();
    assert_eq!((&stopped["running"], &stopped["posture"]), (&Value::Bool(false), &Value::from("halted")));
    let page = desk.ctl(&["status"]).out;
    assert!(page.contains("WARNING   legs are open and no executor runs"), "{page}");
    assert!(page.contains("odd fills (ann)"), "{page}");

    let mut run = desk.start("testnet");
    let status = desk.wait_for("the halt again", |status| status["legs"].as_array().unwrap().len() == 3);
    assert_eq!(status["operator"], "halted");
    assert_eq!(status["operator_because"], "odd fills (ann)");
    refuses_in_one_line(&desk.ctl(&["resume"]), 2, "resume wants a reason");
    let resumed = desk.ctl(&["resume", "the venue explained them", "--json"]);
    let resumed: Value = serde_json::from_str(&resumed.out).unwrap();
    assert_eq!((&resumed["by"], &resumed["operator"]), (&Value::from("executor"), &Value::from("normal")));

    refuses_in_one_line(&desk.ctl(&["flatten", "over the weekend"]), 2, "give --yes");
    assert_eq!(desk.held(), 3, "nothing was closed");
    // As long as no order gets through, nothing is flat; the person is told what is left.
    desk.exchange
        .fault(Fault::new(FaultKind::Http503Unavailable).on("POST", "/fapi/v1/order").always())
        .unwrap();
    let stuck = desk.ctl(&["flatten", "--yes", "--within", "2", "over the weekend"]);
    refuses_in_one_line(&stuck, 13, "not flat after 2 s: 3 legs open: ");
    assert!(stuck.err.contains("hedge-panic-close"), "{stuck:?}");
    desk.exchange.clear_faults(None).unwrap();
    let flat = desk.ctl(&["flatten", "--yes", "over the weekend"]);
    assert!(flat.code == 0 && flat.out.starts_with("flat after "), "{flat:?}");
    assert_eq!(desk.held(), 0);
    let status = desk.status();
    assert_eq!(
        (&status["operator"], status["legs"].as_array().unwrap().len()),
        (&Value::from("exit_only"), 0)
    );
    assert_eq!(run.stop("-TERM").1, Some(0));
}

#[test]
fn a_dead_executors_account_is_looked_at_ordered_about_and_closed_at_the_venue() {
    let desk = Desk::new("dead");
    let mut run = desk.start("testnet");
    desk.wait_until_guarded();
    run.stop("-KILL");
    let page = desk.ctl(&["status"]);
    assert_eq!(page.code, 0, "{page:?}");
    assert!(page.out.contains("WARNING   legs are open and no executor runs"), "{page:?}");
    assert!(page.out.contains("(it did not stop on purpose)"), "{page:?}");
    let fit = desk.ctl(&["doctor", "--profile", "testnet"]);
    assert!(fit.code == 0 && fit.out.contains("none runs (a killed one left its socket"), "{fit:?}");

    let halt = desk.ctl(&["halt", "--operator", "ann"]);
    assert!(halt.out.starts_with("no executor runs: written into the journal (record "), "{halt:?}");
    assert!(halt.out.contains("the next start is halted; 3 legs are open in the journal"), "{halt:?}");
    let preflight = desk.ctl(&["preflight", "--profile", "testnet"]);
    assert_eq!(preflight.code, 0, "a halt keeps no executor from coming back: {preflight:?}");
    assert!(preflight.out.contains("by an operator: ordered by ann"), "{preflight:?}");
    assert_eq!(desk.held(), 3);

    let flat = desk.ctl(&["flatten", "--yes", "--json", "nobody is there"]);
    assert_eq!(flat.code, 0, "{flat:?}");
    let verdict: Value = serde_json::from_str(&flat.out).unwrap();
    assert_eq!((&verdict["flat"], verdict["legs"].as_array().unwrap().len()), (&Value::Bool(true), 3));
    assert_eq!((desk.held(), desk.waiting_stops()), (0, 0), "legs are closed, and only then their stops");

    // The next executor finds it so, opens nothing, and the journal is whole.
    let mut run = desk.start("testnet");
    run.wait_until("a start", |line| line.contains("account OK"));
    let status = desk.wait_for("an executor", |status| status["connected"] == true);
    assert_eq!(status["legs"], Value::Array(Vec::new()), "{status:#?}");
    assert_eq!(status["operator"], "exit_only");
    assert!(status["operator_because"].as_str().unwrap().starts_with("nobody is there ("), "{status:#?}");
    run.stop("-TERM");
    let whole = desk.ctl(&["journal", "verify"]);
    assert_eq!(whole.code, 0, "{whole:?}");
    assert!(whole.out.contains("records again, byte for byte"), "{whole:?}");
}

#[test]
fn a_flatten_here_ends_when_a_panic_close_takes_the_account_over() {
    let desk = Desk::new("two-closers");
    let mut run = desk.start("testnet");
    desk.wait_until_guarded();
    run.stop("-KILL");
    // It cannot become flat, so it is still at work when the other one comes.
    desk.exchange
        .fault(Fault::new(FaultKind::Http503Unavailable).on("POST", "/fapi/v1/order").always())
        .unwrap();
    let config = config().display().to_string();
    let args = ["flatten", "--yes", "--within", "120", "over night", "--state-dir", "d", "--config", &config];
    let mut flatten = Following::start(desk.lead(hedgectl(&desk.temp, &args)));
    flatten.wait_until("a first close", |line| line.contains("the close was not executed"));
    let control = ControlDir::of(&desk.temp.join("d"));
    let guard = control.begin_panic().unwrap().expect("nobody else");
    let led = control.fence().unwrap().unwrap();
    assert_eq!(led.by, "hedgectl");
    let term = Term(led.term.0 + 1);
    let record = FenceRecord { term, posture: Posture::Halted, by: "hedge-panic-close".to_owned(), ..led };
    control.put_fence(&record).unwrap();
    assert_eq!(flatten.end(), Some(75), "{:#?}", flatten.seen.last());
    let ack = control.ack().unwrap().unwrap();
    assert_eq!((ack.term, ack.pid), (term, flatten.id()), "the panic close need not wait");
    assert!(flatten.seen.iter().any(|line| line.starts_with("error: hedge-panic-close leads this account")));
    drop(guard);
}

#[test]
fn a_halt_before_the_first_start_holds_at_the_first_start() {
    let temp = Temp::new("prepared");
    let ctl = |args: &[&str]| {
        let output =
            hedgectl(&temp, &[args, &["--state-dir", "d", "--operator", "ann"]].concat()).output().unwrap();
        (output.status.code(), stdout(&output).join("\n"))
    };
    assert_eq!(
        ctl(&["halt", "drill"]),
        (Some(0), "nothing has run there yet: the first start is halted".to_owned())
    );
    let look = hedgectl(&temp, &["status", "--state-dir", "d"]).output().unwrap();
    assert_eq!(look.status.code(), Some(1), "nothing has run");
    let run = ["--bars", "5", "--seed", "3", "--state-dir", "d"];
    let output = executor(&temp, &run).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let config = config().display().to_string();
    let look =
        hedgectl(&temp, &["status", "--json", "--state-dir", "d", "--config", &config]).output().unwrap();
    let status: Value = serde_json::from_str(&stdout(&look).join("")).unwrap();
    assert_eq!(
        (&status["operator"], &status["operator_because"]),
        (&Value::from("halted"), &Value::from("drill (ann)"))
    );
    // In another folder nobody reads that something was halted.
    let elsewhere = Temp::new("elsewhere");
    let output = hedgectl(&elsewhere, &["halt", "drill"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    // What was ordered can be taken back before the first start too.
    let other = Temp::new("taken-back");
    for (args, words) in [(["halt", "drill"], "halted"), (["resume", "drill over"], "normal")] {
        let args = [&args[..], &["--state-dir", "d"]].concat();
        let output = hedgectl(&other, &args).output().unwrap();
        assert!(stdout(&output)[0].ends_with(&format!("the first start is {words}")), "{}", stderr(&output));
    }
}

#[test]
fn a_dry_runs_flatten_leaves_the_real_account_alone() {
    let desk = Desk::new("dry");
    let mut run = desk.start("mainnet-dry");
    desk.wait_for("the dry run's legs", |status| status["legs"].as_array().unwrap().len() == 3);
    run.stop("-KILL");
    let told = desk.ctl(&["flatten", "--yes", "over the weekend"]);
    refuses_in_one_line(&told, 13, "closed at the next start of the dry run");
    assert!(told.err.contains("simulated: the real account is left alone"), "{told:?}");
    assert_eq!((desk.held(), desk.waiting_stops()), (3, 0));
}

#[test]
fn without_anything_there_each_command_says_so_in_one_line() {
    let temp = Temp::new("nothing");
    for args in [&["status"][..], &["halt", "x"], &["resume", "x"], &["flatten", "--yes", "x"]] {
        let output = hedgectl(&temp, args).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("no state directory"), "{said}");
    }
    assert!(!temp.join("state").exists(), "nothing is made");
}

#[test]
fn a_paper_run_that_has_ended_cannot_be_closed_and_says_why() {
    let temp = Temp::new("ended");
    let run = ["--bars", "30", "--seed", "3", "--state-dir", "d"];
    let output = executor(&temp, &run).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let config = config().display().to_string();
    let flat = hedgectl(&temp, &["flatten", "--yes", "x", "--state-dir", "d", "--config", &config])
        .output()
        .unwrap();
    let said = stderr(&flat);
    assert_eq!(flat.status.code(), Some(1), "{said}");
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{said}");
    assert!(errors[0].contains("its exchange lives only as long as it does"), "{said}");
}
