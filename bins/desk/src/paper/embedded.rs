//! The exchange that a paper run brings along.

use std::{path::Path, sync::Arc};

use hedge_core::{Clock, Timestamp};
use hedge_runtime::SystemClock;
use hedge_sim::binance::{ApiKey, Environment, Exchange, ExchangeConfig, ExchangeHandle, Pace};
use rust_decimal::prelude::ToPrimitive;

use super::{clock::VenueTime, market, market::Market};
use crate::{
    compose::ClientTies,
    config::{Config, Speed},
    trade::{Place, Setup, TradeError, TradeOptions},
    venue::{self, Access, ExchangeFile, Pace as VenuePace},
};

/// The embedded exchange's command log, beside the journal.
const LOG_FILE: &str = "exchange.jsonl";

/// An exchange in this process.
#[derive(Debug)]
pub(crate) struct Embedded {
    /// Runs as long as this value lives.
    pub(crate) exchange: ExchangeHandle,
    /// What is played on it.
    pub(crate) market: Market,
}

/// Starts the exchange of a run, from its log if it has one. A journal without the log of its exchange is refused: a new
/// account would be taken for the old one.
pub(crate) async fn open(
    setup: &Setup<'_>,
    options: &TradeOptions,
    dir: &Path,
    has_journal: bool,
    ties: &ClientTies,
) -> Result<(Place, Access), TradeError> {
    if has_journal && !dir.join(LOG_FILE).exists() {
        return Err(TradeError::Usage(format!(
            "{} has a journal but no {LOG_FILE}, so its exchange is lost; restore that file or choose another --state-dir",
            dir.display()
        )));
    }
    let market = market::open(options, setup.config)?;
    let (pace, exchange) = start(options, setup.config, dir, &market).await?;
    let clock: Arc<dyn Clock> = Arc::new(VenueTime::new(exchange.clock().clone()));
    // In lockstep nothing lapses while the client is at work.
    let speed = if let Pace::Speed(speed) = pace { speed } else { 1.0 };
    let address = ExchangeFile::write(dir, &address(&exchange, pace))?;
    let timing = (Arc::clone(&clock), speed);
    let access = venue::access_by(setup.mode, setup.config, setup.env, Some(dir), timing, ties)?;
    let place = Place {
        symbols: market.symbols.clone(),
        label: format!("embedded exchange, {}", market.label),
        is_lockstep: pace == Pace::Lockstep,
        clock,
        speed,
        embedded: Some(Embedded { exchange, market }),
        address: Some(address),
    };
    Ok((place, access))
}

async fn start(
    options: &TradeOptions,
    config: &Config,
    dir: &Path,
    market: &Market,
) -> Result<(Pace, ExchangeHandle), TradeError> {
    let usual = if options.follow { Speed::Times(1.into()) } else { config.runtime.paper.speed };
    let pace = match options.speed.unwrap_or(usual) {
        Speed::Max => Pace::Lockstep,
        Speed::Times(times) => Pace::Speed(times.to_f64().unwrap_or(1.0)),
    };
    let exchange = Exchange::start(ExchangeConfig {
        environment: Environment::Mainnet,
        api_key: ApiKey::demo(),
        instruments: market.instruments.clone(),
        balance_usdt: config.runtime.paper.balance_usdt,
        market: market.source.clone(),
        history_bars: Some(history(options, config)),
        pace,
        log_path: Some(dir.join(LOG_FILE)),
        ..ExchangeConfig::default()
    })
    .await?;
    Ok((pace, exchange))
}

/// Where other programs find it, and how fast its clock runs.
fn address(exchange: &ExchangeHandle, pace: Pace) -> venue::Exchange {
    let pace = match pace {
        Pace::Speed(speed) => {
            Some(VenuePace { speed, venue: Timestamp::from_ms(exchange.now_ms()), wall: SystemClock.now() })
        }
        Pace::Lockstep => None,
    };
    venue::Exchange {
        rest_url: exchange.rest_url(),
        ws_url: exchange.ws_url(),
        pid: std::process::id(),
        pace,
    }
}

/// Bars before the start.
pub(crate) fn history(options: &TradeOptions, config: &Config) -> usize {
    options.history.unwrap_or(config.runtime.history.bars)
}
