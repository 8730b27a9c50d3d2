//! The exchange refuses every stop.

use std::time::Duration;

use serde_json::json;

use crate::drill::{
    catalog::Drill,
    error::Step,
    scene::{PROTECT_WITHIN_S, Scene},
    setup::Setup,
    tail::What,
};

/// The price is through already, too many conditional orders, and the other spelling of the first. Source: fact sheet 4.2, 5.3.
const CODES: [(i64, &str); 3] = [
    (-2021, "Order would immediately trigger."),
    (-4045, "Reach max stop order limit."),
    (-4142, "REJECT: take profit or stop order would be triggered immediately."),
];

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "stop-refused",
    about: "the exchange refuses every stop: -2021, then -4045, then -4142",
    expected: &[
        "a leg whose stop is refused is closed at the market: no leg is bare for longer than 4 s",
        "its symbol is muted: nothing is opened there for engine.mute_s",
        "the reason is said aloud; no order twice, no execution lost",
    ],
    usual: Duration::from_secs(6),
    least: Duration::from_secs(3),
    // A second on walls: long enough to be seen, short enough to see the end of.
    setup: Setup { runtime: "[engine]\nmute_s = 120\n", ..Setup::USUAL },
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    scene.start(&[])?;
    scene.until_trading()?;
    scene.until_covered()?;
    let from_s = scene.record.now_s();
    for (code, msg) in CODES {
        let from = scene.tail.notes.len();
        let fault = scene.inject(&json!({
            "fault": "refuse", "code": code, "msg": msg, "count": null,
            "match": {"method": "POST", "path": "/fapi/v1/algoOrder", "params": {"type": "STOP_MARKET"}},
        }))?;
        scene.record.moment(format!("stops are refused with {code}"));
        scene.pause(scene.run_for / 3)?;
        scene.until(Duration::from_secs(15), |scene| {
            let is_muted = scene.tail.from(from).iter().any(|note| muted(note).is_some());
            Ok((is_muted && scene.exchange.hits(fault) >= 1).then_some(()))
        })?;
        let hits = scene.exchange.hits(fault);
        // Whoever is bare now is closed while stops are still refused.
        let resolved = scene.until(Duration::from_secs(10), |scene| {
            Ok(scene.exchange.account().bare.is_empty().then_some(()))
        })?;
        scene.exchange.clear(fault);
        let muted: Vec<&str> = scene.tail.from(from).iter().filter_map(muted).collect();
        let alerts = scene
            .tail
            .from(from)
            .iter()
            .filter(|note| matches!(&note.what, What::Alert(text) if text.contains("closing the leg")));
        let (alerts, muted) = (alerts.count(), muted.len());
        let found = format!("{hits} stops refused, {alerts} alerts, {muted} mutes");
        let passed = hits > 0 && alerts > 0 && muted > 0 && resolved.is_some();
        let expected = "a leg closed, an alert, its symbol muted";
        scene.record.check(format!("{code}: the leg is closed, the symbol muted"), expected, found, passed);
    }
    scene.record.moment("stops are taken again");
    scene.check_bare(from_s, PROTECT_WITHIN_S);
    scene.check_opens_again(Duration::from_secs(30))?;
    scene.finish()
}

fn muted(note: &crate::drill::tail::Note) -> Option<&str> {
    match &note.what {
        What::Muted { symbol } => Some(symbol),
        _ => None,
    }
}
