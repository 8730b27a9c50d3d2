//! A failure made small: items of the plan are left out for as long as something still goes wrong.

use super::{
    auditor::Violation,
    mutant::Mutant,
    plan::{Item, Plan},
    world::World,
};

/// At most so many runs are spent on one failure.
const MOST_RUNS: u32 = 400;

/// The smallest plan found that still violates an invariant, and which.
#[derive(Debug)]
pub(super) struct Shrunk {
    pub(super) plan: Plan,
    pub(super) violation: Violation,
    pub(super) runs: u32,
}

/// Leaves out halves, quarters and so on down to single items, again and again until nothing more can go.
pub(super) fn shrink(plan: &Plan, mutant: Option<Mutant>, violation: Violation) -> Shrunk {
    let mut best = Shrunk { plan: plan.clone(), violation, runs: 0 };
    // What comes after the violation has no part in it.
    let at_ms = best.violation.at_ms;
    try_without(&mut best, mutant, |item| item.at_ms > at_ms);
    loop {
        let before = best.plan.items.len();
        let mut chunk = before.div_ceil(2).max(1);
        loop {
            let mut from = 0;
            while from < best.plan.items.len() {
                let (first, last) = (from, from + chunk);
                let mut place = 0;
                let gone = try_without(&mut best, mutant, |_| {
                    place += 1;
                    (first..last).contains(&(place - 1))
                });
                if !gone {
                    from += chunk;
                }
                if best.runs >= MOST_RUNS {
                    return best;
                }
            }
            if chunk == 1 {
                break;
            }
            chunk = chunk.div_ceil(2);
        }
        if best.plan.items.len() == before {
            return best;
        }
    }
}

fn try_without(best: &mut Shrunk, mutant: Option<Mutant>, mut leave_out: impl FnMut(&Item) -> bool) -> bool {
    let items: Vec<Item> = best.plan.items.iter().filter(|item| !leave_out(item)).copied().collect();
    if items.len() == best.plan.items.len() {
        return false;
    }
    let plan = Plan { items, ..best.plan.clone() };
    best.runs += 1;
    match World::new(&plan, mutant, false).run().violation {
        Some(violation) if violation.invariant == best.violation.invariant => {
            (best.plan, best.violation) = (plan, violation);
            true
        }
        _ => false,
    }
}
