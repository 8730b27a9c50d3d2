//! What the engine's orders go to: the client, armed as far as the profile and the checks allow, or a simulation.

use std::{path::Path, sync::Arc};

use hedge_core::{
    Brokerage, CheckResult, Environment, ExitPass, PreflightCheck, PreflightPass, PreflightReport, Symbol,
    VenueReader,
};
use hedge_runtime::{Fence, Listing};
use tracing::{debug, error, info, warn};

use super::{error::TradeError, patience::Lookout, place::Place, run::Setup};
use crate::{config::Profile, consent, live, preflight::Looked, venue::Access};

/// A broker, and how far it may go.
#[derive(Debug)]
pub(super) struct Engaged {
    pub(super) broker: Arc<dyn Brokerage>,
    /// Why nothing may be opened, if nothing may.
    pub(super) hold: Option<String>,
}

/// Looks, and builds the broker of the profile. Where the directory has led before, a venue that does not answer is asked
/// until it does.
///
/// Errors: [`TradeError::Preflight`] when a check failed; also when somebody else has taken over meanwhile.
pub(super) async fn engage(
    setup: &Setup<'_>,
    dir: &Path,
    place: &Place,
    access: Access,
    universe: &[Listing],
    has_journal: bool,
    fence: &dyn Fence,
) -> Result<Engaged, TradeError> {
    let symbols: Vec<Symbol> = universe.iter().map(|listing| listing.instrument.symbol).collect();
    let lookout = Lookout { setup, dir, symbols: &symbols, has_led: has_journal, fence };
    let Looked { report, hold: held, .. } = lookout.look(&access).await?;
    tell(&report);
    if let Some(because) = &held {
        warn!(because, "this run opens nothing; it closes and protects what is open");
    }
    let (client, now) = (access.client, place.clock.now());
    match setup.mode.profile {
        Profile::Paper | Profile::Testnet => {
            let pass = PreflightPass::issue(&report, None, &setup.config.hash(), now)?;
            Ok(Engaged { broker: Arc::new(client.arm(pass, now)?), hold: held })
        }
        Profile::MainnetDry => {
            // A dry run starts under the conditions of a wet one; the pass itself stays unused, for nothing is armed.
            ExitPass::issue(&report, now)?;
            let broker = live::dry(setup, dir, place, client, has_journal).await?;
            Ok(Engaged { broker, hold: held })
        }
        Profile::Mainnet => {
            let account = client.fingerprint().clone();
            let hold = live::hold(dir, &account, &setup.config.hash(), now);
            if let Some(because) = &hold {
                warn!(because, "this run opens nothing; it closes and protects what is open");
            }
            let broker: Arc<dyn Brokerage> = match (&hold, account.environment) {
                // A simulated exchange is set up like any other, and needs no consent.
                (None, _) | (Some(_), Environment::Loopback) => {
                    let consent = consent::load(dir).unwrap_or_default();
                    let pass = PreflightPass::issue(&report, consent.as_ref(), &setup.config.hash(), now)?;
                    Arc::new(client.arm(pass, now)?)
                }
                (Some(_), _) => Arc::new(client.arm_for_exits(ExitPass::issue(&report, now)?, now)?),
            };
            Ok(Engaged { broker, hold: hold.or(held) })
        }
    }
}

/// What is as it should be is counted; what is not stands in the log with what to do.
fn tell(report: &PreflightReport) {
    for check in &report.checks {
        let PreflightCheck { name, expected, found, result, remedy } = check;
        match result {
            CheckResult::Ok => debug!(check = name, expected, found, "preflight: ok"),
            CheckResult::Warning => warn!(check = name, expected, found, remedy, "preflight: warning"),
            CheckResult::Failed => error!(check = name, expected, found, remedy, "preflight: failed"),
        }
    }
    let count = |result| report.checks.iter().filter(|check| check.result == result).count();
    let (ok, warnings, failed) =
        (count(CheckResult::Ok), count(CheckResult::Warning), count(CheckResult::Failed));
    info!(ok, warnings, failed, "preflight");
}
