//! Somebody wants out while half of the requests fail and the executor trades.

use std::time::Duration;

use serde_json::json;

use super::second_writer::taken_over;
use crate::drill::{catalog::Drill, error::Step, scene::Scene, setup::Setup};

/// How long a panic close may take under fire. Units: seconds.
const FLAT_WITHIN_S: u64 = 90;

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "panic-under-fire",
    about: "hedge-panic-close is started while the executor trades and answers are lost, late, limited or errors",
    expected: &[
        "every leg is flat and every order gone within 90 s, whatever is answered; exit code 0",
        "the executor ends with exit code 75 within 10 s and sends nothing after the first close",
        "no leg is closed twice: none is turned round",
    ],
    usual: Duration::from_secs(2),
    least: Duration::from_secs(1),
    setup: Setup::USUAL,
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    scene.start(&[])?;
    scene.until_trading()?;
    scene.pause(scene.run_for)?;
    scene.until_covered()?;
    let on = json!({"method": "POST", "path": "/fapi/v1/order"});
    for fault in [
        json!({"fault": "accept_then_drop", "match": on, "count": 2}),
        json!({"fault": "http_503_unknown", "executed": true, "match": on, "count": 2}),
        json!({"fault": "http_503_unknown", "executed": false, "match": on, "count": 1}),
        json!({"fault": "drop", "match": on, "count": 1}),
        json!({"fault": "http_503_overload", "spare_closes": false, "match": on, "count": 2}),
        json!({"fault": "http_429", "pool": "orders", "retry_after_s": 2, "match": on, "count": 1}),
        json!({"fault": "delay", "delay_ms": 200, "match": on, "count": 10}),
        json!({"fault": "http_503_internal", "match": {"path": "/fapi/v3/positionRisk"}, "count": 2}),
    ] {
        scene.inject(&fault)?;
    }
    let before = scene.exchange.all_hits();
    scene.record.moment("answers are lost, late, limited or errors");
    taken_over(scene, FLAT_WITHIN_S)?;
    let met = scene.exchange.all_hits() - before;
    let found = format!("{met} requests met a fault");
    scene.record.check("it was under fire", "5 requests at least", found, met >= 5);
    scene.pause(Duration::from_millis(500))?;
    let account = scene.exchange.account();
    let found = format!("{} legs", account.legs.len());
    scene.record.check("it stays flat: nothing was turned round", "no leg", found, account.legs.is_empty());
    Ok(())
}
