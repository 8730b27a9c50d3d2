//! How far a run on an exchange of our own goes, over all its starts.

use hedge_store::StateDir;

use super::{error::TradeError, options::TradeOptions, place::Place, run::Setup};
use crate::{paper::history, runs::Plan};

/// What `--bars` cannot do: a run that was stopped goes on to the end it was given.
pub(super) fn bars_note(options: &TradeOptions, plan: &Plan) -> Option<String> {
    let asked = options.bars.filter(|bars| !plan.finished && *bars != plan.bars)?;
    let end = plan.bars;
    Some(format!("the unfinished run goes on to the end of its {end} bars; --bars {asked} is ignored"))
}

/// The plan of an embedded exchange that does not run without end; written down before anything is played.
pub(super) fn plan(
    setup: &Setup<'_>,
    options: &TradeOptions,
    earlier: Option<Plan>,
    dir: &StateDir,
    place: &Place,
) -> Result<Option<Plan>, TradeError> {
    let (Some(embedded), false) = (&place.embedded, options.follow) else {
        return Ok(None);
    };
    let (exchange, market) = (&embedded.exchange, &embedded.market);
    let bars = options.bars.unwrap_or(setup.config.runtime.paper.bars as u64);
    let plan = match earlier {
        Some(plan) => plan.next(exchange.now_ms(), bars),
        None => Plan {
            // Bars begin on their grid, also where the clock starts inside one.
            from_ms: exchange.now_ms().div_euclid(market.interval.ms()) * market.interval.ms(),
            bars,
            finished: false,
            bar_ms: market.interval.ms(),
            seed: market.seed,
            data: options.data.clone(),
            symbols: market.symbols.clone(),
            history: history(options, setup.config),
        },
    };
    plan.save(dir.path())?;
    Ok(Some(plan))
}

/// Bars after which the loop itself ends the run: in real time, where no driver does.
pub(super) fn limit(options: &TradeOptions, place: &Place, plan: Option<&Plan>) -> Option<u64> {
    match (place.is_lockstep, plan) {
        (true, _) => None,
        (false, Some(plan)) => Some(plan.bars.saturating_sub(played(plan, place)).max(1)),
        (false, None) => options.bars.filter(|_| !options.follow),
    }
}

/// Whole bars between the plan's start and now.
pub(super) fn played(plan: &Plan, place: &Place) -> u64 {
    ((place.clock.now().ms() - plan.from_ms) / plan.bar_ms).max(0).unsigned_abs().min(plan.bars)
}
