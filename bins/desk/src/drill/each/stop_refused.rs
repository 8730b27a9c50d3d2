//! The exchange refuses every stop.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use crate::drill::{
    catalog::Drill,
    checks::PROTECT_WITHIN_S,
    error::Step,
    record::Check,
    scene::Scene,
    setup::Setup,
    tail::{Note, What},
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
    let from = scene.begin(&[])?;
    for (code, msg) in CODES {
        let begun = scene.mark();
        let fault = scene.inject(&json!({
            "fault": "refuse", "code": code, "msg": msg, "count": null,
            "match": {"method": "POST", "path": "/fapi/v1/algoOrder", "params": {"type": "STOP_MARKET"}},
        }))?;
        scene.record.moment(format!("stops are refused with {code}"));
        scene.pause(scene.run_for / 3)?;
        scene.until(Duration::from_secs(15), |scene| {
            let is_muted = mutes(scene.since(begun)) > 0;
            Ok((is_muted && scene.exchange.hits(fault) >= 1).then_some(()))
        })?;
        let hits = scene.exchange.hits(fault);
        // Whoever is bare now is closed while stops are still refused.
        let resolved = scene.until_none_bare(Duration::from_secs(10))?;
        scene.exchange.clear(fault);
        let alerts = scene
            .since(begun)
            .iter()
            .filter(|note| matches!(&note.what, What::Alert(text) if text.contains("closing the leg")));
        let (alerts, muted) = (alerts.count(), mutes(scene.since(begun)));
        let found = format!("{hits} stops refused, {alerts} alerts, {muted} mutes");
        let passed = hits > 0 && alerts > 0 && muted > 0 && resolved.is_some();
        let expected = "a leg closed, an alert, its symbol muted";
        scene.record.check(format!("{code}: the leg is closed, the symbol muted"), expected, found, passed);
    }
    scene.record.moment("stops are taken again");
    scene.check_bare(from, PROTECT_WITHIN_S);
    scene.check_opens_again(Duration::from_secs(30))?;
    scene.record.add(keeps_muted(scene.since(from)));
    scene.finish()?;
    Ok(())
}

fn mutes(notes: &[Note]) -> usize {
    notes.iter().filter(|note| matches!(note.what, What::Muted { .. })).count()
}

/// Nothing is opened on a symbol before the end of its rest.
fn keeps_muted(notes: &[Note]) -> Check {
    let mut until: BTreeMap<&str, i64> = BTreeMap::new();
    let mut broken = Vec::new();
    for note in notes {
        match &note.what {
            What::Muted { symbol, until_ms } => {
                until.insert(symbol.as_str(), *until_ms);
            }
            What::Opening((symbol, _)) if until.get(symbol.as_str()).is_some_and(|end| note.at_ms < *end) => {
                broken.push(format!("{symbol} at record {}", note.seq));
            }
            _ => {}
        }
    }
    let found = match broken.as_slice() {
        [] => format!("{} symbols were muted, nothing was opened there", until.len()),
        broken => format!("openings: {}", broken.join(", ")),
    };
    let passed = !until.is_empty() && broken.is_empty();
    Check::new("a muted symbol opens nothing", "1 muted symbol at least, no opening there", found, passed)
}

#[cfg(test)]
mod tests {
    use hedge_sim::venue::PositionSide;

    use super::*;

    #[test]
    fn an_opening_before_the_end_of_a_rest_is_found() {
        let opening = |symbol: &str| What::Opening((symbol.to_owned(), PositionSide::Short));
        // The third is at millisecond 2, the fourth at 3.
        let muted = || What::Muted { symbol: "BTCUSDT".to_owned(), until_ms: 3 };
        let check = |whats: Vec<What>| keeps_muted(&Note::some(whats)).passed;
        assert!(check(vec![opening("BTCUSDT"), muted(), opening("ETHUSDT"), opening("BTCUSDT")]));
        assert!(!check(vec![What::Compared, muted(), opening("BTCUSDT")]));
        assert!(!check(vec![opening("BTCUSDT")]), "nothing was muted");
    }
}
