//! Killed again and again, it goes on: nothing twice, nothing lost, no leg bare, books equal.

use std::{
    collections::BTreeMap,
    env,
    os::unix::process::ExitStatusExt,
    time::{Duration, Instant},
};

use hedge_core::{Engine, Failpoint, RunStarted, Symbol};
use hedge_desk::{
    compose::{Pacing, compose_paced},
    config::Config,
    env::Env,
    journal::{JournalSource, Replayed, verify},
};
use serde_json::{Value, json};

use super::{
    moments::{Dice, Moment},
    stage::{READY, SPEED, Stage},
    support::following::Following,
};

const KILLS: usize = 60;
const SEED: u64 = 42;
/// The whole history of the exchange is compared after so many kills, and at the end: it is long.
const HISTORY_EVERY: usize = 10;
/// What a process may need from its start until it is ready, on a slow machine that does other things too.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// And more for each kill before: the journal grows with them, and a start with the journal.
const MORE_EACH_KILL: Duration = Duration::from_millis(100);

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().expect("a whole number"))
}

/// Durations of one kind, and what they come to.
#[derive(Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub fn p50_and_max(&mut self) -> String {
        self.0.sort();
        let ms = |time: Option<&Duration>| time.map_or(0, Duration::as_millis);
        format!("p50 {} ms, max {} ms", ms(self.0.get(self.0.len() / 2)), ms(self.0.last()))
    }
}

/// What makes kills worse: requests on their way for long, answers that never come.
fn trouble(dice: &mut Dice, moment: Moment) -> Option<Value> {
    // Nobody is asked about an order that the account stream tells of: only one that never came is asked about for sure.
    let asks = matches!(moment, Moment::At(Failpoint::QueryBeforeSend | Failpoint::QueryAfterSend, _));
    let path = if asks || dice.below(2) == 0 { "/fapi/v1/order" } else { "/fapi/v1/algoOrder" };
    let on = |fault: &str, more: Value| {
        let mut fault = json!({"fault": fault, "match": {"method": "POST", "path": path}, "count": 2});
        fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fault
    };
    let kind = if asks { 1 } else { dice.below(9) };
    Some(match kind {
        0 => on("accept_then_drop", json!({})),
        1 => on("drop", json!({})),
        2 => on("delay", json!({"delay_ms": 20 + dice.below(200), "when": "after"})),
        // Executed also when the sender is dead, and perhaps when the next process is ready.
        3 => on("delay", json!({"delay_ms": 20 + dice.below(200), "when": "before"})),
        4 => on("http_503_unknown", json!({"executed": dice.below(2) == 0})),
        _ => return None,
    })
}

/// The process ends by SIGKILL, whoever sent it.
fn await_death(mut run: Following, what: &str) {
    run.seen.push(what.to_owned());
    let status = run.end_status();
    let says = &run.seen[run.seen.len().saturating_sub(30)..];
    assert_eq!(status.signal(), Some(9), "{what}: it was not killed but ended: {status}\n{says:#?}");
}

fn kill(run: Following, what: &str) {
    run.signal("-KILL");
    await_death(run, what);
}

#[test]
fn killed_at_every_kind_of_moment_it_doubles_nothing_loses_nothing_and_bares_no_leg() {
    let (wanted, seed) = (number("HEDGE_KILLS", KILLS as u64) as usize, number("HEDGE_KILL_SEED", SEED));
    let began = Instant::now();
    let stage = Stage::new("crash-kills");
    let mut audit = stage.audit();
    let mut dice = Dice::new(seed);
    let (mut ready, mut cover, mut agreed) = (Times::default(), Times::default(), Times::default());
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut kills = 0;
    let mut running = Some(stage.start_to_ready().0);
    let mut number = 0;
    let are_all_tried =
        |kinds: &BTreeMap<&str, usize>| Failpoint::ALL.iter().all(|point| kinds.contains_key(point.name()));
    while kills < wanted || (wanted >= KILLS && !are_all_tried(&kinds)) {
        let moment = dice.moment(number);
        number += 1;
        let what = format!("seed {seed}, kill {kills}: {moment:?}");
        let fault = trouble(&mut dice, moment);
        let arm = || {
            if let Some(fault) = &fault {
                stage.venue.fault(fault);
            }
        };
        let mut is_new = |kind| *kinds.entry(kind).or_default() += 1;
        match moment {
            Moment::WhileTrading(after) => {
                let run = running.take().unwrap_or_else(|| stage.start_to_ready().0);
                arm();
                std::thread::sleep(after);
                kill(run, &what);
                is_new("while trading");
            }
            Moment::DuringStart(_) | Moment::At(..) => {
                // Whoever runs now is killed too, at a moment of its own.
                if let Some(run) = running.take() {
                    std::thread::sleep(dice.up_to_ms(300));
                    kill(run, &what);
                    is_new("while trading");
                    kills += 1;
                }
                arm();
                if let Moment::At(point, nth) = moment {
                    await_death(stage.start(Some(&format!("{point}:{nth}=kill"))), &what);
                    is_new(point.name());
                } else if let Moment::DuringStart(after) = moment {
                    let run = stage.start(None);
                    std::thread::sleep(after);
                    kill(run, &what);
                    is_new("during the start");
                }
            }
        }
        kills += 1;
        stage.venue.clear_faults();

        let died_at = Instant::now();
        let (run, took) = stage.start_to_ready();
        let within = READY_WITHIN + MORE_EACH_KILL * u32::try_from(kills).unwrap();
        assert!(took < within, "{what}: ready after {took:?}");
        ready.push(took);
        audit.wait_for_cover();
        cover.push(died_at.elapsed());
        let with_history = number.is_multiple_of(HISTORY_EVERY);
        agreed.push(audit.wait_for_agreement(with_history));
        running = Some(run);
    }
    audit.wait_for_agreement(true);
    let (_, code) = running.unwrap().stop("-TERM");
    assert_eq!(code, Some(0));
    audit.tail.follow();
    let records = the_journal_is_whole(&stage);
    assert_eq!(audit.tail.records, records);
    assert!(audit.tail.starts > kills as u64 / 2, "{} starts", audit.tail.starts);

    println!("KILLS {kills} (seed {seed}) in {:.0?}: {kinds:?}", began.elapsed());
    println!(
        "KILLS orders {}, executions {}, records {records}, processes that led {}",
        audit.tail.approved.len(),
        audit.trades(),
        audit.tail.starts
    );
    println!("KILLS start to ready: {}", ready.p50_and_max());
    println!("KILLS kill to every leg covered: {}", cover.p50_and_max());
    println!("KILLS ready to a moment of full agreement: {}", agreed.p50_and_max());
    let orders = audit.tail.approved.len();
    assert!(wanted < KILLS || orders > 300, "only {orders} orders: that proves little");
}

/// Every record is there, and all processes' facts lead to all their decisions. Returns how many records there are.
fn the_journal_is_whole(stage: &Stage) -> u64 {
    let folder = stage.temp.join("config");
    let config = Config::load(Some(&folder), &Env::default()).unwrap();
    let pacing = Pacing::of_speed(f64::from(SPEED));
    let fresh = |_: &RunStarted, symbols: &[Symbol]| -> Result<Engine, String> {
        Ok(compose_paced(&config, symbols, pacing).map_err(|error| error.to_string())?.engine)
    };
    let dir = stage.dir();
    let (source, _) = JournalSource::find(&dir, Some(&dir)).unwrap();
    let verified = verify(&source, &fresh).unwrap();
    assert_eq!(verified.replay, Replayed::Identical { records: verified.records });
    verified.records
}

#[test]
fn a_process_that_was_stopped_goes_on_where_it_stood() {
    let stage = Stage::new("crash-stop");
    let mut audit = stage.audit();
    let mut run = stage.start(Some("submit.before_send:4=stop"));
    let armed = run.wait_until("the loud line", |line| line.contains("FAILPOINT ARMED"));
    assert!(armed.contains("submit.before_send visit 4: this process stops"), "{armed}");
    run.wait_for(READY);
    run.wait_for_stop();
    // Others may lead meanwhile; here nobody does.
    run.signal("-CONT");
    audit.wait_for_agreement(true);
    assert_eq!(run.stop("-TERM").1, Some(0), "{:#?}", run.seen);
}
