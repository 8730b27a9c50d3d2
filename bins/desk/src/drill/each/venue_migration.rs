//! The exchange has moved its order types to other endpoints: every order is answered with -4120.

use std::time::Duration;

use hedge_core::RejectReason;
use serde_json::{Value, json};

use super::mode_flipped::refused_throughout;
use crate::drill::{
    catalog::Drill, checks::PROTECT_WITHIN_S, error::Step, scene::Scene, setup::Setup, tail::What,
};

/// Source: fact sheet 5.1, 11.
const MOVED: &str =
    "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.";

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "venue-migration",
    about: "the exchange has moved its order types: every order is answered with -4120, then only the stops are",
    expected: &[
        "nothing is opened: an order that is refused was not executed, and is not sent another way",
        "the stops that rest stay there: no leg that has one loses it",
        "the refusals are in the log with their code, for somebody has to update this program",
        "where only stops are refused, a leg that was opened is closed within 4 s, its symbol is muted, and that is said aloud",
        "if the exchange takes it back, it opens again within 30 s; no order twice, no execution lost",
    ],
    usual: Duration::from_secs(4),
    least: Duration::from_secs(3),
    // A second on walls: short enough to see the end of.
    setup: Setup { runtime: "[engine]\nmute_s = 120\n", ..Setup::USUAL },
    steps,
};

fn moved(path: &str) -> Value {
    json!({
        "fault": "refuse", "code": -4120, "msg": MOVED, "count": null, "match": {"method": "POST", "path": path},
    })
}

fn steps(scene: &mut Scene) -> Step {
    let from = scene.begin(&[])?;
    let (orders, stops) =
        (scene.inject(&moved("/fapi/v1/order"))?, scene.inject(&moved("/fapi/v1/algoOrder"))?);
    scene.record.moment("every order is answered with -4120");
    refused_throughout(scene, from, -4120, |reason| reason == Some(RejectReason::BadRequest))?;
    scene.exchange.clear(orders);

    let (again, before) = (scene.mark(), scene.exchange.hits(stops));
    scene.record.moment("orders are taken again, stops are still answered with -4120");
    let run_for = scene.run_for;
    scene.pause(run_for)?;
    scene.until_noted(Duration::from_secs(15), again, |what| matches!(what, What::Muted { .. }))?;
    let calm = scene.until_none_bare(Duration::from_secs(10))?;
    let refused = scene.exchange.hits(stops) - before;
    scene.exchange.clear(stops);
    let count = |is_it: fn(&What) -> bool| scene.since(again).iter().filter(|note| is_it(&note.what)).count();
    let alerts = count(|what| matches!(what, What::Alert(text) if text.contains("closing the leg")));
    let muted = count(|what| matches!(what, What::Muted { .. }));
    let found = format!("{refused} stops refused, {alerts} alerts, {muted} mutes");
    let passed = refused > 0 && alerts > 0 && muted > 0 && calm.is_some();
    scene.record.check(
        "a leg without a stop is closed, its symbol muted",
        "one of each at least",
        found,
        passed,
    );
    scene.record.moment("the exchange takes orders as before");
    scene.check_bare(from, PROTECT_WITHIN_S);
    scene.check_opens_again(Duration::from_secs(30))?;
    scene.finish()?;
    Ok(())
}
