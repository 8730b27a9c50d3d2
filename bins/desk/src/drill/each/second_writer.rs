//! A second executor wants the account of the first; then a panic close takes it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::drill::{
    catalog::Drill,
    checks::PROTECT_WITHIN_S,
    error::Step,
    process::words,
    programs::EXECUTOR,
    scene::Scene,
    setup::Setup,
    takeover::{aftermath, taken_over},
};

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "second-writer",
    about: "a second executor and a standby are started beside the first; the first is killed; a panic close takes over",
    expected: &[
        "the second executor is refused within 10 s with exit code 74, names the process that holds the journal, and sends nothing",
        "a third, started with --standby, waits; when the first is killed, it is ready within 10 s, and no order is doubled or lost",
        "once a panic close leads, the executor ends with exit code 75 within 10 s and sends nothing more",
        "the next executor starts halted: it opens nothing until a person resumes",
    ],
    usual: Duration::from_secs(4),
    least: Duration::from_secs(2),
    setup: Setup::USUAL,
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    let from = scene.begin(&[])?;
    let holder = format!("(pid {})", scene.executor()?.id());
    scene.record.inject(json!({"program": EXECUTOR, "state_directory": "that of the first"}));
    scene.record.moment("a second executor is started in the same state directory");
    let mut second = scene.launch(&[], &[])?;
    let status = scene.until(Duration::from_secs(10), |_| Ok(second.ended()?))?;
    let last = second.lines().last().map(|line| line.text.clone()).unwrap_or_default();
    let names_it = last.contains(&holder);
    let found = format!("{}: {last}", status.map_or_else(|| "it runs".to_owned(), words));
    let is_refused = status.and_then(|status| status.code()) == Some(74);
    scene.record.check("the second executor is refused", "exit code 74 within 10 s", found, is_refused);
    scene.record.check("it names the process that holds the journal", &holder, last, names_it);
    let sent = second.count("SEND_ORDER");
    scene.record.check("the second executor sends nothing", "0 orders", format!("{sent} orders"), sent == 0);
    drop(second);
    stand_by(scene)?;
    scene.check_bare(from, PROTECT_WITHIN_S);
    scene.settle()?;

    taken_over(scene, 60)?;
    aftermath(scene)
}

/// Another one waits while the first trades, and takes over when it is killed.
fn stand_by(scene: &mut Scene) -> Step {
    let standby = scene.launch(&["--standby"], &[])?;
    scene.record.moment("a third executor stands by");
    scene.pause(scene.run_for)?;
    let sent = standby.count("SEND_ORDER");
    let waits = standby.find("standby: waits").is_some();
    let found =
        format!("{}, {sent} orders sent", if waits { "it waits" } else { "it does not say that it waits" });
    scene.record.check("the standby waits", "it waits, 0 orders sent", found, waits && sent == 0);
    let died = Instant::now();
    scene.executor()?.kill()?;
    scene.until_ended(Duration::from_secs(10))?;
    scene.record.inject(json!({"signal": "KILL", "to": "the first executor"}));
    scene.record.moment("the first executor is killed");
    scene.follow(standby);
    let took_s = scene.until_ready(died)?;
    scene.record.figure("kill to a standby that is ready", took_s, "s");
    let found = format!("after {took_s:.2} s");
    scene.record.check("the standby takes over", "ready within 10 s", found, took_s <= 10.0);
    scene.check_opens_again(Duration::from_secs(20))
}
