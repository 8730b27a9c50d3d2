//! Somebody wants out while half of the requests fail and the executor trades.

use std::time::Duration;

use serde_json::json;

use crate::drill::{
    catalog::Drill,
    error::Step,
    history::is_panics,
    record::Check,
    scene::Scene,
    setup::Setup,
    takeover::{aftermath, taken_over},
};

/// How long a panic close may take under fire. Units: seconds.
const FLAT_WITHIN_S: u64 = 60;
/// Requests of the panic close itself that must have met a fault, and those of them that were not just late.
const UNDER_FIRE: (usize, usize) = (5, 3);

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "panic-under-fire",
    about: "hedge-panic-close is started while the executor trades and answers are lost, late, limited or errors",
    expected: &[
        "every leg is flat and every order gone within 60 s, whatever is answered; exit code 0",
        "the executor ends with exit code 75 within 10 s and sends nothing after the first close",
        "no leg is closed twice: none is turned round; the next executor starts halted and books every close, to the last digit",
    ],
    usual: Duration::from_secs(2),
    least: Duration::from_secs(1),
    setup: Setup::USUAL,
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    scene.begin(&[])?;
    scene.pause(scene.run_for)?;
    scene.until_covered()?;
    let mut log = scene.exchange.fault_log();
    let on = json!({"method": "POST", "path": "/fapi/v1/order"});
    // The executor's orders meet them too, until the panic close has taken over: a bar may end before.
    for fault in [
        json!({"fault": "accept_then_drop", "match": on, "count": 6}),
        json!({"fault": "http_503_unknown", "executed": true, "match": on, "count": 6}),
        json!({"fault": "http_503_unknown", "executed": false, "match": on, "count": 3}),
        json!({"fault": "drop", "match": on, "count": 3}),
        json!({"fault": "http_503_overload", "spare_closes": false, "match": on, "count": 6}),
        json!({"fault": "http_429", "pool": "orders", "retry_after_s": 2, "match": on, "count": 2}),
        json!({"fault": "delay", "delay_ms": 200, "match": on, "count": 30}),
        json!({"fault": "http_503_internal", "match": {"path": "/fapi/v3/positionRisk"}, "count": 2}),
    ] {
        scene.inject(&fault)?;
    }
    scene.record.moment("answers are lost, late, limited or errors");
    taken_over(scene, FLAT_WITHIN_S)?;
    scene.record.add(under_fire(&scene.exchange.told(&mut log)));
    scene.pause(Duration::from_millis(500))?;
    let account = scene.exchange.account();
    let found = format!("{} legs", account.legs.len());
    scene.record.check("it stays flat: nothing was turned round", "no leg", found, account.legs.is_empty());
    aftermath(scene)
}

/// Faults befell orders of the panic close, not only those of the executor that it ends.
fn under_fire(told: &[String]) -> Check {
    let met: Vec<&String> = told.iter().filter(|line| id_in(line).is_some_and(is_panics)).collect();
    let hard = met.iter().filter(|line| !line.contains(" delay: ")).count();
    let found = format!("{} of its orders met a fault, {hard} were lost, limited or refused", met.len());
    let expected = format!("{} at least, {} of them lost, limited or refused", UNDER_FIRE.0, UNDER_FIRE.1);
    Check::new("it was under fire", expected, found, met.len() >= UNDER_FIRE.0 && hard >= UNDER_FIRE.1)
}

/// The client id in a line about what a fault did.
fn id_in(line: &str) -> Option<&str> {
    line.split_once("newClientOrderId=")?.1.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: &str, id: &str, count: usize) -> Vec<String> {
        let line = format!("fault 3 {kind}: POST /fapi/v1/order symbol=BTCUSDT newClientOrderId={id}");
        vec![line; count]
    }

    #[test]
    fn fire_on_the_executor_alone_or_only_lateness_is_no_fire_on_the_panic_close() {
        let (panics, ours) = ("h0tou39tzzz01c", "h0tou39t001abe");
        assert!(under_fire(&[told("drop", panics, 3), told("delay", panics, 2)].concat()).passed);
        assert!(!under_fire(&told("drop", ours, 9)).passed);
        assert!(!under_fire(&told("delay", panics, 9)).passed);
        assert!(!under_fire(&[told("drop", panics, 2), told("drop", ours, 9)].concat()).passed);
        assert!(!under_fire(&["fault 3 drop: armed".to_owned()]).passed);
    }
}
