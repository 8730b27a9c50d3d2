//! First 429, then a ban of the address.

use std::time::Duration;

use serde_json::json;

use crate::drill::{
    catalog::Drill,
    checks::PROTECT_WITHIN_S,
    error::Step,
    exchange::{LegName, legs_words},
    record::Check,
    scene::{Mark, Scene},
    setup::Setup,
    tail::{Note, What},
};

/// Requests that may be on their way at the same time: bars close together, so an opening or a close of each leg, and some reads.
const TOGETHER: u32 = 18;
/// What was sent before the answer has arrived by then.
const ON_ITS_WAY: Duration = Duration::from_millis(300);
/// Several bars close meanwhile.
const LIMITED_FOR: Duration = Duration::from_secs(3);
/// Whoever waits as told may send at the named time, and that is not looked at to the millisecond.
const BEFORE_ITS_END: Duration = Duration::from_millis(200);
/// What the client says of an order that it holds back.
const BUDGET: &str = "rate limited; wait";

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "rate-ban",
    about: "orders are answered with 429, then the whole address is banned (418) for a while",
    expected: &[
        "after a 429 no order is sent until the time that the exchange names, though orders are due",
        "after the 418 no request is sent until the ban is over: asking would make it longer",
        "the stops rest at the exchange all the while; a leg that the ban meets between its fill and its stop gets it within 4 s of \
         the ban's end",
        "it opens again within 30 s of the ban's end, and no order is doubled or lost",
    ],
    usual: Duration::from_secs(6),
    least: Duration::from_secs(3),
    setup: Setup::USUAL,
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    let from = scene.begin(&[])?;
    limited(scene)?;
    scene.until_covered()?;
    let ban = scene.inject(&json!({"fault": "http_418", "for_ms": Scene::venue_ms(scene.run_for)}))?;
    scene.record.moment("the next request bans this address");
    let begun =
        scene.until(Duration::from_secs(20), |scene| Ok((scene.exchange.hits(ban) >= 1).then_some(())))?;
    let struck = scene.exchange.account().bare;
    let found = if begun.is_some() { "banned" } else { "nothing was asked" };
    scene.record.check("the ban begins", "within 20 s", found, begun.is_some());
    // What was on its way when the ban began arrives all the same.
    scene.pause(ON_ITS_WAY)?;
    let on_its_way = scene.exchange.refused_under_ban();
    scene.pause(scene.run_for.saturating_sub(ON_ITS_WAY))?;
    let later = scene.exchange.refused_under_ban() - on_its_way;
    scene.record.figure("requests while banned", (on_its_way + later) as f64, "requests");
    scene.record.add(keeps_still(on_its_way, later));
    scene.record.moment("the ban is over");
    let over_s = scene.record.now_s();
    scene.check_opens_again(Duration::from_secs(30))?;
    check_cover(scene, from, over_s, &struck);
    scene.finish()?;
    Ok(())
}

/// Orders are answered with 429 until the exchange sees none of them any more.
fn limited(scene: &mut Scene) -> Step {
    let fault = scene.inject(&json!({
        "fault": "http_429", "pool": "orders", "retry_after_s": Scene::venue_ms(LIMITED_FOR) / 1_000, "count": null,
        "match": {"method": "POST", "path": "/fapi/v1/order"},
    }))?;
    let moment = format!("orders are answered with 429, retry after {} s of yours", LIMITED_FOR.as_secs());
    scene.record.moment(moment);
    let hit =
        scene.until(Duration::from_secs(20), |scene| Ok((scene.exchange.hits(fault) >= 1).then_some(())))?;
    // Bars of several symbols close at once: their orders are on their way together.
    scene.pause(ON_ITS_WAY)?;
    let (together, from) = (scene.exchange.hits(fault), scene.mark());
    scene.pause(LIMITED_FOR.saturating_sub(ON_ITS_WAY + BEFORE_ITS_END))?;
    let later = scene.exchange.hits(fault) - together;
    let held_back = held_back(scene.since(from));
    scene.exchange.clear(fault);
    scene.record.figure("orders that were due and held back after a 429", held_back as f64, "orders");
    scene.record.add(waits(hit.is_some(), together, later, held_back));
    scene.check_opens_again(Duration::from_secs(30))
}

/// Orders that were due and not sent, because the exchange has said when to come again.
fn held_back(notes: &[Note]) -> usize {
    let is_it = |what: &What| matches!(what, What::Failed { code: None, message, was_signed: false, .. } if message.starts_with(BUDGET));
    notes.iter().filter(|note| is_it(&note.what)).count()
}

fn waits(is_hit: bool, together: u32, later: u32, held_back: usize) -> Check {
    let found =
        format!("{together} orders together, {later} until the named time, {held_back} were due meanwhile");
    let expected = format!("{TOGETHER} on their way together at most, then none, though 1 at least is due");
    let passed = is_hit && together <= TOGETHER && later == 0 && held_back > 0;
    Check::new("after a 429 it waits", expected, found, passed)
}

fn keeps_still(on_its_way: u64, later: u64) -> Check {
    let found = format!("{on_its_way} that were on their way, {later} after them");
    let passed = on_its_way <= u64::from(TOGETHER) && later == 0;
    Check::new(
        "it keeps still while banned",
        format!("{TOGETHER} on their way at most, then none"),
        found,
        passed,
    )
}

/// Nothing can be sent during a ban, stops neither: for a leg that it meets between its fill and its stop the time after it counts.
fn check_cover(scene: &mut Scene, from: Mark, over_s: f64, struck: &[LegName]) {
    let stretches = scene.watch.since(from.at_s);
    let counted = stretches.iter().map(|bare| {
        if struck.contains(&bare.leg) { bare.until_s - bare.from_s.max(over_s) } else { bare.seconds() }
    });
    let longest_s = counted.fold(0.0, f64::max);
    scene.record.figure(
        "legs that the ban met between their fill and their stop",
        struck.len() as f64,
        "legs",
    );
    scene.record.figure("longest time that a leg was bare at the exchange, but for those", longest_s, "s");
    let found = format!("{longest_s:.2} s at most; met between fill and stop: {}", legs_words(struck));
    let expected = format!("bare for {PROTECT_WITHIN_S:.1} s at most, of those after the ban");
    scene.record.check("no leg is left without a stop", expected, found, longest_s <= PROTECT_WITHIN_S);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_again_before_the_named_time_or_had_nothing_to_ask_has_not_waited() {
        assert!(waits(true, TOGETHER, 0, 1).passed);
        assert!(!waits(true, 1, 1, 5).passed, "one came before its time");
        assert!(!waits(true, TOGETHER + 1, 0, 5).passed, "more than can be on their way");
        assert!(!waits(true, 1, 0, 0).passed, "nothing was due: nobody had to wait");
        assert!(!waits(false, 0, 0, 3).passed, "no request met the 429");
    }

    #[test]
    fn a_request_during_a_ban_that_was_not_on_its_way_is_found() {
        assert!(keeps_still(4, 0).passed);
        assert!(!keeps_still(0, 1).passed);
        assert!(!keeps_still(u64::from(TOGETHER) + 1, 0).passed);
    }

    #[test]
    fn only_what_the_client_kept_to_itself_was_held_back() {
        let notes = Note::some([
            What::failed(None, None, "rate limited; wait 60.3s", false),
            What::failed(None, None, "rate limited; wait 360s", true),
            What::failed(None, None, "connection refused", false),
            What::failed(Some(-1015), None, "rate limited; wait 60.3s", false),
        ]);
        assert_eq!(held_back(&notes), 1);
    }
}
