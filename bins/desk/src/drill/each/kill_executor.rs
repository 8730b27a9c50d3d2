//! The executor is killed with SIGKILL and started again.

use std::time::{Duration, Instant};

use crate::drill::{
    catalog::Drill,
    dice::Dice,
    error::{Halt, Step},
    process::words,
    scene::Scene,
    setup::Setup,
};

const READY_WITHIN_S: f64 = 10.0;
/// Three minutes of the exchange's clock.
const DEAD_FOR: Duration = Duration::from_millis(1_500);

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "kill-executor",
    about: "the executor is killed (SIGKILL) at random moments while it trades, and started again at once; in the end only later",
    expected: &[
        "the stops rest at the exchange while nobody runs",
        "each start is ready within 10 s: it folds its journal, reads the account and goes on",
        "every leg is covered as soon as it is ready, also one whose stop the dead process had not sent yet",
        "no order twice, no execution lost",
    ],
    usual: Duration::from_secs(5),
    least: Duration::from_secs(2),
    setup: Setup::USUAL,
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    scene.begin(&[])?;
    let mut dice = Dice::new(scene.seed);
    let mut left = scene.run_for;
    let (mut kills, mut ready_s, mut covered_s) = (0, 0.0_f64, 0.0_f64);
    while kills == 0 || !left.is_zero() {
        let after = dice.between_ms(300, 1_800);
        left = left.saturating_sub(after);
        scene.pause(after)?;
        let died = Instant::now();
        kill(scene)?;
        kills += 1;
        scene.record.moment(format!("kill {kills}"));
        ready_s = ready_s.max(scene.start(&[])?);
        scene.until_none_bare(Duration::from_secs(30))?;
        covered_s = covered_s.max(died.elapsed().as_secs_f64());
    }
    scene.record.figure("kills", f64::from(kills), "kills");
    scene.record.figure("start to ready, longest", ready_s, "s");
    scene.record.figure("kill to every leg covered, longest", covered_s, "s");
    let found = format!("{kills} starts, {ready_s:.2} s at most");
    let expected = format!("within {READY_WITHIN_S} s");
    scene.record.check("it is ready again", expected.clone(), found, ready_s <= READY_WITHIN_S);
    let found = format!("{covered_s:.2} s at most after a kill");
    scene.record.check("every leg is covered again", expected, found, covered_s <= READY_WITHIN_S);
    scene.check_opens_again(Duration::from_secs(20))?;
    left_dead(scene)?;
    scene.finish()?;
    Ok(())
}

fn kill(scene: &mut Scene) -> Step {
    scene.executor()?.kill()?;
    let status = scene.until_ended(Duration::from_secs(10))?;
    let found = status.map_or_else(|| "it lives".to_owned(), words);
    if found != "ended by signal 9" {
        scene.record.check("the executor runs until it is killed", "ended by signal 9", found, false);
        return Err(Halt::Failed);
    }
    scene.dismiss();
    Ok(())
}

/// Once nobody starts it again for a while: the stops work without us.
fn left_dead(scene: &mut Scene) -> Step {
    scene.until_covered()?;
    kill(scene)?;
    scene.record.moment("killed once more, and left dead for a while");
    // What was on its way arrives.
    scene.pause(Duration::from_millis(300))?;
    scene.check_stops_rest(DEAD_FOR)?;
    scene.start(&[])?;
    Ok(())
}
