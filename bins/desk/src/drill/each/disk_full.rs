//! The disk fills up under the journal.

use std::time::Duration;

use serde_json::json;

use crate::drill::{
    audit::look,
    catalog::Drill,
    dice::Dice,
    error::{Halt, Step},
    exchange::legs_words,
    scene::{PATIENCE, Scene},
    setup::Setup,
};

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "disk-full",
    about: "the disk is full in the middle of trading: a record of the journal cannot be written",
    expected: &[
        "the executor ends at that record with exit code 74 and says to free the disk",
        "nothing is sent that is not written down",
        "the stops rest at the exchange: no leg that has one loses it",
        "once there is room again, it starts within 10 s, covers every leg, and its books equal the exchange's",
        "hedge-panic-close makes the account flat",
    ],
    usual: Duration::from_secs(3),
    least: Duration::from_secs(1),
    setup: Setup::USUAL,
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    // Which write fails; there are some ten a second.
    let nth = 60 + Dice::new(scene.seed).below(60);
    let failpoint = format!("journal.before_write:{nth}=full");
    scene.record.inject(json!({"HEDGE_FAILPOINT": failpoint}));
    scene.start(&[("HEDGE_FAILPOINT", &failpoint)])?;
    if !scene.check_end(PATIENCE, 74, "ends at a full disk")? {
        return Err(Halt::Failed);
    }
    let ended_s = scene.record.now_s();
    // What was on its way arrives.
    scene.pause(Duration::from_millis(300))?;
    let before = scene.exchange.account();
    let said = scene.executor()?.find("free some space");
    let found = said.clone().unwrap_or_else(|| "nothing about the disk".to_owned());
    scene.record.check("it says what to do", "to free the disk", found, said.is_some());
    let findings = look(&scene.exchange, &mut scene.tail);
    let unwritten = findings.lost.iter().filter(|text| text.contains("is not in the journal")).count();
    let found = format!("{unwritten} of {} orders", findings.orders);
    scene.record.check("nothing unwritten was sent", "0 orders", found, unwritten == 0);
    let run_for = scene.run_for;
    scene.pause(run_for)?;
    let bare = scene.exchange.account().bare;
    let lost: Vec<_> = bare.iter().filter(|leg| !before.bare.contains(leg)).collect();
    let found =
        format!("{} legs were open, lost theirs: {}", before.legs.len(), legs_words(lost.iter().copied()));
    scene.record.check("no stop is lost while nobody runs", "none", found, lost.is_empty());
    scene.record.figure("legs whose opening was filled in the very stroke", before.bare.len() as f64, "legs");

    scene.dismiss();
    scene.record.moment("there is room again");
    let ready_s = scene.start(&[])?;
    let covered = scene
        .until(Duration::from_secs(10), |scene| Ok(scene.exchange.account().bare.is_empty().then_some(())))?;
    let ran_s = scene.record.now_s() - ended_s;
    scene.record.figure("start to ready", ready_s, "s");
    scene.record.figure("the end to every leg covered again", ran_s, "s");
    let found = format!("ready after {ready_s:.2} s");
    let passed = covered.is_some() && ready_s <= 10.0;
    scene.record.check("it starts again and covers every leg", "within 10 s", found, passed);
    scene.check_opens_again(Duration::from_secs(20))?;
    scene.settle()?;
    scene.panic_close(60)?;
    scene.check_end(Duration::from_secs(10), 75, "ends, for somebody else leads")?;
    Ok(())
}
