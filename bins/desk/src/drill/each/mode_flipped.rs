//! Somebody switches the account to one-way mode.

use std::time::Duration;

use hedge_core::RejectReason;
use serde_json::json;

use crate::drill::{
    catalog::Drill,
    error::Step,
    exchange::SPEED,
    scene::{PROTECT_WITHIN_S, Scene},
    setup::Setup,
    tail::What,
};

/// `reconcile.interval_s`, and what the reading takes on a fast clock. Units: venue seconds.
const FOUND_WITHIN_S: f64 = 300.0;

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "mode-flipped",
    about: "somebody switches the account to one-way mode while legs are open; every order is refused with -4061",
    expected: &[
        "at the next comparison with the account (reconcile.interval_s, 60 s) it says that the mode is wrong, and tries no \
         opening from then on; what is tried before is refused, and not taken for executed",
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
    scene.start(&[])?;
    scene.until_trading()?;
    scene.until_covered()?;
    let (from, from_s) = (scene.tail.notes.len(), scene.record.now_s());
    let flipped = scene.inject(&json!({"fault": "mode_flipped", "hedge": false, "force": true}))?;
    scene.record.moment("the account is in one-way mode");
    refused_throughout(scene, from, -4061, |reason| reason == Some(RejectReason::ModeMismatch))?;
    known(scene, from, from_s);
    scene.exchange.clear(flipped);
    scene.record.moment("the account is back in hedge mode");
    scene.check_opens_again(Duration::from_secs(30))?;
    scene.check_bare(from_s, PROTECT_WITHIN_S);
    scene.finish()
}

/// The comparison with the account finds it, and from then on nothing is even tried.
fn known(scene: &mut Scene, from: usize, from_s: f64) {
    let notes = scene.tail.from(from);
    let is_it = |what: &What| matches!(what, What::Alert(text) if text.contains("not in hedge mode"));
    let Some(place) = notes.iter().position(|note| is_it(&note.what)) else {
        scene.record.check("the wrong mode is found and said", "an alert", "there is none", false);
        return;
    };
    let after = notes.iter().skip(place).filter(|note| matches!(note.what, What::Opening { .. })).count();
    let took_s = notes.get(place).map_or(0.0, |note| scene.at_s(note) - from_s) * f64::from(SPEED);
    scene.record.figure("a switched mode to the alert about it", took_s, "s of the exchange's clock");
    let found =
        format!("after {took_s:.0} s of the exchange's clock; {after} openings were tried after that");
    let passed = after == 0 && took_s <= FOUND_WITHIN_S;
    scene.record.check(
        "the wrong mode is found and said",
        format!("within {FOUND_WITHIN_S} s of the exchange's clock, then 0 openings"),
        found,
        passed,
    );
}

/// Every order is refused with one code for a while: nothing grows, stops stay, and it is said.
pub(super) fn refused_throughout(
    scene: &mut Scene,
    from: usize,
    code: i64,
    is_reason: impl Fn(Option<RejectReason>) -> bool,
) -> Step {
    let before = scene.exchange.account();
    let met = scene.until_noted(
        Duration::from_secs(20),
        from,
        |what| matches!(what, What::Failed { code: Some(found), .. } if *found == code),
    )?;
    scene.pause(scene.run_for)?;
    let account = scene.exchange.account();
    let grown = account.legs.iter().filter(|(leg, qty)| before.legs.get(*leg).is_none_or(|was| was < *qty));
    let grown = grown.count();
    let refused = scene.tail.from(from).iter().filter(|note| {
        matches!(&note.what, What::Failed { code: Some(found), reason, .. } if *found == code && is_reason(*reason))
    });
    let refused = refused.count();
    let openings =
        scene.tail.from(from).iter().filter(|note| matches!(note.what, What::Opening { .. })).count();
    scene.record.figure(format!("orders refused with {code}"), refused as f64, "orders");
    scene.record.figure("openings that were tried", openings as f64, "openings");
    let found = format!("{refused} orders refused, each with its reason in the journal");
    scene.record.check(format!("{code} is met and understood"), "1 order at least", found, met.is_some());
    let found = format!("{grown} legs grew; {openings} openings were tried");
    scene.record.check("nothing is opened while it lasts", "no leg grows", found, grown == 0);
    let lines = scene.executor()?.count(&format!("\"code\":{code}"));
    let found = format!("{lines} lines");
    scene.record.check(format!("the log says {code}"), "1 line at least", found, lines > 0);
    Ok(())
}
