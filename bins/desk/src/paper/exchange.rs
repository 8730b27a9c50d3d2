//! The exchange of a run: embedded, or one that somebody else runs on this machine.

use std::{path::Path, sync::Arc};

use hedge_binance::{Credentials, Endpoints, Mainnet};
use hedge_core::{Clock, Symbol};
use hedge_runtime::SystemClock;
use hedge_sim::binance::{ApiKey, Environment, Exchange, ExchangeConfig, ExchangeHandle, Pace};
use rust_decimal::prelude::ToPrimitive;

use super::{clock::VenueTime, error::PaperError, market, market::Market, options::PaperOptions};
use crate::{
    compose::ClientSettings,
    config::{Config, Speed},
    env::Env,
};

/// The embedded exchange's command log, beside the journal.
const LOG_FILE: &str = "exchange.jsonl";

/// Where a run trades.
#[derive(Debug)]
pub(super) struct Place {
    /// The exchange, when it is ours.
    pub(super) embedded: Option<ExchangeHandle>,
    /// The market, when the exchange is ours.
    pub(super) market: Option<Market>,
    pub(super) symbols: Vec<Symbol>,
    pub(super) label: String,
    pub(super) is_lockstep: bool,
    pub(super) clock: Arc<dyn Clock>,
    speed: f64,
    rest: String,
    ws: String,
    key: (String, String),
}

impl Place {
    /// What the run's folder belongs to.
    pub(super) fn venue(config: &Config) -> &'static str {
        if is_external(config) { "binance-loopback" } else { "binance-embedded" }
    }

    /// Starts the embedded exchange, or takes the addresses of the given one. A journal without the log of its exchange is
    /// refused: a new account would be taken for the old one.
    pub(super) async fn open(
        options: &PaperOptions,
        config: &Config,
        env: &Env,
        dir: &Path,
        has_journal: bool,
    ) -> Result<Self, PaperError> {
        if is_external(config) {
            Self::external(options, config, env)
        } else if has_journal && !dir.join(LOG_FILE).exists() {
            Err(PaperError::Usage(format!(
                "{} has a journal but no {LOG_FILE}, so its exchange is lost; restore that file or choose another --state-dir",
                dir.display()
            )))
        } else {
            Self::embedded(options, config, dir).await
        }
    }

    async fn embedded(options: &PaperOptions, config: &Config, dir: &Path) -> Result<Self, PaperError> {
        let market = market::open(options, config)?;
        let usual = if options.follow { Speed::Times(1.into()) } else { config.runtime.paper.speed };
        let pace = match options.speed.unwrap_or(usual) {
            Speed::Max => Pace::Lockstep,
            Speed::Times(times) => Pace::Speed(times.to_f64().unwrap_or(1.0)),
        };
        let key = ApiKey::demo();
        let exchange = Exchange::start(ExchangeConfig {
            environment: Environment::Mainnet,
            api_key: key.clone(),
            instruments: market.instruments.clone(),
            balance_usdt: config.runtime.paper.balance_usdt,
            market: market.source.clone(),
            history_bars: Some(history(options, config)),
            pace,
            log_path: Some(dir.join(LOG_FILE)),
            ..ExchangeConfig::default()
        })
        .await?;
        Ok(Self {
            clock: Arc::new(VenueTime::new(exchange.clock().clone())),
            rest: exchange.rest_url(),
            ws: exchange.ws_url(),
            key: (key.key().to_owned(), key.secret().to_owned()),
            symbols: market.symbols.clone(),
            label: format!("embedded exchange, {}", market.label),
            is_lockstep: pace == Pace::Lockstep,
            // In lockstep nothing lapses while the client is at work.
            speed: if let Pace::Speed(speed) = pace { speed } else { 1.0 },
            embedded: Some(exchange),
            market: Some(market),
        })
    }

    fn external(options: &PaperOptions, config: &Config, env: &Env) -> Result<Self, PaperError> {
        let section = &config.runtime.binance;
        let (Some(rest), Some(ws)) = (section.rest_url.clone(), section.ws_url.clone()) else {
            let text = "binance.rest_url and binance.ws_url belong together; set both or none";
            return Err(PaperError::Usage(text.to_owned()));
        };
        if options.data.is_some() || options.seed.is_some() || options.speed.is_some() {
            let text = "--data, --seed and --speed are for the embedded exchange; give them to the exchange at binance.rest_url";
            return Err(PaperError::Usage(text.to_owned()));
        }
        let value = |name| {
            env.lookup(name).ok_or_else(|| {
                PaperError::Usage(format!("{name} is not set; the exchange at {rest} wants a key"))
            })
        };
        Ok(Self {
            key: (value("BINANCE_API_KEY")?, value("BINANCE_API_SECRET")?),
            symbols: market::wanted(options, config)?,
            label: "exchange on this machine".to_owned(),
            is_lockstep: false,
            clock: Arc::new(SystemClock),
            speed: 1.0,
            embedded: None,
            market: None,
            rest,
            ws,
        })
    }

    /// Hosts and keys for the client. Errors: hosts that are not on this machine.
    pub(super) fn client(&self) -> Result<ClientSettings<Mainnet>, PaperError> {
        let endpoints = Endpoints::<Mainnet>::new(Some(&self.rest), Some(&self.ws))?;
        if !endpoints.is_loopback() {
            return Err(PaperError::Usage(format!(
                "the paper profile trades on simulated exchanges only, and {} is not on this machine",
                self.rest
            )));
        }
        let credentials = Credentials::<Mainnet>::new(self.key.0.clone(), self.key.1.clone())?;
        let clock = Arc::clone(&self.clock);
        Ok(ClientSettings { endpoints, credentials, clock, venue_speed: self.speed })
    }

    /// How many times as fast as wall time the exchange's clock runs; 1 where it waits for the engine.
    pub(super) const fn speed(&self) -> f64 {
        self.speed
    }

    /// REST base, for the log.
    pub(super) fn base(&self) -> &str {
        &self.rest
    }
}

fn is_external(config: &Config) -> bool {
    config.runtime.binance.rest_url.is_some() || config.runtime.binance.ws_url.is_some()
}

/// Bars before the start.
pub(super) fn history(options: &PaperOptions, config: &Config) -> usize {
    options.history.unwrap_or(config.runtime.history.bars)
}
