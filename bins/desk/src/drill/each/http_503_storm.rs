//! Orders and stops are answered with every kind of 503, and some not at all.

use std::time::{Duration, Instant};

use hedge_core::Outcome;
use serde_json::{Value, json};

use crate::drill::{
    catalog::Drill,
    dice::Dice,
    error::Step,
    scene::{PATIENCE, Scene},
    setup::Setup,
    tail::What,
};

/// Closes and stops meet faults too: a leg waits for the end of its own bad luck.
const BARE_AT_MOST_S: f64 = 12.0;

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "503-storm",
    about: "many orders, stops and closes are answered with a 503 of one of five kinds, or not at all",
    expected: &[
        "an order whose fate is unknown is never sent again, and is asked about until it is settled",
        "every unknown outcome is settled within 60 s of the storm's end",
        "a leg whose stop does not get through is closed; while that is answered with 503 too it is tried on: bare for 12 s at \
         most in this storm",
        "no order twice, no execution lost",
    ],
    usual: Duration::from_secs(10),
    least: Duration::from_secs(5),
    setup: Setup::USUAL,
    steps,
};

fn fault(dice: &mut Dice) -> Value {
    let path = if dice.below(3) == 0 { "/fapi/v1/algoOrder" } else { "/fapi/v1/order" };
    let mut fault = match dice.below(7) {
        0 => json!({"fault": "http_503_unknown", "executed": true}),
        1 => json!({"fault": "http_503_unknown", "executed": false}),
        2 => json!({"fault": "http_503_unavailable"}),
        3 => json!({"fault": "http_503_internal"}),
        4 => json!({"fault": "http_503_overload", "spare_closes": false}),
        5 => json!({"fault": "accept_then_drop"}),
        _ => json!({"fault": "drop"}),
    };
    fault["match"] = json!({"method": "POST", "path": path});
    fault["count"] = json!(1);
    fault
}

fn steps(scene: &mut Scene) -> Step {
    let from = scene.begin(&[])?;
    let (mut dice, end) = (Dice::new(scene.seed), Instant::now() + scene.run_for);
    scene.record.moment("the storm begins");
    let mut pending: Vec<u64> = Vec::new();
    while Instant::now() < end {
        // Those that have hit make room; a few wait at a time, so that many requests meet one.
        pending.retain(|fault| scene.exchange.hits(*fault) == 0);
        if pending.len() < 4 {
            pending.push(scene.inject(&fault(&mut dice))?);
        }
        scene.pause(dice.between_ms(10, 60))?;
    }
    pending.iter().for_each(|fault| scene.exchange.clear(*fault));
    scene.record.moment("the storm is over");
    let befallen = scene.exchange.all_hits();
    scene.record.figure("requests that met it", f64::from(befallen), "requests");
    let found = format!("{befallen} requests");
    scene.record.check("the storm has hit", "5 requests at least", found, befallen >= 5);
    let since = Instant::now();
    let settled =
        scene.until(PATIENCE, |scene| Ok((scene.tail.book.doubtful_orders() == 0).then_some(())))?;
    let took_s = since.elapsed().as_secs_f64();
    let unknown = scene
        .since(from)
        .iter()
        .filter(|note| matches!(note.what, What::Failed { outcome: Outcome::Unknown, .. }));
    let unknown = unknown.count();
    scene.record.figure("orders of unknown outcome", unknown as f64, "orders");
    scene.record.figure("end of the storm to the last outcome settled", took_s, "s");
    let found = match settled {
        Some(()) => format!("{unknown} unknown outcomes, all settled after {took_s:.1} s"),
        None => format!("{} of {unknown} are still unknown", scene.tail.book.doubtful_orders()),
    };
    let passed = settled.is_some() && unknown > 0;
    scene.record.check("unknown outcomes are settled", "some, all settled within 60 s", found, passed);
    scene.check_opens_again(Duration::from_secs(30))?;
    scene.check_bare(from, BARE_AT_MOST_S);
    scene.finish()?;
    Ok(())
}
