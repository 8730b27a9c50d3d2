//! Finds the venue of a live run, or of a paper run at somebody else's exchange.

use std::sync::Arc;

use hedge_core::{Clock, Symbol};
use hedge_runtime::SystemClock;

use crate::{
    compose::ClientTies,
    config::{Config, FileKind, Profile},
    trade::{Place, Setup, TradeError, TradeOptions},
    venue::{self, Access},
};

/// The venue that the configuration names. Sends nothing.
pub(crate) fn open(
    setup: &Setup<'_>,
    options: &TradeOptions,
    ties: &ClientTies,
) -> Result<(Place, Access), TradeError> {
    if options.data.is_some()
        || options.seed.is_some()
        || options.speed.is_some()
        || options.instruments.is_some()
    {
        let text = match setup.mode.profile {
            Profile::Paper => {
                "--data, --instruments, --seed and --speed are for the embedded exchange; give them to the exchange at binance.rest_url"
                    .to_owned()
            }
            profile => format!(
                "--data, --instruments, --seed and --speed are for the embedded exchange of profile paper; profile {profile} trades at a venue"
            ),
        };
        return Err(TradeError::Usage(text));
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let timing = (Arc::clone(&clock), 1.0);
    let access = venue::access_by(setup.mode, setup.config, setup.env, None, timing, ties)?;
    if options.time_scale.is_some() && !access.is_loopback {
        return Err(TradeError::Refused(format!(
            "--time-scale is for venues on this machine only, and {} is not; leave it out",
            access.base
        )));
    }
    let place = Place {
        embedded: None,
        symbols: symbols(options, setup.config)?,
        label: if access.is_loopback { "exchange on this machine".to_owned() } else { access.base.clone() },
        is_lockstep: false,
        clock,
        speed: 1.0,
        address: None,
    };
    Ok((place, access))
}

/// Symbols of the universe, or those asked for; all of them must be in the universe.
pub(crate) fn symbols(options: &TradeOptions, config: &Config) -> Result<Vec<Symbol>, TradeError> {
    let universe = &config.universe.symbols;
    let Some(asked) = &options.symbols else { return Ok(universe.clone()) };
    match asked.iter().find(|symbol| !universe.contains(symbol)) {
        Some(stranger) => Err(TradeError::Usage(format!(
            "{stranger} is not in {}; add it there or leave it out of --symbols",
            config.file(FileKind::Universe)
        ))),
        None => {
            let mut once: Vec<Symbol> = Vec::new();
            for symbol in asked {
                if !once.contains(symbol) {
                    once.push(*symbol);
                }
            }
            Ok(once)
        }
    }
}
