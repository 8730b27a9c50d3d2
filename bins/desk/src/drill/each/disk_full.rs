//! The disk fills up under the journal.

use std::time::Duration;

use serde_json::json;

use crate::drill::{
    audit::look,
    catalog::Drill,
    dice::Dice,
    error::{Halt, Step},
    scene::{PATIENCE, Scene},
    setup::Setup,
    takeover::{aftermath, taken_over},
};

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "disk-full",
    about: "the disk is full in the middle of trading: the journal's write fails as on a full disk (ENOSPC)",
    expected: &[
        "the executor ends at that record with exit code 74 and says to free the disk",
        "nothing is sent that is not written down",
        "the stops rest at the exchange: no leg that has one loses it",
        "once there is room again, it starts within 10 s, covers every leg, and its books equal the exchange's",
        "hedge-panic-close makes the account flat; the next executor books what it did",
    ],
    usual: Duration::from_secs(3),
    least: Duration::from_secs(1),
    setup: Setup::USUAL,
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    let mut dice = Dice::new(scene.seed);
    // How many writes there are until it trades is up to the machine: a later one, if no leg was covered yet.
    for write in [60, 160, 320] {
        scene.dismiss();
        fill_up(scene, write + dice.below(60))?;
        let account = scene.exchange.account();
        if account.legs.len() > account.bare.len() {
            break;
        }
    }
    let ended_s = scene.record.now_s();
    // What was on its way arrives.
    scene.pause(Duration::from_millis(300))?;
    let struck = scene.exchange.account().bare.len();
    scene.record.figure("legs whose opening was filled in the very stroke", struck as f64, "legs");
    let said = scene.executor()?.find("free some space");
    let found = said.clone().unwrap_or_else(|| "nothing about the disk".to_owned());
    scene.record.check("it says what to do", "to free the disk", found, said.is_some());
    let findings = look(&scene.exchange, &mut scene.tail);
    let unwritten = findings.lost.iter().filter(|text| text.contains("is not in the journal")).count();
    let found = format!("{unwritten} of {} orders", findings.orders);
    let passed = unwritten == 0 && findings.orders > 0;
    scene.record.check("nothing unwritten was sent", "0 of some orders", found, passed);
    scene.check_stops_rest(scene.run_for)?;

    scene.dismiss();
    scene.record.moment("there is room again");
    let ready_s = scene.start(&[])?;
    let covered = scene.until_none_bare(Duration::from_secs(10))?;
    let ran_s = scene.record.now_s() - ended_s;
    scene.record.figure("start to ready", ready_s, "s");
    scene.record.figure("the end to every leg covered again", ran_s, "s");
    let found = format!("ready after {ready_s:.2} s");
    let passed = covered.is_some() && ready_s <= 10.0;
    scene.record.check("it starts again and covers every leg", "within 10 s", found, passed);
    scene.check_opens_again(Duration::from_secs(20))?;
    scene.settle()?;
    taken_over(scene, 60)?;
    aftermath(scene)
}

/// Runs it until that write fails, and checks how it ends.
fn fill_up(scene: &mut Scene, nth: u64) -> Step {
    let failpoint = format!("journal.before_write:{nth}=full");
    scene.record.inject(json!({"HEDGE_FAILPOINT": failpoint}));
    scene.start(&[("HEDGE_FAILPOINT", &failpoint)])?;
    if scene.check_end(PATIENCE, 74, "ends at a full disk")? { Ok(()) } else { Err(Halt::Failed) }
}
