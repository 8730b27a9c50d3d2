//! The exchange has moved its order types to other endpoints: every order is answered with -4120.

use std::time::Duration;

use hedge_core::RejectReason;
use serde_json::json;

use super::mode_flipped::refused_throughout;
use crate::drill::{
    catalog::Drill,
    error::Step,
    scene::{PROTECT_WITHIN_S, Scene},
    setup::Setup,
};

/// Source: fact sheet 5.1, 11.
const MOVED: &str =
    "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.";

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "venue-migration",
    about: "the exchange has moved its order types: every order and every stop is answered with -4120",
    expected: &[
        "nothing is opened: an order that is refused was not executed, and is not sent another way",
        "the stops that rest stay there: no leg that has one loses it",
        "the refusals are in the log with their code, for somebody has to update this program",
        "if the exchange takes it back, it opens again within 30 s; no order twice, no execution lost",
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
    let mut moved = Vec::new();
    for path in ["/fapi/v1/order", "/fapi/v1/algoOrder"] {
        moved.push(scene.inject(&json!({
            "fault": "refuse", "code": -4120, "msg": MOVED, "count": null,
            "match": {"method": "POST", "path": path},
        }))?);
    }
    scene.record.moment("every order is answered with -4120");
    refused_throughout(scene, from, -4120, |reason| reason == Some(RejectReason::BadRequest))?;
    moved.iter().for_each(|fault| scene.exchange.clear(*fault));
    scene.record.moment("the exchange takes orders as before");
    scene.check_opens_again(Duration::from_secs(30))?;
    scene.check_bare(from_s, PROTECT_WITHIN_S);
    scene.finish()
}
