//! Somebody cancels stops and take-profits at the exchange: with a word on the stream, and without one.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use hedge_sim::venue::{AlgoView, OrderType};
use serde_json::json;

use crate::drill::{
    catalog::Drill,
    checks::FOUND_WITHIN_S,
    error::Step,
    exchange::{LegName, SPEED, legs_words},
    record::Check,
    scene::Scene,
    setup::Setup,
    tail::{Closer, What},
    watch::Bare,
};

/// What the stream tells is placed again at once.
const TOLD_WITHIN_S: f64 = 2.0;
/// How far from the end of a stretch the close that ended it may be noted. Units: seconds.
const NOTED_WITHIN_S: f64 = 1.0;
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
         three intervals of the exchange's clock it is placed again or its leg is closed",
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
    scene.begin(&[])?;
    told(scene)?;
    take_profits(scene)?;
    untold(scene)?;
    scene.check_opens_again(Duration::from_secs(20))?;
    scene.finish()?;
    Ok(())
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
    let (mut bare, mut cancelled) = (Vec::new(), Vec::new());
    let (begun, end) = (scene.mark(), Instant::now() + scene.run_for / 2);
    while cancelled.is_empty() || Instant::now() < end {
        scene.until_covered()?;
        let from_s = scene.record.now_s();
        let stops = scene.exchange.guards(OrderType::StopMarket);
        cancelled.extend(cancel(scene, &stops)?);
        scene.record.moment("the stops of all open legs are cancelled at the exchange");
        scene.pause(Duration::from_millis(2_200))?;
        bare.extend(scene.watch.since(from_s));
    }
    let closings: Vec<Closing> = scene
        .since(begun)
        .iter()
        .filter_map(|note| match &note.what {
            What::Closing { leg, by } => Some(Closing { leg: leg.clone(), by: *by, at_s: scene.at_s(note) }),
            _ => None,
        })
        .collect();
    scene.record.figure("a stop's end, told by the stream, to another stop: longest", longest_s(&bare), "s");
    scene.record.add(placed_again(cancelled.len(), &bare));
    scene.record.add(kept_open(&bare, &closings));
    Ok(())
}

/// Somebody has a leg closed. Units: seconds since the drill began.
#[derive(Clone, Debug)]
struct Closing {
    leg: LegName,
    by: Closer,
    at_s: f64,
}

fn longest_s<'a>(bare: impl IntoIterator<Item = &'a Bare>) -> f64 {
    bare.into_iter().map(Bare::seconds).fold(0.0, f64::max)
}

fn placed_again(cancelled: usize, bare: &[Bare]) -> Check {
    let (longest_s, again) = (longest_s(bare), bare.iter().filter(|bare| bare.was_covered).count());
    let found = format!(
        "{cancelled} stops cancelled; legs were bare for {longest_s:.2} s at most, {again} covered again"
    );
    let passed = longest_s <= TOLD_WITHIN_S && again > 0;
    Check::new("a stop whose end is told is placed again", format!("within {TOLD_WITHIN_S} s"), found, passed)
}

/// No leg is closed for its stop: not by the engine, and none is gone that its strategy or its own orders did not close.
fn kept_open(bare: &[Bare], closings: &[Closing]) -> Check {
    let by_engine =
        closings.iter().filter(|closing| closing.by == Closer::Engine).map(|closing| &closing.leg);
    let is_explained = |bare: &Bare| {
        let about = bare.from_s - NOTED_WITHIN_S..=bare.until_s + NOTED_WITHIN_S;
        closings.iter().any(|closing| closing.leg == bare.leg && about.contains(&closing.at_s))
    };
    let gone = bare.iter().filter(|bare| !bare.was_covered);
    let unexplained = gone.clone().filter(|bare| !is_explained(bare)).map(|bare| &bare.leg);
    let closed: BTreeSet<&LegName> = by_engine.chain(unexplained).collect();
    let (ended, passed) = (gone.count(), closed.is_empty());
    let found = format!("closed for it: {}; {ended} ended meanwhile by themselves", legs_words(closed));
    Check::new("its leg is not closed for it", "none", found, passed)
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
    let swallowed = scene.exchange.hits(silence);
    scene.exchange.clear(silence);
    scene.record.moment("the stops of all open legs are cancelled, and the stream does not tell");
    scene.pause(Duration::from_secs_f64(FOUND_WITHIN_S / f64::from(SPEED)) + Duration::from_millis(500))?;
    let mut bare = scene.watch.since(from_s);
    bare.retain(|bare| legs.contains(&bare.leg) && bare.from_s - from_s < 0.5);
    let longest_s = longest_s(&bare) * f64::from(SPEED);
    scene.record.figure(
        "a stop's end, not told, to another stop or a flat leg: longest",
        longest_s,
        "s of the exchange's clock",
    );
    scene.record.add(found_untold(legs.len(), swallowed, longest_s, FOUND_WITHIN_S));
    Ok(())
}

fn found_untold(cancelled: usize, swallowed: u32, longest_s: f64, within_s: f64) -> Check {
    let found = format!(
        "{cancelled} stops cancelled, {swallowed} messages about them swallowed; bare for {longest_s:.0} s of the exchange's clock \
         at most"
    );
    let expected = format!("no word about any of them, and within {within_s:.0} s of the exchange's clock");
    let passed = cancelled > 0 && swallowed as usize >= cancelled && longest_s <= within_s;
    Check::new("a stop whose end nobody tells is found", expected, found, passed)
}

#[cfg(test)]
mod tests {
    use hedge_sim::venue::PositionSide;

    use super::*;

    fn leg(symbol: &str) -> LegName {
        (symbol.to_owned(), PositionSide::Long)
    }

    fn bare(symbol: &str, until_s: f64, was_covered: bool) -> Bare {
        Bare { leg: leg(symbol), from_s: 10.0, until_s, was_covered }
    }

    fn closing(symbol: &str, by: Closer, at_s: f64) -> Closing {
        Closing { leg: leg(symbol), by, at_s }
    }

    #[test]
    fn a_leg_that_waits_too_long_or_is_never_covered_again_is_found() {
        assert!(placed_again(2, &[bare("A", 10.1, true), bare("B", 10.1, false)]).passed);
        assert!(!placed_again(1, &[bare("A", 12.5, true)]).passed);
        assert!(!placed_again(1, &[bare("A", 10.1, false)]).passed);
        assert!(!placed_again(0, &[]).passed);
    }

    #[test]
    fn a_leg_that_is_closed_because_its_stop_was_deleted_is_found() {
        let covered = bare("A", 10.1, true);
        assert!(kept_open(std::slice::from_ref(&covered), &[]).passed);
        let gone = [covered, bare("B", 10.1, false)];
        assert!(kept_open(&gone, &[closing("B", Closer::Strategy, 10.05)]).passed, "its time was over");
        assert!(kept_open(&gone, &[closing("B", Closer::Resting, 10.2)]).passed, "it reached its profit");
        assert!(!kept_open(&gone, &[]).passed, "nobody wanted it closed");
        assert!(!kept_open(&gone, &[closing("C", Closer::Strategy, 10.05)]).passed, "another leg's end");
        assert!(!kept_open(&gone, &[closing("B", Closer::Strategy, 4.0)]).passed, "long before");
        assert!(!kept_open(&[], &[closing("B", Closer::Engine, 10.05)]).passed, "too short to be seen bare");
    }

    #[test]
    fn a_stop_that_the_stream_told_about_after_all_or_that_is_found_late_shows_nothing() {
        assert!(found_untold(3, 3, 60.0, 120.0).passed);
        assert!(!found_untold(3, 2, 60.0, 120.0).passed, "one was told");
        assert!(!found_untold(3, 3, 121.0, 120.0).passed);
        assert!(!found_untold(0, 0, 0.0, 120.0).passed);
    }
}
