//! The exchange's clock is ahead of ours, then behind.

use std::time::Duration;

use hedge_core::RejectReason;
use serde_json::json;

use crate::drill::{
    catalog::Drill,
    checks::PROTECT_WITHIN_S,
    error::Step,
    history::filled_openings,
    record::Check,
    scene::Scene,
    setup::Setup,
    tail::{Note, What},
};

/// Five times the window in which a request is accepted. Units: venue milliseconds.
const SKEW_MS: i64 = 300_000;
/// What the client says when it has met a -1021 and measured again.
const SIGNED_AGAIN: &str = "timestamp refused; clock measured again, signing once more";
/// Orders that may be given up because of their time: those that were on their way when the clock jumped.
const GIVEN_UP: usize = 6;

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "clock-skew",
    about: "the exchange's clock jumps ahead of ours by five times the accepted window, then as far behind",
    expected: &[
        "a request that is refused for its time (-1021) was not executed; the offset is measured again and it is signed once more",
        "trading goes on at either offset: openings that are sent after the jump are taken and filled; at most 6 orders are given \
         up at the jumps",
        "no leg is bare for longer than 4 s; no order twice, no execution lost",
    ],
    usual: Duration::from_secs(6),
    least: Duration::from_secs(4),
    setup: Setup::USUAL,
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    let from = scene.begin(&[])?;
    for (skew_ms, words) in [(SKEW_MS, "ahead of ours"), (-SKEW_MS, "behind ours")] {
        let refused_before = scene.executor()?.count(SIGNED_AGAIN);
        let jumped_ms = scene.exchange.now_ms();
        let skew = scene.inject(&json!({"fault": "skew", "skew_ms": skew_ms}))?;
        scene.record.moment(format!("the exchange's clock is {} s {words}", SKEW_MS / 1_000));
        scene.pause(scene.run_for / 2)?;
        let filled =
            |scene: &Scene| filled_openings(&scene.exchange.history(), &scene.tail.approved, jumped_ms);
        scene.until(Duration::from_secs(10), |scene| Ok((filled(scene) > 0).then_some(())))?;
        let refused = scene.executor()?.count(SIGNED_AGAIN) - refused_before;
        let filled = filled(scene);
        scene.exchange.clear(skew);
        scene.record.add(trades_on(words, refused, filled));
    }
    scene.record.moment("the clocks agree again");
    scene.check_opens_again(Duration::from_secs(20))?;
    let given_up = given_up(scene.since(from));
    scene.record.figure("orders given up for their time", given_up as f64, "orders");
    let found = format!("{given_up} orders");
    scene.record.check("few orders are given up", format!("{GIVEN_UP} at most"), found, given_up <= GIVEN_UP);
    scene.check_bare(from, PROTECT_WITHIN_S);
    scene.finish()?;
    Ok(())
}

/// A request was refused for its time, and openings get through all the same.
fn trades_on(words: &str, refused: usize, filled: usize) -> Check {
    let found =
        format!("{refused} signed once more after a -1021, {filled} openings sent after it and filled");
    let expected = "1 of each at least";
    Check::new(format!("it trades with a clock {words}"), expected, found, refused > 0 && filled > 0)
}

fn given_up(notes: &[Note]) -> usize {
    let is_it = |what: &What| {
        matches!(
            what,
            What::Failed { reason: Some(RejectReason::Clock), .. } | What::Failed { code: Some(-1021), .. }
        )
    };
    notes.iter().filter(|note| is_it(&note.what)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_that_nobody_met_or_after_which_nothing_is_filled_is_no_proof() {
        assert!(trades_on("ahead", 1, 1).passed);
        assert!(!trades_on("ahead", 0, 5).passed, "no request was refused: nothing was drilled");
        assert!(!trades_on("ahead", 9, 0).passed, "every order ended in -1021");
    }

    #[test]
    fn an_order_that_ended_in_its_time_was_given_up() {
        let notes = Note::some([
            What::failed(Some(-1021), None, "", true),
            What::failed(None, Some(RejectReason::Clock), "", true),
            What::failed(Some(-2019), Some(RejectReason::BadRequest), "", true),
            What::Compared,
        ]);
        assert_eq!(given_up(&notes), 2);
    }
}
