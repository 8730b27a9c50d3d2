//! Somebody cancels stops and take-profits at the exchange: with a word on the stream, and without one.

use std::time::{Duration, Instant};

use hedge_sim::venue::{AlgoView, OrderType};
use serde_json::json;

use crate::drill::{
    catalog::Drill,
    error::Step,
    exchange::{LegName, SPEED, legs_words},
    scene::Scene,
    setup::Setup,
};

/// What the stream tells is placed again at once.
const TOLD_WITHIN_S: f64 = 2.0;
/// What nobody tells is found by the next comparison: `reconcile.interval_s` and what the reading takes. Units: venue seconds.
const FOUND_WITHIN_S: f64 = 300.0;
/// A take-profit is placed again by the validator: its grace, its interval, and the way there.
const LADDER_WITHIN: Duration = Duration::from_millis(3_500);
/// Guards so young leave enough time to see them replaced before their leg is closed. Units: venue milliseconds.
const YOUNG_MS: i64 = 240_000;

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "stop-deleted-at-venue",
    about: "somebody else cancels stops and take-profits of open legs at the exchange, told by the stream and not told",
    expected: &[
        "a stop whose end the stream tells is placed again within 2 s, and its leg is not closed for it",
        "a stop whose end nobody tells is found by the next comparison with the account (reconcile.interval_s, 60 s): within \
         300 s of the exchange's clock it is placed again or its leg is closed",
        "a take-profit that is gone is placed again by the stop validator within 3.5 s",
        "no order twice, no execution lost",
    ],
    usual: Duration::from_secs(6),
    least: Duration::from_secs(4),
    // Long enough to see a take-profit placed again.
    setup: Setup { max_bars: 12, ..Setup::USUAL },
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    scene.start(&[])?;
    scene.until_trading()?;
    told(scene)?;
    take_profits(scene)?;
    untold(scene)?;
    scene.check_opens_again(Duration::from_secs(20))?;
    scene.finish()
}

/// Cancels all of them. Returns the legs.
fn cancel(scene: &mut Scene, guards: &[AlgoView]) -> Step<Vec<LegName>> {
    let mut legs = Vec::new();
    for guard in guards {
        if scene.exchange.cancel_guard(guard)? {
            let leg = (guard.symbol.clone(), guard.position_side);
            let what =
                format!("cancelled {} at {}", guard.order_type.as_str(), guard.trigger_price.normalize());
            scene.record.inject(json!({"person": what, "leg": legs_words([&leg])}));
            legs.push(leg);
        }
    }
    Ok(legs)
}

fn told(scene: &mut Scene) -> Step {
    let mut bare = Vec::new();
    let end = Instant::now() + scene.run_for / 2;
    let mut count = 0;
    while count == 0 || Instant::now() < end {
        scene.until_covered()?;
        let from_s = scene.record.now_s();
        let stops = scene.exchange.guards(OrderType::StopMarket);
        count += cancel(scene, &stops)?.len();
        scene.record.moment("the stops of all open legs are cancelled at the exchange");
        scene.pause(Duration::from_millis(2_200))?;
        bare.extend(scene.watch.since(from_s));
    }
    let longest_s = bare.iter().map(|bare| bare.seconds()).fold(0.0, f64::max);
    let again = bare.iter().filter(|bare| bare.was_covered).count();
    scene.record.figure("a stop's end, told by the stream, to another stop: longest", longest_s, "s");
    let found = format!(
        "{count} stops cancelled; legs were bare for {longest_s:.2} s at most, {again} covered again"
    );
    scene.record.check(
        "a stop whose end is told is placed again",
        format!("within {TOLD_WITHIN_S} s"),
        found,
        longest_s <= TOLD_WITHIN_S && again > 0,
    );
    Ok(())
}

fn take_profits(scene: &mut Scene) -> Step {
    let (mut placed, mut gone, mut missing, mut longest_s) = (0, 0, 0, 0.0_f64);
    let end = Instant::now() + Duration::from_secs(20);
    while placed < 2 && missing == 0 && Instant::now() < end {
        let now_ms = scene.exchange.now_ms();
        let young: Vec<AlgoView> = scene
            .exchange
            .guards(OrderType::TakeProfitMarket)
            .into_iter()
            .filter(|guard| now_ms - guard.create_ms < YOUNG_MS)
            .take(1)
            .collect();
        let Some(guard) = young.first().cloned() else {
            scene.pause(Duration::from_millis(20))?;
            continue;
        };
        if cancel(scene, &young)?.is_empty() {
            continue;
        }
        let since = Instant::now();
        let leg = (guard.symbol.clone(), guard.position_side);
        let is_it = |other: &AlgoView| {
            (&other.symbol, other.position_side, other.trigger_price)
                == (&guard.symbol, guard.position_side, guard.trigger_price)
        };
        let ended = scene.until(LADDER_WITHIN, |scene| {
            let again = scene.exchange.guards(OrderType::TakeProfitMarket).iter().any(is_it);
            let is_open = scene.exchange.account().legs.contains_key(&leg);
            Ok(if again { Some(true) } else { (!is_open).then_some(false) })
        })?;
        match ended {
            Some(true) => {
                placed += 1;
                longest_s = longest_s.max(since.elapsed().as_secs_f64());
            }
            // Its time was over, or the other one fired: nothing to see.
            Some(false) => gone += 1,
            None => missing += 1,
        }
    }
    scene.record.figure("a take-profit's end to another one: longest", longest_s, "s");
    let found =
        format!("{placed} placed again within {longest_s:.2} s, {missing} not, {gone} legs were flat before");
    let expected = format!("2 placed again within {} s, none left out", LADDER_WITHIN.as_secs_f64());
    scene.record.check(
        "a take-profit that is gone is placed again",
        expected,
        found,
        placed >= 2 && missing == 0,
    );
    Ok(())
}

fn untold(scene: &mut Scene) -> Step {
    scene.until_covered()?;
    let silence =
        scene.inject(&json!({"fault": "lose", "match": {"event": "ALGO_UPDATE"}, "count": null}))?;
    let from_s = scene.record.now_s();
    let stops = scene.exchange.guards(OrderType::StopMarket);
    let legs = cancel(scene, &stops)?;
    scene.exchange.clear(silence);
    scene.record.moment("the stops of all open legs are cancelled, and the stream does not tell");
    let within = Duration::from_secs_f64(FOUND_WITHIN_S / f64::from(SPEED));
    scene.pause(within + Duration::from_millis(500))?;
    let bare = scene.watch.since(from_s);
    let of_these = bare.iter().filter(|bare| legs.contains(&bare.leg) && bare.from_s - from_s < 0.5);
    let longest_s = of_these.map(|bare| bare.seconds()).fold(0.0, f64::max) * f64::from(SPEED);
    scene.record.figure(
        "a stop's end, not told, to another stop or a flat leg: longest",
        longest_s,
        "s of the exchange's clock",
    );
    let found =
        format!("{} stops cancelled; bare for {longest_s:.0} s of the exchange's clock at most", legs.len());
    scene.record.check(
        "a stop whose end nobody tells is found",
        format!("within {FOUND_WITHIN_S} s of the exchange's clock"),
        found,
        !legs.is_empty() && longest_s <= FOUND_WITHIN_S,
    );
    Ok(())
}
