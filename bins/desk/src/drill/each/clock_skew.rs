//! The exchange's clock is ahead of ours, then behind.

use std::time::Duration;

use hedge_core::RejectReason;
use serde_json::json;

use crate::drill::{
    catalog::Drill,
    error::Step,
    scene::{PROTECT_WITHIN_S, Scene},
    setup::Setup,
    tail::What,
};

/// Five times the window in which a request is accepted. Units: venue milliseconds.
const SKEW_MS: i64 = 300_000;
/// Orders that may be given up because of their time: those that were on their way when the clock jumped.
const GIVEN_UP: usize = 6;

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "clock-skew",
    about: "the exchange's clock jumps ahead of ours by five times the accepted window, then as far behind",
    expected: &[
        "a request that is refused for its time (-1021) was not executed; the offset is measured again and it is signed once more",
        "trading goes on at either offset; at most 6 orders are given up at the jumps",
        "no leg is bare for longer than 4 s; no order twice, no execution lost",
    ],
    usual: Duration::from_secs(6),
    least: Duration::from_secs(4),
    setup: Setup::USUAL,
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    scene.start(&[])?;
    scene.until_trading()?;
    let (from, from_s) = (scene.tail.notes.len(), scene.record.now_s());
    for (skew_ms, words) in [(SKEW_MS, "ahead of ours"), (-SKEW_MS, "behind ours")] {
        let executions = scene.exchange.account().executions;
        let skew = scene.inject(&json!({"fault": "skew", "skew_ms": skew_ms}))?;
        scene.record.moment(format!("the exchange's clock is {} s {words}", SKEW_MS / 1_000));
        scene.pause(scene.run_for / 2)?;
        let traded = scene.exchange.account().executions - executions;
        scene.exchange.clear(skew);
        let found = format!("{traded} executions");
        scene.record.check(
            format!("it trades with a clock {words}"),
            "1 execution at least",
            found,
            traded > 0,
        );
    }
    scene.record.moment("the clocks agree again");
    scene.check_opens_again(Duration::from_secs(20))?;
    let given_up = scene.tail.from(from).iter().filter(|note| {
        matches!(note.what, What::Failed { reason: Some(RejectReason::Clock), .. })
            || matches!(note.what, What::Failed { code: Some(-1021), .. })
    });
    let given_up = given_up.count();
    scene.record.figure("orders given up for their time", given_up as f64, "orders");
    let found = format!("{given_up} orders");
    scene.record.check("few orders are given up", format!("{GIVEN_UP} at most"), found, given_up <= GIVEN_UP);
    scene.check_bare(from_s, PROTECT_WITHIN_S);
    scene.finish()
}
