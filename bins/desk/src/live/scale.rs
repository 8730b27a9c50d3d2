//! A clock that runs as fast as that of a venue on this machine.

use std::{path::Path, sync::Arc};

use hedge_core::{Clock, VenueReader};
use hedge_runtime::{SystemClock, clock::Scaled};

use crate::{
    compose::ClientTies,
    trade::{Place, Setup, TradeError, TradeOptions},
    venue::{self, Access, Exchange, ExchangeFile, Pace},
};

/// With `--time-scale`: asks the venue for its time, and lets the run and the client go by a clock that starts there and
/// runs as many times as fast. Sends that one question. Without the option nothing changes.
pub(crate) async fn keep_time(
    setup: &Setup<'_>,
    options: &TradeOptions,
    dir: &Path,
    place: &mut Place,
    access: Access,
    ties: &ClientTies,
) -> Result<Access, TradeError> {
    let Some(times) = options.time_scale else { return Ok(access) };
    let doing = "reading the venue's clock for --time-scale";
    let now = access.client.server_time().await.map_err(|source| TradeError::Venue { doing, source })?;
    let wall = SystemClock.now();
    let clock: Arc<dyn Clock> = Arc::new(Scaled::start(now, times));
    place.speed = f64::from(times.get());
    place.clock = Arc::clone(&clock);
    // Other programs find the venue by the configuration, but not how fast its clock runs.
    let section = &setup.config.runtime.binance;
    if let (Some(rest_url), Some(ws_url)) = (section.rest_url.clone(), section.ws_url.clone()) {
        let pace = Some(Pace { speed: place.speed, venue: now, wall });
        let exchange = Exchange { rest_url, ws_url, pid: std::process::id(), pace };
        place.address = Some(ExchangeFile::write(dir, &exchange)?);
    }
    let timing = (clock, place.speed);
    Ok(venue::access_by(setup.mode, setup.config, setup.env, Some(dir), timing, ties)?)
}
