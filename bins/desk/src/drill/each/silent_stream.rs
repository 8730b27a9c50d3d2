//! The account stream stays open and says nothing more.

use std::time::Duration;

use serde_json::json;

use super::ws_drop::outage;
use crate::drill::{catalog::Drill, checks::PROTECT_WITHIN_S, error::Step, scene::Scene, setup::Setup};

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "silent-stream",
    about: "the account stream stays open and says nothing, not even a pong; the market and REST go on",
    expected: &[
        "an order that the exchange has taken and the stream does not mention for 5 s gives it away: within 10 s nothing is \
         opened any more, and a new connection is made (an account at rest is asked for a pong after 60 s)",
        "no leg is bare for longer than 4 s: what was filled and not told is found by reading the account",
        "what the stream has swallowed is in the books in the end: no order twice, no execution lost",
    ],
    usual: Duration::from_secs(12),
    least: Duration::from_secs(11),
    setup: Setup::USUAL,
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    let from = scene.begin(&[])?;
    scene.inject(
        &json!({"fault": "silence", "match": {"path": "/private"}, "for_ms": Scene::venue_ms(scene.run_for)}),
    )?;
    scene.record.moment("the account stream is silent");
    outage(scene, from, 10.0, Duration::from_secs(35))?;
    scene.check_bare(from, PROTECT_WITHIN_S);
    scene.finish()?;
    Ok(())
}
