//! Somebody switches the account to one-way mode.

use std::time::Duration;

use hedge_core::RejectReason;
use serde_json::json;

use crate::drill::{
    catalog::Drill,
    checks::{FOUND_WITHIN_S, PROTECT_WITHIN_S},
    error::Step,
    exchange::SPEED,
    record::Check,
    scene::{Mark, Scene},
    setup::Setup,
    tail::{Note, What},
};

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "mode-flipped",
    about: "somebody switches the account to one-way mode while legs are open; every order is refused with -4061",
    expected: &[
        "the next comparison with the account (reconcile.interval_s, 60 s) finds it, within three intervals: that is \
         said, and no opening is tried from then on; what is tried before is refused, and not taken \
         for executed",
        "the stops rest at the exchange all the while: no leg that has one loses it",
        "the refusals are in the log with their code",
        "once the account is back in hedge mode it opens again within 30 s; no order twice, no execution lost",
    ],
    usual: Duration::from_secs(5),
    least: Duration::from_secs(3),
    setup: Setup::USUAL,
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    scene.begin(&[])?;
    let from = scene.mark();
    let flipped = scene.inject(&json!({"fault": "mode_flipped", "hedge": false, "force": true}))?;
    scene.record.moment("the account is in one-way mode");
    refused_throughout(scene, from, -4061, |reason| reason == Some(RejectReason::ModeMismatch))?;
    known(scene, from);
    scene.exchange.clear(flipped);
    scene.record.moment("the account is back in hedge mode");
    scene.check_opens_again(Duration::from_secs(30))?;
    scene.check_bare(from, PROTECT_WITHIN_S);
    scene.finish()?;
    Ok(())
}

/// The comparison with the account finds it, and from then on nothing is even tried.
fn known(scene: &mut Scene, from: Mark) {
    let notes = scene.since(from);
    let is_it = |what: &What| matches!(what, What::Alert(text) if text.contains("not in hedge mode"));
    let Some(place) = notes.iter().position(|note| is_it(&note.what)) else {
        scene.record.check("the wrong mode is found and said", "an alert", "there is none", false);
        return;
    };
    let after = notes.iter().skip(place).filter(|note| matches!(note.what, What::Opening(_))).count();
    let took_s = notes.get(place).map_or(0.0, |note| scene.at_s(note) - from.at_s) * f64::from(SPEED);
    scene.record.figure("a switched mode to the alert about it", took_s, "s of the exchange's clock");
    let found =
        format!("after {took_s:.0} s of the exchange's clock; {after} openings were tried after that");
    let passed = after == 0 && took_s <= FOUND_WITHIN_S;
    scene.record.check(
        "the wrong mode is found and said",
        format!("within {FOUND_WITHIN_S:.0} s of the exchange's clock, then 0 openings"),
        found,
        passed,
    );
}

/// Every order is refused with one code for a while: nothing grows, stops stay, and it is said.
pub(super) fn refused_throughout(
    scene: &mut Scene,
    from: Mark,
    code: i64,
    is_reason: impl Fn(Option<RejectReason>) -> bool,
) -> Step {
    let before = scene.exchange.account();
    scene.until_noted(
        Duration::from_secs(20),
        from,
        |what| matches!(what, What::Failed { code: Some(found), .. } if *found == code),
    )?;
    scene.pause(scene.run_for)?;
    // The exchange refuses every order: one that is taken for executed stands in the executor's book alone.
    let grown =
        scene.tail.legs().into_iter().filter(|(leg, qty)| before.legs.get(leg).is_none_or(|was| was < qty));
    let grown = grown.count();
    let refusals = reasons(scene.since(from), code);
    let openings = scene.since(from).iter().filter(|note| matches!(note.what, What::Opening(_))).count();
    scene.record.figure(format!("orders refused with {code}"), refusals.len() as f64, "orders");
    scene.record.figure("openings that were tried", openings as f64, "openings");
    scene.record.add(understood(code, &refusals, is_reason));
    let found = format!("{grown} legs grew in its book; {openings} openings were tried");
    scene.record.check("nothing is opened while it lasts", "no leg grows", found, grown == 0);
    let lines = scene.executor()?.count(&format!("\"code\":{code}"));
    let found = format!("{lines} lines");
    scene.record.check(format!("the log says {code}"), "1 line at least", found, lines > 0);
    Ok(())
}

/// What every order that was refused with that code counts as.
fn reasons(notes: &[Note], code: i64) -> Vec<Option<RejectReason>> {
    let of = |note: &Note| match note.what {
        What::Failed { code: Some(found), reason, .. } if found == code => Some(reason),
        _ => None,
    };
    notes.iter().filter_map(of).collect()
}

fn understood(
    code: i64,
    reasons: &[Option<RejectReason>],
    is_reason: impl Fn(Option<RejectReason>) -> bool,
) -> Check {
    let (met, other) = (reasons.len(), reasons.iter().filter(|reason| !is_reason(**reason)).count());
    let found = format!("{met} orders refused, {other} of them taken for something else");
    let expected = "1 order at least, none taken for something else";
    Check::new(format!("{code} is met and understood"), expected, found, met > 0 && other == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_nobody_met_or_that_was_taken_for_another_is_not_understood() {
        let failed = |code, reason| What::failed(Some(code), reason, "", true);
        let is_mode = |reason| reason == Some(RejectReason::ModeMismatch);
        let check = |whats: Vec<What>| understood(-4061, &reasons(&Note::some(whats), -4061), is_mode).passed;
        let right = failed(-4061, Some(RejectReason::ModeMismatch));
        assert!(check(vec![right.clone()]));
        assert!(!check(vec![]));
        assert!(!check(vec![failed(-2019, Some(RejectReason::ModeMismatch))]), "another code");
        assert!(!check(vec![right, failed(-4061, None)]), "one was not understood");
    }
}
