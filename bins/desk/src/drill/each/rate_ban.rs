//! First 429, then a ban of the address.

use std::time::Duration;

use serde_json::json;

use crate::drill::{
    catalog::Drill,
    error::Step,
    exchange::{LegName, legs_words},
    scene::{PROTECT_WITHIN_S, Scene},
    setup::Setup,
};

/// Legs that may have an order on its way at the same time.
const TOGETHER: u32 = 4;

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "rate-ban",
    about: "orders are answered with 429, then the whole address is banned (418) for a while",
    expected: &[
        "after a 429 nothing of that kind is sent until the time that the exchange names",
        "after the 418 nothing at all is sent until the ban is over: asking would make it longer",
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
    scene.start(&[])?;
    scene.until_trading()?;
    scene.until_covered()?;
    let from_s = scene.record.now_s();
    let limited = scene.inject(&json!({
        "fault": "http_429", "pool": "orders", "retry_after_s": 240, "count": null,
        "match": {"method": "POST", "path": "/fapi/v1/order"},
    }))?;
    scene.record.moment(
        "orders are answered with 429, retry after 240 s of the exchange's clock, two seconds of yours",
    );
    let hit = scene
        .until(Duration::from_secs(20), |scene| Ok((scene.exchange.hits(limited) >= 1).then_some(())))?;
    // Bars of several symbols close at once: their orders are on their way together.
    scene.pause(Duration::from_millis(300))?;
    let together = scene.exchange.hits(limited);
    scene.pause(Duration::from_millis(1_200))?;
    let later = scene.exchange.hits(limited) - together;
    let found = format!("{together} orders together, {later} in the 1.2 s after them");
    let passed = hit.is_some() && together <= TOGETHER && later == 0;
    let expected = format!("{TOGETHER} orders on their way together at most, then none");
    scene.record.check("after a 429 it waits", expected, found, passed);
    scene.exchange.clear(limited);
    scene.check_opens_again(Duration::from_secs(30))?;

    scene.until_covered()?;
    let ban = scene.inject(&json!({"fault": "http_418", "for_ms": Scene::venue_ms(scene.run_for)}))?;
    scene.record.moment("the next request bans this address");
    let begun =
        scene.until(Duration::from_secs(20), |scene| Ok((scene.exchange.hits(ban) >= 1).then_some(())))?;
    let before = scene.exchange.refused_under_ban();
    let struck = scene.exchange.account().bare;
    let found = if begun.is_some() { "banned" } else { "nothing was asked" };
    scene.record.check("the ban begins", "within 20 s", found, begun.is_some());
    scene.pause(scene.run_for)?;
    let asked = scene.exchange.refused_under_ban() - before;
    scene.record.figure("requests while banned", asked as f64, "requests");
    // What was on its way when the ban began arrives all the same.
    let found = format!("{asked} requests in {:.0} s", scene.run_for.as_secs_f64());
    scene.record.check("it keeps still while banned", "4 at most, on their way already", found, asked <= 4);
    scene.record.moment("the ban is over");
    let over_s = scene.record.now_s();
    scene.check_opens_again(Duration::from_secs(30))?;
    check_cover(scene, from_s, over_s, &struck);
    scene.finish()
}

/// Nothing can be sent during a ban, stops neither: for a leg that it meets between its fill and its stop the time after it counts.
fn check_cover(scene: &mut Scene, from_s: f64, over_s: f64, struck: &[LegName]) {
    let stretches = scene.watch.since(from_s);
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
