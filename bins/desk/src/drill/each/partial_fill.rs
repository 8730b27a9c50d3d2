//! Orders that are larger than what the book gives at their price.

use std::time::Duration;

use rust_decimal::Decimal;

use crate::drill::{catalog::Drill, checks::PROTECT_WITHIN_S, error::Step, scene::Scene, setup::Setup};

const ENOUGH: usize = 2;

pub(in crate::drill) const DRILL: Drill = Drill {
    name: "partial-fill",
    about: "entries are so large that the book fills only a part of them within their price",
    expected: &[
        "the part that was filled is what the leg holds, and its stop covers all of it",
        "what was not filled is given up, never sent again",
        "every leg has its stop within 4 s of its first execution; no execution is lost or counted twice",
    ],
    usual: Duration::from_secs(6),
    least: Duration::from_secs(4),
    setup: Setup { balance_usdt: 90_000_000, capital_usdt: 120_000, slippage_bps: 1, ..Setup::USUAL },
    steps,
};

fn steps(scene: &mut Scene) -> Step {
    let from = scene.begin(&[])?;
    scene.pause(scene.run_for)?;
    // Which entries meet a thin book is up to the market.
    scene.until(Duration::from_secs(30), |scene| Ok((parts(scene).len() >= ENOUGH).then_some(())))?;
    let parts = parts(scene);
    let count = parts.len();
    let example = parts.first().map(|(id, executed, qty)| format!("; {id} got {executed} of {qty}"));
    let found = format!("{count} entries{}", example.unwrap_or_default());
    scene.record.figure("entries that were filled for a part", count as f64, "entries");
    scene.record.check("entries are filled for a part", format!("{ENOUGH} at least"), found, count >= ENOUGH);
    scene.check_bare(from, PROTECT_WITHIN_S);
    scene.finish()?;
    Ok(())
}

/// Entries that ended with a part of what they wanted: id, executed, wanted.
fn parts(scene: &Scene) -> Vec<(String, Decimal, Decimal)> {
    let is_opening = |id: &String| scene.tail.approved.get(id) == Some(&true);
    let history = scene.exchange.history();
    let openings = history.into_iter().filter(|(id, _)| is_opening(id));
    openings
        .flat_map(|(id, rows)| rows.into_iter().map(move |row| (id.clone(), row)))
        .filter(|(_, row)| row.is_part)
        .map(|(id, row)| (id, row.executed, row.qty))
        .collect()
}
