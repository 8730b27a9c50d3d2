//! Every socket is cut, and none can be opened for a while.

use std::time::Duration;

use hedge_core::Posture;
use serde_json::json;

use crate::drill::{
    catalog::Drill,
    checks::PROTECT_WITHIN_S,
    error::{Halt, Step},
    scene::{Mark, PATIENCE, Scene},
    setup::Setup,
    tail::{What, openings_while_blind},
};

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "ws-drop",
    about: "every WebSocket is cut, and none can be opened for a while",
    expected: &[
        "within 5 s the executor knows that its account stream is gone, and opens nothing",
        "the stops rest at the exchange all the while",
        "once sockets can be opened, it is connected within 35 s, catches up on what it missed, and opens again",
        "no order twice, no execution lost",
    ],
    usual: Duration::from_secs(6),
    least: Duration::from_secs(3),
    setup: Setup::USUAL,
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    let from = scene.begin(&[])?;
    scene.inject(&json!({"fault": "cut", "for_ms": Scene::venue_ms(scene.run_for)}))?;
    scene.record.moment("every socket is cut; new ones are refused");
    outage(scene, from, 5.0, Duration::from_secs(35))?;
    scene.check_bare(from, PROTECT_WITHIN_S);
    scene.finish()?;
    Ok(())
}

/// A lost account stream: it is noticed, nothing is opened meanwhile, it comes back, and trading goes on.
pub(super) fn outage(scene: &mut Scene, from: Mark, notice_s: f64, back: Duration) -> Step {
    let lost = scene.until_noted(PATIENCE, from, |what| matches!(what, What::Disconnected(_)))?;
    let Some(lost) = lost else {
        scene.record.check("the loss is noticed", format!("within {notice_s} s"), "it was not", false);
        return Err(Halt::Failed);
    };
    let noticed_s = (scene.at_s(&lost) - from.at_s).max(0.0);
    let What::Disconnected(reason) = &lost.what else { return Err(Halt::Failed) };
    scene.record.moment(format!("the executor knows it: {reason}"));
    scene.record.figure("time to notice", noticed_s, "s");
    let found = format!("after {noticed_s:.2} s");
    scene.record.check("the loss is noticed", format!("within {notice_s} s"), found, noticed_s <= notice_s);
    let stance = scene.until_noted(PATIENCE, from, |what| {
        matches!(what, What::Posture { posture: Posture::ExitOnly, .. })
    })?;
    let found = match stance.map(|note| note.what) {
        Some(What::Posture { because, .. }) => format!("exit only: {because}"),
        _ => "no change of posture".to_owned(),
    };
    let passed = found.starts_with("exit only");
    scene.record.check("it says that it opens nothing", "exit only", found, passed);

    let run_for = scene.run_for;
    let gone_s = scene.record.now_s() - from.at_s;
    scene.pause(run_for.saturating_sub(Duration::from_secs_f64(gone_s.max(0.0))))?;
    scene.record.moment("the trouble is over");
    let over_s = scene.record.now_s();
    let connected = scene.until(back + PATIENCE, |scene| {
        let is_back = scene.tail.book.is_connected();
        let notes = scene.since(from).iter().rev();
        Ok(is_back.then(|| notes.clone().find(|note| note.what == What::Reconnected).cloned()).flatten())
    })?;
    let Some(connected) = connected else {
        scene.record.check(
            "it is connected again",
            format!("within {} s", back.as_secs()),
            "it is not",
            false,
        );
        return Err(Halt::Failed);
    };
    let back_s = (scene.at_s(&connected) - over_s).max(0.0);
    scene.record.figure("end of the trouble to a connected stream", back_s, "s");
    let passed = back_s <= back.as_secs_f64();
    scene.record.check(
        "it is connected again",
        format!("within {} s", back.as_secs()),
        format!("after {back_s:.2} s"),
        passed,
    );
    let blind = openings_while_blind(scene.since(from));
    let found = match blind.as_slice() {
        [] => "nothing was opened".to_owned(),
        [first, ..] => format!("{} openings, the first is record {first}", blind.len()),
    };
    scene.record.check("nothing is opened while the stream is gone", "nothing", found, blind.is_empty());
    scene.check_opens_again(Duration::from_secs(20))
}
