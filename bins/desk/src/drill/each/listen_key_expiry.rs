//! The key of the account stream expires, again and again.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::drill::{
    catalog::Drill,
    checks::PROTECT_WITHIN_S,
    error::{Halt, Step},
    scene::{PATIENCE, Scene},
    setup::Setup,
    tail::{What, openings_while_blind},
};

const BACK_WITHIN_S: f64 = 10.0;
const BETWEEN: Duration = Duration::from_secs(2);

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "listen-key-expiry",
    about: "the exchange lets the key of the account stream expire, again and again",
    expected: &[
        "the executor makes a new key, connects and reads what it missed: within 10 s each time",
        "nothing is opened in between, and no leg is bare for longer than 4 s",
        "no order twice, no execution lost",
    ],
    usual: Duration::from_secs(6),
    least: Duration::from_secs(2),
    setup: Setup::USUAL,
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    let (begun, end) = (scene.begin(&[])?, Instant::now() + scene.run_for);
    let (mut times, mut longest_s, mut blind) = (0, 0.0_f64, 0);
    while times == 0 || Instant::now() < end {
        let from = scene.mark();
        let since = Instant::now();
        scene.inject(&json!({"fault": "listen_key_expired"}))?;
        times += 1;
        let lost = scene.until_noted(PATIENCE, from, |what| matches!(what, What::Disconnected(_)))?;
        let back = scene
            .until(PATIENCE, |scene| Ok((lost.is_some() && scene.tail.book.is_connected()).then_some(())))?;
        if back.is_none() {
            let found = if lost.is_some() { "not connected after 60 s" } else { "the loss was not noticed" };
            scene.record.check("it is connected again", "within 10 s", found, false);
            return Err(Halt::Failed);
        }
        longest_s = longest_s.max(since.elapsed().as_secs_f64());
        blind += openings_while_blind(scene.since(from)).len();
        scene.record.moment(format!("expired and replaced, {:.2} s", since.elapsed().as_secs_f64()));
        scene.pause(BETWEEN)?;
    }
    scene.record.figure("expired key to a connected stream, longest", longest_s, "s");
    scene.record.check(
        "a new key is made each time",
        format!("within {BACK_WITHIN_S} s"),
        format!("{times} times, {longest_s:.2} s at most"),
        longest_s <= BACK_WITHIN_S,
    );
    let found = format!("{blind} openings");
    scene.record.check("nothing is opened while the stream is gone", "0 openings", found, blind == 0);
    scene.check_opens_again(Duration::from_secs(20))?;
    scene.check_bare(begun, PROTECT_WITHIN_S);
    scene.finish()?;
    Ok(())
}
